"""The owner's door: who may steer a collector, and that no assistant can."""

import asyncio
from typing import Any

import pytest
from fixed_market import context
from starlette.testclient import TestClient

from orderflow import tools
from orderflow.jobs.control import Answer
from orderflow.market.errors import InvalidArgument, UnknownVenue
from orderflow.servers import http, remote
from orderflow.servers.callers import Local

KEY = "the owner's key"
HEAD = {remote.KEY: KEY}
STATE = {"venues": {}, "symbols": ["BTCUSDT"]}


class Told:
    """A control that remembers what it was told."""

    def __init__(self) -> None:
        self.orders: list[Any] = []

    def state(self) -> dict[str, Any]:
        return STATE

    async def start(self, venue: str) -> Answer:
        if venue == "nyse":
            raise UnknownVenue("unknown venue 'nyse'", hint="venues: …")
        return self._done("start", venue)

    async def stop(self, venue: str) -> Answer:
        return self._done("stop", venue)

    async def choose(self, symbols: Any, streams: Any) -> Answer:
        if symbols == ["no symbol"]:
            raise InvalidArgument("cannot be a symbol")
        return self._done(symbols, streams)

    def _done(self, *order: Any) -> Answer:
        self.orders.append(order)
        return Answer([" ".join(map(str, order))], STATE)


def client(told: Told, host: str = "127.0.0.1", key: str = KEY, token: str | None = None) -> TestClient:
    app = http.app(Local(context()), token=token)
    http.steer(app, told, key)  # type: ignore[arg-type]
    return TestClient(app, base_url="http://127.0.0.1:8022", client=(host, 50_000))


def test_the_owner_looks_starts_stops_and_chooses() -> None:
    told = Told()
    door = client(told)
    assert door.get("/admin/feeds", headers=HEAD).json() == STATE
    assert door.post("/admin/feeds/okx/start", headers=HEAD).json()["changed"] == ["start okx"]
    assert door.post("/admin/feeds/okx/stop", headers=HEAD).json()["state"] == STATE
    said = door.post("/admin/feeds", headers=HEAD, json={"symbols": ["BTCUSDT"]})
    assert said.status_code == 200
    assert told.orders == [("start", "okx"), ("stop", "okx"), (["BTCUSDT"], None)]


@pytest.mark.parametrize(
    ("host", "key", "headers", "status"),
    [
        ("127.0.0.1", KEY, {}, 401),
        ("127.0.0.1", KEY, {remote.KEY: "another"}, 401),
        ("127.0.0.1", "", {remote.KEY: ""}, 401),  # a collector without a key has no owner
        ("192.168.0.9", KEY, HEAD, 403),
        ("127.0.0.1", KEY, {**HEAD, "Origin": "http://elsewhere.example"}, 403),
    ],
)
def test_nobody_else_does(host: str, key: str, headers: dict[str, str], status: int) -> None:
    told = Told()
    door = client(told, host, key)
    for path in ("/admin/feeds/okx/start", "/admin/feeds/okx/stop", "/admin/feeds"):
        assert door.post(path, headers=headers, json={}).status_code == status
    assert door.get("/admin/feeds", headers=headers).status_code == status
    assert told.orders == []


def test_where_the_door_has_a_token_the_owner_needs_it_too() -> None:
    told = Told()
    door = client(told, token="secret")
    assert door.post("/admin/feeds/okx/stop", headers=HEAD).status_code == 401
    both = {**HEAD, "Authorization": "Bearer secret"}
    assert door.post("/admin/feeds/okx/stop", headers=both).status_code == 200
    assert told.orders == [("stop", "okx")]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"{", b'{"symbols": 1}', b'{"venues": ["okx"]}', b'{"symbols": ["no symbol"]}'],
)
def test_what_is_no_choice_is_told_in_one_line_and_nothing_changes(body: bytes) -> None:
    told = Told()
    said = client(told).post("/admin/feeds", headers=HEAD, content=body)
    assert (said.status_code, said.json()["code"]) == (400, "invalid_argument")
    assert told.orders == []


def test_a_refusal_of_the_collector_keeps_its_code_and_hint() -> None:
    said = client(Told()).post("/admin/feeds/nyse/start", headers=HEAD)
    assert said.status_code == 400
    assert said.json()["message"] == "unknown venue 'nyse'" and said.json()["hint"]


def test_no_tool_and_no_public_description_knows_of_it() -> None:
    door = client(Told())
    assert "/admin" not in door.get("/openapi.json").text
    shown = [one.name for one in tools.ALL.toolset("all")]
    assert not [one for one in shown if "feed" in one or "start" in one or "stop" in one]
    assert asyncio.run(Local(context()).call("stop", {})).failure is not None


def test_a_door_that_is_not_steered_has_no_such_routes() -> None:
    door = TestClient(http.app(Local(context())), base_url="http://127.0.0.1:8022", client=("127.0.0.1", 1))
    assert door.post("/admin/feeds/okx/stop", headers=HEAD).status_code == 404

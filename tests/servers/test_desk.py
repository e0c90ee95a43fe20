"""A desk's endpoints: the envelope of answers and of refusals, and the interface that is drawn of them."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import msgspec
import pytest
from fixed_market import context
from starlette.testclient import TestClient

from orderflow.market.errors import DoorUnavailable
from orderflow.servers import http
from orderflow.servers.callers import Local
from orderflow.store.desk import Answer, Filters, PostgresDesk, StoredDesk
from orderflow.store.desk.results import FundingRates, LargeTrades, OpenInterests, OrderBooks
from tests.store.desk import NOW, Store
from tests.store.test_desk import book, funding, interest, liquidation, trade

PATHS = {
    "large-trades": LargeTrades,
    "funding-rates": FundingRates,
    "open-interest": OpenInterests,
    "orderbooks": OrderBooks,
}


def door(desk: Any, **more: Any) -> TestClient:
    app = http.app(Local(context()), desk=desk, **more)
    return TestClient(app, base_url="http://127.0.0.1:8022", raise_server_exceptions=False)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    store = Store(tmp_path_factory.mktemp("desk") / "store.duckdb")
    store.write(
        trade(1, 1, 100_000.0, 3.0), liquidation(2, "long", 90_000.0, 0.5), funding("okx_futures", 3, 0.0001, 8.0),
        interest("okx_futures", 4, 1_000.0, 9e7), book(3_500, 1, 99.0, 1.0, 101.0, 2.0),
    )  # fmt: skip
    yield door(StoredDesk(lambda: nullcontext(store.reader), clock=lambda: NOW))
    store.close()


def ask(client: TestClient, path: str) -> tuple[int, dict[str, Any]]:
    said = client.get(f"/api/v1/exchange/{path}")
    return said.status_code, said.json()


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_is_an_envelope_whose_data_are_as_declared(client: TestClient, path: str) -> None:
    status, said = ask(client, path)
    assert (status, said["success"], set(said)) == (200, True, {"success", "data", "filters", "timestamp"})
    data = msgspec.convert(said["data"], PATHS[path])
    assert data.count == data.total > 0
    assert said["timestamp"] == "2025-11-21T01:00:00.000000Z"


def test_filters_reach_the_question(client: TestClient) -> None:
    _, said = ask(client, "large-trades?symbol=BTC&exchange=okx&only_liquidations=true&hours=1.5&limit=7")
    assert said["filters"] | {"since": "", "until": ""} == {
        "symbol": "BTCUSDT", "exchange": ["okx_futures"], "hours": 1.5, "since": "", "until": "",
        "min_value_usd": None, "only_liquidations": True, "order": "time", "limit": 7,
    }  # fmt: skip
    assert [one["is_liquidation"] for one in said["data"]["trades"]] == [True]


def test_no_data_is_an_empty_list_and_a_reason(client: TestClient) -> None:
    status, said = ask(client, "funding-rates?exchange=kraken")
    assert (status, said["success"], said["data"]["funding_rates"]) == (200, True, [])
    assert said["data"]["reason"].startswith("no funding rates on kraken_futures in this window")


@pytest.mark.parametrize(
    ("path", "status", "code", "said"),
    [
        ("large-trades?hours=0", 400, "invalid_argument", "hours: "),
        ("large-trades?hours=169", 400, "invalid_argument", "hours: "),
        ("large-trades?hours=nan", 400, "invalid_argument", "hours: "),
        ("large-trades?hours=soon", 400, "invalid_argument", "hours: "),
        ("large-trades?limit=1001", 400, "invalid_argument", "limit: "),
        ("large-trades?min_value_usd=-1", 400, "invalid_argument", "min_value_usd: "),
        ("large-trades?order=rate", 400, "invalid_argument", "order: "),
        ("large-trades?exchange=nyse", 409, "invalid_argument", "unknown venue 'nyse'"),
        ("large-trades?simbol=BTC", 400, "invalid_argument", "no filter 'simbol'"),
        ("funding-rates?only_liquidations=true", 400, "invalid_argument", "no filter 'only_liquidations'"),
        ("open-interest?symbol=DOGE", 404, "unknown_symbol", "unknown symbol 'DOGE'"),
    ],
)
def test_a_refusal_is_an_envelope_too(
    client: TestClient, path: str, status: int, code: str, said: str
) -> None:
    found, body = ask(client, path)
    assert (found, body["success"], body["code"]) == (status, False, code)
    assert said in body["message"]
    assert body["hint"] and body["timestamp"].endswith("Z")


def test_a_postgresql_that_is_away_is_said_with_when_to_try_again() -> None:
    client = door(PostgresDesk("postgresql://desk:s3cret@127.0.0.1:1/market"))
    said = client.get("/api/v1/exchange/open-interest")
    assert (said.status_code, said.json()["code"]) == (503, "venue_unavailable")
    assert int(said.headers["Retry-After"]) > 0
    assert "postgresql://desk:***@127.0.0.1:1/market" in said.json()["message"]
    assert "s3cret" not in said.text


def test_a_defect_of_ours_is_a_trace_and_not_a_traceback() -> None:
    class Broken:
        def answer(self, name: str, filters: Filters) -> Answer:
            raise KeyError("within")

        def close(self) -> None:
            raise DoorUnavailable("never asked")

    status, said = ask(door(Broken()), "large-trades")
    assert (status, said["success"], said["code"]) == (500, False, "internal")
    assert said["trace"] in said["message"] and "within" not in said["message"]


def test_the_interface_has_a_model_of_every_answer_and_no_loose_ends(client: TestClient) -> None:
    drawn = client.get("/openapi.json").json()
    for path, data in PATHS.items():
        operation = drawn["paths"][f"/api/v1/exchange/{path}"]["get"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert schema["properties"]["data"]["$ref"] == f"#/components/schemas/{data.__name__}"
        assert {"400", "404", "503", "504"} <= set(operation["responses"])
    for ref in _refs(drawn):
        assert ref.removeprefix("#/components/schemas/") in drawn["components"]["schemas"]


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from _refs(one)
    elif isinstance(value, list):
        for one in value:
            yield from _refs(one)


def test_the_token_of_the_door_is_asked_here_too(tmp_path: Any) -> None:
    client = door(PostgresDesk("postgresql://127.0.0.1:1/market"), token="let-me-in")
    assert client.get("/api/v1/exchange/large-trades").status_code == 401


def test_without_a_desk_there_are_no_such_endpoints() -> None:
    client = TestClient(http.app(Local(context())), base_url="http://127.0.0.1:8022")
    assert client.get("/api/v1/exchange/large-trades").status_code == 404
    assert not any("/api/v1/exchange" in one for one in client.get("/").json()["endpoints"])

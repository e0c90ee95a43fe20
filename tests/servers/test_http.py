"""The HTTP door: statuses, health, metrics, who may come in, and ports that cannot be had."""

import asyncio
import dataclasses
import socket
import threading
from typing import Any

import pytest
from fixed_market import FakeLatest, context
from starlette.testclient import TestClient

from orderflow import tools
from orderflow.market.errors import DoorUnavailable, InvalidArgument, RateLimited
from orderflow.servers import http
from orderflow.servers.auth import MOST_BYTES
from orderflow.servers.callers import Local
from orderflow.servers.remote import Remote
from orderflow.servers.replies import failed, failure_of
from orderflow.servers.routes import STATUS


def client(latest: FakeLatest | None = None, health: dict[str, Any] | None = None, **more: Any) -> TestClient:
    return TestClient(http.app(Local(context(latest, health)), **more), base_url="http://127.0.0.1:8022")


# ── How it is ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("status", "code"), [("healthy", 200), ("degraded", 200), ("unhealthy", 503)])
@pytest.mark.parametrize("path", ["/health", "/healthz"])
def test_health_is_503_when_unhealthy_and_says_simulated(path: str, status: str, code: int) -> None:
    said = client(health={"status": status, "reasons": ["because"]}).get(path)
    assert said.status_code == code
    assert said.json()["status"] == status
    assert said.json()["reasons"] == ["because"]
    assert said.json()["simulated"] is True


def test_a_house_that_does_not_say_how_it_is_is_not_healthy() -> None:
    said = client(health={}).get("/health")
    assert (said.status_code, said.json()["status"]) == (503, "unhealthy")


def test_metrics_tell_the_feed_and_the_calls_and_leave_out_what_is_unknown() -> None:
    door = client()
    door.post("/tools/get_crypto_prices", json={"symbol": "BTCUSDT"})
    door.post("/tools/xv_prices", json={"symbol": "NO"})
    door.post("/tools/" + "x" * 40, json={})
    text = door.get("/metrics").text
    assert 'orderflow_tool_calls_total{code="ok",tool="get_crypto_prices"} 1.0' in text
    assert 'orderflow_tool_calls_total{code="unknown_symbol",tool="xv_prices"} 1.0' in text
    assert 'orderflow_tool_calls_total{code="unknown_tool",tool="unknown"} 1.0' in text
    assert 'orderflow_venue_age_seconds{venue="binance_spot"} 0.25' in text
    assert 'orderflow_reconnects_total{venue="binance_spot"} 1.0' in text
    assert "orderflow_feed_lag_seconds{" not in text
    assert "orderflow_status 2.0" in text


def test_the_catalogue_is_listed_whole_or_by_category() -> None:
    assert client().get("/tools").json()["total_tools"] == len(tools.ALL.toolset("all"))
    steering = client(writes=True).get("/tools").json()["total_tools"]
    assert steering == len(tools.ALL.tools)
    assert list(client().get("/tools?category=system").json()["categories"]) == ["system", "catalogue"]
    refused = client().get("/tools?category=nonsense")
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_tool")


def test_a_schema_is_given_under_old_names_too() -> None:
    said = client().get("/tools/compare_exchange_prices/schema").json()
    assert said["canonical"] == "xv_prices"
    assert said["parameters"]["properties"]["exchange1"]["default"] == "binance_futures"
    assert client().get("/tools/nope/schema").status_code == 404


def test_an_older_client_that_posts_to_sse_is_told_how() -> None:
    said = client().post("/sse", json={})
    assert (said.status_code, said.headers["Allow"]) == (405, "GET")


def test_the_front_page_and_the_interface_are_there() -> None:
    assert client().get("/").json()["endpoints"]["/health"]
    assert client().get("/docs").status_code == 200
    assert "/tools/xv_prices" in client().get("/openapi.json").json()["paths"]


# ── Refusals ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/tools/xv_prices", b"{", 400, "invalid_argument"),
        ("/tools/xv_prices", b"[1]", 400, "invalid_argument"),
        ("/tools/xv_prices", b'{"params": 3}', 400, "invalid_argument"),
        ("/tools/xv_prices", b'{"limit": 0}', 400, "invalid_argument"),
        ("/tools/xv_prices", b'{"symbol": "NO"}', 404, "unknown_symbol"),
        ("/tools/xv_prices?format=yaml", b"{}", 400, "invalid_argument"),
        ("/tools/nope", b"{}", 404, "unknown_tool"),
        ("/nope", b"{}", 404, "invalid_argument"),
        ("/health", b"{}", 405, "invalid_argument"),
        ("/tools/xv_prices", b'{"symbol": "' + b"x" * MOST_BYTES + b'"}', 413, "too_large"),
    ],
)
def test_a_refusal_has_a_status_a_code_and_one_clear_line(
    path: str, body: bytes, status: int, code: str
) -> None:
    said = client().post(path, content=body)
    assert (said.status_code, said.json()["code"]) == (status, code)
    assert said.json()["message"]


def test_an_empty_store_is_no_data_and_not_an_empty_answer() -> None:
    said = client(FakeLatest()).post("/tools/xv_prices", json={})
    assert (said.status_code, said.json()["code"]) == (404, "no_data_for_range")


def test_a_body_sent_in_pieces_is_bounded_too() -> None:
    def pieces() -> Any:
        for _ in range(20):
            yield b"x" * 100_000

    assert client().post("/tools/xv_prices", content=pieces()).status_code == 413


@pytest.mark.parametrize("code", STATUS)
def test_each_code_of_ours_has_its_status(code: str) -> None:
    class Refusing(Local):
        async def call(self, name: str, arguments: Any = None, format: Any = None, **_: Any) -> Any:
            error = RateLimited("wait", after_s=7)
            error.code = code
            return failed(failure_of(error))

    door = TestClient(http.app(Refusing(context())), base_url="http://127.0.0.1")
    said = door.post("/tools/xv_prices", json={"limit": 0})
    assert said.status_code == STATUS[code]
    assert said.headers["Retry-After"] == "7"
    # the same of a request whose form is right: what it means is refused
    meant = {"invalid_argument": 409, "too_large": 409}.get(code, STATUS[code])
    assert door.post("/tools/xv_prices", json={}).status_code == meant
    assert set(STATUS.values()) == {400, 404, 409, 413, 429, 503, 504, 500}


# ── Who may come in ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8022"}, 200),
        ({"Host": "[::1]:8022"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
    ],
)
def test_without_a_token_only_this_machines_names_are_served(headers: dict[str, str], status: int) -> None:
    for path in ("/health", "/mcp/all", "/sse"):
        if status != 200 or path == "/health":
            assert client().get(path, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8022", 200),
        ("192.0.2.7:8022", 200),
        ("[2001:db8::7]:8022", 200),
        (socket.gethostname(), 200),
        (f"{socket.gethostname().upper()}.local:8022", 200),
        ("Flow.Example:443", 200),
        ("evil.example", 421),
        ("192.0.2.7.evil.example", 421),
        ("", 421),
    ],
)
def test_with_a_token_names_that_nobody_gave_are_refused(host: str, status: int) -> None:
    door = client(token="secret", hosts=["flow.example"])
    said = door.get("/health", headers={"Host": host, "Authorization": "Bearer secret"})
    assert said.status_code == status
    if status != 200:
        assert said.json()["hint"] == "its owner adds the name to ORDERFLOW_ALLOWED_HOSTS"


@pytest.mark.parametrize(
    "path", ["/", "/health", "/metrics", "/tools", "/docs", "/openapi.json", "/mcp", "/sse"]
)
@pytest.mark.parametrize(
    "given", [None, "Bearer wrong", "Basic secret", "Bearer", "Bearer secret2", "Bearer Secret"]
)
def test_with_a_token_nothing_is_served_without_it(path: str, given: str | None) -> None:
    said = client(token="secret").get(path, headers={"Authorization": given} if given else {})
    assert said.status_code == 401
    assert said.headers["WWW-Authenticate"].startswith("Bearer")
    assert "secret" not in said.text


def test_with_the_token_another_sites_page_is_refused_all_the_same() -> None:
    headers = {"Authorization": "Bearer secret"}
    from_a_page = {**headers, "Origin": "https://evil.example"}
    assert client(token="secret").get("/health", headers=from_a_page).status_code == 403


# ── Listening ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "desk.example"])
def test_an_address_that_others_reach_needs_a_token(host: str) -> None:
    with pytest.raises(DoorUnavailable, match="no token is set"):
        http.listen(host, 0)
    with pytest.raises(DoorUnavailable, match="no token is set"):
        asyncio.run(http.serve(http.app(Local(context())), host, 0))


def test_a_port_in_use_is_one_clear_line() -> None:
    with http.listen(port=0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DoorUnavailable, match=f"port {port} on 127.0.0.1 is in use") as caught:
            http.listen(port=port)
        assert "\n" not in caught.value.message


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("127.0.0.1", -1)])
def test_a_port_that_is_none_is_refused(host: str, port: int) -> None:
    with pytest.raises(DoorUnavailable, match="cannot listen"):
        http.listen(host, port)


def test_serving_ends_when_cancelled_and_frees_the_port() -> None:
    async def life() -> int:
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        app = http.app(Local(context()))
        serving = asyncio.create_task(http.serve(app, port=0, ready=address.set_result))
        url = await address
        reply = await Remote(url).call("xv_prices", {"symbol": "BTCUSDT"})
        assert reply.failure is None
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        gone = await Remote(url).call("xv_prices", {})
        assert gone.failure is not None
        assert gone.failure.code == "venue_unavailable"
        return int(url.rsplit(":", 1)[1])

    port = asyncio.run(life())
    http.listen(port=port).close()


def test_a_remote_call_says_when_another_program_answers() -> None:
    async def ask() -> Any:
        async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            writer.close()

        stranger = await asyncio.start_server(other, "127.0.0.1", 0)
        port = stranger.sockets[0].getsockname()[1]
        async with stranger:
            return await Remote(f"http://127.0.0.1:{port}").call("xv_prices", {})

    assert "something else than an answer of ours" in asyncio.run(ask()).text


def test_a_service_that_does_not_answer_in_time_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        reply = asyncio.run(Remote(url, timeout_s=0.2).call("xv_prices", {}))
    assert reply.failure is not None
    assert reply.failure.code == "timeout"


@pytest.mark.parametrize("url", ["", "127.0.0.1:8022", "ftp://127.0.0.1", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument, match="no address of a service"):
        Remote(url)


def test_arguments_that_json_cannot_say_are_refused_before_they_are_sent() -> None:
    reply = asyncio.run(Remote("http://127.0.0.1:1").call("xv_prices", {"symbol": float("nan")}))
    assert reply.failure is not None
    assert reply.failure.code == "invalid_argument"


@pytest.mark.parametrize("wrong", ["yaml", 7, ["json"]])
def test_a_wrong_format_in_the_body_is_refused_even_where_the_query_names_a_right_one(wrong: Any) -> None:
    with client() as door:
        refusal = door.post("/tools/xv_prices?format=xml", json={"symbol": "BTCUSDT", "format": wrong})
        assert refusal.status_code == 400
        assert refusal.json()["code"] == "invalid_argument"
        assert "format" in refusal.json()["message"]
        right = door.post("/tools/xv_prices?format=xml", json={"symbol": "BTCUSDT", "format": "json"})
        assert right.status_code == 200
        assert right.text.startswith("<answer")


# ── What takes a while ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "asked",
    [
        ("history_candles", {"symbol": "BTCUSDT"}),
        ("aggregate_by_timeframe", {"symbol": "BTCUSDT"}),
        ("call_tool", {"name": "history_candles", "arguments": {"symbol": "BTCUSDT"}}),
    ],
    ids=["by its name", "by an old name", "through call_tool"],
)
def test_a_question_to_the_store_keeps_nobody_waiting(asked: tuple[str, dict[str, Any]]) -> None:
    go, known = threading.Event(), context()

    class Slow:
        def __getattr__(self, name: str) -> Any:
            assert name != "bars" or go.wait(30)
            return getattr(known.history, name)

    async def ask() -> tuple[bool, bool]:
        caller = Local(dataclasses.replace(known, history=Slow()))  # type: ignore[arg-type]
        slow = asyncio.create_task(caller.call(*asked))
        quick = await caller.call("xv_prices", {"symbol": "BTCUSDT"})
        answered_first = not slow.done() and quick.failure is None
        go.set()
        return answered_first, (await slow).failure is None

    assert asyncio.run(ask()) == (True, True)

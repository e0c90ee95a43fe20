"""The endpoints of earlier systems: what answers from tools, what says that it is not built, rows for programs."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from fixed_market import FakeAsker, context
from starlette.testclient import TestClient

from orderflow import tools
from orderflow.market.events import Instrument
from orderflow.market.instruments import MARKETS
from orderflow.servers import http
from orderflow.servers.callers import Local
from orderflow.servers.not_built import LACKING
from orderflow.servers.replies import Failure, Reply, failed
from orderflow.store.columnar import stream


def listed(symbol: str, kind: str, *, trading: bool = True) -> Instrument:
    return Instrument("okx_futures", symbol, None, 0, symbol, kind, symbol[:3], "USDT", "live", trading)


LISTED = [
    listed("BTCUSDT", "perpetual"),
    listed("ETHUSDT", "perpetual"),
    listed("BTCUSDT", "future"),
    listed("OLDUSDT", "perpetual", trading=False),
    *[listed(f"A{number}USDT", "perpetual") for number in range(600)],
]


@pytest.fixture(scope="module")
def door() -> Iterator[TestClient]:
    asker = FakeAsker({("okx_futures", "instruments"): LISTED})
    with TestClient(http.app(Local(context(asker=asker))), base_url="http://127.0.0.1:8022") as client:
        yield client


# ── Venues ────────────────────────────────────────────────────────────────────────────────────


def test_exchanges_are_those_of_the_catalogue_and_say_how_each_is(door: TestClient) -> None:
    said = door.get("/exchanges").json()
    assert said["total"] == len(said["exchanges"]) == len(MARKETS)
    by_id = {one["id"]: one for one in said["exchanges"]}
    binance = by_id["binance_futures"]
    assert (binance["name"], binance["type"], binance["collected"]) == ("binance", "futures", True)
    assert (binance["status"], binance["connected"], binance["age_ms"]) == ("healthy", True, 100.0)
    assert binance["features"] == list(MARKETS["binance_futures"].streams)
    assert "binance_get_ticker" in binance["tools"]
    assert all(name in tools.ALL.aliases for name in binance["tools"])
    assert by_id["okx_futures"]["collected"] is False
    assert by_id["okx_futures"]["status"] is None  # unknown, not healthy


@pytest.mark.parametrize("query", ["", "?market_type=futures"])
def test_symbols_are_those_that_the_venue_lists_and_trades_over_all_pages(
    door: TestClient, query: str
) -> None:
    said = door.get(f"/symbols/okx{query}").json()
    assert (said["exchange"], said["venue"], said["market_type"]) == ("okx", "okx_futures", "futures")
    assert said["total"] == len(said["symbols"]) == 602  # BTC once, ETH, and 600; OLD is not traded
    assert said["symbols"][:2] == ["BTCUSDT", "ETHUSDT"]
    assert said["whole"] is True


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/symbols/nowhere", 400, "invalid_argument"),
        ("/symbols/okx?market_type=spot", 409, "unsupported_by_venue"),
        ("/symbols/okx?market_type=nonsense", 400, "invalid_argument"),
        ("/symbols/okx_futures?market_type=options", 409, "unsupported_by_venue"),
        ("/symbols/kraken?market_type=spot", 409, "unsupported_by_venue"),
        ("/symbols/bybit", 409, "unsupported_by_venue"),
        ("/cross-exchange/NOPE", 404, "unknown_symbol"),
        ("/cross-exchange/BTCUSDT?exchanges=nowhere", 400, "invalid_argument"),
        ("/dashboard/NOPE", 404, "unknown_symbol"),
        ("/dashboard/BTCUSDT?exchange=nowhere", 400, "invalid_argument"),
    ],
)
def test_what_cannot_be_answered_is_said(door: TestClient, path: str, status: int, code: str) -> None:
    said = door.get(path)
    assert (said.status_code, said.json()["code"]) == (status, code)


def test_the_streaming_status_is_what_the_tools_say_and_names_what_they_cannot(door: TestClient) -> None:
    said = door.get("/streaming/status").json()["streaming"]
    assert said["status"]["code"] == "no_data_for_range"  # no collector runs in this process
    assert said["health"]["meta"]["tool"] == "stream_health"
    assert said["alerts"]["rows"] == []


# ── Markets ───────────────────────────────────────────────────────────────────────────────────


def test_a_symbol_on_several_venues_names_what_is_missing(door: TestClient) -> None:
    said = door.get("/cross-exchange/BTCUSDT?exchanges=binance,okx,binance").json()
    assert said["exchanges"] == ["binance_futures", "okx_futures"]
    parts = said["cross_exchange"]
    assert parts["prices"]["by_venue"]["binance_futures"]["ask"] == 100.1
    assert set(parts["prices"]["by_venue"]) == {"binance_futures"}
    assert said["missing"]["prices"] == {"okx_futures": "no prices of BTCUSDT received"}
    assert parts["funding_rates"]["by_venue"]["binance_futures"]["funding_rate"] == 0.0001
    assert set(said["missing"]) == {"prices", "funding_rates", "open_interest", "arbitrage"}
    assert all("okx_futures" in one for one in said["missing"].values())


def test_arbitrage_is_the_tools_and_not_an_empty_object(door: TestClient) -> None:
    said = door.get("/cross-exchange/BTCUSDT?exchanges=binance_futures,binance_spot").json()
    assert said["cross_exchange"]["arbitrage"] == asked("xv_arbitrage", BOTH)
    assert said["missing"]["prices"] == said["missing"]["arbitrage"] == {}


BOTH = {"symbol": "BTCUSDT", "venues": ["binance_futures", "binance_spot"]}


def asked(name: str, arguments: dict[str, Any]) -> Any:
    return asyncio.run(Local(context()).call(name, arguments, "json")).structured


def test_a_dashboard_has_what_exists_and_says_what_does_not(door: TestClient) -> None:
    said = door.get("/dashboard/BTCUSDT").json()
    assert said["market"]["snapshot"] == asked("market_snapshot", {"symbol": "BTCUSDT"})
    assert said["market"]["prices"]["rows"]
    for name in ("features", "signals", "forecast"):
        assert said[name]["code"] == "not_built"
    one = door.get("/dashboard/BTCUSDT?exchange=binance").json()
    assert {row[0] for row in one["market"]["snapshot"]["rows"]} == {"binance_futures"}


# ── Not built ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lacking", LACKING, ids=lambda one: one.path)
def test_what_is_not_built_says_so_with_tools_that_answer_today(door: TestClient, lacking: Any) -> None:
    said = door.get(lacking.path.replace("{symbol}", "BTCUSDT"))
    assert (said.status_code, said.json()["code"]) == (404, "not_built")
    assert lacking.instead
    for name in lacking.instead:
        assert tools.ALL.tools[name].read_only
        assert name in said.json()["hint"]


# ── Rows for programs ─────────────────────────────────────────────────────────────────────────


def test_the_rows_come_as_csv(door: TestClient) -> None:
    said = door.post("/tools/xv_prices?format=csv", json={"symbol": "BTCUSDT"})
    assert said.headers["content-type"] == "text/csv; charset=utf-8"
    lines = said.text.splitlines()
    assert lines[0] == "symbol,venue,market,bid,bid_size,ask,ask_size,mid,spread_bps,age_ms"
    assert lines[1].startswith("BTCUSDT,binance_futures,futures,100,2,100.1,1,100.05,")
    assert len(lines) == 3
    assert said.headers["x-orderflow-rows"] == "2/2"
    assert said.headers["x-orderflow-source"] == "simulated"
    assert "x-orderflow-next" not in said.headers


def test_the_rows_come_as_arrow_with_their_units_and_the_meta(door: TestClient) -> None:
    said = door.post("/tools/market_funding", json={"symbol": "BTCUSDT", "format": "arrow"})
    assert said.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(said.content).read_all()
    assert table.column("funding_rate").to_pylist() == [0.0001, 0.0008]
    assert table.schema.field("funding_rate").metadata == {b"unit": b"fraction per interval"}
    assert table.schema.field("next_funding").type == pa.timestamp("ms", "UTC")
    assert table.column("predicted_rate").to_pylist() == [None, None]
    assert table.schema.metadata[b"orderflow"].startswith(b'{"tool":"market_funding"')


def test_a_page_of_rows_says_where_the_next_begins(door: TestClient) -> None:
    asked = {"symbol": "BTCUSDT", "venues": ["binance_futures"], "limit": 2, "since": "-1h"}
    first = door.post("/tools/history_candles?format=csv", json=asked)
    second = door.post("/tools/history_candles?format=csv", json={"next": first.headers["x-orderflow-next"]})
    assert len(first.text.splitlines()) == len(second.text.splitlines()) == 3
    assert first.text != second.text
    assert first.headers["x-orderflow-rows"].startswith("2/")


def test_an_error_stays_an_error_in_every_form(door: TestClient) -> None:
    for form in ("csv", "arrow"):
        said = door.post(f"/tools/xv_prices?format={form}", json={"symbol": "NOPE"})
        assert (said.status_code, said.json()["code"]) == (404, "unknown_symbol")


def test_cells_of_every_kind_become_columns() -> None:
    rows = [[1, "a", True, 5, {"x": 1}, None, 1], [None, None, None, 6.5, [2], None, "b"]]
    names = ["when", "text", "truth", "number", "nested", "empty", "mixed"]
    table = pa.ipc.open_stream(stream(names, rows, {"when": "UTC"}, {"tool": "t"})).read_all()
    assert table.column("when").cast(pa.int64()).to_pylist() == [1, None]
    assert table.column("number").to_pylist() == [5.0, 6.5]
    assert table.column("nested").to_pylist() == ['{"x":1}', "[2]"]
    assert table.column("mixed").to_pylist() == ["1", "b"]
    assert table.column("truth").to_pylist() == [True, None]
    assert pa.ipc.open_stream(stream(names, [], {}, {})).read_all().num_rows == 0


# ── How it is described ───────────────────────────────────────────────────────────────────────


def test_every_route_is_described_with_what_the_door_itself_may_say(door: TestClient) -> None:
    paths = door.get("/openapi.json").json()["paths"]
    for path in ("/exchanges", "/symbols/{exchange}", "/cross-exchange/{symbol}", "/streaming/status",
                 "/dashboard/{symbol}", *(one.path for one in LACKING)):  # fmt: skip
        responses = paths[path]["get"]["responses"]
        assert {"400", "401", "403", "413", "421", "429", "503"} <= set(responses)
    assert "404" in paths["/features/{symbol}"]["get"]["responses"]
    assert "text/csv" in paths["/tools/xv_prices"]["post"]["responses"]["200"]["content"]


def test_what_one_part_cannot_say_stands_beside_what_the_others_do() -> None:
    class Refusing(Local):
        async def call(self, name: str, arguments: Any = None, format: Any = None, **more: Any) -> Reply:
            if name == "market_funding":
                return failed(Failure(code="timeout", message="too late"))
            return await super().call(name, arguments, format, **more)

    with TestClient(http.app(Refusing(context())), base_url="http://127.0.0.1:8022") as client:
        said = client.get("/cross-exchange/BTCUSDT?exchanges=binance").json()
    assert said["cross_exchange"]["funding_rates"]["code"] == "timeout"
    assert said["missing"]["funding_rates"] == {"binance_futures": "too late"}
    assert said["cross_exchange"]["prices"]["rows"]

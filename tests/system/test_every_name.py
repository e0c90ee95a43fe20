"""Every name under which earlier systems asked answers, on one running simulated market, at every door."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client

from orderflow.tools import ALL
from tests.system import names
from tests.system.product import Product, Running, http_json, until

WALKED = names.kept()

# Forced closes are rare, and a market that has just begun has no long bar: having none is an answer.
RARE = {
    "history_liquidations", "market_liquidations", "history_liquidation_map", "orderflow_structure",
    "orderflow_swing_liquidity",
}  # fmt: skip
# What changes what is collected comes last, and is undone: stop, then start.
LAST = ["export_to_csv", "configure_streaming", "stop_streaming", "start_streaming"]
SAMPLE = [one for one in WALKED if one.name not in LAST][::20]


def given(one: names.Name, options: dict[str, str]) -> dict[str, Any]:
    """Return the arguments that an old name cannot do without."""
    now = int(time.time() * 1000)
    usual: dict[str, Any] = {
        "symbol": "BTCUSDT", "coin": "BTC", "contract": "BTC_USDT", "underlying": "BTC_USDT",
        "instrument_name": "BTC-PERPETUAL", "timeframe": "1m", "startTime": now - 60_000, "endTime": now,
    }  # fmt: skip
    special: dict[str, dict[str, Any]] = {
        "gateio_delivery_ticker": {"contract": "BTC_USDT_20261225"},
        "gateio_options_orderbook": {"contract": options["gate_options"]},
        "deribit_option_ticker": {"instrument_name": options["deribit_options"]},
        "get_open_interest": {"symbol": "BTCUSDT"},
        "get_funding_rate": {"symbol": "BTCUSDT"},
        "configure_streaming": {"symbols": ["BTCUSDT", "ETHUSDT"]},  # its old arguments mean nothing now
        "stream_and_analyze": {"duration": 3},
        "analyze_for_duration": {"minutes": 0.05},
        "export_to_csv": {"streams": ["trades"], "symbols": ["BTCUSDT"]},
    }
    return special.get(one.name) or {name: usual[name] for name in one.needs}


class Market:
    """A demo of every venue: its doors, and an option of each venue that has some."""

    def __init__(self, product: Product, running: Running) -> None:
        self.product, self.url = product, running.ready()["http"]
        until(lambda: http_json(f"{self.url}/health")["status"] == "healthy", "all venues speak", 100)
        until(lambda: self._spoken("history_prices"), "quotes are stored")
        self.options = {one: self._option(one) for one in ("gate_options", "deribit_options")}

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        return http_json(f"{self.url}/tools/{name}?format=json", json.dumps(arguments).encode())

    def _spoken(self, tool: str) -> bool:
        return "rows" in self.ask(tool, {"symbol": "BTCUSDT", "since": "-5m"})

    def _option(self, venue: str) -> str:
        found = self.ask("options_chain", {"venues": [venue], "limit": 1})
        return dict(zip(found["columns"], found["rows"][0], strict=True))["instrument"]


@pytest.fixture(scope="module")
def market(shared_product: Product) -> Market:
    running = shared_product.start(
        "orderflow", "demo", "--json", "--allow-control", "--symbols", "BTCUSDT,ETHUSDT", "--port", "0",
        "--rate", "4", "--db", str(shared_product.folder / "market.duckdb"),
        FLUSH_INTERVAL="0.5", PYTH_API_KEY="simulated", ORDERFLOW_BACKFILL="false",
    )  # fmt: skip
    return Market(shared_product, running)


def wrong(name: str, found: Any) -> Iterator[str]:
    """Say what an answer has that no answer may have."""
    tool = ALL.resolve(name)[0]
    if "code" in found:
        if found["code"] != "no_data_for_range" or tool.name not in RARE:
            yield f"{name}: {found['code']}: {found['message']}"
        return
    columns, meta = found["columns"], found["meta"]
    declared = dict(ALL.tools[meta["tool"]].columns or {})
    if undeclared := set(columns) - set(declared):
        yield f"{name}: columns that {meta['tool']} does not declare: {sorted(undeclared)}"
    if other := {one: unit for one, unit in meta["units"].items() if declared.get(one) not in (None, unit)}:
        yield f"{name}: units that {meta['tool']} does not declare: {other}"
    if any(len(row) != len(columns) for row in found["rows"]):
        yield f"{name}: a row is not as long as its columns"
    if meta["source"] != "simulated":
        yield f"{name}: source {meta['source']}"
    if "NaN" in json.dumps(found) or "Infinity" in json.dumps(found):
        yield f"{name}: a number that is none"


def test_the_list_is_that_of_the_specification() -> None:
    if not names.SPECIFICATION.is_file():
        pytest.skip("the specification is not here")
    if os.environ.get("NAMES") == "rewrite":
        names.LIST.write_text("".join(f"{one.line}\n" for one in names.specified()))
    assert names.kept() == names.specified()


def test_every_name_is_known() -> None:
    assert {one.name for one in WALKED} <= {*ALL.aliases, *ALL.tools}


def test_every_schema_of_an_old_name_can_be_shown() -> None:
    for one in WALKED:
        assert set(ALL.schema(one.name)["properties"]) >= set(one.needs), one.name


@pytest.mark.timeout(900)
def test_every_name_answers_over_http(market: Market) -> None:
    first = [one for one in WALKED if one.name not in LAST]
    last = [one for name in LAST for one in WALKED if one.name == name]
    said = [
        fault
        for one in (*first, *last)
        for fault in wrong(one.name, market.ask(one.name, given(one, market.options)))
    ]
    assert not said, "\n".join(said)


@pytest.mark.timeout(300)
def test_a_sample_answers_over_mcp(market: Market) -> None:
    async def ask() -> list[str]:
        said: list[str] = []
        async with Client(f"{market.url}/mcp") as client:
            for one in SAMPLE:
                found = await client.call_tool(one.name, given(one, market.options))
                if found.is_error:
                    said += wrong(one.name, {"code": "no_data_for_range", "message": str(found.content)})
                else:
                    said += wrong(one.name, found.structured_content)
        return said

    assert asyncio.run(ask()) == []


@pytest.mark.timeout(600)
def test_a_sample_answers_on_the_command_line(market: Market) -> None:
    said: list[str] = []
    for one in SAMPLE:
        words = [f"{name}={value}" for name, value in given(one, market.options).items()]
        db = str(market.product.folder / "market.duckdb")
        done = market.product.run("call", one.name, *words, "--db", db, "--json")
        found = json.loads(done.stdout)
        said += wrong(one.name, found.get("error", found))
    assert said == []

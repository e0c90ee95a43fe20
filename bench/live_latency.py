"""How long live tools take in the process that collects every venue, and what an assistant's start costs.

Part of `python -m bench --parts tools`. The collector hears all simulated venues while it is asked; each question is
one that its newest state answers, so that nothing is fetched and nothing is read from the store.
"""

import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from bench.tool_latency import WARM_S, Latency, collecting, latency, simulated
from orderflow.jobs.health import of_collector
from orderflow.market.instruments import COLLECTED
from orderflow.servers.callers import Local
from orderflow.tools.context import Context

RATE = 3.0  # trades a second and venue
STARTS = 5
HERE: Mapping[str, Any] = {"symbol": "BTCUSDT"}
QUESTIONS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("xv_prices", HERE),
    ("xv_spreads", HERE),
    ("xv_arbitrage", HERE),
    ("market_ticker", {**HERE, "venues": ["binance_futures"]}),
    ("market_tickers", {"venues": ["okx_futures"]}),
    ("market_orderbook", {**HERE, "venues": ["binance_futures"], "depth": 5}),
    ("market_best_quote", HERE),
    ("market_prices", HERE),
    ("market_mark_price", HERE),
    ("market_trades", {**HERE, "venues": ["bybit_futures"], "count": 50}),
    ("market_funding", HERE),
    ("system_health", {}),
    ("find_tools", {"query": "price difference between exchanges"}),
    ("describe_tools", {"names": ["xv_prices"]}),
)


class Start(msgspec.Struct, frozen=True):
    """One start of `orderflow mcp`: until a client had every list, and what the process cost to its end."""

    wall_s: float
    cpu_s: float
    tools: int


def live(folder: Path, calls: int) -> list[Latency]:
    """Collect from all simulated venues, and ask each question so many times, one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    return uvloop.run(_live(folder / "live.duckdb", calls))


async def _live(db: Path, calls: int) -> list[Latency]:
    async with simulated(COLLECTED, RATE) as hosts, collecting(db, hosts) as collector:
        await asyncio.sleep(WARM_S)
        caller = Local(
            Context(latest=collector.live, gaps=collector.live.gaps, health=lambda: of_collector(collector))
        )
        return [await latency(caller, name, arguments, calls) for name, arguments in QUESTIONS]


def starts(times: int = STARTS) -> list[Start]:
    """Start an assistant's process so many times; a client asks each for all that it lists."""
    with tempfile.TemporaryDirectory() as folder:
        return [asyncio.run(_start(folder)) for _ in range(times)]


async def _start(folder: str) -> Start:
    server = StdioServerParameters(
        command=str(Path(sys.executable).with_name("orderflow")),
        args=["mcp", "--toolsets", "all"],
        env=dict(os.environ),
        cwd=folder,
    )
    began, spent = time.perf_counter(), _children_s()
    async with Client(stdio_client(server)) as client:
        listed = await client.list_tools()
        await client.list_resources()
        await client.list_prompts()
        wall = time.perf_counter() - began
    return Start(wall, _children_s() - spent, len(listed.tools))


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

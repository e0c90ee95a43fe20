"""How long live tools take in the process that collects every venue, and what an assistant's start costs.

Part of `python -m bench --parts tools`. The collector hears all simulated venues while it is asked; each question is
one that its newest state answers, so that nothing is fetched and nothing is read from the store.
"""

import asyncio
import os
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
    ("market_orderbook", {**HERE, "venues": ["binance_futures"], "depth": 5}),
    ("market_best_quote", HERE),
    ("market_mark_price", HERE),
    ("system_health", {}),
    ("find_tools", {"query": "price difference between exchanges"}),
    ("describe_tools", {"names": ["xv_prices"]}),
)


class Start(msgspec.Struct, frozen=True):
    """One start of `orderflow mcp`: how long, and how much CPU, until a client had every list."""

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
    began = time.perf_counter()
    async with Client(stdio_client(server)) as client:
        listed = await client.list_tools()
        await client.list_resources()
        await client.list_prompts()
        return Start(time.perf_counter() - began, _child_s(), len(listed.tools))


def _child_s() -> float:
    """Return the CPU seconds that the only child of this process has used so far, as Linux tells them."""
    told = [path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")]
    (own,) = [one for one in told if int(one[1]) == os.getpid()]
    return (int(own[11]) + int(own[12])) / os.sysconf("SC_CLK_TCK")

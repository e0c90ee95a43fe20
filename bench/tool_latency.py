"""How long a tool takes to answer in the process that collects, while it collects: `python -m bench --parts tools`.

A simulator tells two venues' markets; the collector that hears it has four hours of them stored already. Each
tool of the families is asked its own example, again and again, as a door of that process asks it.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import uvloop

from bench.flow.in_store import put, same, trades
from bench.flow.tape import SYMBOL, Tape, write
from orderflow import tools
from orderflow.jobs.collect import Collector
from orderflow.jobs.health import of_collector
from orderflow.jobs.plan import Plan
from orderflow.market.events import HOUR, SECOND, Nanos
from orderflow.servers.callers import Local
from orderflow.store import opening, runs, tables
from orderflow.store.reader import Reader
from orderflow.tools.context import Context
from orderflow.tools.spec import Tool
from orderflow.venues import ALL
from orderflow.venues.spec import Hosts

FAMILIES = ("orderflow", "charts")
VENUES = ("binance_futures", "binance_spot")
STORED: Nanos = 4 * HOUR
TRADES_A_DAY = 1_000_000  # a venue
RATE = 40.0  # trades a second and venue while it runs
WARM_S = 10.0
DEPTH = 10


class Latency(msgspec.Struct, frozen=True):
    """The seconds of each call of a tool, and the bytes of its answer as text; `failed` says why it has none."""

    tool: str
    seconds: list[float]
    size: int
    failed: str = ""

    @property
    def median_ms(self) -> float:
        return 1000 * median(self.seconds)

    @property
    def p99_ms(self) -> float:
        return 1000 * float(np.quantile(self.seconds, 0.99, method="higher"))


def measured(folder: Path, calls: int, families: Sequence[str] = FAMILIES) -> list[Latency]:
    """Fill a store, collect into it from a simulator, and ask each tool so many times, one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    fill(folder / "live.duckdb", folder / "tape", time.time_ns())
    return uvloop.run(_measured(folder / "live.duckdb", calls, asked(families)))


def asked(families: Sequence[str]) -> list[Tool]:
    """Return the tools of the families."""
    return [one for one in tools.ALL.tools.values() if one.family in families]


async def _measured(db: Path, calls: int, chosen: Sequence[Tool]) -> list[Latency]:
    found: list[Latency] = []
    async with simulated(VENUES, RATE) as hosts, collecting(db, hosts) as collector:
        await asyncio.sleep(WARM_S)
        context = Context(
            latest=collector.live,
            gaps=collector.live.gaps,
            health=lambda: of_collector(collector),
            history=Reader(collector.connection, timeout_s=20.0),
        )
        caller = Local(context)
        for one in chosen:
            found.append(await latency(caller, one.name, dict(one.example or {}), calls))
    return found


async def latency(caller: Local, name: str, arguments: Mapping[str, Any], calls: int) -> Latency:
    """Ask a tool again and again, the process' other work between; its first call is not counted."""
    print(f"{name}: {calls} calls", file=sys.stderr, flush=True)
    first = await caller.call(name, arguments)  # brings what is brought when first needed
    if first.failure is not None:
        return Latency(name, [], 0, first.failure.message)
    seconds: list[float] = []
    for _ in range(calls):
        began = time.perf_counter()
        reply = await caller.call(name, arguments)
        seconds.append(time.perf_counter() - began)
        if reply.failure is not None:
            return Latency(name, [], 0, reply.failure.message)
        await asyncio.sleep(0)
    return Latency(name, seconds, len(first.text.encode()))


@asynccontextmanager
async def simulated(venues: Sequence[str], rate: float) -> AsyncIterator[dict[str, Hosts]]:
    """Run a simulator of these venues, and give the hosts by which each is reached."""
    command = [
        sys.executable, "-m", "orderflow.sim", "--symbols", SYMBOL, "--venues", ",".join(venues), "--rate", str(rate),
    ]  # fmt: skip
    simulator = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: ASYNC220 - nothing runs yet that would wait
    try:
        assert simulator.stdout is not None
        said = msgspec.json.decode(simulator.stdout.readline())
        yield {name: Hosts(**said["hosts"][name]) for name in venues}
    finally:
        simulator.kill()
        simulator.wait()


@asynccontextmanager
async def collecting(db: Path, hosts: dict[str, Hosts]) -> AsyncIterator[Collector]:
    """Collect from the simulated venues, and give the collector as soon as it has stored something."""
    plan = Plan(
        db=db, venues={name: ALL[name] for name in hosts}, symbols=(SYMBOL,), hosts=hosts, kind="simulated"
    )
    collector, stop = Collector(plan), asyncio.Event()
    running = asyncio.ensure_future(collector.run(stop))
    try:
        while not collector.flushes.rows.total():
            await asyncio.wait([running], timeout=0.05)
            if running.done():
                running.result()
        yield collector
    finally:
        stop.set()
        await running


# ── What is stored already ────────────────────────────────────────────────────────────────────


def fill(db: Path, folder: Path, now: Nanos) -> None:
    """Store four hours of trades, and of books by the second, of each venue; they end where the simulator begins."""
    tape = _last_hours(write(folder, TRADES_A_DAY), now)
    connection = opening.open_for_writing(db)
    try:
        tables.create(connection, [SYMBOL])
        run = runs.begin(connection, "simulated", "bench", started=now - STORED, ended=now)
        for venue in VENUES:
            put(connection, "trades", trades(tape, venue, run.id))
            put(connection, "orderbooks", _books(tape, venue, run.id))
        tables.checkpoint(connection)
    finally:
        connection.close()


def _last_hours(tape: Tape, now: Nanos) -> Tape:
    """Return the end of a tape's day, moved so that it ends now."""
    last = tape.part(int(np.searchsorted(tape.time, tape.time[-1] - STORED)))
    return last._replace(time=last.time + now // 1000 * 1000 - last.time[-1])


def _books(tape: Tape, venue: str, run: int) -> pa.Table:
    """Return a book a second around the last price, ten levels of a tick apart on each side."""
    second, last = np.unique(tape.time[::-1] // SECOND, return_index=True)
    price, many = tape.price[::-1][last], len(second)
    drawn = np.random.default_rng(7)
    stamp = pa.array(second * 1_000_000, pa.timestamp("us"))
    columns = {
        "venue": same(venue, many), "symbol": same(SYMBOL, many), "id": np.arange(1, many + 1), "timestamp": stamp,
        "received": stamp, "clock": same("venue", many), "source": same("simulated", many),
        "run": np.full(many, run, dtype=np.int32), "depth": np.full(many, DEPTH, dtype=np.int32),
        "sequence": np.arange(1, many + 1),
    }  # fmt: skip
    for side, way in (("bid", -1), ("ask", 1)):
        for level in range(1, DEPTH + 1):
            columns[f"{side}_{level}_price"] = np.round(price + way * 0.1 * level, 1)
            columns[f"{side}_{level}_qty"] = np.round(drawn.exponential(2.0, many) + 0.001, 3)
    return pa.table(columns)

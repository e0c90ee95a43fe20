"""Socket to durable row: the whole collector on one core, fed over loopback by a blaster on another.

Everything is on: journal, books, live state, a flush each second, the database served. It ends when the
last row is durable. `prepare` feeds it as fast as it reads; `prepare_paced` at 20,000 frames a second.
"""

import asyncio
import gc
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import uvloop

from bench.recordings import CAPTURES, Recording
from bench.scenarios import Done, Run, Told
from orderflow.jobs.collect import Collector
from orderflow.jobs.plan import Plan, lag_p99_ms
from orderflow.market.instruments import SYMBOLS
from orderflow.venues import ALL
from orderflow.venues.spec import Hosts

PACE = 20_000.0
PACED_FRAMES = 300_000


def prepare(recording: Recording) -> Run:
    return _prepare(recording, 0.0, None)


def prepare_paced(recording: Recording) -> Run:
    return _prepare(recording, PACE, PACED_FRAMES)


def _prepare(recording: Recording, pace: float, most: int | None) -> Run:
    symbols = SYMBOLS
    path = next(CAPTURES.glob(f"{recording.venue}/{recording.name}.jsonl*"))
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "bench.blaster",
            str(path),
            ",".join(symbols),
            str(pace),
            str(most or ""),
            _other_cores(),
        ],
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    said = msgspec.json.decode(server.stdout.readline())
    gc.collect()

    def run() -> Told:
        with tempfile.TemporaryDirectory() as folder:
            try:
                figures = uvloop.run(
                    _collect(Path(folder), recording.venue, symbols, said["port"], said["frames"])
                )
                return lambda: Done(counts={}, figures=figures)
            finally:
                server.kill()
                server.wait()

    return run


def _other_cores() -> str:
    """Name the cores that the collector is not pinned to, for the blaster."""
    mine = os.sched_getaffinity(0)
    others = set(range(os.cpu_count() or 1)) - mine
    return ",".join(map(str, others or mine))


async def _collect(
    folder: Path, venue: str, symbols: tuple[str, ...], port: int, frames: int
) -> dict[str, float]:
    address = f"127.0.0.1:{port}"
    sockets = {route: f"ws://{address}/{route}" for route in ALL[venue].hosts.ws}
    plan = Plan(
        db=folder / "bench.duckdb",
        venues={venue: ALL[venue]},
        symbols=symbols,
        hosts={venue: Hosts(rest=f"http://{address}", ws=sockets)},
        kind="simulated",
    )
    collector = Collector(plan)
    stop = asyncio.Event()
    running = asyncio.ensure_future(collector.run(stop))
    started = 0.0
    cpu = wall = 0.0
    control = 500  # acknowledgements, listings, snapshots and polls come on top of the recording
    while (taken := collector.pipeline.tally.frames) < frames:
        if not started and taken > 50 * len(symbols) + control // 10:
            started, cpu, wall = taken, time.process_time(), time.perf_counter()
            collector.lags_ms.clear()
        await asyncio.sleep(0.02)
        if running.done():
            running.result()
    lag = lag_p99_ms(collector.lags_ms)
    waited = collector.flushes.rows.total()
    resident = _resident_mb()
    stop.set()
    await running
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    done = frames - started
    return {
        "frames": done,
        "rows": collector.flushes.rows.total(),
        "rows written while frames came": waited,
        "frames/s": done / cpu,
        "frames/s by the clock": done / wall,
        "µs of CPU a frame": cpu / done * 1e6,
        "share of a core": cpu / wall,
        "loop lag p99 ms": -1.0 if lag is None else lag,
        "median ms a flush": 1000 * sorted(collector.flushes.seconds)[len(collector.flushes.seconds) // 2],
        "resident MB": resident,
    }


def _resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("/proc/self/status has no VmRSS: memory can be measured on Linux only")

"""Many readers beside a collector that writes at the rate of a busy hour: does anyone notice anyone?

`python -m tests.system.readers --minutes 10 --readers 8` from the repository's root; the report is JSON.
Each reader is a process of its own that opens the database as any notebook does (`open_reader`), keeps its
connection, and asks one question after another without a pause. The collector's flushes are timed before
they come, for as long as `--idle` says, and while they ask.
"""

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any, NamedTuple

from orderflow.market.events import MINUTE
from orderflow.market.instruments import COLLECTED
from orderflow.store.access import open_reader
from orderflow.store.reader import Reader
from tests.system.product import Collector, Product

SYMBOLS = "BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT,ARUSDT,BRETTUSDT,POPCATUSDT,WIFUSDT,PNUTUSDT"
PAIRS = [("binance_futures", "BTCUSDT"), ("bybit_futures", "ETHUSDT"), ("okx_futures", "SOLUSDT")]


def _trades(reader: Reader, venue: str, symbol: str, now: int) -> int:
    return len(reader.trades(symbol, venue, since=now - 5 * MINUTE, limit=5000))


def _prices(reader: Reader, venue: str, symbol: str, now: int) -> int:
    return len(reader.window("prices", symbol, venue, since=now - MINUTE, limit=5000))


def _quotes(reader: Reader, venue: str, symbol: str, now: int) -> int:
    return len(reader.quotes(symbol))


def _coverage(reader: Reader, venue: str, symbol: str, now: int) -> int:
    return len(reader.coverage("trades", venue, symbol, now - 5 * MINUTE, now).gaps) + 1


def _books(reader: Reader, venue: str, symbol: str, now: int) -> int:
    return len(reader.window("orderbooks", symbol, venue, since=now - MINUTE, limit=1000))


QUESTIONS: dict[str, Callable[[Reader, str, str, int], int]] = {
    "trades of 5 minutes": _trades,
    "prices of a minute": _prices,
    "latest quotes of a symbol": _quotes,
    "coverage of 5 minutes": _coverage,
    "books of a minute": _books,
}


class Asked(NamedTuple):
    """One reader's account: seconds by question, rows read, and what went wrong."""

    seconds: dict[str, list[float]]
    rows: int
    errors: list[str]


def read_on(db: str, seed: int, until: float, pause_s: float, told: "Queue[Asked]") -> None:
    """Ask until a moment, on one connection, and tell how it went."""
    chance = random.Random(seed)
    account = Asked({name: [] for name in QUESTIONS}, 0, [])
    rows = 0
    with open_reader(Path(db)) as reader:
        while time.time() < until:
            name = chance.choice(list(QUESTIONS))
            venue, symbol = chance.choice(PAIRS)
            began = time.perf_counter()
            try:
                rows += QUESTIONS[name](reader, venue, symbol, time.time_ns())
            except Exception as error:  # noqa: BLE001 - every error of a reader is what is looked for
                account.errors.append(
                    f"{type(error).__name__}: {str(error)[:300]} ({getattr(error, 'hint', None)})"
                )
            else:
                account.seconds[name].append(time.perf_counter() - began)
            time.sleep(pause_s)
    told.put(account._replace(rows=rows))


def flushes(collector: Collector) -> dict[str, Any]:
    """Return how the last flushes went, ten minutes of them at most."""
    store = collector.health()["store"]
    return {name: store[name] for name in ("flush_median_ms", "flush_p99_ms", "rows_per_s")}


def resident_mb(collector: Collector) -> int:
    return int(collector.health()["memory"]["resident_bytes"]) >> 20


def ranked(seconds: list[float]) -> dict[str, Any]:
    """Return median and 99th percentile in milliseconds."""
    if not seconds:
        return {"asked": 0}
    ordered = sorted(seconds)
    return {
        "asked": len(ordered),
        "median_ms": round(ordered[len(ordered) // 2] * 1000, 1),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000, 1),
    }


def trial(
    folder: Path, *, minutes: float, readers: int, rate: float, idle_s: float, pause_s: float
) -> dict[str, Any]:
    """Run it and return the report."""
    product = Product(folder)
    try:
        simulator = product.simulator(SYMBOLS, rate, venues=",".join(COLLECTED))
        collector = product.collector(
            simulator, symbols=SYMBOLS, venues=",".join(COLLECTED), FLUSH_INTERVAL="1"
        )
        time.sleep(idle_s)
        before, memory_before = flushes(collector), resident_mb(collector)
        end = time.time() + minutes * 60
        context = multiprocessing.get_context("spawn")
        told: Queue[Asked] = context.Queue()
        processes = [
            context.Process(target=read_on, args=(str(collector.db), seed, end, pause_s, told))
            for seed in range(readers)
        ]
        for one in processes:
            one.start()
        accounts = [told.get(timeout=minutes * 60 + 120) for _ in processes]
        during, memory_after = flushes(collector), resident_mb(collector)
        health = collector.health()
        for one in processes:
            one.join(60)
        stopped = collector.running.stop()
    finally:
        product.close()
    every = [one for account in accounts for several in account.seconds.values() for one in several]
    return {
        "minutes": minutes,
        "readers": readers,
        "errors": [error for account in accounts for error in account.errors],
        "flush_before": before,
        "flush_while_reading": during,
        "flush_ratio": round(during["flush_median_ms"] / before["flush_median_ms"], 2),
        "all": ranked(every),
        "rows_read": sum(account.rows for account in accounts),
        "by_question": {
            name: ranked([one for account in accounts for one in account.seconds[name]]) for name in QUESTIONS
        },
        "collector": {
            "frames": health["frames"],
            "rows": health["store"]["rows_written"],
            "memory_mb": [memory_before, memory_after],
            "loop_lag_p99_ms": health["loop_lag_p99_ms"],
            "reasons": [one for one in health["reasons"] if "silent" not in one],
            "exit": stopped,
        },
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=10)
    asked.add_argument("--readers", type=int, default=8)
    asked.add_argument("--rate", type=float, default=3, help="trades a second and series")
    asked.add_argument("--idle", type=float, default=120, help="seconds without a reader, to compare with")
    asked.add_argument("--pause", type=float, default=0.0, help="seconds between a reader's questions")
    asked.add_argument("--folder", type=Path, default=None)
    said = asked.parse_args()
    with tempfile.TemporaryDirectory() as made:
        found = trial(
            said.folder or Path(made),
            minutes=said.minutes,
            readers=said.readers,
            rate=said.rate,
            idle_s=said.idle,
            pause_s=said.pause,
        )
    json.dump(found, sys.stdout, indent=1)
    sys.stdout.write("\n")
    raise SystemExit(1 if found["errors"] or found["collector"]["exit"] else 0)


if __name__ == "__main__":
    main()

"""A hundred clients at the doors of one collector that goes on collecting: does anyone notice anyone?

`python -m tests.system.clients --clients 100 --minutes 5` from the repository's root; the report is JSON. Half of
them are assistants, each with an MCP session of its own over HTTP, half are programs that post to `/tools`; each
asks one question after another, with the pauses of somebody who reads the answers. They share one process, so
what they measure counts the waiting for one another, too.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import sys
import tempfile
import time
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from mcp import Client

from tests.system.product import Collector, Product
from tests.system.readers import flushes, ranked, resident_mb

SYMBOLS = "BTCUSDT,ETHUSDT,SOLUSDT"
VENUES = "binance_futures,binance_spot,bybit_futures,okx_futures,deribit_options"
QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("xv_prices", {"symbol": "BTCUSDT"}),
    ("xv_arbitrage", {}),
    ("market_ticker", {"symbol": "ETHUSDT"}),
    ("market_orderbook", {"symbol": "BTCUSDT", "depth": 5}),
    ("market_mark_price", {"symbol": "BTCUSDT"}),
    ("market_funding_history", {"symbol": "BTCUSDT", "venues": ["okx_futures"], "count": 10}),
    ("market_candles", {"symbol": "SOLUSDT", "venues": ["binance_spot"], "interval": "1m", "count": 20}),
    ("options_summary", {"coin": "BTC", "venues": ["deribit_options"]}),
    ("history_trades", {"symbol": "BTCUSDT", "since": "-1m", "limit": 20}),
    ("find_tools", {"query": "funding of a perpetual"}),
    ("system_health", {}),
)


class Account(NamedTuple):
    """Seconds by question, of all clients of a kind, and what went wrong."""

    seconds: dict[str, list[float]]
    errors: list[str]

    def note(self, name: str, began: float, wrong: str | None) -> None:
        if wrong is None:
            self.seconds.setdefault(name, []).append(time.perf_counter() - began)
        else:
            self.errors.append(f"{name}: {wrong[:300]}")


async def assistant(url: str, seed: int, until: float, pause_s: float, account: Account) -> None:
    """Ask over MCP until a moment, in one session."""
    chance = random.Random(seed)
    async with Client(f"{url}/mcp") as client:
        await client.list_tools()
        while time.time() < until:
            name, arguments = chance.choice(QUESTIONS)
            began = time.perf_counter()
            said = await client.call_tool(name, arguments)
            account.note(name, began, str(said.content[0]) if said.is_error else None)
            await asyncio.sleep(pause_s * 2 * chance.random())


async def program(url: str, seed: int, until: float, pause_s: float, account: Account) -> None:
    """Ask over HTTP until a moment."""
    chance = random.Random(seed)
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        while time.time() < until:
            name, arguments = chance.choice(QUESTIONS)
            began = time.perf_counter()
            said = await client.post(f"/tools/{name}", json=arguments)
            account.note(name, began, None if said.status_code == 200 else f"{said.status_code} {said.text}")
            await asyncio.sleep(pause_s * 2 * chance.random())


async def ask(url: str, clients: int, until: float, pause_s: float) -> dict[str, Account]:
    """Have them all ask at once; one that fails altogether is an error of its kind."""
    accounts = {"mcp": Account({}, []), "http": Account({}, [])}
    kinds = [("mcp", assistant) if seed % 2 else ("http", program) for seed in range(clients)]
    ended = await asyncio.gather(
        *(one(url, seed, until, pause_s, accounts[kind]) for seed, (kind, one) in enumerate(kinds)),
        return_exceptions=True,
    )
    for (kind, _), error in zip(kinds, ended, strict=True):
        if error is not None:
            accounts[kind].errors.append(f"a client ended: {error!r}"[:500])
    return accounts


def asking(url: str, clients: int, until: float, pause_s: float, told: "Queue[dict[str, Account]]") -> None:
    told.put(asyncio.run(ask(url, clients, until, pause_s)))


def reported(account: Account) -> dict[str, Any]:
    every = [one for several in account.seconds.values() for one in several]
    return {
        "all": ranked(every),
        "by_question": {name: ranked(several) for name, several in sorted(account.seconds.items())},
        "errors": account.errors[:20],
        "failed": len(account.errors),
    }


def trial(
    folder: Path, *, clients: int, minutes: float, rate: float, idle_s: float, pause_s: float
) -> dict[str, Any]:
    """Run it and return the report."""
    product = Product(folder)
    try:
        simulator = product.simulator(SYMBOLS, rate, venues=VENUES)
        collector: Collector = product.collector(
            simulator, symbols=SYMBOLS, venues=VENUES, FLUSH_INTERVAL="1"
        )
        time.sleep(idle_s)
        before, memory_before = flushes(collector), resident_mb(collector)
        context = multiprocessing.get_context("spawn")
        told: Queue[dict[str, Account]] = context.Queue()
        until = time.time() + minutes * 60
        process = context.Process(target=asking, args=(collector.url, clients, until, pause_s, told))
        process.start()
        accounts = told.get(timeout=minutes * 60 + 180)
        process.join(60)
        during, memory_after, health = flushes(collector), resident_mb(collector), collector.health()
        stopped = collector.running.stop()
    finally:
        product.close()
    return {
        "clients": clients,
        "minutes": minutes,
        **{kind: reported(one) for kind, one in accounts.items()},
        "flush_before": before,
        "flush_while_asked": during,
        "collector": {
            "frames": health["frames"],
            "rows": health["store"]["rows_written"],
            "backlog_frames": health["backlog"]["frames"],
            "gaps": sum(one["gaps_last_hour"] for one in health["venues"].values()),
            "memory_mb": [memory_before, memory_after],
            "loop_lag_p99_ms": health["loop_lag_p99_ms"],
            "reasons": [one for one in health["reasons"] if "silent" not in one],
            "exit": stopped,
        },
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--clients", type=int, default=100)
    asked.add_argument("--minutes", type=float, default=5)
    asked.add_argument("--rate", type=float, default=3, help="trades a second and series")
    asked.add_argument("--idle", type=float, default=30, help="seconds without a client, to compare with")
    asked.add_argument("--pause", type=float, default=4.0, help="mean seconds between a client's questions")
    asked.add_argument("--folder", type=Path, default=None)
    said = asked.parse_args()
    with tempfile.TemporaryDirectory() as made:
        found = trial(
            said.folder or Path(made),
            clients=said.clients,
            minutes=said.minutes,
            rate=said.rate,
            idle_s=said.idle,
            pause_s=said.pause,
        )
    json.dump(found, sys.stdout, indent=1)
    sys.stdout.write("\n")
    wrong = found["mcp"]["failed"] + found["http"]["failed"] + found["collector"]["exit"]
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()

"""What was received is not lost, and what was not received is named: the collector is killed, again and again."""

import random
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from orderflow import venues
from orderflow.feed import segment
from orderflow.feed.journal import unfinished
from orderflow.market.events import Trade
from tests.system.product import Collector, Product, Simulator, read, until

SYMBOLS = "BTCUSDT,ETHUSDT,SOLUSDT"
SERIES = [(venue, symbol) for venue in venues.ALL for symbol in SYMBOLS.split(",")]
RATE = 200.0  # trades a second, symbol and venue: 1,200 a second in all, with seven frames a trade around them
KILLS = 30

Ids = dict[tuple[str, str], set[int]]


def journaled(db: Path) -> Ids:
    """Return the ids of all trades in the journal that a dead process left."""
    found: Ids = defaultdict(set)
    for path in unfinished(Path(f"{db}.journal")):
        for batch in segment.read(path):
            for frame in batch:
                if frame.kind == "ws":
                    for event in venues.ALL[frame.venue].decode(frame.payload, frame.ts_recv):
                        if isinstance(event, Trade):
                            found[frame.venue, event.symbol].add(int(event.id))
    return found


def stored(db: Path, venue: str, symbol: str) -> list[int]:
    rows = read(db, f"SELECT trade_id FROM trades WHERE venue = '{venue}' AND symbol = '{symbol}'")
    return [int(id) for (id,) in rows]


def gaps(db: Path, venue: str, symbol: str) -> list[tuple[int, int | None, str]]:
    return read(  # type: ignore[return-value]
        db,
        'SELECT epoch_ms("from"), epoch_ms("until"), reason FROM gaps'
        f" WHERE stream = 'trades' AND venue = '{venue}' AND symbol = '{symbol}'",
    )


def unexplained(missing: Iterable[dict[str, Any]], known: list[tuple[int, int | None, str]]) -> list[dict[str, Any]]:
    """Return the rows of the ledger that lie in no gap."""
    return [
        row
        for row in missing
        if not any(since <= row["time"] and (end is None or row["time"] <= end) for since, end, _ in known)
    ]


def check(db: Path, simulator: Simulator, received: Ids) -> dict[str, int]:
    """Check the whole promise over a database that nobody has open, and return what was counted."""
    counted = {"stored": 0, "received": 0, "missing": 0}
    for venue, symbol in SERIES:
        where = f"{venue} {symbol}"
        ids = stored(db, venue, symbol)
        there = set(ids)
        assert len(ids) == len(there), f"{where}: {len(ids) - len(there)} trades are there twice"
        lost = received[venue, symbol] - there
        assert not lost, f"{where}: {len(lost)} trades were in the journal and are in no table: {sorted(lost)[:5]}"
        ledger = [row for row in simulator.rows(venue, symbol, from_id=min(ids)) if row["id"] <= max(ids)]
        made = {row["id"] for row in ledger}
        assert there <= made, f"{where}: trades that were never made: {sorted(there - made)[:5]}"
        missing = [row for row in ledger if row["id"] not in there]
        known = gaps(db, venue, symbol)
        said_nothing = unexplained(missing, known)
        assert not said_nothing, f"{where}: missing, and no gap says so: {said_nothing[:5]}; gaps: {known[:5]}"
        counted["stored"] += len(ids)
        counted["received"] += len(received[venue, symbol])
        counted["missing"] += len(missing)
    return counted


def rows_flow(collector: Collector) -> None:
    """Wait until trades of every series have been written since this start."""
    ((run,),) = collector.query("SELECT max(id) FROM served.runs")
    sql = f"SELECT count(DISTINCT (venue, symbol)) FROM served.trades WHERE run = {run}"
    until(lambda: collector.query(sql)[0][0] == len(SERIES), "trades of every series")


def nothing_twice(db: Path) -> None:
    """No table holds a row twice by what makes it that row."""
    for table, key in {
        "prices": "sequence",
        "orderbooks": "timestamp, sequence",
        "mark_prices": "timestamp",
        "candles": "interval, open_time",
        "large_trades": "trade_id",
    }.items():
        doubled = read(
            db, f"SELECT venue, symbol, {key} FROM {table} GROUP BY ALL HAVING count(*) > 1 LIMIT 3"
        )
        assert not doubled, f"{table}: {doubled}"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_thirty_kills_lose_no_trade_that_was_received(product: Product) -> None:
    simulator = product.simulator(SYMBOLS, RATE)
    db = product.folder / "market.duckdb"
    chance = random.Random(20261121)
    received: Ids = defaultdict(set)
    for _ in range(KILLS):
        collector = product.collector(simulator, symbols=SYMBOLS)
        # Between the first frame and some five flushes: often with a write, and its journal, half done.
        time.sleep(chance.uniform(0.1, 1.3))
        collector.running.kill()
        for series, ids in journaled(db).items():
            received[series] |= ids
    last = product.collector(simulator, symbols=SYMBOLS)
    rows_flow(last)
    assert last.running.stop() == 0, last.running.stderr
    counted = check(db, simulator, received)
    assert counted["received"] > 1000 and counted["missing"] > 1000, counted  # both sides were put to the test
    nothing_twice(db)
    runs = read(db, "SELECT count(*), count(ended), count(*) FILTER (kind <> 'simulated') FROM runs")
    assert runs == [(KILLS + 1, 1, 0)]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_stop_writes_everything_and_leaves_no_work(product: Product) -> None:
    simulator = product.simulator(SYMBOLS, RATE)
    db = product.folder / "market.duckdb"
    received: Ids = defaultdict(set)
    for _ in range(3):
        collector = product.collector(simulator, symbols=SYMBOLS)
        rows_flow(collector)
        assert collector.running.stop() == 0, collector.running.stderr
        left = journaled(db)
        assert not any(left.values()), "a stop left frames in the journal that the next start must read"
        assert not Path(f"{db}.quack").exists()
        for venue, symbol in SERIES:
            received[venue, symbol] |= set(stored(db, venue, symbol))
    counted = check(db, simulator, received)
    assert counted["missing"] > 0
    assert read(db, "SELECT count(*), count(ended) FROM runs") == [(3, 3)]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_kill_during_the_recovery_loses_nothing_either(product: Product) -> None:
    simulator = product.simulator(SYMBOLS, RATE)
    db = product.folder / "market.duckdb"
    chance = random.Random(5)
    # A flush interval longer than the run: all that was received is in the journal alone.
    first = product.collector(simulator, symbols=SYMBOLS, FLUSH_INTERVAL="60")
    until(lambda: first.health()["frames"] > 20_000, "frames in the journal")
    first.running.kill()
    received = journaled(db)
    assert sum(map(len, received.values())) > 2000
    for _ in range(5):
        again = product.starting(simulator, symbols=SYMBOLS)
        until(lambda: Path(f"{db}.wal").exists() or again.running.process.poll() is not None, "it has the database")
        time.sleep(chance.uniform(0.0, 0.6))
        again.running.kill()
        for series, ids in journaled(db).items():
            received[series] |= ids
    last = product.collector(simulator, symbols=SYMBOLS)
    rows_flow(last)
    assert last.running.stop() == 0, last.running.stderr
    check(db, simulator, received)
    nothing_twice(db)

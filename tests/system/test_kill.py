"""What was received is not lost, and what was not received is named: the collector is killed, again and again."""

import asyncio
import random
import time
from collections import defaultdict
from pathlib import Path

import pytest

from orderflow import venues
from orderflow.jobs.collect import Collector as Collecting
from orderflow.jobs.plan import Plan
from orderflow.market.errors import StoreUnusable
from orderflow.market.events import Trade
from orderflow.sim import Simulation
from orderflow.store.writer import Batch, Flushed
from orderflow.venues.spec import Hosts
from tests.system.product import TWO_VENUES, Collector, Product, read, until
from tests.system.promise import Ids, check, journaled, stored

SYMBOLS = "BTCUSDT,ETHUSDT,SOLUSDT"
VENUES = TWO_VENUES.split(",")
SERIES = [(venue, symbol) for venue in VENUES for symbol in SYMBOLS.split(",")]
RATE = (
    200.0  # trades a second, symbol and venue: 1,200 a second in all, with seven frames a trade around them
)
KILLS = 12


def rows_flow(collector: Collector) -> None:
    """Wait until trades of every series have been written since this start."""
    ((run,),) = collector.query("SELECT max(id) FROM served.runs")
    sql = f"SELECT count(DISTINCT (venue, symbol)) FROM served.trades WHERE run = {run}"
    until(lambda: collector.query(sql)[0][0] == len(SERIES), "trades of every series")


def has_the_journal(collector: Collector) -> bool:
    """Tell whether it has come to its recovery, which is the next that it does."""
    owner = Path(f"{collector.db}.journal", "journal.lock").read_text()
    return owner == str(collector.running.process.pid)


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
def test_a_dozen_kills_lose_no_trade_that_was_received(product: Product) -> None:
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
    counted = check(db, simulator, received, SERIES)
    assert counted["received"] > 1000 and counted["missing"] > 1000, (
        counted
    )  # both sides were put to the test
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
    counted = check(db, simulator, received, SERIES)
    assert counted["missing"] > 0
    assert read(db, "SELECT count(*), count(ended) FROM runs") == [(3, 3)]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_kill_during_the_recovery_loses_nothing_either(product: Product) -> None:
    simulator = product.simulator(SYMBOLS, RATE)
    db = product.folder / "market.duckdb"
    # A flush interval longer than the run: all that was received is in the journal alone.
    first = product.collector(simulator, symbols=SYMBOLS, FLUSH_INTERVAL="60")
    until(lambda: first.health()["frames"] > 40_000, "frames in the journal")
    first.running.kill()
    received = journaled(db)
    assert sum(map(len, received.values())) > 2000
    died_before = 0  # they were ready
    # The first kills come early on a machine of any speed; the later ones may find it ready.
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6):
        again = product.starting(simulator, symbols=SYMBOLS)
        until(lambda one=again: has_the_journal(one), "it recovers")
        time.sleep(delay)
        again.running.kill()
        died_before += "ready" not in again.running.unread()
        for series, ids in journaled(db).items():
            received[series] |= ids
    last = product.collector(simulator, symbols=SYMBOLS)
    rows_flow(last)
    assert last.running.stop() == 0, last.running.stderr
    assert died_before >= 3
    check(db, simulator, received, SERIES)
    nothing_twice(db)


def test_a_batch_that_could_not_be_written_is_written_before_the_journal_lets_go_of_it(
    tmp_path: Path,
) -> None:
    db = tmp_path / "market.duckdb"
    failed: list[Batch] = []

    async def play() -> None:
        simulation = Simulation(("BTCUSDT",), venues=VENUES, rate=100)
        await simulation.start()
        hosts = {name: Hosts(**simulation.hosts(name)) for name in VENUES}
        plan = Plan(
            db=db,
            venues={name: venues.ALL[name] for name in VENUES},
            symbols=("BTCUSDT",),
            kind="simulated",
            hosts=hosts,
            flush_interval_s=0.2,
        )
        collecting = await asyncio.to_thread(Collecting, plan)
        write = collecting._writer.write

        def full_once(batch: Batch) -> Flushed:
            if not failed and any(stream == "trades" for _, stream in batch.events):
                failed.append(batch)
                raise StoreUnusable("no room")
            return write(batch)

        collecting._writer.write = full_once
        stop = asyncio.Event()
        running = asyncio.create_task(collecting.run(stop))
        try:
            async with asyncio.timeout(40):
                while collecting.flushes.trouble != "no room":
                    await asyncio.sleep(0.01)
                while collecting.flushes.trouble:  # the next flush begins with the one that failed
                    await asyncio.sleep(0.01)
                stop.set()
                await running
        finally:
            running.cancel()
            await simulation.stop()

    asyncio.run(play())
    (batch,) = failed
    taken = {
        (venue, str(trade.id))
        for (venue, stream), events in batch.events.items()
        if stream == "trades"
        for trade in events
        if isinstance(trade, Trade)
    }
    assert taken and taken <= set(read(db, "SELECT venue::VARCHAR, trade_id FROM trades"))

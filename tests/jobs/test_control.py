"""A collector that is told to do something else while it runs: rows, gaps, views, journal, and what it answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orderflow import venues
from orderflow.feed import segment
from orderflow.feed.journal import unfinished
from orderflow.jobs.collect import Collector
from orderflow.jobs.control import LASTS, Control
from orderflow.jobs.health import of_collector
from orderflow.jobs.plan import Plan
from orderflow.market.errors import InvalidArgument, UnknownVenue, UnsupportedByVenue
from orderflow.sim import Simulation
from orderflow.venues.spec import Hosts

FUTURES, SPOT = "binance_futures", "binance_spot"
FORMS = {name: venues.ALL[name] for name in (FUTURES, SPOT)}


class Collected:
    """A collector at work on a simulated market, and what steers it."""

    def __init__(self, collector: Collector, stop: asyncio.Event) -> None:
        self.collector, self.stop = collector, stop
        self.control = Control(collector)

    @property
    def state(self) -> dict[str, Any]:
        return self.control.state()

    def has(self, venue: str, symbol: str) -> bool:
        return any(one.venue == venue for one in self.collector.live.quotes() if one.symbol == symbol)

    async def until(self, found: Callable[[], Any], what: str) -> Any:
        try:
            async with asyncio.timeout(40):
                while not (last := found()):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"never came: {what}")
        return last


@asynccontextmanager
async def collecting(
    db: Path, names: tuple[str, ...] = (FUTURES, SPOT), symbols: tuple[str, ...] = ("BTCUSDT",), **more: Any
) -> AsyncIterator[Collected]:
    simulation = Simulation(("BTCUSDT", "ETHUSDT"), venues=list(FORMS), rate=20)
    await simulation.start()
    plan = Plan(
        db=db,
        venues={name: FORMS[name] for name in names},
        forms=FORMS,
        symbols=symbols,
        kind="simulated",
        hosts={name: Hosts(**simulation.hosts(name)) for name in FORMS},
        flush_interval_s=0.1,
        **more,
    )
    stop = asyncio.Event()
    collector = await asyncio.to_thread(Collector, plan)
    running = asyncio.ensure_future(collector.run(stop))
    await asyncio.sleep(0)
    one = Collected(collector, stop)
    try:
        for name in names:
            await one.until(lambda name=name: one.has(name, "BTCUSDT"), f"quotes of {name}")
        yield one
    finally:
        stop.set()
        await running
        await simulation.stop()


def read(db: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = duckdb.connect(str(db), read_only=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_venue_that_is_stopped_says_so_in_its_gaps_which_close_when_it_starts_again(tmp_path: Path) -> None:
    db = tmp_path / "market.duckdb"

    async def story() -> None:
        async with collecting(db) as one:
            await one.until(lambda: one.collector.live.recent_trades("BTCUSDT", SPOT), "trades")
            answer = await one.control.stop("Binance_Spot")
            assert answer.changed == ["binance_spot stopped"] and answer.hint == LASTS
            assert list(answer.state["venues"]) == [FUTURES]
            assert answer.state["not_collected"] == [SPOT]
            await one.until(lambda: not one.has(SPOT, "BTCUSDT"), "what is not collected is not the latest")

            def lasting() -> list[Any]:
                return [gap for gap in one.collector.live.gaps(venue=SPOT) if gap.until_ts is None]

            gaps = await one.until(lasting, "gaps")
            reason = "disconnected: not collected any more: the venue was stopped"
            assert {gap.reason for gap in gaps} == {reason}
            streams = {gap.stream for gap in gaps}
            assert streams == {"prices", "orderbooks", "trades", "ticker_24h", "candles"}
            health = of_collector(one.collector)
            assert list(health["venues"]) == [FUTURES] and health["not_collected"] == [SPOT]
            assert SPOT not in " ".join(health["reasons"])
            rows = one.collector.flushes.rows["trades"]  # of the other: time enough to miss some
            await one.until(lambda: one.collector.flushes.rows["trades"] > rows + 40, "trades elsewhere")
            assert (await one.control.start(SPOT)).changed == ["binance_spot started"]
            await one.until(lambda: one.has(SPOT, "BTCUSDT"), "quotes again")
            await one.until(lambda: not lasting(), "every gap is closed")
            assert not [gap for gap in one.collector.live.gaps(venue=FUTURES)]

    asyncio.run(story())
    told = "reason LIKE '%the venue was stopped%'"
    ((during, open_ones),) = read(db, f'SELECT count(*), count(*) - count("until") FROM gaps WHERE {told}')
    assert (during, open_ones) == (5, 0)
    ((missing,),) = read(
        db, f"SELECT count(*) FROM gaps WHERE {told} AND stream = 'trades' AND reason LIKE '%trade ids%'"
    )
    assert missing == 1


def test_a_venue_that_was_not_planned_can_be_started(tmp_path: Path) -> None:
    db = tmp_path / "market.duckdb"

    async def story() -> None:
        async with collecting(db, (FUTURES,)) as one:
            await one.control.start("binance_spot")
            await one.until(lambda: one.has(SPOT, "BTCUSDT"), "quotes")
            await one.until(lambda: one.collector.flushes.rows["ticker_24h"], "rows")

    asyncio.run(story())
    assert read(db, "SELECT count(*) > 0 FROM trades WHERE venue = 'binance_spot'") == [(True,)]


def test_a_symbol_that_is_added_has_rows_and_views_and_one_left_out_has_a_gap(tmp_path: Path) -> None:
    db = tmp_path / "market.duckdb"

    async def story() -> None:
        async with collecting(db) as one:
            untouched = one.collector.feeds
            answer = await one.control.choose(["btcusdt", "ethusdt"], None)
            assert answer.changed == ["symbols added: ETHUSDT"]
            for name in FORMS:
                await one.until(lambda name=name: one.has(name, "ETHUSDT"), f"{name}'s quotes")
            assert one.collector.feeds == untouched
            answer = await one.control.choose(["ETHUSDT"], None)
            assert answer.changed == ["symbols left out: BTCUSDT"]
            await one.until(lambda: not one.has(SPOT, "BTCUSDT"), "it is forgotten")
            await one.until(
                lambda: any(gap.symbol == "BTCUSDT" for gap in one.collector.live.gaps()), "its gaps"
            )
            assert (await one.control.choose(["ETHUSDT"], None)).changed == []
            await one.until(lambda: not one.collector.waiting_rows, "a flush")

    asyncio.run(story())
    assert read(db, "SELECT count(*) > 0 FROM ethusdt_binance_futures_mark_prices") == [(True,)]
    gaps = read(
        db, "SELECT DISTINCT symbol FROM gaps WHERE reason LIKE 'disconnected: not collected any more'"
    )
    assert gaps == [("BTCUSDT",)]


def test_streams_can_be_chosen_and_all_of_them_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with collecting(tmp_path / "market.duckdb", (FUTURES,)) as one:
            await one.until(one.collector.live.open_interests, "a poll's answer")
            answer = await one.control.choose(None, ["trades", "prices"])
            (left,) = answer.changed
            assert left.startswith("streams left out: orderbooks") and "open_interest" in left
            (feed,) = one.collector.feeds

            def carried() -> set[str]:
                return {stream for line in feed.health.connections for stream, _ in line.series}

            await one.until(lambda: carried() == {"trades", "prices"}, "only these")
            await one.until(lambda: not one.collector.live.open_interests(), "polls have stopped, too")
            await one.control.choose(None, ["all"])
            await one.until(lambda: "orderbooks" in carried(), "all again")
            await one.until(one.collector.live.open_interests, "polls again")

    asyncio.run(story())


def test_what_cannot_be_done_is_said_and_nothing_changes(tmp_path: Path) -> None:
    async def story() -> None:
        async with collecting(tmp_path / "market.duckdb", (FUTURES,)) as one:
            before, control = one.state, one.control
            for order, error in (
                (control.start("nyse"), UnknownVenue),
                (control.start("okx"), UnsupportedByVenue),  # real, while this market is simulated
                (control.start(FUTURES), InvalidArgument),
                (control.stop(SPOT), InvalidArgument),
                (control.choose(["BTCUSDT", "no symbol"], None), InvalidArgument),
                (control.choose(["ETHUSDT"], ["gossip"]), InvalidArgument),
                (control.choose([], None), InvalidArgument),
                (control.choose(None, []), InvalidArgument),
                (control.follow([SPOT], ["no symbol"], None), InvalidArgument),
                (control.follow(["nyse"], ["ETHUSDT"], None), UnknownVenue),
                (control.follow([SPOT], ["ETHUSDT"], ["gossip"]), InvalidArgument),
            ):
                with pytest.raises(error):
                    await order
                assert one.state == before
            one.stop.set()
            await one.until(lambda: one.collector.plan is not None, "a turn of the loop")
            await asyncio.sleep(0.1)
            with pytest.raises(InvalidArgument, match="not running"):
                await control.start(SPOT)

    asyncio.run(story())


def test_settings_are_followed_in_one_order_and_what_is_the_same_is_left_alone(tmp_path: Path) -> None:
    async def story() -> None:
        async with collecting(tmp_path / "market.duckdb", (FUTURES,)) as one:
            (before,) = one.collector.feeds
            assert (await one.control.follow([FUTURES], ["BTCUSDT"], None)).changed == []
            answer = await one.control.follow(["binance", SPOT], ["BTCUSDT", "ETHUSDT"], None)
            assert answer.changed == ["symbols added: ETHUSDT", "binance_spot started"]
            assert one.collector.feeds[0] is before
            answer = await one.control.follow([SPOT], ["BTCUSDT", "ETHUSDT"], ["trades"])
            assert answer.changed[-1] == "binance_futures stopped" and len(answer.changed) == 2
            await one.until(lambda: one.collector.live.recent_trades("ETHUSDT", SPOT), "trades of both")

    asyncio.run(story())


def test_symbols_that_were_changed_are_in_the_journal_for_the_next_start(tmp_path: Path) -> None:
    """Recovery keeps of channels of a whole market what was asked for when the frames came."""
    db = tmp_path / "market.duckdb"

    async def story() -> None:
        async with collecting(db, (FUTURES,)) as one:
            await one.control.choose(["ETHUSDT"], None)
            await one.until(lambda: one.has(FUTURES, "ETHUSDT"), "quotes")
            one.collector.journal.rotate()
            frames = [
                frame
                for path in unfinished(Path(f"{db}.journal"))
                for batch in segment.read(path)
                for frame in batch
            ]
            notes = [
                frame.payload for frame in frames if frame.kind == "note" and b'"collecting"' in frame.payload
            ]
            assert notes and all(b'"symbols":["ETHUSDT"]' in said for said in notes)
            *_, last = unfinished(Path(f"{db}.journal"))
            beginning = segment.read(last)
            list(beginning)
            assert beginning.about["symbols"] == ["ETHUSDT"]

    asyncio.run(story())


def test_what_a_killed_run_collected_and_this_one_does_not_is_a_gap_on_purpose(tmp_path: Path) -> None:
    db = tmp_path / "market.duckdb"

    async def killed() -> None:
        async with collecting(db) as one:
            await one.until(lambda: one.collector.live.recent_trades("BTCUSDT", SPOT), "trades")
            one.collector.hurry()  # ends with all of it in the journal

    async def without() -> None:
        async with collecting(db, (FUTURES,)):
            pass

    asyncio.run(killed())
    asyncio.run(without())
    gaps = read(
        db, "SELECT stream, \"until\", reason FROM gaps WHERE venue = 'binance_spot' AND stream = 'trades'"
    )
    ((_, until, reason),) = gaps
    assert until is None and "not collected any more" in reason

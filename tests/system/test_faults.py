"""What a venue does wrong is said in rows, gaps and health, and the other venue does not notice it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orderflow import venues
from orderflow.jobs.collect import Collector as Collecting
from orderflow.jobs.health import of_collector
from orderflow.jobs.plan import Plan
from orderflow.sim import Simulation
from orderflow.venues.spec import Hosts
from tests.system.product import Collector, Product, Simulator, read, until

FUTURES, SPOT = "binance_futures", "binance_spot"
SYMBOLS = "BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT"
GAPS = 'venue, symbol, stream, epoch_ms("from"), epoch_ms("until"), reason'

Gap = dict[str, Any]


class Scene:
    """A simulator and a collector that hears both its venues, for all tests of this file."""

    def __init__(self, simulator: Simulator, collector: Collector) -> None:
        self.simulator, self.collector = simulator, collector
        self._connection = collector.attached()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def gaps(self) -> list[Gap]:
        names = ("venue", "symbol", "stream", "from", "until", "reason")
        return [dict(zip(names, row, strict=True)) for row in self.rows(f"SELECT {GAPS} FROM served.gaps")]

    def last_ids(self) -> dict[tuple[str, str], int]:
        found = self.rows("SELECT venue, symbol, max(trade_id::BIGINT) FROM served.trades GROUP BY ALL")
        return {(venue, symbol): last for venue, symbol, last in found}

    def close(self) -> None:
        self._connection.close()


class Since:
    """What has happened since it was made."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._before = {(*key(gap), gap["until"]) for gap in scene.gaps()}
        self._ids = scene.last_ids()
        self._health = scene.collector.health()["venues"]

    def gaps(self, venue: str, symbol: str | None = None, stream: str | None = None) -> list[Gap]:
        """Return the gaps that opened or changed."""
        return [
            gap
            for gap in self._scene.gaps()
            if (*key(gap), gap["until"]) not in self._before
            and gap["venue"] == venue
            and symbol in (None, gap["symbol"])
            and stream in (None, gap["stream"])
        ]

    def grown(self, name: str, venue: str) -> int:
        """Return by how much a number of a venue's health has grown."""
        return self._scene.collector.venue(venue)[name] - self._health[venue][name]

    def missing(self, venue: str, symbol: str) -> list[dict[str, Any]]:
        """Return the trades made until now that are in no row, once a later one is; none is a row twice."""
        start = self._ids[venue, symbol]
        made = self._scene.simulator.rows(venue, symbol, from_id=start + 1)
        last = made[-1]["id"] if made else start
        until(lambda: self._scene.last_ids()[venue, symbol] > last, f"later trades of {venue} {symbol}")
        sql = f"SELECT trade_id::BIGINT FROM served.trades WHERE venue = '{venue}' AND symbol = '{symbol}'"
        stored = [id for (id,) in self._scene.rows(sql) if start < id <= last]
        assert len(stored) == len(set(stored))
        return [row for row in made if row["id"] not in set(stored)]

    def untouched(self, venue: str) -> None:
        """The venue's rows are complete, it has no gap and nothing unreadable."""
        for symbol in SYMBOLS.split(","):
            assert self.missing(venue, symbol) == []
        assert self.gaps(venue) == []
        assert self.grown("unreadable_frames", venue) == 0
        assert self.grown("reconnects", venue) == 0


def key(gap: Gap) -> tuple[Any, ...]:
    return gap["venue"], gap["symbol"], gap["stream"], gap["from"]


def inside(rows: list[dict[str, Any]], gaps: list[Gap]) -> bool:
    return all(any(gap["from"] <= row["time"] <= gap["until"] for gap in gaps) for row in rows)


@pytest.fixture(scope="module")
def scene(shared_product: Product) -> Iterator[Scene]:
    simulator = shared_product.simulator(SYMBOLS, rate=20)
    one = Scene(simulator, shared_product.collector(simulator, symbols=SYMBOLS))
    until(lambda: len(one.last_ids()) == 8, "trades of every series")
    in_step = "SELECT count(DISTINCT venue || symbol) FROM served.orderbooks"
    until(lambda: one.rows(in_step)[0][0] == 8, "books of every series")
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def since(scene: Scene) -> Since:
    until(lambda: scene.collector.health()["status"] == "healthy", "everything is well again")
    return Since(scene)


def test_a_disconnect_is_a_gap_that_closes_and_names_what_is_missing(scene: Scene, since: Since) -> None:
    scene.simulator.fault("refuse", FUTURES, seconds=1.5)  # so that trades are surely missed
    fault = scene.simulator.fault("disconnect", FUTURES, route="market")
    assert fault["done"] == 1  # one connection on that route
    until(lambda: since.grown("reconnects", FUTURES) == 1, "the health says that it was lost")

    def trades() -> list[Gap]:
        return since.gaps(FUTURES, "BTCUSDT", "trades")

    until(lambda: trades() and all(gap["until"] for gap in trades()), "the gap is closed")
    missing = since.missing(FUTURES, "BTCUSDT")
    (gap,) = trades()
    assert gap["reason"].startswith("disconnected: ")
    assert missing and inside(missing, [gap])
    assert f"{missing[0]['id']}..{missing[-1]['id']}" in gap["reason"]
    (mark,) = since.gaps(FUTURES, "BTCUSDT", "mark_prices")
    assert mark["until"] is not None
    assert since.gaps(FUTURES, stream="prices") == []  # another route
    assert scene.collector.venue(FUTURES)["gaps_last_hour"] > 0
    until(lambda: scene.collector.venue(FUTURES)["status"] == "healthy", "it is connected again")
    since.untouched(SPOT)


def test_a_lost_diff_is_one_gap_of_the_book_until_the_next_snapshot(scene: Scene, since: Since) -> None:
    fault = scene.simulator.fault("drop", SPOT, stream="solusdt@depth@100ms", count=1)
    until(lambda: since.gaps(SPOT, "SOLUSDT", "orderbooks"), "the gap is told")
    (gap,) = since.gaps(SPOT, "SOLUSDT", "orderbooks")
    assert gap["reason"].startswith("sequence: ")
    until(lambda: since.gaps(SPOT, "SOLUSDT", "orderbooks")[0]["until"], "a snapshot closes it")
    assert len(since.gaps(SPOT)) == 1
    assert scene.simulator.told(fault)["done"] == 1
    assert since.missing(SPOT, "SOLUSDT") == []
    closed = since.gaps(SPOT, "SOLUSDT", "orderbooks")[0]["until"]
    later = f"SELECT count(*) FROM served.orderbooks WHERE venue = '{SPOT}' AND symbol = 'SOLUSDT'"
    until(lambda: scene.rows(f"{later} AND epoch_ms(timestamp) > {closed}")[0][0], "rows of the book again")
    since.untouched(FUTURES)


def test_a_lost_trade_is_one_gap_that_names_its_id(scene: Scene, since: Since) -> None:
    scene.simulator.fault("drop", FUTURES, stream="ethusdt@aggTrade", count=1)
    until(lambda: since.gaps(FUTURES, "ETHUSDT", "trades"), "the gap is told")
    (row,) = since.missing(FUTURES, "ETHUSDT")
    (gap,) = since.gaps(FUTURES)
    assert gap["reason"] == f"sequence: trade ids {row['id']}..{row['id']} missing"
    assert gap["from"] <= row["time"] <= gap["until"]
    since.untouched(SPOT)


def test_repeated_frames_are_rows_once(scene: Scene, since: Since) -> None:
    streams = ("btcusdt@aggTrade", "btcusdt@bookTicker", "btcusdt@depth@100ms")
    told = [scene.simulator.fault("repeat", SPOT, stream=stream, count=10) for stream in streams]
    until(lambda: all(scene.simulator.told(one)["over"] for one in told), "they were repeated")
    assert since.missing(SPOT, "BTCUSDT") == []  # and none is double
    for table, sequence in (("prices", "sequence"), ("orderbooks", "timestamp")):
        doubled = scene.rows(
            f"SELECT {sequence}, count(*) FROM served.{table} WHERE venue = '{SPOT}' AND symbol = 'BTCUSDT'"
            f" GROUP BY ALL HAVING count(*) > 1"
        )
        assert doubled == []
    assert since.gaps(SPOT) == []
    since.untouched(FUTURES)


def test_delayed_frames_are_late_and_not_lost(scene: Scene, since: Since) -> None:
    fault = scene.simulator.fault("delay", SPOT, stream="ethusdt@*", delay_ms=1500, seconds=1)
    until(lambda: scene.simulator.told(fault)["over"], "the delay is over")
    assert scene.simulator.told(fault)["done"] > 10
    assert since.missing(SPOT, "ETHUSDT") == []
    assert since.gaps(SPOT) == []
    late = (
        f"SELECT max(epoch_ms(received) - epoch_ms(timestamp)) FROM served.trades"
        f" WHERE venue = '{SPOT}' AND symbol = 'ETHUSDT'"
    )
    assert scene.rows(late)[0][0] >= 1500  # both clocks are kept, so a reader sees it
    since.untouched(FUTURES)


@pytest.mark.parametrize("words", ["not_json", "wrong_shape", "truncated"])
def test_nonsense_is_counted_and_stops_nobody(scene: Scene, since: Since, words: str) -> None:
    fault = scene.simulator.fault("nonsense", FUTURES, stream="solusdt@aggTrade", words=words, count=3)
    until(lambda: scene.simulator.told(fault)["over"], "it was said")
    until(lambda: since.grown("unreadable_frames", FUTURES) == 3, "three frames are not understood")
    missing = since.missing(FUTURES, "SOLUSDT")
    # What was cut in half was a trade: it is lost, and known. The other nonsense came before the trades.
    assert len(missing) == (3 if words == "truncated" else 0)
    assert inside(missing, since.gaps(FUTURES, "SOLUSDT", "trades"))
    assert since.grown("reconnects", FUTURES) == 0
    since.untouched(SPOT)


@pytest.mark.parametrize("status", [429, 418])
def test_a_snapshot_that_is_refused_for_a_while_is_asked_again(
    scene: Scene, since: Since, status: int
) -> None:
    fault = scene.simulator.fault("answer", SPOT, status=status, retry_after=3, path="*/depth", count=1)
    scene.simulator.fault("drop", SPOT, stream="btcusdt@depth@100ms", count=1)

    def gap() -> Gap | None:
        return next(iter(since.gaps(SPOT, "BTCUSDT", "orderbooks")), None)

    until(lambda: scene.simulator.told(fault)["done"] == 1, "the snapshot was refused")
    until(lambda: str(status) in scene.collector.venue(SPOT)["rest"]["last_error"], "the health says so")
    if status == 418:
        until(lambda: "REST banned" in scene.collector.venue(SPOT)["reason"], "shut out")
    until(lambda: (found := gap()) and found["until"], "the book is right again")
    assert len(since.gaps(SPOT, "BTCUSDT", "orderbooks")) == 1
    assert since.missing(SPOT, "BTCUSDT") == []
    since.untouched(FUTURES)


def test_connections_that_are_refused_make_the_venue_unhealthy_until_it_is_back(
    scene: Scene, since: Since
) -> None:
    scene.simulator.fault("refuse", SPOT, seconds=2.5)
    scene.simulator.fault("disconnect", SPOT)
    until(lambda: scene.collector.venue(SPOT)["status"] == "unhealthy", "it is lost")
    health = scene.collector.health()
    assert health["status"] == "degraded" and any(reason.startswith(SPOT) for reason in health["reasons"])
    assert health["venues"][FUTURES]["status"] == "healthy"
    assert since.gaps(FUTURES) == []
    until(lambda: scene.collector.venue(SPOT)["status"] == "healthy", "it is back")
    until(lambda: since.gaps(SPOT) and all(gap["until"] for gap in since.gaps(SPOT)), "every gap is closed")
    missing = {symbol: since.missing(SPOT, symbol) for symbol in SYMBOLS.split(",")}
    for symbol, rows in missing.items():
        assert rows and inside(rows, since.gaps(SPOT, symbol, "trades"))
    since.untouched(FUTURES)


def test_a_snapshot_that_is_blocked_leaves_its_gap_open_and_the_rest_flowing(
    scene: Scene, since: Since
) -> None:
    scene.simulator.fault("answer", FUTURES, status=451, path="*/depth", count=1)
    scene.simulator.fault("drop", FUTURES, stream="xrpusdt@depth@100ms", count=1)
    until(lambda: "451" in scene.collector.venue(FUTURES)["rest"]["last_error"], "the health says so")
    (gap,) = until(lambda: since.gaps(FUTURES, "XRPUSDT", "orderbooks"), "the gap is told")
    assert gap["until"] is None
    assert scene.collector.venue(FUTURES)["open_gaps"] == 1
    assert since.missing(FUTURES, "XRPUSDT") == []
    since.untouched(SPOT)


# ── With shorter patience than the forms declare, in this process ─────────────────────────────


class Collected:
    """A collector in this process, over forms whose channels may be silent for three seconds only."""

    def __init__(self, simulation: Simulation, collecting: Collecting) -> None:
        self.simulation, self.collecting = simulation, collecting

    def health(self, venue: str) -> dict[str, Any]:
        return of_collector(self.collecting)["venues"][venue]

    async def until(self, found: Any, what: str) -> Any:
        async with asyncio.timeout(40):
            while not (last := found()):
                await asyncio.sleep(0.05)
        assert last, what
        return last


@asynccontextmanager
async def collected(db: Path) -> AsyncIterator[Collected]:
    impatient = {
        name: msgspec.structs.replace(
            venue,
            channels=tuple(
                msgspec.structs.replace(one, silent_after_s=3.0 if one.name == "trades" else None)
                for one in venue.channels
            ),
        )
        for name, venue in venues.ALL.items()
        if name in (FUTURES, SPOT)
    }
    simulation = Simulation(("BTCUSDT", "ETHUSDT"), venues=tuple(impatient), rate=30)
    await simulation.start()
    hosts = {name: Hosts(**simulation.hosts(name)) for name in impatient}
    plan = Plan(
        db=db,
        venues=impatient,
        symbols=("BTCUSDT", "ETHUSDT"),
        kind="simulated",
        hosts=hosts,
        flush_interval_s=0.2,
    )
    stop = asyncio.Event()
    collecting = await asyncio.to_thread(Collecting, plan)
    running = asyncio.ensure_future(collecting.run(stop))
    one = Collected(simulation, collecting)
    try:
        await one.until(lambda: len(collecting.live.tops()) == 4, "books of every series")
        await one.until(lambda: collecting.flushes.rows["trades"] > 20, "trades")
        yield one
    finally:
        stop.set()
        await running
        await simulation.stop()


def test_a_stream_that_stays_silent_is_reported_and_is_a_gap(tmp_path: Path) -> None:
    db = tmp_path / "market.duckdb"

    async def play() -> None:
        async with collected(db) as one:
            quiet = one.simulation.faults.silence(SPOT, "btcusdt@aggTrade", seconds=600)
            await one.until(lambda: one.health(SPOT)["silent"] == ["btcusdt@aggTrade"], "reported")
            assert "silent" in one.health(SPOT)["reason"] and one.health(SPOT)["status"] == "degraded"
            assert one.health(FUTURES)["status"] == "healthy"
            quiet.seconds = 0  # it is over
            await one.until(lambda: one.health(SPOT)["silent"] == [], "it speaks again")
            await one.until(lambda: one.health(SPOT)["open_gaps"] == 0, "the gap is closed")

    asyncio.run(play())
    told = read(db, f"SELECT {GAPS} FROM gaps WHERE reason NOT LIKE 'disconnected: stopped'")
    ((venue, symbol, stream, since, end, reason),) = told
    assert (venue, symbol, stream) == (SPOT, "BTCUSDT", "trades")
    assert reason.startswith("silent: btcusdt@aggTrade: nothing for 3 s; trade ids")
    assert end - since >= 3000  # as long as it took to be called silent
    counts = "SELECT count(*), max(trade_id::BIGINT) - min(trade_id::BIGINT) + 1 FROM trades"
    for other in (
        "venue = 'binance_futures' AND symbol = 'BTCUSDT'",
        "venue = 'binance_spot' AND symbol = 'ETHUSDT'",
    ):
        ((rows, span),) = read(db, f"{counts} WHERE {other}")
        assert rows == span


def test_an_announced_shutdown_changes_the_connection_without_a_hole(tmp_path: Path) -> None:
    db = tmp_path / "market.duckdb"

    async def play() -> None:
        async with collected(db) as one:
            feed = next(feed for feed in one.collecting.feeds if feed.venue.name == SPOT)
            (connection,) = feed.health.connections
            assert one.simulation.faults.shutdown(SPOT).done == 1
            await one.until(lambda: connection.rotations == 1, "it is replaced")
            await one.until(lambda: connection.state == "connected", "the replacement works")
            before = one.collecting.flushes.rows["trades"]
            await one.until(lambda: one.collecting.flushes.rows["trades"] > before + 100, "trades")
            assert connection.reconnects == 0

    asyncio.run(play())
    assert read(db, f"SELECT {GAPS} FROM gaps WHERE reason NOT LIKE 'disconnected: stopped'") == []
    for row in read(
        db,
        "SELECT venue, symbol, count(*), max(trade_id::BIGINT) - min(trade_id::BIGINT) + 1 FROM trades GROUP BY ALL",
    ):
        assert row[2] == row[3], row

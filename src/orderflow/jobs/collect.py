"""Collect: sockets to journal to rows, for hours; what was received survives the death of the process."""

import asyncio
import gc
import logging
import os
import sys
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import msgspec

from orderflow import __version__
from orderflow.feed.frames import Frame, Note, note
from orderflow.feed.inbox import Inbox
from orderflow.feed.journal import Journal
from orderflow.feed.live import Feed, live
from orderflow.feed.recordings import recording
from orderflow.feed.sync import BOOK_INTERVAL_MS
from orderflow.jobs.pipeline import Pipeline
from orderflow.market.events import Nanos
from orderflow.market.instruments import SYMBOLS
from orderflow.store import access, runs, tables
from orderflow.store.access import Service
from orderflow.store.live import Live
from orderflow.store.runs import Kind, Run
from orderflow.store.writer import Batch, Writer
from orderflow.venues.spec import Hosts, Venue

log = logging.getLogger(__name__)

RECOVERY_ROWS = 50_000
CHECKPOINT_BYTES = 256 * 1024 * 1024
LAG_PERIOD_S = 0.1
# The thread that flushes packs rows in Python: the loop must not wait for its turn as long as the usual 5 ms.
SWITCH_INTERVAL_S = 0.001
# Events and frames hold no cycles, so collecting them is left to reference counts; a full look at
# everything would cost tens of milliseconds, many times a second.
GC_THRESHOLDS = (100_000, 50, 1_000)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to collect, and where it goes. `hosts` replaces the addresses of venues (the simulator's)."""

    db: Path
    venues: dict[str, Venue]
    symbols: tuple[str, ...] = SYMBOLS
    streams: tuple[str, ...] | None = None
    kind: Kind = "live"
    hosts: dict[str, Hosts] = {}
    flush_interval_s: float = 1.0
    book_interval_ms: int = BOOK_INTERVAL_MS
    keep_journal: bool = False
    memory_limit: str = "1GB"
    large_trade_usd: dict[str, float] | None = None
    quack_port: int | None = None

    @property
    def journal(self) -> Path:
        return Path(f"{self.db}.journal")


class Flushes(msgspec.Struct):
    """How the flushes went: rows by table in all, the last ones' seconds, and the rate of rows."""

    rows: Counter[str] = msgspec.field(default_factory=Counter)
    seconds: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=600))
    rates: deque[tuple[float, int]] = msgspec.field(default_factory=lambda: deque(maxlen=60))

    def note(self, rows: dict[str, int], seconds: float) -> None:
        self.rows.update(rows)
        self.seconds.append(seconds)
        self.rates.append((time.monotonic(), sum(rows.values())))

    @property
    def rows_per_s(self) -> float | None:
        """Rows a second over the last minute of flushes; None before there are two."""
        if len(self.rates) < 2:
            return None
        span = self.rates[-1][0] - self.rates[0][0]
        return sum(rows for _, rows in list(self.rates)[1:]) / span if span else None


class Collector:
    """One process's collecting: opens the store, recovers what a killed run left, then runs until stopped.

    Raises `StoreUnusable` at once if database or journal cannot be used, and later if the disk is full:
    then what was received is in the journal, and the next start brings it into the database.
    """

    def __init__(self, plan: Plan, *, door: str = "") -> None:
        self.plan = plan
        self.live = Live(plan.kind, plan.symbols)
        self.flushes = Flushes()
        self.lags_ms: deque[float] = deque(maxlen=600)
        self.started: Nanos = time.time_ns()
        self.recovered: Counter[str] = Counter()
        self.feeds: list[Feed] = []
        self._inbox = Inbox()
        self._flushing = asyncio.Lock()
        self._unwritten: deque[Batch] = deque()  # taken from the writer, and not yet in the database
        self._connection = tables.open_for_writing(plan.db, memory_limit=plan.memory_limit)
        try:
            self._open(door)
        except BaseException:
            self._connection.close()
            raise

    def _open(self, door: str) -> None:
        plan = self.plan
        self.created = tables.create(self._connection, plan.symbols)
        key = f"{plan.kind} {self.started}"
        runs.check(self._connection, plan.kind)
        about = {"kind": plan.kind, "version": __version__, "run": key, "started": self.started}
        self.journal = Journal(plan.journal, about=about, keep=plan.keep_journal)
        try:
            self._writer = Writer(self._connection, None, large_trade_usd=plan.large_trade_usd)
            self.pipeline = Pipeline(
                plan.venues,
                self._writer,
                self.live,
                want_snapshot=self._want_snapshot,
                book_interval_ms=plan.book_interval_ms,
            )
            self._recover()
            self.run_row = self._begin_run(key)
            self.service: Service = access.serve(
                self._connection, plan.db, port=plan.quack_port, simulated=plan.kind == "simulated", door=door
            )
        except BaseException:
            self.journal.close()
            raise

    # ── Beginning ─────────────────────────────────────────────────────────────────────────────

    def _recover(self) -> None:
        """Bring what a killed run had received, and had not yet in its tables, into them."""
        left, before = list(self.journal.left), None
        for path in left:
            found = recording(path, after=before)
            before = path
            for place, batch in enumerate(found):
                if not place:
                    self._writer.run = self._left_run(found.about)
                self.pipeline.take(batch)
                if self._writer.waiting >= RECOVERY_ROWS:
                    self.recovered.update(self._writer.flush().rows)
            self.recovered.update(self._writer.flush().rows if self._writer.run else {})
        if left:
            log.info("recovered %d rows from %d journal segments", self.recovered.total(), len(left))
        # Where books and tapes stand must be in this run's journal before theirs goes, or a second
        # kill would leave nothing by which the trades missed in between can be told.
        self.journal.append(list(self.pipeline.keep_books(time.time_ns())))
        self.journal.settle(left)

    def _left_run(self, about: dict[str, object]) -> Run:
        kind: Kind = "simulated" if about.get("kind") == "simulated" else "live"
        started = about.get("started")
        return runs.begin(
            self._connection,
            kind,
            str(about.get("run")),
            started=started if isinstance(started, int) else self.started,
            version=str(about.get("version")),
        )

    def _begin_run(self, key: str) -> Run:
        plan, before = self.plan, runs.last(self._connection)
        settings = {
            "venues": list(plan.venues),
            "symbols": list(plan.symbols),
            "streams": None if plan.streams is None else list(plan.streams),
            "flush_interval_s": plan.flush_interval_s,
            "book_interval_ms": plan.book_interval_ms,
        }
        run = runs.begin(
            self._connection, plan.kind, key, started=self.started, version=__version__, settings=settings
        )
        self._writer.run = run
        since = self.pipeline.last_ts or (before.ended if before else None)
        if since:
            self._take([self._absence(venue, since) for venue in plan.venues.values()])
        return run

    def _absence(self, venue: Venue, since: Nanos) -> Frame:
        """Note that nothing was received while no collector ran."""
        streams = [one for channel in venue.channels_for(self.plan.streams) for one in channel.streams]
        streams += [one for poll in venue.polls for one in poll.streams]
        wanted = self.plan.streams
        series = [
            (stream, symbol)
            for symbol in self.plan.symbols
            for stream in dict.fromkeys(streams)
            if wanted is None or stream in wanted
        ]
        said = Note("disconnected", series=series, reason="no collector was running", since=since)
        return note(venue.name, time.time_ns(), said)

    # ── Running ───────────────────────────────────────────────────────────────────────────────

    async def run(self, stop: asyncio.Event) -> None:
        """Collect until `stop` is set, then write what is left and close everything."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self.feeds = [
            Feed(
                venue,
                self.plan.symbols,
                self._inbox,
                streams=self.plan.streams,
                hosts=self.plan.hosts.get(name),
            )
            for name, venue in self.plan.venues.items()
        ]
        frames = live(self.feeds)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._receive(frames)),
                    group.create_task(self._flush_again_and_again()),
                    group.create_task(self._watch_lag()),
                ]
                await stop.wait()
                for task in tasks:
                    task.cancel()
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        finally:
            await frames.aclose()
            await self._finish()

    async def _receive(self, frames: AsyncGenerator[list[Frame], None]) -> None:
        async for batch in frames:
            self._take(batch)

    def _take(self, batch: Sequence[Frame]) -> None:
        self.journal.append(batch)  # before anything looks at it
        self.pipeline.take(batch)

    def _want_snapshot(self, venue: str, symbol: str) -> None:
        for feed in self.feeds:
            if feed.venue.name == venue:
                feed.request_snapshot(symbol)

    async def _flush_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(self.plan.flush_interval_s)
            await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        """Flush, one at a time: the last flush of a run waits for the one that was under way."""
        async with self._flushing:
            await self._write_and_trim()

    async def _write_and_trim(self) -> None:
        """Make durable what was taken so far, then let go of the journal's part that held it."""
        if self.journal.due():
            self.journal.rotate(list(self.pipeline.keep_books(time.time_ns())))
        position, batch = self.journal.position, self._writer.take()
        if batch:
            self._unwritten.append(batch)
        while self._unwritten:  # one that could not be written is written first, or nothing is trimmed
            flushed = await asyncio.to_thread(self._writer.write, self._unwritten[0])
            self._unwritten.popleft()
            self.flushes.note(flushed.rows, flushed.seconds)
        self.journal.trim(position)
        if _size(f"{self.plan.db}.wal") > CHECKPOINT_BYTES:
            await asyncio.to_thread(tables.checkpoint, self._connection)

    async def _watch_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_PERIOD_S
            await asyncio.sleep(LAG_PERIOD_S)
            self.lags_ms.append((loop.time() - due) * 1000)

    # ── Ending ────────────────────────────────────────────────────────────────────────────────

    async def _finish(self) -> None:
        """Take what had arrived, write it, and leave books and tapes for the next start."""
        self._inbox.close()
        try:
            async for batch in self._inbox.batches():
                self._take(batch)
            await self._flush()
            position = self.journal.position
            self.journal.rotate()  # so that all that is written goes, and only books and tapes stay
            self.journal.append(list(self.pipeline.keep_books(time.time_ns())))
            self.journal.trim(position)
            runs.end(self._connection, self.run_row, time.time_ns())
            tables.checkpoint(self._connection)
        finally:
            access.stop(self._connection, self.plan.db, self.service)
            self.journal.close()
            self._connection.close()


def lag_p99_ms(lags: Sequence[float]) -> float | None:
    """Return the 99th percentile of the event loop's lag, or None before it was measured."""
    if not lags:
        return None
    ranked = sorted(lags)
    return ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0

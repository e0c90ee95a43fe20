"""Collect: sockets to journal to rows, for hours; what was received survives the death of the process."""

import asyncio
import gc
import logging
import os
import sys
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from orderflow import __version__
from orderflow.feed.backlog import Backlog
from orderflow.feed.frames import ON_PURPOSE, Frame, Note, note
from orderflow.feed.inbox import Inbox
from orderflow.feed.journal import Journal, Position
from orderflow.feed.limits import ConnectBudget
from orderflow.feed.live import Feed, Feeds
from orderflow.feed.recordings import recording
from orderflow.jobs import filling, sharing
from orderflow.jobs.pipeline import Pipeline
from orderflow.jobs.plan import Flushes, Lease, Plan
from orderflow.jobs.tidy import Tidying
from orderflow.market.errors import InvalidArgument, StoreBroken, StoreUnusable
from orderflow.market.events import HOUR, Gap, Nanos
from orderflow.publish import Publisher, Publishing
from orderflow.store import access, lake, messages, runs, tables
from orderflow.store.access import Service
from orderflow.store.desk import Follower
from orderflow.store.live import Live
from orderflow.store.reader import Reader
from orderflow.store.runs import Kind, Run
from orderflow.store.turns import Turns
from orderflow.store.writer import Batch, Writer
from orderflow.venues.spec import Venue

log = logging.getLogger(__name__)

T = TypeVar("T")

RECOVERY_ROWS = 50_000
CHECKPOINT_BYTES = 8 * 1024 * 1024  # of the log: so much is brought into the file in a tenth of a second
RETRY_S = 1.0  # after the disk refused
LAG_PERIOD_S = 0.1
TIDY_LOOK_S = 10.0
TIDY_EVERY_S = 120.0
HURRY_BYTES = 8 * 1024 * 1024  # received and not yet journalled: then looking at it comes later
# The thread that flushes packs rows in Python: the loop must not wait for its turn as long as the usual 5 ms.
SWITCH_INTERVAL_S = 0.001
# Events and frames hold no cycles, so collecting them is left to reference counts; a full look at
# everything would cost tens of milliseconds, many times a second.
GC_THRESHOLDS = (100_000, 50, 1_000)


class Collector:
    """One process's collecting: opens the store, recovers what a killed run left, then runs until stopped.

    Raises `StoreUnusable` at once if database or journal cannot be used. While a disk is full it waits:
    what was received is in the journal or in memory, sockets are not read, health says so.
    """

    def __init__(self, plan: Plan, *, door: str = "") -> None:
        self.plan = plan
        self.live = Live(plan.kind, plan.symbols)
        self.flushes = Flushes()
        self.lags_ms: deque[float] = deque(maxlen=600)
        self.started: Nanos = time.time_ns()
        self.recovered: Counter[str] = Counter()
        self._feeds = Feeds()
        self._budget = ConnectBudget(time.time_ns)
        self.inbox = Inbox()
        self._flushing = asyncio.Lock()
        self._steering = asyncio.Lock()
        self._hurry = asyncio.Event()
        self._collecting = False
        self._held: list[Frame] = []  # arrived, and the disk did not take it yet
        self._unwritten: deque[Batch] = deque()  # taken from the writer, and not yet in the database
        self._connection = sharing.opened(plan)
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
        about |= {"symbols": list(plan.symbols), "venues": list(plan.venues)}
        self.journal = Journal(plan.journal, about=about, keep=plan.keep_journal)
        try:
            self.backlog = Backlog(self.journal.reread, memory_bytes=plan.backlog_memory)
            self._behind = asyncio.Event()
            self.publisher = None if plan.publish is None else self._publisher(plan.publish)
            self._writer = Writer(
                self._connection,
                None,
                large_trade_usd=plan.large_trade_usd,
                outlet=None if self.publisher is None else self.publisher.outbox,
                box=plan.box,
                since=sharing.read_from(plan, self.journal.left, self.started),
                lists=partial(sharing.lists, plan),
            )
            self.pipeline = self._pipeline()
            self._recover()
            self.run_row = self._begin_run(key)
            wanted = plan.postgres
            self.follower = None if wanted is None else Follower(wanted, Reader(self._connection))
            self.tidying = Tidying(self._connection, plan.keeping, self._flushing)
            self.service: Service = self._serve(door)
            self._turns = Turns(access.service_file(plan.db))
        except BaseException:
            self.journal.close()
            raise

    def _pipeline(self) -> Pipeline:
        return Pipeline(
            self.plan.known,
            self._writer,
            self.live,
            want_snapshot=self._want_snapshot,
            book_interval_ms=self.plan.book_interval_ms,
        )

    def _serve(self, door: str) -> Service:
        plan, simulated = self.plan, self.plan.kind == "simulated"
        if plan.lake is not None:  # readers attach the lake itself
            return access.announced(plan.db, simulated=simulated, door=door)
        return access.serve(self._connection, plan.db, port=plan.quack_port, simulated=simulated, door=door)

    def _publisher(self, wanted: Publishing) -> Publisher:
        committed = messages.committed(self._connection, self.plan.box)
        publisher = Publisher(wanted, self.plan.outbox, committed=committed)
        messages.begin(self._connection, publisher.outbox.last, self.plan.box)
        return publisher

    # ── Beginning ─────────────────────────────────────────────────────────────────────────────

    def _recover(self) -> None:
        """Bring what a killed run had received, and had not yet in its tables, into them."""
        left, before = list(self.journal.left), None
        for path in list(left):
            found = recording(path, after=before)
            before = path
            for place, batch in enumerate(found):
                if not place and (others := sharing.foreign(self.plan, found.about)):
                    log.warning("%s stays as it is: it has %s, of other shares", path, ", ".join(others[:5]))
                    left.remove(path)
                    break
                if not place:
                    self._writer.run = self._left_run(found.about)
                    self.pipeline.only(found.about.get("symbols"))
                self.pipeline.take(batch)
                if self._writer.waiting >= RECOVERY_ROWS:
                    self._write_recovered()
            if self._writer.run:
                self._write_recovered()
        if left:
            log.info("recovered %d rows from %d journal segments", self.recovered.total(), len(left))
        if self.plan.lake is not None:  # others may have collected since: the lake alone says how it stands
            self.live = Live(self.plan.kind, self.plan.symbols)
            self.pipeline = self._pipeline()
            self._take(list(sharing.going_on(self._connection, self.plan, time.time_ns())))
        # Where books and tapes stand must be in this run's journal before theirs goes, or a second
        # kill would leave nothing by which the trades missed in between can be told.
        self.journal.append(list(self.pipeline.keep_books(time.time_ns())))
        self.journal.settle(left)

    def _write_recovered(self) -> None:
        batch = self._writer.take()
        if self.plan.lake is not None:  # a gap that lasted then may have been closed by another since
            batch.gaps = [gap for gap in batch.gaps if gap.until_ts is not None]
        self.recovered.update(self._writer.write(batch).rows)

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
        if since and plan.lake is None:
            now = time.time_ns()
            self._take(
                [
                    sharing.absence(name, sharing.collected(venue, plan), since, now)
                    for name, venue in plan.venues.items()
                ]
            )
        self._take(list(self._given_up()))
        return run

    def _given_up(self) -> Iterator[Frame]:
        """Note what a killed run was collecting and this one does not."""
        plan = self.plan
        for name in plan.known:
            gone = [
                (stream, symbol)
                for stream, symbol in self.live.series(name)
                if name not in plan.venues
                or symbol not in plan.symbols
                or (plan.streams is not None and stream not in plan.streams)
            ]
            if gone:
                yield note(name, time.time_ns(), Note("disconnected", series=gone, reason=ON_PURPOSE))

    # ── Running ───────────────────────────────────────────────────────────────────────────────

    async def run(self, stop: asyncio.Event) -> None:
        """Collect until `stop` is set, then write what is left and close everything."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self.pipeline.only(self.plan.symbols)
        for venue in self.plan.venues.values():
            self._feeds.start(partial(self._feed, venue))
        self._collecting = True
        if self.publisher is not None:
            self.publisher.start()
        if self.follower is not None:
            self.follower.start()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._receive(self.inbox.batches())),
                    group.create_task(self._catch_up()),
                    group.create_task(self._flush_again_and_again()),
                    group.create_task(self._watch_lag()),
                    group.create_task(self.tidying.again_and_again()),
                ]
                if (lease := self.plan.lease) is not None:
                    own = (self._watch_share(lease), self._tidy(lease))
                    tasks += [group.create_task(one) for one in own]
                if self.plan.backfill_hours is not None:
                    tasks.append(group.create_task(self._backfill(round(self.plan.backfill_hours * HOUR))))
                await stop.wait()
                for task in tasks:
                    task.cancel()
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        finally:
            self._collecting = False
            await self._feeds.close()
            await self._finish()

    def hurry(self) -> None:
        """End at once: what is not in the database yet stays in the journal, for the next start."""
        self._hurry.set()

    # ── Changing what is collected ────────────────────────────────────────────────────────────

    async def start_venue(self, name: str) -> None:
        """Collect from one of the plan's known venues, too. Raises `InvalidArgument` if it is collected."""
        async with self._steering:
            self._check_running()
            if name in self.plan.venues:
                raise InvalidArgument(f"{name} is being collected already")
            venue = self.plan.known[name]
            self.plan = msgspec.structs.replace(self.plan, venues={**self.plan.venues, name: venue})
            self._feeds.start(partial(self._feed, venue))

    async def stop_venue(self, name: str) -> None:
        """Collect from a venue no longer; its gaps say that this was wanted."""
        async with self._steering:
            self._check_running()
            if name not in self.plan.venues:
                raise InvalidArgument(f"{name} is not being collected")
            left = {one: venue for one, venue in self.plan.venues.items() if one != name}
            self.plan = msgspec.structs.replace(
                self.plan, venues=left, forms={**self.plan.forms, name: self.plan.known[name]}
            )
            await self._feeds.stop(name, f"{ON_PURPOSE}: the venue was stopped")

    async def change(
        self, symbols: Sequence[str] | None = None, streams: Sequence[str] | None = None
    ) -> None:
        """Collect other symbols or streams from now on; None leaves them as they are.

        Raises `InvalidArgument` for what cannot be a symbol, and changes nothing then.
        """
        async with self._steering:
            self._check_running()
            if symbols is not None and self.plan.lease is not None:
                raise InvalidArgument(
                    "a share's symbols are those that the settings give it",
                    hint="change `symbols` in the settings of every collector of the lake, and start them again",
                )
            if symbols is not None:
                async with self._flushing:  # a flush that had begun before would have to be repeated
                    await asyncio.to_thread(tables.add_symbols, self._connection, symbols)
                self._check_running()
                self.plan = msgspec.structs.replace(self.plan, symbols=tuple(symbols))
                self.journal.tell(symbols=list(symbols))
                self.live.collects(symbols)
                self.inbox.put(self.pipeline.journal_symbols(symbols, time.time_ns()))
            if streams is not None:
                self.plan = msgspec.structs.replace(self.plan, streams=tuple(streams))
            for name in self.plan.venues:
                self._feeds.feeds[name].change(symbols, streams)

    def set_flush_interval(self, seconds: float) -> None:
        self.plan = msgspec.structs.replace(self.plan, flush_interval_s=seconds)

    def _check_running(self) -> None:
        if not self._collecting:
            raise InvalidArgument(
                "the collector is not running now", hint="it starts, or it is being stopped"
            )

    # ── Receiving and writing ─────────────────────────────────────────────────────────────────

    @property
    def waiting_rows(self) -> int:
        """Rows that wait for the next flush."""
        return self._writer.waiting

    @property
    def feeds(self) -> list[Feed]:
        """The feeds that run, or ran last."""
        return list(self._feeds.feeds.values())

    def _feed(self, venue: Venue) -> Feed:
        return Feed(
            venue,
            self.plan.symbols,
            self.inbox,
            streams=self.plan.streams,
            hosts=self.plan.hosts.get(venue.name),
            key=None if venue.key is None else self.plan.keys.get(venue.key.setting),
            budget=self._budget,
        )

    async def _receive(self, frames: AsyncGenerator[list[Frame], None]) -> None:
        """Journal what arrives; look at it at once, or when there is time if more waits than can be looked at."""
        async for batch in frames:
            begin, end = await self._journaled(batch)
            if len(self.backlog) or self._hurried():
                self.backlog.put(batch, begin, end)
                self._behind.set()
                while self.backlog.bytes > self.plan.backlog_disk:  # the disk has an end too: sockets wait
                    await asyncio.sleep(LAG_PERIOD_S)
            else:
                self.pipeline.take(batch)

    async def _journaled(self, batch: list[Frame]) -> tuple[Position, Position]:
        """Append a batch, as soon as the disk takes it: until then nothing is read, and sockets wait.

        Returns where it begins and ends.
        """
        while True:
            try:
                begin = self.journal.position
                return begin, self.journal.append(batch)
            except StoreUnusable as error:
                self._held = batch
                self._trouble(error)
                await asyncio.sleep(RETRY_S)
                self._held = []

    def _trouble(self, error: StoreUnusable) -> None:
        """Let health say what the disk refuses; logged once, when it begins."""
        if not self.flushes.trouble:
            log.error("%s (%s); tried again every second or flush", error.message, error.hint)
        self.flushes.trouble = error.message

    def _hurried(self) -> bool:
        """Tell whether frames or rows gather faster than they are worked off."""
        return self.inbox.pending_bytes > HURRY_BYTES or self._writer.waiting > self.plan.most_rows

    async def _catch_up(self) -> None:
        """Look at what had to wait, a batch at a time, so that receiving goes on between."""
        while True:
            await self._behind.wait()
            while len(self.backlog):
                if self._writer.waiting > self.plan.most_rows:
                    await asyncio.sleep(LAG_PERIOD_S)  # the next flush makes room
                else:
                    self.pipeline.take(self.backlog.take())
                    await asyncio.sleep(0)
            self._behind.clear()

    def _take(self, batch: Sequence[Frame]) -> None:
        self.journal.append(batch)  # before anything looks at it
        self.pipeline.take(batch)

    def _want_snapshot(self, venue: str, symbol: str) -> None:
        if venue in self._feeds.feeds:
            self._feeds.feeds[venue].request_snapshot(symbol)

    async def _flush_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(self.plan.flush_interval_s)
            try:
                await asyncio.shield(self._flush())
            except StoreBroken:
                raise
            except StoreUnusable as error:  # a full disk: what was received waits in the journal
                self._trouble(error)
            else:
                if self.flushes.trouble and not self._held:
                    log.info("the disk takes what is received again")
                    self.flushes.trouble = ""

    async def _flush(self) -> None:
        """Flush, one at a time: the last flush of a run waits for the one that was under way."""
        async with self._flushing:
            self.flushes.since = time.monotonic()
            try:
                await self._write_and_trim()
            finally:
                self.flushes.since = None

    async def _write_and_trim(self) -> None:
        """Make durable what was taken so far, then let go of the journal's part that held it.

        What could not be written is written before anything more is taken: beyond some rows, what arrives
        waits in the journal.
        """
        await self._write_unwritten()
        if self.journal.due() and not len(self.backlog):  # a segment begins with books that are up to date
            self.journal.rotate(list(self.pipeline.keep_books(time.time_ns())))
            self.live.tidy()
        position, batch = self.backlog.oldest or self.journal.position, self._writer.take()
        if batch:
            self._unwritten.append(batch)
        await self._write_unwritten()
        self.journal.trim(position)
        if _size(f"{self.plan.db}.wal") > CHECKPOINT_BYTES:
            await asyncio.to_thread(tables.checkpoint, self._connection)

    async def _write_unwritten(self) -> None:
        while self._unwritten:
            if (lease := self.plan.lease) is not None and lease.lost.is_set():
                raise sharing.lost(lease)
            with self._turns.first():
                flushed = await asyncio.to_thread(self._writer.write, self._unwritten[0])
            self._unwritten.popleft()
            self.flushes.note(flushed.rows, flushed.seconds)
            if self.publisher is not None:
                self.publisher.tell()
            if self.follower is not None:
                self.follower.tell()

    # ── The past ──────────────────────────────────────────────────────────────────────────────

    @property
    def connection(self) -> tables.Connection:
        return self._connection

    @property
    def writer(self) -> Writer:
        return self._writer

    async def alone(self, work: Callable[[], T]) -> T:
        """Do work on the database between two flushes; begun, it is done to its end."""

        async def between_flushes() -> T:
            async with self._flushing:
                return await asyncio.to_thread(work)

        return await asyncio.shield(between_flushes())

    async def _backfill(self, oldest: Nanos) -> None:
        """Fill the gaps that are known, again and again; what goes wrong with it leaves collecting alone."""
        await filling.fill(self, oldest, lambda: self.plan, self._living, self.filled)

    def filled(self, gap: Gap) -> None:
        """Forget a gap that has been filled from the past."""
        self.live.no_gap(gap)

    def _living(self) -> list[Feed]:
        return [feed for feed in self.feeds if feed.venue.name in self.plan.venues]

    async def _watch_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_PERIOD_S
            await asyncio.sleep(LAG_PERIOD_S)
            self.lags_ms.append((loop.time() - due) * 1000)

    # ── A share of a lake ─────────────────────────────────────────────────────────────────────

    async def _watch_share(self, lease: Lease) -> None:
        """End where the share was lost: what is not written then waits in the journal."""
        lost, loop = asyncio.Event(), asyncio.get_running_loop()
        lease.on_loss(partial(loop.call_soon_threadsafe, lost.set))
        await lost.wait()
        raise sharing.lost(lease)

    async def _tidy(self, lease: Lease) -> None:
        """Join the lake's small files again and again, where no other collector has just done so."""
        while True:
            await asyncio.sleep(TIDY_LOOK_S)
            if await asyncio.to_thread(lease.tidies, TIDY_EVERY_S):
                await asyncio.to_thread(lake.tidy, self._connection)

    # ── Ending ────────────────────────────────────────────────────────────────────────────────

    async def _finish(self) -> None:
        """Take what had arrived, write it, and leave books and tapes for the next start.

        What arrived goes into the journal first: where there is no time for the rest, nothing is lost.
        """
        await self.tidying.close()
        self.inbox.close()
        limit = asyncio.get_running_loop().call_later(self.plan.stop_within_s, self._hurry.set)
        try:
            if self._held:
                begin = self.journal.position
                self.backlog.put(self._held, begin, self.journal.append(self._held))
            async for batch in self.inbox.batches():
                begin = self.journal.position
                self.backlog.put(batch, begin, self.journal.append(batch))
            if not await self._work_off():
                said = "stopped with %d frames in the journal that were not looked at: the next start does"
                log.warning(said, self.backlog.frames)
                return
            position = self.journal.position
            self.journal.rotate()  # so that all that is written goes, and only books and tapes stay
            self.journal.append(list(self.pipeline.keep_books(time.time_ns())))
            self.journal.trim(position)
            runs.end(self._connection, self.run_row, time.time_ns())
            if self.plan.lake is None:
                tables.checkpoint(self._connection)
        finally:
            limit.cancel()
            if self.publisher is not None:
                await self.publisher.close()
            if self.follower is not None:
                await asyncio.to_thread(self.follower.close)
            access.stop(self._connection, self.plan.db, self.service)
            self._turns.close()
            self.journal.close()
            self._connection.close()

    async def _work_off(self) -> bool:
        """Bring what waits into the database, as far as there is time; tell whether all of it is there."""
        while len(self.backlog) and not self._hurry.is_set():
            self.pipeline.take(self.backlog.take())
            if self._writer.waiting > self.plan.most_rows:
                await self._flush()
            await asyncio.sleep(0)  # a second signal is heard in between
        if len(self.backlog) or self._hurry.is_set():
            async with self._flushing:  # one that is under way uses the connection
                return False
        await self._flush()
        return True


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0

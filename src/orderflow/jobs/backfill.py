"""Backfill: what is missing of the past, from a venue's archives and its REST history, into the same tables.

Each piece is written in parts, and how far it is stands in the ledger, so that a process that is killed
goes on; rows that are there already are left out by their keys, so that no order of things brings one in
twice. The writer is the one writer of the database: beside live collecting this runs between its flushes.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from orderflow import __version__
from orderflow.feed import archive as files
from orderflow.feed import history
from orderflow.feed.archive import Archives
from orderflow.feed.asking import understood
from orderflow.feed.history import when
from orderflow.feed.limits import Clock, Sleep, Window, turn
from orderflow.feed.rest import Rest, Transport
from orderflow.jobs import past
from orderflow.jobs.settling import Report, Settling
from orderflow.market.errors import (
    Banned,
    NoData,
    OrderflowError,
    Retry,
    StoreUnusable,
    UnknownSymbol,
    VenueChanged,
)
from orderflow.market.events import MINUTE, SECOND, US, Candle, Event, Instrument, Nanos
from orderflow.market.streams import STREAMS
from orderflow.store import backfills, runs
from orderflow.store.backfills import Hole, Ledger, Piece, Span, less, merged
from orderflow.store.runs import Kind, Run
from orderflow.store.tables import Connection
from orderflow.store.writer import Batch, Writer
from orderflow.venues.spec import Endpoint, Hosts, Memory, Venue

log = logging.getLogger(__name__)

PAD: Nanos = 5 * SECOND  # round a gap: its ends were told by our clock, rows go by the venue's
NEAR: Nanos = MINUTE  # gaps so close to one another are asked for in one
PATIENCE = 3  # pieces in a row that a venue could not be asked for, before the rest is left for later

T = TypeVar("T")


class Desk(Protocol):
    """Who owns the database: `alone` does work on another thread while nothing else is written."""

    @property
    def connection(self) -> Connection: ...
    @property
    def writer(self) -> Writer: ...
    async def alone(self, work: Callable[[], T]) -> T: ...


class Owner:
    """A desk for a process that has the database to itself."""

    def __init__(self, connection: Connection, large_trade_usd: dict[str, float] | None = None) -> None:
        self.connection = connection
        self.writer = Writer(connection, None, large_trade_usd=large_trade_usd)
        self._one = asyncio.Lock()

    async def alone(self, work: Callable[[], T]) -> T:
        async with self._one:
            return await asyncio.to_thread(work)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What to bring in: the gaps that are known (since `since`, if given), or the windows of all series.

    A piece that failed less than `retry_after` ago is left for later.
    """

    symbols: tuple[str, ...]
    streams: tuple[str, ...] | None = None
    window: Span | None = None
    since: Nanos | None = None
    retry_after: Nanos = 0


class Progress(msgspec.Struct, frozen=True):
    """How far it is: pieces done of those known, rows read and written, and what is under way."""

    pieces: int
    of: int
    seen: int
    written: int
    said: str


class Backfill:
    """Brings in the past for the venues given. Close it when it is no longer needed.

    `share` is the part of a venue's allowance that it may use, and `ease` how long it rests after each
    write, in lengths of that write: both leave room for live work. `rests` lends requests already open.
    """

    def __init__(
        self,
        desk: Desk,
        venues: dict[str, Venue],
        folder: Path,
        *,
        kind: Kind = "backfill",
        hosts: dict[str, Hosts] | None = None,
        share: float = 0.8,
        ease: float = 0.0,
        rests: dict[str, Rest] | None = None,
        clock: Clock = time.time_ns,
        sleep: Sleep = asyncio.sleep,
        transport: Transport | None = None,
        progress: Callable[[Progress], None] = lambda done: None,
    ) -> None:
        self._desk, self._venues = desk, venues
        self._kind: Kind = kind
        self._clock, self._sleep, self._ease, self._progress = clock, sleep, ease, progress
        lent = rests or {}
        self._own: list[Rest] = []
        self._rests: dict[str, Rest] = {}
        self._memory: dict[str, Memory] = {name: Memory() for name in venues}
        self._archives: dict[str, Archives] = {}
        self._of: dict[str, Archives] = {}
        self._turns: dict[str, dict[str, Window]] = {}
        for name, venue in venues.items():
            where = (hosts or {}).get(name, venue.hosts)
            if name not in lent:
                self._own.append(Rest(venue, where, clock=clock, sleep=sleep, transport=transport))
            self._rests[name] = lent[name] if name in lent else self._own[-1]
            self._turns[name] = {
                one.name: Window(max(one.limit * share, 1.0), one.per_s, clock) for one in venue.buckets
            }
            if where.archive and where.archive not in self._archives:
                self._archives[where.archive] = Archives(
                    where.archive, folder, clock=clock, sleep=sleep, transport=transport
                )
            if where.archive:
                self._of[name] = self._archives[where.archive]
        self._runs: dict[tuple[str, ...], Run] = {}
        self._ledger: Ledger | None = None
        self._exact = False
        self._done = 0
        self._known = 0
        self._counted = [0, 0]  # rows seen and written

    async def close(self) -> None:
        for one in (*self._own, *self._archives.values()):
            await one.close()

    # ── What to do ────────────────────────────────────────────────────────────────────────────

    async def run(self, asked: Asked) -> Report:
        """Bring in what is asked, mark the gaps that it fills, and tell what became of each piece.

        Raises `StoreUnusable` where the database cannot be written; what a venue does wrong is in the
        report.
        """
        now = self._clock()
        self._exact = asked.window is not None
        self._done = self._known = 0
        self._counted = [0, 0]
        report = Report()
        known = await self._desk.alone(self._read_ledger)
        if asked.window is not None:
            known = await self._as_published(known, asked.window)
        holes = await self._desk.alone(lambda: backfills.holes(self._desk.connection, asked.since))
        planned = self._plan(asked, holes, known, now, report)
        self._known = sum(map(len, planned.values()))
        try:
            async with asyncio.TaskGroup() as group:
                for name, todo in planned.items():
                    group.create_task(self._venue(self._venues[name], todo, report))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        chosen = {(name, symbol) for name in self._venues for symbol in asked.symbols}
        report.written = self._counted[1]
        settling = Settling(self._desk.connection, self.ledger, self._venues, report, self._run_of)
        await self._desk.alone(lambda: settling.settle(chosen, asked.streams, asked.since, self._clock()))
        if asked.window is not None:
            await self._desk.alone(settling.note_missing)
        return report

    def _read_ledger(self) -> list[Piece]:
        runs.check(self._desk.connection, self._kind)
        if self._ledger is None:
            self._ledger = Ledger(self._desk.connection)
        return self._ledger.pieces()

    @property
    def ledger(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger(self._desk.connection)
        return self._ledger

    def _streams(self, venue: Venue, asked: Asked) -> list[str]:
        offered = [one for one in venue.market.streams if not STREAMS[one].derived_from]
        return [one for one in offered if asked.streams is None or one in asked.streams]

    def _plan(
        self, asked: Asked, holes: Sequence[Hole], known: Sequence[Piece], now: Nanos, report: Report
    ) -> dict[str, list[Piece]]:
        """Return the pieces of each venue that are still to be done, oldest first."""
        planned: dict[str, list[Piece]] = {}
        by_series: dict[tuple[str, str, str], list[Span]] = {}
        for one in holes:
            if one.removed:
                continue
            by_series.setdefault(one.series, []).append((one.from_ts, one.until_ts))
        for venue in self._venues.values():
            for stream in self._streams(venue, asked):
                if why := past.nothing_of(venue, stream):
                    report.unfillable[f"{venue.name} {stream}"] = why
                    continue
                for symbol in asked.symbols:
                    series = (venue.name, symbol, stream)
                    mine = [one for one in known if one.series == series]
                    spans = [asked.window] if asked.window else merged(by_series.get(series, ()), NEAR)
                    todo = self._pieces(venue, series, spans, mine, now, asked, report)
                    planned.setdefault(venue.name, []).extend(todo)
        return {name: sorted(todo, key=_age) for name, todo in planned.items() if todo}

    def _pieces(
        self,
        venue: Venue,
        series: tuple[str, str, str],
        spans: Sequence[Span],
        mine: Sequence[Piece],
        now: Nanos,
        asked: Asked,
        report: Report,
    ) -> list[Piece]:
        _, symbol, stream = series
        done = [one.span for one in mine if one.state == "done"]
        todo: list[Piece] = []
        for first, last in spans:
            for part in less((first, min(last, now) // US * US), done):
                found, beyond = past.pieces(venue, symbol, stream, part, now)
                todo += found
                report.pieces += [
                    Piece(*series, *span, "history", "failed", said=why) for span, why in beyond
                ]
        if asked.window is None:  # what an earlier process began is finished
            todo += [one for one in mine if one.state == "waiting"]
        latest = {one: one for one in mine}
        keys = {(one.span, one.source): one for one in latest}
        todo = list({(one.span, one.source): keys.get((one.span, one.source), one) for one in todo}.values())
        return [
            one
            for one in todo
            if one.state != "failed" or one.tried is None or one.tried <= now - asked.retry_after
        ]

    async def _as_published(self, known: Sequence[Piece], window: Span) -> list[Piece]:
        """Return the pieces, without those in the window whose file has been replaced since."""
        found: list[Piece] = []
        for one in known:
            venue = self._venues.get(one.venue)
            archive = None if venue is None else venue.archive_of(one.stream)
            inside = one.from_ts < window[1] and one.until_ts > window[0]
            if venue is None or archive is None or not inside or not one.checksum or one.state != "done":
                found.append(one)
                continue
            try:
                path = past.path(archive, venue.native(one.symbol), one)
                published = await self._of[one.venue].checksum(path, archive.checksum)
            except (OrderflowError, KeyError):
                published = one.checksum  # what cannot be asked stays as it is
            if published == one.checksum:
                found.append(one)
        return found

    # ── Doing it ──────────────────────────────────────────────────────────────────────────────

    async def _venue(self, venue: Venue, todo: list[Piece], report: Report) -> None:
        """Do one venue's pieces, one after another; its failures are its own."""
        queue, unreachable = list(reversed(todo)), 0
        hopeless: dict[str, str] = {}
        while queue:
            piece = queue.pop()
            if unreachable >= PATIENCE or piece.symbol in hopeless:
                said = hopeless.get(piece.symbol, f"{venue.name} could not be asked; left for later")
                report.pieces.append(await self._fail(piece, said))
                continue
            self._tell(piece)
            try:
                done = await (
                    self._asked(venue, piece) if piece.source == "history" else self._archived(venue, piece)
                )
                report.pieces.append(await self._keep(done, state="done", said=past.lacks(venue, done)))
                unreachable = 0
            except NoData as error:
                others = past.instead(venue, piece, self._clock())
                if others:
                    await self._desk.alone(partial(self.ledger.drop, piece))
                    queue += reversed(others)
                    self._known += len(others)
                else:
                    report.pieces.append(await self._fail(piece, error.message))
            except StoreUnusable:
                raise
            except OrderflowError as error:
                unreachable = unreachable + 1 if isinstance(error, Retry) else 0
                if isinstance(error, Banned):
                    unreachable = PATIENCE
                if isinstance(error, UnknownSymbol):
                    hopeless[piece.symbol] = error.message
                report.pieces.append(await self._fail(piece, error.message))
            self._done += 1
            self._tell(piece)

    async def _asked(self, venue: Venue, piece: Piece) -> Piece:
        """Bring in a piece over REST."""
        form = venue.history_of(piece.stream)
        if form is None:
            raise NoData(past.nothing_of(venue, piece.stream))
        piece = await self._begun(piece)
        await self._listed(venue)
        since, until = self._window(piece, form.step or 0)
        pages = history.pages(
            self._rests[venue.name],
            form,
            history.Asked(piece.symbol, since, until - 1),
            self._memory[venue.name],
            begin=msgspec.json.decode(piece.place, type=history.Place) if piece.place else None,
            turn=partial(self._turn, venue.name),
            sleep=self._sleep,
        )
        async for page in pages:
            place = "" if page.next is None else msgspec.json.encode(page.next).decode()
            piece = await self._write(piece, page.events, place, len(page.events))
        return piece

    async def _listed(self, venue: Venue) -> None:
        """Learn what contracts are worth, once, where a venue counts in them."""
        memory = self._memory[venue.name]
        if venue.listing is None or not venue.needs_contracts or memory.contracts:
            return
        frame = await self._rests[venue.name].request(venue.listing)
        for event in understood(venue, frame):
            if isinstance(event, Instrument):
                memory.learn(event)

    async def _archived(self, venue: Venue, piece: Piece) -> Piece:
        """Bring in a piece from a file."""
        form, archives = venue.archive_of(piece.stream), self._of.get(venue.name)
        if form is None or archives is None:
            raise NoData(f"no address of an archive is known for {venue.name}")
        piece = await self._begun(piece)
        path = past.path(form, venue.native(piece.symbol), piece)
        checksum = await archives.checksum(path, form.checksum)
        if checksum != piece.checksum:  # another file than the one that was begun
            piece = msgspec.structs.replace(piece, checksum=checksum, place="", seen=0, written=0)
        file = await archives.file(path, checksum, partial(self._arrived, piece))
        read = int(piece.place or 0)
        decode = self._decoder(venue, form.layout, piece, form.params, path)
        with closing(files.rows(file, read)) as chunks:
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                events = await asyncio.to_thread(decode, chunk, read)
                read += len(chunk)
                piece = await self._write(piece, events, str(read), len(events))
        return piece

    def _decoder(
        self, venue: Venue, layout: str, piece: Piece, params: dict[str, str], path: str
    ) -> Callable[[list[bytes], int], list[Event]]:
        endpoint = next(one for one in venue.tables if one.name == layout)
        query = {"symbol": piece.symbol, **params}
        event, received = STREAMS[piece.stream].event, self._clock()
        since, until = self._window(piece, MINUTE)
        memory = self._memory[venue.name]

        def decode(chunk: list[bytes], read: int) -> list[Event]:
            found: list[Event] = []
            for number, row in enumerate(chunk, read + 1):
                try:
                    said = endpoint.decode(row, query, received, memory)
                except (ValueError, IndexError, msgspec.MsgspecError) as error:
                    raise VenueChanged(
                        f"{path}, row {number}: not of {layout}: {error}: {row[:120]!r}"
                    ) from error
                found += [one for one in said if type(one) is event and since <= when(one) < until]
            return found

        return decode

    def _window(self, piece: Piece, step: Nanos) -> Span:
        """Return what is read for a piece: a little more than a gap, exactly what was asked for."""
        if self._exact:
            return piece.span
        return piece.from_ts - max(PAD, step), piece.until_ts + PAD

    async def _turn(self, venue: str, endpoint: Endpoint) -> None:
        if (window := self._turns[venue].get(endpoint.bucket)) is not None:
            await turn(window, self._sleep, endpoint.weight)

    # ── The database ──────────────────────────────────────────────────────────────────────────

    async def _begun(self, piece: Piece) -> Piece:
        def begin() -> Piece:
            known = self.ledger.known(piece)
            begun = msgspec.structs.replace(known, state="waiting", said="", fills=piece.fills)
            self.ledger.put(begun)
            return begun

        return await self._desk.alone(begin)

    async def _write(self, piece: Piece, events: Sequence[Event], place: str, seen: int) -> Piece:
        """Write a part and where the next begins; a bar that still changes is left to live collecting."""
        kept = [one for one in events if not (isinstance(one, Candle) and not one.closed)]

        def write() -> tuple[Piece, float]:
            began = time.perf_counter()
            written = 0
            if kept:
                batch = Batch({(piece.venue, piece.stream): kept}, [], [], [])
                written = self._desk.writer.write(batch, self._run_of(piece)).rows.get(piece.stream, 0)
            after = msgspec.structs.replace(
                piece, place=place, seen=piece.seen + seen, written=piece.written + written
            )
            self.ledger.put(after)
            return after, time.perf_counter() - began

        after, took_s = await self._desk.alone(write)
        self._counted[0] += seen
        self._counted[1] += after.written - piece.written
        self._tell(after)
        if self._ease:
            await self._sleep(took_s * self._ease)
        return after

    async def _keep(self, piece: Piece, **changes: object) -> Piece:
        kept = msgspec.structs.replace(piece, tried=self._clock(), **changes)
        await self._desk.alone(partial(self.ledger.put, kept))
        return kept

    async def _fail(self, piece: Piece, said: str) -> Piece:
        known = await self._desk.alone(partial(self.ledger.known, piece))
        log.info("%s %s %s: %s", *piece.series, said)
        return await self._keep(known, state="failed", said=said)

    def _run_of(self, piece: Piece) -> Run:
        """Return the run that a piece's rows belong to: it lasts as long as what it brings in."""
        key = (*piece.series, _utc(piece.from_ts), _utc(piece.until_ts), piece.source)
        if key not in self._runs:
            self._runs[key] = runs.begin(
                self._desk.connection,
                self._kind,
                runs.PAST + " ".join(key),
                started=piece.from_ts,
                ended=piece.until_ts,
                version=__version__,
                settings={"source": piece.source, "checksum": piece.checksum},
            )
        return self._runs[key]

    # ── Telling ───────────────────────────────────────────────────────────────────────────────

    def _tell(self, piece: Piece, more: str = "") -> None:
        said = (
            f"{piece.venue} {piece.symbol} {piece.stream} {_utc(piece.from_ts)[:10]} ({piece.source}){more}"
        )
        self._progress(Progress(self._done, self._known, self._counted[0], self._counted[1], said))

    def _arrived(self, piece: Piece, size: int) -> None:
        self._tell(piece, f", {size / 1e6:,.1f} MB")


def _age(piece: Piece) -> tuple[Nanos, str, str]:
    return piece.from_ts, piece.stream, piece.symbol


def _utc(ns: Nanos) -> str:
    seconds, rest = divmod(ns, SECOND)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 1000:06d}Z"

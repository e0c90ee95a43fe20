"""Replay: recordings into a database, the same rows each time, in any process, at any speed."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from orderflow import __version__
from orderflow.feed.frames import Frame
from orderflow.feed.recordings import CAPTURES, Recording, digest, expand, recording
from orderflow.feed.sync import BOOK_INTERVAL_MS
from orderflow.jobs.pipeline import Pipeline, Tally
from orderflow.market.errors import OrderflowError, ProtocolRetired, RecordingRetired, RecordingUnreadable
from orderflow.market.events import Event, Gap, Instrument, Nanos
from orderflow.market.streams import STREAMS
from orderflow.store import runs
from orderflow.store.live import Live
from orderflow.store.runs import Kind
from orderflow.store.tables import Connection
from orderflow.store.writer import Writer
from orderflow.venues.spec import Memory, Venue, answer

FLUSH_ROWS = 50_000
LISTING_BYTES = 4 * 1024 * 1024  # larger recordings are not looked through for listings


class Progress(msgspec.Struct, frozen=True):
    """How far a replay is: files done of all, and frames read so far."""

    files: int
    of: int
    frames: int
    path: Path


class Report(msgspec.Struct):
    """What a replay found. `rows` counts each table after it, `written` the rows that were new."""

    frames: int = 0
    used: int = 0
    ignored: Counter[str] = msgspec.field(default_factory=Counter)
    unknown: Counter[str] = msgspec.field(default_factory=Counter)
    gaps: list[Gap] = []
    rows: dict[str, int] = {}
    written: Counter[str] = msgspec.field(default_factory=Counter)
    source: str = "replay"
    refused: list[str] = []  # recordings of protocols that are spoken no longer

    def add(self, tally: Tally) -> None:
        self.frames += tally.frames
        self.used += tally.used
        self.ignored += tally.ignored
        self.unknown += tally.unknown


def replay(
    paths: Sequence[Path],
    connection: Connection,
    venues: dict[str, Venue],
    *,
    venue: str | None = None,
    symbol: str | None = None,
    book_interval_ms: int = BOOK_INTERVAL_MS,
    progress: Callable[[Progress], None] = lambda done: None,
) -> Report:
    """Replay recordings, or folders of them, one after another; each file is a run of its own.

    Raises `RecordingUnreadable` at the first that cannot be read; what came before it is in the database.
    """
    files = expand(paths)
    report = Report()
    listed = _listed(files, venues)
    before: Path | None = None
    for place, path in enumerate(files):
        found = recording(path, venue=venue, symbol=symbol, after=before)
        before = path
        told = report.frames

        def tell(frames: int, place: int = place, path: Path = path, told: int = told) -> None:
            progress(Progress(place, len(files), told + frames, path))

        try:
            _replay_file(found, connection, venues, report, book_interval_ms, tell, listed)
        except RecordingRetired as error:
            if len(files) == 1:
                raise
            report.refused.append(error.message)
    progress(Progress(len(files), len(files), report.frames, files[-1]))
    report.rows = {
        name: connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]  # noqa: S608 - declared names
        for name in (*STREAMS, "gaps", "instruments", "runs")
    }
    return report


def _replay_file(
    found: Recording,
    connection: Connection,
    venues: dict[str, Venue],
    report: Report,
    book_interval_ms: int,
    tell: Callable[[int], None],
    listed: Sequence[Instrument],
) -> None:
    batches = iter(found)
    first = next(batches, [])
    _refuse_if_retired(found, first, venues, listed)
    kind: Kind = "simulated" if found.about.get("kind") == "simulated" else "replay"
    if kind == "simulated":
        report.source = "simulated"
    run = runs.begin(
        connection,
        kind,
        f"recording {digest(found.path)}",
        started=_began(first, venues),
        version=__version__,
        settings={"recording": found.path.name, "book_interval_ms": book_interval_ms},
    )
    writer = Writer(connection, run)
    pipeline = Pipeline(venues, writer, Live(kind), book_interval_ms=book_interval_ms)
    pipeline.only(found.about.get("symbols"))
    pipeline.learn(listed)
    last: Sequence[Frame] = first
    try:
        for batch in _chained(first, batches):
            last = batch
            pipeline.take(batch)
            if writer.waiting >= FLUSH_ROWS:
                report.written += Counter(writer.flush().rows)
                tell(pipeline.tally.frames)
    finally:
        report.written += Counter(writer.flush().rows)
        runs.end(connection, run, max(pipeline.last_ts or _ended(last, venues), run.started))
        report.add(pipeline.tally)
        report.frames += found.sent.total()
        report.ignored += found.sent
        report.gaps += pipeline.live.gaps()


def _listed(files: Sequence[Path], venues: dict[str, Venue]) -> list[Instrument]:
    """Return what the listings in small recordings say, so that contracts of any file have a size.

    A recording of frames seldom holds the listing that its sizes need: it lies in a file beside it.
    """
    found: list[Instrument] = []
    if not any(one.needs_contracts for one in venues.values()):
        return found
    for path in files:
        if not path.name.endswith(CAPTURES) or path.stat().st_size > LISTING_BYTES:
            continue
        with suppress(RecordingUnreadable):  # which is said when its turn comes
            for batch in recording(path):
                for frame in batch:
                    venue = venues.get(frame.venue)
                    if frame.kind == "http" and venue is not None and venue.needs_contracts:
                        found += [one for one in _events([frame], venues) if isinstance(one, Instrument)]
    return found


def _refuse_if_retired(
    found: Recording, first: Sequence[Frame], venues: dict[str, Venue], listed: Sequence[Instrument]
) -> None:
    """Raise `RecordingRetired` where most of the first frames are of a protocol that is spoken no longer."""
    received, retired = 0, list[ProtocolRetired]()
    memories: dict[str, Memory] = {name: Memory() for name in venues}
    for one in listed:
        memories[one.venue].learn(one)
    for frame in first:
        venue = venues.get(frame.venue)
        if venue is None or frame.kind in ("note", "book"):
            continue
        received += 1
        try:
            if frame.kind == "ws":
                venue.decode(frame.payload, frame.ts_recv, memories[frame.venue])
            else:
                answer(venue, frame.url, frame.payload, frame.ts_recv, memories[frame.venue])
        except ProtocolRetired as error:
            retired.append(error)
        except (msgspec.MsgspecError, ValueError, OrderflowError):
            continue  # the pipeline counts it
    if 2 * len(retired) > received:
        said = retired[0]
        raise RecordingRetired(
            f"{found.path}: refused, nothing of it is taken: {said.message}",
            hint=said.hint or "only recordings of today's protocol can be read",
        )


def _chained(first: list[Frame], rest: Iterator[list[Frame]]) -> Iterator[list[Frame]]:
    yield first
    yield from rest


def _began(frames: Sequence[Frame], venues: dict[str, Venue]) -> Nanos:
    """Return when a recording begins: when its first frame came, or what that frame says of its time."""
    known = next((frame.ts_recv for frame in frames if frame.ts_recv), 0)
    if known:
        return known
    for event in _events(frames, venues):
        if event.ts_event is not None:
            return event.ts_event
    return 0


def _ended(frames: Sequence[Frame], venues: dict[str, Venue]) -> Nanos:
    """Return the latest time that frames tell: rows of a table were received by nobody, and say when they happened."""
    return max((event.ts_event for event in _events(frames, venues) if event.ts_event is not None), default=0)


def _events(frames: Sequence[Frame], venues: dict[str, Venue]) -> Iterator[Event]:
    for frame in frames:
        venue = venues.get(frame.venue)
        if venue is None or frame.kind in ("note", "book"):
            continue
        try:
            if frame.kind == "ws":
                yield from venue.decode(frame.payload, 0, Memory())
            else:
                yield from answer(venue, frame.url, frame.payload, 0)
        except (msgspec.MsgspecError, ValueError, OrderflowError):
            continue  # the pipeline counts it

"""Ours: every frame decoded, full books and live state kept, rows packed as a flush takes them.

The pipeline is the one that live, recorded and replayed frames go through. Each second's worth of frames
is taken from the writer and packed, as the thread that flushes does; nothing is inserted. The recorded
listing goes through it before the clock starts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cache

import duckdb
import msgspec

from bench.recordings import Best, Recording, expected
from bench.scenarios import Done, Run, Told
from bench.subjects import Frame as Recorded
from orderflow import __version__
from orderflow.feed.frames import Frame
from orderflow.jobs.pipeline import Pipeline
from orderflow.market.streams import STREAMS
from orderflow.store import runs, tables
from orderflow.store.live import Live
from orderflow.store.rows import packed
from orderflow.store.writer import Writer
from orderflow.venues import ALL

PER_WAKE_UP = 64  # frames that a busy socket hands over at once
PER_FLUSH = 20_000  # frames in a busy second


class House(msgspec.Struct, frozen=True):
    """A pipeline with its writer on a database, and the frames to send through it by flush and wake-up."""

    pipeline: Pipeline
    writer: Writer
    seconds: list[list[list[Frame]]]


def begun(connection: duckdb.DuckDBPyConnection) -> runs.Run:
    """Make the tables of a database; return its run."""
    tables.create(connection)
    return runs.begin(connection, "replay", "bench", started=0, version=__version__, settings={})


def house(recording: Recording, connection: duckdb.DuckDBPyConnection, run: runs.Run) -> House:
    writer = Writer(connection, run)
    pipeline = Pipeline(ALL, writer, Live("replay"))
    listed = frames_of(recording.listing)
    pipeline.take(listed)
    writer.take()
    pipeline.tally.frames -= len(listed)
    seconds = [list(_cut(second, PER_WAKE_UP)) for second in _cut(frames_of(recording.frames), PER_FLUSH)]
    return House(pipeline, writer, seconds)


def frames_of(frames: Sequence[Recorded]) -> list[Frame]:
    return [Frame(one.venue, one.ts_recv, one.raw, one.kind, one.url) for one in frames]


def _cut(frames: list[Frame], size: int) -> Iterator[list[Frame]]:
    for start in range(0, len(frames), size):
        yield frames[start : start + size]


@cache
def _memory() -> tuple[duckdb.DuckDBPyConnection, runs.Run]:
    """One database for all runs of a process: nothing is written to it here."""
    connection = duckdb.connect()
    return connection, begun(connection)


def prepare(recording: Recording) -> Run:
    made = house(recording, *_memory())

    def run() -> Told:
        rows: Counter[str] = Counter()
        numbers: defaultdict[str, int] = defaultdict(lambda: len(numbers))
        take = made.pipeline.take
        for second in made.seconds:
            for frames in second:
                take(frames)
            for (_, stream), events in made.writer.take().events.items():
                rows[stream] += len(packed(STREAMS[stream], events, numbers)[0])
        return lambda: Done(*_told(made.pipeline, rows, recording))

    return run


def _told(pipeline: Pipeline, rows: Counter[str], recording: Recording) -> tuple[dict[str, int], Best]:
    """Count by kind, and name the books' best prices as the venue names its symbols."""
    tally, subject = pipeline.tally, recording.subject
    if tally.unknown:
        raise SystemExit(f"ours did not understand: {dict(tally.unknown)}")
    if tally.frames != len(recording.frames):
        raise SystemExit(f"ours took {tally.frames} of {len(recording.frames)} frames")
    counts = {subject.ours.kinds[one]: number for one, number in rows.items() if one in subject.ours.kinds}
    for reason, times in tally.ignored.items():
        for beginning, kind in subject.ours.ignored.items():
            if reason.startswith(beginning):
                counts[kind] = counts.get(kind, 0) + times
    books = {
        symbol: one.book for lane in pipeline._lanes.values() for symbol, one in lane.sync._watched.items()
    }
    counts["levels"] = sum(len(book.bids) + len(book.asks) for book in books.values())
    named = {subject.ours.symbol(native): native for native in expected(recording).best}
    best = {
        named[symbol]: (max(one.bids, default=None), min(one.asks, default=None))
        for symbol, one in books.items()
    }
    return {kind: times for kind, times in counts.items() if times}, best

"""Ours: every frame decoded, full books and live state kept, rows packed as a flush takes them.

The pipeline is the one that live, recorded and replayed frames go through. Each second's worth of frames
is taken from the writer and packed, as the thread that flushes does; nothing is inserted.
"""

from collections import Counter
from collections.abc import Iterator

import duckdb
import msgspec

from bench.recordings import Best, Recording
from bench.scenarios import Done, Run
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

KINDS = {"prices": "quotes", "trades": "trades", "mark_prices": "marks", "candles": "candles"}


class House(msgspec.Struct, frozen=True):
    """A pipeline with its writer on a database, and the frames to send through it by flush and wake-up."""

    pipeline: Pipeline
    writer: Writer
    seconds: list[list[list[Frame]]]


def house(recording: Recording, connection: duckdb.DuckDBPyConnection) -> House:
    tables.create(connection)
    run = runs.begin(
        connection,
        "replay",
        recording.name,
        started=recording.frames[0].ts_recv,
        version=__version__,
        settings={},
    )
    writer = Writer(connection, run)
    pipeline = Pipeline(ALL, writer, Live("replay"))
    frames = [Frame(one.venue, one.ts_recv, one.raw, one.kind, one.url) for one in recording.frames]
    seconds = [list(_cut(second, PER_WAKE_UP)) for second in _cut(frames, PER_FLUSH)]
    return House(pipeline, writer, seconds)


def _cut(frames: list[Frame], size: int) -> Iterator[list[Frame]]:
    for start in range(0, len(frames), size):
        yield frames[start : start + size]


def prepare(recording: Recording) -> Run:
    made = house(recording, duckdb.connect())
    numbers = {symbol: number for number, symbol in enumerate(recording.snapshots)}

    def run() -> Done:
        rows: Counter[str] = Counter()
        take = made.pipeline.take
        for second in made.seconds:
            for frames in second:
                take(frames)
            for (_, stream), events in made.writer.take().events.items():
                rows[stream] += len(packed(STREAMS[stream], events, numbers)[0])
        return Done(
            counts=_counts(made.pipeline, rows, recording), best=_best(made.pipeline, recording.venue)
        )

    return run


def _counts(pipeline: Pipeline, rows: Counter[str], recording: Recording) -> dict[str, int]:
    tally = pipeline.tally
    if tally.unknown:
        raise SystemExit(f"ours did not understand: {dict(tally.unknown)}")
    counts = {KINDS[stream]: number for stream, number in rows.items() if stream in KINDS}
    # What is left out on purpose here are rows of the trade stream that are no trades.
    counts["trades"] = counts.get("trades", 0) + tally.ignored.total()
    counts["diffs"] = tally.frames - len(recording.frames) + len(recording.messages) - sum(counts.values())
    return counts


def _best(pipeline: Pipeline, venue: str) -> Best:
    books = {symbol: one.book for symbol, one in pipeline._lanes[venue].sync._watched.items()}
    return {symbol: (max(book.bids), min(book.asks)) for symbol, book in books.items()}

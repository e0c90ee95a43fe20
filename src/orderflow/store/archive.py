"""Archive: days that are over leave the hot tables for one sorted Parquet file a series and day.

A day of a stream is compacted in one transaction on a cursor of its own, while rows go on being written:
the files are made from the transaction's snapshot, so that a row which is flushed meanwhile stays hot and
is taken along by the next pass. Only the last part, in which the hot rows go and the views are written
anew, needs the writer to pause: it holds `lock`. What the transaction's commit did not name is no part of
the database, so a process that dies leaves every row where it was.

Rows that come later for a day that is archived are united with its file into a further edition.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime

import duckdb
import msgspec

from orderflow.market.errors import StoreUnusable
from orderflow.market.events import HOUR, SECOND, Nanos
from orderflow.market.streams import STREAMS
from orderflow.store import layout
from orderflow.store.identifiers import identifier
from orderflow.store.rewriting import Conflict, HotSeries, Rewriting, only_final

log = logging.getLogger(__name__)

COMPACT_AFTER: Nanos = 6 * HOUR  # rows of a day still come for a while: from sockets that lag, and backfills
PART_ROWS = 3_000_000  # taken out in one transaction, which takes some tenths of a second

Lock = Callable[[], AbstractContextManager[object]]


class Compacted(msgspec.Struct, frozen=True):
    """A day of a stream that was compacted: rows taken out of the hot table, and the files written."""

    stream: str
    day: date
    rows: int = 0
    files: int = 0
    bytes: int = 0
    seconds: float = 0.0
    locked_s: float = 0.0  # how long the writer had to wait, at the longest


def closed_days(
    connection: duckdb.DuckDBPyConnection, *, now: Nanos | None = None, after: Nanos = COMPACT_AFTER
) -> list[tuple[str, date]]:
    """Return the (stream, day) pairs with hot rows of days that ended more than `after` ago, oldest first."""
    now = time.time_ns() if now is None else now
    where = layout.of(connection)
    if where.root is None:
        return []
    last = datetime.fromtimestamp((now - after) // SECOND, UTC).date()
    found: list[tuple[str, date]] = []
    with connection.cursor() as cursor:
        for stream in STREAMS.values():
            days = cursor.execute(
                f"SELECT DISTINCT timestamp::DATE FROM {identifier(where.hot(stream.name))}"
                f" WHERE timestamp < ?{only_final(stream)}",
                [last],
            ).fetchall()
            found += [(stream.name, day) for (day,) in days]
    return sorted(found, key=lambda one: (one[1], list(STREAMS).index(one[0])))


def compact_closed(
    connection: duckdb.DuckDBPyConnection,
    *,
    now: Nanos | None = None,
    after: Nanos = COMPACT_AFTER,
    lock: Lock = nullcontext,
    rest: Callable[[], bool] = lambda: True,
    progress: Callable[[Compacted], None] = lambda done: None,
) -> list[Compacted]:
    """Compact every day that is over; return what was done. Not two at once.

    `rest` is called between files; where it returns False the pass ends, with nothing half done.
    A day that another has changed meanwhile is left for the next pass.
    """
    done: list[Compacted] = []
    for stream, day in closed_days(connection, now=now, after=after):
        try:
            found = compact(connection, stream, day, lock=lock, rest=rest)
        except Conflict as error:
            log.info("compaction of %s %s put off: %s", stream, day, error.message)
            continue
        if found is None:
            break
        progress(found)
        done.append(found)
    return done


def compact(
    connection: duckdb.DuckDBPyConnection,
    stream: str,
    day: date,
    *,
    lock: Lock = nullcontext,
    rest: Callable[[], bool] = lambda: True,
) -> Compacted | None:
    """Move a day of a stream from its hot table to the archive; None where `rest` ended it.

    Raises `Conflict` where the rows were changed meanwhile, `StoreUnusable` where the disk is full. Then
    what was under way is as it was; a day of very many rows is moved in several parts.
    """
    began, done = time.perf_counter(), Compacted(stream, day)
    seen: set[tuple[str, str]] = set()
    while True:
        with Rewriting.begun(connection, STREAMS[stream], f"{stream} of {day}") as rewriting:
            part = _part(rewriting.hot_series(day), seen)
            if not part:
                return msgspec.structs.replace(done, seconds=round(time.perf_counter() - began, 3))
            if len(part) > 1:
                rewriting.sort(day, part)
            for venue, symbol, rows in part:
                if not rest():
                    return None
                rewriting.unite(venue, symbol, day, rows)
            with lock():
                locked = time.perf_counter()
                gone = rewriting.delete(day, part)
                if gone != sum(rows for *_, rows in part):
                    raise StoreUnusable(f"{gone} rows would go, and {part} were archived")
                rewriting.commit()
                locked_s = time.perf_counter() - locked
        seen |= {(venue, symbol) for venue, symbol, _ in part}
        done = msgspec.structs.replace(
            done,
            rows=done.rows + gone,
            files=done.files + len(rewriting.made),
            bytes=done.bytes + sum(one.bytes for one in rewriting.made),
            locked_s=round(max(done.locked_s, locked_s), 3),
        )


def _part(hot: Sequence[HotSeries], seen: Collection[tuple[str, str]]) -> list[HotSeries]:
    """Return the next series to archive in one transaction: so many that the writer waits but a moment."""
    found: list[HotSeries] = []
    for one in hot:
        if one[:2] in seen:
            continue
        if found and sum(rows for *_, rows in (*found, one)) > PART_ROWS:
            break
        found.append(one)
    return found

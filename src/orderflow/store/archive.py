"""Archive: days that are over leave the hot tables for one sorted Parquet file a series and day.

A day of a stream is compacted in one transaction on a cursor of its own, while rows go on being written:
the files are made from the transaction's snapshot, so that a row which is flushed meanwhile stays hot and
is taken along by the next pass. Only the last part, in which the hot rows go and the views are written
anew, needs the writer to pause: it holds `lock`. What the transaction's commit did not name is no part of
the database, so a process that dies leaves files that `sweep` removes, and every row where it was.

Rows that come later for a day that is archived are united with its file into a further edition. Files
that no longer count are left in place for a while: a reader may be in the middle of them.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec

from orderflow.market.errors import StoreUnusable
from orderflow.market.events import HOUR, SECOND, Nanos
from orderflow.market.instruments import Series
from orderflow.market.streams import CANDLES, OPEN_INTEREST, STREAMS, Stream
from orderflow.store import layout, tables
from orderflow.store.identifiers import identifier, text
from orderflow.store.layout import Layout

log = logging.getLogger(__name__)

COMPACT_AFTER: Nanos = 6 * HOUR  # rows of a day still come for a while: from sockets that lag, and backfills
ROW_GROUP = 122_880
_FORMAT = f"(FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE {ROW_GROUP})"
_DRAFT = ".draft"

Lock = Callable[[], AbstractContextManager[object]]


class Compacted(msgspec.Struct, frozen=True):
    """A day of a stream that was compacted: rows taken out of the hot table, and the files written."""

    stream: str
    day: date
    rows: int
    files: int
    bytes: int
    seconds: float
    locked_s: float  # how long the writer had to wait


class Archived(msgspec.Struct, frozen=True):
    """A file of the archive as the table `archived` names it; times are UTC."""

    stream: str
    venue: str
    symbol: str
    day: date
    file: str
    rows: int
    bytes: int
    first: datetime
    last: datetime
    last_id: int
    last_order: int | None
    last_value: float | None
    thinned_ms: int | None = None


class Conflict(StoreUnusable):
    """Rows were changed by another while they were compacted: nothing has happened, and a later pass does it."""


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
                f" WHERE timestamp < ?{_only_final(stream)}",
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

    Raises `Conflict` where the rows were changed meanwhile, `StoreUnusable` where the disk is full; then
    all is as it was.
    """
    began = time.perf_counter()
    cursor = connection.cursor()
    rewriting = Rewriting(cursor, STREAMS[stream])
    try:
        cursor.begin()
        hot = _hot_series(cursor, rewriting.layout, STREAMS[stream], day)
        for venue, symbol, rows in hot:
            if not rest():
                rewriting.undo()
                return None
            rewriting.unite(venue, symbol, day, rows)
        with lock():
            locked = time.perf_counter()
            gone = _delete(cursor, rewriting.layout, STREAMS[stream], day)
            if gone != sum(rows for *_, rows in hot):
                raise StoreUnusable(f"{gone} rows of {stream} on {day} would go, and {hot} were archived")
            rewriting.commit()
            locked_s = time.perf_counter() - locked
    except BaseException as error:
        rewriting.undo()
        if isinstance(error, duckdb.TransactionException):
            raise Conflict(f"the rows were changed meanwhile: {_one_line(error)}") from error
        if isinstance(error, duckdb.Error | OSError):
            raise StoreUnusable(
                f"{stream} of {day} could not be archived: {_one_line(error)}", hint="free some disk space"
            ) from error
        raise
    finally:
        cursor.close()
    taken = time.perf_counter() - began
    made = rewriting.made
    return Compacted(
        stream, day, gone, len(made), sum(one.bytes for one in made), round(taken, 3), round(locked_s, 3)
    )


class Rewriting:
    """Files of one stream that are written, and take the place of others, in one transaction of `cursor`."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, stream: Stream) -> None:
        self.layout = layout.of(cursor)
        self.made: list[Archived] = []
        self._cursor, self._stream = cursor, stream
        self._replaced: list[Archived] = []

    @property
    def root(self) -> Path:
        if self.layout.root is None:
            raise StoreUnusable("a database in memory, or a lake, has no archive")
        return self.layout.root

    def unite(self, venue: str, symbol: str, day: date, expected: int) -> None:
        """Write the hot rows of a series' day, with those that its file has already."""
        old = archived(self._cursor, self._stream.name, venue, symbol, day)
        hot = (
            f"SELECT * FROM {identifier(self.layout.hot(self._stream.name))} WHERE venue = {text(venue)}"
            f" AND symbol = {text(symbol)} AND {_within(day)}{_only_final(self._stream)}"
        )
        rows = " UNION ALL BY NAME ".join([hot, *(self.rows_of([one]) for one in old)])
        if old and self._stream is OPEN_INTEREST:
            rows = _changes(rows, self._before(venue, symbol, day))
        self.write(venue, symbol, day, rows, old, expected + sum(one.rows for one in old))
        if self._stream is OPEN_INTEREST:
            self._tell_next(venue, symbol, day)

    def rows_of(self, files: Sequence[Archived]) -> str:
        """Return a query over archived files."""
        chosen = [layout.File(one.venue, one.symbol, one.file) for one in files]
        return layout.archived(self.layout, chosen)

    def write(
        self,
        venue: str,
        symbol: str,
        day: date,
        rows: str,
        old: Sequence[Archived],
        expected: int | None = None,
        thinned_ms: int | None = None,
    ) -> Archived:
        """Write what a query gives as the further edition of a series' day, in the place of `old`."""
        target = self._free(venue, symbol, day)
        draft = target.with_name(target.name + _DRAFT)
        draft.parent.mkdir(parents=True, exist_ok=True)
        self._cursor.execute(
            f"COPY (SELECT * EXCLUDE (venue, symbol) FROM ({rows}) ORDER BY timestamp, id)"
            f" TO {text(str(draft))} {_FORMAT}"
        )
        found = self._measured(draft, target, venue, symbol, day, thinned_ms)
        if expected is not None and found.rows != expected:
            draft.unlink()
            raise StoreUnusable(f"{draft}: {found.rows} rows were written, not {expected}")
        _make_durable(draft, target)
        self.made.append(found)
        self._replaced += old
        return found

    def drop(self, files: Sequence[Archived]) -> None:
        """Let files no longer count."""
        self._replaced += files

    def commit(self) -> None:
        """Name the new files in the place of the old ones, and let the views read them."""
        now = datetime.fromtimestamp(time.time_ns() / SECOND, UTC).replace(tzinfo=None)
        for one in self._replaced:
            self._cursor.execute(
                "UPDATE archived SET dropped = ? WHERE file = ? AND dropped IS NULL", [now, one.file]
            )
        names = [*Archived.__struct_fields__, "written"]
        for one in self.made:
            self._cursor.execute(
                f"INSERT INTO archived ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                [*msgspec.structs.astuple(one), now],
            )
        touched = dict.fromkeys((one.venue, one.symbol) for one in (*self._replaced, *self.made))
        stream = self._stream.name
        tables.unite(
            self._cursor, [stream], [Series(symbol, venue, stream, False) for venue, symbol in touched]
        )
        self._cursor.commit()

    def undo(self) -> None:
        """Roll back, and remove the files that were written."""
        try:
            self._cursor.rollback()
        except duckdb.Error:  # none is under way: it never began, or its commit failed
            log.debug("nothing to roll back")
        for one in self.made:
            (self.root / one.file).unlink(missing_ok=True)

    def _free(self, venue: str, symbol: str, day: date) -> Path:
        """Return the path of the first edition that no row names and no file has."""
        named = {
            file
            for (file,) in self._cursor.execute(
                "SELECT file FROM archived WHERE stream = ? AND venue = ? AND symbol = ? AND day = ?",
                [self._stream.name, venue, symbol, day],
            ).fetchall()
        }
        edition = 1
        while True:
            file = layout.archived_file(self._stream.name, venue, symbol, day, edition)
            if file not in named and not (self.root / file).exists():
                return self.root / file
            edition += 1

    def _measured(
        self, draft: Path, target: Path, venue: str, symbol: str, day: date, thinned_ms: int | None
    ) -> Archived:
        """Read back what was written: its rows, and what the writer must know of the highest of them."""
        value = "arg_max_null(open_interest, timestamp)" if self._stream is OPEN_INTEREST else "NULL::DOUBLE"
        found = self._cursor.execute(
            f"SELECT count(*), min(timestamp), max(timestamp), max(id), max({tables.order(self._stream)}),"
            f" {value} FROM read_parquet({text(str(draft))})"
        ).fetchone()
        if found is None or not found[0]:
            raise StoreUnusable(f"{draft}: nothing was written")
        rows, first, last, last_id, last_order, last_value = found
        size, file = draft.stat().st_size, target.relative_to(self.root).as_posix()
        stream = self._stream.name
        return Archived(
            stream, venue, symbol, day, file, rows, size, first, last, last_id, last_order, last_value, thinned_ms
        )  # fmt: skip

    # ── Changes of open interest ──────────────────────────────────────────────────────────────

    def _before(self, venue: str, symbol: str, when: date | datetime) -> float | None:
        """Return the open interest of the last row before an instant."""
        found = self._cursor.execute(
            f"SELECT arg_max_null(open_interest, timestamp) FROM {OPEN_INTEREST.name}"
            " WHERE venue = ? AND symbol = ? AND timestamp < ?",
            [venue, symbol, when],
        ).fetchone()
        return None if found is None else found[0]

    def _tell_next(self, venue: str, symbol: str, day: date) -> None:
        """Reckon the first change of the archived day that follows anew, where it is another now."""
        following = archived(self._cursor, OPEN_INTEREST.name, venue, symbol, after=day)[:1]
        if not following:
            return
        old = self.rows_of(following)
        before = self._before(venue, symbol, following[0].first)
        told, value = self._cursor.execute(
            f"SELECT oi_change, open_interest FROM ({old}) ORDER BY timestamp, id LIMIT 1"
        ).fetchall()[0]
        if told != (None if value is None or before is None else value - before):
            self.write(venue, symbol, following[0].day, _changes(old, before), following, following[0].rows)


def archived(
    cursor: duckdb.DuckDBPyConnection,
    stream: str,
    venue: str | None = None,
    symbol: str | None = None,
    day: date | None = None,
    *,
    after: date | None = None,
) -> list[Archived]:
    """Return the archived files that count, oldest first: of a stream, a series, a day, the days after one."""
    names = ", ".join(Archived.__struct_fields__)
    found = cursor.execute(
        f"SELECT {names} FROM archived WHERE stream = $stream AND dropped IS NULL"
        " AND ($venue IS NULL OR venue = $venue) AND ($symbol IS NULL OR symbol = $symbol)"
        " AND ($day IS NULL OR day = $day) AND ($after IS NULL OR day > $after) ORDER BY day, venue, symbol",
        {"stream": stream, "venue": venue, "symbol": symbol, "day": day, "after": after},
    ).fetchall()
    return [Archived(*row) for row in found]


def _hot_series(
    cursor: duckdb.DuckDBPyConnection, where: Layout, stream: Stream, day: date
) -> list[tuple[str, str, int]]:
    return cursor.execute(
        f"SELECT venue::VARCHAR, symbol::VARCHAR, count(*) FROM {identifier(where.hot(stream.name))}"
        f" WHERE {_within(day)}{_only_final(stream)} GROUP BY ALL ORDER BY 1, 2"
    ).fetchall()


def _delete(cursor: duckdb.DuckDBPyConnection, where: Layout, stream: Stream, day: date) -> int:
    ((gone,),) = cursor.execute(
        f"DELETE FROM {identifier(where.hot(stream.name))} WHERE {_within(day)}{_only_final(stream)}"
    ).fetchall()
    return gone


def _within(day: date) -> str:
    return f"timestamp >= DATE '{day}' AND timestamp < DATE '{day + timedelta(days=1)}'"


def _only_final(stream: Stream) -> str:
    """Return the condition that leaves out rows which a later one may still replace."""
    return " AND closed" if stream is CANDLES else ""


def _changes(rows: str, before: float | None) -> str:
    """Return a query that reckons the changes of open interest anew; `before` is that of the row before."""
    told = "NULL" if before is None else repr(before)
    lag = f"lag(open_interest, 1, {told}::DOUBLE) OVER (ORDER BY timestamp, id)"
    return f"SELECT * REPLACE (open_interest - {lag} AS oi_change) FROM ({rows})"


def _make_durable(draft: Path, target: Path) -> None:
    """Give a file that was written its name, so that it is whole under it whatever happens to the machine."""
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    draft.rename(target)
    for folder in (target.parent, *list(target.parents)[1:4]):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

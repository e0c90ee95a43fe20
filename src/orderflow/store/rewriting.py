"""Rewriting: files of the archive written, and named in the place of others, in one transaction.

A file gets its name when it is whole and on the disk, and counts from the commit that names it in the
table `archived`. A process that dies before leaves a file that no row names, which `sweeping` removes.
Files that no longer count are left in place for a while: a reader may be in the middle of them.
"""

import logging
import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec

from orderflow.market.errors import StoreUnusable
from orderflow.market.events import SECOND
from orderflow.market.instruments import Series
from orderflow.market.streams import CANDLES, OPEN_INTEREST, Stream
from orderflow.store import layout, tables
from orderflow.store.identifiers import identifier, text

log = logging.getLogger(__name__)

ROW_GROUP = 122_880
DRAFT = ".draft"  # of a file that is being written
_FORMAT = f"(FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE {ROW_GROUP})"

HotSeries = tuple[str, str, int]  # venue, symbol, rows


class Archived(msgspec.Struct):
    """A file of the archive as the table `archived` names it; times are microseconds, UTC."""

    stream: str
    venue: str
    symbol: str
    day: date
    file: str
    rows: int
    bytes: int
    first_us: int
    last_us: int
    last_id: int
    last_order: int | None
    last_value: float | None
    thinned_ms: int | None = None


_COLUMNS = [name.removesuffix("_us") for name in Archived.__struct_fields__]
_TOLD = ", ".join("make_timestamp(?)" if name in ("first", "last") else "?" for name in _COLUMNS)


class Conflict(StoreUnusable):
    """Rows were changed by another while they were compacted: nothing has happened, and a later pass does it."""


class Rewriting:
    """Files of one stream that are written, and take the place of others, in one transaction of `cursor`."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, stream: Stream) -> None:
        self.layout = layout.of(cursor)
        self.made: list[Archived] = []
        self.cursor, self.stream = cursor, stream
        self.hot = self._source = identifier(self.layout.hot(stream.name))
        self._replaced: list[Archived] = []
        self._committed = False

    @classmethod
    @contextmanager
    def begun(
        cls, connection: duckdb.DuckDBPyConnection, stream: Stream, what: str
    ) -> "Generator[Rewriting]":
        """Begin a transaction; unless it is committed, all is undone that was done in it.

        Raises `Conflict` where another changed the same rows, `StoreUnusable` where the disk is full.
        """
        cursor = connection.cursor()
        one = cls(cursor, stream)
        try:
            cursor.begin()
            yield one
        except duckdb.TransactionException as error:
            raise Conflict(f"{what}: changed meanwhile: {_one_line(error)}") from error
        except (duckdb.Error, OSError) as error:
            said = f"{what} could not be archived: {_one_line(error)}"
            raise StoreUnusable(said, hint="is the disk full?") from error
        finally:
            if not one._committed:
                one._undo()
            cursor.execute("DROP TABLE IF EXISTS temp.sorted")
            cursor.close()

    def hot_series(self, day: date) -> list[HotSeries]:
        """Return the series with rows of a day that can be archived, and how many."""
        return self.cursor.execute(
            f"SELECT venue::VARCHAR, symbol::VARCHAR, count(*) FROM {self.hot}"
            f" WHERE {_within(day)}{only_final(self.stream)} GROUP BY ALL ORDER BY 1, 2"
        ).fetchall()

    def sort(self, day: date, series: Sequence[HotSeries]) -> None:
        """Gather the rows of a day of some series, sorted, for `unite` to take them from.

        The hot table lies in order of time, so that each of a hundred series is strewn over all of it.
        """
        self.cursor.execute(
            f"CREATE OR REPLACE TEMP TABLE sorted AS SELECT * FROM {self.hot}"
            f" WHERE {_within(day)}{only_final(self.stream)} AND {_among(series)}"
            " ORDER BY venue, symbol, timestamp, id"
        )
        self._source = "sorted"

    def delete(self, day: date, series: Sequence[HotSeries]) -> int:
        """Take the rows of a day of some series out of the hot table; return how many."""
        ((gone,),) = self.cursor.execute(
            f"DELETE FROM {self.hot} WHERE {_within(day)}{only_final(self.stream)} AND {_among(series)}"
        ).fetchall()
        return gone

    @property
    def root(self) -> Path:
        if self.layout.root is None:
            raise StoreUnusable("a database in memory, or a lake, has no archive")
        return self.layout.root

    def unite(self, venue: str, symbol: str, day: date, expected: int) -> None:
        """Write the hot rows of a series' day, with those that its file has already."""
        old = archived(self.cursor, self.stream.name, venue, symbol, day)
        hot = (
            f"SELECT * FROM {self._source} WHERE venue = {text(venue)}"
            f" AND symbol = {text(symbol)} AND {_within(day)}{only_final(self.stream)}"
        )
        rows = " UNION ALL BY NAME ".join([hot, *(self.rows_of([one]) for one in old)])
        if old and self.stream is OPEN_INTEREST:
            rows = _changes(rows, self._before(venue, symbol, _midnight_us(day)))
        if every := max((one.thinned_ms or 0 for one in old), default=0):
            self.write(venue, symbol, day, last_of_each(rows, every), old, thinned_ms=every)
        else:
            self.write(venue, symbol, day, rows, old, expected + sum(one.rows for one in old))
        if self.stream is OPEN_INTEREST:
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
        draft = target.with_name(target.name + DRAFT)
        draft.parent.mkdir(parents=True, exist_ok=True)
        self.cursor.execute(
            f"COPY (SELECT * EXCLUDE (venue, symbol) FROM ({rows}) ORDER BY timestamp, id)"
            f" TO {text(str(draft))} {_FORMAT}"
        )
        found = self._measured(draft, target, venue, symbol, day, thinned_ms)
        found.last_id = max(found.last_id, *(one.last_id for one in old), 0)  # no id is given twice
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

    def commit(self, *, views: bool = True) -> None:
        """Name the new files in the place of the old ones, and let the views read them."""
        now = datetime.fromtimestamp(time.time_ns() / SECOND, UTC).replace(tzinfo=None)
        for one in self._replaced:
            self.cursor.execute(
                "UPDATE archived SET dropped = ? WHERE file = ? AND dropped IS NULL", [now, one.file]
            )
        for one in self.made:
            self.cursor.execute(
                f"INSERT INTO archived ({', '.join(_COLUMNS)}, written) SELECT {_TOLD}, ?",
                [*msgspec.structs.astuple(one), now],
            )
        touched = dict.fromkeys((one.venue, one.symbol) for one in (*self._replaced, *self.made))
        stream = self.stream.name
        if views:
            series = [Series(symbol, venue, stream, False) for venue, symbol in touched]
            tables.unite(self.cursor, [stream], series)
        self.cursor.commit()
        self._committed = True

    def _undo(self) -> None:
        """Roll back, and remove the files that were written."""
        try:
            self.cursor.rollback()
        except duckdb.Error:  # none is under way: it never began, or its commit failed
            log.debug("nothing to roll back")
        # a commit that was interrupted may have come about: what is named stays
        named = {file for (file,) in self.cursor.execute("SELECT file FROM archived").fetchall()}
        for one in self.made:
            if one.file not in named:
                (self.root / one.file).unlink(missing_ok=True)

    def _free(self, venue: str, symbol: str, day: date) -> Path:
        """Return the path of the first edition that no row names and no file has."""
        named = {
            file
            for (file,) in self.cursor.execute(
                "SELECT file FROM archived WHERE stream = ? AND venue = ? AND symbol = ? AND day = ?",
                [self.stream.name, venue, symbol, day],
            ).fetchall()
        }
        edition = 1
        while True:
            file = layout.archived_file(self.stream.name, venue, symbol, day, edition)
            if file not in named and not (self.root / file).exists():
                return self.root / file
            edition += 1

    def _measured(
        self, draft: Path, target: Path, venue: str, symbol: str, day: date, thinned_ms: int | None
    ) -> Archived:
        """Read back what was written: its rows, and what the writer must know of the highest of them."""
        value = "arg_max_null(open_interest, timestamp)" if self.stream is OPEN_INTEREST else "NULL::DOUBLE"
        found = self.cursor.execute(
            f"SELECT count(*), epoch_us(min(timestamp)), epoch_us(max(timestamp)), max(id), max({tables.order(self.stream)}),"
            f" {value} FROM read_parquet({text(str(draft))})"
        ).fetchone()
        if found is None or not found[0]:
            raise StoreUnusable(f"{draft}: nothing was written")
        rows, first, last, last_id, last_order, last_value = found
        size, file = draft.stat().st_size, target.relative_to(self.root).as_posix()
        stream = self.stream.name
        return Archived(
            stream, venue, symbol, day, file, rows, size, first, last, last_id, last_order, last_value, thinned_ms
        )  # fmt: skip

    # ── Changes of open interest ──────────────────────────────────────────────────────────────

    def _before(self, venue: str, symbol: str, us: int) -> float | None:
        """Return the open interest of the last row before an instant."""
        found = self.cursor.execute(
            f"SELECT arg_max_null(open_interest, timestamp) FROM {OPEN_INTEREST.name}"
            " WHERE venue = ? AND symbol = ? AND timestamp < make_timestamp(?)",
            [venue, symbol, us],
        ).fetchone()
        return None if found is None else found[0]

    def _tell_next(self, venue: str, symbol: str, day: date) -> None:
        """Reckon the first change of the archived day that follows anew, where it is another now."""
        following = archived(self.cursor, OPEN_INTEREST.name, venue, symbol, after=day)[:1]
        if not following:
            return
        old = self.rows_of(following)
        before = self._before(venue, symbol, following[0].first_us)
        told, value = self.cursor.execute(
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
    names = ", ".join(one if one not in ("first", "last") else f"epoch_us({one})" for one in _COLUMNS)
    found = cursor.execute(
        f"SELECT {names} FROM archived WHERE stream = $stream AND dropped IS NULL"
        " AND ($venue IS NULL OR venue = $venue) AND ($symbol IS NULL OR symbol = $symbol)"
        " AND ($day IS NULL OR day = $day) AND ($after IS NULL OR day > $after) ORDER BY day, venue, symbol",
        {"stream": stream, "venue": venue, "symbol": symbol, "day": day, "after": after},
    ).fetchall()
    return [Archived(*row) for row in found]


def _midnight_us(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86_400_000_000


def last_of_each(rows: str, every_ms: int) -> str:
    """Return a query that keeps the last row of each stretch of so many milliseconds."""
    bucket = f"epoch_us(timestamp) // {every_ms * 1000}"
    order = "timestamp DESC, id DESC"
    return f"FROM ({rows}) QUALIFY row_number() OVER (PARTITION BY {bucket} ORDER BY {order}) = 1"


def _within(day: date) -> str:
    return f"timestamp >= DATE '{day}' AND timestamp < DATE '{day + timedelta(days=1)}'"


def _among(series: Sequence[HotSeries]) -> str:
    chosen = ", ".join(f"({text(venue)}, {text(symbol)})" for venue, symbol, _ in series)
    return f"(venue::VARCHAR, symbol::VARCHAR) IN ({chosen})"


def only_final(stream: Stream) -> str:
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

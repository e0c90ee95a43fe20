"""Copying: rows of our store into a desk's tables, each once, with the marks that say how far it is.

A mark is the highest `id` copied of a series. It is committed with its rows, so that a copying which
ends anywhere goes on where it was. Rows that come late have higher ids than those before them. Where a
store was begun anew, or an older one was put in its place, ids count from below again: the marked row is
not there, or is another one, and its series is copied from its beginning; rows that are there already stay.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from orderflow.store.desk import rows, schema
from orderflow.store.desk.postgres import lay_out, sql
from orderflow.store.desk.schema import PROGRAM
from orderflow.store.identifiers import text
from orderflow.store.layout import Layout
from orderflow.store.reader import Reader

if TYPE_CHECKING:
    import psycopg

BATCH = 5_000  # rows of one transaction
_SPARSE = ("large_trades",)  # whose ids are those of the trades: between two, others may be none of ours

Series = tuple[str, str]  # venue, symbol


class Mark(NamedTuple):
    """Up to which row of a series all were copied, and when we received that row."""

    number: int
    stamped: datetime


class Copier:
    """Copies the streams of a store to a schema, over one connection to each. Not for two threads at once."""

    def __init__(
        self,
        connection: "psycopg.Connection[Any]",
        reader: Reader,
        schema_name: str,
        streams: Sequence[str],
        *,
        batch: int = BATCH,
    ) -> None:
        self._connection, self._reader = connection, reader
        self._schema, self._streams, self._batch = schema_name, tuple(streams), batch
        self._layout = Layout()
        self._marks: dict[str, dict[Series, Mark]] = {}
        self._symbols: set[str] = set()
        self._origin = ""

    def begin(self) -> bool:
        """Make ready; False where nothing ran in this store yet, or another copier has it in hand.

        Raises `StoreUnusable` for a schema that cannot take this store's rows.
        """
        runs = self._reader.runs()
        if not runs:
            return False
        self._origin = runs[0].key  # as no other store begins, save a copy of this one
        archive = "SELECT table_name FROM duckdb_tables() WHERE table_name = 'archived'"
        self._layout = Layout(lake=not self._reader.rows(archive))
        simulated = self._reader.kind == "simulated"
        lay_out(self._connection, self._schema, "simulated" if simulated else "real")
        ((alone,),) = self._connection.execute(
            "SELECT pg_try_advisory_lock(hashtext(%s), hashtext(%s))",
            [f"{PROGRAM} {self._schema}", self._origin],
        ).fetchall()
        if not alone:
            return False
        for table in {rows.TABLE_OF[stream] for stream in self._streams}:
            self._connection.execute(
                sql(
                    f"CREATE TEMP TABLE staged_{table} (LIKE {self._schema}.{table}, number BIGINT)"
                    " ON COMMIT DELETE ROWS"
                )
            )
            self._connection.execute(sql(f"ALTER TABLE staged_{table} ALTER created_at DROP NOT NULL"))
        for stream in self._streams:
            self._marks[stream] = self._still_true(stream, self._told(stream))
        return True

    def look(self) -> dict[str, dict[Series, int]]:
        """Return how many rows wait to be copied, by stream and series; streams with none are left out."""
        self._tell_symbols()
        found = {stream: self._waiting(stream) for stream in self._streams}
        return {stream: series for stream, series in found.items() if series}

    def copy(self, stream: str, series: Sequence[Series]) -> Iterator[int]:
        """Copy what waits of some series; yield the rows of each batch, once it is committed."""
        table = rows.TABLE_OF[stream]
        names = [*rows.columns(table), "number"]
        exchange, symbol = names.index("exchange"), names.index("symbol")
        archived = self._archived(stream)
        for where, wanted in (
            (self._layout.hot(stream), [one for one in series if one not in archived]),
            (stream, [one for one in series if one in archived]),
        ):
            left = sorted(wanted)
            while left:
                found = self._read(stream, where, left, [*names, "stamped"])
                if not found:
                    break
                self._write(table, stream, names, found)
                yield len(found)
                last = found[-1][exchange], found[-1][symbol]
                left = [one for one in left if one >= last] if len(found) == self._batch else []

    def close(self) -> None:
        self._connection.close()

    # ── What the store has ────────────────────────────────────────────────────────────────────

    def _waiting(self, stream: str) -> dict[Series, int]:
        hot = self._reader.rows(
            "SELECT venue::VARCHAR, symbol::VARCHAR, max(id)"
            f" FROM {self._layout.hot(stream)} WHERE {rows.KEPT} GROUP BY 1, 2"
        )
        tops = self._archived(stream)
        for venue, symbol, top in hot:
            tops[venue, symbol] = max(top, tops.get((venue, symbol), 0))
        behind = {series: top - self._mark(stream, series) for series, top in tops.items()}
        behind = {series: count for series, count in behind.items() if count > 0}
        if behind and stream in _SPARSE:
            found = self._reader.rows(
                f"SELECT m.venue, m.symbol, count(*) FROM {self._beyond(stream, stream, list(behind))}"
                " GROUP BY 1, 2"
            )
            return {(venue, symbol): count for venue, symbol, count in found}
        return behind

    def _archived(self, stream: str) -> dict[Series, int]:
        """Return the highest id in the archive of each series that has rows there beyond its mark."""
        if self._layout.lake:
            return {}
        found = self._reader.rows(
            "SELECT venue, symbol, max(last_id) FROM archived"
            " WHERE stream = ? AND dropped IS NULL GROUP BY 1, 2",
            [stream],
        )
        return {
            (venue, symbol): last
            for venue, symbol, last in found
            if last > self._mark(stream, (venue, symbol))
        }

    def _mark(self, stream: str, series: Series) -> int:
        found = self._marks[stream].get(series)
        return 0 if found is None else found.number

    def _read(
        self, stream: str, where: str, series: Sequence[Series], names: Sequence[str]
    ) -> list[tuple[Any, ...]]:
        """Return the next rows of some series from `where`, in order of series and id.

        Days may be archived at any moment: a series whose rows have just left the hot table is passed
        over, by the same statement and so by the same snapshot, until the next look.
        """
        guard = ""
        if where != stream:
            guard = (
                f" WHERE NOT EXISTS (SELECT 1 FROM archived AS a WHERE a.stream = '{stream}'"
                " AND a.dropped IS NULL AND a.venue = m.venue AND a.symbol = m.symbol AND a.last_id > m.number)"
            )
        picked = (
            f"(SELECT s.* FROM {self._beyond(stream, where, series)}{guard}"
            f" ORDER BY m.venue, m.symbol, s.id LIMIT {self._batch})"
        )
        said = ", ".join(f'"{name}"' for name in names)
        return self._reader.rows(
            f"SELECT {said} FROM ({rows.query(stream, picked)}) ORDER BY exchange, symbol, number"
        )

    def _beyond(self, stream: str, where: str, series: Sequence[Series]) -> str:
        """Return a stream's rows `s` beyond the marks `m` of some series."""
        values = ", ".join(
            f"({text(venue)}, {text(symbol)}, {self._mark(stream, (venue, symbol))})"
            for venue, symbol in series
        )
        return (
            f"(SELECT * FROM {where} WHERE {rows.KEPT}) AS s"
            f" JOIN (VALUES {values}) AS m(venue, symbol, number)"
            " ON s.venue::VARCHAR = m.venue AND s.symbol::VARCHAR = m.symbol AND s.id > m.number"
        )

    def _still_true(self, stream: str, marks: dict[Series, Mark]) -> dict[Series, Mark]:
        """Return the marks whose rows the store has, or had; the others are of a store that is no more."""
        if not marks:
            return {}
        values = ", ".join(
            f"({text(venue)}, {text(symbol)}, {mark.number})" for (venue, symbol), mark in marks.items()
        )
        found = self._reader.rows(
            f"SELECT s.venue::VARCHAR, s.symbol::VARCHAR, max(s.id),"
            " max(CASE WHEN s.id = m.number THEN coalesce(s.received, s.timestamp) END)"
            f" FROM {stream} AS s JOIN (VALUES {values}) AS m(venue, symbol, number)"
            " ON s.venue::VARCHAR = m.venue AND s.symbol::VARCHAR = m.symbol AND s.id >= m.number GROUP BY 1, 2"
        )
        stamped = {(venue, symbol): when for venue, symbol, _, when in found}
        return {
            series: mark
            for series, mark in marks.items()
            if series in stamped and stamped[series] in (None, mark.stamped)
        }

    # ── What PostgreSQL has ───────────────────────────────────────────────────────────────────

    def _told(self, stream: str) -> dict[Series, Mark]:
        found = self._connection.execute(
            sql(
                "SELECT exchange, symbol, number, stamped AT TIME ZONE 'UTC'"
                f" FROM {self._schema}.desk_progress WHERE origin = %s AND stream = %s"
            ),
            [self._origin, stream],
        )
        return {(venue, symbol): Mark(number, when) for venue, symbol, number, when in found.fetchall()}

    def _tell_symbols(self) -> None:
        """Tell which symbols the store knows, so that either answers alike to one that has no rows."""
        known = set(self._reader.symbols())
        if not known <= self._symbols:
            self._connection.cursor().executemany(
                sql(f"INSERT INTO {self._schema}.desk_symbols VALUES (%s) ON CONFLICT DO NOTHING"),
                [[one] for one in sorted(known)],
            )
            self._symbols = known

    def _write(self, table: str, stream: str, names: Sequence[str], found: Sequence[tuple[Any, ...]]) -> None:
        """Write rows, of each series in order, and the marks that they move, as a whole or not at all."""
        exchange, symbol = names.index("exchange"), names.index("symbol")
        marks = {(row[exchange], row[symbol]): Mark(*row[-2:]) for row in found}
        said = ", ".join(f'"{name}"' for name in names)
        with self._connection.transaction(), self._connection.cursor() as cursor:
            with cursor.copy(sql(f"COPY staged_{table} ({said}) FROM STDIN")) as copy:
                for row in found:
                    copy.write_row(row[:-1])
            cursor.execute(sql(_insert(self._schema, table)))
            cursor.executemany(
                sql(
                    f"INSERT INTO {self._schema}.desk_progress VALUES (%s, %s, %s, %s, %s, %s)"
                    " ON CONFLICT (origin, stream, exchange, symbol)"
                    " DO UPDATE SET number = excluded.number, stamped = excluded.stamped"
                ),
                [(self._origin, stream, *series, *mark) for series, mark in marks.items()],
            )
        self._marks[stream].update(marks)


def _insert(schema_name: str, table: str) -> str:
    """Return the statement that takes staged rows which are not there yet.

    A venue may use a trade's id again: then the later trade's id ends in its time.
    """
    names = rows.columns(table)
    said = ", ".join(f'"{name}"' for name in names)
    into = f"INSERT INTO {schema_name}.{table} ({said})"
    if table != "large_trades":
        return f"{into} SELECT {said} FROM staged_{table} ORDER BY number ON CONFLICT (id) DO NOTHING"
    there = f"SELECT FROM {schema_name}.{table} AS t WHERE t.id = s.id"
    same = "date_trunc('milliseconds', t.timestamp) = date_trunc('milliseconds', s.timestamp)"
    timed = (
        f"left(s.id, {schema.LONGEST_ID - 21}) || '_' || (extract(epoch FROM s.timestamp) * 1000000)::bigint"
    )
    own = (
        f"CASE WHEN EXISTS ({there} AND {same}) THEN s.id"
        f" WHEN s.turn > 1 OR EXISTS ({there}) THEN {timed} ELSE s.id END"
    )
    others = ", ".join(f's."{name}"' for name in names if name != "id")
    return (
        f"{into} SELECT {own}, {others} FROM"
        f" (SELECT *, row_number() OVER (PARTITION BY id ORDER BY number) AS turn FROM staged_{table}) AS s"
        " ORDER BY s.number ON CONFLICT (id) DO NOTHING"
    )

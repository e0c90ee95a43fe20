"""Mending: what `checking` found is put right, each fault in one transaction; what is lost is said to be.

A file that cannot be read is set aside beside its place, and no longer named; its stretch is a gap, which a
backfill fills where the venue still has it.
"""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import duckdb

from orderflow.market.errors import StoreUnusable
from orderflow.market.streams import STREAMS, Stream
from orderflow.store import backfills, layout, sweeping, tables
from orderflow.store.checking import Fault, check, lost_files, place_among_equals
from orderflow.store.identifiers import identifier, text
from orderflow.store.migrations import migrate
from orderflow.store.rewriting import Rewriting, archived
from orderflow.store.sweeping import SET_ASIDE
from orderflow.store.tables import transaction

LOST = "archived file lost: "


def mend(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Put right what can be, for the one owner of a database; return what was done, a sentence each.

    Files come first: while one is missing, no view that names it can be read. Raises `StoreUnusable`.
    """
    done: list[str] = []
    try:
        if lost := lost_files(connection):
            done += _take_out(connection, lost)
        migrate(connection)
        if tables.follow(connection):
            done.append("the views look for the archive where it lies now")
        for one in check(connection, thorough=True):
            done += _mended(connection, one)
        # what was hidden by a fault shows once that is mended
        done += [said for one in check(connection, thorough=True) for said in _mended(connection, one)]
    except duckdb.Error as error:
        said = " ".join(str(error).split())[:300]
        raise StoreUnusable(f"the database could not be mended: {said}", hint="restore a backup") from error
    swept = sweeping.sweep(connection, grace=0)
    if swept.files:
        done.append(f"{swept.files} files that nothing names were deleted, {swept.bytes / 1e6:,.1f} MB")
    tables.checkpoint(connection)
    return done


def _mended(connection: duckdb.DuckDBPyConnection, fault: Fault) -> list[str]:
    match fault.kind:
        case "views":
            with transaction(connection) as cursor:
                cursor.execute(tables.SOURCES)
                tables.unite(cursor)
                tables.name_again(cursor)
            return ["the missing views are there again"]
        case "runs":
            return _end_runs(connection)
        case "doubles":
            return [_single(connection, STREAMS[fault.stream], fault)]
        case "ids":
            return [_renumbered(connection, STREAMS[fault.stream], fault)]
        case "number":
            with transaction(connection) as cursor:
                cursor.execute("UPDATE archived SET last_id = ? WHERE file = ?", [fault.number, fault.file])
            return [f"{fault.file}: its highest id is noted"]
        case _:
            return []


def _take_out(connection: duckdb.DuckDBPyConnection, lost: Sequence[Fault]) -> list[str]:
    """Let files that are lost be named no longer, and say what is missing with them."""
    root = layout.of(connection).root or Path()
    with transaction(connection) as cursor:
        for one in lost:
            ((first, last),) = cursor.execute(
                "DELETE FROM archived WHERE file = ? RETURNING epoch_us(first), epoch_us(last) + 1",
                [one.file],
            ).fetchall()
            series = (one.venue, one.symbol, one.stream)
            cursor.execute(
                'INSERT INTO gaps (venue, symbol, stream, "from", "until", reason, filled_at, run)'
                " SELECT ?, ?, ?, make_timestamp(?), make_timestamp(?), ?, NULL, coalesce(max(id), 0) FROM runs",
                [*series, first, last, f"{LOST}{Path(one.file).name}"],
            )
            backfills.forget(cursor, series, first, last)
        tables.unite(cursor)
        tables.name_again(cursor)  # those that have no file any more, too
    for one in lost:
        if (root / one.file).exists():
            (root / one.file).rename(root / f"{one.file}{SET_ASIDE}")
    return [
        f"{one.said}; it is named no longer, and its rows are a gap"
        + (f"; set aside as {one.file}{SET_ASIDE}" if (root / f"{one.file}{SET_ASIDE}").exists() else "")
        for one in lost
    ]


def _end_runs(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Let killed runs end with the last row that they wrote, or where they began."""
    last = " UNION ALL ".join(
        f"SELECT run, max(received) AS last FROM {identifier(name)} GROUP BY run" for name in STREAMS
    )
    with transaction(connection) as cursor:
        ended = cursor.execute(
            f"UPDATE runs SET ended = greatest(started, coalesce((SELECT max(last) FROM ({last}) AS seen"
            " WHERE seen.run = runs.id), started)) WHERE ended IS NULL RETURNING id"
        ).fetchall()
    return [f"{len(ended)} runs that were killed end with their last row"]


def _single(connection: duckdb.DuckDBPyConnection, stream: Stream, fault: Fault) -> str:
    """Keep one of the rows that are there twice, in the file of their day or the hot table."""
    day = fault.day
    if day is None:
        raise StoreUnusable(f"{fault.said}: on no day")
    what = f"{fault.stream} of {fault.venue} {fault.symbol} on {day}"
    with Rewriting.begun(connection, stream, what) as rewriting:
        cursor = rewriting.cursor
        mine = (
            f"venue = {text(fault.venue)} AND symbol = {text(fault.symbol)} AND timestamp >= DATE '{day}'"
            f" AND timestamp < DATE '{day + timedelta(days=1)}'"
        )
        old = archived(cursor, stream.name, fault.venue, fault.symbol, day)
        if old:
            hot = f"SELECT * FROM {rewriting.hot} WHERE {mine}"
            rows = f"{hot} UNION ALL BY NAME {rewriting.rows_of(old)}"
            again = place_among_equals(stream)
            single = (
                f"SELECT * EXCLUDE (again) FROM (SELECT *, {again} AS again FROM ({rows})) WHERE NOT again"
            )
            before = sum(one.rows for one in old)
            ((had,),) = cursor.execute(f"SELECT count(*) FROM ({hot})").fetchall()
            made = rewriting.write(fault.venue, fault.symbol, day, single, old, thinned_ms=old[0].thinned_ms)
            cursor.execute(f"DELETE FROM {rewriting.hot} WHERE {mine}")
            gone = before + had - made.rows
        else:
            ((gone,),) = cursor.execute(
                f"DELETE FROM {rewriting.hot} WHERE rowid IN (SELECT rowid FROM (SELECT rowid,"
                f" {place_among_equals(stream)} AS again FROM {rewriting.hot} WHERE {mine}) WHERE again)"
            ).fetchall()
        rewriting.commit()
    return f"{gone:,} rows of {what} that were there twice are there once"


def _renumbered(connection: duckdb.DuckDBPyConnection, stream: Stream, fault: Fault) -> str:
    """Give hot rows whose id another row has too a new one, beyond all others."""
    series = f"venue = {text(fault.venue)} AND symbol = {text(fault.symbol)}"
    hot = identifier(layout.of(connection).hot(stream.name))
    with transaction(connection) as cursor:
        changed = cursor.execute(
            f"UPDATE {hot} SET id = given.id FROM (SELECT place, (SELECT max(id) FROM {stream.name} WHERE {series})"
            " + row_number() OVER (ORDER BY timestamp, place) AS id FROM (SELECT rowid AS place, timestamp, id,"
            f" row_number() OVER (PARTITION BY id ORDER BY timestamp, rowid) AS nth FROM {hot} WHERE {series})"
            f" WHERE nth > 1 OR id IN (SELECT id FROM ({_archived_ids(cursor, stream, fault)}))"
            f") AS given WHERE {hot}.rowid = given.place RETURNING 1"
        ).fetchall()
    left = fault.number - len(changed)
    return f"{len(changed):,} ids of {fault.venue} {fault.symbol} {fault.stream} were given anew" + (
        f"; {left:,} are in archived files and stay" if left > 0 else ""
    )


def _archived_ids(cursor: duckdb.DuckDBPyConnection, stream: Stream, fault: Fault) -> str:
    where = layout.of(cursor)
    old = archived(cursor, stream.name, fault.venue, fault.symbol)
    files = [layout.File(one.venue, one.symbol, one.file) for one in old]
    return f"SELECT id FROM ({layout.archived(where, files)})" if files else "SELECT NULL::BIGINT AS id"

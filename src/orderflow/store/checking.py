"""Checking: is everything there that the database names, and is no row there twice; each fault with what mends it.

Quick checks look at the catalogue and the footers of archived files. Thorough ones read every row.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

import duckdb
import msgspec

from orderflow.market.events import US
from orderflow.market.instruments import Series
from orderflow.market.streams import STREAMS, Stream
from orderflow.store import layout, sweeping
from orderflow.store.identifiers import identifier, text
from orderflow.store.layout import Layout
from orderflow.store.session import Session

Kind = Literal["moved", "file", "number", "orphans", "views", "runs", "doubles", "ids"]

_AT_ONCE = 500  # footers read in one statement
_SHOWN = 3


class Fault(msgspec.Struct, frozen=True):
    """Something that is not as it should be; `wrong` where answers suffer from it.

    `file`, or `stream`, `venue`, `symbol` and `day`, say where.
    """

    kind: Kind
    said: str
    wrong: bool = True
    file: str = ""
    stream: str = ""
    venue: str = ""
    symbol: str = ""
    day: date | None = None
    number: int = 0


def check(
    connection: duckdb.DuckDBPyConnection, *, thorough: bool = False, running: bool = False
) -> list[Fault]:
    """Look at a database that is open here; return what is wrong with it, the worst first."""
    return faults(Session(connection), layout.of(connection), thorough=thorough, running=running)


def lost_files(connection: duckdb.DuckDBPyConnection) -> list[Fault]:
    """Read all archived files through; return those that are missing, damaged, or not what is noted."""
    root = layout.of(connection).root
    found = [] if root is None else _files(Session(connection), root, thorough=True)
    return [one for one in found if one.kind == "file"]


def faults(session: Session, where: Layout, *, thorough: bool = False, running: bool = False) -> list[Fault]:
    """Look at a database, here or through the process that serves it (`running`)."""
    if where.root is None:
        return []
    found = [*_moved(session, where.root), *_files(session, where.root, thorough)]
    found += [*_views(session), *_orphans(session, where.root), *_runs(session, running)]
    if thorough and not any(one.wrong for one in found):  # its views can be read
        found += [*_doubles(session), *_ids(session)]
    return found


def _moved(session: Session, root: Path) -> Iterator[Fault]:
    told = session.rows("SELECT value FROM about WHERE key = 'archive'")
    archived = session.rows("SELECT count(*) FROM archived")[0][0]
    if archived and told != [(str(root),)]:
        was = told[0][0] if told else "another place"
        yield Fault("moved", f"the database was moved: its views look for archived days in {was}")


# ── Files ─────────────────────────────────────────────────────────────────────────────────────


def _files(session: Session, root: Path, thorough: bool) -> Iterator[Fault]:
    """Find archived files that are not there, cannot be read, or hold other rows than the catalogue says."""
    told = session.rows(
        "SELECT file, rows, last_id, stream, venue, symbol, day FROM archived WHERE dropped IS NULL ORDER BY file"
    )
    reader = duckdb.connect(config={"threads": 2})
    try:
        for begin in range(0, len(told), _AT_ONCE):
            part = told[begin : begin + _AT_ONCE]
            counts = _footers(reader, [root / row[0] for row in part])
            for (file, rows, last_id, *place), count in zip(part, counts, strict=True):
                fault = Fault("file", "", True, file, *place)
                said = _judged(reader, root / file, rows, count, thorough)
                if said:
                    yield msgspec.structs.replace(fault, said=f"archived file {file}: {said}")
                elif thorough:
                    ((highest,),) = reader.execute(
                        f"SELECT max(id) FROM {_parquet([root / file])}"
                    ).fetchall()
                    if highest > last_id:
                        said = f"{file} holds ids up to {highest}, and {last_id} is noted"
                        yield msgspec.structs.replace(fault, kind="number", said=said, number=highest)
    finally:
        reader.close()


def _judged(
    reader: duckdb.DuckDBPyConnection, path: Path, rows: int, count: int | str, thorough: bool
) -> str:
    if not path.is_file():
        return "missing"
    if isinstance(count, str):
        return f"cannot be read: {count}"
    if count != rows:
        return f"has {count:,} rows, not {rows:,}"
    if thorough:
        try:
            reader.execute(f"SELECT max(hash(one)) FROM {_parquet([path])} AS one").fetchall()
        except duckdb.Error as error:
            return f"cannot be read: {_one_line(error)}"
    return ""


def _footers(reader: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> list[int | str]:
    """Return the rows that each file says it has, or why it says nothing."""
    listed = ", ".join(text(str(path)) for path in paths)
    try:
        found = dict(
            reader.execute(f"SELECT file_name, num_rows FROM parquet_file_metadata([{listed}])").fetchall()
        )
        return [found[str(path)] for path in paths]
    except (duckdb.Error, KeyError) as error:
        if len(paths) == 1:
            return [_one_line(error)]
        return [_footers(reader, [path])[0] for path in paths]


def _parquet(paths: Iterable[Path]) -> str:
    return f"read_parquet([{', '.join(text(str(path)) for path in paths)}], hive_partitioning = false)"


def _orphans(session: Session, root: Path) -> Iterator[Fault]:
    named = {file for (file,) in session.rows("SELECT file FROM archived")}
    if left := sweeping.left_over(root, named):
        size = sum(one.stat().st_size for one in left) / 1e6
        yield Fault("orphans", f"{len(left)} files in the archive that nothing names, {size:,.1f} MB", False)


# ── Catalogue ─────────────────────────────────────────────────────────────────────────────────


def _views(session: Session) -> Iterator[Fault]:
    """Find streams, and series that have rows, without their view."""
    there = {
        name for (name,) in session.rows("SELECT DISTINCT view_name FROM duckdb_views() WHERE NOT internal")
    }
    filled = session.rows(
        " UNION ".join(
            f"SELECT DISTINCT symbol::VARCHAR, venue::VARCHAR, '{stream}' FROM {identifier(stream + '_hot')}"
            for stream in STREAMS
        )
        + " UNION SELECT DISTINCT symbol, venue, stream FROM archived WHERE dropped IS NULL ORDER BY 2, 1, 3"
    )
    wanted = [
        *STREAMS,
        "sources",
        *(Series(symbol, venue, stream, False).name for symbol, venue, stream in filled),
    ]
    if missing := [name for name in wanted if name not in there]:
        yield Fault("views", f"{len(missing)} views are missing: {', '.join(missing[:_SHOWN])}")


def _runs(session: Session, running: bool) -> Iterator[Fault]:
    ((without, last),) = session.rows(
        "SELECT count(*), (SELECT ended IS NULL FROM runs ORDER BY id DESC LIMIT 1) FROM runs WHERE ended IS NULL"
    )
    without -= bool(running and last)
    if without:
        yield Fault("runs", f"{without} runs were killed, and say no end", False)


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────


def days(session: Session, stream: Stream) -> list[date]:
    """Return the days of which a stream has rows."""
    found = session.rows(
        f"SELECT DISTINCT timestamp::DATE FROM {identifier(stream.name + '_hot')} WHERE timestamp IS NOT NULL"
        f" UNION SELECT DISTINCT day FROM archived WHERE stream = {text(stream.name)} AND dropped IS NULL ORDER BY 1"
    )
    return [day for (day,) in found]


def place_among_equals(stream: Stream) -> str:
    """Return, as SQL, whether a row is one more of a row that is there: the better one, or the first, is not.

    Equal keys more than an hour apart are different rows: a venue may begin its counting again.
    """
    keys = [_key(stream, name) for name in stream.key]
    if stream.otherwise:
        others = ", ".join(_key(stream, name) for name in stream.otherwise)
        keys.append(f"CASE WHEN {keys[0]} IS NULL THEN row({others}) END")
    best = "closed DESC NULLS LAST, timestamp DESC, id" if stream.replaces else "timestamp, id"
    lag = f"lag(timestamp) OVER (PARTITION BY venue, symbol, {', '.join(keys)} ORDER BY {best})"
    return f"coalesce(abs(epoch_us(timestamp) - epoch_us({lag})) <= 3600000000, false)"


def _key(stream: Stream, name: str) -> str:
    if name == "timestamp":
        return f"epoch_us(timestamp) // {stream.grain // US}"
    return identifier(name)


def _doubles(session: Session) -> Iterator[Fault]:
    for stream in STREAMS.values():
        for day in days(session, stream):
            found = session.rows(
                "SELECT venue::VARCHAR, symbol::VARCHAR, count(*) FROM"
                f" (SELECT venue, symbol, {place_among_equals(stream)} AS again FROM {identifier(stream.name)}"
                f" WHERE timestamp >= DATE '{day}' AND timestamp < DATE '{day}' + INTERVAL 1 DAY)"
                " WHERE again GROUP BY ALL ORDER BY 1, 2"
            )
            for venue, symbol, count in found:
                said = f"{count:,} rows of {venue} {symbol} {stream.name} on {day} are there twice"
                yield Fault("doubles", said, True, "", stream.name, venue, symbol, day, count)


def _ids(session: Session) -> Iterator[Fault]:
    for stream in STREAMS:
        found: list[tuple[Any, ...]] = session.rows(
            f"SELECT venue::VARCHAR, symbol::VARCHAR, count(*) - count(DISTINCT id) AS again"
            f" FROM {identifier(stream)} GROUP BY venue, symbol HAVING again > 0 ORDER BY 1, 2"
        )
        for venue, symbol, count in found:
            said = f"{count:,} ids of {venue} {symbol} {stream} are given twice"
            yield Fault("ids", said, True, "", stream, venue, symbol, None, count)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]

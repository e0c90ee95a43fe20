"""Tables: what `market.streams` declares, as DuckDB tables, and the named view of each series.

A stream is one table; a series (one symbol on one venue in one stream) is a view on it. Columns with
few values are ENUMs, which the declaration of a stream calls VARCHAR. Measured on 2 million rows with
four such columns: a flush of 10,000 rows takes 5 ms against 12 ms with VARCHAR, its log 20 bytes a row
against 48, and grouping by series 5 ms against 18; the compacted file is as large.

The ENUMs carry no name of their own. An ENUM cannot be extended, so a new symbol means `ALTER … TYPE`
(50 ms for a table of 2 million rows), and DuckDB 1.5.5 cannot replay its log where that type was named
and the process died before a checkpoint (its issue 20543): the file would never open again. With the
values written out, it replays.
"""

import logging
import random
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

import duckdb

from orderflow.market.errors import InvalidArgument, StoreUnusable
from orderflow.market.events import US
from orderflow.market.instruments import MARKETS, SYMBOLS, Series, series, venue_id
from orderflow.market.streams import SHARED, STREAMS, Column, Stream
from orderflow.store import layout
from orderflow.store.identifiers import enum, identifier, text

log = logging.getLogger(__name__)

Connection: TypeAlias = duckdb.DuckDBPyConnection
T = TypeVar("T")

PROGRAM = "crypto-orderflow"
SCHEMA = 2  # grows with every change of a table's columns
KINDS = layout.FIXED["source"]

MOST_NAMED = 5_000  # views of series in a lake; the series beyond are asked for by venue and symbol
ATTEMPTS = 8  # of a commit that touches what another process has changed meanwhile

_IN_A_LAKE = (
    "PARTITIONED BY (year(timestamp), month(timestamp), day(timestamp))",
    "SORTED BY (venue ASC, symbol ASC, timestamp ASC)",
)
CHECKPOINT_RESERVE = 64 * 1024 * 1024  # left free on the disk beyond what a checkpoint may write

_SYMBOL = re.compile(r"\w[\w.:/+-]{0,63}")  # \w: letters and digits of any script

SOURCES = """
    CREATE VIEW IF NOT EXISTS sources AS
    SELECT id AS run, kind, started, ended, version FROM runs ORDER BY id
    """
_OTHERS = (
    """
    CREATE TABLE IF NOT EXISTS about (key VARCHAR NOT NULL, value VARCHAR NOT NULL)
    """,
    """
    CREATE TABLE IF NOT EXISTS runs (
        id INTEGER NOT NULL, key VARCHAR NOT NULL, started TIMESTAMP NOT NULL, ended TIMESTAMP,
        kind VARCHAR NOT NULL, version VARCHAR NOT NULL, settings VARCHAR NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS gaps (
        venue VARCHAR NOT NULL, symbol VARCHAR NOT NULL, stream VARCHAR NOT NULL, "from" TIMESTAMP NOT NULL,
        "until" TIMESTAMP, reason VARCHAR NOT NULL, filled_at TIMESTAMP, run INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS instruments (
        venue VARCHAR NOT NULL, symbol VARCHAR NOT NULL, native VARCHAR NOT NULL, kind VARCHAR NOT NULL,
        base VARCHAR NOT NULL, quote VARCHAR NOT NULL, status VARCHAR NOT NULL, trading BOOLEAN NOT NULL,
        contract_size DOUBLE, tick DOUBLE, lot DOUBLE, min_notional DOUBLE, listed_since TIMESTAMP,
        read_at TIMESTAMP
    )
    """,
    SOURCES,
    layout.ARCHIVED,
)


class Created(NamedTuple):
    """How many named views the symbols have: those of the core matrix, and all the others."""

    core: int
    others: int


def columns(stream: Stream) -> tuple[Column, ...]:
    """Return the columns of a stream's table (and of its views), in order."""
    return SHARED + stream.columns


def create(connection: duckdb.DuckDBPyConnection, symbols: Sequence[str] = SYMBOLS) -> Created:
    """Create what is missing of the tables and of the symbols' named views on every venue.

    Raises `InvalidArgument` for a symbol that cannot be one, `StoreUnusable` as `recognise` does.
    """
    for symbol in symbols:
        _check(symbol)
    wanted = list(series(symbols))

    def lay_out(cursor: Connection) -> None:
        if not recognise(cursor):
            _lay_out(cursor, symbols)
        _extend(cursor, [(venue, symbol) for symbol in symbols for venue in MARKETS])
        _name(cursor, wanted)

    agreed(connection, lay_out)
    core = sum(one.core for one in wanted)
    return Created(core, len(wanted) - core)


def ensure(connection: duckdb.DuckDBPyConnection, pairs: Iterable[tuple[str, str]]) -> int:
    """Make room for (venue, symbol) pairs: their values and their views; return how many views are new.

    Cheap where all is there. Where a symbol is new, every stream table's `symbol` gets a new type: do it
    in the thread that flushes, between flushes; a flush begun before it would have to be repeated.
    """
    asked = [(venue_id(venue), _check(symbol)) for venue, symbol in pairs]
    known = set(names(connection))
    wanted = [one for venue, symbol in asked for one in series([symbol], [MARKETS[venue]])]
    missing = {one.name: one for one in wanted if one.name not in known}
    if not missing and {symbol for _, symbol in asked} <= set(known_symbols(connection)):
        return 0

    def extend(cursor: Connection) -> None:
        _extend(cursor, asked)
        _name(cursor, missing.values())

    agreed(connection, extend)
    return len(missing)


def add_symbols(connection: duckdb.DuckDBPyConnection, symbols: Iterable[str]) -> int:
    """Make room for symbols on every venue, as `ensure` does; return how many views are new.

    Raises `InvalidArgument` for what cannot be a symbol, `StoreUnusable` where the disk is full; then
    nothing has changed.
    """
    try:
        return ensure(connection, [(venue, symbol) for symbol in symbols for venue in MARKETS])
    except duckdb.Error as error:
        said = " ".join(str(error).split())[:300]
        raise StoreUnusable(
            f"no room could be made for new symbols: {said}", hint="free some disk space"
        ) from error


def names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the names of all series that have a view, in alphabetical order."""
    found = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND database_name = current_database()"
        " ORDER BY 1"
    )
    return [name for (name,) in found.fetchall() if name != "sources" and name not in STREAMS]


def known_symbols(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the symbols that the tables can hold, in the order in which they were added."""
    return _values(connection, layout.of(connection), "symbol")


def possible(connection: duckdb.DuckDBPyConnection, symbols: Iterable[str]) -> set[str]:
    """Return those of the symbols that the tables hold or can be given."""
    folded = {symbol.lower(): symbol for symbol in known_symbols(connection)}
    return {
        symbol
        for symbol in sorted(symbols)
        if _SYMBOL.fullmatch(symbol) and folded.setdefault(symbol.lower(), symbol) == symbol
    }


def recognise(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether this is a database of ours (True) or an empty one (False).

    Raises `StoreUnusable` for another program's, or for one that a newer version of ours has made.
    """
    found = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND database_name = current_database()"
    ).fetchall()
    tables = {name for (name,) in found}
    about = {}
    if "about" in tables:
        shape = [row[0] for row in connection.execute("DESCRIBE about").fetchall()]
        if shape == ["key", "value"]:
            about = dict(connection.execute("SELECT key, value FROM about").fetchall())
    if about.get("program") != PROGRAM:
        if not tables:
            return False
        shown = ", ".join(sorted(tables)[:5])
        raise StoreUnusable(
            f"this database belongs to another program (its tables: {shown})",
            hint="name a new file, or one that `orderflow init` made",
        )
    if int(about["schema"]) > SCHEMA:
        raise StoreUnusable(
            f"this database has schema {about['schema']}, made by a newer version; this one reads {SCHEMA}",
            hint="upgrade crypto-orderflow",
        )
    return True


def schema(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the number of a database's schema."""
    ((found,),) = connection.execute("SELECT value::INTEGER FROM about WHERE key = 'schema'").fetchall()
    return found


def follow(connection: duckdb.DuckDBPyConnection) -> bool:
    """Let the views find the archive where it lies now; return whether the database had been moved."""
    root, told = _roots(connection)
    if root is None or root == told:
        return False
    with transaction(connection) as cursor:
        unite(cursor)
        _tell(cursor, "archive", root)
    return told is not None


def note(connection: duckdb.DuckDBPyConnection, key: str, value: str) -> None:
    """Keep one word about the database, in the place of what was said under its key before."""
    with transaction(connection) as cursor:
        _tell(cursor, key, value)


def _tell(cursor: duckdb.DuckDBPyConnection, key: str, value: str) -> None:
    cursor.execute("DELETE FROM about WHERE key = ?", [key])
    cursor.execute("INSERT INTO about VALUES (?, ?)", [key, value])


def _roots(connection: duckdb.DuckDBPyConnection) -> tuple[str | None, str | None]:
    """Return where the archive lies, and where the views look for it."""
    root = layout.of(connection).root
    told = connection.execute("SELECT value FROM about WHERE key = 'archive'").fetchone()
    return None if root is None else str(root), told[0] if told else None


def readable(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise `StoreUnusable` unless this is a database of ours, laid out, and of this version's schema."""
    if not recognise(connection):
        raise StoreUnusable("an empty database", hint="`orderflow init` lays it out")
    if (found := schema(connection)) < SCHEMA:
        raise StoreUnusable(
            f"this database has schema {found}, and this version reads {SCHEMA}",
            hint="`orderflow init` on it brings it up to date; nothing in it is lost",
        )
    root, told = _roots(connection)
    if root != told and connection.execute("SELECT 1 FROM archived LIMIT 1").fetchone():
        raise StoreUnusable(
            f"the database was moved: its views look for archived days in {told}",
            hint="`orderflow init` on it lets them look beside it",
        )


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a cursor in a transaction of its own, kept as a whole or not at all."""
    cursor = connection.cursor()
    cursor.execute("BEGIN")
    try:
        yield cursor
    except BaseException:
        cursor.execute("ROLLBACK")
        raise
    else:
        cursor.execute("COMMIT")
    finally:
        cursor.close()


def conflicting(error: duckdb.Error) -> bool:
    """Tell whether a lake refused a commit because it touches what another has changed meanwhile."""
    said = str(error)
    return "ransaction conflict" in said or "could not serialize" in said


def agreed(connection: Connection, work: Callable[[Connection], T]) -> T:
    """Do work in a transaction; in a lake again where another process has changed the same files meanwhile."""
    attempt = 0
    while True:
        attempt += 1
        try:
            with transaction(connection) as cursor:
                return work(cursor)
        except duckdb.TransactionException as error:
            if attempt == ATTEMPTS or not conflicting(error):
                raise
            time.sleep(attempt * random.uniform(0, 0.2))  # noqa: S311 - so that two do not meet again


def checkpoint(connection: Connection) -> bool:
    """Bring the log into the file; False where that must wait: a reader holds it back, or the disk is full."""
    cursor = connection.cursor()
    try:
        if not _room_to_checkpoint(cursor):
            log.info("checkpoint put off: the disk has no room for it")
            return False
        cursor.execute("CHECKPOINT")
    except duckdb.Error as error:
        log.info("checkpoint put off: %s", " ".join(str(error).split())[:200])
        return False
    finally:
        cursor.close()
    return True


def memory_bytes(connection: Connection) -> int:
    """Return the memory that DuckDB accounts for: blocks of the file that it keeps, rows of the log, sorts."""
    with connection.cursor() as cursor:
        asked = "SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT FROM duckdb_memory()"
        ((found,),) = cursor.execute(asked).fetchall()
    return int(found)


def _room_to_checkpoint(cursor: Connection) -> bool:
    """Tell whether the disk has room; a checkpoint that fails half-way breaks the database's use."""
    path = layout.path(cursor)
    if path is None:
        return True
    log_file = Path(f"{path}.wal")
    written = log_file.stat().st_size if log_file.exists() else 0
    return shutil.disk_usage(path.parent).free > 2 * written + CHECKPOINT_RESERVE


def _lay_out(cursor: duckdb.DuckDBPyConnection, symbols: Sequence[str]) -> None:
    for statement in _OTHERS:
        cursor.execute(statement)
    cursor.executemany("INSERT INTO about VALUES (?, ?)", [("program", PROGRAM), ("schema", str(SCHEMA))])
    where = layout.of(cursor)
    values = {} if where.lake else {"venue": list(MARKETS), "symbol": list(dict.fromkeys(symbols))}
    if where.root is not None:
        cursor.execute("INSERT INTO about VALUES ('archive', ?)", [str(where.root)])
    for stream in STREAMS.values():
        body = ", ".join(f"{identifier(one.name)} {_type(stream, one, values)}" for one in columns(stream))
        cursor.execute(f"CREATE TABLE {identifier(where.hot(stream.name))} ({body})")
        if where.lake:
            for order in _IN_A_LAKE:
                cursor.execute(f"ALTER TABLE {identifier(stream.name)} SET {order}")
        layout.unite(cursor, where, stream.name, values)


def order(stream: Stream) -> str:
    """Return the number by which the rows of a series of this stream are ordered, as SQL."""
    if stream.order == "sequence":
        return "sequence"
    grain = stream.grain // US
    return f"coalesce(epoch_us(timestamp){'' if grain == 1 else f' // {grain}'}, 0)"


def column_type(connection: duckdb.DuckDBPyConnection, stream: Stream, column: Column) -> str:
    """Return the SQL type of a column in this database's table of a stream."""
    return _type(stream, column, _enums(connection))


def _type(stream: Stream, column: Column, values: dict[str, list[str]]) -> str:
    if not values:  # a lake knows no ENUM
        return column.type
    if column in SHARED:
        found = values.get(column.name) or layout.FIXED.get(column.name)
    else:
        found = layout.FIXED.get(f"{stream.name}.{column.name}")
    return enum(found) if found else column.type


def _enums(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Return the values of the ENUMs that grow; none in a lake, which knows only texts."""
    where = layout.of(connection)
    return {} if where.lake else {name: _values(connection, where, name) for name in ("venue", "symbol")}


def series_types(connection: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """Return the types that the stream tables' `venue` and `symbol` have now."""
    values = _enums(connection)
    return (enum(values["venue"]), enum(values["symbol"])) if values else ("VARCHAR", "VARCHAR")


def _values(connection: duckdb.DuckDBPyConnection, where: layout.Layout, column: str) -> list[str]:
    if where.lake:
        found = connection.execute("SELECT DISTINCT value FROM about WHERE key = ?", [column]).fetchall()
        return sorted(value for (value,) in found)
    # the tables change together, so any of them tells
    table = where.hot(next(iter(STREAMS)))
    kind = connection.sql(f"SELECT {column} FROM {identifier(table)} LIMIT 0").types[0]
    values = kind.children[0][1] if kind.id == "enum" else []
    return [str(one) for one in values] if isinstance(values, list) else []


def _extend(cursor: duckdb.DuckDBPyConnection, pairs: Iterable[tuple[str, str]]) -> None:
    """Give every table's `venue` and `symbol` the values that they lack, after those they have."""
    pairs, where, grown = list(pairs), layout.of(cursor), False
    for column, asked in (("venue", [one[0] for one in pairs]), ("symbol", [one[1] for one in pairs])):
        had = _values(cursor, where, column)
        values = list(dict.fromkeys([*had, *asked]))
        if len(values) == len(had):
            continue
        folded: dict[str, str] = {}
        for value in values:
            if (other := folded.setdefault(value.lower(), value)) != value:
                raise InvalidArgument(
                    f"symbols {other!r} and {value!r} would share their names", hint="keep one of the two"
                )
        if where.lake:
            said = [(column, value) for value in values[len(had) :]]
            cursor.executemany("INSERT INTO about VALUES (?, ?)", said)
            continue
        grown = True
        for stream in STREAMS:
            cursor.execute(f"ALTER TABLE {identifier(where.hot(stream))} ALTER {column} TYPE {enum(values)}")
    if grown:
        unite(cursor)  # archived texts are cast to the types as they are now


def unite(
    cursor: duckdb.DuckDBPyConnection,
    streams: Iterable[str] = tuple(STREAMS),
    series: Iterable[Series] | None = None,
) -> None:
    """Write the views of streams anew, and of the series given (or else of all that have archived days)."""
    where, values = layout.of(cursor), _enums(cursor)
    for stream in streams:
        layout.unite(cursor, where, stream, values, series)


def name_again(cursor: duckdb.DuckDBPyConnection) -> None:
    """Write the named view of every series anew."""
    where, values = layout.of(cursor), _enums(cursor)
    by_stream: dict[str, list[Series]] = {}
    for one in series(known_symbols(cursor)):
        by_stream.setdefault(one.stream, []).append(one)
    for stream, several in by_stream.items():
        layout.unite(cursor, where, stream, values, several)


def _name(cursor: duckdb.DuckDBPyConnection, wanted: Iterable[Series]) -> None:
    where, wanted = layout.of(cursor), list(wanted)
    if where.lake:  # each view is a row that every reader of a lake reads
        had = set(names(cursor))
        wanted = [one for one in wanted if one.name not in had][: max(0, MOST_NAMED - len(had))]
    if not wanted:
        return
    cursor.execute(
        ";".join(
            f"CREATE VIEW IF NOT EXISTS {identifier(one.name)} AS"
            f" SELECT * FROM {identifier(where.hot(one.stream))}"
            f" WHERE venue = {text(one.venue)} AND symbol = {text(one.symbol)}"
            for one in wanted
        )
    )


def _check(symbol: str) -> str:
    if not _SYMBOL.fullmatch(symbol):
        raise InvalidArgument(
            f"{symbol[:80]!r} cannot be a symbol", hint="letters, digits and . : / + - _, as in BTCUSDT"
        )
    return symbol

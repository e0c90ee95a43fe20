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
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

import duckdb

from orderflow.market.errors import InvalidArgument, StoreUnusable
from orderflow.market.instruments import MARKETS, SYMBOLS, Series, series, venue_id
from orderflow.market.streams import SHARED, STREAMS, Column, Stream

log = logging.getLogger(__name__)

Connection: TypeAlias = duckdb.DuckDBPyConnection

PROGRAM = "crypto-orderflow"
SCHEMA = 1  # grows with every change of a table's columns
KINDS = ("live", "replay", "backfill", "simulated")

_FIXED: dict[str, tuple[str, ...]] = {
    "clock": ("venue", "local"),
    "source": KINDS,
    "trades.side": ("buy", "sell"),
    "large_trades.side": ("buy", "sell"),
    "liquidations.side": ("long", "short"),
    "options.kind": ("call", "put"),
}
_SYMBOL = re.compile(r"\w[\w.:/+-]{0,63}")  # \w: letters and digits of any script

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
    """
    CREATE VIEW IF NOT EXISTS sources AS
    SELECT id AS run, kind, started, ended, version FROM runs ORDER BY id
    """,
)


class Created(NamedTuple):
    """How many named views the symbols have: those of the core matrix, and all the others."""

    core: int
    others: int


def columns(stream: Stream) -> tuple[Column, ...]:
    """Return the columns of a stream's table (and of its views), in order."""
    return SHARED + stream.columns


def identifier(name: str) -> str:
    """Quote a name for SQL.

    >>> identifier('solusdt_okx_futures_trades')
    '"solusdt_okx_futures_trades"'
    """
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Quote a string for the statements that take no parameters."""
    return "'" + value.replace("'", "''") + "'"


def create(connection: duckdb.DuckDBPyConnection, symbols: Sequence[str] = SYMBOLS) -> Created:
    """Create what is missing of the tables and of the symbols' named views on every venue.

    Raises `InvalidArgument` for a symbol that cannot be one, `StoreUnusable` as `recognise` does.
    """
    for symbol in symbols:
        _check(symbol)
    with transaction(connection) as cursor:
        if not recognise(cursor):
            _lay_out(cursor, symbols)
        wanted = list(series(symbols))
        _extend(cursor, [(venue, symbol) for symbol in symbols for venue in MARKETS])
        _name(cursor, wanted)
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
    with transaction(connection) as cursor:
        _extend(cursor, asked)
        _name(cursor, missing.values())
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
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND view_name <> 'sources' ORDER BY 1"
    )
    return [name for (name,) in found.fetchall()]


def known_symbols(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the symbols that the tables can hold, in the order in which they were added."""
    return _values(connection, "symbol")


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
    found = connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall()
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


def checkpoint(connection: Connection) -> bool:
    """Bring the log into the file; False where a reader holds it back, so that it is tried again later."""
    cursor = connection.cursor()
    try:
        cursor.execute("CHECKPOINT")
    except duckdb.Error as error:
        log.info("checkpoint put off: %s", " ".join(str(error).split())[:200])
        return False
    finally:
        cursor.close()
    return True


def open_for_writing(
    path: Path | str, *, memory_limit: str = "1GB", threads: int = 2
) -> duckdb.DuckDBPyConnection:
    """Open a database of ours, or a new one, as its only writer; its tables are `create`'s matter.

    Rows stay in the order in which they were inserted, since windows of time are found by it. The log is
    checkpointed only beyond 512 MB: the owner does it when nothing waits.
    Raises `StoreUnusable` in one line: not a database, another program's, a newer one's, no permission,
    a folder, no such folder, or another process has it.
    """
    path = Path(path)
    _check_place(path)
    settings: dict[str, str | bool | int | float | list[str]] = {
        "checkpoint_threshold": "512MB",
        "memory_limit": memory_limit,
        "threads": threads,
        "preserve_insertion_order": True,
    }
    connection = connect(path, settings)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        recognise(connection)
    except StoreUnusable as error:
        connection.close()
        raise StoreUnusable(f"{path}: {error.message}", hint=error.hint) from None
    return connection


def connect(
    path: Path, settings: dict[str, str | bool | int | float | list[str]], *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file, or raise `StoreUnusable` saying in one line why it cannot be opened."""
    # Another program's file must not make DuckDB look for an extension that could read it.
    settings = {"autoinstall_known_extensions": False, **settings}
    try:
        return duckdb.connect(str(path), read_only=read_only, config=settings)
    except duckdb.Error as error:
        raise _unusable(path, str(error)) from error


def _unusable(path: Path, said: str) -> StoreUnusable:
    if holder := re.search(r"Conflicting lock is held in (.*?)\(PID (\d+)\)", said):
        return StoreUnusable(
            f"{path}: process {holder[2]} ({Path(holder[1].strip()).name}) has it open for writing",
            hint="a collector runs: read through it (ATTACH over Quack, as in "
            f"{path.name}.quack, or the HTTP door), or stop it first",
        )
    if "not a valid DuckDB database file" in said:
        return StoreUnusable(f"{path}: not a DuckDB database", hint="name a new file, or one of ours")
    if "xtension" in said:
        return StoreUnusable(
            f"{path}: another program's database, which DuckDB would need an extension to read",
            hint="name a new file, or one that `orderflow init` made",
        )
    if "different configuration" in said:
        return StoreUnusable(
            f"{path}: this process has it open already", hint="share the connection: each thread a cursor()"
        )
    first = said.strip().splitlines()[0]
    if "Permission denied" in said:
        return StoreUnusable(f"{path}: no permission", hint="change the file's owner or choose another file")
    return StoreUnusable(f"{path}: DuckDB cannot open it: {first}", hint="is the file whole, and its disk?")


def _check_place(path: Path) -> None:
    """Raise `StoreUnusable` for a path at which no database can be."""
    try:
        if path.is_dir():
            raise StoreUnusable(
                f"{path}: a folder, not a file", hint=f"for example {path / 'orderflow.duckdb'}"
            )
        if not path.absolute().parent.is_dir():
            raise StoreUnusable(
                f"{path}: the folder {path.absolute().parent} does not exist",
                hint="create it, or choose another",
            )
    except OSError as error:
        raise StoreUnusable(f"{path}: {error.strerror}", hint="choose another file") from error


def _lay_out(cursor: duckdb.DuckDBPyConnection, symbols: Sequence[str]) -> None:
    for statement in _OTHERS:
        cursor.execute(statement)
    cursor.executemany("INSERT INTO about VALUES (?, ?)", [("program", PROGRAM), ("schema", str(SCHEMA))])
    values = {"venue": list(MARKETS), "symbol": list(dict.fromkeys(symbols))}
    for stream in STREAMS.values():
        body = ", ".join(f"{identifier(one.name)} {_type(stream, one, values)}" for one in columns(stream))
        cursor.execute(f"CREATE TABLE {identifier(stream.name)} ({body})")


def _type(stream: Stream, column: Column, values: dict[str, list[str]]) -> str:
    if column in SHARED:
        found = values.get(column.name) or _FIXED.get(column.name)
    else:
        found = _FIXED.get(f"{stream.name}.{column.name}")
    return _enum(found) if found else column.type


def _enum(values: Iterable[str]) -> str:
    return f"ENUM ({', '.join(map(text, values))})"


def _values(connection: duckdb.DuckDBPyConnection, column: str) -> list[str]:
    # the tables change together, so any of them tells
    kind = connection.sql(f"SELECT {column} FROM {next(iter(STREAMS))} LIMIT 0").types[0]
    values = kind.children[0][1] if kind.id == "enum" else []
    return [str(one) for one in values] if isinstance(values, list) else []


def _extend(cursor: duckdb.DuckDBPyConnection, pairs: Iterable[tuple[str, str]]) -> None:
    """Give every table's `venue` and `symbol` the values that they lack, after those they have."""
    pairs = list(pairs)
    for column, asked in (("venue", [one[0] for one in pairs]), ("symbol", [one[1] for one in pairs])):
        had = _values(cursor, column)
        values = list(dict.fromkeys([*had, *asked]))
        if len(values) == len(had):
            continue
        folded: dict[str, str] = {}
        for value in values:
            if (other := folded.setdefault(value.lower(), value)) != value:
                raise InvalidArgument(
                    f"symbols {other!r} and {value!r} would share their names", hint="keep one of the two"
                )
        for stream in STREAMS:
            cursor.execute(f"ALTER TABLE {identifier(stream)} ALTER {column} TYPE {_enum(values)}")


def _name(cursor: duckdb.DuckDBPyConnection, wanted: Iterable[Series]) -> None:
    cursor.execute(
        ";".join(
            f"CREATE VIEW IF NOT EXISTS {identifier(one.name)} AS SELECT * FROM {identifier(one.stream)}"
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

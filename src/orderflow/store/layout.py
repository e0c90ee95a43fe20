"""Layout: where the rows of a stream lie, and how one name reads them all.

New rows go to the stream's hot table (`trades_hot`). Days that are over are rewritten as one sorted
Parquet file a series and day, and taken out of it. The view of the stream (`trades`) and the named view of
each series unite the two; they list the files that the table `archived` names, so that a file counts from
the commit that took its rows out of the hot table, and a file that no commit names is never read.

In a lake the stream is one table, and the lake itself keeps its rows in Parquet.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb
import msgspec

from orderflow.market.instruments import Series
from orderflow.market.streams import SHARED, STREAMS
from orderflow.store.identifiers import enum, identifier, text

FIXED: dict[str, tuple[str, ...]] = {
    "clock": ("venue", "local"),
    "source": ("live", "replay", "backfill", "simulated"),
    "trades.side": ("buy", "sell"),
    "large_trades.side": ("buy", "sell"),
    "liquidations.side": ("long", "short"),
    "options.kind": ("call", "put"),
}

_IDS_OF_A_HOLDING = 32  # bits: as many rows as a holding can add to a series
RUNS_OF_A_HOLDING = 1_000
_EPOCH = re.compile(r"orderflow\.epoch=(\d+)")

ARCHIVED = """
CREATE TABLE IF NOT EXISTS archived (
    stream VARCHAR NOT NULL, venue VARCHAR NOT NULL, symbol VARCHAR NOT NULL, day DATE NOT NULL,
    file VARCHAR NOT NULL, rows BIGINT NOT NULL, bytes BIGINT NOT NULL,
    first TIMESTAMP NOT NULL, last TIMESTAMP NOT NULL,
    last_id BIGINT NOT NULL, last_order BIGINT, last_value DOUBLE,
    thinned_ms BIGINT, written TIMESTAMP NOT NULL, dropped TIMESTAMP
)
"""


class Layout(msgspec.Struct, frozen=True):
    """How a database keeps its rows: in hot tables and an archive beside its file, or in a lake."""

    lake: bool = False
    root: Path | None = None  # of the archive; None in a lake, and for a database in memory
    epoch: int | None = None  # in a lake: the number of the holding that its commits belong to

    @property
    def first_id(self) -> int:
        """The number below which all ids are of others: a holding of a lake counts from its own."""
        return 0 if self.epoch is None else self.epoch << _IDS_OF_A_HOLDING

    @property
    def first_run(self) -> int:
        """The number below which all runs are of others."""
        return 0 if self.epoch is None else self.epoch * RUNS_OF_A_HOLDING

    def hot(self, stream: str) -> str:
        """Return the table that takes a stream's rows."""
        return stream if self.lake else f"{stream}_hot"


def of(connection: duckdb.DuckDBPyConnection) -> Layout:
    """Return the layout of the database that a connection works in."""
    found = connection.execute(
        "SELECT type, path FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchone()
    kind, path = found or ("duckdb", None)
    if kind == "ducklake":
        epoch = _EPOCH.search(path or "")
        return Layout(lake=True, epoch=None if epoch is None else int(epoch[1]))
    return Layout(root=None if not path else archive_root(path))


def path(connection: duckdb.DuckDBPyConnection) -> Path | None:
    """Return the file of the database that a connection works in; None in memory, and in a lake."""
    found = connection.execute(
        "SELECT path FROM duckdb_databases() WHERE database_name = current_database() AND type = 'duckdb'"
    ).fetchone()
    return Path(found[0]) if found and found[0] else None


def archive_root(path: Path | str) -> Path:
    """Return the folder of the archived days of a database file."""
    return Path(f"{path}.archive").absolute()


def archived_file(stream: str, venue: str, symbol: str, day: date, edition: int = 1) -> str:
    """Return where a series' day lies below the root; a day that is rewritten has a further edition.

    >>> archived_file("trades", "binance_futures", "BTCUSDT", date(2026, 11, 20))
    'stream=trades/venue=binance_futures/symbol=BTCUSDT/day=2026-11-20.parquet'
    """
    mark = "" if edition == 1 else f".{edition}"
    folder = f"stream={stream}/venue={venue}/symbol={_in_a_path(symbol)}"
    return f"{folder}/day={day.isoformat()}{mark}.parquet"


def _in_a_path(symbol: str) -> str:
    # as the hive scheme has it: what a file system or the scheme gives a meaning is written by its number
    return "".join(one if one.isalnum() or one in "-_." else f"%{ord(one):02X}" for one in symbol)


class File(msgspec.Struct, frozen=True):
    """An archived day of a series, as far as reading needs it."""

    venue: str
    symbol: str
    file: str


def files(
    cursor: duckdb.DuckDBPyConnection, stream: str, first_us: int | None = None, last_us: int | None = None
) -> list[File]:
    """Return the archived files of a stream, or those with rows in a stretch of time."""
    found = cursor.execute(
        "SELECT venue, symbol, file FROM archived WHERE stream = $stream AND dropped IS NULL"
        " AND ($first IS NULL OR last >= make_timestamp($first))"
        " AND ($last IS NULL OR first <= make_timestamp($last)) ORDER BY venue, symbol, day",
        {"stream": stream, "first": first_us, "last": last_us},
    ).fetchall()
    return [File(*row) for row in found]


# ── Views ─────────────────────────────────────────────────────────────────────────────────────


def united(layout: Layout, stream: str, chosen: Sequence[File], types: str = "") -> str:
    """Return a query over a stream's hot rows and those of archived files.

    `types` gives archived texts the hot table's ENUMs again (`enums` says how), without which the union
    has plain texts.
    """
    hot = f"SELECT * FROM {identifier(layout.hot(stream))}"
    return f"{hot} UNION ALL BY NAME {archived(layout, chosen, types)}" if chosen else hot


def archived(layout: Layout, chosen: Sequence[File], types: str = "") -> str:
    """Return a query over the rows of archived files of one stream."""
    root = layout.root or Path()
    listed = ", ".join(text(str(root / one.file)) for one in chosen)
    return (
        f"SELECT * EXCLUDE (stream){types and f' REPLACE ({types})'} FROM read_parquet([{listed}],"
        " hive_partitioning = true, hive_types_autocast = false, union_by_name = true)"
    )


def enums(stream: str, values: Mapping[str, Sequence[str]]) -> str:
    """Return the casts that make a stream's texts ENUMs; `values` has those of `venue` and `symbol`."""
    typed = {column.name: values.get(column.name) or FIXED.get(column.name) for column in SHARED}
    typed |= {column.name: FIXED.get(f"{stream}.{column.name}") for column in STREAMS[stream].columns}
    return ", ".join(
        f"{identifier(name)}::{enum(found)} AS {identifier(name)}" for name, found in typed.items() if found
    )


def unite(
    cursor: duckdb.DuckDBPyConnection,
    layout: Layout,
    stream: str,
    values: Mapping[str, Sequence[str]],
    series: Iterable[Series] | None = None,
) -> None:
    """Write the view of a stream, and those of its series (all that have files, by default) anew."""
    if layout.lake:
        return
    known = files(cursor, stream)
    types = enums(stream, values)
    statements = [_view(stream, united(layout, stream, known, types))]
    by_series: dict[tuple[str, str], list[File]] = {}
    for one in known:
        by_series.setdefault((one.venue, one.symbol), []).append(one)
    wanted = (
        series
        if series is not None
        else (Series(symbol, venue, stream, False) for venue, symbol in by_series)
    )
    for one in wanted:
        chosen = by_series.get((one.venue, one.symbol), [])
        rows = united(layout, stream, chosen, types)
        statements.append(_view(one.name, f"SELECT * FROM ({rows}) WHERE {_is(one)}"))
    cursor.execute(";".join(statements))


def _view(name: str, query: str) -> str:
    return f"CREATE OR REPLACE VIEW {identifier(name)} AS {query}"


def _is(one: Series) -> str:
    return f"venue = {text(one.venue)} AND symbol = {text(one.symbol)}"

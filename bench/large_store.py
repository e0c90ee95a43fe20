"""A store of hundreds of millions of trades, and what it answers in: `python -m bench.large_store`.

The simulator's trades of many days, all venues that trade and nine symbols, are put into our store (each day
into the hot table, and from there into the archive, as a collector does it), into plain Parquet (one file a
day, in order of time) and into one wide table that holds every stream (a DuckDB file, in order of time).
The same three questions are put to all three, by turns, and the answers must be equal.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from unittest import mock

import duckdb
import numpy as np
import pyarrow as pa

from orderflow.market.events import DAY, HOUR, MS, Nanos
from orderflow.market.instruments import MARKETS, SYMBOLS
from orderflow.market.streams import STREAMS, TRADES
from orderflow.sim import crowd
from orderflow.sim.listings import TRADING, Listing
from orderflow.sim.protocols import FORMS
from orderflow.store import archive, opening, runs, tables
from orderflow.store.reader import Reader
from orderflow.store.session import Session

SEED = 7
FIRST = date(2026, 1, 1)
SYMBOL, VENUE = "BTCUSDT", "binance_futures"


class Stores(NamedTuple):
    """The three: ours, plain Parquet, a wide table."""

    ours: duckdb.DuckDBPyConnection
    plain: Path
    wide: duckdb.DuckDBPyConnection


def markets() -> Iterator[tuple[str, str, Listing]]:
    """Yield the (venue, symbol, listing) of every market of the simulator in which trades happen."""
    for name, form in FORMS.items():
        if form.place.kind in TRADING and TRADES.name in MARKETS[name].streams:
            for symbol in SYMBOLS:
                if symbol in form.place.listings:
                    yield name, symbol, form.place.listings[symbol]


def rows(number: int, each: int, first_id: int) -> pa.Table:
    """Return a day of all markets as rows of the stream, in order of time."""
    parts: list[pa.Table] = []
    for venue, symbol, listing in markets():
        made = crowd.day(symbol, listing, venue, SEED, number, each)
        ids = np.arange(first_id, first_id + each)
        stamp = pa.array(made["ts_ms"] * 1000, pa.timestamp("us"))
        sells = made["taker_sells"]
        one = {
            "venue": _same(venue, each), "symbol": _same(symbol, each), "id": ids, "timestamp": stamp,
            "received": pa.array(made["ts_ms"] * 1000 + 20_000, pa.timestamp("us")),
            "clock": _same("venue", each), "source": _same("simulated", each),
            "run": np.ones(each, dtype=np.int32), "trade_id": pa.array(ids).cast(pa.string()),
            "price": made["price"], "quantity": made["size"], "value": made["price"] * made["size"],
            "side": pa.DictionaryArray.from_arrays(sells.astype(np.int32), ["buy", "sell"]),
            "is_buyer_maker": pa.array(sells.astype(bool)), "count": np.ones(each, dtype=np.int32),
        }  # fmt: skip
        parts.append(pa.table(one))
    return pa.concat_tables(parts, promote_options="permissive").sort_by("timestamp")


def _same(text: str, times: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(times, dtype=np.int32), [text])


def build(folder: Path, wanted: int, days: int) -> tuple[Stores, dict[str, Any]]:
    """Make the three stores, and say how long each took and how large it is."""
    ours = opening.open_for_writing(folder / "ours.duckdb", memory_limit="6GB")
    tables.create(ours, SYMBOLS)
    start = _nanos(FIRST)
    runs.begin(ours, "simulated", "bench", started=start, ended=start + days * DAY)
    plain = folder / "plain"
    plain.mkdir()
    wide = duckdb.connect(str(folder / "wide.duckdb"), config={"memory_limit": "6GB"})
    wide.execute(f"CREATE TABLE everything ({_wide_columns()})")
    each = -(-wanted // (days * len(list(markets()))))
    seconds = dict.fromkeys(("made", "ours: hot", "ours: archived", "plain", "wide"), 0.0)

    @contextmanager
    def timed(what: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        seconds[what] += time.perf_counter() - began

    for place in range(days):
        today = FIRST + timedelta(days=place)
        with timed("made"):
            batch = rows(today.toordinal() - date(1970, 1, 1).toordinal(), each, 1 + place * each)
        with timed("ours: hot"), _registered(ours, batch):
            ours.execute("INSERT INTO trades_hot BY NAME SELECT * FROM batch")
        with timed("plain"), _registered(wide, batch):
            wide.execute(f"COPY batch TO '{plain / today.isoformat()}.parquet' (COMPRESSION zstd)")
        with timed("wide"), _registered(wide, batch):
            wide.execute("INSERT INTO everything BY NAME SELECT 'trades' AS stream, * FROM batch")
        with timed("ours: archived"):
            archive.compact(ours, "trades", today)
            tables.checkpoint(ours)
        print(f"{today}: {(place + 1) * batch.num_rows:,} rows", file=sys.stderr, flush=True)
    wide.execute("CHECKPOINT")
    made = {
        "rows": each * days * len(list(markets())),
        "markets": len(list(markets())),
        "days": days,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "bytes": {
            "ours": _size(folder / "ours.duckdb.archive") + _size(folder / "ours.duckdb"),
            "plain": _size(plain),
            "wide": _size(folder / "wide.duckdb"),
        },
    }
    made["bytes_a_row"] = {name: round(size / made["rows"], 1) for name, size in made["bytes"].items()}
    return Stores(ours, plain, wide), made


def reopened(folder: Path) -> Stores:
    """Open the three stores that an earlier round made in a folder."""
    ours = opening.open_for_writing(folder / "ours.duckdb", memory_limit="6GB")
    wide = duckdb.connect(str(folder / "wide.duckdb"), config={"memory_limit": "6GB"})
    return Stores(ours, folder / "plain", wide)


def _wide_columns() -> str:
    """Return the columns of all streams but the two widest, which would cost the wide table most of its time."""
    found = {"stream": "VARCHAR"}
    for stream in STREAMS.values():
        if stream.name not in ("orderbooks", "options"):
            found |= {column.name: column.type for column in tables.columns(stream)}
    return ", ".join(f'"{name}" {kind}' for name, kind in found.items())


@contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, batch: pa.Table) -> Iterator[None]:
    connection.register("batch", batch)
    yield
    connection.unregister("batch")


def _nanos(day: date) -> Nanos:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000 * MS


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size


# ── Questions ─────────────────────────────────────────────────────────────────────────────────

Ask = Callable[[], float]  # returns a sum, so that the three can be compared

_FOUR_HOURS = """
SELECT venue, timestamp, received, trade_id, price, quantity, NOT is_buyer_maker AS is_buy FROM {source}
WHERE symbol = '{symbol}' AND venue = '{venue}' AND timestamp >= {since} AND timestamp < {until}
ORDER BY timestamp, id
"""
_BARS = """
SELECT venue, time_bucket(INTERVAL '1 minute', timestamp) AS open_time, arg_min(price, (timestamp, id)) AS open,
    max(price) AS high, min(price) AS low, arg_max(price, (timestamp, id)) AS close, sum(quantity) AS volume,
    sum(value) AS quote_volume, sum("count") AS trade_count,
    sum(quantity) FILTER (NOT is_buyer_maker) AS taker_buy_volume, sum(value) / sum(quantity) AS vwap
FROM {source} WHERE symbol = '{symbol}' AND timestamp >= {since} AND timestamp < {until}
GROUP BY ALL ORDER BY ALL
"""
_PROFILE = """
WITH mine AS (SELECT price, quantity, value, is_buyer_maker FROM {source}
    WHERE symbol = '{symbol}' AND venue = '{venue}' AND timestamp >= {since} AND timestamp < {until})
SELECT floor(price / 50) * 50 AS price_from, sum(quantity) AS volume,
    sum(quantity) FILTER (NOT is_buyer_maker) AS buy_volume, sum(quantity) FILTER (is_buyer_maker) AS sell_volume,
    sum(value) AS quote_volume, count(*) AS trades
FROM mine GROUP BY ALL ORDER BY ALL
"""


def questions(stores: Stores, days: int) -> dict[str, dict[str, tuple[Ask, Callable[[], str]]]]:
    """Return each question's three askers, each with the statement that says what it reads."""
    reader = Reader(stores.ours)
    noon = _nanos(FIRST + timedelta(days=days // 2)) + 12 * HOUR
    midnight = noon - 12 * HOUR
    found: dict[str, dict[str, tuple[Ask, Callable[[], str]]]] = {}
    trading = list(dict.fromkeys(venue for venue, *_ in markets()))
    asked: dict[str, tuple[str, Nanos, Nanos, Ask, str]] = {
        "trades of one symbol and venue, four hours": (
            _FOUR_HOURS, noon, noon + 4 * HOUR,
            lambda: _total(reader.window("trades", SYMBOL, VENUE, since=noon, until=noon + 4 * HOUR).arrow(), "quantity"),
            "quantity",
        ),
        f"one-minute bars of a day, {len(trading)} venues": (
            _BARS, midnight, midnight + DAY,
            lambda: _total(reader.bars(SYMBOL, trading, "1m", midnight, midnight + DAY, "trades").arrow(), "volume"),
            "volume",
        ),
        "volume profile of a day": (
            _PROFILE, midnight, midnight + DAY,
            lambda: _total(reader.volume_by_price(SYMBOL, [VENUE], midnight, midnight + DAY, 50.0).arrow(), "volume"),
            "volume",
        ),
    }  # fmt: skip
    for name, (sql, since, until, ours, column) in asked.items():
        found[name] = {
            "ours": (ours, lambda: ""),
            "ours, the rows alone": (_rows_alone(stores, ours, column), lambda: ""),
        }
        for other, source in (
            ("plain Parquet", f"read_parquet('{stores.plain}/*.parquet')"),
            ("one wide table", "everything"),
        ):
            whole = sql.format(
                source=source, symbol=SYMBOL, venue=VENUE,
                since=f"make_timestamp({since // 1000})", until=f"make_timestamp({until // 1000})",
            )  # fmt: skip
            found[name][other] = (
                lambda whole=whole, column=column: _total(
                    stores.wide.execute(whole).to_arrow_table(), column
                ),
                lambda whole=whole: whole,
            )
    return found


def _total(table: pa.Table, column: str) -> float:
    return float(np.sum(table.column(column).to_numpy()))


class Read(NamedTuple):
    """What the scans of a statement went through, pruned parts included, and what they gave to the rest of it."""

    scanned: int
    taken: int


def read_by(connection: duckdb.DuckDBPyConnection, sql: str, bound: list[Any]) -> Read:
    """Return the rows that the scans of a statement read, as DuckDB counts them."""
    ((_, told),) = connection.cursor().execute(f"EXPLAIN (ANALYZE, FORMAT json) {sql}", bound).fetchall()

    def walk(node: dict[str, Any]) -> Read:
        name = str(node.get("operator_type") or node.get("operator_name") or "")
        if "SCAN" in name or "PARQUET" in name:
            return Read(
                int(node.get("operator_rows_scanned") or 0), int(node.get("operator_cardinality") or 0)
            )
        return _together(walk(child) for child in node.get("children", []))

    return walk(json.loads(told))


def _together(parts: Iterable[Read]) -> Read:
    every = list(parts)
    return Read(sum(one.scanned for one in every), sum(one.taken for one in every))


def ask(stores: Stores, days: int, rounds: int) -> list[dict[str, Any]]:
    """Ask all questions by turns, and return what each took and read."""
    found: list[dict[str, Any]] = []
    for name, askers in questions(stores, days).items():
        seconds: dict[str, list[float]] = {who: [] for who in askers}
        answers: dict[str, float] = {}
        for _ in range(rounds):
            for who, (asked, _) in askers.items():
                began = time.perf_counter()
                answers[who] = asked()
                seconds[who].append(time.perf_counter() - began)
        if not np.allclose(list(answers.values()), answers["ours"], rtol=1e-9):
            raise SystemExit(f"{name}: the answers differ: {answers}")
        mine = median(seconds["ours"])
        for who, (_, sql) in askers.items():
            if sql():
                read = read_by(stores.wide, sql(), [])
            else:
                told = _statements(askers["ours"][0])  # the rows alone are the first of these
                read = _together(read_by(stores.ours, *one) for one in (told if who == "ours" else told[:1]))
            found.append(
                {
                    "question": name,
                    "store": who,
                    "ms": round(1000 * median(seconds[who]), 1),
                    "first_ms": round(1000 * seconds[who][0], 1),
                    "rows_scanned": read.scanned,
                    "rows_taken": read.taken,
                    "ratio": round(median(seconds[who]) / mine, 2),
                }
            )
    return found


def _statements(asked: Ask) -> list[tuple[str, list[Any]]]:
    """Return the statements that our reader sends for a question, that of the rows first."""
    told: list[tuple[bool, str, list[Any]]] = []
    real = Session.ask

    def listening(self: Session, sql: str, bound: Any, fetch: Any) -> Any:
        told.append((fetch is duckdb.DuckDBPyConnection.to_arrow_table, sql, list(bound)))
        return real(self, sql, bound, fetch)

    with mock.patch.object(Session, "ask", listening):
        asked()
    return [(sql, bound) for _, sql, bound in sorted(told, key=lambda one: not one[0])]


def _rows_alone(stores: Stores, asked: Ask, column: str) -> Ask:
    """Return what asks for a question's rows without their coverage, gaps and checks."""
    kept: list[tuple[str, list[Any]]] = []

    def ask() -> float:
        if not kept:
            kept.extend(_statements(asked)[:1])
        ((sql, bound),) = kept
        return _total(stores.ours.execute(sql, bound).to_arrow_table(), column)

    return ask


def main() -> None:
    said = argparse.ArgumentParser(prog="python -m bench.large_store", description=__doc__)
    said.add_argument("--rows", type=int, default=200_000_000)
    said.add_argument("--days", type=int, default=30)
    said.add_argument("--rounds", type=int, default=5)
    said.add_argument(
        "--folder",
        type=Path,
        default=None,
        help="where the stores are made, and stay; those that are there are asked again",
    )
    chosen = said.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = chosen.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        stores, built = (
            (reopened(folder), {})
            if (folder / "ours.duckdb").exists()
            else build(folder, chosen.rows, chosen.days)
        )
        json.dump({**built, "answers": ask(stores, chosen.days, chosen.rounds)}, sys.stdout, indent=1)
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()

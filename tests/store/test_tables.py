"""The layout of a database, against a matrix and columns that are written out here by hand."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orderflow.market.errors import InvalidArgument, StoreUnusable, UnknownVenue
from orderflow.store import opening, runs, tables

EIGHT = "prices orderbooks trades mark_prices funding_rates open_interest liquidations candles"
OKX = "prices orderbooks trades mark_prices funding_rates open_interest liquidations index_prices"
MATRIX = {
    "binance_futures": EIGHT,
    "bybit_futures": EIGHT,
    "gate_futures": EIGHT,
    "hyperliquid_futures": EIGHT,
    "okx_futures": OKX,
    "binance_spot": "prices orderbooks trades ticker_24h candles",
    "bybit_spot": "prices orderbooks trades ticker_24h candles",
    "kraken_futures": "prices orderbooks trades open_interest candles",
    "pyth_oracle": "prices",
}
COINS = ("btc", "eth", "sol", "xrp", "ar", "brett", "popcat", "wif", "pnut")
NINE = [f"{coin}usdt" for coin in COINS]
SHARED = "venue symbol id timestamp received clock source run"
LEVELS = " ".join(
    f"{side}_{rank}_{what}" for side in ("bid", "ask") for rank in range(1, 11) for what in ("price", "qty")
)
COLUMNS = {
    "prices": "mid_price bid_price ask_price bid_qty ask_qty spread spread_bps sequence"
    " told_price confidence",
    "orderbooks": f"{LEVELS} total_bid_qty total_ask_qty imbalance mid_price spread spread_bps"
    " depth sequence",
    "trades": "trade_id price quantity value side is_buyer_maker count",
    "mark_prices": "mark_price index_price basis basis_bps",
    "funding_rates": "funding_rate predicted_rate interval_hours annualized_pct next_funding_time",
    "open_interest": "open_interest open_interest_usd contracts oi_change",
    "ticker_24h": "last_price open_24h high_24h low_24h volume_24h quote_volume_24h trade_count_24h"
    " price_change price_change_pct vwap_24h",
    "candles": "interval open_time close_time open high low close volume quote_volume trade_count"
    " taker_buy_volume taker_buy_quote closed",
    "liquidations": "side price quantity value order_id is_partial ordinal",
    "index_prices": "index_price",
    "options": "instrument expiry strike kind bid ask bid_iv ask_iv mark_price mark_iv underlying_price"
    " open_interest volume_24h delta gamma vega theta rho",
    "volatility_index": "value",
    "large_trades": "trade_id side price quantity value_usd is_liquidation",
}


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Any:
    connection = opening.open_for_writing(tmp_path_factory.mktemp("store") / "new.duckdb")
    assert tables.create(connection) == tables.Created(core=504, others=423)
    yield connection
    connection.close()


def core_names() -> list[str]:
    return [name for name, _ in core_series()]


def core_series() -> list[tuple[str, str]]:
    return [
        (f"{coin}_{venue}_{stream}", stream)
        for venue, streams in MATRIX.items()
        for stream in streams.split()
        for coin in NINE
    ]


def described(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    return [row[0] for row in connection.execute(f'DESCRIBE "{name}"').fetchall()]


def test_the_nine_core_venues_have_56_streams_and_nine_symbols_make_504_names() -> None:
    assert sum(len(streams.split()) for streams in MATRIX.values()) == 56 == 4 * 8 + 8 + 2 * 5 + 5 + 1
    assert len(set(core_names())) == 504


def test_every_core_name_answers_with_the_columns_of_its_stream(laid_out: duckdb.DuckDBPyConnection) -> None:
    found: dict[str, list[str]] = {}
    for view, column in laid_out.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal ORDER BY 1, column_index"
    ).fetchall():
        found.setdefault(view, []).append(column)
    for name, stream in core_series():
        assert found[name] == f"{SHARED} {COLUMNS[stream]}".split(), name
        assert laid_out.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)


def test_every_stream_has_its_table_with_the_columns_written_here(
    laid_out: duckdb.DuckDBPyConnection,
) -> None:
    for stream, own in COLUMNS.items():
        assert described(laid_out, stream) == f"{SHARED} {own}".split()


def test_the_names_beyond_the_core_are_further_streams_of_a_venue(
    laid_out: duckdb.DuckDBPyConnection,
) -> None:
    others = set(tables.names(laid_out)) - set(core_names())
    assert len(others) == 423
    # 423 = 9 symbols x 47: binance, bybit, gate, hyperliquid futures 3 each, okx 3, kraken 6,
    # two spot 1 each, deribit futures 11 and options 3, coinbase 6, cme 4
    assert 4 * 3 + 3 + 6 + 2 * 1 + 11 + 3 + 6 + 4 == 47
    per_stream = Counter(name.removeprefix("btcusdt_") for name in others if name.startswith("btcusdt_"))
    assert len(per_stream) == 47
    assert {"okx_futures_candles", "kraken_futures_mark_prices", "deribit_options_options"} <= set(per_stream)


def test_creating_twice_changes_nothing(laid_out: duckdb.DuckDBPyConnection) -> None:
    before = tables.names(laid_out), laid_out.execute("FROM about ORDER BY key").fetchall()
    assert tables.create(laid_out) == tables.Created(504, 423)
    assert (tables.names(laid_out), laid_out.execute("FROM about ORDER BY key").fetchall()) == before


def test_a_series_shows_its_rows_alone(filled: Any) -> None:
    filled.quote("binance_futures", "BTCUSDT", 1, 10.0, 11.0)
    filled.quote("binance_spot", "BTCUSDT", 2, 20.0, 21.0)
    filled.quote("binance_futures", "ETHUSDT", 3, 30.0, 31.0)
    found = filled.connection.execute("SELECT venue, symbol, bid_price FROM btcusdt_binance_futures_prices")
    assert found.fetchall() == [("binance_futures", "BTCUSDT", 10.0)]


def test_a_symbol_added_later_keeps_the_old_rows_and_gets_its_names(filled: Any) -> None:
    filled.quote("binance_spot", "BTCUSDT", 1, 10.0, 11.0)
    streams = 5 + 1  # of binance_spot: the core ones and large_trades
    assert tables.ensure(filled.connection, [("binance_spot", "币安人生USDT")]) == streams
    assert tables.ensure(filled.connection, [("binance_spot", "币安人生USDT")]) == 0
    filled.quote("binance_spot", "币安人生USDT", 2, 0.1, 0.2)
    assert filled.connection.execute(
        'SELECT bid_price FROM "币安人生usdt_binance_spot_prices"'
    ).fetchall() == [(0.1,)]
    assert filled.connection.execute("SELECT bid_price FROM btcusdt_binance_spot_prices").fetchall() == [
        (10.0,)
    ]


def test_a_crash_right_after_a_symbol_was_added_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "killed.duckdb"
    code = """
import os, sys
from orderflow.store import opening, tables
connection = opening.open_for_writing(sys.argv[1])
tables.create(connection, ["BTCUSDT"])
insert = "INSERT INTO trades_hot (venue, symbol, id, side) SELECT 'pyth', ?, range, 'sell' FROM range(1000)"
connection.execute(insert, ["BTCUSDT"])
tables.ensure(connection, [("pyth", "ETHUSDT")])
connection.execute(insert, ["ETHUSDT"])
os.kill(os.getpid(), 9)
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run([sys.executable, "-c", code, str(path)], env=env, timeout=60).returncode == -9
    assert (
        path.with_name("killed.duckdb.wal").stat().st_size > 0
    )  # nothing was checkpointed: the log is replayed
    connection = opening.open_for_writing(path)
    found = connection.execute("SELECT symbol, side, count(*) FROM trades GROUP BY ALL ORDER BY 1").fetchall()
    connection.close()
    assert found == [("BTCUSDT", "sell", 1000), ("ETHUSDT", "sell", 1000)]


@pytest.mark.parametrize("symbol", ["", "A;B", "BTC USDT", 'x"y', "it's", "-x", "x" * 65])
def test_what_cannot_be_a_symbol_is_refused_and_nothing_is_changed(filled: Any, symbol: str) -> None:
    before = tables.names(filled.connection)
    with pytest.raises(InvalidArgument):
        tables.ensure(filled.connection, [("binance_spot", "SOLUSDT"), ("binance_spot", symbol)])
    assert tables.names(filled.connection) == before


def test_two_symbols_that_would_share_their_names_are_refused(filled: Any) -> None:
    with pytest.raises(InvalidArgument, match="'BTCUSDT' and 'btcUSDT'"):
        tables.ensure(filled.connection, [("binance_spot", "btcUSDT")])


def test_an_unknown_venue_is_refused(filled: Any) -> None:
    with pytest.raises(UnknownVenue):
        tables.ensure(filled.connection, [("mtgox", "BTCUSDT")])


def test_a_text_file_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database, though long enough to have a header" * 200)
    with pytest.raises(StoreUnusable, match="not a DuckDB database") as caught:
        opening.open_for_writing(path)
    assert "\n" not in str(caught.value)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE invoices (total DOUBLE); CREATE TABLE about (version INTEGER)")
    with pytest.raises(StoreUnusable, match="another program .*about, invoices"):
        opening.open_for_writing(path)


def test_a_database_of_a_newer_version_is_left_alone(filled: Any) -> None:
    filled.connection.execute("UPDATE about SET value = '99' WHERE key = 'schema'")
    filled.connection.close()
    with pytest.raises(StoreUnusable, match="schema 99"):
        opening.open_for_writing(filled.path)


def test_a_folder_and_a_place_in_no_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="a folder"):
        opening.open_for_writing(tmp_path)
    with pytest.raises(StoreUnusable, match="does not exist"):
        opening.open_for_writing(tmp_path / "nowhere" / "x.duckdb")


def test_no_permission_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    path = tmp_path / "locked" / "x.duckdb"
    code = """
import os, sys
from orderflow.market.errors import StoreUnusable
from orderflow.store import opening, tables
if os.geteuid() == 0:
    os.setuid(65534)  # root may write anywhere
try:
    opening.open_for_writing(sys.argv[1])
except StoreUnusable as error:
    print(error)
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], env=env, capture_output=True, text=True, timeout=60
    )
    assert "ermission" in done.stdout and done.stdout.count("\n") == 1, done


def test_a_second_writer_is_told_who_has_it(filled: Any, elsewhere: Callable[..., str]) -> None:
    said = elsewhere(
        "import sys\nfrom orderflow.market.errors import StoreUnusable\nfrom orderflow.store import opening, tables\n"
        "try:\n    opening.open_for_writing(sys.argv[1])\n"
        "except StoreUnusable as error:\n    print(error, error.hint)\n",
        filled.path,
    )
    assert f"process {os.getpid()}" in said and "Quack" in said and said.count("\n") == 1


def test_a_run_is_found_again_by_its_key(filled: Any) -> None:
    first = runs.begin(
        filled.connection, "replay", "file-a", started=filled.at(0), ended=filled.at(60), version="1"
    )
    again = runs.begin(filled.connection, "replay", "file-a", started=filled.at(5), version="2")
    other = runs.begin(
        filled.connection, "live", "now", started=filled.at(90), settings={"symbols": ["BTCUSDT"]}
    )
    assert first == again and (first.id, other.id) == (1, 2)
    assert runs.last(filled.connection) == other and other.settings == {"symbols": ["BTCUSDT"]}
    assert runs.end(filled.connection, other, filled.at(100)).ended == filled.at(100)
    assert runs.end(filled.connection, first, filled.at(100)).ended == filled.at(60)
    assert filled.connection.execute("SELECT run, kind FROM sources").fetchall() == [
        (1, "replay"),
        (2, "live"),
    ]


@pytest.mark.parametrize(
    ("there", "comes"), [("simulated", "live"), ("replay", "simulated"), ("simulated", "backfill")]
)
def test_simulated_and_real_data_never_share_a_database(
    filled: Any, there: runs.Kind, comes: runs.Kind
) -> None:
    filled.run(there, 0, 1)
    with pytest.raises(StoreUnusable, match=f"holds {there} data"):
        filled.run(comes, 2, 3)
    assert filled.connection.execute("SELECT kind FROM runs").fetchall() == [(there,)]

"""A database as schema 1 laid it out, written here by hand: a table per stream under the stream's own name."""

from pathlib import Path

import duckdb

VENUES = ("binance_futures", "binance_spot")
SYMBOLS = ("BTCUSDT", "ETHUSDT")
VIEWED = ("prices", "orderbooks", "trades", "candles")  # of the streams that both venues have
T0 = "TIMESTAMP '2025-11-21'"

_ENUMS = {
    "venue": VENUES,
    "symbol": SYMBOLS,
    "clock": ("venue", "local"),
    "source": ("live", "replay", "backfill", "simulated"),
    "side": ("buy", "sell"),
    "closed_side": ("long", "short"),
    "kind": ("call", "put"),
}
_SHARED = (
    "venue venue, symbol symbol, id BIGINT, timestamp TIMESTAMP, received TIMESTAMP, clock clock,"
    " source source, run INTEGER"
)
_LEVELS = ", ".join(
    f"{side}_{rank}_price DOUBLE, {side}_{rank}_qty DOUBLE"
    for side in ("bid", "ask")
    for rank in range(1, 11)
)
_OWN = {
    # without told_price and confidence, which oracles brought
    "prices": "mid_price DOUBLE, bid_price DOUBLE, ask_price DOUBLE, bid_qty DOUBLE, ask_qty DOUBLE,"
    " spread DOUBLE, spread_bps DOUBLE, sequence BIGINT",
    "orderbooks": f"{_LEVELS}, total_bid_qty DOUBLE, total_ask_qty DOUBLE, imbalance DOUBLE,"
    " mid_price DOUBLE, spread DOUBLE, spread_bps DOUBLE, depth INTEGER, sequence BIGINT",
    "trades": "trade_id VARCHAR, price DOUBLE, quantity DOUBLE, value DOUBLE, side side,"
    " is_buyer_maker BOOLEAN, count INTEGER",
    "mark_prices": "mark_price DOUBLE, index_price DOUBLE, basis DOUBLE, basis_bps DOUBLE",
    "funding_rates": "funding_rate DOUBLE, predicted_rate DOUBLE, interval_hours DOUBLE,"
    " annualized_pct DOUBLE, next_funding_time TIMESTAMP",
    "open_interest": "open_interest DOUBLE, open_interest_usd DOUBLE, contracts DOUBLE, oi_change DOUBLE",
    "ticker_24h": "last_price DOUBLE, open_24h DOUBLE, high_24h DOUBLE, low_24h DOUBLE, volume_24h DOUBLE,"
    " quote_volume_24h DOUBLE, trade_count_24h BIGINT, price_change DOUBLE, price_change_pct DOUBLE,"
    " vwap_24h DOUBLE",
    "candles": "interval VARCHAR, open_time TIMESTAMP, close_time TIMESTAMP, open DOUBLE, high DOUBLE,"
    " low DOUBLE, close DOUBLE, volume DOUBLE, quote_volume DOUBLE, trade_count BIGINT,"
    " taker_buy_volume DOUBLE, taker_buy_quote DOUBLE, closed BOOLEAN",
    "liquidations": "side closed_side, price DOUBLE, quantity DOUBLE, value DOUBLE, order_id VARCHAR,"
    " is_partial BOOLEAN, ordinal INTEGER",
    "index_prices": "index_price DOUBLE",
    "options": "instrument VARCHAR, expiry TIMESTAMP, strike DOUBLE, kind kind, bid DOUBLE, ask DOUBLE,"
    " bid_iv DOUBLE, ask_iv DOUBLE, mark_price DOUBLE, mark_iv DOUBLE, underlying_price DOUBLE,"
    " open_interest DOUBLE, volume_24h DOUBLE, delta DOUBLE, gamma DOUBLE, vega DOUBLE, theta DOUBLE, rho DOUBLE",
    "volatility_index": "value DOUBLE",
    "large_trades": "trade_id VARCHAR, side side, price DOUBLE, quantity DOUBLE, value_usd DOUBLE,"
    " is_liquidation BOOLEAN",
}
_OTHERS = """
CREATE TABLE about (key VARCHAR NOT NULL, value VARCHAR NOT NULL);
INSERT INTO about VALUES ('program', 'crypto-orderflow'), ('schema', '1');
CREATE TABLE runs (id INTEGER NOT NULL, key VARCHAR NOT NULL, started TIMESTAMP NOT NULL, ended TIMESTAMP,
    kind VARCHAR NOT NULL, version VARCHAR NOT NULL, settings VARCHAR NOT NULL);
INSERT INTO runs VALUES (1, 'live 1', TIMESTAMP '2025-11-21', NULL, 'live', '0.1', '{}');
CREATE TABLE gaps (venue VARCHAR NOT NULL, symbol VARCHAR NOT NULL, stream VARCHAR NOT NULL,
    "from" TIMESTAMP NOT NULL, "until" TIMESTAMP, reason VARCHAR NOT NULL, filled_at TIMESTAMP, run INTEGER NOT NULL);
INSERT INTO gaps VALUES ('binance_spot', 'BTCUSDT', 'trades', TIMESTAMP '2025-11-21', NULL, 'disconnected', NULL, 1);
CREATE TABLE instruments (venue VARCHAR NOT NULL, symbol VARCHAR NOT NULL, native VARCHAR NOT NULL,
    kind VARCHAR NOT NULL, base VARCHAR NOT NULL, quote VARCHAR NOT NULL, status VARCHAR NOT NULL,
    trading BOOLEAN NOT NULL, contract_size DOUBLE, tick DOUBLE, lot DOUBLE, min_notional DOUBLE,
    listed_since TIMESTAMP, read_at TIMESTAMP);
CREATE VIEW sources AS SELECT id AS run, kind, started, ended, version FROM runs ORDER BY id;
"""


def lay_out(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables and the named views, with a run and a gap."""
    connection.execute(_OTHERS)
    for stream, own in _OWN.items():
        connection.execute(f"CREATE TABLE {stream} ({_typed(f'{_SHARED}, {own}')})")
        for venue in VENUES if stream in VIEWED else ():
            for symbol in SYMBOLS:
                connection.execute(
                    f"CREATE VIEW {symbol.lower()}_{venue}_{stream} AS SELECT * FROM {stream}"
                    f" WHERE venue = '{venue}' AND symbol = '{symbol}'"
                )


def _typed(columns: str) -> str:
    """Write the ENUMs out, as the tables have them."""
    found: list[str] = []
    for column in columns.split(", "):
        name, kind = column.split(" ")
        values = _ENUMS.get(kind)
        found.append(f"{name} ENUM ({', '.join(map(repr, values))})" if values else column)
    return ", ".join(found)


def fill(connection: duckdb.DuckDBPyConnection, rows: int) -> None:
    """Put so many trades and a tenth of quotes and bars in, a row every two seconds on each of four series."""
    shared = (
        "CASE i % 2 WHEN 0 THEN 'binance_futures' ELSE 'binance_spot' END AS venue,"
        " CASE i // 2 % 2 WHEN 0 THEN 'BTCUSDT' ELSE 'ETHUSDT' END AS symbol, i // 4 + 1 AS id,"
        f" {T0} + to_milliseconds(i * 500) AS timestamp, {T0} + to_milliseconds(i * 500 + 20) AS received,"
        " 'venue' AS clock, 'live' AS source, 1 AS run"
    )
    connection.execute(
        f"INSERT INTO trades BY NAME SELECT {shared}, i::VARCHAR AS trade_id, 100 + i % 7 AS price,"
        f" 0.5 AS quantity, (100 + i % 7) / 2 AS value, 'buy' AS side, false AS is_buyer_maker, 1 AS count"
        f" FROM range({rows}) AS all_rows(i)"
    )
    connection.execute(
        f"INSERT INTO prices BY NAME SELECT {shared}, 99.0 AS bid_price, 101.0 AS ask_price, i AS sequence"
        f" FROM range({rows // 10}) AS all_rows(i)"
    )
    connection.execute(
        f"INSERT INTO candles BY NAME SELECT {shared}, '1m' AS interval,"
        f" {T0} + to_seconds(i // 4 * 60) AS open_time, i % 3 <> 0 AS closed FROM range({rows // 10}) AS all_rows(i)"
    )


def database(path: Path, rows: int = 400) -> None:
    connection = duckdb.connect(str(path))
    try:
        lay_out(connection)
        fill(connection, rows)
    finally:
        connection.close()

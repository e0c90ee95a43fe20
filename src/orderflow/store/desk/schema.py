"""Schema: the desk's four tables in PostgreSQL, their 18 indexes, and what we keep beside them.

Sixteen of the indexes are those that desks know by name. The two that were missing find the latest row
of one market: its book now, and its part of the total open interest. Each index says which question it
is for; a test asks PostgreSQL whether that question uses it. The four primary keys come apart from them.
"""

import re
from typing import LiteralString, NamedTuple

from orderflow.market.errors import InvalidArgument
from orderflow.store.identifiers import text

SCHEMA = "orderflow"
VERSION = 1  # grows with every change of a table or an index

PROGRAM = "crypto-orderflow"

LONGEST_ID = 255  # characters, as the columns have room
LONGEST_NAME = 50

_SHAPED = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class Table(NamedTuple):
    """A table: its columns as PostgreSQL declares them, in the order in which they are copied."""

    name: str
    columns: dict[str, str]
    doc: str

    @property
    def ddl(self) -> str:
        body = ",\n    ".join(f'"{name}" {kind}' for name, kind in self.columns.items())
        return f"CREATE TABLE IF NOT EXISTS {{schema}}.{self.name} (\n    {body}\n)"


class Index(NamedTuple):
    """An index: its table, what it is over, and the question that it is for."""

    name: str
    table: str
    over: str
    use: str

    @property
    def ddl(self) -> str:
        return f"CREATE INDEX IF NOT EXISTS {self.name} ON {{schema}}.{self.table} {self.over}"


# Compared byte by byte, as DuckDB does: rows with the same time come in the same order from either store.
_BYTES = 'COLLATE "C"'
_HEAD = {
    "id": f"VARCHAR({LONGEST_ID}) {_BYTES} PRIMARY KEY",
    "exchange": f"VARCHAR({LONGEST_NAME}) {_BYTES} NOT NULL",
    "symbol": f"VARCHAR({LONGEST_NAME}) {_BYTES} NOT NULL",
}
_TAIL = {"metadata": "JSONB", "created_at": "TIMESTAMPTZ NOT NULL DEFAULT now()"}
_WHEN = "TIMESTAMPTZ NOT NULL"

TABLES: dict[str, Table] = {
    one.name: one
    for one in (
        Table(
            "exchange_orderbooks",
            {
                **_HEAD,
                "bids": "JSONB NOT NULL",
                "asks": "JSONB NOT NULL",
                "timestamp": _WHEN,
                "sequence": "BIGINT",
                **_TAIL,
            },
            "the best ten levels of a book, as [[price, size], …], best first",
        ),
        Table(
            "large_trades",
            {
                **_HEAD,
                "side": "VARCHAR(10)",
                "price": "DECIMAL(20,8)",
                "size": "DECIMAL(20,8)",
                "value_usd": "DECIMAL(20,2)",
                "timestamp": _WHEN,
                "trade_id": f"VARCHAR({LONGEST_ID}) {_BYTES}",
                "is_liquidation": "BOOLEAN DEFAULT false",
                **_TAIL,
            },
            "large trades of the tapes, and every liquidation",
        ),
        Table(
            "funding_rates",
            {
                **_HEAD,
                "rate": "DECIMAL(10,8)",
                "predicted_rate": "DECIMAL(10,8)",
                "timestamp": _WHEN,
                "next_funding_time": "TIMESTAMPTZ",
                **_TAIL,
            },
            "funding rates as they were announced, per interval of their market",
        ),
        Table(
            "open_interest",
            {
                **_HEAD,
                "open_interest": "DECIMAL(20,8)",
                "open_interest_usd": "DECIMAL(20,2)",
                "timestamp": _WHEN,
                **_TAIL,
            },
            "open interest, one side, in base units and where the venue tells in USD",
        ),
    )
}

_MARKET, _NEWEST = "(exchange, symbol)", '("timestamp" DESC)'
_SYMBOL_NEWEST = '(symbol, "timestamp" DESC)'
_MARKET_NEWEST = '(exchange, symbol, "timestamp" DESC)'

INDEXES: tuple[Index, ...] = (
    Index(
        "exchange_orderbooks_market", "exchange_orderbooks", _MARKET, "how many books of a market are kept"
    ),
    Index("exchange_orderbooks_time", "exchange_orderbooks", _NEWEST, "the newest books, of every market"),
    Index(
        "exchange_orderbooks_symbol", "exchange_orderbooks", "(symbol)", "the books of a symbol, long back"
    ),
    Index("exchange_orderbooks_latest", "exchange_orderbooks", _MARKET_NEWEST, "the book of a market now"),
    Index("large_trades_market", "large_trades", _MARKET, "the trades of one market, long back"),
    Index("large_trades_time", "large_trades", _NEWEST, "the newest trades, of every market"),
    Index("large_trades_value", "large_trades", "(value_usd DESC NULLS LAST)", "the largest trades first"),
    Index(
        "large_trades_liquidations",
        "large_trades",
        f"{_NEWEST} WHERE is_liquidation",
        "liquidations alone",
    ),
    Index("large_trades_symbol_time", "large_trades", _SYMBOL_NEWEST, "the newest trades of a symbol"),
    Index("funding_rates_market", "funding_rates", _MARKET, "the rates of one market, long back"),
    Index("funding_rates_time", "funding_rates", _NEWEST, "the newest rates, of every market"),
    Index("funding_rates_symbol_time", "funding_rates", _SYMBOL_NEWEST, "the newest rates of a symbol"),
    Index("funding_rates_rate", "funding_rates", "(rate DESC NULLS LAST)", "the highest rates first"),
    Index("open_interest_market", "open_interest", _MARKET, "how many rows of a market are kept"),
    Index("open_interest_time", "open_interest", _NEWEST, "the newest rows, of every market"),
    Index("open_interest_symbol_time", "open_interest", _SYMBOL_NEWEST, "the newest rows of a symbol"),
    Index(
        "open_interest_usd",
        "open_interest",
        "(open_interest_usd DESC NULLS LAST)",
        "the largest open interest first",
    ),
    Index(
        "open_interest_latest", "open_interest", _MARKET_NEWEST, "the latest of each market, for the total"
    ),
)

# `desk_progress` says up to which row each series of a store was copied; a row of ours and its mark are
# committed together. `stamped` tells the marked row again: a store that was begun anew counts from 1.
_OURS: tuple[LiteralString, ...] = (
    "CREATE TABLE IF NOT EXISTS {schema}.desk_about (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL)",
    """
    CREATE TABLE IF NOT EXISTS {schema}.desk_progress (
        origin VARCHAR NOT NULL, stream VARCHAR NOT NULL, exchange VARCHAR NOT NULL, symbol VARCHAR NOT NULL,
        number BIGINT NOT NULL, stamped TIMESTAMPTZ NOT NULL, PRIMARY KEY (origin, stream, exchange, symbol)
    )
    """,
    "CREATE TABLE IF NOT EXISTS {schema}.desk_symbols (symbol VARCHAR PRIMARY KEY)",
)


def checked(schema: str) -> str:
    """Return a schema's name if it needs no quotes, or raise `InvalidArgument`."""
    if not _SHAPED.fullmatch(schema) or schema.startswith("pg_") or schema == "information_schema":
        raise InvalidArgument(
            f"{schema[:80]!r} cannot be the name of a schema of ours",
            hint="small letters, digits and _, as in orderflow",
        )
    return schema


def statements(schema: str) -> list[str]:
    """Return what lays out the schema; each does nothing where it was done."""
    found = [*_OURS, *(one.ddl for one in TABLES.values()), *(one.ddl for one in INDEXES)]
    found += [f"COMMENT ON TABLE {{schema}}.{one.name} IS {text(one.doc)}" for one in TABLES.values()]
    found += [f"COMMENT ON INDEX {{schema}}.{one.name} IS {text(one.use)}" for one in INDEXES]
    return [f"CREATE SCHEMA IF NOT EXISTS {schema}", *(one.format(schema=schema) for one in found)]

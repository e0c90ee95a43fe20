"""Rows: what our streams are in a desk's tables, as one query of DuckDB a table.

The follower copies what these queries give, and the answers from DuckDB ask the same queries, so that
both stores hold the same rows by construction. DuckDB rounds to the decimals that a desk's columns
have, once; a number too large for its column is null there, and stands in full in the metadata.

Each query has the columns of its desk's table (without `created_at`), and further ones for the copying:
`number` (our `id`, which grows within a series) and `stamped` (when we received the row).
"""

from collections.abc import Callable

from orderflow.market.streams import BOOK_LEVELS
from orderflow.store.desk.schema import LONGEST_ID, LONGEST_NAME, TABLES

Source = Callable[[str], str]  # a stream's name → what stands behind FROM

# a desk's table → the streams of ours that it is made of
STREAMS: dict[str, tuple[str, ...]] = {
    "exchange_orderbooks": ("orderbooks",),
    "large_trades": ("large_trades", "liquidations"),
    "funding_rates": ("funding_rates",),
    "open_interest": ("open_interest",),
}
TABLE_OF = {stream: table for table, streams in STREAMS.items() for stream in streams}


# What a desk's tables cannot hold: a row without any time, and a symbol of no venue that there is.
KEPT = f"timestamp IS NOT NULL AND length(symbol::VARCHAR) <= {LONGEST_NAME}"


def query(stream: str, source: str = "") -> str:
    """Return the query that gives a stream's rows as its desk's table has them."""
    parts = {**_SHARED, **_COLUMNS[stream]}
    said = ", ".join(f'{sql} AS "{name}"' for name, sql in parts.items())
    return f"SELECT {said} FROM {source or stream} WHERE {KEPT}"


def relation(table: str, source: Source = str) -> str:
    """Return a desk's table as a query of our streams."""
    return " UNION ALL BY NAME ".join(f"({query(stream, source(stream))})" for stream in STREAMS[table])


def columns(table: str) -> list[str]:
    """Return the columns of a desk's table that are copied."""
    return [name for name in TABLES[table].columns if name != "created_at"]


def _decimal(column: str, kind: str) -> str:
    return f"TRY_CAST({column} AS {kind})"


def _clean(column: str) -> str:
    """Leave out what PostgreSQL cannot have in a text."""
    return f"replace({column}, chr(0), '')"


def _id(*parts: str) -> str:
    """Join the parts of an id by `_`; what is null is left out, and one too long ends in its hash."""
    joined = f"concat_ws('_', venue, symbol, {', '.join(parts)})"
    return (
        f"CASE WHEN length({joined}) <= {LONGEST_ID} THEN {joined}"
        f" ELSE left({joined}, {LONGEST_ID - 33}) || '_' || md5({joined}) END"
    )


def _metadata(too_large: dict[str, str], **more: str) -> str:
    """Return the metadata as JSON: where the row came from, and what it says beside the columns."""
    said = {
        "source": "source",
        "clock": "clock",
        "received": "strftime(received, '%Y-%m-%dT%H:%M:%S.%fZ')",
        **more,
    }
    shown = ", ".join(f"{name}: {sql}" for name, sql in said.items())
    beyond = ", ".join(
        f"{name}: CASE WHEN isfinite({name}) AND {_decimal(name, kind)} IS NULL THEN {name} END"
        for name, kind in too_large.items()
    )
    inside = f"{shown}, beyond_column: {{{beyond}}}" if beyond else shown
    missing = " AND ".join(
        f"({_decimal(name, kind)} IS NOT NULL OR {name} IS NULL OR NOT isfinite({name}))"
        for name, kind in too_large.items()
    )
    plain = f"json_merge_patch('{{}}', to_json({{{shown}}}))"  # which leaves out what is null
    if not beyond:
        return plain
    return f"CASE WHEN {missing} THEN {plain} ELSE json_merge_patch('{{}}', to_json({{{inside}}})) END"


def _finite(column: str) -> str:
    return f"CASE WHEN isfinite({column}) THEN {column} END"


def _levels(side: str) -> str:
    pairs = ", ".join(f"[{side}_{rank}_price, {side}_{rank}_qty]" for rank in range(1, BOOK_LEVELS + 1))
    return f"to_json(list_filter([{pairs}], lambda one: isfinite(one[1]) AND isfinite(one[2])))"


_MICROS = "epoch_us(timestamp)"
_PRICE, _USD, _RATE = "DECIMAL(20,8)", "DECIMAL(20,2)", "DECIMAL(10,8)"
# As the writer judges large trades; without a question mark, which would be the place of a value.
_IN_DOLLARS = "CASE WHEN regexp_full_match(symbol::VARCHAR, '.+USD(T|C|)') THEN value END"
_TRADED = {
    "price": _decimal("price", _PRICE),
    "size": _decimal("quantity", _PRICE),
    "timestamp": "timestamp",
}
_NOT_AS_SUCH = {"price": _PRICE, "quantity": _PRICE}

_SHARED = {
    "exchange": "venue::VARCHAR",
    "symbol": "symbol::VARCHAR",
    "number": "id",
    "stamped": "coalesce(received, timestamp)",
}

_COLUMNS: dict[str, dict[str, str]] = {
    "orderbooks": {
        "id": _id(_MICROS, "sequence"),
        "bids": _levels("bid"),
        "asks": _levels("ask"),
        "timestamp": "timestamp",
        "sequence": "sequence",
        "metadata": _metadata({}, depth="depth"),
    },
    "large_trades": {
        "id": _id(_clean("trade_id")),
        "side": "side::VARCHAR",
        **_TRADED,
        "value_usd": _decimal("value_usd", _USD),
        "trade_id": f"left({_clean('trade_id')}, {LONGEST_ID})",
        "is_liquidation": "is_liquidation",
        "metadata": _metadata({**_NOT_AS_SUCH, "value_usd": _USD}),
    },
    # What was closed by force is told apart from the tape, which does not say so of its trades: a long
    # that is closed is sold. Every one is a row, whatever its value.
    "liquidations": {
        "id": _id(
            "'liquidation'",
            f"coalesce({_clean('order_id')}, concat_ws('_', side, price, quantity, ordinal))",
            _MICROS,
        ),
        "side": "CASE side WHEN 'long' THEN 'sell' WHEN 'short' THEN 'buy' END",
        **_TRADED,
        "value_usd": _decimal(f"({_IN_DOLLARS})", _USD),
        "trade_id": f"left({_clean('order_id')}, {LONGEST_ID})",
        "is_liquidation": "true",
        "metadata": _metadata({**_NOT_AS_SUCH, "value": _USD}, position="side", is_partial="is_partial"),
    },
    "funding_rates": {
        "id": _id(_MICROS, "funding_rate", "predicted_rate"),
        "rate": _decimal("funding_rate", _RATE),
        "predicted_rate": _decimal("predicted_rate", _RATE),
        "timestamp": "timestamp",
        "next_funding_time": "next_funding_time",
        "metadata": _metadata(
            {"funding_rate": _RATE, "predicted_rate": _RATE},
            interval_hours=_finite("interval_hours"),
            annualized_pct=_finite("annualized_pct"),
        ),
        "interval_hours": _finite("interval_hours"),
    },
    "open_interest": {
        "id": _id(_MICROS),
        "open_interest": _decimal("open_interest", _PRICE),
        "open_interest_usd": _decimal("open_interest_usd", _USD),
        "timestamp": "timestamp",
        "metadata": _metadata(
            {"open_interest": _PRICE, "open_interest_usd": _USD}, contracts=_finite("contracts")
        ),
    },
}

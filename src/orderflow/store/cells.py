"""Cells: what was traded in each bar at each level of price, by the taker's side; and the bars themselves.

What the order-flow analysis starts from, summed where the trades are: a day of a busy market has a million
trades and some thousand cells. The mathematics stands in `flow`; here is only the grouping.
"""

from collections.abc import Sequence

import pyarrow as pa

from orderflow.market.columns import TOLERANCE
from orderflow.market.errors import InvalidArgument, TooLarge
from orderflow.market.events import Nanos
from orderflow.store.bar import Bar
from orderflow.store.kept import Kept, Summing
from orderflow.store.session import Session
from orderflow.store.statements import Parameter
from orderflow.store.windows import Window, described, nothing

_VALUE = "coalesce(value, price * quantity)"
_SIDES = {"buy": "NOT is_buyer_maker", "sell": "is_buyer_maker"}
_SUMS = ", ".join(
    f"coalesce(sum({what}) FILTER (WHERE {where}), 0) AS {name}"
    for name, what, where in (
        *((side, "quantity", where) for side, where in _SIDES.items()),
        *((f"{side}_quote", _VALUE, where) for side, where in _SIDES.items()),
        ("unsided", "quantity", "is_buyer_maker IS NULL"),
    )
)
_COUNT = 'coalesce(sum("count"), count(*))::BIGINT AS trades'

UNITS = {
    "bar": "number", "open_time": "UTC", "level": "number", "buy": "base", "sell": "base", "buy_quote": "quote",
    "sell_quote": "quote", "unsided": "base", "trades": "count", "open": "quote", "high": "quote", "low": "quote",
    "close": "quote", "high_time": "UTC", "low_time": "UTC", "delta_high": "base", "delta_low": "base",
    "delta_high_quote": "quote", "delta_low_quote": "quote", "timestamp": "UTC", "price": "quote",
    "quantity": "base", "value": "quote", "side": "sign", "count": "count",
}  # fmt: skip
MOST_TRADES = 300_000  # of one window that is read trade by trade: some 20 MB


def cells(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    bar: Bar,
    since: Nanos,
    until: Nanos,
    step: float,
    kept: Kept | None = None,
) -> Window:
    """Return a row a venue, bar and level in [since, until): base and quote of each taker's side, and trades.

    A level is floor(price / step); `unsided` is the volume of which the venue does not say who took it.
    Bars are numbered as `bar` does, from the epoch. What is `kept` of blocks that are unchanged is not
    summed again. Raises `NoData`.
    """
    if not step > 0:
        raise InvalidArgument(f"{step:g} is no step of prices", hint="a positive number: the tick, or more")
    grouped = f"SELECT *, {bar.of('timestamp')} AS bar, floor(price / {float(step)!r} + {TOLERANCE})::BIGINT AS level"
    sql = (
        f"SELECT venue::VARCHAR AS venue, bar, {bar.opens('bar')} AS open_time, level, {_SUMS}, {_COUNT}"
        f" FROM ({grouped} FROM {{trades}}) GROUP BY venue, bar, level ORDER BY venue, bar, level"
    )
    found = _summed(
        session, Summing("cells", sql, symbol, venues, bar, ("venue", "bar", "level")), since, until, kept
    )
    return _told(session, found, "cells", symbol, venues, since, until)


def flow_bars(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    bar: Bar,
    since: Nanos,
    until: Nanos,
    kept: Kept | None = None,
) -> Window:
    """Return a row a venue and bar: prices, volumes by the taker's side, and how far delta ran within it.

    `delta_high` and `delta_low` are the extremes of buy less sell since the bar's first trade, beginning
    at 0; `..._quote` those of the values. Unlike `bars`, always of trades. Raises `NoData`.
    """
    place = "(timestamp, id)"
    number = bar.of("timestamp")
    running = ", ".join(
        f"sum(CASE WHEN is_buyer_maker THEN -{what} WHEN NOT is_buyer_maker THEN {what} ELSE 0 END)"
        f" OVER in_bar AS {name}"
        for name, what in (("running", "quantity"), ("running_quote", _VALUE))
    )
    ran = ", ".join(
        f"greatest(max({name}), 0) AS delta_high{ending}, least(min({name}), 0) AS delta_low{ending}"
        for name, ending in (("running", ""), ("running_quote", "_quote"))
    )
    window = (
        f"WINDOW in_bar AS (PARTITION BY venue, {number} ORDER BY timestamp, id ROWS UNBOUNDED PRECEDING)"
    )
    sql = (
        f"SELECT venue::VARCHAR AS venue, bar, {bar.opens('bar')} AS open_time,"
        f" arg_min(price, {place}) AS open, max(price) AS high, min(price) AS low, arg_max(price, {place}) AS close,"
        f" arg_max(timestamp, (price, -epoch_us(timestamp))) AS high_time,"
        f" arg_min(timestamp, (price, epoch_us(timestamp))) AS low_time,"
        f" {_SUMS}, {_COUNT}, {ran} FROM (SELECT *, {number} AS bar, {running} FROM {{trades}} {window})"
        " GROUP BY venue, bar ORDER BY venue, bar"
    )
    found = _summed(session, Summing("bars", sql, symbol, venues, bar, ("venue", "bar")), since, until, kept)
    return _told(session, found, "bars", symbol, venues, since, until)


def tape(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos,
    until: Nanos,
    most: int = MOST_TRADES,
) -> Window:
    """Return the trades of [since, until) in the order in which they happened, those of venues one tape.

    `side` is the taker's: 1 bought, -1 sold, 0 unknown. Raises `TooLarge` where there are more than `most`,
    and `NoData`.
    """
    found = _read(
        session, symbol, venues, since, until,
        "SELECT venue::VARCHAR AS venue, timestamp, price, quantity,"
        f" {_VALUE} AS value, CASE WHEN is_buyer_maker THEN -1 WHEN NOT is_buyer_maker THEN 1 ELSE 0 END::BIGINT"
        f' AS side, coalesce("count", 1)::BIGINT AS "count" FROM {{trades}} ORDER BY timestamp, venue, id'
        f" LIMIT {most + 1}",
    )  # fmt: skip
    if found.num_rows > most:
        raise TooLarge(
            f"the window holds more than {most:,} trades, which are read one by one here",
            hint="a shorter window, or bars of time",
        )
    return _told(session, found, "trades", symbol, venues, since, until)


def _summed(session: Session, what: Summing, since: Nanos, until: Nanos, kept: Kept | None) -> pa.Table:
    def read(first: Nanos, last: Nanos) -> pa.Table:
        return _read(session, what.symbol, what.venues, first, last, what.sql)

    return read(since, until) if kept is None else kept.found(session, what, read, since, until)


def _read(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos,
    until: Nanos,
    sql: str,
) -> pa.Table:
    where, bound = session.where(symbol, venues, since, until)
    values: list[Parameter] = list(bound)
    source = session.source("trades", symbol, venues, since)
    return session.arrow(sql.format(trades=f"{source} {where}"), values)


def _told(
    session: Session,
    found: pa.Table,
    what: str,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos,
    until: Nanos,
) -> Window:
    if not found.num_rows:
        raise nothing(session, "trades", symbol, venues, since, until)
    units = {name: unit for name, unit in UNITS.items() if name in found.column_names}
    return described(session, found, what, "trades", symbol, venues, since, until, units=units)

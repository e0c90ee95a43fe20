"""Cells: what was traded in each bar at each level of price, by the taker's side; and the bars themselves.

What the order-flow analysis starts from, summed where the trades are: a day of a busy market has a million
trades and some thousand cells. The mathematics stands in `flow`; here is only the grouping.
"""

from collections.abc import Sequence

from orderflow.market.columns import TOLERANCE
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos
from orderflow.store.bar import Bar
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
}  # fmt: skip


def cells(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    bar: Bar,
    since: Nanos,
    until: Nanos,
    step: float,
) -> Window:
    """Return a row a venue, bar and level in [since, until): base and quote of each taker's side, and trades.

    A level is floor(price / step); `unsided` is the volume of which the venue does not say who took it.
    Bars are numbered as `bar` does, from the epoch. Raises `NoData`.
    """
    if not step > 0:
        raise InvalidArgument(f"{step:g} is no step of prices", hint="a positive number: the tick, or more")
    grouped = f"SELECT *, {bar.of('timestamp')} AS bar, floor(price / {float(step)!r} + {TOLERANCE})::BIGINT AS level"
    return _asked(
        session, "cells", symbol, venues, since, until,
        f"SELECT venue::VARCHAR AS venue, bar, {bar.opens('bar')} AS open_time, level, {_SUMS}, {_COUNT}"
        f" FROM ({grouped} FROM {{trades}}) GROUP BY venue, bar, level ORDER BY venue, bar, level",
    )  # fmt: skip


def flow_bars(
    session: Session, symbol: str, venues: str | Sequence[str] | None, bar: Bar, since: Nanos, until: Nanos
) -> Window:
    """Return a row a venue and bar: prices, volumes by the taker's side, and how far delta ran within it.

    `delta_high` and `delta_low` are the extremes of buy less sell since the bar's first trade, beginning
    at 0. Unlike `bars`, always of trades. Raises `NoData`.
    """
    place = "(timestamp, id)"
    signed = "CASE WHEN is_buyer_maker THEN -quantity WHEN NOT is_buyer_maker THEN quantity ELSE 0 END"
    running = (
        f"SELECT *, {bar.of('timestamp')} AS bar, sum({signed}) OVER (PARTITION BY venue, {bar.of('timestamp')}"
        " ORDER BY timestamp, id ROWS UNBOUNDED PRECEDING) AS running"
    )
    return _asked(
        session, "bars", symbol, venues, since, until,
        f"SELECT venue::VARCHAR AS venue, bar, {bar.opens('bar')} AS open_time,"
        f" arg_min(price, {place}) AS open, max(price) AS high, min(price) AS low, arg_max(price, {place}) AS close,"
        f" arg_max(timestamp, (price, -epoch_us(timestamp))) AS high_time,"
        f" arg_min(timestamp, (price, epoch_us(timestamp))) AS low_time,"
        f" {_SUMS}, {_COUNT}, greatest(max(running), 0) AS delta_high, least(min(running), 0) AS delta_low"
        f" FROM ({running} FROM {{trades}}) GROUP BY venue, bar ORDER BY venue, bar",
    )  # fmt: skip


def _asked(
    session: Session,
    what: str,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos,
    until: Nanos,
    sql: str,
) -> Window:
    where, bound = session.where(symbol, venues, since, until)
    values: list[Parameter] = list(bound)
    source = session.source("trades", symbol, venues, since)
    found = session.arrow(sql.format(trades=f"{source} {where}"), values)
    if not found.num_rows:
        raise nothing(session, "trades", symbol, venues, since, until)
    units = {name: unit for name, unit in UNITS.items() if name in found.column_names}
    return described(session, found, what, "trades", symbol, venues, since, until, units=units)

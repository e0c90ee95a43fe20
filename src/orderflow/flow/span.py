"""What happened in a span of time: prices in order, volumes by the taker's side, and the initial balance.

Of trades, or of bars in their place; a trade is a bar without length. A bar belongs to the span in which it
begins, so a span must not begin or end within a bar: that is `InvalidArgument`, and shorter bars are needed.

The initial balance is the range of the span's first hour (CBOT's two half-hour periods; Dalton, Jones and
Dalton, "Mind over Markets", 1990); until that hour is over it is what it has been so far. Highs and lows have
the time at which they were first reached: a bar's begin. Where nothing was traded prices are None and volumes
are 0; where one size is not known, volumes and what follows from them are None.
"""

import math
from typing import NamedTuple

import numpy as np

from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import HOUR, Nanos


class Bars(NamedTuple):
    """Bars oldest first, by when they begin; base and quote units, NaN prices where nothing was traded."""

    time: Index
    open: Column
    high: Column
    low: Column
    close: Column
    buy: Column
    sell: Column
    buy_quote: Column
    sell_quote: Column
    trades: Index
    length: Nanos = 0


class Span(NamedTuple):
    """What was traded in [since, until); `balance_until` is when the initial balance is known."""

    since: Nanos
    until: Nanos
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    high_time: Nanos | None
    low_time: Nanos | None
    buy: float | None
    sell: float | None
    buy_quote: float | None
    sell_quote: float | None
    trades: int
    balance_until: Nanos
    balance_high: float | None
    balance_low: float | None

    @property
    def volume(self) -> float | None:
        return None if self.buy is None or self.sell is None else self.buy + self.sell

    @property
    def quote(self) -> float | None:
        return None if self.buy_quote is None or self.sell_quote is None else self.buy_quote + self.sell_quote

    @property
    def delta(self) -> float | None:
        return None if self.buy is None or self.sell is None else self.buy - self.sell

    @property
    def delta_quote(self) -> float | None:
        return None if self.buy_quote is None or self.sell_quote is None else self.buy_quote - self.sell_quote

    @property
    def vwap(self) -> float | None:
        return self.quote / self.volume if self.quote is not None and self.volume else None

    @property
    def extension_up(self) -> float | None:
        """How far above the initial balance was traded, in quote units; 0 where not."""
        return None if self.high is None or self.balance_high is None else self.high - self.balance_high

    @property
    def extension_down(self) -> float | None:
        """How far below the initial balance was traded, in quote units; 0 where not."""
        return None if self.low is None or self.balance_low is None else self.balance_low - self.low


def bars_of_trades(
    time: Index, price: Column, size: Column, is_buy: Mask, count: Index | None = None
) -> Bars:
    """Return trades, oldest first, as bars without length; `count` is how many trades a row stands for."""
    buy, sell = np.where(is_buy, size, 0.0), np.where(is_buy, 0.0, size)
    times = np.ones(len(time), dtype=np.int64) if count is None else count
    return Bars(time, price, price, price, price, buy, sell, buy * price, sell * price, times)


def span(of: Bars, since: Nanos, until: Nanos, balance: Nanos = HOUR) -> Span:
    """Return what happened in [since, until), as far as it is in the bars.

    >>> trades = bars_of_trades(np.array([0, 1, 2, 9]), np.array([10.0, 12.0, 11.0, 99.0]),
    ...                         np.array([1.0, 2.0, 1.0, 5.0]), np.array([True, False, True, True]))
    >>> found = span(trades, since=0, until=9, balance=1)
    >>> found.open, found.high, found.low, found.close, found.high_time, found.delta, found.vwap
    (10.0, 12.0, 10.0, 11.0, 1, 0.0, 11.25)
    >>> found.balance_high, found.extension_up
    (10.0, 2.0)
    """
    balance_until = min(since + balance, until)
    begin, balanced, end = (_place(of, at) for at in (since, balance_until, until))
    rows = begin + np.flatnonzero(~np.isnan(of.close[begin:end]))
    first = rows[rows < balanced]
    some, early = len(rows) > 0, len(first) > 0
    highest = rows[np.argmax(of.high[rows])] if some else 0
    lowest = rows[np.argmin(of.low[rows])] if some else 0
    return Span(
        since,
        until,
        float(of.open[rows[0]]) if some else None,
        float(of.high[highest]) if some else None,
        float(of.low[lowest]) if some else None,
        float(of.close[rows[-1]]) if some else None,
        int(of.time[highest]) if some else None,
        int(of.time[lowest]) if some else None,
        _sum(of.buy[begin:end]),
        _sum(of.sell[begin:end]),
        _sum(of.buy_quote[begin:end]),
        _sum(of.sell_quote[begin:end]),
        int(of.trades[begin:end].sum()),
        balance_until,
        float(of.high[first].max()) if early else None,
        float(of.low[first].min()) if early else None,
    )


def _place(of: Bars, at: Nanos) -> int:
    """Return where the bars that begin at an instant or later begin."""
    place = int(np.searchsorted(of.time, at))
    if place and int(of.time[place - 1]) + of.length > at:
        raise InvalidArgument(
            f"a bar of {of.length} ns begins before {at} and ends after it", hint="shorter bars, or trades"
        )
    return place


def _sum(column: Column) -> float | None:
    found = float(column.sum())
    return None if math.isnan(found) else found

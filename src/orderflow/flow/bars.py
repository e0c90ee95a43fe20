"""Bars: prices and volumes of trades put together, with how far the delta ran within each.

Which bar a trade lies in says `cuts`; rows come in the order in which they happened, so that the first is the
open and the last the close. A bar's running delta starts at 0 with the bar: `delta_high` is never below 0,
`delta_low` never above, and `delta` is where it ended. Bars put together give what their trades would have
given, delta extremes too: the extreme of a part counts from where the parts before it had left the delta.

`start` and `end` are the times of a bar's first and last trade; on a grid of times (`on_grid`) its edges, the
end exclusive. There is no bar without a trade, unless it is asked for: then its prices are NaN, and its volumes
0 if that time was covered, NaN if it was not. A size that is unknown makes what depends on it NaN, and no more.
"""

from typing import Any, NamedTuple

import numpy as np

from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos


class Bars(NamedTuple):
    """One row a bar, by its number. Volumes are base units, `…_quote` quote units, sides the taker's."""

    bar: Index
    start: Index
    end: Index
    open: Column
    high: Column
    low: Column
    close: Column
    buy: Column
    sell: Column
    buy_quote: Column
    sell_quote: Column
    trades: Index
    delta_high: Column
    delta_low: Column
    delta_high_quote: Column
    delta_low_quote: Column

    @property
    def volume(self) -> Column:
        return self.buy + self.sell

    @property
    def quote(self) -> Column:
        return self.buy_quote + self.sell_quote

    @property
    def delta(self) -> Column:
        return self.buy - self.sell

    @property
    def delta_quote(self) -> Column:
        return self.buy_quote - self.sell_quote

    @property
    def delta_pct(self) -> Column:
        """Delta in percent of the volume, from -100 to 100; NaN where nothing was traded."""
        return 100 * _ratio(self.delta, self.volume)

    @property
    def vwap(self) -> Column:
        """The volume-weighted average price; NaN where nothing was traded."""
        return _ratio(self.quote, self.volume)

    def rows(self, chosen: slice | Index | Mask) -> "Bars":
        """Return some of the rows, in the order in which they are chosen."""
        picked: list[Any] = [column[chosen] for column in self]
        return Bars(*picked)

    def between(self, first: int, last: int) -> "Bars":
        """Return the bars numbered [first, last)."""
        begin, end = np.searchsorted(self.bar, (first, last))
        return self.rows(slice(int(begin), int(end)))

    def plus(self, other: "Bars") -> "Bars":
        """Return these bars and the ones after them; the last of these goes on where the number is the same."""
        if len(self.bar) and len(other.bar) and other.bar[0] < self.bar[-1]:
            raise InvalidArgument(
                f"bar {other.bar[0]} comes before bar {self.bar[-1]}", hint="the earlier bars first"
            )
        both: list[Any] = [np.concatenate(pair) for pair in zip(self, other, strict=True)]
        return _composed(Bars(*both))

    def coarser(self, bars: int) -> "Bars":
        """Return longer bars: so many of these to one, counted from number 0, as `Cells.coarser` does.

        Put bars on their grid afterwards, so that a bar of which a part is missing has its whole length.
        """
        return _composed(self._replace(bar=self.bar // bars))

    def on_grid(
        self, length: Nanos, origin: Nanos, first: int, last: int, covered: Mask | None = None
    ) -> "Bars":
        """Return a row for each bar [first, last) of a grid of times, empty ones too.

        `covered` says of each of them whether all its trades are known; of one that is not, and has none,
        the volumes are NaN. Left out, all are.
        """
        number = np.arange(first, max(first, last), dtype=np.int64)
        start = origin + number * length
        return aligned(self, number, start, start + length, covered)


def bars(
    bar: Index, time: Index, price: Column, size: Column, is_buy: Mask, count: Index | None = None
) -> Bars:
    """Put trades into bars; `bar` numbers each trade's, `count` is how many trades a row stands for.

    >>> found = bars(np.array([0, 0, 0, 1]), np.array([10, 20, 30, 70]), np.array([5.0, 7.0, 6.0, 6.0]),
    ...              np.array([1.0, 4.0, 2.0, 1.0]), np.array([True, False, True, True]))
    >>> found.high.tolist(), found.close.tolist(), found.delta.tolist()
    ([7.0, 6.0], [6.0, 6.0], [-1.0, 1.0])
    >>> found.delta_high.tolist(), found.delta_low.tolist()
    ([1.0, 1.0], [-3.0, 0.0])
    """
    if np.any(bar[1:] < bar[:-1]):
        raise InvalidArgument("trades are not in the order of their bars", hint="sort them by time")
    parts = [
        _composed(
            _single(bar[at], time[at], price[at], size[at], is_buy[at], count if count is None else count[at])
        )
        for at in (slice(begin, begin + _BLOCK) for begin in range(0, len(bar), _BLOCK))
    ]
    if len(parts) < 2:
        return parts[0] if parts else no_bars()
    columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return _composed(Bars(*columns))


def no_bars() -> Bars:
    whole, part = np.empty(0, dtype=np.int64), np.empty(0)
    return Bars(
        whole, whole, whole, part, part, part, part, part, part, part, part, whole, part, part, part, part
    )


def aligned(found: Bars, number: Index, start: Index, end: Index, covered: Mask | None = None) -> Bars:
    """Return a row for each number, with its times; what is not found is an empty bar. See `on_grid`."""
    at = np.searchsorted(found.bar, number)
    there = np.zeros(len(number), dtype=np.bool_)
    inside = at < len(found.bar)
    there[inside] = found.bar[at[inside]] == number[inside]
    rows = at[there]
    nothing = np.zeros(len(number)) if covered is None else np.where(covered, 0.0, np.nan)

    def spread(column: Column, otherwise: Column) -> Column:
        whole = otherwise.copy()
        whole[there] = column[rows]
        return whole

    unknown = np.full(len(number), np.nan)
    trades = np.zeros(len(number), dtype=np.int64)
    trades[there] = found.trades[rows]
    return Bars(
        number, start, end, spread(found.open, unknown), spread(found.high, unknown),
        spread(found.low, unknown), spread(found.close, unknown), spread(found.buy, nothing),
        spread(found.sell, nothing), spread(found.buy_quote, nothing), spread(found.sell_quote, nothing), trades,
        spread(found.delta_high, nothing), spread(found.delta_low, nothing),
        spread(found.delta_high_quote, nothing), spread(found.delta_low_quote, nothing),
    )  # fmt: skip


# ── Composing ─────────────────────────────────────────────────────────────────────────────────

_BLOCK = 1 << 16  # trades at a time, so that their columns stay in the processor's cache


def _single(bar: Index, time: Index, price: Column, size: Column, is_buy: Mask, count: Index | None) -> Bars:
    """Return each trade as a bar of its own."""
    buy, sell = np.where(is_buy, size, 0.0), np.where(is_buy, 0.0, size)
    buy_quote, sell_quote = buy * price, sell * price
    trades = np.ones(len(bar), dtype=np.int64) if count is None else count
    return Bars(
        bar, time, time, price, price, price, price, buy, sell, buy_quote, sell_quote, trades,
        buy, 0.0 - sell, buy_quote, 0.0 - sell_quote,
    )  # fmt: skip


def _composed(parts: Bars) -> Bars:
    """Put together what has the same number; the parts are in their order."""
    if not len(parts.bar):
        return parts
    first = np.flatnonzero(np.concatenate(([True], parts.bar[1:] != parts.bar[:-1])))
    last = np.append(first[1:], len(parts.bar)) - 1
    buy, sell, buy_quote, sell_quote = (
        np.add.reduceat(amount, first)
        for amount in (parts.buy, parts.sell, parts.buy_quote, parts.sell_quote)
    )
    high, low = _extremes(parts.delta, parts.delta_high, parts.delta_low, first, buy - sell)
    high_quote, low_quote = _extremes(
        parts.delta_quote, parts.delta_high_quote, parts.delta_low_quote, first, buy_quote - sell_quote
    )
    return Bars(
        parts.bar[first], parts.start[first], parts.end[last],
        _first_known(parts.open, first), np.fmax.reduceat(parts.high, first),
        np.fmin.reduceat(parts.low, first), _last_known(parts.close, first),
        buy, sell, buy_quote, sell_quote, np.add.reduceat(parts.trades, first),
        high, low, high_quote, low_quote,
    )  # fmt: skip


def _extremes(delta: Column, high: Column, low: Column, first: Index, whole: Column) -> tuple[Column, Column]:
    """Return how far the running delta went in each bar; NaN where the delta of the `whole` bar is."""
    if np.isnan(whole).any():
        delta = np.where(np.isnan(delta), 0.0, delta)
    before = np.zeros(len(delta))
    np.cumsum(delta[:-1], out=before[1:])
    before -= np.repeat(before[first], np.diff(first, append=len(delta)))
    highest = np.maximum.reduceat(before + high, first)
    lowest = np.minimum.reduceat(before + low, first)
    # the sum of a bar and its prefixes are rounded apart: the end is a point of the way
    return np.maximum(highest, whole), np.minimum(lowest, whole)


def _first_known(column: Column, first: Index) -> Column:
    return _chosen(column, np.minimum, len(column), first)


def _last_known(column: Column, first: Index) -> Column:
    return _chosen(column, np.maximum, -1, first)


def _chosen(column: Column, way: np.ufunc, none: int, first: Index) -> Column:
    """Return the first or the last known value of each bar."""
    row = np.arange(len(column))
    row[np.isnan(column)] = none
    return np.append(column, np.nan)[way.reduceat(row, first)]


def _ratio(part: Column, whole: Column) -> Column:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)

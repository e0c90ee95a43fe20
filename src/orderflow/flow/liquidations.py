"""Liquidations: positions closed by force, by price and by time, and the cascades that they come in.

The side is that of the position: a long is closed by a forced sell, a short by a forced buy. Base and quote
amounts are given; the quote amount is size × price as the venue tells it, which on some is the price of
bankruptcy and not of the fill. A liquidation of unknown size counts, and makes the sums that it is in unknown.

Some venues send only the largest liquidation of each second (Binance), or say themselves that theirs are not
all (OKX): every total of theirs is a lower bound. Whoever sums says so, `lower_bound`, and it stays with the
sums; sums of several venues are a lower bound when one of them is.
"""

from typing import Any, NamedTuple

import numpy as np

from orderflow.flow.levels import levels
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import SECOND, Nanos

# ── By price, by time ─────────────────────────────────────────────────────────────────────────


class Liquidations(NamedTuple):
    """One row a level, or a bar, in which something was liquidated, in ascending order.

    `number` is the level (`levels.levels`) or the bar (time // length). The largest, of those of known size,
    is in quote units, NaN on a side that had none.
    """

    number: Index
    long_count: Index
    short_count: Index
    long_base: Column
    short_base: Column
    long_quote: Column
    short_quote: Column
    long_largest: Column
    short_largest: Column
    lower_bound: bool

    @property
    def total_count(self) -> Index:
        return self.long_count + self.short_count

    @property
    def base(self) -> Column:
        return self.long_base + self.short_base

    @property
    def quote(self) -> Column:
        return self.long_quote + self.short_quote

    @property
    def largest(self) -> Column:
        return np.fmax(self.long_largest, self.short_largest)

    @property
    def long_cumulative(self) -> Column:
        """Quote amounts from the first row on."""
        return np.cumsum(self.long_quote)

    @property
    def short_cumulative(self) -> Column:
        return np.cumsum(self.short_quote)

    def plus(self, other: "Liquidations") -> "Liquidations":
        """Return the sums of both: earlier and later ones, or two venues', each liquidation in one of them."""
        both: list[Any] = [np.concatenate(pair) for pair in zip(self[:-1], other[:-1], strict=True)]
        return _grouped(*both, lower_bound=self.lower_bound or other.lower_bound)

    def coarser(self, times: int) -> "Liquidations":
        """Return the sums of so many levels, or bars, in one."""
        columns: Any = self[1:-1]
        return _grouped(self.number // times, *columns, lower_bound=self.lower_bound)

    def every(self, first: int, last: int) -> "Liquidations":
        """Return a row for each number in [first, last): nothing liquidated is 0, its largest unknown."""
        here = (self.number >= first) & (self.number < last)
        numbers = np.arange(first, last, dtype=np.int64)
        columns: list[Any] = []
        for name, column in zip(self._fields[1:-1], self[1:-1], strict=True):
            whole = np.full(len(numbers), np.nan if name.endswith("largest") else 0, dtype=column.dtype)
            whole[self.number[here] - first] = column[here]
            columns.append(whole)
        return Liquidations(numbers, *columns, lower_bound=self.lower_bound)


def by_price(
    price: Column, size: Column, is_long: Mask, step: float, *, lower_bound: bool = False
) -> Liquidations:
    """Sum liquidations by level.

    >>> found = by_price(np.array([101.0, 104.0, 112.0]), np.ones(3), np.array([True, False, True]), 10.0)
    >>> found.number.tolist(), found.long_quote.tolist(), found.short_quote.tolist()
    ([10, 11], [101.0, 112.0], [104.0, 0.0])
    """
    return _summed(levels(price, step), price, size, is_long, lower_bound)


def by_time(
    time: Index, price: Column, size: Column, is_long: Mask, length: Nanos, *, lower_bound: bool = False
) -> Liquidations:
    """Sum liquidations by bars of one length, which begin at its multiples."""
    if length < 1:
        raise InvalidArgument(f"bars of {length} ns", hint="a length above 0")
    return _summed(time // length, price, size, is_long, lower_bound)


def _summed(number: Index, price: Column, size: Column, is_long: Mask, lower_bound: bool) -> Liquidations:
    none, zero = np.full(len(size), np.nan), np.zeros(len(size))
    quote, one = price * size, is_long.astype(np.int64)
    columns: list[Any] = [one, 1 - one]
    columns += [
        part
        for amount in (size, quote)
        for part in (np.where(is_long, amount, zero), np.where(is_long, zero, amount))
    ]
    columns += [np.where(is_long, quote, none), np.where(is_long, none, quote)]
    return _grouped(number, *columns, lower_bound=lower_bound)


def _grouped(number: Index, *columns: Any, lower_bound: bool) -> Liquidations:
    if not len(number):
        return Liquidations(number, *columns, lower_bound=lower_bound)
    order = np.argsort(number, kind="stable")
    ordered = number[order]
    first = np.flatnonzero(np.append(True, np.diff(ordered) != 0))
    sums = [np.add.reduceat(column[order], first) for column in columns[:6]]
    most = [np.fmax.reduceat(column[order], first) for column in columns[6:]]
    return Liquidations(ordered[first], *sums, *most, lower_bound=lower_bound)


# ── Cascades ──────────────────────────────────────────────────────────────────────────────────

CASCADE_GAP_S = 5.0
CASCADE_COUNT = 5


class Cascades(NamedTuple):
    """One row a cascade, oldest first; `low` and `high` are of its own prices.

    `seen` is when its count was reached; `known`, when nothing could join it any more. Until then it is
    `developing`, and its figures are those so far. To go on, hand over the liquidations from row `rest` on
    again, before the new ones.
    """

    start: Index
    end: Index
    seen: Index
    known: Index
    developing: Mask
    long_count: Index
    short_count: Index
    base: Column
    long_quote: Column
    short_quote: Column
    largest: Column
    price_from: Column
    price_to: Column
    low: Column
    high: Column
    lower_bound: bool
    rest: int

    @property
    def total_count(self) -> Index:
        return self.long_count + self.short_count

    @property
    def quote(self) -> Column:
        return self.long_quote + self.short_quote

    @property
    def of_longs(self) -> Mask:
        """Whether more longs than shorts were closed, by quote amount: the cascade went down."""
        return self.long_quote > self.short_quote

    @property
    def reach_bp(self) -> Column:
        """How far the price went from the first liquidation to the furthest one its way, below 0 when down."""
        furthest = np.where(self.of_longs, self.low, self.high)
        return (furthest / self.price_from - 1) * 1e4


def cascades(
    time: Index,
    price: Column,
    size: Column,
    is_long: Mask,
    until: Nanos,
    *,
    max_gap_s: float = CASCADE_GAP_S,
    min_count: int = CASCADE_COUNT,
    lower_bound: bool = False,
) -> Cascades:
    """Return the runs of at least `min_count` liquidations, each at most `max_gap_s` after the one before.

    `until` is how far the liquidations reach. Both sides make one cascade together: hand over the rows of
    one side for those of that side alone.
    """
    if not max_gap_s >= 0 or min_count < 1:
        raise InvalidArgument(
            f"no cascade of {min_count} within {max_gap_s} s", hint="a gap of 0 or more, 1 or more"
        )
    if (np.diff(time) < 0).any():
        raise InvalidArgument("liquidations out of order", hint="oldest first")
    gap, rows = round(max_gap_s * SECOND), len(time)
    every = np.flatnonzero(np.append(True, np.diff(time) > gap)) if rows else np.empty(0, dtype=np.int64)
    ends = np.append(every[1:], rows).astype(np.int64)[: len(every)] - 1
    rest = int(every[-1]) if len(every) else 0
    kept = ends - every + 1 >= min_count
    first, last = every[kept], ends[kept]
    quote, known = price * size, time[last] + gap + 1

    def over(reduce: np.ufunc, column: Any) -> Any:
        """Reduce the rows of each cascade: those that lie between two of them are reduced beside, and dropped."""
        return reduce.reduceat(column, every)[kept] if rows else column[:0]

    return Cascades(
        start=time[first],
        end=time[last],
        seen=time[first + min_count - 1],
        known=known,
        developing=known > until,
        long_count=over(np.add, is_long.astype(np.int64)),
        short_count=over(np.add, (~is_long).astype(np.int64)),
        base=over(np.add, size),
        long_quote=over(np.add, np.where(is_long, quote, 0.0)),
        short_quote=over(np.add, np.where(is_long, 0.0, quote)),
        largest=over(np.fmax, quote),
        price_from=price[first],
        price_to=price[last],
        low=over(np.minimum, price),
        high=over(np.maximum, price),
        lower_bound=lower_bound,
        rest=rest,
    )

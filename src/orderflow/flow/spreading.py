"""Spread volume: a profile in which each short bar's volume lies evenly over the range that was traded in it.

Charts that are made of short bars instead of trades (of 3 seconds, often) know of each bar its range and its
volumes, not what was traded at which price, and so spread the one over the other. This gives the same from
cells: the volume of each side of a bar, base and quote, lies in equal parts at each level from the bar's lowest
to its highest, those between at which nothing was traded, too. All sums stay as they were.

Trades stay where they happened: a count is not divided. The shorter the bars, the nearer to what was traded
where; with a bar for each trade it is the same.
"""

import numpy as np

from orderflow.flow.cells import Cells, no_cells
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument

MOST_LEVELS = 1_000_000  # from the lowest to the highest of all


def spread(of: Cells) -> Cells:
    """Return the cells of all bars as those of one, number 0, each bar's volume spread over its levels.

    An unknown amount (NaN) makes its side unknown at each level of its bar. Raises `InvalidArgument` for more
    than a million levels.

    >>> from orderflow.flow.cells import cells
    >>> found = spread(cells(np.array([0, 0, 1]), np.array([10, 13, 12]), np.array([3.0, 1.0, 5.0]),
    ...                      np.array([10.0, 13.0, 12.0]), np.array([True, True, False])))
    >>> found.level.tolist(), found.buy.tolist(), found.sell.tolist()
    ([10, 11, 12, 13], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 5.0, 0.0])
    """
    if not len(of.bar):
        return no_cells()
    first = np.flatnonzero(np.concatenate(([True], of.bar[1:] != of.bar[:-1])))
    low, high = of.level[first], of.level[np.append(first[1:], len(of.level)) - 1]
    base, levels = int(low.min()), int(high.max() - low.min()) + 1
    if levels > MOST_LEVELS:
        raise InvalidArgument(f"{levels:,} levels are more than {MOST_LEVELS:,}", hint="wider levels")
    ranges = _Ranges(low - base, high - base, levels)
    there = ranges.covered(np.ones(len(low), dtype=np.bool_)) > 0
    buy, sell, buy_quote, sell_quote = (
        ranges.spread(np.add.reduceat(amount, first))[there]
        for amount in (of.buy, of.sell, of.buy_quote, of.sell_quote)
    )
    counted = np.rint(np.bincount(of.level - base, of.trades, levels)).astype(np.int64)[there]
    level = base + np.flatnonzero(there)
    return Cells(np.zeros_like(level), level, buy, sell, buy_quote, sell_quote, counted)


class _Ranges:
    """The levels [low, high] of each bar among so many; what lies over them is summed by its edges."""

    def __init__(self, low: Index, high: Index, levels: int) -> None:
        self._low, self._end, self._levels = low, high + 1, levels

    def covered(self, chosen: Mask) -> Index:
        """Return in how many of the bars chosen each level lies."""
        return np.cumsum(self._edges(chosen.astype(np.float64)))[:-1].astype(np.int64)

    def spread(self, amount: Column) -> Column:
        unknown = np.isnan(amount)
        share = np.where(unknown, 0.0, amount) / (self._end - self._low)
        # a running sum comes back to nearly 0 where no bar reaches: there it is 0
        found = np.where(
            self.covered(share > 0) > 0, np.maximum(np.cumsum(self._edges(share))[:-1], 0.0), 0.0
        )
        return np.where(self.covered(unknown) > 0, np.nan, found)

    def _edges(self, share: Column) -> Column:
        begins, ends = (
            np.bincount(at, share, self._levels + 1).astype(np.float64) for at in (self._low, self._end)
        )
        return begins - ends

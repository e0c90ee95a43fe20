"""Imbalance: levels at which takers of one side traded a multiple of what the other side did one level away.

The diagonal comparison of footprint charts. Buyers lift the ask at p while sellers hit the bid a step below, so
a **buy imbalance** at p is: bought at p ≥ ratio × sold at p - 1 step; a **sell imbalance** at p: sold at p ≥
ratio × bought at p + 1 step. (MarketDelta's Footprint, 2003; Emoji Trading, "Order Flow Suite: Imbalance
Settings", for the ratio, the least volume and zeros; 300 % is the usual ratio.)

* A step at which nothing was traded counts as 0 between the bar's lowest and highest level. Beyond them is
  nothing to compare with: the lowest level has no buy imbalance, the highest no sell imbalance.
* Against 0 there is no ratio. `zeros` says whether such a level is an imbalance all the same; it is not by
  default. Where it is, ask for a volume too, or a crumb against nothing counts.
* The imbalanced side has at least `min_volume` base units and `min_share` of its bar's volume.
* A ratio that lacks 10^-9 of what is asked for is there: 0.3 is three times 0.1.
* What is unknown (NaN) is no imbalance.

Each bar stands alone, so the bars of another stretch need nothing of this one. Of a bar that is still open,
imbalances come and go: zones are told of closed bars (`zones`).
"""

import math
from typing import NamedTuple

import numpy as np

from orderflow.flow.cells import Cells
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument

RATIO = 3.0
_ROUNDED = 1e-9  # of a ratio: what a product of binary fractions may be off


class Imbalances(NamedTuple):
    """One row an imbalanced level and side, by bar, then by level, a level's sell imbalance first.

    `volume` and `quote` are the imbalanced side's, `against` is what the other side traded a step away.
    """

    bar: Index
    level: Index
    is_buy: Mask
    volume: Column
    quote: Column
    against: Column

    @property
    def ratio(self) -> Column:
        """Volume over what it stands against; infinite against 0."""
        return np.divide(
            self.volume, self.against, out=np.full(len(self.volume), np.inf), where=self.against > 0
        )

    def of(self, is_buy: bool) -> "Imbalances":
        """Return those of one side."""
        bar, level, side, volume, quote, against = self
        rows = side == is_buy
        return Imbalances(bar[rows], level[rows], side[rows], volume[rows], quote[rows], against[rows])


def imbalances(
    cells: Cells, ratio: float = RATIO, min_volume: float = 0.0, min_share: float = 0.0, zeros: bool = False
) -> Imbalances:
    """Return the diagonal imbalances of all bars.

    >>> from orderflow.flow.cells import cells
    >>> one = cells(np.array([0, 0]), np.array([7, 8]), np.array([1.0, 3.0]), np.array([70.0, 80.0]),
    ...             np.array([False, True]))
    >>> imbalances(one).level.tolist(), imbalances(one).ratio.tolist()
    ([8], [3.0])
    """
    if not (ratio > 0 and math.isfinite(ratio) and min_volume >= 0 and 0 <= min_share <= 1):
        raise InvalidArgument(
            f"no imbalance has ratio {ratio:g}, volume {min_volume:g} and share {min_share:g}",
            hint="a positive ratio, a volume of 0 or more, a share of 0 to 1",
        )
    least = np.full(len(cells.bar), min_volume)
    if min_share:
        least = np.maximum(least, min_share * _of_bar(cells))
    below, above = _neighbours(cells)
    bought = _found(cells.buy, below, least, ratio, zeros)
    sold = _found(cells.sell, above, least, ratio, zeros)
    rows = np.concatenate((bought, sold))
    is_buy = np.arange(len(rows)) < len(bought)
    against = np.concatenate((below[bought], above[sold]))
    order = np.lexsort((is_buy, rows))
    rows, is_buy = rows[order], is_buy[order]
    volume = np.where(is_buy, cells.buy[rows], cells.sell[rows])
    quote = np.where(is_buy, cells.buy_quote[rows], cells.sell_quote[rows])
    return Imbalances(cells.bar[rows], cells.level[rows], is_buy, volume, quote, against[order])


def _found(side: Column, against: Column, least: Column, ratio: float, zeros: bool) -> Index:
    enough = (side > 0) & (side >= least * (1 - _ROUNDED)) & (side >= ratio * against * (1 - _ROUNDED))
    return np.flatnonzero(enough & ((against > 0) | zeros))


def _neighbours(cells: Cells) -> tuple[Column, Column]:
    """Return what was sold a step below each cell and bought a step above it; NaN beyond the bar."""
    below, above = np.full(len(cells.bar), np.nan), np.full(len(cells.bar), np.nan)
    together = cells.bar[1:] == cells.bar[:-1]
    adjacent = cells.level[1:] == cells.level[:-1] + 1
    below[1:] = np.where(together, np.where(adjacent, cells.sell[:-1], 0.0), np.nan)
    above[:-1] = np.where(together, np.where(adjacent, cells.buy[1:], 0.0), np.nan)
    return below, above


def _of_bar(cells: Cells) -> Column:
    """Return the volume of each cell's bar."""
    if not len(cells.bar):
        return cells.buy
    first = np.flatnonzero(np.concatenate(([True], cells.bar[1:] != cells.bar[:-1])))
    return np.repeat(np.add.reduceat(cells.volume, first), np.diff(first, append=len(cells.bar)))

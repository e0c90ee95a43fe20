"""Absorption: takers pressed on at a bar's extreme, and the price went the other way.

Whoever buys into the high lifts resting offers; where these hold, much is bought there and the price falls back:
**sellers absorbed** the buying. At a low **buyers absorbed** the selling. The side is that of the resting
orders. (Two Fox Trading, "Absorption High Low Study", for the levels at the extremes, the volume and the
share of one side there; Senzoukria, "Absorption in Trading" (2026), for the price that does not follow.)

At the high of a bar there is absorption if, over its highest `levels` levels (at most half of its range):

* takers bought `min_share` of the bar's volume or more, and `min_volume` base units or more, and
* `ratio` times what they sold there or more, and
* the bar closed `away` levels or more below the lowest of these: no follow-through.

At the low the same upside down. The defaults are where to begin, not truths: volumes differ from market to
market. It is known when the bar has closed; nothing after the bar is looked at, and each bar stands alone.
What is unknown (NaN) is no absorption.
"""

from typing import NamedTuple

import numpy as np

from orderflow.flow.footprint import Footprint
from orderflow.flow.levels import levels as levels_of
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument


class Absorption(NamedTuple):
    """One row a bar: whether sellers absorbed at its high and buyers at its low, and what they took there.

    `levels` is how many there are at either end, `high_…` what takers bought at the high, `low_…` what they
    sold at the low, `…_share` of the bar's volume; NaN where nothing was traded.
    """

    high: Mask
    low: Mask
    levels: Index
    high_volume: Column
    low_volume: Column
    high_quote: Column
    low_quote: Column
    high_share: Column
    low_share: Column


def absorption(
    of: Footprint,
    levels: int = 3,
    min_share: float = 0.25,
    ratio: float = 2.0,
    away: int = 1,
    min_volume: float = 0.0,
) -> Absorption:
    """Return at which ends of which bars takers were absorbed."""
    if not (levels >= 1 and away >= 1 and ratio >= 0 and 0 <= min_share <= 1 and min_volume >= 0):
        raise InvalidArgument(
            "absorption is looked for at 1 level or more, and away from it",
            hint="levels and away of 1 or more, a share of 0 to 1, ratio and volume of 0 or more",
        )
    level, first, rows = of.cells.level, of.first, of.levels
    bar, traded = np.repeat(np.arange(len(rows)), rows), rows > 0
    bottom, top, close = (np.zeros(len(rows), dtype=np.int64) for _ in range(3))
    bottom[traded], top[traded] = level[first[:-1][traded]], level[first[1:][traded] - 1]
    closed = traded & ~np.isnan(of.bars.close)
    close[closed] = levels_of(of.bars.close[closed], of.step)
    deep = np.where(traded, np.clip((top - bottom + 1) // 2, 1, levels), 0)
    at_high, at_low = level > (top - deep)[bar], level < (bottom + deep)[bar]

    def summed(column: Column, there: Mask) -> Column:
        amounts = np.where(there, column, 0.0)
        return np.bincount(bar, weights=amounts, minlength=len(rows)).astype(np.float64)

    bought, against_bought = summed(of.cells.buy, at_high), summed(of.cells.sell, at_high)
    sold, against_sold = summed(of.cells.sell, at_low), summed(of.cells.buy, at_low)
    whole = summed(of.cells.volume, bar >= 0)

    def large(taken: Column, against: Column) -> Mask:
        least = np.maximum(np.maximum(min_volume, min_share * whole), ratio * against)
        return (taken > 0) & (taken >= least * (1 - _ROUNDED))

    return Absorption(
        large(bought, against_bought) & closed & (close <= top - deep + 1 - away),
        large(sold, against_sold) & closed & (close >= bottom + deep - 1 + away),
        deep, bought, sold, summed(of.cells.buy_quote, at_high), summed(of.cells.sell_quote, at_low),
        _share(bought, whole), _share(sold, whole),
    )  # fmt: skip


_ROUNDED = 1e-9  # of a bound: what a product of binary fractions may be off


def _share(part: Column, whole: Column) -> Column:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)

"""Divergence: price and CVD that disagree from one swing to the next, on the same bars.

At two swing highs one after the other: a higher high of the price with a lower CVD is a **bearish** divergence
(buyers spent less and got more: the rise is passive); a lower high with a higher CVD is a hidden bearish one. At
two swing lows: a lower low with a higher CVD is **bullish**, a higher low with a lower CVD hidden bullish.

A swing high is a bar whose high is above those of the `left` bars before it and not below those of the `right`
bars after it, so of equal highs the first; lows likewise. It is known when the last of the `right` bars closes,
and so is the divergence: `known`. Bars after that change nothing of it. CVD is taken at the close of the swing's
bar; only its change counts, the sum of delta between the two, so no anchor matters. A change within rounding is
none, nor is anything claimed across a bar of unknown delta. Swings further apart than `most` bars are not
compared. Empty bars have no price and are no swing; they count as bars.

To go on, give the last `most + left + right` bars again with the new ones, and take what is known later.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from orderflow.flow.bars import Bars
from orderflow.flow.delta import Unit
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument

SWING = 5
MOST = 60
_ROUNDED = 1e-9  # of the volume between two swings: what a sum of deltas may be off


class Divergences(NamedTuple):
    """One row a divergence, in the order in which they were known.

    `first` and `second` are the numbers of the swings' bars, `known_bar` that of the bar which confirmed
    the second, and `known` when it had closed. `cvd_change` is in the unit asked for.
    """

    known: Index
    known_bar: Index
    bullish: Mask
    hidden: Mask
    first: Index
    second: Index
    first_price: Column
    second_price: Column
    cvd_change: Column


def divergences(
    of: Bars, left: int = SWING, right: int = SWING, most: int = MOST, unit: Unit = "base"
) -> Divergences:
    """Return the divergences between swings of the price that follow one another."""
    if not (left >= 1 and right >= 1 and most >= 1):
        raise InvalidArgument("swings need bars on both sides", hint="left, right and most of 1 or more")
    highs = _at(of, _swings(of.high, left, right), of.high, right, most, unit, lows=False)
    lows = _at(of, _swings(-of.low, left, right), of.low, right, most, unit, lows=True)
    columns: list[Any] = [np.concatenate(pair) for pair in zip(highs, lows, strict=True)]
    both = Divergences(*columns)
    order = np.lexsort((both.bullish, both.second))
    columns = [column[order] for column in both]
    return Divergences(*columns)


def _at(
    of: Bars, swing: Index, price: Column, right: int, most: int, unit: Unit, *, lows: bool
) -> Divergences:
    one, two = swing[:-1], swing[1:]
    near = two - one <= most
    one, two = one[near], two[near]
    delta, volume = (of.delta, of.volume) if unit == "base" else (of.delta_quote, of.quote)
    unknown = np.isnan(delta)
    change = _between(np.where(unknown, 0.0, delta), one, two)
    slack = _ROUNDED * _between(np.where(unknown, 0.0, volume), one, two)
    higher, lower = price[two] > price[one], price[two] < price[one]
    more, less = change > slack, change < -slack
    found = (higher & less) | (lower & more)
    found &= _between(unknown.astype(np.float64), one, two) == 0
    one, two, change = one[found], two[found], change[found]
    hidden = (higher if lows else lower)[found]
    return Divergences(
        of.end[two + right], of.bar[two + right], np.full(len(two), lows), hidden, of.bar[one], of.bar[two],
        price[one], price[two], change,
    )  # fmt: skip


def _between(value: Column, one: Index, two: Index) -> Column:
    """Return the sum of the rows after the one, up to the other."""
    total = np.cumsum(value)
    return total[two] - total[one]


def _swings(value: Column, left: int, right: int) -> Index:
    """Return the rows of swing highs."""
    if len(value) <= left + right:
        return np.empty(0, dtype=np.int64)
    known = np.where(np.isnan(value), -np.inf, value)
    around, middle = sliding_window_view(known, left + right + 1), known[left : len(known) - right]
    highest = middle > around[:, :left].max(axis=1)
    highest &= middle >= around[:, left + 1 :].max(axis=1)
    return np.flatnonzero(highest) + left

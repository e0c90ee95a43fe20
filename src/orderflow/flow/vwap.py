"""VWAP: the volume-weighted average price since an anchor, and how far from it was traded.

    VWAP       sum(q p) / sum(q)                    q in base units, p and VWAP in quote units
    deviation  sqrt(sum(q (p - VWAP)²) / sum(q))    its bands are VWAP ± a multiple of it

The average is that of Berkowitz, Logue and Noser, "The Total Cost of Transactions on the NYSE", Journal of
Finance 43 (1988); the deviation is the population's, as charts draw it. Any instant can be the anchor: a
session's begin, the day before, a swing. What is summed are distances from a reference price and not prices,
so that the square of a deviation of one is not lost in those of 60,000 (Chan, Golub and LeVeque, "Algorithms
for Computing the Sample Variance", The American Statistician 37, 1983).

Of cells, each counts at its own mean price. VWAP is exact then; the deviation too where a level is a tick,
else its square is too low by no more than a quarter of the level's square.

Before anything was traded there is no VWAP: None, or NaN in a column. A size that is not known makes the
VWAP unknown from there on to the next anchor.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from orderflow.flow.cells import Cells
from orderflow.market.columns import Column, Index
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos


class Vwap(NamedTuple):
    """What was traded since the anchor, as sums about a reference price, to which more can be added."""

    reference: float = 0.0  # the first price at which something was traded
    volume: float = 0.0  # sum(q)
    first: float = 0.0  # sum(q (p - reference))
    second: float = 0.0  # sum(q (p - reference)²)

    @property
    def price(self) -> float | None:
        return self.reference + self.first / self.volume if self.volume > 0 else None

    @property
    def deviation(self) -> float | None:
        if not self.volume > 0:
            return None
        mean = self.first / self.volume
        return math.sqrt(max(self.second / self.volume - mean * mean, 0.0))

    def band(self, multiple: float) -> tuple[float, float] | None:
        """Return the lower and the upper band, so many deviations away."""
        price, deviation = self.price, self.deviation
        if price is None or deviation is None:
            return None
        return price - multiple * deviation, price + multiple * deviation

    def plus(self, other: "Vwap") -> "Vwap":
        """Return the VWAP of both, each trade in one of them.

        >>> vwap(np.array([10.0]), np.array([1.0])).plus(vwap(np.array([13.0]), np.array([2.0]))).price
        12.0
        """
        if self.volume == 0:
            return other
        away = other.reference - self.reference
        return Vwap(
            self.reference,
            self.volume + other.volume,
            self.first + other.first + away * other.volume,
            self.second + other.second + 2 * away * other.first + away * away * other.volume,
        )


class RunningVwap(NamedTuple):
    """The VWAP as it stood at the close of each bar; `state` is where to go on."""

    vwap: Column
    deviation: Column
    state: Vwap

    def band(self, multiple: float) -> tuple[Column, Column]:
        """Return the lower and the upper band, so many deviations away."""
        return self.vwap - multiple * self.deviation, self.vwap + multiple * self.deviation


def vwap(price: Column, size: Column) -> Vwap:
    """Return the VWAP of trades.

    >>> found = vwap(np.array([10.0, 13.0]), np.array([1.0, 2.0]))
    >>> found.price, round(found.deviation, 6)
    (12.0, 1.414214)
    """
    reference = _reference(price, size)
    away = price - reference
    first = size * away  # summed and not multiplied as vectors, whose sum depends on the threads
    return Vwap(reference, float(size.sum()), float(first.sum()), float((first * away).sum()))


def vwap_between(time: Index, price: Column, size: Column, since: Nanos, until: Nanos) -> Vwap:
    """Return the VWAP of the trades of [since, until), oldest first: of a session, of the day before."""
    begin, end = np.searchsorted(time, (since, until))
    return vwap(price[begin:end], size[begin:end])


def vwap_of_cells(cells: Cells) -> Vwap:
    """Return the VWAP of all the cells together."""
    return vwap(_mean_price(cells), cells.volume)


def running_vwap(
    bar: Index,
    price: Column,
    size: Column,
    bars: int,
    state: Vwap | None = None,
    anchors: Sequence[int] = (),
) -> RunningVwap:
    """Return the VWAP at the close of each of `bars` bars; `bar` numbers each trade's bar from 0.

    It goes on from `state`, and begins anew with each bar in `anchors`. In a bar without a trade it stands
    as it stood before.

    >>> running_vwap(np.array([0, 2]), np.array([10.0, 13.0]), np.array([1.0, 2.0]), bars=3).vwap.tolist()
    [10.0, 10.0, 12.0]
    """
    if len(bar) and not 0 <= int(bar.min()) <= int(bar.max()) < bars:
        raise InvalidArgument(f"trades of bars that are none of 0 to {bars - 1}", hint="number them from 0")
    state = state or Vwap()
    reference = state.reference if state.volume != 0 else _reference(price, size)
    away = price - reference
    sums = [np.bincount(bar, one, bars) for one in (size, size * away, size * away * away)]
    parts: list[tuple[Column, Column]] = []
    for begin, end in _spans(anchors, bars):
        before = state if begin == 0 and 0 not in anchors else Vwap(reference)
        running: list[Any] = [
            known + np.cumsum(one[begin:end]) for known, one in zip(before[1:], sums, strict=True)
        ]
        parts.append(_figures(reference, *running))
        if end > begin:
            state = Vwap(reference, *(float(one[-1]) for one in running))
    price_at, deviation = (np.concatenate(one) for one in zip(*parts, strict=True))
    return RunningVwap(price_at, deviation, state)


def running_vwap_of_cells(
    cells: Cells, bars: int, state: Vwap | None = None, anchors: Sequence[int] = ()
) -> RunningVwap:
    """Return the VWAP at the close of each of `bars` bars, of cells whose bars are numbered from 0."""
    return running_vwap(cells.bar, _mean_price(cells), cells.volume, bars, state, anchors)


def _mean_price(cells: Cells) -> Column:
    volume = cells.volume
    return np.divide(cells.quote, volume, out=np.zeros_like(volume), where=volume > 0)


def _reference(price: Column, size: Column) -> float:
    traded = size > 0
    return float(price[np.argmax(traded)]) if traded.any() else 0.0


def _spans(anchors: Sequence[int], bars: int) -> list[tuple[int, int]]:
    edges = [0, *sorted({one for one in anchors if 0 < one < bars}), bars]
    return list(pairwise(edges))


def _figures(reference: float, volume: Column, first: Column, second: Column) -> tuple[Column, Column]:
    traded = volume > 0
    mean = np.divide(first, volume, out=np.full_like(volume, np.nan), where=traded)
    square = np.divide(second, volume, out=np.full_like(volume, np.nan), where=traded) - mean * mean
    return reference + mean, np.sqrt(np.maximum(square, 0.0))

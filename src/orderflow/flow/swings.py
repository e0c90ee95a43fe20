"""Swings: the highs and lows at which price turned, and what became of them.

A swing high is a bar whose high is that of the `left` bars before and the `right` bars after it, or above;
all of them must be there and known, and one of them lower: a flat line does not swing. Equal highs are
swings both. It is known at the close of its last right-hand bar, and not before; swing lows likewise. Only
closed bars may be given, and none without a price: a bar of NaN is unknown, and so is what it is beside.

What became of a swing high; all bars after it count, each at its close (a swing low likewise):

touched  a high has reached the level
swept    a high went above it: what rested there was taken
broken   a bar closed above it; swept, and the close back below, is a rejection

Definitions as in the trade's own use (pivots as in TradingView's `ta.pivothigh`, whose ties differ).
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from orderflow.flow.crossings import NEVER, first_above, first_reaching
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos

LEFT, RIGHT = 10, 15  # bars
EQUAL_ATR = 0.1  # of the ATR: how near equal highs are, as in LuxAlgo's Smart Money Concepts (2022)


class Bars(NamedTuple):
    """Closed bars, oldest first: `time` is the start of each, all of one `length`."""

    time: Index
    length: Nanos
    high: Column
    low: Column
    close: Column

    def closed_by(self, until: Nanos) -> "Bars":
        """Return the bars that had closed at a time: those of which everything is known."""
        return self.rows(slice(0, int(np.searchsorted(self.time, until - self.length, side="right"))))

    def rows(self, chosen: slice) -> "Bars":
        """Return some of the bars that follow one another."""
        return Bars(self.time[chosen], self.length, self.high[chosen], self.low[chosen], self.close[chosen])

    def plus(self, later: "Bars") -> "Bars":
        """Return these bars and the ones after them."""
        if later.length != self.length or (
            len(self.time) and len(later.time) and later.time[0] < self.time[-1] + self.length
        ):
            raise InvalidArgument(
                "these bars do not come after those before", hint="bars of one length, each one once"
            )
        columns = [np.concatenate(pair) for pair in zip(self[2:], later[2:], strict=True)]
        return Bars(np.concatenate([self.time, later.time]), self.length, *columns)

    def closed_at(self, bar: Index) -> Index:
        """Return when bars closed, by number: when it was known what they did; `NEVER` stays."""
        return np.where(bar == NEVER, NEVER, np.append(self.time, NEVER)[bar] + self.length)


class Swings(NamedTuple):
    """Swings, oldest first, of one bar the high first. Bars are numbers into the bars given, or `NEVER`.

    `known` is the bar at whose close the swing is known; `Bars.closed_at` gives times. `volume` and `delta`
    are those of the swing's bar.
    """

    bar: Index
    is_high: Mask
    level: Column
    known: Index
    touched: Index
    swept: Index
    broken: Index
    volume: Column
    delta: Column

    @property
    def active(self) -> Mask:
        """What is not swept: orders beyond the level may still rest there."""
        return self.swept == NEVER

    @property
    def rejected(self) -> Mask:
        """What was swept by a bar that closed back inside."""
        return ~self.active & (self.swept != self.broken)

    def where(self, chosen: Mask) -> "Swings":
        return Swings._make(one[chosen] for one in self)

    def distance_bps(self, price: float) -> Column:
        """How far each level is above a price, below it negative."""
        return (self.level / price - 1) * 1e4

    def distance_atr(self, price: float, atr: float) -> Column:
        """How far each level is above a price, in average true ranges; NaN where that is 0 or unknown."""
        return (self.level - price) / (atr if atr > 0 else np.nan)


def swings(
    bars: Bars,
    left: int = LEFT,
    right: int = RIGHT,
    *,
    volume: Column | None = None,
    delta: Column | None = None,
    active_only: bool = False,
) -> Swings:
    """Return the swings of bars that are all closed; no bars have none.

    >>> high = np.array([2.0, 3.0, 2.0, 2.5, 3.5, 3.2])
    >>> bars = Bars(np.arange(6), 1, high, high - 1, np.array([1.5, 2.5, 1.5, 2.0, 2.9, 3.1]))
    >>> found = swings(bars, 1, 1)
    >>> found.bar.tolist(), found.is_high.tolist(), found.swept.tolist(), found.broken.tolist()
    ([1, 2, 4], [True, False, True], [4, -1, -1], [5, -1, -1])
    """
    highs, lows = pivots(bars.high, left, right), pivots(-bars.low, left, right)
    bar = np.concatenate([highs, lows])
    order = np.argsort(bar, kind="stable")
    is_high = (np.arange(len(bar)) < len(highs))[order]
    bar = bar[order]
    level = np.where(is_high, bars.high[bar], bars.low[bar])
    touched, swept, broken = reached(bars, level, is_high, bar + 1)
    unknown = np.full(len(bars.time), np.nan)
    found = Swings(
        bar=bar,
        is_high=is_high,
        level=level,
        known=bar + right,
        touched=touched,
        swept=swept,
        broken=broken,
        volume=(unknown if volume is None else volume)[bar],
        delta=(unknown if delta is None else delta)[bar],
    )
    return found.where(found.active) if active_only else found


def pivots(value: Column, left: int, right: int) -> Index:
    """Return the bars whose value none of their neighbours exceeds and one of them does not reach.

    >>> pivots(np.array([1.0, 2.0, 2.0, 1.0]), 1, 1).tolist()
    [1, 2]
    """
    if left < 1 or right < 1:
        raise InvalidArgument(f"a swing of {left} and {right} bars", hint="1 bar or more to either side")
    if len(value) < left + right + 1:
        return np.empty(0, dtype=np.int64)
    around = sliding_window_view(value, left + right + 1)
    middle = value[left : len(value) - right]
    turns = (around.max(axis=1) == middle) & (around.min(axis=1) < middle)  # NaN is neither
    return np.flatnonzero(turns) + left


def reached(bars: Bars, level: Column, is_high: Mask, start: Index) -> tuple[Index, Index, Index]:
    """Return the bars that touched, swept and broke each level, from its `start` on.

    Levels of earlier bars can be followed on: with a start of 0 in the bars that came since.
    """
    touched, swept, broken = (np.full(len(level), NEVER) for _ in range(3))
    for chosen, sign, extreme in ((is_high, 1.0, bars.high), (~is_high, -1.0, -bars.low)):
        beyond, begin = sign * level[chosen], start[chosen]
        touched[chosen] = first_reaching(extreme, begin, beyond)
        swept[chosen] = first_above(extreme, begin, beyond)
        broken[chosen] = first_above(sign * bars.close, begin, beyond)
    return touched, swept, broken


class Nearest(NamedTuple):
    """Numbers of swings, None where there is none."""

    above: int | None
    below: int | None


def nearest(found: Swings, price: float) -> Nearest:
    """Return the nearest unswept high above a price and the nearest unswept low below, among all of them.

    Of equal levels the latest.
    """
    above = np.flatnonzero(found.active & found.is_high & (found.level > price))[::-1]
    below = np.flatnonzero(found.active & ~found.is_high & (found.level < price))[::-1]
    return Nearest(
        int(above[np.argmin(found.level[above])]) if len(above) else None,
        int(below[np.argmax(found.level[below])]) if len(below) else None,
    )


class Cluster(NamedTuple):
    """Two or more highs (lows) at nearly one level. `level` is the outermost, beyond which the stops rest.

    It is known at the close of the bar at which its second swing is; `members` are numbers of swings, of
    which more may come. `swept` is the first bar beyond the level after the last of them, or `NEVER`.
    """

    is_high: bool
    level: float
    inner: float
    members: tuple[int, ...]
    known: int
    swept: int


def clusters(bars: Bars, found: Swings, tolerance: Column) -> list[Cluster]:
    """Return the clusters of equal highs and lows, by when they were known.

    `tolerance` is how far from its level each swing's equals may be, in quote units: `EQUAL_ATR` of the ATR
    known with the swing, or so many basis points of the level. NaN is none. A swing belongs to the latest
    cluster whose first swing's level is within that one's tolerance, and was not passed by more since.
    """
    listed: list[Cluster] = []
    near = np.where(np.isnan(tolerance), 0.0, tolerance)
    for is_high, sign, extreme in ((True, 1.0, bars.high), (False, -1.0, -bars.low)):
        numbers = np.flatnonzero(found.is_high == is_high)
        height = sign * found.level[numbers]
        passed = first_above(extreme, found.bar[numbers] + 1, height + near[numbers])
        groups = _groups(found.bar[numbers], height, near[numbers], passed)
        outermost = np.array([height[group].max() for group in groups], dtype=np.float64)
        last = np.array([found.bar[numbers[group[-1]]] for group in groups], dtype=np.int64)
        swept = first_above(extreme, last, outermost)
        for place, group in enumerate(groups):
            members = numbers[group].tolist()
            listed.append(
                Cluster(
                    is_high=is_high,
                    level=sign * float(outermost[place]),
                    inner=sign * float(height[group].min()),
                    members=tuple(members),
                    known=int(found.known[members[1]]),
                    swept=int(swept[place]),
                )
            )
    return sorted(listed, key=lambda one: (one.known, not one.is_high))


def _groups(bar: Index, height: Column, near: Column, passed: Index) -> list[list[int]]:
    """Return which highs belong together. What is passed is lower than what is not: a stack holds them."""
    groups: dict[int, list[int]] = {}
    standing: list[int] = []
    ends = np.where(passed == NEVER, np.iinfo(np.int64).max, passed).tolist()
    for one, (at, level) in enumerate(zip(bar.tolist(), height.tolist(), strict=True)):
        while standing and ends[standing[-1]] <= at:
            standing.pop()
        if standing and abs(level - height[standing[-1]]) <= near[standing[-1]]:
            groups[standing[-1]].append(one)
        else:
            standing.append(one)
            groups[one] = [one]
    return [group for group in groups.values() if len(group) > 1]

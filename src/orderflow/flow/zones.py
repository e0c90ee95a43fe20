"""Zones: stacked imbalances, and what price did when it came back to them.

A stack is a run of imbalances of one side in one bar at adjacent levels, `STACK` of them or more. It marks where
one side was in a hurry: stacked buy imbalances are watched as support, stacked sell imbalances as resistance.

A zone spans the prices [low, high): a price is above it from `high` on, and below it under `low`. A buy zone:

* was **left** with the first bar, its own or a later one, that closed above it;
* was **tested** by the first bar after that whose low came back below `high`;
* was **broken** by the first bar after its own that closed below `low`.

A sell zone is the same upside down. A zone that is broken is tested no more. Its own bar is not a test, nor are
bars that never went away from it. All of this is known when the bar that did it closes, so zones are made of
closed bars, and are followed through closed bars. Numbers of bars and times are `NEVER` as long as nothing has
happened: what is known at a time t is what has a time up to t, and more bars change none of it.
"""

from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from orderflow.flow.bars import Bars
from orderflow.flow.crossings import first_below, first_reaching
from orderflow.flow.imbalance import Imbalances
from orderflow.flow.levels import prices
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos

STACK = 3
NEVER = int(np.iinfo(np.int64).max)

Status: TypeAlias = Literal["untested", "tested", "broken"]


class Zones(NamedTuple):
    """One row a zone, by bar, then from below. `bar` made it and `known` is when that bar had closed.

    `volume` and `quote` are the imbalanced side's, `ratio` the mean of its levels' ratios, of those against
    more than 0; NaN where there are none.
    """

    bar: Index
    known: Index
    is_buy: Mask
    low: Column
    high: Column
    levels: Index
    volume: Column
    quote: Column
    ratio: Column
    left: Index  # numbers of bars, like the next two
    tested: Index
    broken: Index
    tested_at: Index  # when that bar had closed
    broken_at: Index

    def plus(self, other: "Zones") -> "Zones":
        """Return these zones and those of later bars."""
        both: list[Any] = [np.concatenate(pair) for pair in zip(self, other, strict=True)]
        return Zones(*both)

    def rows(self, chosen: slice | Index | Mask) -> "Zones":
        """Return some of the rows, in the order in which they are chosen."""
        picked: list[Any] = [column[chosen] for column in self]
        return Zones(*picked)

    def status(self, at: Nanos = NEVER - 1) -> list[Status]:
        """Return what each zone was at a time; left out, what it is by the last bar it was followed to."""
        tested, broken = self.tested_at <= at, self.broken_at <= at
        return [
            "broken" if gone else "tested" if back else "untested"
            for back, gone in zip(tested.tolist(), broken.tolist(), strict=True)
        ]

    def followed(self, bars: Bars) -> "Zones":
        """Return the zones with what happened to them in these bars, which go on where the last ones ended."""
        own, after = (np.searchsorted(bars.bar, self.bar, side) for side in ("left", "right"))
        away = self._beyond(bars.close, own)
        lost = self._through(bars.close, after)
        left, broken = _either(self.left, bars.bar, away), _either(self.broken, bars.bar, lost)
        back = self._back(bars, np.searchsorted(bars.bar, left, "right"))
        back = np.where(_at(bars.bar, back) > broken, len(bars.bar), back)
        return self._replace(
            left=left,
            tested=_either(self.tested, bars.bar, back),
            broken=broken,
            tested_at=_either(self.tested_at, bars.end, back),
            broken_at=_either(self.broken_at, bars.end, lost),
        )

    def _beyond(self, close: Column, begin: Index) -> Index:
        above, below = first_reaching(close, begin, self.high), first_below(close, begin, self.low)
        return np.where(self.is_buy, above, below)

    def _through(self, close: Column, begin: Index) -> Index:
        above, below = first_reaching(close, begin, self.high), first_below(close, begin, self.low)
        return np.where(self.is_buy, below, above)

    def _back(self, bars: Bars, begin: Index) -> Index:
        above, below = first_reaching(bars.high, begin, self.low), first_below(bars.low, begin, self.high)
        return np.where(self.is_buy, below, above)


def stacked(found: Imbalances, bars: Bars, step: float, least: int = STACK) -> Zones:
    """Return the zones of all bars; `bars` are those of the imbalances, `step` that of their levels."""
    if least < 1:
        raise InvalidArgument(f"{least} levels make no zone", hint="1 or more; 3 is usual")
    both = _zones(found.of(True), bars, step, least).plus(_zones(found.of(False), bars, step, least))
    return both.rows(np.lexsort((both.low, both.bar)))


def _zones(side: Imbalances, bars: Bars, step: float, least: int) -> Zones:
    new = np.ones(len(side.bar), dtype=np.bool_)
    new[1:] = (side.bar[1:] != side.bar[:-1]) | (side.level[1:] != side.level[:-1] + 1)
    first = np.flatnonzero(new)
    levels = np.diff(first, append=len(new))
    first, levels = first[levels >= least], levels[levels >= least]
    rows = np.repeat(first - np.cumsum(levels) + levels, levels) + np.arange(levels.sum())
    zone = np.repeat(np.arange(len(first)), levels)
    against = side.against[rows] > 0
    measured = np.bincount(zone, weights=against, minlength=len(first))
    ratios = np.bincount(zone, weights=np.where(against, side.ratio[rows], 0.0), minlength=len(first))
    number = side.bar[first]
    never = np.full(len(first), NEVER)
    return Zones(
        number, bars.end[_row(bars, number)], side.is_buy[first], prices(side.level[first], step),
        prices(side.level[first] + levels, step), levels,
        np.bincount(zone, weights=side.volume[rows], minlength=len(first)).astype(np.float64),
        np.bincount(zone, weights=side.quote[rows], minlength=len(first)).astype(np.float64),
        np.divide(ratios, measured, out=np.full(len(first), np.nan), where=measured > 0),
        never, never, never, never, never,
    )  # fmt: skip


def _row(bars: Bars, number: Index) -> Index:
    row = np.minimum(np.searchsorted(bars.bar, number), len(bars.bar) - 1)
    if len(number) and not (len(bars.bar) and np.array_equal(bars.bar[row], number)):
        raise InvalidArgument("imbalances of bars that are not given", hint="the bars of the same trades")
    return row


def _either(known: Index, column: Index, row: Index) -> Index:
    """Return what was known, and else the column's values at rows."""
    return np.where(known == NEVER, _at(column, row), known)


def _at(column: Index, row: Index) -> Index:
    """Return the column's values at rows, and NEVER where a row is none: behind the last, or that of no crossing."""
    return np.append(column, NEVER)[row]

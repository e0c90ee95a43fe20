"""Walls: price bins of a heat map that hold much more than the others, how long they stood and how they went.

A bin is a wall in an interval where its size is more than `times` the median of that side's bins with
anything in them; with fewer than `LEAST_BINS` such bins there is no median worth the name, and no wall.
A wall lives from the first such interval to the last; up to `patience` known intervals below the threshold
are taken as part of it. Intervals in which the bin is unknown neither end a wall nor lengthen it. Only
closed intervals are looked at, so what is said of an ended wall does not change any more.

Threshold and patience are conventions of ours; the literature has none.
"""

from typing import Literal, NamedTuple

import numpy as np

from orderflow.flow.books import Prints
from orderflow.flow.heatmap import Heatmap
from orderflow.flow.levels import levels
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos

TIMES = 5.0  # the median
PATIENCE = 2  # intervals
LEAST_BINS = 5  # with a size, for their median to mean something
FILLED = 0.5  # of a decline: what takers took of it, from which on a wall was filled

Side = Literal["bid", "ask"]
Fate = Literal["standing", "unseen", "filled", "pulled", "outgrown", "gone"]


class Wall(NamedTuple):
    """One wall: [`low`, `high`) in quote units, sizes in base units, times in ns.

    `persistence` is the share of intervals above the threshold among the known ones from `first_seen` to
    `last_seen`. `times` is its largest multiple of the median.

    fate  standing  not known to have ended
          unseen    not known to have ended, and unknown at the end of the map: beyond the book, or a gap
          filled    ended: takers took at least `FILLED` of what it lost
          pulled    ended: they took less
          outgrown  ended with no less in it: the other bins have more
          gone      ended, and without trades nobody knows how

    `ended` is the end of the interval at which it was clear; `decline` is from the last interval of the
    wall to the first without it; `traded` is what takers took at its prices meanwhile.
    """

    side: Side
    low: float
    high: float
    first_seen: Nanos
    last_seen: Nanos
    intervals: int
    persistence: float
    size: float
    mean_size: float
    times: float
    fate: Fate
    ended: Nanos | None = None
    decline: float | None = None
    traded: float | None = None


def walls(
    found: Heatmap,
    times: float = TIMES,
    patience: int = PATIENCE,
    *,
    trades: Prints | None = None,
    least_bins: int = LEAST_BINS,
    filled: float = FILLED,
) -> list[Wall]:
    """Return the walls of a heat map by the time they were first seen, then by price, bids first.

    `trades` must be all of the map's time: those that are missing make filled walls pass for pulled ones.
    """
    if not times > 1 or patience < 0:
        raise InvalidArgument(
            f"no walls of {times} times the median with a patience of {patience}",
            hint="more than 1 time, and 0 or more intervals",
        )
    taken = None if trades is None else _Taken(trades, levels(trades.price, found.tick) // found.ticks)
    listed: list[Wall] = []
    sides: tuple[tuple[Side, Column], ...] = ("bid", found.bid), ("ask", found.ask)
    for side, resting in sides:
        size = resting[found.closed]
        multiple = _multiples(size, least_bins)
        above = multiple > times  # NaN is not
        for column in np.flatnonzero(above.any(axis=0)).tolist():
            stood = _Stood(side, column, size[:, column], multiple[:, column], above[:, column])
            listed.extend(_walls_of(found, stood, patience, taken, filled))
    return sorted(listed, key=lambda one: (one.first_seen, one.side != "bid", one.low))


def biggest(found: list[Wall], count: int) -> list[Wall]:
    """Return the walls with the largest multiples of their medians, the largest first."""
    return sorted(found, key=lambda one: -one.times)[:count]


class _Taken(NamedTuple):
    prints: Prints
    bin: Index


class _Stood(NamedTuple):
    """One bin of one side over the closed intervals."""

    side: Side
    column: int
    size: Column
    multiple: Column
    above: Mask


def _multiples(size: Column, least_bins: int) -> Column:
    """Return each size as a multiple of the median of its row's sizes above 0; NaN where there is none."""
    filled = np.sort(np.where(size > 0, size, np.inf), axis=1)
    count = np.count_nonzero(size > 0, axis=1)
    if not size.shape[1]:
        return size
    middle = np.stack([(count - 1) // 2, count // 2], axis=1).clip(0)
    median = np.take_along_axis(filled, middle, axis=1).mean(axis=1)
    median = np.where(count >= max(least_bins, 1), median, np.nan)
    return size / median[:, None]


def _walls_of(
    found: Heatmap, stood: _Stood, patience: int, taken: _Taken | None, filled: float
) -> list[Wall]:
    known = np.flatnonzero(~np.isnan(stood.size))
    above = np.flatnonzero(stood.above[known])  # places among the known intervals
    parts = np.split(above, np.flatnonzero(np.diff(above) > patience + 1) + 1)
    return [_wall(found, stood, known, part, patience, taken, filled) for part in parts]


def _wall(
    found: Heatmap,
    stood: _Stood,
    known: Index,
    part: Index,
    patience: int,
    taken: _Taken | None,
    filled: float,
) -> Wall:
    seen = known[part]
    first, last = int(seen[0]), int(seen[-1])
    edge = found.low[stood.column : stood.column + 1].item()
    wall = Wall(
        side=stood.side,
        low=edge,
        high=float(np.round(edge + found.tick * found.ticks, 12)),
        first_seen=int(found.start[first]),
        last_seen=int(found.start[last]) + found.interval,
        intervals=len(seen),
        persistence=len(seen) / int(part[-1] - part[0] + 1),
        size=float(stood.size[seen].max()),
        mean_size=float(stood.size[seen].mean()),
        times=float(stood.multiple[seen].max()),
        fate="standing",
    )
    after = known[part[-1] + 1 :]
    if len(after) <= patience:
        there = known[-1] == len(stood.size) - 1
        return wall if there else wall._replace(fate="unseen")
    decline = float(stood.size[last] - stood.size[after[0]])
    ended = int(found.start[after[patience]]) + found.interval
    wall = wall._replace(fate="gone", ended=ended, decline=decline)
    if decline <= 0:
        return wall._replace(fate="outgrown")
    if taken is None:
        return wall
    if found.how == "last":
        since, until = int(found.at[last]), int(found.at[after[0]])
    else:  # a mean over the wall's last interval may have part of the decline in it
        since, until = int(found.start[last]) - 1, int(found.start[after[0]]) + found.interval - 1
    traded = _traded(taken, stood.side, int(found.bin[stood.column]), since, until)
    return wall._replace(fate="filled" if traded >= filled * decline else "pulled", traded=traded)


def _traded(taken: _Taken, side: Side, bin: int, since: Nanos, until: Nanos) -> float:
    """Return what takers took in a bin of a side in (since, until]: at bids they sell, at asks they buy."""
    begin, end = (int(one) for one in np.searchsorted(taken.prints.time, (since, until), side="right"))
    hits = (taken.bin[begin:end] == bin) & (taken.prints.is_buy[begin:end] == (side == "ask"))
    return float(taken.prints.size[begin:end][hits].sum())

"""Heat map: what rested at which price over time, a matrix of (interval, price bin) for each side.

A bin is so many ticks, counted from price 0: bin number × ticks × tick is its lower edge. Within an
interval a bin's size is either the mean over time, each snapshot weighted by how long it stood, or the one
at the end, of the last snapshot that stood in it. Sizes are base units.

Unknown is NaN and not 0: intervals in which no snapshot stood (a crossed one does not), and bins beyond the
last known level of a side. A bin in which the known levels end is unknown too, unless it is asked for as a lower bound. A mean is
over the time in which the bin was known, however short: `covered` tells how much of each interval that
could be. Inside the known levels a bin without a level has 0, on the other side's half of the book too.
"""

from typing import Literal, NamedTuple

import numpy as np

from orderflow.flow.books import NO_GAPS, Books, stands_until
from orderflow.flow.levels import levels, prices
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import MINUTE, Nanos

LOWEST, HIGHEST = -(2**62), 2**62  # bins, where a side is known without end
MOST_CELLS = 20_000_000  # of the matrix; a tick too fine for the range would fill the memory

How = Literal["mean", "last"]


class Heatmap(NamedTuple):
    """Resting sizes by (interval, bin); bins are consecutive. `covered` is a share of each interval.

    `at` is the time of the last snapshot that stood in the interval, -1 where none did. An interval is
    `closed` if it ended within the time asked for: its row does not change any more.
    """

    start: Index
    interval: Nanos
    closed: Mask
    covered: Column
    at: Index
    bin: Index
    tick: float
    ticks: int
    how: How
    bid: Column
    ask: Column

    @property
    def low(self) -> Column:
        """The lower edge of each bin, in quote units; the upper one is the next bin's."""
        return prices(self.bin, self.tick * self.ticks)


class _Stretches(NamedTuple):
    """What of a snapshot (`row`) stood in one interval, and for how long: 1 where only the last counts."""

    row: Index
    interval: Index
    weight: Index


class _Side(NamedTuple):
    """Each snapshot's levels by bin, where they are `there`; and the `first` and `last` bin that is known."""

    bin: Index
    there: Mask
    size: Column
    first: Index
    last: Index


def heatmap(
    books: Books,
    since: Nanos,
    until: Nanos,
    tick: float,
    ticks: int = 1,
    interval: Nanos = MINUTE,
    how: How = "mean",
    *,
    hold: Nanos | None = None,
    gaps: Index = NO_GAPS,
    bins: tuple[int, int] | None = None,
    partly: bool = False,
) -> Heatmap:
    """Return the heat map of the intervals that meet [since, until), counted from 1970.

    A snapshot stands until the next one, for `hold` at most (an interval, unless said otherwise); those
    before `since` that still stand are counted, those of `until` and later are not. `bins` is the range
    [first, last) to show, else all that had a level. `partly` keeps the bins in which the known levels end.
    """
    if interval <= 0 or ticks < 1 or until < since:
        raise InvalidArgument(
            f"no heat map of {interval} ns and {ticks} ticks in [{since}, {until})",
            hint="an interval above 0, 1 tick or more, and since <= until",
        )
    if bins is not None and bins[1] < bins[0]:
        raise InvalidArgument(f"{bins} is no range of bins", hint="the first one, and the one after the last")
    _check_size(_count(since, until, interval), 1 if bins is None else bins[1] - bins[0])
    known = books.between(int(np.iinfo(np.int64).min), until)
    stretches, covered = _stretches(known, since, until, interval, interval if hold is None else hold, gaps)
    last = _last_of_each(stretches)
    shown = last if how == "last" else stretches
    bids = _bids(known, tick, ticks, partly=partly)
    asks = _asks(known, tick, ticks, partly=partly)
    first, beyond = _range(shown, bids, asks) if bins is None else bins
    _check_size(len(covered), beyond - first)
    start = (since // interval + np.arange(len(covered), dtype=np.int64)) * interval
    at = np.full(len(covered), -1)
    at[last.interval] = known.time[last.row]
    return Heatmap(
        start=start,
        interval=interval,
        closed=start + interval <= until,
        covered=covered,
        at=at,
        bin=np.arange(first, beyond, dtype=np.int64),
        tick=tick,
        ticks=ticks,
        how=how,
        bid=_matrix(bids, shown, len(covered), first, beyond),
        ask=_matrix(asks, shown, len(covered), first, beyond),
    )


def _count(since: Nanos, until: Nanos, interval: Nanos) -> int:
    """Return how many intervals meet [since, until)."""
    return -(-until // interval) - since // interval if until > since else 0


def _check_size(intervals: int, bins: int) -> None:
    if intervals * bins > MOST_CELLS:
        raise InvalidArgument(
            f"a heat map of {intervals:,} intervals and {bins:,} bins is too large",
            hint="more ticks a bin, a longer interval, or a range of bins",
        )


def _stretches(
    books: Books, since: Nanos, until: Nanos, interval: Nanos, hold: Nanos, gaps: Index
) -> tuple[_Stretches, Column]:
    """Cut the time that each snapshot stood at the edges of the intervals; and how much each is covered."""
    begin = np.maximum(books.time, since)
    end = stands_until(books.time, until, hold, gaps)
    rows = np.flatnonzero((end > begin) & ~books.crossed)
    begin, end = begin[rows], end[rows]
    first = begin // interval
    pieces = (end - 1) // interval - first + 1
    of = np.repeat(np.arange(len(rows)), pieces)
    number = first[of] + np.arange(len(of)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    weight = np.minimum(end[of], (number + 1) * interval) - np.maximum(begin[of], number * interval)
    count = _count(since, until, interval)
    number = number - since // interval
    covered = np.bincount(number, weights=weight, minlength=count) / interval
    return _Stretches(rows[of], number, weight), covered


def _last_of_each(found: _Stretches) -> _Stretches:
    last = np.append(np.diff(found.interval) > 0, np.ones(min(len(found.row), 1), dtype=np.bool_))
    row, interval = found.row[last], found.interval[last]
    return _Stretches(row, interval, np.ones_like(row))


def _bids(books: Books, tick: float, ticks: int, *, partly: bool) -> _Side:
    end, known = books.bid_end, np.isfinite(books.bid_end)
    number = levels(np.where(known, end, 0.0), tick)
    whole = number // ticks if partly else -(-number // ticks)
    first = np.where(known, whole, np.where(end < 0, LOWEST, HIGHEST))
    return _side(books.bid_price, books.bid_size, tick, ticks, first, np.full_like(first, HIGHEST))


def _asks(books: Books, tick: float, ticks: int, *, partly: bool) -> _Side:
    end, known = books.ask_end, np.isfinite(books.ask_end)
    number = levels(np.where(known, end, 0.0), tick)
    whole = number // ticks if partly else (number + 1) // ticks - 1
    last = np.where(known, whole, np.where(end > 0, HIGHEST, LOWEST))
    return _side(books.ask_price, books.ask_size, tick, ticks, np.full_like(last, LOWEST), last)


def _side(price: Column, size: Column, tick: float, ticks: int, first: Index, last: Index) -> _Side:
    there = ~np.isnan(price)
    return _Side(levels(np.where(there, price, 0.0), tick) // ticks, there, size, first, last)


def _range(found: _Stretches, bids: _Side, asks: _Side) -> tuple[int, int]:
    """Return the bins from the lowest level that is shown to beyond the highest one."""
    seen = np.zeros(len(bids.bin), dtype=np.bool_)
    seen[found.row] = True
    there = np.concatenate([side.bin[side.there & seen[:, None]] for side in (bids, asks)])
    return (int(there.min()), int(there.max()) + 1) if len(there) else (0, 0)


def _matrix(side: _Side, found: _Stretches, intervals: int, first: int, beyond: int) -> Column:
    """Return each bin's size, by interval, over the time that it was known."""
    bins = beyond - first
    # What is known begins with one bin and ends with another: marked there, and added up from left to right.
    edges = np.zeros((intervals, bins + 1), dtype=np.int64)
    np.add.at(edges, (found.interval, np.clip(side.first - first, 0, bins)[found.row]), found.weight)
    np.add.at(edges, (found.interval, np.clip(side.last + 1 - first, 0, bins)[found.row]), -found.weight)
    time = np.cumsum(edges, axis=1)[:, :bins]
    shown = side.there & (side.bin >= side.first[:, None]) & (side.bin <= side.last[:, None])
    shown &= (side.bin >= first) & (side.bin < beyond)
    total = np.zeros(intervals * bins)
    for level in range(side.bin.shape[1]):
        of = np.flatnonzero(shown[:, level][found.row])
        row = found.row[of]
        cell = found.interval[of] * bins + side.bin[:, level][row] - first
        value = side.size[:, level][row] * found.weight[of]
        if len(of) * 4 > len(total):  # one pass over the cells is less than a look-up each
            total += np.bincount(cell, weights=value, minlength=len(total))
        else:
            np.add.at(total, cell, value)
    return np.divide(total.reshape(time.shape), time, out=np.full(time.shape, np.nan), where=time > 0)


def largest(size: Column, count: int) -> Index:
    """Return the places of the largest sizes above 0 in a row, the largest first; of equal ones the lower bin.

    >>> largest(np.array([0.0, 2.0, np.nan, 5.0, 2.0]), 2).tolist()
    [3, 1]
    """
    there = np.flatnonzero(size > 0)
    return there[np.argsort(-size[there], kind="stable")][:count]

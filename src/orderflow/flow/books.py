"""Books: snapshots of an order book as columns, and how long and how far each of them is known.

Of most books only the best levels are kept, so a side is known down to its last level and no further: what
rests beyond it is unknown, not nothing. Inside of it all is known: a price between two levels has nothing.
A snapshot stands until the next one, but not for ever: a book that is silent may be quiet or lost.
"""

from typing import NamedTuple

import numpy as np

from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos

NO_GAPS: Index = np.empty((0, 2), dtype=np.int64)


class Prints(NamedTuple):
    """Trades as columns, oldest first; the side is the taker's, sizes are base units."""

    time: Index
    price: Column
    size: Column
    is_buy: Mask


class Books(NamedTuple):
    """Snapshots, oldest first: prices and sizes (base units) by (snapshot, level), the best level first.

    A level without a price is absent; one with a price and a size of NaN is there, of unknown size. All bids
    are known from `bid_end` upwards, all asks up to `ask_end`; NaN where nothing of the side is known.
    """

    time: Index
    bid_price: Column
    bid_size: Column
    ask_price: Column
    ask_size: Column
    bid_end: Column
    ask_end: Column

    @property
    def crossed(self) -> Mask:
        """Where the best bid is above the best ask: no market, but a book that is out of step."""
        return self.bid_price[:, 0] > self.ask_price[:, 0]

    @property
    def mid(self) -> Column:
        """Mean of the best bid and ask; NaN where a side is absent, and where the book is crossed."""
        mean = (self.bid_price[:, 0] + self.ask_price[:, 0]) / 2
        return np.where(self.crossed, np.nan, mean)

    @property
    def spread(self) -> Column:
        """Best ask less best bid; NaN where a side is absent, and where the book is crossed."""
        return np.where(self.crossed, np.nan, self.ask_price[:, 0] - self.bid_price[:, 0])

    def take(self, rows: Index) -> "Books":
        """Return the snapshots of these rows; -1 is one of which nothing is known, at the time -1."""
        known = rows >= 0
        if not len(self.time):
            nothing = np.full((len(rows), self.bid_price.shape[1]), np.nan)
            ends = np.full(len(rows), np.nan)
            return Books(np.full_like(rows, -1), nothing, nothing, nothing, nothing, ends, ends)
        at = np.where(known, rows, 0)
        found = [np.where(known[:, None], one[at], np.nan) for one in self[1:5]]
        ends = [np.where(known, one[at], np.nan) for one in self[5:]]
        return Books(np.where(known, self.time[at], -1), *found, *ends)

    def between(self, since: Nanos, until: Nanos) -> "Books":
        """Return the snapshots of [since, until)."""
        begin, end = (int(one) for one in np.searchsorted(self.time, (since, until)))
        return Books._make(one[begin:end] for one in self)


def books(
    time: Index,
    bid_price: Column,
    bid_size: Column,
    ask_price: Column,
    ask_size: Column,
    *,
    complete: bool = False,
) -> Books:
    """Return snapshots, looked over; `complete` says that they hold all levels of the book, not the best.

    Raises `InvalidArgument` where shapes differ, times fall, or levels are not in order with the best first.

    >>> one = books(np.array([0]), np.array([[99.0, 98.0]]), np.array([[1.0, 2.0]]),
    ...             np.array([[101.0, np.nan]]), np.array([[4.0, np.nan]]))
    >>> one.mid.tolist(), one.bid_end.tolist(), one.ask_end.tolist()
    ([100.0], [98.0], [101.0])
    """
    for name, one in zip(("bid_size", "ask_price", "ask_size"), (bid_size, ask_price, ask_size), strict=True):
        if one.ndim != 2 or one.shape != bid_price.shape or len(one) != len(time) or not one.shape[1]:
            raise InvalidArgument(
                f"{name} is of {one.shape}, bid_price of {bid_price.shape}, with {len(time)} times",
                hint="prices and sizes by (snapshot, level), one row a time",
            )
    if np.any(np.diff(time) < 0):
        raise InvalidArgument("a snapshot is older than the one before", hint="order them by time")
    for name, one in (("bids", -bid_price), ("asks", ask_price)):
        follows = (one[:, 1:] > one[:, :-1]) | np.isnan(one[:, 1:])
        if not np.all(follows):
            raise InvalidArgument(f"{name} are not in order", hint="the best level first, absent ones last")
    if complete:
        bid_end, ask_end = np.full(len(time), -np.inf), np.full(len(time), np.inf)
    else:
        bid_end, ask_end = _last(bid_price), _last(ask_price)
    return Books(time, bid_price, bid_size, ask_price, ask_size, bid_end, ask_end)


def stands_until(time: Index, until: Nanos, hold: Nanos, gaps: Index = NO_GAPS) -> Index:
    """Return when each snapshot ceases to stand: at the next one, after `hold`, at a gap, or at `until`.

    `gaps` are rows of [from, until), oldest first. A snapshot from within a gap stands for no time at all.

    >>> stands_until(np.array([0, 10, 20]), 100, 50, np.array([[12, 18]])).tolist()
    [10, 12, 70]
    """
    if hold < 0:
        raise InvalidArgument(f"a snapshot cannot hold for {hold} ns", hint="0 or more nanoseconds")
    end = np.minimum(np.append(time[1:], until), np.minimum(time + hold, until))
    if len(gaps):
        closed = np.maximum.accumulate(gaps[:, 1])
        after = np.searchsorted(gaps[:, 0], time, side="right")
        following = np.append(gaps[:, 0], np.iinfo(np.int64).max)[after]
        inside = (after > 0) & (time < closed[after - 1])
        end = np.where(inside, time, np.minimum(end, following))
    return np.maximum(end, time)


def _last(price: Column) -> Column:
    """Return the price of each row's last level, NaN where it has none."""
    there = np.count_nonzero(~np.isnan(price), axis=1)
    last = np.take_along_axis(price, np.maximum(there - 1, 0)[:, None], axis=1)[:, 0]
    return np.where(there > 0, last, np.nan)

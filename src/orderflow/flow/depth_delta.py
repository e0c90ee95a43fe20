"""Depth delta: how the depth near the mid changes from window to window, and by what.

Each window is represented by its last snapshot. What changed against the window before has two parts:

orders      the change of what rests at the prices that both snapshots' bands contain and both books know;
re-centring the rest: what the band took in by moving with the mid (or by seeing further), less what it left.

Of the orders' part, what takers executed is known from trades; the remainder is orders placed less those
cancelled: snapshots cannot tell these two apart. Where the two bands have no price in common, neither part
can be said. A window without a snapshot is unknown, and so is the change after it: nothing is carried,
except that a snapshot stands for `hold` after it came, where the caller knows that silence means no change.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from orderflow.flow.books import NO_GAPS, Books, Prints, stands_until
from orderflow.flow.depth import BANDS, Depth, depth, edges, resting
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import MINUTE, Nanos

TREND_STEPS = 10  # the last steps, of which the rising ones are counted
MOST_WINDOWS = 1_000_000


class Compared(NamedTuple):
    """The prices that two snapshots are compared at, by (window, band); NaN where there are none."""

    bid_low: Column
    bid_high: Column
    ask_low: Column
    ask_high: Column


class DepthDelta(NamedTuple):
    """Depth at the end of each window, and the change of it since the window before.

    `depth` has a row a window, of NaN where the window has no snapshot; `before` is the time of the
    snapshot that it is compared with, -1 where there is none. Changes are in base units by (window, band);
    `*_orders` is the part of them that orders made. A window is `closed` if it ended within the time asked
    for.
    """

    start: Index
    length: Nanos
    closed: Mask
    depth: Depth
    before: Index
    mid_delta: Column
    bid_delta: Column
    ask_delta: Column
    bid_orders: Column
    ask_orders: Column
    compared: Compared

    @property
    def net_delta(self) -> Column:
        return self.bid_delta - self.ask_delta

    @property
    def bid_recentred(self) -> Column:
        return self.bid_delta - self.bid_orders

    @property
    def ask_recentred(self) -> Column:
        return self.ask_delta - self.ask_orders


def depth_delta(
    books: Books,
    since: Nanos,
    until: Nanos,
    length: Nanos = MINUTE,
    bands: Sequence[float] = BANDS,
    *,
    hold: Nanos = 0,
    gaps: Index = NO_GAPS,
) -> DepthDelta:
    """Return the depth at the end of each window that meets [since, until), windows counted from 1970.

    Snapshots of `until` and later are not looked at; those of the window before `since`, where they are
    given, are what the first window is compared with.
    """
    if length <= 0 or until < since:
        raise InvalidArgument(
            f"no windows of {length} ns in [{since}, {until})", hint="a length above 0, and since <= until"
        )
    first = since // length - 1
    beyond = -(-until // length) if until > since else first + 1
    if beyond - first > MOST_WINDOWS:
        raise InvalidArgument(f"more than {MOST_WINDOWS:,} windows", hint="longer ones, or a shorter time")
    start = np.arange(first, beyond, dtype=np.int64) * length
    end = np.minimum(start + length, until)
    last = books.take(_last_rows(books.time, start, end, until, hold, gaps))
    found = depth(last, bands)
    low, high = edges(last, bands)
    bid = _in_common(low, high, last.bid_end[:, None], np.full_like(low, np.inf))
    ask = _in_common(low, high, np.full_like(low, -np.inf), last.ask_end[:, None])
    return DepthDelta(
        start=start[1:],
        length=length,
        closed=start[1:] + length <= until,
        depth=_without_first(found),
        before=found.time[:-1],
        mid_delta=np.diff(found.mid),
        bid_delta=np.diff(found.bid, axis=0),
        ask_delta=np.diff(found.ask, axis=0),
        bid_orders=_orders(last.bid_price, last.bid_size, *bid),
        ask_orders=_orders(last.ask_price, last.ask_size, *ask),
        compared=Compared(*bid, *ask),
    )


class Executed(NamedTuple):
    """What takers took of the compared prices between two windows' snapshots, in base units."""

    bid: Column
    ask: Column
    bid_placed: Column  # placed less cancelled
    ask_placed: Column


def executed(delta: DepthDelta, prints: Prints) -> Executed:
    """Split the orders' part of a depth delta into what was executed and what was placed less cancelled.

    Takers' sells are executed at bids, buys at asks. A trade counts after the one snapshot, up to and with
    the moment of the other. The trades of the whole time must be given: absent ones pass for cancellations.
    """
    seen = np.flatnonzero(delta.depth.time >= 0)
    rows = np.append(seen, -1)[np.searchsorted(delta.depth.time[seen], prints.time)]
    compared = delta.compared
    sold = _taken(delta, rows, prints, ~prints.is_buy, compared.bid_low, compared.bid_high)
    bought = _taken(delta, rows, prints, prints.is_buy, compared.ask_low, compared.ask_high)
    bid = np.where(np.isnan(delta.bid_orders), np.nan, sold)
    ask = np.where(np.isnan(delta.ask_orders), np.nan, bought)
    return Executed(bid, ask, delta.bid_orders + bid, delta.ask_orders + ask)


class DepthTrend(NamedTuple):
    """What the windows of one band say together; None where no window is known.

    `*_rising` is the share of the last steps in which the side grew, of those that are known. `dominant` is
    the side of the mean net depth. `whole` is false where a window's band is only partly known.
    """

    windows: int
    net_mean: float | None
    net_max: float | None
    net_min: float | None
    net_last: float | None
    bid_rising: float | None
    ask_rising: float | None
    steps: int
    dominant: Literal["bids", "asks", "neither"] | None
    whole: bool


def depth_trend(
    delta: DepthDelta, band: int, steps: int = TREND_STEPS, of: Literal["orders", "delta"] = "orders"
) -> DepthTrend:
    """Return the trend of a band, by its number: of what orders changed, or of all that changed."""
    net = delta.depth.net[:, band]
    known = ~np.isnan(net)
    if not np.any(known):
        return DepthTrend(0, None, None, None, None, None, None, 0, None, whole=False)
    bid, ask = (delta.bid_orders, delta.ask_orders) if of == "orders" else (delta.bid_delta, delta.ask_delta)
    bid, ask = bid[-steps:, band], ask[-steps:, band]
    mean = float(np.mean(net[known]))
    return DepthTrend(
        windows=int(np.count_nonzero(known)),
        net_mean=mean,
        net_max=float(np.max(net[known])),
        net_min=float(np.min(net[known])),
        net_last=float(net[known][-1]),
        bid_rising=_rising(bid),
        ask_rising=_rising(ask),
        steps=int(np.count_nonzero(~np.isnan(bid) & ~np.isnan(ask))),
        dominant="bids" if mean > 0 else "asks" if mean < 0 else "neither",
        whole=bool(np.all(delta.depth.whole[known, band])),
    )


def _last_rows(time: Index, start: Index, end: Index, until: Nanos, hold: Nanos, gaps: Index) -> Index:
    """Return the row of the snapshot that each window ends with, -1 where there is none."""
    rows = np.searchsorted(time, end, side="left") - 1
    if not len(time):
        return rows
    stands = stands_until(time, until, hold, gaps)
    there = (rows >= 0) & ((time[rows] >= start) | (stands[rows] >= end))
    return np.where(there, rows, -1)


def _in_common(low: Column, high: Column, known_from: Column, known_to: Column) -> tuple[Column, Column]:
    """Return the prices that each window's band and the one before it have in common, both known."""
    bottom, top = np.maximum(low, known_from), np.minimum(high, known_to)
    bottom, top = np.maximum(bottom[1:], bottom[:-1]), np.minimum(top[1:], top[:-1])
    shared = bottom <= top
    return np.where(shared, bottom, np.nan), np.where(shared, top, np.nan)


def _orders(price: Column, size: Column, low: Column, high: Column) -> Column:
    """Return by how much what rests at the same prices changed from one window to the next."""
    return resting(price[1:], size[1:], low, high)[0] - resting(price[:-1], size[:-1], low, high)[0]


def _taken(delta: DepthDelta, rows: Index, prints: Prints, side: Mask, low: Column, high: Column) -> Column:
    """Sum the trades of a side by the window that each falls into, at the prices compared there."""
    chosen = side & (rows >= 0)
    rows, time, price, size = rows[chosen], prints.time[chosen], prints.price[chosen], prints.size[chosen]
    follows = (delta.before[rows] >= 0) & (time > delta.before[rows])
    found = np.zeros_like(low)
    for band in range(low.shape[1]):
        inside = follows & (price >= low[rows, band]) & (price <= high[rows, band])
        found[:, band] = np.bincount(rows[inside], weights=size[inside], minlength=len(low))
    return found


def _rising(change: Column) -> float | None:
    known = change[~np.isnan(change)]
    return float(np.mean(known > 0)) if len(known) else None


def _without_first(found: Depth) -> Depth:
    rows = (one if name == "bands" else one[1:] for name, one in zip(found._fields, found, strict=True))
    return Depth._make(rows)

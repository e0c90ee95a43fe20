"""Pressure: which side of the book is heavier, and what its changes say: queue imbalance and OFI.

queue imbalance  (bid − ask) / (bid + ask) of the best sizes, -1 to 1. Gould and Bonart, Queue Imbalance as a
    One-Tick-Ahead Price Predictor in a Limit Order Book, 2016.
weighted mid     (ask × bid size + bid × ask size) / (sizes): the mid drawn to the thinner side. It is not
    Stoikov's microprice, which is in `microprice`.
OFI              order flow imbalance: of one state of the book against the one before, what was added to bids
    or taken from asks, less what was taken from bids or added to asks, in base units. With prices P and sizes
    q, primes for the state before: 1{Pb>=Pb'} qb − 1{Pb<=Pb'} qb' − 1{Pa<=Pa'} qa + 1{Pa>=Pa'} qa'. Cont,
    Kukanov and Stoikov, The Price Impact of Order Book Events, 2014, of the best level; Xu, Gould and Howison,
    Multi-Level Order-Flow Imbalance in a Limit Order Book, 2018, of each level by its rank.
integrated OFI   the levels' OFIs over the mean depth, in one by their first principal component, with weights
    that add up to 1. Cont, Cucuringu and Zhang, Cross-Impact of Order Flow Imbalance, 2021 (2023).

The papers count every event of a book. Of snapshots each change from one to the next is taken for an event:
what came and went between two of them is not seen. A level that is absent, a size that is unknown, and the
first snapshot (or the first after a gap) give NaN. To go on later, begin with the last snapshot seen.
"""

from typing import NamedTuple

import numpy as np

from orderflow.flow.books import Books
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument


def queue_imbalance(books: Books) -> Column:
    """Return (bid − ask) / (bid + ask) of the best sizes of each snapshot."""
    bid, ask = books.bid_size[:, 0], books.ask_size[:, 0]
    return _over(bid - ask, bid + ask)


def weighted_mid(books: Books) -> Column:
    """Return the best prices weighted by the sizes of the other side; NaN where crossed or without a size.

    >>> from orderflow.flow.books import books
    >>> one = books(*(np.array(column) for column in ([0], [[99.0]], [[3.0]], [[101.0]], [[1.0]])))
    >>> weighted_mid(one).tolist(), queue_imbalance(one).tolist()
    ([100.5], [0.5])
    """
    return books.mid + queue_imbalance(books) * books.spread / 2


def ofi(books: Books, follows: Mask | None = None) -> Column:
    """Return the order flow imbalance of each snapshot against the one before, by (snapshot, level).

    `follows` is false where a snapshot does not follow the one before: after a gap.

    >>> from orderflow.flow.books import books
    >>> two = books(*(np.array(column) for column in (
    ...     [0, 1], [[99.0], [99.5]], [[3.0], [2.0]], [[101.0], [101.0]], [[5.0], [4.0]])))
    >>> ofi(two).tolist()  # 2 more at a better bid, 1 less at the ask
    [[nan], [3.0]]
    """
    bid = _flow(books.bid_price, books.bid_size)
    ask = _flow(-books.ask_price, books.ask_size)
    found = bid - ask
    return found if follows is None else np.where(follows[:, None], found, np.nan)


class OfiBars(NamedTuple):
    """OFI summed over bars, by (bar, level), of the `events` that are known; `unknown` ones are left out.

    `depth` is the mean size of a level, over both sides, all levels and the bar's snapshots: that by which
    Cont, Cucuringu and Zhang divide. Where a bar has no known event, its sum is NaN.
    """

    total: Column
    events: Index
    unknown: Index
    depth: Column

    @property
    def scaled(self) -> Column:
        """Sums over the mean depth: multiples of a level's usual size."""
        return _over(self.total, np.broadcast_to(self.depth[:, None], self.total.shape))


def ofi_bars(books: Books, bar: Index, bars: int, follows: Mask | None = None) -> OfiBars:
    """Sum OFI into bars; `bar` numbers each snapshot's bar from 0, of so many; others are left out."""
    if len(bar) != len(books.time):
        raise InvalidArgument(f"{len(bar)} bars of {len(books.time)} snapshots", hint="one bar a snapshot")
    inside = (bar >= 0) & (bar < bars)
    events = ofi(books, follows)[inside]
    both = np.concatenate([books.bid_size, books.ask_size], axis=1)[inside]
    number = bar[inside]
    known = ~np.isnan(events)
    count = _summed(number, known.astype(np.float64), bars)
    total = _summed(number, np.where(known, events, 0.0), bars)
    there = ~np.isnan(both)
    sizes = _summed(number, np.where(there, both, 0.0).sum(axis=1, keepdims=True), bars)[:, 0]
    levels = _summed(number, there.sum(axis=1, keepdims=True).astype(np.float64), bars)[:, 0]
    return OfiBars(
        total=np.where(count > 0, total, np.nan),
        events=np.rint(count).astype(np.int64),
        unknown=np.rint(_summed(number, (~known).astype(np.float64), bars)).astype(np.int64),
        depth=_over(sizes, levels),
    )


def integration_weights(scaled: Column) -> Column:
    """Return each level's weight in the integrated OFI: the first principal component, adding up to 1.

    `scaled` is OFI over depth by (bar, level), of the past: weights from the bars that they are then
    applied to look ahead. Bars with an unknown level are left out. Raises `InvalidArgument` where fewer
    than two bars are left, or nothing varies.
    """
    known = scaled[~np.isnan(scaled).any(axis=1)]
    if len(known) < 2:
        raise InvalidArgument(
            "too few bars for the levels' weights", hint="two or more with all levels known"
        )
    centred = known - known.mean(axis=0)
    if not np.any(centred):
        raise InvalidArgument("the levels' order flow does not vary", hint="a longer past")
    first = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    first = first if first.sum() >= 0 else -first  # a component has no sign of its own
    return first / np.abs(first).sum()


def integrated_ofi(scaled: Column, weights: Column) -> Column:
    """Return the integrated OFI of each bar: its levels' OFI over depth, by their weights."""
    return scaled @ weights


def _flow(price: Column, size: Column) -> Column:
    """Return what was added to a side whose better prices are higher, less what was taken; the first is NaN."""
    now, before = price[1:], price[:-1]
    known = ~(np.isnan(now) | np.isnan(before))
    came = np.where(now >= before, size[1:], 0.0)
    went = np.where(now <= before, size[:-1], 0.0)
    first = np.full((min(len(price), 1), price.shape[1]), np.nan)
    return np.concatenate([first, np.where(known, came - went, np.nan)])


def _summed(bar: Index, value: Column, bars: int) -> Column:
    found = np.zeros((bars, value.shape[1]))
    for column in range(value.shape[1]):
        found[:, column] = np.bincount(bar, weights=value[:, column], minlength=bars)
    return found


def _over(part: Column, whole: Column) -> Column:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)

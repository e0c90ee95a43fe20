"""Icebergs, estimated: prices at which far more was traded than was ever shown there.

An iceberg shows a part of its size, and shows the next part when that one is filled. From trades and the top
of the book it can only be guessed: a venue's own iceberg and a program that keeps adding look alike, and so
do several traders who add one after another. Hence every figure here is an estimate, never a fact.

The heuristic, on each side of the book, while a price stays the best one (a *stay*; it may leave the top for
up to `patience` and come back, for between two parts the price may be empty):

- executed: what takers traded at that price while it was the best. A trade meets the book as it stood
  strictly before it, for the row with its own time shows what is left after it.
- refill: displayed size that came back within `refill_within` of a fill, that is, a change of the displayed
  size that exceeds what was executed in between: shown after − shown before + executed > 0.
- an estimate is reported when refills are at least `min_refills` and what was executed is at least
  `min_ratio` times the most that was ever shown there.
- hidden: executed − shown at first: what was traded beyond what could be seen when the stay began. It is an
  upper estimate, since size that others added in plain sight is in it.

Literature: executions beyond the displayed size reveal an iceberg to the market, Frey and Sandås, "The
Impact of Iceberg Orders in Limit Order Books", CFR working paper 09-06 (2009); orders that arrive a short
time after a trade as tranches of a synthetic one, Zotikov and Antonov, "CME Iceberg Order Detection and
Prediction", arXiv 1909.09495 (2019), Quantitative Finance 21 (2021). Both have order ids; we have sums.
"""

from typing import Any, NamedTuple

import numpy as np

from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import MS, SECOND, Nanos

PATIENCE: Nanos = 1 * SECOND
REFILL_WITHIN: Nanos = 300 * MS  # three updates of a book that is sent every 100 ms
MIN_REFILLS = 3
MIN_RATIO = 3.0


class BookTop(NamedTuple):
    """The best prices and what is shown at them, a row a change, oldest first; NaN where a side is unknown."""

    time: Index
    bid: Column
    bid_size: Column
    ask: Column
    ask_size: Column


class Icebergs(NamedTuple):
    """One row an estimate, by the time it began; sizes in base units.

    `known` is when a stay could no longer go on; while `developing`, its figures are those so far. To go on,
    hand over the book from `again_from` on, the trades after that, and `after` = the `until` of before.
    """

    price: Column
    is_bid: Mask
    start: Index
    end: Index
    executed: Column
    shown_first: Column
    shown_most: Column
    fills: Index
    refills: Index
    refilled: Column
    known: Index
    developing: Mask
    again_from: Nanos

    @property
    def hidden(self) -> Column:
        return self.executed - self.shown_first

    @property
    def quote(self) -> Column:
        return self.executed * self.price


class _Rules(NamedTuple):
    until: Nanos
    patience: Nanos
    refill_within: Nanos
    min_refills: int
    min_ratio: float


def icebergs(
    time: Index,
    price: Column,
    size: Column,
    is_buy: Mask,
    book: BookTop,
    until: Nanos,
    *,
    patience: Nanos = PATIENCE,
    refill_within: Nanos = REFILL_WITHIN,
    min_refills: int = MIN_REFILLS,
    min_ratio: float = MIN_RATIO,
    after: Nanos | None = None,
) -> Icebergs:
    """Return the estimates of both sides; `until` is how far trades and book reach.

    Without trades or book there are none. What was known at `after` or before is left out.
    """
    if min(patience, refill_within) < 0 or min_refills < 1 or not min_ratio >= 1:
        raise InvalidArgument(
            "no rule for icebergs",
            hint="times of 0 or more, min_refills of 1 or more, min_ratio of 1 or more",
        )
    if (np.diff(time) < 0).any() or (np.diff(book.time) < 0).any():
        raise InvalidArgument("trades or book out of order", hint="oldest first")
    rules = _Rules(until, patience, refill_within, min_refills, min_ratio)
    row = np.searchsorted(book.time, time, side="left") - 1
    found: list[list[Any]] = []
    again_from = until
    for is_bid, best, shown in ((True, book.bid, book.bid_size), (False, book.ask, book.ask_size)):
        met = (row >= 0) & (is_buy != is_bid)
        met[met] = best[row[met]] == price[met]
        one, begun = _side(is_bid, row[met], time[met], size[met], (book.time, best, shown), rules)
        found.append(one)
        again_from = min(again_from, begun)
    columns: list[Any] = [np.concatenate(pair) for pair in zip(*found, strict=True)]
    known, start = columns[10], columns[2]
    kept = np.lexsort((columns[1], columns[0], start))
    if after is not None:
        kept = kept[known[kept] > after]
    return Icebergs(*(column[kept] for column in columns), again_from=again_from)


def _side(
    is_bid: bool,
    row: Index,
    time: Index,
    size: Column,
    book: tuple[Index, Column, Column],
    rules: _Rules,
) -> tuple[list[Any], Nanos]:
    """Return the columns of one side's estimates, and when the oldest stay began that may still go on."""
    at, best, shown = book
    rows = len(at)
    executed = np.bincount(row, weights=size, minlength=rows).astype(np.float64)
    fills = np.bincount(row, minlength=rows)
    filled_at = np.zeros(rows, dtype=np.int64)
    filled_at[row] = time  # of several the last one stays
    left_at = np.append(at[1:], rules.until).astype(np.int64)[:rows]

    there = np.flatnonzero(~np.isnan(best) & ~np.isnan(shown))
    place = there[np.argsort(best[there], kind="stable")]  # by price, within one by time
    if not len(place):
        none = np.empty(0, dtype=np.int64)
        flat, no = np.empty(0), np.empty(0, dtype=np.bool_)
        return [flat, no, none, none, flat, flat, flat, none, none, flat, none, no], rules.until
    price, at, left_at, shown = best[place], at[place], left_at[place], shown[place]
    executed, fills, filled_at = executed[place], fills[place], filled_at[place]

    joins = (price[1:] == price[:-1]) & (at[1:] - left_at[:-1] <= rules.patience)
    first = np.flatnonzero(np.append(True, ~joins))
    last = np.append(first[1:], len(place)).astype(np.int64) - 1
    refill = _refills(at, shown, executed, filled_at, joins, rules.refill_within)
    total, most = np.add.reduceat(executed, first), np.maximum.reduceat(shown, first)
    times = np.add.reduceat((refill > 0).astype(np.int64), first)
    known = left_at[last] + rules.patience + 1
    developing = known > rules.until
    begun = int(at[first][developing].min(initial=rules.until))
    kept = (times >= rules.min_refills) & (total >= rules.min_ratio * most) & (total > 0)
    columns: list[Any] = [
        price[first], np.full(len(first), is_bid), at[first], left_at[last], total, shown[first], most,
        np.add.reduceat(fills, first), times, np.add.reduceat(refill, first), known, developing,
    ]  # fmt: skip
    return [column[kept] for column in columns], begun


def _refills(
    at: Index, shown: Column, executed: Column, filled_at: Index, joins: Mask, within: Nanos
) -> Column:
    """Return what was added at each row since the row before it of the same stay, if soon after a fill."""
    refill = np.zeros(len(at))
    if len(at) < 2:
        return refill
    begins = np.append(True, ~joins)
    places = np.arange(len(at))
    stay = np.maximum.accumulate(np.where(begins, places, 0))
    filled = np.maximum.accumulate(np.where(executed > 0, places, -1))[:-1]  # the last row before with a fill
    soon = joins & (filled >= stay[:-1]) & (at[1:] - filled_at[np.maximum(filled, 0)] <= within)
    added = shown[1:] - shown[:-1] + executed[:-1]
    some = added > _LEAST_SHARE * (shown[:-1] + executed[:-1])
    refill[1:][soon & some] = added[soon & some]
    return refill


_LEAST_SHARE = 1e-9  # of what was there: less is the rounding of doubles

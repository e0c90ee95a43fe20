"""Footprint: bid × ask at each level of each bar (MarketDelta, 2003; "numbers bars", "cluster chart").

`sell` is what takers sold, at the bid; `buy` what they bought, at the ask. Per bar:

* **POC**: the level with the most volume in base units. Of equal ones (to 10^-9 of the most) the one nearest
  the middle between the bar's lowest and highest level, then the lower, as in a profile.
* **Max and min delta**: the levels with the highest and with the lowest delta; ties likewise.
* **Unfinished auction**: both sides traded at the bar's highest level (at its lowest), so the auction did not
  run out of takers there; a finished one has no volume at the bid of its high, or at the ask of its low.
  (footprintchart.com, "Unfinished Auction", 2016; the pattern is meant at the tick: at wider steps most bars
  have it.)

Prices are lower edges of levels: a level spans [price, price + step). Of a bar without cells, or with a level of
unknown volume, POC and extremes are NaN. All of it is computed from the cells at hand: at a wider step it is
computed anew, and of a bar that goes on the footprint of the cells so far plus the new ones is that of all.
"""

from typing import Any, NamedTuple

import numpy as np

from orderflow.flow.bars import Bars
from orderflow.flow.cells import Cells
from orderflow.flow.levels import prices
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos

_TIE = 1e-9  # of the most volume at a level: what sums of the same amounts may be off


class Footprint(NamedTuple):
    """Bars with their cells: those of row i are the rows `first[i]` to `first[i + 1]` of `cells`, from below.

    `poc`, `max_delta_price` and `min_delta_price` are prices of levels, `poc_volume`, `max_delta` and
    `min_delta` base units.
    """

    step: float
    bars: Bars
    cells: Cells
    first: Index
    poc: Column
    poc_volume: Column
    max_delta_price: Column
    max_delta: Column
    min_delta_price: Column
    min_delta: Column
    unfinished_high: Mask
    unfinished_low: Mask

    @property
    def price(self) -> Column:
        """The lower edge of each cell's level."""
        return prices(self.cells.level, self.step)

    @property
    def levels(self) -> Index:
        """How many levels of each bar were traded."""
        return np.diff(self.first)

    def of(self, row: int) -> Cells:
        """Return the cells of one bar, by its row."""
        return self.cells.rows(slice(int(self.first[row]), int(self.first[row + 1])))

    def rebinned(self, step: float) -> "Footprint":
        """Return the footprint at a wider step, a multiple of this one, with everything computed anew."""
        times = round(step / self.step) if step > 0 else 0
        if times < 1 or abs(times * self.step - step) > _WHOLE * self.step:
            raise InvalidArgument(
                f"steps of {self.step:g} make no step of {step:g}", hint=f"a multiple of {self.step:g}"
            )
        return footprint(self.cells.coarser(levels=times), self.bars, step)

    def rows(self, begin: int, end: int) -> "Footprint":
        """Return the bars of the rows [begin, end)."""
        inside = slice(int(self.first[begin]), int(self.first[max(begin, end)]))
        columns: list[Any] = [column[begin:end] for column in self[4:]]
        first = self.first[begin : max(begin, end) + 1] - self.first[begin]
        return Footprint(
            self.step, self.bars.rows(slice(begin, end)), self.cells.rows(inside), first, *columns
        )

    def page(self, since: Nanos, most_bars: int, most_levels: int) -> "Page":
        """Return the bars from a time on, as many as are allowed, and when the first of the rest begins.

        One bar is given whatever its levels, and bars that begin at the same instant stay together, or the
        next page, which is asked for by time, would lack some or repeat them. Who pages through a long
        range computes it page by page, from `next` on.
        """
        if most_bars < 1 or most_levels < 1:
            raise InvalidArgument(
                "a page has no room for a bar", hint="most_bars and most_levels of 1 or more"
            )
        start, rows = self.bars.start, len(self.bars.start)
        begin = int(np.searchsorted(start, since))
        if begin == rows:
            return Page(self.rows(rows, rows), None)
        room = int(np.searchsorted(self.first, self.first[begin] + most_levels, "right")) - 1
        end = max(begin + 1, min(rows, begin + most_bars, room))
        if end < rows and start[end] == start[end - 1]:
            before = int(np.searchsorted(start, start[end]))
            end = before if before > begin else int(np.searchsorted(start, start[end], "right"))
        return Page(self.rows(begin, end), int(start[end]) if end < rows else None)

    def top(self, most: int) -> "Top":
        """Return each bar's levels with the most volume, and how many were left out and what they hold.

        Ties are decided as for the POC, which always stays.
        """
        if most < 1:
            raise InvalidArgument(f"{most} levels of a bar show nothing", hint="1 or more")
        bar = np.repeat(np.arange(len(self.levels)), self.levels)
        volume, poc = self.cells.volume, _best(self, self.cells.volume)
        volume[poc[poc >= 0]] = np.inf
        order = np.lexsort((self.cells.level, _off_middle(self), -volume, bar))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order)) - np.repeat(self.first[:-1], self.levels)
        kept = rank < most
        dropped = np.maximum(self.levels - most, 0)
        lost, lost_quote = (
            np.bincount(bar, weights=np.where(kept, 0.0, amount), minlength=len(dropped)).astype(np.float64)
            for amount in (self.cells.volume, self.cells.quote)
        )
        first = np.concatenate(([0], np.cumsum(self.levels - dropped)))
        return Top(self.cells.rows(kept), first, dropped, lost, lost_quote)


class Page(NamedTuple):
    footprint: Footprint
    next: Nanos | None


class Top(NamedTuple):
    """The cells that are shown, those of row i from `first[i]` to `first[i + 1]`, and per bar what is not."""

    cells: Cells
    first: Index
    dropped: Index
    dropped_volume: Column
    dropped_quote: Column


_WHOLE = 1e-6  # of a step: how near a multiple is one


def footprint(cells: Cells, bars: Bars, step: float) -> Footprint:
    """Return the footprint of cells and of the bars of the same trades; `step` is that of the cells' levels.

    >>> from orderflow.flow.bars import bars
    >>> from orderflow.flow.cells import cells
    >>> bar, price = np.array([0, 0, 0]), np.array([70.0, 71.0, 71.0])
    >>> size, is_buy = np.array([1.0, 2.0, 4.0]), np.array([False, False, True])
    >>> found = footprint(cells(bar, np.array([70, 71, 71]), size, price, is_buy),
    ...                   bars(bar, np.array([5, 6, 7]), price, size, is_buy), 1.0)
    >>> found.poc.tolist(), found.unfinished_high.tolist(), found.unfinished_low.tolist()
    ([71.0], [True], [False])
    """
    begin, end = np.searchsorted(cells.bar, bars.bar), np.searchsorted(cells.bar, bars.bar, "right")
    if int(np.sum(end - begin)) != len(cells.bar):
        raise InvalidArgument("cells of bars that are not given", hint="the bars of the same trades")
    none, no = np.full(len(begin), np.nan), np.zeros(len(begin), dtype=np.bool_)
    bare = Footprint(
        step, bars, cells, np.append(begin, len(cells.bar)), none, none, none, none, none, none, no, no
    )
    if not len(cells.bar):
        return bare
    poc, most, least = _best(bare, cells.volume), _best(bare, cells.delta), _best(bare, -cells.delta)
    return bare._replace(
        poc=_told(poc, bare.price), poc_volume=_told(poc, cells.volume),
        max_delta_price=_told(most, bare.price), max_delta=_told(most, cells.delta),
        min_delta_price=_told(least, bare.price), min_delta=_told(least, cells.delta),
        unfinished_high=_both(bare, bare.first[1:] - 1), unfinished_low=_both(bare, bare.first[:-1]),
    )  # fmt: skip


# ── Of each bar ───────────────────────────────────────────────────────────────────────────────


def _best(of: Footprint, value: Column) -> Index:
    """Return the row of each bar's highest value, ties decided; -1 where there is none or it is unknown."""
    found = np.full(len(of.levels), -1)
    traded = np.flatnonzero(of.levels > 0)
    first, rows = of.first[traded], of.levels[traded]
    slack = _TIE * np.maximum.reduceat(of.cells.volume, first)
    highest = value >= np.repeat(np.maximum.reduceat(value, first) - slack, rows)
    off = np.where(highest, _off_middle(of), np.iinfo(np.int64).max)
    highest &= off == np.repeat(np.minimum.reduceat(off, first), rows)
    chosen = np.append(np.flatnonzero(highest), len(value))
    row = chosen[np.searchsorted(chosen, first)]
    found[traded] = np.where(row < first + rows, row, -1)
    return found


def _off_middle(of: Footprint) -> Index:
    """Return how far each cell's level is from the middle of its bar's, in half levels."""
    traded = np.flatnonzero(of.levels > 0)
    level, first, rows = of.cells.level, of.first[traded], of.levels[traded]
    return np.abs(2 * level - np.repeat(level[first] + level[first + rows - 1], rows))


def _told(row: Index, column: Column) -> Column:
    return np.where(row >= 0, column[row], np.nan)


def _both(of: Footprint, row: Index) -> Mask:
    """Return whether both sides traded at a row of each bar."""
    there = np.minimum(row, len(of.cells.bar) - 1)
    return (of.levels > 0) & (of.cells.buy[there] > 0) & (of.cells.sell[there] > 0)

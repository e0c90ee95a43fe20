"""Market profile: in which periods of a session each price was traded, one TPO for a period and a price.

Steidlmayer's (Steidlmayer and Koy, "Markets and Market Logic", 1986; CBOT's handbooks since 1984), in the
words of Dalton, Jones and Dalton, "Mind over Markets" (1990). Periods are counted from the session's begin
and have letters: A to Z, a to z, then A2 and so on. Rows are prices at multiples of `step`. POC and value
area are those of `value_area`, by time (the number of TPOs) or by what was traded.

Two sources, and each profile says which: `prints`, where a row is a TPO of a period only if something was
traded in it; `ranges`, where every row between a period's low and high is one, as on charts made of bars. Of
ranges there is no volume by price: None.

A row between others in which nothing was traded has 0 TPOs. A profile of nothing has no rows and no POC. A
session under way shows what it has been so far: its last period, and so all that is counted, may change.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from orderflow.flow.cells import Cells
from orderflow.flow.levels import decimals, levels, prices
from orderflow.flow.profile import MOST_BINS, Profile, profile
from orderflow.flow.value_area import ROWS, SHARE, Poc, ValueArea, poc, value_area
from orderflow.market.columns import Column, Index
from orderflow.market.errors import InvalidArgument

Source: TypeAlias = Literal["prints", "ranges"]
By: TypeAlias = Literal["time", "base", "quote"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def letter(number: int) -> str:
    """Return the letter of a period by its number in its session, from 0.

    >>> [letter(one) for one in (0, 25, 26, 51, 52)]
    ['A', 'Z', 'a', 'z', 'A2']
    """
    turn, place = divmod(number, len(LETTERS))
    return LETTERS[place] + (str(turn + 1) if turn else "")


class MarketProfile(NamedTuple):
    """A session by period and price, or several put together.

    `cells` has one row for each TPO: its bar is the period, its level the row. `number` says which period of
    its session each one is; `low` and `high` are each period's, NaN where nothing was traded: exact prices
    where the cells came by the tick, else the lower edges of their levels.
    """

    step: float
    cells: Cells
    number: Index
    low: Column
    high: Column
    source: Source = "prints"

    @property
    def first(self) -> int:
        """The number of the lowest row, counted from price 0."""
        return int(self.cells.level.min()) if len(self.cells.level) else 0

    @property
    def tpos(self) -> Index:
        """How many periods each row was traded in, lowest row first."""
        return np.bincount(self.cells.level - self.first)

    @property
    def letters(self) -> list[str]:
        """The letters of the periods that each row was traded in, lowest row first."""
        rows = [""] * len(self.tpos)
        first, names = self.first, [letter(one) for one in self.number.tolist()]
        for period, level in zip(self.cells.bar.tolist(), self.cells.level.tolist(), strict=True):
            rows[level - first] += names[period]
        return rows

    @property
    def volume(self) -> Profile | None:
        return profile(self.cells, self.step) if self.source == "prints" else None

    def amount(self, by: By = "time") -> Column | None:
        """Return what there is of each row: its TPOs, or what was traded in it."""
        if by == "time":
            return self.tpos.astype(np.float64)
        traded = self.volume
        return None if traded is None else traded._replace(by=by).amount

    def poc(self, by: By = "time") -> Poc | None:
        amount = self.amount(by)
        return None if amount is None else poc(amount, self.first, self.step)

    def value_area(self, share: float = SHARE, rows: int = ROWS, by: By = "time") -> ValueArea | None:
        amount = self.amount(by)
        return None if amount is None else value_area(amount, self.first, self.step, share, rows)

    def plus(self, other: "MarketProfile") -> "MarketProfile":
        """Return the profile of both: what is live and what is stored of one session, each trade in one."""
        _alike(self, other)
        number = max(self.number, other.number, key=len)
        for one in (self, other):
            if not np.array_equal(one.number, number[: len(one.number)]):
                raise InvalidArgument("these profiles are of different periods", hint="merge them instead")
        low = np.fmin(_longer(self.low, len(number)), _longer(other.low, len(number)))
        high = np.fmax(_longer(self.high, len(number)), _longer(other.high, len(number)))
        if self.source == "ranges":  # a period's range also spans what lies between those of its parts
            return _of_ranges(low, high, self.step, number)
        return self._replace(cells=self.cells.plus(other.cells), number=number, low=low, high=high)

    def split(self, at: Sequence[int]) -> "list[MarketProfile]":
        """Return the profiles of the periods before, between and from these on, counted from 0."""
        edges = [0, *sorted({one for one in at if 0 < one < len(self.number)}), len(self.number)]
        return [self._part(begin, end) for begin, end in pairwise(edges)]

    def _part(self, begin: int, end: int) -> "MarketProfile":
        part = self.cells.between(begin, end)
        return self._replace(
            cells=part._replace(bar=part.bar - begin),
            number=self.number[begin:end],
            low=self.low[begin:end],
            high=self.high[begin:end],
        )


def market_profile(cells: Cells, step: float, bars: int = 1, rows: int = 1, first: int = 0) -> MarketProfile:
    """Return the profile of what was traded: `bars` of the cells are a period, `rows` of their levels a row.

    The session begins with bar `first`.

    >>> from orderflow.flow.cells import cells
    >>> size = np.ones(4)
    >>> prints = cells(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 8]), size, size, size > 0)
    >>> market_profile(prints, step=1.0).letters
    ['A', 'AB', '', 'C']
    """
    if bars < 1 or rows < 1:
        raise InvalidArgument(
            f"no profile has periods of {bars} bars and rows of {rows} levels", hint="1 or more of each"
        )
    if len(cells.bar) and int(cells.bar[0]) < first:
        raise InvalidArgument(
            f"cells of bar {cells.bar[0]}, and the session begins with {first}", hint="cells.between"
        )
    fine = cells._replace(bar=cells.bar - first)
    fine = fine.coarser(bars) if bars > 1 else fine
    begins = np.flatnonzero(np.diff(fine.bar, prepend=-1))
    ends = np.append(begins, len(fine.bar))[1:] - 1
    periods = fine.bar[begins]
    low, high = np.full((2, int(periods[-1]) + 1 if len(periods) else 0), np.nan)
    low[periods], high[periods] = prices(fine.level[begins], step), prices(fine.level[ends], step)
    found = fine.coarser(1, rows) if rows > 1 else fine
    _bounded(found.level)
    number = np.arange(len(low), dtype=np.int64)
    return MarketProfile(round(step * rows, decimals(step)), found, number, low, high)


def market_profile_of_ranges(period: Index, low: Column, high: Column, step: float) -> MarketProfile:
    """Return the profile of bars' ranges; `period` numbers each bar's period from 0, in any order.

    >>> low, high = np.array([5.0, 6.5, 6.0]), np.array([5.5, 7.0, 6.0])
    >>> market_profile_of_ranges(np.array([0, 0, 1]), low, high, step=1.0).letters
    ['A', 'AB', 'A']
    """
    periods = int(period.max()) + 1 if len(period) else 0
    lowest, highest = np.full((2, periods), np.nan)
    np.fmin.at(lowest, period, low)
    np.fmax.at(highest, period, high)
    return _of_ranges(lowest, highest, step, np.arange(periods, dtype=np.int64))


def merged(profiles: Sequence[MarketProfile]) -> MarketProfile:
    """Return the composite of sessions, or of parts of one, in their order; each keeps its letters.

    A period of one and a period of another are two TPOs, also where they have the same letter.
    """
    if not profiles:
        raise InvalidArgument("no profile to merge", hint="one or more")
    for one in profiles[1:]:
        _alike(profiles[0], one)
    begins = np.cumsum([0, *(len(one.number) for one in profiles)])
    moved = [
        one.cells._replace(bar=one.cells.bar + begin)
        for one, begin in zip(profiles, begins[:-1].tolist(), strict=True)
    ]
    columns: list[Any] = [np.concatenate(column) for column in zip(*moved, strict=True)]
    return profiles[0]._replace(
        cells=Cells(*columns),  # in order already, and no cell twice: each has periods of its own
        number=np.concatenate([one.number for one in profiles]),
        low=np.concatenate([one.low for one in profiles]),
        high=np.concatenate([one.high for one in profiles]),
    )


def _of_ranges(low: Column, high: Column, step: float, number: Index) -> MarketProfile:
    traded = np.flatnonzero(~np.isnan(low) & ~np.isnan(high))
    bottom, top = levels(low[traded], step), levels(high[traded], step)
    _bounded(np.append(bottom, top))
    rows = top - bottom + 1
    bar = np.repeat(traded, rows)
    level = np.arange(len(bar)) - np.repeat(np.cumsum(rows) - rows - bottom, rows)
    unknown, none = np.full(len(bar), np.nan), np.zeros(len(bar), dtype=np.int64)
    cells = Cells(bar, level, unknown, unknown, unknown, unknown, none)
    return MarketProfile(step, cells, number, low, high, "ranges")


def _bounded(level: Index) -> None:
    if len(level) and (rows := int(level.max()) - int(level.min()) + 1) > MOST_BINS:
        raise InvalidArgument(f"{rows:,} rows are more than {MOST_BINS:,}", hint="a wider step")


def _alike(one: MarketProfile, other: MarketProfile) -> None:
    if one.step != other.step or one.source != other.source:
        raise InvalidArgument(
            f"a profile of {one.source} by {one.step:g} and one of {other.source} by {other.step:g}",
            hint="the same source and step",
        )


def _longer(column: Column, length: int) -> Column:
    return np.append(column, np.full(length - len(column), np.nan))

"""Cells: what was traded in each bar at each level, by the taker's side.

The one aggregate from which footprint, profile, market profile, VWAP, delta and imbalance follow: whoever
has the cells of every minute needs no trade again. A cell is there only where something was traded. A size
that is unknown (NaN) makes its side of its cell unknown, and no other.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from orderflow.market.columns import Column, Index, Mask


class Cells(NamedTuple):
    """One row a cell, by bar, then by level; no pair of them twice.

    `buy` and `sell` are base units, `buy_quote` and `sell_quote` quote units, `trades` counts both sides.
    """

    bar: Index
    level: Index
    buy: Column
    sell: Column
    buy_quote: Column
    sell_quote: Column
    trades: Index

    @property
    def volume(self) -> Column:
        return self.buy + self.sell

    @property
    def quote(self) -> Column:
        return self.buy_quote + self.sell_quote

    @property
    def delta(self) -> Column:
        return self.buy - self.sell

    @property
    def delta_quote(self) -> Column:
        return self.buy_quote - self.sell_quote

    def plus(self, other: "Cells") -> "Cells":
        """Return the cells of both: what is live and what is stored, each trade in one of them."""
        both: list[Any] = [np.concatenate(pair) for pair in zip(self, other, strict=True)]
        return _summed(Cells(*both))

    def coarser(self, bars: int = 1, levels: int = 1) -> "Cells":
        """Return the cells of longer bars and wider levels: so many of these to one of those.

        Bars and levels are counted from number 0, so those of other zeros are moved there before.
        """
        return _summed(Cells(self.bar // bars, self.level // levels, *self[2:]))

    def between(self, first: int, last: int) -> "Cells":
        """Return the cells of the bars [first, last)."""
        begin, end = np.searchsorted(self.bar, (first, last))
        return self.rows(slice(int(begin), int(end)))

    def rows(self, chosen: slice | Index | Mask) -> "Cells":
        """Return some of the rows, in the order in which they are chosen."""
        picked: list[Any] = [column[chosen] for column in self]
        return Cells(*picked)

    def together(self) -> "Cells":
        """Return the cells of all bars as those of one, number 0: the profile of the whole."""
        return _summed(Cells(np.zeros_like(self.bar), *self[1:]))


def cells(
    bar: Index, level: Index, size: Column, price: Column, is_buy: Mask, count: Index | None = None
) -> Cells:
    """Sum trades into cells; `bar` numbers each trade's bar, `count` is how many trades a row stands for.

    Quickest where bars come one after the other; in any order the result is the same.

    >>> found = cells(np.array([0, 0, 0]), np.array([7, 7, 8]), np.array([1.0, 2.0, 4.0]),
    ...               np.array([70.0, 70.0, 80.0]), np.array([True, False, True]))
    >>> found.level.tolist(), found.delta.tolist(), found.trades.tolist()
    ([7, 8], [-1.0, 4.0], [2, 1])
    """
    if (order := _order(bar)) is not None:
        bar, level, size, price, is_buy = bar[order], level[order], size[order], price[order], is_buy[order]
        count = count if count is None else count[order]
    return _joined(
        [
            _traded(
                bar[at], level[at], size[at], price[at], is_buy[at], count if count is None else count[at]
            )
            for at in _blocks(bar)
        ]
    )


def no_cells() -> Cells:
    whole, part = np.empty(0, dtype=np.int64), np.empty(0)
    return Cells(whole, whole, part, part, part, part, whole)


# ── Sums by bar and level ─────────────────────────────────────────────────────────────────────
# A block of whole bars at a time, so that its keys and sums stay in the processor's cache. Rows are added
# in the order in which they came, so that sums are the same each time.

_BLOCK = 1 << 17  # rows
_DENSE = 4  # keys a row, up to which a table of all keys is quicker than sorting the rows


def _traded(
    bar: Index, level: Index, size: Column, price: Column, is_buy: Mask, count: Index | None
) -> Cells:
    table = _table(bar, level)
    key, wide = table.key * 2 + is_buy, 2 * len(table.bar)
    rows = np.bincount(key, minlength=wide).reshape(-1, 2).sum(axis=1)
    base = _added(key, size, wide).reshape(-1, 2)
    quote = _added(key, size * price, wide).reshape(-1, 2)
    trades = rows if count is None else _counted(table, count)
    (there,) = np.nonzero(rows)
    return Cells(
        table.bar[there], table.level[there], base[there, 1], base[there, 0], quote[there, 1], quote[there, 0],
        trades[there],
    )  # fmt: skip


def _summed(parts: Cells) -> Cells:
    if (order := _order(parts.bar)) is not None:
        parts = parts.rows(order)
    return _joined([_merged(parts.rows(at)) for at in _blocks(parts.bar)])


def _merged(parts: Cells) -> Cells:
    table = _table(parts.bar, parts.level)
    (there,) = np.nonzero(np.bincount(table.key, minlength=len(table.bar)))
    buy, sell, buy_quote, sell_quote = (
        _added(table.key, amount, len(table.bar))[there]
        for amount in (parts.buy, parts.sell, parts.buy_quote, parts.sell_quote)
    )
    trades = _counted(table, parts.trades)[there]
    return Cells(table.bar[there], table.level[there], buy, sell, buy_quote, sell_quote, trades)


class _Table(NamedTuple):
    """The cell of each row as a number, and the bar and the level of each such number, in their order."""

    key: Index
    bar: Index
    level: Index


def _table(bar: Index, level: Index) -> _Table:
    """Number all levels between each bar's lowest and highest; only those traded, where these are few."""
    first = _firsts(bar)
    rows = np.diff(first, append=len(bar))
    lowest = np.minimum.reduceat(level, first)
    width = np.maximum.reduceat(level, first) - lowest + 1
    if float(width.sum(dtype=np.float64)) > _DENSE * len(bar):
        return _sorted(bar, level)
    end = np.cumsum(width)
    shift = end - width - lowest
    numbers = np.arange(end[-1], dtype=np.int64)
    return _Table(
        level + np.repeat(shift, rows), np.repeat(bar[first], width), numbers - np.repeat(shift, width)
    )


def _sorted(bar: Index, level: Index) -> _Table:
    order = np.lexsort((level, bar))
    bar, level = bar[order], level[order]
    new = np.concatenate(([True], (bar[1:] != bar[:-1]) | (level[1:] != level[:-1])))
    key = np.empty_like(order)
    key[order] = np.cumsum(new) - 1
    return _Table(key, bar[new], level[new])


def _added(key: Index, amount: Column | Index, wide: int) -> Column:
    return np.bincount(key, weights=amount, minlength=wide).astype(np.float64, copy=False)


def _counted(table: _Table, count: Index) -> Index:
    return np.rint(_added(table.key, count, len(table.bar))).astype(np.int64)


def _order(bar: Index) -> Index | None:
    """Return the order in which bars ascend, and None where they do already."""
    return np.argsort(bar, kind="stable") if np.any(bar[1:] < bar[:-1]) else None


def _firsts(bar: Index) -> Index:
    return np.flatnonzero(np.concatenate(([True], bar[1:] != bar[:-1])))


def _blocks(bar: Index) -> list[slice]:
    if not len(bar):
        return []
    first = np.append(_firsts(bar), len(bar))
    wanted = np.searchsorted(first, np.arange(0, len(bar) + _BLOCK, _BLOCK))
    cuts = np.unique(first[np.minimum(wanted, len(first) - 1)])
    return [slice(begin, end) for begin, end in pairwise(cuts.tolist())]


def _joined(parts: list[Cells]) -> Cells:
    if len(parts) < 2:
        return parts[0] if parts else no_cells()
    columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Cells(*columns)

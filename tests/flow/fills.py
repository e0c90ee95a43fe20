"""Trades made up for the tests of flow: eighths and quarters, so that sums are the same in any order."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from orderflow.flow.bars import Bars, bars
from orderflow.flow.cells import Cells, cells
from orderflow.flow.levels import levels
from orderflow.market.columns import Column, Index, Mask

STEP = 0.25


class Fills(NamedTuple):
    """Trades in the order in which they happened; several may share an instant."""

    time: Index
    price: Column
    size: Column
    is_buy: Mask

    def part(self, begin: int, end: int) -> "Fills":
        return self.rows(slice(begin, end))

    def rows(self, chosen: slice | Index | Mask) -> "Fills":
        return Fills(self.time[chosen], self.price[chosen], self.size[chosen], self.is_buy[chosen])

    def bars(self, bar: Index) -> Bars:
        return bars(bar, self.time, self.price, self.size, self.is_buy)

    def cells(self, bar: Index, step: float = STEP) -> Cells:
        return cells(bar, levels(self.price, step), self.size, self.price, self.is_buy)

    def every(self, length: int) -> Index:
        """The number of the bar of each, so long."""
        return self.time // length


def fills(*rows: tuple[int, float, float]) -> Fills:
    """Trades written as (time, price, size): a size below 0 was sold by the taker."""
    time, price, size = zip(*rows, strict=True) if rows else ((), (), ())
    signed = np.array(size, dtype=np.float64)
    return Fills(
        np.array(time, dtype=np.int64), np.array(price, dtype=np.float64), np.abs(signed), signed > 0
    )


@st.composite
def some_fills(draw: Any, least: int = 0, most: int = 60, spread: int = 8) -> Fills:
    """Trades within `spread` quarters around 100, up to 20 ns apart.

    Their number is drawn and the rest follows from a seed: as many rows as asked for, not the few that lists
    of rows tend to have. Often they share instants, prices or sizes.
    """
    rows = draw(st.integers(least, most))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    wide, apart, sizes = (draw(st.sampled_from(few)) for few in ((1, 3, spread), (1, 20), (2, 40)))
    return Fills(
        np.cumsum(chance.integers(0, apart, rows, endpoint=True)),
        100.0 + STEP * chance.integers(-wide, wide, rows, endpoint=True).astype(np.float64),
        chance.integers(1, sizes, rows, endpoint=True) / 8,
        chance.random(rows) < chance.random(),
    )


def same(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    """Two results are the same to the last bit, unknown values too."""
    assert type(one) is type(other)
    for name, left, right in zip(getattr(one, "_fields", range(len(one))), one, other, strict=True):
        if isinstance(left, tuple):
            same(left, right)
        elif isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right, err_msg=str(name), strict=True)
        else:
            assert left == right, name

"""Trades as hypothesis draws them: at whole ticks, in order of time, with sizes that binary cannot say."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from orderflow.flow.cells import Cells, cells
from orderflow.flow.levels import levels, prices
from orderflow.market.columns import Column, Index, Mask

TICK = 0.1


class Prints(NamedTuple):
    time: Index
    price: Column
    size: Column
    is_buy: Mask

    def cells(self, length: int = 10) -> Cells:
        return cells(self.time // length, levels(self.price, TICK), self.size, self.price, self.is_buy)

    def rows(self, begin: int, end: int) -> "Prints":
        part = slice(begin, end)
        return Prints(self.time[part], self.price[part], self.size[part], self.is_buy[part])


@st.composite
def prints(draw: Any, least: int = 1, most: int = 60, spread: int = 25) -> Prints:
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 99),
                st.integers(600_000, 600_000 + spread),
                st.integers(1, 5_000),
                st.booleans(),
            ),
            min_size=least,
            max_size=most,
        )
    )
    rows.sort(key=lambda row: row[0])
    time, tick, size, is_buy = (np.array([row[at] for row in rows]) for at in range(4))
    return Prints(
        time.astype(np.int64), prices(tick.astype(np.int64), TICK), size / 1_000, is_buy.astype(np.bool_)
    )

"""A made-up market for tests over all of flow: trades, liquidations and books, and how it stood at any time."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from orderflow.flow import bars as trade_bars
from orderflow.flow import swings
from orderflow.flow.books import Books, books
from orderflow.flow.books import Prints as BookPrints
from orderflow.flow.cells import Cells
from orderflow.flow.icebergs import BookTop
from orderflow.market.columns import Column, Index
from tests.flow.fills import STEP, Fills

END, LENGTH = 600, 20  # when it ends, and the length of its bars
LEVELS = 5


@dataclass(frozen=True)
class Market:
    """What happened until `end`; sizes in eighths and prices in quarters, so that sums do not round."""

    fills: Fills
    books: Books
    end: int = END

    def until(self, now: int) -> "Market":
        """Return what there was at a time: all that came before it."""
        return replace(
            self,
            fills=self.fills.rows(self.fills.time < now),
            books=self.books.between(0, now),
            end=now,
        )

    @property
    def closed(self) -> int:
        """How many bars have closed."""
        return self.end // LENGTH

    @property
    def bars(self) -> trade_bars.Bars:
        """The bars that have closed, empty ones too."""
        traded = self.fills.bars(self.fills.every(LENGTH))
        return traded.between(0, self.closed).on_grid(LENGTH, 0, 0, self.closed)

    @property
    def cells(self) -> Cells:
        return self.fills.cells(self.fills.every(LENGTH)).between(0, self.closed)

    @property
    def swing_bars(self) -> swings.Bars:
        of = self.bars
        return swings.Bars(of.start, LENGTH, of.high, of.low, of.close)

    @property
    def top(self) -> BookTop:
        of = self.books
        return BookTop(of.time, of.bid_price[:, 0], of.bid_size[:, 0], of.ask_price[:, 0], of.ask_size[:, 0])

    @property
    def prints(self) -> BookPrints:
        return BookPrints(*self.fills)


def market(seed: int, trades: int, snapshots: int) -> Market:
    random = np.random.default_rng(seed)
    price = 100 + STEP * np.cumsum(random.integers(-2, 3, trades)).astype(np.float64)
    made = Fills(
        np.sort(random.integers(0, END, trades)),
        price,
        random.integers(1, 30, trades) / 8,
        random.random(trades) < 0.5,
    )
    return Market(made, _books(random, snapshots))


def _books(random: np.random.Generator, count: int) -> Books:
    time: Index = np.sort(random.choice(END, count, replace=False))
    mid = np.cumsum(random.integers(-1, 2, count))
    away = np.cumsum(random.integers(1, 3, (2, count, LEVELS)), axis=2)

    def prices(ticks: Index) -> Column:
        return 100 + STEP * ticks.astype(np.float64)

    size = random.integers(1, 9, (2, count, LEVELS)) / 8
    size[random.random(size.shape) < 0.1] *= 40  # walls
    return books(time, prices(mid[:, None] - away[0]), size[0], prices(mid[:, None] + away[1] - 1), size[1])


@st.composite
def markets(draw: st.DrawFn) -> Market:
    seed = draw(st.integers(0, 2**32 - 1))
    return market(seed, draw(st.integers(0, 150)), draw(st.integers(0, 60)))

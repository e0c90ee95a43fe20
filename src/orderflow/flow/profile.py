"""Volume profile: what was traded at each price in a span of time, by the taker's side.

Made of cells, so each trade counts once, and exactly: no trade is spread over a bar's range. A bin is one or
more levels, and lies at multiples of its width from price 0. Every bin from the lowest to the highest in
which something was traded is there; those between without a trade are 0.

Amounts are base and quote units; which of the two decides the POC and the value area is `by`. A size that is
not known makes its bin NaN, and then there is no POC. Profiles are added by adding their cells.
"""

import math
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from orderflow.flow.cells import Cells
from orderflow.flow.levels import decimals, prices
from orderflow.flow.value_area import ROWS, SHARE, Poc, ValueArea, poc, value_area
from orderflow.market.columns import TOLERANCE, Column, Index
from orderflow.market.errors import InvalidArgument

Amount: TypeAlias = Literal["base", "quote"]

MOST_BINS = 1_000_000  # in one profile: beyond, one misprint of a fine tick would fill the memory


class Profile(NamedTuple):
    """One row a bin, lowest first; `first` is the number of the lowest, `width` is in quote units."""

    width: float
    first: int
    buy: Column
    sell: Column
    buy_quote: Column
    sell_quote: Column
    trades: Index
    by: Amount = "base"

    @property
    def number(self) -> Index:
        return np.arange(self.first, self.first + len(self.trades), dtype=np.int64)

    @property
    def low(self) -> Column:
        return prices(self.number, self.width)

    @property
    def high(self) -> Column:
        return prices(self.number + 1, self.width)

    @property
    def centre(self) -> Column:
        return np.round((self.number + 0.5) * np.float64(self.width), decimals(self.width) + 1)

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

    @property
    def amount(self) -> Column:
        """What POC and value area go by."""
        return self.volume if self.by == "base" else self.quote

    @property
    def poc(self) -> Poc | None:
        return poc(self.amount, self.first, self.width)

    def value_area(self, share: float = SHARE, rows: int = ROWS) -> ValueArea | None:
        return value_area(self.amount, self.first, self.width, share, rows)


def profile(cells: Cells, step: float, levels: int = 1, by: Amount = "base") -> Profile:
    """Return the profile of all the cells together; `levels` of `step` each are one bin.

    >>> from orderflow.flow.cells import cells
    >>> traded = cells(np.array([0, 0, 1]), np.array([10, 12, 10]), np.array([1.0, 2.0, 4.0]),
    ...                np.array([5.0, 6.0, 5.0]), np.array([True, True, False]))
    >>> found = profile(traded, step=0.5)
    >>> found.low.tolist(), found.volume.tolist(), found.delta.tolist()
    ([5.0, 5.5, 6.0], [5.0, 0.0, 2.0], [-3.0, 0.0, 2.0])
    """
    if levels < 1:
        raise InvalidArgument(f"{levels} levels are no bin", hint="1 or more")
    width = round(step * levels, decimals(step))
    if not len(cells.level):
        part = np.empty(0)
        return Profile(width, 0, part, part, part, part, np.empty(0, dtype=np.int64), by)
    number = cells.level // levels if levels > 1 else cells.level
    first = int(number.min())
    bins = int(number.max()) - first + 1
    if bins > MOST_BINS:
        raise InvalidArgument(f"{bins:,} bins are more than {MOST_BINS:,}", hint="a wider bin")
    place = number - first
    sums: list[Any] = [np.bincount(place, one, bins) for one in cells[2:]]
    return Profile(width, first, sums[0], sums[1], sums[2], sums[3], np.rint(sums[4]).astype(np.int64), by)


def levels_in(width: float, step: float) -> int:
    """Return how many levels a bin of this width has. Raises `InvalidArgument` where they do not fit.

    >>> levels_in(70.0, 0.1)
    700
    """
    found = round(width / step) if step > 0 and 0 < width < math.inf else 0
    if found < 1 or abs(width / step - found) > TOLERANCE * found:
        raise InvalidArgument(f"a bin of {width:g} is no multiple of {step:g}", hint="a multiple of the tick")
    return found

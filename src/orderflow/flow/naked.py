"""Naked POCs: points of control of past days at whose price nothing has been traded since.

Also called virgin POCs (Dalton, Dalton and Jones, "Markets in Profile", 2007). A POC is known at the end of
its day, and is touched by the first trade, or bar, after it whose prices meet those of its bin: the bin's low
counts as within, its high does not. A jump across it without a trade in it leaves it naked.

Bars are given by when they begin and by their range, trades as bars whose low is their high. A bar that began
before the day's end tells nothing of what came after, and is not asked.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from orderflow.flow.value_area import Bin
from orderflow.market.columns import Column, Index
from orderflow.market.events import Nanos


class PastPoc(NamedTuple):
    """The POC of a day that ended at `until`, and whether it has been touched.

    `touched` is when the bar began that touched it (or the trade's time), `known` when that bar closed.
    """

    bin: Bin
    until: Nanos
    touched: Nanos | None = None
    known: Nanos | None = None

    @property
    def naked(self) -> bool:
        return self.touched is None


def touched(
    pocs: Sequence[PastPoc], time: Index, low: Column, high: Column, length: Nanos = 0
) -> list[PastPoc]:
    """Return the POCs with what these bars of `length`, oldest first, did to those that were naked.

    Give the result again with the bars that follow, and it goes on.

    >>> from orderflow.flow.value_area import bin_at
    >>> days = [PastPoc(bin_at(10, 1.0), until=100), PastPoc(bin_at(20, 1.0), until=100)]
    >>> bars = np.array([90, 100, 110]), np.array([10.0, 12.0, 10.5]), np.array([11.0, 14.0, 13.0])
    >>> [one.touched for one in touched(days, *bars, length=10)]
    [110, None]
    """
    return [_touched(one, time, low, high, length) if one.naked else one for one in pocs]


def _touched(poc: PastPoc, time: Index, low: Column, high: Column, length: Nanos) -> PastPoc:
    after = int(np.searchsorted(time, poc.until))
    met = (low[after:] < poc.bin.high) & (high[after:] >= poc.bin.low)
    if not met.any():
        return poc
    begin = int(time[after + int(np.argmax(met))])
    return poc._replace(touched=begin, known=begin + length)

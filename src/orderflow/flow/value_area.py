"""Point of control and value area: the price at which most was done, and the prices around it that hold 70 %.

After CBOT's Market Profile: Steidlmayer and Koy, "Markets and Market Logic" (1986); the rule of two rows is
that of Dalton, Jones and Dalton, "Mind over Markets" (1990), appendix. Here of any column of amounts by
price, lowest bin first, empty bins in it as 0: volumes in base or quote units, or counts of TPOs.

POC   The bin with the most. Of equal ones the nearest to the middle of the range, then the lower; `tied`.
Area  Begins with the POC. The next two bins above are weighed against the next two below (one where no more
      are left, none where the range ends), and the heavier pair is taken whole, until the area holds its
      share. Of equal pairs the one on the side that reaches less far from the POC, then the upper: published
      rules say the upper, which would cross a wide gap above before it looked at what lies just below.

Amounts that differ by less than `SAME` of the whole are equal, so that the order of sums decides nothing.
Of an empty column, of one without volume, and of one with an unknown amount in it there is no POC: None.
"""

import math
from typing import NamedTuple

import numpy as np

from orderflow.flow.levels import decimals
from orderflow.market.columns import Column, Index
from orderflow.market.errors import InvalidArgument

SHARE = 0.7  # of the whole; CBOT's, for one standard deviation
ROWS = 2  # bins weighed and taken at a time
SAME = 1e-9  # of the whole


class Bin(NamedTuple):
    """The prices [low, high) of one bin; it is bin `number` counted from price 0."""

    number: int
    low: float
    centre: float
    high: float


class Poc(NamedTuple):
    """The bin with the most; `share` is its part of the whole, `tied` that another one has as much."""

    bin: Bin
    amount: float
    share: float
    tied: bool


class ValueArea(NamedTuple):
    """From the bin of VAL to that of VAH, both included; `share` is what it holds, not what was asked."""

    poc: Poc
    val: Bin
    vah: Bin
    amount: float
    share: float


def bin_at(number: int, width: float) -> Bin:
    """Return a bin by its number, its prices rounded to the decimals of its width.

    >>> bin_at(859, 70.0)
    Bin(number=859, low=60130.0, centre=60165.0, high=60200.0)
    """
    places = decimals(width)
    low, high = round(number * width, places), round((number + 1) * width, places)
    return Bin(number, low, round((number + 0.5) * width, places + 1), high)


def poc(amount: Column | Index, first: int = 0, width: float = 1.0) -> Poc | None:
    """Return the point of control; `first` is the number of the lowest bin.

    >>> poc(np.array([5.0, 1.0, 5.0, 0.0, 1.0]), first=100, width=0.5)
    Poc(bin=Bin(number=102, low=51.0, centre=51.25, high=51.5), amount=5.0, share=0.4166666666666667, tied=True)
    """
    whole = float(amount.sum())
    if not (whole > 0 and math.isfinite(whole)):
        return None
    place, tied = _most(amount, whole)
    held = float(amount[place])
    return Poc(bin_at(first + place, width), held, held / whole, tied)


def value_area(
    amount: Column | Index, first: int = 0, width: float = 1.0, share: float = SHARE, rows: int = ROWS
) -> ValueArea | None:
    """Return the value area; `rows` bins at a time, 2 by CBOT's rule, 1 by that of some charts.

    >>> found = value_area(np.array([1.0, 2.0, 3.0, 10.0, 4.0, 2.0, 1.0]))
    >>> found.val.number, found.vah.number, round(found.share, 3)
    (1, 5, 0.913)
    """
    if not 0 < share <= 1:
        raise InvalidArgument(f"a value area cannot hold {share:g} of the whole", hint="0.7 is 70 %")
    if rows < 1:
        raise InvalidArgument(f"{rows} bins at a time are no step", hint="2, or 1")
    control = poc(amount, first, width)
    if control is None:
        return None
    low, high = _grown(amount.astype(np.float64).tolist(), control.bin.number - first, share, rows)
    whole, held = float(amount.sum()), float(amount[low : high + 1].sum())
    return ValueArea(control, bin_at(first + low, width), bin_at(first + high, width), held, held / whole)


def _most(amount: Column | Index, whole: float) -> tuple[int, bool]:
    most = np.flatnonzero(amount >= amount.max() - SAME * whole)
    away = np.abs(2 * most - (len(amount) - 1))  # from the middle, in half bins
    return int(most[np.argmin(away)]), len(most) > 1


def _grown(amount: list[float], control: int, share: float, rows: int) -> tuple[int, int]:
    """Return the places of the area's lowest and highest bin."""
    whole, last = sum(amount), len(amount) - 1
    same = SAME * whole
    low = high = control
    held = amount[control]
    while held < share * whole - same and (low > 0 or high < last):
        above, below = sum(amount[high + 1 : high + 1 + rows]), sum(amount[max(low - rows, 0) : low])
        nearer_above = high - control <= control - low
        if low == 0 or (high < last and (above - below > same or (above >= below - same and nearer_above))):
            high, held = min(high + rows, last), held + above
        else:
            low, held = max(low - rows, 0), held + below
    return low, high

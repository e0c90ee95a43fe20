"""Filling: what an order of a size pays as it walks down one side of a book."""

from collections.abc import Sequence
from math import nan

import msgspec

_BPS = 1e4


class Filled(msgspec.Struct, frozen=True):
    """What a walk gives: base units that could be filled, their mean price, and whether the levels ran out."""

    size: float
    average: float
    exhausted: bool


def walk(levels: Sequence[tuple[float, float]], value: float) -> Filled:
    """Spend `value` quote units on (price, size) levels, best first.

    `exhausted` says that the levels bear less than that; the mean price of nothing is NaN.

    >>> walk([(100.0, 1.0), (110.0, 1.0)], 155.0)
    Filled(size=1.5, average=103.33333333333333, exhausted=False)
    """
    size = spent = 0.0
    for price, offered in levels:
        taken = min(offered, (value - spent) / price)
        size, spent = size + taken, spent + taken * price
        if spent >= value * (1 - 1e-12):
            return Filled(size, spent / size, False)
    return Filled(size, spent / size if size else nan, True)


def slippage_bps(touch: float, average: float) -> float:
    """Return how far a mean price lies from the touch, in bps of the touch, always as a cost.

    >>> round(slippage_bps(100.0, 101.0), 6)
    100.0
    """
    return abs(average - touch) / touch * _BPS


def settlements(now: int, until: int, first: int, every: int) -> int:
    """Count the settlements in (now, until] of a contract that settles at `first` and then `every` so often.

    >>> settlements(0, 24, 8, 8), settlements(0, 7, 8, 8)
    (3, 0)
    """
    while first <= now:
        first += every
    return 0 if until < first else (until - first) // every + 1

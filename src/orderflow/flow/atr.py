"""ATR: how far price moves in a bar, gaps included. Wilder, New Concepts in Technical Trading Systems, 1978.

The true range is the larger of the bar's range and of what it went from the last close; the average is
Wilder's: the mean of the first `period` true ranges, then (ATR × (period − 1) + TR) / period. The first bar has
no close before it, so no true range; the average is unknown up to bar `period`, and after an unknown bar
until as many known ones have come again.
"""

import math

import numpy as np

from orderflow.market.columns import Column
from orderflow.market.errors import InvalidArgument

PERIOD = 14  # Wilder's


def true_range(high: Column, low: Column, close: Column) -> Column:
    """Return the true range of each bar, in quote units; NaN for the first and beside unknown bars.

    >>> true_range(np.array([10.0, 12.0, 9.0]), np.array([9.0, 11.0, 8.0]), np.array([9.5, 11.5, 8.5])).tolist()
    [nan, 2.5, 3.5]
    """
    return _ranges(high, low, close, math.nan)


def atr(high: Column, low: Column, close: Column, period: int = PERIOD) -> Column:
    """Return the average true range known at the close of each bar, in quote units.

    >>> atr(np.array([10.0, 12.0, 9.0]), np.array([9.0, 11.0, 8.0]), np.array([9.5, 11.5, 8.5]), 2).tolist()
    [nan, nan, 3.0]
    """
    return RunningAtr(period).take(high, low, close)


class RunningAtr:
    """The average true range so far: bars in however many calls give what they give in one."""

    def __init__(self, period: int = PERIOD) -> None:
        if period < 1:
            raise InvalidArgument(f"an average over {period} bars", hint="1 bar or more")
        self._period = period
        self._known, self._total = 0, 0.0  # true ranges in the average, and their sum or what stands for it
        self._close = math.nan  # of the last bar

    def take(self, high: Column, low: Column, close: Column) -> Column:
        """Return the average known at the close of each of these bars, which come after all before."""
        found: list[float] = []
        for one in _ranges(high, low, close, self._close).tolist():
            if math.isnan(one):
                self._known, self._total = 0, 0.0
            elif self._known < self._period:
                self._known, self._total = self._known + 1, self._total + one
            else:
                self._total += one - self._total / self._period
            found.append(self._total / self._period if self._known == self._period else math.nan)
        if len(close):
            self._close = float(close[-1])
        return np.array(found, dtype=np.float64)


def _ranges(high: Column, low: Column, close: Column, last: float) -> Column:
    """Return true ranges, `last` the close before them."""
    before = np.append(np.full(min(len(close), 1), last), close[:-1])
    return np.maximum(high, before) - np.minimum(low, before)

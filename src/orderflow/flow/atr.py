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
    before = np.append(np.full(min(len(close), 1), np.nan), close[:-1])
    return np.maximum(high, before) - np.minimum(low, before)


def atr(high: Column, low: Column, close: Column, period: int = PERIOD) -> Column:
    """Return the average true range known at the close of each bar, in quote units.

    >>> atr(np.array([10.0, 12.0, 9.0]), np.array([9.0, 11.0, 8.0]), np.array([9.5, 11.5, 8.5]), 2).tolist()
    [nan, nan, 3.0]
    """
    if period < 1:
        raise InvalidArgument(f"an average over {period} bars", hint="1 bar or more")
    found: list[float] = []
    known, total = 0, 0.0
    for one in true_range(high, low, close).tolist():
        if math.isnan(one):
            known, total = 0, 0.0
        elif known < period:
            known, total = known + 1, total + one
        else:
            total += one - total / period
        found.append(total / period if known == period else math.nan)
    return np.array(found, dtype=np.float64)

"""Levels: prices as whole numbers of steps, so that equal prices are equal and neighbours are neighbours.

A level is `floor(price / step)`; it spans [level × step, (level + 1) × step). The step is the tick, or any
multiple of it. A price within `TOLERANCE` of a step below the next level belongs to that one: 0.3 / 0.1 is
2.999… in binary and level 3 to everyone who trades.
"""

import math

import numpy as np

from orderflow.market.columns import TOLERANCE, Column, Index
from orderflow.market.errors import InvalidArgument

_BLOCK = 1 << 16  # prices at a time, so that what is between stays in the processor's cache


def levels(price: Column, step: float) -> Index:
    """Return the level of each price, of any shape. Raises `InvalidArgument` for a step, or a price, that is none.

    >>> levels(np.array([0.3, 0.35, 0.4]), 0.1).tolist()
    [3, 3, 4]
    """
    if not (step > 0 and math.isfinite(step)):
        raise InvalidArgument(f"{step} is no step of prices", hint="a positive number: the tick, or more")
    flat = price.reshape(-1)
    found = np.empty(len(flat), dtype=np.int64)
    for begin in range(0, len(flat), _BLOCK):
        number = np.floor(flat[begin : begin + _BLOCK] / step + TOLERANCE)
        if not np.isfinite(number).all():
            raise InvalidArgument(
                "a price that is unknown lies at no level", hint="leave out rows without one"
            )
        found[begin : begin + _BLOCK] = number
    return found.reshape(price.shape)


def prices(level: Index, step: float) -> Column:
    """Return the lower edge of each level, rounded to the decimals of its step.

    >>> prices(np.array([3, 4]), 0.1).tolist()
    [0.3, 0.4]
    """
    return np.round(level * np.float64(step), decimals(step))


def decimals(step: float) -> int:
    """Return how many decimals a step is written with, 12 at most.

    >>> decimals(0.1), decimals(0.00025), decimals(70.0)
    (1, 5, 0)
    """
    for places in range(12):
        if abs(round(step, places) - step) <= abs(step) * TOLERANCE:
            return places
    return 12

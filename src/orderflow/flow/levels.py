"""Levels: prices as whole numbers of steps, so that equal prices are equal and neighbours are neighbours.

A level is `floor(price / step)`; it spans [level × step, (level + 1) × step). The step is the tick, or any
multiple of it. A price within `TOLERANCE` of a step below the next level belongs to that one: 0.3 / 0.1 is
2.999… in binary and level 3 to everyone who trades.
"""

import math
from collections.abc import Iterator

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


# ── A legible step ────────────────────────────────────────────────────────────────────────────

_NICE = (1.0, 2.0, 2.5, 5.0)
_FLAT = 1e-4  # of a price: the range that one without a range is taken for


def round_step(low: float, high: float, tick: float | None, most: int) -> float:
    """Return a round step of which at most so many lie between low and high, a multiple of the tick.

    >>> round_step(60_000, 60_400, 0.1, 9), round_step(0, 3, 1.0, 9), round_step(0, 40, 7.0, 3)
    (50.0, 1.0, 14.0)
    """
    least = (high - low if high > low else abs(high) * _FLAT or _FLAT) / max(1, most)
    if tick is not None:
        least = max(least, tick)
    power = math.floor(math.log10(least))
    for exponent in (power, power + 1):
        for nice in _NICE:
            step = float(f"{nice}e{exponent}")
            if step >= least * (1 - TOLERANCE) and (tick is None or _multiple(step, tick)):
                return step
    if tick is None:
        return 10.0 ** (power + 1)
    return next(count for count in _counts() if count * tick >= least * (1 - TOLERANCE)) * tick


def _multiple(step: float, tick: float) -> bool:
    return abs(step / tick - round(step / tick)) < TOLERANCE * max(1.0, step / tick)


def _counts() -> Iterator[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10

"""Runs: a matrix over time made small for transport: rounded, and each value once with how often it repeats.

Resting sizes change little from one interval to the next, and less after rounding to significant digits.
"""

from typing import NamedTuple

import numpy as np

from orderflow.market.columns import Column, Index
from orderflow.market.errors import InvalidArgument

DIGITS = 2  # significant digits of a size that is sent: 5 % off at worst, finer than a colour


class Runs(NamedTuple):
    """A matrix for transport: bin after bin, each over time, as so many times (`length`) the same `value`."""

    intervals: int
    bins: int
    length: Index
    value: Column


def runs(size: Column, digits: int = DIGITS) -> Runs:
    """Return a matrix of (interval, bin), rounded to significant digits, as runs; NaN is a value like others.

    >>> found = runs(np.array([[1.04, 0.0], [0.96, 0.0], [np.nan, 0.0]]), digits=1)
    >>> found.length.tolist(), found.value.tolist()
    ([2, 1, 3], [1.0, nan, 0.0])
    """
    flat = rounded(size, digits).T.ravel()
    same = (flat[1:] == flat[:-1]) | (np.isnan(flat[1:]) & np.isnan(flat[:-1]))
    begin = np.append(np.zeros(min(len(flat), 1), dtype=np.int64), np.flatnonzero(~same) + 1)
    return Runs(size.shape[0], size.shape[1], np.diff(np.append(begin, len(flat))), flat[begin])


def unrolled(found: Runs) -> Column:
    """Return the matrix of (interval, bin) that runs stand for."""
    return np.repeat(found.value, found.length).reshape(found.bins, found.intervals).T


def rounded(size: Column, digits: int = DIGITS) -> Column:
    """Return sizes rounded to so many significant digits; 0 and NaN stay.

    >>> rounded(np.array([0.01234, 5678.0, 0.0, np.nan])).tolist()
    [0.012, 5700.0, 0.0, nan]
    """
    if digits < 1:
        raise InvalidArgument(f"{digits} significant digits", hint="1 or more")
    some = np.isfinite(size) & (size > 0)
    places = digits - 1 - np.floor(np.log10(np.where(some, size, 1.0)))
    up, down = 10.0 ** np.maximum(places, 0), 10.0 ** np.maximum(-places, 0)
    return np.where(some, np.round(size * up / down) * down / up, size)

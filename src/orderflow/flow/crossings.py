"""Crossings: the first bar, from some bar on, whose value goes beyond a level; for any number of levels at once.

A walk over a tree of maxima: the time is that of the levels times the logarithm of the bars, however long a
level stands.
"""

import numpy as np

from orderflow.market.columns import Column, Index

NEVER = -1  # the bar of what has not happened


def first_above(value: Column, start: Index, level: Column) -> Index:
    """Return for each level the first bar >= `start` whose value is above it, or `NEVER`.

    A value of NaN is above nothing, and nothing is above a level of NaN.

    >>> first_above(np.array([1.0, 3.0, 2.0, 5.0]), np.array([0, 2, 0]), np.array([2.0, 2.0, 9.0])).tolist()
    [1, 3, -1]
    """
    tree = _maxima(value)
    top = len(tree) - 1
    at = start.astype(np.int64)
    found = np.full(len(at), NEVER)  # the height of the block in which the first one is
    # Up: `at` begins a block of each height at which the look is due; the odd ones end where a larger begins.
    for height in range(top + 1):
        number = at >> height
        due = (found == NEVER) & (number < len(tree[height])) & (((number & 1) == 1) | (height == top))
        above = due & (tree[height][np.where(due, number, 0)] > level)
        found[above] = height
        at = np.where(due & ~above, at + (1 << height), at)
    # Down: to the left wherever the left half has one.
    for height in range(top, 0, -1):
        inside = found >= height
        left = np.where(inside, (at >> height) << 1, 0)
        right = inside & ~(tree[height - 1][left] > level)
        at = np.where(right, at + (1 << (height - 1)), at)
    return np.where(found == NEVER, NEVER, at)


def first_reaching(value: Column, start: Index, level: Column) -> Index:
    """Return for each level the first bar >= `start` whose value is it or above it, or `NEVER`."""
    return first_above(value, start, np.nextafter(level, -np.inf))


def first_below(value: Column, start: Index, level: Column) -> Index:
    """Return for each level the first bar >= `start` whose value is below it, or `NEVER`."""
    return first_above(-value, start, -level)


def _maxima(value: Column) -> list[Column]:
    """Return the maxima of blocks of 1, 2, 4… bars, the last of them of all."""
    size = 1 << max(len(value) - 1, 0).bit_length()
    leaves = np.full(size, -np.inf)
    leaves[: len(value)] = np.where(np.isnan(value), -np.inf, value)
    tree = [leaves]
    while len(tree[-1]) > 1:
        tree.append(np.maximum(tree[-1][::2], tree[-1][1::2]))
    return tree

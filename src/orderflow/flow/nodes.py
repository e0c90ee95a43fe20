"""High- and low-volume nodes: the prices at which a profile has its hills, and the valleys between them.

There is no standard; this is ours. The profile is smoothed by a moving mean with triangular weights that
reaches `smoothing` bins to either side, outside of the traded range taken as 0. A high-volume node is a local
maximum that stands out: on the way from it to any higher bin, or to the outside, the smoothed profile falls by
at least `prominence` of its highest value (topographic prominence, as scipy.signal.find_peaks measures it). A
low-volume node is the lowest bin between two neighbouring high-volume nodes. So they alternate, and both ends
are high. Where several bins in a row are equal the node is their middle one, the lower of two.

A profile without volume, or with an unknown size in it, has no nodes.
"""

import math
from typing import Literal, NamedTuple

import numpy as np

from orderflow.flow.profile import Profile
from orderflow.flow.value_area import SAME, Bin, bin_at
from orderflow.market.columns import Column
from orderflow.market.errors import InvalidArgument

SMOOTHING = 2  # bins to either side
PROMINENCE = 0.1  # of the highest value


class Node(NamedTuple):
    """A hill (`high`) or valley (`low`); `amount` is its bin's own, `smoothed` what it was judged by."""

    kind: Literal["high", "low"]
    bin: Bin
    amount: float
    smoothed: float


def nodes(of: Profile, smoothing: int = SMOOTHING, prominence: float = PROMINENCE) -> list[Node]:
    """Return the nodes of a profile, lowest price first: high, low, high and so on.

    >>> from orderflow.flow.cells import cells
    >>> from orderflow.flow.profile import profile
    >>> size = np.array([1.0, 6.0, 2.0, 1.0, 7.0, 1.0])
    >>> traded = cells(np.zeros(6, dtype=np.int64), np.arange(6), size, size, size > 0)
    >>> [(one.kind, one.bin.low) for one in nodes(profile(traded, step=1.0), smoothing=0)]
    [('high', 1.0), ('low', 3.0), ('high', 4.0)]
    """
    if smoothing < 0 or not 0 < prominence <= 1:
        raise InvalidArgument(
            f"nodes cannot be told with smoothing {smoothing} and prominence {prominence:g}",
            hint="smoothing 0 or more bins, prominence above 0 and up to 1",
        )
    amount = of.amount
    whole = float(amount.sum())
    if not (whole > 0 and math.isfinite(whole)):
        return []
    smooth = smoothed(amount, smoothing)
    same = SAME * float(smooth.max())
    found: list[Node] = []
    for place, kind in _turns(smooth.tolist(), prominence * float(smooth.max()) - same):
        middle = _middle(smooth, place, same)
        bin = bin_at(of.first + middle, of.width)
        found.append(Node(kind, bin, float(amount[middle]), float(smooth[middle])))
    return found


def smoothed(amount: Column, reach: int) -> Column:
    """Return the moving mean with triangular weights that reach so many bins to either side.

    >>> smoothed(np.array([0.0, 4.0, 0.0]), 1).tolist()
    [1.0, 2.0, 1.0]
    """
    weights = np.array([reach + 1.0 - abs(away) for away in range(-reach, reach + 1)])
    whole: Column = np.convolve(amount, weights / weights.sum()).astype(np.float64)
    return whole[reach : reach + len(amount)]


def _turns(height: list[float], least: float) -> list[tuple[int, Literal["high", "low"]]]:
    """Return the places where it turns for good: by `least` up and down in turn, from 0 and back to 0."""
    turns: list[tuple[int, Literal["high", "low"]]] = []
    place, rising = 0, True
    for at, here in enumerate([*height, 0.0]):
        best = height[place]
        if rising and here <= best - least:
            turns.append((place, "high"))
            place, rising = at, False
        elif not rising and here >= best + least:
            turns.append((place, "low"))
            place, rising = at, True
        elif (here > best) if rising else (here < best):
            place = at
    return turns


def _middle(height: Column, place: int, same: float) -> int:
    """Return the middle of the bins in a row that are as high as the one at `place`, the first of them."""
    last = place
    while last + 1 < len(height) and abs(height[last + 1] - height[place]) <= same:
        last += 1
    return (place + last) // 2

"""Random books for the tests: snapshots in whole ticks, sizes in eighths, so that sums do not round."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from orderflow.flow.books import Books, books
from orderflow.market.columns import Column, Index

TICK = 0.5
LEVELS = 5


class Snapshot(NamedTuple):
    """A whole book at a time: sizes by price in ticks."""

    time: int
    bids: dict[int, float]
    asks: dict[int, float]


@st.composite
def snapshots(draw: st.DrawFn, most: int = 8, last: int = 60, *, both_sides: bool = False) -> list[Snapshot]:
    times = sorted(draw(st.lists(st.integers(0, last), max_size=most, unique=True)))
    least = 1 if both_sides else 0
    found: list[Snapshot] = []
    for time in times:
        mid = draw(st.integers(400, 412))
        sides = [
            draw(st.dictionaries(st.integers(1, 9), st.integers(1, 64), min_size=least, max_size=LEVELS))
            for _ in range(2)
        ]
        bids = {mid - away: size / 8 for away, size in sides[0].items()}
        asks = {mid + away - 1: size / 8 for away, size in sides[1].items()}
        found.append(Snapshot(time, bids, asks))
    return found


def columns(snapshots: list[Snapshot], levels: int = LEVELS, *, complete: bool = False) -> Books:
    """Return the best levels of snapshots as columns."""
    time: Index = np.array([one.time for one in snapshots], dtype=np.int64)
    bids = [sorted(one.bids.items(), reverse=True)[:levels] for one in snapshots]
    asks = [sorted(one.asks.items())[:levels] for one in snapshots]
    return books(time, *_side(bids, levels), *_side(asks, levels), complete=complete)


def _side(sides: list[list[tuple[int, float]]], levels: int) -> tuple[Column, Column]:
    price, size = np.full((len(sides), levels), np.nan), np.full((len(sides), levels), np.nan)
    for row, side in enumerate(sides):
        for level, (ticks, resting) in enumerate(side):
            price[row, level], size[row, level] = ticks * TICK, resting
    return price, size

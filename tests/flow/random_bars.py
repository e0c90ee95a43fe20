"""Random bars for the tests: prices in whole ticks, so that equal highs are frequent."""

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from orderflow.flow.swings import Bars

LENGTH = 60


def bars(*prices: tuple[float, float, float]) -> Bars:
    """Return bars of these highs, lows and closes, each 60 long, the first from 0."""
    high, low, close = np.array(prices, dtype=np.float64).reshape(-1, 3).T
    return Bars(np.arange(len(high), dtype=np.int64) * LENGTH, LENGTH, high, low, close)


def lines(*prices: float) -> Bars:
    """Return bars without a range."""
    return bars(*((one, one, one) for one in prices))


def first(found: Bars, count: int) -> Bars:
    return found.closed_by(count * LENGTH)


def after(found: Bars, count: int) -> Bars:
    return found.rows(slice(count, None))


def pieces(found: Bars, cuts: list[int]) -> list[Bars]:
    """Return bars as they may come to who watches: in pieces, some of them empty."""
    edges = [0, *sorted(min(one, len(found.time)) for one in cuts), len(found.time)]
    return [found.rows(slice(*pair)) for pair in pairwise(edges)]


CUTS = st.lists(st.integers(0, 60), max_size=6)


@st.composite
def walks(draw: st.DrawFn, most: int = 60, *, unknown: bool = False) -> Bars:
    count = draw(st.integers(0, most))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    middle = 200 + np.cumsum(random.integers(-2, 3, count))
    high, low = middle + random.integers(0, 3, count), middle - random.integers(0, 3, count)
    close = random.integers(low, high + 1)
    found = bars(*zip(high.tolist(), low.tolist(), close.tolist(), strict=True))
    if unknown:
        lost = np.where(random.random(count) < 0.05, np.nan, 0.0)
        found = found._replace(high=found.high + lost, low=found.low + lost, close=found.close + lost)
    return found

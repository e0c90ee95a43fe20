"""Random bars for the tests: prices in whole ticks, so that equal highs are frequent."""

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
    return Bars(found.time[count:], found.length, found.high[count:], found.low[count:], found.close[count:])


@st.composite
def walks(draw: st.DrawFn, most: int = 60) -> Bars:
    count = draw(st.integers(0, most))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    middle = 200 + np.cumsum(random.integers(-2, 3, count))
    high, low = middle + random.integers(0, 3, count), middle - random.integers(0, 3, count)
    close = random.integers(low, high + 1)
    return bars(*zip(high.tolist(), low.tolist(), close.tolist(), strict=True))

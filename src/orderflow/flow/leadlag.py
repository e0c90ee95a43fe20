"""Lead and lag: how the returns of one market follow those of another.

Sources: the lead-lag ratio after Huth and Abergel, "High frequency lead/lag relationships: empirical facts",
Journal of Empirical Finance 26 (2014); correlations on a grid of equal steps, where each step holds the last
price known at its end.
"""

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST_RETURNS = 30  # of a correlation: fewer say nothing


class LeadLag(msgspec.Struct, frozen=True):
    """Correlations of two markets at each lag, in steps: at +2 the first is two steps ahead of the second.

    `best` is the lag of the largest correlation in absolute value; `ratio` is the sum of squares at positive lags
    over that at negative ones: above 1 the first leads. None where too few returns are known.
    """

    lags: tuple[int, ...]
    correlations: tuple[float | None, ...]
    best: int | None
    correlation: float | None
    ratio: float | None
    returns: int


def sampled(times: npt.NDArray[np.int64], prices: Floats, begin: int, step: int, count: int) -> Floats:
    """Return the last price known at the end of each of `count` steps from `begin`; NaN before the first.

    `times` ascend, in the unit of `begin` and `step`. Nothing later than a step's end is in it.

    >>> sampled(np.array([0, 25]), np.array([1.0, 2.0]), 0, 10, 3).tolist()
    [1.0, 1.0, 2.0]
    """
    ends = begin + step * np.arange(1, count + 1)
    at = np.searchsorted(times, ends, side="left") - 1
    found = np.where(at >= 0, prices[np.maximum(at, 0)], np.nan) if len(prices) else np.full(count, np.nan)
    return found.astype(np.float64)


def lead_lag(first: Floats, second: Floats, most: int) -> LeadLag:
    """Correlate the returns of two series of prices on one grid, at lags of -most to most steps."""
    a, b = np.diff(np.log(first)), np.diff(np.log(second))
    lags = tuple(range(-most, most + 1))
    found = [_correlation(a, b, lag) for lag in lags]
    known = [(abs(one), lag, one) for one, lag in zip(found, lags, strict=True) if one is not None]
    both = int(np.sum(np.isfinite(a) & np.isfinite(b)))
    if not known:
        return LeadLag(lags, tuple(found), None, None, None, both)
    # of equal ones the lag next to none, so that two markets that move as one have no leader
    _, best, correlation = max(known, key=lambda one: (one[0], -abs(one[1])))
    ahead = sum(one * one for one, lag in zip(found, lags, strict=True) if one is not None and lag > 0)
    behind = sum(one * one for one, lag in zip(found, lags, strict=True) if one is not None and lag < 0)
    return LeadLag(lags, tuple(found), best, correlation, ahead / behind if behind else None, both)


def _correlation(a: Floats, b: Floats, lag: int) -> float | None:
    """Return the correlation of a(t) with b(t + lag); None of too few returns, or where one never moved."""
    if abs(lag) >= len(a):
        return None
    left = a[: len(a) - lag] if lag >= 0 else a[-lag:]
    right = b[lag:] if lag >= 0 else b[: len(b) + lag]
    known = np.isfinite(left) & np.isfinite(right)
    left, right = left[known], right[known]
    if len(left) < LEAST_RETURNS:
        return None
    left, right = left - left.mean(), right - right.mean()
    scale = float(np.sqrt(np.dot(left, left) * np.dot(right, right)))
    return float(np.dot(left, right)) / scale if scale > 0 else None

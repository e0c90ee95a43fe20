"""Black-76: what an option on a future is worth at a volatility, and how that changes.

    d1 = (ln(F / K) + σ² T / 2) / (σ √T)    d2 = d1 - σ √T
    call = F N(d1) - K N(d2)                put = K N(-d2) - F N(-d1)

Fischer Black, "The Pricing of Commodity Contracts", Journal of Financial Economics 3 (1976), without interest:
the forward F is the price of the future that an option's venue names as its underlying, and what is paid at
expiry is not discounted. T counts years of 365 days, as venues of crypto options do.

Units of the greeks are those in which venues tell them: delta for one coin, gamma for one unit of quote, vega
for one point of volatility (0.01), theta for one day, rho for one point of interest (0.01), all in quote
units. What is not known, or has expired, is NaN.
"""

import math
from typing import NamedTuple

import numpy as np

from orderflow.market.columns import Column, Index, Mask
from orderflow.market.events import DAY, Nanos

DAYS_A_YEAR = 365
_POINT = 0.01


class Greeks(NamedTuple):
    """The value of options and its slopes, a row each."""

    value: Column
    delta: Column
    gamma: Column
    vega: Column
    theta: Column
    rho: Column


def years_to(expiry: Index, now: Nanos) -> Column:
    """Return the years that are left; NaN from expiry on.

    >>> years_to(np.array([365 * DAY, 0]), 0).tolist()
    [1.0, nan]
    """
    left = (expiry - now) / (DAYS_A_YEAR * DAY)
    return np.where(left > 0, left, np.nan)


def greeks(forward: Column, strike: Column, years: Column, iv: Column, is_call: Mask) -> Greeks:
    """Return the greeks of European options; `iv` is a fraction a year.

    >>> one = np.ones(1)
    >>> found = greeks(100 * one, 100 * one, one, 0.2 * one, np.array([True]))
    >>> [round(float(one[0]), 4) for one in found[:4]]
    [7.9656, 0.5398, 0.0198, 0.397]
    """
    forward, strike, iv = (np.where(one > 0, one, np.nan) for one in (forward, strike, iv))
    first, root = _d1(forward, strike, years, iv)
    sign = np.where(is_call, 1.0, -1.0)
    value = sign * (forward * _normal(sign * first) - strike * _normal(sign * (first - root)))
    vega = forward * _density(first) * np.sqrt(years)
    return Greeks(
        value=value,
        delta=sign * _normal(sign * first),
        gamma=_density(first) / (forward * root),
        vega=vega * _POINT,
        theta=-vega * iv / (2 * years) / DAYS_A_YEAR,
        rho=-value * years * _POINT,
    )


def gamma(forward: Column, strike: Column, years: Column, iv: Column) -> Column:
    """Return gamma alone, the same for calls and puts; shapes are broadcast."""
    first, root = _d1(forward, strike, years, iv)
    return _density(first) / (forward * root)


def _d1(forward: Column, strike: Column, years: Column, iv: Column) -> tuple[Column, Column]:
    root = iv * np.sqrt(years)
    return np.log(forward / strike) / root + root / 2, root


def _density(x: Column) -> Column:
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _normal(x: Column) -> Column:
    """Return the share of a normal distribution that lies below."""
    scaled = (x / math.sqrt(2)).tolist()
    return np.array([(1 + math.erf(one)) / 2 for one in scaled], dtype=np.float64)

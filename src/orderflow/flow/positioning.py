"""Positioning: what the open interest of options says: ratios, where most is open, gamma, pain.

    gamma exposure = ± Γ × open interest × F² × 0.01

is what dealers must trade, in quote units, to stay hedged when the price moves by 1 %: Γ of Black-76 for one coin
and one unit of quote, open interest in coins. Nobody publishes whose the positions are: the sign is an
assumption. The usual one has dealers long the calls that customers sold and short the puts that customers bought,
so that calls count + and puts -. Where the sum is positive dealers sell into rises and buy into falls.

The zero-gamma level is the price at which that sum would be nil: each forward moves with the price, each option
keeps its volatility (sticky strike), and time stands still.

Max pain is the strike at which, were it the price at expiry, the holders of all options together would be paid
least: Σ calls × max(P - K, 0) + Σ puts × max(K - P, 0). It is an arithmetic of what is open and no forecast.

Open interest that is not known counts in no sum.
"""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from orderflow.flow.black76 import gamma, years_to
from orderflow.flow.options import Chain
from orderflow.market.columns import Column
from orderflow.market.events import Nanos

Dealers: TypeAlias = Literal["long_calls", "long_puts", "long_all", "short_all"]

_SIGNS: dict[Dealers, tuple[float, float]] = {  # of calls, of puts
    "long_calls": (1.0, -1.0),
    "long_puts": (-1.0, 1.0),
    "long_all": (1.0, 1.0),
    "short_all": (-1.0, -1.0),
}
_PER_PERCENT = 0.01
REACH = 0.5  # how far from the price a level is looked for
_STEPS = 400  # on either side


class Strikes(NamedTuple):
    """What is open by strike, rising: sizes in base units, exposures in quote units for a move of 1 %."""

    strike: Column
    calls: Column
    puts: Column
    gamma: Column  # signed, both together; what cannot be priced counts nothing


class Pain(NamedTuple):
    """Max pain: the strike, and what would be paid there in quote units. Of equals it is the lowest."""

    strike: float
    payout: float
    equals: int  # strikes with that payout


def put_call_ratio(size: Column, chain: Chain) -> float | None:
    """Return puts over calls, of open interest or of volume; None where no call is known.

    >>> nothing = np.full(2, np.nan)
    >>> two = Chain(np.zeros(2, int), nothing, np.array([True, False]), *[nothing] * 4)
    >>> put_call_ratio(np.array([4.0, 3.0]), two)
    0.75
    """
    calls, puts = float(np.nansum(size[chain.is_call])), float(np.nansum(size[~chain.is_call]))
    return puts / calls if calls > 0 else None


def gamma_exposure(chain: Chain, now: Nanos, dealers: Dealers = "long_calls") -> Column:
    """Return what each option adds to the dealers' gamma, in quote units for a move of 1 %; NaN if unknown."""
    years = years_to(chain.expiry, now)
    each = gamma(_positive(chain.forward), _positive(chain.strike), years, _positive(chain.iv))
    return _sign(chain, dealers) * each * chain.open_interest * chain.forward**2 * _PER_PERCENT


def zero_gamma(chain: Chain, now: Nanos, price: float, dealers: Dealers = "long_calls") -> float | None:
    """Return the price nearest to `price` at which the dealers' gamma is nil; None within 50 % on both sides."""
    years = years_to(chain.expiry, now)
    known = np.isfinite(years + chain.open_interest) & (chain.forward > 0) & (chain.iv > 0)
    chain, years = chain.rows(known), years[known]
    if not len(years):
        return None
    moved = 1 + REACH * np.arange(-_STEPS, _STEPS + 1) / _STEPS
    forward = chain.forward * moved[:, np.newaxis]
    each = gamma(forward, chain.strike, years, chain.iv) * chain.open_interest * forward**2
    total = (each * _sign(chain, dealers)).sum(axis=1)
    before, after = total[:-1], total[1:]
    crossing = np.flatnonzero((before * after < 0) | ((before == 0) & (after != 0)))
    if not len(crossing):
        return None
    share = before[crossing] / (before[crossing] - after[crossing])
    levels = price * (moved[crossing] + share * (moved[crossing + 1] - moved[crossing]))
    return float(levels[np.argmin(np.abs(levels - price))])


def by_strike(chain: Chain, exposure: Column) -> Strikes:
    """Return what is open at each strike, of all the expiries that are handed over."""
    strikes, place = np.unique(chain.strike, return_inverse=True)
    size = np.nan_to_num(chain.open_interest)

    def summed(amounts: Column) -> Column:
        return np.bincount(place, amounts, len(strikes)).astype(np.float64)

    calls, puts = summed(np.where(chain.is_call, size, 0.0)), summed(np.where(chain.is_call, 0.0, size))
    return Strikes(strikes, calls, puts, summed(np.nan_to_num(exposure)))


def max_pain(chain: Chain) -> Pain | None:
    """Return the max pain of options of one expiry; None where nothing is open."""
    size = np.nan_to_num(chain.open_interest)
    if not size.sum() > 0:
        return None
    strikes = np.unique(chain.strike)
    away = strikes[:, np.newaxis] - chain.strike
    paid = np.maximum(np.where(chain.is_call, away, -away), 0.0)
    payouts = (paid * size).sum(axis=1)
    least = float(payouts.min())
    equals = np.flatnonzero(np.isclose(payouts, least, rtol=1e-12, atol=0.0))
    return Pain(float(strikes[equals[0]]), least, len(equals))


def _sign(chain: Chain, dealers: Dealers) -> Column:
    call, put = _SIGNS[dealers]
    return np.where(chain.is_call, call, put)


def _positive(column: Column) -> Column:
    return np.where(column > 0, column, np.nan)

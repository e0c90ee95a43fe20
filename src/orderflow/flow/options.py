"""Options: the smile of implied volatility of each expiry, its skew, and how it goes on in time.

Of one expiry the volatilities at its strikes are a curve, of which three points have names:

    ATM   at the forward: between the strikes on both sides, linear in ln(K / F); of the option that is out of the
          money at each strike (a put below the forward, a call above), whose price tells most of volatility
    25Δ   where a call's delta is 0.25, or a put's -0.25: between the options on both sides, linear in delta
    10Δ   the same at 0.10

    risk reversal = σ(call) - σ(put)       butterfly = (σ(call) + σ(put)) / 2 - σ(ATM)

as markets quote them (Reiswich and Wystup, "A Guide to FX Options Quoting Conventions", Journal of Derivatives
18, 2010); deltas are those of Black-76 on the forward. Nothing is read beyond the outermost strike: None there.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from orderflow.flow.black76 import greeks, years_to
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.events import Nanos

DELTAS = (0.25, 0.10)


class Chain(NamedTuple):
    """An option chain, a row an option; unknown is NaN. Volatilities are fractions a year, sizes base units."""

    expiry: Index  # ns UTC
    strike: Column  # quote units
    is_call: Mask
    forward: Column  # of its expiry, in quote units
    iv: Column  # at the mark
    open_interest: Column
    volume: Column  # of 24 hours

    def rows(self, chosen: Mask) -> "Chain":
        return Chain(
            self.expiry[chosen],
            self.strike[chosen],
            self.is_call[chosen],
            self.forward[chosen],
            self.iv[chosen],
            self.open_interest[chosen],
            self.volume[chosen],
        )


class Smile(NamedTuple):
    """The volatilities of one expiry at the points that have names."""

    expiry: Nanos
    years: float
    forward: float | None
    options: int  # with a volatility
    atm: float | None
    call_25: float | None
    put_25: float | None
    call_10: float | None
    put_10: float | None

    @property
    def risk_reversal_25(self) -> float | None:
        return _difference(self.call_25, self.put_25)

    @property
    def risk_reversal_10(self) -> float | None:
        return _difference(self.call_10, self.put_10)

    @property
    def butterfly_25(self) -> float | None:
        return _butterfly(self.call_25, self.put_25, self.atm)

    @property
    def butterfly_10(self) -> float | None:
        return _butterfly(self.call_10, self.put_10, self.atm)


def smiles(chain: Chain, now: Nanos) -> list[Smile]:
    """Return the smile of each expiry that is ahead, the nearest first."""
    ahead = np.unique(chain.expiry[chain.expiry > now])
    return [_smile(chain.rows(chain.expiry == one), int(one), now) for one in ahead]


def at_moneyness(chain: Chain, now: Nanos, moneyness: Sequence[float]) -> dict[Nanos, list[float | None]]:
    """Return the volatility of each expiry at strikes that are so many times the forward."""
    ahead = np.unique(chain.expiry[chain.expiry > now])
    found: dict[Nanos, list[float | None]] = {}
    for expiry in ahead:
        away, iv = _curve(chain.rows(chain.expiry == expiry))
        found[int(expiry)] = [_between(float(np.log(one)), away, iv) for one in moneyness]
    return found


def forward_volatilities(years: Sequence[float], atm: Sequence[float | None]) -> list[float | None]:
    """Return what the variances of neighbours in time leave for the stretch between them, each with the next.

        σ² = (σ₂² T₂ - σ₁² T₁) / (T₂ - T₁)

    None where a volatility is unknown, or where the later variance is the smaller one.

    >>> forward_volatilities([1.0, 3.0], [0.5, 0.5])  # √((0.25 × 3 - 0.25 × 1) / 2)
    [0.5]
    """
    found: list[float | None] = []
    for place in range(len(years) - 1):
        first, second = atm[place], atm[place + 1]
        if first is None or second is None:
            found.append(None)
            continue
        left = second * second * years[place + 1] - first * first * years[place]
        found.append(float(np.sqrt(left / (years[place + 1] - years[place]))) if left >= 0 else None)
    return found


def _smile(chain: Chain, expiry: Nanos, now: Nanos) -> Smile:
    years = years_to(chain.expiry, now)
    delta = greeks(chain.forward, chain.strike, years, chain.iv, chain.is_call).delta
    forward = _forward(chain)
    points = [
        _between(wanted, *_by_delta(np.abs(delta[side]), chain.iv[side]))
        for wanted in DELTAS
        for side in (chain.is_call, ~chain.is_call)
    ]
    return Smile(
        expiry,
        float(years[0]),
        forward,
        int(np.isfinite(chain.iv).sum()),
        _between(0.0, *_curve(chain)),
        *points,
    )


def _forward(chain: Chain) -> float | None:
    known = chain.forward[np.isfinite(chain.forward)]
    return float(np.median(known)) if len(known) else None


def _by_delta(delta: Column, iv: Column) -> tuple[Column, Column]:
    known = np.isfinite(delta) & np.isfinite(iv)
    order = np.argsort(delta[known], kind="stable")
    return delta[known][order], iv[known][order]


def _curve(chain: Chain) -> tuple[Column, Column]:
    """Return ln(K / F), rising, and the volatility there: that of the option out of the money, else the other's."""
    known = chain.rows(np.isfinite(chain.iv) & (chain.iv > 0) & (chain.forward > 0) & (chain.strike > 0))
    away = np.log(known.strike / known.forward)
    outside = np.where(known.is_call, away >= 0, away <= 0)
    strikes = np.unique(known.strike)
    at, iv = np.empty(len(strikes)), np.empty(len(strikes))
    for place, strike in enumerate(strikes):
        there = known.strike == strike
        best = there & outside if (there & outside).any() else there
        at[place], iv[place] = away[there].mean(), known.iv[best].mean()
    return at, iv


def _between(wanted: float, at: Column, value: Column) -> float | None:
    """Return the value between the two points around; None outside of all."""
    if not len(at) or not at[0] <= wanted <= at[-1]:
        return None
    return float(np.interp(wanted, at, value))


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _butterfly(call: float | None, put: float | None, atm: float | None) -> float | None:
    return None if call is None or put is None or atm is None else (call + put) / 2 - atm

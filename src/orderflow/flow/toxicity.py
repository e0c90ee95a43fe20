"""Toxicity: how one-sided the flow is (VPIN), and what it costs to trade against it (Kyle, Amihud).

VPIN. Easley, López de Prado and O'Hara, "Flow Toxicity and Liquidity in a High-Frequency World", Review of
Financial Studies 25 (2012). Volume is cut into buckets of equal size V, and VPIN is the mean over the last n
buckets of |bought − sold| / V, from 0 to 1. A trade that overfills a bucket is split, and the rest begins the
next one; a bucket that is not full counts for nothing. The paper takes V as 1/50 of an average day's volume
and n = 50. It has no sides of trades and guesses them: a bar's volume counts as bought by the share
Φ(ΔP / σ), its price change over the deviation of such changes (bulk volume classification). Our venues tell
the taker's side, so that is the default here, and the guess an option. The paper's σ is of the whole sample;
ours is of the changes up to the bar, since the whole sample is not known yet.

Beware: Andersen and Bondarenko, "VPIN and the Flash Crash", Journal of Financial Markets 17 (2014), find that
VPIN's forecasts come from errors of that classification, which grow with volume and volatility, and that
VPIN from true sides behaves otherwise. It is a measure of imbalance; that it foretells is disputed.

Kyle's λ. The slope of price changes on signed volume, per bar, by least squares: Kyle, "Continuous Auctions
and Insider Trading", Econometrica 53 (1985). With `root`, on the signed square root of volume, as Hasbrouck,
"Trading Costs and Returns for U.S. Equities", Journal of Finance 64 (2009), since impact is concave in size.

Amihud's ratio. The mean over bars of |return| / quote volume, times 10^6: Amihud, "Illiquidity and Stock
Returns", Journal of Financial Markets 5 (2002). Bars in which nothing was traded have no ratio.
"""

import math
from bisect import bisect_right, insort
from typing import NamedTuple

import numpy as np

from orderflow.market.columns import Column, Index
from orderflow.market.errors import InvalidArgument

# ── VPIN ──────────────────────────────────────────────────────────────────────────────────────

BUCKETS_A_DAY = 50
BUCKETS = 50
_FULL = 1e-6  # of a bucket: what may miss for it to be full, since sums of doubles are not exact


class Rest(NamedTuple):
    """What is in the bucket that is not full yet; `unknown` is volume whose side is not known."""

    buy: float = 0.0
    sell: float = 0.0
    unknown: float = 0.0


class Buckets(NamedTuple):
    """One row a full bucket, in the unit of the sizes; `end` is when it was full. NaN where a side is unknown."""

    end: Index
    buy: Column
    sell: Column
    volume: float
    rest: Rest

    @property
    def imbalance(self) -> Column:
        return np.abs(self.buy - self.sell) / self.volume


def buckets(time: Index, size: Column, buy_share: Column, volume: float, rest: Rest | None = None) -> Buckets:
    """Pour trades, or bars, into buckets of `volume`.

    `buy_share` is the share of each size that takers bought: 1 or 0 where the side is told
    (`is_buy.astype(float)`), `bulk_buy_share` where it is guessed, NaN where it is unknown. `rest` is that of
    the buckets before: with it the buckets go on as if all had been poured at once.

    >>> found = buckets(np.array([1, 2, 3]), np.array([3.0, 4.0, 5.0]), np.array([1.0, 0.0, 1.0]), 5.0)
    >>> found.buy.tolist(), found.sell.tolist(), found.end.tolist(), found.rest
    ([3.0, 3.0], [2.0, 2.0], [2, 3], Rest(buy=2.0, sell=0.0, unknown=0.0))
    """
    if not (volume > 0 and math.isfinite(volume)):
        raise InvalidArgument(
            f"{volume} is no volume of a bucket", hint="a positive number: a 50th of a day's"
        )
    if not (size >= 0).all():
        raise InvalidArgument("sizes below 0, or unknown", hint="leave out the trades of unknown size")
    held = rest or Rest()
    known = ~np.isnan(buy_share)
    share = np.where(known, buy_share, 0.0)
    parts = (size * share, np.where(known, size * (1 - share), 0.0), np.where(known, 0.0, size))
    filled = np.concatenate([[0.0, sum(held)], sum(held) + np.cumsum(size)])
    full = math.floor(float(filled[-1]) / volume + _FULL)
    edges = np.minimum(np.arange(full + 1) * volume, filled[-1])
    poured, left = [], []
    for before, part in zip(held, parts, strict=True):
        total = np.concatenate([[0.0, before], before + np.cumsum(part)])
        at_edges = np.interp(edges, filled, total)
        poured.append(np.diff(at_edges))
        left.append(max(0.0, float(total[-1] - at_edges[-1])))
    buy, sell, unknown = poured
    guess = unknown > _FULL * volume
    buy[guess] = sell[guess] = np.nan
    last = np.searchsorted(filled[2:], edges[1:] - _FULL * volume, side="left")
    return Buckets(time[last], buy, sell, volume, Rest(*left))


def bulk_buy_share(close: Column, window: int) -> Column:
    """Return the share of each bar's volume that bulk classification counts as bought.

    Φ(ΔP / σ) with the deviation of the last `window` changes up to the bar; a half where nothing moved. It is
    NaN before there are so many changes, and where a close is unknown.
    """
    if window < 2:
        raise InvalidArgument(f"no deviation of {window} changes", hint="2 or more")
    found = np.full(len(close), np.nan)
    if len(close) <= window:
        return found
    change = np.diff(close)
    deviation = np.lib.stride_tricks.sliding_window_view(change, window).std(axis=1, ddof=1)
    last = change[window - 1 :]
    even = np.where(last == 0, 0.0, np.copysign(np.inf, last))  # changes all alike: no deviation to divide by
    ratio = np.divide(last, deviation, out=even, where=deviation > 0)
    ratio[np.isnan(deviation)] = np.nan
    found[window:] = [0.5 * (1 + math.erf(one / math.sqrt(2))) for one in ratio.tolist()]
    return found


def vpin(imbalance: Column, window: int = BUCKETS) -> Column:
    """Return VPIN at the end of each bucket: the mean imbalance of the last `window`, NaN before so many.

    To go on with later buckets, hand over the last `window` − 1 of these before them.

    >>> vpin(np.array([0.2, 0.4, 1.0]), window=2).round(6).tolist()
    [nan, 0.3, 0.7]
    """
    if window < 1:
        raise InvalidArgument(f"VPIN of {window} buckets", hint="1 or more; 50 in the paper")
    found = np.full(len(imbalance), np.nan)
    if len(imbalance) >= window:
        found[window - 1 :] = np.lib.stride_tricks.sliding_window_view(imbalance, window).mean(axis=1)
    return found


def standing(value: Column) -> Column:
    """Return each value's place among those up to it: the share at or below, the paper's CDF of VPIN.

    >>> standing(np.array([0.2, 0.4, 0.3])).round(6).tolist()
    [1.0, 1.0, 0.666667]
    """
    ordered: list[float] = []
    found = np.full(len(value), np.nan)
    for place, one in enumerate(value.tolist()):
        if not math.isnan(one):
            insort(ordered, one)
            found[place] = bisect_right(ordered, one) / len(ordered)
    return found


# ── Kyle's λ ──────────────────────────────────────────────────────────────────────────────────


class KyleLambda(NamedTuple):
    """The slope, in the unit of the change per unit of volume (or its root), its standard error, R² and n.

    What is undetermined is None, and `reason` says why.
    """

    slope: float | None
    intercept: float | None
    stderr: float | None
    r2: float | None
    n: int
    reason: str | None = None

    @property
    def t(self) -> float | None:
        """The slope over its standard error."""
        return self.slope / self.stderr if self.slope is not None and self.stderr else None


def kyle_lambda(change: Column, signed: Column, *, root: bool = False) -> KyleLambda:
    """Regress price changes on signed volume (taker buys less sells), a bar each; unknown bars are left out.

    Changes in basis points and volume in quote units give basis points per quote unit; prices of the middle
    of the book are better than those of trades, which bounce between bid and ask.

    >>> kyle_lambda(np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 4.0, 6.0, 8.0])).slope
    0.5
    """
    known = np.isfinite(change) & np.isfinite(signed)
    y, x = change[known], signed[known]
    if root:
        x = np.sign(x) * np.sqrt(np.abs(x))
    n = len(x)
    if n < 3:
        return KyleLambda(None, None, None, None, n, f"{n} bars are known, and 3 are the least")
    dx, dy = x - x.mean(), y - y.mean()
    spread, moved, together = float(dx @ dx), float(dy @ dy), float(dx @ dy)
    if spread <= (np.abs(x).max() * n * np.finfo(np.float64).eps) ** 2:
        return KyleLambda(None, None, None, None, n, "signed volume is the same in every bar")
    slope = together / spread
    left = dy - slope * dx
    error = float(left @ left)
    return KyleLambda(
        slope=slope,
        intercept=float(y.mean() - slope * x.mean()),
        stderr=math.sqrt(error / (n - 2) / spread),
        r2=1 - error / moved if moved > 0 else None,
        n=n,
        reason=None if moved > 0 else "the price never changed: no R²",
    )


# ── Amihud's ratio ────────────────────────────────────────────────────────────────────────────

AMIHUD_SCALE = 1e6


class Amihud(NamedTuple):
    """The ratio per 10^6 quote units, and of how many bars it is the mean; None of none."""

    ratio: float | None
    n: int


def amihud(close: Column, quote: Column) -> Amihud:
    """Return Amihud's ratio of bars with these closes and quote volumes; the first close only begins a return.

    >>> amihud(np.array([100.0, 125.0, 125.0]), np.array([5.0, 1000.0, 500.0]))
    Amihud(ratio=125.0, n=2)
    """
    before, after, volume = close[:-1], close[1:], quote[1:]
    known = (before > 0) & (after > 0) & (volume > 0)
    ratio = np.abs(after[known] / before[known] - 1) / volume[known] * AMIHUD_SCALE
    n = len(ratio)
    return Amihud(float(ratio.mean()) if n else None, n)

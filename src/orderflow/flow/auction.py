"""What a market profile shows: single prints, tails, poor extremes, initial balance, rotation, type of day.

The words are those of Dalton, Jones and Dalton, "Mind over Markets" (1990); poor highs and lows those of
Dalton, Dalton and Jones, "Markets in Profile" (2007). All of it says what a session has been so far, and may
change while it goes on, but for the initial balance once its periods are over. A profile of nothing shows
nothing: None, or an empty list. The initial balance and the rotation of a composite's parts are asked before
they are merged.
"""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from orderflow.flow.profile import profile
from orderflow.flow.tpo import By, MarketProfile, letter
from orderflow.flow.value_area import ROWS, SHARE, Poc, ValueArea, bin_at
from orderflow.market.columns import Column, Mask

TAIL = 2  # single prints in a row at an extreme, from which they are a tail
POOR = 2  # TPOs at an extreme, from which it is poor: nobody was driven away from it
BALANCE = 2  # periods of the initial balance: the first hour, of half-hours
WIDE = 2.0  # times the initial balance: a range up to which a day is a variation of the normal one
OUTER = 0.25  # of the range, at either end: where a day closes that ends as a trend

DayType: TypeAlias = Literal["normal", "normal_variation", "trend", "neutral", "neutral_extreme"]

# ── Single prints and extremes ────────────────────────────────────────────────────────────────


class SinglePrints(NamedTuple):
    """Neighbouring rows that were each traded in one period: prices [low, high), letters from the lowest.

    `confirmed` says that none of them is of the latest period, in which it might yet be traded on.
    """

    low: float
    high: float
    letters: tuple[str, ...]
    confirmed: bool


class Extremes(NamedTuple):
    """The ends of a profile: a tail where price was rejected, poor where it was traded again and again.

    The buying tail is at the low, the selling tail at the high. A profile that is single prints throughout
    has no tail: nothing was rejected yet. Ends that are neither have one TPO, and no tail long enough.
    """

    buying_tail: SinglePrints | None
    selling_tail: SinglePrints | None
    low_tpos: int
    high_tpos: int
    poor_low: bool
    poor_high: bool


def single_prints(of: MarketProfile) -> list[SinglePrints]:
    """Return all runs of single prints, lowest first; those at the ends are tails if they are long enough."""
    return [_single(of, begin, end) for begin, end in _runs(of.tpos == 1)]


def extremes(of: MarketProfile, tail: int = TAIL, poor: int = POOR) -> Extremes | None:
    """Return what a profile's low and high look like; a tail is `tail` rows or more."""
    tpos = of.tpos
    if not len(tpos):
        return None
    runs = [(begin, end) for begin, end in _runs(tpos == 1) if max(tail, 1) <= end - begin < len(tpos)]
    buying = next((_single(of, *one) for one in runs if one[0] == 0), None)
    selling = next((_single(of, *one) for one in runs if one[1] == len(tpos)), None)
    low, high = int(tpos[0]), int(tpos[-1])
    return Extremes(buying, selling, low, high, low >= poor, high >= poor)


def _runs(of: Mask) -> list[tuple[int, int]]:
    """Return where it is true without a break, as [begin, end)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], of, [False])).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _single(of: MarketProfile, begin: int, end: int) -> SinglePrints:
    row = of.cells.level - of.first
    here = np.flatnonzero((row >= begin) & (row < end))
    periods = of.cells.bar[here[np.argsort(row[here])]]
    letters = tuple(letter(int(of.number[one])) for one in periods)
    low, high = bin_at(of.first + begin, of.step).low, bin_at(of.first + end, of.step).low
    return SinglePrints(low, high, letters, confirmed=not bool((periods == of.cells.bar[-1]).any()))


# ── Initial balance, rotation, type of day ────────────────────────────────────────────────────


class Balance(NamedTuple):
    """The range of the first `periods` periods, known when they are over, and how later ones extended it.

    `up` and `down` are the periods, from 0, that went beyond it and beyond all before them; the extensions
    are how far beyond it was traded in the end, in quote units, 0 where not.
    """

    periods: int
    low: float
    high: float
    up: tuple[int, ...]
    down: tuple[int, ...]
    extension_up: float
    extension_down: float


def initial_balance(of: MarketProfile, periods: int = BALANCE) -> Balance | None:
    """Return the initial balance; None if nothing was traded in its periods."""
    low, high = of.low[:periods], of.high[:periods]
    if not len(low) or np.isnan(low).all():
        return None
    bottom, top = float(np.nanmin(low)), float(np.nanmax(high))
    lowest, highest = np.fmin.accumulate(of.low), np.fmax.accumulate(of.high)
    down = periods + np.flatnonzero(np.diff(lowest[periods - 1 :]) < 0)
    up = periods + np.flatnonzero(np.diff(highest[periods - 1 :]) > 0)
    return Balance(
        periods, bottom, top, tuple(up.tolist()), tuple(down.tolist()),
        float(highest[-1]) - top, bottom - float(lowest[-1]),
    )  # fmt: skip


def rotation_factor(of: MarketProfile) -> int | None:
    """Return how one-sidedly the periods moved: a higher high is +1, a lower one -1, lows likewise, summed.

    Equal ones count 0; a period is compared with the last one before it in which something was traded.
    """
    traded = ~np.isnan(of.high)
    if not traded.any():
        return None
    turns = np.sign(np.diff(of.high[traded])) + np.sign(np.diff(of.low[traded]))
    return int(turns.sum())


def day_type(
    of: MarketProfile, close: float, periods: int = BALANCE, wide: float = WIDE, outer: float = OUTER
) -> DayType | None:
    """Return Dalton's type of a day that closed at a price, by how it went beyond its initial balance.

    Not at all: normal. To both sides: neutral, neutral_extreme if it closed in the `outer` part of its range.
    To one: trend if the range is more than `wide` times the balance and it closed in the outer part of that
    side, else normal_variation. None of a profile without more periods than its balance has. Days without
    interest (nontrend) and with two distributions are not told apart: that takes other days, and volume.
    """
    balance = initial_balance(of, periods)
    if balance is None or len(of.high) <= periods:
        return None
    high, low = balance.high + balance.extension_up, balance.low - balance.extension_down
    up, down = balance.extension_up > 0, balance.extension_down > 0
    edge = outer * (high - low)
    if up and down:
        return "neutral_extreme" if close >= high - edge or close <= low + edge else "neutral"
    if not (up or down):
        return "normal"
    beyond = high - low > wide * (balance.high - balance.low)
    return "trend" if beyond and (close >= high - edge if up else close <= low + edge) else "normal_variation"


# ── Period by period, and side by side ────────────────────────────────────────────────────────


class Period(NamedTuple):
    """What was traded in one period; of ranges the amounts and the area are None, `tpos` its rows."""

    number: int
    letter: str
    low: float
    high: float
    tpos: int
    base: float | None
    quote: float | None
    delta: float | None
    delta_quote: float | None
    trades: int | None
    area: ValueArea | None


class Part(NamedTuple):
    """What was done in some rows of a profile: TPOs, base units and taker buys less sells in them."""

    tpos: int
    base: float | None
    quote: float | None
    delta: float | None


class Distribution(NamedTuple):
    """A profile above its POC, in its row and below: who holds value, and where delta was done."""

    poc: Poc
    above: Part
    at: Part
    below: Part


def period_statistics(
    of: MarketProfile, share: float = SHARE, rows: int = ROWS, by: Literal["base", "quote"] = "base"
) -> list[Period]:
    """Return each period that was traded in, with the POC and value area of its own volume."""
    return [_period(of, one, share, rows, by) for one in np.flatnonzero(~np.isnan(of.high)).tolist()]


def _period(of: MarketProfile, period: int, share: float, rows: int, by: Literal["base", "quote"]) -> Period:
    found = of.cells.between(period, period + 1)
    number, told = int(of.number[period]), of.source == "prints"
    return Period(
        number,
        letter(number),
        float(of.low[period]),
        float(of.high[period]),
        len(found.level),
        _sum(found.volume),
        _sum(found.quote),
        _sum(found.delta),
        _sum(found.buy_quote - found.sell_quote),
        int(found.trades.sum()) if told else None,
        profile(found, of.step, by=by).value_area(share, rows),
    )


def distribution(of: MarketProfile, by: By = "time") -> Distribution | None:
    """Return what lies above, at and below the POC by time, or by what was traded."""
    control = of.poc(by)
    if control is None:
        return None
    row = control.bin.number - of.first
    tpos, traded = of.tpos, profile(of.cells, of.step)
    above, at, below = (
        Part(
            int(tpos[part].sum()),
            _sum(traded.volume[part]),
            _sum(traded.quote[part]),
            _sum(traded.delta[part]),
        )
        for part in (slice(row + 1, None), slice(row, row + 1), slice(0, row))
    )
    return Distribution(control, above, at, below)


def _sum(column: Column) -> float | None:
    found = float(column.sum())
    return None if np.isnan(found) else found

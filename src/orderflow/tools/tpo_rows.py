"""Market profile, told: a row a profile, a row of prices, a period, or a run of single prints."""

from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from orderflow.flow.auction import (
    Extremes,
    SinglePrints,
    day_type,
    distribution,
    extremes,
    initial_balance,
    period_statistics,
    rotation_factor,
    single_prints,
)
from orderflow.flow.levels import prices
from orderflow.flow.span import Span
from orderflow.flow.tpo import By, MarketProfile
from orderflow.market.events import MS, Nanos
from orderflow.store.windows import Window as Found
from orderflow.tools.answers import Row
from orderflow.tools.quality import heard, unknown

View: TypeAlias = Literal["profiles", "rows", "periods", "single_prints"]

PARTS = {
    "profile": "", "kind": "", "low": "quote", "high": "quote", "rows": "count", "letters": "", "confirmed": "",
}  # fmt: skip
COLUMNS: dict[View, dict[str, str]] = {
    "profiles": {
        "profile": "", "since": "UTC", "until": "UTC", "status": "", "known_pct": "%", "open": "quote", "high": "quote",
        "low": "quote", "close": "quote", "tpos": "count", "poc": "quote", "vah": "quote", "val": "quote",
        "volume": "base", "delta": "base", "vpoc": "quote", "vvah": "quote", "vval": "quote", "ib_high": "quote",
        "ib_low": "quote", "ib_known": "UTC", "extension_up": "quote", "extension_down": "quote", "rotation": "", "day_type": "",
        "selling_tail": "rows", "buying_tail": "rows", "poor_high": "", "poor_low": "", "single_prints": "rows",
        "tpos_above": "count", "tpos_below": "count", "delta_above": "base", "delta_below": "base",
    },
    "rows": {
        "profile": "", "price": "quote", "letters": "", "tpos": "count", "volume": "base", "delta": "base",
        "trades": "count", "in_value": "", "in_volume_value": "",
    },
    "periods": {
        "profile": "", "letter": "", "since": "UTC", "status": "", "high": "quote", "low": "quote", "tpos": "count",
        "volume": "base", "delta": "base", "trades": "count", "vpoc": "quote", "vvah": "quote", "vval": "quote",
    },
    "single_prints": PARTS,
}  # fmt: skip


class Rules(NamedTuple):
    """By what a profile is judged: the share that value holds, which volume, and so many rows and periods."""

    share: float
    by: Literal["base", "quote"]
    tail: int
    balance: int
    period: Nanos
    now: Nanos


class Shown(NamedTuple):
    """A profile with its window; `prices` are those of one venue, of the whole session alone.

    Periods are counted from `begin`, which a composite has not. Of a part and of a composite there is no
    initial balance, rotation or type of day.
    """

    name: str
    since: Nanos
    until: Nanos
    begin: Nanos | None
    profile: MarketProfile
    prices: Span | None

    def status(self, now: Nanos) -> Literal["developing", "completed"]:
        return "developing" if now < self.until else "completed"


def rows(view: View, every: list[Shown], found: Found, rules: Rules) -> list[Row]:
    """Return the rows of a view, the latest profile first."""
    if view == "profiles":
        return [_profile(one, found, rules) for one in reversed(every)]
    if view == "rows":
        return [row for one in reversed(every) for row in _price_rows(one, rules)]
    if view == "periods":
        return [row for one in reversed(every) for row in _periods(one, rules)]
    return single_print_rows(every, rules)


def single_print_rows(every: list[Shown], rules: Rules) -> list[Row]:
    """Return the runs of single prints, the latest profile's first, each from the highest."""
    return [row for one in reversed(every) for row in _singles(one, rules)]


# ── A row a profile ───────────────────────────────────────────────────────────────────────────


def _profile(one: Shown, found: Found, rules: Rules) -> Row:
    of = one.profile
    traded = ~np.isnan(of.high)
    high, low = (float(np.nanmax(of.high)), float(np.nanmin(of.low))) if traded.any() else (None, None)
    known, volume = _known(one, found, rules.now), of.volume if traded.any() else None
    none = 0.0 if known else None  # nothing was traded, or nothing is known
    return [
        one.name, one.since // MS, one.until // MS, one.status(rules.now), known,
        None if one.prices is None else one.prices.open, high, low,
        None if one.prices is None else one.prices.close, int(of.tpos.sum()), *_area(of, "time", rules.share),
        none if volume is None else float(volume.volume.sum()),
        none if volume is None else float((volume.buy - volume.sell).sum()), *_area(of, rules.by, rules.share),
        *_balance(one, rules), *_ends(of, rules), sum(len(run.letters) for run in single_prints(of)), *_sides(of),
    ]  # fmt: skip


def _area(of: MarketProfile, by: By, share: float) -> list[float | None]:
    """Return the centre of the POC, and the outer edges of the value area."""
    area = of.value_area(share, by=by)
    return [None] * 3 if area is None else [area.poc.bin.centre, area.vah.high, area.val.low]


def _balance(one: Shown, rules: Rules) -> list[Any]:
    of = one.profile
    balance = None if one.prices is None else initial_balance(of, rules.balance)
    if one.prices is None or balance is None:
        return [None] * 7
    known, close = one.since + rules.balance * rules.period, one.prices.close
    return [
        balance.high, balance.low, known // MS if known <= rules.now else None, balance.extension_up, balance.extension_down, rotation_factor(of),
        None if close is None else day_type(of, close, rules.balance),
    ]  # fmt: skip


def _ends(of: MarketProfile, rules: Rules) -> list[Any]:
    ends: Extremes | None = extremes(of, rules.tail)
    if ends is None:
        return [None] * 4
    tails = [0 if tail is None else len(tail.letters) for tail in (ends.selling_tail, ends.buying_tail)]
    return [*tails, ends.poor_high, ends.poor_low]


def _sides(of: MarketProfile) -> list[Any]:
    """Return TPOs and delta above and below the POC by time."""
    found = distribution(of)
    if found is None:
        return [None] * 4
    return [found.above.tpos, found.below.tpos, found.above.delta, found.below.delta]


def _known(one: Shown, found: Found, now: Nanos) -> float | None:
    """Return how much of what has passed of a profile's window was received, in percent: the mean of venues."""
    until = min(one.until, now)
    venues = heard(found)
    if until <= one.since or not venues:
        return None
    lost = sum(
        max(0, min(end, until) - max(begin, one.since))
        for venue in venues
        for begin, end in unknown(found, venue)
    )
    return round(100 * (1 - lost / (until - one.since) / len(venues)), 2)


# ── Rows within a profile ─────────────────────────────────────────────────────────────────────


def _price_rows(one: Shown, rules: Rules) -> list[Row]:
    of, volume = one.profile, one.profile.volume
    tpos = of.tpos
    if volume is None or not len(tpos):
        return []
    number = of.first + np.arange(len(tpos))
    inside: list[list[bool]] = []
    for by in ("time", rules.by):
        area = of.value_area(rules.share, by=by)
        within = (
            np.zeros(len(number), dtype=np.bool_)
            if area is None
            else (number >= area.val.number) & (number <= area.vah.number)
        )
        inside.append(within.tolist())
    columns = (
        prices(number, of.step).tolist(), of.letters, tpos.tolist(), volume.volume.tolist(),
        (volume.buy - volume.sell).tolist(), volume.trades.tolist(), *inside,
    )  # fmt: skip
    return [[one.name, *row] for row in zip(*columns, strict=True)][::-1]


def _periods(one: Shown, rules: Rules) -> list[Row]:
    """Return the periods in which something was traded, the last first; one that is not over is developing."""
    found: list[Row] = []
    for period in period_statistics(one.profile, rules.share, by=rules.by):
        since = None if one.begin is None else one.begin + period.number * rules.period
        over = since is None or min(since + rules.period, one.until) <= rules.now
        area = period.area
        value = [None] * 3 if area is None else [area.poc.bin.centre, area.vah.high, area.val.low]
        found.append(
            [
                one.name, period.letter, None if since is None else since // MS,
                "completed" if over else "developing", period.high, period.low, period.tpos, period.base,
                period.delta, period.trades, *value,
            ]
        )  # fmt: skip
    return found[::-1]


def _singles(one: Shown, rules: Rules) -> list[Row]:
    ends = extremes(one.profile, rules.tail)

    def kind(run: SinglePrints) -> str:
        if ends is not None and run == ends.buying_tail:
            return "buying tail"
        return "selling tail" if ends is not None and run == ends.selling_tail else "body"

    return [
        [
            one.name, kind(run), run.low, run.high, len(run.letters), "".join(dict.fromkeys(run.letters)),
            run.confirmed,
        ]
        for run in reversed(single_prints(one.profile))
    ]  # fmt: skip

"""Key levels: the prices that a day, its sessions and the days, week and month before have left."""

import datetime
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple, TypeAlias

import numpy as np
from msgspec import Meta as Range

from orderflow.flow.profile import Amount
from orderflow.flow.sessions import DEFAULT, Sessions, Window, day_window, instant
from orderflow.flow.sessions import sessions as parse
from orderflow.market.errors import NoData
from orderflow.market.events import HOUR, MS, SECOND, Nanos
from orderflow.store.windows import Window as Found
from orderflow.tools.answers import Answer
from orderflow.tools.ladder import LEVELS, Level, Ranges, flat, naked, of_day, of_range, rows
from orderflow.tools.orderflow import FAMILY, traded_in
from orderflow.tools.past import answer, attempt
from orderflow.tools.periods import DAY, USUAL_BAR, Flow, common, dated, days_until, flow, share
from orderflow.tools.periods import of_day as periods_of
from orderflow.tools.profiles import Mode, Pair, Percent, Rules, Seconds, Size, Ticks, unsided
from orderflow.tools.quality import quality
from orderflow.tools.spec import Ask, VenueId, tool

Longer: TypeAlias = Literal["candles", "trades", "none"]


@tool(
    family=FAMILY,
    title="Key levels",
    columns=LEVELS,
    example={"symbol": "BTCUSDT"},
    limit=100,
    core=False,
    asks_store=True,
)
def orderflow_key_levels(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    date: str | None = None,
    sessions: str = DEFAULT,
    zone: str = "UTC",
    size: Size = None,
    ticks: Ticks = None,
    by: Amount = "base",
    value_area_pct: Percent = 70.0,
    value_area_rows: Pair = 2,
    mode: Mode = "raw",
    normalize_seconds: Seconds = 3,
    naked_days: Annotated[int, Range(ge=0, le=30)] = 3,
    longer: Longer = "candles",
) -> Answer:
    """Levels of today and before: VWAP with bands, POC, VAH, VAL, highs and lows of days, sessions, week and month.

    Use it for where price may react: each with its status, whether it was touched since, and its distance.
    Rows: nearest first, naked POCs among them.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: added up; the one that traded most when left out
        date: day, as 2026-01-31, as it stood at its end; today when left out
        sessions: definitions, NAME=HH:MM-HH:MM
        zone: IANA time zone of days and sessions
        size: of a bin in quote units; about 200 bins when left out
        ticks: of a bin, instead of size
        by: what POC and value area go by
        value_area_pct: share of the volume that the value area holds
        value_area_rows: bins weighed at a time
        mode: synthetic spreads the volume of each few seconds evenly over their range
        normalize_seconds: of synthetic
        naked_days: days before yesterday whose POCs are looked at
        longer: where the prior week's and month's highs and lows are read; trades reads all of them
    """
    rules = Rules(by, value_area_pct, value_area_rows, mode, normalize_seconds).checked()
    of = parse(sessions, zone)
    day = dated(ask, date, of)
    today, before = periods_of(day, of), periods_of(day - datetime.timedelta(days=1), of)
    as_of = min(ask.now, today[-1].until)
    asked = traded_in(ask, symbol, venues, str(before[-1].since // MS), str(-(-as_of // MS)))
    past = [day_window(one, of.zone) for one in days_until(day - datetime.timedelta(days=2), naked_days)]
    edges = [time for one in (*today, *before, *past) for time in (one.since, one.until)]
    first = min((one.since for one in past), default=before[-1].since)
    read = flow(ask, asked, common(edges, USUAL_BAR), rules, size, ticks, cells_since=first)
    close = read.close
    if close is None:
        raise NoData("no price is known of these days", hint="another date")
    levels = [
        *_levels(read, today, "d", as_of),
        *_levels(read, before, "pd", as_of, "_y"),
        *naked(read, past),
    ]
    ranges = {"trades": Ranges(read.bars.time, read.bars.low, read.bars.high)}
    unavailable: dict[str, str] = {}
    if longer != "none":
        more = _longer(ask, read, day, of, as_of, longer)
        levels, unavailable = [*levels, *more.levels], more.unavailable
        ranges |= {"candles": more.ranges} if longer == "candles" else {}
    by_name, back = flat(levels, [one.name for one in of.parts])
    made = answer(
        ask, read.found, LEVELS, rows(levels, read, ranges, close), stream="trades", asked=asked.venues,
        summary={
            "close": close,
            "price_of": read.price_of,
            "flat": by_name,
            "of_the_day_before": back,
            "unavailable": unavailable,
            "bins": {"size": read.bins.width, "by": by, "mode": mode},
            "zone": zone,
            "data_quality": quality(read.found, rules.algorithm),
        },
    )  # fmt: skip
    made.meta.warnings += unsided(read.found, read.units.base)
    return made


def _levels(
    read: Flow, periods: Sequence[Window], prefix: str, as_of: Nanos, suffix: str = ""
) -> list[Level]:
    """Return the levels of a day and of its sessions."""
    found: list[Level] = []
    for one in periods:
        part, status = read.part(one.since, one.until), one.status(as_of)
        if part is None:
            continue
        if one.name == DAY:
            found += of_day(prefix, one, part, status)
        else:
            found += of_range(one.name, one, part, status, f"{one.day} {one.name}", suffix)
    return found


# ── Week and month ────────────────────────────────────────────────────────────────────────────


class _Prior(NamedTuple):
    """The highs and lows of the week and the month before, and the bars that they are of."""

    levels: list[Level]
    ranges: Ranges
    unavailable: dict[str, str]


def _longer(
    ask: Ask, read: Flow, day: datetime.date, of: Sessions, as_of: Nanos, source: Literal["candles", "trades"]
) -> _Prior:
    monday, first = day - datetime.timedelta(days=day.weekday()), day.replace(day=1)
    week = monday - datetime.timedelta(days=7)
    month = (first - datetime.timedelta(days=1)).replace(day=1)
    periods = [
        ("pw", f"{week:%G-W%V}", instant(week, 0, of.zone), instant(monday, 0, of.zone)),
        ("pm", f"{month:%Y-%m}", instant(month, 0, of.zone), instant(first, 0, of.zone)),
    ]
    edges = [time for _, _, begin, end in periods for time in (begin, end)]
    bar, since = f"{common(edges, HOUR) // SECOND}s", min(edges)
    symbol, venue = read.found.symbol, read.price_of
    found = attempt(lambda: ask.history.bars(symbol, [venue], bar, since, as_of, source))
    ranges = _ranges(found)
    collected = {} if found is None else ask.history.collected(source, symbol, [venue], since, as_of)
    levels: list[Level] = []
    unavailable: dict[str, str] = {}
    for prefix, name, begin, end in periods:
        rows = slice(*np.searchsorted(ranges.time, (begin, end)))
        known = ~np.isnan(ranges.high[rows])
        if not known.any():
            instead = "; longer=trades reads the trades" if source == "candles" else ""
            unavailable[prefix] = f"no {source} of {name} are stored on {venue}{instead}"
            continue
        high, low = float(np.nanmax(ranges.high[rows])), float(np.nanmin(ranges.low[rows]))
        coverage = share(collected, begin, end)
        levels.append(Level(f"{prefix}H", high, "high", name, "completed", end, coverage, source))
        levels.append(Level(f"{prefix}L", low, "low", name, "completed", end, coverage, source))
    return _Prior(levels, ranges, unavailable)


def _ranges(found: Found | None) -> Ranges:
    if found is None:
        return Ranges(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))
    low, high = (np.asarray(found[name], dtype=np.float64) for name in ("low", "high"))
    return Ranges(np.asarray(found["open_time"], dtype=np.int64), low, high)

"""Market profile: TPOs of sessions or of a window, with what an auction shows, from the trades in the store."""

from math import gcd
from typing import Annotated, Literal, NamedTuple

import numpy as np
from msgspec import Meta as Range

from orderflow.flow.auction import BALANCE, TAIL
from orderflow.flow.cells import Cells
from orderflow.flow.levels import round_step
from orderflow.flow.sessions import DEFAULT, Window
from orderflow.flow.span import Bars, span
from orderflow.flow.tpo import MarketProfile, letter, market_profile, merged
from orderflow.market.columns import Column, Index
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import MINUTE, MS, Nanos
from orderflow.store.windows import Window as Found
from orderflow.tools.answers import Answer, Table
from orderflow.tools.orderflow import FAMILY, cells_of, traded, traded_in
from orderflow.tools.past import Past, answer
from orderflow.tools.quality import heard, quality
from orderflow.tools.session_windows import windows_of
from orderflow.tools.spec import SMALLEST, Ask, Instant, VenueId, tool
from orderflow.tools.times import instant
from orderflow.tools.tpo_rows import COLUMNS, PARTS, Rules, Shown, View, rows, single_print_rows

USUAL_ROWS = 60  # of the range of all that is shown, where no size is asked for
MOST_SINGLES = 8  # runs of single prints that are told beside the profiles: the longest
ALGORITHM = "market profile 1"


@tool(
    family=FAMILY,
    title="Market profile (TPO)",
    columns={name: unit for view in COLUMNS.values() for name, unit in view.items()},
    example={"symbol": "BTCUSDT", "since": "-1h", "period": 10},
    limit=100,
    core=False,
    asks_store=True,
)
def orderflow_tpo(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant | None = None,
    until: Instant = "now",
    date: str | None = None,
    days: Annotated[int, Range(ge=1, le=31)] = 1,
    session: str = "all",
    sessions: str = DEFAULT,
    zone: str = "UTC",
    period: Annotated[int, Range(ge=1, le=1440)] = 30,
    size: Annotated[float, Range(ge=SMALLEST)] | None = None,
    value_area_pct: Annotated[float, Range(gt=0, le=100)] = 70.0,
    by: Literal["base", "quote"] = "base",
    tail: Annotated[int, Range(ge=1, le=100)] = TAIL,
    balance: Annotated[int, Range(ge=1, le=48)] = BALANCE,
    view: View = "profiles",
    split: list[str] | None = None,
    merge: bool = False,
) -> Answer:
    """Market profile by time and volume: POC, value area, tails, single prints, initial balance, day type.

    Use it for what a session's auction did; sessions under way are developing.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: summed; the most traded when left out
        since: begin of one window, in place of sessions; moved back to a multiple of the period
        until: its end; how far sessions are looked at
        date: last day of the sessions, as 2025-11-20; today when left out
        days: so many days
        session: all, day (midnight to midnight), or names with commas
        sessions: their hours
        zone: of the hours, IANA
        period: minutes of a letter
        size: height of a row in quote units; about 60 rows when left out
        value_area_pct: percent
        by: of volumes
        tail: single prints that make a tail
        balance: periods of the initial balance
        view: a row a profile, or its rows, letters, single prints
        split: letters with which a new profile begins
        merge: all in one composite
    """
    now = min(ask.now, instant(until, ask.now))
    begin = None if since is None else instant(since, ask.now)
    wanted = windows_of(now, begin, date, days, session, sessions, zone, period)
    begin, end = min(one.since for one in wanted), min(max(one.until for one in wanted), now)
    asked = traded_in(ask, symbol, venues, str(begin // MS), str(-(-end // MS)))
    length = _length(period, wanted)
    bars = _bars(ask, asked, length)
    tick = traded(ask, asked.symbol, bars.venue).tick
    height = size or round_step(float(np.nanmin(bars.low)), float(np.nanmax(bars.high)), tick, USUAL_ROWS)
    found = ask.history.cells(
        asked.symbol, asked.venues, f"{length // MINUTE}m", asked.since, asked.until, height
    )
    cells = cells_of(found)
    rules = Rules(value_area_pct / 100, by, tail, balance, period * MINUTE, now)
    shown = [_shown(one, bars, cells, height, length, rules) for one in wanted]
    shown = _composed(shown, split, merge, rules.period)
    made = answer(
        ask, found, COLUMNS[view], rows(view, shown, found, rules), stream="trades", asked=asked.venues,
        summary={
            "price_of": bars.venue, "period_minutes": period, "size": height, "value_area_pct": value_area_pct,
            "volume_in": by, "balance_periods": balance, "profiles": len(shown),
            "developing": [one.name for one in shown if one.status(now) == "developing"],
            "data_quality": quality(found, ALGORITHM),
        },
    )  # fmt: skip
    singles = sorted(single_print_rows(shown, rules), key=lambda row: -row[4])[:MOST_SINGLES]
    if view == "profiles" and singles:
        made.more["single_prints"] = Table(columns=list(PARTS), rows=singles)
    return made


# ── What was traded in them ───────────────────────────────────────────────────────────────────


class _Bars(NamedTuple):
    """The venue on which most was traded, its bars; and every venue's begins, lows and highs."""

    venue: str
    bars: Bars
    time: Index
    low: Column
    high: Column


def _bars(ask: Ask, asked: Past, length: Nanos) -> _Bars:
    name = f"{length // MINUTE}m"
    found = ask.history.bars(asked.symbol, asked.venues, name, asked.since, asked.until, "trades")

    def column(name: str, of: Found = found) -> Column:
        return np.asarray(of[name], dtype=np.float64)

    quote = {one: float(np.nansum(column("quote_volume", found.among([one])))) for one in heard(found)}
    venue = max(quote, key=lambda one: quote[one])
    one = found.among([venue])
    bought, none = column("taker_buy_volume", one), np.full(len(one), np.nan)
    bars = Bars(
        np.asarray(one["open_time"], dtype=np.int64), column("open", one), column("high", one), column("low", one),
        column("close", one), bought, column("volume", one) - bought, none, none,
        np.asarray(one["trade_count"], dtype=np.int64), length,
    )  # fmt: skip
    return _Bars(venue, bars, np.asarray(found["open_time"], dtype=np.int64), column("low"), column("high"))


def _length(period: int, wanted: list[Window]) -> Nanos:
    """Return the length of the longest bars that no window begins within, nor another ends within."""
    edges = [one.since for one in wanted] + [one.until for one in wanted[:-1]]
    return gcd(period, *(edge // MINUTE for edge in edges)) * MINUTE


def _shown(one: Window, of: _Bars, cells: Cells, step: float, length: Nanos, rules: Rules) -> Shown:
    first, last = one.since // length, -(-one.until // length)
    found = market_profile(cells.between(first, last), step, rules.period // length, 1, first)
    prices = span(of.bars, one.since, last * length)
    name = one.name if one.name == "window" else f"{one.day} {one.name}"
    exact = _exact(found, of, one, rules.period)
    return Shown(name, one.since, one.until, one.since, exact, prices)


def _exact(found: MarketProfile, of: _Bars, one: Window, period: Nanos) -> MarketProfile:
    """Return a profile whose periods have the prices that were traded, and not those of their rows."""
    inside = (of.time >= one.since) & (of.time < one.until)
    number = (of.time[inside] - one.since) // period
    low, high = np.full((2, len(found.number)), np.nan)
    np.fmin.at(low, number, of.low[inside])
    np.fmax.at(high, number, of.high[inside])
    return found._replace(low=low, high=high)


# ── Composites ────────────────────────────────────────────────────────────────────────────────


def _composed(every: list[Shown], split: list[str] | None, merge: bool, period: Nanos) -> list[Shown]:
    """Return the profiles apart where they are to be split, or all as one."""
    periods = max(len(one.profile.number) for one in every)
    offered = [letter(number) for number in range(1, periods)]
    if unknown := [name for name in split or () if name not in offered]:
        raise InvalidArgument(
            f"no profile has a period {unknown[0]!r} to begin with anew",
            hint=f"{offered[0]} to {offered[-1]}" if offered else "no split: there is one period",
        )
    parts = [part for one in every for part in _split(one, split, period)] if split else every
    if not merge or len(parts) < 2:
        return parts
    whole = merged([one.profile for one in parts])
    return [Shown("composite", parts[0].since, max(one.until for one in parts), None, whole, None)]


def _split(one: Shown, letters: list[str], period: Nanos) -> list[Shown]:
    numbers = {letter(number): number for number in one.profile.number.tolist()}
    parts = one.profile.split([numbers[name] for name in letters if name in numbers])
    if len(parts) < 2:
        return [one]
    begins = [one.since + int(part.number[0]) * period for part in parts]
    return [
        Shown(f"{one.name} {letter(int(part.number[0]))}", begin, end, one.since, part, None)
        for part, begin, end in zip(parts, begins, [*begins[1:], one.until], strict=True)
    ]

"""Session profile: what happened in the sessions of some days, or in one window."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta as Range

from orderflow.flow.profile import Amount
from orderflow.flow.sessions import DEFAULT, Window, day_of, sessions, time_zone
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import HOUR, MINUTE, MS, Nanos
from orderflow.store.bar import bar as written
from orderflow.tools.answers import Answer
from orderflow.tools.orderflow import FAMILY, traded_in
from orderflow.tools.past import answer
from orderflow.tools.periods import Flow, common, dated, days_until, flow, of_day
from orderflow.tools.profiles import (
    BINS,
    Mode,
    Pair,
    Percent,
    Rules,
    Seconds,
    Size,
    Ticks,
    bin_rows,
    marks,
    pct,
    unsided,
)
from orderflow.tools.quality import grade, quality
from orderflow.tools.spec import Ask, Instant, VenueId, tool
from orderflow.tools.times import instant

SESSIONS = {
    "day": "", "session": "", "status": "", "since": "UTC", "until": "UTC", "open": "quote", "high": "quote",
    "low": "quote", "close": "quote", "high_time": "UTC", "low_time": "UTC", "volume": "base", "quote_volume": "quote",
    "delta": "base", "delta_quote": "quote", "delta_pct": "%", "trades": "count", "vwap": "quote", "poc": "quote",
    "vah": "quote", "val": "quote", "ib_high": "quote", "ib_low": "quote", "ib_known": "UTC", "coverage_pct": "%",
    "grade": "",
}  # fmt: skip
LEVELS = {"day": "", "session": "", **BINS}
EXPLICIT = "window"


@tool(
    family=FAMILY,
    title="Session profile",
    columns=SESSIONS | LEVELS,
    example={"symbol": "BTCUSDT", "days": 2},
    limit=100,
    core=False,
    asks_store=True,
)
def orderflow_session_profile(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    date: str | None = None,
    days: Annotated[int, Range(ge=1, le=7)] = 2,
    session: str = "all",
    sessions: str = DEFAULT,
    zone: str = "UTC",
    since: Instant | None = None,
    until: Instant | None = None,
    size: Size = None,
    ticks: Ticks = None,
    by: Amount = "base",
    value_area_pct: Percent = 70.0,
    value_area_rows: Pair = 2,
    mode: Mode = "raw",
    normalize_seconds: Seconds = 3,
    balance_minutes: Annotated[int, Range(ge=1, le=1_440)] = 60,
    bar: str = "5m",
    levels: bool = False,
    top: Annotated[int, Range(ge=1, le=500)] | None = None,
) -> Answer:
    """Sessions of a day and the day before, or one window: OHLC, volume, delta, VWAP, POC, VAH, VAL, initial balance.

    Use it to compare sessions, and for the levels each left. Rows: sessions and whole days, oldest first; or
    their bins.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: added up; the one that traded most when left out
        date: last day, as 2026-01-31; today when left out
        days: how many
        session: names to tell, as A,day
        sessions: definitions, NAME=HH:MM-HH:MM
        zone: IANA time zone of days and sessions
        since: begin of one window instead, whole minutes
        until: its end
        size: of a bin in quote units; about 40 bins when left out
        ticks: of a bin, instead of size
        by: what POC and value area go by
        value_area_pct: share of the volume that the value area holds
        value_area_rows: bins weighed at a time
        mode: synthetic spreads the volume of each few seconds evenly over their range
        normalize_seconds: of synthetic
        balance_minutes: of the initial balance
        bar: by which times of highs and lows are told
        levels: rows are the bins of each session
        top: only so many bins of each, the largest first
    """
    rules = Rules(by, value_area_pct, value_area_rows, mode, normalize_seconds).checked()
    asked_for = (
        _days(ask, date, days, session, sessions, zone)
        if since is None and until is None
        else [_explicit(ask, since, until)]
    )
    balance = balance_minutes * MINUTE
    asked = traded_in(ask, symbol, venues, *_begun(asked_for, ask.now))
    edges = [time for one in asked_for for time in (one.since, one.until, one.since + balance)]
    read = flow(ask, asked, common(edges, _length(bar)), rules, size, ticks)
    rows = [
        row
        for one in asked_for
        for row in (_bins(read, one, balance, top) if levels else _row(read, one, ask.now, balance))
    ]
    made = answer(
        ask, read.found, LEVELS if levels else SESSIONS, rows, stream="trades", asked=asked.venues,
        summary={
            "price_of": read.price_of,
            "bins": {"size": read.bins.width, "by": by, "mode": mode},
            "value_area": {"asked_pct": value_area_pct, "rows": value_area_rows},
            "zone": zone,
            "data_quality": quality(read.found, rules.algorithm),
        },
    )  # fmt: skip
    made.meta.warnings += unsided(read.found, read.units.base)
    return made


def _days(ask: Ask, said: str | None, count: int, session: str, definitions: str, zone: str) -> list[Window]:
    of = sessions(definitions, zone)
    every = [one for day in days_until(dated(ask, said, of), count) for one in of_day(day, of)]
    names = list(dict.fromkeys(one.name for one in every))
    wanted = names if session.strip().lower() == "all" else [one.strip() for one in session.split(",")]
    if strange := [one for one in wanted if one not in names]:
        raise InvalidArgument(f"no session {strange[0][:40]!r}", hint=f"sessions: {', '.join(names)}, or all")
    return [one for one in every if one.name in wanted]


def _begun(asked_for: Sequence[Window], now: Nanos) -> tuple[str, str]:
    """Return from when to when sessions reach, as far as time has; raise `NoData` where none has begun."""
    begun = [one for one in asked_for if one.since < now]
    if not begun:
        raise NoData("none of these sessions has begun", hint="days=2 tells those of the day before, too")
    last = min(max(one.until for one in begun), now)
    return str(min(one.since for one in begun) // MS), str(-(-last // MS))


def _explicit(ask: Ask, since: str | None, until: str | None) -> Window:
    """Return one window, from and until whole minutes that hold what was asked."""
    if since is None:
        raise InvalidArgument("a window has a begin", hint="since=-4h; without until it ends now")
    first, last = instant(since, ask.now), instant(until or "now", ask.now)
    if first >= last:
        raise InvalidArgument(
            "the window is empty: since does not lie before until", hint="since=-4h, until=now"
        )
    begin, end = first // MINUTE * MINUTE, -(-last // MINUTE) * MINUTE
    return Window(EXPLICIT, day_of(begin, time_zone("UTC")), begin, end)


def _length(bar: str) -> Nanos:
    """Return the longest bars by which highs and lows are dated: an hour, within which sessions begin."""
    found = written(bar)
    if found.length < MINUTE:
        raise InvalidArgument(f"bars of {found.name} are too short for days", hint="bar=1m to 1h")
    return min(found.length, HOUR)


def _row(read: Flow, of: Window, now: Nanos, balance: Nanos) -> list[list[Any]]:
    """Return the row of a session; one that has not begun, or was not collected, has no figures."""
    part = read.part(of.since, of.until, balance)
    head = [of.day.isoformat(), of.name, of.status(now), of.since // MS, of.until // MS]
    if part is None or not part.known:
        kept = [] if part is None else [part.coverage, grade(part.coverage)]
        return [[*head, *[None] * (len(SESSIONS) - len(head) - len(kept)), *kept]]
    span, area = part.span, part.area
    known = span.balance_until // MS if span.balance_until <= now else None
    return [[
            *head, span.open, span.high, span.low, span.close, _ms(span.high_time), _ms(span.low_time),
            span.volume, span.quote, span.delta, span.delta_quote, pct(span.delta, span.volume), span.trades,
            part.vwap.price,
            *((None, None, None) if area is None else (area.poc.bin.centre, area.vah.high, area.val.low)),
            span.balance_high, span.balance_low, known, part.coverage, grade(part.coverage),
    ]]  # fmt: skip


def _bins(read: Flow, of: Window, balance: Nanos, top: int | None) -> list[list[Any]]:
    """Return the bins of a session."""
    part = read.part(of.since, of.until, balance)
    if part is None:
        return []
    named = marks(part.profile, part.area)
    return [[of.day.isoformat(), of.name, *row] for row in bin_rows(part.profile, named, top)]


def _ms(time: Nanos | None) -> int | None:
    return None if time is None else time // MS

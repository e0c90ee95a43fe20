"""Funding between venues: where longs pay more than elsewhere, by each venue's own interval."""

from itertools import combinations
from typing import Annotated

from msgspec import Meta as Range

from orderflow.store.payments import HOURS_A_YEAR
from orderflow.tools.answers import Answer, Row, Table
from orderflow.tools.carry import Carry, carries_of, said_of
from orderflow.tools.crossing import BPS
from orderflow.tools.newest import meta_of_now
from orderflow.tools.past import answer, attempt, past
from orderflow.tools.prices import FAMILY
from orderflow.tools.spec import Ask, Instant, VenueId, tool

_PAIRS = {
    "short_venue": "", "long_venue": "", "gap_annual_pct": "% a year", "paid_gap_annual_pct": "% a year",
    "paid_gap_pct": "%", "short_rate": "fraction per interval", "short_interval_hours": "h",
    "long_rate": "fraction per interval", "long_interval_hours": "h", "fees_pct": "%", "break_even_days": "days",
}  # fmt: skip
_VENUES = {
    "venue": "", "rate": "fraction per interval", "interval_hours": "h", "annual_pct": "% a year",
    "next_settlement": "UTC", "age_ms": "ms", "paid_pct": "%", "paid_annual_pct": "% a year",
    "settlements": "count", "missing": "count", "lowest_rate": "fraction per interval",
    "highest_rate": "fraction per interval",
}  # fmt: skip
ROUND_TRIP = 2  # each side is opened and closed
DAYS_A_YEAR = HOURS_A_YEAR / 24


def _row(one: Carry) -> Row:
    paid = [one.paid.get(name) for name in ("settlements", "missing", "lowest_rate", "highest_rate")]
    return [
        one.venue, one.rate, one.interval_hours, one.annual_pct, one.next_settlement, one.age_ms,
        one.paid_pct, one.paid_annual_pct, *paid,
    ]  # fmt: skip


@tool(
    family=FAMILY,
    title="Funding between venues",
    columns=_PAIRS,
    example={"symbol": "BTCUSDT", "since": "-7d"},
    limit=20,
    asks_store=True,
)
def xv_funding_arbitrage(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1d",
    min_gap_annual_pct: Annotated[float, Range(ge=0)] = 0.0,
) -> Answer:
    """Pairs of perpetuals by their gap in funding: short where longs pay more, long where less, now and as
    paid since, each annualised by its own interval, with fees of the round trip.

    Use it for carry. The price may move between venues.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        since: begin of what was paid, as -7d
        min_gap_annual_pct: least gap of the announced rates
    """
    asked = past(ask, symbol, venues, since, str(ask.as_of + 1))
    stored = attempt(
        lambda: ask.history.funding_comparison(asked.symbol, asked.venues, asked.since, asked.until)
    )
    carries = carries_of(ask, asked, list(stored.rows()) if stored else [])
    pairs = [
        _pair(ask, *((one, other) if (one.annual_pct or 0) >= (other.annual_pct or 0) else (other, one)))
        for one, other in combinations(carries, 2)
        if one.annual_pct is not None and other.annual_pct is not None
    ]
    pairs = sorted((row for row in pairs if row[2] >= min_gap_annual_pct), key=lambda row: -row[2])
    summary = {
        "verdict": _verdict(pairs, carries, min_gap_annual_pct),
        "year": f"{HOURS_A_YEAR} h, not compounded",
    }
    if stored is not None:
        found = answer(
            ask, stored, _PAIRS, pairs, stream="funding_rates", asked=asked.venues, summary=summary
        )
    else:
        why = "nothing is stored of this window: what was paid is unknown"
        meta = meta_of_now(ask, asked, "funding_rates", _PAIRS, said_of(carries), {}, why)
        found = Answer(meta=meta, columns=list(_PAIRS), rows=pairs, summary=summary)
    found.more["venues"] = Table(columns=list(_VENUES), rows=[_row(one) for one in carries])
    found.meta.units |= {name: unit for name, unit in _VENUES.items() if unit}
    unknown = [one.venue for one in carries if one.annual_pct is None]
    if unknown:
        found.meta.warnings.append(
            f"{', '.join(unknown)}: left out of the pairs, the rate now or its interval is not known"
        )
    return found


def _pair(ask: Ask, short: Carry, long: Carry) -> Row:
    """Return what being short at one and long at the other earns; what was paid counts in the same direction."""
    gap = (short.annual_pct or 0.0) - (long.annual_pct or 0.0)
    fees = [ask.context.fees.get(one.venue) for one in (short, long)]
    cost = None if None in fees else ROUND_TRIP * sum(fee or 0.0 for fee in fees) / BPS * 100
    return [
        short.venue,
        long.venue,
        gap,
        _less(short.paid_annual_pct, long.paid_annual_pct),
        _less(short.paid_pct, long.paid_pct),
        short.rate,
        short.interval_hours,
        long.rate,
        long.interval_hours,
        cost,
        None if cost is None or gap <= 0 else cost / (gap / DAYS_A_YEAR),
    ]


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _verdict(pairs: list[Row], carries: list[Carry], least: float) -> str:
    known = [one for one in carries if one.annual_pct is not None]
    if len(known) < 2:
        return "nothing to compare: fewer than two venues tell their rate now"
    if not pairs:
        return f"no pair is {least:g} % a year apart"
    short, long, gap, *_, days = pairs[0]
    paid = "fees unknown" if days is None else f"fees are earned back after {days:.1f} days at that rate"
    return f"short {short}, long {long}: {gap:.2f} % a year; {paid}"

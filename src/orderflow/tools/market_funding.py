"""Funding now: what each venue's longs pay next, by when, and what they paid last."""

from collections import Counter
from typing import Annotated, Any

from msgspec import Meta as Range

from orderflow.market.errors import NoData
from orderflow.market.events import DAY, HOUR, MS
from orderflow.market.instruments import venue_id
from orderflow.store.windows import Window
from orderflow.tools.answers import Answer, Row, Table
from orderflow.tools.board import symbols
from orderflow.tools.carry import Carry, carries_of, dearest_first, said_of, tell
from orderflow.tools.market import FAMILY
from orderflow.tools.newest import FRESH, meta_of_now, newest, remarked
from orderflow.tools.past import Past, attempt, check_offered, past
from orderflow.tools.prices import units
from orderflow.tools.spec import Ask, VenueId, tool

_RATES = {
    "symbol": "", "venue": "", "funding_rate": "fraction per interval", "interval_hours": "h",
    "annual_pct": "% a year", "predicted_rate": "fraction per interval", "next_funding": "UTC", "age_ms": "ms",
    "source": "",
}  # fmt: skip
_PAID = {
    "time": "UTC", "venue": "", "funding_rate": "fraction per interval", "interval_hours": "h",
    "annualized_pct": "% a year",
}  # fmt: skip
LONGEST_HOURS = 8  # between settlements, as far as a window is reckoned from their number
MOST_PAID = 30  # rows of settlements in one answer: history_funding has pages of them


@tool(
    family=FAMILY,
    title="Funding now",
    columns=_RATES,
    example={"symbol": "BTCUSDT"},
    limit=50,
    core=False,
    asks_store=True,
)
def market_funding(
    ask: Ask,
    symbol: str | None = None,
    venues: list[VenueId] | None = None,
    settlements: Annotated[int, Range(ge=0, le=MOST_PAID)] = 3,
) -> Answer:
    """The funding rate of each venue now, per its own interval and annualised, the predicted one, when it is
    paid, and the last settlements.

    Use it for "what do longs pay"; history_funding has longer windows, xv_funding_arbitrage the gaps.

    Args:
        symbol: unified symbol as in BTCUSDT; all that are live when left out
        venues: all when left out
        settlements: last ones told of each venue
    """
    check_offered("funding_rates", None if venues is None else [venue_id(one) for one in venues])
    if symbol is None:
        return _every_symbol(ask, venues)
    span = max(settlements * LONGEST_HOURS * HOUR, DAY)
    asked = past(ask, symbol, venues, str((ask.now - span) // MS), str(ask.as_of + 1))
    part = (asked.symbol, asked.venues, asked.since, asked.until)
    stored = attempt(lambda: ask.history.funding_comparison(*part))
    carries = carries_of(ask, asked, list(stored.rows()) if stored else [])
    answer = _answer(ask, asked, carries, stored)
    paid = attempt(lambda: ask.history.settlements(*part)) if settlements and stored else None
    if paid is not None and (rows := _last(paid, settlements)):
        answer.more["settlements"] = Table(columns=list(_PAID), rows=rows[:MOST_PAID])
        answer.meta.units |= units(_PAID)
        if len(rows) > MOST_PAID:
            answer.meta.warnings.append(f"the newest {MOST_PAID} settlements of {len(rows)}: name venues")
    return answer


def _every_symbol(ask: Ask, venues: list[VenueId] | None) -> Answer:
    """Return the live rates of all symbols; of the store each is asked by its name."""
    known = symbols(ask, None)
    among = None if venues is None else list(dict.fromkeys(venue_id(one) for one in venues))
    told = newest(ask, ask.latest.fundings(None), most=FRESH).values()
    found: list[Carry] = []
    for event in told:
        if among is None or event.venue in among:
            found.append(Carry(symbol=event.symbol, venue=event.venue))
            tell(ask, found[-1], event)
    if not found:
        raise NoData(
            f"no funding rates received{'' if among is None else ' of ' + ', '.join(among)} in two hours",
            hint=f"name a symbol, and what is stored of it is looked at: {', '.join(known[:9])}",
        )
    asked = Past(symbol="", venues=among, since=ask.now - FRESH, until=ask.now)
    answer = _answer(ask, asked, dearest_first(found), None)
    answer.meta.warnings.append("settlements are told of one symbol: name it")
    return answer


def _answer(ask: Ask, asked: Past, carries: list[Carry], stored: Window | None) -> Answer:
    coverage = {} if stored is None else stored.coverage
    why = "nothing is stored of this window"
    meta = meta_of_now(ask, asked, "funding_rates", _RATES, said_of(carries), coverage, why)
    silent = [one.venue for one in carries if one.said is None]
    meta.venues.missing |= dict.fromkeys(silent, f"its rate was told more than {FRESH // HOUR} h ago")
    meta.warnings += remarked("funding_rates", meta.venues.answered)
    return Answer(
        meta=meta, columns=list(_RATES), rows=[_row(one) for one in carries], summary=_extremes(carries)
    )


def _row(one: Carry) -> Row:
    told = (None, None) if one.said is None else (one.said.age_ms, one.said.source)
    return [
        one.symbol, one.venue, one.rate, one.interval_hours, one.annual_pct, one.predicted, one.next_settlement,
        *told,
    ]  # fmt: skip


def _extremes(carries: list[Carry]) -> dict[str, Any]:
    """Return where longs pay most and least, of the rates that are known with their intervals."""
    known = [(one.annual_pct, one) for one in carries if one.annual_pct is not None]
    if not known:
        return {}
    most, least = max(known, key=lambda one: one[0]), min(known, key=lambda one: one[0])
    return {
        "longs_pay": sum(rate > 0 for rate, _ in known),
        "shorts_pay": sum(rate < 0 for rate, _ in known),
        "dearest_for_longs": {"symbol": most[1].symbol, "venue": most[1].venue, "annual_pct": most[0]},
        "cheapest_for_longs": {"symbol": least[1].symbol, "venue": least[1].venue, "annual_pct": least[0]},
    }


def _last(paid: Window, most: int) -> list[Row]:
    """Return the last settlements of each venue, newest first."""
    counted: Counter[str] = Counter()
    rows: list[Row] = []
    for row in reversed(list(paid.rows())):
        if row["settled"] and counted[row["venue"]] < most:
            counted[row["venue"]] += 1
            rows.append([row["settles_at"] // MS, *(row[name] for name in list(_PAID)[1:])])
    return rows

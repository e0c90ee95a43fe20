"""Funding now: what each venue's longs pay next, by when, and what they paid last."""

from collections import Counter
from typing import Annotated, Any

from msgspec import Meta as Range

from orderflow.market.errors import NoData, UnknownSymbol
from orderflow.market.events import DAY, HOUR, MS, Funding, Nanos
from orderflow.store.windows import Window
from orderflow.tools.answers import Answer, Row, Table
from orderflow.tools.asking import wanted_symbol
from orderflow.tools.board import symbols
from orderflow.tools.carry import Carry, carries_of, dearest_first, said_of, tell
from orderflow.tools.instead import NOBODY, Instead, ask_instead, check_answers, ids, reason, rest
from orderflow.tools.market import FAMILY
from orderflow.tools.newest import FRESH, meta_of_now, newest, remarked
from orderflow.tools.past import Past, attempt, past
from orderflow.tools.prices import units
from orderflow.tools.spec import AnyVenueId, Ask, tool

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
    open_world=True,
    asks_store=True,
)
def market_funding(
    ask: Ask,
    symbol: str | None = None,
    venues: list[AnyVenueId] | None = None,
    settlements: Annotated[int, Range(ge=0, le=MOST_PAID)] = 3,
) -> Answer:
    """The funding rate of each venue now, per its own interval and annualised, the predicted one, when it is
    paid, and the last settlements.

    Use it for "what do longs pay"; history_funding has longer windows, xv_funding_arbitrage the gaps.

    Args:
        symbol: unified symbol as in BTCUSDT; all of the venues named, or that are live, when left out
        venues: all that are collected when left out; others are asked
        settlements: last ones told of each venue
    """
    own = ids(venues)
    check_answers(ask, "funding_rates", "funding", own)
    if symbol is None:
        return _every_symbol(ask, own)
    span = max(settlements * LONGEST_HOURS * HOUR, DAY)
    asked = Past(symbol=wanted_symbol(symbol), venues=own, since=ask.now - span, until=ask.now + MS)
    carries: list[Carry] = []
    stored = why = None
    try:
        asked = past(ask, symbol, own, str(asked.since // MS), str(ask.as_of + 1))
        stored = _stored(ask, asked)
        carries = carries_of(ask, asked, list(stored.rows()) if stored else [])
    except (NoData, UnknownSymbol) as error:
        why = error
    told = {one.venue for one in carries if one.said is not None}
    left = own if not carries else [one for one in own or () if one not in told]
    found = ask_instead(ask, "funding", left, asked.symbol, (Funding,))
    carries = dearest_first(
        [*(one for one in carries if one.venue in told or not _among(found, one)), *_asked(ask, found)]
    )
    if not carries and why is not None:
        raise reason(found, None if ask.context.history is None else why, own)
    answer = _answer(ask, asked, carries, stored, found)
    paid = attempt(lambda: ask.history.settlements(*_part(asked))) if settlements and stored else None
    if paid is not None and (rows := _last(paid, settlements)):
        answer.more["settlements"] = Table(columns=list(_PAID), rows=rows[:MOST_PAID])
        answer.meta.units |= units(_PAID)
        if len(rows) > MOST_PAID:
            answer.meta.warnings.append(f"the newest {MOST_PAID} settlements of {len(rows)}: name venues")
    return answer


def _part(asked: Past) -> tuple[str, list[str] | None, Nanos, Nanos]:
    return asked.symbol, asked.venues, asked.since, asked.until


def _stored(ask: Ask, asked: Past) -> Window | None:
    return attempt(lambda: ask.history.funding_comparison(*_part(asked)))


def _among(found: Instead, one: Carry) -> bool:
    """Tell whether a venue of which only old rates are stored has told a new one."""
    return any(heard.venue == one.venue for heard in found.heard)


def _asked(ask: Ask, found: Instead) -> list[Carry]:
    """Return the rates that venues told when they were asked, the newest of each symbol."""
    told: dict[tuple[str, str], Carry] = {}
    for heard in found.heard:
        for event in heard.of(Funding):
            one = told[event.symbol, heard.venue] = Carry(symbol=event.symbol, venue=heard.venue)
            tell(ask, one, event, rest(heard))
    return list(told.values())


def _every_symbol(ask: Ask, own: list[str] | None) -> Answer:
    """Return the rates of all symbols: what is live, and of venues that are named, or where nothing is, all others."""
    live: list[Carry] = []
    for event in newest(ask, ask.latest.fundings(None), most=FRESH).values():
        if own is None or event.venue in own:
            live.append(Carry(symbol=event.symbol, venue=event.venue))
            tell(ask, live[-1], event)
    found = NOBODY if live and own is None else ask_instead(ask, "fundings", own, None, (Funding,))
    known = {(one.symbol, one.venue) for one in live}
    carries = [*live, *(one for one in _asked(ask, found) if (one.symbol, one.venue) not in known)]
    if not carries:
        known_symbols = symbols(ask, None)
        raise NoData(
            f"no funding rates received{'' if own is None else ' of ' + ', '.join(own)} in two hours",
            hint=f"name a symbol, and what is stored of it is looked at: {', '.join(known_symbols[:9])}",
        )
    asked = Past(symbol="", venues=own, since=ask.now - FRESH, until=ask.now)
    answer = _answer(ask, asked, dearest_first(carries), None, found)
    answer.meta.warnings.append("settlements are told of one symbol: name it")
    return answer


def _answer(ask: Ask, asked: Past, carries: list[Carry], stored: Window | None, found: Instead) -> Answer:
    coverage = {} if stored is None else stored.coverage
    why = "nothing is stored of this window"
    meta = meta_of_now(ask, asked, "funding_rates", _RATES, said_of(carries), coverage, why)
    silent = [one.venue for one in carries if one.said is None]
    meta.venues.missing |= dict.fromkeys(silent, f"its rate was told more than {FRESH // HOUR} h ago")
    meta.warnings += remarked("funding_rates", meta.venues.answered)
    found.add_to(meta)
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

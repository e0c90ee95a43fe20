"""Snapshot: all that is known of one symbol now, and how the last while compares."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from orderflow.market.events import HOUR, Event
from orderflow.store.payments import HOURS_A_YEAR
from orderflow.tools.answers import Answer, Row, Table, Window
from orderflow.tools.board import Place, boards, meta
from orderflow.tools.crossing import BPS
from orderflow.tools.market import FAMILY
from orderflow.tools.past import Past, attempt, by_venue, overall, past
from orderflow.tools.prices import units
from orderflow.tools.spec import Ask, Instant, VenueId, tool
from orderflow.tools.times import millis

E = TypeVar("E", bound=Event)

_NOW = {
    "venue": "", "market": "", "bid": "quote", "ask": "quote", "mid": "quote", "spread_bps": "bps",
    "imbalance": "ratio", "mark": "quote", "index": "quote", "basis_bps": "bps",
    "funding_rate": "fraction per interval", "interval_hours": "h", "funding_annual_pct": "% a year",
    "next_funding": "UTC", "open_interest": "base", "open_interest_usd": "USD", "volume_24h": "base",
    "quote_volume_24h": "quote", "high_24h": "quote", "low_24h": "quote", "change_24h_pct": "%", "age_ms": "ms",
}  # fmt: skip
_WHILE = {
    "venue": "", "lowest": "quote", "highest": "quote", "change_pct": "%", "volatility_annual_pct": "% a year",
    "trades": "count", "volume": "base", "buy_volume": "base", "sell_volume": "base", "delta": "base",
    "vwap": "quote", "long_liquidated": "quote", "short_liquidated": "quote", "coverage_pct": "%",
}  # fmt: skip
OLD: int = 24 * HOUR  # what was told so long ago is not shown as now's


@tool(
    family=FAMILY,
    title="Market snapshot",
    columns=_NOW,
    example={"symbol": "BTCUSDT", "since": "-1h"},
    limit=20,
    asks_store=True,
)
def market_snapshot(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    history: bool = True,
    since: Instant = "-1h",
) -> Answer:
    """All about a symbol on each venue now: prices, book imbalance, mark, basis, funding, open interest, 24
    hours; and the last while's range, volatility, flow and liquidations.

    Use it first, for an overview.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        history: add what is stored of the last while
        since: how long that is, as -1h
    """
    (board,) = boards(ask, symbol, venues)
    asked: Past | None = None
    answer = Answer(
        meta=meta(ask, [board], units(_NOW), venues),
        columns=list(_NOW),
        rows=_now(ask, board.symbol, board.places),
        summary=_extremes(board.places),
    )
    if history and ask.context.history is not None:
        asked = past(ask, board.symbol, venues, since, str(ask.as_of + 1))
        _add_while(ask, asked, answer)
    elif history:
        answer.meta.warnings.append("nothing is stored that could be asked: the last while is unknown")
    return answer


def _newest(ask: Ask, events: Iterable[E], symbol: str) -> dict[str, E]:
    """Return, by venue, what was told of a symbol and is not old."""
    return {
        one.venue: one
        for one in events
        if one.symbol == symbol and ask.now - (one.ts_recv or one.ts_event or 0) <= OLD
    }


def _now(ask: Ask, symbol: str, places: list[Place]) -> list[Row]:
    marks = _newest(ask, ask.latest.marks(symbol), symbol)
    fundings = _newest(ask, ask.latest.fundings(symbol), symbol)
    interests = _newest(ask, ask.latest.open_interests(symbol), symbol)
    days = _newest(ask, ask.latest.tickers(symbol), symbol)
    rows: list[Row] = []
    for place in places:
        mark, funding = marks.get(place.venue), fundings.get(place.venue)
        interest, day = interests.get(place.venue), days.get(place.venue)
        known: dict[str, Any] = {
            "venue": place.venue, "market": place.market, "bid": place.bid, "ask": place.ask, "mid": place.mid,
            "spread_bps": _spread(place), "imbalance": _imbalance(place), "age_ms": place.age_ms,
        }  # fmt: skip
        if mark is not None:
            known |= {"mark": mark.mark, "index": mark.index}
            known["basis_bps"] = (mark.mark / mark.index - 1) * BPS if mark.index else None
        if funding is not None:
            hours = funding.interval_hours
            known |= {"funding_rate": funding.rate, "interval_hours": hours}
            known["funding_annual_pct"] = funding.rate * HOURS_A_YEAR / hours * 100 if hours else None
            known["next_funding"] = None if funding.next_ts is None else millis(funding.next_ts)
        if interest is not None:
            known |= {"open_interest": interest.size, "open_interest_usd": interest.usd}
        if day is not None:
            known |= {
                "volume_24h": day.volume, "quote_volume_24h": day.quote_volume, "high_24h": day.high,
                "low_24h": day.low, "change_24h_pct": day.change_pct,
            }  # fmt: skip
        rows.append([known.get(name) for name in _NOW])
    return rows


def _spread(place: Place) -> float | None:
    if place.bid is None or place.ask is None or not place.mid:
        return None
    return (place.ask - place.bid) / place.mid * BPS


def _imbalance(place: Place) -> float | None:
    """Return bids less asks over their sum, of the levels that are known; None where a side is empty."""
    bids, asks = sum(size for _, size in place.bids), sum(size for _, size in place.asks)
    return (bids - asks) / (bids + asks) if bids and asks else None


def _extremes(places: list[Place]) -> dict[str, Any]:
    mids = sorted((one.mid, one.venue) for one in places if one.mid)
    if len(mids) < 2:
        return {}
    (low, lowest), (high, highest) = mids[0], mids[-1]
    return {"lowest": lowest, "highest": highest, "apart_bps": (high / low - 1) * BPS}


def _add_while(ask: Ask, asked: Past, found: Answer) -> None:
    """Add what is stored of the last while: a row a venue, of what could be asked."""
    part = (asked.symbol, asked.venues, asked.since, asked.until)
    history = ask.history
    flow, moves = attempt(lambda: history.flow(*part)), attempt(lambda: history.volatility(*part))
    ranges = attempt(lambda: history.percentiles(*part, (50.0,)))
    forced = attempt(lambda: history.liquidation_bars(part[0], part[1], None, part[2], part[3]))
    traded = by_venue(flow, "trades", "volume", "buy_volume", "sell_volume", "delta", "vwap")
    ends = by_venue(flow, "first", "last")
    moved = by_venue(moves, "annual_pct")
    ranged = by_venue(ranges, "lowest", "highest")
    closed = by_venue(forced, "long_value", "short_value")
    told = next((one for one in (ranges, flow, moves, forced) if one is not None), None)
    coverage = told.coverage if told is not None else {}
    venues = sorted({*traded, *moved, *ranged, *closed})
    if not venues:
        found.meta.warnings.append("nothing is stored of the last while")
        return
    rows: list[Row] = []
    for venue in venues:
        one = {"venue": venue, **ranged.get(venue, {}), **traded.get(venue, {})}
        if end := ends.get(venue):
            one["change_pct"] = (end["last"] / end["first"] - 1) * 100
        one["volatility_annual_pct"] = moved.get(venue, {}).get("annual_pct")
        if forced_there := closed.get(venue):
            one |= {
                "long_liquidated": forced_there["long_value"],
                "short_liquidated": forced_there["short_value"],
            }
        one["coverage_pct"] = coverage[venue].percent if venue in coverage else None
        rows.append([one.get(name) for name in _WHILE])
    found.more["last_while"] = Table(columns=list(_WHILE), rows=rows)
    found.meta.units |= units(_WHILE)
    found.meta.window = Window(since=millis(asked.since), until=millis(asked.until))
    found.meta.coverage_pct, found.meta.coverage_reason = overall(coverage)
    found.summary["last_while"] = _state(traded, closed)


def _state(
    traded: Mapping[str, Mapping[str, Any]], closed: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Say who was the aggressor and who was squeezed, where both sides are known."""
    return {
        "takers": _side(traded, "buy_volume", "sell_volume", ("bought more", "sold more")),
        "liquidated": _side(closed, "long_value", "short_value", ("more longs", "more shorts")),
    }


def _side(rows: Mapping[str, Mapping[str, Any]], one: str, other: str, said: tuple[str, str]) -> str | None:
    sums = [[row[name] for row in rows.values()] for name in (one, other)]
    if not rows or any(value is None for each in sums for value in each):
        return None
    first, second = sum(sums[0]), sum(sums[1])
    return "neither" if first == second else said[0] if first > second else said[1]

"""Snapshot: all that is known of one symbol now, and how the last while compares."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from orderflow.flow.books import books
from orderflow.flow.depth import depth
from orderflow.market.events import DAY
from orderflow.store.windows import Window as Found
from orderflow.tools.answers import Answer, Row, Table, Window
from orderflow.tools.board import Place, boards, meta
from orderflow.tools.carry import annual_pct
from orderflow.tools.crossing import BPS
from orderflow.tools.market import FAMILY
from orderflow.tools.newest import newest
from orderflow.tools.open_interest import opened
from orderflow.tools.past import Past, attempt, by_venue, overall, past
from orderflow.tools.prices import units
from orderflow.tools.spec import Ask, Instant, VenueId, tool
from orderflow.tools.times import millis, text

_NOW = {
    "venue": "", "market": "", "last": "quote", "bid": "quote", "ask": "quote", "mid": "quote", "spread_bps": "bps",
    "imbalance": "ratio", "depth_bid": "base", "depth_ask": "base", "depth_whole": "", "mark": "quote", "index": "quote", "basis_bps": "bps",
    "funding_rate": "fraction per interval", "interval_hours": "h", "funding_annual_pct": "% a year",
    "next_funding": "UTC", "open_interest": "base", "open_interest_usd": "USD", "open_interest_value": "quote",
    "cvd": "base", "last_trade": "UTC", "volume_24h": "base",
    "quote_volume_24h": "quote", "high_24h": "quote", "low_24h": "quote", "change_24h_pct": "%", "age_ms": "ms",
}  # fmt: skip
_WHILE = {
    "venue": "", "lowest": "quote", "highest": "quote", "change_pct": "%", "volatility_annual_pct": "% a year",
    "trades": "count", "volume": "base", "buy_volume": "base", "sell_volume": "base", "delta": "base",
    "vwap": "quote", "long_liquidated": "quote", "short_liquidated": "quote", "coverage_pct": "%",
}  # fmt: skip
WITHIN_BPS = 100.0  # of the mid, to either side: the depth that is summed


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
    """All about a symbol on each venue now: prices, depth within 1 %, mark, basis, funding, open interest, 24
    hours, CVD since 00:00 UTC; and the last while's range, volatility, flow and liquidations.

    Use it first, for an overview. depth_whole false: the kept levels end before 1 %.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        history: add what is stored: CVD, last trade, the last while
        since: how long that is, as -1h
    """
    (board,) = boards(ask, symbol, venues)
    stored = history and ask.context.history is not None
    asked = past(ask, board.symbol, venues, since, str(ask.as_of + 1)) if stored else None
    day = attempt(lambda: _day(ask, asked)) if asked is not None else None
    answer = Answer(
        meta=meta(ask, [board], units(_NOW), venues),
        columns=list(_NOW),
        rows=_now(ask, board.symbol, board.places, day),
        summary=_extremes(board.places),
    )
    if asked is not None:
        answer.summary["cvd"] = _anchor(ask, day)
        _add_while(ask, asked, answer)
    elif history:
        answer.meta.warnings.append("nothing is stored that could be asked: the last while is unknown")
    return answer


def _day(ask: Ask, asked: Past) -> Found:
    """Return what was traded since midnight UTC, from which the running CVD is counted."""
    return ask.history.flow(asked.symbol, asked.venues, ask.now // DAY * DAY, asked.until)


def _anchor(ask: Ask, day: Found | None) -> dict[str, Any]:
    """Say from when the running CVD is counted, and how much of that time was received."""
    since = {"since": text(millis(ask.now // DAY * DAY))}
    if day is None:
        return {**since, "reason": "no trades are stored of that time: the CVD is not known"}
    return {**since, "coverage_pct": {venue: one.percent for venue, one in day.coverage.items()}}


def _now(ask: Ask, symbol: str, places: list[Place], day: Found | None) -> list[Row]:
    marks = newest(ask, ask.latest.marks(symbol), symbol)
    fundings = newest(ask, ask.latest.fundings(symbol), symbol)
    interests = newest(ask, ask.latest.open_interests(symbol), symbol)
    tickers = newest(ask, ask.latest.tickers(symbol), symbol)
    flows = by_venue(day, "delta")
    rows: list[Row] = []
    for place in places:
        key = (symbol, place.venue)
        mark, funding, interest, ticker = (
            marks.get(key),
            fundings.get(key),
            interests.get(key),
            tickers.get(key),
        )
        known: dict[str, Any] = {
            "venue": place.venue, "market": place.market, "bid": place.bid, "ask": place.ask, "mid": place.mid,
            "spread_bps": _spread(place), "imbalance": _imbalance(place), "age_ms": place.age_ms, **_depth(place),
        }  # fmt: skip
        if mark is not None:
            known |= {"mark": mark.mark, "index": mark.index}
            known["basis_bps"] = (mark.mark / mark.index - 1) * BPS if mark.index else None
        if funding is not None:
            hours = funding.interval_hours
            known |= {"funding_rate": funding.rate, "interval_hours": hours}
            known["funding_annual_pct"] = annual_pct(funding.rate, hours)
            known["next_funding"] = None if funding.next_ts is None else millis(funding.next_ts)
        if interest is not None:
            one = opened(ask, interest, None if mark is None else mark.mark)
            known |= {"open_interest": one.size, "open_interest_usd": one.usd}
            known["open_interest_value"] = one.at_mark(one.size)
        if ticker is not None:
            known |= {
                "last": ticker.last, "volume_24h": ticker.volume, "quote_volume_24h": ticker.quote_volume,
                "high_24h": ticker.high, "low_24h": ticker.low, "change_24h_pct": ticker.change_pct,
            }  # fmt: skip
        if day is not None and place.venue in flows:
            last = day.coverage[place.venue].last
            known |= {
                "cvd": flows[place.venue]["delta"],
                "last_trade": None if last is None else millis(last),
            }
        rows.append([known.get(name) for name in _NOW])
    return rows


def _spread(place: Place) -> float | None:
    if place.bid is None or place.ask is None or not place.mid:
        return None
    return (place.ask - place.bid) / place.mid * BPS


def _depth(place: Place) -> dict[str, Any]:
    """Return what rests within 1 % of the mid, as far as the kept levels reach; None without a mid."""
    width = max(len(place.bids), len(place.asks), 1)
    sides = [
        np.array([[*level, *[np.nan] * (width - len(level))]])
        for side in (place.bids, place.asks)
        for level in ([price for price, _ in side], [size for _, size in side])
    ]
    found = depth(books(np.zeros(1, dtype=np.int64), *sides), (WITHIN_BPS,))
    if np.isnan(found.mid[0]):
        return {}
    return {
        "depth_bid": float(found.bid[0, 0]),
        "depth_ask": float(found.ask[0, 0]),
        "depth_whole": bool(found.whole[0, 0]),
    }


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

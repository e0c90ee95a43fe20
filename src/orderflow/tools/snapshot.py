"""Snapshot: all that is known of one symbol now, and how the last while compares."""

from typing import Any

import numpy as np

from orderflow.flow.books import books
from orderflow.flow.depth import depth
from orderflow.market.errors import NoData, OrderflowError, UnknownSymbol
from orderflow.market.events import DAY
from orderflow.market.instruments import MARKETS
from orderflow.store.windows import Window as Found
from orderflow.tools.answers import Answer, Row
from orderflow.tools.asking import Heard, wanted_symbol
from orderflow.tools.board import Board, Place, boards, meta
from orderflow.tools.carry import annual_pct
from orderflow.tools.crossing import BPS
from orderflow.tools.instead import ask_instead, ids, reason
from orderflow.tools.last_while import add_last_while
from orderflow.tools.market import FAMILY
from orderflow.tools.market_ticker import COLUMNS, PARTS, row_of
from orderflow.tools.newest import newest
from orderflow.tools.open_interest import opened
from orderflow.tools.past import Past, attempt, by_venue, past
from orderflow.tools.prices import units
from orderflow.tools.spec import AnyVenueId, Ask, Instant, tool
from orderflow.tools.times import millis, text

_NOW = {
    "venue": "", "market": "", "last": "quote", "bid": "quote", "ask": "quote", "mid": "quote", "spread_bps": "bps",
    "imbalance": "ratio", "depth_bid": "base", "depth_ask": "base", "depth_whole": "", "mark": "quote", "index": "quote", "basis_bps": "bps",
    "funding_rate": "fraction per interval", "interval_hours": "h", "funding_annual_pct": "% a year",
    "next_funding": "UTC", "open_interest": "base", "open_interest_usd": "USD", "open_interest_value": "quote",
    "cvd": "base", "last_trade": "UTC", "volume_24h": "base",
    "quote_volume_24h": "quote", "high_24h": "quote", "low_24h": "quote", "change_24h_pct": "%", "age_ms": "ms", "source": "",
}  # fmt: skip
WITHIN_BPS = 100.0  # of the mid, to either side: the depth that is summed


@tool(
    family=FAMILY,
    title="Market snapshot",
    columns=_NOW,
    example={"symbol": "BTCUSDT", "since": "-1h"},
    limit=20,
    open_world=True,
    asks_store=True,
)
def market_snapshot(
    ask: Ask,
    symbol: str,
    venues: list[AnyVenueId] | None = None,
    history: bool = True,
    since: Instant = "-1h",
) -> Answer:
    """All about a symbol on each venue now: prices, depth within 1 %, mark, basis, funding, open interest, 24
    hours, CVD since 00:00 UTC; and the last while's range, volatility, flow and liquidations.

    Use it first, for an overview. depth_whole false: the kept levels end before 1 %.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that are collected when left out; others are asked
        history: add what is stored: CVD, last trade, the last while
        since: how long that is, as -1h
    """
    own = ids(venues)
    why: OrderflowError | None = None
    try:
        (board,) = boards(ask, symbol, own)
    except (NoData, UnknownSymbol) as error:
        board, why = Board(symbol=wanted_symbol(symbol), places=[], missing={}), error
    live = {one.venue for one in board.places}
    left = own if not live else [one for one in own or () if one not in live]
    told = ask_instead(ask, "ticker", left, board.symbol, PARTS)
    if not live and not told.heard:
        raise reason(told, why, own)
    stored = history and bool(live) and ask.context.history is not None
    asked = past(ask, board.symbol, own, since, str(ask.as_of + 1)) if stored else None
    day = attempt(lambda: _day(ask, asked)) if asked is not None else None
    answer = Answer(
        meta=meta(ask, [board], units(_NOW), venues),
        columns=list(_NOW),
        rows=[*_now(ask, board.symbol, board.places, day), *_asked(told.heard, board.symbol)],
        summary=_extremes(board.places),
    )
    told.add_to(answer.meta)
    if asked is not None:
        answer.summary["cvd"] = _anchor(ask, day)
        add_last_while(ask, asked, answer)
    elif history:
        answer.meta.warnings.append("nothing is stored that could be asked: the last while is unknown")
    return answer


def _asked(heard: list[Heard], symbol: str) -> list[Row]:
    """Return a row of each venue that was asked: what its ticker tells, and of the book the touch alone."""
    rows: list[Row] = []
    for one in heard:
        known = dict(zip(COLUMNS, row_of(one, symbol), strict=True))
        bid, ask, mark, size = known["bid"], known["ask"], known["mark"], known["open_interest"]
        known |= {
            "market": MARKETS[one.venue].market, "volume_24h": known["volume"],
            "quote_volume_24h": known["quote_volume"], "high_24h": known["high"], "low_24h": known["low"],
            "change_24h_pct": known["change_pct"],
            "open_interest_value": None if mark is None or size is None else mark * size,
        }  # fmt: skip
        if bid is not None and ask is not None:
            known |= {"mid": (bid + ask) / 2, "spread_bps": (ask - bid) / (ask + bid) * 2 * BPS}
        rows.append([known.get(name) for name in _NOW])
    return rows


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
            "source": "stored" if ask.context.stored else "live",
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

"""Ticker: the rolling 24 hours of a symbol on each venue, with its touch and what a derivative adds."""

from typing import Any, Literal

from orderflow.market.events import Event, Funding, IndexPrice, MarkPrice, OpenInterest, Quote, Ticker
from orderflow.tools.answers import TIME, Answer, Row
from orderflow.tools.asking import Heard, Kinds, hear, instant_of, lately, tell, wanted_symbol
from orderflow.tools.carry import annual_pct
from orderflow.tools.crossing import BPS
from orderflow.tools.market import FAMILY
from orderflow.tools.spec import AnyVenueId, Ask, tool

COLUMNS = {
    "venue": "", "last": "quote", "bid": "quote", "ask": "quote", "open": "quote", "high": "quote", "low": "quote",
    "change": "quote", "change_pct": "%", "volume": "base", "quote_volume": "quote", "trades": "count", "vwap": "quote",
    "mark": "quote", "index": "quote", "basis_bps": "bps", "funding_rate": "fraction per interval",
    "interval_hours": "h", "funding_annual_pct": "% a year", "open_interest": "base", "open_interest_usd": "USD",
    "told": TIME, "age_ms": "ms", "source": "",
}  # fmt: skip
PARTS: Kinds = (Ticker, Quote, MarkPrice, IndexPrice, Funding, OpenInterest)


@tool(family=FAMILY, title="24-hour ticker", columns=COLUMNS, example={"symbol": "BTCUSDT"}, open_world=True)
def market_ticker(
    ask: Ask,
    symbol: str,
    venues: list[AnyVenueId] | None = None,
    window: Literal["24h", "1h", "4h", "12h", "3d", "7d"] = "24h",
) -> Answer:
    """Last price, touch, 24-hour range, change and volume of a symbol on each venue; of derivatives mark, index,
    basis, funding and open interest too.

    Use it for one symbol; market_tickers for all. From live data where they are fresh, else asked of the venue.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that answer when left out
        window: rolling window; others than 24h where a venue counts them
    """
    wanted = wanted_symbol(symbol)
    daily = window == "24h"
    found = hear(
        ask,
        ["ticker" if daily else "rolling_ticker"],
        venues,
        wanted,
        kinds=PARTS,
        live=(lambda venue: live_ticker(ask, venue, wanted)) if daily else None,
        period=None if daily else window,
    )
    return tell(ask, found, COLUMNS, [row_of(one, wanted) for one in found.heard], symbol=wanted)


def live_ticker(ask: Ask, venue: str, symbol: str) -> list[Event]:
    """Return what was heard of a symbol on a venue: nothing unless its 24 hours were."""
    latest = ask.latest
    parts = (latest.tickers, latest.quotes, latest.marks, latest.fundings, latest.open_interests)
    found: list[Event] = [one for part in parts for one in lately(part, venue, symbol)]
    return found if any(isinstance(one, Ticker) for one in found) else []


def change_pct(ticker: Ticker) -> float | None:
    """Return the change of 24 hours in percent: as told, or from where they began."""
    if ticker.change_pct is not None or ticker.last is None or not ticker.open:
        return ticker.change_pct
    return (ticker.last / ticker.open - 1) * 100


def _change(ticker: Ticker) -> float | None:
    if ticker.change is not None or ticker.last is None or ticker.open is None:
        return ticker.change
    return ticker.last - ticker.open


def row_of(heard: Heard, symbol: str) -> Row:
    """Return the row of one symbol on one venue; what the venue did not tell is null."""
    mine = heard._replace(events=[one for one in heard.events if one.symbol == symbol])
    ticker, quote, mark = mine.one(Ticker), mine.one(Quote), mine.one(MarkPrice)
    index, funding, interest = mine.one(IndexPrice), mine.one(Funding), mine.one(OpenInterest)
    known: dict[str, Any] = {"venue": heard.venue, "age_ms": heard.age_ms, "source": heard.source}
    if ticker is not None:
        known |= {
            "last": ticker.last, "open": ticker.open, "high": ticker.high, "low": ticker.low, "change": _change(ticker),
            "change_pct": change_pct(ticker), "volume": ticker.volume, "quote_volume": ticker.quote_volume,
            "trades": ticker.trade_count, "vwap": ticker.vwap,
            "told": instant_of(ticker),
        }  # fmt: skip
    if quote is not None:
        known |= {"bid": quote.bid, "ask": quote.ask}
    level = mark.index if mark is not None and mark.index else None if index is None else index.price
    known["index"] = level
    if mark is not None:
        known |= {"mark": mark.mark, "basis_bps": (mark.mark / level - 1) * BPS if level else None}
    if funding is not None:
        known |= {"funding_rate": funding.rate, "interval_hours": funding.interval_hours}
        known["funding_annual_pct"] = annual_pct(funding.rate, funding.interval_hours)
    if interest is not None:
        known |= {"open_interest": interest.size, "open_interest_usd": interest.usd}
    return [known.get(name) for name in COLUMNS]

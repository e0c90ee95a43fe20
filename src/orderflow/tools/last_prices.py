"""Last prices: one number a market, the touch, and the touch of the last while."""

from typing import Annotated, Literal

from msgspec import Meta as Range

from orderflow.market.events import Quote, Ticker
from orderflow.market.facts import LastPrice
from orderflow.tools.answers import TIME, Answer, Row
from orderflow.tools.asking import Heard, hear, instant_of, lately, tell, wanted_symbol
from orderflow.tools.crossing import BPS
from orderflow.tools.market import FAMILY
from orderflow.tools.spec import AnyVenueId, Ask, tool

_PRICES = {
    "symbol": "", "venue": "", "price": "quote", "kind": "", "minutes": "min", "told": TIME, "age_ms": "ms",
    "source": "",
}  # fmt: skip
_TOUCH = {
    "symbol": "", "venue": "", "bid": "quote", "bid_size": "base", "ask": "quote", "ask_size": "base",
    "mid": "quote", "spread": "quote", "spread_bps": "bps", "age_ms": "ms", "source": "",
}  # fmt: skip
_SPREADS = {
    "time": TIME, "venue": "", "bid": "quote", "ask": "quote", "spread": "quote", "spread_bps": "bps",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="Last prices",
    columns=_PRICES,
    example={"symbol": "BTCUSDT"},
    limit=100,
    open_world=True,
    core=False,
)
def market_prices(
    ask: Ask,
    symbol: str | None = None,
    venues: list[AnyVenueId] | None = None,
    kind: Literal["last", "mid", "average"] = "last",
) -> Answer:
    """One price a market: the last trade's, the mid of the touch, or the venue's average of some minutes.

    Use it for many symbols at once; xv_prices compares venues, market_ticker adds the 24 hours.

    Args:
        symbol: unified symbol as in BTCUSDT; every market of the venues when left out
        venues: all that answer when left out
        kind: last trade, mid, or average (its minutes are told)
    """
    wanted = None if symbol is None else wanted_symbol(symbol)
    if kind == "average":
        found = hear(ask, ["average_price"], venues, wanted, kinds=(LastPrice,))
    else:
        questions = ["price", "ticker", "quote"] if wanted else ["prices", "tickers", "quotes"]
        found = hear(ask, questions, venues, wanted, kinds=(LastPrice, Ticker, Quote))
    rows = [row for heard in found.heard for row in _priced(heard, wanted, kind)]
    return tell(ask, found, _PRICES, rows, symbol=wanted)


def _priced(heard: Heard, symbol: str | None, kind: str) -> list[Row]:
    """Return a row a symbol: of the kind that was asked, else of the one that the venue tells, which is named."""
    rows: dict[str, Row] = {}
    for one in heard.events:
        if symbol not in (None, one.symbol):
            continue
        price, named, minutes = _price(one)
        if price is None or (named != kind and one.symbol in rows):
            continue
        rows[one.symbol] = [
            one.symbol, heard.venue, price, named, minutes, instant_of(one), heard.age_ms, heard.source
        ]  # fmt: skip
    return list(rows.values())


def _price(one: object) -> tuple[float | None, str, float | None]:
    match one:
        case LastPrice():
            return one.price, one.kind, one.minutes
        case Ticker():
            return one.last, "last", None
        case Quote(bid=bid, ask=ask) if bid is not None and ask is not None:
            return (bid + ask) / 2, "mid", None
        case Quote():
            return one.mid, "mid", None
        case _:
            return None, "", None


@tool(
    family=FAMILY,
    title="Best bid and ask",
    columns=_TOUCH,
    example={"symbol": "BTCUSDT"},
    limit=100,
    open_world=True,
    core=False,
)
def market_best_quote(ask: Ask, symbol: str | None = None, venues: list[AnyVenueId] | None = None) -> Answer:
    """The touch of a symbol on each venue, or of every market of a venue: bid, ask, sizes, mid and spread.

    Use it for what can be dealt at now; market_orderbook has what stands behind.

    Args:
        symbol: unified symbol as in BTCUSDT; every market of the venues when left out
        venues: all that answer when left out
    """
    wanted = None if symbol is None else wanted_symbol(symbol)
    found = hear(
        ask,
        ["quote", "ticker"] if wanted else ["quotes", "tickers"],
        venues,
        wanted,
        kinds=(Quote,),
        live=None if wanted is None else lambda venue: lately(ask.latest.quotes, venue, wanted),
    )
    rows = [
        _touch(heard, one)
        for heard in found.heard
        for one in {one.symbol: one for one in heard.of(Quote) if wanted in (None, one.symbol)}.values()
    ]
    return tell(ask, found, _TOUCH, rows, symbol=wanted)


def _touch(heard: Heard, one: Quote) -> Row:
    mid, spread, bps = _spread(one)
    return [
        one.symbol, heard.venue, one.bid, one.bid_size, one.ask, one.ask_size, mid, spread, bps, heard.age_ms,
        heard.source,
    ]  # fmt: skip


def _spread(one: Quote) -> tuple[float | None, float | None, float | None]:
    """Return mid, spread and the spread over the mid; of an oracle's price the mid alone."""
    if one.bid is None or one.ask is None:
        return one.mid, None, None
    mid = (one.bid + one.ask) / 2
    return mid, one.ask - one.bid, (one.ask - one.bid) / mid * BPS if mid else None


@tool(
    family=FAMILY,
    title="Spread of the last while",
    columns=_SPREADS,
    example={"symbol": "BTCUSDT", "venues": ["kraken_spot"]},
    limit=100,
    open_world=True,
    core=False,
)
def market_spread_history(
    ask: Ask,
    symbol: str,
    venues: list[AnyVenueId] | None = None,
    count: Annotated[int, Range(ge=1, le=500)] = 100,
) -> Answer:
    """The touch and its spread at each of a venue's last changes, newest first, with mean and extremes.

    Use it where a venue answers that itself (Kraken spot); history_prices has what was collected here.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that publish it when left out
        count: changes back from now
    """
    wanted = wanted_symbol(symbol)
    found = hear(ask, ["quote_history"], venues, wanted, kinds=(Quote,), rows=count)
    rows: list[Row] = []
    summary: dict[str, object] = {}
    for heard in found.heard:
        kept = sorted(heard.of(Quote), key=lambda one: one.ts_event or 0)[-count:]
        rows += [
            [instant_of(one), heard.venue, one.bid, one.ask, *_spread(one)[1:]] for one in reversed(kept)
        ]
        known = [bps for one in kept if (bps := _spread(one)[2]) is not None]
        if known:
            summary[heard.venue] = {
                "mean_bps": sum(known) / len(known), "lowest_bps": min(known), "highest_bps": max(known),
            }  # fmt: skip
    return tell(ask, found, _SPREADS, rows, symbol=wanted, summary=summary)

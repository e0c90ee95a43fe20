"""REST of Kraken Futures below `/derivatives/api`; `kraken_futures_charts` has what lies below `/api/charts`.

What is wrong with a request is said under status 200, in the body alone.
"""

from datetime import UTC, datetime
from typing import Any

from orderflow.sim import kraken_futures_wire as wire
from orderflow.sim.happenings import Millis
from orderflow.sim.kraken_futures_wire import Words
from orderflow.sim.listings import COINS
from orderflow.sim.market import Market
from orderflow.sim.protocol import Endpoint, Question, Refusal

_TRADES = 100
MARGINS = [
    {"numNonContractUnits": floor, "initialMargin": initial, "maintenanceMargin": initial / 2}
    for floor, initial in ((0.0, 0.02), (2_000_000.0, 0.04), (10_000_000.0, 0.1))
]


def iso(ms: Millis) -> str:
    """A time as the venue writes it: 2026-09-21T14:13:20.123Z."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def refusal(status: int) -> Any:
    code = "apiLimitExceeded" if status == 429 else "Unavailable" if status >= 500 else "Bad Request"
    return {"result": "error", "error": code}


def _wrong(asked: Question, code: str) -> Refusal:
    return Refusal(200, {"result": "error", "error": code, "serverTime": iso(asked.now_ms)})


def _fine(asked: Question, **said: Any) -> Any:
    return {"result": "success", **said, "serverTime": iso(asked.now_ms)}


def product(asked: Question) -> tuple[Market, Words]:
    """The product asked for, which must be named and listed; in any case of letters."""
    name = asked.params.get("symbol", "")
    if not name:
        raise _wrong(asked, "requiredArgumentMissing")
    for symbol, market in asked.markets.items():
        listing = asked.place.listings[symbol]
        if listing.native == name.upper():
            return market, Words(listing)
    raise _wrong(asked, "contractNotFound")


# ── Products ──────────────────────────────────────────────────────────────────────────────────


def _instruments(asked: Question) -> Any:
    """What the venue lists: its perpetuals, one inverse product and one index beside them."""
    inverse = {
        "symbol": "PI_XBTUSD",
        "type": "futures_inverse",
        "tickSize": 0.5,
        "contractSize": 1,
        "tradeable": True,
        "openingDate": "2018-08-31T00:00:00Z",
        "contractValueTradePrecision": 0,
        "postOnly": False,
        "base": "BTC",
        "quote": "USD",
        "pair": "BTC:USD",
    }
    index = {"symbol": "in_xbtusd", "type": "spot index", "tradeable": False}
    return _fine(asked, instruments=[*(_product(asked, one) for one in asked.markets), inverse, index])


def _product(asked: Question, symbol: str) -> Any:
    listing, coin = asked.place.listings[symbol], COINS[symbol]
    return {
        "symbol": listing.native,
        "type": "flexible_futures",
        "tickSize": listing.tick_size,
        "contractSize": 1,
        "tradeable": True,
        "openingDate": "2022-03-22T13:18:45Z",
        "fundingRateCoefficient": 24,
        "maxRelativeFundingRate": 0.0025,
        "contractValueTradePrecision": listing.size_decimals,
        "postOnly": False,
        "mtf": True,
        "base": coin.base,
        "quote": "USD",
        "pair": f"{coin.base}:USD",
        "marginLevels": MARGINS,
    }


def _status(asked: Question) -> Any:
    products = [asked.place.listings[symbol].native for symbol in asked.markets]
    calm = {"isExperiencingDislocation": False, "isExperiencingExtremeVolatility": False}
    states = [{"tradeable": one, **calm} for one in products]
    return _fine(asked, instrumentStatus=states)


def _ticker(asked: Question, symbol: str) -> Any:
    market, words = asked.markets[symbol], Words(asked.place.listings[symbol])
    exchange, perpetual = market.exchanges[asked.venue], market.perpetuals[asked.venue]
    said = wire.ticker(words, exchange, perpetual, asked.now_ms)
    last = exchange.candles.last_fill
    return {
        "symbol": said.product_id,
        "last": said.last,
        "lastTime": iso(asked.now_ms if last is None else last.ts),
        "tag": said.tag,
        "pair": said.pair,
        "markPrice": said.markPrice,
        "bid": said.bid,
        "bidSize": said.bid_size,
        "ask": said.ask,
        "askSize": said.ask_size,
        "vol24h": said.volume,
        "volumeQuote": said.volumeQuote,
        "openInterest": said.openInterest,
        "open24h": said.open,
        "high24h": said.high,
        "low24h": said.low,
        "fundingRate": said.funding_rate,
        "fundingRatePrediction": said.funding_rate_prediction,
        "suspended": False,
        "indexPrice": said.index,
        "postOnly": False,
        "change24h": round(said.change, 2),
    }


def _tickers(asked: Question) -> Any:
    found = [_ticker(asked, symbol) for symbol in asked.markets]
    index = {"symbol": "in_xbtusd", "last": 0, "lastTime": iso(asked.now_ms)}
    return _fine(asked, tickers=[*found, index])


def _one_ticker(asked: Question) -> Any:
    return _fine(asked, ticker=_ticker(asked, product(asked)[0].symbol))


# ── Books, trades, funding ───────────────────────────────────────────────────────────


def _orderbook(asked: Question) -> Any:
    """The whole book, without the number by which diffs could join it."""
    market, words = product(asked)
    book = market.exchanges[asked.venue].book
    bids, asks = book.top(len(book.bids))[0], book.top(len(book.asks))[1]
    sides = {
        side: [(words.price(ticks), words.size(lots)) for ticks, lots in found]
        for side, found in (("bids", bids), ("asks", asks))
    }
    return _fine(asked, orderBook=sides)


def _history(asked: Question) -> Any:
    """The last hundred trades (before `lastTime`), newest first; `trade_id` is a place in the list."""
    market, words = product(asked)
    tape = market.exchanges[asked.venue].fills
    before = asked.params.get("lastTime")
    end = tape.next_id
    if before is not None:
        try:
            end = tape.since(round(datetime.fromisoformat(before).timestamp() * 1000))
        except ValueError:
            raise _wrong(asked, "invalidArgument") from None
    made = tape.rows(max(tape.first_id, end - 2 * _TRADES), min(2 * _TRADES, end - tape.first_id))
    rows = [row for row in made if row.lots][-_TRADES:]
    return _fine(
        asked,
        history=[
            {
                "time": iso(row.ts),
                "trade_id": place,
                "price": words.price(row.price),
                "size": words.size(row.lots),
                "side": "sell" if row.taker_sells else "buy",
                "type": "fill",
                "uid": words.uid(row.id),
            }
            for place, row in sorted(enumerate(rows, 1), reverse=True)
        ],
    )


def _funding(asked: Question) -> Any:
    market, _ = product(asked)
    perpetual = market.perpetuals[asked.venue]
    return _fine(
        asked,
        rates=[
            {
                "timestamp": iso(one.ts),
                "fundingRate": one.rate * one.mark,
                "relativeFundingRate": one.rate,
            }
            for one in perpetual.settlements
        ],
    )


_V3 = "/derivatives/api/v3"

ENDPOINTS = (
    Endpoint(f"{_V3}/instruments", _instruments),
    Endpoint(f"{_V3}/instruments/status", _status),
    Endpoint(f"{_V3}/tickers", _tickers),
    Endpoint(f"{_V3}/tickers/{{symbol}}", _one_ticker),
    Endpoint(f"{_V3}/orderbook", _orderbook),
    Endpoint(f"{_V3}/history", _history),
    Endpoint(f"{_V3}/historical-funding-rates", _funding),
    Endpoint("/derivatives/api/v4/historicalfundingrates", _funding),
)

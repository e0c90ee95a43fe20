"""REST of Binance spot, below `/api/v3`."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from orderflow.sim import binance
from orderflow.sim import binance_rest as rest
from orderflow.sim.candles import merged
from orderflow.sim.gathering import levels
from orderflow.sim.happenings import Candle
from orderflow.sim.listings import COINS, Wording
from orderflow.sim.protocol import Endpoint, Question

# Of a rolling window: minutes in a unit, and how many units at most.
_WINDOWS = {"m": (1, 59), "h": (60, 23), "d": (1440, 7)}
_OF_THE_DAY_ALONE = ("prevClosePrice", "lastQty", "bidPrice", "bidQty", "askPrice", "askQty")


def _chosen(asked: Question) -> tuple[list[str], bool]:
    """The symbols of `symbol`, of `symbols=["A","B"]` or all; and whether the answer is a list."""
    text = asked.params.get("symbols")
    if text is None:
        return rest.symbols(asked), "symbol" not in asked.params
    try:
        names = msgspec.json.decode(text, type=list[str])
    except msgspec.MsgspecError as error:
        raise rest.wrong(-1100, "Illegal characters found in parameter 'symbols'.") from error
    if not names or any(name not in asked.markets for name in names):
        raise rest.wrong(-1121, "Invalid symbol.")
    return names, True


def _each(row: Callable[[Question, str], Any]) -> Callable[[Question], Any]:
    def answer(asked: Question) -> Any:
        names, many = _chosen(asked)
        rows = [row(asked, name) for name in names]
        return rows if many else rows[0]

    return answer


def _nothing(asked: Question) -> Any:
    return {}


def _time(asked: Question) -> Any:
    return {"serverTime": asked.now_ms}


def _info(asked: Question) -> Any:
    return {
        "timezone": "UTC",
        "serverTime": asked.now_ms,
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300000},
        ],
        "exchangeFilters": [],
        "symbols": [_instrument(asked, symbol) for symbol in _chosen(asked)[0]],
    }


def _instrument(asked: Question, symbol: str) -> Any:
    listing = asked.place.listings[symbol]
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": COINS[symbol].base,
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "quoteAssetPrecision": 8,
        "isSpotTradingAllowed": True,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": listing.tick,
                "maxPrice": "1000000.00000000",
                "tickSize": listing.tick,
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": listing.lot,
                "maxQty": "9000000.00000000",
                "stepSize": listing.lot,
            },
            {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
        ],
        "permissionSets": [["SPOT"]],
    }


def _depth(asked: Question) -> Any:
    found, wording = rest.exchange(asked)
    count = min(rest.limit(asked, 100, 1_000_000), 5000)  # more than 5000 counts as 5000
    bids, asks = found.book.top(count)
    return {
        "lastUpdateId": found.book.update_id,
        "bids": levels(wording, bids),
        "asks": levels(wording, asks),
    }


def _agg_trades(asked: Question) -> Any:
    rows, wording = rest.aggregates(asked)
    return [
        {
            "a": row.id,
            "p": wording.price(row.price),
            "q": wording.size(row.lots),
            "f": row.first,
            "l": row.last,
            "T": row.ts,
            "m": row.taker_sells,
            "M": True,
        }
        for row in rows
    ]


def _trades(asked: Question) -> Any:
    rows, wording = rest.fills(asked)
    return [
        {
            "id": row.id,
            "price": wording.price(row.price),
            "qty": wording.size(row.lots),
            "quoteQty": wording.quote(row.price * row.lots),
            "time": row.ts,
            "isBuyerMaker": row.taker_sells,
            "isBestMatch": True,
        }
        for row in rows
    ]


def _day(asked: Question, symbol: str) -> Any:
    return _traded(asked, symbol, asked.markets[symbol].exchanges[asked.venue].candles.day())


def _traded(asked: Question, symbol: str, whole: Candle) -> Any:
    exchange = asked.markets[symbol].exchanges[asked.venue]
    words, book = Wording(exchange.listing), exchange.book
    day = binance.day(exchange.candles, words, 8, whole)
    return {
        "symbol": symbol,
        "priceChange": day.change,
        "priceChangePercent": day.percent,
        "weightedAvgPrice": day.average,
        "prevClosePrice": words.price(whole.open),
        "lastPrice": words.price(whole.close),
        "lastQty": words.size(day.last_lots),
        "bidPrice": words.price(book.best_bid),
        "bidQty": words.size(book.bids[book.best_bid]),
        "askPrice": words.price(book.best_ask),
        "askQty": words.size(book.asks[book.best_ask]),
        "openPrice": words.price(whole.open),
        "highPrice": words.price(whole.high),
        "lowPrice": words.price(whole.low),
        "volume": words.size(whole.lots),
        "quoteVolume": words.quote(whole.tick_lots),
        "openTime": whole.open_ms,
        "closeTime": asked.now_ms,
        "firstId": whole.first,
        "lastId": whole.last,
        "count": whole.trades,
    }


def _window(asked: Question, symbol: str) -> Any:
    """A rolling window, which begins with a minute, of what was traded since the start."""
    text = asked.params.get("windowSize", "1d")
    unit = _WINDOWS.get(text[-1:])
    if unit is None or not text[:-1].isdecimal() or not 1 <= int(text[:-1]) <= unit[1]:
        raise rest.wrong(-1130, "Data sent for parameter 'windowSize' is not valid.")
    candles = asked.markets[symbol].exchanges[asked.venue].candles
    whole = merged(candles.all()[-int(text[:-1]) * unit[0] :])
    row = _traded(asked, symbol, whole)
    return {name: said for name, said in row.items() if name not in _OF_THE_DAY_ALONE}


def _average(asked: Question, symbol: str) -> Any:
    """The mean of what was traded in the last five minutes, the running one included."""
    exchange = asked.markets[symbol].exchanges[asked.venue]
    whole = merged(exchange.candles.all()[-5:])
    fill = exchange.candles.last_fill
    return {
        "mins": 5,
        "price": binance.day(exchange.candles, Wording(exchange.listing), 8, whole).average,
        "closeTime": asked.now_ms if fill is None else fill.ts,
    }


def _price(asked: Question, symbol: str) -> Any:
    exchange = asked.markets[symbol].exchanges[asked.venue]
    return {"symbol": symbol, "price": Wording(exchange.listing).price(exchange.candles.running.close)}


def _best(asked: Question, symbol: str) -> Any:
    book = asked.markets[symbol].exchanges[asked.venue].book
    words = Wording(asked.place.listings[symbol])
    return {
        "symbol": symbol,
        "bidPrice": words.price(book.best_bid),
        "bidQty": words.size(book.bids[book.best_bid]),
        "askPrice": words.price(book.best_ask),
        "askQty": words.size(book.asks[book.best_ask]),
    }


def _klines(asked: Question) -> Any:
    return rest.klines(asked, 1000)


def _day_weight(params: Mapping[str, str]) -> int:
    if params.get("symbol"):
        return 2
    return 2 if 0 < params.get("symbols", "").count(",") < 20 else 80


def _window_weight(params: Mapping[str, str]) -> int:
    return min(200, 4 * (params.get("symbols", "").count(",") + 1))


_DEPTH_WEIGHT = rest.by_limit(100, (100, 5), (500, 25), (1000, 50), (5000, 250))

ENDPOINTS = (
    Endpoint("/api/v3/ping", _nothing, rest.flat(1)),
    Endpoint("/api/v3/time", _time, rest.flat(1)),
    Endpoint("/api/v3/exchangeInfo", _info, rest.flat(20)),
    Endpoint("/api/v3/depth", _depth, _DEPTH_WEIGHT),
    Endpoint("/api/v3/aggTrades", _agg_trades, rest.flat(4)),
    Endpoint("/api/v3/trades", _trades, rest.flat(25)),
    Endpoint("/api/v3/klines", _klines, rest.flat(2)),
    Endpoint("/api/v3/ticker/24hr", _each(_day), _day_weight),
    Endpoint("/api/v3/avgPrice", lambda asked: _average(asked, rest.symbol(asked)), rest.flat(2)),
    Endpoint("/api/v3/ticker", _each(_window), _window_weight),
    Endpoint("/api/v3/ticker/price", _each(_price), rest.one_or_all(2, 4)),
    Endpoint("/api/v3/ticker/bookTicker", _each(_best), rest.one_or_all(2, 4)),
)

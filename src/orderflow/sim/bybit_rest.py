"""REST of Bybit, below `/v5/market`. Every answer is HTTP 200 with a code of its own; lists are newest first."""

from collections.abc import Callable
from typing import Any

from orderflow.sim import bybit, bybit_facts
from orderflow.sim.bybit_params import (
    answered,
    category_of,
    exchange_of,
    limit_of,
    number_of,
    symbol_of,
    symbols_of,
    wrong,
)
from orderflow.sim.candles import MINUTE_MS, grouped
from orderflow.sim.gathering import levels
from orderflow.sim.listings import COINS
from orderflow.sim.protocol import Endpoint, Question

INTERVALS = {
    **{str(minutes): minutes for minutes in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)},
    "D": 1440,
}
_OPEN_INTEREST_MINUTES = {"5min": 5, "15min": 15, "30min": 30, "1h": 60, "4h": 240, "1d": 1440}
_SPOT = "spot"

# ── Answers ───────────────────────────────────────────────────────────────────────────────────


def _listed(row: Callable[[Question, str], Any]) -> Callable[[Question], Any]:
    """A list with a row of each symbol that is asked for."""

    def answer(asked: Question) -> Any:
        found = {"category": category_of(asked), "list": [row(asked, one) for one in symbols_of(asked)]}
        return answered(found, asked.now_ms)

    return answer


def _time(asked: Question) -> Any:
    found = {"timeSecond": str(asked.now_ms // 1000), "timeNano": str(asked.now_ms * 1_000_000)}
    return answered(found, asked.now_ms)


def _instrument(asked: Question, symbol: str) -> Any:
    listing = asked.place.listings[symbol]
    found: dict[str, Any] = {
        "symbol": symbol,
        "status": "Trading",
        "baseCoin": COINS[symbol].base,
        "quoteCoin": "USDT",
        "priceFilter": {"tickSize": listing.tick},
        "symbolType": "",
    }
    if asked.place.kind == _SPOT:
        lot = {"basePrecision": listing.lot, "minOrderQty": listing.lot, "minOrderAmt": "5"}
        return found | {"lotSizeFilter": lot}
    return found | {
        "contractType": "LinearPerpetual",
        "launchTime": "1700000000000",
        "deliveryTime": "0",
        "lotSizeFilter": {"qtyStep": listing.lot, "minOrderQty": listing.lot, "minNotionalValue": "5"},
        "fundingInterval": asked.place.funding_hours * 60,
        "settleCoin": "USDT",
        "isPreListing": False,
    }


def _ticker(asked: Question, symbol: str) -> Any:
    exchange, words = exchange_of(asked, symbol)
    book, perpetual = exchange.book, asked.markets[symbol].perpetuals.get(asked.venue)
    found = {
        "symbol": symbol,
        "lastPrice": words.price(exchange.candles.running.close),
        **bybit.day(exchange.candles, words),
        "bid1Price": words.price(book.best_bid),
        "bid1Size": words.size(book.bids[book.best_bid]),
        "ask1Price": words.price(book.best_ask),
        "ask1Size": words.size(book.asks[book.best_ask]),
    }
    return found if perpetual is None else found | bybit.marks(perpetual, words)


def _depth(asked: Question) -> Any:
    category, symbol = category_of(asked), symbol_of(asked)
    exchange, words = exchange_of(asked, symbol)
    bids, asks = exchange.book.top(limit_of(asked, 1 if category == _SPOT else 25, 1000))
    found = {
        "s": symbol,
        "b": levels(words, bids),
        "a": levels(words, asks),
        "ts": asked.now_ms,
        "u": exchange.book.update_id,
        "seq": exchange.book.update_id,
        "cts": asked.now_ms,
    }
    return answered(found, asked.now_ms)


def _trades(asked: Question) -> Any:
    category, symbol = category_of(asked), symbol_of(asked)
    exchange, words = exchange_of(asked, symbol)
    most = 60 if category == _SPOT else 1000
    rows = [
        {
            "execId": bybit.trade_id(row.id, spot=category == _SPOT),
            "symbol": symbol,
            "price": words.price(row.price),
            "size": words.size(row.lots),
            "side": "Sell" if row.taker_sells else "Buy",
            "time": str(row.ts),
            "isBlockTrade": False,
            "isRPITrade": row.hidden,
            "seq": str(exchange.book.update_id),
        }
        for row in exchange.fills.latest(limit_of(asked, min(500, most), most))
    ]
    return answered({"category": category, "list": rows[::-1]}, asked.now_ms)


def _klines(asked: Question) -> Any:
    category, symbol = category_of(asked), symbol_of(asked)
    _, words = exchange_of(asked, symbol)
    minutes = INTERVALS.get(asked.params.get("interval", ""))
    if minutes is None:
        raise wrong(asked, "Invalid period!")
    count, end = limit_of(asked, 200, 1000), min(number_of(asked, "end") or asked.now_ms, asked.now_ms)
    start = max(number_of(asked, "start") or 0, end - (count + 1) * minutes * MINUTE_MS)
    rows = [
        [
            str(one.open_ms),
            words.price(one.open),
            words.price(one.high),
            words.price(one.low),
            words.price(one.close),
            words.size(one.lots),
            words.quote(one.tick_lots),
        ]
        for one in grouped(asked.markets[symbol].minutes(asked.venue, start, end), minutes)
    ]
    newest = rows[::-1][:count]
    return answered({"symbol": symbol, "category": category, "list": newest}, asked.now_ms)


def _funding(asked: Question) -> Any:
    category, symbol = category_of(asked), symbol_of(asked)
    start, end = number_of(asked, "startTime"), number_of(asked, "endTime")
    if start is not None and end is None:
        raise wrong(asked, "params error: endTime is required with startTime")
    rows = [
        {"symbol": symbol, "fundingRate": f"{one.rate:.8f}", "fundingRateTimestamp": str(one.ts)}
        for one in asked.markets[symbol].perpetuals[asked.venue].settlements
        if (start or 0) <= one.ts and (end is None or one.ts <= end)
    ]
    newest = rows[::-1][: limit_of(asked, 200, 200)]
    return answered({"category": category, "list": newest}, asked.now_ms)


def _open_interest(asked: Question) -> Any:
    category, symbol = category_of(asked), symbol_of(asked)
    minutes = _OPEN_INTEREST_MINUTES.get(asked.params.get("intervalTime", ""))
    if minutes is None:
        raise wrong(asked, "params error: intervalTime invalid")
    _, words = exchange_of(asked, symbol)
    start, end = number_of(asked, "startTime"), number_of(asked, "endTime")
    end, count, width = min(end or asked.now_ms, asked.now_ms), limit_of(asked, 50, 200), minutes * MINUTE_MS
    found = asked.markets[symbol].open_interest(asked.venue, start or 0, end, count * minutes // 5)
    rows = [
        {
            "openInterest": words.size(2 * one.lots),
            "singleOpenInterest": words.size(one.lots),
            "timestamp": str(one.ts),
        }
        for one in reversed(found)
        if one.ts % width == 0
    ]
    said = {"symbol": symbol, "category": category, "list": rows[:count], "nextPageCursor": ""}
    return answered(said, asked.now_ms)


SPOT = (
    Endpoint("/v5/market/time", _time),
    Endpoint("/v5/market/instruments-info", _listed(_instrument)),
    Endpoint("/v5/market/tickers", _listed(_ticker)),
    Endpoint("/v5/market/orderbook", _depth),
    Endpoint("/v5/market/recent-trade", _trades),
    Endpoint("/v5/market/kline", _klines),
    *bybit_facts.OF_THE_VENUE,
)
LINEAR = (
    *SPOT,
    Endpoint("/v5/market/funding/history", _funding),
    Endpoint("/v5/market/open-interest", _open_interest),
    *bybit_facts.OF_CONTRACTS,
)

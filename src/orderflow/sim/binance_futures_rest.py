"""REST of Binance USD-M futures, below `/fapi`."""

from typing import Any

from orderflow.sim import binance
from orderflow.sim import binance_rest as rest
from orderflow.sim.binance_futures_data import DATA
from orderflow.sim.gathering import levels
from orderflow.sim.listings import COINS, Wording
from orderflow.sim.perpetual import CAP, INTEREST
from orderflow.sim.protocol import Endpoint, Question

# Lists adjusted symbols only, as the venue does.
_FUNDING_INFO = [
    {
        "symbol": "PNUTUSDT",
        "adjustedFundingRateCap": f"{CAP:.8f}",
        "adjustedFundingRateFloor": f"{-CAP:.8f}",
        "fundingIntervalHours": 8,
        "disclaimer": False,
    }
]
_DEPTHS = (5, 10, 20, 50, 100, 500, 1000)


def _nothing(asked: Question) -> Any:
    return {}


def _time(asked: Question) -> Any:
    return {"serverTime": asked.now_ms}


def _funding_info(asked: Question) -> Any:
    return _FUNDING_INFO


def _info(asked: Question) -> Any:
    return {
        "timezone": "UTC",
        "serverTime": asked.now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}
        ],
        "exchangeFilters": [],
        "assets": [],
        "symbols": [_instrument(asked, symbol) for symbol in asked.markets],
    }


def _instrument(asked: Question, symbol: str) -> Any:
    listing, coin = asked.place.listings[symbol], COINS[symbol]
    lots = {"minQty": listing.lot, "maxQty": "10000000", "stepSize": listing.lot}
    return {
        "symbol": symbol,
        "pair": symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "baseAsset": coin.base,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": listing.price_decimals,
        "quantityPrecision": listing.size_decimals,
        "underlyingType": "COIN",
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": listing.tick,
                "maxPrice": "10000000",
                "tickSize": listing.tick,
            },
            {"filterType": "LOT_SIZE", **lots},
            {"filterType": "MARKET_LOT_SIZE", **lots},
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
        ],
    }


def _depth(asked: Question) -> Any:
    found, wording = rest.exchange(asked)
    count = rest.limit(asked, 500, 1000)
    if count not in _DEPTHS:
        raise rest.wrong(-4021, f"{count} is not valid depth limit.")
    bids, asks = found.book.top(count)
    return {
        "lastUpdateId": found.book.update_id,
        "E": asked.now_ms,
        "T": asked.now_ms,
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
            "nq": wording.size(row.shown_lots),
            "f": row.first,
            "l": row.last,
            "T": row.ts,
            "m": row.taker_sells,
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
            "isRPITrade": row.hidden,
        }
        for row in rows
    ]


def _premium_index(asked: Question) -> Any:
    rows: list[Any] = []
    for symbol in rest.symbols(asked):
        marked = asked.markets[symbol].perpetuals[asked.venue].marked
        rows.append(
            {
                "symbol": symbol,
                "markPrice": f"{marked.mark:.8f}",
                "indexPrice": f"{marked.index:.8f}",
                "estimatedSettlePrice": f"{marked.index:.8f}",
                "lastFundingRate": f"{marked.funding:.8f}",
                "interestRate": f"{INTEREST:.8f}",
                "nextFundingTime": marked.next_funding_ms,
                "time": marked.ts,
            }
        )
    return rest.one_or_list(asked, rows)


def _funding_rate(asked: Question) -> Any:
    count = rest.limit(asked, 100, 1000)
    start, end = rest.number(asked, "startTime") or 0, rest.number(asked, "endTime")
    rows: list[dict[str, Any]] = []
    for symbol in rest.symbols(asked):
        market = asked.markets[symbol]
        paid = market.perpetuals[asked.venue].settlements
        then = market.pasts[asked.venue].funding(start, paid[0].ts) if start else []
        told = [
            *((ts, rate, paid[0].mark) for ts, rate in then),
            *((one.ts, one.rate, one.mark) for one in paid),
        ]
        rows += [
            {
                "symbol": symbol,
                "fundingRate": f"{rate:.8f}",
                "fundingTime": ts,
                "markPrice": f"{mark:.8f}",
                "rateType": "Regular",
            }
            for ts, rate, mark in told
            if ts >= start and (end is None or ts <= end)
        ]
    rows.sort(key=lambda row: row["fundingTime"])
    return rows[:count] if start else rows[-count:]


def _open_interest(asked: Question) -> Any:
    symbol = rest.symbol(asked)
    lots = asked.markets[symbol].perpetuals[asked.venue].open_lots
    words = Wording(asked.place.listings[symbol])
    return {"openInterest": words.size(lots), "symbol": symbol, "time": asked.now_ms}


def _day(asked: Question) -> Any:
    rows: list[Any] = []
    for symbol in rest.symbols(asked):
        exchange = asked.markets[symbol].exchanges[asked.venue]
        words = Wording(exchange.listing)
        day = binance.day(exchange.candles, words, 8)
        whole = day.whole
        rows.append(
            {
                "symbol": symbol,
                "priceChange": day.change,
                "priceChangePercent": day.percent,
                "weightedAvgPrice": day.average,
                "lastPrice": words.price(whole.close),
                "lastQty": words.size(day.last_lots),
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
        )
    return rest.one_or_list(asked, rows)


def _price(asked: Question) -> Any:
    rows: list[Any] = []
    for symbol in rest.symbols(asked):
        exchange = asked.markets[symbol].exchanges[asked.venue]
        price = Wording(exchange.listing).price(exchange.candles.running.close)
        rows.append({"symbol": symbol, "price": price, "time": asked.now_ms})
    return rest.one_or_list(asked, rows)


def _best(asked: Question) -> Any:
    rows: list[Any] = []
    for symbol in rest.symbols(asked):
        book = asked.markets[symbol].exchanges[asked.venue].book
        words = Wording(asked.place.listings[symbol])
        rows.append(
            {
                "symbol": symbol,
                "bidPrice": words.price(book.best_bid),
                "bidQty": words.size(book.bids[book.best_bid]),
                "askPrice": words.price(book.best_ask),
                "askQty": words.size(book.asks[book.best_ask]),
                "time": asked.now_ms,
            }
        )
    return rest.one_or_list(asked, rows)


def _klines(asked: Question) -> Any:
    return rest.klines(asked, 1500)


_DEPTH_WEIGHT = rest.by_limit(500, (50, 2), (100, 5), (500, 10), (1000, 20))
_KLINE_WEIGHT = rest.by_limit(500, (99, 1), (499, 2), (1000, 5), (1500, 10))

ENDPOINTS = (
    Endpoint("/fapi/v1/ping", _nothing, rest.flat(1)),
    Endpoint("/fapi/v1/time", _time, rest.flat(1)),
    Endpoint("/fapi/v1/exchangeInfo", _info, rest.flat(1)),
    Endpoint("/fapi/v1/depth", _depth, _DEPTH_WEIGHT),
    Endpoint("/fapi/v1/aggTrades", _agg_trades, rest.flat(20)),
    Endpoint("/fapi/v1/trades", _trades, rest.flat(5)),
    Endpoint("/fapi/v1/klines", _klines, _KLINE_WEIGHT),
    Endpoint("/fapi/v1/premiumIndex", _premium_index, rest.one_or_all(1, 10)),
    Endpoint("/fapi/v1/fundingRate", _funding_rate, rest.flat(0)),
    Endpoint("/fapi/v1/fundingInfo", _funding_info, rest.flat(0)),
    Endpoint("/fapi/v1/openInterest", _open_interest, rest.flat(1)),
    Endpoint("/fapi/v1/ticker/24hr", _day, rest.one_or_all(1, 40)),
    Endpoint("/fapi/v2/ticker/price", _price, rest.one_or_all(1, 2)),
    Endpoint("/fapi/v1/ticker/bookTicker", _best, rest.one_or_all(2, 5)),
    *DATA,
)

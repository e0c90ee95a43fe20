"""REST of Bybit's options, below `/v5/market`: the chain that Deribit has too, in quote and not in coin."""

import math
from typing import Any

from orderflow.sim import bybit_facts
from orderflow.sim.bybit_params import answered, category_of, limit_of, number_of, wrong
from orderflow.sim.deribit_chain import Contract, Quoted, listed, quoted
from orderflow.sim.happenings import Millis
from orderflow.sim.listings import COINS, Listing
from orderflow.sim.protocol import Endpoint, Question
from orderflow.sim.standing import volatility

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_EXPIRY_MS = 8 * _HOUR_MS  # of each day
_DAYS = (7, 14, 21, 30, 60, 90, 180, 270)
_MOST_SPAN_MS = 30 * _DAY_MS
_ENDING = "-USDT"
_LEVELS = 25

# ── What is asked for ─────────────────────────────────────────────────────────────────────────


def name(one: Contract) -> str:
    """The venue's name of an option of the chain."""
    return one.name + _ENDING


def _coins_of(asked: Question) -> list[str]:
    """The symbol of the coin that is asked for, BTC where none is; nothing where it has no options."""
    coin = asked.params.get("baseCoin") or "BTC"
    return [symbol for symbol in asked.markets if COINS[symbol].base == coin]


def _coin(asked: Question) -> str:
    found = _coins_of(asked)
    if not found:
        raise wrong(asked, "params error: baseCoin invalid")
    return found[0]


def _one(asked: Question) -> tuple[str, Contract]:
    for symbol in asked.markets:
        for one in listed(symbol, asked.now_ms):
            if name(one) == asked.params.get("symbol"):
                return symbol, one
    raise wrong(asked, "params error: symbol invalid")


def _chosen(asked: Question) -> list[tuple[str, Contract]]:
    """The options of a coin, of those one expiry where it is named; or the one option asked for."""
    category_of(asked)
    if asked.params.get("symbol"):
        return [_one(asked)]
    if not asked.params.get("baseCoin"):
        raise wrong(asked, "params error: baseCoin or symbol is required")
    day = asked.params.get("expDate")
    return [
        (symbol, one)
        for symbol in _coins_of(asked)
        for one in listed(symbol, asked.now_ms)
        if day in (None, one.name.split("-")[1])
    ]


# ── Answers ───────────────────────────────────────────────────────────────────────────────────


def sides(found: Quoted, tick: float) -> tuple[float, float]:
    """The best bid, 0 where there is none, and the best ask, in whole ticks of the quote coin."""
    bid = math.floor(found.bid * found.forward / tick) * tick
    return bid, max(1, math.ceil(found.ask * found.forward / tick)) * tick


def _ticker(asked: Question, symbol: str, one: Contract) -> dict[str, str]:
    listing, market = asked.place.listings[symbol], asked.markets[symbol]
    found = quoted(one, symbol, market.price, asked.now_ms)
    bid, ask = sides(found, listing.tick_size)
    greeks = found.priced
    return {
        "symbol": name(one),
        "bid1Price": f"{bid:.{listing.price_decimals}f}",
        "bid1Size": _size(listing, 12) if bid else "0",
        "bid1Iv": f"{found.bid_iv:.4f}" if bid else "0",
        "ask1Price": f"{ask:.{listing.price_decimals}f}",
        "ask1Size": _size(listing, 10),
        "ask1Iv": f"{found.ask_iv:.4f}",
        "lastPrice": "0",
        "highPrice24h": "0",
        "lowPrice24h": "0",
        "markPrice": f"{greeks.value:.8f}",
        "indexPrice": f"{market.price:.8f}",
        "markIv": f"{found.mark_iv:.4f}",
        "underlyingPrice": f"{found.forward:.8f}",
        "openInterest": f"{one.open_interest:.2f}",
        "turnover24h": "0",
        "volume24h": "0",
        "totalVolume": "0",
        "totalTurnover": "0",
        "delta": f"{greeks.delta:.8f}",
        "gamma": f"{greeks.gamma:.8f}",
        "vega": f"{greeks.vega:.8f}",
        "theta": f"{greeks.theta:.8f}",
        "predictedDeliveryPrice": "0",
        "change24h": "0",
    }


def _size(listing: Listing, lots: int) -> str:
    return f"{lots * listing.lot_size:.{listing.size_decimals}f}"


def _tickers(asked: Question) -> Any:
    rows = [_ticker(asked, symbol, one) for symbol, one in _chosen(asked)]
    return answered({"category": "option", "list": rows}, asked.now_ms)


def _depth(asked: Question) -> Any:
    """A book of a few levels a side, each a tick from the one before and a lot larger."""
    category_of(asked)
    symbol, one = _one(asked)
    listing = asked.place.listings[symbol]
    tick, digits, count = listing.tick_size, listing.price_decimals, limit_of(asked, 1, _LEVELS)
    bid, ask = sides(quoted(one, symbol, asked.markets[symbol].price, asked.now_ms), tick)
    below = [(bid - step * tick, 12 + step) for step in range(count) if bid - step * tick > tick / 2]
    above = [(ask + step * tick, 10 + step) for step in range(count)]
    bids, asks = (
        [[f"{price:.{digits}f}", _size(listing, lots)] for price, lots in side] for side in (below, above)
    )
    said = {"s": name(one), "b": bids, "a": asks, "ts": asked.now_ms, "u": asked.now_ms % 10**9}
    return answered(said, asked.now_ms)


def _instruments(asked: Question) -> Any:
    category_of(asked)
    rows = [
        _listed(asked.place.listings[symbol], one)
        for symbol in _coins_of(asked)
        for one in listed(symbol, asked.now_ms)
    ]
    most = limit_of(asked, 500, 1000)
    said = {"category": "option", "nextPageCursor": "", "list": rows[:most]}
    return answered(said, asked.now_ms)


def _listed(listing: Listing, one: Contract) -> dict[str, Any]:
    return {
        "symbol": name(one),
        "status": "Trading",
        "baseCoin": one.base,
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "optionsType": "Call" if one.call else "Put",
        "launchTime": str(one.listed_ms),
        "deliveryTime": str(one.expiry_ms),
        "deliveryFeeRate": "0.00015",
        "priceFilter": {"minPrice": listing.tick, "maxPrice": "1110000", "tickSize": listing.tick},
        "lotSizeFilter": {"maxOrderQty": "500", "minOrderQty": listing.lot, "qtyStep": listing.lot},
        "displayName": f"{listing.symbol}-{one.name.partition('-')[2]}",
    }


def _coins(asked: Question) -> Any:
    rows = [
        {
            "baseCoin": COINS[symbol].base,
            "quoteCoin": "USDT",
            "settleCoin": "USDT",
            "optionShowName": f"{COINS[symbol].base}-Options",
            "optionOnlineTime": 1_739_952_000_000,
            "hasSymbol": 1,
            "underlyingType": 0,
        }
        for symbol in asked.markets
    ]
    return answered({"list": rows}, asked.now_ms)


def realised(seed: int, symbol: str, days: int, ts: Millis) -> float:
    """The volatility that was realised over so many days before an hour."""
    return volatility(seed, "bybit_options", symbol, str(days), ts=ts)


def _realised(asked: Question) -> Any:
    """Rows of hours, newest first; of the last hour alone where no stretch is named."""
    category_of(asked)
    symbol, days = _coin(asked), number_of(asked, "period") or 7
    start, end = number_of(asked, "startTime"), number_of(asked, "endTime")
    if days not in _DAYS:
        raise wrong(asked, "params error: period invalid")
    if (start is None) != (end is None):
        raise wrong(asked, "params error: startTime and endTime are a pair")
    if start is None or end is None:
        start, end = asked.now_ms - _HOUR_MS, asked.now_ms
    if end - start > _MOST_SPAN_MS:
        raise wrong(asked, "params error: more than 30 days")
    last = min(end, asked.now_ms)
    rows = [
        {
            "period": days,
            "value": f"{realised(asked.markets[symbol].seed, symbol, days, ts):.8f}",
            "time": str(ts),
        }
        for ts in range(last - last % _HOUR_MS, start - 1, -_HOUR_MS)
    ]
    return {"retCode": 0, "retMsg": "SUCCESS", "category": "option", "result": rows}


def delivered(seed: int, symbol: str, ts: Millis) -> float:
    """The price at which the options of a day were settled."""
    return round(COINS[symbol].price * (0.9 + volatility(seed, symbol, "delivery", ts=ts) / 5), 8)


def _deliveries(asked: Question) -> Any:
    """Fifty days, newest first, each stamped with its midnight."""
    category_of(asked)
    if not asked.params.get("baseCoin"):
        raise wrong(asked, "params error: baseCoin is required")
    symbol = _coin(asked)
    last = (asked.now_ms - _EXPIRY_MS) // _DAY_MS * _DAY_MS
    rows = [
        {
            "deliveryPrice": f"{delivered(asked.markets[symbol].seed, symbol, ts):.8f}",
            "deliveryTime": str(ts),
        }
        for ts in range(last, last - 50 * _DAY_MS, -_DAY_MS)
    ]
    return answered({"category": "option", "list": rows}, asked.now_ms)


ENDPOINTS = (
    *(
        Endpoint(f"/v5/market/{path}", answer)
        for path, answer in (
            ("instruments-info", _instruments),
            ("tickers", _tickers),
            ("orderbook", _depth),
            ("historical-volatility", _realised),
            ("new-delivery-price", _deliveries),
            ("option-base-coins", _coins),
        )
    ),
    *bybit_facts.OF_THE_VENUE,
)

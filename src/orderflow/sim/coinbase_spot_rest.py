"""REST of Coinbase: the Exchange's host below the venue's path, Advanced Trade's below `/advanced`."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from orderflow.sim import coinbase_spot_wire as wire
from orderflow.sim.candles import grouped
from orderflow.sim.coinbase_spot_wire import Words
from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import Candle
from orderflow.sim.listings import COINS, Wording
from orderflow.sim.protocol import Endpoint, Question, Refusal

_GRANULARITIES = (60, 300, 900, 3600, 21_600, 86_400)
_NAMED = {
    "ONE_MINUTE": 60,
    "FIVE_MINUTE": 300,
    "FIFTEEN_MINUTE": 900,
    "THIRTY_MINUTE": 1800,
    "ONE_HOUR": 3600,
    "TWO_HOUR": 7200,
    "FOUR_HOUR": 14_400,
    "SIX_HOUR": 21_600,
    "ONE_DAY": 86_400,
}
_MOST_BARS, _MOST_ADVANCED_BARS = 300, 350
_MARKET = "/advanced/api/v3/brokerage/market"


def refusal(status: int) -> Any:
    if status == 429:
        return {"message": "Public rate limit exceeded"}
    return {"message": "ServiceUnavailable" if status >= 500 else "BadRequest"}


def refuses(headers: Mapping[str, str], path: str) -> Refusal | None:
    """The Exchange answers nobody who does not say who asks."""
    if path.startswith("/products") and not headers.get("user-agent"):
        return Refusal(400, {"message": "User-Agent header is required."})
    return None


def _product(asked: Question) -> tuple[Exchange, Words]:
    name = asked.params.get("product_id", "").upper()
    for symbol, market in asked.markets.items():
        listing = asked.place.listings[symbol]
        if listing.native == name:
            return market.exchanges[asked.venue], Words(listing)
    raise Refusal(404, {"message": "NotFound"})


# ── Products ──────────────────────────────────────────────────────────────────────────────────


def _products(asked: Question) -> Any:
    """What is listed, each product once more under the name that quotes USDC."""
    found = [_listed(asked, symbol) for symbol in asked.markets]
    return [one for row in found for one in (row, _renamed(row, "id", "quote_currency"))]


def _one_product(asked: Question) -> Any:
    words = _product(asked)[1]
    return next(one for one in _products(asked) if one["id"] == words.product)


def _renamed(row: dict[str, Any], id: str, quote: str) -> dict[str, Any]:
    return row | {id: row[id].replace("-USD", "-USDC"), quote: "USDC"}


def _listed(asked: Question, symbol: str) -> dict[str, Any]:
    listing = asked.place.listings[symbol]
    return {
        "id": listing.native,
        "base_currency": COINS[symbol].base,
        "quote_currency": "USD",
        "quote_increment": listing.tick,
        "base_increment": listing.lot,
        "display_name": listing.native,
        "min_market_funds": "1",
        "status": "online",
        "trading_disabled": False,
        "post_only": False,
        "auction_mode": False,
    }


def _advanced_products(asked: Question) -> Any:
    found: list[dict[str, Any]] = []
    for symbol in asked.markets:
        listing = asked.place.listings[symbol]
        words, candles = Words(listing), asked.markets[symbol].exchanges[asked.venue].candles
        whole = candles.day()
        row: dict[str, Any] = {
            "product_id": listing.native,
            "price": words.price(candles.running.close),
            "price_percentage_change_24h": f"{(candles.running.close / whole.open - 1) * 100:.14f}",
            "volume_24h": words.size(whole.lots),
            "approximate_quote_24h_volume": Wording(listing).quote(whole.tick_lots),
            "high_24h": words.price(whole.high),
            "low_24h": words.price(whole.low),
            "base_increment": listing.lot,
            "price_increment": listing.tick,
            "quote_min_size": "1",
            "is_disabled": False,
            "trading_disabled": False,
            "status": "online",
            "product_type": "SPOT",
            "base_currency_id": COINS[symbol].base,
            "quote_currency_id": "USD",
            "alias": "",
        }
        alias = _renamed(row, "product_id", "quote_currency_id") | {"alias": listing.native}
        found += [row, alias]
    return {"products": found, "num_products": len(found)}


def _advanced_product(asked: Question) -> Any:
    words = _product(asked)[1]
    return next(one for one in _advanced_products(asked)["products"] if one["product_id"] == words.product)


def _currencies(asked: Question) -> Any:
    steps = {COINS[symbol].base: asked.place.listings[symbol].lot for symbol in asked.markets}
    steps |= {"USD": "0.01", "USDC": "0.000001"}
    return [
        {"id": name, "name": name, "status": "online", "message": "", "max_precision": step}
        for name, step in steps.items()
    ]


# ── Prices, books, trades ─────────────────────────────────────────────────────────────────────


def _ticker(asked: Question) -> Any:
    exchange, words = _product(asked)
    (last,) = exchange.fills.latest(1)
    return {
        "trade_id": last.id,
        "price": words.price(last.price),
        "size": words.size(last.lots),
        "bid": words.price(exchange.book.best_bid),
        "ask": words.price(exchange.book.best_ask),
        "volume": words.size(exchange.candles.day().lots),
        "time": wire.iso(last.ts),
    }


def _stats(asked: Question) -> Any:
    exchange, words = _product(asked)
    whole = exchange.candles.day()
    return {
        "open": words.price(whole.open),
        "high": words.price(whole.high),
        "low": words.price(whole.low),
        "last": words.price(whole.close),
        "volume": words.size(whole.lots),
        "volume_30day": words.size(whole.lots),
    }


def _book(asked: Question) -> Any:
    exchange, words = _product(asked)
    book = exchange.book
    depth = 1 if asked.params.get("level", "1") == "1" else max(len(book.bids), len(book.asks))
    bids, asks = book.top(depth)
    return {
        "bids": [(*words.level(*one), 1) for one in bids],
        "asks": [(*words.level(*one), 1) for one in asks],
        "sequence": book.update_id,
        "auction_mode": False,
        "time": wire.iso(asked.now_ms),
    }


def _advanced_book(asked: Question) -> Any:
    exchange, words = _product(asked)
    bids, asks = exchange.book.top(min(int(asked.params.get("limit", "250")), 1000))
    sides = {
        name: [{"price": words.price(tick), "size": words.size(lots)} for tick, lots in side]
        for name, side in (("bids", bids), ("asks", asks))
    }
    return {"pricebook": {"product_id": words.product, **sides, "time": wire.iso(asked.now_ms)}}


def _trades(asked: Question) -> Any:
    """The latest so many, or those before the trade `after`."""
    exchange, words = _product(asked)
    tape, count = exchange.fills, min(int(asked.params.get("limit", "1000")), 1000)
    after = asked.params.get("after", "")
    end = min(int(after), tape.next_id) if after.isdecimal() else tape.next_id
    first = max(tape.first_id, end - count)
    rows = list(tape.rows(first, max(0, end - first)))
    kept = ("time", "trade_id", "size", "price", "side")
    found = [wire.match(words, one, "match") for one in reversed(rows)]
    return [{name: one[name] for name in kept} for one in found]


def _advanced_trades(asked: Question) -> Any:
    exchange, words = _product(asked)
    rows = list(exchange.fills.latest(min(int(asked.params.get("limit", "100")), 1000)))
    return {
        "trades": [wire.print_of(words, one) for one in reversed(rows)],
        "best_bid": words.price(exchange.book.best_bid),
        "best_ask": words.price(exchange.book.best_ask),
    }


# ── Candles ───────────────────────────────────────────────────────────────────────────────────


def _bars(asked: Question, seconds: int, allowed: Collection[int], most: int) -> tuple[list[Candle], Words]:
    """Those that have trades, newest first."""
    exchange, words = _product(asked)
    if seconds not in allowed:
        raise Refusal(400, {"message": "Unsupported granularity"})
    start, end = (_instant(asked, name) for name in ("start", "end"))
    last = asked.now_ms if end is None else min(end, asked.now_ms)
    first = last - most * seconds * 1000 if start is None else start
    if last - first > most * seconds * 1000:
        raise Refusal(400, {"message": f"granularity too small: more than {most} bars"})
    minutes = asked.markets[exchange.listing.symbol].minutes(asked.venue, first, last)
    found = [one for one in grouped(minutes, seconds // 60) if one.trades]
    return found[-most:][::-1], words


def _instant(asked: Question, name: str) -> int | None:
    """A time in seconds or in ISO 8601, as milliseconds."""
    text = asked.params.get(name)
    if text is None:
        return None
    try:
        return (
            int(text) * 1000 if text.isdecimal() else round(datetime.fromisoformat(text).timestamp() * 1000)
        )
    except ValueError:
        raise Refusal(400, {"message": f"{name} is no time"}) from None


def _candles(asked: Question) -> Any:
    bars, words = _bars(asked, int(asked.params.get("granularity", "60")), _GRANULARITIES, _MOST_BARS)
    return [
        (
            one.open_ms // 1000,
            *(float(words.price(price)) for price in (one.low, one.high, one.open, one.close)),
            float(words.size(one.lots)),
        )
        for one in bars
    ]


def _advanced_candles(asked: Question) -> Any:
    seconds = _NAMED.get(asked.params.get("granularity", ""), 0)
    bars, words = _bars(asked, seconds, _NAMED.values(), _MOST_ADVANCED_BARS)
    return {
        "candles": [
            {name: text for name, text in words.bar(one).items() if name != "product_id"} for one in bars
        ]
    }


def _time(asked: Question) -> Any:
    return {"iso": wire.iso(asked.now_ms), "epoch": asked.now_ms / 1000}


_ANSWERS: tuple[tuple[str, Callable[[Question], Any]], ...] = (
    ("/time", _time),
    ("/currencies", _currencies),
    ("/products", _products),
    ("/products/{product_id}", _one_product),
    ("/products/{product_id}/ticker", _ticker),
    ("/products/{product_id}/stats", _stats),
    ("/products/{product_id}/book", _book),
    ("/products/{product_id}/trades", _trades),
    ("/products/{product_id}/candles", _candles),
    ("/advanced/api/v3/brokerage/time", _time),
    (f"{_MARKET}/products", _advanced_products),
    (f"{_MARKET}/products/{{product_id}}", _advanced_product),
    (f"{_MARKET}/product_book", _advanced_book),
    (f"{_MARKET}/products/{{product_id}}/ticker", _advanced_trades),
    (f"{_MARKET}/products/{{product_id}}/candles", _advanced_candles),
)
ENDPOINTS = tuple(Endpoint(path, answer) for path, answer in _ANSWERS)

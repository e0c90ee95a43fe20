"""REST of Gate's futures, below `/api/v4`, and the rows that its socket writes alike.

Past liquidations are not kept, and not offered.
"""

from collections.abc import Mapping
from typing import Any

from orderflow.sim.candles import MINUTE_MS, grouped
from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import Candle, Fill, Lots, Millis, Ticks
from orderflow.sim.listings import Listing, Names, Wording
from orderflow.sim.market import Market
from orderflow.sim.perpetual import Perpetual
from orderflow.sim.protocol import Endpoint, Question, Refusal
from orderflow.sim.tape import Print

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.1", "0.00001", 1, 0, native="BTC_USDT", contract="0.0001"),
        Listing("ETHUSDT", "0.01", "0.001", 2, 0, native="ETH_USDT", contract="0.01"),
        Listing("SOLUSDT", "0.01", "0.1", 2, 0, native="SOL_USDT", contract="1"),
        Listing("XRPUSDT", "0.0001", "1", 4, 0, native="XRP_USDT", contract="10"),
        Listing("ARUSDT", "0.001", "0.1", 3, 0, native="AR_USDT", contract="0.1"),
        Listing("BRETTUSDT", "0.00001", "10", 5, 0, native="BRETT_USDT", contract="10"),
        Listing("POPCATUSDT", "0.00001", "1", 5, 0, native="POPCAT_USDT", contract="10"),
        Listing("WIFUSDT", "0.0001", "1", 4, 0, native="WIF_USDT", contract="1"),
        Listing("PNUTUSDT", "0.00001", "1", 5, 0, native="PNUT_USDT", contract="10"),
    )
}
NAMES = Names(LISTINGS)
_INTERVALS = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "8h": 480, "1d": 1440}


class Sizes:
    """Words prices, and sizes in contracts: as decimal texts, or as whole numbers rounded down."""

    def __init__(self, listing: Listing, *, whole: bool) -> None:
        self._words = Wording(listing)
        self._whole = whole
        self.price, self.base, self.quote = self._words.price, self._words.base, self._words.quote

    def size(self, lots: Lots) -> str | int:
        worded = self._words.size(lots)
        return int(float(worded)) if self._whole else worded

    def signed(self, lots: Lots) -> str | int:
        size = self.size(abs(lots))
        if isinstance(size, int):
            return -size if lots < 0 else size
        return f"-{size}" if lots < 0 else size

    def contracts(self, lots: Lots) -> float:
        return float(self._words.size(lots))


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────


def trade(one: Fill | Print, native: str, words: Sizes, exchange: Exchange) -> dict[str, Any]:
    """A trade; a row without size is told as a takeover of a position, at the last price and of 10 lots."""
    lots = one.lots or 10
    row: dict[str, Any] = {
        "size": words.signed(-lots if one.taker_sells else lots),
        "id": one.id,
        "create_time": one.ts // 1000,
        "create_time_ms": one.ts,
        "price": words.price(one.price or exchange.candles.running.close),
        "contract": native,
    }
    return row if one.lots else {**row, "is_internal": True}


def ticker(native: str, words: Sizes, exchange: Exchange, perpetual: Perpetual) -> dict[str, Any]:
    whole, marked = exchange.candles.day(), perpetual.marked
    change = whole.close - whole.open
    value = words.quote(whole.tick_lots)
    return {
        "contract": native,
        "last": words.price(whole.close),
        "change_percentage": f"{change / whole.open * 100:.4f}",
        "total_size": words.size(perpetual.open_lots),
        "volume_24h": words.size(whole.lots),
        "volume_24h_base": words.base(whole.lots),
        "volume_24h_quote": value,
        "volume_24h_settle": value,
        "mark_price": f"{marked.mark:.8g}",
        "funding_rate": f"{marked.funding:.6f}",
        "funding_rate_indicative": f"{marked.funding:.6f}",
        "funding_interval": perpetual.interval_ms // 1000,
        "funding_offset": 0,
        "funding_next_apply": marked.next_funding_ms // 1000,
        "index_price": f"{marked.index:.8g}",
        "quanto_base_rate": "",
        "low_24h": words.price(whole.low),
        "high_24h": words.price(whole.high),
        "price_type": "last",
        "change_from": "24h",
        "change_price": words.price(change),
    }


def candle(one: Candle, words: Sizes, value: str) -> dict[str, Any]:
    """A bar; `value` names the value traded: `a` on the socket, `sum` over REST."""
    return {
        "t": one.open_ms // 1000,
        "v": words.size(one.lots),
        "c": words.price(one.close),
        "h": words.price(one.high),
        "l": words.price(one.low),
        "o": words.price(one.open),
        value: words.quote(one.tick_lots),
    }


def statistics(words: Sizes, perpetual: Perpetual, now_ms: Millis, width_ms: Millis) -> dict[str, Any]:
    lots, marked = perpetual.open_lots, perpetual.marked
    return {
        "time": (now_ms - now_ms % width_ms) // 1000,
        "open_interest": words.contracts(lots),
        "open_interest_usd": float(words.base(lots)) * marked.mark,
        "mark_price": marked.mark,
    }


# ── Parameters ────────────────────────────────────────────────────────────────────────────────


def wrong(label: str, words: str, status: int = 400) -> Refusal:
    return Refusal(status, {"label": label, "message": words})


def _settled(asked: Question) -> None:
    if asked.params.get("settle") != "usdt":
        raise wrong("INVALID_PARAM_VALUE", "invalid argument: settle")


def _market(asked: Question) -> tuple[str, Market, Sizes]:
    """The contract asked for, which must be sent and listed."""
    _settled(asked)
    native = asked.params.get("contract", "")
    if not native:
        raise wrong("MISSING_REQUIRED_PARAM", "missing required param: contract")
    symbol = NAMES.symbol(native)
    if symbol is None or symbol not in asked.markets:
        raise wrong("CONTRACT_NOT_FOUND", f"contract {native} not found")
    return native, asked.markets[symbol], _sizes(asked, symbol)


def _markets(asked: Question) -> list[tuple[str, Market, Sizes]]:
    """The contract asked for, or all of them."""
    if asked.params.get("contract"):
        return [_market(asked)]
    _settled(asked)
    return [(NAMES.native(symbol), one, _sizes(asked, symbol)) for symbol, one in asked.markets.items()]


def _sizes(asked: Question, symbol: str) -> Sizes:
    return Sizes(asked.place.listings[symbol], whole=asked.headers.get("x-gate-size-decimal") != "1")


def _number(asked: Question, name: str, default: int, most: int) -> int:
    text = asked.params.get(name, str(default))
    if not text.isdecimal() or int(text) > most:
        raise wrong("INVALID_PARAM_VALUE", f"invalid argument: {name}")
    return int(text)


def _interval(asked: Question) -> int:
    interval = asked.params.get("interval", "5m")
    if interval not in _INTERVALS:
        raise wrong("INVALID_PARAM_VALUE", "invalid argument: interval")
    return _INTERVALS[interval]


_MOST_BARS = 2000
_LATEST = 10**12  # seconds: later than any time


def _since(asked: Question) -> tuple[int, int]:
    """From and to in seconds, both included."""
    return _number(asked, "from", 0, _LATEST), _number(asked, "to", _LATEST, _LATEST)


# ── Answers ───────────────────────────────────────────────────────────────────────────────────


def _time(asked: Question) -> Any:
    return {"server_time": asked.now_ms}


def _contract(asked: Question) -> Any:
    return _listed(asked, *_market(asked))


def _contracts(asked: Question) -> Any:
    return [_listed(asked, *one) for one in _markets(asked)]


def _listed(asked: Question, native: str, market: Market, words: Sizes) -> Any:
    exchange, perpetual = market.exchanges[asked.venue], market.perpetuals[asked.venue]
    listing, marked = exchange.listing, perpetual.marked
    return {
        "name": native,
        "type": "direct",
        "quanto_multiplier": listing.contract,
        "mark_price": f"{marked.mark:.8g}",
        "index_price": f"{marked.index:.8g}",
        "last_price": words.price(exchange.candles.running.close),
        "funding_rate": f"{marked.funding:.6f}",
        "funding_rate_indicative": f"{marked.funding:.6f}",
        "funding_interval": perpetual.interval_ms // 1000,
        "funding_next_apply": marked.next_funding_ms // 1000,
        "order_price_round": listing.tick,
        "mark_price_round": listing.tick,
        "order_size_min": words.size(1) or 1,
        "order_size_max": "1000000",
        "position_size": words.size(perpetual.open_lots),
        "trade_id": exchange.fills.last_id,
        "orderbook_id": exchange.book.update_id,
        "create_time": 1_574_000_000,
        "in_delisting": False,
        "status": "trading",
    }


def _order_book(asked: Question) -> Any:
    _, market, words = _market(asked)
    book = market.exchanges[asked.venue].book
    bids, asks = book.top(_number(asked, "limit", 10, 300))

    def rungs(side: list[tuple[Ticks, Lots]]) -> list[Any]:
        return [{"s": words.size(lots), "p": words.price(tick)} for tick, lots in side]

    times = {"current": asked.now_ms / 1000, "update": asked.now_ms / 1000}
    said = {**times, "asks": rungs(asks), "bids": rungs(bids)}
    return {"id": book.update_id, **said} if asked.params.get("with_id") == "true" else said


def _trades(asked: Question) -> Any:
    native, market, words = _market(asked)
    exchange = market.exchanges[asked.venue]
    count, (start, end) = _number(asked, "limit", 100, 1000), _since(asked)
    tape = exchange.fills
    first, stop = tape.since(start * 1000), tape.since((end + 1) * 1000)
    rows = list(tape.rows(max(first, stop - count), min(count, stop - first)))
    found = [trade(one, native, words, exchange) for one in reversed(rows)]
    for row in found:
        row["create_time"] = row["create_time_ms"] = row["create_time_ms"] / 1000
    return found


def _candlesticks(asked: Question) -> Any:
    """The latest so many, or those between two times; never both."""
    _, market, words = _market(asked)
    minutes, (start, end) = _interval(asked), _since(asked)
    between = bool(asked.params.get("from") or asked.params.get("to"))
    if asked.params.get("limit") and between:
        raise wrong("INVALID_PARAM_VALUE", "limit conflicts with from and to")
    count, width_ms = _number(asked, "limit", 100, 2000), minutes * MINUTE_MS
    last = min(end * 1000, asked.now_ms)
    first = start * 1000 if asked.params.get("from") else last - count * width_ms
    if last - first > _MOST_BARS * width_ms:
        raise wrong("INVALID_PARAM_VALUE", "Candlestick range too broad")
    found = grouped(market.minutes(asked.venue, first, last), minutes)
    return [candle(one, words, "sum") for one in (found if between else found[-count:])]


def _tickers(asked: Question) -> Any:
    found: list[Any] = []
    for native, market, words in _markets(asked):
        exchange = market.exchanges[asked.venue]
        book = exchange.book
        found.append(
            {
                **ticker(native, words, exchange, market.perpetuals[asked.venue]),
                "lowest_ask": words.price(book.best_ask),
                "lowest_size": words.size(book.asks[book.best_ask]),
                "highest_bid": words.price(book.best_bid),
                "highest_size": words.size(book.bids[book.best_bid]),
            }
        )
    return found


def _funding_rate(asked: Question) -> Any:
    _, market, _ = _market(asked)
    count, (start, end) = _number(asked, "limit", 100, 1000), _since(asked)
    paid = [one for one in market.perpetuals[asked.venue].settlements if start <= one.ts // 1000 <= end]
    return [{"t": one.ts // 1000, "r": f"{one.rate:.6f}"} for one in reversed(paid[-count:])]


def _contract_stats(asked: Question) -> Any:
    """Rows from a time on, else the latest ones; all but the one of now as the seed tells them."""
    _, market, words = _market(asked)
    minutes, count = _interval(asked), _number(asked, "limit", 30, 100)
    perpetual, width_ms = market.perpetuals[asked.venue], minutes * MINUTE_MS
    running = asked.now_ms - asked.now_ms % width_ms
    start = _number(asked, "from", (running - (count - 1) * width_ms) // 1000, _LATEST) * 1000
    then = market.pasts[asked.venue].open_interest(start, min(running, start + count * width_ms))
    rows = [
        {
            "time": one.ts // 1000,
            "open_interest": words.contracts(one.lots),
            "open_interest_usd": float(words.quote(one.tick_lots)),
        }
        for one in then
        if one.ts % width_ms == 0
    ]
    if start <= running:
        rows.append(statistics(words, perpetual, asked.now_ms, width_ms))
    return rows[:count]


def _risk_limit_tiers(asked: Question) -> Any:
    return [
        {
            "contract": native,
            "tier": tier,
            "risk_limit": str(limit),
            "leverage_max": str(leverage),
            "initial_rate": f"{1 / leverage:.4f}",
            "maintenance_rate": f"{0.5 / leverage:.4f}",
        }
        for native, _, _ in _markets(asked)
        for tier, limit, leverage in ((1, 100_000, 100), (2, 1_000_000, 50), (3, 10_000_000, 10))
    ]


def _insurance(asked: Question) -> Any:
    """One row for each of the last days; the fund grows by a little every day."""
    _settled(asked)
    day = asked.now_ms // 86_400_000
    count = _number(asked, "limit", 100, 1000)
    return [{"t": one * 86_400, "b": f"{one * 1000.0:.2f}"} for one in range(day, day - count, -1)]


_LABELS = {
    403: ("FORBIDDEN", "forbidden"),
    404: ("NOT_FOUND", "no such path"),
    405: ("METHOD_NOT_ALLOWED", "method not allowed"),
    429: ("TOO_MANY_REQUESTS", "Request rate limit exceeded"),
    503: ("TOO_BUSY", "the system is busy"),
}


def refusal(status: int) -> Any:
    label, words = _LABELS.get(status, ("SERVER_ERROR", "internal server error"))
    return {"label": label, "message": words}


def meter(used: int, most: int) -> Mapping[str, str]:
    left = str(max(0, most - used))
    return {"X-Gate-RateLimit-Limit": str(most), "X-Gate-RateLimit-Requests-Remain": left}


_FUTURES = "/api/v4/futures/{settle}"

ENDPOINTS = (
    Endpoint("/api/v4/spot/time", _time),
    Endpoint(f"{_FUTURES}/contracts", _contracts),
    Endpoint(f"{_FUTURES}/contracts/{{contract}}", _contract),
    Endpoint(f"{_FUTURES}/order_book", _order_book),
    Endpoint(f"{_FUTURES}/trades", _trades),
    Endpoint(f"{_FUTURES}/candlesticks", _candlesticks),
    Endpoint(f"{_FUTURES}/tickers", _tickers),
    Endpoint(f"{_FUTURES}/funding_rate", _funding_rate),
    Endpoint(f"{_FUTURES}/contract_stats", _contract_stats),
    Endpoint(f"{_FUTURES}/risk_limit_tiers", _risk_limit_tiers),
    Endpoint(f"{_FUTURES}/insurance", _insurance),
)

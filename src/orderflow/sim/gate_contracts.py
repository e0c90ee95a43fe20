"""What Gate's perpetuals and dated contracts answer over REST alike, and the rows that a socket writes so too."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from orderflow.sim.candles import MINUTE_MS, gathered
from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import Candle, Fill, Lots, Millis, Ticks
from orderflow.sim.listings import Listing, Wording
from orderflow.sim.market import Market
from orderflow.sim.protocol import Question, Refusal
from orderflow.sim.tape import Print

INTERVALS = {
    "1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480, "12h": 720,
    "1d": 1440, "7d": 10_080, "1w": 10_080,
}  # fmt: skip
_MONDAY_MS = 4 * 86_400_000  # the first of 1970: a week begins on it, seven days on the first of January
_FRIDAY = 4
_MOST_BARS = 2000
_MOST_LEVELS = {"perpetual": 300, "future": 50}
LATEST = 10**12  # seconds: later than any time


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


def day(exchange: Exchange, words: Sizes) -> dict[str, Any]:
    """What a ticker says of the rolling day."""
    whole = exchange.candles.day()
    change = whole.close - whole.open
    value = words.quote(whole.tick_lots)
    return {
        "last": words.price(whole.close),
        "change_percentage": f"{change / whole.open * 100:.4f}",
        "volume_24h": words.size(whole.lots),
        "volume_24h_base": words.base(whole.lots),
        "volume_24h_quote": value,
        "volume_24h_settle": value,
        "quanto_base_rate": "",
        "low_24h": words.price(whole.low),
        "high_24h": words.price(whole.high),
        "price_type": "last",
        "change_from": "24h",
        "change_price": words.price(change),
    }


def best(exchange: Exchange, words: Sizes) -> dict[str, Any]:
    """What a ticker over REST says of the touch."""
    book = exchange.book
    return {
        "lowest_ask": words.price(book.best_ask),
        "lowest_size": words.size(book.asks[book.best_ask]),
        "highest_bid": words.price(book.best_bid),
        "highest_size": words.size(book.bids[book.best_bid]),
    }


# ── Parameters ────────────────────────────────────────────────────────────────────────────────


def wrong(label: str, words: str, status: int = 400) -> Refusal:
    return Refusal(status, {"label": label, "message": words})


def settled(asked: Question) -> None:
    if asked.params.get("settle") != "usdt":
        raise wrong("INVALID_PARAM_VALUE", "invalid argument: settle")


def expiry(now_ms: Millis) -> datetime:
    """When the dated contracts of now are settled: the last Friday of a quarter, 08:00 UTC."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    day = now.replace(hour=8, minute=0, second=0, microsecond=0)
    while True:
        a_week_on = day + timedelta(days=7)
        if day > now and day.weekday() == _FRIDAY and day.month % 3 == 0 and a_week_on.month != day.month:
            return day
        day += timedelta(days=1)


def native(asked: Question, symbol: str) -> str:
    """A contract's name, which ends in its day where it has one."""
    name = asked.place.listings[symbol].native
    return f"{name}_{expiry(asked.now_ms):%Y%m%d}" if asked.place.kind == "future" else name


def contract(asked: Question) -> tuple[str, Market, Sizes]:
    """The contract asked for, which must be sent and listed."""
    settled(asked)
    name = asked.params.get("contract", "")
    if not name:
        raise wrong("MISSING_REQUIRED_PARAM", "missing required param: contract")
    for symbol, market in asked.markets.items():
        if native(asked, symbol) == name:
            return name, market, sizes(asked, symbol)
    raise wrong("CONTRACT_NOT_FOUND", f"contract {name} not found")


def contracts(asked: Question) -> list[tuple[str, Market, Sizes]]:
    """The contract asked for, or all of them."""
    if asked.params.get("contract"):
        return [contract(asked)]
    settled(asked)
    return [(native(asked, symbol), one, sizes(asked, symbol)) for symbol, one in asked.markets.items()]


def sizes(asked: Question, symbol: str) -> Sizes:
    return Sizes(asked.place.listings[symbol], whole=asked.headers.get("x-gate-size-decimal") != "1")


def number(asked: Question, name: str, default: int, most: int) -> int:
    text = asked.params.get(name, str(default))
    if not text.isdecimal() or int(text) > most:
        raise wrong("INVALID_PARAM_VALUE", f"invalid argument: {name}")
    return int(text)


def minutes(asked: Question) -> int:
    """How long the interval asked for is."""
    interval = asked.params.get("interval", "5m")
    if interval not in INTERVALS:
        raise wrong("INVALID_PARAM_VALUE", "invalid argument: interval")
    return INTERVALS[interval]


def between(asked: Question) -> tuple[int, int]:
    """From and to in seconds, both included."""
    return number(asked, "from", 0, LATEST), number(asked, "to", LATEST, LATEST)


# ── Answers ───────────────────────────────────────────────────────────────────────────────────


def time(asked: Question) -> Any:
    return {"server_time": asked.now_ms}


def order_book(asked: Question) -> Any:
    _, market, words = contract(asked)
    book = market.exchanges[asked.venue].book
    bids, asks = book.top(number(asked, "limit", 10, _MOST_LEVELS[asked.place.kind]))

    def rungs(side: list[tuple[Ticks, Lots]]) -> list[Any]:
        return [{"s": words.size(lots), "p": words.price(tick)} for tick, lots in side]

    times = {"current": asked.now_ms / 1000, "update": asked.now_ms / 1000}
    said = {**times, "asks": rungs(asks), "bids": rungs(bids)}
    return {"id": book.update_id, **said} if asked.params.get("with_id") == "true" else said


def trades(asked: Question) -> Any:
    name, market, words = contract(asked)
    exchange = market.exchanges[asked.venue]
    count, (start, end) = number(asked, "limit", 100, 1000), between(asked)
    tape = exchange.fills
    first, stop = tape.since(start * 1000), tape.since((end + 1) * 1000)
    rows = list(tape.rows(max(first, stop - count), min(count, stop - first)))
    found = [trade(one, name, words, exchange) for one in reversed(rows)]
    for row in found:
        row["create_time"] = row["create_time_ms"] = row["create_time_ms"] / 1000
    return found


def candlesticks(asked: Question) -> Any:
    """The latest so many, or those between two times; never both."""
    _, market, words = contract(asked)
    length, (start, end) = minutes(asked), between(asked)
    window = bool(asked.params.get("from") or asked.params.get("to"))
    if asked.params.get("limit") and window:
        raise wrong("INVALID_PARAM_VALUE", "limit conflicts with from and to")
    count, width_ms = number(asked, "limit", 100, 2000), length * MINUTE_MS
    last = min(end * 1000, asked.now_ms)
    first = start * 1000 if asked.params.get("from") else last - count * width_ms
    if last - first > _MOST_BARS * width_ms:
        raise wrong("INVALID_PARAM_VALUE", "Candlestick range too broad")
    offset = _MONDAY_MS if asked.params.get("interval") == "1w" else 0
    first -= (first - offset) % width_ms  # the bar that the window begins in is part of it, and whole
    bars = market.minutes(asked.venue, first, last)
    found = gathered(bars, lambda ms: ms - (ms - offset) % width_ms)
    return [candle(one, words, "sum") for one in (found if window else found[-count:])]


# ── Errors ────────────────────────────────────────────────────────────────────────────────────

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

"""REST of OKX, below `/api/v5`: lists come newest first, errors in an envelope of any status."""

from typing import Any

from orderflow.sim import okx_futures_wire as wire
from orderflow.sim.candles import grouped
from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import Millis
from orderflow.sim.listings import Names
from orderflow.sim.market import Market
from orderflow.sim.okx_rest import envelope, limit, needed, unknown, wrong
from orderflow.sim.past import FIVE_MINUTES_MS
from orderflow.sim.perpetual import Perpetual
from orderflow.sim.protocol import Endpoint, Question

# Days are cut in UTC alone here: what is cut by the venue's own day is not simulated.
BARS = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1H": 60,
    "2H": 120,
    "4H": 240,
    "6Hutc": 360,
    "12Hutc": 720,
    "1Dutc": 1440,
}


class Swap:
    """The swap that a request is about."""

    def __init__(self, venue: str, market: Market) -> None:
        self.symbol = market.symbol
        self.exchange: Exchange = market.exchanges[venue]
        self.perpetual: Perpetual = market.perpetuals[venue]
        self.words = wire.Words(self.exchange.listing)


def swap(asked: Question, name: str = "instId", ending: str = "") -> Swap:
    symbol = Names(asked.place.listings).symbol(needed(asked, name) + ending)
    if symbol is None or symbol not in asked.markets:
        raise unknown()
    return Swap(asked.venue, asked.markets[symbol])


def _swaps(asked: Question) -> list[Swap]:
    """The swap asked for, or all of them; the kind of instrument must be said."""
    if needed(asked, "instType") != "SWAP":
        return []
    if asked.params.get("instId"):
        return [swap(asked)]
    return [Swap(asked.venue, one) for one in asked.markets.values()]


# ── Answers ───────────────────────────────────────────────────────────────────────────────────


def _time(asked: Question) -> Any:
    return envelope([{"ts": str(asked.now_ms)}])


def _instruments(asked: Question) -> Any:
    return envelope([wire.instrument(one.words, one.symbol) for one in _swaps(asked)])


def _tickers(asked: Question) -> Any:
    return envelope([wire.ticker(one.words, one.exchange, asked.now_ms) for one in _swaps(asked)])


def _ticker(asked: Question) -> Any:
    one = swap(asked)
    return envelope([wire.ticker(one.words, one.exchange, asked.now_ms)])


def _books(asked: Question) -> Any:
    one = swap(asked)
    depth = limit(asked, 1, wire.DEPTH, "sz")
    return envelope([wire.top(one.words, one.exchange.book, depth, asked.now_ms)])


def _full_books(asked: Question) -> Any:
    """Deeper, without an id, and each level without its dead field."""
    one = swap(asked)
    said = wire.top(one.words, one.exchange.book, limit(asked, 1, 5000, "sz"), asked.now_ms)
    bids, asks = (
        [[price, size, orders] for price, size, _, orders in said[side]] for side in ("bids", "asks")
    )
    return envelope([{"asks": asks, "bids": bids, "ts": said["ts"]}])


def _trades(asked: Question) -> Any:
    one = swap(asked)
    rows = one.exchange.fills.latest(limit(asked, 100, 500))
    return envelope([wire.fill(one.words, row, row.id) for row in rows][::-1])


def _older_trades(asked: Question) -> Any:
    """Pages by id: `after` is older than, `before` newer than."""
    one, count = swap(asked), limit(asked, 100, 100)
    tape = one.exchange.fills
    after, before = asked.params.get("after", ""), asked.params.get("before", "")
    if after.isdecimal():
        rows = [row for row in tape.rows(int(after) - count, count) if row.id < int(after)]
    elif before.isdecimal():
        rows = [row for row in tape.latest(count) if row.id > int(before)]
    else:
        rows = list(tape.latest(count))
    return envelope([wire.fill(one.words, row, row.id) for row in rows][::-1])


def _candles(asked: Question) -> Any:
    one = swap(asked)
    minutes = BARS.get(asked.params.get("bar", "1m"))
    if minutes is None:
        raise wrong("bar")
    first, last = _between(asked)
    count, width = limit(asked, 100, 300), minutes * 60_000
    market = asked.markets[one.symbol]
    bars = grouped(market.minutes(asked.venue, max(first, last - (count + 1) * width), last), minutes)
    ends = asked.now_ms - width
    rows = [wire.candle(one.words, bar, bar.open_ms <= ends) for bar in bars[-count:]]
    return envelope(rows[::-1])


def _between(asked: Question) -> tuple[Millis, Millis]:
    """The instants asked for: `after` is what is older, `before` what is newer; neither is part of it."""
    after, before = asked.params.get("after", ""), asked.params.get("before", "")
    last = int(after) - 1 if after.isdecimal() else asked.now_ms
    return (int(before) + 1 if before.isdecimal() else 0), min(last, asked.now_ms)


def _index(asked: Question) -> Any:
    """One index, or all that are in a quote; those in dollars are at the price of those in USDT."""
    native, quote = asked.params.get("instId", ""), asked.params.get("quoteCcy", "")
    if quote:
        return envelope([_index_in(quote, Swap(asked.venue, one)) for one in asked.markets.values()])
    quote = native.partition("-")[2]
    one = swap(asked, ending="T-SWAP" if quote == "USD" else "-SWAP")
    return envelope([_index_in(quote, one)])


def _index_in(quote: str, one: Swap) -> Any:
    base = one.words.index.partition("-")[0]
    return wire.index(one.words, one.perpetual.marked) | {"instId": f"{base}-{quote}"}


def _mark(asked: Question) -> Any:
    return envelope([wire.mark(one.words, one.perpetual.marked) for one in _swaps(asked)])


def _funding(asked: Question) -> Any:
    """Of one swap, or of `ANY`."""
    every = asked.params.get("instId") == "ANY"
    found = [Swap(asked.venue, one) for one in asked.markets.values()] if every else [swap(asked)]
    return envelope([wire.funding(one.words, one.perpetual, asked.now_ms) for one in found])


def _funding_history(asked: Question) -> Any:
    one, (first, last) = swap(asked), _between(asked)
    paid_between = [paid for paid in one.perpetual.settlements if first <= paid.ts <= last]
    rows = [
        {
            "formulaType": "withRate",
            "fundingRate": f"{paid.rate:.16f}",
            "fundingTime": str(paid.ts),
            "instId": one.words.id,
            "instType": "SWAP",
            "method": "current_period",
            "realizedRate": f"{paid.rate:.16f}",
        }
        for paid in paid_between[-limit(asked, 400, 400) :]
    ]
    return envelope(rows[::-1])


def _open_interest(asked: Question) -> Any:
    return envelope([wire.open_interest(one.words, one.perpetual, asked.now_ms) for one in _swaps(asked)])


def _open_interest_then(asked: Question) -> Any:
    """Rows of a period, of the last 1,440 the newest that were asked for."""
    one, count = swap(asked), limit(asked, 100, 100)
    minutes = BARS.get(asked.params.get("period", "5m"), 0)
    if minutes < 5:
        raise wrong("period")
    begin, end = asked.params.get("begin", ""), asked.params.get("end", "")
    every = minutes * 60_000 // FIVE_MINUTES_MS  # the truth has a row every five minutes
    oldest = asked.now_ms - 1440 * every * FIVE_MINUTES_MS
    first = max(oldest, int(begin) if begin.isdecimal() else oldest)
    last = min(asked.now_ms, int(end) if end.isdecimal() else asked.now_ms)
    rows = asked.markets[one.symbol].open_interest(asked.venue, first, last, count * every)
    rows = [row for row in rows if row.ts % (every * FIVE_MINUTES_MS) == 0]
    return envelope([wire.open_interest_then(one.words, row) for row in reversed(rows)])


ENDPOINTS = (
    Endpoint("/api/v5/public/time", _time),
    Endpoint("/api/v5/public/instruments", _instruments),
    Endpoint("/api/v5/public/mark-price", _mark),
    Endpoint("/api/v5/public/funding-rate", _funding),
    Endpoint("/api/v5/public/funding-rate-history", _funding_history),
    Endpoint("/api/v5/public/open-interest", _open_interest),
    Endpoint("/api/v5/rubik/stat/contracts/open-interest-history", _open_interest_then),
    Endpoint("/api/v5/market/ticker", _ticker),
    Endpoint("/api/v5/market/tickers", _tickers),
    Endpoint("/api/v5/market/index-tickers", _index),
    Endpoint("/api/v5/market/books", _books),
    Endpoint("/api/v5/market/books-full", _full_books),
    Endpoint("/api/v5/market/trades", _trades),
    Endpoint("/api/v5/market/history-trades", _older_trades),
    Endpoint("/api/v5/market/candles", _candles),
    Endpoint("/api/v5/market/history-candles", _candles),
)

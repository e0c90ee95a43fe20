"""REST of OKX, below `/api/v5`: lists come newest first, errors in an envelope of any status."""

from typing import Any

from orderflow.sim import okx_futures_wire as wire
from orderflow.sim.candles import grouped
from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import Millis
from orderflow.sim.listings import Names
from orderflow.sim.market import Market
from orderflow.sim.past import FIVE_MINUTES_MS
from orderflow.sim.perpetual import Perpetual
from orderflow.sim.protocol import Endpoint, Question, Refusal

_BARS = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1H": 60, "2H": 120, "4H": 240}


def refusal(status: int) -> Any:
    if status == 429:
        words = "Rate limit reached. Please refer to API documentation and throttle requests accordingly."
        return _envelope([], "50011", words)
    return _envelope([], "50001", "Service temporarily unavailable. Please try again later.")


def _envelope(data: list[Any], code: str = "0", words: str = "") -> Any:
    return {"code": code, "data": data, "msg": words}


def _missing(name: str) -> Refusal:
    return Refusal(400, _envelope([], "50014", f"Parameter {name} can not be empty."))


class _Swap:
    """The swap that a request is about."""

    def __init__(self, venue: str, market: Market) -> None:
        self.symbol = market.symbol
        self.exchange: Exchange = market.exchanges[venue]
        self.perpetual: Perpetual = market.perpetuals[venue]
        self.words = wire.Words(self.exchange.listing)


def _swap(asked: Question, name: str = "instId", ending: str = "") -> _Swap:
    native = asked.params.get(name)
    if not native:
        raise _missing(name)
    symbol = Names(asked.place.listings).symbol(native + ending)
    if symbol is None or symbol not in asked.markets:
        raise Refusal(200, _envelope([], "51001", "Instrument ID doesn't exist."))
    return _Swap(asked.venue, asked.markets[symbol])


def _swaps(asked: Question) -> list[_Swap]:
    """The swap asked for, or all of them; the kind of instrument must be said."""
    if not (kind := asked.params.get("instType")):
        raise _missing("instType")
    if kind != "SWAP":
        return []
    if asked.params.get("instId"):
        return [_swap(asked)]
    return [_Swap(asked.venue, one) for one in asked.markets.values()]


def _limit(asked: Question, usual: int, most: int) -> int:
    text = asked.params.get("limit", "")
    return min(most, int(text)) if text.isdecimal() and int(text) else usual


# ── Answers ───────────────────────────────────────────────────────────────────────────────────


def _time(asked: Question) -> Any:
    return _envelope([{"ts": str(asked.now_ms)}])


def _instruments(asked: Question) -> Any:
    return _envelope([wire.instrument(one.words, one.symbol) for one in _swaps(asked)])


def _tickers(asked: Question) -> Any:
    return _envelope([wire.ticker(one.words, one.exchange, asked.now_ms) for one in _swaps(asked)])


def _ticker(asked: Question) -> Any:
    one = _swap(asked)
    return _envelope([wire.ticker(one.words, one.exchange, asked.now_ms)])


def _books(asked: Question) -> Any:
    one, text = _swap(asked), asked.params.get("sz", "")
    depth = min(wire.DEPTH, int(text)) if text.isdecimal() else 1
    return _envelope([wire.top(one.words, one.exchange.book, depth, asked.now_ms)])


def _trades(asked: Question) -> Any:
    one = _swap(asked)
    rows = one.exchange.fills.latest(_limit(asked, 100, 500))
    return _envelope([wire.fill(one.words, row, row.id) for row in rows][::-1])


def _older_trades(asked: Question) -> Any:
    """Pages by id: `after` is older than, `before` newer than."""
    one, count = _swap(asked), _limit(asked, 100, 100)
    tape = one.exchange.fills
    after, before = asked.params.get("after", ""), asked.params.get("before", "")
    if after.isdecimal():
        rows = [row for row in tape.rows(int(after) - count, count) if row.id < int(after)]
    elif before.isdecimal():
        rows = [row for row in tape.latest(count) if row.id > int(before)]
    else:
        rows = list(tape.latest(count))
    return _envelope([wire.fill(one.words, row, row.id) for row in rows][::-1])


def _candles(asked: Question) -> Any:
    one = _swap(asked)
    minutes = _BARS.get(asked.params.get("bar", "1m").removesuffix("utc"))
    if minutes is None:
        raise Refusal(400, _envelope([], "51000", "Parameter bar error"))
    first, last = _between(asked)
    count, width = _limit(asked, 100, 300), minutes * 60_000
    market = asked.markets[one.symbol]
    bars = grouped(market.minutes(asked.venue, max(first, last - (count + 1) * width), last), minutes)
    ends = asked.now_ms - width
    rows = [wire.candle(one.words, bar, bar.open_ms <= ends) for bar in bars[-count:]]
    return _envelope(rows[::-1])


def _between(asked: Question) -> tuple[Millis, Millis]:
    """The instants asked for: `after` is what is older, `before` what is newer; neither is part of it."""
    after, before = asked.params.get("after", ""), asked.params.get("before", "")
    last = int(after) - 1 if after.isdecimal() else asked.now_ms
    return (int(before) + 1 if before.isdecimal() else 0), min(last, asked.now_ms)


def _index(asked: Question) -> Any:
    one = _swap(asked, ending="-SWAP")
    return _envelope([wire.index(one.words, one.perpetual.marked)])


def _mark(asked: Question) -> Any:
    return _envelope([wire.mark(one.words, one.perpetual.marked) for one in _swaps(asked)])


def _funding(asked: Question) -> Any:
    one = _swap(asked)
    return _envelope([wire.funding(one.words, one.perpetual, asked.now_ms)])


def _funding_history(asked: Question) -> Any:
    one, (first, last) = _swap(asked), _between(asked)
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
        for paid in paid_between[-_limit(asked, 400, 400) :]
    ]
    return _envelope(rows[::-1])


def _open_interest(asked: Question) -> Any:
    return _envelope([wire.open_interest(one.words, one.perpetual, asked.now_ms) for one in _swaps(asked)])


def _open_interest_then(asked: Question) -> Any:
    """Rows of five minutes, of the last 1,440 the newest that were asked for."""
    one, count = _swap(asked), _limit(asked, 100, 100)
    if asked.params.get("period", "5m") != "5m":
        raise Refusal(400, _envelope([], "51000", "Parameter period error"))
    begin, end = asked.params.get("begin", ""), asked.params.get("end", "")
    oldest = asked.now_ms - 1440 * FIVE_MINUTES_MS
    first = max(oldest, int(begin) if begin.isdecimal() else oldest)
    last = min(asked.now_ms, int(end) if end.isdecimal() else asked.now_ms)
    rows = asked.markets[one.symbol].open_interest(asked.venue, first, last, count)
    return _envelope([wire.open_interest_then(one.words, row) for row in reversed(rows)])


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
    Endpoint("/api/v5/market/trades", _trades),
    Endpoint("/api/v5/market/history-trades", _older_trades),
    Endpoint("/api/v5/market/candles", _candles),
    Endpoint("/api/v5/market/history-candles", _candles),
)

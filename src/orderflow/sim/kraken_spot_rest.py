"""REST of Kraken's spot market: every answer has a list of errors, and what is wrong is said under status 200."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

from orderflow.sim.candles import MINUTE_MS, grouped
from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import Level, Lots, Millis, Ticks
from orderflow.sim.kraken_spot_touches import Touches
from orderflow.sim.listings import COINS, Wording
from orderflow.sim.protocol import Endpoint, Question, Refusal

IN_USDT = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")  # what is a pair in USDT beside that in dollars
_ASSETS = {"BTC": "XXBT", "ETH": "XETH", "XRP": "XXRP", "USD": "ZUSD"}
_ALTNAMES = {"BTC": "XBT"}
_INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10_080, 21_600)
_MOST_BARS = 720
_MOST_TRADES, _MOST_LEVELS = 1000, 500
_PAST_MS = 7 * 86_400_000  # bars reach back so far: nothing was traded before


def refusal(status: int) -> Any:
    code = "EAPI:Rate limit exceeded" if status == 429 else "EService:Unavailable"
    return {"error": [code]}


def _wrong(code: str) -> Refusal:
    return Refusal(200, {"error": [code]})


def _fine(said: Any) -> Any:
    return {"error": [], "result": said}


# ── Pairs ─────────────────────────────────────────────────────────────────────────────────────


class Pair:
    """One pair, under its key and its other names; pairs of a coin share a book."""

    def __init__(self, asked: Question, symbol: str, quote: str) -> None:
        self.symbol, self.quote, self.base = symbol, quote, COINS[symbol].base
        self.listing = asked.place.listings[symbol]
        self.altname = f"{_ALTNAMES.get(self.base, self.base)}{quote}"
        self.key = self.listing.native if quote == "USD" else self.altname
        self.wsname = f"{_ALTNAMES.get(self.base, self.base)}/{quote}"
        self.exchange: Exchange = asked.markets[symbol].exchanges[asked.venue]
        self._words = Wording(self.listing)

    def price(self, ticks: Ticks) -> str:
        return self._words.price(ticks)

    def size(self, lots: Lots) -> str:
        return self._words.size(lots)

    def vwap(self, tick_lots: int, lots: Lots) -> str:
        return (
            f"{tick_lots / lots * self.listing.tick_size:.{self.listing.price_decimals + 4}f}"
            if lots
            else "0"
        )


def pairs(asked: Question) -> Iterator[Pair]:
    for symbol in asked.markets:
        yield Pair(asked, symbol, "USD")
        if symbol in IN_USDT:
            yield Pair(asked, symbol, "USDT")


def _named(asked: Question, name: str) -> Pair:
    wanted = name.upper()
    for one in pairs(asked):
        if wanted in (one.key, one.altname, one.wsname):
            return one
    raise _wrong("EQuery:Unknown asset pair")


def _pair(asked: Question) -> Pair:
    name = asked.params.get("pair", "")
    if not name:
        raise _wrong("EGeneral:Invalid arguments")
    return _named(asked, name)


def _count(asked: Question, usual: int, most: int) -> int:
    text = asked.params.get("count", str(usual))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise _wrong("EGeneral:Invalid arguments")
    return int(text)


def _pairs(asked: Question) -> Any:
    return _fine({one.key: _listed(one) for one in pairs(asked)})


def _listed(one: Pair) -> Any:
    return {
        "altname": one.altname,
        "wsname": one.wsname,
        "aclass_base": "currency",
        "base": _ASSETS.get(one.base, one.base),
        "aclass_quote": "currency",
        "quote": _ASSETS.get(one.quote, one.quote),
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": one.listing.price_decimals,
        "lot_decimals": one.listing.size_decimals,
        "lot_multiplier": 1,
        "fees": [[0, 0.4], [10000, 0.35]],
        "ordermin": one.listing.lot,
        "costmin": "0.5",
        "tick_size": one.listing.tick,
        "status": "online",
    }


def _assets(asked: Question) -> Any:
    coins = [*(COINS[symbol].base for symbol in asked.markets), "USD", "USDT"]
    return _fine(
        {
            _ASSETS.get(one, one): {
                "aclass": "currency",
                "altname": _ALTNAMES.get(one, one),
                "decimals": 4 if one == "USD" else 10,
                "display_decimals": 2 if one == "USD" else 5,
                "status": "enabled",
            }
            for one in coins
        }
    )


def _status(asked: Question) -> Any:
    then = datetime.fromtimestamp(asked.now_ms // 1000, UTC)
    return _fine({"status": "online", "timestamp": f"{then:%Y-%m-%dT%H:%M:%SZ}"})


def _time(asked: Question) -> Any:
    then = datetime.fromtimestamp(asked.now_ms // 1000, UTC)
    return _fine({"unixtime": asked.now_ms // 1000, "rfc1123": f"{then:%a, %d %b %y %H:%M:%S +0000}"})


# ── Tickers and books ─────────────────────────────────────────────────────────────────────────


def _tickers(asked: Question) -> Any:
    names = asked.params.get("pair", "")
    found = [_named(asked, name) for name in names.split(",")] if names else list(pairs(asked))
    return _fine({one.key: _ticker(one) for one in found})


def _ticker(one: Pair) -> Any:
    """Today is told as the last 24 hours are: the day of the simulation is no older."""
    book, day = one.exchange.book, one.exchange.candles.day()
    last = one.exchange.candles.last_fill
    size = one.size(0 if last is None else last.lots)
    return {
        "a": _best(one, (book.best_ask, book.asks[book.best_ask])),
        "b": _best(one, (book.best_bid, book.bids[book.best_bid])),
        "c": [one.price(day.close), size],
        "v": [one.size(day.lots)] * 2,
        "p": [one.vwap(day.tick_lots, day.lots)] * 2,
        "t": [day.trades] * 2,
        "l": [one.price(day.low)] * 2,
        "h": [one.price(day.high)] * 2,
        "o": one.price(day.open),
    }


def _best(one: Pair, level: Level) -> list[str]:
    size = one.size(level[1])
    return [one.price(level[0]), str(int(float(size))), size]


def _depth(asked: Question) -> Any:
    one = _pair(asked)
    bids, asks = one.exchange.book.top(_count(asked, 100, _MOST_LEVELS))
    second = asked.now_ms // 1000
    sides = {
        name: [[one.price(ticks), one.size(lots), second] for ticks, lots in side]
        for name, side in (("asks", asks), ("bids", bids))
    }
    return _fine({one.key: sides})


# ── Trades, bars, spreads ─────────────────────────────────────────────────────────────────────


def _since(asked: Question, unit_ms: float) -> Millis | None:
    text = asked.params.get("since", "")
    if not text:
        return None
    if not text.isdecimal():
        raise _wrong("EGeneral:Invalid arguments")
    return round(int(text) * unit_ms)


def _trades(asked: Question) -> Any:
    """The latest so many trades, or the first so many since an instant; oldest first."""
    one, most = _pair(asked), _count(asked, _MOST_TRADES, _MOST_TRADES)
    tape, since = one.exchange.fills, _since(asked, 1e-6)
    made = list(tape.latest(most) if since is None else tape.rows(tape.since(since), most))
    rows = [
        [
            one.price(row.price),
            one.size(row.lots),
            row.ts / 1000,
            "s" if row.taker_sells else "b",
            "m",
            "",
            row.id,
        ]
        for row in made
    ]
    last = made[-1].ts if made else asked.now_ms
    return _fine({one.key: rows, "last": str(last * 1_000_000)})


def _bars(asked: Question) -> Any:
    one, text = _pair(asked), asked.params.get("interval", "1")
    if not text.isdecimal() or int(text) not in _INTERVALS:
        raise _wrong("EGeneral:Invalid arguments")
    minutes, since = int(text), _since(asked, 1000.0)
    width = minutes * MINUTE_MS
    running = asked.now_ms - asked.now_ms % width
    first = max(running - (_MOST_BARS - 1) * width, asked.now_ms - _PAST_MS)
    first -= first % width
    found = grouped(asked.markets[one.symbol].minutes(asked.venue, first, asked.now_ms), minutes)
    rows = [
        [
            row.open_ms // 1000,
            *(one.price(price) for price in (row.open, row.high, row.low, row.close)),
            one.vwap(row.tick_lots, row.lots),
            one.size(row.lots),
            row.trades,
        ]
        for row in found
        if since is None or row.open_ms > since
    ]
    return _fine({one.key: rows, "last": (running - width) // 1000})


def _spreads(asked: Question) -> Any:
    one, since = _pair(asked), _since(asked, 1000.0)
    kept = cast(Touches, asked.wide).kept[one.symbol]
    rows = [
        [row.ts // 1000, one.price(row.bid), one.price(row.ask)]
        for row in kept
        if since is None or row.ts >= since
    ]
    return _fine({one.key: rows, "last": asked.now_ms // 1000})


_PUBLIC = "/0/public"

ENDPOINTS = (
    Endpoint(f"{_PUBLIC}/Time", _time),
    Endpoint(f"{_PUBLIC}/SystemStatus", _status),
    Endpoint(f"{_PUBLIC}/Assets", _assets),
    Endpoint(f"{_PUBLIC}/AssetPairs", _pairs),
    Endpoint(f"{_PUBLIC}/Ticker", _tickers),
    Endpoint(f"{_PUBLIC}/Depth", _depth),
    Endpoint(f"{_PUBLIC}/Trades", _trades),
    Endpoint(f"{_PUBLIC}/OHLC", _bars),
    Endpoint(f"{_PUBLIC}/Spread", _spreads),
)

"""What Kraken's spot market answers of its pairs: tickers, books, trades, bars, spreads; its endpoints."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec

from orderflow.market.events import (
    MINUTE,
    MS,
    SECOND,
    US,
    BookUpdate,
    Candle,
    Event,
    Nanos,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.facts import LastPrice
from orderflow.venues.kraken_spot import listing
from orderflow.venues.kraken_spot.listing import unless_refused
from orderflow.venues.kraken_spot.words import VENUE, symbol_of
from orderflow.venues.spec import Endpoint, Memory, Query, left_out

# ── What it says ──────────────────────────────────────────────────────────────────────────────

_Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e11)]  # since 1970, with decimals


class _Ticker(msgspec.Struct, gc=False):
    """Prices are [price, whole lots, size]; pairs of numbers are those of today (UTC) and of 24 hours."""

    a: tuple[float, float, float]
    b: tuple[float, float, float]
    c: tuple[float, float]
    v: tuple[float, float]
    p: tuple[float, float]
    t: tuple[int, int]
    l: tuple[float, float]  # noqa: E741 - the venue's name
    h: tuple[float, float]


class _Tickers(msgspec.Struct):
    result: dict[str, _Ticker]


class _Sides(msgspec.Struct, gc=False):
    """Levels are [price, size, the second of its last change]."""

    asks: list[tuple[float, float, float]]
    bids: list[tuple[float, float, float]]


class _Books(msgspec.Struct):
    result: dict[str, _Sides]


class _Series(msgspec.Struct):
    """A pair's rows, and in `last` from where to ask on."""

    result: dict[str, msgspec.Raw]


class _Fill(msgspec.Struct, array_like=True, gc=False):
    price: float
    size: float
    time: _Seconds
    side: Literal["b", "s"]
    order: str = ""
    other: str = ""
    id: int | None = None


class _Bar(msgspec.Struct, array_like=True, gc=False):
    time: int
    open: float
    high: float
    low: float
    close: float
    vwap: float
    volume: float
    count: int


class _Touch(msgspec.Struct, array_like=True, gc=False):
    time: _Seconds
    bid: float
    ask: float


_TICKERS = msgspec.json.Decoder(_Tickers, strict=False)
_BOOKS = msgspec.json.Decoder(_Books, strict=False)
_SERIES = msgspec.json.Decoder(_Series)
_FILLS = msgspec.json.Decoder(list[_Fill], strict=False)
_BARS = msgspec.json.Decoder(list[_Bar], strict=False)
_TOUCHES = msgspec.json.Decoder(list[_Touch], strict=False)


def _rows(body: bytes) -> Iterator[tuple[str, msgspec.Raw]]:
    """Return the pairs of an answer with their rows."""
    return ((pair, rows) for pair, rows in _SERIES.decode(body).result.items() if pair != "last")


def _instant(seconds: float) -> Nanos:
    """Return a time to the microsecond: a float holds no more of it."""
    return round(seconds * 1e6) * US


# ── Tickers and books ─────────────────────────────────────────────────────────────────────────


@unless_refused
def _tickers(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode tickers of one pair or all. They have no time; a price of zero is one that there is not."""
    said = _TICKERS.decode(body).result
    return [event for pair, one in said.items() for event in _ticker(one, symbol_of(pair, memory), ts_recv)]


def _ticker(one: _Ticker, symbol: str, ts_recv: Nanos) -> Iterator[Event]:
    about = (VENUE, symbol, None, ts_recv)
    (ask, _, ask_size), (bid, _, bid_size) = one.a, one.b
    if bid or ask:
        best, worst = (bid or None, bid_size if bid else None), (ask or None, ask_size if ask else None)
        yield Quote(*about, *best, *worst)
    last, volume, vwap = one.c[0], one.v[1], one.p[1]
    if not last:
        return
    yield LastPrice(*about, last)
    # `o` is the first price of today, not that of 24 hours ago, so that the change is not told.
    yield Ticker(
        *about,
        last=last,
        high=one.h[1] or None,
        low=one.l[1] or None,
        volume=volume,
        quote_volume=volume * vwap,
        trade_count=one.t[1],
        vwap=vwap or None,
    )


@unless_refused
def _book(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    found: list[Event] = []
    for pair, said in _BOOKS.decode(body).result.items():
        bids = [(price, size) for price, size, _ in said.bids if size > 0]
        asks = [(price, size) for price, size, _ in said.asks if size > 0]
        depth = max(len(bids), len(asks))
        about = (VENUE, symbol_of(pair, memory), None, ts_recv)
        found.append(BookUpdate(*about, True, bids, asks, depth=depth))
    return found


# ── Trades, bars, spreads ─────────────────────────────────────────────────────────────────────


@unless_refused
def _trades(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode trades, oldest first; the side is the taker's. Those of before 2023 have no id."""
    found: list[Event] = []
    for pair, rows in _rows(body):
        symbol = symbol_of(pair, memory)
        for row in _FILLS.decode(rows):
            if row.id is None:
                found.append(left_out(VENUE, symbol, ts_recv, "a trade without an id"))
                continue
            about = (VENUE, symbol, _instant(row.time), ts_recv)
            found.append(Trade(*about, row.id, row.side == "s", row.price, row.size))
    return found


INTERVALS = {
    "1": "1m",
    "5": "5m",
    "15": "15m",
    "30": "30m",
    "60": "1h",
    "240": "4h",
    "1440": "1d",
    "10080": "1w",
    "21600": "15d",
}


@unless_refused
def _candles(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode bars, oldest first, the last one still open; without a time of receipt it counts as that."""
    minutes = query.get("interval", "1")
    if minutes not in INTERVALS:
        return (left_out(VENUE, query.get("pair", ""), ts_recv, "an unknown interval"),)
    found: list[Event] = []
    for pair, rows in _rows(body):
        bars = _BARS.decode(rows)
        for place, row in enumerate(bars, 1):
            ends = row.time * SECOND + int(minutes) * MINUTE - MS
            closed = ends < ts_recv if ts_recv else place < len(bars)
            found.append(_candle(row, symbol_of(pair, memory), INTERVALS[minutes], ends, closed, ts_recv))
    return found


def _candle(row: _Bar, symbol: str, interval: str, ends: Nanos, closed: bool, ts_recv: Nanos) -> Candle:
    return Candle(
        VENUE,
        symbol,
        ends if closed else None,
        ts_recv,
        interval,
        row.time * SECOND,
        ends,
        row.open,
        row.high,
        row.low,
        row.close,
        row.volume,
        quote_volume=row.volume * row.vwap,
        trade_count=row.count,
        closed=closed,
    )


@unless_refused
def _spreads(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode the last best prices, oldest first; their sizes are not told."""
    found: list[Event] = []
    for pair, rows in _rows(body):
        symbol = symbol_of(pair, memory)
        for row in _TOUCHES.decode(rows):
            about = (VENUE, symbol, _instant(row.time), ts_recv)
            found.append(Quote(*about, row.bid or None, None, row.ask or None, None))
    return found


# ── Endpoints ─────────────────────────────────────────────────────────────────────────────────

_PUBLIC = "/0/public"
_PAIR = {"pair": "{symbol}"}

ENDPOINTS = (
    Endpoint("time", f"{_PUBLIC}/Time", listing.server_time, of_symbol={}),
    Endpoint("status", f"{_PUBLIC}/SystemStatus", listing.status, of_symbol={}),
    Endpoint("currencies", f"{_PUBLIC}/Assets", listing.coins, cache_s=3600, of_symbol={}),
    Endpoint("instruments", f"{_PUBLIC}/AssetPairs", listing.pairs, cache_s=3600, of_symbol={}),
    Endpoint("ticker", f"{_PUBLIC}/Ticker", _tickers, of_symbol=_PAIR),  # of all pairs where none is named
    Endpoint("book", f"{_PUBLIC}/Depth", _book, {"count": "100"}, ("pair",), of_symbol=_PAIR),
    Endpoint("trades", f"{_PUBLIC}/Trades", _trades, {"count": "1000"}, ("pair",), of_symbol=_PAIR),
    Endpoint("candles", f"{_PUBLIC}/OHLC", _candles, {"interval": "1"}, ("pair",), of_symbol=_PAIR),
    Endpoint("spreads", f"{_PUBLIC}/Spread", _spreads, needs=("pair",), of_symbol=_PAIR),
)

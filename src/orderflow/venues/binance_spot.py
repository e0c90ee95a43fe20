"""Binance spot, public market data.

Docs    https://developers.binance.com/docs/binance-spot-api-docs
Quirks  bookTicker frames have no type and no time: told by the stream's name, stamped with our clock.
        Partial-depth frames (`@depth20`) have neither symbol nor time: both come from the stream's name
        and our clock.
        Diffs have no `pu`: each begins at the last id plus one.
        `serverShutdown` announces a disconnect: the connection is replaced at once.
        The server pings every 20 s and wants the pong within a minute.
        The market-data-only hosts carry the same streams and need no key; they are the default.
        `@blockTrade` has ids of its own and is not part of `@trade`: left out.
Times   `T`, the matching engine's, where a frame has it; else `E`; else none.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from orderflow.market.events import BookUpdate, Control, Event, Level, Nanos, Quote, Ticker, Trade
from orderflow.venues import binance
from orderflow.venues.binance import nanos
from orderflow.venues.spec import (
    BookRule,
    Bucket,
    Channel,
    Endpoint,
    Hosts,
    Limits,
    Memory,
    Query,
    Venue,
    leaves_out,
    left_out,
)

VENUE = "binance_spot"

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _BookTicker(msgspec.Struct, gc=False):
    s: str
    u: int
    b: float
    B: float
    a: float
    A: float


class _Trade(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    s: str
    t: int
    p: float
    q: float
    T: int
    m: bool


class _AggTrade(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    s: str
    a: int
    p: float
    q: float
    f: int
    l: int  # noqa: E741
    T: int
    m: bool


class _Depth(msgspec.Struct, tag_field="e", tag="depthUpdate", gc=False):
    E: int
    s: str
    U: int
    u: int
    b: list[Level]
    a: list[Level]


class _Ticker(msgspec.Struct, tag_field="e", tag="24hrTicker", gc=False):
    E: int
    s: str
    p: float
    P: float
    w: float
    c: float
    o: float
    h: float
    l: float  # noqa: E741
    v: float
    q: float
    n: int


class _Kline(msgspec.Struct, tag_field="e", tag="kline", gc=False):
    E: int
    s: str
    k: binance.Kline


class _Shutdown(msgspec.Struct, tag_field="e", tag="serverShutdown", gc=False):
    E: int


_Said: TypeAlias = _Trade | _Depth | _AggTrade | _Kline | _Ticker | _Shutdown


class _Combined(msgspec.Struct, gc=False):
    data: _Said | list[_Said]


class _CombinedBookTicker(msgspec.Struct, gc=False):
    data: _BookTicker


class _CombinedPartial(msgspec.Struct, gc=False):
    stream: str
    data: binance.Depth


class _Head(msgspec.Struct):
    """Just enough of a frame to tell what it is."""

    stream: str = ""
    e: str = ""
    data: Any = None
    u: int | None = None
    lastUpdateId: int | None = None


_COMBINED = msgspec.json.Decoder(_Combined, strict=False)
_COMBINED_BOOK_TICKER = msgspec.json.Decoder(_CombinedBookTicker, strict=False)
_COMBINED_PARTIAL = msgspec.json.Decoder(_CombinedPartial, strict=False)
_RAW = msgspec.json.Decoder(_Said | list[_Said], strict=False)
_RAW_BOOK_TICKER = msgspec.json.Decoder(_BookTicker, strict=False)
_HEAD = msgspec.json.Decoder(_Head)

_NOT_KEPT = {
    "24hrMiniTicker": "the 24-hour ticker says more",
    "1hTicker": "the 24-hour ticker is kept",
    "4hTicker": "the 24-hour ticker is kept",
    "1dTicker": "the 24-hour ticker is kept",
    "avgPrice": "no stream for average prices",
    "referencePrice": "no stream for reference prices",
    "blockTrade": "a block trade, not a trade on the book",
}

# ── What it means ─────────────────────────────────────────────────────────────────────────────

_NAME_ENDS = 64  # a combined frame begins with its stream's name


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode one WebSocket frame, combined or raw. Raises `VenueChanged` or a msgspec error."""
    try:
        if payload.find(b"@bookTicker", 0, _NAME_ENDS) > 0:
            return (_quote(_COMBINED_BOOK_TICKER.decode(payload).data, ts_recv),)
        said = _COMBINED.decode(payload).data
    except (msgspec.ValidationError, RecursionError):
        return binance.unless_too_deep(_uncommon, VENUE, payload, ts_recv)
    if isinstance(said, list):
        return [_meaning(one, ts_recv) for one in said]
    return (_meaning(said, ts_recv),)


def _meaning(said: _Said, ts_recv: Nanos) -> Event:
    match said:
        case _Trade():
            return Trade(VENUE, said.s, nanos(said.T), ts_recv, said.t, said.m, said.p, said.q)
        case _Depth():
            return BookUpdate(VENUE, said.s, nanos(said.E), ts_recv, False, said.b, said.a, said.u, said.U)
        case _AggTrade():
            count = said.l - said.f + 1
            return Trade(VENUE, said.s, nanos(said.T), ts_recv, said.a, said.m, said.p, said.q, count, True)
        case _Kline():
            return binance.candle(VENUE, said.s, nanos(said.E), ts_recv, said.k)
        case _Ticker():
            return _ticker(said, ts_recv)
        case _Shutdown():
            return Control(VENUE, "", nanos(said.E), ts_recv, "closing")


def _quote(said: _BookTicker, ts_recv: Nanos) -> Quote:
    # A side without orders is sent as zeros.
    return Quote(
        VENUE, said.s, None, ts_recv, said.b or None, said.B or None, said.a or None, said.A or None, said.u
    )


def _ticker(said: _Ticker, ts_recv: Nanos) -> Ticker:
    return Ticker(
        VENUE,
        said.s,
        nanos(said.E),
        ts_recv,
        last=said.c,
        open=said.o,
        high=said.h,
        low=said.l,
        volume=said.v,
        quote_volume=said.q,
        trade_count=said.n,
        change=said.p,
        change_pct=said.P,
        vwap=said.w,
    )


@lru_cache(maxsize=4096)
def _partial(stream: str) -> tuple[str, int]:
    """Return symbol and levels of a partial-depth stream's name, `btcusdt@depth20@100ms`."""
    symbol, _, kind = stream.partition("@")
    return symbol.upper(), int(kind.partition("@")[0].removeprefix("depth"))


def _uncommon(payload: bytes, ts_recv: Nanos) -> Sequence[Event]:
    """Decode what is not a combined frame of a usual stream: partial books, raw frames, answers."""
    if payload.lstrip().startswith(b"["):
        return [_meaning(one, ts_recv) for one in _listed(_RAW.decode(payload))]
    head = _HEAD.decode(payload)
    inner: Any = head.data[0] if isinstance(head.data, list) and head.data else head.data
    kind = inner.get("e", "") if isinstance(inner, dict) else head.e
    if isinstance(kind, str) and kind in _NOT_KEPT:
        return (left_out(VENUE, "", ts_recv, _NOT_KEPT[kind]),)
    if isinstance(inner, dict) and "lastUpdateId" in inner:
        said = _COMBINED_PARTIAL.decode(payload)
        symbol, depth = _partial(said.stream)
        return (_snapshot(symbol, said.data, depth, ts_recv),)
    if isinstance(inner, dict) and not kind:
        return (_quote(_COMBINED_BOOK_TICKER.decode(payload).data, ts_recv),)
    if head.data is not None:
        _COMBINED.decode(payload)  # a combined frame that does not fit: raise what is wrong with it
    if head.e:
        return [_meaning(one, ts_recv) for one in _listed(_RAW.decode(payload))]
    if head.u is not None:
        return (_quote(_RAW_BOOK_TICKER.decode(payload), ts_recv),)
    if head.lastUpdateId is not None:
        return (left_out(VENUE, "", ts_recv, "a partial book without its stream's name has no symbol"),)
    return binance.control(VENUE, payload, ts_recv)


def _listed(said: _Said | list[_Said]) -> list[_Said]:
    return said if isinstance(said, list) else [said]


def _snapshot(symbol: str, said: binance.Depth, depth: int | None, ts_recv: Nanos) -> BookUpdate:
    return BookUpdate(
        VENUE, symbol, None, ts_recv, True, said.bids, said.asks, said.lastUpdateId, depth=depth
    )


# ── What REST answers ─────────────────────────────────────────────────────────────────────────


class _Best(msgspec.Struct, gc=False):
    symbol: str
    bidPrice: float
    bidQty: float
    askPrice: float
    askQty: float


_BESTS = msgspec.json.Decoder(_Best | list[_Best], strict=False)


def _depth(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    if "symbol" not in query:
        return (left_out(VENUE, "", ts_recv, "a book whose request is not recorded has no symbol"),)
    return (_snapshot(query["symbol"], binance.DEPTH.decode(body), None, ts_recv),)


def _best(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _BESTS.decode(body)
    return [
        Quote(
            VENUE,
            one.symbol,
            None,
            ts_recv,
            one.bidPrice or None,
            one.bidQty or None,
            one.askPrice or None,
            one.askQty or None,
        )
        for one in (said if isinstance(said, list) else [said])
    ]


def _symbol(query: Query) -> str:
    return query.get("symbol", "")


def _server_time(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return binance.server_time(VENUE, body, ts_recv)


def _klines(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return binance.klines(VENUE, body, _symbol(query), query.get("interval", ""), ts_recv)


ENDPOINTS = (
    Endpoint("ping", "/api/v3/ping", leaves_out(VENUE, "a ping says nothing")),
    Endpoint("time", "/api/v3/time", _server_time),
    Endpoint(
        "instruments",
        "/api/v3/exchangeInfo",
        lambda body, query, ts, memory: binance.instruments(VENUE, body, ts),
        weight=20,
        cache_s=3600,
    ),
    Endpoint("depth", "/api/v3/depth", _depth, {"limit": "1000"}, ("symbol",), weight=50),
    Endpoint(
        "trades",
        "/api/v3/trades",
        lambda body, query, ts, memory: binance.fills(VENUE, body, _symbol(query), ts),
        needs=("symbol",),
        weight=25,
    ),
    Endpoint(
        "older_trades",
        "/api/v3/historicalTrades",
        lambda body, query, ts, memory: binance.fills(VENUE, body, _symbol(query), ts),
        needs=("symbol",),
        weight=25,
    ),
    Endpoint(
        "agg_trades",
        "/api/v3/aggTrades",
        lambda body, query, ts, memory: binance.agg_trades(VENUE, body, _symbol(query), ts),
        {"limit": "1000"},
        ("symbol",),
        weight=4,
    ),
    Endpoint(
        "candles", "/api/v3/klines", _klines, {"interval": "1m", "limit": "1000"}, ("symbol",), weight=2
    ),
    Endpoint(
        "ticker",
        "/api/v3/ticker/24hr",
        lambda body, query, ts, memory: binance.days(VENUE, body, ts),
        needs=("symbol",),
        weight=2,
    ),
    Endpoint("best", "/api/v3/ticker/bookTicker", _best, needs=("symbol",), weight=2),
    *(
        Endpoint(name, path, leaves_out(VENUE, reason), needs=needs, weight=weight)
        for name, path, reason, needs, weight in (
            ("price", "/api/v3/ticker/price", "the best quote says more than the last price", ("symbol",), 2),
            ("ui_candles", "/api/v3/uiKlines", "the same bars as klines, smoothed", ("symbol",), 2),
            ("average", "/api/v3/avgPrice", "no stream for average prices", ("symbol",), 2),
            ("day", "/api/v3/ticker/tradingDay", "the 24-hour ticker is kept", ("symbol",), 4),
            ("window", "/api/v3/ticker", "the 24-hour ticker is kept", ("symbol",), 4),
            ("reference", "/api/v3/referencePrice", "no stream for reference prices", ("symbol",), 2),
            (
                "reference_rule",
                "/api/v3/referencePrice/calculation",
                "no stream for reference prices",
                ("symbol",),
                2,
            ),
            ("execution_rules", "/api/v3/executionRules", "no stream for trading rules", (), 40),
            (
                "block_trades",
                "/api/v3/historicalBlockTrades",
                "block trades, not trades on the book",
                ("symbol", "fromId"),
                25,
            ),
        )
    ),
)

TABLES = (
    Endpoint(
        "aggTrades",
        "aggTrades",
        lambda row, query, ts, memory: binance.archived_agg_trade(VENUE, row, _symbol(query), ts),
    ),
    Endpoint(
        "trades",
        "trades",
        lambda row, query, ts, memory: binance.archived_trade(VENUE, row, _symbol(query), ts),
    ),
    Endpoint(
        "klines",
        "klines",
        lambda row, query, ts, memory: binance.archived_candle(
            VENUE, row, _symbol(query), query.get("interval", ""), ts
        ),
    ),
)

# ── The venue ─────────────────────────────────────────────────────────────────────────────────

BINANCE_SPOT = Venue(
    name=VENUE,
    docs="https://developers.binance.com/docs/binance-spot-api-docs",
    hosts=Hosts(
        rest="https://data-api.binance.vision",
        ws={"public": "wss://data-stream.binance.vision/stream"},
        archive="https://data.binance.vision",
    ),
    limits=Limits(
        streams_per_connection=1024,
        messages_per_s=2,  # the venue allows 5, pings and pongs included
        names_per_subscribe=200,
        connects_per_minute=20,
        dead_after_s=60,
        life_s=23 * 3600,  # the venue cuts at 24 h
    ),
    book=BookRule.CONTIGUOUS,
    channels=(
        Channel("quotes", ("prices",), "{lower}@bookTicker", "public", silent_after_s=60),
        Channel("book", ("orderbooks",), "{lower}@depth@100ms", "public", silent_after_s=60),
        Channel("trades", ("trades",), "{lower}@aggTrade", "public", silent_after_s=300),
        Channel("fills", ("trades",), "{lower}@trade", "public", silent_after_s=300, default=False),
        Channel("ticker", ("ticker_24h",), "{lower}@ticker", "public", silent_after_s=120),
        Channel("candles", ("candles",), "{lower}@kline_1m", "public", silent_after_s=300),
    ),
    endpoints=ENDPOINTS,
    buckets=(Bucket("weight", 6000, 60, "x-mbx-used-weight-1m"),),
    decode=decode,
    subscribe=binance.subscribe,
    unsubscribe=binance.unsubscribe,
    native=str.upper,
    taker_fee_bps=10.0,
    taker_fee_source=(
        "regular user, 0.1 %: the default in nautilus-binance 0.61.0 (2026) for accounts whose rate is unknown;"
        " not read from the venue"
    ),
    snapshot="depth",
    listing="instruments",
    tables=TABLES,
    history=(binance.past_trades(), binance.past_candles()),
    archives=binance.archives("data/spot"),
    consecutive_trades=True,
    refusals=binance.REFUSALS,
)

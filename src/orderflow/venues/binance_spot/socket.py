"""What Binance spot says over its sockets, and what that means."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from orderflow.market.events import BookUpdate, Control, Event, Level, Nanos, Quote, Ticker, Trade
from orderflow.venues import binance
from orderflow.venues.binance import nanos
from orderflow.venues.spec import Memory, left_out

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
        return (snapshot(symbol, said.data, depth, ts_recv),)
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


def snapshot(symbol: str, said: binance.Depth, depth: int | None, ts_recv: Nanos) -> BookUpdate:
    return BookUpdate(
        VENUE, symbol, None, ts_recv, True, said.bids, said.asks, said.lastUpdateId, depth=depth
    )

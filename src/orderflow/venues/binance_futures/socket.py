"""What Binance futures sends over its sockets, and what it means."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import msgspec

from orderflow.market.events import (
    MS,
    BookUpdate,
    Event,
    Funding,
    Ignored,
    IndexPrice,
    Level,
    Liquidation,
    MarkPrice,
    Nanos,
    Quote,
    Ticker,
    Trade,
)
from orderflow.venues import binance
from orderflow.venues.spec import (
    Memory,
    left_out,
)

VENUE = "binance_futures"

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _BookTicker(msgspec.Struct, tag_field="e", tag="bookTicker", gc=False):
    s: str
    u: int
    b: float
    B: float
    a: float
    A: float
    T: int
    st: int = 1


class _Trade(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    s: str
    t: int
    p: float
    q: float
    T: int
    m: bool
    X: str = "MARKET"
    st: int = 1


class _AggTrade(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    s: str
    p: float
    q: float
    f: int
    l: int  # noqa: E741
    T: int
    m: bool
    a: int | None = None
    st: int = 1


class _Depth(msgspec.Struct, tag_field="e", tag="depthUpdate", gc=False):
    s: str
    U: int
    u: int
    b: list[Level]
    a: list[Level]
    pu: int | None = None
    T: int | None = None
    st: int = 1


class _MarkPrice(msgspec.Struct, tag_field="e", tag="markPriceUpdate", gc=False):
    E: int
    s: str
    p: float
    r: str
    T: int
    i: float | None = None
    st: int = 1


class _Order(msgspec.Struct, gc=False):
    s: str
    S: Literal["BUY", "SELL"]
    ap: float
    z: float
    T: int
    st: int = 1


class _ForceOrder(msgspec.Struct, tag_field="e", tag="forceOrder", gc=False):
    o: _Order
    st: int = 1


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
    st: int = 1


class _Kline(msgspec.Struct, tag_field="e", tag="kline", gc=False):
    E: int
    s: str
    k: binance.Kline
    st: int = 1


_Said: TypeAlias = _BookTicker | _Trade | _AggTrade | _Depth | _MarkPrice | _ForceOrder | _Ticker | _Kline


class _Combined(msgspec.Struct, gc=False):
    stream: str
    data: _Said | list[_Said]


class _Head(msgspec.Struct):
    """Just enough of a frame to say why it is left out."""

    e: str = ""
    data: Any = None


_COMBINED = msgspec.json.Decoder(_Combined, strict=False)
_RAW = msgspec.json.Decoder(_Said | list[_Said], strict=False)
_HEAD = msgspec.json.Decoder(_Head)

_NOT_KEPT = {
    "continuous_kline": "the same bars as kline",
    "24hrMiniTicker": "the 24-hour ticker says more",
    "contractInfo": "contracts are read from exchangeInfo",
    "compositeIndex": "no stream for composite indices",
    "assetIndexUpdate": "no stream for asset indices",
    "EquityUpdate": "no stream for trading sessions",
    "CommodityUpdate": "no stream for trading sessions",
    "KR_EquityUpdate": "no stream for trading sessions",
    "HK_EquityUpdate": "no stream for trading sessions",
    "CN_EquityUpdate": "no stream for trading sessions",
    "markPrice_kline": "no stream for candles of the mark price",
    "indexPrice_kline": "no stream for candles of the index",
}

# ── What it means ─────────────────────────────────────────────────────────────────────────────


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode one WebSocket frame, combined or raw. Raises `VenueChanged` or a msgspec error."""
    try:
        frame = _COMBINED.decode(payload)
    except (msgspec.ValidationError, RecursionError):
        return binance.unless_too_deep(_uncommon, VENUE, payload, ts_recv)
    said = frame.data
    if type(said) is _BookTicker and said.st == 1:  # most frames are
        bid, ask = said.b or None, said.a or None
        return (Quote(VENUE, said.s, said.T * MS, ts_recv, bid, said.B or None, ask, said.A or None, said.u),)
    if isinstance(said, list):
        return [event for one in said for event in _meaning(one, frame.stream, ts_recv)]
    return _meaning(said, frame.stream, ts_recv)


def _meaning(said: _Said, stream: str, ts_recv: Nanos) -> Sequence[Event]:
    if said.st != 1:
        return (left_out(VENUE, "", ts_recv, "another market: COIN-M"),)
    match said:
        case _Trade():
            if said.X != "MARKET":
                reason = f"not a trade on the book: X is {said.X}"
                return (Ignored(VENUE, said.s, said.T * MS, ts_recv, reason, said.t),)
            return (Trade(VENUE, said.s, said.T * MS, ts_recv, said.t, said.m, said.p, said.q),)
        case _Depth():
            return _book(said, stream, ts_recv)
        case _AggTrade():
            return (_agg_trade(said, ts_recv),)
        case _MarkPrice():
            return _mark_price(said, ts_recv)
        case _Kline():
            return (binance.candle(VENUE, said.s, said.E * MS, ts_recv, said.k),)
        case _Ticker():
            return (_ticker(said, ts_recv),)
        case _ForceOrder():
            return (_liquidation(said.o, ts_recv),)
        case _BookTicker():
            return (_quote(said, ts_recv),)


def _quote(said: _BookTicker, ts_recv: Nanos) -> Quote:
    # A side without orders is sent as zeros.
    bid, ask = said.b or None, said.a or None
    return Quote(VENUE, said.s, said.T * MS, ts_recv, bid, said.B or None, ask, said.A or None, said.u)


@lru_cache(maxsize=4096)
def _book_kind(stream: str) -> tuple[str, int | None]:
    """Tell what a book stream carries by its name: diffs, or snapshots of so many levels."""
    kind = stream.partition("@")[2].partition("@")[0]
    if kind == "rpiDepth":
        return "rpi", None
    levels = kind.removeprefix("depth")
    return ("snapshot", int(levels)) if levels.isdigit() else ("diff", None)


def _book(said: _Depth, stream: str, ts_recv: Nanos) -> Sequence[Event]:
    kind, depth = _book_kind(stream)
    if kind == "rpi":
        return (left_out(VENUE, said.s, ts_recv, "a book with retail orders; the plain book is kept"),)
    ts_event = None if said.T is None else said.T * MS
    return (
        BookUpdate(
            VENUE,
            said.s,
            ts_event,
            ts_recv,
            kind == "snapshot",
            said.b,
            said.a,
            said.u,
            said.U,
            said.pu,
            depth,
        ),
    )


def _agg_trade(said: _AggTrade, ts_recv: Nanos) -> Trade:
    # Recordings of 2019 lack the aggregate's id; its last fill's is as unique.
    id = said.l if said.a is None else said.a
    return Trade(VENUE, said.s, said.T * MS, ts_recv, id, said.m, said.p, said.q, said.l - said.f + 1, True)


def _mark_price(said: _MarkPrice, ts_recv: Nanos) -> Sequence[Event]:
    ts_event = said.E * MS
    events: list[Event] = [MarkPrice(VENUE, said.s, ts_event, ts_recv, said.p, said.i)]
    if said.i is not None:
        events.append(IndexPrice(VENUE, said.s, ts_event, ts_recv, said.i))
    if said.T and said.r:  # delivery contracts pay no funding: T is 0
        events.append(Funding(VENUE, said.s, ts_event, ts_recv, float(said.r), next_ts=said.T * MS))
    return events


def _liquidation(order: _Order, ts_recv: Nanos) -> Event:
    if order.st != 1:
        return left_out(VENUE, "", ts_recv, "another market: COIN-M")
    side: Literal["long", "short"] = "long" if order.S == "SELL" else "short"
    return Liquidation(VENUE, order.s, order.T * MS, ts_recv, side, order.ap, order.z)


def _ticker(said: _Ticker, ts_recv: Nanos) -> Ticker:
    return Ticker(
        VENUE,
        said.s,
        said.E * MS,
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


def _uncommon(payload: bytes, ts_recv: Nanos) -> Sequence[Event]:
    """Decode what is not a combined frame of a kept stream: raw frames, the unkept, answers."""
    head = _HEAD.decode(payload) if not payload.lstrip().startswith(b"[") else _Head()
    inner: Any = head.data[0] if isinstance(head.data, list) and head.data else head.data
    kind = inner.get("e", "") if isinstance(inner, dict) else head.e
    if isinstance(kind, str) and kind in _NOT_KEPT:
        return (left_out(VENUE, "", ts_recv, _NOT_KEPT[kind]),)
    if head.data is not None:
        _COMBINED.decode(payload)  # a combined frame that does not fit: raise what is wrong with it
    if head.e or payload.lstrip().startswith(b"["):
        said = _RAW.decode(payload)
        every = said if isinstance(said, list) else [said]
        return [event for one in every for event in _meaning(one, "", ts_recv)]
    return binance.control(VENUE, payload, ts_recv)

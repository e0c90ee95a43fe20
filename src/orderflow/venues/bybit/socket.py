"""What Bybit sends over its sockets, and what it means; alike on both markets."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import msgspec

from orderflow.market.errors import ProtocolRetired, VenueChanged
from orderflow.market.events import (
    MS,
    BookUpdate,
    Candle,
    Control,
    Event,
    Level,
    Liquidation,
    Nanos,
    Quote,
    Trade,
)
from orderflow.venues.bybit import tickers
from orderflow.venues.spec import Decode, Memory, left_out

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Levels(msgspec.Struct, gc=False):
    s: str
    b: list[Level]
    a: list[Level]
    u: int
    seq: int


class _Book(msgspec.Struct, gc=False):
    topic: str
    type: str
    data: _Levels
    ts: int
    cts: int | None = None  # recordings of 2023 lack it


class _Trade(msgspec.Struct, gc=False):
    T: int
    s: str
    S: Literal["Buy", "Sell"]
    v: float
    p: float
    i: str
    BT: bool = False


class _Trades(msgspec.Struct, gc=False):
    data: list[_Trade]


class _Closed(msgspec.Struct, gc=False):
    T: int
    s: str
    S: Literal["Buy", "Sell"]
    v: float
    p: float


class _Liquidations(msgspec.Struct, gc=False):
    data: list[_Closed]


class _Bar(msgspec.Struct, gc=False):
    start: int
    end: int
    interval: str
    open: float
    close: float
    high: float
    low: float
    volume: float
    turnover: float
    confirm: bool


class _Bars(msgspec.Struct, gc=False):
    topic: str
    data: list[_Bar]
    ts: int


class _Ticker(msgspec.Struct, gc=False):
    topic: str
    type: str
    data: tickers.Day
    ts: int


class _Head(msgspec.Struct):
    """Just enough of a frame to tell what it is: data have a topic, answers an `op` or a success."""

    topic: str = ""
    op: str = ""
    success: bool | None = None
    ret_msg: str = ""
    req_id: str = ""


_BOOK = msgspec.json.Decoder(_Book, strict=False)
_TRADES = msgspec.json.Decoder(_Trades, strict=False)
_LIQUIDATIONS = msgspec.json.Decoder(_Liquidations, strict=False)
_BARS = msgspec.json.Decoder(_Bars, strict=False)
_TICKER = msgspec.json.Decoder(_Ticker, strict=False)
_HEAD = msgspec.json.Decoder(_Head)

RETAIL_BOOK = "a book with retail orders; the plain book is kept"
FULL_BOOK = "changes of the whole book, which join no other; the book of 200 levels is kept"
_NOT_KEPT = {
    "orderbook.rpi": RETAIL_BOOK,
    "orderbook.full": FULL_BOOK,
    "insurance": "no stream for the insurance fund",
    "adlAlert": "no stream for the risk of deleveraging",
    "priceLimit": "no stream for price limits",
    "system": "no stream for notices of the venue",
}
_RETIRED = {
    "V2": ("orderBookL2_25", "orderBookL2", "orderBook_200", "trade", "instrument_info", "candle", "klineV2"),
    "V5 until 2025": ("liquidation",),
    "spot V1": ("realtimes", "depth", "mergedDepth", "diffDepth", "bookTicker"),
    "spot V3": ("bookticker",),
}
_RETIRED_BY_TOPIC = {topic: version for version, topics in _RETIRED.items() for topic in topics}

# ── What it means ─────────────────────────────────────────────────────────────────────────────

_Meaning: TypeAlias = Callable[[str, bytes, Nanos, Memory], Sequence[Event]]
_TOPIC_AT = len(b'{"topic":"')
_TOPIC_ENDS = 32  # the longest kind of topic that is kept, `allLiquidation.`, is over by then


def decoder(venue: str) -> Decode:
    """Return the function that decodes a frame of one market's socket.

    It raises `VenueChanged` or a msgspec error.
    """

    def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        try:
            kind = _KINDS.get(payload[_TOPIC_AT : payload.find(b".", _TOPIC_AT, _TOPIC_ENDS)])
            if kind is not None:
                return kind(venue, payload, ts_recv, memory)
        except msgspec.ValidationError:
            pass  # perhaps a kind of its topic that is not kept; else it is raised again
        except RecursionError as error:
            raise _too_deep(venue, payload) from error
        try:
            return _uncommon(venue, payload, ts_recv, memory)
        except RecursionError as error:
            raise _too_deep(venue, payload) from error

    return decode


def _too_deep(venue: str, payload: bytes) -> VenueChanged:
    return VenueChanged(f"{venue}: nested too deeply: {payload[:200]!r}")


def _book(venue: str, payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    frame = _BOOK.decode(payload)
    kind = _book_kind(frame.topic)
    if kind == "best":
        return _quote(venue, frame, ts_recv, memory)
    said = frame.data
    if kind:
        return (left_out(venue, said.s, ts_recv, kind),)
    ts_event = (frame.ts if frame.cts is None else frame.cts) * MS
    if frame.type == "snapshot" or said.u == 1:  # 1: the service began again and so does the book
        return (BookUpdate(venue, said.s, ts_event, ts_recv, True, said.b, said.a, said.u, replaces=True),)
    return (BookUpdate(venue, said.s, ts_event, ts_recv, False, said.b, said.a, said.u, said.u),)


@lru_cache(maxsize=4096)
def _book_kind(topic: str) -> str:
    """Return "best" for the level that is a quote, "" for books, else why a book is left out."""
    level = topic.partition(".")[2].partition(".")[0]
    return "best" if level == "1" else _NOT_KEPT.get(f"orderbook.{level}", "")


def _quote(venue: str, frame: _Book, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode a best quote: whole since 2025, what changed of it before.

    The numbers `u` begin again at times, so the quote is numbered by `seq`, which grows for ever. A quote
    that is only said again (same `u`) keeps its number: it is a sign of life and no second row.
    """
    said = frame.data
    known: Any = memory.states.get(frame.topic)
    bids: Any = said.b
    asks: Any = said.a
    if frame.type != "snapshot":
        bids = _best(known[2] if known else [], bids, highest=True)
        asks = _best(known[3] if known else [], asks, highest=False)
        if not known and not (bids and asks):
            reason = "what changed of a best quote whose beginning is not there"
            return (left_out(venue, said.s, ts_recv, reason),)
    sequence = known[1] if known and known[0] == said.u else said.seq
    memory.states[frame.topic] = (said.u, sequence, bids, asks)
    bid, bid_size = bids[0] if bids else (None, None)
    ask, ask_size = asks[0] if asks else (None, None)
    ts_event = (frame.ts if frame.cts is None else frame.cts) * MS
    return (Quote(venue, said.s, ts_event, ts_recv, bid, bid_size, ask, ask_size, sequence),)


def _best(before: list[Level], changes: list[Level], *, highest: bool) -> list[Level]:
    """Return the best level, alone, after changes of a side that has one."""
    side = {price: size for price, size in (*before, *changes) if size}
    for price, size in changes:
        if not size:
            side.pop(price, None)
    return sorted(side.items(), reverse=highest)[:1]


def _trades(venue: str, payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [
        block_trade(venue, one.s, one.T * MS, ts_recv)
        if one.BT
        else Trade(venue, one.s, one.T * MS, ts_recv, one.i, one.S == "Sell", one.p, one.v)
        for one in _TRADES.decode(payload).data
    ]


def block_trade(venue: str, symbol: str, ts_event: Nanos, ts_recv: Nanos) -> Event:
    found = left_out(venue, symbol, ts_recv, "a block trade, not a trade on the book")
    return msgspec.structs.replace(found, ts_event=ts_event)


def _liquidations(venue: str, payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode liquidations: `S` is the side of the position, so Buy was a long."""
    found: list[Event] = []
    equal: Counter[tuple[object, ...]] = Counter()
    for one in _LIQUIDATIONS.decode(payload).data:
        same = (one.s, one.T, one.S, one.p, one.v)
        side: Literal["long", "short"] = "long" if one.S == "Buy" else "short"
        found.append(Liquidation(venue, one.s, one.T * MS, ts_recv, side, one.p, one.v, ordinal=equal[same]))
        equal[same] += 1
    return found


INTERVALS = {"60": "1h", "120": "2h", "240": "4h", "360": "6h", "720": "12h"} | {
    **{text: f"{text}m" for text in ("1", "3", "5", "15", "30")},
    **{text: f"1{text if text == 'M' else text.lower()}" for text in ("D", "W", "M")},
}


def _candles(venue: str, payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    frame = _BARS.decode(payload)
    symbol = frame.topic.rpartition(".")[2]
    return [
        Candle(
            venue,
            symbol,
            frame.ts * MS,
            ts_recv,
            interval=INTERVALS.get(bar.interval, bar.interval),
            open_ts=bar.start * MS,
            close_ts=bar.end * MS,
            open=bar.open,
            high=bar.high,
            low=bar.low,
            close=bar.close,
            volume=bar.volume,
            quote_volume=bar.turnover,
            closed=bar.confirm,
        )
        for bar in frame.data
    ]


def _ticker(venue: str, payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode a ticker: what it does not say is as it was, back to the last snapshot."""
    frame = _TICKER.decode(payload)
    news = tickers.said(frame.data)
    if not news:
        return (left_out(venue, frame.data.symbol, ts_recv, "the best quote comes sooner elsewhere"),)
    before: dict[str, str] = {} if frame.type == "snapshot" else memory.states.get(frame.topic, {})
    memory.states[frame.topic] = state = tickers.merged(before, news)
    found = tickers.events(venue, frame.data.symbol, state, news.keys(), frame.ts * MS, ts_recv)
    return found or (left_out(venue, frame.data.symbol, ts_recv, "a ticker without figures"),)


_KINDS: dict[bytes, _Meaning] = {
    b"orderbook": _book,
    b"publicTrade": _trades,
    b"tickers": _ticker,
    b"kline": _candles,
    b"allLiquidation": _liquidations,
}

# ── What is rare ──────────────────────────────────────────────────────────────────────────────


def _uncommon(venue: str, payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode what is not a kept frame that begins with its topic: other keys first, the unkept, answers."""
    head = _HEAD.decode(payload)
    if not head.topic:
        return (_control(venue, head, payload, ts_recv),)
    kind, _, rest = head.topic.partition(".")
    reason = _NOT_KEPT.get(kind) or _NOT_KEPT.get(f"{kind}.{rest.partition('.')[0]}")
    if reason is not None:
        return (left_out(venue, "", ts_recv, reason),)
    if kind.encode() in _KINDS and rest:
        return _KINDS[kind.encode()](venue, payload, ts_recv, memory)
    if kind in _RETIRED_BY_TOPIC:
        raise ProtocolRetired(
            f"{venue}: {kind!r} is a topic of the retired protocol {_RETIRED_BY_TOPIC[kind]}",
            hint="recordings of V5 can be read: orderbook, publicTrade, tickers, kline, allLiquidation",
        )
    raise VenueChanged(f"{venue}: unknown topic {head.topic!r}")


def _control(venue: str, head: _Head, payload: bytes, ts_recv: Nanos) -> Control:
    """Decode an answer. What a market puts into it differs; `success` is in all but an option's pong."""
    if head.op in ("ping", "pong"):
        return Control(venue, "", None, ts_recv, "pong")
    if head.success is None or (head.op not in ("subscribe", "unsubscribe", "") and head.success):
        raise VenueChanged(f"{venue}: neither data nor an answer: {payload[:200]!r}")
    id = int(head.req_id) if head.req_id.isascii() and head.req_id.isdigit() else None
    kind: Literal["ack", "refused"] = "ack" if head.success else "refused"
    return Control(venue, "", None, ts_recv, kind, id, "" if head.success else head.ret_msg)

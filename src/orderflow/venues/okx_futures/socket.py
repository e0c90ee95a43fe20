"""What OKX sends over its sockets, and what it means."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Generic, Literal, TypeVar
from zlib import crc32

import msgspec

from orderflow.market.errors import ProtocolRetired, VenueChanged
from orderflow.market.events import (
    MS,
    SECOND,
    BookUpdate,
    Control,
    Event,
    LevelText,
    Liquidation,
    Nanos,
    Quote,
)
from orderflow.venues.okx import LevelRow
from orderflow.venues.okx.wire import MarkRow, OpenInterestRow, TickerRow
from orderflow.venues.okx_futures import rows
from orderflow.venues.okx_futures.rows import VENUE, levels, listed
from orderflow.venues.spec import Decode, Memory, left_out

# ── What we ask ───────────────────────────────────────────────────────────────────────────────

_TYPES = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION", "ANY")


def _request(op: str, names: Sequence[str], id: int) -> bytes:
    """Return a request for channels by our names for them, `books:BTC-USDT-SWAP`."""
    args = [
        {"channel": channel, "instType" if of in _TYPES else "instId": of}
        for channel, _, of in (name.partition(":") for name in names)
    ]
    return msgspec.json.encode({"id": str(id), "op": op, "args": args})


def subscribe(names: Sequence[str], id: int) -> bytes:
    return _request("subscribe", names, id)


def unsubscribe(names: Sequence[str], id: int) -> bytes:
    return _request("unsubscribe", names, id)


def ping(now: Nanos) -> bytes:
    return b"ping"


# ── What they say ─────────────────────────────────────────────────────────────────────────────

_T = TypeVar("_T")


class _Arg(msgspec.Struct, gc=False):
    channel: str = ""
    instId: str = ""
    instType: str = ""

    @property
    def name(self) -> str:
        """The channel as we subscribe it."""
        return f"{self.channel}:{self.instId or self.instType}"


class _Frame(msgspec.Struct, Generic[_T], gc=False):
    arg: _Arg
    data: list[_T]
    action: str = ""


class _Book(msgspec.Struct, gc=False):
    asks: list[LevelRow]
    bids: list[LevelRow]
    ts: int
    seqId: int | None = None
    prevSeqId: int | None = None
    checksum: int = 0


class _LevelText(msgspec.Struct, array_like=True, gc=False):
    price: str
    size: str


class _BookText(msgspec.Struct, gc=False):
    asks: list[_LevelText]
    bids: list[_LevelText]


class _Forced(msgspec.Struct, gc=False):
    side: Literal["buy", "sell"]
    bkPx: float
    sz: float
    ts: int


class _Liquidations(msgspec.Struct, gc=False):
    instId: str
    details: list[_Forced]


class _Head(msgspec.Struct):
    """Just enough of a frame to tell what it is."""

    event: str = ""
    id: str = ""
    code: str = ""
    msg: str = ""
    arg: _Arg | None = None
    table: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


def _decoder(row: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(_Frame[row], strict=False)


_BOOKS, _BOOK_TEXTS = _decoder(_Book), _decoder(_BookText)
_LIQUIDATIONS, _CANDLES = _decoder(_Liquidations), _decoder(rows.CandleRow)
_HEAD = msgspec.json.Decoder(_Head)

_NOT_KEPT = {
    "books-rpi": "a book with retail orders; the plain book is kept",
    "books-elp": "a book with retail orders; the plain book is kept",
    "mark-price-candle": "no stream for candles of the mark price",
    "index-candle": "no stream for candles of the index",
    "price-limit": "no stream for price limits",
    "instruments": "contracts are read from the listing over REST",
    "status": "no stream for maintenance",
    "adl-warning": "no stream for the risk of deleveraging",
    "estimated-price": "no stream for delivery prices",
    "opt-summary": "no stream for options on this market",
    "option-trades": "no stream for options on this market",
    "block-tickers": "block trades, not trades on the book",
    "public-block-trades": "block trades, not trades on the book",
    "public-struc-block-trades": "block trades, not trades on the book",
}

# ── What it means ─────────────────────────────────────────────────────────────────────────────

_BEGINS = b'{"arg":{"channel":"'
_AT = len(_BEGINS)
_LONGEST_CHANNEL = 32
STALE = 5 * SECOND  # the first liquidations after subscribing are old ones: older than this is history


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode one WebSocket frame. Raises `VenueChanged` or a msgspec error."""
    try:
        if payload.startswith(_BEGINS):
            channel = payload[_AT : payload.find(b'"', _AT, _AT + _LONGEST_CHANNEL)]
            read = _READERS.get(channel)
            if read is not None:
                return read(payload, ts_recv, memory)
        return _uncommon(payload, ts_recv, memory)
    except RecursionError as error:
        raise VenueChanged(f"{VENUE}: nested too deeply: {payload[:200]!r}") from error


def _quotes(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _BOOKS.decode(payload)
    of = listed(said.arg.instId, memory)
    found: list[Event] = []
    for row in said.data:
        bid = levels(row.bids[:1], of) or ((None, None),)  # a side without orders is empty
        ask = levels(row.asks[:1], of) or ((None, None),)
        found.append(Quote(VENUE, of.symbol, row.ts * MS, ts_recv, *bid[0], *ask[0], row.seqId))
    return found


def _diffs(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _BOOKS.decode(payload)
    of = listed(said.arg.instId, memory)
    whole = said.action == "snapshot"
    found: list[Event] = []
    for place, row in enumerate(said.data):
        bids, asks = levels(row.bids, of), levels(row.asks, of)
        if row.checksum:  # 0 since June 2026
            checksum, texts = row.checksum, _texts(payload, place)
        else:
            checksum = texts = None
        prev_id = None if whole else row.prevSeqId
        book = BookUpdate(
            *(
                VENUE,
                of.symbol,
                row.ts * MS,
                ts_recv,
                whole,
                bids,
                asks,
                row.seqId,
                None,
                prev_id,
                None,
                whole,
            ),
            checksum=checksum,
            texts=texts,
        )
        found.append(book)
    return found


def _texts(payload: bytes, place: int) -> tuple[list[LevelText], list[LevelText]]:
    row = _BOOK_TEXTS.decode(payload).data[place]
    return [(one.price, one.size) for one in row.bids], [(one.price, one.size) for one in row.asks]


def checksum(bids: Sequence[LevelText], asks: Sequence[LevelText]) -> int:
    """Return the CRC-32, as a signed number, of best bid, best ask, next bid … as `price:size:price:size`.

    >>> from zlib import crc32
    >>> crc32(b"3366.1:7:3366.8:9:3366:6:3368:8") - 2**32
    -1881014294
    >>> checksum([("3366.1", "7"), ("3366", "6")], [("3366.8", "9"), ("3368", "8")])
    -1881014294
    """
    both = min(len(bids), len(asks))
    levels = chain(chain.from_iterable(zip(bids, asks, strict=False)), bids[both:], asks[both:])
    found = crc32(":".join(chain.from_iterable(levels)).encode())
    return found - (1 << 32) if found >= 1 << 31 else found


def _five(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _BOOKS.decode(payload)
    of = listed(said.arg.instId, memory)
    return [
        BookUpdate(
            *(VENUE, of.symbol, row.ts * MS, ts_recv, True, levels(row.bids, of), levels(row.asks, of)),
            last_id=row.seqId,
            depth=5,
        )
        for row in said.data
    ]


def _liquidations(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    found: list[Event] = []
    equal: Counter[tuple[str, str, float, float, int]] = Counter()
    for row in _LIQUIDATIONS.decode(payload).data:
        of = listed(row.instId, memory)
        for one in row.details:
            if ts_recv and one.ts * MS < ts_recv - STALE:
                found.append(
                    left_out(VENUE, of.symbol, ts_recv, "a liquidation from before we listened: history")
                )
                continue
            same = (row.instId, one.side, one.bkPx, one.sz, one.ts)
            side: Literal["long", "short"] = "long" if one.side == "sell" else "short"
            found.append(
                Liquidation(
                    *(VENUE, of.symbol, one.ts * MS, ts_recv, side, one.bkPx, of.base(one.sz, one.bkPx)),
                    ordinal=equal[same],
                )
            )
            equal[same] += 1
    return found


def _candles(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _CANDLES.decode(payload)
    return rows.candles(said.data, said.arg.instId, said.arg.channel.removeprefix("candle"), ts_recv, memory)


def _each(row: Any, meaning: Callable[[Any, Nanos, Memory], Event]) -> Decode:
    decoder = _decoder(row)

    def read(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        return [meaning(one, ts_recv, memory) for one in decoder.decode(payload).data]

    return read


_READERS: dict[bytes, Decode] = {
    b"books": _diffs,
    b"bbo-tbt": _quotes,
    b"trades": _each(rows.TradeRow, rows.trade),
    b"trades-all": _each(rows.TradeRow, rows.trade),
    b"books-l2-tbt": _diffs,
    b"books50-l2-tbt": _diffs,
    b"books5": _five,
    b"mark-price": _each(MarkRow, rows.mark),
    b"index-tickers": _each(rows.IndexRow, rows.index),
    b"funding-rate": _each(rows.FundingRow, rows.funding),
    b"open-interest": _each(OpenInterestRow, rows.open_interest),
    b"tickers": _each(TickerRow, rows.ticker),
    b"liquidation-orders": _liquidations,
    b"candle1m": _candles,
}

# ── What is about the connection ──────────────────────────────────────────────────────────────


def _uncommon(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode what is not data of a usual channel: answers, notices, other bars, the unkept."""
    if payload == b"pong":
        return (Control(VENUE, "", None, ts_recv, "pong"),)
    head = _HEAD.decode(payload)
    if head.table:
        raise ProtocolRetired(
            f"{VENUE}: {head.table!r} is a table of protocol v3, which protocol v5 replaced",
            hint="frames of protocol v5 begin with arg",
        )
    if head.event:
        return (_about_connection(head, ts_recv),)
    if head.arg is None or not bytes(head.data):
        raise VenueChanged(f"{VENUE}: neither data nor an answer: {payload[:200]!r}")
    channel = head.arg.channel
    if read := _READERS.get(channel.encode()):
        return read(payload, ts_recv, memory)
    if channel.startswith("candle"):
        return _candles(payload, ts_recv, memory)
    for known, reason in _NOT_KEPT.items():
        if channel.startswith(known):
            return (left_out(VENUE, head.arg.instId, ts_recv, reason),)
    raise VenueChanged(f"{VENUE}: data of an unknown channel {channel!r}")


_REFUSED = re.compile(r"channel:\s*([\w-]+)\s*,\s*inst(?:Id|Type):\s*([\w-]+)")


def _about_connection(head: _Head, ts_recv: Nanos) -> Event:
    id = int(head.id) if head.id.isdecimal() else None
    if head.event in ("subscribe", "unsubscribe") and head.arg is not None:
        # One answer for each channel of the request: it speaks for that channel alone.
        return Control(VENUE, "", None, ts_recv, "ack", names=(head.arg.name,))
    if head.event in ("error", "channel-conn-count-error"):
        return _refused(head, id, ts_recv)
    if head.event == "notice" and head.code == "64008":
        return Control(VENUE, "", None, ts_recv, "closing", message=head.msg)
    return left_out(VENUE, "", ts_recv, f"about the connection: {head.event}")


def _refused(head: _Head, id: int | None, ts_recv: Nanos) -> Control:
    """Return a refusal: of the one channel that the text or `arg` names, else of the whole request."""
    message = f"{head.code}: {head.msg}"
    if head.arg is not None:
        return Control(VENUE, "", None, ts_recv, "refused", None, message, (head.arg.name,))
    if named := _REFUSED.search(head.msg):
        return Control(VENUE, "", None, ts_recv, "refused", None, message, (f"{named[1]}:{named[2]}",))
    return Control(VENUE, "", None, ts_recv, "refused", id, message)


_HEARD = re.compile(rb'\{"arg":\{"channel":"([^"]+)","inst(?:Id|Type)":"([^"]+)"')
HEAD_BYTES = 72  # "index-tickers" and an index of 20 letters


def heard(head: bytes) -> Sequence[str]:
    """Return the channel that a frame's beginning names, as we subscribe it."""
    said = _HEARD.match(head)
    return () if said is None else (b":".join(said.groups()).decode(errors="replace"),)

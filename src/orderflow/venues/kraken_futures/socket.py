"""What Kraken Futures sends over its socket (version 1), and what it means."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from orderflow.market.errors import ProtocolRetired, VenueChanged
from orderflow.market.events import (
    MS,
    BookUpdate,
    Control,
    Event,
    Ignored,
    Level,
    Liquidation,
    Nanos,
    Quote,
    Trade,
)
from orderflow.venues.kraken_futures import ticker, unified
from orderflow.venues.kraken_futures.products import VENUE, by_rule, known
from orderflow.venues.spec import Contract, Memory, Names

# ── What we ask ───────────────────────────────────────────────────────────────────────────────


def subscribe(names: Names, id: int) -> bytes:
    """Ask for names of one channel, `book:PF_XBTUSD`; those of the unified socket say `uws.`."""
    return _request("subscribe", names, id)


def unsubscribe(names: Names, id: int) -> bytes:
    return _request("unsubscribe", names, id)


def _request(verb: str, names: Names, id: int) -> bytes:
    if names[0].startswith(unified.PREFIX):
        return unified.request(verb, names, id)
    feed = names[0].partition(":")[0]
    products = [name.partition(":")[2] for name in names]
    return msgspec.json.encode({"event": verb, "feed": feed, "product_ids": products})


def heard(head: bytes) -> Names:
    """Tell the channel of a frame by its beginning: tickers put their feed behind the product."""
    if head.startswith(b'{"channel":'):
        return unified.heard(head)
    name = _between(head, b'"product_id":"')
    if not name:
        return ()
    feed = _between(head, b'"feed":"') or "ticker"
    return (f"{feed.removesuffix('_snapshot')}:{name}",)


def _between(head: bytes, start: bytes) -> str:
    """Return the text that follows, up to the next quote; empty if it does not end here."""
    found, quote, _ = head.partition(start)[2].partition(b'"')
    return found.decode(errors="replace") if quote else ""


# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Book(msgspec.Struct, tag_field="feed", tag="book", gc=False):
    product_id: str
    side: Literal["buy", "sell"]
    seq: int
    price: float
    qty: float
    timestamp: int | None = None


class _Row(msgspec.Struct, gc=False):
    price: float
    qty: float


class _BookSnapshot(msgspec.Struct, tag_field="feed", tag="book_snapshot", gc=False):
    product_id: str
    seq: int
    bids: list[_Row]
    asks: list[_Row]
    timestamp: int | None = None


class _Trade(msgspec.Struct, tag_field="feed", tag="trade", gc=False):
    product_id: str
    side: Literal["buy", "sell"]
    seq: int
    time: int
    qty: float
    price: float
    uid: str = ""
    type: str = "fill"


class _TradeSnapshot(msgspec.Struct, tag_field="feed", tag="trade_snapshot", gc=False):
    product_id: str
    trades: list[_Trade]


class _Ticker(msgspec.Struct, tag_field="feed", tag="ticker", gc=False):
    product_id: str
    time: int
    bid: float | None = None
    ask: float | None = None
    bid_size: float | None = None
    ask_size: float | None = None
    last: float | None = None
    markPrice: float | None = None
    index: float | None = None
    openInterest: float | None = None
    volume: float | None = None
    volumeQuote: float | None = None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    change: float | None = None
    relative_funding_rate: float | None = None
    relative_funding_rate_prediction: float | None = None
    next_funding_rate_time: int | None = None


class _TickerLite(msgspec.Struct, tag_field="feed", tag="ticker_lite", gc=False):
    product_id: str
    bid: float | None = None
    ask: float | None = None


class _Heartbeat(msgspec.Struct, tag_field="feed", tag="heartbeat", gc=False):
    time: int


_Said: TypeAlias = _Book | _Trade | _Ticker | _BookSnapshot | _TradeSnapshot | _TickerLite | _Heartbeat


class _Head(msgspec.Struct):
    """Just enough of a frame to tell what it is."""

    event: str = ""
    feed: str = ""
    product_ids: list[str] = []
    message: str = ""
    version: int | None = None
    channel: str = ""
    method: str = ""


_FRAME = msgspec.json.Decoder(_Said, strict=False)
_HEAD = msgspec.json.Decoder(_Head)

_VERSION = 1
_AGAIN = "Already subscribed"  # an alert that comes with the data that was asked for
_NOT_ON_THE_BOOK = frozenset({"termination", "assignment", "block"})

# ── What it means ─────────────────────────────────────────────────────────────────────────────


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode one WebSocket frame of either socket. Raises `VenueChanged` or a msgspec error."""
    try:
        said = _FRAME.decode(payload)
    except (msgspec.ValidationError, RecursionError):
        try:
            return _uncommon(payload, ts_recv, memory)
        except RecursionError as error:
            raise VenueChanged(f"{VENUE}: nested too deeply: {payload[:200]!r}") from error
    if type(said) is _Book:  # most frames are
        return (_change(said, ts_recv, memory),)
    return _meaning(said, ts_recv, memory)


def _meaning(said: _Said, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    match said:
        case _Book():
            return (_change(said, ts_recv, memory),)
        case _Trade():
            return _executed(said, known(said.product_id, memory), ts_recv)
        case _Ticker():
            return _ticker(said, known(said.product_id, memory), ts_recv)
        case _BookSnapshot():
            return (_snapshot(said, known(said.product_id, memory), ts_recv),)
        case _TradeSnapshot():
            return _backlog(said, known(said.product_id, memory), ts_recv)
        case _TickerLite():
            symbol = known(said.product_id, memory).symbol
            return (Quote(VENUE, symbol, None, ts_recv, said.bid or None, None, said.ask or None, None),)
        case _Heartbeat():
            return (Control(VENUE, "", said.time * MS, ts_recv, "pong"),)


def _change(said: _Book, ts_recv: Nanos, memory: Memory) -> BookUpdate:
    one = memory.contracts.get(said.product_id) or by_rule(said.product_id)
    size = said.qty if said.qty > 0 else 0.0
    if size and (one.inverse or one.times != one.over):
        size = one.base(size, said.price)
    level: list[Level] = [(said.price, size)]
    ts_event = None if said.timestamp is None else said.timestamp * MS
    bids, asks = (level, []) if said.side == "buy" else ([], level)
    return BookUpdate(VENUE, one.symbol, ts_event, ts_recv, False, bids, asks, said.seq, said.seq)


def _snapshot(said: _BookSnapshot, one: Contract, ts_recv: Nanos) -> BookUpdate:
    ts_event = None if said.timestamp is None else said.timestamp * MS
    bids, asks = _levels(said.bids, one), _levels(said.asks, one)
    return BookUpdate(VENUE, one.symbol, ts_event, ts_recv, True, bids, asks, said.seq, replaces=True)


def _levels(rows: list[_Row], one: Contract) -> list[Level]:
    """Return a side of a snapshot in base units, without the levels of size 0 that it may hold."""
    if one.inverse or one.times != one.over:
        return [(row.price, one.base(row.qty, row.price)) for row in rows if row.qty > 0]
    return [(row.price, row.qty) for row in rows if row.qty > 0]


def _backlog(said: _TradeSnapshot, one: Contract, ts_recv: Nanos) -> Sequence[Event]:
    """Return the last trades before a subscription, oldest first, so that their numbers run on."""
    rows = sorted(said.trades, key=lambda row: row.seq)
    if not rows:
        return (Ignored(VENUE, one.symbol, None, ts_recv, "an empty backlog of trades"),)
    return [event for row in rows for event in _executed(row, one, ts_recv)]


def _executed(said: _Trade, one: Contract, ts_recv: Nanos) -> Sequence[Event]:
    id = said.uid or said.seq
    return execution(one, said.time * MS, ts_recv, id, said.side, said.type, said.price, said.qty, said.seq)


def execution(
    one: Contract,
    ts_event: Nanos,
    ts_recv: Nanos,
    id: int | str,
    side: Literal["buy", "sell"],
    kind: str,
    price: float,
    size: float,
    sequence: int | None = None,
) -> Sequence[Event]:
    """Return a trade, and the liquidation that it was; kinds that we do not know are trades.

    The side is the taker's, and a liquidation takes: `sell` closed a long.
    """
    if kind in _NOT_ON_THE_BOOK:
        reason = f"not a trade on the book: {kind}"
        return (Ignored(VENUE, one.symbol, ts_event, ts_recv, reason, sequence),)
    size = one.base(size, price)
    trade = Trade(VENUE, one.symbol, ts_event, ts_recv, id, side == "sell", price, size, sequence=sequence)
    if kind != "liquidation":
        return (trade,)
    closed: Literal["long", "short"] = "long" if side == "sell" else "short"
    return (trade, Liquidation(VENUE, one.symbol, ts_event, ts_recv, closed, price, size, str(id)))


def _ticker(said: _Ticker, one: Contract, ts_recv: Nanos) -> Sequence[Event]:
    ts_event = said.time * MS
    next_ts = said.next_funding_rate_time * MS if said.next_funding_rate_time else None
    rate, predicted = said.relative_funding_rate, said.relative_funding_rate_prediction
    funding = ticker.funding(one.symbol, rate, predicted, next_ts, ts_event, ts_recv)
    told = ticker.Told(
        bid=said.bid,
        ask=said.ask,
        bid_size=said.bid_size,
        ask_size=said.ask_size,
        last=said.last,
        mark=said.markPrice,
        index=said.index,
        open_interest=said.openInterest,
        volume=said.volume,
        volume_quote=said.volumeQuote,
        open=said.open,
        high=said.high,
        low=said.low,
        change=said.change,
    )
    return ticker.meaning(one, told, funding, ts_event, ts_recv)


def _uncommon(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode what is no data of version 1: answers, the unified socket, and what we cannot read."""
    head = _HEAD.decode(payload)
    if head.event:
        return (_control(head, ts_recv),)
    if head.channel or head.method:
        return unified.decode(payload, ts_recv, memory)
    if head.feed:
        _FRAME.decode(payload)  # it does not fit: raise what is wrong with it
    raise VenueChanged(f"{VENUE}: neither data nor an answer: {payload[:200]!r}")


def _control(head: _Head, ts_recv: Nanos) -> Control:
    """Return what an answer means. It names feed and products; an error names nothing."""
    names = tuple(f"{head.feed}:{one}" for one in head.product_ids)
    match head.event:
        case "subscribed" | "unsubscribed":
            return Control(VENUE, "", None, ts_recv, "ack", names=names)
        case "subscribed_failed" | "unsubscribed_failed":
            message = head.message or head.event
            return Control(VENUE, "", None, ts_recv, "refused", message=message, names=names)
        case "info" if head.version not in (None, _VERSION):
            raise ProtocolRetired(
                f"{VENUE}: the socket speaks protocol version {head.version}, not {_VERSION}",
                hint="the venue moves to its unified socket on 1 March 2027: see the notes of the venue",
            )
        case "alert" if not head.message.startswith(_AGAIN):
            return Control(VENUE, "", None, ts_recv, "refused", message=head.message)
        case "error":
            return Control(VENUE, "", None, ts_recv, "refused", message=head.message)
        case "info" | "alert" | "pong":
            return Control(VENUE, "", None, ts_recv, "pong", message=head.message or head.event)
        case _:
            raise VenueChanged(f"{VENUE}: an event that is not known: {head.event[:50]!r}")

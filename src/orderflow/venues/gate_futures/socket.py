"""What Gate's perpetual futures say on their socket, and the words in which we ask."""

import re
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from orderflow.market.errors import ProtocolRetired, VenueChanged
from orderflow.market.events import MS, SECOND, BookUpdate, Control, Event, Level, Nanos, Quote
from orderflow.venues.gate.rows import (
    at,
    candle,
    day,
    known,
    liquidations,
    listed,
    open_interest,
    rungs,
    scaled,
    side,
    trade,
)
from orderflow.venues.gate.wire import Bar, Day, Fill, Liquidated, Rung, Stats
from orderflow.venues.spec import Memory, Names, left_out

VENUE = "gate_futures"

# ── What we ask ───────────────────────────────────────────────────────────────────────────────


def subscribe(names: Names, id: int) -> bytes:
    """Ask for channels of one kind; a name is the channel and its payload, `futures.trades:BTC_USDT`."""
    return _request("subscribe", names, id)


def unsubscribe(names: Names, id: int) -> bytes:
    return _request("unsubscribe", names, id)


def _request(event: str, names: Names, id: int) -> bytes:
    channel = names[0].partition(":")[0]
    payload = [word for name in names for word in name.split(":")[1:]]
    # A request must carry the time at which it is made; nothing depends on it.
    said = {"time": int(time.time()), "channel": channel, "event": event, "payload": payload, "id": id}
    return msgspec.json.encode(said)


def ping(now: Nanos) -> bytes:
    """Return the application's ping, which the venue wants beside the WebSocket's own."""
    return msgspec.json.encode({"time": now // SECOND, "channel": "futures.ping"})


_HEARD = re.compile(rb'"channel":"([\w.]+)".*?"(?:contract|s|n)":"([^"]+)"')
HEAD_BYTES = 288  # a trade or a candle names its contract last


def heard(head: bytes) -> list[str]:
    """Return the channels that the beginning of a frame belongs to.

    >>> heard(b'{"time":1,"channel":"futures.candlesticks","event":"update","result":[{"n":"1m_BTC_USDT"}]}')
    ['futures.candlesticks:1m:BTC_USDT']
    """
    found = _HEARD.search(head)
    if found is None:
        return []
    channel, about = found[1].decode(errors="replace"), found[2].decode(errors="replace")
    if channel == "futures.candlesticks":
        about = about.replace("_", ":", 1)
    return [f"{channel}:{about}"]


# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Best(msgspec.Struct, gc=False):
    t: int
    u: int
    s: str
    b: float | None = None
    B: float | None = None
    a: float | None = None
    A: float | None = None


class _Book(msgspec.Struct, gc=False):
    t: int
    s: str
    u: int
    U: int | None = None
    full: bool = False
    b: list[Level] = []
    a: list[Level] = []


class _Diff(msgspec.Struct, gc=False):
    t: int
    s: str
    U: int
    u: int
    b: list[Rung] = []
    a: list[Rung] = []


class _Shallow(msgspec.Struct, gc=False):
    contract: str
    bids: list[Rung]
    asks: list[Rung]
    id: int | None = None
    t: int | None = None


class _Books(msgspec.Struct, tag_field="channel", tag="futures.obu", gc=False):
    result: _Book


class _Trades(msgspec.Struct, tag_field="channel", tag="futures.trades", gc=False):
    result: list[Fill]


class _Bests(msgspec.Struct, tag_field="channel", tag="futures.book_ticker", gc=False):
    result: _Best


class _Days(msgspec.Struct, tag_field="channel", tag="futures.tickers", gc=False):
    result: list[Day]
    time: int
    time_ms: int = 0


class _Bars(msgspec.Struct, tag_field="channel", tag="futures.candlesticks", gc=False):
    result: list[Bar]
    time: int
    time_ms: int = 0


class _Liquidations(msgspec.Struct, tag_field="channel", tag="futures.public_liquidates", gc=False):
    result: list[Liquidated]


class _Statistics(msgspec.Struct, tag_field="channel", tag="futures.contract_stats", gc=False):
    result: list[Stats]
    time: int
    time_ms: int = 0


class _Diffs(msgspec.Struct, tag_field="channel", tag="futures.order_book_update", gc=False):
    result: _Diff


class _Shallows(msgspec.Struct, tag_field="channel", tag="futures.order_book", gc=False):
    result: _Shallow
    time: int


_Said: TypeAlias = (
    _Books | _Trades | _Bests | _Days | _Bars | _Liquidations | _Statistics | _Diffs | _Shallows
)


class _Error(msgspec.Struct):
    code: int | str = ""
    message: str = ""


class _Head(msgspec.Struct):
    """A frame of any kind: an answer, a notice, or data in a form that is not the usual one."""

    channel: str = ""
    event: str = ""
    time: int = 0
    time_ms: int = 0
    id: Any = None
    error: _Error | None = None
    payload: Any = None
    result: Any = None


_SAID = msgspec.json.Decoder(_Said, strict=False)
_HEAD = msgspec.json.Decoder(_Head)

_ONE = ("futures.obu", "futures.book_ticker", "futures.order_book_update", "futures.order_book")
_MANY = (
    "futures.trades",
    "futures.tickers",
    "futures.candlesticks",
    "futures.public_liquidates",
    "futures.contract_stats",
)
_NOT_KEPT = {
    "futures.contract_info": "what is listed is read from the list of contracts",
}
_ALREADY = "Alert sub"  # how the venue says that a channel is subscribed already

# ── What it means ─────────────────────────────────────────────────────────────────────────────


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode one frame. Raises `VenueChanged` or a msgspec error."""
    try:
        said = _SAID.decode(payload)
    except (msgspec.ValidationError, RecursionError):
        try:
            return _uncommon(payload, ts_recv, memory)
        except RecursionError as error:
            raise VenueChanged(f"{VENUE}: nested too deeply: {payload[:200]!r}") from error
    return _meaning(said, ts_recv, memory)


def _meaning(said: _Said, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    match said:
        case _Books(result=book):
            native = book.s.removeprefix("ob.").rpartition(".")[0]
            one = listed(native, memory)
            bids, asks = scaled(book.b, one), scaled(book.a, one)
            first = None if book.full else book.U
            return (
                BookUpdate(
                    *(VENUE, one.symbol, book.t * MS, ts_recv, book.full, bids, asks, book.u, first),
                    replaces=book.full,
                ),
            )
        case _Trades(result=rows):
            return [trade(VENUE, row, ts_recv, memory) for row in rows]
        case _Bests(result=best):
            return (_quote(best, ts_recv, memory),)
        case _Days(result=rows):
            sent = at(said.time_ms or said.time)
            return [event for row in rows for event in day(VENUE, row, sent, ts_recv, memory)]
        case _Bars(result=rows):
            sent = at(said.time_ms or said.time)
            return [_bar(row, sent, ts_recv, memory) for row in rows]
        case _Liquidations(result=rows):
            return liquidations(VENUE, rows, ts_recv, memory)
        case _Statistics(result=rows):
            sent = at(said.time_ms or said.time)
            return [open_interest(VENUE, row, listed(row.contract, memory), sent, ts_recv) for row in rows]
        case _Diffs(result=diff):
            one = listed(diff.s, memory)
            bids, asks = rungs(diff.b, one), rungs(diff.a, one)
            ts_event = diff.t * MS
            return (BookUpdate(VENUE, one.symbol, ts_event, ts_recv, False, bids, asks, diff.u, diff.U),)
        case _Shallows(result=book):
            one = listed(book.contract, memory)
            ts_event = at(book.t or said.time)
            bids, asks = rungs(book.bids, one), rungs(book.asks, one)
            depth = max(len(bids), len(asks))
            return (BookUpdate(VENUE, one.symbol, ts_event, ts_recv, True, bids, asks, book.id, depth=depth),)


def _quote(best: _Best, ts_recv: Nanos, memory: Memory) -> Event:
    one = listed(best.s, memory)
    if not best.t:
        return left_out(VENUE, one.symbol, ts_recv, "the quote of a market in which nobody quotes")
    return Quote(
        *(VENUE, one.symbol, best.t * MS, ts_recv),
        *(*side(best.b, best.B, one), *side(best.a, best.A, one)),
        best.u,
    )


def _bar(row: Bar, sent: Nanos, ts_recv: Nanos, memory: Memory) -> Event:
    interval, _, native = row.n.partition("_")
    return candle(VENUE, row, interval, native, sent, ts_recv, memory)


# ── Answers, notices, and data in another form ────────────────────────────────────────────────


def _uncommon(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    head = _HEAD.decode(payload)
    ts_event = at(head.time_ms or head.time) if head.time_ms or head.time else None
    if head.event == "upgrade":
        return (Control(VENUE, "", ts_event, ts_recv, "closing", message="the venue upgrades"),)
    if head.channel == "futures.pong":
        return (Control(VENUE, "", ts_event, ts_recv, "pong"),)
    if head.error is not None or head.event in ("subscribe", "unsubscribe"):
        return (_answer(head, ts_event, ts_recv),)
    if head.channel == "futures.order_book" and head.event == "update":
        raise ProtocolRetired(
            f"{VENUE}: futures.order_book sent changes, as the protocol of 2020 did, which is no longer spoken",
            hint="books are read from futures.obu, or from futures.order_book_update in recordings since 2021",
        )
    if head.channel in _NOT_KEPT:
        return (left_out(VENUE, "", ts_recv, _NOT_KEPT[head.channel]),)
    if head.channel not in _ONE + _MANY:
        raise VenueChanged(f"{VENUE}: neither data nor an answer: {payload[:200]!r}")
    return _rebuilt(head, ts_recv, memory)


def _answer(head: _Head, ts_event: Nanos | None, ts_recv: Nanos) -> Control:
    """Return what became of a request: answers name its id, or (older ones) its payload, or nothing."""
    id = head.id if isinstance(head.id, int) and not isinstance(head.id, bool) else None
    names = () if id is not None else _names(head.channel, head.payload)
    error = head.error
    if error is not None and not error.message.startswith(_ALREADY):
        said = f"{error.code}: {error.message}"
        return Control(VENUE, "", ts_event, ts_recv, "refused", id, said, names)
    message = "" if error is None else error.message
    return Control(VENUE, "", ts_event, ts_recv, "ack", id, message, names)


def _names(channel: str, payload: Any) -> tuple[str, ...]:
    """Return the names under which we subscribed what an answer repeats."""
    words = [word for word in payload if isinstance(word, str)] if isinstance(payload, list) else []
    if channel in ("futures.candlesticks", "futures.contract_stats", "futures.order_book_update"):
        return (":".join((channel, *words)),) if words else ()
    return tuple(f"{channel}:{word}" for word in words)


def _rebuilt(head: _Head, ts_recv: Nanos, memory: Memory) -> list[Event]:
    """Decode data whose result is a row, a list, or a list in a list, and whose empty texts are unknown."""
    found: list[Event] = []
    for row in _flat(known(head.result)):
        whole = {
            "channel": head.channel,
            "time": head.time,
            "time_ms": head.time_ms,
            "result": row if head.channel in _ONE else [row],
        }
        found += _meaning(msgspec.convert(whole, _Said, strict=False), ts_recv, memory)
    return found


def _flat(result: Any) -> list[dict[str, Any]]:
    if isinstance(result, dict):
        return [result]
    if isinstance(result, list):
        return [row for one in result for row in _flat(one)]
    raise VenueChanged(f"{VENUE}: a result that is neither a row nor a list: {str(result)[:100]!r}")

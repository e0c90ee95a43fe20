"""What Deribit sends over its sockets, and what it means; futures and options come side by side."""

from collections.abc import Callable, Sequence
from math import nan
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import (
    MS,
    BookUpdate,
    Control,
    Event,
    IndexPrice,
    Level,
    Nanos,
    Option,
    VolatilityIndex,
)
from orderflow.venues.deribit import meaning
from orderflow.venues.deribit.names import FUTURES, OPTIONS, named, of_index
from orderflow.venues.deribit.wire import Error, TickerSaid, TradeSaid
from orderflow.venues.spec import Memory, left_out

UPKEEP = 0  # the id of what keeps a connection alive: subscriptions are numbered from 1

# ── What we ask ───────────────────────────────────────────────────────────────────────────────


def _call(method: str, id: int, **params: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": id, "method": f"public/{method}", "params": params})


def subscribe(names: Sequence[str], id: int) -> bytes:
    return _call("subscribe", id, channels=list(names))


def unsubscribe(names: Sequence[str], id: int) -> bytes:
    return _call("unsubscribe", id, channels=list(names))


HEARTBEAT_S = 30
GREETING = _call("set_heartbeat", UPKEEP, interval=HEARTBEAT_S)
ALIVE = _call("test", UPKEEP)

# ── What they say ─────────────────────────────────────────────────────────────────────────────

T = TypeVar("T")


class _Params(msgspec.Struct, Generic[T], gc=False):
    channel: str
    data: T


class _Frame(msgspec.Struct, Generic[T], gc=False):
    params: _Params[T]


class _Quote(msgspec.Struct, gc=False):
    instrument_name: str
    timestamp: int
    best_bid_price: float | None
    best_bid_amount: float | None
    best_ask_price: float | None
    best_ask_amount: float | None


class _Book(msgspec.Struct, gc=False):
    instrument_name: str
    timestamp: int
    change_id: int
    bids: list[tuple[str, float, float]]
    asks: list[tuple[str, float, float]]
    prev_change_id: int | None = None
    type: str = ""


class _Shallow(msgspec.Struct, gc=False):
    instrument_name: str
    timestamp: int
    change_id: int
    bids: list[Level]
    asks: list[Level]


class _Mark(msgspec.Struct, gc=False):
    instrument_name: str
    mark_price: float
    iv: float
    timestamp: int | None = None


class _Bar(msgspec.Struct, gc=False):
    tick: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    cost: float | None = None


class _Index(msgspec.Struct, gc=False):
    timestamp: int
    index_name: str
    price: float


class _Volatility(msgspec.Struct, gc=False):
    timestamp: int
    index_name: str
    volatility: float


class _HeadParams(msgspec.Struct):
    channel: str = ""
    type: str = ""


class _Head(msgspec.Struct):
    """Just enough of a frame to tell what it is."""

    method: str = ""
    params: _HeadParams | None = None
    id: int | str | None = None
    result: Any = None
    error: Error | None = None


_TRADES = msgspec.json.Decoder(_Frame[list[TradeSaid]])
_QUOTE = msgspec.json.Decoder(_Frame[_Quote])
_BOOK = msgspec.json.Decoder(_Frame[_Book])
_SHALLOW = msgspec.json.Decoder(_Frame[_Shallow])
_TICKER = msgspec.json.Decoder(_Frame[TickerSaid])
_MARKS = msgspec.json.Decoder(_Frame[list[_Mark]])
_BAR = msgspec.json.Decoder(_Frame[_Bar])
_INDEX = msgspec.json.Decoder(_Frame[_Index])
_VOLATILITY = msgspec.json.Decoder(_Frame[_Volatility])
_HEAD = msgspec.json.Decoder(_Head)

_NOT_KEPT = {
    "perpetual": "the current funding alone: the ticker says it beside that of eight hours",
    "incremental_ticker": "the whole ticker is kept",
    "estimated_expiration_price": "no stream for delivery prices",
    "deribit_price_ranking": "no stream for an index's parts",
    "deribit_price_statistics": "no stream for statistics of an index",
    "instrument": "instruments are read from the listing",
    "platform_state": "no stream for the state of the platform",
    "announcements": "no stream for announcements",
}

# ── What it means: frames ─────────────────────────────────────────────────────────────────────

_BEGIN = b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"'
_NAME_AT = len(_BEGIN)


def decode(payload: bytes, ts_recv: Nanos, memory: Memory, venue: str = FUTURES) -> Sequence[Event]:
    """Decode one WebSocket frame; `venue` is that of what concerns the connection.

    Raises `VenueChanged` or a msgspec error.
    """
    try:
        if payload.startswith(_BEGIN):
            known = _MEANINGS.get(payload[_NAME_AT : payload.find(b".", _NAME_AT)])
            if known is not None:
                return known(payload, ts_recv, memory)
        return _uncommon(payload, ts_recv, memory, venue)
    except RecursionError as error:
        raise VenueChanged(f"{venue}: nested too deeply: {payload[:200]!r}") from error


def decode_options(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return decode(payload, ts_recv, memory, OPTIONS)


def _uncommon(payload: bytes, ts_recv: Nanos, memory: Memory, venue: str) -> Sequence[Event]:
    """Decode what does not begin as data does: answers, heartbeats, the unkept, another order of keys."""
    head = _HEAD.decode(payload)
    params = head.params or _HeadParams()
    if head.method == "subscription":
        kind = params.channel.partition(".")[0]
        if (known := _MEANINGS.get(kind.encode())) is not None:
            return known(payload, ts_recv, memory)
        if kind in _NOT_KEPT:
            return (left_out(venue, "", ts_recv, _NOT_KEPT[kind]),)
        raise VenueChanged(f"{venue}: no channel {params.channel[:100]!r} is known")
    if head.method == "heartbeat":
        if params.type == "test_request":
            return (Control(venue, "", None, ts_recv, "asking", message="test_request", reply=ALIVE),)
        return (Control(venue, "", None, ts_recv, "pong"),)
    id = head.id if isinstance(head.id, int) else None
    if head.error is not None:
        message = f"{head.error.code}: {head.error.said}"
        return (Control(venue, "", None, ts_recv, "refused", id, message),)
    if isinstance(head.result, list):
        return (_acknowledged(venue, id, head.result, ts_recv),)
    if head.result == "ok" or (isinstance(head.result, dict) and "version" in head.result):
        return (Control(venue, "", None, ts_recv, "pong", id),)  # to set_heartbeat, and to test
    raise VenueChanged(f"{venue}: neither data nor an answer: {payload[:200]!r}")


def _acknowledged(venue: str, id: int | None, accepted: list[Any], ts_recv: Nanos) -> Control:
    # A channel that it does not know is left out of the answer without a word.
    names = tuple(one for one in accepted if isinstance(one, str))
    if names:
        return Control(venue, "", None, ts_recv, "ack", id, names=names)
    return Control(venue, "", None, ts_recv, "refused", id, "none of the channels was accepted")


# ── What it means: trades ─────────────────────────────────────────────────────────────────────


def _trades(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return meaning.trades(_TRADES.decode(payload).params.data, ts_recv)


# ── What it means: quotes and books ───────────────────────────────────────────────────────────


def _quote(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return (meaning.quote(_QUOTE.decode(payload).params.data, ts_recv),)


def _book(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    # book.NAME.INTERVAL, or book.NAME.GROUP.DEPTH.INTERVAL
    if payload.count(b".", _NAME_AT, payload.find(b'"', _NAME_AT)) > 2:
        return _grouped(payload, ts_recv)
    said = _BOOK.decode(payload).params.data
    place = named(said.instrument_name)
    # Frames of before 2021 have no type: one that follows nothing is a snapshot.
    snapshot = said.type == "snapshot" or not (said.type or said.prev_change_id)
    return (
        BookUpdate(
            place.venue,
            meaning.book_symbol(place, said.instrument_name),
            said.timestamp * MS,
            ts_recv,
            snapshot,
            _levels(said.bids, place.inverse),
            _levels(said.asks, place.inverse),
            said.change_id,
            prev_id=None if snapshot else said.prev_change_id,
            replaces=snapshot,
        ),
    )


def _levels(said: list[tuple[str, float, float]], inverse: bool) -> list[Level]:
    if inverse:
        return [
            (price, 0.0 if action == "delete" else amount / price if price else nan)
            for action, price, amount in said
        ]
    return [(price, 0.0 if action == "delete" else amount) for action, price, amount in said]


def _grouped(payload: bytes, ts_recv: Nanos) -> Sequence[Event]:
    """Decode a stream of shallow snapshots; prices rounded into groups are no book."""
    params = _SHALLOW.decode(payload).params
    group, depth = params.channel.split(".")[-3:-1]
    if group != "none":
        return (left_out(FUTURES, "", ts_recv, "a book of prices in groups; the plain book is kept"),)
    said = params.data
    return (
        meaning.shallow(
            said.instrument_name, said.timestamp, said.change_id, said.bids, said.asks, int(depth), ts_recv
        ),
    )


# ── What it means: tickers ────────────────────────────────────────────────────────────────────


def _ticker(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return meaning.ticker(_TICKER.decode(payload).params.data, ts_recv)


def _marks(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode the marks of a whole surface; here a volatility is a fraction already."""
    events: list[Event] = []
    for one in _MARKS.decode(payload).params.data:
        place = named(one.instrument_name)
        ts_event = None if one.timestamp is None else one.timestamp * MS
        row = (one.instrument_name, place.expiry_ts, place.strike, place.right)
        found = Option(place.venue, place.symbol, ts_event, ts_recv, *row)
        events.append(msgspec.structs.replace(found, mark_price=one.mark_price, mark_iv=one.iv or None))
    return events


def _index(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _INDEX.decode(payload).params.data
    return (IndexPrice(FUTURES, of_index(said.index_name), said.timestamp * MS, ts_recv, said.price),)


def _volatility(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _VOLATILITY.decode(payload).params.data
    symbol = of_index(said.index_name)
    return (VolatilityIndex(OPTIONS, symbol, said.timestamp * MS, ts_recv, said.volatility),)


# ── What it means: candles ────────────────────────────────────────────────────────────────────


def _candle(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode a running bar. None says that it has ended: the first of the next one does."""
    params = _BAR.decode(payload).params
    native, _, resolution = params.channel.removeprefix("chart.trades.").rpartition(".")
    length = meaning.interval(resolution)[1] // MS
    said = params.data
    row = [said.tick, said.open, said.high, said.low, said.close, said.volume, said.cost]
    key = f"bar {native} {resolution}"
    last: list[Any] | None = memory.states.get(key)
    if last is not None and last[0] > said.tick:
        return (
            meaning.bar(native, resolution, row, ts_recv, closed=True),
        )  # told late, after the next had begun
    memory.states[key] = row
    running = meaning.bar(native, resolution, row, ts_recv, closed=False)
    if last is not None and last[0] + length == said.tick:
        return meaning.bar(native, resolution, last, ts_recv, closed=True), running
    return (running,)


_Meaning: TypeAlias = Callable[[bytes, Nanos, Memory], Sequence[Event]]

_MEANINGS: dict[bytes, _Meaning] = {
    b"ticker": _ticker,
    b"book": _book,
    b"quote": _quote,
    b"trades": _trades,
    b"chart": _candle,
    b"markprice": _marks,
    b"deribit_price_index": _index,
    b"deribit_volatility_index": _volatility,
}

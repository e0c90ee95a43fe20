"""Kraken's unified socket, which replaces the futures' own: the two channels that are documented.

Docs    https://docs.kraken.com/exchange/api-reference/unified-websocket
Quirks  Frames are those of the spot socket, version 2. What derivatives add to them (funding, mark price,
        open interest, a mark for liquidations) is UNCONFIRMED: none is read, none is made up. A size is
        taken to be of the unit that the futures' own socket uses. Trades have numbers here and texts
        there, so that a change of the route is no run of the same ids.
        A symbol's answer stands alone, under the id of the whole request: it is told by its name.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, TypeAlias

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import US, Control, Event, Nanos, Trade
from orderflow.venues.kraken_futures import ticker
from orderflow.venues.kraken_futures.products import VENUE, known
from orderflow.venues.spec import Memory, Names, left_out

PREFIX = "uws."

# ── What we ask ───────────────────────────────────────────────────────────────────────────────


def request(verb: str, names: Names, id: int) -> bytes:
    """Return a request for names of one channel, `uws.trade:PF_XBTUSD`."""
    channel = names[0].removeprefix(PREFIX).partition(":")[0]
    params = {
        "channel": channel,
        "asset_class": "derivatives",
        "symbol": [name.partition(":")[2] for name in names],
    }
    return msgspec.json.encode({"method": verb, "params": params, "req_id": id})


def heard(head: bytes) -> Names:
    """Tell the channel of a frame by its beginning."""
    pieces = head.split(b'"')
    if b"symbol" not in pieces[:-2] or len(pieces) < 4:
        return ()
    name = pieces[pieces.index(b"symbol") + 2]
    return (f"{PREFIX}{pieces[3].decode(errors='replace')}:{name.decode(errors='replace')}",)


# ── What they say ─────────────────────────────────────────────────────────────────────────────

When: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


class _Trade(msgspec.Struct, gc=False):
    symbol: str
    side: Literal["buy", "sell"]
    price: float
    qty: float
    trade_id: int
    timestamp: When


class _Trades(msgspec.Struct, tag_field="channel", tag="trade"):
    data: list[_Trade]


class _Day(msgspec.Struct, gc=False):
    symbol: str
    bid: float | None = None
    bid_qty: float | None = None
    ask: float | None = None
    ask_qty: float | None = None
    last: float | None = None
    volume: float | None = None
    vwap: float | None = None
    low: float | None = None
    high: float | None = None
    change_pct: float | None = None
    timestamp: When | None = None


class _Days(msgspec.Struct, tag_field="channel", tag="ticker"):
    data: list[_Day]


class _Heartbeat(msgspec.Struct, tag_field="channel", tag="heartbeat"):
    pass


class _Status(msgspec.Struct, tag_field="channel", tag="status"):
    pass


class _Asked(msgspec.Struct):
    channel: str = ""
    symbol: str = ""


class _Answer(msgspec.Struct):
    method: Literal["subscribe", "unsubscribe", "ping", "pong"]
    success: bool = True
    error: str = ""
    result: _Asked | None = None
    req_id: int | None = None


_Said: TypeAlias = _Trades | _Days | _Heartbeat | _Status

_FRAME: msgspec.json.Decoder[_Said] = msgspec.json.Decoder(_Said, strict=False)
_ANSWER = msgspec.json.Decoder(_Answer)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# ── What it means ─────────────────────────────────────────────────────────────────────────────


def nanos(when: datetime) -> Nanos:
    """Return a time in nanoseconds.

    >>> nanos(datetime(2026, 9, 9, 21, 53, 59, 425905, UTC))
    1788990839425905000
    """
    return (when - _EPOCH) // timedelta(microseconds=1) * US


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode a frame that has a channel or a method."""
    if b'"method"' in payload:
        return (_answer(_ANSWER.decode(payload), ts_recv),)
    match _FRAME.decode(payload):
        case _Trades(data=rows):
            rows.sort(key=lambda row: row.trade_id)
            return [_trade(row, ts_recv, memory) for row in rows] or _nothing(ts_recv)
        case _Days(data=days):
            return [event for one in days for event in _day(one, ts_recv, memory)] or _nothing(ts_recv)
        case _Heartbeat() | _Status():
            return (Control(VENUE, "", None, ts_recv, "pong"),)


def _nothing(ts_recv: Nanos) -> Sequence[Event]:
    return (left_out(VENUE, "", ts_recv, "a frame without rows"),)


def _trade(row: _Trade, ts_recv: Nanos, memory: Memory) -> Trade:
    one = known(row.symbol, memory)
    size = one.base(row.qty, row.price)
    ts_event = nanos(row.timestamp)
    return Trade(VENUE, one.symbol, ts_event, ts_recv, row.trade_id, row.side == "sell", row.price, size)


def _day(row: _Day, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    ts_event = None if row.timestamp is None else nanos(row.timestamp)
    told = ticker.Told(
        bid=row.bid,
        ask=row.ask,
        bid_size=row.bid_qty,
        ask_size=row.ask_qty,
        last=row.last,
        volume=row.volume,
        high=row.high,
        low=row.low,
        change=row.change_pct,
        vwap=row.vwap,
    )
    return ticker.meaning(known(row.symbol, memory), told, None, ts_event, ts_recv)


def _answer(said: _Answer, ts_recv: Nanos) -> Control:
    if said.method in ("ping", "pong"):
        return Control(VENUE, "", None, ts_recv, "pong", said.req_id, said.error or said.method)
    if not said.success:
        return Control(VENUE, "", None, ts_recv, "refused", said.req_id, said.error)
    if said.result is None or not said.result.symbol:
        raise VenueChanged(f"{VENUE}: an answer of the unified socket that names no symbol")
    name = f"{PREFIX}{said.result.channel}:{said.result.symbol}"
    return Control(VENUE, "", None, ts_recv, "ack", names=(name,))

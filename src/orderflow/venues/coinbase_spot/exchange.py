"""What Coinbase's Exchange feed sends, and what it means: matches, ticker, heartbeat, level2_batch."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from orderflow.market.events import (
    BookUpdate,
    Control,
    Event,
    Level,
    Missed,
    Nanos,
    Quote,
    Ticker,
    Trade,
)
from orderflow.venues.coinbase_spot.words import (
    EXCHANGE,
    VENUE,
    acknowledged,
    name,
    nanos,
    number,
    unified,
)
from orderflow.venues.spec import Memory, left_out

# ── What we ask ───────────────────────────────────────────────────────────────────────────────


def request(verb: str, channel: str, products: Sequence[str]) -> bytes:
    return msgspec.json.encode({"type": verb, "product_ids": products, "channels": [channel]})


# ── What they say ─────────────────────────────────────────────────────────────────────────────

_Side: TypeAlias = Literal["buy", "sell"]


class _Match(msgspec.Struct, tag_field="type", tag="match", gc=False):
    trade_id: int
    side: _Side
    size: float
    price: float
    product_id: str
    time: str = ""


class _LastMatch(_Match, tag="last_match", gc=False):
    pass


class _Changes(msgspec.Struct, tag_field="type", tag="l2update", gc=False):
    product_id: str
    changes: list[tuple[_Side, float, float]]
    time: str = ""


class _Snapshot(msgspec.Struct, tag_field="type", tag="snapshot", gc=False):
    product_id: str
    bids: list[Level]
    asks: list[Level]
    time: str = ""


class _Odd(msgspec.Struct):
    """A snapshot or a change whose sizes are not all numbers."""

    product_id: str
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []
    changes: list[tuple[_Side, str, str]] = []
    time: str = ""


class _Ticker(msgspec.Struct, tag_field="type", tag="ticker", gc=False):
    product_id: str
    price: float
    sequence: int | None = None
    time: str = ""
    open_24h: str = ""
    high_24h: str = ""
    low_24h: str = ""
    volume_24h: str = ""
    best_bid: str = ""
    best_bid_size: str = ""
    best_ask: str = ""
    best_ask_size: str = ""


class _TickerBatch(_Ticker, tag="ticker_batch", gc=False):
    pass


class _Heartbeat(msgspec.Struct, tag_field="type", tag="heartbeat", gc=False):
    product_id: str
    last_trade_id: int
    time: str = ""


class _Subscribed(msgspec.Struct):
    name: str
    product_ids: list[str] | None = None


class _Subscriptions(msgspec.Struct, tag_field="type", tag="subscriptions"):
    channels: list[_Subscribed]


class _Error(msgspec.Struct, tag_field="type", tag="error"):
    message: str
    reason: str = ""


class _Status(msgspec.Struct, tag_field="type", tag="status"):
    pass


_Said: TypeAlias = (
    _Match
    | _LastMatch
    | _Changes
    | _Snapshot
    | _Ticker
    | _TickerBatch
    | _Heartbeat
    | _Subscriptions
    | _Error
    | _Status
)
_SAID = msgspec.json.Decoder(_Said, strict=False)
_ODD = msgspec.json.Decoder(_Odd)

# ── What it means ─────────────────────────────────────────────────────────────────────────────

KINDS = {
    "match": "matches",
    "last_match": "matches",
    "l2update": "level2_batch",
    "snapshot": "level2_batch",
    "ticker": "ticker",
    "heartbeat": "heartbeat",
}
_BOOKS = ("level2", "level2_50", "level2_batch")  # names under which a batched book may be acknowledged


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _SAID.decode(payload)
    if type(said) is _Changes:  # most of them by far
        return (_changes(said, ts_recv),)
    match said:
        case _Match():  # a last match too: it is the trade before the subscription, with its id
            memory.states[f"tape:{said.product_id}"] = said.trade_id
            return (trade(said, ts_recv),)
        case _Ticker():
            return _ticker(said, ts_recv)
        case _Heartbeat():
            return (_heartbeat(said, ts_recv, memory),)
        case _Snapshot():
            symbol = unified(said.product_id)
            bids, asks = _real(said.bids), _real(said.asks)
            return (BookUpdate(VENUE, symbol, nanos(said.time), ts_recv, True, bids, asks, replaces=True),)
        case _Subscriptions():
            return (acknowledged(EXCHANGE, _names(said), None, ts_recv, memory),)
        case _Error():
            text = f"{said.message}: {said.reason}" if said.reason else said.message
            return (Control(VENUE, "", None, ts_recv, "refused", message=text),)
        case _:
            return (left_out(VENUE, "", ts_recv, "the products' state: their list is read over REST"),)


def trade(said: _Match, ts_recv: Nanos) -> Trade:
    # `side` is the maker's: a maker who sold met a taker who bought.
    return Trade(
        VENUE,
        unified(said.product_id),
        nanos(said.time),
        ts_recv,
        said.trade_id,
        said.side == "buy",
        said.price,
        said.size,
    )


def _changes(said: _Changes, ts_recv: Nanos) -> BookUpdate:
    bids: list[Level] = []
    asks: list[Level] = []
    for side, price, size in said.changes:
        if size >= 0:  # negative sizes have been seen, and some that are no number
            (bids if side == "buy" else asks).append((price, size))
    return BookUpdate(VENUE, unified(said.product_id), nanos(said.time), ts_recv, False, bids, asks)


def odd_book(payload: bytes, kind: str, ts_recv: Nanos) -> Sequence[Event]:
    """Decode a book in which sizes such as `0.-10000` stand, as have been seen, without those levels."""
    said = _ODD.decode(payload)
    bids = [*said.bids, *((price, size) for side, price, size in said.changes if side == "buy")]
    asks = [*said.asks, *((price, size) for side, price, size in said.changes if side == "sell")]
    whole = kind == "snapshot"
    return (
        BookUpdate(
            VENUE,
            unified(said.product_id),
            nanos(said.time),
            ts_recv,
            whole,
            _readable(bids),
            _readable(asks),
            replaces=whole,
        ),
    )


def _readable(levels: list[tuple[str, str]]) -> list[Level]:
    found: list[Level] = []
    for price, size in levels:
        try:
            found.append((float(price), float(size)))
        except ValueError:
            continue
    return _real(found)


def _real(levels: list[Level]) -> list[Level]:
    return [level for level in levels if level[1] >= 0]


def _ticker(said: _Ticker, ts_recv: Nanos) -> list[Event]:
    symbol, ts = unified(said.product_id), nanos(said.time)
    best = (
        number(said.best_bid),
        number(said.best_bid_size),
        number(said.best_ask),
        number(said.best_ask_size),
    )
    found: list[Event] = []
    if best[0] is not None or best[2] is not None:
        found.append(Quote(VENUE, symbol, ts, ts_recv, *best, said.sequence))
    found.append(
        Ticker(
            VENUE,
            symbol,
            ts,
            ts_recv,
            last=said.price,
            open=number(said.open_24h),
            high=number(said.high_24h),
            low=number(said.low_24h),
            volume=number(said.volume_24h),
        )
    )
    return found


def _heartbeat(said: _Heartbeat, ts_recv: Nanos, memory: Memory) -> Event:
    """Compare the tape with the last heartbeat's trade: a second later it must have come.

    Where the tape turns out to join after all, the gap is found to be none.
    """
    states, product = memory.states, said.product_id
    ts, tape = nanos(said.time), states.get(f"tape:{product}")
    due = states.get(f"due:{product}")
    states[f"due:{product}"] = said.last_trade_id
    if tape is None or due is None or due <= tape:
        return Control(VENUE, unified(product), ts, ts_recv, "pong")
    reason = f"the heartbeat told of trade {due} and {tape} was the last to arrive"
    return Missed(VENUE, unified(product), ts, ts_recv, ("trades",), reason)


def _names(said: _Subscriptions) -> list[str]:
    return [
        name(EXCHANGE, "level2_batch" if one.name in _BOOKS else one.name, product)
        for one in said.channels
        for product in one.product_ids or ()
    ]

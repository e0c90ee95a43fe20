"""Coinbase's two feeds as one: which of them is asked, which one speaks, and of what."""

from collections.abc import Sequence

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import Event, Nanos
from orderflow.venues.coinbase_spot import advanced, exchange
from orderflow.venues.coinbase_spot.words import ADVANCED, EXCHANGE, VENUE, name, parts
from orderflow.venues.spec import Memory, Names, left_out

# ── What we ask ───────────────────────────────────────────────────────────────────────────────


def subscribe(names: Names, id: int) -> bytes:
    """Ask for names of one channel, `exchange/matches:BTC-USD`; neither feed echoes an id."""
    return _request("subscribe", names)


def unsubscribe(names: Names, id: int) -> bytes:
    return _request("unsubscribe", names)


def _request(verb: str, names: Names) -> bytes:
    route, channel, products = parts(names)
    feed = advanced if route == ADVANCED else exchange
    return feed.request(verb, channel, products)


# ── What they say ─────────────────────────────────────────────────────────────────────────────

HEAD_BYTES = 320  # a match names its product behind three ids, a candle behind its prices
_ENVELOPE_ENDS = 200
_CHANNEL = b'"channel":'


class _Head(msgspec.Struct):
    type: str = ""


_HEAD = msgspec.json.Decoder(_Head)
_NOT_KEPT = dict.fromkeys(
    ("received", "open", "done", "change", "activate"), "single orders: the book by prices is kept"
)


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode one WebSocket frame of either feed. Raises `VenueChanged` or a msgspec error."""
    feed = advanced if payload.find(_CHANNEL, 0, _ENVELOPE_ENDS) >= 0 else exchange
    try:
        return feed.decode(payload, ts_recv, memory)
    except RecursionError as error:
        raise VenueChanged(f"{VENUE}: nested too deeply: {payload[:200]!r}") from error
    except msgspec.ValidationError as error:
        if feed is advanced:
            raise
        return _uncommon(payload, ts_recv, error)


def _uncommon(payload: bytes, ts_recv: Nanos, error: msgspec.ValidationError) -> Sequence[Event]:
    try:
        kind = _HEAD.decode(payload).type
    except RecursionError as deep:
        raise VenueChanged(f"{VENUE}: nested too deeply: {payload[:200]!r}") from deep
    if kind in _NOT_KEPT:
        return (left_out(VENUE, "", ts_recv, _NOT_KEPT[kind]),)
    if kind in ("snapshot", "l2update"):
        return exchange.odd_book(payload, kind, ts_recv)
    raise error


def heard(head: bytes) -> Names:
    """Tell the channel of a frame by its beginning."""
    product = _after(head, b'"product_id":"')
    if head.find(_CHANNEL, 0, _ENVELOPE_ENDS) >= 0:
        said = _after(head, b'"channel":"')
        return (name(ADVANCED, advanced.CHANNELS.get(said, said), product),)
    channel = exchange.KINDS.get(_after(head, b'"type":"'), "")
    return (name(EXCHANGE, channel, product),)


def _after(head: bytes, start: bytes) -> str:
    """Return the text that follows, up to the next quote; empty if it does not end here."""
    found, quote, _ = head.partition(start)[2].partition(b'"')
    return found.decode(errors="replace") if quote else ""

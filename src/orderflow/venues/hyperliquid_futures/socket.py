"""Hyperliquid's WebSocket: subscriptions, acknowledgements and the five streams."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import MS, Candle, Control, Event, Nanos, Quote
from orderflow.venues import hyperliquid
from orderflow.venues.hyperliquid_futures import wire
from orderflow.venues.hyperliquid_futures.wire import VENUE
from orderflow.venues.spec import Memory, Names, left_out

# ── What we ask ───────────────────────────────────────────────────────────────────────────────

PING = b'{"method":"ping"}'


def subscribe(names: Names, id: int) -> bytes:
    return _ask("subscribe", names)


def unsubscribe(names: Names, id: int) -> bytes:
    return _ask("unsubscribe", names)


def _ask(method: str, names: Names) -> bytes:
    """Ask for the one channel of `names`: `trades:BTC`, or `candle:1m:BTC`; a coin may hold a colon."""
    (name,) = names
    kind, _, coin = name.partition(":")
    wanted = {"type": kind, "coin": coin}
    if kind == "candle":
        interval, _, coin = coin.partition(":")
        wanted = {"type": kind, "coin": coin, "interval": interval}
    return msgspec.json.encode({"method": method, "subscription": wanted})


def _named(subscription: Mapping[str, Any]) -> tuple[str, ...]:
    """Return our name of a subscription as the venue repeats it, with nulls for what was not asked."""
    kind, coin, interval = (subscription.get(key) for key in ("type", "coin", "interval"))
    if not isinstance(kind, str) or not isinstance(coin, str):
        return ()
    return (f"{kind}:{interval}:{coin}" if isinstance(interval, str) else f"{kind}:{coin}",)


HEAD_BYTES = 176  # the coin of a candle may stand behind all of its prices
_CHANNEL = re.compile(rb'"channel": ?"(\w+)"')
_COIN = re.compile(rb'"(?:coin|s)": ?"([^"]+)"')
_INTERVAL = re.compile(rb'"i": ?"(\w+)"')


def heard(head: bytes) -> Names:
    """Return the channel that a frame's beginning is of.

    >>> heard(b'{"channel":"candle","data":{"t":1,"T":2,"s":"BTC","i":"1m","o":"7')
    ('candle:1m:BTC',)
    """
    channel, coin = _CHANNEL.search(head), _COIN.search(head)
    if channel is None or coin is None:
        return ()
    interval = _INTERVAL.search(head) if channel[1] == b"candle" else None
    found = (channel[1], coin[1]) if interval is None else (channel[1], interval[1], coin[1])
    return (b":".join(found).decode(errors="replace"),)


# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Trades(msgspec.Struct, tag_field="channel", tag="trades", gc=False):
    data: list[hyperliquid.Print]


class _Book(msgspec.Struct, tag_field="channel", tag="l2Book", gc=False):
    data: hyperliquid.Book


class _Touch(msgspec.Struct, gc=False):
    coin: str
    time: int
    bbo: tuple[hyperliquid.Level | None, hyperliquid.Level | None]


class _Best(msgspec.Struct, tag_field="channel", tag="bbo", gc=False):
    data: _Touch


class _Asset(msgspec.Struct, gc=False):
    coin: str
    ctx: wire.Context


class _AssetContext(msgspec.Struct, tag_field="channel", tag="activeAssetCtx", gc=False):
    data: _Asset


class _Candle(msgspec.Struct, tag_field="channel", tag="candle", gc=False):
    data: hyperliquid.Bar | list[hyperliquid.Bar]


class _Echo(msgspec.Struct, gc=False):
    subscription: dict[str, Any]


class _Ack(msgspec.Struct, tag_field="channel", tag="subscriptionResponse", gc=False):
    data: _Echo


class _Error(msgspec.Struct, tag_field="channel", tag="error", gc=False):
    data: str


class _Pong(msgspec.Struct, tag_field="channel", tag="pong", gc=False):
    pass


_Said: TypeAlias = _Trades | _Book | _Best | _AssetContext | _Candle | _Ack | _Error | _Pong


class _Head(msgspec.Struct):
    channel: str = ""


_SAID = msgspec.json.Decoder(_Said, strict=False)
_HEAD = msgspec.json.Decoder(_Head)

_GREETING = b"Websocket connection established"
_KNOWN = {
    "trades",
    "l2Book",
    "bbo",
    "activeAssetCtx",
    "candle",
    "subscriptionResponse",
    "error",
    "pong",
}
_NOT_KEPT = {
    "allMids": "mids of all coins: the best quotes say more",
    "allDexsAssetCtxs": "contexts of all coins, told by their places in a list that the frame does not hold",
    "fastAssetCtxs": "contexts of all coins, told by their places in a list that the frame does not hold",
    "activeSpotAssetCtx": "another market: spot",
    "outcomeMetaUpdates": "another market: outcomes",
    "notification": "a word to one account",
    "webData2": "a page for one account",
    "webData3": "a page for one account",
    "post": "an answer to a request over the socket",
}

# ── What it means ─────────────────────────────────────────────────────────────────────────────


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode one WebSocket frame. Raises `VenueChanged` or a msgspec error."""
    try:
        said = _SAID.decode(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        return _uncommon(payload, ts_recv, error)
    match said:
        case _Book():
            if said.data.fast:
                return (left_out(VENUE, "", ts_recv, "the five best levels: the whole book is kept"),)
            return (wire.book(said.data, ts_recv),)
        case _Best():
            return (_quote(said.data, ts_recv),)
        case _Trades():
            return [wire.trade(one, ts_recv) for one in said.data]
        case _AssetContext():
            return wire.context(said.data.coin, said.data.ctx, ts_recv)
        case _Candle():
            bars = said.data if isinstance(said.data, list) else [said.data]
            return [event for bar in bars for event in _candles(bar, ts_recv, memory)]
        case _Ack():
            names = _named(said.data.subscription)
            return (Control(VENUE, "", None, ts_recv, "ack", names=names),)
        case _Error():
            return (_complaint(said.data, ts_recv),)
        case _:
            return (Control(VENUE, "", None, ts_recv, "pong"),)


def _uncommon(payload: bytes, ts_recv: Nanos, error: Exception) -> Sequence[Event]:
    """Decode what is none of our channels: the greeting, channels that are not kept."""
    if payload.startswith(_GREETING):
        return (Control(VENUE, "", None, ts_recv, "pong", message=payload.decode(errors="replace")),)
    if isinstance(error, RecursionError):
        raise VenueChanged(f"{VENUE}: nested too deeply: {payload[:200]!r}") from error
    channel = _HEAD.decode(payload).channel
    if channel in _NOT_KEPT:
        return (left_out(VENUE, "", ts_recv, _NOT_KEPT[channel]),)
    if channel in _KNOWN:
        raise error  # a frame of ours that does not fit: what is wrong with it
    raise VenueChanged(f"{VENUE}: neither data nor an answer: {payload[:200]!r}") from error


def _quote(said: _Touch, ts_recv: Nanos) -> Quote:
    bid, ask = said.bbo
    return Quote(
        VENUE,
        wire.unified(said.coin),
        said.time * MS,
        ts_recv,
        None if bid is None else bid.px,
        None if bid is None else bid.sz,
        None if ask is None else ask.px,
        None if ask is None else ask.sz,
    )


def _candles(bar: hyperliquid.Bar, ts_recv: Nanos, memory: Memory) -> list[Candle]:
    """Return the bar, and before it the last one once more, closed, if this is the first of the next."""
    key = f"candle:{bar.i}:{bar.s}"
    last = memory.states.get(key)
    if last is not None and last["t"] > bar.t:
        return [wire.candle(bar, ts_recv, closed=True)]
    memory.states[key] = msgspec.to_builtins(bar)
    found: list[Candle] = []
    if last is not None and last["t"] < bar.t:
        found.append(wire.candle(msgspec.convert(last, hyperliquid.Bar), ts_recv, closed=True))
    found.append(wire.candle(bar, ts_recv, closed=False))
    return found


def _complaint(text: str, ts_recv: Nanos) -> Control:
    """Return an error; it repeats, behind its words, what was asked."""
    words, brace, repeated = text.partition("{")
    names: tuple[str, ...] = ()
    try:
        asked: Any = msgspec.json.decode(brace + repeated) if brace else None
    except (msgspec.DecodeError, RecursionError):
        asked = None
    if isinstance(asked, dict):
        fields = cast(dict[str, Any], asked)
        inner: Any = fields.get("subscription", fields)
        names = _named(cast(dict[str, Any], inner)) if isinstance(inner, dict) else ()
    # What is subscribed already, or is not any more, is as it was asked to be.
    kind = "ack" if words.startswith("Already ") else "refused"
    return Control(VENUE, "", None, ts_recv, kind, message=text, names=names)

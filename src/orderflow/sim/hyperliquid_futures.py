"""Hyperliquid perpetuals as they speak on their socket: one coin a message, books whole; the form stands last."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import msgspec

from orderflow.sim import hyperliquid_wire as wire
from orderflow.sim.gathering import Every
from orderflow.sim.happenings import BestChanged, Candle, CandleClosed, Fill, Happening, Marked, Millis
from orderflow.sim.hyperliquid_rest import ENDPOINTS, refusal
from orderflow.sim.hyperliquid_wire import LISTINGS, NAMES, encode
from orderflow.sim.listings import Place, Wording
from orderflow.sim.market import Market
from orderflow.sim.protocol import NO_OPENING, Form, Frame, Limits, Opening, Session, Streams

_KINDS = ("trades", "bbo", "l2Book", "activeAssetCtx", "candle:1m")
_BOOK_MS = 550  # a book comes with the first block after half a second
_CANDLE_MS = 500
_BACKLOG = 30
_CONTEXT_KINDS = ("mark_prices", "index_prices", "funding_rates", "open_interest", "ticker_24h")


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    """`trades:BTC`, `candle:1m:BTC`; `allMids` spans all coins."""
    if stream == "allMids":
        return "public"
    kind, _, coin = stream.rpartition(":")
    return "public" if kind in _KINDS and NAMES.symbol(coin) in markets else None


# ── One coin ──────────────────────────────────────────────────────────────────────────────────


class SymbolStreams(Streams):
    """All streams of one perpetual."""

    def __init__(self, venue: str, market: Market) -> None:
        self._exchange, self._perpetual = market.exchanges[venue], market.perpetuals[venue]
        self._symbol, self._coin = market.symbol, NAMES.native(market.symbol)
        self._words = Wording(self._exchange.listing)
        self._names = {kind: f"{kind}:{self._coin}" for kind in _KINDS}
        self._book_every, self._candle_every = Every(_BOOK_MS), Every(_CANDLE_MS)
        self._sent_candle = (0, -1)

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        out: list[Frame] = []
        fills = [one for one in happenings if isinstance(one, Fill)]
        bests = [one for one in happenings if isinstance(one, BestChanged)]
        if fills and self._names["trades"] in wanted:
            out.append(self._trades(fills))
        if bests and self._names["bbo"] in wanted:
            said = {"coin": self._coin, "time": now_ms, "bbo": wire.touch(self._words, bests[-1])}
            out.append(self._frame("bbo", said, ("prices",)))
        for one in happenings:
            if isinstance(one, CandleClosed):
                self._candle(one.candle, wanted, out)
            elif isinstance(one, Marked) and self._names["activeAssetCtx"] in wanted:
                out.append(self._context(_CONTEXT_KINDS))
        if self._book_every.due(now_ms) and self._names["l2Book"] in wanted:
            out.append(self._book(now_ms))
        if self._candle_every.due(now_ms):
            self._candle(self._exchange.candles.running, wanted, out)
        return out

    def opening(self, stream: str, now_ms: Millis) -> Opening:
        """Trades begin with a backlog that is not marked as one; books and contexts come at once."""
        if stream == self._names["trades"]:
            rows = list(self._exchange.fills.latest(_BACKLOG))
            return Opening([self._trades(rows)]) if rows else NO_OPENING
        if stream == self._names["l2Book"]:
            return Opening([self._book(now_ms)])
        if stream == self._names["activeAssetCtx"]:
            return Opening([self._context(_CONTEXT_KINDS)])
        return NO_OPENING

    def _frame(self, kind: str, data: Any, told: Sequence[str] = ()) -> Frame:
        payload = encode({"channel": kind.partition(":")[0], "data": data})
        return Frame(self._names[kind], payload, told=tuple((self._symbol, one, 1) for one in told))

    def _trades(self, rows: Sequence[Any]) -> Frame:
        """Consecutive rows of the tape, or fills, in one message."""
        said = [wire.trade(self._coin, self._words, one) for one in rows]
        payload = encode({"channel": "trades", "data": said})
        return Frame(self._names["trades"], payload, self._exchange.fills, rows[0].id, len(rows))

    def _book(self, now_ms: Millis) -> Frame:
        return self._frame("l2Book", wire.book(self._coin, self._words, self._exchange.book, now_ms))

    def _context(self, told: Sequence[str]) -> Frame:
        said = {"coin": self._coin, "ctx": wire.context(self._words, self._perpetual)}
        return self._frame("activeAssetCtx", said, told)

    def _candle(self, candle: Candle, wanted: Collection[str], out: list[Frame]) -> None:
        """Tell a bar that has changed. Nothing says that one is closed: it is, once the next is told."""
        state = (candle.open_ms, candle.last)
        if not candle.trades or state == self._sent_candle or self._names["candle:1m"] not in wanted:
            return
        closes = self._sent_candle[0] not in (0, candle.open_ms)
        self._sent_candle = state
        said = wire.candle(self._coin, self._words, candle, "1m", 1)
        out.append(self._frame("candle:1m", said, ("candles",) if closes else ()))


class WideStreams(Streams):
    """The mids of all coins, once a second."""

    def __init__(self, venue: str, markets: Mapping[str, Market]) -> None:
        self._venue, self._markets = venue, markets
        self._every = Every(1000)

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        if not self._every.due(now_ms) or "allMids" not in wanted:
            return []
        mids = wire.mids(self._venue, self._markets)
        return [Frame("allMids", encode({"channel": "allMids", "data": {"mids": mids}}))]


# ── Subscriptions ─────────────────────────────────────────────────────────────────────────────


def greeting(session: Session) -> Sequence[bytes]:
    return (b"Websocket connection established.",)


def control(session: Session, text: str, limits: Limits) -> Sequence[bytes]:
    """Obey a client's message. A subscription is repeated with nulls for what was not said."""
    try:
        request: Any = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return (_error(f"Error parsing JSON into valid websocket request: {text}"),)
    fields = cast(dict[str, Any], request) if isinstance(request, dict) else {}
    if fields.get("method") == "ping":
        return (encode({"channel": "pong"}),)
    method, wanted = fields.get("method"), fields.get("subscription")
    if method not in ("subscribe", "unsubscribe") or not isinstance(wanted, dict):
        return (_error(f"Error parsing JSON into valid websocket request: {text}"),)
    subscription = cast(dict[str, Any], wanted)
    stream = _stream(subscription)
    said = encode(subscription).decode()
    if not session.carries(stream):
        return (_error(f"Invalid subscription {said}"),)
    there = stream in session.subscribed
    if there == (method == "subscribe"):
        return (_error(f"Already {method}d: {said}"),)
    if method == "unsubscribe":
        session.unsubscribe([stream])
    elif len(session.subscribed) >= limits.streams:
        return (_error(f"Cannot track more than {limits.streams} total subscriptions: {said}"),)
    else:
        session.subscribe([stream])
    repeated = {"nSigFigs": None, "mantissa": None, **subscription}
    data = {"method": method, "subscription": repeated}
    return (encode({"channel": "subscriptionResponse", "data": data}),)


def _stream(subscription: Mapping[str, Any]) -> str:
    kind, coin, interval = (subscription.get(key) for key in ("type", "coin", "interval"))
    if coin is None:
        return str(kind)
    return f"{kind}:{coin}" if interval is None else f"{kind}:{interval}:{coin}"


def _error(words: str) -> bytes:
    return encode({"channel": "error", "data": words})


# ── The form ──────────────────────────────────────────────────────────────────────────────────

HYPERLIQUID_FUTURES = Form(
    name="hyperliquid_futures",
    place=Place(kind="perpetual", listings=LISTINGS, mean_basis=0.0001, funding_hours=1),
    limits=Limits(messages_per_second=100, streams=1000, quiet_s=60, weight=1200, patience=1_000_000),
    routes={"public": "/ws"},
    route_of=route_of,
    control=control,
    streams=SymbolStreams,
    market_wide=WideStreams,
    endpoints=ENDPOINTS,
    refusal=refusal,
    greeting=greeting,
    wrong_shape=b'{"channel":"trades","data":7}',
)

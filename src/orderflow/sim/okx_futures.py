"""OKX swaps as they speak on their sockets since 2026; their form stands last.

A stream is a channel and what it is of, `books:BTC-USDT-SWAP`. Bars and single fills are on the business
route alone: asked elsewhere they are refused by name, as what does not exist. Each channel of a request is
answered by itself. The deep book begins with a snapshot on the socket, and says that it lives when nothing
changes; `checksum` is 0. The first word on liquidations is an old one, of each swap.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

import msgspec

from orderflow.sim import okx_facts_rest, okx_futures_rest, okx_rest
from orderflow.sim import okx_futures_wire as wire
from orderflow.sim.gathering import Every, TopChange, TopStream
from orderflow.sim.happenings import (
    Aggregate,
    BestChanged,
    Candle,
    CandleClosed,
    Fill,
    Happening,
    Liquidated,
    Marked,
    Millis,
)
from orderflow.sim.listings import Listing, Names, Place
from orderflow.sim.market import Market
from orderflow.sim.protocol import NO_OPENING, Form, Frame, Limits, Opening, Session, Streams

encode = msgspec.json.encode

_PUBLIC = ("books", "bbo-tbt", "books5", "trades", "mark-price", "funding-rate", "open-interest", "tickers")
_BUSINESS = ("candle1m", "trades-all")
_ROUTES = {**dict.fromkeys(_PUBLIC, "public"), **dict.fromkeys(_BUSINESS, "business")}
_INDEX, _LIQUIDATIONS = "index-tickers", "liquidation-orders:SWAP"
_ALIVE_MS = 60_000  # a book that does not change says so


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    channel, _, of = stream.partition(":")
    if stream == _LIQUIDATIONS:
        return "public"
    if channel == _INDEX:
        return "public" if NAMES.symbol(f"{of}-SWAP") in markets else None
    return _ROUTES.get(channel) if NAMES.symbol(of) in markets else None


# ── One swap ──────────────────────────────────────────────────────────────────────────────────


class SymbolStreams(Streams):
    """All streams of one swap."""

    def __init__(self, venue: str, market: Market) -> None:
        self._exchange, self._perpetual = market.exchanges[venue], market.perpetuals[venue]
        self._symbol = market.symbol
        self._words = words = wire.Words(self._exchange.listing)
        self._args = {
            **{channel: {"channel": channel, "instId": words.id} for channel in _ROUTES},
            _INDEX: {"channel": _INDEX, "instId": words.index},
            "liquidation-orders": {"channel": "liquidation-orders", "instType": "SWAP"},
        }
        self._streams = {channel: ":".join(arg.values()) for channel, arg in self._args.items()}
        self._book: TopStream | None = None
        self._told_ms = 0
        self._five = (Every(100), 0)
        self._every = {
            "tickers": Every(500),
            "open-interest": Every(3_000),
            "funding-rate": Every(30_000),
            "candle1m": Every(1_000),
        }

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        out: list[Frame] = []
        heard = {channel for channel, stream in self._streams.items() if stream in wanted}
        if not heard:
            self._book = None
            return out
        for one in happenings:
            self._happened(one, now_ms, heard, out)
        self._books(now_ms, heard, out)
        self._timed(now_ms, heard, out)
        return out

    def _happened(self, one: Happening, now_ms: Millis, heard: set[str], out: list[Frame]) -> None:
        words, exchange = self._words, self._exchange
        match one:
            case BestChanged() if "bbo-tbt" in heard:
                bid, ask = [(one.bid, one.bid_lots)], [(one.ask, one.ask_lots)]
                row = wire.book(words, bid, ask, one.ts, seqId=one.id)
                out.append(self._said("bbo-tbt", row, "prices"))
            case Aggregate() if "trades" in heard:
                payload = self._payload("trades", wire.trade(words, one))
                out.append(Frame(self._streams["trades"], payload, exchange.aggregates, one.id))
            case Fill() if "trades-all" in heard:
                row = wire.fill(words, one, one.id) | {"source": "1" if one.hidden else "0"}
                payload = self._payload("trades-all", row)
                out.append(Frame(self._streams["trades-all"], payload, exchange.fills, one.id))
            case Marked():
                if "mark-price" in heard:
                    out.append(self._said("mark-price", wire.mark(words, one), "mark_prices"))
                if _INDEX in heard:
                    out.append(self._said(_INDEX, wire.index(words, one), "index_prices"))
            case Liquidated() if "liquidation-orders" in heard:
                out.append(self._said("liquidation-orders", wire.liquidation(words, one), "liquidations"))
            case CandleClosed(candle=candle) if "candle1m" in heard:
                out.append(self._bar(candle, True))
            case _:
                pass  # nobody wants it

    def _books(self, now_ms: Millis, heard: set[str], out: list[Frame]) -> None:
        if "books" not in heard:
            self._book = None
        elif self._book is None:
            self._book = TopStream(self._exchange.book, wire.DEPTH, 100)
        elif (change := self._book.due(now_ms)) is not None:
            out.append(self._update(change, now_ms))
        elif now_ms - self._told_ms >= _ALIVE_MS:
            last, _, _ = self._book.snapshot
            out.append(self._whole("update", (), (), now_ms, last, last))
        every, told = self._five
        if every.due(now_ms) and "books5" in heard and told != self._exchange.book.update_id:
            self._five = (every, self._exchange.book.update_id)
            row = wire.top(self._words, self._exchange.book, 5, now_ms) | {"instId": self._words.id}
            out.append(self._said("books5", row))

    def _timed(self, now_ms: Millis, heard: set[str], out: list[Frame]) -> None:
        for channel, every in self._every.items():
            if every.due(now_ms) and channel in heard:
                out.append(self._current(channel, now_ms))

    def opening(self, stream: str, now_ms: Millis) -> Opening:
        channel = stream.partition(":")[0]
        if self._streams.get(channel) != stream:
            return NO_OPENING
        if channel == "books":
            self._book = self._book or TopStream(self._exchange.book, wire.DEPTH, 100)
            change = self._book.split()
            closing = [] if change is None else [self._update(change, now_ms)]
            last, bids, asks = self._book.snapshot
            return Opening([self._whole("snapshot", bids, asks, now_ms, last, -1)], closing)
        if channel == "liquidation-orders":
            row = wire.old_liquidation(self._words, self._exchange, now_ms)
            return Opening([Frame(stream, self._payload(channel, row))])
        if channel in ("trades", "trades-all", "candle1m"):
            return NO_OPENING
        return Opening([self._current(channel, now_ms)])

    def _current(self, channel: str, now_ms: Millis) -> Frame:
        """What a channel says when it is asked for, or when its time has come."""
        words, exchange, perpetual = self._words, self._exchange, self._perpetual
        says: dict[str, tuple[Callable[[], Any], str]] = {
            "bbo-tbt": (lambda: wire.top(words, exchange.book, 1, now_ms), "prices"),
            "books5": (lambda: wire.top(words, exchange.book, 5, now_ms), ""),
            "mark-price": (lambda: wire.mark(words, perpetual.marked), "mark_prices"),
            _INDEX: (lambda: wire.index(words, perpetual.marked), "index_prices"),
            "funding-rate": (lambda: wire.funding(words, perpetual, now_ms), "funding_rates"),
            "open-interest": (lambda: wire.open_interest(words, perpetual, now_ms), "open_interest"),
            "tickers": (lambda: wire.ticker(words, exchange, now_ms), "ticker_24h"),
        }
        if channel == "candle1m":
            return self._bar(exchange.candles.running, False)
        make, kind = says[channel]
        return self._said(channel, make(), kind)

    def _bar(self, candle: Candle, closed: bool) -> Frame:
        return self._said("candle1m", wire.candle(self._words, candle, closed), "candles" if closed else "")

    def _update(self, one: TopChange, now_ms: Millis) -> Frame:
        return self._whole("update", one.bids, one.asks, now_ms, one.last, one.previous)

    def _whole(self, action: str, bids: Any, asks: Any, now_ms: Millis, last: int, previous: int) -> Frame:
        self._told_ms = now_ms
        row = wire.book(self._words, bids, asks, now_ms, checksum=0, seqId=last, prevSeqId=previous)
        said = {"arg": self._args["books"], "action": action, "data": [row]}
        return Frame(self._streams["books"], encode(said))

    def _said(self, channel: str, row: Any, kind: str = "") -> Frame:
        told = ((self._symbol, kind, 1),) if kind else ()
        return Frame(self._streams[channel], self._payload(channel, row), told=told)

    def _payload(self, channel: str, row: Any) -> bytes:
        return encode({"arg": self._args[channel], "data": [row]})


# ── Control ───────────────────────────────────────────────────────────────────────────────────

_REQUESTS, _HOUR_MS = 480, 3_600_000  # subscribing, an hour and connection


def control(session: Session, text: str, limits: Limits) -> Sequence[bytes]:
    """Obey a client's message: each channel is answered by itself, an error repeats the request's id."""
    if text == "ping":
        return (b"pong",)
    try:
        request: Any = msgspec.json.decode(text)
    except msgspec.DecodeError:
        request = None
    fields = cast(dict[str, Any], request) if isinstance(request, dict) else {}
    id, op, args = fields.get("id"), fields.get("op"), fields.get("args")
    if op not in ("subscribe", "unsubscribe") or not isinstance(args, list) or not args:
        return (_error(session, id, "60012", f"Invalid request: {text}"),)
    if _too_many(session):
        return (_error(session, id, "60014", "Requests too frequent"),)
    return [_one(session, id, op, arg, limits) for arg in cast(list[Any], args)]


def _too_many(session: Session) -> bool:
    now = session.now_ms
    asked = [at for at in session.memory.get("asked", ()) if at > now - _HOUR_MS]
    session.memory["asked"] = [*asked, now]
    return len(asked) >= _REQUESTS


def _one(session: Session, id: Any, op: str, arg: Any, limits: Limits) -> bytes:
    said = cast(dict[str, Any], arg) if isinstance(arg, dict) else {}
    channel, of = said.get("channel"), said.get("instId", said.get("instType"))
    stream = f"{channel}:{of}"
    if not session.carries(stream):
        words = f"Wrong URL or channel:{channel},instId:{of} doesn't exist."
        words += " Please use the correct URL, channel and parameters referring to API document."
        return _error(session, id, "60018", words)
    if op == "unsubscribe":
        session.unsubscribe([stream])
    elif len({*session.subscribed, stream}) > limits.streams:
        return _error(session, id, "60014", "Requests too frequent")
    else:
        session.subscribe([stream])
    return encode(_with_id(id) | {"event": op, "arg": said, "connId": _connection(session)})


def _error(session: Session, id: Any, code: str, words: str) -> bytes:
    said = {"event": "error", "code": code, "msg": words, "connId": _connection(session)}
    return encode(_with_id(id) | said)


def _with_id(id: Any) -> dict[str, Any]:
    return {"id": id} if isinstance(id, str) else {}


def _connection(session: Session) -> str:
    return f"{session.number:08x}"


def farewell(session: Session) -> bytes:
    words = "The connection will soon be closed for a service upgrade. Please reconnect."
    return encode({"event": "notice", "code": "64008", "msg": words, "connId": _connection(session)})


# ── The form ──────────────────────────────────────────────────────────────────────────────────

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.1", "0.0001", 1, 2, "BTC-USDT-SWAP", contract="0.01"),
        Listing("ETHUSDT", "0.01", "0.001", 2, 2, "ETH-USDT-SWAP", contract="0.1"),
        Listing("SOLUSDT", "0.01", "0.01", 2, 2, "SOL-USDT-SWAP", contract="1"),
        Listing("XRPUSDT", "0.0001", "1", 4, 2, "XRP-USDT-SWAP", contract="100"),
        Listing("ARUSDT", "0.001", "0.1", 3, 0, "AR-USDT-SWAP", contract="0.1"),
        Listing("POPCATUSDT", "0.00001", "1", 5, 1, "POPCAT-USDT-SWAP", contract="10"),
        Listing("WIFUSDT", "0.0001", "1", 4, 0, "WIF-USDT-SWAP", contract="1"),
        Listing("PNUTUSDT", "0.00001", "10", 5, 0, "PNUT-USDT-SWAP", contract="10"),
    )
}
NAMES = Names(LISTINGS)

OKX_FUTURES = Form(
    name="okx_futures",
    place=Place(kind="perpetual", listings=LISTINGS, mean_basis=0.0001, id_holes=True),
    # The venue counts each path by itself; here all share what the busiest may have.
    limits=Limits(weight=100, window_s=2, streams=300, quiet_s=30),
    routes={"public": "/ws/v5/public", "business": "/ws/v5/business"},
    route_of=route_of,
    control=control,
    streams=SymbolStreams,
    endpoints=(*okx_futures_rest.ENDPOINTS, *okx_facts_rest.ENDPOINTS),
    refusal=okx_rest.refusal,
    farewell=farewell,
    wrong_shape=b'{"arg":7,"data":{"what":["then"],"ts":null}}',
)

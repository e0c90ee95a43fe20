"""Gate's USDT futures as they speak on their socket since 2026; the form stands last.

Sizes are contracts: decimal texts for a client whose handshake had `X-Gate-Size-Decimal: 1`, else whole
numbers rounded down. A contract that is not listed is acknowledged and stays silent. The first data of a
subscription comes before its acknowledgement. Every hundredth trade is a takeover (`is_internal`).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import msgspec

from orderflow.sim import gate_contracts, gate_futures_rest
from orderflow.sim.book import Book
from orderflow.sim.gate_contracts import Sizes
from orderflow.sim.gate_futures_rest import LISTINGS, NAMES
from orderflow.sim.gathering import Every, TopStream
from orderflow.sim.happenings import (
    BestChanged,
    Candle,
    CandleClosed,
    Fill,
    Happening,
    Level,
    Liquidated,
    Marked,
    Millis,
)
from orderflow.sim.listings import Place
from orderflow.sim.market import Market
from orderflow.sim.protocol import NO_OPENING, Form, Frame, Limits, Opening, Session, Streams
from orderflow.sim.tape import Print

encode = msgspec.json.encode

_WHOLE = "whole."  # before a stream of those who did not ask for decimal sizes
_BOOKS = {"400": 100, "50": 20}  # levels, and the milliseconds between two frames
_PER_CONTRACT = (
    "futures.trades",
    "futures.book_ticker",
    "futures.tickers",
    "futures.public_liquidates",
)
_EVERYTHING = "futures.public_liquidates:!all"
_MOST_LIQUIDATIONS = 20  # in one frame


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    """`futures.trades:BTC_USDT`: the channel and its payload."""
    name = stream.removeprefix(_WHOLE)
    if name == _EVERYTHING:
        return "usdt"
    channel, _, payload = name.partition(":")
    native: str | None = None
    if channel in _PER_CONTRACT:
        native = payload
    elif channel == "futures.obu" and payload.startswith("ob."):
        native, _, depth = payload.removeprefix("ob.").rpartition(".")
        native = native if depth in _BOOKS else None
    elif channel == "futures.candlesticks" and payload.startswith("1m:"):
        native = payload.removeprefix("1m:")
    elif channel == "futures.contract_stats" and payload.endswith(":1m"):
        native = payload.removesuffix(":1m")
    return "usdt" if native is not None and NAMES.symbol(native) in markets else None


def said(channel: str, result: Any, now_ms: Millis, event: str = "update") -> bytes:
    time = {"time": now_ms // 1000, "time_ms": now_ms}
    return encode({**time, "channel": channel, "event": event, "result": result})


# ── One contract ──────────────────────────────────────────────────────────────────────────────


class Limited:
    """A book of so many levels, told with all the ids that passed, also where no level that is told changed."""

    def __init__(self, book: Book, depth: int, ms: Millis) -> None:
        self._book = book
        self._top = TopStream(book, depth, ms)
        self._every = Every(ms)
        self._told = book.update_id

    def due(self, now_ms: Millis) -> "Told | None":
        return self.split() if self._every.due(now_ms) else None

    def split(self) -> "Told | None":
        """What changed since the last time, ids at the least; None if the book stands still."""
        first, last = self._told + 1, self._book.update_id
        if last < first:
            return None
        change = self._top.split()
        self._told = last
        return Told(first, last, *(((), ()) if change is None else (change.bids, change.asks)))

    def whole(self) -> "Told":
        """The book as it was told last."""
        _, bids, asks = self._top.snapshot
        return Told(0, self._told, bids, asks)


class Told(msgspec.Struct, frozen=True):
    """A frame of a limited book."""

    first: int
    last: int
    bids: Sequence[Level]
    asks: Sequence[Level]


class Voice:
    """All streams of one contract, for those who want sizes in one of the two ways."""

    def __init__(self, venue: str, market: Market, *, whole: bool) -> None:
        self._exchange, self._perpetual = market.exchanges[venue], market.perpetuals[venue]
        self._symbol, self._native = market.symbol, NAMES.native(market.symbol)
        self._words = Sizes(self._exchange.listing, whole=whole)
        self.mark = _WHOLE if whole else ""
        self._names = {channel: f"{self.mark}{channel}:{self._native}" for channel in _PER_CONTRACT}
        self._candles = f"{self.mark}futures.candlesticks:1m:{self._native}"
        self._statistics = f"{self.mark}futures.contract_stats:{self._native}:1m"
        self._depths = {f"{self.mark}futures.obu:ob.{self._native}.{depth}": depth for depth in _BOOKS}
        self._books: dict[str, Limited] = {}
        self._every = {"candles": Every(250), "liquidations": Every(1000), "statistics": Every(10_000)}
        self._sent_candle = (0, -1)
        self._forced: list[Liquidated] = []

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        out: list[Frame] = []
        fills: list[Fill] = []
        for one in happenings:
            match one:
                case Fill():
                    fills.append(one)
                case BestChanged():
                    self._best(one, now_ms, wanted, out)
                case Marked():
                    self._ticker(now_ms, wanted, out)
                case CandleClosed(candle=candle):
                    self._candle([(candle, True)], now_ms, wanted, out)
                case Liquidated():
                    self._forced.append(one)
                case _:
                    continue
        stream = self._names["futures.trades"]
        if fills and stream in wanted:
            out.append(self._trades(stream, fills, now_ms))
        self._diffs(now_ms, wanted, out)
        self._timed(now_ms, wanted, out)
        return out

    def opening(self, stream: str, now_ms: Millis) -> Opening:
        if stream in self._depths:
            book = self._books.get(stream)
            if book is None:
                depth = self._depths[stream]
                book = self._books[stream] = Limited(self._exchange.book, int(depth), _BOOKS[depth])
            change = book.split()
            closing = [] if change is None else [self._diff(stream, change, now_ms)]
            return Opening([self._diff(stream, book.whole(), now_ms)], closing)
        if stream == self._candles:
            candles = self._exchange.candles
            shown = [(one, True) for one in list(candles.closed)[-1:]] + [(candles.running, False)]
            out: list[Frame] = []
            self._candle(shown, now_ms, (stream,), out)
            return Opening(out)
        return NO_OPENING

    # ── Books and trades ──────────────────────────────────────────────────────────────────────

    def _diffs(self, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        for stream in [one for one in self._books if one not in wanted]:
            del self._books[stream]
        for stream, depth in self._depths.items():
            if stream not in wanted:
                continue
            if stream not in self._books:
                self._books[stream] = Limited(self._exchange.book, int(depth), _BOOKS[depth])
            change = self._books[stream].due(now_ms)
            if change is not None:
                out.append(self._diff(stream, change, now_ms))

    def _diff(self, stream: str, one: Told, now_ms: Millis) -> Frame:
        """A change, or (from id 0) the whole book; a side on which nothing changed is not there."""
        name = stream.removeprefix(self.mark).partition(":")[2]
        result: dict[str, Any] = {"t": now_ms}
        result |= {"s": name, "U": one.first, "u": one.last} if one.first else {"full": True, "s": name}
        result["u"] = one.last
        for side, changed in (("b", one.bids), ("a", one.asks)):
            if changed:
                result[side] = [[self._words.price(tick), self._words.size(lots)] for tick, lots in changed]
        return Frame(stream, said("futures.obu", result, now_ms))

    def _best(self, one: BestChanged, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        stream, words = self._names["futures.book_ticker"], self._words
        if stream not in wanted:
            return
        result = {
            "t": one.ts,
            "u": one.id,
            "s": self._native,
            "b": words.price(one.bid),
            "B": words.size(one.bid_lots),
            "a": words.price(one.ask),
            "A": words.size(one.ask_lots),
        }
        told = ((self._symbol, "prices", 1),)
        out.append(Frame(stream, said("futures.book_ticker", result, now_ms), told=told))

    def _trades(self, stream: str, fills: Sequence[Fill | Print], now_ms: Millis) -> Frame:
        result = [gate_contracts.trade(one, self._native, self._words, self._exchange) for one in fills]
        payload = said("futures.trades", result, now_ms)
        return Frame(stream, payload, self._exchange.fills, fills[0].id, len(fills))

    # ── The rest ──────────────────────────────────────────────────────────────────────────────

    def _ticker(self, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        stream = self._names["futures.tickers"]
        if stream not in wanted:
            return
        row = gate_futures_rest.ticker(self._native, self._words, self._exchange, self._perpetual)
        row["t"] = self._perpetual.marked.ts
        kinds = ("mark_prices", "index_prices", "funding_rates", "open_interest", "ticker_24h")
        told = tuple((self._symbol, kind, 1) for kind in kinds)
        out.append(Frame(stream, said("futures.tickers", [row], now_ms), told=told))

    def _timed(self, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        running = self._exchange.candles.running
        if self._every["candles"].due(now_ms) and self._sent_candle != (running.open_ms, running.last):
            self._sent_candle = (running.open_ms, running.last)
            self._candle([(running, False)], now_ms, wanted, out)
        if self._every["statistics"].due(now_ms) and self._statistics in wanted:
            row = gate_futures_rest.statistics(self._words, self._perpetual, now_ms, 60_000)
            payload = said("futures.contract_stats", [{**row, "contract": self._native}], now_ms)
            out.append(Frame(self._statistics, payload, told=((self._symbol, "open_interest", 1),)))
        if self._every["liquidations"].due(now_ms) or len(self._forced) >= _MOST_LIQUIDATIONS:
            self._liquidations(now_ms, wanted, out)

    def _candle(
        self,
        candles: Sequence[tuple[Candle, bool]],
        now_ms: Millis,
        wanted: Collection[str],
        out: list[Frame],
    ) -> None:
        if self._candles not in wanted:
            return
        rows = [
            {**gate_contracts.candle(one, self._words, "a"), "n": f"1m_{self._native}", "w": closed}
            for one, closed in candles
        ]
        told = ((self._symbol, "candles", sum(closed for _, closed in candles)),)
        out.append(Frame(self._candles, said("futures.candlesticks", rows, now_ms), told=told))

    def _liquidations(self, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        """All of the last second in one frame; a size is the position's, so that of a long is positive."""
        forced, self._forced = self._forced, []
        own, every = self._names["futures.public_liquidates"], self.mark + _EVERYTHING
        if not forced:
            return
        words = self._words
        rows = [
            {
                "price": words.price(round(one.filled_tick_lots / one.filled_lots)),
                "size": words.signed(one.filled_lots if one.sells else -one.filled_lots),
                "time": one.ts,
                "contract": self._native,
            }
            for one in forced
        ]
        for stream in (own, every):
            if stream in wanted:
                told = (
                    ((self._symbol, "liquidations", len(rows)),) if stream == own or own not in wanted else ()
                )
                out.append(Frame(stream, said("futures.public_liquidates", rows, now_ms), told=told))


class SymbolStreams(Streams):
    """One contract in both ways of saying sizes."""

    def __init__(self, venue: str, market: Market) -> None:
        self._decimal, self._whole = (Voice(venue, market, whole=whole) for whole in (False, True))

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        return [
            frame
            for voice in (self._decimal, self._whole)
            for frame in voice.frames(happenings, now_ms, wanted)
        ]

    def opening(self, stream: str, now_ms: Millis) -> Opening:
        voice = self._whole if stream.startswith(_WHOLE) else self._decimal
        return voice.opening(stream, now_ms)


# ── Subscriptions ─────────────────────────────────────────────────────────────────────────────


def control(session: Session, text: str, limits: Limits) -> Sequence[bytes]:
    """Obey a client's message; a request without a time or a payload is refused."""
    try:
        request: Any = msgspec.json.decode(text)
    except msgspec.DecodeError:
        request = None
    if not isinstance(request, dict):
        return (_answer(session, {}, error=(1, "invalid argument struct")),)
    fields = cast(dict[str, Any], request)
    if fields.get("channel") == "futures.ping":
        pong = {**_head(session), "channel": "futures.pong", "event": "", "result": None}
        return (encode(pong),)
    return (_asked(session, fields, limits),)


def _asked(session: Session, request: dict[str, Any], limits: Limits) -> bytes:
    event, payload = request.get("event"), _texts(request.get("payload"))
    if not isinstance(request.get("time"), int) or event not in ("subscribe", "unsubscribe") or not payload:
        return _answer(session, request, error=(1, "invalid argument struct"))
    streams = _streams(str(request.get("channel")), payload)
    if streams is None:
        return _answer(session, request, error=(2, f"unknown channel or payload {request.get('channel')}"))
    mark = "" if session.headers.get("x-gate-size-decimal") == "1" else _WHOLE
    streams = [mark + one for one in streams]
    if event == "unsubscribe":
        session.unsubscribe(streams)
        return _answer(session, request)
    known = [one for one, stream in zip(payload, streams, strict=False) if stream in session.subscribed]
    if known and request.get("channel") == "futures.obu":
        return _answer(session, request, error=(2, f"Alert sub {known[0]}"))
    if len({*session.subscribed, *streams}) > limits.streams:
        return _answer(session, request, error=(2, f"more than {limits.streams} streams on one connection"))
    session.subscribe(streams)
    return _answer(session, request)


def _streams(channel: str, payload: Sequence[str]) -> list[str] | None:
    """The streams that a request means; None if the channel does not exist or its payload is not right."""
    if channel in ("futures.candlesticks", "futures.contract_stats"):
        interval = payload[0] if channel == "futures.candlesticks" else payload[-1]
        return [":".join((channel, *payload))] if len(payload) == 2 and interval == "1m" else None
    if channel == "futures.obu":
        right = all(one.startswith("ob.") and one.rpartition(".")[2] in _BOOKS for one in payload)
        return [f"{channel}:{one}" for one in payload] if right else None
    return [f"{channel}:{one}" for one in payload] if channel in _PER_CONTRACT else None


def _texts(payload: Any) -> list[str]:
    try:
        return msgspec.convert(payload, list[str])
    except msgspec.ValidationError:
        return []


def _head(session: Session) -> dict[str, Any]:
    now = session.now_ms
    return {"time": now // 1000, "time_ms": now, "conn_id": f"{session.number:016x}"}


def _answer(session: Session, request: dict[str, Any], error: tuple[int, str] | None = None) -> bytes:
    answer = {**_head(session), "channel": request.get("channel", ""), "event": request.get("event", "")}
    answer |= {key: request[key] for key in ("id", "payload") if key in request}
    if error is not None:
        answer["error"] = {"code": error[0], "message": error[1]}
    return encode({**answer, "result": {"status": "success" if error is None else "fail"}})


def farewell(session: Session) -> bytes:
    return encode({**_head(session), "channel": "", "event": "upgrade"})


# ── The form ──────────────────────────────────────────────────────────────────────────────────

GATE_FUTURES = Form(
    name="gate_futures",
    place=Place(kind="perpetual", listings=LISTINGS, mean_basis=0.0001, odd_rows=True, id_holes=True),
    limits=Limits(weight=200, window_s=10, messages_per_second=50, ping_s=20, pong_s=60),
    routes={"usdt": "/v4/ws/usdt"},
    route_of=route_of,
    control=control,
    streams=SymbolStreams,
    endpoints=gate_futures_rest.ENDPOINTS,
    refusal=gate_contracts.refusal,
    meter=gate_contracts.meter,
    farewell=farewell,
    opening_first=True,
    wrong_shape=b'{"time":1,"time_ms":1,"channel":"futures.obu","event":"update","result":{"s":["ob"],"u":"x"}}',
)

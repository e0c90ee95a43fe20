"""Binance spot as it speaks on its socket since 2026, with what it puts on the wire; its form stands last.

One route for all streams; `bookTicker` and partial depth carry no time, diffs have no `pu` and leave no
hole between U and the u before. BRETT and POPCAT are not listed, as on the real venue.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from orderflow.sim import binance, binance_spot_rest
from orderflow.sim.binance import Envelope, encode
from orderflow.sim.gathering import Diff, Diffs, Every, levels
from orderflow.sim.happenings import (
    Aggregate,
    BestChanged,
    BookChanged,
    Candle,
    CandleClosed,
    Fill,
    Happening,
    Millis,
)
from orderflow.sim.listings import Listing, Place, Wording
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form, Frame, Limits, Session, Streams

Levels = list[tuple[str, str]]

_DIFFS = {"depth": 1000, "depth@100ms": 100}
_PARTIAL = {
    f"depth{levels}{ending}": (levels, ms)
    for levels in (5, 10, 20)
    for ending, ms in (("", 1000), ("@100ms", 100))
}
_ENDINGS = ("aggTrade", "trade", "bookTicker", "ticker", "miniTicker", "kline_1m", *_DIFFS, *_PARTIAL)


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    symbol, _, ending = stream.partition("@")
    listed = symbol == symbol.lower() and symbol.upper() in markets
    return "public" if stream == "!miniTicker@arr" or (listed and ending in _ENDINGS) else None


# ── What it says ──────────────────────────────────────────────────────────────────────────────


class AggTrade(msgspec.Struct, tag_field="e", tag="aggTrade"):
    E: int
    s: str
    a: int
    p: str
    q: str
    f: int
    l: int  # noqa: E741
    T: int
    m: bool
    M: bool = True


class Trade(msgspec.Struct, tag_field="e", tag="trade"):
    E: int
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool
    M: bool = True


class BookTicker(msgspec.Struct):
    u: int
    s: str
    b: str
    B: str
    a: str
    A: str


class DepthUpdate(msgspec.Struct, tag_field="e", tag="depthUpdate"):
    E: int
    s: str
    U: int
    u: int
    b: Levels
    a: Levels


class PartialDepth(msgspec.Struct):
    lastUpdateId: int
    bids: Levels
    asks: Levels


class Ticker(msgspec.Struct, tag_field="e", tag="24hrTicker"):
    E: int
    s: str
    p: str
    P: str
    w: str
    x: str
    c: str
    Q: str
    b: str
    B: str
    a: str
    A: str
    o: str
    h: str
    l: str  # noqa: E741
    v: str
    q: str
    O: int  # noqa: E741
    C: int
    F: int
    L: int
    n: int


class MiniTicker(msgspec.Struct, tag_field="e", tag="24hrMiniTicker"):
    E: int
    s: str
    c: str
    o: str
    h: str
    l: str  # noqa: E741
    v: str
    q: str


class ServerShutdown(msgspec.Struct, tag_field="e", tag="serverShutdown"):
    E: int


def farewell(session: Session) -> bytes:
    return encode(Envelope("!serverShutdown", ServerShutdown(E=session.now_ms)))


# ── One symbol ────────────────────────────────────────────────────────────────────────────────


class SymbolStreams(Streams):
    """All streams of one pair."""

    def __init__(self, venue: str, market: Market) -> None:
        self._exchange = market.exchanges[venue]
        self._symbol = market.symbol
        self._wording = Wording(self._exchange.listing)
        name = market.symbol.lower()
        self._names = {ending: f"{name}@{ending}" for ending in _ENDINGS}
        grids = {self._names[ending]: ms for ending, ms in _DIFFS.items()}
        self._diffs = Diffs(self._exchange.book, grids)
        self._partials: dict[str, tuple[Every, int]] = {}
        self._kline_every, self._day_every = Every(2000), Every(1000)
        self._sent_candle = (0, -1)

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        out: list[Frame] = []
        self._diffs.heed(wanted)
        for one in happenings:
            match one:
                case BookChanged():
                    self._diffs.add(one)  # no stream of spot is without a grid
                case BestChanged():
                    self._best(one, wanted, out)
                case Fill():
                    self._trade(one, now_ms, wanted, out)
                case Aggregate():
                    self._aggregate(one, now_ms, wanted, out)
                case CandleClosed(candle=candle):
                    self._kline(candle, True, now_ms, wanted, out)
                case _:
                    continue  # marks and liquidations exist on perpetuals only
        for stream, diff in self._diffs.due(now_ms):
            self._diff(stream, diff, now_ms, out)
        self._partial_books(now_ms, wanted, out)
        self._timed(now_ms, wanted, out)
        return out

    def _diff(self, stream: str, diff: Diff, now_ms: Millis, out: list[Frame]) -> None:
        bids, asks = levels(self._wording, diff.bids.items()), levels(self._wording, diff.asks.items())
        said = DepthUpdate(E=now_ms, s=self._symbol, U=diff.first, u=diff.last, b=bids, a=asks)
        out.append(Frame(stream, encode(Envelope(stream, said))))

    def _partial_books(self, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        for ending, (count, ms) in _PARTIAL.items():
            stream = self._names[ending]
            if stream not in wanted:
                self._partials.pop(ending, None)
                continue
            every, last = self._partials.get(ending) or (Every(ms), 0)
            now = self._exchange.book.update_id
            if every.due(now_ms) and now != last:
                bids, asks = (levels(self._wording, side) for side in self._exchange.book.top(count))
                out.append(Frame(stream, encode(Envelope(stream, PartialDepth(now, bids, asks)))))
                last = now
            self._partials[ending] = (every, last)

    def _best(self, one: BestChanged, wanted: Collection[str], out: list[Frame]) -> None:
        stream = self._names["bookTicker"]
        if stream not in wanted:
            return
        price, size = self._wording.price, self._wording.size
        said = BookTicker(
            one.id, self._symbol, price(one.bid), size(one.bid_lots), price(one.ask), size(one.ask_lots)
        )
        out.append(Frame(stream, encode(Envelope(stream, said)), told=((self._symbol, "prices", 1),)))

    def _trade(self, one: Fill, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        stream = self._names["trade"]
        if stream not in wanted:
            return
        said = Trade(
            E=now_ms,
            s=self._symbol,
            t=one.id,
            p=self._wording.price(one.price),
            q=self._wording.size(one.lots),
            T=one.ts,
            m=one.taker_sells,
        )
        out.append(Frame(stream, encode(Envelope(stream, said)), self._exchange.fills, one.id))

    def _aggregate(self, one: Aggregate, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        stream = self._names["aggTrade"]
        if stream not in wanted:
            return
        said = AggTrade(
            E=now_ms,
            s=self._symbol,
            a=one.id,
            p=self._wording.price(one.price),
            q=self._wording.size(one.lots),
            f=one.first,
            l=one.last,
            T=one.ts,
            m=one.taker_sells,
        )
        out.append(Frame(stream, encode(Envelope(stream, said)), self._exchange.aggregates, one.id))

    def _timed(self, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        running = self._exchange.candles.running
        state = (running.open_ms, running.last)
        if self._kline_every.due(now_ms) and state != self._sent_candle:
            self._sent_candle = state
            self._kline(running, False, now_ms, wanted, out)
        if not self._day_every.due(now_ms):
            return
        for stream, make in ((self._names["ticker"], self._ticker), (self._names["miniTicker"], self._mini)):
            if stream in wanted:
                told = ((self._symbol, "ticker_24h", 1),)
                out.append(Frame(stream, encode(Envelope(stream, make(now_ms))), told=told))

    def _kline(
        self, candle: Candle, closed: bool, now_ms: Millis, wanted: Collection[str], out: list[Frame]
    ) -> None:
        stream = self._names["kline_1m"]
        if stream in wanted:
            inner = binance.kline(candle, self._symbol, closed, self._wording)
            said = binance.KlineFrame(E=now_ms, s=self._symbol, k=inner)
            told = ((self._symbol, "candles", 1),) if closed else ()
            out.append(Frame(stream, encode(Envelope(stream, said)), told=told))

    def _ticker(self, now_ms: Millis) -> Ticker:
        words, book = self._wording, self._exchange.book
        day = binance.day(self._exchange.candles, words, 8)
        whole = day.whole
        return Ticker(
            E=now_ms,
            s=self._symbol,
            p=day.change,
            P=day.percent,
            w=day.average,
            x=words.price(whole.open),
            c=words.price(whole.close),
            Q=words.size(day.last_lots),
            b=words.price(book.best_bid),
            B=words.size(book.bids[book.best_bid]),
            a=words.price(book.best_ask),
            A=words.size(book.asks[book.best_ask]),
            o=words.price(whole.open),
            h=words.price(whole.high),
            l=words.price(whole.low),
            v=words.size(whole.lots),
            q=words.quote(whole.tick_lots),
            O=whole.open_ms,
            C=now_ms,
            F=whole.first,
            L=whole.last,
            n=whole.trades,
        )

    def _mini(self, now_ms: Millis) -> MiniTicker:
        return mini_ticker(self._symbol, self._wording, self._exchange.candles.day(), now_ms)


def mini_ticker(symbol: str, words: Wording, whole: Candle, now_ms: Millis) -> MiniTicker:
    return MiniTicker(
        E=now_ms,
        s=symbol,
        c=words.price(whole.close),
        o=words.price(whole.open),
        h=words.price(whole.high),
        l=words.price(whole.low),
        v=words.size(whole.lots),
        q=words.quote(whole.tick_lots),
    )


class WideStreams(Streams):
    """The one stream over all pairs that spot still has of those simulated: `!miniTicker@arr`."""

    def __init__(self, venue: str, markets: Mapping[str, Market]) -> None:
        self._exchanges = {s: one.exchanges[venue] for s, one in markets.items() if venue in one.exchanges}
        self._wordings = {symbol: Wording(one.listing) for symbol, one in self._exchanges.items()}
        self._every = Every(1000)
        self._last: dict[str, int] = {}

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        stream = "!miniTicker@arr"
        if not self._every.due(now_ms) or stream not in wanted:
            return []
        rows: list[MiniTicker] = []
        for symbol, exchange in self._exchanges.items():
            if self._last.get(symbol) != exchange.fills.last_id:
                self._last[symbol] = exchange.fills.last_id
                rows.append(mini_ticker(symbol, self._wordings[symbol], exchange.candles.day(), now_ms))
        return [Frame(stream, encode(Envelope(stream, rows)))] if rows else []


# ── The form ──────────────────────────────────────────────────────────────────────────────────

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.01000000", "0.00001000", 8, 8),
        Listing("ETHUSDT", "0.01000000", "0.00010000", 8, 8),
        Listing("SOLUSDT", "0.01000000", "0.00100000", 8, 8),
        Listing("XRPUSDT", "0.00010000", "0.10000000", 8, 8),
        Listing("ARUSDT", "0.00100000", "0.01000000", 8, 8),
        Listing("WIFUSDT", "0.00010000", "0.01000000", 8, 8),
        Listing("PNUTUSDT", "0.00001000", "0.10000000", 8, 8),
    )
}

BINANCE_SPOT = Form(
    name="binance_spot",
    place=Place(kind="spot", listings=LISTINGS),
    limits=Limits(
        weight=6000,
        messages_per_second=5,
        ping_s=20,
        pong_s=60,
        ban_status=418,
        retry_after=True,
    ),
    routes={"public": "/stream"},
    route_of=route_of,
    asked=binance.asked,
    control=binance.control,
    streams=SymbolStreams,
    market_wide=WideStreams,
    endpoints=binance_spot_rest.ENDPOINTS,
    refusal=binance.refusal,
    meter=binance.meter,
    farewell=farewell,
)

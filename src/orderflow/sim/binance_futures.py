"""Binance USD-M futures as it speaks on its sockets since 2026; its form stands last.

Streams asked on the wrong route are acknowledged and stay silent. Rows of the coin-margined market
(`st` 2) appear in the market-wide streams, and rows with `X` "NA" in `@trade`: a client must drop both.
"""

from collections.abc import Collection, Mapping, Sequence

from orderflow.sim import binance, binance_futures_rest
from orderflow.sim import binance_futures_wire as wire
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
    Liquidated,
    Marked,
    Millis,
)
from orderflow.sim.listings import COINS, Listing, Place, Wording
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form, Frame, Limits, Streams

_DIFFS = {"depth@0ms": 0, "depth@100ms": 100, "depth": 250, "depth@500ms": 500}
_PARTIAL = {
    f"depth{levels}{ending}": (levels, ms)
    for levels in (5, 10, 20)
    for ending, ms in (("", 250), ("@100ms", 100), ("@500ms", 500))
}
_MARKET = ("aggTrade", "markPrice", "markPrice@1s", "forceOrder", "ticker", "miniTicker", "kline_1m")
_ROUTES = {
    **dict.fromkeys(("bookTicker", "trade", *_DIFFS, *_PARTIAL), "public"),
    **dict.fromkeys(_MARKET, "market"),
}
_WIDE = {
    "!bookTicker": "public",
    "!markPrice@arr": "market",
    "!markPrice@arr@1s": "market",
    "!ticker@arr": "market",
    "!miniTicker@arr": "market",
    "!forceOrder@arr": "market",
}


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    if stream in _WIDE:
        return _WIDE[stream]
    symbol, _, ending = stream.partition("@")
    return _ROUTES.get(ending) if symbol == symbol.lower() and symbol.upper() in markets else None


# ── One symbol ────────────────────────────────────────────────────────────────────────────────


class SymbolStreams(Streams):
    """All streams of one perpetual."""

    def __init__(self, venue: str, market: Market) -> None:
        self._exchange = market.exchanges[venue]
        self._symbol = market.symbol
        self._wording = Wording(self._exchange.listing)
        name = market.symbol.lower()
        self._names = {ending: f"{name}@{ending}" for ending in _ROUTES}
        grids = {self._names[ending]: ms for ending, ms in _DIFFS.items()}
        self._diffs = Diffs(self._exchange.book, grids)
        self._partials: dict[str, tuple[Every, int]] = {}
        self._every = {ending: Every(ms) for ending, ms in (("kline_1m", 250), ("ticker", 2000))}
        self._every["miniTicker"] = Every(2000)
        self._sent_candle = (0, -1)
        self._forced: Liquidated | None = None
        self._forced_ms = 0
        self._forced_count = 0

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        out: list[Frame] = []
        self._diffs.heed(wanted)
        for one in happenings:
            match one:
                case BookChanged():
                    for stream, diff in self._diffs.add(one):
                        self._diff(stream, diff, now_ms, out)
                case BestChanged():
                    self._best(one, now_ms, wanted, out)
                case Fill():
                    self._trade(one, now_ms, wanted, out)
                case Aggregate():
                    self._aggregate(one, now_ms, wanted, out)
                case CandleClosed(candle=candle):
                    self._kline(candle, True, now_ms, wanted, out)
                case Marked():
                    self._mark(one, now_ms, wanted, out)
                case Liquidated():
                    if self._forced is None or one.filled_lots > self._forced.filled_lots:
                        self._forced = one
        for stream, diff in self._diffs.due(now_ms):
            self._diff(stream, diff, now_ms, out)
        self._partial_books(now_ms, wanted, out)
        self._force_order(now_ms, wanted, out)
        self._timed(now_ms, wanted, out)
        return out

    def _diff(self, stream: str, diff: Diff, now_ms: Millis, out: list[Frame]) -> None:
        said = wire.DepthUpdate(
            E=now_ms,
            T=diff.ts,
            s=self._symbol,
            U=diff.first,
            u=diff.last,
            pu=diff.previous,
            b=levels(self._wording, diff.bids.items()),
            a=levels(self._wording, diff.asks.items()),
            ps=self._symbol,
        )
        out.append(Frame(stream, encode(Envelope(stream, said))))

    def _partial_books(self, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        for ending, (count, ms) in _PARTIAL.items():
            stream = self._names[ending]
            if stream not in wanted:
                self._partials.pop(ending, None)
                continue
            every, last = self._partials.get(ending) or (Every(ms), self._exchange.book.update_id)
            now = self._exchange.book.update_id
            if every.due(now_ms) and now != last:
                bids, asks = self._exchange.book.top(count)
                said = wire.DepthUpdate(
                    E=now_ms,
                    T=now_ms,
                    s=self._symbol,
                    U=last + 1,
                    u=now,
                    pu=last,
                    b=levels(self._wording, bids),
                    a=levels(self._wording, asks),
                    ps=self._symbol,
                )
                out.append(Frame(stream, encode(Envelope(stream, said))))
                last = now
            self._partials[ending] = (every, last)

    def _best(self, one: BestChanged, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        stream = self._names["bookTicker"]
        if stream in wanted:
            said = wire.book_ticker(self._symbol, self._wording, one, now_ms)
            out.append(Frame(stream, encode(Envelope(stream, said)), told=((self._symbol, "prices", 1),)))

    def _trade(self, one: Fill, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        stream = self._names["trade"]
        if stream not in wanted:
            return
        said = wire.Trade(
            E=now_ms,
            T=one.ts,
            s=self._symbol,
            t=one.id,
            p=self._wording.price(one.price) if one.lots else "0",
            q=self._wording.size(one.lots) if one.lots else "0",
            X="MARKET" if one.lots else "NA",
            m=one.taker_sells,
        )
        out.append(Frame(stream, encode(Envelope(stream, said)), self._exchange.fills, one.id))

    def _aggregate(self, one: Aggregate, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        stream = self._names["aggTrade"]
        if stream not in wanted:
            return
        said = wire.AggTrade(
            E=now_ms,
            a=one.id,
            s=self._symbol,
            p=self._wording.price(one.price),
            q=self._wording.size(one.lots),
            nq=self._wording.size(one.shown_lots),
            f=one.first,
            l=one.last,
            T=one.ts,
            m=one.taker_sells,
        )
        out.append(Frame(stream, encode(Envelope(stream, said)), self._exchange.aggregates, one.id))

    def _mark(self, one: Marked, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        streams = ["markPrice@1s", "markPrice"] if now_ms // 1000 % 3 == 0 else ["markPrice@1s"]
        told = ((self._symbol, "mark_prices", 1), (self._symbol, "funding_rates", 1))
        for ending in streams:
            stream = self._names[ending]
            if stream in wanted:
                said = wire.mark_price(self._symbol, one)
                out.append(Frame(stream, encode(Envelope(stream, said)), told=told))

    def _force_order(self, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        """At most one order a second, the largest; every fourth time another market's goes before it."""
        one = self._forced
        if one is None or now_ms - self._forced_ms < 1000:
            return
        self._forced, self._forced_ms = None, now_ms
        self._forced_count += 1
        said = wire.force_order(self._symbol, self._wording, one, now_ms)
        own, wide = self._names["forceOrder"], "!forceOrder@arr"
        if wide in wanted and self._forced_count % 4 == 1:
            other = wire.coin_margined(said, COINS[self._symbol].base)
            out.append(Frame(wide, encode(Envelope(wide, other))))
        for stream in (own, wide):
            if stream in wanted:
                once = stream == own or own not in wanted
                told = ((self._symbol, "liquidations", 1),) if once else ()
                out.append(Frame(stream, encode(Envelope(stream, said)), told=told))

    def _timed(self, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        candles = self._exchange.candles
        if self._every["kline_1m"].due(now_ms):
            state = (candles.running.open_ms, candles.running.last)
            if state != self._sent_candle:
                self._sent_candle = state
                self._kline(candles.running, False, now_ms, wanted, out)
        for ending, make in (("ticker", wire.ticker), ("miniTicker", wire.mini_ticker)):
            stream = self._names[ending]
            if self._every[ending].due(now_ms) and stream in wanted:
                said = make(self._symbol, self._wording, candles, now_ms)
                told = ((self._symbol, "ticker_24h", 1),)
                out.append(Frame(stream, encode(Envelope(stream, said)), told=told))

    def _kline(
        self, candle: Candle, closed: bool, now_ms: Millis, wanted: Collection[str], out: list[Frame]
    ) -> None:
        stream = self._names["kline_1m"]
        if stream in wanted:
            inner = binance.kline(candle, self._symbol, closed, self._wording)
            said = binance.KlineFrame(E=now_ms, s=self._symbol, k=inner)
            told = ((self._symbol, "candles", 1),) if closed else ()
            out.append(Frame(stream, encode(Envelope(stream, said)), told=told))


# ── All symbols at once ───────────────────────────────────────────────────────────────────────


class WideStreams(Streams):
    """The streams of the whole venue, on their own timers."""

    def __init__(self, venue: str, markets: Mapping[str, Market]) -> None:
        self._venue = venue
        self._markets = {symbol: one for symbol, one in markets.items() if venue in one.exchanges}
        self._wordings = {s: Wording(one.exchanges[venue].listing) for s, one in self._markets.items()}
        self._every = {
            "!markPrice@arr@1s": Every(1000),
            "!markPrice@arr": Every(3000),
            "!ticker@arr": Every(1000),
            "!miniTicker@arr": Every(1000),
            "!bookTicker": Every(5000),
        }
        self._last_fills: dict[tuple[str, str], int] = {}

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        out: list[Frame] = []
        for stream, every in self._every.items():
            if not every.due(now_ms) or stream not in wanted:
                continue
            if stream == "!bookTicker":
                out.extend(Frame(stream, encode(Envelope(stream, one))) for one in self._bests(now_ms))
                continue
            rows = self._marks() if stream.startswith("!markPrice") else self._days(stream, now_ms)
            if rows:
                out.append(Frame(stream, encode(Envelope(stream, rows))))
        return out

    def _marks(self) -> list[wire.MarkPrice]:
        rows: list[wire.MarkPrice] = []
        for symbol, market in self._markets.items():
            row = wire.mark_price(symbol, market.perpetuals[self._venue].marked)
            rows.append(row)
            if symbol in ("BTCUSDT", "ETHUSDT"):
                rows.append(wire.coin_margined_mark(row, COINS[symbol].base))
        return rows

    def _days(self, stream: str, now_ms: Millis) -> list[wire.Ticker | wire.MiniTicker]:
        """Only the symbols that traded since the stream's last frame."""
        make = wire.ticker if stream == "!ticker@arr" else wire.mini_ticker
        rows: list[wire.Ticker | wire.MiniTicker] = []
        for symbol, market in self._markets.items():
            exchange = market.exchanges[self._venue]
            if self._last_fills.get((stream, symbol)) != exchange.fills.last_id:
                self._last_fills[stream, symbol] = exchange.fills.last_id
                rows.append(make(symbol, self._wordings[symbol], exchange.candles, now_ms))
        return rows

    def _bests(self, now_ms: Millis) -> list[wire.BookTicker]:
        rows: list[wire.BookTicker] = []
        for symbol, market in self._markets.items():
            book = market.exchanges[self._venue].book
            best = BestChanged(
                book.update_id,
                book.best_bid,
                book.bids[book.best_bid],
                book.best_ask,
                book.asks[book.best_ask],
                now_ms,
            )
            rows.append(wire.book_ticker(symbol, self._wordings[symbol], best, now_ms))
        return rows


# ── The form ──────────────────────────────────────────────────────────────────────────────────

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.10", "0.001", 2, 3),
        Listing("ETHUSDT", "0.01", "0.001", 2, 3),
        Listing("SOLUSDT", "0.0100", "0.01", 4, 2),
        Listing("XRPUSDT", "0.0001", "0.1", 4, 1),
        Listing("ARUSDT", "0.001", "0.1", 3, 1),
        Listing("BRETTUSDT", "0.0000100", "1", 7, 0),
        Listing("POPCATUSDT", "0.0000100", "1", 7, 0),
        Listing("WIFUSDT", "0.0001000", "0.1", 7, 1),
        Listing("PNUTUSDT", "0.0000100", "1", 7, 0),
    )
}

BINANCE_FUTURES = Form(
    name="binance_futures",
    place=Place(
        kind="perpetual",
        listings=LISTINGS,
        mean_basis=0.0002,
        batch_ms=100,
        odd_rows=True,
        id_holes=True,
    ),
    limits=Limits(
        weight=2400,
        messages_per_second=10,
        ping_s=180,
        pong_s=600,
        ban_status=418,
        retry_after=True,
    ),
    routes={"public": "/public/stream", "market": "/market/stream"},
    silent_paths=("/stream",),  # the address without a route, as it was before April 2026
    route_of=route_of,
    asked=binance.asked,
    control=binance.control,
    streams=SymbolStreams,
    market_wide=WideStreams,
    endpoints=binance_futures_rest.ENDPOINTS,
    refusal=binance.refusal,
    meter=binance.meter,
)

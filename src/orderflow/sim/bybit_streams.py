"""Bybit's streams of one coin, on either market: whole best quotes, books by their best levels, tickers."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from orderflow.sim import bybit
from orderflow.sim.book import Book
from orderflow.sim.bybit import encode
from orderflow.sim.gathering import Every, TopStream, levels
from orderflow.sim.happenings import (
    BookChanged,
    Candle,
    CandleClosed,
    Fill,
    Happening,
    Level,
    Liquidated,
    Lots,
    Millis,
    Ticks,
)
from orderflow.sim.listings import Wording
from orderflow.sim.market import Market
from orderflow.sim.protocol import NO_OPENING, Frame, Opening, Row, Streams

_BEST_MS = 10
_REPEAT_MS = 3_000  # a best quote is said again after so long without a change
_ROWS = 1_024  # trades in one message, at most
_SIDES = (("bid1Price", "bid1Size"), ("ask1Price", "ask1Size"))
_DAY = (
    "lastPrice",
    "price24hPcnt",
    "prevPrice24h",
    "highPrice24h",
    "lowPrice24h",
    "turnover24h",
    "volume24h",
)
_TELLS: Mapping[str, frozenset[str]] = {
    "mark_prices": frozenset({"markPrice"}),
    "index_prices": frozenset({"indexPrice"}),
    "funding_rates": frozenset({"fundingRate", "nextFundingTime"}),
    "open_interest": frozenset({"openInterest", "openInterestValue"}),
    "ticker_24h": frozenset(_DAY),
}


class _Best:
    """The best quote as it was told last; `number` grows by one with each change."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._told: tuple[Ticks, Lots, Ticks, Lots] | None = None
        self._told_ms: Millis = 0
        self.number = 0

    def changed(self, now_ms: Millis) -> bool:
        """Whether there is another one; it is then taken for told."""
        book = self._book
        now = (book.best_bid, book.bids[book.best_bid], book.best_ask, book.asks[book.best_ask])
        if now == self._told:
            return False
        # The first number goes by the clock, so that a second run does not begin at the first one's.
        self.number = self.number + 1 if self._told else now_ms // _BEST_MS
        self._told, self._told_ms = now, now_ms
        return True

    def stale(self, now_ms: Millis) -> bool:
        """Whether it must be said again; it is then taken for said."""
        if now_ms - self._told_ms < _REPEAT_MS:
            return False
        self._told_ms = now_ms
        return True

    def sides(self) -> tuple[list[Level], list[Level]]:
        bid, bid_lots, ask, ask_lots = self._told or (0, 0, 0, 0)
        return [(bid, bid_lots)], [(ask, ask_lots)]


class _Levels:
    """A book to some depth; `number` is that of what was told last, and goes by the clock at first."""

    def __init__(self, book: Book, depth: int, ms: Millis, now_ms: Millis) -> None:
        self.top = TopStream(book, depth, ms)
        self._first = now_ms // ms

    @property
    def number(self) -> int:
        return self._first + self.top.number


class SymbolStreams(Streams):
    """All streams of one coin; those that only a perpetual has are there if it is one."""

    def __init__(self, venue: str, market: Market) -> None:
        self._exchange = market.exchanges[venue]
        self._perpetual = market.perpetuals.get(venue)
        self._spot = self._perpetual is None
        self._market, self._symbol = market, market.symbol
        self._wording = Wording(self._exchange.listing)
        self._matched_ms: Millis = 0
        self._best, self._best_heard = _Best(self._exchange.book), False
        self._books: dict[str, _Levels] = {}
        self._forced: list[Liquidated] = []
        self._forced_every, self._kline_every = Every(500), Every(1_000)
        self._day_every, self._ticker_every = Every(1_000), Every(50 if self._spot else 100)
        self._day: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._sent_candle = (0, -1)

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        out: list[Frame] = []
        fills: list[Fill] = []
        closed: list[Candle] = []
        for one in happenings:
            match one:
                case BookChanged():
                    self._matched_ms = one.ts
                case Fill():
                    fills.append(one)
                case CandleClosed(candle=candle):
                    closed.append(candle)
                case Liquidated():
                    self._forced.append(one)
                case _:
                    continue  # the tickers tell of marks, and the book itself of its best
        if self._topic("publicTrade") in wanted:
            out += self._trades(fills, now_ms)
        self._best_heard = self._topic("orderbook.1") in wanted
        if self._best_heard:
            out += self._quotes(now_ms)
        out += self._changes(now_ms, wanted)
        if self._forced_every.due(now_ms):
            out += self._liquidations(now_ms, wanted)
        if self._kline_every.due(now_ms) or closed:
            out += self._candles(closed, now_ms, wanted)
        if self._day_every.due(now_ms):
            self._day = {}  # reckoned anew when somebody asks
        if self._ticker_every.due(now_ms) and self._topic("tickers") in wanted:
            out += self._ticker(now_ms)
        return out

    def opening(self, stream: str, now_ms: Millis) -> Opening:
        kind, _, symbol = stream.rpartition(".")
        if symbol != self._symbol:
            return NO_OPENING
        if kind == "orderbook.1":
            changed = self._best.changed(now_ms)
            closing = [self._quote(now_ms, rows=1)] if changed and self._best_heard else []
            return Opening([self._quote(now_ms, rows=int(changed and not closing))], closing)
        if kind in bybit.BOOKS:
            book = self._books.get(kind)
            if book is None:
                book = self._books[kind] = _Levels(self._exchange.book, *bybit.BOOKS[kind], now_ms)
            closing = self._change(stream, book, book.top.split(), now_ms)
            _, bids, asks = book.top.snapshot
            return Opening([self._book(stream, "snapshot", book.number, bids, asks, now_ms)], closing)
        if kind == "tickers":
            closing = self._ticker(now_ms) if self._told else []
            self._told = self._state()
            return Opening([self._said(now_ms, "snapshot", self._told)], closing)
        return NO_OPENING

    def _topic(self, kind: str) -> str:
        return f"{kind}.{self._symbol}"

    def _envelope(self, topic: str, what: str, now_ms: Millis) -> dict[str, Any]:
        if self._spot:
            return {"topic": topic, "ts": now_ms, "type": what}
        return {"topic": topic, "type": what, "ts": now_ms}

    # ── Trades ────────────────────────────────────────────────────────────────────────────────

    def _trades(self, fills: list[Fill], now_ms: Millis) -> list[Frame]:
        topic = self._topic("publicTrade")
        out: list[Frame] = []
        for start in range(0, len(fills), _ROWS):
            some = fills[start : start + _ROWS]
            said = self._envelope(topic, "snapshot", now_ms) | {"data": [self._trade(one) for one in some]}
            out.append(Frame(topic, encode(said), self._exchange.fills, some[0].id, len(some)))
        return out

    def _trade(self, one: Fill) -> dict[str, Any]:
        return {
            "T": one.ts,
            "s": self._symbol,
            "S": "Sell" if one.taker_sells else "Buy",
            "v": self._wording.size(one.lots),
            "p": self._wording.price(one.price),
            **({} if self._spot else {"L": "MinusTick" if one.taker_sells else "PlusTick"}),
            "i": bybit.trade_id(one.id, spot=self._spot),
            "BT": False,
            "RPI": one.hidden,
            "seq": self._exchange.book.update_id,
        }

    # ── Books ─────────────────────────────────────────────────────────────────────────────────

    def _quotes(self, now_ms: Millis) -> list[Frame]:
        if self._best.changed(now_ms):
            return [self._quote(now_ms, rows=1)]
        return [self._quote(now_ms, rows=0)] if self._best.stale(now_ms) else []

    def _quote(self, now_ms: Millis, *, rows: int) -> Frame:
        told = ((self._symbol, "prices", rows),) if rows else ()
        topic = self._topic("orderbook.1")
        return self._book(topic, "snapshot", self._best.number, *self._best.sides(), now_ms, told)

    def _changes(self, now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        out: list[Frame] = []
        for kind, book in list(self._books.items()):
            topic = self._topic(kind)
            if topic in wanted:
                out += self._change(topic, book, book.top.due(now_ms), now_ms)
            else:
                del self._books[kind]
        return out

    def _change(self, topic: str, book: _Levels, change: Any, now_ms: Millis) -> list[Frame]:
        if change is None:
            return []
        return [self._book(topic, "delta", book.number, change.bids, change.asks, now_ms)]

    def _book(
        self,
        topic: str,
        what: str,
        number: int,
        bids: Iterable[Level],
        asks: Iterable[Level],
        now_ms: Millis,
        told: tuple[Row, ...] = (),
    ) -> Frame:
        data = {
            "s": self._symbol,
            "b": levels(self._wording, bids),
            "a": levels(self._wording, asks),
            "u": number,
            "seq": self._exchange.book.update_id,
        }
        said = self._envelope(topic, what, now_ms) | {"data": data, "cts": self._matched_ms or now_ms}
        return Frame(topic, encode(said), told=told)

    # ── Liquidations and candles ──────────────────────────────────────────────────────────────

    def _liquidations(self, now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        """All since the last time. A long that is closed is a Buy: the side is the position's."""
        topic, forced = self._topic("allLiquidation"), self._forced
        self._forced = []
        if not forced or topic not in wanted:
            return []
        rows = [
            {
                "T": one.ts,
                "s": self._symbol,
                "S": "Buy" if one.sells else "Sell",
                "v": self._wording.size(one.filled_lots),
                "p": self._wording.price(one.limit),
            }
            for one in forced
        ]
        said = self._envelope(topic, "snapshot", now_ms) | {"data": rows}
        return [Frame(topic, encode(said), told=((self._symbol, "liquidations", len(rows)),))]

    def _candles(self, closed: list[Candle], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        """The running minute where it has changed; a closed one at once, on linear with its successor."""
        topic, running = self._topic("kline.1"), self._exchange.candles.running
        state = (running.open_ms, running.last)
        if topic not in wanted or (not closed and state == self._sent_candle):
            return []
        rows = [bybit.bar(one, True, self._wording, now_ms) for one in closed]
        if not closed or not self._spot:
            rows.append(bybit.bar(running, False, self._wording, now_ms))
            self._sent_candle = state
        said = {"topic": topic, "data": rows, "ts": now_ms}
        said = {"type": "snapshot", **said} if self._spot else {**said, "type": "snapshot"}
        told = ((self._symbol, "candles", len(closed)),) if closed else ()
        return [Frame(topic, encode(said), told=told)]

    # ── Tickers ───────────────────────────────────────────────────────────────────────────────

    def _ticker(self, now_ms: Millis) -> list[Frame]:
        """What has changed since it was told: all of it on spot, that alone on linear."""
        state = self._state()
        news = {name: value for name, value in state.items() if self._told.get(name) != value}
        if not news:
            return []
        self._told = state
        if self._spot:
            return [self._said(now_ms, "snapshot", state)]
        for side in _SIDES:  # price and size are told together
            if not news.keys().isdisjoint(side):
                news |= {name: state[name] for name in side}
        return [self._said(now_ms, "delta", news)]

    def _state(self) -> dict[str, str]:
        if not self._day:
            self._day = bybit.day(self._exchange.candles, self._wording)
        words, book = self._wording, self._exchange.book
        state = {"lastPrice": words.price(self._exchange.candles.running.close), **self._day}
        if self._perpetual is None:
            return state | {"usdIndexPrice": f"{self._market.price:.6f}"}
        best = (book.best_bid, book.bids[book.best_bid]), (book.best_ask, book.asks[book.best_ask])
        for (price, size), (ticks, lots) in zip(_SIDES, best, strict=True):
            state |= {price: words.price(ticks), size: words.size(lots)}
        return state | bybit.marks(self._perpetual, words)

    def _said(self, now_ms: Millis, what: str, fields: dict[str, str]) -> Frame:
        topic, seq = self._topic("tickers"), self._exchange.book.update_id
        data = {"symbol": self._symbol, **fields}
        said: dict[str, Any] = {"topic": topic, "type": what, "data": data, "cs": seq, "ts": now_ms}
        if self._spot:
            said = {"topic": topic, "ts": now_ms, "type": what, "cs": seq, "data": data}
        told = [kind for kind, names in _TELLS.items() if not names.isdisjoint(fields)]
        return Frame(topic, encode(said), told=tuple((self._symbol, kind, 1) for kind in told))

"""Deribit futures as they speak on their sockets; the form stands last.

BTC and ETH are inverse: their amounts are USD on the wire. SOL and XRP are linear, in coins.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from orderflow.sim import deribit, deribit_futures_rest
from orderflow.sim import deribit_futures_wire as wire
from orderflow.sim.deribit import said
from orderflow.sim.gathering import Diff, Diffs, Every
from orderflow.sim.happenings import (
    BestChanged,
    BookChanged,
    Candle,
    CandleClosed,
    Fill,
    Happening,
    Level,
    Liquidated,
    Marked,
    Millis,
)
from orderflow.sim.listings import Listing, Names, Place
from orderflow.sim.market import Market
from orderflow.sim.protocol import NO_OPENING, Form, Frame, Opening, Row, Streams

_ENDINGS = {
    "quote": "quote.{}",
    "book": "book.{}.100ms",
    "top": "book.{}.none.20.100ms",
    "trades": "trades.{}.100ms",
    "ticker": "ticker.{}.100ms",
    "ticker_slow": "ticker.{}.agg2",
    "perpetual": "perpetual.{}.100ms",
    "candles": "chart.trades.{}.1",
}
_TOLD = ("mark_prices", "index_prices", "funding_rates", "open_interest", "ticker_24h")
_TOP = 20


def _channels(native: str) -> dict[str, str]:
    return {name: template.format(native) for name, template in _ENDINGS.items()} | {
        "index": f"deribit_price_index.{wire.index_name(native)}"
    }


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    known = (_channels(NAMES.native(symbol)).values() for symbol in markets)
    return "public" if any(stream in channels for channels in known) else None


# ── One symbol ────────────────────────────────────────────────────────────────────────────────


class _Traded(msgspec.Struct):
    """A fill that waits for its frame; `liquidation` once it is known to be part of one."""

    fill: Fill
    liquidation: bool = False


class SymbolStreams(Streams):
    """All channels of one perpetual."""

    def __init__(self, venue: str, market: Market) -> None:
        self._exchange, self._perpetual = market.exchanges[venue], market.perpetuals[venue]
        self._symbol = market.symbol
        self._words = wire.Words(self._exchange.listing, NAMES.native(market.symbol))
        self._names = _channels(NAMES.native(market.symbol))
        self._diffs = Diffs(self._exchange.book, {self._names["book"]: 100})
        self._every = {name: Every(100) for name in ("top", "trades")} | {"candles": Every(250)}
        self._waiting: list[_Traded] = []
        self._shown_id = 0
        self._shown_candle = (0, -1)

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        out: list[Frame] = []
        self._diffs.heed(wanted)
        if self._names["trades"] not in wanted:
            self._waiting.clear()
        for one in happenings:
            match one:
                case BookChanged():
                    self._diffs.add(one)
                case BestChanged():
                    self._quote(one, wanted, out)
                case Fill() if self._names["trades"] in wanted:
                    self._waiting.append(_Traded(one))
                case Liquidated():
                    self._liquidated(one)
                case CandleClosed(candle=candle):
                    self._candle(candle, wanted, out)
                    self._candle(self._exchange.candles.running, wanted, out, (self._symbol, "candles", 1))
                case Marked():
                    self._marked(one, now_ms, wanted, out)
                case _:
                    pass
        out.extend(
            self._book("change", diff.bids.items(), diff.asks.items(), diff.ts, diff)
            for _, diff in self._diffs.due(now_ms)
        )
        self._timed(now_ms, wanted, out)
        return out

    def opening(self, stream: str, now_ms: Millis) -> Opening:
        """A book begins with its snapshot, quotes and tickers with how they stand."""
        book = self._exchange.book
        if stream == self._names["book"]:
            diff = self._diffs.split(stream)
            closing = (
                []
                if diff is None
                else [self._book("change", diff.bids.items(), diff.asks.items(), diff.ts, diff)]
            )
            bids, asks = book.top(10_000)
            return Opening([self._book("snapshot", bids, asks, now_ms)], closing)
        if stream == self._names["quote"]:
            bid, ask = book.best_bid, book.best_ask
            best = BestChanged(book.update_id, bid, book.bids[bid], ask, book.asks[ask], now_ms)
            found: list[Frame] = []
            self._quote(best, (stream,), found)
            return Opening(found)
        if stream in (self._names["ticker"], self._names["ticker_slow"]):
            return Opening([self._ticker(stream, now_ms)])
        return NO_OPENING

    # ── Book and quotes ───────────────────────────────────────────────────────────────────────

    def _book(
        self,
        kind: str,
        bids: Collection[Level],
        asks: Collection[Level],
        ts: Millis,
        diff: Diff | None = None,
    ) -> Frame:
        new = "new" if diff is None else "change"
        data: dict[str, Any] = {"type": kind, "timestamp": ts}
        if diff is not None:
            data["prev_change_id"] = diff.previous
        data |= {
            "instrument_name": self._words.native,
            "change_id": self._exchange.book.update_id if diff is None else diff.last,
            "bids": self._words.actions(bids, new),
            "asks": self._words.actions(asks, new),
        }
        return Frame(self._names["book"], said(self._names["book"], data))

    def _quote(self, one: BestChanged, wanted: Collection[str], out: list[Frame]) -> None:
        stream = self._names["quote"]
        if stream in wanted:
            payload = said(stream, self._words.quote(one))
            out.append(Frame(stream, payload, told=((self._symbol, "prices", 1),)))

    def _timed(self, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        if self._every["trades"].due(now_ms) and self._waiting:
            out.append(self._trades())
        book, stream = self._exchange.book, self._names["top"]
        if self._every["top"].due(now_ms) and stream in wanted and self._shown_id != book.update_id:
            self._shown_id = book.update_id
            out.append(Frame(stream, said(stream, self._words.top(book, _TOP, now_ms))))
        if self._every["candles"].due(now_ms):
            running = self._exchange.candles.running
            if (running.open_ms, running.last) != self._shown_candle:
                self._candle(running, wanted, out)

    # ── Trades ────────────────────────────────────────────────────────────────────────────────

    def _liquidated(self, one: Liquidated) -> None:
        """Mark the fills that a forced order has just made: the last ones."""
        left = one.filled_lots
        for waiting in reversed(self._waiting):
            if left <= 0:
                return
            if not waiting.fill.hidden:
                waiting.liquidation = True
                left -= waiting.fill.lots

    def _trades(self) -> Frame:
        rows, self._waiting = self._waiting, []
        marked, stream = self._perpetual.marked, self._names["trades"]
        data = [self._words.trade(one.fill, marked, liquidation=one.liquidation) for one in rows]
        forced = sum(one.liquidation for one in rows)
        told: tuple[Row, ...] = ((self._symbol, "liquidations", forced),) if forced else ()
        return Frame(stream, said(stream, data), self._exchange.fills, rows[0].fill.id, len(rows), told)

    # ── Tickers, index, candles ───────────────────────────────────────────────────────────────

    def _marked(self, one: Marked, now_ms: Millis, wanted: Collection[str], out: list[Frame]) -> None:
        for name in ("ticker", "ticker_slow"):
            if self._names[name] in wanted:
                out.append(self._ticker(self._names[name], now_ms))
        others: tuple[tuple[str, Callable[[Marked], Any], tuple[Row, ...]], ...] = (
            ("perpetual", wire.perpetual, ()),
            ("index", self._words.index, ((self._symbol, "index_prices", 1),)),
        )
        for name, make, told in others:
            stream = self._names[name]
            if stream in wanted:
                out.append(Frame(stream, said(stream, make(one)), told=told))

    def _ticker(self, stream: str, now_ms: Millis) -> Frame:
        data = self._words.ticker(self._exchange, self._perpetual, now_ms)
        told = tuple((self._symbol, kind, 1) for kind in _TOLD)
        return Frame(stream, said(stream, data), told=told)

    def _candle(self, candle: Candle, wanted: Collection[str], out: list[Frame], *told: Row) -> None:
        self._shown_candle = (candle.open_ms, candle.last)
        stream = self._names["candles"]
        if stream in wanted:
            out.append(Frame(stream, said(stream, self._words.candle(candle)), told=told))


# ── The form ──────────────────────────────────────────────────────────────────────────────────

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.5", "10", 1, 0, native="BTC-PERPETUAL", inverse=True),
        Listing("ETHUSDT", "0.05", "1", 2, 0, native="ETH-PERPETUAL", inverse=True),
        Listing("SOLUSDT", "0.01", "0.1", 2, 1, native="SOL_USDC-PERPETUAL"),
        Listing("XRPUSDT", "0.0001", "1", 4, 0, native="XRP_USDC-PERPETUAL"),
    )
}
NAMES = Names(LISTINGS)

DERIBIT_FUTURES = Form(
    name="deribit_futures",
    place=Place(kind="perpetual", listings=LISTINGS, mean_basis=0.0001, id_holes=True),
    limits=deribit.LIMITS,
    routes={"public": "/ws/api/v2"},
    route_of=route_of,
    control=deribit.control,
    tick=deribit.tick,
    streams=SymbolStreams,
    endpoints=deribit_futures_rest.ENDPOINTS,
    refusal=deribit.refusal,
    wrong_shape=b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":7,"data":{"what":[]}}}',
)

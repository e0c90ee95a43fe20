"""Kraken Futures as it speaks on its socket, version 1, until March 2027; its form stands last.

Each changed level of a book is a frame, numbered without holes. A subscription of a book begins with the
whole of it (here, as there, with a level of size 0 now and then), one of trades with the last hundred,
newest first. Each product of a request is acknowledged by itself; an error does not say to what.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from orderflow.sim import kraken_futures_charts as charts
from orderflow.sim import kraken_futures_rest as rest
from orderflow.sim import kraken_futures_wire as wire
from orderflow.sim.gathering import Every
from orderflow.sim.happenings import BookChanged, Fill, Happening, Level, Liquidated, Marked, Millis
from orderflow.sim.kraken_futures_wire import Words, encode
from orderflow.sim.listings import Listing, Names, Place
from orderflow.sim.market import Market
from orderflow.sim.protocol import NO_OPENING, Form, Frame, Limits, Opening, Row, Session, Streams
from orderflow.sim.tape import Print

_FEEDS = ("book", "trade", "ticker", "ticker_lite")
_TICKER = ("prices", "mark_prices", "index_prices", "funding_rates", "open_interest", "ticker_24h")
_HEARTBEAT = "heartbeat"
_BACKLOG = 100
_ROUTE = "v1"

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "1", "0.0001", 0, 4, "PF_XBTUSD"),
        Listing("ETHUSDT", "0.1", "0.001", 1, 3, "PF_ETHUSD"),
        Listing("SOLUSDT", "0.01", "0.01", 2, 2, "PF_SOLUSD"),
        Listing("XRPUSDT", "0.0001", "1", 4, 0, "PF_XRPUSD"),
        Listing("ARUSDT", "0.001", "0.1", 3, 1, "PF_ARUSD"),
        Listing("BRETTUSDT", "0.00001", "1", 5, 0, "PF_BRETTUSD"),
        Listing("POPCATUSDT", "0.0001", "1", 4, 0, "PF_POPCATUSD"),
        Listing("WIFUSDT", "0.0001", "1", 4, 0, "PF_WIFUSD"),
        Listing("PNUTUSDT", "0.00001", "1", 5, 0, "PF_PNUTUSD"),
    )
}
_NAMES = Names(LISTINGS)


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    feed, _, product = stream.partition(":")
    known = feed in _FEEDS and _NAMES.symbol(product) in markets
    return _ROUTE if known or stream == _HEARTBEAT else None


# ── Control ───────────────────────────────────────────────────────────────────────────────────


class _Request(msgspec.Struct):
    event: str
    feed: str = ""
    product_ids: list[str] = []


def control(session: Session, text: str, limits: Limits) -> Sequence[bytes]:
    """Obey a client's message: an answer for every product of it."""
    try:
        asked = msgspec.json.decode(text, type=_Request)
    except msgspec.DecodeError:
        return (_error("Json Error"),)
    if asked.event == "ping":
        return (encode({"event": "pong"}),)
    if asked.event not in ("subscribe", "unsubscribe"):
        return (_error("Invalid event"),)
    if asked.feed == _HEARTBEAT:
        return _obey(session, asked.event, _HEARTBEAT, {"feed": _HEARTBEAT})
    if asked.feed not in _FEEDS:
        return (_error("Invalid feed"),)
    said: list[bytes] = []
    for name in asked.product_ids:
        product = name.upper()  # ids are taken in any case and told in capitals
        stream = f"{asked.feed}:{product}"
        if not session.carries(stream):
            said.append(_error("Invalid product id"))
            continue
        said += _obey(session, asked.event, stream, {"feed": asked.feed, "product_ids": [product]})
    return said


def _obey(session: Session, event: str, stream: str, about: Mapping[str, Any]) -> list[bytes]:
    if event == "unsubscribe":
        session.unsubscribe([stream])
        return [encode({"event": "unsubscribed", **about})]
    again: list[bytes] = []
    if stream in session.subscribed:
        again = [encode({"event": "alert", "message": "Already subscribed to feed, re-requesting"})]
        session.unsubscribe([stream])
    session.subscribe([stream])
    return [*again, encode({"event": "subscribed", **about})]


def _error(message: str) -> bytes:
    return encode({"event": "error", "message": message})


# ── One product ───────────────────────────────────────────────────────────────────────────────


class ProductStreams(Streams):
    """The feeds of one linear perpetual."""

    def __init__(self, venue: str, market: Market) -> None:
        self._symbol = market.symbol
        self._exchange = market.exchanges[venue]
        self._perpetual = market.perpetuals[venue]
        self._words = Words(self._exchange.listing)
        self._names = {feed: f"{feed}:{self._words.product}" for feed in _FEEDS}
        self._forced: deque[int] = deque(maxlen=10 * _BACKLOG)  # ids of the fills that were liquidations

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        out: list[Frame] = []
        if self._names["trade"] in wanted:
            self._forced.extend(_liquidations(happenings))
        for one in happenings:
            if isinstance(one, BookChanged) and self._names["book"] in wanted:
                out += self._changes(one)
            elif isinstance(one, Fill) and self._names["trade"] in wanted:
                out.append(self._trade(one))
            elif isinstance(one, Marked):
                out += self._tickers(now_ms, wanted)
        return out

    def opening(self, stream: str, now_ms: Millis) -> Opening:
        if stream == self._names["book"]:
            return Opening([Frame(stream, encode(self._snapshot(now_ms)))])
        if stream == self._names["trade"]:
            rows = [row for row in self._exchange.fills.latest(_BACKLOG) if row.lots]
            said = [wire.trade(self._words, row, self._kind(row.id)) for row in reversed(rows)]
            payload = encode(wire.TradeSnapshot(self._words.product, said))
            first = rows[0].id if rows else 0
            return Opening([Frame(stream, payload, self._exchange.fills, first, len(rows))])
        return NO_OPENING

    def _snapshot(self, now_ms: Millis) -> wire.BookSnapshot:
        book = self._exchange.book
        bids, asks = book.top(len(book.bids)), book.top(len(book.asks))
        empty: Level = (bids[0][-1][0] - 1, 0)  # a level of size 0 at the bottom, which is none
        return wire.BookSnapshot(
            product_id=self._words.product,
            timestamp=now_ms,
            seq=book.update_id,
            bids=wire.rows(self._words, [*bids[0], empty]),
            asks=wire.rows(self._words, asks[1]),
        )

    def _changes(self, changed: BookChanged) -> Iterator[Frame]:
        """One frame a level. The book's ids count levels, so each has the one that it took."""
        sides = [("buy", level) for level in changed.bids] + [("sell", level) for level in changed.asks]
        for seq, (side, (ticks, lots)) in enumerate(sides, changed.first):
            price, size = self._words.price(ticks), self._words.size(lots)
            said = wire.BookChange(self._words.product, side, seq, price, size, changed.ts)
            yield Frame(self._names["book"], encode(said))

    def _kind(self, id: int) -> str:
        return "liquidation" if id in self._forced else "fill"

    def _trade(self, one: Fill) -> Frame:
        kind = self._kind(one.id)
        row = Print(
            one.id, one.price, one.lots, one.lots, one.id, one.id, one.ts, one.taker_sells, one.hidden, 0
        )
        told: tuple[Row, ...] = ((self._symbol, "liquidations", 1),) if kind == "liquidation" else ()
        said = encode(wire.trade(self._words, row, kind))
        return Frame(self._names["trade"], said, self._exchange.fills, one.id, told=told)

    def _tickers(self, now_ms: Millis, wanted: Collection[str]) -> Iterator[Frame]:
        whole, lite = self._names["ticker"], self._names["ticker_lite"]
        if whole not in wanted and lite not in wanted:
            return
        said = wire.ticker(self._words, self._exchange, self._perpetual, now_ms)
        if whole in wanted:
            yield Frame(whole, encode(said), told=tuple((self._symbol, kind, 1) for kind in _TICKER))
        if lite in wanted:
            yield Frame(lite, encode(wire.lite(said)), told=((self._symbol, "prices", 1),))


def _liquidations(happenings: Sequence[Happening]) -> Iterator[int]:
    """The ids of the fills that forced orders met: the last ones before each is told, up to its size."""
    for place, one in enumerate(happenings):
        if not isinstance(one, Liquidated):
            continue
        left = one.filled_lots
        for fill in reversed(happenings[:place]):
            if isinstance(fill, Fill) and left > 0:
                yield fill.id
                left -= 0 if fill.hidden else fill.lots


class WideStreams(Streams):
    """The sign of life that is no product's."""

    def __init__(self, venue: str, markets: Mapping[str, Market]) -> None:
        self._every = Every(1000)

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        if not self._every.due(now_ms) or _HEARTBEAT not in wanted:
            return []
        return [Frame(_HEARTBEAT, encode({"feed": _HEARTBEAT, "time": now_ms}))]


# ── The form ──────────────────────────────────────────────────────────────────────────────────


def _greeting(session: Session) -> Sequence[bytes]:
    return (encode({"event": "info", "version": 1}),)


KRAKEN_FUTURES = Form(
    name="kraken_futures",
    place=Place(kind="perpetual", listings=LISTINGS, mean_basis=0.0001, funding_hours=1),
    limits=Limits(messages_per_second=100, idle_s=60, weight=100, window_s=10),
    routes={_ROUTE: "/ws/v1"},
    route_of=route_of,
    control=control,
    streams=ProductStreams,
    market_wide=WideStreams,
    endpoints=(*rest.ENDPOINTS, *charts.ENDPOINTS),
    refusal=rest.refusal,
    greeting=_greeting,
    wrong_shape=b'{"feed":"book","product_id":7,"side":"up","seq":"one"}',
)

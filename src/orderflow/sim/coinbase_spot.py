"""Coinbase as it speaks on both of its feeds; its form stands last.

The Exchange's messages have a type each; those of Advanced Trade share an envelope and are numbered
connection by connection. Every acknowledgement tells a connection's whole state, and comes after the data
with which a subscription begins.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count

import msgspec

from orderflow.sim import coinbase_spot_rest as rest
from orderflow.sim import coinbase_spot_wire as wire
from orderflow.sim.candles import grouped
from orderflow.sim.coinbase_spot_wire import Words, encode, envelope
from orderflow.sim.gathering import Diff, Diffs, Every
from orderflow.sim.happenings import BookChanged, Fill, Happening, Millis
from orderflow.sim.listings import Listing, Names, Place
from orderflow.sim.market import Market
from orderflow.sim.protocol import NO_OPENING, Form, Frame, Limits, Opening, Row, Session, Streams

_EXCHANGE = ("matches", "ticker", "heartbeat", "level2_batch")
_ADVANCED = ("level2", "market_trades", "candles", "ticker")
_BEATS = "advanced/heartbeats"
_BACKLOG = 100
_BARS = 100

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.01", "0.00001", 2, 8, "BTC-USD"),
        Listing("ETHUSDT", "0.01", "0.0001", 2, 8, "ETH-USD"),
        Listing("SOLUSDT", "0.01", "0.001", 2, 8, "SOL-USD"),
        Listing("XRPUSDT", "0.0001", "0.1", 4, 6, "XRP-USD"),
        Listing("POPCATUSDT", "0.00001", "1", 5, 1, "POPCAT-USD"),
        Listing("WIFUSDT", "0.0001", "0.1", 4, 2, "WIF-USD"),
        Listing("PNUTUSDT", "0.00001", "1", 5, 1, "PNUT-USD"),
    )
}
_NAMES = Names(LISTINGS)


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    """Streams are called `exchange/matches:BTC-USD`, by the feed that carries them."""
    route, _, rest_of_it = stream.partition("/")
    channel, _, product = rest_of_it.partition(":")
    known = channel in (_ADVANCED if route == "advanced" else _EXCHANGE)
    return route if stream == _BEATS or (known and _NAMES.symbol(product) in markets) else None


# ── Control ───────────────────────────────────────────────────────────────────────────────────


class _Request(msgspec.Struct):
    type: str
    product_ids: list[str] = []
    channels: list[str] = []
    channel: str = ""


def control(session: Session, text: str, limits: Limits) -> Sequence[bytes]:
    """Obey a client's message, or refuse all of it; the answer is what is subscribed from now on."""
    try:
        asked = msgspec.json.decode(text, type=_Request)
    except msgspec.DecodeError:
        return (_error("Malformed JSON"),)
    if asked.type not in ("subscribe", "unsubscribe"):
        return (_error("Type is not known"),)
    advanced = session.route == "advanced"
    channels = [asked.channel] if advanced else asked.channels
    if not channels or not channels[0]:
        return (_error("channel required"),)
    streams = [
        f"{session.route}/{channel}" + (f":{product}" if product else "")
        for channel in channels
        for product in ([""] if channel == "heartbeats" else asked.product_ids)
    ]
    for one in streams:
        if not session.carries(one):
            return (_error("Failed to subscribe", f"{one.rpartition(':')[2]} is not a valid product"),)
    if asked.type == "subscribe":
        session.subscribe([one for one in streams if one not in session.subscribed])
    else:
        session.unsubscribe(streams)
    return (_state(session),)


def _error(message: str, reason: str = "") -> bytes:
    return encode({"type": "error", "message": message} | ({"reason": reason} if reason else {}))


def _state(session: Session) -> bytes:
    held: dict[str, list[str]] = {}
    for stream in session.subscribed:
        channel, _, product = stream.partition("/")[2].partition(":")
        held.setdefault(channel, []).append(product or channel)
    if session.route == "advanced":
        return envelope("subscriptions", session.now_ms, {"subscriptions": held})
    channels = [{"name": one, "product_ids": products, "account_ids": None} for one, products in held.items()]
    return encode({"type": "subscriptions", "channels": channels})


def stamp(payload: bytes, number: int) -> bytes:
    return payload.replace(wire.UNNUMBERED, b'"sequence_num":%d' % number, 1)


# ── One product ───────────────────────────────────────────────────────────────────────────────


class ProductStreams(Streams):
    """What both feeds tell of one product."""

    def __init__(self, venue: str, market: Market) -> None:
        self._symbol = market.symbol
        self._exchange = market.exchanges[venue]
        self._words = Words(self._exchange.listing)
        product = self._words.product
        self._names = {f"exchange/{one}": f"exchange/{one}:{product}" for one in _EXCHANGE} | {
            f"advanced/{one}": f"advanced/{one}:{product}" for one in _ADVANCED
        }
        grids = {self._names["exchange/level2_batch"]: 50, self._names["advanced/level2"]: 50}
        self._diffs = Diffs(self._exchange.book, grids)
        self._beat, self._bundle, self._bar = Every(1000), Every(250), Every(1000)
        self._bundled: list[Fill] = []
        self._told_bar = (0, -1)

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        self._diffs.heed(wanted)
        out: list[Frame] = []
        fills = [one for one in happenings if isinstance(one, Fill)]
        for one in happenings:
            if isinstance(one, BookChanged):
                self._diffs.add(one)
        if self._names["exchange/matches"] in wanted:
            out += (self._match(one) for one in fills)
        if fills:
            out += self._tickers(fills[-1], now_ms, wanted)
        out += (self._diff(stream, diff) for stream, diff in self._diffs.due(now_ms))
        out += self._timed(fills, now_ms, wanted)
        return out

    def opening(self, stream: str, now_ms: Millis) -> Opening:
        fills, names = self._exchange.fills, self._names
        rows = list(fills.latest(_BACKLOG))
        if stream == names["exchange/matches"] and rows:
            said = encode(wire.match(self._words, rows[-1], "last_match"))
            return Opening([Frame(stream, said, fills, rows[-1].id)])
        if stream == names["advanced/market_trades"] and rows:
            prints = [wire.print_of(self._words, one) for one in reversed(rows)]
            said = envelope("market_trades", now_ms, {"type": "snapshot", "trades": prints})
            return Opening([Frame(stream, said, fills, rows[0].id, len(rows))])
        if stream == names["advanced/candles"]:
            bars = [self._words.bar(one) for one in grouped(self._exchange.candles.all(), 5)[-_BARS:]]
            return Opening(
                [Frame(stream, envelope("candles", now_ms, {"type": "snapshot", "candles": bars}))]
            )
        if stream in (names["exchange/level2_batch"], names["advanced/level2"]):
            diff = self._diffs.split(stream)
            closing = [] if diff is None else [self._diff(stream, diff)]
            return Opening([self._snapshot(stream, now_ms)], closing)
        return NO_OPENING

    # ── Books ─────────────────────────────────────────────────────────────────────────────────

    def _snapshot(self, stream: str, now_ms: Millis) -> Frame:
        book, words = self._exchange.book, self._words
        bids, asks = book.top(len(book.bids))[0], book.top(len(book.asks))[1]
        if stream.startswith("advanced"):
            rows = [words.change("bid", *one, None) for one in bids]
            rows += [words.change("offer", *one, None) for one in asks]
            event = {"type": "snapshot", "product_id": words.product, "updates": rows}
            return Frame(stream, envelope("l2_data", now_ms, event))
        sides = {"bids": [words.level(*one) for one in bids], "asks": [words.level(*one) for one in asks]}
        return Frame(stream, encode({"type": "snapshot", "product_id": words.product, **sides}))

    def _diff(self, stream: str, diff: Diff) -> Frame:
        words = self._words
        if stream.startswith("advanced"):
            rows = [words.change("bid", *one, diff.ts) for one in diff.bids.items()]
            rows += [words.change("offer", *one, diff.ts) for one in diff.asks.items()]
            event = {"type": "update", "product_id": words.product, "updates": rows}
            return Frame(stream, envelope("l2_data", diff.ts, event))
        changes = [("buy", *words.level(*one)) for one in diff.bids.items()]
        changes += [("sell", *words.level(*one)) for one in diff.asks.items()]
        said = {
            "type": "l2update",
            "product_id": words.product,
            "changes": changes,
            "time": wire.iso(diff.ts),
        }
        return Frame(stream, encode(said))

    # ── Trades, tickers, candles ──────────────────────────────────────────────────────────────

    def _match(self, one: Fill) -> Frame:
        said = encode(wire.match(self._words, one, "match"))
        return Frame(self._names["exchange/matches"], said, self._exchange.fills, one.id)

    def _tickers(self, last: Fill, now_ms: Millis, wanted: Collection[str]) -> Iterator[Frame]:
        told: tuple[Row, ...] = ((self._symbol, "prices", 1), (self._symbol, "ticker_24h", 1))
        stream = self._names["exchange/ticker"]
        if stream in wanted:
            yield Frame(stream, encode(wire.ticker(self._words, self._exchange, last)), told=told)
        stream = self._names["advanced/ticker"]
        if stream in wanted:
            event = {"type": "update", "tickers": [wire.day(self._words, self._exchange)]}
            yield Frame(stream, envelope("ticker", now_ms, event), told=told)

    def _timed(self, fills: Sequence[Fill], now_ms: Millis, wanted: Collection[str]) -> Iterator[Frame]:
        stream = self._names["advanced/market_trades"]
        self._bundled += fills if stream in wanted else ()
        if self._bundle.due(now_ms) and self._bundled:
            gathered, self._bundled = self._bundled, []
            prints = [wire.print_of(self._words, one) for one in reversed(gathered)]
            said = envelope("market_trades", now_ms, {"type": "update", "trades": prints})
            yield Frame(stream, said, self._exchange.fills, gathered[0].id, len(gathered))
        stream = self._names["exchange/heartbeat"]
        if self._beat.due(now_ms) and stream in wanted:
            yield Frame(stream, encode(wire.heartbeat(self._words, self._exchange, now_ms)))
        stream = self._names["advanced/candles"]
        if self._bar.due(now_ms) and stream in wanted:
            yield from self._candle(stream, now_ms)

    def _candle(self, stream: str, now_ms: Millis) -> Iterator[Frame]:
        bar = grouped(self._exchange.candles.all(), 5)[-1]
        state = (bar.open_ms, bar.last)
        if bar.trades and state != self._told_bar:
            over = self._told_bar[0] not in (0, bar.open_ms)
            self._told_bar = state
            told = ((self._symbol, "candles", 1),) if over else ()
            said = envelope("candles", now_ms, {"type": "update", "candles": [self._words.bar(bar)]})
            yield Frame(stream, said, told=told)


class WideStreams(Streams):
    """The sign of life of Advanced Trade."""

    def __init__(self, venue: str, markets: Mapping[str, Market]) -> None:
        self._every, self._beats = Every(1000), count(1)

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        if not self._every.due(now_ms) or _BEATS not in wanted:
            return []
        event = {"current_time": wire.go_time(now_ms), "heartbeat_counter": next(self._beats)}
        return [Frame(_BEATS, envelope("heartbeats", now_ms, event))]


# ── The form ──────────────────────────────────────────────────────────────────────────────────

COINBASE_SPOT = Form(
    name="coinbase_spot",
    place=Place(kind="spot", listings=LISTINGS),
    limits=Limits(messages_per_second=8, subscribe_s=5, weight=100, window_s=10),
    routes={"exchange": "/ws/exchange", "advanced": "/ws/advanced"},
    route_of=route_of,
    control=control,
    streams=ProductStreams,
    market_wide=WideStreams,
    endpoints=rest.ENDPOINTS,
    more={"advanced": "/advanced"},
    refusal=rest.refusal,
    refuses=rest.refuses,
    stamps={"advanced": stamp},
    opening_first=True,
    wrong_shape=b'{"type":"l2update","product_id":7,"changes":"up"}',
)

"""A toy perpetual venue that uses every hook of the form, in the fewest words that do."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from orderflow.sim.book import Book
from orderflow.sim.gathering import Diffs, Every, TopChange, TopStream, levels
from orderflow.sim.happenings import BookChanged, Fill, Happening, Marked, Millis
from orderflow.sim.listings import Listing, Names, Place, Wording
from orderflow.sim.market import Market
from orderflow.sim.protocol import (
    NO_OPENING,
    Endpoint,
    Form,
    Frame,
    Limits,
    Opening,
    Question,
    Refusal,
    Session,
    Streams,
    Values,
)

encode = msgspec.json.encode

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.5", "0.0001", 1, 2, native="XBT-PERP", contract="0.01"),
        Listing("ETHUSDT", "0.05", "0.01", 2, 0, native="ETH-PERP", contract="0.01"),
    )
}
NAMES = Names(LISTINGS)
TOP = 5
BACKLOG = 5
ENDINGS = ("book", "top", "trades", "marks", "price")


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    """`book.XBT-PERP`; with a # before it on the numbered route; `price.…` as events; `beat` spans all."""
    if stream in ("beat", "#beat"):
        return "numbered" if stream == "#beat" else "plain"
    ending, _, native = stream.removeprefix("#").partition(".")
    if NAMES.symbol(native) not in markets or ending not in ENDINGS:
        return None
    if ending == "price":
        return "events"
    return "numbered" if stream.startswith("#") else "plain"


# ── Streams ───────────────────────────────────────────────────────────────────────────────────


class SymbolStreams(Streams):
    def __init__(self, venue: str, market: Market) -> None:
        self._exchange, self._symbol = market.exchanges[venue], market.symbol
        self._words = Wording(self._exchange.listing)
        native = NAMES.native(market.symbol)
        self._own = {f"{mark}{ending}.{native}" for mark in ("", "#") for ending in ENDINGS}
        self._native = native
        self._diffs = Diffs(self._exchange.book, {f"book.{native}": 100, f"#book.{native}": 100})
        self._top: TopStream | None = None
        self.asked = 0

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        self.asked += 1
        out: list[Frame] = []
        self._diffs.heed(wanted)
        if f"top.{self._native}" not in wanted:
            self._top = None
        for one in happenings:
            if isinstance(one, BookChanged):
                self._diffs.add(one)
            elif isinstance(one, Fill):
                for mark in ("", "#"):
                    if (stream := f"{mark}trades.{self._native}") in wanted:
                        out.append(self._trades(stream, [one]))
            elif isinstance(one, Marked) and (stream := f"marks.{self._native}") in wanted:
                payload = encode({"stream": stream, "n": 0, "mark": one.mark})
                out.append(Frame(stream, payload, told=((self._symbol, "mark_prices", 1),)))
            if isinstance(one, Marked) and (stream := f"price.{self._native}") in wanted:
                out.append(Frame(stream, encode({"stream": stream, "price": one.index})))
        out.extend(self._diff(stream, diff) for stream, diff in self._diffs.due(now_ms))
        if self._top is not None and (change := self._top.due(now_ms)) is not None:
            out.append(self._change(change))
        return out

    def opening(self, stream: str, now_ms: Millis) -> Opening:
        if stream not in self._own:
            return NO_OPENING
        ending = stream.removeprefix("#").partition(".")[0]
        book: Book = self._exchange.book
        if ending == "book":
            diff = self._diffs.split(stream)
            said = self._book(stream, "snapshot", 0, book.update_id, *book.top(10_000))
            return Opening([said], [] if diff is None else [self._diff(stream, diff)])
        if ending == "top":
            self._top = self._top or TopStream(book, TOP, 100)
            change = self._top.split()
            said = self._book(stream, "snapshot", 0, *self._top.snapshot)
            return Opening([said], [] if change is None else [self._change(change)])
        if ending == "trades":
            rows = list(self._exchange.fills.latest(BACKLOG))
            return Opening([self._trades(stream, rows)] if rows else [])
        return NO_OPENING

    def _trades(self, stream: str, rows: Sequence[Any]) -> Frame:
        said = [{"id": one.id, "size": self._words.size(one.lots)} for one in rows]
        payload = encode({"stream": stream, "n": 0, "trades": said})
        return Frame(stream, payload, self._exchange.fills, rows[0].id, len(rows))

    def _diff(self, stream: str, diff: Any) -> Frame:
        return self._book(stream, "update", diff.previous, diff.last, diff.bids.items(), diff.asks.items())

    def _change(self, one: TopChange) -> Frame:
        return self._book(f"top.{self._native}", "update", one.previous, one.last, one.bids, one.asks)

    def _book(self, stream: str, what: str, previous: int, last: int, bids: Any, asks: Any) -> Frame:
        said = {"stream": stream, "n": 0, "type": what, "prev": previous, "id": last}
        said |= {"bids": levels(self._words, bids), "asks": levels(self._words, asks)}
        return Frame(stream, encode(said))


class Beats(Streams):
    def __init__(self, venue: str, markets: Mapping[str, Market]) -> None:
        self._every = Every(100)
        self.steps = 0

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        self.steps += 1
        due = self._every.due(now_ms)
        return [
            Frame(one, encode({"stream": one, "n": 0})) for one in ("beat", "#beat") if due and one in wanted
        ]


# ── Control ───────────────────────────────────────────────────────────────────────────────────


def control(session: Session, text: str, limits: Limits) -> Sequence[bytes]:
    if text == "ping":
        return (b"pong",)
    if text == "hush":
        return ()
    if text == "bye":
        session.hang_up(4004, "as you wish")
        return (encode({"event": "bye", "n": 0}),)
    if text == "wake me":
        session.memory["woken"] = 0
        return ()
    asked = msgspec.json.decode(text)
    names = asked["args"]
    act = session.subscribe if asked["op"] == "subscribe" else session.unsubscribe
    act(names)
    return [
        encode({"event": asked["op"] if session.carries(name) else "error", "arg": name, "n": 0})
        for name in names
    ]


def tick(session: Session) -> Sequence[bytes]:
    """Whoever asked is woken three times, then left alone."""
    if "woken" not in session.memory:
        return ()
    session.memory["woken"] += 1
    if session.memory["woken"] > 3:
        session.hang_up()
        return ()
    return (encode({"event": "wake", "n": 0}),)


def greeting(session: Session) -> Sequence[bytes]:
    return (encode({"event": "info", "connection": session.number, "route": session.route, "n": 0}),)


def farewell(session: Session) -> bytes:
    return encode({"event": "notice", "connection": session.number, "n": 0})


def asked(query: Values, markets: Mapping[str, Market]) -> list[str]:
    natives = list(query.get("ids[]", ()))
    unknown = [name for name in natives if NAMES.symbol(name) not in markets]
    if unknown:
        raise Refusal(404, f"Price ids not found: {', '.join(unknown)}")
    return [f"price.{name}" for name in natives]


def stamp(payload: bytes, number: int) -> bytes:
    return payload.replace(b'"n":0', b'"n":%d' % number, 1)


# ── REST ──────────────────────────────────────────────────────────────────────────────────────


def _book(asked: Question) -> Any:
    symbol = NAMES.symbol(asked.params["name"])
    if symbol not in asked.markets:
        raise Refusal(200, {"result": "error", "error": "notFound"}, {"X-Why": "name"})
    book = asked.markets[symbol].exchanges[asked.venue].book
    bids, _ = book.top(int(asked.params["depth"]))
    return {"id": book.update_id, "bids": levels(Wording(asked.place.listings[symbol]), bids)}


def _info(asked: Question) -> Any:
    match asked.params.get("type"):
        case "candles":
            return {"coin": asked.body["req"]["coin"], "agent": asked.headers.get("user-agent")}
        case "steps":
            assert isinstance(asked.wide, Beats)
            return asked.wide.steps
        case _:
            raise Refusal(422, "Failed to deserialize the JSON body")


def _echo(asked: Question) -> Any:
    return {name: list(many) for name, many in asked.values.items()}


def refusal(status: int) -> Any:
    if status == 429:
        return Refusal(200, {"result": "error", "error": "apiLimitExceeded"})
    return {"error": status}


def refuses(headers: Mapping[str, str], path: str) -> Refusal | None:
    if path.startswith("/locked") and headers.get("authorization") != "Bearer sesame":
        return Refusal(401, {"error": "no key"})
    return None


TOY = Form(
    name="toy",
    place=Place(kind="perpetual", listings=LISTINGS, funding_hours=1, id_holes=True),
    limits=Limits(weight=50, window_s=3600),
    routes={"plain": "/ws", "numbered": "/numbered", "locked": "/locked/ws"},
    events={"events": "/prices"},
    route_of=route_of,
    asked=asked,
    control=control,
    streams=SymbolStreams,
    market_wide=Beats,
    endpoints=(
        Endpoint("/v1/{name}/book/{depth}", _book),
        Endpoint("/v1/any/book/echo", _echo),
        Endpoint(
            "/info", _info, weight=lambda params: 20 if params["type"] == "candles" else 1, method="POST"
        ),
        Endpoint("/history/echo", _echo),
        Endpoint("/locked/echo", _echo),
    ),
    more={"history": "/history"},
    refusal=refusal,
    refuses=refuses,
    meter=lambda used, most: {"X-Used": f"{used}/{most}"},
    greeting=greeting,
    farewell=farewell,
    tick=tick,
    stamps={"numbered": stamp},
    wrong_shape=b'{"stream":null}',
)

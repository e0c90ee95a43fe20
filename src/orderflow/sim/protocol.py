"""Protocol: the form that a simulated venue fills in, so that one server can speak for all of them.

How to add a venue: write `sim/<venue>.py` (and, if it grows, `<venue>_rest.py`) that ends in a `Form`, and
put the form into `sim/protocols.py`. Nothing else knows the venue. What a form needs:

Markets. `Place.listings` says which coins exist, under their unified symbols (BTCUSDT, everywhere inside
the simulation) and with the venue's own names in `Listing.native`; `listings.Names` looks up both ways. A
coin that is not listed is simply not in any `markets` that a hook is given. Sizes are lots; where the venue
counts contracts, `Listing.contract` is set and `Wording.size` words contracts.

Streams. A stream is any text by which the form tells what one client hears from what another does; it is
never sent. `route_of` says on which route a stream is carried, if it exists. `streams` makes one `Streams`
object for each listed coin, `market_wide` one for the whole venue; the server asks all of them for frames
on every step (every 10 ms), and gives them the streams that somebody `wanted`. Make no frame that nobody
wants. Nothing is asked while nobody listens to any stream of the venue (but for `Form.always`), so what
REST needs is read from `exchange.fills`, `.aggregates`, `.candles`, `.book` and `market.perpetuals[venue]`,
which are always complete. `gathering.py` has timers, diffs and limited books.

Subscriptions. `control` gets each text that a client sends and returns the replies, any number; it calls
`session.subscribe` with the streams meant. Right after, each stream that is new to the session is opened:
every `Streams` object is asked for its `opening`, which holds the frames for this session alone (a book's
snapshot, a backlog of trades) and, in `closing`, those that the listeners so far must have first, so that
all of them go on from the same point: `gathering.Diffs.split` and `gathering.TopStream.split` give these.
Replies go before openings unless `Form.opening_first`. To open a stream again: unsubscribe, subscribe.

State. What a connection must remember stands in `session.memory` (an interval asked for with set_heartbeat,
when the last test came); `tick` looks at it about four times a second, says what is due and may hang up.
What the venue must remember beside its markets (an option chain) lives in the object that `market_wide`
made: it steps in `frames`, with `Form.always` even when nobody listens, and REST finds it in `Question.wide`.
`path.Draws(market.seed, …)` draws numbers that the seed decides.

Faults need nothing from a form but `farewell`, if the venue announces its end, and `wrong_shape`. They find
streams and paths by patterns, so that readable names (`trades.BTC-PERPETUAL`) are worth having. A stamp is
given every message of the connection, also one cut in half: it replaces a placeholder and decodes nothing.
Numbers of dropped frames are used up, those of silenced frames are not.

Counting. A frame that tells of trades names its `tape` and the `id` of the first row, and in `count` how
many consecutive rows. What else is worth comparing with a database it names in `told`, under the names that
our own tables have: prices, mark_prices, funding_rates, open_interest, liquidations, candles (closed ones),
ticker_24h, index_prices, options, volatility_index. The ledger then knows what was really sent.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from orderflow.sim.happenings import Happening, Millis
from orderflow.sim.listings import Place
from orderflow.sim.market import Market
from orderflow.sim.tape import Tape

Values: TypeAlias = Mapping[str, Sequence[str]]  # a query's parameters, each with all its values
Stamp: TypeAlias = Callable[[bytes, int], bytes]
Row: TypeAlias = tuple[str, str, int]  # unified symbol, kind ("mark_prices" …) and how many rows of it

# ── What is sent ──────────────────────────────────────────────────────────────────────────────


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A text for everyone who subscribed to `stream`, and what the ledger shall know of it."""

    stream: str
    payload: bytes
    tape: Tape | None = None
    id: int = 0  # of the first row on the tape
    count: int = 1  # rows of the tape, from `id` on
    told: tuple[Row, ...] = ()  # what else it tells, to be counted
    spoilt: Literal["lost", "garbage"] | None = None  # set by faults alone


class Opening(msgspec.Struct, frozen=True):
    """What a new subscription starts with: `frames` for the session that asked, `closing` for the others."""

    frames: Sequence[Frame] = ()
    closing: Sequence[Frame] = ()


NO_OPENING = Opening()


class Streams:
    """Turns the happenings of one market (or none, for the whole venue) into frames. Inherit from it."""

    def frames(
        self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]
    ) -> Sequence[Frame]:
        """What is said now in those streams that somebody wants; called on every step."""
        return ()

    def opening(self, stream: str, now_ms: Millis) -> Opening:
        """What a session hears first that has just subscribed; NO_OPENING if it is not one of ours."""
        return NO_OPENING


def no_streams(venue: str, markets: Mapping[str, Market]) -> Streams:
    """For venues without a stream that spans markets."""
    return Streams()


# ── Sockets ───────────────────────────────────────────────────────────────────────────────────


class Session(Protocol):
    """A client's connection as the control protocol sees it."""

    memory: dict[str, Any]  # the form's own notes on this connection

    @property
    def venue(self) -> str: ...

    @property
    def route(self) -> str | None:
        """None on a silent path."""
        ...

    @property
    def number(self) -> int:
        """Counts the venue's connections from 1: what connection ids are made of."""
        ...

    @property
    def markets(self) -> Mapping[str, Market]:
        """Those that the venue lists, by unified symbol."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the handshake, names in lower case."""
        ...

    @property
    def opened_ms(self) -> Millis: ...

    @property
    def now_ms(self) -> Millis: ...

    @property
    def subscribed(self) -> Sequence[str]: ...

    def carries(self, stream: str) -> bool:
        """Whether the stream exists and this route carries it; other subscriptions stay silent."""
        ...

    def subscribe(self, streams: Sequence[str]) -> None: ...

    def unsubscribe(self, streams: Sequence[str]) -> None: ...

    def hang_up(self, code: int | None = None, reason: str = "") -> None:
        """End the connection after what is being said; with a code in a closing handshake, else bluntly."""
        ...


class Limits(msgspec.Struct, frozen=True):
    """What the venue allows, and how long it waits. Times in seconds; None: there is no such rule."""

    messages_per_second: int = 100  # from the client, pings and pongs included
    streams: int = 1024  # on one connection
    ping_s: float | None = None  # between the server's pings (on an event stream: its comments)
    pong_s: float = 60.0  # how long the client may take to answer a ping
    idle_s: float | None = None  # hangs up on who has sent nothing, neither text nor ping, for so long
    quiet_s: float | None = None  # hangs up where nothing was sent to the client for so long
    subscribe_s: float | None = (
        None  # hangs up on who has not subscribed to anything so long after connecting
    )
    life_s: float = 86_400.0
    weight: int = 6000  # of REST requests in one window
    window_s: int = 60
    over_status: int = 429  # beyond the weight
    patience: int = 20  # requests beyond the weight before the ban
    ban_status: int | None = None
    ban_s: int = 120
    retry_after: bool = False  # whether refusals for weight carry that header


# ── REST ──────────────────────────────────────────────────────────────────────────────────────


class Refusal(Exception):
    """A request that the venue answers with an error; the status may well be 200. Text is sent as it is."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = headers or {}


class Question(msgspec.Struct, frozen=True):
    """A REST request, with all that an answer may need."""

    venue: str
    markets: Mapping[str, Market]  # those that the venue lists
    place: Place
    params: Mapping[str, str]  # the query's first values, placeholders of the path, text fields of the body
    now_ms: Millis
    values: Values = {}  # the query's parameters where one may come more than once
    body: Any = None  # of a POST, decoded JSON
    headers: Mapping[str, str] = {}  # names in lower case
    wide: Streams | None = None  # what the form's `market_wide` made, for venues that keep state there


class Endpoint(msgspec.Struct, frozen=True):
    """A REST path; `answer` returns what is sent as JSON (text as it is), or raises Refusal.

    `{name}` in the path stands for one segment and joins the params. Of two paths that fit, the one without
    placeholders is taken, then the first in the table.
    """

    path: str
    answer: Callable[[Question], Any]
    weight: Callable[[Mapping[str, str]], int] = lambda params: 1
    method: Literal["GET", "POST"] = "GET"


# ── The form ──────────────────────────────────────────────────────────────────────────────────


def _asks_nothing(query: Values, markets: Mapping[str, Market]) -> list[str]:
    return []


def _answers_nothing(session: Session, text: str, limits: Limits) -> Sequence[bytes]:
    return ()


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated venue.

    `routes` gives the WebSocket path below `/{name}` of each route, and `route_of` the route that carries a
    stream (None: no such stream). Who asks elsewhere gets an acknowledgement and silence. REST paths lie
    below `/{name}` too; a venue with several hosts gives each of the others a path of its own in `more`.
    """

    name: str
    place: Place
    limits: Limits
    routes: Mapping[str, str] = {}
    events: Mapping[str, str] = {}  # the same for server-sent events; `asked` says what a client hears
    silent_paths: tuple[str, ...] = ()  # sockets that acknowledge everything and never send data
    route_of: Callable[[str, Mapping[str, Market]], str | None]
    asked: Callable[[Values, Mapping[str, Market]], list[str]] = _asks_nothing  # streams in a URL; may refuse
    control: Callable[[Session, str, Limits], Sequence[bytes]] = _answers_nothing
    streams: Callable[[str, Market], Streams]
    market_wide: Callable[[str, Mapping[str, Market]], Streams] = no_streams
    endpoints: tuple[Endpoint, ...] = ()
    more: Mapping[str, str] = {}  # further REST hosts by name, each with its path; endpoints include it
    refusal: Callable[[int], Any]  # the body that goes with an error status, or a whole Refusal
    refuses: Callable[[Mapping[str, str], str], Refusal | None] | None = None  # by headers and path: no key …
    meter: Callable[[int, int], Mapping[str, str]] | None = None  # headers of used weight and its limit
    greeting: Callable[[Session], Sequence[bytes]] | None = None  # said on connecting
    farewell: Callable[[Session], bytes] | None = None  # said before a planned shutdown, when a fault says so
    tick: Callable[[Session], Sequence[bytes]] | None = (
        None  # about four times a second: heartbeats asked for
    )
    stamps: Mapping[str, Stamp] = {}  # by route: writes the connection's 0, 1, 2 … into each message
    opening_first: bool = False  # openings come before the acknowledgement
    wrong_shape: bytes = b'{"stream":7,"data":{"e":["what"],"E":"then","s":null}}'  # JSON that fits no stream
    always: bool = False  # `frames` is called even while nobody listens

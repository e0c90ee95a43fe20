"""Protocol: the form that a simulated venue fills in, so that one server can speak for all of them."""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from orderflow.sim.happenings import Happening, Millis
from orderflow.sim.listings import Place
from orderflow.sim.market import Market
from orderflow.sim.tape import Tape


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A text frame for everyone who subscribed to `stream`; with the tape's row that it tells of."""

    stream: str
    payload: bytes
    tape: Tape | None = None
    id: int = 0


class Streams(Protocol):
    """Turns the happenings of one market into frames, for those streams that somebody wants."""

    def frames(
        self, happenings: Sequence[Happening], now_ms: Millis, wanted: Container[str]
    ) -> list[Frame]: ...


class Session(Protocol):
    """A client's connection as the control protocol sees it."""

    @property
    def subscribed(self) -> Sequence[str]: ...

    def subscribe(self, streams: Sequence[str]) -> None: ...

    def unsubscribe(self, streams: Sequence[str]) -> None: ...


class Question(msgspec.Struct, frozen=True):
    """A REST request, with all that an answer may need."""

    venue: str
    markets: Mapping[str, Market]  # those that the venue lists
    place: Place
    params: Mapping[str, str]
    now_ms: Millis


class Refusal(Exception):
    """A REST request that the venue answers with an error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


class Endpoint(msgspec.Struct, frozen=True):
    """A REST path; `answer` returns what is sent as JSON, or raises Refusal."""

    path: str
    answer: Callable[[Question], Any]
    weight: Callable[[Mapping[str, str]], int]


class Limits(msgspec.Struct, frozen=True):
    weight_per_minute: int
    messages_per_second: int  # from the client, pings and pongs included
    streams: int  # on one connection
    ping_s: float
    pong_s: float  # how long the client may take to answer a ping
    life_s: float = 86_400.0


class Form(msgspec.Struct, frozen=True):
    """One simulated venue.

    `routes` gives the WebSocket path below `/{name}` of each route, and `route_of` the route that carries a
    stream (None: no such stream). Who asks elsewhere gets an acknowledgement and silence.
    """

    name: str
    place: Place
    limits: Limits
    routes: Mapping[str, str]
    route_of: Callable[[str, Mapping[str, Market]], str | None]
    asked: Callable[[Mapping[str, str]], list[str]]  # the streams that a socket's URL asks for
    control: Callable[[Session, str, Limits], bytes]  # a client's message, and the reply to it
    streams: Callable[[str, Market], Streams]
    market_wide: Callable[[str, Mapping[str, Market]], Streams]
    endpoints: tuple[Endpoint, ...]
    refusal: Callable[[int], Any]  # the body that goes with an HTTP error status
    used_weight_header: str
    silent_paths: tuple[str, ...] = ()  # sockets that acknowledge everything and never send data
    farewell: Callable[[Millis], bytes] | None = None  # what is said before a planned shutdown

"""The form that each venue fills in: where it is, what may be asked, what it says and what that means.

A venue is data and pure functions; sockets, clocks and retries are the feed's. Where the feed would
have to know a venue by name, the form is missing a field.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TypeAlias
from urllib.parse import parse_qsl, urlsplit

import msgspec

from orderflow.market.errors import UnsupportedByVenue, VenueChanged
from orderflow.market.events import Event, Ignored, Nanos
from orderflow.market.instruments import MARKETS, Market
from orderflow.venues import tables

Decode: TypeAlias = Callable[[bytes, Nanos], Sequence[Event]]
Answer: TypeAlias = Callable[[bytes, Mapping[str, str], Nanos], Sequence[Event]]


class BookRule(Enum):
    """How a venue's book updates follow one another."""

    PREVIOUS_ID = "each diff names the last id of the one before (`prev_id`)"
    CONTIGUOUS = "each diff begins at the last id of the one before, plus one"
    SNAPSHOTS = "every update is a whole snapshot"


class Hosts(msgspec.Struct, frozen=True):
    """Base addresses: REST, and one WebSocket address a route (`{"public": "wss://…"}`)."""

    rest: str
    ws: dict[str, str]


class Channel(msgspec.Struct, frozen=True):
    """One subscription: the streams that it feeds and the template of its name.

    The template may hold `{symbol}`, the native symbol, or `{lower}`, the same in lower case.
    `silent_after_s` is how long a healthy channel of a busy symbol may say nothing; None where
    silence says nothing (liquidations). `default` channels are subscribed unless others are asked.
    """

    name: str
    streams: tuple[str, ...]
    template: str
    route: str
    silent_after_s: float | None = None
    default: bool = True


class Limits(msgspec.Struct, frozen=True):
    """What a venue allows a connection, and how long one lives."""

    streams_per_connection: int
    messages_per_s: float
    names_per_subscribe: int
    connects_per_minute: float
    dead_after_s: float  # nothing heard for so long: the connection is lost
    life_s: float | None = None  # replaced before this age; None where a venue sets no limit
    ack_timeout_s: float = 10.0
    max_message_bytes: int = 16 * 1024 * 1024


class Bucket(msgspec.Struct, frozen=True):
    """A REST allowance: `limit` units of weight every `per_s` seconds, with the header that counts them."""

    name: str
    limit: float
    per_s: float
    header: str = ""


class Endpoint(msgspec.Struct, frozen=True):
    """A public REST request: path, fixed and needed parameters, its weight and what the body means."""

    name: str
    path: str
    decode: Answer
    params: dict[str, str] = {}
    needs: tuple[str, ...] = ()
    weight: float = 1
    bucket: str = "weight"
    cache_s: float = 0.0


class Poll(msgspec.Struct, frozen=True):
    """An endpoint asked again and again, for streams that no socket carries; for each symbol or once."""

    endpoint: str
    every_s: float
    streams: tuple[str, ...]
    per_symbol: bool = True


class Refusals(msgspec.Struct, frozen=True):
    """Which HTTP statuses mean what; waits in seconds are used where no Retry-After comes."""

    limited: dict[int, float] = msgspec.field(default_factory=lambda: {429: 30.0})
    banned: dict[int, float] = msgspec.field(default_factory=lambda: {418: 120.0})
    blocked: tuple[int, ...] = (451,)
    retry: tuple[int, ...] = (408, 500, 502, 503, 504)


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """A venue: its place in `MARKETS`, what it offers, and the pure functions that speak its language."""

    name: str
    docs: str
    hosts: Hosts
    limits: Limits
    book: BookRule
    channels: tuple[Channel, ...]
    endpoints: tuple[Endpoint, ...]
    buckets: tuple[Bucket, ...]
    decode: Decode
    subscribe: Callable[[Sequence[str], int], bytes]
    unsubscribe: Callable[[Sequence[str], int], bytes]
    native: Callable[[str], str]  # unified symbol → the venue's name in channels and requests
    taker_fee_bps: float  # of a regular user; an account's own is set by `taker_fee_bps` in the settings
    taker_fee_source: str  # who says so, and when: fees change without a change of the protocol
    snapshot: str | None = None  # endpoint of a book's snapshot, where diffs need one
    snapshot_interval_s: float = 10.0  # at most one snapshot a symbol in this time
    listing: str | None = None  # endpoint of the instruments
    polls: tuple[Poll, ...] = ()
    refusals: Refusals = Refusals()
    tables: tuple[Endpoint, ...] = ()  # CSV layouts of its archives; a row is a body
    funding_hours: float | None = None  # interval of the contracts that its list of intervals leaves out
    consecutive_trades: bool = False  # a hole in the trade ids is a hole in the trades
    foreign: dict[str, str] = {}  # path prefix of another market → its name; left out on purpose
    notes: dict[str, str] = {}  # stream → what a reader must know (a lower bound, a delay)

    @property
    def market(self) -> Market:
        return MARKETS[self.name]

    def channel_name(self, channel: Channel, symbol: str) -> str:
        """Return the name under which a channel of a unified symbol is subscribed."""
        native = self.native(symbol)
        return channel.template.format(symbol=native, lower=native.lower())

    def endpoint(self, name: str) -> Endpoint:
        for one in self.endpoints:
            if one.name == name:
                return one
        offered = ", ".join(one.name for one in self.endpoints)
        raise UnsupportedByVenue(f"{self.name} has no endpoint {name!r}", hint=f"it has: {offered}")

    def channels_for(self, streams: Sequence[str] | None = None) -> tuple[Channel, ...]:
        """Return the default channels that feed any of the streams (all by default)."""
        return tuple(
            one
            for one in self.channels
            if one.default and (streams is None or any(stream in streams for stream in one.streams))
        )


def answer(venue: Venue, url: str, body: bytes, ts_recv: Nanos) -> Sequence[Event]:
    """Decode a REST body (or an archive's row, `table:NAME?symbol=…`) by the address that it answers.

    Raises `VenueChanged` if no endpoint of the form has that path.
    """
    try:
        return _answer(venue, url, body, ts_recv)
    except RecursionError as error:
        raise VenueChanged(f"{venue.name}: nested too deeply: {body[:200]!r}") from error


def _answer(venue: Venue, url: str, body: bytes, ts_recv: Nanos) -> Sequence[Event]:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "table" and parts.path in tables.COMMON:
        return tables.COMMON[parts.path](venue.name, body, query, ts_recv)
    for endpoint in venue.tables if parts.scheme == "table" else venue.endpoints:
        if parts.path.endswith(endpoint.path):  # a mirror may put a prefix before the path
            return endpoint.decode(body, query, ts_recv)
    for prefix, market in venue.foreign.items():
        if parts.path.startswith(prefix):
            return [left_out(venue.name, query.get("symbol", ""), ts_recv, f"another market: {market}")]
    raise VenueChanged(f"{venue.name}: no endpoint {parts.path!r}")


def left_out(venue: str, symbol: str, ts_recv: Nanos, reason: str, id: int | None = None) -> Ignored:
    """Say that something was understood and is not kept."""
    return Ignored(venue, symbol, None, ts_recv, reason, id)


def leaves_out(venue: str, reason: str) -> Answer:
    """Return a decoder for bodies that are known and not kept."""

    def decode(body: bytes, query: Mapping[str, str], ts_recv: Nanos) -> Sequence[Event]:
        return [left_out(venue, query.get("symbol", ""), ts_recv, reason)]

    return decode

"""The form that each venue fills in: where it is, what may be asked, what it says and what that means.

A venue is data and pure functions; sockets, clocks and retries are the feed's. Where the feed would
have to know a venue by name, the form is missing a field.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from enum import Enum
from fractions import Fraction
from functools import cache
from math import isnan, nan
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import msgspec

from orderflow.market.errors import ProtocolRetired, UnsupportedByVenue, VenueChanged
from orderflow.market.events import Event, Ignored, Instrument, LevelText, Nanos
from orderflow.market.instruments import MARKETS, Market
from orderflow.venues import tables
from orderflow.venues.questions import Question


class Contract(msgspec.Struct, frozen=True):
    """A listed instrument as a decoder needs it.

    One unit of a size on the wire is `times` / `over` base units (0.01 is 1 / 100, so that sizes stay
    the decimals that they are), or quote units if `inverse`; `times` is NaN where the listing was not
    read: sizes are then unknown, and prices are kept.
    """

    symbol: str
    times: float = 1.0
    over: float = 1.0
    inverse: bool = False
    kind: str = ""
    trading: bool = True

    def base(self, size: float, price: float) -> float:
        """Return a size of the wire in base units.

        >>> contract("BTCUSDT", 0.01).base(727, 38632.4)
        7.27
        >>> contract("BTCUSD", 10.0, inverse=True).base(75, 50_000.0)
        0.015
        """
        worth = size * self.times / self.over
        if self.inverse:
            return worth / price if price else nan
        return worth


def contract(
    symbol: str, size: float | None = None, *, inverse: bool = False, kind: str = "", trading: bool = True
) -> Contract:
    """Return a contract whose sizes count `size` units each (1 if None, unknown if NaN)."""
    if size is None or isnan(size):
        return Contract(symbol, 1.0 if size is None else nan, 1.0, inverse, kind, trading)
    exact = Fraction(repr(size))
    return Contract(symbol, float(exact.numerator), float(exact.denominator), inverse, kind, trading)


_PARTS = re.compile(r"[ .:@/]")  # of a state's key: `bar BTC-PERPETUAL 1`, `tickers.BTCUSDT`


class Memory(msgspec.Struct):
    """What a decoder knows beyond its frame: the contracts that were listed, and what it keeps itself.

    `states` is for venues whose messages tell only what changed: plain JSON values under keys of the
    venue's choosing, of which an instrument's name is a part of its own where one is of an instrument.
    It goes into the journal with the books, so that a replay begins where it stood.
    """

    contracts: dict[str, Contract] = {}  # by the venue's own name
    states: dict[str, Any] = {}

    def learn(self, one: Instrument) -> None:
        """Take up what a listing says of an instrument."""
        self.contracts[one.native] = contract(
            one.symbol, one.contract_size, inverse=one.inverse, kind=one.kind, trading=one.trading
        )

    def relist(self, listed: Sequence[Instrument]) -> None:
        """Take up a whole listing. What it leaves out trades no more; the second time, it is forgotten.

        Options expire by the thousand in a month; what is late of one that has just expired is still read.
        """
        for one in listed:
            self.learn(one)
        left = self.contracts.keys() - {one.native for one in listed}
        gone = {name for name in left if not self.contracts[name].trading}
        for name in left - gone:
            self.contracts[name] = msgspec.structs.replace(self.contracts[name], trading=False)
        for name in gone:
            del self.contracts[name]
        for key in [key for key in self.states if gone and not gone.isdisjoint(_PARTS.split(key))]:
            del self.states[key]

    def needed(self, contracts: bool) -> "Memory":
        """Return what a journal must keep of it: contracts only where decoding needs them."""
        return Memory(self.contracts if contracts else {}, self.states)

    def natives(self, symbol: str) -> list[str]:
        """Return the venue's names of what trades under a symbol, in the order of its listing."""
        return [name for name, one in self.contracts.items() if one.symbol == symbol and one.trading]


Query: TypeAlias = Mapping[str, str]
Decode: TypeAlias = Callable[[bytes, Nanos, Memory], Sequence[Event]]
Answer: TypeAlias = Callable[[bytes, Query, Nanos, Memory], Sequence[Event]]
Names: TypeAlias = Sequence[str]


class BookRule(Enum):
    """How a venue's book updates follow one another."""

    PREVIOUS_ID = "each diff names the last id of the one before (`prev_id`)"
    CONTIGUOUS = "each diff begins at the last id of the one before, plus one"
    CHAINED = "each diff names the one before, and nothing else follows it; ids may begin again"
    UNNUMBERED = "diffs have no ids: a hole is told by other messages, or by a crossed book"
    SNAPSHOTS = "every update is a whole snapshot"


class Checksum(msgspec.Struct, frozen=True):
    """The checksum by which a venue's updates vouch for the book: of its best `levels` a side.

    `of` gets what the venue wrote of those levels (price, size), the best first: bids, then asks.
    """

    levels: int
    of: Callable[[Sequence[LevelText], Sequence[LevelText]], int]


class Hosts(msgspec.Struct, frozen=True):
    """Base addresses: REST, one WebSocket (or event stream, `https://…`) a route, and further REST hosts.

    `{"public": "wss://…"}`; an `Endpoint` of another host names its key in `more`; `archive` has files
    of past days.
    """

    rest: str
    ws: dict[str, str]
    more: dict[str, str] = {}
    archive: str = ""


class Channel(msgspec.Struct, frozen=True):
    """One subscription: the streams that it feeds and the template of its name.

    The template holds words of `Venue.words`: `{symbol}`, the native symbol, `{lower}`, and what else
    the venue has; one without any is subscribed once for all symbols. `kinds` are the kinds of listed
    instruments that it exists for (all if empty). `silent_after_s` is how long a healthy channel of a
    busy symbol may say nothing; None where silence says nothing (liquidations). `default` channels are
    subscribed unless others are asked.
    """

    name: str
    streams: tuple[str, ...]
    template: str
    route: str
    silent_after_s: float | None = None
    default: bool = True
    kinds: tuple[str, ...] = ()


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
    control_bytes: int = 120  # what a venue says of the connection is shorter, and data hardly ever
    connections: int = 100  # open at once, to one host from one address
    channel_per_subscribe: bool = False  # a message names one channel, for many symbols


class Keepalive(msgspec.Struct, frozen=True):
    """What we send so that a connection lives: a message, or a WebSocket ping where there is none."""

    every_s: float
    message: Callable[[Nanos], bytes] | None = None


class Bucket(msgspec.Struct, frozen=True):
    """A REST allowance: `limit` units of weight every `per_s` seconds, with the header that counts them."""

    name: str
    limit: float
    per_s: float
    header: str = ""


class Endpoint(msgspec.Struct, frozen=True):
    """A public REST request: path, fixed and needed parameters, its weight and what the body means.

    The path may hold parameters, `/products/{product_id}/book`. `of_symbol` are the parameters that name
    a symbol, as templates like a channel's; one that answers about all symbols where none is named weighs
    `weight_of_all` then. With `body` the request is a POST of what it returns for the parameters; its
    address is then kept with the parameters as a query. Where several endpoints share a path, an answer
    is that of the first whose `when` its query has.
    """

    name: str
    path: str
    decode: Answer
    params: dict[str, str] = {}
    needs: tuple[str, ...] = ()
    weight: float = 1
    bucket: str = "weight"
    cache_s: float = 0.0
    of_symbol: dict[str, str] = msgspec.field(default_factory=lambda: {"symbol": "{symbol}"})
    host: str = ""  # "" is `Hosts.rest`, else a key of `Hosts.more`
    body: Callable[[Query], bytes] | None = None
    when: dict[str, str] = {}
    weight_of_all: float | None = None

    def weighs(self, query: Query) -> float:
        """Return what a request weighs."""
        if self.weight_of_all is None or any(name in query for name in self.of_symbol):
            return self.weight
        return self.weight_of_all


class Poll(msgspec.Struct, frozen=True):
    """An endpoint asked again and again, for streams that no socket carries; for each symbol or once."""

    endpoint: str
    every_s: float
    streams: tuple[str, ...]
    per_symbol: bool = True


class Refusals(msgspec.Struct, frozen=True):
    """Which HTTP statuses mean what; waits in seconds are used where no Retry-After comes.

    `complaint` finds the venue's own error (code, text) in a body, that of a 200 as well; the sets of
    codes say what it means. A code in none of them is an invalid request.
    """

    limited: dict[int, float] = msgspec.field(default_factory=lambda: {429: 30.0})
    banned: dict[int, float] = msgspec.field(default_factory=lambda: {418: 120.0})
    blocked: tuple[int, ...] = (451,)
    retry: tuple[int, ...] = (408, 500, 502, 503, 504)
    complaint: Callable[[bytes], tuple[str, str] | None] = lambda body: None
    limited_codes: frozenset[str] = frozenset()
    unavailable_codes: frozenset[str] = frozenset()
    unknown_symbol_codes: frozenset[str] = frozenset()
    key_codes: frozenset[str] = frozenset()  # of an endpoint that wants a key, where others want none


class Key(msgspec.Struct, frozen=True):
    """A key that a venue asks for: the setting that holds it, the header that it goes into, and why."""

    setting: str  # as users know it: PYTH_API_KEY
    header: str
    template: str  # `Bearer {key}`
    required: str = ""  # what is said, once, where there is none; the venue is then not asked at all


def words(native: str) -> dict[str, str]:
    """Return what templates may say of a native symbol."""
    return {"symbol": native, "lower": native.lower()}


class History(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint is asked for a stream's past, page by page.

    Pages follow one another by time (`start`, `end`: the names of those parameters, both optional), by
    trade id (`id`: from this one on, or where pages come newest first, before this one) or by a token
    (`cursor` is its parameter, `token` finds it in a body). A first page is asked by time even where the
    others follow by id; the two are never sent together. With none of them one answer holds everything.
    """

    stream: str
    endpoint: str
    start: str = ""
    end: str = ""
    unit: Literal["iso", "s", "ms", "us", "ns"] = "ms"  # of `start` and `end`
    params: dict[str, str] = {}
    id: str = ""
    cursor: str = ""
    token: Callable[[bytes], str | None] | None = None
    newest_first: bool = False
    most_rows: int = 1000  # of a full page: a shorter one is the last
    span: Nanos | None = None  # longest stretch from `start` to `end`
    step: Nanos | None = None  # rows stand on a grid this wide: the one that a window begins in is part of it
    keeps: Nanos | None = None  # how far back it reaches; None where no limit is known
    lacks: str = ""  # what its rows lack of the live stream, so that they do not close a gap


# What most venues' past lacks, said alike.
SETTLED = "the past has the rates that were settled, not their running estimate"
HOURLY = "the past has the rate of each hour, not its running estimate"
EVERY_FIVE_MINUTES = "the past has a row every five minutes, not what lay between"


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """Files of past days or months below `Hosts.archive`, a zipped table of a `layout` in `Venue.tables`.

    The paths hold `{symbol}`, the native symbol, and `{date}`: 2026-11-21 in `daily`, 2026-11 in `monthly`.
    """

    stream: str
    layout: str
    daily: str = ""
    monthly: str = ""
    params: dict[str, str] = {}  # what a row does not say, such as a bar's interval
    checksum: str = ".CHECKSUM"  # appended to a path: the file's SHA-256 in hexadecimal, then its name
    lacks: str = ""


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
    subscribe: Callable[[Names, int], bytes]
    unsubscribe: Callable[[Names, int], bytes]
    native: Callable[[str], str]  # unified symbol → the venue's name, where its listing was not read
    taker_fee_bps: float  # of a regular user; an account's own is set by `taker_fee_bps` in the settings
    taker_fee_source: str  # who says so, and when: fees change without a change of the protocol
    checksum: Checksum | None = None  # where updates of books carry one, if only those of old recordings
    words: Callable[[str], dict[str, str]] = words  # native symbol → the words of templates
    snapshot: str | None = None  # endpoint of a book's snapshot, where diffs need one; else resubscribed
    snapshot_interval_s: float = 10.0  # at most one snapshot a symbol in this time
    listing: str | None = None  # endpoint of the instruments
    listing_every_s: float | None = None  # read again so often, where what is listed changes by itself
    polls: tuple[Poll, ...] = ()
    refusals: Refusals = Refusals()
    tables: tuple[Endpoint, ...] = ()  # CSV layouts of its archives; a row is a body
    headers: dict[str, str] = {}  # sent with every request and every handshake
    greeting: tuple[bytes, ...] = ()  # sent first on every connection
    keepalive: Keepalive | None = None
    key: Key | None = None
    address: Callable[[str, Names], str] | None = None  # names go into a socket's address: no subscribing
    funding_hours: float | None = None  # interval of the contracts that its list of intervals leaves out
    consecutive_trades: bool = False  # a hole in the trade ids (or sequences) is a hole in the trades
    trade_ids_count: bool = True  # ids that are numbers are those consecutive ones; else `sequence` is
    trade_ids_span: bool = False  # a merged trade's id is the last of the `count` ids that it covers
    head_bytes: int = 56  # the beginning of a frame by which its channel can be told
    heard: Callable[[bytes], Names] | None = None  # that beginning → channels; None: a name in quotes
    crossed_is_lost: bool = False  # bid at or above ask: the book has gone wrong
    needs_contracts: bool = False  # sizes or symbols of its frames are read by its listing
    speaks_for: tuple[str, ...] = ()  # other venues of ours whose events its frames carry
    foreign: dict[str, str] = {}  # path prefix of another market → its name; left out on purpose
    retired: dict[str, str] = {}  # path prefix of a protocol that is no longer spoken → its name; refused
    ends: tuple[date, str] | None = None  # when the venue switches this protocol off, and what to do then
    notes: dict[str, str] = {}  # stream → what a reader must know (a lower bound, a delay)
    cannot: dict[str, str] = {}  # stream of its market that it does not publish → why; it stays empty
    questions: tuple[Question, ...] = ()  # what it is asked by tools, and how
    history: tuple[History, ...] = ()
    archives: tuple[Archive, ...] = ()
    no_past: dict[str, str] = {}  # stream → why it has none, where one might look for it

    @property
    def market(self) -> Market:
        return MARKETS[self.name]

    @property
    def collects(self) -> bool:
        """Tell whether it has streams to collect; some markets are only asked."""
        return bool(self.market.streams)

    def asked(self, question: str) -> tuple[Question, ...]:
        """Return how it is asked; nothing where it does not answer that."""
        return tuple(one for one in self.questions if one.name == question)

    def with_key(self, key: str | None) -> "Venue":
        """Return the venue with a key in its headers, where it asks for one and one is given."""
        if self.key is None or not key:
            return self
        return msgspec.structs.replace(
            self, headers=self.headers | {self.key.header: self.key.template.format(key=key)}
        )

    def lacks_key(self, key: str | None) -> bool:
        """Tell whether the venue answers nothing without the key that is missing."""
        return self.key is not None and bool(self.key.required) and not key

    def channel_names(self, channel: Channel, symbol: str, memory: Memory) -> list[str]:
        """Return the names under which a channel of a unified symbol is subscribed; none if not listed."""
        natives = [
            native
            for native in memory.natives(symbol)
            if not channel.kinds or memory.contracts[native].kind in channel.kinds
        ]
        if not memory.contracts:
            natives = [self.native(symbol)]
        return list(dict.fromkeys(channel.template.format(**self.words(native)) for native in natives))

    def params_of(self, endpoint: Endpoint, symbol: str, memory: Memory) -> dict[str, str]:
        """Return the parameters by which an endpoint is asked about a unified symbol."""
        native = next(iter(memory.natives(symbol)), None) or self.native(symbol)
        return {name: said.format(**self.words(native)) for name, said in endpoint.of_symbol.items()}

    def endpoint(self, name: str) -> Endpoint:
        for one in self.endpoints:
            if one.name == name:
                return one
        offered = ", ".join(one.name for one in self.endpoints)
        raise UnsupportedByVenue(f"{self.name} has no endpoint {name!r}", hint=f"it has: {offered}")

    def history_of(self, stream: str) -> History | None:
        return next((one for one in self.history if one.stream == stream), None)

    def archive_of(self, stream: str) -> Archive | None:
        return next((one for one in self.archives if one.stream == stream), None)

    def channels_for(self, streams: Sequence[str] | None = None) -> tuple[Channel, ...]:
        """Return the default channels that feed any of the streams (all by default)."""
        return tuple(
            one
            for one in self.channels
            if one.default and (streams is None or any(stream in streams for stream in one.streams))
        )


def answer(
    venue: Venue, url: str, body: bytes, ts_recv: Nanos, memory: Memory | None = None
) -> Sequence[Event]:
    """Decode a REST body (or an archive's row, `table:NAME?symbol=…`) by the address that it answers.

    Raises `VenueChanged` if no endpoint of the form has that path.
    """
    try:
        return _answer(venue, url, body, ts_recv, Memory() if memory is None else memory)
    except RecursionError as error:
        raise VenueChanged(f"{venue.name}: nested too deeply: {body[:200]!r}") from error


def _answer(venue: Venue, url: str, body: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "table" and parts.path in tables.COMMON:
        return tables.COMMON[parts.path](venue.name, body, query, ts_recv)
    found = answered(venue.tables if parts.scheme == "table" else venue.endpoints, parts.path, query)
    if found is not None:
        endpoint, named = found
        return endpoint.decode(body, query | named, ts_recv, memory)
    for prefix, market in venue.foreign.items():
        if parts.path.startswith(prefix):
            return [left_out(venue.name, query.get("symbol", ""), ts_recv, f"another market: {market}")]
    for prefix, protocol in venue.retired.items():
        if parts.path.startswith(prefix):
            hint = "only recordings of today's protocol can be read"
            raise ProtocolRetired(f"{venue.name}: {parts.path} is of {protocol}", hint=hint)
    raise VenueChanged(f"{venue.name}: no endpoint {parts.path!r}")


def answered(
    endpoints: Sequence[Endpoint], path: str, query: Query
) -> tuple[Endpoint, dict[str, str]] | None:
    """Return the endpoint that an address is of, with the parameters that its path holds."""
    for endpoint in endpoints:
        found = path_pattern(endpoint.path).search(path)  # a mirror may put a prefix before the path
        if found and all(query.get(name) == value for name, value in endpoint.when.items()):
            return endpoint, found.groupdict()
    return None


def lists(venue: Venue, url: str) -> bool:
    """Tell whether an address is that of the venue's listing."""
    parts = urlsplit(url)
    found = answered(venue.endpoints, parts.path, dict(parse_qsl(parts.query)))
    return found is not None and found[0].name == venue.listing


@cache
def path_pattern(path: str) -> re.Pattern[str]:
    """Return the pattern that finds a path with its parameters at the end of an address's path.

    >>> path_pattern("/products/{id}/book").search("/prefix/products/BTC-USD/book").groupdict()
    {'id': 'BTC-USD'}
    """
    pieces = re.split(r"\{(\w+)\}", path)
    said = (f"(?P<{piece}>[^/]+)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces))
    return re.compile("".join(said) + "$")


def left_out(venue: str, symbol: str, ts_recv: Nanos, reason: str, id: int | None = None) -> Ignored:
    """Say that something was understood and is not kept."""
    return Ignored(venue, symbol, None, ts_recv, reason, id)


def leaves_out(venue: str, reason: str) -> Answer:
    """Return a decoder for bodies that are known and not kept."""

    def decode(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        return [left_out(venue, query.get("symbol", ""), ts_recv, reason)]

    return decode

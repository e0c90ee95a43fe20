"""Events: what happened on a market, said the same way for every venue.

Every event carries two clocks in UTC nanoseconds: `ts_event` (the venue's; None where the venue
gives none) and `ts_recv` (ours; 0 where a recording does not tell). Sides are the taker's, sizes are
in base units, values in quote units, rates are fractions per interval, and unknown is None, never 0.
"""

from typing import Literal, TypeAlias

import msgspec

Nanos: TypeAlias = int
Side: TypeAlias = Literal["buy", "sell"]
Level: TypeAlias = tuple[float, float]  # (price, size); a size of 0 removes the level
LevelText: TypeAlias = tuple[str, str]  # the same as the venue wrote it, in its own unit of size

US: Nanos = 1_000
MS: Nanos = 1_000_000
SECOND: Nanos = 1_000_000_000
MINUTE: Nanos = 60 * SECOND
HOUR: Nanos = 60 * MINUTE
DAY: Nanos = 24 * HOUR


class Event(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """Base of the events that a venue's decoder yields and that the store keeps."""

    venue: str
    symbol: str
    ts_event: Nanos | None
    ts_recv: Nanos


class Trade(Event, frozen=True, gc=False):
    """Fills at one price on one side; `count` of them, `merged` where the venue numbers such bundles.

    `id` is the venue's: an integer where it numbers trades one by one, else its text. Bundles and
    single fills are numbered apart. A size is NaN, here and in books, where it came in contracts of a
    size that is not known.
    """

    id: int | str
    is_buyer_maker: bool  # the buyer rested, so the taker sold
    price: float
    size: float
    count: int | None = 1
    merged: bool = False
    sequence: int | None = None  # the venue's consecutive number of the trade, where its id is none

    @property
    def side(self) -> Side:
        return "sell" if self.is_buyer_maker else "buy"


class Quote(Event, frozen=True, gc=False):
    """The best bid and ask; `sequence` is the venue's update id.

    `mid` is a price that a venue tells instead of a bid and an ask, as an oracle does; `confidence` is
    how far its sources disagree, in quote units to either side, which is no spread.
    """

    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None
    sequence: int | None = None
    mid: float | None = None
    confidence: float | None = None


class BookUpdate(Event, frozen=True, gc=False):
    """A snapshot, or the levels that changed since `prev_id`: `first_id`..`last_id` of the venue.

    `depth` is set for a stream of shallow snapshots: so many levels a side. It is None for diffs and
    for the snapshots that diffs join. A snapshot that `replaces` came on the diffs' own socket: what
    came before it is in it, whatever the ids say. With a `checksum` come the `texts` that it is made
    of: those of `bids` and of `asks`, level by level.
    """

    snapshot: bool
    bids: list[Level]
    asks: list[Level]
    last_id: int | None = None
    first_id: int | None = None
    prev_id: int | None = None
    depth: int | None = None
    replaces: bool = False
    checksum: int | None = None
    texts: tuple[list[LevelText], list[LevelText]] | None = None


class MarkPrice(Event, frozen=True, gc=False):
    mark: float
    index: float | None = None


class IndexPrice(Event, frozen=True, gc=False):
    price: float


class Funding(Event, frozen=True, gc=False):
    """The rate to be paid at `next_ts`, per `interval_hours`; `predicted` is for the one after."""

    rate: float
    predicted: float | None = None
    interval_hours: float | None = None
    next_ts: Nanos | None = None


class OpenInterest(Event, frozen=True, gc=False):
    """Open interest in base units, in USD and in contracts, each where the venue tells."""

    size: float | None
    usd: float | None = None
    contracts: float | None = None


class Ticker(Event, frozen=True, gc=False):
    """The venue's rolling 24 hours."""

    last: float | None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    volume: float | None = None
    quote_volume: float | None = None
    trade_count: int | None = None
    change: float | None = None
    change_pct: float | None = None
    vwap: float | None = None


class Candle(Event, frozen=True, gc=False):
    """One bar; `close_ts` is its last instant, `closed` says that it will not change again."""

    interval: str
    open_ts: Nanos
    close_ts: Nanos
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float | None = None
    trade_count: int | None = None
    taker_buy_volume: float | None = None
    taker_buy_quote: float | None = None
    closed: bool = False


class Liquidation(Event, frozen=True, gc=False):
    """A forced close; `side` is the position that was closed, not the order that closed it."""

    side: Literal["long", "short"]
    price: float
    size: float
    order_id: str | None = None
    is_partial: bool | None = None
    ordinal: int = 0  # its place among equal ones in one frame


class BookTop(Event, frozen=True, gc=False):
    """The best ten levels of a kept book, flat: ten (price, size) bids, then ten asks; None where absent."""

    levels: tuple[float | None, ...]
    depth: int
    sequence: int | None = None


class Option(Event, frozen=True, gc=False):
    """One row of an option chain: quotes, implied volatilities (fractions a year) and greeks."""

    instrument: str
    expiry_ts: Nanos
    strike: float
    kind: Literal["call", "put"]
    bid: float | None = None
    ask: float | None = None
    bid_iv: float | None = None
    ask_iv: float | None = None
    mark_price: float | None = None
    mark_iv: float | None = None
    underlying_price: float | None = None
    open_interest: float | None = None
    volume_24h: float | None = None
    delta: float | None = None
    gamma: float | None = None
    vega: float | None = None
    theta: float | None = None
    rho: float | None = None


class VolatilityIndex(Event, frozen=True, gc=False):
    value: float


class Instrument(Event, frozen=True, gc=False):
    """What a venue lists under a symbol: its native name and the steps of price and size."""

    native: str
    kind: str  # spot, perpetual, future, option
    base: str
    quote: str
    status: str
    trading: bool
    contract_size: float | None = None
    tick: float | None = None
    lot: float | None = None
    min_notional: float | None = None
    listed_ts: Nanos | None = None
    inverse: bool = False  # a contract is so many units of quote, not of base


class FundingInterval(Event, frozen=True, gc=False):
    """How often a contract pays funding, where a venue says so apart from the rate."""

    interval_hours: float


class Ignored(Event, frozen=True, gc=False):
    """Something understood and left out on purpose; `id` keeps a count of trades unbroken."""

    reason: str
    id: int | None = None


class Missed(Event, frozen=True, gc=False):
    """A hole that the decoder itself has seen: something of these streams was sent and did not arrive.

    Symbol "" is every symbol of the venue.
    """

    streams: tuple[str, ...]
    reason: str


class Control(Event, frozen=True, gc=False):
    """What a venue says about the connection itself.

    `names` are the channels that an answer is about, as we subscribe them. An answer with an `id` and
    names answers that whole request: what it does not name is refused. One with an id alone answers
    all names of the request, one with names alone just these. A venue that is `asking` wants `reply`.
    """

    kind: Literal["ack", "refused", "closing", "pong", "asking"]
    id: int | None = None
    message: str = ""
    names: tuple[str, ...] = ()
    reply: bytes = b""


class Gap(msgspec.Struct, frozen=True, gc=False, tag="gap"):
    """A stretch of one stream that was not received; `until_ts` is None while it lasts."""

    venue: str
    symbol: str
    stream: str
    from_ts: Nanos
    until_ts: Nanos | None
    reason: str

    @property
    def identity(self) -> tuple[str, str, str, Nanos]:
        """What stays the same from when a gap opens until it is closed."""
        return self.venue, self.symbol, self.stream, self.from_ts

"""What a tool may look at: the latest state, the health of the run, the clock, the declared fees."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orderflow import venues
from orderflow.jobs.tasks import Task
from orderflow.market.errors import NoData, OrderflowError
from orderflow.market.events import (
    BookTop,
    Funding,
    Instrument,
    MarkPrice,
    Nanos,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.streams import BOOK_LEVELS
from orderflow.store.answers import Coverage, GapRow, SeriesRows, Stretch
from orderflow.store.bars import Source
from orderflow.store.manifest import Form
from orderflow.store.sandbox import Found, Limits
from orderflow.store.statistics import Of
from orderflow.store.windows import Window
from orderflow.venues.questions import Asked, Told


class Latest(Protocol):
    """The newest state of each series; `kind` is live, replay or simulated, None where no run made it."""

    @property
    def kind(self) -> str | None: ...

    def quotes(self, symbol: str | None) -> Sequence[Quote]: ...

    def tops(self, symbol: str | None) -> Sequence[BookTop]: ...

    def marks(self, symbol: str | None) -> Sequence[MarkPrice]: ...

    def fundings(self, symbol: str | None) -> Sequence[Funding]: ...

    def open_interests(self, symbol: str | None) -> Sequence[OpenInterest]: ...

    def tickers(self, symbol: str | None) -> Sequence[Ticker]: ...

    def recent_trades(self, symbol: str, venue: str | None, /) -> Sequence[Trade]: ...

    def symbols(self) -> Sequence[str]: ...


Among = Sequence[str] | None  # venues; None are all that have rows


class History(Protocol):
    """What is stored: windows in nanoseconds, [since, until). `store.reader.Reader` says what each gives.

    An empty window raises `NoData` with the range that exists. May be asked from any thread, and is asked
    from one of the doors': a question takes its time.
    """

    @property
    def kind(self) -> str | None: ...
    def symbols(self) -> Sequence[str]: ...
    def series(self) -> Sequence[SeriesRows]: ...
    def window(
        self,
        stream: str,
        symbol: str,
        venues: Among = None,
        *,
        since: Nanos | None = None,
        until: Nanos | None = None,
        limit: int | None = None,
        interval: str | None = None,
        every: str | None = None,
        side: str | None = None,
        min_value: float = 0.0,
    ) -> Window: ...
    def bars(
        self, symbol: str, venues: Among, length: str, since: Nanos, until: Nanos, source: Source = "auto"
    ) -> Window: ...
    def percentiles(
        self, symbol: str, venues: Among, since: Nanos, until: Nanos, at: Sequence[float], /
    ) -> Window: ...
    def volatility(
        self, symbol: str, venues: Among, since: Nanos, until: Nanos, step: str = "1m", of: Of = "prices"
    ) -> Window: ...
    def flow(self, symbol: str, venues: Among, since: Nanos, until: Nanos) -> Window: ...
    def volume_by_price(
        self,
        symbol: str,
        venues: Among,
        since: Nanos,
        until: Nanos,
        size: float | None = None,
        bins: int = 50,
    ) -> Window: ...
    def price_context(
        self, symbol: str, venue: str, until: Nanos, look_backs: Sequence[str], price: float | None = None
    ) -> Window: ...
    def cells(
        self, symbol: str, venues: Among, length: str, since: Nanos, until: Nanos, step: float
    ) -> Window: ...
    def flow_bars(self, symbol: str, venues: Among, length: str, since: Nanos, until: Nanos) -> Window: ...
    def tape(self, symbol: str, venues: Among, since: Nanos, until: Nanos) -> Window: ...
    def ladders(
        self,
        symbol: str,
        venues: Among,
        since: Nanos,
        until: Nanos,
        *,
        every: str | None = None,
        most: int | None = None,
        levels: int = BOOK_LEVELS,
        lead: Nanos = 0,
    ) -> Window: ...
    def settlements(self, symbol: str, venues: Among, since: Nanos, until: Nanos) -> Window: ...
    def funding_comparison(self, symbol: str, venues: Among, since: Nanos, until: Nanos) -> Window: ...
    def liquidation_map(
        self,
        symbol: str,
        venues: Among,
        since: Nanos,
        until: Nanos,
        size: float | None = None,
        bins: int = 20,
        min_value: float = 0.0,
    ) -> Window: ...
    def liquidation_bars(
        self,
        symbol: str,
        venues: Among,
        length: str | None,
        since: Nanos,
        until: Nanos,
        min_value: float = 0.0,
    ) -> Window: ...
    def coverage_by_stream(
        self, streams: Sequence[str], symbol: str, venues: Among, since: Nanos, until: Nanos
    ) -> dict[str, dict[str, Coverage]]: ...
    def collected(
        self, stream: str, symbol: str, venues: Sequence[str], since: Nanos, until: Nanos
    ) -> dict[str, list[Stretch]]: ...
    def gaps(
        self,
        symbol: str | None = None,
        venue: Among = None,
        since: Nanos | None = None,
        until: Nanos | None = None,
        stream: str | None = None,
    ) -> Sequence[GapRow]: ...


class Hole(Protocol):
    """A stretch of a stream that was not received: a `Gap`, or the store's row of one."""

    @property
    def venue(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def stream(self) -> str: ...
    @property
    def from_ts(self) -> Nanos: ...
    @property
    def until_ts(self) -> Nanos | None: ...
    @property
    def reason(self) -> str: ...


class Gaps(Protocol):
    """The gaps that reach into a window; an open one's `until_ts` is None."""

    def __call__(self, *, since: Nanos | None = None, until: Nanos | None = None) -> Sequence[Hole]: ...


class Sql(Protocol):
    """Answers a statement that nobody vouches for; `store.sandbox.ask` says how."""

    def __call__(self, statement: str, limits: Limits | None = None, /) -> Found: ...


class Asker(Protocol):
    """Asks venues themselves, over REST; `jobs.asking.Venues` says how. From a thread beside the doors' loop."""

    def offered(self, question: str) -> Sequence[str]: ...
    def ask(self, asked: Sequence[tuple[str, Asked]], /) -> Sequence[Told | OrderflowError]: ...


class NoVenues:
    """Nobody can be asked, for a reason that the user is told."""

    def __init__(self, reason: str = "no venue can be asked from here") -> None:
        self.reason = reason

    def offered(self, question: str) -> Sequence[str]:
        return [name for name, one in venues.ALL.items() if one.asked(question)]

    def ask(self, asked: Sequence[tuple[str, Asked]], /) -> Sequence[Told | OrderflowError]:
        return [
            NoData(f"{venue}: {self.reason}", hint="start a collector: orderflow up") for venue, _ in asked
        ]


class Steered(Protocol):
    """What an order has changed, a sentence each, and how things stand now."""

    @property
    def changed(self) -> list[str]: ...
    @property
    def state(self) -> dict[str, Any]: ...
    @property
    def hint(self) -> str: ...


class Steering(Protocol):
    """Steers the collector of this process; `jobs.steering.Steering` says how. From a thread beside its loop."""

    def state(self) -> dict[str, Any]: ...
    def start(self, venues: Sequence[str]) -> Steered: ...
    def stop(self, venues: Sequence[str]) -> Steered: ...
    def configure(
        self, symbols: Sequence[str] | None, streams: Sequence[str] | None, flush_interval_s: float | None
    ) -> Steered: ...
    def backfill(
        self,
        venues: Sequence[str] | None,
        symbols: Sequence[str] | None,
        streams: Sequence[str] | None,
        window: tuple[Nanos, Nanos] | None,
    ) -> Task: ...
    def export(
        self,
        streams: Sequence[str],
        symbols: Sequence[str],
        venues: Sequence[str],
        window: tuple[Nanos | None, Nanos | None],
        format: Form,
    ) -> Task: ...
    def tasks(self) -> Sequence[Task]: ...
    def cancel(self, id: str) -> Task: ...


def _no_sql(statement: str, limits: Limits | None = None, /) -> Found:
    raise NoData("nothing is stored that could be asked", hint="system_health says what is collected")


def declared_fees(overrides: Mapping[str, float] | None = None) -> dict[str, float]:
    """Return each venue's taker fee in bps, as its form declares it unless overridden."""
    return {venue.name: venue.taker_fee_bps for venue in venues.ALL.values()} | dict(overrides or {})


def _no_instrument(venue: str, symbol: str) -> Instrument | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Context:
    """What every tool of one run is given; no tool's schema shows it.

    `health` returns a plain dict: `status` (healthy, degraded or unhealthy), `reasons`, `kind`,
    `venues` (id → `status`, `connected`, `age_ms`, `lag_ms`, `reconnects`, `gaps_last_hour`,
    `rows_per_s`, `rows`, `reason`), `store` and totals. What it leaves out is unknown.
    `stored` says that `latest` reads a file and nothing is being received. `history` is what is stored,
    where it can be asked, and `sql` asks it in others' words. `instrument` finds what a venue lists under a symbol, where that is known.
    `asker` asks the venues themselves. `steering` steers the collector, where one runs in this process, and
    `writes` says that tools may change what it collects.
    """

    latest: Latest
    gaps: Gaps
    health: Callable[[], dict[str, Any]]
    history: History | None = None
    sql: Sql = _no_sql
    clock: Callable[[], Nanos] = time.time_ns
    stored: bool = False
    fees: Mapping[str, float] = field(default_factory=declared_fees)
    instrument: Callable[[str, str], Instrument | None] = _no_instrument
    asker: Asker = field(default_factory=NoVenues)
    steering: Steering | None = None
    writes: bool = False

    def moment(self) -> Nanos:
        """Return the instant of an answer: now; in a replay, when its newest datum was received."""
        if self.latest.kind != "replay":
            return self.clock()
        newest = (*self.latest.quotes(None), *self.latest.tops(None))
        return max((event.ts_recv or event.ts_event or 0 for event in newest), default=self.clock())

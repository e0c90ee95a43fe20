"""What a tool may look at: the latest state, the health of the run, the clock, the declared fees."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from orderflow import venues
from orderflow.market.events import BookTop, Gap, Instrument, Nanos, Quote

RunKind: TypeAlias = Literal["live", "replay", "simulated"]


class Latest(Protocol):
    """The newest state of each series, and the gaps known so far."""

    @property
    def kind(self) -> RunKind: ...

    def quotes(self, symbol: str | None) -> Sequence[Quote]: ...

    def tops(self, symbol: str | None) -> Sequence[BookTop]: ...

    def symbols(self) -> Sequence[str]: ...

    def gaps(
        self, symbol: str | None, venue: str | None, since: Nanos | None, until: Nanos | None
    ) -> Sequence[Gap]: ...


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
    `instrument` finds what a venue lists under a symbol, where that is known.
    """

    latest: Latest
    health: Callable[[], dict[str, Any]]
    clock: Callable[[], Nanos] = time.time_ns
    fees: Mapping[str, float] = field(default_factory=declared_fees)
    instrument: Callable[[str, str], Instrument | None] = _no_instrument

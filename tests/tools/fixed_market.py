"""A small fixed market for the tests of tools and doors: two venues, two symbols, one clock."""

from collections.abc import Sequence
from typing import Any

from orderflow.market.events import MS, SECOND, BookTop, Gap, Instrument, Nanos, Quote
from orderflow.tools.context import Context

NOW: Nanos = 1_763_683_200 * SECOND  # 2025-11-21T00:00:00Z
FEES = {"binance_futures": 5.0, "binance_spot": 10.0, "bybit_spot": 10.0}


class FakeLatest:
    """What the store would know, as the test says it."""

    def __init__(
        self,
        quotes: Sequence[Quote] = (),
        tops: Sequence[BookTop] = (),
        gaps: Sequence[Gap] = (),
        kind: str | None = "simulated",
    ) -> None:
        self.kind: str | None = kind
        self.gaps = list(gaps)
        self._quotes, self._tops = quotes, tops

    def quotes(self, symbol: str | None) -> list[Quote]:
        return [one for one in self._quotes if symbol in (None, one.symbol)]

    def tops(self, symbol: str | None) -> list[BookTop]:
        return [one for one in self._tops if symbol in (None, one.symbol)]

    def symbols(self) -> list[str]:
        return sorted({one.symbol for one in (*self._quotes, *self._tops)})


def quote(
    venue: str,
    bid: float | None,
    ask: float | None,
    *,
    symbol: str = "BTCUSDT",
    age_ms: int = 100,
    size: float = 1.0,
) -> Quote:
    at = NOW - age_ms * MS
    return Quote(
        venue, symbol, at, at, bid, None if bid is None else size, ask, None if ask is None else size
    )


def top(
    venue: str,
    bids: Sequence[tuple[float, float]],
    asks: Sequence[tuple[float, float]],
    *,
    symbol: str = "BTCUSDT",
    age_ms: int = 100,
) -> BookTop:
    at = NOW - age_ms * MS
    flat: list[float | None] = []
    for side in (bids, asks):
        pairs = [number for level in side for number in level]
        flat += [*pairs, *[None] * (20 - len(pairs))]
    return BookTop(venue, symbol, at, at, tuple(flat), depth=min(len(bids), len(asks)))


def context(latest: FakeLatest | None = None, health: dict[str, Any] | None = None, **more: Any) -> Context:
    """Return the context of a healthy run: BTCUSDT on futures and spot, ETHUSDT on spot alone."""
    known = latest or FakeLatest(
        quotes=[
            quote("binance_futures", 100.0, 100.1),
            quote("binance_spot", 100.4, 100.5, age_ms=250),
            quote("binance_spot", 10.0, 10.1, symbol="ETHUSDT"),
        ],
        tops=[
            top("binance_futures", [(100.0, 2.0)], [(100.1, 1.0), (100.2, 2.0)]),
            top("binance_spot", [(100.4, 1.5), (100.3, 1.0)], [(100.5, 1.0)], age_ms=250),
        ],
    )
    return Context(
        latest=known,
        gaps=lambda *, since=None, until=None: known.gaps,
        health=lambda: HEALTHY if health is None else health,
        clock=lambda: NOW,
        fees=FEES,
        **more,
    )


HEALTHY: dict[str, Any] = {
    "status": "healthy",
    "reasons": [],
    "kind": "simulated",
    "venues": {
        "binance_futures": {
            "status": "healthy",
            "connected": True,
            "age_ms": 100.0,
            "reconnects": 0,
            "rows": 7,
        },
        "binance_spot": {"status": "healthy", "connected": True, "age_ms": 250.0, "reconnects": 1, "rows": 9},
    },
    "store": {"path": "market.duckdb", "rows": 16},
    "rows_per_s": 12.5,
}


def listed(native: str, quote: str, venue: str = "kraken_futures") -> Instrument:
    return Instrument(venue, "BTCUSDT", None, 0, native, "perpetual", "BTC", quote, "TRADING", True)

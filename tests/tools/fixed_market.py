"""A small fixed market for the tests of tools and doors: two venues, two symbols, one clock."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa

from orderflow.market.errors import OrderflowError
from orderflow.market.events import (
    HOUR,
    MINUTE,
    MS,
    SECOND,
    BookTop,
    Event,
    Funding,
    Gap,
    Instrument,
    MarkPrice,
    Nanos,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.store import runs, tables
from orderflow.store.reader import Reader
from orderflow.store.sandbox import Found
from orderflow.tools.context import Context
from orderflow.venues.questions import WHOLE, Asked, Told

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
        others: Sequence[Event] = (),
    ) -> None:
        self.kind: str | None = kind
        self.gaps = list(gaps)
        self._quotes, self._tops, self._others = quotes, tops, others

    @property
    def heard(self) -> bool:
        """Whether anything was received at all."""
        return bool(self._quotes or self._tops)

    def quotes(self, symbol: str | None) -> list[Quote]:
        return [one for one in self._quotes if symbol in (None, one.symbol)]

    def tops(self, symbol: str | None) -> list[BookTop]:
        return [one for one in self._tops if symbol in (None, one.symbol)]

    def marks(self, symbol: str | None) -> list[MarkPrice]:
        return self._of(MarkPrice, symbol)

    def fundings(self, symbol: str | None) -> list[Funding]:
        return self._of(Funding, symbol)

    def open_interests(self, symbol: str | None) -> list[OpenInterest]:
        return self._of(OpenInterest, symbol)

    def tickers(self, symbol: str | None) -> list[Ticker]:
        return self._of(Ticker, symbol)

    def recent_trades(self, symbol: str, venue: str | None = None) -> list[Trade]:
        return [one for one in self._of(Trade, symbol) if venue in (None, one.venue)]

    def _of(self, kind: type[Any], symbol: str | None) -> list[Any]:
        return [one for one in self._others if isinstance(one, kind) and symbol in (None, one.symbol)]

    def symbols(self) -> list[str]:
        return sorted({one.symbol for one in (*self._quotes, *self._tops)})


class FakeAsker:
    """Venues that answer what the test says: events, or an error, by venue and question; `asked` is what was asked."""

    def __init__(self, answers: Mapping[tuple[str, str], Sequence[Event] | OrderflowError]) -> None:
        self._answers = dict(answers)
        self.asked: list[tuple[str, Asked]] = []

    def offered(self, question: str) -> list[str]:
        return [venue for venue, one in self._answers if one == question]

    def ask(self, asked: Sequence[tuple[str, Asked]], /) -> list[Told | OrderflowError]:
        self.asked += asked
        return [self._answer(venue, one) for venue, one in asked]

    def _answer(self, venue: str, asked: Asked) -> Told | OrderflowError:
        known = self._answers.get((venue, asked.question))
        if known is None:
            known = self._answers[venue, WHOLE[asked.question]]
        if isinstance(known, OrderflowError):
            return known
        return Told(events=known, at=NOW, native=asked.about)


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


_LEVELS = [(side, rank, what) for side in ("bid", "ask") for rank in (1, 2, 3) for what in ("price", "qty")]


def _level(number: int, side: str, rank: int, what: str) -> str:
    """Return the SQL of one level of the book of a venue in minute m."""
    if what == "qty":
        return str(rank if side == "bid" else 2)
    return f"100.0 + m + {number} {'-' if side == 'bid' else '+'} {rank / 2}"


@lru_cache(maxsize=1)
def history() -> Reader:
    """Return what is stored: the hour before NOW on two futures venues, a row a minute and stream.

    Minute m (0 to 59) has a mid of 100 + m, a trade of 2 coins at it (even ones sold) on binance_futures
    and of 1 coin, 1 higher, on bybit_futures; funding of 0.0001 every hour on the one, of 0.0008 every
    eight on the other; a liquidated long of 3 coins in minute 30; a gap of a minute before NOW.

    Books stand 0.5 apart about the mid: bids of 1, 2 and 3 coins from 0.5 below it, asks of 2 coins
    each from 0.5 above.
    """
    connection = duckdb.connect()
    tables.create(connection, ["BTCUSDT", "ETHUSDT"])
    began = NOW - HOUR
    run = runs.begin(connection, "simulated", "fixed", started=began, ended=NOW)
    for number, venue in enumerate(("binance_futures", "bybit_futures")):
        known = f"'{venue}', 'BTCUSDT', m + 1, t, t"
        minutes = f"FROM (SELECT m, make_timestamp({began // 1000} + m * {MINUTE // 1000}) AS t FROM range(60) r(m))"
        first = "venue, symbol, id, timestamp, received"
        size, hours = (2.0, 1.0) if number == 0 else (1.0, 8.0)
        settles = NOW - HOUR // 2 if number == 0 else NOW + 7 * HOUR
        rate = 0.0001 if number == 0 else 0.0008
        for stream, columns, values in (
            (
                "prices",
                "mid_price, bid_price, ask_price, bid_qty, ask_qty",
                f"100.0 + m + {number}, 99.5 + m + {number}, 100.5 + m + {number}, 1, 1",
            ),
            (
                "trades",
                "trade_id, price, quantity, value, side, is_buyer_maker, count",
                f"m::VARCHAR, 100.0 + m + {number}, {size}, {size} * (100 + m + {number}), if(m % 2 = 0, 'sell', 'buy'), m % 2 = 0, 1",
            ),
            (
                "funding_rates",
                "funding_rate, interval_hours, annualized_pct, next_funding_time",
                f"{rate}, {hours}, {rate} * 8760 / {hours} * 100, make_timestamp({settles // 1000})",
            ),
            (
                "orderbooks",
                "depth, sequence, " + ", ".join(f"{side}_{rank}_{what}" for side, rank, what in _LEVELS),
                "3, m, " + ", ".join(_level(number, *one) for one in _LEVELS),
            ),
            ("open_interest", "open_interest, open_interest_usd, oi_change", "1000.0 + m, NULL, 1"),
        ):
            connection.execute(
                f"INSERT INTO {stream}_hot ({first}, clock, source, run, {columns})"
                f" SELECT {known}, 'venue', 'simulated', {run.id}, {values} {minutes}"
            )
    connection.execute(
        "INSERT INTO liquidations_hot (venue, symbol, id, timestamp, received, clock, source, run, side, price,"
        " quantity, value) SELECT 'binance_futures', 'BTCUSDT', 1, make_timestamp($1), make_timestamp($1),"
        " 'venue', 'simulated', $2, 'long', 130.0, 3.0, 390.0",
        [(began + 30 * MINUTE) // 1000, run.id],
    )
    connection.execute(
        "INSERT INTO gaps VALUES ('binance_futures', 'BTCUSDT', 'trades', make_timestamp(?), make_timestamp(?),"
        " 'disconnected', NULL, ?)",
        [(NOW - MINUTE) // 1000, NOW // 1000, run.id],
    )
    return Reader(connection)


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
    usual: dict[str, Any] = {
        "gaps": lambda *, since=None, until=None: known.gaps,
        "health": lambda: HEALTHY if health is None else health,
        "clock": lambda: NOW,
        "history": history() if known.heard else None,
        "sql": lambda statement, limits=None, /: FOUND,
        "fees": FEES,
    }
    return Context(latest=known, **usual | more)


FOUND = Found(pa.table({"venue": ["binance_futures", "binance_spot"], "trades": [3, 4]}), False, 0.25)

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

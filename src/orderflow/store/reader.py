"""Reader: typed questions to a database, here or through the process that serves it.

The one entrance: what a question means and how it is asked stands in a module for each kind of them.
Instants are UTC nanoseconds, windows are [since, until). `venues` is one, several, or None for all that
have rows. What answers with a `Window` raises `NoData` with the range that exists where nothing is found,
`UnknownSymbol` and `UnknownVenue` with the nearest. May be asked from several threads.
"""

import json
from collections.abc import Sequence
from typing import Any, Self, TypeVar

import duckdb
import numpy as np

from orderflow.market.errors import InvalidArgument
from orderflow.market.events import (
    BookTop,
    Event,
    Funding,
    MarkPrice,
    Nanos,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.instruments import Series, venue_id
from orderflow.market.streams import BOOK_LEVELS, KEPT, STREAMS
from orderflow.store import bars, cells, checking, columnar, coverage, ladders, payments, statistics, windows
from orderflow.store.answers import Coverage, GapRow, Listing, SeriesRows, Stretch, Trades
from orderflow.store.bar import bar
from orderflow.store.checking import Fault
from orderflow.store.identifiers import identifier
from orderflow.store.kept import Kept
from orderflow.store.layout import Layout
from orderflow.store.live import RECENT_TRADES
from orderflow.store.runs import RUN_COLUMNS, Run
from orderflow.store.session import Served, Session
from orderflow.store.statements import Parameter, checksum, event, event_columns, micros
from orderflow.store.thinning import Sparse, sparse
from orderflow.store.windows import Window

E = TypeVar("E", bound=Event)
Among = str | Sequence[str] | None  # one venue, several, or all

_ALL_TABLES = (*STREAMS, "gaps", "instruments", "runs")
_OF_TRADES = ["venue", "timestamp", "received", "trade_id", "price", "quantity", "is_buyer_maker"]


class Reader:
    """Questions to a database of ours: `connection` has it open, or reaches who serves it."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        served: Served | None = None,
        *,
        timeout_s: float | None = None,
    ) -> None:
        self._session = Session(connection, served, timeout_s)
        self._kept = Kept()

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def remote(self) -> bool:
        """Whether the answers come from the process that serves the database."""
        return self._session.remote

    @property
    def kind(self) -> str | None:
        """What the data is: simulated, live, replay or backfill; None where nothing ran yet."""
        return self._session.kind

    def symbols(self) -> list[str]:
        """Return the symbols that the database was laid out for, in alphabetical order."""
        return self._session.symbols()

    def series(self) -> list[SeriesRows]:
        """Return the series that have rows, by name."""
        found = self._session.rows(
            " UNION ALL ".join(
                f"SELECT venue::VARCHAR, symbol::VARCHAR, '{stream}', count(*),"
                f" epoch_us(min(timestamp)) * 1000, epoch_us(max(timestamp)) * 1000"
                f" FROM {identifier(stream)} GROUP BY ALL"
                for stream in STREAMS
            )
        )
        named = [
            SeriesRows(Series(symbol, venue, stream, False).name, venue, symbol, stream, *rest)
            for venue, symbol, stream, *rest in found
        ]
        return sorted(named, key=lambda one: one.name)

    def counts(self) -> dict[str, int]:
        """Return the rows of each table."""
        return dict(
            self._session.rows(
                " UNION ALL ".join(
                    f"SELECT '{table}', count(*) FROM {identifier(table)}" for table in _ALL_TABLES
                )
            )
        )

    def checksums(self) -> dict[str, str]:
        """Return a checksum of each table: the same for the same rows, in whatever order they lie."""
        return dict(self._session.rows(" UNION ALL ".join(map(checksum, _ALL_TABLES))))

    def quotes(self, symbol: str | None = None) -> list[Quote]:
        return self._latest(Quote, symbol)

    def tops(self, symbol: str | None = None) -> list[BookTop]:
        return self._latest(BookTop, symbol)

    def marks(self, symbol: str | None = None) -> list[MarkPrice]:
        return self._latest(MarkPrice, symbol)

    def fundings(self, symbol: str | None = None) -> list[Funding]:
        return self._latest(Funding, symbol)

    def open_interests(self, symbol: str | None = None) -> list[OpenInterest]:
        return self._latest(OpenInterest, symbol)

    def tickers(self, symbol: str | None = None) -> list[Ticker]:
        return self._latest(Ticker, symbol)

    def recent_trades(self, symbol: str, venue: str | None = None, limit: int = RECENT_TRADES) -> list[Trade]:
        """Return the last trades of a symbol, oldest first."""
        where, bound = self._session.where(symbol, venue)
        found = self._session.rows(
            f"SELECT {event_columns(KEPT[Trade])} FROM trades {where}"
            " ORDER BY received DESC, timestamp DESC, id DESC LIMIT ?",
            [*bound, limit],
        )
        return [event(Trade, row) for row in reversed(found)]

    # ── Windows ───────────────────────────────────────────────────────────────────────────────

    def trades(
        self,
        symbol: str,
        venue: str | None = None,
        *,
        since: Nanos | None = None,
        until: Nanos | None = None,
        limit: int | None = None,
    ) -> Trades:
        """Return the trades of a symbol as typed columns, oldest first; the last where there are more."""
        found, truncated = self._session.steadily(
            lambda: windows.select(
                self._session, "trades", self._session.symbol(symbol), venue, since, until, limit
            )
        )
        if not found.num_rows:
            raise windows.nothing(self._session, "trades", symbol, venue, since, until)
        kept = columnar.columns(found.select(_OF_TRADES))
        return Trades(
            list(kept["venue"]),
            np.asarray(kept["timestamp"]),
            np.asarray(kept["received"]),
            list(kept["trade_id"]),
            np.asarray(kept["price"]),
            np.asarray(kept["quantity"]),
            ~np.asarray(kept["is_buyer_maker"], dtype=np.bool_),
            truncated,
        )

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
    ) -> Window:
        """Return a stream's rows of a symbol, oldest first; the last ones where there are more than `limit`.

        `interval` picks among candles; `every` (a bar's length) leaves the last row of each bar;
        `side` and `min_value` pick among trades and liquidations.
        """
        conditions: list[tuple[str, Any]] = []
        if side is not None or min_value > 0:
            if stream not in ("trades", "liquidations"):
                raise InvalidArgument(
                    f"{stream} have neither side nor value", hint="trades and liquidations do"
                )
            conditions = [
                *([("side = ?", side)] if side else []),
                *([("value >= ?", min_value)] if min_value else []),
            ]
        return self._session.steadily(
            lambda: windows.window(
                self._session, stream, symbol, venues, since=since, until=until, limit=limit, interval=interval,
                every=None if every is None else bar(every), conditions=conditions,
            )
        )  # fmt: skip

    # ── Bars and statistics ───────────────────────────────────────────────────────────────────

    def bars(
        self,
        symbol: str,
        venues: Among,
        length: str,
        since: Nanos,
        until: Nanos,
        source: bars.Source = "auto",
    ) -> Window:
        """Return open, high, low, close and volumes, a row a bar and venue: see `store.bars`."""
        return self._session.steadily(
            lambda: bars.bars(self._session, symbol, venues, bar(length), since, until, source)
        )

    def percentiles(
        self,
        symbol: str,
        venues: Among,
        since: Nanos,
        until: Nanos,
        at: Sequence[float] = statistics.PERCENTILES,
        step: str = "1s",
        of: statistics.Of = "prices",
    ) -> Window:
        """Return the percentiles of the price, a row a venue: see `store.statistics`."""
        return self._session.steadily(
            lambda: statistics.percentiles(self._session, symbol, venues, since, until, at, step, of)
        )

    def volatility(
        self,
        symbol: str,
        venues: Among,
        since: Nanos,
        until: Nanos,
        step: str = "1m",
        of: statistics.Of = "prices",
    ) -> Window:
        """Return the realised volatility, a row a venue: see `store.statistics`."""
        return self._session.steadily(
            lambda: statistics.volatility(self._session, symbol, venues, since, until, step, of)
        )

    def flow(self, symbol: str, venues: Among, since: Nanos, until: Nanos) -> Window:
        """Return what was traded, by the taker's side, a row a venue: see `store.statistics`."""
        return self._session.steadily(lambda: statistics.flow(self._session, symbol, venues, since, until))

    def volume_by_price(
        self,
        symbol: str,
        venues: Among,
        since: Nanos,
        until: Nanos,
        size: float | None = None,
        bins: int = 50,
    ) -> Window:
        """Return what was traded at which prices, by the taker's side, a row a bin: see `store.statistics`."""
        return self._session.steadily(
            lambda: statistics.volume_by_price(self._session, symbol, venues, since, until, size, bins)
        )

    def price_context(
        self,
        symbol: str,
        venue: str,
        until: Nanos,
        look_backs: Sequence[str] = statistics.LOOK_BACKS,
        price: float | None = None,
        of: statistics.Of = "prices",
    ) -> Window:
        """Return where a price stands among those of several look-backs, a row each: see `store.statistics`."""
        return self._session.steadily(
            lambda: statistics.price_context(self._session, symbol, venue, until, look_backs, price, of)
        )

    # ── Order flow ────────────────────────────────────────────────────────────────────────────

    def cells(
        self, symbol: str, venues: Among, length: str, since: Nanos, until: Nanos, step: float
    ) -> Window:
        """Return what was traded by bar, level of price and taker's side: see `store.cells`."""
        return self._session.steadily(
            lambda: cells.cells(self._session, symbol, venues, bar(length), since, until, step, self._kept)
        )

    def flow_bars(self, symbol: str, venues: Among, length: str, since: Nanos, until: Nanos) -> Window:
        """Return bars of trades with the extremes of their running delta: see `store.cells`."""
        return self._session.steadily(
            lambda: cells.flow_bars(self._session, symbol, venues, bar(length), since, until, self._kept)
        )

    def tape(self, symbol: str, venues: Among, since: Nanos, until: Nanos) -> Window:
        """Return trades one by one, in order; more than can be read so are refused: see `store.cells`."""
        return self._session.steadily(lambda: cells.tape(self._session, symbol, venues, since, until))

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
    ) -> Window:
        """Return snapshots of order books, a row each, all or the last of each stretch: see `store.ladders`."""
        step = None if every is None else bar(every)
        return self._session.steadily(
            lambda: ladders.ladders(
                self._session, symbol, venues, since, until, every=step, most=most, levels=levels, lead=lead
            )
        )

    # ── Payments ──────────────────────────────────────────────────────────────────────────────

    def settlements(self, symbol: str, venues: Among, since: Nanos, until: Nanos) -> Window:
        """Return each funding settlement once, with the sum so far: see `store.payments`."""
        return self._session.steadily(
            lambda: payments.settlements(self._session, symbol, venues, since, until)
        )

    def funding_comparison(self, symbol: str, venues: Among, since: Nanos, until: Nanos) -> Window:
        """Return what funding came to and is announced at, a row a venue: see `store.payments`."""
        return self._session.steadily(
            lambda: payments.funding_comparison(self._session, symbol, venues, since, until)
        )

    def liquidation_map(
        self,
        symbol: str,
        venues: Among,
        since: Nanos,
        until: Nanos,
        size: float | None = None,
        bins: int = 20,
        min_value: float = 0.0,
    ) -> Window:
        """Return what was closed by force at which prices, by side, a row a bin: see `store.payments`."""
        return self._session.steadily(
            lambda: payments.liquidation_map(
                self._session, symbol, venues, since, until, size, bins, min_value
            )
        )

    def liquidation_bars(
        self,
        symbol: str,
        venues: Among,
        length: str | None,
        since: Nanos,
        until: Nanos,
        min_value: float = 0.0,
    ) -> Window:
        """Return what was closed by force when, by side, a row a bar and venue: see `store.payments`."""
        among = None if length is None else bar(length)
        return self._session.steadily(
            lambda: payments.liquidation_bars(self._session, symbol, venues, among, since, until, min_value)
        )

    # ── What is known of the rows ─────────────────────────────────────────────────────────────

    def gaps(
        self,
        symbol: str | None = None,
        venue: Among = None,
        since: Nanos | None = None,
        until: Nanos | None = None,
        stream: str | None = None,
    ) -> list[GapRow]:
        """Return the gaps that reach into a window, by their beginning."""
        return coverage.gaps(self._session, symbol, venue, since, until, stream)

    def coverage(self, stream: str, venue: str, symbol: str, since: Nanos, until: Nanos) -> Coverage:
        """Return what share of a window was collected, with the gaps in it: see `store.coverage`."""
        (found,) = self.coverages(stream, symbol, [venue], since, until).values()
        return found

    def coverages(
        self, stream: str, symbol: str, venues: Among, since: Nanos, until: Nanos
    ) -> dict[str, Coverage]:
        """Return the coverage of each venue; None are those that have the stream by their declaration."""
        return self.coverage_by_stream([stream], symbol, venues, since, until)[stream]

    def coverage_by_stream(
        self, streams: Sequence[str], symbol: str, venues: Among, since: Nanos, until: Nanos
    ) -> dict[str, dict[str, Coverage]]:
        """Return the coverage of several streams, by stream and venue: see `store.coverage`."""
        return self._session.steadily(
            lambda: coverage.coverages(self._session, streams, symbol, venues, since, until)
        )

    def collected(
        self, stream: str, symbol: str, venues: Sequence[str], since: Nanos, until: Nanos
    ) -> dict[str, list[Stretch]]:
        """Return the stretches of a window in which each venue's series was collected: see `store.coverage`."""
        asked = [venue_id(one) for one in venues]
        return self._session.steadily(
            lambda: coverage.collected(
                self._session, stream, self._session.symbol(symbol), asked, since, until
            )
        )

    def instruments(self, symbol: str | None = None, venue: str | None = None) -> list[Listing]:
        """Return what the venues listed when they were last read."""
        wanted = None if symbol is None else self._session.symbol(symbol)
        found = self._session.rows(
            "SELECT venue, symbol, native, kind, base, quote, status, trading, contract_size, tick, lot,"
            " min_notional, epoch_us(listed_since) * 1000, epoch_us(read_at) * 1000 FROM instruments"
            " WHERE symbol = coalesce(?, symbol) AND venue = coalesce(?, venue)"
            " QUALIFY row_number() OVER (PARTITION BY venue, symbol ORDER BY read_at DESC) = 1"
            " ORDER BY venue, symbol",
            [wanted, None if venue is None else venue_id(venue)],
        )
        return [Listing(*row) for row in found]

    def thinned(
        self,
        stream: str,
        symbol: str,
        venue: str | None = None,
        since: Nanos | None = None,
        until: Nanos | None = None,
    ) -> list[Sparse]:
        """Return where a window's rows were thinned with age: days, and how far apart what is left lies."""
        asked: list[tuple[str, Parameter]] = [
            ("symbol = ?", self._session.symbol(symbol)),
            ("venue = ?", None if venue is None else venue_id(venue)),
            ("last >= make_timestamp(?)", micros(since)),
            ("first < make_timestamp(?)", micros(until)),
        ]
        where = " AND ".join(sql for sql, value in asked if value is not None)
        found = self._session.rows(
            "SELECT venue, symbol, day, thinned_ms FROM archived WHERE stream = ? AND dropped IS NULL"
            f" AND thinned_ms IS NOT NULL AND {where} ORDER BY day, venue",
            [stream, *(value for _, value in asked if value is not None)],
        )
        return sparse(found)

    def about(self) -> dict[str, str]:
        """Return what the database says of itself: its schema, and when it was tidied last."""
        return dict(self._session.rows("SELECT key, value FROM about"))

    def faults(self, where: Layout, *, thorough: bool = False, running: bool = False) -> list[Fault]:
        """Return what is wrong with the database and its archive, which lies `where`: see `store.checking`."""
        return checking.faults(self._session, where, thorough=thorough, running=running)

    def runs(self) -> list[Run]:
        """Return all runs, oldest first."""
        found = self._session.rows(f"SELECT {RUN_COLUMNS} FROM runs ORDER BY id")
        return [Run(*row[:-1], settings=json.loads(row[-1])) for row in found]

    def last_times(self, stream: str) -> dict[tuple[str, str], Nanos]:
        """Return the time of the last row of each (venue, symbol) in a stream."""
        if stream not in STREAMS:
            raise InvalidArgument(f"unknown stream {stream[:40]!r}", hint=f"streams: {', '.join(STREAMS)}")
        found = self._session.rows(
            f"SELECT venue::VARCHAR, symbol::VARCHAR, epoch_us(max(timestamp)) * 1000"
            f" FROM {identifier(stream)} GROUP BY ALL"
        )
        return {(venue, symbol): last for venue, symbol, last in found}

    def rows(self, sql: str, bound: Sequence[Parameter] = ()) -> list[tuple[Any, ...]]:
        """Return what a query of ours finds; `?` is the place of a value, and of nothing else."""
        return self._session.rows(sql, bound)

    def source(self, stream: str, symbol: str | None = None, venues: Among = None) -> str:
        """Return what to select a stream's rows of a symbol and some venues from."""
        return self._session.source(stream, symbol, venues)

    def _latest(self, kind: type[E], symbol: str | None) -> list[E]:
        stream = KEPT[kind]
        where, bound = self._session.where(symbol)
        found = self._session.rows(
            f"WITH last AS (SELECT venue, symbol, max(timestamp) AS timestamp FROM {stream.name} {where}"
            f" GROUP BY ALL) SELECT {event_columns(stream)} FROM {stream.name}"
            " JOIN last USING (venue, symbol, timestamp)"
            " QUALIFY row_number() OVER (PARTITION BY venue, symbol ORDER BY id DESC) = 1"
            " ORDER BY venue::VARCHAR, symbol::VARCHAR",
            bound,
        )
        return [event(kind, row) for row in found]

"""Reader: typed questions to a database, here or through the process that serves it.

Each question is one statement, sent whole: with a service it runs there, and only its answer travels.
Values are bound; where a service takes no parameters they are written as literals, in `render` alone.
Instants are UTC nanoseconds, windows are [since, until). May be asked from several threads.
"""

import json
from collections.abc import Sequence
from typing import Any, Self, TypeVar

import duckdb
import numpy as np

from orderflow.market.errors import Disconnected, InvalidArgument, NoData, StoreUnusable
from orderflow.market.events import (
    HOUR,
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
from orderflow.market.instruments import MARKETS, Series, venue_id
from orderflow.market.streams import KEPT, STREAMS
from orderflow.store import columnar
from orderflow.store.answers import (
    Coverage,
    GapRow,
    Listing,
    SeriesRows,
    Stretch,
    Table,
    Trades,
    at,
    covered,
    resolve,
)
from orderflow.store.identifiers import identifier
from orderflow.store.live import RECENT_TRADES
from orderflow.store.runs import RUN_COLUMNS, Run
from orderflow.store.statements import Parameter, checksum, event, event_columns, micros, render
from orderflow.store.tables import columns
from orderflow.store.thinning import Sparse, sparse

E = TypeVar("E", bound=Event)

_ALL_TABLES = (*STREAMS, "gaps", "instruments", "runs")
_GAP_COLUMNS = (
    'venue, symbol, stream, epoch_us("from") * 1000, epoch_us("until") * 1000, reason,'
    " epoch_us(filled_at) * 1000, run"
)


class Reader:
    """Questions to a database of ours: `connection` has it open, or attached over Quack as `catalog`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: str = "") -> None:
        self._connection = connection
        self._catalog = catalog

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def remote(self) -> bool:
        """Whether the answers come from the process that serves the database."""
        return bool(self._catalog)

    @property
    def kind(self) -> str | None:
        """What the data is: simulated, live, replay or backfill; None where nothing ran yet.

        A database that was collected live and filled up by replays and backfills is live.
        """
        kinds = {kind for (kind,) in self._rows("SELECT DISTINCT kind FROM runs")}
        return next((one for one in ("simulated", "live", "replay", "backfill") if one in kinds), None)

    def symbols(self) -> list[str]:
        """Return the symbols that the database was laid out for, in alphabetical order."""
        ((found,),) = self._rows("SELECT enum_range((SELECT symbol FROM prices LIMIT 0))")
        return sorted(found)

    def series(self) -> list[SeriesRows]:
        """Return the series that have rows, by name."""
        found = self._rows(
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
        return dict(self._each("count(*)"))

    def checksums(self) -> dict[str, str]:
        """Return a checksum of each table: the same for the same rows, in whatever order they lie."""
        return dict(self._rows(" UNION ALL ".join(map(checksum, _ALL_TABLES))))

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
        where, bound = self._where(symbol, venue, None, None)
        found = self._rows(
            f"SELECT {event_columns(KEPT[Trade])} FROM trades {where}"
            " ORDER BY received DESC, timestamp DESC, id DESC LIMIT ?",
            [*bound, limit],
        )
        return [event(Trade, row) for row in reversed(found)]

    def trades(
        self,
        symbol: str,
        venue: str | None = None,
        *,
        since: Nanos | None = None,
        until: Nanos | None = None,
        limit: int | None = None,
    ) -> Trades:
        """Return the trades of a symbol, oldest first; the last ones where there are more than `limit`."""
        names = "venue, timestamp, received, trade_id, price, quantity, NOT is_buyer_maker AS is_buy"
        found = self._window("trades", names, symbol, venue, since, until, limit)
        kept = found.columns
        is_buy = np.asarray(kept["is_buy"], dtype=np.bool_)
        return Trades(
            list(kept["venue"]),
            np.asarray(kept["timestamp"]),
            np.asarray(kept["received"]),
            list(kept["trade_id"]),
            np.asarray(kept["price"]),
            np.asarray(kept["quantity"]),
            is_buy,
            found.truncated,
        )

    def window(
        self,
        stream: str,
        symbol: str,
        venue: str | None = None,
        *,
        since: Nanos | None = None,
        until: Nanos | None = None,
        limit: int | None = None,
        interval: str | None = None,
    ) -> Table:
        """Return a stream's rows of a symbol, oldest first; `interval` picks among candles.

        Raises `NoData` with the range that exists, `UnknownSymbol`, `UnknownVenue`.
        """
        if stream not in STREAMS:
            raise InvalidArgument(f"unknown stream {stream[:40]!r}", hint=f"streams: {', '.join(STREAMS)}")
        if interval is not None and stream != "candles":
            raise InvalidArgument(f"{stream} have no interval", hint="only candles do")
        names = ", ".join(identifier(one.name) for one in columns(STREAMS[stream]))
        return self._window(stream, names, symbol, venue, since, until, limit, interval)

    def candles(self, symbol: str, venue: str | None = None, interval: str = "1m", **window: Any) -> Table:
        return self.window("candles", symbol, venue, interval=interval, **window)

    def funding(self, symbol: str, venue: str | None = None, **window: Any) -> Table:
        return self.window("funding_rates", symbol, venue, **window)

    def open_interest(self, symbol: str, venue: str | None = None, **window: Any) -> Table:
        return self.window("open_interest", symbol, venue, **window)

    def mark_prices(self, symbol: str, venue: str | None = None, **window: Any) -> Table:
        return self.window("mark_prices", symbol, venue, **window)

    def gaps(
        self,
        symbol: str | None = None,
        venue: str | None = None,
        since: Nanos | None = None,
        until: Nanos | None = None,
        stream: str | None = None,
    ) -> list[GapRow]:
        """Return the gaps that reach into a window, by their beginning."""
        asked: list[tuple[str, Parameter]] = [
            ("symbol = ?", None if symbol is None else self._symbol(symbol)),
            ("venue = ?", None if venue is None else venue_id(venue)),
            ("stream = ?", stream),
            ('("until" IS NULL OR "until" > make_timestamp(?))', micros(since)),
            ('"from" < make_timestamp(?)', micros(until)),
        ]
        where = " AND ".join(["true", *(sql for sql, value in asked if value is not None)])
        found = self._rows(
            f'SELECT {_GAP_COLUMNS} FROM gaps WHERE {where} ORDER BY "from", venue, symbol, stream',
            [value for _, value in asked if value is not None],
        )
        return [GapRow(*row) for row in found]

    def coverage(self, stream: str, venue: str, symbol: str, since: Nanos, until: Nanos) -> Coverage:
        """Return what share of a window was collected, with the gaps in it.

        Collected is what lies inside a run that heard this market on any stream (a quiet stream of a
        market that was heard is no hole), or between the rows of a backfill, and in no unfilled gap.
        """
        if stream not in STREAMS or since >= until:
            raise InvalidArgument(f"no window of {stream[:40]!r} from {since} to {until}")
        venue, symbol = venue_id(venue), self._symbol(symbol)
        missing = [one for one in self.gaps(symbol, venue, since, until, stream) if one.filled_ts is None]
        where, bound = self._where(symbol, venue, since, until)
        first, last = self._rows(
            f"SELECT epoch_us(min(timestamp)) * 1000, epoch_us(max(timestamp)) * 1000"
            f" FROM {identifier(stream)} {where}",
            bound,
        )[0]
        heard = self._heard(stream, venue, symbol, since, until)
        share = covered(since, until, heard, [(one.from_ts, one.until_ts or until) for one in missing])
        if not share:
            reason = f"nothing of {symbol} on {venue} was collected from {at(since)} to {at(until)}"
            return Coverage(None, missing, first, last, reason)
        return Coverage(100 * share / (until - since), missing, first, last)

    def instruments(self, symbol: str | None = None, venue: str | None = None) -> list[Listing]:
        """Return what the venues listed when they were last read."""
        wanted = None if symbol is None else self._symbol(symbol)
        found = self._rows(
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
            ("symbol = ?", self._symbol(symbol)),
            ("venue = ?", None if venue is None else venue_id(venue)),
            ("last >= make_timestamp(?)", micros(since)),
            ("first < make_timestamp(?)", micros(until)),
        ]
        where = " AND ".join(sql for sql, value in asked if value is not None)
        found = self._rows(
            "SELECT venue, symbol, day, thinned_ms FROM archived WHERE stream = ? AND dropped IS NULL"
            f" AND thinned_ms IS NOT NULL AND {where} ORDER BY day, venue",
            [stream, *(value for _, value in asked if value is not None)],
        )
        return sparse(found)

    def runs(self) -> list[Run]:
        """Return all runs, oldest first."""
        found = self._rows(f"SELECT {RUN_COLUMNS} FROM runs ORDER BY id")
        return [Run(*row[:-1], settings=json.loads(row[-1])) for row in found]

    def last_times(self, stream: str) -> dict[tuple[str, str], Nanos]:
        """Return the time of the last row of each (venue, symbol) in a stream."""
        if stream not in STREAMS:
            raise InvalidArgument(f"unknown stream {stream[:40]!r}", hint=f"streams: {', '.join(STREAMS)}")
        found = self._rows(
            f"SELECT venue::VARCHAR, symbol::VARCHAR, epoch_us(max(timestamp)) * 1000"
            f" FROM {identifier(stream)} GROUP BY ALL"
        )
        return {(venue, symbol): last for venue, symbol, last in found}

    def _latest(self, kind: type[E], symbol: str | None) -> list[E]:
        stream = KEPT[kind]
        where, bound = self._where(symbol, None, None, None)
        found = self._rows(
            f"WITH last AS (SELECT venue, symbol, max(timestamp) AS timestamp FROM {stream.name} {where}"
            f" GROUP BY ALL) SELECT {event_columns(stream)} FROM {stream.name}"
            " JOIN last USING (venue, symbol, timestamp)"
            " QUALIFY row_number() OVER (PARTITION BY venue, symbol ORDER BY id DESC) = 1"
            " ORDER BY venue::VARCHAR, symbol::VARCHAR",
            bound,
        )
        return [event(kind, row) for row in found]

    def _window(
        self,
        stream: str,
        names: str,
        symbol: str,
        venue: str | None,
        since: Nanos | None,
        until: Nanos | None,
        limit: int | None,
        interval: str | None = None,
    ) -> Table:
        where, bound = self._where(symbol, venue, since, until)
        if interval is not None:
            where, bound = f"{where} AND interval = ?", [*bound, interval]
        # one row more than asked tells that there are more; the last ones are found first, then turned
        cut = "" if limit is None else f"LIMIT {int(limit) + 1}"
        order = "ASC" if limit is None else "DESC"
        found = self._ask(
            f"SELECT {names} FROM {stream} {where}"
            f" ORDER BY timestamp {order}, venue {order}, id {order} {cut}",
            bound,
            columnar.table,
        )
        truncated = limit is not None and len(found) > limit
        table = columnar.turned(found, limit) if limit is not None else found
        if not len(table):
            raise self._nothing(stream, symbol, venue, interval)
        return Table(table.columns, truncated)

    def _nothing(self, stream: str, symbol: str, venue: str | None, interval: str | None) -> NoData:
        where, bound = self._where(symbol, venue, None, None)
        first, last = self._rows(
            f"SELECT epoch_us(min(timestamp)) * 1000, epoch_us(max(timestamp)) * 1000 FROM {stream} {where}",
            bound,
        )[0]
        what = f"{stream} of {self._symbol(symbol)}" + (f" on {venue}" if venue else "")
        if interval is not None:
            what = f"{interval} {what}"
        hint = (
            "none at all are stored" if first is None else f"stored are rows from {at(first)} to {at(last)}"
        )
        return NoData(f"no {what} in this window", hint=hint)

    def _heard(self, stream: str, venue: str, symbol: str, since: Nanos, until: Nanos) -> list[Stretch]:
        """Return the stretches in which runs heard this market, as far as rows within an hour tell."""
        where, bound = self._where(symbol, venue, since - HOUR, until + HOUR)
        parts = [
            f"SELECT run, max(received) AS last FROM {one} {where} GROUP BY run"
            for one in MARKETS[venue].streams
        ]
        found = self._rows(
            f"WITH heard AS ({' UNION ALL '.join(parts)})"
            " SELECT epoch_us(any_value(started)) * 1000,"
            " epoch_us(coalesce(any_value(ended), max(last))) * 1000"
            " FROM heard JOIN runs ON id = run WHERE kind <> 'backfill' GROUP BY id"
            " UNION ALL"
            f" SELECT epoch_us(min(timestamp)) * 1000, epoch_us(max(timestamp)) * 1000 FROM {stream}"
            " WHERE venue = ? AND symbol = ? AND run IN (SELECT id FROM runs WHERE kind = 'backfill')"
            " GROUP BY run",
            [*bound * len(parts), venue, symbol],
        )
        return [(first, last + 1000) for first, last in found]  # the last instant is part of it

    def _symbol(self, symbol: str) -> str:
        return resolve(symbol, self.symbols())

    def _where(
        self, symbol: str | None, venue: str | None, since: Nanos | None, until: Nanos | None
    ) -> tuple[str, list[Parameter]]:
        asked: list[tuple[str, Parameter]] = [
            ("symbol = ?", None if symbol is None else self._symbol(symbol)),
            ("venue = ?", None if venue is None else venue_id(venue)),
            ("timestamp >= make_timestamp(?)", micros(since)),
            ("timestamp < make_timestamp(?)", micros(until)),
        ]
        parts = [sql for sql, value in asked if value is not None]
        return f"WHERE {' AND '.join(['true', *parts])}", [value for _, value in asked if value is not None]

    def _each(self, what: str) -> list[tuple[Any, ...]]:
        return self._rows(
            " UNION ALL ".join(f"SELECT '{table}', {what} FROM {identifier(table)}" for table in _ALL_TABLES)
        )

    def _rows(self, sql: str, bound: Sequence[Parameter] = ()) -> list[tuple[Any, ...]]:
        return self._ask(sql, bound, duckdb.DuckDBPyConnection.fetchall)

    def _ask(self, sql: str, bound: Sequence[Parameter], fetch: Any) -> Any:
        with self._connection.cursor() as cursor:
            try:
                if self._catalog:
                    whole = render(sql, bound)
                    return fetch(cursor.execute("FROM quack_query_by_name(?, ?)", [self._catalog, whole]))
                return fetch(cursor.execute(sql, list(bound)))
            except duckdb.IOException as error:
                said = str(error).splitlines()[0]
                if self._catalog:
                    raise Disconnected(f"the process that serves the database is gone: {said}") from error
                raise StoreUnusable(f"the database cannot be read: {said}") from error

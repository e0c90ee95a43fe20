"""Session: how a statement reaches a database, here or in the process that serves it, and what it is about.

Each statement is sent whole: with a service it runs there, and only its answer travels. Values are bound;
where a service takes no parameters they are written as literals, in `render` alone.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from orderflow.market.errors import Disconnected, InvalidArgument, StoreUnusable
from orderflow.market.events import Nanos
from orderflow.market.instruments import MARKETS, Series, venue_id
from orderflow.market.streams import STREAMS
from orderflow.store.answers import resolve
from orderflow.store.identifiers import identifier
from orderflow.store.statements import Parameter, micros, render

_KINDS = ("simulated", "live", "replay", "backfill")  # the first that a database has is what it is


class Served(NamedTuple):
    """Where another process serves a database over Quack, and the token that it asks for."""

    uri: str
    token: str


class Session:
    """Statements to a database: `connection` has it open, or sends them to the process that serves it.

    A served database is not attached: the server would keep what an attachment was told of the catalogue,
    about 1 MB a symbol, until the client detaches, and a client that is killed does not.

    May be used from several threads: each statement has a cursor of its own.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, served: Served | None = None) -> None:
        self._connection = connection
        self._served = served
        self._views: set[str] = set()
        self._symbols: set[str] = set()

    def close(self) -> None:
        self._connection.close()

    @property
    def remote(self) -> bool:
        """Whether the answers come from the process that serves the database."""
        return self._served is not None

    def rows(self, sql: str, bound: Sequence[Parameter] = ()) -> list[tuple[Any, ...]]:
        return self.ask(sql, bound, duckdb.DuckDBPyConnection.fetchall)

    def arrow(self, sql: str, bound: Sequence[Parameter] = ()) -> pa.Table:
        return self.ask(sql, bound, duckdb.DuckDBPyConnection.to_arrow_table)

    def ask(self, sql: str, bound: Sequence[Parameter], fetch: Any) -> Any:
        """Run a statement and return what `fetch` makes of it; raise from the errors' tree."""
        with self._connection.cursor() as cursor:
            try:
                if self._served is not None:
                    asked = [self._served.uri, render(sql, bound), self._served.token]
                    return fetch(cursor.execute("FROM quack_query(?, ?, token => ?)", asked))
                return fetch(cursor.execute(sql, list(bound)))
            except duckdb.IOException as error:
                said = str(error).splitlines()[0]
                if self._served is not None:
                    raise Disconnected(f"the process that serves the database is gone: {said}") from error
                raise StoreUnusable(f"the database cannot be read: {said}") from error

    # ── What a statement is about ─────────────────────────────────────────────────────────────

    @property
    def kind(self) -> str | None:
        """What the data is: simulated, live, replay or backfill; None where nothing ran yet.

        A database that was collected live and filled up by replays and backfills is live.
        """
        kinds = {kind for (kind,) in self.rows("SELECT DISTINCT kind FROM runs")}
        return next((one for one in _KINDS if one in kinds), None)

    def symbols(self) -> list[str]:
        """Return the symbols that the database was laid out for, in alphabetical order."""
        ((found,),) = self.rows("SELECT enum_range((SELECT symbol FROM prices LIMIT 0))")
        return sorted(found)

    def symbol(self, asked: str) -> str:
        """Return a symbol as the database has it; raise `UnknownSymbol` with the nearest."""
        if asked not in self._symbols:  # one that is there once stays
            self._symbols = set(self.symbols())
        return asked if asked in self._symbols else resolve(asked, sorted(self._symbols))

    def source(
        self, stream: str, symbol: str | None = None, venues: str | Sequence[str] | None = None
    ) -> str:
        """Return what to select a stream's rows of a symbol and some venues from, `where` them.

        The named views of the series, where there are, so that no other series' archive is looked into.
        Raises `InvalidArgument` for an unknown stream.
        """
        if stream not in STREAMS:
            raise InvalidArgument(f"unknown stream {stream[:40]!r}", hint=f"streams: {', '.join(STREAMS)}")
        if symbol is None:
            return identifier(stream)
        asked = venue_ids(venues) or list(MARKETS)
        names = [
            Series(self.symbol(symbol), venue, stream, False).name
            for venue in asked
            if stream in MARKETS[venue].streams
        ]
        if not names or not self._has_views(names):
            return identifier(stream)
        return f"({' UNION ALL '.join(f'SELECT * FROM {identifier(name)}' for name in names)})"

    def _has_views(self, names: Sequence[str]) -> bool:
        """Tell whether all of these series have a view; one that is there once stays."""
        if unsure := [name for name in names if name not in self._views]:
            found = self.rows(
                f"SELECT view_name FROM duckdb_views() WHERE view_name IN ({', '.join('?' * len(unsure))})",
                unsure,
            )
            self._views |= {name for (name,) in found}
        return self._views.issuperset(names)

    def where(
        self,
        symbol: str | None = None,
        venues: str | Sequence[str] | None = None,
        since: Nanos | None = None,
        until: Nanos | None = None,
    ) -> tuple[str, list[Parameter]]:
        """Return the condition for the rows of a symbol, of some venues, in a window, and its values.

        No venues, or None, are all of them. Raises `UnknownSymbol`, `UnknownVenue`.
        """
        parts, bound = ["true"], list[Parameter]()
        if symbol is not None:
            parts.append("symbol = ?")
            bound.append(self.symbol(symbol))
        if wanted := venue_ids(venues):
            parts.append(f"venue IN ({', '.join('?' * len(wanted))})")
            bound += wanted
        if since is not None:
            parts.append("timestamp >= make_timestamp(?)")
            bound.append(micros(since))
        if until is not None:
            parts.append("timestamp < make_timestamp(?)")
            bound.append(micros(until))
        return f"WHERE {' AND '.join(parts)}", bound


def venue_ids(venues: str | Sequence[str] | None) -> list[str]:
    """Return the ids of venues from any names of theirs, each once; of none, or None, an empty list.

    >>> venue_ids("gateio"), venue_ids(["binance", "binance_futures"]), venue_ids(None)
    (['gate_futures'], ['binance_futures'], [])
    """
    asked = [venues] if isinstance(venues, str) else list(venues or ())
    return list(dict.fromkeys(venue_id(one) for one in asked))

"""Session: how a statement reaches a database, here or in the process that serves it, and what it is about.

Each statement is sent whole: with a service it runs there, and only its answer travels. Values are bound;
where a service takes no parameters they are written as literals, in `render` alone.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import duckdb
import pyarrow as pa

from orderflow.market.errors import Disconnected, InvalidArgument, NoData, StoreUnusable, TimedOut
from orderflow.market.events import Nanos
from orderflow.market.instruments import MARKETS, Series, venue_id
from orderflow.market.streams import STREAMS
from orderflow.store import layout
from orderflow.store.answers import resolve
from orderflow.store.identifiers import identifier
from orderflow.store.statements import Parameter, micros, render
from orderflow.store.turns import Turns

T = TypeVar("T")

_EDITION = "SELECT count(*), max(written) FROM archived"
_KINDS = ("simulated", "live", "replay", "backfill")  # the first that a database has is what it is
_SETTLED = ("simulated", "live")  # what it has once been it stays: the two are never mixed


class Served(NamedTuple):
    """Where another process serves a database over Quack, the token that it asks for, and whose turn it is."""

    uri: str
    token: str
    turns: Turns | None = None  # None: of a process on another machine

    def asked(self, sql: str) -> list[str]:
        """Return the parameters of `FROM quack_query(?, ?, token => ?)`, as soon as it is a reader's turn."""
        if self.turns is not None:
            self.turns.wait()
        return [self.uri, sql, self.token]

    def close(self) -> None:
        if self.turns is not None:
            self.turns.close()


class _Archive(NamedTuple):
    """How far the archive reaches, by stream and symbol; `edition` is another with every day that goes there."""

    edition: tuple[Any, ...] = ()
    last: dict[tuple[str, str], Nanos] = {}  # noqa: RUF012 - never written to


class _Asking(threading.local):
    """What one thread's question goes by: the archive, and whether an answer depends on how far it reaches."""

    archive: _Archive | None = None
    hot_alone = False


class Session:
    """Statements to a database: `connection` has it open, or sends them to the process that serves it.

    A served database is not attached: the server would keep what an attachment was told of the catalogue,
    about 1 MB a symbol, until the client detaches, and a client that is killed does not.

    May be used from several threads: each statement has a cursor of its own. One that takes longer than
    `timeout_s` is given up (`TimedOut`).
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        served: Served | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self._connection = connection
        self._served = served
        self._timeout_s = timeout_s
        self._lake = served is None and layout.of(connection).lake
        self._views: set[str] = set()
        self._symbols: set[str] = set()
        self._archives: bool | None = None
        self._kind: str | None = None
        self._known: _Archive | None = None
        self._asking = _Asking()

    def close(self) -> None:
        self._connection.close()
        if self._served is not None:
            self._served.close()

    @property
    def remote(self) -> bool:
        """Whether the answers come from the process that serves the database."""
        return self._served is not None

    def rows(self, sql: str, bound: Sequence[Parameter] = ()) -> list[tuple[Any, ...]]:
        return self.ask(sql, bound, duckdb.DuckDBPyConnection.fetchall)

    def arrow(self, sql: str, bound: Sequence[Parameter] = ()) -> pa.Table:
        return self.ask(sql, bound, duckdb.DuckDBPyConnection.to_arrow_table)

    def ask(self, sql: str, bound: Sequence[Parameter], fetch: Any, *, order: str = "") -> Any:
        """Run a statement and return what `fetch` makes of it; raise from the errors' tree.

        By `order` rows are sorted in this process, not in the one that serves the database.
        """
        sort = f" ORDER BY {order}" if order else ""
        with self._connection.cursor() as cursor, self._limited(cursor):
            try:
                if self._served is not None:
                    asked = self._served.asked(render(sql, bound))
                    return fetch(cursor.execute(f"FROM quack_query(?, ?, token => ?){sort}", asked))
                return fetch(cursor.execute(sql + sort, list(bound)))
            except duckdb.IOException as error:
                said = str(error).splitlines()[0]
                if self._served is not None:
                    raise Disconnected(f"the process that serves the database is gone: {said}") from error
                raise StoreUnusable(f"the database cannot be read: {said}") from error
            except (duckdb.ConversionException, duckdb.OutOfRangeException) as error:
                raise InvalidArgument(
                    "a number of the question is too large or too small for what is stored",
                    hint="sizes and steps are near the prices' own",
                ) from error
            except duckdb.InterruptException as error:
                raise TimedOut(
                    f"the question took longer than {self._timeout_s or 0:g} s",
                    hint="a shorter window, fewer venues, or longer bars",
                ) from error

    @contextmanager
    def _limited(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Have a statement interrupted that takes longer than it may."""
        if self._timeout_s is None:
            yield
            return
        limit = threading.Timer(self._timeout_s, cursor.interrupt)
        limit.daemon = True
        limit.start()
        try:
            yield
        finally:
            limit.cancel()

    # ── What a statement is about ─────────────────────────────────────────────────────────────

    @property
    def kind(self) -> str | None:
        """What the data is: simulated, live, replay or backfill; None where nothing ran yet.

        A database that was collected live and filled up by replays and backfills is live.
        """
        if self._kind not in _SETTLED:
            kinds = {kind for (kind,) in self.rows("SELECT DISTINCT kind FROM runs")}
            self._kind = next((one for one in _KINDS if one in kinds), None)
        return self._kind

    def symbols(self) -> list[str]:
        """Return the symbols that the database was laid out for, in alphabetical order."""
        if self._lake:
            found = self.rows("SELECT DISTINCT value FROM about WHERE key = 'symbol' ORDER BY 1")
            return [symbol for (symbol,) in found]
        ((found,),) = self.rows("SELECT enum_range((SELECT symbol FROM prices LIMIT 0))")
        return sorted(found)

    def symbol(self, asked: str) -> str:
        """Return a symbol as the database has it; raise `UnknownSymbol` with the nearest."""
        if asked not in self._symbols:  # one that is there once stays
            self._symbols = set(self.symbols())
        return asked if asked in self._symbols else resolve(asked, sorted(self._symbols))

    def source(
        self,
        stream: str,
        symbol: str | None = None,
        venues: str | Sequence[str] | None = None,
        since: Nanos | None = None,
    ) -> str:
        """Return what to select a stream's rows of a symbol and some venues from, `where` them, since a time.

        The hot table, scanned once, where nothing of the window is archived; else the named views of the
        series, so that no other series' archive is looked into. Ask within `steadily`.
        Raises `InvalidArgument` for an unknown stream.
        """
        if stream not in STREAMS:
            raise InvalidArgument(f"unknown stream {stream[:40]!r}", hint=f"streams: {', '.join(STREAMS)}")
        if symbol is None or self._lake:  # in a lake the views are of one table, in which rows are found
            return identifier(stream)
        symbol = self.symbol(symbol)
        if not self.has_archive():
            return identifier(stream)
        archive = self._asking.archive
        if archive is not None and since is not None and archive.last.get((stream, symbol), 0) < since:
            self._asking.hot_alone = True
            return identifier(f"{stream}_hot")
        names = [
            Series(symbol, venue, stream, False).name
            for venue in venue_ids(venues) or MARKETS
            if stream in MARKETS[venue].streams
        ]
        if not names or not self._has_views(names):
            return identifier(stream)
        return f"({' UNION ALL '.join(f'SELECT * FROM {identifier(name)}' for name in names)})"

    def steadily(self, question: Callable[[], T]) -> T:
        """Ask what takes several statements; again, where rows were archived in the midst of it.

        That a window lies in the hot table alone was known before it is read. Where that has changed, the
        named views are asked, which need no such knowledge.
        """
        if not self.has_archive():
            return question()
        asking = self._asking
        asking.archive, asking.hot_alone = self._known or self._read_archive(), False
        try:
            found = question()
        except NoData:
            if self.still():
                raise
        else:
            if self.still():
                return found
        finally:
            asking.archive = None
        self._known = None
        return question()

    def still(self) -> bool:
        """Tell whether the archive is as it was when the question was begun, as far as that matters."""
        asking = self._asking
        if not asking.hot_alone or asking.archive is None:
            return True
        return self.rows(_EDITION)[0] == asking.archive.edition

    def has_archive(self) -> bool:
        """Tell whether closed days go into files of their own, as `archived` lists them."""
        if self._archives is None:
            asked = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'archived'"
            self._archives = bool(self.rows(asked)[0][0])
        return self._archives

    def _read_archive(self) -> _Archive:
        edition = self.rows(_EDITION)[0]  # first: what comes after it is noticed
        last = self.rows("SELECT stream, symbol, epoch_us(max(last)) * 1000 FROM archived GROUP BY ALL")
        self._known = _Archive(edition, {(stream, symbol): newest for stream, symbol, newest in last})
        return self._known

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

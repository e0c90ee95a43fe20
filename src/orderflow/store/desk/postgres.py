"""PostgreSQL: connections to a desk's, what it says of itself in our words, and its questions answered from it."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, LiteralString, TypeAlias, cast
from urllib.parse import urlsplit, urlunsplit

from orderflow.market.errors import (
    Disconnected,
    InvalidArgument,
    OrderflowError,
    Retry,
    StoreUnusable,
)
from orderflow.market.events import Nanos
from orderflow.store.desk import answers, questions, rows, schema
from orderflow.store.desk.questions import Asked, Bound, Filters, Statement
from orderflow.store.desk.results import Answer

if TYPE_CHECKING:
    import psycopg

Holdings: TypeAlias = dict[tuple[str, str, str], int]  # (table, exchange, symbol) → rows

ANSWER_WITHIN_MS = 10_000
CONNECT_WITHIN_S = 5
IDLE = 4  # connections that are kept for the next question


class Overdue(Retry):
    """A question that took longer than questions may."""

    code = "timeout"


def driver() -> Any:
    """Return psycopg, or raise `StoreUnusable` naming the extra that brings it."""
    try:
        return import_module("psycopg")
    except ImportError as error:
        raise StoreUnusable(
            f"PostgreSQL needs psycopg, which cannot be used: {error}",
            hint="pip install 'crypto-orderflow[postgres]'",
        ) from error


def checked(url: str) -> str:
    """Return the address of a PostgreSQL, or raise `InvalidArgument`, which does not show it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("postgresql", "postgres") and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidArgument(
            "the address is not one of PostgreSQL",
            hint="it looks like postgresql://user:password@127.0.0.1:5432/database",
        )
    return url


def shown(url: str) -> str:
    """Return an address as it may be shown.

    >>> shown('postgresql://desk:secret@db:5432/market?sslmode=require')
    'postgresql://desk:***@db:5432/market'
    """
    parts = urlsplit(url)
    account, at, place = parts.netloc.rpartition("@")
    user, colon, _ = account.partition(":")
    return urlunsplit((parts.scheme, f"{user}{colon and ':***'}{at}{place}", parts.path, "", ""))


def connect(url: str, *, reads: bool = False) -> "psycopg.Connection[Any]":
    """Open a connection in UTC that notices a server that is gone. Raises psycopg's own errors."""
    options = "-c timezone=UTC"
    if reads:
        options += f" -c default_transaction_read_only=on -c statement_timeout={ANSWER_WITHIN_MS}"
    return driver().connect(
        url,
        connect_timeout=CONNECT_WITHIN_S,
        options=options,
        application_name="crypto-orderflow",
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=20_000,
        prepare_threshold=None,  # a plan for any window is a poor plan for this one
    )


def said(error: BaseException, url: str) -> str:
    """Return what PostgreSQL or its driver said, in one line and without a password."""
    text = " ".join(str(error).split())[:300] or type(error).__name__
    password = urlsplit(url).password
    text = re.sub(r"(?i)password=\S+", "password=***", text)
    return text.replace(password, "***") if password else text


def sql(text: str) -> LiteralString:
    """Pass a statement of ours to the driver, which wants to see that none was made of a user's text."""
    return cast(LiteralString, text)


# ── Laying out ────────────────────────────────────────────────────────────────────────────────


def lay_out(connection: "psycopg.Connection[Any]", name: str, kind: str) -> None:
    """Make what is missing of the schema, which holds data of one `kind` alone: simulated or real.

    Raises `StoreUnusable` for another program's schema, a newer version's, or data of the other kind.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"{schema.PROGRAM} {name}"])
        about = recognise(connection, name)
        if about is None:
            for statement in schema.statements(name):
                connection.execute(sql(statement))
            connection.cursor().executemany(
                sql(f"INSERT INTO {name}.desk_about VALUES (%s, %s)"),
                [("program", schema.PROGRAM), ("schema", str(schema.VERSION)), ("kind", kind)],
            )
        elif about["kind"] != kind:
            raise StoreUnusable(
                f"the schema {name} holds {about['kind']} data, and {kind} data must not be mixed into it",
                hint="name another schema: ORDERFLOW_POSTGRES_SCHEMA",
            )


def recognise(connection: "psycopg.Connection[Any]", name: str) -> dict[str, str] | None:
    """Return what a schema of ours says of itself, None where there is none yet; else `StoreUnusable`."""
    found = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm')",
        [name],
    ).fetchall()
    tables = {table for (table,) in found}
    if not tables & {"desk_about", *schema.TABLES}:
        return None
    about: dict[str, str] = {}
    if "desk_about" in tables:
        about = dict(connection.execute(sql(f"SELECT key, value FROM {name}.desk_about")).fetchall())
    if about.get("program") != schema.PROGRAM:
        raise StoreUnusable(
            f"the schema {name} belongs to another program: it has {', '.join(sorted(tables)[:5])}",
            hint="name another schema: ORDERFLOW_POSTGRES_SCHEMA",
        )
    if int(about["schema"]) != schema.VERSION:
        raise StoreUnusable(
            f"the schema {name} is of version {about['schema']}; this program reads {schema.VERSION}",
            hint="upgrade crypto-orderflow, or name another schema",
        )
    return about


# ── Questions ─────────────────────────────────────────────────────────────────────────────────


class PostgreSQL:
    """The tables of a schema, as questions see them."""

    interval = "(t.metadata->>'interval_hours')::float8"

    def __init__(self, schema: str) -> None:
        self._schema = schema

    def table(self, name: str, asked: Asked) -> str:
        return f"{self._schema}.{name} AS t"

    def instant(self, time: Nanos) -> tuple[str, Bound]:
        return "CAST(? AS TIMESTAMPTZ)", questions.moment(time).isoformat()

    def first(self, asked: Asked) -> tuple[Statement, str]:
        return Statement("", []), self.table(asked.question.table, asked)  # an index is in that order

    def latest(self, asked: Asked) -> Statement:
        """Look up each market by itself: what is asked is a row of each, of perhaps millions."""
        name, question = asked.question.table, asked.question
        where, bound = questions.window(asked, self)
        newest = "t.timestamp DESC"
        if "sequence" in question.columns:
            newest += ", t.sequence DESC NULLS LAST"
        columns = ", ".join(f"t.{one}" for one in (*question.columns, "metadata::text"))
        return Statement(
            f"SELECT {columns} FROM (SELECT DISTINCT exchange, symbol FROM {self._schema}.desk_progress"
            " WHERE stream = ?) AS m"
            f" CROSS JOIN LATERAL (SELECT * FROM {self._schema}.{name} AS t"
            f" WHERE t.exchange = m.exchange AND t.symbol = m.symbol AND {where}"
            f" ORDER BY {newest}, t.id DESC LIMIT 1) AS t ORDER BY t.exchange, t.symbol",
            [_STREAM[name], *bound],
        )


_STREAM = {"exchange_orderbooks": "orderbooks", "open_interest": "open_interest"}


class PostgresDesk:
    """Answers from a desk's PostgreSQL. May be asked from several threads; connections are kept for the next."""

    def __init__(
        self, url: str, schema_name: str = schema.SCHEMA, *, clock: Callable[[], Nanos] = time.time_ns
    ) -> None:
        self._url, self._schema, self._clock = checked(url), schema.checked(schema_name), clock
        self._idle: list[psycopg.Connection[Any]] = []
        self._lock = threading.Lock()
        self._errors = driver()

    def answer(self, name: str, filters: Filters) -> Answer:
        """Answer one of `QUESTIONS`, from one snapshot.

        Raises `InvalidArgument`, `UnknownSymbol`, `UnknownVenue`; `Disconnected` where PostgreSQL is away,
        `Overdue` where it took too long, `StoreUnusable` where nothing was ever copied there.
        """
        with self._connection() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            if recognise(connection, self._schema) is None:
                raise StoreUnusable(
                    f"PostgreSQL has no schema {self._schema} with a desk's tables yet",
                    hint="`orderflow up --postgres URL` makes and fills it",
                )
            known = connection.execute(sql(f"SELECT symbol FROM {self._schema}.desk_symbols")).fetchall()

            def ask(statement: Statement) -> list[tuple[Any, ...]]:
                return run(connection, statement)

            asked = questions.read(name, filters, sorted(one for (one,) in known), self._clock())
            return answers.answered(asked, filters, PostgreSQL(self._schema), ask)

    def holdings(self) -> Holdings:
        """Return how many rows there are of each market to which rows were copied."""
        copied = (
            f"SELECT DISTINCT stream, exchange, symbol FROM {self._schema}.desk_progress ORDER BY 1, 2, 3"
        )
        found: Holdings = {}
        with self._connection() as connection:
            if recognise(connection, self._schema) is None:
                return found
            for stream, exchange, symbol in connection.execute(sql(copied)).fetchall():
                table = rows.TABLE_OF[stream]
                statement = questions.holdings(exchange, symbol, f"{self._schema}.{table} AS t")
                ((found[table, exchange, symbol],),) = run(connection, statement)
        return found

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for one in idle:
            one.close()

    @contextmanager
    def _connection(self) -> Iterator["psycopg.Connection[Any]"]:
        """Lend a connection that works; one that an error met is not kept."""
        try:
            connection = self._lent()
            try:
                yield connection
            except OrderflowError:
                self._keep(connection)
                raise
            except BaseException:
                connection.close()
                raise
            self._keep(connection)
        except self._errors.errors.QueryCanceled as error:
            raise Overdue(
                f"PostgreSQL took longer than {ANSWER_WITHIN_MS / 1000:.0f} s", hint="ask for fewer hours"
            ) from error
        except (self._errors.OperationalError, self._errors.InterfaceError) as error:
            raise Disconnected(
                f"PostgreSQL at {shown(self._url)} does not answer: {said(error, self._url)}",
                hint="is it running, and is ORDERFLOW_POSTGRES_URL right? ORDERFLOW_DESK=duckdb answers without it",
                after_s=CONNECT_WITHIN_S,
            ) from error
        except self._errors.Error as error:
            raise StoreUnusable(
                f"PostgreSQL refuses: {said(error, self._url)}",
                hint="may this user read the schema's tables?",
            ) from error

    def _lent(self) -> "psycopg.Connection[Any]":
        while True:
            with self._lock:
                if not self._idle:
                    break
                connection = self._idle.pop()
            try:
                connection.execute("SELECT 1")  # one that was kept over a restart of PostgreSQL is dead
            except self._errors.Error:
                connection.close()
                continue
            return connection
        connection = connect(self._url, reads=True)
        connection.autocommit = True
        return connection

    def _keep(self, connection: "psycopg.Connection[Any]") -> None:
        with self._lock:
            if len(self._idle) < IDLE and not connection.closed:
                self._idle.append(connection)
                return
        connection.close()


def run(connection: "psycopg.Connection[Any]", statement: Statement) -> list[tuple[Any, ...]]:
    """Run a statement of `questions`."""
    return connection.execute(sql(statement.sql.replace("?", "%s")), statement.bound).fetchall()

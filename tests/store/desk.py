"""A store in a file, a schema of PostgreSQL of its own, and what brings rows from one to the other."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orderflow.market.events import SECOND, Event, Nanos
from orderflow.market.streams import STREAMS
from orderflow.store import archive, layout, opening, runs, tables
from orderflow.store.desk import PostgresDesk, StoredDesk, follower
from orderflow.store.desk.copying import BATCH, Copier
from orderflow.store.desk.schema import TABLES
from orderflow.store.reader import Reader
from orderflow.store.runs import Kind
from orderflow.store.writer import Writer

HOST, PORT = "127.0.0.1", 5432
URL = f"postgresql://root@{HOST}:{PORT}/test"
T0: Nanos = 1_763_683_200 * SECOND  # 2025-11-21T00:00:00Z
NOW = T0 + 3600 * SECOND
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSD", "BTCEUR")


def required() -> None:
    """Skip where no PostgreSQL runs on this machine; fail where everything is to be tried."""
    try:
        psycopg.connect(URL, connect_timeout=5).close()
    except psycopg.Error as error:
        said = f"no PostgreSQL at {HOST}:{PORT}: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)


@contextmanager
def own_schema() -> Iterator[str]:
    """Lend a name that no schema has, and drop what was made under it."""
    name = f"orderflow_test_{uuid.uuid4().hex[:12]}"
    try:
        yield name
    finally:
        with psycopg.connect(URL, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


def begin(copier: Copier) -> None:
    """Begin as soon as the one before is gone: PostgreSQL notices within milliseconds that it went."""
    deadline = time.monotonic() + 30
    while not copier.begin():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Store:
    """A database in a file, and a writer into it."""

    def __init__(self, path: Path, kind: Kind = "live") -> None:
        self.path = path
        self.connection = opening.open_for_writing(path)
        tables.create(self.connection, SYMBOLS)
        self.kind: Kind = kind
        self.reader = Reader(self.connection)
        self.begin()

    def begin(self) -> None:
        run = runs.begin(self.connection, self.kind, f"{self.kind} {T0}", started=T0)
        self.writer = Writer(self.connection, run)

    def clear(self) -> None:
        if self.connection.execute("DELETE FROM archived RETURNING file").fetchall():
            tables.unite(self.connection)
        for table in (*map(layout.Layout().hot, STREAMS), "runs"):
            self.connection.execute(f"DELETE FROM {table}")
        self.begin()

    def archive(self, stream: str, day: date) -> None:
        """Move a day of a stream into the archive."""
        assert archive.compact(self.connection, stream, day) is not None

    def write(self, *events: Event) -> None:
        for event in events:
            self.writer.adders(event.venue)[type(event)](event)
        self.writer.flush()

    def close(self) -> None:
        self.connection.close()


class Desk:
    """A schema, and both ways of answering from what `store` holds."""

    def __init__(self, store: Store, schema: str, url: str = URL) -> None:
        self.store, self.schema, self.url = store, schema, url
        self.connection = psycopg.connect(url, autocommit=True, options="-c timezone=UTC")
        self.duckdb = StoredDesk(lambda: nullcontext(store.reader), clock=lambda: NOW)
        self.postgres = PostgresDesk(url, schema, clock=lambda: NOW)

    def copier(self, batch: int = BATCH) -> Copier:
        connection = psycopg.connect(self.url, autocommit=True, options="-c timezone=UTC")
        return Copier(connection, self.store.reader, self.schema, follower.STREAMS, batch=batch)

    def copy(self, batch: int = BATCH) -> int:
        """Copy all that waits, over a connection of its own; return how many rows that were."""
        copier = self.copier(batch)
        try:
            begin(copier)
            return sum(sum(copier.copy(stream, list(series))) for stream, series in copier.look().items())
        finally:
            copier.close()

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        return self.connection.execute(f"SELECT {columns} FROM {self.schema}.{table} ORDER BY id").fetchall()

    def count(self, table: str) -> int:
        ((found,),) = self.connection.execute(f"SELECT count(*) FROM {self.schema}.{table}").fetchall()
        return found

    def clear(self) -> None:
        names = ", ".join(f"{self.schema}.{one}" for one in (*TABLES, "desk_progress", "desk_symbols"))
        self.connection.execute(f"TRUNCATE {names}")

    def close(self) -> None:
        self.postgres.close()
        self.connection.close()

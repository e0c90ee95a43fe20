"""Lakes of the tests: each with a PostgreSQL database of its own, dropped when the test has ended."""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

HOST, PORT = "127.0.0.1", 5432
SERVER = f"host={HOST} port={PORT} user=root"


def required() -> None:
    """Skip where no PostgreSQL runs on this machine; fail where everything is to be tried."""
    try:
        socket.create_connection((HOST, PORT), timeout=5).close()
    except OSError as error:
        said = f"no PostgreSQL at {HOST}:{PORT}: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)


@contextmanager
def a_lake(folder: Path) -> Iterator[str]:
    """Yield the address of a lake that nobody has made yet; its rows will lie in the folder."""
    required()
    name = f"orderflow_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{SERVER} dbname=test", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield f"ducklake:postgres:{SERVER} dbname={name} ; data = {folder / 'rows'}"
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def in_postgres(address: str, statement: str) -> list[tuple[object, ...]]:
    """Run a statement in the lake's PostgreSQL itself."""
    words = address.removeprefix("ducklake:postgres:").partition(";")[0]
    with psycopg.connect(words, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []

"""Runs: each stretch of collecting or replaying, to which every row belongs.

A run is found again by its `key`: a recording replayed twice is one run, so that its rows are the same
rows. Times are the caller's; a replay gives those of its recording and not of the day it was replayed.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

import duckdb
import msgspec

from orderflow.market.errors import InvalidArgument, StoreUnusable
from orderflow.market.events import US, Nanos
from orderflow.store import layout
from orderflow.store.tables import KINDS, transaction

_LAST = 2**31 - 1
PAST = "backfill "  # begins the key of a run that brings in the past, of whatever kind the data is

Kind = Literal["live", "replay", "backfill", "simulated"]

RUN_COLUMNS = "id, key, kind, epoch_us(started) * 1000, epoch_us(ended) * 1000, version, settings"


class Run(msgspec.Struct, frozen=True):
    """One run; `ended` is None while it lasts, or where its process died."""

    id: int
    key: str
    kind: Kind
    started: Nanos
    ended: Nanos | None
    version: str
    settings: dict[str, Any]


def begin(
    connection: duckdb.DuckDBPyConnection,
    kind: Kind,
    key: str,
    *,
    started: Nanos,
    ended: Nanos | None = None,
    version: str = "",
    settings: Mapping[str, Any] | None = None,
) -> Run:
    """Begin a run and return it, or return unchanged the one that has this key already.

    Raises `StoreUnusable` where simulated data would come into a database of real data, or the reverse.
    A replay of a simulated recording is of kind simulated.
    """
    if kind not in KINDS:
        raise InvalidArgument(f"no kind of run is called {kind!r}", hint=f"kinds: {', '.join(KINDS)}")
    check(connection, kind)
    with transaction(connection) as cursor:
        if found := _find(cursor, "key = ?", [key]):
            return found
        first = layout.of(cursor).first_run
        cursor.execute(
            "INSERT INTO runs SELECT coalesce(max(id), ?) + 1, ?, make_timestamp(?), make_timestamp(?),"
            " ?, ?, ? FROM runs WHERE id BETWEEN ? AND ?",
            [
                first,
                key,
                started // US,
                None if ended is None else ended // US,
                kind,
                version,
                _json(settings or {}),
                first,
                first + layout.RUNS_OF_A_HOLDING if first else _LAST,
            ],
        )
        return _row(cursor, "key = ?", [key])


def check(connection: duckdb.DuckDBPyConnection, kind: str) -> None:
    """Raise `StoreUnusable` if a run of this kind must not share the database with what is in it."""
    other = connection.execute(
        "SELECT kind FROM runs WHERE (kind = 'simulated') <> (? = 'simulated') LIMIT 1", [kind]
    ).fetchone()
    if other:
        raise StoreUnusable(
            f"this database holds {other[0]} data, and a {kind} run must not be mixed into it",
            hint="simulated and real data never share a database: name another file with --db",
        )


def end(connection: duckdb.DuckDBPyConnection, run: Run, ended: Nanos) -> Run:
    """Say when a run ended; one that has ended keeps the time that it has."""
    with transaction(connection) as cursor:
        cursor.execute(
            "UPDATE runs SET ended = make_timestamp(?) WHERE id = ? AND ended IS NULL", [ended // US, run.id]
        )
        found = _find(cursor, "id = ?", [run.id])
    if found is None:
        raise InvalidArgument(f"no run has the id {run.id}")
    return found


def last(connection: duckdb.DuckDBPyConnection) -> Run | None:
    """Return the run that was begun last, or None where nothing ran yet; a backfill is of the past."""
    return _find(connection, f"NOT starts_with(key, '{PAST}') ORDER BY id DESC", [])


def find(connection: duckdb.DuckDBPyConnection, key: str) -> Run | None:
    """Return the run that has a key, if there is one."""
    return _find(connection, "key = ?", [key])


def _find(cursor: duckdb.DuckDBPyConnection, where: str, parameters: list[Any]) -> Run | None:
    row = cursor.execute(f"SELECT {RUN_COLUMNS} FROM runs WHERE {where} LIMIT 1", parameters).fetchone()
    return None if row is None else Run(*row[:-1], settings=json.loads(row[-1]))


def _row(connection: duckdb.DuckDBPyConnection, where: str, parameters: list[Any]) -> Run:
    found = _find(connection, where, parameters)
    if found is None:
        raise StoreUnusable(
            "the table of runs did not keep a run", hint="`orderflow doctor` looks at the database"
        )
    return found


def _json(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, ensure_ascii=False)

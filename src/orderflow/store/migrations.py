"""Migrations: a database of an older schema brought to today's, one step a schema, each whole or not at all.

A step is one transaction that also raises the number in `about`, so a process that dies in it leaves the
older schema, and the next start begins the step again. Rows are never rewritten: tables are renamed and
given columns, which are NULL in the rows that were there.
"""

import logging
from collections.abc import Callable

import duckdb

from orderflow.market.errors import StoreUnusable
from orderflow.market.streams import STREAMS
from orderflow.store import layout
from orderflow.store.identifiers import identifier
from orderflow.store.tables import (
    SCHEMA,
    checkpoint,
    column_type,
    columns,
    name_again,
    schema,
    transaction,
    unite,
)

log = logging.getLogger(__name__)


def migrate(connection: duckdb.DuckDBPyConnection) -> list[int]:
    """Bring a database of ours to this version's schema; return the schemas it was brought to.

    Raises `StoreUnusable` where a step fails (a full disk): then the database is as it was before it.
    """
    done: list[int] = []
    for number in range(schema(connection) + 1, SCHEMA + 1):
        log.info("migrating the database to schema %d", number)
        try:
            with transaction(connection) as cursor:
                STEPS[number](cursor)
                cursor.execute("UPDATE about SET value = ? WHERE key = 'schema'", [str(number)])
        except duckdb.Error as error:
            said = " ".join(str(error).split())[:300]
            raise StoreUnusable(
                f"the database could not be brought to schema {number}: {said}",
                hint="free some disk space and start again; it is as it was",
            ) from error
        done.append(number)
    if done:
        checkpoint(connection)
    return done


def _hot_tables(cursor: duckdb.DuckDBPyConnection) -> None:
    """Schema 2: days that are over leave a stream's table for the archive; its name unites the two."""
    where = layout.of(cursor)
    cursor.execute(layout.ARCHIVED)
    for stream in STREAMS:
        cursor.execute(f"ALTER TABLE {identifier(stream)} RENAME TO {identifier(where.hot(stream))}")
    _add_columns(cursor)
    unite(cursor)
    name_again(cursor)


def _add_columns(cursor: duckdb.DuckDBPyConnection) -> None:
    """Give each stream's table the declared columns that it lacks."""
    where = layout.of(cursor)
    for stream in STREAMS.values():
        table = identifier(where.hot(stream.name))
        had = {row[0] for row in cursor.execute(f"DESCRIBE {table}").fetchall()}
        for column in columns(stream):
            if column.name not in had:
                kind = column_type(cursor, stream, column)
                cursor.execute(f"ALTER TABLE {table} ADD COLUMN {identifier(column.name)} {kind}")


STEPS: dict[int, Callable[[duckdb.DuckDBPyConnection], None]] = {2: _hot_tables}

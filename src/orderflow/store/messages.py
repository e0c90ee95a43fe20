"""Messages: the rows of a flush as JSON, for those who read on after the store.

A message has the columns of the stream's table under their names, as the table holds them: DuckDB
reckons both from the same declarations. Times are ISO 8601 in UTC with microseconds; what is unknown,
or no finite number, is null.
"""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Protocol

import duckdb

from orderflow.market.streams import SHARED, Column, Stream

Told = tuple[str, str, int, str, str]  # routing key, message id, seconds of the event, source, JSON

OUTBOX = "outbox"  # the only one of a database that one collector writes; in a lake each has its own
_LONGEST_SYMBOL = 120  # bytes: a key, and a message id with two numbers more, have room for 255 in AMQP


class Outlet(Protocol):
    """Where messages wait for their rows to be committed: all that a flush appended, or none of it.

    `stage` gives the number that the database must commit with the rows, by which it is known after a
    crash what counts.
    """

    @property
    def streams(self) -> Collection[str]: ...
    def append(self, rows: Sequence[Told]) -> None: ...
    def stage(self) -> int | None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...


@cache
def telling(stream: Stream, rows: str) -> str:
    """Return the query that makes messages of `rows`, a query that gives the stream's table columns."""
    columns = (*SHARED, *stream.columns)
    said = ", ".join(f"'{column.name}': {_said(column)}" for column in columns)
    closed = " || if(closed, '.closed', '')" if stream.replaces else ""
    key = f"'{stream.name}.' || venue || '.' || symbol"
    return (
        f"SELECT {key} AS key, key || '.' || id || '.' || coalesce(epoch_us(timestamp), 0){closed},"
        " coalesce(epoch_us(coalesce(timestamp, received)) // 1000000, 0), source,"
        f" to_json({{{said}}})::VARCHAR FROM ({rows}) WHERE strlen(symbol) <= {_LONGEST_SYMBOL}"
    )


def _said(column: Column) -> str:
    name = f'"{column.name}"'
    match column.type:
        case "TIMESTAMP":
            return f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%fZ')"
        case "DOUBLE":
            return f"CASE WHEN isfinite({name}) THEN {name} END"
        case _:
            return name


def committed(connection: duckdb.DuckDBPyConnection, box: str = OUTBOX) -> int | None:
    """Return the number that the last flush with messages committed; None where there was none."""
    found = connection.execute("SELECT max(value::BIGINT) FROM about WHERE key = ?", [box]).fetchone()
    return None if found is None else found[0]


def begin(connection: duckdb.DuckDBPyConnection, number: int, box: str = OUTBOX) -> None:
    """Note from which number on the database keeps count; one that does keeps its own."""
    if committed(connection, box) is None:
        connection.execute("INSERT INTO about VALUES (?, ?)", [box, str(number)])


def note(cursor: duckdb.DuckDBPyConnection, number: int, box: str = OUTBOX) -> None:
    """Note, in the transaction of a flush, the number of its messages.

    In a lake each flush adds its number, the highest of which counts: collectors that changed rows of one
    table would refuse each other's commits.
    """
    if box == OUTBOX:
        cursor.execute("UPDATE about SET value = ? WHERE key = ?", [str(number), box])
    else:
        cursor.execute("INSERT INTO about VALUES (?, ?)", [box, str(number)])

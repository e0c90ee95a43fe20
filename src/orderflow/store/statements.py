"""Statements: the parts of SQL that questions share, and rows as events again."""

from collections.abc import Iterable
from typing import Any, TypeAlias, TypeVar

from orderflow.market.events import BookTop, Event, Nanos, Trade
from orderflow.market.streams import KEPT, STREAMS, Column, Stream
from orderflow.store.identifiers import identifier, text
from orderflow.store.tables import columns

Parameter: TypeAlias = str | int | float | bool | None
E = TypeVar("E", bound=Event)


def checksum(table: str) -> str:
    """Return the statement for a table's checksum: its rows' hashes added up, so that order is nothing.

    An ENUM's hash depends on the order of its values, that of its text does not.
    """
    what = "*COLUMNS(*)"
    if table in STREAMS:
        found = columns(STREAMS[table])
        what = ", ".join(
            identifier(one.name) + ("::VARCHAR" if one.type == "VARCHAR" else "") for one in found
        )
    total = f"coalesce(sum(hash({what})::HUGEINT), 0) % 18446744073709551616"
    return f"SELECT '{table}', format('{{:016x}}', ({total})::UBIGINT) FROM {identifier(table)}"


def micros(time: Nanos | None) -> int | None:
    """Round up to microseconds, so that a bound keeps out what lies before it."""
    return None if time is None else -(-time // 1000)


def render(sql: str, bound: Iterable[Parameter]) -> str:
    """Write the values into a statement that can have no parameters.

    >>> render("SELECT ?, ?, ?", ["it's", 1, None])
    "SELECT 'it''s', 1, NULL"
    """
    parts = sql.split("?")
    literals = [_literal(value) for value in bound]
    if len(parts) != len(literals) + 1:
        raise ValueError(f"{len(parts) - 1} places for {len(literals)} values")
    return "".join(part + literal for part, literal in zip(parts, [*literals, ""], strict=True))


def _literal(value: Parameter) -> str:
    if value is None:
        return "NULL"
    return text(value) if isinstance(value, str) else repr(value)


def whole(column: str, where: str = "true") -> str:
    """Return the SQL for a sum over the rows of a condition, unknown where one of its parts is, 0 of none."""
    among = f"FILTER (WHERE {where})"
    return f"if(count(*) {among} = count({column}) {among}, coalesce(sum({column}) {among}, 0), NULL)"


def event_columns(stream: Stream) -> str:
    first = (
        "venue::VARCHAR, symbol::VARCHAR, if(clock = 'local', NULL, epoch_us(timestamp) * 1000),"
        " coalesce(epoch_us(received) * 1000, 0)"
    )
    return ", ".join([first, *(_told(column) for column in stream.packed)])


def _told(column: Column) -> str:
    name = identifier(column.name)
    return f"epoch_us({name}) * 1000" if column.type == "TIMESTAMP" else name


def event(kind: type[E], row: tuple[Any, ...]) -> E:
    """Make an event of a row of `_event_columns`."""
    packed = KEPT[kind].packed
    values: dict[str, Any] = {}
    if kind is BookTop:
        levels = sum(column.field == "levels" for column in packed)
        values["levels"] = tuple(row[4 : 4 + levels])
        packed, row = packed[levels:], (*row[:4], *row[4 + levels :])
    values |= {column.field: value for column, value in zip(packed, row[4:], strict=True)}
    if kind is Trade and values["id"].isascii() and values["id"].isdigit() and values["id"][:1] != "0":
        values["id"] = int(values["id"])  # as the decoders give ids that number trades
    return kind(*row[:4], **values)

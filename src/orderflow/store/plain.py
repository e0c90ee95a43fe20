"""Plain: what an Arrow table holds, as rows that any door can write."""

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = 2**53  # an integer beyond is not the same number in every reader of JSON


def rows(table: pa.Table) -> Iterator[list[Any]]:
    """Yield rows whose cells are texts, numbers, truths or None; instants are epoch milliseconds UTC.

    What is none of these is text: a day as 2026-11-21, a list or a structure as JSON.
    """
    columns = [[cell(value) for value in column.to_pylist()] for column in table.columns]
    yield from (list(row) for row in zip(*columns, strict=True))


def instants(table: pa.Table) -> list[str]:
    """Return the columns whose cells are instants."""
    return [field.name for field in table.schema if pa.types.is_timestamp(field.type)]


def cell(value: Any) -> Any:
    """Return a value as a cell.

    >>> cell(datetime(2025, 11, 21)), cell(Decimal("3")), cell([1, None]), cell(float("nan"))
    (1763683200000, 3, '[1,null]', None)
    """
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -_EXACT <= value <= _EXACT else str(value)
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return cell(int(value)) if value == value.to_integral_value() else float(value)
        case datetime():
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            return (aware - _EPOCH) // timedelta(milliseconds=1)
        case date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case bytes():
            return value.hex()
        case _:
            return msgspec.json.encode(_within(value), enc_hook=str).decode()


def _within(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _within(one) for name, one in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [_within(one) for one in value]
    return cell(value) if not hasattr(value, "_fields") else str(value)

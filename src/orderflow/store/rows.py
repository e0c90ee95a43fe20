"""Rows: events packed into one block of bytes a stream, and seen as columns when they are flushed.

Packing costs a third of building lists or arrays, and numpy sees the bytes without a copy. Unknown
numbers are NaN, unknown integers and times are `NULL`, unknown booleans are -1; texts, and trade ids
that are no integers, are kept aside and packed as the negative of their place.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from orderflow.market.events import Event
from orderflow.market.streams import STREAMS, Stream

NULL = -(2**63)
_CODE = {"DOUBLE": "d", "BIGINT": "q", "TIMESTAMP": "q", "BOOLEAN": "b", "VARCHAR": "q", "INTEGER": "q"}
_NUMPY = {"d": "<f8", "q": "<i8", "b": "i1"}
_UNKNOWN: dict[str, Any] = {"d": float("nan"), "q": NULL, "b": -1}

Rows = npt.NDArray[Any]  # structured: series, ts_event, ts_recv, then the stream's packed columns


def packed(stream: Stream, events: Sequence[Event], series: Mapping[str, int]) -> tuple[Rows, list[str]]:
    """Pack events of one venue; `series` numbers its symbols. Returns rows and the texts set aside."""
    loop, row, codes, dtype = _layout(stream.name)
    layout = struct.Struct("<i" + codes)
    data, texts = bytearray(layout.size * len(events)), _Texts()
    slow: list[int] = []

    def slowly(at: int, number: int, event: Event) -> None:
        slow.append(at // layout.size)
        values = (texts.packed(value, code) for value, code in zip(row(event), codes, strict=True))
        layout.pack_into(data, at, number, *values)

    loop(events, series, layout.pack_into, layout.size, data, slowly, struct.error)
    rows = np.frombuffer(data, dtype)
    if len(slow) < len(events):
        _forget_negative_ids(stream, rows, slow)
    return rows, texts.found


def _forget_negative_ids(stream: Stream, rows: Rows, slow: list[int]) -> None:
    """Make ids below 0, a venue's nonsense, unknown: below 0 are the places of texts, in `slow` rows."""
    for column in stream.packed:
        if column.type == "VARCHAR":
            below = rows[column.name] < 0
            below[slow] = False
            if below.any():
                rows[column.name][below] = NULL


class _Texts:
    """Texts in the order in which they were met; the first is packed as -1."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._places: dict[str, int] = {}

    def packed(self, value: Any, code: str) -> Any:
        if isinstance(value, int) and not -NULL > value >= 0 and code == "q":
            value = None  # a venue's nonsense: no count, id or time of ours is beyond 64 bits, or below 0
        if value is None:
            return _UNKNOWN[code]
        if not isinstance(value, str):
            return value
        place = self._places.get(value)
        if place is None:
            self.found.append(value)
            place = self._places[value] = -len(self.found)
        return place


_LOOP = """
def loop(events, series, pack, size, data, slowly, refused):
    at = 0
    for e in events:
        try:
            ts = e.ts_event  # many venues' quotes have no time of their own
            pack(data, at, series[e.symbol], NULL if ts is None else ts, {values})
        except refused:  # a text or an unknown value
            slowly(at, series[e.symbol], e)
        at += size
"""


@cache
def _layout(name: str) -> tuple[Callable[..., None], Callable[[Any], tuple[Any, ...]], str, np.dtype[Any]]:
    """Return a stream's packing loop, its row function, its struct codes and its numpy type.

    The loop is compiled with the fields written out, which is twice as fast as looping over names.
    """
    stream = STREAMS[name]
    codes = [_CODE[column.type] for column in stream.packed]
    if stream.packed[0].field == "levels":
        values = "e.ts_recv, *e.levels, e.depth, e.sequence"
    else:
        values = ", ".join(f"e.{field}" for field in ("ts_recv", *(c.field for c in stream.packed)))
    made: dict[str, Any] = {"NULL": NULL}
    exec(_LOOP.format(values=values), made)  # noqa: S102 - the names come from our own declarations
    dtype = np.dtype(
        [("series", "<i4"), ("ts_event", "<i8"), ("ts_recv", "<i8")]
        + [(column.name, _NUMPY[code]) for column, code in zip(stream.packed, codes, strict=True)]
    )
    return made["loop"], stream.row(), "qq" + "".join(codes), dtype

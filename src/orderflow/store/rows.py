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
from orderflow.market.streams import STREAMS, Column, Stream

NULL = -(2**63)
_CODE = {"DOUBLE": "d", "BIGINT": "q", "TIMESTAMP": "q", "BOOLEAN": "b", "VARCHAR": "q", "INTEGER": "q"}
_NUMPY = {"d": "<f8", "q": "<i8", "b": "i1"}
_UNKNOWN: dict[str, Any] = {"d": float("nan"), "q": NULL, "b": -1}

Rows = npt.NDArray[Any]  # structured: series, ts_event, ts_recv, then the stream's packed columns


def packed(stream: Stream, events: Sequence[Event], series: Mapping[str, int]) -> tuple[Rows, list[str]]:
    """Pack events of one venue; `series` numbers its symbols. Returns rows and the texts set aside."""
    loop, row, codes, kind = _layout(stream.name)
    layout = struct.Struct("<i" + codes)
    data, texts = bytearray(layout.size * len(events)), _Texts()
    slow: list[int] = []

    def slowly(at: int, number: int, event: Event) -> None:
        values = (texts.packed(value, code) for value, code in zip(row(event), codes, strict=True))
        layout.pack_into(data, at, number, *values)

    loop(events, series, layout.pack_into, layout.size, data, texts.place, slow, slowly)
    rows = np.frombuffer(data, kind)
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
        return self.place(value) if isinstance(value, str) else value

    def place(self, text: str) -> int:
        """Return where a text is found, as it is packed."""
        place = self._places.get(text)
        if place is None:
            self.found.append(text)
            place = self._places[text] = -len(self.found)
        return place


# A row is packed as it is. Where that is refused, for a text or an unknown value, it is packed with care, and
# so are the next ones without trying, for they are likely to have the same; what is left is a venue's nonsense.
_LOOP = """
def loop(events, series, pack, size, data, text, slow, slowly):
    at = careful = 0
    for e in events:
        ts = e.ts_event  # many venues' quotes have no time of their own
        if careful:
            careful -= 1
        else:
            try:
                pack(data, at, series[e.symbol], NULL if ts is None else ts, e.ts_recv, {values})
                at += size
                continue
            except refused:
                careful = CAREFUL
        slow.append(at // size)
        try:
            pack(data, at, series[e.symbol], NULL if ts is None or ts < 0 else ts, e.ts_recv, {careful})
        except (refused, TypeError):
            slowly(at, series[e.symbol], e)
        at += size
"""
_CAREFUL = 16  # rows
_WITH_CARE = {
    "d": "NAN if (v := e.{0}) is None else v",
    "b": "-1 if (v := e.{0}) is None else v",
    "q": "NULL if (v := e.{0}) is None or v < 0 else v",
}
_TEXT_WITH_CARE = "text(v) if (v := e.{0}).__class__ is str else NULL if v is None or v < 0 else v"
_LEVELS_WITH_CARE = "*[NAN if v is None else v for v in e.levels]"


def _with_care(columns: Sequence[Column]) -> str:
    """Write out the fields of a row in which any value may be unknown, and names may be texts."""
    said = (_TEXT_WITH_CARE if one.type == "VARCHAR" else _WITH_CARE[_CODE[one.type]] for one in columns)
    return ", ".join(how.format(one.field) for how, one in zip(said, columns, strict=True))


@cache
def _layout(name: str) -> tuple[Callable[..., None], Callable[[Any], tuple[Any, ...]], str, np.dtype[Any]]:
    """Return a stream's packing loop, its row function, its struct codes and its numpy type.

    The loop is compiled with the fields written out, which is twice as fast as looping over names.
    """
    stream = STREAMS[name]
    codes = [_CODE[column.type] for column in stream.packed]
    if stream.packed[0].field == "levels":
        after = [one for one in stream.packed if one.field in ("depth", "sequence")]
        values = "*e.levels, e.depth, e.sequence"
        careful = f"{_LEVELS_WITH_CARE}, {_with_care(after)}"
    else:
        # an unknown value refuses the row, which is then packed again: not where unknown is the rule
        values = ", ".join(
            f"NAN if e.{one.field} is None else e.{one.field}" if one.rare else f"e.{one.field}"
            for one in stream.packed
        )
        careful = _with_care(stream.packed)
    made: dict[str, Any] = {"NULL": NULL, "NAN": _UNKNOWN["d"], "CAREFUL": _CAREFUL, "refused": struct.error}
    exec(_LOOP.format(values=values, careful=careful), made)  # noqa: S102 - names of our own declarations
    return made["loop"], stream.row(), "qq" + "".join(codes), dtype(stream)


def dtype(stream: Stream) -> np.dtype[Any]:
    """Return the numpy type of a stream's rows."""
    return np.dtype(
        [("series", "<i4"), ("ts_event", "<i8"), ("ts_recv", "<i8")]
        + [(column.name, _NUMPY[_CODE[column.type]]) for column in stream.packed]
    )

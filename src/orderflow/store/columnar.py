"""Columnar: DuckDB's answers as numpy columns by way of Arrow, and rows of an answer as an Arrow stream."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from orderflow.store.answers import Values

_INSTANT = "UTC"  # the unit of a column of epoch milliseconds


def columns(found: pa.Table) -> dict[str, Values]:
    """Return what a statement has found, column by column."""
    return {name: _values(found.column(name)) for name in found.column_names}


def _values(column: "pa.ChunkedArray[Any]") -> Values:
    kind = column.type
    if pa.types.is_floating(kind):
        return column.to_numpy()
    if pa.types.is_dictionary(kind):
        return _texts(column)
    if column.null_count or not (pa.types.is_integer(kind) or pa.types.is_timestamp(kind)):
        if pa.types.is_timestamp(kind):
            micros = column.cast(pa.int64()).to_pylist()
            return [None if one is None else one * 1000 for one in micros]
        return column.to_pylist()
    if pa.types.is_timestamp(kind):
        return column.cast(pa.int64()).to_numpy() * 1000
    return column.to_numpy().astype(np.int64, copy=False)


def _texts(column: "pa.ChunkedArray[Any]") -> list[Any]:
    # looked up by hand: Arrow's own to_pylist makes a string object for every row
    found: list[Any] = []
    for chunk in column.chunks:
        names = chunk.dictionary.to_pylist()
        places = chunk.indices.to_pylist()
        found += [None if place is None else names[place] for place in places]
    return found


def stream(
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    units: Mapping[str, str],
    meta: Mapping[str, Any],
) -> bytes:
    """Return rows of plain values as an Arrow IPC stream; `meta` is the schema's `orderflow`, as JSON.

    A column of the unit UTC, epoch milliseconds, becomes one of timestamps; each field says its unit. Cells
    that are no plain value, or of several types, are JSON and text.
    """
    arrays = [_array([row[place] for row in rows], units.get(name, "")) for place, name in enumerate(names)]
    fields = [
        pa.field(name, array.type, metadata={"unit": units[name]} if units.get(name) else None)
        for name, array in zip(names, arrays, strict=True)
    ]
    schema = pa.schema(fields, metadata={"orderflow": msgspec.json.encode(meta)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return sink.getvalue().to_pybytes()


def _array(cells: list[Any], unit: str) -> "pa.Array[Any]":
    kinds = {type(cell) for cell in cells if cell is not None}
    if unit == _INSTANT and kinds <= {int}:
        return pa.array(cells, pa.timestamp("ms", "UTC"))
    if not kinds:
        return pa.array(cells, pa.float64() if unit else pa.string())
    if kinds in ({bool}, {str}, {int}):
        return pa.array(cells)
    if kinds <= {int, float}:
        return pa.array(cells, pa.float64())
    texts = [
        one if one is None or isinstance(one, str) else msgspec.json.encode(one).decode() for one in cells
    ]
    return pa.array(texts, pa.string())

"""Columnar: DuckDB's answers as numpy columns, by way of Arrow."""

from typing import Any

import numpy as np
import pyarrow as pa

from orderflow.store.answers import Values


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

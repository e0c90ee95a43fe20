"""Repacked: rows that were stored, as `Rows` again, as if they had just been heard."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderflow.market.events import US
from orderflow.market.streams import Column, Stream
from orderflow.store.rows import NULL, Rows, dtype
from orderflow.store.tables import columns

_ARROW = {
    "DOUBLE": pa.float64(),
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "BOOLEAN": pa.bool_(),
    "VARCHAR": pa.string(),
    "TIMESTAMP": pa.timestamp("us"),
}


def schema(stream: Stream) -> pa.Schema:
    """Return the columns of a stream's table as a file has them."""
    return pa.schema([(one.name, _ARROW[one.type]) for one in columns(stream)])


def repacked(stream: Stream, batch: pa.RecordBatch, series: npt.NDArray[np.int32]) -> tuple[Rows, list[str]]:
    """Return the rows of a batch, whose series are numbered, and the texts set aside."""
    rows = np.zeros(batch.num_rows, dtype(stream))
    texts: list[str] = []
    rows["series"] = series
    received = _integers(batch.column("received"))
    rows["ts_recv"] = np.where(received == NULL, 0, received)
    clocks = batch.column("clock").dictionary_encode()
    venues = [place for place, clock in enumerate(clocks.dictionary.to_pylist()) if clock == "venue"]
    told = np.isin(clocks.indices.fill_null(-1).to_numpy(zero_copy_only=False), venues)
    rows["ts_event"] = np.where(told, _integers(batch.column("timestamp")), NULL)
    for column in stream.packed:
        rows[column.name] = _values(column, batch.column(column.name), texts)
    return rows, texts


def _values(column: Column, values: pa.Array, texts: list[str]) -> npt.NDArray[Any]:
    match column.type:
        case "DOUBLE":
            return values.to_numpy(zero_copy_only=False)
        case "BOOLEAN":
            return values.cast(pa.int8()).fill_null(-1).to_numpy(zero_copy_only=False)
        case "VARCHAR":
            return _places(values, texts)
        case _:
            return _integers(values)


def _integers(values: pa.Array) -> npt.NDArray[np.int64]:
    """Return whole numbers, and times in nanoseconds; `NULL` for what is unknown."""
    known = values.cast(pa.int64())
    found = known.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    if pa.types.is_timestamp(values.type):
        found = found * US
    return np.where(values.is_null().to_numpy(zero_copy_only=False), NULL, found)


def _places(values: pa.Array, texts: list[str]) -> npt.NDArray[np.int64]:
    """Set texts aside, each once, and return where they are."""
    coded = values.dictionary_encode()
    first = len(texts)
    texts += coded.dictionary.to_pylist()
    places = -(coded.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64) + first) - 1
    return np.where(values.is_null().to_numpy(zero_copy_only=False), NULL, places)

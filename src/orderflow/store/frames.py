"""Frames: a table of Arrow as polars' or pandas' own, where they are installed."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pyarrow as pa

from orderflow.market.errors import ExtraMissing

if TYPE_CHECKING:
    import pandas
    import polars


def in_utc(table: pa.Table) -> pa.Table:
    """Return a table whose times say that they are UTC; nothing is copied."""
    fields = [
        one.with_type(pa.timestamp("us", "UTC")) if pa.types.is_timestamp(one.type) else one
        for one in table.schema
    ]
    return table.cast(pa.schema(fields))


def as_polars(table: pa.Table) -> "polars.DataFrame":
    """Return a frame over the same memory; texts of few values are categories."""
    _need("polars")
    import polars

    found = polars.from_arrow(table)
    return found if isinstance(found, polars.DataFrame) else found.to_frame()


def as_pandas(table: pa.Table) -> "pandas.DataFrame":
    """Return a frame; a number's column is Arrow's own memory where pandas can hold it so."""
    _need("pandas")
    return table.to_pandas(split_blocks=True)


def _need(library: str) -> None:
    if find_spec(library) is None:
        raise ExtraMissing(f"{library} is not installed", hint="pip install 'crypto-orderflow[frames]'")

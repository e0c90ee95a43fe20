"""Files: rows as Parquet, CSV and Arrow, written in batches and read back as the same rows.

In CSV an unknown value is nothing between two commas, an empty text is ""; times have microseconds, and
numbers all the digits that give the same number again.
"""

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias, cast

import msgspec
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from orderflow.market.errors import InvalidArgument, RecordingUnreadable
from orderflow.store import plain

Form: TypeAlias = Literal["parquet", "csv", "arrow"]
SUFFIXES: dict[Form, str] = {"parquet": ".parquet", "csv": ".csv", "arrow": ".arrow"}

_READ = 65_536  # rows of a batch


class RowsFile:
    """A file that takes batches of rows; `close` finishes it. It counts and hashes what is written."""

    def __init__(self, file: BinaryIO, form: Form, schema: pa.Schema) -> None:
        self._to = _Counted(file)
        self._writer = _writer(self._to, form, schema)
        self.rows = 0

    @property
    def bytes(self) -> int:
        return self._to.at

    @property
    def sha256(self) -> str:
        return self._to.hash.hexdigest()

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)
        self.rows += batch.num_rows

    def close(self) -> None:
        self._writer.close()


class _Counted:
    """What Arrow writes to: a file that only grows."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.at, self.hash, self.closed = file, 0, hashlib.sha256(), False

    def write(self, data: Any) -> int:
        self.hash.update(data)
        self.at += len(data)
        return self._file.write(data)

    def tell(self) -> int:
        return self.at

    def flush(self) -> None:
        self._file.flush()

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def _writer(to: Any, form: Form, schema: pa.Schema) -> Any:
    match form:
        case "parquet":
            return pq.ParquetWriter(to, schema, compression="zstd")
        case "csv":
            return pcsv.CSVWriter(to, schema, write_options=pcsv.WriteOptions(quoting_style="needed"))
        case "arrow":
            return pa.ipc.new_file(to, schema, options=pa.ipc.IpcWriteOptions(compression="zstd"))


def read(path: Path, form: Form, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file as batches of this schema, or raise `RecordingUnreadable` in one line."""
    try:
        for batch in _batches(path, form, schema):
            yield pa.RecordBatch.from_arrays(
                [batch.column(field.name).cast(field.type) for field in schema], schema=schema
            )
    except (pa.ArrowException, OSError, KeyError) as error:
        said = " ".join(str(error).split())[:200]
        raise RecordingUnreadable(
            f"{path}: {said}", hint=f"is it a {form} file of `orderflow export`?"
        ) from error


def _batches(path: Path, form: Form, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    match form:
        case "parquet":
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(_READ)
        case "csv":
            yield from pcsv.open_csv(
                path,
                parse_options=pcsv.ParseOptions(newlines_in_values=True),
                convert_options=pcsv.ConvertOptions(
                    column_types=schema,
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    timestamp_parsers=[pcsv.ISO8601],
                ),
            )
        case "arrow":
            with pa.ipc.open_file(path) as file:
                for number in range(file.num_record_batches):
                    yield file.get_batch(number)


def save(table: pa.Table, path: Path, form: str) -> int:
    """Write a table as a whole file or not at all; `json` is an object a line. Return its bytes."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            _write(table, file, form)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InvalidArgument(f"{path}: {error.strerror or error}", hint="choose another file") from error
    return size


def encoded(table: pa.Table, form: str) -> bytes:
    """Return a table as what a file of this form holds."""
    file = io.BytesIO()
    _write(table, file, form)
    return file.getvalue()


def _write(table: pa.Table, file: BinaryIO, form: str) -> None:
    if form == "json":
        for row in plain.rows(table):
            file.write(msgspec.json.encode(dict(zip(table.column_names, row, strict=True))) + b"\n")
        return
    held = writable(table, form)
    rows = RowsFile(file, cast("Form", form), held.schema)
    for batch in held.to_batches():
        rows.write(batch)
    rows.close()


def csv_text(table: pa.Table) -> str:
    """Return a table as CSV with a line of names."""
    out = pa.BufferOutputStream()
    pcsv.write_csv(writable(table), out, pcsv.WriteOptions(quoting_style="needed"))
    return out.getvalue().to_pybytes().decode()


def writable(table: pa.Table, form: str = "csv") -> pa.Table:
    """Return a table whose columns the form can hold: in CSV, lists, structures and intervals become text."""
    columns = [
        column
        if _holds(form, field.type)
        else pa.array(
            [None if one is None else str(plain.cell(one)) for one in column.to_pylist()], pa.string()
        )
        for field, column in zip(table.schema, table.columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _holds(form: str, kind: pa.DataType) -> bool:
    if form == "arrow":
        return True
    nested = form == "csv" and (pa.types.is_nested(kind) or pa.types.is_binary(kind))
    return not nested and not pa.types.is_interval(kind)

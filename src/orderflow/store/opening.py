"""Opening: a DuckDB file of ours, for its one writer or to read, or one line that says why not."""

import re
from pathlib import Path

import duckdb

from orderflow.market.errors import StoreUnusable
from orderflow.store import tables
from orderflow.store.migrations import migrate


def open_for_writing(
    path: Path | str, *, memory_limit: str = "1GB", threads: int = 2, mending: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a database of ours, or a new one, as its only writer; its tables are `tables.create`'s matter.
    One of an older schema is brought to today's, unless it is opened to be mended.

    Rows stay in the order in which they were inserted, since windows of time are found by it. The log is
    checkpointed only beyond 512 MB: the owner does it when nothing waits.
    Raises `StoreUnusable` in one line: not a database, another program's, a newer one's, no permission,
    a folder, no such folder, or another process has it.
    """
    path = Path(path)
    _check_place(path)
    settings: dict[str, str | bool | int | float | list[str]] = {
        "checkpoint_threshold": "512MB",
        "memory_limit": memory_limit,
        "threads": threads,
        "preserve_insertion_order": True,
        # What is freed goes back to the system beside the work, else a collector grows for days.
        "allocator_background_threads": True,
        "allocator_flush_threshold": "16MB",
    }
    connection = connect(path, settings)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        if tables.recognise(connection) and not mending:
            migrate(connection)
            _follow(connection)
    except StoreUnusable as error:
        connection.close()
        raise StoreUnusable(f"{path}: {error.message}", hint=error.hint) from None
    return connection


def _follow(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        tables.follow(connection)
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise StoreUnusable(
            f"it was moved, and not all of its archive with it: {said}",
            hint="bring the folder ….archive along; `orderflow doctor --repair` goes on without what is lost",
        ) from error


def connect(
    path: Path, settings: dict[str, str | bool | int | float | list[str]], *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file, or raise `StoreUnusable` saying in one line why it cannot be opened."""
    # Another program's file must not make DuckDB look for an extension that could read it.
    settings = {"autoinstall_known_extensions": False, **settings}
    try:
        return duckdb.connect(str(path), read_only=read_only, config=settings)
    except duckdb.Error as error:
        raise _unusable(path, str(error)) from error


def _unusable(path: Path, said: str) -> StoreUnusable:
    if holder := re.search(r"Conflicting lock is held in (.*?)\(PID (\d+)\)", said):
        return StoreUnusable(
            f"{path}: process {holder[2]} ({Path(holder[1].strip()).name}) has it open for writing",
            hint="a collector runs: read through it (ATTACH over Quack, as in "
            f"{path.name}.quack, or the HTTP door), or stop it first",
        )
    if "not a valid DuckDB database file" in said:
        return StoreUnusable(f"{path}: not a DuckDB database", hint="name a new file, or one of ours")
    if "xtension" in said:
        return StoreUnusable(
            f"{path}: another program's database, which DuckDB would need an extension to read",
            hint="name a new file, or one that `orderflow init` made",
        )
    if "different configuration" in said:
        return StoreUnusable(
            f"{path}: this process has it open already", hint="share the connection: each thread a cursor()"
        )
    first = said.strip().splitlines()[0]
    if "Permission denied" in said:
        return StoreUnusable(f"{path}: no permission", hint="change the file's owner or choose another file")
    return StoreUnusable(f"{path}: DuckDB cannot open it: {first}", hint="is the file whole, and its disk?")


def _check_place(path: Path) -> None:
    """Raise `StoreUnusable` for a path at which no database can be."""
    try:
        if path.is_dir():
            raise StoreUnusable(
                f"{path}: a folder, not a file", hint=f"for example {path / 'orderflow.duckdb'}"
            )
        if not path.absolute().parent.is_dir():
            raise StoreUnusable(
                f"{path}: the folder {path.absolute().parent} does not exist",
                hint="create it, or choose another",
            )
    except OSError as error:
        raise StoreUnusable(f"{path}: {error.strerror}", hint="choose another file") from error

"""The cell: the process in which the sandbox answers one statement, and ends.

`python -m orderflow.store.cell` reads a job as one line of JSON, and writes what it found: a line that says
how it went, then the rows as an Arrow stream. It ends when its starter does.
"""

import atexit
import os
import resource
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import msgspec
import pyarrow as pa

from orderflow.market.errors import (
    Disconnected,
    InvalidArgument,
    OrderflowError,
    StatementRefused,
    TimedOut,
    TooLarge,
)
from orderflow.market.instruments import Series, series
from orderflow.market.streams import STREAMS
from orderflow.store import access, lake, layout
from orderflow.store.identifiers import identifier, text
from orderflow.store.needs import Need, hot_query, needs
from orderflow.store.permits import HINT, Judged, judge
from orderflow.store.sandbox import Job, Limits, Told
from orderflow.store.session import Session

_OTHERS = ("gaps", "runs", "instruments", "sources")
_BATCH = 8_192  # rows
_MEGA = 1_000_000


class Cell:
    """Answers one job within its time: when that is over, whatever DuckDB does is interrupted."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._busy: list[duckdb.DuckDBPyConnection] = []
        self._late = threading.Event()

    def answer(self) -> tuple[pa.Table, bool]:
        """Return the rows, and whether there are more."""
        alarm = threading.Timer(self._job.limits.seconds, self.interrupt)
        alarm.daemon = True
        alarm.start()
        try:
            return self._answer()
        except duckdb.Error as error:
            raise self._told(error) from error
        finally:
            alarm.cancel()
            for one in self._busy:  # a file that stays open here is open to the next one with its limits
                one.close()

    def interrupt(self) -> None:
        """End what is being done; what is connected to a collector takes its leave."""
        self._late.set()
        for one in list(self._busy):
            one.interrupt()

    def _answer(self) -> tuple[pa.Table, bool]:
        limits, place = self._job.limits, self._job.db
        reached = access.reach(place, settings=_settings(limits))
        if lake.is_lake(place):
            shut_in(limits)
        self._busy.append(reached.connection)
        if reached.served is not None:
            connection = self._brought(reached, place)
        else:
            connection = reached.connection
            connection.execute("SET TimeZone = 'UTC'")
            named = _named(Session(connection))
            judge(connection, self._job.statement, _known(named))
        confine(connection, _rows_lie(connection, place))
        return _rows(connection.execute(self._job.statement), limits)

    def _brought(self, remote: access.Reached, place: str) -> duckdb.DuckDBPyConnection:
        """Return a DuckDB of its own that has what the statement needs of the collector's."""
        connection = duckdb.connect(config=_settings(self._job.limits))
        self._busy.append(connection)
        connection.execute("SET TimeZone = 'UTC'")
        try:
            named = _named(Session(*remote))
            judged = judge(connection, self._job.statement, _known(named))
            wanted = needs(connection, judged, named)
            for table in judged.tables & set(_OTHERS):
                _take(connection, remote, f"FROM {table}", f"CREATE TABLE {table} AS FROM brought")
            _bring(connection, remote, wanted)
        finally:
            remote.connection.close()
        _unite(connection, layout.Layout(root=layout.archive_root(place)), wanted, judged, named)
        return connection

    def _told(self, error: duckdb.Error) -> OrderflowError:
        """Say DuckDB's error in one line, as one of ours."""
        said = " ".join(str(error).partition("\n\nLINE ")[0].split())
        said = said.partition("Error: ")[2] or said
        limits = self._job.limits
        if self._late.is_set():
            return TimedOut(
                f"not done within {limits.seconds:g} s", hint="a shorter window, a named series, fewer joins"
            )
        match error:
            case duckdb.OutOfMemoryException():
                return TooLarge(
                    f"the statement needs more than {limits.memory_mb} MB of memory",
                    hint="a shorter window, a named series, fewer columns; `orderflow export` takes rows away",
                )
            case duckdb.PermissionException() | duckdb.NotImplementedException():
                return StatementRefused(said[:300], hint=HINT)
            case duckdb.IOException():
                return Disconnected(f"the database cannot be read: {said[:200]}", hint="ask again")
            case _:
                return InvalidArgument(said[:300], hint="`sql_tables` has the tables and their columns")


def confine(connection: duckdb.DuckDBPyConnection, rows: Path | str) -> None:
    """Take from a connection every way out, save to where rows lie as files; nothing gives it back."""
    for setting in (
        "temp_directory = ''",
        "max_temp_directory_size = '0B'",
        f"allowed_directories = [{text(str(rows))}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")


def _settings(limits: Limits) -> access.Settings:
    return {
        "threads": 2,
        "memory_limit": f"{limits.memory_mb}MB",
        "temp_directory": "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
        "allow_persistent_secrets": False,
    }


def _rows_lie(connection: duckdb.DuckDBPyConnection, place: str) -> str:
    """Return the folder, or S3's, in which a database has rows as files."""
    if not lake.is_lake(place):
        return str(layout.archive_root(place))
    ((found,),) = connection.execute(
        "SELECT value FROM ducklake_options(current_database()) WHERE option_name = 'data_path'"
    ).fetchall()
    return found


def _named(session: Session) -> dict[str, Series]:
    return {one.name: one for one in series(session.symbols())}


def _known(named: Iterable[str]) -> set[str]:
    return {*STREAMS, *_OTHERS, *named}


# ── Beside a collector ────────────────────────────────────────────────────────────────────────


def _bring(connection: duckdb.DuckDBPyConnection, remote: access.Reached, wanted: list[Need]) -> None:
    """Bring over the hot rows that are needed, and which archived files there are beside them.

    A day that is archived meanwhile would be in neither or in both: then all is brought over again.
    """
    hot = {one.stream: layout.Layout().hot(one.stream) for one in wanted}
    while wanted:
        before = _archived(connection, remote)
        for one in wanted:
            table = identifier(hot[one.stream])
            types = dict(
                remote.execute(
                    "SELECT column_name, data_type FROM duckdb_columns()"
                    f" WHERE table_name = {text(hot[one.stream])}"
                ).fetchall()
            )
            shape = ", ".join(f"{identifier(name)} {types[name]}" for name in one.columns)
            connection.execute(f"CREATE OR REPLACE TABLE {table} ({shape})")
            _take(connection, remote, hot_query(one, hot[one.stream]), f"INSERT INTO {table} FROM brought")
        if _archived(connection, remote) == before:
            return


def _archived(connection: duckdb.DuckDBPyConnection, remote: access.Reached) -> list[Any]:
    connection.execute("DROP TABLE IF EXISTS archived")
    connection.execute(layout.ARCHIVED)
    _take(connection, remote, "FROM archived WHERE dropped IS NULL", "INSERT INTO archived FROM brought")
    return connection.execute("SELECT file FROM archived ORDER BY file").fetchall()


def _take(connection: duckdb.DuckDBPyConnection, remote: access.Reached, query: str, into: str) -> None:
    """Run `into`, for which `brought` is what the query finds in the collector."""
    found = remote.execute(query).to_arrow_reader(_BATCH)
    connection.register("brought", found)
    try:
        connection.execute(into)
    finally:
        connection.unregister("brought")
        found.close()  # half read, it would stay open in the collector


def _unite(
    connection: duckdb.DuckDBPyConnection,
    where: layout.Layout,
    wanted: list[Need],
    judged: Judged,
    named: dict[str, Series],
) -> None:
    """Give the streams and series that the statement names their views, with the columns that it names."""
    for need in wanted:
        chosen = ", ".join(map(identifier, need.columns))
        types = _enums(connection, where, need)
        known = layout.files(connection, need.stream)
        for table in judged.tables:
            one = named.get(table)
            if table == need.stream:
                rows, condition = layout.united(where, need.stream, known, types), ""
            elif one is not None and one.stream == need.stream:
                own = [file for file in known if (file.venue, file.symbol) == (one.venue, one.symbol)]
                rows = layout.united(where, need.stream, own, types)
                condition = f" WHERE venue = {text(one.venue)} AND symbol = {text(one.symbol)}"
            else:
                continue
            connection.execute(f"CREATE VIEW {identifier(table)} AS SELECT {chosen} FROM ({rows}){condition}")


def _enums(connection: duckdb.DuckDBPyConnection, where: layout.Layout, need: Need) -> str:
    """Return the casts that give archived rows the types that the hot ones have."""
    found = connection.execute(f"DESCRIBE {identifier(where.hot(need.stream))}").fetchall()
    return ", ".join(
        f"{identifier(name)}::{kind} AS {identifier(name)}"
        for name, kind, *_ in found
        if kind.startswith("ENUM")
    )


# ── The answer ────────────────────────────────────────────────────────────────────────────────


def _rows(found: duckdb.DuckDBPyConnection, limits: Limits) -> tuple[pa.Table, bool]:
    reader = found.to_arrow_reader(min(_BATCH, limits.rows))
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in reader:
        batches.append(batch.slice(0, limits.rows - rows))
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if size > limits.answer_mb * _MEGA:
            raise TooLarge(
                f"the answer has more than {limits.answer_mb} MB",
                hint="aggregate, name fewer columns, add LIMIT",
            )
        if rows > limits.rows:
            break
    return _plain(pa.Table.from_batches(batches, reader.schema)), rows > limits.rows


def _plain(table: pa.Table) -> pa.Table:
    """Return a table whose texts are texts: those of few values come as dictionaries."""
    kinds = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(kinds))


# ── The process ───────────────────────────────────────────────────────────────────────────────


def shut_in(limits: Limits) -> None:
    """Let the system hold this process to its limits: memory, time of the processors, not a byte written."""
    with open("/proc/self/statm") as told:
        now = int(told.read().split()[0]) * resource.getpagesize()
    memory = now + 2 * limits.memory_mb * _MEGA + 512 * _MEGA  # address space: more is taken than used
    seconds = int(limits.seconds + 10) * 4
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    os.nice(10)  # whoever collects goes first


def _end_with_starter(cell: Cell) -> None:
    """Wait until stdin is closed, which is when the starter is gone; take leave, and end."""
    while os.read(0, 4096):
        continue
    cell.interrupt()
    threading.Event().wait(2)
    os._exit(1)


def _tell(out: BinaryIO, told: Told, table: pa.Table | None = None) -> None:
    out.write(msgspec.json.encode(told) + b"\n")
    if table is not None:
        with pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
    out.flush()


def main() -> None:
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
        cell = Cell(job)
        threading.Thread(target=_end_with_starter, args=(cell,), daemon=True).start()
        try:
            if not lake.is_lake(job.db):  # whose extensions are laid out in files of their own first
                shut_in(job.limits)
            table, truncated = cell.answer()
            _tell(out, Told(truncated=truncated), table)
        except OrderflowError as error:
            _tell(out, Told(error=type(error).__name__, message=error.message, hint=error.hint))
        except (MemoryError, pa.ArrowMemoryError):
            _tell(
                out,
                Told(
                    error=TooLarge.__name__,
                    message=f"the statement needs more than {job.limits.memory_mb} MB of memory",
                    hint="a shorter window, a named series, fewer columns",
                ),
            )
        out.flush()
    atexit._run_exitfuncs()  # noqa: SLF001 - what was laid out for a lake is taken away
    os._exit(0)  # threads of DuckDB that are still being stopped hold nobody up


if __name__ == "__main__":
    main()

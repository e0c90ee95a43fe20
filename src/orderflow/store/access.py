"""Access: one process owns a database and serves it over Quack; all others read through it.

The owner calls `serve`, which listens on loopback and writes `<database>.quack` (readable by the
owner's user alone) with the address and a token made for this service. `open_reader` asks it,
or opens the file read-only where nobody serves it. A plain reader holds the file: while one is open
no collector can start on it, so close it.

What a remote statement may do is decided by the server from its parse: queries alone, over our tables
and views and a few harmless table functions. Anything that writes, sets, attaches, copies, reads
files or other hosts is refused. What is not limited is how much a query computes, and whoever has the
token reads everything. EXPLAIN, PIVOT and CALL are refused too: only queries can be checked.

An attached catalogue is read once: a symbol added later has no view there, and shows as '' in tables
until `CALL quack_clear_cache()`. `Reader` sends its questions whole and is always fresh (and quicker:
a count over 2 million rows takes 2 ms against 48, a grouping 7 against 108).
"""

import json
import logging
import os
import secrets
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, TypeAlias

import duckdb
import msgspec

from orderflow.market.errors import DoorUnavailable, StoreUnusable
from orderflow.market.events import Nanos
from orderflow.store import lake
from orderflow.store.identifiers import text
from orderflow.store.opening import connect
from orderflow.store.permits import only_reads
from orderflow.store.reader import Reader
from orderflow.store.session import Served
from orderflow.store.tables import readable
from orderflow.store.turns import Turns

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
SERVING_NICENESS = 19  # the lowest: readers wait a little longer, what is received is never late
Settings: TypeAlias = dict[str, str | bool | int | float | list[str]]


class Service(msgspec.Struct, frozen=True):
    """Where a database is served: the Quack address and its token, and the HTTP door if there is one.

    The token reads; `key` is asked of those who start and stop feeds at the door.
    """

    uri: str
    token: str
    pid: int
    started: Nanos
    simulated: bool = False
    door: str = ""
    key: str = ""


def service_file(path: Path | str) -> Path:
    return Path(f"{path}.quack")


def load_quack(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the Quack extension from its wheel, or install it from DuckDB's site; once an instance."""
    for name in ("httpfs", "quack"):
        try:
            if (found := _wheel(name)) is not None:
                connection.execute(f"LOAD {text(str(found))}")
            else:
                connection.execute(f"INSTALL {name}")
                connection.execute(f"LOAD {name}")
        except duckdb.Error as error:
            raise StoreUnusable(
                f"DuckDB's extension {name} cannot be loaded: {str(error).splitlines()[0]}",
                hint=f"pip install duckdb-extension-{name}=={duckdb.__version__}",
            ) from error


def serve(
    connection: duckdb.DuckDBPyConnection,
    path: Path | str,
    *,
    port: int | None = None,
    simulated: bool = False,
    door: str = "",
) -> Service:
    """Serve an open database on loopback, at a port that is free unless one is asked; tell in its file.

    Raises `DoorUnavailable` where the port is taken.
    """
    load_quack(connection)
    connection.execute(only_reads())
    connection.execute("SET GLOBAL quack_authorization_function = 'orderflow_only_reads'")
    token = secrets.token_urlsafe(24)
    uri = f"quack:{LOOPBACK}:{_free_port() if port is None else port}"
    try:
        _behind_others(connection, f"CALL quack_serve({text(uri)}, token => {text(token)})")
    except duckdb.Error as error:
        raise DoorUnavailable(
            f"{uri} cannot be listened on: {str(error).splitlines()[0]}",
            hint="another port, or none to have one found",
        ) from error
    found = Service(uri, token, os.getpid(), time.time_ns(), simulated, door, secrets.token_urlsafe(24))
    announce(path, found)
    return found


def _behind_others(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Run a statement so that the threads that it starts yield to all others of this process.

    On Linux a thread has a priority of its own, which those that it starts inherit: Quack's threads answer
    readers, ours receive and flush. DuckDB's pool stays as it is, since flushes wait for it, too.
    """

    def run() -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), SERVING_NICENESS)
        with connection.cursor() as cursor:
            cursor.execute(statement).fetchall()

    with ThreadPoolExecutor(1) as one:
        one.submit(run).result()


def announce(path: Path | str, found: Service) -> None:
    """Write the service file in one step, for the owner's user alone."""
    target = service_file(path)
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(msgspec.to_builtins(found), file, indent=1)
    draft.replace(target)


def announced(path: Path | str, *, simulated: bool, door: str) -> Service:
    """Tell of a collector whose rows are read elsewhere: where its door is, and who may steer it."""
    key = secrets.token_urlsafe(24)
    found = Service("", key, os.getpid(), time.time_ns(), simulated, door, key)
    announce(path, found)
    return found


def stop(connection: duckdb.DuckDBPyConnection, path: Path | str, found: Service) -> None:
    """Stop serving and remove the service file, if it is still that of this service."""
    if found.uri:
        connection.execute(f"CALL quack_stop({text(found.uri)})").fetchall()
    if (told := _told(path)) is not None and told.token == found.token:
        service_file(path).unlink(missing_ok=True)


def service(path: Path | str) -> Service | None:
    """Return the service of a database, or None where none answers (a killed process leaves its file)."""
    found = _told(path)
    if found is None:
        return None
    if not found.uri:
        return found if _lives(found.pid) else None
    if (connection := _reached(Served(found.uri, found.token))) is None:
        return None
    connection.close()
    return found


class Reached(NamedTuple):
    """A connection that reads a database: it has the file open, or asks the process that serves it."""

    connection: duckdb.DuckDBPyConnection
    served: Served | None = None

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        """Ask where the database is, the whole statement at once; values are written into it."""
        if self.served is None:
            return self.connection.execute(sql)
        return self.connection.execute("FROM quack_query(?, ?, token => ?)", self.served.asked(sql))


def open_reader(where: Path | str, *, token: str = "") -> Reader:
    """Open a database to read: through the process that serves it, else the file itself, read-only.

    `where` is a path, a lake's address, or one like `quack:127.0.0.1:9555` together with its token.
    Raises `StoreUnusable` in one line: no such file, another program's, locked by a process that does
    not serve it, or an address that does not answer.
    """
    return Reader(*reach(where, token=token))


def reach(where: Path | str, *, token: str = "", settings: Settings | None = None) -> Reached:
    """Connect as `open_reader` does; `settings` are DuckDB's, two threads by default."""
    settings = {"threads": 2} if settings is None else settings
    if str(where).startswith("quack:"):
        served = Served(str(where), token)
        if (connection := _reached(served, settings)) is None:
            raise StoreUnusable(
                f"{where} does not answer, or not to this token", hint="is its collector running?"
            )
        return Reached(connection, served)
    if lake.is_lake(where):
        return Reached(lake.open_to_read(lake.parse(str(where)), settings))
    path = Path(where)
    if (told := _told(path)) is not None:
        served = Served(told.uri, told.token)
        if (connection := _reached(served, settings)) is not None:
            return Reached(connection, served._replace(turns=_turns(path)))
        log.info("stale service file", extra={"path": str(service_file(path)), "pid": told.pid})
    return Reached(_open_file(path, settings))


def _open_file(path: Path, settings: Settings) -> duckdb.DuckDBPyConnection:
    try:
        missing = not path.is_file()
    except OSError as error:
        raise StoreUnusable(f"{path}: {error.strerror}", hint="choose another file") from error
    if missing:
        raise StoreUnusable(
            f"{path}: no such database", hint="`orderflow init` makes one, `orderflow up` fills it"
        )
    connection = connect(path, settings, read_only=True)
    try:
        readable(connection)
    except StoreUnusable as error:
        connection.close()
        raise StoreUnusable(f"{path}: {error.message}", hint=error.hint) from None
    return connection


def _reached(served: Served, settings: Settings | None = None) -> duckdb.DuckDBPyConnection | None:
    """Return a connection that reaches a service, or None if it does not answer to this token."""
    connection = duckdb.connect(config=settings or {})
    load_quack(connection)
    try:
        connection.execute("FROM quack_query(?, ?, token => ?)", served.asked("SELECT 1")).fetchall()
    except duckdb.Error as error:
        log.debug("no service", extra={"uri": served.uri, "said": str(error).splitlines()[0]})
        connection.close()
        return None
    return connection


def _turns(path: Path) -> Turns | None:
    """Return the readers' side of whose turn it is; None where the service has just ended."""
    try:
        return Turns(service_file(path))
    except OSError:
        return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _told(path: Path | str) -> Service | None:
    try:
        return msgspec.json.decode(service_file(path).read_bytes(), type=Service)
    except (OSError, msgspec.MsgspecError):
        return None


def _wheel(name: str) -> Path | None:
    found = find_spec(f"duckdb_extension_{name}")
    if found is None or found.origin is None:
        return None
    file = Path(found.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    return file if file.is_file() else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]

"""The sandbox: one question in SQL, asked by somebody whom nobody vouches for.

`ask` runs a statement in a process of its own that lives for that question (`store.cell`), with limits of
time, of memory, and of the answer's rows and bytes. The statement is judged by its parse (`permits`); it
then runs where DuckDB reads no other file, loads nothing and takes no setting, and where the system lets
the process write no byte and have no more memory.

Beside a collector the process works in two steps. It first brings over what the statement can touch
(`needs`) of the hot tables, which is not yet in archived files, with statements of our own; it then lets
go of the collector, and computes by itself. What was found about Quack (DuckDB 1.5.5), and led to this:

- A statement that is sent over runs in the collector and shares its memory limit. One whose rows are
  brought over streams: the collector sends some chunks, and works when more are asked for. Pulling
  30 million rows cost it 0.8 s of a core and 60 MB.
- An attached catalogue pushes down which columns, and neither conditions nor aggregates. Hence `needs`,
  and questions of our own.
- A client that is killed while an answer streams leaves its connection, with its transaction, in the
  collector for ever. One that closes, even in the middle of an answer, does not. So a statement that may
  have to be killed never runs while its process is connected.
- `duckdb_databases()` shows the token of an attached catalogue; the functions of Quack reach any address,
  whatever settings say. The step that computes has a DuckDB
  of its own, in which nothing was ever attached and no extension was loaded.

The price is memory: what a statement touches of the hot tables must fit the limit, some 10 to 20 bytes a
number. A window of time, a venue, a symbol or a named series makes it little.
"""

import contextlib
import logging
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from orderflow.market import errors
from orderflow.market.errors import InvalidArgument, OrderflowError, RateLimited, TimedOut, TooLarge
from orderflow.store import files, lake, plain
from orderflow.store.permits import MOST_CHARACTERS

log = logging.getLogger(__name__)

_GRACE_S = 5.0  # to start, and to tell what went wrong, before it is killed
_AT_ONCE = threading.BoundedSemaphore(2)
_HEADER = 64 * 1024
# Without these, an arena a thread and Arrow's own pool take 2 GB of address space where 0.5 GB is used.
_FRUGAL = {"MALLOC_ARENA_MAX": "2", "ARROW_DEFAULT_MEMORY_POOL": "system", "LANG": "C.UTF-8"}


class Limits(msgspec.Struct, frozen=True):
    """What a question may cost; more rows than `rows` are cut off, the others end it."""

    rows: int = 10_000
    answer_mb: int = 64
    memory_mb: int = 512
    seconds: float = 20.0

    def __post_init__(self) -> None:
        for name, least, most in (
            ("rows", 1, 10_000_000),
            ("answer_mb", 1, 4_096),
            ("memory_mb", 64, 262_144),
            ("seconds", 0.1, 3_600),
        ):
            if not least <= getattr(self, name) <= most:
                raise InvalidArgument(f"{name}: {getattr(self, name)}", hint=f"{least} to {most}")


class Job(msgspec.Struct, frozen=True):
    """What the process is told: where to read, what to ask, and how far it may go."""

    db: str
    statement: str
    limits: Limits


class Told(msgspec.Struct, frozen=True):
    """What the process answers first; after it come the rows as an Arrow stream, unless it failed."""

    truncated: bool = False
    error: str = ""
    message: str = ""
    hint: str = ""


class Found(NamedTuple):
    """The rows of an answer; `truncated`: there are more."""

    table: pa.Table
    truncated: bool
    seconds: float

    @property
    def columns(self) -> list[str]:
        return self.table.column_names

    @property
    def instants(self) -> list[str]:
        """The columns whose cells are instants."""
        return plain.instants(self.table)

    def rows(self) -> list[list[Any]]:
        """Return the rows as plain values; instants are epoch milliseconds UTC."""
        return list(plain.rows(self.table))

    def csv(self) -> str:
        return files.csv_text(self.table)

    def file(self, form: str) -> bytes:
        """Return the rows as a whole file in one of `files.Form`."""
        return files.encoded(self.table, form)

    def save(self, path: Path, form: str) -> int:
        """Write a whole file, or none, in one of `files.Form` or as lines of JSON; return its bytes."""
        return files.save(self.table, path, form)


def ask(db: Path | str, statement: str, limits: Limits | None = None) -> Found:
    """Return what a statement finds in a database, or raise from the errors' tree and nothing else.

    `StatementRefused`: not one question to our tables. `TooLarge`: too much memory, or too large an
    answer. `TimedOut`. `InvalidArgument`: DuckDB's own word on a wrong column or type.
    `RateLimited`: two statements are being answered already.
    """
    limits = limits or Limits()
    if len(statement) > MOST_CHARACTERS:
        raise InvalidArgument(
            f"the statement has {len(statement):,} characters", hint=f"at most {MOST_CHARACTERS:,}"
        )
    began = time.monotonic()
    with _turn(limits.seconds), _process() as process:
        place = str(db) if lake.is_lake(db) else str(Path(db).absolute())
        job = msgspec.json.encode(Job(place, statement, limits))
        told, body = _answer(process, job + b"\n", limits)
    if told.error:
        raise _error(told)
    table = pa.ipc.open_stream(body).read_all()
    return Found(table, told.truncated, time.monotonic() - began)


@contextlib.contextmanager
def _turn(seconds: float) -> Iterator[None]:
    if not _AT_ONCE.acquire(timeout=seconds):
        raise RateLimited("two statements are being answered already", hint="ask again", after_s=seconds)
    try:
        yield
    finally:
        _AT_ONCE.release()


@contextlib.contextmanager
def _process() -> Iterator[subprocess.Popen[bytes]]:
    """Start the process with nothing of our environment but where the code is, and see to its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "orderflow.store.cell"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **_FRUGAL},
        cwd="/",
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _answer(process: subprocess.Popen[bytes], job: bytes, limits: Limits) -> tuple[Told, memoryview]:
    assert process.stdin and process.stdout and process.stderr  # noqa: S101 - all are pipes
    # The other end of stdin stays open as long as we are there: when it closes, the process ends itself.
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(job)
        process.stdin.flush()
    said, complaints = bytearray(), bytearray()
    most = limits.answer_mb * 1_100_000 + _HEADER
    for pipe, part in _read(process, time.monotonic() + limits.seconds + _GRACE_S):
        if pipe is process.stderr:
            complaints += part
            del complaints[:-2000]
            continue
        said += part
        if len(said) > most:
            raise TooLarge(f"the answer has more than {limits.answer_mb} MB", hint="aggregate, or add LIMIT")
    head, _, body = bytes(said).partition(b"\n")
    if complaints:
        log.debug("said on the way: %s", complaints.decode(errors="replace"))
    try:
        return msgspec.json.decode(head, type=Told), memoryview(body)
    except msgspec.DecodeError:
        log.warning("a statement ended its process: %s", complaints.decode(errors="replace")[-500:])
        raise TooLarge(
            f"the statement ended the process that ran it (limit of memory: {limits.memory_mb} MB)",
            hint="a shorter window, fewer columns, less nesting",
        ) from None


def _read(process: subprocess.Popen[bytes], deadline: float) -> Iterator[tuple[object, bytes]]:
    """Yield what comes until both pipes are closed, or raise `TimedOut`."""
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None  # noqa: S101
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready and left <= 0:
                raise TimedOut("the statement did not end in its time", hint="a shorter window, less work")
            for key, _ in ready:
                part = os.read(key.fd, 1 << 20)
                if part:
                    yield key.fileobj, part
                else:
                    selector.unregister(key.fileobj)


def _error(told: Told) -> OrderflowError:
    kind = getattr(errors, told.error, OrderflowError)
    return kind(told.message, hint=told.hint)

"""Tidying: closed days into the archive, what is kept no longer out, old books thinned, dead files swept.

A collector does it by itself, a little every quarter of an hour, on a thread: flushes go on in between, and
wait only while rows change hands. Without a collector `orderflow tidy` does it. Never two at once.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

import msgspec

from orderflow.market.errors import InvalidArgument, OrderflowError
from orderflow.market.events import Nanos
from orderflow.store import archive, layout, retention, sweeping, tables, thinning
from orderflow.store.archive import COMPACT_AFTER, Compacted, Lock
from orderflow.store.retention import Rule
from orderflow.store.tables import Connection
from orderflow.store.thinning import Thin

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_S = 120.0  # after the start: what a start has to catch up with comes first
EVERY_S = 900.0
EASE = 1.0  # rests after each file, as long as it took
MOST_REST_S = 2.0


class Keeping(msgspec.Struct, frozen=True):
    """What is kept for how long, how thin, and when a day that is over goes into the archive."""

    retention: dict[str, Rule] = {}
    thin: tuple[Thin, ...] = ()
    compact_after: Nanos = COMPACT_AFTER


class Tidied(msgspec.Struct):
    """What a pass did: rows and files; `waited_s` is how long flushes had to wait, at the longest."""

    at: Nanos
    seconds: float = 0.0
    archived_rows: int = 0
    archived_files: int = 0
    archived_bytes: int = 0
    removed_rows: int = 0
    thinned_rows: int = 0
    swept_files: int = 0
    swept_bytes: int = 0
    waited_s: float = 0.0
    problem: str = ""


def tidy(
    connection: Connection,
    keeping: Keeping,
    *,
    now: Nanos | None = None,
    lock: Lock = nullcontext,
    rest: Callable[[], bool] = lambda: True,
    progress: Callable[[Compacted], None] = lambda done: None,
) -> Tidied:
    """Do one pass, and note it in the database. What fails is told in `problem`; the rest is done."""
    now, began = time.time_ns() if now is None else now, time.perf_counter()
    done = Tidied(now)
    if layout.of(connection).root is None:
        return done  # a lake keeps house by itself

    def compacted(one: Compacted) -> None:
        done.archived_rows += one.rows
        done.archived_files += one.files
        done.archived_bytes += one.bytes
        done.waited_s = max(done.waited_s, one.locked_s)
        progress(one)

    def remove() -> None:
        for stream, rule in keeping.retention.items():
            done.removed_rows += retention.remove(
                connection, stream, rule, now=now, lock=lock, rest=rest
            ).rows

    def compact() -> None:
        archive.compact_closed(
            connection, now=now, after=keeping.compact_after, lock=lock, rest=rest, progress=compacted
        )

    def thin() -> None:
        found = thinning.thin(connection, keeping.thin, now=now, lock=lock, rest=rest)
        done.thinned_rows = found.before - found.after

    def sweep() -> None:
        found = sweeping.sweep(connection)
        done.swept_files, done.swept_bytes = found.files, found.bytes

    problems: list[str] = []
    for step in (remove, compact, thin, sweep):
        try:
            step()
        except OrderflowError as error:
            problems.append(error.message)
    if done.archived_rows or done.removed_rows:
        with lock():  # what the rows took up is free for new ones from the next checkpoint on
            tables.checkpoint(connection)
    done.seconds, done.problem = round(time.perf_counter() - began, 3), "; ".join(problems)
    with lock():
        tables.note(connection, "tidied", msgspec.json.encode(done).decode())
    return done


def last(about: dict[str, str]) -> Tidied | None:
    """Return what the last pass noted, if there was one."""
    try:
        return msgspec.json.decode(about["tidied"], type=Tidied)
    except (KeyError, msgspec.MsgspecError):
        return None


class Tidying:
    """Tidies a collector's database beside its flushes. `flushing` is the lock that a flush holds."""

    def __init__(self, connection: Connection, keeping: Keeping, flushing: asyncio.Lock) -> None:
        self.last: Tidied | None = None
        self._connection, self._keeping, self._flushing = connection, keeping, flushing
        self._turn = asyncio.Lock()
        self._stop = threading.Event()

    async def again_and_again(self) -> None:
        await asyncio.sleep(FIRST_S)
        while True:
            await self.once()
            await asyncio.sleep(EVERY_S)

    async def once(self) -> Tidied:
        """Do one pass, after the one that is under way; return what it did."""
        found = await self.alone(
            lambda lock: tidy(self._connection, self._keeping, lock=lock, rest=self._easing())
        )
        if found.problem and (self.last is None or self.last.problem != found.problem):
            log.warning("tidying: %s", found.problem)
        if found.archived_rows or found.removed_rows or found.thinned_rows:
            log.info(
                "tidied in %.1f s: %d rows archived, %d removed, %d thinned out; flushes waited %.2f s at most",
                found.seconds, found.archived_rows, found.removed_rows, found.thinned_rows, found.waited_s,
            )  # fmt: skip
        self.last = found
        return found

    async def alone(self, work: Callable[[Lock], T]) -> T:
        """Do work on the archive on a thread, while nothing else changes it; begun, it comes to an end.

        The work is given what lets the flushes wait. Raises `InvalidArgument` where the collector ends.
        """
        if self._stop.is_set():
            raise InvalidArgument("the collector is being stopped")
        loop = asyncio.get_running_loop()

        async def in_turn() -> T:
            async with self._turn:
                return await asyncio.to_thread(work, lambda: self._pausing(loop))

        return await asyncio.shield(in_turn())

    async def close(self) -> None:
        """Let what is under way come to its next rest, and wait for it."""
        self._stop.set()
        async with self._turn:
            return

    @contextmanager
    def _pausing(self, loop: asyncio.AbstractEventLoop) -> Generator[None]:
        asyncio.run_coroutine_threadsafe(self._flushing.acquire(), loop).result()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(self._flushing.release)

    def _easing(self) -> Callable[[], bool]:
        began = time.perf_counter()

        def rest() -> bool:
            nonlocal began
            stopped = self._stop.wait(min((time.perf_counter() - began) * EASE, MOST_REST_S))
            began = time.perf_counter()
            return not stopped

        return rest

"""Tasks: work that takes a while, begun for somebody who then asks how far it is, or cancels it."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

import msgspec

from orderflow.market.errors import InvalidArgument, NoData, OrderflowError
from orderflow.market.events import MS

log = logging.getLogger(__name__)

MOST_RUNNING = 2  # at once: they share the disk and the venues with what is collected
MOST_KEPT = 100

State: TypeAlias = Literal["running", "done", "failed", "cancelled"]


class Task(msgspec.Struct, kw_only=True):
    """A task as answers show it: times are epoch milliseconds, `progress` and `result` plain values."""

    id: str
    kind: str
    about: dict[str, Any]
    state: State = "running"
    began: int
    ended: int | None = None
    progress: dict[str, Any] = {}
    result: dict[str, Any] = {}
    error: str = ""


Tell: TypeAlias = Callable[[dict[str, Any]], None]  # how far it is; from any thread


class Tasks:
    """The tasks of one process, the newest last. Its methods belong to the loop in which they run."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._tasks: dict[str, Task] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    def begin(
        self, kind: str, about: dict[str, Any], work: Callable[[Tell], Awaitable[dict[str, Any]]]
    ) -> Task:
        """Begin a task and return it at once; raises `InvalidArgument` where enough are running."""
        if len(self._running) >= MOST_RUNNING:
            running = ", ".join(self._running)
            raise InvalidArgument(
                f"{len(self._running)} tasks are running: {running}",
                hint="wait for one, or cancel it: job_cancel",
            )
        task = Task(id=f"{kind}-{secrets.token_hex(4)}", kind=kind, about=about, began=self._clock() // MS)
        self._tasks[task.id] = task
        while len(self._tasks) > MOST_KEPT:
            del self._tasks[next(one for one in self._tasks if one not in self._running)]
        self._running[task.id] = asyncio.ensure_future(self._run(task, work))
        return task

    async def _run(self, task: Task, work: Callable[[Tell], Awaitable[dict[str, Any]]]) -> None:
        def tell(progress: dict[str, Any]) -> None:
            task.progress = progress

        try:
            task.result = await work(tell)
            task.state = "done"
        except asyncio.CancelledError:
            task.state = "cancelled"
        except OrderflowError as error:
            task.state, task.error = "failed", error.message
        except (OSError, RuntimeError, ValueError) as error:
            log.exception("task %s failed", task.id)
            task.state, task.error = "failed", f"{type(error).__name__}: the log has the details"
        finally:
            task.ended = self._clock() // MS
            del self._running[task.id]

    def all(self) -> list[Task]:
        return list(self._tasks.values())

    def one(self, id: str) -> Task:
        """Return a task; raise `NoData` for an unknown one."""
        if id not in self._tasks:
            known = ", ".join(list(self._tasks)[-5:]) or "none was begun since this process started"
            raise NoData(f"no task {id[:40]!r}", hint=f"tasks: {known}")
        return self._tasks[id]

    async def cancel(self, id: str) -> Task:
        """Cancel a task and wait until it has stopped; one that has ended stays as it is."""
        task, running = self.one(id), self._running.get(id)
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return task

    async def close(self) -> None:
        for id in list(self._running):
            await self.cancel(id)

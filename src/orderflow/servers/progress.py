"""Progress: what a tool tells of its way, from its thread, to the client that asked to hear it.

Only the newest is sent, ten times a second at most: a tool that tells often, or a client that reads slowly,
makes nothing wait. What would not be further than what was sent is left out, as the protocol wants.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from mcp.server.context import ServerRequestContext

from orderflow.tools.spec import Tell

_EVERY_S = 0.1
_LONGEST = 500  # characters of what is said


class _Told(NamedTuple):
    done: float
    of: float | None
    said: str


@asynccontextmanager
async def telling(ctx: ServerRequestContext[Any, Any]) -> AsyncIterator[Tell]:
    """Give what a tool tells to the client of this request, if it asked for that, until the answer is there.

    The last of it is sent before the answer is.
    """
    newest = _Newest(ctx.session.report_progress)  # which does nothing where nobody asked
    try:
        yield newest.tell
        await newest.end()
    finally:
        newest.drop()


class _Newest:
    """What was told last and not sent yet."""

    def __init__(self, report: Callable[[float, float | None, str | None], Awaitable[None]]) -> None:
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._waiting: _Told | None = None
        self._over = asyncio.Event()
        self._changed = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None  # begins when something is told

    def tell(self, done: float, of: float | None, said: str, /) -> None:
        """Take what a tool tells, in any thread; after the answer it is told to nobody."""
        if not self._over.is_set():
            self._loop.call_soon_threadsafe(self._take, _Told(float(done), of, said[:_LONGEST]))

    async def end(self) -> None:
        """Send what is left."""
        await asyncio.sleep(0)  # what was told in the loop itself is taken first
        self._over.set()
        self._changed.set()
        if self._sending is not None:
            await self._sending

    def drop(self) -> None:
        self._over.set()
        if self._sending is not None:
            self._sending.cancel()

    def _take(self, told: _Told) -> None:
        if self._over.is_set() or (self._waiting is not None and told.done < self._waiting.done):
            return
        self._waiting = told
        self._changed.set()
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        sent: float | None = None
        while True:
            await self._changed.wait()
            self._changed.clear()
            told, self._waiting = self._waiting, None
            if told is not None and (sent is None or told.done > sent):
                sent = told.done
                await self._report(told.done, told.of, told.said)
            if self._over.is_set():
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), _EVERY_S)

"""Subscribing: channels asked for in batches, and a venue's answers brought back to what was asked."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count

from orderflow.feed.limits import Sleep, Window, turn
from orderflow.market.errors import Disconnected
from orderflow.market.events import Control
from orderflow.venues.spec import Limits, Names

ASK_TRIES = 2
FIRST_ID = 1001  # below are the ids that a form may use in messages of its own


async def within(sleep: Sleep, seconds: float, *waited: asyncio.Future) -> bool:
    """Wait for one of the futures for so long; say whether one is done."""
    timer = asyncio.ensure_future(sleep(seconds))
    try:
        await asyncio.wait({timer, *waited}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
    return any(one.done() for one in waited)


class _Asked:
    """A batch that waits for its answer, under every id by which it was asked."""

    def __init__(self, names: Names) -> None:
        self.open = dict.fromkeys(names)
        self.refused: dict[str, str] = {}
        self.whole: Control | None = None  # the request was refused, and which of its names is not told
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, names: Iterable[str], refused: str | None = None) -> None:
        for name in names:
            if name in self.open:
                del self.open[name]
                if refused is not None:
                    self.refused[name] = refused
        if not self.open:
            self.close()

    def close(self) -> None:
        if not self.answer.done():
            self.answer.set_result(None)


class Subscriptions:
    """What one connection has asked for; `failed` are the names that the venue refused, with its reasons.

    `send` puts a message on the wire, `gone` is done when the connection is. An answer may name what it
    is about, or the request's id, or neither: then it is taken for one to the oldest request, and what
    it may have hit by mistake is asked again alone.
    """

    def __init__(
        self,
        limits: Limits,
        sleep: Sleep,
        pace: Window,
        send: Callable[[bytes], None],
        gone: "asyncio.Future[str]",
        where: str,
    ) -> None:
        self.failed: dict[str, str] = {}
        self._limits, self._sleep, self._pace = limits, sleep, pace
        self._send, self._gone, self._where = send, gone, where
        self._ids = count(FIRST_ID)
        self._pending: dict[int, _Asked] = {}
        self._alone = asyncio.Lock()

    @property
    def waiting(self) -> bool:
        return bool(self._pending)

    async def ask(self, batches: Sequence[Names], message: Callable[[Names, int], bytes]) -> None:
        """Ask for batches until each name is answered; raises `Disconnected`."""
        await asyncio.gather(*(self._insist(batch, message) for batch in batches))

    def forget(self, names: Iterable[str]) -> None:
        """Forget that these were refused: they are wanted no longer."""
        for name in names:
            self.failed.pop(name, None)

    async def tell(self, names: Names, message: Callable[[Names, int], bytes]) -> bool:
        """Send one message about these names; say whether all of it was answered."""
        asked = await self._answered(names, message)
        return not asked.open and not asked.refused

    def obey(self, said: Control) -> None:
        """Bring an answer to what it answers."""
        if said.kind not in ("ack", "refused"):
            return
        refused = said.message if said.kind == "refused" else None
        asked = None if said.id is None else self._pending.get(said.id)
        if said.names:
            for one in dict.fromkeys(self._pending.values()):
                one.settle(said.names, refused)
            if asked is not None and refused is None:
                asked.settle(list(asked.open), f"{self._where}: not among the channels that it accepted")
        elif refused is None:
            if asked is not None:
                asked.settle(list(asked.open))
        else:
            if asked is None and said.id is None and self._pending:
                asked = next(iter(self._pending.values()))
            if asked is not None:
                asked.whole = said
                asked.close()

    async def _insist(self, names: Names, message: Callable[[Names, int], bytes]) -> None:
        """Ask; what is refused as a whole is asked again in halves, one request at a time."""
        todo = deque(self._halves(await self._answered(names, message), alone=False))
        if not todo:
            return
        async with self._alone:
            while todo:
                todo.extendleft(
                    reversed(self._halves(await self._answered(todo.popleft(), message), alone=True))
                )

    def _halves(self, asked: _Asked, *, alone: bool) -> list[Names]:
        """Note what is settled; return what is to be asked again."""
        self.failed.update(asked.refused)
        left = list(asked.open)
        if not left:
            return []
        if asked.whole is None:
            waited = f"no acknowledgement in {self._limits.ack_timeout_s:g} s, asked {ASK_TRIES} times"
            self.failed.update(dict.fromkeys(left, waited))
            return []
        if len(left) > 1:
            return [left[: len(left) // 2], left[len(left) // 2 :]]
        if alone or asked.whole.id is not None:
            self.failed[left[0]] = asked.whole.message
            return []
        return [left]

    async def _answered(self, names: Names, message: Callable[[Names, int], bytes]) -> _Asked:
        """Ask, twice if need be, and wait for the answer. Raises `Disconnected`."""
        asked = _Asked(names)
        ids: list[int] = []
        try:
            for _ in range(ASK_TRIES):
                await turn(self._pace, self._sleep)
                ids.append(next(self._ids))
                self._pending[ids[-1]] = asked
                for name in asked.open:
                    self.failed.pop(name, None)
                self._send(message(list(asked.open), ids[-1]))
                await within(self._sleep, self._limits.ack_timeout_s, asked.answer, self._gone)
                if self._gone.done():
                    raise Disconnected(f"{self._where}: {self._gone.result()}")
                if asked.answer.done():
                    break
            return asked
        finally:
            for id in ids:
                self._pending.pop(id, None)

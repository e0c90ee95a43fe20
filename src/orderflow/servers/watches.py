"""Watches: calls that last, each in a thread of its own, so many at once and no more; and how long they may last.

The threads are daemons: a process that ends does not wait for what somebody watches.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from orderflow.market.errors import RateLimited
from orderflow.servers.replies import Reply

MOST_WATCHES = 8

# So many seconds each may watch before it answers: what its tool says in `lasts_s`, told here without the tools,
# so that who asks a service over a network need not load them.
LASTS_S: dict[str, float] = dict.fromkeys(
    ("live_analyze", "stream_and_analyze", "quick_analyze", "analyze_for_duration"), 300.0
)


def lasts_s(name: str, arguments: Mapping[str, Any] | None) -> float:
    """Return how much longer than others a call may take; of one that is passed on, that of the tool it names.

    >>> lasts_s("call_tool", {"name": "quick_analyze"}), lasts_s("xv_prices", None)
    (300.0, 0.0)
    """
    if name == "call_tool":
        name = str((arguments or {}).get("name"))
    return LASTS_S.get(name, 0.0)


class Watches:
    """Has calls answered beside the loop; the ninth at once is refused."""

    def __init__(self, most: int = MOST_WATCHES) -> None:
        self._most = most
        self._free = threading.BoundedSemaphore(most)

    async def run(self, answer: Callable[[], Reply]) -> Reply:
        """Return what a call answers, raising what it raises; raise `RateLimited` where too many are at it."""
        if not self._free.acquire(blocking=False):
            raise RateLimited(
                f"{self._most} watches are running, and no more can", hint="ask again when one has ended"
            )
        future: Future[Reply] = Future()
        future.set_running_or_notify_cancel()  # who stops waiting does not stop the watch
        threading.Thread(target=self._answer, args=(future, answer), name="watch", daemon=True).start()
        return await asyncio.wrap_future(future)

    def _answer(self, future: "Future[Reply]", answer: Callable[[], Reply]) -> None:
        try:
            found = answer()
        except BaseException as error:  # noqa: BLE001 - whoever waits is told, whatever it is
            self._free.release()
            future.set_exception(error)
        else:
            self._free.release()
            future.set_result(found)

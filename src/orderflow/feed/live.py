"""Live: feeds side by side into one inbox; frames in the order in which they arrive."""

import asyncio
import logging
import random as chance
from collections.abc import AsyncGenerator, Callable, Sequence

from orderflow.feed.feed import Feed
from orderflow.feed.frames import Frame
from orderflow.feed.inbox import Inbox
from orderflow.feed.limits import Backoff, Random, Sleep
from orderflow.feed.line import STOPPED
from orderflow.market.errors import InvalidArgument

__all__ = ["Feed", "Feeds", "Inbox", "live"]

log = logging.getLogger(__name__)


class Feeds:
    """Feeds that are started and stopped by name; one that fails by our own error is begun again.

    A failure never reaches another feed. What is known of the dead stays in `feeds` until it is begun
    again, after a wait that grows with each failure.
    """

    def __init__(self, *, sleep: Sleep = asyncio.sleep, random: Random = chance.random) -> None:
        self.feeds: dict[str, Feed] = {}
        self._sleep, self._random = sleep, random
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, make: Callable[[], Feed]) -> Feed:
        """Start a feed, made anew after each failure; the one of its venue must not be running."""
        feed = make()
        name = feed.venue.name
        if name in self._tasks and not self._tasks[name].done():
            raise InvalidArgument(f"{name} is being collected already", hint="stop it first")
        self.feeds[name] = feed
        self._tasks[name] = asyncio.create_task(self._keep(name, make))
        return feed

    async def stop(self, name: str, why: str = STOPPED) -> None:
        """Stop a feed and wait until it has stopped; `why` is what its gaps then say."""
        if why != STOPPED and name in self.feeds:
            self.feeds[name].leave(why)
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        await asyncio.gather(*(self.stop(name) for name in list(self._tasks)))

    async def _keep(self, name: str, make: Callable[[], Feed]) -> None:
        backoff = Backoff(self._random)
        restarts = 0
        while True:
            feed = self.feeds[name]
            began = asyncio.get_running_loop().time()
            running = asyncio.ensure_future(feed.run())
            try:
                await asyncio.wait((running,))
            except asyncio.CancelledError:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                raise
            error = None if running.cancelled() else running.exception()
            if error is None:
                return  # it had nothing to do
            failed(feed, error)
            await self._sleep(backoff.delay_s(asyncio.get_running_loop().time() - began))
            restarts += 1
            self.feeds[name] = make()
            self.feeds[name].health.restarts = restarts


def failed(feed: Feed, error: BaseException) -> None:
    """Say that a feed has failed by our own error."""
    feed.health.state, feed.health.error = "failed", repr(error)
    log.error("%s: its feed has failed", feed.venue.name, exc_info=error)


async def live(feeds: Sequence[Feed]) -> AsyncGenerator[list[Frame], None]:
    """Run the feeds and yield their inbox's batches; a feed that fails by our own error leaves the others.

    Ends when every feed has ended; closing the generator stops them.
    """
    if not feeds or any(feed.inbox is not feeds[0].inbox for feed in feeds):
        raise InvalidArgument("live needs at least one feed, and one inbox for all of them")
    inbox = feeds[0].inbox
    running = {asyncio.create_task(feed.run()): feed for feed in feeds}
    left = set(running)

    def ended(task: "asyncio.Task[None]") -> None:
        left.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            failed(running[task], error)
        if not left:
            inbox.close()

    for task in running:
        task.add_done_callback(ended)
    try:
        async for batch in inbox.batches():
            yield batch
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

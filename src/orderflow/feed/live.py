"""Live: one feed per venue, all into one inbox; frames in the order in which they arrive."""

import asyncio
import logging
import random as chance
import time
from collections.abc import AsyncGenerator, Sequence

import httpx

from orderflow.feed import sockets
from orderflow.feed.asking import Asking
from orderflow.feed.connection import Wanted, World, within
from orderflow.feed.frames import Frame
from orderflow.feed.health import VenueHealth
from orderflow.feed.inbox import Inbox
from orderflow.feed.limits import Clock, ConnectBudget, Random, Sleep
from orderflow.feed.line import Line, Notes
from orderflow.feed.rest import Rest
from orderflow.market.errors import InvalidArgument
from orderflow.venues.spec import Hosts, Venue

__all__ = ["Feed", "Inbox", "live"]

log = logging.getLogger(__name__)

LISTING_PATIENCE_S = 10.0


class Feed:
    """One venue: its connections, its polls, its snapshots, all into the inbox.

    `streams` chooses channels and polls (all by default); `hosts` replaces the venue's addresses;
    `budget` may be shared by feeds whose venues share a host. Everything else is the world, for tests.
    """

    def __init__(
        self,
        venue: Venue,
        symbols: Sequence[str],
        inbox: Inbox,
        *,
        streams: Sequence[str] | None = None,
        hosts: Hosts | None = None,
        budget: ConnectBudget | None = None,
        clock: Clock = time.time_ns,
        sleep: Sleep = asyncio.sleep,
        random: Random = chance.random,
        connect: sockets.Connect = sockets.connect,
        transport: httpx.AsyncBaseTransport | None = None,
        tick_s: float = 1.0,
    ) -> None:
        self.venue, self.symbols, self.inbox = venue, list(dict.fromkeys(symbols)), inbox
        self._hosts = hosts or venue.hosts
        self._streams = streams
        self._world = World(clock, sleep, random, connect, tick_s)
        self._budget = budget or ConnectBudget(clock)
        self.rest = Rest(venue, self._hosts, clock=clock, sleep=sleep, random=random, transport=transport)
        self.health = VenueHealth(venue.name, rest=self.rest.health)
        self._notes = Notes(venue, inbox, self._world, self.health)
        self._asking = Asking(venue, streams, self.rest, inbox, self._world, self._notes, self.health)

    def request_snapshot(self, symbol: str) -> None:
        """Ask for a book's snapshot; it arrives in the inbox. Asking again while one is due does nothing."""
        self._asking.snapshot(symbol)

    async def run(self) -> None:
        """Run until cancelled. What the venue does wrong ends in notes and health; our errors are raised."""
        self.health.state = "running"
        try:
            async with asyncio.TaskGroup() as group:
                listed = asyncio.Event()
                group.create_task(self._asking.listing(self.symbols, listed))
                group.create_task(self._asking.snapshots())
                group.create_task(self._asking.clock_offset())
                await self._patiently(listed)
                symbols = [one for one in self.symbols if one not in self.health.refused]
                for poll in self._asking.polls:
                    group.create_task(self._asking.poll(poll, symbols))
                for line in self._lines(symbols):
                    self.health.connections.append(line.health)
                    group.create_task(line.run())
        finally:
            self.health.state = "stopped"
            await self.rest.close()

    async def _patiently(self, listed: asyncio.Event) -> None:
        waiting = asyncio.ensure_future(listed.wait())
        try:
            await within(self._world.sleep, LISTING_PATIENCE_S, waiting)
        finally:
            waiting.cancel()

    def _lines(self, symbols: Sequence[str]) -> list[Line]:
        """Return one line for each shard of each route."""
        routes: dict[str, list[Wanted]] = {}
        for channel in self.venue.channels_for(self._streams):
            for symbol in symbols:
                name = self.venue.channel_name(channel, symbol)
                routes.setdefault(channel.route, []).append(Wanted(name, channel, symbol))
        size = self.venue.limits.streams_per_connection
        return [
            Line(
                self.venue,
                route,
                self._hosts.ws[route],
                wanted[at : at + size],
                self.inbox,
                self._world,
                self._budget,
                self._notes,
            )
            for route, wanted in routes.items()
            for at in range(0, len(wanted), size)
        ]


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
            feed = running[task]
            feed.health.state, feed.health.error = "failed", repr(error)
            log.error("%s: its feed has failed", feed.venue.name, exc_info=error)
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

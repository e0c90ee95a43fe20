"""Feed: one venue's connections, polls and snapshots, all into one inbox."""

import asyncio
import random as chance
import time
from collections.abc import Sequence

import httpx

from orderflow.feed import sockets
from orderflow.feed.asking import Asking
from orderflow.feed.connection import Series, Wanted, World
from orderflow.feed.frames import ON_PURPOSE
from orderflow.feed.health import VenueHealth
from orderflow.feed.inbox import Inbox
from orderflow.feed.limits import Clock, ConnectBudget, Random, Sleep
from orderflow.feed.line import STOPPED, Line, Notes
from orderflow.feed.rest import Rest
from orderflow.feed.subscribing import within
from orderflow.venues.spec import Hosts, Memory, Venue

LISTING_PATIENCE_S = 10.0


class Feed:
    """One venue: its connections, its polls, its snapshots, all into the inbox.

    `streams` chooses channels and polls (all by default); `hosts` replaces the venue's addresses; `key`
    is what the venue asks for, if it does; `budget` is shared by feeds whose venues share a host.
    Everything else is the world, for tests.
    """

    def __init__(
        self,
        venue: Venue,
        symbols: Sequence[str],
        inbox: Inbox,
        *,
        streams: Sequence[str] | None = None,
        hosts: Hosts | None = None,
        key: str | None = None,
        budget: ConnectBudget | None = None,
        clock: Clock = time.time_ns,
        sleep: Sleep = asyncio.sleep,
        random: Random = chance.random,
        connect: sockets.Connect = sockets.connect,
        transport: httpx.AsyncBaseTransport | None = None,
        tick_s: float = 1.0,
    ) -> None:
        venue = venue.with_key(key)
        self.venue, self.symbols, self.inbox = venue, list(dict.fromkeys(symbols)), inbox
        self._lacks_key = venue.lacks_key(key)
        self._hosts = hosts or venue.hosts
        self._streams = streams
        self._world = World(clock, sleep, random, connect, tick_s)
        self._budget = budget or ConnectBudget(clock)
        self.rest = Rest(venue, self._hosts, clock=clock, sleep=sleep, random=random, transport=transport)
        self.health = VenueHealth(venue.name, rest=self.rest.health)
        self._notes = Notes(venue, inbox, self._world, self.health)
        self._asking = Asking(venue, streams, self.rest, inbox, self._world, self._notes, self.health)
        self._group: asyncio.TaskGroup | None = None
        self._lines: dict[Line, asyncio.Task[None]] = {}
        self._polling: list[asyncio.Task[None]] = []
        self._polled: tuple[object, ...] = ()
        self._poll_series: Series = []
        self._farewell = STOPPED
        self._anew: set[str] = set()  # symbols whose books begin anew now, or did a moment ago
        self._again: set[str] = set()  # those of them that have been lost again since
        self._changed = asyncio.Event()

    @property
    def running(self) -> bool:
        """Tell whether its connections may be used."""
        return self.health.state == "running" and not self.rest.closed

    @property
    def memory(self) -> Memory:
        """What the venue lists, as far as it was read."""
        return self._asking.memory

    # ── What may be asked of it ───────────────────────────────────────────────────────────────

    def request_snapshot(self, symbol: str) -> None:
        """Ask for a book's snapshot; it arrives in the inbox. Asking again while one is due does nothing.

        Where snapshots come over the socket, the book's channel is subscribed anew.
        """
        if self.venue.snapshot is not None:
            self._asking.snapshot(symbol)
        elif symbol in self._anew:
            self._again.add(symbol)  # lost again before its time is over: then at its end
        elif self._group is not None:
            self._anew.add(symbol)
            self._group.create_task(self._begin_anew(symbol))

    def change(self, symbols: Sequence[str] | None = None, streams: Sequence[str] | None = None) -> None:
        """Collect other symbols or streams from now on; None leaves them as they are."""
        if symbols is not None:
            self.symbols = list(dict.fromkeys(symbols))
            self._asking.judge(self.symbols)
        if streams is not None:
            self._streams = list(streams)
            self._asking.choose(streams)
        self._changed.set()

    def leave(self, reason: str) -> None:
        """Say this of every series when it is stopped: somebody wants it so, and the process goes on."""
        self._farewell = reason
        for line in self._lines:
            line.farewell = reason

    # ── Running ───────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Run until cancelled. What the venue does wrong ends in notes and health; our errors are raised."""
        if self._lacks_key and self.venue.key is not None:
            self.health.state, self.health.error = "disabled", self.venue.key.required
            self._notes.disabled(self.venue.key.required)
            await self.rest.close()
            return
        self.health.state, self.health.error = "running", ""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                tried = asyncio.Event()
                group.create_task(self._asking.listing(lambda: self.symbols, tried, self._changed))
                group.create_task(self._asking.snapshots())
                group.create_task(self._asking.clock_offset())
                await self._patiently(tried)
                while True:
                    self._changed.clear()
                    await self._apply(group)
                    await self._changed.wait()
        finally:
            self._group = None
            self.health.state = "stopped"
            if self._poll_series:
                self._notes.say("disconnected", "polls", self._poll_series, self._farewell)
            await self.rest.close()

    async def _patiently(self, listed: asyncio.Event) -> None:
        waiting = asyncio.ensure_future(listed.wait())
        try:
            await within(self._world.sleep, LISTING_PATIENCE_S, waiting)
        finally:
            waiting.cancel()

    async def _begin_anew(self, symbol: str) -> None:
        """Subscribe a book's channel anew, at most once in its interval."""
        try:
            while True:
                self._again.discard(symbol)
                await asyncio.gather(*(line.resubscribe(symbol) for line in list(self._lines)))
                await self._world.sleep(self.venue.snapshot_interval_s)
                if symbol not in self._again:
                    break
        finally:
            self._anew.discard(symbol)

    # ── Lines and polls ───────────────────────────────────────────────────────────────────────

    async def _apply(self, group: asyncio.TaskGroup) -> None:
        """Let lines and polls be for what is wanted now."""
        symbols = [one for one in self.symbols if one not in self.health.refused]
        asked = (tuple(symbols), tuple(self._asking.polls))
        if asked != self._polled:
            self._polled = asked
            for task in self._polling:
                task.cancel()
            self._polling = [
                group.create_task(self._asking.poll(poll, symbols)) for poll in self._asking.polls
            ]
            before, self._poll_series = self._poll_series, self._asking.polled(symbols)
            gone = [
                one for one in before if one not in self._poll_series and one[1] not in self.health.refused
            ]
            if gone:
                self._notes.say("disconnected", "polls", gone, ON_PURPOSE)
        wanted = self._wanted(symbols)
        changes = []
        for line, task in list(self._lines.items()):
            names = {one.name for one in line.wanted}
            kept = [one for one in wanted.get(line.health.route, {}).values() if one.name in names]
            for one in kept:
                del wanted[line.health.route][one.name]
            room = self.venue.limits.streams_per_connection - len(kept)
            left = list(wanted.get(line.health.route, {}).values())[:room]
            for one in left:
                del wanted[line.health.route][one.name]
            if not kept and not left:
                line.farewell = ON_PURPOSE
                task.cancel()
                del self._lines[line]
                self.health.connections.remove(line.health)
            elif {one.name for one in (*kept, *left)} != names or kept != [*line.wanted]:
                changes.append(line.change([*kept, *left], self.health.refused))
        size = self.venue.limits.streams_per_connection
        for route, names in wanted.items():
            left = list(names.values())
            for at in range(0, len(left), size):
                self._begin(group, route, left[at : at + size])
        await asyncio.gather(*changes)

    def _wanted(self, symbols: Sequence[str]) -> dict[str, dict[str, Wanted]]:
        """Return what is to be subscribed, by route and name."""
        found: dict[str, dict[str, Wanted]] = {}
        for channel in self.venue.channels_for(self._streams):
            for symbol in symbols:
                for name in self.venue.channel_names(channel, symbol, self._asking.memory):
                    names = found.setdefault(channel.route, {})
                    before = names[name].symbols if name in names else ()
                    names[name] = Wanted(name, channel, (*before, symbol))
        return found

    def _begin(self, group: asyncio.TaskGroup, route: str, wanted: Sequence[Wanted]) -> None:
        line = Line(
            self.venue,
            route,
            self._hosts.ws[route],
            wanted,
            self.inbox,
            self._world,
            self._budget,
            self._notes,
        )
        self.health.connections.append(line.health)
        self._lines[line] = group.create_task(line.run())

"""A line: one shard of a venue's channels, kept connected; lost, replaced, and said so in notes."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Literal

from orderflow.feed.connection import Connection, Ending, Series, Wanted, World, series
from orderflow.feed.frames import Note, note
from orderflow.feed.health import ConnectionHealth, VenueHealth
from orderflow.feed.inbox import Inbox
from orderflow.feed.limits import Backoff, ConnectBudget
from orderflow.market.errors import Rejected, Retry
from orderflow.market.events import SECOND, Nanos
from orderflow.venues.spec import Venue

log = logging.getLogger(__name__)

REJECTED_WAIT_S = 300.0  # a refusal that repeating does not change may still be lifted from outside
LINGER_S = 1.0  # a replaced socket is read for so long: what the venue had sent it is still under way

NoteKind = Literal["connected", "disconnected", "silent", "refused", "limited"]


class Notes:
    """Writes a venue's notes into the inbox, and counts them."""

    def __init__(self, venue: Venue, inbox: Inbox, world: World, health: VenueHealth) -> None:
        self._venue, self._inbox, self._world, self._health = venue.name, inbox, world, health

    def say(
        self, kind: NoteKind, route: str, about: Series, reason: str = "", *, since: Nanos | None = None
    ) -> None:
        """Write a note; `since` is when these series were last heard, where that is known."""
        self._health.notes[kind] = self._health.notes.get(kind, 0) + 1
        level = logging.INFO if kind == "connected" else logging.WARNING
        log.log(level, "%s %s: %s, %d series %s", self._venue, route, kind, len(about), reason)
        said = Note(kind, route, about, reason, since or 0)
        self._inbox.put([note(self._venue, self._world.clock(), said)])


class Line:
    """Runs for ever: connects, and connects again. A venue's failures end in health and notes."""

    def __init__(
        self,
        venue: Venue,
        route: str,
        url: str,
        wanted: Sequence[Wanted],
        inbox: Inbox,
        world: World,
        budget: ConnectBudget,
        notes: Notes,
    ) -> None:
        self.health = ConnectionHealth(route, url, since=world.clock(), series=series(wanted))
        self._venue, self._route, self._url, self._wanted = venue, route, url, wanted
        self._inbox, self._world, self._budget, self._notes = inbox, world, budget, notes
        self._backoff = Backoff(world.random)
        self._refused: set[str] = set()
        self._open: set[Connection] = set()

    async def run(self) -> None:
        current: Connection | None = None
        wait_s = 0.0
        try:
            while True:
                if current is None:
                    current = await self._opened(wait_s)
                    self._say("connected", current.carried)
                ending = await current.ending(fell_silent=self._silent)
                if ending.planned:
                    current = await self._replaced(current, ending)
                else:
                    wait_s = self._lost(current, ending)
                    current = None
        finally:
            for one in tuple(self._open):
                self._close(one)
            if current is not None:
                self._say("disconnected", current.carried, "stopped")
            self.health.becomes("stopped", self._world.clock())

    async def _opened(self, wait_s: float, *, proven: bool = False) -> Connection:
        """Try until a connection is open (and, if `proven`, data came over it)."""
        while True:
            await self._world.sleep(wait_s)
            one = Connection(
                self._venue,
                self._route,
                self._url,
                self._wanted,
                self._inbox,
                self._world,
                self._budget,
                self.health,
            )
            self._open.add(one)
            try:
                self._becomes("connecting")
                await one.open()
                if proven:
                    await one.proven()
            except Retry as error:
                wait_s = max(self._backoff.delay_s(), error.after_s or 0.0)
                self._becomes("waiting", error.message)
            except Rejected as error:
                wait_s = REJECTED_WAIT_S
                self._becomes("waiting", error.message)
            else:
                self._opens(one)
                return one
            self._close(one)

    def _opens(self, one: Connection) -> None:
        now = self._world.clock()
        self.health.state, self.health.since = "connected", now
        self.health.failed = sorted(one.failed)
        self.health.silent = []
        self.health.series = series(one.carried)
        news = [wanted for wanted in self._wanted if wanted.name in one.failed.keys() - self._refused]
        for wanted in news:
            self._say("refused", [wanted], f"{wanted.name}: {one.failed[wanted.name]}")
        self._refused = set(one.failed)

    def _lost(self, current: Connection, ending: Ending) -> float:
        """Say that a connection is lost; return how long to wait before the next."""
        self._close(current)
        self._say("disconnected", current.carried, ending.reason)
        self.health.reconnects += 1
        self.health.becomes("waiting", self._world.clock(), ending.reason)
        return self._backoff.delay_s((self._world.clock() - current.trusted_ts) / SECOND)

    async def _replaced(self, old: Connection, ending: Ending) -> Connection:
        """Open a replacement while the old one is still read; say `disconnected` only if it dies first."""
        self.health.becomes("replacing", self._world.clock(), ending.reason)
        self.health.rotations += 1
        opening = asyncio.ensure_future(self._opened(0.0, proven=True))
        dying = asyncio.ensure_future(old.ending(until_lost=True, fell_silent=self._silent))
        try:
            await asyncio.wait({opening, dying}, return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                self._close(old)
                self._say("disconnected", old.carried, dying.result().reason)
                self.health.reconnects += 1
                self.health.becomes("connecting", self._world.clock(), dying.result().reason)
                fresh = await opening
                self._say("connected", fresh.carried)
                return fresh
            fresh = opening.result()
            self._differences(old, fresh)
            await old.drained(LINGER_S)
            self._close(old)
            return fresh
        finally:
            opening.cancel()
            dying.cancel()

    def _differences(self, old: Connection, fresh: Connection) -> None:
        """Say which series the replacement carries no longer, or again."""
        before, after = set(series(old.carried)), set(series(fresh.carried))
        if before - after:
            self._notes.say("disconnected", self._route, sorted(before - after), "refused by the replacement")
        if after - before:
            self._notes.say("connected", self._route, sorted(after - before))

    def _becomes(self, state: Literal["connecting", "waiting"], reason: str = "") -> None:
        if self.health.state == "replacing":  # the old one still works
            self.health.reason = reason or self.health.reason
        else:
            self.health.becomes(state, self._world.clock(), reason)

    def _close(self, one: Connection) -> None:
        one.close()
        self._open.discard(one)

    def _silent(self, names: list[str]) -> None:
        fallen = [one for one in self._wanted if one.name in set(names)]
        for one in fallen:
            patience_s = one.channel.silent_after_s or 0.0
            reason = f"{one.name}: nothing for {patience_s:g} s"
            since = self._world.clock() - round(patience_s * SECOND)
            self._notes.say("silent", self._route, series([one]), reason, since=since)

    def _say(self, kind: NoteKind, about: Sequence[Wanted], reason: str = "") -> None:
        # The venue's other connections may have gone on: what counts is when this one last carried data.
        since = self.health.last_frame_ts if kind == "disconnected" else None
        self._notes.say(kind, self._route, series(about), reason, since=since)

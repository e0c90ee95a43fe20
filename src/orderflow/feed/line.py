"""A line: one shard of a venue's channels, kept connected; lost, replaced, and said so in notes."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Literal

from orderflow.feed.connection import Connection, Ending, Series, Wanted, World, series
from orderflow.feed.frames import ON_PURPOSE, Note, note
from orderflow.feed.health import ConnectionHealth, VenueHealth
from orderflow.feed.inbox import Inbox
from orderflow.feed.limits import Backoff, ConnectBudget
from orderflow.market.errors import KeyRefused, Rejected, Retry
from orderflow.market.events import SECOND, Nanos
from orderflow.venues.spec import BookRule, Venue

log = logging.getLogger(__name__)

REJECTED_WAIT_S = 300.0  # a refusal that repeating does not change may still be lifted from outside
STOPPED = "stopped"
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

    def disabled(self, reason: str) -> None:
        """Say once that the venue is not asked at all."""
        log.warning("%s: %s", self._venue, reason)


class Line:
    """Runs for ever: connects, and connects again. A venue's failures end in health and notes.

    It ends by itself only where the venue does not take our key.
    """

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
        self.farewell = STOPPED  # why it ends, when it is cancelled
        self._venue, self._route, self._url, self._wanted = venue, route, url, list(wanted)
        self._inbox, self._world, self._budget, self._notes = inbox, world, budget, notes
        self._backoff = Backoff(world.random)
        self._refused: set[str] = set()
        self._open: set[Connection] = set()
        self._current: Connection | None = None
        self._changing = asyncio.Lock()
        self._not_listed: frozenset[str] = frozenset()
        # Where books begin anew within the stream, two sockets must not be heard at once.
        self._one_at_a_time = venue.snapshot is None and venue.book is not BookRule.SNAPSHOTS

    @property
    def wanted(self) -> list[Wanted]:
        """The channels that this line is for."""
        return list(self._wanted)

    async def change(self, wanted: Sequence[Wanted], refused: Collection[str] = ()) -> None:
        """Carry these channels from now on; symbols that the venue refuses are not said to be missing."""
        self._wanted, self._not_listed = list(wanted), frozenset(refused)
        if self._current is not None:
            await self._bring(self._current)

    async def resubscribe(self, symbol: str) -> None:
        """Let the book of a symbol begin anew, where this line carries it."""
        books = [one for one in self._wanted if symbol in one.symbols and "orderbooks" in one.channel.streams]
        current = self._current
        if not books or current is None:
            return  # a connection that opens brings its books with it
        async with self._changing:
            try:
                await current.resubscribe(books)
            except Retry as error:
                log.info("%s %s: %s", self._venue.name, self._route, error.message)

    async def _bring(self, current: Connection) -> None:
        """Let a connection carry what is wanted now, and say what that changes."""
        async with self._changing:
            before = {one for one in series(current.carried) if one[1] not in self._not_listed}
            try:
                await current.change(self._wanted)
            except Retry as error:
                log.info("%s %s: %s", self._venue.name, self._route, error.message)
                return  # it is lost, and the next one will be opened with what is wanted
            after = set(series(current.carried))
            if before - after:
                self._notes.say("disconnected", self._route, sorted(before - after), ON_PURPOSE)
            if after - before:
                self._notes.say("connected", self._route, sorted(after - before))
            self._opens(current)

    async def run(self) -> None:
        current: Connection | None = None
        wait_s = 0.0
        try:
            while True:
                if current is None:
                    self._current = None
                    current = await self._opened(wait_s)
                    self._say("connected", current.carried)
                self._current = current
                if {one.name for one in current.wanted} != {one.name for one in self._wanted}:
                    await self._bring(current)
                ending = await current.ending(fell_silent=self._silent)
                if ending.planned:
                    current = await self._replaced(current, ending)
                else:
                    wait_s = self._lost(current, ending)
                    current = None
        except KeyRefused as error:
            log.warning("%s: %s (%s)", self._venue.name, error.message, error.hint)
            self.health.becomes("stopped", self._world.clock(), error.message)
        finally:
            self._current = None
            for one in tuple(self._open):
                self._close(one)
            if current is not None:
                self._say("disconnected", current.carried, self.farewell)
            elif self.farewell != STOPPED:  # it was lost before, which is not why nothing comes from now on
                self._say("disconnected", self._wanted, self.farewell)
            if self.health.state != "stopped":
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
                held=proven and self._one_at_a_time,
            )
            self._open.add(one)
            began = self._world.clock()
            try:
                self._becomes("connecting")
                await one.open()
                if proven:
                    await one.proven()
            except Retry as error:
                wait_s = max(self._backoff.delay_s(), error.after_s or 0.0)
                self._died_young(began, error.message)
                self._becomes("waiting", error.message)
            except KeyRefused:
                raise
            except Rejected as error:
                wait_s = REJECTED_WAIT_S
                self._becomes("waiting", error.message)
            else:
                self._opens(one)
                return one
            self._close(one)

    def _died_young(self, began: Nanos, reason: str) -> None:
        """Say that a connection was lost before it was open, if it had begun to carry data.

        What came over it has ended the gaps of its series, and nobody else would begin them again.
        """
        if self.health.state != "replacing" and (self.health.last_frame_ts or 0) >= began:
            self._say("disconnected", self._wanted, reason)

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
                fresh.release()
                return fresh
            fresh = opening.result()
            self._differences(old, fresh)
            if not self._one_at_a_time:
                await old.drained(LINGER_S)
            self._close(old)
            fresh.release()
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

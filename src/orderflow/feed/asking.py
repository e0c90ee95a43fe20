"""Asking: what a feed fetches over REST: the listing, snapshots of books, polls and the venue's clock."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import cycle

import msgspec

from orderflow.feed.connection import Series, World
from orderflow.feed.frames import Frame
from orderflow.feed.health import VenueHealth
from orderflow.feed.inbox import Inbox
from orderflow.feed.limits import Backoff
from orderflow.feed.line import NoteKind, Notes
from orderflow.feed.rest import Rest
from orderflow.feed.subscribing import within
from orderflow.market.errors import RegionBlocked, Rejected, Retry, VenueChanged
from orderflow.market.events import MS, SECOND, Control, Event, Instrument, Nanos
from orderflow.venues.spec import Memory, Poll, Venue, answer

CLOCK_EVERY_S = 600.0
REJECTED_WAIT_S = 300.0  # a refusal that repeating does not change may still be lifted from outside
JITTER = 0.2  # of the time between two snapshots of a symbol


def understood(venue: Venue, frame: Frame, memory: Memory | None = None) -> Sequence[Event]:
    """Decode an answer, or raise `VenueChanged` showing it."""
    try:
        return answer(venue, frame.url, frame.payload, frame.ts_recv, memory)
    except (msgspec.MsgspecError, ValueError) as error:
        raise VenueChanged(f"{venue.name}: {frame.url}: {error}; body {frame.payload[:200]!r}") from error


class Asking:
    """A feed's requests: each of its methods is a task that runs until cancelled, but for `snapshot`."""

    def __init__(
        self,
        venue: Venue,
        streams: Sequence[str] | None,
        rest: Rest,
        inbox: Inbox,
        world: World,
        notes: Notes,
        health: VenueHealth,
    ) -> None:
        self._venue, self._rest, self._inbox = venue, rest, inbox
        self.choose(streams)
        self._world, self._notes, self._health = world, notes, health
        self._due: asyncio.Queue[str] = asyncio.Queue()
        self._asked: set[str] = set()
        self._not_before: dict[str, Nanos] = {}
        self._missed: set[tuple[str, str]] = set()
        self._shut: dict[tuple[str, str], Nanos] = {}
        self.memory = Memory()  # what the listing said, for names of channels and requests
        self._trading: set[str] = set()
        self._doubted = asyncio.Event()  # a symbol is wanted that the listing did not have when it was read

    def choose(self, streams: Sequence[str] | None) -> None:
        """Ask for what feeds these streams (all if None)."""
        self.polls = [one for one in self._venue.polls if streams is None or set(streams) & set(one.streams)]
        self._channels = self._venue.channels_for(streams)

    def judge(self, symbols: Sequence[str]) -> None:
        """Look at symbols that are wanted from now on; the listing is read again for those it did not have."""
        if self._health.listing == "read":
            self._health.refused = [one for one in self._health.refused if one in symbols]
            if not self._trading.issuperset(symbols):
                self._doubted.set()

    def polled(self, symbols: Sequence[str]) -> Series:
        """Return the series that are asked for again and again."""
        streams = dict.fromkeys(stream for poll in self.polls for stream in poll.streams)
        return [(stream, symbol) for symbol in symbols for stream in streams]

    # ── Listing and clock ─────────────────────────────────────────────────────────────────────

    async def listing(
        self, symbols: Callable[[], Sequence[str]], tried: asyncio.Event, read: asyncio.Event
    ) -> None:
        """Read the venue's listing, again until it can be read and then as often as the form says.

        Symbols that do not trade are refused. `tried` is set after the first try, `read` whenever it
        could be read after that: channels may have other names now. It is read once more for symbols
        that are wanted later and that it did not have.
        """
        backoff = Backoff(self._world.random)
        wait_s: float | None
        while self._venue.listing is not None:
            try:
                frame = await self._rest.fresh(self._venue.listing)
                listed = [event for event in understood(self._venue, frame) if isinstance(event, Instrument)]
                self.memory.relist(listed)
                self._trading = {one.symbol for one in listed if one.trading}
            except Retry as error:
                self._health.listing = error.message
                wait_s = max(backoff.delay_s(), error.after_s or 0.0)
            except (Rejected, VenueChanged) as error:
                self._health.listing = error.message
                wait_s = REJECTED_WAIT_S
            else:
                self._inbox.put([frame])
                self._refuse([one for one in symbols() if one not in self._trading])
                if tried.is_set():
                    read.set()
                backoff = Backoff(self._world.random)
                wait_s = self._venue.listing_every_s
            tried.set()
            await self._until_doubted(wait_s)
        tried.set()

    async def _until_doubted(self, wait_s: float | None) -> None:
        """Wait so long (None: without an end), or until the listing is doubted."""
        doubted = asyncio.ensure_future(self._doubted.wait())
        try:
            if wait_s is None:
                await doubted
            else:
                await within(self._world.sleep, wait_s, doubted)
        finally:
            doubted.cancel()
        self._doubted.clear()

    def _refuse(self, symbols: Sequence[str]) -> None:
        news = [one for one in symbols if one not in self._health.refused]
        self._health.listing = "read"
        self._health.refused = list(symbols)
        streams = dict.fromkeys(stream for one in (*self._channels, *self.polls) for stream in one.streams)
        for symbol in news:
            reason = f"{self._venue.name} does not list {symbol} as trading"
            self._notes.say("refused", "listing", [(stream, symbol) for stream in streams], reason)

    async def clock_offset(self) -> None:
        """Measure the venue's clock against ours, at once and then every ten minutes."""
        while any(one.name == "time" for one in self._venue.endpoints):
            sent = self._world.clock()
            try:
                frame = await self._rest.fresh("time")
                pongs = [one.ts_event for one in understood(self._venue, frame) if isinstance(one, Control)]
            except (Retry, Rejected, VenueChanged):
                pongs = []  # health.rest tells; the last offset stays
            if pongs and pongs[0] is not None:
                # the venue read its clock somewhere between the two readings of ours
                self._health.clock_offset_ms = (pongs[0] - (sent + self._world.clock()) / 2) / MS
            await self._world.sleep(CLOCK_EVERY_S)

    # ── Snapshots ─────────────────────────────────────────────────────────────────────────────

    def snapshot(self, symbol: str) -> None:
        if self._venue.snapshot is not None and symbol not in self._asked:
            self._asked.add(symbol)
            self._due.put_nowait(symbol)

    async def snapshots(self) -> None:
        """Fetch what is due, each symbol in its own time."""
        async with asyncio.TaskGroup() as group:
            while True:
                symbol = await self._due.get()
                group.create_task(self._fetch(symbol, str(self._venue.snapshot)))

    async def _fetch(self, symbol: str, endpoint: str) -> None:
        """Fetch one snapshot, again until it comes."""
        about = [("orderbooks", symbol)]
        try:
            while True:
                interval = self._venue.snapshot_interval_s * (1 + JITTER * self._world.random())
                wait_s = (self._not_before.get(symbol, 0) - self._world.clock()) / SECOND
                if wait_s > 0:
                    await self._world.sleep(min(wait_s, interval))
                await self._inbox.room()
                self._not_before[symbol] = self._world.clock() + round(interval * SECOND)
                refused_s = await self._put(endpoint, symbol, "snapshot", about)
                if refused_s is None:
                    return
                await self._world.sleep(refused_s)
        finally:
            self._asked.discard(symbol)

    # ── Polls ─────────────────────────────────────────────────────────────────────────────────

    async def poll(self, poll: Poll, symbols: Sequence[str]) -> None:
        """Ask an endpoint again and again, its symbols spread evenly over the time of a round."""
        asked: list[str | None] = list(symbols) if poll.per_symbol else [None]
        if not symbols:
            return
        whole = round(poll.every_s * SECOND)
        due = self._world.clock()
        for symbol in cycle(asked):
            now = self._world.clock()
            due = min(max(due, now - whole), now + whole)  # more than a round late, or the clock was set
            if due > now:
                await self._world.sleep((due - now) / SECOND)
            due += whole // len(asked)
            until = self._shut.get((poll.endpoint, symbol or ""), 0)
            if until > self._world.clock():
                continue
            await self._inbox.room()
            about = [(stream, one) for stream in poll.streams for one in ([symbol] if symbol else symbols)]
            await self._put(poll.endpoint, symbol, poll.endpoint, about)

    async def _put(self, endpoint: str, symbol: str | None, route: str, about: Series) -> float | None:
        """Ask and put the answer into the inbox; else say why not, and return the seconds to wait.

        A note is written when asking begins to fail, and not again until it has succeeded.
        """
        asked = self._venue.endpoint(endpoint)
        params = {} if symbol is None else self._venue.params_of(asked, symbol, self.memory)
        key = (route, symbol or "")
        try:
            frame = await self._rest.fresh(endpoint, **params)
        except Retry as error:
            wait_s = max(error.after_s or 0.0, self._world.random())
            self._say_once("limited", key, about, error.message)
        except RegionBlocked as error:
            wait_s = REJECTED_WAIT_S
            self._say_once("limited", key, about, error.message)
        except Rejected as error:
            wait_s = REJECTED_WAIT_S
            self._say_once("refused", key, about, error.message)
        else:
            self._missed.discard(key)
            self._inbox.put([frame])
            return None
        if wait_s >= REJECTED_WAIT_S:
            self._shut[key] = self._world.clock() + round(wait_s * SECOND)
        return wait_s

    def _say_once(self, kind: NoteKind, key: tuple[str, str], about: Series, reason: str) -> None:
        if key not in self._missed:
            self._missed.add(key)
            self._notes.say(kind, key[0], about, reason)

"""Asking: what a feed fetches over REST: the listing, snapshots of books, polls and the venue's clock."""

import asyncio
from collections.abc import Sequence
from itertools import count

import msgspec

from orderflow.feed.connection import Series, World
from orderflow.feed.frames import Frame
from orderflow.feed.health import VenueHealth
from orderflow.feed.inbox import Inbox
from orderflow.feed.limits import Backoff
from orderflow.feed.line import Notes
from orderflow.feed.rest import Rest
from orderflow.market.errors import RegionBlocked, Rejected, Retry, UnknownSymbol, VenueChanged
from orderflow.market.events import MS, SECOND, Control, Event, Instrument, Nanos
from orderflow.venues.spec import Poll, Venue, answer

CLOCK_EVERY_S = 600.0
REJECTED_WAIT_S = 300.0
JITTER = 0.2  # of the time between two snapshots of a symbol


def understood(venue: Venue, frame: Frame) -> Sequence[Event]:
    """Decode an answer, or raise `VenueChanged` showing it."""
    try:
        return answer(venue, frame.url, frame.payload, frame.ts_recv)
    except (msgspec.MsgspecError, ValueError) as error:
        raise VenueChanged(f"{venue.name}: {frame.url}: {error}; body {frame.payload[:200]!r}") from error


class Asking:
    """A feed's requests: each of its methods is a task that runs until cancelled, but for `snapshot`."""

    def __init__(
        self, venue: Venue, rest: Rest, inbox: Inbox, world: World, notes: Notes, health: VenueHealth
    ) -> None:
        self._venue, self._rest, self._inbox = venue, rest, inbox
        self._world, self._notes, self._health = world, notes, health
        self._due: asyncio.Queue[str] = asyncio.Queue()
        self._asked: set[str] = set()
        self._not_before: dict[str, Nanos] = {}
        self._missed: set[tuple[str, str]] = set()
        self._refused: set[tuple[str, str]] = set()

    # ── Listing and clock ─────────────────────────────────────────────────────────────────────

    async def listing(self, symbols: Sequence[str], tried: asyncio.Event) -> None:
        """Read the venue's listing, again until it can be read; refuse the symbols that do not trade."""
        backoff = Backoff(self._world.random)
        while self._venue.listing is not None:
            try:
                frame = await self._rest.request(self._venue.listing)
                trading = {
                    event.symbol
                    for event in understood(self._venue, frame)
                    if isinstance(event, Instrument) and event.trading
                }
            except Retry as error:
                self._health.listing = error.message
                wait_s = max(backoff.delay_s(), error.after_s or 0.0)
            except (Rejected, VenueChanged) as error:
                self._health.listing = error.message
                wait_s = REJECTED_WAIT_S
            else:
                self._inbox.put([frame])
                self._refuse([one for one in symbols if one not in trading])
                break
            tried.set()
            await self._world.sleep(wait_s)
        tried.set()

    def _refuse(self, symbols: Sequence[str]) -> None:
        self._health.listing = "read"
        self._health.refused = list(symbols)
        streams = dict.fromkeys(
            stream for one in (*self._venue.channels_for(), *self._venue.polls) for stream in one.streams
        )
        for symbol in symbols:
            reason = f"{self._venue.name} does not list {symbol} as trading"
            self._notes.say("refused", "listing", [(stream, symbol) for stream in streams], reason)

    async def clock_offset(self) -> None:
        """Measure the venue's clock against ours, at once and then every ten minutes."""
        while any(one.name == "time" for one in self._venue.endpoints):
            sent = self._world.clock()
            try:
                frame = await self._rest.request("time")
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
        """Fetch one snapshot, again until it comes or is refused for good."""
        about = [("orderbooks", symbol)]
        try:
            while True:
                wait = self._not_before.get(symbol, 0) - self._world.clock()
                if wait > 0:
                    await self._world.sleep(wait / SECOND)
                await self._inbox.room()
                interval = self._venue.snapshot_interval_s * (1 + JITTER * self._world.random())
                self._not_before[symbol] = self._world.clock() + round(interval * SECOND)
                wait_s = await self._put(endpoint, symbol, "snapshot", about)
                if wait_s is None:
                    return
                await self._world.sleep(wait_s)
        finally:
            self._asked.discard(symbol)

    # ── Polls ─────────────────────────────────────────────────────────────────────────────────

    async def poll(self, poll: Poll, symbols: Sequence[str]) -> None:
        """Ask an endpoint again and again, its symbols spread evenly; a turn that is late is left out."""
        asked: list[str | None] = list(symbols) if poll.per_symbol else [None]
        if not symbols:
            return
        step = round(poll.every_s / len(asked) * SECOND)
        began = self._world.clock()
        for turn in count():
            late = self._world.clock() - (began + turn * step)
            if late < 0:
                await self._world.sleep(-late / SECOND)
            elif late > step * len(asked):
                began += late // (step * len(asked)) * (step * len(asked))
            symbol = asked[turn % len(asked)]
            about = [(stream, one) for stream in poll.streams for one in ([symbol] if symbol else symbols)]
            if (poll.endpoint, symbol or "") not in self._refused:
                await self._inbox.room()
                await self._put(poll.endpoint, symbol, poll.endpoint, about)

    async def _put(self, endpoint: str, symbol: str | None, route: str, about: Series) -> float | None:
        """Ask and put the answer into the inbox; else say why not, and return the seconds to wait.

        A note is written when asking begins to fail, and not again until it has succeeded.
        """
        params = {} if symbol is None else {"symbol": self._venue.native(symbol)}
        key = (route, symbol or "")
        try:
            frame = await self._rest.request(endpoint, **params)
        except Retry as error:
            self._say_limited(key, about, error.message)
            return max(error.after_s or 0.0, self._world.random())
        except RegionBlocked as error:
            self._say_limited(key, about, error.message)
            return REJECTED_WAIT_S
        except Rejected as error:
            self._refused.add(key)
            reason = f"{symbol}: {error.message}" if isinstance(error, UnknownSymbol) else error.message
            self._notes.say("refused", route, about, reason)
            return None
        self._missed.discard(key)
        self._inbox.put([frame])
        return None

    def _say_limited(self, key: tuple[str, str], about: Series, reason: str) -> None:
        if key not in self._missed:
            self._missed.add(key)
            self._notes.say("limited", key[0], about, reason)

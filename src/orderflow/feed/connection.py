"""A connection: one socket's life, from the handshake over its acknowledgements to its end."""

import asyncio
import random as chance
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from orderflow.feed import sockets
from orderflow.feed.frames import Frame
from orderflow.feed.health import ConnectionHealth
from orderflow.feed.hearing import Hearing
from orderflow.feed.inbox import Inbox, sizes
from orderflow.feed.limits import Clock, ConnectBudget, Random, Sleep, Window, turn
from orderflow.feed.subscribing import Subscriptions, within
from orderflow.market.errors import DEFECTS, Disconnected, VenueChanged
from orderflow.market.events import SECOND, Control
from orderflow.venues.spec import Channel, Keepalive, Memory, Venue

ANSWER_BYTES = 16 * 1024  # while answers are awaited, whatever is not longer is looked at

Series = list[tuple[str, str]]


class World(msgspec.Struct, frozen=True):
    """What the feed needs from outside: time, waiting, chance and sockets."""

    clock: Clock = time.time_ns
    sleep: Sleep = asyncio.sleep
    random: Random = chance.random
    connect: sockets.Connect = sockets.connect
    tick_s: float = 1.0  # how often a connection is looked after


class Wanted(NamedTuple):
    """A channel, under the name by which it is subscribed, and the symbols of which it tells."""

    name: str
    channel: Channel
    symbols: tuple[str, ...]


class Ending(NamedTuple):
    """Why a connection ends; `planned` if it still works."""

    planned: bool
    reason: str


def series(wanted: Sequence[Wanted]) -> Series:
    """Return the (stream, symbol) pairs that these channels feed, each once."""
    return list(
        dict.fromkeys(
            (stream, symbol) for one in wanted for symbol in one.symbols for stream in one.channel.streams
        )
    )


def batches(venue: Venue, wanted: Sequence[Wanted]) -> list[list[str]]:
    """Return the names in batches that one message each may hold."""
    groups: dict[str, list[str]] = {}
    for one in wanted:
        groups.setdefault(one.channel.name if venue.limits.channel_per_subscribe else "", []).append(one.name)
    size = venue.limits.names_per_subscribe
    return [names[at : at + size] for names in groups.values() for at in range(0, len(names), size)]


class Connection:
    """One socket for one shard of channels. `open` subscribes all of them; `ending` waits for its end.

    Until `release`, if `held`, what it receives is kept back: a replacement's first frames must not
    mix with the last ones of what it replaces, where books begin anew within the stream.
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
        health: ConnectionHealth,
        *,
        held: bool = False,
    ) -> None:
        self.venue, self.route, self.url, self.wanted = venue, route, url, list(wanted)
        self.trusted_ts = 0
        self._inbox, self._world, self._budget, self._health = inbox, world, budget, health
        self._pace = Window(venue.limits.messages_per_s, 1.0, world.clock)
        self._socket: sockets.Socket | None = None
        self._slot: asyncio.Semaphore | None = None
        self._gone: asyncio.Task[str] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._asking: Subscriptions | None = None
        self._closing = asyncio.Event()
        self._why = "the venue closes it"
        self._spoke = asyncio.Event()
        self._paused = False
        self._held: list[Frame] | None = [] if held else None
        self._hearing: Hearing | None = None
        self._memory = Memory()  # looking into frames here must not touch what the pipeline's decoder knows

    @property
    def failed(self) -> dict[str, str]:
        """The channels that were refused, with the reasons."""
        return {} if self._asking is None else self._asking.failed

    @property
    def carried(self) -> list[Wanted]:
        """The channels that were acknowledged."""
        return [one for one in self.wanted if one.name not in self.failed]

    # ── Opening ───────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Connect and subscribe; raises `Disconnected` and what a refused handshake means.

        The caller closes, whether this raises or not.
        """
        limits, world = self.venue.limits, self._world
        slot = self._budget.slot(self.url, limits.connections)
        await slot.acquire()
        self._slot = slot
        await turn(self._budget.window(self.url, limits.connects_per_minute), world.sleep)
        named = self.venue.address
        url = self.url if named is None else named(self.url, [one.name for one in self.wanted])
        self._socket = await world.connect(self.venue, self.route, url, self._take, world.clock)
        self._gone = asyncio.ensure_future(self._socket.lost())
        self._inbox.attach(self)
        self._asking = Subscriptions(
            limits, world.sleep, self._pace, self.send, self._gone, f"{self.venue.name}: {self.url}"
        )
        for message in self.venue.greeting:
            await turn(self._pace, world.sleep)
            self.send(message)
        if self.venue.keepalive is not None:
            self._keeping = asyncio.ensure_future(self._keep_alive(self.venue.keepalive))
        if named is None:
            await self._asking.ask(batches(self.venue, self.wanted), self.venue.subscribe)
        if not self.carried:
            reason = next(iter(self.failed.values()), "nothing was asked")
            raise Disconnected(f"{self.venue.name}: {self.url}: no channel was acknowledged: {reason}")
        self.trusted_ts = world.clock()
        self._listen()

    async def proven(self) -> None:
        """Wait for the first data; raises `Disconnected` if channels that should speak do not."""
        spans = (one.channel.silent_after_s for one in self.carried)
        patience = [seconds for seconds in spans if seconds is not None]
        if not patience:
            return
        spoke = asyncio.ensure_future(self._spoke.wait())
        try:
            await within(self._world.sleep, min(patience), spoke, self._ended)
        finally:
            spoke.cancel()
        if not self._spoke.is_set():
            raise Disconnected(f"{self.venue.name}: {self.url}: acknowledged, but no data came")

    def send(self, message: bytes) -> None:
        if self._socket is not None:
            self._socket.send(message)

    async def _keep_alive(self, keepalive: Keepalive) -> None:
        """Say something from time to time, or the venue hangs up."""
        while True:
            await self._world.sleep(keepalive.every_s)
            if keepalive.message is None:
                self._open_socket.ping()
            else:
                self.send(keepalive.message(self._world.clock()))

    def _listen(self) -> None:
        self._hearing = Hearing(
            {one.name: one.channel.silent_after_s for one in self.carried},
            self._world.clock(),
            head_bytes=self.venue.head_bytes,
            heard=self.venue.heard,
        )

    # ── Changing ──────────────────────────────────────────────────────────────────────────────

    async def change(self, wanted: Sequence[Wanted]) -> None:
        """Carry these channels instead: ask for what is new, take back what is wanted no longer."""
        had, now = {one.name for one in self.wanted}, {one.name for one in wanted}
        old = [one for one in self.wanted if one.name not in now and one.name not in self.failed]
        new = [one for one in wanted if one.name not in had]
        self.wanted = list(wanted)
        if self.venue.address is not None:  # the names stand in the address
            self._why = "its channels have changed"
            self._closing.set()
            return
        asking = self._open_asking
        asking.forget(had - now)
        for names in batches(self.venue, old):
            await asking.tell(names, self.venue.unsubscribe)
        if new:
            await asking.ask(batches(self.venue, new), self.venue.subscribe)
        self._listen()

    async def resubscribe(self, wanted: Sequence[Wanted]) -> None:
        """Take channels back and ask for them again, so that they begin anew; hangs up if it is refused."""
        asking = self._open_asking
        names = [one.name for one in wanted if one.name not in self.failed]
        for batch in batches(self.venue, [one for one in wanted if one.name in names]):
            await asking.tell(batch, self.venue.unsubscribe)  # unanswered or not: what counts is the next
            await asking.ask([batch], self.venue.subscribe)
        if any(name in self.failed for name in names):
            self.close()

    @property
    def _open_asking(self) -> Subscriptions:
        if self._asking is None:
            raise Disconnected(f"{self.venue.name}: {self.url} is not open")
        return self._asking

    @property
    def _open_socket(self) -> sockets.Socket:
        if self._socket is None:
            raise Disconnected(f"{self.venue.name}: {self.url} is not open")
        return self._socket

    @property
    def _ended(self) -> "asyncio.Task[str]":
        if self._gone is None:
            raise Disconnected(f"{self.venue.name}: {self.url} is not open")
        return self._gone

    # ── Receiving ─────────────────────────────────────────────────────────────────────────────

    def _take(self, frames: list[Frame]) -> None:
        """Count a burst and pass it on; look into it only for what concerns the connection."""
        lengths = sizes(frames)
        size = sum(lengths)
        health = self._health
        health.frames += len(frames)
        health.bytes += size
        health.last_frame_ts = frames[-1].ts_recv
        if not self._spoke.is_set() or (self._asking is not None and self._asking.waiting):
            self._look(frames, ANSWER_BYTES)
        elif min(lengths) < (short := self.venue.limits.control_bytes):
            self._look(frames, short)
        if self._hearing is not None and self._hearing.wants:
            self._hearing.listen(frames)
        if self._held is None:
            self._inbox.put(frames, size)
        else:
            self._held += frames

    def release(self) -> None:
        """Hand over what was kept back, and keep nothing back from now on."""
        held, self._held = self._held, None
        self._inbox.put(held or [])

    def _look(self, frames: list[Frame], most: int) -> None:
        for frame in frames:
            if len(frame.payload) >= most:
                self._spoke.set()
                continue
            try:
                said = self.venue.decode(frame.payload, frame.ts_recv, self._memory)
            except (VenueChanged, msgspec.MsgspecError, *DEFECTS):
                continue  # it is passed on all the same, and counted where all frames are decoded
            for event in said:
                if isinstance(event, Control):
                    self._obey(event)
                else:
                    self._spoke.set()

    def _obey(self, said: Control) -> None:
        if said.kind == "closing":
            self._closing.set()
        elif said.kind == "asking":
            self.send(said.reply)
        elif self._asking is not None:
            self._asking.obey(said)

    # ── Ending ────────────────────────────────────────────────────────────────────────────────

    async def ending(self, *, until_lost: bool = False, fell_silent: Callable[[list[str]], None]) -> Ending:
        """Wait until the socket is lost, or (unless `until_lost`) should be replaced."""
        limits, world, socket = self.venue.limits, self._world, self._open_socket
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            while True:
                waited = (self._ended,) if until_lost else (self._ended, closing)
                await within(world.sleep, world.tick_s, *waited)
                now = world.clock()
                socket.heard_ts = min(socket.heard_ts, now)  # the clock may have been set back
                if self._ended.done():
                    return Ending(False, self._ended.result())
                if self._paused:
                    continue
                if now - socket.heard_ts > limits.dead_after_s * SECOND:
                    return Ending(False, f"nothing arrived for {limits.dead_after_s:g} s")
                if not until_lost and self._closing.is_set():
                    return Ending(True, self._why)
                aged = limits.life_s is not None and now - self.trusted_ts > limits.life_s * SECOND
                if aged and not until_lost:
                    return Ending(True, f"{limits.life_s:g} s old")
                self._judge(now, fell_silent)
        finally:
            closing.cancel()

    def _judge(self, now: int, fell_silent: Callable[[list[str]], None]) -> None:
        if self._hearing is None:
            return
        fallen, _ = self._hearing.judge(now, spoken=self._spoke.is_set())
        self._health.silent = sorted(self._hearing.silent)
        if fallen:
            fell_silent(fallen)

    def close(self) -> None:
        """Close the socket; frames that were read are in the inbox."""
        self._inbox.detach(self)
        if self._keeping is not None:
            self._keeping.cancel()
        if self._slot is not None:
            self._slot.release()
            self._slot = None
        if self._socket is not None:
            self._socket.close()

    async def drained(self, seconds: float) -> None:
        """Go on reading for a while, then close."""
        await within(self._world.sleep, seconds, self._ended)
        self.close()

    # ── as a valve of the inbox ───────────────────────────────────────────────────────────────

    def pause(self) -> None:
        self._paused = True
        self._open_socket.pause()

    def resume(self) -> None:
        self._paused = False
        now = self._world.clock()
        self._open_socket.heard_ts = now
        if self._hearing is not None:
            self._hearing.deaf(now)
        self._open_socket.resume()

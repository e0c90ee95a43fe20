"""A connection: one socket's life, from the handshake over its acknowledgements to its end."""

import asyncio
import random as chance
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import NamedTuple

import msgspec

from orderflow.feed import sockets
from orderflow.feed.frames import Frame
from orderflow.feed.health import ConnectionHealth
from orderflow.feed.hearing import Hearing
from orderflow.feed.inbox import Inbox, sizes
from orderflow.feed.limits import Clock, ConnectBudget, Random, Sleep, Window, turn
from orderflow.market.errors import Disconnected, VenueChanged
from orderflow.market.events import SECOND, Control
from orderflow.venues.spec import Channel, Venue

SHORT_BYTES = 120  # an answer is shorter than this, and data hardly ever
ANSWER_BYTES = 16 * 1024  # while answers are awaited, whatever is not longer is looked at
ASK_TRIES = 2

Series = list[tuple[str, str]]


class World(msgspec.Struct, frozen=True):
    """What the feed needs from outside: time, waiting, chance and sockets."""

    clock: Clock = time.time_ns
    sleep: Sleep = asyncio.sleep
    random: Random = chance.random
    connect: sockets.Connect = sockets.connect
    tick_s: float = 1.0  # how often a connection is looked after


class Wanted(NamedTuple):
    """A channel of a symbol, under the name by which it is subscribed."""

    name: str
    channel: Channel
    symbol: str


class Ending(NamedTuple):
    """Why a connection ends; `planned` if it still works."""

    planned: bool
    reason: str


def series(wanted: Sequence[Wanted]) -> Series:
    """Return the (stream, symbol) pairs that these channels feed, each once."""
    return list(dict.fromkeys((stream, one.symbol) for one in wanted for stream in one.channel.streams))


async def within(sleep: Sleep, seconds: float, *waited: asyncio.Future) -> bool:
    """Wait for one of the futures for so long; say whether one is done."""
    timer = asyncio.ensure_future(sleep(seconds))
    try:
        await asyncio.wait({timer, *waited}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
    return any(one.done() for one in waited)


class Connection:
    """One socket for one shard of channels. `open` subscribes all of them; `ending` waits for its end."""

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
    ) -> None:
        self.venue, self.route, self.url, self.wanted = venue, route, url, wanted
        self.failed: dict[str, str] = {}  # channel → reason
        self.trusted_ts = 0
        self._inbox, self._world, self._budget, self._health = inbox, world, budget, health
        self._ids = count(1)
        self._asked: dict[int, asyncio.Future[Control]] = {}
        self._pace = Window(venue.limits.messages_per_s, 1.0, world.clock)
        self._socket: sockets.Socket | None = None
        self._gone: asyncio.Task[str] | None = None
        self._closing = asyncio.Event()
        self._spoke = asyncio.Event()
        self._paused = False
        self._hearing: Hearing | None = None

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
        await turn(self._budget.window(self.url, limits.connects_per_minute), world.sleep)
        self._socket = await world.connect(self.venue, self.route, self.url, self._take, world.clock)
        self._gone = asyncio.ensure_future(self._socket.lost())
        self._inbox.attach(self)
        size = limits.names_per_subscribe
        batches = [self.wanted[at : at + size] for at in range(0, len(self.wanted), size)]
        await asyncio.gather(*(self._subscribe(batch) for batch in batches))
        if not self.carried:
            reason = next(iter(self.failed.values()))
            raise Disconnected(f"{self.venue.name}: {self.url}: no channel was acknowledged: {reason}")
        self.trusted_ts = world.clock()
        self._hearing = Hearing(
            {one.name: one.channel.silent_after_s for one in self.carried}, self.trusted_ts
        )

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

    async def _subscribe(self, batch: Sequence[Wanted]) -> None:
        """Ask for a batch until it is answered; a refused one is asked again in halves."""
        answer = await self._answered(batch)
        if answer is not None and answer.kind == "ack":
            return
        if answer is not None and len(batch) > 1:
            half = len(batch) // 2
            await asyncio.gather(self._subscribe(batch[:half]), self._subscribe(batch[half:]))
            return
        waited = f"no acknowledgement in {self.venue.limits.ack_timeout_s:g} s, asked {ASK_TRIES} times"
        self.failed.update((one.name, waited if answer is None else answer.message) for one in batch)

    async def _answered(self, batch: Sequence[Wanted]) -> Control | None:
        """Return the venue's answer to a batch; None if none came. Raises `Disconnected`."""
        names = [one.name for one in batch]
        answer: asyncio.Future[Control] = asyncio.get_running_loop().create_future()
        ids: list[int] = []
        try:
            for _ in range(ASK_TRIES):
                await turn(self._pace, self._world.sleep)
                ids.append(next(self._ids))
                self._asked[ids[-1]] = answer
                self._open_socket.send(self.venue.subscribe(names, ids[-1]))
                await within(self._world.sleep, self.venue.limits.ack_timeout_s, answer, self._ended)
                if self._ended.done():
                    raise Disconnected(f"{self.venue.name}: {self.url}: {self._ended.result()}")
                if answer.done():
                    return answer.result()
            return None
        finally:
            for id in ids:
                self._asked.pop(id, None)

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
        if self._asked or not self._spoke.is_set():
            self._look(frames, ANSWER_BYTES)
        elif min(lengths) < SHORT_BYTES:
            self._look(frames, SHORT_BYTES)
        if self._hearing is not None and self._hearing.wants:
            self._hearing.listen(frames)
        self._inbox.put(frames, size)

    def _look(self, frames: list[Frame], most: int) -> None:
        for frame in frames:
            if len(frame.payload) >= most:
                self._spoke.set()
                continue
            try:
                said = self.venue.decode(frame.payload, frame.ts_recv)
            except (VenueChanged, msgspec.MsgspecError, ValueError):
                continue  # it is passed on all the same, and counted where all frames are decoded
            for event in said:
                if isinstance(event, Control):
                    self._obey(event)
                else:
                    self._spoke.set()

    def _obey(self, said: Control) -> None:
        if said.kind == "closing":
            self._closing.set()
        elif said.kind in ("ack", "refused") and self._asked:
            nameless = next(iter(self._asked)) if said.id is None and said.kind == "refused" else -1
            answer = self._asked.get(nameless if said.id is None else said.id)
            if answer is not None and not answer.done():
                answer.set_result(said)

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
                    return Ending(True, "the venue closes it")
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

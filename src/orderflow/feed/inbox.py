"""The inbox: frames of all feeds in order of arrival, with a bound that stops the reading, not the data."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from operator import attrgetter
from typing import Protocol

from orderflow.feed.frames import Frame

LIMIT_BYTES = 64 * 1024 * 1024
BATCH_FRAMES = 2048  # at some 10 µs of work a frame: 20 ms until sockets are read again

_payload = attrgetter("payload")


def sizes(frames: list[Frame]) -> list[int]:
    """Return the bytes of each payload."""
    return list(map(len, map(_payload, frames)))


class Valve(Protocol):
    """Something that brings frames and can stop for a while."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Inbox:
    """Bursts in, batches out. Past `limit_bytes` the valves are shut until half of it is worked off.

    Nothing is dropped: what a socket's read had already brought is taken beyond the limit. A batch
    counts as pending until the next one is asked for.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES, batch_frames: int = BATCH_FRAMES) -> None:
        self.limit_bytes = limit_bytes
        self.pending = 0
        self.pending_bytes = 0
        self.pauses = 0
        self._batch_frames = batch_frames
        self._bursts: deque[tuple[list[Frame], int]] = deque()
        self._valves: set[Valve] = set()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = False

    @property
    def full(self) -> bool:
        return not self._room.is_set()

    def put(self, frames: list[Frame], size: int | None = None) -> None:
        """Take a burst; `size` is the bytes of its payloads, if its bringer has counted them."""
        if not frames:
            return
        size = sum(sizes(frames)) if size is None else size
        self._bursts.append((frames, size))
        self.pending += len(frames)
        self.pending_bytes += size
        self._arrived.set()
        if self.pending_bytes > self.limit_bytes and not self.full:
            self.pauses += 1
            self._room.clear()
            for valve in tuple(self._valves):
                valve.pause()

    def attach(self, valve: Valve) -> None:
        """Let the inbox shut this valve when it is full; at once, if it is."""
        self._valves.add(valve)
        if self.full:
            valve.pause()

    def detach(self, valve: Valve) -> None:
        self._valves.discard(valve)

    async def room(self) -> None:
        """Wait until there is room again."""
        await self._room.wait()

    def close(self) -> None:
        """Nothing more will come: `batches` ends when all is read."""
        self._closed = True
        self._arrived.set()

    async def batches(self) -> AsyncGenerator[list[Frame], None]:
        """Yield what has arrived, again and again, at most `batch_frames` at a time."""
        while True:
            if not self._bursts and not self._closed:
                self._arrived.clear()
                await self._arrived.wait()
            else:
                await asyncio.sleep(0)  # sockets are read between two batches, however many wait
            if not self._bursts:
                return
            batch, size = self._next()
            try:
                yield batch
            finally:
                self._release(len(batch), size)

    def _next(self) -> tuple[list[Frame], int]:
        burst, size = self._bursts.popleft()
        batch = burst[: self._batch_frames]
        if len(burst) > len(batch):
            left = size - sum(sizes(batch))
            self._bursts.appendleft((burst[len(batch) :], left))
            return batch, size - left
        while self._bursts and len(batch) + len(self._bursts[0][0]) <= self._batch_frames:
            more, more_size = self._bursts.popleft()
            batch += more
            size += more_size
        return batch, size

    def _release(self, count: int, size: int) -> None:
        self.pending -= count
        self.pending_bytes -= size
        if self.full and self.pending_bytes <= self.limit_bytes // 2:
            self._room.set()
            for valve in tuple(self._valves):
                valve.resume()

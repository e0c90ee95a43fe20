"""The backlog: what is in the journal and was not looked at yet, kept in memory as far as a bound allows.

When more arrives than can be decoded, receiving and journalling go on, so that no socket waits and no
venue hangs up. What does not fit into memory is read back from the journal when its turn comes.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from orderflow.feed.frames import Frame
from orderflow.feed.inbox import sizes
from orderflow.feed.journal import Position

MEMORY_BYTES = 64 * 1024 * 1024


class _Waiting(NamedTuple):
    """A batch that waits: itself, or None where it must be read back; and its place in the journal."""

    frames: list[Frame] | None
    held: int  # frames
    size: int
    begin: Position
    end: Position


class Backlog:
    """Batches in, in order; batches out, in order. `reread(begin, end)` reads a batch from the journal."""

    def __init__(
        self, reread: Callable[[Position, Position], list[Frame]], *, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        self.frames = 0
        self.bytes = 0
        self.bytes_in_memory = 0
        self.spilled = 0  # frames that had to be read back, or will be, since the beginning
        self._reread, self._most = reread, memory_bytes
        self._waiting: deque[_Waiting] = deque()

    def __len__(self) -> int:
        """Return how many batches wait."""
        return len(self._waiting)

    @property
    def oldest(self) -> Position | None:
        """Where the first batch that waits begins in the journal; None if none waits."""
        return self._waiting[0].begin if self._waiting else None

    def put(self, frames: Sequence[Frame], begin: Position, end: Position) -> None:
        """Take a batch that the journal has from `begin` to `end`."""
        kept, size = list(frames), sum(sizes(list(frames)))
        if self.bytes_in_memory + size > self._most:
            self.spilled += len(kept)
            self._waiting.append(_Waiting(None, len(kept), size, begin, end))
        else:
            self.bytes_in_memory += size
            self._waiting.append(_Waiting(kept, len(kept), size, begin, end))
        self.frames += len(kept)
        self.bytes += size

    def take(self) -> list[Frame]:
        """Return the oldest batch; IndexError if none waits."""
        one = self._waiting[0]
        frames = self._reread(one.begin, one.end) if one.frames is None else one.frames
        self._waiting.popleft()
        self.frames -= one.held
        self.bytes -= one.size
        if one.frames is not None:
            self.bytes_in_memory -= one.size
        return frames

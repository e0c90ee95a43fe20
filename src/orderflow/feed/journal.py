"""The journal: what was received, on disk before anything looks at it. Write-ahead log and recording.

A journal is a folder of segments (feed.segment says what is in one), `00000007_20261121T124500.journal`,
numbered through all runs. Once the store has all of a segment it is deleted, or compressed to
`….journal.zst` where recordings are kept. Nothing is synced: a page that the system holds survives
the death of the process (`kill -9`), which is the promise; a power cut may cost the last moments.
"""

import fcntl
import logging
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self

import zstandard

from orderflow.feed.frames import Frame
from orderflow.feed.segment import KEPT_SUFFIX, SUFFIX, Reading, Segment, read, unusable
from orderflow.market.errors import StoreUnusable
from orderflow.market.events import SECOND, Nanos

__all__ = ["Journal", "Position", "Reading", "read", "record", "unfinished"]

log = logging.getLogger(__name__)

_NAME = re.compile(r"(\d{8})_\d{8}T\d{6}\.journal(\.zst)?")


class Position(NamedTuple):
    """A place in a journal: the number of a segment and the bytes before it there."""

    segment: int
    offset: int


class Journal:
    """The journal of one running collector. Not for several threads at once.

    `about` is written into every segment (kind, version, run). `left` are the segments of earlier
    runs of which it is not known that the store has them: replay them, then `settle` them.
    Raises `StoreUnusable` where the folder cannot be written, is in use, or is full.
    """

    def __init__(
        self,
        folder: Path,
        *,
        about: dict[str, Any],
        segment_bytes: int = 64 << 20,
        segment_s: float = 60.0,
        keep: bool = False,
        clock: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        self.folder = folder
        self._about, self._keep, self._clock = about, keep, clock
        self._segment_bytes, self._segment_ns = segment_bytes, int(segment_s * SECOND)
        self._ended: list[tuple[Position, Path]] = []  # segments of this run and where they end
        self._durable = Position(0, 0)
        self._closed = False
        self._lock = _locked(folder)
        try:
            for path in folder.glob(f"*{KEPT_SUFFIX}.part"):
                path.unlink(missing_ok=True)
            self.left = unfinished(folder)
            last = max((int(path.name[:8]) for path in _segments(folder)), default=0)
            self._now = self._begin(last + 1, "")
        except (OSError, StoreUnusable) as error:
            os.close(self._lock)
            if isinstance(error, OSError):
                raise unusable(folder, error) from error
            raise
        self._begins = self._now.offset
        self._behind = ThreadPoolExecutor(1, "journal")

    @property
    def position(self) -> Position:
        """Where the next batch will begin."""
        return Position(self._now.number, self._now.offset)

    @property
    def path(self) -> Path:
        """The segment that is being written."""
        return self._now.path

    def append(self, frames: Sequence[Frame]) -> Position:
        """Write a batch and return the position after it; on `StoreUnusable` nothing of it is kept."""
        if frames:
            self._now.append(frames)
        return Position(self._now.number, self._now.offset)

    def tell(self, **about: Any) -> None:
        """Write this, too, into the segments that begin from now on."""
        self._about = {**self._about, **about}

    def reread(self, begin: Position, end: Position) -> list[Frame]:
        """Return a batch that was appended to the segment that is being written."""
        if begin.segment != self._now.number or end.segment != self._now.number:
            raise StoreUnusable(
                f"{self.folder}: segment {begin.segment} is ended", hint="keep what is needed"
            )
        return self._now.reread(begin.offset, end.offset)

    def due(self) -> bool:
        """Tell whether the segment is big or old enough to be ended."""
        if self._now.offset == self._begins:
            return False
        if self._now.offset >= self._segment_bytes:
            return True
        return self._clock() - self._now.opened_ns >= self._segment_ns

    def rotate(self, opening: Sequence[Frame] = ()) -> None:
        """End the segment and begin another, with what makes it replayable alone (books, notes) first.

        On `StoreUnusable` the old segment goes on.
        """
        old = self._now
        new = self._begin(old.number + 1, old.path.name.removesuffix(SUFFIX))
        if opening:
            try:
                new.append(opening)
            except StoreUnusable:
                new.discard()
                raise
        self._now, self._begins = new, new.offset
        old.close()
        self._ended.append((Position(old.number, old.offset), old.path))

    def trim(self, position: Position) -> None:
        """Let go of the segments wholly before a position: the store has made all before it durable."""
        self._durable = max(self._durable, position)
        self.settle([path for end, path in self._ended if end <= self._durable])
        self._ended = [(end, path) for end, path in self._ended if end > self._durable]

    def settle(self, paths: Sequence[Path]) -> None:
        """Delete segments that the store has, or compress them where recordings are kept."""
        for path in paths:
            self._behind.submit(_settle, path, self._keep)
        self.left = [path for path in self.left if path not in paths]

    def close(self) -> None:
        """End the journal, wait for the work in the background and give the folder free."""
        if self._closed:
            return
        self._closed = True
        if self._now.offset == self._begins:
            self._now.discard()
        else:
            self._now.close()
            self._ended.append((self.position, self._now.path))
            self.trim(self._durable)
        self._behind.shutdown(wait=True)
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, number: int, follows: str) -> Segment:
        now = self._clock()
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now // SECOND))
        about = {**self._about, "follows": follows}
        return Segment(self.folder / f"{number:08d}_{stamp}{SUFFIX}", number, now, about)


def _locked(folder: Path) -> int:
    """Take the folder for this process; the system gives it free when the process ends, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "journal.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise unusable(folder, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.read(lock, 20).decode(errors="replace").strip()
        os.close(lock)
        raise StoreUnusable(
            f"another collector{f' (process {owner})' if owner else ''} writes the journal in {folder}",
            hint="stop it, or choose another folder",
        ) from error
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return lock


def _settle(path: Path, keep: bool) -> None:
    """Delete a segment, or put its compressed form in its place; on failure leave it as it is."""
    part = path.with_name(path.name + ".zst.part")
    try:
        if keep:
            with path.open("rb") as source, part.open("wb") as target:
                size = os.fstat(source.fileno()).st_size
                zstandard.ZstdCompressor(write_checksum=True).copy_stream(source, target, size=size)
            part.rename(path.with_name(path.name + ".zst"))
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("journal segment %s stays as it is: %s", path, error)
        part.unlink(missing_ok=True)


async def record(frames: AsyncIterator[list[Frame]], journal: Journal) -> AsyncIterator[list[Frame]]:
    """Append each batch to the journal, then pass it on."""
    async for batch in frames:
        journal.append(batch)
        yield batch


def _segments(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def unfinished(folder: Path) -> list[Path]:
    """Return the segments that a killed run left, oldest first; those of a living run count too."""
    return [path for path in _segments(folder) if path.name.endswith(SUFFIX)] if folder.is_dir() else []

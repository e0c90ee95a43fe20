"""The outbox: messages on disk from before their rows are committed until the broker has confirmed them.

A folder of segments, `00000000000000012345.outbox`, each named by the number of its first message;
messages are numbered on through all runs. All numbers are little-endian:

    opening  b"OFOUTBX1"
    blocks   b"MSGS", uint32 count, uint64 number of the block, uint64 number of its first message,
             uint32 length, uint32 crc32 of the body, uint32 crc32 of these 32 bytes, then the body:
             MessagePack, one [routing key, message id, seconds, source, body] each

`confirmed` holds the number of the first message that is not known to be confirmed.

A block is written before the database commits the rows that it tells of, in one transaction with the
block's number: so after any crash the database says which blocks count, and a block that it does not
know is taken back, since its rows will be written again from the journal. As in the journal, nothing
is synced: what was written survives the death of the process, and a power cut may cost the last moments.
"""

import fcntl
import logging
import os
import struct
import time
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from orderflow.market.errors import RecordingUnreadable, StoreUnusable

log = logging.getLogger(__name__)

SUFFIX = ".outbox"
SEGMENT_BYTES = 8 << 20  # small, so that what was confirmed at once is gone before the disk has to take it
BLOCK_MESSAGES = 1_000
LET_GO_S = 10.0  # how long a sender whose collector was killed may take to notice

_CLOSED = -1  # no file descriptor
_MAGIC = b"OFOUTBX1"
_BLOCK = struct.Struct("<4sIQQII")
_SUM = struct.Struct("<I")
_HEAD = _BLOCK.size + _SUM.size
_MARK = struct.Struct("<QI")
_MESSAGES = b"MSGS"

Row = tuple[str, str, int, str, str]  # routing key, message id, seconds, source, body


class Message(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One message as it lies in the outbox; `seconds` is the time of the event, Unix; `source` says if it is live."""

    key: str
    id: str
    seconds: int
    source: str
    body: str


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(list[Message]).decode


class _Block(NamedTuple):
    """Where a block lies: its number, its messages as first ≤ number < end, and its bytes in the file."""

    number: int
    first: int
    end: int
    offset: int
    size: int


class _Segment:
    """A segment of which it is known where its last message ends."""

    def __init__(self, path: Path, end: int) -> None:
        self.path, self.end = path, end


# ── Writing ───────────────────────────────────────────────────────────────────────────────────


class Outbox:
    """The writing end; one collector has it. `append`, `stage`, `commit` and `rollback` are for the thread that flushes.

    `committed` is the number of the last block that the database knows of, None where it knows none.
    Raises `StoreUnusable` where the folder cannot be written, or another sender has it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        streams: Sequence[str],
        committed: int | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.folder, self.streams = folder, frozenset(streams)
        self._segment_bytes = segment_bytes
        self._descriptor = _CLOSED
        self._offset = 0  # where the committed part of the open segment ends
        self._staged: list[_Block] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _wait_for_the_last_sender(folder)
            self._segments, self._blocks = _left(folder, committed)
        except OSError as error:
            raise _unusable(folder, error) from error
        self.confirmed = confirmed(folder)
        blocks = list(self._blocks)
        if blocks:  # a mark that is missing, or not of these segments, must not hide a message
            self.confirmed = min(max(self.confirmed, blocks[0].first), blocks[-1].end)
        self._last = max(committed or 0, blocks[-1].number if blocks else 0)
        self._end = blocks[-1].end if blocks else self.confirmed
        self._begun_at = self.confirmed
        # One thread adds, another one takes away: each has its own count.
        self._bytes_in, self._bytes_out = sum(block.size for block in blocks), 0
        self.settle(self.confirmed)

    @property
    def last(self) -> int:
        """The number of the last block that counts."""
        return self._last

    @property
    def end(self) -> int:
        """The number that the next message will have: those before it may be sent."""
        return self._end

    @property
    def confirmed_here(self) -> int:
        """How many messages were confirmed since this outbox was opened."""
        return self.confirmed - self._begun_at

    @property
    def waiting(self) -> int:
        return self._end - self.confirmed

    @property
    def waiting_bytes(self) -> int:
        """Bytes on disk of the blocks that are not confirmed to their end."""
        return self._bytes_in - self._bytes_out

    def append(self, rows: Sequence[Row]) -> None:
        """Write messages of the batch under way; on `StoreUnusable` what was staged waits for `rollback`."""
        for start in range(0, len(rows), BLOCK_MESSAGES):
            self._write(rows[start : start + BLOCK_MESSAGES])

    def stage(self) -> int | None:
        """Return the number that the database must commit with the batch's rows; None if nothing was appended."""
        return self._staged[-1].number if self._staged else None

    def commit(self) -> None:
        """The database has committed: what was appended counts."""
        if not self._staged:
            return
        last = self._staged[-1]
        self._blocks.extend(self._staged)
        self._bytes_in += sum(block.size for block in self._staged)
        self._offset = last.offset + last.size
        self._segments[-1].end = last.end
        self._last, self._end = last.number, last.end
        self._staged = []

    def rollback(self) -> None:
        """The database has not committed: take back what was appended."""
        self._staged = []
        if self._descriptor != _CLOSED:
            os.ftruncate(self._descriptor, self._offset)
            os.lseek(self._descriptor, self._offset, os.SEEK_SET)

    def settle(self, confirmed: int) -> None:
        """Let go of the segments of which every message was confirmed."""
        self.confirmed = max(self.confirmed, confirmed)
        while self._blocks and self._blocks[0].end <= self.confirmed:
            self._bytes_out += self._blocks.popleft().size
        while self._segments and self._segments[0].end <= self.confirmed:
            if self._descriptor != _CLOSED and len(self._segments) == 1:
                return  # the one that is being written
            self._segments.popleft().path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._descriptor != _CLOSED:
            os.close(self._descriptor)
            self._descriptor = _CLOSED
        self.settle(self.confirmed)

    def _write(self, rows: Sequence[Row]) -> None:
        if self._descriptor == _CLOSED or (not self._staged and self._offset >= self._segment_bytes):
            self._begin()
        before = self._staged[-1] if self._staged else None
        number = self._last + 1 if before is None else before.number + 1
        first = self._end if before is None else before.end
        offset = self._offset if before is None else before.offset + before.size
        body = _ENCODE(rows)
        head = _BLOCK.pack(_MESSAGES, len(rows), number, first, len(body), zlib.crc32(body))
        block = head + _SUM.pack(zlib.crc32(head)) + body
        self._put(self._descriptor, block)
        self._staged.append(_Block(number, first, first + len(rows), offset, len(block)))

    def _begin(self) -> None:
        path = self.folder / f"{self._end:020d}{SUFFIX}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise _unusable(self.folder, error) from error
        try:
            self._put(descriptor, _MAGIC)
        except StoreUnusable:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        old, self._descriptor, self._offset = self._descriptor, descriptor, len(_MAGIC)
        self._segments.append(_Segment(path, self._end))
        if old != _CLOSED:
            os.close(old)

    def _put(self, descriptor: int, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError as error:
            raise _unusable(self.folder, error) from error


def _left(folder: Path, committed: int | None) -> tuple[deque[_Segment], deque[_Block]]:
    """Find what earlier runs left, and take back what their database never committed."""
    segments: deque[_Segment] = deque()
    blocks: deque[_Block] = deque()
    for path in _paths(folder):
        found = list(_blocks(path))
        counted = [block for block in found if committed is None or block.number <= committed]
        if not counted:
            path.unlink()
            continue
        end = counted[-1].offset + counted[-1].size
        if end < path.stat().st_size:
            os.truncate(path, end)
        segments.append(_Segment(path, counted[-1].end))
        blocks.extend(counted)
    return segments, blocks


def _blocks(path: Path) -> Iterator[_Block]:
    """Yield the whole blocks of a segment; one that a crash cut off ends it."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        offset = len(_MAGIC)
        while offset + _HEAD <= size:
            file.seek(offset)
            block, length, total = _head_of(path, offset, file.read(_HEAD))
            body = file.read(length)
            if len(body) < length:
                return
            if zlib.crc32(body) != total:
                raise _damaged(path, offset)
            yield block
            offset += block.size


def _head_of(path: Path, offset: int, head: bytes) -> tuple[_Block, int, int]:
    """Return a block, the length of its body and the body's sum."""
    mark, count, number, first, length, total = _BLOCK.unpack_from(head)
    if mark != _MESSAGES or zlib.crc32(head[: _BLOCK.size]) != _SUM.unpack_from(head, _BLOCK.size)[0]:
        raise _damaged(path, offset)
    return _Block(number, first, first + count, offset, _HEAD + length), length, total


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def _damaged(path: Path, offset: int) -> RecordingUnreadable:
    return RecordingUnreadable(
        f"{path}: a block whose sum is wrong, at byte {offset}",
        hint="the disk has damaged what waits to be published: move the folder away to begin anew",
    )


def _unusable(folder: Path, error: OSError) -> StoreUnusable:
    return StoreUnusable(
        f"cannot write what waits to be published in {folder}: {error.strerror}",
        hint="free some space, or make the folder writable",
    )


# ── The sender's end ──────────────────────────────────────────────────────────────────────────


class Numbered(NamedTuple):
    """A message with its number."""

    number: int
    message: Message


class Tail:
    """Reads an outbox from a number on, block by block, never beyond what counts."""

    def __init__(self, folder: Path, start: int) -> None:
        self._folder, self._position = folder, start
        self._descriptor = _CLOSED
        self._path = Path()
        self._offset = 0

    def more(self, end: int) -> list[Numbered]:
        """Return the rest of the next block that ends at or before `end`; nothing where there is none yet."""
        while self._position < end:
            if self._descriptor == _CLOSED and not self._open():
                return []
            head = os.pread(self._descriptor, _HEAD, self._offset)
            if len(head) < _HEAD:
                if self._next() in (None, self._path):
                    return []
                self.close()
                continue
            block, length, total = _head_of(self._path, self._offset, head)
            if block.end > end:
                return []
            self._offset += block.size
            if block.end > self._position:
                return self._rest_of(block, length, total)
        return []

    def _rest_of(self, block: _Block, length: int, total: int) -> list[Numbered]:
        body = os.pread(self._descriptor, length, block.offset + _HEAD)
        if zlib.crc32(body) != total:
            raise _damaged(self._path, block.offset)
        skipped = max(self._position - block.first, 0)
        self._position = block.end
        return [
            Numbered(block.first + place, message)
            for place, message in enumerate(_DECODE(body)[skipped:], skipped)
        ]

    def close(self) -> None:
        if self._descriptor != _CLOSED:
            os.close(self._descriptor)
            self._descriptor = _CLOSED

    def _next(self) -> Path | None:
        """Return the segment that holds the next message, or will."""
        begun = [path for path in _paths(self._folder) if int(path.stem) <= self._position]
        return begun[-1] if begun else None

    def _open(self) -> bool:
        path = self._next()
        if path is None:
            return False
        self._descriptor, self._path = os.open(path, os.O_RDONLY), path
        self._offset = len(_MAGIC)
        return True


def confirmed(folder: Path) -> int:
    """Return the number of the first message not known to be confirmed; 0 where nothing says."""
    try:
        said = (folder / "confirmed").read_bytes()
        number, total = _MARK.unpack(said)
    except (OSError, struct.error):
        return 0
    return number if zlib.crc32(said[:8]) == total else 0


class Sending:
    """The right to send from an outbox, and its mark of what was confirmed. One process has it at a time."""

    def __init__(self, folder: Path) -> None:
        self._lock = _lock(folder)
        self._mark = os.open(folder / "confirmed", os.O_WRONLY | os.O_CREAT, 0o600)

    def mark(self, number: int) -> None:
        packed = struct.pack("<Q", number)
        os.pwrite(self._mark, packed + _SUM.pack(zlib.crc32(packed)), 0)

    def close(self) -> None:
        os.close(self._mark)
        os.close(self._lock)


def _lock(folder: Path) -> int:
    """Take the sender's lock. The system gives it free when its holder ends, however it ends."""
    lock = os.open(folder / "sender.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + LET_GO_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            os.close(lock)
            raise StoreUnusable(
                f"another process publishes from {folder}", hint="stop it, or choose another database"
            ) from error
        return lock


def _wait_for_the_last_sender(folder: Path) -> None:
    """Return once the sender of a collector that was killed has ended."""
    os.close(_lock(folder))

"""A segment of the journal: the form of its bytes, written and read.

All numbers are little-endian:

    opening  b"OFJOURN1", uint32 length, uint32 crc32, then so much JSON: what the run says about itself,
             with `segment` (its number), `opened_ns` and `follows` (the segment before, "" for none)
    blocks   b"SRCS" or b"BTCH", uint32 count, uint32 length, uint32 crc32 of the body,
             uint32 crc32 of these 16 bytes, then the body
      SRCS   JSON: `count` new sources as [venue, kind, url], numbered on from those before
      BTCH   `count` frames: uint32 source each, int64 ts_recv each, uint32 length each, payloads

A batch is one write, together with the sources that it is the first to use. A block that ends beyond
the end of the file, or a last block whose sum is wrong, is a write that a crash cut off: reading ends
before it with a warning. A wrong sum anywhere else is damage and is reported as such.
"""

import errno
import json
import logging
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from orderflow.feed.frames import Frame
from orderflow.market.errors import RecordingUnreadable, StoreUnusable
from orderflow.market.events import Nanos

log = logging.getLogger(__name__)

SUFFIX = ".journal"
KEPT_SUFFIX = ".journal.zst"
MAGIC = b"OFJOURN1"
BATCH = 512  # frames that the reader hands over at once, about

_OPENING = struct.Struct("<II")
_BLOCK = struct.Struct("<4sIII")
_SUM = struct.Struct("<I")
_HEAD = _BLOCK.size + _SUM.size
_SOURCES, _FRAMES = b"SRCS", b"BTCH"
_CHUNK = 1 << 20
_LONGEST_ZSTD_HEAD = 18

# ── Writing ───────────────────────────────────────────────────────────────────────────────────


class Segment:
    """A segment that is being written. Raises `StoreUnusable` where it cannot be, and keeps nothing half."""

    def __init__(self, path: Path, number: int, opened_ns: Nanos, about: dict[str, Any]) -> None:
        self.path, self.number, self.opened_ns = path, number, opened_ns
        self.offset = 0
        self._sources: dict[tuple[str, str, str], int] = {}
        self._defined = 0  # sources that are in the file
        text = json.dumps({**about, "segment": number, "opened_ns": opened_ns}).encode()
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except OSError as error:
            raise unusable(path.parent, error) from error
        try:
            self._write(MAGIC + _OPENING.pack(len(text), zlib.crc32(text)) + text)
        except StoreUnusable:
            self.discard()
            raise

    def append(self, frames: Sequence[Frame]) -> None:
        known = self._sources
        new = b""
        try:
            numbers = [known[one.venue, one.kind, one.url] for one in frames]
        except KeyError:
            new = self._define(frames)
            numbers = [known[one.venue, one.kind, one.url] for one in frames]
        payloads = [one.payload for one in frames]
        count = len(payloads)
        times = [one.ts_recv for one in frames]
        columns = struct.pack(f"<{count}I{count}q{count}I", *numbers, *times, *map(len, payloads))
        body = b"".join(payloads)
        head = _head(_FRAMES, count, len(columns) + len(body), zlib.crc32(body, zlib.crc32(columns)))
        try:
            self._write(new + head + columns, body)
        except StoreUnusable:
            self._sources = dict(list(known.items())[: self._defined])  # new ones went with the batch
            raise
        self._defined = len(known)

    def reread(self, begin: int, end: int) -> list[Frame]:
        """Return the frames that were written between two of this segment's offsets.

        Raises `RecordingUnreadable` if they are not there as they were written.
        """
        with self.path.open("rb") as file:
            file.seek(begin)
            source = _Bytes(file.read, self.path)
            sources, found = list(self._sources), list[Frame]()
            reading = Reading(self.path)
            left = end - begin
            while left > 0 and (block := reading.block(source)):
                left -= _HEAD + len(block[2])
                if block[0] == _FRAMES:
                    found += _unpacked(block[1], block[2], sources)
        if left:
            raise source.damage("a batch that is not as it was written")
        return found

    def close(self) -> None:
        os.close(self._descriptor)

    def discard(self) -> None:
        self.close()
        self.path.unlink(missing_ok=True)

    def _define(self, frames: Sequence[Frame]) -> bytes:
        """Number the sources not yet in the segment and return their block."""
        new: list[tuple[str, str, str]] = []
        for one in frames:
            source = (one.venue, one.kind, one.url)
            if source not in self._sources:
                self._sources[source] = len(self._sources)
                new.append(source)
        body = msgspec.json.encode(new)
        return _head(_SOURCES, len(new), len(body), zlib.crc32(body)) + body

    def _write(self, head: bytes, body: bytes = b"") -> None:
        """Write all or nothing: what a full disk cut off is taken back."""
        size = len(head) + len(body)
        try:
            done = os.writev(self._descriptor, (head, body))
            if done < size:  # a short write: the next one says why, or completes it
                rest = (head + body)[done:]
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            os.ftruncate(self._descriptor, self.offset)
            os.lseek(self._descriptor, self.offset, os.SEEK_SET)
            raise unusable(self.path.parent, error) from error
        self.offset += size


_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


def _head(mark: bytes, count: int, length: int, total: int) -> bytes:
    head = _BLOCK.pack(mark, count, length, total)
    return head + _SUM.pack(zlib.crc32(head))


def unusable(folder: Path, error: OSError) -> StoreUnusable:
    """Say why a journal cannot be written."""
    hint = (
        "free some space, or choose another folder"
        if error.errno in _FULL
        else "choose a folder that is writable"
    )
    return StoreUnusable(f"cannot write the journal in {folder}: {error.strerror}", hint=hint)


# ── Reading ───────────────────────────────────────────────────────────────────────────────────


class Reading:
    """A segment, read in batches of some hundreds of frames. `torn` counts the cut-off write at its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn = 0
        self.about: dict[str, Any] = {}

    def __iter__(self) -> Iterator[list[Frame]]:
        try:
            with self.path.open("rb") as file:
                unpacked = file.peek(4)[:4] == zstandard.FRAME_HEADER
                source = _Bytes(file.read if not unpacked else _decompressed(file), self.path)
                yield from self._frames(source)
        except OSError as error:
            raise RecordingUnreadable(f"{self.path}: {error.strerror}") from error
        except zstandard.ZstdError as error:
            raise RecordingUnreadable(f"{self.path}: damaged zstd data: {error}") from error

    def _frames(self, source: "_Bytes") -> Iterator[list[Frame]]:
        if not self._opening(source):
            return
        sources: list[tuple[str, str, str]] = []
        batch: list[Frame] = []
        while block := self.block(source):
            mark, count, body = block
            try:
                if mark == _SOURCES:
                    sources += msgspec.json.decode(body, type=list[tuple[str, str, str]])
                    continue
                batch += _unpacked(count, body, sources)
            except (msgspec.MsgspecError, struct.error, IndexError) as error:
                raise source.damage(f"a block that contradicts itself ({error})") from error
            for start in range(0, len(batch) - BATCH + 1, BATCH):
                yield batch[start : start + BATCH]
            batch = batch[len(batch) // BATCH * BATCH :]
        if batch:
            yield batch

    def _opening(self, source: "_Bytes") -> bool:
        start = source.take(len(MAGIC) + _OPENING.size)
        if not MAGIC.startswith(start[: len(MAGIC)]):
            raise RecordingUnreadable(f"{self.path}: not a journal", hint="a journal begins with OFJOURN1")
        if len(start) == len(MAGIC) + _OPENING.size:
            length, total = _OPENING.unpack_from(start, len(MAGIC))
            text = source.take(length)
            if len(text) == length:
                if zlib.crc32(text) != total:
                    raise source.damage("an opening whose sum is wrong")
                self.about = json.loads(text)
                return True
        self._cut_off(source)
        return False

    def block(self, source: "_Bytes") -> tuple[bytes, int, bytes] | None:
        """Return the next block, or None at the end, whole or torn."""
        head = source.take(_HEAD)
        if len(head) < _HEAD:
            if head or source.cut:
                self._cut_off(source)
            return None
        mark, count, length, total = _BLOCK.unpack_from(head)
        if zlib.crc32(head[: _BLOCK.size]) != _SUM.unpack_from(head, _BLOCK.size)[0]:
            if (
                not any(head) and source.only_zeros()
            ):  # a file that grew, but was not filled before a power cut
                self._cut_off(source)
                return None
            raise source.damage("a block whose head has a wrong sum")
        body = source.take(length)
        if len(body) < length or (zlib.crc32(body) != total and source.ended()):
            self._cut_off(source)
            return None
        if zlib.crc32(body) != total:
            raise source.damage("a block whose sum is wrong")
        return mark, count, body

    def _cut_off(self, source: "_Bytes") -> None:
        self.torn += 1
        log.warning("%s: the last write was cut off at byte %d and is left out", self.path, source.last)


def read(path: Path) -> Reading:
    """Read a segment, compressed or not. Raises `RecordingUnreadable` with the place of the damage."""
    return Reading(path)


def _unpacked(count: int, body: bytes, sources: list[tuple[str, str, str]]) -> list[Frame]:
    columns = struct.unpack_from(f"<{count}I{count}q{count}I", body)
    ends = list(accumulate(columns[2 * count :], initial=16 * count))
    if ends[-1] != len(body):
        raise struct.error("lengths that do not add up")
    found: list[Frame] = []
    add = found.append
    for place, number in enumerate(columns[:count]):
        venue, kind, url = sources[number]
        payload = body[ends[place] : ends[place + 1]]
        add(Frame(venue, columns[count + place], payload, kind, url))
    return found


class _Bytes:
    """Bytes taken in order from a source, with the place of the last piece taken."""

    def __init__(self, more: Callable[[int], bytes], path: Path) -> None:
        self._more, self._path = more, path
        self._have = b""
        self._place = 0  # in _have
        self._before = 0  # bytes before _have
        self.last = 0
        self.cut = False  # the compressed form ended too early

    def take(self, count: int) -> bytes:
        """Return so many bytes, fewer only at the end."""
        self.last = self._before + self._place
        self._fill(count)
        found = self._have[self._place : self._place + count]
        self._place += len(found)
        return found

    def ended(self) -> bool:
        self._fill(1)
        return self._place == len(self._have)

    def only_zeros(self) -> bool:
        last = self.last
        while piece := self.take(_CHUNK):
            if any(piece):
                return False
        self.last = last
        return True

    def damage(self, what: str) -> RecordingUnreadable:
        return RecordingUnreadable(
            f"{self._path}: {what}, at byte {self.last}",
            hint="the frames before it are good; what follows is lost",
        )

    def _fill(self, count: int) -> None:
        if len(self._have) - self._place >= count:
            return
        pieces = [self._have[self._place :]]
        self._before += self._place
        self._place, size = 0, len(pieces[0])
        while size < count:
            try:
                piece = self._more(max(_CHUNK, count - size))
            except EOFError:
                self.cut = True
                break
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
        self._have = b"".join(pieces)


def _decompressed(file: BufferedReader) -> Callable[[int], bytes]:
    """Return a `read` of the content; it raises EOFError where the compressed form was cut off."""
    size = zstandard.get_frame_parameters(file.peek(_LONGEST_ZSTD_HEAD)).content_size
    stream = zstandard.ZstdDecompressor().stream_reader(file)

    def more(count: int) -> bytes:
        found = stream.read(count)
        if not found and stream.tell() < size:
            raise EOFError
        return found

    return more

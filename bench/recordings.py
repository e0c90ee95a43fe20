"""Recordings: the frames that every scenario is fed, and what has to come out of them.

What has to come out is worked out here in the plainest way, from the venue's rules alone, so that no
contestant is measured on work that it did not do.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import msgspec

from bench.subjects import Book, Frame, Said, Subject, subjects

CAPTURES = Path(__file__).parents[2] / "shared" / "captures"

Best: TypeAlias = dict[str, tuple[float | None, float | None]]  # native symbol → best bid, best ask


class Recording(msgspec.Struct, frozen=True, eq=False):
    """A venue's frames in order of receipt, and the body of its listing, where one was recorded."""

    name: str
    venue: str
    frames: list[Frame]
    listing: list[Frame] = []

    @property
    def subject(self) -> Subject:
        return subjects()[self.venue]

    @property
    def messages(self) -> list[bytes]:
        """The WebSocket messages alone."""
        return [frame.raw for frame in self.frames if frame.kind == "ws"]

    @property
    def snapshots(self) -> dict[str, bytes]:
        """Native symbol → the first REST body of its book."""
        found: dict[str, bytes] = {}
        snapshot = self.subject.snapshot
        for frame in self.frames:
            if frame.kind == "http" and (told := snapshot(frame)) is not None:
                found.setdefault(told[0], frame.raw)
        return found


class Expected(msgspec.Struct, frozen=True):
    """What is told by kind, and `applied`: updates that change a book. `best`: where the books end.

    `levels` is how many prices all books have at the end. `alternatives`: kinds that stand for one another.
    """

    counts: dict[str, int]
    best: Best
    alternatives: tuple[frozenset[str], ...] = (frozenset({"diffs", "applied", "levels"}),)


def load(path: Path, limit: int | None = None) -> Recording:
    """Read a `.jsonl` or `.jsonl.gz` capture; of its messages the first `limit`."""
    venue = path.parent.name
    subject = subjects()[venue]
    name = path.name.removesuffix(".gz").removesuffix(".jsonl")
    listing = None if subject.listing is None else CAPTURES / subject.listing
    found = list(_frames(listing, None)) if listing is not None and listing.is_file() else []
    frames = [frame for frame in _frames(path, limit) if frame.kind == "http" or subject.is_fed(frame.raw)]
    return Recording(name=name, venue=venue, frames=subject.amended(frames), listing=found)


def _frames(path: Path, limit: int | None) -> Iterator[Frame]:
    left = limit if limit is not None else -1
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            row = msgspec.json.decode(line)
            if row["dir"] != "in" or not row["raw"] or row.get("event"):
                continue
            if row["kind"] == "ws":
                if left == 0:
                    return
                left -= 1
            yield Frame(
                row["venue"], int((row["t"] or 0) * 1e9), row["kind"], row["url"], row["raw"].encode()
            )


@cache
def expected(recording: Recording) -> Expected:
    """Count what the messages say and follow the books as the venue's documents say, one level at a time."""
    subject = recording.subject
    counts: Counter[str] = Counter()
    books: dict[str, _PlainBook] = {}
    for frame in recording.frames:
        if frame.kind == "http" and (told := subject.snapshot(frame)) is not None:
            books.setdefault(told[0], _PlainBook(told[1]))
    for message in recording.messages:
        for one in subject.reads(json.loads(message)):
            if isinstance(one, Said):
                counts += Counter({one.kind: one.times})
            else:
                counts["diffs"] += 1
                counts["applied"] += _apply(subject, books, one)
    best = {symbol: book.best for symbol, book in books.items()}
    if books:
        counts["levels"] = sum(len(book.bids) + len(book.asks) for book in books.values())
    book_counts = frozenset({"diffs", "applied", "levels"})
    return Expected(dict(counts), best, (book_counts, *subject.alternatives))


def _apply(subject: Subject, books: dict[str, "_PlainBook"], update: Book) -> bool:
    book = books.get(update.symbol)
    if update.whole:
        books[update.symbol] = _PlainBook(update)
        return True
    if book is None or subject.is_old(update, book.last):
        return False
    book.apply(update)
    return True


class _PlainBook:
    def __init__(self, snapshot: Book) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.apply(snapshot)

    def apply(self, update: Book) -> None:
        self.last = update.last
        for side, levels in ((self.bids, update.bids), (self.asks, update.asks)):
            for price, size in levels:
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)

    @property
    def best(self) -> tuple[float | None, float | None]:
        return max(self.bids, default=None), min(self.asks, default=None)

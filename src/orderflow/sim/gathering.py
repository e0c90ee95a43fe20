"""Gathering: timers, and books told as diffs or as their best levels, for streams on a grid of time."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from orderflow.sim.book import Book
from orderflow.sim.happenings import BookChanged, Level, Lots, Millis, Ticks
from orderflow.sim.listings import Wording


class Every:
    """Says yes once in each stretch of `ms`, on the clock's grid; not at the first asking."""

    def __init__(self, ms: Millis) -> None:
        self._ms = ms
        self._last: int | None = None

    def due(self, now_ms: Millis) -> bool:
        last, self._last = self._last, now_ms // self._ms
        return last is not None and self._last != last


def levels(wording: Wording, side: Iterable[tuple[Ticks, Lots]]) -> list[tuple[str, str]]:
    price, size = wording.price, wording.size
    return [(price(tick), size(lots)) for tick, lots in side]


# ── All levels that changed ───────────────────────────────────────────────────────────────────


class Diff(msgspec.Struct):
    """Changes of a book gathered for one frame: absolute lots of every level touched since the last."""

    previous: int  # update id where the stream's last frame (or snapshot) ended
    first: int
    last: int
    ts: Millis
    bids: dict[Ticks, Lots]
    asks: dict[Ticks, Lots]


class DiffStream:
    """Gathers book changes and gives them out on the grid of `ms`; 0 gives out each change at once."""

    def __init__(self, ms: Millis) -> None:
        self._grid = Every(ms) if ms else None
        self._open: Diff | None = None
        self._ended: int | None = None

    def add(self, changed: BookChanged) -> Diff | None:
        """Take in a change; a stream without a grid hands it straight back."""
        diff = self._open
        if diff is None:
            previous = changed.previous if self._ended is None else self._ended
            diff = self._open = Diff(previous, changed.first, changed.last, changed.ts, {}, {})
        diff.last, diff.ts = changed.last, changed.ts
        diff.bids.update(changed.bids)
        diff.asks.update(changed.asks)
        return self._close() if self._grid is None else None

    def due(self, now_ms: Millis) -> Diff | None:
        """What has gathered, if the time has come and there is anything."""
        if self._grid is None or not self._grid.due(now_ms) or self._open is None:
            return None
        return self._close()

    def split(self, update_id: int) -> Diff | None:
        """End here, at a snapshot's id, and hand over what has gathered; the next diff follows on that id."""
        diff = self._close()
        self._ended = update_id
        return diff

    def _close(self) -> Diff | None:
        diff, self._open = self._open, None
        if diff is not None:
            self._ended = diff.last
        return diff


class Diffs:
    """The diff streams of one book: each on its own grid, and only while somebody wants it.

    In `frames`: `heed` first, `add` for every BookChanged, `due` at the end. In `opening`: `split`, whose
    diff belongs into `closing`, while the snapshot is `book.top(…)` with the id `book.update_id`.
    """

    def __init__(self, book: Book, grids: Mapping[str, Millis]) -> None:
        self.book = book
        self._grids = grids  # by stream
        self._running: dict[str, DiffStream] = {}

    def heed(self, wanted: Collection[str]) -> None:
        """Start what is wanted now and forget what is not any more."""
        for stream, ms in self._grids.items():
            if stream not in wanted:
                self._running.pop(stream, None)
            elif stream not in self._running:
                self._running[stream] = DiffStream(ms)

    def add(self, changed: BookChanged) -> list[tuple[str, Diff]]:
        """Take in a change, and hand back what the streams without a grid say at once."""
        found = ((stream, one.add(changed)) for stream, one in self._running.items())
        return [(stream, diff) for stream, diff in found if diff is not None]

    def due(self, now_ms: Millis) -> list[tuple[str, Diff]]:
        found = ((stream, one.due(now_ms)) for stream, one in self._running.items())
        return [(stream, diff) for stream, diff in found if diff is not None]

    def split(self, stream: str) -> Diff | None:
        """End the stream's diff at the book as it is, so that the next one follows on it."""
        one = self._running.get(stream)
        if one is None:
            one = self._running[stream] = DiffStream(self._grids[stream])
        return one.split(self.book.update_id)


# ── The best levels ───────────────────────────────────────────────────────────────────────────


class TopChange(msgspec.Struct, frozen=True):
    """What changed among the best levels; a level that left them has 0 lots."""

    number: int  # of this change in its stream; a snapshot has the number of the change before it
    previous: int  # the book's update ids, before and after
    last: int
    bids: Sequence[Level]
    asks: Sequence[Level]


class TopStream:
    """The best levels of a book, told as changes on a grid: what comes into them, changes and leaves."""

    def __init__(self, book: Book, depth: int, ms: Millis) -> None:
        self.number = 1
        self._book = book
        self._depth = depth
        self._grid = Every(ms)
        self._told = self._seen = book.update_id
        self._bids, self._asks = self._top()

    @property
    def snapshot(self) -> tuple[int, Sequence[Level], Sequence[Level]]:
        """Update id, bids and asks as told so far, best first; call `split` before."""
        return self._told, list(self._bids.items()), list(self._asks.items())

    def due(self, now_ms: Millis) -> TopChange | None:
        """What changed, if the time has come and anything did."""
        return self.split() if self._grid.due(now_ms) else None

    def split(self) -> TopChange | None:
        """What changed since the last time; None if nothing did among the best levels."""
        if self._book.update_id == self._seen:
            return None
        self._seen = self._book.update_id
        bids, asks = self._top()
        changed = (_changed(self._bids, bids), _changed(self._asks, asks))
        if not changed[0] and not changed[1]:
            return None  # what is told moves on with the next change that can be seen
        self._bids, self._asks = bids, asks
        previous, self._told = self._told, self._seen
        self.number += 1
        return TopChange(self.number, previous, self._told, *changed)

    def _top(self) -> tuple[dict[Ticks, Lots], dict[Ticks, Lots]]:
        bids, asks = self._book.top(self._depth)
        return dict(bids), dict(asks)


def _changed(old: Mapping[Ticks, Lots], new: Mapping[Ticks, Lots]) -> list[Level]:
    gone = [(tick, 0) for tick in old if tick not in new]
    return gone + [(tick, lots) for tick, lots in new.items() if old.get(tick) != lots]

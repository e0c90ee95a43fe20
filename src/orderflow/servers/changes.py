"""Changes: what is new in the latest of a stream, looked for at a steady pace, for as many readers as there are.

Each series that somebody reads is looked at once a beat, whoever reads it; what is new is written once and put
into every reader's box. A box is bounded: of a state it holds the latest of each venue, of trades and
liquidations the last ones. What a slow reader missed is counted, and he is told.
"""

import asyncio
import contextlib
import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from orderflow.market.errors import UnknownSymbol
from orderflow.market.events import MS, BookTop, Event
from orderflow.market.streams import BOOK_LEVELS, STREAMS, Stream

BEAT_S = 0.1
MOST_WAITING = 500  # trades or liquidations in one box
TAPES = ("trades", "liquidations")  # of which every one counts, not the last alone


class Watched(Protocol):
    """Who knows the latest; `store.live.Live` of the process that collects. Asked from the doors' loop."""

    @property
    def kind(self) -> str | None: ...
    @property
    def streams(self) -> Sequence[str]: ...
    def symbols(self) -> Sequence[str]: ...
    def newest(self, stream: str, symbol: str) -> Sequence[Event]: ...


class Series(NamedTuple):
    """A stream of a symbol, on every venue."""

    stream: str
    symbol: str


class Change(NamedTuple):
    """A row that is new, as JSON; `number` grows by one from row to row."""

    number: int
    venue: str
    data: str


class Box:
    """What waits for one reader."""

    def __init__(self, venues: Iterable[str], each: bool) -> None:
        self.venues = frozenset(venues)
        self.ready = asyncio.Event()
        self.ended = False
        self._each = each  # every row counts, not the latest alone
        self._waiting: OrderedDict[int | str, Change] = OrderedDict()
        self._missed, self._more = 0, False

    @property
    def heard(self) -> set[str]:
        """The venues of what waits."""
        return {one.venue for one in self._waiting.values()}

    def put(self, change: Change) -> None:
        if change.venue not in self.venues:
            return
        key = change.number if self._each else change.venue
        if self._waiting.pop(key, None) is not None:
            self._missed += 1
        self._waiting[key] = change
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
            self._missed += 1
        self.ready.set()

    def miss_more(self) -> None:
        """Note that rows came and went between two looks, so that nobody counted them."""
        self._more = True
        self.ready.set()

    def end(self) -> None:
        self.ended = True
        self.ready.set()

    def take(self) -> tuple[list[Change], int, bool]:
        """Return what waits, oldest first, how many rows were missed, and if there were more, uncounted.

        The box is empty then.
        """
        found = sorted(self._waiting.values()), self._missed, self._more
        self._waiting.clear()
        self._missed, self._more = 0, False
        if not self.ended:
            self.ready.clear()
        return found


class _Read:
    """A series that is read: its boxes, and what each venue told last."""

    def __init__(self, stream: str) -> None:
        self.writes = row(STREAMS[stream])
        self.each = stream in TAPES
        self.boxes: set[Box] = set()
        self.last: dict[str, Event] = {}
        self.shown: dict[str, Change] = {}


class Changes:
    """Looks for changes while somebody reads, and not otherwise."""

    def __init__(self, watched: Watched, *, beat_s: float = BEAT_S) -> None:
        self.watched = watched
        self._beat_s = beat_s
        self._read: dict[Series, _Read] = {}
        self._numbers = itertools.count(1)
        self._looking: asyncio.Task[None] | None = None
        self._left = False

    def open(self, series: Series, venues: Iterable[str]) -> Box:
        """Return a box that has the latest of each venue and will have the changes; `close` it.

        Raises `UnknownSymbol` for a symbol that is not collected.
        """
        read = self._read.get(series) or _Read(series.stream)
        self._look(series, read)
        self._read[series] = read
        box = Box(venues, read.each)
        for change in read.shown.values():
            box.put(change)
        read.boxes.add(box)
        if self._left:
            box.end()
        elif self._looking is None:
            self._looking = asyncio.create_task(self._look_again_and_again())
        return box

    def close(self, series: Series, box: Box) -> None:
        if (read := self._read.get(series)) is not None:
            read.boxes.discard(box)
            if not read.boxes:
                del self._read[series]

    async def leave(self) -> None:
        """End every box, so that their readers are told and go."""
        self._left = True
        for read in self._read.values():
            for box in read.boxes:
                box.end()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look_again_and_again(self) -> None:
        while self._read:
            await asyncio.sleep(self._beat_s)
            for series, read in list(self._read.items()):
                with contextlib.suppress(UnknownSymbol):  # it is collected no longer; it may be again
                    self._look(series, read)
        self._looking = None

    def _look(self, series: Series, read: _Read) -> None:
        by_venue: dict[str, list[Event]] = {}
        for event in self.watched.newest(*series):
            by_venue.setdefault(event.venue, []).append(event)
        for venue, events in by_venue.items():
            before = read.last.get(venue)
            fresh, whole = _since(before, events)
            read.last[venue] = events[-1]
            if before is None:
                fresh, whole = fresh[-1:], True  # who comes first is shown the latest, not what was before
            for event in fresh:
                change = Change(next(self._numbers), venue, read.writes(event))
                read.shown[venue] = change
                for box in read.boxes:
                    box.put(change)
            if not whole and read.each:
                for box in read.boxes:
                    box.miss_more()


def _since(before: Event | None, events: Sequence[Event]) -> tuple[Sequence[Event], bool]:
    """Return the events after one that was seen, and whether there may not have been more."""
    for place in range(len(events) - 1, -1, -1):
        if events[place] is before:
            return events[place + 1 :], True
    return events, False


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────


def row(stream: Stream) -> Callable[[Any], str]:
    """Return what writes an event as JSON, under the names of its stream's table.

    Times are epoch milliseconds UTC; what is unknown is null. A book's levels are [price, quantity], best first.
    """
    taken = stream.row()
    columns = stream.packed
    writers = [_WRITTEN.get(column.type, _known) for column in columns]

    def write(event: Any) -> str:
        found: dict[str, Any] = {
            "venue": event.venue,
            "symbol": event.symbol,
            "timestamp": _ms(event.ts_event or event.ts_recv),
            "received": _ms(event.ts_recv),
        }
        if isinstance(event, BookTop):
            found |= {
                "bids": _levels(event.levels[: 2 * BOOK_LEVELS]),
                "asks": _levels(event.levels[2 * BOOK_LEVELS :]),
                "depth": event.depth,
                "sequence": event.sequence,
            }
        else:
            for column, written, value in zip(columns, writers, taken(event)[2:], strict=True):
                found[column.name] = written(value)
            if stream.name == "trades":
                found["side"] = event.side
        return msgspec.json.encode(found).decode()

    return write


def _ms(time: int | None) -> int | None:
    return None if not time else time // MS


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


_WRITTEN: dict[str, Callable[[Any], Any]] = {"TIMESTAMP": _ms, "VARCHAR": _text}


def _levels(flat: Sequence[float | None]) -> list[list[Any]]:
    pairs = [[flat[place], _known(flat[place + 1])] for place in range(0, len(flat), 2)]
    return [pair for pair in pairs if pair[0] is not None]

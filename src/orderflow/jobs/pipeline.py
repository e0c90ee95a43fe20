"""The pipeline: frames in, rows and live state out; the one path for live, recorded and replayed data."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from orderflow.feed.frames import Frame
from orderflow.feed.sync import BOOK_INTERVAL_MS, Sync
from orderflow.market.errors import VenueChanged
from orderflow.market.events import (
    BookTop,
    BookUpdate,
    Control,
    Event,
    Funding,
    FundingInterval,
    Gap,
    Ignored,
    Instrument,
    Nanos,
    Trade,
)
from orderflow.market.streams import KEPT
from orderflow.store.live import Live
from orderflow.venues.spec import Venue, answer

log = logging.getLogger(__name__)

SHOWN_BYTES = 200
_INTERVALS = "intervals"  # the url of the frame that keeps the hours between fundings

WantSnapshot = Callable[[str, str], None]  # (venue, symbol)


class Sink(Protocol):
    """Where kept events and gaps go: the writer of a store, or nowhere."""

    def adders(self, venue: str) -> dict[type[Event], Callable[[Any], None]]: ...
    def gap(self, gap: Gap) -> None: ...
    def no_gap(self, gap: Gap) -> None: ...


class Tally(msgspec.Struct):
    """What became of the frames: each was used, left out for a reason, or not understood."""

    frames: int = 0
    ignored: Counter[str] = msgspec.field(default_factory=Counter)
    unknown: Counter[str] = msgspec.field(default_factory=Counter)
    sample: str = ""  # the last frame that was not understood, cut short

    @property
    def used(self) -> int:
        return self.frames - self.ignored.total() - self.unknown.total()


class _Lane:
    """One venue's way through the pipeline."""

    def __init__(self, venue: Venue, writer: Sink, live: Live, want_snapshot: WantSnapshot, interval_ms: int) -> None:
        self.venue = venue
        self.decode = venue.decode
        self.sync = Sync(
            venue, lambda symbol: want_snapshot(venue.name, symbol), book_interval_ms=interval_ms
        )
        self.add = writer.adders(venue.name)
        self.remember = live.setters(venue.name)
        self.last_ts: Nanos = 0
        self.intervals: dict[str, float] | None = None  # hours between fundings, once the venue has said


class Pipeline:
    """Decodes frames, keeps books, remembers what is latest and gives rows to the writer.

    A venue that speaks nonsense is counted and never stops another.
    """

    def __init__(
        self,
        venues: dict[str, Venue],
        writer: Sink,
        live: Live,
        *,
        want_snapshot: WantSnapshot = lambda venue, symbol: None,
        book_interval_ms: int = BOOK_INTERVAL_MS,
    ) -> None:
        self._writer = writer
        self.live = live
        self.tally = Tally()
        self.unknown_by_venue: Counter[str] = Counter()
        self._lanes = {
            name: _Lane(venue, writer, live, want_snapshot, book_interval_ms) for name, venue in venues.items()
        }
        self.last_ts: Nanos = 0

    # ── Frames ────────────────────────────────────────────────────────────────────────────────

    def take(self, frames: Sequence[Frame]) -> None:
        """Take a batch of frames in the order in which they came."""
        lanes, tally = self._lanes, self.tally
        for frame in frames:
            lane = lanes.get(frame.venue)
            if lane is None:
                if frame.kind in ("note", "book"):  # ours
                    continue
                tally.frames += 1
                tally.ignored[f"no decoder for {frame.venue}"] += 1
            elif frame.kind == "note" or frame.kind == "book":
                self._ours(lane, frame)
            else:
                tally.frames += 1
                try:
                    if frame.kind == "ws":
                        events = lane.decode(frame.payload, frame.ts_recv)
                    else:
                        events = answer(lane.venue, frame.url, frame.payload, frame.ts_recv)
                except (msgspec.MsgspecError, ValueError, VenueChanged) as error:
                    self._unreadable(lane, frame, error)
                    continue
                if not self._keep(lane, events):
                    self._leave_out(events)
            if lane is not None and (lane.sync.changed or lane.sync.void):
                self._collect_gaps(lane.sync)
        if frames:
            self.last_ts = frames[-1].ts_recv or self.last_ts

    def _keep(self, lane: _Lane, events: Sequence[Event]) -> bool:
        """Bring events to where they belong; tell whether any was kept."""
        kept = False
        sync, add, remember = lane.sync, lane.add, lane.remember
        for event in events:
            kind = type(event)
            if kind is BookUpdate:
                kept = True
                event = sync.book(event)  # noqa: PLW2901 - a row of the book, if it is time for one
                if event is None:
                    continue
                kind = BookTop
            elif kind is Trade:
                sync.trade(event.id, event.merged, event.symbol, event.ts_event or event.ts_recv)
            elif kind is Funding:
                event = self._with_interval(lane, event)  # noqa: PLW2901
            keep = add.get(kind)
            if keep is None:
                kept |= self._other(lane, event)
                continue
            kept = True
            keep(event)
            if kind in remember:
                remember[kind](event)
            if sync.open and kind is not BookTop and kind is not Trade and kind is not Instrument:
                sync.arrived(KEPT[kind].name, event)
        return kept

    def _other(self, lane: _Lane, event: Event) -> bool:
        """Take an event that has no table; tell whether it was of use."""
        if isinstance(event, Ignored):
            if event.id is not None:
                lane.sync.trade(event.id, False, event.symbol, event.ts_event or event.ts_recv)
            return False
        if isinstance(event, FundingInterval):
            if lane.intervals is None:
                lane.intervals = {}
            lane.intervals[event.symbol] = event.interval_hours
            return True
        return False

    def _with_interval(self, lane: _Lane, event: Funding) -> Funding:
        if event.interval_hours is not None or lane.intervals is None:
            return event
        hours = lane.intervals.get(event.symbol, lane.venue.funding_hours)
        return msgspec.structs.replace(event, interval_hours=hours)

    def _leave_out(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Ignored):
                self.tally.ignored[event.reason] += 1
                return
            if isinstance(event, Control):
                self.tally.ignored[f"about the connection: {event.kind}"] += 1
                return
        self.tally.ignored["an empty list"] += 1

    def _unreadable(self, lane: _Lane, frame: Frame, error: Exception) -> None:
        """Count a frame that cannot be read; the journal has it, and the others go on."""
        said = str(error)
        self.tally.unknown[said] += 1
        self.tally.sample = frame.payload[:SHOWN_BYTES].decode(errors="replace")
        self.unknown_by_venue[lane.venue.name] += 1
        if self.tally.unknown[said] == 1:
            log.warning("%s: a frame that cannot be read: %s; frame %r", lane.venue.name, said, frame.payload[:SHOWN_BYTES])

    def _ours(self, lane: _Lane, frame: Frame) -> None:
        if frame.kind == "book":
            if frame.url == _INTERVALS:
                lane.intervals = msgspec.msgpack.decode(frame.payload, type=dict[str, float])
            else:
                lane.sync.take_up(frame)
            return
        said = lane.sync.noted(frame, self.last_ts)
        if said.kind == "recording":
            lane.intervals = None

    def _collect_gaps(self, sync: Sync) -> None:
        for gap in sync.void:
            self.live.no_gap(gap)
            self._writer.no_gap(gap)
        for gap in sync.changed:
            self.live.gap(gap)
            self._writer.gap(gap)
        sync.void.clear()
        sync.changed.clear()

    # ── A journal that begins here ────────────────────────────────────────────────────────────

    def keep_books(self, ts_recv: Nanos) -> Iterator[Frame]:
        """Yield what a journal segment must begin with to be replayed by itself."""
        for lane in self._lanes.values():
            yield from lane.sync.keep(ts_recv)
            if lane.intervals is not None:
                said = msgspec.msgpack.encode(lane.intervals)
                yield Frame(lane.venue.name, ts_recv, said, "book", _INTERVALS)

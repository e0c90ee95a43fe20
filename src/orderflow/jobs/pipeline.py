"""The pipeline: frames in, rows and live state out; the one path for live, recorded and replayed data."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from orderflow.feed.frames import ON_PURPOSE, Frame, Note, note
from orderflow.feed.sync import BOOK_INTERVAL_MS, Sync
from orderflow.market.errors import DEFECTS, VenueChanged
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
    Liquidation,
    Missed,
    Nanos,
    Quote,
    Trade,
)
from orderflow.market.facts import Fact
from orderflow.market.streams import KEPT
from orderflow.store.live import Live
from orderflow.venues.spec import Memory, Venue, answer, lists

log = logging.getLogger(__name__)

SHOWN_BYTES = 200
REASONS = 200
OTHER_REASONS = "one of many other reasons"
_INTERVALS = "intervals"  # the url of the frame that keeps the hours between fundings
_MEMORY = "memory"  # the url of the frame that keeps what the decoder knows

_TOLD = (msgspec.MsgspecError, VenueChanged, ValueError)  # what decoders raise on purpose

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

    def __init__(
        self, venue: Venue, writer: Sink, live: Live, want_snapshot: WantSnapshot, interval_ms: int
    ) -> None:
        self.venue = venue
        self.sync = Sync(
            venue, lambda symbol: want_snapshot(venue.name, symbol), book_interval_ms=interval_ms
        )
        self.add = writer.adders(venue.name)
        self.latest = live.slots(venue.name)
        self.trades = live.tapes(venue.name)
        self.liquidations = live.liquidations(venue.name)
        self.last_ts: Nanos = 0  # when the venue was last heard
        self.intervals: dict[str, float] | None = None  # hours between fundings, once the venue has said
        self.memory = Memory()
        self.wanted: frozenset[str] | None = None  # of what channels of a whole market say
        self.counts = venue.consecutive_trades and venue.trade_ids_span


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
            name: _Lane(venue, writer, live, want_snapshot, book_interval_ms)
            for name, venue in venues.items()
        }
        self.last_ts: Nanos = 0

    # ── Frames ────────────────────────────────────────────────────────────────────────────────

    def take(self, frames: Sequence[Frame]) -> None:
        """Take a batch of frames in the order in which they came."""
        start = 0
        for end in _changes(frames):
            lane = self._lanes.get(frames[start].venue)
            if lane is None:
                received = sum(frame.kind not in ("note", "book") for frame in frames[start:end])
                self.tally.frames += received
                self.tally.ignored[f"no decoder for {frames[start].venue}"] += received
            else:
                self._take_of(lane, frames[start:end])
            start = end
        if frames:
            self.last_ts = frames[-1].ts_recv or self.last_ts

    def _take_of(self, lane: _Lane, frames: Sequence[Frame]) -> None:  # noqa: C901, PLR0912 - a call costs a tenth of a frame
        """Take frames of one venue. The events that come by the ten thousand are dealt with in line."""
        sync, decode = lane.sync, lane.venue.decode
        add_quote, quotes = lane.add[Quote], lane.latest[Quote]
        add_trade, trades = lane.add[Trade], lane.trades
        open_gaps, changed, void = sync.open, sync.changed, sync.void
        memory, counts, own = lane.memory, lane.counts, lane.venue.name
        mixed = bool(lane.venue.speaks_for)
        ours = 0
        event: Any  # its kind is told by its type, which a checker does not follow
        for frame in frames:
            try:
                if frame.kind == "ws":
                    events = decode(frame.payload, frame.ts_recv, memory)
                elif frame.kind in ("note", "book"):
                    ours += 1
                    self._ours(lane, frame, _last_heard(frames, frame) or lane.last_ts)
                    continue
                else:
                    events = answer(lane.venue, frame.url, frame.payload, frame.ts_recv, memory)
                    if lists(lane.venue, frame.url):
                        memory.relist([one for one in events if isinstance(one, Instrument)])
            except (msgspec.MsgspecError, VenueChanged, *DEFECTS) as error:
                self._unreadable(lane, frame, error)
                continue
            kept = False
            for event in events:
                kind = type(event)
                if mixed and event.venue != own:
                    kept |= self._of_another(event)
                elif kind is Quote:
                    add_quote(event)
                    quotes[event.symbol] = event
                    kept = True
                elif kind is Trade:
                    id = event.id if event.sequence is None else event.sequence
                    first = id - (event.count or 1) + 1 if counts else None
                    sync.trade(id, event.merged, event.symbol, event.ts_event or event.ts_recv, first=first)
                    add_trade(event)
                    trades[event.symbol].append(event)
                    kept = True
                    continue
                elif kind is BookUpdate:
                    kept = True
                    if (top := sync.book(event)) is not None:
                        lane.add[BookTop](top)
                        lane.latest[BookTop][top.symbol] = top
                    continue
                elif self._rarer(lane, kind, event):
                    kept = True
                else:
                    continue
                if open_gaps and kind in KEPT:
                    sync.arrived(KEPT[kind].name, event)
            if not kept:
                self._leave_out(events)
            if changed or void:
                self._collect_gaps(sync)
        self.tally.frames += len(frames) - ours
        lane.last_ts = _last_heard(frames) or lane.last_ts

    def _rarer(self, lane: _Lane, kind: type[Event], event: Event) -> bool:
        """Bring an event of a less frequent kind to where it belongs; tell whether it was of use."""
        if lane.wanted is not None and event.symbol not in lane.wanted and kind in KEPT:
            return False
        if isinstance(event, Funding):
            event = self._with_interval(lane, event)
        elif isinstance(event, Instrument):
            lane.memory.learn(event)
        if (add := lane.add.get(kind)) is None:
            return self._other(lane, event)
        add(event)
        if (latest := lane.latest.get(kind)) is not None:
            latest[event.symbol] = event
        elif isinstance(event, Liquidation):
            lane.liquidations[event.symbol].append(event)
        return True

    def _of_another(self, event: Event) -> bool:
        """Take an event that came in another venue's frame, as options do with futures."""
        lane = self._lanes.get(event.venue)
        if lane is None:
            return False
        if isinstance(event, Trade):
            id = event.id if event.sequence is None else event.sequence
            lane.sync.trade(id, event.merged, event.symbol, event.ts_event or event.ts_recv)
            lane.add[Trade](event)
            lane.trades[event.symbol].append(event)
        elif isinstance(event, BookUpdate):
            if (top := lane.sync.book(event)) is not None:
                lane.add[BookTop](top)
                lane.latest[BookTop][top.symbol] = top
        elif not self._rarer(lane, type(event), event):
            return False
        elif type(event) in KEPT:
            lane.sync.arrived(KEPT[type(event)].name, event)
        if lane.sync.changed or lane.sync.void:
            self._collect_gaps(lane.sync)
        return True

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
        if isinstance(event, Missed):
            lane.sync.missed(event)
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
                self._ignore(event.reason)
                return
            if isinstance(event, Control):
                self._ignore(f"about the connection: {event.kind}")
                return
            if isinstance(event, Fact):
                self._ignore(f"answers a question, and is not stored: {type(event).__name__}")
                return
        self._ignore("an empty list")

    def _ignore(self, reason: str) -> None:
        ignored = self.tally.ignored
        if reason not in ignored and len(ignored) >= REASONS:
            reason = OTHER_REASONS  # where a reason names what it is about, there may be ever new ones
        ignored[reason] += 1

    def _unreadable(self, lane: _Lane, frame: Frame, error: Exception) -> None:
        """Count a frame that cannot be read; the journal has it, and the others go on."""
        said = str(error) if isinstance(error, _TOLD) else f"a mistake of ours: {error!r}"
        if said not in self.tally.unknown and len(self.tally.unknown) >= REASONS:
            said = OTHER_REASONS  # nonsense in endless variety must not fill the memory, or the log
        self.tally.unknown[said] += 1
        self.tally.sample = frame.payload[:SHOWN_BYTES].decode(errors="replace")
        self.unknown_by_venue[lane.venue.name] += 1
        if self.tally.unknown[said] == 1:
            log.warning(
                "%s: a frame that cannot be read: %s; frame %r",
                lane.venue.name,
                said,
                frame.payload[:SHOWN_BYTES],
            )

    def _ours(self, lane: _Lane, frame: Frame, last_ts: Nanos) -> None:
        if frame.kind == "book":
            if frame.url == _INTERVALS:
                lane.intervals = msgspec.msgpack.decode(frame.payload, type=dict[str, float])
            elif frame.url == _MEMORY:
                kept = msgspec.msgpack.decode(frame.payload, type=Memory)
                lane.memory.contracts.update(kept.contracts)
                lane.memory.states.update(kept.states)
            else:
                lane.sync.take_up(frame)
            return
        said = lane.sync.noted(frame, last_ts)
        self._collect_gaps(lane.sync)
        if said.kind == "recording":
            lane.intervals = None
            lane.memory.states.clear()
        elif said.kind == "collecting":
            lane.wanted = frozenset(said.symbols)
        elif said.kind == "disconnected" and said.reason.startswith(ON_PURPOSE):
            self.live.forget(lane.venue.name, said.series)

    def _collect_gaps(self, sync: Sync) -> None:
        for gap in sync.void:
            self.live.no_gap(gap)
            self._writer.no_gap(gap)
        for gap in sync.changed:
            self.live.gap(gap)
            self._writer.gap(gap)
        sync.void.clear()
        sync.changed.clear()

    def heard(self, venue: str) -> Nanos | None:
        """Return when a venue was last heard; None if it never was."""
        return self._lanes[venue].last_ts or None

    def only(self, symbols: Sequence[str] | None) -> None:
        """Keep these symbols alone of what channels of a whole market say; all of them if None."""
        for lane in self._lanes.values():
            lane.wanted = None if symbols is None else frozenset(symbols)

    def journal_symbols(self, symbols: Sequence[str], ts_recv: Nanos) -> list[Frame]:
        """Return notes after which these symbols alone are kept, live and in a replay alike."""
        said = Note("collecting", symbols=list(symbols))
        return [note(name, ts_recv, said) for name in self._lanes]

    def learn(self, instruments: Sequence[Instrument]) -> None:
        """Tell decoders what was listed: read from elsewhere than the frames."""
        for one in instruments:
            if one.venue in self._lanes:
                self._lanes[one.venue].memory.learn(one)

    # ── A journal that begins here ────────────────────────────────────────────────────────────

    def keep_books(self, ts_recv: Nanos) -> Iterator[Frame]:
        """Yield what a journal segment must begin with to be replayed by itself."""
        for lane in self._lanes.values():
            yield from lane.sync.keep(ts_recv)
            if lane.intervals is not None:
                said = msgspec.msgpack.encode(lane.intervals)
                yield Frame(lane.venue.name, ts_recv, said, "book", _INTERVALS)
            known = lane.memory.needed(lane.venue.needs_contracts)
            if known.states or known.contracts:
                yield Frame(lane.venue.name, ts_recv, msgspec.msgpack.encode(known), "book", _MEMORY)


def _changes(frames: Sequence[Frame]) -> Iterator[int]:
    """Yield the places at which the venue changes, and the end."""
    venue = frames[0].venue if frames else ""
    for place, frame in enumerate(frames):
        if frame.venue != venue:
            yield place
            venue = frame.venue
    if frames:
        yield len(frames)


def _last_heard(frames: Sequence[Frame], before: Frame | None = None) -> Nanos:
    """Return when the last of the venue's own frames came (before one of them), or 0."""
    place = len(frames) if before is None else next(at for at, one in enumerate(frames) if one is before)
    while place:
        place -= 1
        frame = frames[place]
        if frame.ts_recv and frame.kind not in ("note", "book"):
            return frame.ts_recv
    return 0

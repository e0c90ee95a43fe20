"""Sync: keeps one venue's books and tapes right, and knows what is missing.

Books follow the venue's rule; trade ids follow one another where the venue numbers them. A hole
becomes a `Gap` that is open until data joins again. Without clocks: times are those of the data,
so that a replay finds the same gaps.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from orderflow.feed.book import Texts, book_of, last_change, top_of
from orderflow.feed.frames import NOTE, ON_PURPOSE, Frame, Note
from orderflow.market.errors import BookGap
from orderflow.market.events import SECOND, BookTop, BookUpdate, Event, Gap, Level, Missed, Nanos
from orderflow.market.streams import BOOK_LEVELS
from orderflow.venues.spec import BookRule, Venue

BOOK_INTERVAL_MS = 250
# A trade that is so much later than the last one and has a lower id belongs to a new counting.
BEGUN_AGAIN_NS: Nanos = 60 * SECOND


class _Kept(msgspec.Struct):
    """A book, its tapes and what is missing as they stand, so that a journal can begin here."""

    symbol: str
    bids: list[Level]
    asks: list[Level]
    last_id: int | None
    row_ts: Nanos
    row: list[float | None]
    good_ts: Nanos
    in_step: bool
    tapes: list[tuple[bool, int, Nanos]]  # (merged, id, time)
    open: list[Gap]
    joined: bool = True
    waiting: list[BookUpdate] = []
    texts: Texts | None = None


_KEPT = msgspec.msgpack.Decoder(_Kept)


class _Watched:
    """One symbol's book, when it last was right, and the row that was last made of it."""

    __slots__ = ("asked", "book", "good_ts", "row", "row_ts")

    def __init__(self, venue: Venue) -> None:
        self.book = book_of(venue)
        self.good_ts: Nanos = 0
        self.row: tuple[float | None, ...] = ()
        self.row_ts: Nanos = 0
        self.asked = False


class _Tape(NamedTuple):
    """Where a series of trade ids stands."""

    id: int
    ts: Nanos


class Sync:
    """One venue's books, tapes and gaps.

    `want_snapshot(symbol)` is called when a book needs one. `changed` holds the gaps that opened or
    closed since it was last emptied; `open` those that last. `void` holds gaps that turned out to be
    none (a reconnect after which the ids join).
    """

    def __init__(
        self,
        venue: Venue,
        want_snapshot: Callable[[str], None] = lambda symbol: None,
        *,
        book_interval_ms: int = BOOK_INTERVAL_MS,
    ) -> None:
        self._venue = venue
        self._want_snapshot = want_snapshot
        self._interval: Nanos = book_interval_ms * 1_000_000
        self._watched: dict[str, _Watched] = {}
        self._tapes: dict[tuple[str, bool], _Tape] = {}
        self.open: dict[tuple[str, str], Gap] = {}
        self.changed: list[Gap] = []
        self.void: list[Gap] = []

    # ── Books ─────────────────────────────────────────────────────────────────────────────────

    def book(self, update: BookUpdate) -> BookTop | None:
        """Take a book update; return a row if it is time for one and the top has changed."""
        watched = self._watched.get(update.symbol)
        if watched is None:
            watched = self._watched[update.symbol] = _Watched(self._venue)
        if update.depth is not None and self._venue.book is not BookRule.SNAPSHOTS:
            # A stream of shallow snapshots beside the diffs: rows of its own until the book is in step.
            return None if watched.book.in_step else self._row(watched, update, shallow=True)
        try:
            changed = watched.book.apply(update)
        except BookGap as gap:
            self._lost(watched, update, str(gap))
            return None
        if not changed:
            if not watched.book.in_step and not watched.asked:
                watched.asked = True
                self._want_snapshot(update.symbol)
            return None
        joined_by_diff = not update.snapshot
        if not joined_by_diff and (last := watched.book.caught_up) is not None:
            # What the snapshot made known is the state after the diffs that waited for it.
            update = msgspec.structs.replace(last, ts_recv=update.ts_recv)
        if self.open and (gap := self.open.get(("orderbooks", update.symbol))):
            # A diff that joins after mere silence shows that nothing was missed.
            nothing_missed = joined_by_diff and gap.reason.startswith("silent")
            self._close("orderbooks", update.symbol, last_change(update), nothing_missed=nothing_missed)
        watched.good_ts = ts = last_change(update)
        if 0 <= ts - watched.row_ts < self._interval:
            return None
        return self._row(watched, update)

    def _row(self, watched: _Watched, update: BookUpdate, *, shallow: bool = False) -> BookTop | None:
        ts = last_change(update)
        if shallow and 0 <= ts - watched.row_ts < self._interval:
            return None
        top = top_of(update) if shallow else watched.book.top(update)
        if self._venue.crossed_is_lost and not shallow and _crossed(top):
            watched.book.lose()
            self._lost(watched, update, "the best bid is not below the best ask")
            return None
        if top.levels == watched.row:
            return None
        watched.row, watched.row_ts = top.levels, ts
        return top

    def _lost(self, watched: _Watched, update: BookUpdate, reason: str) -> None:
        if watched.good_ts:  # a book that never was right has nothing to lose
            self.begin_gap("orderbooks", update.symbol, watched.good_ts, f"sequence: {reason}")
        watched.asked = True
        self._want_snapshot(update.symbol)

    # ── Tapes ─────────────────────────────────────────────────────────────────────────────────

    def trade(self, id: int | str, merged: bool, symbol: str, ts: Nanos, *, first: int | None = None) -> None:
        """Take the id of a trade (or of a row left out); a hole in the ids is a gap.

        `first` is the first id that the trade covers, where it covers more than its own.
        """
        if not isinstance(id, int) or not self._venue.consecutive_trades:
            gap = self.open.get(("trades", symbol))
            if gap is not None and ts >= gap.from_ts:  # an older one is of a list of recent trades
                self._close("trades", symbol, ts)
            self._tapes[symbol, merged] = _Tape(0, ts)  # nothing tells of a hole, but when the last one was
            return
        first = id if first is None else first
        last = self._tapes.get((symbol, merged))
        if last is not None and id <= last.id:
            if ts - last.ts >= BEGUN_AGAIN_NS:
                self._begun_again(symbol, merged, last, id, ts)
            return  # else told before: a backlog, a repetition
        if not ts and last is not None:
            ts = last.ts  # a recording that does not tell when: not before the last one
        self._tapes[symbol, merged] = _Tape(id, ts)
        if last is not None and first > last.id + 1:
            self._missed(symbol, last, first, ts)
        elif (gap := self.open.get(("trades", symbol))) is not None and (
            last is not None or ts > gap.from_ts
        ):
            # where the tape is not known, since it was another's, trades join nothing: what is older was stored
            self._close("trades", symbol, ts, nothing_missed=last is not None)

    def _begun_again(self, symbol: str, merged: bool, last: _Tape, id: int, ts: Nanos) -> None:
        """Take the first id of a new counting; how many were missed between the two is not known."""
        self._tapes[symbol, merged] = _Tape(id, ts)
        self.begin_gap("trades", symbol, last.ts, f"sequence: trade ids begin again at {id}")
        self._close("trades", symbol, ts)

    def _missed(self, symbol: str, last: _Tape, id: int, ts: Nanos) -> None:
        missing = f"trade ids {last.id + 1}..{id - 1} missing"
        gap = self.open.pop(("trades", symbol), None)
        if gap is None:
            gap = Gap(self._venue.name, symbol, "trades", last.ts, ts, f"sequence: {missing}")
        else:
            if last.ts < gap.from_ts:  # it began when the venue was last heard; trades before may be missing
                self.void.append(gap)
            from_ts = min(last.ts, gap.from_ts)
            gap = msgspec.structs.replace(
                gap, from_ts=from_ts, until_ts=ts, reason=f"{gap.reason}; {missing}"
            )
        self.changed.append(gap)

    # ── Gaps ──────────────────────────────────────────────────────────────────────────────────

    def begin_gap(self, stream: str, symbol: str, from_ts: Nanos, reason: str) -> None:
        """Open a gap, unless one is open already; one that lasts on purpose now says so."""
        gap = self.open.get((stream, symbol))
        if gap is None:
            gap = Gap(self._venue.name, symbol, stream, from_ts, None, reason)
        elif ON_PURPOSE in reason and ON_PURPOSE not in gap.reason:
            gap = msgspec.structs.replace(gap, reason=f"{gap.reason}; {reason}")
        else:
            return
        self.open[stream, symbol] = gap
        self.changed.append(gap)

    def _close(self, stream: str, symbol: str, until_ts: Nanos, *, nothing_missed: bool = False) -> None:
        gap = self.open.pop((stream, symbol), None)
        if gap is not None and nothing_missed:
            self.void.append(gap)
        elif gap is not None:
            # A snapshot may be older than the last diff before the hole, and a clock may lag.
            self.changed.append(msgspec.structs.replace(gap, until_ts=max(until_ts, gap.from_ts)))

    def missed(self, event: Missed) -> None:
        """Take a hole that the decoder has seen: gaps open, and books are not known to follow."""
        symbols = (
            [event.symbol] if event.symbol else sorted({*self._watched, *(one for one, _ in self._tapes)})
        )
        for symbol in symbols:
            for stream in event.streams:
                watched = self._watched.get(symbol) if stream == "orderbooks" else None
                since = watched.good_ts if watched is not None else 0
                if watched is not None:
                    watched.book.lose()
                    watched.asked = True
                    self._want_snapshot(symbol)
                since = since or event.ts_event or event.ts_recv
                self.begin_gap(stream, symbol, since, f"sequence: {event.reason}")

    def arrived(self, stream: str, event: Event) -> None:
        """Close the gap of a stream, if it has one; for streams other than books and trades.

        What is older than the gap, such as the bar before the one that was missed, shows nothing of how
        long it lasted: then it ends when the stream was heard again.
        """
        gap = self.open.get((stream, event.symbol))
        if gap is not None:
            told = event.ts_recv if event.ts_event is None else event.ts_event
            self._close(stream, event.symbol, told if told >= gap.from_ts else event.ts_recv)

    def noted(self, frame: Frame, last_ts: Nanos) -> Note:
        """Take one of the feed's notes; `last_ts` is when the venue was last heard before it."""
        said = NOTE.decode(frame.payload)
        match said.kind:
            case "disconnected" | "limited" | "silent":
                since = said.since or last_ts or frame.ts_recv
                for stream, symbol in said.series:
                    self._interrupted(stream, symbol, since, said)
            case "recording":
                self._watched.clear()
                self._tapes.clear()
                self.open.clear()
            case "connected":
                for stream, symbol in said.series:
                    # Books and numbered trades show themselves where they join again.
                    if stream != "orderbooks" and not (stream == "trades" and self._venue.consecutive_trades):
                        self._close(stream, symbol, frame.ts_recv)
            case "refused":
                for stream, symbol in said.series:  # what a venue does not offer cannot be missing
                    self._close(stream, symbol, frame.ts_recv, nothing_missed=True)
        return said

    def _interrupted(self, stream: str, symbol: str, since: Nanos, said: Note) -> None:
        watched = self._watched.get(symbol) if stream == "orderbooks" else None
        if watched is not None:
            since = watched.good_ts or since
            if said.kind == "disconnected":
                watched.book.lose()
                watched.asked = False
        elif stream == "trades" and not self._venue.consecutive_trades:
            # What was sent after the last trade and not read may be older than when we last heard anything.
            told = [tape.ts for (one, _), tape in self._tapes.items() if one == symbol and tape.ts]
            since = min(since, max(told, default=since))
        self.begin_gap(stream, symbol, since, f"{said.kind}: {said.reason}")

    # ── Beginning a journal here ──────────────────────────────────────────────────────────────

    def keep(self, ts_recv: Nanos) -> Iterator[Frame]:
        """Yield the books and tapes as frames, so that a segment that begins with them can be replayed."""
        symbols = {
            *self._watched,
            *(symbol for symbol, _ in self._tapes),
            *(symbol for _, symbol in self.open),
        }
        for symbol in sorted(symbols):
            watched = self._watched.get(symbol) or _Watched(self._venue)
            book = watched.book
            kept = _Kept(
                symbol,
                list(book.bids.items()),
                list(book.asks.items()),
                book.last_id,
                watched.row_ts,
                list(watched.row),
                watched.good_ts,
                book.in_step,
                [(merged, tape.id, tape.ts) for (one, merged), tape in self._tapes.items() if one == symbol],
                [gap for gap in self.open.values() if gap.symbol == symbol],
                book.joined,
                book.waiting,
                book.texts,
            )
            yield Frame(self._venue.name, ts_recv, msgspec.msgpack.encode(kept), "book")

    def take_up(self, frame: Frame) -> None:
        """Take up what `keep` gave."""
        kept = _KEPT.decode(frame.payload)
        watched = self._watched[kept.symbol] = _Watched(self._venue)
        if kept.in_step:
            watched.book.resume(kept.bids, kept.asks, kept.last_id, joined=kept.joined, texts=kept.texts)
        for update in kept.waiting:
            watched.book.apply(update)
        watched.row, watched.row_ts, watched.good_ts = tuple(kept.row), kept.row_ts, kept.good_ts
        for merged, id, ts in kept.tapes:
            self._tapes[kept.symbol, merged] = _Tape(id, ts)
        self.open.update({(gap.stream, gap.symbol): gap for gap in kept.open})


def with_open_gaps(venue: str, gaps: Mapping[str, list[Gap]], ts_recv: Nanos) -> Iterator[Frame]:
    """Yield frames by which each symbol's gaps go on, of which no book and no tape is known."""
    for symbol, mine in gaps.items():
        kept = _Kept(symbol, [], [], None, 0, [], 0, False, [], mine)
        yield Frame(venue, ts_recv, msgspec.msgpack.encode(kept), "book")


def _crossed(top: BookTop) -> bool:
    bid, ask = top.levels[0], top.levels[2 * BOOK_LEVELS]
    return bid is not None and ask is not None and bid >= ask

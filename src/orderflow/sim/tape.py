"""Tape: the trades that were made, by consecutive id, compactly and bounded; the ledger holds all tapes."""

from array import array
from collections.abc import Iterator

import msgspec

from orderflow.sim.happenings import Aggregate, Fill, Lots, Millis, Ticks

_SELL, _HIDDEN = 1, 2


class Print(msgspec.Struct, frozen=True, gc=False):
    """A row of a tape. `sent` counts the connections that it was written to; lots 0: no trade."""

    id: int
    price: Ticks
    lots: Lots
    shown_lots: Lots
    first: int
    last: int
    ts: Millis
    taker_sells: bool
    hidden: bool
    sent: int


class Tape:
    """Rows with ids `first_id` to `last_id`, without holes; the oldest can be forgotten."""

    def __init__(self, first_id: int) -> None:
        self.first_id = first_id
        self._price, self._lots, self._shown = array("q"), array("q"), array("q")
        self._first, self._ts = array("q"), array("q")
        self._span, self._sent, self._flags = array("I"), array("I"), array("B")

    def __len__(self) -> int:
        return len(self._price)

    @property
    def last_id(self) -> int:
        return self.first_id + len(self._price) - 1

    @property
    def next_id(self) -> int:
        return self.first_id + len(self._price)

    def add_fill(self, one: Fill) -> None:
        """Append a fill, whose id must be the next one."""
        self._price.append(one.price)
        self._lots.append(one.lots)
        self._shown.append(0 if one.hidden else one.lots)
        self._first.append(one.id)
        self._span.append(0)
        self._end(one.ts, one.taker_sells, one.hidden)

    def add_aggregate(self, one: Aggregate) -> None:
        """Append an aggregate, whose id must be the next one."""
        self._price.append(one.price)
        self._lots.append(one.lots)
        self._shown.append(one.shown_lots)
        self._first.append(one.first)
        self._span.append(one.last - one.first)
        self._end(one.ts, one.taker_sells, one.shown_lots == 0)

    def _end(self, ts: Millis, taker_sells: bool, hidden: bool) -> None:
        self._ts.append(ts)
        self._flags.append((_SELL if taker_sells else 0) | (_HIDDEN if hidden else 0))
        self._sent.append(0)

    def mark_sent(self, id: int, connections: int, count: int = 1) -> None:
        """Count the connections that `count` rows from `id` on were written to."""
        start = id - self.first_id
        for at in range(max(0, start), min(start + count, len(self._sent))):
            self._sent[at] += connections

    def sent(self) -> int:
        """How many of the rows reached at least one connection."""
        return len(self._sent) - self._sent.count(0)

    def rows(self, from_id: int, limit: int) -> Iterator[Print]:
        start = max(0, from_id - self.first_id)
        for at in range(start, min(start + limit, len(self))):
            yield self._row(at)

    def latest(self, limit: int) -> Iterator[Print]:
        return self.rows(self.next_id - limit, limit)

    def since(self, ts: Millis) -> int:
        """The id of the first row not older than `ts`."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._ts[middle] < ts else (low, middle)
        return self.first_id + low

    def forget(self, count: int) -> None:
        """Drop the oldest rows."""
        for column in self._columns():
            del column[:count]
        self.first_id += count

    def _columns(self) -> "tuple[array[int], ...]":
        return (
            self._price,
            self._lots,
            self._shown,
            self._first,
            self._span,
            self._ts,
            self._flags,
            self._sent,
        )

    def _row(self, at: int) -> Print:
        first, flags = self._first[at], self._flags[at]
        return Print(
            id=self.first_id + at,
            price=self._price[at],
            lots=self._lots[at],
            shown_lots=self._shown[at],
            first=first,
            last=first + self._span[at],
            ts=self._ts[at],
            taker_sells=bool(flags & _SELL),
            hidden=bool(flags & _HIDDEN),
            sent=self._sent[at],
        )


class Told(msgspec.Struct):
    """What was sent of one kind: each row once in `rows`, and in `copies` once for each that it reached."""

    frames: int = 0
    rows: int = 0
    copies: int = 0


class Ledger:
    """What was made and sent: trades row by row on tapes, every other kind as counts.

    All tapes by (venue, symbol, stream), together at most `limit` rows; `told` by (venue, symbol, kind).
    """

    def __init__(self, limit: int = 2_000_000) -> None:
        self.limit = limit
        self.tapes: dict[tuple[str, str, str], Tape] = {}
        self.told: dict[tuple[str, str, str], Told] = {}

    def add(self, venue: str, symbol: str, stream: str, tape: Tape) -> None:
        self.tapes[venue, symbol, stream] = tape

    def tell(self, venue: str, symbol: str, kind: str, rows: int, connections: int) -> None:
        """Count a frame with rows of a kind that is on no tape."""
        one = self.told.get((venue, symbol, kind))
        if one is None:
            one = self.told[venue, symbol, kind] = Told()
        one.frames += 1
        one.rows += rows
        one.copies += rows * connections

    def trim(self) -> None:
        """Forget the oldest quarter of the longest tape until all are within the limit."""
        while sum(len(tape) for tape in self.tapes.values()) > self.limit:
            longest = max(self.tapes.values(), key=len)
            longest.forget(max(1, len(longest) // 4))

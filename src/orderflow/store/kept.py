"""Kept: sums of trades by blocks of whole bars, in the process that asks, so that what has not changed is summed once.

Most of what is asked about order flow is of the same hours again: a page further, another tool, a longer
window. A block's sums follow from its rows alone, so they are true as long as the rows are the same ones. That
tells a stamp of them: for each venue how many there are, the highest id, and when the last was received. A row
that comes late (from a backfill, a replay, an import, another process) has a higher id than any before it in
its series, and one that is removed is counted no longer; rows are never changed in place. So no clock is
asked whether a block is over, nor which gaps were filled since: a block that still grows is summed anew
each time, and so is one that a backfill has reached. Stamps are read with every question, in one statement
that reads three narrow columns, before the rows that they are of: rows that come in between make the kept
sums newer than their stamp, and they are summed again. Ask within `Session.steadily`: what was read of the hot
table while rows left it for the archive is not kept. Coverage never is.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import pyarrow as pa

from orderflow.market.events import HOUR, US, Nanos
from orderflow.store.bar import Bar
from orderflow.store.session import Session, venue_ids

MOST_BYTES = 64 * 1024 * 1024
BLOCK: Nanos = HOUR  # or a bar, where that is longer

Read: TypeAlias = Callable[[Nanos, Nanos], pa.Table]
Stamp: TypeAlias = tuple[
    tuple[str, int, int, int], ...
]  # of each venue: rows, highest id, last received in us
_Key: TypeAlias = tuple[str, str, str, tuple[str, ...], int]


class Summing(NamedTuple):
    """What is summed: its name, the SQL that does it, what of, in which bars, and how its rows are ordered."""

    name: str
    sql: str
    symbol: str
    venues: str | Sequence[str] | None
    bar: Bar
    order: tuple[str, ...]

    @property
    def bars(self) -> int:
        """How many bars make a block."""
        return max(1, -(-BLOCK // self.bar.length))

    @property
    def length(self) -> Nanos:
        return self.bars * self.bar.length

    def begins(self, block: int) -> Nanos:
        return self.bar.origin + block * self.length

    def whole(self, since: Nanos, until: Nanos) -> range:
        """Return the numbers of the blocks that lie wholly in [since, until)."""
        first = -(-(since - self.bar.origin) // self.length)
        return range(first, max(first, (until - self.bar.origin) // self.length))

    def key(self, block: int) -> _Key:
        return self.name, self.sql, self.symbol, tuple(sorted(venue_ids(self.venues))), block


class Kept:
    """Sums of blocks, those least asked for going first beyond `most_bytes`. May be used from several threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._blocks: OrderedDict[_Key, tuple[Stamp, pa.Table]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def found(self, session: Session, what: Summing, read: Read, since: Nanos, until: Nanos) -> pa.Table:
        """Return what `read` would give of [since, until): kept where unchanged, else read and kept."""
        blocks = what.whole(since, until)
        if not blocks:
            return read(since, until)
        stamps = _stamps(session, what, blocks)
        parts = {
            block: kept
            for block in blocks
            if (kept := self._get(what.key(block), stamps.get(block, ()))) is not None
        }
        tables = list(parts.values())
        fresh: list[tuple[int, pa.Table]] = []
        for first, last in _missing(what, blocks, parts, since, until):
            table = read(first, last)
            tables.append(table)
            fresh += _divided(what, table, what.whole(first, last))
        if session.still():  # else rows left the hot table meanwhile, and it is asked again
            for block, part in fresh:
                self._put(what.key(block), stamps.get(block, ()), part)
        return pa.concat_tables(tables).sort_by([(name, "ascending") for name in what.order])

    def _get(self, key: _Key, stamp: Stamp) -> pa.Table | None:
        with self._lock:
            had = self._blocks.get(key)
            if had is None or had[0] != stamp:
                return None
            self._blocks.move_to_end(key)
            return had[1]

    def _put(self, key: _Key, stamp: Stamp, table: pa.Table) -> None:
        with self._lock:
            if (had := self._blocks.pop(key, None)) is not None:
                self._bytes -= had[1].nbytes
            self._blocks[key] = (stamp, table)
            self._bytes += table.nbytes
            while self._bytes > self._most_bytes:
                _, (_, gone) = self._blocks.popitem(last=False)
                self._bytes -= gone.nbytes


def _stamps(session: Session, what: Summing, blocks: range) -> dict[int, Stamp]:
    """Return the stamp of each block that has rows."""
    since, until = what.begins(blocks.start), what.begins(blocks.stop)
    where, bound = session.where(what.symbol, what.venues, since, until)
    source = session.source("trades", what.symbol, what.venues, since)
    number = f"(epoch_us(timestamp) - {what.bar.origin // US}) // {what.length // US}"
    found = session.rows(
        f"SELECT {number} AS block, venue::VARCHAR AS venue, count(*), max(id), max(epoch_us(received))"
        f" FROM {source} {where} GROUP BY ALL ORDER BY block, venue",
        bound,
    )
    stamps: dict[int, Stamp] = {}
    for block, *stamp in found:
        stamps[block] = (*stamps.get(block, ()), tuple(stamp))
    return stamps


def _missing(
    what: Summing, blocks: range, had: dict[int, pa.Table], since: Nanos, until: Nanos
) -> Iterator[tuple[Nanos, Nanos]]:
    """Yield the stretches that are not kept: the ends of the window, and blocks between, joined where they touch."""
    first = since
    for block in blocks:
        if block in had:
            if first < what.begins(block):
                yield first, what.begins(block)
            first = what.begins(block + 1)
    if first < until:
        yield first, until


def _divided(what: Summing, table: pa.Table, blocks: range) -> Iterator[tuple[int, pa.Table]]:
    """Yield the rows of each block, copied, so that none keeps the whole table."""
    number = table.column("bar").to_numpy() // what.bars
    for block in blocks:
        yield block, table.take(pa.array((number == block).nonzero()[0]))

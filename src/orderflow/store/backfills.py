"""Backfills: what of the past was asked for and how far each piece is, and the gaps that it closes.

A piece is one stretch of one series from one source. Its row stays: a process that is killed goes on
where its last write ended, and what was brought in is known when a gap is found later.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import duckdb
import msgspec

from orderflow.market.events import US, Nanos
from orderflow.store.tables import agreed

State = Literal["waiting", "done", "failed"]
Source = Literal["monthly", "daily", "history"]
Span = tuple[Nanos, Nanos]  # [from, until)

NOT_FILLED = "; not filled: "
REMOVED = "removed: "  # begins the reason of a gap that we made: what was there is kept no longer

_TABLE = """
CREATE TABLE IF NOT EXISTS backfills (
    venue VARCHAR NOT NULL, symbol VARCHAR NOT NULL, stream VARCHAR NOT NULL, "from" TIMESTAMP NOT NULL,
    "until" TIMESTAMP NOT NULL, source VARCHAR NOT NULL, state VARCHAR NOT NULL, place VARCHAR NOT NULL,
    seen BIGINT NOT NULL, written BIGINT NOT NULL, checksum VARCHAR NOT NULL, said VARCHAR NOT NULL,
    fills BOOLEAN NOT NULL, tried TIMESTAMP
)
"""
_COLUMNS = (
    'venue, symbol, stream, epoch_us("from") * 1000, epoch_us("until") * 1000, source, state, place, seen,'
    " written, checksum, said, fills, epoch_us(tried) * 1000"
)
_SAME = (
    'venue = ? AND symbol = ? AND stream = ? AND "from" = make_timestamp(?) AND "until" = make_timestamp(?)'
    " AND source = ?"
)


class Piece(msgspec.Struct, frozen=True):
    """A stretch of a series from one source, and how far it is.

    `place` says where its reading goes on; `seen` rows were read, `written` of them were not yet there.
    `fills` is False where the source says less than the stream, so that no gap is closed by it.
    """

    venue: str
    symbol: str
    stream: str
    from_ts: Nanos
    until_ts: Nanos
    source: Source
    state: State = "waiting"
    place: str = ""
    seen: int = 0
    written: int = 0
    checksum: str = ""
    said: str = ""
    fills: bool = True
    tried: Nanos | None = None

    @property
    def series(self) -> tuple[str, str, str]:
        return self.venue, self.symbol, self.stream

    @property
    def span(self) -> Span:
        return self.from_ts, self.until_ts


class Hole(msgspec.Struct, frozen=True):
    """A stretch of a series that is missing, as the table of gaps has it."""

    venue: str
    symbol: str
    stream: str
    from_ts: Nanos
    until_ts: Nanos
    reason: str
    run: int

    @property
    def series(self) -> tuple[str, str, str]:
        return self.venue, self.symbol, self.stream

    @property
    def removed(self) -> bool:
        """Whether it was made on purpose: then it is filled only where its window is asked for."""
        return self.reason.startswith(REMOVED)


class Ledger:
    """The table of pieces. Each call is a transaction of its own; not beside a flush that touches gaps."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        agreed(connection, lambda cursor: cursor.execute(_TABLE))

    def pieces(self) -> list[Piece]:
        with self._connection.cursor() as cursor:
            found = cursor.execute(f'SELECT {_COLUMNS} FROM backfills ORDER BY "from", "until"').fetchall()
        return [Piece(*row) for row in found]

    def known(self, piece: Piece) -> Piece:
        """Return the piece as it stands, or as it is given where it is not in the table yet."""
        with self._connection.cursor() as cursor:
            found = cursor.execute(f"SELECT {_COLUMNS} FROM backfills WHERE {_SAME}", _key(piece)).fetchone()
        return piece if found is None else Piece(*found)

    def put(self, piece: Piece) -> None:
        """Keep a piece in its latest state."""

        def put(cursor: duckdb.DuckDBPyConnection) -> None:
            cursor.execute(f"DELETE FROM backfills WHERE {_SAME}", _key(piece))
            cursor.execute(
                "INSERT INTO backfills VALUES (?, ?, ?, make_timestamp(?), make_timestamp(?), ?, ?, ?, ?, ?,"
                " ?, ?, ?, make_timestamp(?))",
                [
                    *_key(piece),
                    piece.state,
                    piece.place,
                    piece.seen,
                    piece.written,
                    piece.checksum,
                    piece.said,
                    piece.fills,
                    None if piece.tried is None else piece.tried // US,
                ],
            )

        agreed(self._connection, put)

    def drop(self, piece: Piece) -> None:
        """Forget a piece that others have taken the place of."""
        forget = f"DELETE FROM backfills WHERE {_SAME}"
        agreed(self._connection, lambda cursor: cursor.execute(forget, _key(piece)))


def forget(
    cursor: duckdb.DuckDBPyConnection, series: tuple[str, str, str], first_us: int, last_us: int
) -> None:
    """Forget the pieces that brought in rows of a stretch which are there no longer, if there is a ledger."""
    if cursor.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'backfills'").fetchone():
        cursor.execute(
            "DELETE FROM backfills WHERE venue = ? AND symbol = ? AND stream = ? AND state <> 'waiting'"
            ' AND "from" < make_timestamp(?) AND "until" > make_timestamp(?)',
            [*series, last_us, first_us],
        )


def _key(piece: Piece) -> list[object]:
    times = (piece.from_ts // US, piece.until_ts // US)
    return [piece.venue, piece.symbol, piece.stream, *times, piece.source]


# ── Gaps ──────────────────────────────────────────────────────────────────────────────────────


def holes(connection: duckdb.DuckDBPyConnection, since: Nanos | None = None) -> list[Hole]:
    """Return the closed gaps that nothing has filled yet, those that end after `since`."""
    with connection.cursor() as cursor:
        found = cursor.execute(
            'SELECT venue, symbol, stream, epoch_us("from") * 1000, epoch_us("until") * 1000, reason, run'
            ' FROM gaps WHERE filled_at IS NULL AND "until" >= make_timestamp(?)'
            ' ORDER BY "from", "until"',
            [0 if since is None else since // US],
        ).fetchall()
    return [Hole(*row) for row in found]


def lasting(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    """Return the series of the gaps that are still open."""
    with connection.cursor() as cursor:
        return cursor.execute('SELECT venue, symbol, stream FROM gaps WHERE "until" IS NULL').fetchall()


def missing_trades(
    connection: duckdb.DuckDBPyConnection, venue: str, symbol: str, since: Nanos, until: Nanos
) -> list[tuple[Nanos, Nanos, str]]:
    """Return where the ids of stored trades leave some out: from when, until when, and which."""
    with connection.cursor() as cursor:
        found = cursor.execute(
            "WITH mine AS (SELECT TRY_CAST(trade_id AS BIGINT) AS number, epoch_us(timestamp) * 1000 AS stamp"
            " FROM trades WHERE venue = ? AND symbol = ?"
            " AND timestamp BETWEEN make_timestamp(?) AND make_timestamp(?)),"
            " paired AS (SELECT number, stamp, lead(number) OVER ids AS later, lead(stamp) OVER ids AS joins"
            " FROM mine WHERE number IS NOT NULL WINDOW ids AS (ORDER BY number))"
            " SELECT stamp, joins, number + 1, later - 1 FROM paired WHERE later > number + 1 ORDER BY number",
            [venue, symbol, since // US, -(-until // US)],
        ).fetchall()
    return [(at, then, f"trade ids {first}..{last} missing") for at, then, first, last in found]


def divide(
    connection: duckdb.DuckDBPyConnection,
    hole: Hole,
    left: Sequence[tuple[Nanos, Nanos, str]],
    now: Nanos,
) -> None:
    """Mark a gap as filled, but for the stretches that are left, each with what it lacks.

    A gap of which nothing was filled keeps its times; else it becomes several rows, filled or not.
    """
    reason = hole.reason.partition(NOT_FILLED)[0]
    at: list[tuple[Nanos, Nanos, str, bool]] = []
    begun = hole.from_ts
    for first, last, lacks in left:
        if first > begun:
            at.append((begun, first, reason, True))
        at.append((first, last, f"{reason}{NOT_FILLED}{lacks}" if lacks else reason, False))
        begun = last
    if begun < hole.until_ts or not left:
        at.append((begun, hole.until_ts, reason, True))
    if [one[:2] for one in at] == [(hole.from_ts, hole.until_ts)] and at[0][2:] == (hole.reason, False):
        return

    def divided(cursor: duckdb.DuckDBPyConnection) -> None:
        same = [*hole.series, hole.from_ts // US, hole.until_ts // US]
        cursor.execute(
            "DELETE FROM gaps WHERE venue = ? AND symbol = ? AND stream = ?"
            ' AND "from" = make_timestamp(?) AND "until" = make_timestamp(?) AND filled_at IS NULL',
            same,
        )
        for first, last, said, filled in at:
            _insert(cursor, hole, first, last, said, now if filled else None)

    agreed(connection, divided)


def note_hole(connection: duckdb.DuckDBPyConnection, hole: Hole) -> None:
    """Add a gap for a stretch that was asked for and could not be brought in."""
    span = (hole.from_ts, hole.until_ts)
    agreed(connection, lambda cursor: _insert(cursor, hole, *span, hole.reason, None))


def _insert(
    cursor: duckdb.DuckDBPyConnection, hole: Hole, first: Nanos, last: Nanos, said: str, filled: Nanos | None
) -> None:
    cursor.execute(
        'INSERT INTO gaps (venue, symbol, stream, "from", "until", reason, filled_at, run)'
        " VALUES (?, ?, ?, make_timestamp(?), make_timestamp(?), ?, make_timestamp(?), ?)",
        [
            *hole.series,
            first // US,
            last // US,
            said,
            None if filled is None else filled // US,
            hole.run,
        ],
    )


# ── Spans ─────────────────────────────────────────────────────────────────────────────────────


def merged(spans: Iterable[Span], slack: Nanos = 0) -> list[Span]:
    """Return spans joined where they overlap, touch, or are no further apart than `slack`.

    >>> merged([(5, 9), (0, 2), (2, 3), (12, 13)], slack=1)
    [(0, 3), (5, 9), (12, 13)]
    """
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + slack:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def less(span: Span, covered: Collection[Span]) -> list[Span]:
    """Return what of a span is not covered; an instant, if it is not.

    >>> less((0, 10), [(2, 3), (8, 12)])
    [(0, 2), (3, 8)]
    """
    first, last = span
    if first >= last:
        return [] if any(begins <= first <= ends for begins, ends in covered) else [span]
    found: list[Span] = []
    for begins, ends in merged(covered):
        if ends <= first or begins >= last:
            continue
        if begins > first:
            found.append((first, begins))
        first = max(first, ends)
    if first < last:
        found.append((first, last))
    return found

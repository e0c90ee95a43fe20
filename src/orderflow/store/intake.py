"""Intake: an export brought into a database, each file in one transaction, nothing twice.

Rows go through the writer's own merge: what is here by its stream's key is left out, so a second intake
writes nothing. They keep their times, their clock and their kind; the ids, which order a series within one
database, are this one's, and columns that are reckoned are reckoned again.

What was collected comes along. A run that the export holds a part of is taken in as that part. A gap of
the export becomes one here, unless this database collected that stretch itself; and a gap of ours that the
export has collected is filled by it.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from orderflow.market.errors import RecordingUnreadable
from orderflow.market.events import US, Nanos
from orderflow.market.streams import STREAMS
from orderflow.store import backfills, coverage, files, manifest, runs, tables
from orderflow.store.answers import GapRow, Listing, Stretch
from orderflow.store.backfills import less
from orderflow.store.manifest import Collecting, Filled, Manifest
from orderflow.store.repacked import repacked, schema
from orderflow.store.runs import Kind, Run
from orderflow.store.session import Session
from orderflow.store.tables import transaction
from orderflow.store.writer import Block, Writer

Progress = Callable[[int, int, int, str], None]  # files done, files in all, rows written, the last file


class TakenIn(NamedTuple):
    """What an intake read, and what of it was new: rows by stream, gaps and filled gaps."""

    read: int
    written: dict[str, int]
    gaps: int
    filled: int


def take_in(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    *,
    progress: Progress = lambda done, of, rows, path: None,
    large_trade_usd: Mapping[str, float] | None = None,
) -> TakenIn:
    """Bring an export into a database that is laid out and open for writing.

    Raises `RecordingUnreadable` for a folder or a file that is not whole, `StoreUnusable` where simulated
    and real data would mix or the disk is full; the files before it stay, and another call goes on.
    """
    found = manifest.load(folder)
    for one in found.runs:
        runs.check(connection, one.kind)
    _check_files(folder, found.files)
    tables.ensure(connection, sorted({(one.venue, one.symbol) for one in found.series}))
    had = _collected(connection, found)
    had_runs = _Runs(connection, found)
    writer = Writer(connection, None, large_trade_usd=large_trade_usd)
    written: dict[str, int] = {}
    order = list(STREAMS)
    for number, one in enumerate(sorted(found.files, key=lambda one: order.index(one.piece.stream)), 1):
        count = writer.take_in(STREAMS[one.piece.stream], _blocks(folder, found, one, writer, had_runs))
        written[one.piece.stream] = written.get(one.piece.stream, 0) + count
        progress(number, len(found.files), sum(written.values()), one.piece.path)
    filled = _fill(connection, found)
    gaps = _take_gaps(connection, found, had, had_runs)
    _take_instruments(connection, found.instruments)
    return TakenIn(found.rows, {name: count for name, count in written.items() if count}, gaps, filled)


def _check_files(folder: Path, several: Sequence[Filled]) -> None:
    """Raise `RecordingUnreadable` unless every file is there and is what the export wrote."""
    root = folder.resolve()
    for one in several:
        path = folder / one.piece.path
        if root not in path.resolve().parents or one.piece.stream not in STREAMS:
            raise RecordingUnreadable(f"{path}: not a file of this export", hint="its manifest was changed")
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                told = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise RecordingUnreadable(f"{path}: {error.strerror}", hint="export it again") from error
        if size != one.bytes or told != one.sha256:
            raise RecordingUnreadable(
                f"{path}: not as it was exported ({size:,} bytes instead of {one.bytes:,})"
                if size != one.bytes
                else f"{path}: not as it was exported (another checksum)",
                hint="copy or export it again; nothing was brought in",
            )


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────


def _blocks(folder: Path, found: Manifest, one: Filled, writer: Writer, had_runs: "_Runs") -> Iterator[Block]:
    """Yield the rows of a file, those of each run in one block a batch."""
    stream = STREAMS[one.piece.stream]
    count = 0
    for batch in files.read(folder / one.piece.path, found.query.format, schema(stream)):
        count += batch.num_rows
        of = batch.column("run").to_numpy(zero_copy_only=False)
        for run in np.unique(of).tolist():
            own = batch.filter(pa.array(of == run))
            rows, texts = repacked(stream, own, _numbers(own, writer))
            yield Block(rows, texts, had_runs.to(run))
    if count != one.rows:
        raise RecordingUnreadable(
            f"{folder / one.piece.path}: {count:,} rows instead of {one.rows:,}", hint="export it again"
        )


def _numbers(batch: pa.RecordBatch, writer: Writer) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
    """Return the writer's number of each row's series."""
    venues, symbols = (batch.column(name).dictionary_encode() for name in ("venue", "symbol"))
    places = venues.indices.to_numpy(zero_copy_only=False) * len(
        symbols.dictionary
    ) + symbols.indices.to_numpy(zero_copy_only=False)
    pairs = [
        (venue, symbol)
        for venue in venues.dictionary.to_pylist()
        for symbol in symbols.dictionary.to_pylist()
    ]
    present = np.unique(places)
    known = writer.number([pairs[place] for place in present.tolist()])
    by_place = np.full(len(pairs), -1, dtype=np.int32)
    for place in present.tolist():
        if (number := known.get(pairs[place])) is None:
            raise RecordingUnreadable(
                f"{pairs[place][1][:40]!r} cannot be a symbol here", hint="export it again"
            )
        by_place[place] = number
    return by_place[places]


class _Runs:
    """The runs of an export as runs of this database; one is begun when a row of it is new here."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, found: Manifest) -> None:
        self._connection, self._found = connection, found
        self._told = {one.id: one for one in found.runs}
        self._had: dict[int, Run] = {}

    def to(self, id: int) -> Callable[[], Run]:
        """Return what gives the run here that is an export's run."""
        return lambda: self._had.get(id) or self._had.setdefault(id, self._begun(id))

    def _begun(self, id: int) -> Run:
        if (one := self._told.get(id)) is None:
            raise RecordingUnreadable(f"run {id} is not in the manifest", hint="export it again")
        same = runs.find(self._connection, one.key)
        key, started, ended = (one.key, one.started, one.ended) if same else _part(one, self._found)
        kind: Kind = one.kind  # type: ignore[assignment] - `runs.begin` checks it
        return runs.begin(
            self._connection,
            kind,
            key,
            started=started,
            ended=ended,
            version=one.version,
            settings=one.settings,
        )


def _part(one: Collecting, found: Manifest) -> tuple[str, Nanos, Nanos | None]:
    """Return a run's key, start and end as far as the export holds it; a part has a key of its own."""
    over = one.ended if one.ended is not None else one.last
    if found.since <= one.started and over <= found.until:
        return one.key, one.started, one.ended
    first, last = max(one.started, found.since), min(over, found.until - US)  # the last instant is part of it
    return f"{one.key} [{first}..{last}]", first, max(first, last)


# ── What was collected ────────────────────────────────────────────────────────────────────────


def _collected(
    connection: duckdb.DuckDBPyConnection, found: Manifest
) -> dict[tuple[str, str, str], list[Stretch]]:
    """Return what this database itself has collected of the series in which the export has gaps."""
    session = Session(connection)
    asked = {(one.stream, one.venue, one.symbol) for one in found.gaps}
    return {
        (stream, venue, symbol): coverage.collected(
            session, stream, symbol, [venue], found.since, found.until
        )[venue]
        for stream, venue, symbol in sorted(asked)
    }


def _fill(connection: duckdb.DuckDBPyConnection, found: Manifest) -> int:
    """Mark those of our gaps as filled, whole or in part, that the export has collected."""
    collected = {(one.venue, one.symbol, one.stream): one.collected for one in found.series}
    count = 0
    for hole in backfills.holes(connection):
        stretches = collected.get(hole.series, [])
        left = less((hole.from_ts, hole.until_ts), stretches)
        if left != [(hole.from_ts, hole.until_ts)]:
            backfills.divide(connection, hole, [(*span, "") for span in left], time.time_ns())
            count += 1
    return count


def _take_gaps(
    connection: duckdb.DuckDBPyConnection,
    found: Manifest,
    had: Mapping[tuple[str, str, str], list[Stretch]],
    had_runs: _Runs,
) -> int:
    """Add the export's gaps, save what is known here and what this database collected itself."""
    count = 0
    for gap in found.gaps:
        until = found.until if gap.until_ts is None else gap.until_ts
        for first, last in less((gap.from_ts, until), had[gap.stream, gap.venue, gap.symbol]):
            if not _is_known(connection, gap, first, last):
                _add(connection, gap, first, last, had_runs.to(gap.run)().id)
                count += 1
    return count


def _is_known(connection: duckdb.DuckDBPyConnection, gap: GapRow, first: Nanos, last: Nanos) -> bool:
    """Tell whether gaps of ours, filled or not, have all of a stretch."""
    ours = connection.execute(
        'SELECT epoch_us("from") * 1000, coalesce(epoch_us("until") * 1000, 9223372036854775807) FROM gaps'
        " WHERE venue = ? AND symbol = ? AND stream = ?",
        [gap.venue, gap.symbol, gap.stream],
    ).fetchall()
    return not less((first, last), ours)


def _add(connection: duckdb.DuckDBPyConnection, gap: GapRow, first: Nanos, last: Nanos, run: int) -> None:
    with transaction(connection) as cursor:
        cursor.execute(
            'INSERT INTO gaps (venue, symbol, stream, "from", "until", reason, filled_at, run)'
            " VALUES (?, ?, ?, make_timestamp(?), make_timestamp(?), ?, make_timestamp(?), ?)",
            [
                gap.venue,
                gap.symbol,
                gap.stream,
                first // US,
                last // US,
                gap.reason,
                None if gap.filled_ts is None else gap.filled_ts // US,
                run,
            ],
        )


def _take_instruments(connection: duckdb.DuckDBPyConnection, listed: Sequence[Listing]) -> None:
    """Keep what venues listed, where it was read later than what is here."""
    if not listed:
        return
    names = ["venue", "symbol", "native", "kind", "base", "quote", "status", "trading"]
    names += ["contract_size", "tick", "lot", "min_notional"]
    with transaction(connection) as cursor:
        for one in listed:
            known = [one.venue, one.native]
            read = None if one.read_ts is None else one.read_ts // US
            newer = cursor.execute(
                "SELECT 1 FROM instruments WHERE venue = ? AND native = ?"
                " AND coalesce(epoch_us(read_at), 0) >= coalesce(?, 0)",
                [*known, read],
            ).fetchone()
            if newer:
                continue
            cursor.execute("DELETE FROM instruments WHERE venue = ? AND native = ?", known)
            values = [getattr(one, name) for name in names]
            since = None if one.listed_ts is None else one.listed_ts // US
            cursor.execute(
                f"INSERT INTO instruments ({', '.join(names)}, listed_since, read_at)"
                f" VALUES ({', '.join('?' * len(names))}, make_timestamp(?), make_timestamp(?))",
                [*values, since, read],
            )

"""Export: rows of any streams as files of a folder, each whole or not there, all told in a manifest.

`FOLDER/trades/symbol=BTCUSDT/venue=binance_spot/day=2026-11-20/rows.parquet` is one day of a series; with
`single`, `FOLDER/trades.parquet` is all of a stream. A piece is read as one statement, so that it is of
one moment; it is sorted in this process, which may spill to the folder, and written batch by batch. A
process that dies leaves what it had finished, and notes of it in `.export`, from which the next one goes
on: a piece counts from the note that is written once its file is on the disk.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import pyarrow as pa

import orderflow
from orderflow.market.errors import InvalidArgument, NoData, StoreUnusable
from orderflow.market.events import DAY, SECOND, US, Nanos
from orderflow.market.instruments import venue_id
from orderflow.market.streams import STREAMS
from orderflow.store import access, coverage, manifest, tables
from orderflow.store.files import SUFFIXES, RowsFile
from orderflow.store.identifiers import identifier
from orderflow.store.manifest import Collecting, Filled, Manifest, Part, Piece, Query
from orderflow.store.reader import Reader
from orderflow.store.session import Session
from orderflow.store.statements import Parameter, micros

_WORK = ".export"
_BATCH = 122_880  # rows
_NO_TIME = "__HIVE_DEFAULT_PARTITION__"  # as the hive scheme calls what is unknown


class Progress(NamedTuple):
    """How far it is: files, rows and bytes written, files in all, and the one that was written last."""

    files: int
    of: int
    rows: int
    bytes: int
    path: str


class Plan(msgspec.Struct, frozen=True):
    """What an export set out to do: the query, the window that it meant, and the files that it makes."""

    query: Query
    since: Nanos
    until: Nanos
    pieces: list[Piece]


class Exported(NamedTuple):
    """The manifest, and how many of its files were written now and not before."""

    manifest: Manifest
    written: int


def export(
    db: Path | str,
    folder: Path,
    query: Query,
    since: Nanos | None = None,
    until: Nanos | None = None,
    *,
    progress: Callable[[Progress], None] = lambda done: None,
    memory_limit: str = "512MB",
) -> Exported:
    """Write what a query asks for into a folder, or what of it is not there yet.

    `since` and `until` are the instants that the query's times mean now; an export that was begun keeps
    those that it was begun with. Raises `NoData` where there are no such rows, `InvalidArgument` for a folder that holds anything else,
    `StoreUnusable` where the disk is full; what is finished stays, and the same call goes on.
    """
    _check(query, since, until)
    with _work(folder) as work:
        settings: access.Settings = {
            "threads": 2,
            "memory_limit": memory_limit,
            "temp_directory": str(work / "spill"),
        }
        connection, served = access.reach(db, settings=settings)
        try:
            session, reader = Session(connection, served), Reader(connection, served)
            try:
                if (finished := _finished(folder, query)) is not None:
                    return Exported(finished, 0)
                plan = _planned(session, work, query, since, until)
                return _export(session, reader, folder, work, plan, progress)
            except OSError as error:
                raise StoreUnusable(
                    f"{folder}: {error.strerror or error}",
                    hint="what is finished stays; the same command goes on from there",
                ) from error
        finally:
            connection.close()


def _export(
    session: Session,
    reader: Reader,
    folder: Path,
    work: Path,
    plan: Plan,
    progress: Callable[[Progress], None],
) -> Exported:
    done = _noted(folder, work)
    before = len(done)
    for piece in plan.pieces:
        if piece.path not in done:
            done[piece.path] = _write(session, folder, work, plan, piece)
            _note(work, done[piece.path])
        told = done.values()
        progress(
            Progress(
                len(done),
                len(plan.pieces),
                sum(one.rows for one in told),
                sum(one.bytes for one in told),
                piece.path,
            )
        )
    found = _manifest(session, reader, plan, [done[piece.path] for piece in plan.pieces])
    manifest.keep(folder / manifest.NAME, found)
    shutil.rmtree(work)
    return Exported(found, len(done) - before)


def _check(query: Query, since: Nanos | None, until: Nanos | None) -> None:
    for name in query.streams:
        if name not in STREAMS:
            raise InvalidArgument(f"no stream is called {name[:40]!r}", hint=f"streams: {', '.join(STREAMS)}")
    for venue in query.venues:
        venue_id(venue)
    if since is not None and until is not None and since >= until:
        raise InvalidArgument("the window is empty: since does not lie before until", hint="--since -4h")


# ── What is to be written ─────────────────────────────────────────────────────────────────────


@contextmanager
def _work(folder: Path) -> Iterator[Path]:
    """Yield the folder for what is not finished, held against a second export into the same."""
    work = folder / _WORK
    try:
        work.mkdir(parents=True, exist_ok=True)
        handle = os.open(work, os.O_RDONLY)
    except OSError as error:
        raise InvalidArgument(f"{folder}: {error.strerror}", hint="choose another folder") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise InvalidArgument(f"{folder}: another export writes into it", hint="wait for it") from error
    try:
        yield work
    finally:
        if work.exists() and not (work / "plan.json").exists():
            shutil.rmtree(work)  # nothing was begun
        os.close(handle)


def _finished(folder: Path, query: Query) -> Manifest | None:
    """Return the manifest that a folder has of this very query; raise `InvalidArgument` for another's."""
    if not (folder / manifest.NAME).exists():
        return None
    found = manifest.load(folder)
    if found.query != query:
        raise InvalidArgument(f"{folder} holds another export", hint="choose another folder")
    return found


def _planned(session: Session, work: Path, query: Query, since: Nanos | None, until: Nanos | None) -> Plan:
    """Return the plan that was begun in this folder, or a new one."""
    path = work / "plan.json"
    if path.exists():
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
        if plan.query != query:
            raise InvalidArgument(
                f"{work.parent} holds another export, not finished",
                hint="choose another folder, or finish it",
            )
        return plan
    others = [one.name for one in work.parent.iterdir() if one != work]
    if others:
        raise InvalidArgument(
            f"{work.parent}: not empty ({', '.join(sorted(others)[:3])})", hint="choose an empty folder"
        )
    plan = _plan(session, query, since, until)
    manifest.keep(path, plan)
    return plan


def _plan(session: Session, query: Query, since: Nanos | None, until: Nanos | None) -> Plan:
    pieces: list[Piece] = []
    ends: list[tuple[Nanos, Nanos]] = []
    suffix = SUFFIXES[query.format]
    for stream in query.streams:
        where, bound = _where(session, query, since, until)
        found = session.rows(
            "SELECT venue::VARCHAR, symbol::VARCHAR, timestamp::DATE::VARCHAR,"
            " epoch_us(min(timestamp)) * 1000, epoch_us(greatest(max(timestamp), max(received))) * 1000"
            f" FROM {identifier(stream)} {where} GROUP BY ALL ORDER BY 2, 1, 3",
            bound,
        )
        ends += [(first, last) for *_, first, last in found if first is not None]
        if query.single and found:
            pieces.append(Piece(f"{stream}{suffix}", stream))
        elif not query.single:
            pieces += [_piece(stream, venue, symbol, day, suffix) for venue, symbol, day, *_ in found]
    if not pieces:
        raise NoData(
            f"no rows of {', '.join(query.streams)} there", hint="`orderflow sql` counts what there is"
        )
    whole = _whole(session, ends)
    return Plan(query, whole[0] if since is None else since, whole[1] if until is None else until, pieces)


def _whole(session: Session, ends: list[tuple[Nanos, Nanos]]) -> tuple[Nanos, Nanos]:
    """Return the window that holds rows with these first and last times, and every run."""
    ((started, ended),) = session.rows(
        "SELECT epoch_us(min(started)) * 1000, epoch_us(max(ended)) * 1000 FROM runs"
    )
    firsts: list[Nanos] = [one for one, _ in ends] + ([] if started is None else [started])
    lasts: list[Nanos] = [one for _, one in ends] + ([] if ended is None else [ended])
    return min(firsts, default=0), max(lasts, default=0) + US


def _piece(stream: str, venue: str, symbol: str, day: str | None, suffix: str) -> Piece:
    place = f"symbol={quote(symbol, safe='')}/venue={venue}/day={day or _NO_TIME}"
    return Piece(f"{stream}/{place}/rows{suffix}", stream, venue, symbol, day)


def _where(
    session: Session, query: Query, since: Nanos | None, until: Nanos | None
) -> tuple[str, list[Parameter]]:
    where, bound = session.where(None, list(query.venues), since, until)
    if query.symbols:
        wanted = [session.symbol(one) for one in query.symbols]
        where += f" AND symbol::VARCHAR IN ({', '.join('?' * len(wanted))})"
        bound += wanted
    return where, bound


def _within(session: Session, plan: Plan) -> tuple[str, list[Parameter]]:
    """Return the condition for all rows of a plan; those without any time where no window was asked."""
    if plan.query.since or plan.query.until:
        return _where(session, plan.query, plan.since, plan.until)
    where, bound = _where(session, plan.query, None, None)
    inside = "timestamp >= make_timestamp(?) AND timestamp < make_timestamp(?)"
    return f"{where} AND (timestamp IS NULL OR ({inside}))", [*bound, micros(plan.since), micros(plan.until)]


# ── One file ──────────────────────────────────────────────────────────────────────────────────


def _write(session: Session, folder: Path, work: Path, plan: Plan, piece: Piece) -> Filled:
    """Write a piece as a whole file, on the disk under its name when this returns."""
    sql, bound = _rows(session, plan, piece)
    target, draft = folder / piece.path, work / "draft"
    order = "timestamp, venue, symbol, id" if piece.venue is None else "timestamp, id"

    def written(found: Any) -> Filled:
        reader: pa.RecordBatchReader = found.to_arrow_reader(_BATCH)
        seen: list[pa.RecordBatch] = []
        with draft.open("wb") as file:
            rows = RowsFile(file, plan.query.format, _described(reader.schema, piece.stream))
            for batch in reader:
                rows.write(batch)
                seen.append(_extent(batch))
            rows.close()
            file.flush()
            os.fsync(file.fileno())
        return _filled(piece, rows, pa.Table.from_batches(seen) if seen else None)

    found = session.ask(sql, bound, written, order=order)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft.replace(target)
    manifest.settle(target.parent)
    return found


def _rows(session: Session, plan: Plan, piece: Piece) -> tuple[str, list[Parameter]]:
    stream = STREAMS[piece.stream]
    # texts are texts in a file: which values a column may have is the database's matter
    chosen = ", ".join(
        f"{identifier(one.name)}::VARCHAR AS {identifier(one.name)}"
        if one.type == "VARCHAR"
        else identifier(one.name)
        for one in tables.columns(stream)
    )
    if piece.venue is None or piece.symbol is None:
        where, bound = _within(session, plan)
        return f"SELECT {chosen} FROM {identifier(piece.stream)} {where}", bound
    source = session.source(piece.stream, piece.symbol, piece.venue)
    if piece.day is None:
        where, bound = session.where(piece.symbol, piece.venue)
        return f"SELECT {chosen} FROM {source} {where} AND timestamp IS NULL", bound
    first = _midnight(piece.day)
    since, until = max(first, plan.since), min(first + DAY, plan.until)
    where, bound = session.where(piece.symbol, piece.venue, since, until)
    return f"SELECT {chosen} FROM {source} {where}", bound


def _midnight(day: str) -> Nanos:
    return round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * SECOND


def _described(schema: pa.Schema, stream: str) -> pa.Schema:
    return schema.with_metadata({"orderflow.stream": stream, "orderflow.schema": str(tables.SCHEMA)})


def _extent(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return, for each run in a batch, its first and last times, in one small batch."""
    table = pa.Table.from_batches([batch.select(["run", "timestamp", "received"])])
    return (
        table.group_by("run")
        .aggregate([(name, how) for name in ("timestamp", "received") for how in ("min", "max")])
        .combine_chunks()
        .to_batches()[0]
    )


def _filled(piece: Piece, rows: RowsFile, seen: pa.Table | None) -> Filled:
    runs: dict[int, tuple[Nanos, Nanos]] = {}
    times: list[Nanos] = []
    for one in [] if seen is None else seen.to_pylist():
        stamps = [_ns(one[f"timestamp_{end}"]) for end in ("min", "max")]
        received = [_ns(one[f"received_{end}"]) for end in ("min", "max")]
        times += [stamp for stamp in stamps if stamp is not None]
        known = [when for when in (received if None not in received else stamps) if when is not None] or [0]
        first, last = runs.get(one["run"], (known[0], known[-1]))
        runs[one["run"]] = min(first, known[0]), max(last, known[-1])
    ends = (min(times), max(times)) if times else (None, None)
    return Filled(piece, rows.rows, rows.bytes, rows.sha256, *ends, runs)


def _ns(when: datetime | None) -> Nanos | None:
    return None if when is None else (when.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) * US


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# ── Notes and manifest ────────────────────────────────────────────────────────────────────────


def _note(work: Path, one: Filled) -> None:
    with (work / "done").open("ab") as file:
        file.write(msgspec.json.encode(one) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _noted(folder: Path, work: Path) -> dict[str, Filled]:
    """Return the files that are finished; a note that was not written to its end is none."""
    path = work / "done"
    if not path.exists():
        return {}
    found: dict[str, Filled] = {}
    whole = 0
    with path.open("rb+") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            one = msgspec.json.decode(line, type=Filled)
            target = folder / one.piece.path
            if target.exists() and target.stat().st_size == one.bytes:
                found[one.piece.path] = one
        file.truncate(whole)
    return found


def _manifest(session: Session, reader: Reader, plan: Plan, files: list[Filled]) -> Manifest:
    kind = reader.kind
    series = list(_parts(session, plan, files))
    asked = {(one.stream, one.venue, one.symbol) for one in series}
    places = {(one.venue, one.symbol) for one in series}
    gaps = [
        one
        for one in reader.gaps(since=plan.since, until=plan.until)
        if (one.stream, one.venue, one.symbol) in asked
    ]
    return Manifest(
        program=tables.PROGRAM,
        edition=manifest.EDITION,
        schema=tables.SCHEMA,
        version=orderflow.__version__,
        made=time.time_ns(),
        kind=kind,
        simulated=kind == "simulated",
        query=plan.query,
        since=plan.since,
        until=plan.until,
        rows=sum(one.rows for one in files),
        bytes=sum(one.bytes for one in files),
        files=files,
        series=series,
        gaps=gaps,
        runs=_runs(reader, files, {one.run for one in gaps}),
        instruments=[one for one in reader.instruments() if (one.venue, one.symbol) in places],
    )


def _parts(session: Session, plan: Plan, files: list[Filled]) -> Iterator[Part]:
    rows: dict[tuple[str, str, str], int] = {}
    for one in files:
        if one.piece.venue is not None and one.piece.symbol is not None:
            key = (one.piece.stream, one.piece.venue, one.piece.symbol)
            rows[key] = rows.get(key, 0) + one.rows
            continue
        where, bound = _within(session, plan)
        for venue, symbol, count in session.rows(
            "SELECT venue::VARCHAR, symbol::VARCHAR, count(*)"
            f" FROM {identifier(one.piece.stream)} {where} GROUP BY ALL ORDER BY 2, 1",
            bound,
        ):
            rows[one.piece.stream, venue, symbol] = count
    markets: dict[tuple[str, str], list[str]] = {}
    for stream, venue, symbol in rows:
        markets.setdefault((stream, symbol), []).append(venue)
    for (stream, symbol), venues in markets.items():
        found = coverage.collected(session, stream, symbol, venues, plan.since, plan.until)
        for venue, stretches in found.items():
            share = 100 * sum(last - first for first, last in stretches) / (plan.until - plan.since) or None
            reason = "" if share else "nothing was collected: its rows are of no run that was heard"
            yield Part(stream, venue, symbol, rows[stream, venue, symbol], share, reason, stretches)


def _runs(reader: Reader, files: list[Filled], more: set[int]) -> list[Collecting]:
    last: dict[int, Nanos] = dict.fromkeys(more, 0)
    for one in files:
        for run, (_, until) in one.runs.items():
            last[run] = max(last.get(run, 0), until)
    return [
        Collecting(one.id, one.key, one.kind, one.started, one.ended, last[one.id], one.version, one.settings)
        for one in reader.runs()
        if one.id in last
    ]

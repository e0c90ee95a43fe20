"""Backups: a database as it stood at one commit, in a folder of its own, taken while rows go on being written.

The database file is copied by DuckDB from one snapshot; the archived files of that snapshot are linked, so
that a further backup on the same disk costs what is not archived yet. The manifest has each file's size
and SHA-256, and the rows of each table. A folder has its name when all of it is there.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec

from orderflow.market.errors import InvalidArgument, StoreUnusable
from orderflow.market.streams import STREAMS
from orderflow.store import layout, opening, tables
from orderflow.store.archive import Lock
from orderflow.store.identifiers import identifier, text

MANIFEST = "manifest.json"
DATABASE = "orderflow.duckdb"
ARCHIVE = "archive"
_UNFINISHED = ".unfinished"
_CHUNK = 1024 * 1024
_COPY = "backup_copy"

Progress = Callable[[int, int, str], None]


class Item(msgspec.Struct, frozen=True):
    """A file of a backup: its path in the folder, its bytes and its SHA-256."""

    path: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds, and of what."""

    made: str
    version: str
    database: str
    schema: int
    rows: dict[str, int]
    files: list[Item]

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.files)


class Made(msgspec.Struct, frozen=True):
    """A backup that was made; `copied_bytes` is what it took on the disk beyond what it shares."""

    folder: str
    rows: int
    files: int
    bytes: int
    copied_bytes: int
    seconds: float


def back_up(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    *,
    version: str = "",
    lock: Lock = nullcontext,
    progress: Progress = lambda done, of, said: None,
) -> Made:
    """Make a backup in a new folder. Not beside what changes the archive; flushes go on.

    Raises `InvalidArgument` for a folder that cannot be one, `StoreUnusable` where the disk refuses.
    """
    began, source = time.perf_counter(), layout.path(connection)
    if source is None:
        raise InvalidArgument("only a database file can be backed up", hint="a lake is backed up by its own")
    folder = folder.absolute()
    draft = _draft(folder, layout.archive_root(source))
    try:
        rows, archived = _copied(connection, draft / DATABASE, lock)
        shared = sum(
            _placed(
                layout.archive_root(source) / file, draft / ARCHIVE / file, progress, place, len(archived)
            )
            for place, file in enumerate(archived)
        )
        manifest = _manifest(draft, source, version, rows, _known_sums(folder))
        (draft / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        _sync(draft)
        draft.rename(folder)
        _sync(folder.parent)
    except (duckdb.Error, OSError) as error:
        said = " ".join(str(error).split())[:300]
        raise StoreUnusable(f"the backup could not be made: {said}", hint="is the disk full?") from error
    finally:
        if draft.exists():
            shutil.rmtree(draft, ignore_errors=True)
    return Made(
        str(folder),
        sum(count for name, count in rows.items() if name in STREAMS),
        len(manifest.files),
        manifest.bytes,
        manifest.bytes - shared,
        round(time.perf_counter() - began, 3),
    )


def verified(
    folder: Path, *, progress: Progress = lambda done, of, said: None, deep: bool = True
) -> Manifest:
    """Return the manifest of a backup whose files are all as it says.

    Raises `StoreUnusable` naming the first file that is missing, or is not what was backed up.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise StoreUnusable(
            f"{folder} is no backup of ours: {error}", hint=f"a folder that has a {MANIFEST}"
        ) from error
    for place, one in enumerate(manifest.files):
        path = (folder / one.path).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise StoreUnusable(f"{folder}: {one.path!r} leads out of it", hint="this is no backup of ours")
        if not path.is_file():
            raise StoreUnusable(f"{folder}: {one.path} is missing", hint="restore another backup")
        progress(place, len(manifest.files), one.path)
        if path.stat().st_size != one.bytes or (deep and _sha256(path) != one.sha256):
            raise StoreUnusable(f"{folder}: {one.path} is not what was backed up", hint="restore another")
    return manifest


def restore(folder: Path, db: Path, *, progress: Progress = lambda done, of, said: None) -> Manifest:
    """Bring a backup to a place where no database is; its views look for the archive beside it.

    Raises `StoreUnusable` for a backup that is damaged, `InvalidArgument` where a database is already.
    """
    db = db.absolute()
    there = [
        one for one in (db, layout.archive_root(db), Path(f"{db}.wal"), Path(f"{db}.journal")) if one.exists()
    ]
    if there:
        raise InvalidArgument(
            f"{there[0]} is there already", hint="restore to a new place; nothing is overwritten"
        )
    manifest = verified(folder, progress=progress)
    db.parent.mkdir(parents=True, exist_ok=True)
    draft, root = db.with_name(f"{db.name}.restoring"), layout.archive_root(db)
    try:
        for one in manifest.files:
            if one.path != DATABASE:
                _placed(folder / one.path, root / Path(one.path).relative_to(ARCHIVE))
        shutil.copyfile(folder / DATABASE, draft)
        _sync(draft)
        draft.rename(db)
        _proven(db, manifest)
    except BaseException as error:
        for one in (draft, db, Path(f"{db}.wal")):
            one.unlink(missing_ok=True)
        shutil.rmtree(root, ignore_errors=True)
        if isinstance(error, OSError):
            raise StoreUnusable(
                f"the backup could not be restored: {error}", hint="is the disk full?"
            ) from error
        raise
    return manifest


def _proven(db: Path, manifest: Manifest) -> None:
    """Open the restored database, so that its views follow it, and count its rows."""
    connection = opening.open_for_writing(db)
    try:
        rows = _rows(connection)
    finally:
        connection.close()
    if rows != manifest.rows:
        wrong = [name for name in manifest.rows if rows.get(name) != manifest.rows[name]]
        raise StoreUnusable(f"restored {', '.join(wrong)} have other rows than were backed up")


# ── Parts ─────────────────────────────────────────────────────────────────────────────────────


def _draft(folder: Path, archive: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidArgument(f"{folder} is there already", hint="name a new folder for each backup")
    if folder.is_relative_to(archive):
        raise InvalidArgument(f"{folder} lies in the archive itself", hint="name a folder beside it")
    draft = folder.with_name(folder.name + _UNFINISHED)
    if draft.exists():  # of a process that died
        if {one.name for one in draft.iterdir()} - {ARCHIVE, DATABASE, f"{DATABASE}.wal", MANIFEST}:
            raise InvalidArgument(f"{draft} is in the way, and no backup of ours", hint="name another folder")
        shutil.rmtree(draft)
    (draft / ARCHIVE).mkdir(parents=True)
    if folder.exists():
        folder.rmdir()
    return draft


def _copied(
    connection: duckdb.DuckDBPyConnection, target: Path, lock: Lock
) -> tuple[dict[str, int], list[str]]:
    """Copy the database at one commit; return the rows of its tables, and the archived files that it names."""
    cursor = connection.cursor()
    try:
        ((name,),) = cursor.execute("SELECT current_database()").fetchall()
        with lock():
            cursor.execute(f"ATTACH {text(str(target))} AS {_COPY}")
        try:
            cursor.begin()
            rows = _rows(cursor)
            files = cursor.execute("SELECT file FROM archived WHERE dropped IS NULL ORDER BY file").fetchall()
            cursor.execute(f"COPY FROM DATABASE {identifier(name)} TO {_COPY}")
            cursor.commit()
            # what stopped counting before is not taken along
            cursor.execute(f"DELETE FROM {_COPY}.archived WHERE dropped IS NOT NULL")
            cursor.execute(f"CHECKPOINT {_COPY}")
        except BaseException:
            _roll_back(cursor)
            raise
        finally:
            cursor.execute(f"DETACH {_COPY}")
    finally:
        cursor.close()
    return rows, [file for (file,) in files]


def _roll_back(cursor: duckdb.DuckDBPyConnection) -> None:
    try:
        cursor.rollback()
    except duckdb.Error:  # it was committed
        return


def _rows(cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
    found = cursor.execute(
        " UNION ALL ".join(
            f"SELECT '{name}', count(*) FROM {identifier(name)}"
            for name in (*STREAMS, "gaps", "instruments", "runs")
        )
    ).fetchall()
    return dict(found)


def _placed(
    source: Path,
    target: Path,
    progress: Progress = lambda done, of, said: None,
    place: int = 0,
    of: int = 0,
) -> int:
    """Link a file that never changes, or copy it where another disk is; return the bytes that are shared."""
    target.parent.mkdir(parents=True, exist_ok=True)
    progress(place, of, source.name)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        _sync(target)
        return 0
    return target.stat().st_size


def _manifest(
    draft: Path, source: Path, version: str, rows: dict[str, int], known: dict[tuple[int, int], Item]
) -> Manifest:
    files: list[Item] = []
    for path in sorted(one for one in draft.rglob("*") if one.is_file()):
        told = path.stat()
        item = known.get((told.st_dev, told.st_ino))
        digest = item.sha256 if item and item.bytes == told.st_size else _sha256(path)
        files.append(Item(path.relative_to(draft).as_posix(), told.st_size, digest))
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return Manifest(made, version, source.name, tables.SCHEMA, rows, files)


def _known_sums(folder: Path) -> dict[tuple[int, int], Item]:
    """Return what the backups beside this one say of files that are the same file by their links."""
    found: dict[tuple[int, int], Item] = {}
    for other in folder.parent.glob(f"*/{MANIFEST}"):
        try:
            manifest = msgspec.json.decode(other.read_bytes(), type=Manifest)
        except (OSError, msgspec.MsgspecError):
            continue
        for one in manifest.files:
            try:
                told = (other.parent / one.path).stat()
            except OSError:
                continue
            found[told.st_dev, told.st_ino] = one
    return found


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

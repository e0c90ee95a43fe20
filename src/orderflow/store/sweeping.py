"""Sweeping: files of the archive that no longer count, or never did, are deleted after a while.

A reader that began before a file was taken out of the tables may be in the middle of it. The archive's
folder holds nothing else of ours than what lies below `stream=…`; whatever else is there is left alone.
"""

import time
from collections.abc import Collection
from pathlib import Path

import duckdb
import msgspec

from orderflow.market.events import SECOND, US, Nanos
from orderflow.store import layout

GRACE: Nanos = 600 * SECOND
SET_ASIDE = ".damaged"  # ends the name of a file that could not be read: it is kept for who wants to look


class Swept(msgspec.Struct, frozen=True):
    """Files that were deleted, and their bytes."""

    files: int = 0
    bytes: int = 0


def orphans(connection: duckdb.DuckDBPyConnection, older_than: Nanos) -> list[Path]:
    """Return the files in the archive that no row names, and that have lain there since before an instant."""
    root = layout.of(connection).root
    if root is None:
        return []
    with connection.cursor() as cursor:
        named = {file for (file,) in cursor.execute("SELECT file FROM archived").fetchall()}
    return left_over(root, named, older_than)


def left_over(root: Path, named: Collection[str], older_than: Nanos | None = None) -> list[Path]:
    """Return the files below an archive's root that are not among the named, the grace old by default."""
    older_than = time.time_ns() - GRACE if older_than is None else older_than
    found: list[Path] = []
    for one in sorted(root.glob("stream=*/venue=*/symbol=*/day=*")):
        try:
            kept = one.name.endswith(SET_ASIDE) or one.relative_to(root).as_posix() in named
            if not kept and one.stat().st_mtime_ns < older_than:
                found.append(one)
        except FileNotFoundError:
            continue
    return found


def sweep(connection: duckdb.DuckDBPyConnection, *, now: Nanos | None = None, grace: Nanos = GRACE) -> Swept:
    """Delete what stopped counting longer than `grace` ago. Not beside a compaction."""
    now = time.time_ns() if now is None else now
    root = layout.of(connection).root
    if root is None:
        return Swept()
    with connection.cursor() as cursor:
        dropped = cursor.execute(
            "SELECT file FROM archived WHERE dropped < make_timestamp(?)", [(now - grace) // US]
        ).fetchall()
        left = [root / file for (file,) in dropped]
        found = [_delete(one) for one in (*left, *orphans(connection, now - grace))]
        # the rows go after the files: where the process dies in between, the next pass finds the rows
        if dropped:
            cursor.executemany("DELETE FROM archived WHERE file = ? AND dropped IS NOT NULL", dropped)
    return Swept(sum(size is not None for size in found), sum(size or 0 for size in found))


def _delete(path: Path) -> int | None:
    """Delete a file and return its bytes; None where it is gone already."""
    try:
        size = path.stat().st_size
        path.unlink()
    except FileNotFoundError:
        return None
    return size

"""Commands that keep the data in order, and safe: tidy, backup, restore."""

from pathlib import Path
from typing import Annotated, Any

import typer

from orderflow.cli.asking import nearest_db
from orderflow.cli.feeding import ordered
from orderflow.cli.surroundings import (
    Db,
    Json,
    Token,
    chosen_keeping,
    chosen_settings,
    log_to_stderr,
    progress,
    tell,
    where,
)
from orderflow.market.errors import InvalidArgument, StoreUnusable

PATIENCE_S = 24 * 3600.0  # a first pass, or a backup to another disk, takes what it takes


def tidy(db: Db = None, token: Token = None, json: Json = False) -> None:
    """Archive closed days, remove what is kept no longer, thin old books: as a collector does by itself."""
    chosen = _chosen(db, token)
    keeping = chosen_keeping(chosen)
    log_to_stderr(chosen.log_level)
    if _collected(chosen.db):
        found = ordered(db, token, "POST", "/admin/tidy", timeout_s=PATIENCE_S)
    else:
        from orderflow.jobs import tidy as job

        connection = _opened(chosen)
        try:
            with progress("tidying", hidden=json) as shown:
                done = job.tidy(
                    connection,
                    keeping,
                    progress=lambda one: shown(0, 0, f"{one.stream} {one.day}: {one.rows:,} rows"),
                )
        finally:
            connection.close()
        found = {name: getattr(done, name) for name in done.__struct_fields__}
    tell(json, found, _tidied(found))
    raise typer.Exit(1 if found["problem"] else 0)


def _tidied(found: dict[str, Any]) -> str:
    lines = [
        f"archived    {found['archived_rows']:,} rows in {found['archived_files']:,} files,"
        f" {found['archived_bytes'] / 1e6:,.1f} MB",
        f"removed     {found['removed_rows']:,} rows that are kept no longer",
        f"thinned     {found['thinned_rows']:,} order books out",
        f"swept       {found['swept_files']:,} files, {found['swept_bytes'] / 1e6:,.1f} MB",
        f"took        {found['seconds']:.1f} s; flushes waited {found['waited_s']:.2f} s at most",
    ]
    return "\n".join([*lines, *([f"PROBLEM     {found['problem']}"] if found["problem"] else [])])


def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder; archived days are linked where they can be.")],
    db: Db = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Back the database up to a new folder, while it is collected into or not."""
    chosen = _chosen(db, token)
    log_to_stderr(chosen.log_level)
    if _collected(chosen.db):
        place = {"folder": str(folder.absolute())}
        found = ordered(db, token, "POST", "/admin/backup", place, timeout_s=PATIENCE_S)
    else:
        from orderflow import __version__
        from orderflow.store import backup as work

        connection = _opened(chosen)
        try:
            with progress("backup", hidden=json) as shown:
                made = work.back_up(connection, folder, version=__version__, progress=shown)
        finally:
            connection.close()
        found = {name: getattr(made, name) for name in made.__struct_fields__}
    said = (
        f"{found['folder']}: {found['rows']:,} rows in {found['files']:,} files, {found['bytes'] / 1e6:,.1f} MB,"
        f" of which {found['copied_bytes'] / 1e6:,.1f} MB are new on the disk ({found['seconds']:.1f} s)"
    )
    tell(json, found, said)


def restore(
    folder: Annotated[Path, typer.Argument(help="A backup that `orderflow backup` made.")],
    db: Annotated[Path, typer.Option("--db", help="Where to restore to: nothing may be there yet.")],
    json: Json = False,
) -> None:
    """Check a backup file by file, and bring it to a new place."""
    from orderflow.store import backup as work

    log_to_stderr("WARNING")
    with progress("restore", hidden=json) as shown:
        manifest = work.restore(folder, db, progress=shown)
    rows = sum(manifest.rows.values())
    found = {"db": str(db), "made": manifest.made, "rows": manifest.rows, "files": len(manifest.files)}
    tell(
        json,
        found,
        f"{db}: {rows:,} rows as they stood at {manifest.made}; every file was as it was backed up",
    )


def _chosen(db: Path | None, token: str | None) -> Any:
    """Return the settings with the database to work on. Raises `InvalidArgument` for a lake."""
    from orderflow.store import lake

    chosen = chosen_settings(db=nearest_db(db), token=token)
    if lake.is_lake(where(chosen, db)):
        raise InvalidArgument(
            "the settings name a lake, which keeps its rows in Parquet by itself",
            hint="--db names a database file; PostgreSQL and the lake's files have backups of their own",
        )
    return chosen


def _collected(db: Path) -> bool:
    from orderflow.store import access

    return db.exists() and access.service(db) is not None


def _opened(chosen: Any) -> Any:
    """Open a database of ours that is there already, as its one writer."""
    from orderflow.store import opening

    if not chosen.db.exists():
        raise StoreUnusable(f"{chosen.db}: no such database", hint="`orderflow init` makes one")
    return opening.open_for_writing(chosen.db, memory_limit=chosen.memory_limit)

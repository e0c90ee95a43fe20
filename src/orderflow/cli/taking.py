"""Commands that take data out of the database, or bring it in: sql, export, import."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from orderflow.cli.asking import nearest_db
from orderflow.cli.surroundings import (
    Db,
    Json,
    Symbols,
    Venues,
    chosen_settings,
    dumped,
    log_to_stderr,
    progress,
    tell,
    where,
)
from orderflow.market.errors import InvalidArgument

if TYPE_CHECKING:
    from orderflow.store.sandbox import Found

SqlForm = Literal["table", "csv", "json", "parquet", "arrow"]
_SUFFIXES: dict[str, SqlForm] = {
    ".csv": "csv",
    ".json": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}


def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT; - reads it from stdin.")],
    db: Db = None,
    form: Annotated[
        SqlForm | None, typer.Option("--format", help="How rows are written.", show_default="table")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file instead of stdout.")] = None,
    limit: Annotated[int, typer.Option(help="Rows; more are cut off, and that is said.")] = 10_000,
    timeout: Annotated[float, typer.Option(help="Seconds.")] = 60.0,
    memory: Annotated[int, typer.Option(help="Megabytes.")] = 1_024,
    json: Json = False,
) -> None:
    """Ask in SQL (DuckDB's): one SELECT, in a process that can read the stored rows and nothing else."""
    from orderflow.store import sandbox

    chosen = chosen_settings(db=nearest_db(db))
    log_to_stderr("ERROR")
    asked = sys.stdin.read() if statement == "-" else statement
    form = _form(form, out, as_json=json)
    limits = sandbox.Limits(rows=limit, seconds=timeout, memory_mb=memory, answer_mb=max(64, memory // 2))
    found = sandbox.ask(where(chosen, db), asked, limits)
    if out is not None:
        size = found.save(out, form)
        print(f"{out}: {found.table.num_rows:,} rows, {size:,} bytes", file=sys.stderr)
    else:
        _show(found, form)
    if found.truncated:
        print(f"There are more than {limit:,} rows: --limit lets more through.", file=sys.stderr)


def _form(form: SqlForm | None, out: Path | None, *, as_json: bool) -> SqlForm:
    if form is None:
        form = "json" if as_json else _SUFFIXES.get(out.suffix.lower(), "csv") if out else "table"
    if out is None and form in ("parquet", "arrow"):
        raise InvalidArgument(f"{form} is not for a terminal", hint=f"-o rows.{form}")
    if out is not None and form == "table":
        raise InvalidArgument("a table is for a terminal", hint="--format csv, json, parquet or arrow")
    return form


def _show(found: "Found", form: SqlForm) -> None:
    match form:
        case "json":
            rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows()]
            print(dumped({"columns": found.columns, "rows": rows, "truncated": found.truncated}))
        case "csv":
            sys.stdout.write(found.csv())
        case _:
            _print_table(found)


def _print_table(found: "Found") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = list(zip(*found.rows(), strict=True)) or [() for _ in found.columns]
    for name, values in zip(found.columns, columns, strict=True):
        numbers = name not in found.instants and all(isinstance(one, int | float | None) for one in values)
        shown.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in zip(*columns, strict=True):
        shown.add_row(*map(_cell, found.columns, row, [found.instants] * len(row)))
    # as wide as the rows are where nobody looks at it: a pipe has no width
    console = Console() if sys.stdout.isatty() else Console(width=32_000)
    console.print(shown, markup=False) if sys.stdout.isatty() else _print_plain(console, shown)
    print(f"{found.table.num_rows:,} rows in {found.seconds:.2f} s", file=sys.stderr)


def _print_plain(console: Any, shown: Any) -> None:
    with console.capture() as said:
        console.print(shown)
    print("\n".join(line.rstrip() for line in said.get().strip("\n").splitlines()))


def _cell(name: str, value: Any, instants: list[str]) -> str:
    from rich.markup import escape

    if value is None:
        return ""
    if name in instants and isinstance(value, int):
        from orderflow.cli.surroundings import utc

        return utc(value * 1_000_000)
    return escape(f"{value:,.12g}" if isinstance(value, float) else str(value))


Form = Literal["parquet", "csv", "arrow"]


def export(
    streams: Annotated[list[str], typer.Argument(help="Streams, as in trades prices candles.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write into.")],
    symbols: Symbols = None,
    venues: Venues = None,
    since: Annotated[str, typer.Option(help="-4h, 2026-11-20, epoch milliseconds.", show_default="all")] = "",
    until: Annotated[str, typer.Option(help="As since; not included.", show_default="now")] = "",
    form: Annotated[Form, typer.Option("--format", help="How rows are written.")] = "parquet",
    single: Annotated[
        bool, typer.Option("--single", help="One file a stream, not one a series and day.")
    ] = False,
    db: Db = None,
    json: Json = False,
) -> None:
    """Take rows away: as Parquet, CSV or Arrow, a file a series and day, with a manifest.

    Beside a collector or from the file. Interrupted, the same command goes on where it was.
    """
    import time

    from orderflow.store.export import export as take
    from orderflow.store.manifest import Query
    from orderflow.tools.times import instant

    chosen = chosen_settings(db=nearest_db(db))
    log_to_stderr(chosen.log_level)
    query = Query(
        tuple(dict.fromkeys(_words(streams))), _words(symbols), _words(venues), since, until, form, single
    )
    now = time.time_ns()
    with progress("exporting", hidden=json) as shown:
        found = take(
            where(chosen, db),
            out,
            query,
            instant(since, now) if since else None,
            instant(until, now) if until else None,
            progress=lambda done: shown(
                done.files, done.of, f"{done.rows:,} rows, {done.bytes / 1e6:,.1f} MB, {done.path}"
            ),
        )
    told = found.manifest
    tell(
        json,
        {
            "folder": str(out),
            "files": len(told.files),
            "written": found.written,
            "rows": told.rows,
            "bytes": told.bytes,
            "simulated": told.simulated,
            "gaps": len(told.gaps),
        },
        f"{out}: {told.rows:,} rows in {len(told.files):,} files, {told.bytes:,} bytes"
        f" ({found.written:,} written now); {len(told.gaps):,} gaps are told in its manifest"
        + ("; simulated data" if told.simulated else ""),
    )


def _words(said: str | list[str] | None) -> tuple[str, ...]:
    several = [said] if isinstance(said, str) else said or []
    return tuple(word.strip() for one in several for word in one.split(",") if word.strip())


def take_in(
    folders: Annotated[list[Path], typer.Argument(help="Folders that `orderflow export` has made.")],
    db: Db = None,
    json: Json = False,
) -> None:
    """Bring exports back into a database, with their runs and gaps. Twice changes nothing."""
    from orderflow.store import manifest, opening, tables
    from orderflow.store.intake import take_in as bring

    chosen = chosen_settings(db=db)
    log_to_stderr(chosen.log_level)
    told = [manifest.load(folder) for folder in folders]
    symbols = dict.fromkeys(one.symbol for found in told for one in found.series)
    chosen.db.parent.mkdir(parents=True, exist_ok=True)
    connection = opening.open_for_writing(chosen.db, memory_limit=chosen.memory_limit)
    read, written, gaps, filled = 0, dict[str, int](), 0, 0
    try:
        tables.create(connection, list(symbols))
        with progress("importing", hidden=json) as shown:
            for folder in folders:
                found = bring(
                    connection,
                    folder,
                    progress=lambda done, of, rows, path: shown(done, of, f"{rows:,} new rows, {path}"),
                    large_trade_usd=chosen.large_trade_usd,
                )
                read, gaps, filled = read + found.read, gaps + found.gaps, filled + found.filled
                for stream, count in found.written.items():
                    written[stream] = written.get(stream, 0) + count
    finally:
        connection.close()
    new = ", ".join(f"{count:,} {name}" for name, count in written.items()) or "none; all were there"
    tell(
        json,
        {"db": str(chosen.db), "read": read, "written": written, "gaps": gaps, "filled": filled},
        f"{chosen.db}: {read:,} rows read, new: {new}; {gaps:,} gaps added, {filled:,} filled",
    )

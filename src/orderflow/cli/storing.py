"""Commands about the database and recordings: init, replay, doctor."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orderflow.cli.surroundings import (
    Db,
    Json,
    Simulator,
    Symbols,
    Venues,
    chosen_forms,
    chosen_lake,
    chosen_settings,
    following,
    log_to_stderr,
    progress,
    simulated_hosts,
    tell,
    utc,
    where,
)

if TYPE_CHECKING:
    from orderflow.jobs.replay import Report


def init(db: Db = None, symbols: Symbols = None, json: Json = False) -> None:
    """Create the database: a table per stream, and a named view for each series."""
    from orderflow.store import lake, opening, tables

    chosen = chosen_settings(db=db, symbols=symbols)
    address = chosen_lake(chosen) if db is None else None
    if address is not None:
        connection = lake.open_for_writing(address)
    else:
        chosen.db.parent.mkdir(parents=True, exist_ok=True)
        connection = opening.open_for_writing(chosen.db)
    made = str(address or chosen.db)
    try:
        created = tables.create(connection, chosen.symbols)
    finally:
        connection.close()
    tell(
        json,
        {"db": made, "core": created.core, "others": created.others},
        f"{made}: {created.core} core series and {created.others} others, for {len(chosen.symbols)} symbols",
    )


def replay(
    files: Annotated[list[Path], typer.Argument(help="Recordings, or folders of them.")],
    db: Db = None,
    venue: Annotated[str | None, typer.Option(help="Venue of CSV files that do not tell.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Symbol of CSV files that do not tell.")] = None,
    json: Json = False,
) -> None:
    """Replay recordings into the database: captures, our journals, CSV archives. Twice changes nothing."""
    from orderflow import venues
    from orderflow.jobs.replay import replay as play
    from orderflow.store import opening, tables

    chosen = chosen_settings(db=db)
    log_to_stderr(chosen.log_level)
    chosen.db.parent.mkdir(parents=True, exist_ok=True)
    connection = opening.open_for_writing(chosen.db, memory_limit=chosen.memory_limit)
    try:
        tables.create(connection, chosen.symbols)
        with progress("replaying", hidden=json) as shown:
            report = play(
                files,
                connection,
                venues.ALL,
                venue=venue,
                symbol=symbol,
                book_interval_ms=chosen.book_interval,
                progress=lambda done: shown(done.files, done.of, f"{done.path.name}: {done.frames:,} frames"),
            )
    finally:
        connection.close()
    found = _reported(report)
    tell(json, found, _report_text(report))


def _reported(report: "Report") -> dict[str, Any]:
    return {
        "source": report.source,
        "frames": report.frames,
        "used": report.used,
        "ignored": dict(report.ignored),
        "unknown": report.unknown.total(),
        "unknown_reasons": dict(report.unknown),
        "gaps": [
            {
                "venue": gap.venue,
                "symbol": gap.symbol,
                "stream": gap.stream,
                "from": utc(gap.from_ts),
                "until": None if gap.until_ts is None else utc(gap.until_ts),
                "reason": gap.reason,
            }
            for gap in report.gaps
        ],
        "refused": report.refused,
        "rows": report.rows,
        "written": dict(report.written),
    }


def _report_text(report: "Report") -> str:
    lines = [f"{report.frames:,} frames: {report.used:,} used ({report.source})"]
    lines += [f"  {said}" for said in report.refused]
    lines += [f"  left out {count:,}: {reason}" for reason, count in report.ignored.most_common()]
    lines += [f"  not understood {count:,}: {reason}" for reason, count in report.unknown.most_common()]
    for gap in report.gaps:
        until = "the end" if gap.until_ts is None else utc(gap.until_ts)
        lines.append(
            f"  gap in {gap.venue} {gap.symbol} {gap.stream}, {utc(gap.from_ts)} to {until}: {gap.reason}"
        )
    new = (
        ", ".join(f"{count:,} {name}" for name, count in sorted(report.written.items()))
        or "none; all were there"
    )
    return "\n".join([*lines, f"new rows: {new}"])


def doctor(
    db: Db = None,
    venues: Venues = None,
    offline: Annotated[bool, typer.Option(help="Do not ask the venues.")] = False,
    thorough: Annotated[
        bool, typer.Option(help="Read every row: what is there twice, damaged files.")
    ] = False,
    repair: Annotated[
        bool, typer.Option(help="Mend what can be mended; nobody may have the database open.")
    ] = False,
    simulator: Simulator = None,
    json: Json = False,
) -> None:
    """Look at the venues and the database: reachable, healthy, how far behind, what is missing."""
    from orderflow.jobs.doctor import examine
    from orderflow.jobs.upkeep import repair as mend

    chosen = chosen_settings(db=db, venues=venues)
    log_to_stderr("ERROR")
    forms = chosen_forms(chosen)
    hosts = simulated_hosts(simulator, forms)
    place = where(chosen, db)
    mended = mend(place, memory_limit=chosen.memory_limit) if repair else []
    found = mended + asyncio.run(
        examine(
            place,
            forms,
            hosts,
            keys=chosen.keys,
            offline=offline,
            clock_bound_ms=chosen.clock_bound,
            postgres=following(chosen),
            thorough=thorough or repair,
        )
    )
    problems = sum(one.state == "problem" for one in found)
    marks = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}
    lines = [
        f"{marks[one.state]} {one.about}: {one.said}" + (f" ({one.hint})" if one.hint else "")
        for one in found
    ]
    findings = [{"about": one.about, "state": one.state, "said": one.said, "hint": one.hint} for one in found]
    tell(json, {"problems": problems, "findings": findings}, "\n".join(lines))
    raise typer.Exit(1 if problems else 0)

"""The command that brings in the past: backfill."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orderflow.cli.surroundings import (
    Db,
    Json,
    Simulator,
    Streams,
    Symbols,
    Venues,
    chosen_forms,
    chosen_settings,
    log_to_stderr,
    progress,
    run,
    simulated_hosts,
    stop_on_signals,
    tell,
    utc,
)
from orderflow.market.errors import InvalidArgument, StoreUnusable, UnsupportedByVenue

if TYPE_CHECKING:
    from orderflow.jobs.backfill import Report
    from orderflow.settings import Settings
    from orderflow.store.tables import Connection
    from orderflow.venues.spec import Hosts, Venue

_MOST_LINES = 40


def backfill(
    db: Db = None,
    venues: Venues = None,
    symbols: Symbols = None,
    streams: Streams = None,
    begin: Annotated[
        str | None, typer.Option("--from", help="First day or instant, UTC: 2026-11-01 or 2026-11-01T08:30.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="The instant after the last.", show_default="now")
    ] = None,
    gaps: Annotated[
        bool, typer.Option("--gaps", help="Fill the gaps that are known; what is done where no --from is.")
    ] = False,
    archive_url: Annotated[
        str | None, typer.Option("--archive-url", help="Another address of the archives.")
    ] = None,
    simulator: Simulator = None,
    json: Json = False,
) -> None:
    """Bring in the past from archives and REST history: known gaps, or a window. Twice changes nothing."""
    from orderflow.store import tables

    chosen = chosen_settings(db=db, venues=venues, symbols=symbols, streams=streams, archive_url=archive_url)
    log_to_stderr(chosen.log_level)
    forms = chosen_forms(chosen)
    window = _window(begin, end)
    _check_streams(chosen, forms)
    hosts = _hosts(chosen, forms, simulated_hosts(simulator, forms))
    chosen.db.parent.mkdir(parents=True, exist_ok=True)
    connection = _opened(chosen)
    try:
        tables.create(connection, chosen.symbols)
        windows: list[tuple[int, int] | None] = [window, *([None] if gaps else [])] if window else [None]
        found: list[Report] = []
        finished = run_to_end(
            _fill(chosen, forms, hosts, connection, windows, simulator is not None, json, found)
        )
        tables.checkpoint(connection)
    finally:
        connection.close()
    _say(found, finished, json)
    if not finished:
        raise typer.Exit(130)
    raise typer.Exit(1 if any(report.failed for report in found) else 0)


def run_to_end(work: Any) -> bool:
    """Run work until it ends (True) or a signal stops it (False)."""
    ended: list[bool] = []

    async def watched() -> None:
        stop = stop_on_signals()
        doing, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        ended.append(doing.done())
        if not doing.done():
            doing.cancel()
            with suppress(asyncio.CancelledError):
                await doing
        else:
            doing.result()

    run(watched())
    return ended[0]


async def _fill(
    chosen: "Settings",
    forms: "dict[str, Venue]",
    hosts: "dict[str, Hosts]",
    connection: "Connection",
    windows: "list[tuple[int, int] | None]",
    simulated: bool,
    as_json: bool,
    found: "list[Report]",
) -> None:
    from orderflow.jobs.backfill import Asked, Backfill, Owner

    with progress("backfill", hidden=as_json) as shown:
        filling = Backfill(
            Owner(connection, chosen.large_trade_usd),
            forms,
            Path(f"{chosen.db}.downloads"),
            kind="simulated" if simulated else "backfill",
            hosts=hosts,
            progress=lambda done: shown(
                done.pieces, done.of, f"{done.said}: {done.seen:,} rows, {done.written:,} new"
            ),
        )
        try:
            for window in windows:
                asked = Asked(symbols=chosen.symbols, streams=chosen.streams or None, window=window)
                found.append(await filling.run(asked))
        finally:
            await filling.close()


# ── What was asked ────────────────────────────────────────────────────────────────────────────


def _window(begin: str | None, end: str | None) -> tuple[int, int] | None:
    if begin is None:
        if end is not None:
            raise InvalidArgument("--to without --from", hint="say where it begins: --from 2026-11-01")
        return None
    now = time.time_ns() // 1000 * 1000
    first = _instant("--from", begin)
    last = now if end is None else min(_instant("--to", end), now)
    if first >= now:
        raise InvalidArgument(f"--from {begin} lies in the future", hint="the past is what can be brought in")
    if last <= first:
        raise InvalidArgument(f"--to {end} is not after --from {begin}")
    return first, last


def _instant(option: str, text: str) -> int:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidArgument(
            f"{option} {text[:40]!r} is not a time", hint="2026-11-01 or 2026-11-01T08:30, in UTC"
        ) from None
    seconds = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if not 0 <= seconds < 9e9:
        raise InvalidArgument(f"{option} {text[:40]!r} lies before 1970 or after 2255")
    return round(seconds * 1_000_000) * 1000


def _check_streams(chosen: "Settings", forms: "dict[str, Venue]") -> None:
    from orderflow.jobs.past import nothing_of
    from orderflow.market.streams import STREAMS

    if unknown := [name for name in chosen.streams if name not in STREAMS]:
        raise InvalidArgument(f"no stream is called {unknown[0]!r}", hint=f"streams: {', '.join(STREAMS)}")
    why = [nothing_of(venue, stream) for venue in forms.values() for stream in chosen.streams]
    if why and all(why):
        can = dict.fromkeys(
            one.stream for venue in forms.values() for one in (*venue.history, *venue.archives)
        )
        raise UnsupportedByVenue(
            "; ".join(why[:3]), hint=f"what can be brought in: {', '.join(can) or 'nothing of these venues'}"
        )


def _hosts(
    chosen: "Settings", forms: "dict[str, Venue]", simulated: "dict[str, Hosts]"
) -> "dict[str, Hosts]":
    import msgspec

    hosts = {name: simulated.get(name, venue.hosts) for name, venue in forms.items()}
    if chosen.archive_url is None:
        return hosts
    return {
        name: msgspec.structs.replace(one, archive=chosen.archive_url if forms[name].archives else "")
        for name, one in hosts.items()
    }


def _opened(chosen: "Settings") -> "Connection":
    from orderflow.store import opening

    try:
        return opening.open_for_writing(chosen.db, memory_limit=chosen.memory_limit)
    except StoreUnusable as error:
        if "has it open for writing" not in error.message:
            raise
        raise StoreUnusable(
            error.message,
            hint="a collector fills its gaps itself (`orderflow up --backfill`); for a window, stop it first",
        ) from error


# ── What became of it ─────────────────────────────────────────────────────────────────────────


def _say(reports: "list[Report]", finished: bool, as_json: bool) -> None:
    pieces = [one for report in reports for one in report.pieces]
    unfillable = {name: why for report in reports for name, why in report.unfillable.items()}
    found = {
        "finished": finished,
        "written": sum(report.written for report in reports),
        "pieces": [
            {
                "venue": one.venue,
                "symbol": one.symbol,
                "stream": one.stream,
                "from": utc(one.from_ts),
                "until": utc(one.until_ts),
                "source": one.source,
                "state": one.state,
                "rows": one.seen,
                "written": one.written,
                "said": one.said,
            }
            for one in pieces
        ],
        "gaps_filled": sum(len(report.filled) for report in reports),
        "gaps_left": sum(len(report.left) for report in reports),
        "gaps_open": reports[-1].open if reports else 0,
        "unfillable": unfillable,
    }
    lines = _table(reports)
    if not finished:
        lines.append("stopped; the same command goes on where this one ended")
    tell(as_json, found, "\n".join(lines))


def _table(reports: "list[Report]") -> list[str]:
    """Return a line a series, then what failed and what cannot be brought in."""
    series: dict[tuple[str, str, str], list[Any]] = {}
    for report in reports:
        for one in report.pieces:
            series.setdefault(one.series, []).append(one)
    lines = [f"{'series':<44} {'pieces':>7} {'rows':>12} {'new':>12}  sources"] if series else []
    for (venue, symbol, stream), mine in sorted(series.items()):
        sources = ", ".join(dict.fromkeys(one.source for one in mine))
        seen, written = sum(one.seen for one in mine), sum(one.written for one in mine)
        lines.append(
            f"{f'{venue} {symbol} {stream}':<44} {len(mine):>7} {seen:>12,} {written:>12,}  {sources}"
        )
    failed = [one for report in reports for one in report.failed]
    lines += [
        f"not filled: {one.venue} {one.symbol} {one.stream} {utc(one.from_ts)} to {utc(one.until_ts)}: {one.said}"
        for one in failed[:_MOST_LINES]
    ]
    if len(failed) > _MOST_LINES:
        lines.append(f"… and {len(failed) - _MOST_LINES} more")
    filled, left = (sum(len(getattr(one, name)) for one in reports) for name in ("filled", "left"))
    lines.append(f"gaps: {filled} filled, {left} left")
    if reports and reports[-1].open:
        lines.append(f"{reports[-1].open} gaps are still open: they can be filled once collecting goes on")
    without = dict.fromkeys(why for report in reports for why in report.unfillable.values())
    lines += [f"cannot be filled: {why}" for why in without]
    return lines

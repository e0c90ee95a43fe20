"""Doctor: are the venues reachable, is the database healthy, how far behind is it, what is missing."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from orderflow.feed.journal import unfinished
from orderflow.feed.rest import Rest
from orderflow.jobs import upkeep
from orderflow.jobs.health import clock_problem
from orderflow.jobs.upkeep import Finding
from orderflow.market.errors import OrderflowError
from orderflow.market.events import HOUR, MS, Control
from orderflow.market.streams import STREAMS
from orderflow.store import access, lake
from orderflow.store.desk import Following, PostgresDesk, StoredDesk
from orderflow.venues.spec import Hosts, Venue, answer

REACH_S = 10.0
ENDS_SOON_DAYS = 45
_NEWER = "look for a newer version of crypto-orderflow"


async def examine(
    db: Path | str,
    venues: dict[str, Venue],
    hosts: dict[str, Hosts],
    *,
    keys: Mapping[str, str] | None = None,
    offline: bool = False,
    clock_bound_ms: float = 1000.0,
    postgres: Following | None = None,
    thorough: bool = False,
) -> list[Finding]:
    """Look at the venues, the database and a desk's PostgreSQL; never raises for what is wrong with them.

    `thorough` reads every row of a database file, and finds what is there twice.
    """
    held = keys or {}
    reached = (
        []
        if offline
        else await asyncio.gather(
            *(
                reachable(
                    venue,
                    hosts.get(name) or venue.hosts,
                    venue.key and held.get(venue.key.setting),
                    clock_bound_ms,
                )
                for name, venue in venues.items()
            )
        )
    )
    stored = (
        await asyncio.to_thread(_lake, db)
        if lake.is_lake(db)
        else await asyncio.to_thread(_database, Path(db), thorough)
    )
    if postgres is not None:
        stored.append(await asyncio.to_thread(_desk, db, postgres))
    today = datetime.now(UTC).date()
    return [*reached, *stored, *endings(venues, today), *_known_limits(venues)]


async def reachable(
    venue: Venue, hosts: Hosts, key: str | None = None, clock_bound_ms: float = 1000.0
) -> Finding:
    """Ask a venue for its time, or else for its listing; not where it needs a key that is not set."""
    about = f"venue {venue.name}"
    if venue.key is not None and venue.lacks_key(key):
        return Finding(about, "note", venue.key.required)
    venue = venue.with_key(key)
    names = [one.name for one in venue.endpoints]
    endpoint = "time" if "time" in names else venue.listing
    if endpoint is None:
        return Finding(about, "note", "its form names nothing that can be asked")
    rest = Rest(venue, hosts)
    began, sent = time.perf_counter(), time.time_ns()
    try:
        async with asyncio.timeout(REACH_S):
            frame = await rest.request(endpoint)
    except TimeoutError:
        return Finding(
            about, "problem", f"{hosts.rest} did not answer in {REACH_S:.0f} s", "is the network up?"
        )
    except OrderflowError as error:
        return Finding(about, "problem", error.message, error.hint)
    finally:
        await rest.close()
    took_ms = (time.perf_counter() - began) * 1000
    clocks = [
        one.ts_event
        for one in answer(venue, frame.url, frame.payload, frame.ts_recv)
        if isinstance(one, Control)
    ]
    said = f"{hosts.rest} answered in {took_ms:.0f} ms"
    if not clocks or clocks[0] is None:
        return Finding(about, "ok", said)
    # the venue read its clock somewhere between the two readings of ours
    offset_ms = (clocks[0] - (sent + frame.ts_recv) / 2) / MS
    if (off := clock_problem(offset_ms, clock_bound_ms)) is not None:
        hint = "is this machine's clock synchronised (`timedatectl`, chrony)?"
        return Finding(about, "problem", f"{said}, but {off}", hint)
    return Finding(about, "ok", f"{said}, its clock {offset_ms:+.0f} ms from ours")


def _lake(address: Path | str) -> list[Finding]:
    """Look at a lake: does it answer, how far behind is it, what is missing."""
    try:
        with access.open_reader(address) as reader:
            counts, kind = reader.counts(), reader.kind
            lag = max((max(reader.last_times(name).values(), default=0) for name in STREAMS), default=0)
            gaps = reader.gaps(since=time.time_ns() - 24 * HOUR)
    except OrderflowError as error:
        return [Finding("lake", "problem", error.message, error.hint)]
    total = sum(counts[name] for name in STREAMS if name in counts)
    where = lake.parse(str(address))
    found = [Finding("lake", "ok", f"{where}: {total:,} rows, {kind or 'nothing collected yet'}")]
    if lag:
        found.append(Finding("lag", "note", f"the newest row is {(time.time_ns() - lag) / 1e9:,.1f} s old"))
    return [*found, _gaps(gaps)]


def _database(db: Path, thorough: bool) -> list[Finding]:
    about = f"database {db.name}"
    found: list[Finding] = []
    left = unfinished(Path(f"{db}.journal"))
    running = access.service(db) if db.exists() else None
    if left and running is None:
        said = f"{len(left)} journal segments wait from a run that was stopped; the next start reads them"
        found.append(Finding("journal", "note", said))
    if not db.exists():
        return [
            *found,
            Finding(about, "note", f"{db} does not exist yet", "`orderflow init` or `orderflow up` makes it"),
        ]
    kept: list[Finding] = []
    try:
        with access.open_reader(db) as reader:
            kept = upkeep.kept(reader, db, thorough=thorough, running=running is not None)
            counts, kind = reader.counts(), reader.kind
            lag = max((max(reader.last_times(name).values(), default=0) for name in STREAMS), default=0)
            gaps = reader.gaps(since=time.time_ns() - 24 * HOUR)
    except OrderflowError as error:
        return [*found, Finding(about, "problem", error.message, error.hint), *kept]
    total = sum(counts[name] for name in STREAMS if name in counts)
    size_mb = db.stat().st_size / 1e6
    found.append(Finding(about, "ok", f"{total:,} rows, {size_mb:.1f} MB, {kind or 'nothing collected yet'}"))
    if running is not None:
        found.append(
            Finding("collector", "ok", f"process {running.pid} collects; readers attach at {running.uri}")
        )
    else:
        found.append(
            Finding("collector", "note", "none is running on this database", "`orderflow up` starts one")
        )
    if lag:
        behind = (time.time_ns() - lag) / 1e9
        state = "problem" if running is not None and behind > 60 else "ok" if running is not None else "note"
        found.append(Finding("lag", state, f"the newest row is {behind:,.1f} s old"))
    return [*found, _gaps(gaps), *kept]


def _desk(db: Path | str, wanted: Following) -> Finding:
    """Count the rows of every market in PostgreSQL and in the store."""
    about = f"postgres {wanted.schema}"
    desk = PostgresDesk(wanted.url, wanted.schema)
    try:
        there = desk.holdings()
        ours = StoredDesk(lambda: access.open_reader(db)).holdings(wanted.streams)
    except OrderflowError as error:
        return Finding(about, "problem", error.message, error.hint)
    finally:
        desk.close()
    missing = sum(max(0, count - there.get(market, 0)) for market, count in ours.items())
    said = f"{sum(there.values()):,} rows of {len({market[1:] for market in there})} markets"
    if missing:
        return Finding(about, "note", f"{said}; {missing:,} are not there yet", "`orderflow up` copies them")
    return Finding(about, "ok", f"{said}: all that is stored")


def _gaps(gaps: Sequence[Any]) -> Finding:
    if not gaps:
        return Finding("gaps", "ok", "none in the last 24 hours")
    still, filled = sum(gap.until_ts is None for gap in gaps), sum(gap.filled_ts is not None for gap in gaps)
    latest = max(gaps, key=lambda gap: gap.from_ts)
    said = f"{len(gaps)} in the last 24 hours, {still} still open, {filled} filled; the latest: {latest.venue} {latest.symbol} {latest.stream}"
    return Finding("gaps", "note", f"{said}: {latest.reason}")


def endings(venues: dict[str, Venue], today: date) -> list[Finding]:
    """Tell which venues switch off the protocol that we speak: soon is worth knowing, past is a problem."""
    found: list[Finding] = []
    for venue in venues.values():
        if venue.ends is None:
            continue
        end, what = venue.ends
        left = (end - today).days
        if left <= 0:
            found.append(Finding(f"venue {venue.name}", "problem", f"switched off on {end}: {what}", _NEWER))
        elif left <= ENDS_SOON_DAYS:
            said = f"is switched off on {end}, in {left} days: {what}"
            found.append(Finding(f"venue {venue.name}", "note", said, _NEWER))
    return found


def _known_limits(venues: dict[str, Venue]) -> list[Finding]:
    return [
        Finding(f"venue {venue.name}", "note", f"{stream}: {said}")
        for venue in venues.values()
        for stream, said in (*venue.notes.items(), *_never(venue))
    ]


def _never(venue: Venue) -> list[tuple[str, str]]:
    return [(stream, f"stays empty: {why}") for stream, why in venue.cannot.items()]

"""Doctor: are the venues reachable, is the database healthy, how far behind is it, what is missing."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from orderflow.feed.journal import unfinished
from orderflow.feed.rest import Rest
from orderflow.jobs import tidy
from orderflow.jobs.health import clock_problem
from orderflow.market.errors import OrderflowError, StoreUnusable
from orderflow.market.events import HOUR, MS, Control
from orderflow.market.streams import STREAMS
from orderflow.store import access, layout, mending, opening
from orderflow.store.reader import Reader
from orderflow.venues.spec import Hosts, Venue, answer

REACH_S = 10.0
ENDS_SOON_DAYS = 45
TIDIED_WITHIN_HOURS = 1.0  # beside a collector, which does it four times an hour
_MEND = "`orderflow doctor --repair` mends what can be mended, once nobody has the database open"
_TIDY = "`orderflow tidy` does it now"
_NEWER = "look for a newer version of crypto-orderflow"


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at: fine, worth knowing, or wrong; and what to do about it."""

    about: str
    state: str  # ok, note or problem
    said: str
    hint: str = ""


async def examine(
    db: Path,
    venues: dict[str, Venue],
    hosts: dict[str, Hosts],
    *,
    keys: Mapping[str, str] | None = None,
    offline: bool = False,
    clock_bound_ms: float = 1000.0,
    thorough: bool = False,
) -> list[Finding]:
    """Look at the venues and the database; never raises for what is wrong with them.

    `thorough` reads every row, and finds what is there twice.
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
    stored = await asyncio.to_thread(_database, db, thorough)
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


def repair(db: Path, *, memory_limit: str = "1GB") -> list[Finding]:
    """Mend what can be mended of a database that nobody has open; return what was done.

    Raises `StoreUnusable` where somebody has it open, or it cannot be opened at all.
    """
    done: list[str] = []
    if access.service_file(db).exists() and access.service(db) is None:
        access.service_file(db).unlink(missing_ok=True)
        done.append("the service file of a process that is gone was removed")
    if not db.is_file():
        raise StoreUnusable(f"{db}: no such database", hint="`orderflow restore` brings a backup back")
    connection = opening.open_for_writing(db, memory_limit=memory_limit, mending=True)
    try:
        done += mending.mend(connection)
    finally:
        connection.close()
    return [Finding("repaired", "note", said) for said in done]


def _kept(reader: Reader, db: Path, thorough: bool, running: bool) -> list[Finding]:
    """Tell what is wrong with the rows and files, and when the database was tidied last."""
    where = layout.Layout(root=layout.archive_root(db))
    found = [
        Finding("store", "problem" if one.wrong else "note", one.said, _MEND if one.wrong else "")
        for one in reader.faults(where, thorough=thorough, running=running)
    ]
    if thorough and not found:
        found.append(Finding("store", "ok", "every row was read: none is there twice, no file is damaged"))
    done = tidy.last(reader.about())
    if done is None:
        found.append(Finding("tidying", "note", "not yet: a collector begins after two minutes", _TIDY))
        return found
    hours = (time.time_ns() - done.at) / HOUR
    if done.problem:
        found.append(Finding("tidying", "problem", f"{done.problem} ({hours:,.1f} hours ago)", _TIDY))
    else:
        late = running and hours > TIDIED_WITHIN_HOURS
        found.append(Finding("tidying", "note" if late else "ok", f"the last was {hours:,.1f} hours ago"))
    return found


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
            kept = _kept(reader, db, thorough, running is not None)
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

"""Sharing: a collector's part in a lake that several write; what of the plan is its own, and where it goes on."""

import asyncio
import calendar
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orderflow.feed.frames import Frame, Note, note
from orderflow.feed.sync import with_open_gaps
from orderflow.jobs.plan import Plan
from orderflow.market.errors import ShareLost
from orderflow.market.events import HOUR, SECOND, Gap, Instrument, Nanos
from orderflow.store import lake, opening, standing
from orderflow.store.tables import Connection
from orderflow.venues.spec import Venue

if TYPE_CHECKING:  # a database client that few collectors need
    from orderflow.store.shares import Division, Lease, Shares

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0  # for a share that another holds
# A trade that was made when the last one was heard may have been on its way: its time is before.
ON_ITS_WAY: Nanos = 10 * SECOND

_OPENED = re.compile(r"\d{8}_(\d{8}T\d{6})")


def divided(plan: Plan, shares: int, by: str) -> "Division":
    """Return how a plan is divided into shares, `by` symbols or venues."""
    from orderflow.store.shares import Division

    return Division(shares, by, plan.symbols if by == "symbols" else tuple(sorted(plan.venues)))


def own_part(plan: Plan, lease: "Lease") -> Plan:
    """Return what of a plan the holder of a share collects, and where it keeps its journal meanwhile."""
    names, division = lease.names, lease.division
    name = f"share-{lease.share}-of-{division.shares}"
    part = msgspec.structs.replace(plan, lease=lease, db=plan.db.with_name(f"{plan.db.name}.{name}"))
    if division.by == "symbols":
        return msgspec.structs.replace(part, symbols=names)
    return msgspec.structs.replace(
        part,
        venues={one: form for one, form in plan.venues.items() if one in names},
        forms={one: form for one, form in plan.forms.items() if one in names},
    )


async def held(shares: "Shares", share: int, stop: asyncio.Event, *, wait: bool = True) -> "Lease | None":
    """Take a share, as soon as it is free; None where `stop` came first, or it is taken and we do not wait."""
    told = False
    while not stop.is_set():
        if (lease := await asyncio.to_thread(shares.take, share)) is not None or not wait:
            return lease
        if not told:
            holder = next(
                one.holder for one in await asyncio.to_thread(shares.standing) if one.share == share
            )
            log.warning("share %d of %d is held by %s: waiting", share, shares.division.shares, holder)
            told = True
        try:
            await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
        except TimeoutError:
            continue
    return None


def lost(lease: "Lease") -> ShareLost:
    return ShareLost(
        f"share {lease.share} of the lake was taken by another collector",
        hint="it was not heard of for too long; what it had not written stays in its journal",
    )


def opened(plan: Plan) -> Connection:
    """Open the plan's store to write: a file, or a lake that judges every commit by the share that is held."""
    if plan.lake is None:
        return opening.open_for_writing(plan.db, memory_limit=plan.memory_limit)
    claim = "" if plan.lease is None else plan.lease.claim
    return lake.open_for_writing(plan.lake, claim=claim, memory_limit=plan.memory_limit)


def read_from(plan: Plan, left: Sequence[Path], now: Nanos) -> Nanos | None:
    """Return since when the lake's rows must be known: those of the journal that is left, and of the last hour.

    None where all must be: without a share nothing bounds the ids of others.
    """
    if plan.lease is None:
        return None
    return min([now, *filter(None, map(_opened, left))]) - HOUR


def _opened(path: Path) -> Nanos | None:
    found = _OPENED.match(path.name)
    if found is None:
        return None
    return calendar.timegm(time.strptime(found[1], "%Y%m%dT%H%M%S")) * SECOND


def lists(plan: Plan, one: Instrument) -> bool:
    """Tell whether an instrument's row is this collector's: each is that of one share, collected or not."""
    if plan.lease is None:
        return True
    division = plan.lease.division
    return division.share_of(one.symbol if division.by == "symbols" else one.venue) == plan.lease.share


def foreign(plan: Plan, about: Mapping[str, Any]) -> list[str]:
    """Return which series' names a journal holds that this collector may not write."""
    if plan.lease is None:
        return []
    symbols = set(about.get("symbols") or ()) - set(plan.symbols)
    return sorted(symbols | (set(about.get("venues") or ()) - set(plan.known)))


def going_on(connection: Connection, plan: Plan, now: Nanos) -> Iterator[Frame]:
    """Yield notes of what nobody collected until now: from where the lake ends, for each series.

    Gaps that were open when the last holder ended go on: they close when something comes.
    """
    pairs = [(venue, symbol) for venue in plan.venues for symbol in plan.symbols]
    found = standing.standing(connection, pairs, now)
    for name, venue in plan.venues.items():
        mine: dict[str, list[Gap]] = {}
        for gap in found.open:
            if gap.venue == name:
                mine.setdefault(gap.symbol, []).append(gap)
        yield from with_open_gaps(name, mine, now)
        for since, series in sorted(_absent(venue, plan, found).items()):
            yield absence(name, series, since, now)


def _absent(venue: Venue, plan: Plan, found: standing.Standing) -> dict[Nanos, list[tuple[str, str]]]:
    """Return what is missing of a venue, by when it began."""
    absent: dict[Nanos, list[tuple[str, str]]] = {}
    for stream, symbol in collected(venue, plan):
        since = found.heard.get((venue.name, symbol))
        if since is None:
            continue
        if stream == "trades":
            since = max(found.traded.get((venue.name, symbol), 0), since - ON_ITS_WAY)
        absent.setdefault(since, []).append((stream, symbol))
    return absent


def collected(venue: Venue, plan: Plan) -> list[tuple[str, str]]:
    """Return the (stream, symbol) pairs that a plan collects of a venue."""
    streams = [one for channel in venue.channels_for(plan.streams) for one in channel.streams]
    streams += [one for poll in venue.polls for one in poll.streams]
    return [
        (stream, symbol)
        for symbol in plan.symbols
        for stream in dict.fromkeys(streams)
        if plan.streams is None or stream in plan.streams
    ]


def absence(venue: str, series: list[tuple[str, str]], since: Nanos, now: Nanos) -> Frame:
    """Note that nothing was received while no collector ran."""
    said = Note("disconnected", series=series, reason="no collector was running", since=since)
    return note(venue, now, said)

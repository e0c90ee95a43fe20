"""Health: whether data flow, in one plain dict that every door shows."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orderflow.feed.health import VenueHealth
from orderflow.jobs.plan import Plan, lag_p99_ms
from orderflow.market.events import HOUR, MS, Event, Nanos
from orderflow.store import tables
from orderflow.store.reader import Reader
from orderflow.venues.spec import Venue

if TYPE_CHECKING:  # who asks for a reader's health need not load what collects
    from orderflow.jobs.collect import Collector

STALE_MS = 60_000  # nothing at all from a venue for so long: degraded
LONG_FLUSH_S = 60.0  # so long a flush: degraded; it takes milliseconds
_MEMORY = Path("/proc/self/statm")


def of_collector(collector: "Collector", now: Nanos | None = None) -> dict[str, Any]:
    """Return the health of a running collector. What is not known is None."""
    now = time.time_ns() if now is None else now
    feeds = {feed.venue.name: feed.health for feed in collector.feeds}
    venues = {name: _venue(collector, name, feeds.get(name), now) for name in collector.plan.venues}
    fine = ("healthy", "disabled")
    reasons = [f"{name}: {state['reason']}" for name, state in venues.items() if state["status"] not in fine]
    reasons += _own_problems(collector)
    publisher = collector.publisher
    if publisher is not None and publisher.problem:
        reasons.append(publisher.problem)
    follower = collector.follower
    if follower is not None and follower.problem:
        reasons.append(follower.problem)
    working = sum(state["status"] != "unhealthy" for state in venues.values())
    status = "healthy" if not reasons else "degraded" if working else "unhealthy"
    return {
        "status": status,
        "reasons": reasons,
        "kind": collector.plan.kind,
        "venues": venues,
        "not_collected": [name for name in collector.plan.known if name not in venues],
        "store": _store(collector),
        "memory": _memory(collector),
        **({} if publisher is None else {"publishing": publisher.health()}),
        **({} if follower is None else {"postgres": follower.health()}),
        "uptime_s": round((now - collector.started) / 1e9, 1),
        "frames": collector.pipeline.tally.frames,
        "unreadable_frames": collector.pipeline.tally.unknown.total(),
        "backlog": {
            "frames": collector.backlog.frames,
            "bytes": collector.backlog.bytes,
            "spilled_frames": collector.backlog.spilled,
        },
        "loop_lag_p99_ms": lag_p99_ms(collector.lags_ms),
    }


def _own_problems(collector: "Collector") -> list[str]:
    """Return what is wrong with this process, whatever the venues do."""
    found: list[str] = [f"store: {collector.flushes.trouble}"] if collector.flushes.trouble else []
    since, bound, resident = collector.flushes.since, collector.plan.memory_warning, _resident()
    if since is not None and (lasts_s := time.monotonic() - since) > LONG_FLUSH_S:
        found.append(f"store: a flush has lasted {lasts_s:.0f} s")
    if (tidied := collector.tidying.last) is not None and tidied.problem:
        found.append(f"tidying: {tidied.problem}")
    if bound is not None and resident is not None and resident > bound:
        found.append(f"memory: {resident / 1e6:,.0f} MB, above {bound / 1e6:,.0f} MB")
    return found


def _memory(collector: "Collector") -> dict[str, Any]:
    return {
        "resident_bytes": _resident(),
        "database_bytes": tables.memory_bytes(collector.connection),
        "inbox_bytes": collector.inbox.pending_bytes,
        "backlog_bytes": collector.backlog.bytes_in_memory,
        "waiting_rows": collector.waiting_rows,
    }


def _resident() -> int | None:
    """Return the bytes of this process that are in memory; None where the system does not tell."""
    try:
        return int(_MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _store(collector: "Collector") -> dict[str, Any]:
    flushes = collector.flushes
    seconds = sorted(flushes.seconds)
    return {
        **_where(collector.plan),
        "rows_written": flushes.rows.total(),
        "rows_recovered": collector.recovered.total(),
        "rows_per_s": flushes.rows_per_s,
        "flush_median_ms": round(seconds[len(seconds) // 2] * 1000, 1) if seconds else None,
        "flush_p99_ms": round(seconds[int(len(seconds) * 0.99)] * 1000, 1) if seconds else None,
        "flush_interval_s": collector.plan.flush_interval_s,
        "tables": dict(flushes.rows),
        "served_at": collector.service.uri,
        "tidied": None if collector.tidying.last is None else msgspec.to_builtins(collector.tidying.last),
    }


def _where(plan: Plan) -> dict[str, Any]:
    """Return which store it is, and which share of it."""
    if plan.lake is None:
        return {"path": plan.db.name, "bytes": plan.db.stat().st_size}
    return {"lake": str(plan.lake), **share_of(plan)}


def share_of(plan: Plan) -> dict[str, Any]:
    """Return the share of a lake that a collector holds; nothing where it has none."""
    if (lease := plan.lease) is None:
        return {}
    told = {"number": lease.share, "of": lease.division.shares, "epoch": lease.epoch}
    return {"share": {**told, lease.division.by: list(lease.names)}}


def _venue(collector: "Collector", name: str, health: VenueHealth | None, now: Nanos) -> dict[str, Any]:
    gaps = collector.live.gaps(venue=name, since=now - HOUR, until=now)
    age_ms, lag_ms = _age_and_lag(collector, name, now)
    connections = [] if health is None else health.connections
    answers = health is not None and _answers(health, collector.plan.venues[name])
    up = [one.state in ("connected", "replacing") for one in connections]
    connected = answers or (bool(up) and all(up))
    problems = _problems(health, connected, age_ms, collector.plan)
    silent = [channel for one in connections for channel in one.silent]
    failed = [channel for one in connections for channel in one.failed]
    lost = not answers and not any(up)
    status = "healthy" if not problems else "unhealthy" if lost else "degraded"
    if health is not None and health.state == "disabled":  # for want of a key, which is no failure
        status, problems = "disabled", [health.error]
    return {
        "status": status,
        "reason": "; ".join(problems),
        "connected": connected,
        "age_ms": age_ms,
        "lag_ms": lag_ms,
        "reconnects": sum(one.reconnects for one in connections),
        "restarts": 0 if health is None else health.restarts,
        "gaps_last_hour": len(gaps),
        "open_gaps": sum(gap.until_ts is None for gap in gaps),
        "unreadable_frames": collector.pipeline.unknown_by_venue[name],
        "silent": silent,
        "failed": failed,
        "not_listed": [] if health is None else health.refused,
        "clock_offset_ms": None if health is None else health.clock_offset_ms,
        "rest": None if health is None else {"used": health.rest.used, "last_error": health.rest.last_error},
        "notes": collector.plan.venues[name].notes,
        "cannot": collector.plan.venues[name].cannot,
    }


def _answers(health: VenueHealth, venue: Venue) -> bool:
    """Tell whether a venue that has no sockets answers over REST, which is all that it can do."""
    return not venue.channels and health.rest.last_status == 200


def _problems(health: VenueHealth | None, connected: bool, age_ms: float | None, plan: Plan) -> list[str]:
    if health is None:
        return ["not started"]
    found = [f"feed {health.state}: {health.error}"] if health.state in ("failed", "disabled") else []
    for one in health.connections:
        if one.state not in ("connected", "replacing"):
            found.append(f"{one.route} {one.state}" + (f" ({one.reason})" if one.reason else ""))
        if one.silent:
            found.append(
                f"{one.route} silent: {', '.join(one.silent[:3])}" + ("…" if len(one.silent) > 3 else "")
            )
        if one.failed:
            found.append(f"{one.route} refused: {', '.join(one.failed[:3])}")
    if health.rest.banned_until is not None and health.rest.banned_until > time.time_ns():
        found.append("REST banned")
    if connected and health.connections and age_ms is not None and age_ms > STALE_MS:
        found.append(f"nothing for {age_ms / 1000:.0f} s")
    if (off := clock_problem(health.clock_offset_ms, plan.clock_bound_ms)) is not None:
        found.append(off)
    if not health.connections and health.listing == "read" and set(health.refused) >= set(plan.symbols):
        return [*found, "lists none of the symbols"]
    return found or ([] if connected else ["not connected"])


def clock_problem(offset_ms: float | None, bound_ms: float) -> str | None:
    """Say that a venue's clock is too far from ours, if it is."""
    if offset_ms is None or abs(offset_ms) <= bound_ms:
        return None
    return f"its clock is {offset_ms:+,.0f} ms from ours, more than {bound_ms:,.0f}"


def _age_and_lag(collector: "Collector", venue: str, now: Nanos) -> tuple[float | None, float | None]:
    """Return how old the venue's newest quote is, and how long it took from the venue's clock to ours.

    Where a venue has no quotes, its newest frame counts.
    """
    newest: Event | None = None
    timed: Event | None = None
    for event in (*collector.live.quotes(), *collector.live.tops()):
        if event.venue != venue:
            continue
        if newest is None or event.ts_recv > newest.ts_recv:
            newest = event
        if event.ts_event is not None and (timed is None or event.ts_recv > timed.ts_recv):
            timed = event
    heard = collector.pipeline.heard(venue) if newest is None else newest.ts_recv
    age = None if heard is None else round((now - heard) / MS, 1)
    lag = None if timed is None or timed.ts_event is None else round((timed.ts_recv - timed.ts_event) / MS, 1)
    return age, lag


def of_reader(reader: Reader, now: Nanos | None = None) -> dict[str, Any]:
    """Return the health of a database that no collector of ours writes to now."""
    now = time.time_ns() if now is None else now
    quotes = reader.quotes()
    newest: dict[str, Nanos] = {}
    for quote in quotes:
        newest[quote.venue] = max(newest.get(quote.venue, 0), quote.ts_recv)
    reason = "no collector is running: answers come from what is stored"
    return {
        "status": "degraded" if newest else "unhealthy",
        "reasons": [reason] if newest else [reason, "and nothing is stored"],
        "kind": reader.kind,
        "venues": {
            venue: {
                "status": "degraded",
                "reason": "not collecting",
                "connected": False,
                "age_ms": round((now - ts) / MS, 1),
            }
            for venue, ts in sorted(newest.items())
        },
        "store": {"tables": {name: rows for name, rows in reader.counts().items() if rows}},
    }

"""Health of the process and of clocks, and what the doctor says of venues that end."""

import asyncio
import time
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orderflow import venues
from orderflow.jobs import doctor, health
from orderflow.jobs.collect import Collector
from orderflow.jobs.plan import Plan
from orderflow.market.events import MS, Control
from orderflow.sim import Simulation
from orderflow.venues.spec import Hosts, Venue

SPOT = "binance_spot"


@pytest.mark.parametrize(
    ("offset", "bound", "expected"),
    [
        (None, 500, None),
        (499.9, 500, None),
        (-500, 500, None),
        (1234.4, 500, "its clock is +1,234 ms from ours, more than 500"),
        (-60_000, 1000, "its clock is -60,000 ms from ours, more than 1,000"),
    ],
)
def test_a_clock_beyond_its_bound_is_a_problem(
    offset: float | None, bound: float, expected: str | None
) -> None:
    assert health.clock_problem(offset, bound) == expected


def late(venue: Venue, by_ms: int) -> Venue:
    """Return a form whose venue's clock is late by so much."""

    def shifted(one: Any) -> Any:
        def decode(*arguments: Any) -> list[Any]:
            return [
                msgspec.structs.replace(event, ts_event=event.ts_event - by_ms * MS)
                if isinstance(event, Control) and event.ts_event
                else event
                for event in one.decode(*arguments)
            ]

        return msgspec.structs.replace(one, decode=decode) if one.name == "time" else one

    return msgspec.structs.replace(venue, endpoints=tuple(shifted(one) for one in venue.endpoints))


def test_a_venues_clock_is_measured_and_degrades_the_health_beyond_the_bound(tmp_path: Path) -> None:
    async def story() -> None:
        form = late(venues.ALL[SPOT], 5_000)
        simulation = Simulation(("BTCUSDT",), venues=[SPOT], rate=20)
        await simulation.start()
        hosts = {SPOT: Hosts(**simulation.hosts(SPOT))}
        plan = Plan(
            db=tmp_path / "m.duckdb", venues={SPOT: form}, symbols=("BTCUSDT",), kind="simulated", hosts=hosts
        )
        stop = asyncio.Event()
        collector = await asyncio.to_thread(Collector, plan)
        running = asyncio.ensure_future(collector.run(stop))
        try:
            async with asyncio.timeout(30):
                while (said := health.of_collector(collector)["venues"][SPOT])[
                    "clock_offset_ms"
                ] is None or not said["connected"]:
                    await asyncio.sleep(0.05)
            assert said["status"] == "degraded" and "ms from ours, more than 1,000" in said["reason"]
            assert -6_000 < said["clock_offset_ms"] < -4_000
            assert said["restarts"] == 0
            memory = health.of_collector(collector)["memory"]
            assert memory["resident_bytes"] is None or memory["resident_bytes"] > 30_000_000
            assert {"inbox_bytes", "backlog_bytes", "waiting_rows"} < memory.keys()
            reached = await doctor.examine(tmp_path / "none", {SPOT: form}, hosts)
            assert reached[0].state == "problem" and "synchronised" in reached[0].hint
            reached = await doctor.examine(tmp_path / "none", {SPOT: form}, hosts, clock_bound_ms=10_000)
            assert reached[0].state == "ok" and "its clock -" in reached[0].said
        finally:
            stop.set()
            await running
            await simulation.stop()

    asyncio.run(story())


def test_too_much_memory_and_a_flush_that_does_not_end_are_told(tmp_path: Path) -> None:
    plan = Plan(db=tmp_path / "m.duckdb", venues={}, kind="simulated", memory_warning=1)

    async def story() -> None:
        collector = await asyncio.to_thread(Collector, plan)
        stop = asyncio.Event()
        running = asyncio.ensure_future(collector.run(stop))
        await asyncio.sleep(0)
        said = health.of_collector(collector)
        if said["memory"]["resident_bytes"] is not None:
            assert any(reason.startswith("memory: ") for reason in said["reasons"])
        collector.flushes.since = time.monotonic() - 61
        reasons = health.of_collector(collector)["reasons"]
        assert [one for one in reasons if one.startswith("store: a flush has lasted 6")]
        stop.set()
        await running

    asyncio.run(story())


# ── What ends ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("today", "state"),
    [
        (date(2027, 1, 14), None),
        (date(2027, 1, 15), "note"),
        (date(2027, 2, 28), "note"),
        (date(2027, 3, 1), "problem"),
        (date(2028, 1, 1), "problem"),
    ],
)
def test_the_doctor_warns_of_a_protocol_that_is_switched_off(today: date, state: str | None) -> None:
    form = msgspec.structs.replace(venues.ALL[SPOT], ends=(date(2027, 3, 1), "the next one takes over"))
    found = doctor.endings({SPOT: form}, today)
    assert [one.state for one in found] == ([] if state is None else [state])
    assert all("2027-03-01" in one.said and "the next one takes over" in one.said for one in found)


def test_krakens_old_socket_has_its_date() -> None:
    end = venues.ALL["kraken_futures"].ends
    assert end is not None and end[0] == date(2027, 3, 1)

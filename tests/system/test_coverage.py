"""What is decoded of each venue's streams: from real frames, golden ones, the simulator and REST, as a table.

The table is docs/coverage.md; `COVERAGE=rewrite` writes it anew.
"""

import asyncio
import json
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from orderflow import venues
from orderflow.feed.feed import Feed
from orderflow.feed.frames import Frame
from orderflow.feed.live import Feeds, Inbox
from orderflow.feed.recordings import expand, recording
from orderflow.market.errors import RecordingUnreadable, VenueChanged
from orderflow.market.events import BookUpdate, Event, Instrument
from orderflow.market.streams import KEPT
from orderflow.sim import SYMBOLS, Simulation
from orderflow.venues.spec import Hosts, Memory, answer, contract

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT.parent / "shared" / "captures"
GOLDEN = ROOT / "tests" / "golden"
TABLE = ROOT / "docs" / "coverage.md"
PATIENCE_S = 150

Cells = set[tuple[str, str]]  # (venue, stream)

# What a venue's streams lack, and why. Everything else must be there.
NOT_RECORDED = "no recording has one"
NO_REST = "only its sockets tell it"
NO_SOCKET = "only REST tells it"


def spoken(events: Iterable[Event]) -> Cells:
    found: Cells = set()
    for event in events:
        kind = type(event)
        if kind is BookUpdate:
            found.add((event.venue, "orderbooks"))
        elif kind in KEPT:
            found.add((event.venue, KEPT[kind].name))
    return found


def read(frame: Frame, memory: Memory) -> list[Event]:
    venue = venues.ALL[frame.venue]
    try:
        said = (
            venue.decode(frame.payload, frame.ts_recv, memory)
            if frame.kind == "ws"
            else answer(venue, frame.url, frame.payload, frame.ts_recv, memory)
        )
    except (msgspec.MsgspecError, ValueError, VenueChanged):
        return []
    for event in said:
        if isinstance(event, Instrument):
            memory.learn(event)
    return list(said)


def real() -> Cells:
    found: Cells = set()
    for name in venues.ALL:
        if not (CAPTURES / name).is_dir():
            continue
        memory = Memory()
        for path in expand([CAPTURES / name]):
            try:
                for batch in recording(path):
                    for frame in batch:
                        if frame.kind != "note":
                            found |= spoken(read(frame, memory))
            except RecordingUnreadable:
                continue
    return found


def golden() -> tuple[Cells, Cells]:
    """Return what the golden frames show, and what those of REST show."""
    every: Cells = set()
    rest: Cells = set()
    for path in sorted(GOLDEN.glob("*/*.json")):
        case = json.loads(path.read_text())
        memory = Memory({native: contract(*one) for native, one in case.get("contracts", {}).items()})
        for said in case.get("before", []):
            read(Frame(path.parent.name, 1, _wire(said)), memory)
        cells = spoken(
            read(Frame(path.parent.name, 1, _wire(case["frame"]), case["kind"], case["url"]), memory)
        )
        every |= cells
        if case["kind"] == "http":
            rest |= cells
    return every, rest


def _wire(said: object) -> bytes:
    return (said if isinstance(said, str) else json.dumps(said, separators=(",", ":"))).encode()


def offered() -> Cells:
    """Return every stream that a venue's market has and that no other stream is the source of."""
    return {
        (name, stream)
        for name, venue in venues.ALL.items()
        for stream in venue.market.streams
        if stream != "large_trades" and stream not in venue.cannot
    }


def simulated(wanted: Cells) -> Cells:
    """Run all simulated venues at once until every wanted stream was heard, or patience ends."""

    async def play() -> Cells:
        simulation = Simulation(SYMBOLS, rate=6)
        await simulation.start()
        inbox, feeds, found = Inbox(), Feeds(), set[tuple[str, str]]()
        memories: dict[str, Memory] = defaultdict(Memory)
        for name, venue in venues.ALL.items():
            if not venue.collects:
                continue
            hosts = Hosts(**simulation.hosts(name))
            feeds.start(
                lambda venue=venue, hosts=hosts: Feed(venue, SYMBOLS, inbox, hosts=hosts, key="simulated")
            )
        try:
            async with asyncio.timeout(PATIENCE_S):
                async for batch in inbox.batches():
                    for frame in batch:
                        if frame.kind != "note":
                            found |= spoken(read(frame, memories[frame.venue]))
                    if wanted <= found:
                        break
        except TimeoutError:
            pass
        finally:
            await feeds.close()
            await simulation.stop()
        return found

    return asyncio.run(play())


def document(wanted: Cells, cells: dict[str, Cells]) -> str:
    rows = [
        "# What is decoded, and how it is known",
        "",
        "Made by `tests/system/test_coverage.py`. Real: a frame that the venue itself sent, from a public"
        " recording. Golden: a frame made by us, its events checked by hand. Simulator: heard over a socket"
        " or REST of the simulated venue. REST: an endpoint that the form has tells the stream too.",
        "",
        f"| venue | stream | {' | '.join(cells)} |",
        f"| --- | --- | {' | '.join('---' for _ in cells)} |",
    ]
    for venue, stream in sorted(wanted):
        said = ["yes" if (venue, stream) in found else f"no: {WHY[name]}" for name, found in cells.items()]
        rows.append(f"| {venue} | {stream} | {' | '.join(said)} |")
    lacking = [
        f"- {name} {stream}: {why}."
        for name, venue in venues.ALL.items()
        for stream, why in venue.cannot.items()
    ]
    if lacking:
        rows += ["", "## Streams that a venue does not tell by itself", "", *lacking]
    return "\n".join(rows) + "\n"


WHY = {"real": NOT_RECORDED, "golden": "", "simulator": "", "REST": NO_REST}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_stream_that_a_venue_offers_is_decoded_golden_simulated_and_asked() -> None:
    wanted = offered()
    golden_cells, rest_cells = golden()
    assert wanted - golden_cells == set(), "a golden frame is missing"
    simulated_cells = simulated(wanted)
    assert wanted - simulated_cells == set(), "the simulator does not say it"
    cells = {"real": real(), "golden": golden_cells, "simulator": simulated_cells, "REST": rest_cells}
    if not cells["real"]:
        cells["real"] = {tuple(row) for row in _told("real")}  # type: ignore[misc]
    said = document(wanted, cells)
    if os.environ.get("COVERAGE") == "rewrite":
        TABLE.write_text(said)
    assert TABLE.read_text() == said, "docs/coverage.md is stale: COVERAGE=rewrite"


def _told(column: str) -> list[tuple[str, str]]:
    """Return what the table says of a column, where there are no recordings to look at."""
    lines = [line.split(" | ") for line in TABLE.read_text().splitlines() if line.startswith("| ")]
    place = [cell.strip("| ") for cell in lines[0]].index(column)
    return [(row[0].strip("| "), row[1]) for row in lines[2:] if row[place].strip("| ") == "yes"]

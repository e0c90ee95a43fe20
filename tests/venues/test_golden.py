"""Golden frames: made by us in the form of the wire, each beside the events that it means.

`GOLDEN=rewrite` writes the events anew; the difference is then the review.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from expected import SPOKEN

from orderflow import venues
from orderflow.market.events import Event
from orderflow.market.streams import KEPT, STREAMS
from orderflow.venues.spec import Memory, answer, contract, path_pattern

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(GOLDEN.glob("*/*.json"))
RECEIVED = 1_790_000_000_300_000_000


def decoded(path: Path) -> Sequence[Event]:
    """Decode a case: its `contracts` and `states` are known, the frames `before` it have been decoded."""
    case = json.loads(path.read_text())
    venue = venues.ALL[path.parent.name]
    listed = {native: contract(*one) for native, one in case.get("contracts", {}).items()}
    memory = Memory(listed, case.get("states", {}))
    for said in case.get("before", []):
        venue.decode(_wire(said), RECEIVED, memory)
    if case["kind"] == "ws":
        return venue.decode(_wire(case["frame"]), RECEIVED, memory)
    return answer(venue, case["url"], _wire(case["frame"]), RECEIVED, memory)


def _wire(said: Any) -> bytes:
    return (said if isinstance(said, str) else json.dumps(said, separators=(",", ":"))).encode()


def name(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize("path", CASES, ids=name)
def test_a_golden_frame_decodes_to_its_events(path: Path) -> None:
    events: Any = json.loads(msgspec.json.encode(list(decoded(path))))
    case = json.loads(path.read_text())
    if os.environ.get("GOLDEN") == "rewrite":
        path.write_text(json.dumps({**case, "events": events}, indent=1, ensure_ascii=False) + "\n")
    else:
        assert events == case["events"]


@pytest.mark.parametrize("venue", sorted(venues.ALL))
def test_the_golden_frames_of_a_venue_show_every_kind_of_event_that_it_speaks(venue: str) -> None:
    shown = {type(event) for path in CASES if path.parent.name == venue for event in decoded(path)}
    assert shown == SPOKEN[venue]


@pytest.mark.parametrize("venue", sorted(venues.ALL))
def test_every_stream_of_a_venue_has_an_event_that_feeds_it(venue: str) -> None:
    fed = {KEPT[kind].name for kind in SPOKEN[venue] if kind in KEPT}
    fed.add("orderbooks")  # from BookUpdate, by way of the kept book
    derived = {stream.name for stream in STREAMS.values() if stream.derived_from in fed}
    form = venues.ALL[venue]
    assert set(form.market.streams) - set(form.cannot) <= fed | derived


@pytest.mark.parametrize("venue", sorted(venues.ALL))
def test_every_endpoint_and_table_that_means_something_has_a_golden_frame(venue: str) -> None:
    form = venues.ALL[venue]
    urls = [json.loads(path.read_text())["url"] for path in CASES if path.parent.name == venue]
    asked = [(parts.path, dict(parse_qsl(parts.query))) for parts in map(urlsplit, urls)]
    unshown = [
        one.name
        for one in (*form.endpoints, *form.tables)
        if "leaves_out" not in one.decode.__qualname__ and one.name != "older_trades"  # as `trades`
        if not any(
            path_pattern(one.path).search(path) and one.when.items() <= query.items() for path, query in asked
        )
    ]
    assert unshown == []


def test_every_event_of_a_golden_frame_names_its_venue_and_when_it_was_received() -> None:
    for path in CASES:
        for event in decoded(path):
            assert (event.venue, event.ts_recv) == (path.parent.name, RECEIVED), name(path)

"""Golden frames: made by us in the form of the wire, each beside the events that it means.

`GOLDEN=rewrite` writes the events anew; the difference is then the review.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orderflow import venues
from orderflow.market.events import (
    BookUpdate,
    Candle,
    Control,
    Event,
    Funding,
    FundingInterval,
    Ignored,
    IndexPrice,
    Instrument,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.streams import KEPT, STREAMS
from orderflow.venues.spec import answer

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(GOLDEN.glob("*/*.json"))
RECEIVED = 1_790_000_000_300_000_000

SPOKEN: dict[str, set[type[Event]]] = {
    "binance_futures": {
        *(Quote, Trade, BookUpdate, MarkPrice, IndexPrice, Funding, FundingInterval, OpenInterest),
        *(Ticker, Candle, Liquidation, Instrument, Ignored, Control),
    },
    "binance_spot": {Quote, Trade, BookUpdate, Ticker, Candle, Instrument, Ignored, Control},
}


def decoded(path: Path) -> Sequence[Event]:
    case = json.loads(path.read_text())
    said = case["frame"]
    frame = (said if isinstance(said, str) else json.dumps(said, separators=(",", ":"))).encode()
    venue = venues.ALL[path.parent.name]
    if case["kind"] == "ws":
        return venue.decode(frame, RECEIVED)
    return answer(venue, case["url"], frame, RECEIVED)


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
    assert set(venues.ALL[venue].market.streams) <= fed | derived


@pytest.mark.parametrize("venue", sorted(venues.ALL))
def test_every_endpoint_and_table_that_means_something_has_a_golden_frame(venue: str) -> None:
    form = venues.ALL[venue]
    urls = [json.loads(path.read_text())["url"] for path in CASES if path.parent.name == venue]
    shown = {url.split("?")[0].removeprefix(form.hosts.rest).removeprefix("table:") for url in urls}
    kept = {
        one.path
        for one in (*form.endpoints, *form.tables)
        if "leaves_out" not in one.decode.__qualname__ and one.name != "older_trades"  # as `trades`
    }
    assert kept - shown == set()


def test_every_event_of_a_golden_frame_names_its_venue_and_when_it_was_received() -> None:
    for path in CASES:
        for event in decoded(path):
            assert (event.venue, event.ts_recv) == (path.parent.name, RECEIVED), name(path)

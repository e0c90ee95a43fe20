"""Nonsense raises the errors that the decoders promise, and no other."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderflow import venues
from orderflow.market.errors import VenueChanged
from orderflow.market.events import Event
from orderflow.venues.spec import Memory, Venue, answer
from orderflow.venues.tables import COMMON

PROMISED = (msgspec.MsgspecError, ValueError, VenueChanged)
GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*/*.json"))
GONE = object()

each_venue = pytest.mark.parametrize("venue", venues.ALL.values(), ids=list(venues.ALL))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def taken(venue: Venue, kind: str, url: str, payload: bytes) -> list[Event]:
    """Decode as the pipeline does: any error that is not promised goes through."""
    try:
        found = venue.decode(payload, 1, Memory()) if kind == "ws" else answer(venue, url, payload, 1)
    except PROMISED:
        return []
    return list(found)


def addresses(venue: Venue) -> Iterator[tuple[str, str]]:
    yield "ws", ""
    for endpoint in venue.endpoints:
        yield "http", venue.hosts.rest + endpoint.path
        yield "http", venue.hosts.rest + endpoint.path + "?symbol=BTCUSDT&limit=many&interval="
    for path in (*(table.path for table in venue.tables), *COMMON):
        yield "table", f"table:{path}?symbol=BTCUSDT"


def places(value: Any, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield so_far
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from places(inner, (*so_far, key))


def changed(value: Any, place: tuple[Any, ...], to: Any) -> Any:
    if not place:
        return None if to is GONE else to
    found = json.loads(json.dumps(value))
    inner = found
    for key in place[:-1]:
        inner = inner[key]
    if to is GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = to
    return found


@each_venue
@given(payload=st.binary(max_size=64))
def test_any_bytes_raise_only_what_is_promised(venue: Venue, payload: bytes) -> None:
    for kind, url in addresses(venue):
        taken(venue, kind, url, payload)


@each_venue
@given(value=values)
def test_any_json_raises_only_what_is_promised(venue: Venue, value: Any) -> None:
    for kind, url in addresses(venue):
        for whole in (
            value,
            {"stream": "btcusdt@depth5@100ms", "data": value},
            {"e": value, "data": [value]},
        ):
            taken(venue, kind, url, json.dumps(whole, separators=(",", ":")).encode())


@settings(max_examples=600)
@given(path=st.sampled_from(GOLDEN), data=st.data())
def test_a_frame_with_one_thing_wrong_raises_only_what_is_promised(path: Path, data: st.DataObject) -> None:
    case = json.loads(path.read_text())
    said = case["frame"]
    if isinstance(said, str):
        cells = said.split(",")
        place = data.draw(st.integers(0, len(cells) - 1))
        payload = ",".join((*cells[:place], data.draw(st.text(max_size=6)), *cells[place + 2 :])).encode()
    else:
        where = data.draw(st.sampled_from(list(places(said))))
        wrong = changed(said, where, data.draw(st.just(GONE) | values))
        payload = json.dumps(wrong, separators=(",", ":")).encode()
    taken(venues.ALL[path.parent.name], case["kind"], case["url"], payload)


@each_venue
@pytest.mark.parametrize(
    "piece", [b'{"data":', b'{"e":"x","data":[', b'{"stream":"x@depth","data":{"u":"x","z":']
)
def test_json_nested_without_end_is_a_frame_that_cannot_be_read(venue: Venue, piece: bytes) -> None:
    for kind, url in addresses(venue):
        taken(venue, kind, url, piece * 100_000)
    said = r"nested too deeply" if venue.channels else r"no socket is known"
    with pytest.raises(VenueChanged, match=said):
        venue.decode(piece * 100_000, 1, Memory())


@each_venue
def test_an_address_that_no_endpoint_has_says_so(venue: Venue) -> None:
    with pytest.raises(VenueChanged, match="no endpoint '/nowhere'"):
        answer(venue, "https://example.com/nowhere", b"{}", 1)


@each_venue
def test_a_table_row_cut_short_says_which_cell_is_missing(venue: Venue) -> None:
    known = {*COMMON, *(one.path for one in venue.tables)}
    for table, cell in (("aggTrades", "seventh"), ("trades", "sixth"), ("ccxt_trades", "fourth")):
        if table not in known:
            continue
        with pytest.raises(VenueChanged, match=f"{cell} cell"):
            answer(venue, f"table:{table}?symbol=BTCUSDT", b"1,2", 1)

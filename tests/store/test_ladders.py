"""Ladders: snapshots of books as the store gives them, whole or picked, hot, archived and thinned."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import HOUR, MS, SECOND
from orderflow.store import archive, thinning
from orderflow.store.ladders import LEAST
from orderflow.store.reader import Reader
from tests.store.conftest import T0, Filled

VENUE = "binance_spot"
UNTIL = T0 + HOUR


def book(made: Filled, at: float, id: int, bids: Sequence[float], venue: str = VENUE) -> None:
    """Put a book of these bids, 1 coin at each, and of one ask of 2 at 110."""
    levels = {f"bid_{rank}_{what}": value for rank, price in enumerate(bids, 1) for what, value in (("price", price), ("qty", 1.0))}  # fmt: skip
    made.put(
        "orderbooks",
        at,
        id,
        venue=venue,
        sequence=id,
        depth=1,
        ask_1_price=110.0,
        ask_1_qty=2.0,
        **levels,
    )


def times(found: Any) -> list[float]:
    return [(one - T0) / SECOND for one in found["timestamp"]]


def test_snapshots_have_their_levels_side_by_side_and_what_is_absent_is_unknown(
    emptied: Filled, reader: Reader
) -> None:
    book(emptied, 1, 1, [100.0, 99.0])
    book(emptied, 2, 2, [100.5])
    found = reader.ladders("BTCUSDT", [VENUE], T0, UNTIL, levels=2)
    assert found.found.column_names == [
        "venue", "timestamp", "bid_1_price", "bid_1_qty", "bid_2_price", "bid_2_qty", "ask_1_price", "ask_1_qty",
        "ask_2_price", "ask_2_qty",
    ]  # fmt: skip
    first, second = found.rows()
    assert (first["bid_2_price"], first["ask_1_qty"], second["bid_1_price"]) == (99.0, 2.0, 100.5)
    assert (second["bid_2_price"], second["ask_2_price"]) == (None, None)
    assert found.units["bid_1_qty"] == "base"
    assert found.notes == {"stored": {VENUE: 2}, "every_ms": None, "thinned_ms": None}


def test_of_each_bar_the_last_snapshot_is_picked_and_of_equal_times_the_last_one_written(
    emptied: Filled, reader: Reader
) -> None:
    for id, at in enumerate((0, 30, 59.9, 59.9, 60, 125), 1):
        book(emptied, at, id, [float(id)])
    found = reader.ladders("BTCUSDT", [VENUE], T0, UNTIL, every="1m", levels=1)
    assert times(found) == [59.9, 60.0, 125.0]
    assert list(found["bid_1_price"]) == [4.0, 5.0, 6.0]
    assert found.notes["stored"] == {VENUE: 6} and found.notes["every_ms"] == 60_000


def test_each_venue_has_its_own_last_snapshots(emptied: Filled, reader: Reader) -> None:
    for venue, at in ((VENUE, 10), (VENUE, 20), ("okx_futures", 10), ("okx_futures", 15)):
        book(emptied, at, at, [100.0], venue)
    found = reader.ladders("BTCUSDT", [VENUE, "okx_futures"], T0, UNTIL, every="1m")
    assert list(zip(found["venue"], times(found), strict=True)) == [(VENUE, 20.0), ("okx_futures", 15.0)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 3_599_999), min_size=1, max_size=40, unique=True),
    st.integers(LEAST, 40),
    st.integers(0, 600),
)
def test_there_are_no_more_than_asked_and_the_newest_is_always_among_them(
    emptied: Filled, every: list[int], most: int, offset: int
) -> None:
    emptied.clear()
    for id, ms in enumerate(sorted(every)):
        book(emptied, ms / 1000, id, [100.0])
    began = T0 - offset * SECOND
    found = Reader(emptied.connection).ladders("BTCUSDT", [VENUE], began, UNTIL, most=most, levels=1)
    assert len(found) <= most
    assert times(found)[-1] == pytest.approx(max(every) / 1000)
    assert len(every) > most or len(found) == len(every)


def test_the_lead_is_read_and_not_told_of(emptied: Filled, reader: Reader) -> None:
    for id, at in enumerate((0, 50, 70), 1):
        book(emptied, at, id, [100.0])
    since = T0 + 60 * SECOND
    found = reader.ladders("BTCUSDT", [VENUE], since, UNTIL, lead=20 * SECOND)
    assert times(found) == [50.0, 70.0]
    assert found.since == since and found.coverage[VENUE].first == T0 + 70 * SECOND
    with pytest.raises(NoData, match="no orderbooks") as raised:
        reader.ladders("BTCUSDT", [VENUE], T0 + 71 * SECOND, UNTIL, lead=HOUR)
    assert "stored are rows from 2025-11-21T00:00:00" in (raised.value.hint or "")


def test_archived_and_thinned_books_are_found_and_said_to_be_thin(filled: Filled) -> None:
    day = 86_400.0
    for id in range(8):  # four a second, on a day that is archived and thinned, and one on a day that is not
        book(filled, id / 4, id, [100.0 + id])
    book(filled, day * 2, 99, [200.0])
    archive.compact_closed(filled.connection, now=T0 + round(1.5 * day) * SECOND)
    asked = ("BTCUSDT", [VENUE], T0, T0 + round(3 * day) * SECOND)
    whole = Reader(filled.connection).ladders(*asked, levels=1)
    assert len(whole) == 9 and whole.notes["thinned_ms"] is None
    thinning.thin(filled.connection, thinning.steps({"1d": "1s"}), now=T0 + round(4 * day) * SECOND)
    thin = Reader(filled.connection).ladders(*asked, levels=1)
    assert list(thin["bid_1_price"]) == [103.0, 107.0, 200.0]
    assert thin.notes["thinned_ms"] == 1_000
    picked = Reader(filled.connection).ladders(*asked, levels=1, every="1d")
    assert list(picked["bid_1_price"]) == [107.0, 200.0]


@pytest.mark.parametrize("wrong", [{"levels": 0}, {"levels": 11}, {"most": 1}, {"lead": -1}])
def test_what_is_no_ladder_is_refused(emptied: Filled, reader: Reader, wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidArgument, match="no books"):
        reader.ladders("BTCUSDT", [VENUE], T0, UNTIL, **wrong)  # type: ignore[arg-type]


def test_a_stretch_is_never_less_than_a_millisecond(emptied: Filled) -> None:
    for id in range(4):
        book(emptied, id / 1000, id, [100.0])
    found = Reader(emptied.connection).ladders("BTCUSDT", [VENUE], T0, T0 + 4 * MS, most=3, levels=1)
    assert len(found) <= 3

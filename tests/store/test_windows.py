"""Windows of every stream: their rows in four forms, and what is known of them."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from orderflow.market.errors import ExtraMissing, InvalidArgument, NoData
from orderflow.market.streams import STREAMS
from orderflow.store import frames
from orderflow.store.reader import Reader


@pytest.fixture
def filled(emptied: Any) -> Any:
    return emptied


def trades(filled: Any) -> None:
    filled.run("live", 0, 40)
    for second, venue in ((1, "binance_spot"), (2, "binance_futures"), (3, "binance_spot")):
        filled.trade(venue, second, second, price=100.0 + second, sold=second == 2)


def test_several_venues_are_asked_at_once_and_each_has_its_coverage(filled: Any, reader: Reader) -> None:
    trades(filled)
    filled.gap("trades", 10, 20)  # binance_spot's: 10 of 40 seconds
    found = reader.window(
        "trades", "BTCUSDT", ["binance_spot", "binance"], since=filled.at(0), until=filled.at(40)
    )
    assert list(found["venue"]) == ["binance_spot", "binance_futures", "binance_spot"]
    assert found.venues == ["binance_spot", "binance_futures"]
    assert found.coverage["binance_spot"].percent == pytest.approx(75.0)
    assert found.coverage["binance_futures"].percent == pytest.approx(100.0)
    assert [(one.venue, one.from_ts) for one in found.gaps] == [("binance_spot", filled.at(10))]
    assert (found.kind, found.simulated, found.truncated) == ("live", False, False)
    assert (found.units["price"], found.units["quantity"]) == ("quote", "base")


def test_a_venue_that_told_nothing_but_has_a_gap_is_named(filled: Any, reader: Reader) -> None:
    filled.run("live", 0, 40)
    filled.trade("binance_futures", 1, 1)
    filled.gap("trades", 0, 40)  # of binance_spot
    found = reader.window("trades", "BTCUSDT", since=filled.at(0), until=filled.at(40))
    assert found.venues == ["binance_futures", "binance_spot"]
    assert found.coverage["binance_spot"].percent is None


def test_a_window_without_ends_reaches_from_the_first_row_to_the_last(filled: Any, reader: Reader) -> None:
    trades(filled)
    found = reader.window("trades", "BTCUSDT", "binance_spot")
    assert (found.since, found.until) == (filled.at(1), filled.at(3) + 1000)
    assert found.coverage["binance_spot"].percent == pytest.approx(100.0)


def test_rows_come_as_arrow_polars_pandas_and_one_by_one(filled: Any, reader: Reader) -> None:
    trades(filled)
    found = reader.window("trades", "BTCUSDT", since=filled.at(0), until=filled.at(40))
    arrow = found.arrow()
    assert arrow.schema.field("timestamp").type == pa.timestamp("us", "UTC")
    assert arrow.column("price").to_pylist() == [101.0, 102.0, 103.0]
    polars, pandas = found.polars(), found.pandas()
    assert polars["price"].to_list() == pandas["price"].tolist() == [101.0, 102.0, 103.0]
    assert str(pandas["timestamp"].dt.tz) == "UTC"
    assert (
        polars["venue"].to_list()
        == pandas["venue"].tolist()
        == ["binance_spot", "binance_futures", "binance_spot"]
    )
    rows = list(found)
    assert (len(found), len(rows)) == (3, 3)
    assert rows[0]["timestamp"] == datetime(2025, 11, 21, 0, 0, 1, tzinfo=UTC)
    assert next(found.rows())["timestamp"] == filled.at(1)


def test_numbers_are_not_copied_on_their_way_into_polars(filled: Any, reader: Reader) -> None:
    trades(filled)
    found = reader.window("trades", "BTCUSDT")
    (chunk,) = found.arrow().column("price").chunks
    there = found.polars()["price"].to_numpy(allow_copy=False).__array_interface__["data"][0]
    assert chunk.buffers()[1].address + 8 * chunk.offset == there


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_a_frame_whose_library_is_missing_is_one_clear_error(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=library) as caught:
        getattr(frames, f"as_{library}")(pa.table({"price": [1.0]}))
    assert "crypto-orderflow[frames]" in caught.value.hint


def test_a_window_shows_in_one_line_what_it_is(filled: Any, reader: Reader) -> None:
    trades(filled)
    found = reader.window("trades", "BTCUSDT", "binance_spot", since=filled.at(0), until=filled.at(80))
    assert repr(found) == (
        "<live data: 2 trades of BTCUSDT, 2025-11-21T00:00:00Z to 2025-11-21T00:01:20Z;"
        " covered: binance_spot 50 %; 0 gaps>"
    )


def test_of_each_bar_the_last_row_of_each_venue_can_be_asked(filled: Any, reader: Reader) -> None:
    for second in (1, 9, 11, 12):
        filled.put("open_interest", second, second, venue="binance_futures", open_interest=float(second))
    filled.put("open_interest", 5, 5, venue="bybit_futures", open_interest=0.5)
    found = reader.window("open_interest", "BTCUSDT", since=filled.at(0), every="10s")
    assert list(zip(found["venue"], found["open_interest"], strict=True)) == [
        ("bybit_futures", 0.5),
        ("binance_futures", 9.0),
        ("binance_futures", 12.0),
    ]


def test_trades_can_be_asked_by_side_and_value(filled: Any, reader: Reader) -> None:
    for id, (price, sold) in enumerate(((10.0, True), (30.0, True), (40.0, False)), 1):
        filled.trade("binance_spot", id, id, price=price, sold=sold)  # half a coin each
    assert list(reader.window("trades", "BTCUSDT", side="sell")["price"]) == [10.0, 30.0]
    assert list(reader.window("trades", "BTCUSDT", min_value=15.0)["price"]) == [30.0, 40.0]
    with pytest.raises(InvalidArgument, match="neither side nor value"):
        reader.window("prices", "BTCUSDT", side="buy")


@pytest.mark.parametrize("stream", STREAMS)
def test_every_stream_has_its_window(filled: Any, reader: Reader, stream: str) -> None:
    with pytest.raises(NoData, match=stream) as caught:
        reader.window(stream, "BTCUSDT", "binance_futures", since=filled.at(0), until=filled.at(9))
    assert "none at all" in caught.value.hint
    filled.put(stream, 1, 1, venue="binance_futures")
    found = reader.window(stream, "BTCUSDT", "binance_futures", since=filled.at(0), until=filled.at(9))
    assert (len(found), found.what) == (1, stream)
    with pytest.raises(NoData, match="2025-11-21T00:00:05Z to") as caught:
        reader.window(stream, "BTCUSDT", "binance_futures", since=filled.at(5))
    assert "2025-11-21T00:00:01Z" in caught.value.hint


def test_an_unknown_stream_names_the_known_ones(reader: Reader) -> None:
    with pytest.raises(InvalidArgument, match="gossip") as caught:
        reader.window("gossip", "BTCUSDT")
    assert "liquidations" in caught.value.hint

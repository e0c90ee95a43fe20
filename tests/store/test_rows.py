"""Rows: what is packed is what is seen as columns, known and unknown alike."""

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.market.events import BookTop, Event, Funding, Liquidation, OpenInterest, Quote, Trade
from orderflow.market.streams import KEPT, STREAMS, TRADES
from orderflow.store.rows import NULL, packed

SERIES = {"BTCUSDT": 3, "ETHUSDT": 5}


def trade(id: int | str, **other: Any) -> Trade:
    values: dict[str, Any] = {"symbol": "BTCUSDT", "ts": 10, "count": 1} | other
    return Trade("v", values["symbol"], values["ts"], 20, id, True, 1.5, 2.5, values["count"])


def test_a_plain_event_is_packed_as_it_stands() -> None:
    rows, texts = packed(TRADES, [trade(7), trade(8, symbol="ETHUSDT")], SERIES)
    assert rows.tolist() == [(3, 10, 20, 7, 1.5, 2.5, 1, 1), (5, 10, 20, 8, 1.5, 2.5, 1, 1)]
    assert texts == []


def test_texts_are_set_aside_once_each_and_packed_as_the_negative_of_their_place() -> None:
    rows, texts = packed(TRADES, [trade("a"), trade(9), trade("b"), trade("a")], SERIES)
    assert rows["trade_id"].tolist() == [-1, 9, -2, -1]
    assert texts == ["a", "b"]


def test_the_unknown_has_a_value_of_its_own_in_each_type() -> None:
    (row,), _ = packed(TRADES, [trade(7, ts=None, count=None)], SERIES)
    assert (row["ts_event"], row["count"]) == (NULL, NULL)
    (row,), _ = packed(STREAMS["prices"], [Quote("v", "BTCUSDT", 1, 2, None, 1.0, None, 1.0)], SERIES)
    assert math.isnan(row["bid_price"]) and math.isnan(row["ask_price"])
    assert (row["bid_qty"], row["sequence"]) == (1.0, NULL)
    (row,), _ = packed(STREAMS["prices"], [Quote("v", "BTCUSDT", 1, 2, 1.0, 1.0, 2.0, 1.0, 5)], SERIES)
    assert math.isnan(row["told_price"]) and math.isnan(row["confidence"])
    told = Quote("v", "BTCUSDT", 1, 2, 1.0, 1.0, 2.0, 1.0, 5, 1.25, 0.5)
    (row,), _ = packed(STREAMS["prices"], [told], SERIES)
    assert (row["told_price"], row["confidence"]) == (1.25, 0.5)
    (row,), _ = packed(STREAMS["liquidations"], [Liquidation("v", "BTCUSDT", 1, 2, "long", 1.0, 1.0)], SERIES)
    assert (row["is_partial"], row["order_id"], row["ordinal"]) == (-1, NULL, 0)


@pytest.mark.parametrize("id", [-1, -(2**63), 2**63, 10**30, -(10**30)])
def test_an_integer_that_is_no_id_is_unknown_and_never_the_place_of_a_text(id: int) -> None:
    rows, texts = packed(TRADES, [trade("first"), trade(id), trade(id, count=None)], SERIES)
    assert rows["trade_id"].tolist() == [-1, NULL, NULL]
    assert texts == ["first"]


def test_an_event_of_a_symbol_without_a_number_is_an_error_of_ours() -> None:
    with pytest.raises(KeyError):
        packed(TRADES, [trade(1, symbol="OTHER")], SERIES)


def test_a_row_is_no_longer_than_its_columns() -> None:
    # int32, two int64, then trade_id q, price d, quantity d, is_buyer_maker b, count q: 4+16+8+8+8+1+8
    rows, _ = packed(TRADES, [trade(1)], SERIES)
    assert rows.dtype.itemsize == struct.calcsize("<iqqqddbq") == 53


numbers = st.none() | st.floats()
stamps = st.none() | st.integers(-(2**70), 2**70)
counts = st.none() | st.integers(-(2**70), 2**70)
events = st.one_of(
    st.builds(
        Trade, st.just("v"), st.sampled_from(list(SERIES)), stamps, st.integers(0, 2**62),
        st.integers(-(2**70), 2**70) | st.text(max_size=5), st.booleans(), st.floats(), st.floats(), counts,
    ),
    st.builds(
        Quote, st.just("v"), st.just("BTCUSDT"), stamps, st.integers(0, 2**62), numbers, numbers, numbers, numbers, counts
    ),
    st.builds(Funding, st.just("v"), st.just("BTCUSDT"), stamps, st.just(1), st.floats(), numbers, numbers, stamps),
    st.builds(OpenInterest, st.just("v"), st.just("BTCUSDT"), stamps, st.just(1), numbers, numbers, numbers),
    st.builds(
        BookTop, st.just("v"), st.just("BTCUSDT"), stamps, st.just(1),
        st.lists(numbers, min_size=40, max_size=40).map(tuple), st.integers(0, 2**70), counts,
    ),
)  # fmt: skip


def same(told: Any, found: Any, texts: list[str]) -> bool:
    """Whether a packed value says what the event said, or that it is unknown."""
    if isinstance(told, str):
        return texts[-found - 1] == told
    if isinstance(found, float):
        return (
            math.isnan(found) if told is None else (told == found or (math.isnan(told) and math.isnan(found)))
        )
    if told is None or not -(2**63) < told < 2**63:
        return found in (NULL, -1)
    return found == told or (told < 0 and found == NULL)


@given(st.lists(events, max_size=12))
def test_whatever_an_event_says_is_packed_or_unknown(events: list[Event]) -> None:
    for kind in {type(event) for event in events}:
        mine = [event for event in events if type(event) is kind]
        stream = KEPT[kind]
        rows, texts = packed(stream, mine, SERIES)
        for event, row in zip(mine, rows.tolist(), strict=True):
            assert row[0] == SERIES[event.symbol]
            assert all(
                same(told, found, texts) for told, found in zip(stream.row()(event), row[1:], strict=True)
            )

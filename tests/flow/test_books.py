"""Snapshots of books as columns: what is refused, what is known, and how long each stands."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.books import books, stands_until
from orderflow.market.columns import Column, Index
from orderflow.market.errors import InvalidArgument
from tests.flow.random_books import LEVELS, Snapshot, columns, snapshots


def one(bids: list[float], asks: list[float]) -> tuple[Index, Column, Column, Column, Column]:
    bid, ask = np.array([bids]), np.array([asks])
    return np.array([0]), bid, np.ones_like(bid), ask, np.ones_like(ask)


def test_the_mid_is_between_the_best_and_unknown_where_there_is_none() -> None:
    nan = np.nan
    assert books(*one([99.0, 98.0], [102.0, 103.0])).mid.tolist() == [100.5]
    assert np.isnan(books(*one([nan, nan], [102.0, 103.0])).mid).all()
    crossed = books(*one([103.0, 98.0], [102.0, 103.0]))
    assert np.isnan(crossed.mid).all()
    assert crossed.crossed.tolist() == [True]


def test_levels_in_disorder_are_refused() -> None:
    for bids, asks in (([98.0, 99.0], [101.0, 102.0]), ([99.0, 98.0], [102.0, 101.0])):
        with pytest.raises(InvalidArgument, match="not in order"):
            books(*one(bids, asks))
    with pytest.raises(InvalidArgument, match="not in order"):
        books(*one([np.nan, 98.0], [101.0, 102.0]))  # a level behind one that is absent


def test_columns_of_different_shapes_and_falling_times_are_refused() -> None:
    time, bid, size, ask, _ = one([99.0], [101.0])
    with pytest.raises(InvalidArgument, match="ask_size"):
        books(time, bid, size, ask, np.ones((1, 2)))
    two = [np.concatenate([column, column]) for column in (bid, size, ask, size)]
    with pytest.raises(InvalidArgument, match="older"):
        books(np.array([5, 4]), *two)


def test_a_side_is_known_to_its_last_level_and_a_complete_one_to_its_end() -> None:
    book = Snapshot(0, {99: 1.0, 97: 1.0}, {})
    best = columns([book])
    assert (best.bid_end.tolist(), np.isnan(best.ask_end).all()) == ([48.5], True)
    whole = columns([book], complete=True)
    assert (whole.bid_end.tolist(), whole.ask_end.tolist()) == ([-np.inf], [np.inf])


@given(found=snapshots(), rows=st.lists(st.integers(-1, 7), max_size=5))
def test_a_row_that_is_not_there_is_unknown_and_the_others_are_as_they_were(
    found: list[Snapshot], rows: list[int]
) -> None:
    all_rows = columns(found)
    chosen = [row if row < len(found) else -1 for row in rows]
    taken = all_rows.take(np.array(chosen, dtype=np.int64))
    assert taken.bid_price.shape == (len(rows), LEVELS)
    for place, row in enumerate(chosen):
        if row < 0:
            assert taken.time[place] == -1
            assert np.isnan(taken.bid_size[place]).all()
            assert np.isnan(taken.ask_end[place])
        else:
            assert taken.time[place] == all_rows.time[row]
            np.testing.assert_array_equal(taken.ask_size[place], all_rows.ask_size[row])


def test_a_snapshot_stands_until_the_next_a_gap_or_its_time_is_over() -> None:
    time = np.array([0, 10, 20, 33, 90])
    gaps = np.array([[12, 18], [30, 35]])
    # 0: the next one at 10; 10: the gap at 12; 20: the gap at 30; 33 lies in a gap; 90: 90 + 50 is after 100
    assert stands_until(time, 100, 50, gaps).tolist() == [10, 12, 30, 33, 100]
    assert stands_until(time, 100, 5).tolist() == [5, 15, 25, 38, 95]
    assert stands_until(np.array([], dtype=np.int64), 100, 5, gaps).tolist() == []
    with pytest.raises(InvalidArgument):
        stands_until(time, 100, -1)

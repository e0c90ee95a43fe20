"""Queue imbalance, the weighted mid and order flow imbalance: by hand, and beside the formula step by step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.books import Books, books
from orderflow.flow.pressure import (
    integrated_ofi,
    integration_weights,
    ofi,
    ofi_bars,
    queue_imbalance,
    weighted_mid,
)
from orderflow.market.errors import InvalidArgument
from tests.flow.random_books import Snapshot, columns, snapshots

NAN = np.nan


def touches(*rows: tuple[float, float, float, float]) -> Books:
    """Snapshots of the best bid, its size, the best ask, its size."""
    bid, bid_size, ask, ask_size = np.array(rows, dtype=np.float64).reshape(-1, 4).T[:, :, None]
    return books(np.arange(len(rows)), bid, bid_size, ask, ask_size)


def test_imbalance_and_weighted_mid_by_hand() -> None:
    found = touches((99, 3, 101, 1), (99, 0, 101, 0), (NAN, NAN, 101, 1), (99, NAN, 101, 1), (102, 3, 101, 1))
    # (3 - 1) / 4; nothing on either side; no bid; a bid of unknown size; a crossed book has sizes, but no price
    np.testing.assert_array_equal(queue_imbalance(found), [0.5, NAN, NAN, NAN, 0.5])
    # (101 × 3 + 99 × 1) / 4
    np.testing.assert_array_equal(weighted_mid(found), [100.5, NAN, NAN, NAN, NAN])


def test_order_flow_imbalance_by_hand() -> None:
    found = touches(
        (99, 3, 101, 5),
        (99, 4, 101, 5),  # 1 added to the bid: 4 - 3
        (100, 2, 101, 5),  # a better bid of 2
        (99, 4, 101, 5),  # the 2 are gone
        (99, 4, 100.5, 6),  # a better ask of 6
        (99, 4, 101, 5),  # the 6 are gone
        (99, 1, 102, 9),  # 3 less at the bid, and the ask of 5 is gone: -3 + 5
        (NAN, NAN, 102, 9),
        (99, 1, 102, 9),
    )
    np.testing.assert_array_equal(ofi(found)[:, 0], [NAN, 1, 2, -2, -6, 6, 2, NAN, NAN])
    follows = np.array([True, True, False, True, True, True, True, True, True])
    np.testing.assert_array_equal(ofi(found, follows)[:4, 0], [NAN, 1, NAN, -2])


def test_bars_sum_what_is_known_and_count_what_is_not() -> None:
    found = touches((99, 3, 101, 5), (99, 4, 101, 5), (100, 2, 101, 5), (NAN, NAN, 101, 5), (99, 1, 101, 5))
    bars = ofi_bars(found, np.array([0, 0, 1, 2, 7]), 4)
    np.testing.assert_array_equal(bars.total[:, 0], [1, 2, NAN, NAN])
    assert bars.events[:, 0].tolist() == [1, 1, 0, 0]
    assert bars.unknown[:, 0].tolist() == [1, 0, 1, 0]
    # (3 + 5 + 4 + 5) / 4, (2 + 5) / 2, the ask alone, nothing
    np.testing.assert_array_equal(bars.depth, [4.25, 3.5, 5.0, NAN])
    np.testing.assert_array_equal(bars.scaled[:, 0], [1 / 4.25, 2 / 3.5, NAN, NAN])
    with pytest.raises(InvalidArgument):
        ofi_bars(found, np.array([0]), 1)
    assert ofi_bars(touches(), np.array([], dtype=np.int64), 2).events.tolist() == [[0], [0]]


def test_levels_that_move_together_weigh_the_same() -> None:
    flow = np.array([1.0, -2.0, 3.0, -2.0])
    np.testing.assert_allclose(integration_weights(np.column_stack([flow, flow])), [0.5, 0.5])
    # the one level varies, the other does not
    weights = integration_weights(np.column_stack([flow, np.zeros(4)]))
    np.testing.assert_allclose(weights, [1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(
        integrated_ofi(np.array([[4.0, 2.0], [NAN, 1.0]]), np.array([0.5, 0.5])), [3.0, NAN]
    )
    for few in (np.empty((0, 2)), np.ones((1, 2)), np.ones((5, 2)), np.full((5, 2), NAN)):
        with pytest.raises(InvalidArgument):
            integration_weights(few)


def test_weights_are_those_of_the_singular_value_decomposition() -> None:
    random = np.random.default_rng(1)
    common = random.normal(size=(200, 1))
    scaled = common * np.array([[1.0, 0.8, 0.3]]) + 0.2 * random.normal(size=(200, 3))
    vector = np.abs(np.linalg.svd(scaled - scaled.mean(axis=0))[2][0])
    np.testing.assert_allclose(integration_weights(scaled), vector / vector.sum())


@given(found=snapshots())
def test_it_is_the_papers_formula_at_each_level(found: list[Snapshot]) -> None:
    book = columns(found, 3)
    ours = ofi(book)
    assert np.isnan(ours[:1]).all()
    for row in range(1, len(found)):
        for level in range(3):
            pb, qb, pa, qa = (one[row, level] for one in book[1:5])
            pb_, qb_, pa_, qa_ = (one[row - 1, level] for one in book[1:5])
            if np.isnan([pb, pb_, pa, pa_]).any():
                assert np.isnan(ours[row, level])
            else:
                expected = (pb >= pb_) * qb - (pb <= pb_) * qb_ - (pa <= pa_) * qa + (pa >= pa_) * qa_
                assert ours[row, level] == expected


@given(found=snapshots(both_sides=True), cut=st.integers(0, 7))
def test_the_last_snapshot_is_all_that_is_needed_to_go_on(found: list[Snapshot], cut: int) -> None:
    book = columns(found)
    early, late = (
        book.take(np.arange(min(cut, len(found)))),
        book.take(np.arange(max(cut - 1, 0), len(found))),
    )
    joined = np.concatenate([ofi(early), ofi(late)[1 if cut else 0 :]])
    np.testing.assert_array_equal(joined, ofi(book))


@given(found=snapshots(both_sides=True), bars=st.lists(st.integers(-1, 4), min_size=8, max_size=8))
def test_bars_hold_every_event_once(found: list[Snapshot], bars: list[int]) -> None:
    book, bar = columns(found), np.array(bars[: len(found)], dtype=np.int64)
    ours, events = ofi_bars(book, bar, 4), ofi(book)
    inside = (bar >= 0) & (bar < 4)
    np.testing.assert_allclose(np.nansum(ours.total, axis=0), np.nansum(events[inside], axis=0))
    np.testing.assert_array_equal((ours.events + ours.unknown).sum(axis=0), np.full(5, inside.sum()))


@given(found=snapshots(both_sides=True))
def test_a_book_upside_down_presses_the_other_way(found: list[Snapshot]) -> None:
    turned = [
        Snapshot(
            one.time, {800 - p: q for p, q in one.asks.items()}, {800 - p: q for p, q in one.bids.items()}
        )
        for one in found
    ]
    np.testing.assert_array_equal(ofi(columns(turned)), -ofi(columns(found)))
    np.testing.assert_array_equal(queue_imbalance(columns(turned)), -queue_imbalance(columns(found)))
    np.testing.assert_allclose(weighted_mid(columns(turned)), 400 - weighted_mid(columns(found)))


@given(found=snapshots(both_sides=True))
def test_the_weighted_mid_is_between_bid_and_ask(found: list[Snapshot]) -> None:
    book = columns(found)
    assert np.all(book.bid_price[:, 0] <= weighted_mid(book))
    assert np.all(weighted_mid(book) <= book.ask_price[:, 0])

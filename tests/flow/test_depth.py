"""Depth within bands around the mid: by hand, beside a sum in Python, and as a lower bound of the whole book."""

import numpy as np
import pytest
from hypothesis import given

from orderflow.flow.books import books
from orderflow.flow.depth import BANDS, depth
from orderflow.market.errors import InvalidArgument
from tests.flow.random_books import TICK, Snapshot, columns, snapshots


def test_depth_by_hand() -> None:
    # mid 100: bids are 2, 10 and 30 bps away, asks 2, 10 and 60
    found = depth(
        books(
            np.array([7]),
            np.array([[99.98, 99.90, 99.70]]),
            np.array([[1.0, 2.0, 4.0]]),
            np.array([[100.02, 100.10, 100.60]]),
            np.array([[8.0, 16.0, 32.0]]),
        ),
        (5, 10, 25, 50),
    )
    assert found.bid.tolist() == [[1.0, 3.0, 3.0, 7.0]]  # 10 bps are in the band of 10
    assert found.ask.tolist() == [[8.0, 24.0, 24.0, 24.0]]
    # 99.98 + 2 × 99.90 = 299.78, and 4 × 99.70 = 398.80
    np.testing.assert_allclose(found.bid_quote, [[99.98, 299.78, 299.78, 698.58]])
    # bids are known to 30 bps: the band of 50 is only partly known; asks to 60 bps
    assert found.bid_whole.tolist() == [[True, True, True, False]]
    assert found.whole.tolist() == [[True, True, True, False]]
    np.testing.assert_allclose((found.bid_reach, found.ask_reach), [[30.0], [60.0]])
    assert found.net.tolist() == [[-7.0, -21.0, -21.0, -17.0]]
    np.testing.assert_allclose(found.ratio, [[1 / 8, 1 / 8, 1 / 8, 7 / 24]])
    np.testing.assert_allclose(found.imbalance, [[-7 / 9, -21 / 27, -21 / 27, -17 / 31]])


def test_an_edge_is_in_its_band_whatever_the_product_rounds_to() -> None:
    for mid in (0.00012345, 0.1, 3.3, 61_234.5, 98_765.4):
        prices = np.array([[mid * (1 - band / 1e4) for band in BANDS]])
        asks = 2 * mid - prices
        found = depth(books(np.array([0]), prices, np.ones_like(prices), asks, np.ones_like(prices)))
        assert found.bid.tolist() == found.ask.tolist() == [[1.0, 2.0, 3.0, 4.0, 5.0]]
        assert found.whole.all()


def test_unknown_is_not_nothing() -> None:
    nan = np.nan
    one_sided = depth(columns([Snapshot(0, {400: 1.0}, {})]))
    assert np.isnan(one_sided.bid).all()
    assert not one_sided.whole.any()
    empty = depth(columns([Snapshot(0, {400: 1.0}, {410: 1.0})], complete=True), (1.0,))
    assert (empty.bid.tolist(), empty.whole.tolist()) == ([[0.0]], [[True]])  # nothing there, and known
    assert np.isnan(empty.ratio).all()
    assert np.isnan(empty.imbalance).all()
    sizeless = books(
        np.array([0]), np.array([[99.99, 99.5]]), np.array([[1.0, nan]]), np.array([[100.01, nan]]), np.array([[1.0, nan]])
    )  # fmt: skip
    found = depth(sizeless, (5, 100))
    assert found.bid[0, 0] == 1.0  # the level of unknown size is beyond
    assert np.isnan(found.bid[0, 1])


def test_what_is_no_band_is_refused_and_no_snapshots_have_no_depth() -> None:
    for band in (0.0, -5.0, 10_000.0, np.nan):
        with pytest.raises(InvalidArgument, match="bands"):
            depth(columns([]), (band,))
    assert depth(columns([])).bid.shape == (0, len(BANDS))


@given(found=snapshots(both_sides=True))
def test_depth_is_the_sum_of_the_levels_in_the_band(found: list[Snapshot]) -> None:
    bands = (13.0, 49.0, 113.0, 999.0)  # no tick lies on these edges
    ours = depth(columns(found, complete=True), bands)
    assert ours.whole.all()
    for row, one in enumerate(found):
        mid = (max(one.bids) + min(one.asks)) / 2
        for number, band in enumerate(bands):
            near = [price for price in one.bids if mid - price <= mid * band / 1e4]
            assert ours.bid[row, number] == sum(one.bids[price] for price in near)
            assert ours.bid_quote[row, number] == sum(one.bids[price] * price * TICK for price in near)
            near = [price for price in one.asks if price - mid <= mid * band / 1e4]
            assert ours.ask[row, number] == sum(one.asks[price] for price in near)


@given(found=snapshots(both_sides=True))
def test_the_best_levels_give_a_lower_bound_that_is_exact_where_it_says_so(found: list[Snapshot]) -> None:
    part, whole = depth(columns(found, 2)), depth(columns(found, complete=True))
    for side in ("bid", "ask"):
        ours, all_of_it, exact = getattr(part, side), getattr(whole, side), getattr(part, f"{side}_whole")
        assert np.all(ours <= all_of_it)
        np.testing.assert_array_equal(ours[exact], all_of_it[exact])


@given(found=snapshots())
def test_a_wider_band_holds_no_less(found: list[Snapshot]) -> None:
    ours = depth(columns(found))
    known = ~np.isnan(ours.mid)
    for one in (ours.bid, ours.ask, ours.bid_quote):
        assert np.all(np.diff(one[known], axis=1) >= 0)
        assert np.isnan(one[~known]).all()

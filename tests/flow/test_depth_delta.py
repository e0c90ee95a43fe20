"""How depth changes from window to window: by orders or by re-centring, executed or not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.books import Prints
from orderflow.flow.depth_delta import DepthDelta, depth_delta, depth_trend, executed
from orderflow.market.errors import InvalidArgument
from tests.flow.random_books import TICK, Snapshot, columns, snapshots

NAN = np.nan
WIDE = (250.0,)  # 2.5 %: ten ticks of a price of 400 ticks


def prints(*trades: tuple[int, float, float, bool]) -> Prints:
    time, price, size, is_buy = zip(*trades, strict=True)
    return Prints(np.array(time), np.array(price), np.array(size), np.array(is_buy))


def test_orders_and_recentring_by_hand() -> None:
    # Whole books. Mid 400 ticks = 200.0, then 404 ticks = 202.0; a band of 250 bps reaches 10 ticks, then 10.1.
    first = Snapshot(5, {399: 1.0, 391: 2.0, 388: 7.0}, {401: 4.0, 410: 8.0, 413: 5.0})
    then = Snapshot(15, {403: 1.5, 399: 0.5, 391: 2.0}, {405: 3.0, 410: 8.0, 413: 5.0})
    found = depth_delta(columns([first, then], complete=True), 0, 20, 10, WIDE)
    # bids in the band: 1 + 2 of [390, 410], then 1.5 + 0.5 of [393.9, 414.1]
    assert found.depth.bid[:, 0].tolist() == [3.0, 2.0]
    # asks: 4 + 8, then 3 + 8 + 5
    assert found.depth.ask[:, 0].tolist() == [12.0, 16.0]
    np.testing.assert_array_equal(found.bid_delta[:, 0], [NAN, -1.0])
    # at the prices in both bands, [393.9, 410]: bids from 1 to 2, so +1 by orders; 391 was left behind: -2
    np.testing.assert_array_equal(found.bid_orders[:, 0], [NAN, 1.0])
    np.testing.assert_array_equal(found.bid_recentred[:, 0], [NAN, -2.0])
    # asks from 12 to 11: 4 of 401 went, 3 of 405 came; 413 came into the band: +5
    np.testing.assert_array_equal(found.ask_orders[:, 0], [NAN, -1.0])
    np.testing.assert_array_equal(found.ask_recentred[:, 0], [NAN, 5.0])
    np.testing.assert_array_equal(found.mid_delta, [NAN, 2.0])
    np.testing.assert_array_equal(found.net_delta[:, 0], [NAN, -5.0])
    # takers bought 2.5 of the asks at 401 after the first snapshot; another trade was before it, one too late
    taken = executed(
        found,
        prints(
            (4, 200.5, 9.0, True), (6, 200.5, 2.5, True), (15, 199.5, 0.25, False), (16, 200.5, 9.0, True)
        ),
    )
    np.testing.assert_array_equal(taken.ask[:, 0], [NAN, 2.5])
    np.testing.assert_array_equal(taken.ask_placed[:, 0], [NAN, 1.5])  # -1 = 1.5 placed or cancelled - 2.5
    np.testing.assert_array_equal(taken.bid[:, 0], [NAN, 0.25])
    np.testing.assert_array_equal(taken.bid_placed[:, 0], [NAN, 1.25])


def test_a_window_without_a_snapshot_is_unknown_and_so_is_the_change_after_it() -> None:
    book = ({399: 1.0}, {401: 2.0})
    found = depth_delta(columns([Snapshot(time, *book) for time in (1, 2, 25, 31)]), 0, 45, 10, WIDE)
    np.testing.assert_array_equal(found.depth.bid[:, 0], [1.0, NAN, 1.0, 1.0, NAN])
    np.testing.assert_array_equal(found.bid_delta[:, 0], [NAN, NAN, NAN, 0.0, NAN])
    np.testing.assert_array_equal(found.bid_orders[:, 0], [NAN, NAN, NAN, 0.0, NAN])
    assert found.depth.time.tolist() == [2, -1, 25, 31, -1]
    assert found.closed.tolist() == [True, True, True, True, False]
    assert found.start.tolist() == [0, 10, 20, 30, 40]


def test_a_quiet_book_is_carried_only_as_long_as_it_is_said_to_hold() -> None:
    quiet = columns([Snapshot(1, {399: 1.0}, {401: 2.0})])
    held = depth_delta(quiet, 0, 40, 10, WIDE, hold=29)
    np.testing.assert_array_equal(held.depth.bid[:, 0], [1.0, 1.0, 1.0, NAN])
    np.testing.assert_array_equal(held.bid_orders[:, 0], [NAN, 0.0, 0.0, NAN])
    lost = depth_delta(quiet, 0, 40, 10, WIDE, hold=29, gaps=np.array([[15, 17]]))
    np.testing.assert_array_equal(lost.depth.bid[:, 0], [1.0, NAN, NAN, NAN])


def test_the_first_window_is_compared_with_the_one_before_where_that_is_given() -> None:
    found = columns([Snapshot(5, {399: 1.0}, {401: 2.0}), Snapshot(15, {399: 4.0}, {401: 2.0})])
    assert depth_delta(found, 10, 20, 10, WIDE).bid_orders.tolist() == [[3.0]]


def test_bands_without_a_price_in_common_tell_nothing_of_orders() -> None:
    found = columns(
        [Snapshot(5, {399: 1.0}, {401: 2.0}), Snapshot(15, {799: 4.0}, {801: 2.0})], complete=True
    )
    delta = depth_delta(found, 0, 20, 10, WIDE)
    assert delta.bid_delta[1, 0] == 3.0
    assert np.isnan(delta.bid_orders[1, 0])
    assert np.isnan(executed(delta, prints((6, 200.5, 2.5, True))).ask[1, 0])


def test_a_level_that_only_fell_out_of_sight_is_no_order() -> None:
    # Of a book of which the best 2 bids are seen: 398 is pushed out by 400, and still there for all we know.
    first = Snapshot(5, {399: 1.0, 398: 2.0}, {401: 2.0})
    then = Snapshot(15, {400: 8.0, 399: 1.0, 398: 2.0}, {401: 2.0})
    found = depth_delta(columns([first, then], 2), 0, 20, 10, WIDE)
    assert not found.depth.whole.any()
    assert (found.bid_orders[1, 0], found.bid_recentred[1, 0]) == (8.0, -2.0)


def test_the_trend_by_hand() -> None:
    bids = [1.0, 3.0, 2.0, None, 2.0, 4.0]  # +2, -1, unknown, unknown, +2
    found = columns(
        [Snapshot(10 * at, {399: one}, {401: 2.0}) for at, one in enumerate(bids) if one is not None],
        complete=True,
    )
    delta = depth_delta(found, 0, 60, 10, WIDE)
    trend = depth_trend(delta, 0)
    assert (trend.windows, trend.net_mean, trend.net_max, trend.net_min, trend.net_last) == (
        5,
        0.4,
        2.0,
        -1.0,
        2.0,
    )
    assert (trend.bid_rising, trend.ask_rising, trend.steps) == (2 / 3, 0.0, 3)
    assert (trend.dominant, trend.whole) == ("bids", True)
    assert depth_trend(delta, 0, steps=1).bid_rising == 1.0
    assert depth_trend(delta, 0, of="delta") == trend  # the mid did not move
    nothing = depth_trend(depth_delta(columns([]), 0, 60, 10, WIDE), 0)
    assert (nothing.windows, nothing.net_mean, nothing.dominant, nothing.bid_rising) == (0, None, None, None)


def test_what_makes_no_windows_is_refused_and_no_time_has_none() -> None:
    for since, until, length in ((0, 10, 0), (10, 0, 10)):
        with pytest.raises(InvalidArgument):
            depth_delta(columns([]), since, until, length)
    with pytest.raises(InvalidArgument, match="more than"):
        depth_delta(columns([]), 0, 10**9, 1)
    assert len(depth_delta(columns([]), 15, 15, 10).start) == 0
    nothing = depth_delta(columns([]), 10, 10, 10)
    assert len(nothing.start) == 0
    assert executed(nothing, prints((6, 200.5, 2.5, True))).ask.shape == (0, 5)


def same(one: DepthDelta, other: DepthDelta) -> None:
    for name in (
        "start",
        "closed",
        "before",
        "bid_delta",
        "ask_delta",
        "bid_orders",
        "ask_orders",
        "mid_delta",
    ):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for ours, theirs in zip(one.depth, other.depth, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(found=snapshots(both_sides=True), cut=st.integers(1, 5))
def test_windows_can_be_gone_on_with_and_the_future_changes_none(found: list[Snapshot], cut: int) -> None:
    every = columns(found)
    whole = depth_delta(every, 0, 60, 10)
    early = depth_delta(every.between(0, 10 * cut), 0, 10 * cut, 10)
    late = depth_delta(every.between(10 * (cut - 1), 60), 10 * cut, 60, 10)
    joined = [
        np.concatenate([getattr(early, name), getattr(late, name)])
        for name in ("bid_orders", "ask_delta", "before")
    ]
    for ours, name in zip(joined, ("bid_orders", "ask_delta", "before"), strict=True):
        np.testing.assert_array_equal(ours, getattr(whole, name))
    same(depth_delta(every, 0, 10 * cut, 10), early)


@given(found=snapshots(both_sides=True))
def test_orders_are_what_changed_at_the_prices_in_both_bands(found: list[Snapshot]) -> None:
    bands = (113.0, 999.0)
    delta = depth_delta(columns(found, complete=True), 0, 70, 10, bands)
    last: dict[int, Snapshot] = {one.time // 10: one for one in found}
    for window in range(1, 7):
        before, now = last.get(window - 1), last.get(window)
        for number, band in enumerate(bands):
            orders = delta.bid_orders[window, number]
            if before is None or now is None:
                assert np.isnan(orders)
                continue
            mids = [(max(one.bids) + min(one.asks)) / 2 for one in (before, now)]
            shared = [
                price
                for price in before.bids.keys() | now.bids.keys()
                if all(abs(price - mid) <= mid * band / 1e4 for mid in mids)
            ]
            if min(mids) * (1 + band / 1e4) >= max(mids) * (1 - band / 1e4):
                assert orders == sum(now.bids.get(price, 0) - before.bids.get(price, 0) for price in shared)
            if mids[0] == mids[1]:
                assert delta.bid_recentred[window, number] == 0


@given(found=snapshots(both_sides=True), data=st.data())
def test_what_was_executed_is_each_trade_once_at_most(found: list[Snapshot], data: st.DataObject) -> None:
    delta = depth_delta(columns(found), 0, 60, 10)
    trades = sorted(
        data.draw(st.lists(st.tuples(st.integers(0, 60), st.integers(380, 430), st.booleans()), min_size=1))
    )
    taken = executed(delta, prints(*((time, price * TICK, 1.0, buy) for time, price, buy in trades)))
    assert np.all(np.nansum(taken.bid, axis=0) <= sum(not buy for _, _, buy in trades))
    assert np.all(np.nansum(taken.ask, axis=0) <= sum(buy for _, _, buy in trades))
    np.testing.assert_array_equal(np.isnan(taken.bid_placed), np.isnan(delta.bid_orders))

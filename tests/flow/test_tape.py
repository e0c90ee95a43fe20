"""The tape's speed, its large trades and its sweeps: by hand, beside pandas, and for any tape."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.takers import TakerOrders, taker_orders
from orderflow.flow.tape import large_trades, sweeps, tape_speed
from orderflow.market.columns import Column, Index
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import MS, SECOND

# ── Speed ─────────────────────────────────────────────────────────────────────────────────────


def test_a_window_is_compared_with_the_median_of_those_before_it() -> None:
    # windows of 2 s from 0: 1, 3, 2 and 8 trades; the one at 8 s has not closed by 9 s
    time = np.array([0.5, 2, 2.5, 3.9, 4, 5, 6, 6, 6, 7, 7, 7, 7.9, 7.9, 8]) * SECOND
    quote = np.full(15, 10.0)
    found = tape_speed(time.astype(np.int64), quote, 0, 9 * SECOND, window=2 * SECOND, baseline=3, least=2)
    assert found.trades.tolist() == [1.0, 3.0, 2.0, 8.0]
    assert found.trades_per_s.tolist() == [0.5, 1.5, 1.0, 4.0]
    assert found.quote_per_s.tolist() == [5.0, 15.0, 10.0, 40.0]
    # medians: of (1, 3) = 2, of (1, 3, 2) = 2
    np.testing.assert_array_equal(found.usual_trades, [np.nan, np.nan, 2.0, 2.0])
    np.testing.assert_array_equal(found.quote_ratio, [np.nan, np.nan, 1.0, 4.0])
    assert found.known.tolist() == [2 * SECOND, 4 * SECOND, 6 * SECOND, 8 * SECOND]


def test_a_quiet_window_is_a_zero_and_one_in_a_gap_is_unknown() -> None:
    time = np.array([1, 2, 31])
    found = tape_speed(time, np.ones(3), 0, 50, window=10, baseline=4, least=1, gaps=[(25, 27)])
    np.testing.assert_array_equal(found.trades, [2.0, 0.0, np.nan, 1.0, 0.0])
    np.testing.assert_array_equal(found.usual_trades, [np.nan, 2.0, 1.0, 1.0, 1.0])  # median of 2, 0, 1 is 1
    # nothing is usual where the usual is nothing: no ratio
    silent = tape_speed(np.array([25]), np.ones(1), 0, 30, window=10, baseline=2, least=2)
    assert np.isnan(silent.trades_ratio[2])


def test_a_row_may_stand_for_several_trades() -> None:
    found = tape_speed(
        np.array([1, 2]), np.ones(2), 0, 10, window=10, baseline=1, least=1, count=np.array([3, 4])
    )
    assert found.trades.tolist() == [7.0]
    assert found.quote.tolist() == [2.0]


def test_no_windows_at_all_are_an_empty_answer_and_wrong_ones_are_refused() -> None:
    none = tape_speed(np.empty(0, dtype=np.int64), np.empty(0), 5, 12, window=10)
    assert len(none.start) == len(none.usual_quote) == 0
    with pytest.raises(InvalidArgument, match="windows of"):
        tape_speed(np.array([1]), np.ones(1), 0, 10, window=0)
    with pytest.raises(InvalidArgument, match="known"):
        tape_speed(np.array([1]), np.ones(1), 0, 10, window=1, baseline=2, least=3)
    earlier = tape_speed(np.array([1]), np.ones(1), 0, 10, window=10)
    with pytest.raises(InvalidArgument, match="before"):
        tape_speed(np.array([21]), np.ones(1), 20, 30, window=10, before=earlier)


times = st.lists(st.integers(0, 999), max_size=80).map(lambda found: np.sort(np.array(found, dtype=np.int64)))


@given(times, st.integers(1, 6), st.lists(st.tuples(st.integers(0, 999), st.integers(1, 60)), max_size=2))
def test_the_usual_speed_is_what_pandas_says(
    time: Index, baseline: int, holes: list[tuple[int, int]]
) -> None:
    gaps = [(begin, begin + length) for begin, length in holes]
    found = tape_speed(time, np.ones(len(time)), 0, 1000, window=20, baseline=baseline, least=1, gaps=gaps)
    usual = pd.Series(found.trades).shift(1).rolling(baseline, min_periods=1).median()
    np.testing.assert_allclose(found.usual_trades, usual.to_numpy())


@given(times, st.integers(0, 1000), st.integers(1, 6))
def test_going_on_and_cutting_change_nothing_of_the_speed(time: Index, cut: int, baseline: int) -> None:
    quote = time % 7 + 1.0
    rule: dict[str, Any] = {"window": 30, "baseline": baseline, "least": 1}
    whole = tape_speed(time, quote, 0, 1000, **rule)
    begun = int(np.searchsorted(time, cut))
    early = tape_speed(time[:begun], quote[:begun], 0, cut, **rule)
    late = tape_speed(time, quote, 30 * len(early.start), 1000, **rule, before=early)
    for first, second, both in zip(early[:-1], late[:-1], whole[:-1], strict=True):
        np.testing.assert_array_equal(np.concatenate([first, second]), both)


# ── Large trades ──────────────────────────────────────────────────────────────────────────────


def singles(time: Index, quote: Column) -> TakerOrders:
    """Orders of one fill each, at the price 1."""
    return taker_orders(time, np.ones(len(time)), quote, np.arange(len(time)) % 2 == 0)


def test_a_large_trade_is_an_order_and_not_a_fill() -> None:
    time, price = np.array([0, 0, 0, 5]), np.array([10.0, 10.0, 10.0, 10.0])
    orders = taker_orders(time, price, np.array([1.0, 2.0, 2.0, 4.9]), np.ones(4, dtype=np.bool_))
    found = large_trades(orders, min_quote=50.0)  # 10 + 20 + 20, the three together; 49 is not
    assert found.orders.quote.tolist() == [50.0]
    assert found.threshold.tolist() == [50.0]


def test_a_trailing_threshold_is_that_of_the_time_before() -> None:
    # each second one order: of 1, 2, … 10, then of 10 and 11 in the next window of 10 s
    time, quote = np.arange(12) * 10, np.append(np.arange(1.0, 11.0), [10.0, 11.0])
    found = large_trades(singles(time, quote), quantile=0.9, lookback=100, refresh=100, least=5)
    # numpy's 0.9 quantile of 1 … 10 is 9.1: both exceed it, and none of the first window is judged
    assert found.orders.start.tolist() == [100, 110]
    assert found.threshold.round(9).tolist() == [9.1, 9.1]


def test_equal_orders_are_never_large() -> None:
    found = large_trades(
        singles(np.arange(5000), np.full(5000, 3.0)), quantile=0.95, lookback=900, refresh=100, least=5
    )
    assert len(found.orders.start) == 0


def test_large_is_one_thing_or_the_other() -> None:
    orders = singles(np.arange(3), np.ones(3))
    for rule in ({}, {"min_quote": 1.0, "quantile": 0.5}, {"quantile": 1.0}, {"quantile": 0.5, "refresh": 0}):
        with pytest.raises(InvalidArgument):
            large_trades(orders, **rule)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=120), st.integers(0, 240), st.sampled_from([0.5, 0.9])
)
def test_cutting_the_tape_changes_no_large_trade_before_it(
    amounts: list[int], until: int, quantile: float
) -> None:
    time, quote = np.arange(len(amounts)) * 2, np.array(amounts, dtype=np.float64)
    begun = int(np.searchsorted(time, until))
    rule: dict[str, Any] = {"quantile": quantile, "lookback": 40, "refresh": 10, "least": 3}
    whole, early = (
        large_trades(singles(time, quote), **rule),
        large_trades(singles(time[:begun], quote[:begun]), **rule),
    )
    here = whole.orders.start < until
    assert whole.orders.start[here].tolist() == early.orders.start.tolist()
    assert whole.threshold[here].tolist() == early.threshold.tolist()
    assert (whole.orders.quote > whole.threshold).all()


# ── Sweeps ────────────────────────────────────────────────────────────────────────────────────


def test_a_sweep_takes_several_levels_within_a_few_milliseconds() -> None:
    fills = [
        (0, 100.0, 2.0, True), (2, 100.5, 1.0, True), (4, 101.0, 1.0, True),  # three levels in 4 ms
        (50, 101.0, 9.0, True), (60, 102.0, 9.0, True), (70, 103.0, 9.0, True),  # 10 ms apart: three orders
        (90, 99.0, 1.0, False), (90, 98.0, 1.0, False),  # two levels
    ]  # fmt: skip
    time, price, size, is_buy = (np.array(column) for column in zip(*fills, strict=True))
    found = sweeps(time * MS, price, size, is_buy)
    assert found.start.tolist() == [0]
    assert found.duration.tolist() == [4 * MS]
    assert (found.price_from[0], found.price_to[0], found.levels[0]) == (100.0, 101.0, 3)
    # 200 + 100.5 + 101 = 401.5 over 4 is 100.375: 37.5 basis points above 100
    assert found.slippage_bp.round(9).tolist() == [37.5]
    assert len(sweeps(time * MS, price, size, is_buy, min_levels=2).start) == 2
    assert len(sweeps(time * MS, price, size, is_buy, max_gap_ms=10).start) == 2
    assert len(sweeps(time * MS, price, size, is_buy, min_quote=401.6).start) == 0


def test_a_sweep_of_no_levels_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="levels"):
        sweeps(np.array([1]), np.ones(1), np.ones(1), np.array([True]), min_levels=0)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(-2, 2), st.booleans()), max_size=60), st.integers(1, 4)
)
def test_sweeps_are_those_orders_that_are_wide_enough(steps: list[tuple[int, int, bool]], least: int) -> None:
    time = np.cumsum([step for step, _, _ in steps], dtype=np.int64) * MS
    price = 100.0 + np.cumsum([move for _, move, _ in steps], dtype=np.int64)
    is_buy = np.array([side for _, _, side in steps], dtype=np.bool_)
    size = np.ones(len(steps))
    every = taker_orders(time, price, size, is_buy, max_gap=5 * MS)
    found = sweeps(time, price, size, is_buy, min_levels=least)
    assert found.start.tolist() == every.start[every.levels >= least].tolist()

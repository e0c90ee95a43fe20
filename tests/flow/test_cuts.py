"""Cuts: in which bar a trade lies, by hand, beside plain loops, and in pieces."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow import cuts as module
from orderflow.flow.cuts import START, Carry, Cut, delta_bars, range_bars, tick_bars, time_bars, volume_bars
from orderflow.market.columns import Column
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY, MINUTE
from tests.flow.fills import Fills, fills, some_fills


def test_bars_of_time_begin_at_their_origin_by_hand() -> None:
    time = np.array([0, MINUTE - 1, MINUTE, 2 * MINUTE + 1])
    assert time_bars(time, MINUTE).tolist() == [0, 0, 1, 2]
    assert time_bars(time, MINUTE, origin=MINUTE).tolist() == [-1, -1, 0, 1]
    monday = 4 * DAY  # 5 January 1970
    assert time_bars(np.array([monday - 1, monday]), 7 * DAY, origin=monday).tolist() == [-1, 0]


def test_bars_of_ticks_hold_so_many_trades_by_hand() -> None:
    one = tick_bars(np.ones(7, np.int64), 3)
    assert one.bar.tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert one.carry == Carry(2, 1.0)
    full = tick_bars(np.ones(6, np.int64), 3)
    assert (full.bar.tolist(), full.carry) == (
        [0, 0, 0, 1, 1, 1],
        Carry(2, 0.0),
    )  # bar 1 is known to be closed
    # rows of 2, 2, 1 and 5 trades: 2 + 2 reach 3 and are not split; 1 + 5 reach it again
    assert tick_bars(np.array([2, 2, 1, 5, 1]), 3).bar.tolist() == [0, 0, 1, 1, 2]


def test_bars_of_volume_close_with_the_trade_that_reaches_it_by_hand() -> None:
    # 4 + 7 = 11 ≥ 10 closes bar 0 with 1 too much, which is not carried; 10 alone is bar 1; 3 + 3 is open
    found = volume_bars(np.array([4.0, 7.0, 10.0, 3.0, 3.0]), 10.0)
    assert found.bar.tolist() == [0, 0, 1, 2, 2]
    assert found.carry == Carry(2, 6.0)


def test_a_volume_of_tenths_is_full_at_the_tenth_though_its_binary_sum_is_less() -> None:
    assert sum([0.1] * 10) < 1
    assert volume_bars(np.full(25, 0.1), 1.0).bar.tolist() == [0] * 10 + [1] * 10 + [2] * 5


def test_bars_of_delta_close_when_one_side_leads_by_so_much_by_hand() -> None:
    # running delta: 2, -1, 1, 5 (closes), then 0 - 3, -4, -5 (closes), then 1
    size = np.array([2.0, 3.0, 2.0, 4.0, 3.0, 1.0, 1.0, 1.0])
    is_buy = np.array([True, False, True, True, False, False, False, True])
    found = delta_bars(size, is_buy, 5.0)
    assert found.bar.tolist() == [0, 0, 0, 0, 1, 1, 1, 2]
    assert found.carry == Carry(2, 1.0)


def test_bars_of_range_hold_their_span_and_no_more_by_hand() -> None:
    # 100 to 102 is a range of 2; 102.5 would make 2.5 and opens bar 1; 100.5 to 102.5 is 2 again;
    # 100.25 opens bar 2; the jump to 110 opens bar 3, and there is none between
    price = np.array([101.0, 100.0, 102.0, 101.0, 102.5, 100.5, 100.25, 110.0])
    found = range_bars(price, 2.0)
    assert found.bar.tolist() == [0, 0, 0, 0, 1, 1, 2, 3]
    assert found.carry == Carry(3, 0.0, 110.0, 110.0)


def test_a_range_of_tenths_is_not_left_by_the_rounding_of_a_difference() -> None:
    assert 0.4 - 0.1 > 0.3
    assert range_bars(np.array([0.1, 0.4, 0.5]), 0.3).bar.tolist() == [0, 0, 1]


def by_sum(amounts: list[float], most: float) -> list[int]:
    bar, held, bars = 0, 0.0, list[int]()
    for one in amounts:
        held += one
        bars.append(bar)
        if abs(held) >= most:
            bar, held = bar + 1, 0.0
    return bars


def by_range(prices: list[float], span: float) -> list[int]:
    bar, high, low, bars = 0, -math.inf, math.inf, list[int]()
    for one in prices:
        high, low = max(high, one), min(low, one)
        if high - low > span:
            bar, high, low = bar + 1, one, one
        bars.append(bar)
    return bars


@given(some_fills(), st.integers(1, 100))
def test_bars_that_are_full_are_those_of_a_plain_loop(made: Fills, eighths: int) -> None:
    most = eighths / 8
    signed = np.where(made.is_buy, made.size, -made.size)
    plus = by_sum(made.size.tolist(), most)
    either = by_sum(signed.tolist(), most)
    assert volume_bars(made.size, most).bar.tolist() == plus
    assert delta_bars(made.size, made.is_buy, most).bar.tolist() == either
    assert tick_bars((8 * made.size).astype(np.int64), eighths).bar.tolist() == plus
    assert range_bars(made.price, most).bar.tolist() == by_range(made.price.tolist(), most)


WAYS: dict[str, Callable[[Fills, float, Carry], Cut]] = {
    "ticks": lambda made, most, carry: tick_bars(np.ones(len(made.time), np.int64), math.ceil(most), carry),
    "volume": lambda made, most, carry: volume_bars(made.size, most, carry),
    "dollars": lambda made, most, carry: volume_bars(made.size * made.price, 100 * most, carry),
    "delta": lambda made, most, carry: delta_bars(made.size, made.is_buy, most, carry),
    "range": lambda made, most, carry: range_bars(made.price, most, carry),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@given(made=some_fills(), eighths=st.integers(1, 100), at=st.integers(0, 60))
def test_trades_that_come_in_pieces_lie_in_the_bars_of_all_at_once(
    way: Callable[[Fills, float, Carry], Cut], made: Fills, eighths: int, at: int
) -> None:
    whole = way(made, eighths / 8, START)
    before = way(made.part(0, at), eighths / 8, START)
    after = way(made.part(at, len(made.time)), eighths / 8, before.carry)
    assert [*before.bar.tolist(), *after.bar.tolist()] == whole.bar.tolist()
    assert after.carry == whole.carry


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@given(made=some_fills(least=1), eighths=st.integers(1, 100))
def test_bars_are_numbered_one_after_the_other_and_those_before_the_carry_are_closed(
    way: Callable[[Fills, float, Carry], Cut], made: Fills, eighths: int
) -> None:
    found = way(made, eighths / 8, START)
    assert found.bar[0] == 0
    assert set(np.diff(found.bar).tolist()) <= {0, 1}
    assert found.carry.bar in (found.bar[-1], found.bar[-1] + 1)


@given(some_fills(least=1), st.integers(1, 16))
def test_no_bar_of_range_is_wider_than_its_span_and_each_opens_outside_the_last(
    made: Fills, quarters: int
) -> None:
    span = quarters / 4
    found = made.bars(range_bars(made.price, span).bar)
    assert (found.high - found.low <= span).all()
    outside = (found.open[1:] > found.high[:-1]) | (found.open[1:] < found.low[:-1])
    assert outside.all()


@given(some_fills(least=1), st.integers(1, 100))
def test_closed_bars_of_volume_are_full_and_would_not_be_without_their_last_trade(
    made: Fills, eighths: int
) -> None:
    cut = volume_bars(made.size, eighths / 8)
    closed = cut.bar < cut.carry.bar
    for number in set(cut.bar[closed].tolist()):
        sizes = made.size[cut.bar == number]
        assert sizes.sum() >= eighths / 8 > sizes[:-1].sum()


def test_bars_that_are_full_are_those_of_a_plain_loop_over_many_windows_and_blocks() -> None:
    chance = np.random.default_rng(5)
    rows = 2 * module._BLOCK + 1_000
    size = chance.integers(1, 80, rows) / 8
    price = 100 + np.cumsum(chance.integers(-1, 2, rows)) / 4
    is_buy = chance.random(rows) < 0.5
    signed: Column = np.where(is_buy, size, -size)
    for most in (3.0, 400.0, 50_000.0):
        plus = by_sum(size.tolist(), most)
        either = by_sum(signed.tolist(), most)
        assert volume_bars(size, most).bar.tolist() == plus
        assert delta_bars(size, is_buy, most).bar.tolist() == either
        assert range_bars(price, most / 4).bar.tolist() == by_range(price.tolist(), most / 4)


@pytest.mark.parametrize("most", [0.0, -1.0, math.nan, math.inf])
def test_a_threshold_that_closes_no_bar_is_refused(most: float) -> None:
    one = np.ones(1)
    for cut in (
        lambda: volume_bars(one, most),
        lambda: delta_bars(one, one > 0, most),
        lambda: range_bars(one, most),
        lambda: tick_bars(np.ones(1, np.int64), most),  # type: ignore[arg-type]
    ):
        with pytest.raises(InvalidArgument, match="closes no bar"):
            cut()
    with pytest.raises(InvalidArgument, match="no length"):
        time_bars(np.ones(1, np.int64), 0)


def test_a_size_that_is_unknown_fills_no_bar() -> None:
    unknown = np.array([1.0, np.nan])
    for cut in (
        lambda: volume_bars(unknown, 5.0),
        lambda: delta_bars(unknown, unknown > 0, 5.0),
        lambda: range_bars(unknown, 5.0),
    ):
        with pytest.raises(InvalidArgument, match="unknown"):
            cut()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_trades_leave_the_open_bar_as_it_is(way: Callable[[Fills, float, Carry], Cut]) -> None:
    before = way(fills((0, 100.0, 1.0)), 5.0, START)
    found = way(fills(), 5.0, before.carry)
    assert (len(found.bar), found.carry) == (0, before.carry)

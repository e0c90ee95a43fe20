"""The zigzag: by hand, and what can never be."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.swings import Bars
from orderflow.flow.zigzag import RunningZigzag, Turn, Zigzag, zigzag, zigzag_of_atr
from orderflow.market.errors import InvalidArgument
from tests.flow.random_bars import CUTS, LENGTH, bars, first, lines, pieces, walks

PERCENTS = st.sampled_from([1.0, 2.0, 3.5, 8.0])


def turns(found: Zigzag) -> list[tuple[str, int, float, int | None]]:
    return [(one.kind, one.bar, one.price, one.confirmed) for one in found.turns]


def test_highs_and_lows_count_and_not_closes() -> None:
    # 10 %: the low of 99 is confirmed by a high of 110 (99 × 1.1 = 108.9), that one by a low of 99 = 110 × 0.9
    found = zigzag(
        bars((101, 99, 100), (110, 103, 104), (108, 100, 101), (104, 99, 103), (108, 102, 104)), 10
    )
    assert turns(found) == [("low", 0, 99.0, 1), ("high", 1, 110.0, 3)]
    assert found.developing is not None
    assert (found.developing.kind, found.developing.price, found.developing.confirmed) == ("low", 99.0, None)
    assert (found.turns[1].time, found.turns[1].confirmed_time) == (LENGTH, 4 * LENGTH)


def test_a_bar_that_goes_on_with_the_leg_does_not_end_it() -> None:
    # 120 and 100 are of one bar: which came first is not known; the next bar's 100 came after the high for sure
    found = zigzag(bars((100, 100, 100), (112, 110, 111), (120, 100, 105), (106, 100, 104)), 10)
    assert turns(found) == [("low", 0, 100.0, 1), ("high", 2, 120.0, 3)]


def test_the_first_leg_may_go_down_and_of_both_ways_goes_to_the_close() -> None:
    assert turns(zigzag(lines(100, 95, 89), 10)) == [("high", 0, 100.0, 2)]
    assert turns(zigzag(bars((100, 98, 99), (111, 88, 110)), 10)) == [("low", 0, 98.0, 1)]
    assert turns(zigzag(bars((100, 98, 99), (111, 88, 89)), 10)) == [("high", 0, 100.0, 1)]


def test_of_equal_extremes_the_first_counts_and_unknown_bars_are_passed_over() -> None:
    assert turns(zigzag(lines(100, 112, np.nan, 112, 100), 10)) == [
        ("low", 0, 100.0, 1),
        ("high", 1, 112.0, 4),
    ]
    assert turns(zigzag(lines(np.nan, 100, 112), 10)) == [("low", 1, 100.0, 2)]


def test_no_leg_has_no_turns_and_no_percentage_is_refused() -> None:
    assert zigzag(lines(), 10) == zigzag(lines(100, 101), 10) == Zigzag((), None)
    for percent in (0.0, -1.0, 100.0, np.nan):
        with pytest.raises(InvalidArgument):
            zigzag(lines(1, 2), percent)


@given(path=walks(), percent=PERCENTS, cut=st.integers(0, 60))
def test_nothing_is_redrawn(path: Bars, percent: float, cut: int) -> None:
    early, whole = zigzag(first(path, cut), percent), zigzag(path, percent)
    assert early.turns == tuple(
        one for one in whole.turns if one.confirmed is not None and one.confirmed < cut
    )


@given(path=walks(), percent=PERCENTS)
def test_legs_alternate_and_go_the_percentage(path: Bars, percent: float) -> None:
    found = zigzag(path, percent).turns
    for one, other in zip(found, found[1:], strict=False):
        assert one.kind != other.kind
        assert one.bar < other.bar
        low, high = sorted((one.price, other.price))
        if other.kind == "high":
            assert high >= low * (1 + percent / 100)
        else:
            assert low <= high * (1 - percent / 100)


@given(path=walks(), percent=PERCENTS)
def test_a_turn_is_the_extreme_of_its_leg(path: Bars, percent: float) -> None:
    found = zigzag(path, percent).turns
    for before, one in zip(found, found[1:], strict=False):
        assert one.confirmed is not None
        leg = slice(before.bar + 1, one.confirmed + 1)
        extreme = path.high[leg] if one.kind == "high" else -path.low[leg]
        # the bar of the turn before may have gone on with its leg; from the next one the leg is this one's
        assert abs(one.price) == abs(extreme.max())
        assert one.bar == before.bar + 1 + int(np.argmax(extreme))


# ── Legs of so many ATRs ──────────────────────────────────────────────────────────────────────


def test_a_leg_of_two_atrs_by_hand() -> None:
    # closes without a range: true ranges 4, 4, 4, 2, 6; ATR of 1 bar is the last of them
    # 12 bars later: 104 − 100 is no 2 × 4, 108 − 100 is, 112 the high; 110 is 2 below it and 2 × 2 = 4,
    # 104 is 8 below it and 2 × 6 = 12 would be due: the leg goes on
    path = lines(100, 104, 108, 112, 110, 104)
    assert turns(zigzag_of_atr(path, 2, 1)) == [("low", 0, 100.0, 2)]
    # one ATR: 104 is up by 4; 110 is down by 2 of 2
    assert turns(zigzag_of_atr(path, 1, 1)) == [("low", 0, 100.0, 1), ("high", 3, 112.0, 4)]


def test_without_an_atr_nothing_turns() -> None:
    path = lines(100, 150, 80, 150, 80)
    assert zigzag_of_atr(path, 1, 5) == Zigzag((), None)
    wrongs: list[dict[str, Any]] = [
        {},
        {"percent": 1.0, "multiple": 1.0},
        {"multiple": 0.0},
        {"multiple": np.inf},
    ]
    for wrong in wrongs:
        with pytest.raises(InvalidArgument):
            RunningZigzag(**wrong)


@given(path=walks(unknown=True), multiple=st.sampled_from([0.5, 1.5, 3.0]), cut=st.integers(0, 60))
def test_nothing_is_redrawn_of_legs_of_atrs(path: Bars, multiple: float, cut: int) -> None:
    early, whole = zigzag_of_atr(first(path, cut), multiple, 3), zigzag_of_atr(path, multiple, 3)
    assert early.turns == tuple(
        one for one in whole.turns if one.confirmed is not None and one.confirmed < cut
    )


@given(path=walks(unknown=True), atr=st.booleans(), cuts=CUTS)
def test_bars_that_come_in_pieces_have_the_zigzag_of_all_of_them(
    path: Bars, atr: bool, cuts: list[int]
) -> None:
    running = RunningZigzag(multiple=1.5, period=3) if atr else RunningZigzag(percent=2.0)
    told: list[Turn] = []
    for piece in pieces(path, cuts):
        told += running.take(piece)
    whole = zigzag_of_atr(path, 1.5, 3) if atr else zigzag(path, 2.0)
    assert running.found == whole
    assert tuple(told) == whole.turns


def test_a_bar_is_taken_once() -> None:
    running = RunningZigzag(percent=5.0)
    running.take(lines(100, 104))
    with pytest.raises(InvalidArgument):
        running.take(lines(100, 104))

"""The point of control and the value area, by hand and beside a plain reading of the rule in whole numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.value_area import Bin, poc, value_area
from orderflow.market.errors import InvalidArgument

amounts = st.lists(st.integers(0, 40), min_size=1, max_size=40).filter(any)
shares = st.sampled_from([0.1, 0.5, 0.68, 0.7, 0.9, 1.0])
steps = st.sampled_from([1, 2, 3])


def column(*amount: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(amount, dtype=np.float64)


def ends(amount: list[float], share: float = 0.7, rows: int = 2) -> tuple[int, int]:
    found = value_area(column(*amount), share=share, rows=rows)
    assert found is not None
    return found.val.number, found.vah.number


# ── By hand ───────────────────────────────────────────────────────────────────────────────────


def test_two_bins_above_are_weighed_against_two_below() -> None:
    # the whole is 23, 70 % of it 16.1. POC: bin 3 with 10.
    # above 4 + 2 = 6, below 3 + 2 = 5: above, 16. above 1 (the last), below 5: below, 21, enough
    found = value_area(column(1, 2, 3, 10, 4, 2, 1))
    assert found is not None
    assert (found.poc.bin.number, found.val.number, found.vah.number) == (3, 1, 5)
    assert (found.amount, found.share) == (21.0, 21 / 23)


def test_one_bin_at_a_time_ends_narrower() -> None:
    # 10, above 4 against 3: 14, above 2 against 3: 17 of 16.1
    assert ends([1, 2, 3, 10, 4, 2, 1], rows=1) == (2, 4)


def test_the_poc_of_equal_bins_is_the_one_nearest_to_the_middle_then_the_lower() -> None:
    middle, lower = poc(column(5, 1, 5, 0, 1)), poc(column(1, 5, 2, 5, 1))
    assert middle is not None and lower is not None
    assert (middle.bin.number, middle.tied) == (2, True)
    assert (lower.bin.number, lower.tied) == (1, True)
    alone = poc(column(1, 5, 2))
    assert alone is not None and not alone.tied and alone.share == 5 / 8


def test_of_equal_pairs_the_upper_is_taken_unless_it_reaches_farther() -> None:
    # 22, 70 % is 15.4: above 6, below 6, both begin at the POC: above
    assert ends([3, 3, 10, 3, 3]) == (2, 4)
    # 28, 85 % is 23.8: above 16, below 6 against 3: 22, then 3 against 3, and both reach 2 bins: above 25
    assert ends([3, 3, 3, 10, 3, 3, 3], share=0.85) == (1, 6)


def test_a_gap_is_crossed_on_both_sides_in_turn() -> None:
    # 18, 70 % is 12.6; POC 10 in bin 4. 0 against 0: above, to 6. 0 against 0: below, which reaches less far, to 2.
    # 0 against 0 + 4: below, to 0: 14
    assert ends([4, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 4]) == (0, 6)


def test_where_the_range_ends_the_other_side_is_taken() -> None:
    # 15, 90 % is 13.5: 5, then only above: 4 + 3 = 12, 2 + 1 = 15
    assert ends([5, 4, 3, 2, 1], share=0.9) == (0, 4)
    assert ends([7]) == (0, 0)


def test_bins_have_their_low_centre_and_high() -> None:
    found = value_area(column(1, 10, 1), first=859, width=70.0)
    assert found is not None
    assert found.poc.bin == Bin(860, 60_200.0, 60_235.0, 60_270.0)


def test_of_nothing_and_of_the_unknown_there_is_no_poc() -> None:
    for amount in (column(), column(0, 0), column(1, np.nan, 2), column(1, np.inf)):
        assert poc(amount) is None
        assert value_area(amount) is None


@pytest.mark.parametrize("share", [0.0, -0.1, 70.0, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(InvalidArgument, match="cannot hold"):
        value_area(column(1), share=share)


def test_a_step_of_no_bins_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="no step"):
        value_area(column(1), rows=0)


# ── What can never be ─────────────────────────────────────────────────────────────────────────


@given(amounts, shares, steps)
def test_the_area_holds_its_share_and_would_not_without_what_was_taken_last(
    amount: list[int], share: float, rows: int
) -> None:
    found = value_area(column(*amount), share=share, rows=rows)
    assert found is not None
    low, high, control = found.val.number, found.vah.number, found.poc.bin.number
    assert low <= control <= high
    assert amount[control] == max(amount)
    assert found.amount == sum(amount[low : high + 1])
    assert found.share >= share - 1e-9
    trimmed = [amount[min(low + one, control) : high + 1] for one in range(1, rows + 1)]
    trimmed += [amount[low : max(high - one, control) + 1] for one in range(1, rows + 1)]
    assert low == high or min(map(sum, trimmed)) < share * sum(amount)


@given(amounts, shares, steps)
def test_it_is_what_the_rule_says_in_whole_numbers(amount: list[int], share: float, rows: int) -> None:
    assert ends([float(one) for one in amount], share, rows) == plainly(amount, share, rows)


@given(amounts, shares, steps, st.floats(1e-6, 1e6))
def test_neither_the_unit_nor_the_rounding_of_sums_decides(
    amount: list[int], share: float, rows: int, unit: float
) -> None:
    noise = 1 + 1e-14 * np.cos(np.arange(len(amount)))
    scaled = column(*amount) * unit * noise
    found = value_area(scaled, share=share, rows=rows)
    assert found is not None
    assert (found.val.number, found.vah.number) == plainly(amount, share, rows)


@given(amounts)
def test_the_poc_is_tied_if_and_only_if_another_bin_has_as_much(amount: list[int]) -> None:
    found = poc(column(*amount))
    assert found is not None
    assert found.tied == (amount.count(max(amount)) > 1)


def plainly(amount: list[int], share: float, rows: int) -> tuple[int, int]:
    """The rule again, by sets of bins and in exact numbers."""
    middle = (len(amount) - 1) / 2
    control = min(range(len(amount)), key=lambda one: (-amount[one], abs(one - middle), one))
    held, wanted = {control}, round(share * 100) * sum(amount)
    while 100 * sum(amount[one] for one in held) < wanted:
        above = [one for one in range(max(held) + 1, max(held) + 1 + rows) if one < len(amount)]
        below = [one for one in range(min(held) - rows, min(held)) if one >= 0]
        sides = [
            (-sum(amount[one] for one in side), reach, turn, side)
            for turn, (side, reach) in enumerate([(above, max(held) - control), (below, control - min(held))])
            if side
        ]
        held.update(min(sides)[3])
    return min(held), max(held)

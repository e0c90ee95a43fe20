"""Levels: prices as whole numbers of steps, as everyone who trades counts them."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.levels import decimals, levels, prices, round_step
from orderflow.market.errors import InvalidArgument

STEPS = st.sampled_from(["0.00000001", "0.00025", "0.01", "0.05", "0.1", "0.5", "1", "2.5", "5", "70"])


def test_a_level_reaches_from_its_price_to_below_the_next_by_hand() -> None:
    # steps of 70: 60 000 / 70 = 857.14…, so level 857 from 59 990 to below 60 060
    assert levels(np.array([59_989.9, 59_990.0, 60_000.0, 60_059.9, 60_060.0]), 70.0).tolist() == [
        856, 857, 857, 857, 858,
    ]  # fmt: skip
    assert prices(np.array([857, 858]), 70.0).tolist() == [59_990.0, 60_060.0]


def test_a_price_on_a_step_lies_at_it_though_its_quotient_lies_below() -> None:
    assert 0.3 / 0.1 < 3  # what makes it hard
    assert levels(np.array([0.3, 0.7, 1.1]), 0.1).tolist() == [3, 7, 11]
    assert prices(np.array([3, 7, 11]), 0.1).tolist() == [0.3, 0.7, 1.1]


def test_prices_below_nothing_have_levels_too() -> None:
    assert levels(np.array([-0.1, -0.05, 0.05]), 0.1).tolist() == [-1, -1, 0]  # calendar spreads trade there


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=50), STEPS)
def test_what_is_written_with_a_step_is_read_back_the_same(number: list[int], step: str) -> None:
    written = np.array([float(one * Decimal(step)) for one in number])
    assert levels(written, float(step)).tolist() == number
    assert prices(np.array(number), float(step)).tolist() == written.tolist()


@given(st.lists(st.integers(1, 10**8), min_size=1, max_size=50), st.integers(2, 100))
def test_the_level_of_a_wider_step_is_the_level_divided(ticks: list[int], times: int) -> None:
    price = np.array([float(one * Decimal("0.1")) for one in ticks])
    wide = float(times * Decimal("0.1"))
    assert levels(price, wide).tolist() == (levels(price, 0.1) // times).tolist()


@pytest.mark.parametrize("step", [0.0, -0.1, float("nan"), float("inf")])
def test_a_step_that_is_none_is_refused(step: float) -> None:
    with pytest.raises(InvalidArgument, match="no step"):
        levels(np.array([1.0]), step)


@pytest.mark.parametrize("price", [float("nan"), float("inf")])
def test_a_price_that_is_unknown_lies_at_no_level(price: float) -> None:
    with pytest.raises(InvalidArgument, match="unknown"):
        levels(np.array([1.0, price]), 0.1)


def test_no_prices_have_no_levels() -> None:
    assert levels(np.empty(0), 0.1).tolist() == []


@given(STEPS)
def test_a_step_has_as_many_decimals_as_it_is_written_with(step: str) -> None:
    assert decimals(float(step)) == max(0, -int(Decimal(step).normalize().as_tuple().exponent))


@given(
    st.floats(1e-6, 1e6), st.floats(0, 0.5), st.sampled_from([None, 0.01, 0.1, 0.5, 1.0]), st.integers(1, 500)
)
def test_a_round_step_is_whole_ticks_and_fine_enough(
    low: float, share: float, tick: float | None, most: int
) -> None:
    high = low * (1 + share)
    step = round_step(low, high, tick, most)
    assert step > 0 and (high - low) / step <= most * (1 + 1e-6)
    if tick is not None:
        assert abs(step / tick - round(step / tick)) < 1e-6

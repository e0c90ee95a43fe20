"""Lead and lag, filling, settlements: worked by hand, and what must hold of any series."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.filling import Filled, settlements, slippage_bps, walk
from orderflow.flow.leadlag import lead_lag, sampled


def test_a_grid_holds_the_last_price_known_before_each_step_ends() -> None:
    times, prices = np.array([5, 10, 31]), np.array([1.0, 2.0, 3.0])
    # steps end at 10, 20, 30, 40: at 10 the price of 10 itself is not yet known
    assert sampled(times, prices, 0, 10, 4).tolist() == [1.0, 2.0, 2.0, 3.0]
    assert isnan(sampled(np.array([15]), np.array([1.0]), 0, 10, 1)[0])


@pytest.mark.parametrize("lag", [-3, 0, 2])
def test_a_series_that_is_shifted_leads_by_the_shift(lag: int) -> None:
    walked = np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.001, 500)))
    first, second = walked[10:-10], walked[10 - lag : len(walked) - 10 - lag]
    found = lead_lag(first, second, 5)
    assert found.best == lag and found.correlation == pytest.approx(1.0)
    if lag:
        assert found.ratio is not None and (found.ratio > 1) == (lag > 0)


def test_too_few_returns_and_a_price_that_stands_still_say_nothing() -> None:
    assert lead_lag(np.ones(20), np.ones(20), 2).best is None
    still = lead_lag(np.ones(100), np.exp(np.random.default_rng(2).normal(0, 0.01, 100)), 2)
    assert still.correlation is None and still.ratio is None


@given(st.integers(0, 1000))
def test_swapping_the_markets_mirrors_the_lags(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = (np.exp(np.cumsum(rng.normal(0, 0.01, 80))) for _ in range(2))
    ahead, behind = lead_lag(one, other, 3), lead_lag(other, one, 3)
    assert ahead.correlations == pytest.approx(behind.correlations[::-1])


def test_a_walk_pays_each_level_in_turn() -> None:
    # 100 for the first coin, 55 of the second at 110 buy half a coin: 155 / 1.5
    assert walk([(100.0, 1.0), (110.0, 1.0)], 155.0) == Filled(1.5, pytest.approx(155 / 1.5), False)
    short = walk([(100.0, 1.0)], 155.0)
    assert (short.size, short.average, short.exhausted) == (1.0, 100.0, True)
    assert isnan(walk([], 1.0).average)
    assert slippage_bps(100.0, 99.0) == pytest.approx(100.0)  # selling below the touch costs, too


@given(
    st.lists(st.tuples(st.floats(1, 1e5), st.floats(1e-3, 1e3)), min_size=1, max_size=10),
    st.floats(1e-2, 1e8),
)
def test_a_walk_never_spends_more_than_it_may(levels: list[tuple[float, float]], value: float) -> None:
    asks = sorted(levels)
    found = walk(asks, value)
    assert found.size * found.average <= value * (1 + 1e-9)
    assert asks[0][0] * (1 - 1e-9) <= found.average <= asks[-1][0] * (1 + 1e-9)


def test_settlements_are_counted_to_the_exit_and_not_before_now() -> None:
    assert settlements(0, 24, 8, 8) == 3  # at 8, 16 and 24
    assert settlements(8, 24, 8, 8) == 2  # that of now is over
    assert settlements(0, 7, 8, 8) == 0
    assert settlements(100, 101, 4, 1) == 1  # told long ago: counted on from there

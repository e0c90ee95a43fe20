"""Divergence: swings of the price that the CVD does not go along with, by hand and never before they are known."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.bars import Bars, no_bars
from orderflow.flow.divergence import Divergences, divergences
from orderflow.market.errors import InvalidArgument
from tests.flow.fills import Fills, fills, same, some_fills


def trail(*rows: tuple[float, float]) -> Bars:
    """Bars of ten with one trade each, written as (price, delta)."""
    made = fills(*((10 * place, price, delta) for place, (price, delta) in enumerate(rows)))
    return made.bars(made.every(10)).on_grid(10, 0, 0, len(rows))


def test_a_higher_high_on_less_buying_is_bearish_by_hand() -> None:
    # swing highs at bars 1 (102) and 4 (103); between them the deltas are -3, -1, +2: CVD is 2 lower
    bars = trail((100, 1), (102, 5), (101, -3), (100, -1), (103, 2), (101, -1), (99, -1))
    found = divergences(bars, left=1, right=1)
    assert (found.bullish.tolist(), found.hidden.tolist()) == ([False], [False])
    assert (found.first.tolist(), found.second.tolist()) == ([1], [4])
    assert (found.first_price.tolist(), found.second_price.tolist()) == ([102.0], [103.0])
    assert found.cvd_change.tolist() == [-2.0]
    assert (found.known_bar.tolist(), found.known.tolist()) == ([5], [60])  # when bar 5 has closed


def test_a_lower_low_on_less_selling_is_bullish_by_hand() -> None:
    bars = trail((100, -1), (98, -5), (99, 3), (100, 1), (97, -2), (99, 1), (101, 1))
    found = divergences(bars, left=1, right=1)
    assert (found.bullish.tolist(), found.hidden.tolist()) == ([True], [False])
    assert (found.first.tolist(), found.second.tolist(), found.cvd_change.tolist()) == ([1], [4], [2.0])


def test_a_lower_high_on_more_buying_is_hidden_bearish() -> None:
    bars = trail((100, 1), (103, 5), (101, -3), (100, -1), (102, 9), (101, -1))
    found = divergences(bars, left=1, right=1)
    assert (found.bullish.tolist(), found.hidden.tolist(), found.cvd_change.tolist()) == (
        [False],
        [True],
        [5.0],
    )


def test_in_quote_units_the_change_is_that_of_money() -> None:
    bars = trail((100, 1), (102, 5), (101, -3), (100, -1), (103, 2), (101, -1))
    assert divergences(bars, 1, 1, unit="quote").cvd_change.tolist() == [-303.0 - 100.0 + 206.0]


def test_swings_that_are_too_far_apart_are_not_compared() -> None:
    bars = trail((100, 1), (102, 5), (101, -3), (100, -1), (103, 2), (101, -1))
    assert len(divergences(bars, 1, 1, most=3).known) == 1
    assert len(divergences(bars, 1, 1, most=2).known) == 0


def test_a_change_within_rounding_is_none() -> None:
    assert 0.1 + 0.2 - 0.3 > 0
    bars = trail((103, 1), (104, 1), (101, 0.1), (100, 0.2), (103, -0.3), (101, 1))
    assert len(divergences(bars, 1, 1).known) == 0


def test_nothing_is_claimed_across_a_bar_that_is_unknown() -> None:
    bars = trail((100, 1), (102, 5), (101, -3), (100, -1), (103, 2), (101, -1))
    sell = bars.sell.copy()
    sell[2] = np.nan
    assert len(divergences(bars._replace(sell=sell), 1, 1).known) == 0


def test_of_equal_highs_the_first_is_the_swing() -> None:
    bars = trail((100, 1), (102, 5), (102, -3), (100, -1), (103, 1), (101, -1))
    assert divergences(bars, 1, 1).first.tolist() == [1]


def test_too_few_bars_have_no_swings() -> None:
    assert len(divergences(no_bars()).known) == 0
    assert len(divergences(trail((100, 1), (101, 1), (100, 1)), 2, 2).known) == 0
    with pytest.raises(InvalidArgument, match="both sides"):
        divergences(no_bars(), left=0)


def by_loop(bars: Bars, left: int, right: int, most: int) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for bullish, price, sign in ((False, bars.high, 1), (True, bars.low, -1)):
        last = None
        for row in range(left, len(price) - right):
            before, after = sign * price[row - left : row], sign * price[row + 1 : row + right + 1]
            one = sign * price[row]
            if np.isnan(one) or (before >= one).any() or (after > one).any():
                continue
            if last is not None and row - last <= most:
                change = bars.delta[last + 1 : row + 1].sum()
                farther = one > sign * price[last]
                against, along = sign * change < 0, sign * change > 0
                if (farther and against) or (one < sign * price[last] and along):
                    found.append((row, bullish, not farther, last, float(change), row + right))
            last = row
    return sorted(found)


def shown(found: Divergences) -> list[tuple[Any, ...]]:
    columns = (found.second, found.bullish, found.hidden, found.first, found.cvd_change, found.known_bar)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def gridded(made: Fills, length: int) -> Bars:
    bar = made.every(length)
    return made.bars(bar).on_grid(length, 0, 0, int(bar[-1]) + 1 if len(bar) else 0)


SIDES = st.integers(1, 3)
MANY = some_fills(most=150, spread=6)


@given(MANY, st.integers(5, 40), SIDES, SIDES, st.integers(1, 12))
def test_divergences_are_those_of_a_plain_loop(
    made: Fills, length: int, left: int, right: int, most: int
) -> None:
    bars = gridded(made, length)
    assert shown(divergences(bars, left, right, most)) == by_loop(bars, left, right, most)


@given(MANY, st.integers(5, 40), SIDES, SIDES, st.integers(1, 12), st.integers(0, 150))
def test_bars_to_come_change_nothing_that_was_known(
    made: Fills, length: int, left: int, right: int, most: int, known: int
) -> None:
    bars = gridded(made, length)
    whole = divergences(bars, left, right, most)
    then = divergences(bars.rows(slice(0, known)), left, right, most)
    same(tuple(then), tuple(column[whole.known_bar < known] for column in whole))


@given(MANY, st.integers(5, 40), SIDES, SIDES, st.integers(1, 12), st.integers(0, 150))
def test_to_go_on_the_last_bars_are_enough(
    made: Fills, length: int, left: int, right: int, most: int, known: int
) -> None:
    bars = gridded(made, length)
    whole = divergences(bars, left, right, most)
    went_on = divergences(bars.rows(slice(max(0, known - most - left - right), None)), left, right, most)
    assert [one for one in shown(went_on) if one[-1] >= known] == [
        one for one in shown(whole) if one[-1] >= known
    ]

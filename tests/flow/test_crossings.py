"""The first bar beyond a level, beside a search bar by bar."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.crossings import NEVER, first_above, first_below, first_reaching

VALUES = st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.0, math.nan]), max_size=40)
ASKED = st.lists(
    st.tuples(st.integers(0, 45), st.sampled_from([0.0, 1.0, 2.5, 3.0, 4.0, math.nan])), max_size=20
)


def search(values: list[float], start: int, level: float, *, reaching: bool) -> int:
    for bar in range(start, len(values)):
        if values[bar] > level or (reaching and values[bar] == level):
            return bar
    return NEVER


@given(values=VALUES, asked=ASKED)
def test_it_is_the_first_bar_that_a_search_finds(values: list[float], asked: list[tuple[int, float]]) -> None:
    value = np.array(values, dtype=np.float64)
    start = np.array([one for one, _ in asked], dtype=np.int64)
    level = np.array([one for _, one in asked], dtype=np.float64)
    above = [search(values, at, one, reaching=False) for at, one in asked]
    assert first_above(value, start, level).tolist() == above
    reaching = [search(values, at, one, reaching=True) for at, one in asked]
    assert first_reaching(value, start, level).tolist() == reaching
    below = [search([-one for one in values], at, -one, reaching=False) for at, one in asked]
    assert first_below(value, start, level).tolist() == below


@given(values=VALUES, asked=ASKED, more=VALUES)
def test_what_was_found_is_found_whatever_comes_after(
    values: list[float], asked: list[tuple[int, float]], more: list[float]
) -> None:
    start = np.array([one for one, _ in asked], dtype=np.int64)
    level = np.array([one for _, one in asked], dtype=np.float64)
    early = first_above(np.array(values, dtype=np.float64), start, level)
    later = first_above(np.array(values + more, dtype=np.float64), start, level)
    np.testing.assert_array_equal(later[early != NEVER], early[early != NEVER])
    assert np.all((later[early == NEVER] == NEVER) | (later[early == NEVER] >= len(values)))

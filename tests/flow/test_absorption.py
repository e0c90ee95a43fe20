"""Absorption: takers who pressed on at an extreme in vain, by hand and beside a plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.absorption import absorption
from orderflow.flow.bars import no_bars
from orderflow.flow.cells import no_cells
from orderflow.flow.footprint import footprint
from orderflow.flow.levels import levels
from orderflow.market.errors import InvalidArgument
from tests.flow.fills import STEP, Fills, fills, some_fills
from tests.flow.test_footprint import of

# from 100 up to 101.25 (6 levels), where 8 + 4 are bought against 1 sold, and back to 100.25
UP = fills(
    (0, 100.0, 1.0), (1, 100.5, 1.0), (2, 101.25, 8.0), (3, 101.0, 4.0), (4, 101.0, -1.0), (5, 100.25, -5.0),
)  # fmt: skip


def test_buying_into_the_high_that_falls_back_is_absorbed_by_sellers_by_hand() -> None:
    found = absorption(of(UP), levels=2)
    # levels 404 and 405: 12 of 20 bought, 60 %, 12 times what was sold; closed at 401, below 404 - 1
    assert (found.high.tolist(), found.low.tolist()) == ([True], [False])
    assert (found.levels.tolist(), found.high_volume.tolist()) == ([2], [12.0])
    assert (found.high_quote.tolist(), found.high_share.tolist()) == ([8 * 101.25 + 4 * 101.0], [0.6])
    # at the low 400 and 401: 5 sold there, a quarter of 20, but the bar closed among them
    assert (found.low_volume.tolist(), found.low_share.tolist()) == ([5.0], [0.25])


def test_selling_into_the_low_that_comes_back_is_absorbed_by_buyers() -> None:
    down = UP._replace(price=201.25 - UP.price, is_buy=~UP.is_buy)  # 101.25 becomes 100, 100 becomes 101.25
    found = absorption(of(down), levels=2)
    assert (found.high.tolist(), found.low.tolist()) == ([False], [True])
    assert found.low_volume.tolist() == [12.0]


@pytest.mark.parametrize(
    ("more", "there"),
    [
        ({"min_share": 0.6}, True),
        ({"min_share": 0.61}, False),
        ({"ratio": 12.0}, True),
        ({"ratio": 12.1}, False),
        ({"away": 3}, True),  # closed at 401 = 404 - 3
        ({"away": 4}, False),
        ({"min_volume": 12.0}, True),
        ({"min_volume": 12.5}, False),
    ],
)
def test_each_parameter_has_its_bound(more: dict[str, float], there: bool) -> None:
    assert absorption(of(UP), levels=2, **more).high.tolist() == [there]  # type: ignore[arg-type]


def test_the_levels_looked_at_are_at_most_half_of_the_bar() -> None:
    assert absorption(of(UP), levels=9).levels.tolist() == [3]
    assert absorption(of(fills((0, 100.0, 5.0))), levels=9).levels.tolist() == [1]


def test_a_bar_of_one_level_absorbs_nothing_nor_does_an_empty_one() -> None:
    made = fills((0, 100.0, 5.0))
    bars = made.bars(made.every(10)).on_grid(10, 0, 0, 2)
    found = absorption(footprint(made.cells(made.every(10)), bars, STEP))
    assert (found.high.tolist(), found.low.tolist()) == ([False, False], [False, False])
    np.testing.assert_array_equal(found.high_share, [1.0, np.nan])
    assert len(absorption(footprint(no_cells(), no_bars(), STEP)).high) == 0


def test_of_a_bar_whose_close_is_unknown_nothing_is_claimed() -> None:
    known = of(UP)
    blind = known._replace(bars=known.bars._replace(close=np.array([np.nan])))
    assert (absorption(known, 2).high.tolist(), absorption(blind, 2).high.tolist()) == ([True], [False])


@pytest.mark.parametrize("wrong", [{"levels": 0}, {"away": 0}, {"ratio": -1.0}, {"min_share": 25.0}])
def test_parameters_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidArgument):
        absorption(of(UP), **wrong)  # type: ignore[arg-type]


@given(some_fills(), st.integers(40, 400), st.integers(1, 4), st.integers(0, 8), st.integers(1, 3))
def test_absorption_is_that_of_a_plain_loop(
    made: Fills, length: int, most: int, eighth: int, away: int
) -> None:
    step = of(made, length)
    found = absorption(step, most, min_share=eighth / 8, ratio=1.5, away=away)
    for row in range(len(step.bars.bar)):
        cells = step.of(row)
        deep = min(most, max(1, (cells.level[-1] - cells.level[0] + 1) // 2))
        (close,) = levels(step.bars.close[row : row + 1], STEP)
        for ours, level, taken, other, at, beyond in (
            (found.high, -cells.level, cells.buy, cells.sell, found.high_volume, -close),
            (found.low, cells.level, cells.sell, cells.buy, found.low_volume, close),
        ):
            zone = level < level.min() + deep
            volume, opposed = taken[zone].sum(), other[zone].sum()
            enough = volume > 0 and volume >= eighth / 8 * cells.volume.sum() and volume >= 1.5 * opposed
            assert at[row] == volume
            assert ours[row] == (enough and beyond >= level.min() + deep - 1 + away)

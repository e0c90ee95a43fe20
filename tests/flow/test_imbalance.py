"""Imbalance: the diagonal of a footprint, by hand, beside plain loops, and bar by bar."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.cells import Cells, no_cells
from orderflow.flow.imbalance import imbalances
from orderflow.market.errors import InvalidArgument
from tests.flow.fills import Fills, same, some_fills


def book(*rows: tuple[int, int, float, float], price: float = 1.0) -> Cells:
    """Cells written as (bar, level, sold, bought), as a footprint shows them: bid × ask."""
    bar, level, sell, buy = (np.array(column) for column in zip(*rows, strict=True))
    return Cells(
        bar, level, buy.astype(float), sell.astype(float), buy * level * price, sell * level * price,
        np.ones(len(bar), np.int64),
    )  # fmt: skip


# level  bid × ask
#    14    2 × 30    bought 30 against 5 sold at 13: 6 times
#    13    5 × 12    bought 12 against 4 sold at 12: 3 times
#    12    4 × 9     bought 9 against 3 sold at 11: 3 times; sold 4 against 12 bought at 13
#    11    3 × 1     bought 1 against 20 sold at 10
#    10   20 × 7     nothing below; sold 20 against 1 bought at 11: 20 times
ONE = book((0, 10, 20, 7), (0, 11, 3, 1), (0, 12, 4, 9), (0, 13, 5, 12), (0, 14, 2, 30))


def test_imbalances_are_diagonal_by_hand() -> None:
    found = imbalances(ONE)
    assert found.level.tolist() == [10, 12, 13, 14]
    assert found.is_buy.tolist() == [False, True, True, True]
    assert found.volume.tolist() == [20.0, 9.0, 12.0, 30.0]
    assert found.against.tolist() == [1.0, 3.0, 4.0, 5.0]
    assert found.ratio.tolist() == [20.0, 3.0, 3.0, 6.0]
    assert found.quote.tolist() == [200.0, 108.0, 156.0, 420.0]
    assert found.of(False).level.tolist() == [10]


def test_the_ratio_that_is_asked_for_is_the_one_that_is_used() -> None:
    assert imbalances(ONE, ratio=3.1).level.tolist() == [10, 14]
    assert imbalances(ONE, ratio=7.0).level.tolist() == [10]


def test_the_least_volume_is_absolute_or_a_share_of_the_bar() -> None:
    # the bar has 34 + 59 = 93: a share of 0.2 is 18.6
    assert imbalances(ONE, min_volume=10.0).level.tolist() == [10, 13, 14]
    assert imbalances(ONE, min_share=0.2).level.tolist() == [10, 14]
    assert imbalances(ONE, min_volume=25.0, min_share=0.2).level.tolist() == [14]


def test_against_nothing_is_an_imbalance_only_if_asked_for_and_inside_the_bar() -> None:
    # level 12 has no trades at all, 11 nothing sold
    gap = book((0, 10, 1, 1), (0, 11, 0, 1), (0, 13, 0, 8))
    assert imbalances(gap).level.tolist() == []
    found = imbalances(gap, zeros=True)
    # bought 8 at 13 against nothing at 12; bought 1 at 11 against 1 is no imbalance; 10 and 13 end the bar
    assert (found.level.tolist(), found.is_buy.tolist()) == ([13], [True])
    assert found.ratio.tolist() == [math.inf]
    crumb = book((0, 10, 0, 1), (0, 11, 0, 0.001))
    assert imbalances(crumb, zeros=True).level.tolist() == [11]
    assert imbalances(crumb, zeros=True, min_volume=0.01).level.tolist() == []


def test_levels_that_are_not_adjacent_are_not_compared() -> None:
    assert imbalances(book((0, 10, 1, 1), (0, 12, 0, 8))).level.tolist() == []


def test_the_ends_of_one_bar_are_not_compared_with_the_next() -> None:
    assert imbalances(book((0, 10, 1, 1), (1, 11, 1, 9)), zeros=True).level.tolist() == []


def test_three_times_a_tenth_is_three_tenths() -> None:
    assert 3 * 0.1 > 0.3
    assert imbalances(book((0, 10, 0.1, 0), (0, 11, 0, 0.3))).level.tolist() == [11]


def test_what_is_unknown_is_no_imbalance() -> None:
    known = book((0, 10, 2, 0), (0, 11, 2, 9), (0, 12, 0, 9))
    assert imbalances(known).level.tolist() == [11, 12]
    sell = known.sell.copy()
    sell[0] = np.nan  # what 11 is compared with
    assert imbalances(known._replace(sell=sell)).level.tolist() == [12]
    assert imbalances(known._replace(sell=sell), min_share=0.1).level.tolist() == []  # a share of the unknown


def test_no_cells_have_no_imbalances() -> None:
    assert len(imbalances(no_cells(), min_share=0.5).bar) == 0


@pytest.mark.parametrize(
    "wrong", [{"ratio": 0.0}, {"ratio": math.nan}, {"min_volume": -1.0}, {"min_share": 30.0}]
)
def test_parameters_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidArgument, match="no imbalance has"):
        imbalances(ONE, **wrong)  # type: ignore[arg-type]


def by_loop(cells: Cells, ratio: float, least: float, zeros: bool) -> list[tuple[int, int, bool]]:
    bars: dict[int, dict[int, tuple[float, float]]] = {}
    for bar, level, buy, sell, *_ in zip(*(column.tolist() for column in cells), strict=True):
        bars.setdefault(bar, {})[level] = (buy, sell)
    found: list[tuple[int, int, bool]] = []
    for bar, at in bars.items():
        for level in range(min(at), max(at) + 1):
            bought, sold = at.get(level, (0.0, 0.0))
            below, above = at.get(level - 1, (0.0, 0.0))[1], at.get(level + 1, (0.0, 0.0))[0]
            for is_buy, one, other, inside in (
                (False, sold, above, level < max(at)),
                (True, bought, below, level > min(at)),
            ):
                enough = one > 0 and one >= least and inside
                if enough and one >= ratio * other and (other > 0 or zeros):
                    found.append((bar, level, is_buy))
    return found


RATIOS = st.sampled_from([0.5, 1.0, 2.0, 3.0, 4.5])


@given(some_fills(), st.integers(1, 200), RATIOS, st.integers(0, 16), st.booleans())
def test_imbalances_are_those_of_a_plain_loop(
    made: Fills, length: int, ratio: float, eighths: int, zeros: bool
) -> None:
    cells = made.cells(made.every(length))
    found = imbalances(cells, ratio, min_volume=eighths / 8, zeros=zeros)
    shown = list(zip(found.bar.tolist(), found.level.tolist(), found.is_buy.tolist(), strict=True))
    assert shown == by_loop(cells, ratio, eighths / 8, zeros)


@given(some_fills(), st.integers(1, 200), RATIOS, st.booleans())
def test_each_bar_stands_alone(made: Fills, length: int, ratio: float, zeros: bool) -> None:
    cells = made.cells(made.every(length))
    whole = imbalances(cells, ratio, min_share=0.05, zeros=zeros)
    for bar in set(cells.bar.tolist()):
        alone = imbalances(cells.between(bar, bar + 1), ratio, min_share=0.05, zeros=zeros)
        at = whole.bar == bar
        same(tuple(alone), tuple(column[at] for column in whole))


@given(some_fills(), st.integers(1, 200), RATIOS)
def test_a_stricter_ratio_finds_no_others(made: Fills, length: int, ratio: float) -> None:
    cells = made.cells(made.every(length))
    every, fewer = (
        set(zip(one.bar.tolist(), one.level.tolist(), one.is_buy.tolist(), strict=True))
        for one in (imbalances(cells, ratio), imbalances(cells, 1.5 * ratio))
    )
    assert fewer <= every

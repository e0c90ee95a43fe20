"""Volume that is spread over the range of its bar: by hand, beside a loop, and what never changes."""

import numpy as np
import pytest
from hypothesis import given

from orderflow.flow.cells import Cells, cells, no_cells
from orderflow.flow.profile import profile
from orderflow.flow.spreading import spread
from orderflow.market.errors import InvalidArgument
from tests.flow.prints import Prints, prints


def traded(*rows: tuple[int, int, float, bool]) -> Cells:
    """Trades as (bar, level, size, whether the taker bought), at a price of 10 the level."""
    bar, level, size, is_buy = (np.array([row[at] for row in rows]) for at in range(4))
    return cells(bar, level, size, 10.0 * level, is_buy)


def test_each_side_of_each_bar_lies_evenly_over_its_levels() -> None:
    # bar 0 reaches from 60 to 63, four levels: 6 + 2 bought are 2 each, 4 sold 1 each; bar 1 is at 62 alone
    found = spread(traded((0, 60, 6.0, True), (0, 63, 2.0, True), (0, 61, 4.0, False), (1, 62, 3.0, False)))
    assert found.level.tolist() == [60, 61, 62, 63]
    assert found.buy.tolist() == [2.0, 2.0, 2.0, 2.0]
    assert found.sell.tolist() == [1.0, 1.0, 4.0, 1.0]
    # bought for 6 × 600 + 2 × 630 = 4,860, a quarter of it each; sold for 4 × 610 = 2,440, and 3 × 620 at 62
    assert found.buy_quote.tolist() == [1_215.0] * 4
    assert found.sell_quote.tolist() == [610.0, 610.0, 2_470.0, 610.0]
    assert found.trades.tolist() == [1, 1, 1, 1]


def test_what_no_bar_reached_is_in_no_cell() -> None:
    found = spread(traded((0, 60, 1.0, True), (1, 64, 1.0, True), (2, 65, 0.3, True), (2, 66, 0.3, True)))
    assert found.level.tolist() == [60, 64, 65, 66]
    # between them a profile has bins of nothing
    assert profile(found, step=1.0).volume.tolist()[1:4] == [0.0, 0.0, 0.0]


def test_the_poc_moves_to_where_price_stayed() -> None:
    # raw, the most is at 60; spread over five levels it is less than the 3 that one bar traded at 64 alone
    rows = traded((0, 60, 5.0, True), (0, 64, 1.0, True), (1, 64, 3.0, False))
    raw, even = profile(rows, 1.0).poc, profile(spread(rows), 1.0).poc
    assert raw is not None and even is not None
    assert (raw.bin.low, even.bin.low) == (60.0, 64.0)
    assert even.amount == pytest.approx(3 + 6 / 5)


def test_an_unknown_size_makes_its_side_unknown_over_its_bar_alone() -> None:
    found = spread(
        traded((0, 60, np.nan, True), (0, 61, 1.0, False), (1, 61, 2.0, False), (2, 62, 4.0, True))
    )
    assert np.isnan(found.buy).tolist() == [True, True, False]
    assert found.buy[2] == 4.0 and found.sell.tolist() == [0.5, 2.5, 0.0]


def test_nothing_is_nothing_and_too_many_levels_are_refused() -> None:
    assert len(spread(no_cells()).level) == 0
    with pytest.raises(InvalidArgument, match="levels"):
        spread(traded((0, 0, 1.0, True), (0, 2_000_000, 1.0, True)))


def by_loop(of: Cells) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for bar in sorted(set(of.bar.tolist())):
        here = of.rows(of.bar == bar)
        levels = range(int(here.level.min()), int(here.level.max()) + 1)
        for level in levels:
            sums = found.setdefault(level, [0.0, 0.0, 0.0, 0.0])
            for at, column in enumerate(here[2:6]):
                sums[at] += float(np.asarray(column).sum()) / len(levels)
    return found


@given(prints())
def test_it_is_what_a_loop_over_bars_and_levels_finds(told: Prints) -> None:
    found, expected = spread(told.cells()), by_loop(told.cells())
    assert found.level.tolist() == sorted(expected)
    for row, level in enumerate(found.level.tolist()):
        np.testing.assert_allclose(
            [column[row] for column in found[2:6]], expected[level], rtol=1e-9, atol=1e-9 * 60_000
        )


@given(prints())
def test_volume_is_conserved_and_never_below_nothing(told: Prints) -> None:
    of = told.cells()
    found = spread(of)
    for before, after in zip(of[2:6], found[2:6], strict=True):
        assert np.asarray(after).sum() == pytest.approx(np.asarray(before).sum(), rel=1e-9)
        assert np.asarray(after).min() >= 0
    assert found.trades.sum() == of.trades.sum()


@given(prints())
def test_bars_of_one_level_are_what_they_were(told: Prints) -> None:
    each = Prints(np.arange(len(told.time)), *told[1:]).cells(length=1)  # a bar for each trade
    found, whole = spread(each), each.together()
    assert found.level.tolist() == whole.level.tolist()
    np.testing.assert_allclose(found.volume, whole.volume, rtol=1e-9, atol=1e-9)

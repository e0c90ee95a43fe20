"""Zones of stacked imbalances, and what became of them, by hand, beside plain loops, and as bars come."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.bars import Bars, no_bars
from orderflow.flow.cells import no_cells
from orderflow.flow.imbalance import imbalances
from orderflow.flow.zones import NEVER, Zones, stacked
from orderflow.market.errors import InvalidArgument
from tests.flow.fills import STEP, Fills, fills, same, some_fills
from tests.flow.test_imbalance import ONE, book


def candles(*rows: tuple[float, float, float]) -> Bars:
    """Bars of ten written as (high, low, close), numbered from 0."""
    trades = [
        one
        for bar, (high, low, close) in enumerate(rows)
        for one in ((10 * bar, high, 1.0), (10 * bar + 1, low, 1.0), (10 * bar + 2, close, 1.0))
    ]
    made = fills(*trades)
    return made.bars(made.every(10)).on_grid(10, 0, 0, len(rows))


def test_a_stack_is_a_run_of_adjacent_levels_of_one_side_by_hand() -> None:
    zones = stacked(imbalances(ONE), candles((14, 10, 14)), 1.0)
    # buy imbalances at 12, 13, 14: from 12 to below 15; 9 + 12 + 30 = 51; ratios 3, 3 and 6 have the mean 4
    assert (zones.low.tolist(), zones.high.tolist(), zones.levels.tolist()) == ([12.0], [15.0], [3])
    assert (zones.volume.tolist(), zones.ratio.tolist()) == ([51.0], [4.0])
    assert zones.quote.tolist() == [108.0 + 156.0 + 420.0]
    assert (zones.is_buy.tolist(), zones.bar.tolist(), zones.known.tolist()) == ([True], [0], [10])
    assert zones.status() == ["untested"]
    assert stacked(imbalances(ONE), candles((14, 10, 14)), 1.0, least=1).low.tolist() == [10.0, 12.0]
    assert len(stacked(imbalances(ONE), candles((14, 10, 14)), 1.0, least=4).bar) == 0


def test_levels_with_one_missing_between_are_no_stack() -> None:
    hole = book((0, 10, 1, 0), (0, 11, 1, 9), (0, 12, 1, 9), (0, 13, 9, 1), (0, 14, 1, 99))
    assert imbalances(hole).of(True).level.tolist() == [11, 12, 14]
    assert len(stacked(imbalances(hole), candles((14, 10, 14)), 1.0).bar) == 0
    assert stacked(imbalances(hole), candles((14, 10, 14)), 1.0, least=2).levels.tolist() == [2]


def test_a_ratio_against_nothing_is_not_in_the_mean() -> None:
    zeros = book((0, 10, 0, 1), (0, 11, 0, 9), (0, 12, 1, 9), (0, 13, 0, 3))
    zones = stacked(imbalances(zeros, zeros=True), candles((13, 10, 13)), 1.0)
    # bought 9 against 0, 9 against 0, 3 against 1
    assert (zones.levels.tolist(), zones.ratio.tolist()) == ([3], [3.0])
    nothing = book((0, 10, 0, 1), (0, 11, 0, 9))
    assert np.isnan(stacked(imbalances(nothing, zeros=True), candles((13, 10, 13)), 1.0, least=1).ratio).all()


def test_a_buy_zone_is_left_tested_and_broken_by_hand() -> None:
    bars = candles(
        (14, 10, 14),  # made here: [12, 15)
        (16, 13, 14),  # has not gone away: it closed inside
        (18, 15, 17),  # left: closed at or above 15
        (20, 15, 19),  # 15 is above the zone
        (19, 14.5, 18),  # tested: its low is below 15
        (17, 11, 12),  # closed at 12, which is inside
        (13, 11, 11.5),  # broken: closed below 12
        (18, 12, 17),  # what is broken is tested no more
    )
    zones = stacked(imbalances(ONE), bars, 1.0).followed(bars)
    assert (zones.left.tolist(), zones.tested.tolist(), zones.broken.tolist()) == ([2], [4], [6])
    assert (zones.tested_at.tolist(), zones.broken_at.tolist()) == ([50], [70])  # when those bars had closed
    assert [zones.status(at)[0] for at in (49, 50, 69, 70)] == ["untested", "tested", "tested", "broken"]
    assert zones.status() == ["broken"]


def test_a_sell_zone_is_the_same_upside_down() -> None:
    down = book((0, 10, 30, 2), (0, 11, 12, 5), (0, 12, 9, 4), (0, 13, 1, 3))
    bars = candles((13, 10, 10), (10, 9.75, 9.75), (9.75, 8, 8), (10, 8, 8), (13, 9, 12.75), (14, 12, 13))
    zones = stacked(imbalances(down), bars, 1.0).followed(bars)
    # sold 30 against 5, 12 against 4, 9 against 3: [10, 13); bar 1 closed below it, bar 3 came back to 10
    assert (zones.is_buy.tolist(), zones.low.tolist(), zones.high.tolist()) == ([False], [10.0], [13.0])
    assert (zones.left.tolist(), zones.tested.tolist(), zones.broken.tolist()) == ([1], [3], [5])


def test_a_zone_may_be_broken_before_it_was_ever_left() -> None:
    bars = candles((14, 10, 14), (14, 11, 11), (20, 11, 20), (20, 12, 13))
    zones = stacked(imbalances(ONE), bars, 1.0).followed(bars)
    assert (zones.left.tolist(), zones.tested.tolist(), zones.broken.tolist()) == ([2], [NEVER], [1])
    assert zones.status() == ["broken"]


def test_nothing_makes_no_zones_and_wrong_bars_are_refused() -> None:
    assert len(stacked(imbalances(no_cells()), no_bars(), 1.0).followed(no_bars()).bar) == 0
    with pytest.raises(InvalidArgument, match="not given"):
        stacked(imbalances(ONE), no_bars(), 1.0)
    with pytest.raises(InvalidArgument, match="no zone"):
        stacked(imbalances(ONE), candles((14, 10, 14)), 1.0, least=0)


def zones_of(made: Fills, length: int, least: int = 2) -> tuple[Zones, Bars]:
    bar = made.every(length)
    bars = made.bars(bar)
    bars = bars.on_grid(length, 0, 0, int(bar[-1]) + 1 if len(bar) else 0)
    return stacked(imbalances(made.cells(bar), 1.5, zeros=True), bars, STEP, least), bars


MANY = some_fills(most=120, spread=4)


@given(MANY, st.integers(20, 200))
def test_a_zone_is_told_as_by_going_through_the_bars(made: Fills, length: int) -> None:
    zones, bars = zones_of(made, length)
    zones = zones.followed(bars)
    for place, number in enumerate(zones.bar.tolist()):
        low, high, is_buy = zones.low[place], zones.high[place], zones.is_buy[place]
        left = tested = broken = NEVER
        for row in range(number, len(bars.bar)):
            above, below = bars.close[row] >= high, bars.close[row] < low
            back = bars.low[row] < high if is_buy else bars.high[row] >= low
            if left < row and back and tested == NEVER and broken == NEVER:
                tested = row
            if left == NEVER and (above if is_buy else below):
                left = row
            if row > number and broken == NEVER and (below if is_buy else above):
                broken = row
        told = zones.left[place], zones.tested[place], zones.broken[place]
        assert told == (left, tested, broken)


@given(MANY, st.integers(20, 200), st.integers(0, 60))
def test_zones_go_on_with_more_bars_as_if_all_had_come_at_once(made: Fills, length: int, at: int) -> None:
    zones, bars = zones_of(made, length)
    before, after = zones.bar < at, zones.bar >= at
    so_far = zones.rows(before).followed(bars.rows(slice(0, at)))
    went_on = so_far.plus(zones.rows(after)).followed(bars.rows(slice(at, None)))
    same(went_on, zones.followed(bars))


@given(MANY, st.integers(20, 200), st.integers(0, 60))
def test_bars_to_come_change_nothing_that_was_known(made: Fills, length: int, known: int) -> None:
    zones, bars = zones_of(made, length)
    whole = zones.followed(bars)
    then = zones.followed(bars.rows(slice(0, known)))
    now = int(bars.end[known - 1]) if 0 < known <= len(bars.end) else 0 if not known else NEVER - 1
    there = whole.known <= now
    assert [one for one, seen in zip(whole.status(now), there, strict=True) if seen] == [
        one for one, seen in zip(then.status(now), there, strict=True) if seen
    ]
    assert not then.tested_at[then.tested_at > now][then.tested_at[then.tested_at > now] != NEVER].size


@given(MANY, st.integers(20, 200))
def test_a_zone_has_at_least_as_many_levels_as_asked_and_the_volume_of_its_imbalances(
    made: Fills, length: int
) -> None:
    zones, _ = zones_of(made, length, 1)
    found = imbalances(made.cells(made.every(length)), 1.5, zeros=True)
    assert zones.volume.sum() == found.volume.sum()  # with stacks of one, each imbalance is in one zone
    assert zones.levels.sum() == len(found.bar)
    assert np.allclose(zones.high - zones.low, zones.levels * STEP)
    fewer, _ = zones_of(made, length, 3)
    assert (fewer.levels >= 3).all()

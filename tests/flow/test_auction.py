"""What a market profile shows, by hand, and what can never be."""

import numpy as np
import pytest
from hypothesis import given

from orderflow.flow.auction import (
    SinglePrints,
    day_type,
    distribution,
    extremes,
    initial_balance,
    period_statistics,
    rotation_factor,
    single_prints,
)
from orderflow.flow.cells import cells, no_cells
from orderflow.flow.profile import profile
from orderflow.flow.tpo import MarketProfile, market_profile, market_profile_of_ranges
from tests.flow.prints import TICK, Prints, prints


def of(*ranges: tuple[float, float]) -> MarketProfile:
    """A session by the ranges of its periods, in rows of 1."""
    low, high = (np.array([one[side] for one in ranges]) for side in (0, 1))
    return market_profile_of_ranges(np.arange(len(ranges)), low, high, step=1.0)


#  10  C
#   9  C
#   8  BCD
#   7  ABCD
#   6  AB
#   5  A
DAY = of((5, 7), (6, 8), (7, 10), (7, 8))
NOTHING = market_profile(no_cells(), step=1.0)

# ── By hand ───────────────────────────────────────────────────────────────────────────────────


def test_single_prints_are_rows_of_one_period() -> None:
    assert single_prints(DAY) == [
        SinglePrints(5.0, 6.0, ("A",), confirmed=True),
        SinglePrints(9.0, 11.0, ("C", "C"), confirmed=True),
    ]


def test_single_prints_between_two_distributions_are_found_too() -> None:
    # A and B below, C runs through 8 and 9, D stays at the top
    found = single_prints(of((5, 7), (5, 7), (7, 11), (10, 11)))
    assert found == [SinglePrints(8.0, 10.0, ("C", "C"), confirmed=True)]


def test_a_tail_is_long_enough_at_an_end() -> None:
    found = extremes(DAY)
    assert found is not None
    assert found.selling_tail == SinglePrints(9.0, 11.0, ("C", "C"), confirmed=True)
    assert found.buying_tail is None  # one row
    assert (found.low_tpos, found.high_tpos, found.poor_low, found.poor_high) == (1, 1, False, False)
    shorter, longer = extremes(DAY, tail=1), extremes(DAY, tail=3)
    assert shorter is not None and shorter.buying_tail is not None
    assert longer is not None and longer.selling_tail is None


def test_a_tail_of_the_latest_period_is_not_confirmed() -> None:
    found = extremes(of((5, 7), (6, 8), (7, 10)))
    assert found is not None and found.selling_tail is not None
    assert not found.selling_tail.confirmed
    assert DAY.letters[-1] == "C"  # a period later it is


def test_an_end_that_was_traded_again_is_poor() -> None:
    found = extremes(of((5, 7), (6, 8), (5, 8)))
    assert found is not None
    assert (found.low_tpos, found.high_tpos, found.poor_low, found.poor_high) == (2, 2, True, True)


def test_a_single_period_has_no_tail_and_is_single_prints_throughout() -> None:
    found = extremes(of((5, 9)))
    assert found is not None and found.buying_tail is None and found.selling_tail is None
    assert single_prints(of((5, 9))) == [SinglePrints(5.0, 10.0, ("A",) * 5, confirmed=False)]


def test_the_initial_balance_and_who_extended_it() -> None:
    found = initial_balance(DAY)
    assert found is not None
    assert (found.low, found.high, found.up, found.down) == (5.0, 8.0, (2,), ())
    assert (found.extension_up, found.extension_down) == (2.0, 0.0)
    both = initial_balance(of((5, 7), (4, 9), (8, 9), (6, 12), (1, 12), (2, 13)))
    assert both is not None
    assert (both.up, both.down, both.extension_up, both.extension_down) == ((3, 5), (4,), 4.0, 3.0)


def test_an_initial_balance_without_trades_is_none() -> None:
    unknown = (np.nan, np.nan)
    assert initial_balance(of(unknown, unknown, (5, 7))) is None
    late = initial_balance(of(unknown, (5, 7), (6, 8)))
    assert late is not None and (late.low, late.high, late.up) == (5.0, 7.0, (2,))


def test_rotation_counts_higher_and_lower_highs_and_lows_and_no_equal_ones() -> None:
    # highs 7 8 10 8: + + -; lows 5 6 7 7: + + 0
    assert rotation_factor(DAY) == 3
    # the empty period between is passed over
    assert rotation_factor(of((5, 7), (np.nan, np.nan), (4, 6))) == -2
    assert rotation_factor(of((5, 7))) == 0


@pytest.mark.parametrize(
    ("ranges", "close", "said"),
    [
        ([(5, 10), (5, 9), (6, 9)], 7.0, "normal"),
        ([(5, 7), (6, 8), (7, 10), (7, 8)], 8.0, "normal_variation"),  # range 5, balance 3
        ([(5, 6), (6, 7), (7, 10), (9, 14)], 13.0, "trend"),  # range 9, balance 2; 13 ≥ 14 - 9 / 4
        ([(5, 6), (6, 7), (7, 10), (9, 14)], 9.0, "normal_variation"),
        ([(10, 12), (10, 12), (4, 9), (1, 3)], 2.0, "trend"),
        ([(5, 7), (6, 8), (7, 10), (3, 8)], 6.0, "neutral"),
        ([(5, 7), (6, 8), (7, 10), (3, 8)], 3.5, "neutral_extreme"),  # range 7, 3 + 7 / 4
        ([(5, 7), (6, 8)], 8.0, None),
    ],
)
def test_days_have_types(ranges: list[tuple[float, float]], close: float, said: str | None) -> None:
    assert day_type(of(*ranges), close) == said


def test_each_period_has_its_own_volume_profile() -> None:
    # A: 1 bought at 5, 3 sold at 6; C: 2 bought at 9
    size, is_buy = np.array([1.0, 3.0, 2.0]), np.array([True, False, True])
    rows = cells(np.array([0, 0, 2]), np.array([5, 6, 9]), size, np.array([5.0, 6.0, 9.0]), is_buy)
    first, second = period_statistics(market_profile(rows, step=1.0))
    assert (first.letter, first.low, first.high, first.tpos) == ("A", 5.0, 6.0, 2)
    assert (first.base, first.quote, first.delta, first.delta_quote, first.trades) == (
        4.0,
        23.0,
        -2.0,
        -13.0,
        2,
    )
    assert first.area is not None and (first.area.poc.bin.low, first.area.share) == (6.0, 0.75)
    assert (second.number, second.letter, second.base) == (2, "C", 2.0)


def test_of_ranges_volumes_are_unknown() -> None:
    first = period_statistics(DAY)[0]
    assert (first.letter, first.low, first.high, first.tpos) == ("A", 5.0, 7.0, 3)
    assert (first.base, first.quote, first.delta, first.delta_quote, first.trades, first.area) == (None,) * 6
    found = distribution(DAY)
    assert found is not None and found.above.base is None


def test_what_lies_above_and_below_the_poc() -> None:
    found = distribution(DAY)
    assert found is not None
    assert (found.above.tpos, found.at.tpos, found.below.tpos) == (5, 4, 3)


def test_a_profile_of_nothing_shows_nothing() -> None:
    assert single_prints(NOTHING) == period_statistics(NOTHING) == []
    assert extremes(NOTHING) is initial_balance(NOTHING) is rotation_factor(NOTHING) is None
    assert distribution(NOTHING) is day_type(NOTHING, 5.0) is None


# ── What can never be ─────────────────────────────────────────────────────────────────────────


@given(prints())
def test_all_single_prints_are_found_once(drawn: Prints) -> None:
    found = market_profile(drawn.cells(), TICK)
    runs = single_prints(found)
    assert sum(len(one.letters) for one in runs) == (found.tpos == 1).sum()
    assert [one.low for one in runs] == sorted(one.low for one in runs)
    for one in runs:
        assert len(one.letters) == round((one.high - one.low) / TICK)


@given(prints())
def test_an_end_is_a_tail_or_poor_and_never_both(drawn: Prints) -> None:
    found = extremes(market_profile(drawn.cells(), TICK))
    assert found is not None
    assert not (found.buying_tail and found.poor_low) and not (found.selling_tail and found.poor_high)
    assert found.low_tpos > 0 and found.high_tpos > 0


@given(prints())
def test_the_balance_and_its_extensions_are_the_range(drawn: Prints) -> None:
    found = initial_balance(market_profile(drawn.cells(), TICK))
    if found is None:
        return
    assert found.low - found.extension_down == pytest.approx(drawn.price.min())
    assert found.high + found.extension_up == pytest.approx(drawn.price.max())
    assert (len(found.up) > 0) == (found.extension_up > 0)
    assert (len(found.down) > 0) == (found.extension_down > 0)


@given(prints())
def test_rotation_turns_with_the_market(drawn: Prints) -> None:
    upside_down = drawn._replace(price=np.round(120_000 - drawn.price, 1))
    found = rotation_factor(market_profile(drawn.cells(), TICK))
    turned = rotation_factor(market_profile(upside_down.cells(), TICK))
    assert found is not None and turned is not None
    assert turned == -found
    assert abs(found) <= 2 * (len(np.unique(drawn.time // 10)) - 1)


@given(prints())
def test_periods_together_are_the_session_and_so_is_what_lies_around_the_poc(drawn: Prints) -> None:
    whole, found = profile(drawn.cells(), TICK), market_profile(drawn.cells(), TICK)
    periods, around = period_statistics(found), distribution(found)
    assert around is not None
    for parts in (periods, around[1:]):
        assert sum(one.base or 0 for one in parts) == pytest.approx(whole.volume.sum())
        assert sum(one.quote or 0 for one in parts) == pytest.approx(whole.quote.sum())
        assert sum(one.delta or 0 for one in parts) == pytest.approx(whole.delta.sum(), abs=1e-9)
        assert sum(one.tpos for one in parts) == found.tpos.sum()

"""Market profiles by hand, beside polars, in parts, and of prints beside ranges."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.cells import Cells, cells, no_cells
from orderflow.flow.levels import levels
from orderflow.flow.profile import profile
from orderflow.flow.tpo import MarketProfile, market_profile, market_profile_of_ranges, merged
from orderflow.market.errors import InvalidArgument
from tests.flow.prints import TICK, Prints, prints


def printed(*periods: range) -> Cells:
    """One unit bought at each level of each period's range, at a price of 1 a level."""
    bar = np.concatenate([np.full(len(one), number) for number, one in enumerate(periods)])
    level = np.concatenate([np.array(one, dtype=np.int64) for one in periods])
    return cells(bar, level, np.ones(len(bar)), level.astype(np.float64), np.ones(len(bar), dtype=np.bool_))


#  10  C      low to high by period: A 5–7, B 6–8, C 7–10, D 7–8
#   9  C
#   8  BCD
#   7  ABCD
#   6  AB
#   5  A
DAY = market_profile(printed(range(5, 8), range(6, 9), range(7, 11), range(7, 9)), step=1.0)

# ── By hand ───────────────────────────────────────────────────────────────────────────────────


def test_each_row_has_the_letters_of_the_periods_in_which_it_was_traded() -> None:
    assert DAY.letters == ["A", "AB", "ABCD", "BCD", "C", "C"]
    assert (DAY.first, DAY.tpos.tolist()) == (5, [1, 2, 4, 3, 1, 1])
    assert (DAY.low.tolist(), DAY.high.tolist()) == ([5.0, 6.0, 7.0, 7.0], [7.0, 8.0, 10.0, 8.0])


def test_poc_and_value_area_by_time() -> None:
    # 12 TPOs, 70 % is 8.4. POC 7 with 4; above 3 + 1 against below 2 + 1: 8; above 1 against 3: 11
    two, one = DAY.value_area(), DAY.value_area(rows=1)
    assert two is not None and one is not None
    assert (two.poc.bin.low, two.val.low, two.vah.low, two.share) == (7.0, 5.0, 9.0, 11 / 12)
    # one row at a time: 4, above 3 against 2: 7, above 1 against 2: 9
    assert (one.val.low, one.vah.low, one.share) == (6.0, 8.0, 9 / 12)


def test_poc_and_value_area_by_volume_are_those_of_the_volume_profile() -> None:
    size = np.array([1.0, 9.0, 1.0, 1.0])
    rows = cells(np.array([0, 0, 1, 2]), np.array([5, 6, 5, 5]), size, 10 * size, size > 0)
    found = market_profile(rows, step=1.0)
    by_time, by_volume = found.poc(), found.poc("base")
    assert by_time is not None and by_volume is not None
    assert (by_time.bin.low, by_volume.bin.low) == (5.0, 6.0)
    assert found.value_area(by="quote") == profile(rows, 1.0, by="quote").value_area()


def test_periods_are_counted_from_the_sessions_first_bar() -> None:
    # bars 103 to 108 of minutes, periods of 3 from 103 on: 103-105 is A, 106-108 is B
    minutes = printed(range(5, 6), range(6, 7), range(7, 8), range(6, 7), range(6, 7), range(9, 10))
    found = market_profile(minutes._replace(bar=minutes.bar + 103), step=1.0, bars=3, first=103)
    assert found.letters == ["A", "AB", "A", "", "B"]
    assert (found.low.tolist(), found.high.tolist()) == ([5.0, 6.0], [7.0, 9.0])


def test_wide_rows_keep_the_exact_prices_of_each_period() -> None:
    found = market_profile(printed(range(5, 8), range(6, 9)), step=1.0, rows=4)
    assert (found.step, found.first, found.letters) == (4.0, 1, ["AB", "B"])
    assert (found.low.tolist(), found.high.tolist()) == ([5.0, 6.0], [7.0, 8.0])


def test_a_period_without_trades_keeps_its_letter() -> None:
    found = market_profile(printed(range(5, 6), range(5, 5), range(5, 6)), step=1.0)
    assert found.letters == ["AC"]
    np.testing.assert_array_equal(found.high, [5.0, np.nan, 5.0])


def test_prints_leave_rows_empty_that_ranges_fill() -> None:
    rows = cells(
        np.zeros(2, dtype=np.int64), np.array([5, 8]), np.ones(2), np.ones(2), np.array([True, True])
    )
    by_prints = market_profile(rows, step=1.0)
    by_ranges = market_profile_of_ranges(np.array([0]), np.array([5.0]), np.array([8.0]), step=1.0)
    assert (by_prints.letters, by_prints.source) == (["A", "", "", "A"], "prints")
    assert (by_ranges.letters, by_ranges.source) == (["A", "A", "A", "A"], "ranges")


def test_of_ranges_there_is_no_volume_by_price() -> None:
    low, high = np.array([5.0, np.nan, 6.0]), np.array([6.0, np.nan, 7.0])
    found = market_profile_of_ranges(np.array([0, 1, 2]), low, high, step=1.0)
    assert found.letters == ["A", "AC", "C"]
    assert found.volume is None and found.amount("base") is None
    assert found.poc("quote") is None and found.value_area(by="base") is None
    assert found.poc() is not None


def test_a_profile_of_nothing_has_no_rows() -> None:
    for found in (
        market_profile(no_cells(), step=1.0),
        market_profile_of_ranges(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0), step=1.0),
        market_profile_of_ranges(np.array([0]), np.array([np.nan]), np.array([np.nan]), step=1.0),
    ):
        assert (found.letters, found.poc(), found.value_area(), found.poc("base")) == ([], None, None, None)


def test_a_composite_counts_each_sessions_periods_and_keeps_their_letters() -> None:
    found = merged([DAY, market_profile(printed(range(7, 9)), step=1.0)])
    assert found.letters == ["A", "AB", "ABCDA", "BCDA", "C", "C"]
    first, last = found.split([4])
    assert (first.letters, last.letters, last.number.tolist()) == (DAY.letters, ["A", "A"], [0])


def test_a_part_of_a_session_keeps_the_letters_of_the_whole() -> None:
    first, second = DAY.split([2])
    assert (first.first, first.letters) == (5, ["A", "AB", "AB", "B"])
    assert (second.first, second.letters) == (7, ["CD", "CD", "C", "C"])


def test_what_does_not_fit_together_is_refused() -> None:
    other = market_profile(printed(range(3)), step=2.0)
    with pytest.raises(InvalidArgument, match="by 1 and one of prints by 2"):
        merged([DAY, other])
    with pytest.raises(InvalidArgument, match="no profile"):
        merged([])
    with pytest.raises(InvalidArgument, match="different periods"):
        DAY.plus(DAY.split([2])[1])
    with pytest.raises(InvalidArgument, match="begins with 1"):
        market_profile(printed(range(3)), step=1.0, first=1)
    with pytest.raises(InvalidArgument, match="periods of 0 bars"):
        market_profile(printed(range(3)), step=1.0, bars=0)
    with pytest.raises(InvalidArgument, match="rows are more"):
        market_profile_of_ranges(np.array([0]), np.array([0.0]), np.array([1e7]), step=1.0)


# ── What can never be ─────────────────────────────────────────────────────────────────────────


def same(one: MarketProfile, other: MarketProfile) -> None:
    assert (one.step, one.source, one.letters) == (other.step, other.source, other.letters)
    whole: list[Any] = [*one.cells, one.number, one.low, one.high]
    for column, wanted in zip(whole, [*other.cells, other.number, other.low, other.high], strict=True):
        np.testing.assert_allclose(column, wanted)


def ranges(drawn: Prints, length: int = 10) -> MarketProfile:
    return market_profile_of_ranges(drawn.time // length, drawn.price, drawn.price, TICK)


@given(prints(), st.integers(1, 4), st.integers(1, 5))
def test_its_counts_are_polars_number_of_different_periods(drawn: Prints, bars: int, rows: int) -> None:
    found = market_profile(drawn.cells(), TICK, bars, rows)
    frame = pl.DataFrame({"period": drawn.time // (10 * bars), "row": levels(drawn.price, TICK) // rows})
    counted = frame.group_by("row").agg(pl.col("period").n_unique()).sort("row")
    there = found.tpos > 0
    assert found.tpos[there].tolist() == counted["period"].to_list()
    assert (np.flatnonzero(there) + found.first).tolist() == counted["row"].to_list()
    assert [len(one) for one in found.letters] == found.tpos.tolist()


@given(prints(), st.integers(1, 4), st.integers(1, 5))
def test_its_volume_is_that_of_the_volume_profile(drawn: Prints, bars: int, rows: int) -> None:
    found = market_profile(drawn.cells(), TICK, bars, rows)
    wanted = profile(drawn.cells(), TICK, rows)
    assert found.volume is not None
    np.testing.assert_allclose(found.volume.volume, wanted.volume)
    assert found.volume.first == wanted.first == found.first


@given(prints(), st.lists(st.integers(0, 10), max_size=4))
def test_parts_put_together_are_the_whole(drawn: Prints, at: list[int]) -> None:
    for found in (market_profile(drawn.cells(), TICK), ranges(drawn)):
        same(merged(found.split(at)), found)


@given(prints(), st.data())
def test_stored_and_live_together_are_the_whole(drawn: Prints, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(drawn.time)), label="cut")
    one, other = drawn.rows(0, cut), drawn.rows(cut, len(drawn.time))
    same(market_profile(one.cells(), TICK).plus(market_profile(other.cells(), TICK)),
         market_profile(drawn.cells(), TICK))  # fmt: skip
    same(ranges(one).plus(ranges(other)), ranges(drawn))


@given(prints())
def test_ranges_have_every_tpo_of_the_prints_and_the_same_extremes(drawn: Prints) -> None:
    by_prints, by_ranges = market_profile(drawn.cells(), TICK), ranges(drawn)
    assert by_prints.first == by_ranges.first
    assert (by_prints.tpos <= by_ranges.tpos).all()
    np.testing.assert_allclose(by_prints.low, by_ranges.low)
    np.testing.assert_allclose(by_prints.high, by_ranges.high)


@given(prints(), st.integers(2, 5))
def test_minutes_composed_are_the_periods(drawn: Prints, bars: int) -> None:
    same(market_profile(drawn.cells(10), TICK, bars), market_profile(drawn.cells(10 * bars), TICK))


@given(prints(), st.integers(1, 9))
def test_a_closed_period_stays_what_it_was(drawn: Prints, closed: int) -> None:
    known = market_profile(drawn.cells().between(0, closed), TICK)
    later = market_profile(drawn.cells(), TICK).split([closed])[0]
    assert known.letters == later.letters
    assert known.poc() == later.poc()
    np.testing.assert_array_equal(known.low, later.low[: len(known.low)])
    np.testing.assert_array_equal(known.high, later.high[: len(known.high)])


@given(prints(), st.sampled_from(["time", "base", "quote"]), st.sampled_from([1, 2]))
def test_the_value_area_holds_its_share_around_the_poc(drawn: Prints, by: Any, rows: int) -> None:
    found = market_profile(drawn.cells(), TICK)
    area = found.value_area(rows=rows, by=by)
    assert area is not None
    assert area.val.number <= area.poc.bin.number <= area.vah.number
    assert area.share >= 0.7 - 1e-9


def test_rows_follow_one_another() -> None:
    found = market_profile(printed(range(5, 8)), step=0.25)
    assert found.volume is not None
    assert found.volume.high[:-1].tolist() == found.volume.low[1:].tolist() == [1.5, 1.75]

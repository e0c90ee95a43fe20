"""Footprint: POC, extremes of delta, unfinished auctions, wider steps, fewest levels and pages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.bars import no_bars
from orderflow.flow.cells import no_cells
from orderflow.flow.footprint import Footprint, footprint
from orderflow.market.errors import InvalidArgument
from tests.flow.fills import STEP, Fills, fills, same, some_fills


def of(made: Fills, length: int = 100, step: float = STEP) -> Footprint:
    bar = made.every(length)
    return footprint(made.cells(bar, step), made.bars(bar), step)


# bar 0:  price   bid × ask  delta      bar 1:  99.75   3 × 3    0
#        100.75    1 × 2      +1
#        100.50    0 × 5      +5
#        100.00    5 × 0      -5
MADE = fills(
    (1, 100.0, -5.0), (2, 100.5, 5.0), (3, 100.75, 2.0), (4, 100.75, -1.0), (105, 99.75, 3.0), (106, 99.75, -3.0),
)  # fmt: skip


def test_a_footprint_by_hand() -> None:
    found = of(MADE)
    assert (found.first.tolist(), found.levels.tolist()) == ([0, 3, 4], [3, 1])
    assert found.price.tolist() == [100.0, 100.5, 100.75, 99.75]
    # 100 and 100.5 both have 5; the middle of 100 to 100.75 is 100.375, so 100.5 is nearer
    assert (found.poc.tolist(), found.poc_volume.tolist()) == ([100.5, 99.75], [5.0, 6.0])
    assert (found.max_delta_price.tolist(), found.max_delta.tolist()) == ([100.5, 99.75], [5.0, 0.0])
    assert (found.min_delta_price.tolist(), found.min_delta.tolist()) == ([100.0, 99.75], [-5.0, 0.0])
    # at the high of bar 0 both sides traded, at its low only sellers
    assert (found.unfinished_high.tolist(), found.unfinished_low.tolist()) == ([True, True], [False, True])
    assert found.of(0).delta.tolist() == [-5.0, 5.0, 1.0]


def test_of_two_levels_as_near_to_the_middle_the_lower_is_the_poc() -> None:
    assert of(fills((0, 100.0, 1.0), (1, 100.25, 1.0))).poc.tolist() == [100.0]


def test_amounts_that_are_the_same_but_for_rounding_are_a_tie() -> None:
    assert 0.1 + 0.2 > 0.3
    made = fills((0, 100.0, 0.1), (0, 100.0, 0.2), (1, 100.25, 0.3), (2, 100.5, 0.1))
    assert of(made).poc.tolist() == [100.25]  # the middle one, though 100 has 4 × 10^-17 more


def test_of_a_level_of_unknown_volume_nothing_is_the_most() -> None:
    size = MADE.size.copy()
    size[1] = np.nan
    found = of(MADE._replace(size=size))
    assert np.isnan(found.poc).tolist() == np.isnan(found.max_delta_price).tolist() == [True, False]
    assert np.isnan(found.poc_volume).tolist() == np.isnan(found.min_delta).tolist() == [True, False]


def test_an_empty_bar_has_no_poc_and_no_unfinished_auction() -> None:
    bar = MADE.every(100)
    bars = MADE.bars(bar).on_grid(100, 0, -1, 4)
    found = footprint(MADE.cells(bar), bars, STEP)
    np.testing.assert_array_equal(found.poc, [np.nan, 100.5, 99.75, np.nan, np.nan])
    assert found.levels.tolist() == [0, 3, 1, 0, 0]
    assert found.unfinished_high.tolist() == [False, True, True, False, False]
    assert found.top(1).dropped.tolist() == [0, 2, 0, 0, 0]


def test_nothing_has_an_empty_footprint() -> None:
    found = footprint(no_cells(), no_bars(), STEP)
    assert len(found.poc) == len(found.top(5).cells.bar) == len(found.rebinned(1.0).poc) == 0
    assert found.page(0, 5, 5).next is None
    assert len(footprint(no_cells(), MADE.bars(MADE.every(100)), STEP).top(1).dropped) == 2


def test_cells_of_other_bars_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="not given"):
        footprint(MADE.cells(MADE.every(100)), MADE.bars(MADE.every(100)).between(0, 1), STEP)


# ── Wider steps ───────────────────────────────────────────────────────────────────────────────


@given(some_fills(), st.integers(20, 300), st.integers(1, 9))
def test_a_wider_step_is_computed_anew_from_all(made: Fills, length: int, times: int) -> None:
    same(of(made, length).rebinned(times * STEP), of(made, length, times * STEP))


@pytest.mark.parametrize("step", [0.1, 0.6, 0.0, -0.25, float("nan")])
def test_a_step_that_is_no_multiple_is_refused(step: float) -> None:
    with pytest.raises(InvalidArgument, match="make no step"):
        of(MADE).rebinned(step)


# ── Each bar by itself ────────────────────────────────────────────────────────────────────────


@given(some_fills(), st.integers(20, 300))
def test_each_bar_is_told_as_by_looking_at_its_levels(made: Fills, length: int) -> None:
    found = of(made, length)
    for row in range(len(found.bars.bar)):
        cells, price = found.of(row), found.price[found.first[row] : found.first[row + 1]]
        middle = (price[0] + price[-1]) / 2
        for value, best, at in (
            (cells.volume, found.poc_volume, found.poc),
            (cells.delta, found.max_delta, found.max_delta_price),
            (-cells.delta, -found.min_delta, found.min_delta_price),
        ):
            assert best[row] == value.max()
            ties = price[value == value.max()]
            assert at[row] == min(ties, key=lambda one: (abs(one - middle), one))
        assert found.unfinished_high[row] == (cells.buy[-1] > 0 and cells.sell[-1] > 0)
        assert found.unfinished_low[row] == (cells.buy[0] > 0 and cells.sell[0] > 0)
        assert found.bars.low[row] <= found.poc[row] <= found.bars.high[row]


@given(some_fills(), st.integers(20, 300))
def test_the_levels_of_a_bar_add_up_to_it(made: Fills, length: int) -> None:
    found = of(made, length)
    for row in range(len(found.bars.bar)):
        assert found.of(row).volume.sum() == found.bars.volume[row]
        assert found.of(row).delta.sum() == found.bars.delta[row]
        assert found.of(row).trades.sum() == found.bars.trades[row]


@given(some_fills(), st.integers(20, 300), st.integers(0, 60))
def test_a_footprint_goes_on_with_more_trades_as_if_all_had_come_at_once(
    made: Fills, length: int, at: int
) -> None:
    before, after = made.part(0, at), made.part(at, len(made.time))
    cells = before.cells(before.every(length)).plus(after.cells(after.every(length)))
    bars = before.bars(before.every(length)).plus(after.bars(after.every(length)))
    same(footprint(cells, bars, STEP), of(made, length))


# ── Few levels, and pages ─────────────────────────────────────────────────────────────────────


def test_the_largest_levels_stay_and_the_others_are_told_by_hand() -> None:
    top = of(MADE).top(2)
    # 100.75 has 3, the other two 5
    assert top.cells.level.tolist() == [400, 402, 399]
    assert (top.first.tolist(), top.dropped.tolist()) == ([0, 2, 3], [1, 0])
    assert (top.dropped_volume.tolist(), top.dropped_quote.tolist()) == ([3.0, 0.0], [302.25, 0.0])
    with pytest.raises(InvalidArgument, match="show nothing"):
        of(MADE).top(0)


@given(some_fills(), st.integers(20, 300), st.integers(1, 12))
def test_what_is_shown_and_what_is_dropped_are_all_there_is(made: Fills, length: int, most: int) -> None:
    found = of(made, length)
    top = found.top(most)
    assert (np.diff(top.first) == np.minimum(found.levels, most)).all()
    for row, (begin, end) in enumerate(zip(top.first[:-1], top.first[1:], strict=True)):
        shown = top.cells.rows(slice(begin, end))
        assert shown.volume.sum() + top.dropped_volume[row] == found.bars.volume[row]
        assert shown.quote.sum() + top.dropped_quote[row] == found.bars.quote[row]
        assert round(found.poc[row] / STEP) in shown.level
        rest = np.setdiff1d(found.of(row).level, shown.level)
        left_out = found.of(row).volume[np.isin(found.of(row).level, rest)]
        assert len(rest) == top.dropped[row]
        assert left_out.max(initial=0) <= shown.volume.min()


def test_bars_that_begin_at_one_instant_are_on_one_page_by_hand() -> None:
    made = fills((1, 100.0, 1.0), (2, 100.0, 1.0), (2, 101.0, 1.0), (2, 102.0, 1.0), (3, 100.0, 1.0))
    found = footprint(made.cells(np.arange(5)), made.bars(np.arange(5)), STEP)
    pages = [found.page(since, 2, 100) for since in (0, 2, 3)]
    assert [page.footprint.bars.bar.tolist() for page in pages] == [[0], [1, 2, 3], [4]]
    assert [page.next for page in pages] == [2, 3, None]


@given(some_fills(), st.integers(1, 60), st.integers(1, 5), st.integers(1, 12), st.sampled_from([1, 30]))
def test_pages_one_after_the_other_are_the_whole(
    made: Fills, most_bars: int, least: int, levels: int, coarse: int
) -> None:
    bar = np.cumsum(made.size > least, dtype=np.int64)  # bars of no even length
    made = made._replace(time=made.time // coarse)  # of which several begin at one instant
    found = footprint(made.cells(bar), made.bars(bar), STEP)
    since, shown = (int(made.time[0]) if len(made.time) else 0), list[int]()
    while True:
        page = found.page(since, most_bars, levels)
        of_page, cells = page.footprint.bars, page.footprint.cells
        one_instant = len(set(of_page.start.tolist())) == 1
        assert len(of_page.bar) <= most_bars or one_instant
        assert len(cells.bar) <= levels or one_instant
        assert page.footprint.first[-1] == len(cells.bar)
        shown += of_page.bar.tolist()
        same(cells, found.cells.rows(np.isin(found.cells.bar, of_page.bar)))
        if page.next is None:
            break
        assert page.next > since
        since = page.next
    assert shown == found.bars.bar.tolist()


def test_a_page_without_room_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="no room"):
        of(MADE).page(0, 0, 5)

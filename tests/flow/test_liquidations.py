"""Liquidations by price, by time and in cascades: by hand, beside pandas, and for any series of them."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.liquidations import Cascades, Liquidations, by_price, by_time, cascades
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import SECOND


class Forced(NamedTuple):
    time: Index
    price: Column
    size: Column
    is_long: Mask

    def rows(self, begin: int, end: int | None = None) -> "Forced":
        return Forced(*(column[begin:end] for column in self))


@st.composite
def forced(draw: st.DrawFn) -> Forced:
    one = st.tuples(st.integers(0, 9), st.integers(90, 110), st.integers(1, 20), st.booleans())
    step, price, size, is_long = zip(*draw(st.lists(one, min_size=1, max_size=60)), strict=True)
    return Forced(np.cumsum(step) * SECOND, np.array(price) / 2, np.array(size) / 4, np.array(is_long))


def rows(found: Liquidations | Cascades) -> list[tuple[float, ...]]:
    """Rows to compare: an unknown number equals itself."""
    columns = [column for column in found if isinstance(column, np.ndarray)]
    return [tuple(map(repr, row)) for row in zip(*(column.tolist() for column in columns), strict=True)]


# ── By price, by time ─────────────────────────────────────────────────────────────────────────

FOUR = Forced(
    np.array([0, 30, 70, 200]) * SECOND,
    np.array([100.0, 109.0, 98.0, 104.0]),
    np.array([1.0, 2.0, 3.0, 0.5]),
    np.array([True, True, True, False]),
)


def test_liquidations_are_summed_by_price_and_side() -> None:
    found = by_price(*FOUR[1:], 10.0)
    assert found.number.tolist() == [9, 10]
    assert found.long_quote.tolist() == [294.0, 318.0]  # 3 × 98; 100 + 2 × 109
    assert found.short_quote.tolist() == [0.0, 52.0]  # ½ × 104
    assert found.long_base.tolist() == [3.0, 3.0]
    assert found.total_count.tolist() == [1, 3]
    assert found.base.tolist() == [3.0, 3.5]
    assert found.quote.tolist() == [294.0, 370.0]
    assert found.long_largest.tolist() == [294.0, 218.0]
    np.testing.assert_array_equal(found.short_largest, [np.nan, 52.0])
    assert found.largest.tolist() == [294.0, 218.0]


def test_liquidations_are_summed_by_time_and_added_up() -> None:
    found = by_time(*FOUR, 60 * SECOND, lower_bound=True)
    assert found.number.tolist() == [0, 1, 3]  # 0 and 30 s; 70 s; 200 s
    assert found.long_count.tolist() == [2, 1, 0]
    assert found.long_cumulative.tolist() == [318.0, 612.0, 612.0]
    assert found.short_cumulative.tolist() == [0.0, 0.0, 52.0]
    assert found.lower_bound
    every = found.every(-1, 5)
    assert every.quote.tolist() == [0.0, 318.0, 294.0, 0.0, 52.0, 0.0]
    np.testing.assert_array_equal(every.largest, [np.nan, 218.0, 294.0, np.nan, 52.0, np.nan])
    assert every.total_count.dtype == np.int64


def test_of_none_there_are_no_rows() -> None:
    none = Forced(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0), np.empty(0, dtype=np.bool_))
    assert rows(by_time(*none, SECOND)) == rows(by_price(*none[1:], 1.0)) == rows(cascades(*none, 5)) == []
    assert by_time(*none, SECOND).every(0, 2).quote.tolist() == [0.0, 0.0]
    assert rows(by_time(*FOUR, SECOND).plus(by_time(*none, SECOND))) == rows(by_time(*FOUR, SECOND))
    with pytest.raises(InvalidArgument, match="bars"):
        by_time(*none, 0)


def test_an_unknown_size_counts_and_makes_its_own_sums_unknown() -> None:
    size = np.array([np.nan, 2.0, 3.0, 0.5])
    found = by_time(FOUR.time, FOUR.price, size, FOUR.is_long, 60 * SECOND)
    np.testing.assert_array_equal(found.long_base, [np.nan, 3.0, 0.0])
    assert found.long_count.tolist() == [2, 1, 0]
    assert found.long_largest[0] == 218.0  # of those whose size is known


@given(forced(), forced())
def test_what_is_a_lower_bound_in_part_is_one_in_whole(one: Forced, two: Forced) -> None:
    exact, bound = by_price(*one[1:], 1.0), by_price(*two[1:], 1.0, lower_bound=True)
    assert exact.plus(bound).lower_bound
    assert bound.plus(exact).coarser(2).every(0, 3).lower_bound
    assert not exact.plus(exact).lower_bound


@given(forced(), st.integers(1, 30))
def test_the_sums_are_what_pandas_says(one: Forced, seconds: int) -> None:
    found = by_time(*one, seconds * SECOND)
    frame = pd.DataFrame(
        {"bar": one.time // (seconds * SECOND), "quote": one.price * one.size, "long": one.is_long}
    )
    for side, count, quote, largest in (
        (True, found.long_count, found.long_quote, found.long_largest),
        (False, found.short_count, found.short_quote, found.short_largest),
    ):
        here = frame[frame["long"] == side].groupby("bar")["quote"]
        bars = pd.Index(found.number)
        np.testing.assert_array_equal(count, here.count().reindex(bars, fill_value=0))
        np.testing.assert_allclose(quote, here.sum().reindex(bars, fill_value=0.0))
        np.testing.assert_allclose(largest, here.max().reindex(bars))


@given(forced(), st.integers(0, 60))
def test_adding_later_ones_is_the_same_as_once(one: Forced, cut: int) -> None:
    early, late = by_time(*one.rows(0, cut), 10 * SECOND), by_time(*one.rows(cut), 10 * SECOND)
    assert rows(early.plus(late)) == rows(by_time(*one, 10 * SECOND))
    assert rows(by_time(*one, 10 * SECOND).coarser(3)) == rows(by_time(*one, 30 * SECOND))


# ── Cascades ──────────────────────────────────────────────────────────────────────────────────


def test_a_cascade_is_a_run_of_liquidations_close_to_one_another() -> None:
    time = np.array([0, 10, 14, 15, 20, 26]) * SECOND
    price = np.array([100.0, 100.0, 98.0, 97.0, 99.0, 90.0])
    found = cascades(
        time,
        price,
        np.full(6, 2.0),
        np.array([True, True, True, False, True, True]),
        25 * SECOND,
        min_count=3,
    )
    assert found.start.tolist() == [
        10 * SECOND
    ]  # 10, 14, 15, 20: gaps of 4, 1 and 5; then 6, which is too long
    assert found.end.tolist() == [20 * SECOND]
    assert found.seen.tolist() == [15 * SECOND]
    assert found.known.tolist() == [25 * SECOND + 1]
    assert found.developing.tolist() == [True]
    assert (found.long_count.tolist(), found.short_count.tolist()) == ([3], [1])
    assert found.total_count.tolist() == [4]
    # longs: 200 + 196 + 198 = 594; the short one 194
    assert (found.long_quote.tolist(), found.short_quote.tolist(), found.quote.tolist()) == (
        [594.0],
        [194.0],
        [788.0],
    )
    assert (found.base.tolist(), found.largest.tolist()) == ([8.0], [200.0])
    assert (found.price_from.tolist(), found.price_to.tolist()) == ([100.0], [99.0])
    assert (found.low.tolist(), found.high.tolist()) == ([97.0], [100.0])
    assert found.of_longs.tolist() == [True]
    assert found.reach_bp.round(9).tolist() == [-300.0]  # 97 is 3 % below 100
    assert found.rest == 5


def test_nonsense_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="cascade"):
        cascades(*FOUR, 5, max_gap_s=-1)
    with pytest.raises(InvalidArgument, match="cascade"):
        cascades(*FOUR, 5, min_count=0)
    with pytest.raises(InvalidArgument, match="order"):
        cascades(FOUR.time[::-1], *FOUR[1:], 5)


RULE: dict[str, Any] = {"max_gap_s": 4.0, "min_count": 3}


@given(forced())
def test_a_cascade_holds_whole_runs_and_nothing_else(one: Forced) -> None:
    found = cascades(*one, int(one.time[-1]) + 1, **RULE | {"min_count": 1})
    assert found.total_count.sum() == len(one.time)
    assert found.quote.sum() == pytest.approx((one.price * one.size).sum())
    assert (found.start[1:] - found.end[:-1] > 4 * SECOND).all()
    assert (found.low <= found.high).all()
    assert rows(cascades(*one, int(one.time[-1]) + 1, **RULE)) == [
        row for row, count in zip(rows(_seen_third(one, found)), found.total_count, strict=True) if count >= 3
    ]


def _seen_third(one: Forced, found: Cascades) -> Cascades:
    """A cascade of three at least is seen at its third."""
    first = np.searchsorted(one.time, found.start)
    return found._replace(seen=one.time[np.minimum(first + 2, len(one.time) - 1)])


@given(forced(), st.integers(0, 300))
def test_what_was_known_stays_as_it_was(one: Forced, second: int) -> None:
    until, end = second * SECOND, int(one.time[-1]) + 100 * SECOND
    early = cascades(*one.rows(0, int(np.searchsorted(one.time, until))), until, **RULE)
    whole = cascades(*one, end, **RULE)
    settled = [row for row, open_ in zip(rows(early), early.developing.tolist(), strict=True) if not open_]
    assert settled == [
        row for row, known in zip(rows(whole), whole.known.tolist(), strict=True) if known <= until
    ]


@given(forced(), st.integers(0, 60))
def test_going_on_from_the_rest_is_the_same_as_once(one: Forced, cut: int) -> None:
    end = int(one.time[-1]) + 100 * SECOND
    early = cascades(*one.rows(0, cut), end, **RULE)
    again = cascades(*one.rows(early.rest), end, **RULE)
    begun = one.time[early.rest]
    before = [row for row, start in zip(rows(early), early.start.tolist(), strict=True) if start < begun]
    assert before + rows(again) == rows(cascades(*one, end, **RULE))

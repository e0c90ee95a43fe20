"""VWAP by hand, beside exact fractions, numpy and pandas, and in any number of parts."""

from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.cells import cells, no_cells
from orderflow.flow.levels import levels
from orderflow.flow.vwap import (
    Vwap,
    running_vwap,
    running_vwap_of_cells,
    vwap,
    vwap_between,
    vwap_of_cells,
)
from orderflow.market.errors import InvalidArgument
from tests.flow.prints import TICK, Prints, prints

NOTHING = np.empty(0)
NO_BAR = np.empty(0, dtype=np.int64)

# ── By hand ───────────────────────────────────────────────────────────────────────────────────


def test_it_is_the_mean_price_weighed_by_size_with_its_bands() -> None:
    # (1 × 10 + 2 × 13 + 1 × 12) / 4 = 48 / 4 = 12
    # (1 × 2² + 2 × 1² + 1 × 0²) / 4 = 6 / 4 = 1.5
    found = vwap(np.array([10.0, 13.0, 12.0]), np.array([1.0, 2.0, 1.0]))
    assert found.price == 12.0
    assert found.deviation == pytest.approx(sqrt(1.5))
    assert found.band(2) == pytest.approx((12 - 2 * sqrt(1.5), 12 + 2 * sqrt(1.5)))


def test_the_day_before_and_any_instant_can_be_the_anchor() -> None:
    time, price, size = (
        np.array([0, 5, 10, 15]),
        np.array([1.0, 2.0, 3.0, 5.0]),
        np.array([1.0, 1.0, 1.0, 3.0]),
    )
    assert vwap_between(time, price, size, 0, 10).price == 1.5  # the trade at 10 is the next day's
    assert vwap_between(time, price, size, 10, 20).price == 4.5  # (3 + 15) / 4
    assert vwap_between(time, price, size, 5, 15).price == 2.5
    assert vwap_between(time, price, size, 16, 20).price is None


def test_each_bar_shows_what_was_known_at_its_close() -> None:
    # bar 0: (10 + 14) / 2 = 12, deviation 2; bar 1: nothing new
    # bar 2: (24 + 2 × 15) / 4 = 13.5, squares 12.25 + 0.25 + 2 × 2.25 = 17, / 4 = 4.25
    found = running_vwap(np.array([0, 0, 2]), np.array([10.0, 14.0, 15.0]), np.array([1.0, 1.0, 2.0]), 4)
    assert found.vwap.tolist() == [12.0, 12.0, 13.5, 13.5]
    np.testing.assert_allclose(found.deviation, np.sqrt([4.0, 4.0, 4.25, 4.25]))
    np.testing.assert_allclose(found.band(1.0)[1], found.vwap + found.deviation)


def test_it_begins_anew_at_each_anchor_and_is_unknown_until_something_is_traded() -> None:
    bar, price = np.array([1, 2, 4]), np.array([10.0, 20.0, 30.0])
    found = running_vwap(bar, price, np.ones(3), 5, anchors=[0, 2, 3])
    np.testing.assert_array_equal(found.vwap, [np.nan, 10.0, 20.0, np.nan, 30.0])
    np.testing.assert_array_equal(found.deviation, [np.nan, 0.0, 0.0, np.nan, 0.0])
    assert found.state.price == 30.0


def test_cells_of_one_tick_tell_the_same_as_their_trades() -> None:
    price, size = np.array([60_000.0, 60_000.1, 60_000.1]), np.array([1.0, 2.0, 4.0])
    rows = cells(np.zeros(3, dtype=np.int64), levels(price, TICK), size, price, size > 1)
    trades = vwap(price, size)
    assert vwap_of_cells(rows).price == pytest.approx(trades.price, rel=1e-15)
    assert vwap_of_cells(rows).deviation == pytest.approx(trades.deviation, rel=1e-9)


def test_of_nothing_there_is_none() -> None:
    for found in (Vwap(), vwap(NOTHING, NOTHING), vwap_of_cells(no_cells()), vwap(np.ones(1), np.zeros(1))):
        assert (found.price, found.deviation, found.band(1)) == (None, None, None)
        assert found.plus(vwap(np.array([7.0]), np.ones(1))).price == 7.0
        assert vwap(np.array([7.0]), np.ones(1)).plus(found).price == 7.0
    assert len(running_vwap(NO_BAR, NOTHING, NOTHING, 0).vwap) == 0
    assert np.isnan(running_vwap_of_cells(no_cells(), 2).vwap).all()


def test_a_size_that_is_not_known_makes_it_unknown_until_the_next_anchor() -> None:
    bar, price, size = np.array([0, 1, 2, 3]), np.arange(1.0, 5.0), np.array([1.0, np.nan, 1.0, 1.0])
    assert vwap(price, size).price is None
    np.testing.assert_array_equal(
        running_vwap(bar, price, size, 4, anchors=[3]).vwap, [1.0, np.nan, np.nan, 4.0]
    )


def test_trades_of_other_bars_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="none of 0 to 1"):
        running_vwap(np.array([2]), np.ones(1), np.ones(1), 2)


# ── Beside what is exact ──────────────────────────────────────────────────────────────────────


@given(prints())
def test_it_is_what_exact_fractions_say(drawn: Prints) -> None:
    price, size = [Fraction(one) for one in drawn.price], [Fraction(one) for one in drawn.size]
    mean = sum(map(Fraction.__mul__, price, size)) / sum(size)
    square = sum(q * (p - mean) ** 2 for p, q in zip(price, size, strict=True)) / sum(size)
    found = vwap(drawn.price, drawn.size)
    assert found.price == pytest.approx(float(mean), rel=1e-14)
    assert found.deviation == pytest.approx(sqrt(square), rel=1e-6, abs=1e-8)


@given(prints(), st.lists(st.integers(0, 9), max_size=3))
def test_it_is_what_pandas_accumulates_between_anchors(drawn: Prints, anchors: list[int]) -> None:
    bar = drawn.time // 10
    found = running_vwap(bar, drawn.price, drawn.size, 10, anchors=anchors)
    frame: Any = pd.DataFrame({"bar": bar, "size": drawn.size, "value": drawn.size * drawn.price})
    by_bar = frame.groupby("bar")[["size", "value"]].sum().reindex(range(10), fill_value=0.0)
    part: Any = pd.Series([sum(one <= number for one in set(anchors)) for number in range(10)])
    summed = by_bar.groupby(part.to_numpy()).cumsum()
    np.testing.assert_allclose(found.vwap, summed["value"] / summed["size"].where(summed["size"] > 1e-9))


# ── What can never be ─────────────────────────────────────────────────────────────────────────


@given(prints(), st.data())
def test_parts_put_together_are_the_whole(drawn: Prints, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(drawn.time)), label="cut")
    one, other = drawn.rows(0, cut), drawn.rows(cut, len(drawn.time))
    whole, found = (
        vwap(drawn.price, drawn.size),
        vwap(one.price, one.size).plus(vwap(other.price, other.size)),
    )
    assert found.price == pytest.approx(whole.price, rel=1e-14)
    assert found.deviation == pytest.approx(whole.deviation, rel=1e-6, abs=1e-7)


@given(prints(), st.integers(0, 10), st.lists(st.integers(0, 9), max_size=2))
def test_going_on_from_a_closed_bar_is_the_same_as_all_at_once(
    drawn: Prints, closed: int, anchors: list[int]
) -> None:
    bar = drawn.time // 10
    cut = int(np.searchsorted(bar, closed))
    whole = running_vwap(bar, drawn.price, drawn.size, 10, anchors=anchors)
    before = running_vwap(
        bar[:cut],
        drawn.price[:cut],
        drawn.size[:cut],
        closed,
        anchors=[one for one in anchors if one < closed],
    )
    after = running_vwap(
        bar[cut:] - closed,
        drawn.price[cut:],
        drawn.size[cut:],
        10 - closed,
        before.state,
        [one - closed for one in anchors if one >= closed],
    )
    # what was known at a bar's close is what it stays, whatever came later
    np.testing.assert_allclose(before.vwap, whole.vwap[:closed], rtol=1e-14)
    np.testing.assert_allclose(after.vwap, whole.vwap[closed:], rtol=1e-14)
    np.testing.assert_allclose(after.deviation, whole.deviation[closed:], rtol=1e-6, atol=1e-7)


@given(prints())
def test_it_lies_between_the_lowest_and_the_highest_price(drawn: Prints) -> None:
    found = vwap(drawn.price, drawn.size)
    assert found.price is not None and found.deviation is not None
    assert drawn.price.min() - 1e-9 <= found.price <= drawn.price.max() + 1e-9
    assert found.deviation <= (drawn.price.max() - drawn.price.min()) / 2 + 1e-7


@given(prints(), st.integers(2, 9))
def test_cells_of_wide_levels_keep_the_price_and_lose_little_of_the_deviation(
    drawn: Prints, width: int
) -> None:
    rows = drawn.cells()
    found, trades = vwap_of_cells(rows.together().coarser(1, width)), vwap(drawn.price, drawn.size)
    assert found.price == pytest.approx(trades.price, rel=1e-13)
    assert found.deviation is not None and trades.deviation is not None
    lost = trades.deviation**2 - found.deviation**2
    assert -1e-7 <= lost <= (width * TICK) ** 2 / 4 + 1e-7


def test_a_deviation_of_a_tick_is_not_lost_in_a_high_price() -> None:
    price = 1e9 + np.tile([0.0, 0.25], 50_000)
    assert vwap(price, np.ones(100_000)).deviation == pytest.approx(0.125, rel=1e-9)

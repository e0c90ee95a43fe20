"""POCs that nothing has touched since: by hand, and beside asking each trade."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.levels import levels, prices
from orderflow.flow.naked import PastPoc, touched
from orderflow.flow.profile import profile
from orderflow.flow.value_area import bin_at
from tests.flow.prints import TICK, Prints, prints

# ── By hand ───────────────────────────────────────────────────────────────────────────────────


def test_a_poc_is_touched_by_the_first_bar_after_its_day_that_meets_its_bin() -> None:
    # bins [10, 11) and [20, 21); the bar at 90 is of the day itself
    days = [PastPoc(bin_at(10, 1.0), until=100), PastPoc(bin_at(20, 1.0), until=100)]
    time = np.array([90, 100, 110, 120])
    low, high = np.array([10.0, 12.0, 10.9, 10.0]), np.array([21.0, 14.0, 13.0, 11.0])
    first, second = touched(days, time, low, high, length=10)
    assert (first.touched, first.known, first.naked) == (110, 120, False)
    assert second.naked and second.known is None


def test_the_bins_low_is_within_and_its_high_is_not() -> None:
    day = [PastPoc(bin_at(10, 1.0), until=0)]
    assert touched(day, np.array([0]), np.array([11.0]), np.array([12.0]))[0].naked
    assert touched(day, np.array([0]), np.array([9.0]), np.array([10.0]))[0].touched == 0


def test_a_jump_across_it_leaves_it_naked() -> None:
    day = [PastPoc(bin_at(10, 1.0), until=0)]
    assert touched(day, np.array([1, 2]), np.array([8.0, 12.0]), np.array([9.0, 13.0]))[0].naked


def test_without_bars_and_with_unknown_ones_nothing_is_touched() -> None:
    day = [PastPoc(bin_at(10, 1.0), until=0)]
    nothing = np.empty(0)
    assert touched(day, np.empty(0, dtype=np.int64), nothing, nothing) == day
    assert touched(day, np.array([1]), np.array([np.nan]), np.array([np.nan])) == day
    assert touched([], np.array([1]), np.ones(1), np.ones(1)) == []


# ── What can never be ─────────────────────────────────────────────────────────────────────────


@st.composite
def days(draw: st.DrawFn) -> tuple[list[PastPoc], Prints]:
    """Trades, and the POCs of the ten days in which they were made."""
    drawn = draw(prints())
    found: list[PastPoc] = []
    for day in range(10):
        control = profile(drawn.cells().between(day, day + 1), TICK).poc
        if control is not None:
            found.append(PastPoc(control.bin, until=10 * (day + 1)))
    return found, drawn


@given(days())
def test_it_is_touched_when_something_is_traded_at_its_price(drawn: tuple[list[PastPoc], Prints]) -> None:
    pocs, trades = drawn
    level = levels(trades.price, TICK).tolist()
    for one in touched(pocs, trades.time, trades.price, trades.price):
        at = [
            time
            for time, here in zip(trades.time.tolist(), level, strict=True)
            if time >= one.until and here == one.bin.number
        ]
        assert (one.touched, one.known) == ((at[0], at[0]) if at else (None, None))


@given(days(), st.integers(0, 100))
def test_going_on_is_the_same_as_all_at_once_and_changes_nothing_known(
    drawn: tuple[list[PastPoc], Prints], now: int
) -> None:
    pocs, trades = drawn
    cut = int(np.searchsorted(trades.time, now))
    before, after = trades.rows(0, cut), trades.rows(cut, len(trades.time))
    whole = touched(pocs, trades.time, trades.price, trades.price)
    early = touched(pocs, before.time, before.price, before.price)
    assert touched(early, after.time, after.price, after.price) == whole
    assert all(one == other for one, other in zip(early, whole, strict=True) if not one.naked)


@given(days())
def test_longer_bars_touch_no_fewer_and_never_later(drawn: tuple[list[PastPoc], Prints]) -> None:
    pocs, trades = drawn
    bars = trades.cells()
    begins = np.flatnonzero(np.diff(bars.bar, prepend=-1))
    ends = np.append(begins, len(bars.bar))[1:] - 1
    low, high = prices(bars.level[begins], TICK), prices(bars.level[ends], TICK)
    by_bars = touched(pocs, 10 * bars.bar[begins], low, high, length=10)
    for bar, trade in zip(by_bars, touched(pocs, trades.time, trades.price, trades.price), strict=True):
        assert trade.touched is None or (bar.touched is not None and bar.touched <= trade.touched)

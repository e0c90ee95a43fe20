"""Swing highs and lows, what became of them, and equal ones together."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.crossings import NEVER
from orderflow.flow.swings import Bars, Nearest, Swings, clusters, nearest, pivots, reached, swings
from orderflow.market.errors import InvalidArgument
from tests.flow.random_bars import after, bars, first, lines, walks

NAN = np.nan
SIZES = st.tuples(st.integers(1, 4), st.integers(1, 4))


def test_touch_sweep_and_break_by_hand() -> None:
    found = swings(
        bars(
            (10, 9, 9.5),
            (12, 11, 11.5),  # 1: a high of 12, known at the close of 2
            (11, 9, 10),
            (12, 10, 11),  # 3: touches it
            (12.5, 11, 11.8),  # 4: sweeps it, and closes below: rejected; a high of 12.5
            (12, 10, 11),
            (13, 12, 12.8),  # 6: breaks both
        ),
        1,
        1,
        volume=np.array([1.0, 7.0, 1.0, 1.0, 2.0, 1.0, 1.0]),
        delta=np.array([0.0, -3.0, 0.0, 0.0, 0.5, 0.0, 0.0]),
    )
    highs = found.where(found.is_high)
    assert highs.bar.tolist() == [1, 4]
    assert highs.level.tolist() == [12.0, 12.5]
    assert highs.known.tolist() == [2, 5]
    assert highs.touched.tolist() == [3, 6]
    assert highs.swept.tolist() == [4, 6]
    assert highs.broken.tolist() == [6, 6]
    assert highs.rejected.tolist() == [True, False]
    assert (highs.volume.tolist(), highs.delta.tolist()) == ([7.0, 2.0], [-3.0, 0.5])
    lows = found.where(~found.is_high)
    assert (lows.bar.tolist(), lows.level.tolist(), lows.active.tolist()) == (
        [2, 5],
        [9.0, 10.0],
        [True, True],
    )
    assert np.isnan(swings(lines(1, 2, 1), 1, 1).volume).all()


def test_equal_highs_are_swings_both_and_a_flat_line_is_none() -> None:
    assert pivots(np.array([1.0, 2.0, 2.0, 1.0]), 1, 1).tolist() == [1, 2]
    assert pivots(np.array([1.0, 2.0, 1.0, 2.0, 1.0]), 2, 1).tolist() == [
        3
    ]  # the first has one bar before it
    assert pivots(np.full(9, 5.0), 2, 2).tolist() == []


def test_a_bar_beside_an_unknown_one_is_no_swing() -> None:
    assert pivots(np.array([1.0, 2.0, 1.0, NAN, 1.0, 3.0, 1.0]), 1, 1).tolist() == [1, 5]
    assert pivots(np.array([1.0, 2.0, NAN, 1.0]), 1, 1).tolist() == []


def test_a_bar_can_be_high_and_low_at_once() -> None:
    found = swings(bars((2, 1, 1), (9, 0, 5), (2, 1, 1)), 1, 1)
    assert (found.bar.tolist(), found.is_high.tolist(), found.level.tolist()) == (
        [1, 1],
        [True, False],
        [9, 0],
    )


def test_the_nearest_are_sought_among_all_that_are_unswept() -> None:
    found = swings(lines(5, 20, 8, 15, 9, 12, 10, 11, 10.5), 1, 1)
    # highs 20, 15, 12, 11 are unswept, lows 8, 9, 10 too
    assert found.active.all()
    above, below = nearest(found, 10.5)
    assert above is not None
    assert below is not None
    assert (found.level[above], found.level[below]) == (11.0, 10.0)
    above, below = nearest(found, 16.0)
    assert (found.level[above or 0], found.level[below or 0]) == (20.0, 10.0)
    assert nearest(found, 25.0).above is None
    assert nearest(swings(lines(), 1, 1), 10.0) == Nearest(None, None)


def test_active_ones_alone_by_request() -> None:
    path = lines(5, 20, 8, 25, 9, 12)
    assert swings(path, 1, 1).active.tolist() == [False, True, True, True]
    assert swings(path, 1, 1, active_only=True).level.tolist() == [8.0, 25.0, 9.0]


def test_distances_are_from_the_price_to_the_level() -> None:
    found = swings(lines(50, 102, 99, 101), 1, 1)
    np.testing.assert_allclose(found.distance_bps(100.0), [200.0, -100.0])
    np.testing.assert_allclose(found.distance_atr(100.0, 4.0), [0.5, -0.25])
    assert np.isnan(found.distance_atr(100.0, 0.0)).all()
    assert np.isnan(found.distance_atr(100.0, NAN)).all()


def test_bars_are_known_when_they_have_closed() -> None:
    path = lines(1, 2, 3)  # of 60 each
    assert [len(path.closed_by(until).time) for until in (0, 59, 60, 179, 180, 999)] == [0, 0, 1, 2, 3, 3]
    assert path.closed_at(np.array([0, 2, NEVER])).tolist() == [60, 180, NEVER]
    assert lines().closed_at(np.array([NEVER])).tolist() == [NEVER]


def test_too_few_bars_have_no_swings_and_no_neighbours_are_refused() -> None:
    assert len(swings(lines(1, 2), 1, 1).bar) == 0
    for left, right in ((0, 1), (1, 0)):
        with pytest.raises(InvalidArgument):
            swings(lines(1, 2, 1), left, right)


def test_equal_highs_make_a_cluster_by_hand() -> None:
    # highs at bars 1, 3, 5, 7, 9, 11: 100, 100.4 within 0.5; 99 is not; 100.2 is, again; 103 passes; 100 is anew
    path = lines(90, 100, 95, 100.4, 95, 99, 95, 100.2, 95, 103, 95, 100, 95)
    found = swings(path, 1, 1)
    (highs, lows) = clusters(path, found, np.full(len(found.bar), 0.5))
    assert highs.is_high
    assert found.bar[list(highs.members)].tolist() == [1, 3, 7]
    assert (highs.level, highs.inner, highs.known, highs.swept) == (100.4, 100.0, 4, 9)
    assert found.bar[list(lows.members)].tolist() == [2, 4, 6, 8, 10]
    assert (lows.is_high, lows.level, lows.swept) == (False, 95.0, NEVER)


def test_without_a_tolerance_only_the_same_level_is_equal() -> None:
    path = lines(90, 100, 95, 100.4, 96, 100.4, 97)
    (found,) = clusters(path, swings(path, 1, 1), np.full(5, NAN))
    assert (found.level, found.inner, found.known) == (100.4, 100.4, 6)


@given(path=walks(), sizes=SIZES)
def test_swings_are_the_extremes_of_their_windows_as_pandas_finds_them(
    path: Bars, sizes: tuple[int, int]
) -> None:
    left, right = sizes
    high = pd.Series(path.high)
    window = high.rolling(left + right + 1)
    turns = (window.max().shift(-right) == high) & (window.min().shift(-right) < high)
    assert pivots(path.high, left, right).tolist() == np.flatnonzero(turns.to_numpy()).tolist()


@given(path=walks(), sizes=SIZES)
def test_what_became_of_a_swing_is_what_its_later_bars_did(path: Bars, sizes: tuple[int, int]) -> None:
    found = swings(path, *sizes)
    for one in range(len(found.bar)):
        level, bar = found.level[one], int(found.bar[one])
        later = range(bar + 1, len(path.time))
        if found.is_high[one]:
            touched = [at for at in later if path.high[at] >= level]
            swept = [at for at in later if path.high[at] > level]
            broken = [at for at in later if path.close[at] > level]
        else:
            touched = [at for at in later if path.low[at] <= level]
            swept = [at for at in later if path.low[at] < level]
            broken = [at for at in later if path.close[at] < level]
        fates = [[*fate, NEVER][0] for fate in (touched, swept, broken)]
        assert [found.touched[one], found.swept[one], found.broken[one]] == fates
        assert found.swept[one] == NEVER or found.swept[one] > found.known[one]


def known_by(found: Swings, bars: int) -> Swings:
    """What was known at the close of so many bars."""
    then = found.where(found.known < bars)
    fates = [np.where(one < bars, one, NEVER) for one in (then.touched, then.swept, then.broken)]
    return then._replace(touched=fates[0], swept=fates[1], broken=fates[2])


@given(path=walks(), sizes=SIZES, cut=st.integers(0, 60))
def test_what_was_known_at_some_bar_stays(path: Bars, sizes: tuple[int, int], cut: int) -> None:
    cut = min(cut, len(path.time))
    early, later = swings(first(path, cut), *sizes), known_by(swings(path, *sizes), cut)
    for ours, theirs in zip(early, later, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(path=walks(), sizes=SIZES, cut=st.integers(0, 60))
def test_levels_can_be_followed_on_in_later_bars(path: Bars, sizes: tuple[int, int], cut: int) -> None:
    cut = min(cut, len(path.time))
    early = swings(first(path, cut), *sizes)
    since = reached(after(path, cut), early.level, early.is_high, np.zeros(len(early.bar), dtype=np.int64))
    whole = swings(path, *sizes).where(swings(path, *sizes).known < cut)
    for before, then, ever in zip(
        (early.touched, early.swept, early.broken),
        since,
        (whole.touched, whole.swept, whole.broken),
        strict=True,
    ):
        np.testing.assert_array_equal(np.where((before == NEVER) & (then != NEVER), then + cut, before), ever)


@given(path=walks(), sizes=SIZES, tolerance=st.sampled_from([0.0, 0.5, 1.0, 3.0]), cut=st.integers(0, 60))
def test_a_cluster_is_of_near_levels_and_only_grows(
    path: Bars, sizes: tuple[int, int], tolerance: float, cut: int
) -> None:
    found = swings(path, *sizes)
    whole = clusters(path, found, np.full(len(found.bar), tolerance))
    members = [one for cluster in whole for one in cluster.members]
    assert len(members) == len(set(members))
    for cluster in whole:
        assert len(cluster.members) >= 2
        levels = found.level[list(cluster.members)]
        assert np.all(np.abs(levels - levels[0]) <= tolerance)
        assert cluster.level == (levels.max() if cluster.is_high else levels.min())
    cut = min(cut, len(path.time))
    early = swings(first(path, cut), *sizes)
    known = clusters(first(path, cut), early, np.full(len(early.bar), tolerance))
    # Swings are listed by bar, and so numbered alike however many follow.
    for cluster in known:
        grown = [one for one in whole if one.members[: len(cluster.members)] == cluster.members]
        assert [one.known for one in grown] == [cluster.known]
    assert len(known) == sum(one.known < cut for one in whole)

"""Heat maps of resting sizes: by hand, and beside a walk over every nanosecond."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.heatmap import Heatmap, How, heatmap, largest
from orderflow.market.columns import Column
from orderflow.market.errors import InvalidArgument
from tests.flow.random_books import TICK, Snapshot, columns, snapshots

NAN = np.nan


def shown(found: Heatmap, side: str) -> dict[float, list[float | None]]:
    """Each bin's sizes over time, by its lower edge; None where unknown."""
    matrix: Column = getattr(found, side)
    return {
        low: [None if np.isnan(one) else one for one in sizes]
        for low, sizes in zip(found.low.tolist(), matrix.T.tolist(), strict=True)
    }


def test_a_mean_over_time_by_hand() -> None:
    # From 2 to 6 there are 8.0 at 10.0 (20 ticks), from 6 to 16 (it holds for 10) 4.0 there and 2.0 at 9.5.
    book = columns([Snapshot(2, {20: 8.0}, {22: 1.0}), Snapshot(6, {20: 4.0, 19: 2.0}, {21: 3.0})])
    found = heatmap(book, 0, 30, TICK, 1, 10)
    assert found.start.tolist() == [0, 10, 20]
    np.testing.assert_allclose(found.covered, [0.8, 0.6, 0.0])
    assert shown(found, "bid") == {
        9.5: [2.0, 2.0, None],  # the first snapshot does not tell what is there: a mean of 4 of the 8 ns
        10.0: [6.0, 4.0, None],  # (8 × 4 + 4 × 4) / 8
        10.5: [0.0, 0.0, None],  # above the best bid there is none, and that is known
        11.0: [0.0, 0.0, None],
    }
    assert shown(found, "ask") == {
        9.5: [0.0, 0.0, None],
        10.0: [0.0, 0.0, None],
        10.5: [1.5, 3.0, None],  # (0 × 4 + 3 × 4) / 8
        11.0: [1.0, None, None],  # only the first snapshot reaches it
    }


def test_the_last_of_an_interval_by_hand() -> None:
    book = columns([Snapshot(2, {20: 8.0}, {22: 1.0}), Snapshot(6, {20: 4.0, 19: 2.0}, {21: 3.0})])
    found = heatmap(book, 0, 20, TICK, 1, 10, "last", hold=6)
    # The first snapshot is the last of no interval: nothing of it is shown.
    assert shown(found, "bid") == {9.5: [2.0, 2.0], 10.0: [4.0, 4.0], 10.5: [0.0, 0.0]}
    assert shown(found, "ask") == {9.5: [0.0, 0.0], 10.0: [0.0, 0.0], 10.5: [3.0, 3.0]}
    assert found.at.tolist() == [6, 6]


def test_a_bin_in_which_the_known_levels_end_is_unknown_or_a_lower_bound() -> None:
    # Bins of 4 ticks: bids known from 397 up, bins begin at 396 and 400; asks up to 406, bins end with 403, 407.
    book = columns([Snapshot(0, {401: 1.0, 397: 2.0}, {402: 4.0, 406: 8.0})])
    strict = heatmap(book, 0, 10, TICK, 4, 10)
    assert shown(strict, "bid") == {198.0: [None], 200.0: [1.0], 202.0: [0.0]}
    assert shown(strict, "ask") == {198.0: [0.0], 200.0: [4.0], 202.0: [None]}
    bounds = heatmap(book, 0, 10, TICK, 4, 10, partly=True)
    assert shown(bounds, "bid") == {198.0: [2.0], 200.0: [1.0], 202.0: [0.0]}
    assert shown(bounds, "ask") == {198.0: [0.0], 200.0: [4.0], 202.0: [8.0]}
    whole = columns([Snapshot(0, {401: 1.0, 397: 2.0}, {402: 4.0, 406: 8.0})], complete=True)
    np.testing.assert_array_equal(heatmap(whole, 0, 10, TICK, 4, 10).bid, bounds.bid)


def test_a_crossed_book_and_a_gap_are_unknown() -> None:
    crossed = columns([Snapshot(0, {403: 1.0}, {402: 1.0})])
    assert heatmap(crossed, 0, 10, TICK, 1, 10).bid.shape == (1, 0)
    book = columns([Snapshot(0, {401: 1.0}, {402: 1.0})])
    found = heatmap(book, 0, 30, TICK, 1, 10, hold=100, gaps=np.array([[5, 20]]))
    assert found.covered.tolist() == [0.5, 0.0, 0.0]
    assert shown(found, "bid")[200.5] == [1.0, None, None]


def test_what_makes_no_map_is_refused_and_no_snapshots_are_an_empty_one() -> None:
    none = columns([])
    for since, until, ticks, interval in ((0, 10, 0, 1), (0, 10, 1, 0), (10, 0, 1, 1)):
        with pytest.raises(InvalidArgument, match="no heat map"):
            heatmap(none, since, until, TICK, ticks, interval)
    with pytest.raises(InvalidArgument, match="no range"):
        heatmap(none, 0, 10, TICK, 1, 10, bins=(5, 4))
    with pytest.raises(InvalidArgument, match="too large"):
        heatmap(none, 0, 10_000, TICK, 1, 1, bins=(0, 10_000))
    with pytest.raises(InvalidArgument, match="too large"):
        heatmap(none, 0, 10**12, TICK, 1, 1)
    assert heatmap(none, 0, 10, TICK, 1, 10).bid.shape == (1, 0)
    assert np.isnan(heatmap(none, 0, 10, TICK, 1, 10, bins=(0, 3)).ask).all()
    for moment in (10, 15):
        assert heatmap(none, moment, moment, TICK, 1, 10).bid.shape == (0, 0)


def walked(
    found: list[Snapshot],
    levels: int,
    complete: bool,
    times: range,
    hold: int,
    gap: tuple[int, int],
    bin: range,
) -> tuple[list[float], int]:
    """Return a bin's bids at each nanosecond that knows them, and at how many anything is known."""
    sizes: list[float] = []
    covered = 0
    for now in times:
        standing = [one for one in found if one.time <= now]
        if not standing:
            continue
        one = standing[-1]
        lost = one.time < gap[1] and gap[0] <= now
        if lost or now >= one.time + hold:
            continue
        covered += 1
        bids = dict(sorted(one.bids.items(), reverse=True)[:levels])
        if complete or (bids and min(bids) <= bin.start):
            sizes.append(sum(bids.get(price, 0.0) for price in bin))
    return sizes, covered


@given(
    found=snapshots(),
    hold=st.integers(0, 40),
    gap=st.tuples(st.integers(0, 50), st.integers(1, 15)),
    ticks=st.integers(1, 4),
    complete=st.booleans(),
    how=st.sampled_from(["mean", "last"]),
)
def test_a_map_is_what_a_walk_over_every_nanosecond_finds(
    found: list[Snapshot], hold: int, gap: tuple[int, int], ticks: int, complete: bool, how: How
) -> None:
    levels, lost = (5 if complete else 2), (gap[0], gap[0] + gap[1])
    ours = heatmap(
        columns(found, levels, complete=complete),
        7,
        47,
        TICK,
        ticks,
        10,
        how,
        hold=hold,
        gaps=np.array([lost]),
    )
    for row in range(5):
        times = range(max(7, 10 * row), min(47, 10 * row + 10))
        for column, bin in enumerate(ours.bin.tolist()):
            prices = range(bin * ticks, (bin + 1) * ticks)
            if how == "last":
                standing = [
                    now
                    for now in times
                    if walked(found, levels, True, range(now, now + 1), hold, lost, prices)[1]
                ]
                times = range(standing[-1], standing[-1] + 1) if standing else range(0)
            sizes, covered = walked(found, levels, complete, times, hold, lost, prices)
            if not sizes:
                assert np.isnan(ours.bid[row, column])
            else:
                assert ours.bid[row, column] == pytest.approx(sum(sizes) / len(sizes))
            if how == "mean":
                assert ours.covered[row] == pytest.approx(covered / 10)


@given(found=snapshots(), cut=st.integers(0, 6))
def test_a_map_can_be_gone_on_with_and_the_future_changes_no_closed_interval(
    found: list[Snapshot], cut: int
) -> None:
    every, bins = columns(found, 3), (395, 425)
    whole = heatmap(every, 0, 60, TICK, 1, 10, hold=25, bins=bins)
    early = heatmap(every.between(0, 10 * cut), 0, 10 * cut, TICK, 1, 10, hold=25, bins=bins)
    late = heatmap(every, 10 * cut, 60, TICK, 1, 10, hold=25, bins=bins)
    for name in ("bid", "ask", "covered", "start"):
        joined = np.concatenate([getattr(early, name), getattr(late, name)])
        np.testing.assert_allclose(joined, getattr(whole, name), rtol=1e-12)
    assert early.closed.all()
    now = heatmap(every, 0, 60 - 5, TICK, 1, 10, hold=25, bins=bins)
    np.testing.assert_array_equal(now.bid[now.closed], whole.bid[:5])


@given(found=snapshots())
def test_bids_and_asks_mirror_each_other(found: list[Snapshot]) -> None:
    # 799 less a tick of bin b is one of bin 399 - b
    turned = [
        Snapshot(
            one.time, {799 - p: q for p, q in one.asks.items()}, {799 - p: q for p, q in one.bids.items()}
        )
        for one in found
    ]
    ours = heatmap(columns(found, 2), 0, 60, TICK, 2, 10, bins=(190, 210))
    theirs = heatmap(columns(turned, 2), 0, 60, TICK, 2, 10, bins=(190, 210))
    np.testing.assert_allclose(ours.bid, theirs.ask[:, ::-1])
    np.testing.assert_allclose(ours.ask, theirs.bid[:, ::-1])


def test_the_largest_bins_are_those_with_the_most_and_never_empty_ones() -> None:
    assert largest(np.array([0.0, NAN, 3.0, 1.0, 3.0]), 5).tolist() == [2, 4, 3]

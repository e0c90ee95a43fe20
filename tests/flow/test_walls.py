"""Walls: how long they stood, and whether they were filled or pulled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.books import Prints
from orderflow.flow.heatmap import Heatmap, heatmap
from orderflow.flow.walls import Wall, biggest, walls
from orderflow.market.errors import InvalidArgument
from tests.flow.random_books import TICK, Snapshot, columns

TEN = dict.fromkeys(range(391, 401), 1.0)  # bids of 1.0 from 391 to 400


def shown(wall_at_395: list[float | None], *, how: str = "last", until: int | None = None) -> Heatmap:
    """A map of intervals of 10 with so much at 395 in each, which is unknown where None."""
    asks = dict.fromkeys(range(401, 411), 1.0)
    found = [
        Snapshot(10 * at, TEN | {395: size}, asks)
        if size is not None
        else Snapshot(10 * at, dict.fromkeys(range(397, 401), 1.0), asks)
        for at, size in enumerate(wall_at_395)
    ]
    end = 10 * len(wall_at_395) if until is None else until
    return heatmap(columns(found, 10), 0, end, TICK, 1, 10, "last" if how == "last" else "mean")


def sold(*trades: tuple[int, int, float]) -> Prints:
    time, ticks, size = (np.array(one) for one in zip(*trades, strict=True))
    return Prints(time, ticks * TICK, size.astype(np.float64), np.zeros(len(time), dtype=np.bool_))


def test_a_wall_by_hand() -> None:
    # The median of the ten bids is 1.0: above 5.0 it is a wall. It is gone from 40 on, clear at 70.
    found = walls(shown([1.0, 6.0, 5.0, 8.0, 2.0, 2.0, 2.0, 2.0]))
    assert found == [
        Wall(
            side="bid", low=197.5, high=198.0, first_seen=10, last_seen=40, intervals=2, persistence=2 / 3, size=8.0,
            mean_size=7.0, times=8.0, fate="gone", ended=70, decline=6.0,
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("trades", "fate", "traded"),
    [
        # The snapshots are of 30, with 8.0, and of 40, with 2.0.
        (sold((31, 395, 2.0), (40, 395, 1.0)), "filled", 3.0),  # half of the decline of 6
        (sold((31, 395, 2.0), (35, 394, 9.0)), "pulled", 2.0),  # another price
        (sold((30, 395, 9.0), (41, 395, 9.0)), "pulled", 0.0),  # in the one already, and after the other
    ],
)
def test_a_wall_was_filled_if_takers_took_it(trades: Prints, fate: str, traded: float) -> None:
    (found,) = walls(shown([1.0, 6.0, 5.0, 8.0, 2.0, 2.0, 2.0, 2.0]), trades=trades)
    assert (found.fate, found.traded) == (fate, traded)


def test_takers_who_bought_did_not_fill_a_wall_of_bids() -> None:
    bought = sold((35, 395, 9.0))._replace(is_buy=np.array([True]))
    (found,) = walls(shown([1.0, 6.0, 5.0, 8.0, 2.0, 2.0, 2.0]), trades=bought)
    assert found.fate == "pulled"


def test_a_mean_counts_the_trades_of_the_walls_last_interval_too() -> None:
    (found,) = walls(shown([1.0, 8.0, 2.0, 2.0, 2.0], how="mean"), trades=sold((15, 395, 9.0)))
    assert (found.fate, found.traded) == ("filled", 9.0)


def test_a_wall_stands_until_it_is_clear_that_it_does_not() -> None:
    assert [one.fate for one in walls(shown([6.0, 2.0, 2.0]))] == ["standing"]
    assert [one.fate for one in walls(shown([6.0, 2.0, 2.0, 2.0]))] == ["gone"]
    assert [one.fate for one in walls(shown([6.0, 2.0, 2.0, 2.0], until=39))] == [
        "standing"
    ]  # not closed yet
    assert [one.fate for one in walls(shown([6.0, 2.0]), patience=0)] == ["gone"]


def test_out_of_sight_is_neither_standing_nor_ended() -> None:
    (found,) = walls(shown([6.0, None, None, None, None]))
    assert (found.fate, found.last_seen, found.persistence) == ("unseen", 10, 1.0)
    (back,) = walls(shown([6.0, None, None, None, 7.0]))
    assert (back.fate, back.first_seen, back.last_seen, back.intervals) == ("standing", 0, 50, 2)


def test_a_wall_that_lost_nothing_was_outgrown() -> None:
    asks = dict.fromkeys(range(401, 411), 1.0)
    thick = dict.fromkeys(range(391, 401), 3.0) | {395: 6.0}
    found = columns(
        [Snapshot(0, TEN | {395: 6.0}, asks), Snapshot(10, thick, asks), Snapshot(20, thick, asks)], 10
    )
    (wall,) = walls(heatmap(found, 0, 30, TICK, 1, 10), patience=1)
    assert (wall.fate, wall.decline) == ("outgrown", 0.0)


def test_a_handful_of_bins_has_no_median() -> None:
    found = columns([Snapshot(0, {400: 1.0, 399: 9.0, 398: 1.0}, {401: 1.0})])
    assert walls(heatmap(found, 0, 10, TICK, 1, 10)) == []
    assert len(walls(heatmap(found, 0, 10, TICK, 1, 10), least_bins=3)) == 1


def test_the_biggest_are_those_furthest_above_their_median() -> None:
    asks = dict.fromkeys(range(401, 411), 1.0) | {405: 9.0, 409: 7.0}
    found = walls(heatmap(columns([Snapshot(0, TEN | {393: 8.0}, asks)], 10), 0, 10, TICK, 1, 10))
    assert [(one.side, one.low) for one in found] == [("bid", 196.5), ("ask", 202.5), ("ask", 204.5)]
    assert [one.times for one in biggest(found, 2)] == [9.0, 8.0]


def test_nothing_shown_has_no_walls_and_nonsense_is_refused() -> None:
    assert walls(heatmap(columns([]), 0, 10, TICK, 1, 10)) == []
    assert walls(heatmap(columns([]), 0, 0, TICK, 1, 10)) == []
    for times, patience in ((1.0, 1), (np.nan, 1), (5.0, -1)):
        with pytest.raises(InvalidArgument):
            walls(shown([1.0]), times, patience)


SIZES = st.lists(st.sampled_from([None, 1.0, 4.0, 6.0, 7.0, 20.0]), min_size=1, max_size=14)


@given(sizes=SIZES, patience=st.integers(0, 3), data=st.data())
def test_what_is_said_of_a_wall_that_ended_stays_said(
    sizes: list[float | None], patience: int, data: st.DataObject
) -> None:
    known = data.draw(st.integers(1, len(sizes)))
    early, later = walls(shown(sizes[:known]), 5.0, patience), walls(shown(sizes), 5.0, patience)
    assert [one for one in early if one.ended is not None] == [
        one for one in later if one.ended is not None and one.ended <= 10 * known
    ]
    starts = {one.first_seen for one in later}
    assert all(one.first_seen in starts for one in early)


@given(sizes=SIZES, patience=st.integers(0, 3))
def test_walls_are_the_intervals_above_the_threshold(sizes: list[float | None], patience: int) -> None:
    found = walls(shown(sizes), 5.0, patience)
    above = [size is not None and size > 5 for size in sizes]
    assert sum(one.intervals for one in found) == sum(above)
    assert all(0 < one.persistence <= 1 for one in found)
    assert all(one.last_seen <= other.first_seen for one, other in zip(found, found[1:], strict=False))

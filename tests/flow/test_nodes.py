"""High- and low-volume nodes by hand, and beside a plain reading of prominence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.cells import cells
from orderflow.flow.nodes import Node, nodes, smoothed
from orderflow.flow.profile import Profile, profile
from orderflow.market.errors import InvalidArgument

heights = st.lists(st.integers(0, 30), min_size=1, max_size=40).filter(lambda drawn: drawn[0] and drawn[-1])


def of(*volume: float) -> Profile:
    size = np.array(volume, dtype=np.float64)
    return profile(
        cells(np.zeros(len(size), dtype=np.int64), np.arange(len(size)), size, size, size > 0), 1.0
    )


def shown(found: list[Node]) -> list[tuple[str, int]]:
    return [(one.kind, one.bin.number) for one in found]


# ── By hand ───────────────────────────────────────────────────────────────────────────────────


def test_hills_and_the_valley_between_them() -> None:
    found = nodes(of(1, 6, 2, 1, 7, 1), smoothing=0)
    assert shown(found) == [("high", 1), ("low", 3), ("high", 4)]
    assert [one.amount for one in found] == [6.0, 1.0, 7.0]


def test_a_bump_that_does_not_stand_out_is_no_node() -> None:
    # from bin 3 (5) to the higher bin 1 (10) it falls to 4: 1, less than a fifth of 10
    assert shown(nodes(of(1, 10, 4, 5, 1), smoothing=0, prominence=0.2)) == [("high", 1)]
    assert shown(nodes(of(1, 10, 4, 5, 1), smoothing=0, prominence=0.1)) == [
        ("high", 1),
        ("low", 2),
        ("high", 3),
    ]


def test_smoothing_weighs_neighbours_by_their_distance() -> None:
    # reach 1: weights ¼ ½ ¼; beyond the range is 0
    assert smoothed(np.array([4.0, 8.0, 0.0, 4.0]), 1).tolist() == [4.0, 5.0, 3.0, 2.0]
    assert shown(nodes(of(4, 8, 0.001, 4), smoothing=1)) == [("high", 1)]


def test_of_equal_bins_in_a_row_the_middle_one_is_the_node() -> None:
    assert shown(nodes(of(5, 0, 0, 0, 5, 5), smoothing=0)) == [("high", 0), ("low", 2), ("high", 4)]


def test_a_profile_of_one_bin_is_one_hill_and_of_none_none() -> None:
    assert shown(nodes(of(3), smoothing=2)) == [("high", 0)]
    assert nodes(of()) == nodes(of(0.0)) == nodes(of(1.0, np.nan)) == []


@pytest.mark.parametrize(("smoothing", "prominence"), [(-1, 0.1), (0, 0.0), (0, 1.5), (0, float("nan"))])
def test_what_tells_no_nodes_is_refused(smoothing: int, prominence: float) -> None:
    with pytest.raises(InvalidArgument, match="cannot be told"):
        nodes(of(1), smoothing, prominence)


# ── What can never be ─────────────────────────────────────────────────────────────────────────


@given(heights, st.sampled_from([0.05, 0.1, 0.3, 0.7, 1.0]))
def test_the_hills_are_those_of_enough_prominence(volume: list[int], prominence: float) -> None:
    distinct = [
        one + at / 100 for at, one in enumerate(volume)
    ]  # no two bins alike: prominence is plain then
    found = nodes(of(*distinct), smoothing=0, prominence=prominence)
    least = prominence * max(distinct) - 1e-9
    assert [one.bin.number for one in found if one.kind == "high"] == [
        at for at in range(len(distinct)) if prominence_of(distinct, at) >= least
    ]


@given(heights, st.integers(0, 4), st.sampled_from([0.05, 0.2, 0.5]))
def test_hills_and_valleys_alternate_and_stand_out(
    volume: list[int], smoothing: int, prominence: float
) -> None:
    found = nodes(of(*volume), smoothing, prominence)
    assert [one.kind for one in found] == ["high", "low"] * (len(found) // 2) + ["high"]
    assert [one.bin.number for one in found] == sorted(one.bin.number for one in found)
    highest = max(one.smoothed for one in found)
    for one, other in zip(found[:-1], found[1:], strict=True):
        assert abs(one.smoothed - other.smoothed) >= prominence * highest * (1 - 1e-6)


@given(heights, st.integers(0, 4))
def test_smoothing_neither_makes_nor_lifts_volume(volume: list[int], reach: int) -> None:
    found = smoothed(np.array(volume, dtype=np.float64), reach)
    assert found.sum() <= sum(volume) + 1e-9
    assert found.max() <= max(volume) + 1e-9


def prominence_of(height: list[float], at: int) -> float:
    """How far it falls on the lesser of the two ways to a higher bin, or to the outside, which is 0."""
    padded = [0.0, *height, 0.0]
    lows: list[float] = []
    for step in (-1, 1):
        place, low = at + 1, height[at]
        while 0 < place < len(padded) - 1 and padded[place] <= height[at]:
            place += step
            low = min(low, padded[place]) if padded[place] <= height[at] else low
        lows.append(low)
    return height[at] - max(lows)

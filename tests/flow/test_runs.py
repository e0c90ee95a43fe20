"""Matrices as runs of rounded values, for transport."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.heatmap import heatmap
from orderflow.flow.runs import rounded, runs, unrolled
from orderflow.market.errors import InvalidArgument
from tests.flow.random_books import TICK, Snapshot, columns, snapshots


def test_runs_by_hand() -> None:
    # two bins over three intervals: 1.04 and 0.96 are 1 to one digit; an unknown one; then nothing, thrice
    sent = runs(np.array([[1.04, 0.0], [0.96, 0.0], [np.nan, 0.0]]), digits=1)
    assert (sent.intervals, sent.bins, sent.length.tolist()) == (3, 2, [2, 1, 3])
    np.testing.assert_array_equal(sent.value, [1.0, np.nan, 0.0])


@given(found=snapshots(), digits=st.integers(1, 4))
def test_runs_stand_for_the_rounded_matrix(found: list[Snapshot], digits: int) -> None:
    ours = heatmap(columns(found), 0, 60, TICK, 1, 10).bid
    sent = runs(ours, digits)
    np.testing.assert_array_equal(unrolled(sent), rounded(ours, digits))
    assert sent.length.sum() == ours.size
    neighbours = zip(sent.value[1:].tolist(), sent.value[:-1].tolist(), strict=True)
    assert all(one != other and not (np.isnan(one) and np.isnan(other)) for one, other in neighbours)


def test_sizes_are_rounded_to_significant_digits() -> None:
    assert rounded(np.array([0.00123456, 0.95, 1.05, 99.5, 123_456.0]), 2).tolist() == [
        0.0012,
        0.95,
        1.0,
        100.0,
        120_000.0,
    ]
    with pytest.raises(InvalidArgument):
        rounded(np.array([1.0]), 0)
    assert runs(np.empty((3, 0))).length.tolist() == []

"""The average true range: by hand, and beside pandas."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.atr import atr, true_range
from orderflow.flow.swings import Bars
from orderflow.market.errors import InvalidArgument
from tests.flow.random_bars import bars, first, walks

NAN = np.nan


def of(found: Bars, period: int) -> list[float]:
    return atr(found.high, found.low, found.close, period).tolist()


def test_the_average_by_hand() -> None:
    # true ranges: -, 3 (13 - 10), 4 (up from a close of 10: 14 - 10), 1, 8 (down from 13: 13 - 5)
    found = bars((11, 10, 10.5), (13, 10, 10), (14, 12, 13), (13, 12, 13), (6, 5, 5))
    # the mean of 3 and 4 is 3.5; (3.5 + 1) / 2 = 2.25; (2.25 + 8) / 2 = 5.125
    np.testing.assert_array_equal(of(found, 2), [NAN, NAN, 3.5, 2.25, 5.125])


def test_an_unknown_bar_begins_the_average_anew() -> None:
    found = bars((11, 10, 11), (12, 10, 11), (NAN, NAN, NAN), (13, 10, 11), (12, 10, 11), (15, 10, 11))
    np.testing.assert_array_equal(of(found, 1), [NAN, 2.0, NAN, NAN, 2.0, 5.0])
    np.testing.assert_array_equal(of(found, 2), [NAN, NAN, NAN, NAN, NAN, 3.5])


def test_no_bars_have_no_range_and_no_period_is_refused() -> None:
    assert of(bars(), 14) == []
    with pytest.raises(InvalidArgument):
        of(bars((1, 1, 1)), 0)


@given(found=walks(), period=st.integers(1, 20))
def test_it_is_wilders_smoothing_as_pandas_knows_it(found: Bars, period: int) -> None:
    ranges = true_range(found.high, found.low, found.close)
    ours = np.array(of(found, period))
    if len(ranges) <= period:
        assert np.isnan(ours).all()
        return
    seeded = np.append(ranges[1 : period + 1].mean(), ranges[period + 1 :])
    theirs = pd.Series(seeded).ewm(alpha=1 / period, adjust=False).mean().to_numpy()
    np.testing.assert_allclose(ours[period:], theirs)
    assert np.isnan(ours[:period]).all()


@given(found=walks(), cut=st.integers(0, 60))
def test_what_was_known_stays(found: Bars, cut: int) -> None:
    np.testing.assert_array_equal(of(first(found, cut), 5), of(found, 5)[:cut])


@given(found=walks())
def test_a_true_range_is_no_less_than_the_bars_own(found: Bars) -> None:
    ranges = true_range(found.high, found.low, found.close)[1:]
    assert np.all(ranges >= (found.high - found.low)[1:])
    assert np.all(ranges >= np.abs(np.diff(found.close)))

"""VPIN, Kyle's λ and Amihud's ratio: by hand, beside pandas and numpy, and for any tape."""

import statistics

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.toxicity import Rest, amihud, buckets, bulk_buy_share, kyle_lambda, standing, vpin
from orderflow.market.columns import Column
from orderflow.market.errors import InvalidArgument

# ── VPIN ──────────────────────────────────────────────────────────────────────────────────────


def test_a_trade_that_overfills_a_bucket_is_split() -> None:
    # buckets of 10: bought 6, then sold 4 of 9, its other 5 begin the next; a buy of 17 fills that one with
    # 5 of it, the whole third with 10, and leaves 2
    time, size, share = np.array([1, 2, 3]), np.array([6.0, 9.0, 17.0]), np.array([1.0, 0.0, 1.0])
    found = buckets(time, size, share, 10.0)
    assert found.buy.tolist() == [6.0, 5.0, 10.0]
    assert found.sell.tolist() == [4.0, 5.0, 0.0]
    assert found.end.tolist() == [2, 3, 3]
    assert found.rest == Rest(buy=2.0)
    # |6 − 4| / 10, |5 − 5| / 10, |10 − 0| / 10
    assert found.imbalance.tolist() == [0.2, 0.0, 1.0]
    np.testing.assert_array_equal(vpin(found.imbalance, 2), [np.nan, 0.1, 0.5])
    np.testing.assert_allclose(vpin(found.imbalance, 3), [np.nan, np.nan, 0.4])


def test_a_bucket_filled_to_the_brim_is_full_in_spite_of_binary_fractions() -> None:
    found = buckets(np.arange(10), np.full(10, 0.1), np.ones(10), 1.0)  # ten times 0.1 is 0.9999999999999999
    assert found.end.tolist() == [9]
    assert found.buy.tolist() == pytest.approx([1.0])


def test_volume_of_no_known_side_makes_its_bucket_unknown_and_no_other() -> None:
    found = buckets(np.arange(4), np.full(4, 5.0), np.array([1.0, np.nan, 0.0, 1.0]), 10.0)
    np.testing.assert_array_equal(found.imbalance, [np.nan, 0.0])
    np.testing.assert_array_equal(vpin(found.imbalance, 1), [np.nan, 0.0])


def test_without_trades_there_are_no_buckets_and_nonsense_is_refused() -> None:
    none = buckets(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0), 1.0)
    assert (len(none.end), none.rest) == (0, Rest())
    assert len(vpin(none.imbalance)) == len(standing(none.buy)) == 0
    for volume in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(InvalidArgument, match="volume"):
            buckets(np.arange(1), np.ones(1), np.ones(1), volume)
    with pytest.raises(InvalidArgument, match="unknown"):
        buckets(np.arange(1), np.array([np.nan]), np.ones(1), 1.0)
    with pytest.raises(InvalidArgument, match="VPIN"):
        vpin(np.ones(2), 0)
    with pytest.raises(InvalidArgument, match="deviation"):
        bulk_buy_share(np.ones(5), 1)


sizes = st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=60)


@given(sizes, st.integers(1, 50))
def test_pouring_loses_nothing_and_fills_every_bucket(trades: list[tuple[int, bool]], volume: int) -> None:
    size, share = np.array([one for one, _ in trades]) / 8, np.array([float(bought) for _, bought in trades])
    found = buckets(np.arange(len(size)), size, share, volume / 8)
    np.testing.assert_allclose(found.buy + found.sell, volume / 8)
    assert found.buy.sum() + found.rest.buy == pytest.approx((size * share).sum())
    assert found.sell.sum() + found.rest.sell == pytest.approx((size * (1 - share)).sum())
    assert sum(found.rest) < volume / 8
    assert ((found.imbalance >= 0) & (found.imbalance <= 1 + 1e-9)).all()


@given(sizes, st.integers(1, 50))
def test_the_buckets_are_those_of_lots_poured_one_by_one(trades: list[tuple[int, bool]], volume: int) -> None:
    # the paper's own way: each trade repeated as often as it has lots, then cut into groups of V lots
    lots = [bought for size, bought in trades for _ in range(size)]
    full = [lots[start : start + volume] for start in range(0, len(lots) - volume + 1, volume)]
    size, share = (
        np.array([float(one) for one, _ in trades]),
        np.array([float(bought) for _, bought in trades]),
    )
    found = buckets(np.arange(len(size)), size, share, float(volume))
    np.testing.assert_allclose(found.buy, [sum(group) for group in full])
    owner = [place for place, (count, _) in enumerate(trades) for _ in range(count)]
    assert found.end.tolist() == [
        owner[start + volume - 1] for start in range(0, len(lots) - volume + 1, volume)
    ]


@given(sizes, st.integers(1, 50), st.integers(0, 60))
def test_pouring_on_is_the_same_as_pouring_once(
    trades: list[tuple[int, bool]], volume: int, cut: int
) -> None:
    time, size = np.arange(len(trades)), np.array([one for one, _ in trades]) / 8
    share = np.array([float(bought) for _, bought in trades])
    whole = buckets(time, size, share, volume / 8)
    early = buckets(time[:cut], size[:cut], share[:cut], volume / 8)
    late = buckets(time[cut:], size[cut:], share[cut:], volume / 8, early.rest)
    assert early.end.tolist() + late.end.tolist() == whole.end.tolist()
    np.testing.assert_allclose(np.append(early.buy, late.buy), whole.buy)
    np.testing.assert_allclose(late.rest, whole.rest, atol=1e-9)


@given(st.lists(st.floats(0, 1), max_size=60), st.integers(1, 9))
def test_vpin_is_the_rolling_mean_that_pandas_says(imbalance: list[float], window: int) -> None:
    column = np.array(imbalance, dtype=np.float64)
    expected = pd.Series(column).rolling(window).mean().to_numpy()
    np.testing.assert_allclose(vpin(column, window), expected, atol=1e-12)
    ranks = [float(np.mean(column[: place + 1] <= one)) for place, one in enumerate(column)]
    np.testing.assert_allclose(standing(column), ranks)


# ── Bulk volume classification ────────────────────────────────────────────────────────────────


def test_a_bar_counts_as_bought_by_how_unusual_its_change_is() -> None:
    # changes +1, −1, +2: of the first two the deviation is √2, of the last two it is 3/√2
    found = bulk_buy_share(np.array([10.0, 11.0, 10.0, 12.0]), 2)
    normal = statistics.NormalDist()
    np.testing.assert_allclose(found[2:], [normal.cdf(-1 / 2**0.5), normal.cdf(2 * 2**0.5 / 3)])
    assert np.isnan(found[:2]).all()


def test_a_still_market_counts_half_and_a_steady_climb_whole() -> None:
    assert bulk_buy_share(np.full(5, 3.0), 2)[2:].tolist() == [0.5, 0.5, 0.5]
    assert bulk_buy_share(np.arange(5.0), 2)[2:].tolist() == [1.0, 1.0, 1.0]
    assert np.isnan(bulk_buy_share(np.array([1.0, 2.0, np.nan, 3.0, 5.0, 4.0, 4.5]), 2)[2:5]).all()
    assert len(bulk_buy_share(np.ones(2), 5)) == 2


@given(st.lists(st.integers(90, 110), min_size=1, max_size=40), st.integers(2, 8), st.integers(0, 40))
def test_cutting_changes_no_share_before_it(prices: list[int], window: int, cut: int) -> None:
    close: Column = np.array(prices, dtype=np.float64)
    found = bulk_buy_share(close, window)
    np.testing.assert_array_equal(found[:cut], bulk_buy_share(close[:cut], window))
    assert ((found[window:] >= 0) & (found[window:] <= 1)).all()


# ── Kyle's λ ──────────────────────────────────────────────────────────────────────────────────


def test_kyles_lambda_by_hand() -> None:
    # x = 1, 2, 3, y = 1, 3, 2: means 2 and 2, Σdx² = 2, Σdy² = 2, Σdxdy = 1, so the slope is ½,
    # R² = 1² / (2 × 2) = ¼, the errors' squares are 2 − ½ = 1½, and the slope's error √(1½ / 1 / 2) = √¾
    found = kyle_lambda(np.array([1.0, 3.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    assert (found.slope, found.intercept, found.r2, found.n) == (0.5, 1.0, 0.25, 3)
    assert found.stderr == pytest.approx(0.75**0.5)
    assert found.t == pytest.approx(0.5 / 0.75**0.5)
    rooted = kyle_lambda(np.array([2.0, -3.0, 1.0]), np.array([4.0, -9.0, 1.0]), root=True)
    assert rooted.slope == pytest.approx(1.0)


def test_what_is_undetermined_is_none_and_says_why() -> None:
    few = kyle_lambda(np.array([1.0, np.nan, 2.0]), np.array([1.0, 2.0, 3.0]))
    assert (few.slope, few.stderr, few.t, few.n) == (None, None, None, 2)
    assert few.reason is not None
    assert "2 bars" in few.reason
    same = kyle_lambda(np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 0.1))
    assert (same.slope, same.n) == (None, 4)
    still = kyle_lambda(np.zeros(4), np.array([1.0, -2.0, 3.0, 4.0]))
    assert (still.slope, still.stderr, still.r2) == (0.0, 0.0, None)
    assert kyle_lambda(np.empty(0), np.empty(0)).n == 0


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(-1e6, 1e6)), min_size=4, max_size=60),
    st.booleans(),
)
def test_the_regression_is_what_numpy_says(bars: list[tuple[float, float]], root: bool) -> None:
    change, signed = (np.array(column) for column in zip(*bars, strict=True))
    x = np.sign(signed) * np.sqrt(np.abs(signed)) if root else signed
    found = kyle_lambda(change, signed, root=root)
    if np.ptp(x) < 1e-3 * max(1.0, np.abs(x).max()) or np.ptp(change) < 1e-3:
        return  # too flat for numpy's own solution to be a measure
    design = np.column_stack([x, np.ones(len(x))])
    (slope, intercept), *_ = np.linalg.lstsq(design, change)
    errors = change - design @ np.array([slope, intercept])
    assert found.slope == pytest.approx(slope, rel=1e-6, abs=1e-12)
    assert found.intercept == pytest.approx(intercept, rel=1e-6, abs=1e-6)
    assert found.r2 == pytest.approx(np.corrcoef(x, change)[0, 1] ** 2, abs=1e-6)
    error = np.sqrt(errors @ errors / (len(x) - 2) * np.linalg.inv(design.T @ design)[0, 0])
    assert found.stderr == pytest.approx(error, rel=1e-4, abs=1e-9 * max(1.0, abs(slope)))


# ── Amihud's ratio ────────────────────────────────────────────────────────────────────────────


def test_amihuds_ratio_by_hand() -> None:
    # +25 % on 1 000 and −20 % on 500: 0.00025 and 0.0004, of which the mean is 0.000325; the bar without
    # volume has no ratio
    found = amihud(np.array([100.0, 125.0, 100.0, 101.0]), np.array([9.0, 1000.0, 500.0, 0.0]))
    assert (round(found.ratio or 0, 9), found.n) == (325.0, 2)
    assert amihud(np.array([100.0]), np.array([1.0])) == (None, 0)
    assert amihud(np.empty(0), np.empty(0)) == (None, 0)


@given(
    st.lists(st.tuples(st.floats(1, 100), st.floats(1, 1e6)), min_size=2, max_size=40), st.floats(0.01, 100)
)
def test_amihuds_ratio_is_what_pandas_says_and_knows_no_unit_of_price(
    bars: list[tuple[float, float]], factor: float
) -> None:
    close, quote = (np.array(column) for column in zip(*bars, strict=True))
    frame = pd.DataFrame({"close": close, "quote": quote})
    expected = (frame["close"].pct_change().abs() / frame["quote"]).mean() * 1e6
    assert amihud(close, quote).ratio == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert amihud(close * factor, quote).ratio == pytest.approx(expected, rel=1e-6, abs=1e-9)

"""Delta and CVD: anchors, gaps, venues and sizes, by hand, beside pandas, and in pieces."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.bars import Bars, no_bars
from orderflow.flow.delta import against, by_size, cvd, together
from orderflow.market.columns import Mask
from orderflow.market.errors import InvalidArgument
from tests.flow.fills import Fills, fills, same, some_fills

MADE = fills((1, 100.0, 5.0), (2, 100.0, -2.0), (11, 101.0, -4.0), (31, 100.0, 1.0), (35, 102.0, 2.0))


def gridded(made: Fills, length: int = 10, covered: Mask | None = None) -> Bars:
    bar = made.every(length)
    return made.bars(bar).on_grid(length, 0, 0, int(bar[-1]) + 1 if len(bar) else 0, covered)


def test_cvd_is_the_sum_of_delta_since_its_anchor_by_hand() -> None:
    found = cvd(gridded(MADE), 0)
    # deltas 3, -4, 0 (nothing traded), 3
    assert found.close.tolist() == [3.0, -1.0, -1.0, 2.0]
    assert found.open.tolist() == [0.0, 3.0, -1.0, -1.0]
    # the first bar went to 5, the second down from 3, the last up from -1
    assert (found.high.tolist(), found.low.tolist()) == ([5.0, 3.0, -1.0, 2.0], [0.0, -1.0, -1.0, -1.0])
    quote = cvd(gridded(MADE), 0, "quote")
    assert quote.close.tolist() == [300.0, 300.0 - 404.0, -104.0, -104.0 + 100.0 + 204.0]


def test_cvd_begins_with_the_first_bar_that_begins_at_its_anchor_or_after_it() -> None:
    found = cvd(gridded(MADE), 5)
    np.testing.assert_array_equal(found.close, [np.nan, -4.0, -4.0, -1.0])
    assert np.isnan([found.open[0], found.high[0], found.low[0]]).all()
    anew = cvd(gridded(MADE), [10, 30])
    np.testing.assert_array_equal(anew.close, [np.nan, -4.0, -4.0, 3.0])
    assert anew.anchor.tolist() == [10, 10, 10, 30]


def test_a_bar_that_is_unknown_adds_nothing_and_is_counted() -> None:
    found = cvd(gridded(MADE, covered=np.array([True, True, False, True])), 0)
    assert found.missing.tolist() == [0, 0, 1, 1]
    assert found.close.tolist() == [3.0, -1.0, -1.0, 2.0]
    assert np.isnan(found.high).tolist() == [False, False, True, False]


def test_cvd_without_an_anchor_is_refused() -> None:
    for wrong in ([], [30, 10], [10, 10]):
        with pytest.raises(InvalidArgument, match="anchor"):
            cvd(gridded(MADE), wrong)


def test_no_bars_have_no_cvd_and_leave_it_where_it_was() -> None:
    before = cvd(gridded(MADE), 0)
    assert len(cvd(no_bars(), 0).close) == 0
    assert cvd(no_bars(), 0).state is None
    assert cvd(no_bars(), 0, state=before.state).state == before.state


@given(
    some_fills(least=1),
    st.integers(1, 40),
    st.lists(st.integers(0, 800), min_size=1, max_size=4, unique=True),
)
def test_cvd_is_the_grouped_sum_of_pandas(made: Fills, length: int, anchors: list[int]) -> None:
    bars = gridded(made, length)
    found = cvd(bars, sorted(anchors))
    run = pd.Series(bars.start).map(lambda start: sum(anchor <= start for anchor in anchors))
    theirs = pd.Series(bars.delta).groupby(run).cumsum().where(run > 0)
    np.testing.assert_array_equal(found.close, theirs.to_numpy())
    np.testing.assert_array_equal(found.close - found.open, np.where(run > 0, bars.delta, np.nan))


@given(some_fills(least=1), st.integers(5, 40), st.integers(0, 2**16), st.data())
def test_cvd_goes_on_with_more_bars_as_if_all_had_come_at_once(
    made: Fills, length: int, holes: int, data: st.DataObject
) -> None:
    rows = int(made.every(length)[-1]) + 1
    covered = np.array([bool(holes >> row % 17 & 1) for row in range(rows)])
    bars = gridded(made, length, covered)
    anchors = sorted(data.draw(st.sets(st.integers(0, rows * length), min_size=1, max_size=4)))
    at = data.draw(st.integers(0, rows))
    whole = cvd(bars, anchors)
    before = cvd(bars.rows(slice(0, at)), anchors)
    after = cvd(bars.rows(slice(at, None)), anchors, state=before.state)
    for name in ("anchor", "open", "high", "low", "close", "missing"):
        both = np.concatenate((getattr(before, name), getattr(after, name)))
        np.testing.assert_array_equal(both, getattr(whole, name), err_msg=name)
    assert after.state == whole.state


@given(some_fills(least=1), st.integers(1, 20), st.integers(1, 6))
def test_cvd_of_longer_bars_is_that_of_short_ones_at_their_ends(
    made: Fills, length: int, longer: int
) -> None:
    short, long = cvd(gridded(made, length), 0), cvd(gridded(made, length * longer), 0)
    assert long.close[-1] == short.close[-1]
    ends = np.arange(longer - 1, len(short.close), longer)
    assert (long.close[: len(ends)] == short.close[ends]).all()
    tops = np.maximum.reduceat(short.high, np.arange(0, len(short.high), longer))
    assert (long.high == tops).all()


# ── Venues ────────────────────────────────────────────────────────────────────────────────────


def test_venues_together_are_the_sum_of_what_is_known_by_hand() -> None:
    one = gridded(MADE, covered=np.array([True, True, False, True]))
    other = gridded(fills((5, 50.0, -1.0), (38, 50.0, 2.0)), covered=np.array([True, False, False, True]))
    found = together([one, other])
    np.testing.assert_array_equal(found.bars.delta, [2.0, -4.0, np.nan, 5.0])
    assert found.known.tolist() == [2, 1, 0, 2]
    np.testing.assert_array_equal(found.bars.delta_quote, [250.0, -404.0, np.nan, 404.0])
    assert found.bars.trades.tolist() == [3, 1, 0, 3]
    assert np.isnan(found.bars.close).all() and np.isnan(found.bars.delta_high).all()
    assert cvd(found.bars, 0).close.tolist() == [2.0, -2.0, -2.0, 3.0]


def test_bars_of_other_grids_are_not_added() -> None:
    with pytest.raises(InvalidArgument, match="grid"):
        together([gridded(MADE), gridded(MADE, 20)])
    with pytest.raises(InvalidArgument, match="nothing"):
        together([])
    with pytest.raises(InvalidArgument, match="grid"):
        against(gridded(MADE), gridded(MADE, 20), 0)


@given(some_fills(least=1), st.integers(1, 40), st.integers(1, 3))
def test_venues_together_are_their_trades_together(made: Fills, length: int, venues: int) -> None:
    venue = np.arange(len(made.time)) % venues
    whole = gridded(made, length)
    parts: list[Bars] = []
    for one in range(venues):
        own = made.rows(venue == one)
        parts.append(own.bars(own.every(length)).on_grid(length, 0, 0, len(whole.bar)))
    found = together(parts)
    for name in ("bar", "start", "end", "buy", "sell", "buy_quote", "sell_quote", "trades"):
        np.testing.assert_array_equal(getattr(found.bars, name), getattr(whole, name), err_msg=name)
    assert (found.known == venues).all()


def test_spot_against_perpetuals_by_hand() -> None:
    spot = gridded(MADE)  # deltas 3, -4, 0, 3 of volumes 7, 4, 0, 3
    perpetual = gridded(fills((5, 100.0, 1.0), (15, 100.0, 2.0), (38, 100.0, 5.0)))  # deltas 1, 2, 0, 5
    found = against(spot, perpetual, 0)
    assert found.difference.tolist() == [2.0, -4.0, -4.0, -6.0]  # CVD 3, -1, -1, 2 less 1, 3, 3, 8
    np.testing.assert_array_equal(found.share, [7 / 8, 4 / 6, np.nan, 3 / 8])
    assert found.agree.tolist() == [True, False, False, True]


# ── Sizes ─────────────────────────────────────────────────────────────────────────────────────


def test_trades_are_told_apart_by_their_value_by_hand() -> None:
    like = gridded(MADE)
    # values 500, 200, 404, 100, 204; an edge belongs to the sizes above it
    found = by_size(like, MADE.every(10), *MADE, edges=[200.0, 404.0])
    assert [one.delta.tolist() for one in found.sizes] == [
        [0.0, 0.0, 0.0, 1.0], [-2.0, 0.0, 0.0, 2.0], [5.0, -4.0, 0.0, 0.0],
    ]  # fmt: skip
    assert found.unknown.tolist() == [0, 0, 0, 0]
    assert [cvd(one, 0).close[-1] for one in found.sizes] == [1.0, 0.0, 1.0]


def test_a_trade_of_unknown_size_is_of_no_size_and_is_counted() -> None:
    size = MADE.size.copy()
    size[2] = np.nan
    found = by_size(gridded(MADE), MADE.every(10), *MADE._replace(size=size), edges=[200.0])
    assert found.unknown.tolist() == [0, 1, 0, 0]
    assert sum(int(one.trades.sum()) for one in found.sizes) == 4


def test_a_value_on_an_edge_is_above_it_whatever_is_rounded() -> None:
    made = fills((0, 1000.0, 1.001), (0, 333.3, 3.0))
    assert 333.3 * 3 != 999.9
    found = by_size(gridded(made), made.every(10), *made, edges=[999.9, 1001.0])
    assert [one.trades.tolist() for one in found.sizes] == [[0], [1], [1]]


@pytest.mark.parametrize("edges", [[], [0.0], [5.0, 5.0], [9.0, 5.0], [float("nan")]])
def test_edges_that_are_none_are_refused(edges: list[float]) -> None:
    with pytest.raises(InvalidArgument, match="edges"):
        by_size(gridded(MADE), MADE.every(10), *MADE, edges=edges)


@given(some_fills(least=1), st.integers(1, 40), st.sets(st.integers(1, 600), min_size=1, max_size=4))
def test_the_sizes_together_are_all_trades(made: Fills, length: int, edges: set[int]) -> None:
    like = gridded(made, length)
    found = by_size(like, made.every(length), *made, edges=[float(one) for one in sorted(edges)])
    whole = together(found.sizes).bars
    for name in ("buy", "sell", "buy_quote", "sell_quote", "trades"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(like, name), err_msg=name)
    bounds = [0.0, *sorted(edges), float("inf")]
    for low, high, one in zip(bounds[:-1], bounds[1:], found.sizes, strict=True):
        value = made.size * made.price
        inside = (value >= low) & (value < high)
        assert one.trades.sum() == inside.sum()
        same(one.rows(one.trades > 0), _only(made, inside, length, like))


def _only(made: Fills, inside: Mask, length: int, like: Bars) -> Bars:
    own = made.rows(inside)
    found = own.bars(own.every(length)).on_grid(length, 0, 0, len(like.bar))
    return found.rows(found.trades > 0)

"""Bars: prices, volumes and the run of delta, by hand, beside plain loops and pandas, and put together."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow import bars as module
from orderflow.flow.bars import Bars, no_bars
from orderflow.flow.cuts import delta_bars, volume_bars
from orderflow.market.columns import Index
from orderflow.market.errors import InvalidArgument
from tests.flow.fills import Fills, fills, same, some_fills

FIVE = fills((3, 100.0, 1.0), (4, 101.0, -3.0), (9, 99.0, 4.0), (12, 100.0, -0.5), (31, 98.0, 2.0))


def test_a_bar_has_its_prices_volumes_and_extremes_of_delta_by_hand() -> None:
    found = FIVE.bars(FIVE.every(10))
    assert found.bar.tolist() == [0, 1, 3]
    assert (found.start.tolist(), found.end.tolist()) == ([3, 12, 31], [9, 12, 31])
    assert [column.tolist() for column in (found.open, found.high, found.low, found.close)] == [
        [100.0, 100.0, 98.0], [101.0, 100.0, 98.0], [99.0, 100.0, 98.0], [99.0, 100.0, 98.0],
    ]  # fmt: skip
    assert (found.buy.tolist(), found.sell.tolist()) == ([5.0, 0.0, 2.0], [3.0, 0.5, 0.0])
    # 1 × 100 + 4 × 99 = 496 bought, 3 × 101 = 303 sold
    assert (found.buy_quote[0], found.sell_quote[0]) == (496.0, 303.0)
    # running delta 1, -2, 2; then -0.5; then 2: each from 0
    assert (found.delta_high.tolist(), found.delta_low.tolist()) == ([2.0, 0.0, 2.0], [-2.0, -0.5, 0.0])
    # in quote 100, 100 - 303 = -203, -203 + 396 = 193
    assert (found.delta_high_quote[0], found.delta_low_quote[0]) == (193.0, -203.0)
    assert found.trades.tolist() == [3, 1, 1]
    assert (found.delta[0], found.volume[0], found.quote[0], found.delta_quote[0]) == (2.0, 8.0, 799.0, 193.0)
    assert (found.delta_pct[0], found.vwap[0]) == (25.0, 799 / 8)


def test_empty_bars_are_there_when_they_are_asked_for_and_nothing_is_known_of_what_was_not_covered() -> None:
    covered = np.array([True, True, False, False, True])
    found = FIVE.bars(FIVE.every(10)).on_grid(10, 0, 0, 5, covered)
    assert (found.start.tolist(), found.end.tolist()) == ([0, 10, 20, 30, 40], [10, 20, 30, 40, 50])
    np.testing.assert_array_equal(found.close, [99.0, 100.0, np.nan, 98.0, np.nan])
    np.testing.assert_array_equal(found.volume, [8.0, 0.5, np.nan, 2.0, 0.0])  # bar 3 is known in part
    np.testing.assert_array_equal(found.delta_low, [-2.0, -0.5, np.nan, 0.0, 0.0])
    np.testing.assert_array_equal(found.delta_pct, [25.0, -100.0, np.nan, 100.0, np.nan])
    assert found.trades.tolist() == [3, 1, 0, 1, 0]


def test_a_size_that_is_unknown_makes_its_bar_unknown_where_it_counts_and_no_other() -> None:
    size = FIVE.size.copy()
    size[1] = np.nan  # sold in bar 0
    found = FIVE._replace(size=size).bars(FIVE.every(10))
    np.testing.assert_array_equal(found.sell, [np.nan, 0.5, 0.0])
    np.testing.assert_array_equal(found.buy, [5.0, 0.0, 2.0])
    for column in (found.delta, found.delta_high, found.delta_low, found.delta_low_quote, found.vwap):
        assert np.isnan(column).tolist() == [True, False, False]
    assert found.high.tolist() == [101.0, 100.0, 98.0]


def test_trades_out_of_the_order_of_their_bars_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="order"):
        FIVE.bars(np.array([0, 1, 0, 1, 1]))
    with pytest.raises(InvalidArgument, match="before"):
        FIVE.bars(FIVE.every(10)).plus(FIVE.bars(FIVE.every(10)))


def test_no_trades_make_no_bars_and_an_empty_grid_is_made_of_none() -> None:
    assert len(fills().bars(fills().time).bar) == 0
    same(no_bars().plus(no_bars()).coarser(5), no_bars())
    assert no_bars().on_grid(10, 5, 2, 4).start.tolist() == [25, 35]
    assert no_bars().on_grid(10, 5, 4, 2).start.tolist() == []


def by_loop(made: Fills, bar: Index) -> Bars:
    """All of it trade by trade."""
    rows: list[list[float]] = []
    for number, time, price, size, is_buy in zip(*(column.tolist() for column in (bar, *made)), strict=True):
        if not rows or rows[-1][0] != number:
            rows.append([number, time, time, price, price, price, price, *[0.0] * 9])
        row = rows[-1]
        row[2], row[4], row[5], row[6] = time, max(row[4], price), min(row[5], price), price
        row[7 if is_buy else 8] += size
        row[9 if is_buy else 10] += size * price
        row[11] += 1
        row[12], row[13] = max(row[12], row[7] - row[8]), min(row[13], row[7] - row[8])
        row[14], row[15] = max(row[14], row[9] - row[10]), min(row[15], row[9] - row[10])
    columns = [np.array([row[place] for row in rows]) for place in range(16)]
    for place in (0, 1, 2, 11):
        columns[place] = columns[place].astype(np.int64)
    return Bars(*columns)


@given(some_fills(least=1), st.integers(1, 100))
def test_bars_are_those_of_a_plain_loop(made: Fills, length: int) -> None:
    same(made.bars(made.every(length)), by_loop(made, made.every(length)))


@given(some_fills(least=1), st.integers(1, 20), st.integers(1, 7))
def test_bars_put_together_are_those_of_the_trades(made: Fills, length: int, longer: int) -> None:
    same(made.bars(made.every(length)).coarser(longer), made.bars(made.every(length * longer)))


@given(some_fills(), st.integers(1, 100), st.integers(0, 60))
def test_bars_go_on_with_more_trades_as_if_all_had_come_at_once(made: Fills, length: int, at: int) -> None:
    before, after = made.part(0, at), made.part(at, len(made.time))
    went_on = before.bars(before.every(length)).plus(after.bars(after.every(length)))
    same(went_on, made.bars(made.every(length)))


@given(some_fills(least=1), st.integers(1, 40), st.integers(0, 60))
def test_bars_of_volume_go_on_in_the_middle_of_a_bar(made: Fills, most: int, at: int) -> None:
    whole = volume_bars(made.size, most)
    before = volume_bars(made.size[:at], most)
    after = volume_bars(made.size[at:], most, before.carry)
    went_on = made.part(0, at).bars(before.bar).plus(made.part(at, len(made.time)).bars(after.bar))
    same(went_on, made.bars(whole.bar))


@given(some_fills(least=1), st.integers(1, 30))
def test_empty_bars_add_nothing_to_longer_ones(made: Fills, length: int) -> None:
    found = made.bars(made.every(length))
    last = int(found.bar[-1])
    whole = found.on_grid(length, 0, 0, last + 1)
    longer, plain = whole.coarser(3), found.coarser(3)
    there = np.isin(longer.bar, plain.bar)
    for name in ("open", "high", "low", "close", "buy", "sell", "trades", "delta_high", "delta_low_quote"):
        np.testing.assert_array_equal(getattr(longer, name)[there], getattr(plain, name), err_msg=name)
    for prices in (longer.open, longer.high, longer.low, longer.close):
        assert np.isnan(prices[~there]).all()
    assert (longer.volume[~there] == 0).all()


@given(some_fills(least=1), st.integers(1, 100))
def test_a_bar_is_within_its_own_bounds(made: Fills, length: int) -> None:
    found = made.bars(made.every(length))
    assert (found.low <= np.minimum(found.open, found.close)).all()
    assert (found.high >= np.maximum(found.open, found.close)).all()
    assert (found.delta_low <= np.minimum(found.delta, 0)).all()
    assert (found.delta_high >= np.maximum(found.delta, 0)).all()
    assert found.volume.sum() == made.size.sum()
    assert (found.vwap >= found.low - 1e-9).all() and (found.vwap <= found.high + 1e-9).all()


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=200), st.data())
def test_the_end_of_the_delta_is_a_point_of_its_way_whatever_is_rounded(
    size: list[float], data: st.DataObject
) -> None:
    is_buy = np.array(data.draw(st.lists(st.booleans(), min_size=len(size), max_size=len(size))))
    time = np.arange(len(size), dtype=np.int64)
    found = Fills(time, np.full(len(size), 0.1), np.array(size), is_buy).bars(time // 50)
    assert (found.delta_low <= found.delta).all() and (found.delta <= found.delta_high).all()


def test_bars_are_those_of_pandas_over_many_blocks() -> None:
    chance = np.random.default_rng(4)
    rows = 2 * module._BLOCK + 7
    made = Fills(
        np.cumsum(chance.integers(0, 10**9, rows)),
        100 + np.cumsum(chance.integers(-1, 2, rows)) / 4,
        chance.integers(1, 80, rows) / 8,
        chance.random(rows) < 0.5,
    )
    found = made.bars(made.every(60 * 10**9))
    frame: Any = pd.DataFrame(made._asdict(), index=pd.to_datetime(made.time))
    signed = frame["size"].where(frame["is_buy"], -frame["size"])
    at = frame.index.floor("min")
    running = signed.groupby(at).cumsum()
    prices = frame["price"].resample("min").ohlc().dropna()
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(found, name), prices[name].to_numpy())
    np.testing.assert_array_equal(found.delta, signed.groupby(at).sum().to_numpy())
    np.testing.assert_array_equal(found.delta_high, running.groupby(at).max().clip(lower=0).to_numpy())
    np.testing.assert_array_equal(found.delta_low, running.groupby(at).min().clip(upper=0).to_numpy())
    by_delta = delta_bars(made.size, made.is_buy, 100.0)
    closed = made.bars(by_delta.bar).rows(slice(0, -1))
    assert (np.abs(closed.delta) >= 100).all()

"""What happened in a span of time: by hand, beside pandas, and of bars as of trades."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.span import Bars, bars_of_trades, span
from orderflow.market.errors import InvalidArgument
from tests.flow.prints import Prints, prints

TRADES = bars_of_trades(
    np.array([0, 5, 10, 15, 20]),
    np.array([10.0, 14.0, 8.0, 14.0, 11.0]),
    np.array([1.0, 2.0, 1.0, 4.0, 2.0]),
    np.array([True, False, False, True, True]),
)

# ── By hand ───────────────────────────────────────────────────────────────────────────────────


def test_prices_have_their_order_and_the_times_of_their_extremes() -> None:
    found = span(TRADES, since=0, until=20, balance=10)
    assert (found.open, found.high, found.low, found.close) == (10.0, 14.0, 8.0, 14.0)
    assert (found.high_time, found.low_time) == (5, 10)  # the first time, not the second
    # bought 1 + 4, sold 2 + 1; quote bought 10 + 56, sold 28 + 8
    assert (found.buy, found.sell, found.volume, found.delta) == (5.0, 3.0, 8.0, 2.0)
    assert (found.buy_quote, found.sell_quote, found.quote, found.delta_quote) == (66.0, 36.0, 102.0, 30.0)
    assert (found.vwap, found.trades) == (102 / 8, 4)


def test_the_initial_balance_is_the_range_of_the_first_part() -> None:
    found = span(TRADES, since=0, until=20, balance=10)
    assert (found.balance_low, found.balance_high, found.balance_until) == (10.0, 14.0, 10)
    assert (found.extension_up, found.extension_down) == (0.0, 2.0)


def test_the_initial_balance_of_a_short_span_ends_with_it() -> None:
    found = span(TRADES, since=0, until=8)
    assert (found.balance_until, found.extension_up) == (8, 0.0)


def test_of_a_span_without_trades_prices_are_unknown_and_volumes_are_none_traded() -> None:
    found = span(TRADES, since=100, until=200)
    assert (found.open, found.high, found.low, found.close, found.high_time, found.low_time) == (None,) * 6
    assert (found.volume, found.quote, found.delta, found.trades) == (0.0, 0.0, 0.0, 0)
    assert (found.vwap, found.balance_high, found.extension_up, found.extension_down) == (None,) * 4


def test_a_size_that_is_not_known_leaves_prices_and_no_volume() -> None:
    some = np.array([1.0, np.nan])
    found = span(bars_of_trades(np.array([0, 1]), np.array([5.0, 6.0]), some, np.array([True, True])), 0, 2)
    assert (found.high, found.trades) == (6.0, 2)
    assert (found.volume, found.quote, found.delta, found.delta_quote, found.vwap) == (None,) * 5


def test_a_count_says_how_many_trades_a_row_stands_for() -> None:
    bars = bars_of_trades(np.array([0]), np.ones(1), np.ones(1), np.array([True]), np.array([7]))
    assert span(bars, 0, 1).trades == 7


def test_a_span_that_begins_or_ends_within_a_bar_is_refused() -> None:
    bars = in_bars(Prints(*(np.array(one) for one in ([0, 15], [1.0, 2.0], [1.0, 1.0], [True, False]))))
    assert span(bars, 0, 20, balance=10).trades == 2
    for since, until, balance in ((5, 20, 10), (0, 15, 10), (0, 20, 5)):
        with pytest.raises(InvalidArgument, match="a bar of 10 ns begins before"):
            span(bars, since, until, balance)


# ── What can never be ─────────────────────────────────────────────────────────────────────────


def in_bars(drawn: Prints, length: int = 10) -> Bars:
    """The same trades as bars, by pandas; every other empty bar is there, with unknown prices."""
    bar: Any = pd.Series(drawn.time // length)
    frame: Any = pd.DataFrame(
        {"price": drawn.price, "buy": drawn.size * drawn.is_buy, "sell": drawn.size * ~drawn.is_buy}
    )
    frame["buy_quote"], frame["sell_quote"] = frame.buy * frame.price, frame.sell * frame.price
    prices = frame.groupby(bar)["price"].ohlc()
    sums = frame.groupby(bar)[["buy", "sell", "buy_quote", "sell_quote"]].sum()
    sums["trades"] = frame.groupby(bar).size()
    there = [one for one in range(10) if one in prices.index or one % 2]
    prices, sums = prices.reindex(there), sums.reindex(there, fill_value=0)
    values = [*(prices[one] for one in ("open", "high", "low", "close")), *(sums[one] for one in sums)]
    columns = [one.to_numpy() for one in values]
    return Bars(np.array(there) * length, *columns, length=length)


windows = st.tuples(st.integers(0, 10), st.integers(0, 10), st.integers(0, 4)).map(
    lambda drawn: (10 * min(drawn[:2]), 10 * max(drawn[:2]), 10 * drawn[2])
)


@given(prints(), windows)
def test_bars_say_what_their_trades_say(drawn: Prints, window: tuple[int, int, int]) -> None:
    trades, bars = span(bars_of_trades(*drawn), *window), span(in_bars(drawn), *window)
    wanted = bars._asdict()
    for name, one in trades._asdict().items():
        if name.endswith("_time"):
            assert (None if one is None else one // 10 * 10) == wanted[name]
        else:
            assert one == pytest.approx(wanted[name]), name


@given(prints(), windows)
def test_it_is_what_pandas_says_of_the_window(drawn: Prints, window: tuple[int, int, int]) -> None:
    since, until, balance = window
    found = span(bars_of_trades(*drawn), since, until, balance)
    price: Any = pd.Series(drawn.price, drawn.time)[(drawn.time >= since) & (drawn.time < until)]
    if not len(price):
        assert found.open is None
        return
    assert (found.open, found.close) == (price.iloc[0], price.iloc[-1])
    assert (found.high, found.low) == (price.max(), price.min())
    assert (found.high_time, found.low_time) == (price.idxmax(), price.idxmin())
    first = price[price.index < since + balance]
    assert found.balance_high == (first.max() if len(first) else None)


@given(prints(), st.integers(0, 10))
def test_what_two_spans_traded_is_what_both_traded(drawn: Prints, cut: int) -> None:
    bars = bars_of_trades(*drawn)
    one, other, both = span(bars, 0, 10 * cut), span(bars, 10 * cut, 100), span(bars, 0, 100)
    assert both.volume == pytest.approx((one.volume or 0) + (other.volume or 0))
    assert both.delta == pytest.approx((one.delta or 0) + (other.delta or 0))
    assert both.high == max(high for high in (one.high, other.high) if high is not None)


@given(prints(), st.integers(0, 100))
def test_what_comes_later_changes_nothing_of_what_was(drawn: Prints, now: int) -> None:
    cut = int(np.searchsorted(drawn.time, now))
    assert span(bars_of_trades(*drawn.rows(0, cut)), 0, now) == span(bars_of_trades(*drawn), 0, now)

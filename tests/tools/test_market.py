"""The order book as it is told, with the arithmetic shown."""

import pytest
from fixed_market import FakeLatest, context, quote, top

from orderflow import tools


def test_a_book_is_told_level_by_level_with_spread_and_imbalance() -> None:
    answer = tools.call(context(), "market_orderbook", {"symbol": "BTCUSDT", "venues": ["binance_spot"]})
    assert answer.columns[2:] == ["level", "bid", "bid_size", "ask", "ask_size", "source"]
    assert [row[2:] for row in answer.rows] == [
        [1, 100.4, 1.5, 100.5, 1.0, "live"], [2, 100.3, 1.0, None, None, "live"],
    ]  # fmt: skip
    shape = answer.summary["BTCUSDT@binance_spot"]
    assert shape["spread_bps"] == pytest.approx(0.1 / 100.45 * 1e4)
    assert shape["imbalance"] == pytest.approx((2.5 - 1.0) / 3.5)
    assert shape["age_ms"] == 250.0


def test_depth_bounds_levels_and_sums_alike() -> None:
    answer = tools.call(
        context(), "market_orderbook", {"symbol": "BTCUSDT", "venues": ["binance_spot"], "depth": 1}
    )
    assert len(answer.rows) == 1
    assert answer.summary["BTCUSDT@binance_spot"]["imbalance"] == pytest.approx((1.5 - 1.0) / 2.5)


def test_where_no_book_is_kept_the_touch_is_told_and_an_empty_side_is_unknown() -> None:
    latest = FakeLatest(
        quotes=[quote("binance_spot", 10.0, 10.1)], tops=[top("binance_futures", [(9.0, 1.0)], [])]
    )
    answer = tools.call(context(latest), "market_orderbook", {"symbol": "BTCUSDT"})
    assert [row[1:] for row in answer.rows] == [
        ["binance_futures", 1, 9.0, 1.0, None, None, "live"],
        ["binance_spot", 1, 10.0, 1.0, 10.1, 1.0, "live"],
    ]
    assert answer.summary["BTCUSDT@binance_futures"]["imbalance"] is None
    assert answer.summary["BTCUSDT@binance_futures"]["ask_size"] is None

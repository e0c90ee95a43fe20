"""The names under which earlier systems asked Binance, with the parameters that they had."""

from typing import Any

import pytest

from orderflow.market.errors import InvalidArgument
from orderflow.tools.venue_aliases import VENUE_ALIASES

FUTURES, SPOT = {"venues": ["binance_futures"]}, {"venues": ["binance_spot"]}
BTC, PAGE = {"symbol": "BTCUSDT"}, {"limit": 500}
TAKES = ("symbol", "venues", "limit")


@pytest.mark.parametrize(
    ("name", "given", "tool", "meant"),
    [
        ("binance_ticker_tool", {}, "market_tickers", FUTURES),
        ("binance_get_ticker", BTC, "market_tickers", FUTURES | {"symbols": ["BTCUSDT"]}),
        ("binance_orderbook_tool", {"depth": 1000}, "market_orderbook", FUTURES | BTC | {"depth": 1000}),
        (
            "binance_get_trades",
            {"limit": 7},
            "market_trades",
            FUTURES | BTC | PAGE | {"aggregate": True, "count": 7},
        ),
        (
            "binance_klines_tool",
            {"interval": "5m"},
            "market_candles",
            FUTURES | BTC | PAGE | {"interval": "5m", "count": 200},
        ),
        (
            "binance_get_basis",
            {"symbol": "ETHUSDT"},
            "market_basis",
            FUTURES | PAGE | {"symbol": "ETHUSDT", "period": "5m", "points": 200},
        ),
        ("binance_funding_rate_tool", {}, "market_funding_history", FUTURES | BTC | PAGE | {"count": 100}),
        ("binance_get_premium_index", {}, "market_mark_price", FUTURES),
        ("binance_get_prices", BTC, "market_prices", FUTURES | BTC),
        ("binance_spot_avg_price_tool", {}, "market_prices", SPOT | BTC | {"kind": "average"}),
        ("binance_spot_rolling_ticker", {}, "market_ticker", SPOT | BTC | {"window": "24h"}),
        (
            "binance_spot_rolling_ticker_tool",
            {"window": "4h"},
            "market_ticker",
            SPOT | BTC | {"window": "4h"},
        ),
        ("binance_spot_all_tickers", {}, "market_tickers", SPOT),
        ("binance_spot_exchange_info", {}, "market_instruments", SPOT),
    ],
)
def test_an_old_name_means_a_tool_and_its_arguments(
    name: str, given: dict[str, Any], tool: str, meant: dict[str, Any]
) -> None:
    alias = VENUE_ALIASES[name]
    assert (alias.tool, alias.translate(given, TAKES)) == (tool, meant)


def test_a_window_that_no_tool_has_is_refused_and_not_replaced() -> None:
    with pytest.raises(InvalidArgument, match="'15m'") as refused:
        VENUE_ALIASES["binance_spot_rolling_ticker"].translate({"window": "15m"}, TAKES)
    assert "7d" in str(refused.value.hint)

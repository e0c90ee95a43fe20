"""The names under which earlier systems asked Bybit, told in ours: what a call without arguments asks now."""

from typing import Any

import pytest

from orderflow.market.errors import InvalidArgument
from orderflow.tools.venue_aliases import VENUE_ALIASES

FUTURES, SPOT, OPTIONS = ["bybit_futures"], ["bybit_spot"], ["bybit_options"]
BTC = {"symbol": "BTCUSDT"}
USUAL: dict[str, tuple[str, dict[str, Any]]] = {
    "bybit_spot_ticker": ("market_ticker", {"venues": SPOT, **BTC}),
    "bybit_spot_orderbook": ("market_orderbook", {"venues": SPOT, **BTC, "depth": 50}),
    "bybit_spot_trades": ("market_trades", {"venues": SPOT, **BTC, "count": 100}),
    "bybit_spot_klines": ("market_candles", {"venues": SPOT, **BTC, "interval": "1h", "count": 100}),
    "bybit_all_spot_tickers": ("market_tickers", {"venues": SPOT}),
    "bybit_futures_ticker": ("market_ticker", {"venues": FUTURES, **BTC}),
    "bybit_futures_orderbook": ("market_orderbook", {"venues": FUTURES, **BTC, "depth": 100}),
    "bybit_open_interest": (
        "market_open_interest_history",
        {"venues": FUTURES, **BTC, "period": "1h", "points": 48},
    ),
    "bybit_funding_rate": ("market_funding_history", {"venues": FUTURES, **BTC, "count": 50}),
    "bybit_long_short_ratio": (
        "market_long_short_ratio",
        {"venues": FUTURES, **BTC, "period": "1h", "points": 24},
    ),
    "bybit_historical_volatility": ("market_volatility", {"venues": OPTIONS, "coin": "BTC"}),
    "bybit_insurance_fund": ("market_insurance_fund", {"venues": FUTURES, "coin": "USDT"}),
    "bybit_all_perpetual_tickers": ("market_tickers", {"venues": FUTURES}),
    "bybit_derivatives_analysis": ("market_analysis", {"venues": FUTURES, **BTC}),
    "bybit_market_snapshot": ("market_snapshot", {"venues": FUTURES, **BTC, "history": False}),
    "bybit_instruments_info": ("market_instruments", {"venues": FUTURES}),
    "bybit_options_overview": ("options_summary", {"venues": OPTIONS, "coin": "BTC"}),
    "bybit_risk_limit": ("market_risk_tiers", {"venues": FUTURES, **BTC}),
    "bybit_announcements": ("venue_announcements", {"venues": FUTURES, "count": 10}),
    "bybit_full_market_analysis": ("market_analysis", {"venues": [*SPOT, *FUTURES], **BTC}),
}


@pytest.mark.parametrize("name", USUAL)
def test_a_name_without_arguments_asks_what_it_did(name: str) -> None:
    for spelling in (name, f"{name}_tool"):
        alias = VENUE_ALIASES[spelling]
        assert (alias.tool, alias.translate({}, ())) == USUAL[name]


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("bybit_spot_klines", {"interval": "D"}, {"interval": "1d"}),
        ("bybit_spot_klines", {"interval": "M"}, {"interval": "1M"}),
        ("bybit_spot_klines", {"interval": "1m", "limit": 7}, {"interval": "1m", "count": 7}),
        ("bybit_spot_klines", {"interval": "240"}, {"interval": "4h"}),
        ("bybit_open_interest", {"interval": "5min"}, {"period": "5m"}),
        ("bybit_long_short_ratio", {"period": "15m"}, {"period": "15m"}),
        (
            "bybit_instruments_info",
            {"category": "spot", "symbol": "SOLUSDT"},
            {"venues": SPOT, "symbol": "SOLUSDT"},
        ),
        ("bybit_instruments_info", {"category": "option"}, {"venues": OPTIONS}),
        ("bybit_historical_volatility", {"base_coin": "ETH", "period": 30}, {"coin": "ETH"}),
        ("bybit_risk_limit", {"category": "linear", "symbol": "ETHUSDT"}, {"symbol": "ETHUSDT"}),
    ],
)
def test_old_arguments_are_told_in_our_words(name: str, given: dict[str, Any], said: dict[str, Any]) -> None:
    found = VENUE_ALIASES[name].translate(given, ())
    assert found == USUAL[name][1] | said


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("bybit_spot_klines", {"interval": "7"}),
        ("bybit_instruments_info", {"category": "inverse"}),
        ("bybit_historical_volatility", {"period": 7}),
        ("bybit_announcements", {"locale": "de-DE"}),
    ],
)
def test_what_is_not_there_any_more_is_refused(name: str, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="is not collected"):
        VENUE_ALIASES[name].translate(given, ())

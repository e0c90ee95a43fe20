"""Old names of Hyperliquid's tools: each asks what it asked, with its own parameters and defaults."""

from typing import Any

import pytest

from orderflow.tools.venue_aliases.hyperliquid import ALIASES

NAMES = {one.name: one for one in ALIASES}
FUTURES = {"venues": ["hyperliquid_futures"]}
SPOT = {"venues": ["hyperliquid_spot"]}
BTC = {**FUTURES, "symbol": "BTCUSDT"}

TOLD: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "hyperliquid_meta": ({}, "market_instruments", FUTURES),
    "hyperliquid_all_mids": ({}, "market_prices", {**FUTURES, "kind": "mid"}),
    "hyperliquid_ticker": ({"coin": "BTC"}, "market_ticker", BTC),
    "hyperliquid_all_tickers": ({}, "market_tickers", FUTURES),
    "hyperliquid_orderbook": ({"coin": "BTC"}, "market_orderbook", {**BTC, "depth": 20}),
    "hyperliquid_klines": ({"coin": "BTC"}, "market_candles", {**BTC, "interval": "1h", "count": 100}),
    "hyperliquid_funding_rate": ({"coin": "BTC", "limit": 7}, "market_funding_history", {**BTC, "count": 7}),
    "hyperliquid_all_funding_rates": ({}, "market_funding", FUTURES),
    "hyperliquid_open_interest": ({}, "market_open_interest", FUTURES),
    "hyperliquid_top_movers": ({}, "market_top_movers", {**FUTURES, "count": 10}),
    "hyperliquid_exchange_stats": ({}, "venue_stats", FUTURES),
    "hyperliquid_spot_meta": ({}, "market_instruments", SPOT),
    "hyperliquid_spot_meta_and_ctxs": ({}, "market_tickers", SPOT),
    "hyperliquid_market_snapshot": ({}, "market_snapshot", {**BTC, "history": False}),
    "hyperliquid_full_analysis": ({}, "market_analysis", BTC),
    "hyperliquid_perpetuals": ({}, "market_tickers", FUTURES),
    "hyperliquid_recent_trades": ({"coin": "BTC"}, "market_trades", BTC),
}


def test_these_are_all_of_its_old_names() -> None:
    assert set(NAMES) == set(TOLD)


@pytest.mark.parametrize("old", TOLD)
def test_an_old_name_says_the_same_in_our_words(old: str) -> None:
    given, tool, arguments = TOLD[old]
    assert (NAMES[old].tool, NAMES[old].translate(given, ())) == (tool, arguments)


def test_a_thousand_of_a_coin_is_written_as_the_venue_does() -> None:
    said = NAMES["hyperliquid_ticker"].translate({"coin": "kPEPE"}, ())
    assert said["symbol"] == "1000PEPEUSDT"

"""What earlier systems asked of Gate, in their words and with their defaults, told in ours."""

import pytest

from orderflow.market.errors import InvalidArgument
from orderflow.tools.aliases import Alias
from orderflow.tools.venue_aliases.gate import ALIASES
from orderflow.venues import ALL

NAMES = {one.name: one for one in ALIASES}
FUTURES = {"venues": ["gate_futures"]}
DELIVERY = {"venues": ["gate_delivery"]}
OPTIONS = {"venues": ["gate_options"]}
BTC = {"symbol": "BTCUSDT", **FUTURES}

# name → what was given, the tool that answers now, and its arguments
OLD: dict[str, tuple[dict[str, object], str, dict[str, object]]] = {
    "gateio_futures_contracts": ({}, "market_instruments", FUTURES),
    "gateio_futures_contract": ({"contract": "BTC_USDT"}, "market_instruments", BTC),
    "gateio_futures_ticker": ({"contract": "BTC_USDT", "settle": "usdt"}, "market_ticker", BTC),
    "gateio_all_futures_tickers": ({"settle": "usdt"}, "market_tickers", FUTURES),
    "gateio_perpetuals": ({}, "market_tickers", FUTURES),
    "gateio_futures_orderbook": ({"contract": "BTC_USDT"}, "market_orderbook", {**BTC, "depth": 50}),
    "gateio_futures_trades": ({"contract": "btc_usdt", "limit": 7}, "market_trades", {**BTC, "count": 7}),
    "gateio_futures_klines": (
        {"contract": "BTC_USDT", "interval": "4h"}, "market_candles", {**BTC, "interval": "4h", "count": 100},
    ),
    "gateio_funding_rate": ({"contract": "BTC_USDT"}, "market_funding_history", {**BTC, "count": 100}),
    "gateio_all_funding_rates": ({}, "market_funding", FUTURES),
    "gateio_contract_stats": (
        {"contract": "BTC_USDT"}, "market_contract_stats", {**BTC, "period": "1h", "points": 24},
    ),
    "gateio_open_interest": ({}, "market_open_interest", FUTURES),
    "gateio_liquidations": ({}, "market_liquidations", {**FUTURES, "limit": 100}),
    "gateio_insurance_fund": ({}, "market_insurance_fund", FUTURES),
    "gateio_risk_limit_tiers": ({"contract": "BTC_USDT"}, "market_risk_tiers", BTC),
    "gateio_market_snapshot": ({}, "market_snapshot", {**BTC, "history": False}),
    "gateio_full_analysis": ({"symbol": "ETH"}, "market_analysis", {**BTC, "symbol": "ETHUSDT"}),
    "gateio_top_movers": ({}, "market_top_movers", {**FUTURES, "count": 10}),
    "gateio_delivery_contracts": ({}, "market_instruments", DELIVERY),
    "gateio_delivery_ticker": (
        {"contract": "BTC_USDT_20261225"}, "market_ticker", {**DELIVERY, "symbol": "BTCUSDT20261225"},
    ),
    "gateio_options_underlyings": ({}, "options_underlyings", OPTIONS),
    "gateio_options_expirations": ({"underlying": "BTC_USDT"}, "options_expirations", {**OPTIONS, "coin": "BTC_USDT"}),
    "gateio_options_contracts": (
        {"underlying": "ETH_USDT", "expiration": 1798185600}, "options_chain",
        {**OPTIONS, "coin": "ETH_USDT", "expiry": "2026-12-25"},
    ),
    "gateio_options_tickers": ({"underlying": "BTC_USDT"}, "options_chain", {**OPTIONS, "coin": "BTC_USDT"}),
    "gateio_options_underlying_ticker": (
        {"underlying": "BTC_USDT"}, "market_index_price", {**OPTIONS, "symbol": "BTCUSDT"},
    ),
    "gateio_options_orderbook": (
        {"contract": "BTC_USDT-20261225-60000-C"}, "options_orderbook",
        {**OPTIONS, "instrument": "BTC_USDT-20261225-60000-C", "depth": 20},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD)
def test_an_old_name_is_told_in_our_words(name: str) -> None:
    given, tool, wanted = OLD[name]
    alias = NAMES[name]
    assert (alias.tool, alias.translate(given, ())) == (tool, wanted)


def test_there_are_the_26_names_and_no_others_and_each_asks_a_market_that_is_there() -> None:
    assert set(NAMES) == set(OLD) and len(NAMES) == 26
    assert all(venue in ALL for one in ALIASES for venue in one.fixed["venues"])


@pytest.mark.parametrize(
    "alias", [one for one in ALIASES if "settle" in one.parameters], ids=lambda one: one.name
)
def test_contracts_that_are_not_settled_in_usdt_are_refused(alias: Alias) -> None:
    with pytest.raises(InvalidArgument, match="settle: 'btc' is not collected"):
        alias.translate({"settle": "btc"}, ())

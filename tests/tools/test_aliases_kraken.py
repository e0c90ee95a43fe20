"""Kraken's answers under the names of earlier systems: the arguments of each in ours."""

from typing import Any

import pytest

from orderflow.tools.venue_aliases import VENUE_ALIASES
from orderflow.tools.venue_aliases.kraken import ALIASES

SPOT, FUTURES = ["kraken_spot"], ["kraken_futures"]
DEFAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "kraken_spot_ticker": ("market_ticker", {"symbol": "BTCUSD", "venues": SPOT}),
    "kraken_all_spot_tickers": (
        "market_tickers",
        {"symbols": ["BTCUSD", "ETHUSD", "SOLUSD"], "venues": SPOT},
    ),
    "kraken_spot_orderbook": ("market_orderbook", {"symbol": "BTCUSD", "depth": 100, "venues": SPOT}),
    "kraken_spot_trades": ("market_trades", {"symbol": "BTCUSD", "count": 100, "venues": SPOT}),
    "kraken_spot_klines": ("market_candles", {"symbol": "BTCUSD", "interval": "1h", "venues": SPOT}),
    "kraken_spread": ("market_spread_history", {"symbol": "BTCUSD", "venues": SPOT}),
    "kraken_assets": ("market_instruments", {"currencies": True, "venues": SPOT}),
    "kraken_spot_pairs": ("market_instruments", {"venues": SPOT}),
    "kraken_futures_ticker": ("market_ticker", {"symbol": "BTCUSDT", "venues": FUTURES}),
    "kraken_all_futures_tickers": ("market_tickers", {"venues": FUTURES}),
    "kraken_futures_orderbook": ("market_orderbook", {"symbol": "BTCUSDT", "venues": FUTURES}),
    "kraken_futures_trades": ("market_trades", {"symbol": "BTCUSDT", "venues": FUTURES}),
    "kraken_futures_klines": (
        "market_candles",
        {"symbol": "BTCUSDT", "interval": "1h", "venues": FUTURES},
    ),
    "kraken_futures_instruments": ("market_instruments", {"venues": FUTURES}),
    "kraken_funding_rates": ("market_funding", {"venues": FUTURES}),
    "kraken_open_interest": ("market_open_interest", {"venues": FUTURES}),
    "kraken_system_status": ("venue_status", {"venues": SPOT}),
    "kraken_top_movers": ("market_top_movers", {"count": 10, "venues": FUTURES}),
    "kraken_market_snapshot": (
        "market_snapshot",
        {"symbol": "BTCUSDT", "history": False, "venues": FUTURES},
    ),
    "kraken_full_analysis": ("market_analysis", {"symbol": "BTCUSDT", "venues": [*FUTURES, *SPOT]}),
}


def test_every_name_has_both_spellings_and_no_more() -> None:
    assert {one.name for one in ALIASES} == {name + end for name in DEFAULTS for end in ("", "_tool")}


@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("end", ["", "_tool"])
def test_a_name_alone_asks_what_it_asked_by_default(name: str, end: str) -> None:
    tool, arguments = DEFAULTS[name]
    alias = VENUE_ALIASES[name + end]
    assert (alias.tool, alias.translate({}, ())) == (tool, arguments)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("kraken_spot_ticker", {"pair": "XETHZUSD"}, {"symbol": "ETHUSD"}),
        ("kraken_spot_ticker", {"pair": "xdgusdt"}, {"symbol": "DOGEUSDT"}),
        ("kraken_all_spot_tickers", {"pairs": "XBT/USD"}, {"symbols": ["BTCUSD"]}),
        ("kraken_spot_pairs", {"info": "fees"}, {}),
        ("kraken_futures_ticker", {"symbol": "PF_SOLUSD"}, {"symbol": "SOLUSDT"}),
        (
            "kraken_futures_klines",
            {"symbol": "BTC", "interval": "4H"},
            {"symbol": "BTCUSDT", "interval": "4h"},
        ),
        ("kraken_top_movers", {"limit": 3}, {"count": 3}),
    ],
)
def test_what_is_given_is_told_in_our_words(name: str, given: dict[str, Any], said: dict[str, Any]) -> None:
    found = VENUE_ALIASES[name].translate(given, ())
    assert {one: found.get(one) for one in said} == said
    assert "info" not in found

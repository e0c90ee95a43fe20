"""The names under which OKX was asked, with their own parameters, in the words of today's tools."""

from typing import Any

import pytest

from orderflow import tools
from orderflow.market.errors import InvalidArgument
from orderflow.tools.aliases import Alias
from orderflow.tools.venue_aliases.okx import ALIASES

BY_NAME = {one.name: one for one in ALIASES}
SWAPS = {"venues": ["okx_futures"]}


def meant(name: str, **given: Any) -> dict[str, Any]:
    one: Alias = BY_NAME[name]
    return one.translate(given, ())


def test_both_spellings_of_twenty_names_mean_the_same() -> None:
    short = [name for name in BY_NAME if not name.endswith("_tool")]
    assert len(short) == 20 and len(BY_NAME) == 40
    for name in short:
        one, other = BY_NAME[name], BY_NAME[f"{name}_tool"]
        assert (one.tool, one.translate({}, ())) == (other.tool, other.translate({}, ()))
    assert set(BY_NAME) <= set(tools.ALL.aliases)


@pytest.mark.parametrize(
    ("name", "given", "arguments"),
    [
        ("okx_ticker", {}, {**SWAPS, "symbol": "BTCUSDT"}),
        ("okx_all_tickers", {}, SWAPS),
        ("okx_index_ticker", {}, {**SWAPS, "symbol": "BTCUSDT"}),
        ("okx_orderbook", {"inst_id": "ETH-USDT-SWAP"}, {**SWAPS, "symbol": "ETHUSDT", "depth": 100}),
        ("okx_trades", {"limit": 7}, {**SWAPS, "symbol": "BTCUSDT", "count": 7}),
        (
            "okx_klines",
            {"interval": "1Dutc"},
            {**SWAPS, "symbol": "BTCUSDT", "interval": "1d", "count": 100},
        ),
        ("okx_funding_rate_history", {}, {**SWAPS, "symbol": "BTCUSDT", "count": 50}),
        ("okx_oi_volume", {"ccy": "ETH"}, {**SWAPS, "symbol": "ETHUSDT", "period": "1h"}),
        ("okx_long_short_ratio", {"period": "5m"}, {**SWAPS, "symbol": "BTCUSDT", "period": "5m"}),
        ("okx_taker_volume", {}, {**SWAPS, "symbol": "BTCUSDT", "period": "1h"}),
        ("okx_instruments", {}, SWAPS),
        ("okx_mark_price", {"inst_id": "BTC-USDT-SWAP"}, {**SWAPS, "symbol": "BTCUSDT"}),
        ("okx_insurance_fund", {}, SWAPS),
        ("okx_platform_volume", {}, SWAPS),
        ("okx_options_summary", {"uly": "ETH-USD"}, {"venues": ["okx_options"], "coin": "ETH"}),
        ("okx_full_analysis", {"symbol": "sol"}, {**SWAPS, "symbol": "SOLUSDT"}),
        ("okx_top_movers", {}, {**SWAPS, "count": 10}),
    ],
)
def test_an_old_name_says_what_it_said(name: str, given: dict[str, Any], arguments: dict[str, Any]) -> None:
    assert meant(name, **given) == arguments


@pytest.mark.parametrize("name", ["okx_all_tickers", "okx_mark_price", "okx_taker_volume"])
def test_kinds_of_instruments_that_are_not_left_are_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="SPOT"):
        meant(name, inst_type="SPOT")

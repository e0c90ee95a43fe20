"""What earlier systems asked Deribit by name: in whose words it is asked now, options' names among them."""

from typing import Any

import pytest

from orderflow.market.errors import InvalidArgument
from orderflow.tools.venue_aliases.deribit import ALIASES

NAMED = {one.name: one for one in ALIASES}
KNOWN = ("symbol", "coin", "instrument", "venues", "depth", "count", "interval", "expiry", "limit", "kind")
FUTURES, OPTIONS = ["deribit_futures"], ["deribit_options"]


def translated(name: str, **given: Any) -> tuple[str, dict[str, Any]]:
    alias = NAMED[name].meant(given)
    return alias.tool, alias.translate(given, KNOWN)


def test_every_old_name_of_the_venue_is_there() -> None:
    assert len(NAMED) == 27 == len(ALIASES)


@pytest.mark.parametrize(
    ("name", "given", "tool", "arguments"),
    [
        ("deribit_ticker", {"instrument_name": "BTC-PERPETUAL"}, "market_ticker", {"symbol": "BTCUSDT"}),
        ("deribit_ticker", {"instrument_name": "SOL_USDC-PERPETUAL"}, "market_ticker", {"symbol": "SOLUSDT"}),
        ("deribit_ticker", {"instrument_name": "BTC-27DEC24"}, "market_ticker", {"symbol": "BTC-27DEC24"}),
        (
            "deribit_ticker",
            {"instrument_name": "BTC-27DEC24-100000-C"},
            "options_ticker",
            {"instrument": "BTC-27DEC24-100000-C"},
        ),
        ("deribit_orderbook", {"instrument_name": "ETH-PERPETUAL"}, "market_orderbook", {"symbol": "ETHUSDT", "depth": 20}),
        (
            "deribit_orderbook",
            {"instrument_name": "XRP_USDC-9MAR24-0d62-C", "depth": 5},
            "options_orderbook",
            {"instrument": "XRP_USDC-9MAR24-0d62-C", "depth": 5},
        ),
        (
            "deribit_klines",
            {"instrument_name": "BTC-PERPETUAL", "resolution": "15", "hours": 6},
            "market_candles",
            {"symbol": "BTCUSDT", "interval": "15m", "count": 24},
        ),
        (
            "deribit_klines",
            {"instrument_name": "BTC-PERPETUAL", "resolution": "1D"},
            "market_candles",
            {"symbol": "BTCUSDT", "interval": "1d", "count": 1},
        ),
        ("deribit_dvol", {}, "market_volatility", {"coin": "BTC", "kind": "index", "since": "-24h"}),
        ("deribit_options_chain", {"expiration": "27DEC24"}, "options_chain", {"coin": "BTC", "expiry": "27DEC24"}),
        ("deribit_top_options", {"limit": 5}, "options_chain", {"coin": "BTC", "sort": "open_interest", "limit": 5}),
        ("deribit_book_summary", {"kind": "option"}, "options_chain", {"coin": "BTC", "sort": "volume"}),
        ("deribit_book_summary", {"kind": "future"}, "market_tickers", {}),
        ("deribit_trades_by_currency", {"kind": "option", "currency": "ETH"}, "market_trades", {"symbol": "ETHUSDT", "count": 100}),
        ("deribit_settlements", {"currency": "ETH"}, "market_settlements", {"coin": "ETH", "count": 20}),
        ("deribit_funding_history", {"hours": 48}, "market_funding_history", {"symbol": "BTCUSDT", "since": "-48h"}),
    ],
)  # fmt: skip
def test_an_old_question_is_asked_in_our_words(
    name: str, given: dict[str, Any], tool: str, arguments: dict[str, Any]
) -> None:
    found, said = translated(name, **given)
    venues = said.pop("venues")
    assert (found, said) == (tool, arguments)
    wanted = (
        OPTIONS if tool.startswith("options") or given.get("kind") == "option" or "dvol" in name else FUTURES
    )
    assert venues == wanted


@pytest.mark.parametrize("kind", [None, "future", "option"])
def test_a_kind_names_the_venue(kind: str | None) -> None:
    _, said = translated("deribit_instruments", kind=kind)
    assert said["venues"] == {"future": FUTURES, "option": OPTIONS}.get(str(kind), FUTURES + OPTIONS)


def test_what_is_not_told_of_one_option_is_refused_with_what_is() -> None:
    with pytest.raises(InvalidArgument) as refused:
        translated("deribit_trades", instrument_name="BTC-27DEC24-100000-C")
    assert "options_ticker" in str(refused.value.hint)
    with pytest.raises(InvalidArgument, match="resolution"):
        translated("deribit_klines", instrument_name="BTC-PERPETUAL", resolution="7")

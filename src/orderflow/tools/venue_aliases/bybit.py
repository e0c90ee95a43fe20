"""What earlier systems called Bybit's answers: perpetuals, spot, options, and the venue itself."""

from typing import Any

from orderflow.tools.aliases import Alias
from orderflow.tools.venue_aliases.form import at

_FUTURES, _SPOT, _OPTIONS = "bybit_futures", "bybit_spot", "bybit_options"
_SYMBOL = {"symbol": "BTCUSDT"}

# The venue's words of a bar and of a period, which were passed on as they came; ours are taken as well.
_BARS = {
    **{str(minutes): f"{minutes}m" for minutes in (1, 3, 5, 15, 30)},
    **{str(hours * 60): f"{hours}h" for hours in (1, 2, 4, 6, 12)},
    "D": "1d",
    "W": "1w",
    "M": "1M",
}
_PERIODS = {"5min": "5m", "15min": "15m", "30min": "30m", "1h": "1h", "4h": "4h", "1d": "1d"}
_CATEGORIES = {"linear": _FUTURES, "spot": _SPOT, "option": _OPTIONS}


def _words(parameter: str, now: str, words: dict[str, str]) -> dict[str, Any]:
    """Return how a parameter whose values were the venue's words is told in ours; no other word is taken."""
    every = {**{one: one for one in words.values() if one != "1M"}, **words}
    return {
        "stands": {parameter: {word.lower(): {now: one} for word, one in every.items()}},
        "only": {parameter: tuple(every)},
    }


ALIASES: tuple[Alias, ...] = (
    # ── Spot ──────────────────────────────────────────────────────────────────────────────────
    *at(_SPOT, "market_ticker", "bybit_spot_ticker_tool bybit_spot_ticker", _SYMBOL),
    *at(
        _SPOT,
        "market_orderbook",
        "bybit_spot_orderbook_tool bybit_spot_orderbook",
        {**_SYMBOL, "depth": 50},
    ),
    *at(
        _SPOT,
        "market_trades",
        "bybit_spot_trades_tool bybit_spot_trades",
        {**_SYMBOL, "limit": 100},
        rename={"limit": "count"},
    ),
    *at(
        _SPOT,
        "market_candles",
        "bybit_spot_klines_tool bybit_spot_klines",
        {**_SYMBOL, "interval": "60", "limit": 100},
        rename={"limit": "count"},
        **_words("interval", "interval", _BARS),
    ),
    *at(_SPOT, "market_tickers", "bybit_all_spot_tickers_tool bybit_all_spot_tickers", {}),
    # ── Perpetuals ────────────────────────────────────────────────────────────────────────────
    *at(_FUTURES, "market_ticker", "bybit_futures_ticker_tool bybit_futures_ticker", _SYMBOL),
    *at(
        _FUTURES,
        "market_orderbook",
        "bybit_futures_orderbook_tool bybit_futures_orderbook",
        {**_SYMBOL, "depth": 100},
    ),
    *at(
        _FUTURES,
        "market_open_interest_history",
        "bybit_open_interest_tool bybit_open_interest",
        {**_SYMBOL, "interval": "1h", "limit": 48},
        rename={"limit": "points"},
        **_words("interval", "period", _PERIODS),
    ),
    *at(
        _FUTURES,
        "market_funding_history",
        "bybit_funding_rate_tool bybit_funding_rate",
        {**_SYMBOL, "limit": 50},
        rename={"limit": "count"},
    ),
    *at(
        _FUTURES,
        "market_long_short_ratio",
        "bybit_long_short_ratio_tool bybit_long_short_ratio",
        {**_SYMBOL, "period": "1h", "limit": 24},
        rename={"limit": "points"},
        **_words("period", "period", _PERIODS),
    ),
    *at(
        _FUTURES,
        "market_insurance_fund",
        "bybit_insurance_fund_tool bybit_insurance_fund",
        {"coin": "USDT"},
    ),
    *at(_FUTURES, "market_tickers", "bybit_all_perpetual_tickers_tool bybit_all_perpetual_tickers", {}),
    *at(
        _FUTURES,
        "market_risk_tiers",
        "bybit_risk_limit_tool bybit_risk_limit",
        {"category": "linear", **_SYMBOL},
        only={"category": ("linear",)},
    ),
    *at(
        _FUTURES,
        "market_analysis",
        "bybit_derivatives_analysis_tool bybit_derivatives_analysis",
        _SYMBOL,
    ),
    *at(_FUTURES, "market_snapshot", "bybit_market_snapshot_tool bybit_market_snapshot", _SYMBOL),
    # ── Options ───────────────────────────────────────────────────────────────────────────────
    *at(
        _OPTIONS,
        "market_volatility",
        "bybit_historical_volatility_tool bybit_historical_volatility",
        {"base_coin": "BTC", "period": 30},
        rename={"base_coin": "coin"},
        only={"period": ("30",)},
    ),
    *at(
        _OPTIONS,
        "options_summary",
        "bybit_options_overview_tool bybit_options_overview",
        {"base_coin": "BTC"},
        rename={"base_coin": "coin"},
    ),
    # ── All of them ───────────────────────────────────────────────────────────────────────────
    *(
        Alias(
            name=name,
            tool="market_instruments",
            parameters={"category": "linear", "symbol": None},
            stands={"category": {word: {"venues": [venue]} for word, venue in _CATEGORIES.items()}},
            only={"category": tuple(_CATEGORIES)},
        )
        for name in ("bybit_instruments_info_tool", "bybit_instruments_info")
    ),
    *at(
        _FUTURES,
        "venue_announcements",
        "bybit_announcements_tool bybit_announcements",
        {"locale": "en-US", "limit": 10},
        rename={"limit": "count"},
        only={"locale": ("en-US",)},
    ),
    *at(
        _FUTURES,
        "market_analysis",
        "bybit_full_market_analysis_tool bybit_full_market_analysis",
        _SYMBOL,
        fixed={"venues": [_SPOT, _FUTURES]},
    ),
)

"""What earlier systems called Binance's answers, futures and spot.

Their `limit` said how many rows to ask of the venue; an answer shows all of them, up to a page's most.
"""

from typing import Any

from orderflow.tools.aliases import Alias
from orderflow.tools.venue_aliases.form import at

_FUTURES, _SPOT = "binance_futures", "binance_spot"
_ANY, _BTC = {"symbol": None}, {"symbol": "BTCUSDT"}
_PAGE = {"limit": 500}


def _counted(venue: str, tool: str, names: str, as_: str, limit: int, **how: Any) -> list[Alias]:
    """Return aliases whose `limit` is the tool's own number of rows, called `as_`."""
    parameters = _BTC | how.pop("parameters", {}) | {"limit": limit}
    fixed = _PAGE | how.pop("fixed", {})
    return at(venue, tool, names, parameters, rename={"limit": as_}, fixed=fixed, **how)


def _series(tool: str, names: str, limit: int) -> list[Alias]:
    return _counted(_FUTURES, tool, names, "points", limit, parameters={"period": "5m"})


# Windows that a tool has, by the words of the venue.
_WINDOWS = {
    written: {"window": window}
    for written, window in (
        *(("1h", "1h"), ("4h", "4h"), ("12h", "12h"), ("1d", "24h")),
        *(("24h", "24h"), ("3d", "3d"), ("7d", "7d")),
    )
}

_OF_FUTURES: tuple[Alias, ...] = (
    *at(
        _FUTURES,
        "market_tickers",
        "binance_ticker_tool binance_get_ticker",
        _ANY,
        gather={"symbols": ("symbol",)},
    ),
    *at(_FUTURES, "market_orderbook", "binance_orderbook_tool binance_get_orderbook", _BTC | {"depth": 100}),
    *_counted(
        _FUTURES,
        "market_trades",
        "binance_trades_tool binance_get_trades",
        "count",
        500,
        fixed={"aggregate": True},
    ),
    *_counted(
        _FUTURES,
        "market_candles",
        "binance_klines_tool binance_get_klines",
        "count",
        200,
        parameters={"interval": "1m"},
    ),
    *at(_FUTURES, "market_open_interest", "binance_open_interest_tool binance_get_open_interest", _ANY),
    *_series(
        "market_open_interest_history",
        "binance_open_interest_history_tool binance_get_open_interest_history",
        200,
    ),
    *_counted(
        _FUTURES, "market_funding_history", "binance_funding_rate_tool binance_get_funding_rate", "count", 100
    ),
    *at(_FUTURES, "market_mark_price", "binance_premium_index_tool binance_get_premium_index", _ANY),
    *_series("market_long_short_ratio", "binance_long_short_ratio_tool binance_get_long_short_ratio", 100),
    *_series("market_taker_volume", "binance_taker_volume_tool binance_get_taker_volume", 100),
    *_series("market_basis", "binance_basis_tool binance_get_basis", 200),
    *at(
        _FUTURES,
        "market_liquidations",
        "binance_liquidations_tool binance_get_liquidations",
        _ANY | {"limit": 100},
    ),
    *at(_FUTURES, "market_snapshot", "binance_snapshot_tool binance_market_snapshot", _BTC),
    *at(_FUTURES, "market_analysis", "binance_full_analysis_tool binance_full_analysis", _BTC),
    *at(_FUTURES, "market_prices", "binance_get_prices", _ANY),
)

_OF_SPOT: tuple[Alias, ...] = (
    *at(_SPOT, "market_ticker", "binance_spot_ticker_tool binance_spot_ticker", _BTC),
    *at(_SPOT, "market_prices", "binance_spot_price_tool binance_spot_price", _ANY),
    *at(
        _SPOT, "market_orderbook", "binance_spot_orderbook_tool binance_spot_orderbook", _BTC | {"depth": 100}
    ),
    *_counted(_SPOT, "market_trades", "binance_spot_trades_tool binance_spot_trades", "count", 500),
    *_counted(
        _SPOT,
        "market_candles",
        "binance_spot_klines_tool binance_spot_klines",
        "count",
        100,
        parameters={"interval": "1h"},
    ),
    *at(
        _SPOT,
        "market_prices",
        "binance_spot_avg_price_tool binance_spot_avg_price",
        _BTC,
        fixed={"kind": "average"},
    ),
    *at(_SPOT, "market_best_quote", "binance_spot_book_ticker_tool binance_spot_book_ticker", _ANY),
    *_counted(
        _SPOT,
        "market_trades",
        "binance_spot_agg_trades_tool binance_spot_agg_trades",
        "count",
        500,
        fixed={"aggregate": True},
    ),
    *at(_SPOT, "market_instruments", "binance_spot_exchange_info_tool binance_spot_exchange_info", _ANY),
    *at(
        _SPOT,
        "market_ticker",
        "binance_spot_rolling_ticker_tool binance_spot_rolling_ticker",
        _BTC | {"window": "1d"},
        stands={"window": _WINDOWS},
        only={"window": tuple(_WINDOWS)},
    ),
    *at(_SPOT, "market_tickers", "binance_spot_all_tickers_tool binance_spot_all_tickers", {}),
    *at(_SPOT, "market_snapshot", "binance_spot_snapshot_tool binance_spot_snapshot", _BTC),
    *at(_SPOT, "market_analysis", "binance_spot_full_analysis_tool binance_spot_full_analysis", _BTC),
)

ALIASES: tuple[Alias, ...] = (*_OF_FUTURES, *_OF_SPOT)

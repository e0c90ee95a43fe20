"""What earlier systems called OKX's answers: swaps, and options."""

from typing import Any

from orderflow.tools.aliases import Alias
from orderflow.tools.venue_aliases.form import at

_SWAP = {"inst_id": "BTC-USDT-SWAP"}
_SWAPS = {"inst_type": "SWAP"}
_COIN = {"ccy": "BTC", "period": "1H"}


def _swap(tool: str, names: str, parameters: dict[str, Any], **how: Any) -> list[Alias]:
    """Return aliases about one swap, written as the venue writes it; `limit` counts rows."""
    rename = {"inst_id": "symbol", "limit": "count", **how.pop("rename", {})}
    return at("okx_futures", tool, names, parameters, rename=rename, contracts=("inst_id",), **how)


def _swaps(tool: str, names: str, parameters: dict[str, Any], **how: Any) -> list[Alias]:
    """Return aliases about one kind of instruments, of which the swaps are left."""
    return _swap(tool, names, {**_SWAPS, **parameters}, only={"inst_type": ("SWAP",)}, **how)


def _statistic(tool: str, names: str, **more: Any) -> list[Alias]:
    """Return aliases about a coin in periods: those of its swap in USDT are meant now."""
    only = {"inst_type": ("SWAP", "CONTRACTS")} if "inst_type" in more else {}
    how: dict[str, Any] = {"contracts": ("ccy",), "periods": ("period",), "only": only}
    return at("okx_futures", tool, names, {**_COIN, **more}, rename={"ccy": "symbol"}, **how)


def _of_symbol(tool: str, names: str) -> list[Alias]:
    return at("okx_futures", tool, names, {"symbol": "BTC"}, contracts=("symbol",))


ALIASES: tuple[Alias, ...] = (
    *_swap("market_ticker", "okx_ticker_tool okx_ticker", _SWAP),
    *_swaps("market_tickers", "okx_all_tickers_tool okx_all_tickers", {}),
    # The index of the coin in USDT, to which its swap belongs, whatever the quote asked for.
    *_swap(
        "market_index_price",
        "okx_index_ticker_tool okx_index_ticker",
        {"inst_id": "BTC-USD"},
        bases=("inst_id",),
    ),
    *_swap("market_orderbook", "okx_orderbook_tool okx_orderbook", {**_SWAP, "depth": 100}),
    *_swap("market_trades", "okx_trades_tool okx_trades", {**_SWAP, "limit": 100}),
    *_swap(
        "market_candles",
        "okx_klines_tool okx_klines",
        {**_SWAP, "interval": "1H", "limit": 100},
        periods=("interval",),
    ),
    *_swap("market_funding", "okx_funding_rate_tool okx_funding_rate", _SWAP),
    *_swap(
        "market_funding_history",
        "okx_funding_rate_history_tool okx_funding_rate_history",
        {**_SWAP, "limit": 50},
    ),
    *at(
        "okx_futures",
        "market_open_interest",
        "okx_open_interest_tool okx_open_interest",
        {"inst_id": None, "inst_type": "SWAP", "uly": None},
        rename={"inst_id": "symbol", "uly": "symbol"},
        contracts=("inst_id", "uly"),
        only={"inst_type": ("SWAP",)},
    ),
    *_statistic("market_open_interest_history", "okx_oi_volume_tool okx_oi_volume"),
    *_statistic("market_long_short_ratio", "okx_long_short_ratio_tool okx_long_short_ratio"),
    *_statistic("market_taker_volume", "okx_taker_volume_tool okx_taker_volume", inst_type="SWAP"),
    *_swaps("market_instruments", "okx_instruments_tool okx_instruments", {"inst_id": None}),
    *_swaps("market_mark_price", "okx_mark_price_tool okx_mark_price", {"inst_id": None}),
    *_swaps("market_insurance_fund", "okx_insurance_fund_tool okx_insurance_fund", {}),
    *at("okx_futures", "venue_stats", "okx_platform_volume_tool okx_platform_volume", {}),
    *at(
        "okx_options",
        "options_summary",
        "okx_options_summary_tool okx_options_summary",
        {"uly": "BTC-USD"},
        rename={"uly": "coin"},
        bases=("uly",),
    ),
    *_of_symbol("market_snapshot", "okx_market_snapshot_tool okx_market_snapshot"),
    *_of_symbol("market_analysis", "okx_full_analysis_tool okx_full_analysis"),
    *_swaps("market_top_movers", "okx_top_movers_tool okx_top_movers", {"limit": 10}),
)

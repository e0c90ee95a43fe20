"""What earlier systems called Hyperliquid's answers, of perpetuals and of spot."""

from typing import Any

from orderflow.tools.aliases import Alias
from orderflow.tools.venue_aliases.form import at

_FUTURES, _SPOT = "hyperliquid_futures", "hyperliquid_spot"


def _of_coin(tool: str, name: str, parameters: dict[str, Any], **how: Any) -> list[Alias]:
    """Return an alias that is asked about a coin of perpetuals."""
    how["rename"] = {"coin": "symbol", **how.get("rename", {})}
    return at(_FUTURES, tool, name, parameters, contracts=("coin",), **how)


ALIASES: tuple[Alias, ...] = (
    # ── One coin ──────────────────────────────────────────────────────────────────────────────
    *_of_coin("market_ticker", "hyperliquid_ticker", {"coin": None}),
    *_of_coin("market_orderbook", "hyperliquid_orderbook", {"coin": None, "depth": 20}),
    *_of_coin("market_trades", "hyperliquid_recent_trades", {"coin": None}),
    *_of_coin(
        "market_candles",
        "hyperliquid_klines",
        {"coin": None, "interval": "1h", "limit": 100},
        rename={"limit": "count"},
    ),
    *_of_coin(
        "market_funding_history",
        "hyperliquid_funding_rate",
        {"coin": None, "limit": 100},
        rename={"limit": "count"},
    ),
    *_of_coin("market_snapshot", "hyperliquid_market_snapshot", {"coin": "BTC"}),
    *_of_coin("market_analysis", "hyperliquid_full_analysis", {"coin": "BTC"}),
    # ── All coins ─────────────────────────────────────────────────────────────────────────────
    *at(_FUTURES, "market_instruments", "hyperliquid_meta", {}),
    *at(_FUTURES, "market_prices", "hyperliquid_all_mids", {}, fixed={"kind": "mid"}),
    *at(_FUTURES, "market_tickers", "hyperliquid_all_tickers hyperliquid_perpetuals", {}),
    *at(_FUTURES, "market_funding", "hyperliquid_all_funding_rates", {}),
    *at(_FUTURES, "market_open_interest", "hyperliquid_open_interest", {}),
    *at(_FUTURES, "market_top_movers", "hyperliquid_top_movers", {"limit": 10}, rename={"limit": "count"}),
    *at(_FUTURES, "venue_stats", "hyperliquid_exchange_stats", {}),
    # ── Spot ──────────────────────────────────────────────────────────────────────────────────
    *at(_SPOT, "market_instruments", "hyperliquid_spot_meta", {}),
    *at(_SPOT, "market_tickers", "hyperliquid_spot_meta_and_ctxs", {}),
)

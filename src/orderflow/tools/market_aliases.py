"""Aliases of what a market looks like now, for all venues together."""

from collections.abc import Mapping
from typing import Any

from orderflow.tools.aliases import Alias

_ANY = {"symbol": None}


def _seconds(minutes: str) -> float | str:
    """Return minutes in seconds; what is no number stays, and is refused."""
    try:
        return float(minutes) * 60
    except ValueError:
        return minutes


def _of_none(said: Mapping[str, Any]) -> bool:
    """Tell whether no symbol was named, so that all are meant."""
    return said.get("symbol") is None


MARKET_ALIASES: dict[str, Alias] = {
    one.name: one
    for one in (
        Alias(name="get_open_interest_data", tool="market_open_interest", parameters=_ANY),
        Alias(
            name="get_open_interest",
            tool="market_open_interest",
            parameters={"symbol": None, "period": "5m", "limit": 100},
            fixed={"venues": ["binance_futures"]},
            span=("period", "limit"),
        ),
        Alias(name="get_funding_rate_data", tool="market_funding", parameters=_ANY),
        Alias(
            name="get_funding_rate",
            tool="market_funding",
            parameters=_ANY,
            fixed={"venues": ["binance_futures"], "settlements": 10},
        ),
        Alias(
            name="get_liquidation_data", tool="market_liquidations", parameters={"symbol": None, "limit": 20}
        ),
        Alias(
            name="stream_liquidations",
            tool="market_liquidations",
            parameters={"symbol": None, "limit": 100},
            fixed={"venues": ["binance_futures"]},
        ),
        # ── Watching ──────────────────────────────────────────────────────────────────────────
        Alias(
            name="stream_and_analyze",
            tool="live_analyze",
            parameters={"symbol": "BTCUSDT", "duration": 30},
            rename={"duration": "seconds"},
        ),
        Alias(
            name="quick_analyze",
            tool="live_analyze",
            parameters={"symbol": "BTCUSDT"},
            fixed={"seconds": 10},
        ),
        Alias(
            name="analyze_for_duration",
            tool="live_analyze",
            parameters={"symbol": "BTCUSDT", "minutes": 1.0, "focus": "all"},
            rename={"minutes": "seconds"},
            read={"minutes": _seconds},
        ),
        Alias(
            name="get_trades",
            tool="market_trades",
            parameters={"symbol": "BTCUSDT", "exchange": None, "limit": 50},
            rename={"limit": "count"},
            gather={"venues": ("exchange",)},
        ),
        Alias(name="get_mark_price_data", tool="market_mark_price", parameters=_ANY),
        Alias(
            name="get_24h_ticker_data",
            tool="market_ticker",
            parameters=_ANY,
            unless=(_of_none, Alias(name="get_24h_ticker_data", tool="market_tickers", parameters=_ANY)),
        ),
        # ── Collecting ────────────────────────────────────────────────────────────────────────
        Alias(
            name="start_streaming",
            tool="stream_start",
            parameters={"symbols": None, "exchanges": None, "config_path": None},
            rename={"exchanges": "venues"},
            ignored=("config_path",),
        ),
        Alias(name="stop_streaming", tool="stream_stop"),
        Alias(name="get_streaming_status", tool="stream_status"),
        Alias(name="get_streaming_health", tool="stream_health"),
        Alias(name="get_streaming_alerts", tool="stream_alerts", parameters={"level": None, "limit": 50}),
        Alias(
            name="configure_streaming",
            tool="stream_configure",
            parameters={
                "forecast_interval": None,
                "drift_check_interval": None,
                "auto_retrain": None,
                "batch_size": None,
            },
            ignored=("forecast_interval", "drift_check_interval", "auto_retrain", "batch_size"),
        ),
        Alias(name="export_to_csv", tool="history_export", fixed={"format": "csv"}),
    )
}

"""Aliases of the order-flow tools: the names and parameters under which earlier systems asked."""

from typing import Any

_FUTURES: dict[str, Any] = {"venues": ["binance_futures"]}  # the one venue that they knew
_PROFILE: dict[str, Any] = {
    "symbol": None, "date": None, "binSize": None, "valueAreaPercent": 70, "mode": "raw", "normalizeSeconds": 3,
}  # fmt: skip
_OF_PROFILE = {
    "binSize": "size", "valueAreaPercent": "value_area_pct", "normalizeSeconds": "normalize_seconds",
}  # fmt: skip

# name → tool, parameters with their old defaults, new names, and what else of an `Alias` is meant
FLOW: tuple[dict[str, Any], ...] = (
    {
        "name": "get_key_levels",
        "tool": "orderflow_key_levels",
        "parameters": {**_PROFILE, "sessionTZ": "UTC"},
        "rename": {**_OF_PROFILE, "sessionTZ": "zone"},
        "fixed": {**_FUTURES, "by": "quote"},
    },
    {
        "name": "get_session_profile",
        "tool": "orderflow_session_profile",
        "parameters": {
            **_PROFILE, "session": "all", "interval": "15m", "includeProfileLevels": False, "maxProfileLevels": 400,
            "windowStartMs": None, "windowEndMs": None,
        },
        "rename": {
            **_OF_PROFILE, "interval": "bar", "includeProfileLevels": "levels", "maxProfileLevels": "top",
            "windowStartMs": "since", "windowEndMs": "until",
        },
        "fixed": {**_FUTURES, "by": "quote"},
    },
    {
        "name": "compute_volume_profile",
        "tool": "orderflow_volume_profile",
        "parameters": {"symbol": "BTCUSDT", "exchange": "binance", "market_type": "futures", "hours": 24},
        "ago": {"hours": "h"},
        "market": "venues",
    },
)  # fmt: skip

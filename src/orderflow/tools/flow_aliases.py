"""Aliases of the order-flow tools: the names and parameters under which earlier systems asked."""

from typing import Any

_BY_TIME = {"startTime": "since", "endTime": "until", "timeframe": "bar"}
_BARS: dict[str, Any] = {"symbol": None, "timeframe": "30m", "startTime": None, "endTime": None}
_A_DAY: dict[str, Any] = {"venues": ["binance_futures"], "since": "-24h"}  # unless other times are said

# name → tool, parameters with their old defaults, new names, and what else of an `Alias` is meant
FLOW: tuple[dict[str, Any], ...] = (
    {
        "name": "get_footprint",
        "tool": "orderflow_footprint",
        "parameters": {
            **_BARS, "view": "statistics", "maxLevelsPerBar": 200, "tickSize": None, "binSize": None,
            "priceLevelLimit": None, "topNLevels": None, "compress": True, "limit": None,
        },
        "rename": {
            **_BY_TIME, "maxLevelsPerBar": "top", "priceLevelLimit": "top", "topNLevels": "top", "binSize": "size",
            "tickSize": "size", "limit": "bars",
        },
        "fixed": _A_DAY,
    },
    {
        "name": "get_footprint_statistics",
        "tool": "orderflow_footprint",
        "parameters": _BARS,
        "rename": _BY_TIME,
        "fixed": {**_A_DAY, "view": "statistics"},
    },
    {
        "name": "get_orderflow_metrics",
        "tool": "orderflow_metrics",
        "parameters": {**_BARS, "timeframe": None},
        "rename": _BY_TIME,
        "fixed": {**_A_DAY, "parts": ["imbalances"]},
    },
)  # fmt: skip

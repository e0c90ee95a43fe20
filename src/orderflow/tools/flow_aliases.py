"""Aliases of the order-flow tools: the names and parameters under which earlier systems asked."""

from typing import Any

from orderflow.tools.aliases import Alias

_FUTURES: dict[str, Any] = {"venues": ["binance_futures"]}  # the one venue that they knew
_A_DAY: dict[str, Any] = {**_FUTURES, "since": "-24h"}  # unless other times are said
_BY_TIME = {"startTime": "since", "endTime": "until", "timeframe": "bar"}
_BARS: dict[str, Any] = {"symbol": None, "timeframe": "30m", "startTime": None, "endTime": None}
_PROFILE: dict[str, Any] = {
    "symbol": None, "date": None, "binSize": None, "valueAreaPercent": 70, "mode": "raw", "normalizeSeconds": 3,
}  # fmt: skip
_OF_PROFILE = {
    "binSize": "size", "valueAreaPercent": "value_area_pct", "normalizeSeconds": "normalize_seconds",
}  # fmt: skip

FLOW_ALIASES: dict[str, Alias] = {
    one.name: one
    for one in (
        Alias(
            name="get_key_levels",
            tool="orderflow_key_levels",
            parameters={**_PROFILE, "sessionTZ": "UTC"},
            rename={**_OF_PROFILE, "sessionTZ": "zone"},
            fixed={**_FUTURES, "by": "quote"},
        ),
        Alias(
            name="get_session_profile",
            tool="orderflow_session_profile",
            parameters={
                **_PROFILE, "session": "all", "interval": "15m", "includeProfileLevels": False, "maxProfileLevels": 400,
                "windowStartMs": None, "windowEndMs": None,
            },
            rename={
                **_OF_PROFILE, "interval": "bar", "includeProfileLevels": "levels", "maxProfileLevels": "top",
                "windowStartMs": "since", "windowEndMs": "until",
            },
            fixed={**_FUTURES, "by": "quote"},
        ),
        Alias(
            name="compute_volume_profile",
            tool="orderflow_volume_profile",
            parameters={"symbol": "BTCUSDT", "exchange": "binance", "market_type": "futures", "hours": 24},
            ago={"hours": "h"},
            market="venues",
        ),
        # ── Structure ─────────────────────────────────────────────────────────────────────────────
        Alias(
            name="get_market_structure",
            tool="orderflow_structure",
            parameters={
                "symbol": None, "interval": "15m", "lookbackBars": 400, "pivotLeft": 10, "pivotRight": 10,
                "zigzagLegMinPercent": None, "maxPoints": 80, "endTime": None,
            },
            rename={
                "interval": "bar", "lookbackBars": "lookback", "pivotLeft": "external", "pivotRight": "right",
                "zigzagLegMinPercent": "zigzag_pct", "maxPoints": "limit", "endTime": "until",
            },
            fixed=_FUTURES,
        ),
        Alias(
            name="get_swing_liquidity",
            tool="orderflow_swing_liquidity",
            parameters={
                "symbol": None, "interval": "15m", "lookbackBars": 300, "pivotLeft": 10, "pivotRight": 15,
                "activeOnly": False, "maxLevels": 150,
            },
            rename={
                "interval": "bar", "lookbackBars": "lookback", "pivotLeft": "left", "pivotRight": "right",
                "activeOnly": "active_only", "maxLevels": "limit",
            },
            fixed=_FUTURES,
        ),
        Alias(
            name="get_tpo_profile",
            tool="orderflow_tpo",
            parameters={
                "symbol": None, "date": None, "session": "all", "periodMinutes": 30, "tickSize": None,
                "valueAreaPercent": 70, "useVolumeForVA": None, "includeLevels": False, "maxLevels": 240,
                "includePeriodProfiles": True, "includeSinglePrints": True, "singlePrintsMode": "compact",
                "tailMinLength": 2, "ibPeriods": 2,
            },
            rename={
                "periodMinutes": "period", "tickSize": "size", "valueAreaPercent": "value_area_pct", "maxLevels": "limit",
                "tailMinLength": "tail", "ibPeriods": "balance",
            },
            # both value areas, periods and single prints are there in any case
            stands={
                "includeLevels": {"true": {"view": "rows"}},
                "singlePrintsMode": {"full": {"view": "single_prints"}},
                "useVolumeForVA": {}, "includePeriodProfiles": {}, "includeSinglePrints": {},
            },
            fixed=_FUTURES,
        ),
        Alias(
            name="get_footprint",
            tool="orderflow_footprint",
            parameters={
                **_BARS, "view": "statistics", "maxLevelsPerBar": 200, "tickSize": None, "binSize": None,
                "priceLevelLimit": None, "topNLevels": None, "compress": True, "limit": None,
            },
            rename={
                **_BY_TIME, "maxLevelsPerBar": "top", "priceLevelLimit": "top", "topNLevels": "top", "binSize": "size",
                "tickSize": "size", "limit": "bars",
            },
            fixed=_A_DAY,
        ),
        Alias(
            name="get_footprint_statistics",
            tool="orderflow_footprint",
            parameters=_BARS,
            rename=_BY_TIME,
            fixed={**_A_DAY, "view": "statistics"},
        ),
        Alias(
            name="get_orderflow_metrics",
            tool="orderflow_metrics",
            parameters={**_BARS, "timeframe": None},
            rename=_BY_TIME,
            fixed={**_A_DAY, "parts": ["imbalances"]},
        ),
        # ── The order book ────────────────────────────────────────────────────────────────────
        Alias(
            name="get_orderbook_depth_delta",
            tool="orderflow_depth_delta",
            parameters={
                "symbol": None,
                "percent": 1.0,
                "windowSec": 60,
                "lookback": None,
                "lookbackSec": 3_600,
                "maxPoints": 30,
            },
            rename={"windowSec": "window_sec", "maxPoints": "max_points"},
            ago={"lookback": "s", "lookbackSec": "s"},
            fixed=_FUTURES,
        ),
        Alias(
            name="get_orderbook_heatmap",
            tool="orderflow_heatmap",
            parameters={"symbol": None, "lookbackMinutes": 180, "maxLevels": 15},
            rename={"maxLevels": "top"},
            ago={"lookbackMinutes": "m"},
            fixed=_FUTURES,
        ),
    )
}  # fmt: skip

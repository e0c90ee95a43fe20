"""Aliases of the order-flow tools: the names and parameters under which earlier systems asked."""

from typing import Any

# name → tool, parameters with their old defaults, new names, and what else of an `Alias` is meant
FLOW: tuple[dict[str, Any], ...] = (
    # ── Structure ─────────────────────────────────────────────────────────────────────────────
    {
        "name": "get_market_structure",
        "tool": "orderflow_structure",
        "parameters": {
            "symbol": None, "interval": "15m", "lookbackBars": 400, "pivotLeft": 10, "pivotRight": 10,
            "zigzagLegMinPercent": None, "maxPoints": 80, "endTime": None,
        },
        "rename": {
            "interval": "bar", "lookbackBars": "lookback", "pivotLeft": "external", "pivotRight": "right",
            "zigzagLegMinPercent": "zigzag_pct", "maxPoints": "limit", "endTime": "until",
        },
        "fixed": {"venues": ["binance_futures"]},
    },
    {
        "name": "get_swing_liquidity",
        "tool": "orderflow_swing_liquidity",
        "parameters": {
            "symbol": None, "interval": "15m", "lookbackBars": 300, "pivotLeft": 10, "pivotRight": 15,
            "activeOnly": False, "maxLevels": 150,
        },
        "rename": {
            "interval": "bar", "lookbackBars": "lookback", "pivotLeft": "left", "pivotRight": "right",
            "activeOnly": "active_only", "maxLevels": "limit",
        },
        "fixed": {"venues": ["binance_futures"]},
    },
    {
        "name": "get_tpo_profile",
        "tool": "orderflow_tpo",
        "parameters": {
            "symbol": None, "date": None, "session": "all", "periodMinutes": 30, "tickSize": None,
            "valueAreaPercent": 70, "useVolumeForVA": None, "includeLevels": False, "maxLevels": 240,
            "includePeriodProfiles": True, "includeSinglePrints": True, "singlePrintsMode": "compact",
            "tailMinLength": 2, "ibPeriods": 2,
        },
        "rename": {
            "periodMinutes": "period", "tickSize": "step", "valueAreaPercent": "value_area", "maxLevels": "limit",
            "tailMinLength": "tail", "ibPeriods": "balance",
        },
        # both value areas, periods and single prints are there in any case
        "stands": {
            "includeLevels": {"true": {"view": "rows"}},
            "singlePrintsMode": {"full": {"view": "single_prints"}},
            "useVolumeForVA": {}, "includePeriodProfiles": {}, "includeSinglePrints": {},
        },
        "fixed": {"venues": ["binance_futures"]},
    },
)  # fmt: skip

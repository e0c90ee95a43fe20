"""The questions whose answers are kept: a row a tool, in it the arguments by the name of the answer's file.

A tool of these families without a row fails a test. What is asked is small (`ROWS`, `TOKENS`), so that the
kept answers can be read.
"""

from typing import Any

from orderflow import tools
from orderflow.tools.spec import Tool

FAMILIES = ("orderflow", "charts")
ROWS = 12  # of a page
TOKENS = 1_500

Arguments = dict[str, Any]

_MINUTES: Arguments = {
    "symbol": "BTCUSDT", "since": "2024-08-08T23:54:00Z", "until": "2024-08-09T00:00:00Z",
}  # fmt: skip
FUTURES: Arguments = {**_MINUTES, "venues": ["binance_futures"]}
SPOT: Arguments = {**_MINUTES, "venues": ["binance_spot"]}
BOTH: Arguments = {**_MINUTES, "venues": ["binance_futures", "binance_spot"]}
DAY: Arguments = {
    "symbol": "XRPETH", "venues": ["binance_spot"],
    "since": "2019-10-11T00:00:00Z", "until": "2019-10-12T03:00:00Z",
}  # fmt: skip

_TRADES = {"futures": FUTURES, "both": BOTH, "day": DAY}
_BOOKS = {"futures": FUTURES, "spot": SPOT}
_DATE_OF_MINUTES: Arguments = {"symbol": "BTCUSDT", "venues": ["binance_futures"], "date": "2024-08-08"}
_DATE_OF_DAY: Arguments = {"symbol": "XRPETH", "venues": ["binance_spot"], "date": "2019-10-11"}
_SWINGS = {
    "futures": {**FUTURES, "bar": "5s", "internal": 2, "external": 5, "zigzag_pct": 0.02},
    "day": {**DAY, "bar": "10m", "zigzag_pct": 0.5},
}

QUESTIONS: dict[str, dict[str, Arguments]] = {
    "orderflow_volume_profile": {**_TRADES, "synthetic": {**FUTURES, "mode": "synthetic", "top": 8}},
    "orderflow_session_profile": {**_TRADES, "date": _DATE_OF_DAY},
    "orderflow_key_levels": {"futures": _DATE_OF_MINUTES, "day": {**_DATE_OF_DAY, "longer": "trades"}},
    "orderflow_tpo": {
        "futures": {**FUTURES, "period": 1},
        "letters": {**FUTURES, "period": 1, "view": "rows"},
        "day": _DATE_OF_DAY,
        "single_prints": {**_DATE_OF_DAY, "session": "day", "view": "single_prints"},
    },
    "orderflow_footprint": {
        **_TRADES,
        "statistics": {**FUTURES, "bar": "1m", "view": "statistics"},
        "range": {**FUTURES, "bar": "range:40"},
    },
    "orderflow_metrics": {
        **_TRADES,
        "imbalances": {**FUTURES, "bar": "1m", "parts": ["imbalances", "divergences", "vwap"]},
        "venues": {**BOTH, "bar": "1m", "parts": ["venues", "sizes"]},
        "takers": {
            **FUTURES,
            "bar": "1m",
            "parts": ["tape", "large", "sweeps", "vpin", "kyle", "amihud"],
            "bucket": 50,
        },
    },
    "orderflow_depth_delta": _BOOKS,
    "orderflow_heatmap": {
        **_BOOKS,
        "matrix": {**FUTURES, "view": "matrix"},
        "walls": {**FUTURES, "view": "walls"},
    },
    "orderflow_pressure": _BOOKS,
    "orderflow_swing_liquidity": {
        "futures": {**FUTURES, "bar": "5s", "left": 3, "right": 3},
        "day": {**DAY, "bar": "10m", "left": 5, "right": 5},
    },
    "orderflow_structure": _SWINGS,
    "chart_cvd": _TRADES,
    "chart_liquidations": {"futures": FUTURES},
    "chart_footprint": {"futures": {**FUTURES, "bar": "30s"}, "day": DAY},
    "chart_profile": {"futures": FUTURES, "day": DAY},
    "chart_heatmap": _BOOKS,
    "chart_structure": {
        "futures": {**FUTURES, "bar": "5s", "internal": 2, "external": 5},
        "day": {**DAY, "bar": "10m"},
    },
}


def asked() -> dict[str, Tool]:
    """Return the tools of the families, by name."""
    return {name: one for name, one in tools.ALL.tools.items() if one.family in FAMILIES}


def cases() -> list[tuple[str, str]]:
    """Return each tool that there is with the name of each of its questions."""
    return [(tool, name) for tool in asked() for name in QUESTIONS.get(tool, {})]

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

QUESTIONS: dict[str, dict[str, Arguments]] = {
    "orderflow_volume_profile": _TRADES,
    "orderflow_session_profile": _TRADES,
    "orderflow_key_levels": _TRADES,
    "orderflow_tpo": _TRADES,
    "orderflow_footprint": _TRADES,
    "orderflow_metrics": _TRADES,
    "orderflow_depth_delta": _BOOKS,
    "orderflow_heatmap": _BOOKS,
    "orderflow_swing_liquidity": {"futures": FUTURES, "day": DAY},
    "orderflow_structure": {"futures": FUTURES, "day": DAY},
    "chart_cvd": _TRADES,
    "chart_liquidations": {"futures": FUTURES},
    "chart_footprint": {"futures": FUTURES, "day": DAY},
    "chart_profile": {"futures": FUTURES, "day": DAY},
    "chart_heatmap": _BOOKS,
    "chart_structure": {"futures": FUTURES, "day": DAY},
}


def asked() -> dict[str, Tool]:
    """Return the tools of the families, by name."""
    return {name: one for name, one in tools.ALL.tools.items() if one.family in FAMILIES}


def cases() -> list[tuple[str, str]]:
    """Return each tool that there is with the name of each of its questions."""
    return [(tool, name) for tool in asked() for name in QUESTIONS.get(tool, {})]

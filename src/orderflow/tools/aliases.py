"""Aliases: the names and parameters under which earlier systems asked, told in ours."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from orderflow.market.errors import InvalidArgument
from orderflow.market.instruments import venues_of


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """A name that answers as another tool.

    `parameters` are the old ones with their defaults (None: optional without one). `rename` says
    which of them has another name now, `gather` which of them make up one list now (with `unit` written
    behind each), `fixed` which arguments the old name implied. `ago` are those that count minutes (`m`)
    or hours (`h`) back from now. `market` is the parameter that the old `exchange` and `market_type`
    make up now: `venues`, or `venue` where one is meant.
    """

    name: str
    tool: str
    parameters: dict[str, Any] = {}
    rename: dict[str, str] = {}
    gather: dict[str, tuple[str, ...]] = {}
    unit: str = ""
    fixed: dict[str, Any] = {}
    ago: dict[str, str] = {}
    market: str = ""

    def translate(self, given: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
        """Return the arguments in the tool's words; `known` are the parameters that the tool takes."""
        for name in given:
            if name not in self.parameters and name not in known:
                offered = [*self.parameters, *known]
                near = get_close_matches(name, offered, n=3, cutoff=0.5)
                hint = f"nearest: {', '.join(near)}; " if near else ""
                raise InvalidArgument(
                    f"{self.name} has no parameter {name!r}",
                    hint=f"{hint}it takes {', '.join(dict.fromkeys(offered))}",
                )
        said = {**self.parameters, **{name: value for name, value in given.items() if value is not None}}
        found: dict[str, Any] = dict(self.fixed)
        apart = {old for olds in self.gather.values() for old in olds} | set(self.ago)
        if self.market:
            apart |= {"exchange", "market_type"}
        for name, value in said.items():
            if name not in apart and value is not None:
                found[self.rename.get(name, name)] = value
        for name, olds in self.gather.items():
            values = [said[old] for old in olds if said.get(old) is not None]
            found.setdefault(name, [f"{one}{self.unit}" for one in values] if self.unit else values)
        for old, unit in self.ago.items():
            if said.get(old) is not None:
                found.setdefault("since", f"-{said[old]}{unit}")
        if self.market and self.market not in found:
            meant = venues_of(_text(said.get("exchange")), _text(said.get("market_type")))
            if meant:
                found[self.market] = meant if self.market == "venues" else meant[0]
        return found


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


# The parameters that the tools of the past share with one another.
_MINUTES = {"symbol": "BTCUSDT", "exchange": None, "market_type": "futures", "minutes": 60}
_HOURS = {"symbol": "BTCUSDT", "exchange": None, "hours": 24}
_AGO = {"minutes": "m", "hours": "h", "historical_hours": "h"}
_ONE_VENUE = {"symbol": "BTCUSDT", "exchange": "binance", "market_type": "futures"}


def _past(name: str, tool: str, parameters: dict[str, Any], **how: Any) -> Alias:
    """Return an alias whose window is counted back from now, and whose venue is an exchange and a market."""
    ago = {old: unit for old, unit in _AGO.items() if old in parameters}
    return Alias(name=name, tool=tool, parameters=parameters, ago=ago, **{"market": "venues", **how})


ALIASES: dict[str, Alias] = {
    one.name: one
    for one in (
        Alias(
            name="analyze_crypto_arbitrage_tool",
            tool="xv_arbitrage",
            parameters={
                "symbol": "BTCUSDT",
                "min_profit_threshold": 0.05,
                "include_spreads": True,
                "include_opportunities": True,
            },
            rename={"min_profit_threshold": "min_profit_pct"},
        ),
        Alias(name="get_crypto_prices", tool="xv_prices", parameters={"symbol": None}),
        Alias(name="get_crypto_spreads", tool="xv_spreads", parameters={"symbol": "BTCUSDT"}),
        Alias(
            name="get_arbitrage_opportunities",
            tool="xv_arbitrage",
            parameters={"symbol": None, "min_profit": 0.0, "limit": 20},
            rename={"min_profit": "min_profit_pct"},
            fixed={"include_spreads": False},
        ),
        Alias(
            name="compare_exchange_prices",
            tool="xv_prices",
            parameters={"symbol": "BTCUSDT", "exchange1": "binance_futures", "exchange2": "bybit_futures"},
            gather={"venues": ("exchange1", "exchange2")},
        ),
        Alias(name="crypto_scanner_health", tool="system_health"),
        Alias(
            name="get_orderbook_data",
            tool="market_orderbook",
            parameters={"symbol": None, "exchange": None},
            gather={"venues": ("exchange",)},
        ),
        # ── What is stored ────────────────────────────────────────────────────────────────────
        _past("get_historical_price_data", "history_prices", {**_MINUTES, "limit": 500}),
        _past("query_historical_prices", "history_prices", {**_MINUTES, "limit": 500}),
        _past("get_historical_trade_data", "history_trades", {**_MINUTES, "side": None, "limit": 500}),
        _past("get_historical_funding_data", "history_funding", _HOURS, fixed={"rows": "announced"}),
        _past("query_historical_funding", "history_funding", _HOURS, fixed={"rows": "announced"}),
        _past("get_historical_liquidation_data", "history_liquidations", {**_HOURS, "min_value": 10_000.0}),
        _past("get_historical_oi_data", "history_open_interest", _HOURS),
        _past("query_historical_oi", "history_open_interest", _HOURS),
        Alias(name="get_database_statistics", tool="history_stats"),
        _past(
            "query_historical_analytics",
            "history_aggregate",
            {**_ONE_VENUE, "query_type": "price_ohlc", "hours": 24, "aggregation": "1h"},
            rename={"query_type": "kind", "aggregation": "bar"},
        ),
        _past(
            "aggregate_by_timeframe",
            "history_candles",
            {**_ONE_VENUE, "hours": 24, "aggregation": "1h"},
            rename={"aggregation": "bar"},
        ),
        # ── What is stored, beside what is now ────────────────────────────────────────────────
        Alias(
            name="get_full_market_snapshot",
            tool="market_snapshot",
            parameters={"symbol": "BTCUSDT", "include_historical": True, "historical_minutes": 60},
            rename={"include_historical": "history"},
            ago={"historical_minutes": "m"},
        ),
        Alias(
            name="get_market_overview",
            tool="market_snapshot",
            parameters={"symbol": "BTCUSDT"},
            fixed={"history": False},
        ),
        Alias(
            name="get_market_snapshot",
            tool="market_snapshot",
            parameters={"symbol": None},
            fixed={"venues": ["binance_futures"], "history": False},
        ),
        Alias(
            name="get_price_with_historical_context",
            tool="history_price_context",
            parameters={**_ONE_VENUE, "historical_minutes": 30},
            gather={"look_backs": ("historical_minutes",)},
            unit="m",
            market="venue",
        ),
        Alias(
            name="detect_price_anomalies",
            tool="history_price_context",
            parameters=_ONE_VENUE,
            fixed={"look_backs": ["5m", "15m", "1h", "4h", "1d"]},
            market="venue",
        ),
        _past(
            "analyze_funding_arbitrage", "xv_funding_arbitrage", {"symbol": "BTCUSDT", "historical_hours": 24}
        ),
        _past("calculate_funding_arbitrage", "xv_funding_arbitrage", _HOURS),
        _past(
            "get_liquidation_heatmap_analysis",
            "history_liquidation_map",
            {"symbol": "BTCUSDT", "hours": 24, "price_buckets": 20},
            rename={"price_buckets": "bins"},
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
            fixed={"venues": ["binance_futures"]},
        ),
        Alias(
            name="get_orderbook_heatmap",
            tool="orderflow_heatmap",
            parameters={"symbol": None, "lookbackMinutes": 180, "maxLevels": 15},
            rename={"maxLevels": "top"},
            ago={"lookbackMinutes": "m"},
            fixed={"venues": ["binance_futures"]},
        ),
    )
}

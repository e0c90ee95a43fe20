"""The catalogue: names old and new, sets, search, and the three tools that reach the rest."""

import json
from typing import Any

import msgspec
import pytest
from fixed_answers import house
from fixed_market import HEALTHY, NOW, FakeLatest, context, quote

from orderflow import tools
from orderflow.market.errors import InvalidArgument, OrderflowError, UnknownTool
from orderflow.market.events import HOUR, MS, SECOND, Gap
from orderflow.market.instruments import MARKETS
from orderflow.tools.answers import tokens
from orderflow.tools.forms import structured
from orderflow.tools.market_aliases import MARKET_ALIASES
from orderflow.tools.search import Index, stems
from orderflow.tools.venue_aliases import VENUE_ALIASES

ALL = tools.ALL


def asked(tool: str, /, **arguments: Any) -> dict[str, Any]:
    return structured(tools.call(context(), tool, arguments))


# ── Old names ─────────────────────────────────────────────────────────────────────────────────

HOUR_MS = ((NOW - HOUR) // MS, NOW // MS)
FUTURES = [one.venue for one in MARKETS.values() if one.market == "futures"]
OLD = {
    "analyze_crypto_arbitrage_tool": (
        {
            "symbol": "BTCUSDT",
            "min_profit_threshold": 0.05,
            "include_spreads": True,
            "include_opportunities": True,
        },
        "xv_arbitrage",
        {"symbol": "BTCUSDT", "min_profit_pct": 0.05, "include_spreads": True, "include_opportunities": True},
    ),
    "get_crypto_prices": ({"symbol": "ETHUSDT"}, "xv_prices", {"symbol": "ETHUSDT"}),
    "get_crypto_spreads": ({"symbol": "BTCUSDT"}, "xv_spreads", {"symbol": "BTCUSDT"}),
    "get_arbitrage_opportunities": (
        {"symbol": "BTCUSDT", "min_profit": 0.01, "limit": 3},
        "xv_arbitrage",
        {"symbol": "BTCUSDT", "min_profit_pct": 0.01, "limit": 3, "include_spreads": False},
    ),
    "compare_exchange_prices": (
        {"symbol": "BTCUSDT", "exchange1": "binance_spot", "exchange2": "binance_futures"},
        "xv_prices",
        {"symbol": "BTCUSDT", "venues": ["binance_spot", "binance_futures"]},
    ),
    "crypto_scanner_health": ({}, "system_health", {}),
    "get_orderbook_data": (
        {"symbol": "BTCUSDT", "exchange": "binance_spot"},
        "market_orderbook",
        {"symbol": "BTCUSDT", "venues": ["binance_spot"]},
    ),
    "get_historical_price_data": (
        {"symbol": "BTCUSDT", "exchange": "binance", "market_type": "futures", "minutes": 15, "limit": 7},
        "history_prices",
        {"symbol": "BTCUSDT", "venues": ["binance_futures"], "since": "-15m", "limit": 7},
    ),
    "query_historical_prices": (
        {"symbol": "BTCUSDT", "exchange": "bybit"},
        "history_prices",
        {"symbol": "BTCUSDT", "venues": ["bybit_futures"], "since": "-60m", "limit": 500},
    ),
    "get_historical_trade_data": (
        {"symbol": "BTCUSDT", "minutes": 30, "side": "sell"},
        "history_trades",
        {"symbol": "BTCUSDT", "venues": FUTURES, "since": "-30m", "side": "sell", "limit": 500},
    ),
    "get_historical_funding_data": (
        {"symbol": "BTCUSDT", "exchange": "binance", "hours": 2},
        "history_funding",
        {"symbol": "BTCUSDT", "venues": ["binance_futures"], "since": "-2h", "rows": "announced"},
    ),
    "query_historical_funding": (
        {"symbol": "BTCUSDT"},
        "history_funding",
        {"symbol": "BTCUSDT", "since": "-24h", "rows": "announced"},
    ),
    "get_historical_liquidation_data": (
        {"symbol": "BTCUSDT", "hours": 1, "min_value": 100},
        "history_liquidations",
        {"symbol": "BTCUSDT", "since": "-1h", "min_value": 100},
    ),
    "get_historical_oi_data": (
        {"symbol": "BTCUSDT", "exchange": "bybit_futures"},
        "history_open_interest",
        {"symbol": "BTCUSDT", "venues": ["bybit_futures"], "since": "-24h"},
    ),
    "query_historical_oi": (
        {"symbol": "BTCUSDT", "hours": 1},
        "history_open_interest",
        {"symbol": "BTCUSDT", "since": "-1h"},
    ),
    "get_database_statistics": ({}, "history_stats", {}),
    "query_historical_analytics": (
        {
            "symbol": "BTCUSDT",
            "query_type": "volatility",
            "exchange": "bybit",
            "hours": 1,
            "aggregation": "5m",
        },
        "history_aggregate",
        {"symbol": "BTCUSDT", "kind": "volatility", "venues": ["bybit_futures"], "since": "-1h", "bar": "5m"},
    ),
    "aggregate_by_timeframe": (
        {"symbol": "BTCUSDT", "aggregation": "15m"},
        "history_candles",
        {"symbol": "BTCUSDT", "venues": ["binance_futures"], "since": "-24h", "bar": "15m"},
    ),
    "get_full_market_snapshot": (
        {"symbol": "BTCUSDT", "historical_minutes": 30},
        "market_snapshot",
        {"symbol": "BTCUSDT", "history": True, "since": "-30m"},
    ),
    "get_market_overview": (
        {"symbol": "BTCUSDT"},
        "market_snapshot",
        {"symbol": "BTCUSDT", "history": False},
    ),
    "get_market_snapshot": (
        {"symbol": "BTCUSDT"},
        "market_snapshot",
        {"symbol": "BTCUSDT", "venues": ["binance_futures"]},
    ),
    "get_price_with_historical_context": (
        {"symbol": "BTCUSDT", "historical_minutes": 45},
        "history_price_context",
        {"symbol": "BTCUSDT", "venue": "binance_futures", "look_backs": ["45m"]},
    ),
    "detect_price_anomalies": (
        {"symbol": "BTCUSDT", "exchange": "bybit", "market_type": "futures"},
        "history_price_context",
        {"symbol": "BTCUSDT", "venue": "bybit_futures", "look_backs": ["5m", "15m", "1h", "4h", "1d"]},
    ),
    "analyze_funding_arbitrage": (
        {"symbol": "BTCUSDT", "historical_hours": 1},
        "xv_funding_arbitrage",
        {"symbol": "BTCUSDT", "since": "-1h"},
    ),
    "calculate_funding_arbitrage": (
        {"symbol": "BTCUSDT"},
        "xv_funding_arbitrage",
        {"symbol": "BTCUSDT", "since": "-24h"},
    ),
    "get_liquidation_heatmap_analysis": (
        {"symbol": "BTCUSDT", "hours": 1, "price_buckets": 5},
        "history_liquidation_map",
        {"symbol": "BTCUSDT", "since": "-1h", "bins": 5},
    ),
    "get_key_levels": (
        {
            "symbol": "BTCUSDT",
            "sessionTZ": "Europe/Berlin",
            "binSize": 1,
            "valueAreaPercent": 80,
            "mode": "raw",
        },
        "orderflow_key_levels",
        {
            "symbol": "BTCUSDT",
            "venues": ["binance_futures"],
            "zone": "Europe/Berlin",
            "size": 1,
            "value_area_pct": 80,
            "by": "quote",
        },
    ),
    "get_session_profile": (
        {
            "symbol": "BTCUSDT",
            "windowStartMs": 1_763_679_600_000,
            "windowEndMs": 1_763_682_000_000,
            "includeProfileLevels": True,
            "maxProfileLevels": 5,
            "binSize": 2,
            "mode": "synthetic",
            "normalizeSeconds": 5,
        },
        "orderflow_session_profile",
        {
            "symbol": "BTCUSDT",
            "venues": ["binance_futures"],
            "since": "2025-11-20T23:00:00Z",
            "until": "2025-11-20T23:40:00Z",
            "levels": True,
            "top": 5,
            "size": 2,
            "mode": "synthetic",
            "normalize_seconds": 5,
            "by": "quote",
            "bar": "15m",
        },
    ),
    "compute_volume_profile": (
        {"symbol": "BTCUSDT", "exchange": "bybit", "hours": 1},
        "orderflow_volume_profile",
        {"symbol": "BTCUSDT", "venues": ["bybit_futures"], "since": "-1h"},
    ),
    "get_market_structure": (
        {
            "symbol": "BTCUSDT",
            "interval": "5m",
            "lookbackBars": 10,
            "pivotLeft": 2,
            "pivotRight": 3,
            "maxPoints": 9,
        },
        "orderflow_structure",
        {
            "symbol": "BTCUSDT",
            "venues": ["binance_futures"],
            "bar": "5m",
            "lookback": 10,
            "external": 2,
            "right": 3,
            "limit": 9,
        },
    ),
    "get_swing_liquidity": (
        {"symbol": "BTCUSDT", "interval": "5m", "pivotLeft": 2, "activeOnly": True},
        "orderflow_swing_liquidity",
        {
            "symbol": "BTCUSDT",
            "venues": ["binance_futures"],
            "bar": "5m",
            "left": 2,
            "right": 15,
            "active_only": True,
            "lookback": 300,
            "limit": 150,
        },
    ),
    "get_tpo_profile": (
        {
            "symbol": "BTCUSDT",
            "periodMinutes": 10,
            "tickSize": 5,
            "includeLevels": True,
            "useVolumeForVA": False,
        },
        "orderflow_tpo",
        {
            "symbol": "BTCUSDT",
            "venues": ["binance_futures"],
            "period": 10,
            "size": 5,
            "view": "rows",
            "limit": 240,
        },
    ),
    # ── Order flow ────────────────────────────────────────────────────────────────────────────
    "get_footprint": (
        {
            "symbol": "BTCUSDT",
            "timeframe": "5m",
            "startTime": HOUR_MS[0],
            "endTime": HOUR_MS[1],
            "view": "levels",
            "binSize": 2,
            "topNLevels": 3,
            "compress": False,
            "limit": 4,
        },
        "orderflow_footprint",
        {
            "symbol": "BTCUSDT",
            "venues": ["binance_futures"],
            "since": HOUR_MS[0],
            "until": HOUR_MS[1],
            "bar": "5m",
            "view": "levels",
            "size": 2,
            "top": 3,
            "compress": False,
            "bars": 4,
        },
    ),
    "get_footprint_statistics": (
        {"symbol": "BTCUSDT", "startTime": HOUR_MS[0]},
        "orderflow_footprint",
        {
            "symbol": "BTCUSDT",
            "venues": ["binance_futures"],
            "since": HOUR_MS[0],
            "bar": "30m",
            "view": "statistics",
        },
    ),
    "get_orderflow_metrics": (
        {"symbol": "BTCUSDT", "timeframe": "1m", "startTime": HOUR_MS[0], "endTime": HOUR_MS[1]},
        "orderflow_metrics",
        {
            "symbol": "BTCUSDT",
            "venues": ["binance_futures"],
            "since": HOUR_MS[0],
            "until": HOUR_MS[1],
            "bar": "1m",
            "parts": ["imbalances"],
        },
    ),
    "get_orderbook_depth_delta": (
        {"symbol": "BTCUSDT", "percent": 0.5, "windowSec": 120, "lookbackSec": 1_200, "maxPoints": 5},
        "orderflow_depth_delta",
        {
            "symbol": "BTCUSDT",
            "venues": ["binance_futures"],
            "percent": 0.5,
            "window_sec": 120,
            "since": "-20m",
            "max_points": 5,
        },
    ),
    "get_orderbook_heatmap": (
        {"symbol": "BTCUSDT", "lookbackMinutes": 20, "maxLevels": 4},
        "orderflow_heatmap",
        {"symbol": "BTCUSDT", "venues": ["binance_futures"], "since": "-20m", "top": 4},
    ),
}
NEEDS = {
    one: {"symbol": "BTCUSDT"}
    for one in (
        "get_market_snapshot",
        "get_key_levels",
        "get_session_profile",
        "get_market_structure",
        "get_swing_liquidity",
        "get_tpo_profile",
        "get_footprint",
        "get_footprint_statistics",
        "get_orderflow_metrics",
        "get_orderbook_depth_delta",
        "get_orderbook_heatmap",
    )
}  # what an old name always asked
SMALL = {"get_historical_liquidation_data": {"min_value": 100}}  # the fixed market's are smaller than 10,000


@pytest.mark.parametrize("old", OLD)
def test_an_old_name_with_its_old_parameters_gives_the_new_ones_answer(old: str) -> None:
    arguments, new, translated = OLD[old]
    assert asked(old, **arguments) == asked(new, **translated)


@pytest.mark.parametrize("old", OLD)
def test_an_old_name_answers_with_the_defaults_it_always_had(old: str) -> None:
    given = NEEDS.get(old, {}) | SMALL.get(old, {})
    assert asked(old, **given)["meta"]["tool"] == OLD[old][1]


def test_every_old_name_is_tested_and_names_a_tool() -> None:
    # those of test_market_now are of venues that this market has not
    assert set(OLD) == set(ALL.aliases) - set(MARKET_ALIASES) - set(VENUE_ALIASES)
    assert {one.tool for one in ALL.aliases.values()} <= set(ALL.tools)


def test_old_names_are_not_listed() -> None:
    assert not set(ALL.aliases) & {one.name for one in ALL.toolset("all")}


def test_an_old_names_schema_has_its_old_parameters_and_defaults() -> None:
    properties = ALL.schema("compare_exchange_prices")["properties"]
    assert properties["exchange1"]["default"] == "binance_futures"
    assert properties["exchange2"]["default"] == "bybit_futures"
    assert properties["symbol"]["default"] == "BTCUSDT"
    assert ALL.schema("get_arbitrage_opportunities")["properties"]["min_profit"]["default"] == 0.0


def test_an_old_name_refuses_what_it_never_took() -> None:
    with pytest.raises(InvalidArgument, match="no parameter 'exchange3'") as caught:
        asked("compare_exchange_prices", exchange3="okx")
    assert "nearest: exchange1" in caught.value.hint or "nearest: exchange2" in caught.value.hint


# ── Names and sets ────────────────────────────────────────────────────────────────────────────


def test_an_unknown_tool_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownTool) as caught:
        asked("xv_price")
    assert "xv_prices" in caught.value.hint


def test_the_core_set_fits_its_budget() -> None:
    listed = [
        {"name": one.name, "description": one.description, "inputSchema": one.schema}
        for one in ALL.toolset("core")
    ]
    assert 0 < tokens(json.dumps(listed)) <= 8_000
    assert len(listed) <= 28


def test_sets_come_in_a_fixed_order_and_always_reach_the_rest() -> None:
    assert [one.name for one in ALL.toolset("all", writes=True)] == list(ALL.tools)
    assert {one.family for one in ALL.toolset("all", writes=True)} - {
        one.family for one in ALL.toolset("all")
    } == {"control"}
    assert [one.name for one in ALL.toolset("meta")] == ["find_tools", "describe_tools", "call_tool"]
    assert [one.name for one in ALL.toolset("system")] == [
        "system_health",
        "find_tools",
        "describe_tools",
        "call_tool",
    ]
    with pytest.raises(UnknownTool, match="no toolset 'nonsense'"):
        ALL.toolset("system,nonsense")


# ── Finding, describing, calling ──────────────────────────────────────────────────────────────


def test_a_tool_is_found_by_its_plural_its_old_name_and_its_subject() -> None:
    for query, name in [
        ("arbitrages", "xv_arbitrage"),
        ("prices of exchanges", "xv_prices"),
        ("crypto_scanner_health", "system_health"),
        ("connection reconnects", "system_health"),
    ]:
        assert asked("find_tools", query=query)["rows"][0][0] == name


def test_a_query_that_fits_nothing_says_so_and_names_the_families() -> None:
    found = asked("find_tools", query="zebra")
    assert found["rows"] == []
    assert found["summary"]["families"] == [
        "cross_venue",
        "market",
        "venue",
        "options",
        "history",
        "orderflow",
        "charts",
        "system",
        "stream",
        "control",
        "catalogue",
    ]


def test_stems_bring_singular_and_plural_together() -> None:
    assert stems("liquidation") == stems("Liquidations")
    assert stems("price") == stems("prices")
    assert stems("venue") == stems("venues")


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    index = Index(
        {"a": [("price price price book", 1.0)], "b": [("price funding", 1.0)], "c": [("price book", 1.0)]}
    )
    assert index.search("price funding", 3)[0] == "b"
    assert index.search("zebra", 3) == []


def test_a_description_has_schema_result_and_example() -> None:
    (row,) = asked("describe_tools", names=["xv_prices"])["rows"]
    name, description, schema, result, example, old = row
    assert name == "xv_prices"
    assert description == ALL.tools["xv_prices"].description
    assert schema == ALL.tools["xv_prices"].schema
    assert result["columns"]["bid"] == "quote"
    assert example == {"symbol": "BTCUSDT"}
    assert "get_crypto_prices" in old


@pytest.mark.parametrize("name", ["xv_prices", "get_crypto_prices"])
def test_a_call_through_call_tool_is_a_direct_call(name: str) -> None:
    arguments = {"symbol": "BTCUSDT"}
    assert asked("call_tool", name=name, arguments=arguments) == asked(name, **arguments)


def test_what_every_tool_takes_may_stand_beside_or_inside_a_call_through_call_tool() -> None:
    inside = asked("call_tool", name="xv_prices", arguments={"limit": 1, "max_tokens": 300})
    assert inside == asked("call_tool", name="xv_prices", arguments={"limit": 1}, max_tokens=300)
    assert inside["meta"]["next"]
    after = asked("call_tool", name="xv_prices", next=inside["meta"]["next"])
    assert after["meta"]["offset"] == 1
    with pytest.raises(InvalidArgument, match="max_tokens"):
        asked("call_tool", name="xv_prices", max_tokens=1)


def test_call_tool_checks_as_a_direct_call_does_and_does_not_call_itself() -> None:
    with pytest.raises(InvalidArgument, match="max_age_ms"):
        asked("call_tool", name="xv_arbitrage", arguments={"max_age_ms": 0})
    with pytest.raises(InvalidArgument, match="does not call itself"):
        asked("call_tool", name="call_tool", arguments={"name": "xv_prices"})


# ── Health, and the empty house ───────────────────────────────────────────────────────────────


def test_health_tells_each_venue_and_counts_gaps_of_the_last_hour() -> None:
    gap = Gap("binance_spot", "BTCUSDT", "prices", NOW - SECOND, None, "disconnect")
    latest = FakeLatest(quotes=[quote("binance_spot", 1.0, 2.0)], gaps=[gap])
    answer = structured(tools.call(context(latest), "system_health", {}))
    found = [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]
    assert [one["gaps_last_hour"] for one in found] == [0, 1]
    assert found[0]["lag_ms"] is None  # not told, so not known
    assert answer["summary"]["status"] == "healthy"
    assert answer["summary"]["rows_per_s"] == HEALTHY["rows_per_s"]
    assert answer["meta"]["gaps"][0]["reason"] == "disconnect"


def test_health_names_a_venue_that_is_not_connected() -> None:
    state = {
        "status": "degraded",
        "reasons": ["spot is down"],
        "venues": {"binance_spot": {"connected": False}},
    }
    answer = tools.call(context(health=state), "system_health", {})
    assert answer.meta.venues.missing == {"binance_spot": "not connected"}
    assert answer.summary["reasons"] == ["spot is down"]


@pytest.mark.parametrize("one", ALL.tools.values(), ids=list(ALL.tools))
def test_on_an_empty_house_no_tool_gives_a_number_about_a_market(one: Any) -> None:
    empty = context(FakeLatest(), health={})
    try:
        answer = tools.call(empty, one.name, {**one.example})
    except OrderflowError as error:
        assert error.code == "no_data_for_range"
        assert error.hint
        return
    assert one.family in ("system", "catalogue") or one.name == "sql_tables"  # it tells of columns
    cells = [cell for row in answer.rows for cell in row]
    assert not [cell for cell in cells if isinstance(cell, int | float) and not isinstance(cell, bool)]


@pytest.mark.parametrize("one", ALL.tools.values(), ids=list(ALL.tools))
def test_the_same_question_of_the_same_state_has_the_same_answer(one: Any) -> None:
    first, second = (tools.call(house(), one.name, {**one.example}) for _ in range(2))
    assert msgspec.json.encode(first) == msgspec.json.encode(second)


@pytest.mark.parametrize("old", [one for one in ALL.aliases if ALL.aliases[one].tool in ALL.tools])
def test_on_an_empty_house_an_old_name_says_what_is_missing_and_gives_no_number(old: str) -> None:
    tool = ALL.resolve(old)[0]
    required = {one.name for one in tool.parameters if one.required}
    named = {name: value for name, value in (tool.example or {}).items() if name in required}
    try:
        answer = tools.call(context(FakeLatest(), health={}), old, named)
    except OrderflowError as error:
        assert error.code in ("no_data_for_range", "invalid_argument")
        assert error.hint
        return
    assert tool.family == "system"
    assert not [cell for row in answer.rows for cell in row if isinstance(cell, float)]


@pytest.mark.parametrize("one", ALL.tools.values(), ids=list(ALL.tools))
def test_every_tool_answers_in_the_columns_that_it_declares(one: Any) -> None:
    answer = tools.call(house(), one.name, {**one.example})
    if one.columns is None:  # whoever asks chooses them
        return
    assert set(answer.columns) <= set(one.columns)
    assert all(len(row) == len(answer.columns) for row in answer.rows)
    declared = {name: unit for name, unit in one.columns.items() if unit}
    assert {
        name: unit for name, unit in answer.meta.units.items() if name in declared
    }.items() <= declared.items()


def test_all_tools_together_fit_their_budget() -> None:
    listed = [
        {"name": one.name, "description": one.description, "inputSchema": one.schema}
        for one in ALL.toolset("all", writes=True)
    ]
    assert tokens(json.dumps(listed)) <= 60_000

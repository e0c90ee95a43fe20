"""Tools: one typed function per question, for every door."""

from orderflow.tools import (
    aggregates,
    arbitrage,
    chart_cvd,
    chart_heatmap,
    chart_liquidations,
    depth_delta,
    discovery,
    funding,
    heatmap,
    history,
    market,
    pressure,
    prices,
    snapshot,
    sql,
    stored,
    system,
)
from orderflow.tools.aliases import ALIASES
from orderflow.tools.catalogue import Catalogue

ALL = Catalogue(
    (
        prices.xv_prices,
        arbitrage.xv_spreads,
        arbitrage.xv_arbitrage,
        funding.xv_funding_arbitrage,
        snapshot.market_snapshot,
        market.market_orderbook,
        history.history_candles,
        aggregates.history_price_context,
        aggregates.history_aggregate,
        aggregates.history_liquidation_map,
        history.history_prices,
        history.history_trades,
        history.history_funding,
        history.history_open_interest,
        history.history_liquidations,
        stored.history_coverage,
        stored.history_stats,
        depth_delta.orderflow_depth_delta,
        heatmap.orderflow_heatmap,
        pressure.orderflow_pressure,
        chart_cvd.chart_cvd,
        chart_heatmap.chart_heatmap,
        chart_liquidations.chart_liquidations,
        sql.sql_query,
        sql.sql_tables,
        system.system_health,
        discovery.find_tools,
        discovery.describe_tools,
        discovery.call_tool,
    ),
    ALIASES,
)

call = ALL.call

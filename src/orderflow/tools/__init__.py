"""Tools: one typed function per question, for every door."""

from orderflow.tools import (
    aggregates,
    arbitrage,
    chart_cvd,
    chart_liquidations,
    chart_profile,
    discovery,
    funding,
    history,
    key_levels,
    liquidations,
    market,
    market_funding,
    market_open_interest,
    prices,
    session_profile,
    snapshot,
    sql,
    stored,
    system,
    volume_profile,
)
from orderflow.tools.aliases import ALIASES
from orderflow.tools.catalogue import Catalogue
from orderflow.tools.market_aliases import MARKET_ALIASES

ALL = Catalogue(
    (
        prices.xv_prices,
        arbitrage.xv_spreads,
        arbitrage.xv_arbitrage,
        funding.xv_funding_arbitrage,
        snapshot.market_snapshot,
        market.market_orderbook,
        market_open_interest.market_open_interest,
        market_funding.market_funding,
        liquidations.market_liquidations,
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
        volume_profile.orderflow_volume_profile,
        session_profile.orderflow_session_profile,
        key_levels.orderflow_key_levels,
        chart_cvd.chart_cvd,
        chart_liquidations.chart_liquidations,
        chart_profile.chart_profile,
        sql.sql_query,
        sql.sql_tables,
        system.system_health,
        discovery.find_tools,
        discovery.describe_tools,
        discovery.call_tool,
    ),
    ALIASES | MARKET_ALIASES,
)

call = ALL.call

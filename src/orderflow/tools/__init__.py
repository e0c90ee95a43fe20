"""Tools: one typed function per question, for every door."""

from orderflow.tools import arbitrage, discovery, market, prices, system
from orderflow.tools.aliases import ALIASES
from orderflow.tools.catalogue import Catalogue

ALL = Catalogue(
    (
        prices.xv_prices,
        arbitrage.xv_spreads,
        arbitrage.xv_arbitrage,
        market.market_orderbook,
        system.system_health,
        discovery.find_tools,
        discovery.describe_tools,
        discovery.call_tool,
    ),
    ALIASES,
)

call = ALL.call

"""Names under which earlier systems asked one venue: a table a venue, each row a name with its arguments."""

from orderflow.tools.aliases import Alias
from orderflow.tools.venue_aliases import binance, bybit, deribit, gate, hyperliquid, kraken, okx

_TABLES = (
    binance.ALIASES,
    bybit.ALIASES,
    okx.ALIASES,
    kraken.ALIASES,
    gate.ALIASES,
    hyperliquid.ALIASES,
    deribit.ALIASES,
)
VENUE_ALIASES: dict[str, Alias] = {one.name: one for table in _TABLES for one in table}

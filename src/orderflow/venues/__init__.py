"""Venues: one form per venue with pure decoders. Bytes in, events out."""

from orderflow.venues.binance_futures import BINANCE_FUTURES
from orderflow.venues.binance_spot import BINANCE_SPOT
from orderflow.venues.bybit_futures import BYBIT_FUTURES
from orderflow.venues.bybit_options import BYBIT_OPTIONS
from orderflow.venues.bybit_spot import BYBIT_SPOT
from orderflow.venues.cme_futures import CME_FUTURES
from orderflow.venues.coinbase_spot import COINBASE_SPOT
from orderflow.venues.deribit import DERIBIT_FUTURES, DERIBIT_OPTIONS
from orderflow.venues.gate_delivery import GATE_DELIVERY
from orderflow.venues.gate_futures import GATE_FUTURES
from orderflow.venues.gate_options import GATE_OPTIONS
from orderflow.venues.hyperliquid_futures import HYPERLIQUID_FUTURES
from orderflow.venues.hyperliquid_spot import HYPERLIQUID_SPOT
from orderflow.venues.kraken_futures import KRAKEN_FUTURES
from orderflow.venues.kraken_spot import KRAKEN_SPOT
from orderflow.venues.okx_futures import OKX_FUTURES
from orderflow.venues.okx_options import OKX_OPTIONS
from orderflow.venues.pyth import PYTH
from orderflow.venues.spec import Venue

_LISTED: tuple[Venue, ...] = (
    BINANCE_FUTURES,
    BINANCE_SPOT,
    BYBIT_FUTURES,
    BYBIT_SPOT,
    OKX_FUTURES,
    KRAKEN_FUTURES,
    GATE_FUTURES,
    HYPERLIQUID_FUTURES,
    PYTH,
    DERIBIT_FUTURES,
    DERIBIT_OPTIONS,
    COINBASE_SPOT,
    CME_FUTURES,
    OKX_OPTIONS,
    BYBIT_OPTIONS,
    KRAKEN_SPOT,
    HYPERLIQUID_SPOT,
    GATE_DELIVERY,
    GATE_OPTIONS,
)

ALL: dict[str, Venue] = {one.name: one for one in _LISTED}

"""Protocols: the venues that the simulation speaks for. A new one is a file with its form and a row here."""

from orderflow.sim.binance_futures import BINANCE_FUTURES
from orderflow.sim.binance_spot import BINANCE_SPOT
from orderflow.sim.bybit_futures import BYBIT_FUTURES
from orderflow.sim.bybit_options import BYBIT_OPTIONS
from orderflow.sim.bybit_spot import BYBIT_SPOT
from orderflow.sim.cme_futures import CME_FUTURES
from orderflow.sim.coinbase_spot import COINBASE_SPOT
from orderflow.sim.deribit_futures import DERIBIT_FUTURES
from orderflow.sim.deribit_options import DERIBIT_OPTIONS
from orderflow.sim.gate_delivery import GATE_DELIVERY
from orderflow.sim.gate_futures import GATE_FUTURES
from orderflow.sim.gate_options import GATE_OPTIONS
from orderflow.sim.hyperliquid_futures import HYPERLIQUID_FUTURES
from orderflow.sim.hyperliquid_spot import HYPERLIQUID_SPOT
from orderflow.sim.kraken_futures import KRAKEN_FUTURES
from orderflow.sim.kraken_spot import KRAKEN_SPOT
from orderflow.sim.okx_futures import OKX_FUTURES
from orderflow.sim.okx_options import OKX_OPTIONS
from orderflow.sim.protocol import Form
from orderflow.sim.pyth import PYTH

_LISTED: tuple[Form, ...] = (
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

FORMS: dict[str, Form] = {form.name: form for form in _LISTED}

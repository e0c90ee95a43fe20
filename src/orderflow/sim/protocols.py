"""Protocols: the venues that the simulation speaks for. A new one is a file with its form and a row here."""

from orderflow.sim.binance_futures import BINANCE_FUTURES
from orderflow.sim.binance_spot import BINANCE_SPOT
from orderflow.sim.protocol import Form

FORMS: dict[str, Form] = {form.name: form for form in (BINANCE_FUTURES, BINANCE_SPOT)}

"""Sim: a simulated market that serves the venues' real protocols on loopback."""

from orderflow.sim.faults import Fault, Faults
from orderflow.sim.listings import SYMBOLS
from orderflow.sim.protocols import FORMS
from orderflow.sim.server import Simulation

__all__ = ["FORMS", "SYMBOLS", "Fault", "Faults", "Simulation"]

"""All simulated venues with a market that stands still, and tools that ask them: for figures beside their truth."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from fixed_market import FakeLatest

from orderflow import tools, venues
from orderflow.jobs.asking import Venues
from orderflow.sim import Simulation
from orderflow.sim.exchange import Exchange
from orderflow.sim.perpetual import Perpetual
from orderflow.tools.context import Context
from orderflow.tools.forms import structured
from orderflow.venues.spec import Hosts

T = TypeVar("T")


class StandingMarket:
    """A simulation in a loop of its own thread; tools are asked from the test's, as doors do."""

    def __init__(self, symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.simulation = Simulation(symbols, rate=200.0)
        self._run(self._begin())
        hosts = {
            name: Hosts(**self.simulation.hosts(name)) for name in venues.ALL if name in self.simulation.forms
        }
        self.asker = Venues(
            {name: venues.ALL[name] for name in hosts}, hosts=hosts, keys={"PYTH_API_KEY": "simulated"}
        )
        self.context = Context(
            latest=FakeLatest(), gaps=lambda *, since=None, until=None: [], health=dict, asker=self.asker
        )

    async def _begin(self) -> None:
        await self.simulation.start()
        await asyncio.sleep(0.5)
        assert self.simulation._pulse is not None
        self.simulation._pulse.cancel()

    def _run(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(30)

    # ── The truth ─────────────────────────────────────────────────────────────────────────────

    def exchange(self, venue: str, symbol: str = "BTCUSDT") -> Exchange:
        return self.simulation.markets[symbol].exchanges[venue]

    def perpetual(self, venue: str, symbol: str = "BTCUSDT") -> Perpetual:
        return self.simulation.markets[symbol].perpetuals[venue]

    def price(self, venue: str, ticks: int) -> float:
        return ticks * self.exchange(venue).listing.tick_size

    def size(self, venue: str, lots: int, price: float) -> float:
        """Return what lots are in base units; those of an inverse listing count quote."""
        listing = self.exchange(venue).listing
        return lots * listing.lot_size / (price if listing.inverse else 1)

    # ── The answers ───────────────────────────────────────────────────────────────────────────

    def ask(self, tool: str, venue: str, **arguments: Any) -> list[dict[str, Any]]:
        """Return the rows of one venue's answer; raises what the tool does."""
        answer = structured(tools.call(self.context, tool, {"venues": [venue], **arguments}))
        assert answer["meta"]["source"] == "simulated"
        return [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]

    def close(self) -> None:
        self.asker.close()
        self._run(self.simulation.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

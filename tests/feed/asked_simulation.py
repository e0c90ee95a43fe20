"""A simulated venue that stands still while it is asked, so that answers can be compared with its truth."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from orderflow import venues
from orderflow.feed.answering import Answering
from orderflow.feed.rest import Rest
from orderflow.market.events import Event
from orderflow.sim import Simulation
from orderflow.sim.exchange import Exchange
from orderflow.sim.listings import Wording
from orderflow.venues.questions import Asked
from orderflow.venues.spec import Hosts

E = TypeVar("E", bound=Event)


class Standing:
    """One venue of a simulation that has run for a moment and runs no more."""

    def __init__(self, simulation: Simulation, venue: str, answering: Answering) -> None:
        self.simulation, self.venue, self.answering = simulation, venue, answering

    def exchange(self, symbol: str = "BTCUSDT") -> Exchange:
        return self.simulation.markets[symbol].exchanges[self.venue]

    def words(self, symbol: str = "BTCUSDT") -> Wording:
        return Wording(self.exchange(symbol).listing)

    async def ask(self, question: str, kind: type[E], about: str | None = None, **more: Any) -> list[E]:
        """Return the events of one kind that answer; those of others are left out."""
        told = await self.answering.answer(Asked(question=question, about=about, **more))
        return [one for one in told.events if isinstance(one, kind)]


def standing(
    venue: str,
    story: Callable[[Standing], Awaitable[None]],
    symbols: Sequence[str] = ("BTCUSDT", "ETHUSDT"),
    *,
    key: str | None = None,
    form: Any = None,
) -> None:
    """Run a simulation of a venue for a moment, stop its market and tell a story over a real socket."""

    async def told() -> None:
        simulation = Simulation(symbols, venues=(venue,), rate=200.0)
        await simulation.start()
        asked = (form or venues.ALL[venue]).with_key(key)
        rest = Rest(asked, Hosts(**simulation.hosts(venue)))
        try:
            await asyncio.sleep(0.4)
            assert simulation._pulse is not None
            simulation._pulse.cancel()
            await story(Standing(simulation, venue, Answering(rest)))
        finally:
            await rest.close()
            await simulation.stop()

    asyncio.run(told())

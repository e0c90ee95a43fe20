"""A simulated venue heard through our own feed, decoder and pipeline, until a test has what it wants."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from orderflow import venues
from orderflow.feed.inbox import Inbox
from orderflow.feed.live import Feed, live
from orderflow.jobs.pipeline import Pipeline
from orderflow.market.events import Event, Gap, Instrument
from orderflow.market.streams import KEPT
from orderflow.sim import Simulation
from orderflow.store.live import Live
from orderflow.venues.spec import Hosts

PATIENCE_S = 30.0
E = TypeVar("E", bound=Event)


class Heard:
    """What the pipeline kept, by its kind; `feed` and `simulation` as they stand."""

    def __init__(self, venue: str, symbols: Sequence[str], simulation: Simulation, key: str | None) -> None:
        self.simulation = simulation
        self.inbox = Inbox()
        hosts = Hosts(**simulation.hosts(venue))
        self.feed = Feed(venues.ALL[venue], symbols, self.inbox, hosts=hosts, key=key)
        self.found: dict[type[Event], list[Any]] = defaultdict(list)
        self.gaps: list[Gap] = []
        self.pipeline = Pipeline(
            {venue: venues.ALL[venue]}, self, Live("simulated", symbols), want_snapshot=self._ask
        )

    def of(self, kind: type[E]) -> list[E]:
        return self.found[kind]

    def _ask(self, venue: str, symbol: str) -> None:
        self.feed.request_snapshot(symbol)

    def adders(self, venue: str) -> dict[type[Event], Callable[[Any], None]]:
        return {kind: self.found[kind].append for kind in (*KEPT, Instrument)}

    def gap(self, gap: Gap) -> None:
        self.gaps.append(gap)

    def no_gap(self, gap: Gap) -> None:
        self.gaps = [one for one in self.gaps if one.identity != gap.identity]


def hear(
    venue: str,
    symbols: Sequence[str],
    enough: Callable[[Heard], object],
    *,
    key: str | None = None,
    then: Callable[[Heard], Awaitable[None]] | None = None,
) -> Heard:
    """Listen until it is enough, and do `then` while the simulation still runs."""

    async def story() -> Heard:
        simulation = Simulation(tuple(symbols), venues=(venue,), rate=50.0)
        await simulation.start()
        heard = Heard(venue, symbols, simulation, key)

        async def take() -> None:
            async with aclosing(live([heard.feed])) as batches:
                async for batch in batches:
                    heard.pipeline.take(batch)
                    if enough(heard):
                        break
                if then is not None:
                    await then(heard)

        try:
            await asyncio.wait_for(take(), PATIENCE_S)
        finally:
            await simulation.stop()
        return heard

    return asyncio.run(story())

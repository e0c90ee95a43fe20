"""Control: what a running collector is told to do, checked first, and an answer that says what changed."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from orderflow import __version__
from orderflow.jobs.collect import Collector
from orderflow.jobs.tidy import Tidied
from orderflow.market.errors import InvalidArgument, UnsupportedByVenue
from orderflow.market.instruments import venue_id
from orderflow.market.streams import STREAMS
from orderflow.store import backup
from orderflow.store.backup import Made

LASTS = "lasts until the next start; the settings say what is collected then"


class Answer(msgspec.Struct, frozen=True):
    """What was done, a sentence each (none where all was so already), and how things stand now."""

    changed: list[str]
    state: dict[str, Any]
    hint: str = LASTS


class Control:
    """Starts and stops venues, and chooses symbols and streams, while the collector runs.

    Each raises a `Rejected` in one line for what cannot be done, and then nothing has changed.
    """

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._turn = asyncio.Lock()  # an order is carried out as a whole before the next one begins

    def state(self) -> dict[str, Any]:
        """Return what is collected, and which venues could be."""
        plan = self._collector.plan
        feeds = {feed.venue.name: feed.health for feed in self._collector.feeds}
        return {
            "venues": {
                name: {
                    "state": feeds[name].state if name in feeds else "idle",
                    "connections": [one.state for one in feeds[name].connections] if name in feeds else [],
                    "not_listed": feeds[name].refused if name in feeds else [],
                    "restarts": feeds[name].restarts if name in feeds else 0,
                    "error": feeds[name].error if name in feeds else "",
                }
                for name in plan.venues
            },
            "not_collected": [name for name in plan.known if name not in plan.venues],
            "symbols": list(plan.symbols),
            "streams": list(STREAMS) if plan.streams is None else list(plan.streams),
        }

    async def start(self, venue: str) -> Answer:
        name = self._known(venue)
        async with self._turn:
            await self._collector.start_venue(name)
        return self._answer([f"{name} started"])

    async def stop(self, venue: str) -> Answer:
        name = self._known(venue)
        async with self._turn:
            await self._collector.stop_venue(name)
        return self._answer([f"{name} stopped"])

    async def choose(self, symbols: Sequence[str] | None, streams: Sequence[str] | None) -> Answer:
        """Collect these symbols and streams on every venue; None leaves them as they are."""
        async with self._turn:
            return self._answer(await self._choose(symbols, streams))

    async def follow(
        self, venues: Sequence[str], symbols: Sequence[str], streams: Sequence[str] | None
    ) -> Answer:
        """Do what is different between what is collected and what settings ask for."""
        wanted = list(dict.fromkeys(self._known(one) for one in venues))
        async with self._turn:
            changed = await self._choose(symbols, list(STREAMS) if streams is None else streams)
            running = list(self._collector.plan.venues)
            for name in running:
                if name not in wanted:
                    await self._collector.stop_venue(name)
                    changed.append(f"{name} stopped")
            for name in wanted:
                if name not in running:
                    await self._collector.start_venue(name)
                    changed.append(f"{name} started")
        return self._answer(changed)

    async def tidy(self) -> Tidied:
        """Do a pass of tidying now, and return what it did."""
        return await self._collector.tidying.once()

    async def back_up(self, folder: str) -> Made:
        """Back the database up to a new folder, while collecting goes on; return what was made."""
        path = Path(folder)
        if not path.is_absolute():
            raise InvalidArgument(f"{folder!r} is no absolute path", hint="as in /backups/2026-11-21")
        connection = self._collector.connection
        return await self._collector.tidying.alone(
            lambda lock: backup.back_up(connection, path, version=__version__, lock=lock)
        )

    async def _choose(self, symbols: Sequence[str] | None, streams: Sequence[str] | None) -> list[str]:
        plan = self._collector.plan
        chosen = None if symbols is None else tuple(dict.fromkeys(one.upper() for one in symbols))
        if chosen == ():
            raise InvalidArgument("no symbols are left", hint="stop the venues instead")
        had = tuple(STREAMS) if plan.streams is None else plan.streams
        fed = None if streams is None else _streams(streams)
        new_symbols = None if chosen is None or set(chosen) == set(plan.symbols) else chosen
        new_streams = None if fed is None or set(fed) == set(had) else fed
        if new_symbols is None and new_streams is None:
            return []
        await self._collector.change(new_symbols, new_streams)
        return [
            *_difference("symbols", plan.symbols, new_symbols),
            *_difference("streams", had, new_streams),
        ]

    def _known(self, venue: str) -> str:
        """Return the id of a venue that can be collected here, from any of its names."""
        name, plan = venue_id(venue), self._collector.plan
        if plan.hosts and name not in plan.hosts:  # simulated and real data never share a database
            raise UnsupportedByVenue(f"{name} is not simulated", hint=f"simulated: {', '.join(plan.hosts)}")
        if name not in plan.known:
            raise UnsupportedByVenue(
                f"{name}: asked by tools, and without streams to collect",
                hint=f"collected: {', '.join(plan.known)}",
            )
        return name

    def _answer(self, changed: list[str]) -> Answer:
        return Answer(changed, self.state())


def _streams(asked: Sequence[str]) -> tuple[str, ...]:
    if list(asked) == ["all"]:
        return tuple(STREAMS)
    if unknown := [name for name in asked if name not in STREAMS]:
        raise InvalidArgument(
            f"no stream is called {unknown[0]!r}", hint=f"streams: all, {', '.join(STREAMS)}"
        )
    if not asked:
        raise InvalidArgument("no streams are left", hint="stop the venues instead, or say `all`")
    return tuple(dict.fromkeys(asked))


def _difference(what: str, before: Sequence[str], after: Sequence[str] | None) -> list[str]:
    if after is None:
        return []
    more = [one for one in after if one not in before]
    less = [one for one in before if one not in after]
    said = [f"{what} added: {', '.join(more)}"] if more else []
    return said + ([f"{what} left out: {', '.join(less)}"] if less else [])

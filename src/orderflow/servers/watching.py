"""Watching: live resources that somebody subscribed to are looked at, and whoever listens hears of a change.

A resource is read as often as its kind says, once a second at most, however many listen; it is read through the
caller, so that a process that asks a collector over HTTP watches as well. A listener that is slow is not waited for:
what changed twice since it last heard is told once.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any

from orderflow.market.errors import InvalidArgument, TooLarge
from orderflow.servers import resources
from orderflow.servers.callers import DEFECTS, Caller

log = logging.getLogger(__name__)

MOST_RESOURCES = 100  # of one listener
MOST_LISTENERS = 1_000  # of a process
MOST_WATCHED = 1_000  # different resources, of a process

_AT_ONCE = 2
_LONGEST_REST_S = 1.0


class Listener:
    """One client's ear: the resources that it wants to hear of, and those that changed since it last heard."""

    def __init__(self) -> None:
        self.uris: set[str] = set()
        self._changed: dict[str, None] = {}  # in the order of their first change
        self._wake = asyncio.Event()
        self._over = False

    def changed(self, uri: str) -> None:
        if uri in self.uris:
            self._changed[uri] = None
            self._wake.set()

    def end(self) -> None:
        self._over = True
        self._wake.set()

    async def heard(self) -> list[str] | None:
        """Return the resources that changed, as soon as there are any; None when there will be no more."""
        while True:
            found = [uri for uri in self._changed if uri in self.uris]
            self._changed.clear()
            if found:
                return found
            if self._over:
                return None
            self._wake.clear()
            await self._wake.wait()


class Watching:
    """Who listens to what in this process, and the tasks that look."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._listeners: set[Listener] = set()
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._closed = False

    def listen(self, uris: Iterable[str] = ()) -> Listener:
        """Return a new listener to these live resources.

        Raises `TooLarge` where there are too many of either, `InvalidArgument` where a resource is none that
        can be watched, or the process is leaving.
        """
        if self._closed:
            raise InvalidArgument("this server is leaving", hint="subscribe to the next one")
        if len(self._listeners) >= MOST_LISTENERS:
            raise TooLarge(
                f"{MOST_LISTENERS} subscriptions are open in this process",
                hint="end others, or come back later",
            )
        found = Listener()
        self._listeners.add(found)
        try:
            for uri in uris:
                self.add(found, uri)
        except (InvalidArgument, TooLarge):
            self.leave(found)
            raise
        return found

    def add(self, listener: Listener, uri: str) -> None:
        """Let a listener hear of one more resource; raise as `listen` does."""
        if uri in listener.uris:
            return
        if resources.live(uri) is None:
            raise InvalidArgument(
                f"{uri[:200]} cannot be subscribed to", hint="resources of the form live://BTCUSDT/prices can"
            )
        if len(listener.uris) >= MOST_RESOURCES:
            raise TooLarge(
                f"at most {MOST_RESOURCES} resources a session", hint="unsubscribe from others first"
            )
        if uri not in self._looking:
            if len(self._looking) >= MOST_WATCHED:
                raise TooLarge(
                    f"{MOST_WATCHED} resources are watched in this process", hint="come back later"
                )
            self._looking[uri] = asyncio.create_task(self._look(uri))
        listener.uris.add(uri)

    def remove(self, listener: Listener, uri: str) -> None:
        listener.uris.discard(uri)
        if not any(uri in one.uris for one in self._listeners):
            looking = self._looking.pop(uri, None)
            if looking is not None:
                looking.cancel()

    def leave(self, listener: Listener) -> None:
        """Forget a listener, and stop looking at what nobody else listens to."""
        listener.end()
        for uri in list(listener.uris):
            self.remove(listener, uri)
        self._listeners.discard(listener)

    def close(self) -> None:
        """Look no more, and let every listener hear the last changes and then that it is over."""
        self._closed = True
        for one in self._listeners:
            one.end()
        for looking in self._looking.values():
            looking.cancel()
        self._looking.clear()

    async def _look(self, uri: str) -> None:
        found = resources.live(uri)
        if found is None:
            return
        question, every_s = found
        before = None
        first = True
        while True:
            async with self._turns:
                begun = time.perf_counter()
                data = await self._data(question)
                took_s = time.perf_counter() - begun
                # so that looking takes half of a core at most, however much is watched
                await asyncio.sleep(min(took_s * (2 * _AT_ONCE - 1), _LONGEST_REST_S))
            if not first and data != before:
                for one in self._listeners:
                    one.changed(uri)
            first, before = False, data
            await asyncio.sleep(every_s)

    async def _data(self, question: resources.Question) -> Any:
        try:
            return resources.data_of(await self._caller.call(question.tool, question.arguments))
        except DEFECTS:  # whoever listens stays; the next look may succeed
            log.exception("%s could not be watched", question.tool)
            return None

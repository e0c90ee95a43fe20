"""Asking venues for tools: through the feeds that run, or else over connections of our own."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as LateError
from typing import TypeAlias

from orderflow.feed.answering import Answering
from orderflow.feed.feed import Feed
from orderflow.feed.rest import Rest
from orderflow.market.errors import OrderflowError, TimedOut, UnknownVenue, VenueUnavailable
from orderflow.venues.questions import Asked, Told
from orderflow.venues.spec import Hosts, Venue

TIMEOUT_S = 9.0  # of one venue: the others' answers do not wait longer for it
CLOSING_S = 2.0

Answers: TypeAlias = list[Told | OrderflowError]


class Venues:
    """Asks venues from any thread but that of its loop; failures are told beside the answers of the others.

    `feeds` are those that run in this process: their connections, their limits and what they have read of
    their venue's listing are used. Without a `loop` it has one of its own, in a thread, begun when it is first
    asked. `hosts` replaces the addresses of venues (the simulator's): those without one are not asked then.
    """

    def __init__(
        self,
        forms: Mapping[str, Venue],
        *,
        hosts: Mapping[str, Hosts] | None = None,
        keys: Mapping[str, str] | None = None,
        feeds: Callable[[], Sequence[Feed]] = lambda: (),
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.forms = {name: one for name, one in forms.items() if not hosts or name in hosts}
        self._hosts, self._keys, self._feeds = dict(hosts or {}), dict(keys or {}), feeds
        self._loop, self._thread = loop, None if loop is not None else _Loop()
        self._answering: dict[str, Answering] = {}

    def offered(self, question: str) -> list[str]:
        """Return the venues that answer a question."""
        return [name for name, one in self.forms.items() if one.asked(question)]

    def ask(self, asked: Sequence[tuple[str, Asked]], timeout_s: float = TIMEOUT_S) -> Answers:
        """Ask each venue its question, all at once; in the order of asking, an error where one failed."""
        if not asked:
            return []
        loop = self._loop if self._thread is None else self._thread.running()
        assert loop is not None  # noqa: S101 - one of both is there
        future = asyncio.run_coroutine_threadsafe(self._all(asked, timeout_s), loop)
        try:
            return future.result(timeout_s + CLOSING_S)
        except LateError:
            future.cancel()
            return [VenueUnavailable(f"{venue}: this process is too busy to ask") for venue, _ in asked]

    async def _all(self, asked: Sequence[tuple[str, Asked]], timeout_s: float) -> Answers:
        return list(await asyncio.gather(*(self._one(venue, one, timeout_s) for venue, one in asked)))

    async def _one(self, venue: str, asked: Asked, timeout_s: float) -> Told | OrderflowError:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._of(venue).answer(asked)
        except OrderflowError as error:
            return error
        except TimeoutError:
            return TimedOut(f"{venue}: no answer in {timeout_s:.0f} s")

    def _of(self, venue: str) -> Answering:
        """Return who answers for a venue: over its running feed, as long as that is the same one."""
        form = self.forms.get(venue)
        if form is None:
            raise UnknownVenue(f"{venue} is not asked here", hint=f"asked: {', '.join(self.forms)}")
        feed = next((one for one in self._feeds() if one.venue.name == venue and one.running), None)
        known = self._answering.get(venue)
        if known is not None and (feed is None or known.rest is feed.rest) and not known.rest.closed:
            return known
        if feed is not None:
            found = Answering(feed.rest, lambda: feed.memory)
        else:
            key = None if form.key is None else self._keys.get(form.key.setting)
            if form.lacks_key(key) and form.key is not None:
                raise VenueUnavailable(f"{venue}: {form.key.required}")
            found = Answering(Rest(form.with_key(key), self._hosts.get(venue)))
        self._answering[venue] = found
        return found

    async def aclose(self) -> None:
        """Close the connections that are its own."""
        lent = {id(one.rest) for one in self._feeds()}
        for one in self._answering.values():
            if id(one.rest) not in lent:
                await one.rest.close()

    def close(self) -> None:
        """Close them, and its own loop; from any thread but that loop's."""
        if self._thread is not None and self._thread.begun:
            asyncio.run_coroutine_threadsafe(self.aclose(), self._thread.running()).result(CLOSING_S)
            self._thread.end()


class _Loop:
    """An event loop in a thread of its own, begun when it is needed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beginning = threading.Lock()

    @property
    def begun(self) -> bool:
        return self._loop is not None

    def running(self) -> asyncio.AbstractEventLoop:
        with self._beginning:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="venues", daemon=True).start()
            return self._loop

    def end(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

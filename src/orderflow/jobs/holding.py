"""Holding: a machine's part of a lake. Each share is collected by a process of its own; free ones are taken over."""

import asyncio
import logging
import os
import random
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from orderflow.market.errors import StoreUnusable
from orderflow.store.shares import Shares

log = logging.getLogger(__name__)

Told = Callable[[dict[str, Any]], None]

LOOK_EVERY_S = 1.0
# Who has much waits longer: so shares spread over the machines that are there.
PATIENCE_S = 5.0  # for each share that is collected here already
REST_S = 5.0  # before a share whose process ended with an error is taken again
STOP_S = 90.0  # a collector writes what waits; what it cannot stays in its journal


def command(share: int, of: int, more: Sequence[str]) -> list[str]:
    """Return the command line of the collector of one share: it ends with its stdin."""
    asked = ("up", "--shard", f"{share}/{of}", "--child", "--port", "0", "--json")
    return [sys.executable, "-m", "orderflow", *asked, *more]


class _Child(msgspec.Struct):
    process: Process
    reading: "asyncio.Task[None]"


class Keeper:
    """Collects the shares of a lake that nobody else does, at most so many, until stopped."""

    def __init__(
        self,
        shares: Shares,
        state: Path,
        environment: Mapping[str, str],
        more: Sequence[str] = (),
        *,
        most: int | None = None,
    ) -> None:
        self._shares, self._state, self._more = shares, state, more
        self._environment = {**os.environ, **environment}
        self._most = shares.division.shares if most is None else most
        self._children: dict[int, _Child] = {}
        self._free_since: dict[int, float] = {}
        self._rests: dict[int, float] = {}

    async def run(self, stop: asyncio.Event, told: Told) -> None:
        """Look for free shares again and again; stop all when `stop` is set."""
        try:
            while not stop.is_set():
                await self._reap(told)
                try:
                    await self._look(told)
                except StoreUnusable as error:  # PostgreSQL is away: those that collect go on
                    log.warning("%s", error.message)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
        finally:
            await self._stop_all(told)

    async def _look(self, told: Told) -> None:
        """Take over a share that has been free for long enough."""
        now = time.monotonic()
        standing = await asyncio.to_thread(self._shares.standing)
        free = {one.share for one in standing if one.holder is None} - self._children.keys()
        self._free_since = {one: self._free_since.get(one, now) for one in free}
        if len(self._children) >= self._most:
            return
        patience = PATIENCE_S * len(self._children)
        due = [
            one
            for one, since in self._free_since.items()
            if now - since >= patience and now >= self._rests.get(one, 0)
        ]
        if due:
            left = [one for one in due if self._has_journal(one)]
            await self._begin(random.choice(left or due), told)  # noqa: S311 - so that two take different ones

    def _has_journal(self, share: int) -> bool:
        """Tell whether what was received of a share waits here: then it is best taken here."""
        folder = Path(f"{self._state}.share-{share}-of-{self._shares.division.shares}.journal")
        return any(folder.glob("*.journal"))

    async def _begin(self, share: int, told: Told) -> None:
        process = await asyncio.create_subprocess_exec(
            *command(share, self._shares.division.shares, self._more),
            env=self._environment, stdin=PIPE, stdout=PIPE,
        )  # fmt: skip
        self._children[share] = _Child(process, asyncio.ensure_future(self._read(process, told)))

    async def _read(self, process: Process, told: Told) -> None:
        """Pass on what a collector says when it is ready."""
        if process.stdout is None:
            return
        async for line in process.stdout:
            with suppress(msgspec.DecodeError):
                said = msgspec.json.decode(line, type=dict[str, Any])
                if said.get("ready"):
                    told({**said, "pid": process.pid})
                elif error := said.get("error"):
                    log.error("a collector of a share ended: %s", error.get("message"))

    async def _reap(self, told: Told) -> None:
        for share, child in list(self._children.items()):
            if child.process.returncode is not None:
                del self._children[share]
                await child.reading
                if code := child.process.returncode:
                    self._rests[share] = time.monotonic() + REST_S
                    why = f"signal {-code}" if code < 0 else f"exit code {code}"
                    told({"share": self._share(share), "why": f"its process ended with {why}"})

    def _share(self, number: int) -> dict[str, Any]:
        division = self._shares.division
        return {"number": number, "of": division.shares, division.by: list(division.of(number))}

    async def _stop_all(self, told: Told) -> None:
        for child in self._children.values():
            with suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGTERM)
        for child in self._children.values():
            try:
                await asyncio.wait_for(child.process.wait(), STOP_S)
            except TimeoutError:
                child.process.kill()
                await child.process.wait()
            await child.reading
        self._children.clear()

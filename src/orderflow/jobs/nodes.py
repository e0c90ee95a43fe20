"""Nodes: the shares of a lake placed on the machines of a Ray cluster; those of a node that dies come up on another.

Each share is an actor, spread over the nodes, that runs its collector as a process of its own. Ray begins
an actor again where there is room when its node has died; who really holds a share is decided by the lake
alone, so that neither Ray's opinion nor ours can make two collectors write one series.
"""

import asyncio
import logging
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from orderflow.jobs.holding import STOP_S, Told, command
from orderflow.market.errors import DoorUnavailable, StoreUnusable

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
REST_S = 2.0  # before a collector that ended is begun again: another may still hold its share
NAMESPACE = "orderflow"
ANSWERS_S = 5.0
_HOST_AND_PORT = re.compile(r"[^:/]+:\d+")
_EXTRA = "pip install 'crypto-orderflow[scale]' here and on every node"


class Collecting:
    """What an actor does on its node: it keeps the collector of one share running, as a process."""

    def __init__(self, share: int, of: int, environment: Mapping[str, str], more: Sequence[str]) -> None:
        self._command, self._environment = command(share, of, more), {**os.environ, **environment}
        self._over = threading.Event()
        self._told: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Run the collector, again and again where it ends, until `stop`."""
        while not self._over.is_set():
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            if self._process.stdout is not None:
                for line in self._process.stdout:
                    self._hear(line)
            self._process.wait()
            self._told = {}
            self._over.wait(REST_S)

    def _hear(self, line: bytes) -> None:
        with suppress(msgspec.DecodeError):
            said = msgspec.json.decode(line, type=dict[str, Any])
            if said.get("ready") and self._process is not None:
                self._told = {**said, "pid": self._process.pid}

    def told(self) -> dict[str, Any]:
        """Return what the collector said when it was ready; nothing where it is not."""
        return self._told

    def stop(self) -> None:
        """Let the collector write what waits, and end."""
        self._over.set()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()  # it ends with it
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)


class Nodes:
    """The actors of all shares on a cluster. Raises `DoorUnavailable` where no cluster answers at the address."""

    def __init__(
        self, address: str, of: int, environment: Mapping[str, str], more: Sequence[str] = ()
    ) -> None:
        self._ray = _connected(address)
        actor = self._ray.remote(Collecting).options(
            num_cpus=1, max_restarts=-1, max_task_retries=-1, max_concurrency=4, scheduling_strategy="SPREAD"
        )
        self._of = of
        self._actors = {
            share: actor.remote(share, of, dict(environment), list(more)) for share in range(1, of + 1)
        }
        self._runs = {share: one.run.remote() for share, one in self._actors.items()}
        self._ready: dict[int, dict[str, Any]] = {}

    async def run(self, stop: asyncio.Event, told: Told) -> None:
        """Tell of collectors that begin and end, until `stop`; then stop all of them."""
        try:
            while not stop.is_set():
                for said in await asyncio.to_thread(self._changes):
                    told(said)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
        finally:
            await asyncio.to_thread(self._close)

    def _changes(self) -> list[dict[str, Any]]:
        """Ask every actor how its collector is, and return what is different from before."""
        asked = {share: one.told.options(max_task_retries=0).remote() for share, one in self._actors.items()}
        self._ray.wait(list(asked.values()), num_returns=len(asked), timeout=LOOK_EVERY_S)
        found: list[dict[str, Any]] = []
        for share, answer in asked.items():
            now = self._answered(answer)
            before = self._ready.pop(share, None)
            if now:
                self._ready[share] = now
            if now and now.get("pid") != (before or {}).get("pid"):
                found.append(now)
            elif before and not now:
                found.append({"share": before["share"], "why": "its node or its process has ended"})
        return found

    def _answered(self, answer: Any) -> dict[str, Any]:
        try:
            return self._ray.get(answer, timeout=0.1)
        except (self._ray.exceptions.GetTimeoutError, self._ray.exceptions.RayActorError):
            return {}  # it is begun again elsewhere

    def _close(self) -> None:
        stopping = [one.stop.remote() for one in self._actors.values()]
        self._ray.wait(stopping, num_returns=len(stopping), timeout=STOP_S)
        for one in self._actors.values():
            self._ray.kill(one)
        self._ray.shutdown()


def _connected(address: str) -> Any:
    """Return Ray, connected to a cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise StoreUnusable("Ray is not installed here", hint=_EXTRA) from error
    began = time.monotonic()
    try:
        if _HOST_AND_PORT.fullmatch(address):  # Ray itself would wait for minutes
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), timeout=ANSWERS_S).close()
        ray.init(
            address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.WARNING,
            configure_logging=False,
        )  # fmt: skip
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        said = " ".join(str(error).split())[:200]
        raise DoorUnavailable(
            f"no Ray cluster answers at {address}: {said}", hint="`ray start --head` begins one"
        ) from error
    log.info("connected to Ray in %.1f s", time.monotonic() - began)
    return ray

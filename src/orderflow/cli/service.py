"""As a service: what systemd is told of us, and settings that are read again on SIGHUP."""

import asyncio
import logging
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

from orderflow.cli.surroundings import chosen_forms, chosen_settings, log_to_stderr
from orderflow.market.errors import OrderflowError

if TYPE_CHECKING:
    from orderflow.jobs.collect import Collector
    from orderflow.jobs.control import Control
    from orderflow.settings import Settings

log = logging.getLogger(__name__)

# Settings that a running collector takes up; the others wait for the next start.
FOLLOWED = ("venues", "symbols", "streams", "flush_interval", "log_level")


class Manager:
    """systemd, where it started us and wants to know (`Type=notify`): a datagram of lines, else nothing."""

    def __init__(self) -> None:
        from orderflow.settings import service_manager

        self._address, self._every_s = service_manager()

    def tell(self, lines: str) -> None:
        if self._address is None:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
                one.setblocking(False)
                one.connect(address)
                one.send(lines.encode())
        except OSError as error:
            log.warning("systemd cannot be told %s: %s", lines.partition("=")[0], error)

    async def keep_alive(self) -> None:
        """Tell again and again that the loop turns, where that is watched: a hung one is started anew."""
        while self._every_s is not None:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self._every_s / 3)

    async def wait_for(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.tell("STOPPING=1")


class Following:
    """Does what settings say that were changed while the collector runs; flags go on winning over them."""

    def __init__(
        self,
        collector: "Collector",
        control: "Control",
        manager: Manager,
        chosen: "Settings",
        flags: dict[str, Any],
    ) -> None:
        self._collector, self._control, self._manager = collector, control, manager
        self._chosen, self._flags = chosen, flags
        self._turn = asyncio.Lock()
        self._reading: set[asyncio.Task[None]] = set()

    def on_hangup(self) -> None:
        """Read the settings again on each SIGHUP."""

        def told() -> None:
            task = asyncio.ensure_future(self.read_again())
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, told)

    async def read_again(self) -> None:
        """Apply what is different; settings that cannot be are one line in the log, and change nothing."""
        async with self._turn:
            self._manager.tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                chosen = chosen_settings(**self._flags)
                names = self._wanted(chosen)
                plan = self._collector.plan
                symbols = (
                    chosen.symbols if plan.lease is None else plan.symbols
                )  # a share's stay until the next start
                answer = await self._control.follow(names, symbols, chosen.streams or None)
            except OrderflowError as error:
                why = error.message + (f" ({error.hint})" if error.hint else "")
                log.error("the settings were read again and not taken up: %s", why)  # noqa: TRY400 - one line
                return
            finally:
                self._manager.tell("READY=1")
            self._take_up(chosen, answer.changed)

    def _wanted(self, chosen: "Settings") -> list[str]:
        plan = self._collector.plan
        return [
            name
            for name in chosen_forms(chosen)
            if (chosen.venues or not plan.hosts or name in plan.hosts)
            and (plan.lease is None or name in plan.known)
        ]

    def _take_up(self, chosen: "Settings", changed: list[str]) -> None:
        before, self._chosen = self._chosen, chosen
        if chosen.flush_interval != before.flush_interval:
            self._collector.set_flush_interval(chosen.flush_interval)
            changed = [*changed, f"flush_interval {chosen.flush_interval:g} s"]
        if chosen.log_level != before.log_level:
            log_to_stderr(chosen.log_level)
            changed = [*changed, f"log_level {chosen.log_level}"]
        log.warning("the settings were read again: %s", "; ".join(changed) or "nothing has changed")
        later = [
            name
            for name in type(chosen).model_fields
            if name not in FOLLOWED and getattr(chosen, name) != getattr(before, name)
        ]
        if later:
            log.warning("taken up at the next start: %s", ", ".join(later))

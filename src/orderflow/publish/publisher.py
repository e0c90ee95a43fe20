"""The publisher: the collector's side of publishing. It keeps the outbox and a process that sends from it."""

import asyncio
import logging
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from orderflow.publish.outbox import Outbox
from orderflow.publish.plan import Publishing, shown
from orderflow.publish.talk import FINISH, FINISH_S, Orders, Report

log = logging.getLogger(__name__)

AGAIN_S = 1.0  # the first pause before a sender that has died is started again
AGAIN_MOST_S = 60.0
END_S = 5.0  # beyond FINISH_S, for a sender to close its connection


class Publisher:
    """Keeps rows as messages until the broker has them; a process of its own talks to the broker.

    `outbox` is what the writer of the store gives its rows to. `committed` is the number of the
    outbox's last block that the database knows of. Nothing here waits for the broker, save `close`,
    and that not for long.
    """

    def __init__(
        self,
        plan: Publishing,
        folder: Path,
        *,
        committed: int | None,
        command: Sequence[str] = (),
    ) -> None:
        self.plan = plan
        self.outbox = Outbox(folder, streams=plan.streams, committed=committed)
        self.report = Report(confirmed=self.outbox.confirmed)
        self.starts = 0
        self._command = command or (sys.executable, "-m", "orderflow.publish", str(folder))
        self.sender: Process | None = None
        self._told = self.outbox.end
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    # ── While it collects ─────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Start sending; what an earlier run left goes first."""
        if self.outbox.waiting:
            log.info("publishing: %d messages of an earlier run wait", self.outbox.waiting)
        self._task = asyncio.create_task(self._send_again_and_again())

    def tell(self) -> None:
        """Let the sender have what the store has committed."""
        if self._told != self.outbox.end and self._say(b"%d\n" % self.outbox.end):
            self._told = self.outbox.end

    def _say(self, line: bytes) -> bool:
        """Say a line to the sender; never waits, and what a dead one misses the next is told at its start."""
        pipe = None if self.sender is None else self.sender.stdin
        if pipe is None or pipe.is_closing():
            return False
        pipe.write(line)
        return True

    async def _send_again_and_again(self) -> None:
        pause = AGAIN_S
        while not self._closing:
            began = time.monotonic()
            try:
                ended = f"ended with {await self._one_sender()}"
            except (OSError, msgspec.MsgspecError) as error:
                ended = f"cannot be used: {error}"
            if self._closing:
                return
            self.report.state, self.report.error = "away", f"the process that sends {ended}"
            log.error("publishing: %s; another is started in %.0f s", self.report.error, pause)
            await asyncio.sleep(pause)
            pause = AGAIN_S if time.monotonic() - began > AGAIN_MOST_S else min(pause * 2, AGAIN_MOST_S)

    async def _one_sender(self) -> int:
        """Start a sender, hear it until it ends, and return its exit code."""
        process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        self.sender = process
        self.starts += 1
        self._told = self.outbox.end
        orders = Orders(self.plan.url, self.plan.exchange, self.outbox.confirmed, self._told)
        self._say(msgspec.json.encode(orders) + b"\n")
        if self._closing:
            self._say(FINISH)
        said = process.stdout
        try:
            while said is not None and (line := await said.readline()):
                self._heard(msgspec.json.decode(line, type=Report))
            return await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _heard(self, report: Report) -> None:
        before, self.report = self.report, report
        self.outbox.settle(report.confirmed)
        if report.state == "connected" and before.state != "connected":
            log.info("publishing to %s, exchange %s", shown(self.plan.url), self.plan.exchange)
        elif report.state == "away" and (before.state, before.error) != (report.state, report.error):
            log.warning("publishing: %s does not take messages: %s", shown(self.plan.url), report.error)

    # ── Ending ────────────────────────────────────────────────────────────────────────────────

    async def close(self) -> None:
        """Give the sender a few seconds for what is left; the rest waits on disk for the next start."""
        self._closing = True
        if self._task is not None:
            self.tell()
            self._say(FINISH)
            done, _ = await asyncio.wait([self._task], timeout=FINISH_S + END_S)
            if not done:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)
            else:
                self._task.result()
        self.outbox.close()
        if self.outbox.waiting:
            log.warning("publishing: %d messages wait on disk for the next start", self.outbox.waiting)

    # ── Health ────────────────────────────────────────────────────────────────────────────────

    @property
    def problem(self) -> str:
        """Say in one line why messages do not leave; nothing where they do."""
        if self.report.state == "connected":
            return ""
        return f"publishing: {self.report.error or self.report.state}, {self.outbox.waiting} messages wait"

    def health(self) -> dict[str, Any]:
        outbox, report = self.outbox, self.report
        return {
            "state": report.state,
            "broker": shown(self.plan.url),
            "exchange": self.plan.exchange,
            "confirmed": outbox.confirmed_here,
            "waiting": outbox.waiting,
            "waiting_bytes": outbox.waiting_bytes,
            "under_way": report.under_way,
            "sent_again": report.sent_again,
            "connections": report.connections,
            "sender_starts": self.starts,
            "keys_without_a_queue": report.unrouted,
            "some_of_them": report.some_unrouted,
            "last_error": report.error or None,
        }

"""The sender: a process that reads the outbox and has the broker confirm each message, in order.

`talk` has what it is told and what it answers. Where its orders end without a word, its collector is
dead, and it ends at once.

So many messages are under way at once; the broker takes them in the order in which they are sent over
one channel. When anything goes wrong with one of them, the connection is given up and all goes on from
the first that was not confirmed: the broker may get a message twice, and never one before another.
"""

import asyncio
import logging
import random
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

import aio_pika
import aio_pika.exceptions
import msgspec
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage

from orderflow.publish.outbox import Numbered, Sending, Tail
from orderflow.publish.plan import without_password
from orderflow.publish.talk import FINISH, FINISH_S, Orders, Report

VERSION = 1  # of the form of a message; grows when a consumer would have to change
WINDOW = 1_000  # messages under way at once: enough for a broker 100 ms away to be kept busy
STALL_S = 30.0  # without any confirmation for so long, the connection is given up
HEARTBEAT_S = 10
CONNECT_S = 10.0
CLOSE_S = 2.0
PATIENCE_S = 10.0  # the longest pause between two attempts
REPORT_S = 0.5
SHOWN_KEYS = 5
PROBE_S = 60.0  # how often a key is asked whether any queue is bound for it


class Sender:
    """Sends what the outbox holds, from the first unconfirmed message on, for as long as it is asked to."""

    def __init__(self, folder: Path, orders: Orders) -> None:
        self._folder, self._orders = folder, orders
        self._end = orders.end
        self._right = Sending(folder)
        self._right.mark(orders.start)
        self.report = Report(confirmed=orders.start)
        self._highest = orders.start  # beyond the highest number that was ever sent
        self._probed: dict[str, float] = {}
        self._unrouted: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._deadline: float | None = None

    # ── What the collector says ───────────────────────────────────────────────────────────────

    def heard(self, line: bytes) -> None:
        if line == FINISH:
            self._deadline = time.monotonic() + FINISH_S
        else:
            self._end = int(line)
        self._wake.set()

    def said(self) -> bytes:
        """Return the report as it goes to the collector."""
        self.report.unrouted, self.report.some_unrouted = (
            len(self._unrouted),
            list(self._unrouted)[:SHOWN_KEYS],
        )
        return msgspec.json.encode(self.report)

    @property
    def _finished(self) -> bool:
        """Whether it was asked to end, and has nothing left that it could send in time."""
        if self._deadline is None:
            return False
        away = self.report.state == "away"
        return away or self.report.confirmed >= self._end or time.monotonic() > self._deadline

    # ── Sending ───────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Send until asked to finish; whatever the broker does is a reason to try again."""
        pauses = _pauses()
        while not self._finished:
            before = self.report.confirmed
            if problem := await self._tried():
                said = without_password(problem, self._orders.url)
                self.report.state, self.report.error = "away", said[:300]
            if self.report.confirmed > before:
                pauses = _pauses()
            if not self._finished:
                await self._rest(next(pauses))
        self._right.close()

    async def _tried(self) -> str:
        """Connect and send; return what ended it, or nothing where we did.

        A task of its own, since a connection that is lost cancels whoever waits for it, and the library
        says no more of some losses than `Exception`.
        """
        session = asyncio.create_task(self._session())
        try:
            await asyncio.wait([session])
        finally:
            session.cancel()
        error = None if session.cancelled() else session.exception()
        if session.cancelled() or type(error) is Exception:
            return "the connection was lost"
        if error is None:
            return ""
        if isinstance(error, aio_pika.exceptions.CONNECTION_EXCEPTIONS):
            return " ".join(str(error).split()) or type(error).__name__
        raise error

    async def _rest(self, pause: float) -> None:
        end = time.monotonic() + pause
        while not self._finished and (left := end - time.monotonic()) > 0:
            self._wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), left)

    async def _session(self) -> None:
        """Connect and send for as long as the connection holds."""
        if self.report.state != "away":
            self.report.state = "connecting"
        connection = await aio_pika.connect(_with_heartbeat(self._orders.url), timeout=CONNECT_S)
        try:
            async with asyncio.timeout(CONNECT_S):
                channel = await connection.channel(on_return_raises=False)
                exchange = await channel.declare_exchange(
                    self._orders.exchange, aio_pika.ExchangeType.TOPIC, durable=True
                )
            channel.return_callbacks.add(self._returned)
            lost = asyncio.Event()
            for one in (connection, channel):
                one.close_callbacks.add(lambda *_: lost.set())
            self.report.state = "connected"
            self.report.connections += 1
            self._probed.clear()
            await self._pass_on(exchange, lost)
        finally:
            with suppress(TimeoutError):
                await asyncio.wait_for(connection.close(), CLOSE_S)

    async def _pass_on(self, exchange: AbstractExchange, lost: asyncio.Event) -> None:
        tail = Tail(self._folder, self.report.confirmed)
        read: deque[Numbered] = deque()
        under_way: deque[tuple[Numbered, asyncio.Task[None]]] = deque()
        try:
            while not self._finished:
                self._wake.clear()
                while len(under_way) < WINDOW:
                    if not read:
                        read.extend(tail.more(self._end))
                    if not read:
                        break
                    one = read.popleft()
                    # Tasks begin in the order in which they are made, and queue for the channel in it.
                    under_way.append((one, asyncio.create_task(self._send(exchange, one))))
                self.report.under_way = len(under_way)
                if not under_way:
                    await self._idle(lost)
                    continue
                await asyncio.wait([under_way[0][1]], timeout=STALL_S)
                if not under_way[0][1].done():
                    raise TimeoutError(f"the broker has confirmed nothing for {STALL_S:.0f} s")
                while under_way and under_way[0][1].done():
                    one, task = under_way.popleft()
                    task.result()  # raises where the broker did not take it
                    self.report.confirmed = one.number + 1
                self._right.mark(self.report.confirmed)
                self.report.under_way = len(under_way)
        finally:
            self.report.under_way = 0
            self._right.mark(self.report.confirmed)
            tail.close()
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)

    async def _idle(self, lost: asyncio.Event) -> None:
        """Wait for more to send; a connection that was lost meanwhile is no longer one."""
        if lost.is_set():
            raise ConnectionError("the broker closed the connection")
        waits = [asyncio.ensure_future(one.wait()) for one in (self._wake, lost)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()

    async def _send(self, exchange: AbstractExchange, one: Numbered) -> None:
        key, message = one.message.key, one.message
        stream, venue, _ = key.split(".", 2)
        self.report.sent_again += one.number < self._highest
        self._highest = max(self._highest, one.number + 1)
        now = time.monotonic()
        probe = now - self._probed.get(key, -PROBE_S) >= PROBE_S
        about = {"source": message.source, "venue": venue, "stream": stream, "version": VERSION}
        made = aio_pika.Message(
            message.body.encode(),
            headers=about,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=message.id,
            timestamp=datetime.fromtimestamp(message.seconds, UTC),
        )
        if probe:
            self._probed[key] = now
            self._unrouted.pop(key, None)  # unless it comes back again
        await exchange.publish(made, key, mandatory=probe)

    def _returned(self, _: object, message: AbstractIncomingMessage) -> None:
        if message.routing_key:
            self._unrouted[message.routing_key] = None


def _pauses() -> Iterator[float]:
    """Yield the pauses between attempts: half a second, then twice as long each time, give or take a quarter."""
    pause = 0.5
    while True:
        yield pause * random.uniform(0.75, 1.25)  # noqa: S311 - so that many collectors do not knock at once
        pause = min(pause * 2, PATIENCE_S)


def _with_heartbeat(url: str) -> str:
    """Return the address with our heartbeat, unless it names one."""
    parts = urlsplit(url)
    if "heartbeat=" in parts.query:
        return url
    query = "&".join(one for one in (parts.query, urlencode({"heartbeat": HEARTBEAT_S})) if one)
    return urlunsplit(parts._replace(query=query))


# ── The process ───────────────────────────────────────────────────────────────────────────────


async def work(folder: Path) -> None:
    """Be the sender of an outbox until the collector says that it is enough, or is gone."""
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, lambda: None)  # they are for the collector, which then says `finish`
    for chatty in ("aiormq", "aio_pika"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)  # the report says it, once
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    orders = await lines.readline()
    if not orders:
        return
    sender = Sender(folder, msgspec.json.decode(orders, type=Orders))
    tasks = [
        asyncio.create_task(sender.run()),
        asyncio.create_task(_listen(lines, sender)),
        asyncio.create_task(_tell_again_and_again(sender)),
    ]
    done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    _tell(sender)
    for task in left:
        task.cancel()
    for task in done:
        task.result()


async def _listen(lines: asyncio.StreamReader, sender: Sender) -> None:
    while line := await lines.readline():
        sender.heard(line)


async def _tell_again_and_again(sender: Sender) -> None:
    said = b""
    while True:
        if (text := sender.said()) != said:
            said = text
            _tell(sender)
        await asyncio.sleep(REPORT_S)


def _tell(sender: Sender) -> None:
    sys.stdout.buffer.write(sender.said() + b"\n")
    sys.stdout.buffer.flush()

"""The broker of the tests, a queue to listen at, and a wire to the broker that can be cut or held."""

import asyncio
import json
import os
import socket
import threading
import uuid
from collections.abc import Coroutine, Iterable
from typing import Any, NamedTuple, TypeVar

import aio_pika
import pytest

HOST, PORT = "127.0.0.1", 5672
URL = f"amqp://guest:guest@{HOST}:{PORT}/"

T = TypeVar("T")


def required() -> None:
    """Skip where no broker runs on this machine; fail where everything is to be tried."""
    try:
        socket.create_connection((HOST, PORT), timeout=5).close()
    except OSError as error:
        said = f"no RabbitMQ at {HOST}:{PORT}: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)


class Heard(NamedTuple):
    """A message as a consumer gets it."""

    key: str
    id: str
    body: dict[str, Any]
    message: aio_pika.abc.AbstractIncomingMessage


class _Thread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _end(self) -> None:
        self._do(_last_words())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _last_words() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class Listener(_Thread):
    """An exchange of its own and a queue bound to it, which takes what comes, in the order in which it comes."""

    def __init__(self, *bindings: str) -> None:
        super().__init__()
        self.exchange = f"orderflow-test-{uuid.uuid4().hex}"
        self.heard: list[Heard] = []
        self._do(self._listen(bindings or ("#",)))

    async def _listen(self, bindings: Iterable[str]) -> None:
        self._connection = await aio_pika.connect(URL)
        channel = await self._connection.channel()
        self._exchange = await channel.declare_exchange(
            self.exchange, aio_pika.ExchangeType.TOPIC, durable=True
        )
        queue = await channel.declare_queue(exclusive=True)
        for binding in bindings:
            await queue.bind(self._exchange, binding)
        await queue.consume(self._take, no_ack=True)

    async def _take(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        assert message.routing_key and message.message_id
        self.heard.append(Heard(message.routing_key, message.message_id, json.loads(message.body), message))

    def once(self) -> dict[str, list[Heard]]:
        """Return the messages by key, without the doubles, in the order in which each came first."""
        found: dict[str, dict[str, Heard]] = {}
        for one in list(self.heard):
            found.setdefault(one.key, {}).setdefault(one.id, one)
        return {key: list(messages.values()) for key, messages in found.items()}

    def close(self) -> None:
        self._do(self._exchange.delete(if_unused=False))
        self._do(self._connection.close())
        self._end()


class Wire(_Thread):
    """A port in front of the broker, or of what listens at another one. `cut` breaks every connection and refuses others, `hold` stops every byte."""

    def __init__(self, to: int = PORT) -> None:
        super().__init__()
        self._to = to
        self.port = 0
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._open: set[asyncio.StreamWriter] = set()
        self.restore()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{HOST}:{self.port}/"

    def cut(self) -> None:
        self._do(self._cut())

    def restore(self) -> None:
        self._do(self._restore())

    def hold(self) -> None:
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self._flowing.set)

    def close(self) -> None:
        self.release()
        self.cut()
        self._end()

    async def _restore(self) -> None:
        self._server = await asyncio.start_server(self._join, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for one in self._open:
            one.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, self._to)
        self._open |= {writer, back}
        try:
            await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
        finally:
            self._open -= {writer, back}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

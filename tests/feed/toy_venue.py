"""A toy venue on loopback: Binance's forms with short times, a WebSocket server and a scripted REST."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
from picows import WSListener, WSMsgType, WSTransport, ws_create_server

from orderflow.feed.frames import NOTE, Frame, Note
from orderflow.feed.live import Feed, Inbox, live
from orderflow.venues import ALL
from orderflow.venues.spec import Hosts, Venue

PADDING = "0" * 100  # makes toy data as long as real data: longer than any answer


def toy(
    name: str = "binance_spot", *, polls: tuple = (), channels: tuple[str, ...] = ("trades",), **limits: Any
) -> Venue:
    """Return a form with other limits, of the named channels only."""
    venue = ALL[name]
    quick: dict[str, Any] = {"messages_per_s": 1000.0, "connects_per_minute": 1000.0, "ack_timeout_s": 5.0}
    return msgspec.structs.replace(
        venue,
        limits=msgspec.structs.replace(venue.limits, **(quick | limits)),
        channels=tuple(one for one in venue.channels if one.name in channels),
        polls=polls,
    )


def patient(venue: Venue, silent_after_s: float | None) -> Venue:
    """Return the form with another patience for silence on all channels."""
    channels = tuple(msgspec.structs.replace(one, silent_after_s=silent_after_s) for one in venue.channels)
    return msgspec.structs.replace(venue, channels=channels)


def trade(symbol: str, id: int) -> bytes:
    """Return a combined aggTrade frame as Binance spot sends it."""
    data = {"e": "aggTrade", "E": 1, "s": symbol, "a": id, "p": "1.0", "q": "2.0", "f": id, "l": id}
    data |= {"T": 1_700_000_000_000 + id, "m": False, "M": True, "padding": PADDING}
    return json.dumps({"stream": f"{symbol.lower()}@aggTrade", "data": data}, separators=(",", ":")).encode()


SHUTDOWN = b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}'


class ToySocket(WSListener):
    """One client's connection, seen from the server."""

    def __init__(self, server: "ToyServer", path: str) -> None:
        self.server, self.path = server, path
        self.requests: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.pongs: list[bytes] = []
        self.closed = asyncio.Event()
        self.transport: WSTransport

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.server.sockets.append(self)
        self.server.changed.set()

    def on_ws_frame(self, transport: WSTransport, frame: Any) -> None:
        if frame.msg_type is WSMsgType.PONG:
            self.pongs.append(frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type is WSMsgType.TEXT:
            request = json.loads(frame.get_payload_as_bytes())
            self.requests.append(request)
            self.times.append(time.monotonic())
            self.server.script(self, request)
        self.server.changed.set()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.closed.set()
        self.server.changed.set()

    def say(self, payload: bytes) -> None:
        if not self.transport.is_disconnected:
            self.transport.send(WSMsgType.TEXT, payload)

    def ack(self, request: dict[str, Any]) -> None:
        self.say(json.dumps({"result": None, "id": request["id"]}).encode())

    def drop(self) -> None:
        self.transport.disconnect(graceful=False)

    @property
    def names(self) -> list[str]:
        return [name for request in self.requests for name in request["params"]]


Script = Callable[[ToySocket, dict[str, Any]], None]


class ToyServer:
    """Acknowledges every request, unless its `script` says otherwise."""

    def __init__(self, script: Script = ToySocket.ack) -> None:
        self.script = script
        self.sockets: list[ToySocket] = []
        self.changed = asyncio.Event()
        self.port = 0

    @property
    def hosts(self) -> Hosts:
        base = f"ws://127.0.0.1:{self.port}"
        return Hosts("http://toy", {"public": f"{base}/public/stream", "market": f"{base}/market/stream"})

    async def until(self, said: Callable[[], Any]) -> None:
        while not said():
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 60)


@asynccontextmanager
async def toy_server(script: Script = ToySocket.ack):
    server = ToyServer(script)
    listening = await ws_create_server(
        lambda request: ToySocket(server, request.path.decode()), "127.0.0.1", 0
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        for one in server.sockets:
            one.transport.disconnect(graceful=False)
        listening.close()


def listing(*symbols: str) -> dict[str, Any]:
    listed = [
        {
            "symbol": one,
            "baseAsset": one[:-4],
            "quoteAsset": "USDT",
            "status": "TRADING",
            "contractType": "PERPETUAL",
        }
        for one in symbols
    ]
    return {"serverTime": 1_700_000_000_000, "symbols": listed}


def rest(**answers: Any) -> httpx.MockTransport:
    """Answer by the last part of the path; what is not scripted is 503."""

    def handle(request: httpx.Request) -> httpx.Response:
        said = answers.get(request.url.path.rsplit("/", 1)[-1])
        if said is None:
            return httpx.Response(503)
        said = said(request) if callable(said) else said
        return said if isinstance(said, httpx.Response) else httpx.Response(200, json=said)

    return httpx.MockTransport(handle)


class Gathered:
    """What an inbox gave, sorted into notes and the rest."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.changed = asyncio.Event()

    def take(self, batch: list[Frame]) -> None:
        self.frames += batch
        self.changed.set()

    @property
    def notes(self) -> list[Note]:
        return [NOTE.decode(one.payload) for one in self.frames if one.kind == "note"]

    def kinds(self) -> list[str]:
        return [one.kind for one in self.notes]

    def data(self) -> list[bytes]:
        return [one.payload for one in self.frames if one.kind == "ws" and PADDING.encode() in one.payload]

    def of(self, kind: str) -> list[Frame]:
        return [one for one in self.frames if one.kind == kind]

    async def until(self, said: Callable[["Gathered"], Any]) -> None:
        while not said(self):
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 60)


@asynccontextmanager
async def gathering(batches: Any):
    """Read batches in a task; the reader ends with the block."""
    found = Gathered()

    async def read() -> None:
        async for batch in batches:
            found.take(batch)

    reading = asyncio.create_task(read())
    try:
        yield found
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await batches.aclose()


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 20))  # type: ignore[arg-type]


class FastWorld:
    """Time that runs fifty times as fast, and a record of the waits that were asked for."""

    SPEED = 50

    def __init__(self) -> None:
        self._began = time.time_ns()
        self.slept: list[float] = []

    def clock(self) -> int:
        return self._began + (time.time_ns() - self._began) * self.SPEED

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(seconds / self.SPEED)


SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT"]
TIME = {"serverTime": 1_700_000_000_000}


def feed_of(venue: Venue, server: ToyServer, symbols: list[str], world: FastWorld, **more: Any) -> Feed:
    answers = {"exchangeInfo": listing(*SYMBOLS), "time": TIME} | more.pop("answers", {})
    settings: dict[str, Any] = {"random": lambda: 1.0, "tick_s": 0.5, "transport": rest(**answers)}
    settings |= {"clock": world.clock, "sleep": world.sleep} | more
    inbox = settings.pop("inbox", None) or Inbox()
    return Feed(venue, symbols, inbox, hosts=server.hosts, **settings)


@asynccontextmanager
async def listened(venue: Venue, symbols: list[str], script: Any = ToySocket.ack, **more: Any):
    """Run a feed against a toy server; give server, feed, world and what the inbox gave."""
    world = FastWorld()
    async with toy_server(script) as server:
        feed = feed_of(venue, server, symbols, world, **more)
        async with gathering(live([feed])) as found:
            yield server, feed, world, found


def of(found: Gathered, kind: str) -> list[tuple[list[tuple[str, str]], str]]:
    return [(one.series, one.reason) for one in found.notes if one.kind == kind]

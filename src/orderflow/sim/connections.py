"""Connections: clients' sockets, who listens to what, and frames written in bulk to each of them."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from orderflow.sim.happenings import Millis
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form, Frame, Limits

_TEXT, _CLOSE, _PING = 0x81, 0x88, 0x89


def clock_ms() -> Millis:
    return time.time_ns() // 1_000_000


# ── On the wire ───────────────────────────────────────────────────────────────────────────────


def framed(payload: bytes, head: int = _TEXT) -> bytes:
    """A whole, unmasked WebSocket frame, as servers send it."""
    size = len(payload)
    if size < 126:
        return bytes((head, size)) + payload
    if size < 65_536:
        return bytes((head, 126)) + size.to_bytes(2, "big") + payload
    return bytes((head, 127)) + size.to_bytes(8, "big") + payload


def _chunk(text: bytes) -> bytes:
    """A chunk of an HTTP body whose length is not known."""
    return b"%x\r\n%b\r\n" % (len(text), text)


def _event(payload: bytes) -> bytes:
    return _chunk(b"data:" + payload + b"\n\n")


def _close(code: int | None, reason: str) -> bytes:
    return b"" if code is None else framed(code.to_bytes(2, "big") + reason.encode(), _CLOSE)


class Wire(msgspec.Struct, frozen=True):
    """How a payload, a ping and the end look on a kind of connection; `answered`: pings want a pong."""

    frame: Callable[[bytes], bytes]
    ping: Callable[[Millis], bytes]
    end: Callable[[int | None, str], bytes]
    answered: bool


SOCKET = Wire(framed, lambda now_ms: framed(str(now_ms).encode(), _PING), _close, True)
EVENTS = Wire(_event, lambda now_ms: _chunk(b":\n\n"), lambda code, reason: b"0\r\n\r\n", False)


# ── Clients ───────────────────────────────────────────────────────────────────────────────────


class Connection:
    """One client. Frames gather in `send` and leave together in `flush`.

    Written past aiohttp's own writer, straight to the transport: one write for all frames of a tick
    instead of one awaited write for each.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        hub: "Hub",
        route: str | None,
        wire: Wire = SOCKET,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.venue = hub.form.name
        self.route = route
        self.markets = hub.markets
        self.headers = headers or {}
        self.number = hub.count()
        self.memory: dict[str, Any] = {}
        self.opened_ms = self.pinged_ms = self.heard_ms = self.told_ms = clock_ms()
        self.unanswered_ms: Millis | None = None  # when the ping was sent that still waits for its pong
        self.stamp = hub.form.stamps.get(route) if route is not None else None
        self.wire = wire
        self.gone = asyncio.Event()
        self._stamped = 0
        self._transport = transport
        self._hub = hub
        self._streams: dict[str, None] = {}
        self._fresh: dict[str, None] = {}  # subscribed, and not opened yet
        self._ever = False  # has subscribed to something
        self._ending: tuple[int | None, str] | None = None
        self._out: list[bytes] = []
        self._heard: deque[float] = deque()

    @property
    def now_ms(self) -> Millis:
        return clock_ms()

    # ── Subscriptions ─────────────────────────────────────────────────────────────────────────

    @property
    def subscribed(self) -> Sequence[str]:
        return list(self._streams)

    def carries(self, stream: str) -> bool:
        return self._hub.carries(self.route, stream)

    def subscribe(self, streams: Sequence[str]) -> None:
        for stream in streams:
            if stream not in self._streams:
                self._streams[stream] = self._fresh[stream] = None
                self._ever = True

    def unsubscribe(self, streams: Sequence[str]) -> None:
        for stream in streams:
            if stream in self._streams:
                del self._streams[stream]
                self._fresh.pop(stream, None)
                self._hub.unlisten(self, stream)

    def fresh(self) -> list[str]:
        """The streams subscribed since the last time this was asked, which must be opened now."""
        found = list(self._fresh)
        self._fresh.clear()
        return found

    # ── Talking ───────────────────────────────────────────────────────────────────────────────

    def say(self, payload: bytes) -> None:
        """Send a message of the venue, stamped where this connection's messages are."""
        if self.stamp is not None:
            payload = self.stamp(payload, self._stamped)
            self._stamped += 1
        self.send(self.wire.frame(payload))

    def miss(self) -> None:
        """A message was lost on its way: its number is used up."""
        self._stamped += 1

    def send(self, frame: bytes) -> None:
        """Send what is already in the form of the wire."""
        self._out.append(frame)

    def flush(self) -> None:
        if self._out:
            self.told_ms = clock_ms()
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def unsent(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._transport.get_write_buffer_size()

    def hears(self, limits: Limits) -> bool:
        """Count a message heard now; false when there were too many within one second."""
        self.heard_ms = clock_ms()
        seconds = time.monotonic()
        self._heard.append(seconds)
        while self._heard[0] <= seconds - 1.0:
            self._heard.popleft()
        return len(self._heard) <= limits.messages_per_second

    def ping(self, now_ms: Millis) -> None:
        self.pinged_ms = now_ms
        if self.wire.answered and self.unanswered_ms is None:
            self.unanswered_ms = now_ms
        self.send(self.wire.ping(now_ms))

    # ── The end ───────────────────────────────────────────────────────────────────────────────

    def overdue(self, limits: Limits, now_ms: Millis) -> bool:
        """Whether the venue would hang up: no pong, no word or no subscription for too long, or too old."""

        def beyond(since_ms: Millis | None, seconds: float | None) -> bool:
            return since_ms is not None and seconds is not None and now_ms - since_ms > seconds * 1000

        return (
            beyond(self.unanswered_ms, limits.pong_s)
            or beyond(self.opened_ms, limits.life_s)
            or beyond(self.heard_ms, limits.idle_s)
            or beyond(self.told_ms, limits.quiet_s)
            or (not self._ever and beyond(self.opened_ms, limits.subscribe_s))
        )

    def hang_up(self, code: int | None = None, reason: str = "") -> None:
        """End the connection once what is being said has been said."""
        self._ending = (code, reason)

    def finish(self) -> None:
        """Hang up now if that was asked for."""
        if self._ending is not None:
            self.send(self.wire.end(*self._ending))
            self.end()

    def end(self) -> None:
        """Send what is left, then end the TCP connection without a closing handshake."""
        self.flush()
        self._transport.close()
        self.gone.set()

    def abort(self) -> None:
        """Drop the connection and all that the client has not taken."""
        self._out.clear()
        self._transport.abort()
        self.gone.set()

    def look(self) -> None:
        """Notice a client that has left."""
        if self._transport.is_closing():
            self.gone.set()


class Hub:
    """The connections of one venue. `wanted` has those streams that reach somebody."""

    def __init__(self, form: Form, limits: Limits, markets: Mapping[str, Market]) -> None:
        self.form = form
        self.limits = limits
        self.markets = markets
        self.connections: set[Connection] = set()
        self.wanted: dict[str, list[Connection]] = {}
        self._count = 0

    def count(self) -> int:
        self._count += 1
        return self._count

    def join(self, connection: Connection) -> None:
        self.connections.add(connection)

    def leave(self, connection: Connection) -> None:
        connection.unsubscribe(connection.subscribed)
        self.connections.discard(connection)

    def carries(self, route: str | None, stream: str) -> bool:
        return route is not None and self.form.route_of(stream, self.markets) == route

    def listen(self, connection: Connection, stream: str) -> None:
        """Deliver a stream from now on."""
        self.wanted.setdefault(stream, []).append(connection)

    def unlisten(self, connection: Connection, stream: str) -> None:
        listeners = self.wanted.get(stream, [])
        if connection in listeners:
            listeners.remove(connection)
        if not listeners:
            self.wanted.pop(stream, None)

    def deliver(self, frame: Frame) -> int:
        """Hand a frame to everyone who listens, and say how many they are."""
        return self.hand(frame, self.wanted.get(frame.stream, ()))

    def hand(self, frame: Frame, listeners: Sequence[Connection]) -> int:
        """Hand a frame to some of those on its route, and say how many it reached."""
        if not listeners:
            return 0
        if frame.spoilt == "lost":
            for connection in listeners:
                connection.miss()
            return 0
        first = listeners[0]  # all are on the stream's one route, and so of one kind
        if first.stamp is not None and frame.spoilt is None:
            for connection in listeners:
                connection.say(frame.payload)
        else:
            wired = first.wire.frame(frame.payload)
            for connection in listeners:
                connection.send(wired)
        return len(listeners)

    def on_route(self, route: str | None) -> list[Connection]:
        return [one for one in self.connections if route is None or one.route == route]

    def watch(self, now_ms: Millis) -> None:
        """Ping who is due, say what a form says by the clock, hang up on who has outstayed."""
        tick, ping_s = self.form.tick, self.limits.ping_s
        for connection in list(self.connections):
            connection.look()
            if connection.overdue(self.limits, now_ms):
                connection.end()
                continue
            if tick is not None:
                for payload in tick(connection):
                    connection.say(payload)
            if ping_s is not None and now_ms - connection.pinged_ms >= ping_s * 1000:
                connection.ping(now_ms)
            connection.finish()

    def flush(self, most_unsent: int) -> int:
        """Write what has gathered; drop the clients that leave more than `most_unsent` bytes untaken."""
        dropped = 0
        for connection in list(self.connections):
            connection.flush()
            if connection.unsent() > most_unsent:
                connection.abort()
                dropped += 1
        return dropped

"""Connections: clients' sockets, who listens to what, and frames written in bulk to each of them."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

from orderflow.sim.happenings import Millis
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form, Limits

_TEXT, _PING = 0x81, 0x89


def framed(payload: bytes, head: int = _TEXT) -> bytes:
    """A whole, unmasked WebSocket frame, as servers send it."""
    size = len(payload)
    if size < 126:
        return bytes((head, size)) + payload
    if size < 65_536:
        return bytes((head, 126)) + size.to_bytes(2, "big") + payload
    return bytes((head, 127)) + size.to_bytes(8, "big") + payload


class Connection:
    """One client. Frames gather in `send` and leave together in `flush`.

    Written past aiohttp's own writer, straight to the transport: one write for all frames of a tick
    instead of one awaited write for each.
    """

    def __init__(self, transport: asyncio.Transport, hub: "Hub", route: str | None, now_ms: Millis) -> None:
        self.route = route
        self.opened_ms = self.pinged_ms = now_ms
        self.unanswered_ms: Millis | None = None  # when the ping was sent that still waits for its pong
        self._transport = transport
        self._hub = hub
        self._streams: dict[str, None] = {}
        self._out: list[bytes] = []
        self._heard: deque[float] = deque()

    @property
    def subscribed(self) -> Sequence[str]:
        return list(self._streams)

    def subscribe(self, streams: Sequence[str]) -> None:
        for stream in streams:
            if stream not in self._streams:
                self._streams[stream] = None
                self._hub.listen(self, stream)

    def unsubscribe(self, streams: Sequence[str]) -> None:
        for stream in streams:
            if stream in self._streams:
                del self._streams[stream]
                self._hub.unlisten(self, stream)

    def send(self, frame: bytes) -> None:
        self._out.append(frame)

    def flush(self) -> None:
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def unsent(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._transport.get_write_buffer_size()

    def too_chatty(self, limits: Limits, seconds: float) -> bool:
        """Count a message heard at this time; true when there were too many within one second."""
        self._heard.append(seconds)
        while self._heard[0] <= seconds - 1.0:
            self._heard.popleft()
        return len(self._heard) > limits.messages_per_second

    def ping(self, now_ms: Millis) -> None:
        self.pinged_ms = now_ms
        if self.unanswered_ms is None:
            self.unanswered_ms = now_ms
        self.send(framed(str(now_ms).encode(), _PING))

    def overdue(self, limits: Limits, now_ms: Millis) -> bool:
        """Whether the venue would hang up: no pong for too long, or too old."""
        silent = self.unanswered_ms is not None and now_ms - self.unanswered_ms > limits.pong_s * 1000
        return silent or now_ms - self.opened_ms > limits.life_s * 1000

    def hang_up(self) -> None:
        """Send what is left, then end the TCP connection without a closing handshake."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Drop the connection and all that the client has not taken."""
        self._out.clear()
        self._transport.abort()


class Hub:
    """The connections of one venue. `wanted` has those streams that reach somebody."""

    def __init__(self, form: Form, limits: Limits, markets: Mapping[str, Market]) -> None:
        self.form = form
        self.limits = limits
        self.connections: set[Connection] = set()
        self.wanted: dict[str, list[Connection]] = {}
        self._markets = markets

    def join(self, connection: Connection) -> None:
        self.connections.add(connection)

    def leave(self, connection: Connection) -> None:
        connection.unsubscribe(connection.subscribed)
        self.connections.discard(connection)

    def listen(self, connection: Connection, stream: str) -> None:
        """Deliver a stream from now on, if it exists and this route carries it."""
        route = self.form.route_of(stream, self._markets)
        if route is not None and route == connection.route:
            self.wanted.setdefault(stream, []).append(connection)

    def unlisten(self, connection: Connection, stream: str) -> None:
        listeners = self.wanted.get(stream, [])
        if connection in listeners:
            listeners.remove(connection)
        if not listeners:
            self.wanted.pop(stream, None)

    def deliver(self, stream: str, payload: bytes) -> int:
        """Hand a frame to everyone who listens, and say how many they are."""
        listeners = self.wanted.get(stream)
        if not listeners:
            return 0
        frame = framed(payload)
        for connection in listeners:
            connection.send(frame)
        return len(listeners)

    def on_route(self, route: str | None) -> list[Connection]:
        return [one for one in self.connections if route is None or one.route == route]

    def watch(self, now_ms: Millis) -> None:
        """Ping who is due, and hang up on who does not answer or has lived too long."""
        for connection in list(self.connections):
            if connection.overdue(self.limits, now_ms):
                connection.hang_up()
            elif now_ms - connection.pinged_ms >= self.limits.ping_s * 1000:
                connection.ping(now_ms)

    def flush(self, most_unsent: int) -> int:
        """Write what has gathered; drop the clients that leave more than `most_unsent` bytes untaken."""
        dropped = 0
        for connection in list(self.connections):
            connection.flush()
            if connection.unsent() > most_unsent:
                connection.abort()
                dropped += 1
        return dropped

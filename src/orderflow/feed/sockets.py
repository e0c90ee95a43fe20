"""Sockets: picows behind a thin seam. Bytes are stamped and handed over burst by burst, unread."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSProtocolError,
    WSTransport,
    ws_connect,
)

from orderflow.feed import eventstream
from orderflow.feed.frames import Frame
from orderflow.feed.limits import Clock, refusal, retry_after_s
from orderflow.market.errors import Disconnected
from orderflow.market.events import Nanos
from orderflow.venues.spec import Venue

OnFrames = Callable[[list[Frame]], None]

CONNECT_TIMEOUT_S = 10.0
_TEXT, _PING = WSMsgType.TEXT, WSMsgType.PING
_PONG, _CLOSE = WSMsgType.PONG, WSMsgType.CLOSE


class Socket(Protocol):
    """An open connection; `heard_ts` is when anything last came, pings included."""

    heard_ts: Nanos

    def send(self, payload: bytes) -> None: ...
    def ping(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def close(self) -> None: ...
    async def lost(self) -> str: ...


class Connect(Protocol):
    def __call__(
        self, venue: Venue, route: str, url: str, on_frames: OnFrames, clock: Clock
    ) -> Awaitable[Socket]: ...


class _Wire(WSListener):
    """A picows listener that is our `Socket`. Bursts end where picows has parsed all that it had read."""

    def __init__(self, venue: Venue, route: str, on_frames: OnFrames, clock: Clock) -> None:
        self.heard_ts: Nanos = clock()
        self._venue, self._route = venue.name, route
        self._most = venue.limits.max_message_bytes
        self._on_frames, self._clock = on_frames, clock
        self._burst: list[Frame] = []
        self._parts: list[bytes] = []
        self._parts_size = 0
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is _TEXT and frame.fin:
            payload = frame.get_payload_as_bytes()
            self._burst.append(Frame(self._venue, self._clock(), payload, "ws", self._route))
        else:
            self._uncommon(transport, frame, kind)
        if frame.last_in_buffer:
            self._hand_over()

    def _uncommon(self, transport: WSTransport, frame: WSFrame, kind: WSMsgType) -> None:
        if kind is _PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind is _CLOSE:
            self._hand_over()
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif kind is not _PONG:
            self._parts.append(frame.get_payload_as_bytes())
            self._parts_size += frame.payload_size
            if self._parts_size > self._most:
                raise WSProtocolError(
                    WSCloseCode.MESSAGE_TOO_BIG, f"a message of more than {self._most} bytes"
                )
            if frame.fin:
                whole = b"".join(self._parts)
                self._burst.append(Frame(self._venue, self._clock(), whole, "ws", self._route))
                self._parts, self._parts_size = [], 0

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._hand_over()

    def _hand_over(self) -> None:
        burst = self._burst
        if not burst:
            self.heard_ts = self._clock()
            return
        self._burst = []
        self.heard_ts = burst[-1].ts_recv
        self._on_frames(burst)

    # ── as a Socket ───────────────────────────────────────────────────────────────────────────

    @property
    def wire(self) -> WSTransport:
        if self._transport is None:
            raise Disconnected("the socket is not open")
        return self._transport

    def send(self, payload: bytes) -> None:
        if not self.wire.is_disconnected:
            self.wire.send(_TEXT, payload)

    def ping(self) -> None:
        if not self.wire.is_disconnected:
            self.wire.send_ping()

    def pause(self) -> None:
        if not self.wire.is_disconnected:
            self.wire.underlying_transport.pause_reading()

    def resume(self) -> None:
        if not self.wire.is_disconnected:
            self.wire.underlying_transport.resume_reading()

    def close(self) -> None:
        if not self.wire.is_disconnected:
            self.wire.send_close(WSCloseCode.OK)
            self.wire.disconnect()

    async def lost(self) -> str:
        """Wait until the connection has ended and return why; raises what our own callback raised."""
        try:
            await self.wire.wait_disconnected()
        except (WSError, OSError) as error:
            return f"{type(error).__name__}: {error}"
        said = self.wire.close_handshake
        if said is None or said.recv is None:
            return "closed without a word"
        return f"closed by the venue: {said.recv.code} {said.recv.reason}".rstrip()


async def connect(venue: Venue, route: str, url: str, on_frames: OnFrames, clock: Clock) -> Socket:
    """Open a WebSocket, or an event stream at `https://`; `on_frames` gets each burst, in the event loop.

    Raises `Disconnected`, or what the venue's form says of the HTTP status of a refused handshake.
    """
    if url.startswith("http"):
        return await eventstream.connect(venue, route, url, on_frames, clock)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            transport, wire = await ws_connect(
                lambda: _Wire(venue, route, on_frames, clock),
                url,
                enable_auto_pong=False,
                websocket_handshake_timeout=CONNECT_TIMEOUT_S,
                max_frame_size=venue.limits.max_message_bytes,
                max_redirects=0,
                extra_headers=venue.headers,
                logger_name="orderflow",
            )
    except WSHandshakeError as error:
        if error.response is None:
            raise Disconnected(f"{venue.name}: {url}: {error}") from error
        status = int(error.response.status)
        after_s = retry_after_s(error.response.headers.get("Retry-After"), clock())
        said = f"{venue.name}: {url} answered HTTP {status}"
        raise (refusal(venue, status, after_s, said) or Disconnected(said, after_s=after_s)) from error
    except (WSError, OSError) as error:
        raise Disconnected(f"{venue.name}: {url}: {type(error).__name__} {error}".rstrip()) from error
    if transport.is_disconnected or not isinstance(wire, _Wire):
        raise Disconnected(f"{venue.name}: {url}: closed during the handshake")
    return wire

"""Connections: how many may be open, and how long one may keep us waiting."""

import asyncio
import socket
from http import HTTPStatus

import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from orderflow.servers.limits import Limits
from orderflow.servers.replies import Failure

MOST_HEAD = 32 * 1024  # bytes of a head that is not whole yet
SENT = (
    256 * 1024
)  # bytes that the system takes of an answer ahead of its reader; by itself it takes megabytes


class Bounded(H11Protocol):
    """A connection that is ended where its client does not go on.

    Where too many are open, the one that has said nothing for longest makes room, so that mute clients keep
    nobody out; where all of them are being answered, the newest is refused. The server's own library waits
    for a head, and for a reader, as long as they like.
    """

    limits = Limits()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._awaited: asyncio.TimerHandle | None = None  # the head
        self._taken: asyncio.TimerHandle | None = None  # what was written
        full = len(self.connections) >= self.limits.connections
        super().connection_made(transport)
        taken: socket.socket | None = transport.get_extra_info("socket")
        if taken is not None:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT)
        mute = self._longest_mute() if full else None
        if mute is not None:
            mute.refuse()
        if full and mute is None:
            self.refuse()
        else:
            self._await_head()

    def refuse(self) -> None:
        self._end(503, Failure(code="busy", message="too many connections are open", after_s=1.0))

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._head_is_here()
        elif self._awaited is None and not self.transport.is_closing():
            self._await_head()

    def send_400_response(self, msg: str) -> None:
        hint = f"a head has at most {MOST_HEAD} bytes"
        self._end(400, Failure(code="invalid_argument", message="this is no HTTP request", hint=hint))

    # ── The head ──────────────────────────────────────────────────────────────────────────────

    def _longest_mute(self) -> "Bounded | None":
        """Return the connection that has said nothing for longest, of those from which we await a request."""
        others = [one for one in self.connections if isinstance(one, Bounded) and one is not self]
        silent = [(since, one) for one in others if (since := one.silent_since()) is not None]
        return min(silent, key=lambda pair: pair[0])[1] if silent else None

    def silent_since(self) -> float | None:
        """Return since when, on the loop's clock, we have waited for a request; None while one is answered."""
        if self._awaited is not None:
            return self._awaited.when() - self.limits.head_s
        kept = self.timeout_keep_alive_task
        return None if kept is None else kept.when() - self.timeout_keep_alive

    def _await_head(self) -> None:
        self._awaited = self.loop.call_later(self.limits.head_s, self._too_late)

    def _head_is_here(self) -> None:
        if self._awaited is not None:
            self._awaited.cancel()
            self._awaited = None

    def _too_late(self) -> None:
        self._awaited = None
        message = f"the head of the request was not here within {self.limits.head_s:g} s"
        self._end(408, Failure(code="timeout", message=message))

    # ── The reader ────────────────────────────────────────────────────────────────────────────

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look_again(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._taken is not None:
            self._taken.cancel()
            self._taken = None

    def _look_again(self, waiting: int) -> None:
        self._taken = self.loop.call_later(self.limits.write_s, self._is_it_taken, waiting)

    def _is_it_taken(self, waited: int) -> None:
        """Let a reader go that took nothing since we looked; a slow one may take as long as it needs."""
        waiting = self.transport.get_write_buffer_size()
        if waiting >= waited:
            self.transport.abort()
        else:
            self._look_again(waiting)

    # ── The end ───────────────────────────────────────────────────────────────────────────────

    def _end(self, status: int, failure: Failure) -> None:
        self._forget()
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            body = msgspec.json.encode(failure)
            lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "Content-Type: application/json"]
            if failure.after_s is not None:
                lines.append(f"Retry-After: {failure.after_s:.0f}")
            lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
            self.transport.write("\r\n".join(lines).encode() + body)
        self.transport.close()

    def _forget(self) -> None:
        for timer in (self._awaited, self._taken):
            if timer is not None:
                timer.cancel()
        self._awaited = self._taken = None


def bounded(limits: Limits) -> type[Bounded]:
    """Return the kind of connection that keeps these limits."""
    return type("Bounded", (Bounded,), {"limits": limits})

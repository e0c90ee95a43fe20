"""Who may come in: bearer token, Host and Origin, and how much a request may carry."""

import asyncio
import hmac
import ipaddress
import socket
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orderflow.market.errors import DoorUnavailable
from orderflow.servers.replies import Failure

MOST_BYTES = 1024 * 1024
MOST_HELD = 64 * MOST_BYTES  # of bodies that are not whole yet, all together
BODY_S = 10.0


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def permit(host: str, token: str | None) -> None:
    """Raise `DoorUnavailable` where an address that others reach would stand open."""
    if not is_loopback(host) and not token:
        raise DoorUnavailable(
            f"{host} can be reached from other machines, and no token is set",
            hint="set a token, or listen on 127.0.0.1",
        )


def refused(status: int, failure: Failure, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as every HTTP door of ours says it."""
    shown = {name: value for name, value in msgspec.to_builtins(failure).items() if value is not None}
    return Response(msgspec.json.encode(shown), status, dict(headers or {}), media_type="application/json")


class Gate:
    """Lets a request in if it carries the token, comes for this host and is not too large.

    Without a token only loopback names are served: a page in a browser that points its own name at
    127.0.0.1 sends that name as Host, and its own address as Origin. With one, so are addresses in numbers,
    this machine's own name, and `hosts`, as names by which a proxy is reached.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str | None = None,
        hosts: Collection[str] = (),
        most_bytes: int = MOST_BYTES,
        body_s: float = BODY_S,
        most_held: int = MOST_HELD,
    ) -> None:
        self._app = app
        self._token = token.encode() if token else None
        self._most_bytes, self._body_s, self._most_held = most_bytes, body_s, most_held
        self._held = 0
        self._hosts = frozenset(one.lower() for one in (*hosts, *_machine()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._stranger(headers) or self._unknown(headers)
        if refusal is None and (scope["method"] in _WITH_BODY or _has_body(headers)):
            read = await self._in_time(headers, receive)
            if read is None:  # the client left in the midst of its body
                return
            if isinstance(read, Response):
                refusal = read
            else:
                receive = read
        await (refusal or self._app)(scope, receive, send)

    def _stranger(self, headers: Headers) -> Response | None:
        host = _name(f"//{headers.get('host', '')}")
        if not host or not self._is_ours(host):
            said = headers.get("host", "")[:80]
            message = f"this service answers to 127.0.0.1 and localhost, not to {said!r}"
            hint = "" if self._token is None else "its owner adds the name to ORDERFLOW_ALLOWED_HOSTS"
            return refused(421, Failure(code="invalid_argument", message=message, hint=hint))
        origin = headers.get("origin")
        if origin is not None:
            came_from = _name(origin)
            if not came_from or not (is_loopback(came_from) or (self._token and came_from == host)):
                message = f"requests from pages of {origin[:80]!r} are not served"
                return refused(403, Failure(code="invalid_argument", message=message))
        return None

    def _is_ours(self, host: str) -> bool:
        if is_loopback(host):
            return True
        return self._token is not None and (_is_address(host) or host.lower() in self._hosts)

    def _unknown(self, headers: Headers) -> Response | None:
        if self._token is None:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token):
            return None
        failure = Failure(
            code="invalid_argument",
            message="a bearer token is needed",
            hint="send Authorization: Bearer TOKEN",
        )
        return refused(401, failure, {"WWW-Authenticate": 'Bearer realm="orderflow"'})

    async def _in_time(self, headers: Headers, receive: Receive) -> Receive | Response | None:
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_s):
                return await self._whole(body, headers, receive)
        except TimeoutError:
            message = f"the body was not here within {self._body_s:g} s"
            return refused(408, Failure(code="timeout", message=message), _CLOSE)
        finally:
            self._held -= len(body)

    async def _whole(self, body: bytearray, headers: Headers, receive: Receive) -> Receive | Response | None:
        """Read the body within the limits and return a `receive` that gives it again; None: nobody is there."""
        declared = headers.get("content-length", "")
        more = True
        while more:
            if declared.isdigit() and int(declared) > self._most_bytes:
                return self._too_large()
            message = await receive()
            if message["type"] != "http.request":
                return None
            part = message.get("body", b"")
            if len(body) + len(part) > self._most_bytes:
                return self._too_large()
            if self._held + len(part) > self._most_held:
                failure = Failure(code="busy", message="too many bodies are being received", after_s=1.0)
                return refused(503, failure, {"Retry-After": "1", **_CLOSE})
            body += part
            self._held += len(part)
            more = message.get("more_body", False)
        return _again([{"type": "http.request", "body": bytes(body), "more_body": False}], receive)

    def _too_large(self) -> Response:
        message = f"the body is larger than {self._most_bytes} bytes"
        return refused(413, Failure(code="too_large", message=message, hint="ask for less at once"), _CLOSE)


_WITH_BODY = ("POST", "PUT", "PATCH")
_CLOSE = {"Connection": "close"}  # the rest of the body is not read


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _again(messages: list[Message], receive: Receive) -> Receive:
    async def replay() -> Message:
        return messages.pop(0) if messages else await receive()

    return replay


def _machine() -> list[str]:
    name = socket.gethostname()
    return [name, f"{name}.local"]


def _is_address(host: str) -> bool:
    """Tell an address in numbers, which no name server can point elsewhere."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None

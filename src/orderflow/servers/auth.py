"""Who may come in: bearer token, Host and Origin, and how much a request may carry."""

import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orderflow.market.errors import DoorUnavailable
from orderflow.servers.replies import Failure

MOST_BYTES = 1024 * 1024


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
    127.0.0.1 sends that name as Host, and its own address as Origin.
    """

    def __init__(self, app: ASGIApp, token: str | None = None, most_bytes: int = MOST_BYTES) -> None:
        self._app = app
        self._token = token.encode() if token else None
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._stranger(headers) or self._unknown(headers)
        if refusal is None and scope["method"] in ("POST", "PUT", "PATCH"):
            read = await self._whole(headers, receive)
            if isinstance(read, Response):
                refusal = read
            else:
                receive = read
        await (refusal or self._app)(scope, receive, send)

    def _stranger(self, headers: Headers) -> Response | None:
        host = _name(f"//{headers.get('host', '')}")
        if self._token is None and not (host and is_loopback(host)):
            message = (
                f"this service answers to 127.0.0.1 and localhost, not to {headers.get('host', '')[:80]!r}"
            )
            return refused(421, Failure(code="invalid_argument", message=message))
        origin = headers.get("origin")
        if origin is not None:
            came_from = _name(origin)
            if not came_from or not (is_loopback(came_from) or (self._token and came_from == host)):
                message = f"requests from pages of {origin[:80]!r} are not served"
                return refused(403, Failure(code="invalid_argument", message=message))
        return None

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

    async def _whole(self, headers: Headers, receive: Receive) -> Receive | Response:
        """Read the body within the limit and return a `receive` that gives it again."""
        declared = headers.get("content-length", "")
        body = bytearray()
        more = True
        while more:
            if len(body) > self._most_bytes or (declared.isdigit() and int(declared) > self._most_bytes):
                message = f"the body is larger than {self._most_bytes} bytes"
                return refused(413, Failure(code="too_large", message=message, hint="ask for less at once"))
            message = await receive()
            if message["type"] != "http.request":
                return _again([message], receive)
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if len(body) > self._most_bytes:
            message = f"the body is larger than {self._most_bytes} bytes"
            return refused(413, Failure(code="too_large", message=message, hint="ask for less at once"))
        return _again([{"type": "http.request", "body": bytes(body), "more_body": False}], receive)


def _again(messages: list[Message], receive: Receive) -> Receive:
    async def replay() -> Message:
        return messages.pop(0) if messages else await receive()

    return replay


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None

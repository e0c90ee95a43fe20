"""Limits: what one client may cost the others; how often it asks, how much at once, how long a request's head is."""

import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from orderflow.servers.auth import refused
from orderflow.servers.replies import Failure

MOST_QUERY = 8 * 1024  # bytes of a path and its query
MOST_HEADERS = 16 * 1024  # bytes of all headers together
WATCHED = ("/health", "/healthz", "/metrics")  # asked by whoever watches over us: always answered
_LONG = ("/stream/", "/sse")  # answers that last until the client leaves
_MOST_CLIENTS = 10_000
_BUSY_S = 1.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How far clients may go. `rate_per_s` is of one address; 0 is no limit.

    `requests` are answered at once, and `streams` beside them; `connections` may be open. A request's head must
    be here within `head_s`, its body within `body_s`; who takes nothing of an answer for `write_s` is let go.
    """

    rate_per_s: float = 50.0
    burst: int = 200
    requests: int = 256
    streams: int = 100
    connections: int = 512
    head_s: float = 10.0
    body_s: float = 10.0
    write_s: float = 30.0


class Rate:
    """Token buckets by name: `burst` at once, `per_s` a second in the long run.

    Those asked longest ago are forgotten, which lets nobody ask more: they have filled up since, or as many
    clients as are remembered have asked in between.
    """

    def __init__(self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, name: str) -> float:
        """Take one and return 0, or return after how many seconds there will be one."""
        if self._per_s <= 0:
            return 0.0
        now = self._clock()
        left, at = self._left.pop(name, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._per_s)
        waits = 0.0 if left >= 1 else (1 - left) / self._per_s
        self._left[name] = (left if waits else left - 1, now)
        if len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        return waits


class Throttle:
    """Refuses a request that comes too soon after others of its address, or whose head is too long.

    Not after others of its token: all share the one, so that one of them would keep out the rest.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._addresses = Rate(limits.rate_per_s, limits.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > MOST_QUERY:
            return _too_long(414, f"the address is longer than {MOST_QUERY} bytes")
        if sum(len(name) + len(value) for name, value in headers.raw) > MOST_HEADERS:
            return _too_long(431, f"the headers are longer than {MOST_HEADERS} bytes")
        if scope["path"] in WATCHED:
            return None
        waits = self._addresses.wait_s(scope["client"][0] if scope.get("client") else "")
        if not waits:
            return None
        failure = Failure(
            code="rate_limited",
            message="too many requests",
            hint="wait as Retry-After says; /stream tells of changes without asking again",
            after_s=round(waits, 3),
        )
        return refused(429, failure, {"Retry-After": str(max(1, round(waits)))})


class Crowd:
    """Lets in as many requests at once as can be answered, and as many streams beside them."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._most = {False: limits.requests, True: limits.streams}
        self._inside = {False: 0, True: 0}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in WATCHED:
            await self._app(scope, receive, send)
            return
        long = _is_long(scope)
        if self._inside[long] >= self._most[long]:
            what = "streams are open" if long else "requests are being answered"
            failure = Failure(
                code="busy",
                message=f"{self._most[long]} {what}, and no more at once",
                hint="come again in a moment",
                after_s=_BUSY_S,
            )
            await refused(503, failure, {"Retry-After": "1"})(scope, receive, send)
            return
        self._inside[long] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside[long] -= 1


def _is_long(scope: Scope) -> bool:
    """Tell whether an answer lasts; MCP's, too, where it is read with GET, or subscribes."""
    path: str = scope["path"]
    if not path.startswith("/mcp"):
        return path.startswith(_LONG)
    return scope["method"] == "GET" or Headers(scope=scope).get("mcp-method") == "subscriptions/listen"


def _too_long(status: int, message: str) -> Response:
    return refused(status, Failure(code="too_large", message=message, hint="put arguments into the body"))

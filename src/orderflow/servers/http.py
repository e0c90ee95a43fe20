"""The HTTP door: tools, health, metrics and MCP on one port."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from typing import cast

import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

import orderflow
from orderflow.jobs.control import Control
from orderflow.market.errors import DoorUnavailable
from orderflow.servers import admin, calls, earlier, routes, streaming, taking
from orderflow.servers.auth import Gate, permit, refused
from orderflow.servers.callers import Caller
from orderflow.servers.changes import Changes, Watched
from orderflow.servers.connections import MOST_HEAD, bounded
from orderflow.servers.desk import SHOWN, Desk
from orderflow.servers.desk import add as add_desk
from orderflow.servers.limits import Crowd, Limits, Throttle
from orderflow.servers.mcp_http import Doors
from orderflow.servers.metrics import Counted, Metrics
from orderflow.servers.replies import Failure
from orderflow.servers.taking import Asked

HOST, PORT = "127.0.0.1", 8022
_LAST_PORT = 65_535

# Longer than clients keep a connection that they do not use (5 s are usual): who closes first must not be us, just
# as they ask again.
KEEP_ALIVE_S = 65
_STATUS_CODES = {404: "invalid_argument", 405: "invalid_argument", 413: "too_large"}


def app(
    caller: Caller,
    *,
    token: str | None = None,
    hosts: Collection[str] = (),
    toolset: str = "core",
    writes: bool = False,
    desk: Desk | None = None,
    asked: Asked | None = None,
    watched: Watched | None = None,
    limits: Limits | None = None,
) -> FastAPI:
    """Return the application: `/`, `/health`, `/metrics`, `/tools`, `/mcp`, `/sse`, `/docs`.

    `toolset` is what `/mcp` and `/sse` list, with what `writes` where that is switched on; `desk` answers
    `/api/v1/exchange`, which is not there without one; so do `asked` for `/export` and `watched`, who knows
    the latest, for `/stream`. `limits` say what one client may cost; `hosts` are further names under which this
    door may be asked where a `token` is. Raises `UnknownTool` for an unknown toolset.
    """
    metrics, bounds = Metrics(), limits or Limits()
    counted = Counted(caller, metrics)
    doors = Doors(counted, toolset, writes=writes)
    changes = None if watched is None else Changes(watched)

    @contextlib.asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with doors.open():
            yield
        if changes is not None:
            await changes.leave()
        if desk is not None:
            desk.close()

    found = FastAPI(
        title="crypto-orderflow",
        version=orderflow.__version__,
        summary="Market data of many venues, answered by tools.",
        lifespan=life,
        redoc_url=None,
    )
    found.state.token = token
    found.state.doors, found.state.changes, found.state.limits = doors, changes, bounds
    further = {} if changes is None else streaming.SHOWN
    further |= ({} if desk is None else SHOWN) | ({} if asked is None else taking.SHOWN) | earlier.SHOWN
    routes.add(found, counted, metrics, writes, further)
    calls.add(found, counted, writes)
    earlier.add(found, counted)
    if changes is not None:
        streaming.add(found, changes)
    if desk is not None:
        add_desk(found, desk)
    if asked is not None:
        taking.add(found, asked)
    found.router.routes.extend(doors.routes())
    found.add_exception_handler(HTTPException, _not_served)
    found.add_exception_handler(RequestValidationError, _misread)
    # the last one is asked first
    found.add_middleware(Crowd, limits=bounds)
    found.add_middleware(Gate, token=token, hosts=hosts, body_s=bounds.body_s)
    found.add_middleware(Throttle, limits=bounds)
    return found


def steer(app: FastAPI, control: Control, key: str) -> None:
    """Let the owner of this process start and stop what it collects, by `key` and from this machine alone."""
    admin.add(app, control, key)


async def _not_served(request: Request, error: Exception) -> Response:
    error = cast(HTTPException, error)  # the handler is registered for it alone
    headers = dict(error.headers or {})
    if "Allow" in headers:  # the framework names the methods of the first route alone
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    code = _STATUS_CODES.get(error.status_code, "invalid_argument")
    failure = Failure(
        code=code,
        message=f"{request.method} {request.url.path}: {error.detail}",
        hint="GET / lists what is served",
    )
    return refused(error.status_code, failure, headers)


def _methods(request: Request) -> set[str]:
    """Return the methods of every route that has the path of a request."""
    matching = [one for one in request.app.router.routes if one.matches(request.scope)[0] is not Match.NONE]
    return {method for one in matching for method in getattr(one, "methods", None) or ()}


async def _misread(request: Request, error: Exception) -> Response:
    """Say a wrong query parameter in our words; the framework's own has another shape and status."""
    first = cast(RequestValidationError, error).errors()[0]
    failure = Failure(
        code="invalid_argument", message=f"{first['loc'][-1]}: {first['msg']}", hint="see /docs"
    )
    return refused(400, failure)


# ── Listening ─────────────────────────────────────────────────────────────────────────────────


def listen(host: str = HOST, port: int = PORT, token: str | None = None) -> socket.socket:
    """Take the port (0: any free one), or raise `DoorUnavailable` saying why it cannot be had."""
    permit(host, token)
    if not 0 <= port <= _LAST_PORT:
        raise DoorUnavailable(
            f"cannot listen on port {port}", hint=f"ports are 0 (any free one) to {_LAST_PORT}"
        )
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, proto)
    except (OSError, OverflowError) as error:
        raise DoorUnavailable(
            f"cannot listen on {host}:{port}: {error}", hint="name an address of this machine"
        ) from error
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(128)
    except (OSError, OverflowError) as error:
        taken.close()
        raise DoorUnavailable(*_why_not(host, port, error)) from error
    taken.setblocking(False)
    return taken


def _why_not(host: str, port: int, error: OSError | OverflowError) -> tuple[str]:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return (f"port {port} on {host} is in use: stop the program that has it, or choose another port",)
    if number in (errno.EACCES, errno.EPERM):
        return (f"port {port} on {host} needs rights that we do not have: choose one above 1023",)
    return (f"cannot listen on {host}:{port}: {error}",)


def url(taken: socket.socket) -> str:
    """Return the address of a socket that listens."""
    host, port = taken.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Leaves the signals to the process that it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    app: FastAPI,
    host: str = HOST,
    port: int = PORT,
    *,
    taken: socket.socket | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve in the running loop until cancelled, then finish the requests at hand.

    `taken` is a socket from `listen`, for callers that want the port before anything else; `ready`
    is told the address. Raises `DoorUnavailable` if the port cannot be had, or if the address can be
    reached from other machines and the app has no token.
    """
    door = taken or listen(host, port, app.state.token)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        http=bounded(app.state.limits),
        h11_max_incomplete_event_size=MOST_HEAD,
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[door]))
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if not server.started:
            await serving
            raise DoorUnavailable("the service did not start", hint="the log says why")
        if ready is not None:
            ready(url(door))
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await app.state.doors.leave()
        if app.state.changes is not None:
            await app.state.changes.leave()
        await serving
        door.close()

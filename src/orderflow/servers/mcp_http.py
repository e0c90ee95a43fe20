"""MCP over HTTP: Streamable HTTP at `/mcp` and its kin, and `/sse` for clients that know only that.

The protocol's library takes a second to load, and most collectors are never asked over MCP: it is loaded by
the first request, beside the loop.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from orderflow import tools
from orderflow.market.errors import UnknownTool
from orderflow.servers.auth import MOST_BYTES, refused
from orderflow.servers.callers import Caller
from orderflow.servers.replies import Failure, failure_of

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from mcp.server.sse import SseServerTransport
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from mcp.shared._stream_protocols import WriteStream
    from mcp.shared.message import SessionMessage

    from orderflow.servers.notices import Notices
    from orderflow.servers.watching import Watching


class Doors:
    """One MCP server behind every address; what is listed depends on the address alone."""

    def __init__(self, caller: Caller, toolset: str, *, writes: bool = False) -> None:
        tools.ALL.toolset(toolset, writes=writes)
        self._caller, self._toolset, self._writes = caller, toolset, writes
        self._loading: asyncio.Task[_Loaded] | None = None
        self._held: asyncio.Task[None] | None = None
        self._leaving = asyncio.Event()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.leave()
            if self._held is not None:
                await self._held

    async def leave(self) -> None:
        """End the long answers, each in good form, so that the port can close without waiting for them."""
        self._leaving.set()
        if self._loading is not None:
            (found,) = await asyncio.gather(self._loading, return_exceptions=True)
            if isinstance(found, _Loaded):  # else whoever asked has been told why not
                found.watching.close()
                await found.older.leave()

    async def loaded(self) -> "_Loaded":
        """Return what answers, loaded by whoever comes first."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        return await asyncio.shield(self._loading)

    async def _load(self) -> "_Loaded":
        found = await asyncio.to_thread(_Loaded.of, self._caller, self._toolset, self._writes)
        ready = asyncio.Event()
        self._held = asyncio.create_task(self._hold(found.sessions, ready))
        await ready.wait()
        return found

    async def _hold(self, sessions: "StreamableHTTPSessionManager", ready: asyncio.Event) -> None:
        async with sessions.run():
            ready.set()
            await self._leaving.wait()

    def routes(self) -> list[BaseRoute]:
        streamable, older = _Later(self, "streamable"), _Later(self, "older")
        return [
            Route("/mcp", streamable),
            Route("/mcp/{toolset}", streamable),
            Route("/mcp/x/{toolset}", streamable),
            Route("/sse", older),
            Route("/sse/", older),
            Route("/messages", _Later(self, "messages")),
            Mount("/messages/", _Later(self, "posted")),
        ]


class _Later:
    """Hands a request to one of the loaded applications."""

    def __init__(self, doors: Doors, which: str) -> None:
        self._doors, self._which = doors, which

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        application: ASGIApp = getattr(await self._doors.loaded(), self._which)
        await application(scope, receive, send)


class _Loaded:
    """The server with its transports, which need the protocol's library."""

    def __init__(
        self,
        server: "Server[Notices]",
        sessions: "StreamableHTTPSessionManager",
        sse: "SseServerTransport",
        watching: "Watching",
    ) -> None:
        self.watching = watching
        self.sessions = sessions
        self.streamable = _Streamable(sessions)
        self.older = _Sse(sse, server)
        self.messages = _Messages(sse)
        self.posted = sse.handle_post_message

    @staticmethod
    def of(caller: Caller, toolset: str, writes: bool) -> "_Loaded":
        from mcp.server.sse import SseServerTransport
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        from orderflow.servers import mcp
        from orderflow.servers.watching import Watching

        watching = Watching(caller)
        server = mcp.server(caller, toolset, writes=writes, watching=watching)
        return _Loaded(
            server,
            StreamableHTTPSessionManager(server, max_request_body_size=MOST_BYTES),
            SseServerTransport("/messages/", max_request_body_size=MOST_BYTES),
            watching,
        )


class _Streamable:
    """Streamable HTTP for an address that names a known toolset."""

    def __init__(self, sessions: "StreamableHTTPSessionManager") -> None:
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from orderflow.servers import mcp  # loaded by now

        try:
            named = mcp.toolset_of(scope["path"])
            if named is not None:
                tools.ALL.toolset(named)
        except UnknownTool as error:
            await refused(404, failure_of(error))(scope, receive, send)
            return
        await self._sessions.handle_request(scope, receive, send)


class _Sse:
    """One long answer to an older client."""

    def __init__(self, transport: "SseServerTransport", server: "Server[Any]") -> None:
        self._transport = transport
        self._server = server
        self._writing: set[WriteStream[SessionMessage]] = set()

    async def leave(self) -> None:
        for one in list(self._writing):
            await one.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":
            failure = Failure(
                code="invalid_argument", message="/sse is read with GET", hint="post to /mcp instead"
            )
            await refused(405, failure, {"Allow": "GET"})(scope, receive, send)
            return
        async with self._transport.connect_sse(scope, receive, send) as (read, write):
            self._writing.add(write)
            try:
                await self._server.run(read, write, self._server.create_initialization_options())
            finally:
                self._writing.discard(write)


class _Messages:
    """What an older client posts."""

    def __init__(self, transport: "SseServerTransport") -> None:
        self._transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._transport.handle_post_message(scope, receive, send)

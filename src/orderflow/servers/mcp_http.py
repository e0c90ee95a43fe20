"""MCP over HTTP: Streamable HTTP at `/mcp` and its kin, and `/sse` for clients that know only that."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared._stream_protocols import WriteStream
from mcp.shared.message import SessionMessage
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from orderflow import tools
from orderflow.market.errors import UnknownTool
from orderflow.servers import mcp
from orderflow.servers.auth import MOST_BYTES, refused
from orderflow.servers.callers import Caller, Failure, failure_of


class Doors:
    """One MCP server behind every address; what is listed depends on the address alone."""

    def __init__(self, caller: Caller, toolset: str) -> None:
        self._server = mcp.server(caller, toolset)
        self._sessions = StreamableHTTPSessionManager(self._server, max_request_body_size=MOST_BYTES)
        self._sse = SseServerTransport("/messages/", max_request_body_size=MOST_BYTES)
        self._older = _Sse(self._sse, self._server)
        self._leaving = asyncio.Event()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        ready = asyncio.Event()
        held = asyncio.create_task(self._hold(ready))
        await ready.wait()
        try:
            yield
        finally:
            await self.leave()
            await held

    async def leave(self) -> None:
        """End the long answers, each in good form, so that the port can close without waiting for them."""
        self._leaving.set()
        await self._older.leave()

    async def _hold(self, ready: asyncio.Event) -> None:
        async with self._sessions.run():
            ready.set()
            await self._leaving.wait()

    def routes(self) -> list[BaseRoute]:
        streamable = _Streamable(self._sessions)
        return [
            Route("/mcp", streamable),
            Route("/mcp/{toolset}", streamable),
            Route("/mcp/x/{toolset}", streamable),
            Route("/sse", self._older),
            Route("/sse/", self._older),
            Route("/messages", _Messages(self._sse)),
            Mount("/messages/", self._sse.handle_post_message),
        ]


class _Streamable:
    """Streamable HTTP for an address that names a known toolset."""

    def __init__(self, sessions: StreamableHTTPSessionManager) -> None:
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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

    def __init__(self, transport: SseServerTransport, server: Server[Any]) -> None:
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

    def __init__(self, transport: SseServerTransport) -> None:
        self._transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._transport.handle_post_message(scope, receive, send)

"""Notices: what an MCP client is told beside its answers, a log message for each call that failed.

Only to who asked: an older client once for its session with `logging/setLevel`, a newer one with
each request. Nothing is said that the answer itself does not say.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, get_args

import mcp_types as types
from mcp.server.connection import allowed_log_levels
from mcp.server.context import ServerRequestContext
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.requests import Request

from orderflow.servers.replies import Failure

_LEVELS: tuple[types.LoggingLevel, ...] = get_args(types.LoggingLevel)  # the least severe first
_MOST_SESSIONS = 1_000
_MAY_PASS = ("venue_unavailable", "rate_limited", "stale_data", "timeout")

Asked: TypeAlias = ServerRequestContext["Notices"]


class Notices:
    """The level that each older session asked for; those of one transport, or of all over HTTP."""

    def __init__(self) -> None:
        self._levels: dict[str, types.LoggingLevel] = {}

    async def set_level(self, ctx: Asked, params: types.SetLevelRequestParams) -> types.EmptyResult:
        self._levels.pop(_session(ctx), None)
        self._levels[_session(ctx)] = params.level
        if len(self._levels) > _MOST_SESSIONS:  # sessions end unseen: the one asked longest ago goes
            del self._levels[next(iter(self._levels))]
        return types.EmptyResult()

    async def failed(self, ctx: Asked, tool: str, failure: Failure) -> None:
        """Tell of a failed call, if this client wants to know: an error is ours, a warning may pass."""
        level = _level(failure)
        if level not in self._wanted(ctx):
            return
        data = {"tool": tool[:80], "code": failure.code, "message": failure.message}
        if failure.trace is not None:
            data["trace"] = failure.trace
        said = types.LoggingMessageNotificationParams(level=level, logger="orderflow.tools", data=data)
        notice = types.LoggingMessageNotification(params=said)
        await ctx.session.send_notification(notice, related_request_id=ctx.request_id)

    def _wanted(self, ctx: Asked) -> frozenset[types.LoggingLevel]:
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return allowed_log_levels(ctx.protocol_version, ctx.meta)
        least = self._levels.get(_session(ctx))
        return frozenset(() if least is None else _LEVELS[_LEVELS.index(least) :])


@asynccontextmanager
async def opened(_: Any) -> AsyncIterator[Notices]:
    """The life of one transport, as the server's library wants it."""
    yield Notices()


def _session(ctx: Asked) -> str:
    """Return the session of a Streamable HTTP client; every other transport has one client."""
    return ctx.request.headers.get("mcp-session-id", "") if isinstance(ctx.request, Request) else ""


def _level(failure: Failure) -> types.LoggingLevel:
    if failure.code == "internal":
        return "error"
    return "warning" if failure.code in _MAY_PASS else "info"

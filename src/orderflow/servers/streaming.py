"""Streaming: changes of a series as server-sent events, the latest first."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Path, Query
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orderflow.market.errors import InvalidArgument, OrderflowError, UnsupportedByVenue
from orderflow.market.instruments import MARKETS, venue_id
from orderflow.servers.changes import Box, Changes, Series
from orderflow.servers.parts import SOME_VENUES, now
from orderflow.servers.replies import failure_of
from orderflow.servers.routes import ERRORS, failed
from orderflow.store.answers import resolve
from orderflow.tools.board import unified

SHOWN = {"/stream/{stream}": "changes as they come, as server-sent events; ?symbol=&venues="}

HEARTBEAT_S = 15.0
RETRY_MS = 2_000

_EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string"},
        "data": {"type": "string"},
        "id": {"type": "string"},
        "retry": {"type": "integer"},
    },
}
_TOLD = (
    "The first event is `begin`: what follows, and which venues tell nothing now and why. Then comes the latest row of"
    " each venue and each change, as an event named as the stream, with an id; `dropped` tells how many rows"
    " were left out for a slow reader (`and_more`: and others, uncounted), `end` that the service stops. A comment comes when nothing else does. An id cannot be"
    " gone on from: who comes back is given the latest."
)


def add(app: FastAPI, changes: Changes, heartbeat_s: float = HEARTBEAT_S) -> None:
    """Add the route to an application."""

    @app.get(
        "/stream/{stream}",
        summary="Changes of a series as they come",
        description=_TOLD,
        response_model=None,
        responses={
            200: {"content": {"text/event-stream": {"schema": _EVENT}}, "description": "events"},
            **ERRORS,
        },
        tags=["stream"],
    )
    async def stream(
        stream: Annotated[str, Path(json_schema_extra={"enum": list(changes.watched.streams)})],
        symbol: str = Query(max_length=64, description="unified symbol as in BTCUSDT"),
        venues: str | None = Query(
            None,
            max_length=400,
            description="venue ids, separated by commas; all when left out",
            json_schema_extra=SOME_VENUES,
        ),
    ) -> Response:
        try:
            series, asked, missing = _meant(changes, stream, symbol, venues)
            box = changes.open(series, asked)
        except OrderflowError as error:
            return failed(failure_of(error))
        missing |= {one: "nothing received yet" for one in asked if one not in box.heard}
        begin = {
            "stream": series.stream,
            "symbol": series.symbol,
            "venues": asked,
            "missing": missing,
            "source": changes.watched.kind,
            "time": now(),
        }
        return _Events(_events(box, series.stream, begin, heartbeat_s), changes, series, box)


def _meant(
    changes: Changes, stream: str, symbol: str, venues: str | None
) -> tuple[Series, list[str], dict[str, str]]:
    """Return what is asked for, on which venues, and why not on the others that were named."""
    offered = changes.watched.streams
    if stream not in offered:
        raise InvalidArgument(
            f"no stream {stream[:40]!r} can be followed", hint=f"streams: {', '.join(offered)}"
        )
    named = [venue_id(one) for one in (venues or "").split(",") if one.strip()] or list(MARKETS)
    able = [one for one in dict.fromkeys(named) if stream in MARKETS[one].streams]
    missing = {one: f"has no {stream}" for one in named if one not in able} if venues else {}
    if not able:
        having = ", ".join(one for one in MARKETS if stream in MARKETS[one].streams)
        raise UnsupportedByVenue(f"{', '.join(missing)}: no {stream} there", hint=f"venues: {having}")
    wanted = resolve(unified(symbol) or symbol, changes.watched.symbols())
    return Series(stream, wanted), able, missing


async def _events(box: Box, name: str, begin: dict[str, Any], heartbeat_s: float) -> AsyncIterator[bytes]:
    total = 0
    yield _event("begin", begin, retry=RETRY_MS)
    while True:
        try:
            async with asyncio.timeout(heartbeat_s):
                await box.ready.wait()
        except TimeoutError:
            yield format_sse_event(comment=f"nothing new until {now()}")
            continue
        found, missed, more = box.take()
        parts = [format_sse_event(event=name, data_str=one.data, id=str(one.number)) for one in found]
        if missed or more:
            total += missed
            parts.append(_event("dropped", {"rows": missed, "since_begin": total, "and_more": more}))
        if parts:
            yield b"".join(parts)
        if box.ended:
            yield _event("end", {"reason": "the service stops", "time": now()})
            return


def _event(name: str, data: dict[str, Any], retry: int | None = None) -> bytes:
    return format_sse_event(event=name, data_str=msgspec.json.encode(data).decode(), retry=retry)


class _Events(EventSourceResponse):
    """The answer; it gives its box back however it ends."""

    def __init__(self, events: AsyncIterator[bytes], changes: Changes, series: Series, box: Box) -> None:
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._given_back = changes.close, series, box

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        close, series, box = self._given_back
        try:
            await super().__call__(scope, receive, send)
        finally:
            close(series, box)

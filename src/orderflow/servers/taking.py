"""Taking: a window of one series as a whole file, for programs; what is larger, `orderflow export` takes.

The rows are asked in the sandbox, which bounds what they cost the process that collects.
"""

import asyncio
import time
from typing import Annotated, Literal, Protocol

from fastapi import FastAPI, Path, Query
from starlette.responses import Response

from orderflow.market.errors import InvalidArgument, OrderflowError, TooLarge, UnsupportedByVenue
from orderflow.market.events import US
from orderflow.market.instruments import MARKETS, Series, venue_id
from orderflow.market.streams import STREAMS
from orderflow.servers.parts import ONE_VENUE
from orderflow.servers.replies import failure_of
from orderflow.servers.routes import ERRORS, failed
from orderflow.store.identifiers import identifier
from orderflow.store.sandbox import Found, Limits
from orderflow.tools.board import unified
from orderflow.tools.times import instant

SHOWN = {
    "/export/{stream}": "rows of a series as a file; ?symbol=&venue=&since=&until=&format=parquet|csv|arrow"
}

LIMITS = Limits(rows=1_000_000, answer_mb=256, memory_mb=1_024, seconds=60)
_MEDIA = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.file",
}


class Asked(Protocol):
    """Answers a statement that is bounded; `store.sandbox.ask` of a database."""

    def __call__(self, statement: str, limits: Limits | None = None, /) -> Found: ...


def add(app: FastAPI, asked: Asked) -> None:
    """Add the route to an application."""

    @app.get(
        "/export/{stream}",
        summary="Rows of a series as a file",
        response_class=Response,
        responses={
            200: {
                "content": {
                    kind: {"schema": {"type": "string", "format": "binary"}} for kind in _MEDIA.values()
                }
            },
            **ERRORS,
        },
    )
    async def export(
        stream: Annotated[str, Path(json_schema_extra={"enum": list(STREAMS)})],
        symbol: str = Query(description="unified symbol as in BTCUSDT"),
        venue: str = Query(description="venue id as in binance_spot", json_schema_extra=ONE_VENUE),
        since: str = Query("-4h", description="-4h, ISO 8601 or epoch milliseconds"),
        until: str = Query("now", description="as since; not included"),
        format: Literal["parquet", "csv", "arrow"] = Query("parquet", description="form of the file"),
    ) -> Response:
        try:
            place = _place(stream, venue)
        except OrderflowError as error:
            return failed(failure_of(error))
        try:
            name, statement = _statement(stream, symbol, place, since, until)
            body = await asyncio.to_thread(_file, asked, statement, format)
        except OrderflowError as error:
            return failed(failure_of(error), fits=True)
        told = {"Content-Disposition": f'attachment; filename="{name}.{format}"'}
        return Response(body, media_type=_MEDIA[format], headers=told)


def _place(stream: str, venue: str) -> str:
    """Return the id of a venue that has a stream."""
    if stream not in STREAMS:
        raise InvalidArgument(f"no stream is called {stream[:40]!r}", hint=f"streams: {', '.join(STREAMS)}")
    place = venue_id(venue)
    if stream not in MARKETS[place].streams:
        raise UnsupportedByVenue(
            f"{place} has no {stream}", hint=f"it has {', '.join(MARKETS[place].streams)}"
        )
    return place


def _statement(stream: str, symbol: str, place: str, since: str, until: str) -> tuple[str, str]:
    now = time.time_ns()
    first, last = instant(since, now), instant(until, now)
    if first >= last:
        raise InvalidArgument(
            "the window is empty: since does not lie before until", hint="since=-4h&until=now"
        )
    name = Series(unified(symbol), place, stream, False).name
    return name, (
        f"SELECT * FROM {identifier(name)} WHERE timestamp >= make_timestamp({-(-first // US)})"  # noqa: S608 - checked
        f" AND timestamp < make_timestamp({-(-last // US)}) ORDER BY timestamp, id"
    )


def _file(asked: Asked, statement: str, form: str) -> bytes:
    found = asked(statement, LIMITS)
    if found.truncated:
        raise TooLarge(
            f"more than {LIMITS.rows:,} rows are in this window", hint="a shorter one, or `orderflow export`"
        )
    return found.file(form)

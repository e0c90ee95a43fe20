"""Parts: one answer made of what several tools say; each part is a tool's answer or its failure, by its code."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec
from starlette.responses import Response

from orderflow.market.instruments import ALIASES, MARKETS
from orderflow.servers.callers import Caller
from orderflow.servers.replies import Failure, Reply
from orderflow.servers.routes import ERRORS, failed, json

Arguments: TypeAlias = Mapping[str, Any]

# How a venue, and several, are written in an address; the framework draws it, `venue_id` says what is wrong.
VENUE_NAMES = [*MARKETS, *(name for name in ALIASES if name not in MARKETS)]
ONE_VENUE: dict[str, Any] = {"enum": VENUE_NAMES}
SOME_VENUES: dict[str, Any] = {
    "pattern": f"^({'|'.join(VENUE_NAMES)})(,({'|'.join(VENUE_NAMES)}))*$",
    "example": "binance,bybit,okx",
}


async def asked_at_once(
    caller: Caller, asked: Mapping[str, tuple[str, Arguments]]
) -> dict[str, dict[str, Any]]:
    """Return what each tool says, or its failure, all asked at once."""
    replies = await asyncio.gather(*(caller.call(name, given, "json") for name, given in asked.values()))
    return {name: _part(reply) for name, reply in zip(asked, replies, strict=True)}


def _part(reply: Reply) -> dict[str, Any]:
    if reply.structured is not None:
        return reply.structured
    return msgspec.to_builtins(reply.failure or Failure(code="internal", message="no answer"))


def rows(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a tool's answer by the names of its columns."""
    every = [*part["rows"], *part.get("tail", ())]
    return [dict(zip(part["columns"], row, strict=True)) for row in every]


def said(answer: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> Response:
    """Return an answer, or the first failure where each of its parts is one."""
    if all("code" in one for one in parts.values()):
        return failed(msgspec.convert(next(iter(parts.values())), Failure))
    return json({**answer, "timestamp": now()})


def answers(*names: str) -> dict[int | str, dict[str, Any]]:
    """Describe an answer that has these names, and the errors that there may be instead."""
    properties: dict[str, Any] = {one: {} for one in names}
    schema = {
        "type": "object",
        "required": [*names, "timestamp"],
        "properties": {**properties, "timestamp": {"type": "string", "format": "date-time"}},
    }
    return {200: {"description": "the answer", "content": {"application/json": {"schema": schema}}}, **ERRORS}


def now() -> str:
    """Return the time as answers tell it: ISO 8601 in UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

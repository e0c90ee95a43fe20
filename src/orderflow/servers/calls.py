"""The calls: one POST a tool, drawn from the catalogue, in any form.

A tool that watches for a while has no path of its own: it is asked by name, and while it goes on its answer
begins with blanks, which JSON allows, so that neither a client nor a proxy between gives up.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Literal, TypeAlias, get_args

import msgspec
from fastapi import FastAPI, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from orderflow import tools
from orderflow.market.errors import InvalidArgument
from orderflow.servers.callers import Caller
from orderflow.servers.replies import Failure, Reply, failure_of
from orderflow.servers.routes import ERRORS, failed, json
from orderflow.servers.watches import lasts_s
from orderflow.tools.answers import PNG, Format
from orderflow.tools.forms import as_csv
from orderflow.tools.spec import Tool

Rows: TypeAlias = Literal["csv", "arrow"]  # the rows alone, for programs
Form: TypeAlias = Literal[Format, Rows]
Drawn: TypeAlias = Literal[Form, "png"]

BLANK_EVERY_S = 5.0

_MEDIA = {
    "json": "application/json",
    "text": "text/plain",
    "xml": "application/xml",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
}

_FORMAT = Query(
    None,
    description="form of the answer; json unless the body says another. csv and arrow are its rows alone",
)
_FORM = Query(
    None, description="form of the answer, or its picture; json unless the arguments say another form"
)
_ENVELOPE = Query(
    None, description="reply: text and structured answer in one object, as programs of ours ask"
)


def add(app: FastAPI, caller: Caller, writes: bool) -> None:
    """Add the routes to an application; tools that change something have one only where it `writes`."""
    for one in tools.ALL.toolset("all", writes=writes):
        if one.lasts_s:
            continue
        shown: dict[str, Any] = {
            "summary": one.title,
            "description": one.description,
            "tags": [one.family],
            "response_model": None,
            "responses": _responses(one.draws),
        }
        app.post(f"/tools/{one.name}", operation_id=one.name, openapi_extra=_body(one), **shown)(
            _drawing(caller, one.name) if one.draws else _named(caller, one.name)
        )
        if one.draws:  # so that a link, or a page, can hold the picture
            app.get(f"/tools/{one.name}", operation_id=f"get_{one.name}", openapi_extra=_query(one), **shown)(
                _drawing(caller, one.name)
            )

    @app.post(
        "/tools/{name}",
        summary="Call a tool by any of its names",
        description="Tools that watch for a while, as live_analyze, are asked here. Their JSON begins with blanks where"
        " it takes longer than five seconds, and its status is then 200: an error has `code` and `message`.",
        response_model=None,
        responses=_responses(draws=True),
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}},
    )
    async def any_name(
        request: Request,
        name: str,
        format: Drawn | None = _FORM,
        envelope: Literal["reply"] | None = _ENVELOPE,
    ) -> Response:
        return await _answer(caller, name, request, format, envelope)


def _named(caller: Caller, name: str) -> Callable[..., Awaitable[Response]]:
    async def call(
        request: Request,
        format: Form | None = _FORMAT,
        envelope: Literal["reply"] | None = _ENVELOPE,
    ) -> Response:
        return await _answer(caller, name, request, format, envelope)

    return call


def _drawing(caller: Caller, name: str) -> Callable[..., Awaitable[Response]]:
    """Return the same for a tool that draws: its picture is a form of the answer."""

    async def call(
        request: Request,
        format: Drawn | None = _FORM,
        envelope: Literal["reply"] | None = _ENVELOPE,
    ) -> Response:
        return await _answer(caller, name, request, format, envelope)

    return call


async def _answer(
    caller: Caller, name: str, request: Request, format: Drawn | None, envelope: str | None
) -> Response:
    try:
        arguments = _asked(request) if request.method == "GET" else _arguments(await request.body())
    except InvalidArgument as error:
        return failed(failure_of(error))
    said = arguments.get("format")
    if format is None and said in get_args(Rows):
        format = arguments.pop("format")
    form = _asked_form(format, said)

    async def answer() -> Response:
        reply = await caller.call(name, arguments, form)
        if reply.failure is not None:
            return failed(reply.failure, fits=tools.ALL.fits(name, arguments))
        if format == "png":
            return _picture(name, reply)
        if format in get_args(Rows):
            return _rows(reply, format == "arrow")
        if envelope == "reply":
            return json(reply)
        return Response(reply.text, media_type=_MEDIA[form or str(said)])

    if lasts_s(name, arguments) and (envelope == "reply" or (form == "json" and format in (None, "json"))):
        return await _in_json(answer())
    return await answer()


async def _in_json(answering: Awaitable[Response]) -> Response:
    """Return the answer or, where it is not there yet, one that has blanks until it is."""
    task = asyncio.ensure_future(answering)
    try:
        done, _ = await asyncio.wait({task}, timeout=BLANK_EVERY_S)
    except asyncio.CancelledError:
        task.cancel()
        raise
    return task.result() if done else StreamingResponse(_after_blanks(task), media_type=_MEDIA["json"])


async def _after_blanks(task: "asyncio.Future[Response]") -> AsyncIterator[bytes]:
    try:
        while not task.done():
            yield b" "
            await asyncio.wait({task}, timeout=BLANK_EVERY_S)
        yield bytes(task.result().body)
    finally:
        task.cancel()


def _asked_form(format: Drawn | None, said: Any) -> Format | None:
    """Return the form to ask the tool for; None where the arguments say it."""
    if format is None:
        return None if said not in (None, *get_args(Rows)) else "json"
    return "json" if format in ("png", "csv", "arrow") else format


def _rows(reply: Reply, arrow: bool) -> Response:
    """Return the rows of an answer's page alone; where more follow, a header has the cursor."""
    found = reply.structured
    if found is None:
        return failed(Failure(code="internal", message="the answer has no rows"))
    meta = found["meta"]
    told = {"X-Orderflow-Rows": f"{meta['rows']}/{meta['total']}", "X-Orderflow-Source": meta["source"]}
    if meta["next"]:
        told["X-Orderflow-Next"] = meta["next"]
    if not arrow:
        text = as_csv(found["columns"], found["rows"], meta["units"])
        return Response(text, headers=told, media_type=_MEDIA["csv"])
    from orderflow.store.columnar import stream  # which loads Arrow

    body = stream(found["columns"], found["rows"], meta["units"], meta)
    return Response(body, headers=told, media_type=_MEDIA["arrow"])


def _picture(name: str, reply: Reply) -> Response:
    if reply.picture is None:
        refusal = InvalidArgument(f"{name[:80]} gives no picture here", hint=f"tools that draw: {_draw()}")
        return failed(failure_of(refusal))
    told = {"Content-Disposition": f'inline; filename="{name}.png"'}
    return Response(reply.picture, media_type=PNG, headers=told)


def _draw() -> str:
    return ", ".join(one.name for one in tools.ALL.tools.values() if one.draws)


def _asked(request: Request) -> dict[str, Any]:
    """Return the arguments in a query, without those of the door."""
    return {name: value for name, value in request.query_params.items() if name not in ("format", "envelope")}


def _arguments(body: bytes) -> dict[str, Any]:
    """Return the arguments in a body: the object itself, or what it holds under `params`."""
    hint = 'send the arguments as {"symbol": "BTCUSDT"} or {"params": {…}}'
    if not body.strip():
        return {}
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidArgument(f"the body is no JSON: {error}", hint=hint) from error
    if isinstance(said, dict) and set(said) == {"params"}:
        said = said["params"]
    if not isinstance(said, dict):
        raise InvalidArgument("the body is no JSON object", hint=hint)
    return said


def _responses(draws: bool = False) -> dict[int | str, dict[str, Any]]:
    answer = {
        "type": "object",
        "required": ["meta", "columns", "rows"],
        "properties": {
            "meta": {"type": "object"},
            "columns": {"type": "array", "items": {"type": "string"}},
            "rows": {"type": "array", "items": {"type": "array"}},
            "summary": {"type": "object"},
            "more": {"type": "object"},
            "picture": {"type": "object"},
            "tail": {"type": "array", "items": {"type": "array"}},
        },
    }
    reply = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
    forms: dict[str, Any] = {
        "application/json": {"schema": {"anyOf": [answer, reply]}},
        "text/plain": {"schema": {"type": "string"}},
        "application/xml": {"schema": {"type": "string"}},
        "text/csv": {"schema": {"type": "string"}},
        _MEDIA["arrow"]: {"schema": {"type": "string", "format": "binary"}},
    }
    if draws:
        forms[PNG] = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"description": "the answer", "content": forms}, **ERRORS}


def _body(tool: Tool) -> dict[str, Any]:
    required_names = tool.schema.get("required", [])
    properties = {
        name: one if name in required_names else _optional(one)
        for name, one in tool.schema["properties"].items()
    }
    content: dict[str, Any] = {"schema": {**tool.schema, "properties": properties}}
    if tool.example is not None:
        content["example"] = tool.example
    required = any(one.required for one in tool.parameters)
    return {"requestBody": {"required": required, "content": {"application/json": content}}}


def _query(tool: Tool) -> dict[str, Any]:
    """Return the parameters of a query: a list is written with commas."""
    required = tool.schema.get("required", [])
    found = [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": one,
            **({"style": "form", "explode": False} if one.get("type") == "array" else {}),
        }
        for name, one in tool.schema["properties"].items()
        if name != "format"  # which the door tells itself
    ]
    return {"parameters": found}


def _optional(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Say that null is taken as left out; lists shown to assistants leave that unsaid, to be short."""
    found = dict(schema)
    if "type" in found:
        known = found["type"]
        found["type"] = [*(known if isinstance(known, list) else [known]), "null"]
    if "enum" in found:
        found["enum"] = [*found["enum"], None]
    return found

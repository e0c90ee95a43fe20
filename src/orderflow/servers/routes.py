"""The plain HTTP routes: what is here, how it is, and one POST a tool, drawn from the catalogue."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from fastapi import FastAPI, Query
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

import orderflow
from orderflow import tools
from orderflow.market.errors import InvalidArgument, OrderflowError, UnknownTool
from orderflow.servers.auth import refused
from orderflow.servers.callers import Caller
from orderflow.servers.metrics import Metrics
from orderflow.servers.replies import Failure, Reply, failure_of
from orderflow.tools.answers import PNG, Format
from orderflow.tools.spec import Tool

STATUS = {
    "invalid_argument": 400,
    "unknown_tool": 404,
    "unknown_symbol": 404,
    "no_data_for_range": 404,
    "unsupported_by_venue": 409,
    "stale_data": 409,
    "too_large": 413,
    "rate_limited": 429,
    "venue_unavailable": 503,
    "timeout": 504,
    "internal": 500,
}
_MEDIA = {"json": "application/json", "text": "text/plain", "xml": "application/xml"}


class Error(BaseModel):
    """What went wrong, by a stable code, and what would be right."""

    code: str
    message: str
    hint: str = ""
    after_s: float | None = None
    trace: str | None = None


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Error, "description": ", ".join(code for code, one in STATUS.items() if one == status)}
    for status in sorted(set(STATUS.values()))
}


def add(app: FastAPI, caller: Caller, metrics: Metrics, further: Mapping[str, str]) -> None:
    """Add the routes to an application; its front page tells of `further` ones, too."""
    _add_state(app, caller, metrics, further)
    _add_catalogue(app)
    _add_calls(app, caller)
    drawn = app.openapi

    def ours() -> dict[str, Any]:
        """Draw the interface without the framework's own validation error, which no route of ours sends."""
        found = drawn()
        for path in found["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        return found

    app.openapi = ours


def failed(failure: Failure) -> Response:
    headers = {} if failure.after_s is None else {"Retry-After": str(max(1, round(failure.after_s)))}
    return refused(STATUS.get(failure.code, 500), failure, headers)


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


# ── How it is ─────────────────────────────────────────────────────────────────────────────────


def _add_state(app: FastAPI, caller: Caller, metrics: Metrics, further: Mapping[str, str]) -> None:
    @app.get("/", summary="What is here", response_model=None)
    async def root() -> dict[str, Any]:
        return {
            "name": "crypto-orderflow",
            "version": orderflow.__version__,
            "tools": len(tools.ALL.tools),
            "endpoints": {
                "/health": "status, reasons and venues; 503 when unhealthy",
                "/healthz": "status alone",
                "/metrics": "figures for Prometheus",
                "/tools": "the catalogue; ?category=",
                "/tools/{name}/schema": "parameters of a tool",
                "POST /tools/{name}": "call a tool; ?format=json|text|xml, and png of one that draws",
                "GET /tools/chart_…": "the same of one that draws, its arguments in the query",
                "/mcp": "MCP, Streamable HTTP; /mcp/all, /mcp/meta, /mcp/x/FAMILIES",
                "/sse": "MCP for older clients",
                **further,
                "/docs": "this interface, to try",
            },
        }

    sick: dict[int | str, dict[str, Any]] = {503: {"description": "unhealthy"}}

    @app.get("/health", summary="Status, reasons and venues", response_model=None, responses=sick)
    async def health() -> Response:
        said = _health(await caller.health())
        return _json(said, 503 if said["status"] == "unhealthy" else 200)

    @app.get("/healthz", summary="Status alone", response_model=None, responses=sick)
    async def healthz() -> Response:
        said = _health(await caller.health())
        brief = {name: said[name] for name in ("status", "reasons", "simulated", "version")}
        return _json(brief, 503 if said["status"] == "unhealthy" else 200)

    text: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}

    @app.get("/metrics", summary="Figures for Prometheus", response_class=Response, responses=text)
    async def figures() -> Response:
        return Response(metrics.text(await caller.health()), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _health(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the health as the door shows it; one that does not say its status is not healthy."""
    status = said.get("status")
    known = status in ("healthy", "degraded", "unhealthy")
    return {
        **said,
        "status": status if known else "unhealthy",
        "reasons": list(said.get("reasons", [])) if known else ["the status is unknown"],
        "simulated": said.get("kind") == "simulated",
        "version": orderflow.__version__,
    }


# ── The catalogue ─────────────────────────────────────────────────────────────────────────────


def _add_catalogue(app: FastAPI) -> None:
    wrong: dict[int | str, dict[str, Any]] = {400: {"model": Error, "description": "no such category"}}

    @app.get("/tools", summary="The catalogue", response_model=None, responses=wrong)
    async def catalogue(
        category: str | None = Query(
            None,
            description="a family or a set",
            json_schema_extra={"enum": ["core", "all", "meta", *tools.ALL.families]},
        ),
    ) -> Response:
        try:
            shown = tools.ALL.toolset(category if category is not None else "all")
        except UnknownTool as error:
            return refused(400, failure_of(error))
        families: dict[str, list[dict[str, str]]] = {}
        for one in shown:
            entry = {"name": one.name, "title": one.title, "description": one.description}
            families.setdefault(one.family, []).append(entry)
        categories = {name: {"count": len(each), "tools": each} for name, each in families.items()}
        return _json({"total_tools": len(shown), "categories": categories})

    unknown: dict[int | str, dict[str, Any]] = {404: {"model": Error, "description": "no such tool"}}

    @app.get("/tools/{name}/schema", summary="Parameters of a tool", response_model=None, responses=unknown)
    async def schema(name: str) -> Response:
        try:
            found, _ = tools.ALL.resolve(name)
            return _json(
                {
                    "tool_name": name,
                    "canonical": found.name,
                    "description": found.description,
                    "parameters": tools.ALL.schema(name),
                    "result": found.result,
                    "example": found.example,
                }
            )
        except OrderflowError as error:
            return failed(failure_of(error))


# ── The calls ─────────────────────────────────────────────────────────────────────────────────

Form: TypeAlias = Literal["text", "json", "xml", "png"]  # of a tool that draws

_FORMAT = Query(None, description="form of the answer; json unless the body says another")
_FORM = Query(
    None, description="form of the answer, or its picture; json unless the arguments say another form"
)
_ENVELOPE = Query(
    None, description="reply: text and structured answer in one object, as programs of ours ask"
)


def _add_calls(app: FastAPI, caller: Caller) -> None:
    for one in tools.ALL.tools.values():
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
        response_model=None,
        responses=_responses(draws=True),
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}},
    )
    async def any_name(
        request: Request,
        name: str,
        format: Form | None = _FORM,
        envelope: Literal["reply"] | None = _ENVELOPE,
    ) -> Response:
        return await _answer(caller, name, request, format, envelope)


def _named(caller: Caller, name: str) -> Callable[..., Awaitable[Response]]:
    async def call(
        request: Request,
        format: Format | None = _FORMAT,
        envelope: Literal["reply"] | None = _ENVELOPE,
    ) -> Response:
        return await _answer(caller, name, request, format, envelope)

    return call


def _drawing(caller: Caller, name: str) -> Callable[..., Awaitable[Response]]:
    """Return the same for a tool that draws: its picture is a form of the answer."""

    async def call(
        request: Request,
        format: Form | None = _FORM,
        envelope: Literal["reply"] | None = _ENVELOPE,
    ) -> Response:
        return await _answer(caller, name, request, format, envelope)

    return call


async def _answer(
    caller: Caller, name: str, request: Request, format: Form | None, envelope: str | None
) -> Response:
    try:
        arguments = _asked(request) if request.method == "GET" else _arguments(await request.body())
    except InvalidArgument as error:
        return failed(failure_of(error))
    said = arguments.get("format")
    form: Format | None = "json" if format == "png" else format or ("json" if said is None else None)
    reply = await caller.call(name, arguments, form)
    if reply.failure is not None:
        return failed(reply.failure)
    if format == "png":
        return _picture(name, reply)
    if envelope == "reply":
        return _json(reply)
    return Response(reply.text, media_type=_MEDIA[form or str(said)])


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

"""The plain HTTP routes: what is here, how it is, and the catalogue."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI, Query
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.responses import Response

import orderflow
from orderflow import tools
from orderflow.market.errors import OrderflowError, UnknownTool
from orderflow.servers.auth import refused
from orderflow.servers.callers import Caller
from orderflow.servers.metrics import Metrics
from orderflow.servers.replies import Failure, failure_of

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
    "busy": 503,
    "timeout": 504,
    "internal": 500,
}

# Of a request whose form is as the interface says: what it asks for does not go together, or is too much to tell.
_MEANT = {**STATUS, "invalid_argument": 409, "too_large": 409}


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


# What the door itself may say before a route is asked.
_ANYWHERE: dict[int, dict[str, Any]] = {
    status: {
        "description": why,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for status, why in {
        400: "an argument that cannot be",
        401: "the token is missing or wrong",
        403: "asked from a page of another site",
        408: "the body did not come in time",
        413: "the body is too large",
        414: "the address is too long",
        421: "another host is meant",
        429: "too many requests",
        431: "the headers are too long",
        503: "too much is asked at once",
    }.items()
}


def add(app: FastAPI, caller: Caller, metrics: Metrics, writes: bool, further: Mapping[str, str]) -> None:
    """Add the routes to an application; its front page tells of `further` ones, too.

    Tools that change something are listed only where it `writes`.
    """
    _add_state(app, caller, metrics, further)
    _add_catalogue(app, writes)
    drawn = app.openapi

    def ours() -> dict[str, Any]:
        """Draw the interface with what any route may say, and without the framework's own validation error."""
        found = drawn()
        for path in found["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
                for status, said in _ANYWHERE.items():
                    operation["responses"].setdefault(str(status), said)
        return found

    app.openapi = ours


def status_of(failure: Failure, *, fits: bool = False) -> int:
    """Return the status of an error, of a request whose form `fits` the interface or does not."""
    return (_MEANT if fits else STATUS).get(failure.code, 500)


def failed(failure: Failure, *, fits: bool = False) -> Response:
    headers = {} if failure.after_s is None else {"Retry-After": str(max(1, round(failure.after_s)))}
    return refused(status_of(failure, fits=fits), failure, headers)


def json(value: Any, status: int = 200) -> Response:
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
                "POST /tools/{name}": "call a tool; ?format=json|text|xml|csv|arrow, and png of one that draws",
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
        return json(said, 503 if said["status"] == "unhealthy" else 200)

    @app.get("/healthz", summary="Status alone", response_model=None, responses=sick)
    async def healthz() -> Response:
        said = _health(await caller.health())
        brief = {name: said[name] for name in ("status", "reasons", "simulated", "version")}
        return json(brief, 503 if said["status"] == "unhealthy" else 200)

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


def _add_catalogue(app: FastAPI, writes: bool) -> None:
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
            shown = tools.ALL.toolset(category if category is not None else "all", writes=writes)
        except UnknownTool as error:
            return refused(400, failure_of(error))
        families: dict[str, list[dict[str, str]]] = {}
        for one in shown:
            entry = {"name": one.name, "title": one.title, "description": one.description}
            families.setdefault(one.family, []).append(entry)
        categories = {name: {"count": len(each), "tools": each} for name, each in families.items()}
        return json({"total_tools": len(shown), "categories": categories})

    unknown: dict[int | str, dict[str, Any]] = {404: {"model": Error, "description": "no such tool"}}

    @app.get("/tools/{name}/schema", summary="Parameters of a tool", response_model=None, responses=unknown)
    async def schema(name: str) -> Response:
        try:
            found, _ = tools.ALL.resolve(name)
            return json(
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

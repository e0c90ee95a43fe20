"""A desk's endpoints: large trades, funding rates, open interest and books, from our store or PostgreSQL.

Every answer is one envelope: `success`, `data`, `filters` as they were understood, `timestamp`. So is
every refusal: `success` false, with the `code`, `message` and `hint` of the other doors.
"""

import logging
import secrets
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Protocol

import msgspec
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from orderflow.market.errors import InvalidArgument, OrderflowError
from orderflow.market.instruments import MARKETS
from orderflow.servers.callers import DEFECTS
from orderflow.servers.replies import Failure, failure_of
from orderflow.servers.routes import status_of
from orderflow.store.desk import MOST_HOURS, MOST_ROWS, Answer, Filters
from orderflow.store.desk.questions import MOST_USD
from orderflow.store.desk.results import FundingRates, LargeTrades, OpenInterests, OrderBooks

log = logging.getLogger(__name__)

PREFIX = "/api/v1/exchange"
SHOWN = {
    f"{PREFIX}/large-trades": "large trades and liquidations; ?symbol=BTC&hours=24",
    f"{PREFIX}/funding-rates": "funding rates, and their mean per 8 hours",
    f"{PREFIX}/open-interest": "open interest, and the total of the latest",
    f"{PREFIX}/orderbooks": "the best ten levels of each market's book",
}


class Desk(Protocol):
    """Who answers a desk's questions. May be asked from several threads."""

    def answer(self, name: str, filters: Filters) -> Answer: ...
    def close(self) -> None: ...


class Refusal(BaseModel):
    """What went wrong, by a stable code, and what would be right."""

    success: Literal[False] = False
    code: str
    message: str
    hint: str = ""
    after_s: float | None = None
    trace: str | None = None
    timestamp: str


def add(app: FastAPI, desk: Desk) -> None:
    """Add the endpoints to an application, and their answers to its OpenAPI document."""
    app.include_router(_router(desk))
    _, schemas = msgspec.json.schema_components(
        (LargeTrades, FundingRates, OpenInterests, OrderBooks), ref_template="#/components/schemas/{name}"
    )
    drawn = app.openapi

    def ours() -> dict[str, Any]:
        found = drawn()
        found.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
        return found

    app.openapi = ours


# ── Filters ───────────────────────────────────────────────────────────────────────────────────

Symbol = Annotated[
    str | None,
    Query(max_length=64, description="as BTCUSDT, or BTC for what is quoted in dollars; all when left out"),
]
Exchange = Annotated[
    str | None,
    Query(
        max_length=400, description=f"venues, separated by commas; all when left out: {', '.join(MARKETS)}"
    ),
]
Hours = Annotated[float, Query(gt=0, le=MOST_HOURS, allow_inf_nan=False, description="how far back")]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="rows at most; the summary is of all")]


def _router(desk: Desk) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["desk"], route_class=_Enveloped)

    def answered(name: str, **filters: Any) -> Response:
        answer = desk.answer(name, Filters(**filters))
        return Response(msgspec.json.encode(answer), media_type="application/json")

    @router.get("/large-trades", summary="Large trades and liquidations", responses=_responses(LargeTrades))
    def large_trades(
        symbol: Symbol = None,
        hours: Hours = 24,
        exchange: Exchange = None,
        min_value_usd: Annotated[float | None, Query(ge=0, le=MOST_USD, allow_inf_nan=False)] = None,
        only_liquidations: bool = False,
        order: Annotated[Literal["time", "value"], Query(description="newest or largest first")] = "time",
        limit: Limit = 100,
    ) -> Response:
        return answered(
            "large_trades",
            symbol=symbol,
            hours=hours,
            exchange=exchange,
            min_value_usd=min_value_usd,
            only_liquidations=only_liquidations,
            order=order,
            limit=limit,
        )

    @router.get("/funding-rates", summary="Funding rates as announced", responses=_responses(FundingRates))
    def funding_rates(
        symbol: Symbol = None,
        hours: Hours = 24,
        exchange: Exchange = None,
        order: Annotated[Literal["time", "rate"], Query(description="newest or highest first")] = "time",
        limit: Limit = 100,
    ) -> Response:
        return answered(
            "funding_rates", symbol=symbol, hours=hours, exchange=exchange, order=order, limit=limit
        )

    @router.get("/open-interest", summary="Open interest, one side", responses=_responses(OpenInterests))
    def open_interest(
        symbol: Symbol = None,
        hours: Hours = 24,
        exchange: Exchange = None,
        order: Annotated[Literal["time", "usd"], Query(description="newest or largest first")] = "time",
        limit: Limit = 100,
    ) -> Response:
        return answered(
            "open_interest", symbol=symbol, hours=hours, exchange=exchange, order=order, limit=limit
        )

    @router.get("/orderbooks", summary="The best ten levels of books", responses=_responses(OrderBooks))
    def orderbooks(
        symbol: Symbol = None,
        hours: Hours = 1,
        exchange: Exchange = None,
        latest: Annotated[bool, Query(description="the last of each market, or all of the window")] = True,
        limit: Limit = 100,
    ) -> Response:
        return answered(
            "orderbooks", symbol=symbol, hours=hours, exchange=exchange, latest=latest, limit=limit
        )

    return router


def _responses(data: type) -> dict[int | str, dict[str, Any]]:
    envelope = {
        "type": "object",
        "required": ["success", "data", "filters", "timestamp"],
        "properties": {
            "success": {"const": True},
            "data": {"$ref": f"#/components/schemas/{data.__name__}"},
            "filters": {"type": "object"},
            "timestamp": {"type": "string", "format": "date-time"},
        },
    }
    said = {
        400: "a filter that cannot be",
        404: "no such symbol",
        409: "an unknown venue, or a store that cannot be used",
        500: "a defect of ours",
        503: "PostgreSQL is away, or the collector that serves the store is gone",
        504: "it took too long",
    }
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": Refusal, "description": why} for status, why in said.items()
    }
    return {
        200: {"description": "the answer", "content": {"application/json": {"schema": envelope}}},
        **refusals,
    }


# ── Refusals ──────────────────────────────────────────────────────────────────────────────────


class _Enveloped(APIRoute):
    """A route whose errors come in the envelope, and which refuses a parameter that it does not know."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        known = [one.alias for one in self.dependant.query_params]

        async def enveloped(request: Request) -> Response:
            try:
                _check(request, known)
            except InvalidArgument as error:
                return _refused(failure_of(error))
            try:
                return await answer(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                return _refused(
                    Failure(
                        code="invalid_argument",
                        message=f"{first['loc'][-1]}: {first['msg']}, not {str(first.get('input'))[:40]!r}",
                        hint="see /docs",
                    )
                )
            except OrderflowError as error:
                return _refused(failure_of(error), fits=True)
            except DEFECTS:
                trace = secrets.token_hex(6)
                log.exception("%s failed, trace %s", request.url.path, trace)
                message = f"{request.url.path} failed on our side, trace {trace}"
                return _refused(
                    Failure(code="internal", message=message, hint="the log has the details", trace=trace)
                )

        return enveloped


def _check(request: Request, known: list[str]) -> None:
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InvalidArgument(
                f"there is no filter {name[:40]!r}", hint=f"{hint}filters: {', '.join(known)}"
            )


def _refused(failure: Failure, *, fits: bool = False) -> Response:
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    shown = {name: value for name, value in msgspec.to_builtins(failure).items() if value is not None}
    headers = {} if failure.after_s is None else {"Retry-After": str(max(1, round(failure.after_s)))}
    return Response(
        msgspec.json.encode({"success": False, **shown, "timestamp": now}),
        status_of(failure, fits=fits),
        headers,
        media_type="application/json",
    )

"""Not built: endpoints of earlier systems that need features, signals or forecasts, which nothing here makes yet.

They say so, with the tools that tell of the same thing today; a number that nobody reckoned is never given.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from orderflow.servers.auth import refused
from orderflow.servers.replies import Failure
from orderflow.servers.routes import Error

CODE = "not_built"


class Lacking(NamedTuple):
    """What an endpoint would give, and which tools tell of the same thing today."""

    path: str
    what: str
    instead: tuple[str, ...]


LACKING = (
    Lacking(
        "/features/{symbol}",
        "features of a market",
        ("market_snapshot", "orderflow_metrics", "orderflow_pressure"),
    ),
    Lacking(
        "/ticker-features/{symbol}",
        "features of a ticker",
        ("market_ticker", "market_candles", "history_aggregate"),
    ),
    Lacking(
        "/signals/{symbol}",
        "signals",
        ("orderflow_metrics", "orderflow_structure", "orderflow_pressure", "market_liquidations"),
    ),
    Lacking("/forecast/{symbol}", "forecasts", ("market_volatility", "options_surface", "history_candles")),
    Lacking("/regimes/{symbol}", "regimes", ("orderflow_structure", "market_volatility", "history_candles")),
    Lacking(
        "/analytics/{symbol}",
        "signals of positioning and stress",
        (
            "market_long_short_ratio",
            "market_taker_volume",
            "market_open_interest_history",
            "market_funding_history",
            "market_liquidations",
        ),
    ),
    Lacking("/backtest/{symbol}", "backtests of models", ("history_candles", "history_trades")),
    Lacking("/model-comparison", "models to compare", ("history_candles", "market_volatility")),
)


def failure(lacking: Lacking) -> Failure:
    return Failure(
        code=CODE,
        message=f"there are no {lacking.what} here yet",
        hint=f"tools that answer today: {', '.join(lacking.instead)}; POST /tools/NAME asks one",
    )


def of(path: str) -> Failure:
    """Return what an endpoint says."""
    return failure(next(one for one in LACKING if one.path == path))


def add(app: FastAPI) -> None:
    """Add the routes to an application."""
    said: dict[int | str, dict[str, Any]] = {
        404: {"model": Error, "description": f"{CODE}; the hint names tools that answer today"}
    }
    for one in LACKING:
        app.get(
            one.path,
            summary=f"Not built yet: {one.what}",
            response_class=Response,
            responses=said,
            status_code=404,
            openapi_extra=_parameters(one.path),
            tags=["earlier"],
        )(_answering(one))


def _answering(lacking: Lacking) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return refused(404, failure(lacking))

    return answer


def _parameters(path: str) -> dict[str, Any]:
    if "{symbol}" not in path:
        return {}
    symbol = {"name": "symbol", "in": "path", "required": True, "schema": {"type": "string"}}
    return {"parameters": [symbol]}

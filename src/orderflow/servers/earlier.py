"""Earlier: endpoints under which earlier systems asked, answered from the tools of the catalogue.

Each part of an answer is what one tool says: its columns, rows and meta. A part that cannot be had is the tool's
error, by its code, beside the parts that can; where none can be had the first error is the answer.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Path, Query
from starlette.responses import Response

from orderflow.market.errors import OrderflowError
from orderflow.market.instruments import venue_id
from orderflow.servers import exchanges, not_built
from orderflow.servers.callers import Caller
from orderflow.servers.parts import ONE_VENUE, SOME_VENUES, Arguments, answers, asked_at_once, rows, said
from orderflow.servers.replies import failure_of
from orderflow.servers.routes import failed

SHOWN = exchanges.SHOWN | {
    "/cross-exchange/{symbol}": "prices, funding, open interest and arbitrage of several venues; ?exchanges=",
    "/streaming/status": "what is collected, how it goes, what is wrong",
    "/dashboard/{symbol}": "one symbol at a glance; ?exchange=",
    "/features /signals /forecast …": "not built yet: 404, with the tools that answer today",
}

Symbol = Annotated[str, Path(max_length=64, description="unified symbol as in BTCUSDT")]
Exchange = Annotated[
    str | None, Query(description="venue id; all when left out", json_schema_extra=ONE_VENUE)
]

_STREAMING: dict[str, tuple[str, Arguments]] = {
    "status": ("stream_status", {}),
    "health": ("stream_health", {}),
    "alerts": ("stream_alerts", {}),
}


def add(app: FastAPI, caller: Caller) -> None:
    """Add the routes to an application."""
    not_built.add(app)
    exchanges.add(app, caller)
    _add_streaming(app, caller)
    _add_markets(app, caller)


def _add_streaming(app: FastAPI, caller: Caller) -> None:
    @app.get(
        "/streaming/status",
        summary="What is collected and how it goes",
        response_class=Response,
        responses=answers("streaming"),
    )
    async def streaming() -> Response:
        parts = await asked_at_once(caller, _STREAMING)
        return said({"streaming": parts}, parts)


def _add_markets(app: FastAPI, caller: Caller) -> None:
    @app.get(
        "/cross-exchange/{symbol}",
        summary="A symbol on several venues",
        response_class=Response,
        responses=answers("symbol", "exchanges", "cross_exchange", "missing"),
    )
    async def cross_exchange(
        symbol: Symbol,
        exchanges: Annotated[
            str,
            Query(max_length=400, description="venues, separated by commas", json_schema_extra=SOME_VENUES),
        ] = "binance,bybit,okx",
    ) -> Response:
        try:
            venues = list(dict.fromkeys(venue_id(one) for one in exchanges.split(",") if one.strip()))
        except OrderflowError as error:
            return failed(failure_of(error))
        asked: Arguments = {"symbol": symbol, **({"venues": venues} if venues else {})}
        parts = await asked_at_once(
            caller,
            {
                "prices": ("xv_prices", asked),
                "funding_rates": ("market_funding", asked),
                "open_interest": ("market_open_interest", asked),
                "arbitrage": ("xv_arbitrage", asked),
            },
        )
        by_venue = {
            name: part if "code" in part or name == "arbitrage" else {**part, "by_venue": _by_venue(part)}
            for name, part in parts.items()
        }
        return said(
            {
                "symbol": symbol,
                "exchanges": venues,
                "cross_exchange": by_venue,
                "missing": {name: _missing(part, venues) for name, part in parts.items()},
            },
            parts,
        )

    @app.get(
        "/dashboard/{symbol}",
        summary="A symbol at a glance",
        response_class=Response,
        responses=answers("symbol", "market", "streaming", "features", "signals", "forecast"),
    )
    async def dashboard(symbol: Symbol, exchange: Exchange = None) -> Response:
        try:
            venues = {} if exchange is None else {"venues": [venue_id(exchange)]}
        except OrderflowError as error:
            return failed(failure_of(error))
        market = await asked_at_once(
            caller,
            {
                "snapshot": ("market_snapshot", {"symbol": symbol, **venues}),
                "prices": ("xv_prices", {"symbol": symbol, **venues}),
                "liquidations": ("market_liquidations", {"symbol": symbol, **venues}),
            },
        )
        lacking = {
            name: msgspec.to_builtins(not_built.of(f"/{name}/{{symbol}}"))
            for name in ("features", "signals", "forecast")
        }
        streaming = await asked_at_once(caller, _STREAMING)
        return said(
            {"symbol": symbol, "exchange": exchange, "market": market, "streaming": streaming, **lacking},
            market,
        )


def _by_venue(part: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {str(row["venue"]): row for row in rows(part)}


def _missing(part: Mapping[str, Any], venues: list[str]) -> dict[str, str]:
    """Return the venues that a part does not tell of, each with why."""
    if "code" in part:
        reason: str = part["message"]
        return dict.fromkeys(venues, reason)
    told: dict[str, Any] = part["meta"]["venues"]
    why: dict[str, str] = told["missing"]
    return {one: why.get(one, "does not answer") for one in venues if one not in told["answered"]}

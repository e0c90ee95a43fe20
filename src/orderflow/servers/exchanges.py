"""Exchanges: the venues as the catalogue has them, and what each lists."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query
from starlette.responses import Response

from orderflow import tools
from orderflow.market.errors import InvalidArgument, OrderflowError, UnsupportedByVenue
from orderflow.market.instruments import MARKETS, Market, venue_id
from orderflow.servers.callers import Caller
from orderflow.servers.parts import ONE_VENUE, answers, json, now, rows
from orderflow.servers.replies import Failure, failure_of
from orderflow.servers.routes import failed
from orderflow.tools.answers import MOST_TOKENS
from orderflow.tools.spec import MOST_ROWS

SHOWN = {
    "/exchanges": "the venues: what is collected, what can be asked, how each is",
    "/symbols/{exchange}": "what a venue lists; ?market_type=",
}

_MOST_PAGES = 20  # of a listing
_KINDS = list(dict.fromkeys(one.market for one in MARKETS.values()))


def add(app: FastAPI, caller: Caller) -> None:
    """Add the routes to an application."""

    @app.get("/exchanges", summary="Venues", response_class=Response, responses=answers("exchanges", "total"))
    async def exchanges() -> Response:
        health = (await caller.health()).get("venues", {})
        listed = [_venue(one, health.get(name)) for name, one in MARKETS.items()]
        return json({"exchanges": listed, "total": len(listed), "timestamp": now()})

    @app.get(
        "/symbols/{exchange}",
        summary="What a venue lists",
        response_class=Response,
        responses=answers("exchange", "venue", "symbols", "total"),
    )
    async def symbols(
        exchange: Annotated[
            str, Path(description="venue id, or an exchange as in binance", json_schema_extra=ONE_VENUE)
        ],
        market_type: Annotated[
            str | None,
            Query(
                description="the usual one of the exchange when left out; one that it has not is refused",
                json_schema_extra={"enum": _KINDS},
            ),
        ] = None,
    ) -> Response:
        try:
            venue = _meant(exchange, market_type)
        except OrderflowError as error:
            return failed(failure_of(error))
        found = await _listed(caller, venue)
        if isinstance(found, Failure):
            return failed(found)
        names, meta, whole = found
        return json(
            {
                "exchange": MARKETS[venue].exchange,
                "venue": venue,
                "market_type": MARKETS[venue].market,
                "symbols": names,
                "total": len(names),
                "whole": whole,
                "source": meta["source"],
                "timestamp": now(),
            }
        )


def _venue(market: Market, health: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a venue as it is declared, and as it is where it is collected."""
    known = health or {}
    return {
        "id": market.venue,
        "name": market.exchange,
        "type": market.market,
        "features": list(market.streams),
        "tools": [
            name
            for name, alias in tools.ALL.aliases.items()
            if alias.fixed.get("venues") == [market.venue] or alias.fixed.get("venue") == market.venue
        ],
        "collected": health is not None,
        **{name: known.get(name) for name in ("status", "connected", "age_ms")},
    }


def _meant(exchange: str, market_type: str | None) -> str:
    """Return the venue of an exchange that has this kind of market, or raise `UnsupportedByVenue`."""
    usual = MARKETS[venue_id(exchange)]
    if market_type is None or usual.market == market_type:
        return usual.venue
    if market_type not in _KINDS:
        raise InvalidArgument(f"market_type: {market_type[:40]!r}", hint=f"market_type: {' | '.join(_KINDS)}")
    of_exchange = {one.market: one.venue for one in MARKETS.values() if one.exchange == usual.exchange}
    if market_type not in of_exchange or exchange.strip().lower() in MARKETS:
        raise UnsupportedByVenue(
            f"{exchange[:40]} has no market {market_type} here",
            hint=f"markets of {usual.exchange}: {', '.join(of_exchange)}",
        )
    return of_exchange[market_type]


async def _listed(caller: Caller, venue: str) -> tuple[list[str], dict[str, Any], bool] | Failure:
    """Return the symbols that a venue lists and trades, the meta, and whether these are all."""
    names: dict[str, None] = {}
    arguments: dict[str, Any] = {"venues": [venue], "limit": MOST_ROWS, "max_tokens": MOST_TOKENS}
    meta: dict[str, Any] = {}
    for _ in range(_MOST_PAGES):
        reply = await caller.call("market_instruments", arguments, "json")
        if reply.structured is None:
            return reply.failure or Failure(code="internal", message="no answer")
        meta = reply.structured["meta"]
        for row in rows(reply.structured):
            if row["trading"]:
                names[row["symbol"]] = None
        if meta["next"] is None:
            return list(names), meta, True
        arguments = {"next": meta["next"], "max_tokens": MOST_TOKENS}
    return list(names), meta, False

"""Desk: the simulation's own pages below `/sim`: what it is, its faults, its ledger of sent trades."""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
from aiohttp import web

from orderflow.sim.faults import Faults
from orderflow.sim.listings import Listing, Wording
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form
from orderflow.sim.tape import Ledger, Print, Tape

_MOST_ROWS = 100_000


class Simulated(Protocol):
    """What the desk shows of a simulation."""

    symbols: tuple[str, ...]
    seed: int
    rate: float
    ledger: Ledger
    faults: Faults
    markets: dict[str, Market]
    forms: dict[str, Form]
    dropped_slow: int

    @property
    def frames_sent(self) -> int: ...

    def hosts(self, venue: str) -> dict[str, Any]: ...


class Desk:
    """Routes over one simulation. Wrong requests get 400 with one line that says what is allowed."""

    def __init__(self, simulation: Simulated) -> None:
        self._simulation = simulation

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/sim", self._about)
        app.router.add_get("/sim/faults", self._told)
        app.router.add_post("/sim/faults", self._tell)
        app.router.add_get("/sim/ledger", self._summary)
        app.router.add_get("/sim/ledger/rows", self._rows)
        app.router.add_get("/sim/ledger/told", self._counts)

    async def _about(self, request: web.Request) -> web.Response:
        one = self._simulation
        return _json(
            {
                "simulated": True,
                "seed": one.seed,
                "symbols": one.symbols,
                "rate": one.rate,
                "venues": list(one.forms),
                "listed": {
                    venue: [symbol for symbol, market in one.markets.items() if venue in market.venues]
                    for venue in one.forms
                },
                "hosts": {venue: one.hosts(venue) for venue in one.forms},
                "frames_sent": one.frames_sent,
                "slow_clients_dropped": one.dropped_slow,
            }
        )

    async def _told(self, request: web.Request) -> web.Response:
        return _json(self._simulation.faults.listed())

    async def _tell(self, request: web.Request) -> web.Response:
        try:
            fault = self._simulation.faults.tell_json(await request.read())
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        return _json(fault)

    async def _summary(self, request: web.Request) -> web.Response:
        asked = request.query
        found: list[dict[str, Any]] = []
        for (venue, symbol, stream), tape in self._simulation.ledger.tapes.items():
            if (
                asked.get("venue", venue) == venue
                and asked.get("symbol", symbol) == symbol
                and asked.get("stream", stream) == stream
            ):
                found.append({"venue": venue, "symbol": symbol, "stream": stream, **_span(tape)})
        if not found:
            return _json({"error": _no_tape(asked, self._simulation.forms)}, 404)
        exact = all(name in asked for name in ("venue", "symbol", "stream"))
        return _json(found[0] if exact else found)

    async def _counts(self, request: web.Request) -> web.Response:
        """What was sent beside trades, by venue, symbol and kind; an empty list if nothing was yet."""
        asked = request.query
        return _json(
            [
                {"venue": venue, "symbol": symbol, "kind": kind, **msgspec.to_builtins(told)}
                for (venue, symbol, kind), told in sorted(self._simulation.ledger.told.items())
                if asked.get("venue", venue) == venue
                and asked.get("symbol", symbol) == symbol
                and asked.get("kind", kind) == kind
            ]
        )

    async def _rows(self, request: web.Request) -> web.Response:
        asked = request.query
        venue, symbol = asked.get("venue", ""), asked.get("symbol", "")
        tape = self._simulation.ledger.tapes.get((venue, symbol, asked.get("stream", "")))
        if tape is None:
            return _json({"error": _no_tape(asked, self._simulation.forms)}, 404)
        from_id, limit = asked.get("from_id", "0"), asked.get("limit", "1000")
        if not from_id.isdecimal() or not limit.isdecimal():
            return _json({"error": f"from_id {from_id!r} and limit {limit!r} must be whole numbers"}, 400)
        listing = self._simulation.forms[venue].place.listings[symbol]
        words = Wording(listing)
        return _json(
            [
                {
                    "id": row.id,
                    "price": words.price(row.price),
                    "quantity": words.size(row.lots),  # as on the wire, maybe in contracts
                    "base": _base(words, listing, row),
                    "time": row.ts,
                    "side": "sell" if row.taker_sells else "buy",
                    "sent": row.sent,
                }
                for row in tape.rows(int(from_id), min(int(limit), _MOST_ROWS))
            ]
        )


def _base(words: Wording, listing: Listing, row: Print) -> str:
    """Return a trade's size in base; an inverse listing counts it in quote."""
    counted = words.base(row.lots)
    return repr(float(counted) / float(words.price(row.price))) if listing.inverse else counted


def _span(tape: Tape) -> dict[str, int | None]:
    """Ids and counts; `sent` rows reached somebody, `count` were made."""
    made = len(tape)
    first, last = (tape.first_id, tape.last_id) if made else (None, None)
    return {"first_id": first, "last_id": last, "count": made, "sent": tape.sent()}


def _no_tape(asked: Any, venues: Iterable[str]) -> str:
    return (
        f"no ledger for {dict(asked)}; give venue ({', '.join(venues)}), symbol (upper case) "
        "and stream (aggTrade or trade)"
    )


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")

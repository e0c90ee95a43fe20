"""Desk: the simulation's own pages below `/sim`: what it is, its faults, its ledger of sent trades."""

from typing import Any, Protocol

import msgspec
from aiohttp import web

from orderflow.sim.faults import Faults
from orderflow.sim.listings import Wording
from orderflow.sim.market import Market
from orderflow.sim.protocols import FORMS
from orderflow.sim.tape import Ledger, Tape

_MOST_ROWS = 100_000


class Simulated(Protocol):
    """What the desk shows of a simulation."""

    symbols: tuple[str, ...]
    seed: int
    rate: float
    ledger: Ledger
    faults: Faults
    markets: dict[str, Market]
    frames_sent: int
    dropped_slow: int

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

    async def _about(self, request: web.Request) -> web.Response:
        one = self._simulation
        return _json(
            {
                "simulated": True,
                "seed": one.seed,
                "symbols": one.symbols,
                "rate": one.rate,
                "venues": list(FORMS),
                "listed": {
                    venue: [symbol for symbol, market in one.markets.items() if venue in market.exchanges]
                    for venue in FORMS
                },
                "hosts": {venue: one.hosts(venue) for venue in FORMS},
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
            return _json({"error": _no_tape(asked)}, 404)
        exact = all(name in asked for name in ("venue", "symbol", "stream"))
        return _json(found[0] if exact else found)

    async def _rows(self, request: web.Request) -> web.Response:
        asked = request.query
        venue, symbol = asked.get("venue", ""), asked.get("symbol", "")
        tape = self._simulation.ledger.tapes.get((venue, symbol, asked.get("stream", "")))
        if tape is None:
            return _json({"error": _no_tape(asked)}, 404)
        from_id, limit = asked.get("from_id", "0"), asked.get("limit", "1000")
        if not from_id.isdecimal() or not limit.isdecimal():
            return _json({"error": f"from_id {from_id!r} and limit {limit!r} must be whole numbers"}, 400)
        words = Wording(FORMS[venue].place.listings[symbol])
        return _json(
            [
                {
                    "id": row.id,
                    "price": words.price(row.price),
                    "quantity": words.size(row.lots),
                    "time": row.ts,
                    "side": "sell" if row.taker_sells else "buy",
                    "sent": row.sent,
                }
                for row in tape.rows(int(from_id), min(int(limit), _MOST_ROWS))
            ]
        )


def _span(tape: Tape) -> dict[str, int | None]:
    """Ids and counts; `sent` rows reached somebody, `count` were made."""
    made = len(tape)
    first, last = (tape.first_id, tape.last_id) if made else (None, None)
    return {"first_id": first, "last_id": last, "count": made, "sent": tape.sent()}


def _no_tape(asked: Any) -> str:
    return (
        f"no ledger for {dict(asked)}; give venue ({', '.join(FORMS)}), symbol (upper case) "
        "and stream (aggTrade or trade)"
    )


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")

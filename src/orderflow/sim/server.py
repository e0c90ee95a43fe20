"""Server: `Simulation`, the simulated venues on one loopback port, over their own protocols."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
from aiohttp import WSMsgType, web

from orderflow.sim.connections import Connection, Hub, framed
from orderflow.sim.desk import Desk
from orderflow.sim.faults import Actions, Faults
from orderflow.sim.gate import Gate
from orderflow.sim.happenings import Millis
from orderflow.sim.listings import COINS, SYMBOLS
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form, Frame, Limits, Question, Refusal, Streams
from orderflow.sim.protocols import FORMS
from orderflow.sim.tape import Ledger

MARK = "X-Orderflow-Simulated"
TICK_S = 0.01
_PONG = 0x8A
MOST_UNSENT = 32 * 1024 * 1024  # bytes that a slow client may leave untaken
_HIGH_WATER = 1024 * 1024  # where a patient simulation waits for its clients


class Simulation:
    """A simulated market behind the protocols of all venues in `protocols.FORMS`.

    `rate` is trades per second, symbol and venue on average; books move several times as often. With
    `patient`, a client that does not keep up slows the market down instead of being dropped, so that a
    high `rate` gives as many frames as the clients can take. `limits` replaces a venue's own.
    """

    faults: Faults

    def __init__(
        self,
        symbols: Sequence[str] = SYMBOLS,
        *,
        seed: int = 7,
        rate: float = 5.0,
        host: str = "127.0.0.1",
        port: int = 0,
        patient: bool = False,
        limits: Mapping[str, Limits] | None = None,
        most_unsent: int = MOST_UNSENT,
    ) -> None:
        unknown = sorted(set(symbols) - set(COINS))
        if unknown or not symbols:
            raise ValueError(f"cannot simulate {unknown or 'no symbols'}; known are {', '.join(SYMBOLS)}")
        if rate <= 0:
            raise ValueError(f"rate is {rate}; it must be above 0 trades a second")
        self.symbols, self.seed, self.rate = tuple(symbols), seed, rate
        self.host, self.port = host, port
        self.ledger = Ledger()
        self.dropped_slow = 0
        self.frames_sent = 0
        self._patient, self._most_unsent = patient, most_unsent
        places = {name: form.place for name, form in FORMS.items()}
        started_ms = _now_ms()
        self.markets = {
            symbol: Market(symbol, places, seed=seed, rate=rate, now_ms=started_ms) for symbol in self.symbols
        }
        self._listed: dict[str, dict[str, Market]] = {}
        self._hubs: dict[str, Hub] = {}
        self._gates: dict[str, Gate] = {}
        self._streams: dict[tuple[str, str], Streams] = {}
        self._wide: dict[str, Streams] = {}
        for name, form in FORMS.items():
            self._set_up(name, form, (limits or {}).get(name, form.limits))
        self.faults = Faults(FORMS, _now_ms, Actions(self._disconnect, self._shutdown))
        self._runner: web.AppRunner | None = None
        self._pulse: asyncio.Task[None] | None = None

    def _set_up(self, name: str, form: Form, limits: Limits) -> None:
        listed = {symbol: one for symbol, one in self.markets.items() if name in one.exchanges}
        self._listed[name] = listed
        self._hubs[name] = Hub(form, limits, listed)
        self._gates[name] = Gate(limits.weight_per_minute)
        self._wide[name] = form.market_wide(name, listed)
        for symbol, market in listed.items():
            self._streams[name, symbol] = form.streams(name, market)
            exchange = market.exchanges[name]
            self.ledger.add(name, symbol, "aggTrade", exchange.aggregates)
            self.ledger.add(name, symbol, "trade", exchange.fills)

    # ── Life ──────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Listen and let the market run; OSError when the port is taken."""
        app = web.Application()
        app.on_response_prepare.append(_mark_simulated)
        Desk(self).add_to(app)
        for form in FORMS.values():
            for route, path in form.routes.items():
                app.router.add_get(f"/{form.name}{path}", self._socket(form, route))
            for path in form.silent_paths:
                app.router.add_get(f"/{form.name}{path}", self._socket(form, None))
            app.router.add_get(f"/{form.name}/{{path:.*}}", self._rest(form))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError as error:
            await self._runner.cleanup()
            self._runner = None
            raise OSError(
                error.errno,
                f"the simulation cannot listen on {self.host}:{self.port} ({error.strerror}); "
                "choose another port, or 0 for a free one",
            ) from error
        self.port = int(self._runner.addresses[0][1])
        self._pulse = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Hang up on everyone and free the port; stopping twice does no harm."""
        pulse, self._pulse = self._pulse, None
        if pulse is not None:
            pulse.cancel()
            await asyncio.gather(pulse, return_exceptions=True)
        for hub in self._hubs.values():
            for connection in list(hub.connections):
                connection.hang_up()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def hosts(self, venue: str) -> dict[str, Any]:
        """Where the venue is: `rest`, and `ws` by route; ports are known after `start`."""
        form = FORMS[venue]
        base = f"{self.host}:{self.port}/{venue}"
        ws = {route: f"ws://{base}{path}" for route, path in form.routes.items()}
        return {"rest": f"http://{base}", "ws": ws}

    async def _run(self) -> None:
        watched = 0
        while True:
            began = time.monotonic()
            now_ms = _now_ms()
            self._step(now_ms)
            if now_ms // 250 != watched:
                watched = now_ms // 250
                self.ledger.trim()
                for hub in self._hubs.values():
                    hub.watch(now_ms)
            for hub in self._hubs.values():
                self.dropped_slow += hub.flush(self._most_unsent)
            while self._patient and self._behind():
                await asyncio.sleep(0.001)
            await asyncio.sleep(max(0.0, TICK_S - (time.monotonic() - began)))

    def _behind(self) -> bool:
        return any(one.unsent() > _HIGH_WATER for hub in self._hubs.values() for one in hub.connections)

    def _step(self, now_ms: Millis) -> None:
        """Let every market take a step, and hand its frames to those who listen."""
        for venue, frame in self.faults.released(now_ms):
            self._deliver(venue, frame)
        for symbol, market in self.markets.items():
            for venue, happenings in market.step(now_ms).items():
                streams, wanted = self._streams[venue, symbol], self._hubs[venue].wanted
                self._tell(venue, streams.frames(happenings, now_ms, wanted), now_ms)
        for venue, wide in self._wide.items():
            self._tell(venue, wide.frames((), now_ms, self._hubs[venue].wanted), now_ms)

    def _tell(self, venue: str, frames: Sequence[Frame], now_ms: Millis) -> None:
        if self.faults.quiet(venue):
            for frame in frames:
                self._deliver(venue, frame)
            return
        for frame in frames:
            for passed in self.faults.through(venue, frame, now_ms):
                self._deliver(venue, passed)

    def _deliver(self, venue: str, frame: Frame) -> None:
        reached = self._hubs[venue].deliver(frame.stream, frame.payload)
        self.frames_sent += reached
        if frame.tape is not None and reached:
            frame.tape.mark_sent(frame.id, reached)

    # ── Clients ───────────────────────────────────────────────────────────────────────────────

    def _socket(
        self, form: Form, route: str | None
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        hub = self._hubs[form.name]

        async def serve(request: web.Request) -> web.StreamResponse:
            transport = _transport(request)
            if self.faults.refuses(form.name):
                transport.abort()
                return web.Response(status=503)
            socket = web.WebSocketResponse(autoping=False, compress=False)
            await socket.prepare(request)
            connection = Connection(transport, hub, route, _now_ms())
            hub.join(connection)
            try:
                await self._converse(socket, connection, hub, form.asked(request.query))
            finally:
                hub.leave(connection)
            return socket

        return serve

    async def _converse(
        self, socket: web.WebSocketResponse, connection: Connection, hub: Hub, asked: Sequence[str]
    ) -> None:
        if len(set(asked)) > hub.limits.streams:
            await socket.close(code=1008, message=b"Too many streams")
            return
        connection.subscribe(asked)
        async for message in socket:
            if connection.too_chatty(hub.limits, time.monotonic()):
                connection.flush()
                await socket.close(code=1008, message=b"Too many requests")
                return
            match message.type:
                case WSMsgType.TEXT:
                    connection.send(framed(hub.form.control(connection, message.data, hub.limits)))
                    connection.flush()
                case WSMsgType.PING:
                    connection.send(framed(bytes(message.data), _PONG))
                    connection.flush()
                case WSMsgType.PONG:
                    connection.unanswered_ms = None
                case _:
                    continue  # binary messages mean nothing to these venues

    def _rest(self, form: Form) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        endpoints = {one.path: one for one in form.endpoints}
        gate = self._gates[form.name]

        async def serve(request: web.Request) -> web.StreamResponse:
            if self.faults.refuses(form.name):
                _transport(request).abort()
                return web.Response(status=503)
            path = "/" + request.match_info["path"]
            fault = self.faults.answered(form.name, path)
            if fault is not None:
                return _said(fault.status, form.refusal(fault.status), _retry(fault.retry_after))
            endpoint = endpoints.get(path)
            if endpoint is None:
                return _said(404, form.refusal(404), {})
            now_ms = _now_ms()
            verdict = gate.admit(endpoint.weight(request.query), now_ms)
            headers = {form.used_weight_header: str(verdict.used)}
            if verdict.status != 200:
                headers |= _retry(verdict.retry_after)
                return _said(verdict.status, form.refusal(verdict.status), headers)
            question = Question(form.name, self._listed[form.name], form.place, request.query, now_ms)
            try:
                return _said(200, endpoint.answer(question), headers)
            except Refusal as refused:
                return _said(refused.status, refused.body, headers)

        return serve

    def _disconnect(self, venue: str, route: str | None) -> int:
        found = self._hubs[venue].on_route(route)
        for connection in found:
            connection.hang_up()
        return len(found)

    def _shutdown(self, venue: str) -> int:
        hub = self._hubs[venue]
        if hub.form.farewell is None:
            raise ValueError(f"{venue} announces no shutdowns; use disconnect")
        frame = framed(hub.form.farewell(_now_ms()))
        for connection in hub.connections:
            connection.send(frame)
        return len(hub.connections)


def _now_ms() -> Millis:
    return time.time_ns() // 1_000_000


def _transport(request: web.Request) -> asyncio.Transport:
    if request.transport is None:
        raise web.HTTPServiceUnavailable(reason="the client has gone")
    return cast(asyncio.Transport, request.transport)  # uvloop's is one in all but its bases


def _said(status: int, body: Any, headers: Mapping[str, str]) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(body), headers=headers, content_type="application/json"
    )


def _retry(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(seconds)}


async def _mark_simulated(request: web.Request, response: web.StreamResponse) -> None:
    response.headers[MARK] = "true"

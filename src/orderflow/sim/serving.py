"""Serving: what a venue's clients meet: its sockets, its streams of server-sent events, its REST."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from aiohttp import WSMsgType, web

from orderflow.sim.connections import EVENTS, Connection, clock_ms, framed
from orderflow.sim.protocol import Endpoint, Question, Refusal, Values
from orderflow.sim.running import Running

_PONG = 0x8A


def add_to(app: web.Application, venue: Running) -> None:
    """Put all of a venue's paths below its name."""
    form, router = venue.form, app.router
    for route, path in form.routes.items():
        router.add_get(f"/{form.name}{path}", Sockets(venue, route).serve)
    for path in form.silent_paths:
        router.add_get(f"/{form.name}{path}", Sockets(venue, None).serve)
    for route, path in form.events.items():
        router.add_get(f"/{form.name}{path}", Events(venue, route).serve)
    router.add_route("*", f"/{form.name}/{{path:.*}}", Rest(venue).serve)


def hosts(venue: Running, base: str) -> dict[str, Any]:
    """Where the venue is: `rest`, `ws` (or event stream) by route, and `more` REST hosts if it has any."""
    form = venue.form
    root = f"{base}/{form.name}"
    ws = {route: f"ws://{root}{path}" for route, path in form.routes.items()}
    ws |= {route: f"http://{root}{path}" for route, path in form.events.items()}
    found: dict[str, Any] = {"rest": f"http://{root}", "ws": ws}
    if form.more:
        found["more"] = {name: f"http://{root}{path}" for name, path in form.more.items()}
    return found


# ── Sockets ───────────────────────────────────────────────────────────────────────────────────


class Sockets:
    """One WebSocket path of a venue; without a route it acknowledges everything and stays silent."""

    def __init__(self, venue: Running, route: str | None) -> None:
        self._venue = venue
        self._route = route

    async def serve(self, request: web.Request) -> web.StreamResponse:
        venue = self._venue
        asked = _asked(venue, request)
        if isinstance(asked, web.Response):
            return asked
        socket = web.WebSocketResponse(autoping=False, compress=False)
        await socket.prepare(request)
        connection = Connection(_transport(request), venue.hub, self._route, headers=_headers(request))
        venue.hub.join(connection)
        try:
            if len(set(asked)) > venue.limits.streams:
                await socket.close(code=1008, message=b"Too many streams")
                return socket
            connection.subscribe(asked)
            greeting = venue.form.greeting
            venue.reply(connection, () if greeting is None else greeting(connection))
            await self._converse(socket, connection)
        finally:
            venue.hub.leave(connection)
        return socket

    async def _converse(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        venue = self._venue
        async for message in socket:
            if not connection.hears(venue.limits):
                connection.flush()
                await socket.close(code=1008, message=b"Too many requests")
                return
            match message.type:
                case WSMsgType.TEXT:
                    venue.reply(connection, venue.form.control(connection, message.data, venue.limits))
                case WSMsgType.PING:
                    connection.send(framed(bytes(message.data), _PONG))
                    connection.flush()
                case WSMsgType.PONG:
                    connection.unanswered_ms = None
                case _:
                    continue  # binary messages mean nothing to these venues


# ── Server-sent events ────────────────────────────────────────────────────────────────────────


class Events:
    """One path of server-sent events; what a client hears stands in its URL."""

    def __init__(self, venue: Running, route: str) -> None:
        self._venue = venue
        self._route = route

    async def serve(self, request: web.Request) -> web.StreamResponse:
        venue = self._venue
        asked = _asked(venue, request)
        if isinstance(asked, web.Response):
            return asked
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b":\n\n")  # the head leaves with the first bytes of the body
        connection = Connection(_transport(request), venue.hub, self._route, EVENTS, _headers(request))
        venue.hub.join(connection)
        try:
            connection.subscribe(asked)
            venue.reply(connection, ())
            await connection.gone.wait()
        finally:
            venue.hub.leave(connection)
        return response


# ── REST ──────────────────────────────────────────────────────────────────────────────────────


class Rest:
    """All endpoints of a venue."""

    def __init__(self, venue: Running) -> None:
        self._venue = venue
        self._endpoints = [(_pattern(one.path), one) for one in _plain_first(venue.form.endpoints)]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        venue, path = self._venue, "/" + request.match_info["path"]
        spoilt = _spoilt(venue, request, path, handshake=False)
        if spoilt is not None:
            return spoilt
        headers: dict[str, str] = {}
        try:
            _let_in(venue, request)
            endpoint, named = self._found(path, request.method)
            body = await _body(request, _refusal(venue, 422)) if endpoint.method == "POST" else None
            values = _values(request)
            params = {**{name: many[0] for name, many in values.items()}, **_texts(body), **named}
            now_ms = clock_ms()
            headers = self._admit(endpoint.weight(params), now_ms)
            question = Question(
                venue=venue.form.name,
                markets=venue.markets,
                place=venue.form.place,
                params=params,
                now_ms=now_ms,
                values=values,
                body=body,
                headers=_headers(request),
                wide=venue.wide,
            )
            return _said(200, endpoint.answer(question), headers)
        except Refusal as refused:
            return _refused(refused, headers)

    def _found(self, path: str, method: str) -> tuple[Endpoint, dict[str, str]]:
        """The endpoint of a path, with what its placeholders stand for."""
        status = 404
        for pattern, endpoint in self._endpoints:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            if endpoint.method == method:
                return endpoint, match.groupdict()
            status = 405
        raise _refusal(self._venue, status)

    def _admit(self, weight: int, now_ms: int) -> dict[str, str]:
        """The headers that tell of used weight; Refusal when it is too much."""
        form, limits = self._venue.form, self._venue.limits
        verdict = self._venue.gate.admit(weight, now_ms)
        headers = {} if form.meter is None else dict(form.meter(verdict.used, limits.weight))
        if verdict.status == 200:
            return headers
        refusal = _refusal(self._venue, verdict.status)
        retry = _retry(verdict.retry_after) if limits.retry_after else {}
        raise Refusal(refusal.status, refusal.body, {**headers, **retry, **refusal.headers})


def _plain_first(endpoints: tuple[Endpoint, ...]) -> list[Endpoint]:
    return sorted(endpoints, key=lambda one: "{" in one.path)


def _pattern(path: str) -> re.Pattern[str]:
    """`/a/{b}` as a pattern that names one segment b."""
    parts = re.split(r"\{(\w+)\}", path)
    return re.compile(
        "".join(f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    )


async def _body(request: web.Request, refusal: Refusal) -> Any:
    try:
        return msgspec.json.decode(await request.read())
    except msgspec.DecodeError as error:
        raise refusal from error


def _texts(body: Any) -> dict[str, str]:
    """The text fields at the top of a JSON object."""
    fields = cast(dict[str, Any], body) if isinstance(body, dict) else {}
    return {name: value for name, value in fields.items() if isinstance(value, str)}


# ── Requests and answers ──────────────────────────────────────────────────────────────────────


def _transport(request: web.Request) -> asyncio.Transport:
    if request.transport is None:
        raise web.HTTPServiceUnavailable(reason="the client has gone")
    return cast(asyncio.Transport, request.transport)  # uvloop's is one in all but its bases


def _headers(request: web.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _values(request: web.Request) -> Values:
    return {name: tuple(request.query.getall(name)) for name in request.query}


def _path(venue: Running, request: web.Request) -> str:
    return request.path.removeprefix(f"/{venue.form.name}")


def _let_in(venue: Running, request: web.Request) -> None:
    """Raise what the venue has against this request's headers."""
    if venue.form.refuses is not None:
        refusal = venue.form.refuses(_headers(request), _path(venue, request))
        if refusal is not None:
            raise refusal


def _asked(venue: Running, request: web.Request) -> list[str] | web.Response:
    """The streams that the URL of a handshake asks for, or the answer if it fails."""
    spoilt = _spoilt(venue, request, _path(venue, request), handshake=True)
    if spoilt is not None:
        return spoilt
    try:
        _let_in(venue, request)
        return venue.form.asked(_values(request), venue.markets)
    except Refusal as refused:
        return _refused(refused)


def _spoilt(venue: Running, request: web.Request, path: str, *, handshake: bool) -> web.Response | None:
    """What a fault makes of a request, if one is told to."""
    if venue.faults.refuses(venue.form.name):
        _transport(request).abort()
        return web.Response(status=503)
    fault = venue.faults.answered(venue.form.name, path, handshake=handshake)
    return None if fault is None else _refused(_refusal(venue, fault.status), _retry(fault.retry_after))


def _refusal(venue: Running, status: int) -> Refusal:
    found = venue.form.refusal(status)
    return found if isinstance(found, Refusal) else Refusal(status, found)


def _said(status: int, body: Any, headers: Mapping[str, str]) -> web.Response:
    if isinstance(body, str):
        return web.Response(status=status, text=body, headers=headers)
    return web.Response(
        status=status, body=msgspec.json.encode(body), headers=headers, content_type="application/json"
    )


def _refused(refused: Refusal, headers: Mapping[str, str] | None = None) -> web.Response:
    return _said(refused.status, refused.body, {**(headers or {}), **refused.headers})


def _retry(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(seconds)}

"""Admin: routes that steer a running collector, and have it tidy or back up; for its owner, never for assistants.

They stand outside the catalogue of tools, so neither MCP nor `/tools` reaches them. Whoever asks must come
from this machine, carry the door's token where one is set (the gate sees to that), and the key that
stands in the service file beside the database, which only its owner's user can read.
"""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from orderflow.jobs.control import Answer, Control
from orderflow.jobs.tidy import Tidied
from orderflow.market.errors import InvalidArgument, OrderflowError
from orderflow.servers.auth import is_loopback, refused
from orderflow.servers.remote import KEY
from orderflow.servers.replies import Failure, failure_of
from orderflow.servers.routes import failed
from orderflow.store.backup import Made

Order: TypeAlias = Callable[[Request], Awaitable[Answer | Tidied | Made | dict[str, Any]]]


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Symbols and streams to collect; None leaves them as they are."""

    symbols: list[str] | None = None
    streams: list[str] | None = None


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a backup is to be made: a folder on the collector's machine that is not there yet."""

    folder: str


def add(app: FastAPI, control: Control, key: str) -> None:
    """Add the routes to an application; they are left out of its public description."""

    async def state(request: Request) -> dict[str, Any]:
        return control.state()

    async def start(request: Request) -> Answer:
        return await control.start(request.path_params["venue"])

    async def stop(request: Request) -> Answer:
        return await control.stop(request.path_params["venue"])

    async def choose(request: Request) -> Answer:
        try:
            choice = msgspec.json.decode(await request.body(), type=Choice)
        except msgspec.MsgspecError as error:
            hint = 'as in {"symbols": ["BTCUSDT"], "streams": ["trades"]}'
            raise InvalidArgument(f"the body is not a choice: {error}", hint=hint) from error
        if choice == Choice():
            raise InvalidArgument("nothing is chosen", hint="name symbols, streams or both")
        return await control.choose(choice.symbols, choice.streams)

    async def tidy(request: Request) -> Tidied:
        return await control.tidy()

    async def back_up(request: Request) -> Made:
        try:
            place = msgspec.json.decode(await request.body(), type=Place)
        except msgspec.MsgspecError as error:
            hint = 'as in {"folder": "/backups/2026-11-21"}'
            raise InvalidArgument(f"the body names no folder: {error}", hint=hint) from error
        return await control.back_up(place.folder)

    for method, path, order in (
        ("GET", "/admin/feeds", state),
        ("POST", "/admin/feeds", choose),
        ("POST", "/admin/feeds/{venue}/start", start),
        ("POST", "/admin/feeds/{venue}/stop", stop),
        ("POST", "/admin/tidy", tidy),
        ("POST", "/admin/backup", back_up),
    ):
        app.router.add_route(path, _guarded(order, key), methods=[method], include_in_schema=False)


def _guarded(order: Order, key: str) -> Callable[[Request], Awaitable[Response]]:
    async def route(request: Request) -> Response:
        if (refusal := _stranger(request, key)) is not None:
            return refusal
        try:
            return Response(msgspec.json.encode(await order(request)), media_type="application/json")
        except OrderflowError as error:
            return failed(failure_of(error))

    return route


def _stranger(request: Request, key: str) -> Response | None:
    if request.client is None or not is_loopback(request.client.host):
        return refused(403, Failure(code="invalid_argument", message="only this machine may ask for that"))
    if not key or not hmac.compare_digest(request.headers.get(KEY, "").encode(), key.encode()):
        hint = f"`orderflow feeds` sends it: {KEY}, from the file ….quack beside the database"
        return refused(401, Failure(code="invalid_argument", message="the owner's key is needed", hint=hint))
    return None

"""Commands that ask, or let others ask: call, serve."""

import asyncio
import sys
from functools import partial
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orderflow.cli.surroundings import (
    DEMO_DB,
    Db,
    Host,
    Json,
    Port,
    Token,
    chosen_desk,
    chosen_settings,
    door_limits,
    dumped,
    log_to_stderr,
    run,
    stop_on_signals,
    tell,
    where,
)
from orderflow.market.errors import InvalidArgument

if TYPE_CHECKING:
    from orderflow.settings import Settings


def call(
    name: Annotated[str, typer.Argument(help="A tool, or one of its aliases; `find_tools` lists them.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE…", help="Its arguments.")
    ] = None,
    db: Db = None,
    format: Annotated[str | None, typer.Option(help="text, json or xml.", show_default="text")] = None,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the picture of a tool that draws here.")
    ] = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Ask a tool: of the collector that runs on the database, or else of what is stored."""
    from orderflow.servers.nearest import Nearest

    chosen = chosen_settings(db=nearest_db(db), token=token)
    log_to_stderr("ERROR")
    nearest = Nearest(where(chosen, db), token=chosen.token, taker_fee_bps=chosen.taker_fee_bps)
    form: Any = "json" if json else format
    reply = asyncio.run(nearest.call(name, _arguments(arguments or []), form))
    if reply.failure is None:
        if png is not None:
            _write(name, reply.picture, png)
        print(reply.text)
        if png is None and reply.picture is not None and not json:
            print(f"Its picture: orderflow call {name} … --png FILE", file=sys.stderr)
        return
    if json:
        failure = reply.failure
        print(dumped({"error": {"code": failure.code, "message": failure.message, "hint": failure.hint}}))
    else:
        print(f"{reply.failure.code}: {reply.failure.message}", file=sys.stderr)
        if reply.failure.hint:
            print(f"Hint: {reply.failure.hint}", file=sys.stderr)
    raise typer.Exit(1)


def _write(name: str, picture: bytes | None, file: Path) -> None:
    if picture is None:
        raise InvalidArgument(f"{name} gives no picture here", hint="tools that draw are called chart_…")
    file.write_bytes(picture)
    print(f"{file}: a picture of {len(picture):,} bytes", file=sys.stderr)


def serve(
    db: Db = None,
    host: Host = None,
    port: Port = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Serve the HTTP door alone: beside a collector that runs without one, or over what is stored."""
    chosen = chosen_settings(db=nearest_db(db), host=host, port=port, token=token)
    log_to_stderr("WARNING")
    run(_serve(chosen, where(chosen, db), json))


async def _serve(chosen: "Settings", store: Path | str, as_json: bool) -> None:
    from orderflow.servers import http
    from orderflow.servers.nearest import Nearest
    from orderflow.store import access, sandbox

    desk = chosen_desk(chosen, lambda: access.open_reader(chosen.db))
    taken = http.listen(chosen.host, chosen.port, chosen.token)
    nearest = Nearest(store, token=chosen.token, taker_fee_bps=chosen.taker_fee_bps)
    door = http.app(
        nearest,
        token=chosen.token,
        hosts=(chosen.host, *chosen.allowed_hosts),
        toolset=chosen.toolset,
        desk=desk,
        asked=partial(sandbox.ask, store),
        limits=door_limits(chosen),
    )
    stop = stop_on_signals()
    found = {"ready": True, "db": str(store)}
    serving = asyncio.ensure_future(
        http.serve(
            door,
            taken=taken,
            ready=lambda url: tell(as_json, found | {"http": url}, f"{url} answers from {store}"),
        )
    )
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    for task in (serving, stopping):
        task.cancel()
    await asyncio.gather(serving, stopping, return_exceptions=True)


def nearest_db(db: Path | None) -> Path:
    """Return the database to ask: the one named; else of the settings' and the demo's the one that is collected into.

    Where neither is, the settings' if it is there, else the demo's if that is.
    """
    if db is not None:
        return db
    from orderflow.store import access

    usual = [chosen_settings().db, DEMO_DB]
    running = [one for one in usual if one.exists() and access.service(one) is not None]
    there = [one for one in usual if one.exists()]
    return (running or there or usual)[0]


def _arguments(pairs: list[str]) -> dict[str, Any]:
    """Return `key=value` words as arguments; a value that reads as JSON is what it says."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise InvalidArgument(
                f"{pair!r} is no argument", hint="arguments are key=value, as in symbol=BTCUSDT"
            )
        try:
            found[name] = loads(value)
        except ValueError:
            found[name] = value
    return found

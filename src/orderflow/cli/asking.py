"""Commands that ask: call, mcp."""

import asyncio
import sys
from json import loads
from pathlib import Path
from typing import Annotated, Any

import typer

from orderflow.cli.surroundings import DEMO_DB, Db, Json, Token, chosen_settings, dumped, log_to_stderr
from orderflow.market.errors import InvalidArgument


def call(
    name: Annotated[str, typer.Argument(help="A tool, or one of its aliases; `find_tools` lists them.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE…", help="Its arguments.")
    ] = None,
    db: Db = None,
    format: Annotated[str | None, typer.Option(help="text, json or xml.", show_default="text")] = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Ask a tool: of the collector that runs on the database, or else of what is stored."""
    from orderflow.servers.nearest import Nearest

    chosen = chosen_settings(db=_asked(db), token=token)
    log_to_stderr("ERROR")
    nearest = Nearest(chosen.db, token=chosen.token, taker_fee_bps=chosen.taker_fee_bps)
    form: Any = "json" if json else format
    reply = asyncio.run(nearest.call(name, _arguments(arguments or []), form))
    if reply.failure is None:
        print(reply.text)
        return
    if json:
        failure = reply.failure
        print(dumped({"error": {"code": failure.code, "message": failure.message, "hint": failure.hint}}))
    else:
        print(f"{reply.failure.code}: {reply.failure.message}", file=sys.stderr)
        if reply.failure.hint:
            print(f"Hint: {reply.failure.hint}", file=sys.stderr)
    raise typer.Exit(1)


def mcp(
    db: Db = None,
    toolsets: Annotated[
        str | None, typer.Option(help="core, all, meta, or families.", show_default="core")
    ] = None,
    token: Token = None,
) -> None:
    """Serve an assistant over stdio (Model Context Protocol)."""
    from orderflow.servers import mcp as door
    from orderflow.servers.nearest import Nearest

    chosen = chosen_settings(db=_asked(db), toolset=toolsets, token=token)
    log_to_stderr("WARNING")
    nearest = Nearest(chosen.db, token=chosen.token, taker_fee_bps=chosen.taker_fee_bps)
    asyncio.run(door.stdio(nearest, chosen.toolset))


def _asked(db: Path | None) -> Path | None:
    """Return the database to ask: the one named, else the settings'; the demo's where only that one is."""
    if db is not None or chosen_settings().db.exists() or not DEMO_DB.exists():
        return db
    return DEMO_DB


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

"""Commands for assistants: `mcp` serves one over stdio, `mcp install` tells a client how to start it."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from orderflow.cli.asking import nearest_db
from orderflow.cli.clients import Client, add, entry, file_of, snippet, then
from orderflow.cli.surroundings import Db, Json, Token, chosen_settings, log_to_stderr, tell, where
from orderflow.market.errors import InvalidArgument

assistants = typer.Typer(invoke_without_command=True)
Toolsets = Annotated[
    str | None, typer.Option("--toolsets", help="core, all, meta, or families.", show_default="core")
]


@assistants.callback()
def mcp(
    context: typer.Context,
    db: Db = None,
    toolsets: Toolsets = None,
    token: Token = None,
    read_only: Annotated[
        bool,
        typer.Option(
            "--read-only",
            help="Refuse what changes something, whatever the settings say; usual without them.",
        ),
    ] = False,
) -> None:
    """Serve an assistant over stdio (Model Context Protocol)."""
    if context.invoked_subcommand is not None:
        return
    from orderflow.servers import mcp as door
    from orderflow.servers.callers import ReadOnly
    from orderflow.servers.nearest import Nearest

    chosen = chosen_settings(db=nearest_db(db), toolset=toolsets, token=token)
    log_to_stderr("WARNING")
    nearest = Nearest(where(chosen, db), token=chosen.token, taker_fee_bps=chosen.taker_fee_bps)
    writes = chosen.allow_control and not read_only
    asyncio.run(door.stdio(nearest if writes else ReadOnly(nearest), chosen.toolset, writes=writes))


@assistants.command()
def install(
    context: typer.Context,
    client: Annotated[Client, typer.Option(help="The program that shall start `orderflow mcp`.")],
    db: Db = None,
    toolsets: Toolsets = None,
    only_print: Annotated[
        bool, typer.Option("--print", help="Print what would be added, and change nothing.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option(help="The client's file.", show_default="where it keeps it")
    ] = None,
    json: Json = False,
) -> None:
    """Add this installation to a client's MCP servers; all else in its file stays, with a copy beside it."""
    before = {} if context.parent is None else context.parent.params  # as in `mcp --db FILE install`
    added = entry(client, _arguments(db or before.get("db"), toolsets or before.get("toolsets")))
    target = file or file_of(client, Path.home(), sys.platform, os.environ)
    if only_print or target is None:
        print(snippet(client, added))
        if not json:
            print(f"To be merged into {target}." if target else then(client), file=sys.stderr)
        return
    written = add(client, target, added)
    kept = f"; as it was: {written.backup}" if written.backup else ""
    said = f"orderflow added{kept}\n{then(client)}" if written.changed else "orderflow stands there already"
    told: dict[str, Any] = {
        "client": str(client),
        "file": str(written.file),
        "changed": written.changed,
        "backup": None if written.backup is None else str(written.backup),
        "entry": added,
    }
    tell(json, told, f"{written.file}: {said}")


def _arguments(db: Path | None, toolsets: str | None) -> list[str]:
    """Return what `orderflow mcp` is started with: a client starts it in a folder of its own."""
    from orderflow import tools

    if toolsets is not None:
        tools.ALL.toolset(toolsets)  # one that there is not is refused now, not in the client
    if db is None and chosen_settings().store is not None:
        raise InvalidArgument(
            "the settings name a lake, and a client does not know them",
            hint="name a file with --db, or connect the client to the address of `orderflow up`",
        )
    named = ["--db", str(nearest_db(db).absolute())]
    return named if toolsets is None else [*named, "--toolsets", toolsets]

"""Clients: where programs that speak to assistants keep their servers, and how ours is added to their file.

A file is merged into, never written anew: what else stands in it stays, and the file as it was is kept beside it.
"""

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from orderflow.market.errors import InvalidArgument

NAME = "orderflow"
_BY_HAND = "--print shows what to add by hand"


class Client(StrEnum):
    """The programs that we know."""

    CLAUDE_DESKTOP = "claude-desktop"
    CLAUDE_CODE = "claude-code"
    CURSOR = "cursor"
    VSCODE = "vscode"
    CHERRY_STUDIO = "cherry-studio"


class _Form(NamedTuple):
    key: str  # under which its file lists servers
    typed: bool  # it wants to be told that the server speaks over stdio
    then: str  # what its user does next


_FORMS = {
    Client.CLAUDE_DESKTOP: _Form("mcpServers", False, "Quit Claude Desktop and start it again."),
    Client.CLAUDE_CODE: _Form("mcpServers", True, "Begin a new session; `claude mcp list` shows it."),
    Client.CURSOR: _Form("mcpServers", False, "Cursor: Settings, MCP shows it; switch it on there."),
    Client.VSCODE: _Form("servers", True, "VS Code: `MCP: List Servers` starts it."),
    Client.CHERRY_STUDIO: _Form(
        "mcpServers",
        True,
        "Cherry Studio keeps its servers in its own store: Settings, MCP Servers, Add, Import from JSON; paste this.",
    ),
}


class Written(NamedTuple):
    """What became of a file: whether it was changed, and where it is as it was before."""

    file: Path
    changed: bool
    backup: Path | None


def then(client: Client) -> str:
    return _FORMS[client].then


def snippet(client: Client, entry: Mapping[str, Any]) -> str:
    """Return what a client's file would hold of ours alone, as JSON."""
    return json.dumps({_FORMS[client].key: {NAME: dict(entry)}}, indent=2, ensure_ascii=False)


def entry(client: Client, arguments: list[str]) -> dict[str, Any]:
    """Return our entry: this installation's `orderflow mcp`, by its absolute path, with these arguments."""
    script = Path(sys.executable).parent / ("orderflow.exe" if sys.platform == "win32" else "orderflow")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "orderflow"]
    told = {"command": command[0], "args": [*command[1:], "mcp", *arguments]}
    return {"type": "stdio", **told} if _FORMS[client].typed else told


def file_of(client: Client, home: Path, platform: str, environment: Mapping[str, str]) -> Path | None:
    """Return where a client keeps its servers on this kind of machine; None where that is no file."""
    if platform == "win32":
        applications = Path(environment.get("APPDATA") or home / "AppData" / "Roaming")
    elif platform == "darwin":
        applications = home / "Library" / "Application Support"
    else:
        applications = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return {
        Client.CLAUDE_DESKTOP: applications / "Claude" / "claude_desktop_config.json",
        Client.CLAUDE_CODE: Path(environment.get("CLAUDE_CONFIG_DIR") or home) / ".claude.json",
        Client.CURSOR: home / ".cursor" / "mcp.json",
        Client.VSCODE: applications / "Code" / "User" / "mcp.json",
    }.get(client)


def add(client: Client, file: Path, entry: Mapping[str, Any]) -> Written:
    """Merge our entry into a client's file, and keep the file as it was beside it.

    Raises `InvalidArgument` where the file cannot be read as JSON, or its servers are no list by name; then
    nothing is changed.
    """
    file = file.resolve()  # a link stays a link
    text = _text(file)
    document = _document(file, text)
    servers = document.setdefault(_FORMS[client].key, {})
    if not isinstance(servers, dict):
        raise InvalidArgument(f"{file}: {_FORMS[client].key} is no JSON object", hint=_BY_HAND)
    before: Any = servers.get(NAME)
    merged = {**before, **entry} if isinstance(before, dict) else dict(entry)
    if merged == before:
        return Written(file, False, None)
    servers[NAME] = merged
    backup = None
    if file.exists():
        backup = _free(file.with_name(f"{file.name}.bak"))
        shutil.copy2(file, backup)
    _replace(file, json.dumps(document, indent=_indent(text), ensure_ascii=False) + "\n")
    return Written(file, True, backup)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig") if file.exists() else ""
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{file}: not UTF-8", hint=_BY_HAND) from error


def _document(file: Path, text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(
            f"{file}: cannot be merged into: {error}", hint=f"JSON without comments can be; {_BY_HAND}"
        ) from error
    if not isinstance(found, dict):
        raise InvalidArgument(f"{file}: no JSON object", hint=_BY_HAND)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # one of the two would be lost
        raise ValueError("a name stands there twice")
    return found


def _indent(text: str) -> int | str:
    found = re.search(r"\n([ \t]+)\"", text)
    return 2 if found is None else found[1]


def _free(file: Path) -> Path:
    """Return the first name of its kind that is not taken: a backup is never written over."""
    found, number = file, 0
    while found.exists():
        number += 1
        found = file.with_name(f"{file.name}.{number}")
    return found


def _replace(file: Path, text: str) -> None:
    """Write a file in one step, readable by whom it was before; a new one by its owner alone."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        if file.exists():
            shutil.copymode(file, name)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise

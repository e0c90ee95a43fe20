"""Prints docs/catalogue.md, docs/tools.md and docs/schemas.json from the declarations; `--check` says whether they are stale.

.venv/bin/python docs/print_catalogue.py          (or: make catalogue)
"""

import json
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from orderflow import tools
from orderflow.market.instruments import series
from orderflow.market.streams import SHARED, STREAMS, Column
from orderflow.tools.spec import Tool
from orderflow.venues import ALL
from orderflow.venues.spec import Venue

CATALOGUE = Path(__file__).with_name("catalogue.md")
TOOLS = Path(__file__).with_name("tools.md")
SCHEMAS = Path(__file__).with_name("schemas.json")


def catalogue() -> str:
    return "\n".join([*_head(), *_streams(), *_venues()]) + "\n"


def named() -> str:
    """Return the tools, and the names of earlier systems with the tool that answers each."""
    return "\n".join(_tools()) + "\n"


def _head() -> Iterator[str]:
    every = list(series())
    yield "# Catalogue"
    yield ""
    yield "Printed from the declarations by `make catalogue`; `make check` fails when it is stale. What can be asked"
    yield "is in [tools](tools.md)."
    yield ""
    yield f"{sum(one.core for one in every)} core names and {sum(not one.core for one in every)} others are views,"
    yield f"named `symbol_exchange_market_stream`, as in `{every[0].name}`."


def _streams() -> Iterator[str]:
    yield from ("", "## Streams", "", "Every stream begins with these columns:", "")
    yield from _columns(SHARED)
    for stream in STREAMS.values():
        yield from ("", f"### {stream.name}", "", stream.doc, "")
        yield f"Two rows of a series are the same where these are: {', '.join(f'`{one}`' for one in stream.key)}."
        yield ""
        yield from _columns(stream.columns)


def _columns(columns: tuple[Column, ...]) -> Iterator[str]:
    yield "| column | type | unit | what |"
    yield "|---|---|---|---|"
    # The levels of a book differ by their number alone: the first and the last are enough to read.
    for _, grouped in groupby(columns, key=_kin):
        kin = list(grouped)
        shown = kin if len(kin) <= 4 else [kin[0], kin[1], kin[-2], kin[-1]]
        for column in shown:
            yield f"| `{column.name}` | {column.type} | {column.unit} | {column.doc} |"


def _kin(column: Column) -> str:
    side, _, rest = column.name.partition("_")
    return f"{side} levels" if rest[:1].isdigit() and side in ("bid", "ask") else column.name


def _venues() -> Iterator[str]:
    yield from ("", "## Venues")
    for venue in ALL.values():
        yield from _venue(venue)


def _venue(venue: Venue) -> Iterator[str]:
    yield from (
        "",
        f"### {venue.name}",
        "",
        f"<{venue.docs}>; taker fee {venue.taker_fee_bps:g} bps ({venue.taker_fee_source}).",
    )
    yield ""
    yield "| channel | feeds | name | route | by default |"
    yield "|---|---|---|---|---|"
    for one in venue.channels:
        feeds = ", ".join(one.streams)
        yield f"| {one.name} | {feeds} | `{one.template}` | {one.route} | {'yes' if one.default else 'no'} |"
    for poll in venue.polls:
        feeds = ", ".join(poll.streams)
        yield f"| REST {poll.endpoint} | {feeds} | every {poll.every_s:g} s | | yes |"
    if venue.notes or venue.cannot:
        yield ""
        yield from (f"- {stream}: {note}." for stream, note in venue.notes.items())
        yield from (f"- {stream} stays empty: {why}." for stream, why in venue.cannot.items())


def _tools() -> Iterator[str]:
    yield from (
        "# Tools",
        "",
        "Printed from the declarations by `make catalogue`; [schemas](schemas.json) has their interfaces.",
    )
    yield from ("", "| tool | parameters | what |", "|---|---|---|")
    for tool in tools.ALL.tools.values():
        parameters = ", ".join(f"`{one.name}`" for one in tool.parameters)
        drawn = " **Draws a picture.**" if tool.draws else ""
        yield f"| `{tool.name}` | {parameters} | {tool.summary}{drawn} |"
    yield from ("", "## Names of earlier systems that keep answering", "", "| name | tool |", "|---|---|")
    for name, alias in tools.ALL.aliases.items():
        yield f"| `{name}` | `{alias.tool}` |"


def schemas() -> str:
    """Return the interface of every tool and old name, a line each, so that a change is one line of a review."""
    found: dict[str, dict[str, Any]] = {name: _interface(one) for name, one in tools.ALL.tools.items()}
    for name, alias in tools.ALL.aliases.items():
        if alias.tool in tools.ALL.tools:
            parameters = tools.ALL.schema(name)["properties"]
            own = {one: parameters[one] for one in alias.parameters}
            found[name] = {"tool": alias.tool, "parameters": own, "fixed": alias.fixed}
    lines = [f"{json.dumps(name)}: {json.dumps(one, ensure_ascii=False)}" for name, one in found.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _interface(tool: Tool) -> dict[str, Any]:
    return {
        "family": tool.family,
        "title": tool.title,
        "core": tool.core,
        "version": tool.version,
        "description": tool.description,
        "inputSchema": tool.schema,
        "columns": None if tool.columns is None else dict(tool.columns),
        "annotations": tool.annotations,
    }


def main() -> int:
    fresh = {CATALOGUE: catalogue(), TOOLS: named(), SCHEMAS: schemas()}
    if "--check" not in sys.argv[1:]:
        for path, text in fresh.items():
            path.write_text(text)
        return 0
    stale = [path for path, text in fresh.items() if not path.is_file() or path.read_text() != text]
    for path in stale:
        print(f"{path} is stale: run `make catalogue` and commit it", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())

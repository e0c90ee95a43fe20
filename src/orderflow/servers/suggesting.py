"""Suggestions while someone types: where a symbol is asked for, those that have prices."""

from typing import Any

import mcp_types as types

from orderflow.servers import prompts, resources
from orderflow.servers.callers import Caller
from orderflow.tools.answers import MOST_TOKENS
from orderflow.tools.spec import MOST_ROWS

_MOST_SUGGESTED = 100  # the protocol allows no more
_MOST_PAGES = 4  # of prices, read for one suggestion


async def suggestions(caller: Caller, params: types.CompleteRequestParams) -> types.CompleteResult:
    """Return what could stand for a prompt's or a template's argument, given how it begins.

    Whatever we cannot complete, a name that nobody knows too, has no suggestions: they are a help
    while someone types, and an error would be in the way.
    """
    if not _asks_a_symbol(params.ref, params.argument.name):
        return types.CompleteResult(completion=types.Completion(values=[], total=0, has_more=False))
    symbols, complete = await _symbols(caller)
    begun = params.argument.value.upper()
    found = [one for one in symbols if one.startswith(begun)]
    more = not complete or len(found) > _MOST_SUGGESTED
    shown = types.Completion(
        values=found[:_MOST_SUGGESTED], total=len(found) if complete else None, has_more=more
    )
    return types.CompleteResult(completion=shown)


def _asks_a_symbol(ref: types.PromptReference | types.ResourceTemplateReference, argument: str) -> bool:
    if argument != "symbol":
        return False
    if isinstance(ref, types.PromptReference):
        return prompts.takes(ref.name, argument)
    return resources.is_template(ref.uri)


async def _symbols(caller: Caller) -> tuple[list[str], bool]:
    """Return the symbols that have prices, and whether these are all; none where nobody answers."""
    found: set[str] = set()
    arguments: dict[str, Any] = {"limit": MOST_ROWS, "max_tokens": MOST_TOKENS}
    for _ in range(_MOST_PAGES):
        reply = await caller.call("xv_prices", arguments)
        if reply.structured is None:
            break
        at = reply.structured["columns"].index("symbol")
        found |= {row[at] for row in (*reply.structured["rows"], *reply.structured.get("tail", ()))}
        following = reply.structured["meta"]["next"]
        if following is None:
            return sorted(found), True
        arguments = {"next": following, "max_tokens": MOST_TOKENS}
    return sorted(found), not found

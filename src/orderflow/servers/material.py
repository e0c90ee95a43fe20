"""What an assistant can read without calling a tool, and the questions that it is offered.

Resources: the health of the run, the catalogue, and the prices of a symbol as a template. Where a
symbol is asked for, those that have prices are suggested.
"""

from collections.abc import Mapping
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from orderflow import tools
from orderflow.servers.callers import Caller
from orderflow.tools.answers import MOST_TOKENS
from orderflow.tools.spec import MOST_ROWS

_SCHEME = "orderflow://"
_PRICES = f"{_SCHEME}prices/"
_PLAIN = "text/plain"

_RESOURCES = [
    types.Resource(
        uri=f"{_SCHEME}health",
        name="health",
        title="Health of the system",
        description="Connections, ages and gaps of each venue, and the store.",
        mime_type=_PLAIN,
    ),
    types.Resource(
        uri=f"{_SCHEME}catalogue",
        name="catalogue",
        title="All tools",
        description="Every tool by family, one line each.",
        mime_type=_PLAIN,
    ),
]
_TEMPLATES = [
    types.ResourceTemplate(
        uri_template=f"{_PRICES}{{symbol}}",
        name="prices",
        title="Prices of a symbol",
        description="Best bid and ask of a symbol, as in BTCUSDT, on each venue now.",
        mime_type=_PLAIN,
    )
]
_PROMPTS = [
    types.Prompt(
        name="market_check",
        title="Check a market",
        description="Price, gaps and arbitrage of a symbol, and how far the data can be trusted.",
        arguments=[types.PromptArgument(name="symbol", description="as in BTCUSDT", required=True)],
    )
]
_MOST_SUGGESTED = 100  # the protocol allows no more
_MOST_PAGES = 4  # of prices, read for one suggestion
_CHECK = (
    "Look at {symbol}. Ask system_health first and say if data are simulated, old or missing. Then ask "
    "xv_prices and xv_arbitrage. Report where it is cheapest to buy and dearest to sell, the best pair net "
    "of fees and the size that the books bear, each with its age. Use only numbers from the answers; say "
    "what is unknown."
)


def resources() -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=_RESOURCES)


def templates() -> types.ListResourceTemplatesResult:
    return types.ListResourceTemplatesResult(resource_templates=_TEMPLATES)


def prompts() -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=_PROMPTS)


async def read(caller: Caller, uri: str) -> types.ReadResourceResult:
    """Return a resource's text; an unknown one is an error of the protocol."""
    found = await _text(caller, uri)
    if found is None:
        raise MCPError(types.INVALID_PARAMS, f"no resource {uri[:200]}", {"uri": uri})
    contents = types.TextResourceContents(uri=uri, mime_type=_PLAIN, text=found)
    return types.ReadResourceResult(contents=[contents], ttl_ms=0)


async def _text(caller: Caller, uri: str) -> str | None:
    if uri == f"{_SCHEME}health":
        return (await caller.call("system_health")).text
    if uri == f"{_SCHEME}catalogue":
        every = tools.ALL.toolset("all")
        return "\n".join(f"{one.family} {one.name}: {one.summary}" for one in every)
    if uri.startswith(_PRICES) and uri != _PRICES:
        reply = await caller.call("xv_prices", {"symbol": uri.removeprefix(_PRICES)})
        return None if reply.failure and reply.failure.code == "unknown_symbol" else reply.text
    return None


def prompt(name: str, arguments: Mapping[str, str] | None) -> types.GetPromptResult:
    """Return a prompt filled in; an unknown one, or one without its symbol, is an error of the protocol."""
    symbol = (arguments or {}).get("symbol")
    if name != _PROMPTS[0].name or not symbol:
        raise MCPError(types.INVALID_PARAMS, f"no prompt {name[:80]!r} with these arguments", None)
    said = types.TextContent(type="text", text=_CHECK.format(symbol=symbol))
    message = types.PromptMessage(role="user", content=said)
    return types.GetPromptResult(description=_PROMPTS[0].description, messages=[message])


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
        return any(ref.name == one.name for one in _PROMPTS)
    return any(ref.uri == one.uri_template for one in _TEMPLATES)


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

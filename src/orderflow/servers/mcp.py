"""The MCP door: the catalogue over stdio, Streamable HTTP and SSE, in both eras of the protocol."""

from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import mcp_types as types
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from starlette.requests import Request

import orderflow
from orderflow import tools
from orderflow.market.errors import OrderflowError
from orderflow.servers import notices, prompts, resources, suggesting
from orderflow.servers.callers import Caller
from orderflow.servers.notices import Asked, Notices
from orderflow.servers.progress import telling
from orderflow.servers.subscribing import Subscribing
from orderflow.servers.watching import Watching
from orderflow.tools.answers import PNG

INSTRUCTIONS = (
    "Market data of many crypto venues, live or simulated (each answer says which). An answer is a first "
    "line that explains it, remarks after #, then rows as CSV; format=json and format=xml give the same "
    "rows. Unknown is empty, never 0. Times in: ISO 8601, epoch ms, -4h, now; out: UTC. Symbols are "
    "unified (BTCUSDT), venues are ids (binance_spot). max_tokens bounds an answer (default 2000); its "
    "`next` continues it. chart_… tools draw: a PNG comes beside the numbers. An error says what is wrong, then after Hint what would be right. There are "
    "more tools than are listed: find_tools, then describe_tools, then call_tool. system_health says what "
    "is missing and why. Resources live://BTCUSDT/prices and its kin can be subscribed to."
)

_LISTED_FOR_MS = 3_600_000  # the list changes with a release only

_LISTS: tuple[CacheableMethod, ...] = (
    "tools/list",
    "resources/list",
    "resources/templates/list",
    "prompts/list",
    "server/discover",
)


def server(
    caller: Caller, toolset: str = "core", *, writes: bool = False, watching: Watching | None = None
) -> Server[Notices]:
    """Return an MCP server over the catalogue; raise `UnknownTool` for an unknown toolset.

    `toolset` is what is listed (core, all, meta or families), with what changes something where it `writes`;
    every tool answers when called, or says that it is switched off. Over
    HTTP the address may name another one: `/mcp/all`, `/mcp/meta`, `/mcp/x/cross_venue,system`. Whoever serves
    it closes `watching`, so that subscriptions end in good form.
    """
    _listed(toolset, writes)
    subscribing = Subscribing(watching or Watching(caller))

    async def list_tools(ctx: Asked, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=_listed(_addressed(ctx) or toolset, writes))

    async def call_tool(ctx: Asked, params: types.CallToolRequestParams) -> types.CallToolResult:
        return await _called(caller, ctx, params.name, params.arguments)

    async def list_resources(
        ctx: Asked, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        return resources.resources()

    async def list_templates(
        ctx: Asked, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return resources.templates()

    async def read_resource(ctx: Asked, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        return await resources.read(caller, params.uri)

    async def list_prompts(
        ctx: Asked, params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        return prompts.prompts()

    async def get_prompt(ctx: Asked, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        return prompts.prompt(params.name, params.arguments)

    async def set_level(ctx: Asked, params: types.SetLevelRequestParams) -> types.EmptyResult:
        return await ctx.lifespan_context.set_level(ctx, params)

    async def complete(ctx: Asked, params: types.CompleteRequestParams) -> types.CompleteResult:
        return await suggesting.suggestions(caller, params)

    served = Server(
        "orderflow",
        version=orderflow.__version__,
        title="crypto-orderflow",
        instructions=INSTRUCTIONS,
        cache_hints={method: CacheHint(_LISTED_FOR_MS, "public") for method in _LISTS},
        lifespan=notices.opened,
        # Without it each call over the newer HTTP path would list all tools first.
        get_tool_input_schema=_schema,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_subscribe_resource=subscribing.subscribe,
        on_unsubscribe_resource=subscribing.unsubscribe,
        on_subscriptions_listen=subscribing.listen,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=complete,
    )
    # The library's own parameter for it warns that upstream retires it; older clients still ask.
    served.add_request_handler("logging/setLevel", types.SetLevelRequestParams, set_level)
    return served


async def stdio(caller: Caller, toolset: str = "core", *, writes: bool = False) -> None:
    """Serve one client over stdin and stdout until it leaves; stdout carries nothing else."""
    watching = Watching(caller)
    one = server(caller, toolset, writes=writes, watching=watching)
    try:
        async with stdio_server() as (read, write):
            await one.run(read, write, one.create_initialization_options())
    finally:
        watching.close()


async def _called(
    caller: Caller, ctx: Asked, name: str, arguments: Mapping[str, Any] | None
) -> types.CallToolResult:
    async with telling(ctx) as tell:
        reply = await caller.call(name, arguments, tell=tell)
    if reply.failure is not None:
        await ctx.lifespan_context.failed(ctx, name, reply.failure)
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=reply.text)]
    if reply.picture is not None:
        content.append(types.ImageContent(data=b64encode(reply.picture).decode(), mime_type=PNG))
    return types.CallToolResult(
        content=content,
        structured_content=reply.structured,
        is_error=reply.failure is not None,
    )


def _addressed(ctx: Asked) -> str | None:
    """Return the toolset that the address names, where there is an address."""
    return toolset_of(ctx.request.url.path) if isinstance(ctx.request, Request) else None


def toolset_of(path: str) -> str | None:
    """Return the toolset that a path names.

    >>> toolset_of("/mcp/x/cross_venue,system"), toolset_of("/mcp/all"), toolset_of("/mcp")
    ('cross_venue,system', 'all', None)
    """
    _, found, rest = path.partition("/mcp/")
    return (rest.strip("/").removeprefix("x/") or None) if found else None


@lru_cache(maxsize=64)
def _listed(toolset: str, writes: bool) -> list[types.Tool]:
    return [
        types.Tool(
            name=one.name,
            title=one.title,
            description=one.description,
            input_schema=one.schema,
            annotations=types.ToolAnnotations(
                read_only_hint=one.read_only,
                destructive_hint=False,
                idempotent_hint=True,
                open_world_hint=one.open_world,
            ),
        )
        for one in tools.ALL.toolset(toolset, writes=writes)
    ]


def _schema(name: str) -> Mapping[str, Any] | None:
    try:
        return tools.ALL.schema(name)
    except OrderflowError:
        return None

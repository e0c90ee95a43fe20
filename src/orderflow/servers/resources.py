"""Resources: what an assistant can read without calling a tool.

A symbol's data of this moment (`live://BTCUSDT/prices`), which can be subscribed to as well; its coverage; the
run's health; and what does not change while we run: the catalogue, the glossary, what is stored. What is data is
asked of the caller, as a tool is.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import mcp_types as types
from mcp.shared.exceptions import MCPError

from orderflow import tools
from orderflow.servers.callers import Caller
from orderflow.servers.glossary import glossary, schema
from orderflow.servers.replies import Reply

SCHEME = "orderflow://"
LIVE = "live://"
_PLAIN, _MARKDOWN = "text/plain", "text/markdown"
_FIXED_MS = 3_600_000  # what changes with a release only
_COVERAGE_MS = 60_000
_HEALTH_MS = 1_000


class _Live(NamedTuple):
    """Data of a symbol now: the tool that gives them, and how often they are looked at for who subscribed."""

    title: str
    description: str
    tool: str
    arguments: Mapping[str, Any] = {}
    every_s: float = 1.0  # also how long what was read holds


class Question(NamedTuple):
    """What a resource of data asks."""

    tool: str
    arguments: dict[str, Any]
    ttl_ms: int


# Trades are those of the store, a second old: market_trades may ask a venue, and once a second is too often.
_OF_A_SYMBOL: dict[str, _Live] = {
    "prices": _Live("Prices now", "Best bid and ask on each venue.", "xv_prices"),
    "book": _Live("Book now", "The best ten levels on each venue, with their imbalance.", "market_orderbook"),
    "trades": _Live(
        "Last trades", "Trades of five minutes, newest first.", "history_trades", {"since": "-5m", "limit": 50}
    ),
    "funding": _Live(
        "Funding now", "Rates, annual rates and next settlements.", "market_funding", every_s=5.0
    ),
    "liquidations": _Live(
        "Liquidations", "Positions closed by force in the last hour.", "market_liquidations", {"since": "-1h"}
    ),
    "open_interest": _Live(
        "Open interest now", "Of each venue, with its change.", "market_open_interest", every_s=5.0
    ),
}  # fmt: skip
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")

_RESOURCES = [
    types.Resource(
        uri=SCHEME + name, name=name, title=title, description=description, mime_type=mime_type
    )
    for name, title, description, mime_type in (
        ("health", "Health of the system", "Connections, ages and gaps of each venue, and the store.", _PLAIN),
        ("catalogue", "All tools", "Every tool by family, one line each.", _PLAIN),
        ("schema", "What is stored", "Streams with their columns, types, units and meaning.", _MARKDOWN),
        ("glossary", "Glossary", "The words of the field, as they are meant here.", _MARKDOWN),
    )
]  # fmt: skip
_TEMPLATES = [
    *(
        types.ResourceTemplate(
            uri_template=f"{LIVE}{{symbol}}/{kind}",
            name=f"live_{kind}",
            title=one.title,
            description=f"{one.description} Symbols as in BTCUSDT. Can be subscribed to.",
            mime_type=_PLAIN,
        )
        for kind, one in _OF_A_SYMBOL.items()
    ),
    types.ResourceTemplate(
        uri_template=f"{SCHEME}prices/{{symbol}}",
        name="prices",
        title="Prices of a symbol",
        description="Best bid and ask of a symbol, as in BTCUSDT, on each venue now.",
        mime_type=_PLAIN,
    ),
    types.ResourceTemplate(
        uri_template=f"{SCHEME}coverage/{{symbol}}",
        name="coverage",
        title="What was collected of a symbol",
        description="Share of the last day that was received, by stream and venue, with gaps and reasons.",
        mime_type=_PLAIN,
    ),
]


def resources() -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=_RESOURCES)


def templates() -> types.ListResourceTemplatesResult:
    return types.ListResourceTemplatesResult(resource_templates=_TEMPLATES)


def is_template(uri: str) -> bool:
    return any(uri == one.uri_template for one in _TEMPLATES)


async def read(caller: Caller, uri: str) -> types.ReadResourceResult:
    """Return a resource's text; an unknown one, or one of an unknown symbol, is an error of the protocol."""
    fixed = _fixed(uri)
    if fixed is not None:
        text, mime_type = fixed
        contents = types.TextResourceContents(uri=uri, mime_type=mime_type, text=text)
        return types.ReadResourceResult(contents=[contents], ttl_ms=_FIXED_MS, cache_scope="public")
    question = _question(uri)
    reply = None if question is None else await caller.call(question.tool, question.arguments)
    if question is None or reply is None or (reply.failure and reply.failure.code == "unknown_symbol"):
        raise MCPError(types.INVALID_PARAMS, f"no resource {uri[:200]}", {"uri": uri})
    contents = types.TextResourceContents(uri=uri, mime_type=_PLAIN, text=reply.text)
    ttl_ms = 0 if reply.failure else question.ttl_ms
    return types.ReadResourceResult(contents=[contents], ttl_ms=ttl_ms, cache_scope="private")


def live(uri: str) -> tuple[Question, float] | None:
    """Return what a live resource asks and how often it is looked at, in seconds; None for any other."""
    symbol, _, kind = unquote(uri.removeprefix(LIVE)).rpartition("/")
    known = _OF_A_SYMBOL.get(kind)
    if not uri.startswith(LIVE) or known is None or not _SYMBOL.fullmatch(symbol):
        return None
    arguments = {"symbol": symbol.upper(), **known.arguments}
    return Question(known.tool, arguments, round(known.every_s * 1_000)), known.every_s


def data_of(reply: Reply) -> Any:
    """Return what of an answer changes when its data do: its rows without their ages; of a failure its code."""
    if reply.structured is None:
        return reply.failure and reply.failure.code
    kept = [at for at, name in enumerate(reply.structured["columns"]) if name not in ("age_ms", "source")]
    return [[row[at] for at in kept] for row in reply.structured["rows"]]


def _fixed(uri: str) -> tuple[str, str] | None:
    if uri == f"{SCHEME}catalogue":
        every = tools.ALL.toolset("all")
        return "\n".join(f"{one.family} {one.name}: {one.summary}" for one in every), _PLAIN
    if uri == f"{SCHEME}schema":
        return schema(), _MARKDOWN
    return (glossary(), _MARKDOWN) if uri == f"{SCHEME}glossary" else None


def _question(uri: str) -> Question | None:
    if (found := live(uri)) is not None:
        return found[0]
    if uri == f"{SCHEME}health":
        return Question("system_health", {}, _HEALTH_MS)
    for kind, tool, ttl_ms in (
        ("prices", "xv_prices", 1_000),
        ("coverage", "history_coverage", _COVERAGE_MS),
    ):
        about, symbol = f"{SCHEME}{kind}/", unquote(uri.removeprefix(f"{SCHEME}{kind}/"))
        if uri.startswith(about) and _SYMBOL.fullmatch(symbol):
            return Question(tool, {"symbol": symbol}, ttl_ms)
    return None

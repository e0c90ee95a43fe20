"""Discovery: three tools that reach all the others without showing them all."""

from typing import Annotated, Any

from msgspec import Meta as Range

from orderflow.market.errors import InvalidArgument
from orderflow.tools.answers import Answer, Meta, Row
from orderflow.tools.spec import Ask, tool

FAMILY = "catalogue"


def _meta(ask: Ask) -> Meta:
    return Meta(
        tool=ask.tool, as_of=ask.as_of, source=ask.source, coverage_reason="says nothing about markets"
    )


@tool(
    family=FAMILY,
    title="Find tools",
    columns={"name": "", "family": "", "title": "", "summary": ""},
    example={"query": "price difference between exchanges"},
)
def find_tools(
    ask: Ask, query: str, toolset: str | None = None, limit: Annotated[int, Range(ge=1, le=50)] = 10
) -> Answer:
    """Search all tools by words: one line each, best first.

    Use it when none of the tools you see fits; then describe_tools and call_tool.

    Args:
        query: a few words
        toolset: only of this family
        limit: at most so many
    """
    offered = {one.name for one in ask.catalogue.toolset(toolset or "all")}
    names = [name for name in ask.catalogue.index.search(query, len(ask.catalogue.tools)) if name in offered]
    tools = [ask.catalogue.tools[name] for name in names[:limit]]
    answer = Answer(
        meta=_meta(ask),
        columns=["name", "family", "title", "summary"],
        rows=[[one.name, one.family, one.title, one.summary] for one in tools],
    )
    if not tools:
        answer.summary = {"families": list(ask.catalogue.families)}
        answer.meta.warnings.append("no tool shares a word with the query; the families are in the summary")
    return answer


@tool(
    family=FAMILY,
    title="Describe tools",
    columns={"name": "", "description": "", "schema": "", "result": "", "example": "", "aliases": ""},
    example={"names": ["xv_prices"]},
)
def describe_tools(ask: Ask, names: Annotated[list[str], Range(min_length=1, max_length=20)]) -> Answer:
    """Schemas, examples and result columns of tools.

    Use it after find_tools, before call_tool.

    Args:
        names: tools, or old names of theirs
    """
    rows: list[Row] = []
    for name in names:
        found, alias = ask.catalogue.resolve(name)
        example: dict[str, Any] = {} if alias else dict(found.example or {})
        old = [one for one in ask.catalogue.aliases if ask.catalogue.aliases[one].tool == found.name]
        shown = name if alias else found.name
        rows.append([shown, found.description, ask.catalogue.schema(name), found.result, example, old])
    return Answer(
        meta=_meta(ask), columns=["name", "description", "schema", "result", "example", "aliases"], rows=rows
    )


@tool(
    family=FAMILY,
    title="Call a tool",
    example={"name": "xv_prices", "arguments": {"symbol": "BTCUSDT"}},
    passes_on=True,
)
def call_tool(ask: Ask, name: str, arguments: dict[str, Any] | None = None) -> Answer:
    """Call any read-only tool by name, with the same checks and the same answer as a direct call.

    Use it for tools that find_tools named and that are not in your list.

    Args:
        name: the tool
        arguments: its arguments
    """
    found, _ = ask.catalogue.resolve(name)
    if found.name == ask.tool:
        raise InvalidArgument("call_tool does not call itself", hint="name the tool that you want")
    if not found.read_only:
        raise InvalidArgument(
            f"{found.name} changes something", hint="call it directly, where it is switched on"
        )
    return ask.catalogue.call(ask.context, name, {**ask.common, **(arguments or {})}, ask.tell)

"""The MCP door: what it lists, how it refuses, and that hidden names answer."""

import asyncio
import json
from typing import Any

import pytest
from fixed_market import FakeLatest, context
from mcp import Client
from mcp.shared.exceptions import MCPError

from orderflow import tools
from orderflow.market.errors import UnknownTool
from orderflow.servers import material
from orderflow.servers import mcp as door
from orderflow.servers.callers import Local


def said(name: str, arguments: dict[str, Any] | None = None, latest: FakeLatest | None = None) -> Any:
    async def ask() -> Any:
        async with Client(door.server(Local(context(latest)))) as client:
            return await client.call_tool(name, arguments)

    return asyncio.run(ask())


def listed() -> Any:
    async def ask() -> Any:
        async with Client(door.server(Local(context()), "all")) as client:
            return await client.list_tools()

    return asyncio.run(ask())


def test_a_listed_tool_has_schema_and_annotations_and_no_result_schema() -> None:
    for one in listed().tools:
        assert one.input_schema == tools.ALL.tools[one.name].schema
        assert one.output_schema is None
        assert one.annotations.read_only_hint is True
        assert one.annotations.destructive_hint is False
        assert one.annotations.idempotent_hint is True
        assert one.annotations.open_world_hint is False


def test_the_list_says_how_long_it_holds_and_for_whom() -> None:
    found = listed()
    assert found.ttl_ms > 0
    assert found.cache_scope == "public"


def test_hidden_and_old_names_answer_when_called() -> None:
    async def ask() -> Any:
        async with Client(door.server(Local(context()), "meta")) as client:
            names = [one.name for one in (await client.list_tools()).tools]
            return names, await client.call_tool("get_crypto_prices", {"symbol": "BTCUSDT"})

    names, found = asyncio.run(ask())
    assert "xv_prices" not in names
    assert not found.is_error


def test_a_call_without_arguments_is_a_call_with_none() -> None:
    assert said("system_health").structured_content["summary"]["status"] == "healthy"


@pytest.mark.parametrize(
    ("name", "arguments", "begins"),
    [
        (
            "xv_prices",
            {"symbl": "BTCUSDT"},
            "invalid_argument: xv_prices has no parameter 'symbl' Hint: nearest: symbol",
        ),
        ("xv_prices", {"symbol": "DOGE"}, "unknown_symbol: unknown symbol 'DOGE' Hint: "),
        ("nope", {}, "unknown_tool: no tool 'nope' Hint: "),
    ],
)
def test_a_refusal_is_an_answer_with_a_code_and_a_hint(
    name: str, arguments: dict[str, Any], begins: str
) -> None:
    found = said(name, arguments)
    assert found.is_error
    assert found.structured_content is None
    assert found.content[0].text.startswith(begins)


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "xv_prices", "format": "json"},
        {"name": "xv_prices", "arguments": {"format": "json"}},
    ],
)
def test_call_tool_writes_in_the_form_that_was_asked(arguments: dict[str, Any]) -> None:
    found = said("call_tool", arguments)
    assert json.loads(found.content[0].text) == found.structured_content


def test_an_empty_store_says_so() -> None:
    assert (
        said("xv_arbitrage", {"symbol": "BTCUSDT"}, FakeLatest())
        .content[0]
        .text.startswith("no_data_for_range: ")
    )


def test_a_defect_of_ours_is_told_with_a_trace_and_without_its_details() -> None:
    class Broken(FakeLatest):
        def symbols(self) -> list[str]:
            raise KeyError("a secret of the house")

    text = said("xv_prices", {}, Broken()).content[0].text
    assert text.startswith("internal: xv_prices failed on our side, trace ")
    assert "secret" not in text


def test_an_unknown_set_is_refused_before_anything_is_served() -> None:
    with pytest.raises(UnknownTool, match="no toolset 'everything'"):
        door.server(Local(context()), "everything")


# ── What can be read without a call ───────────────────────────────────────────────────────────


def with_client(ask: Any, latest: FakeLatest | None = None) -> Any:
    async def run() -> Any:
        async with Client(door.server(Local(context(latest)))) as client:
            return await ask(client)

    return asyncio.run(run())


def refusal(ask: Any) -> MCPError:
    """Return the error with which the protocol refuses a request."""

    async def refused(client: Client) -> MCPError:
        with pytest.raises(MCPError) as caught:
            await ask(client)
        return caught.value

    return with_client(refused)


@pytest.mark.parametrize(
    ("uri", "begins"),
    [
        ("orderflow://health", "system_health @binance_futures,binance_spot"),
        ("orderflow://catalogue", "cross_venue xv_prices: Best bid"),
        ("orderflow://prices/BTCUSDT", "xv_prices BTCUSDT@"),
    ],
)
def test_a_resource_reads_as_the_tool_behind_it(uri: str, begins: str) -> None:
    found = with_client(lambda client: client.read_resource(uri))
    assert found.contents[0].text.startswith(begins)


@pytest.mark.parametrize(
    "uri", ["orderflow://nope", "orderflow://prices/", "orderflow://prices/NO", "file:///etc"]
)
def test_an_unknown_resource_is_refused_by_name(uri: str) -> None:
    error = refusal(lambda client: client.read_resource(uri))
    assert error.message.startswith("no resource")
    assert error.data == {"uri": uri}


def test_every_listed_resource_and_prompt_can_be_had() -> None:
    async def all_of_them(client: Client) -> int:
        listed_resources = (await client.list_resources()).resources
        for one in listed_resources:
            assert (await client.read_resource(one.uri)).contents
        listed_prompts = (await client.list_prompts()).prompts
        for one in listed_prompts:
            said = await client.get_prompt(one.name, {"symbol": "BTCUSDT"})
            assert "BTCUSDT" in said.messages[0].content.text  # type: ignore[union-attr]
        return len(listed_resources) * len(listed_prompts)

    assert with_client(all_of_them) > 0


def test_a_prompt_names_only_tools_that_exist() -> None:
    said = material.prompt("market_check", {"symbol": "X"}).messages[0].content.text  # type: ignore[union-attr]
    named = {word.strip(".,") for word in said.split() if "_" in word}
    assert named
    assert named <= set(tools.ALL.tools)


@pytest.mark.parametrize(
    ("name", "arguments"), [("nope", {"symbol": "X"}), ("market_check", {}), ("market_check", None)]
)
def test_a_prompt_that_cannot_be_filled_is_refused(name: str, arguments: dict[str, str] | None) -> None:
    error = refusal(lambda client: client.get_prompt(name, arguments))
    assert error.message.startswith("no prompt")


def test_the_instructions_name_only_tools_that_exist() -> None:
    named = {word.strip(".,;:`()") for word in door.INSTRUCTIONS.split()}
    assert {"find_tools", "describe_tools", "call_tool", "system_health"} <= named & set(tools.ALL.tools)

"""The MCP door: what it lists, how it refuses, and that hidden names answer."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fixed_market import FakeLatest, context, quote
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference, SetLevelRequestParams
from starlette.requests import Request

from orderflow import tools
from orderflow.market.errors import UnknownTool
from orderflow.market.streams import STREAMS
from orderflow.servers import mcp as door
from orderflow.servers import notices
from orderflow.servers.callers import Local, ReadOnly


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
        assert one.annotations.open_world_hint is tools.ALL.tools[one.name].open_world


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


def test_a_defect_is_noticed_as_an_error_with_its_trace() -> None:
    class Broken(FakeLatest):
        def symbols(self) -> list[str]:
            raise KeyError("a secret of the house")

    heard: list[Any] = []

    async def hear(params: Any) -> None:
        heard.append(params)

    async def ask() -> str:
        served = door.server(Local(context(Broken())))
        async with Client(served, logging_callback=hear) as client:
            meta: Any = {"io.modelcontextprotocol/logLevel": "error"}
            return (await client.call_tool("xv_prices", {}, meta=meta)).content[0].text  # type: ignore[union-attr]

    text = asyncio.run(ask())
    assert [(one.level, one.data["code"]) for one in heard] == [("error", "internal")]
    assert heard[0].data["trace"] in text
    assert "secret" not in str(heard[0])


def test_a_read_only_door_refuses_what_changes_something_and_answers_the_rest() -> None:
    async def ask() -> Any:
        async with Client(door.server(ReadOnly(Local(context(writes=True))))) as client:
            names = ("stream_stop", "nope", "system_health")
            return [await client.call_tool(name, {}) for name in names]

    stop, nope, health = asyncio.run(ask())
    assert stop.content[0].text.startswith(
        "invalid_argument: stream_stop changes something, and this door is read-only Hint: "
    )
    assert nope.content[0].text.startswith("unknown_tool: ")
    assert not health.is_error


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
        ("orderflow://coverage/BTCUSDT", "history_coverage BTCUSDT@"),
        ("live://BTCUSDT/prices", "xv_prices BTCUSDT@"),
        ("live://btcusdt/prices", "xv_prices BTCUSDT@"),
        ("live://BTCUSDT/book", "market_orderbook BTCUSDT@"),
        ("live://BTCUSDT/trades", "history_trades BTCUSDT@"),
        ("live://BTCUSDT/funding", "market_funding BTCUSDT@"),
        ("live://BTCUSDT/liquidations", "market_liquidations BTCUSDT@"),
        ("live://BTCUSDT/open_interest", "market_open_interest BTCUSDT@"),
    ],
)
def test_a_resource_reads_as_the_tool_behind_it(uri: str, begins: str) -> None:
    found = with_client(lambda client: client.read_resource(uri))
    assert found.contents[0].text.startswith(begins)


def test_every_symbol_that_a_template_asks_for_is_completed() -> None:
    async def all_of_them(client: Client) -> set[str]:
        templates = (await client.list_resource_templates()).resource_templates
        found = set[str]()
        for one in templates:
            ref = ResourceTemplateReference(uri=one.uri_template)
            said = await client.complete(ref, {"name": "symbol", "value": "E"})
            assert said.completion.values == ["ETHUSDT"]
            assert (await client.read_resource(one.uri_template.replace("{symbol}", "BTCUSDT"))).contents
            found.add(one.uri_template)
        return found

    kinds = ("prices", "book", "trades", "funding", "liquidations", "open_interest")
    wanted = {f"live://{{symbol}}/{kind}" for kind in kinds}
    assert wanted < with_client(all_of_them)


@pytest.mark.parametrize(
    ("uri", "ttl_ms", "scope"),
    [
        ("live://BTCUSDT/prices", 1_000, "private"),
        ("live://BTCUSDT/funding", 5_000, "private"),
        ("orderflow://coverage/BTCUSDT", 60_000, "private"),
        ("orderflow://glossary", 3_600_000, "public"),
        ("orderflow://schema", 3_600_000, "public"),
    ],
)
def test_what_is_read_says_how_long_it_holds_and_for_whom(uri: str, ttl_ms: int, scope: str) -> None:
    found = with_client(lambda client: client.read_resource(uri))
    assert (found.ttl_ms, found.cache_scope) == (ttl_ms, scope)


def test_a_failure_does_not_hold() -> None:
    found = with_client(lambda client: client.read_resource("live://BTCUSDT/prices"), FakeLatest())
    assert found.contents[0].text.startswith("no_data_for_range: ")
    assert found.ttl_ms == 0


def test_the_schema_has_every_column_with_its_unit() -> None:
    text = with_client(lambda client: client.read_resource("orderflow://schema")).contents[0].text
    for stream in STREAMS.values():
        assert f"## {stream.name}" in text
        for one in stream.columns:
            assert f"| {one.name} | {one.type} | {one.unit} |" in text


def test_what_the_guide_for_assistants_lists_is_what_there_is() -> None:
    text = (Path(__file__).parents[2] / "docs" / "assistants.md").read_text()

    async def names(client: Client) -> list[str]:
        asked = [one.name for one in (await client.list_prompts()).prompts]
        read = [one.uri for one in (await client.list_resources()).resources]
        templates = (await client.list_resource_templates()).resource_templates
        return asked + read + [one.uri_template.replace("{symbol}", "BTCUSDT") for one in templates]

    assert [one for one in with_client(names) if f"| `{one}` |" not in text] == []


@pytest.mark.parametrize(
    "uri",
    [
        "orderflow://nope",
        "orderflow://prices/",
        "orderflow://prices/NO",
        "orderflow://coverage/NO",
        "live://NO/prices",
        "live://BTCUSDT/nope",
        "live:///prices",
        "live://BTC%20or/prices",
        "file:///etc",
    ],
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
            said = await client.get_prompt(one.name, {"symbol": "ETHUSDT", "coin": "ETH"})
            assert "ETH" in said.messages[0].content.text  # type: ignore[union-attr]
        return len(listed_resources) * len(listed_prompts)

    assert with_client(all_of_them) > 0


@pytest.mark.parametrize(
    ("name", "arguments"), [("nope", {"symbol": "X"}), ("market_check", {}), ("market_check", None)]
)
def test_a_prompt_that_cannot_be_filled_is_refused(name: str, arguments: dict[str, str] | None) -> None:
    error = refusal(lambda client: client.get_prompt(name, arguments))
    assert error.message in ("no prompt 'nope'", "prompt market_check needs symbol: a symbol, as in BTCUSDT")


# ── What is suggested while someone types ─────────────────────────────────────────────────────

PROMPT = PromptReference(name="market_check")
TEMPLATE = ResourceTemplateReference(uri="orderflow://prices/{symbol}")


def suggested(ref: Any, argument: str, begun: str, latest: FakeLatest | None = None) -> Any:
    return with_client(
        lambda client: client.complete(ref, {"name": argument, "value": begun}), latest
    ).completion


LIVE = ResourceTemplateReference(uri="live://{symbol}/liquidations")


@pytest.mark.parametrize("ref", [PROMPT, TEMPLATE, LIVE])
@pytest.mark.parametrize(
    ("begun", "values"),
    [("", ["BTCUSDT", "ETHUSDT"]), ("b", ["BTCUSDT"]), ("ETHU", ["ETHUSDT"]), ("SOL", []), ("USDT", [])],
)
def test_a_symbol_is_suggested_by_its_beginning(ref: Any, begun: str, values: list[str]) -> None:
    found = suggested(ref, "symbol", begun)
    assert (found.values, found.total, found.has_more) == (values, len(values), False)


@pytest.mark.parametrize(
    ("ref", "argument"),
    [
        (PROMPT, "venue"),
        (PromptReference(name="options_positioning"), "symbol"),
        (PromptReference(name="nope"), "symbol"),
        (ResourceTemplateReference(uri="file:///{symbol}"), "symbol"),
    ],
)
def test_what_we_cannot_complete_has_no_suggestions(ref: Any, argument: str) -> None:
    assert suggested(ref, argument, "").values == []


def test_before_anything_was_received_there_is_nothing_to_suggest() -> None:
    found = suggested(PROMPT, "symbol", "", FakeLatest())
    assert (found.values, found.total, found.has_more) == ([], 0, False)


def test_more_symbols_than_the_protocol_allows_are_cut_and_counted() -> None:
    latest = FakeLatest(quotes=[quote("binance_spot", 1.0, 2.0, symbol=f"C{n:03}USDT") for n in range(150)])
    found = suggested(PROMPT, "symbol", "c", latest)
    assert found.values == [f"C{n:03}USDT" for n in range(100)]
    assert (found.total, found.has_more) == (150, True)
    later = suggested(PROMPT, "symbol", "C14", latest)
    assert (later.values, later.has_more) == ([f"C14{n}USDT" for n in range(10)], False)


def test_symbols_beyond_what_is_read_are_said_to_be_missing() -> None:
    latest = FakeLatest(quotes=[quote("binance_spot", 1.0, 2.0, symbol=f"C{n:04}USDT") for n in range(2_500)])
    found = suggested(PROMPT, "symbol", "C2", latest)
    assert (found.total, found.has_more) == (None, True)


def test_the_instructions_name_only_tools_that_exist() -> None:
    named = {word.strip(".,;:`()") for word in door.INSTRUCTIONS.split()}
    assert {"find_tools", "describe_tools", "call_tool", "system_health"} <= named & set(tools.ALL.tools)


def test_levels_of_sessions_that_never_said_goodbye_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "_MOST_SESSIONS", 2)
    kept = notices.Notices()

    def session(name: str) -> Any:
        request = Request({"type": "http", "headers": [(b"mcp-session-id", name.encode())]})
        return SimpleNamespace(request=request, protocol_version="2025-11-25")

    async def ask() -> None:
        for name in ("a", "b", "a", "c"):
            await kept.set_level(session(name), SetLevelRequestParams(level="info"))

    asyncio.run(ask())
    assert [bool(kept._wanted(session(name))) for name in "abc"] == [True, False, True]

"""Every door gives the same answer: in this process, over MCP on stdio, /mcp and /sse, and over HTTP."""

import asyncio
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fixed_market import context
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client

from orderflow import tools
from orderflow.servers import http as http_door
from orderflow.servers import mcp as door
from orderflow.servers.callers import Local
from orderflow.servers.remote import Remote
from orderflow.tools.forms import structured, write

HERE = Path(__file__).parent
SOURCE = str(Path(tools.__file__).parents[2])
ENV = {**os.environ, "PYTHONPATH": SOURCE}
ASK = ("xv_arbitrage", {"symbol": "BTCUSDT", "include_spreads": True})
EXPECTED = structured(tools.call(context(), *ASK))
EXPECTED_TEXT = write(tools.call(context(), *ASK), "text")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A service in a process of its own, on a free port."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "serve_http.py")], stdout=subprocess.PIPE, env=ENV, text=True
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.wait(timeout=30)
    process.stdout.close()


def stdio() -> StdioServerParameters:
    return StdioServerParameters(command=sys.executable, args=[str(HERE / "serve_stdio.py")], env=ENV)


def transport(kind: str, url: str) -> Any:
    if kind == "memory":
        return door.server(Local(context()))
    if kind == "stdio":
        return stdio_client(stdio())
    return sse_client(f"{url}/sse") if kind == "sse" else f"{url}/mcp"


DOORS = [
    ("memory", "auto", "2026-07-28"),
    ("stdio", "legacy", "2025-11-25"),
    ("stdio", "auto", "2026-07-28"),
    ("mcp", "legacy", "2025-11-25"),
    ("mcp", "auto", "2026-07-28"),
    ("sse", "legacy", "2025-11-25"),
]


@pytest.mark.parametrize(("kind", "mode", "revision"), DOORS)
def test_every_mcp_door_lists_and_answers_in_both_eras(kind: str, mode: Any, revision: str, url: str) -> None:
    async def ask() -> None:
        async with Client(transport(kind, url), mode=mode) as client:
            assert client.protocol_version == revision
            listed = await client.list_tools()
            assert [one.name for one in listed.tools] == [one.name for one in tools.ALL.toolset("core")]
            found = await client.call_tool(*ASK)
            assert not found.is_error
            assert found.structured_content == EXPECTED
            assert found.content[0].text == EXPECTED_TEXT  # type: ignore[union-attr]

    asyncio.run(ask())


async def failed(client: Client, meta: Any = None) -> None:
    """Call a tool that nobody has: a notice of level info."""
    assert (await client.call_tool("nope", {}, meta=meta)).is_error
    await client.list_tools()  # notices come in order: whatever was sent is here by now


def notices(heard: list[Any]) -> list[Any]:
    return [(one.level, one.data) for one in heard]


NOPE = ("info", {"tool": "nope", "code": "unknown_tool", "message": "no tool 'nope'"})


@pytest.mark.parametrize("kind", ["memory", "stdio", "mcp", "sse"])
@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
def test_an_older_client_hears_of_failed_calls_from_the_level_that_it_sets(kind: str, url: str) -> None:
    heard: list[Any] = []
    others: list[Any] = []

    async def hear(params: Any) -> None:
        heard.append(params)

    async def other_hears(params: Any) -> None:
        others.append(params)

    async def ask() -> None:
        async with (
            Client(transport(kind, url), mode="legacy", logging_callback=hear) as client,
            Client(transport(kind, url), mode="legacy", logging_callback=other_hears) as other,
        ):
            await failed(client)
            await client.set_logging_level("warning")
            await failed(client)
            assert heard == []
            await client.set_logging_level("info")
            await failed(client)
            await failed(other)

    asyncio.run(ask())
    assert notices(heard) == [NOPE]
    assert others == []


@pytest.mark.parametrize("kind", ["memory", "stdio", "mcp"])
def test_a_newer_client_hears_of_a_failed_call_that_it_asks_to_hear_of(kind: str, url: str) -> None:
    heard: list[Any] = []

    async def hear(params: Any) -> None:
        heard.append(params)

    async def ask() -> None:
        async with Client(transport(kind, url), logging_callback=hear) as client:
            await failed(client)
            await failed(client, {"io.modelcontextprotocol/logLevel": "error"})
            assert heard == []
            await failed(client, {"io.modelcontextprotocol/logLevel": "debug"})

    asyncio.run(ask())
    assert notices(heard) == [NOPE]


def posted(url: str, path: str, body: Any, method: str = "POST", **headers: str) -> tuple[int, Any, Any]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection.request(method, path, sent, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    return answer.status, json.loads(said) if is_json else said.decode(), answer.headers


def test_http_gives_the_answer_of_mcp(url: str) -> None:
    name, arguments = ASK
    assert posted(url, f"/tools/{name}", arguments)[:2] == (200, EXPECTED)
    assert posted(url, f"/tools/{name}", {"params": arguments})[:2] == (200, EXPECTED)
    assert posted(url, f"/tools/{name}?format=text", arguments)[:2] == (200, EXPECTED_TEXT)
    assert posted(url, f"/tools/{name}", {**arguments, "format": "text"})[:2] == (200, EXPECTED_TEXT)
    in_xml = write(tools.call(context(), *ASK), "xml")
    status, said, headers = posted(url, f"/tools/{name}?format=xml", arguments)
    assert (status, said) == (200, in_xml)
    assert headers["Content-Type"].startswith("application/xml")


def test_a_call_from_another_process_gives_the_same_reply(url: str) -> None:
    here, there = Local(context()), Remote(url)
    for name, arguments in [
        ASK,
        ("get_crypto_prices", {"symbol": "BTCUSDT"}),
        ("xv_prices", {"symbol": "NO"}),
    ]:
        assert asyncio.run(there.call(name, arguments)) == asyncio.run(here.call(name, arguments))
        as_json = asyncio.run(there.call(name, arguments, "json"))
        assert as_json == asyncio.run(here.call(name, arguments, "json"))
    assert asyncio.run(there.health())["status"] == "healthy"


def test_mcp_over_stdio_asks_a_running_service_as_well(url: str) -> None:
    async def ask() -> Any:
        async with Client(door.server(Remote(url))) as client:
            return (await client.call_tool(*ASK)).structured_content

    assert asyncio.run(ask()) == EXPECTED


@pytest.mark.parametrize(
    ("path", "toolset"),
    [
        ("/mcp/all", "all"),
        ("/mcp/meta", "meta"),
        ("/mcp/x/system", "system"),
        (f"/mcp/x/{','.join(tools.ALL.families)}", "all"),
    ],
)
@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_address_chooses_what_is_listed(path: str, toolset: str, mode: Any, url: str) -> None:
    async def names() -> list[str]:
        async with Client(url + path, mode=mode) as client:
            return [one.name for one in (await client.list_tools()).tools]

    assert asyncio.run(names()) == [one.name for one in tools.ALL.toolset(toolset)]


def test_an_address_of_an_unknown_set_is_refused_with_the_known_ones(url: str) -> None:
    status, said, _ = posted(url, "/mcp/x/nonsense", {})
    assert (status, said["code"]) == (404, "unknown_tool")
    assert "cross_venue" in said["hint"]


def test_a_service_that_stops_ends_its_long_answers_in_good_form(caplog: pytest.LogCaptureFixture) -> None:
    async def life() -> None:
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        app = http_door.app(Local(context()))
        serving = asyncio.create_task(http_door.serve(app, port=0, ready=address.set_result))
        url = await address
        async with Client(sse_client(f"{url}/sse"), mode="legacy") as older:
            await older.list_tools()
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving

    asyncio.run(life())
    assert [one.getMessage() for one in caplog.records if one.name.startswith("uvicorn")] == []

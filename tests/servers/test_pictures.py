"""A picture in an answer: the same behind every door, each of which gives it in its own way."""

import asyncio
import base64
import json
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
from fixed_market import context
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import ImageContent, TextContent
from starlette.testclient import TestClient

from orderflow import cli, tools
from orderflow.servers import http, nearest
from orderflow.servers import mcp as door
from orderflow.servers.callers import Local
from orderflow.servers.remote import Remote
from orderflow.tools.answers import PNG, tokens
from orderflow.tools.forms import structured, write
from tests.servers.test_doors import ENV, HERE

ASK: tuple[str, dict[str, Any]] = (
    "chart_cvd",
    {"symbol": "BTCUSDT", "since": "-1h", "width": 900, "height": 600},
)
ANSWER = tools.call(context(), *ASK)
assert ANSWER.picture is not None
PICTURE = ANSWER.picture.png
EXPECTED, EXPECTED_TEXT = structured(ANSWER), write(ANSWER, "text")


def client() -> TestClient:
    return TestClient(http.app(Local(context())), base_url="http://127.0.0.1:8022")


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


# ── MCP ───────────────────────────────────────────────────────────────────────────────────────


def transport(kind: str) -> Any:
    if kind == "memory":
        return door.server(Local(context()))
    return stdio_client(
        StdioServerParameters(command=sys.executable, args=[str(HERE / "serve_stdio.py")], env=ENV)
    )


@pytest.mark.parametrize(("kind", "mode"), [("memory", "auto"), ("stdio", "legacy"), ("stdio", "auto")])
def test_an_assistant_receives_the_image_beside_the_numbers(kind: str, mode: Any) -> None:
    async def ask() -> Any:
        async with Client(transport(kind), mode=mode) as one:
            return await one.call_tool(*ASK)

    found = asyncio.run(ask())
    assert not found.is_error
    text, image = found.content
    assert isinstance(text, TextContent) and isinstance(image, ImageContent)
    assert image.mime_type == PNG
    png = base64.b64decode(image.data, validate=True)
    assert size(png) == (900, 600)
    assert png == PICTURE
    assert text.text == EXPECTED_TEXT and tokens(text.text) <= 2_000
    assert found.structured_content == EXPECTED
    assert image.data[:64] not in json.dumps(found.structured_content)


def test_call_tool_passes_the_image_on_and_other_tools_have_none() -> None:
    async def ask() -> Any:
        async with Client(door.server(Local(context()))) as one:
            inner = await one.call_tool("call_tool", {"name": ASK[0], "arguments": ASK[1]})
            return inner, await one.call_tool("xv_prices", {"symbol": "BTCUSDT"})

    inner, other = asyncio.run(ask())
    assert base64.b64decode(inner.content[1].data) == PICTURE
    assert [one.type for one in other.content] == ["text"]


def test_the_description_says_that_a_tool_draws() -> None:
    async def ask() -> Any:
        async with Client(door.server(Local(context()), "charts")) as one:
            return await one.list_tools()

    listed = {one.name: one.description for one in asyncio.run(ask()).tools}
    assert "PNG" in listed["chart_cvd"] and "PNG" not in listed["call_tool"]


# ── HTTP ──────────────────────────────────────────────────────────────────────────────────────


def test_json_says_where_the_picture_is_and_there_it_is() -> None:
    with client() as one:
        said = one.post(f"/tools/{ASK[0]}", json=ASK[1])
        assert said.json() == EXPECTED
        href = said.json()["picture"]["href"]
        image = one.get(href)
    assert image.status_code == 200
    assert image.headers["Content-Type"] == PNG
    assert image.headers["Content-Disposition"] == 'inline; filename="chart_cvd.png"'
    assert image.content == PICTURE


def test_a_call_may_ask_for_the_image_itself() -> None:
    with client() as one:
        assert one.post(f"/tools/{ASK[0]}?format=png", json=ASK[1]).content == PICTURE
        assert one.post(f"/tools/{ASK[0]}?format=text", json=ASK[1]).text == EXPECTED_TEXT


def test_a_tool_that_draws_answers_a_query_as_it_answers_a_body() -> None:
    with client() as one:
        assert one.get(f"/tools/{ASK[0]}", params=ASK[1]).json() == EXPECTED
        assert one.get(f"/tools/{ASK[0]}", params={**ASK[1], "format": "xml"}).text == write(ANSWER, "xml")
        venues = one.get("/tools/chart_cvd?symbol=BTCUSDT&since=-1h&venues=binance_futures,bybit_futures")
        assert venues.json()["meta"]["venues"]["asked"] == ["binance_futures", "bybit_futures"]


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/tools/chart_cvd?format=png", 400, "needs symbol"),
        ("GET", "/tools/chart_cvd?format=png&symbol=NO", 404, "unknown symbol"),
        ("GET", "/tools/chart_cvd?format=png&symbol=BTCUSDT&width=9", 400, "width"),
        ("GET", "/tools/chart_cvd?format=png&symbol=BTCUSDT&colour=red", 400, "no parameter 'colour'"),
        ("GET", "/tools/chart_cvd?format=gif&symbol=BTCUSDT", 400, "format"),
        ("GET", "/tools/xv_prices", 405, "Method Not Allowed"),
        ("POST", "/tools/xv_prices?format=png", 400, "format"),
        ("POST", "/tools/get_crypto_prices?format=png", 400, "gives no picture"),
    ],
)
def test_what_cannot_be_drawn_is_an_error_and_no_image(
    method: str, path: str, status: int, said: str
) -> None:
    with client() as one:
        refusal = one.request(method, path, json={} if method == "POST" else None)
    assert refusal.status_code == status
    assert said in refusal.json()["message"]


def test_with_a_token_a_picture_is_not_given_without_it() -> None:
    app = http.app(Local(context()), token="secret")
    with TestClient(app, base_url="http://127.0.0.1:8022") as one:
        path = f"/tools/{ASK[0]}?format=png&symbol=BTCUSDT"
        assert one.get(path).status_code == 401
        assert one.get(path, headers={"Authorization": "Bearer secret"}).status_code == 200


def test_the_interface_describes_the_query_and_the_image() -> None:
    paths = client().get("/openapi.json").json()["paths"]
    get = paths["/tools/chart_cvd"]["get"]
    assert PNG in get["responses"]["200"]["content"]
    assert PNG in paths["/tools/chart_cvd"]["post"]["responses"]["200"]["content"]
    named = [one["name"] for one in get["parameters"]]
    assert {"symbol", "venues", "since", "width", "height", "theme", "format"} <= set(named)
    assert len(named) == len(set(named))
    assert "get" not in paths["/tools/xv_prices"]
    assert PNG not in paths["/tools/xv_prices"]["post"]["responses"]["200"]["content"]


def test_a_call_from_another_process_brings_the_picture_along() -> None:
    async def ask() -> Any:
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            http.serve(http.app(Local(context())), port=0, ready=address.set_result)
        )
        try:
            return await Remote(await address).call(*ASK)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    assert asyncio.run(ask()) == asyncio.run(Local(context()).call(*ASK))


# ── The command line ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run `orderflow call` of the fixed market, and return its code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nearest, "Nearest", lambda *_, **__: Local(context()))

    def go(*words: str) -> tuple[Any, str, str]:
        monkeypatch.setattr(sys, "argv", ["orderflow", "call", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capfd.readouterr()
        return left.value.code, out, err

    return go


WORDS = [ASK[0], *(f"{name}={value}" for name, value in ASK[1].items())]


def test_a_command_writes_the_picture_and_prints_the_numbers(run: Any, tmp_path: Path) -> None:
    code, out, err = run(*WORDS, "--png", "cvd.png")
    assert (code, out) == (0, EXPECTED_TEXT + "\n")
    assert (tmp_path / "cvd.png").read_bytes() == PICTURE
    assert err == f"cvd.png: a picture of {len(PICTURE):,} bytes\n"


def test_without_a_file_one_line_says_how_to_get_the_picture(run: Any) -> None:
    code, out, err = run(*WORDS)
    assert (code, out) == (0, EXPECTED_TEXT + "\n")
    assert len(err.splitlines()) == 1 and "--png FILE" in err
    code, out, err = run(*WORDS, "--json")
    assert (code, json.loads(out), err) == (0, EXPECTED, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [(["xv_prices", "--png", "x.png"], "no picture"), ([*WORDS, "--png", "no/where.png"], "no/where.png")],
)
def test_a_picture_that_cannot_be_written_is_one_clear_line(run: Any, words: list[str], said: str) -> None:
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert said in err and "Traceback" not in err

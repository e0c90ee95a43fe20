"""Calls that last, over HTTP: their answers begin with blanks, so that nobody between gives up."""

import asyncio
import json
from typing import Any

import pytest
from fixed_market import context
from starlette.testclient import TestClient

from orderflow.servers import calls, http
from orderflow.servers.callers import Local
from orderflow.servers.remote import Remote
from orderflow.servers.replies import Failure, Reply, failed
from tests.servers.sockets import served


class Lasting(Local):
    """Takes its time, and then answers as it is told."""

    def __init__(self, reply: Reply, seconds: float = 0.3) -> None:
        super().__init__(context())
        self._reply, self._seconds, self.left = reply, seconds, 0

    async def call(self, name: str, arguments: Any = None, format: Any = None, **more: Any) -> Reply:
        try:
            await asyncio.sleep(self._seconds)
        except asyncio.CancelledError:
            self.left += 1
            raise
        return self._reply


SEEN = Reply(text='{"seen": 1}')
LATE = failed(Failure(code="no_data_for_range", message="nothing was received"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "BLANK_EVERY_S", 0.05)


def asked(reply: Reply, path: str = "/tools/live_analyze", seconds: float = 0.3) -> Any:
    with TestClient(http.app(Lasting(reply, seconds)), base_url="http://127.0.0.1:8022") as client:
        return client.post(path, json={"symbol": "BTCUSDT"})


def test_an_answer_that_takes_long_begins_with_blanks_and_is_json() -> None:
    said = asked(SEEN)
    assert (said.status_code, said.json()) == (200, {"seen": 1})
    assert 3 <= said.text.index("{") <= 7  # 0.3 s, one every 0.05 s from the first on
    assert said.headers["content-type"] == "application/json"
    assert asked(SEEN, "/tools/quick_analyze").text.startswith(" ")


def test_an_answer_that_is_there_at_once_has_none_and_its_own_status() -> None:
    assert asked(SEEN, seconds=0).text == SEEN.text
    assert asked(LATE, seconds=0).status_code == 404


def test_an_error_that_comes_late_is_told_in_the_body() -> None:
    said = asked(LATE)
    assert said.status_code == 200
    assert said.json()["code"] == "no_data_for_range"


def test_other_tools_and_other_forms_are_waited_for() -> None:
    assert asked(SEEN, "/tools/xv_prices").text == SEEN.text
    assert asked(SEEN, "/tools/live_analyze?format=text").text == SEEN.text
    assert asked(LATE, "/tools/live_analyze?format=xml").status_code == 404


@pytest.mark.parametrize("reply", [SEEN, LATE])
def test_who_asks_a_service_gets_the_answer_or_the_error(reply: Reply) -> None:
    async def story() -> Reply:
        async with served(http.app(Lasting(reply))) as port:
            return await Remote(f"http://127.0.0.1:{port}").call("live_analyze", {"symbol": "BTCUSDT"})

    found = asyncio.run(story())
    assert (found.text, found.failure) == (reply.text, reply.failure)


def test_a_client_that_leaves_ends_the_waiting() -> None:
    async def story(caller: Lasting) -> None:
        async with served(http.app(caller)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                b"POST /tools/live_analyze HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}"
            )
            await reader.readuntil(b"\r\n\r\n")
            writer.close()
            async with asyncio.timeout(10):
                while not caller.left:
                    await asyncio.sleep(0.02)

    asyncio.run(story(Lasting(SEEN, seconds=60)))


def test_the_interface_lists_it_under_the_names_and_the_catalogue_has_its_arguments() -> None:
    with TestClient(http.app(Local(context())), base_url="http://127.0.0.1:8022") as client:
        paths = client.get("/openapi.json").json()["paths"]
        listed = json.dumps(client.get("/tools?category=market").json())
    assert "/tools/live_analyze" not in paths
    assert "live_analyze" in paths["/tools/{name}"]["post"]["description"]
    assert "live_analyze" in listed

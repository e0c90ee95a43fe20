"""Subscribing: a change of a live resource is announced in both eras, once a second at most, within limits."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from fixed_market import FakeLatest, context, quote
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.subscriptions import ResourceUpdated
from mcp.shared.exceptions import MCPError

from orderflow.servers import http as http_door
from orderflow.servers import mcp as door
from orderflow.servers import resources, watching
from orderflow.servers.callers import Local
from orderflow.servers.remote import Remote
from orderflow.servers.watching import Watching

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

PRICES = "live://BTCUSDT/prices"
OTHERS = "live://ETHUSDT/prices"


class Market(FakeLatest):
    """A market whose price can be moved."""

    def __init__(self) -> None:
        super().__init__(
            quotes=[quote("binance_spot", 100.0, 101.0), quote("binance_spot", 5.0, 6.0, symbol="ETHUSDT")]
        )

    def move(self, to: float, symbol: str = "BTCUSDT") -> None:
        self._quotes = [
            quote("binance_spot", to, to + 1.0, symbol=symbol),
            *(one for one in self._quotes if one.symbol != symbol),
        ]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look twenty times a second instead of once."""
    told = resources.live

    def sooner(uri: str) -> Any:
        found = told(uri)
        return None if found is None else (found[0], 0.05)

    monkeypatch.setattr(resources, "live", sooner)


async def until(true: Callable[[], Any]) -> None:
    with anyio.fail_after(10):
        while not true():
            await asyncio.sleep(0.01)


async def served(market: Market, ask: Callable[[str], Any]) -> None:
    """Run a question while a service answers on a free port."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        http_door.serve(http_door.app(Local(context(market))), port=0, ready=address.set_result)
    )
    try:
        await ask(await address)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def heard_by_a_newer_client(market: Market, server: Any) -> None:
    async with (
        Client(server) as client,
        client.listen(resource_subscriptions=[PRICES, "live://x", OTHERS]) as ear,
    ):
        assert ear.honored.resource_subscriptions == [PRICES, OTHERS]
        await asyncio.sleep(0.2)  # the first look
        market.move(200.0)
        with anyio.fail_after(10):
            assert await anext(ear) == ResourceUpdated(PRICES)
        found = await client.read_resource(PRICES)
        assert ",200," in found.contents[0].text  # type: ignore[union-attr]


async def heard_by_an_older_client(market: Market, server: Any) -> None:
    heard: list[str] = []

    async def hear(message: Any) -> None:
        params = getattr(message, "params", None)
        if getattr(message, "method", "") == "notifications/resources/updated":
            heard.append(params.uri)

    async with Client(server, mode="legacy", message_handler=hear) as client:
        await client.subscribe_resource(PRICES)
        await client.subscribe_resource(OTHERS)
        await asyncio.sleep(0.3)
        market.move(200.0)
        await until(lambda: heard)
        assert heard == [PRICES]
        await client.unsubscribe_resource(PRICES)
        market.move(300.0)
        market.move(7.0, "ETHUSDT")
        await until(lambda: OTHERS in heard)
        assert heard == [PRICES, OTHERS]


ERAS = [heard_by_a_newer_client, heard_by_an_older_client]


@pytest.mark.parametrize("hear", ERAS)
def test_a_change_is_announced_in_memory(hear: Any) -> None:
    market = Market()
    asyncio.run(hear(market, door.server(Local(context(market)))))


@pytest.mark.parametrize("hear", ERAS)
def test_a_change_is_announced_over_http(hear: Any) -> None:
    market = Market()
    asyncio.run(served(market, lambda url: hear(market, f"{url}/mcp")))


def test_a_change_is_announced_over_sse() -> None:
    market = Market()
    asyncio.run(served(market, lambda url: heard_by_an_older_client(market, sse_client(f"{url}/sse"))))


@pytest.mark.parametrize("hear", ERAS)
def test_a_process_that_asks_a_collector_watches_as_well(hear: Any) -> None:
    market = Market()
    asyncio.run(served(market, lambda url: hear(market, door.server(Remote(url)))))


def test_a_process_over_stdio_takes_subscriptions_of_both_eras() -> None:
    started = StdioServerParameters(
        command=sys.executable,
        args=[str(Path(__file__).parent / "serve_stdio.py")],
        env={**os.environ, "PYTHONPATH": str(Path(resources.__file__).parents[2])},
    )

    async def ask() -> None:
        async with (
            Client(stdio_client(started)) as newer,
            newer.listen(resource_subscriptions=[PRICES]) as ear,
        ):
            assert ear.honored.resource_subscriptions == [PRICES]
        async with Client(stdio_client(started), mode="legacy") as older:
            await older.subscribe_resource(PRICES)

    asyncio.run(ask())


# ── Limits ────────────────────────────────────────────────────────────────────────────────────


def refused(ask: Callable[[Client], Any], mode: Any = "auto") -> str:
    async def run() -> str:
        async with Client(door.server(Local(context(Market()))), mode=mode) as client:
            with pytest.raises(MCPError) as caught:
                await ask(client)
            return caught.value.message

    return asyncio.run(run())


async def listens(client: Client, uris: list[str]) -> None:
    async with client.listen(resource_subscriptions=uris):
        pass


def test_a_session_has_a_hundred_resources_and_no_more() -> None:
    many = [f"live://C{number}USDT/prices" for number in range(101)]
    wanted = "too_large: at most 100 resources a session Hint: unsubscribe from others first"
    assert refused(lambda client: listens(client, many)) == wanted

    async def one_by_one(client: Client) -> None:
        for uri in many:
            await client.subscribe_resource(uri)

    assert refused(one_by_one, "legacy") == wanted


def test_what_is_not_live_cannot_be_subscribed_to() -> None:
    said = refused(lambda client: client.subscribe_resource("orderflow://health"), "legacy")
    assert said.startswith("invalid_argument: orderflow://health cannot be subscribed to Hint: ")


def test_a_process_has_so_many_subscriptions_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_LISTENERS", 1)

    async def two(client: Client) -> None:
        async with client.listen(resource_subscriptions=[PRICES]):
            await listens(client, [PRICES])

    assert refused(two).startswith("too_large: 1 subscriptions are open in this process")


def test_a_process_watches_so_many_resources_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_WATCHED", 1)
    said = refused(lambda client: listens(client, [PRICES, OTHERS]))
    assert said.startswith("too_large: 1 resources are watched in this process")


# ── Bounds and ends ───────────────────────────────────────────────────────────────────────────


def test_a_listener_that_does_not_listen_keeps_one_notice_a_resource() -> None:
    async def ask() -> None:
        market = Market()
        watched = Watching(Local(context(market)))
        slow = watched.listen([PRICES])
        for price in range(20):
            market.move(float(price + 1))
            await asyncio.sleep(0.06)
        assert await slow.heard() == [PRICES]
        watched.leave(slow)
        assert await slow.heard() is None

    asyncio.run(ask())


def test_age_alone_is_no_change() -> None:
    async def ask() -> None:
        market = Market()
        watched = Watching(Local(context(market)))
        ear = watched.listen([PRICES])
        await asyncio.sleep(0.2)
        market._quotes = [quote("binance_spot", 100.0, 101.0, age_ms=900)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ear.heard(), 0.3)
        watched.close()

    asyncio.run(ask())


def test_a_defect_while_looking_does_not_end_the_watch(caplog: pytest.LogCaptureFixture) -> None:
    class Flaky(Local):
        broken = False

        async def call(self, name: str, arguments: Any = None, format: Any = None, **more: Any) -> Any:
            if self.broken:
                raise OSError("the file is away")
            return await super().call(name, arguments, format, **more)

    async def ask() -> None:
        market = Market()
        caller = Flaky(context(market))
        watched = Watching(caller)
        ear = watched.listen([PRICES])
        await asyncio.sleep(0.2)
        caller.broken = True
        assert await asyncio.wait_for(ear.heard(), 5) == [PRICES]
        caller.broken = False
        assert await asyncio.wait_for(ear.heard(), 5) == [PRICES]
        watched.close()

    asyncio.run(ask())
    assert "could not be watched" in caplog.text


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_who_leaves_is_forgotten_and_nothing_is_looked_at_any_more(mode: Any) -> None:
    async def ask() -> None:
        market = Market()
        watched = Watching(Local(context(market)))
        server = door.server(Local(context(market)), watching=watched)
        async with Client(server, mode=mode) as client:
            if mode == "legacy":
                await client.subscribe_resource(PRICES)
                assert (len(watched._listeners), len(watched._looking)) == (1, 1)
            else:
                await listens(client, [PRICES])
        await until(lambda: not watched._listeners)
        assert not watched._looking

    asyncio.run(ask())


def test_a_service_that_stops_ends_subscriptions_in_good_form(caplog: pytest.LogCaptureFixture) -> None:
    async def life() -> None:
        app = http_door.app(Local(context(Market())))
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(http_door.serve(app, port=0, ready=address.set_result))
        url = await address
        async with Client(f"{url}/mcp") as client, client.listen(resource_subscriptions=[PRICES]) as ear:
            serving.cancel()
            with anyio.fail_after(10):
                assert [one async for one in ear] == []  # a graceful end, not a loss
            with pytest.raises(asyncio.CancelledError):
                await serving

    asyncio.run(life())
    assert [one.getMessage() for one in caplog.records if one.name.startswith("uvicorn")] == []

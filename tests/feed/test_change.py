"""A feed that is changed or left on purpose: what it says of it, and what it asks again."""

import asyncio
from typing import Any

import httpx
from toy_venue import SYMBOLS, FastWorld, feed_of, gathering, listened, listing, of, run, toy, toy_server

from orderflow.feed.frames import ON_PURPOSE
from orderflow.feed.inbox import Inbox
from orderflow.feed.live import Feeds
from orderflow.market.errors import Disconnected
from orderflow.venues.spec import Poll

POLL = Poll("time", 5, ("open_interest",))


def test_a_feed_that_is_stopped_on_purpose_says_so_of_sockets_and_polls() -> None:
    async def story() -> None:
        world, inbox, feeds = FastWorld(), Inbox(), Feeds()
        async with toy_server() as server, gathering(inbox.batches()) as found:
            venue = toy(polls=(POLL,))
            feeds.start(lambda: feed_of(venue, server, SYMBOLS[:1], world, inbox=inbox))
            await found.until(lambda it: "connected" in it.kinds())
            await feeds.stop("binance_spot", f"{ON_PURPOSE}: enough")
            await found.until(lambda it: it.kinds().count("disconnected") == 2)
            assert of(found, "disconnected") == [
                ([("trades", "BTCUSDT")], f"{ON_PURPOSE}: enough"),
                ([("open_interest", "BTCUSDT")], f"{ON_PURPOSE}: enough"),
            ]

    run(story)


def test_a_feed_that_was_lost_already_says_so_too() -> None:
    async def theirs(*_: Any) -> Any:
        raise Disconnected("the venue is down")

    async def story() -> None:
        world, inbox, feeds = FastWorld(), Inbox(), Feeds()
        async with toy_server() as server, gathering(inbox.batches()) as found:
            made = feeds.start(
                lambda: feed_of(toy(), server, SYMBOLS[:1], world, inbox=inbox, connect=theirs)
            )
            while not made.health.connections:
                await asyncio.sleep(0.01)
            await feeds.stop("binance_spot", ON_PURPOSE)
            await found.until(lambda it: of(it, "disconnected") == [([("trades", "BTCUSDT")], ON_PURPOSE)])

    run(story)


def test_polls_that_are_asked_no_longer_are_said_to_be_missing() -> None:
    async def story() -> None:
        async with listened(toy(polls=(POLL,)), SYMBOLS[:2]) as (_, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            feed.change(symbols=SYMBOLS[:1])
            await found.until(
                lambda it: ([("open_interest", "ETHUSDT")], ON_PURPOSE) in of(it, "disconnected")
            )
            feed.change(streams=["trades"])
            await found.until(
                lambda it: ([("open_interest", "BTCUSDT")], ON_PURPOSE) in of(it, "disconnected")
            )

    run(story)


def test_the_listing_is_read_again_for_a_symbol_that_it_did_not_have() -> None:
    """What is listed a month after the start can be collected without another start."""
    asked: list[str] = []

    def info(request: httpx.Request) -> Any:
        asked.append(request.url.path)
        return listing("BTCUSDT") if len(asked) == 1 else listing("BTCUSDT", "LATERUSDT")

    async def story() -> None:
        async with listened(toy(), ["BTCUSDT"], answers={"exchangeInfo": info}) as (server, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            feed.change(symbols=["BTCUSDT", "LATERUSDT", "NEVERUSDT"])
            await server.until(lambda: "laterusdt@aggTrade" in server.sockets[0].names)
            await found.until(lambda it: "refused" in it.kinds())
            assert feed.health.refused == ["NEVERUSDT"]
            assert len(asked) == 2
            feed.change(symbols=["BTCUSDT"])
            assert feed.health.refused == []
            await asyncio.sleep(0.1)
            assert len(asked) == 2

    run(story)


def test_a_feed_that_fails_again_and_again_waits_longer_and_longer() -> None:
    async def story() -> None:
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            await asyncio.sleep(0)

        async def ours(*_: Any) -> Any:
            raise ZeroDivisionError("a mistake of ours")

        world, inbox, feeds = FastWorld(), Inbox(), Feeds(sleep=sleep, random=lambda: 1.0)
        async with toy_server() as server:
            feeds.start(lambda: feed_of(toy(), server, SYMBOLS[:1], world, inbox=inbox, connect=ours))
            while len(waits) < 4:
                await asyncio.sleep(0.01)
            assert feeds.feeds["binance_spot"].health.restarts >= 3
            await feeds.close()
        assert waits[:4] == [1.0, 2.0, 4.0, 8.0]

    run(story)

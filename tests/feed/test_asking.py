"""What a feed asks over REST beside its sockets: listing, polls, snapshots, the clock."""

import asyncio
from typing import Any

import httpx
import msgspec
from toy_venue import (
    SYMBOLS,
    FastWorld,
    gathering,
    listened,
    listing,
    of,
    rest,
    run,
    toy,
)

from orderflow.feed.live import Feed, Inbox, live
from orderflow.market.errors import Disconnected
from orderflow.market.events import MS
from orderflow.venues.spec import Poll


def test_symbols_that_the_venue_does_not_list_are_refused_once_and_not_subscribed() -> None:
    async def story() -> None:
        async with listened(toy(), ["BTCUSDT", "NOPEUSDT"]) as (server, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            assert server.sockets[0].names == ["btcusdt@aggTrade"]
            assert of(found, "refused") == [
                ([("trades", "NOPEUSDT")], "binance_spot does not list NOPEUSDT as trading")
            ]
            assert feed.health.refused == ["NOPEUSDT"]
            assert feed.health.listing == "read"

    run(story)


def test_a_listing_that_cannot_be_read_does_not_hold_up_the_feed_and_is_read_later() -> None:
    asked: list[str] = []

    def info(request: httpx.Request) -> Any:
        asked.append(request.url.path)
        return httpx.Response(503) if len(asked) <= 4 else listing(*SYMBOLS)

    async def story() -> None:
        symbols = ["BTCUSDT", "NOPEUSDT"]
        async with listened(toy(), symbols, answers={"exchangeInfo": info}) as (server, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds() and "refused" in it.kinds())
            said = server.sockets[0].requests
            assert said[0]["params"] == ["btcusdt@aggTrade", "nopeusdt@aggTrade"]
            await server.until(lambda: len(said) > 1)  # what the listing lacks is taken back
            assert (said[1]["method"], said[1]["params"]) == ("UNSUBSCRIBE", ["nopeusdt@aggTrade"])
            assert of(found, "disconnected") == []
            assert of(found, "refused")[0][0] == [("trades", "NOPEUSDT")]
            assert feed.health.listing == "read"

    run(story)


def test_a_listing_that_makes_no_sense_is_told_in_health() -> None:
    async def story() -> None:
        answers = {"exchangeInfo": httpx.Response(200, text="<html>soon</html>")}
        async with listened(toy(), SYMBOLS[:1], answers=answers) as (_, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            assert "exchangeInfo" in feed.health.listing
            shown = msgspec.to_builtins(feed.health)
            assert shown["connections"][0]["state"] == "connected"
            assert shown["rest"]["last_status"] == 200

    run(story)


def test_polls_spread_their_symbols_and_a_refused_one_is_said_once_until_it_works_again() -> None:
    asked: list[str] = []

    def interest(request: httpx.Request) -> Any:
        asked.append(request.url.params["symbol"])
        if 3 <= len(asked) <= 4:
            return httpx.Response(429, headers={"Retry-After": "1"})
        return {"symbol": asked[-1], "openInterest": "1.0", "time": 1_700_000_000_000}

    async def story() -> None:
        poll = Poll("open_interest", 20, ("open_interest",))
        venue = toy("binance_futures", polls=(poll,))
        async with listened(venue, SYMBOLS[:2], answers={"openInterest": interest}) as (_, _, world, found):
            await found.until(lambda it: len([1 for one in it.of("http") if "openInterest" in one.url]) >= 4)
            assert asked[:6] == ["BTCUSDT", "ETHUSDT"] * 3
            assert [series for series, _ in of(found, "limited")] == [
                [("open_interest", "BTCUSDT")],
                [("open_interest", "ETHUSDT")],
            ]
            assert any(5 < seconds <= 10 for seconds in world.slept)  # 20 s for two symbols: one in 10 s

    run(story)


def test_a_snapshot_is_fetched_at_once_and_the_next_of_its_symbol_not_before_its_interval() -> None:
    asked: list[str] = []

    def depth(request: httpx.Request) -> Any:
        asked.append(request.url.params["symbol"])
        return {"lastUpdateId": len(asked), "bids": [], "asks": []}

    async def story() -> None:
        async with listened(toy(), SYMBOLS[:2], answers={"depth": depth}) as (_, feed, world, found):
            await found.until(lambda it: "connected" in it.kinds())
            for _ in range(3):
                feed.request_snapshot("BTCUSDT")  # asked again while due: one answer
            feed.request_snapshot("ETHUSDT")
            await found.until(lambda it: len(it.of("http")) == 3)  # the listing and two
            assert sorted(asked) == ["BTCUSDT", "ETHUSDT"]
            before = len(world.slept)
            feed.request_snapshot("BTCUSDT")
            await found.until(lambda it: len(it.of("http")) == 4)
            # 10 s and a fifth of jitter, less what had passed
            assert [1 for seconds in world.slept[before:] if 8 < seconds <= 12] == [1]
            assert found.of("http")[-1].url == "http://toy/api/v3/depth?limit=1000&symbol=BTCUSDT"

    run(story)


def test_a_snapshot_that_fails_is_said_once_and_asked_until_it_comes() -> None:
    asked: list[str] = []

    def depth(request: httpx.Request) -> Any:
        asked.append(request.url.params["symbol"])
        if len(asked) < 3:
            return httpx.Response(429, headers={"Retry-After": "1"})
        return {"lastUpdateId": 1, "bids": [], "asks": []}

    async def story() -> None:
        async with listened(toy(), SYMBOLS[:1], answers={"depth": depth}) as (_, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            feed.request_snapshot("BTCUSDT")
            await found.until(lambda it: len(it.of("http")) == 2)
            assert len(asked) == 3
            assert [series for series, _ in of(found, "limited")] == [[("orderbooks", "BTCUSDT")]]

    run(story)


def test_the_venues_clock_is_measured_against_ours() -> None:
    async def story() -> None:
        now = 1_700_000_000_000 * MS
        world = FastWorld()

        async def unreachable(*_: Any) -> Any:
            raise Disconnected("not today")

        feed = Feed(
            toy(),
            ["BTCUSDT"],
            Inbox(),
            clock=lambda: now,
            sleep=world.sleep,
            connect=unreachable,
            transport=rest(exchangeInfo=listing("BTCUSDT"), time={"serverTime": 1_700_000_005_000}),
        )
        async with gathering(live([feed])):
            while feed.health.clock_offset_ms is None:
                await asyncio.sleep(0.001)
        assert feed.health.clock_offset_ms == 5000

    run(story)

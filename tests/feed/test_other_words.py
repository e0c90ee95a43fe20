"""Venues of other habits: answers by name, greetings, signs of life, books that begin anew in band."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import msgspec
from toy_venue import PADDING, SYMBOLS, FastWorld, ToySocket, feed_of, listened, of, run, toy, toy_server

from orderflow.feed.limits import ConnectBudget
from orderflow.feed.live import Feeds, Inbox
from orderflow.market.errors import KeyRefused
from orderflow.market.events import Control, Event, Nanos, Trade
from orderflow.venues.spec import BookRule, Channel, Keepalive, Key, Memory, Venue

# A venue that answers for each name, without ids, and refuses without saying what.


def _decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said: dict[str, Any] = msgspec.json.decode(payload)
    match said:
        case {"yes": names}:
            return [Control("toy", "", None, ts_recv, "ack", names=tuple(names))]
        case {"no": why}:
            return [
                Control("toy", "", None, ts_recv, "refused", message=why, names=tuple(said.get("names", ())))
            ]
        case {"alive": word}:
            return [
                Control("toy", "", None, ts_recv, "asking", reply=json.dumps({"yes I am": word}).encode())
            ]
        case {"bye": _}:
            return [Control("toy", "", None, ts_recv, "closing")]
        case _:
            return [Trade("toy", said["symbol"], None, ts_recv, said["id"], False, 1.0, 1.0)]


def _message(verb: str) -> Any:
    return lambda names, id: json.dumps({verb: list(names)}).encode()


def worded(**changes: Any) -> Venue:
    """Return a form with these habits: trades and books in band, one message a channel."""
    venue = toy(channels=())
    channels = (
        Channel("book", ("orderbooks",), "book:{symbol}", "public", silent_after_s=60),
        Channel("trades", ("trades",), "trades:{symbol}", "public", silent_after_s=60),
        Channel("forced", ("liquidations",), "forced", "public"),
    )
    limits = msgspec.structs.replace(venue.limits, channel_per_subscribe=True, ack_timeout_s=2.0)
    given: dict[str, Any] = {
        "channels": channels,
        "limits": limits,
        "decode": _decode,
        "subscribe": _message("sub"),
        "unsubscribe": _message("unsub"),
        "snapshot": None,
        "book": BookRule.CHAINED,
        "heard": lambda head: [head.split(b'"')[3].decode()],
    }
    return msgspec.structs.replace(venue, **(given | changes))


def yes(socket: ToySocket, request: dict[str, Any]) -> None:
    for names in request.values():
        for name in names:
            socket.say(json.dumps({"yes": [name]}).encode())


def said(socket: ToySocket, verb: str) -> list[list[str]]:
    return [one[verb] for one in socket.requests if verb in one]


def told(symbol: str, id: int) -> bytes:
    return json.dumps(
        {"channel": f"trades:{symbol}", "symbol": symbol, "id": id, "padding": PADDING}
    ).encode()


# ── Answers ───────────────────────────────────────────────────────────────────────────────────


def test_a_message_holds_one_channel_and_each_name_is_answered_for_itself() -> None:
    async def story() -> None:
        async with listened(worded(), SYMBOLS[:2], yes) as (server, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            assert said(server.sockets[0], "sub") == [
                ["book:BTCUSDT", "book:ETHUSDT"],
                ["trades:BTCUSDT", "trades:ETHUSDT"],
                ["forced"],  # once, whatever the symbols
            ]
            about = {("liquidations", "BTCUSDT"), ("liquidations", "ETHUSDT"), ("trades", "ETHUSDT")}
            assert about <= set(of(found, "connected")[0][0])
            assert feed.health.connections[0].failed == []

    run(story)


def test_a_refusal_that_names_nothing_costs_the_wrong_name_alone() -> None:
    def script(socket: ToySocket, request: dict[str, Any]) -> None:
        names = next(iter(request.values()))
        if "trades:SOLUSDT" in names:
            socket.say(b'{"no":"that is none of ours"}')
        else:
            yes(socket, request)

    async def story() -> None:
        async with listened(worded(), SYMBOLS[:5], script) as (_, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            assert feed.health.connections[0].failed == ["trades:SOLUSDT"]
            assert [about for about, _ in of(found, "refused")] == [[("trades", "SOLUSDT")]]

    run(story)


def test_a_name_that_is_not_answered_fails_and_the_others_are_carried() -> None:
    def script(socket: ToySocket, request: dict[str, Any]) -> None:
        names = [name for name in next(iter(request.values())) if name != "book:ETHUSDT"]
        yes(socket, {"sub": names})

    async def story() -> None:
        async with listened(worded(), SYMBOLS[:2], script) as (server, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            assert feed.health.connections[0].failed == ["book:ETHUSDT"]
            # the second time only the name is asked that was not answered
            assert said(server.sockets[0], "sub")[-1] == ["book:ETHUSDT"]

    run(story)


# ── Signs of life ─────────────────────────────────────────────────────────────────────────────


def test_a_venue_is_greeted_kept_awake_and_answered() -> None:
    venue = worded(
        greeting=(b'{"hello":["there"]}',),
        keepalive=Keepalive(5.0, lambda now: b'{"ping":["x"]}'),
    )

    def script(socket: ToySocket, request: dict[str, Any]) -> None:
        if "sub" in request:
            yes(socket, request)

    async def story() -> None:
        async with listened(venue, SYMBOLS[:1], script) as (server, _, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            socket = server.sockets[0]
            assert socket.requests[0] == {"hello": ["there"]}
            socket.say(b'{"alive":["?"]}')
            await server.until(lambda: {"yes I am": ["?"]} in socket.requests)
            await server.until(lambda: {"ping": ["x"]} in socket.requests)

    run(story)


# ── Books that begin anew, channels that change ───────────────────────────────────────────────


def test_a_book_that_is_lost_is_taken_back_and_asked_again_at_most_once_in_its_time() -> None:
    venue = worded(snapshot_interval_s=50.0)

    async def story() -> None:
        async with listened(venue, SYMBOLS[:2], yes) as (server, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            for _ in range(3):
                feed.request_snapshot("ETHUSDT")
            socket = server.sockets[0]
            await server.until(lambda: said(socket, "unsub") and said(socket, "sub")[-1] == ["book:ETHUSDT"])
            assert said(socket, "unsub") == [["book:ETHUSDT"]]
            assert list(socket.requests[-2:]) == [{"unsub": ["book:ETHUSDT"]}, {"sub": ["book:ETHUSDT"]}]

    run(story)


def test_a_feed_takes_up_and_lays_down_symbols_and_streams_while_it_runs() -> None:
    async def story() -> None:
        async with listened(worded(), SYMBOLS[:2], yes) as (server, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            socket = server.sockets[0]
            feed.change(symbols=["ETHUSDT", "SOLUSDT"])
            await server.until(lambda: ["trades:SOLUSDT"] in said(socket, "sub"))
            assert ["trades:BTCUSDT"] in said(socket, "unsub")
            await found.until(lambda it: it.kinds().count("connected") == 2)
            gone = [one for about, reason in of(found, "disconnected") for one in about]
            assert ("trades", "BTCUSDT") in gone and ("trades", "ETHUSDT") not in gone
            feed.change(streams=["trades"])
            await server.until(
                lambda: (
                    ["book:SOLUSDT", "book:ETHUSDT"] in said(socket, "unsub")
                    or ["book:ETHUSDT", "book:SOLUSDT"] in said(socket, "unsub")
                )
            )
            assert len(server.sockets) == 1  # all of it over the one socket

    run(story)


def test_a_replacement_is_heard_only_after_the_socket_that_it_replaces() -> None:
    async def story() -> None:
        async with listened(worded(), SYMBOLS[:1], yes) as (server, _, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            old = server.sockets[0]
            old.say(told("BTCUSDT", 1))
            await found.until(lambda it: len(it.data()) == 1)
            old.say(b'{"bye":1}')
            await server.until(lambda: len(server.sockets) == 2 and len(said(server.sockets[1], "sub")) == 3)
            server.sockets[1].say(told("BTCUSDT", 2))
            await found.until(lambda it: len(it.data()) == 2)
            assert found.data() == [told("BTCUSDT", 1), told("BTCUSDT", 2)]
            assert "disconnected" not in found.kinds()

    run(story)


# ── Keys, hosts and failures ──────────────────────────────────────────────────────────────────

KEY = Key("TOY_KEY", "Authorization", "Bearer {key}", "toys want a key since 2026: set TOY_KEY")


def test_without_its_key_a_venue_is_not_asked_at_all() -> None:
    async def story() -> None:
        async with toy_server(yes) as server:
            feed = feed_of(worded(key=KEY), server, SYMBOLS[:1], FastWorld())
            await feed.run()
            assert (feed.health.state, feed.health.error) == ("disabled", KEY.required)
            assert server.sockets == []

    run(story)


def test_a_key_goes_into_the_header_and_a_refused_one_ends_the_asking() -> None:
    headers: list[dict[str, str]] = []

    async def refuse(venue: Venue, *_: Any) -> Any:
        headers.append(venue.headers)
        raise KeyRefused("toy: not this key", hint="another")

    async def story() -> None:
        async with listened(worded(key=KEY), SYMBOLS[:1], yes, key="secret", connect=refuse) as (
            _,
            feed,
            _,
            _,
        ):
            while not feed.health.connections or feed.health.connections[0].state != "stopped":
                await asyncio.sleep(0.01)
            assert headers == [{"Authorization": "Bearer secret"}]
            assert "secret" not in repr(feed.health)

    run(story)


def test_no_more_connections_are_open_to_a_host_than_it_allows() -> None:
    async def story() -> None:
        venue = worded()
        limits = msgspec.structs.replace(venue.limits, streams_per_connection=2, connections=2)
        venue = msgspec.structs.replace(venue, limits=limits)
        budget = ConnectBudget(lambda: 0)
        async with listened(venue, SYMBOLS[:4], yes, budget=budget) as (server, feed, _, found):
            await found.until(lambda it: it.kinds().count("connected") == 2)
            await asyncio.sleep(0.2)
            assert len(feed.health.connections) == 5  # nine names, two each
            assert len(server.sockets) == 2

    run(story)


def test_a_feed_that_fails_by_our_own_error_is_begun_again_and_the_others_go_on() -> None:
    async def story() -> None:
        async with toy_server(yes) as server:
            world, inbox, made = FastWorld(), Inbox(), []

            async def broken(*_: Any) -> Any:
                raise ZeroDivisionError("ours")

            def make() -> Any:
                more = {"connect": broken} if not made else {}
                made.append(feed_of(worded(), server, SYMBOLS[:1], world, inbox=inbox, **more))
                return made[-1]

            feeds = Feeds(sleep=world.sleep, random=lambda: 1.0)
            feeds.start(make)
            await server.until(lambda: server.sockets and len(said(server.sockets[0], "sub")) == 3)
            assert len(made) == 2
            assert "ZeroDivisionError" in made[0].health.error
            assert feeds.feeds["binance_spot"] is made[1]
            assert made[1].health.restarts == 1
            await feeds.close()
            assert made[1].health.state == "stopped"

    run(story)

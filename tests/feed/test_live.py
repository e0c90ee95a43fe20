"""Live: feeds against toy venues on loopback, in a world whose time runs faster."""

import asyncio
import json
from typing import Any

import pytest
from toy_venue import (
    SHUTDOWN,
    SYMBOLS,
    FastWorld,
    ToyServer,
    ToySocket,
    feed_of,
    gathering,
    listened,
    of,
    patient,
    run,
    toy,
    toy_server,
    trade,
)

from orderflow.feed.frames import Frame
from orderflow.feed.line import LINGER_S
from orderflow.feed.live import Feed, Inbox, live
from orderflow.market.errors import Banned, Disconnected, InvalidArgument, RegionBlocked
from orderflow.market.events import SECOND
from orderflow.venues.spec import Venue

# ── Opening ───────────────────────────────────────────────────────────────────────────────────


def test_trades_arrive_after_their_channels_were_acknowledged() -> None:
    async def story() -> None:
        async with listened(toy(), SYMBOLS[:2]) as (server, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            server.sockets[0].say(trade("BTCUSDT", 7))
            await found.until(lambda it: it.data())
            assert server.sockets[0].names == ["btcusdt@aggTrade", "ethusdt@aggTrade"]
            assert [one.url for one in found.of("http")] == ["http://toy/api/v3/exchangeInfo"]
            assert of(found, "connected") == [([("trades", "BTCUSDT"), ("trades", "ETHUSDT")], "")]
            assert found.data() == [trade("BTCUSDT", 7)]
            health = feed.health.connections[0]
            assert (health.state, health.route, health.failed) == ("connected", "public", [])
            assert health.frames == 2  # the acknowledgement and the trade
        await asyncio.wait_for(server.sockets[0].closed.wait(), 5)
        assert feed.health.state == "stopped"

    run(story)


def test_the_answer_of_the_venue_is_passed_on_like_data() -> None:
    async def story() -> None:
        async with listened(toy(), SYMBOLS[:1]) as (_, _, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            assert [json.loads(one.payload) for one in found.of("ws")] == [{"result": None, "id": 1001}]

    run(story)


def test_channels_are_asked_in_batches_no_faster_than_the_venue_allows() -> None:
    async def story() -> None:
        venue = toy(names_per_subscribe=2, messages_per_s=2)
        async with listened(venue, SYMBOLS) as (server, _, world, found):
            await found.until(lambda it: "connected" in it.kinds())
            assert [len(one["params"]) for one in server.sockets[0].requests] == [2, 2, 1]
            assert len({one["id"] for one in server.sockets[0].requests}) == 3
            # two go in the first second; the third waits until the first is a second old
            assert [1 for seconds in world.slept if 0.5 < seconds < 1] == [1]

    run(story)


def test_each_route_has_its_own_connections_and_none_has_more_streams_than_allowed() -> None:
    async def story() -> None:
        venue = toy("binance_futures", channels=("quotes", "trades", "mark"), streams_per_connection=4)
        async with listened(venue, SYMBOLS[:3]) as (server, feed, _, found):
            await found.until(lambda it: it.kinds().count("connected") == 3)
            asked = sorted((one.path, len(one.names)) for one in server.sockets)
            # 3 symbols: 3 quotes on public; 3 trades and 3 mark prices on market, in fours
            assert asked == [("/market/stream", 2), ("/market/stream", 4), ("/public/stream", 3)]
            assert all(
                "bookTicker" in name for one in server.sockets if "public" in one.path for name in one.names
            )
            assert len(feed.health.connections) == 3

    run(story)


def test_only_the_streams_asked_for_are_subscribed() -> None:
    async def story() -> None:
        venue = toy("binance_futures", channels=("quotes", "trades", "mark"))
        async with listened(venue, SYMBOLS[:1], streams=["funding_rates"]) as (server, _, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            assert [one.names for one in server.sockets] == [["btcusdt@markPrice@1s"]]

    run(story)


def test_a_batch_without_acknowledgement_is_asked_once_more_then_failed_while_the_others_go_on() -> None:
    def deaf(socket: ToySocket, request: dict[str, Any]) -> None:
        if "ethusdt@aggTrade" not in request["params"]:
            socket.ack(request)

    async def story() -> None:
        venue = toy(names_per_subscribe=1, ack_timeout_s=5)
        async with listened(venue, SYMBOLS[:3], deaf) as (server, feed, _, found):
            await found.until(lambda it: "refused" in it.kinds() and "connected" in it.kinds())
            assert server.sockets[0].names.count("ethusdt@aggTrade") == 2
            assert server.sockets[0].names.count("btcusdt@aggTrade") == 1
            [(series, reason)] = of(found, "refused")
            assert series == [("trades", "ETHUSDT")]
            assert "no acknowledgement in 5 s" in reason
            assert of(found, "connected") == [([("trades", "BTCUSDT"), ("trades", "SOLUSDT")], "")]
            assert feed.health.connections[0].failed == ["ethusdt@aggTrade"]

    run(story)


@pytest.mark.parametrize("flat", [True, False])
def test_one_name_that_the_venue_refuses_costs_only_its_own_channel(flat: bool) -> None:
    def strict(socket: ToySocket, request: dict[str, Any]) -> None:
        said = {"code": 2, "msg": "Invalid request: invalid stream"}
        if "solusdt@aggTrade" not in request["params"]:
            socket.ack(request)
        elif flat:
            socket.say(json.dumps(said).encode())  # as documented: without an id
        else:
            socket.say(json.dumps({"error": said, "id": request["id"]}).encode())  # as seen on the wire

    async def story() -> None:
        async with listened(toy(), SYMBOLS[:4], strict) as (_, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            [(series, reason)] = of(found, "refused")
            assert series == [("trades", "SOLUSDT")]
            assert "invalid stream" in reason
            assert [symbol for _, symbol in of(found, "connected")[0][0]] == ["BTCUSDT", "ETHUSDT", "XRPUSDT"]
            assert feed.health.connections[0].failed == ["solusdt@aggTrade"]

    run(story)


# ── Silence and loss ──────────────────────────────────────────────────────────────────────────


def test_a_channel_that_is_acknowledged_and_says_nothing_is_reported_once_until_it_speaks() -> None:
    async def story() -> None:
        async with listened(patient(toy(), 40), SYMBOLS[:2]) as (server, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())

            async def speak() -> None:
                for id in range(10_000):
                    server.sockets[0].say(trade("BTCUSDT", id))
                    await asyncio.sleep(0.005)

            speaking = asyncio.create_task(speak())
            await found.until(lambda it: "silent" in it.kinds())
            assert feed.health.connections[0].silent == ["ethusdt@aggTrade"]
            seen = len(found.data())
            await found.until(lambda it: len(it.data()) > seen + 20)
            assert [series for series, _ in of(found, "silent")] == [[("trades", "ETHUSDT")]]
            server.sockets[0].say(trade("ETHUSDT", 1))
            while feed.health.connections[0].silent:
                await asyncio.sleep(0.005)
            speaking.cancel()

    run(story)


def test_a_route_on_which_nothing_is_ever_said_is_reported_channel_by_channel() -> None:
    async def story() -> None:
        async with listened(patient(toy(), 10), SYMBOLS[:2]) as (_, _, _, found):
            await found.until(lambda it: it.kinds().count("silent") == 2)
            assert sorted(of(found, "silent")[0][0] + of(found, "silent")[1][0]) == [
                ("trades", "BTCUSDT"),
                ("trades", "ETHUSDT"),
            ]

    run(story)


def test_a_lost_connection_is_noted_and_opened_again_after_longer_and_longer_waits() -> None:
    def fickle(socket: ToySocket, request: dict[str, Any]) -> None:
        socket.ack(request)
        socket.say(trade("BTCUSDT", len(socket.server.sockets)))
        socket.transport.send_close()

    async def story() -> None:
        async with listened(toy(), SYMBOLS[:1], fickle) as (server, feed, world, found):
            await found.until(lambda it: it.kinds().count("connected") == 4)
            assert found.kinds()[:6] == ["connected", "disconnected"] * 3
            assert all(series == [("trades", "BTCUSDT")] for series, _ in of(found, "disconnected"))
            assert [seconds for seconds in world.slept if seconds in (1, 2, 4)] == [1, 2, 4]
            assert found.data()[:3] == [trade("BTCUSDT", id) for id in (1, 2, 3)]
            assert feed.health.connections[0].reconnects >= 3

    run(story)


def test_a_connection_that_is_lost_while_it_subscribes_is_noted_if_it_had_carried_data() -> None:
    """Else what came over it would have ended a gap that goes on."""

    def dying(socket: ToySocket, request: dict[str, Any]) -> None:
        if len(socket.server.sockets) > 1:
            socket.ack(request)
        elif len(socket.requests) == 1:
            socket.ack(request)
            socket.say(trade("BTCUSDT", 1))
        else:
            socket.transport.send_close()

    async def story() -> None:
        venue = toy(names_per_subscribe=1)
        async with listened(venue, SYMBOLS[:2], dying) as (_, _, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            assert found.kinds() == ["disconnected", "connected"]
            assert found.data() == [trade("BTCUSDT", 1)]

    run(story)


def test_a_connection_on_which_nothing_arrives_is_lost_and_pings_keep_it_alive() -> None:
    async def story() -> None:
        async with listened(toy(dead_after_s=20), SYMBOLS[:1]) as (server, _, world, found):
            await found.until(lambda it: "connected" in it.kinds())
            until = world.clock() + 60 * SECOND
            while world.clock() < until:
                server.sockets[0].transport.send_ping(b"still here")
                await asyncio.sleep(0.01)
            assert found.kinds() == ["connected"]
            await found.until(lambda it: "disconnected" in it.kinds())
            assert of(found, "disconnected")[0][1] == "nothing arrived for 20 s"
            # The pings kept it alive, but data last came at the start: the gap begins there.
            lost = next(one for one in found.notes if one.kind == "disconnected")
            last_data = max(one.ts_recv for one in found.frames if one.kind == "ws")
            assert lost.since == last_data < until

    run(story)


@pytest.mark.parametrize(
    ("error", "waited"),
    [
        (Banned("HTTP 418", after_s=500.0), 500.0),
        (RegionBlocked("HTTP 451"), 300.0),
        (Disconnected("cut"), 1.0),
    ],
)
def test_a_refused_handshake_is_tried_again_when_the_venue_may_let_us(
    error: Exception, waited: float
) -> None:
    async def story() -> None:
        tried: list[str] = []

        async def refuse(venue: Venue, route: str, url: str, *_: Any) -> Any:
            tried.append(url)
            raise error

        async with listened(toy(), SYMBOLS[:1], connect=refuse) as (server, feed, world, found):
            while waited not in world.slept:
                await asyncio.sleep(0.001)
            assert tried == [server.hosts.ws["public"]]
            assert feed.health.connections[0].state == "waiting"
            assert str(error) in feed.health.connections[0].reason
            assert found.kinds() == []

    run(story)


def test_a_host_is_not_connected_to_more_often_than_its_budget() -> None:
    def drop(socket: ToySocket, request: dict[str, Any]) -> None:
        socket.drop()

    async def story() -> None:
        async with listened(toy(connects_per_minute=3), SYMBOLS[:1], drop, random=lambda: 0.0) as (
            server,
            _,
            world,
            _,
        ):
            while not any(50 < seconds <= 60 for seconds in world.slept):
                await asyncio.sleep(0.005)
            assert len(server.sockets) == 3

    run(story)


# ── Replacing ─────────────────────────────────────────────────────────────────────────────────


async def _tell_all(server: ToyServer, sent: list[bytes]) -> None:
    """Say every trade to every socket that is subscribed at that moment, as a venue does."""
    for id in range(1_000_000):
        sent.append(trade("BTCUSDT", id))
        for one in server.sockets:
            if one.requests and not one.transport.is_disconnected:
                one.say(sent[-1])
        await asyncio.sleep(0.002)


def test_an_old_connection_is_replaced_without_losing_a_message_or_saying_disconnected() -> None:
    async def story() -> None:
        sent: list[bytes] = []
        async with listened(toy(life_s=10), SYMBOLS[:1]) as (server, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            telling = asyncio.create_task(_tell_all(server, sent))
            await server.until(lambda: len(server.sockets) >= 4 and server.sockets[2].closed.is_set())
            telling.cancel()
            last = sent[-1]
            await found.until(lambda it: last in it.data())
            assert set(found.data()) == set(sent)
            assert found.kinds() == ["connected"]
            assert feed.health.connections[0].rotations >= 3
            assert feed.health.connections[0].reconnects == 0

    run(story)


def test_a_connection_that_the_venue_announces_to_close_is_replaced_at_once() -> None:
    async def story() -> None:
        sent: list[bytes] = []
        async with listened(toy(), SYMBOLS[:1]) as (server, _, world, found):
            await found.until(lambda it: "connected" in it.kinds())
            telling = asyncio.create_task(_tell_all(server, sent))
            await found.until(lambda it: it.data())
            server.sockets[0].say(SHUTDOWN)
            await server.until(lambda: server.sockets[0].closed.is_set())
            telling.cancel()
            last = sent[-1]
            await found.until(lambda it: last in it.data())
            assert set(found.data()) == set(sent)
            assert found.kinds() == ["connected"]
            assert len(server.sockets) == 2
            assert [seconds for seconds in world.slept if seconds in (1, 2, 4)] == [
                1
            ]  # the lingering, no backoff

    run(story)


def test_what_is_still_under_way_on_the_old_socket_when_the_new_one_speaks_is_not_lost() -> None:
    late = trade("BTCUSDT", 777)

    async def story() -> None:
        world, inbox, lingered = FastWorld(), Inbox(), asyncio.Event()
        async with toy_server() as server:

            async def sleep(seconds: float) -> None:
                if seconds == LINGER_S and not lingered.is_set():
                    assert not server.sockets[0].closed.is_set()
                    server.sockets[0].say(late)
                    await found.until(lambda it: late in it.data())
                    lingered.set()
                else:
                    await world.sleep(seconds)

            feed = feed_of(toy(), server, SYMBOLS[:1], world, inbox=inbox, sleep=sleep)
            async with gathering(live([feed])) as found:
                await found.until(lambda it: "connected" in it.kinds())
                server.sockets[0].say(SHUTDOWN)
                await server.until(lambda: len(server.sockets) == 2 and server.sockets[1].requests)
                server.sockets[1].say(trade("BTCUSDT", 1))
                await asyncio.wait_for(lingered.wait(), 5)
                await server.until(lambda: server.sockets[0].closed.is_set())
                assert found.kinds() == ["connected"]

    run(story)


def test_a_replacement_is_not_trusted_before_it_has_given_data() -> None:
    async def story() -> None:
        async with listened(patient(toy(), 20), SYMBOLS[:1]) as (server, feed, _, found):
            await found.until(lambda it: "connected" in it.kinds())
            server.sockets[0].say(SHUTDOWN)
            await server.until(lambda: len(server.sockets) == 3)  # the second said nothing for 20 s
            assert not server.sockets[0].closed.is_set()
            assert "no data came" in feed.health.connections[0].reason
            await server.until(lambda: server.sockets[2].requests)
            server.sockets[2].say(trade("BTCUSDT", 1))
            await server.until(lambda: server.sockets[0].closed.is_set())
            assert server.sockets[1].closed.is_set()
            assert "disconnected" not in found.kinds()

    run(story)


def test_a_connection_that_dies_before_its_replacement_stands_is_noted() -> None:
    def first_only(socket: ToySocket, request: dict[str, Any]) -> None:
        if socket is socket.server.sockets[0]:
            socket.ack(request)
            socket.say(SHUTDOWN)
        elif len(socket.requests) == 1:
            socket.server.sockets[0].drop()
        else:
            socket.ack(request)
            socket.say(trade("BTCUSDT", 1))

    async def story() -> None:
        async with listened(toy(), SYMBOLS[:1], first_only) as (_, feed, _, found):
            await found.until(lambda it: it.kinds().count("connected") == 2)
            assert found.kinds() == ["connected", "disconnected", "connected"]
            assert feed.health.connections[0].state == "connected"

    run(story)


# ── The inbox ─────────────────────────────────────────────────────────────────────────────────


def test_a_full_inbox_stops_the_reading_and_nothing_is_lost() -> None:
    async def story() -> None:
        world, inbox = FastWorld(), Inbox(limit_bytes=100_000)
        async with toy_server() as server:
            feed = feed_of(toy(), server, SYMBOLS[:1], world, inbox=inbox)
            running = asyncio.create_task(feed.run())
            await server.until(lambda: server.sockets and server.sockets[0].requests)
            sent = [
                trade("BTCUSDT", id) for id in range(100_000)
            ]  # some 30 MB, far beyond all buffers of the kernel
            for payload in sent:
                server.sockets[0].say(payload)
            while not inbox.full:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.1)
            held = inbox.pending
            assert held < 50_000
            await asyncio.sleep(0.1)
            assert inbox.pending == held  # nothing is read while it is full
            async with gathering(inbox.batches()) as found:
                await found.until(
                    lambda it: len(it.frames) >= len(sent) and sent[-1] == it.frames[-1].payload
                )
                assert found.data() == sent
            assert inbox.pauses > 1
            assert (inbox.pending, inbox.pending_bytes) == (0, 0)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    run(story)


def test_batches_keep_the_order_of_arrival_and_end_when_the_inbox_is_closed() -> None:
    async def story() -> None:
        frames = [Frame("binance_spot", at, b"x" * 10) for at in range(10)]
        inbox = Inbox(batch_frames=4)
        for at in range(0, 10, 3):
            inbox.put(frames[at : at + 3])
        inbox.put([])
        inbox.close()
        got: list[list[Frame]] = []
        async for batch in inbox.batches():
            assert inbox.pending_bytes == 10 * (10 - sum(map(len, got)))  # the batch at hand counts as well
            got.append(batch)
        assert [one for batch in got for one in batch] == frames
        assert [len(batch) for batch in got] == [3, 3, 4]  # 3 + 3 are more than 4; 3 + 1 are not
        assert (inbox.pending, inbox.pending_bytes) == (0, 0)

    run(story)


def test_a_long_burst_is_cut_so_that_no_batch_keeps_the_sockets_waiting() -> None:
    async def story() -> None:
        frames = [Frame("binance_spot", at, b"x" * at) for at in range(10)]
        inbox = Inbox(batch_frames=4)
        inbox.put(frames)
        inbox.close()
        got = [batch async for batch in inbox.batches()]
        assert got == [frames[:4], frames[4:8], frames[8:]]
        assert (inbox.pending, inbox.pending_bytes) == (0, 0)

    run(story)


# ── Several feeds ─────────────────────────────────────────────────────────────────────────────


def test_one_venues_troubles_never_reach_another_nor_do_our_own_errors() -> None:
    async def story() -> None:
        async def ours(*_: Any) -> Any:
            raise ZeroDivisionError("a mistake of ours")

        async def theirs(*_: Any) -> Any:
            raise Disconnected("the venue is down")

        world, inbox = FastWorld(), Inbox()
        async with toy_server() as server:
            broken = feed_of(toy(), server, SYMBOLS[:1], world, inbox=inbox, connect=ours)
            down = feed_of(toy(), server, SYMBOLS[:1], world, inbox=inbox, connect=theirs)
            well = feed_of(toy("binance_futures"), server, SYMBOLS[:1], world, inbox=inbox)
            async with gathering(live([broken, down, well])) as found:
                await found.until(lambda it: "connected" in it.kinds())
                while broken.health.state != "failed":
                    await asyncio.sleep(0.001)
                server.sockets[0].say(trade("BTCUSDT", 1))
                await found.until(lambda it: it.data())
                assert "ZeroDivisionError" in broken.health.error
                assert (down.health.state, down.health.connections[0].state) == ("running", "waiting")
                assert "the venue is down" in down.health.connections[0].reason
                assert {one.venue for one in found.of("ws")} == {"binance_futures"}

    run(story)


def test_feeds_of_different_inboxes_cannot_be_one_live() -> None:
    async def story() -> None:
        feeds = [Feed(toy(), ["BTCUSDT"], Inbox()) for _ in range(2)]
        with pytest.raises(InvalidArgument):
            await anext(live(feeds))

    run(story)

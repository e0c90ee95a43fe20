"""Sockets: against a picows server on loopback."""

import asyncio
import os
import time

import pytest
from picows import WSCloseCode, WSMsgType, WSUpgradeResponse, WSUpgradeResponseWithListener, ws_create_server
from toy_venue import run, toy, toy_server

from orderflow.feed import sockets
from orderflow.feed.frames import Frame
from orderflow.market.errors import Banned, Disconnected, RateLimited, RegionBlocked
from orderflow.venues.spec import Venue

BIG = os.urandom(2_500_000).hex().encode()  # 5 MB


class Heard:
    def __init__(self) -> None:
        self.bursts: list[list[Frame]] = []

    def __call__(self, frames: list[Frame]) -> None:
        self.bursts.append(frames)

    @property
    def payloads(self) -> list[bytes]:
        return [frame.payload for burst in self.bursts for frame in burst]

    async def until(self, count: int) -> None:
        while len(self.payloads) < count:
            await asyncio.sleep(0.001)


async def opened(server, heard, venue: Venue | None = None) -> sockets.Socket:
    return await sockets.connect(venue or toy(), "public", server.hosts.ws["public"], heard, time.time_ns)


def test_frames_come_in_order_with_route_and_time() -> None:
    async def story() -> None:
        async with toy_server() as server:
            heard = Heard()
            before = time.time_ns()
            socket = await opened(server, heard)
            for number in range(1000):
                server.sockets[0].say(b"%d" % number)
            await heard.until(1000)
            assert heard.payloads == [b"%d" % number for number in range(1000)]
            frames = [frame for burst in heard.bursts for frame in burst]
            assert {(one.venue, one.kind, one.url) for one in frames} == {("binance_spot", "ws", "public")}
            stamps = [one.ts_recv for one in frames]
            assert before <= stamps[0] and stamps == sorted(stamps) and stamps[-1] <= time.time_ns()
            assert socket.heard_ts == stamps[-1]
            socket.close()
            await socket.lost()

    run(story)


def test_frames_that_were_read_together_are_handed_over_together() -> None:
    async def story() -> None:
        async with toy_server() as server:
            heard = Heard()
            await opened(server, heard)
            one = bytes([0x81, 5]) + b"hello"  # fin + text, length 5: a whole frame as it stands on the wire
            server.sockets[0].transport.underlying_transport.write(one * 300)
            await heard.until(300)
            assert len(heard.bursts) == 1

    run(story)


def test_a_ping_is_answered_with_its_payload_and_counts_as_hearing() -> None:
    async def story() -> None:
        async with toy_server() as server:
            heard = Heard()
            socket = await opened(server, heard)
            since = socket.heard_ts
            server.sockets[0].transport.send_ping(b"1763683200123")
            await server.until(lambda: server.sockets[0].pongs)
            assert server.sockets[0].pongs == [b"1763683200123"]
            assert socket.heard_ts > since
            assert heard.payloads == []

    run(story)


def test_a_message_of_5_mb_and_one_in_fragments_arrive_whole_with_a_ping_between_the_fragments() -> None:
    async def story() -> None:
        async with toy_server() as server:
            heard = Heard()
            await opened(server, heard)
            wire = server.sockets[0].transport
            wire.send(WSMsgType.TEXT, BIG)
            wire.send(WSMsgType.TEXT, b"one ", fin=False)
            wire.send_ping(b"between")
            wire.send(WSMsgType.CONTINUATION, b"two ", fin=False)
            wire.send(WSMsgType.CONTINUATION, b"three", fin=True)
            wire.send(WSMsgType.BINARY, b"four")
            await heard.until(3)
            assert heard.payloads == [BIG, b"one two three", b"four"]
            await server.until(lambda: server.sockets[0].pongs)

    run(story)


@pytest.mark.parametrize("fragments", [1, 4])
def test_a_message_above_the_declared_size_ends_the_connection(fragments: int) -> None:
    async def story() -> None:
        async with toy_server() as server:
            heard = Heard()
            socket = await opened(server, heard, toy(max_message_bytes=1000))
            wire = server.sockets[0].transport
            part = b"x" * (1200 // fragments)
            for number in range(fragments):
                kind = WSMsgType.CONTINUATION if number else WSMsgType.TEXT
                wire.send(kind, part, fin=number == fragments - 1)
            reason = await socket.lost()
            assert "1000" in reason or "size" in reason
            assert heard.payloads == []

    run(story)


def test_what_came_before_a_close_is_handed_over_and_the_venues_reason_is_told() -> None:
    async def story() -> None:
        async with toy_server() as server:
            heard = Heard()
            socket = await opened(server, heard)
            server.sockets[0].say(b"last words")
            server.sockets[0].transport.send_close(WSCloseCode.SERVICE_RESTART, b"maintenance")
            reason = await socket.lost()
            assert heard.payloads == [b"last words"]
            assert reason == "closed by the venue: 1012 maintenance"
            socket.close()  # closing what is closed does nothing
            socket.send(b"nobody hears this")

    run(story)


def test_a_paused_socket_reads_nothing_and_a_resumed_one_reads_all() -> None:
    async def story() -> None:
        async with toy_server() as server:
            heard = Heard()
            socket = await opened(server, heard)
            socket.pause()
            for number in range(50):
                server.sockets[0].say(b"%d" % number)
            await asyncio.sleep(0.05)
            assert heard.payloads == []
            socket.resume()
            await heard.until(50)
            assert heard.payloads == [b"%d" % number for number in range(50)]

    run(story)


def test_nobody_listening_is_a_disconnect() -> None:
    async def story() -> None:
        async with toy_server() as server:
            pass
        with pytest.raises(Disconnected, match="binance_spot: ws://127.0.0.1"):
            await opened(server, Heard())

    run(story)


def test_a_server_that_hangs_up_during_the_handshake_is_a_disconnect() -> None:
    async def story() -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

        listening = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        with pytest.raises(Disconnected):
            await sockets.connect(toy(), "public", url, Heard(), time.time_ns)
        listening.close()

    run(story)


@pytest.mark.parametrize(
    ("status", "leaf", "after_s"),
    [(429, RateLimited, 9.0), (418, Banned, 9.0), (404, Disconnected, 9.0), (451, RegionBlocked, None)],
)
def test_a_refused_handshake_means_what_the_form_says_of_its_status(
    status: int, leaf: type, after_s: float | None
) -> None:
    async def story() -> None:
        def refuse(request: object) -> WSUpgradeResponseWithListener:
            response = WSUpgradeResponse.create_error_response(status, b"no", {"Retry-After": "9"})
            return WSUpgradeResponseWithListener(response, None)

        listening = await ws_create_server(refuse, "127.0.0.1", 0)
        url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        with pytest.raises(leaf, match=str(status)) as raised:
            await sockets.connect(toy(), "public", url, Heard(), time.time_ns)
        assert type(raised.value) is leaf
        assert getattr(raised.value, "after_s", None) == after_s
        listening.close()

    run(story)


def test_an_error_of_our_own_while_receiving_is_not_taken_for_the_venues() -> None:
    async def story() -> None:
        def broken(frames: list[Frame]) -> None:
            raise ZeroDivisionError("ours")

        async with toy_server() as server:
            socket = await opened(server, broken)
            server.sockets[0].say(b"anything")
            with pytest.raises(ZeroDivisionError):
                await socket.lost()

    run(story)

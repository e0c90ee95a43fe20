"""Event streams: a real HTTP server on loopback, heard as if it were a socket."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from toy_venue import run, toy

from orderflow.feed import sockets
from orderflow.feed.frames import Frame
from orderflow.market.errors import Disconnected, RateLimited


async def served(story: Any, *pieces: bytes, status: int = 200) -> None:
    """Serve the pieces at `/stream`, one write each, and tell the story its address."""

    async def stream(request: web.Request) -> web.StreamResponse:
        if status != 200:
            return web.Response(status=status)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0.01)
        return response

    app = web.Application()
    app.router.add_get("/stream", stream)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        await story(f"http://127.0.0.1:{runner.addresses[0][1]}/stream")
    finally:
        await runner.cleanup()


def test_each_event_is_a_frame_however_the_bytes_are_cut_and_comments_are_none() -> None:
    heard: list[Frame] = []

    async def story(url: str) -> None:
        socket = await sockets.connect(toy(), "public", url, heard.extend, lambda: 7)
        assert await socket.lost() == "the stream has ended"

    run(
        lambda: served(
            story, b": hello\n\nda", b'ta:{"a":1}\n', b"\ndata: one\r\ndata: two\r\n\r\n", b"data:left"
        )
    )
    assert [one.payload for one in heard] == [b'{"a":1}', b"one\ntwo"]
    assert {(one.venue, one.kind, one.url, one.ts_recv) for one in heard} == {
        ("binance_spot", "ws", "public", 7)
    }


def test_an_event_without_end_is_cut_off() -> None:
    async def story(url: str) -> None:
        socket = await sockets.connect(
            toy(max_message_bytes=100), "public", url, lambda frames: None, lambda: 7
        )
        assert await socket.lost() == "an event of more than 100 bytes"

    run(lambda: served(story, b"data:" + b"x" * 200, b"y" * 200))


def test_a_status_means_what_the_form_says() -> None:
    async def limited(url: str) -> None:
        with pytest.raises(RateLimited):
            await sockets.connect(toy(), "public", url, lambda frames: None, lambda: 7)

    async def gone(url: str) -> None:
        with pytest.raises(Disconnected, match="answered HTTP 404"):
            await sockets.connect(toy(), "public", url, lambda frames: None, lambda: 7)

    run(lambda: served(limited, status=429))
    run(lambda: served(gone, status=404))


def test_a_stream_that_is_closed_by_us_is_lost() -> None:
    async def story(url: str) -> None:
        socket = await sockets.connect(toy(), "public", url, lambda frames: None, lambda: 7)
        socket.close()
        assert await socket.lost() == "closed by us"

    run(lambda: served(story, *[b": alive\n\n"] * 20))

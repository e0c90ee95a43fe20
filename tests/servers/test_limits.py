"""What one client may cost the others, tried by clients that mean it, on real sockets."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from fixed_market import context

from orderflow.servers import http
from orderflow.servers.callers import Local
from orderflow.servers.limits import MOST_HEADERS, MOST_QUERY, Limits, Rate
from orderflow.store.live import Live
from tests.servers.sockets import Client, asked, served


def tried(body: Callable[[int], Awaitable[None]], caller: Any = None, **more: Any) -> None:
    """Run a test against a door with these limits."""
    token = more.pop("token", None)
    live = Live("simulated", ["BTCUSDT"])
    app = http.app(caller or Local(context()), token=token, watched=live, limits=Limits(**more))

    async def life() -> None:
        async with served(app) as port:
            async with asyncio.timeout(30):
                await body(port)

    asyncio.run(life())


# ── How often ─────────────────────────────────────────────────────────────────────────────────


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    now = [100.0]
    rate = Rate(per_s=2.0, burst=3, clock=lambda: now[0])
    assert [rate.wait_s("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]  # one in 1 / 2 s
    assert rate.wait_s("b") == 0.0
    now[0] += 0.25  # half of one has come back
    assert rate.wait_s("a") == 0.25
    now[0] += 0.25
    assert (rate.wait_s("a"), rate.wait_s("a")) == (0.0, 0.5)
    now[0] += 1_000
    assert [rate.wait_s("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]  # never more than the burst
    assert [Rate(0.0, 1).wait_s("a") for _ in range(3)] == [0.0] * 3


def test_who_asks_too_often_is_told_when_to_come_again_and_health_still_answers() -> None:
    async def body(port: int) -> None:
        statuses = [(await asked(port, "GET", "/tools?category=system"))[0] for _ in range(3)]
        assert statuses == [200, 200, 200]
        client = await Client.to(port)
        await client.send("GET", "/tools?category=system")
        status, headers, said = await client.answer()
        assert (status, said["code"]) == (429, "rate_limited")
        assert headers["retry-after"] == "10"  # one in 1 / 0.1 s
        assert 9 < said["after_s"] <= 10
        client.close()
        for path in ("/health", "/healthz"):
            assert (await asked(port, "GET", path))[0] == 200

    tried(body, rate_per_s=0.1, burst=3)


def test_guessing_tokens_is_limited_like_all_else() -> None:
    async def body(port: int) -> None:
        statuses = [
            (await asked(port, "GET", "/", f"Authorization: Bearer {guess}"))[0] for guess in range(5)
        ]
        assert statuses == [401, 401, 401, 401, 429]

    tried(body, token="secret", rate_per_s=0.01, burst=4)


# ── How much at once ──────────────────────────────────────────────────────────────────────────


class Slow(Local):
    """Answers when it is let."""

    def __init__(self) -> None:
        super().__init__(context())
        self.go = asyncio.Event()

    async def call(self, name: str, arguments: Any = None, format: Any = None, **more: Any) -> Any:
        await self.go.wait()
        return await super().call(name, arguments, format, **more)


def test_more_requests_than_can_be_answered_are_refused_and_the_others_answered() -> None:
    async def body(port: int) -> None:
        ask = [asyncio.create_task(asked(port, "POST", "/tools/xv_prices", body=b"{}")) for _ in range(6)]
        done, waiting = await asyncio.wait(ask, timeout=2, return_when=asyncio.ALL_COMPLETED)
        refused = [one.result() for one in done]
        assert [(status, said["code"]) for status, said in refused] == [(503, "busy")] * 4
        assert (await asked(port, "GET", "/healthz"))[0] == 200
        slow.go.set()
        assert [(await one)[0] for one in waiting] == [200, 200]
        assert (await asked(port, "POST", "/tools/xv_prices", body=b"{}"))[0] == 200

    slow = Slow()
    tried(body, slow, requests=2)


def test_thousands_of_subscriptions_are_refused_and_the_first_go_on() -> None:
    async def body(port: int) -> None:
        path = "/stream/prices?symbol=BTCUSDT"
        first = [await Client.to(port) for _ in range(5)]
        for one in first:
            await one.send("GET", path)
            assert (await one.head())[0] == 200
        statuses = [(await asked(port, "GET", path))[0] for _ in range(300)]
        statuses += await asyncio.gather(*(_status(port, path) for _ in range(60)))
        assert set(statuses) == {503}
        assert (await asked(port, "POST", "/tools/xv_prices", body=b'{"symbol":"BTCUSDT"}'))[0] == 200
        first[0].close()
        await asyncio.sleep(0.3)
        again = await Client.to(port)
        await again.send("GET", path)
        assert (await again.head())[0] == 200
        for one in (*first, again):
            one.close()

    tried(body, streams=5, rate_per_s=0)


async def _status(port: int, path: str) -> int:
    return (await asked(port, "GET", path))[0]


def test_thousands_of_connections_that_say_nothing_keep_nobody_out() -> None:
    async def body(port: int) -> None:
        held: list[Client] = []
        for number in range(2_000):
            held.append(await Client.to(port))
            if number % 100 == 99:
                assert (await asked(port, "GET", "/healthz"))[0] == 200
        status, _, said = await held[0].answer()
        assert (status, said["message"]) == (503, BUSY)  # it had said nothing for longest
        assert all([await one.gone() for one in held[1:]])  # made room, or sent no head in time
        for one in held:
            one.close()

    tried(body, connections=20, head_s=5.0)


BUSY = "too many connections are open"


def test_connections_that_are_kept_and_not_used_make_room_too() -> None:
    async def body(port: int) -> None:
        held = [await Client.to(port) for _ in range(3)]
        for one in held:
            await one.send("GET", "/healthz")
            assert (await one.answer())[0] == 200
        assert (await asked(port, "GET", "/healthz"))[0] == 200
        assert await held[0].gone()
        await held[1].send("GET", "/healthz")
        assert (await held[1].answer())[0] == 200
        for one in held:
            one.close()

    tried(body, connections=3)


def test_where_every_connection_is_being_answered_the_newest_is_refused() -> None:
    async def body(port: int) -> None:
        held = [await Client.to(port) for _ in range(3)]
        for one in held:
            await one.send("GET", "/stream/prices?symbol=BTCUSDT")
            assert (await one.head())[0] == 200
        status, said = await asked(port, "GET", "/healthz")
        assert (status, said["message"]) == (503, BUSY)
        held[0].close()
        await asyncio.sleep(0.3)
        assert (await asked(port, "GET", "/healthz"))[0] == 200
        for one in held:
            one.close()

    tried(body, connections=3)


# ── How long, how slow ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "header", "status", "code"),
    [
        ("/tools?category=" + "x" * MOST_QUERY, "X-A: b", 414, "too_large"),
        ("/tools", "X-A: " + "x" * MOST_HEADERS, 431, "too_large"),
        ("/tools", "X-A: " + "x" * 200_000, 400, "invalid_argument"),
        ("/tools", "Host: evil.example", 421, "invalid_argument"),
        ("/tools", "Origin: https://evil.example", 403, "invalid_argument"),
        ("/tools", "no header", 400, "invalid_argument"),
    ],
)
def test_a_head_that_cannot_be_is_refused_in_our_words(
    path: str, header: str, status: int, code: str
) -> None:
    async def body(port: int) -> None:
        client = await Client.to(port)
        await client.send("GET", path, header)
        got, _, said = await client.answer()
        assert (got, said["code"]) == (status, code)
        client.close()
        assert (await asked(port, "GET", "/healthz"))[0] == 200

    tried(body)


def test_a_head_that_comes_letter_by_letter_is_not_waited_for() -> None:
    async def body(port: int) -> None:
        client = await Client.to(port)
        for letter in b"GET / HTTP":
            client.writer.write(bytes([letter]))
            await asyncio.sleep(0.03)
        status, _, said = await client.answer()
        assert (status, said["code"]) == (408, "timeout")
        assert await client.gone()

    tried(body, head_s=0.5)


def test_a_second_head_on_one_connection_is_not_waited_for_either() -> None:
    async def body(port: int) -> None:
        client = await Client.to(port)
        await client.send("GET", "/healthz")
        assert (await client.answer())[0] == 200
        client.writer.write(b"GET /he")
        assert (await client.answer())[0] == 408
        assert await client.gone()

    tried(body, head_s=0.4)


@pytest.mark.parametrize("path", ["/tools/xv_prices", "/mcp", "/messages/", "/nope"])
def test_a_body_that_comes_slowly_is_not_waited_for(path: str) -> None:
    async def body(port: int) -> None:
        client = await Client.to(port)
        await client.send("POST", path, "Content-Length: 100")
        began = time.monotonic()
        for _ in range(3):
            client.writer.write(b"x")
            await asyncio.sleep(0.1)
        status, headers, said = await client.answer()
        assert (status, said["code"], headers["connection"]) == (408, "timeout", "close")
        assert time.monotonic() - began < 5
        assert await client.gone()

    tried(body, body_s=0.5)


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/tools/xv_prices"),
        ("POST", "/mcp"),
        ("POST", "/messages/"),
        ("POST", "/admin/feeds"),
        ("DELETE", "/mcp"),
        ("GET", "/health"),
    ],
)
def test_a_body_too_large_is_refused_on_every_route(method: str, path: str, declared: bool) -> None:
    async def body(port: int) -> None:
        client = await Client.to(port)
        if declared:
            await client.send(method, path, "Content-Length: 99999999")
        else:
            await client.send(method, path, "Transfer-Encoding: chunked")
            part = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
            for _ in range(17):  # 17 × 64 KiB: one more than a MiB
                client.writer.write(part)
            await client.writer.drain()
        status, _, said = await client.answer()
        assert (status, said["code"]) == (413, "too_large")
        client.close()

    tried(body)


def test_who_takes_nothing_of_an_answer_is_let_go_and_others_are_served() -> None:
    async def body(port: int) -> None:
        _, whole = await asked(port, "GET", "/openapi.json")
        size = len(msgspec.json.encode(whole))
        client = await Client.to(port)
        for _ in range(60):  # one after the other, and nobody reads
            await client.send("GET", "/openapi.json")
        for _ in range(10):
            assert (await asked(port, "GET", "/healthz"))[0] == 200
            await asyncio.sleep(0.2)
        assert await client.read_all() < 60 * size  # the rest was never sent

    tried(body, write_s=0.5)


def test_who_reads_slowly_gets_everything() -> None:
    async def body(port: int) -> None:
        _, whole = await asked(port, "GET", "/openapi.json")
        client = await Client.to(port)
        for _ in range(20):
            await client.send("GET", "/openapi.json")
        began = time.monotonic()
        for _ in range(20):
            assert (await client.answer())[2] == whole
            await asyncio.sleep(0.1)
        assert time.monotonic() - began > 2  # twice as long as one who reads nothing is waited for
        client.close()

    tried(body, write_s=1.0)

"""The simulation over real sockets on loopback: what a client of the venues sees."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from orderflow.sim import SYMBOLS, Simulation
from orderflow.sim.connections import framed
from orderflow.sim.gate import Gate
from orderflow.sim.protocol import Limits

FUTURES, SPOT = "binance_futures", "binance_spot"
MARK = "X-Orderflow-Simulated"
Scene = Callable[[Simulation, ClientSession], Awaitable[None]]


def play(scene: Scene, **options: Any) -> None:
    """Run a scene against a simulation of two coins on two venues."""

    async def run() -> None:
        simulation = Simulation(
            **{"symbols": ("BTCUSDT", "BRETTUSDT"), "rate": 50.0, "venues": (FUTURES, SPOT), **options}
        )
        await simulation.start()
        try:
            async with ClientSession() as client, asyncio.timeout(30):
                await scene(simulation, client)
        finally:
            await simulation.stop()

    asyncio.run(run())


async def heard(socket: ClientWebSocketResponse) -> Any:
    return json.loads(await socket.receive_str(timeout=10))


async def until(socket: ClientWebSocketResponse, stream: str, count: int = 1) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        frame = await heard(socket)
        if frame.get("stream") == stream:
            found.append(frame["data"])
    return found


async def closed(socket: ClientWebSocketResponse) -> int | None:
    """The code with which the server ended the connection, after all that was still on its way."""
    while True:
        message = await socket.receive(timeout=10)
        if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR):
            return socket.close_code


async def shaken(simulation: Simulation, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A bare TCP connection that has asked for a WebSocket and read nothing yet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", simulation.port, limit=1024)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
    )
    return reader, writer


def limits(**changes: Any) -> Limits:
    usual = {
        "weight": 6000,
        "messages_per_second": 100,
        "streams": 1024,
        "ping_s": 180,
        "pong_s": 600,
    }
    return Limits(**{**usual, **changes})


def test_streams_of_the_url_come_in_the_combined_envelope() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        url = simulation.hosts(FUTURES)["ws"]["market"] + "?streams=btcusdt@aggTrade/brettusdt@aggTrade"
        async with client.ws_connect(url) as socket:
            await until(socket, "btcusdt@aggTrade", 3)
            await until(socket, "brettusdt@aggTrade", 3)

    play(scene)


def test_subscriptions_are_acknowledged_listed_and_ended() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        names = ["btcusdt@trade", "btcusdt@bookTicker"]
        async with client.ws_connect(simulation.hosts(SPOT)["ws"]["public"]) as socket:
            await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
            assert await heard(socket) == {"result": None, "id": 1}
            await until(socket, "btcusdt@trade")
            await socket.send_json({"method": "UNSUBSCRIBE", "params": names[:1], "id": 2})
            while (frame := await heard(socket)).get("id") != 2:
                assert frame["stream"] in names
            assert frame == {"result": None, "id": 2}
            await until(socket, "btcusdt@bookTicker", 20)
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": "three"})
            while (frame := await heard(socket)).get("id") != "three":
                assert frame["stream"] == "btcusdt@bookTicker"
            assert frame["result"] == names[1:]

    play(scene)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{not json", 3),
        ("[]", 2),
        ('{"method":"SUBSCRIBE","params":"btcusdt@trade","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[],"id":1}', 2),
        ('{"method":"SHOUT","params":["x"],"id":1}', 2),
        ('{"method":"GET_PROPERTY","params":["colour"],"id":1}', 0),
    ],
)
def test_a_wrong_message_gets_the_venues_error(text: str, code: int) -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(simulation.hosts(FUTURES)["ws"]["public"]) as socket:
            await socket.send_str(text)
            assert (await heard(socket))["error"]["code"] == code

    play(scene)


@pytest.mark.parametrize("path", ["/public/stream", "/stream"])
def test_a_stream_asked_on_the_wrong_route_is_acknowledged_and_silent(path: str) -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        base = simulation.hosts(FUTURES)["rest"].replace("http", "ws")
        right = simulation.hosts(FUTURES)["ws"]["market"] + "?streams=btcusdt@aggTrade"
        async with client.ws_connect(base + path) as socket, client.ws_connect(right) as witness:
            names = ["btcusdt@aggTrade", "btcusdt@nosuch", "nosuch@trade"]
            await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
            assert await heard(socket) == {"result": None, "id": 1}
            await until(witness, "btcusdt@aggTrade", 20)
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 2})
            assert await heard(socket) == {"result": names, "id": 2}  # nothing came in between

    play(scene)


def test_everything_says_that_it_is_simulated() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        about = f"http://127.0.0.1:{simulation.port}/sim"
        async with client.get(about) as answer:
            assert answer.headers[MARK] == "true"
            body = await answer.json()
        assert body["simulated"] is True
        assert (body["seed"], body["rate"]) == (7, 50.0)
        assert body["listed"] == {FUTURES: ["BTCUSDT", "BRETTUSDT"], SPOT: ["BTCUSDT"]}
        assert body["hosts"][SPOT] == simulation.hosts(SPOT)
        for url in (simulation.hosts(FUTURES)["rest"] + "/fapi/v1/nosuch", about + "/nosuch"):
            async with client.get(url) as answer:
                assert (answer.status, answer.headers[MARK]) == (404, "true")
        reader, writer = await shaken(simulation, f"/{SPOT}/stream")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert f"\r\n{MARK}: true\r\n".encode() in head
        writer.close()

    play(scene)


@pytest.mark.parametrize(
    ("venue", "path", "weights"), [(FUTURES, "/fapi/v1/", [20, 21]), (SPOT, "/api/v3/", [50, 51])]
)
def test_rest_counts_weight_and_words_its_errors(venue: str, path: str, weights: list[int]) -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        base = simulation.hosts(venue)["rest"] + path
        used: list[int] = []
        for request in ("depth?symbol=BTCUSDT&limit=1000", "ping"):
            async with client.get(base + request) as answer:
                assert answer.status == 200
                used.append(int(answer.headers["X-MBX-USED-WEIGHT-1M"]))
        if used[0] < used[1]:  # else a minute ended between the two
            assert used == weights
        async with client.get(base + "depth?symbol=NOSUCH") as answer:
            assert answer.status == 400
            assert await answer.json() == {"code": -1121, "msg": "Invalid symbol."}

    play(scene)


def test_beyond_the_weight_limit_come_429_and_for_the_deaf_418() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        url = simulation.hosts(FUTURES)["rest"] + "/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
        seen: list[int] = []
        while 418 not in seen and len(seen) < 100:
            async with client.get(url) as answer:
                seen.append(answer.status)
                if answer.status != 200:
                    assert int(answer.headers["Retry-After"]) > 0
                    assert (await answer.json())["code"] == -1003
        assert [status for status in dict.fromkeys(seen)] == [200, 429, 418]

    play(scene, limits={FUTURES: limits(weight=100, ban_status=418, retry_after=True)})


def test_a_ban_outlives_the_minute_and_ends() -> None:
    gate, now_ms = Gate(limits(weight=10, ban_status=418)), 1_795_000_020_000
    assert gate.admit(10, now_ms).status == 200
    assert [gate.admit(1, now_ms).status for _ in range(20)] == [429] * 20
    assert gate.admit(1, now_ms).status == 418
    assert gate.admit(1, now_ms + 60_000).status == 418
    later = gate.admit(1, now_ms + 120_000)
    assert (later.status, later.used) == (200, 1)


def test_who_talks_too_much_is_disconnected() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(simulation.hosts(SPOT)["ws"]["public"]) as socket:
            for number in range(50):  # spot allows five messages a second
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
            for number in range(5):
                assert (await heard(socket))["id"] == number
            answered = 5
            while (message := await socket.receive(timeout=10)).type == WSMsgType.TEXT:
                answered += 1
            assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
            assert answered < 50
            assert socket.close_code == 1008

    play(scene)


def test_too_many_streams_are_refused() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        host = simulation.hosts(FUTURES)["ws"]["public"]
        async with client.ws_connect(host) as socket:
            await socket.send_json(
                {"method": "SUBSCRIBE", "params": ["a@trade", "b@trade", "c@trade"], "id": 1}
            )
            assert (await heard(socket))["error"]["code"] == 2
        async with client.ws_connect(host + "?streams=a@trade/b@trade/c@trade") as socket:
            assert await closed(socket) == 1008

    play(scene, limits={FUTURES: limits(streams=2)})


def test_pings_come_and_who_does_not_answer_is_disconnected() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        host = simulation.hosts(SPOT)["ws"]["public"]
        async with client.ws_connect(host, autoping=False) as deaf, client.ws_connect(host) as polite:
            first = await deaf.receive(timeout=10)
            assert first.type == WSMsgType.PING
            assert first.data.isdigit()  # wall-clock ms, to be copied into the pong
            reading = asyncio.create_task(until(polite, "btcusdt@trade", 5))
            await closed(deaf)
            await polite.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1})
            await reading  # alive after its pongs

    play(scene, limits={SPOT: limits(ping_s=0.3, pong_s=1.5)})


def test_a_clients_ping_is_answered_with_its_payload() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(simulation.hosts(SPOT)["ws"]["public"], autoping=False) as socket:
            await socket.ping(b"are you there")
            answer = await socket.receive(timeout=10)
            assert (answer.type, answer.data) == (WSMsgType.PONG, b"are you there")

    play(scene)


def test_a_connection_has_a_life_span() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(simulation.hosts(FUTURES)["ws"]["public"]) as socket:
            await closed(socket)

    play(scene, limits={FUTURES: limits(life_s=0.3)})


def test_a_client_that_does_not_read_is_dropped_and_counted() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        path = f"/{FUTURES}/public/stream?streams=btcusdt@bookTicker/btcusdt@depth@0ms/btcusdt@depth20@100ms"
        _, writer = await shaken(simulation, path)
        while simulation.dropped_slow == 0:
            await asyncio.sleep(0.05)
        writer.close()

    play(scene, rate=20_000.0, most_unsent=10_000)


def test_the_ledger_remembers_what_was_sent() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        base = f"http://127.0.0.1:{simulation.port}/sim/ledger"
        which = f"venue={FUTURES}&symbol=BTCUSDT&stream=aggTrade"
        url = simulation.hosts(FUTURES)["ws"]["market"] + "?streams=btcusdt@aggTrade"
        async with client.ws_connect(url) as socket:
            got = await until(socket, "btcusdt@aggTrade", 30)
            async with client.get(f"{base}?{which}") as answer:
                summary = await answer.json()
            rows_url = f"{base}/rows?{which}&from_id={got[0]['a']}&limit=30"
            async with client.get(rows_url) as answer:
                rows = await answer.json()
        assert summary["first_id"] <= got[0]["a"] and summary["last_id"] >= got[-1]["a"]
        assert summary["count"] == summary["last_id"] - summary["first_id"] + 1
        assert 30 <= summary["sent"] <= summary["count"]
        assert rows == [
            {
                "id": one["a"],
                "price": one["p"],
                "quantity": one["q"],
                "base": one["q"],
                "time": one["T"],
                "side": "sell" if one["m"] else "buy",
                "sent": 1,
            }
            for one in got
        ]
        async with client.get(f"{base}/rows?venue=nosuch") as answer:
            assert answer.status == 404
            assert FUTURES in (await answer.json())["error"]

    play(scene)


def test_a_taken_port_is_told_in_one_line() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        with pytest.raises(OSError, match=f"127.0.0.1:{simulation.port}.*choose another port"):
            await Simulation(("BTCUSDT",), port=simulation.port).start()

    play(scene)


def test_unknown_symbols_are_told_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="DOGEUSDT.*BTCUSDT"):
        Simulation(("DOGEUSDT",))
    with pytest.raises(ValueError, match="above 0"):
        Simulation(rate=0.0)


def test_all_symbols_of_the_default_are_listed() -> None:
    simulation = Simulation()
    listed = {symbol: set(market.exchanges) for symbol, market in simulation.markets.items()}
    assert tuple(listed) == SYMBOLS
    assert {symbol for symbol, venues in listed.items() if SPOT not in venues} == {"BRETTUSDT", "POPCATUSDT"}
    assert all(FUTURES in venues for venues in listed.values())


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_of_any_size_are_framed_as_the_protocol_says(size: int) -> None:
    frame = framed(b"x" * size)
    assert frame[0] == 0x81  # final, text
    if size < 126:
        assert (frame[1], len(frame)) == (size, 2 + size)
    elif size < 65_536:
        assert (frame[1], int.from_bytes(frame[2:4], "big"), len(frame)) == (126, size, 4 + size)
    else:
        assert (frame[1], int.from_bytes(frame[2:10], "big"), len(frame)) == (127, size, 10 + size)


def test_as_a_process_it_says_where_it_is_and_stops_when_told() -> None:
    command = [sys.executable, "-m", "orderflow.sim", "--symbols", "BTCUSDT", "--rate", "10"]
    command += ["--venues", SPOT]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["simulated"] is True
        assert list(ready["hosts"]) == [SPOT]
        assert ready["hosts"][SPOT]["rest"] == f"http://127.0.0.1:{ready['port']}/{SPOT}"
        taken = subprocess.run(
            [*command, "--port", str(ready["port"])], capture_output=True, text=True, timeout=30, check=False
        )
        assert taken.returncode == 1
        assert taken.stderr.count("\n") == 1 and "choose another port" in taken.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0

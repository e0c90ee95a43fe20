"""Faults, each told to a running simulation and seen from a client's side of a real socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType

from orderflow.sim import Fault, Simulation

FUTURES, SPOT = "binance_futures", "binance_spot"
AGG, DEPTH = "btcusdt@aggTrade", "btcusdt@depth@100ms"
Scene = Callable[[Simulation, ClientSession], Awaitable[None]]


def play(scene: Scene) -> None:
    async def run() -> None:
        simulation = Simulation(("BTCUSDT",), venues=(FUTURES, SPOT), rate=50.0)
        await simulation.start()
        try:
            async with ClientSession() as client, asyncio.timeout(30):
                await scene(simulation, client)
        finally:
            await simulation.stop()

    asyncio.run(run())


def url(simulation: Simulation, venue: str, route: str, *streams: str) -> str:
    return simulation.hosts(venue)["ws"][route] + "?streams=" + "/".join(streams)


async def data(socket: ClientWebSocketResponse, stream: str, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        frame = json.loads(await socket.receive_str(timeout=10))
        if frame["stream"] == stream:
            found.append(frame["data"])
    return found


def told(simulation: Simulation) -> list[tuple[str, int, bool]]:
    return [(one["kind"], one["done"], one["over"]) for one in simulation.faults.listed()]


def test_a_disconnect_ends_the_connections_of_its_route_only() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        market = client.ws_connect(url(simulation, FUTURES, "market", AGG))
        public = client.ws_connect(url(simulation, FUTURES, "public", DEPTH))
        spot = client.ws_connect(url(simulation, SPOT, "public", AGG))
        async with market as hit, public as other, spot as elsewhere:
            for socket, stream in ((hit, AGG), (other, DEPTH), (elsewhere, AGG)):
                await data(socket, stream, 1)
            simulation.faults.disconnect(FUTURES, "market")
            while (message := await hit.receive(timeout=10)).type == WSMsgType.TEXT:
                continue
            assert message.type in (WSMsgType.CLOSED, WSMsgType.CLOSE)
            assert hit.close_code == 1006  # without a closing handshake
            await data(other, DEPTH, 3)
            await data(elsewhere, AGG, 3)
        assert told(simulation) == [("disconnect", 1, True)]

    play(scene)


def test_dropped_trades_leave_a_hole_in_the_ids_and_are_unsent_in_the_ledger() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(url(simulation, FUTURES, "market", AGG)) as socket:
            before = (await data(socket, AGG, 1))[0]["a"]
            simulation.faults.drop(FUTURES, AGG, 2)
            ids = [before, *(row["a"] for row in await data(socket, AGG, 20))]
        missing = sorted(set(range(ids[0], ids[-1] + 1)) - set(ids))
        assert len(missing) == 2
        tape = simulation.ledger.tapes[FUTURES, "BTCUSDT", "aggTrade"]
        assert [row.id for row in tape.rows(ids[0], ids[-1] + 1 - ids[0]) if not row.sent] == missing
        assert told(simulation) == [("drop", 2, True)]

    play(scene)


@pytest.mark.parametrize(("venue", "previous"), [(FUTURES, lambda d: d["pu"]), (SPOT, lambda d: d["U"] - 1)])
def test_a_dropped_diff_breaks_the_chain_once(venue: str, previous: Callable[[Any], int]) -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(url(simulation, venue, "public", DEPTH)) as socket:
            first = await data(socket, DEPTH, 2)
            simulation.faults.drop(venue, DEPTH)
            diffs = [*first, *(await data(socket, DEPTH, 6))]
        holes = [new for old, new in zip(diffs, diffs[1:], strict=False) if previous(new) != old["u"]]
        assert len(holes) == 1

    play(scene)


def test_a_repeated_frame_comes_twice() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(url(simulation, FUTURES, "market", AGG)) as socket:
            await data(socket, AGG, 1)
            simulation.faults.repeat(FUTURES, AGG, 3)
            rows = await data(socket, AGG, 20)
        twice = [new for old, new in zip(rows, rows[1:], strict=False) if new == old]
        assert len(twice) == 3

    play(scene)


def test_delayed_frames_come_late_complete_and_in_order() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(url(simulation, SPOT, "public", AGG, "btcusdt@trade")) as socket:
            await data(socket, AGG, 1)
            simulation.faults.delay(SPOT, AGG, delay_ms=400, seconds=0.5)
            seen: list[tuple[str, int, int]] = []
            while sum(kind == "aggTrade" for kind, _, _ in seen) < 60:
                row = json.loads(await socket.receive_str(timeout=10))["data"]
                seen.append((row["e"], row.get("a") or row["t"], row["E"]))
        ids = [id for kind, id, _ in seen if kind == "aggTrade"]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        late, newest = 0, 0
        for kind, _, sent_ms in seen:
            if kind == "trade":
                newest = max(newest, sent_ms)
            else:
                late = max(late, newest - sent_ms)
        assert late >= 300  # an aggregate arrived after trades that were made that much later

    play(scene)


def test_nonsense_comes_beside_the_frames_and_nothing_is_lost() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(url(simulation, FUTURES, "market", AGG)) as socket:
            await data(socket, AGG, 1)
            simulation.faults.nonsense(FUTURES, AGG, "not_json", 1)
            simulation.faults.nonsense(FUTURES, AGG, "wrong_shape", 2)
            texts = [await socket.receive_str(timeout=10) for _ in range(20)]
        broken = [text for text in texts if not text.startswith("{")]
        frames = [json.loads(text) for text in texts if text.startswith("{")]
        assert len(broken) == 1
        assert len([frame for frame in frames if frame["stream"] == 7]) == 2
        ids = [frame["data"]["a"] for frame in frames if frame["stream"] == AGG]
        assert ids == list(range(ids[0], ids[0] + len(ids)))

    play(scene)


def test_a_truncated_frame_is_cut_in_half_and_its_trade_lost() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(url(simulation, FUTURES, "market", AGG)) as socket:
            await data(socket, AGG, 1)
            simulation.faults.nonsense(FUTURES, AGG, "truncated")
            texts = [await socket.receive_str(timeout=10) for _ in range(10)]
        cut = [text for text in texts if not text.endswith("}}")]
        assert len(cut) == 1
        assert cut[0].startswith('{"stream":"btcusdt@aggTrade","data":{')
        ids = [json.loads(text)["data"]["a"] for text in texts if text not in cut]
        assert ids[-1] - ids[0] + 1 - len(ids) == (1 if texts[0] not in cut and texts[-1] not in cut else 0)

    play(scene)


@pytest.mark.parametrize("status", [429, 418, 451, 503])
def test_rest_answers_as_told_so_many_times(status: int) -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        base = simulation.hosts(SPOT)["rest"] + "/api/v3/"
        simulation.faults.answer(SPOT, status, count=2, retry_after=3, path="*/depth")
        seen: list[tuple[int, str | None]] = []
        for path in ("depth", "ping", "depth", "depth"):
            async with client.get(base + path, params={"symbol": "BTCUSDT"}) as answer:
                seen.append((answer.status, answer.headers.get("Retry-After")))
                if answer.status != 200:
                    assert set(await answer.json()) == {"code", "msg"}
        assert seen == [(status, "3"), (200, None), (status, "3"), (200, None)]

    play(scene)


def test_a_silenced_stream_is_acknowledged_and_says_nothing_for_a_while() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        simulation.faults.silence(FUTURES, "*@aggTrade", seconds=1.0)
        async with client.ws_connect(simulation.hosts(FUTURES)["ws"]["market"]) as socket:
            names = [AGG, "btcusdt@kline_1m", "btcusdt@markPrice@1s"]
            await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
            assert json.loads(await socket.receive_str(timeout=10)) == {"result": None, "id": 1}
            first = (await data(socket, AGG, 1))[0]
        (fault,) = simulation.faults.listed()
        assert fault["done"] > 0
        assert first["E"] >= fault["told_ms"] + 1000

    play(scene)


def test_spot_announces_a_shutdown_and_futures_has_no_such_words() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        async with client.ws_connect(url(simulation, SPOT, "public", AGG)) as socket:
            await data(socket, AGG, 1)
            simulation.faults.shutdown(SPOT)
            said = (await data(socket, "!serverShutdown", 1))[0]
            assert said["e"] == "serverShutdown" and set(said) == {"e", "E"}
        with pytest.raises(ValueError, match="use disconnect"):
            simulation.faults.shutdown(FUTURES)
        assert told(simulation) == [("shutdown", 1, True)]

    play(scene)


def test_refused_are_new_connections_and_requests_of_one_venue_only() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        rest = {venue: simulation.hosts(venue)["rest"] for venue in (FUTURES, SPOT)}
        async with client.ws_connect(url(simulation, FUTURES, "market", AGG)) as open_before:
            simulation.faults.refuse(FUTURES, seconds=60.0)
            with pytest.raises(ClientError):
                await client.get(rest[FUTURES] + "/fapi/v1/ping")
            with pytest.raises(ClientError):
                await client.ws_connect(url(simulation, FUTURES, "market", AGG))
            async with client.get(rest[SPOT] + "/api/v3/ping") as answer:
                assert answer.status == 200
            await data(open_before, AGG, 3)

    play(scene)


def test_faults_are_told_and_listed_over_http_too() -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        desk = f"http://127.0.0.1:{simulation.port}/sim/faults"
        order = {"kind": "drop", "venue": FUTURES, "stream": AGG, "count": 1}
        async with client.post(desk, json=order) as answer:
            assert answer.status == 200
        async with client.ws_connect(url(simulation, FUTURES, "market", AGG)) as socket:
            await data(socket, AGG, 2)
        async with client.get(desk) as answer:
            (listed,) = await answer.json()
        assert {**listed, **order} == listed
        assert (listed["done"], listed["over"]) == (1, True)

    play(scene)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"kind": "explode", "venue": FUTURES}, "disconnect, drop, repeat"),
        ({"kind": "drop", "venue": "nosuch"}, "binance_futures, binance_spot"),
        ({"kind": "drop", "venue": SPOT, "count": 0}, "at least 1"),
        ({"kind": "silence", "venue": SPOT}, "seconds"),
        ({"kind": "drop"}, "venue"),
        ({"kind": "answer", "venue": SPOT, "status": 200}, "400 to 599"),
        ({"kind": "refuse", "venue": SPOT, "seconds": -1}, "negative"),
        ({"kind": "shutdown", "venue": FUTURES}, "disconnect"),
    ],
)
def test_a_wrong_order_is_refused_in_one_line(order: dict[str, Any], words: str) -> None:
    async def scene(simulation: Simulation, client: ClientSession) -> None:
        desk = f"http://127.0.0.1:{simulation.port}/sim/faults"
        async with client.post(desk, json=order) as answer:
            assert answer.status == 400
            error = (await answer.json())["error"]
        assert words in error and "\n" not in error
        assert simulation.faults.listed() == []

    play(scene)


def test_a_fault_told_in_python_is_the_same_fault() -> None:
    simulation = Simulation(("BTCUSDT",))
    one = simulation.faults.tell(Fault(kind="drop", venue=SPOT, stream=AGG))
    assert one.count == 1
    assert not one.over(one.told_ms)

"""Changes as server-sent events: what comes first, what comes then, who reads slowly, and how it ends."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from fixed_market import context
from starlette.testclient import TestClient

from orderflow.market.events import (
    MS,
    BookTop,
    Event,
    Funding,
    IndexPrice,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.servers import http, streaming
from orderflow.servers.callers import Local
from orderflow.servers.changes import MOST_WAITING, Changes, Series
from orderflow.store.live import Live
from tests.servers.sockets import Client, served

AT = 1_763_683_200_000 * MS
VENUE = "binance_futures"


class Told(NamedTuple):
    """An event as it came."""

    event: str | None
    id: str | None
    data: Any
    comment: str | None = None
    retry: str | None = None


class Reader:
    """Reads the events of one stream."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.left = b""

    async def next(self) -> Told:
        while b"\n\n" not in self.left:
            size = int(await self.client.reader.readline(), 16)
            if not size:
                raise EOFError
            self.left += await self.client.reader.readexactly(size)
            await self.client.reader.readexactly(2)
        one, _, self.left = self.left.partition(b"\n\n")
        found = {}
        for line in one.decode().split("\n"):
            name, _, value = line.partition(": ")
            found[name] = value
        data = json.loads(found["data"]) if "data" in found else None
        return Told(found.get("event"), found.get("id"), data, found.get(""), found.get("retry"))


def quote(bid: float, venue: str = VENUE, symbol: str = "BTCUSDT") -> Quote:
    return Quote(venue, symbol, AT, AT + MS, bid, 1.0, bid + 1, None)


def trade(id: int) -> Trade:
    return Trade(VENUE, "BTCUSDT", AT, AT + MS, id, id % 2 == 0, 100.0, 2.0)


def tried(body: Callable[[int, Live], Awaitable[None]]) -> None:
    live = Live("simulated", ["BTCUSDT", "ETHUSDT"])

    async def life() -> None:
        async with served(http.app(Local(context()), watched=live)) as port:
            async with asyncio.timeout(30):
                await body(port, live)

    asyncio.run(life())


async def reading(port: int, path: str, *headers: str) -> Reader:
    client = await Client.to(port)
    await client.send("GET", path, *headers)
    status, headers_back = await client.head()
    assert status == 200
    assert headers_back["content-type"].startswith("text/event-stream")
    assert headers_back["cache-control"] == "no-store"
    return Reader(client)


def test_the_latest_comes_first_and_then_what_changes() -> None:
    async def body(port: int, live: Live) -> None:
        live.update(quote(100.0))
        live.update(quote(7.0, symbol="ETHUSDT"))
        path = "/stream/prices?symbol=btc-usdt&venues=binance,bybit_spot,deribit_options"
        one = await reading(port, path, "Last-Event-ID: 99999")
        begin = await one.next()
        assert (begin.event, begin.retry) == ("begin", "2000")
        assert begin.data["venues"] == ["binance_futures", "bybit_spot"]
        assert begin.data["missing"] == {
            "deribit_options": "has no prices",
            "bybit_spot": "nothing received yet",
        }
        assert (begin.data["symbol"], begin.data["source"]) == ("BTCUSDT", "simulated")
        first = await one.next()
        assert (first.event, first.data["bid_price"], first.data["ask_price"]) == ("prices", 100.0, 101.0)
        assert first.data["timestamp"] == 1_763_683_200_000
        assert first.data["received"] == 1_763_683_200_001
        assert first.data["ask_qty"] is None
        live.update(quote(102.0))
        second = await one.next()
        assert second.data["bid_price"] == 102.0
        assert int(second.id or 0) > int(first.id or 0)
        live.update(quote(103.0, "okx_futures"))  # which was not asked for
        live.update(quote(104.0, "bybit_spot"))
        assert (await one.next()).data["venue"] == "bybit_spot"
        one.client.close()

    tried(body)


EVENTS: dict[str, Event] = {
    "prices": quote(100.0),
    "orderbooks": BookTop(VENUE, "BTCUSDT", AT, AT, (99.0, 1.0, *[None] * 18, 101.0, float("nan"), *[None] * 18), 1),
    "trades": trade(1),
    "mark_prices": MarkPrice(VENUE, "BTCUSDT", AT, AT, 100.0, None),
    "funding_rates": Funding(VENUE, "BTCUSDT", None, AT, 0.0001, None, 8.0, AT),
    "open_interest": OpenInterest(VENUE, "BTCUSDT", AT, AT, 10.0),
    "ticker_24h": Ticker(VENUE, "BTCUSDT", AT, AT, 100.0),
    "liquidations": Liquidation(VENUE, "BTCUSDT", AT, AT, "long", 99.0, 3.0),
    "index_prices": IndexPrice(VENUE, "BTCUSDT", AT, AT, 100.5),
}  # fmt: skip
SAYS: dict[str, dict[str, Any]] = {
    "prices": {"bid_price": 100.0},
    "orderbooks": {"bids": [[99.0, 1.0]], "asks": [[101.0, None]], "depth": 1},
    "trades": {"side": "buy", "quantity": 2.0, "trade_id": "1"},
    "mark_prices": {"mark_price": 100.0, "index_price": None},
    "funding_rates": {"funding_rate": 0.0001, "next_funding_time": 1_763_683_200_000, "timestamp": AT // MS},
    "open_interest": {"open_interest": 10.0, "open_interest_usd": None},
    "ticker_24h": {"last_price": 100.0, "volume_24h": None},
    "liquidations": {"side": "long", "price": 99.0, "quantity": 3.0},
    "index_prices": {"index_price": 100.5},
}


def test_each_stream_whose_latest_is_known_can_be_followed() -> None:
    async def body(port: int, live: Live) -> None:
        assert set(live.streams) == set(EVENTS)
        for name, event in EVENTS.items():
            live.update(event)
            one = await reading(port, f"/stream/{name}?symbol=BTCUSDT&venues={VENUE}")
            assert (await one.next()).event == "begin"
            told = await one.next()
            assert told.event == name
            assert SAYS[name].items() <= told.data.items()
            one.client.close()

    tried(body)


def test_every_trade_comes_once_and_in_order() -> None:
    async def body(port: int, live: Live) -> None:
        live.update(trade(1))
        live.update(trade(2))
        one = await reading(port, "/stream/trades?symbol=BTCUSDT")
        other = await reading(port, "/stream/trades?symbol=BTCUSDT")
        for reader in (one, other):
            await reader.next()
            assert (await reader.next()).data["trade_id"] == "2"  # the latest alone
        for id in range(3, 13):
            live.update(trade(id))
            await asyncio.sleep(0.03)
        for reader in (one, other):
            assert [(await reader.next()).data["trade_id"] for _ in range(10)] == [
                str(id) for id in range(3, 13)
            ]
            reader.client.close()

    tried(body)


def test_a_stream_ends_in_good_form_when_the_service_stops() -> None:
    async def body(port: int, live: Live) -> None:
        one = await reading(port, "/stream/prices?symbol=BTCUSDT")
        await one.next()
        ends.append(asyncio.create_task(one.next()))
        last.append(one)
        await asyncio.sleep(0.2)

    ends: list[asyncio.Task[Told]] = []
    last: list[Reader] = []

    async def life() -> None:
        live = Live("simulated", ["BTCUSDT"])
        async with served(http.app(Local(context()), watched=live)) as port:
            await body(port, live)
        told = await ends[0]
        assert (told.event, told.data["reason"]) == ("end", "the service stops")
        with pytest.raises(EOFError):
            await last[0].next()
        last[0].client.close()

    asyncio.run(life())


def test_a_comment_comes_when_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming.add, "__defaults__", (0.2,))

    async def body(port: int, live: Live) -> None:
        one = await reading(port, "/stream/prices?symbol=BTCUSDT")
        await one.next()
        told = await one.next()
        assert told.event is None
        assert (told.comment or "").startswith("nothing new until")
        one.client.close()

    tried(body)


# ── Who reads slowly ──────────────────────────────────────────────────────────────────────────


def test_of_a_state_a_slow_reader_gets_the_latest_and_is_told_what_was_left_out() -> None:
    async def body() -> None:
        live = Live("simulated", ["BTCUSDT"])
        changes = Changes(live, beat_s=0.01)
        live.update(quote(1.0))
        box = changes.open(Series("prices", "BTCUSDT"), [VENUE])
        for bid in (2.0, 3.0, 4.0):
            live.update(quote(bid))
            await asyncio.sleep(0.05)
        found, missed, more = box.take()
        assert [json.loads(one.data)["bid_price"] for one in found] == [4.0]
        assert (missed, more) == (3, False)  # 1, 2 and 3
        assert box.take() == ([], 0, False)
        await changes.leave()

    asyncio.run(body())


def test_of_trades_a_slow_reader_gets_the_last_ones_and_is_told_what_was_left_out() -> None:
    async def body() -> None:
        live = Live("simulated", ["BTCUSDT"])
        changes = Changes(live, beat_s=0.01)
        live.update(trade(0))
        box = changes.open(Series("trades", "BTCUSDT"), [VENUE])
        box.take()
        for hundred in range(7):
            for id in range(100):
                live.update(trade(hundred * 100 + id + 1))
            await asyncio.sleep(0.05)
        found, missed, more = box.take()
        assert len(found) == MOST_WAITING
        assert (missed, more) == (700 - MOST_WAITING, False)
        assert json.loads(found[-1].data)["trade_id"] == "700"
        for id in range(300):  # more than are kept, between two looks
            live.update(trade(701 + id))
        await asyncio.sleep(0.05)
        found, missed, more = box.take()
        assert (len(found), missed, more) == (200, 0, True)
        await changes.leave()

    asyncio.run(body())


def test_nothing_is_looked_at_once_nobody_reads() -> None:
    async def body() -> None:
        live = Live("simulated", ["BTCUSDT"])
        looks: list[str] = []

        class Counting(Live):
            def newest(self, stream: str, symbol: str) -> list[Event]:
                looks.append(stream)
                return live.newest(stream, symbol)

        changes = Changes(Counting("simulated", ["BTCUSDT"]), beat_s=0.01)
        series = Series("prices", "BTCUSDT")
        one, other = changes.open(series, [VENUE]), changes.open(series, [VENUE])
        await asyncio.sleep(0.1)
        changes.close(series, one)
        changes.close(series, other)
        await asyncio.sleep(0.05)
        before = len(looks)
        await asyncio.sleep(0.1)
        assert len(looks) == before
        again = changes.open(series, [VENUE])
        await asyncio.sleep(0.1)
        assert len(looks) > before + 2
        changes.close(series, again)
        await changes.leave()

    asyncio.run(body())


# ── Refusals ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/stream/nonsense?symbol=BTCUSDT", 400, "invalid_argument"),
        ("/stream/candles?symbol=BTCUSDT", 400, "invalid_argument"),
        ("/stream/prices", 400, "invalid_argument"),
        ("/stream/prices?symbol=NOPE", 404, "unknown_symbol"),
        ("/stream/prices?symbol=BTCUSDT&venues=nowhere", 400, "invalid_argument"),
        ("/stream/funding_rates?symbol=BTCUSDT&venues=binance_spot", 409, "unsupported_by_venue"),
    ],
)
def test_what_cannot_be_followed_is_said(path: str, status: int, code: str) -> None:
    live = Live("simulated", ["BTCUSDT"])
    with TestClient(http.app(Local(context()), watched=live), base_url="http://127.0.0.1:8022") as client:
        said = client.get(path)
    assert (said.status_code, said.json()["code"]) == (status, code)


def test_without_a_collector_there_is_no_such_route() -> None:
    with TestClient(http.app(Local(context())), base_url="http://127.0.0.1:8022") as client:
        assert client.get("/stream/prices?symbol=BTCUSDT").status_code == 404
        assert "/stream/{stream}" not in client.get("/").json()["endpoints"]

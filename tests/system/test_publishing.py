"""Publishing, as a desk uses it: a collector that is killed, a broker that goes away, and the documented consumer."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from orderflow.market.streams import STREAMS
from tests.publish.broker import URL, Heard, Listener, Wire
from tests.system.product import ROOT, Collector, Product, Simulator, http_json, read, until

SERIES_SYMBOLS = "BTCUSDT,ETHUSDT"
VENUES = ("binance_futures", "binance_spot")
QUIET = ("--no-backfill", "--venues", ",".join(VENUES))
RATE = 20.0
# A hundred messages a second, which a busy machine publishes as well; of every kind of stream one.
PUBLISHED = ("trades", "large_trades", "mark_prices", "candles", "liquidations")


def publishing(collector: Collector) -> dict[str, Any]:
    return collector.health()["publishing"]


def check(db: Path, listener: Listener) -> int:
    """Every row of every table was heard, in order, without the doubles; return how many there were."""
    heard = listener.once()
    total = 0
    for name in PUBLISHED:
        for venue, symbol, count in read(db, f"SELECT venue, symbol, count(*) FROM {name} GROUP BY ALL"):
            messages = heard.pop(f"{name}.{venue}.{symbol}", [])
            ids = [one.body["id"] for one in messages]
            if STREAMS[name].replaces:
                closed = {one.body["id"] for one in messages if one.body["closed"]}
                sql = f"SELECT id FROM {name} WHERE venue = '{venue}' AND symbol = '{symbol}' AND closed"
                assert closed == {id for (id,) in read(db, sql)}
                assert set(ids) == set(range(1, count + 1))
            else:
                assert ids == list(range(1, count + 1)), f"{name} {venue} {symbol}"
            total += count
    assert heard == {}
    return total


def doubles(listener: Listener) -> list[Heard]:
    """Return the messages that came again; each is what it was the first time."""
    first: dict[str, Heard] = {}
    again: list[Heard] = []
    for one in listener.heard:
        if (before := first.setdefault(one.id, one)) is not one:
            assert (one.key, one.body) == (before.key, before.body)
            again.append(one)
    return again


def settled(collector: Collector, simulator: Simulator, listener: Listener) -> None:
    """End the market, let the collector send all, stop it, and wait for what it sent to come through."""
    simulator.running.kill()
    until(lambda: publishing(collector)["waiting"] == 0, "all is sent", 120)
    assert collector.running.stop() == 0, collector.running.stderr
    assert list(Path(f"{collector.db}.outbox").glob("*.outbox")) == []
    seen = -1
    while len(listener.heard) != seen:
        seen = len(listener.heard)
        time.sleep(1.0)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_publishing_collector_that_is_killed_loses_no_message(
    product: Product, listener: Listener, wire: Wire
) -> None:
    simulator = product.simulator(SERIES_SYMBOLS, RATE)
    more: dict[str, Any] = {
        "ORDERFLOW_PUBLISH_URL": wire.url,
        "ORDERFLOW_PUBLISH_EXCHANGE": listener.exchange,
        "ORDERFLOW_PUBLISH_STREAMS": ",".join(PUBLISHED),
    }
    for number in range(6):
        collector = product.collector(simulator, *QUIET, symbols=SERIES_SYMBOLS, **more)
        before = len(listener.heard)
        until(lambda before=before: len(listener.heard) > before, "messages flow")
        if number % 2:  # with a broker that is away, so that much waits in the outbox
            wire.cut()
            until(lambda one=collector: publishing(one)["waiting"] > 200, "messages wait")
        collector.running.kill()
        if number % 2:
            wire.restore()
    last = product.collector(simulator, *QUIET, symbols=SERIES_SYMBOLS, **more)
    until(lambda: publishing(last)["confirmed"] > 0, "messages flow")
    settled(last, simulator, listener)
    assert check(last.db, listener) > 500
    assert {one.message.headers["source"] for one in listener.heard} == {"simulated"}
    assert len(doubles(listener)) <= 7 * 1_000


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_collected_while_the_broker_is_away_arrives_afterwards_in_order(
    product: Product, listener: Listener, wire: Wire
) -> None:
    simulator = product.simulator(SERIES_SYMBOLS, RATE)
    collector = product.collector(
        simulator, *QUIET, "--publish", wire.url, symbols=SERIES_SYMBOLS,
        ORDERFLOW_PUBLISH_EXCHANGE=listener.exchange, ORDERFLOW_PUBLISH_STREAMS=",".join(PUBLISHED),
    )  # fmt: skip
    until(lambda: publishing(collector)["confirmed"] > 200, "messages flow")
    assert collector.health()["status"] == "healthy"
    wire.cut()
    until(lambda: publishing(collector)["state"] == "away", "the cut is noticed")
    frames = collector.health()["frames"]
    until(lambda: publishing(collector)["waiting"] > 1_200, "messages wait on disk")
    said = collector.health()
    assert said["frames"] > frames  # it collects as before
    assert said["status"] == "degraded" and "publishing: " in said["reasons"][0]
    assert said["publishing"]["waiting_bytes"] > 1_200 * 200
    assert "guest:guest" not in str(said) and "guest:guest" not in collector.running.stderr
    asked = http_json(f"{collector.url}/tools/system_health", b"{}")
    assert asked["summary"]["publishing"]["state"] == "away"
    wire.restore()
    until(lambda: publishing(collector)["waiting"] < 100, "what waited is sent", 120)
    wire.hold()  # a broker that hangs
    until(lambda: publishing(collector)["waiting"] > 1_100, "messages wait on disk")
    assert publishing(collector)["under_way"] <= 1_000
    wire.release()
    settled(collector, simulator, listener)
    assert check(collector.db, listener) > 2_000
    assert len(doubles(listener)) <= 2 * 1_000


def test_the_documented_consumer_hears_trades(product: Product, listener: Listener) -> None:
    (code,) = re.findall(r"```python\n(.+?)```", (ROOT / "docs" / "publishing.md").read_text(), re.DOTALL)
    queue = f"{listener.exchange}-consumer"
    said: dict[str, Any] = {}
    exec(code, said)
    simulator = product.simulator(SERIES_SYMBOLS, RATE)
    collector = product.collector(
        simulator, *QUIET, "--publish", URL, symbols=SERIES_SYMBOLS,
        ORDERFLOW_PUBLISH_EXCHANGE=listener.exchange, ORDERFLOW_PUBLISH_STREAMS="trades,prices",
    )  # fmt: skip
    heard: list[tuple[str, dict[str, Any]]] = []

    async def work() -> None:
        async with asyncio.timeout(60):
            async for one in said["listen"](exchange=listener.exchange, queue=queue):
                heard.append(one)
                if {trade["venue"] for _, trade in heard} == set(VENUES) and len(heard) > 50:
                    break
        connection = await aio_pika.connect(URL)
        channel = await connection.channel()
        await channel.queue_delete(queue)
        await connection.close()

    asyncio.run(work())
    assert {source for source, _ in heard} == {"simulated"}
    assert {trade["symbol"] for _, trade in heard} == {"BTCUSDT"}
    assert all(trade["value"] == trade["price"] * trade["quantity"] for _, trade in heard)
    until(lambda: {key.split(".")[0] for key in listener.once()} == {"trades", "prices"}, "both streams")
    assert collector.running.stop() == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--publish", "localhost:5672"), "not one of AMQP"),
        (("--publish", "http://desk:secret@127.0.0.1/"), "not one of AMQP"),
    ],
)
def test_an_address_that_is_none_is_refused_at_once(
    product: Product, wrong: tuple[str, ...], said: str
) -> None:
    found = product.run("up", *wrong, "--db", str(product.folder / "market.duckdb"), "--port", "0")
    assert found.returncode != 0
    assert said in found.stderr and "secret" not in found.stderr and "Traceback" not in found.stderr

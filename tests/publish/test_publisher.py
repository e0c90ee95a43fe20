"""The publisher against a real broker: order, doubles, an absent, slow or angry broker, and a dead sender."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import pytest

from orderflow.market.errors import InvalidArgument
from orderflow.publish import Publisher, Publishing
from orderflow.publish.outbox import Row
from orderflow.publish.sender import WINDOW
from tests.publish.broker import URL, Listener, Wire

KEYS = ("trades.binance_futures.BTCUSDT", "prices.binance_spot.ETHUSDT", "trades.okx_futures.A.B")
T0 = 1_763_683_200


class Source:
    """Numbers the messages of each key, as a flush would bring them."""

    def __init__(self) -> None:
        self.made: dict[str, list[str]] = {key: [] for key in KEYS}

    def rows(self, count: int) -> list[Row]:
        found: list[Row] = []
        for place in range(count):
            key = KEYS[place % len(KEYS)]
            id = f"{key}.{len(self.made[key])}"
            self.made[key].append(id)
            found.append(
                (key, id, T0 + place, "simulated", json.dumps({"id": len(self.made[key]), "pad": "x" * 300}))
            )
        return found

    def flush(self, publisher: Publisher, count: int) -> None:
        """Do what the writer and the collector do with a flush of so many rows."""
        publisher.outbox.append(self.rows(count))
        publisher.outbox.commit()
        publisher.tell()


def publisher_of(folder: Path, url: str, exchange: str, **more: Any) -> Publisher:
    plan = Publishing(url=url, exchange=exchange)
    return Publisher(plan, folder, **{"committed": None, **more})


async def until(true: Callable[[], object], what: str) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.02)
    assert true(), what


def play(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 100))


def ids(listener: Listener) -> dict[str, list[str]]:
    return {key: [one.id for one in messages] for key, messages in listener.once().items()}


def heard_all(listener: Listener, source: Source) -> Callable[[], bool]:
    return lambda: len({one.id for one in list(listener.heard)}) == sum(map(len, source.made.values()))


# ── Form and order ────────────────────────────────────────────────────────────────────────────


def test_messages_arrive_in_the_order_of_their_key_with_what_a_consumer_needs(
    tmp_path: Path, listener: Listener
) -> None:
    source = Source()

    async def work() -> None:
        publisher = publisher_of(tmp_path, URL, listener.exchange)
        source.flush(publisher, 10)  # before there is a sender
        publisher.start()
        for _ in range(5):
            source.flush(publisher, 500)
        await until(heard_all(listener, source), "all arrive")
        await until(lambda: not publisher.outbox.waiting, "all are confirmed")
        said = publisher.health()
        assert (said["state"], said["confirmed"], said["waiting"]) == ("connected", 2510, 0)
        assert (said["connections"], said["sender_starts"], said["sent_again"]) == (1, 1, 0)
        assert (said["last_error"], said["waiting_bytes"], publisher.problem) == (None, 0, "")
        await publisher.close()

    play(work())
    assert ids(listener) == source.made
    assert len(listener.heard) == 2510
    one = next(one for one in listener.heard if one.key == KEYS[2])
    assert one.body == {"id": 1, "pad": "x" * 300}
    assert one.message.headers == {
        "source": "simulated", "venue": "okx_futures", "stream": "trades", "version": 1,
    }  # fmt: skip
    assert one.message.content_type == "application/json"
    assert one.message.timestamp == datetime.fromtimestamp(T0 + 2, UTC)
    assert one.message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT


def test_keys_that_nobody_listens_to_are_confirmed_and_named(tmp_path: Path, listener: Listener) -> None:
    source = Source()
    exchange = f"{listener.exchange}-empty"

    async def work() -> None:
        publisher = publisher_of(tmp_path, URL, exchange)
        publisher.start()
        source.flush(publisher, 300)
        await until(lambda: publisher.health()["keys_without_a_queue"] == len(KEYS), "they are named")
        await until(lambda: not publisher.outbox.waiting, "nothing waits for a queue that is not there")
        assert sorted(publisher.health()["some_of_them"]) == sorted(KEYS)
        await publisher.close()
        connection = await aio_pika.connect(URL)
        channel = await connection.channel()
        await channel.exchange_delete(exchange)
        await connection.close()

    play(work())


# ── A broker that is away, slow or refuses ────────────────────────────────────────────────────


def test_what_a_broker_missed_while_it_was_away_arrives_in_order(
    tmp_path: Path, listener: Listener, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source()
    wire.cut()

    async def work() -> None:
        publisher = publisher_of(tmp_path, wire.url, listener.exchange)
        publisher.start()
        await until(lambda: publisher.report.state == "away", "it cannot be reached")
        source.flush(publisher, 2500)
        assert publisher.outbox.waiting == 2500 and publisher.outbox.waiting_bytes > 2500 * 300
        assert "2500 messages wait" in publisher.problem
        assert listener.heard == []
        await asyncio.to_thread(wire.restore)
        await until(lambda: publisher.report.confirmed > 0, "some are confirmed")
        for _ in range(3):
            await asyncio.to_thread(wire.cut)
            source.flush(publisher, 700)
            await until(lambda: publisher.report.state == "away", "the cut is noticed")
            before = publisher.report.connections
            await asyncio.to_thread(wire.restore)
            await until(lambda before=before: publisher.report.connections > before, "it connects again")
        await until(heard_all(listener, source), "all arrive")
        await until(lambda: not publisher.outbox.waiting, "all are confirmed")
        assert publisher.problem == ""
        await publisher.close()

    with caplog.at_level(logging.INFO, logger="orderflow"):
        play(work())
    assert ids(listener) == source.made
    assert "does not take messages" in caplog.text and "guest:guest" not in caplog.text
    assert list(tmp_path.glob("*.outbox")) == []


def test_a_broker_that_hangs_holds_nothing_up_and_costs_only_disk(
    tmp_path: Path, listener: Listener, wire: Wire
) -> None:
    source = Source()

    async def work() -> None:
        publisher = publisher_of(tmp_path, wire.url, listener.exchange)
        publisher.start()
        await until(lambda: publisher.report.state == "connected", "it is connected")
        await asyncio.to_thread(wire.hold)
        for _ in range(3):
            source.flush(publisher, 1000)
        await until(lambda: publisher.report.under_way == WINDOW, "as many are under way as may be")
        await asyncio.sleep(1.0)  # time in which a sender without a bound would have taken up more
        said = publisher.health()
        assert (said["under_way"], said["waiting"], said["confirmed"]) == (WINDOW, 3_000, 0)
        assert said["waiting_bytes"] > 3_000 * 300
        await asyncio.to_thread(wire.release)
        await until(heard_all(listener, source), "all arrive")
        await publisher.close()
        assert publisher.report.sent_again <= WINDOW

    play(work())
    assert ids(listener) == source.made


def test_a_wrong_password_is_told_and_never_shown(
    tmp_path: Path, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "not-the-password"

    async def work() -> None:
        host = urlsplit(URL).netloc.partition("@")[2]
        publisher = publisher_of(tmp_path, f"amqp://guest:{secret}@{host}/", listener.exchange)
        publisher.start()
        await until(lambda: publisher.report.state == "away", "it is refused")
        said = publisher.health()
        assert said["last_error"] and secret not in str(said) and "guest:***@" in said["broker"]
        assert secret not in repr(publisher.plan) and secret not in publisher.problem
        await publisher.close()

    with caplog.at_level(logging.DEBUG):
        play(work())
    assert secret not in caplog.text


def test_an_exchange_of_another_kind_is_told_and_what_waits_stays(tmp_path: Path, listener: Listener) -> None:
    source = Source()
    exchange = f"{listener.exchange}-fanout"

    async def work() -> None:
        connection = await aio_pika.connect(URL)
        channel = await connection.channel()
        await channel.declare_exchange(exchange, aio_pika.ExchangeType.FANOUT)
        publisher = publisher_of(tmp_path, URL, exchange)
        publisher.start()
        source.flush(publisher, 10)
        await until(lambda: publisher.report.state == "away", "it is refused")
        assert "PRECONDITION_FAILED" in publisher.health()["last_error"]
        await publisher.close()
        assert publisher.outbox.waiting == 10
        await channel.exchange_delete(exchange)
        await connection.close()

    play(work())


# ── Ends ──────────────────────────────────────────────────────────────────────────────────────


def test_a_sender_that_is_killed_is_replaced_and_nothing_is_lost(tmp_path: Path, listener: Listener) -> None:
    source = Source()

    async def work() -> None:
        publisher = publisher_of(tmp_path, URL, listener.exchange)
        publisher.start()
        for number in range(1, 4):
            await until(lambda: publisher.report.state == "connected", "it is connected")
            source.flush(publisher, 1200)
            assert publisher.sender is not None
            publisher.sender.kill()
            await until(lambda number=number: publisher.starts > number, "another is started")
        await until(heard_all(listener, source), "all arrive")
        await publisher.close()

    play(work())
    assert ids(listener) == source.made


def test_what_is_left_at_the_end_is_sent_by_the_next_under_the_same_ids(
    tmp_path: Path, listener: Listener, wire: Wire
) -> None:
    source = Source()

    async def work() -> None:
        first = publisher_of(tmp_path, wire.url, listener.exchange)
        first.start()
        source.flush(first, 500)
        await until(lambda: not first.outbox.waiting, "the first are confirmed")
        await asyncio.to_thread(wire.cut)
        source.flush(first, 1500)
        await first.close()
        assert first.outbox.waiting == 1500
        await asyncio.to_thread(wire.restore)
        second = publisher_of(tmp_path, wire.url, listener.exchange, committed=first.outbox.last)
        assert second.outbox.waiting == 1500
        second.start()
        source.flush(second, 200)
        await until(heard_all(listener, source), "all arrive")
        await second.close()
        assert second.outbox.waiting == 0

    play(work())
    assert ids(listener) == source.made
    assert len(listener.heard) == 2200  # none of them twice: the mark was exact


def test_a_sender_whose_collector_is_gone_ends_by_itself(tmp_path: Path, listener: Listener) -> None:
    async def work() -> None:
        publisher = publisher_of(tmp_path, URL, listener.exchange)
        publisher.start()
        await until(lambda: publisher.report.state == "connected", "it is connected")
        process = publisher.sender
        assert process is not None and process.stdin is not None
        process.stdin.close()  # as the system does when the collector dies
        assert await asyncio.wait_for(process.wait(), 20) == 0
        await publisher.close()

    play(work())


# ── What cannot be ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "http://u:secret@127.0.0.1/"}, "not one of AMQP"),
        ({"url": "amqp:///"}, "not one of AMQP"),
        ({"url": "amqp://u:secret@127.0.0.1:port/"}, "not one of AMQP"),
        ({"url": "amqp://u:secret@[127.0.0.1/"}, "not one of AMQP"),
        ({"exchange": ""}, "name of an exchange"),
        ({"exchange": "amq.topic"}, "name of an exchange"),
        ({"exchange": "x" * 128}, "name of an exchange"),
        ({"streams": ("trades", "rumours")}, "'rumours'"),
    ],
)
def test_what_cannot_be_is_told_in_one_line_without_the_password(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said) as raised:
        Publishing(**{"url": URL, **wrong})
    assert "secret" not in raised.value.message + raised.value.hint
    assert raised.value.hint

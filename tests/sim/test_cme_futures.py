"""The simulated sources of CME's figures as our own decoder reads them: by hand, and through the feed."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from orderflow.feed.live import Feed, Inbox, live
from orderflow.jobs.pipeline import Pipeline
from orderflow.market.events import (
    MS,
    SECOND,
    BookTop,
    Candle,
    Event,
    Gap,
    Ignored,
    OpenInterest,
    Ticker,
)
from orderflow.market.streams import KEPT
from orderflow.sim import Simulation
from orderflow.sim.cme_futures import CME_FUTURES as FORM
from orderflow.sim.cme_futures import DELAY_MS
from orderflow.sim.market import Market
from orderflow.sim.protocol import Question, Refusal
from orderflow.store.live import Live
from orderflow.venues.cme_futures import CME_FUTURES as CME
from orderflow.venues.cme_futures import with_chart
from orderflow.venues.spec import Hosts, answer

NAME = CME.name
START_MS = 1_795_132_800_000  # Friday 20 November 2026, 00:00 UTC


def asked(name: str, now_ms: int, market: Market, **params: str) -> list[Event]:
    ours = CME.endpoint(name)
    endpoint = next(one for one in FORM.endpoints if one.path.endswith(ours.path))
    said = ours.params | params
    body = endpoint.answer(Question(NAME, {market.symbol: market}, FORM.place, said, now_ms))
    url = f"https://host.example{ours.path.format(**said)}?interval={said.get('interval', '')}"
    return list(answer(CME, url, json.dumps(body).encode(), now_ms * MS))


def test_a_report_is_published_on_friday_evening() -> None:
    market = Market("BTCUSDT", {NAME: FORM.place}, seed=7, rate=1.0, now_ms=START_MS)
    friday_evening = START_MS + (20 * 60 + 30) * 60_000
    for now_ms, tuesday in ((friday_evening - 1, 1_794_268_800), (friday_evening, 1_794_873_600)):
        found = asked("positions", now_ms, market)
        newest = found[-1]
        assert isinstance(newest, OpenInterest)
        # 10 and 17 November 2026
        assert (newest.symbol, newest.ts_event) == ("BTCUSDT", tuesday * SECOND)
        assert newest.contracts is not None and newest.size == newest.contracts * 5
        assert len(found) == (19 if now_ms < friday_evening else 20)


def test_the_chart_is_ten_minutes_late() -> None:
    market = Market("ETHUSDT", {NAME: FORM.place}, seed=7, rate=5.0, now_ms=START_MS)
    (nothing,) = asked("chart", START_MS + 1000, market, ticker="ETH=F", interval="1m")
    assert isinstance(nothing, Ignored)
    now_ms = START_MS
    for _ in range(1000):
        now_ms += 1000
        market.step(now_ms)
    found = asked("chart", now_ms, market, ticker="ETH=F", interval="1m")
    day = found[-1]
    assert isinstance(day, Ticker) and day.ts_event is not None
    assert now_ms * MS - day.ts_event >= DELAY_MS * MS
    bars = [one for one in found if isinstance(one, Candle)]
    theirs = [one for one in market.exchanges[NAME].candles.all() if one.trades]
    assert bars and all(one.closed for one in bars)
    assert (bars[0].open_ts, bars[0].close) == (theirs[0].open_ms * MS, theirs[0].close * 0.5)
    assert bars[0].volume == pytest.approx(theirs[0].lots * 0.01)
    with pytest.raises(Refusal) as caught:
        asked("chart", now_ms, market, ticker="BTCZ20.CME")
    assert CME.refusals.complaint(json.dumps(caught.value.body).encode()) is not None


class Sink:
    def __init__(self) -> None:
        self.rows: list[Event] = []

    def adders(self, venue: str) -> dict[type[Event], Callable[[Event], None]]:
        return dict.fromkeys((BookTop, *KEPT), self.rows.append)

    def gap(self, gap: Gap) -> None:
        raise AssertionError(gap)

    def no_gap(self, gap: Gap) -> None:
        raise AssertionError(gap)


def test_the_feed_asks_the_report_and_the_chart_that_was_asked_for() -> None:
    sink = Sink()
    venue = with_chart()
    quick = msgspec.structs.replace(
        venue, polls=tuple(msgspec.structs.replace(one, every_s=0.5) for one in venue.polls)
    )

    async def play() -> tuple[Pipeline, Any]:
        simulation = Simulation(("BTCUSDT", "ETHUSDT"), venues=(NAME,), rate=10.0)
        await simulation.start()
        feed = Feed(quick, ("BTCUSDT", "ETHUSDT"), Inbox(), hosts=Hosts(**simulation.hosts(NAME)))
        pipeline = Pipeline({NAME: quick}, sink, Live("simulated"))

        async def take() -> None:
            async for batch in live([feed]):
                pipeline.take(batch)

        taking = asyncio.create_task(take())
        try:
            async with asyncio.timeout(30):
                while len({one.symbol for one in sink.rows}) < 2 or not pipeline.tally.ignored:
                    await asyncio.sleep(0.02)
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            await simulation.stop()
        return pipeline, feed.health

    pipeline, health = asyncio.run(play())
    assert not pipeline.tally.unknown and health.refused == [] and health.connections == []
    assert {type(one) for one in sink.rows} == {OpenInterest}
    # so soon after its start the chart, ten minutes late, has nothing to tell
    assert set(pipeline.tally.ignored) == {"a chart without prices"}


def test_only_a_browser_gets_the_chart() -> None:
    assert FORM.refuses is not None
    refused = FORM.refuses({"user-agent": "crypto-orderflow"}, "/yahoo/v8/finance/chart/BTC=F")
    assert refused is not None and refused.status == 403
    assert FORM.refuses({"user-agent": with_chart().headers["User-Agent"]}, "/yahoo/x") is None
    assert FORM.refuses({}, "/resource/gpe5-46if.json") is None

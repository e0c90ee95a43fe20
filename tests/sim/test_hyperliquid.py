"""Simulated Hyperliquid, heard by our own feed and decoder; its words by hand."""

import asyncio
from contextlib import aclosing
from typing import Any

import msgspec

from orderflow.feed.inbox import Inbox
from orderflow.feed.live import Feed, live
from orderflow.feed.rest import Rest
from orderflow.market.errors import UnknownSymbol
from orderflow.market.events import (
    BookTop,
    BookUpdate,
    Candle,
    Funding,
    IndexPrice,
    Instrument,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.sim import FORMS, Simulation
from orderflow.sim.hyperliquid_wire import tid
from orderflow.sim.listings import Wording
from orderflow.sim.market import Market
from orderflow.venues import ALL
from orderflow.venues.spec import Hosts, Memory, answer
from tests.sim.heard import Heard, hear

VENUE = "hyperliquid_futures"
START_MS = 1_795_000_000_000
SYMBOLS = ("BTCUSDT", "WIFUSDT")
KINDS = (Quote, Trade, BookTop, MarkPrice, IndexPrice, Funding, OpenInterest, Ticker, Candle)


def test_every_stream_of_every_symbol_is_heard_and_understood() -> None:
    def enough(heard: Heard) -> bool:
        return all({one.symbol for one in heard.of(kind)} == {*SYMBOLS} for kind in KINDS)

    heard = hear(VENUE, SYMBOLS, enough)
    assert heard.pipeline.tally.unknown == {}
    assert heard.gaps == []
    (connection,) = heard.feed.health.connections
    assert connection.failed == []
    assert heard.pipeline.tally.ignored["about the connection: ack"] == 10
    assert heard.pipeline.tally.ignored["about the connection: pong"] >= 1  # the greeting
    rate = heard.of(Funding)[-1]
    assert rate.interval_hours == 1.0
    marked = heard.simulation.markets[rate.symbol].perpetuals[VENUE].marked
    assert rate.next_ts == marked.next_funding_ms * 1_000_000
    assert {one.native for one in heard.of(Instrument) if not one.trading} == {"FTM"}


def test_the_trades_heard_are_those_of_the_tape_each_once() -> None:
    heard = hear(VENUE, ["BTCUSDT"], lambda heard: len(heard.of(Trade)) > 200)
    exchange = heard.simulation.markets["BTCUSDT"].exchanges[VENUE]
    rows = {
        str(tid(row.id)): row for row in exchange.fills.rows(exchange.fills.first_id, len(exchange.fills))
    }
    words = Wording(exchange.listing)
    trades = heard.of(Trade)
    assert len({one.id for one in trades}) == len(trades)
    for one in trades:
        row = rows[str(one.id)]
        told = (float(words.price(row.price)), float(words.size(row.lots)), row.taker_sells)
        assert (one.price, one.size, one.is_buyer_maker, one.ts_event) == (*told, row.ts * 1_000_000)


class Hand:
    """One coin by hand, without a socket and without a clock."""

    def __init__(self) -> None:
        self.form, self.memory = FORMS[VENUE], Memory()
        self.market = Market("BTCUSDT", {VENUE: self.form.place}, seed=7, rate=100.0, now_ms=START_MS)
        self.streams = self.form.streams(VENUE, self.market)
        self.now_ms = START_MS

    def run(self, stream: str, seconds: float) -> list[Any]:
        found: list[Any] = []
        for _ in range(int(seconds * 50)):
            self.now_ms += 20
            happenings = self.market.step(self.now_ms)[VENUE]
            for frame in self.streams.frames(happenings, self.now_ms, {stream}):
                found += ALL[VENUE].decode(frame.payload, self.now_ms * 1_000_000, self.memory)
        return found


def test_each_book_is_the_twenty_best_levels_of_the_market() -> None:
    hand = Hand()
    exchange = hand.market.exchanges[VENUE]
    words = Wording(exchange.listing)
    seen = 0
    for _ in range(200):
        for update in hand.run("l2Book:BTC", 0.02):
            seen += 1
            assert isinstance(update, BookUpdate) and update.ts_event == hand.now_ms * 1_000_000
            for told, side in zip((update.bids, update.asks), exchange.book.top(20), strict=True):
                assert told == [(float(words.price(tick)), float(words.size(lots))) for tick, lots in side]
    assert 6 <= seen <= 8  # four seconds, a book about every 550 ms


def test_a_bar_is_closed_with_what_the_exchange_says_of_its_minute() -> None:
    hand = Hand()
    closed = [one for one in hand.run("candle:1m:BTC", 150) if isinstance(one, Candle) and one.closed]
    exchange = hand.market.exchanges[VENUE]
    words = Wording(exchange.listing)
    bars = {one.open_ms * 1_000_000: one for one in exchange.candles.closed}
    assert len(closed) == 3  # it begins 20 s before a full minute and ends 130 s after it
    for one in closed:
        bar = bars[one.open_ts]
        assert (one.close, one.volume, one.trade_count) == (
            float(words.price(bar.close)),
            float(words.size(bar.lots)),
            bar.trades,
        )


def test_what_can_be_asked_is_answered_in_words_that_our_decoder_reads() -> None:
    asked = {
        "instruments": {},
        "contexts": {},
        "mids": {},
        "depth": {"coin": "BTC"},
        "trades": {"coin": "BTC"},
        "candles": {"coin": "BTC", "interval": "1m", "startTime": 0},
        "funding_history": {"coin": "BTC", "startTime": 0},
        "predicted": {},
    }
    answers: dict[str, set[str]] = {}
    refused: list[str] = []

    async def then(heard: Heard) -> None:
        rest = Rest(ALL[VENUE], Hosts(**heard.simulation.hosts(VENUE)))
        for name, params in asked.items():
            frame = await rest.request(name, **params)
            found = answer(ALL[VENUE], frame.url, frame.payload, frame.ts_recv)
            answers[name] = {type(one).__name__ for one in found}
        try:
            await rest.request("depth", coin="NOPE")
        except UnknownSymbol as error:
            refused.append(error.message)
        await rest.close()

    hear(VENUE, ["BTCUSDT"], lambda heard: heard.of(Trade), then=then)
    contexts = {"MarkPrice", "IndexPrice", "Funding", "OpenInterest", "Ticker"}
    assert answers == {
        "instruments": {"Instrument", "RiskTier"},
        "contexts": {"Instrument", *contexts},
        "mids": {"LastPrice"},
        "depth": {"BookUpdate", "Quote"},
        "trades": {"Trade"},
        "candles": {"Candle"},
        "funding_history": {"Funding"},
        "predicted": {"Funding"},
    }
    assert len(refused) == 1 and "no such coin" in refused[0]


def test_a_coin_that_is_not_listed_is_refused_by_name_and_the_others_are_heard() -> None:
    venue = msgspec.structs.replace(ALL[VENUE], listing=None)

    async def story() -> Feed:
        simulation = Simulation(("BTCUSDT",), venues=(VENUE,))
        await simulation.start()
        inbox = Inbox()
        feed = Feed(venue, ["BTCUSDT", "DOGEUSDT"], inbox, hosts=Hosts(**simulation.hosts(VENUE)))
        async with aclosing(live([feed])) as batches:
            async for _ in batches:
                if any(one.state == "connected" for one in feed.health.connections):
                    break
        await simulation.stop()
        return feed

    (connection,) = asyncio.run(story()).health.connections
    assert connection.failed == [
        "activeAssetCtx:DOGE",
        "bbo:DOGE",
        "candle:1m:DOGE",
        "l2Book:DOGE",
        "trades:DOGE",
    ]

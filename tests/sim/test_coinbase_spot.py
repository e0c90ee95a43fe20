"""The simulated Coinbase as our own decoder hears it: by hand, and over real sockets through the feed."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
import pytest

from orderflow.feed.live import Feed, Inbox, live
from orderflow.feed.sync import Sync
from orderflow.jobs.pipeline import Pipeline
from orderflow.market.events import (
    MS,
    BookTop,
    BookUpdate,
    Candle,
    Control,
    Event,
    Gap,
    Instrument,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.streams import KEPT
from orderflow.sim import Simulation
from orderflow.sim.coinbase_spot import COINBASE_SPOT as FORM
from orderflow.sim.coinbase_spot import stamp
from orderflow.sim.connections import Connection
from orderflow.sim.market import Market
from orderflow.sim.protocol import Frame, Question
from orderflow.store.live import Live
from orderflow.venues.coinbase_spot import COINBASE_SPOT as COINBASE
from orderflow.venues.spec import Hosts, Memory, answer

START_MS = 1_795_000_000_000
NAME = COINBASE.name


# ── By hand ───────────────────────────────────────────────────────────────────────────────────


class Venue:
    """One coin, driven by hand."""

    def __init__(self, symbol: str = "BTCUSDT") -> None:
        self.market = Market(symbol, {NAME: FORM.place}, seed=7, rate=100.0, now_ms=START_MS)
        self.exchange = self.market.exchanges[NAME]
        self.streams = FORM.streams(NAME, self.market)
        self.now_ms = START_MS
        self.product = FORM.place.listings[symbol].native

    def run(self, wanted: Collection[str], seconds: float) -> list[Frame]:
        frames: list[Frame] = []
        for _ in range(int(seconds * 50)):
            self.now_ms += 20
            happenings = self.market.step(self.now_ms)[NAME]
            frames += self.streams.frames(happenings, self.now_ms, wanted)
        return frames

    def open(self, stream: str) -> list[Frame]:
        return list(self.streams.opening(stream, self.now_ms).frames)

    def ask(self, name: str, **params: str) -> list[Event]:
        """Ask an endpoint of the simulation by our own form and decode what it says."""
        ours = COINBASE.endpoint(name)
        base = f"/{ours.host}" if ours.host else ""
        endpoint = next(one for one in FORM.endpoints if one.path == base + ours.path)
        asked = ours.params | params
        said = endpoint.answer(
            Question(NAME, {self.market.symbol: self.market}, FORM.place, asked, self.now_ms)
        )
        query = "&".join(f"{name}={text}" for name, text in asked.items())
        url = f"https://host.example{ours.path.format(**asked)}?{query}"
        return list(answer(COINBASE, url, json.dumps(said).encode(), self.now_ms * MS))


def decoded(frames: Sequence[Frame]) -> list[Event]:
    memory = Memory()
    return [
        event
        for number, one in enumerate(frames)
        for event in COINBASE.decode(stamp(one.payload, number), 1, memory)
    ]


@pytest.mark.parametrize("channel", ["advanced/level2", "exchange/level2_batch"])
@pytest.mark.parametrize("symbol", ["BTCUSDT", "PNUTUSDT"])
def test_a_snapshot_and_the_changes_after_it_are_the_book_of_the_simulation(
    symbol: str, channel: str
) -> None:
    venue = Venue(symbol)
    stream = f"{channel}:{venue.product}"
    venue.run([stream], 0.5)
    venue.streams.opening(stream, venue.now_ms)
    frames = venue.open(stream) + venue.run([stream], 5)
    updates = [one for one in decoded(frames) if isinstance(one, BookUpdate)]
    assert updates[0].snapshot and updates[0].replaces and len(updates) > 50
    sync = Sync(COINBASE)
    for one in updates:
        sync.book(one)
    assert not sync.changed
    (kept,) = [msgspec.msgpack.decode(frame.payload) for frame in sync.keep(0)]
    listing, book = FORM.place.listings[symbol], venue.exchange.book
    gathered = venue.streams.opening(stream, venue.now_ms).closing
    for event in decoded(gathered):
        assert isinstance(event, BookUpdate)
        sync.book(event)
        (kept,) = [msgspec.msgpack.decode(frame.payload) for frame in sync.keep(0)]
    for mine, theirs in ((kept["bids"], book.bids), (kept["asks"], book.asks)):
        found = {round(price / listing.tick_size): round(size / listing.lot_size) for price, size in mine}
        assert found == theirs


@pytest.mark.parametrize("channel", ["exchange/matches", "advanced/market_trades"])
def test_trades_of_both_feeds_run_on_with_the_takers_side(channel: str) -> None:
    venue = Venue()
    stream = f"{channel}:{venue.product}"
    venue.run([stream], 3)
    frames = venue.open(stream) + venue.run([stream], 20)
    trades = {one.id: one for one in decoded(frames) if isinstance(one, Trade)}
    assert sorted(trades) == list(range(min(map(int, trades)), max(map(int, trades)) + 1))
    assert len(trades) > 300
    for row in venue.exchange.fills.rows(int(min(map(int, trades))), len(trades)):
        assert (trades[row.id].side == "sell") == row.taker_sells
        assert trades[row.id].size == pytest.approx(row.lots * 1e-5)


def test_tickers_and_candles_say_what_the_market_did() -> None:
    venue = Venue()
    wanted = [f"{one}:{venue.product}" for one in ("exchange/ticker", "advanced/candles")]
    bars = decoded(venue.open(wanted[1]))
    assert all(isinstance(one, Candle) and one.interval == "5m" for one in bars)
    frames = venue.run(wanted, 400)
    found = decoded(frames)
    quotes = [one for one in found if isinstance(one, Quote)]
    assert all(one.bid is not None and one.ask is not None and one.bid < one.ask for one in quotes)
    assert quotes[-1].sequence == venue.exchange.candles.last_fill.id * 10  # type: ignore[union-attr]
    days = [one for one in found if isinstance(one, Ticker)]
    assert len(days) == len(quotes)
    closed = [one for one in found if isinstance(one, Candle) and one.closed]
    assert len(closed) == sum(row[2] for frame in frames for row in frame.told if row[1] == "candles") > 0


def test_what_rest_says_is_read_by_our_decoder() -> None:
    venue = Venue()
    venue.run([], 130)
    product = venue.product
    for name in ("instruments", "advanced_products", "instrument", "advanced_product"):
        one, *_ = venue.ask(name, product_id=product)
        assert isinstance(one, Instrument)
        assert (one.native, one.symbol, one.tick, one.trading) == (product, "BTCUSDT", 0.01, True)
    for name in ("time", "advanced_time"):
        (clock,) = venue.ask(name)
        assert isinstance(clock, Control) and clock.ts_event == venue.now_ms * MS
    quote, day, _ = venue.ask("ticker", product_id=product)
    assert isinstance(quote, Quote) and isinstance(day, Ticker)
    assert quote.bid == venue.exchange.book.best_bid / 100
    (stats,) = venue.ask("stats", product_id=product)
    assert isinstance(stats, Ticker) and stats.volume == day.volume
    for name in ("depth", "advanced_depth"):
        (book,) = venue.ask(name, product_id=product)
        assert isinstance(book, BookUpdate) and book.depth is not None
        assert book.bids[0][0] == quote.bid
    plain = [one for one in venue.ask("trades", product_id=product) if isinstance(one, Trade)]
    further = [one for one in venue.ask("advanced_trades", product_id=product) if isinstance(one, Trade)]
    assert [(one.id, one.side) for one in plain] == [(one.id, one.side) for one in further]
    bars = [one for one in venue.ask("candles", product_id=product) if isinstance(one, Candle)]
    now_s = venue.now_ms // 1000
    others = venue.ask("advanced_candles", product_id=product, start=str(now_s - 300 * 60), end=str(now_s))
    assert [one.close for one in others if isinstance(one, Candle)] == [one.close for one in bars]
    assert [one.closed for one in bars][-2:] == [True, False]


class Told(Connection):
    """A connection of which only the subscriptions are there."""

    def __init__(self, route: str, *carried: str) -> None:
        self._route, self._carried, self._streams = route, set(carried), {}

    @property
    def route(self) -> str | None:
        return self._route

    @property
    def now_ms(self) -> int:
        return START_MS

    def carries(self, stream: str) -> bool:
        return stream in self._carried

    def subscribe(self, streams: Sequence[str]) -> None:
        self._streams |= dict.fromkeys(streams)

    def unsubscribe(self, streams: Sequence[str]) -> None:
        for one in streams:
            self._streams.pop(one, None)


@pytest.mark.parametrize("route", ["exchange", "advanced"])
def test_every_answer_of_the_control_protocol_is_understood(route: str) -> None:
    ticker = f"{route}/ticker:BTC-USD"
    session, memory = Told(route, ticker), Memory()

    def answers(text: bytes) -> Control:
        (said,) = FORM.control(session, text.decode(), FORM.limits)
        (found,) = COINBASE.decode(said, 1, memory)
        assert isinstance(found, Control)
        return found

    assert answers(COINBASE.subscribe([ticker], 1)).names == (ticker,)
    assert answers(COINBASE.unsubscribe([ticker], 1)).names == (ticker,)
    assert session.subscribed == []
    refused = answers(COINBASE.subscribe([f"{route}/ticker:NOPE-USD"], 1))
    assert (refused.kind, refused.message) == (
        "refused",
        "Failed to subscribe: NOPE-USD is not a valid product",
    )
    assert answers(b"what").kind == "refused"


# ── Over real sockets ─────────────────────────────────────────────────────────────────────────


class Sink:
    """Counts what would be stored, and keeps the gaps."""

    def __init__(self) -> None:
        self.rows: Counter[tuple[str, str]] = Counter()
        self.gaps: list[Gap] = []

    def adders(self, venue: str) -> dict[type[Event], Callable[[Event], None]]:
        return dict.fromkeys((BookTop, *KEPT), self._add)

    def _add(self, event: Event) -> None:
        self.rows[type(event).__name__, event.symbol] += 1

    def gap(self, gap: Gap) -> None:
        self.gaps = [one for one in self.gaps if one.identity != gap.identity] + [gap]

    def no_gap(self, gap: Gap) -> None:
        self.gaps = [one for one in self.gaps if one.identity != gap.identity]


SYMBOLS = ("BTCUSDT", "PNUTUSDT")
STEADY = ("Quote", "BookTop", "Trade", "Ticker", "Candle")


async def until(done: Callable[[], bool]) -> None:
    while not done():
        await asyncio.sleep(0.02)


def test_the_feed_collects_every_stream_and_a_lost_message_of_each_feed_is_a_gap() -> None:
    sink = Sink()
    simulation = Simulation(SYMBOLS, venues=(NAME,), rate=30.0)

    async def scene(feed: Feed) -> None:
        wanted = {(kind, symbol) for kind in STEADY for symbol in SYMBOLS}
        await until(lambda: wanted <= sink.rows.keys())
        assert feed.health.refused == [] and feed.health.clock_offset_ms is not None
        assert [one.failed for one in feed.health.connections] == [[], []]
        assert sink.gaps == []
        simulation.faults.drop(NAME, "advanced/level2:BTC-USD")
        simulation.faults.drop(NAME, "exchange/matches:PNUT-USD")
        lost = ("orderbooks", "trades")
        await until(
            lambda: all(any(one.stream == each and one.until_ts for one in sink.gaps) for each in lost)
        )
        await until(lambda: not any(one.until_ts is None for one in sink.gaps if one.stream in lost))
        simulation.faults.disconnect(NAME)
        await until(lambda: all(one.reconnects == 1 for one in feed.health.connections))
        await until(lambda: all(one.state == "connected" for one in feed.health.connections))
        await until(lambda: not any(one.until_ts is None for one in sink.gaps))

    async def play() -> Pipeline:
        await simulation.start()
        quick = msgspec.structs.replace(COINBASE, snapshot_interval_s=0.2)
        feed = Feed(quick, SYMBOLS, Inbox(), hosts=Hosts(**simulation.hosts(NAME)))
        pipeline = Pipeline(
            {NAME: quick},
            sink,
            Live("simulated"),
            want_snapshot=lambda venue, symbol: feed.request_snapshot(symbol),
        )

        async def take() -> None:
            async for batch in live([feed]):
                pipeline.take(batch)

        taking = asyncio.create_task(take())
        try:
            async with asyncio.timeout(60):
                await scene(feed)
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            await simulation.stop()
        return pipeline

    pipeline = asyncio.run(play())
    assert not pipeline.tally.unknown
    lost = {(one.stream, one.symbol) for one in sink.gaps if one.reason.startswith("sequence")}
    # the number is the connection's: which of its messages was lost is not told
    assert lost >= {("orderbooks", "BTCUSDT"), ("orderbooks", "PNUTUSDT"), ("trades", "PNUTUSDT")}
    assert ("trades", "BTCUSDT") not in lost


def test_a_request_without_a_user_agent_is_refused() -> None:
    assert FORM.refuses is not None
    refused: Any = FORM.refuses({}, "/products")
    assert refused.status == 400
    assert FORM.refuses({"user-agent": "someone"}, "/products") is None

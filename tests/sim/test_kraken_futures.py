"""The simulated Kraken Futures as our own decoder hears it: by hand, and over real sockets through the feed."""

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
    Funding,
    Gap,
    Ignored,
    Instrument,
    Liquidation,
    OpenInterest,
    Quote,
    Trade,
)
from orderflow.market.facts import VenueStatus
from orderflow.market.streams import KEPT
from orderflow.sim import Simulation
from orderflow.sim.connections import Connection
from orderflow.sim.kraken_futures import KRAKEN_FUTURES as FORM
from orderflow.sim.market import Market
from orderflow.sim.protocol import Frame, Question
from orderflow.store.live import Live
from orderflow.venues.kraken_futures import KRAKEN_FUTURES as KRAKEN
from orderflow.venues.spec import Hosts, Memory, answer

START_MS = 1_795_000_000_000
NAME = KRAKEN.name
HOST = "https://futures.kraken.com"


# ── By hand ───────────────────────────────────────────────────────────────────────────────────


class Venue:
    """One coin, driven by hand."""

    def __init__(self, symbol: str = "BTCUSDT", rate: float = 100.0, seed: int = 7) -> None:
        self.market = Market(symbol, {NAME: FORM.place}, seed=seed, rate=rate, now_ms=START_MS)
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

    def ask(self, path: str, **params: str) -> list[Event]:
        """Ask an endpoint of the simulation by our own path and decode what it says."""
        said = self.body(path, **params)
        url = HOST + path.format(**params) + "?" + "&".join(f"{name}={text}" for name, text in params.items())
        return list(answer(KRAKEN, url, json.dumps(said).encode(), self.now_ms * MS))

    def body(self, path: str, **params: str) -> Any:
        endpoint = next(one for one in FORM.endpoints if one.path == path)
        markets = {self.market.symbol: self.market}
        return endpoint.answer(Question(NAME, markets, FORM.place, params, self.now_ms))

    def levels(self) -> tuple[dict[float, float], dict[float, float]]:
        """Both sides of the simulation's own book as numbers."""
        listing, book = FORM.place.listings[self.market.symbol], self.market.exchanges[NAME].book
        return (
            {round(tick * listing.tick_size, 9): lots for tick, lots in book.bids.items()},
            {round(tick * listing.tick_size, 9): lots for tick, lots in book.asks.items()},
        )


def decoded(frames: Sequence[Frame]) -> list[Event]:
    memory = Memory()
    return [event for one in frames for event in KRAKEN.decode(one.payload, 1, memory)]


@pytest.mark.parametrize("symbol", ["BTCUSDT", "BRETTUSDT"])
def test_a_snapshot_and_the_levels_after_it_are_the_book_of_the_simulation(symbol: str) -> None:
    venue = Venue(symbol)
    stream = f"book:{venue.product}"
    venue.run([stream], 0.5)
    frames = venue.open(stream) + venue.run([stream], 5)
    updates = [one for one in decoded(frames) if isinstance(one, BookUpdate)]
    assert updates[0].snapshot and updates[0].replaces and len(updates) > 500
    assert b'"qty":0.0}' in frames[0].payload  # a level of size 0, which is none
    sync = Sync(KRAKEN)
    for one in updates:
        sync.book(one)
    assert not sync.changed
    (kept,) = [msgspec.msgpack.decode(frame.payload) for frame in sync.keep(0)]
    lot = FORM.place.listings[symbol].lot_size
    bids, asks = venue.levels()
    for mine, theirs in ((kept["bids"], bids), (kept["asks"], asks)):
        assert {round(price, 9): round(size / lot) for price, size in mine} == theirs


def test_trades_run_on_from_the_backlog_and_forced_ones_say_so() -> None:
    venue = Venue(rate=200.0)
    stream = f"trade:{venue.product}"
    venue.run([stream], 3)
    opening = venue.open(stream)
    assert opening[0].tape is not None and opening[0].count == 100
    trades = [one for one in decoded(opening + venue.run([stream], 90)) if isinstance(one, Trade)]
    numbers = [one.sequence for one in trades]
    assert numbers == list(range(trades[0].sequence or 0, (trades[-1].sequence or 0) + 1))
    assert len({one.id for one in trades}) == len(trades) > 1000


def test_each_liquidation_of_the_simulation_is_told_with_its_side_and_size() -> None:
    venue = Venue(rate=200.0)
    stream = f"trade:{venue.product}"
    forced: Counter[str] = Counter()
    frames: list[Frame] = []
    for _ in range(6000):
        venue.now_ms += 20
        happenings = venue.market.step(venue.now_ms)[NAME]
        for one in happenings:
            if type(one).__name__ == "Liquidated":
                forced["long" if one.sells else "short"] += one.filled_lots  # type: ignore[union-attr]
        frames += venue.streams.frames(happenings, venue.now_ms, [stream])
    assert forced
    lot = FORM.place.listings["BTCUSDT"].lot_size
    told = [one for one in decoded(frames) if isinstance(one, Liquidation)]
    sizes: Counter[str] = Counter()
    for one in told:
        sizes[one.side] += round(one.size / lot)
    assert set(sizes) == set(forced)
    # what met retail orders that the book does not show comes on top
    assert all(sizes[side] >= lots for side, lots in forced.items())
    assert sum(row[2] for frame in frames for row in frame.told if row[1] == "liquidations") == len(told)


def test_a_ticker_tells_the_hours_rate_and_the_estimate_of_the_next() -> None:
    venue = Venue()
    frames = venue.run([f"ticker:{venue.product}"], 3)
    assert len(frames) == 3
    found = decoded(frames[-1:])
    rate = next(one for one in found if isinstance(one, Funding))
    perpetual = venue.market.perpetuals[NAME]
    assert rate.rate == perpetual.settlements[-1].rate
    assert rate.predicted == perpetual.marked.funding
    assert rate.interval_hours == 1.0
    assert rate.next_ts == perpetual.marked.next_funding_ms * MS
    assert perpetual.marked.next_funding_ms - perpetual.settlements[-1].ts == 3_600_000
    interest = next(one for one in found if isinstance(one, OpenInterest))
    assert interest.size == pytest.approx(perpetual.open_lots * 0.0001)
    assert {kind for _, kind, _ in frames[-1].told} == {
        *("prices", "mark_prices", "index_prices", "funding_rates", "open_interest", "ticker_24h")
    }
    (lite,) = decoded(venue.run([f"ticker_lite:{venue.product}"], 1))
    assert isinstance(lite, Quote) and lite.bid is not None and lite.bid_size is None


def test_what_rest_says_is_read_by_our_decoder() -> None:
    venue = Venue()
    product = venue.product
    venue.run([], 130)
    listed = [one for one in venue.ask("/derivatives/api/v3/instruments") if isinstance(one, Instrument)]
    assert {one.symbol: one.native for one in listed} == {"BTCUSDT": "PF_XBTUSD", "PI_XBTUSD": "PI_XBTUSD"}
    assert (listed[0].tick, listed[0].lot, listed[0].base) == (1.0, 0.0001, "BTC")
    clock, status = venue.ask("/derivatives/api/v3/instruments/status")
    assert isinstance(clock, Control) and clock.ts_event == venue.now_ms * MS
    assert isinstance(status, VenueStatus) and status.status == "online"  # and no product is in trouble
    perpetual = venue.market.perpetuals[NAME]
    for path in ("/derivatives/api/v3/tickers", "/derivatives/api/v3/tickers/{symbol}"):
        rate = next(one for one in venue.ask(path, symbol=product) if isinstance(one, Funding))
        assert rate.rate == pytest.approx(perpetual.settlements[-1].rate)  # the amount over the index
    (book,) = venue.ask("/derivatives/api/v3/orderbook", symbol=product)
    assert isinstance(book, BookUpdate) and book.depth is not None and book.last_id is None
    assert {round(price, 9) for price, _ in book.bids} == set(venue.levels()[0])
    trades = [
        one for one in venue.ask("/derivatives/api/v3/history", symbol=product) if isinstance(one, Trade)
    ]
    backlog = [one for one in decoded(venue.open(f"trade:{product}")) if isinstance(one, Trade)]
    assert [one.id for one in trades] == [one.id for one in backlog] and len(trades) == 100
    for path in (
        "/derivatives/api/v3/historical-funding-rates",
        "/derivatives/api/v4/historicalfundingrates",
    ):
        rates = [one for one in venue.ask(path, symbol=product) if isinstance(one, Funding)]
        assert [one.rate for one in rates] == [one.rate for one in perpetual.settlements]
    candles = "/api/charts/v1/{tick_type}/{symbol}/{resolution}"
    bars = venue.ask(candles, symbol=product, tick_type="trade", resolution="1m", count="2")
    assert [one.closed for one in bars if isinstance(one, Candle)] == [True, False]
    whole = venue.market.exchanges[NAME].candles.closed[-1]
    first = bars[0]
    assert isinstance(first, Candle)
    assert (first.open, first.close, first.volume) == (
        whole.open,
        whole.close,
        pytest.approx(whole.lots * 1e-4),
    )


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("/derivatives/api/v3/orderbook", {}, "requiredArgumentMissing"),
        ("/derivatives/api/v3/history", {"symbol": "PF_NOPEUSD"}, "contractNotFound"),
        (
            "/api/charts/v1/{tick_type}/{symbol}/{resolution}",
            {"symbol": "PF_XBTUSD", "tick_type": "trade", "resolution": "2m"},
            "invalidArgument",
        ),
    ],
    ids=["unnamed", "unknown", "resolution"],
)
def test_what_is_wrong_with_a_request_is_said_under_status_200(
    path: str, params: dict[str, str], code: str
) -> None:
    with pytest.raises(Exception, match=code) as caught:
        Venue().body(path, **params)
    assert caught.value.status == 200  # type: ignore[attr-defined]
    body = json.dumps(caught.value.body).encode()  # type: ignore[attr-defined]
    complaint = KRAKEN.refusals.complaint(body)
    assert complaint is not None and complaint[0] == code
    (left,) = answer(KRAKEN, HOST + path.format(**params), body, 1)
    assert isinstance(left, Ignored) and left.reason == f"an error answer: {code}"


class Told(Connection):
    """A connection of which only the subscriptions are there."""

    def __init__(self, *carried: str) -> None:
        self._carried, self._streams = set(carried), {}

    def carries(self, stream: str) -> bool:
        return stream in self._carried

    def subscribe(self, streams: Sequence[str]) -> None:
        self._streams |= dict.fromkeys(streams)

    def unsubscribe(self, streams: Sequence[str]) -> None:
        for one in streams:
            self._streams.pop(one, None)


def answers(session: Told, text: bytes) -> list[Event]:
    return [
        event
        for said in FORM.control(session, text.decode(), FORM.limits)
        for event in KRAKEN.decode(said, 1, Memory())
    ]


def test_every_answer_of_the_control_protocol_is_understood() -> None:
    session = Told("book:PF_XBTUSD", "book:PF_ETHUSD")
    asked = KRAKEN.subscribe(["book:PF_XBTUSD", "book:PF_ETHUSD"], 1)
    kinds = [(one.kind, one.names) for one in answers(session, asked) if isinstance(one, Control)]
    assert kinds == [("ack", ("book:PF_XBTUSD",)), ("ack", ("book:PF_ETHUSD",))]
    assert session.subscribed == ["book:PF_XBTUSD", "book:PF_ETHUSD"]
    again = answers(session, KRAKEN.subscribe(["book:PF_XBTUSD"], 2))
    assert [one.kind for one in again if isinstance(one, Control)] == ["pong", "ack"]
    gone = answers(session, KRAKEN.unsubscribe(["book:PF_ETHUSD"], 3))
    assert [one.kind for one in gone if isinstance(one, Control)] == ["ack"]
    assert session.subscribed == ["book:PF_XBTUSD"]
    for wrong, message in (
        (KRAKEN.subscribe(["book:PF_NOPEUSD"], 4), "Invalid product id"),
        (KRAKEN.subscribe(["candles:PF_XBTUSD"], 4), "Invalid feed"),
        (b"subscribe", "Json Error"),
    ):
        (refused,) = answers(session, wrong)
        assert isinstance(refused, Control)
        assert (refused.kind, refused.message) == ("refused", message)


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


SYMBOLS = ("BTCUSDT", "BRETTUSDT")
STEADY = (
    "Quote",
    "BookTop",
    "Trade",
    "MarkPrice",
    "IndexPrice",
    "Funding",
    "OpenInterest",
    "Ticker",
    "Candle",
)


async def collect(simulation: Simulation, sink: Sink, scene: Callable[[Feed, Pipeline], Any]) -> Pipeline:
    """Run the feed and the pipeline until the scene is over."""
    quick = msgspec.structs.replace(
        KRAKEN,
        snapshot_interval_s=0.2,
        polls=tuple(msgspec.structs.replace(one, every_s=0.5) for one in KRAKEN.polls),
    )
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
            await scene(feed, pipeline)
    finally:
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
    return pipeline


async def until(done: Callable[[], bool]) -> None:
    while not done():
        await asyncio.sleep(0.02)


def test_the_feed_collects_every_stream_and_a_lost_diff_brings_a_new_snapshot() -> None:
    sink = Sink()

    async def scene(feed: Feed, pipeline: Pipeline) -> None:
        wanted = {(kind, symbol) for kind in STEADY for symbol in SYMBOLS}
        await until(lambda: wanted <= sink.rows.keys())
        assert feed.health.refused == [] and feed.health.clock_offset_ms is not None
        (connection,) = feed.health.connections
        assert connection.failed == []
        assert sink.gaps == []
        simulation.faults.drop(NAME, "book:PF_XBTUSD")
        await until(lambda: any(one.stream == "orderbooks" and one.until_ts for one in sink.gaps))
        simulation.faults.disconnect(NAME)
        await until(lambda: connection.reconnects == 1 and connection.state == "connected")
        tops = sink.rows["BookTop", "BRETTUSDT"]
        await until(lambda: sink.rows["BookTop", "BRETTUSDT"] > tops)
        await until(lambda: not any(one.until_ts is None for one in sink.gaps))

    async def play() -> Pipeline:
        nonlocal simulation
        await simulation.start()
        try:
            return await collect(simulation, sink, scene)
        finally:
            await simulation.stop()

    simulation = Simulation(SYMBOLS, venues=(NAME,), rate=30.0)
    pipeline = asyncio.run(play())
    assert not pipeline.tally.unknown
    # the listing is no row of any table; of what it tells, the margins are what is named
    listing = "answers a question, and is not stored: RiskTier"
    known = {"about the connection: pong", "about the connection: ack", listing}
    assert set(pipeline.tally.ignored) <= known and pipeline.tally.ignored[listing] == 1
    lost = [one for one in sink.gaps if one.reason.startswith("sequence")]
    assert [(one.stream, one.symbol) for one in lost] == [("orderbooks", "BTCUSDT")]
    # the trades of the short outage came with the backlog of the next subscription
    assert not [one for one in sink.gaps if one.stream == "trades"]

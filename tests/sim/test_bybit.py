"""Simulated Bybit: what it says is what our own decoder reads, and leads to the book that it has."""

import asyncio
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderflow import venues
from orderflow.feed.book import OrderBook
from orderflow.feed.feed import Feed
from orderflow.feed.inbox import Inbox
from orderflow.feed.sync import Sync
from orderflow.jobs.pipeline import Pipeline
from orderflow.market.events import (
    BookTop,
    BookUpdate,
    Candle,
    Control,
    Event,
    Funding,
    FundingInterval,
    Gap,
    IndexPrice,
    Instrument,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.streams import KEPT
from orderflow.sim.connections import Connection, Hub
from orderflow.sim.exchange import Exchange
from orderflow.sim.market import Market
from orderflow.sim.protocol import Frame, Question, Refusal
from orderflow.sim.protocols import FORMS
from orderflow.sim.server import Simulation
from orderflow.store.live import Live
from orderflow.venues.spec import Hosts, Memory, answer

START_MS = 1_795_000_000_000
FUTURES, SPOT = "bybit_futures", "bybit_spot"
BOTH = pytest.mark.parametrize("name", [FUTURES, SPOT])
CATEGORY = {FUTURES: "linear", SPOT: "spot"}
CHANNELS = ("orderbook.1", "orderbook.200", "publicTrade", "tickers", "kline.1", "allLiquidation")


class Played:
    """One coin on one market, driven by hand, and what our decoder makes of it."""

    def __init__(self, name: str, seed: int = 7, rate: float = 100.0, symbol: str = "BTCUSDT") -> None:
        self.venue, self.form, self.symbol = venues.ALL[name], FORMS[name], symbol
        self.market = Market(symbol, {name: self.form.place}, seed=seed, rate=rate, now_ms=START_MS)
        self.streams = self.form.streams(name, self.market)
        self.memory = Memory()
        self.now_ms = START_MS
        self.wanted: set[str] = set()
        self.frames: list[Frame] = []

    def open(self, *kinds: str) -> list[Event]:
        """Subscribe as a second client does: those who listen hear the closing, both hear the rest."""
        found: list[Event] = []
        for kind in kinds:
            stream = f"{kind}.{self.symbol}"
            assert self.form.route_of(stream, {self.symbol: self.market}) == "public"
            opening = self.streams.opening(stream, self.now_ms)
            found += self.read(opening.closing) if stream in self.wanted else []
            found += self.read(opening.frames)
            self.wanted.add(stream)
        return found

    def run(self, seconds: float, step_ms: int = 20) -> list[Event]:
        found: list[Event] = []
        for _ in range(int(seconds * 1000 / step_ms)):
            self.now_ms += step_ms
            happenings = self.market.step(self.now_ms)[self.form.name]
            found += self.read(self.streams.frames(happenings, self.now_ms, self.wanted))
        return found

    def read(self, frames: Any) -> list[Event]:
        self.frames += frames
        return [event for one in frames for event in self.venue.decode(one.payload, 5, self.memory)]

    @property
    def exchange(self) -> Exchange:
        return self.market.exchanges[self.form.name]

    def top(self, depth: int) -> tuple[dict[float, float], dict[float, float]]:
        tick, lot = self.exchange.listing.tick_size, self.exchange.listing.lot_size
        bids, asks = (
            {round(price * tick, 8): round(lots * lot, 8) for price, lots in side}
            for side in self.exchange.book.top(depth)
        )
        return bids, asks

    def ask(self, path: str, **params: str) -> tuple[Any, list[Event]]:
        endpoint = next(one for one in self.form.endpoints if one.path == f"/v5/market/{path}")
        asked = {"category": CATEGORY[self.form.name], **params}
        question = Question(self.form.name, {self.symbol: self.market}, self.form.place, asked, self.now_ms)
        said = endpoint.answer(question)
        url = f"https://api.bybit.com{endpoint.path}?{'&'.join(f'{k}={v}' for k, v in asked.items())}"
        return said, list(answer(self.venue, url, msgspec.json.encode(said), 5))


def of(events: list[Event], kind: type[Any]) -> list[Any]:
    return [one for one in events if type(one) is kind]


# ── Streams ───────────────────────────────────────────────────────────────────────────────────


@BOTH
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(["orderbook.50", "orderbook.200", "orderbook.1000"]))
def test_the_book_that_we_keep_is_the_book_that_there_is(name: str, seed: int, kind: str) -> None:
    played = Played(name, seed)
    told = played.open(kind) + played.run(1.5)
    told += played.open(kind)  # somebody else subscribes: both go on from the same snapshot
    told += played.run(1.5)
    while not (last := of(played.run(0.02), BookUpdate)):  # stop where the book is as it was told
        pass
    told += last
    wanted: list[str] = []
    sync, book = Sync(played.venue, wanted.append), OrderBook(played.venue.book)
    for update in of(told, BookUpdate):
        sync.book(update)
        assert book.apply(update)
    assert len(of(told, BookUpdate)) > 8
    assert (sync.changed, wanted) == ([], [])
    kept = ({round(p, 8): round(s, 8) for p, s in side.items()} for side in (book.bids, book.asks))
    assert tuple(kept) == played.top(int(kind.removeprefix("orderbook.")))


@BOTH
def test_trades_are_those_of_the_tape_with_the_takers_side(name: str) -> None:
    played = Played(name)
    played.open("publicTrade")
    trades = of(played.run(2.0), Trade)
    rows = list(played.exchange.fills.rows(0, 100_000))
    tick, lot = played.exchange.listing.tick_size, played.exchange.listing.lot_size
    assert len(trades) == len(rows) > 50
    for trade, row in zip(trades, rows, strict=True):
        assert int(trade.id.replace("-", ""), 10 if name == SPOT else 16) == row.id
        assert trade.is_buyer_maker is row.taker_sells
        assert (trade.price, trade.size) == (pytest.approx(row.price * tick), pytest.approx(row.lots * lot))
        assert trade.ts_event == row.ts * 1_000_000
    assert [(one.id, one.count) for one in played.frames[:1]] == [
        (rows[0].id, len(json.loads(played.frames[0].payload)["data"]))
    ]


@BOTH
def test_quotes_are_the_books_best_and_a_still_one_is_said_again_without_a_new_number(name: str) -> None:
    played = Played(name, rate=0.0001)
    (first,) = of(played.open("orderbook.1"), Quote)
    quotes = of(played.run(10.0), Quote)
    changes = {one.sequence for one in (first, *quotes)}
    counted = sum(rows for frame in played.frames for _, kind, rows in frame.told if kind == "prices")
    assert len(quotes) >= 2
    assert len(changes) == counted < 1 + len(quotes)
    busy = Played(name)
    busy.open("orderbook.1")
    quotes = of(busy.run(3.0), Quote)
    bids, asks = busy.top(1)
    last = quotes[-1]
    assert {last.bid: last.bid_size} == bids and {last.ask: last.ask_size} == asks
    assert [one.sequence for one in quotes] == sorted({one.sequence for one in quotes})


def test_linear_tickers_say_what_changed_and_lead_to_what_rest_says() -> None:
    played = Played(FUTURES)
    first = played.open("tickers")
    assert {type(one) for one in first} == {MarkPrice, IndexPrice, Funding, OpenInterest, Ticker}
    found = played.run(5.0)
    kinds = [set(json.loads(one.payload)["data"]) for one in played.frames[1:]]
    assert any("markPrice" in one and "fundingCap" not in one for one in kinds)
    assert all(("bid1Price" in one) == ("bid1Size" in one) for one in kinds)
    _, asked = played.ask("tickers", symbol="BTCUSDT")
    for kind in (MarkPrice, IndexPrice, Funding):
        (now,), last = of(asked, kind), of([*first, *found], kind)[-1]
        ours, theirs = (msgspec.structs.replace(one, ts_event=0) for one in (last, now))
        assert ours == theirs
    (interest,) = of(asked, OpenInterest)
    lots = played.market.perpetuals[FUTURES].open_lots
    assert interest.size == pytest.approx(lots * 0.001)
    assert of(asked, Funding)[0].interval_hours == 8.0
    for kind, name in ((MarkPrice, "mark_prices"), (Funding, "funding_rates"), (Ticker, "ticker_24h")):
        counted = sum(rows for frame in played.frames for _, of_kind, rows in frame.told if of_kind == name)
        assert counted == len(of([*first, *found], kind))


def test_spot_tickers_are_whole_each_time_and_have_no_best_quote() -> None:
    played = Played(SPOT)
    told = played.open("tickers") + played.run(3.0)
    assert len(of(told, Ticker)) == len(told) > 5
    fields = {frozenset(json.loads(one.payload)["data"]) for one in played.frames}
    assert len(fields) == 1 and not {"bid1Price", "markPrice"} & next(iter(fields))
    assert of(told, Ticker)[-1].open is not None


def test_a_minute_that_is_over_is_told_once_as_closed_and_rest_has_the_same() -> None:
    for name in (FUTURES, SPOT):
        played = Played(name, rate=20.0)
        played.open("kline.1")
        bars = of(played.run(150.0, 100), Candle)
        closed = [one for one in bars if one.closed]
        assert [one.interval for one in closed] == ["1m", "1m"] or len(closed) == 3
        assert all(one.close_ts - one.open_ts == 59_999 * 1_000_000 for one in bars)
        _, asked = played.ask("kline", symbol="BTCUSDT", interval="1", limit="10")
        rest = {
            one.open_ts: (one.open, one.high, one.low, one.close, one.volume) for one in of(asked, Candle)
        }
        for one in closed:
            assert rest[one.open_ts] == (one.open, one.high, one.low, one.close, one.volume)


def test_liquidations_name_the_position_and_its_bankruptcy_price() -> None:
    played = Played(FUTURES, rate=20.0)
    played.open("allLiquidation", "orderbook.1")
    found = played.run(900.0, 200)
    forced = of(found, Liquidation)
    assert len(forced) > 3
    quote: Quote | None = None
    for one in found:
        if isinstance(one, Quote):
            quote = one
        elif isinstance(one, Liquidation) and quote is not None:
            # a long's order sells: it is bankrupt below the market
            assert quote.bid is not None and (one.price < quote.bid) == (one.side == "long")


# ── Requests ──────────────────────────────────────────────────────────────────────────────────


class _Transport(asyncio.Transport):
    def write(self, data: Any) -> None: ...

    def is_closing(self) -> bool:
        return False


def session(name: str) -> Connection:
    form = FORMS[name]
    market = Market("BTCUSDT", {name: form.place}, seed=1, rate=1.0, now_ms=START_MS)
    return Connection(_Transport(), Hub(form, form.limits, {"BTCUSDT": market}), "public")


def replied(name: str, one: Connection, request: bytes) -> Control:
    (reply,) = FORMS[name].control(one, request.decode(), FORMS[name].limits)
    (said,) = venues.ALL[name].decode(reply, 5, Memory())
    assert isinstance(said, Control)
    return said


@BOTH
def test_what_we_ask_is_answered_under_its_id(name: str) -> None:
    venue, one = venues.ALL[name], session(name)
    topics = [f"{kind}.BTCUSDT" for kind in CHANNELS[: 6 if name == FUTURES else 5]]
    said = replied(name, one, venue.subscribe(topics, 1001))
    assert (said.kind, said.id, list(one.subscribed)) == ("ack", 1001, topics)
    said = replied(name, one, venue.subscribe(["orderbook.50.BTCUSDT", "orderbook.200.NOSUCH"], 1002))
    assert (said.kind, said.id, list(one.subscribed)) == ("refused", 1002, topics)
    assert "orderbook.200.NOSUCH" in said.message
    said = replied(name, one, venue.unsubscribe(topics[:2], 1003))
    assert (said.kind, said.id, list(one.subscribed)) == ("ack", 1003, topics[2:])
    assert venue.keepalive is not None and venue.keepalive.message is not None
    assert replied(name, one, venue.keepalive.message(5)).kind == "pong"
    assert replied(name, one, b"[1]").kind == "refused"


def test_spot_takes_ten_topics_at_once_and_linear_as_many_as_fit() -> None:
    many = [f"orderbook.200.COIN{at}USDT" for at in range(11)]
    assert replied(SPOT, session(SPOT), venues.ALL[SPOT].subscribe(many, 1)).message == "error:args size > 10"
    one = session(FUTURES)
    said = replied(
        FUTURES, one, venues.ALL[FUTURES].subscribe([f"tickers.{'X' * 90}{at}" for at in range(250)], 2)
    )
    assert (said.kind, said.message) == ("refused", "error:args too long")


# ── REST ──────────────────────────────────────────────────────────────────────────────────────


@BOTH
def test_rest_answers_mean_what_the_market_is(name: str) -> None:
    played = Played(name)
    played.run(2.0)
    _, (pong,) = played.ask("time")
    assert pong.ts_event == played.now_ms * 1_000_000
    _, listed = played.ask("instruments-info")
    (one,) = of(listed, Instrument)
    assert (one.symbol, one.kind, one.trading) == ("BTCUSDT", "spot" if name == SPOT else "perpetual", True)
    assert (one.tick, one.lot) == (played.exchange.listing.tick_size, played.exchange.listing.lot_size)
    assert [each.interval_hours for each in of(listed, FundingInterval)] == ([] if name == SPOT else [8.0])
    _, (book,) = played.ask("orderbook", symbol="BTCUSDT", limit="50")
    assert isinstance(book, BookUpdate) and book.depth == 50
    assert (dict(book.bids), dict(book.asks)) == played.top(50)
    _, trades = played.ask("recent-trade", symbol="BTCUSDT", limit="30")
    rows = list(played.exchange.fills.latest(30))
    assert [one.ts_event for one in trades] == [row.ts * 1_000_000 for row in rows]
    assert [one.is_buyer_maker for one in of(trades, Trade)] == [row.taker_sells for row in rows]


def test_rest_of_a_perpetual_has_its_fundings_and_its_open_interest() -> None:
    played = Played(FUTURES)
    _, paid = played.ask("funding/history", symbol="BTCUSDT", limit="5")
    settled = played.market.perpetuals[FUTURES].settlements[-5:]
    assert [one.ts_event for one in paid] == [one.ts * 1_000_000 for one in settled]
    assert [one.rate for one in of(paid, Funding)] == [pytest.approx(one.rate, abs=1e-8) for one in settled]
    _, asked = played.ask("open-interest", symbol="BTCUSDT", intervalTime="5min")
    interests = of(asked, OpenInterest)
    assert {b.ts_event - a.ts_event for a, b in pairwise(interests)} == {300 * 1_000_000_000}
    held = played.market.perpetuals[FUTURES].open_lots * 0.001
    assert [one.size for one in interests] == [pytest.approx(held, rel=0.02)] * 50


@BOTH
@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("orderbook", {"symbol": "NOSUCH"}),
        ("kline", {"symbol": "BTCUSDT", "interval": "61"}),
        ("tickers", {"category": "inverse"}),
        ("recent-trade", {"symbol": "BTCUSDT", "limit": "x"}),
    ],
)
def test_a_wrong_request_is_refused_with_http_200(name: str, path: str, params: dict[str, str]) -> None:
    with pytest.raises(Refusal) as refused:
        Played(name).ask(path, **params)
    assert (refused.value.status, refused.value.body["retCode"]) == (200, 10001)
    found = venues.ALL[name].refusals.complaint(msgspec.json.encode(refused.value.body))
    assert found is not None
    assert (found[0] in venues.ALL[name].refusals.unknown_symbol_codes) == (params.get("symbol") == "NOSUCH")


# ── The whole way ─────────────────────────────────────────────────────────────────────────────


class Kept:
    """A sink that remembers what it was given."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.gaps: list[Gap] = []

    def adders(self, venue: str) -> dict[type[Event], Callable[[Any], None]]:
        return dict.fromkeys(KEPT, self.events.append)

    def gap(self, gap: Gap) -> None:
        self.gaps.append(gap)

    def no_gap(self, gap: Gap) -> None: ...


async def collected(name: str, story: Callable[[Simulation, Kept, Callable[[Any], Any]], Any]) -> Pipeline:
    """Run our feed against the simulation until the story has been told."""
    simulation = Simulation(("BTCUSDT", "PNUTUSDT"), venues=[name], rate=20.0)
    await simulation.start()
    hosts = simulation.hosts(name)
    venue = msgspec.structs.replace(venues.ALL[name], snapshot_interval_s=0.2)
    inbox, kept = Inbox(), Kept()
    feed = Feed(venue, ["BTCUSDT", "PNUTUSDT"], inbox, hosts=Hosts(hosts["rest"], hosts["ws"]), tick_s=0.05)
    pipeline = Pipeline(
        {name: venue},
        kept,
        Live("simulated"),
        want_snapshot=lambda venue, symbol: feed.request_snapshot(symbol),
        book_interval_ms=0,
    )
    running = asyncio.create_task(feed.run())

    async def read() -> None:
        async for batch in inbox.batches():
            pipeline.take(batch)

    reading = asyncio.create_task(read())

    async def until(found: Callable[[], Any]) -> None:
        async with asyncio.timeout(30):
            while not found():
                await asyncio.sleep(0.02)

    try:
        await story(simulation, kept, until)
    finally:
        for task in (running, reading):
            task.cancel()
        await asyncio.gather(running, reading, return_exceptions=True)
        await simulation.stop()
    assert not pipeline.tally.unknown, pipeline.tally.unknown
    return pipeline


def series(kept: Kept) -> set[tuple[str, str]]:
    return {(KEPT[type(one)].name, one.symbol) for one in kept.events}


@BOTH
def test_our_feed_collects_each_stream_and_a_lost_change_is_healed_by_a_new_snapshot(name: str) -> None:
    expected = {
        (stream, symbol)
        for stream in set(venues.ALL[name].market.streams) - {"liquidations", "large_trades"}
        for symbol in ("BTCUSDT", "PNUTUSDT")
    }

    async def story(simulation: Simulation, kept: Kept, until: Callable[[Any], Any]) -> None:
        await until(lambda: expected <= series(kept))
        assert kept.gaps == []
        simulation.faults.drop(name, "orderbook.200.BTCUSDT")
        await until(lambda: any(gap.until_ts is not None for gap in kept.gaps))
        gaps = [(gap.symbol, gap.stream, gap.reason[:9]) for gap in kept.gaps]
        assert set(gaps) == {("BTCUSDT", "orderbooks", "sequence:")}
        rows = len(kept.events)
        simulation.faults.disconnect(name)
        await until(lambda: len(kept.events) > rows + 500 and len({g.stream for g in kept.gaps}) > 1)
        tops = [one for one in kept.events if isinstance(one, BookTop) and one.symbol == "BTCUSDT"]
        assert all(one.levels[0] < one.levels[20] for one in tops)  # type: ignore[operator]

    asyncio.run(collected(name, story))

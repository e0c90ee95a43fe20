"""Simulated OKX: what it says is what our own decoder reads, and leads to the book that it has."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderflow.feed.book import book_of
from orderflow.feed.feed import Feed
from orderflow.feed.inbox import Inbox
from orderflow.feed.sync import Sync
from orderflow.jobs.pipeline import Pipeline
from orderflow.market.errors import BookGap
from orderflow.market.events import (
    MINUTE,
    MS,
    BookTop,
    BookUpdate,
    Candle,
    Control,
    Event,
    Funding,
    Gap,
    Ignored,
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
from orderflow.sim.okx_futures import NAMES, OKX_FUTURES, farewell
from orderflow.sim.protocol import Question, Refusal
from orderflow.sim.server import Simulation
from orderflow.store.live import Live
from orderflow.venues import ALL
from orderflow.venues.spec import Hosts, Memory, answer

NAME = "okx_futures"
VENUE = ALL[NAME]
START_MS = 1_795_000_000_000
PUBLIC = ("books", "bbo-tbt", "trades", "mark-price", "funding-rate", "open-interest", "tickers")


class Played:
    """One swap, driven by hand, and what our decoder makes of it once it has read the listing."""

    def __init__(self, seed: int = 7, rate: float = 100.0, symbol: str = "BTCUSDT") -> None:
        self.symbol, self.native = symbol, NAMES.native(symbol)
        self.market = Market(symbol, {NAME: OKX_FUTURES.place}, seed=seed, rate=rate, now_ms=START_MS)
        self.streams = OKX_FUTURES.streams(NAME, self.market)
        self.memory = Memory()
        self.now_ms = START_MS
        self.wanted: set[str] = set()
        self.payloads: list[bytes] = []
        for one in self.ask("public/instruments", instType="SWAP")[1]:
            assert isinstance(one, Instrument)
            self.memory.learn(one)

    def name(self, channel: str) -> str:
        words = VENUE.words(self.native)
        return next(
            (one.template for one in VENUE.channels if one.template.startswith(f"{channel}:")),
            channel + ":{symbol}",
        ).format(**words)

    def open(self, *channels: str) -> list[Event]:
        """Subscribe as a second client does: those who listen hear the closing, both hear the rest."""
        found: list[Event] = []
        for stream in map(self.name, channels):
            assert OKX_FUTURES.route_of(stream, {self.symbol: self.market}) is not None
            opening = self.streams.opening(stream, self.now_ms)
            found += self.read(opening.closing) if stream in self.wanted else []
            found += self.read(opening.frames)
            self.wanted.add(stream)
        return found

    def run(self, seconds: float, step_ms: int = 20) -> list[Event]:
        found: list[Event] = []
        for _ in range(int(seconds * 1000 / step_ms)):
            self.now_ms += step_ms
            happenings = self.market.step(self.now_ms)[NAME]
            found += self.read(self.streams.frames(happenings, self.now_ms, self.wanted))
        return found

    def read(self, frames: Any) -> list[Event]:
        payloads = [one.payload for one in frames]
        self.payloads += payloads
        return [event for one in payloads for event in VENUE.decode(one, self.now_ms * MS, self.memory)]

    @property
    def exchange(self) -> Exchange:
        return self.market.exchanges[NAME]

    def top(self, depth: int) -> tuple[dict[float, float], dict[float, float]]:
        tick, lot = self.exchange.listing.tick_size, self.exchange.listing.lot_size
        bids, asks = (
            {round(price * tick, 8): round(lots * lot, 8) for price, lots in side}
            for side in self.exchange.book.top(depth)
        )
        return bids, asks

    def ask(self, path: str, **params: str) -> tuple[Any, list[Event]]:
        endpoint = next(one for one in OKX_FUTURES.endpoints if one.path == f"/api/v5/{path}")
        question = Question(NAME, {self.symbol: self.market}, OKX_FUTURES.place, params, self.now_ms)
        said = endpoint.answer(question)
        url = f"https://www.okx.com{endpoint.path}?{'&'.join(f'{k}={v}' for k, v in params.items())}"
        return said, list(answer(VENUE, url, msgspec.json.encode(said), self.now_ms * MS, self.memory))


def of(events: Sequence[Event], kind: type[Any]) -> list[Any]:
    return [one for one in events if type(one) is kind]


# ── Streams ───────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), symbol=st.sampled_from(["BTCUSDT", "PNUTUSDT"]))
def test_the_book_that_we_keep_is_the_book_that_there_is(seed: int, symbol: str) -> None:
    played = Played(seed, symbol=symbol)
    told = played.open("books") + played.run(1.5)
    told += played.open("books")  # somebody else subscribes: both go on from the same snapshot
    told += played.run(1.5)
    while not (last := of(played.run(0.02), BookUpdate)):  # stop where the book is as it was told
        pass
    told += last
    wanted: list[str] = []
    sync, book = Sync(VENUE, wanted.append), book_of(VENUE)
    for update in of(told, BookUpdate):
        sync.book(update)
        assert book.apply(update)
    assert len(of(told, BookUpdate)) > 20
    assert (sync.changed, wanted) == ([], [])
    kept = ({round(p, 8): round(s, 8) for p, s in side.items()} for side in (book.bids, book.asks))
    assert tuple(kept) == played.top(400)


def test_each_change_of_the_book_that_is_lost_is_noticed_at_the_next() -> None:
    played = Played()
    told = of(played.open("books") + played.run(3.0), BookUpdate)
    assert len(told) > 20
    for lost in range(1, len(told) - 1):
        book = book_of(VENUE)
        with pytest.raises(BookGap, match=f"the diff follows {told[lost].last_id}"):
            for update in (*told[:lost], told[lost + 1]):
                book.apply(update)


def test_a_book_asked_for_over_rest_is_joined_by_the_changes_from_the_socket() -> None:
    played = Played()
    before = of(played.open("books") + played.run(0.5), BookUpdate)[1:]
    said, answered = played.ask("market/books", instId=played.native, sz="400")
    (asked,) = of(answered, BookUpdate)
    assert (said["data"][0]["seqId"], asked.replaces) == (played.exchange.book.update_id, False)
    book = book_of(VENUE)
    for update in (*before, asked, *of(played.run(0.5), BookUpdate)):
        book.apply(update)
    while not (last := of(played.run(0.02), BookUpdate)):
        pass
    assert book.apply(last[0])
    kept = ({round(p, 8): round(s, 8) for p, s in side.items()} for side in (book.bids, book.asks))
    for side, there in zip(kept, played.top(400), strict=True):
        assert there.items() <= side.items()  # what has left the best 400 since is told, not what came in


def test_a_book_in_which_nothing_changes_says_each_minute_that_it_lives() -> None:
    played = Played()
    (first,) = of(played.open("books"), BookUpdate)
    told: list[BookUpdate] = []
    for _ in range(121):
        played.now_ms += 1000
        told += of(played.read(played.streams.frames((), played.now_ms, played.wanted)), BookUpdate)
    assert [(one.bids, one.asks, one.prev_id, one.last_id) for one in told] == [
        ([], [], first.last_id, first.last_id)
    ] * 2
    book = book_of(VENUE)
    assert all(book.apply(one) for one in (first, *told))


def test_trades_are_those_of_the_tape_merged_by_order_and_price_and_none_is_missing() -> None:
    played = Played()
    told = of(played.open("trades") + played.run(20.0), Trade)
    fills = list(played.exchange.fills.rows(0, 100_000))
    listing = played.exchange.listing
    assert len(told) > 200 and any(one.count > 1 for one in told)
    assert sum(one.count for one in told) == len(fills)
    for before, one in pairwise(told):
        assert one.id - one.count == before.id
    by_id = {row.id: row for row in fills}
    for one in told:
        covered = [by_id[id] for id in range(one.id - one.count + 1, one.id + 1)]
        assert one.size == pytest.approx(sum(row.lots for row in covered) * listing.lot_size)
        assert {row.taker_sells for row in covered} == {one.is_buyer_maker}
        assert one.price == pytest.approx(covered[-1].price * listing.tick_size)
    sync = Sync(VENUE)
    for one in told:
        sync.trade(one.id, one.merged, one.symbol, one.ts_event, first=one.id - one.count + 1)
    assert sync.changed == []


def test_single_fills_and_bars_are_on_the_business_route_and_agree_with_rest() -> None:
    played = Played(rate=20.0)
    told = played.open("trades-all", "candle1m") + played.run(130.0, step_ms=50)
    fills, rest = (
        of(told, Trade),
        of(played.ask("market/trades", instId=played.native, limit="500")[1], Trade),
    )
    assert {one.count for one in fills} == {1}
    assert [(one.id, one.price, one.size) for one in fills][-50:] == [
        (one.id, one.price, one.size) for one in rest
    ][-50:]
    closed = [one for one in of(told, Candle) if one.closed]
    bars = of(played.ask("market/candles", instId=played.native, bar="1m")[1], Candle)
    whole = [(one.open_ts, one.open, one.high, one.low, one.close, one.volume) for one in closed]
    assert len(closed) >= 2
    assert set(whole) <= {(o.open_ts, o.open, o.high, o.low, o.close, o.volume) for o in bars if o.closed}
    inside = [one for one in fills if closed[-1].open_ts <= one.ts_event < closed[-1].open_ts + MINUTE]
    assert closed[-1].volume == pytest.approx(sum(one.size for one in inside))
    assert OKX_FUTURES.route_of(played.name("trades-all"), {"BTCUSDT": played.market}) == "business"


def test_what_is_current_is_said_at_once_and_again_and_is_what_rest_says() -> None:
    played = Played()
    now = played.open("bbo-tbt", "mark-price", "index-tickers", "funding-rate", "open-interest", "tickers")
    kinds = [Quote, MarkPrice, IndexPrice, Funding, OpenInterest, Ticker]
    assert [type(one) for one in now] == kinds
    told = now + played.run(35.0)
    assert all(len(of(told, kind)) > 1 for kind in kinds)
    assert {one.symbol for one in told} == {"BTCUSDT"}
    asked = [
        *played.ask("market/ticker", instId=played.native)[1],
        *played.ask("public/mark-price", instType="SWAP")[1],
        *played.ask("market/index-tickers", instId="BTC-USDT")[1],
        *played.ask("public/funding-rate", instId=played.native)[1],
        *played.ask("public/open-interest", instType="SWAP", instId=played.native)[1],
    ]
    assert [type(one) for one in asked] == [Ticker, Quote, MarkPrice, IndexPrice, Funding, OpenInterest]
    perpetual = played.market.perpetuals[NAME]
    rate, interest = asked[4], asked[5]
    assert isinstance(rate, Funding) and isinstance(interest, OpenInterest)
    assert (rate.interval_hours, rate.next_ts) == (8.0, perpetual.marked.next_funding_ms * MS)
    assert rate.rate == pytest.approx(perpetual.marked.funding)
    assert interest.size == pytest.approx(perpetual.open_lots * played.exchange.listing.lot_size)
    lots_of = played.exchange.listing.lot_size / 0.01  # contracts of 0.01 BTC in a lot
    assert interest.contracts == pytest.approx(perpetual.open_lots * lots_of)
    quote = of(told, Quote)[-1]
    assert ({quote.bid: round(quote.bid_size, 8)}, {quote.ask: round(quote.ask_size, 8)}) == played.top(1)
    paid = of(played.ask("public/funding-rate-history", instId=played.native, limit="5")[1], Funding)
    assert [one.ts_event for one in paid] == [row.ts * MS for row in perpetual.settlements[-5:]]


def test_the_first_liquidations_heard_are_history_and_the_others_name_the_position() -> None:
    played = Played(seed=3)
    (old,) = played.open("liquidation-orders")
    assert isinstance(old, Ignored) and "history" in old.reason
    found: list[Liquidation] = []
    while len(found) < 3:
        found += of(played.run(30.0, step_ms=200), Liquidation)
    raw = [json.loads(one)["data"][0]["details"][0] for one in played.payloads[1:]]
    assert [one.side for one in found] == [{"sell": "long", "buy": "short"}[row["side"]] for row in raw]
    assert [one.size for one in found] == pytest.approx([float(row["sz"]) / 100 for row in raw])


# ── Requests and answers ──────────────────────────────────────────────────────────────────────


def connected(route: str = "public") -> Connection:
    market = Market("BTCUSDT", {NAME: OKX_FUTURES.place}, seed=1, rate=1.0, now_ms=START_MS)
    hub = Hub(OKX_FUTURES, OKX_FUTURES.limits, {"BTCUSDT": market})
    return Connection(asyncio.Transport(), hub, route)


def replies(one: Connection, text: bytes) -> list[Control]:
    said = OKX_FUTURES.control(one, text.decode(), OKX_FUTURES.limits)
    found = [event for each in said for event in VENUE.decode(each, 1, Memory())]
    assert all(isinstance(event, Control) for event in found)
    return of(found, Control)


def test_each_channel_of_a_request_is_answered_by_its_name() -> None:
    one = connected()
    names = [f"{channel}:BTC-USDT-SWAP" for channel in PUBLIC]
    names += ["index-tickers:BTC-USDT", "liquidation-orders:SWAP"]
    said = replies(one, VENUE.subscribe(names, 12))
    assert [(control.kind, control.names) for control in said] == [("ack", (name,)) for name in names]
    assert sorted(one.subscribed) == sorted(names)
    said = replies(one, VENUE.unsubscribe(names[:2], 13))
    assert [control.names for control in said] == [(names[0],), (names[1],)]
    assert sorted(one.subscribed) == sorted(names[2:])


def test_what_does_not_exist_or_is_on_the_other_route_is_refused_by_its_name() -> None:
    one = connected()
    names = ["candle1m:BTC-USDT-SWAP", "trades:BTC-USDT-SWAP", "trades:NEW-USDT-SWAP"]
    said = replies(one, VENUE.subscribe(names, 14))
    assert [(control.kind, control.names) for control in said] == [
        ("refused", (names[0],)),
        ("ack", (names[1],)),
        ("refused", (names[2],)),
    ]
    assert "60018" in said[0].message
    assert [control.kind for control in replies(connected("business"), VENUE.subscribe(names[:1], 1))] == [
        "ack"
    ]


def test_a_request_that_is_none_is_refused_as_a_whole_and_a_ping_is_answered() -> None:
    one = connected()
    (wrong,) = replies(one, b'{"id":"5","op":"subscribe","args":[]}')
    assert (wrong.kind, wrong.id, wrong.names) == ("refused", 5, ())
    assert [control.kind for control in replies(one, b"ping")] == ["pong"]
    assert [control.kind for control in replies(one, b"{")] == ["refused"]
    (closing,) = VENUE.decode(farewell(one), 1, Memory())
    assert isinstance(closing, Control) and closing.kind == "closing"


def test_more_requests_than_an_hour_allows_are_refused() -> None:
    one = connected()
    asked = VENUE.subscribe(["trades:BTC-USDT-SWAP"], 1)
    assert {control.kind for _ in range(480) for control in replies(one, asked)} == {"ack"}
    assert [control.message[:5] for control in replies(one, asked)] == ["60014"]


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("market/ticker", {"instId": "NEW-USDT-SWAP"}, 200, "51001"),
        ("market/books", {}, 400, "50014"),
        ("market/candles", {"instId": "BTC-USDT-SWAP", "bar": "7m"}, 400, "51000"),
        ("public/instruments", {}, 400, "50014"),
    ],
)
def test_a_wrong_request_is_refused_in_the_envelope(
    path: str, params: dict[str, str], status: int, code: str
) -> None:
    with pytest.raises(Refusal) as refused:
        Played().ask(path, **params)
    body = msgspec.json.encode(refused.value.body)
    found = VENUE.refusals.complaint(body)
    assert found is not None
    assert (refused.value.status, found[0]) == (status, code)
    assert (code in VENUE.refusals.unknown_symbol_codes) == (code == "51001")


def test_older_trades_come_in_pages_by_their_ids() -> None:
    played = Played()
    played.run(20.0)
    newest = of(played.ask("market/history-trades", instId=played.native, limit="50")[1], Trade)
    older = of(
        played.ask("market/history-trades", instId=played.native, limit="50", after=str(newest[0].id))[1],
        Trade,
    )
    assert [one.id for one in (*older, *newest)] == list(range(older[0].id, older[0].id + 100))
    newer = played.ask("market/history-trades", instId=played.native, before=str(newest[-3].id))[1]
    assert [one.id for one in of(newer, Trade)] == [one.id for one in newest[-2:]]


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


Until = Callable[[Callable[[], Any]], Awaitable[None]]


async def collected(story: Callable[[Simulation, Kept, Until], Awaitable[None]]) -> Pipeline:
    """Run our feed against the simulation until the story has been told."""
    symbols = ["BTCUSDT", "PNUTUSDT"]
    simulation = Simulation(symbols, venues=[NAME], rate=20.0)
    await simulation.start()
    hosts = simulation.hosts(NAME)
    venue = msgspec.structs.replace(VENUE, snapshot_interval_s=0.2)
    inbox, kept = Inbox(), Kept()
    feed = Feed(venue, symbols, inbox, hosts=Hosts(hosts["rest"], hosts["ws"]), tick_s=0.05)
    pipeline = Pipeline(
        {NAME: venue},
        kept,
        Live("simulated"),
        want_snapshot=lambda venue, symbol: feed.request_snapshot(symbol),
        book_interval_ms=0,
    )

    async def read() -> None:
        async for batch in inbox.batches():
            pipeline.take(batch)

    tasks = [asyncio.create_task(feed.run()), asyncio.create_task(read())]

    async def until(found: Callable[[], Any]) -> None:
        async with asyncio.timeout(40):
            while not found():
                await asyncio.sleep(0.02)

    try:
        await story(simulation, kept, until)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await simulation.stop()
    assert not pipeline.tally.unknown, pipeline.tally.unknown
    return pipeline


def test_our_feed_collects_each_stream_and_a_lost_change_is_healed_by_a_new_snapshot() -> None:
    streams = set(VENUE.market.streams) - {"liquidations", "large_trades"}
    expected = {(stream, symbol) for stream in streams for symbol in ("BTCUSDT", "PNUTUSDT")}

    async def story(simulation: Simulation, kept: Kept, until: Until) -> None:
        await until(lambda: expected <= {(KEPT[type(one)].name, one.symbol) for one in kept.events})
        assert kept.gaps == []
        simulation.faults.drop(NAME, "books:BTC-USDT-SWAP")
        await until(lambda: any(gap.until_ts is not None for gap in kept.gaps))
        assert {(gap.symbol, gap.stream, gap.reason[:9]) for gap in kept.gaps} == {
            ("BTCUSDT", "orderbooks", "sequence:")
        }
        rows = len(kept.events)
        simulation.faults.disconnect(NAME)
        await until(lambda: len(kept.events) > rows + 500 and len({gap.stream for gap in kept.gaps}) > 1)
        tops = [one for one in kept.events if isinstance(one, BookTop) and one.symbol == "BTCUSDT"]
        assert all(one.levels[0] < one.levels[20] for one in tops)  # type: ignore[operator]
        sizes = [one.size for one in kept.events if isinstance(one, Trade)]
        assert sizes and all(size > 0 for size in sizes)  # none is unknown: the listing was read

    asyncio.run(collected(story))

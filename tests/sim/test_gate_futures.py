"""Gate as it is simulated, heard by our own decoder: what is asked is answered, and books stay right."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from orderflow.feed.sync import Sync
from orderflow.market.events import (
    MS,
    SECOND,
    BookUpdate,
    Candle,
    Control,
    Event,
    Funding,
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
from orderflow.market.facts import LastPrice
from orderflow.sim.connections import Connection
from orderflow.sim.faults import Actions, Faults
from orderflow.sim.gate_futures import GATE_FUTURES as FORM
from orderflow.sim.market import Market
from orderflow.sim.protocol import Question, Refusal
from orderflow.sim.running import Running
from orderflow.sim.tape import Ledger
from orderflow.venues import ALL
from orderflow.venues.spec import Memory, answer

GATE = ALL["gate_futures"]
START_MS = 1_795_000_000_000
DECIMAL = {"x-gate-size-decimal": "1"}


class Wire:
    """Takes the place of a transport, and reads the server's frames as they come."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> None:
        self._bytes += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def taken(self) -> list[bytes]:
        found: list[bytes] = []
        while self._bytes:
            size, at = self._bytes[1], 2
            if size > 125:
                at = 4 if size == 126 else 10
                size = int.from_bytes(self._bytes[2:at], "big")
            found.append(bytes(self._bytes[at : at + size]))
            del self._bytes[: at + size]
        return found


class Client:
    """A client of the simulated venue, stepped by hand; it has read the list of contracts."""

    def __init__(self, venue: "Venue", headers: dict[str, str]) -> None:
        self.wire = Wire()
        self._venue = venue
        self._connection = Connection(self.wire, venue.running.hub, "usdt", headers=headers)  # type: ignore[arg-type]
        venue.running.hub.join(self._connection)
        self.memory = Memory()
        for one in venue.asked("instruments", headers=headers):
            if isinstance(one, Instrument):
                self.memory.learn(one)

    def say(self, text: bytes) -> None:
        replies = FORM.control(self._connection, text.decode(), self._venue.running.limits)
        self._venue.running.reply(self._connection, replies)

    def subscribe(self, *names: str, id: int = 1) -> None:
        self.say(GATE.subscribe(names, id))

    def heard(self) -> list[Event]:
        now = self._venue.now_ms * MS
        return [one for frame in self.wire.taken() for one in GATE.decode(frame, now, self.memory)]


class Venue:
    """The simulated venue, stepped by hand."""

    def __init__(self, symbol: str = "BTCUSDT", *, seed: int = 7, rate: float = 60.0) -> None:
        self.now_ms = START_MS
        self.market = Market(symbol, {FORM.name: FORM.place}, seed=seed, rate=rate, now_ms=START_MS)
        self.exchange = self.market.exchanges[FORM.name]
        faults = Faults({FORM.name: FORM}, lambda: self.now_ms, Actions(lambda *_: 0, lambda *_: 0))
        self.running = Running(FORM, FORM.limits, {symbol: self.market}, Ledger(), faults)

    def client(self, headers: dict[str, str] = DECIMAL) -> Client:
        return Client(self, headers)

    def run(self, seconds: float, step_ms: int = 20) -> None:
        for _ in range(round(seconds * 1000 / step_ms)):
            self.now_ms += step_ms
            self.running.wake()
            happened = self.market.step(self.now_ms)[FORM.name]
            self.running.take(self.market.symbol, happened, self.now_ms)
            self.running.hub.flush(10**9)

    def body(self, path: str, *, headers: dict[str, str] = DECIMAL, **params: str) -> Any:
        endpoint = next(one for one in FORM.endpoints if one.path == path)
        return endpoint.answer(
            Question(FORM.name, self.running.markets, FORM.place, params, self.now_ms, headers=headers)
        )

    def asked(
        self, name: str, memory: Memory | None = None, *, headers: dict[str, str] = DECIMAL, **params: str
    ) -> Sequence[Event]:
        """Ask an endpoint of ours with its own parameters, and decode the answer."""
        endpoint = GATE.endpoint(name)
        whole = {**endpoint.params, **params}
        body = self.body(endpoint.path, headers=headers, **whole)
        query = "&".join(f"{key}={value}" for key, value in whole.items())
        path = endpoint.path.format_map(whole)
        url = f"{GATE.hosts.rest}{path}?{query}"
        return answer(GATE, url, json.dumps(body).encode(), self.now_ms * MS, memory)


BOOK = "futures.obu:ob.BTC_USDT.400"
ASKED = [name for channel in GATE.channels for name in GATE.channel_names(channel, "BTCUSDT", Memory())]


def test_every_channel_is_acknowledged_and_speaks() -> None:
    venue = Venue(rate=20.0)
    client = venue.client()
    for id, name in enumerate(ASKED, 1):
        client.subscribe(name, id=id)
        answers = [one for one in client.heard() if isinstance(one, Control)]
        assert [(one.kind, one.id) for one in answers] == [("ack", id)], name
    venue.run(20)
    venue.run(400, 200)
    kinds = {type(one) for one in client.heard()}
    assert kinds == {
        *(Quote, Trade, BookUpdate, MarkPrice, IndexPrice, Funding, OpenInterest, Ticker, Candle),
        *(Liquidation, Ignored),
    }


def test_data_comes_before_its_acknowledgement() -> None:
    client = Venue().client()
    client.subscribe(BOOK)
    first, second = client.heard()
    assert isinstance(first, BookUpdate) and first.replaces
    assert isinstance(second, Control) and second.kind == "ack"


@pytest.mark.parametrize("depth", ["400", "50"])
def test_kept_books_are_those_of_the_venue_whenever_they_are_begun(depth: str) -> None:
    venue = Venue()
    clients: list[tuple[Client, Sync]] = []
    for wait in (0.0, 0.13, 0.9, 0.05):
        venue.run(wait)
        client = venue.client()
        client.subscribe(f"futures.obu:ob.BTC_USDT.{depth}")
        clients.append((client, Sync(GATE)))
    venue.run(5)
    late = venue.client()
    late.subscribe(f"futures.obu:ob.BTC_USDT.{depth}")  # all are told the book as it is
    venue.running.hub.flush(10**9)
    bids, asks = venue.exchange.book.top(int(depth))
    contract = FORM.place.listings["BTCUSDT"]
    expected = [
        {round(tick * contract.tick_size, 1): round(lots * contract.lot_size, 5) for tick, lots in side}
        for side in (bids, asks)
    ]
    for client, sync in [*clients, (late, Sync(GATE))]:
        for one in client.heard():
            if isinstance(one, BookUpdate):
                sync.book(one)
        book = sync._watched["BTCUSDT"].book
        assert sync.changed == [] and book.last_id == venue.exchange.book.update_id
        kept = [{price: round(size, 9) for price, size in side.items()} for side in (book.bids, book.asks)]
        assert kept == expected


def test_ids_move_on_where_nothing_that_is_told_has_changed() -> None:
    venue = Venue(rate=5.0)
    client = venue.client()
    client.subscribe("futures.obu:ob.BTC_USDT.50")
    venue.run(20)
    diffs = [one for one in client.heard() if isinstance(one, BookUpdate)]
    assert any(not one.bids and not one.asks for one in diffs)
    assert all(
        later.first_id == (earlier.last_id or 0) + 1 for earlier, later in zip(diffs, diffs[1:], strict=False)
    )


def test_a_lost_diff_is_missed_and_a_new_subscription_mends_the_book() -> None:
    venue = Venue()
    wanted: list[str] = []
    client, sync = venue.client(), Sync(GATE, wanted.append)
    client.subscribe(BOOK)
    venue.run(2)
    updates = [one for one in client.heard() if isinstance(one, BookUpdate)]
    for one in updates[:5] + updates[6:]:
        sync.book(one)
    assert wanted and wanted[-1] == "BTCUSDT"
    assert [gap.until_ts for gap in sync.changed] == [None]
    client.say(GATE.unsubscribe([BOOK], 2))
    client.subscribe(BOOK, id=3)
    venue.run(1)
    for one in client.heard():
        if isinstance(one, BookUpdate):
            sync.book(one)
    assert not sync.open and len(sync.changed) == 2
    assert sync.changed[1].until_ts is not None
    assert sync._watched["BTCUSDT"].book.in_step


def test_trades_are_the_tape_with_takeovers_left_out() -> None:
    venue = Venue(rate=300.0)
    client = venue.client()
    first = venue.exchange.fills.next_id
    client.subscribe("futures.trades:BTC_USDT")
    venue.run(10)
    heard = [one for one in client.heard() if isinstance(one, Trade | Ignored)]
    assert [one.id for one in heard] == list(range(first, venue.exchange.fills.next_id))
    rows = {row.id: row for row in venue.exchange.fills.rows(first, 10**6)}
    for one in heard:
        assert isinstance(one.id, int)
        row = rows[one.id]
        assert isinstance(one, Trade) == (row.lots > 0)
        if isinstance(one, Trade):
            assert one.size == pytest.approx(row.lots * 0.00001, rel=1e-12)  # lots of 0.1 contract
            assert (one.is_buyer_maker, one.ts_event) == (row.taker_sells, row.ts * MS)
    assert any(isinstance(one, Ignored) for one in heard)


def test_a_forced_sale_is_told_as_a_long() -> None:
    venue = Venue(rate=20.0)
    client = venue.client()
    client.subscribe("futures.public_liquidates:!all")
    client.subscribe("futures.trades:BTC_USDT", id=2)
    venue.run(400, 200)
    heard = client.heard()
    forced = [one for one in heard if isinstance(one, Liquidation)]
    trades = [one for one in heard if isinstance(one, Trade)]
    assert forced
    for one in forced:
        sold = [
            row
            for row in trades
            if row.ts_event == one.ts_event and row.is_buyer_maker == (one.side == "long")
        ]
        assert sum(row.size for row in sold) >= one.size * 0.999


def test_candles_begin_with_the_last_minute_and_say_when_they_are_closed() -> None:
    venue = Venue(rate=20.0)
    venue.run(70, 100)
    client = venue.client()
    client.subscribe("futures.candlesticks:1m:BTC_USDT")
    before, now = (one for one in client.heard() if isinstance(one, Candle))
    assert (before.closed, now.closed) == (True, False)
    assert now.open_ts - before.open_ts == 60 * SECOND
    venue.run(65, 100)
    bars = [one for one in client.heard() if isinstance(one, Candle)]
    closed = [one for one in bars if one.closed]
    memory = client.memory
    past = {
        one.open_ts: one
        for one in venue.asked("candles", memory, contract="BTC_USDT")
        if isinstance(one, Candle)
    }
    assert closed
    for bar in closed:
        same = past[bar.open_ts]
        assert (same.open, same.close, same.volume, same.closed) == (bar.open, bar.close, bar.volume, True)


def test_an_unknown_contract_is_acknowledged_and_silent_and_a_second_request_is_told_so() -> None:
    venue = Venue()
    client = venue.client()
    client.subscribe("futures.trades:NO_USDT")
    client.subscribe("futures.obu:ob.NO_USDT.400", id=2)
    client.subscribe(BOOK, id=3)
    client.subscribe(BOOK, id=4)
    answers = [one for one in client.heard() if isinstance(one, Control)]
    assert [(one.kind, one.id, one.message) for one in answers] == [
        ("ack", 1, ""),
        ("ack", 2, ""),
        ("ack", 3, ""),
        ("ack", 4, "Alert sub ob.BTC_USDT.400"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        '{"channel":"futures.trades","event":"subscribe","payload":["BTC_USDT"],"id":9}',  # no time
        '{"time":1,"channel":"futures.trades","event":"subscribe","id":9}',
        '{"time":1,"channel":"futures.trades","event":"sell","payload":["BTC_USDT"],"id":9}',
        '{"time":1,"channel":"futures.nosuch","event":"subscribe","payload":["BTC_USDT"],"id":9}',
        '{"time":1,"channel":"futures.candlesticks","event":"subscribe","payload":["BTC_USDT"],"id":9}',
        '{"time":1,"channel":"futures.obu","event":"subscribe","payload":["BTC_USDT"],"id":9}',
    ],
)
def test_a_wrong_request_is_refused(text: str) -> None:
    client = Venue().client()
    client.say(text.encode())
    (one,) = client.heard()
    assert isinstance(one, Control) and one.kind == "refused"
    assert one.id == (9 if '"id":9' in text else None)


def test_a_ping_is_answered_and_the_end_is_announced() -> None:
    venue = Venue()
    client = venue.client()
    assert GATE.keepalive is not None and GATE.keepalive.message is not None
    client.say(GATE.keepalive.message(venue.now_ms * MS))
    (pong,) = client.heard()
    assert isinstance(pong, Control) and pong.kind == "pong" and pong.ts_event is not None
    assert FORM.farewell is not None
    (end,) = GATE.decode(FORM.farewell(client._connection), 1, Memory())
    assert isinstance(end, Control) and end.kind == "closing"


def test_sizes_are_whole_contracts_for_who_did_not_ask_for_decimals() -> None:
    venue = Venue()
    exact, rounded = venue.client(), venue.client({})
    for client in (exact, rounded):
        client.subscribe("futures.trades:BTC_USDT")
    venue.run(5)
    ours, theirs = ([one for one in client.heard() if isinstance(one, Trade)] for client in (exact, rounded))
    assert [one.id for one in ours] == [one.id for one in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert 0 <= one.size - other.size < 0.0001
    assert any(one.size > other.size for one, other in zip(ours, theirs, strict=True))


# ── REST ──────────────────────────────────────────────────────────────────────────────────────


def test_rest_says_what_the_socket_says() -> None:
    venue = Venue()
    client = venue.client()
    client.subscribe("futures.trades:BTC_USDT")
    client.subscribe("futures.tickers:BTC_USDT", id=2)
    venue.run(3)
    heard = client.heard()
    memory = client.memory
    trades = {
        one.id: (one.price, one.size, one.side, one.ts_event) for one in heard if isinstance(one, Trade)
    }
    past = [one for one in venue.asked("trades", memory, contract="BTC_USDT") if isinstance(one, Trade)]
    assert {one.id: (one.price, one.size, one.side, one.ts_event) for one in past} == trades
    assert [one.id for one in past] == sorted(trades, reverse=True)  # newest first
    tickers = venue.asked("tickers", memory)
    assert [type(one) for one in tickers] == [
        *(Ticker, MarkPrice, IndexPrice, Funding, OpenInterest, Quote, LastPrice)
    ]
    said = {type(one): one for one in heard}
    open_interest, funding, best = tickers[4], tickers[3], tickers[5]
    assert isinstance(open_interest, OpenInterest) and isinstance(funding, Funding)
    assert open_interest.size == pytest.approx(venue.market.perpetuals[FORM.name].open_lots * 0.00001)
    spoken = said[Funding]
    assert isinstance(spoken, Funding)
    assert (funding.rate, funding.next_ts, funding.interval_hours) == (spoken.rate, spoken.next_ts, 8.0)
    book = venue.exchange.book
    assert isinstance(best, Quote) and best.bid == pytest.approx(book.best_bid * 0.1)
    assert best.bid_size == pytest.approx(book.bids[book.best_bid] * 0.00001)


def test_a_book_over_rest_joins_the_diffs_of_the_socket_by_its_id() -> None:
    venue = Venue()
    client, sync = venue.client(), Sync(GATE)
    client.subscribe(BOOK)
    venue.run(0.5)
    client.heard()
    (whole,) = venue.asked("depth", client.memory, contract="BTC_USDT", limit="300")
    assert isinstance(whole, BookUpdate) and not whole.replaces and whole.depth is None
    sync.book(whole)
    venue.run(2)
    late = venue.client()
    late.subscribe(BOOK)  # who listens already is told the book as it is
    venue.running.hub.flush(10**9)
    for one in client.heard():
        if isinstance(one, BookUpdate):
            sync.book(one)
    assert sync.changed == []
    book = sync._watched["BTCUSDT"].book
    assert book.last_id == venue.exchange.book.update_id
    assert max(book.bids) == pytest.approx(venue.exchange.book.best_bid * 0.1)
    (bare,) = venue.asked("depth", client.memory, contract="BTC_USDT", with_id="false")
    assert isinstance(bare, BookUpdate) and bare.last_id is None and bare.depth == 100


def test_the_rest_of_rest_is_understood() -> None:
    venue = Venue("XRPUSDT")
    (clock,) = venue.asked("time")
    assert isinstance(clock, Control) and clock.ts_event == venue.now_ms * MS
    listed = venue.asked("instruments")
    (contract,) = [one for one in listed if isinstance(one, Instrument)]
    assert (contract.symbol, contract.native, contract.contract_size) == ("XRPUSDT", "XRP_USDT", 10.0)
    assert (contract.tick, contract.lot, contract.trading) == (0.0001, 1.0, True)  # least 0.1 of 10
    memory = Memory()
    memory.learn(contract)
    assert list(venue.asked("instrument", memory, contract="XRP_USDT")) == list(listed)
    paid = venue.asked("funding_history", memory, contract="XRP_USDT")
    times = [one.ts_event or 0 for one in paid]
    assert len(times) == 30 and {a - b for a, b in zip(times, times[1:], strict=False)} == {8 * 3600 * SECOND}
    said = venue.asked("statistics", memory, contract="XRP_USDT")
    interests = [one for one in said if isinstance(one, OpenInterest)]
    assert len(interests) == 100
    for one in interests:
        assert isinstance(one, OpenInterest) and one.usd is not None
        assert one.size == pytest.approx((one.contracts or 0) * 10)


@pytest.mark.parametrize(
    ("name", "params", "label"),
    [
        ("depth", {"contract": "NO_USDT"}, "CONTRACT_NOT_FOUND"),
        ("depth", {"contract": ""}, "MISSING_REQUIRED_PARAM"),
        ("depth", {"contract": "BTC_USDT", "limit": "many"}, "INVALID_PARAM_VALUE"),
        ("tickers", {"settle": "btc"}, "INVALID_PARAM_VALUE"),
        ("candles", {"contract": "BTC_USDT", "interval": "3y"}, "INVALID_PARAM_VALUE"),
        ("candles", {"contract": "BTC_USDT", "from": "1", "limit": "5"}, "INVALID_PARAM_VALUE"),
    ],
)
def test_a_refused_request_is_told_by_its_label(name: str, params: dict[str, str], label: str) -> None:
    with pytest.raises(Refusal) as refused:
        Venue().asked(name, **params)
    said = GATE.refusals.complaint(json.dumps(refused.value.body).encode())
    assert refused.value.status == 400
    assert said is not None and said[0] == label


def test_too_many_requests_are_refused_as_the_venue_does() -> None:
    said = GATE.refusals.complaint(json.dumps(FORM.refusal(429)).encode())
    assert said is not None and said[0] in GATE.refusals.limited_codes
    assert FORM.meter is not None
    assert FORM.meter(203, 200)["X-Gate-RateLimit-Requests-Remain"] == "0"

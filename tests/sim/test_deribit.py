"""Deribit simulated: what it says is read by our own decoder, and books kept from it are its books."""

import json
import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from orderflow.feed.sync import Sync
from orderflow.market.events import (
    MS,
    BookUpdate,
    Candle,
    Control,
    Event,
    Funding,
    IndexPrice,
    Instrument,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Option,
    Quote,
    Ticker,
    Trade,
    VolatilityIndex,
)
from orderflow.market.facts import (
    Announcement,
    Asset,
    OptionContract,
    Settlement,
    VenueStatus,
    Volatility,
    VolatilityBar,
)
from orderflow.sim import Simulation, deribit
from orderflow.sim.connections import Connection
from orderflow.sim.deribit_chain import black_76, listed, quoted
from orderflow.sim.protocol import Question, Refusal
from orderflow.sim.protocols import FORMS
from orderflow.sim.running import Running
from orderflow.venues.deribit import DERIBIT_FUTURES, DERIBIT_OPTIONS
from orderflow.venues.spec import Memory, Venue, answer, contract

FUTURES, OPTIONS = "deribit_futures", "deribit_options"
VENUES = {FUTURES: DERIBIT_FUTURES, OPTIONS: DERIBIT_OPTIONS}
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
API = "https://www.deribit.com/api/v2/public/"


class Pipe:
    """Takes the place of a transport; `taken` are the texts that came since it was last asked."""

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


class Hand:
    """One venue of the simulation stepped by hand, and a client that speaks by our form."""

    def __init__(
        self, name: str, symbols: Sequence[str] = ("BTCUSDT",), seed: int = 7, rate: float = 60.0
    ) -> None:
        self.form, self.venue = FORMS[name], VENUES[name]
        self.simulation = Simulation(symbols, seed=seed, rate=rate, forms={name: self.form})
        self.running: Running = self.simulation._venues[name]
        self.now_ms = next(iter(self.simulation.markets.values()))._now_ms
        self.memory = Memory()
        for one in self.rest(
            "get_instruments", currency="any", kind="option" if name == OPTIONS else "future"
        ):
            assert isinstance(one, Instrument)
            self.memory.learn(one)

    def client(self) -> tuple[Connection, Pipe]:
        pipe = Pipe()
        connection = Connection(pipe, self.running.hub, "public")  # type: ignore[arg-type]
        self.running.hub.join(connection)
        return connection, pipe

    def say(self, connection: Connection, text: bytes) -> None:
        replies = deribit.control(connection, text.decode(), self.running.limits)
        self.running.reply(connection, replies)

    def names(self, *symbols: str, channels: Sequence[str] = ()) -> list[str]:
        return [
            name
            for one in self.venue.channels
            if (one.name in channels if channels else one.default)
            for symbol in symbols
            for name in self.venue.channel_names(one, symbol, self.memory)
        ]

    def run(self, seconds: float, step_ms: int = 20) -> None:
        for _ in range(round(seconds * 1000 / step_ms)):
            self.now_ms += step_ms
            self.simulation._step(self.now_ms)
            self.running.hub.flush(10**9)

    def meant(self, payloads: Sequence[bytes], memory: Memory | None = None) -> list[Event]:
        known = memory or Memory()
        return [event for one in payloads for event in self.venue.decode(one, self.now_ms * MS, known)]

    def body(self, method: str, **params: str) -> Any:
        endpoint = next(one for one in self.form.endpoints if one.path.endswith("/" + method))
        question = Question(
            self.form.name, self.running.markets, self.form.place, params, self.now_ms, wide=self.running.wide
        )
        return endpoint.answer(question)

    def rest(self, method: str, **params: str) -> list[Event]:
        body = msgspec.json.encode(self.body(method, **params))
        return list(answer(self.venue, f"{API}{method}?{urlencode(params)}", body, self.now_ms * MS))


def kept(events: Sequence[Event], venue: Venue = DERIBIT_FUTURES) -> Sync:
    sync = Sync(venue, book_interval_ms=0)
    for one in events:
        if isinstance(one, BookUpdate):
            sync.book(one)
        elif isinstance(one, Trade):
            number = one.id if one.sequence is None else one.sequence
            sync.trade(number, one.merged, one.symbol, one.ts_event or 0)
    return sync


def of(events: Sequence[Event], kind: type[Any]) -> list[Any]:
    return [one for one in events if type(one) is kind]


# ── Futures ───────────────────────────────────────────────────────────────────────────────────


def test_what_all_channels_say_is_read_and_feeds_every_stream() -> None:
    hand = Hand(FUTURES, SYMBOLS, rate=6.0)
    assert sorted(one.symbol for one in hand.memory.contracts.values()) == sorted(SYMBOLS)
    connection, pipe = hand.client()
    names = hand.names(*SYMBOLS)
    hand.say(connection, hand.venue.subscribe(names, 3))
    hand.run(70)
    events = hand.meant(pipe.taken())
    (ack,) = of(events, Control)
    assert (ack.kind, ack.id, sorted(ack.names)) == ("ack", 3, sorted(names))
    for kind in (Trade, Quote, BookUpdate, MarkPrice, IndexPrice, Funding, OpenInterest, Ticker, Candle):
        assert {one.symbol for one in of(events, kind)} == set(SYMBOLS), kind
    assert {type(one) for one in events} - {Liquidation} == {
        *(Control, Trade, Quote, BookUpdate, MarkPrice, IndexPrice, Funding, OpenInterest, Ticker, Candle)
    }
    sync = kept(events)
    assert sync.changed == []
    closed = [one for one in of(events, Candle) if one.closed]
    assert {one.symbol for one in closed} == set(SYMBOLS)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_book_kept_from_the_socket_is_the_simulated_book(symbol: str) -> None:
    hand = Hand(FUTURES, (symbol,))
    connection, pipe = hand.client()
    names = hand.names(symbol, channels=("book",))
    hand.say(connection, hand.venue.subscribe(names, 1))
    hand.run(3)
    second, _ = hand.client()
    hand.say(second, hand.venue.subscribe(names, 1))  # ends the diff that gathers: all stand at the book
    hand.running.hub.flush(10**9)
    events = hand.meant(pipe.taken())
    assert len(of(events, BookUpdate)) > 10
    sync = kept(events)
    assert sync.changed == []
    exchange = hand.simulation.markets[symbol].exchanges[FUTURES]
    book = sync._watched[symbol].book
    listing = exchange.listing
    unit = contract(symbol, listing.lot_size, inverse=listing.inverse)
    for own, side in ((book.bids, exchange.book.bids), (book.asks, exchange.book.asks)):
        real = {round(tick * listing.tick_size, 6): lots for tick, lots in side.items()}
        assert own == {price: pytest.approx(unit.base(lots, price)) for price, lots in real.items()}


def test_who_subscribes_again_gets_a_snapshot_that_begins_the_book_anew() -> None:
    hand = Hand(FUTURES)
    connection, pipe = hand.client()
    names = hand.names("BTCUSDT", channels=("book",))
    hand.say(connection, hand.venue.subscribe(names, 1))
    hand.run(1)
    hand.say(connection, hand.venue.unsubscribe(names, 2))
    hand.run(1)
    hand.say(connection, hand.venue.subscribe(names, 3))
    hand.run(1)
    updates = of(hand.meant(pipe.taken()), BookUpdate)
    assert [one.replaces for one in updates].count(True) == 2
    assert kept(updates).changed == []


def test_each_diff_that_is_lost_is_missed_at_the_next() -> None:
    hand = Hand(FUTURES)
    connection, pipe = hand.client()
    hand.say(connection, hand.venue.subscribe(hand.names("BTCUSDT", channels=("book",)), 1))
    hand.run(3)
    updates = of(hand.meant(pipe.taken()), BookUpdate)
    assert len(updates) > 20
    for place in range(1, len(updates) - 1):
        found = kept(updates[:place] + updates[place + 1 :])
        assert list(found.open) == [("orderbooks", "BTCUSDT")]


def test_trades_are_the_rows_of_the_tape_and_a_lost_frame_is_a_gap() -> None:
    hand = Hand(FUTURES, ("BTCUSDT", "SOLUSDT"))
    connection, pipe = hand.client()
    hand.say(connection, hand.venue.subscribe(hand.names("BTCUSDT", "SOLUSDT", channels=("trades",)), 1))
    hand.run(5)
    payloads = pipe.taken()
    for symbol, inverse in (("BTCUSDT", True), ("SOLUSDT", False)):
        trades = [one for one in of(hand.meant(payloads), Trade) if one.symbol == symbol]
        exchange = hand.simulation.markets[symbol].exchanges[FUTURES]
        rows = list(exchange.fills.rows(trades[0].sequence, len(trades)))
        tick, lot = exchange.listing.tick_size, exchange.listing.lot_size
        for one, row in zip(trades, rows, strict=True):
            assert (one.sequence, one.is_buyer_maker, one.ts_event) == (row.id, row.taker_sells, row.ts * MS)
            price = row.price * tick
            assert one.price == pytest.approx(price)
            assert one.size == pytest.approx(row.lots * lot / price if inverse else row.lots * lot)
        assert all(row.sent == 1 for row in rows)
    btc = [one for one in payloads if b'"channel":"trades.BTC' in one]
    assert kept(hand.meant(btc)).changed == []
    (gap,) = kept(hand.meant(btc[:3] + btc[4:])).changed
    assert (gap.stream, gap.symbol) == ("trades", "BTCUSDT")


def test_forced_orders_are_marked_in_the_trades_that_they_made() -> None:
    hand = Hand(FUTURES, SYMBOLS, rate=3.0)
    connection, pipe = hand.client()
    hand.say(connection, hand.venue.subscribe(hand.names(*SYMBOLS, channels=("trades",)), 1))
    hand.run(240, step_ms=100)
    events = hand.meant(pipe.taken())
    forced = of(events, Liquidation)
    assert forced
    told = sum(
        one.rows for (_, _, kind), one in hand.simulation.ledger.told.items() if kind == "liquidations"
    )
    assert len(forced) == told
    for place, one in enumerate(events):
        if isinstance(one, Liquidation):
            before = events[place - 1]
            assert isinstance(before, Trade)
            assert (before.price, before.size) == (one.price, one.size)
            assert one.side == ("long" if before.side == "sell" else "short")


def test_a_grid_of_shallow_books_is_the_top_of_the_deep_one() -> None:
    hand = Hand(FUTURES)
    connection, pipe = hand.client()
    hand.say(connection, hand.venue.subscribe(hand.names("BTCUSDT", channels=("book_top",)), 1))
    hand.run(1)
    shallow = of(hand.meant(pipe.taken()), BookUpdate)[-1]
    assert (shallow.snapshot, shallow.depth, len(shallow.bids), len(shallow.asks)) == (True, 20, 20, 20)
    assert shallow.bids[0][0] < shallow.asks[0][0]


# ── Calls ─────────────────────────────────────────────────────────────────────────────────────


def test_a_channel_that_does_not_exist_is_left_out_of_the_answer() -> None:
    hand = Hand(FUTURES)
    connection, pipe = hand.client()
    hand.say(connection, hand.venue.subscribe(["quote.BTC-PERPETUAL", "quote.NO-PERPETUAL"], 4))
    (ack, *_) = hand.meant(pipe.taken())
    assert isinstance(ack, Control)
    assert (ack.kind, ack.id, ack.names) == ("ack", 4, ("quote.BTC-PERPETUAL",))
    hand.say(connection, hand.venue.subscribe(["quote.NO-PERPETUAL"], 5))
    (none,) = hand.meant(pipe.taken())
    assert isinstance(none, Control) and (none.kind, none.id) == ("refused", 5)
    hand.say(connection, hand.venue.subscribe(["book.BTC-PERPETUAL.raw"], 6))
    (raw,) = hand.meant(pipe.taken())
    assert isinstance(raw, Control) and (raw.kind, raw.id, raw.message[:5]) == ("refused", 6, "13778")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b'{"id":1,"method":"public/nothing"}', -32601),
        (b'{"id":1,"method":"public/subscribe","params":{"channels":"all"}}', -32602),
        (b'{"id":1,"method":"public/set_heartbeat","params":{"interval":3}}', -32602),
    ],
)
def test_a_wrong_call_is_answered_with_its_error(text: bytes, code: int) -> None:
    hand = Hand(FUTURES)
    connection, pipe = hand.client()
    hand.say(connection, text)
    (said,) = pipe.taken()
    assert json.loads(said)["error"]["code"] == code
    (refused,) = hand.meant([said])
    assert isinstance(refused, Control) and refused.kind == "refused"


class Listener:
    """A session whose clock is set by hand."""

    def __init__(self) -> None:
        self.memory: dict[str, Any] = {}
        self.now_ms = 1_795_000_000_000
        self.hung_up = False

    def hang_up(self, code: int | None = None, reason: str = "") -> None:
        self.hung_up = True


def test_who_proves_to_be_alive_is_asked_again_and_who_does_not_is_hung_up_on() -> None:
    listener: Any = Listener()
    limits = FORMS[FUTURES].limits
    assert deribit.tick(listener) == ()  # nobody asked for a heartbeat
    (ok,) = deribit.control(listener, DERIBIT_FUTURES.greeting[0].decode(), limits)
    assert json.loads(ok)["result"] == "ok"
    for _ in range(3):
        listener.now_ms += 30_000
        said = [event for one in deribit.tick(listener) for event in DERIBIT_FUTURES.decode(one, 1, Memory())]
        assert [one.kind for one in said if isinstance(one, Control)] == ["pong", "asking"]
        reply = said[1].reply if isinstance(said[1], Control) else b""
        (answer,) = deribit.control(listener, reply.decode(), limits)
        assert "version" in json.loads(answer)["result"]
        assert deribit.tick(listener) == ()
    listener.now_ms += 30_000
    assert len(deribit.tick(listener)) == 2 and not listener.hung_up
    listener.now_ms += 30_000
    assert deribit.tick(listener) == () and listener.hung_up


# ── REST ──────────────────────────────────────────────────────────────────────────────────────

NAMED = {"instrument_name": "BTC-PERPETUAL"}
EVER = {"start_timestamp": "0", "end_timestamp": str(1 << 50)}


@pytest.mark.parametrize(
    ("method", "params", "kinds"),
    [
        ("get_time", {}, {Control}),
        ("get_instruments", {"currency": "USDC", "kind": "future"}, {Instrument}),
        ("get_instrument", NAMED, {Instrument}),
        ("ticker", NAMED, {MarkPrice, IndexPrice, Funding, OpenInterest, Quote, Ticker}),
        ("get_order_book", NAMED, {BookUpdate, MarkPrice, IndexPrice, Funding, OpenInterest, Ticker}),
        ("get_last_trades_by_instrument", {**NAMED, "count": "5"}, {Trade}),
        ("get_last_trades_by_instrument_and_time", {**NAMED, **EVER}, {Trade}),
        ("get_last_trades_by_currency", {"currency": "BTC"}, {Trade}),
        ("get_last_trades_by_currency_and_time", {"currency": "USDC", **EVER}, {Trade}),
        (
            "get_book_summary_by_currency",
            {"currency": "any", "kind": "future"},
            {MarkPrice, Funding, OpenInterest, Quote, Ticker},
        ),
        ("get_book_summary_by_instrument", NAMED, {MarkPrice, Funding, OpenInterest, Quote, Ticker}),
        ("get_tradingview_chart_data", {**NAMED, **EVER, "resolution": "1"}, {Candle}),
        ("get_funding_rate_history", {**NAMED, **EVER}, {Funding}),
        ("get_index_price", {"index_name": "sol_usdc"}, {IndexPrice}),
        ("get_last_settlements_by_currency", {"currency": "BTC"}, {Settlement}),
        ("get_last_settlements_by_instrument", NAMED, {Settlement}),
        ("get_currencies", {}, {Asset}),
        ("get_index_price_names", {}, {Asset}),
        ("get_announcements", {}, {Announcement}),
        ("status", {}, {VenueStatus}),
    ],
)
def test_each_answer_about_futures_is_read(
    method: str, params: dict[str, str], kinds: set[type[Event]]
) -> None:
    hand = Hand(FUTURES, SYMBOLS)
    hand.run(3)
    assert {type(one) for one in hand.rest(method, **params)} == kinds


def test_a_page_of_trades_begins_at_a_number_and_says_whether_there_is_more() -> None:
    hand = Hand(FUTURES)
    hand.run(5)
    latest = hand.body("get_last_trades_by_instrument", **NAMED, count="3")["result"]
    assert [row["trade_seq"] for row in latest["trades"]] == sorted(
        (row["trade_seq"] for row in latest["trades"]), reverse=True
    )
    last = latest["trades"][0]["trade_seq"]
    page = hand.body("get_last_trades_by_instrument", **NAMED, start_seq=str(last - 9), count="4")["result"]
    assert [row["trade_seq"] for row in page["trades"]] == [last - 9, last - 8, last - 7, last - 6]
    assert page["has_more"] is True
    assert (
        hand.body("get_last_trades_by_instrument", **NAMED, start_seq=str(last))["result"]["has_more"]
        is False
    )


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("ticker", {}),
        ("ticker", {"instrument_name": "NO-PERPETUAL"}),
        ("get_order_book", {**NAMED, "depth": "7"}),
        ("get_last_trades_by_instrument", {**NAMED, "count": "many"}),
        ("get_tradingview_chart_data", {**NAMED, **EVER, "resolution": "7"}),
        ("get_index_price", {"index_name": "no_usd"}),
        ("get_instruments", {}),
    ],
)
@pytest.mark.parametrize("name", [FUTURES, OPTIONS])
def test_a_wrong_request_is_refused_in_the_venues_words(
    name: str, method: str, params: dict[str, str]
) -> None:
    if name == OPTIONS and method == "get_tradingview_chart_data":
        return  # options have no candles of ours
    hand = Hand(name)
    with pytest.raises(Refusal) as caught:
        hand.body(method, **params)
    body = msgspec.json.encode(caught.value.body)
    assert caught.value.status == 400
    found = hand.venue.refusals.complaint(body)
    assert found is not None and found[0] == "-32602"
    limited = hand.venue.refusals.complaint(msgspec.json.encode(deribit.refusal(429)))
    assert limited is not None and limited[0] in hand.venue.refusals.limited_codes


# ── Options ───────────────────────────────────────────────────────────────────────────────────


def test_a_chain_is_found_in_the_listing_and_told_with_its_greeks() -> None:
    hand = Hand(OPTIONS, ("BTCUSDT", "ETHUSDT"))
    assert len(hand.memory.contracts) == 2 * 3 * 5 * 2
    connection, pipe = hand.client()
    names = hand.names("BTCUSDT", "ETHUSDT")
    assert len(names) == 60 + 2 + 2
    hand.say(connection, hand.venue.subscribe(names, 1))
    hand.run(20)
    events = hand.meant(pipe.taken())
    assert {type(one) for one in events} == {Control, Option, Trade, VolatilityIndex}
    (ack,) = of(events, Control)
    assert sorted(ack.names) == sorted(names)
    rows = of(events, Option)
    assert {one.instrument for one in rows} == set(hand.memory.contracts)
    for one in rows:
        assert one.venue == OPTIONS and one.symbol == one.instrument[:3] + "USDT"
        assert 0.1 < one.mark_iv < 2 and one.expiry_ts > hand.now_ms * MS
        assert one.ask > one.mark_price - 0.0001 and (one.bid is None or one.bid < one.ask)
        assert (one.bid is None) == (one.bid_iv is None)
        assert 0 <= one.delta <= 1 if one.kind == "call" else -1 <= one.delta <= 0
    assert any(one.bid is None for one in rows) and any(one.bid is not None for one in rows)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        trades = [one for one in of(events, Trade) if one.symbol == symbol]
        assert trades and all(one.size > 0 and one.sequence is None for one in trades)
        told = hand.simulation.ledger.told[OPTIONS, symbol, "trades"]
        assert told.rows == len(trades)
        index = [one.value for one in of(events, VolatilityIndex) if one.symbol == symbol]
        assert len(index) >= 19 and all(20 < one < 120 for one in index)


def test_the_surface_has_all_marks_at_once_as_fractions() -> None:
    hand = Hand(OPTIONS)
    connection, pipe = hand.client()
    hand.say(connection, hand.venue.subscribe(hand.names("BTCUSDT", channels=("surface",)), 1))
    hand.run(2)
    rows = of(hand.meant(pipe.taken()), Option)
    assert {one.instrument for one in rows} == set(hand.memory.contracts)
    assert all(0.1 < one.mark_iv < 2 and one.delta is None for one in rows)


OPTION_KINDS = [
    ("get_time", {}, {Control}),
    ("get_instruments", {"currency": "BTC", "kind": "option"}, {Instrument}),
    ("get_instrument", {"instrument_name": ""}, {Instrument}),
    ("ticker", {"instrument_name": ""}, {Option}),
    ("get_order_book", {"instrument_name": ""}, {BookUpdate, Option}),
    ("get_last_trades_by_currency", {"currency": "BTC", "kind": "option"}, {Trade}),
    ("get_last_trades_by_currency_and_time", {"currency": "BTC", **EVER}, {Trade}),
    ("get_book_summary_by_currency", {"currency": "BTC", "kind": "option"}, {Option}),
    ("get_book_summary_by_instrument", {"instrument_name": ""}, {Option}),
    ("get_volatility_index_data", {"currency": "BTC", **EVER, "resolution": "60"}, {VolatilityIndex}),
    ("get_volatility_index_data", {"currency": "BTC", **EVER, "resolution": "3600"}, {VolatilityBar}),
    ("get_historical_volatility", {"currency": "BTC"}, {Volatility}),
    ("get_expirations", {"currency": "BTC", "kind": "option"}, {Asset}),
    (
        "get_instruments",
        {"currency": "any", "kind": "option", "expired": "false"},
        {Asset, OptionContract},
    ),
    ("status", {}, {VenueStatus}),
]


@pytest.mark.parametrize(("method", "params", "kinds"), OPTION_KINDS)
def test_each_answer_about_options_is_read(
    method: str, params: dict[str, str], kinds: set[type[Event]]
) -> None:
    hand = Hand(OPTIONS)
    hand.run(30, step_ms=100)
    if "instrument_name" in params:
        params = {"instrument_name": next(iter(hand.memory.contracts))}
    found = hand.rest(method, **params)
    assert {type(one) for one in found} == kinds
    assert {one.venue for one in found} == {OPTIONS}


def test_the_trades_of_an_option_are_numbered_one_by_one() -> None:
    hand = Hand(OPTIONS)
    hand.run(400, step_ms=100)
    every = hand.body("get_last_trades_by_currency", currency="BTC", count="1000", sorting="asc")["result"][
        "trades"
    ]
    name = every[-1]["instrument_name"]
    own = hand.body("get_last_trades_by_instrument", instrument_name=name, sorting="asc", count="1000")[
        "result"
    ]
    numbers = [row["trade_seq"] for row in own["trades"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len({row["trade_id"] for row in every}) == len(every)
    assert hand.body("get_instruments", currency="BTC", kind="future")["result"] == []


@pytest.mark.parametrize("call", [True, False])
@pytest.mark.parametrize("strike", [80.0, 100.0, 125.0])
def test_the_greeks_are_the_slopes_of_the_value(strike: float, call: bool) -> None:
    forward, years, vol, step = 100.0, 0.25, 0.6, 1e-3

    def value(f: float = forward, y: float = years, v: float = vol) -> float:
        return black_76(f, strike, y, v, call=call).value

    found = black_76(forward, strike, years, vol, call=call)
    assert found.delta == pytest.approx(
        (value(forward + step) - value(forward - step)) / (2 * step), rel=1e-4
    )
    bent = (value(forward + 0.1) - 2 * value() + value(forward - 0.1)) / 0.01
    assert found.gamma == pytest.approx(bent, rel=1e-3)
    assert found.vega * 100 == pytest.approx((value(v=vol + 1e-4) - value(v=vol - 1e-4)) / 2e-4, rel=1e-4)
    day = 1 / 365
    assert found.theta == pytest.approx(value(y=years - day / 100) * 100 - value() * 100, rel=1e-2)
    # put and call: C - P = F - K where there is no interest
    other = black_76(forward, strike, years, vol, call=not call).value
    assert (found.value - other) * (1 if call else -1) == pytest.approx(forward - strike)


def test_every_friday_an_expiry_goes_and_another_comes() -> None:
    friday = 1_794_556_800_000  # 2026-11-13T08:00Z
    before, after = listed("BTCUSDT", friday - 1), listed("BTCUSDT", friday)
    assert {one.expiry_ms for one in before} == {friday, friday + 7 * 86_400_000, friday + 28 * 86_400_000}
    assert {one.expiry_ms for one in after} == {friday + days * 86_400_000 for days in (7, 14, 35)}
    assert {one.name for one in after} & {one.name for one in before}
    for one in before:
        found = quoted(one, "BTCUSDT", 87_250.0, friday - 1)
        assert math.isfinite(found.mark) and found.mark >= 0


def test_the_same_seed_draws_the_same_trades() -> None:
    def drawn(seed: int) -> list[Any]:
        hand = Hand(OPTIONS, seed=seed)
        hand.run(60, step_ms=100)
        rows = hand.body("get_last_trades_by_currency", currency="BTC", count="1000")["result"]["trades"]
        return [(row["direction"], row["amount"]) for row in rows]

    assert drawn(1) == drawn(1) != drawn(2)

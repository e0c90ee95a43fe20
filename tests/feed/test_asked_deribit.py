"""Deribit asked every question of its forms over a real socket; the answers are the simulated market's own truth."""

import asyncio
from collections.abc import Iterable
from typing import Any, TypeVar

import pytest

from orderflow.feed.answering import Answering
from orderflow.feed.rest import Rest
from orderflow.market.errors import InvalidArgument, OrderflowError, UnknownSymbol
from orderflow.market.events import (
    HOUR,
    MS,
    SECOND,
    BookUpdate,
    Candle,
    Event,
    Funding,
    IndexPrice,
    Instrument,
    MarkPrice,
    OpenInterest,
    Option,
    Quote,
    Ticker,
    Trade,
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
from orderflow.sim import Simulation
from orderflow.sim.connections import clock_ms
from orderflow.sim.deribit_chain import Contract, at_the_money, listed, quoted
from orderflow.sim.deribit_facts_rest import session_profit
from orderflow.sim.listings import COINS
from orderflow.sim.market import Market
from orderflow.sim.perpetual import Perpetual
from orderflow.venues.deribit import DERIBIT_FUTURES, DERIBIT_OPTIONS
from orderflow.venues.questions import Asked, Told
from orderflow.venues.spec import Hosts, Venue

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
FORMS = (DERIBIT_FUTURES, DERIBIT_OPTIONS)
FUTURES, OPTIONS = (one.name for one in FORMS)
E = TypeVar("E", bound=Event)

Answers = dict[str, Told | OrderflowError]


class Heard:
    """A market that ran for a second and stands still since, and what its venues answered then."""

    def __init__(self) -> None:
        self.simulation = Simulation(SYMBOLS, venues=(FUTURES, OPTIONS), rate=60.0)
        self.answers: Answers = {}
        asyncio.run(self._hear())

    @property
    def markets(self) -> dict[str, Market]:
        return self.simulation.markets

    def perpetual(self, symbol: str = "BTCUSDT") -> Perpetual:
        return self.markets[symbol].perpetuals[FUTURES]

    def contract(self) -> Contract:
        """An option of the second expiry at the money."""
        return listed("BTCUSDT", self.asked_ms)[14]

    def told(self, key: str) -> Told:
        found = self.answers[key]
        assert isinstance(found, Told), found
        return found

    def of(self, key: str, kind: type[E], symbol: str | None = None) -> list[E]:
        events = [one for one in self.told(key).events if isinstance(one, kind)]
        return [one for one in events if symbol in (None, one.symbol)]

    def one(self, key: str, kind: type[E], symbol: str | None = None) -> E:
        (found,) = self.of(key, kind, symbol)
        return found

    async def _hear(self) -> None:
        await self.simulation.start()
        try:
            await asyncio.sleep(1.0)
            pulse = self.simulation._pulse
            assert pulse is not None
            pulse.cancel()
            self.asked_ms = clock_ms()
            for form in FORMS:
                rest = Rest(form, Hosts(**self.simulation.hosts(form.name)))
                try:
                    await self._ask(form, Answering(rest))
                finally:
                    await rest.close()
        finally:
            await self.simulation.stop()

    async def _ask(self, form: Venue, answering: Answering) -> None:
        for name, asked in self._questions(form):
            try:
                self.answers[name] = await answering.answer(asked)
            except OrderflowError as error:
                self.answers[name] = error

    def _questions(self, form: Venue) -> Iterable[tuple[str, Asked]]:
        if form is DERIBIT_FUTURES:
            yield "unknown symbol", Asked(question="ticker", about="NOPEUSDT")
            yield "unknown period", Asked(question="candles", about="BTCUSDT", period="7m")
            yield "book of SOL", Asked(question="book", about="SOLUSDT", rows=15)
        else:
            yield "unknown coin", Asked(question="realised_volatility", about="NOPE")
            yield "unknown option", Asked(question="option", about="BTC-1JAN20-1-C")
            yield "chain of SOL", Asked(question="option_chain", about="SOL")
        for question in {one.name: one for one in form.questions}.values():
            about: dict[str, Any] = {"symbol": "BTCUSDT", "coin": "BTC", "venue": None}
            about["instrument"] = self.contract().name
            yield (
                f"{form.name} {question.name}",
                Asked(
                    question=question.name,
                    about=about[question.of],
                    rows=12,
                    period="1h" if question.period else None,
                ),
            )


@pytest.fixture(scope="module")
def heard() -> Heard:
    return Heard()


def test_every_question_of_the_forms_is_answered(heard: Heard) -> None:
    for form in FORMS:
        for question in form.questions:
            if question.name != "liquidations":  # the simulation's pages do not keep which trades were forced
                assert heard.told(f"{form.name} {question.name}").events, question.name


# ── Futures ───────────────────────────────────────────────────────────────────────────────────


def test_a_ticker_tells_the_touch_the_mark_the_funding_and_what_is_open(heard: Heard) -> None:
    key, held = f"{FUTURES} ticker", heard.perpetual()
    exchange = heard.markets["BTCUSDT"].exchanges[FUTURES]
    tick, lot = exchange.listing.tick_size, exchange.listing.lot_size
    quote, mark = heard.one(key, Quote), heard.one(key, MarkPrice)
    assert quote.bid == pytest.approx(exchange.book.best_bid * tick)
    assert quote.ask == pytest.approx(exchange.book.best_ask * tick)
    assert (mark.mark, mark.index) == pytest.approx((held.marked.mark, held.marked.index), abs=0.01)
    interest = heard.one(key, OpenInterest)
    assert interest.usd == pytest.approx(held.open_lots * lot)  # an inverse contract counts dollars
    assert interest.size == pytest.approx(held.open_lots * lot / held.marked.mark, rel=1e-6)
    assert heard.one(key, Ticker).last == pytest.approx(exchange.candles.running.close * tick)
    assert heard.told(key).native == "BTC-PERPETUAL"


@pytest.mark.parametrize("name", ["tickers", "quotes", "marks", "fundings", "open_interests"])
def test_what_is_asked_of_all_is_told_of_every_perpetual(heard: Heard, name: str) -> None:
    events = heard.told(f"{FUTURES} {name}").events
    assert {one.symbol for one in events} == set(SYMBOLS)


def test_all_tell_the_same_as_one(heard: Heard) -> None:
    for name, kind in (
        ("mark", MarkPrice),
        ("quote", Quote),
        ("open_interest", OpenInterest),
        ("funding", Funding),
    ):
        one, all_ = heard.one(f"{FUTURES} {name}", kind), heard.one(f"{FUTURES} {name}s", kind, "BTCUSDT")
        for field in ("mark", "bid", "ask", "usd", "rate"):
            assert getattr(one, field, None) == getattr(all_, field, None)


def test_a_book_has_as_many_levels_as_the_next_of_its_steps(heard: Heard) -> None:
    (book,) = heard.told("book of SOL").events
    assert isinstance(book, BookUpdate)
    exchange = heard.markets["SOLUSDT"].exchanges[FUTURES]
    bids, asks = exchange.book.top(20)
    tick, lot = exchange.listing.tick_size, exchange.listing.lot_size
    assert book.depth == 20  # fifteen were asked
    assert book.bids == [pytest.approx((price * tick, size * lot)) for price, size in bids]
    assert book.asks == [pytest.approx((price * tick, size * lot)) for price, size in asks]


def test_trades_are_the_last_of_the_tape_oldest_first(heard: Heard) -> None:
    trades = heard.of(f"{FUTURES} trades", Trade)
    rows = list(heard.markets["BTCUSDT"].exchanges[FUTURES].fills.latest(12))
    assert [one.sequence for one in trades] == [row.id for row in rows]
    lot = heard.markets["BTCUSDT"].exchanges[FUTURES].listing.lot_size
    assert [one.size * one.price for one in trades] == pytest.approx([row.lots * lot for row in rows])


def test_candles_are_of_the_hours_asked(heard: Heard) -> None:
    bars = heard.of(f"{FUTURES} candles", Candle)
    assert [one.interval for one in bars] == ["1h"] * len(bars)
    assert 12 <= len(bars) <= 13
    exchange = heard.markets["BTCUSDT"].exchanges[FUTURES]
    assert not bars[-1].closed
    assert bars[-1].close == pytest.approx(exchange.candles.running.close * exchange.listing.tick_size)


def test_the_past_of_funding_has_a_row_an_hour_in_a_window_that_nobody_had_to_name(heard: Heard) -> None:
    rows = heard.of(f"{FUTURES} funding_history", Funding)
    paid = heard.perpetual().settlements[-2:]
    assert 11 <= len(rows) <= 12  # twelve hours back
    assert {one.rate for one in rows} <= {round(one.rate, 8) for one in heard.perpetual().settlements}
    assert rows[-1].rate == pytest.approx(paid[-1].rate, abs=1e-8)


def test_index_settlements_currencies_and_state_are_those_of_the_market(heard: Heard) -> None:
    index = heard.one(f"{FUTURES} index", IndexPrice)
    assert (index.symbol, index.price) == ("BTCUSDT", pytest.approx(heard.perpetual().marked.index, abs=0.01))
    names = {one.native for one in heard.of(f"{FUTURES} indices", Asset)}
    assert names == {"btc_usd", "eth_usd", "sol_usdc"}
    assert {one.name for one in heard.of(f"{FUTURES} currencies", Asset)} == {"BTC", "ETH", "USDC"}
    settled = heard.of(f"{FUTURES} settlements", Settlement)
    seed = heard.markets["BTCUSDT"].seed
    assert settled and {one.instrument for one in settled} == {"BTC-PERPETUAL"}
    for one in settled:
        assert one.ts_event is not None and one.ts_event % (24 * HOUR) == 8 * HOUR
        assert one.profit_loss == session_profit(seed, "BTCUSDT", one.ts_event // MS)
    assert heard.one(f"{FUTURES} status", VenueStatus).status == "online"
    assert heard.one(f"{FUTURES} announcements", Announcement).title == "Simulated maintenance"
    assert len(heard.of(f"{FUTURES} instruments", Instrument)) == 3


# ── Options ───────────────────────────────────────────────────────────────────────────────────


def test_the_chain_is_that_of_the_market_without_greeks(heard: Heard) -> None:
    rows = {one.instrument: one for one in heard.of(f"{OPTIONS} option_chain", Option)}
    market = heard.markets["BTCUSDT"]
    contracts = listed("BTCUSDT", heard.asked_ms)
    assert rows.keys() == {one.name for one in contracts}
    for one in contracts:
        row = rows[one.name]
        truth = quoted(one, "BTCUSDT", market.price, (row.ts_event or 0) // MS)
        assert (row.strike, row.kind) == (one.strike, "call" if one.call else "put")
        assert row.open_interest == one.open_interest
        assert row.mark_iv == pytest.approx(truth.mark_iv, abs=5e-5)
        assert row.underlying_price == pytest.approx(truth.forward, abs=0.005)
        assert row.bid == (truth.bid or None)
        assert (row.delta, row.gamma, row.bid_iv) == (None, None, None)


def test_one_option_is_told_with_its_greeks(heard: Heard) -> None:
    one = heard.contract()
    row, book = heard.one(f"{OPTIONS} option", Option), heard.one(f"{OPTIONS} option_book", BookUpdate)
    truth = quoted(one, "BTCUSDT", heard.markets["BTCUSDT"].price, (row.ts_event or 0) // MS)
    assert row.instrument == book.symbol == one.name
    assert (row.delta, row.gamma) == pytest.approx((truth.priced.delta, truth.priced.gamma), abs=1e-4)
    assert (row.vega, row.theta) == pytest.approx((truth.priced.vega, truth.priced.theta), rel=1e-3)
    assert [price for price, _ in book.bids] == [truth.bid]
    assert [price for price, _ in book.asks] == [truth.ask]


def test_what_is_listed_is_told_by_underlying_by_expiry_and_each(heard: Heard) -> None:
    contracts = listed("BTCUSDT", heard.asked_ms) + listed("ETHUSDT", heard.asked_ms)
    assert {one.name for one in heard.of(f"{OPTIONS} option_underlyings", Asset)} == {"BTC", "ETH"}
    rows = heard.of(f"{OPTIONS} option_contracts", OptionContract)
    assert [(one.instrument, one.strike) for one in rows] == [(one.name, one.strike) for one in contracts]
    expiries = heard.of(f"{OPTIONS} option_expirations", Asset)
    assert [one.expiry_ts for one in expiries] == sorted({one.expiry_ms * MS for one in contracts})


def test_volatilities_are_fractions_realised_and_implied(heard: Heard) -> None:
    realised = heard.of(f"{OPTIONS} realised_volatility", Volatility)
    assert {(one.symbol, one.value, one.kind) for one in realised} == {
        ("BTC", COINS["BTCUSDT"].yearly_vol, "realised")
    }
    bars = heard.of(f"{OPTIONS} volatility_index", VolatilityBar)
    assert 12 <= len(bars) <= 13
    for one in bars:
        assert one.ts_event is not None
        opened_ms = (one.ts_event - 3600 * SECOND) // MS
        assert one.open == pytest.approx(at_the_money("BTCUSDT", opened_ms), abs=1e-4)
        assert one.low <= one.open <= one.high


def test_trades_of_a_coins_options_come_together(heard: Heard) -> None:
    names = {one.name for one in listed("BTCUSDT", heard.asked_ms)}
    trades = heard.of(f"{OPTIONS} trades", Trade)
    assert names and trades and {one.symbol for one in trades} == {"BTCUSDT"}


# ── What is not there ─────────────────────────────────────────────────────────────────────────


def test_who_asks_for_what_is_not_there_is_told_what_is(heard: Heard) -> None:
    symbol, period = heard.answers["unknown symbol"], heard.answers["unknown period"]
    assert isinstance(symbol, UnknownSymbol) and "ETHUSDT" in str(symbol.hint)
    assert isinstance(period, InvalidArgument) and "1h" in str(period.hint)
    for key in ("unknown coin", "unknown option"):
        assert isinstance(heard.answers[key], InvalidArgument)
    assert heard.told("chain of SOL").events == []  # the simulation has no options settled in USDC

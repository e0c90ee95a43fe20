"""What Gate is asked, over a real socket to its simulation: every question of its three forms, beside the truth."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from orderflow import venues
from orderflow.feed.answering import Answering
from orderflow.feed.rest import Rest
from orderflow.market.errors import InvalidArgument, UnknownSymbol, UnsupportedByVenue
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
    Liquidation,
    MarkPrice,
    OpenInterest,
    Option,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.facts import (
    Asset,
    Basis,
    ContractStats,
    InsuranceFund,
    LastPrice,
    LongShort,
    OptionContract,
    RiskTier,
    TakerVolume,
)
from orderflow.sim import Simulation
from orderflow.sim.deribit_chain import listed, quoted
from orderflow.sim.gate_contracts import expiry
from orderflow.sim.gate_options import native as option_name
from orderflow.sim.happenings import Liquidated
from orderflow.sim.standing import balance, share
from orderflow.venues.questions import QUESTIONS, Asked, Told
from orderflow.venues.spec import Hosts

FUTURES, DELIVERY, OPTIONS = VENUES = ("gate_futures", "gate_delivery", "gate_options")
COINS = ("BTCUSDT", "ETHUSDT")
DAY_MS = 86_400_000
E = TypeVar("E", bound=Event)


class Gate:
    """The simulated venue, and who asks it; the market stands still between two steps."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.answering = {
            name: Answering(Rest(venues.ALL[name], Hosts(**simulation.hosts(name)))) for name in VENUES
        }
        self.market = simulation.markets["BTCUSDT"]

    async def ask(self, venue: str, question: str, about: str | None = None, **how: Any) -> Told:
        return await self.answering[venue].answer(Asked(question=question, about=about, **how))

    async def of(
        self, kind: type[E], venue: str, question: str, about: str | None = None, **how: Any
    ) -> list[E]:
        """Ask, and return the events of one kind."""
        return [
            one for one in (await self.ask(venue, question, about, **how)).events if isinstance(one, kind)
        ]

    def exchange(self, venue: str = FUTURES) -> Any:
        return self.market.exchanges[venue]

    @property
    def perpetual(self) -> Any:
        return self.market.perpetuals[FUTURES]


def told(story: Callable[[Gate], Awaitable[None]]) -> None:
    """Run a story against a simulation that has traded for a moment and then stands still."""

    async def whole() -> None:
        simulation = Simulation(COINS, venues=VENUES, rate=200.0)
        await simulation.start()
        gate = Gate(simulation)
        try:
            await asyncio.sleep(0.3)
            simulation._step = lambda now_ms: None  # type: ignore[method-assign]
            await story(gate)
        finally:
            for one in gate.answering.values():
                await one.rest.close()
            await simulation.stop()

    asyncio.run(asyncio.wait_for(whole(), 60))


ARGUMENTS: dict[str, dict[str, Any]] = {
    "candles": {"period": "1m", "rows": 5},
    "contract_stats": {"period": "5m", "rows": 3},
    "long_short": {"period": "5m", "rows": 3},
    "taker_volume": {"period": "5m", "rows": 3},
    "open_interest_history": {"period": "5m", "rows": 3},
}


def test_every_question_of_each_form_is_answered_with_what_it_asks_for() -> None:
    async def story(gate: Gate) -> None:
        day = f"{expiry(gate.market._now_ms):%Y%m%d}"
        gate.perpetual.liquidated.append(
            Liquidated(gate.market._now_ms, True, 800_000, 10, 10, 8_000_000, 10)
        )
        symbols = {FUTURES: "BTCUSDT", DELIVERY: f"BTCUSDT{day}", OPTIONS: "BTCUSDT"}
        option = option_name(listed("BTCUSDT", gate.market._now_ms)[0])
        for venue in VENUES:
            for question in dict.fromkeys(one.name for one in venues.ALL[venue].questions):
                of = venues.ALL[venue].asked(question)[-1].of
                about = {"symbol": symbols[venue], "coin": "BTC", "instrument": option, "venue": None}[of]
                found = await gate.ask(venue, question, about, **ARGUMENTS.get(question, {}))
                assert found.events, (venue, question)
                for one in found.events:
                    assert isinstance(one, QUESTIONS[question]) and one.venue == venue, (question, one)

    told(story)


# ── Perpetuals ────────────────────────────────────────────────────────────────────────────────


def test_a_perpetual_is_what_its_exchange_and_its_state_say() -> None:
    async def story(gate: Gate) -> None:
        exchange, perpetual = gate.exchange(), gate.perpetual
        tick, lot, marked = exchange.listing.tick_size, exchange.listing.lot_size, perpetual.marked
        ticker = await gate.ask(FUTURES, "ticker", "BTCUSDT")
        last = {type(one): one for one in ticker.events}
        (day,) = [one for one in ticker.events if isinstance(one, Ticker)]
        whole = exchange.candles.day()
        assert day.last == pytest.approx(whole.close * tick)
        assert day.volume == pytest.approx(whole.lots * lot)
        assert ticker.native == "BTC_USDT"
        assert last[MarkPrice].mark == pytest.approx(marked.mark, rel=1e-6)  # type: ignore[attr-defined]
        assert last[IndexPrice].price == pytest.approx(marked.index, rel=1e-6)  # type: ignore[attr-defined]
        funding = last[Funding]
        assert isinstance(funding, Funding) and funding.interval_hours == 8.0
        assert (funding.rate, funding.next_ts) == (
            pytest.approx(marked.funding, abs=1e-6),
            marked.next_funding_ms * MS,
        )
        (interest,) = await gate.of(OpenInterest, FUTURES, "open_interest", "BTCUSDT")
        assert interest.size == pytest.approx(perpetual.open_lots * lot)
        (price,) = await gate.of(LastPrice, FUTURES, "price", "BTCUSDT")
        assert (price.price, price.kind) == (pytest.approx(whole.close * tick), "last")
        (quote,) = await gate.of(Quote, FUTURES, "quote", "BTCUSDT")
        assert (quote.bid, quote.ask) == (
            pytest.approx(exchange.book.best_bid * tick),
            pytest.approx(exchange.book.best_ask * tick),
        )
        (book,) = await gate.of(BookUpdate, FUTURES, "book", "BTCUSDT", rows=150)
        bids, asks = exchange.book.top(150)
        for said, truth in ((book.bids, bids), (book.asks, asks)):
            assert said == [(pytest.approx(at * tick), pytest.approx(lots * lot)) for at, lots in truth]
        trades = await gate.of(Trade, FUTURES, "trades", "BTCUSDT", rows=20)
        assert 0 < len(trades) <= 20 and trades[0].id in (exchange.fills.last_id, exchange.fills.last_id - 1)
        everyone = await gate.of(Ticker, FUTURES, "tickers")
        assert {one.symbol for one in everyone} == set(COINS)
        rates = await gate.of(Funding, FUTURES, "fundings")
        assert {one.symbol: one.interval_hours for one in rates} == dict.fromkeys(COINS, 8.0)
        listing = await gate.of(Instrument, FUTURES, "instruments")
        assert [(one.symbol, one.contract_size) for one in listing] == [
            ("BTCUSDT", 0.0001),
            ("ETHUSDT", 0.01),
        ]

    told(story)


def test_the_past_of_a_perpetual_is_that_of_the_simulation() -> None:
    async def story(gate: Gate) -> None:
        exchange, perpetual = gate.exchange(), gate.perpetual
        tick, lot = exchange.listing.tick_size, exchange.listing.lot_size
        hours = await gate.of(Candle, FUTURES, "candles", "BTCUSDT", period="1h", rows=3)
        assert {one.interval for one in hours} == {"1h"}  # and the bar that the window begins in
        assert [one.closed for one in hours] == [True, True, True, False]
        begins = hours[0].open_ts // MS
        minutes = gate.market.minutes(FUTURES, begins, begins + 3_600_000 - 1)
        assert hours[0].open == pytest.approx(minutes[0].open * tick)
        assert hours[0].volume == pytest.approx(sum(one.lots for one in minutes) * lot)
        (week,) = (await gate.of(Candle, FUTURES, "candles", "BTCUSDT", period="1w", rows=1))[-1:]
        assert (week.open_ts // (24 * HOUR) + 3) % 7 == 0  # a Monday
        paid = await gate.of(Funding, FUTURES, "funding_history", "BTCUSDT", rows=5)
        assert [(one.ts_event, one.rate) for one in paid] == [
            (one.ts * MS, pytest.approx(one.rate, abs=1e-6)) for one in reversed(perpetual.settlements[-5:])
        ]
        interests = await gate.of(
            OpenInterest, FUTURES, "open_interest_history", "BTCUSDT", period="1h", rows=4
        )
        assert len(interests) == 4
        at = (interests[0].ts_event or 0) // MS
        (then,) = gate.market.pasts[FUTURES].open_interest(at, at + 1)
        assert interests[0].size == pytest.approx(then.lots * lot)
        funds = await gate.of(InsuranceFund, FUTURES, "insurance_fund", rows=2)
        assert [(one.coin, one.balance) for one in funds] == [
            ("USDT", balance(7, FUTURES, "USDT", ts=(one.ts_event or 0) // MS)) for one in funds
        ]
        tiers = await gate.of(RiskTier, FUTURES, "risk_tiers", "BTCUSDT")
        assert [(one.symbol, one.tier, one.limit, one.unit) for one in tiers] == [
            ("BTCUSDT", tier, limit, "quote") for tier, limit in ((1, 1e5), (2, 1e6), (3, 1e7))
        ]
        assert (tiers[1].initial_margin, tiers[1].maintenance_margin, tiers[1].max_leverage) == (
            0.02,
            0.01,
            50,
        )

    told(story)


def test_statistics_are_of_the_period_that_ends_when_they_say() -> None:
    async def story(gate: Gate) -> None:
        tick, lot = gate.exchange().listing.tick_size, gate.exchange().listing.lot_size
        gate.perpetual.liquidated.clear()
        now_ms = gate.market._now_ms
        for sells, price, lots in ((True, 800_000, 30), (False, 810_000, 20)):
            gate.perpetual.liquidated.append(Liquidated(now_ms, sells, price, lots, lots, price * lots, lots))
        how: dict[str, Any] = {"period": "15m", "rows": 2}
        ratios = await gate.of(LongShort, FUTURES, "long_short", "BTCUSDT", **how)
        assert [one.of for one in ratios] == ["accounts", "top_accounts", "top_positions"] * 2
        for one in ratios:
            begins = (one.ts_event or 0) // MS - 900_000
            long = share(7, FUTURES, "BTCUSDT", one.of, ts=begins)
            assert (one.long, one.short) == (pytest.approx(long), pytest.approx(1 - long))
            assert (one.ratio, one.period_s) == (pytest.approx(long / (1 - long)), 900)
        _, running = await gate.of(ContractStats, FUTURES, "contract_stats", "BTCUSDT", **how)
        assert (running.long_liquidated, running.short_liquidated) == (
            pytest.approx(30 * lot),
            pytest.approx(20 * lot),
        )
        assert running.long_liquidated_usd == pytest.approx(30 * lot * 800_000 * tick)
        assert running.open_interest == pytest.approx(gate.perpetual.open_lots * lot)
        taken, _ = await gate.of(TakerVolume, FUTURES, "taker_volume", "BTCUSDT", **how)
        begins = (taken.ts_event or 0) // MS - 900_000
        bars = gate.market.minutes(FUTURES, begins, begins + 900_000 - 1)
        bought = sum(one.buy_lots for one in bars) * lot
        assert (taken.buy, taken.buy + taken.sell) == (
            pytest.approx(bought),
            pytest.approx(sum(one.lots for one in bars) * lot),
        )
        forced = await gate.of(Liquidation, FUTURES, "liquidations", "BTCUSDT", rows=10)
        assert {(one.side, round(one.price, 6), round(one.size, 9)) for one in forced} == {
            ("long", 80_000.0, round(30 * lot, 9)),
            ("short", 81_000.0, round(20 * lot, 9)),
        }
        assert {one.ts_event for one in forced} == {now_ms // 1000 * SECOND}

    told(story)


# ── Dated contracts ───────────────────────────────────────────────────────────────────────────


def test_a_dated_contract_stands_above_its_index_and_pays_no_funding() -> None:
    async def story(gate: Gate) -> None:
        exchange = gate.exchange(DELIVERY)
        tick, lot = exchange.listing.tick_size, exchange.listing.lot_size
        symbol = f"BTCUSDT{expiry(gate.market._now_ms):%Y%m%d}"
        listing = await gate.of(Instrument, DELIVERY, "instruments")
        assert (listing[0].symbol, listing[0].kind, listing[0].contract_size) == (symbol, "future", 0.0001)
        ticker = await gate.ask(DELIVERY, "ticker", symbol)
        assert ticker.native == f"BTC_USDT_{symbol.removeprefix('BTCUSDT')}"
        assert {type(one) for one in ticker.events} == {Ticker, MarkPrice, IndexPrice, OpenInterest, Quote}
        (basis,) = await gate.of(Basis, DELIVERY, "basis", symbol)
        index = gate.market.price
        assert basis.basis == pytest.approx(exchange.mid - index, abs=1e-5)
        assert basis.rate == pytest.approx((exchange.mid - index) / index, abs=1e-7)
        assert (basis.futures_price, basis.contract) == (pytest.approx(exchange.mid), ticker.native)
        (book,) = await gate.of(BookUpdate, DELIVERY, "book", symbol, rows=200)
        bids, _ = exchange.book.top(50)
        assert book.bids == [(pytest.approx(at * tick), pytest.approx(lots * lot)) for at, lots in bids]
        candles = await gate.of(Candle, DELIVERY, "candles", symbol, period="5m", rows=6)
        assert len(candles) == 7 and candles[-1].close == pytest.approx(exchange.candles.running.close * tick)

    told(story)


# ── Options ───────────────────────────────────────────────────────────────────────────────────


def test_the_chain_of_a_coin_is_priced_and_sized_as_the_simulation_has_it() -> None:
    async def story(gate: Gate) -> None:
        chain = {option_name(one): one for one in listed("BTCUSDT", gate.market._now_ms)}
        rows = {one.instrument: one for one in await gate.of(Option, OPTIONS, "option_chain", "btc")}
        assert set(rows) == set(chain)
        for name, one in chain.items():
            row = rows[name]
            truth = quoted(one, "BTCUSDT", gate.market.price, row.ts_recv // MS)
            assert (row.symbol, row.strike, row.expiry_ts) == ("BTCUSDT", one.strike, one.expiry_ms * MS)
            assert row.kind == ("call" if one.call else "put")
            assert row.mark_price == pytest.approx(truth.mark * truth.forward, abs=0.2)
            assert row.mark_iv == pytest.approx(truth.mark_iv, abs=1e-3)
            assert row.open_interest == pytest.approx(
                one.open_interest, abs=0.01
            )  # 0.01 of a coin a contract
            assert row.delta == pytest.approx(truth.priced.delta, abs=1e-3)
            assert row.vega == pytest.approx(truth.priced.vega, rel=1e-2, abs=1e-3)
            assert (row.bid is None) == (truth.bid == 0) and row.volume_24h is None
        name = next(iter(chain))
        (alone,) = await gate.of(Option, OPTIONS, "option", name)
        assert alone.instrument == name and alone.open_interest == rows[name].open_interest
        (book,) = await gate.of(BookUpdate, OPTIONS, "option_book", name, rows=5)
        assert (book.symbol, len(book.asks), book.asks[0][0]) == (name, 5, rows[name].ask)
        assert all(size * 100 == pytest.approx(round(size * 100)) for _, size in book.asks)
        contracts = await gate.of(OptionContract, OPTIONS, "option_contracts", "BTC")
        assert {one.instrument: (one.strike, one.contract_size) for one in contracts} == {
            one: (chain[one].strike, 0.01) for one in chain
        }
        days = await gate.of(Asset, OPTIONS, "option_expirations", "BTC")
        assert [one.expiry_ts for one in days] == sorted({one.expiry_ms * MS for one in chain.values()})
        coins = await gate.of(Asset, OPTIONS, "option_underlyings")
        assert [(one.name, one.native) for one in coins] == [("BTC", "BTC_USDT"), ("ETH", "ETH_USDT")]
        (index,) = await gate.of(IndexPrice, OPTIONS, "index", "BTCUSDT")
        assert index.price == pytest.approx(gate.market.price, rel=1e-6)

    told(story)


# ── What is refused ───────────────────────────────────────────────────────────────────────────


def test_an_unknown_symbol_period_or_option_is_refused_in_words() -> None:
    async def story(gate: Gate) -> None:
        with pytest.raises(UnknownSymbol, match="gate_futures does not list 'NOPEUSDT'"):
            await gate.ask(FUTURES, "ticker", "NOPEUSDT")
        with pytest.raises(UnknownSymbol, match="gate_delivery does not list 'BTCUSDT'") as refused:
            await gate.ask(DELIVERY, "ticker", "BTCUSDT")
        assert refused.value.hint is not None and "BTCUSDT20" in refused.value.hint
        with pytest.raises(InvalidArgument, match="no '3m' of candles"):
            await gate.ask(FUTURES, "candles", "BTCUSDT", period="3m")
        with pytest.raises(UnsupportedByVenue, match="does not answer 'average_price'"):
            await gate.ask(FUTURES, "average_price", "BTCUSDT")
        with pytest.raises(UnknownSymbol, match="CONTRACT_NOT_FOUND"):
            await gate.ask(OPTIONS, "option_book", "BTC_USDT-20200101-1-C")
        with pytest.raises(InvalidArgument, match="underlying NOPE_USDT"):
            await gate.ask(OPTIONS, "option_chain", "NOPE")
        assert (await gate.ask(OPTIONS, "option", "BTC_USDT-20200101-1-C")).events == []
        hour = {"since": 0, "until": HOUR + SECOND}
        with pytest.raises(InvalidArgument, match="3600 seconds"):
            await gate.ask(FUTURES, "liquidations", "BTCUSDT", **hour)

    told(story)

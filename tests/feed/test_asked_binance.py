"""Every question of Binance's two forms, put to the simulated venue, beside the market's own truth."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import msgspec
import pytest

from orderflow import venues
from orderflow.feed.answering import Answering
from orderflow.feed.rest import Rest
from orderflow.market import facts
from orderflow.market.errors import InvalidArgument, KeyRefused, UnknownSymbol, UnsupportedByVenue
from orderflow.market.events import (
    DAY,
    HOUR,
    MINUTE,
    MS,
    BookUpdate,
    Candle,
    Event,
    Funding,
    IndexPrice,
    Instrument,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.sim import Simulation
from orderflow.sim.candles import merged
from orderflow.sim.exchange import Exchange
from orderflow.sim.listings import Wording
from orderflow.sim.perpetual import Perpetual
from orderflow.sim.standing import balance, share
from orderflow.venues.questions import Asked, Told
from orderflow.venues.spec import Hosts, Memory

BTC, PNUT = "BTCUSDT", "PNUTUSDT"
FUTURES, SPOT = "binance_futures", "binance_spot"
BOTH = pytest.mark.parametrize("venue", [FUTURES, SPOT])
E = TypeVar("E", bound=Event)


class Stopped:
    """One venue of a simulation that has run for a moment and stands still while it is asked."""

    def __init__(self, simulation: Simulation, venue: str, rest: Rest) -> None:
        self.simulation, self.venue, self.rest = simulation, venue, rest
        self.answering = Answering(rest)

    def exchange(self, symbol: str = BTC) -> Exchange:
        return self.simulation.markets[symbol].exchanges[self.venue]

    def perpetual(self, symbol: str = BTC) -> Perpetual:
        return self.simulation.markets[symbol].perpetuals[self.venue]

    def words(self, symbol: str = BTC) -> Wording:
        return Wording(self.exchange(symbol).listing)

    async def told(self, question: str, about: str | None = BTC, **more: Any) -> Told:
        return await self.answering.answer(Asked(question=question, about=about, **more))

    async def ask(self, question: str, kind: type[E], about: str | None = BTC, **more: Any) -> list[E]:
        told = await self.told(question, about, **more)
        return [one for one in told.events if isinstance(one, kind)]


def stopped(venue: str, story: Callable[[Stopped], Awaitable[None]]) -> None:
    """Run a simulation for a moment, stop its market and tell a story over a real socket."""

    async def run() -> None:
        simulation = Simulation((BTC, PNUT), venues=(venue,), rate=200.0)
        await simulation.start()
        rest = Rest(venues.ALL[venue], Hosts(**simulation.hosts(venue)))
        try:
            await asyncio.sleep(0.4)
            assert simulation._pulse is not None
            simulation._pulse.cancel()
            await story(Stopped(simulation, venue, rest))
        finally:
            await rest.close()
            await simulation.stop()

    asyncio.run(run())


def asked_of(venue: str) -> set[str]:
    return {one.name for one in venues.ALL[venue].questions}


def test_the_questions_are_these() -> None:
    both = {"ticker", "tickers", "price", "prices", "quote", "quotes", "book", "trades", "aggregate_trades"}
    both |= {"candles", "instruments"}
    rates = {"mark", "marks", "index", "indices", "funding", "fundings", "funding_history", "open_interest"}
    series = {"open_interest_history", "long_short", "taker_volume", "basis"}
    assert asked_of(FUTURES) == both | rates | series | {"insurance_fund", "settlements"}
    assert asked_of(SPOT) == both | {"rolling_ticker", "average_price"}


@BOTH
def test_prices_quotes_books_and_trades_are_the_exchanges(venue: str) -> None:
    async def story(sim: Stopped) -> None:
        exchange, words = sim.exchange(), sim.words()
        (book,) = await sim.ask("book", BookUpdate, rows=60)  # of futures the next depth is 100
        for levels, side in zip((book.bids, book.asks), exchange.book.top(len(book.bids)), strict=True):
            assert levels == [(float(words.price(tick)), float(words.size(lots))) for tick, lots in side]
        assert len(book.bids) == (100 if venue == FUTURES else 60)
        (quote,) = await sim.ask("quote", Quote)
        assert (quote.bid, quote.ask) == (book.bids[0][0], book.asks[0][0])
        assert {one.symbol for one in await sim.ask("quotes", Quote, None)} == {BTC, PNUT}
        (price,) = await sim.ask("price", facts.LastPrice)
        last = float(words.price(exchange.candles.running.close))
        assert (price.price, price.kind, price.minutes) == (last, "last", None)
        assert [one.price for one in await sim.ask("prices", facts.LastPrice, None) if one.symbol == BTC] == [
            last
        ]
        for question, rows in (
            ("trades", [row for row in exchange.fills.latest(20) if row.lots][-5:]),
            ("aggregate_trades", list(exchange.aggregates.latest(5))),
        ):
            trades = await sim.ask(question, Trade, rows=5)
            assert [(one.id, one.price, one.size, one.is_buyer_maker) for one in trades] == [
                (row.id, float(words.price(row.price)), float(words.size(row.lots)), row.taker_sells)
                for row in rows
            ]
        assert {one.merged for one in trades} == {True}

    stopped(venue, story)


@BOTH
def test_tickers_are_the_exchanges_and_those_of_all_symbols_weigh_what_they_cost(venue: str) -> None:
    async def story(sim: Stopped) -> None:
        told = await sim.told("tickers", None)
        weight = {FUTURES: 1 + 40 + 5 + 10, SPOT: 20 + 80 + 4}[venue]  # of the listing, then of each list
        assert sim.rest._windows["weight"].used == weight >= sim.rest.health.used["weight"]
        day, words = sim.exchange().candles.day(), sim.words()
        for events in (told.events, (await sim.told("ticker")).events):
            ticker = next(one for one in events if isinstance(one, Ticker) and one.symbol == BTC)
            assert (ticker.last, ticker.open, ticker.high, ticker.low) == tuple(
                float(words.price(one)) for one in (day.close, day.open, day.high, day.low)
            )
            assert (ticker.volume, ticker.trade_count) == (float(words.size(day.lots)), day.trades)
            assert any(isinstance(one, Quote) and one.symbol == BTC for one in events)
        assert {one.symbol for one in told.events} == {BTC, PNUT}
        listed = await sim.ask("instruments", Instrument, None)
        assert {(one.symbol, one.tick) for one in listed} == {
            (one, sim.exchange(one).listing.tick_size) for one in (BTC, PNUT)
        }

    stopped(venue, story)


@BOTH
def test_candles_of_every_length_hold_the_trades_of_the_market(venue: str) -> None:
    async def story(sim: Stopped) -> None:
        words, market = sim.words(), sim.simulation.markets[BTC]
        lengths = next(one for one in venues.ALL[venue].questions if one.name == "candles").periods
        until = sim.exchange().candles.running.open_ms * MS
        for length in lengths:
            bars = await sim.ask("candles", Candle, rows=2, period=length, until=until)
            assert [one.interval for one in bars] == [length] * len(bars)
            for one in bars:
                whole = merged(market.minutes(venue, one.open_ts // MS, one.close_ts // MS))
                assert (one.close, one.volume) == (
                    float(words.price(whole.close)),
                    float(words.size(whole.lots)),
                )
            assert len(bars) == 2 or length == "1M"  # the simulation looks back a month
        weeks = await sim.ask("candles", Candle, rows=2, period="1w")
        assert {datetime.fromtimestamp(one.open_ts / 1e9, UTC).weekday() for one in weeks} == {0}
        since = weeks[-1].open_ts - DAY
        past = await sim.ask("candles", Candle, period="1h", since=since, until=since + 5 * HOUR)
        assert [one.open_ts for one in past] == [since + hours * HOUR for hours in range(6)]
        with pytest.raises(InvalidArgument, match="'7h' of candles"):
            await sim.ask("candles", Candle, period="7h")

    stopped(venue, story)


def test_marks_funding_and_open_interest_are_the_perpetuals() -> None:
    async def story(sim: Stopped) -> None:
        perpetual = sim.perpetual()
        marked = perpetual.marked
        for question, about in (("mark", BTC), ("marks", None)):
            mark = next(one for one in await sim.ask(question, MarkPrice, about) if one.symbol == BTC)
            assert (mark.mark, mark.index) == (pytest.approx(marked.mark), pytest.approx(marked.index))
        (index,) = await sim.ask("index", IndexPrice)
        assert index.price == pytest.approx(marked.index)
        for question, about in (("funding", BTC), ("fundings", None)):
            rate = next(one for one in await sim.ask(question, Funding, about) if one.symbol == BTC)
            assert (rate.rate, rate.interval_hours) == (pytest.approx(marked.funding, abs=1e-8), 8.0)
            assert rate.next_ts == marked.next_funding_ms * MS
        paid = await sim.ask("funding_history", Funding, rows=4)
        assert [(one.ts_event, one.rate) for one in paid] == [
            (one.ts * MS, pytest.approx(one.rate, abs=1e-8)) for one in perpetual.settlements[-4:]
        ]
        (interest,) = await sim.ask("open_interest", OpenInterest)
        assert interest.size == float(sim.words().size(perpetual.open_lots))
        names = {one.name for one in await sim.ask("indices", facts.Asset, None)}
        assert names == {"DEFIUSDT", "BTCUSD", "PNUTUSD"}

    stopped(FUTURES, story)


@pytest.mark.parametrize("period", ["5m", "1h", "6h", "1d"])
def test_a_series_has_a_row_a_period_that_is_the_truth_of_then(period: str) -> None:
    length = {"5m": 5 * MINUTE, "1h": HOUR, "6h": 6 * HOUR, "1d": DAY}[period]

    async def story(sim: Stopped) -> None:
        market, words = sim.simulation.markets[BTC], sim.words()
        asked = {"rows": 3, "period": period, "until": time.time_ns()}
        ratios = await sim.ask("long_short", facts.LongShort, **asked)
        assert {one.of for one in ratios} == {"accounts", "top_accounts", "top_positions"} and len(
            ratios
        ) == 9
        for one in ratios:
            long = share(market.seed, FUTURES, BTC, one.of, ts=(one.ts_event or 0) // MS)
            assert (one.long, one.ratio) == (long, pytest.approx(long / (1 - long), abs=1e-4))
        ends = [one.ts_event or 0 for one in ratios if one.of == "accounts"]
        assert ends == [ends[-1] - 2 * length, ends[-1] - length, ends[-1]] and ends[-1] % length == 0
        taken = await sim.ask("taker_volume", facts.TakerVolume, **asked)
        assert [(one.ts_event, one.unit, one.period_s) for one in taken] == [
            (one, "base", length / 1e9) for one in ends
        ]
        for one, end in zip(taken, ends, strict=True):
            whole = merged(market.minutes(FUTURES, (end - length) // MS, end // MS - 1))
            assert one.buy == float(words.size(whole.buy_lots))
            assert one.buy + one.sell == pytest.approx(float(words.size(whole.lots)))
        then = [market.pasts[FUTURES].open_interest(end // MS, end // MS + 1)[0] for end in ends]
        interest = await sim.ask("open_interest_history", OpenInterest, **asked)
        assert [(one.ts_event, one.size, one.usd) for one in interest] == [
            (row.ts * MS, float(words.size(row.lots)), float(words.quote(row.tick_lots))) for row in then
        ]
        bases = await sim.ask("basis", facts.Basis, **asked)
        for one, row in zip(bases, then, strict=True):
            assert one.futures_price and one.index_price
            assert one.futures_price == float(words.price(row.tick_lots // row.lots))
            assert one.basis == pytest.approx(one.futures_price - one.index_price, abs=1e-6)
            assert one.rate == pytest.approx(one.basis / one.index_price, abs=1e-4)
            assert (one.annual_rate, one.contract) == (None, "perpetual")
        first = await sim.ask("long_short", facts.LongShort, period=period, since=ends[0], until=ends[1])
        assert {one.ts_event for one in first} == set(ends[:2])

    stopped(FUTURES, story)


def test_funds_and_deliveries_are_what_stands() -> None:
    async def story(sim: Stopped) -> None:
        seed = sim.simulation.markets[BTC].seed
        funds = await sim.ask("insurance_fund", facts.InsuranceFund, None)
        now_ms = (funds[0].ts_event or 0) // MS
        assert [(one.coin, one.balance, one.markets) for one in funds] == [
            ("USDT", balance(seed, FUTURES, one, ts=now_ms), (one,)) for one in (BTC, PNUT)
        ]
        past = await sim.ask("settlements", facts.Settlement, "btc")
        assert len(past) == 8 and {one.kind for one in past} == {"delivery"}
        for one in past:
            at = datetime.fromtimestamp((one.ts_event or 0) / 1e9, UTC)
            assert at.weekday() == 4 and at.month in (3, 6, 9, 12)
            assert one.instrument == f"BTCUSDT_{at:%y%m%d}" and one.price is not None
        assert not await sim.ask("settlements", facts.Settlement, "PNUT")

    stopped(FUTURES, story)


def test_a_mean_and_a_window_are_of_what_spot_traded() -> None:
    async def story(sim: Stopped) -> None:
        exchange, words = sim.exchange(), sim.words()
        (mean,) = await sim.ask("average_price", facts.LastPrice)
        whole = merged(exchange.candles.all()[-5:])
        value = whole.tick_lots * exchange.listing.tick_size
        assert (mean.price, mean.kind, mean.minutes) == (
            pytest.approx(value / whole.lots, abs=1e-6),
            "average",
            5.0,
        )
        assert mean.ts_event is not None
        (window,) = await sim.ask("rolling_ticker", Ticker, period="4h")
        assert (window.last, window.volume) == (
            float(words.price(exchange.candles.running.close)),
            float(words.size(merged(exchange.candles.all()[-240:]).lots)),
        )
        assert (await sim.ask("rolling_ticker", Ticker, period="24h"))[0].open == window.open
        with pytest.raises(InvalidArgument, match="'90m' of rolling_ticker"):
            await sim.ask("rolling_ticker", Ticker, period="90m")
        with pytest.raises(InvalidArgument, match=r"-1130.*windowSize"):
            await sim.rest.request("window", symbol=BTC, windowSize="90m")

    stopped(SPOT, story)


@BOTH
def test_what_is_not_listed_or_not_answered_is_said(venue: str) -> None:
    async def story(sim: Stopped) -> None:
        for question in sorted({one.name for one in venues.ALL[venue].questions if one.of == "symbol"}):
            with pytest.raises(UnknownSymbol, match="does not list 'NOPEUSDT'"):
                await sim.told(question, "NOPEUSDT")
        with pytest.raises(UnknownSymbol, match="-1121"):
            await sim.rest.request("price", symbol="NOPEUSDT")
        with pytest.raises(UnsupportedByVenue, match="risk_tiers"):
            await sim.told("risk_tiers")
        if venue == FUTURES:
            with pytest.raises(InvalidArgument, match="'7m' of long_short"):
                await sim.told("long_short", period="7m")
            for name in ("account_ratio", "taker_volume", "open_interest_history"):
                with pytest.raises(InvalidArgument, match=r"-1130.*period"):
                    await sim.rest.request(name, symbol=BTC, period="7m")
            with pytest.raises(InvalidArgument, match=r"-1130.*contractType"):
                await sim.rest.request("basis", pair=BTC, contractType="NEVER")

    stopped(venue, story)


def test_ratios_that_want_a_key_are_left_out_and_said() -> None:
    rows = [
        {"symbol": BTC, "longShortRatio": "1.5", "longAccount": "0.6", "shortAccount": "0.4", "timestamp": 1}
    ]
    keyless = {"globalLongShortAccountRatio"}

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[-1]
        if name == "exchangeInfo":
            return httpx.Response(200, json={"symbols": []})
        if name in keyless:
            return httpx.Response(200, json=rows)
        return httpx.Response(
            401, json={"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
        )

    async def story() -> None:
        rest = Rest(venues.ALL[FUTURES], transport=httpx.MockTransport(answer))
        answering = Answering(rest)
        told = await answering.answer(Asked(question="long_short", about=BTC, rows=1, period="1h"))
        assert [one.of for one in told.events if isinstance(one, facts.LongShort)] == ["accounts"]
        assert len(told.notes) == 2 and all("-2015" in note for note in told.notes)
        keyless.clear()
        again = Answering(rest)
        with pytest.raises(KeyRefused, match="-2015"):
            await again.answer(Asked(question="long_short", about=BTC, rows=1, period="1h"))
        await rest.close()

    asyncio.run(story())


def test_an_empty_number_is_not_known() -> None:
    body = msgspec.json.encode([{"pair": BTC, "contractType": "PERPETUAL", "basis": "1.5", "timestamp": "1"}])
    form = venues.ALL[FUTURES]
    (told,) = form.endpoint("basis").decode(body, {"pair": BTC}, 7, Memory())
    assert isinstance(told, facts.Basis)
    assert (told.basis, told.rate, told.index_price, told.period_s) == (1.5, None, None, None)

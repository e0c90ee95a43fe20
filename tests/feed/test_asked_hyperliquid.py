"""Every question of Hyperliquid's two forms, put to the simulated venue, beside the market's own truth."""

import pytest
from asked_simulation import Standing, standing

from orderflow import venues
from orderflow.market.errors import InvalidArgument, UnknownSymbol
from orderflow.market.events import (
    MINUTE,
    MS,
    SECOND,
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
from orderflow.market.facts import Asset, LastPrice, RiskTier, VenueStatus
from orderflow.sim.hyperliquid_wire import tid

FUTURES, SPOT = "hyperliquid_futures", "hyperliquid_spot"
BOTH = pytest.mark.parametrize("venue", [FUTURES, SPOT])


def test_the_questions_are_these() -> None:
    both = {"prices", "book", "trades", "candles", "instruments", "status", "ticker", "tickers", "quote"}
    rates = {"fundings", "funding_history", "open_interests", "marks", "index", "risk_tiers"}
    assert {one.name for one in venues.ALL[FUTURES].questions} == both | rates
    assert {one.name for one in venues.ALL[SPOT].questions} == both | {"currencies"}


@BOTH
def test_book_trades_and_mid_prices_are_the_exchanges(venue: str) -> None:
    async def story(sim: Standing) -> None:
        exchange, words = sim.exchange(), sim.words()
        (book,) = await sim.ask("book", BookUpdate, "BTCUSDT", rows=50)
        for told, side in zip((book.bids, book.asks), exchange.book.top(20), strict=True):
            assert told == [(float(words.price(tick)), float(words.size(lots))) for tick, lots in side]
        trades = await sim.ask("trades", Trade, "BTCUSDT", rows=10)
        rows = list(exchange.fills.latest(10))
        assert [(one.id, one.price, one.size, one.is_buyer_maker) for one in trades] == [
            (
                str(tid(row.id)),
                float(words.price(row.price)),
                float(words.size(row.lots)),
                row.taker_sells,
            )
            for row in rows
        ]
        (quote,) = await sim.ask("quote", Quote, "BTCUSDT")
        assert [(quote.bid, quote.bid_size), (quote.ask, quote.ask_size)] == [book.bids[0], book.asks[0]]
        touch = (await sim.ask("ticker", Quote, "BTCUSDT"))[-1]
        assert (touch.bid, touch.ask) == (quote.bid, quote.ask)
        prices = await sim.ask("prices", LastPrice)
        assert {one.symbol: (one.price, one.kind) for one in prices} == {
            symbol: (pytest.approx(sim.exchange(symbol).mid), "mid") for symbol in ("BTCUSDT", "ETHUSDT")
        }
        (price,) = await sim.ask("price", LastPrice, "ETHUSDT")
        assert price.price == pytest.approx(sim.exchange("ETHUSDT").mid)

    standing(venue, story)


@BOTH
def test_candles_are_the_newest_of_the_market_in_each_period(venue: str) -> None:
    async def story(sim: Standing) -> None:
        words = sim.words()
        minutes = await sim.ask("candles", Candle, "BTCUSDT", rows=5, period="1m")
        assert len(minutes) in (5, 6)
        last = {one.open_ms * MS: one for one in sim.exchange().candles.all()}
        running = minutes[-1]
        assert not running.closed and running.close == float(words.price(last[running.open_ts].close))
        hours = await sim.ask("candles", Candle, "BTCUSDT", rows=24, period="2h")
        assert len(hours) in (24, 25)
        assert {one.close_ts + MS - one.open_ts for one in hours} == {120 * MINUTE}
        with pytest.raises(InvalidArgument, match="'6h'"):
            await sim.ask("candles", Candle, "BTCUSDT", rows=5, period="6h")

    standing(venue, story)


@BOTH
def test_the_day_is_the_exchanges(venue: str) -> None:
    async def story(sim: Standing) -> None:
        words, day = sim.words(), sim.exchange().candles.day()
        (ticker,) = await sim.ask("ticker", Ticker, "BTCUSDT")
        assert (ticker.open, ticker.volume, ticker.last) == (
            float(words.price(day.open)),
            float(words.base(day.lots)),
            None,
        )
        assert {"BTCUSDT", "ETHUSDT"} <= {one.symbol for one in await sim.ask("tickers", Ticker)}
        (status,) = await sim.ask("status", VenueStatus)
        assert status.status == "online"

    standing(venue, story)


@BOTH
def test_a_coin_that_is_not_listed_is_refused_by_name(venue: str) -> None:
    async def story(sim: Standing) -> None:
        for question in ("book", "trades", "ticker", "price"):
            with pytest.raises(UnknownSymbol, match="NOPEUSDT"):
                await sim.ask(question, Trade, "NOPEUSDT")

    standing(venue, story, ("BTCUSDT",))


def test_what_a_perpetual_adds_is_its_own() -> None:
    async def story(sim: Standing) -> None:
        perpetual = sim.simulation.markets["ETHUSDT"].perpetuals[FUTURES]
        marked, words = perpetual.marked, sim.words("ETHUSDT")
        (mark,) = await sim.ask("mark", MarkPrice, "ETHUSDT")
        (index,) = await sim.ask("index", IndexPrice, "ETHUSDT")
        (rate,) = await sim.ask("funding", Funding, "ETHUSDT")
        (interest,) = await sim.ask("open_interest", OpenInterest, "ETHUSDT")
        assert (mark.mark, index.price) == (
            pytest.approx(marked.mark, abs=0.06),
            pytest.approx(marked.index, abs=0.06),
        )
        assert rate.rate == pytest.approx(marked.funding, abs=1e-10)
        assert (rate.interval_hours, rate.next_ts) == (1.0, marked.next_funding_ms * MS)
        assert interest.size == float(words.base(perpetual.open_lots))
        every = await sim.ask("index", IndexPrice)
        assert {one.symbol for one in every} > {"BTCUSDT", "ETHUSDT"}
        paid = await sim.ask("funding_history", Funding, "ETHUSDT", rows=3)
        assert [(one.ts_event, one.rate) for one in paid] == [
            (one.ts * MS, pytest.approx(one.rate, abs=1e-10)) for one in perpetual.settlements[-3:]
        ]
        since = perpetual.settlements[-2].ts * MS
        assert len(await sim.ask("funding_history", Funding, "ETHUSDT", since=since)) == 2
        steps = await sim.ask("risk_tiers", RiskTier, "BTCUSDT")
        assert [(one.tier, one.floor, one.limit, one.max_leverage) for one in steps] == [
            (1, 0.0, 150e6, 40),
            (2, 150e6, None, 20),
        ]
        (flat,) = await sim.ask("risk_tiers", RiskTier, "ETHUSDT")
        assert (flat.limit, flat.initial_margin, flat.maintenance_margin) == (None, 0.1, 0.05)
        listed = {one.symbol: one for one in await sim.ask("instruments", Instrument)}
        assert not listed["FTMUSDT"].trading and listed["ETHUSDT"].lot == 0.0001

    standing(FUTURES, story)


def test_a_spot_pair_is_known_by_its_tokens() -> None:
    async def story(sim: Standing) -> None:
        listed = {one.symbol: one for one in await sim.ask("instruments", Instrument)}
        assert {symbol: one.native for symbol, one in listed.items()} == {
            "PURRUSDT": "PURR/USDC",
            "BTCUSDT": "@142",
            "ETHUSDT": "@151",
            "SOLUSDT": "@156",
        }
        coins = {one.native: one.name for one in await sim.ask("currencies", Asset)}
        assert (coins["UBTC"], coins["USDC"]) == ("BTC", "USDC")
        mids = {one.symbol: one for one in await sim.ask("tickers", Quote)}
        assert mids["BTCUSDT"].mid == pytest.approx(sim.exchange().mid, abs=0.06)
        assert mids["BTCUSDT"].bid is None and "PURRUSDT" not in mids  # which nobody quotes

    standing(SPOT, story)


def test_a_window_is_cut_to_what_one_answer_holds() -> None:
    async def story(sim: Standing) -> None:
        long_ago = sim.answering._clock() - 90_000 * MINUTE
        bars = await sim.ask("candles", Candle, "BTCUSDT", period="1m", since=long_ago)
        assert 999 <= len(bars) <= 1_000
        assert bars[-1].open_ts > sim.answering._clock() - 120 * SECOND

    standing(FUTURES, story, ("BTCUSDT",))

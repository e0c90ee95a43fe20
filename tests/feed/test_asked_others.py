"""Every question of Coinbase's, Pyth's and CME's forms, put to the simulated venues, beside their own truth."""

import msgspec
import pytest
from asked_simulation import Standing, standing

from orderflow import venues
from orderflow.market.errors import InvalidArgument, UnknownSymbol, UnsupportedByVenue
from orderflow.market.events import (
    DAY,
    MINUTE,
    BookUpdate,
    Candle,
    Instrument,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.facts import Asset, LastPrice
from orderflow.sim.listings import COINS
from orderflow.venues.cme_futures import with_chart

COINBASE, PYTH, CME = "coinbase_spot", "pyth", "cme_futures"


def questions(venue: str) -> set[str]:
    return {one.name for one in venues.ALL[venue].questions}


def test_the_questions_are_these() -> None:
    assert questions(COINBASE) == {
        *("ticker", "tickers", "price", "prices", "quote", "book", "trades", "candles"),
        *("instruments", "currencies"),
    }
    assert questions(PYTH) == {"price", "quote", "average_price", "instruments"}
    assert questions(CME) == {"open_interest", "open_interests", "open_interest_history"}


# ── Coinbase ──────────────────────────────────────────────────────────────────────────────────


def test_coinbase_tells_its_day_and_its_touch() -> None:
    async def story(sim: Standing) -> None:
        exchange, words = sim.exchange(), sim.words()
        day = exchange.candles.day()
        ticker = (await sim.ask("ticker", Ticker, "BTCUSDT"))[-1]
        opened, last = float(words.price(day.open)), float(words.price(day.close))
        assert (ticker.last, ticker.open, ticker.high, ticker.low, ticker.volume) == (
            *(last, opened, float(words.price(day.high)), float(words.price(day.low))),
            float(words.size(day.lots)),
        )
        assert ticker.change_pct == pytest.approx((last / opened - 1) * 100)
        (quote,) = await sim.ask("quote", Quote, "BTCUSDT")
        touch = (float(words.price(exchange.book.best_bid)), float(words.price(exchange.book.best_ask)))
        assert (quote.bid, quote.ask, quote.bid_size) == (*touch, None)
        every = {one.symbol: one for one in await sim.ask("tickers", Ticker)}
        assert set(every) == {"BTCUSDT", "ETHUSDT"}
        assert (every["BTCUSDT"].high, every["BTCUSDT"].volume) == (ticker.high, ticker.volume)
        assert every["BTCUSDT"].change_pct == pytest.approx((last / opened - 1) * 100)
        (price,) = await sim.ask("price", LastPrice, "BTCUSDT")
        prices = {one.symbol: one.price for one in await sim.ask("prices", LastPrice)}
        assert price.price == float(words.price(next(iter(exchange.fills.latest(1))).price))
        assert prices["BTCUSDT"] == float(words.price(exchange.candles.running.close))

    standing(COINBASE, story)


def test_coinbase_tells_its_book_trades_and_bars() -> None:
    async def story(sim: Standing) -> None:
        exchange, words = sim.exchange(), sim.words()
        (book,) = await sim.ask("book", BookUpdate, "BTCUSDT", rows=30)
        for told, side in zip((book.bids, book.asks), exchange.book.top(30), strict=True):
            assert told == [(float(words.price(tick)), float(words.size(lots))) for tick, lots in side]
        trades = await sim.ask("trades", Trade, "BTCUSDT", rows=40)
        rows = list(exchange.fills.latest(40))
        assert [(one.id, one.price, one.is_buyer_maker) for one in trades] == [
            (row.id, float(words.price(row.price)), row.taker_sells) for row in rows
        ]
        for period, minutes in (("1m", 1), ("30m", 30), ("2h", 120), ("4h", 240), ("1d", 1440)):
            bars = await sim.ask("candles", Candle, "BTCUSDT", rows=20, period=period)
            assert 1 <= len(bars) <= 21
            assert {one.interval for one in bars} == {period}
            assert all((one.open_ts % (minutes * MINUTE)) == 0 for one in bars)
        assert bars[-1].close == float(words.price(exchange.candles.running.close))
        assert len(await sim.ask("candles", Candle, "BTCUSDT", rows=1000, period="15m")) <= 350
        with pytest.raises(InvalidArgument, match="'8h'"):
            await sim.ask("candles", Candle, "BTCUSDT", rows=5, period="8h")

    standing(COINBASE, story)


def test_coinbase_lists_its_products_and_coins() -> None:
    async def story(sim: Standing) -> None:
        listed = {one.symbol: one.native for one in await sim.ask("instruments", Instrument)}
        assert listed == {"BTCUSDT": "BTC-USD", "ETHUSDT": "ETH-USD"}
        coins = {one.name: one.decimals for one in await sim.ask("currencies", Asset)}
        lot = sim.exchange().listing.lot
        assert coins == {**coins, "USD": 2, "BTC": len(lot.partition(".")[2])}
        with pytest.raises(UnknownSymbol, match="DOGEUSDT"):
            await sim.ask("book", BookUpdate, "DOGEUSDT", rows=5)
        with pytest.raises(UnsupportedByVenue, match="funding"):
            await sim.ask("funding", Quote, "BTCUSDT")

    standing(COINBASE, story)


# ── Pyth ──────────────────────────────────────────────────────────────────────────────────────


def test_pyth_tells_a_price_its_confidence_and_a_mean() -> None:
    async def story(sim: Standing) -> None:
        truth = sim.simulation.markets["ETHUSDT"].price
        (price,) = await sim.ask("price", LastPrice, "ETHUSDT")
        assert (price.price, price.kind) == (pytest.approx(truth, abs=1e-8), "mid")
        (quote,) = await sim.ask("quote", Quote, "ETHUSDT")
        assert (quote.mid, quote.bid, quote.ask) == (price.price, None, None)
        assert quote.confidence == pytest.approx(truth * 0.0003)
        (mean,) = await sim.ask("average_price", LastPrice, "ETHUSDT")
        assert (mean.price, mean.kind, mean.minutes) == (price.price, "average", 5)
        assert {one.symbol for one in await sim.ask("instruments", Instrument)} == set(COINS)
        with pytest.raises(UnknownSymbol, match="NOPEUSDT"):
            await sim.ask("price", LastPrice, "NOPEUSDT")

    standing(PYTH, story, key="simulated")


# ── CME ───────────────────────────────────────────────────────────────────────────────────────


def test_cme_tells_the_weekly_report_of_the_symbol_asked() -> None:
    async def story(sim: Standing) -> None:
        every = {one.symbol for one in await sim.ask("open_interests", OpenInterest)}
        assert every == {"BTCUSDT", "ETHUSDT"}
        newest = (await sim.ask("open_interest", OpenInterest, "ETHUSDT"))[-1]
        weeks = await sim.ask("open_interest_history", OpenInterest, "ETHUSDT", period="1w")
        assert {one.symbol for one in weeks} == {"ETHUSDT"}
        assert weeks[-1] == msgspec.structs.replace(newest, ts_recv=weeks[-1].ts_recv)
        times = [one.ts_event for one in weeks]
        assert len(times) >= 15
        assert [later - earlier for earlier, later in zip(times, times[1:], strict=False)] == [7 * DAY] * (
            len(times) - 1
        )
        assert newest.size == (newest.contracts or 0) * 50
        assert await sim.ask("open_interest", OpenInterest, "SOLUSDT") == []
        with pytest.raises(InvalidArgument, match="'1h'"):
            await sim.ask("open_interest_history", OpenInterest, "ETHUSDT", period="1h")
        with pytest.raises(UnsupportedByVenue):
            await sim.ask("ticker", Ticker, "BTCUSDT")  # without a chart that was asked for

    standing(CME, story)


def test_cme_asks_the_chart_where_that_is_wanted() -> None:
    form = with_chart()
    assert {"ticker", "candles"} < {one.name for one in form.questions}

    async def story(sim: Standing) -> None:
        # nothing has traded for ten minutes yet, and what is younger is not told
        assert await sim.ask("ticker", Ticker, "BTCUSDT") == []
        with pytest.raises(InvalidArgument, match="'2h'"):
            await sim.ask("candles", Candle, "BTCUSDT", period="2h")
        with pytest.raises(UnknownSymbol):
            await sim.ask("candles", Candle, "SOLUSDT", period="1h")

    standing(CME, story, form=form)

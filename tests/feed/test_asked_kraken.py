"""Every question of both of Kraken's markets, over a real socket to the simulator, against what it knows.

The simulated market has run ahead of the clock: it stands still while it is asked.
"""

import asyncio
from typing import NamedTuple, TypeVar

import msgspec
import pytest

from orderflow.feed.answering import Answering
from orderflow.feed.rest import Rest
from orderflow.market.errors import InvalidArgument, OrderflowError, UnknownSymbol, UnsupportedByVenue
from orderflow.market.events import (
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
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.facts import Asset, LastPrice, LongShort, RiskTier, TakerVolume, VenueStatus
from orderflow.sim import Simulation
from orderflow.sim.connections import clock_ms
from orderflow.sim.exchange import Exchange
from orderflow.sim.kraken_futures_charts import ACCOUNTS, interest
from orderflow.sim.kraken_spot_touches import Touches
from orderflow.sim.market import Market
from orderflow.sim.standing import share
from orderflow.venues.kraken_futures import KRAKEN_FUTURES
from orderflow.venues.kraken_spot import KRAKEN_SPOT
from orderflow.venues.questions import Asked, Told
from orderflow.venues.spec import Bucket, Hosts, Venue

SYMBOL = "BTCUSDT"
SYMBOLS = ("BTCUSDT", "BRETTUSDT")
AHEAD_MS = 30_000
HOUR_MS = 3_600_000
FUTURES, SPOT = KRAKEN_FUTURES.name, KRAKEN_SPOT.name
E = TypeVar("E", bound=Event)

ASKED = {
    FUTURES: {
        one: Asked(question=one, about=SYMBOL)
        for one in (
            *("ticker", "price", "quote", "mark", "index", "funding", "open_interest", "book", "trades"),
            *("liquidations", "funding_history", "risk_tiers"),
        )
    }
    | {
        one: Asked(question=one)
        for one in (
            *("tickers", "prices", "quotes", "marks", "fundings", "open_interests"),
            *("instruments", "indices", "status"),
        )
    }
    | {
        one: Asked(question=one, about=SYMBOL, period="1h", rows=5)
        for one in ("candles", "open_interest_history", "taker_volume", "long_short")
    },
    SPOT: {
        one: Asked(question=one, about=SYMBOL, rows=40)
        for one in ("ticker", "price", "quote", "book", "trades", "quote_history")
    }
    | {"candles": Asked(question="candles", about=SYMBOL, period="5m", rows=40)}
    | {
        one: Asked(question=one)
        for one in ("tickers", "prices", "quotes", "instruments", "currencies", "status")
    },
}
WRONG = {
    (FUTURES, "symbol"): Asked(question="book", about="NOPEUSDT"),
    (FUTURES, "tiers"): Asked(question="risk_tiers", about="NOPEUSDT"),
    (FUTURES, "period"): Asked(question="candles", about=SYMBOL, period="7h"),
    (FUTURES, "bucket"): Asked(question="long_short", about=SYMBOL, period="2h"),
    (FUTURES, "question"): Asked(question="currencies"),
    (SPOT, "symbol"): Asked(question="trades", about="NOPEUSD"),
    (SPOT, "quote"): Asked(question="ticker", about="BRETTUSDT"),
    (SPOT, "period"): Asked(question="candles", about=SYMBOL, period="12h"),
    (SPOT, "question"): Asked(question="funding", about=SYMBOL),
}


class Scene(NamedTuple):
    """What was answered, and the markets of which it was."""

    markets: dict[str, Market]
    told: dict[str, dict[str, Told]]
    refused: dict[tuple[str, str], OrderflowError]

    def of(self, venue: str, question: str, kind: type[E], symbol: str | None = None) -> list[E]:
        found = [one for one in self.told[venue][question].events if isinstance(one, kind)]
        return [one for one in found if symbol is None or one.symbol == symbol]

    def exchange(self, venue: str) -> Exchange:
        return self.markets[SYMBOL].exchanges[venue]


def patient(form: Venue) -> Venue:
    buckets = tuple(Bucket(one.name, 10_000, 1) for one in form.buckets)
    return msgspec.structs.replace(form, buckets=buckets)


async def play() -> Scene:
    simulation = Simulation(SYMBOLS, venues=(FUTURES, SPOT), rate=40.0)
    began = clock_ms()
    for now_ms in range(began, began + AHEAD_MS, 100):
        for market in simulation.markets.values():
            market.step(now_ms)
    await simulation.start()
    told: dict[str, dict[str, Told]] = {FUTURES: {}, SPOT: {}}
    refused: dict[tuple[str, str], OrderflowError] = {}
    try:
        for form in (KRAKEN_FUTURES, KRAKEN_SPOT):
            answering = Answering(Rest(patient(form), Hosts(**simulation.hosts(form.name))))
            for name, asked in ASKED[form.name].items():
                told[form.name][name] = await answering.answer(asked)
            for (venue, name), asked in WRONG.items():
                if venue == form.name:
                    with pytest.raises(OrderflowError) as caught:
                        await answering.answer(asked)
                    refused[venue, name] = caught.value
            await answering.rest.close()
    finally:
        await simulation.stop()
    return Scene(dict(simulation.markets), told, refused)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return asyncio.run(play())


@pytest.mark.parametrize("form", [KRAKEN_FUTURES, KRAKEN_SPOT], ids=[FUTURES, SPOT])
def test_every_question_of_the_form_is_asked(form: Venue) -> None:
    assert set(ASKED[form.name]) == {one.name for one in form.questions}


# ── Both markets ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("venue", [FUTURES, SPOT])
def test_the_touch_and_the_day_are_those_of_the_book_and_the_candles(scene: Scene, venue: str) -> None:
    exchange = scene.exchange(venue)
    book, tick, day = exchange.book, exchange.listing.tick_size, exchange.candles.day()
    for question in ("ticker", "quote", "quotes", "tickers"):
        (quote,) = scene.of(venue, question, Quote, SYMBOL)
        assert (quote.bid, quote.ask) == (
            pytest.approx(book.best_bid * tick),
            pytest.approx(book.best_ask * tick),
        )
        assert quote.bid_size == pytest.approx(book.bids[book.best_bid] * exchange.listing.lot_size)
    (ticker,) = scene.of(venue, "ticker", Ticker)
    lot = exchange.listing.lot_size
    assert ticker.last == pytest.approx(day.close * tick)
    assert (ticker.high, ticker.low) == (pytest.approx(day.high * tick), pytest.approx(day.low * tick))
    assert ticker.volume == pytest.approx(day.lots * lot)
    assert ticker.quote_volume == pytest.approx(day.tick_lots * tick * lot, rel=1e-6)
    for question in ("price", "prices"):
        (price,) = scene.of(venue, question, LastPrice, SYMBOL)
        assert price.price == ticker.last


@pytest.mark.parametrize(("venue", "depth"), [(FUTURES, None), (SPOT, 40)])
def test_the_book_is_that_of_the_simulation(scene: Scene, venue: str, depth: int | None) -> None:
    (told,) = scene.of(venue, "book", BookUpdate)
    exchange = scene.exchange(venue)
    bids, asks = exchange.book.top(depth or 100_000)
    for mine, theirs in ((told.bids, bids), (told.asks, asks)):
        assert [price for price, _ in mine] == pytest.approx(
            [tick * exchange.listing.tick_size for tick, _ in theirs]
        )
        assert [size for _, size in mine] == pytest.approx(
            [lots * exchange.listing.lot_size for _, lots in theirs]
        )


@pytest.mark.parametrize(("venue", "count"), [(FUTURES, 100), (SPOT, 40)])
def test_the_trades_are_the_latest_with_the_takers_side(scene: Scene, venue: str, count: int) -> None:
    trades, exchange = scene.of(venue, "trades", Trade), scene.exchange(venue)
    made = [one for one in exchange.fills.latest(count) if one.lots]
    assert len(trades) == len(made) == count
    assert [one.price for one in trades] == pytest.approx(
        [one.price * exchange.listing.tick_size for one in made]
    )
    assert [one.size for one in trades] == pytest.approx(
        [one.lots * exchange.listing.lot_size for one in made]
    )
    assert [one.side for one in trades] == ["sell" if one.taker_sells else "buy" for one in made]
    assert [one.ts_event for one in trades] == [one.ts * MS for one in made]


@pytest.mark.parametrize(("venue", "minutes"), [(FUTURES, 60), (SPOT, 5)])
def test_bars_are_those_of_the_minutes(scene: Scene, venue: str, minutes: int) -> None:
    bars, exchange = scene.of(venue, "candles", Candle), scene.exchange(venue)
    # at the very turn of a bar the newest one has only just ended
    assert len(bars) >= 5 and all(one.closed for one in bars[-4:-1])
    for bar in bars[-4:-1]:
        first = bar.open_ts // MS
        inside = scene.markets[SYMBOL].minutes(venue, first, first + minutes * 60_000 - 1)
        tick, lot = exchange.listing.tick_size, exchange.listing.lot_size
        assert bar.high == pytest.approx(max(one.high for one in inside) * tick)
        assert bar.close == pytest.approx(inside[-1].close * tick)
        assert bar.volume == pytest.approx(sum(one.lots for one in inside) * lot)


# ── Futures ───────────────────────────────────────────────────────────────────────────────────


def test_marks_funding_and_interest_are_those_of_the_perpetual(scene: Scene) -> None:
    perpetual = scene.markets[SYMBOL].perpetuals[FUTURES]
    rate = perpetual.settlements[-1].rate
    size = perpetual.open_lots * scene.exchange(FUTURES).listing.lot_size
    for question in ("mark", "marks", "ticker", "tickers"):
        (mark,) = scene.of(FUTURES, question, MarkPrice, SYMBOL)
        assert (mark.mark, mark.index) == (perpetual.marked.mark, perpetual.marked.index)
    (index,) = scene.of(FUTURES, "index", IndexPrice)
    assert index.price == perpetual.marked.index
    for question in ("funding", "fundings"):
        (funding,) = scene.of(FUTURES, question, Funding, SYMBOL)
        assert (funding.rate, funding.interval_hours) == (pytest.approx(rate), 1.0)
        assert funding.predicted == pytest.approx(perpetual.marked.funding)
    for question in ("open_interest", "open_interests"):
        (found,) = scene.of(FUTURES, question, OpenInterest, SYMBOL)
        assert found.size == pytest.approx(size)
    past = scene.of(FUTURES, "funding_history", Funding)
    assert [(one.ts_event, one.rate) for one in past] == [
        (one.ts * MS, one.rate) for one in perpetual.settlements
    ]


def test_what_is_told_of_all_names_every_product(scene: Scene) -> None:
    assert {one.symbol for one in scene.of(FUTURES, "tickers", Ticker)} == set(SYMBOLS)
    listed = {one.symbol: one.native for one in scene.of(FUTURES, "instruments", Instrument)}
    assert listed == {"BTCUSDT": "PF_XBTUSD", "BRETTUSDT": "PF_BRETTUSD", "PI_XBTUSD": "PI_XBTUSD"}
    assert [one.native for one in scene.of(FUTURES, "indices", Asset)] == ["in_xbtusd"]
    assert scene.told[FUTURES]["book"].native == "PF_XBTUSD"


def test_buckets_end_when_they_end_and_the_running_one_now(scene: Scene) -> None:
    market, lot = scene.markets[SYMBOL], scene.exchange(FUTURES).listing.lot_size
    rows = scene.of(FUTURES, "open_interest_history", OpenInterest)
    assert len(rows) == 5
    for row in rows[:-1]:
        assert row.ts_event is not None
        assert row.size == pytest.approx(interest(market, FUTURES, row.ts_event // MS) * lot)
        assert row.ts_event % (HOUR_MS * MS) == 0
    assert rows[-1].size == pytest.approx(market.perpetuals[FUTURES].open_lots * lot)
    assert rows[-1].ts_event == rows[-1].ts_recv
    volumes = scene.of(FUTURES, "taker_volume", TakerVolume)
    assert len(volumes) == 5 and volumes[0].period_s == 3600.0 and (volumes[-1].period_s or 0) < 3600.0
    ends = (volumes[2].ts_event or 0) // MS
    inside = market.minutes(FUTURES, ends - HOUR_MS, ends - 1)
    bought, whole = sum(one.buy_lots for one in inside), sum(one.lots for one in inside)
    assert volumes[2].buy == pytest.approx(bought * lot)
    assert volumes[2].sell == pytest.approx((whole - bought) * lot)


@pytest.mark.parametrize("of", ["accounts", "top_accounts"])
def test_longs_and_shorts_divide_as_they_stand(scene: Scene, of: str) -> None:
    rows = [one for one in scene.of(FUTURES, "long_short", LongShort) if one.of == of]
    assert len(rows) == 5
    begun = (rows[0].ts_event or 0) // MS - HOUR_MS
    long = round(share(scene.markets[SYMBOL].seed, FUTURES, SYMBOL, of, ts=begun) * ACCOUNTS) / ACCOUNTS
    assert (rows[0].long, rows[0].short) == (pytest.approx(long), pytest.approx(1 - long))
    assert rows[0].ratio == pytest.approx(long / (1 - long))


def test_margins_are_those_of_the_product_that_was_asked(scene: Scene) -> None:
    tiers = scene.of(FUTURES, "risk_tiers", RiskTier)
    assert {one.symbol for one in tiers} == {SYMBOL}
    assert [(one.floor, one.limit, one.max_leverage) for one in tiers] == [
        (0.0, 2_000_000.0, 50.0),
        (2_000_000.0, 10_000_000.0, 25.0),
        (10_000_000.0, None, 10.0),
    ]


# ── Spot ──────────────────────────────────────────────────────────────────────────────────────


def test_pairs_in_dollars_and_in_usdt_are_apart(scene: Scene) -> None:
    listed = {one.symbol: one.native for one in scene.of(SPOT, "instruments", Instrument)}
    assert listed == {"BTCUSD": "XXBTZUSD", "BTCUSDT": "XBTUSDT", "BRETTUSD": "BRETTUSD"}
    assert {one.symbol for one in scene.of(SPOT, "tickers", Ticker)} == set(listed)
    (pair,) = [one for one in scene.of(SPOT, "instruments", Instrument) if one.symbol == "BTCUSD"]
    assert (pair.base, pair.quote, pair.tick, pair.lot) == ("BTC", "USD", 0.1, 1e-8)
    coins = {one.name: one.native for one in scene.of(SPOT, "currencies", Asset)}
    assert coins == {"BTC": "XXBT", "BRETT": "BRETT", "USD": "ZUSD", "USDT": "USDT"}


def test_the_last_spread_is_the_touch(scene: Scene) -> None:
    exchange = scene.exchange(SPOT)
    last = scene.of(SPOT, "quote_history", Quote)[-1]
    tick = exchange.listing.tick_size
    assert (last.bid, last.ask) == (
        pytest.approx(exchange.book.best_bid * tick),
        pytest.approx(exchange.book.best_ask * tick),
    )
    assert last.bid_size is None and last.ts_event is not None and last.ts_event % SECOND == 0


def test_the_simulated_venue_remembers_how_its_best_prices_changed() -> None:
    began = clock_ms()
    simulation = Simulation((SYMBOL,), venues=(SPOT,), rate=40.0)
    touches, market = Touches(SPOT, simulation.markets), simulation.markets[SYMBOL]
    for now_ms in range(began, began + 3_000, 20):
        market.step(now_ms)
        assert list(touches.frames((), now_ms, ())) == []
    kept = touches.kept[SYMBOL]
    assert len(kept) > 10
    assert all(
        (one.bid, one.ask) != (two.bid, two.ask) for one, two in zip(kept, list(kept)[1:], strict=False)
    )


# ── What is wrong ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("venue", [FUTURES, SPOT])
def test_a_venue_says_how_it_fares(scene: Scene, venue: str) -> None:
    (status,) = scene.of(venue, "status", VenueStatus)
    assert (status.symbol, status.status) == ("", "online")


@pytest.mark.parametrize(
    ("of", "error", "said", "hint"),
    [
        ((FUTURES, "symbol"), UnknownSymbol, "does not list 'NOPEUSDT'", "nearest"),
        ((FUTURES, "tiers"), UnknownSymbol, "does not list 'NOPEUSDT'", "nearest"),
        ((FUTURES, "period"), InvalidArgument, "no '7h' of candles", "1m, 5m, 15m, 30m, 1h, 4h, 12h, 1d, 1w"),
        ((FUTURES, "bucket"), InvalidArgument, "no '2h' of long_short", "4h"),
        ((FUTURES, "question"), UnsupportedByVenue, "does not answer 'currencies'", "risk_tiers"),
        ((SPOT, "symbol"), UnknownSymbol, "does not list 'NOPEUSD'", "nearest"),
        ((SPOT, "quote"), UnknownSymbol, "does not list 'BRETTUSDT'", "BRETTUSD"),
        ((SPOT, "period"), InvalidArgument, "no '12h' of candles", "1h, 4h, 1d"),
        ((SPOT, "question"), UnsupportedByVenue, "does not answer 'funding'", None),
    ],
)
def test_what_cannot_be_answered_is_said(
    scene: Scene, of: tuple[str, str], error: type[OrderflowError], said: str, hint: str | None
) -> None:
    found = scene.refused[of]
    assert isinstance(found, error) and said in found.message
    if hint is not None:
        assert found.hint is not None and hint in found.hint

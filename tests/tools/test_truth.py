"""What tools say, beside what the simulated market knows: price, book, funding, positions, ratios, funds.

The market stands still, and every venue that answers a question is asked it through the tool.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from standing_market import StandingMarket

from orderflow import venues
from orderflow.sim.standing import balance, share
from orderflow.venues.questions import WHOLE

BTC = "BTCUSDT"
DATED = {"gate_delivery"}  # it lists no perpetual: its contracts have tests of their own
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def market() -> Iterator[StandingMarket]:
    one = StandingMarket()
    yield one
    one.close()


def answering(question: str) -> list[str]:
    """Return the venues of one symbol that answer a question."""
    asked = {question, WHOLE.get(question, question)}
    found = [name for name, one in venues.ALL.items() if any(one.asked(each) for each in asked)]
    return [one for one in found if one not in DATED and not one.endswith("_options") and one != "pyth"]


Truth = Callable[[StandingMarket, str], dict[str, Any]]


SILENT_OF_LAST = ("hyperliquid_futures", "hyperliquid_spot")  # they tell the mid


def last(market: StandingMarket, venue: str) -> dict[str, Any]:
    known = market.price(venue, market.exchange(venue).candles.day().close)
    return {"last": None if venue in SILENT_OF_LAST else known}


def touch(market: StandingMarket, venue: str) -> dict[str, Any]:
    book = market.exchange(venue).book
    return {"bid": market.price(venue, book.best_bid), "ask": market.price(venue, book.best_ask)}


def last_price(market: StandingMarket, venue: str) -> dict[str, Any]:
    if venue in SILENT_OF_LAST:
        return {"price": market.exchange(venue).mid, "kind": "mid"}
    return {"price": last(market, venue)["last"], "kind": "last"}


def marked(market: StandingMarket, venue: str) -> dict[str, Any]:
    known = market.perpetual(venue).marked
    told = {"mark": known.mark, "index": known.index}
    return {"mark": told["mark"]} if venue == "okx_futures" else told  # whose marks come without an index


def index(market: StandingMarket, venue: str) -> dict[str, Any]:
    return {"index": market.perpetual(venue).marked.index}


def positions(market: StandingMarket, venue: str) -> dict[str, Any]:
    perpetual = market.perpetual(venue)
    size = market.size(venue, perpetual.open_lots, perpetual.marked.mark)
    return {"open_interest": size, "funding_rate": rate_of_now(market, venue)}


def rate_of_now(market: StandingMarket, venue: str) -> float:
    """Return the rate of now: Kraken pays what was set at the last hour, Deribit tells the last eight."""
    perpetual = market.perpetual(venue)
    if venue in ("kraken_futures", "deribit_futures"):
        return perpetual.settlements[-1].rate
    return perpetual.marked.funding


def interest(market: StandingMarket, venue: str) -> dict[str, Any]:
    return {"open_interest": positions(market, venue)["open_interest"]}


def funding(market: StandingMarket, venue: str) -> dict[str, Any]:
    return {"funding_rate": rate_of_now(market, venue)}


# tool, its arguments, the question that it asks, the truth, and how far a venue's own rounding may be from it
EXACT, ROUNDED = 1e-9, 2e-4
FIGURES: tuple[tuple[str, dict[str, Any], str, Truth, float], ...] = (
    ("market_ticker", {"symbol": BTC}, "ticker", last, EXACT),
    ("market_prices", {"symbol": BTC}, "price", last_price, EXACT),
    ("market_best_quote", {"symbol": BTC}, "quote", touch, EXACT),
    ("market_mark_price", {"symbol": BTC}, "mark", marked, ROUNDED),
    ("market_index_price", {"symbol": BTC}, "index", index, ROUNDED),
    ("market_ticker", {"symbol": BTC}, "open_interest", positions, 2e-2),
    ("market_open_interest", {"symbol": BTC}, "open_interest", interest, 2e-2),
    ("market_funding", {"symbol": BTC}, "funding", funding, 1e-3),
)


@pytest.mark.parametrize(
    ("tool", "arguments", "truth", "apart", "venue"),
    [
        pytest.param(tool, arguments, truth, apart, venue, id=f"{tool}-{truth.__name__}-{venue}")
        for tool, arguments, question, truth, apart in FIGURES
        for venue in answering(question)
        if venue != "cme_futures"  # a delayed close, without a market beside it
    ],
)
def test_a_figure_is_the_markets(
    market: StandingMarket, tool: str, arguments: dict[str, Any], truth: Truth, apart: float, venue: str
) -> None:
    (row,) = market.ask(tool, venue, **arguments)
    for name, value in truth(market, venue).items():
        near = 1e-6 if name == "funding_rate" else None
        wanted = pytest.approx(value, rel=apart, abs=near) if isinstance(value, float) else value
        assert row[name] == wanted, name


@pytest.mark.parametrize("venue", answering("book"))
def test_a_book_is_the_markets_level_by_level(market: StandingMarket, venue: str) -> None:
    rows = market.ask("market_orderbook", venue, symbol=BTC, depth=20, limit=20)
    bids, asks = market.exchange(venue).book.top(20)
    for row, (bid, bid_lots), (ask, ask_lots) in zip(rows, bids, asks, strict=True):
        assert row["bid"] == pytest.approx(market.price(venue, bid))
        assert row["ask"] == pytest.approx(market.price(venue, ask))
        assert row["bid_size"] == pytest.approx(market.size(venue, bid_lots, row["bid"]))
        assert row["ask_size"] == pytest.approx(market.size(venue, ask_lots, row["ask"]))


@pytest.mark.parametrize("venue", answering("trades"))
def test_the_last_trades_are_the_markets(market: StandingMarket, venue: str) -> None:
    rows = market.ask("market_trades", venue, symbol=BTC, count=5, limit=5)
    known = {
        (market.price(venue, one.price), one.taker_sells) for one in market.exchange(venue).fills.latest(60)
    }
    for row in rows:
        assert any(
            row["price"] == pytest.approx(price) and (row["side"] == "sell") == sells
            for price, sells in known
        )


@pytest.mark.parametrize("venue", answering("candles"))
def test_the_running_candle_closes_at_the_last_price(market: StandingMarket, venue: str) -> None:
    rows = market.ask("market_candles", venue, symbol=BTC, interval="1h", count=3, limit=3)
    assert rows[0]["close"] == pytest.approx(market.price(venue, market.exchange(venue).candles.day().close))
    assert all(one["low"] <= one["close"] <= one["high"] for one in rows)


@pytest.mark.parametrize("venue", answering("funding_history"))
def test_what_was_paid_is_what_was_settled(market: StandingMarket, venue: str) -> None:
    rows = market.ask("market_funding_history", venue, symbol=BTC, count=3, limit=3)
    settled = market.perpetual(venue).settlements
    for row in rows:
        truth = [one.rate for one in settled if one.ts <= row["time"]][-1]  # Deribit tells of each hour
        assert row["funding_rate"] == pytest.approx(truth, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("venue", ["binance_futures", "okx_futures"])
def test_the_crowd_divides_as_it_stands(market: StandingMarket, venue: str) -> None:
    rows = market.ask("market_long_short_ratio", venue, symbol=BTC, period="1h", points=3)
    seed = market.simulation.markets[BTC].seed
    for row in rows:
        long = share(seed, venue, BTC, row["of"], ts=row["time"])
        assert row["ratio"] == pytest.approx(long / (1 - long), abs=1e-3)


def test_a_fund_holds_what_stands(market: StandingMarket) -> None:
    rows = market.ask("market_insurance_fund", "binance_futures")
    seed = market.simulation.markets[BTC].seed
    (row,) = rows
    assert BTC in row["markets"].split()
    assert row["balance"] == balance(seed, "binance_futures", BTC, ts=row["time"])


@pytest.mark.parametrize("venue", ["bybit_options", "deribit_options"])
def test_volatility_is_a_row_an_hour_and_a_window_is_told(market: StandingMarket, venue: str) -> None:
    rows = market.ask("market_volatility", venue, coin="BTC", since="-24h", limit=100)
    assert 20 <= len(rows) <= 26
    assert all(20 < one["value_pct"] < 90 for one in rows)
    times = [one["time"] for one in rows]
    assert {one - two for one, two in zip(times, times[1:], strict=False)} == {HOUR_MS}

"""Bybit asked over a socket: every question of its three forms, answered by the simulator's own truth."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest

from orderflow import venues
from orderflow.feed.answering import Answering
from orderflow.feed.rest import Rest
from orderflow.market.errors import InvalidArgument, OrderflowError, UnknownSymbol, UnsupportedByVenue
from orderflow.market.events import DAY, HOUR, MINUTE, MS, SECOND
from orderflow.sim import Simulation, bybit_facts, bybit_options_rest
from orderflow.sim.deribit_chain import listed, quoted
from orderflow.sim.market import Market
from orderflow.sim.standing import balance, share
from orderflow.venues.questions import Asked, Told
from orderflow.venues.spec import Hosts

FUTURES, SPOT, OPTIONS = "bybit_futures", "bybit_spot", "bybit_options"
SYMBOLS = ("BTCUSDT", "ETHUSDT", "WIFUSDT")
SEED = 11


class Played(NamedTuple):
    """What was answered, under names of the test's own, and the market that stood still meanwhile."""

    told: dict[str, Any]
    markets: dict[str, Market]

    def events(self, name: str) -> list[Any]:
        found = self.told[name]
        assert isinstance(found, Told), found
        return list(found.events)

    def one(self, name: str) -> Any:
        (event,) = self.events(name)
        return event


def asked(
    venue: str,
    questions: dict[str, Asked],
    monkeypatch: pytest.MonkeyPatch,
    *,
    symbols: Sequence[str] = SYMBOLS,
) -> Played:
    """Let the market run for a moment, have it stand still and ask; an answer or the error of each."""

    async def story() -> Played:
        simulation = Simulation(symbols, venues=[venue], rate=60, seed=SEED)
        await simulation.start()
        rest = Rest(venues.ALL[venue], Hosts(**simulation.hosts(venue)))
        try:
            await asyncio.sleep(0.5)
            monkeypatch.setattr(simulation, "_step", lambda now_ms: None)
            one, told = Answering(rest), dict[str, Any]()
            for name, question in questions.items():
                try:
                    told[name] = await one.answer(question)
                except OrderflowError as error:
                    told[name] = error
            return Played(told, simulation.markets)
        finally:
            await rest.close()
            await simulation.stop()

    return asyncio.run(story())


def about(symbol: str | None = "BTCUSDT", /, **more: Any) -> Callable[[str], Asked]:
    return lambda question: Asked(question=question, about=symbol, **more)


def each(**how: Callable[[str], Asked]) -> dict[str, Asked]:
    return {name: one(name) for name, one in how.items()}


def named(told: dict[str, Any]) -> set[str]:
    return {name for name, one in told.items() if isinstance(one, Told)}


def sides(market: Market, venue: str, depth: int) -> tuple[list[Any], list[Any]]:
    """Return the best levels that the market has, in quote and base."""
    exchange = market.exchanges[venue]
    tick, lot = exchange.listing.tick_size, exchange.listing.lot_size
    bids, asks = exchange.book.top(depth)
    return [(p * tick, s * lot) for p, s in bids], [(p * tick, s * lot) for p, s in asks]


def close(levels: Any) -> Any:
    return [pytest.approx(one) for one in levels]


def last_price(market: Market, venue: str) -> float:
    exchange = market.exchanges[venue]
    return exchange.candles.running.close * exchange.listing.tick_size


# ── What both markets with a book are asked ───────────────────────────────────────────────────

COMMON = each(
    ticker=about(),
    price=about(),
    quote=about(),
    tickers=about(None),
    prices=about(None),
    quotes=about(None),
    book=about(rows=50),
    trades=about(rows=40),
    candles=about(rows=30, period="15m"),
    instruments=about(None),
    status=about(None),
)


@pytest.mark.parametrize("venue", [FUTURES, SPOT])
def test_a_market_with_a_book_is_asked_what_it_is(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    played = asked(venue, COMMON, monkeypatch)
    assert named(played.told) == set(COMMON)
    market = played.markets["BTCUSDT"]
    last, (bids, asks) = last_price(market, venue), sides(market, venue, 50)
    assert played.one("price").price == pytest.approx(last)
    assert {one.symbol: one.price for one in played.events("prices")} == {
        symbol: pytest.approx(last_price(one, venue)) for symbol, one in played.markets.items()
    }
    quote = played.one("quote")
    assert [(quote.bid, quote.bid_size), (quote.ask, quote.ask_size)] == close([bids[0], asks[0]])
    assert {one.symbol for one in played.events("quotes")} == set(SYMBOLS)
    ticker = next(one for one in played.events("ticker") if type(one).__name__ == "Ticker")
    assert ticker.last == pytest.approx(last)
    assert {one.symbol for one in played.events("tickers")} == set(SYMBOLS)
    book = played.one("book")
    assert (list(book.bids), list(book.asks)) == (close(bids), close(asks))
    trades, rows = played.events("trades"), list(market.exchanges[venue].fills.latest(40))
    lot = market.exchanges[venue].listing.lot_size
    assert [one.ts_event for one in trades] == [row.ts * MS for row in rows]
    assert [one.size for one in trades] == close([row.lots * lot for row in rows])
    assert [one.is_buyer_maker for one in trades] == [row.taker_sells for row in rows]
    bars = played.events("candles")
    assert len(bars) == 30 and {one.interval for one in bars} == {"15m"}
    assert bars[-1].close == pytest.approx(last)
    assert {b.open_ts - a.open_ts for a, b in zip(bars, bars[1:], strict=False)} == {15 * MINUTE}
    listed = {one.symbol: one.tick for one in played.events("instruments") if hasattr(one, "tick")}
    assert listed == {
        symbol: one.exchanges[venue].listing.tick_size for symbol, one in played.markets.items()
    }
    now, planned = played.events("status")
    assert (now.status, now.planned, planned.status, planned.planned) == (
        "online",
        False,
        "maintenance",
        True,
    )
    assert planned.starts % DAY == 0 and planned.starts > now.ts_event


@pytest.mark.parametrize("venue", [FUTURES, SPOT])
def test_what_a_market_does_not_know_it_says(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "symbol": Asked(question="book", about="NOSUCHUSDT"),
        "period": Asked(question="candles", about="BTCUSDT", period="7m"),
        "question": Asked(question="taker_volume", about="BTCUSDT"),
    }
    told = asked(venue, wrong, monkeypatch, symbols=["BTCUSDT"]).told
    kinds = {name: type(one) for name, one in told.items()}
    assert kinds == {"symbol": UnknownSymbol, "period": InvalidArgument, "question": UnsupportedByVenue}
    assert "BTCUSDT" in told["symbol"].hint and "15m" in told["period"].hint


# ── Perpetuals ────────────────────────────────────────────────────────────────────────────────

LINEAR = each(
    mark=about(),
    index=about(),
    funding=about(),
    open_interest=about(),
    marks=about(None),
    fundings=about(None),
    open_interests=about(None),
    funding_history=about(rows=5),
    open_interest_history=about(rows=6, period="1h"),
    long_short=about(rows=4, period="4h"),
    insurance_fund=about(None),
    risk_tiers=about("WIFUSDT"),
    announcements=about(None, rows=3),
)


def test_a_perpetual_is_asked_for_mark_funding_interest_and_what_no_stream_carries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert set(LINEAR) | set(COMMON) == {one.name for one in venues.ALL[FUTURES].questions}
    of_usdt = {"usdt": Asked(question="insurance_fund", about="usdt")}
    played = asked(FUTURES, LINEAR | of_usdt, monkeypatch)
    assert named(played.told) == {*LINEAR, "usdt"}
    perpetual = played.markets["BTCUSDT"].perpetuals[FUTURES]
    marked, held = perpetual.marked, perpetual.open_lots * 0.001
    mark, funding = played.one("mark"), played.one("funding")
    assert (mark.mark, mark.index) == (
        pytest.approx(marked.mark, abs=0.01),
        pytest.approx(marked.index, abs=0.01),
    )
    assert played.one("index").price == mark.index
    assert (funding.rate, funding.interval_hours) == (pytest.approx(marked.funding, abs=1e-8), 8.0)
    assert funding.next_ts == marked.next_funding_ms * MS
    assert played.one("open_interest").size == pytest.approx(held)
    for name in ("marks", "fundings", "open_interests"):
        assert {one.symbol for one in played.events(name)} == set(SYMBOLS)
    paid = perpetual.settlements[-5:]
    assert [(one.ts_event, one.rate) for one in played.events("funding_history")] == [
        (one.ts * MS, pytest.approx(one.rate, abs=1e-8)) for one in paid
    ]
    assert {one.interval_hours for one in played.events("funding_history")} <= {None, 8.0}
    series = played.events("open_interest_history")
    assert len(series) == 6 and all(one.ts_event % HOUR == 0 for one in series)
    assert [one.size for one in series] == [pytest.approx(held, rel=0.05)] * 6
    _ratios_are_those_of_the_crowd(played.events("long_short"))
    _pools_and_limits(played)
    titles = {title for title, _, _ in bybit_facts.NOTICES}
    notices = played.events("announcements")
    assert {one.title for one in notices} == titles
    assert [one.ts_event for one in notices] == [notices[0].ts_event - back * DAY for back in range(3)]
    contest = next(one for one in notices if one.kind == "latest_activities")
    assert contest.ends - contest.starts == DAY


def _ratios_are_those_of_the_crowd(ratios: list[Any]) -> None:
    assert [one.ts_event - ratios[0].ts_event for one in ratios] == [4 * HOUR * step for step in range(4)]
    for one in ratios:
        long = share(SEED, FUTURES, "BTCUSDT", "accounts", ts=one.ts_event // MS)
        assert (one.of, one.long, one.short) == ("accounts", long, pytest.approx(1 - long))
        assert one.ratio == pytest.approx(long / (1 - long), abs=1e-6)


def _pools_and_limits(played: Played) -> None:
    funds = {(one.coin, one.markets): one for one in played.events("insurance_fund")}
    assert set(funds) == {("USDT", ()), ("USDC", ()), ("BTC", ()), ("USDT", ("WIFUSDT",))}
    at = funds["USDT", ()].ts_event
    for coin, about_held in bybit_facts.SHARED.items():
        held = balance(SEED, FUTURES, coin, ts=at // MS, about=about_held)
        one = funds[coin, ()]
        assert (one.balance, one.usd) == (held, pytest.approx(held * bybit_facts.DOLLARS[coin], abs=0.01))
    assert [one.coin for one in played.events("usdt")] == ["USDT", "USDT"]
    tiers = played.events("risk_tiers")
    assert [(one.limit, one.initial_margin, one.maintenance_margin, one.max_leverage) for one in tiers] == [
        (limit / 20, initial, maintenance, leverage)
        for limit, initial, maintenance, leverage in bybit_facts.TIERS
    ]
    assert [one.floor for one in tiers] == [0.0, *(one.limit for one in tiers[:-1])]
    assert {one.symbol for one in tiers} == {"WIFUSDT"}


def test_a_series_ends_where_it_is_asked_to_and_knows_its_periods(monkeypatch: pytest.MonkeyPatch) -> None:
    until = 1_790_000_000 * SECOND // DAY * DAY
    ends = {
        "long_short": Asked(question="long_short", about="BTCUSDT", period="1d", rows=2, until=until),
        "wrong": Asked(question="long_short", about="BTCUSDT", period="2h"),
        "coin": Asked(question="insurance_fund", about="NOSUCH"),
    }
    played = asked(FUTURES, ends, monkeypatch, symbols=["BTCUSDT"])
    assert [one.ts_event for one in played.events("long_short")] == [until - DAY, until]
    assert isinstance(played.told["wrong"], InvalidArgument) and "4h" in played.told["wrong"].hint
    assert isinstance(played.told["coin"], InvalidArgument)


# ── Options ───────────────────────────────────────────────────────────────────────────────────

COINS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


def test_options_are_asked_for_their_chain_and_what_is_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    of_coin = ("option_expirations", "option_contracts", "option_chain", "settlements")
    questions = {one: Asked(question=one, about="ETH") for one in of_coin}
    a_day_ago = time.time_ns() - DAY
    questions["realised_volatility"] = Asked(question="realised_volatility", about="ETH", since=a_day_ago)
    questions |= {
        one: Asked(question=one, about=None) for one in ("instruments", "option_underlyings", "status")
    }
    played = asked(OPTIONS, questions, monkeypatch, symbols=COINS)
    assert named(played.told) == set(questions)
    chain, market = played.events("option_chain"), played.markets["ETHUSDT"]
    now_ms = chain[0].ts_event // MS
    truth = {bybit_options_rest.name(one): one for one in listed("ETHUSDT", now_ms)}
    assert {one.instrument for one in chain} == set(truth) and len(chain) == 30
    for one in chain:
        contract = truth[one.instrument]
        found = quoted(contract, "ETHUSDT", market.price, now_ms)
        assert (one.symbol, one.strike, one.expiry_ts) == (
            "ETHUSDT",
            contract.strike,
            contract.expiry_ms * MS,
        )
        assert (one.kind, one.open_interest) == ("call" if contract.call else "put", contract.open_interest)
        assert one.mark_price == pytest.approx(found.priced.value, abs=1e-7)  # in quote, not in coin
        assert one.underlying_price == pytest.approx(found.forward)
        assert (one.mark_iv, one.ask_iv) == (
            pytest.approx(found.mark_iv, abs=1e-4),
            pytest.approx(found.ask_iv, abs=1e-4),
        )
        assert (one.delta, one.vega) == (
            pytest.approx(found.priced.delta, abs=1e-7),
            pytest.approx(found.priced.vega, abs=1e-7),
        )
        assert one.ask >= one.mark_price and (one.bid is None or one.bid <= one.mark_price)
        assert (one.bid is None) == (one.bid_iv is None)
    _expiries_and_contracts(played, truth)
    assert [one.name for one in played.events("option_underlyings")] == ["BTC", "ETH", "SOL"]
    assert len(played.events("instruments")) == 90
    _what_was_realised_and_delivered(played)


def _expiries_and_contracts(played: Played, truth: dict[str, Any]) -> None:
    expiries = played.events("option_expirations")
    assert [one.expiry_ts for one in expiries] == sorted({one.expiry_ms * MS for one in truth.values()})
    assert {one.native for one in expiries} == {name.split("-")[1] for name in truth}
    contracts = {one.instrument: one for one in played.events("option_contracts")}
    assert set(contracts) == set(truth)
    assert {(one.contract_size, one.tick, one.trading) for one in contracts.values()} == {(1.0, 0.1, True)}
    assert {name: one.expiry_ts for name, one in contracts.items()} == {
        name: one.expiry_ms * MS for name, one in truth.items()
    }


def _what_was_realised_and_delivered(played: Played) -> None:
    hours = played.events("realised_volatility")
    assert len(hours) in (24, 25)  # as an hour ends meanwhile or not
    assert [one.ts_event - hours[0].ts_event for one in hours] == [HOUR * at for at in range(len(hours))]
    assert {(one.symbol, one.kind, one.days) for one in hours} == {("ETHUSDT", "realised", 30.0)}
    for one in hours:
        assert one.value == bybit_options_rest.realised(SEED, "ETHUSDT", 30, one.ts_event // MS)
    days = played.events("settlements")
    assert len(days) == 50 and all(one.ts_event % DAY == 8 * HOUR for one in days)
    for one in days:
        midnight = one.ts_event // MS // 86_400_000 * 86_400_000
        assert one.price == pytest.approx(bybit_options_rest.delivered(SEED, "ETHUSDT", midnight))
    assert {(one.kind, one.instrument[:4]) for one in days} == {("delivery", "ETH-")}


def test_one_option_is_asked_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    first = asked(OPTIONS, {"chain": Asked(question="option_chain", about="BTC")}, monkeypatch, symbols=COINS)
    one = next(each for each in first.events("chain") if each.bid is not None and each.bid > 100)
    questions = {
        "option": Asked(question="option", about=one.instrument),
        "book": Asked(question="option_book", about=one.instrument, rows=5),
        "no option": Asked(question="option", about="BTC-1JAN30-1-C-USDT"),
        "no coin": Asked(question="option_chain", about="DOGE"),
        "no settlements": Asked(question="settlements", about="DOGE"),
        "too long": Asked(question="realised_volatility", about="BTC", since=0, until=first.told["chain"].at),
    }
    played = asked(OPTIONS, questions, monkeypatch, symbols=COINS)
    option, book = played.one("option"), played.one("book")
    assert (option.instrument, option.strike, option.kind) == (one.instrument, one.strike, one.kind)
    assert (book.symbol, len(book.bids), len(book.asks)) == (one.instrument, 5, 5)
    assert (book.bids[0][0], book.asks[0][0]) == (option.bid, option.ask)
    assert all(math.isclose(a[0] - b[0], 5.0) for a, b in zip(book.bids, book.bids[1:], strict=False))
    assert played.told["option"].notes and "USDT" in played.told["option"].notes[0]
    assert type(played.told["no option"]) is UnknownSymbol
    assert played.events("no coin") == []
    assert isinstance(played.told["no settlements"], InvalidArgument)
    newest = played.told["too long"]  # its newest thirty days are told
    assert isinstance(newest, Told) and len(newest.events) == 30 * 24


def test_every_question_of_options_is_asked_here() -> None:
    here = {"option_expirations", "option_contracts", "option_chain", "realised_volatility", "settlements"}
    here |= {"instruments", "option_underlyings", "status", "option", "option_book"}
    assert {one.name for one in venues.ALL[OPTIONS].questions} == here
    assert {one.name for one in venues.ALL[SPOT].questions} == set(COMMON)

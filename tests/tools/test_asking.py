"""What venues are asked: live where fresh, asked otherwise, and what became of those that did not answer."""

from typing import Any

import pytest
from fixed_market import NOW, FakeAsker, FakeLatest, context, quote

from orderflow import tools
from orderflow.market.errors import (
    InvalidArgument,
    NoData,
    OrderflowError,
    UnsupportedByVenue,
    VenueUnavailable,
)
from orderflow.market.events import (
    HOUR,
    MINUTE,
    MS,
    SECOND,
    Candle,
    Event,
    Funding,
    Instrument,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.facts import (
    Announcement,
    Asset,
    Basis,
    ContractStats,
    InsuranceFund,
    LastPrice,
    LongShort,
    RiskTier,
    Settlement,
    TakerVolume,
    VenueStatus,
    VenueVolume,
    Volatility,
    VolatilityBar,
)
from orderflow.tools.answers import Answer

FUTURES, SPOT = "binance_futures", "binance_spot"
BTC = (FUTURES, "BTCUSDT", NOW - SECOND, NOW)
ETH = (FUTURES, "ETHUSDT", NOW - SECOND, NOW)


def then(back: int, symbol: str = "BTCUSDT") -> tuple[str, str, int, int]:
    """The beginning of a fact of so many hours ago."""
    return FUTURES, symbol, NOW - back * HOUR, NOW


def asked(tool: str, answers: dict[str, list[Event]], venue: str = FUTURES, **arguments: Any) -> Answer:
    """Ask a tool of a market of which nothing is live, and of one venue that answers."""
    asker = FakeAsker({(venue, question): events for question, events in answers.items()})
    return tools.call(context(FakeLatest(kind="live"), asker=asker), tool, arguments)


def cells(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def ticker(symbol: str, last: float, change: float, volume: float) -> Ticker:
    return Ticker(FUTURES, symbol, NOW - SECOND, NOW, last, quote_volume=volume, change_pct=change)


# ── Whom is asked, and who answers ────────────────────────────────────────────────────────────


def test_what_is_fresh_is_not_asked_and_what_is_old_is() -> None:
    live = [
        Ticker(FUTURES, "BTCUSDT", NOW, NOW - 59 * SECOND, 100.0),
        Ticker(SPOT, "BTCUSDT", NOW, NOW - 61 * SECOND, 90.0),
    ]
    asker = FakeAsker({(FUTURES, "ticker"): [], (SPOT, "ticker"): [Ticker(SPOT, "BTCUSDT", NOW, NOW, 101.0)]})
    latest = FakeLatest(kind="live", others=live)
    answer = tools.call(context(latest, asker=asker), "market_ticker", {"symbol": "BTCUSDT"})
    assert [(one["venue"], one["last"], one["source"]) for one in cells(answer)] == [
        (FUTURES, 100.0, "live"),
        (SPOT, 101.0, "rest"),
    ]
    assert [venue for venue, _ in asker.asked] == [SPOT]
    assert answer.meta.source == "mixed" and answer.meta.age_ms == 0.0


def test_a_venue_that_fails_is_named_and_the_others_answer() -> None:
    asker = FakeAsker(
        {
            (FUTURES, "ticker"): VenueUnavailable("it is down"),
            (SPOT, "ticker"): [Ticker(SPOT, "BTCUSDT", NOW, NOW, 1.0)],
        }
    )
    answer = tools.call(
        context(FakeLatest(kind="live"), asker=asker), "market_ticker", {"symbol": "btc-usdt"}
    )
    assert answer.meta.venues.missing == {FUTURES: "it is down"}
    assert answer.meta.venues.answered == [SPOT] and answer.meta.symbol == "BTCUSDT"


def test_where_the_one_venue_asked_fails_its_error_is_the_answer() -> None:
    asker = FakeAsker({(FUTURES, "ticker"): VenueUnavailable("it is down", after_s=3.0)})
    with pytest.raises(VenueUnavailable, match="it is down"):
        tools.call(context(FakeLatest(kind="live"), asker=asker), "market_ticker", {"symbol": "BTCUSDT"})


def test_where_all_fail_every_reason_is_told() -> None:
    asker = FakeAsker({(FUTURES, "ticker"): VenueUnavailable("one"), (SPOT, "ticker"): []})
    with pytest.raises(NoData, match="one; tells no ticker") as caught:
        tools.call(context(FakeLatest(kind="live"), asker=asker), "market_ticker", {"symbol": "BTCUSDT"})
    assert caught.value.hint


def test_a_venue_that_does_not_answer_such_a_question_is_said_with_those_that_do() -> None:
    with pytest.raises(UnsupportedByVenue, match="binance_spot: nothing answers long short") as caught:
        asked("market_long_short_ratio", {"long_short": []}, symbol="BTCUSDT", venues=[SPOT])
    assert caught.value.hint == f"venues that do: {FUTURES}"


def test_a_symbol_that_can_be_none_is_refused_before_anybody_is_asked() -> None:
    with pytest.raises(InvalidArgument, match="symbol"):
        asked("market_ticker", {"ticker": []}, symbol="--")


# ── The 24 hours ──────────────────────────────────────────────────────────────────────────────


def test_a_ticker_has_its_basis_and_annual_funding() -> None:
    told: list[Event] = [
        Ticker(*BTC, 101.0, open=100.0, change_pct=1.0, volume=5.0),
        Quote(*BTC, 100.9, 1.0, 101.1, 2.0),
        MarkPrice(*BTC, 101.0, 100.0),
        Funding(*BTC, 0.0001, interval_hours=8.0),
        OpenInterest(*BTC, 7.0, usd=707.0),
        Ticker(*ETH, 5.0),  # of another symbol
    ]
    (row,) = cells(asked("market_ticker", {"ticker": told}, symbol="BTCUSDT"))
    assert row["last"] == 101.0 and (row["bid"], row["ask"]) == (100.9, 101.1)
    assert row["basis_bps"] == pytest.approx(100.0)  # (101 / 100 - 1) * 10,000
    assert row["funding_annual_pct"] == pytest.approx(10.95)  # 0.0001 * 8,760 / 8 * 100
    assert (row["open_interest"], row["open_interest_usd"]) == (7.0, 707.0)
    assert row["high"] is None  # not told, so not known


MARKETS: list[Event] = [
    ticker("BTCUSDT", 100.0, 1.0, 900.0),
    ticker("ETHUSDT", 10.0, -5.0, 500.0),
    ticker("SOLUSDT", 1.0, 7.0, 100.0),
    Funding(*BTC, 0.0001, interval_hours=8.0),
    Funding(*ETH, -0.0002, interval_hours=8.0),
]


def test_a_whole_venue_is_sorted_by_what_is_asked_and_led() -> None:
    answer = asked("market_tickers", {"tickers": MARKETS}, sort="change")
    assert [one["symbol"] for one in cells(answer)] == ["SOLUSDT", "BTCUSDT", "ETHUSDT"]
    assert answer.summary["markets"] == 3
    assert answer.summary["gainers"][0] == {"symbol": "SOLUSDT", "venue": FUTURES, "value": 7.0}
    assert answer.summary["losers"][0]["symbol"] == "ETHUSDT"
    assert answer.summary["by_volume"][0]["value"] == 900.0
    assert answer.summary["lowest_funding"][0]["value"] == pytest.approx(-21.9)
    assert "by_open_interest" not in answer.summary  # nobody told any
    only = asked("market_tickers", {"tickers": MARKETS}, symbols="eth-usdt")
    assert [one["symbol"] for one in cells(only)] == ["ETHUSDT"]


def test_movers_are_those_that_rose_and_those_that_fell() -> None:
    rows = cells(asked("market_top_movers", {"tickers": MARKETS}, count=1))
    assert [(one["direction"], one["symbol"], one["rank"]) for one in rows] == [
        ("up", "SOLUSDT", 1),
        ("down", "ETHUSDT", 1),
    ]
    rows = cells(asked("market_top_movers", {"tickers": MARKETS}, count=5, min_quote_volume=200))
    assert [one["symbol"] for one in rows] == ["BTCUSDT", "ETHUSDT"]


# ── Prices ────────────────────────────────────────────────────────────────────────────────────


def test_a_price_is_of_the_kind_that_the_venue_tells() -> None:
    (row,) = cells(asked("market_prices", {"price": [LastPrice(*BTC, 99.0)]}, symbol="BTCUSDT"))
    assert (row["price"], row["kind"]) == (99.0, "last")
    told: list[Event] = [Quote(*BTC, 99.0, 1.0, 101.0, 1.0), ticker("BTCUSDT", 100.5, 0.0, 1.0)]
    (last,) = cells(asked("market_prices", {"ticker": told}, symbol="BTCUSDT"))
    (mid,) = cells(asked("market_prices", {"ticker": told}, symbol="BTCUSDT", kind="mid"))
    assert (last["price"], mid["price"], mid["kind"]) == (100.5, 100.0, "mid")
    average = [LastPrice(*BTC, 98.0, "average", 5.0)]
    (row,) = cells(asked("market_prices", {"average_price": average}, symbol="BTCUSDT", kind="average"))
    assert (row["price"], row["kind"], row["minutes"]) == (98.0, "average", 5.0)


def test_the_touch_has_its_spread_and_an_oracle_none() -> None:
    told: list[Event] = [Quote(*BTC, 99.0, 1.0, 101.0, 2.0), Quote(*ETH, None, None, None, None, mid=5.0)]
    rows = cells(asked("market_best_quote", {"quotes": told}))
    assert (rows[0]["mid"], rows[0]["spread"], rows[0]["spread_bps"]) == (100.0, 2.0, pytest.approx(200.0))
    assert (rows[1]["mid"], rows[1]["spread"]) == (5.0, None)


def test_spreads_of_the_last_while_come_newest_first() -> None:
    told: list[Event] = [Quote(*then(2), 99.0, None, 101.0, None), Quote(*then(1), 99.5, None, 100.5, None)]
    answer = asked("market_spread_history", {"quote_history": told}, symbol="BTCUSDT")
    assert [one["spread"] for one in cells(answer)] == [1.0, 2.0]
    assert answer.summary[FUTURES]["mean_bps"] == pytest.approx(150.0)


# ── Trades and candles ────────────────────────────────────────────────────────────────────────

TRADES: list[Event] = [
    Trade(*then(3), 1, False, 100.0, 3.0),  # bought
    Trade(*then(2), 2, True, 101.0, 1.0),  # sold
    Trade(*then(1), 3, False, 102.0, 2.0),
]


def test_trades_are_split_by_the_takers_side() -> None:
    answer = asked("market_trades", {"trades": TRADES}, symbol="BTCUSDT", count=2)
    assert [(one["side"], one["value"]) for one in cells(answer)] == [("buy", 204.0), ("sell", 101.0)]
    split = answer.summary[FUTURES]
    assert (split["bought"], split["sold"], split["delta"]) == (2.0, 1.0, 1.0)
    assert split["vwap"] == pytest.approx(305 / 3)  # (102 * 2 + 101 * 1) / 3


def test_the_live_tape_answers_when_it_is_long_enough() -> None:
    tape = [Trade(FUTURES, "BTCUSDT", NOW - n, NOW - n, n, False, 100.0, 1.0) for n in (2, 1)]
    asker = FakeAsker({(FUTURES, "trades"): TRADES})
    known = context(FakeLatest(kind="live", others=tape), asker=asker)
    answer = tools.call(known, "market_trades", {"symbol": "BTCUSDT", "count": 2})
    assert {one["source"] for one in cells(answer)} == {"live"} and not asker.asked
    answer = tools.call(known, "market_trades", {"symbol": "BTCUSDT", "count": 3})
    assert {one["source"] for one in cells(answer)} == {"rest"}


def bar(back: int, close: float) -> Candle:
    opened = NOW - back * HOUR
    return Candle(
        *then(back), "1h", opened, opened + HOUR - MS, 100.0, close + 5, 90.0, close, 2.0, closed=back > 0
    )


def test_candles_are_the_last_before_a_time_with_what_they_are_together() -> None:
    bars: list[Event] = [bar(3, 101.0), bar(2, 102.0), bar(1, 104.0)]
    answer = asked("market_candles", {"candles": bars}, symbol="BTCUSDT", count=2)
    assert [one["close"] for one in cells(answer)] == [104.0, 102.0]
    whole = answer.summary[FUTURES]
    assert (whole["open"], whole["close"], whole["high"], whole["volume"]) == (100.0, 104.0, 109.0, 4.0)
    assert whole["change_pct"] == pytest.approx(4.0)
    assert answer.meta.window is not None and answer.meta.window.since == (NOW - 2 * HOUR) // MS
    early = asked("market_candles", {"candles": bars}, symbol="BTCUSDT", until="-90m")
    assert [one["close"] for one in cells(early)] == [102.0, 101.0]


# ── Derivatives ───────────────────────────────────────────────────────────────────────────────


def test_a_mark_has_its_basis() -> None:
    told: list[Event] = [MarkPrice(*BTC, 99.0, 100.0), Funding(*BTC, 0.0001, interval_hours=1.0, next_ts=NOW)]
    (row,) = cells(asked("market_mark_price", {"mark": told}, symbol="BTCUSDT"))
    assert (row["basis"], row["basis_bps"]) == (-1.0, pytest.approx(-100.0))
    assert row["funding_annual_pct"] == pytest.approx(87.6) and row["next_funding"] == NOW // MS


def test_an_index_is_told_by_the_mark_too_and_indices_are_named() -> None:
    (row,) = cells(asked("market_index_price", {"mark": [MarkPrice(*BTC, 99.0, 100.0)]}, symbol="BTCUSDT"))
    assert row["index"] == 100.0
    named = [Asset(FUTURES, "BTCUSD", None, NOW, "btc_usd", "btc_usd", "index")]
    (row,) = cells(asked("market_index_price", {"indices": named}, names=True))
    assert (row["symbol"], row["index"]) == ("btc_usd", None)
    with pytest.raises(InvalidArgument, match="symbol"):
        asked("market_index_price", {"index": []})


def test_funding_that_was_paid_knows_its_interval_from_its_times() -> None:
    told: list[Event] = [Funding(*then(16), 0.0001), Funding(*then(8), 0.0003), Funding(*then(0), -0.0001)]
    answer = asked("market_funding_history", {"funding_history": told}, symbol="BTCUSDT")
    assert [one["interval_hours"] for one in cells(answer)] == [8.0, 8.0, 8.0]
    paid = answer.summary[FUTURES]
    assert paid["mean_rate"] == pytest.approx(0.0001) and paid["mean_annual_pct"] == pytest.approx(10.95)
    assert (paid["positive"], paid["sum_of_rates"]) == (2, pytest.approx(0.0003))
    late = asked("market_funding_history", {"funding_history": told}, symbol="BTCUSDT", since="-9h")
    assert [one["funding_rate"] for one in cells(late)] == [-0.0001, 0.0003]


def test_open_interest_over_time_changes_from_the_first_row() -> None:
    told: list[Event] = [
        OpenInterest(*then(2), 100.0),
        OpenInterest(*then(1), 110.0),
        OpenInterest(*then(0), 99.0),
    ]
    answer = asked("market_open_interest_history", {"open_interest_history": told}, symbol="BTCUSDT")
    assert [one["change_pct"] for one in cells(answer)] == [pytest.approx(-1.0), pytest.approx(10.0), 0.0]
    assert answer.summary[FUTURES]["highest"] == 110.0


def test_ratios_are_told_series_by_series() -> None:
    told: list[Event] = [
        LongShort(*then(2), "accounts", 1.5, 0.6, 0.4),
        LongShort(*then(1), "accounts", 1.0, 0.5, 0.5),
        LongShort(*then(1), "top_positions", 3.0, 0.75, 0.25),
    ]
    answer = asked("market_long_short_ratio", {"long_short": told}, symbol="BTCUSDT", points=1)
    assert {(one["of"], one["ratio"], one["long_pct"]) for one in cells(answer)} == {
        ("accounts", 1.0, 50.0),
        ("top_positions", 3.0, 75.0),
    }
    assert answer.summary[FUTURES] == {"accounts": 1.0, "top_positions": 3.0}


def test_taker_volume_basis_and_statistics() -> None:
    (row,) = cells(
        asked("market_taker_volume", {"taker_volume": [TakerVolume(*BTC, 3.0, 1.0)]}, symbol="BTCUSDT")
    )
    assert (row["delta"], row["buy_share_pct"], row["unit"]) == (2.0, 75.0, "base")
    basis = Basis(*BTC, -1.0, -0.01, contract="perpetual")
    (row,) = cells(asked("market_basis", {"basis": [basis]}, symbol="BTCUSDT"))
    assert (row["basis_pct"], row["annual_pct"]) == (-1.0, None)
    stats = ContractStats(*BTC, open_interest=5.0, long_liquidated=1.0)
    (row,) = cells(asked("market_contract_stats", {"contract_stats": [stats]}, symbol="BTCUSDT"))
    assert (row["open_interest"], row["long_liquidated"], row["taker_ratio"]) == (5.0, 1.0, None)


# ── Venues ────────────────────────────────────────────────────────────────────────────────────


def test_funds_tiers_and_settlements() -> None:
    funds: list[Event] = [InsuranceFund(*BTC, "USDT", 5.0), InsuranceFund(*BTC, "BTC", 1.0, 100.0)]
    (row,) = cells(asked("market_insurance_fund", {"insurance_fund": funds}, coin="btc"))
    assert (row["balance"], row["usd"]) == (1.0, 100.0)
    tiers: list[Event] = [
        RiskTier(*BTC, 2, 9.0, "quote"),
        RiskTier(*BTC, 1, 4.0, "quote", 0.01, 0.005, 100.0),
    ]
    rows = cells(asked("market_risk_tiers", {"risk_tiers": tiers}, symbol="BTCUSDT"))
    assert [(one["tier"], one["initial_margin_pct"]) for one in rows] == [(1, 1.0), (2, None)]
    settled: list[Event] = [Settlement(FUTURES, "BTC", NOW, NOW, "delivery", "BTC-1", 100.0)]
    (row,) = cells(asked("market_settlements", {"settlements": settled}, coin="btc"))
    assert (row["instrument"], row["price"]) == ("BTC-1", 100.0)


def test_listings_are_searched_and_counted() -> None:
    one = Instrument(
        *BTC, native="BTCUSDT", kind="perpetual", base="BTC", quote="USDT", status="TRADING", trading=True
    )
    answer = asked("market_instruments", {"instruments": [one]}, symbol="BTCUSDT")
    assert cells(answer)[0]["native"] == "BTCUSDT" and answer.summary["perpetual"] == 1
    assert asked("market_instruments", {"instruments": [one]}, kind="spot").rows == []
    with pytest.raises(OrderflowError, match="lists no 'BTCUSD'") as caught:
        asked("market_instruments", {"instruments": [one]}, symbol="BTCUSD")
    assert caught.value.hint == "nearest: BTCUSDT"
    coin = Asset(FUTURES, "", None, NOW, "BTC", "XXBT")
    assert cells(asked("market_instruments", {"currencies": [coin]}, currencies=True))[0]["native"] == "XXBT"


def test_volatility_of_both_kinds() -> None:
    realised: list[Event] = [
        Volatility(FUTURES, "BTC", NOW - n * HOUR, NOW, 0.5 + n / 10, "realised") for n in (1, 0)
    ]
    answer = asked("market_volatility", {"realised_volatility": realised})
    assert [one["value_pct"] for one in cells(answer)] == [50.0, pytest.approx(60.0)]
    assert answer.summary[FUTURES]["now_pct"] == 50.0
    bars: list[Event] = [VolatilityBar(FUTURES, "BTC", NOW, NOW, 0.4, 0.45, 0.38, 0.41, 3600.0)]
    (row,) = cells(asked("market_volatility", {"volatility_index": bars}, kind="index"))
    assert (row["value_pct"], row["open_pct"], row["kind"]) == (
        pytest.approx(41.0),
        pytest.approx(40.0),
        "implied",
    )


def test_what_venues_say_of_themselves() -> None:
    notice = Announcement(FUTURES, "", NOW - MINUTE, NOW, "A listing", kind="new")
    (row,) = cells(asked("venue_announcements", {"announcements": [notice]}))
    assert (row["title"], row["starts"]) == ("A listing", None)
    status = VenueStatus(FUTURES, "", None, NOW, "online")
    (row,) = cells(asked("venue_status", {"status": [status]}))
    assert (row["status"], row["planned"]) == ("online", False)


def test_totals_say_how_they_came_about() -> None:
    told: list[Event] = [*MARKETS, OpenInterest(*BTC, 2.0), OpenInterest(*ETH, 1.0, usd=11.0)]
    (row,) = cells(asked("venue_stats", {"tickers": told}))
    assert (row["volume_24h"], row["of"]) == (1500.0, "sum of 3 markets")
    assert row["open_interest"] == 211.0  # 2 at 100 each, and 11 told
    assert (row["gaining"], row["losing"], row["mean_change_pct"]) == (2, 1, 1.0)
    assert (row["positive_funding"], row["negative_funding"]) == (1, 1)
    whole: list[Event] = [
        VenueVolume(FUTURES, "", NOW, NOW, 5.0),
        VenueVolume(FUTURES, "", NOW, NOW, 3.0, "SWAP"),
    ]
    (row,) = cells(asked("venue_stats", {"volume": whole}))
    assert (row["volume_24h"], row["of"]) == (5.0, "the venue's own total")


def test_what_is_simulated_stays_simulated() -> None:
    asker = FakeAsker({(FUTURES, "ticker"): [Ticker(*BTC, 1.0)]})
    known = context(FakeLatest(quotes=[quote(SPOT, 1.0, 2.0)]), asker=asker)
    assert tools.call(known, "market_ticker", {"symbol": "BTCUSDT"}).meta.source == "simulated"

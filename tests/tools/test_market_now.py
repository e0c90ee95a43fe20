"""What is open, paid and liquidated now, over a fixed hour: live while fresh, else stored, never a made-up zero."""

from typing import Any

import pytest
from fixed_market import NOW, FakeLatest, context, quote, top

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData, UnknownVenue, UnsupportedByVenue
from orderflow.market.events import HOUR, MINUTE, MS, Event, Funding, MarkPrice, OpenInterest, Ticker
from orderflow.tools.answers import Answer
from orderflow.tools.context import Context
from orderflow.tools.market_aliases import MARKET_ALIASES
from orderflow.tools.venue_aliases import VENUE_ALIASES

NOW_TOLD = {f"market_{one}" for one in ("open_interest", "funding", "liquidations", "snapshot")}
NAMES = {name: one for name, one in (MARKET_ALIASES | VENUE_ALIASES).items() if one.tool in NOW_TOLD}


def known(*others: Event, kind: str = "simulated", **more: Any) -> Context:
    """Return a run that hears both futures venues, and these events besides."""
    heard = FakeLatest(
        quotes=[quote("binance_futures", 100.0, 100.1), quote("bybit_futures", 100.4, 100.5)],
        kind=kind, others=others,
    )  # fmt: skip
    return type(context())(**{**context(heard).__dict__, **more})


def asked(tool: str, /, *others: Event, **arguments: Any) -> Answer:
    return tools.call(known(*others), tool, {"symbol": "BTCUSDT", **arguments})


def rows(answer: Answer, table: str = "") -> list[dict[str, Any]]:
    found = answer.more[table] if table else answer
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def ms(minute: float) -> int:
    """Return when a minute of the fixed hour began."""
    return (NOW - HOUR + round(minute * MINUTE)) // MS


def interest(venue: str, size: float | None, *, age_ms: int = 100, **more: Any) -> OpenInterest:
    at = NOW - age_ms * MS
    return OpenInterest(venue, more.pop("symbol", "BTCUSDT"), at, at, size, **more)


def funding(venue: str, rate: float, hours: float | None, *, age_ms: int = 100, **more: Any) -> Funding:
    at = NOW - age_ms * MS
    next_ts = NOW + HOUR
    return Funding(
        venue, more.pop("symbol", "BTCUSDT"), at, at, rate, more.pop("predicted", None), hours, next_ts
    )


def mark(venue: str, price: float) -> MarkPrice:
    return MarkPrice(venue, "BTCUSDT", NOW - MS, NOW - MS, price, price)


# ── Open interest ─────────────────────────────────────────────────────────────────────────────


def test_open_interest_is_live_where_it_is_fresh_and_stored_elsewhere() -> None:
    live = interest("binance_futures", 1_100.0, contracts=11.0, usd=111_000.0)
    answer = asked("market_open_interest", live, mark("binance_futures", 101.0), period="15m")
    binance, bybit = rows(answer)
    assert (binance["source"], bybit["source"]) == ("live", "stored")
    assert (binance["open_interest"], binance["contracts"], binance["open_interest_usd"]) == (
        1100,
        11,
        111_000,
    )
    # at the mark of 101: 1,100 × 101; of 1,045 coins in minute 45, which is 15 minutes ago: 55 more, 5.263 %
    assert (binance["value"], binance["change"], binance["change_value"]) == (111_100, 55, 5_555)
    assert binance["change_pct"] == pytest.approx(100 * 55 / 1045)
    assert binance["compared_with"] == ms(45)
    # minute 59 was the last that bybit told; it has neither contracts nor a mark
    assert (bybit["open_interest"], bybit["change"], bybit["age_ms"]) == (1059, 14, 60_000)
    assert (bybit["contracts"], bybit["value"], bybit["change_value"]) == (None, None, None)
    assert answer.summary["together"] == {
        "open_interest": 2_159, "open_interest_venues": 2, "value": 111_100, "value_venues": 1,
        "change": 69, "change_venues": 2,
    }  # fmt: skip
    assert any("one side" in one for one in answer.meta.warnings)


def test_the_meta_says_whether_figures_are_live_stored_or_both() -> None:
    def source(*others: Event, **more: Any) -> str:
        run = known(*others, kind="live", **more)
        return tools.call(run, "market_open_interest", {"symbol": "BTCUSDT"}).meta.source

    both = [interest(venue, 1.0) for venue in ("binance_futures", "bybit_futures")]
    assert source(*both) == "live"
    assert source(both[0]) == "mixed"
    assert source() == "stored"
    assert source(*both, stored=True) == "stored"


def test_what_was_heard_long_ago_is_not_what_is_open_now() -> None:
    old = interest("okx_futures", 7.0, age_ms=3 * 3_600_000)
    venues = [row["venue"] for row in rows(asked("market_open_interest", old))]
    assert venues == ["binance_futures", "bybit_futures"]
    with pytest.raises(NoData) as caught:
        asked("market_open_interest", old, venues=["okx_futures"])
    assert "none at all are stored" in caught.value.hint


def test_stored_rows_older_than_two_hours_are_told_but_not_added_up() -> None:
    later = known(clock=lambda: NOW + 3 * HOUR)
    answer = tools.call(later, "market_open_interest", {"symbol": "BTCUSDT"})
    assert [(row["open_interest"], row["change"], row["age_ms"]) for row in rows(answer)] == [
        (1059, None, 181 * 60_000)
    ] * 2
    assert answer.summary["together"]["open_interest"] is None
    assert "not in the sums" in answer.meta.warnings[-1]


def test_a_venue_that_tells_nothing_is_named_with_the_reason() -> None:
    missing = asked("market_open_interest", venues=["binance_futures", "okx_futures"]).meta.venues.missing
    assert missing.get("okx_futures")
    with pytest.raises(UnsupportedByVenue):
        asked("market_open_interest", venues=["binance_spot"])


def test_open_interest_has_a_history_by_period_in_pages() -> None:
    whole = asked("market_open_interest", venues=["binance_futures"], period="15m", since="-1h")
    # the last row of each quarter of an hour
    assert [(row["time"], row["open_interest"]) for row in rows(whole)] == [
        (ms(59), 1059), (ms(44), 1044), (ms(29), 1029), (ms(14), 1014),
    ]  # fmt: skip
    assert whole.summary["change"]["binance_futures"]["change"] == 45
    assert rows(whole, "now")[0]["open_interest"] == 1059
    same = asked("history_open_interest", venues=["binance_futures"], every="15m", since="-1h")
    assert same.rows == whole.rows
    first = asked("market_open_interest", venues=["binance_futures"], period="15m", since="-1h", limit=3)
    assert first.meta.next is not None
    second = tools.call(known(), "market_open_interest", {"next": first.meta.next})
    assert first.rows + second.rows == whole.rows


def test_a_history_that_is_not_stored_leaves_what_is_now() -> None:
    live = interest("okx_futures", 7.0)
    answer = asked("market_open_interest", live, venues=["okx_futures"], since="-1h")
    assert rows(answer)[0]["open_interest"] == 7
    assert "the history is not known" in answer.meta.warnings[-1]


def test_all_symbols_are_those_that_are_live() -> None:
    events = [interest("binance_futures", 1.0), interest("bybit_futures", 2.0, symbol="ETHUSDT")]
    answer = tools.call(known(*events), "market_open_interest", {})
    assert [(row["symbol"], row["venue"]) for row in rows(answer)] == [
        ("BTCUSDT", "binance_futures"), ("ETHUSDT", "bybit_futures"),
    ]  # fmt: skip
    assert answer.meta.symbol is None and not answer.summary
    with pytest.raises(NoData, match="no open interest received"):
        tools.call(known(), "market_open_interest", {})
    with pytest.raises(InvalidArgument, match="one symbol"):
        tools.call(known(*events), "market_open_interest", {"since": "-1h"})


@pytest.mark.parametrize("wrong", [{"period": "1 hour"}, {"venues": ["mtgox"]}, {"since": "x"}])
def test_a_wrong_argument_is_refused_with_what_is_allowed(wrong: dict[str, Any]) -> None:
    with pytest.raises((InvalidArgument, UnknownVenue)) as caught:
        asked("market_open_interest", **wrong)
    assert caught.value.hint


# ── Funding ───────────────────────────────────────────────────────────────────────────────────


def test_funding_is_told_by_each_venues_interval_with_the_last_settlements() -> None:
    live = funding("bybit_futures", -0.0004, 8.0, predicted=0.0001)
    answer = asked("market_funding", live)
    binance, bybit = rows(answer)
    # 0.0001 an hour are 87.6 % a year; -0.0004 every eight hours -43.8 %
    assert (binance["annual_pct"], binance["source"], binance["age_ms"]) == (
        pytest.approx(87.6),
        "stored",
        60_000,
    )
    assert (bybit["funding_rate"], bybit["predicted_rate"]) == (-0.0004, 0.0001)
    assert (bybit["annual_pct"], bybit["source"]) == (pytest.approx(-43.8), "live")
    assert bybit["next_funding"] == (NOW + HOUR) // MS
    assert (answer.summary["longs_pay"], answer.summary["shorts_pay"]) == (1, 1)
    assert answer.summary["dearest_for_longs"]["venue"] == "binance_futures"
    assert answer.summary["cheapest_for_longs"]["annual_pct"] == pytest.approx(-43.8)
    # bybit's next is seven hours away: not settled
    assert [(row["time"], row["venue"], row["funding_rate"]) for row in rows(answer, "settlements")] == [
        (ms(30), "binance_futures", 0.0001)
    ]
    assert not asked("market_funding", live, settlements=0).more


def test_an_interval_that_is_not_known_has_no_annual_rate() -> None:
    (row,) = rows(asked("market_funding", funding("okx_futures", 0.01, None), venues=["okx_futures"]))
    assert (row["interval_hours"], row["annual_pct"]) == (None, None)


def test_a_venue_that_tells_no_next_time_has_none() -> None:
    at = NOW - MS
    accrues = Funding("bybit_futures", "BTCUSDT", at, at, 0.0001, None, 8.0, None)
    (row,) = rows(asked("market_funding", accrues, venues=["bybit_futures"]))
    assert row["next_funding"] is None  # though the stored one names 07:00


def test_a_rate_that_is_old_is_not_told_and_the_reason_is() -> None:
    later = known(clock=lambda: NOW + 3 * HOUR)
    answer = tools.call(later, "market_funding", {"symbol": "BTCUSDT"})
    assert [row["funding_rate"] for row in rows(answer)] == [None, None]
    assert "more than 2 h ago" in answer.meta.venues.missing["binance_futures"]
    assert answer.summary == {}
    assert rows(answer, "settlements")  # what was paid is known all the same


def test_before_the_first_message_there_is_no_rate_and_no_zero() -> None:
    with pytest.raises(NoData):
        asked("market_funding", venues=["okx_futures"])
    with pytest.raises(NoData, match="no funding rates received"):
        tools.call(known(), "market_funding", {})
    every = tools.call(known(funding("okx_futures", 0.0001, 8.0)), "market_funding", {})
    assert [row["venue"] for row in rows(every)] == ["okx_futures"] and not every.more
    with pytest.raises(UnsupportedByVenue):
        asked("market_funding", venues=["binance_spot"])
    with pytest.raises(InvalidArgument):
        asked("market_funding", settlements=31)


# ── Liquidations ──────────────────────────────────────────────────────────────────────────────


def test_liquidations_are_added_up_by_side_and_say_that_they_are_a_lower_bound() -> None:
    answer = asked("market_liquidations")
    assert rows(answer) == [
        {"symbol": "BTCUSDT", "time": ms(30), "venue": "binance_futures", "side": "long", "price": 130.0,
         "quantity": 3.0, "value": 390.0, "source": "stored"}
    ]  # fmt: skip
    assert answer.summary["together"] == {
        "long_value": 390.0, "longs": 1, "short_value": 0.0, "shorts": 0, "lower_bound": True,
    }  # fmt: skip
    assert rows(answer, "venues") == [
        {"venue": "binance_futures", "longs": 1, "long_value": 390.0, "shorts": 0, "short_value": 0.0,
         "largest_value": 390.0, "last": ms(30), "lower_bound": True, "source": "stored"}
    ]  # fmt: skip
    assert any("lower bound" in one for one in answer.meta.warnings)
    assert "no public feed" in answer.meta.venues.missing["hyperliquid_futures"]
    assert any("lower bound" in one for one in asked("history_liquidations").meta.warnings)


def test_without_a_symbol_all_are_told_together() -> None:
    one, every = asked("market_liquidations"), tools.call(known(), "market_liquidations", {})
    assert every.rows == one.rows and every.meta.symbol is None
    with pytest.raises(NoData, match="of any symbol"):
        tools.call(known(), "market_liquidations", {"since": "-10m"})


def test_many_symbols_want_one_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orderflow.tools.liquidations.MOST_SYMBOLS", 1)
    with pytest.raises(InvalidArgument, match="2 symbols are too many"):
        tools.call(known(), "market_liquidations", {})


def test_an_empty_window_names_the_range_that_exists() -> None:
    with pytest.raises(NoData) as caught:
        asked("market_liquidations", since="-10m")
    assert "2025-11-20T23:30:00Z" in caught.value.hint
    with pytest.raises(InvalidArgument):
        asked("market_liquidations", min_value=-1)


# ── The snapshot ──────────────────────────────────────────────────────────────────────────────


def test_a_snapshot_counts_the_cvd_from_midnight_and_says_so() -> None:
    at = NOW - MINUTE
    events = [
        Ticker("binance_futures", "BTCUSDT", at, at, 99.0),
        interest("binance_futures", 5.0, age_ms=60_000),
        MarkPrice("binance_futures", "BTCUSDT", at, at, 101.0, 100.0),
    ]
    run = known(*events, clock=lambda: NOW - MINUTE)
    answer = tools.call(run, "market_snapshot", {"symbol": "BTCUSDT", "venues": ["binance_futures"]})
    (row,) = rows(answer)
    # 5 coins at a mark of 101; minutes 0 to 59, 2 coins each, the 30 even ones sold and the 30 odd ones bought
    assert (row["last"], row["open_interest_value"]) == (99.0, 505.0)
    assert (row["cvd"], row["last_trade"]) == (0.0, ms(59))
    assert answer.summary["cvd"]["since"] == "2025-11-20T00:00:00.000Z"
    assert answer.summary["cvd"]["coverage_pct"]["binance_futures"] == pytest.approx(
        100 * 59 / (24 * 60 - 1), 1e-3
    )


def test_at_midnight_the_cvd_is_unknown_with_the_reason() -> None:
    answer = asked("market_snapshot")
    assert rows(answer)[0]["cvd"] is None
    assert "no trades are stored" in answer.summary["cvd"]["reason"]


def test_depth_is_what_rests_within_one_percent_as_far_as_it_is_known() -> None:
    heard = FakeLatest(
        tops=[
            # mid 100: the band is 99 to 101; bids reach beyond it, asks do not
            top("binance_futures", [(99.9, 1.0), (99.0, 2.0), (98.0, 4.0)], [(100.1, 8.0), (100.9, 16.0)]),
            top("bybit_futures", [(99.9, 1.0), (98.9, 2.0)], [(100.1, 8.0), (101.1, 16.0)]),
            top("okx_futures", [(99.9, 1.0)], []),
        ]
    )
    answer = tools.call(context(heard), "market_snapshot", {"symbol": "BTCUSDT", "history": False})
    found = {row["venue"]: (row["depth_bid"], row["depth_ask"], row["depth_whole"]) for row in rows(answer)}
    assert found == {
        "binance_futures": (3.0, 24.0, False), "bybit_futures": (1.0, 8.0, True), "okx_futures": (None, None, None),
    }  # fmt: skip


# ── Old names ─────────────────────────────────────────────────────────────────────────────────

OLD = {
    "get_open_interest_data": ({"symbol": "BTCUSDT"}, {"symbol": "BTCUSDT"}),
    "get_open_interest": (
        {"symbol": "BTCUSDT", "period": "1h", "limit": 30},
        {"symbol": "BTCUSDT", "period": "1h", "limit": 30, "since": "-108000s", "venues": ["binance_futures"]},
    ),
    "get_funding_rate_data": ({}, {}),
    "get_funding_rate": (
        {"symbol": "BTCUSDT"}, {"symbol": "BTCUSDT", "venues": ["binance_futures"], "settlements": 10},
    ),
    "get_liquidation_data": ({}, {"limit": 20}),
    "stream_liquidations": (
        {"symbol": "BTCUSDT"}, {"symbol": "BTCUSDT", "venues": ["binance_futures"], "limit": 100},
    ),
    "okx_open_interest_tool": (
        {"inst_id": "ETH-USDT-SWAP", "inst_type": "SWAP"}, {"symbol": "ETHUSDT", "venues": ["okx_futures"]},
    ),
    "okx_open_interest": ({"uly": "ETH-USDT"}, {"symbol": "ETHUSDT", "venues": ["okx_futures"]}),
    "kraken_open_interest_tool": ({}, {"venues": ["kraken_futures"]}),
    "gateio_open_interest": ({"settle": "usdt"}, {"venues": ["gate_futures"]}),
    "deribit_open_interest": ({}, {"symbol": "BTCUSDT", "venues": ["deribit_futures"]}),
    "okx_funding_rate_tool": ({}, {"symbol": "BTCUSDT", "venues": ["okx_futures"]}),
    "hyperliquid_all_funding_rates": ({}, {"venues": ["hyperliquid_futures"]}),
    "deribit_funding_rate": ({"currency": "ETH"}, {"symbol": "ETHUSDT", "venues": ["deribit_futures"]}),
    "binance_liquidations_tool": ({}, {"limit": 100, "venues": ["binance_futures"]}),
    "gateio_liquidations": (
        {"contract": "BTC_USDT", "limit": 5}, {"symbol": "BTCUSDT", "limit": 5, "venues": ["gate_futures"]},
    ),
    "binance_snapshot_tool": ({}, {"symbol": "BTCUSDT", "history": False, "venues": ["binance_futures"]}),
    "hyperliquid_market_snapshot": (
        {"coin": "SOL"}, {"symbol": "SOLUSDT", "history": False, "venues": ["hyperliquid_futures"]},
    ),
    "gateio_market_snapshot": ({}, {"symbol": "BTCUSDT", "history": False, "venues": ["gate_futures"]}),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD)
def test_an_old_name_is_translated(name: str) -> None:
    given, wanted = OLD[name]
    tool, alias = tools.ALL.resolve(name)
    assert alias is not None and alias.translate(given, tool.names) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_an_old_name_takes_its_own_defaults_and_answers_or_says_why_not(name: str) -> None:
    events = [
        event
        for venue in tools.ALL.resolve(name)[1].fixed.get("venues", ["okx_futures"])  # type: ignore[union-attr]
        if venue != "binance_spot"
        for event in (interest(venue, 1.0), funding(venue, 0.0001, 8.0))
    ]
    try:
        answer = tools.call(known(*events), name, {})
    except NoData as error:
        assert error.hint
    except InvalidArgument as error:
        assert "symbol" in error.message  # it always needed one
    else:
        assert answer.meta.tool == NAMES[name].tool
    assert set(tools.ALL.schema(name)["properties"]) >= set(NAMES[name].parameters)


def test_what_an_old_name_chose_among_is_refused_where_one_is_left() -> None:
    with pytest.raises(InvalidArgument, match="settle: 'btc'") as caught:
        tools.call(known(), "gateio_liquidations", {"settle": "btc"})
    assert caught.value.hint == "settle: usdt"
    assert tools.ALL.schema("gateio_liquidations")["properties"]["settle"]["enum"] == ["usdt"]
    with pytest.raises(InvalidArgument):
        tools.call(known(), "get_open_interest", {"symbol": "BTCUSDT", "limit": "many"})

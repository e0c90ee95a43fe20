"""The tools of the past, over a fixed hour: figures by hand, what is missing and why, and pages that agree."""

from typing import Any

import pytest
from fixed_market import NOW, FakeLatest, context, history, quote

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData, OrderflowError, UnknownSymbol, UnsupportedByVenue
from orderflow.market.events import HOUR, MINUTE, MS, Funding, MarkPrice, OpenInterest, Ticker
from orderflow.tools.answers import Answer, tokens
from orderflow.tools.forms import as_text


def asked(tool: str, /, **arguments: Any) -> Answer:
    return tools.call(context(), tool, {"symbol": "BTCUSDT", **arguments})


def rows(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def ms(minute: float) -> int:
    """Return when a minute of the fixed hour began."""
    return (NOW - HOUR + round(minute * MINUTE)) // MS


# ── Every tool of the past ────────────────────────────────────────────────────────────────────

# Those that look at a window of a symbol; a statement of SQL says itself what it looks at.
PAST = [
    one
    for one in tools.ALL.tools.values()
    if one.asks_store and any(parameter.name == "symbol" for parameter in one.parameters)
]


@pytest.mark.parametrize("one", PAST, ids=[one.name for one in PAST])
def test_an_answer_says_its_window_source_units_and_what_was_collected(one: Any) -> None:
    meta = tools.call(context(), one.name, dict(one.example)).meta
    assert meta.source == "simulated"
    assert "simulated data" in meta.warnings[0]
    assert meta.window is not None and meta.window.since < meta.window.until
    assert meta.units and meta.venues.answered
    assert meta.coverage_pct is not None or meta.coverage_reason


@pytest.mark.parametrize("one", PAST, ids=[one.name for one in PAST])
def test_an_answer_with_times_keeps_its_budget(one: Any) -> None:
    answer = tools.call(context(), one.name, {**one.example, "max_tokens": 1_200})
    assert tokens(as_text(answer)) <= 1_200


@pytest.mark.parametrize("one", PAST, ids=[one.name for one in PAST])
def test_without_a_store_nothing_is_invented(one: Any) -> None:
    live = FakeLatest(
        quotes=[quote("binance_futures", 1.0, 2.0), quote("binance_futures", 1.0, 2.0, symbol="ETHUSDT")]
    )
    known = context(live)
    bare = type(known)(latest=known.latest, gaps=known.gaps, health=known.health, clock=known.clock)
    try:
        answer = tools.call(bare, one.name, dict(one.example))
    except NoData as error:
        assert error.hint
        return
    assert one.name == "market_snapshot"  # what is now is known without it
    assert "nothing is stored" in answer.meta.warnings[-1] and not answer.more


@pytest.mark.parametrize(
    "name",
    [
        one.name
        for one in PAST
        if one.name not in ("history_stats", "market_snapshot", "history_price_context")
    ],
)
def test_an_unknown_symbol_is_told_with_the_nearest(name: str) -> None:
    with pytest.raises(UnknownSymbol) as caught:
        asked(name, symbol="BTCUSD")
    assert "BTCUSDT" in caught.value.hint


def test_a_symbol_may_be_written_as_people_do() -> None:
    assert asked("history_candles", symbol="btc/usdt").meta.symbol == "BTCUSDT"


@pytest.mark.parametrize("since", ["-4h", ms(0) - 3 * 3_600_000, "2025-11-20T20:00:00Z"])
def test_times_come_in_any_form(since: Any) -> None:
    window = asked("history_candles", since=since).meta.window
    assert window is not None and (window.since, window.until) == (ms(-180), ms(60))


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="empty"):
        asked("history_trades", since="now", until="-1h")


def test_pages_are_of_one_window_however_late_the_next_is_asked() -> None:
    whole = asked("history_trades", venues=["binance_futures"], since="-10m", max_tokens=8000)
    first = asked("history_trades", venues=["binance_futures"], since="-10m", limit=4)
    later = context()
    clock = lambda: NOW + 30 * MINUTE  # noqa: E731
    second = tools.call(
        type(later)(**{**later.__dict__, "clock": clock}), "history_trades", {"next": first.meta.next}
    )
    assert first.rows + second.rows == whole.rows[:8]
    assert second.meta.window == first.meta.window


def test_a_venue_that_publishes_no_such_stream_is_named_with_the_reason() -> None:
    answer = asked("history_liquidations")
    assert "no public feed" in answer.meta.venues.missing["hyperliquid_futures"]
    answer = asked("history_trades", venues=["binance_futures", "pyth", "okx_futures"])
    assert answer.meta.venues.missing["pyth"] == "has no trades"
    assert "nothing of BTCUSDT on okx_futures was collected" in answer.meta.venues.missing["okx_futures"]
    with pytest.raises(UnsupportedByVenue) as caught:
        asked("history_funding", venues=["binance_spot"])
    assert "binance_futures" in caught.value.hint


def test_an_empty_window_names_the_range_that_exists() -> None:
    with pytest.raises(NoData) as caught:
        asked("history_trades", since="2025-11-19", until="2025-11-20")
    assert "2025-11-20T23:00:00Z" in caught.value.hint


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────


def test_trades_are_newest_first_with_sums_of_the_whole_window() -> None:
    answer = asked("history_trades", venues=["binance_futures"], since="-10m", limit=2, side="buy")
    assert [(row["time"], row["price"], row["side"]) for row in rows(answer)] == [
        (ms(59), 159.0, "buy"),
        (ms(57), 157.0, "buy"),
    ]
    # minutes 50 to 59, 2 coins each, the odd ones bought: 10 and 10; vwap (150 + … + 159) / 10
    sums = answer.summary["whole_window"]["binance_futures"]
    assert (sums["trades"], sums["buy_volume"], sums["sell_volume"], sums["delta"]) == (10, 10.0, 10.0, 0.0)
    assert (sums["vwap"], sums["lowest"], sums["highest"]) == (154.5, 150.0, 159.0)
    # one of ten minutes is a gap
    assert answer.meta.coverage_pct == pytest.approx(90.0)
    assert [gap["reason"] for gap in answer.meta.gaps] == ["disconnected"]


def test_prices_can_be_thinned_out() -> None:
    answer = asked("history_prices", venues=["bybit"], every="15m", since="-30m")
    assert [(row["time"], row["mid_price"]) for row in rows(answer)] == [(ms(59), 160.0), (ms(44), 145.0)]
    assert answer.summary["per_second"]["bybit_futures"]["p50"] == 145.5  # of 131 … 160


def test_more_than_one_answer_reads_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orderflow.tools.history.MOST_READ", 5)
    answer = asked("history_trades", venues=["binance_futures"])
    assert len(answer.rows) == 5
    assert "these are the last of them" in answer.meta.warnings[-1]


def test_funding_is_each_settlement_once_or_every_rate_announced() -> None:
    settled = asked("history_funding", venues=["binance_futures"])
    assert [(row["funding_rate"], row["settled"]) for row in rows(settled)] == [(0.0001, True)]
    assert settled.summary["paid_by_longs"]["binance_futures"]["cumulative_rate"] == 0.0001
    announced = asked("history_funding", venues=["binance_futures"], rows="announced", max_tokens=8000)
    assert (announced.meta.total, rows(announced)[0]["time"]) == (60, ms(59))


def test_open_interest_tells_its_change() -> None:
    answer = asked("history_open_interest", venues=["binance_futures"], since="-30m")
    # from 1030 to 1059: 29 more, 2.82 %
    assert answer.summary["change"]["binance_futures"] == {
        "first": 1030.0, "last": 1059.0, "change": 29.0, "change_pct": pytest.approx(2.815533980),
    }  # fmt: skip
    assert rows(answer)[0]["open_interest_usd"] is None


def test_liquidations_are_added_up_by_side() -> None:
    answer = asked("history_liquidations")
    assert rows(answer) == [
        {
            "time": ms(30),
            "venue": "binance_futures",
            "side": "long",
            "price": 130.0,
            "quantity": 3.0,
            "value": 390.0,
        }
    ]
    assert answer.summary["whole_window"]["all"] == {
        "long_value": 390.0,
        "longs": 1,
        "short_value": 0.0,
        "shorts": 0,
    }


# ── Aggregates ────────────────────────────────────────────────────────────────────────────────


def test_bars_are_of_any_length_and_say_what_they_are_made_of() -> None:
    answer = asked("history_candles", venues=["binance_futures"], bar="30m")
    last, first = rows(answer)
    # minutes 0 to 29: 100 to 129, 2 coins each, the 15 odd ones bought
    assert (first["time"], first["open"], first["high"], first["low"], first["close"]) == (
        ms(0),
        100,
        129,
        100,
        129,
    )
    assert (first["volume"], first["taker_buy_volume"], first["vwap"], first["closed"]) == (
        60.0,
        30.0,
        114.5,
        True,
    )
    assert (last["time"], last["close"]) == (ms(30), 159.0)
    assert answer.summary["made_of"] == {"binance_futures": "trades"}


def test_an_aggregate_of_each_kind() -> None:
    bars = asked("history_aggregate", venues=["binance_futures"], bar="30m", since="-1h")
    assert rows(bars) == rows(asked("history_candles", venues=["binance_futures"], bar="30m"))
    profile = asked("history_aggregate", kind="volume_profile", venues=["binance_futures"], size=20.0)
    # 100 to 119, 120 to 139, 140 to 159: 20 minutes of 2 coins each
    assert [(row["price_from"], row["volume"], row["buy_volume"]) for row in rows(profile)] == [
        (100.0, 40.0, 20.0),
        (120.0, 40.0, 20.0),
        (140.0, 40.0, 20.0),
    ]
    assert profile.summary["point_of_control"]["volume"] == 40.0
    moves = asked("history_aggregate", kind="volatility", venues=["binance_futures"], bar="1m", since="-1h")
    assert (rows(moves)[0]["returns"], rows(moves)[0]["observed_s"]) == (59, 59 * 60.0)
    paid = asked("history_aggregate", kind="funding_cumulative", venues=["binance_futures"])
    assert paid.summary == {"paid_by_longs": {"binance_futures": 0.0001}}
    forced = asked("history_aggregate", kind="liquidation_cascade", bar="5m")
    assert [(row["open_time"], row["long_value"]) for row in rows(forced)] == [(ms(30), 390.0)]
    assert forced.summary["worst_bar"]["long_value"] == 390.0


def test_a_bar_or_a_kind_that_is_none_is_refused() -> None:
    for wrong in ({"bar": "1 hour"}, {"kind": "magic"}, {"bins": 0}):
        with pytest.raises(InvalidArgument):
            asked("history_aggregate", **wrong)


def test_a_liquidation_map_has_its_hottest_zone() -> None:
    answer = asked("history_liquidation_map", size=10.0)
    assert [(row["price_from"], row["long_value"], row["shorts"]) for row in rows(answer)] == [
        (130.0, 390.0, 0)
    ]
    assert answer.summary["hottest_zone"] == {"price_from": 130.0, "price_until": 140.0}
    assert (answer.summary["long_value"], answer.summary["liquidations"]) == (390.0, 1)


def test_the_live_price_is_placed_among_those_of_the_past() -> None:
    answer = asked("history_price_context", look_backs=["15m", "2h"])
    assert (answer.summary["price"], answer.summary["price_is"]) == (pytest.approx(100.05), "live")
    short, long = rows(answer)
    # the last 15 minutes were 145 to 159: 100.05 lies below all, (100.05 - 152) / sqrt(20) = -11.6
    assert (short["samples"], short["rank_pct"], short["unusual"]) == (15, 0.0, True)
    assert short["z_score"] == pytest.approx((100.05 - 152) / 20**0.5)
    # of two hours one is known, since 23:00; 100 alone lies below, 1 of 60
    assert (long["samples"], long["first_at"], long["rank_pct"]) == (60, ms(0), pytest.approx(100 / 60))
    then = asked("history_price_context", look_backs=["10m"], until=ms(30))
    assert (then.summary["price"], then.summary["price_is"]) == (129.0, "the last stored")


# ── Live and stored together ──────────────────────────────────────────────────────────────────


def live(*others: Any) -> Any:
    known = FakeLatest(
        quotes=[quote("binance_futures", 100.0, 100.1), quote("bybit_futures", 100.4, 100.5)], others=others
    )
    fees = {"binance_futures": 5.0, "bybit_futures": 5.5}
    return type(context())(**{**context(known).__dict__, "fees": fees})


def funding(venue: str, rate: float, hours: float | None, age_ms: int = 100) -> Funding:
    at = NOW - age_ms * MS
    return Funding(venue, "BTCUSDT", at, at, rate, None, hours, NOW + HOUR)


def test_funding_is_compared_by_each_venues_own_interval_and_with_fees() -> None:
    # 0.0002 an hour is 175.2 % a year, 0.0008 every eight hours 87.6 %
    told = live(funding("binance_futures", 0.0002, 1.0), funding("bybit_futures", 0.0008, 8.0))
    answer = tools.call(told, "xv_funding_arbitrage", {"symbol": "BTCUSDT"})
    (pair,) = rows(answer)
    assert (pair["short_venue"], pair["long_venue"]) == ("binance_futures", "bybit_futures")
    assert pair["gap_annual_pct"] == pytest.approx(87.6)
    # 5 and 5.5 bps, each in and out: 21 bps, which 87.6 % a year earn back in 0.21 / (87.6 / 365) days
    assert pair["fees_pct"] == pytest.approx(0.21)
    assert pair["break_even_days"] == pytest.approx(0.21 / (87.6 / 365))
    venues = [
        dict(zip(answer.more["venues"].columns, row, strict=True)) for row in answer.more["venues"].rows
    ]
    assert [(one["venue"], one["annual_pct"], one["paid_pct"], one["settlements"]) for one in venues] == [
        ("binance_futures", pytest.approx(175.2), pytest.approx(0.01), 1),
        ("bybit_futures", pytest.approx(87.6), None, 0),
    ]
    assert (
        tools.call(told, "xv_funding_arbitrage", {"symbol": "BTCUSDT", "min_gap_annual_pct": 90}).rows == []
    )


def test_a_rate_that_is_old_or_without_an_interval_makes_no_pair() -> None:
    old = live(funding("okx_futures", 0.01, 8.0, age_ms=3 * 3_600_000), funding("gate_futures", 0.01, None))
    answer = tools.call(old, "xv_funding_arbitrage", {"symbol": "BTCUSDT"})
    assert [row["short_venue"] for row in rows(answer)] == ["binance_futures"]  # the stored ones
    assert "gate_futures" in answer.meta.warnings[-1]
    named = str(answer.more["venues"].rows)
    assert "okx_futures" not in named and "gate_futures" in named


def test_a_snapshot_has_what_is_now_and_the_last_while() -> None:
    at = NOW - 100 * MS
    told = live(
        MarkPrice("binance_futures", "BTCUSDT", at, at, 101.0, 100.0),
        OpenInterest("binance_futures", "BTCUSDT", at, at, 5.0, None),
        Ticker("binance_futures", "BTCUSDT", at, at, 100.0, volume=7.0, change_pct=-1.0),
        funding("binance_futures", 0.0001, 8.0),
        MarkPrice("bybit_futures", "BTCUSDT", at - 25 * HOUR, at - 25 * HOUR, 9.0, 9.0),  # of yesterday
    )
    answer = tools.call(told, "market_snapshot", {"symbol": "BTCUSDT", "since": "-30m"})
    binance, bybit = rows(answer)
    assert (binance["basis_bps"], binance["funding_annual_pct"]) == (
        pytest.approx(100.0),
        pytest.approx(10.95),
    )
    assert (binance["open_interest"], binance["open_interest_usd"], binance["change_24h_pct"]) == (
        5.0,
        None,
        -1.0,
    )
    assert bybit["mark"] is None and bybit["mid"] == pytest.approx(100.45)
    columns, (past, other) = answer.more["last_while"].columns, answer.more["last_while"].rows
    found = dict(zip(columns, past, strict=True))
    # minutes 30 to 59 of binance_futures: 130 to 159, 60 coins of which 30 bought, a long of 390 closed
    assert (found["lowest"], found["highest"], found["volume"], found["delta"]) == (130.0, 159.0, 60.0, 0.0)
    assert found["change_pct"] == pytest.approx(
        (159 / 130 - 1) * 100
    )  # first and last trade, within a minute too
    assert (found["long_liquidated"], found["short_liquidated"]) == (390.0, 0.0)
    assert (
        dict(zip(columns, other, strict=True))["long_liquidated"] is None
    )  # none was told: unknown, not zero
    assert answer.summary["last_while"] == {"takers": "neither", "liquidated": "more longs"}
    alone = tools.call(told, "market_snapshot", {"symbol": "BTCUSDT", "history": False})
    assert not alone.more and alone.meta.window is None


def test_a_snapshot_says_nothing_of_who_was_squeezed_where_nothing_was() -> None:
    answer = tools.call(live(), "market_snapshot", {"symbol": "BTCUSDT", "since": "-10m"})
    assert answer.summary["last_while"]["liquidated"] is None


# ── What is stored ────────────────────────────────────────────────────────────────────────────


def test_what_is_stored_is_told_series_by_series() -> None:
    answer = tools.call(context(), "history_stats", {"venues": ["binance"]})
    found = {row["name"]: row for row in rows(answer)}
    assert found["btcusdt_binance_futures_trades"] == {
        "name": "btcusdt_binance_futures_trades", "venue": "binance_futures", "symbol": "BTCUSDT",
        "stream": "trades", "rows": 60, "first": ms(0), "last": ms(59),
    }  # fmt: skip
    assert (answer.summary["rows"], answer.summary["kind"]) == (5 * 60 + 1, "simulated")
    with pytest.raises(NoData, match="NO"):
        tools.call(context(), "history_stats", {"symbol": "NO"})


def test_coverage_is_told_of_each_stream_and_venue_with_the_gaps() -> None:
    answer = asked("history_coverage", since="-2h", streams=["trades", "prices"])
    found = {(row["stream"], row["venue"]): row for row in rows(answer)}
    # an hour of two was collected, less a minute's gap
    assert found["trades", "binance_futures"]["coverage_pct"] == pytest.approx(100 * 59 / 120)
    assert found["prices", "bybit_futures"]["coverage_pct"] == pytest.approx(50.0)
    assert set(found) == {
        (stream, venue) for stream in ("trades", "prices") for venue in ("binance_futures", "bybit_futures")
    }
    assert [gap["stream"] for gap in answer.meta.gaps] == ["trades"]
    asked_for = asked(
        "history_coverage", since="-2h", streams=["trades"], venues=["okx_futures", "binance_futures"]
    )
    assert asked_for.meta.venues.missing.keys() == {"okx_futures"}
    with pytest.raises(InvalidArgument, match="gossip"):
        asked("history_coverage", streams=["gossip"])
    with pytest.raises(NoData):
        asked("history_coverage", since="-3d", until="-2d")


def test_what_asks_the_store_is_known_by_any_of_its_names() -> None:
    waits = tools.ALL.asks_store
    assert waits("history_trades", {}) and waits("get_historical_trade_data", {})
    assert waits("call_tool", {"name": "query_historical_analytics"})
    assert not waits("xv_prices", {}) and not waits("call_tool", {"name": "system_health"})
    assert (
        not waits("nope", {})
        and not waits("call_tool", {"name": "call_tool"})
        and not waits("call_tool", None)
    )


def test_errors_of_the_past_are_of_the_tree() -> None:
    for arguments in ({"since": "x"}, {"venues": ["mtgox"]}, {"bar": "1y"}):
        with pytest.raises(OrderflowError):
            asked("history_candles", **arguments)
    assert history().kind == "simulated"

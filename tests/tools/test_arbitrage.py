"""Prices, spreads and arbitrage across venues, with the arithmetic shown."""

from typing import Any

import pytest
from fixed_market import NOW, FakeLatest, context, listed, quote, top

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData, UnknownSymbol, UnknownVenue
from orderflow.market.events import MS, SECOND, Gap, Quote
from orderflow.tools.answers import Answer


def rows(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def asked(name: str, latest: FakeLatest | None = None, **arguments: Any) -> Answer:
    return tools.call(context(latest), name, arguments)


# ── Prices ────────────────────────────────────────────────────────────────────────────────────


def test_prices_name_each_venue_with_its_touch_and_age() -> None:
    found = rows(asked("xv_prices", symbol="BTCUSDT"))
    assert [row["venue"] for row in found] == ["binance_futures", "binance_spot"]
    futures = found[0]
    assert (futures["bid"], futures["ask"], futures["mid"]) == (100.0, 100.1, 100.05)
    assert futures["spread_bps"] == pytest.approx(0.1 / 100.05 * 1e4)
    assert (futures["age_ms"], found[1]["age_ms"]) == (100.0, 250.0)


def test_two_venues_also_give_gap_and_direction() -> None:
    answer = asked("xv_prices", symbol="BTCUSDT", venues=["binance_spot", "binance_futures"])
    # mids 100.45 and 100.05: gap 0.4, 0.4 / 100.05 = 0.3998 %
    compared = answer.summary["comparison"]
    assert compared["gap"] == pytest.approx(0.4)
    assert compared["gap_pct"] == pytest.approx(0.4 / 100.05 * 100)
    assert compared["direction"] == "binance_spot above binance_futures"
    assert compared["pair_kind"] == "basis"
    assert answer.summary["cheapest_to_buy"] == {"venue": "binance_futures", "ask": 100.1}
    assert answer.summary["dearest_to_sell"] == {"venue": "binance_spot", "bid": 100.4}


def test_without_a_symbol_all_symbols_answer() -> None:
    answer = asked("xv_prices")
    assert [(row["symbol"], row["venue"]) for row in rows(answer)] == [
        ("BTCUSDT", "binance_futures"),
        ("BTCUSDT", "binance_spot"),
        ("ETHUSDT", "binance_spot"),
    ]
    assert answer.meta.symbol is None
    assert set(answer.summary) == {"BTCUSDT", "ETHUSDT"}


def test_a_venue_that_says_nothing_is_missing_and_the_others_answer() -> None:
    answer = asked("xv_prices", symbol="BTCUSDT", venues=["binance_futures", "bybit_futures"])
    assert answer.meta.venues.asked == ["binance_futures", "bybit_futures"]
    assert answer.meta.venues.answered == ["binance_futures"]
    assert answer.meta.venues.missing == {"bybit_futures": "no prices of BTCUSDT received"}
    assert answer.summary["comparison"]["gap"] is None
    assert answer.summary["comparison"]["reason"]


def test_an_oracles_price_is_a_mid_without_touch_whatever_it_is_quoted_in() -> None:
    told = Quote("pyth", "BTCUSDT", NOW, NOW, None, None, None, None, 7, 100.2, 0.05)
    latest = FakeLatest(quotes=[quote("binance_spot", 100.0, 100.1), told])
    native = {"pyth": listed("e62d", "USD", "pyth"), "binance_spot": listed("BTCUSDT", "USDT")}
    known = context(latest, instrument=lambda venue, symbol: native.get(venue))
    answer = tools.call(known, "xv_prices", {"symbol": "BTCUSDT"})
    oracle = next(row for row in rows(answer) if row["venue"] == "pyth")
    assert oracle["mid"] == 100.2
    assert [oracle[name] for name in ("bid", "bid_size", "ask", "ask_size", "spread_bps")] == [None] * 5
    # 100.05 less 100.2, as the venues are listed
    assert answer.summary["comparison"]["gap"] == pytest.approx(-0.15)
    assert answer.summary["cheapest_to_buy"] == {"venue": "binance_spot", "ask": 100.1}
    assert tools.call(known, "xv_arbitrage", {"symbol": "BTCUSDT"}).rows == []


def test_an_empty_side_is_null_and_never_zero() -> None:
    latest = FakeLatest(quotes=[quote("binance_spot", None, 100.0), quote("binance_futures", 99.0, 99.5)])
    spot = rows(asked("xv_prices", latest, symbol="BTCUSDT"))[1]
    assert (spot["bid"], spot["bid_size"], spot["mid"], spot["spread_bps"]) == (None, None, None, None)
    assert spot["ask"] == 100.0


@pytest.mark.parametrize("name", ["xv_prices", "xv_spreads", "xv_arbitrage", "system_health", "find_tools"])
def test_simulated_data_say_so_in_every_answer(name: str) -> None:
    arguments: dict[str, Any] = {"xv_spreads": {"symbol": "BTCUSDT"}, "find_tools": {"query": "price"}}.get(
        name, {}
    )
    assert asked(name, **arguments).meta.source == "simulated"


@pytest.mark.parametrize("name", ["xv_prices", "xv_spreads", "xv_arbitrage"])
@pytest.mark.parametrize(
    ("latest", "arguments", "error"),
    [
        (FakeLatest(), {"symbol": "BTCUSDT"}, NoData),
        (None, {"symbol": "DOGEUSDT"}, UnknownSymbol),
        (None, {"symbol": "BTCUSDT", "venues": ["nyse"]}, UnknownVenue),
        (None, {"symbol": "BTCUSDT", "venues": ["okx_futures"]}, NoData),
    ],
)
def test_what_cannot_be_answered_is_an_error_with_a_hint(
    name: str, latest: FakeLatest | None, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        asked(name, latest, **arguments)
    assert caught.value.hint  # type: ignore[attr-defined]


def test_a_symbol_is_understood_in_the_ways_people_write_it() -> None:
    for said in ("btcusdt", "BTC-USDT", "BTC/USDT", "btc_usdt"):
        assert asked("xv_prices", symbol=said).meta.symbol == "BTCUSDT"


def test_an_unknown_symbol_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownSymbol, match="BTCUSD") as caught:
        asked("xv_prices", symbol="BTCUSD")
    assert "nearest: BTCUSDT" in caught.value.hint


def test_venues_under_their_short_names_are_found() -> None:
    assert asked("xv_prices", symbol="BTCUSDT", venues=["binance"]).meta.venues.answered == [
        "binance_futures"
    ]


def test_gaps_of_the_streams_behind_the_answer_are_in_its_meta() -> None:
    gap = Gap("binance_spot", "BTCUSDT", "prices", NOW - 2 * SECOND, NOW - SECOND, "disconnect")
    other = Gap("binance_spot", "BTCUSDT", "candles", NOW - 2 * SECOND, None, "disconnect")
    latest = FakeLatest(quotes=[quote("binance_spot", 1.0, 2.0)], gaps=[gap, other])
    answer = asked("xv_prices", latest, symbol="BTCUSDT")
    assert answer.meta.gaps == [
        {
            "venue": "binance_spot",
            "symbol": "BTCUSDT",
            "stream": "prices",
            "from": (NOW - 2 * SECOND) // MS,
            "until": (NOW - SECOND) // MS,
            "reason": "disconnect",
        }
    ]


# ── Spreads ───────────────────────────────────────────────────────────────────────────────────


def test_spreads_show_both_directions_best_first_net_of_both_fees() -> None:
    first, second = rows(asked("xv_spreads", symbol="BTCUSDT"))
    # buy futures at 100.1, sell spot at 100.4: 0.3 / 100.1 = 29.970 bps;
    # fees 5 bps of 100.1 and 10 bps of 100.4: 5 + 10 * 100.4 / 100.1 = 15.030 bps
    assert (first["buy_venue"], first["sell_venue"]) == ("binance_futures", "binance_spot")
    assert first["gross_bps"] == pytest.approx(0.3 / 100.1 * 1e4)
    assert first["fees_bps"] == pytest.approx(5 + 10 * 100.4 / 100.1)
    assert first["net_bps"] == pytest.approx(first["gross_bps"] - first["fees_bps"])
    assert first["pair_kind"] == "basis"
    assert (second["buy_venue"], second["net_bps"]) == (
        "binance_spot",
        pytest.approx(-0.5 / 100.5 * 1e4 - 10 - 5 * 100.0 / 100.5),
    )


def test_the_fees_reckoned_with_are_named() -> None:
    assert asked("xv_spreads", symbol="BTCUSDT").summary["taker_fee_bps"] == {
        "binance_futures": 5.0,
        "binance_spot": 10.0,
    }


def test_an_undeclared_fee_makes_the_net_unknown_and_is_told() -> None:
    latest = FakeLatest(quotes=[quote("okx_futures", 100.0, 100.1), quote("binance_spot", 101.0, 101.1)])
    answer = asked("xv_spreads", latest, symbol="BTCUSDT")
    assert [row["net_bps"] for row in rows(answer)] == [None, None]
    assert answer.summary["taker_fee_bps"]["okx_futures"] is None
    assert any("okx_futures" in warning for warning in answer.meta.warnings)
    verdict = asked("xv_arbitrage", latest, symbol="BTCUSDT").summary["verdict"]
    assert verdict.startswith("unknown")


def test_an_oracle_is_a_price_and_no_place_to_trade() -> None:
    latest = FakeLatest(quotes=[quote("pyth", 90.0, 90.1), quote("binance_spot", 100.0, 100.1)])
    assert asked("xv_spreads", latest, symbol="BTCUSDT").rows == []
    prices = asked("xv_prices", latest, symbol="BTCUSDT")
    assert prices.meta.venues.answered == ["binance_spot", "pyth"]
    assert prices.summary["cheapest_to_buy"]["venue"] == "binance_spot"


def test_two_markets_of_one_kind_are_no_basis() -> None:
    latest = FakeLatest(quotes=[quote("bybit_spot", 100.0, 100.1), quote("binance_spot", 101.0, 101.1)])
    assert {row["pair_kind"] for row in rows(asked("xv_spreads", latest, symbol="BTCUSDT"))} == {"same_kind"}


# ── Arbitrage ─────────────────────────────────────────────────────────────────────────────────


def test_an_opportunity_has_the_size_that_both_books_bear_and_what_is_left() -> None:
    answer = asked("xv_arbitrage", symbol="BTCUSDT")
    (found,) = rows(answer)
    # asks 1.0 at 100.1 and 2.0 at 100.2; bids 1.5 at 100.4 and 1.0 at 100.3; fees 5 and 10 bps.
    # 1.0 at 100.1 → 100.4 (30.0 bps gross, 15.0 fees); 0.5 at 100.2 → 100.4 (20.0, 15.0);
    # then 100.2 → 100.3 gives 10.0 gross and does not pay 15.0.
    paid, received = 1.0 * 100.1 + 0.5 * 100.2, 1.5 * 100.4
    fees = paid * 5e-4 + received * 10e-4
    assert found["size"] == pytest.approx(1.5)
    assert found["buy_avg"] == pytest.approx(paid / 1.5)
    assert found["sell_avg"] == pytest.approx(100.4)
    assert found["gross_profit"] == pytest.approx(received - paid)
    assert found["fees"] == pytest.approx(fees)
    assert found["net_profit"] == pytest.approx(received - paid - fees)
    assert found["net_bps"] == pytest.approx((received - paid - fees) / paid * 1e4)
    assert found["levels_exhausted"] is False
    assert (found["buy_venue"], found["sell_venue"]) == ("binance_futures", "binance_spot")
    assert "not riskless" in answer.summary["verdict"]


def test_opportunities_come_by_what_their_whole_size_leaves_not_by_the_touch() -> None:
    latest = FakeLatest(
        tops=[
            top("binance_spot", [(90.0, 1.0)], [(100.0, 1.0), (100.5, 10.0)]),
            top("bybit_spot", [(101.0, 20.0)], [(110.0, 1.0)]),
            top("binance_futures", [(100.9, 1.0)], [(110.0, 1.0)]),
        ]
    )
    found = rows(asked("xv_arbitrage", latest, symbol="BTCUSDT"))
    # to bybit: 79.9 bps at the touch, but ten of the eleven cost 100.5 and leave 29.7;
    # to futures: 1.0 at 90 - 5 * 1.009 - 10 = 74.955 bps
    assert [row["sell_venue"] for row in found] == ["binance_futures", "bybit_spot"]
    assert found[0]["net_bps"] == pytest.approx(74.955)
    assert (found[0]["size"], found[1]["size"]) == (1.0, 11.0)


def test_a_least_profit_leaves_out_what_gives_less() -> None:
    # the best level leaves 29.97 - 15.03 = 14.94 bps = 0.149 %
    (found,) = rows(asked("xv_arbitrage", symbol="BTCUSDT", min_profit_pct=0.14))
    assert found["size"] == pytest.approx(1.0)
    answer = asked("xv_arbitrage", symbol="BTCUSDT", min_profit_pct=0.15)
    assert answer.rows == []
    assert answer.summary["verdict"].startswith("none at 0.15 % or more; best at the touch is 14.94 bps net")


def test_where_there_is_none_the_answer_says_what_the_best_pair_lacks() -> None:
    latest = FakeLatest(
        quotes=[quote("binance_spot", 100.0, 100.1), quote("bybit_spot", 100.15, 100.25)],
    )
    answer = asked("xv_arbitrage", latest, symbol="BTCUSDT")
    # buy at 100.1, sell at 100.15: 4.995 bps; fees 10 + 10 * 100.15 / 100.1 = 20.005; lacks 15.01
    assert answer.rows == []
    assert answer.summary["best_pair"]["lacks_bps"] == pytest.approx(20.005 - 4.995, abs=1e-3)
    assert "lacks 15.01 bps to break even" in answer.summary["verdict"]


def test_stale_prices_are_left_out_and_named_with_their_age() -> None:
    latest = FakeLatest(
        quotes=[quote("binance_spot", 100.0, 100.1), quote("bybit_spot", 105.0, 105.1, age_ms=9_000)]
    )
    answer = asked("xv_arbitrage", latest, symbol="BTCUSDT")
    assert answer.rows == []
    assert "9000 ms old" in answer.meta.venues.missing["bybit_spot"]
    assert "fewer than two venues" in answer.summary["verdict"]
    assert asked("xv_arbitrage", latest, symbol="BTCUSDT", max_age_ms=10_000).rows


def test_a_replay_counts_ages_from_its_newest_datum() -> None:
    old = [
        quote("binance_spot", 100.0, 100.1, age_ms=86_400_000),
        quote("bybit_spot", 105.0, 105.1, age_ms=86_401_000),
    ]
    answer = asked("xv_arbitrage", FakeLatest(quotes=old, kind="replay"), symbol="BTCUSDT")
    assert answer.meta.source == "replay"
    assert [row["age_ms"] for row in rows(answer)] == [1_000.0]


def test_a_touch_newer_than_the_book_replaces_its_best_levels() -> None:
    latest = FakeLatest(
        quotes=[quote("binance_spot", 99.0, 100.3, age_ms=10, size=0.5), quote("bybit_spot", 102.0, 102.1)],
        tops=[top("binance_spot", [(98.0, 1.0)], [(100.0, 5.0), (100.4, 1.0)], age_ms=400)],
    )
    # the ask of 100.0 is gone: what is known is 0.5 at 100.3 and 1.0 at 100.4; the bid bears 1.0
    (found,) = rows(asked("xv_arbitrage", latest, symbol="BTCUSDT"))
    assert found["size"] == pytest.approx(1.0)
    assert found["buy_avg"] == pytest.approx((0.5 * 100.3 + 0.5 * 100.4) / 1.0)


def test_a_book_newer_than_the_touch_is_the_price() -> None:
    latest = FakeLatest(
        quotes=[quote("binance_spot", 99.0, 100.3, age_ms=400)],
        tops=[top("binance_spot", [(98.0, 1.0)], [(100.0, 5.0)], age_ms=10)],
    )
    (found,) = rows(asked("xv_prices", latest, symbol="BTCUSDT"))
    assert (found["bid"], found["ask"], found["ask_size"], found["age_ms"]) == (98.0, 100.0, 5.0, 10.0)


def test_another_quote_currency_does_not_compare() -> None:
    latest = FakeLatest(quotes=[quote("kraken_futures", 90.0, 90.1), quote("binance_spot", 100.0, 100.1)])
    native = {"kraken_futures": listed("PF_XBTUSD", "USD"), "binance_spot": listed("BTCUSDT", "USDT")}
    answer = tools.call(
        context(latest, instrument=lambda venue, symbol: native.get(venue)),
        "xv_arbitrage",
        {"symbol": "BTCUSDT"},
    )
    assert answer.rows == []
    assert answer.meta.venues.missing == {"kraken_futures": "quoted in USD, the others in USDT"}
    assert answer.meta.native == {"binance_spot": "BTCUSDT"}


def test_spreads_and_prices_come_with_it_where_asked() -> None:
    answer = asked("xv_arbitrage", symbol="BTCUSDT", include_spreads=True, include_opportunities=False)
    assert answer.rows == []
    assert len(answer.more["spreads"].rows) == 2
    assert len(answer.more["prices"].rows) == 2


def test_a_time_of_receipt_that_is_not_told_falls_back_to_the_venues() -> None:
    at = NOW - 3 * SECOND
    latest = FakeLatest(quotes=[Quote("binance_spot", "BTCUSDT", at, 0, 1.0, 1.0, 2.0, 1.0)], kind="live")
    assert rows(asked("xv_prices", latest, symbol="BTCUSDT"))[0]["age_ms"] == 3_000.0


@pytest.mark.parametrize("wrong", [{"min_profit_pct": -1}, {"max_age_ms": 0}, {"limit": 0}, {"limit": 501}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        asked("xv_arbitrage", **wrong)

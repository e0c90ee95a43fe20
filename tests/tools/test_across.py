"""Across venues: carry until an exit, one book of all, volumes, who leads."""

from typing import Any

import pytest
from fixed_market import NOW, FakeAsker, FakeLatest, context, history, top

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import HOUR, BookUpdate, Event, Funding, Ticker
from orderflow.tools.answers import Answer

FUTURES, SPOT, OTHER = "binance_futures", "binance_spot", "bybit_spot"


def cells(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def market(*others: Event) -> FakeLatest:
    """A perpetual at 110 above spot at 100, one level of ten coins a side."""
    tops = [
        top(FUTURES, [(110.0, 10.0)], [(110.0, 10.0)]),
        top(SPOT, [(100.0, 10.0)], [(100.0, 2.0), (101.0, 8.0)]),
    ]
    return FakeLatest(tops=tops, others=others)


def funding(rate: float = 0.01) -> Funding:
    return Funding(FUTURES, "BTCUSDT", NOW, NOW, rate, interval_hours=8.0, next_ts=NOW + HOUR)


def test_carry_is_funding_less_fees_and_slippage_of_both_legs_twice() -> None:
    known = context(market(funding()))
    answer = tools.call(known, "xv_carry", {"symbol": "BTCUSDT", "value": 403, "hold": "1d"})
    (row,) = cells(answer)  # spot cannot be sold short, so there is one pair
    assert (row["long_venue"], row["short_venue"], row["pair_kind"]) == (SPOT, FUTURES, "basis")
    # 2 coins at 100 and 203 of the rest at 101: 2 + 203/101 = 4.00990 coins for 403
    average = 403 / (2 + 203 / 101)
    slipped = 2 * (average / 100 - 1) * 1e4
    # settled after 1, 9 and 17 hours: 3 times 100 bps; fees (10 + 5) twice
    assert (row["short_settlements"], row["long_settlements"]) == (3, 0)
    assert (row["funding_bps"], row["fees_bps"]) == (pytest.approx(300.0), 30.0)
    assert row["slippage_bps"] == pytest.approx(slipped)
    assert row["net_bps"] == pytest.approx(300 - 30 - slipped)
    assert row["basis_bps"] == pytest.approx(1000.0)  # told, and not counted
    assert row["most_value"] == pytest.approx(2 * 100 + 8 * 101) and row["enough_depth"] is True
    assert row["net_annual_pct"] == pytest.approx(row["net_bps"] / 100 * 365)


def test_a_value_that_the_books_do_not_bear_is_said() -> None:
    answer = tools.call(context(market(funding())), "xv_carry", {"symbol": "BTCUSDT", "value": 1e6})
    (row,) = cells(answer)
    assert row["enough_depth"] is False and "books bear 1008 alone" in answer.summary["verdict"]


def test_without_a_funding_rate_there_is_no_carry_and_it_says_why() -> None:
    answer = tools.call(context(market()), "xv_carry", {"symbol": "BTCUSDT"})
    assert answer.rows == [] and "not known" in answer.meta.venues.missing[FUTURES]


def test_one_book_adds_up_what_stands_at_a_price() -> None:
    tops = [
        top(FUTURES, [(100.0, 1.0), (99.0, 4.0)], [(101.0, 1.0)]),
        top(SPOT, [(100.0, 2.0)], [(102.0, 3.0)]),
    ]
    answer = tools.call(context(FakeLatest(tops=tops)), "xv_book", {"symbol": "BTCUSDT"})
    rows = cells(answer)
    assert [(one["side"], one["price"], one["size"], one["total"]) for one in rows] == [
        ("ask", 101.0, 1.0, 1.0),
        ("ask", 102.0, 3.0, 4.0),
        ("bid", 100.0, 3.0, 3.0),
        ("bid", 99.0, 4.0, 7.0),
    ]
    assert rows[2]["venues"] == f"{FUTURES} {SPOT}"
    assert answer.summary["imbalance"] == pytest.approx((7 - 4) / 11) and answer.summary["crossed"] is False
    binned = tools.call(context(FakeLatest(tops=tops)), "xv_book", {"symbol": "BTCUSDT", "step": 10})
    # a bid at 99 counts to 90, an ask at 101 to 110: nobody is shown better than he is
    assert [(one["side"], one["price"], one["size"]) for one in cells(binned)] == [
        ("ask", 110.0, 4.0),
        ("bid", 100.0, 3.0),
        ("bid", 90.0, 4.0),
    ]


def test_more_levels_than_are_live_are_asked_of_the_venues() -> None:
    deep = BookUpdate(
        FUTURES, "BTCUSDT", NOW, NOW, True, [(100.0 - n, 1.0) for n in range(30)], [(101.0, 1.0)]
    )
    tops = [top(FUTURES, [(100.0, 1.0)], [(101.0, 1.0)]), top(SPOT, [(100.0, 2.0)], [(102.0, 3.0)])]
    known = context(FakeLatest(tops=tops), asker=FakeAsker({(FUTURES, "book"): [deep]}))
    answer = tools.call(known, "xv_book", {"symbol": "BTCUSDT", "depth": 50, "limit": 100})
    assert answer.summary["levels"] == {FUTURES: [30, 1], SPOT: [1, 1]}


def test_volume_has_the_venues_word_and_what_was_collected() -> None:
    day = Ticker(FUTURES, "BTCUSDT", NOW, NOW, 100.0, volume=75.0)
    rows = cells(
        tools.call(
            context(
                FakeLatest(others=[day, Ticker(SPOT, "BTCUSDT", NOW, NOW, 100.0, volume=25.0)]),
                history=history(),
            ),
            "xv_volume",
            {"symbol": "BTCUSDT"},
        )
    )
    by = {one["venue"]: one for one in rows}
    assert by[FUTURES]["share_24h_pct"] == 75.0 and by[FUTURES]["trades"] == 60
    # 2 coins a minute on the one, 1 on the other
    assert by[FUTURES]["share_pct"] == pytest.approx(200 / 3) and by["bybit_futures"]["volume"] == 60.0
    assert by[SPOT]["volume"] is None


def test_the_venue_whose_prices_are_those_of_a_minute_later_leads_by_a_minute() -> None:
    # binance_futures stands at 100 + m in minute m, bybit_futures at 101 + m: what the other has a minute later
    asked = {"symbol": "BTCUSDT", "since": "-1h", "step": "1m", "most_lag": 2}
    answer = tools.call(context(history=history()), "xv_leadlag", asked)
    (row,) = cells(answer)
    assert (row["leader"], row["follower"], row["lag_ms"]) == ("bybit_futures", FUTURES, 60_000.0)
    assert row["correlation"] == pytest.approx(1.0) and answer.summary["led"] == {"bybit_futures": 1}


def test_a_grid_that_is_too_coarse_is_refused_and_one_venue_is_no_pair() -> None:
    known = context(history=history())
    with pytest.raises(InvalidArgument, match="step"):
        tools.call(known, "xv_leadlag", {"symbol": "BTCUSDT", "since": "-5m", "step": "1m"})
    with pytest.raises(NoData, match="no pair"):
        asked = {"symbol": "BTCUSDT", "since": "-1h", "step": "1m", "venues": FUTURES}
        tools.call(known, "xv_leadlag", asked)

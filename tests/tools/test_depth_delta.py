"""Depth delta over a small market: bands, what orders did and what the mid did, and how far the book is known."""

from typing import Any

import pytest
from fixed_books import BEGAN, VENUE, Stored, stored
from fixed_market import NOW, context

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData, UnsupportedByVenue
from orderflow.market.events import MS
from orderflow.tools.answers import Answer


def asked(market: Stored | None = None, /, **arguments: Any) -> Answer:
    given = {"symbol": "BTCUSDT", "since": "-1h", **arguments}
    return tools.call(
        context() if market is None else market.context(), "orderflow_depth_delta", {"max_tokens": 8_000, **given}
    )  # fmt: skip


def rows(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def bands(answer: Answer) -> dict[float, dict[str, Any]]:
    table = answer.more["bands"]
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


def three_minutes() -> Stored:
    """Return a book whose mid is 1000 (a band of 0.2 % is 998 to 1002), then 1001, then 1001 again.

    Minute 0: bids 999 × 5, 997 × 7; asks 1001 × 4, 1003 × 6.
    Minute 1: bids 1000 × 2, 998 × 9, 996 × 1; asks 1002 × 3, 1004 × 6: the band is 998.998 to 1003.002.
    Minute 2: as minute 1, but of the ask at 1002 takers bought 1, and 0.5 of it were cancelled.
    """
    market = stored()
    market.book(0, [(999, 5), (997, 7)], [(1001, 4), (1003, 6)])
    market.book(60, [(1000, 2), (998, 9), (996, 1)], [(1002, 3), (1004, 6)])
    market.trade(70, 1002.0, 1.0, bought=True)
    market.book(120, [(1000, 2), (998, 9), (996, 1)], [(1002, 1.5), (1004, 6)])
    return market


def test_what_orders_changed_is_told_apart_from_what_the_mid_did_by_moving() -> None:
    answer = asked(three_minutes(), percent=0.2, since=BEGAN // MS, until=BEGAN // MS + 180_000)
    third, second, first = rows(answer)
    assert (first["mid"], first["bid"], first["ask"], first["bid_quote"]) == (1000.0, 5.0, 4.0, 4995.0)
    assert (first["bid_delta"], first["bid_orders"]) == (None, None)  # there is none before it
    # bids: 5 at 999 became 2 at 1000; both bands hold 998.998 to 1002: 2 − 5 of orders, nothing re-centred
    assert (second["bid"], second["bid_delta"], second["bid_orders"]) == (2.0, -3.0, -3.0)
    # asks: 4 at 1001 became 3 at 1002; at the prices of both bands 3 − 4
    assert (second["ask"], second["ask_delta"], second["ask_orders"]) == (3.0, -1.0, -1.0)
    # minute 2: 3 at 1002 became 1.5, of which takers took 1
    assert (third["ask_delta"], third["ask_orders"], third["ask_executed"]) == (-1.5, -1.5, 1.0)
    assert (third["bid_executed"], third["lower_bound"], third["closed"]) == (0.0, "none", True)
    # orders −1 −1.5, of which 1 executed: 1.5 fewer by cancelling, less what was placed
    assert answer.summary["whole_window"]["ask"] == {
        "orders": -2.5, "executed": 1.0, "placed_less_cancelled": -1.5, "recentred": 0.0,
        "executed_known_windows": 2,
    }  # fmt: skip


def test_all_bands_are_told_at_once_and_those_beyond_the_known_levels_are_lower_bounds() -> None:
    found = bands(asked(three_minutes(), since=BEGAN // MS, until=BEGAN // MS + 180_000))
    assert list(found) == [5.0, 10.0, 25.0, 50.0, 100.0]
    # of the last book, mid 1001, bids reach to 996 (49.95 bps) and asks to 1004 (29.97 bps)
    assert (found[25.0]["bid"], found[25.0]["ask"], found[25.0]["lower_bound"]) == (2.0, 1.5, "none")
    assert (found[50.0]["bid"], found[50.0]["lower_bound"]) == (12.0, "both")
    assert found[50.0]["imbalance"] is None and found[50.0]["net_mean"] is None
    # of 25 bps: 5 − 4, 2 − 3, 2 − 1.5 are known whole; mean 1/6. In the first, 25 bps are 997.5 to 1002.5
    assert found[25.0]["net_mean"] == pytest.approx(0.5 / 3)
    assert (found[25.0]["dominant"], found[25.0]["whole_windows"]) == ("bids", 3)
    assert (found[25.0]["bid_rising"], found[25.0]["ask_rising"]) == (0.0, 0.0)


def test_rows_are_of_the_widest_band_that_is_known_whole() -> None:
    answer = asked(three_minutes(), since=BEGAN // MS, until=BEGAN // MS + 180_000)
    assert answer.summary["band_bps"] == 25.0
    assert answer.summary["reach_bps"]["bid"]["last"] == pytest.approx(5 / 1001 * 1e4)
    assert answer.summary["reach_bps"]["ask"]["least"] == pytest.approx(3 / 1001 * 1e4)


def test_a_book_that_reaches_no_usual_band_has_one_of_its_own() -> None:
    market = stored()
    for minute in range(3):  # the mid is 60000.05; ten ticks of 0.1 reach 0.95, which is 0.158 bps
        market.book(
            60 * minute,
            [(60_000 - tick / 10, 1 + minute) for tick in range(10)],
            [(60_000.1 + tick / 10, 1) for tick in range(10)],
        )
    answer = asked(market, since=BEGAN // MS, until=BEGAN // MS + 180_000)
    assert answer.summary["band_bps"] == 0.1  # to 59999.45 and 60000.65: six levels a side
    assert [(row["bid"], row["ask"], row["lower_bound"]) for row in rows(answer)] == [
        (18.0, 6.0, "none"), (12.0, 6.0, "none"), (6.0, 6.0, "none"),
    ]  # fmt: skip
    assert bands(answer)[5.0]["lower_bound"] == "both" and bands(answer)[5.0]["bid"] == 30.0
    assert any("beyond them nothing is known" in one for one in answer.meta.warnings)


def test_a_change_of_what_is_known_in_part_is_not_told_for_the_change_of_the_whole() -> None:
    answer = asked(three_minutes(), percent=1, since=BEGAN // MS, until=BEGAN // MS + 180_000)
    _, second, _ = rows(answer)
    assert (second["bid_delta"], second["lower_bound"]) == (None, "both")
    # both books know bids from 997 on: 2 at 1000 and 9 at 998 against 5 at 999 and 7 at 997
    assert second["bid_orders"] == 11.0 - 12.0
    assert answer.summary["whole_window"]["bid"]["recentred"] is None


def test_windows_are_longer_where_there_would_be_too_many_and_it_is_said() -> None:
    answer = asked(max_points=7)
    # 60 minutes in 7 windows at most: 9 minutes each, counted from 1970, so that 8 may meet the hour
    assert answer.summary["window_sec"] % 60 == 0 and len(answer.rows) <= 7
    assert any("at most" in one for one in answer.meta.warnings)
    assert asked(max_points=60).summary["window_sec"] == 60


def test_a_window_without_a_snapshot_is_unknown_and_so_is_the_change_after_it() -> None:
    market = stored()
    for minute in (0, 1, 3, 4):
        market.book(60 * minute, [(999, 1 + minute), (990, 1)], [(1001, 1), (1010, 1)])
    market.gap(121, 179)
    after, before, lost, second, _ = rows(
        asked(market, percent=0.5, since=BEGAN // MS, until=BEGAN // MS + 300_000)
    )
    assert (lost["mid"], lost["bid"], lost["lower_bound"], lost["bid_delta"]) == (None, None, None, None)
    assert (second["bid_delta"], before["bid_delta"], after["bid_delta"]) == (1.0, None, 1.0)


def test_what_was_executed_is_unknown_where_trades_were_not_received() -> None:
    last, *others = rows(asked(percent=1, max_points=60))
    assert (last["bid_executed"], last["ask_executed"]) == (None, None)  # the gap of the last minute
    assert last["bid_orders"] is not None
    assert all(one["bid_executed"] is not None for one in others[:-1])


def test_venues_are_summed_about_their_own_mids() -> None:
    one, two, both = (asked(venues=venues, percent=0.9) for venues in (["binance_futures"], ["bybit_futures"], ["binance_futures", "bybit_futures"]))  # fmt: skip
    first, second, sums = (rows(answer)[5] for answer in (one, two, both))
    for name in ("bid", "ask", "bid_quote", "ask_orders"):
        assert sums[name] == pytest.approx(first[name] + second[name])
    assert sums["mid"] == (first["mid"] + second["mid"]) / 2
    assert both.meta.venues.answered == ["binance_futures", "bybit_futures"]


def test_the_running_window_is_marked() -> None:
    newest, before = rows(asked(since=(NOW - 150_000_000_000) // MS, until=(NOW - 30_000_000_000) // MS))[:2]
    assert (newest["closed"], before["closed"]) == (False, True)


def test_quality_stands_in_every_answer() -> None:
    block = asked().summary["data_quality"]
    assert (block["grade"], block["algorithm"], block["source"]) == ("complete", "depth delta 1", "simulated")


def test_bad_questions_are_refused_with_what_is_allowed() -> None:
    for wrong in ({"percent": 0}, {"window_sec": 0}, {"max_points": 0}, {"percent": 100}):
        with pytest.raises(InvalidArgument):
            asked(**wrong)
    with pytest.raises(UnsupportedByVenue, match="orderbooks"):
        asked(venues=["pyth"])
    with pytest.raises(NoData) as raised:
        asked(since="-5h", until="-4h")
    assert "stored are rows from" in (raised.value.hint or "")


def test_old_parameters_are_taken() -> None:
    old = tools.call(
        context(), "get_orderbook_depth_delta",
        {"symbol": "BTCUSDT", "percent": 0.5, "windowSec": 120, "lookback": 1_200, "maxPoints": 5},
    )  # fmt: skip
    new = asked(percent=0.5, window_sec=120, since="-1200s", max_points=5)
    assert old.rows == new.rows and old.summary == new.summary
    assert old.meta.tool == "orderflow_depth_delta" and VENUE in old.meta.venues.asked

"""The heat map over a small market: bins by hand, what is a lower bound, the matrix, and walls and how they went."""

from typing import Any

import numpy as np
import pytest
from fixed_books import BEGAN, Stored, stored
from fixed_market import NOW, context
from hypothesis import given
from hypothesis import strategies as st

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import MINUTE, MS
from orderflow.tools.answers import PNG, Answer, tokens
from orderflow.tools.forms import as_text
from orderflow.tools.heatmap import _cell, _runs

BEGIN = BEGAN // MS


def asked(market: Stored | None = None, tool: str = "orderflow_heatmap", /, **arguments: Any) -> Answer:
    given = {"symbol": "BTCUSDT", "since": "-1h", "max_tokens": 8_000, **arguments}
    return tools.call(context() if market is None else market.context(), tool, given)


def rows(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def two_minutes() -> Stored:
    """Return bids of 98 × 1 to 90 × 9 and an ask wall at 103: 2 coins each from 101 to 109, but 40 there.

    For the first half of minute 0 the bid at 98 is of 3 coins; in minute 2 the wall has 1 coin.
    """
    market = stored()
    bids, asks = [(98 - n, 1.0 + n) for n in range(9)], [(101 + n, 2.0) for n in range(9)]
    wall = [(price, 40.0 if price == 103 else size) for price, size in asks]
    market.book(0, [(98, 3.0), *bids[1:]], wall)
    market.book(30, bids, wall)
    for minute in range(1, 6):
        market.book(60 * minute, bids, wall if minute < 2 else asks)
    return market


def of_minutes(market: Stored, minutes: int, **arguments: Any) -> Answer:
    return asked(market, bar="1m", size=1, since=BEGIN, until=BEGIN + 60_000 * minutes, **arguments)


def test_bins_are_as_they_are_now_and_as_they_were() -> None:
    answer = of_minutes(two_minutes(), 2)
    found = {(row["side"], row["price_from"]): row for row in rows(answer)}
    # half a minute of 3 and half of 1, then a minute of 1: means of 2 and 1
    best = found["bid", 98.0]
    assert (best["now"], best["mean"], best["most"], best["present_pct"]) == (1.0, 1.5, 2.0, 100.0)
    assert best["price_until"] == 99.0
    # the middle of the bin is 98.5, the mid 99.5
    assert best["distance_bps"] == pytest.approx((98.5 / 99.5 - 1) * 1e4)
    assert found["ask", 103.0]["now"] == 40.0
    assert [row["side"] for row in rows(answer)] == ["ask"] * 9 + ["bid"] * 9
    assert answer.summary["mid"] == 99.5 and answer.summary["known_now"] == {"from": 90.0, "until": 109.0}


def test_few_bins_are_the_largest_of_now() -> None:
    found = rows(of_minutes(two_minutes(), 2, top=2))
    assert [(row["side"], row["price_from"]) for row in found] == [
        ("ask", 103.0), ("ask", 101.0), ("bid", 91.0), ("bid", 90.0),
    ]  # fmt: skip


def test_a_bin_in_which_the_known_levels_end_is_a_lower_bound_and_says_so() -> None:
    wide = asked(two_minutes(), bar="1m", size=4, since=BEGIN, until=BEGIN + 120_000)
    found = {(row["side"], row["price_from"]): row for row in rows(wide)}
    # bins of 4: bids are known from 90 on, so that of 88 to 92 only 90 and 91 are
    edge, inside = found["bid", 88.0], found["bid", 92.0]
    assert (edge["now"], edge["now_whole"], edge["whole_pct"]) == (9.0 + 8.0, False, 0.0)
    assert (inside["now"], inside["now_whole"], inside["whole_pct"]) == (7 + 6 + 5 + 4.0, True, 100.0)


def test_the_matrix_has_a_cell_an_interval_in_halves_of_the_most() -> None:
    answer = of_minutes(two_minutes(), 3, view="matrix")
    found = {row["price_from"]: row["cells"] for row in rows(answer)}
    assert list(found) == [float(price) for price in range(109, 89, -1)]
    # the most is 40. 40, 40, 2: a9 twice, and 2 is above 40 / 32
    assert found[103.0] == "a9x2 a5"
    assert found[98.0] == "b5 b4x2"  # 2 is above 40 / 32, 1 above 40 / 64
    assert found[99.0] == ".x3"
    assert answer.summary["quantum_9_above"] == 20.0
    assert answer.summary["first_bar"] == BEGIN


def test_a_gap_is_unknown_in_the_matrix_and_is_not_carried_over() -> None:
    market = two_minutes()
    market.gap(60, 119.9)
    found = {row["price_from"]: row["cells"] for row in rows(of_minutes(market, 3, view="matrix"))}
    # the rest of minute 1 has no snapshot of its own, and the one before the gap stands no longer
    assert found[103.0] == "a9 ? a5"


def test_a_wall_that_went_without_being_traded_was_pulled() -> None:
    answer = of_minutes(two_minutes(), 6, view="walls")
    (wall,) = rows(answer)
    assert (wall["side"], wall["price_from"], wall["size"], wall["times"]) == ("ask", 103.0, 40.0, 20.0)
    assert (wall["first_seen"], wall["last_seen"], wall["lifetime_s"]) == (BEGIN, BEGIN + 120_000, 120.0)
    # 40 in minute 1, 2 in minute 2; clear after two more minutes without it
    assert (wall["fate"], wall["decline"], wall["traded"]) == ("pulled", 38.0, 0.0)
    assert wall["ended"] == BEGIN + 300_000
    assert answer.summary["walls"] == {"pulled": {"walls": 1, "median_lifetime_s": 120.0}}


def test_a_wall_that_takers_took_was_filled_and_one_whose_trades_are_unknown_is_gone() -> None:
    market = two_minutes()
    market.trade(119, 103.0, 30.0, bought=True)
    (wall,) = rows(of_minutes(market, 6, view="walls"))
    assert (wall["fate"], wall["traded"]) == ("filled", 30.0)
    market.gap(100, 130, "trades")
    (wall,) = rows(of_minutes(market, 6, view="walls"))
    assert (wall["fate"], wall["traded"]) == ("gone", None)


def test_a_wall_that_stands_does_and_the_largest_are_told_beside_the_bins() -> None:
    answer = of_minutes(two_minutes(), 2)
    table = answer.more["largest_walls"]
    assert [dict(zip(table.columns, row, strict=True))["fate"] for row in table.rows] == ["standing"]
    assert answer.more["over_time"].rows[0][:2] == ["ask", 103.0]


def test_bins_that_are_left_out_fit_the_reach_of_the_book() -> None:
    answer = asked(two_minutes(), since=BEGIN, until=BEGIN + 360_000)
    # nine levels of 1 reach 9.5 from the mid: 1 is the largest round step of which five fit
    assert (answer.summary["size"], answer.summary["tick"]) == (1.0, 1.0)
    assert answer.summary["bars"] == {"expected": 36, "known": 36} and answer.summary["bar"] == "10s"


def test_venues_are_added_where_they_are_known() -> None:
    market = two_minutes()
    for minute in range(6):
        market.book(60 * minute, [(98, 1), (95, 1)], [(101, 5), (104, 1)], "okx_futures")
    both = of_minutes(market, 6, venues=["binance_futures", "okx_futures"])
    found = {(row["side"], row["price_from"]): row for row in rows(both)}
    assert found["ask", 101.0]["now"] == 7.0 and found["ask", 101.0]["now_whole"]
    assert (found["ask", 106.0]["now"], found["ask", 106.0]["now_whole"]) == (2.0, False)  # okx ends at 104
    assert any("lower bounds" in one for one in both.meta.warnings)


def test_the_running_interval_is_said_to_be() -> None:
    assert of_minutes(two_minutes(), 2).summary["developing"] is False
    answer = asked(two_minutes(), bar="1m", since=BEGIN, until=BEGIN + 90_000)
    assert answer.summary["developing"] is True


@pytest.mark.parametrize("view", ["bins", "matrix", "walls"])
def test_every_view_keeps_the_budget_and_has_the_block_of_quality(view: str) -> None:
    answer = asked(view=view, max_tokens=1_000)
    assert tokens(as_text(answer)) <= 1_000
    assert answer.summary["data_quality"]["grade"] == "complete"


def test_bad_questions_are_refused_with_what_is_allowed() -> None:
    with pytest.raises(InvalidArgument, match="no whole ticks") as raised:
        asked(two_minutes(), size=1.5, since=BEGIN, until=BEGIN + 120_000)
    assert raised.value.hint == "size=2"
    with pytest.raises(InvalidArgument, match="intervals"):
        asked(bar="1s", since="-1h")
    for wrong in ({"size": 0}, {"view": "x"}, {"top": 0}, {"wall_times": 1}, {"bar": "x"}):
        with pytest.raises(InvalidArgument):
            asked(**wrong)
    with pytest.raises(NoData, match="orderbooks"):
        asked(since="-5h", until="-4h")


sizes = st.lists(st.sampled_from([np.nan, 0.0, 1.0, 3.0, 8.0]), min_size=1, max_size=30)


@given(sizes)
def test_runs_can_be_read_back(size: list[float]) -> None:
    column = np.array(size)
    read = [cell for run in _runs(column, np.zeros(len(size)), 8.0).split() for cell in expanded(run)]
    assert read == [_cell(one, 0.0, 8.0) for one in size]


def expanded(run: str) -> list[str]:
    cell, _, count = run.partition("x")
    return [cell] * int(count or 1)


# ── Drawn ─────────────────────────────────────────────────────────────────────────────────────


def test_a_picture_tells_what_is_seen_and_is_the_same_twice() -> None:
    market = two_minutes()
    market.trade(70, 101.0, 2.5, bought=True)
    first, second = (
        asked(market, "chart_heatmap", bar="10s", size=1, since=BEGIN, until=BEGIN + 360_000)
        for _ in range(2)
    )
    assert first.picture is not None and second.picture is not None
    assert first.picture.png == second.picture.png and first.picture.told["type"] == PNG
    for said in (
        "mid on binance_futures went from 99.5 to 99.5 USDT",
        "asks rested most at 103 (up to 40 BTC)",
        "takers bought 2.5 and sold 0 BTC",
        "1 pulled",
    ):
        assert said in first.picture.alt
    assert first.more["largest_walls"].rows


def test_a_gap_changes_the_picture_and_is_told() -> None:
    window = {"bar": "10s", "size": 1, "since": BEGIN, "until": BEGIN + 360_000}
    market = two_minutes()
    whole = asked(market, "chart_heatmap", **window).picture
    market.gap(60, 119.9)
    broken = asked(market, "chart_heatmap", **window).picture
    assert whole is not None and broken is not None
    assert whole.png != broken.png and "1 gap" in broken.alt


def test_a_book_without_trades_is_drawn() -> None:
    answer = asked(two_minutes(), "chart_heatmap", since=(NOW - 60 * MINUTE) // MS, until=BEGIN + 360_000)
    assert answer.picture is not None and "takers" not in answer.picture.alt

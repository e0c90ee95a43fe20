"""The footprint: levels and sums of bars by hand, pages of time, what is marked, and what is not known."""

from typing import Any

import numpy as np
import pytest
from fixed_market import NOW, context
from hand_market import VENUE, Fill, market, ms

from orderflow import tools
from orderflow.charts import footprint as drawn
from orderflow.market.errors import InvalidArgument, NoData, UnsupportedByVenue
from orderflow.market.events import HOUR, MINUTE
from orderflow.store.reader import Reader
from orderflow.tools.answers import Answer, tokens
from orderflow.tools.context import Context
from orderflow.tools.cutting import Full, cutting
from orderflow.tools.forms import as_text


def asked(known: Context | None = None, tool: str = "orderflow_footprint", /, **arguments: Any) -> Answer:
    given = {"symbol": "BTCUSDT", "since": "-1h", "max_tokens": 8_000, **arguments}
    return tools.call(known or context(), tool, given)


def rows(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


# Two bars of five minutes. In the first takers buy 3 at 101 where 1 was sold at 100, a step below: an imbalance.
TWO_BARS = [
    Fill(0, 100, 1, sold=True),
    Fill(1, 101, 3),
    Fill(2, 102, 2),
    Fill(3, 101, 1, sold=True),
    Fill(5, 102, 4),
    Fill(6, 102, 1, sold=True),
    Fill(7, 100, 2, sold=True),
]

# ── Levels ────────────────────────────────────────────────────────────────────────────────────


def test_a_bar_is_told_in_one_row_with_its_levels_from_above() -> None:
    answer = asked(market(TWO_BARS), bar="5m", size=1, since=ms(0), until=ms(10))
    late, early = rows(answer)
    # delta: −1, +2, +4, +3; 101 has most volume, 4; its delta is 2, as is 102's, and it is nearer the middle.
    # 2 of 7 were bought at the high, none sold, and the bar closed a level below: absorbed
    assert early == {
        "time": ms(0), "state": "closed", "open": 100.0, "high": 102.0, "low": 100.0, "close": 101.0, "volume": 7.0,
        "delta": 3.0, "delta_high": 4.0, "delta_low": -1.0, "poc": 101.0, "max_delta": 101.0, "min_delta": 100.0,
        "flags": "absorbed_high", "left_out": 0, "levels": "102:0x2 101:1x3B 100:1x0",
    }  # fmt: skip
    # both sides at the high; takers bought 4 of 7 there, and the bar closed two levels below
    assert late["flags"] == "unfinished_high absorbed_high"
    assert late["levels"] == "102:1x4 100:2x0"
    assert answer.summary["totals"]["delta"] == 4.0 and answer.summary["size"] == 1
    assert answer.summary["data_quality"]["algorithm"] == "footprint 1"


def test_a_level_can_be_a_row() -> None:
    answer = asked(market(TWO_BARS), bar="5m", size=1, since=ms(0), until=ms(5), compress=False)
    assert answer.rows == [
        [ms(0), 102.0, 0.0, 2.0, 2.0, 1, None, "absorbed_high"],
        [ms(0), 101.0, 1.0, 3.0, 2.0, 2, "buy", "poc max_delta"],
        [ms(0), 100.0, 1.0, 0.0, -1.0, 1, None, "min_delta"],
    ]


def test_an_imbalance_is_what_it_is_asked_to_be() -> None:
    window = {"bar": "5m", "size": 1, "since": ms(0), "until": ms(5)}
    assert "B" not in rows(asked(market(TWO_BARS), **window, ratio=3.1))[0]["levels"]
    assert "B" not in rows(asked(market(TWO_BARS), **window, min_volume=3.5))[0]["levels"]


def test_wider_levels_are_computed_anew() -> None:
    (row,) = rows(asked(market(TWO_BARS), bar="5m", size=2, since=ms(0), until=ms(5)))
    # 100 and 101 together: sold 2, bought 3
    assert (row["levels"], row["poc"], row["min_delta"]) == ("102:0x2 100:2x3", 100.0, 100.0)


def test_only_so_many_levels_are_shown_and_the_rest_is_counted() -> None:
    window = {"bar": "5m", "size": 1, "since": ms(0), "until": ms(5)}
    answer = asked(market(TWO_BARS), **window, top=1)
    (row,) = rows(answer)
    assert (row["levels"], row["left_out"], answer.summary["levels_left_out"]) == ("101:1x3B", 2, 2)
    (row,) = rows(asked(market(TWO_BARS), **window, price_from=101.5))
    assert (row["levels"], row["left_out"], row["poc"]) == ("102:0x2", 2, 101.0)
    (row,) = rows(asked(market(TWO_BARS), **window, price_from=100.5, price_until=102))
    assert row["levels"] == "101:1x3B"


def test_a_step_that_nobody_chose_makes_about_sixteen_levels_of_a_usual_bar() -> None:
    # bars of 15 minutes span 14; without a tick the step is 1, 2 or 5 times a power of ten
    answer = asked(bar="15m")
    assert answer.summary["size"] == 1.0
    assert {len(row["levels"].split()) for row in rows(answer)} == {15}


def test_levels_hold_what_the_sums_of_their_bars_say() -> None:
    both = ["binance_futures", "bybit_futures"]
    levels = rows(asked(bar="15m", compress=False, top=200, venues=both, size=0.5))
    for one in rows(asked(bar="15m", view="statistics", venues=both)):
        mine = [row for row in levels if row["time"] == one["time"]]
        for side in ("buy", "sell", "delta", "trades"):
            assert sum(row[side] for row in mine) == one[side]


# ── Sums ──────────────────────────────────────────────────────────────────────────────────────


def test_sums_of_a_bar_are_in_base_and_quote_with_what_was_liquidated() -> None:
    every = rows(asked(bar="15m", view="statistics"))
    # minutes 0 to 14, 2 coins each: odd ones bought at 101 to 113, 7 × 107 × 2; even ones sold, 8 × 107 × 2.
    # delta goes −2, 0, −2, …; in quote −200, +2, −202, …, +14 − 228
    assert every[-1] == {
        "time": ms(0), "state": "closed", "open": 100.0, "high": 114.0, "low": 100.0, "close": 114.0, "trades": 15,
        "buy": 14.0, "sell": 16.0, "delta": -2.0, "delta_high": 0.0, "delta_low": -2.0, "buy_quote": 1498.0,
        "sell_quote": 1712.0, "delta_quote": -214.0, "delta_high_quote": 14.0, "delta_low_quote": -214.0,
        "rekt_long": 0.0, "rekt_short": 0.0,
    }  # fmt: skip
    # the long of minute 30: 3 coins at 130
    assert [row["rekt_long"] for row in every] == [0.0, 390.0, 0.0, 0.0]
    assert [row["state"] for row in every] == ["incomplete", "closed", "closed", "closed"]


def test_what_nobody_collected_is_unknown_and_what_nobody_traded_is_nothing() -> None:
    answer = asked(
        market([Fill(0, 100, 1), Fill(59, 100, 1)], gaps=[(20, 25)]),
        bar="15m",
        view="statistics",
        since="-90m",
    )
    found = {row["time"]: row for row in rows(answer)}
    assert len(found) == 6
    before, lost, quiet = found[ms(-30)], found[ms(15)], found[ms(30)]
    assert (before["state"], before["buy"], before["rekt_long"]) == ("incomplete", None, None)
    assert (lost["state"], lost["buy"], lost["delta_quote"]) == ("incomplete", None, None)
    assert (quiet["state"], quiet["buy"], quiet["close"], quiet["trades"]) == ("closed", 0.0, None, 0)


def test_liquidations_of_a_venue_that_publishes_none_are_unknown_and_said_to_be() -> None:
    spot = [Fill(0, 100, 1, venue="binance_spot")]
    answer = asked(market(spot), view="statistics", venues=["binance_spot"])
    assert {row["rekt_long"] for row in rows(answer)} == {None}
    assert any("binance_spot has no public feed of them" in one for one in answer.meta.warnings)


def test_of_venues_together_amounts_are_added_and_prices_are_one_venues() -> None:
    (last, *_) = rows(
        found := asked(bar="30m", view="statistics", venues=["binance_futures", "bybit_futures"])
    )
    # 15 minutes bought and 15 sold, 2 + 1 coins each
    assert (last["buy"], last["sell"], last["trades"]) == (45.0, 45.0, 60)
    assert (last["open"], last["delta_high"]) == (130.0, None)  # bybit's began at 131
    assert found.summary["price_of"] == "binance_futures"
    assert any("how far delta ran" in one for one in found.meta.warnings)


# ── Bars ──────────────────────────────────────────────────────────────────────────────────────


def test_the_bar_that_goes_on_is_said_to_develop() -> None:
    known = market(TWO_BARS, now=NOW - HOUR + 8 * MINUTE)
    now, before = rows(asked(known, bar="5m", since=ms(0), until="now"))
    assert (now["state"], now["volume"], before["state"]) == ("developing", 7.0, "closed")


def test_bars_are_whole_whenever_the_window_begins() -> None:
    answer = asked(bar="15m", since=ms(7), until=ms(37), view="statistics")
    assert [row["time"] for row in rows(answer)] == [ms(30), ms(15), ms(0)]
    assert rows(answer)[-1]["trades"] == 15
    assert answer.summary["window"] == {"since": ms(0), "until": ms(45), "bars": 3}


def test_bars_can_be_full_by_what_is_traded() -> None:
    found = rows(asked(bar="volume:10", since="-20m", size=1))
    # trades of 2 coins: five to a bar, and the hour's last minute is a gap
    assert [row["time"] for row in found] == [ms(55), ms(50), ms(45), ms(40)]
    assert found[-1]["levels"] == "144:2x0 143:0x2 142:2x0 141:0x2 140:2x0"
    assert [row["volume"] for row in found] == [10.0] * 4
    # price rises by 1 a minute: a range of 3 holds four of them; the last goes on
    ranges = rows(asked(bar="range:3", since=ms(40), until=ms(50), size=1))
    assert [(row["time"], row["high"] - row["low"]) for row in ranges] == [
        (ms(48), 1),
        (ms(44), 3),
        (ms(40), 3),
    ]
    assert [row["state"] for row in ranges] == ["developing", "closed", "closed"]
    # bought and sold by turns: delta of 2 is reached with every trade
    assert len(rows(asked(bar="delta:2", since=ms(40), until=ms(50), view="statistics"))) == 10
    assert len(rows(asked(bar="trades:4", since=ms(40), until=ms(50)))) == 3


def test_bars_of_trades_are_of_one_tape_and_ranges_of_one_venue() -> None:
    both = {"venues": ["binance_futures", "bybit_futures"], "since": ms(40), "until": ms(50)}
    answer = asked(bar="volume:6", **both)
    assert len(answer.rows) == 5 and any("one tape" in one for one in answer.meta.warnings)
    with pytest.raises(InvalidArgument, match="range bars are of one venue"):
        asked(bar="range:3", **both)


@pytest.mark.parametrize("bar", ["range:0", "renko:5", "volume:", "15", "1x", "delta:-3", ":"])
def test_what_is_no_bar_is_refused_with_what_is(bar: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        asked(bar=bar)
    assert "5m" in caught.value.hint
    assert cutting(" Volume:2.5 ") == Full("volume", 2.5)


def test_a_window_without_trades_names_those_that_are() -> None:
    with pytest.raises(NoData, match="no trades") as caught:
        asked(since="-3h", until="-2h")
    assert "2025-11-20T23:00:00Z" in caught.value.hint
    with pytest.raises(UnsupportedByVenue):
        asked(venues=["pyth"])


# ── Pages ─────────────────────────────────────────────────────────────────────────────────────


def pages(known: Context, **arguments: Any) -> list[Answer]:
    found = [asked(known, **arguments)]
    while found[-1].meta.next is not None:
        assert len(found) < 50
        found.append(
            tools.call(known, "orderflow_footprint", {"next": found[-1].meta.next, "max_tokens": 8_000})
        )
    return found


@pytest.mark.parametrize("more", [{"view": "statistics"}, {}, {"compress": False}])
def test_pages_of_time_are_the_whole(more: dict[str, Any]) -> None:
    whole = asked(bar="5m", size=0.5, **more)
    parts = pages(context(), bar="5m", size=0.5, bars=5, **more)
    assert len(parts) == 3
    assert [row for one in parts for row in one.rows] == whole.rows


def test_a_page_asks_the_store_for_its_own_bars_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    known = context()
    windows: list[tuple[int, int]] = []
    real = Reader.cells

    def cells(self: Any, symbol: Any, venues: Any, length: Any, since: int, until: int, step: float) -> Any:
        windows.append((since, until))
        return real(self, symbol, venues, length, since, until, step)

    monkeypatch.setattr(Reader, "cells", cells)
    asked(known, bar="5m", bars=3)
    assert windows == [(NOW - 15 * MINUTE, NOW)]


def test_a_step_that_was_chosen_for_the_first_page_is_that_of_all() -> None:
    wide = [Fill(minute, 100 + minute * (1 if minute < 10 else 50), 1) for minute in range(20)]
    first, *others = pages(market(wide), bar="5m", bars=1, since=ms(0), until=ms(20))
    assert len(others) == 3
    assert {one.summary["size"] for one in others} == {first.summary["size"]}


def test_what_is_empty_for_long_is_passed_over() -> None:
    found = pages(market([Fill(0, 100, 1), Fill(55, 100, 1)]), bar="5m", bars=2, since=ms(0), until=ms(60))
    assert [row["time"] for one in found for row in rows(one)] == [ms(55), ms(0)]


@pytest.mark.parametrize("max_tokens", [1_200, 2_000, 4_000])
@pytest.mark.parametrize("more", [{}, {"compress": False}, {"view": "statistics"}, {"bar": "volume:9"}])
def test_an_answer_keeps_its_budget_whatever_is_in_a_bar(max_tokens: int, more: dict[str, Any]) -> None:
    busy = [
        Fill(number / 100, 100 + number * 37 % 400 / 10, 1.234567 + number % 7, number % 3 > 0)
        for number in range(5_900)
    ]
    known = market(busy)
    answer = asked(known, **{"bar": "5m", "size": 0.1, "top": 200, "max_tokens": max_tokens, **more})
    assert tokens(as_text(answer)) <= max_tokens and answer.rows


# ── Drawn ─────────────────────────────────────────────────────────────────────────────────────


def test_what_is_drawn_is_the_footprint_with_its_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    real = drawn.footprint

    def footprint(about: Any, bars: Any, cells: Any, step: float, *rest: Any, **more: Any) -> Any:
        given.update(about=about, bars=bars, cells=cells, step=step, **more)
        return real(about, bars, cells, step, *rest, **more)

    monkeypatch.setattr(drawn, "footprint", footprint)
    known = market(TWO_BARS, gaps=[(10, 12)])
    answer = asked(known, "chart_footprint", bar="5m", size=1, since=ms(0), until=ms(15))
    assert given["cells"].bar.tolist() == [0, 0, 0, 1, 1] and given["step"] == 1
    assert given["marks"].poc.tolist()[:2] == [101, 102]
    assert given["marks"].buy_imbalance.tolist() == [False, True, False, False, False]
    assert not given["marks"].sell_imbalance.any()
    assert given["about"].gaps == [(NOW - HOUR + 10 * MINUTE, NOW - HOUR + 12 * MINUTE)]
    assert np.isnan(given["bars"].close[2])
    third, second, first = rows(answer)
    assert (first["delta"], first["poc"], first["buy_imbalances"], first["sell_imbalances"]) == (
        3.0,
        101.0,
        1,
        0,
    )
    assert (second["delta"], third["delta"], third["poc"], third["state"]) == (1.0, None, None, "incomplete")
    assert answer.picture is not None and "takers bought 9 and sold 5 BTC" in answer.picture.alt
    assert "1 buy and 0 sell imbalances" in answer.picture.alt


def test_a_picture_that_nobody_described_has_room_for_numbers() -> None:
    answer = asked(None, "chart_footprint")
    assert answer.summary["bar"] == "5m" and len(answer.rows) == 12
    low = asked(None, "chart_footprint", width=1200, height=600)
    assert low.summary["size"] > answer.summary["size"]
    with pytest.raises(InvalidArgument, match="too many to be legible"):
        asked(None, "chart_footprint", size=0.001)


def test_the_busiest_venue_is_meant_where_none_is_said() -> None:
    assert asked().meta.venues.answered == [VENUE]

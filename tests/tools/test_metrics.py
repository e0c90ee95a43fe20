"""Metrics of order flow: delta and CVD from their anchor, and each part, by hand."""

import math
from typing import Any

import pytest
from fixed_market import NOW, context
from hand_market import BEGAN, Fill, market, ms

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData, UnsupportedByVenue
from orderflow.market.events import DAY, MINUTE, MS
from orderflow.tools.answers import Answer, tokens
from orderflow.tools.context import Context
from orderflow.tools.forms import as_text
from orderflow.tools.orderflow_metrics import PARTS

BOTH = ["binance_futures", "bybit_futures"]


def asked(known: Context | None = None, /, **arguments: Any) -> Answer:
    given = {"symbol": "BTCUSDT", "since": "-1h", "max_tokens": 8_000, **arguments}
    return tools.call(known or context(), "orderflow_metrics", given)


def rows(answer: Answer, table: str | None = None) -> list[dict[str, Any]]:
    found = answer.more[table] if table else answer
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


# ── Delta and CVD ─────────────────────────────────────────────────────────────────────────────


def test_delta_and_cvd_are_told_bar_by_bar() -> None:
    answer = asked(bar="15m")
    # 8 of 15 minutes sold, then 8 of 15 bought, and so on, 2 coins each
    assert [row["delta"] for row in rows(answer)] == [2.0, -2.0, 2.0, -2.0]
    assert [row["cvd"] for row in rows(answer)] == [0.0, -2.0, 0.0, -2.0]
    assert rows(answer)[-1]["delta_quote"] == 1498 - 1712
    assert rows(answer)[-1]["delta_pct"] == pytest.approx(-100 * 2 / 30)
    assert (answer.summary["positive_bars"], answer.summary["negative_bars"]) == (2, 2)
    # 30 minutes bought at odd prices, one more than the even ones before them: 30 × 2
    assert answer.summary["cvd"] == {"anchor": ms(0), "base": 0.0, "quote": 60.0, "unknown_bars": 0}
    assert not answer.more and set(answer.columns) & {"vwap", "levels"} == set()


def test_cvd_begins_where_its_anchor_is() -> None:
    # before the window, at midnight: 8 sold in each of two quarters of an hour, less 7 and 8 bought
    early = rows(asked(bar="15m", since=ms(30), anchor=str(ms(0))))
    assert [row["time"] for row in early] == [ms(45), ms(30)]
    assert [row["cvd"] for row in early] == [0.0, -2.0]
    late = asked(bar="15m", anchor=str(ms(15)))
    assert [row["cvd"] for row in rows(late)] == [2.0, 0.0, 2.0, None]
    assert late.summary["cvd"]["anchor"] == ms(15)


def test_cvd_can_begin_anew_each_day() -> None:
    known = market([Fill(-90, 100, 5), Fill(10, 100, 1), Fill(50, 100, 2, sold=True)], began=BEGAN - DAY)
    answer = asked(known, bar="30m", anchor="day", since="-2h")
    # NOW is midnight: the one day of the window began 24 hours before
    assert [row["cvd"] for row in rows(answer)] == [4.0, 6.0, 5.0, 5.0]
    assert answer.summary["cvd"]["anchor"] == (NOW - DAY) // MS
    assert answer.summary["totals"]["buy"] == 1.0  # of the window alone


@pytest.mark.parametrize("anchor", ["now", "noon", "2030-01-01"])
def test_an_anchor_that_is_none_is_refused(anchor: str) -> None:
    with pytest.raises(InvalidArgument):
        asked(anchor=anchor)


def test_more_bars_than_anybody_reads_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="more than 5,000") as caught:
        asked(bar="1s", since="-3h")
    assert "longer bars" in caught.value.hint


def test_what_is_unknown_breaks_the_line_and_is_counted() -> None:
    answer = asked(market([Fill(0, 100, 1), Fill(50, 100, 2)], gaps=[(20, 25)]), bar="15m")
    assert [row["cvd"] for row in rows(answer)] == [3.0, 1.0, None, 1.0]
    assert answer.summary["cvd"]["unknown_bars"] == 1
    assert [row["state"] for row in rows(answer)] == ["closed", "closed", "incomplete", "closed"]


def test_nothing_traded_and_no_trades_at_all_are_errors_with_hints() -> None:
    with pytest.raises(NoData) as caught:
        asked(since="-3h", until="-2h")
    assert "stored are rows from" in caught.value.hint
    with pytest.raises(UnsupportedByVenue):
        asked(venues=["pyth"])


# ── Imbalances and zones ──────────────────────────────────────────────────────────────────────

# Minute 0: at 101, 102 and 103 takers buy 3, where 1 was sold a step below: a stack of three. It closes at 104,
# minute 10 stays above, minute 20 comes back to 103.5, and minute 30 closes below 101.
STACK = [
    *(Fill(0.01 * price - 1, price, 1, sold=True) for price in (100, 101, 102)),
    *(Fill(0.01 * price - 0.9, price, 3) for price in (101, 102, 103)),
    Fill(0.5, 104, 1, sold=True),
    Fill(10, 105, 1),
    Fill(20, 103.5, 1, sold=True),
    Fill(20.5, 104, 1),
    Fill(30, 100, 1, sold=True),
]


def test_zones_are_those_of_all_bars_and_say_what_became_of_them() -> None:
    answer = asked(market(STACK), bar="5m", size=1, parts=["imbalances"], since=ms(0), until=ms(60))
    (zone,) = rows(answer, "imbalances")
    assert zone == {
        "time": ms(0), "known": ms(5), "side": "buy", "low": 101.0, "high": 104.0, "volume": 9.0, "ratio": 3.0,
        "status": "broken", "tested_at": ms(25), "broken_at": ms(35),
    }  # fmt: skip
    told = answer.summary["imbalances"]
    assert (told["buy_levels"], told["buy_zones"], told["sell_zones"], told["broken"]) == (3, 1, 0, 1)
    for more in ({"stacked": 4}, {"ratio": 3.5}, {"min_volume": 4}):
        assert not asked(market(STACK), bar="5m", size=1, parts=["imbalances"], since=ms(0), **more).more


def test_what_is_known_of_a_zone_does_not_look_ahead() -> None:
    def status(until: float, now: float) -> list[tuple[str, Any]]:
        known = market(STACK, now=BEGAN + round(now * MINUTE))
        answer = asked(known, bar="5m", size=1, parts=["imbalances"], since=ms(0), until=ms(until))
        return (
            [(row["status"], row["tested_at"]) for row in rows(answer, "imbalances")] if answer.more else []
        )

    assert status(20, 60) == [("untested", None)]
    assert status(25, 60) == [("tested", ms(25))]
    # the bar that comes back is not closed yet, and no zone is made of one that goes on
    assert status(22, 22) == [("untested", None)]
    assert status(4, 4) == []


# ── Other parts ───────────────────────────────────────────────────────────────────────────────


def test_divergences_are_known_when_the_second_swing_is() -> None:
    # price makes a higher high in minute 30 than in minute 10 while takers sold between them
    high = {10: 110.0, 30: 112.0}
    fills = [
        Fill(minute, high.get(minute, 100 + abs(minute % 20 - 10) / -10), 1, sold=10 < minute <= 30)
        for minute in range(45)
    ]
    answer = asked(market(fills), bar="1m", parts=["divergences"])
    bearish = [row for row in rows(answer, "divergences") if row["kind"] == "bearish"]
    # swings have five bars to the right: known when minute 35 has closed; delta of minutes 11 to 30 is −20
    assert bearish == [
        {
            "known": ms(36), "kind": "bearish", "first": ms(10), "second": ms(30), "first_price": 110.0,
            "second_price": 112.0, "cvd_change": -20.0,
        }
    ]  # fmt: skip


def test_vwap_runs_from_the_anchor() -> None:
    fills = [Fill(0, 100, 1), Fill(20, 104, 3), Fill(40, 98, 4, sold=True)]
    answer = asked(market(fills), bar="15m", size=1, parts=["vwap"])
    # 100; (100 + 3 × 104) / 4 = 103; (412 + 4 × 98) / 8 = 100.5
    assert [row["vwap"] for row in rows(answer)] == [100.5, 100.5, 103.0, 100.0]
    # squares: (0.25 + 3 × 12.25 + 4 × 6.25) / 8 = 7.75
    assert answer.summary["vwap"]["deviation"] == pytest.approx(math.sqrt(7.75))
    assert answer.summary["vwap"]["last_price_bps"] == pytest.approx((98 / 100.5 - 1) * 1e4)
    anchored = asked(market(fills), bar="15m", size=1, parts=["vwap"], anchor=str(ms(30)))
    assert [row["vwap"] for row in rows(anchored)] == [98.0, 98.0, None, None]


def test_venues_and_markets_are_told_apart() -> None:
    fills = [
        Fill(0, 100, 3), Fill(1, 100, 1, sold=True), Fill(2, 100, 2, venue="binance_spot"),
        Fill(3, 100, 4, sold=True, venue="bybit_futures"),
    ]  # fmt: skip
    answer = asked(
        market(fills),
        bar="30m",
        parts=["venues"],
        venues=["binance_futures", "binance_spot", "bybit_futures"],
    )
    found = {row["of"]: (row["delta"], row["cvd"], row["share_pct"]) for row in rows(answer, "venues")}
    assert found == {
        "binance_futures": (2.0, 2.0, 40.0), "binance_spot": (2.0, 2.0, 20.0), "bybit_futures": (-4.0, -4.0, 40.0),
        "spot": (2.0, 2.0, 20.0), "perpetual": (-2.0, -2.0, 80.0),
    }  # fmt: skip
    assert answer.summary["venues"]["spot_less_perpetual"] == 4.0
    assert rows(answer)[-1]["delta"] == 0.0
    assert "spot_less_perpetual" not in asked(parts=["venues"], venues=BOTH).summary["venues"]


def test_sizes_are_those_of_each_trade() -> None:
    answer = asked(parts=["sizes"], edges=[250, 300])
    found = {
        (row["value_from"], row["value_until"]): (row["buy"], row["sell"], row["trades"])
        for row in rows(answer, "sizes")
    }
    # 2 × (100 + m): below 250 minutes 0 to 24, below 300 to 49; even ones sold
    assert found == {
        (None, 250.0): (24.0, 26.0, 25),
        (250.0, 300.0): (26.0, 24.0, 25),
        (300.0, None): (10.0, 10.0, 10),
    }


def test_large_orders_and_sweeps_are_put_together_of_their_fills() -> None:
    sweep = [Fill(10 + place / 60_000, 100.0 + place, 2) for place in range(3)]  # a millisecond apart
    known = market([Fill(5, 100, 1, sold=True), *sweep, Fill(20, 100, 9, sold=True)])
    answer = asked(known, parts=["sweeps", "large"], large=500)
    (swept,) = rows(answer, "sweeps")
    assert swept == {
        "time": ms(10), "venue": "binance_futures", "side": "buy", "base": 6.0, "value": 606.0, "price_from": 100.0,
        "price_to": 102.0, "fills": 3, "levels": 3, "reach_bps": pytest.approx(200.0),
    }  # fmt: skip
    (order,) = rows(answer, "large")  # fills at one instant are one order, and these were not
    assert (order["side"], order["value"], answer.summary["large"]["sold"]) == ("sell", 900.0, 1)


def test_the_tape_is_as_fast_as_its_trades() -> None:
    fills = [Fill(minute, 100, 1) for minute in range(30)] + [
        Fill(30 + place / 600, 100, 1) for place in range(50)
    ]
    answer = asked(market(fills), parts=["tape"], since=ms(0), until=ms(40))
    # fifty trades in five seconds; the median window before has none, which nothing is a multiple of
    assert rows(answer, "tape")[0] == {
        "time": ms(30), "trades_per_s": 5.0, "quote_per_s": 500.0, "times_usual": None,
    }  # fmt: skip
    assert answer.summary["tape"]["most_trades_per_s"] == 5.0


def test_vpin_needs_the_day_before_or_a_bucket() -> None:
    # buckets of 4 hold two trades of 2, one bought and one sold: no imbalance, but 30 buckets are not 50
    told = asked(parts=["vpin"], bucket=4).summary["vpin"]
    assert (told["vpin"], told["buckets"]) == (None, 30) and "50 are needed" in told["reason"]
    assert asked(parts=["vpin"], bucket=2).summary["vpin"]["vpin"] == 1.0
    with pytest.raises(NoData) as caught:
        asked(parts=["vpin"])
    assert "bucket" in caught.value.hint


def test_what_it_costs_to_trade() -> None:
    # three bars that close at 100, 110 and 99; 110 and 198 quote units bought and sold
    fills = [Fill(0, 100, 1), Fill(20, 110, 1), Fill(40, 99, 2, sold=True)]
    answer = asked(market(fills), bar="20m", parts=["kyle", "amihud"])
    # (0.1 / 110 + 0.1 / 198) / 2, per million
    assert answer.summary["amihud"]["ratio"] == pytest.approx((0.1 / 110 + 0.1 / 198) / 2 * 1e6)
    assert answer.summary["kyle"]["bars"] == 2 and "3 are the least" in answer.summary["kyle"]["reason"]


@pytest.mark.parametrize("max_tokens", [2_000, 4_000])
def test_all_parts_together_keep_the_budget(max_tokens: int) -> None:
    every = [name for name in PARTS if name != "vpin"]
    fills = [
        Fill(number / 50, 100 + number * 37 % 90 / 10, 1.23 + number % 5, number % 3 > 0)
        for number in range(2_900)
    ]
    answer = asked(market(fills), bar="1m", size=0.1, parts=every, large=100, max_tokens=max_tokens)
    assert tokens(as_text(answer)) <= max_tokens and answer.rows and len(answer.more) >= 4
    assert set(every) <= set(answer.summary)


def test_a_part_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="parts"):
        asked(parts=["astrology"])

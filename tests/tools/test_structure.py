"""Structure and swing liquidity over stored minutes: by hand, what is developing, what is unknown, old names."""

from typing import Any

import pytest
from fixed_market import NOW, context
from paths import lines, ms, stored

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData, UnsupportedByVenue
from orderflow.market.events import MINUTE, MS, SECOND
from orderflow.tools.answers import Answer, tokens
from orderflow.tools.context import Context
from orderflow.tools.forms import as_text

BINANCE, BYBIT = "binance_futures", "bybit_futures"
#             0   1   2   3   4   5   6   7   8  9  10
PATH = lines(10, 14, 12, 16, 13, 18, 11, 12, 9, 10, 13)
ONE = stored({BINANCE: PATH})
HERE: dict[str, Any] = {"symbol": "BTCUSDT", "bar": "1m", "lookback": 11}
STRUCTURE: dict[str, Any] = {**HERE, "external": 1, "scale": "external", "hold_bars": 0}
LEVELS: dict[str, Any] = {**HERE, "left": 1, "right": 1}


def asked(tool: str, known: Context = ONE, /, **arguments: Any) -> Answer:
    return tools.call(known, tool, {"max_tokens": 8_000, **arguments})


def rows(answer: Answer, of: str | None = None) -> list[dict[str, Any]]:
    table = answer if of is None else answer.more[of]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def minute(number: float) -> int:
    return ms(number, 11)


# ── Structure ─────────────────────────────────────────────────────────────────────────────────


def test_swings_and_breaks_by_hand_with_when_they_were_known() -> None:
    every = rows(asked("orderflow_structure", **STRUCTURE))[::-1]
    swings = [
        (one["event"], one["level"], one["label"]) for one in every if one["label"] or not one["direction"]
    ]
    # the numbers of tests/flow/test_structure.py: 14 and 12 have none before them to be compared with
    assert swings == [
        ("high", 14.0, None), ("low", 12.0, None), ("high", 16.0, "HH"), ("low", 13.0, "HL"), ("high", 18.0, "HH"),
        ("low", 11.0, "LL"), ("high", 12.0, "LH"), ("low", 9.0, "LL"),
    ]  # fmt: skip
    breaks = [
        (one["event"], one["direction"], one["level"], one["time"], one["origin"])
        for one in every
        if one["direction"]
    ]
    assert breaks == [
        ("BOS", "up", 14.0, minute(3), minute(1)),
        ("BOS", "up", 16.0, minute(5), minute(3)),
        ("CHoCH", "down", 13.0, minute(6), minute(4)),
        ("BOS", "down", 11.0, minute(8), minute(6)),
        ("CHoCH", "up", 12.0, minute(10), minute(7)),
    ]
    first = every[0]
    # the high of minute 1 is known when minute 2 has closed, and minute 3 swept it
    assert (first["time"], first["known"], first["swept"]) == (minute(1), minute(3), minute(4))
    # the bar of a break is the one that closed beyond, and it was known at its close
    assert next(one for one in every if one["event"] == "BOS")["known"] == minute(4)


def test_the_summary_says_what_stands() -> None:
    summary = asked("orderflow_structure", **STRUCTURE).summary
    external = summary["external"]
    assert (external["trend"], external["direction"]) == ("down", "up")
    assert external["last_high"] == {
        # 12 / 13 − 1 = −769.23 bp
        "time": minute(7), "level": 12.0, "label": "LH", "known": minute(9), "swept": minute(11), "distance_bps": -769.23,
    }  # fmt: skip
    assert external["last_choch"] == {
        "direction": "up", "level": 12.0, "time": minute(10), "known": minute(11),
    }  # fmt: skip
    assert external["last_failed"] is None and "internal" not in summary
    assert (summary["price"], summary["closed"], summary["bars"], summary["made_of"]) == (
        13.0, minute(11), 11, "trades",
    )  # fmt: skip
    assert summary["data_quality"]["grade"] == "complete"
    assert summary["data_quality"]["minutes"]["expected"] == 11


def test_internal_and_external_structure_stand_side_by_side() -> None:
    answer = asked("orderflow_structure", **HERE, external=2)
    assert {one["scale"] for one in rows(answer)} == {"internal", "external"}
    # of 2 bars to either side: the low of 9 is too near to the end, the high of 18 is not
    highs = [one["level"] for one in rows(answer) if one["scale"] == "external" and one["event"] == "high"]
    assert highs == [18.0]
    assert (answer.summary["internal"]["left"], answer.summary["external"]["left"]) == (1, 2)


def test_pivots_may_have_more_bars_on_one_side() -> None:
    answer = asked("orderflow_structure", **{**STRUCTURE, "external": 2, "right": 1})
    assert (answer.summary["external"]["left"], answer.summary["external"]["right"]) == (2, 1)


def test_a_failed_break_marks_the_one_that_it_undid() -> None:
    known = stored({BINANCE: lines(10, 14, 12, 11, 15, 13, 16)})
    every = rows(asked("orderflow_structure", known, **{**STRUCTURE, "lookback": 7, "hold_bars": 3}))
    breaks = [(one["event"], one["status"], one["known"]) for one in every[::-1] if one["direction"]]
    # 15 closed above 14 and 13 closed back below: known at the close of minute 5; then 16 is beyond again
    assert breaks == [("BOS", "undone", ms(5, 7)), ("failed", None, ms(6, 7)), ("BOS", None, ms(7, 7))]


def test_the_running_bar_is_told_and_counts_for_nothing() -> None:
    known = stored({BINANCE: [*PATH, [(99.0, 1.0)]]})
    whole = asked("orderflow_structure", known, **STRUCTURE, until=(NOW - 20 * SECOND) // MS)
    assert whole.summary["developing"] == {
        "since": ms(11, 12), "until": ms(12, 12), "open": 99.0, "high": 99.0, "low": 99.0, "close": 99.0
    }  # fmt: skip
    assert (whole.summary["price"], whole.summary["bars"]) == (13.0, 11)
    # everything as before it began, a minute ago
    shifted = asked("orderflow_structure", known, **STRUCTURE, until=ms(11, 12))
    assert shifted.rows == whole.rows and shifted.summary["developing"] is None


def test_what_was_known_then_is_what_is_said_of_then_now() -> None:
    def by(until: int, every: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return what was known by then, without what became of it later."""
        return [
            {**one, "status": None, "swept": one["swept"] if (one["swept"] or until + 1) <= until else None}
            for one in every
            if one["known"] <= until
        ]

    every = rows(asked("orderflow_structure", **STRUCTURE))
    for until in map(minute, range(4, 11)):
        then = rows(asked("orderflow_structure", **STRUCTURE, until=until))
        assert by(until, then) == by(until, every) and len(by(until, then)) == len(then)


def test_beside_a_gap_there_is_no_swing_and_a_quiet_minute_is_none() -> None:
    path = [list(one) for one in PATH]
    path[5] = []  # the high of 18 was not received, or not traded
    lost = asked("orderflow_structure", stored({BINANCE: path}, lost=[5]), **STRUCTURE)
    assert (lost.summary["bars"], lost.summary["bars_unknown"]) == (10, 1)
    assert minute(4) not in [one["time"] for one in rows(lost) if one["event"] == "low"]  # 13 is beside it
    assert lost.summary["data_quality"]["minutes"]["missing"] == 1
    quiet = asked("orderflow_structure", stored({BINANCE: path}), **STRUCTURE)
    assert (quiet.summary["bars"], quiet.summary["bars_unknown"]) == (10, 0)
    # 16, 13, 11, 12: now 11 is the low, and 16 was the high before it
    assert [one["level"] for one in rows(quiet) if one["event"] == "low"] == [9.0, 11.0, 12.0]
    some = [*path[:5], [(18.0, 1.0)], *path[6:]]
    assert (
        asked("orderflow_structure", stored({BINANCE: some}, lost=[5]), **STRUCTURE).summary[
            "bars_incomplete"
        ]
        == 1
    )


def test_of_two_venues_the_larger_gives_prices_and_none_named_is_the_larger() -> None:
    other = [[(price + 1, 5 * size) for price, size in one] for one in PATH]
    known = stored({BINANCE: PATH, BYBIT: other})
    for venues in (None, [BINANCE, BYBIT]):
        answer = asked("orderflow_structure", known, **STRUCTURE, venues=venues)
        assert (answer.summary["price_of"], answer.summary["price"]) == (BYBIT, 14.0)
        assert answer.meta.venues.answered == ([BYBIT] if venues is None else venues)


def test_a_zigzag_by_percent_and_by_atr() -> None:
    answer = asked("orderflow_structure", **STRUCTURE, zigzag_pct=20)
    # 10 → 14 is 40 %; 14 → 12 is 14 %, too little; 12 → 18; 18 → 11 is 39 %; 11 → 9; 9 → 13 is 44 %
    turns = [(one["kind"], one["price"], one["confirmed"]) for one in rows(answer, "zigzag")[::-1]]
    assert turns == [("low", 10.0, minute(2)), ("high", 18.0, minute(7)), ("low", 9.0, minute(11))]
    assert rows(answer, "zigzag")[-2]["leg_pct"] == pytest.approx(80.0)
    assert answer.summary["zigzag"] == {
        "turns": 3, "developing": {"kind": "high", "time": minute(10), "price": 13.0}
    }  # fmt: skip
    # 11 bars have no ATR of 14
    assert asked("orderflow_structure", **STRUCTURE, zigzag_atr=1).summary["zigzag"]["turns"] == 0
    with pytest.raises(InvalidArgument, match="zigzag"):
        asked("orderflow_structure", **STRUCTURE, zigzag_pct=1, zigzag_atr=1)


# ── Swing liquidity ───────────────────────────────────────────────────────────────────────────


def test_levels_by_hand_with_what_became_of_them() -> None:
    every = rows(asked("orderflow_swing_liquidity", **LEVELS))[::-1]
    assert [(one["side"], one["level"], one["status"]) for one in every] == [
        ("high", 14.0, "broken"), ("low", 12.0, "broken"), ("high", 16.0, "broken"), ("low", 13.0, "broken"),
        ("high", 18.0, "untouched"), ("low", 11.0, "broken"), ("high", 12.0, "broken"), ("low", 9.0, "untouched"),
    ]  # fmt: skip
    low = every[1]
    # 12 of minute 2 is known after minute 3; 11 of minute 6 is the first at or below it
    assert (low["time"], low["known"]) == (minute(2), minute(4))
    assert low["touched"] == low["swept"] == low["broken"] == minute(7)
    # one coin, bought, since 12 is even; 12 / 13 − 1
    assert (low["volume"], low["delta"], low["delta_pct"], low["distance_bps"]) == (1.0, 1.0, 100.0, -769.23)
    assert low["rejected"] is False and low["resting"] is None and low["distance_atr"] is None


def test_the_nearest_are_those_that_stand() -> None:
    answer = asked("orderflow_swing_liquidity", **LEVELS)
    assert (
        answer.summary["nearest_above"]["level"] == 18.0 and answer.summary["nearest_below"]["level"] == 9.0
    )
    assert (answer.summary["levels"], answer.summary["active"]) == (8, 2)
    standing = asked("orderflow_swing_liquidity", **LEVELS, active_only=True)
    assert [one["level"] for one in rows(standing)] == [9.0, 18.0]
    near = rows(asked("orderflow_swing_liquidity", **LEVELS, order="distance"))
    # from 13: 13, then 12 twice and 14
    assert [one["level"] for one in near[:4]] == [13.0, 14.0, 12.0, 12.0]


def test_a_wick_beyond_that_closed_back_inside_is_a_rejection() -> None:
    path = [*lines(10, 14, 12), [(15.0, 1.0), (13.0, -1.0)], *lines(12)]
    every = rows(asked("orderflow_swing_liquidity", stored({BINANCE: path}), **{**LEVELS, "lookback": 5}))
    first = every[-1]
    assert (first["level"], first["status"], first["rejected"], first["broken"]) == (
        14.0,
        "swept",
        True,
        None,
    )
    assert first["swept"] == ms(4, 5)


def test_equal_highs_are_a_cluster_by_basis_points() -> None:
    known = stored({BINANCE: lines(90, 100, 92, 100.04, 94, 95)})
    answer = asked("orderflow_swing_liquidity", known, **{**LEVELS, "lookback": 6}, equal_bps=5)
    (found,) = rows(answer, "equal_levels")
    # 100 and 100.04 are 4 bp apart; known when the second is, after minute 4; beyond the outer one stops rest
    assert (found["side"], found["level"], found["inner"], found["swings"]) == ("high", 100.04, 100.0, 2)
    assert (found["first"], found["last"], found["known"], found["swept"]) == (
        ms(1, 6),
        ms(3, 6),
        ms(5, 6),
        None,
    )
    assert not asked("orderflow_swing_liquidity", known, **{**LEVELS, "lookback": 6}, equal_bps=3).more
    with pytest.raises(InvalidArgument, match="equal"):
        asked("orderflow_swing_liquidity", **LEVELS, equal_bps=1, equal_atr=1)


def test_volumes_of_venues_are_added_up_and_unknown_in_a_gap_of_one() -> None:
    both = {BINANCE: PATH, BYBIT: [[(price, 3 * size) for price, size in one] for one in PATH]}
    known = stored(both, lost=[5])
    every = rows(asked("orderflow_swing_liquidity", known, **LEVELS, venues=[BINANCE, BYBIT]))
    told = {one["time"]: (one["volume"], one["delta"]) for one in every}
    assert told[minute(2)] == (4.0, 4.0)
    other = stored({BINANCE: [*PATH[:5], [], *PATH[6:]], BYBIT: both[BYBIT]}, lost=[5])
    every = rows(asked("orderflow_swing_liquidity", other, **LEVELS, venues=[BINANCE, BYBIT]))
    assert {one["time"]: one["volume"] for one in every}[minute(5)] is None


def test_what_rests_at_a_level_is_told_as_far_as_a_book_is_stored() -> None:
    known = stored({BINANCE: PATH})
    levels = {"bid_1_price": 12.5, "bid_1_qty": 2.0, "bid_2_price": 9.0, "bid_2_qty": 7.0,
              "ask_1_price": 13.5, "ask_1_qty": 1.0, "ask_2_price": 17.0, "ask_2_qty": 3.0}  # fmt: skip
    connection = known.history._session._connection  # type: ignore[union-attr]
    connection.execute(
        "INSERT INTO orderbooks_hot (venue, symbol, id, timestamp, received, clock, source, run, sequence,"
        f" {', '.join(levels)}) SELECT 'binance_futures', 'BTCUSDT', 1, t, t, 'venue', 'simulated', 1, 1,"
        f" {', '.join(str(one) for one in levels.values())} FROM (SELECT make_timestamp($1) AS t)",
        [(NOW - MINUTE) // 1000],
    )
    told = {one["level"]: one["resting"] for one in rows(asked("orderflow_swing_liquidity", known, **LEVELS))}
    # 12 lies between the bids; 18 beyond the last ask that is stored, and 9 at the last bid: a bp lower is unknown
    assert told[12.0] == 0.0 and told[18.0] is None and told[9.0] is None and told[16.0] == 0.0


# ── Both ──────────────────────────────────────────────────────────────────────────────────────

EACH = ["orderflow_structure", "orderflow_swing_liquidity"]


@pytest.mark.parametrize("name", EACH)
def test_a_window_without_bars_says_what_there_is(name: str) -> None:
    with pytest.raises(NoData) as caught:
        asked(name, symbol="BTCUSDT", since="2025-11-01", until="2025-11-02")
    assert "2025-11-20" in caught.value.hint
    with pytest.raises(NoData, match="closed"):
        asked(name, symbol="BTCUSDT", bar="1h", lookback=5, until=(NOW - SECOND) // MS)


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bar": "soon"}, "5m"),
        ({"lookback": 3_000}, "at most 2000"),
        ({"since": "-30d", "bar": "1m"}, "longer bars"),
        ({"since": "now", "until": "-1h"}, "since=-4h"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(name: str, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        asked(name, symbol="BTCUSDT", **wrong)
    assert said in caught.value.hint


def test_pivots_that_cannot_be_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="internal"):
        asked("orderflow_structure", **HERE, internal=5, external=5)
    with pytest.raises(UnsupportedByVenue):
        asked("orderflow_structure", **HERE, venues=["pyth"])


@pytest.mark.parametrize("name", EACH)
def test_a_long_answer_keeps_its_budget(name: str) -> None:
    zigs = stored({BINANCE: lines(*(100 + 10 * (at % 2) + at % 7 for at in range(400)))})
    small = {"orderflow_structure": {"external": 2}, "orderflow_swing_liquidity": {"left": 1, "right": 1}}
    answer = asked(name, zigs, symbol="BTCUSDT", bar="1m", max_tokens=2_000, **small[name])
    assert tokens(as_text(answer)) <= 2_000 and answer.meta.next and len(answer.rows) > 10


def test_the_old_names_answer_with_their_parameters() -> None:
    old = asked(
        "get_market_structure", symbol="BTCUSDT", interval="1m", lookbackBars=11, pivotLeft=1, pivotRight=1,
        zigzagLegMinPercent=20, maxPoints=80, endTime=NOW // MS,
    )  # fmt: skip
    new = asked(
        "orderflow_structure", **{**STRUCTURE, "scale": "both", "hold_bars": 3}, right=1, zigzag_pct=20
    )
    assert old.rows == new.rows and old.more["zigzag"].rows == new.more["zigzag"].rows
    old = asked(
        "get_swing_liquidity", symbol="BTCUSDT", interval="1m", lookbackBars=11, pivotLeft=1, pivotRight=1,
        activeOnly=True, maxLevels=10,
    )  # fmt: skip
    assert old.rows == asked("orderflow_swing_liquidity", **LEVELS, active_only=True).rows
    assert asked("get_market_structure", context(), symbol="BTCUSDT").summary["bar"] == "15m"

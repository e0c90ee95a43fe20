"""The market profile over stored minutes: by hand, developing, sessions, parts and composites, old names."""

from typing import Any

import pytest
from fixed_market import NOW
from paths import Minute, lines, ms, stored

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import MINUTE, MS
from orderflow.tools.answers import Answer, tokens
from orderflow.tools.context import Context
from orderflow.tools.forms import as_text

BINANCE, BYBIT = "binance_futures", "bybit_futures"


def traded(*minutes: tuple[float, ...]) -> list[Minute]:
    """Return minutes with trades of 1 coin at these prices: bought where the price is even."""
    return [[trade for (trade,) in lines(*prices)] for prices in minutes]


# Periods of two minutes, rows of 1:  15  ....E
#                                     14  ...DE
#                                     13  .BC.E
#                                     12  ABCD.
#                                     11  AB...
#                                     10  A....
PATH = traded((10, 11), (12,), (11,), (12, 13), (12,), (13,), (12,), (14,), (13,), (15, 14))
ONE = stored({BINANCE: PATH})
HERE: dict[str, Any] = {"symbol": "BTCUSDT", "since": ms(0, 10), "period": 2, "size": 1}


def asked(known: Context = ONE, /, tool: str = "orderflow_tpo", **arguments: Any) -> Answer:
    return tools.call(known, tool, {"max_tokens": 8_000, **arguments})


def rows(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def one(answer: Answer) -> dict[str, Any]:
    (row,) = rows(answer)
    return row


def test_a_profile_by_hand() -> None:
    answer = asked(**HERE)
    found = one(answer)
    assert (found["since"], found["until"], found["status"], found["known_pct"]) == (
        ms(0, 10), ms(10, 10), "completed", 100.0,
    )  # fmt: skip
    assert (found["open"], found["high"], found["low"], found["close"]) == (10.0, 15.0, 10.0, 14.0)
    # 1, 2, 4, 3, 2, 1 TPOs are 13, of which 70 % are 9.1: 4 of the POC, then 3 + 2 above, then 2 + 1 below
    assert (found["tpos"], found["poc"], found["val"], found["vah"]) == (13, 12.5, 10.0, 15.0)
    # a coin for each TPO, so volume says the same; 7 even prices (10, 12, 12, 12, 12, 14, 14) less 6 odd ones
    assert (found["volume"], found["delta"], found["vpoc"], found["vvah"]) == (13.0, 1.0, 12.5, 15.0)
    # A and B reached from 10 to 13, D and E 2 further up
    assert (found["ib_low"], found["ib_high"], found["ib_known"]) == (10.0, 13.0, ms(4, 10))
    assert (found["extension_up"], found["extension_down"]) == (2.0, 0.0)
    # B +1 +1, C 0 +1, D +1 0, E +1 +1; one side, and 5 is no more than twice 3
    assert (found["rotation"], found["day_type"]) == (6, "normal_variation")
    assert (found["selling_tail"], found["buying_tail"], found["poor_high"], found["poor_low"]) == (
        0,
        0,
        False,
        False,
    )
    # 13, 14 and 15 above; 10 and 11 below: bought 2 of the 6 and 1 of the 3
    assert (found["tpos_above"], found["tpos_below"]) == (6, 3)
    assert (found["delta_above"], found["delta_below"]) == (-2.0, -1.0)
    assert (answer.summary["size"], answer.summary["data_quality"]["grade"]) == (1, "complete")


def test_rows_have_their_letters_and_say_what_is_value() -> None:
    every = rows(asked(**HERE, view="rows", value_area_pct=50))
    assert [(row["price"], row["letters"]) for row in every] == [
        (15, "E"), (14, "DE"), (13, "BCE"), (12, "ABCD"), (11, "AB"), (10, "A"),
    ]  # fmt: skip
    # half of 13: 4 of the POC and 5 above
    assert [row["price"] for row in every if row["in_value"]] == [14, 13, 12]
    assert [row["price"] for row in every if row["in_volume_value"]] == [14, 13, 12]
    assert (every[3]["volume"], every[3]["delta"], every[3]["trades"]) == (4.0, 4.0, 4)


def test_periods_and_single_prints() -> None:
    every = rows(asked(**HERE, view="periods"))
    assert [(row["letter"], row["low"], row["high"], row["tpos"]) for row in every] == [
        ("E", 13.0, 15.0, 3), ("D", 12.0, 14.0, 2), ("C", 12.0, 13.0, 2), ("B", 11.0, 13.0, 3), ("A", 10.0, 12.0, 3),
    ]  # fmt: skip
    assert [row["since"] for row in every] == [ms(8 - 2 * at, 10) for at in range(5)]
    assert {row["status"] for row in every} == {"completed"}
    singles = rows(asked(**HERE, view="single_prints", tail=1))
    assert [(row["kind"], row["low"], row["high"], row["letters"], row["confirmed"]) for row in singles] == [
        ("selling tail", 15, 16, "E", False), ("buying tail", 10, 11, "A", True),
    ]  # fmt: skip
    assert asked(**HERE).more["single_prints"].rows[0][1] == "body"  # one print is no tail of two


def test_what_is_under_way_is_developing_and_looks_at_nothing_later() -> None:
    then = asked(**HERE, until=ms(3, 10))  # in the middle of B
    found = one(then)
    assert (found["status"], found["high"], found["tpos"], found["ib_known"]) == ("developing", 12.0, 4, None)
    assert then.summary["developing"] == ["window"]
    periods = rows(asked(**HERE, until=ms(3, 10), view="periods"))
    assert [(row["letter"], row["status"]) for row in periods] == [("B", "developing"), ("A", "completed")]


def test_sessions_of_a_day_by_their_hours() -> None:
    hours = "X=23:50-23:56,Y=23:56-24:00,Z=00:10-01:00"
    args: dict[str, Any] = {"symbol": "BTCUSDT", "sessions": hours, "period": 2, "size": 1}
    every = rows(asked(**args, date="2025-11-20"))
    assert [row["profile"] for row in every] == ["2025-11-20 Y", "2025-11-20 X", "2025-11-20 Z"]
    y, x, z = every
    # each begins with A anew: D and E of before, C and what is before it
    assert (y["tpos"], y["low"], y["high"]) == (5, 12.0, 15.0) and (x["tpos"], x["high"]) == (8, 13.0)
    assert (z["tpos"], z["volume"], z["known_pct"]) == (0, None, 0.0)  # nobody collected
    assert [row["letters"] for row in rows(asked(**args, date="2025-11-20", session="Y", view="rows"))] == [
        "B", "AB", "B", "A",
    ]  # fmt: skip
    # at midnight no session of today has begun: those of yesterday are meant
    assert rows(asked(**args)) == every
    whole = asked(**args, date="2025-11-20", session="day")
    assert one(whole)["profile"] == "2025-11-20 day" and one(whole)["tpos"] == 13


def test_sessions_can_be_put_together_and_taken_apart() -> None:
    hours: dict[str, Any] = {
        "symbol": "BTCUSDT", "sessions": "X=23:50-23:56,Y=23:56-24:00", "period": 2, "size": 1, "date": "2025-11-20",
    }  # fmt: skip
    both = one(asked(**hours, merge=True))
    alone = one(asked(**HERE))
    for name in ("tpos", "poc", "vah", "val", "volume", "vpoc", "high", "low"):
        assert both[name] == alone[name], name
    assert (both["profile"], both["ib_high"], both["rotation"], both["day_type"]) == (
        "composite",
        None,
        None,
        None,
    )
    parts = rows(asked(**HERE, split=["D"]))
    assert [(row["profile"], row["tpos"], row["since"], row["until"]) for row in parts] == [
        ("window D", 5, ms(6, 10), ms(10, 10)), ("window A", 8, ms(0, 10), ms(6, 10)),
    ]  # fmt: skip
    with pytest.raises(InvalidArgument) as caught:
        asked(**HERE, split=["Q"])
    assert caught.value.hint == "B to E"


def test_venues_are_summed_and_extremes_are_those_of_any() -> None:
    other = [[(price + 1, size) for price, size in minute] for minute in PATH]
    known = stored({BINANCE: PATH, BYBIT: other})
    found = one(asked(known, **HERE, venues=[BINANCE, BYBIT]))
    # 10 A, 11 AB, 12 ABCD, 13 ABCDE, 14 BCDE, 15 DE, 16 E; of E also 13 + 1
    assert (found["low"], found["high"], found["volume"]) == (10.0, 16.0, 26.0)
    assert found["ib_high"] == 14.0
    assert one(asked(known, **HERE))["high"] == 16.0  # left out, the one with more quote volume


def test_a_gap_lowers_what_is_known_and_nothing_is_filled_in() -> None:
    path = [*PATH[:4], [], *PATH[5:]]
    answer = asked(stored({BINANCE: path}, lost=[4]), **HERE)
    found = one(answer)
    assert (found["known_pct"], found["tpos"]) == (90.0, 12)
    assert answer.summary["data_quality"]["minutes"]["missing"] == 1


def test_the_usual_step_makes_a_legible_profile() -> None:
    known = stored({BINANCE: lines(*(1_000 + 7 * at for at in range(60)))})
    answer = asked(known, symbol="BTCUSDT", since="-1h", view="rows")
    # 413 units in at most 60 rows: the next of 1, 2 and 5 is 10
    assert answer.summary["size"] == 10 and len(answer.rows) == 42


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"since": "now"}, "since=-4h"),
        ({"date": "yesterday"}, "date=2025-11-20"),
        ({"session": "Q"}, "all, day, A, L, N, E"),
        ({"sessions": "A=9-5"}, "HH:MM"),
        ({"zone": "Mars"}, "UTC"),
        ({"period": 0}, "at least 1"),
        ({"value_area": 0}, "value_area"),
        ({"view": "all"}, "profiles | rows"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        asked(symbol="BTCUSDT", **wrong)
    assert said in caught.value.hint


def test_a_day_without_trades_says_what_there_is() -> None:
    with pytest.raises(NoData) as caught:
        asked(symbol="BTCUSDT", date="2025-11-01")
    assert "2025-11-20" in caught.value.hint
    with pytest.raises(NoData, match="begun"):
        asked(symbol="BTCUSDT", date="2025-11-25")


def test_a_long_answer_keeps_its_budget() -> None:
    known = stored({BINANCE: lines(*(100 + 13 * at % 97 for at in range(600)))})
    for view in ("profiles", "rows", "periods", "single_prints"):
        answer = asked(known, symbol="BTCUSDT", since="-10h", period=10, size=1, view=view, max_tokens=2_000)
        assert tokens(as_text(answer)) <= 2_000


def test_the_old_name_answers_with_its_parameters() -> None:
    args: dict[str, Any] = {"symbol": "BTCUSDT", "date": "2025-11-20", "session": "E"}
    old = asked(
        tool="get_tpo_profile", **args, periodMinutes=2, tickSize=1, valueAreaPercent=50, useVolumeForVA=True,
        includePeriodProfiles=True, includeSinglePrints=True, tailMinLength=1, ibPeriods=3,
    )  # fmt: skip
    new = asked(**args, period=2, size=1, value_area_pct=50, tail=1, balance=3)
    assert old.rows == new.rows and old.columns == new.columns
    levels = asked(
        tool="get_tpo_profile", **args, periodMinutes=2, tickSize=1, includeLevels="true", maxLevels=3
    )
    assert [row[1] for row in levels.rows] == [15, 14, 13]
    assert levels.columns[1:3] == ["price", "letters"] and len(levels.rows) == 3
    full = asked(tool="get_tpo_profile", **args, periodMinutes=2, tickSize=1, singlePrintsMode="full")
    assert "confirmed" in full.columns


def test_pages_are_of_one_moment_however_late_the_next_is_asked() -> None:
    first = asked(symbol="BTCUSDT", period=2, size=1, view="rows", limit=2)
    later = type(ONE)(**{**ONE.__dict__, "clock": lambda: NOW + 30 * MINUTE})
    second = tools.call(later, "orderflow_tpo", {"next": first.meta.next, "max_tokens": 8_000})
    assert first.meta.window is not None and second.meta.window == first.meta.window
    assert first.meta.window.until == NOW // MS
    assert first.rows + second.rows == asked(symbol="BTCUSDT", period=2, size=1, view="rows").rows[:4]

"""Key levels over four days of a few trades, by hand: what each period leaves, and what came back to it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import duckdb
import pytest
from fixed_market import NOW, FakeLatest, context, quote

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import DAY, HOUR, MINUTE, MS, Nanos
from orderflow.store import runs, tables
from orderflow.store.reader import Reader
from orderflow.tools.answers import Answer
from orderflow.tools.context import Context

TODAY = NOW  # 21 November 2025, a Friday
NOON = TODAY + 12 * HOUR

# (hours after today's midnight, price, size, whether the taker bought)
TRADES: Sequence[tuple[float, float, float, bool]] = (
    (-60, 101.0, 1.0, True),  # the 18th: POC at 101
    (-38, 90.0, 5.0, True),  # the 19th: POC at 90, which nothing meets again
    (-37, 95.0, 1.0, False),
    (-14, 100.0, 3.0, False),  # the 20th, 10:00
    (-13, 104.0, 1.0, True),
    (8, 104.5, 1.0, True),  # the 21st
    (9, 101.0, 2.0, True),
)
# (days after today's midnight, high, low) of candles of an hour
CANDLES = ((-37, 150.0, 70.0), (-9, 120.0, 80.0), (-4, 121.0, 99.0))


@lru_cache(maxsize=1)
def stored() -> Reader:
    connection = duckdb.connect()
    tables.create(connection, ["BTCUSDT"])
    run = runs.begin(connection, "live", "few", started=TODAY - 40 * DAY, ended=NOON)
    named = "venue, symbol, id, timestamp, received, clock, source, run"
    for number, (hours, price, size, bought) in enumerate(TRADES, 1):
        at = (TODAY + round(hours * HOUR)) // 1_000
        connection.execute(
            f"INSERT INTO trades_hot ({named}, trade_id, price, quantity, value, side, is_buyer_maker, count)"
            " VALUES ('binance_futures', 'BTCUSDT', $1, make_timestamp($2), make_timestamp($2), 'venue', 'live', $3,"
            " $1, $4, $5, $4 * $5, $6, $7, 1)",
            [number, at, run.id, price, size, "buy" if bought else "sell", not bought],
        )
    for number, (days, high, low) in enumerate(CANDLES, 1):
        at = (TODAY + days * DAY) // 1_000
        connection.execute(
            f"INSERT INTO candles_hot ({named}, interval, open_time, close_time, open, high, low, close, closed)"
            " VALUES ('binance_futures', 'BTCUSDT', $1, make_timestamp($2 + 3600000000), make_timestamp($2 + 3600000000),"
            " 'venue', 'live', $3, '1h', make_timestamp($2), make_timestamp($2 + 3600000000), $4, $4, $5, $5, true)",
            [number, at, run.id, high, low],
        )
    return Reader(connection)


def at(now: Nanos) -> Context:
    known = context(FakeLatest(quotes=[quote("binance_futures", 1.0, 2.0)], kind="live"))
    return type(known)(**{**known.__dict__, "history": stored(), "clock": lambda: now})


def asked(now: Nanos = NOON, /, **arguments: Any) -> Answer:
    given = {"symbol": "BTCUSDT", "size": 1, "max_tokens": 8_000, **arguments}
    return tools.call(at(now), "orderflow_key_levels", given)


def by_name(answer: Answer) -> dict[str, dict[str, Any]]:
    return {row[0]: dict(zip(answer.columns, row, strict=True)) for row in answer.rows}


def test_what_a_day_leaves_by_hand() -> None:
    found = by_name(asked())
    # 3 coins at 100 and 1 at 104: 404 / 4
    vwap = found["pdVWAP"]
    assert (vwap["price"], vwap["kind"], vwap["period"], vwap["status"]) == (
        101.0, "vwap", "2025-11-20", "completed",
    )  # fmt: skip
    # the deviation is √((3 × 1 + 1 × 9) / 4) = √3
    assert found["pdVWAP+1"]["price"] == pytest.approx(101 + 3**0.5)
    assert found["pdVWAP-2"]["price"] == pytest.approx(101 - 2 * 3**0.5)
    assert (found["pdH"]["price"], found["pdL"]["price"]) == (104.0, 100.0)
    # bins of 1: the POC is [100, 101), told by its centre, and has 75 %: it is the whole value area
    assert [found[name]["price"] for name in ("pdPOC", "pdVAH", "pdVAL")] == [100.5, 101.0, 100.0]
    # today 1 coin at 104.5 and 2 at 101, so far
    assert found["dVWAP"]["price"] == pytest.approx(306.5 / 3)
    assert (found["dH"]["price"], found["dL"]["price"], found["dPOC"]["price"]) == (104.5, 101.0, 101.5)
    assert found["dH"]["status"] == "developing"


def test_a_level_is_touched_by_a_bar_that_holds_it_and_not_by_a_jump_across() -> None:
    found = by_name(asked())
    nine = (TODAY + 9 * HOUR) // MS
    assert (found["pdVWAP"]["touched"], found["pdVWAP"]["touched_time"]) == (True, nine)
    assert (found["pdH"]["touched"], found["pdH"]["touched_time"]) == (False, None)  # 104.5, then 101
    assert found["pdPOC"]["touched"] is False  # nothing within [100, 101)
    assert found["dL"]["touched"] is None  # it develops
    # at 8:30 nothing had come back yet
    assert by_name(asked(TODAY + 8 * HOUR + 30 * MINUTE))["pdVWAP"]["touched"] is False


def test_the_pocs_of_days_before_are_told_while_they_are_naked() -> None:
    found = by_name(asked())
    assert {name: row["price"] for name, row in found.items() if row["kind"] == "naked_poc"} == {
        "nPOC_2025-11-19": 90.5
    }
    # that of the 18th was naked until 9:00
    earlier = by_name(asked(TODAY + 8 * HOUR + 30 * MINUTE))
    assert "nPOC_2025-11-18" in earlier
    assert not [name for name in by_name(asked(naked_days=0)) if name.startswith("nPOC")]


def test_rows_are_by_distance_from_the_last_price() -> None:
    answer = asked()
    assert answer.summary["close"] == 101.0
    away = [abs(row["distance"]) for row in by_name(answer).values()]
    assert away == sorted(away)
    high = by_name(answer)["pdH"]
    assert (high["distance"], high["distance_bps"]) == (3.0, 297.03)  # 3 / 101


def test_the_flat_map_says_which_sessions_are_those_of_the_day_before() -> None:
    answer = asked()
    flat = answer.summary["flat"]
    # L, 6:00 to 12:00: today 104.5 to 101, yesterday 100 at 10:00 and 104 at 11:00
    assert (flat["LH"], flat["LL"], flat["LH_y"], flat["LL_y"]) == (104.5, 101.0, 104.0, 100.0)
    assert answer.summary["of_the_day_before"] == []
    morning = asked(TODAY + 5 * HOUR).summary
    assert (morning["flat"]["LH"], morning["of_the_day_before"]) == (104.0, ["LH", "LL"])
    assert not [name for name in flat if "VWAP+" in name]
    assert {flat[name] for name in ("pdH", "dPOC")} == {104.0, 101.5}


def test_week_and_month_come_from_candles() -> None:
    found = by_name(asked())
    assert (found["pwH"]["price"], found["pwL"]["price"], found["pwH"]["period"]) == (120.0, 80.0, "2025-W46")
    # the candle of the 17th reached from 99 to 121
    assert found["pwH"]["touched_time"] == (TODAY - 4 * DAY) // MS
    assert found["pwL"]["touched"] is False
    assert (found["pmH"]["price"], found["pmL"]["price"], found["pmH"]["period"]) == (150.0, 70.0, "2025-10")
    assert found["pmH"]["source"] == "candles"
    # collecting began 40 days before the 21st, on 12 October
    assert (found["pwH"]["coverage_pct"], found["pmH"]["coverage_pct"]) == (100.0, round(100 * 20 / 31, 2))


def test_without_candles_it_says_what_would_tell() -> None:
    answer = asked(longer="trades")
    assert "no trades of 2025-W46" in answer.summary["unavailable"]["pw"]
    assert "pwH" not in by_name(answer)
    assert asked(longer="none").summary["unavailable"] == {}


def test_a_past_day_is_told_as_it_stood_at_its_end() -> None:
    answer = asked(date="2025-11-20")
    found = by_name(answer)
    assert answer.summary["close"] == 104.0
    assert (found["dH"]["price"], found["dH"]["status"]) == (104.0, "completed")
    assert answer.meta.window is not None and answer.meta.window.until == TODAY // MS
    # the 18th's POC was naked then: 101 came back on the 21st
    assert "nPOC_2025-11-18" in found


def test_days_go_by_the_clock_of_a_zone() -> None:
    # in New York midnight is 5:00 UTC: the trades of the 20th, 10:00 and 11:00 UTC, are its morning
    found = by_name(asked(zone="America/New_York", sessions="RTH=05:00-05:30,ETH=06:00-05:00"))
    assert (found["RTHH_y"]["price"], found["RTHL_y"]["price"]) == (100.0, 100.0)
    assert found["ETHH_y"]["price"] == 104.5  # 11:00 to 10:00 of the next day holds today's, too
    assert found["ETHH_y"]["status"] == "completed"
    assert found["pdVWAP"]["price"] == 101.0


def test_nothing_is_invented_for_a_day_that_is_not_stored() -> None:
    with pytest.raises(NoData) as caught:
        asked(date="2025-11-14")
    assert "2025-11-18" in caught.value.hint
    with pytest.raises(InvalidArgument, match="has not begun"):
        asked(date="2025-11-22")
    with pytest.raises(InvalidArgument, match="naked_days"):
        asked(naked_days=31)

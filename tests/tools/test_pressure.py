"""Pressure over a small market: OFI and imbalance by hand, and a microprice that knows the past alone."""

from typing import Any

import numpy as np
import pytest
from fixed_books import BEGAN, Stored, stored
from fixed_market import context

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import MS
from orderflow.tools.answers import Answer, tokens
from orderflow.tools.forms import as_text

BEGIN = BEGAN // MS


def asked(market: Stored | None = None, /, **arguments: Any) -> Answer:
    given = {"symbol": "BTCUSDT", "since": "-1h", "max_tokens": 8_000, **arguments}
    return tools.call(context() if market is None else market.context(), "orderflow_pressure", given)


def rows(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def now(answer: Answer) -> dict[str, Any]:
    table = answer.more["now"]
    return dict(zip(table.columns, table.rows[0], strict=True))


def circling(seconds: int) -> Stored:
    """Return a book of a second each: balanced at 100, heavy with bids, balanced at 101, heavy with asks, and again."""
    market = stored()
    for second in range(seconds):
        mid, (bid, ask) = 100.0 + second % 4 // 2, ((5, 5), (9, 1), (5, 5), (1, 9))[second % 4]
        market.book(second, [(mid - 0.5, bid)], [(mid + 0.5, ask)])
    return market


def test_ofi_and_imbalance_by_hand() -> None:
    market = stored()
    market.book(0, [(99, 3), (98, 1)], [(101, 5), (102, 1)])
    market.book(10, [(99, 5), (98, 1)], [(101, 4), (102, 1)])  # 2 bids more, 1 ask fewer: +3
    market.book(40, [(99.5, 2), (99, 5)], [(101, 4), (102, 1)])  # a better bid of 2: +2
    market.book(70, [(99, 5), (98, 1)], [(101, 8), (102, 1)])  # that bid gone: −2; 4 asks more: −4
    second, first = rows(asked(market, since=BEGIN, until=BEGIN + 120_000, bar="1m", levels=2))
    assert (first["ofi"], first["events"], first["unknown_events"]) == (5.0, 2, 1)
    assert (second["ofi"], second["events"]) == (-6.0, 1)
    # second level: in minute 0 nothing, then bids 5 at a better price: +5; in minute 1 those gone: −5
    assert (first["ofi_levels"], second["ofi_levels"]) == (10.0, -11.0)
    # (3 − 5)/8 for 10 s, (5 − 4)/9 for 30 s, (2 − 4)/6 for 20 s
    assert first["imbalance"] == pytest.approx((-0.25 * 10 + 30 / 9 - 20 / 3) / 60)
    # two levels: (4 − 6)/10, (6 − 5)/11, (7 − 5)/12
    assert first["imbalance_levels"] == pytest.approx((-0.2 * 10 + 30 / 11 + 20 / 6) / 60)
    assert (first["mid"], second["mid"]) == (100.25, 100.0)


def test_the_book_now_has_its_weighted_mid() -> None:
    market = stored()
    market.book(0, [(99, 3)], [(101, 1)])
    found = now(asked(market, since=BEGIN, until=BEGIN + 60_000, levels=1))
    # the mid is drawn to the thinner side: 100 + 0.5 × 1
    assert (found["mid"], found["weighted_mid"], found["imbalance"]) == (100.0, 100.5, 0.5)
    assert (found["time"], found["spread_bps"]) == (BEGIN, 200.0)
    assert found["microprice"] is None


def test_the_microprice_is_estimated_of_the_time_before_the_window_alone() -> None:
    market = circling(1_000)
    window = {"since": BEGIN + 900_000, "until": BEGIN + 1_000_000, "bar": "10s", "levels": 1}
    answer = asked(market, **window)
    assert "estimated from 899 changes" in answer.summary["microprice"]["binance_futures"]
    found = now(answer)
    # the last book is heavy with asks at 101; each such one was followed by a balanced one at 100, of which
    # nothing more is to be expected
    assert found["mid"] == 101.0 and found["microprice"] == pytest.approx(100.0)
    for second in range(1_000, 1_050):  # what comes later, and goes up alone, changes nothing of it
        market.book(second, [(200.0 + second, 1)], [(201.0 + second, 9)])
    after = asked(market, **window)
    assert after.rows == answer.rows and after.summary == answer.summary


def test_without_a_past_the_microprice_is_unknown_and_says_why() -> None:
    answer = asked(since="-1h")
    assert (
        "unknown: no books are stored of the time before" in answer.summary["microprice"]["binance_futures"]
    )
    assert all(row["microprice_bps"] is None for row in rows(answer))


def test_a_change_across_a_gap_is_no_event() -> None:
    market = stored()
    for second, bid in ((0, 1), (10, 2), (30, 7), (40, 8)):
        market.book(second, [(99, bid)], [(101, 1)])
    market.gap(15, 25)
    (row,) = rows(asked(market, since=BEGIN, until=BEGIN + 60_000, bar="1m", levels=1))
    assert (row["ofi"], row["events"], row["unknown_events"]) == (2.0, 2, 2)


def test_flows_of_venues_are_added_and_their_states_averaged() -> None:
    one, two, both = (
        rows(asked(venues=venues, bar="5m", levels=3))[3]
        for venues in (["binance_futures"], ["bybit_futures"], ["binance_futures", "bybit_futures"])
    )
    assert both["ofi"] == one["ofi"] + two["ofi"] and both["events"] == one["events"] + two["events"]
    assert both["imbalance"] == pytest.approx(np.mean([one["imbalance"], two["imbalance"]]))


def test_the_fixed_hour_by_hand() -> None:
    answer = asked(bar="5m", levels=3)
    # each minute the bid is a step better (1 coin) and the ask is gone (2 coins): 3 a minute
    assert rows(answer)[0]["ofi"] == 15.0
    assert answer.summary["whole_window"]["ofi"] == 59 * 3.0  # the first minute has none before it
    assert answer.summary["data_quality"]["grade"] == "complete"


def test_the_budget_holds_and_bad_questions_are_refused() -> None:
    assert tokens(as_text(asked(max_tokens=800))) <= 800
    with pytest.raises(InvalidArgument, match="bars are more than") as raised:
        asked(bar="1s")
    assert raised.value.hint is not None and "bar=10s" in raised.value.hint
    with pytest.raises(InvalidArgument):
        asked(levels=11)
    with pytest.raises(NoData, match="orderbooks"):
        asked(since="-5h", until="-4h")

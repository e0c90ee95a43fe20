"""Market structure, drawn: what is in the picture is what the numbers say, and what is unknown is hatched."""

from typing import Any

import numpy as np
import pytest
from fixed_market import NOW
from paths import lines, ms, stored

from orderflow import tools
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import MINUTE, MS, SECOND
from orderflow.tools import chart_structure
from orderflow.tools.answers import Answer
from orderflow.tools.closed_bars import closed_bars
from orderflow.tools.context import Context
from orderflow.tools.spec import Ask
from orderflow.tools.structure import seen

BINANCE = "binance_futures"
#             0   1   2   3   4   5   6   7   8  9  10
PATH = lines(10, 14, 12, 16, 13, 18, 11, 12, 9, 10, 13)
ONE = stored({BINANCE: PATH})
ARGS: dict[str, Any] = {"symbol": "BTCUSDT", "since": ms(0, 11), "bar": "1m", "external": 1, "hold_bars": 0}


def asked(known: Context = ONE, /, tool: str = "chart_structure", **arguments: Any) -> Answer:
    return tools.call(known, tool, {"max_tokens": 8_000, **ARGS, **arguments})


def test_the_rows_are_those_of_the_numbers() -> None:
    drawn, told = asked(), asked(tool="orderflow_structure", scale="external")
    assert drawn.rows == told.rows and drawn.columns == told.columns
    assert drawn.summary == told.summary


def test_it_is_told_in_a_sentence() -> None:
    picture = asked().picture
    assert picture is not None
    # the numbers of tests/tools/test_structure.py
    assert "(+30.00 %), trend down, 8 swings, 3 BOS and 2 CHoCH of which 0 failed" in picture.alt
    assert "the last of them CHoCH up at 12" in picture.alt


def test_what_is_drawn_by_hand() -> None:
    ask = Ask(context=ONE, catalogue=tools.ALL, tool="chart_structure", now=NOW)
    of = closed_bars(ask, "BTCUSDT", None, str(ms(0, 11)), str(ms(11, 11)), "1m", 1)
    (found,) = seen(of, None, 1, None, "external", "close", 0, 0.0)
    swings = chart_structure._swings(found)
    assert swings.label == ["H", "L", "HH", "HL", "HH", "LL", "LH", "LL"]
    assert np.array_equal(swings.time // MS, [ms(bar, 11) for bar in range(1, 9)])
    first = chart_structure._breaks(found)[0]
    assert (first.kind, first.up, first.price) == ("BOS", True, 14.0)
    assert (first.begin // MS, first.until // MS) == (ms(1, 11), ms(3, 11))
    levels = chart_structure._levels(of, found)
    # 14 was swept by the bar of minute 3; 18 and 9 stand
    assert levels[0].swept == NOW - 8 * MINUTE
    assert [one.price for one in levels if one.swept is None] == [18.0, 9.0]


def test_a_break_that_failed_is_named_so() -> None:
    known = stored({BINANCE: lines(10, 14, 12, 11, 15, 13, 16)})
    ask = Ask(context=known, catalogue=tools.ALL, tool="chart_structure", now=NOW)
    of = closed_bars(ask, "BTCUSDT", None, None, "now", "1m", 7)
    (found,) = seen(of, None, 1, None, "external", "close", 3, 0.0)
    assert [one.kind for one in chart_structure._breaks(found)] == ["BOS failed", "BOS"]


def test_the_same_question_draws_the_same_bytes_and_a_gap_others() -> None:
    first, second = asked().picture, asked().picture
    assert first is not None and first == second
    lost = asked(stored({BINANCE: [*PATH[:5], [], *PATH[6:]]}, lost=[5])).picture
    quiet = asked(stored({BINANCE: [*PATH[:5], [], *PATH[6:]]})).picture
    assert lost is not None and quiet is not None and lost.png != quiet.png
    assert "1 gap" in lost.alt and "no gaps" in quiet.alt


def test_the_running_bar_is_drawn_and_noted_and_breaks_nothing() -> None:
    known = stored({BINANCE: [*PATH, [(99.0, 1.0)]]})
    answer = asked(known, since=ms(0, 12), until=(NOW - 20 * SECOND) // MS)
    assert answer.summary["developing"]["high"] == 99.0
    assert all(row[5] < 99.0 for row in answer.rows)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="too many"):
        asked(since="-10d")
    with pytest.raises(InvalidArgument, match="internal"):
        asked(internal=3, external=3)
    with pytest.raises(NoData):
        asked(since="2025-11-01", until="2025-11-01T01:00:00Z")

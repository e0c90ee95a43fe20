"""What the order-flow tools share: venues that are meant, steps, rows as columns, and the block of quality."""

import numpy as np
from fixed_market import NOW, context, history
from hypothesis import given
from hypothesis import strategies as st

from orderflow import tools
from orderflow.market.events import HOUR, MINUTE
from orderflow.store.bar import bar
from orderflow.tools.orderflow import bars_of, cells_of, most_traded, received, traded_in
from orderflow.tools.quality import heard, minutes, quality
from orderflow.tools.spec import Ask


def ask() -> Ask:
    return Ask(context=context(), catalogue=tools.ALL, tool="orderflow_footprint", now=NOW)


def test_without_venues_the_one_is_meant_on_which_most_was_traded() -> None:
    asked = traded_in(ask(), "BTCUSDT", None, "-1h", "now")
    value = {
        row["venue"]: row["quote_volume"] for row in history().flow("BTCUSDT", None, NOW - HOUR, NOW).rows()
    }
    assert asked.venues == [max(value, key=lambda one: value[one])] == [most_traded(ask(), asked)]


def test_cells_of_venues_are_added_up_and_hold_what_their_bars_hold() -> None:
    window = ("BTCUSDT", None, "1m", NOW - HOUR, NOW)
    found, bars = history().cells(*window, 0.5), history().flow_bars(*window)
    every = cells_of(found)
    assert len(set(zip(every.bar.tolist(), every.level.tolist(), strict=True))) == len(every.bar)
    parts = [cells_of(found, [one]) for one in heard(found)]
    assert np.isclose(every.volume.sum(), sum(one.volume.sum() for one in parts))
    for venue, part in zip(heard(found), parts, strict=True):
        of = bars_of(bars, bar("1m"), venue)
        assert np.isclose(part.delta.sum(), of.delta.sum()) and set(part.bar) == set(of.bar)
        assert np.array_equal(of.end - of.start, np.full(len(of.start), MINUTE))


def test_quality_counts_minutes_and_grades() -> None:
    found = history().cells("BTCUSDT", None, "1m", NOW - HOUR, NOW, 0.5)
    block = quality(found, "cells 1")
    counted = block["minutes"]
    assert counted["expected"] == 60 == counted["complete"] + counted["partial"] + counted["missing"]
    assert block["grade"] in ("complete", "good", "partial", "poor") and block["algorithm"] == "cells 1"
    whole = received(found, heard(found), np.arange(NOW - HOUR, NOW, MINUTE, dtype=np.int64), MINUTE)
    assert int(whole.sum()) == counted["complete"]


stretches = st.lists(st.integers(0, 600), min_size=0, max_size=8, unique=True).map(
    lambda every: [(a, b) for a, b in zip(sorted(every)[::2], sorted(every)[1::2], strict=False)]
)


@given(stretches)
def test_minutes_are_those_of_a_count_second_by_second(missing: list[tuple[int, int]]) -> None:
    second = MINUTE // 60
    lost = [any(begin <= at < end for begin, end in missing) for at in range(600)]
    each = [lost[at : at + 60] for at in range(0, 600, 60)]
    found = minutes(0, 10 * MINUTE, [(begin * second, end * second) for begin, end in missing])
    assert found.missing == sum(all(one) for one in each)
    assert found.partial == sum(any(one) and not all(one) for one in each)

"""Cells and bars of order flow as the store sums them: by hand, and as the pure functions find them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderflow.flow.cells import cells
from orderflow.flow.levels import levels
from orderflow.market.errors import InvalidArgument, NoData, TooLarge
from orderflow.market.events import MINUTE, SECOND
from orderflow.store.cells import tape
from orderflow.store.reader import Reader
from tests.store.conftest import T0
from tests.store.test_bars import Fill, put

VENUE = "binance_spot"
UNTIL = T0 + 3_600 * SECOND


@pytest.fixture
def filled(emptied: Any) -> Any:
    return emptied


def reader(filled: Any) -> Reader:
    return Reader(filled.connection)


def test_a_minute_by_hand(filled: Any) -> None:
    put(
        filled,
        [
            Fill(0, 100.4, 1.0, False),  # bought at level 100
            Fill(1_000, 100.9, 2.0, True),  # sold at level 100
            Fill(2_000, 101.0, 4.0, False),  # bought at level 101
            Fill(61_000, 101.5, 8.0, True),  # sold in the next minute
        ],
    )
    found = reader(filled).cells("BTCUSDT", [VENUE], "1m", T0, UNTIL, 1.0)
    assert [number - T0 // MINUTE for number in found["bar"]] == [0, 0, 1]
    assert list(found["level"]) == [100, 101, 101]
    assert list(found["buy"]) == [1.0, 4.0, 0.0]
    assert list(found["sell"]) == [2.0, 0.0, 8.0]
    assert list(found["buy_quote"]) == [100.4, 404.0, 0.0]  # 1 × 100.4, 4 × 101
    assert list(found["sell_quote"]) == [201.8, 0.0, 812.0]  # 2 × 100.9, 8 × 101.5
    assert list(found["trades"]) == [2, 1, 1]


def test_how_far_delta_ran_by_hand(filled: Any) -> None:
    # delta runs 0 → +1 → −1 → +3 → +2: it was never higher than 3 or lower than −1
    put(
        filled,
        [
            Fill(0, 100.0, 1.0, False),
            Fill(1, 99.0, 2.0, True),
            Fill(2, 102.0, 4.0, False),
            Fill(3, 101.0, 1.0, True),
        ],
    )
    (row,) = reader(filled).flow_bars("BTCUSDT", [VENUE], "1m", T0, UNTIL).rows()
    assert (row["open"], row["high"], row["low"], row["close"]) == (100.0, 102.0, 99.0, 101.0)
    assert (row["delta_high"], row["delta_low"]) == (3.0, -1.0)
    # in quote units: +100, −198 → −98, +408 → 310, −101 → 209
    assert (row["delta_high_quote"], row["delta_low_quote"]) == (310.0, -98.0)
    assert (row["high_time"] - T0, row["low_time"] - T0) == (2_000_000, 1_000_000)
    assert (row["buy"], row["sell"], row["trades"]) == (5.0, 3.0, 4)


def test_delta_that_never_rose_above_nothing_has_nothing_as_its_high(filled: Any) -> None:
    put(filled, [Fill(0, 100.0, 1.0, True)])
    (row,) = reader(filled).flow_bars("BTCUSDT", [VENUE], "1m", T0, UNTIL).rows()
    assert (row["delta_high"], row["delta_low"]) == (0.0, -1.0)


def test_volume_whose_taker_is_unknown_is_on_neither_side(filled: Any) -> None:
    put(filled, [Fill(0, 100.0, 1.0, True), Fill(1, 100.0, 2.0, None)])  # type: ignore[arg-type]
    (row,) = reader(filled).cells("BTCUSDT", [VENUE], "1m", T0, UNTIL, 1.0).rows()
    assert (row["buy"], row["sell"], row["unsided"], row["trades"]) == (0.0, 1.0, 2.0, 2)


def test_the_tape_is_in_order_with_sides_and_no_longer_than_is_read(filled: Any) -> None:
    put(filled, [Fill(5, 101.0, 2.0, True), Fill(0, 100.0, 1.0, False), Fill(9, 100.0, 1.0, None)])  # type: ignore[arg-type]
    found = reader(filled).tape("BTCUSDT", None, T0, UNTIL)
    assert [(row["price"], row["value"], row["side"], row["count"]) for row in found.rows()] == [
        (100.0, 100.0, 1, 1), (101.0, 202.0, -1, 1), (100.0, 100.0, 0, 1),
    ]  # fmt: skip
    session = reader(filled)._session
    assert len(tape(session, "BTCUSDT", None, T0, UNTIL, most=3)) == 3
    with pytest.raises(TooLarge, match="more than 2 trades") as raised:
        tape(session, "BTCUSDT", None, T0, UNTIL, most=2)
    assert "shorter window" in raised.value.hint


@pytest.mark.parametrize("step", [0.0, -1.0, float("nan")])
def test_a_step_that_is_none_is_refused(filled: Any, step: float) -> None:
    with pytest.raises(InvalidArgument, match="no step"):
        reader(filled).cells("BTCUSDT", [VENUE], "1m", T0, UNTIL, step)


def test_a_window_without_trades_is_an_error_with_the_range_that_there_is(filled: Any) -> None:
    put(filled, [Fill(0, 100.0, 1.0, True)])
    with pytest.raises(NoData) as raised:
        reader(filled).cells("BTCUSDT", [VENUE], "1m", T0 + MINUTE, UNTIL, 1.0)
    assert raised.value.hint is not None and "stored are rows from 2025-11-21T00:00:00" in raised.value.hint


fills = st.lists(
    st.builds(
        Fill,
        st.integers(0, 300_000),
        st.integers(9_990, 10_010).map(lambda ticks: ticks / 100),
        st.integers(1, 64).map(lambda sixteenths: sixteenths / 16),
        st.booleans(),
    ),
    min_size=1,
    max_size=60,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(fills, st.sampled_from([0.01, 0.05, 0.1]))
def test_the_store_sums_as_the_pure_function_does(filled: Any, told: list[Fill], step: float) -> None:
    filled.clear()
    put(filled, told)
    found = reader(filled).cells("BTCUSDT", [VENUE], "1m", T0, UNTIL, step)
    price = np.array([one.price for one in told])
    expected = cells(
        np.array([T0 // MINUTE + one.ms // 60_000 for one in told]),
        levels(price, step),
        np.array([one.size for one in told], dtype=np.float64),
        price,
        np.array([not one.sold for one in told]),
    )
    for name, column in expected._asdict().items():
        np.testing.assert_allclose(np.asarray(found[name]), column, rtol=1e-12, err_msg=name)

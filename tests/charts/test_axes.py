"""Times, prices and amounts beside an axis: by hand, and for any range."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.charts.axes import amount, length, price_text, price_ticks, time_ticks, window
from orderflow.flow.levels import round_step
from orderflow.market.events import DAY, HOUR, MINUTE, MS, SECOND
from tests.charts.market import T0


def test_times_are_utc_and_a_days_first_says_the_day() -> None:
    # 21 November 2026, 08:00 UTC, is a Saturday; the next Monday is the 23rd
    assert [tick.label for tick in time_ticks(T0, T0 + 20 * MINUTE, 4)] == ["08:00", "08:10", "08:20"]
    assert [tick.label for tick in time_ticks(T0, T0 + 24 * HOUR, 3)] == ["12:00", "22 Nov"]
    assert [tick.label for tick in time_ticks(T0, T0 + 20 * DAY, 3)] == ["23 Nov", "30 Nov", "7 Dec"]
    assert [tick.label for tick in time_ticks(T0, T0 + 2 * SECOND, 4)][:2] == ["08:00:00", "08:00:01"]
    assert [tick.label for tick in time_ticks(T0, T0 + 200 * MS, 3)] == [
        "08:00:00.000", "08:00:00.100", "08:00:00.200",
    ]  # fmt: skip
    assert len(time_ticks(T0, T0 + 40_000 * DAY, 5)) <= 5


@given(st.integers(0, 10**10), st.integers(1, 10**19), st.integers(1, 12))
def test_no_more_times_than_have_room_and_all_within(second: int, span: int, most: int) -> None:
    since = second * SECOND
    ticks = time_ticks(since, min(since + span, 2**62), most)
    assert len(ticks) <= most + 1
    assert all(since <= tick.at <= since + span for tick in ticks)
    assert [tick.at for tick in ticks] == sorted({tick.at for tick in ticks})


def test_a_window_says_its_day_once_and_its_times_as_exactly_as_they_are() -> None:
    assert window(T0, T0 + HOUR) == "21 Nov 2026 08:00 – 09:00 UTC"
    assert window(T0, T0 + DAY) == "21 Nov 2026 08:00 – 22 Nov 2026 08:00 UTC"
    assert window(T0 + 5 * MS, T0 + SECOND) == "21 Nov 2026 08:00:00.005 – 08:00:01.000 UTC"
    assert length(61 * SECOND) == "1 min 1 s"


prices = st.floats(1e-10, 1e10)


@given(prices, st.floats(1e-4, 1.0), st.integers(1, 20), st.sampled_from([None, 0.1, 0.25, 7.0, 1e-12]))
def test_prices_are_round_within_and_no_two_alike(
    price: float, share: float, most: int, tick: float | None
) -> None:
    low, high = price, price * (1 + share)
    found, places = price_ticks(low, high, tick, most)
    step = round_step(low, high, tick, most)
    assert len(found) <= most + 1
    assert all(low - step * 1e-3 <= one <= high + step * 1e-3 for one in found)
    if step > 1e-12:
        assert len({price_text(one, places) for one in found}) == len(found)
    if tick is not None:
        assert step / tick == pytest.approx(round(step / tick))


@given(st.floats(1e-3, 1e14), st.integers(2, 4))
def test_an_amount_is_right_to_its_digits(value: float, digits: int) -> None:
    text = amount(value, digits)
    factor = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}.get(text[-1], 1.0)
    read = float(text.rstrip("kMBT")) * factor
    assert read == pytest.approx(value, rel=0.6 * 10.0 ** (1 - digits))
    assert amount(-value, digits) == "-" + text


def test_what_is_no_number_has_a_question_mark() -> None:
    assert [amount(one) for one in (np.nan, np.inf, 0.0, 1e-9)] == ["?", "?", "0", "1e-9"]

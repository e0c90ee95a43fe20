"""Times as users write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY, HOUR, MINUTE, MS, SECOND
from orderflow.tools import times

NOW = 1_763_683_200 * SECOND  # 2025-11-21T00:00:00Z


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("now", NOW),
        (" NOW ", NOW),
        ("-4h", NOW - 4 * HOUR),
        ("-90s", NOW - 90 * SECOND),
        ("- 15m", NOW - 15 * MINUTE),
        ("-1.5h", NOW - 90 * MINUTE),
        ("-1w", NOW - 7 * DAY),
        ("2025-11-21T00:00:00Z", NOW),
        ("2025-11-21", NOW),
        ("2025-11-21T01:00:00+01:00", NOW),
        ("2025-11-21 00:00:00.123", NOW + 123 * MS),
        (1_763_683_200_000, NOW),
        ("1763683200000", NOW),
        ("1763683200123", NOW + 123 * MS),
    ],
)
def test_a_time_is_read_as_it_was_meant(said: str | int, meant: int) -> None:
    assert times.instant(said, NOW) == meant


@pytest.mark.parametrize("said", ["", "yesterday", "-4", "4h", "-4y", "2025-13-01", "1763683200", 1.7e18, -1])
def test_what_is_no_time_is_refused_with_the_forms_that_are(said: str | float) -> None:
    with pytest.raises(InvalidArgument) as caught:
        times.instant(said, NOW)
    assert "ISO 8601" in caught.value.hint
    assert "epoch milliseconds" in caught.value.hint


@given(st.integers(10**11, 4_102_444_800_000))
def test_a_time_survives_being_written_and_read(time_ms: int) -> None:
    assert times.instant(times.text(time_ms), NOW) == time_ms * MS
    assert times.millis(times.instant(time_ms, NOW)) == time_ms

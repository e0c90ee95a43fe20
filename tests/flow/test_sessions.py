"""Sessions as they are written, and their windows on ordinary days and on those on which clocks change."""

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.sessions import (
    Sessions,
    Status,
    Window,
    day_of,
    day_window,
    instant,
    sessions,
    time_zone,
    windows,
    windows_between,
)
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY, HOUR, SECOND

ZONES = ["UTC", "America/New_York", "Europe/London", "Asia/Tokyo", "Australia/Lord_Howe", "America/Sao_Paulo"]

dates = st.dates(date(2015, 1, 1), date(2030, 12, 31))
zones = st.sampled_from(ZONES)
minutes = st.integers(0, 24 * 60 - 1)


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * SECOND


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def spans(of: Sessions, day: date) -> list[tuple[str, int, int]]:
    return [(one.name, one.since, one.until) for one in windows(of, day)]


# ── By hand ───────────────────────────────────────────────────────────────────────────────────


def test_the_default_divides_a_day_in_utc() -> None:
    assert spans(sessions(), date(2026, 1, 31)) == [
        ("A", at(2026, 1, 31, 0), at(2026, 1, 31, 6)),
        ("L", at(2026, 1, 31, 6), at(2026, 1, 31, 12)),
        ("N", at(2026, 1, 31, 12), at(2026, 1, 31, 20)),
        ("E", at(2026, 1, 31, 20), at(2026, 2, 1, 0)),
    ]


def test_a_session_across_midnight_belongs_to_the_day_it_begins_in() -> None:
    found = sessions("ETH=18:00-09:30, RTH:09:30-16:00", "America/New_York")
    # in January New York is 5 hours behind: 18:00 is 23:00 UTC
    assert spans(found, date(2026, 1, 30)) == [
        ("ETH", at(2026, 1, 30, 23), at(2026, 1, 31, 14, 30)),
        ("RTH", at(2026, 1, 30, 14, 30), at(2026, 1, 30, 21)),
    ]


def test_a_session_that_ends_when_it_begins_is_a_whole_day() -> None:
    assert spans(sessions("D=22:00-22:00"), date(2026, 1, 31)) == [
        ("D", at(2026, 1, 31, 22), at(2026, 2, 1, 22))
    ]
    assert spans(sessions("D=00:00-00:00"), date(2026, 1, 31)) == spans(
        sessions("D=00:00-24:00"), date(2026, 1, 31)
    )


def test_where_clocks_go_forward_a_session_is_an_hour_shorter() -> None:
    # New York, 8 March 2026: 02:00 becomes 03:00, at 07:00 UTC
    found = spans(sessions("A=00:00-06:00,G=01:30-02:30,H=02:30-04:00,S=02:10-02:50", "America/New_York"),
                  date(2026, 3, 8))  # fmt: skip
    assert found == [
        ("A", at(2026, 3, 8, 5), at(2026, 3, 8, 10)),
        ("G", at(2026, 3, 8, 6, 30), at(2026, 3, 8, 7)),
        ("H", at(2026, 3, 8, 7), at(2026, 3, 8, 8)),
        ("S", at(2026, 3, 8, 7), at(2026, 3, 8, 7)),
    ]


def test_where_clocks_go_back_the_first_of_two_equal_times_is_meant() -> None:
    # New York, 1 November 2026: 02:00 becomes 01:00, at 06:00 UTC; 01:30 is 05:30 and 06:30
    found = sessions("A=00:00-01:30,B=01:30-03:00", "America/New_York")
    assert spans(found, date(2026, 11, 1)) == [
        ("A", at(2026, 11, 1, 4), at(2026, 11, 1, 5, 30)),
        ("B", at(2026, 11, 1, 5, 30), at(2026, 11, 1, 8)),
    ]


def test_a_day_whose_midnight_was_skipped_begins_with_the_change() -> None:
    # Sao Paulo, 4 November 2018: 00:00 became 01:00, at 03:00 UTC
    found = day_window(date(2018, 11, 4), ZoneInfo("America/Sao_Paulo"))
    assert (found.since, found.until - found.since) == (at(2018, 11, 4, 3), 23 * HOUR)


def test_a_window_says_whether_it_is_over() -> None:
    found = Window("A", date(2026, 1, 31), since=10, until=20)
    assert [found.status(now) for now in (9, 10, 19, 20)] == [
        "not_started", "developing", "developing", "completed",
    ]  # fmt: skip


def test_windows_between_two_instants_include_what_began_the_day_before() -> None:
    found = windows_between(sessions("N=22:00-04:00,D=08:00-16:00"), at(2026, 1, 31, 3), at(2026, 2, 1, 8))
    assert [(one.name, one.day) for one in found] == [
        ("N", date(2026, 1, 30)),
        ("D", date(2026, 1, 31)),
        ("N", date(2026, 1, 31)),
    ]


# ── What is refused, in one line ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' defines no session"),
        ("A=00:00-06:00,", "'' defines no session"),
        ("A=0-6", "'A=0-6' defines no session"),
        ("A 00:00-06:00", "'A 00:00-06:00' defines no session"),
        ("A=00:00-06:60", "'A=00:00-06:60' has a time that no clock shows"),
        ("A=24:00-06:00", "'A=24:00-06:00' has a time that no clock shows"),
        ("A=00:00-24:01", "'A=00:00-24:01' has a time that no clock shows"),
        ("A=00:00-06:00,A=06:00-12:00", "the session A is defined twice"),
    ],
)
def test_what_defines_no_session_is_refused_by_its_words(text: str, said: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        sessions(text)
    assert refused.value.message == said
    assert refused.value.hint


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "/etc/passwd", "America", "\0", "ü"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="is no time zone"):
        time_zone(name)


@pytest.mark.parametrize("day", [date.min, date(1677, 12, 31), date(2262, 1, 1), date.max])
def test_a_day_beyond_64_bits_of_nanoseconds_is_refused(day: date) -> None:
    with pytest.raises(InvalidArgument, match="beyond our clock"):
        windows(sessions(), day)


# ── What can never be ─────────────────────────────────────────────────────────────────────────


@given(dates, zones, st.lists(minutes, min_size=2, max_size=5, unique=True))
def test_sessions_that_meet_on_the_clock_meet_on_every_day(day: date, zone: str, edges: list[int]) -> None:
    edges = [0, *sorted(set(edges) - {0}), 24 * 60]
    text = ",".join(f"S{one}={clock(one)}-{clock(two)}" for one, two in pairwise(edges))
    found = windows(sessions(text, zone), day)
    whole = day_window(day, time_zone(zone))
    assert (found[0].since, found[-1].until) == (whole.since, whole.until)
    for one, two in pairwise(found):
        assert one.since <= one.until == two.since


@given(dates, zones)
def test_days_follow_one_another(day: date, zone: str) -> None:
    found = day_window(day, time_zone(zone))
    assert day_window(date.fromordinal(day.toordinal() + 1), time_zone(zone)).since == found.until
    assert 23 * HOUR <= found.until - found.since <= 25 * HOUR
    assert day_of(found.since, time_zone(zone)) == day_of(found.until - 1, time_zone(zone)) == day


@given(dates, zones, minutes)
def test_an_instant_is_what_pandas_says(day: date, zone: str, minute: int) -> None:
    shown = pd.Timestamp(day) + pd.Timedelta(minutes=minute)
    expected = shown.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    assert instant(day, minute, time_zone(zone)) == expected.value


@given(dates, minutes, minutes, st.integers(-2 * DAY, 3 * DAY), st.integers(0, 2 * DAY))
def test_windows_between_are_those_of_all_days_that_share_some_time(
    day: date, begin: int, end: int, away: int, length: int
) -> None:
    of = sessions(f"A={clock(begin)}-{clock(end)}", "Europe/London")
    since = instant(day, 0, of.zone) + away
    near = [date.fromordinal(day.toordinal() + one) for one in range(-5, 9)]
    wanted = [one for near_day in near for one in windows(of, near_day)]
    wanted = [one for one in wanted if max(one.since, since) < min(one.until, since + length)]
    assert windows_between(of, since, since + length) == wanted


@given(dates, zones, st.integers(-DAY, 2 * DAY))
def test_a_status_is_one_of_three(day: date, zone: str, away: int) -> None:
    found = day_window(day, time_zone(zone))
    assert found.status(found.since + away) in get_args(Status)
    assert (found.status(found.since + away) == "developing") == (0 <= away < found.until - found.since)

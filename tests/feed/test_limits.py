"""Limits: never too much in any stretch of time, waits that grow, refusals by the form."""

import random
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.feed.limits import Backoff, ConnectBudget, Window, refusal, rest_windows, retry_after_s
from orderflow.market.errors import Banned, RateLimited, RegionBlocked, VenueUnavailable
from orderflow.market.events import SECOND
from orderflow.venues import ALL
from orderflow.venues.spec import Bucket


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND

    def __call__(self) -> int:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


def test_the_units_of_a_stretch_may_go_at_once_and_the_next_waits_for_the_first_to_leave_it() -> None:
    clock = Hand()
    window = Window(3, 10, clock)
    for _ in range(3):
        assert window.wait_s() == 0
        window.take()
        clock.move(1)
    # spent at 0, 1 and 2 s; it is 3 s: the first leaves the ten seconds in 10 - 3 = 7 s
    assert window.wait_s() == 7
    # two units need the second to have left as well: 1 + 10 - 3 = 8 s
    assert window.wait_s(2) == 8
    clock.move(7)
    assert window.wait_s() == 0


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5)), min_size=1, max_size=80))
def test_no_stretch_of_time_holds_more_than_the_limit(asks: list[tuple[float, int]]) -> None:
    clock = Hand()
    window = Window(7, 5, clock)
    sent: list[tuple[int, int]] = []
    for pause, cost in asks:
        clock.move(pause)
        clock.move(window.wait_s(cost))
        assert window.wait_s(cost) == 0
        window.take(cost)
        sent.append((clock.now, cost))
    for at, _ in sent:
        assert sum(cost for when, cost in sent if at - 5 * SECOND < when <= at) <= 7


def test_half_a_message_a_second_is_one_in_two_seconds() -> None:
    clock = Hand()
    window = Window(0.5, 1, clock)
    assert window.wait_s() == 0
    window.take()
    assert window.wait_s() == 2


def test_a_cost_above_the_limit_goes_alone() -> None:
    clock = Hand()
    window = Window(4, 10, clock)
    assert window.wait_s(6) == 0
    window.take(6)
    assert window.wait_s(6) == 10


def test_what_others_at_our_address_spent_is_learnt_from_the_venues_count() -> None:
    clock = Hand()
    window = Window(100, 60, clock)
    window.take(10)
    window.correct(70)  # 60 of them are not ours
    assert window.used == 70
    assert window.wait_s(30) == 0
    assert window.wait_s(31) == 60
    window.correct(5)  # the venue's minute began anew: ours is the careful count
    assert window.used == 70


def test_a_blocked_window_lets_nothing_pass_until_it_is_over() -> None:
    clock = Hand()
    window = Window(100, 60, clock)
    window.block(30)
    assert window.blocked
    assert window.wait_s() == 30
    window.block(5)  # a shorter block does not end the longer one
    assert window.wait_s() == 30
    clock.move(30)
    assert not window.blocked
    assert window.wait_s() == 0


def test_a_clock_that_is_set_back_does_not_shut_the_window_for_longer_than_its_stretch() -> None:
    clock = Hand()
    window = Window(1, 10, clock)
    window.take()
    clock.move(-500)
    assert window.wait_s() == 10


def test_declared_rest_buckets_keep_a_tenth_in_reserve() -> None:
    assert rest_windows((Bucket("weight", 2400, 60),), Hand())["weight"].limit == 2160  # 2400 × 0.9


def test_connections_are_counted_by_host_whatever_the_path() -> None:
    clock = Hand()
    budget = ConnectBudget(clock)
    budget.window("wss://one.example/public/stream", 1).take()
    assert budget.window("wss://one.example/market/stream", 1).wait_s() == 60
    assert budget.window("wss://two.example/public/stream", 1).wait_s() == 0


def test_backoff_doubles_from_one_second_to_thirty_and_begins_anew_after_a_minute_of_health() -> None:
    backoff = Backoff(lambda: 1.0)  # the longest wait of each round
    assert [backoff.delay_s() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff.delay_s(healthy_s=59.9) == 30
    assert backoff.delay_s(healthy_s=60) == 1
    assert backoff.delay_s() == 2


@given(st.integers(0, 2**32), st.integers(1, 3000))
def test_a_backoff_is_never_negative_nor_above_its_cap(seed: int, failures: int) -> None:
    backoff = Backoff(random.Random(seed).random)
    assert all(0 <= backoff.delay_s() <= 30 for _ in range(failures))


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    now = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    nanos = int(now.timestamp()) * SECOND
    assert retry_after_s(None, nanos) is None
    assert retry_after_s(" 17 ", nanos) == 17
    assert retry_after_s("soon", nanos) is None
    assert retry_after_s(format_datetime(now.replace(minute=2), usegmt=True), nanos) == 120
    assert retry_after_s(format_datetime(now.replace(hour=11), usegmt=True), nanos) == 0


@pytest.mark.parametrize(
    ("status", "after_s", "leaf", "waits"),
    [
        (429, None, RateLimited, 30.0),  # the form's wait
        (429, 7.0, RateLimited, 7.0),  # the venue's
        (418, None, Banned, 120.0),
        (418, 259_200.0, Banned, 259_200.0),
        (403, None, VenueUnavailable, None),
        (503, None, VenueUnavailable, None),
    ],
)
def test_a_status_means_what_the_form_says(
    status: int, after_s: float | None, leaf: type, waits: float | None
) -> None:
    error = refusal(ALL["binance_futures"], status, after_s, "said")
    assert type(error) is leaf
    assert getattr(error, "after_s", None) == waits


def test_a_blocked_region_is_not_retried_and_a_status_without_meaning_has_none() -> None:
    assert type(refusal(ALL["binance_futures"], 451, None, "said")) is RegionBlocked
    assert refusal(ALL["binance_futures"], 400, None, "said") is None

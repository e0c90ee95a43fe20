"""Limits: how much may be asked, how long to wait, and what a refusal means. Pure; the clock is injected."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeAlias
from urllib.parse import urlsplit

from orderflow.market.errors import (
    Banned,
    KeyRefused,
    OrderflowError,
    RateLimited,
    RegionBlocked,
    VenueUnavailable,
)
from orderflow.market.events import SECOND, Nanos
from orderflow.venues.spec import Bucket, Venue

Clock: TypeAlias = Callable[[], Nanos]
Sleep: TypeAlias = Callable[[float], Awaitable[None]]
Random: TypeAlias = Callable[[], float]  # uniform in [0, 1)

BACKOFF_BASE_S = 1.0
BACKOFF_CAP_S = 30.0
HEALTHY_S = 60.0
REST_SHARE = 0.9  # of a REST allowance: what is sent evenly need not arrive evenly


class Window:
    """At most `limit` units in any stretch of `per_s` seconds, whenever the other side begins to count.

    A limit below one unit is stretched: half a message a second is one in two seconds. A cost above
    the limit goes when nothing else is in the window.
    """

    def __init__(self, limit: float, per_s: float, clock: Clock) -> None:
        stretch = max(1.0, 1.0 / limit)
        self.limit = limit * stretch
        self._span = round(per_s * stretch * SECOND)
        self._clock = clock
        self._spent: deque[tuple[Nanos, float]] = deque()
        self._used = 0.0
        self._blocked_until: Nanos = 0

    @property
    def used(self) -> float:
        """Units spent in the stretch that ends now."""
        self._forget(self._clock())
        return self._used

    @property
    def blocked(self) -> bool:
        return self._blocked_until > self._clock()

    def wait_s(self, cost: float = 1.0) -> float:
        """Return the seconds until `cost` may be spent; 0 if it may be now."""
        now = self._clock()
        self._forget(now)
        ready = max(now, self._blocked_until)
        over = self._used + min(cost, self.limit) - self.limit
        for spent_at, units in self._spent:
            if over <= 0:
                break
            over -= units
            ready = max(ready, spent_at + self._span)
        return (ready - now) / SECOND

    def take(self, cost: float = 1.0) -> None:
        """Spend `cost`; the caller has waited."""
        self._spent.append((self._clock(), cost))
        self._used += cost

    def correct(self, used: float) -> None:
        """Learn the other side's count: what it has beyond ours was spent by others at our address."""
        beyond = used - self.used
        if beyond > 0:
            self.take(beyond)

    def block(self, seconds: float) -> None:
        """Let nothing pass for so long."""
        self._blocked_until = max(self._blocked_until, self._clock() + round(seconds * SECOND))

    def _forget(self, now: Nanos) -> None:
        if self._spent and self._spent[-1][0] > now:  # the clock was set back: what was spent, is spent now
            self._spent = deque((min(at, now), units) for at, units in self._spent)
        while self._spent and self._spent[0][0] + self._span <= now:
            self._used -= self._spent.popleft()[1]
        if not self._spent:
            self._used = 0.0


async def turn(window: Window, sleep: Sleep, cost: float = 1.0) -> None:
    """Wait until `cost` may be spent, and spend it."""
    while (wait := window.wait_s(cost)) > 0:
        await sleep(wait)
    window.take(cost)


def rest_windows(buckets: tuple[Bucket, ...], clock: Clock) -> dict[str, Window]:
    return {one.name: Window(one.limit * REST_SHARE, one.per_s, clock) for one in buckets}


class ConnectBudget:
    """How often, and how many times at once, a host may be connected to.

    Feeds of venues that share a host share one budget.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hosts: dict[str, Window] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}

    def slot(self, url: str, most: int) -> asyncio.Semaphore:
        """Return what holds the connections to a host to `most` at once."""
        return self._slots.setdefault(urlsplit(url).netloc, asyncio.Semaphore(most))

    def window(self, url: str, per_minute: float) -> Window:
        host = urlsplit(url).netloc
        if host not in self._hosts:
            self._hosts[host] = Window(per_minute, 60.0, self._clock)
        return self._hosts[host]


class Circuit:
    """Opens after `failures` in a row and lets nothing through for a while; then one request tries.

    Each time that it fails, the wait doubles, from `FIRST_S` to `LONGEST_S`.
    """

    FAILURES = 5
    FIRST_S = 20.0
    LONGEST_S = 300.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self.open_until: Nanos | None = None

    def wait_s(self) -> float:
        """Return for how long nothing is let through; 0 where a request may go."""
        if self.open_until is None:
            return 0.0
        return max(0.0, (self.open_until - self._clock()) / SECOND)

    def failed(self) -> None:
        self._failures += 1
        beyond = self._failures - self.FAILURES
        if beyond >= 0:
            wait_s = min(self.LONGEST_S, self.FIRST_S * 2.0 ** min(beyond, 16))
            self.open_until = self._clock() + round(wait_s * SECOND)

    def worked(self) -> None:
        self._failures, self.open_until = 0, None


class Backoff:
    """Waits that grow: uniform between 0 and 1, 2, 4 … 30 s; from the start after 60 s of health."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0

    def delay_s(self, healthy_s: float = 0.0) -> float:
        """Return how long to wait after a failure that followed `healthy_s` seconds of health."""
        if healthy_s >= HEALTHY_S:
            self._failures = 0
        most = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return self._random() * most


def retry_after_s(value: str | None, now: Nanos) -> float | None:
    """Read a Retry-After header, seconds or a date; None if there is none that can be read."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, until.timestamp() - now / SECOND)


def refusal(venue: Venue, status: int, after_s: float | None, said: str) -> OrderflowError | None:
    """Return the error that an HTTP status means by the venue's form; None if the form does not name it."""
    means = venue.refusals
    if status in means.limited:
        wait = means.limited[status] if after_s is None else after_s
        return RateLimited(f"{said}; limited for {wait:g} s", after_s=wait)
    if status in means.banned:
        wait = means.banned[status] if after_s is None else after_s
        return Banned(f"{said}; shut out for {wait:g} s", after_s=wait)
    if status in (401, 403) and venue.key is not None:
        return KeyRefused(f"{said}; {venue.name} does not take the key", hint=f"set {venue.key.setting}")
    if status in means.blocked:
        return RegionBlocked(
            f"{said}; {venue.name} does not serve this region",
            hint="use another host of the venue, or another exit",
        )
    if status in means.retry or status == 403:  # 403: a firewall in front of the venue
        return VenueUnavailable(said, after_s=after_s)
    return None

"""Sessions: the parts of a trading day by the clock of a time zone, and their windows in UTC.

Written `A=00:00-06:00,L=06:00-12:00,N=12:00-20:00,E=20:00-24:00`, which is the default, in UTC: Asia, London,
New York and evening. Times are minutes of the wall clock in any IANA zone. A session that ends no later than
it begins crosses midnight, and belongs to the day on which it begins; one that ends when it begins is 24
hours long. Sessions may overlap, and need not fill the day.

Where clocks change, a session is an hour longer or shorter than it reads. Of a time that the clock shows
twice, the first is meant; one that it skips is the instant of the change: so what ends and what begins at the
same time of day meet on each day, and a session that lies wholly in a skipped hour is empty.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from orderflow.market.errors import InvalidArgument
from orderflow.market.events import SECOND, Nanos

Status: TypeAlias = Literal["not_started", "developing", "completed"]

DEFAULT = "A=00:00-06:00,L=06:00-12:00,N=12:00-20:00,E=20:00-24:00"

_DAY = 24 * 60  # minutes
_YEARS = range(1678, 2262)  # those of which every day has its nanoseconds in 64 bits
_FORM = re.compile(r"\s*([^\s=:]+)\s*[=:]\s*(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)\s*")
_HINT = "NAME=HH:MM-HH:MM, with commas between, 00:00 to 24:00"


class Session(NamedTuple):
    """From `begin` to `end`, in minutes after the midnight of its day; the next day's beyond 24 × 60."""

    name: str
    begin: int
    end: int


class Sessions(NamedTuple):
    """The sessions of a day, in the order in which they were written."""

    parts: tuple[Session, ...]
    zone: ZoneInfo


class Window(NamedTuple):
    """A session, or a whole day, from `since` until before `until`."""

    name: str
    day: date
    since: Nanos
    until: Nanos

    def status(self, now: Nanos) -> Status:
        if now < self.since:
            return "not_started"
        return "developing" if now < self.until else "completed"


def sessions(text: str = DEFAULT, zone: str = "UTC") -> Sessions:
    """Return the sessions that a text defines. Raises `InvalidArgument` saying which part is wrong.

    >>> sessions("RTH=09:30-16:00, ETH=18:00-09:30", "America/New_York").parts[1]
    Session(name='ETH', begin=1080, end=2010)
    """
    parts = tuple(_session(part) for part in text.split(","))
    names = [one.name for one in parts]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InvalidArgument(f"the session {twice[0]} is defined twice", hint="another name for one of them")
    return Sessions(parts, time_zone(zone))


def time_zone(name: str) -> ZoneInfo:
    """Return an IANA time zone. Raises `InvalidArgument` for one that is not known here."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidArgument(f"{name!r} is no time zone", hint="UTC, America/New_York") from error


def windows(of: Sessions, day: date) -> list[Window]:
    """Return the windows of the sessions that begin on a day, in the order in which they were written.

    >>> [(one.name, one.until - one.since) for one in windows(sessions("N=22:00-04:00"), date(2026, 1, 31))]
    [('N', 21600000000000)]
    """
    return [
        Window(one.name, day, instant(day, one.begin, of.zone), instant(day, one.end, of.zone))
        for one in of.parts
    ]


def windows_between(of: Sessions, since: Nanos, until: Nanos) -> list[Window]:
    """Return every window that shares some time with [since, until), by when it begins."""
    found = [
        window
        for day in _days(day_of(since, of.zone) - timedelta(days=1), day_of(until, of.zone))
        for window in windows(of, day)
        if max(since, window.since) < min(until, window.until)
    ]
    return sorted(found, key=lambda window: window.since)


def day_window(day: date, zone: ZoneInfo) -> Window:
    """Return a day from midnight to midnight: 23 or 25 hours where clocks change.

    >>> found = day_window(date(2026, 3, 8), ZoneInfo("America/New_York"))
    >>> (found.until - found.since) // (3600 * SECOND)
    23
    """
    return Window(day.isoformat(), day, instant(day, 0, zone), instant(day, _DAY, zone))


def day_of(time: Nanos, zone: ZoneInfo) -> date:
    """Return the day that a zone's calendar shows at an instant."""
    return datetime.fromtimestamp(time // SECOND, zone).date()


def instant(day: date, minute: int, zone: ZoneInfo) -> Nanos:
    """Return when a zone's clock shows so many minutes after the midnight of a day."""
    if day.year not in _YEARS:
        raise InvalidArgument(f"{day} is beyond our clock", hint=f"{_YEARS[0]} to {_YEARS[-1]}")
    days, rest = divmod(minute, _DAY)
    shown = datetime.combine(day + timedelta(days=days), datetime.min.time()) + timedelta(minutes=rest)
    first = _seconds(shown, zone, fold=0)
    second = _seconds(shown, zone, fold=1)
    return (first if first <= second else _change(second, first, zone)) * SECOND


def _seconds(shown: datetime, zone: ZoneInfo, fold: Literal[0, 1]) -> int:
    return int(shown.replace(tzinfo=zone, fold=fold).timestamp())


def _change(before: int, after: int, zone: ZoneInfo) -> int:
    """Return the first second of [before, after] with the offset that it has at the end."""
    offset = _offset(after, zone)
    while before < after:
        middle = (before + after) // 2
        if _offset(middle, zone) == offset:
            after = middle
        else:
            before = middle + 1
    return after


def _offset(seconds: int, zone: ZoneInfo) -> timedelta | None:
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone).utcoffset()


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def _session(part: str) -> Session:
    found = _FORM.fullmatch(part)
    if found is None:
        raise InvalidArgument(f"{part.strip()!r} defines no session", hint=_HINT)
    name, *numbers = found.groups()
    from_hour, from_minute, to_hour, to_minute = (int(one) for one in numbers)
    begin, end = 60 * from_hour + from_minute, 60 * to_hour + to_minute
    if max(from_minute, to_minute) > 59 or begin >= _DAY or end > _DAY:
        raise InvalidArgument(f"{part.strip()!r} has a time that no clock shows", hint=_HINT)
    return Session(name, begin, end if end > begin else end + _DAY)

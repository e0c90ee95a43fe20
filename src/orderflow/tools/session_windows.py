"""Session windows: which sessions of which days a question means, or which one window in their place."""

import datetime

from orderflow.flow import sessions as clock
from orderflow.flow.sessions import Window
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import MINUTE, Nanos


def windows_of(
    now: Nanos,
    since: Nanos | None,
    date: str | None,
    days: int,
    session: str,
    sessions: str,
    zone: str,
    period: int,
) -> list[Window]:
    """Return the windows that had begun by `now`, oldest first: one from `since`, or sessions of days.

    The one is of whole periods, of so many minutes. Raises `InvalidArgument` saying what is offered, and
    `NoData` where none had begun.
    """
    of = clock.sessions(sessions, zone)
    if since is not None:
        if since >= now:
            raise InvalidArgument("the window is empty: since does not lie before until", hint="since=-4h")
        length = period * MINUTE
        begin = since - since % length
        return [Window("window", clock.day_of(begin, of.zone), begin, -(-now // length) * length)]
    last = clock.day_of(now, of.zone) if date is None else _read(date)
    names = [one.strip() for one in session.split(",")]
    offered = [one.name for one in of.parts]
    if unknown := [one for one in names if one not in ("all", "day", *offered)]:
        raise InvalidArgument(f"no session {unknown[0]!r}", hint=f"all, day, {', '.join(offered)}")
    # until the first of today has begun, the last ones are yesterday's
    for until_day in (last,) if date else (last, last - _DAY):
        found: list[Window] = []
        for back in range(days):
            whole = clock.day_window(until_day - back * _DAY, of.zone)._replace(name="day")
            found += [whole] if "day" in names else []
            found += [one for one in clock.windows(of, whole.day) if one.name in names or "all" in names]
        begun = [one for one in found if one.since < now]
        if begun:
            return sorted(begun, key=lambda one: (one.since, one.until))
    raise NoData(f"no session of {last} has begun", hint="an earlier date")


_DAY = datetime.timedelta(days=1)


def _read(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise InvalidArgument(f"{text!r} is no day", hint="date=2025-11-20") from error

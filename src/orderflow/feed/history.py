"""History: a stream's past over REST, page by page, in the way in which the venue pages."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from orderflow.feed.asking import understood
from orderflow.feed.frames import Frame
from orderflow.feed.limits import Sleep
from orderflow.feed.rest import Rest
from orderflow.market.errors import RateLimited
from orderflow.market.events import MS, SECOND, US, Candle, Event, Nanos
from orderflow.market.streams import STREAMS
from orderflow.venues.spec import Endpoint, History, Memory

log = logging.getLogger(__name__)

REFUSALS = 5  # in a row, each waited out
_WAIT_S = 30.0  # where a refusal does not say how long

Turn = Callable[[Endpoint], Awaitable[None]]

_UNITS: dict[str, Nanos] = {"iso": MS, "s": SECOND, "ms": MS, "us": US, "ns": 1}


class Place(msgspec.Struct, frozen=True):
    """Where the next page begins: at a time, after (or before) a trade's id, or at the venue's token."""

    at: Nanos
    id: int | str | None = None
    token: str | None = None


class Page(NamedTuple):
    """The rows of a page that lie in the window, and the place of the next; None after the last."""

    events: list[Event]
    next: Place | None


class Asked(msgspec.Struct, frozen=True):
    """A window of one symbol's past: both instants are part of it."""

    symbol: str
    since: Nanos
    until: Nanos


async def pages(
    rest: Rest,
    history: History,
    asked: Asked,
    memory: Memory,
    *,
    begin: Place | None = None,
    turn: Turn | None = None,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[Page]:
    """Yield the pages of a window, from `begin` on where an earlier attempt came so far.

    `memory` knows what the venue lists: names, and what contracts are worth. `turn` is awaited before each request. Raises what `Rest.fresh` does, and `VenueChanged`.
    """
    unit = _UNITS[history.unit]
    since = asked.since - asked.since % history.step if history.step else asked.since
    place = begin or Place(asked.until if history.newest_first else since)
    endpoint = rest.venue.endpoint(history.endpoint)
    event = STREAMS[history.stream].event
    while True:
        params = _params(history, asked.until, since, place)
        params |= rest.venue.params_of(endpoint, asked.symbol, memory)
        frame = await _patiently(rest, endpoint, params, turn, sleep)
        found = understood(rest.venue, frame, memory)
        rows = [one for one in found if type(one) is event and one.symbol == asked.symbol]
        after = _next(history, unit, since, asked.until, place, frame, rows, len(found))
        yield Page([one for one in rows if since <= when(one) <= asked.until], after)
        if after is None:
            return
        place = after


def when(event: Event) -> Nanos:
    """Return the time by which a row of the past is asked for: that of a bar is its first instant."""
    if isinstance(event, Candle):
        return event.open_ts
    return event.ts_recv if event.ts_event is None else event.ts_event


def _params(history: History, until: Nanos, since: Nanos, place: Place) -> dict[str, str]:
    """Return what a page is asked by: its time or its id, never both."""
    params = dict(history.params)
    if history.id and place.id is not None:
        return params | {history.id: str(place.id)}
    if history.cursor and place.token is not None:
        params[history.cursor] = place.token
    first, last = (since, place.at) if history.newest_first else (place.at, until)
    if history.span is not None and history.newest_first:
        first = max(first, last - history.span)
    elif history.span is not None:
        last = min(last, first + history.span)
    if history.start:
        params[history.start] = written(first, history.unit)
    if history.end:  # one unit more: some venues leave out the last instant
        params[history.end] = written(last + _UNITS[history.unit], history.unit)
    return params


def written(ns: Nanos, unit: str) -> str:
    if unit == "iso":
        return f"{datetime.fromtimestamp(ns // MS / 1000, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    return str(ns // _UNITS[unit])


def _next(
    history: History,
    unit: Nanos,
    since: Nanos,
    until: Nanos,
    place: Place,
    frame: Frame,
    rows: Sequence[Event],
    count: int,
) -> Place | None:
    """Return where the page after this one begins, or None if this one was the last."""
    if history.cursor:
        token = None if history.token is None else history.token(frame.payload)
        return None if not token or token == place.token or not rows else Place(place.at, token=token)
    if not (history.start or history.end or history.id):
        return None
    times = [when(one) for one in rows]
    full = count >= history.most_rows
    if history.newest_first:
        return _older(history, unit, since, place, rows, times, full)
    end = until if history.span is None or place.id is not None else min(until, place.at + history.span)
    if not times or not full:
        return None if end >= until else Place(end)
    if max(times) > until or (not history.id and max(times) >= until):
        return None
    if history.id:
        newest = max(rows, key=_number)
        return Place(max(times), id=_number(newest) + 1)
    # An instant may be cut in two by a page's end: begin with it again, unless it fills a page.
    last = max(times)
    return Place(last + unit if history.step or last <= place.at else last)


def _older(
    history: History,
    unit: Nanos,
    since: Nanos,
    place: Place,
    rows: Sequence[Event],
    times: Sequence[Nanos],
    full: bool,
) -> Place | None:
    first = since if history.span is None else max(since, place.at - history.span)
    if not times or (not full and place.id is None):
        return None if first <= since else Place(first)
    if min(times) <= since or not full:
        return None
    if history.id:
        oldest = min(zip(times, rows, strict=True), key=lambda one: one[0])[1]
        return Place(min(times), id=getattr(oldest, "id", None))
    last = min(times)
    return Place(last - unit if history.step or last >= place.at else last)


def _number(event: Event) -> int:
    id = getattr(event, "id", None)
    return id if isinstance(id, int) else -1


async def _patiently(
    rest: Rest, endpoint: Endpoint, params: dict[str, str], turn: Turn | None, sleep: Sleep
) -> Frame:
    """Ask; where the venue says that it is too much, wait as long as it says, a few times."""
    for left in reversed(range(REFUSALS)):
        if turn is not None:
            await turn(endpoint)
        try:
            return await rest.fresh(endpoint.name, **params)
        except RateLimited as error:
            if not left:
                raise
            wait_s = _WAIT_S if error.after_s is None else error.after_s
            log.info("%s: waiting %.0f s for its limit", rest.venue.name, wait_s)
            await sleep(max(wait_s, 0.1))
    raise AssertionError("the last try returns or raises")

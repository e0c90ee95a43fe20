"""Coverage: what share of a window was collected, venue by venue, and the gaps in it.

Collected is what lies inside a run that heard this market on any stream (a quiet stream of a market that
was heard is no hole), or between the rows of a backfill, and in no unfilled gap.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY, HOUR, MINUTE, US, Nanos
from orderflow.market.instruments import MARKETS
from orderflow.store.answers import Coverage, GapRow, Stretch, at, covered
from orderflow.store.backfills import less, merged
from orderflow.store.runs import PAST
from orderflow.store.session import Session, venue_ids
from orderflow.store.statements import Parameter, micros

_HEAVY = ("trades", "prices", "orderbooks", "options")  # streams of so many rows that they are asked last
_GAP_COLUMNS = (
    'venue, symbol, stream, epoch_us("from") * 1000, epoch_us("until") * 1000, reason,'
    " epoch_us(filled_at) * 1000, run"
)


def gaps(
    session: Session,
    symbol: str | None = None,
    venues: str | Sequence[str] | None = None,
    since: Nanos | None = None,
    until: Nanos | None = None,
    stream: str | None = None,
) -> list[GapRow]:
    """Return the gaps that reach into a window, by their beginning."""
    where, bound = session.where(symbol, venues)
    asked: list[tuple[str, Parameter]] = [
        ("stream = ?", stream),
        ('("until" IS NULL OR "until" > make_timestamp(?))', micros(since)),
        ('"from" < make_timestamp(?)', micros(until)),
    ]
    given = [(sql, value) for sql, value in asked if value is not None]
    found = session.rows(
        f"SELECT {_GAP_COLUMNS} FROM gaps {' AND '.join([where, *(sql for sql, _ in given)])}"
        ' ORDER BY "from", venue, symbol, stream',
        [*bound, *(value for _, value in given)],
    )
    return [GapRow(*row) for row in found]


def coverages(
    session: Session,
    streams: Sequence[str],
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos,
    until: Nanos,
) -> dict[str, dict[str, Coverage]]:
    """Return, by stream and venue, what share of a window was collected, with the gaps in it.

    No venues, or None, are those that have the stream.
    """
    for stream in streams:
        session.source(stream)
    if since >= until:
        raise InvalidArgument(f"no window from {at(since)} to {at(until)}")
    symbol, asked = session.symbol(symbol), venue_ids(venues)
    among = {
        stream: asked or [one.venue for one in MARKETS.values() if stream in one.streams]
        for stream in streams
    }
    every = list(dict.fromkeys(venue for one in among.values() for venue in one))
    if not every:
        return {stream: {} for stream in streams}
    begun = _begun(session, since, until)
    heard = _heard(session, begun, every, symbol, since, until)
    missing = [one for one in gaps(session, symbol, every, since, until) if one.filled_ts is None]
    return {
        stream: _of_stream(session, stream, symbol, among[stream], since, until, heard, missing, begun.past)
        for stream in streams
    }


def _of_stream(
    session: Session,
    stream: str,
    symbol: str,
    venues: Sequence[str],
    since: Nanos,
    until: Nanos,
    heard: Mapping[str, Sequence[Stretch]],
    missing: Sequence[GapRow],
    past: Sequence[int],
) -> dict[str, Coverage]:
    where, bound = session.where(symbol, venues, since, until)
    source = session.source(stream, symbol, venues, since)
    ends = {
        venue: (first, last)
        for venue, first, last in session.rows(
            "SELECT venue::VARCHAR, epoch_us(min(timestamp)) * 1000, epoch_us(max(timestamp)) * 1000"
            f" FROM {source} {where} GROUP BY venue",
            bound,
        )
    }
    filled = _filled(session, stream, symbol, venues, since, until, past) if past else {}
    found: dict[str, Coverage] = {}
    for venue in venues:
        lacks = [one for one in missing if one.venue == venue and one.stream == stream]
        holes = [(one.from_ts, one.until_ts or until) for one in lacks]
        share = covered(since, until, [*heard.get(venue, ()), *filled.get(venue, ())], holes)
        first, last = ends.get(venue, (None, None))
        percent, reason = (100 * share / (until - since), "") if share else (None, "")
        if percent is None:
            reason = f"nothing of {symbol} on {venue} was collected from {at(since)} to {at(until)}"
        found[venue] = Coverage(percent, lacks, first, last, reason)
    return found


def collected(
    session: Session, stream: str, symbol: str, venues: Sequence[str], since: Nanos, until: Nanos
) -> dict[str, list[Stretch]]:
    """Return, for each venue, the stretches of a window in which its series was collected."""
    begun = _begun(session, since, until)
    heard = _heard(session, begun, venues, symbol, since, until)
    filled = _filled(session, stream, symbol, venues, since, until, begun.past) if begun.past else {}
    missing = gaps(session, symbol, venues, since, until, stream)
    found: dict[str, list[Stretch]] = {}
    for venue in venues:
        holes = [
            (one.from_ts, until if one.until_ts is None else one.until_ts)
            for one in missing
            if one.venue == venue and one.filled_ts is None
        ]
        every = merged([*heard.get(venue, ()), *filled.get(venue, ())])
        inside = [(max(first, since), min(last, until)) for first, last in every]
        found[venue] = [part for first, last in inside if first < last for part in less((first, last), holes)]
    return found


# ── When who was heard ────────────────────────────────────────────────────────────────────────


class _Begun(NamedTuple):
    """The runs that reach into a window: when each began and ended (None: nobody said), and those of the past."""

    runs: dict[int, tuple[Nanos, Nanos | None]]
    past: list[int]


def _begun(session: Session, since: Nanos, until: Nanos) -> _Begun:
    found = session.rows(
        f"SELECT id, kind = 'backfill' OR starts_with(key, '{PAST}'), epoch_us(started) * 1000,"
        " epoch_us(ended) * 1000 FROM runs"
    )
    live = {
        run: (started, ended)
        for run, past, started, ended in found
        if not past and started < until and (ended is None or ended > since)
    }
    return _Begun(live, [run for run, past, *_ in found if past])


def _heard(
    session: Session, begun: _Begun, venues: Sequence[str], symbol: str, since: Nanos, until: Nanos
) -> dict[str, list[Stretch]]:
    """Return the stretches in which runs heard these markets, as rows within an hour of the window tell.

    Streams of few rows are asked first: of the others only what those leave open, which is whether a run
    heard a venue at all, and when a run that nobody ended heard it last.
    """
    if not begun.runs:
        return {}
    around = since - HOUR, until + HOUR
    light, heavy = _streams(venues, heavy=False), _streams(venues, heavy=True)
    last = _last_heard(session, light, symbol, venues, list(begun.runs), *around)
    unsure = {run for run in begun.runs for venue in venues if (venue, run) not in last}
    open_ended = {key: heard for key, heard in last.items() if begun.runs[key[1]][1] is None}
    if unsure:
        last |= _last_heard(session, heavy, symbol, venues, sorted(unsure), *around)
    if open_ended:
        runs = sorted({run for _, run in open_ended})
        first, newest = min(open_ended.values()) - MINUTE, min(max(open_ended.values()) + HOUR, around[1])
        for key, heard in _last_heard(session, heavy, symbol, venues, runs, first, newest).items():
            last[key] = max(heard, last.get(key, heard))
    stretches: dict[str, list[Stretch]] = {}
    for (venue, run), heard in last.items():
        started, ended = begun.runs[run]
        stretches.setdefault(venue, []).append((started, (heard if ended is None else ended) + US))
    return stretches


def _streams(venues: Sequence[str], *, heavy: bool) -> list[str]:
    every = dict.fromkeys(one for venue in venues for one in MARKETS[venue].streams)
    return [one for one in every if (one in _HEAVY) is heavy]


def _last_heard(
    session: Session,
    streams: Sequence[str],
    symbol: str,
    venues: Sequence[str],
    runs: Sequence[int],
    since: Nanos,
    until: Nanos,
) -> dict[tuple[str, int], Nanos]:
    """Return when a venue was heard last in a run, on any of some streams."""
    parts, bound = list[str](), list[Parameter]()
    where, values = session.where(symbol, venues, since, until)
    among = f"run IN ({', '.join(map(str, runs))})"
    for one in streams:
        source = session.source(one, symbol, venues, since)
        parts.append(f"SELECT venue::VARCHAR AS venue, run, received FROM {source} {where} AND {among}")
        bound += values
    if not parts or since >= until:
        return {}
    found = session.rows(
        f"SELECT venue, run, epoch_us(max(received)) * 1000 FROM ({' UNION ALL '.join(parts)}) GROUP BY ALL",
        bound,
    )
    return {(venue, run): heard for venue, run, heard in found}


def _filled(
    session: Session,
    stream: str,
    symbol: str,
    venues: Sequence[str],
    since: Nanos,
    until: Nanos,
    past: Sequence[int],
) -> dict[str, list[Stretch]]:
    """Return the stretches between the rows of backfills, as those within a day of the window tell."""
    where, bound = session.where(symbol, venues, since - DAY, until + DAY)
    found = session.rows(
        "SELECT venue::VARCHAR, epoch_us(min(timestamp)) * 1000, epoch_us(max(timestamp)) * 1000"
        f" FROM {session.source(stream, symbol, venues, since - DAY)} {where}"
        f" AND run IN ({', '.join(map(str, past))}) GROUP BY venue, run",
        bound,
    )
    stretches: dict[str, list[Stretch]] = {}
    for venue, first, last in found:
        stretches.setdefault(venue, []).append((first, last + US))  # the last instant is part of it
    return stretches

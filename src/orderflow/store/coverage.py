"""Coverage: what share of a window was collected, venue by venue, and the gaps in it.

Collected is what lies inside a run that heard this market on any stream (a quiet stream of a market that
was heard is no hole), or between the rows of a backfill, and in no unfilled gap.
"""

from collections.abc import Sequence

from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY, HOUR, Nanos
from orderflow.market.instruments import MARKETS
from orderflow.store.answers import Coverage, GapRow, Stretch, at, covered
from orderflow.store.backfills import less, merged
from orderflow.store.runs import PAST
from orderflow.store.session import Session, venue_ids
from orderflow.store.statements import Parameter, micros

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
    stream: str,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos,
    until: Nanos,
) -> dict[str, Coverage]:
    """Return, for each venue, what share of a window of its stream was collected, with the gaps in it.

    None are the venues that have such a stream; an empty list is none.
    """
    source = session.source(stream, symbol, venues)
    if since >= until:
        raise InvalidArgument(f"no window from {at(since)} to {at(until)}")
    symbol = session.symbol(symbol)
    if venues is None:
        venues = [one.venue for one in MARKETS.values() if stream in one.streams]
    if not (venues := venue_ids(venues)):
        return {}
    missing = gaps(session, symbol, venues, since, until, stream)
    where, bound = session.where(symbol, venues, since, until)
    ends = {
        venue: (first, last)
        for venue, first, last in session.rows(
            "SELECT venue::VARCHAR, epoch_us(min(timestamp)) * 1000, epoch_us(max(timestamp)) * 1000"
            f" FROM {source} {where} GROUP BY venue",
            bound,
        )
    }
    heard = _heard(session, stream, venues, symbol, since, until)
    found: dict[str, Coverage] = {}
    for venue in venues:
        lacks = [one for one in missing if one.venue == venue and one.filled_ts is None]
        holes = [(one.from_ts, one.until_ts or until) for one in lacks]
        share = covered(since, until, heard.get(venue, []), holes)
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
    heard = _heard(session, stream, venues, symbol, since, until)
    missing = gaps(session, symbol, venues, since, until, stream)
    found: dict[str, list[Stretch]] = {}
    for venue in venues:
        holes = [
            (one.from_ts, until if one.until_ts is None else one.until_ts)
            for one in missing
            if one.venue == venue and one.filled_ts is None
        ]
        inside = [(max(first, since), min(last, until)) for first, last in merged(heard.get(venue, []))]
        found[venue] = [part for first, last in inside if first < last for part in less((first, last), holes)]
    return found


def _heard(
    session: Session, stream: str, venues: Sequence[str], symbol: str, since: Nanos, until: Nanos
) -> dict[str, list[Stretch]]:
    """Return the stretches in which runs heard these markets.

    Rows within an hour of the window tell of a run that was collecting, rows within a day of a backfill.
    """
    parts, bound = list[str](), list[Parameter]()
    for one in dict.fromkeys(one for venue in venues for one in MARKETS[venue].streams):
        where, values = session.where(symbol, venues, since - HOUR, until + HOUR)
        parts.append(
            f"SELECT venue, run, max(received) AS last FROM {session.source(one, symbol, venues)} {where} GROUP BY ALL"
        )
        bound += values
    where, values = session.where(symbol, venues, since - DAY, until + DAY)
    past = f"kind = 'backfill' OR starts_with(key, '{PAST}')"
    found = session.rows(
        f"WITH heard AS ({' UNION ALL '.join(parts)})"
        " SELECT venue::VARCHAR, epoch_us(any_value(started)) * 1000,"
        " epoch_us(coalesce(any_value(ended), max(last))) * 1000"
        f" FROM heard JOIN runs ON id = run WHERE NOT ({past}) GROUP BY venue, id"
        " UNION ALL"
        " SELECT venue::VARCHAR, epoch_us(min(timestamp)) * 1000, epoch_us(max(timestamp)) * 1000"
        f" FROM {session.source(stream, symbol, venues)} {where} AND run IN (SELECT id FROM runs WHERE {past})"
        " GROUP BY venue, run",
        [*bound, *values],
    )
    stretches: dict[str, list[Stretch]] = {}
    for venue, first, last in found:
        stretches.setdefault(venue, []).append((first, last + 1000))  # the last instant is part of it
    return stretches

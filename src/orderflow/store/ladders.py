"""Ladders: the best levels of order books over a window, all that are stored or the last of each stretch.

A row is a snapshot: what stood from then on until the next one, since a book is stored when it has changed.
Of old days only some are left (`store.thinning`), and a question may ask for fewer, so that a day can be
looked at without reading it whole: `notes` tell both.
"""

from collections.abc import Sequence
from typing import Any

from orderflow.market.errors import InvalidArgument
from orderflow.market.events import MS, Nanos
from orderflow.market.streams import BOOK_LEVELS
from orderflow.store.bar import Bar
from orderflow.store.session import Session
from orderflow.store.statements import Parameter, micros
from orderflow.store.windows import Window, described, nothing

LEAST = 2  # snapshots, where they are told to be at most so many


def ladders(
    session: Session,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos,
    until: Nanos,
    *,
    every: Bar | None = None,
    most: int | None = None,
    levels: int = BOOK_LEVELS,
    lead: Nanos = 0,
) -> Window:
    """Return a row a venue and snapshot in [since - lead, until), by venue and then by time.

    Columns are `venue`, `timestamp`, and `bid_1_price`, `bid_1_qty` … to so many `levels`, bids first. `every`
    leaves the last snapshot of each bar, `most` the last of each of so many equal stretches, where a venue
    has more. Of the `lead` no coverage is told, and rows of it alone are none: raises `NoData`.

    The notes: `stored` snapshots by venue, `every_ms` that they were picked at, or None where they are all,
    `thinned_ms`: how far apart the store itself has left them, or None.
    """
    if not 1 <= levels <= BOOK_LEVELS or (most is not None and most < LEAST) or lead < 0:
        raise InvalidArgument(
            f"no books of {levels} levels, {most} snapshots and a lead of {lead} ns",
            hint=f"1 to {BOOK_LEVELS} levels, {LEAST} snapshots or more, and a lead of 0 or more",
        )
    begin = since - lead
    source = session.source("orderbooks", symbol, venues, begin)
    where, bound = session.where(symbol, venues, begin, until)
    counted = session.rows(
        "SELECT venue::VARCHAR, count(*), count(*) FILTER (WHERE timestamp >= make_timestamp(?))"
        f" FROM {source} {where} GROUP BY venue ORDER BY 1",
        [micros(since), *bound],
    )
    if not any(inside for _, _, inside in counted):
        raise nothing(session, "orderbooks", symbol, venues, since, until)
    stretch = every
    if every is None and most is not None and max(rows for _, rows, _ in counted) > most:
        stretch = _stretch(until - begin, most)
    names, units = _columns(levels)
    found = session.arrow(_select(source, where, names, stretch), _values(bound, stretch))
    return described(
        session, found, "snapshots", "orderbooks", symbol, venues, since, until, units=units,
        notes={
            "stored": {venue: rows for venue, rows, _ in counted},
            "every_ms": None if stretch is None else stretch.length / MS,
            "thinned_ms": _thinned(session, symbol, [one[0] for one in counted], begin, until),
        },
    )  # fmt: skip


def _stretch(span: Nanos, most: int) -> Bar:
    """Return the length of which a span touches no more than so many, wherever it begins; in whole milliseconds."""
    length = -(-span // ((most - 1) * MS)) * MS
    return Bar(f"{length // MS} ms", max(length, MS))


def _select(source: str, where: str, names: Sequence[str], stretch: Bar | None) -> str:
    columns = ", ".join(names)
    found = f"SELECT venue::VARCHAR AS venue, timestamp, {columns} FROM {source} AS books"
    order = "ORDER BY venue, timestamp, id"
    if stretch is None:
        return f"{found} {where} {order}"
    # Which rows they are is found in two narrow columns, and only of those all the levels are read: a tenth
    # of the time of a window function over whole rows.
    return (
        "WITH picked AS (SELECT venue, max(struct_pack(at := timestamp, number := id)) AS last"
        f" FROM {source} {where} GROUP BY venue, {stretch.of('timestamp')})"
        f" {found} SEMI JOIN picked ON books.venue = picked.venue AND books.timestamp = picked.last.at"
        f" AND books.id = picked.last.number {where} {order}"
    )


def _values(bound: Sequence[Parameter], stretch: Bar | None) -> list[Parameter]:
    return [*bound] if stretch is None else [*bound, *bound]


def _columns(levels: int) -> tuple[list[str], dict[str, str]]:
    units: dict[str, str] = {"timestamp": "UTC"}
    for side in ("bid", "ask"):
        for rank in range(1, levels + 1):
            units[f"{side}_{rank}_price"], units[f"{side}_{rank}_qty"] = "quote", "base"
    return list(units)[1:], units


def _thinned(session: Session, symbol: str, venues: Sequence[str], since: Nanos, until: Nanos) -> int | None:
    """Return how far apart the books of the thinnest day in a window were left, in ms."""
    if not session.has_archive():
        return None
    asked: list[Any] = [session.symbol(symbol), *venues, micros(since), micros(until)]
    ((found,),) = session.rows(
        "SELECT max(thinned_ms) FROM archived WHERE stream = 'orderbooks' AND dropped IS NULL AND symbol = ?"
        f" AND venue IN ({', '.join('?' * len(venues))}) AND last >= make_timestamp(?) AND first < make_timestamp(?)",
        asked,
    )
    return None if found is None else int(found)

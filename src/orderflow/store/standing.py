"""Standing: how far a lake holds what a collector is about to collect, so that its gap has the right bounds."""

import msgspec

from orderflow.market.events import DAY, HOUR, Gap, Nanos
from orderflow.market.streams import STREAMS
from orderflow.store.identifiers import identifier
from orderflow.store.tables import Connection

Pair = tuple[str, str]  # (venue, symbol)

_WINDOWS: tuple[Nanos | None, ...] = (HOUR, DAY, None)  # looked through until every market was found


class Standing(msgspec.Struct):
    """When each market was last heard, when it last traded, and which of its gaps are open."""

    heard: dict[Pair, Nanos] = {}
    traded: dict[Pair, Nanos] = {}
    open: list[Gap] = []


def standing(connection: Connection, pairs: list[Pair], now: Nanos) -> Standing:
    """Return how the markets stand; those of which nothing is stored are left out.

    What one collector heard of a venue it heard in the order of time: so a market was listened to until the
    last row of any market of that venue, among those that are asked for.
    """
    found, missing = Standing(), set(pairs)
    for window in _WINDOWS:
        if missing:
            since = None if window is None else now - window
            heard = _last(connection, "received", tuple(STREAMS), missing, since)
            traded = _last(connection, "timestamp", ("trades",), missing, since)
            found.heard |= heard
            found.traded |= traded
            missing -= heard.keys()
    for venue in {venue for venue, _ in found.heard}:
        last = max(ts for (one, _), ts in found.heard.items() if one == venue)
        found.heard |= {pair: last for pair in found.heard if pair[0] == venue}
    found.open = [
        Gap(venue, symbol, stream, first, None, reason)
        for venue, symbol, stream, first, reason in connection.execute(
            'SELECT venue, symbol, stream, epoch_us("from") * 1000, reason FROM gaps WHERE "until" IS NULL'
        ).fetchall()
        if (venue, symbol) in set(pairs)
    ]
    return found


def _last(
    connection: Connection, column: str, streams: tuple[str, ...], pairs: set[Pair], since: Nanos | None
) -> dict[Pair, Nanos]:
    where = (
        "list_contains($venues, venue) AND list_contains($symbols, symbol)"
        " AND ($since IS NULL OR timestamp >= make_timestamp($since))"
    )
    parts = [
        f"SELECT venue, symbol, max({column}) AS last FROM {identifier(one)} WHERE {where} GROUP BY ALL"
        for one in streams
    ]
    rows = connection.execute(
        f"SELECT venue, symbol, epoch_us(max(last)) * 1000 FROM ({' UNION ALL '.join(parts)}) GROUP BY ALL",
        {
            "venues": sorted({venue for venue, _ in pairs}),
            "symbols": sorted({symbol for _, symbol in pairs}),
            "since": None if since is None else since // 1000,
        },
    ).fetchall()
    return {(venue, symbol): last for venue, symbol, last in rows if last and (venue, symbol) in pairs}

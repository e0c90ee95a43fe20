"""What every collector promises of its trades: those received are there once, those missing lie in a gap."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from orderflow import venues
from orderflow.feed import segment
from orderflow.feed.journal import unfinished
from orderflow.market.events import Trade
from orderflow.venues.spec import Memory
from tests.system.product import Simulator, read

Ids = dict[tuple[str, str], set[int]]


def journaled(db: Path) -> Ids:
    """Return the ids of all trades in the journal that a dead process left."""
    found: Ids = defaultdict(set)
    for path in unfinished(Path(f"{db}.journal")):
        for batch in segment.read(path):
            for frame in batch:
                if frame.kind == "ws":
                    for event in venues.ALL[frame.venue].decode(frame.payload, frame.ts_recv, Memory()):
                        if isinstance(event, Trade):
                            found[frame.venue, event.symbol].add(int(event.id))
    return found


def stored(db: Path, venue: str, symbol: str) -> list[int]:
    rows = read(db, f"SELECT trade_id FROM trades WHERE venue = '{venue}' AND symbol = '{symbol}'")
    return [int(id) for (id,) in rows]


def gaps(db: Path, venue: str, symbol: str) -> list[tuple[int, int | None, str]]:
    return read(  # type: ignore[return-value]
        db,
        'SELECT epoch_ms("from"), epoch_ms("until"), reason FROM gaps'
        f" WHERE stream = 'trades' AND venue = '{venue}' AND symbol = '{symbol}'",
    )


def unexplained(
    missing: Iterable[dict[str, Any]], known: list[tuple[int, int | None, str]]
) -> list[dict[str, Any]]:
    """Return the rows of the ledger that lie in no gap."""
    return [
        row
        for row in missing
        if not any(since <= row["time"] and (end is None or row["time"] <= end) for since, end, _ in known)
    ]


def check(db: Path, simulator: Simulator, received: Ids, series: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Check the whole promise over a database that nobody has open, and return what was counted."""
    counted = {"stored": 0, "received": 0, "missing": 0}
    for venue, symbol in series:
        where = f"{venue} {symbol}"
        ids = stored(db, venue, symbol)
        there = set(ids)
        assert len(ids) == len(there), f"{where}: {len(ids) - len(there)} trades are there twice"
        lost = received[venue, symbol] - there
        assert not lost, (
            f"{where}: {len(lost)} trades were in the journal and are in no table: {sorted(lost)[:5]}"
        )
        ledger = [row for row in simulator.rows(venue, symbol, from_id=min(ids)) if row["id"] <= max(ids)]
        made = {row["id"] for row in ledger}
        assert there <= made, f"{where}: trades that were never made: {sorted(there - made)[:5]}"
        missing = [row for row in ledger if row["id"] not in there]
        known = gaps(db, venue, symbol)
        said_nothing = unexplained(missing, known)
        assert not said_nothing, (
            f"{where}: missing, and no gap says so: {said_nothing[:5]}; gaps: {known[:5]}"
        )
        counted["stored"] += len(ids)
        counted["received"] += len(received[venue, symbol])
        counted["missing"] += len(missing)
    return counted

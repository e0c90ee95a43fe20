"""Thinning: of order books that have grown old, the last one of each stretch of time is kept.

An archived day is rewritten once it is old enough, and says how thin it is (`archived.thinned_ms`), so
that answers can tell. Days that are still hot are not thinned: they are too young, or not compacted yet.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import date
from itertools import pairwise

import duckdb
import msgspec

from orderflow.market.errors import InvalidArgument
from orderflow.market.events import MS, US, Nanos
from orderflow.market.streams import ORDERBOOKS
from orderflow.store.archive import Lock
from orderflow.store.retention import DAY, span
from orderflow.store.rewriting import Archived, Rewriting, archived, last_of_each

PART_FILES = 16  # rewritten in one transaction: then the writer waits for a moment


class Thin(msgspec.Struct, frozen=True, order=True):
    """Of books older than `after`, one in every `every_ms` milliseconds is kept: the last."""

    after: Nanos
    every_ms: int


class Thinned(msgspec.Struct):
    """What was thinned: files, and their rows before and after."""

    files: int = 0
    before: int = 0
    after: int = 0


def steps(told: Mapping[str, str]) -> list[Thin]:
    """Read the setting: by age, how far apart books are kept, as in {"7d": "1s", "30d": "10s"}.

    Raises `InvalidArgument` in one line for what cannot be read, or would grow denser with age.
    """
    instead = '{"7d": "1s", "30d": "10s"}'
    found = sorted(
        Thin(
            span(age, "age of order books to thin", instead),
            span(every, "how far apart to keep order books", instead) // MS,
        )
        for age, every in told.items()
    )
    for one in found:
        if one.after < DAY or not one.every_ms:
            raise InvalidArgument(
                "order books can be thinned once they are a day old, to one a second or fewer",
                hint=f"as in {instead}",
            )
    for younger, older in pairwise(found):
        if older.every_ms % younger.every_ms or older.every_ms == younger.every_ms:
            raise InvalidArgument(
                "each step of thinning must be a multiple of the one before", hint=f"as in {instead}"
            )
    return found


def thin(
    connection: duckdb.DuckDBPyConnection,
    wanted: Sequence[Thin],
    *,
    now: Nanos | None = None,
    lock: Lock = nullcontext,
    rest: Callable[[], bool] = lambda: True,
) -> Thinned:
    """Rewrite the archived order books that are old enough and not thin enough; return what was done."""
    now = time.time_ns() if now is None else now
    done = Thinned()
    while rest():
        with Rewriting.begun(connection, ORDERBOOKS, "order books to thin") as rewriting:
            due = _due(archived(rewriting.cursor, ORDERBOOKS.name), wanted, now)[:PART_FILES]
            if not due:
                break
            for one, every_ms in due:
                if not rest():
                    return done
                rows = last_of_each(rewriting.rows_of([one]), every_ms)
                rewriting.write(one.venue, one.symbol, one.day, rows, [one], thinned_ms=every_ms)
            with lock():
                rewriting.commit()
            done.files += len(due)
            done.before += sum(one.rows for one, _ in due)
            done.after += sum(one.rows for one in rewriting.made)
    return done


def _due(files: Sequence[Archived], wanted: Sequence[Thin], now: Nanos) -> list[tuple[Archived, int]]:
    found: list[tuple[Archived, int]] = []
    for one in files:
        old = [step for step in wanted if one.last_us <= (now - step.after) // US]
        if old and (one.thinned_ms or 0) < old[-1].every_ms:
            found.append((one, old[-1].every_ms))
    return found


class Sparse(msgspec.Struct, frozen=True):
    """Days of a series, from the first to the last, whose books lie `every_ms` milliseconds apart."""

    venue: str
    symbol: str
    first: date
    last: date
    every_ms: int


def sparse(rows: Sequence[tuple[str, str, date, int]]) -> list[Sparse]:
    """Join days that follow one another and are as thin; the rows are in the order of their days.

    >>> days = [("okx", "BTCUSDT", date(2026, 1, day), 1000) for day in (1, 2, 4)]
    >>> [(one.first.day, one.last.day) for one in sparse(days)]
    [(1, 2), (4, 4)]
    """
    found: dict[tuple[str, str], list[Sparse]] = {}
    for venue, symbol, day, every_ms in rows:
        mine = found.setdefault((venue, symbol), [])
        if mine and (day - mine[-1].last).days == 1 and mine[-1].every_ms == every_ms:
            mine[-1] = msgspec.structs.replace(mine[-1], last=day)
        else:
            mine.append(Sparse(venue, symbol, day, day, every_ms))
    return [one for several in found.values() for one in several]

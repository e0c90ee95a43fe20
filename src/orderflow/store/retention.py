"""Retention: how long rows are kept, or how many of a series; what was removed is a gap that says so.

Archived days go as a whole, once all of a day's rows are too old or too many; hot rows go one by one.
`gaps` has one row a series for all that was ever removed of it, so that no answer counts the stretch as
collected; it stands for the gaps that lay in it, and no backfill fills it unless it is asked to.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext

import duckdb
import msgspec

from orderflow.market.errors import InvalidArgument
from orderflow.market.events import HOUR, SECOND, US, Nanos
from orderflow.market.streams import STREAMS
from orderflow.store import backfills
from orderflow.store.archive import Lock
from orderflow.store.backfills import REMOVED
from orderflow.store.rewriting import Archived, Rewriting, archived

log = logging.getLogger(__name__)

DAY: Nanos = 24 * HOUR
_UNITS: dict[str, Nanos] = {"s": SECOND, "m": 60 * SECOND, "h": HOUR, "d": DAY}
_ROWS = re.compile(r"(?P<count>\d[\d_,]*) *rows?")
_SPAN = re.compile(r"(?P<count>\d{1,6}) *(?P<unit>[smhd]|days?|hours?|minutes?|seconds?)")

Key = tuple[str, str]  # venue, symbol
Stretch = tuple[int, int]  # microseconds: the first row's time, and the instant after the last one's


class Rule(msgspec.Struct, frozen=True):
    """Keep rows that are younger than `age`, or the newest `rows` of each series; `said` is for people."""

    said: str
    age: Nanos | None = None
    rows: int | None = None


class Removed(msgspec.Struct):
    """What was removed of a stream: rows of the hot table, and archived files with theirs."""

    stream: str
    rows: int = 0
    files: int = 0
    series: set[Key] = msgspec.field(default_factory=set)


def rules(told: Mapping[str, str]) -> dict[str, Rule]:
    """Read the settings: a stream's rule is `30d` or `5000000 rows`.

    Raises `InvalidArgument` in one line that names what is wrong and what would be right.

    >>> rules({"trades": "90d"})["trades"].said
    '90 days'
    """
    found: dict[str, Rule] = {}
    for stream, text in told.items():
        if stream not in STREAMS:
            raise InvalidArgument(
                f"retention: no stream is called {stream[:40]!r}", hint=f"streams: {', '.join(STREAMS)}"
            )
        if rows := _ROWS.fullmatch(text.strip()):
            count = int(re.sub("[_,]", "", rows["count"]))
            found[stream] = Rule(f"the newest {count:,} rows", rows=count)
        else:
            age = span(text, f"retention of {stream}", "`30d`, `36h` or `5000000 rows`")
            found[stream] = Rule(_age(age), age=age)
        if not (found[stream].rows or found[stream].age):
            raise InvalidArgument(
                f"retention of {stream}: {text!r} would keep nothing",
                hint="to collect no such rows at all, leave the stream out of `streams`",
            )
    return found


def span(text: str, what: str, instead: str) -> Nanos:
    """Read a span of time, as in `10s` or `30d`. Raises `InvalidArgument`."""
    if (found := _SPAN.fullmatch(text.strip())) is None:
        raise InvalidArgument(f"{what}: {text[:40]!r} cannot be read", hint=f"as in {instead}")
    return int(found["count"]) * _UNITS[found["unit"][0]]


def _age(age: Nanos) -> str:
    days, rest = divmod(age, DAY)
    if rest:
        return f"{age / HOUR:g} hours"
    return "1 day" if days == 1 else f"{days} days"


def remove(
    connection: duckdb.DuckDBPyConnection,
    stream: str,
    rule: Rule,
    *,
    now: Nanos | None = None,
    lock: Lock = nullcontext,
    rest: Callable[[], bool] = lambda: True,
) -> Removed:
    """Remove what a rule keeps no longer: the archived days in one transaction, then the hot rows by days."""
    now = time.time_ns() if now is None else now
    found = Removed(stream)
    what = f"{stream} that are kept for {rule.said}"
    with lock(), Rewriting.begun(connection, STREAMS[stream], what) as rewriting:
        bounds = _bounds(rewriting, rule, now)
        gone = [one for one in archived(rewriting.cursor, stream) if _too_old(one, bounds)]
        if gone:
            rewriting.drop(gone)
            _note(rewriting.cursor, stream, rule, ((_key(one), _stretch(one)) for one in gone))
            rewriting.commit()
            found.files, found.rows = len(gone), sum(one.rows for one in gone)
            found.series |= {_key(one) for one in gone}
    while bounds and rest():
        with lock(), Rewriting.begun(connection, STREAMS[stream], what) as rewriting:
            taken = _take_hot(rewriting, rule, bounds)
            if not taken:
                break
            rewriting.commit(views=False)
        found.rows += sum(rows for *_, rows in taken)
        found.series |= {key for key, *_ in taken}
    return found


# ── How far back ──────────────────────────────────────────────────────────────────────────────


def _bounds(rewriting: Rewriting, rule: Rule, now: Nanos) -> dict[Key, int]:
    """Return, for each series, the time in microseconds before which its rows are kept no longer."""
    cursor, stream = rewriting.cursor, rewriting.stream.name
    hot = cursor.execute(
        f"SELECT venue::VARCHAR, symbol::VARCHAR, count(*) FROM {rewriting.hot} WHERE timestamp IS NOT NULL"
        " GROUP BY ALL"
    ).fetchall()
    counts = {(venue, symbol): rows for venue, symbol, rows in hot}
    files: dict[Key, list[Archived]] = {_key(one): [] for one in archived(cursor, stream)}
    for one in archived(cursor, stream):
        files[_key(one)].insert(0, one)  # the newest day first
    series = dict.fromkeys((*counts, *files))
    if rule.rows is None:
        return dict.fromkeys(series, (now - (rule.age or 0)) // US)
    found: dict[Key, int] = {}
    for key in series:
        bound = _nth_newest(rewriting, key, counts.get(key, 0), files.get(key, ()), rule.rows)
        if bound is not None:
            found[key] = bound
    return found


def _nth_newest(rewriting: Rewriting, key: Key, hot: int, files: Sequence[Archived], rows: int) -> int | None:
    """Return from when on a series' newest rows are kept; None where there are no more than these."""
    if hot >= rows:
        ((bound,),) = rewriting.cursor.execute(
            f"SELECT epoch_us(min(timestamp)) FROM (SELECT timestamp FROM {rewriting.hot}"
            " WHERE venue = ? AND symbol = ? AND timestamp IS NOT NULL ORDER BY timestamp DESC LIMIT ?)",
            [*key, rows],
        ).fetchall()
        return bound
    total = hot
    for one in files:
        total += one.rows
        if total >= rows:
            return _stretch(one)[0]
    return None


def _key(one: Archived) -> Key:
    return one.venue, one.symbol


def _stretch(one: Archived) -> Stretch:
    return one.first_us, one.last_us + 1


def _too_old(one: Archived, bounds: Mapping[Key, int]) -> bool:
    return _key(one) in bounds and one.last_us < bounds[_key(one)]


def _take_hot(rewriting: Rewriting, rule: Rule, bounds: Mapping[Key, int]) -> list[tuple[Key, Stretch, int]]:
    """Remove the oldest day of hot rows that are beyond the bounds; return what went of each series."""
    cursor = rewriting.cursor
    cursor.execute("CREATE OR REPLACE TEMP TABLE kept_from (venue VARCHAR, symbol VARCHAR, bound BIGINT)")
    cursor.executemany("INSERT INTO kept_from VALUES (?, ?, ?)", [[*key, at] for key, at in bounds.items()])
    beyond = (
        "hot.venue::VARCHAR = kept_from.venue AND hot.symbol::VARCHAR = kept_from.symbol"
        " AND hot.timestamp < make_timestamp(kept_from.bound)"
    )
    ((oldest,),) = cursor.execute(
        f"SELECT min(hot.timestamp)::DATE FROM {rewriting.hot} AS hot, kept_from WHERE {beyond}"
    ).fetchall()
    if oldest is None:
        return []
    beyond += f" AND hot.timestamp < DATE '{oldest}' + INTERVAL 1 DAY"
    found = cursor.execute(
        "SELECT hot.venue::VARCHAR, hot.symbol::VARCHAR, epoch_us(min(hot.timestamp)),"
        f" epoch_us(max(hot.timestamp)) + 1, count(*) FROM {rewriting.hot} AS hot, kept_from"
        f" WHERE {beyond} GROUP BY ALL"
    ).fetchall()
    cursor.execute(f"DELETE FROM {rewriting.hot} AS hot USING kept_from WHERE {beyond}")
    taken = [((venue, symbol), (first, last), rows) for venue, symbol, first, last, rows in found]
    _note(cursor, rewriting.stream.name, rule, ((key, stretch) for key, stretch, _ in taken))
    return taken


# ── Saying so ─────────────────────────────────────────────────────────────────────────────────


def _note(
    cursor: duckdb.DuckDBPyConnection, stream: str, rule: Rule, gone: Iterable[tuple[Key, Stretch]]
) -> None:
    """Make the gap of each series reach over what was removed, in the place of the gaps that lie in it."""
    stretches: dict[Key, Stretch] = {}
    for key, (first, last) in gone:
        had = stretches.get(key, (first, last))
        stretches[key] = (min(had[0], first), max(had[1], last))
    reason = f"{REMOVED}kept {'are' if rule.rows else 'for'} {rule.said}"
    for key, (first, last) in stretches.items():
        series = [*key, stream]
        before = cursor.execute(
            'SELECT epoch_us(min("from")), epoch_us(max("until")) FROM gaps'
            " WHERE venue = ? AND symbol = ? AND stream = ? AND starts_with(reason, ?)",
            [*series, REMOVED],
        ).fetchone()
        if before is not None and before[0] is not None:
            first, last = min(before[0], first), max(before[1], last)
        cursor.execute(
            "DELETE FROM gaps WHERE venue = ? AND symbol = ? AND stream = ?"
            ' AND "from" >= make_timestamp(?) AND "until" <= make_timestamp(?)',
            [*series, first, last],
        )
        cursor.execute(
            'INSERT INTO gaps (venue, symbol, stream, "from", "until", reason, filled_at, run)'
            " SELECT ?, ?, ?, make_timestamp(?), make_timestamp(?), ?, NULL, coalesce(max(id), 0) FROM runs",
            [*series, first, last, reason],
        )
        backfills.forget(cursor, (*key, stream), first, last)  # what was brought in there is gone

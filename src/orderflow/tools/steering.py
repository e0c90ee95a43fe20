"""Steering: what is collected, and what changes it; and tasks that take a while.

What changes something is a family of its own, `control`, that answers only where it is switched on.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta as Range

from orderflow.jobs.tasks import Task
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import MS
from orderflow.tools.answers import TIME, Answer, Meta, Row
from orderflow.tools.board import gap_row, last_hour, remarks
from orderflow.tools.context import Steering
from orderflow.tools.spec import Ask, Instant, VenueId, tool
from orderflow.tools.times import instant

STREAM, CONTROL = "stream", "control"

_FEEDS = {
    "venue": "", "state": "", "connections": "", "not_listed": "", "restarts": "count", "error": "",
}  # fmt: skip
_HEALTH = {"what": "", "value": "", "unit": "", "note": ""}
_ALERTS = {
    "time": TIME,
    "level": "",
    "venue": "",
    "symbol": "",
    "stream": "",
    "what": "",
    "until": TIME,
    "lasts": "",
}
_CHANGES = {"changed": ""}
_TASKS = {
    "id": "", "kind": "", "state": "", "began": TIME, "ended": TIME, "progress": "", "result": "", "error": "",
}  # fmt: skip
_LEVELS = ("critical", "warning", "info")


def _meta(ask: Ask, columns: dict[str, str], **more: Any) -> Meta:
    return Meta(
        tool=ask.tool,
        as_of=ask.as_of,
        source=ask.source,
        units={name: unit for name, unit in columns.items() if unit},
        coverage_reason="says what is collected, nothing about markets",
        warnings=remarks(ask),
        **more,
    )


def _steered(ask: Ask) -> Steering:
    """Return what steers the collector of this process; raise `NoData` where none runs."""
    if ask.context.steering is None:
        raise NoData("no collector runs in this process", hint="start one: orderflow up, then ask it")
    return ask.context.steering


def _allowed(ask: Ask) -> Steering:
    """Return the same for who changes something; raise `InvalidArgument` where that is switched off."""
    steering = _steered(ask)
    if not ask.context.writes:
        raise InvalidArgument(
            f"{ask.tool} changes what is collected, and that is switched off here",
            hint="its owner starts the collector with --allow-control, or uses `orderflow feeds`",
        )
    return steering


# ── How it stands ─────────────────────────────────────────────────────────────────────────────


@tool(family=STREAM, title="What is collected", columns=_FEEDS, example={}, asks_store=True, core=False)
def stream_status(ask: Ask) -> Answer:
    """Which venues, symbols and streams are being collected, each venue's connections, and what a venue does not
    list.

    Use it before changing something; system_health says how old the data are.
    """
    state = _steered(ask).state()
    rows: list[Row] = [
        [
            name, one["state"], " ".join(one["connections"]), " ".join(one["not_listed"]), one["restarts"],
            one["error"],
        ]
        for name, one in state["venues"].items()
    ]  # fmt: skip
    summary = {name: value for name, value in state.items() if name != "venues"}
    return Answer(
        meta=_meta(ask, _FEEDS),
        columns=list(_FEEDS),
        rows=rows,
        summary={**summary, "control": "on" if ask.context.writes else "off"},
    )


@tool(family=STREAM, title="Figures of collecting", columns=_HEALTH, example={}, core=False)
def stream_health(ask: Ask) -> Answer:
    """How collecting goes, in figures: frames, rows a second, flushes, memory, backlog, lag of the loop, uptime, and
    what is wrong.

    Use it to see if a collector keeps up; system_health has each venue.
    """
    health = ask.context.health()
    store, memory, backlog = (dict(health.get(one) or {}) for one in ("store", "memory", "backlog"))
    told: list[tuple[str, Any, str, str]] = [
        ("status", health.get("status"), "", "; ".join(health.get("reasons", []))),
        ("uptime", health.get("uptime_s"), "s", ""),
        ("frames", health.get("frames"), "count", "since the start"),
        ("unreadable_frames", health.get("unreadable_frames"), "count", "of them"),
        ("rows_written", store.get("rows_written"), "rows", "since the start"),
        ("rows_per_s", store.get("rows_per_s"), "rows/s", "of the last minute"),
        ("flush_median", store.get("flush_median_ms"), "ms", ""),
        ("flush_p99", store.get("flush_p99_ms"), "ms", ""),
        ("store", store.get("bytes"), "bytes", "of the file"),
        ("memory", memory.get("resident_bytes"), "bytes", "of the process"),
        ("database_memory", memory.get("database_bytes"), "bytes", "of it"),
        ("backlog", backlog.get("frames"), "frames", "received and not yet looked at"),
        ("loop_lag_p99", health.get("loop_lag_p99_ms"), "ms", ""),
        ("gaps_last_hour", len(ask.gaps()), "count", ""),
    ]
    rows: list[Row] = [[what, value, unit, note] for what, value, unit, note in told if value is not None]
    if len(rows) < 2:  # the gaps alone: nobody runs
        raise NoData("nothing is being collected", hint="start a collector: orderflow up")
    return Answer(meta=_meta(ask, {}, window=last_hour(ask)), columns=list(_HEALTH), rows=rows)


@tool(
    family=STREAM,
    title="Alerts of collecting",
    columns=_ALERTS,
    example={"level": "warning"},
    limit=50,
    core=False,
)
def stream_alerts(ask: Ask, level: Literal["critical", "warning", "info"] | None = None) -> Answer:
    """What is wrong with collecting now, and the gaps of the last hour: critical (a venue is lost), warning (degraded,
    or a gap that lasts), info (a gap that is over), newest first.

    Use it for "did we miss something".

    Args:
        level: this one and graver ones; all when left out
    """
    health = ask.context.health()
    if not health.get("venues") and not ask.gaps():
        raise NoData("nothing is being collected", hint="start a collector: orderflow up")
    rows: list[Row] = []
    for venue, state in health.get("venues", {}).items():
        grave = {"unhealthy": "critical", "degraded": "warning"}.get(str(state.get("status")))
        if grave is not None:
            rows.append([ask.as_of, grave, venue, "", "", str(state.get("reason", "")), None, True])
    own = [one for one in health.get("reasons", []) if one.partition(":")[0] not in health.get("venues", {})]
    rows += [[ask.as_of, "warning", "", "", "", one, None, True] for one in own]
    for gap in ask.gaps():
        lasts, until = gap.until_ts is None, None if gap.until_ts is None else gap.until_ts // MS
        grave = "warning" if lasts else "info"
        rows.append([gap.from_ts // MS, grave, gap.venue, gap.symbol, gap.stream, gap.reason, until, lasts])
    kept = [row for row in rows if level is None or _LEVELS.index(row[1]) <= _LEVELS.index(level)]
    kept.sort(key=lambda row: (not row[7], -row[0]))
    counted = {one: sum(row[1] == one for row in rows) for one in _LEVELS}
    gaps = [gap_row(one) for one in ask.gaps()[-10:]]
    return Answer(
        meta=_meta(ask, _ALERTS, window=last_hour(ask), gaps=gaps),
        columns=list(_ALERTS),
        rows=kept,
        summary=counted,
    )


# ── What changes it ───────────────────────────────────────────────────────────────────────────


def _changed(ask: Ask, done: Any) -> Answer:
    rows: list[Row] = [[one] for one in done.changed]
    state = {name: value for name, value in done.state.items() if name != "venues"}
    return Answer(
        meta=_meta(ask, {}),
        columns=list(_CHANGES),
        rows=rows,
        summary={
            "verdict": f"{len(rows)} changed" if rows else "all was so already",
            "collected": list(done.state["venues"]),
            **state,
            "lasts": done.hint,
        },
    )


@tool(
    family=CONTROL,
    title="Start collecting",
    columns=_CHANGES,
    example={"venues": ["bybit_spot"]},
    asks_store=True,
    core=False,
    read_only=False,
)
def stream_start(ask: Ask, venues: list[VenueId] | None = None, symbols: list[str] | None = None) -> Answer:
    """Start collecting from venues, with the symbols that are collected or with others.

    Use it to add a venue while the collector runs. It lasts until the next start of the collector.

    Args:
        venues: to be started, all when left out; those that run stay as they are
        symbols: collect these on every venue from now on; as they are when left out
    """
    steering = _allowed(ask)
    before = steering.configure(symbols, None, None).changed if symbols else []
    done = steering.start(venues or steering.state()["not_collected"])
    done.changed[:0] = before
    return _changed(ask, done)


@tool(
    family=CONTROL,
    title="Stop collecting",
    columns=_CHANGES,
    example={"venues": ["bybit_spot"]},
    asks_store=True,
    core=False,
    read_only=False,
)
def stream_stop(ask: Ask, venues: list[VenueId] | None = None) -> Answer:
    """Stop collecting from venues; what is stored stays, and the time without them is a gap that says so.

    Use it to give up a venue while the others go on.

    Args:
        venues: to be stopped; all when left out
    """
    steering = _allowed(ask)
    return _changed(ask, steering.stop(venues or list(steering.state()["venues"])))


@tool(
    family=CONTROL,
    title="Configure collecting",
    columns=_CHANGES,
    example={"symbols": ["BTCUSDT", "ETHUSDT"]},
    asks_store=True,
    core=False,
    read_only=False,
)
def stream_configure(
    ask: Ask,
    symbols: list[str] | None = None,
    streams: list[str] | None = None,
    flush_interval_s: float | None = None,
) -> Answer:
    """Choose which symbols and streams are collected on every venue, and how often they are written.

    Use it to follow another coin. It lasts until the next start of the collector.

    Args:
        symbols: all that are to be collected from now on
        streams: all that are to be collected, or all
        flush_interval_s: seconds between two writes, 0.1 to 60
    """
    if symbols is None and streams is None and flush_interval_s is None:
        raise InvalidArgument("nothing is to be changed", hint="name symbols, streams or flush_interval_s")
    return _changed(ask, _allowed(ask).configure(symbols, streams, flush_interval_s))


# ── Tasks ─────────────────────────────────────────────────────────────────────────────────────


def _told(ask: Ask, tasks: list[Task]) -> Answer:
    rows: list[Row] = [
        [one.id, one.kind, one.state, one.began, one.ended, one.progress, one.result, one.error]
        for one in tasks
    ]
    return Answer(meta=_meta(ask, _TASKS), columns=list(_TASKS), rows=rows)


@tool(
    family=CONTROL,
    title="Bring in the past",
    columns=_TASKS,
    example={"symbols": ["BTCUSDT"], "since": "-1d", "streams": ["trades"]},
    asks_store=True,
    core=False,
    read_only=False,
)
def history_backfill(
    ask: Ask,
    venues: list[VenueId] | None = None,
    symbols: list[str] | None = None,
    streams: list[str] | None = None,
    since: Instant | None = None,
    until: Instant = "now",
) -> Answer:
    """Begin to bring in the past from archives and REST history: a window, or all known gaps; answers at once with a
    job.

    Use job_status to see how far it is. Twice changes nothing.

    Args:
        venues: all that are collected when left out
        symbols: all that are collected when left out
        streams: all that are collected when left out
        since: begin of the window; the known gaps when left out
        until: end of the window
    """
    steering = _allowed(ask)
    window = None if since is None else (instant(since, ask.now), instant(until, ask.now))
    if window is not None and window[0] >= window[1]:
        raise InvalidArgument(
            "the window is empty: since does not lie before until", hint="since=-1d, until=now"
        )
    return _told(ask, [steering.backfill(venues, symbols, streams, window)])


@tool(
    family=CONTROL,
    title="Export to files",
    columns=_TASKS,
    example={"streams": ["trades"], "symbols": ["BTCUSDT"], "since": "-1d"},
    asks_store=True,
    core=False,
    read_only=False,
)
def history_export(
    ask: Ask,
    streams: Annotated[list[str], Range(min_length=1)],
    symbols: list[str] | None = None,
    venues: list[VenueId] | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    format: Literal["parquet", "csv", "arrow"] = "parquet",
) -> Answer:
    """Begin to write rows into files beside the database, by symbol, venue and day; answers at once with a job.

    Use job_status to see how far it is and where the files are.

    Args:
        streams: as trades, prices
        symbols: all when left out
        venues: all when left out
        since: begin; from the first row when left out
        until: end; to the last row when left out
        format: of the files
    """
    window = tuple(None if one is None else instant(one, ask.now) for one in (since, until))
    task = _allowed(ask).export(streams, symbols or [], venues or [], (window[0], window[1]), format)
    return _told(ask, [task])


@tool(
    family=STREAM,
    title="Jobs and how far they are",
    columns=_TASKS,
    example={},
    limit=50,
    asks_store=True,
    core=False,
)
def job_status(ask: Ask, id: str | None = None) -> Answer:
    """The jobs of this collector, newest first: what they do, how far they are, their result or why they failed.

    Use it after history_backfill or history_export.

    Args:
        id: this one alone
    """
    tasks = _steered(ask).tasks()
    kept = [one for one in reversed(tasks) if id in (None, one.id)]
    if id is not None and not kept:
        known = ", ".join(one.id for one in tasks[-5:]) or "none was begun since the collector started"
        raise NoData(f"no job {id[:40]!r}", hint=f"jobs: {known}")
    return _told(ask, kept)


@tool(
    family=CONTROL,
    title="Cancel a job",
    columns=_TASKS,
    example={"id": "export-1a2b3c4d"},
    asks_store=True,
    core=False,
    read_only=False,
)
def job_cancel(ask: Ask, id: str) -> Answer:
    """Cancel a job that is running; what it has finished stays, and the same order later goes on from there.

    Use it when a job is no longer wanted.

    Args:
        id: as job_status tells it
    """
    return _told(ask, [_allowed(ask).cancel(id)])

"""System tools: is everything well, and if not, what is not."""

from collections.abc import Mapping
from typing import Any

from orderflow.tools.answers import Answer, Meta, Row, Venues
from orderflow.tools.board import gap_row, last_hour, remarks
from orderflow.tools.spec import Ask, tool

FAMILY = "system"

_HEALTH = {
    "venue": "",
    "status": "",
    "connected": "",
    "age_ms": "ms",
    "lag_ms": "ms",
    "reconnects": "count",
    "gaps_last_hour": "count",
    "rows": "rows",
    "rows_per_s": "rows/s",
    "reason": "",
}
_MOST_GAPS = 20


@tool(
    family=FAMILY,
    title="Health of the system",
    columns=_HEALTH,
    example={},
)
def system_health(ask: Ask) -> Answer:
    """Whether data flow: each venue's connection, age of its newest datum, reconnects, gaps of the
    last hour and rows; and the store.

    Use it first when an answer is missing, old or marked stale. Says live, replay or simulated.
    """
    health = ask.context.health()
    gaps = ask.gaps()
    venues: Mapping[str, Mapping[str, Any]] = health.get("venues", {})
    counted = {venue: sum(gap.venue == venue for gap in gaps) for venue in venues}
    rows: list[Row] = []
    for venue, state in venues.items():
        known = {"gaps_last_hour": counted[venue], **state, "venue": venue}
        rows.append([known.get(name) for name in _HEALTH])
    ages = [state["age_ms"] for state in venues.values() if state.get("age_ms") is not None]
    down = {
        venue: str(state.get("reason") or "not connected")
        for venue, state in venues.items()
        if state.get("connected") is False
    }
    summary: dict[str, Any] = {
        "status": health.get("status", "unknown"),
        "reasons": list(health.get("reasons", [])),
        "kind": ask.source,
    }
    summary |= {name: value for name, value in health.items() if name not in ("venues", *summary)}
    return Answer(
        meta=Meta(
            tool=ask.tool,
            as_of=ask.as_of,
            source=ask.source,
            venues=Venues(
                asked=list(venues), answered=[one for one in venues if one not in down], missing=down
            ),
            units={name: unit for name, unit in _HEALTH.items() if unit},
            window=last_hour(ask),
            coverage_reason="health is of the run, not of a window; the gaps are those of the last hour",
            gaps=[gap_row(gap) for gap in gaps[-_MOST_GAPS:]],
            age_ms=min(ages, default=None),
            warnings=remarks(ask),
        ),
        columns=list(_HEALTH),
        rows=rows,
        summary=summary,
    )

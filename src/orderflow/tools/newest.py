"""Newest: what the live state holds of each series while it is fresh, and the meta of an answer about now."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from orderflow import venues as forms
from orderflow.market.events import HOUR, MS, Event, Nanos
from orderflow.store.answers import Coverage
from orderflow.tools.answers import Meta, Source, Venues, Window
from orderflow.tools.board import MOST_GAPS, gap_row, remarks
from orderflow.tools.past import Past, overall, silent
from orderflow.tools.spec import Ask
from orderflow.tools.times import millis

FRESH: Nanos = 2 * HOUR  # what was told longer ago is not what is asked now
OLD: Nanos = 24 * HOUR  # what was told longer ago is not shown as now's at all

From: TypeAlias = Literal["live", "rest", "stored"]
E = TypeVar("E", bound=Event)


class Said(NamedTuple):
    """Which venue a figure of now is of, how old it is, and whether the live state, the venue or the store told it."""

    venue: str
    age_ms: float
    source: From


def newest(
    ask: Ask, events: Iterable[E], symbol: str | None = None, most: Nanos = OLD
) -> dict[tuple[str, str], E]:
    """Return, by symbol and venue, what was told and is not older than `most`; of all symbols or of one."""
    return {
        (one.symbol, one.venue): one
        for one in events
        if symbol in (None, one.symbol) and ask.now - (one.ts_recv or one.ts_event or 0) <= most
    }


def said(ask: Ask, event: Event) -> Said:
    """Return whose an event of the latest state is; where that is read from a file, the store told it."""
    told = event.ts_recv or event.ts_event or 0
    age = round(max(0.0, (ask.now - told) / MS), 1)  # a clock a little ahead of ours is no age below zero
    return Said(event.venue, age, "stored" if ask.context.stored else "live")


def meta_of_now(
    ask: Ask,
    asked: Past,
    stream: str,
    columns: Mapping[str, str],
    figures: Sequence[Said],
    coverage: Mapping[str, Coverage],
    why: str = "",
) -> Meta:
    """Return the meta of an answer about now; `coverage` is that of what is stored beside it.

    Without any, `why` says what that would have told.
    """
    answered = list(dict.fromkeys(one.venue for one in figures))
    share, remark = overall(coverage) if coverage else (None, why)
    missing = silent(coverage, stream, asked.venues)
    for venue in asked.venues or coverage:
        missing.setdefault(venue, f"nothing told of its {stream}, neither live nor stored in this window")
    gaps = sorted((gap for one in coverage.values() for gap in one.gaps), key=lambda gap: gap.from_ts)
    return Meta(
        tool=ask.tool,
        as_of=ask.as_of,
        source=_source(ask, figures),
        symbol=asked.symbol or None,
        venues=Venues(
            asked=list(asked.venues or dict.fromkeys([*answered, *coverage])),
            answered=answered,
            missing={venue: reason for venue, reason in missing.items() if venue not in answered},
        ),
        units={name: unit for name, unit in columns.items() if unit},
        window=Window(since=millis(asked.since), until=millis(asked.until)),
        coverage_pct=share,
        coverage_reason=remark,
        gaps=[gap_row(one) for one in gaps[-MOST_GAPS:]],
        age_ms=min((one.age_ms for one in figures), default=None),
        warnings=remarks(ask),
    )


def _source(ask: Ask, figures: Sequence[Said]) -> Source:
    """Tell whose the figures are: of the run, of the store, or of both."""
    kinds = {one.source for one in figures}
    if ask.source != "live" or kinds <= {"live"}:
        return ask.source
    if kinds == {"rest"}:
        return "rest"
    return "stored" if kinds == {"stored"} else "mixed"


def noted(stream: str, venues: Iterable[str]) -> dict[str, str]:
    """Return what venues' forms say that a reader must know of a stream."""
    notes = {one: forms.ALL[one].notes.get(stream, "") for one in venues if one in forms.ALL}
    return {venue: note for venue, note in notes.items() if note}


def remarked(stream: str, venues: Iterable[str]) -> list[str]:
    """Return the same as warnings."""
    return [f"{venue}: {note}" for venue, note in noted(stream, venues).items()]

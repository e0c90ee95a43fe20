"""The past: what the tools that ask the store share: windows, venues that say nothing, and answers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from orderflow import venues as forms
from orderflow.market.errors import InvalidArgument, NoData, UnsupportedByVenue
from orderflow.market.events import MS, Nanos
from orderflow.market.instruments import MARKETS, venue_id
from orderflow.store.answers import Coverage
from orderflow.store.windows import Window as Found
from orderflow.tools.answers import TIME, Answer, Meta, Row, Source, Venues, Window
from orderflow.tools.board import MOST_GAPS, gap_row, remarks, unified
from orderflow.tools.spec import Ask
from orderflow.tools.times import instant, millis

FAMILY = "history"
MOST_READ = 5_000  # rows that one answer is drawn from; beyond, a bar or an export is what is wanted

_KINDS: dict[str | None, Source] = {"simulated": "simulated", "replay": "replay"}


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the past is asked: `venues` None are all that have rows."""

    symbol: str
    venues: list[str] | None
    since: Nanos
    until: Nanos


def past(ask: Ask, symbol: str, venues: Sequence[str] | None, since: str, until: str) -> Past:
    """Read which part of the past is asked; raise `InvalidArgument` for an empty window."""
    first, last = instant(since, ask.now), instant(until, ask.now)
    if first >= last:
        raise InvalidArgument(
            "the window is empty: since does not lie before until", hint="since=-4h, until=now"
        )
    known = ask.history.symbols()
    wanted = symbol if symbol in known or unified(symbol) not in known else unified(symbol)
    asked = list(dict.fromkeys(venue_id(one) for one in venues)) if venues else None
    return Past(symbol=wanted, venues=asked, since=first, until=last)


def check_offered(stream: str, venues: Sequence[str] | None) -> None:
    """Raise `UnsupportedByVenue` where none of the venues asked has such a stream."""
    if venues and not any(stream in MARKETS[one].streams for one in venues):
        having = [one.venue for one in MARKETS.values() if stream in one.streams]
        raise UnsupportedByVenue(
            f"{', '.join(venues)} has no {stream}", hint=f"venues that have: {', '.join(having)}"
        )


def answer(
    ask: Ask,
    found: Found,
    columns: Mapping[str, str],
    rows: Iterable[Row],
    *,
    stream: str,
    asked: Sequence[str] | None = None,
    summary: Mapping[str, Any] | None = None,
) -> Answer:
    """Return rows with what is known of the window that they were found in.

    `columns` have their units, `stream` is the one whose coverage it is.
    """
    answered = [venue for venue, one in found.coverage.items() if one.first is not None]
    share, reason = overall(found.coverage)
    newest = max((one.last for one in found.coverage.values() if one.last is not None), default=None)
    meta = Meta(
        tool=ask.tool,
        as_of=ask.as_of,
        source=_KINDS.get(found.kind, "stored"),
        symbol=found.symbol,
        venues=Venues(
            asked=list(asked or found.venues),
            answered=answered,
            missing=silent(found.coverage, stream, asked),
        ),
        units={name: unit for name, unit in columns.items() if unit},
        window=Window(since=millis(found.since), until=millis(found.until)),
        coverage_pct=share,
        coverage_reason=reason,
        gaps=[gap_row(one) for one in found.gaps[-MOST_GAPS:]],
        age_ms=None if newest is None else (ask.now - newest) / MS,
        warnings=remarks(ask),
    )
    if len(found.gaps) > MOST_GAPS:
        meta.warnings.append(f"{len(found.gaps)} gaps in the window, of which the last {MOST_GAPS} are told")
    told = {venue: one.percent for venue, one in found.coverage.items()}
    return Answer(
        meta=meta,
        columns=list(columns),
        rows=list(rows),
        summary={**(summary or {}), **({"coverage_pct": told} if len(told) > 1 else {})},
    )


def overall(coverage: Mapping[str, Coverage]) -> tuple[float | None, str | None]:
    """Return the mean coverage of the venues, one that was not collected counting as none of it."""
    known = [one.percent for one in coverage.values() if one.percent is not None]
    if not known:
        reasons = dict.fromkeys(one.reason for one in coverage.values() if one.reason)
        return None, "; ".join(reasons) or "nothing was collected"
    mean = sum(known) / len(coverage)
    return mean, f"the mean of {len(coverage)} venues" if len(coverage) > 1 else None


def silent(coverage: Mapping[str, Coverage], stream: str, asked: Sequence[str] | None) -> dict[str, str]:
    """Say of each venue that has no rows why: it has no such stream, does not publish it, or was quiet."""
    found: dict[str, str] = {}
    for venue in asked or MARKETS:
        known = coverage.get(venue)
        cannot = forms.ALL[venue].cannot.get(stream) if venue in forms.ALL else None
        if known is not None and known.first is not None:
            continue
        if cannot is not None:
            found[venue] = cannot
        elif asked and stream not in MARKETS[venue].streams:
            found[venue] = f"has no {stream}"
        elif known is not None:
            found[venue] = known.reason or "no rows in this window, though it was collected"
    return found


def newest_first(found: Found, columns: Mapping[str, str]) -> list[Row]:
    """Return the rows of a window in these columns, the last one first, times in milliseconds."""
    return told(found, columns)[::-1]


def told(found: Found, columns: Mapping[str, str]) -> list[Row]:
    """Return the rows of a window in these columns, times in milliseconds."""
    times = {name for name, unit in columns.items() if unit == TIME}
    return [
        [value // MS if name in times and value is not None else value for name, value in row.items()]
        for row in ({name: one.get(_STORED.get(name, name)) for name in columns} for one in found.rows())
    ]


_STORED = {"time": "timestamp"}  # as answers call it


def attempt(question: Callable[[], Found]) -> Found | None:
    """Ask what may have no answer beside one that has."""
    try:
        return question()
    except NoData:
        return None


def by_venue(found: Found | None, *names: str) -> dict[str, dict[str, Any]]:
    """Return rows of one a venue as a summary."""
    if found is None:
        return {}
    return {row["venue"]: {name: row[name] for name in names} for row in found.rows()}


def cut_short(found: Answer, window: Found, instead: str) -> Answer:
    """Say that there is more in the window than was read, and what to ask instead."""
    if window.truncated:
        found.meta.warnings.append(
            f"the window holds more than {MOST_READ:,} rows: these are the last of them; {instead}"
        )
    return found

"""Asking: a question put to many venues at once, from the live state where it is fresh, else over REST.

A tool says what it asks, which events answer it and how a row is made of them; who was asked, who answered
and why the others did not is the same for all of them.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from orderflow.market.errors import (
    InvalidArgument,
    NoData,
    OrderflowError,
    UnknownSymbol,
    UnsupportedByVenue,
)
from orderflow.market.events import MS, Event, Nanos
from orderflow.market.instruments import MARKETS, venue_id
from orderflow.tools.answers import Answer, Meta, Row, Source, Venues, Window
from orderflow.tools.board import remarks, unified
from orderflow.tools.spec import Ask
from orderflow.venues.questions import WHOLE, Asked, Told

From: TypeAlias = Literal["live", "rest"]
E = TypeVar("E", bound=Event)

FRESH_MS = 60_000.0  # what the live state heard longer ago is asked of the venue instead
WITHOUT_WINDOW = "an answer about this moment has no window; what a venue tells of the past it tells whole"


class Heard(NamedTuple):
    """What one venue answered: its events, their age, and whether the live state or the venue told them."""

    venue: str
    events: Sequence[Event]
    age_ms: float
    source: From
    native: str | None = None
    notes: tuple[str, ...] = ()

    def of(self, kind: type[E]) -> list[E]:
        return [one for one in self.events if isinstance(one, kind)]

    def one(self, kind: type[E]) -> E | None:
        """Return the newest event of a kind."""
        return next(iter(self.of(kind)[-1:]), None)


class Round(NamedTuple):
    """One round of asking: who answered, in the order of asking, and why the others did not."""

    asked: list[str]
    heard: list[Heard]
    missing: dict[str, str]


Kinds: TypeAlias = tuple[type[Event], ...]


def offering(ask: Ask, questions: Sequence[str], *, of_one: bool) -> dict[str, str]:
    """Return who can be asked, with the first of the questions that each answers, in our order of venues.

    A question about one symbol is answered too by who answers for all of them at once.
    """
    asker = ask.context.asker
    able: dict[str, str] = {}
    for question in questions:
        whole = asker.offered(WHOLE[question]) if of_one and question in WHOLE else ()
        for venue in (*asker.offered(question), *whole):
            able.setdefault(venue, question)
    return {one: able[one] for one in MARKETS if one in able}


def spoken(question: str) -> str:
    """Return a question's name as people say it.

    >>> spoken("funding_history")
    'funding history'
    """
    return question.replace("_", " ")


def hear(
    ask: Ask,
    questions: Sequence[str],
    venues: Sequence[str] | None,
    about: str | None = None,
    *,
    kinds: Kinds,
    live: Callable[[str], Sequence[Event]] | None = None,
    rows: int | None = None,
    period: str | None = None,
    since: Nanos | None = None,
    until: Nanos | None = None,
) -> Round:
    """Ask venues at once, each the first of the questions that it answers; raise where none of them does.

    Of an answer the events of these `kinds` are kept. `live` returns what the live state has heard of a venue;
    where the newest of that is younger than a minute, the venue itself is not asked.
    """
    able = offering(ask, questions, of_one=about is not None)
    wanted = list(dict.fromkeys(venue_id(one) for one in venues)) if venues else list(MARKETS)
    told: dict[str, Heard] = {}
    for venue in wanted if live is not None else ():
        if (fresh := _fresh(ask, venue, live(venue) if live is not None else ())) is not None:
            told[venue] = fresh
    wanted = [one for one in wanted if venues or one in able or one in told]
    if not told and not set(wanted) & set(able):
        raise _nobody(questions[0], venues, list(able))
    missing = {one: f"does not answer {spoken(questions[0])}" for one in wanted if one not in (*able, *told)}
    errors: dict[str, OrderflowError] = {}
    left = [
        (one, Asked(question=able[one], about=about, rows=rows, period=period, since=since, until=until))
        for one in wanted
        if one in able and one not in told
    ]
    for (venue, _), answer in zip(left, ask.context.asker.ask(left) if left else (), strict=True):
        if isinstance(answer, Told):
            told[venue] = _told(ask, venue, answer, kinds)
        else:
            errors[venue] = answer
            missing[venue] = answer.message
    missing |= {
        one: f"tells no {spoken(questions[0])} of it" for one, said in told.items() if not said.events
    }
    heard = [told[one] for one in wanted if one in told and told[one].events]
    if not heard:
        raise _why_none(errors, missing, questions[0], about)
    return Round(wanted, heard, {one: missing[one] for one in wanted if one in missing})


def _nobody(question: str, venues: Sequence[str] | None, able: Sequence[str]) -> UnsupportedByVenue:
    asked = ", ".join(dict.fromkeys(venue_id(one) for one in venues or ())) or "any venue here"
    having = ", ".join(able) or "none is asked here"
    return UnsupportedByVenue(
        f"{asked}: nothing answers {spoken(question)}", hint=f"venues that do: {having}"
    )


def _fresh(ask: Ask, venue: str, events: Sequence[Event]) -> Heard | None:
    newest = max((one.ts_recv or one.ts_event or 0 for one in events), default=None)
    if newest is None or (age := (ask.now - newest) / MS) > FRESH_MS:
        return None
    return Heard(venue, events, round(max(0.0, age), 1), "live")


def _told(ask: Ask, venue: str, answer: Told, kinds: Kinds) -> Heard:
    age = round(max(0.0, (ask.context.clock() - answer.at) / MS), 1)
    kept = [one for one in answer.events if isinstance(one, kinds)]
    return Heard(venue, kept, age, "rest", answer.native, answer.notes)


def _why_none(
    errors: Mapping[str, OrderflowError], missing: Mapping[str, str], question: str, about: str | None
) -> OrderflowError:
    """Return the error of an answer that nobody gave: that of the one venue asked, or all their reasons."""
    if len(errors) == 1 and len(missing) == 1:
        return next(iter(errors.values()))
    reasons = "; ".join(dict.fromkeys(missing.values()))
    rejected = [one for one in errors.values() if isinstance(one, InvalidArgument)]
    if rejected and len(rejected) == len(errors):
        return rejected[0]
    of = f" of {about[:40]}" if about else ""
    return NoData(f"no {spoken(question)}{of}: {reasons}", hint="system_health says what is missing")


def lately(part: Callable[[str | None], Sequence[E]], venue: str, symbol: str | None) -> list[E]:
    """Return what a part of the live state has of a venue: nothing of a symbol that is not collected."""
    try:
        return [one for one in part(symbol) if one.venue == venue and symbol in (None, one.symbol)]
    except UnknownSymbol:
        return []


# What has no symbol that venues share keeps the venue's name: BTC-25DEC26, BTC_USDC-PERPETUAL.
_OWN_NAME = re.compile(r"[A-Z0-9]+-\d{1,2}[A-Z]{3}\d\d|[A-Z0-9]+_[A-Z0-9]+-(PERPETUAL|\d{1,2}[A-Z]{3}\d\d)")


def wanted_symbol(symbol: str) -> str:
    """Return a symbol as ours are written; raise `InvalidArgument` for what can be none."""
    own = symbol.strip().upper()
    found = own if _OWN_NAME.fullmatch(own) else unified(symbol)
    if not found:
        raise InvalidArgument(f"symbol: {symbol[:40]!r} is none", hint="symbol: as in BTCUSDT")
    return found


def meta_of(
    ask: Ask,
    found: Round,
    columns: Mapping[str, str],
    symbol: str | None = None,
    window: Window | None = None,
) -> Meta:
    """Return the meta of what a round was told."""
    return Meta(
        tool=ask.tool,
        as_of=ask.as_of,
        source=source_of(ask, {one.source for one in found.heard}),
        symbol=symbol,
        native={one.venue: one.native for one in found.heard if one.native is not None},
        venues=Venues(asked=found.asked, answered=[one.venue for one in found.heard], missing=found.missing),
        units={name: unit for name, unit in columns.items() if unit},
        window=window,
        coverage_reason=WITHOUT_WINDOW,
        age_ms=min((one.age_ms for one in found.heard), default=None),
        warnings=[
            *remarks(ask),
            *dict.fromkeys(f"{one.venue}: {note}" for one in found.heard for note in one.notes),
        ],
    )


def tell(
    ask: Ask,
    found: Round,
    columns: Mapping[str, str],
    rows: Sequence[Row],
    *,
    symbol: str | None = None,
    summary: Mapping[str, Any] | None = None,
    window: Window | None = None,
) -> Answer:
    """Return rows in columns with their units, as what a round was told."""
    meta = meta_of(ask, found, columns, symbol, window)
    return Answer(meta=meta, columns=list(columns), rows=list(rows), summary=dict(summary or {}))


def instant_of(event: Event) -> int | None:
    """Return when something was, in epoch milliseconds; None where the venue does not say."""
    return None if event.ts_event is None else event.ts_event // MS


def source_of(ask: Ask, kinds: Iterable[From]) -> Source:
    """Tell whose the figures are; those of a simulated or replayed run stay that."""
    if ask.context.latest.kind in ("simulated", "replay"):
        return ask.source
    found = list(dict.fromkeys(kinds))
    return "mixed" if len(found) > 1 else found[0] if found else ask.source

"""Open interest now: how much is open on each venue, and what changed over a period."""

from typing import Any

from orderflow.market.errors import InvalidArgument, NoData, UnknownSymbol
from orderflow.market.events import DAY, HOUR, MS, MarkPrice, Nanos, OpenInterest
from orderflow.market.instruments import MARKETS
from orderflow.store.bar import bar
from orderflow.tools.answers import Answer, Row, Table
from orderflow.tools.asking import Kinds, wanted_symbol
from orderflow.tools.board import symbols
from orderflow.tools.instead import NOBODY, Instead, ask_instead, check_answers, ids, reason, rest
from orderflow.tools.market import FAMILY
from orderflow.tools.newest import FRESH, Said, meta_of_now, newest, remarked
from orderflow.tools.open_interest import INTERESTS, Open, open_interest_series, opened, percent_change
from orderflow.tools.past import Past, attempt, past
from orderflow.tools.prices import units
from orderflow.tools.spec import AnyVenueId, Ask, Instant, tool

_NOW = {
    "symbol": "", "venue": "", "open_interest": "base", "contracts": "contracts", "open_interest_usd": "USD",
    "value": "quote", "change": "base", "change_pct": "%", "change_value": "quote", "compared_with": "UTC",
    "age_ms": "ms", "source": "",
}  # fmt: skip
_KINDS: Kinds = (OpenInterest, MarkPrice)
WHOLE = "52w"  # bars so long that of a window each venue's last row is left


@tool(
    family=FAMILY,
    title="Open interest now",
    columns=_NOW | INTERESTS,
    example={"symbol": "BTCUSDT", "period": "15m"},
    limit=100,
    core=False,
    open_world=True,
    asks_store=True,
)
def market_open_interest(
    ask: Ask,
    symbol: str | None = None,
    venues: list[AnyVenueId] | None = None,
    period: str = "5m",
    since: Instant | None = None,
) -> Answer:
    """Open interest on each venue now: base units, contracts, USD, value at the mark, and the change over a
    period; with `since` its history by period, newest first.

    Use it to see whether positions are opened or closed.

    Args:
        symbol: unified symbol as in BTCUSDT; all of the venues named, or that are live, when left out
        venues: all that are collected when left out; others are asked
        period: of the change and of the history's rows, as 5m, 1h, 1d
        since: begin of the history, as -8h; none when left out
    """
    length = bar(period).length
    own = ids(venues)
    check_answers(ask, "open_interest", "open_interest", own)
    if symbol is None:
        if since is not None:
            raise InvalidArgument("the history is told of one symbol", hint="symbol=BTCUSDT")
        return _every_symbol(ask, own)
    recent = Past(symbol=wanted_symbol(symbol), venues=own, since=ask.now - length, until=ask.now + MS)
    found: list[Open] = []
    why = None
    try:
        recent = past(ask, symbol, own, str(recent.since // MS), str(ask.as_of + 1))
        found = _present(ask, recent)
    except (NoData, UnknownSymbol) as error:
        why = error
    fresh = {one.venue for one in found if one.said.age_ms <= FRESH / MS}
    left = own if not found else [one for one in own or () if one not in fresh]
    asked_now = ask_instead(ask, "open_interest", left, recent.symbol, _KINDS)
    told = {one.venue for one in asked_now.heard}
    found = [*(one for one in found if one.venue not in told), *_asked(ask, asked_now)]
    if not found and why is not None:
        raise reason(asked_now, None if ask.context.history is None else why, own)
    if since is None or why is not None:
        return _answer(ask, recent, found, asked_now)
    asked = past(ask, symbol, own, since, str(ask.as_of + 1))
    try:
        made = open_interest_series(ask, asked, period)
    except NoData as error:
        made = _answer(ask, recent, found, asked_now)
        made.meta.warnings.append(f"the history is not known: {error.message}; {error.hint}")
        return made
    made.more["now"] = Table(columns=list(_NOW), rows=[_row(one) for one in found])
    made.meta.units |= units(_NOW)
    made.meta.age_ms = min((one.said.age_ms for one in found), default=None)
    made.summary["together"] = _together(found)
    made.meta.warnings += remarked("open_interest", made.meta.venues.answered)
    return made


def _present(ask: Ask, asked: Past) -> list[Open]:
    """Return what is open now, and what was when the window asked began.

    A venue's figure is the live one while it is fresh, else the last one stored in a day. Raises `NoData`.
    """
    known = asked.symbol in ask.latest.symbols()
    marks = newest(ask, ask.latest.marks(asked.symbol) if known else (), asked.symbol, FRESH)
    priced = {venue: one.mark for (_, venue), one in marks.items()}
    told = newest(ask, ask.latest.open_interests(asked.symbol) if known else (), asked.symbol, FRESH)
    found = [
        opened(ask, one, priced.get(one.venue))
        for one in told.values()
        if asked.venues is None or one.venue in asked.venues
    ]
    heard = {one.venue for one in found}
    silent = [
        one.venue
        for one in MARKETS.values()
        if "open_interest" in one.streams
        and one.venue not in heard
        and one.venue in (asked.venues or MARKETS)
    ]
    found += [
        Open(
            symbol=asked.symbol, said=Said(row["venue"], (ask.now - row["timestamp"]) / MS, "stored"),
            size=row["open_interest"], contracts=row["contracts"], usd=row["open_interest_usd"],
            mark=priced.get(row["venue"]),
        )
        for row in _last_rows(ask, asked, silent, ask.now - DAY, asked.until)
    ]  # fmt: skip
    if not found:
        # says what there is
        ask.history.window(
            "open_interest", asked.symbol, asked.venues, since=ask.now - DAY, until=asked.until
        )
    period = ask.now - asked.since
    before = _last_rows(ask, asked, [one.venue for one in found], asked.since - period, asked.since + MS)
    then = {row["venue"]: row for row in before}
    for one in found:
        if one.venue in then:
            one.before, one.compared_with = then[one.venue]["open_interest"], then[one.venue]["timestamp"]
    return sorted(found, key=lambda one: (one.size is None, -(one.size or 0.0)))


def _last_rows(ask: Ask, asked: Past, venues: list[str], since: Nanos, until: Nanos) -> list[dict[str, Any]]:
    """Return the last stored row of each venue in [since, until)."""
    if not venues:
        return []
    found = attempt(
        lambda: ask.history.window(
            "open_interest", asked.symbol, venues, since=since, until=until, every=WHOLE
        )
    )
    # where such a bar ends within the window a venue has two rows, the later one second
    return [] if found is None else list({row["venue"]: row for row in found.rows()}.values())


def _asked(ask: Ask, found: Instead) -> list[Open]:
    """Return what venues told to be open when they were asked, the newest of each symbol."""
    told: dict[tuple[str, str], Open] = {}
    for heard in found.heard:
        marks = {one.symbol: one.mark for one in heard.of(MarkPrice)}
        for event in heard.of(OpenInterest):
            told[event.symbol, heard.venue] = opened(ask, event, marks.get(event.symbol), rest(heard))
    return list(told.values())


def _every_symbol(ask: Ask, own: list[str] | None) -> Answer:
    """Return what is open in all symbols: what is live, and of venues that are named, or where nothing is, the rest."""
    marks = newest(ask, ask.latest.marks(None), most=FRESH)
    told = newest(ask, ask.latest.open_interests(None), most=FRESH)
    live = [
        opened(ask, one, marks[key].mark if key in marks else None)
        for key, one in told.items()
        if own is None or one.venue in own
    ]
    asked_now = NOBODY if live and own is None else ask_instead(ask, "open_interests", own, None, _KINDS)
    known = {(one.symbol, one.venue) for one in live}
    found = [*live, *(one for one in _asked(ask, asked_now) if (one.symbol, one.venue) not in known)]
    if not found:
        known_symbols = symbols(ask, None)
        raise NoData(
            f"no open interest received{'' if own is None else ' of ' + ', '.join(own)} in two hours",
            hint=f"name a symbol, and what is stored of it is looked at: {', '.join(known_symbols[:9])}",
        )
    asked = Past(symbol="", venues=own, since=ask.now - FRESH, until=ask.now)
    made = _answer(ask, asked, sorted(found, key=lambda one: (one.symbol, -(one.size or 0.0))), asked_now)
    made.meta.warnings.append("changes and history are told of one symbol: name it")
    return made


def _answer(ask: Ask, asked: Past, found: list[Open], asked_now: Instead) -> Answer:
    figures = [one.said for one in found]
    coverage = {}
    history = ask.context.history
    if asked.symbol and history is not None and asked.symbol in history.symbols():
        venues = list(dict.fromkeys([*(asked.venues or ()), *(one.venue for one in found)]))
        part = (asked.symbol, venues, asked.since, asked.until)
        coverage = history.coverage_by_stream(["open_interest"], *part)["open_interest"]
    why = "no window is looked at"
    meta = meta_of_now(ask, asked, "open_interest", _NOW, figures, coverage, why)
    meta.warnings += remarked("open_interest", meta.venues.answered)
    asked_now.add_to(meta)
    old = [one.venue for one in found if one.said.age_ms > FRESH / MS]
    if old:
        meta.warnings.append(f"{', '.join(old)}: last told more than {FRESH // HOUR} h ago, not in the sums")
    summary = {"together": _together(found)} if asked.symbol else {}
    return Answer(meta=meta, columns=list(_NOW), rows=[_row(one) for one in found], summary=summary)


def _together(found: list[Open]) -> dict[str, Any]:
    """Return the sums of the venues whose figures are fresh, and how many of them each sum is of."""
    fresh = [one for one in found if one.said.age_ms <= FRESH / MS]
    parts = {
        "open_interest": [one.size for one in fresh],
        "value": [one.at_mark(one.size) for one in fresh],
        "change": [one.change for one in fresh],
    }
    sums: dict[str, Any] = {}
    for name, values in parts.items():
        known = [value for value in values if value is not None]
        sums[name] = sum(known) if known else None
        sums[f"{name}_venues"] = len(known)
    return sums


def _row(one: Open) -> Row:
    then = None if one.compared_with is None else one.compared_with // MS
    return [
        one.symbol, one.venue, one.size, one.contracts, one.usd, one.at_mark(one.size), one.change,
        percent_change(one.before, one.size), one.at_mark(one.change), then, one.said.age_ms, one.said.source,
    ]  # fmt: skip

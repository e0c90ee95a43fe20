"""Liquidations: the forced orders of a window with their sums by side, and how much of them a venue sends."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta as Range

from orderflow.market.errors import InvalidArgument, NoData, UnknownSymbol
from orderflow.market.events import MS, Nanos
from orderflow.store.windows import Window, together
from orderflow.tools.answers import Answer, Row, Table
from orderflow.tools.answers import Window as Span
from orderflow.tools.asking import Round, tell, wanted_symbol
from orderflow.tools.instead import NOBODY, check_answers, ids, reason
from orderflow.tools.liquidations_asked import Told, forced_there
from orderflow.tools.market import FAMILY
from orderflow.tools.newest import noted, remarked
from orderflow.tools.past import (
    MOST_READ,
    Past,
    answer,
    by_venue,
    cut_short,
    newest_first,
    past,
)
from orderflow.tools.prices import units
from orderflow.tools.spec import AnyVenueId, Ask, Instant, tool
from orderflow.tools.times import instant, millis

FORCED = {
    "time": "UTC", "venue": "", "side": "", "price": "quote", "quantity": "base", "value": "quote",
}  # fmt: skip
_FORCED_OF = {"symbol": "", **FORCED, "source": ""}
_VENUES = {
    "venue": "", "longs": "count", "long_value": "quote", "shorts": "count", "short_value": "quote",
    "largest_value": "quote", "last": "UTC", "lower_bound": "", "source": "",
}  # fmt: skip
_ADDED = ("long_value", "longs", "short_value", "shorts")
MOST_SYMBOLS = 20  # that are asked one by one where none is named


class Forced(NamedTuple):
    """Forced orders, oldest first, and their sums in the whole window: `sums` by venue, and the `total`.

    A sum is None where a value in it is not known; a venue without any in the window has none, not 0.
    """

    found: Window
    sums: dict[str, dict[str, Any]]
    total: dict[str, Any]


def forced_orders(ask: Ask, asked: Sequence[Past], side: str | None, min_value: float) -> Forced:
    """Return what was closed by force in windows of one or several symbols.

    The sums are of both sides, whichever is listed. Raises `NoData` where none of them has any.
    """
    rows: list[Window] = []
    sums: dict[str, dict[str, Any]] = {}
    missing: list[NoData] = []
    for one in asked:
        part = (one.symbol, one.venues)
        try:
            found = ask.history.window(
                "liquidations", *part, since=one.since, until=one.until, limit=MOST_READ, side=side,
                min_value=min_value,
            )  # fmt: skip
        except NoData as error:
            missing.append(error)
            continue
        rows.append(found)
        totals = ask.history.liquidation_bars(*part, None, one.since, one.until, min_value)
        for venue, sum_ in by_venue(totals, *_ADDED, "largest_value").items():
            sums[venue] = _plus(sums[venue], sum_) if venue in sums else sum_
    if not rows and len(missing) == 1:
        raise missing[0]  # says what there is of the symbol
    if not rows:
        raise NoData(
            "no liquidations of any symbol in this window", hint="an earlier since, or name a symbol"
        )
    return Forced(together(rows), sums, added(sums))


def _plus(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    added = {
        name: None if one[name] is None or other[name] is None else one[name] + other[name] for name in _ADDED
    }
    largest = [row["largest_value"] for row in (one, other) if row["largest_value"] is not None]
    return {**added, "largest_value": max(largest, default=None)}


def added(sums: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the sums of all venues; unknown where one of them is."""
    found: dict[str, Any] = {}
    for name in _ADDED:
        parts = [one[name] for one in sums.values()]
        found[name] = None if any(one is None for one in parts) else sum(parts)
    return found


def lower_bounds(venues: Iterable[str]) -> dict[str, str]:
    """Return what the venues say themselves of liquidations that they do not send."""
    return {one: note for one, note in noted("liquidations", venues).items() if "lower bound" in note}


@tool(
    family=FAMILY,
    title="Latest liquidations",
    columns=_FORCED_OF,
    example={"symbol": "BTCUSDT"},
    limit=50,
    core=False,
    open_world=True,
    asks_store=True,
)
def market_liquidations(
    ask: Ask,
    symbol: str | None = None,
    venues: list[AnyVenueId] | None = None,
    since: Instant = "-1d",
    side: Literal["long", "short"] | None = None,
    min_value: Annotated[float, Range(ge=0)] = 0.0,
) -> Answer:
    """The latest positions closed by force, newest first, with counts and values of longs and shorts, by
    venue and together, and which venues send only part of them.

    Use it for "who is being liquidated". A SELL order closes a long: side is the position's.

    Args:
        symbol: unified symbol as in BTCUSDT; all when left out
        venues: all that are collected when left out; others are asked
        since: begin of the sums, as -1h
        side: of the rows; both when left out
        min_value: least value, in quote units
    """
    own = ids(venues)
    check_answers(ask, "liquidations", "liquidations", own)
    forced: Forced | None = None
    why = None
    try:
        forced = forced_orders(ask, _windows(ask, symbol, own, since), side, min_value)
    except (NoData, UnknownSymbol) as error:
        why = error
    left = own if forced is None else [one for one in own or () if one not in forced.sums]
    window = (instant(since, ask.now), ask.now)
    told = Told(NOBODY, {})
    if symbol is not None or own is not None:
        about = None if symbol is None else wanted_symbol(symbol)
        told = forced_there(ask, about, left, window, min_value)
    if forced is None and not told.orders:
        raise reason(told.asked, None if ask.context.history is None else why, own)
    made = _of_told(ask, told, window) if forced is None else _of_store(ask, forced, own)
    made.meta.symbol = None if symbol is None else made.meta.symbol or wanted_symbol(symbol)
    told.asked.add_to(made.meta)
    made.rows += told.rows(side)
    made.rows.sort(key=lambda row: -row[1])
    sums = ({} if forced is None else forced.sums) | told.sums
    bounds = lower_bounds(sums)
    made.summary["together"] = {**added(sums), "lower_bound": bool(bounds)}
    rows = [] if forced is None else _by_venue(forced, bounds)
    made.more["venues"] = Table(columns=list(_VENUES), rows=rows + told.venues(list(_VENUES), bounds))
    made.meta.units |= units(_VENUES)
    made.meta.warnings += remarked("liquidations", sums)
    return made


def _of_store(ask: Ask, forced: Forced, venues: list[str] | None) -> Answer:
    rows = [[*row[:-1], "stored"] for row in newest_first(forced.found, _FORCED_OF)]
    made = answer(ask, forced.found, _FORCED_OF, rows, stream="liquidations", asked=venues)
    return cut_short(made, forced.found, "min_value leaves the small ones out; the sums are of all")


def _of_told(ask: Ask, told: Told, window: tuple[Nanos, Nanos]) -> Answer:
    """Return the answer of venues alone, without its rows: how much of the window they told they do not say."""
    found = Round(list(told.orders), told.asked.heard, told.asked.missing)
    return tell(ask, found, _FORCED_OF, [], window=Span(since=millis(window[0]), until=millis(window[1])))


def _windows(ask: Ask, symbol: str | None, venues: list[str] | None, since: str) -> list[Past]:
    """Return the window of the symbol, or of each symbol where none is named."""
    until = str(ask.as_of + 1)  # what came in this millisecond counts
    if symbol is not None:
        return [past(ask, symbol, venues, since, until)]
    known = ask.history.symbols()
    if not known:
        raise NoData("nothing is stored yet", hint="system_health says what is collected")
    if len(known) > MOST_SYMBOLS:
        raise InvalidArgument(f"{len(known)} symbols are too many at once", hint="name a symbol")
    return [past(ask, one, venues, since, until) for one in known]


def _by_venue(forced: Forced, bounds: dict[str, str]) -> list[Row]:
    rows: list[Row] = []
    for venue, sum_ in forced.sums.items():
        one = forced.found.coverage.get(venue)
        last = None if one is None or one.last is None else one.last // MS
        known = {"venue": venue, **sum_, "last": last, "lower_bound": venue in bounds, "source": "stored"}
        rows.append([known[name] for name in _VENUES])
    return rows

"""Liquidations: the forced orders of a window with their sums by side, and how much of them a venue sends."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta as Range

from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import MS
from orderflow.store.windows import Window, together
from orderflow.tools.answers import Answer, Row, Table
from orderflow.tools.market import FAMILY
from orderflow.tools.newest import noted, remarked
from orderflow.tools.past import (
    MOST_READ,
    Past,
    answer,
    by_venue,
    check_offered,
    cut_short,
    newest_first,
    past,
)
from orderflow.tools.prices import units
from orderflow.tools.spec import Ask, Instant, VenueId, tool

FORCED = {
    "time": "UTC", "venue": "", "side": "", "price": "quote", "quantity": "base", "value": "quote",
}  # fmt: skip
_FORCED_OF = {"symbol": "", **FORCED}
_VENUES = {
    "venue": "", "longs": "count", "long_value": "quote", "shorts": "count", "short_value": "quote",
    "largest_value": "quote", "last": "UTC", "lower_bound": "",
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
    return Forced(together(rows), sums, _added(sums))


def _plus(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    added = {
        name: None if one[name] is None or other[name] is None else one[name] + other[name] for name in _ADDED
    }
    largest = [row["largest_value"] for row in (one, other) if row["largest_value"] is not None]
    return {**added, "largest_value": max(largest, default=None)}


def _added(sums: dict[str, dict[str, Any]]) -> dict[str, Any]:
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
    asks_store=True,
)
def market_liquidations(
    ask: Ask,
    symbol: str | None = None,
    venues: list[VenueId] | None = None,
    since: Instant = "-1d",
    side: Literal["long", "short"] | None = None,
    min_value: Annotated[float, Range(ge=0)] = 0.0,
) -> Answer:
    """The latest positions closed by force, newest first, with counts and values of longs and shorts, by
    venue and together, and which venues send only part of them.

    Use it for "who is being liquidated". A SELL order closes a long: side is the position's.

    Args:
        symbol: unified symbol as in BTCUSDT; all when left out
        venues: all when left out
        since: begin of the sums, as -1h
        side: of the rows; both when left out
        min_value: least value, in quote units
    """
    asked = _windows(ask, symbol, venues, since)
    check_offered("liquidations", asked[0].venues)
    forced = forced_orders(ask, asked, side, min_value)
    bounds = lower_bounds(forced.sums)
    made = answer(
        ask, forced.found, _FORCED_OF, newest_first(forced.found, _FORCED_OF), stream="liquidations",
        asked=asked[0].venues, summary={"together": {**forced.total, "lower_bound": bool(bounds)}},
    )  # fmt: skip
    if symbol is None:
        made.meta.symbol = None
    made.more["venues"] = Table(columns=list(_VENUES), rows=_by_venue(forced, bounds))
    made.meta.units |= units(_VENUES)
    made.meta.warnings += remarked("liquidations", forced.sums)
    return cut_short(made, forced.found, "min_value leaves the small ones out; the sums are of all")


def _windows(ask: Ask, symbol: str | None, venues: list[VenueId] | None, since: str) -> list[Past]:
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
        known = {"venue": venue, **sum_, "last": last, "lower_bound": venue in bounds}
        rows.append([known[name] for name in _VENUES])
    return rows

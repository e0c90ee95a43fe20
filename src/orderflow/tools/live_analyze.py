"""Live analysis: one symbol watched for a while: its price, who took, what was closed by force, and leverage."""

import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta as Range

from orderflow.market.errors import NoData
from orderflow.market.events import MS, SECOND, Nanos
from orderflow.market.instruments import MARKETS, venue_id
from orderflow.tools.answers import Answer, Meta, Row, Venues, Window
from orderflow.tools.board import MOST_GAPS, gap_row, remarks, symbols
from orderflow.tools.context import Hole
from orderflow.tools.market import FAMILY
from orderflow.tools.past import attempt, by_venue
from orderflow.tools.spec import Ask, VenueId, tool
from orderflow.tools.times import millis
from orderflow.tools.watching import Flow, Watch, Watched

EVERY_S = 0.25  # between two looks: a venue trades 200 times in that only at its very busiest
TELL_EVERY = 4  # looks
LONGEST_S = 300

_PRICE = {"open": "quote", "high": "quote", "low": "quote", "close": "quote", "change_pct": "%"}
_FLOW = {
    "trades": "count", "bought": "base", "sold": "base", "delta": "base", "delta_pct": "% of both", "vwap": "quote",
    "largest": "base", "imbalance_begin": "ratio of ten levels", "imbalance_end": "ratio of ten levels",
}  # fmt: skip
_FORCED = {"long_liquidated": "quote", "short_liquidated": "quote"}
_LEVERAGE = {
    "funding_begin": "fraction per interval", "funding_end": "fraction per interval", "open_interest": "base",
    "open_interest_change": "base",
}  # fmt: skip
_ALL = {"venue": "", **_PRICE, **_FLOW, **_FORCED, **_LEVERAGE, "covered_pct": "%"}
_FOCUS = {"all": _ALL, "price": _PRICE, "flow": _FLOW, "liquidations": _FORCED, "leverage": _LEVERAGE}
_WATCHED = ("prices", "orderbooks", "trades")  # streams whose gaps count


@tool(
    family=FAMILY,
    title="Watch and analyse",
    columns=_ALL,
    example={"symbol": "BTCUSDT", "seconds": 10},
    core=False,
    lasts_s=LONGEST_S,
)
def live_analyze(
    ask: Ask,
    symbol: str,
    seconds: Annotated[float, Range(ge=1, le=LONGEST_S)] = 10,
    focus: Literal["all", "price", "flow", "liquidations", "leverage"] = "all",
    venues: list[VenueId] | None = None,
) -> Answer:
    """Watches what is collected for so many seconds, then tells the price's path, what takers bought and sold,
    liquidations, funding, open interest and the book's change, by venue and together.

    Use it for what happens right now; it answers when the time is over.

    Args:
        symbol: unified symbol as in BTCUSDT
        seconds: how long to watch
        focus: which part to tell
        venues: all when left out
    """
    if ask.context.stored or ask.latest.kind is None:
        raise NoData("nothing is being collected in this process", hint="start a collector: orderflow up")
    (wanted,) = symbols(ask, symbol)
    among = None if venues is None else list(dict.fromkeys(venue_id(one) for one in venues))
    begun = ask.context.clock()
    watch = _watched(ask, Watch(ask.latest, wanted, among, begun), seconds)
    until = ask.context.clock()
    if not watch.venues:
        raise NoData(
            f"nothing of {wanted} was received", hint="system_health says which venues are connected"
        )
    gaps = [
        one
        for one in ask.context.gaps(since=begun, until=until)
        if one.stream in _WATCHED and one.symbol in ("", wanted) and one.venue in watch.venues
    ]
    forced = _forced(ask, wanted, list(watch.venues), begun, until)
    columns = list(dict.fromkeys(["venue", *_FOCUS[focus], "covered_pct"]))
    rows: list[Row] = []
    for venue, one in watch.venues.items():
        known = {"venue": venue, **_told(one), **forced.get(venue, {})}
        known["covered_pct"] = covered_pct([gap for gap in gaps if gap.venue == venue], begun, until)
        rows.append([known.get(name) for name in columns])
    meta = _meta(ask, wanted, among, watch, gaps, (begun, until))
    meta.units = {name: _ALL[name] for name in columns if _ALL[name]}
    meta.coverage_pct = sum(row[-1] for row in rows) / len(rows)
    return Answer(
        meta=meta, columns=columns, rows=rows, summary=_together(watch, focus, (until - begun) / SECOND)
    )


def _watched(ask: Ask, watch: Watch, seconds: float) -> Watch:
    """Look again and again until the time is over, and tell how far it is once a second."""
    begun, looks = time.monotonic(), 0
    while True:
        watch.look()
        passed = time.monotonic() - begun
        if looks % TELL_EVERY == 0:
            trades = sum(one.flow.trades for one in watch.venues.values())
            ask.tell(min(passed, seconds), seconds, f"{trades} trades on {len(watch.venues)} venues")
        if passed >= seconds:
            return watch
        looks += 1
        time.sleep(min(EVERY_S, seconds - passed))


def _told(one: Watched) -> dict[str, Any]:
    found: dict[str, Any] = {} if one.path is None else dict(one.path.told)
    found |= one.flow.told
    if one.imbalances:
        found |= {"imbalance_begin": one.imbalances[0], "imbalance_end": one.imbalances[-1]}
    if one.fundings:
        found |= {"funding_begin": one.fundings[0], "funding_end": one.fundings[-1]}
    if one.interests:
        change = one.interests[-1] - one.interests[0]
        found |= {"open_interest": one.interests[-1], "open_interest_change": change}
    return found


def _forced(
    ask: Ask, symbol: str, venues: Sequence[str], since: Nanos, until: Nanos
) -> dict[str, dict[str, Any]]:
    """Return what the store has of forced orders in the time: by venue, values of longs and of shorts."""
    history = ask.context.history
    having = [one for one in venues if "liquidations" in MARKETS[one].streams]
    if history is None or not having or symbol not in history.symbols():
        return {}
    found = attempt(lambda: history.liquidation_bars(symbol, having, None, since, until + 1))
    told = by_venue(found, "long_value", "short_value")
    return {
        venue: {"long_liquidated": one["long_value"], "short_liquidated": one["short_value"]}
        for venue, one in told.items()
    }


def covered_pct(gaps: Sequence[Hole], begun: Nanos, until: Nanos) -> float:
    """Return the share of a time, in percent, in which none of the gaps was open."""
    if until <= begun:
        return 100.0
    lost, reached = 0, begun
    for one in sorted(gaps, key=lambda gap: gap.from_ts):
        first = max(one.from_ts, reached)
        last = until if one.until_ts is None else min(one.until_ts, until)
        if last > first:
            lost += last - first
            reached = last
    return (1 - lost / (until - begun)) * 100


def _together(watch: Watch, focus: str, watched_s: float) -> dict[str, Any]:
    """Return the sums of all venues and what side takers were on: the sign of delta with its size, no more."""
    flow = Flow()
    for one in watch.venues.values():
        flow = flow.plus(one.flow)
    found: dict[str, Any] = {"watched_s": watched_s}
    told = flow.told
    if focus in ("all", "flow"):
        found["together"] = told
    delta = told.get("delta")
    side = None if delta is None else "buying" if delta > 0 else "selling" if delta < 0 else "neither"
    found["bias"] = {"takers": side, "delta": delta, "delta_pct": told.get("delta_pct")}
    return found


def _meta(
    ask: Ask,
    symbol: str,
    among: Sequence[str] | None,
    watch: Watch,
    gaps: Sequence[Hole],
    window: tuple[Nanos, Nanos],
) -> Meta:
    begun, until = window
    answered = [one for one in MARKETS if one in watch.venues]
    asked = list(answered if among is None else among)
    meta = Meta(
        tool=ask.tool,
        as_of=until // MS,
        source=ask.source,
        symbol=symbol,
        venues=Venues(
            asked=asked,
            answered=answered,
            missing={one: f"nothing of {symbol} received" for one in asked if one not in watch.venues},
        ),
        window=Window(since=millis(begun), until=millis(until)),
        gaps=[gap_row(one) for one in gaps[-MOST_GAPS:]],
        age_ms=0.0,
        warnings=[*remarks(ask), "liquidations are those that the store had when the watch ended"],
    )
    if missed := [venue for venue, one in watch.venues.items() if one.missed]:
        meta.warnings.append(f"{', '.join(missed)}: more trades than are kept passed between two looks")
    return meta

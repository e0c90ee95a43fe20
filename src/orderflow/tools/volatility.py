"""Volatility as venues publish it: realised, and the index that their options imply."""

from typing import Any, Literal

from orderflow.market.events import Event, VolatilityIndex
from orderflow.market.facts import Volatility, VolatilityBar
from orderflow.tools.answers import TIME, Answer, Row, Window
from orderflow.tools.asking import Kinds, hear, instant_of, tell
from orderflow.tools.market import FAMILY
from orderflow.tools.spec import AnyVenueId, Ask, Instant, tool
from orderflow.tools.times import instant, millis

_COLUMNS = {
    "time": TIME, "venue": "", "kind": "", "value_pct": "% a year", "open_pct": "% a year", "high_pct": "% a year",
    "low_pct": "% a year", "days": "d",
}  # fmt: skip
_REALISED: Kinds = (Volatility,)
_IMPLIED: Kinds = (VolatilityBar, VolatilityIndex, Volatility)


@tool(
    family=FAMILY,
    title="Volatility",
    columns=_COLUMNS,
    example={"coin": "BTC", "kind": "index"},
    limit=100,
    open_world=True,
    core=False,
)
def market_volatility(
    ask: Ask,
    coin: str = "BTC",
    venues: list[AnyVenueId] | None = None,
    kind: Literal["realised", "index"] = "realised",
    since: Instant = "-24h",
    period: str = "1h",
) -> Answer:
    """A coin's volatility as venues publish it: realised over some days, or the index that options imply (DVOL),
    with its course, mean and extremes.

    Use it for how much is priced in; history_aggregate kind=volatility reckons it from what was collected.

    Args:
        coin: as BTC
        venues: all that publish it when left out
        kind: realised, or index
        since: how far back
        period: bar of an index, as 1h
    """
    first = instant(since, ask.now)
    if kind == "index":
        found = hear(
            ask,
            ["volatility_index"],
            venues,
            coin.upper(),
            kinds=_IMPLIED,
            since=first,
            until=ask.now,
            period=period,
        )
    else:
        found = hear(
            ask, ["realised_volatility"], venues, coin.upper(), kinds=_REALISED, since=first, until=ask.now
        )
    rows: list[Row] = []
    summary: dict[str, Any] = {"coin": coin.upper()}
    for heard in found.heard:
        kept = [one for one in heard.events if one.ts_event is None or one.ts_event >= first] or heard.events[
            -1:
        ]
        told = [
            row for one in sorted(kept, key=lambda one: one.ts_event or 0) if (row := _row(heard.venue, one))
        ]
        rows += told
        values = [row[3] for row in told]
        if values:
            summary[heard.venue] = {
                "now_pct": values[-1], "mean_pct": sum(values) / len(values), "lowest_pct": min(values),
                "highest_pct": max(values),
            }  # fmt: skip
    rows.sort(key=lambda row: -(row[0] or 0))
    window = Window(since=millis(first), until=ask.as_of)
    return tell(ask, found, _COLUMNS, rows, summary=summary, window=window)


def _row(venue: str, one: Event) -> Row:
    match one:
        case Volatility():
            return [instant_of(one), venue, one.kind, one.value * 100, None, None, None, one.days]
        case VolatilityBar():
            bar = [part * 100 for part in (one.close, one.open, one.high, one.low)]
            return [instant_of(one), venue, "implied", *bar, None]
        case VolatilityIndex():
            return [instant_of(one), venue, "implied", one.value * 100, None, None, None, None]
        case _:
            return []

"""Funding of the past as venues tell it: what was paid, for weeks that were not collected here."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

from msgspec import Meta as Range

from orderflow.market.events import HOUR, Funding
from orderflow.tools.answers import TIME, Answer, Row
from orderflow.tools.asking import hear, instant_of, tell, wanted_symbol
from orderflow.tools.carry import annual_pct
from orderflow.tools.market import FAMILY
from orderflow.tools.spec import AnyVenueId, Ask, Instant, tool
from orderflow.tools.times import instant

_PAID = {
    "time": TIME, "venue": "", "funding_rate": "fraction per interval", "interval_hours": "h",
    "annual_pct": "% a year",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="Funding that was paid",
    columns=_PAID,
    example={"symbol": "BTCUSDT", "count": 30},
    limit=100,
    open_world=True,
    core=False,
)
def market_funding_history(
    ask: Ask,
    symbol: str,
    venues: list[AnyVenueId] | None = None,
    count: Annotated[int, Range(ge=1, le=1000)] = 100,
    since: Instant | None = None,
) -> Answer:
    """The funding rates that each venue has settled, newest first, with mean, extremes and sum.

    Use it for weeks that were not collected here; history_funding has what was. The interval is that between
    two rows, where the venue does not tell it.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that answer when left out
        count: settlements of each venue, at most
        since: no older ones
    """
    wanted = wanted_symbol(symbol)
    first = None if since is None else instant(since, ask.now)
    found = hear(ask, ["funding_history"], venues, wanted, kinds=(Funding,), rows=count, since=first)
    rows: list[Row] = []
    summary: dict[str, Any] = {}
    for heard in found.heard:
        paid = {one.ts_event or one.next_ts or 0: one for one in heard.of(Funding)}
        kept = [paid[ts] for ts in sorted(paid) if first is None or ts >= first][-count:]
        hours = [one.interval_hours or between for one, between in zip(kept, _hours(kept), strict=True)]
        told = zip(kept, hours, strict=True)
        rows += [
            [instant_of(one), heard.venue, one.rate, length, annual_pct(one.rate, length)]
            for one, length in told
        ]
        summary[heard.venue] = _sum([one.rate for one in kept], hours)
    rows.sort(key=lambda row: -(row[0] or 0))
    return tell(ask, found, _PAID, rows, symbol=wanted, summary=summary)


def _hours(kept: Sequence[Funding]) -> list[float | None]:
    """Return the hours between each settlement and the one before it; of the first those to the second."""
    times = [one.ts_event for one in kept]
    gaps = [
        None if before is None or after is None else round((after - before) / HOUR, 3)
        for before, after in pairwise(times)
    ]
    return [*gaps[:1], *gaps] if gaps else [None] * len(kept)


def _sum(rates: Sequence[float], hours: Sequence[float | None]) -> dict[str, Any]:
    if not rates:
        return {}
    mean = sum(rates) / len(rates)
    length = next((one for one in reversed(hours) if one), None)
    return {
        "settlements": len(rates),
        "mean_rate": mean,
        "mean_annual_pct": annual_pct(mean, length),
        "lowest_rate": min(rates),
        "highest_rate": max(rates),
        "sum_of_rates": sum(rates),
        "positive": sum(one > 0 for one in rates),
    }

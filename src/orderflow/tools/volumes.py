"""Volume across venues: where a symbol trades, of 24 hours as told and of a window as collected."""

from typing import Any

from orderflow.market.instruments import MARKETS
from orderflow.tools.answers import Answer, Row
from orderflow.tools.newest import newest
from orderflow.tools.past import answer as answer_of
from orderflow.tools.past import by_venue, past
from orderflow.tools.prices import FAMILY
from orderflow.tools.spec import Ask, Instant, VenueId, tool

_VOLUMES = {
    "venue": "", "volume_24h": "base", "quote_volume_24h": "quote", "share_24h_pct": "%", "volume": "base",
    "buy_volume": "base", "sell_volume": "base", "delta": "base", "share_pct": "%", "trades": "count",
    "vwap": "quote", "coverage_pct": "%",
}  # fmt: skip

_OPTIONS = "options"  # whose contracts are no coins changing hands: told where they are asked for


@tool(
    family=FAMILY,
    title="Volume across venues",
    columns=_VOLUMES,
    example={"symbol": "BTCUSDT", "since": "-1h"},
    limit=50,
    asks_store=True,
    core=False,
)
def xv_volume(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1h",
    until: Instant = "now",
) -> Answer:
    """Where a symbol trades: each venue's volume of 24 hours as it says, and of a window as collected, with buys,
    sells, delta and share.

    Use it for which venue matters. Shares are among the venues told here, so a venue that was not collected
    throughout weighs less: see its coverage.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that have rows when left out
        since: begin of the window, as -1h
        until: end of the window
    """
    asked = past(ask, symbol, venues, since, until)
    stored = ask.history.flow(asked.symbol, asked.venues, asked.since, asked.until)
    flows = by_venue(stored, "volume", "buy_volume", "sell_volume", "delta", "trades", "vwap")
    days = {venue: one for (_, venue), one in newest(ask, ask.latest.tickers(None), asked.symbol).items()}
    among = [
        one
        for one in dict.fromkeys((*flows, *days))
        if (MARKETS[one].market != _OPTIONS if asked.venues is None else one in asked.venues)
    ]
    daily = {one: days[one].volume for one in among if one in days and days[one].volume is not None}
    traded = {one: flows[one]["volume"] for one in among if one in flows}
    rows: list[Row] = []
    for venue in among:
        day, flow = days.get(venue), flows.get(venue, {})
        covered = stored.coverage[venue].percent if venue in stored.coverage else None
        rows.append([
            venue, None if day is None else day.volume, None if day is None else day.quote_volume,
            _share(daily, venue), flow.get("volume"), flow.get("buy_volume"), flow.get("sell_volume"),
            flow.get("delta"), _share(traded, venue), flow.get("trades"), flow.get("vwap"), covered,
        ])  # fmt: skip
    rows.sort(key=lambda row: -(row[4] or 0.0))
    return answer_of(ask, stored, _VOLUMES, rows, stream="trades", asked=asked.venues)


def _share(volumes: dict[str, Any], venue: str) -> float | None:
    whole = sum(volumes.values())
    return volumes[venue] / whole * 100 if venue in volumes and whole else None

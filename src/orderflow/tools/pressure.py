"""Pressure: whether orders push the price up or down: order flow imbalance, book imbalance, microprice."""

from typing import Annotated, Any

import numpy as np
from msgspec import Meta as Range

from orderflow.market.columns import Column
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import HOUR, MINUTE, MS
from orderflow.market.streams import BOOK_LEVELS
from orderflow.store.bar import bar as written
from orderflow.tools.answers import Answer, Row, Table
from orderflow.tools.books import booked_in, sampled, thinned
from orderflow.tools.drawing import usual
from orderflow.tools.orderflow import FAMILY
from orderflow.tools.past import answer
from orderflow.tools.pushing import Pushed, pushed
from orderflow.tools.quality import heard, quality
from orderflow.tools.spec import Ask, Instant, VenueId, tool

_BARS = {
    "time": "UTC", "mid": "quote", "ofi": "base", "ofi_levels": "base", "ofi_integrated": "ratio",
    "imbalance": "ratio", "imbalance_levels": "ratio", "weighted_mid_bps": "bps", "microprice_bps": "bps",
    "events": "count", "unknown_events": "count", "closed": "",
}  # fmt: skip
_NOW = {
    "venue": "", "time": "UTC", "bid": "quote", "ask": "quote", "mid": "quote", "spread_bps": "bps",
    "imbalance": "ratio", "imbalance_levels": "ratio", "weighted_mid": "quote", "microprice": "quote",
    "microprice_bps": "bps",
}  # fmt: skip
_SUMMED = ("ofi", "ofi_levels", "events", "unknown_events")  # over venues; of the others the mean
_ALGORITHM = "OFI 1, microprice 1"
USUAL_BARS = 30
MOST_BARS = 500
MOST_SNAPSHOTS = 100_000  # of a venue: beyond, changes between those that are read are not seen
_LEAST_PAST, _MOST_PAST = 15 * MINUTE, 4 * HOUR  # what models are estimated from


@tool(
    family=FAMILY,
    title="Pressure in the order book",
    columns=_BARS | _NOW,
    example={"symbol": "BTCUSDT", "since": "-1h"},
    limit=100,
    core=False,
    asks_store=True,
)
def orderflow_pressure(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1h",
    until: Instant = "now",
    bar: str | None = None,
    levels: Annotated[int, Range(ge=1, le=BOOK_LEVELS)] = 5,
) -> Answer:
    """Order flow imbalance (OFI) per bar, book imbalance, weighted mid and Stoikov's microprice, now and over time.

    Use it for which way orders push the price: OFI above 0 is bids added or asks taken. Models are of the time
    before the window alone.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: OFI summed, the rest averaged; the most traded one when left out
        since: begin, as -1h, ISO 8601 or epoch milliseconds
        until: end
        bar: length, as 10s, 1m; at most 30 bars when left out
        levels: best ones a side that are looked at
    """
    asked = booked_in(ask, symbol, venues, since, until)
    span = asked.until - asked.since
    length = (usual(span, USUAL_BARS) if bar is None else written(bar)).length
    begin = asked.since // length * length
    bars = -(-(asked.until - begin) // length)
    if bars > MOST_BARS:
        raise InvalidArgument(
            f"{bars:,} bars are more than {MOST_BARS}",
            hint=f"bar={usual(span, MOST_BARS).name}, or a shorter window",
        )
    lead = min(max(span, _LEAST_PAST), _MOST_PAST) + asked.since - begin
    found = ask.history.ladders(
        asked.symbol, asked.venues, asked.since, asked.until, levels=levels, most=MOST_SNAPSHOTS, lead=lead
    )
    every = {venue: pushed(ask, asked, found, venue, begin, bars, length, lead) for venue in heard(found)}
    columns = _columns(list(every.values()))
    start = begin + np.arange(bars, dtype=np.int64) * length
    told: dict[str, list[Any]] = {
        "time": (start // MS).tolist(),
        **{name: one.tolist() for name, one in columns.items()},
        "closed": (start + length <= asked.until).tolist(),
    }
    rows: list[Row] = [list(row) for row in zip(*(told[name] for name in _BARS), strict=True)]
    made = answer(
        ask, found, _BARS, rows[::-1], stream="orderbooks", asked=asked.venues,
        summary={
            "bar_s": length / (1_000 * MS), "levels": levels, "whole_window": _whole(columns),
            "microprice": {venue: one.said["microprice"] for venue, one in every.items()},
            "weights_of_levels": {venue: one.said["weights"] for venue, one in every.items()},
            "data_quality": quality(found, _ALGORITHM, heard(found)),
        },
    )  # fmt: skip
    made.more["now"] = Table(columns=list(_NOW), rows=[_now(venue, one) for venue, one in every.items()])
    made.meta.units |= {name: unit for name, unit in _NOW.items() if unit}
    made.meta.warnings += [f"{one}: OFI is of those alone" for one in [*sampled(found), *thinned(found)]]
    return made


def _columns(every: list[Pushed]) -> dict[str, Column]:
    """Return the figures of all venues together; unknown where one of them is."""
    names = [name for name in _BARS if name not in ("time", "closed")]
    return {
        name: (np.sum if name in _SUMMED else np.mean)([getattr(one, name) for one in every], axis=0)
        for name in names
    }


def _now(venue: str, one: Pushed) -> Row:
    told = {"venue": venue, **one.now, "time": one.now["time"] // MS}
    return [told[name] for name in _NOW]


def _whole(columns: dict[str, Column]) -> dict[str, Any]:
    """Return the sums of flows, and the means of states, over the bars that are known."""
    found: dict[str, Any] = {}
    for name in ("ofi", "ofi_levels", "imbalance", "imbalance_levels", "weighted_mid_bps", "microprice_bps"):
        known = columns[name][~np.isnan(columns[name])]
        whole = known.sum() if name in _SUMMED else known.mean() if len(known) else np.nan
        found[name] = float(whole) if len(known) else None
    mid = columns["mid"][~np.isnan(columns["mid"])]
    found["mid_change_bps"] = float((mid[-1] / mid[0] - 1) * 1e4) if len(mid) > 1 else None
    return found

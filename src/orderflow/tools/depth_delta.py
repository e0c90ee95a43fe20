"""Depth delta: what rests near the mid from window to window, and which part of a change orders made."""

from typing import Annotated, Any

import numpy as np
from msgspec import Meta as Range

from orderflow.flow.depth_delta import depth_trend
from orderflow.market.columns import Column, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import MS, SECOND, Nanos
from orderflow.tools.answers import Answer, Row, Table
from orderflow.tools.books import WHY_SHORT, booked_in, thinned
from orderflow.tools.depth import Series, bands_of, bps, of_venue, together, widest
from orderflow.tools.orderflow import FAMILY
from orderflow.tools.past import Past, answer
from orderflow.tools.quality import heard, quality
from orderflow.tools.spec import Ask, Instant, VenueId, tool

_ROWS = {
    "time": "UTC", "mid": "quote", "bid": "base", "ask": "base", "bid_quote": "quote", "ask_quote": "quote",
    "lower_bound": "", "bid_delta": "base", "ask_delta": "base", "bid_orders": "base", "ask_orders": "base",
    "bid_executed": "base", "ask_executed": "base", "closed": "",
}  # fmt: skip
_BANDS = {
    "band_bps": "bps", "bid": "base", "ask": "base", "bid_quote": "quote", "ask_quote": "quote", "lower_bound": "",
    "imbalance": "ratio", "net_mean": "base", "bid_rising": "share", "ask_rising": "share", "dominant": "",
    "whole_windows": "count",
}  # fmt: skip
_ALGORITHM = "depth delta 1"
_LONGEST = 999_999  # seconds


@tool(
    family=FAMILY,
    title="Depth near the mid, and its change",
    columns=_ROWS | _BANDS,
    example={"symbol": "BTCUSDT", "since": "-1h", "percent": 1},
    limit=100,
    core=False,
    asks_store=True,
)
def orderflow_depth_delta(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    percent: Annotated[float, Range(gt=0, lt=100)] | None = None,
    since: Instant = "-1h",
    until: Instant = "now",
    window_sec: Annotated[int, Range(ge=1, le=_LONGEST)] = 60,
    max_points: Annotated[int, Range(ge=1, le=500)] = 30,
) -> Answer:
    """Resting size within 5 to 100 bps of the mid, window by window: changes by orders, execution, re-centring.

    Use it for whether a side of the book is being built or pulled. delta = orders + re-centring, orders =
    placed less cancelled less executed. lower_bound names sides known only in part.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: summed; the most traded one when left out
        percent: half-width of the one band that rows are of; when left out the widest that is known whole
        since: begin, as -1h, ISO 8601 or epoch milliseconds
        until: end
        window_sec: seconds from one row to the next; more where there would be too many
        max_points: most rows
    """
    asked = booked_in(ask, symbol, venues, since, until)
    length = _length(asked, window_sec, max_points)
    first = asked.since // length * length - length  # a window more, that the first is compared with
    found = ask.history.ladders(
        asked.symbol, asked.venues, asked.since, asked.until, every=f"{length // SECOND}s", lead=asked.since - first
    )  # fmt: skip
    bands = bands_of(asked, found, length, percent)
    parts = [of_venue(ask, asked, found, venue, length, bands) for venue in heard(found)]
    series = together(parts)
    band = bands.index(bps(percent)) if percent is not None else widest(series.delta)
    made = answer(
        ask, found, _ROWS, _rows(series, band)[::-1], stream="orderbooks", asked=asked.venues,
        summary={
            "band_bps": bands[band], "window_sec": length // SECOND, **_summary(series, band),
            "data_quality": quality(found, _ALGORITHM, heard(found)),
        },
    )  # fmt: skip
    made.more["bands"] = Table(columns=list(_BANDS), rows=[_band(series, one) for one in range(len(bands))])
    made.meta.units |= {name: unit for name, unit in _BANDS.items() if unit}
    if length > window_sec * SECOND:
        made.meta.warnings.append(
            f"windows are of {length // SECOND} s, so that there are {max_points} at most"
        )
    if not np.all(series.delta.depth.whole[~np.isnan(series.delta.depth.bid)]):
        made.meta.warnings.append(f"{WHY_SHORT}, so bands that reach further are lower bounds")
    made.meta.warnings += thinned(found)
    return made


def _length(asked: Past, window_sec: int, most: int) -> Nanos:
    """Return so many whole windows that no more than `most` meet the time asked for."""
    length = window_sec * SECOND
    times = 1
    while -(-asked.until // (length * times)) - asked.since // (length * times) > most:
        if times * window_sec > _LONGEST:
            raise InvalidArgument("windows that long there are none", hint="a shorter time, or more points")
        times = max(times + 1, -(-(asked.until - asked.since) // (length * most)))
    return times * length


# ── What is told ──────────────────────────────────────────────────────────────────────────────


def _changes(series: Series, band: int) -> dict[str, Column]:
    """Return the changes of a band; what is known only in part does not tell how its whole changed."""
    delta = series.delta
    found: dict[str, Column] = {}
    for side in ("bid", "ask"):
        earlier, whole = (getattr(one, f"{side}_whole")[:, band] for one in (series.before, delta.depth))
        both: Mask = whole & np.append(earlier, whole)[:-1]
        change = getattr(delta, f"{side}_delta")[:, band]
        found[f"{side}_delta"] = np.where(both, change, np.nan)
        found[f"{side}_orders"] = getattr(delta, f"{side}_orders")[:, band]
        found[f"{side}_executed"] = getattr(series, f"{side}_executed")[:, band]
    return found


def _rows(series: Series, band: int) -> list[Row]:
    delta, of = series.delta, series.delta.depth
    columns: dict[str, Any] = {
        "time": (delta.start // MS).tolist(),
        "mid": of.mid.tolist(),
        **{name: getattr(of, name)[:, band].tolist() for name in ("bid", "ask", "bid_quote", "ask_quote")},
        "lower_bound": [_bound(series, row, band) for row in range(len(delta.start))],
        **{name: one.tolist() for name, one in _changes(series, band).items()},
        "closed": delta.closed.tolist(),
    }
    return [list(row) for row in zip(*(columns[name] for name in _ROWS), strict=True)]


def _bound(series: Series, row: int, band: int) -> str | None:
    """Say which sides of a band are known in part: none, bid, ask or both; None where nothing is known."""
    of = series.delta.depth
    if np.isnan(of.mid[row]):
        return None
    bid, ask = bool(of.bid_whole[row, band]), bool(of.ask_whole[row, band])
    return {(True, True): "none", (False, True): "bid", (True, False): "ask"}.get((bid, ask), "both")


def _summary(series: Series, band: int) -> dict[str, Any]:
    delta, of = series.delta, series.delta.depth
    known = np.flatnonzero(~np.isnan(of.mid))
    changes = _changes(series, band)
    sums: dict[str, Any] = {}
    for side in ("bid", "ask"):
        change, orders, took = (changes[f"{side}_{what}"] for what in ("delta", "orders", "executed"))
        sums[side] = {
            "orders": _sum(orders), "executed": _sum(took), "placed_less_cancelled": _sum(orders + took),
            "recentred": _sum(change - orders), "executed_known_windows": int(np.count_nonzero(~np.isnan(took))),
        }  # fmt: skip
    found: dict[str, Any] = {
        "windows": {"expected": len(delta.start), "known": len(known)},
        "whole_window": sums,
        "reach_bps": {
            side: {"least": _least(reach), "last": float(reach[known[-1]]) if len(known) else None}
            for side, reach in (("bid", of.bid_reach), ("ask", of.ask_reach))
        },
    }
    if len(known):
        found["current"] = {"time": int(of.time[known[-1]]) // MS, "mid": float(of.mid[known[-1]])}
    return found


def _band(series: Series, band: int) -> Row:
    """Return a band as it is now, and its trend; nets are of the windows in which both sides are whole."""
    delta, of = series.delta, series.delta.depth
    whole = of.whole[:, band] & ~np.isnan(of.mid)
    told = depth_trend(delta, band)
    masked = np.where(whole[:, None], of.bid, np.nan)
    net = depth_trend(delta._replace(depth=of._replace(bid=masked)), band)
    known = np.flatnonzero(~np.isnan(of.mid))
    last = int(known[-1]) if len(known) else -1
    return [
        float(of.bands[band]), float(of.bid[last, band]), float(of.ask[last, band]),
        float(of.bid_quote[last, band]), float(of.ask_quote[last, band]), _bound(series, last, band),
        float(of.imbalance[last, band]) if whole[last] else None, net.net_mean, told.bid_rising, told.ask_rising,
        net.dominant, int(np.count_nonzero(whole)),
    ]  # fmt: skip


def _sum(column: Column) -> float | None:
    known = column[~np.isnan(column)]
    return float(known.sum()) if len(known) else None


def _least(column: Column) -> float | None:
    known = column[~np.isnan(column)]
    return float(known.min()) if len(known) else None

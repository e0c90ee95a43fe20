"""Heat map: where size rested in the order book and for how long, the walls in it, and how they went."""

from itertools import groupby
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from msgspec import Meta as Range

from orderflow.flow.heatmap import largest
from orderflow.market.columns import Column, Mask
from orderflow.market.events import MS
from orderflow.store.bar import bar as written
from orderflow.tools.answers import Answer, Row, Table
from orderflow.tools.books import WHY_SHORT, booked_in, sampled, thinned
from orderflow.tools.drawing import usual
from orderflow.tools.heat import Heat, VenueWall, fates, heat, walls_of
from orderflow.tools.orderflow import FAMILY
from orderflow.tools.past import answer
from orderflow.tools.quality import heard, quality
from orderflow.tools.spec import SMALLEST, Ask, Instant, VenueId, tool

BINS = {
    "side": "", "price_from": "quote", "price_until": "quote", "distance_bps": "bps", "now": "base",
    "now_whole": "", "mean": "base", "most": "base", "present_pct": "%", "whole_pct": "%",
}  # fmt: skip
_MATRIX = {"price_from": "quote", "cells": ""}
_WALLS = {
    "venue": "", "side": "", "price_from": "quote", "price_until": "quote", "first_seen": "UTC", "last_seen": "UTC",
    "lifetime_s": "s", "size": "base", "mean_size": "base", "times": "ratio", "persistence": "ratio", "fate": "",
    "ended": "UTC", "decline": "base", "traded": "base",
}  # fmt: skip
_WALLS_SHORT = ("venue", "side", "price_from", "first_seen", "lifetime_s", "size", "times", "fate")
_OVER_TIME = ("side", "price_from", "mean", "most", "present_pct")
_ALGORITHM = "heat map 1, walls 1"
USUAL_INTERVALS = 60
USUAL_BINS = 40
QUANTA = 9  # each half of the one above it
_MOST_BESIDE = 5  # bins a side, and walls, that are told beside the rows


@tool(
    family=FAMILY,
    title="Heat map of the order book",
    columns=BINS | _MATRIX | _WALLS,
    example={"symbol": "BTCUSDT", "since": "-1h"},
    limit=100,
    core=False,
    asks_store=True,
)
def orderflow_heatmap(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1h",
    until: Instant = "now",
    bar: str | None = None,
    size: Annotated[float, Range(ge=SMALLEST)] | None = None,
    view: Literal["bins", "matrix", "walls"] = "bins",
    top: Annotated[int, Range(ge=1, le=100)] = 15,
    wall_times: Annotated[float, Range(gt=1)] = 5.0,
) -> Answer:
    """Resting size by price bin and time: largest bins now and over time, walls (standing, filled, pulled), matrix.

    Use it for where liquidity waits and whether it stays. Matrix cells: b bid, a ask, 9 largest to 1, each half
    the next; . nothing, ? unknown; x3 three bars alike.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: summed; the most traded one when left out
        since: begin, as -1h, ISO 8601 or epoch milliseconds
        until: end
        bar: length of an interval, as 1m; at most 60 when left out
        size: of a bin in quote units; about 40 bins when left out
        view: what the rows are
        top: bins a side
        wall_times: least size of a wall, in medians of its side
    """
    asked = booked_in(ask, symbol, venues, since, until)
    length = usual(asked.until - asked.since, USUAL_INTERVALS) if bar is None else written(bar)
    found = heat(ask, asked, length.length, size, USUAL_BINS, fine=True)
    every = walls_of(ask, asked, found, wall_times)
    columns: dict[str, str] = {"bins": BINS, "matrix": _MATRIX, "walls": _WALLS}[view]
    rows = {
        "bins": lambda: bin_rows(found, top),
        "matrix": lambda: _matrix(found),
        "walls": lambda: _walls(every),
    }
    summary = summary_of(found, every, length.name)
    if view == "matrix":
        summary["quantum_9_above"] = _most(found) / 2
    summary["data_quality"] = quality(found.found, _ALGORITHM, heard(found.found))
    made = answer(
        ask, found.found, columns, rows[view](), stream="orderbooks", asked=asked.venues, summary=summary
    )  # fmt: skip
    if view == "bins":
        made.more["over_time"] = Table(columns=list(_OVER_TIME), rows=_over_time(found))
    return owned_up(made if view == "walls" else with_walls(made, every), found)


def with_walls(made: Answer, every: list[VenueWall]) -> Answer:
    """Put the largest walls beside an answer's rows."""
    rows = [_wall(one, _WALLS_SHORT) for one in every[:_MOST_BESIDE]]
    made.more["largest_walls"] = Table(columns=list(_WALLS_SHORT), rows=rows)
    made.meta.units |= {name: _WALLS[name] for name in _WALLS_SHORT if _WALLS[name]}
    return made


def owned_up(made: Answer, found: Heat) -> Answer:
    """Say in an answer how much of the books it is made of is known."""
    made.meta.warnings += [WHY_SHORT, *sampled(found.found), *thinned(found.found)]
    if found.partly:
        made.meta.warnings.append(
            f"in {found.partly:.0%} of the known cells not all venues' books are known: sums are lower bounds there"
        )
    return made


# ── Bins ──────────────────────────────────────────────────────────────────────────────────────


class _Side(NamedTuple):
    """One side of a heat map by (interval, bin), and as it is now by bin."""

    name: str
    size: Column
    whole: Mask
    now: Column
    now_whole: Mask


def _sides(found: Heat) -> tuple[_Side, _Side]:
    now = found.now
    return (
        _Side("ask", found.ask, found.ask_whole, now.ask, now.ask_whole),
        _Side("bid", found.bid, found.bid_whole, now.bid, now.bid_whole),
    )


def bin_rows(found: Heat, top: int) -> list[Row]:
    """Return the largest bins of each side as they are now, then those that were largest; from the highest price on."""
    rows: list[Row] = []
    for side in _sides(found):
        first = largest(side.now, top).tolist()
        then = [one for one in largest(np.nansum(side.size, axis=0), top).tolist() if one not in first]
        rows += [_bin(found, side, place) for place in sorted([*first, *then][:top], reverse=True)]
    return rows


def _bin(found: Heat, side: _Side, place: int) -> Row:
    low, mid = float(found.low[place]), found.mid
    middle = low + found.size / 2
    return [
        side.name, low, round(low + found.size, 12), None if mid is None else (middle / mid - 1) * 1e4,
        float(side.now[place]), bool(side.now_whole[place]), *_through_time(side.size[:, place]),
        100 * float(side.whole[:, place].mean()),
    ]  # fmt: skip


def _through_time(size: Column) -> list[float | None]:
    """Return the mean and the most of a bin, and in how many percent of its known intervals it held something."""
    known = size[~np.isnan(size)]
    if not len(known):
        return [None, None, None]
    return [float(known.mean()), float(known.max()), 100 * float(np.mean(known > 0))]


def _over_time(found: Heat) -> list[Row]:
    rows: list[Row] = []
    for side in _sides(found):
        for place in largest(np.nansum(side.size, axis=0), _MOST_BESIDE).tolist():
            rows.append([side.name, float(found.low[place]), *_through_time(side.size[:, place])])
    return rows


# ── Matrix ────────────────────────────────────────────────────────────────────────────────────


def _most(found: Heat) -> float:
    return float(max((np.nanmax(one) for one in (found.bid, found.ask) if np.any(one > 0)), default=0.0))


def _matrix(found: Heat) -> list[Row]:
    """Return a row a bin, the highest first: its cells from the oldest interval on, equal ones counted."""
    most = _most(found)
    there = np.flatnonzero(np.any((found.bid > 0) | (found.ask > 0), axis=0))
    if not len(there):
        return []
    return [
        [float(found.low[place]), _runs(found.bid[:, place], found.ask[:, place], most)]
        for place in range(int(there[-1]), int(there[0]) - 1, -1)
    ]


def _runs(bid: Column, ask: Column, most: float) -> str:
    cells = [_cell(one, other, most) for one, other in zip(bid.tolist(), ask.tolist(), strict=True)]
    parts = [(cell, len(list(run))) for cell, run in groupby(cells)]
    return " ".join(f"{cell}x{count}" if count > 1 else cell for cell, count in parts)


def _cell(bid: float, ask: float, most: float) -> str:
    """Return a cell: the side that rested more in it, and how much, in halves of the most.

    >>> _cell(0.0, 8.0, 8.0), _cell(4.0, 1.0, 8.0), _cell(0.001, 0.0, 8.0), _cell(0.0, 0.0, 8.0)
    ('a9', 'b8', 'b1', '.')
    """
    if np.isnan(bid) or np.isnan(ask):
        return "?"
    size = max(bid, ask)
    if size <= 0:
        return "."
    quantum = max(1, QUANTA - int(np.floor(np.log2(most / size))))
    return f"{'b' if bid >= ask else 'a'}{quantum}"


# ── Walls, and the whole ──────────────────────────────────────────────────────────────────────


def _walls(every: list[VenueWall]) -> list[Row]:
    return [_wall(one, tuple(_WALLS)) for one in every]


def _wall(one: VenueWall, columns: tuple[str, ...]) -> Row:
    wall = one.wall
    told: dict[str, Any] = {
        "venue": one.venue, "side": wall.side, "price_from": wall.low, "price_until": wall.high,
        "first_seen": wall.first_seen // MS, "last_seen": wall.last_seen // MS, "lifetime_s": one.lifetime_s,
        "size": wall.size, "mean_size": wall.mean_size, "times": wall.times, "persistence": wall.persistence,
        "fate": wall.fate, "ended": None if wall.ended is None else wall.ended // MS, "decline": wall.decline,
        "traded": wall.traded,
    }  # fmt: skip
    return [told[name] for name in columns]


def summary_of(found: Heat, every: list[VenueWall], bar: str) -> dict[str, Any]:
    one = found.any
    covered = np.min([each.covered for each in found.maps.values()], axis=0)
    unknown = np.isnan(found.bid) | np.isnan(found.ask)
    ends = [
        (float(book.bid_end[-1]), float(book.ask_end[-1])) for book in found.books.values() if len(book.time)
    ]
    return {
        "mid": found.mid,
        "bar": bar,
        "size": found.size,
        "tick": found.tick,
        "first_bar": int(one.start[0]) // MS,
        "bars": {"expected": len(one.start), "known": int(np.count_nonzero(covered > 0))},
        "developing": not bool(one.closed[-1]),
        "known_now": {"from": max(low for low, _ in ends), "until": min(high for _, high in ends)},
        "unknown_cells_pct": 100 * float(unknown.mean()) if unknown.size else None,
        "walls": fates(every),
    }

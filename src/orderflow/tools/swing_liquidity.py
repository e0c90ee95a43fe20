"""Swing liquidity: highs and lows beyond which orders rest, what became of them, and how far away they are."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta as Range

from orderflow.flow.atr import PERIOD, atr
from orderflow.flow.books import Books, books
from orderflow.flow.depth import resting
from orderflow.flow.swings import (
    EQUAL_ATR,
    LEFT,
    RIGHT,
    Cluster,
    Swings,
    clusters,
    nearest,
    swings,
)
from orderflow.market.columns import Column
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import MINUTE, MS
from orderflow.market.streams import BOOK_LEVELS
from orderflow.tools.answers import Answer, Row, Table
from orderflow.tools.closed_bars import MOST_BARS, ClosedBars, closed_bars
from orderflow.tools.orderflow import FAMILY
from orderflow.tools.past import answer, attempt
from orderflow.tools.quality import quality
from orderflow.tools.spec import Ask, Instant, VenueId, tool

_LEVELS = {
    "time": "UTC", "known": "UTC", "side": "", "level": "quote", "status": "", "rejected": "", "touched": "UTC",
    "swept": "UTC", "broken": "UTC", "distance_bps": "bps", "distance_atr": "ATR", "volume": "base", "delta": "base",
    "delta_pct": "%", "resting": "base",
}  # fmt: skip
_EQUAL = {
    "side": "", "level": "quote", "inner": "quote", "swings": "count", "first": "UTC", "last": "UTC", "known": "UTC",
    "swept": "UTC", "distance_bps": "bps",
}  # fmt: skip
_DISTANCE = list(_LEVELS).index("distance_bps")
MOST_CLUSTERS = 8  # that are told beside the levels: the nearest of those that stand, then of the others
BOOK_AGE = 5 * MINUTE  # a stored book that is older says nothing of what rests now
NEAR_BPS = 1.0  # of a level: what rests so near to it rests at it
ALGORITHM = "swing liquidity 1"


@tool(
    family=FAMILY,
    title="Swing liquidity",
    columns=_LEVELS | _EQUAL,
    example={"symbol": "BTCUSDT", "bar": "1m", "lookback": 60, "left": 3, "right": 3},
    limit=60,
    core=False,
    asks_store=True,
)
def orderflow_swing_liquidity(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant | None = None,
    until: Instant = "now",
    bar: str = "15m",
    lookback: Annotated[int, Range(ge=5, le=MOST_BARS)] = 300,
    left: Annotated[int, Range(ge=1, le=200)] = LEFT,
    right: Annotated[int, Range(ge=1, le=200)] = RIGHT,
    active_only: bool = False,
    order: Literal["time", "distance"] = "time",
    equal_atr: Annotated[float, Range(ge=0, le=10)] | None = None,
    equal_bps: Annotated[float, Range(ge=0, le=1000)] | None = None,
) -> Answer:
    """Swing highs and lows with when each was known, touched, swept and broken, and the distance to it.

    Use it for where stops rest: nearest unswept levels, equal highs and lows.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: the most traded when left out; of several the most traded gives prices
        since: begin; `lookback` bars before the end when left out
        until: end
        bar: length, as 15m
        lookback: bars, where since is left out
        left: bars before a swing
        right: bars after it, which it takes to be known
        active_only: leave out what is swept
        order: newest or nearest first
        equal_atr: of the ATR, how near equal levels are; 0.1 when left out
        equal_bps: or in bps
    """
    if equal_atr is not None and equal_bps is not None:
        raise InvalidArgument(
            "equal levels are near by a part of the ATR or by basis points", hint="equal_atr, or equal_bps"
        )
    of = closed_bars(ask, symbol, venues, since, until, bar, lookback)
    every = swings(of.bars, left, right, volume=of.volume, delta=of.delta)
    true = atr(of.bars.high, of.bars.low, of.bars.close)
    near = EQUAL_ATR * true if equal_atr is None else equal_atr * true
    tolerance = near[every.known] if equal_bps is None else every.level * equal_bps / 1e4
    groups = clusters(of.bars, every, tolerance)
    book = _book(ask, of)
    rows = _rows(of, every, float(true[-1]), book)
    shown = [row for row, here in zip(rows, every.active, strict=True) if here] if active_only else rows
    made = answer(
        ask, of.found, _LEVELS,
        sorted(shown, key=lambda row: abs(row[_DISTANCE])) if order == "distance" else shown[::-1],
        stream="trades", asked=of.asked.venues, summary=_summary(of, every, rows, float(true[-1]), groups, book),
    )  # fmt: skip
    if groups:
        made.more["equal_levels"] = Table(
            columns=list(_EQUAL), rows=_equal(of, every, groups)[:MOST_CLUSTERS]
        )
        made.meta.units |= {name: unit for name, unit in _EQUAL.items() if unit}
    return made


def _rows(of: ClosedBars, found: Swings, true: float, book: Books | None) -> list[Row]:
    """Return a row a swing, oldest first."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(found.volume > 0, 100 * found.delta / found.volume, np.nan)
    columns = (
        (of.bars.time[found.bar] // MS).tolist(),
        of.at(found.known),
        ["high" if high else "low" for high in found.is_high],
        found.level.tolist(),
        _status(found),
        found.rejected.tolist(),
        of.at(found.touched),
        of.at(found.swept),
        of.at(found.broken),
        np.round(found.distance_bps(of.price), 2).tolist(),
        np.round(found.distance_atr(of.price, true), 2).tolist(),
        found.volume.tolist(),
        found.delta.tolist(),
        np.round(share, 1).tolist(),
        _resting(book, found.level).tolist(),
    )
    return [list(row) for row in zip(*columns, strict=True)]


def _status(found: Swings) -> list[str]:
    """Return how far it has come with each level."""
    marks = zip(found.touched, found.swept, found.broken, strict=True)
    return [
        "broken" if broken >= 0 else "swept" if swept >= 0 else "touched" if touched >= 0 else "untouched"
        for touched, swept, broken in marks
    ]


def _summary(
    of: ClosedBars,
    found: Swings,
    rows: Sequence[Row],
    true: float,
    groups: Sequence[Cluster],
    book: Books | None,
) -> dict[str, Any]:
    beside = nearest(found, of.price)
    names = list(_LEVELS)
    told = ("level", "time", "known", "distance_bps", "distance_atr", "resting")
    return {
        **of.told,
        "atr": true,
        "atr_bars": PERIOD,
        "levels": len(found.level),
        "active": int(found.active.sum()),
        "equal": len(groups),
        **{
            f"nearest_{side}": None if row is None else {name: rows[row][names.index(name)] for name in told}
            for side, row in (("above", beside.above), ("below", beside.below))
        },
        "book": None if book is None else int(book.time[0]) // MS,
        "data_quality": quality(of.found, ALGORITHM),
    }


def _equal(of: ClosedBars, found: Swings, groups: Sequence[Cluster]) -> list[Row]:
    """Return the clusters, those that stand first, then by their distance."""
    order = sorted(groups, key=lambda one: (one.swept >= 0, abs(one.level - of.price)))
    known, swept = (of.at(np.array([getattr(one, name) for one in order])) for name in ("known", "swept"))
    return [
        [
            "high" if one.is_high else "low", one.level, one.inner, len(one.members),
            int(of.bars.time[found.bar[one.members[0]]]) // MS, int(of.bars.time[found.bar[one.members[-1]]]) // MS,
            at, gone, round((one.level / of.price - 1) * 1e4, 2),
        ]
        for one, at, gone in zip(order, known, swept, strict=True)
    ]  # fmt: skip


# ── What rests at the levels ──────────────────────────────────────────────────────────────────


def _book(ask: Ask, of: ClosedBars) -> Books | None:
    """Return the last stored book of the venue that prices are of, if it is not old: its best levels."""
    end = min(of.asked.until, ask.now)
    found = attempt(
        lambda: ask.history.window(
            "orderbooks", of.asked.symbol, [of.venue], since=end - BOOK_AGE, until=end, limit=1
        )
    )
    if found is None:
        return None

    def levels(side: str, what: str) -> Column:
        names = [f"{side}_{rank}_{what}" for rank in range(1, BOOK_LEVELS + 1)]
        return np.column_stack([np.asarray(found[name], dtype=np.float64) for name in names])

    sides = [levels(side, what) for side in ("bid", "ask") for what in ("price", "qty")]
    return books(np.asarray(found["timestamp"], dtype=np.int64), *sides)


def _resting(book: Books | None, level: Column) -> Column:
    """Return what rests at each level, in base units; NaN beyond the levels that are stored."""
    if book is None or not len(level):
        return np.full(len(level), np.nan)
    low, high = level[None, :] * (1 - NEAR_BPS / 1e4), level[None, :] * (1 + NEAR_BPS / 1e4)
    bids, _ = resting(book.bid_price, book.bid_size, low, high)
    asks, _ = resting(book.ask_price, book.ask_size, low, high)
    known = (low >= book.bid_end[:, None]) & (high <= book.ask_end[:, None])
    return np.where(known, bids + asks, np.nan)[0]

"""Delta and CVD: what takers bought less what they sold, per bar, and added up from an anchor.

Delta is bought less sold volume by the taker's side; CVD (cumulative volume delta) is its running sum. A sum
without a beginning says nothing, so CVD has an explicit **anchor**: it is 0 before the first bar that begins at
or after the anchor. With several anchors (sessions, days) it begins anew at each; a bar in which an anchor lies
is never split and belongs to what was before. Bars before the first anchor have none: NaN.

Bars come with their empty ones (`Bars.on_grid`), so that steps are even. A bar of which the delta is unknown
(NaN) adds nothing and is counted in `missing`: the CVD from there on is of what is known.

Sums of several venues, and of sizes of trades, are bars like any others; of venues together there is no price,
and how far their delta ran inside a bar is unknown: it takes their trades.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from orderflow.flow.bars import Bars, aligned, bars
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos

Unit: TypeAlias = Literal["base", "quote"]


class Running(NamedTuple):
    """Where a CVD stands: its anchor, what it is, and how many bars since the anchor are unknown."""

    anchor: Nanos
    cvd: float
    missing: int


class Cvd(NamedTuple):
    """One row a bar: CVD as a candle, in `unit`, its `anchor`, and how many bars since then are `missing`.

    `open` is what it was before the bar, `close` after it, `high` and `low` how far it ran inside; these are
    NaN where that is unknown. Before the first anchor all are NaN, and `anchor` is that first one.
    """

    unit: Unit
    start: Index
    end: Index
    anchor: Index
    open: Column
    high: Column
    low: Column
    close: Column
    missing: Index
    state: Running | None  # to go on from, with the next bars; None before the first anchor


def cvd(of: Bars, anchor: Nanos | Sequence[Nanos], unit: Unit = "base", state: Running | None = None) -> Cvd:
    """Return the CVD of bars from an anchor, or anew from each of several, which ascend.

    `state` is the one of the bars before these, of which CVD goes on; anchors up to its own are past.

    >>> from orderflow.flow.bars import bars
    >>> four = np.arange(4)
    >>> of = bars(four, 60 * four, np.full(4, 9.0), np.array([5.0, 2.0, 4.0, 1.0]), np.array([1, 0, 1, 1]) > 0)
    >>> cvd(of, 0).close.tolist(), cvd(of, [60, 180]).close.tolist()
    ([5.0, 3.0, 7.0, 8.0], [nan, -2.0, 2.0, 1.0])
    """
    anchors = np.atleast_1d(np.asarray(anchor, dtype=np.int64))
    if not len(anchors) or np.any(anchors[1:] <= anchors[:-1]):
        raise InvalidArgument(
            "CVD has no anchor, or anchors out of order", hint="a time, or times that ascend"
        )
    if state is not None:
        anchors = np.concatenate(([state.anchor], anchors[anchors > state.anchor]))
    delta, high, low = (
        (of.delta, of.delta_high, of.delta_low)
        if unit == "base"
        else (of.delta_quote, of.delta_high_quote, of.delta_low_quote)
    )
    run = np.searchsorted(anchors, of.start, "right") - 1
    if state is not None:
        run = np.maximum(run, 0)
    unknown = np.isnan(delta)
    before = _since(np.where(unknown, 0.0, delta), run)
    lacking = _since(unknown.astype(np.float64), run)
    if state is not None:
        before += np.where(run == 0, state.cvd, 0.0)
        lacking += np.where(run == 0, state.missing, 0)
    begun = run >= 0
    opened = np.where(begun, before, np.nan)
    closed = opened + np.where(unknown, 0.0, delta)
    missing = np.rint(lacking + unknown).astype(np.int64) * begun
    last = anchors[np.maximum(run, 0)]
    if len(run):
        state = Running(int(last[-1]), float(closed[-1]), int(missing[-1])) if begun[-1] else None
    return Cvd(unit, of.start, of.end, last, opened, opened + high, opened + low, closed, missing, state)


def _since(value: Column, run: Index) -> Column:
    """Return the sum of what came before each row in its own run."""
    total = np.concatenate(([0.0], np.cumsum(value)))[:-1]
    first = np.searchsorted(run, run)
    return total - total[first]


# ── Venues together, and one against another ──────────────────────────────────────────────────


class Together(NamedTuple):
    """Bars of several venues as those of one; `known` is of how many of them each bar is known."""

    bars: Bars
    known: Index


def together(parts: Sequence[Bars]) -> Together:
    """Add up bars on one grid: of what is known, and NaN where nothing is. Prices and extremes are NaN."""
    if not parts:
        raise InvalidArgument("nothing to add up", hint="the bars of one venue or more")
    for part in parts[1:]:
        _same_grid(parts[0], part)
    there = [~np.isnan(part.volume) for part in parts]
    known: Index = np.add.reduce(there, axis=0, dtype=np.int64)

    def added(columns: Sequence[Column]) -> Column:
        told = [np.where(mask, column, 0.0) for mask, column in zip(there, columns, strict=True)]
        return np.where(known > 0, np.add.reduce(told, axis=0), np.nan)

    none = np.full(len(known), np.nan)
    whole = parts[0]._replace(
        open=none, high=none, low=none, close=none,
        buy=added([part.buy for part in parts]), sell=added([part.sell for part in parts]),
        buy_quote=added([part.buy_quote for part in parts]),
        sell_quote=added([part.sell_quote for part in parts]),
        trades=np.add.reduce([part.trades for part in parts], axis=0),
        delta_high=none, delta_low=none, delta_high_quote=none, delta_low_quote=none,
    )  # fmt: skip
    return Together(whole, known)


class Against(NamedTuple):
    """Two CVDs on one grid, as of spot and of perpetuals.

    `difference` is the one's less the other's since the anchor, `share` the one's part of both's volume in the
    bar (NaN where nothing was traded), `agree` whether both deltas point the same way.
    """

    one: Cvd
    other: Cvd
    difference: Column
    share: Column
    agree: Mask


def against(one: Bars, other: Bars, anchor: Nanos | Sequence[Nanos], unit: Unit = "base") -> Against:
    """Return the CVDs of two sets of bars, as spot and perpetuals `together`, beside one another."""
    _same_grid(one, other)
    first, second = cvd(one, anchor, unit), cvd(other, anchor, unit)
    part, rest = (one.volume, other.volume) if unit == "base" else (one.quote, other.quote)
    share = np.divide(part, part + rest, out=np.full(len(part), np.nan), where=part + rest > 0)
    deltas = (one.delta, other.delta) if unit == "base" else (one.delta_quote, other.delta_quote)
    agree = deltas[0] * deltas[1] > 0
    return Against(first, second, first.close - second.close, share, agree)


def _same_grid(one: Bars, other: Bars) -> None:
    if not (np.array_equal(one.bar, other.bar) and np.array_equal(one.start, other.start)):
        raise InvalidArgument("bars that are not on one grid", hint="put them there with on_grid")


# ── By the size of trades ─────────────────────────────────────────────────────────────────────


class BySize(NamedTuple):
    """Bars of the trades of each size: below the first edge, from each edge to the next, from the last on.

    Edges are values of a trade in quote units, and belong to the sizes above them. `unknown` counts the
    trades of each bar of which the size is not known: they are in none.
    """

    edges: Column
    sizes: tuple[Bars, ...]
    unknown: Index


def by_size(
    like: Bars,
    bar: Index,
    time: Index,
    price: Column,
    size: Column,
    is_buy: Mask,
    edges: Sequence[float],
    count: Index | None = None,
) -> BySize:
    """Put trades into the bars of `like`, empty ones too, apart by the value that each row of them has.

    A size is what a venue tells as one trade; an order that took several resting ones may be several of them.
    """
    limits = np.asarray(edges, dtype=np.float64)
    if not len(limits) or not (limits > 0).all() or np.any(limits[1:] <= limits[:-1]):
        raise InvalidArgument("no edges of sizes", hint="values in quote units that ascend, as 10000, 100000")
    value = size * price
    bucket = np.searchsorted(limits, value * (1 + _ROUNDED), "right")
    bucket[np.isnan(value)] = -1

    def of(number: int) -> Bars:
        at = np.flatnonzero(bucket == number)
        times = count if count is None else count[at]
        return aligned(
            bars(bar[at], time[at], price[at], size[at], is_buy[at], times), like.bar, like.start, like.end
        )

    row = np.searchsorted(like.bar, bar[bucket < 0])
    unknown = np.bincount(row, minlength=len(like.bar))[: len(like.bar)]
    return BySize(limits, tuple(of(number) for number in range(len(limits) + 1)), unknown)


_ROUNDED = 1e-9  # of an edge: what price × size may lack

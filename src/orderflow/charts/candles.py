"""Candles and bars, drawn: what most pictures have in them."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection

from orderflow.charts.canvas import Canvas
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import SECOND, Nanos

LEAST_UNITS = 3.0  # of a bar: narrower ones cannot be told from their neighbours


class Candles(NamedTuple):
    """Bars of one length, oldest first; NaN where nothing was traded, and nothing is drawn."""

    start: Index
    open: Column
    high: Column
    low: Column
    close: Column
    length: Nanos

    @property
    def end(self) -> Index:
        return self.start + self.length

    @property
    def last(self) -> float | None:
        known = self.close[~np.isnan(self.close)]
        return float(known[-1]) if len(known) else None


def legible(bars: int, units: float) -> None:
    """Raise `InvalidArgument` where bars of so many units are too narrow to be told apart; say how many fit."""
    if bars and units < LEAST_UNITS:
        raise InvalidArgument(
            f"{bars:,} bars are too many to be legible in one picture: {int(bars * units / LEAST_UNITS):,} fit",
            hint="longer bars, or a shorter window",
        )


def span(canvas: Canvas, candles: Candles) -> tuple[Nanos, Nanos]:
    """Return the time that a picture shows: its window, and all of the bars that begin or end outside it."""
    since, until = canvas.about.since, canvas.about.until
    if not len(candles.start):
        return since, until
    return min(since, int(candles.start[0])), max(until, int(candles.end[-1]))


def price_range(
    low: Column, high: Column, tick: float | None = None, pad: float = 0.06
) -> tuple[float, float] | None:
    """Return the prices that a plot spans, with some air; None where no price is known."""
    if not len(low) or np.isnan(low).all() or np.isnan(high).all():
        return None
    bottom, top = float(np.nanmin(low)), float(np.nanmax(high))
    air = max((top - bottom) * pad, (tick or 0) * 2) or abs(top) * 1e-4 or 1.0
    return bottom - air, top + air


def draw_candles(canvas: Canvas, plot: Axes, candles: Candles, share: float = 0.72, **how: Any) -> None:
    """Draw candles, `share` of their length wide: blue where they closed at or above the open, else orange."""
    known = ~(np.isnan(candles.open) | np.isnan(candles.close))
    middle = canvas.x(candles.start + candles.length // 2)[known]
    opened, high, low, closed = (
        column[known] for column in (candles.open, candles.high, candles.low, candles.close)
    )
    half = candles.length / SECOND * share / 2
    colours = np.where(closed >= opened, canvas.colours.buy, canvas.colours.sell).tolist()
    wicks = np.stack([np.column_stack([middle, low]), np.column_stack([middle, high])], axis=1)
    bodies = boxes(middle - half, middle + half, np.minimum(opened, closed), np.maximum(opened, closed))
    where: dict[str, Any] = {"zorder": 3} | how
    plot.add_collection(LineCollection(list(wicks), colors=colours, linewidths=1.2, **where), autolim=False)
    # an edge, so that a candle that closed where it opened is seen
    plot.add_collection(
        PolyCollection(list(bodies), facecolors=colours, edgecolors=colours, linewidths=1.0, **where),
        autolim=False,
    )


def boxes(left: Column, right: Column, bottom: Column, top: Column) -> Any:
    """Return the corners of boxes, as matplotlib takes them: a row a box."""
    return np.stack(
        [
            np.column_stack([left, bottom]),
            np.column_stack([right, bottom]),
            np.column_stack([right, top]),
            np.column_stack([left, top]),
        ],
        axis=1,
    )


def draw_bars(
    canvas: Canvas, plot: Axes, start: Index, length: Nanos, value: Column, colours: Any, **how: Any
) -> None:
    """Draw a bar from zero for each value; an unknown one is not drawn."""
    known = np.isfinite(value)
    left = canvas.x(start)[known] + 0.12 * length / SECOND
    right = left + 0.76 * length / SECOND
    zero = np.zeros(int(known.sum()))
    shade = colours[known].tolist() if isinstance(colours, np.ndarray) else colours
    bars = boxes(left, right, zero, value[known])
    where: dict[str, Any] = {"zorder": 3, "linewidths": 0.0} | how
    plot.add_collection(PolyCollection(list(bars), facecolors=shade, **where), autolim=False)


def sided(canvas: Canvas, positive: Mask) -> Any:
    """Return a colour for each: bought where true, sold where not."""
    return np.where(positive, canvas.colours.buy, canvas.colours.sell)

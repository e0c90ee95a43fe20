"""CVD: price above, cumulative delta of venues and markets and their sum in the middle, delta of each bar below."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from orderflow.charts.axes import amount
from orderflow.charts.candles import Candles, draw_bars, draw_candles, legible, price_range, sided, span
from orderflow.charts.canvas import EDGE, WIDTH, About, Canvas, Look
from orderflow.charts.scales import Tag, amount_scale, price_margin, price_scale, tag_margin
from orderflow.market.columns import Column
from orderflow.market.errors import InvalidArgument

DELTA = 130.0  # units
SHARE = 0.44  # of what is left, for CVD; the rest is the price's
MOST_LINES = 6  # more cannot be told apart
NAME = 190.0  # units for the name of a line and its last value
_DASHES = {"spot": "solid", "perpetual": (0, (6, 2)), "future": (0, (2, 2))}


class Series(NamedTuple):
    """The CVD of one venue and market at the end of each bar; NaN where it is unknown."""

    name: str
    market: str
    value: Column


def cvd(
    about: About,
    candles: Candles,
    series: Sequence[Series],
    delta: Column,
    unit: str,
    quote: str,
    *,
    total: Column | None = None,
    tick: float | None = None,
    name: str = "CVD",
    look: Look | None = None,
) -> Canvas:
    """Draw CVD lines over the bars of `candles`; `total` is their sum, `delta` that of each bar."""
    _checked(candles, series, delta, total)
    canvas = Canvas(about, name, look)
    colours = canvas.colours
    canvas.explain(_key(canvas, series))
    found = price_range(candles.low, candles.high, tick)
    low, high = found or (0.0, 1.0)
    tags = [Tag(candles.last, "", colours.text)] if candles.last is not None else []
    lines = _lines(canvas, series, total)
    names = [
        Tag(_last(value), name, colour) for name, value, colour, _, _ in lines if not np.isnan(_last(value))
    ]
    right = max(price_margin(canvas, low, high, tick, tags), canvas.margin([]))
    right = max(right, tag_margin(canvas, names, _signed))
    begin, end = span(canvas, candles)
    legible(len(candles.start), (WIDTH - 2 * EDGE - right) * candles.length / max(1, end - begin))

    free = canvas.top - canvas.bottom - DELTA
    main, middle, below = canvas.stack([0, free * SHARE, DELTA], right)
    if found is None:
        canvas.nothing(main)
    draw_candles(canvas, main, candles)
    canvas.timed([main, middle, below], begin, end)
    price_scale(canvas, main, low, high, quote, tick, tags)
    _draw_lines(canvas, middle, candles, lines, names, unit)
    _draw_delta(canvas, below, candles, delta, unit)
    return canvas


class _Line(NamedTuple):
    name: str
    value: Column
    colour: str
    dash: object
    width: float


def _checked(candles: Candles, series: Sequence[Series], delta: Column, total: Column | None) -> None:
    columns = [delta, *(one.value for one in series), *([] if total is None else [total])]
    if any(len(column) != len(candles.start) for column in columns):
        raise InvalidArgument("series of other bars than the candles", hint="a value for each bar")
    if len(series) > MOST_LINES:
        raise InvalidArgument(
            f"{len(series)} lines cannot be told apart: {MOST_LINES} can",
            hint="fewer venues, or sums of some",
        )


def _key(canvas: Canvas, series: Sequence[Series]) -> list[tuple[str, str]]:
    key = [(canvas.colours.buy, "taker bought"), (canvas.colours.sell, "taker sold")]
    markets = {one.market for one in series}
    if len(markets) > 1:
        spoken = {"spot": "spot: solid", "perpetual": "perpetual: dashed", "future": "future: dotted"}
        told = ", ".join(text for market, text in spoken.items() if market in markets)
        key.append((canvas.colours.lines[0], told))
    return key


def _lines(canvas: Canvas, series: Sequence[Series], total: Column | None) -> list[_Line]:
    colours = canvas.colours
    lines = [
        _Line(canvas.shortened(one.name, NAME), one.value, colour, _DASHES.get(one.market, "solid"), 1.8)
        for one, colour in zip(series, colours.lines, strict=False)
    ]
    return [_Line("sum", total, colours.text, "solid", 3.0), *lines] if total is not None else lines


def _draw_lines(
    canvas: Canvas, plot: Axes, candles: Candles, lines: Sequence[_Line], names: Sequence[Tag], unit: str
) -> None:
    limits = _limits([one.value for one in lines])
    if limits is None:
        canvas.named(plot, f"CVD {unit}")
        return
    amount_scale(canvas, plot, *limits, f"CVD {unit}", names, _signed)
    if limits[0] < 0 < limits[1]:
        plot.axhline(0, color=canvas.colours.muted, linewidth=1.0, zorder=2)
    x = canvas.x(candles.end)
    for _, value, colour, dash, width in lines:
        plot.plot(x, value, color=colour, linewidth=width, linestyle=dash, zorder=3 + width / 10, gid="cvd")
        known = np.pad(~np.isnan(value), 1)
        alone = known[1:-1] & ~known[:-2] & ~known[2:]  # a line of one point is not seen
        plot.plot(x[alone], value[alone], color=colour, linestyle="none", marker="o", markersize=6, zorder=3)


def _draw_delta(canvas: Canvas, plot: Axes, candles: Candles, delta: Column, unit: str) -> None:
    limits = _limits([delta, *([np.zeros(1)] if np.isfinite(delta).any() else [])])
    if limits is None:
        canvas.named(plot, f"Delta {unit}")
        return
    amount_scale(canvas, plot, *limits, f"Delta {unit}")
    plot.axhline(0, color=canvas.colours.muted, linewidth=1.0, zorder=2)
    draw_bars(canvas, plot, candles.start, candles.length, delta, sided(canvas, delta >= 0), gid="delta")


def _last(value: Column) -> float:
    known = value[~np.isnan(value)]
    return float(known[-1]) if len(known) else float("nan")


def _limits(columns: Sequence[Column]) -> tuple[float, float] | None:
    """Return what a plot of columns spans, with some air; None where nothing is known."""
    every = np.concatenate([np.empty(0), *columns])
    known = every[np.isfinite(every)]
    if not len(known):
        return None
    low, high = float(known.min()), float(known.max())
    air = (high - low) * 0.12 or max(1.0, abs(high) * 0.1)
    return low - air, high + air


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + amount(value)

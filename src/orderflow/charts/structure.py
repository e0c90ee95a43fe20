"""Market structure: candles with labelled swings, breaks (BOS, CHoCH), and liquidity that was or was not swept."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from orderflow.charts.candles import Candles, draw_candles, legible, price_range, span
from orderflow.charts.canvas import EDGE, WIDTH, About, Canvas, Look
from orderflow.charts.labels import Labels
from orderflow.charts.scales import Tag, price_margin, price_scale
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos

MOST_TAGS = 6  # levels that are named at the right: those nearest to the last price
OFF = 13.0  # units of a label from its candle


class Swings(NamedTuple):
    """Swing highs and lows at their bars' starts, and what each is called: HH, HL, LH, LL, EQH…"""

    time: Index
    price: Column
    is_high: Mask
    label: Sequence[str]


class Break(NamedTuple):
    """A close beyond a swing: from the swing's bar to the one that broke it."""

    begin: Nanos
    until: Nanos
    price: float
    kind: str  # BOS, CHoCH
    up: bool


class Level(NamedTuple):
    """Liquidity above highs or below lows, from when it was known; `swept` is when it was, None so far."""

    begin: Nanos
    price: float
    is_high: bool
    swept: Nanos | None = None


def structure(
    about: About,
    candles: Candles,
    swings: Swings,
    quote: str,
    *,
    breaks: Sequence[Break] = (),
    levels: Sequence[Level] = (),
    tick: float | None = None,
    name: str = "Market structure",
    look: Look | None = None,
) -> Canvas:
    """Draw the structure over candles. Labels that would lie on one another are left out, older ones first."""
    if not len(swings.time) == len(swings.price) == len(swings.is_high) == len(swings.label):
        raise InvalidArgument("swings of unequal columns", hint="a time, a price, a side and a label each")
    canvas = Canvas(about, name, look)
    colours = canvas.colours
    key = [(colours.buy, "up"), (colours.sell, "down")]
    if levels:
        key += [(colours.mark, "liquidity"), (colours.muted, "swept ×")]
    canvas.explain(key)
    found = price_range(candles.low, candles.high, tick, 0.1)
    low, high = found or (0.0, 1.0)
    tags = [Tag(candles.last, "", colours.text)] if candles.last is not None else []
    last = candles.last if candles.last is not None else low
    open_ = {one.price for one in levels if one.swept is None and low < one.price < high}
    near = sorted(open_, key=lambda price: (abs(price - last), price))[:MOST_TAGS]
    tags += [Tag(price, "", colours.mark, line=False) for price in near]
    right = price_margin(canvas, low, high, tick, tags)
    begin, end = span(canvas, candles)
    legible(len(candles.start), (WIDTH - 2 * EDGE - right) * candles.length / max(1, end - begin))

    (main,) = canvas.stack([0], right)
    if found is None:
        canvas.nothing(main)
    draw_candles(canvas, main, candles)
    canvas.timed([main], begin, end)
    price_scale(canvas, main, low, high, quote, tick, tags)
    labels = Labels(canvas, main)
    labels.avoid(canvas.x(candles.start), canvas.x(candles.end), candles.low, candles.high)
    _draw_levels(canvas, main, candles, levels, end)
    _draw_swings(canvas, main, candles, swings, labels)
    _draw_breaks(canvas, main, candles, breaks, labels)
    return canvas


def _draw_levels(canvas: Canvas, plot: Axes, candles: Candles, levels: Sequence[Level], end: Nanos) -> None:
    """Draw a level from its swing to where it was swept, or to the end."""
    colours, half = canvas.colours, candles.length // 2
    for swept, colour, dash, width in (
        (False, colours.mark, "solid", 1.4),
        (True, colours.muted, (0, (2, 2)), 1.2),
    ):
        some = [one for one in levels if (one.swept is not None) == swept]
        ends = [end if one.swept is None else one.swept + half for one in some]
        x0 = canvas.x(np.array([one.begin + half for one in some], dtype=np.int64))
        x1 = canvas.x(np.array(ends, dtype=np.int64))
        lines = [[(a, one.price), (b, one.price)] for one, a, b in zip(some, x0, x1, strict=True)]
        how = {"colors": colour, "linestyles": [dash], "linewidths": width}
        plot.add_collection(
            LineCollection(lines, zorder=2.6, gid="swept" if swept else "liquidity", **how), autolim=False
        )
        if swept and some:
            at = [one.price for one in some]
            plot.plot(
                x1, at, linestyle="none", marker="x", markersize=8, markeredgewidth=2, color=colour, zorder=5
            )


def _draw_swings(canvas: Canvas, plot: Axes, candles: Candles, swings: Swings, labels: Labels) -> None:
    """Join the swings by a thin line, and write their labels beyond the candles, the latest first."""
    colours = canvas.colours
    x = canvas.x(swings.time + candles.length // 2)
    order = np.argsort(swings.time, kind="stable")
    plot.plot(x[order], swings.price[order], color=colours.muted, linewidth=1.0, alpha=0.7, zorder=2.4)
    for place in order[::-1].tolist():
        label = str(swings.label[place])
        colour = colours.buy if label in _RISING else colours.sell if label in _FALLING else colours.text
        spot = float(x[place]), float(swings.price[place]), OFF if swings.is_high[place] else -OFF
        labels.put(label, spot, color=colour, bold=True, gid="swing")


_RISING, _FALLING = ("HH", "HL"), ("LH", "LL")


def _draw_breaks(
    canvas: Canvas, plot: Axes, candles: Candles, breaks: Sequence[Break], labels: Labels
) -> None:
    """Draw a dashed line from the swing to the bar that closed beyond it, and say what kind it was."""
    for one in sorted(breaks, key=lambda one: -one.until):
        x0, x1 = canvas.x(np.array([one.begin, one.until], dtype=np.int64) + candles.length // 2).tolist()
        colour = canvas.colours.buy if one.up else canvas.colours.sell
        line: dict[str, Any] = {"linewidth": 1.8, "linestyle": (0, (5, 2)), "zorder": 3.5, "gid": "break"}
        plot.plot([x0, x1], [one.price] * 2, color=colour, **line)
        away = OFF if one.up else -OFF
        spots = [
            (x0 + (x1 - x0) * share, one.price, way) for way in (away, -away) for share in (0.5, 0.25, 0.75)
        ]
        labels.put(one.kind, *spots, color=colour, gid="break name")

"""The heat map: what rested in the book at each price and time, the trades that met it, and the middle price.

Size is told by colour on a logarithmic scale; what is unknown is hatched, and what is known to be empty is
plain. A trade is a circle whose area is its amount, blue where the taker bought, orange where sold.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, to_rgb
from matplotlib.patches import Rectangle

from orderflow.charts.axes import amount
from orderflow.charts.canvas import EDGE, LINE, WIDTH, About, Canvas, Look
from orderflow.charts.scales import Tag, price_margin, price_scale
from orderflow.flow.levels import prices
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import SECOND, Nanos

MOST_TRADES = 1_500  # circles, the largest first: more would hide the book
RADIUS = 17.0  # units of the largest circle
LEAST_RADIUS = 1.6
BAR = 16.0  # units of the bar of colours
FAINTEST = 0.25  # of known sizes: at and below this quantile all have the faintest colour


class Resting(NamedTuple):
    """What rested: a row a level from `lowest` on, a column a time of one `length`; NaN where unknown."""

    start: Index
    length: Nanos
    lowest: int
    size: npt.NDArray[np.float64]


class Circles(NamedTuple):
    """Trades, or orders of takers; `amount` is what their areas stand for."""

    time: Index
    price: Column
    amount: Column
    is_buy: Mask


class Line(NamedTuple):
    """A price at some times, which holds until the next; NaN where unknown."""

    time: Index
    price: Column


def heatmap(
    about: About,
    resting: Resting,
    step: float,
    unit: str,
    quote: str,
    *,
    trades: Circles | None = None,
    mid: Line | None = None,
    tick: float | None = None,
    name: str = "Order book",
    look: Look | None = None,
) -> Canvas:
    """Draw resting size by time and price, with trades over it. Levels are multiples of `step`."""
    canvas = Canvas(about, name, look)
    colours = canvas.colours
    key = [(colours.text, "mid")] if mid is not None else []
    if trades is not None:
        key += [(colours.buy, "taker bought"), (colours.sell, "taker sold")]
    canvas.explain(key)
    levels, times = resting.size.shape
    edges = prices(np.array([resting.lowest, resting.lowest + max(1, levels)]), step).tolist()
    low, high = edges
    last = _last(mid)
    tags = [Tag(last, "", colours.text)] if last is not None and low <= last <= high else []
    scale = _scale(resting.size)
    texts = [] if scale is None else [amount(float(one or 0), 2) for one in (scale.vmin, scale.vmax)]
    beside = BAR + 16 + max([60.0, *(canvas.measured(text) + 12 for text in [*texts, unit])])
    right = price_margin(canvas, low, high, tick or step, tags)
    begin, end = _span(canvas, resting)
    _checked(resting, WIDTH - 2 * EDGE - right - beside, canvas.top - canvas.bottom - LINE, step)

    (main,) = canvas.stack([0], right + beside)
    main.set_facecolor(colours.panel)
    if scale is None and not (trades is not None and len(trades.time)):
        canvas.nothing(main, "nothing is known of this book")
    canvas.timed([main], begin, end)
    price_scale(canvas, main, low, high, quote, tick or step, tags)
    if times and levels:
        _draw_sizes(canvas, main, resting, (low, high), scale)
    if scale is not None:
        _draw_scale(canvas, main, scale, right, unit)
    if mid is not None and len(mid.time):
        x, price = _held(canvas, mid, end)
        main.step(x, price, where="post", color=colours.text, linewidth=1.5, zorder=4, gid="mid")
    if trades is not None:
        _draw_trades(canvas, main, trades)
    return canvas


def _held(canvas: Canvas, mid: Line, end: Nanos) -> tuple[Column, Column]:
    """Return the steps of a line: each price holds until the next, the end, or a gap."""
    cuts = np.array([begin for begin, _ in canvas.about.gaps] + [end], dtype=np.int64)
    time = np.concatenate([mid.time, cuts])
    price = np.concatenate([mid.price, np.full(len(cuts), np.nan)])
    price[-1] = mid.price[-1]
    order = np.argsort(time, kind="stable")
    return canvas.x(time[order]), price[order]


def _last(mid: Line | None) -> float | None:
    known = np.empty(0) if mid is None else mid.price[~np.isnan(mid.price)]
    return float(known[-1]) if len(known) else None


def _span(canvas: Canvas, resting: Resting) -> tuple[Nanos, Nanos]:
    since, until = canvas.about.since, canvas.about.until
    if not len(resting.start):
        return since, until
    return min(since, int(resting.start[0])), max(until, int(resting.start[-1]) + resting.length)


def _checked(resting: Resting, width: float, height: float, step: float) -> None:
    levels, times = resting.size.shape
    if times != len(resting.start):
        raise InvalidArgument("a book of other times than are told", hint="a column of sizes for each start")
    if times > width:
        raise InvalidArgument(
            f"{times:,} times are too many to be legible in one picture: {int(width):,} fit",
            hint=f"columns of {-(-times // int(width)) * resting.length / SECOND:g} s, or a shorter window",
        )
    if levels > height:
        raise InvalidArgument(
            f"{levels:,} levels are too many to be legible in one picture: {int(height):,} fit",
            hint=f"levels of {step * -(-levels // int(height)):g}, or fewer of them",
        )


def _scale(size: npt.NDArray[np.float64]) -> LogNorm | None:
    """Return a logarithmic scale of the sizes that rest; None where none does."""
    known = size[np.isfinite(size) & (size > 0)]
    if not len(known):
        return None
    most = float(known.max())
    least = min(float(np.quantile(known, FAINTEST)), most / 10)
    return LogNorm(max(least, most / 1e4), most, clip=True)


def _draw_sizes(
    canvas: Canvas, plot: Axes, resting: Resting, edges: tuple[float, float], scale: LogNorm | None
) -> None:
    """Paint the book over hatching, which stays to be seen where nothing is known."""
    colours = canvas.colours
    starts = canvas.x(resting.start)
    length = resting.length / SECOND
    unknown = np.isnan(resting.size)
    if unknown.any():
        for x0, x1 in _stretches(starts, length):
            band = Rectangle(
                (x0, edges[0]), x1 - x0, edges[1] - edges[0], facecolor=colours.ground, linewidth=0, zorder=0.7,
                gid="unknown",
            )  # fmt: skip
            canvas.hatch(band, canvas.colours.unknown)
            plot.add_patch(band)
    shades = _shades(canvas)
    painted = np.zeros((*resting.size.shape, 4))
    painted[...] = (*to_rgb(colours.panel), 1.0)
    if scale is not None:
        there = np.where(unknown, 0.0, resting.size) > 0
        painted[there] = shades(np.asarray(scale(resting.size[there])))
    painted[unknown] = 0.0
    at = 0
    for x0, x1 in _stretches(starts, length):
        count = round((x1 - x0) / length)
        plot.imshow(
            painted[:, at : at + count], origin="lower", extent=(x0, x1, *edges), aspect="auto",
            interpolation="nearest", zorder=1, resample=False,
        )  # fmt: skip
        at += count


def _shades(canvas: Canvas) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list("sizes", list(canvas.colours.shades))


def _stretches(starts: Column, length: float) -> list[tuple[float, float]]:
    """Return the stretches of columns that follow on one another."""
    if not len(starts):
        return []
    cuts = np.flatnonzero(np.abs(np.diff(starts) - length) > length * 1e-6) + 1
    return [(float(part[0]), float(part[-1]) + length) for part in np.split(starts, cuts)]


def _draw_scale(canvas: Canvas, plot: Axes, scale: LogNorm, right: float, unit: str) -> None:
    """Draw the bar of colours: the sizes at its ends, and the powers of ten between."""
    box = plot.get_position()
    left = box.x1 * WIDTH + right + 4
    bottom, height = box.y0 * canvas.height, box.height * canvas.height - 34
    bar = canvas.plot(left, bottom, BAR, height)
    shades = _shades(canvas)
    ramp = np.asarray(shades(np.linspace(0, 1, 256)))[:, None, :]
    bar.imshow(ramp, origin="lower", extent=(0, 1, 0, 1), aspect="auto", interpolation="nearest")
    least, most = float(scale.vmin or 0), float(scale.vmax or 0)
    powers = [
        10.0**power for power in range(int(np.floor(np.log10(least))), int(np.ceil(np.log10(most))) + 1)
    ]
    marks = [(0.0, "≤" + amount(least, 2)), (1.0, amount(most, 2))]
    apart = LINE / height
    for one in powers:
        at = float(scale(one)) if least < one < most else 0.0
        if all(abs(at - other) > apart for other, _ in marks):
            marks.append((at, amount(one, 2)))
    for at, text in marks:
        canvas.label(
            bar, 1.5, min(max(at, 0.4 * apart), 1 - 0.4 * apart), text, va="center_baseline", clip_on=False,
            color=canvas.colours.muted, gid="scale",
        )  # fmt: skip
    canvas.write(left, bottom + height + 12, unit, color=canvas.colours.muted, gid="unit")


def _draw_trades(canvas: Canvas, plot: Axes, trades: Circles) -> None:
    known = np.flatnonzero(np.isfinite(trades.amount) & (trades.amount > 0))
    shown = known[np.argsort(-trades.amount[known], kind="stable")][:MOST_TRADES]
    if len(known) > len(shown):
        canvas.note(f"the {len(shown):,} largest of {len(known):,} trades")
    if not len(shown):
        return
    most = float(trades.amount[shown[0]])
    radius = np.maximum(RADIUS * np.sqrt(trades.amount[shown] / most), LEAST_RADIUS)
    points = (2 * radius * 0.72) ** 2  # a unit is 0.72 points; areas of markers are diameters squared
    colours = np.where(trades.is_buy[shown], canvas.colours.buy, canvas.colours.sell).tolist()
    plot.scatter(
        canvas.x(trades.time[shown]), trades.price[shown], s=points, c=colours, alpha=0.75, linewidths=0.8,
        edgecolors=canvas.colours.ground, zorder=5, gid="trades",
    )  # fmt: skip

"""What stands at the right of a plot: prices by their tick, or amounts, and the names of some of them."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from matplotlib.axes import Axes

from orderflow.charts.axes import amount, price_text, price_ticks
from orderflow.charts.canvas import LINE, Canvas
from orderflow.flow.levels import decimals, round_step

Writer: TypeAlias = Callable[[float], str]  # what is written for a value

DENSE_PRICES, DENSE_AMOUNTS = 42.0, 27.0  # units from one to the next, or more


class Tag(NamedTuple):
    """A value that is named, bold; `line` draws a dotted one across the plot."""

    value: float
    name: str
    colour: str
    line: bool = True


def price_margin(
    canvas: Canvas, low: float, high: float, tick: float | None, tags: Sequence[Tag] = ()
) -> float:
    """Return the room that prices and their names need at the right of a plot."""
    return tag_margin(canvas, tags, price_writer(low, high, tick), [low, high])


def tag_margin(canvas: Canvas, tags: Sequence[Tag], write: Writer, others: Sequence[float] = ()) -> float:
    bold = [canvas.measured(_tagged(tag, write), bold=True) + 16 for tag in tags]
    return max([*bold, canvas.margin([write(one) for one in others])])


def price_scale(
    canvas: Canvas,
    plot: Axes,
    low: float,
    high: float,
    unit: str,
    tick: float | None = None,
    tags: Sequence[Tag] = (),
    beside: Sequence[Axes] = (),
) -> None:
    """Give a plot prices at its right, from low to high, and names to some; `beside` share them."""
    if any(one in canvas.empty for one in (plot, *beside)):
        return
    width, height = canvas.units(plot)
    marks, places = price_ticks(low, high, tick, round(height / DENSE_PRICES))
    line = LINE * (high - low) / height
    for one in (plot, *beside):
        one.set_ylim(low, high)
        _grid(canvas, one, marks)
        for tag in (tag for tag in tags if tag.line):
            one.axhline(tag.value, color=tag.colour, linewidth=1.0, linestyle=(0, (1, 3)), zorder=2.5)
    head = high - line  # above it stands the unit
    spots = _name(canvas, plot, low, head, tags, price_writer(low, high, tick))
    kept = [one for one in marks if low + 0.4 * line <= one <= head - 0.4 * line]
    kept = [one for one in kept if all(abs(one - spot) > 0.9 * line for spot in spots)]
    _write(canvas, plot, kept, [price_text(one, places) for one in kept])
    canvas.label(
        plot, 1 + 8 / width, 1 - 4 / height, unit, transform=plot.transAxes, va="top", clip_on=False,
        color=canvas.colours.muted, gid="unit",
    )  # fmt: skip


def amount_scale(
    canvas: Canvas,
    plot: Axes,
    low: float,
    high: float,
    name: str,
    tags: Sequence[Tag] = (),
    write: Writer = amount,
) -> None:
    """Give a plot round amounts at its right, names to some, and its own name within."""
    plot.set_ylim(low, high)
    _, height = canvas.units(plot)
    step = round_step(low, high, None, max(3, round(height / DENSE_AMOUNTS)))
    line = LINE * (high - low) / height
    spots = _name(canvas, plot, low, high, tags, write)
    every = (number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1))
    marks = [one for one in every if low + line / 2 <= one <= high - line / 2]
    _grid(canvas, plot, marks)
    kept = [one for one in marks if all(abs(one - spot) > 0.9 * line for spot in spots)]
    _write(canvas, plot, kept, [write(one) for one in kept])
    canvas.named(plot, name)


def price_writer(low: float, high: float, tick: float | None) -> Writer:
    """Return what writes prices of a plot: with the decimals of the tick, or such as tell a hundredth of it."""
    places = decimals(tick if tick is not None else round_step(low, high, None, 100))
    return lambda price: price_text(price, places)


def _grid(canvas: Canvas, plot: Axes, marks: Sequence[float]) -> None:
    for mark in marks:
        plot.axhline(mark, color=canvas.colours.grid, linewidth=0.8, zorder=0.5)


def _write(canvas: Canvas, plot: Axes, places: Sequence[float], texts: Sequence[str]) -> None:
    plot.yaxis.tick_right()
    plot.set_yticks(places, texts)
    plot.tick_params(length=0, pad=6)
    for one in plot.get_yticklabels():
        one.set(fontproperties=canvas.font(), color=canvas.colours.muted, parse_math=False, usetex=False)


def _name(
    canvas: Canvas, plot: Axes, low: float, high: float, tags: Sequence[Tag], write: Writer
) -> list[float]:
    """Name values between low and high, apart from one another; return where. The first have the places."""
    bottom, top = plot.get_ylim()
    _, height = canvas.units(plot)
    least = LINE * (top - bottom) / height
    shown = [tag for tag in tags if bottom <= tag.value <= top][: int((high - low) / least)]
    spots = spread([tag.value for tag in shown], low, high, least)
    points = height * 0.72 / (top - bottom)
    for tag, spot in zip(shown, spots, strict=True):
        plot.annotate(
            _tagged(tag, write), (1, tag.value), (6, (spot - tag.value) * points),
            xycoords=plot.get_yaxis_transform(), textcoords="offset points", va="center",
            fontproperties=canvas.font(bold=True), color=tag.colour, parse_math=False, annotation_clip=False,
            gid="tag",
        )  # fmt: skip
    return spots


def _tagged(tag: Tag, write: Writer) -> str:
    return f"{tag.name} {write(tag.value)}".strip()


def spread(values: Sequence[float], low: float, high: float, least: float) -> list[float]:
    """Move values as little apart as keeps them `least` from one another, within low and high.

    >>> spread([50.0, 20.0, 21.0], 0.0, 100.0, 10.0)
    [50.0, 20.0, 30.0]
    """
    order = sorted(range(len(values)), key=lambda place: values[place])
    spots = [0.0] * len(values)
    floor = low + least / 2
    for place in order:
        spots[place] = max(values[place], floor)
        floor = spots[place] + least
    ceiling = high - least / 2
    for place in reversed(order):
        spots[place] = min(spots[place], ceiling)
        ceiling = spots[place] - least
    return spots

"""The footprint: what was traded at each price of each bar, sold at the bid × bought at the ask.

Cells are coloured by their delta, the stronger the bluer (bought) or the more orange (sold). Their numbers are
there when there is room for them: sold × bought, in fewer digits when there is less, the delta alone when there
is little. All are rounded to one place, so that they can be compared: 0 is less than half of the last digit. An
imbalance is bold and has an edge on its side, the POC of a bar is framed. Below stand its delta, volume and CVD.
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from orderflow.charts.axes import amount
from orderflow.charts.candles import Candles, boxes, draw_bars, draw_candles, legible, sided, span
from orderflow.charts.canvas import EDGE, LINE, WIDTH, About, Canvas, Look
from orderflow.charts.scales import Tag, price_margin, price_scale
from orderflow.charts.themes import blended
from orderflow.flow.cells import Cells
from orderflow.flow.levels import prices
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import SECOND

LEAST_CELL = 2.0  # units a level is high, below which its colour cannot be seen
LEAST_TEXT = 15.0  # units of a level that has numbers
ROW, BAR_ROW = 26.0, 50.0  # units of a row below: of numbers, and of bars where those have no room
GAP = 8.0
CANDLE = 10.0  # units at the left of a bar that its candle takes, or a quarter of it
FRAME = 40.0  # units of a bar, below which its POC is a line and no frame
_MANNERS = (
    ("sides", 4),
    ("sides", 3),
    ("sides", 2),
    ("delta", 3),
    ("delta", 2),
)  # of numbers, by the room they need
EDGE_WIDTH = 4.0  # units of the edge of an imbalance
_STRONG, _FAINT = 0.62, 0.05  # how opaque the strongest cell is, and one without delta


class Marks(NamedTuple):
    """What else is known of the cells: imbalances, a row a cell, and the level of each bar's POC."""

    buy_imbalance: Mask | None = None
    sell_imbalance: Mask | None = None
    poc: Index | None = None


class _Numbers(NamedTuple):
    """What is written into a cell, at which place it is rounded, and how wide it is at most, on each side."""

    what: str  # sides, delta, or nothing
    places: int = 0
    left: float = 0.0
    right: float = 0.0

    def text(self, value: float) -> str:
        return amount(round(value, self.places), 12)


class _Ladder(NamedTuple):
    """All that is drawn in the cells; how wide and high one is, in units; and its numbers."""

    candles: Candles
    cells: Cells
    step: float
    marks: Marks
    slot: float
    row: float
    numbers: _Numbers

    @property
    def candle(self) -> float:
        """The share of a bar that its candle takes."""
        return min(CANDLE / self.slot, 0.25)

    @property
    def unit(self) -> float:
        """A unit, in seconds."""
        return self.candles.length / SECOND / self.slot

    def edges(self, canvas: Canvas, bar: Index) -> tuple[Column, Column]:
        """Return where the cells of bars begin and end in time."""
        left = canvas.x(self.candles.start)[bar]
        air = min(1.5, self.slot / 10)
        return left + self.unit * (self.candle * self.slot + air), left + self.unit * (self.slot - air)


def footprint(
    about: About,
    candles: Candles,
    cells: Cells,
    step: float,
    unit: str,
    quote: str,
    *,
    marks: Marks | None = None,
    cvd_from: float = 0.0,
    name: str = "Footprint",
    look: Look | None = None,
) -> Canvas:
    """Draw a footprint. `cells.bar` numbers the rows of `candles` from 0; levels are multiples of `step`.

    `unit` is that of the amounts, `quote` that of prices. CVD begins with `cvd_from`. Raises `InvalidArgument`
    where bars or levels are too many to be seen, and says how many would fit.
    """
    marks = marks or Marks()
    _checked(candles, cells, marks)
    canvas = Canvas(about, name, look)
    colours = canvas.colours
    key = [(colours.buy, "taker bought"), (colours.sell, "taker sold")]
    canvas.explain([*key, (colours.mark, "POC")] if marks.poc is not None else key)
    low, high = _range(candles, cells, step)
    tags = [Tag(candles.last, "", colours.text)] if candles.last is not None else []
    names = [f"Delta {unit}", f"Volume {unit}", f"CVD {unit}"]
    right = max(price_margin(canvas, low, high, step, tags), canvas.margin(names))
    begin, end = span(canvas, candles)
    slot = (WIDTH - 2 * EDGE - right) * candles.length / max(1, end - begin)
    legible(len(candles.start), slot)

    totals = _totals(canvas, candles, cells, cvd_from)
    longest = _longest(amount(one) for total in totals for one in total.tolist())
    texts = canvas.measured(longest) + 8 < slot
    height = ROW if texts else BAR_ROW
    free = canvas.top - canvas.bottom - LINE - 6 - 3 * (height + GAP)
    row = _row(round((high - low) / step), free, step)
    ladder = _Ladder(candles, cells, step, marks, slot, row, _numbers(canvas, cells, slot, row))
    if len(cells.bar):
        canvas.note(_spoken(ladder, free, round((high - low) / step), unit, quote))

    main, *below = canvas.stack([0, height, height, height], right)
    if len(cells.bar):
        _draw_cells(canvas, main, ladder)
    else:
        canvas.nothing(main)
    _draw_candles(canvas, main, ladder)
    canvas.timed([main, *below], begin, end)
    price_scale(canvas, main, low, high, quote, step, tags)
    for plot, title, total in zip(below, names, totals, strict=True):
        _draw_total(canvas, plot, candles, title, total, texts)
    return canvas


def _checked(candles: Candles, cells: Cells, marks: Marks) -> None:
    if len(cells.bar) and not (cells.bar.min() >= 0 and cells.bar.max() < len(candles.start)):
        raise InvalidArgument(
            "a cell of a bar that is not there", hint="bars numbered from 0, as the candles are"
        )
    rows = (
        (marks.buy_imbalance, len(cells.bar)),
        (marks.sell_imbalance, len(cells.bar)),
        (marks.poc, len(candles.start)),
    )
    if any(column is not None and len(column) != length for column, length in rows):
        raise InvalidArgument("marks that are not of these cells", hint="a row a cell, a POC a bar")


def _range(candles: Candles, cells: Cells, step: float) -> tuple[float, float]:
    """Return the prices of the plot: all levels, and one more on each side."""
    known = candles.close[~np.isnan(candles.close)]
    if not len(cells.level):
        middle = float(known[-1]) if len(known) else step
        return middle - 10 * step, middle + 10 * step
    low, high = prices(np.array([cells.level.min() - 1, cells.level.max() + 2]), step).tolist()
    return low, high


def _row(levels: int, free: float, step: float) -> float:
    row = free / levels
    if row < LEAST_CELL:
        most = int(free / LEAST_CELL)
        raise InvalidArgument(
            f"{levels:,} levels are too many to be legible in one picture: {most:,} fit",
            hint=f"levels of {step * -(-levels // most):g}, or a shorter window",
        )
    return row


def _totals(canvas: Canvas, candles: Candles, cells: Cells, cvd_from: float) -> list[Column]:
    """Return delta, volume and CVD of each bar; of one without trades that a gap touches they are unknown."""
    bars = len(candles.start)
    delta = np.bincount(cells.bar, weights=cells.delta, minlength=bars).astype(np.float64)
    volume = np.bincount(cells.bar, weights=cells.volume, minlength=bars).astype(np.float64)
    cvd = cvd_from + np.cumsum(delta)
    empty = np.bincount(cells.bar, minlength=bars) == 0
    for begin, until in canvas.about.gaps:
        lost = empty & (candles.start < until) & (candles.end > begin)
        delta[lost] = volume[lost] = cvd[lost] = np.nan
    return [delta, volume, cvd]


def _spoken(ladder: _Ladder, free: float, levels: int, unit: str, quote: str) -> str:
    """Say what the numbers are, or with what there would be some."""
    if ladder.numbers.what == "sides":
        return f"cells: sold × bought, {unit}"
    if ladder.numbers.what == "delta":
        return f"cells: delta, {unit}"
    if ladder.row < LEAST_TEXT:
        return (
            f"for numbers: levels of {ladder.step * -(-levels // int(free / LEAST_TEXT)):g} {quote} or wider"
        )
    return "for numbers: fewer bars"


# ── Cells ─────────────────────────────────────────────────────────────────────────────────────


def _numbers(canvas: Canvas, cells: Cells, slot: float, row: float) -> _Numbers:
    """Return the fullest manner of writing numbers that has room in a cell."""
    if row < LEAST_TEXT or not len(cells.bar):
        return _Numbers("nothing")
    room = slot - min(CANDLE, slot / 4) - 2 * EDGE_WIDTH - 8
    usual = float(np.quantile(np.maximum(cells.buy, cells.sell), 0.9))
    power = math.floor(math.log10(usual)) if usual > 0 else 0
    for what, digits in _MANNERS:
        one = _Numbers(what, digits - 1 - power)
        if what == "delta":
            wide = _widest(canvas, one, cells.delta)
            if wide <= room:
                return one._replace(left=wide / 2, right=wide / 2)
        else:
            left, right = _widest(canvas, one, cells.sell), _widest(canvas, one, cells.buy)
            if left + right + canvas.measured("×") + 6 <= room:
                return one._replace(left=left, right=right)
    return _Numbers("nothing")


def _widest(canvas: Canvas, numbers: _Numbers, values: Column) -> float:
    return canvas.measured(_longest(numbers.text(one) for one in values.tolist()), bold=True)


def _longest(texts: Iterable[str]) -> str:
    """Return the widest of some numbers: a point, a comma or a minus is about half a digit."""
    return max(texts, key=lambda text: (2 * len(text) - sum(map(text.count, ".,-")), text), default="")


def _draw_cells(canvas: Canvas, plot: Axes, ladder: _Ladder) -> None:
    cells, colours = ladder.cells, canvas.colours
    left, right = ladder.edges(canvas, cells.bar)
    bottom, top = prices(cells.level, ladder.step), prices(cells.level + 1, ladder.step)
    delta = cells.delta
    strongest = float(np.quantile(np.abs(delta), 0.98)) or 1.0
    strength = _FAINT + (_STRONG - _FAINT) * np.minimum(1.0, np.abs(delta) / strongest)
    shades = blended(sided(canvas, delta >= 0), colours.panel, strength)
    air = 0.5 / ladder.row * ladder.step
    _add(plot, boxes(left, right, bottom + air, top - air), facecolors=shades, linewidths=0.0, zorder=2)
    _draw_marks(canvas, plot, ladder, left, right, bottom, top)
    if ladder.numbers.what != "nothing":
        _draw_numbers(canvas, plot, ladder, left, right, (bottom + top) / 2)


def _draw_marks(
    canvas: Canvas, plot: Axes, ladder: _Ladder, left: Column, right: Column, bottom: Column, top: Column
) -> None:
    """Draw an edge on the side of each imbalance, and a frame around the POC of each bar."""
    marks, colours = ladder.marks, canvas.colours
    thick = min(EDGE_WIDTH, ladder.slot / 5) * ladder.unit
    if marks.sell_imbalance is not None:
        sold = marks.sell_imbalance
        edge = boxes(left[sold], left[sold] + thick, bottom[sold], top[sold])
        _add(plot, edge, facecolors=colours.sell, linewidths=0.0, zorder=4, gid="sell imbalance")
    if marks.buy_imbalance is not None:
        bought = marks.buy_imbalance
        edge = boxes(right[bought] - thick, right[bought], bottom[bought], top[bought])
        _add(plot, edge, facecolors=colours.buy, linewidths=0.0, zorder=4, gid="buy imbalance")
    if marks.poc is not None:
        traded = np.unique(ladder.cells.bar)
        left, right = ladder.edges(canvas, traded)
        bottom, top = prices(marks.poc[traded], ladder.step), prices(marks.poc[traded] + 1, ladder.step)
        if ladder.slot < FRAME:
            bottom = top = (bottom + top) / 2
        frame = boxes(left, right, bottom, top)
        _add(plot, frame, facecolors="none", edgecolors=colours.mark, linewidths=1.6, zorder=5, gid="poc")


def _draw_numbers(
    canvas: Canvas, plot: Axes, ladder: _Ladder, left: Column, right: Column, y: Column
) -> None:
    cells, marks, colours, numbers = ladder.cells, ladder.marks, canvas.colours, ladder.numbers
    no = np.zeros(len(cells.bar), dtype=np.bool_)
    bought = no if marks.buy_imbalance is None else marks.buy_imbalance
    sold = no if marks.sell_imbalance is None else marks.sell_imbalance
    where: dict[str, Any] = {"va": "center_baseline", "zorder": 6, "gid": "cell"}
    middle = (left + right) / 2
    if numbers.what == "delta":
        for at, price, value, up, down in zip(middle, y, cells.delta, bought, sold, strict=True):
            shade = colours.bought if up else colours.sold if down else colours.text
            canvas.label(
                plot, at, price, numbers.text(value), bold=bool(up or down), color=shade, ha="center", **where
            )
        return
    # the × stands where the longest numbers of both sides leave the same air
    cross = middle + (numbers.left - numbers.right) / 2 * ladder.unit
    away = (canvas.measured("×") / 2 + 3) * ladder.unit
    for values, strong, shift, aligned, colour in (
        (cells.sell, sold, -away, "right", colours.sold),
        (cells.buy, bought, away, "left", colours.bought),
    ):
        for at, price, value, bold in zip(cross + shift, y, values, strong, strict=True):
            shade = colour if bold else colours.text if value else colours.muted
            canvas.label(
                plot, at, price, numbers.text(value), bold=bool(bold), color=shade, ha=aligned, **where
            )
    for at, price in zip(cross, y, strict=True):
        canvas.label(plot, at, price, "×", color=colours.muted, ha="center", **where)


def _draw_candles(canvas: Canvas, plot: Axes, ladder: _Ladder) -> None:
    """Draw thin candles, at the left of their cells."""
    left = round(ladder.candles.length * (ladder.candle - 1) / 2)
    moved = ladder.candles._replace(start=ladder.candles.start + left)
    draw_candles(canvas, plot, moved, share=ladder.candle * 0.55)


def _add(plot: Axes, corners: Any, **how: Any) -> None:
    plot.add_collection(PolyCollection(list(corners), **how), autolim=False)


# ── Rows below ────────────────────────────────────────────────────────────────────────────────


def _draw_total(canvas: Canvas, plot: Axes, candles: Candles, title: str, value: Column, texts: bool) -> None:
    """Draw one row: its numbers, shaded, where they have room; else bars."""
    signed = not title.startswith("Volume")
    colours = sided(canvas, value >= 0) if signed else np.full(len(value), canvas.colours.muted)
    known = value[~np.isnan(value)]
    most = float(np.abs(known).max(initial=0.0)) or 1.0
    if texts:
        plot.set_ylim(0, 1)
        half = candles.length / SECOND / 2
        middle = canvas.x(candles.start) + half
        strength = np.nan_to_num(_FAINT + (_STRONG - _FAINT) * np.abs(value) / most)
        shades = blended(colours, canvas.colours.panel, strength)[~np.isnan(value)]
        zero = np.zeros(len(known))
        there = middle[~np.isnan(value)]
        _add(
            plot,
            boxes(there - half, there + half, zero, zero + 1),
            facecolors=shades,
            linewidths=0.0,
            zorder=2,
        )
        for at, total in zip(middle, value, strict=True):
            canvas.label(
                plot,
                at,
                0.5,
                "" if np.isnan(total) else amount(total),
                ha="center",
                va="center_baseline",
                zorder=6,
            )
    else:
        low, high = float(known.min(initial=0.0)), float(known.max(initial=0.0))
        air = (high - low or 1.0) * 0.08
        plot.set_ylim(low - air, high + air)
        plot.axhline(0, color=canvas.colours.grid, linewidth=0.8, zorder=1)
        draw_bars(canvas, plot, candles.start, candles.length, value, colours)
    width, _ = canvas.units(plot)
    canvas.label(
        plot, 1 + 8 / width, 0.5, title, transform=plot.transAxes, va="center_baseline", clip_on=False,
        color=canvas.colours.muted, gid="row",
    )  # fmt: skip

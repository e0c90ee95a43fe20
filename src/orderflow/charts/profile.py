"""The profile: candles beside what was traded at each price, with POC, value area, nodes, VWAP and sessions."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from orderflow.charts.axes import amount
from orderflow.charts.candles import Candles, boxes, draw_candles, legible, price_range, span
from orderflow.charts.canvas import EDGE, LINE, WIDTH, About, Canvas, Look
from orderflow.charts.scales import Tag, price_margin, price_scale
from orderflow.charts.themes import blended
from orderflow.flow.levels import prices
from orderflow.market.columns import Column, Index
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos

ASIDE = 230.0  # units of the profile
LEAST_ROW = 1.0  # unit of a level, below which rows lie on one another
_OUTSIDE = 0.42  # how strong what lies outside the value area is


class Rows(NamedTuple):
    """What was traded at each level, by the taker's side; levels ascend, and may be missing."""

    level: Index
    buy: Column
    sell: Column


class ValueArea(NamedTuple):
    """Prices: that of the POC, and the edges of the value area."""

    poc: float
    vah: float
    val: float


class Node(NamedTuple):
    """Prices at which much (HVN) or little (LVN) was traded."""

    price_from: float
    price_until: float
    kind: Literal["HVN", "LVN"]


class Vwap(NamedTuple):
    """VWAP at some times, and its bands as (lower, upper)."""

    time: Index
    price: Column
    bands: Sequence[tuple[Column, Column]] = ()


class Session(NamedTuple):
    name: str
    begin: Nanos
    until: Nanos


def profile(
    about: About,
    candles: Candles,
    rows: Rows,
    step: float,
    unit: str,
    quote: str,
    *,
    area: ValueArea | None = None,
    nodes: Sequence[Node] = (),
    vwap: Vwap | None = None,
    sessions: Sequence[Session] = (),
    tick: float | None = None,
    name: str = "Volume profile",
    look: Look | None = None,
) -> Canvas:
    """Draw candles and the profile of the window at their right. Levels are multiples of `step`."""
    canvas = Canvas(about, name, look)
    colours = canvas.colours
    key = [(colours.buy, "taker bought"), (colours.sell, "taker sold")]
    canvas.explain([*key, (colours.lines[0], "VWAP and bands")] if vwap is not None else key)
    edges = [prices(rows.level, step), prices(rows.level + 1, step)]
    found = price_range(np.append(candles.low, edges[0]), np.append(candles.high, edges[1]), tick, 0.03)
    low, high = found or (0.0, 1.0)
    tags = _tags(canvas, candles, area, vwap)
    right = price_margin(canvas, low, high, tick, tags)
    begin, end = span(canvas, candles)
    legible(len(candles.start), (WIDTH - 2 * EDGE - right - ASIDE) * candles.length / max(1, end - begin))

    (main,) = canvas.stack([0], right, aside=ASIDE)
    box = main.get_position()
    aside = canvas.plot(box.x1 * WIDTH + 6, box.y0 * canvas.height, ASIDE - 6, box.height * canvas.height)
    _, height = canvas.units(main)
    if step / (high - low) * height < LEAST_ROW:
        raise InvalidArgument(
            f"levels of {step:g} are too many to be legible in one picture: {int(height / LEAST_ROW):,} fit",
            hint=f"levels of {(high - low) / height * LEAST_ROW:.2g} {quote} or wider, or a shorter window",
        )
    if found is None:
        canvas.nothing(main)
    canvas.timed([main], begin, end)
    price_scale(canvas, aside, low, high, quote, tick, tags, beside=[main])
    _draw_sessions(canvas, main, sessions, begin, end)
    _draw_vwap(canvas, main, vwap)
    draw_candles(canvas, main, candles)
    _draw_rows(canvas, aside, rows, edges, area, unit)
    _draw_nodes(canvas, aside, nodes, area, low, high)
    return canvas


def _tags(canvas: Canvas, candles: Candles, area: ValueArea | None, vwap: Vwap | None) -> list[Tag]:
    colours = canvas.colours
    tags = [Tag(candles.last, "", colours.text)] if candles.last is not None else []
    if area is not None:
        named = (
            ("VAH", area.vah, colours.muted),
            ("POC", area.poc, colours.mark),
            ("VAL", area.val, colours.muted),
        )
        tags += [Tag(price, name, colour) for name, price, colour in named]
    if vwap is not None:
        known = vwap.price[~np.isnan(vwap.price)]
        tags += [Tag(float(known[-1]), "VWAP", colours.lines[0])] if len(known) else []
    return tags


def _draw_sessions(canvas: Canvas, plot: Axes, sessions: Sequence[Session], begin: Nanos, end: Nanos) -> None:
    """Shade sessions in turn, and name each at the foot of the plot where there is room."""
    width, height = canvas.units(plot)
    for number, one in enumerate(sorted(sessions, key=lambda session: session.begin)):
        at, until = max(one.begin, begin), min(one.until, end)
        if at >= until:
            continue
        x0, x1 = canvas.x(np.array([at, until], dtype=np.int64)).tolist()
        shade = canvas.colours.lines[3] if number % 2 else canvas.colours.lines[4]
        plot.axvspan(x0, x1, facecolor=shade, alpha=0.10, linewidth=0, zorder=0.6, gid="session")
        room = (until - at) / (end - begin) * width
        name = canvas.shortened(one.name, room - 16)
        if name == one.name or len(name) > 2:
            canvas.label(
                plot, x0 + 8 * (x1 - x0) / room, 8 / height, name, transform=plot.get_xaxis_transform(),
                color=canvas.colours.muted, zorder=6, gid="session name",
                bbox={"facecolor": canvas.colours.panel, "alpha": 0.7, "linewidth": 0, "pad": 1},
            )  # fmt: skip


def _draw_vwap(canvas: Canvas, plot: Axes, vwap: Vwap | None) -> None:
    if vwap is None:
        return
    x, colour = canvas.x(vwap.time), canvas.colours.lines[0]
    plot.plot(x, vwap.price, color=colour, linewidth=2.0, zorder=4, gid="vwap")
    for number, (lower, upper) in enumerate(vwap.bands, 1):
        for band in (lower, upper):
            plot.plot(x, band, color=colour, linewidth=1.1, linestyle=(0, (5, 1 + 2 * number)), zorder=2.8)
        plot.fill_between(x, lower, upper, color=colour, alpha=0.05, linewidth=0, zorder=0.7)


def _draw_rows(
    canvas: Canvas, plot: Axes, rows: Rows, edges: Sequence[Column], area: ValueArea | None, unit: str
) -> None:
    """Draw what was sold, then what was bought, of each level; the value area is strong, the rest faint."""
    colours = canvas.colours
    most = float((rows.buy + rows.sell).max(initial=0.0))
    if not most:
        return
    plot.set_xlim(0, most * 1.05)
    bottom, top = edges
    inside = np.ones(len(rows.level), dtype=np.bool_)
    if area is not None:
        inside = (top > area.val) & (bottom < area.vah)
    strength = np.where(inside, 0.9, _OUTSIDE)
    air = (top - bottom) * 0.06
    zero = np.zeros(len(rows.level))
    for colour, left, right in (
        (colours.sell, zero, rows.sell),
        (colours.buy, rows.sell, rows.sell + rows.buy),
    ):
        shades = blended([colour] * len(rows.level), colours.panel, strength)
        corners = list(boxes(left, right, bottom + air, top - air))
        plot.add_collection(
            PolyCollection(corners, facecolors=shades, linewidths=0.0, zorder=2), autolim=False
        )
    if area is not None:
        plot.axhspan(
            area.val, area.vah, facecolor=colours.muted, alpha=0.10, linewidth=0, zorder=0.6, gid="value area"
        )
        plot.axhline(area.poc, color=colours.mark, linewidth=1.6, zorder=4, gid="poc")
    scale = 0.5 * most * 1.05
    plot.set_xticks([scale], [f"{amount(scale, 2)} {unit}"])
    plot.axvline(scale, color=colours.grid, linewidth=0.8, zorder=0.5)
    for one in plot.get_xticklabels():
        one.set(fontproperties=canvas.font(), color=colours.muted, parse_math=False)


def _draw_nodes(
    canvas: Canvas, plot: Axes, nodes: Sequence[Node], area: ValueArea | None, low: float, high: float
) -> None:
    """Mark nodes at the right edge of the profile; one too near to another named one, or the POC, has no name."""
    _, height = canvas.units(plot)
    line = LINE * (high - low) / height
    named = [] if area is None else [area.poc]
    for node in nodes:
        colour = canvas.colours.mark if node.kind == "HVN" else canvas.colours.muted
        where: dict[str, Any] = {"facecolor": colour, "linewidth": 0, "zorder": 5, "gid": "node"}
        plot.axhspan(node.price_from, node.price_until, 0.975, 1.0, **where)
        middle = (node.price_from + node.price_until) / 2
        if low + line / 2 <= middle <= high - line / 2 and all(
            abs(middle - other) >= line for other in named
        ):
            named.append(middle)
            canvas.label(
                plot, 0.96, middle, node.kind, transform=plot.get_yaxis_transform(), color=colour, ha="right",
                va="center_baseline", zorder=6, gid="node name",
            )  # fmt: skip

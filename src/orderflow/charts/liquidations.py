"""Liquidations: longs closed by force downwards, shorts upwards, over time; and by price at the side."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from orderflow.charts.axes import amount
from orderflow.charts.candles import Candles, boxes, draw_bars, draw_candles, legible, price_range, span
from orderflow.charts.canvas import EDGE, LINE, WIDTH, About, Canvas, Look
from orderflow.charts.scales import Tag, amount_scale, price_margin, price_scale
from orderflow.flow.levels import prices
from orderflow.flow.liquidations import Liquidations
from orderflow.market.columns import Column
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos

BARS = 0.36  # of the height, for liquidations by time
ASIDE = 210.0  # units of liquidations by price
LEAST_ROW = 1.0


def liquidations(
    about: About,
    candles: Candles,
    by_time: Liquidations,
    length: Nanos,
    by_price: Liquidations,
    step: float,
    quote: str,
    *,
    tick: float | None = None,
    name: str = "Liquidations",
    look: Look | None = None,
) -> Canvas:
    """Draw what was liquidated, in quote units: by bars of `length`, and by levels of `step`.

    Where totals are a lower bound the picture says "at least" wherever they stand.
    """
    canvas = Canvas(about, name, look)
    colours = canvas.colours
    canvas.explain(
        [(colours.sell, "longs liquidated (forced sells)"), (colours.buy, "shorts liquidated (forced buys)")]
    )
    bound = by_time.lower_bound or by_price.lower_bound
    if bound:
        canvas.note("lower bounds: not every liquidation is sent")
    edges = [prices(by_price.number, step), prices(by_price.number + 1, step)]
    found = price_range(np.append(candles.low, edges[0]), np.append(candles.high, edges[1]), tick, 0.08)
    low, high = found or (0.0, 1.0)
    tags = [Tag(candles.last, "", colours.text)] if candles.last is not None else []
    right = price_margin(canvas, low, high, tick, tags)
    begin, end = span(canvas, candles)
    wide = WIDTH - 2 * EDGE - right - ASIDE
    legible(len(candles.start), wide * candles.length / max(1, end - begin))
    legible(int((end - begin) // length), wide * length / max(1, end - begin))

    free = canvas.top - canvas.bottom
    main, below = canvas.stack([0, free * BARS], right, aside=ASIDE)
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
    draw_candles(canvas, main, candles)
    canvas.timed([main, below], begin, end)
    price_scale(canvas, aside, low, high, quote, tick, tags, beside=[main])
    least = ", at least" if bound else ""
    _draw_by_price(canvas, aside, by_price, edges, f"{'≥ ' * bound}{quote} by price")
    _draw_by_time(canvas, below, by_time, length, f"Liquidated {quote}{least}")
    _sum_up(canvas, below, by_time, box.x1 * WIDTH + 90)
    return canvas


def _sum_up(canvas: Canvas, plot: Axes, found: Liquidations, left: float) -> None:
    """Say how much of each side it was, in the corner that the plots leave."""
    colours = canvas.colours
    least = "≥ " if found.lower_bound else ""
    largest = found.largest[~np.isnan(found.largest)]
    told = (
        (colours.sell, "longs", least + amount(float(found.long_quote.sum()))),
        (colours.buy, "shorts", least + amount(float(found.short_quote.sum()))),
        (colours.text, "count", f"{least}{int(found.total_count.sum()):,}"),
        (colours.text, "largest", amount(float(largest.max())) if len(largest) else "–"),
    )
    box = plot.get_position()
    y = box.y1 * canvas.height - 3 * LINE
    for colour, name, value in told:
        canvas.write(left, y, name, color=colours.muted, gid="sum")
        canvas.write(WIDTH - EDGE, y, value, color=colour, ha="right", bold=True, gid="sum")
        y -= LINE + 4


def _draw_by_price(canvas: Canvas, plot: Axes, found: Liquidations, edges: list[Column], name: str) -> None:
    """Draw longs, then shorts, of each level."""
    most = float(np.nanmax(found.quote, initial=0.0))
    canvas.named(plot, name)
    if not most:
        return
    plot.set_xlim(0, most * 1.06)
    longs, shorts = np.nan_to_num(found.long_quote), np.nan_to_num(found.short_quote)
    bottom, top = edges
    air = (top - bottom) * 0.08
    for colour, left, right in (
        (canvas.colours.sell, np.zeros(len(longs)), longs),
        (canvas.colours.buy, longs, longs + shorts),
    ):
        corners = list(boxes(left, right, bottom + air, top - air))
        plot.add_collection(
            PolyCollection(corners, facecolors=colour, linewidths=0.0, zorder=3), autolim=False
        )
    scale = most / 2
    plot.axvline(scale, color=canvas.colours.grid, linewidth=0.8, zorder=0.5)
    plot.set_xticks([scale], [amount(scale, 2)])
    for one in plot.get_xticklabels():
        one.set(fontproperties=canvas.font(), color=canvas.colours.muted, parse_math=False, usetex=False)


def _draw_by_time(canvas: Canvas, plot: Axes, found: Liquidations, length: Nanos, name: str) -> None:
    """Draw shorts above zero and longs below it; the largest bar of each side has its amount beside it."""
    start = found.number * length
    most = [float(np.nanmax(side, initial=0.0)) for side in (found.short_quote, found.long_quote)]
    whole = sum(most)
    if not whole:
        canvas.named(plot, name)
        return
    low, high = -most[1] - 0.22 * whole, most[0] + 0.22 * whole
    amount_scale(canvas, plot, low, high, name, write=lambda one: amount(abs(one)))
    plot.axhline(0, color=canvas.colours.muted, linewidth=1.0, zorder=2)
    draw_bars(canvas, plot, start, length, found.short_quote, canvas.colours.buy, gid="shorts")
    draw_bars(canvas, plot, start, length, -found.long_quote, canvas.colours.sell, gid="longs")

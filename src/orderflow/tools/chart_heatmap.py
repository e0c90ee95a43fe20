"""The heat map, drawn: what rested in the book at each price, what takers took of it, and the mid."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta as Range

from orderflow.flow.books import stands_until
from orderflow.market.columns import Column
from orderflow.store.windows import Window
from orderflow.tools.answers import Answer
from orderflow.tools.books import booked_in, hold, lost
from orderflow.tools.drawing import FAMILY, Frame, about, beside, framed, look, pictured
from orderflow.tools.heat import Heat, VenueWall, fates, heat, walls_of
from orderflow.tools.heatmap import BINS, bin_rows, owned_up, summary_of, with_walls
from orderflow.tools.orderflow import traded
from orderflow.tools.past import answer, attempt, overall
from orderflow.tools.quality import heard
from orderflow.tools.spec import SMALLEST, Ask, Instant, VenueId, tool

if TYPE_CHECKING:
    from orderflow.charts.heatmap import Circles, Line

USUAL_BINS = 200
MOST_CIRCLES = 120  # the largest: more would hide the book
_TOP = 8  # bins a side that are told in numbers


@tool(
    family=FAMILY,
    title="Heat map of the order book, drawn",
    columns=BINS,
    example={"symbol": "BTCUSDT", "since": "-1h"},
    limit=100,
    core=False,
    asks_store=True,
    draws=True,
)
def chart_heatmap(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1h",
    until: Instant = "now",
    bar: str | None = None,
    size: Annotated[float, Range(ge=SMALLEST)] | None = None,
) -> Answer:
    """Resting size of the order book by price and time, with what takers bought and sold as circles, and the mid.

    Use it to see walls build, hold, or go before the price reaches them. Rows: the largest bins.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: summed; the most traded one when left out
        since: begin, as -1h, ISO 8601 or epoch milliseconds
        until: end
        bar: length, as 10s, 1m; 60 to 150 bars when left out
        size: of a bin in quote units; about 200 when left out
    """
    from orderflow.charts.heatmap import Resting, heatmap

    asked = booked_in(ask, symbol, venues, since, until)
    frame = framed(ask, symbol, asked.venues, since, until, bar)
    asked = msgspec.structs.replace(asked, since=frame.since)
    found = heat(ask, asked, frame.bar.length, size, USUAL_BINS)
    every = walls_of(ask, asked, found)
    venue = heard(found.found)[0]
    units = traded(ask, frame.symbol, venue)
    took = attempt(
        lambda: ask.history.cells(
            frame.symbol, heard(found.found), frame.bar.name, frame.since, frame.until, found.size
        )
    )
    one = found.any
    canvas = heatmap(
        about(frame, found.found), Resting(one.start, one.interval, int(one.bin[0]), (found.bid + found.ask).T),
        found.size, units.base, units.quote, trades=None if took is None else _circles(frame, took),
        mid=_mid(found, venue, frame), tick=found.tick, name=f"Order book, {frame.bar.name} bars", look=look(ask),
    )  # fmt: skip
    if len(found.maps) > 1:
        canvas.note(f"mid of {venue}")
    canvas.note(_trades_known(took))
    made = answer(
        ask, found.found, BINS, bin_rows(found, _TOP), stream="orderbooks", asked=asked.venues,
        summary=summary_of(found, every, frame.bar.name),
    )  # fmt: skip
    owned_up(with_walls(made, every), found)
    beside(made, "the trades that circles are of", took)
    return pictured(
        ask,
        made,
        frame,
        canvas,
        "Order book and trades",
        _seen(found, every, took, venue, units.base, units.quote),
    )


def _circles(frame: Frame, took: Window) -> "Circles":
    """Return what takers of each side took in a bar at a level as circles, at its mean price: the largest."""
    from orderflow.charts.heatmap import Circles

    sides = [(_floats(took, name), _floats(took, f"{name}_quote")) for name in ("buy", "sell")]
    size, value = (np.concatenate(column) for column in zip(*sides, strict=True))
    middle = np.asarray(took["open_time"], dtype=np.int64) + frame.bar.length // 2
    time = np.tile(middle, 2)
    is_buy = np.repeat([True, False], len(middle))
    order = np.argsort(-size, kind="stable")[:MOST_CIRCLES]
    shown = np.sort(order[size[order] > 0])
    return Circles(time[shown], value[shown] / size[shown], size[shown], is_buy[shown])


def _mid(found: Heat, venue: str, frame: Frame) -> "Line":
    """Return a venue's mid at the end of each bar, unknown from where a snapshot ceases to stand until the next one comes."""
    from orderflow.charts.heatmap import Line

    book = found.books[venue].between(frame.since, frame.until)
    ends = stands_until(book.time, frame.until, hold(found.found), lost(found.found, venue))
    ceased = np.flatnonzero(ends[:-1] < book.time[1:])
    last = np.flatnonzero(np.append(np.diff(book.time // frame.bar.length), 1)[: len(book.time)])
    time = np.concatenate([book.time[last], ends[ceased]])
    price = np.concatenate([book.mid[last], np.full(len(ceased), np.nan)])
    order = np.argsort(time, kind="stable")
    return Line(time[order], price[order])


def _trades_known(took: Window | None) -> str:
    """Say how much of what the circles are of was received: the hatching is of the book alone."""
    share = None if took is None else overall(took.coverage)[0]
    return "no trades are stored" if share is None else f"trades {np.floor(share * 10) / 10:g} % received"


def _floats(found: Window, name: str) -> Column:
    return np.asarray(found[name], dtype=np.float64)


def _seen(found: Heat, every: list[VenueWall], took: Window | None, venue: str, base: str, quote: str) -> str:
    from orderflow.charts.axes import amount

    mids = found.books[venue].mid
    known = mids[~np.isnan(mids)]
    course = f"{known[0]:.12g} to {known[-1]:.12g} {quote}" if len(known) else "unknown"
    parts = [f"the mid on {venue} went from {course}"]
    for side, size in (("bids", found.bid), ("asks", found.ask)):
        total = np.nansum(size, axis=0)
        if np.any(total > 0):
            place = int(np.argmax(total))
            most = amount(float(np.nanmax(size[:, place])))
            parts.append(f"{side} rested most at {found.low[place]:.12g} (up to {most} {base})")
    if took is not None:
        bought, sold = (float(np.nansum(_floats(took, name))) for name in ("buy", "sell"))
        parts.append(f"takers bought {amount(bought)} and sold {amount(sold)} {base}")
    counted: dict[str, Any] = fates(every)
    told = ", ".join(f"{one['walls']} {fate}" for fate, one in counted.items())
    return "; ".join([*parts, f"walls: {told or 'none'}"])

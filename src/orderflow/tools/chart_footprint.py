"""The footprint, drawn: what takers sold and bought at each price of each bar."""

from typing import Annotated, Any

import numpy as np
from msgspec import Meta as Range
from msgspec.structs import replace

from orderflow.flow.levels import round_step
from orderflow.market.events import MS
from orderflow.store.bar import bar as written
from orderflow.tools.answers import Answer
from orderflow.tools.drawing import FAMILY, LENGTHS, about, course, framed, look, pictured
from orderflow.tools.footprints import Flow, Printed, Printing, flow_of, printed, table, totals
from orderflow.tools.orderflow import traded, traded_in
from orderflow.tools.past import Past, answer
from orderflow.tools.quality import quality
from orderflow.tools.spec import SMALLEST, Ask, Instant, VenueId, tool

_BARS = {
    "time": "UTC", "state": "", "open": "quote", "high": "quote", "low": "quote", "close": "quote", "buy": "base",
    "sell": "base", "delta": "base", "poc": "quote", "buy_imbalances": "count", "sell_imbalances": "count",
}  # fmt: skip
USUAL_BARS = 12  # in whose cells numbers have room
LEVEL = 17.0  # units of a picture 1,200 wide that a level with numbers takes
OTHERS = 250.0  # units of its height that are not levels


@tool(
    family=FAMILY,
    title="Footprint, drawn",
    columns=_BARS,
    example={"symbol": "BTCUSDT", "since": "-1h"},
    limit=100,
    core=False,
    asks_store=True,
    draws=True,
)
def chart_footprint(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-2h",
    until: Instant = "now",
    bar: str | None = None,
    size: Annotated[float, Range(ge=SMALLEST)] | None = None,
    ratio: Annotated[float, Range(gt=0)] = 3.0,
    min_volume: Annotated[float, Range(ge=0)] = 0.0,
) -> Answer:
    """Sold x bought at each price of each bar, with POCs and diagonal imbalances; delta, volume and CVD below.

    Use it to see where takers traded and were met. Rows are bars, newest first.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: added up; the one with most traded when left out
        since: begin, as -4h, ISO 8601 or epoch milliseconds
        until: end
        bar: length, as 1m, 1h; 12 bars or fewer when left out
        size: of a level in quote units; as many as have room for numbers when left out
        ratio: of an imbalance
        min_volume: of an imbalance, base units
    """
    from orderflow.charts.candles import Candles
    from orderflow.charts.footprint import Marks, footprint

    asked = traded_in(ask, symbol, venues, since, until)
    chosen = bar or next((one for one in LENGTHS if _fits(one, asked)), LENGTHS[-1])
    frame = framed(ask, asked.symbol, asked.venues, str(asked.since // MS), str(asked.until // MS), chosen)
    shown = replace(asked, since=frame.since)
    every = flow_of(ask, shown, frame.bar)
    step = size or _step(ask, shown, every)
    made = printed(ask, shown, frame.bar, Printing(step, ratio, min_volume))
    units = traded(ask, asked.symbol, every.price_of)
    of, cells = every.bars, made.footprint.cells
    first = int(of.bar[0])
    poc = np.full(len(of.bar), np.iinfo(np.int64).min)
    rows = made.footprint.bars.bar - first
    known = ~np.isnan(made.footprint.poc)
    poc[rows[known]] = np.rint(made.footprint.poc[known] / step).astype(np.int64)
    bars = Candles(of.start, of.open, of.high, of.low, of.close, length=frame.bar.length)
    canvas = footprint(
        about(frame, every.found), bars, cells._replace(bar=cells.bar - first), step, units.base, units.quote,
        marks=Marks(made.buy_imbalance, made.sell_imbalance, poc),
        name=f"Footprint, {frame.bar.name} bars", look=look(ask),
    )  # fmt: skip
    if len(shown.venues or ()) > 1:
        canvas.note(f"candles of {every.price_of}")
    price = course(bars, units.quote, units.tick)
    answered = answer(
        ask, every.found, _BARS, _rows(every, made, rows), stream="trades", asked=asked.venues,
        summary={
            "bar": frame.bar.name, "size": step, "price_of": every.price_of, "price": price, "totals": totals(of),
            "data_quality": quality(every.found, "footprint 1"),
        },
    )  # fmt: skip
    answered.meta.warnings += every.notes
    return pictured(ask, answered, frame, canvas, "Footprint", _seen(every, made, price, units.base))


def _fits(length: str, asked: Past) -> bool:
    return asked.until - asked.since <= USUAL_BARS * written(length).length


def _step(ask: Ask, asked: Past, flow: Flow) -> float:
    """Return a round size of which so many span the prices as have room for numbers."""
    tick = traded(ask, asked.symbol, flow.price_of).tick
    low, high = float(np.nanmin(flow.bars.low)), float(np.nanmax(flow.bars.high))
    height = 1_200 * ask.look.height / ask.look.width
    return round_step(low, high, tick, int((height - OTHERS) / LEVEL))


def _rows(every: Flow, made: Printed, rows: Any) -> list[list[Any]]:
    of = every.bars
    poc, bought, sold = (
        np.full(len(of.bar), np.nan),
        *(np.zeros(len(of.bar), dtype=np.int64) for _ in range(2)),
    )
    poc[rows] = made.footprint.poc
    place = np.repeat(rows, made.footprint.levels)
    for count, marked in ((bought, made.buy_imbalance), (sold, made.sell_imbalance)):
        np.add.at(count, place[marked], 1)
    columns = (
        of.start // MS, every.state, of.open, of.high, of.low, of.close, of.buy, of.sell, of.delta, poc, bought, sold,
    )  # fmt: skip
    return table(columns)[::-1]


def _seen(every: Flow, made: Printed, price: str, base: str) -> str:
    from orderflow.charts.axes import amount

    of = every.bars
    bought, sold = float(np.nansum(of.buy)), float(np.nansum(of.sell))
    count = int(made.buy_imbalance.sum()), int(made.sell_imbalance.sum())
    most = int(np.nanargmax(np.abs(of.delta)))
    return (
        f"the price went from {price}, takers bought {amount(bought)} and sold {amount(sold)} {base}, the largest delta"
        f" of a bar was {amount(float(of.delta[most]))} {base}, with {count[0]} buy and {count[1]} sell imbalances"
    )

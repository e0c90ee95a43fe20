"""The volume profile, drawn: candles beside what was traded at each price."""

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from orderflow.flow.nodes import Node, nodes
from orderflow.flow.profile import Amount
from orderflow.flow.sessions import DEFAULT, Window, windows_between
from orderflow.flow.sessions import sessions as parse
from orderflow.flow.vwap import RunningVwap, running_vwap_of_cells
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY, MS, SECOND, Nanos
from orderflow.tools.answers import Answer, Table
from orderflow.tools.drawing import FAMILY, Frame, about, candles, course, framed, look, pictured
from orderflow.tools.ladder import BANDS
from orderflow.tools.orderflow import traded_in
from orderflow.tools.past import answer
from orderflow.tools.periods import Flow, Part, flow
from orderflow.tools.profiles import (
    BINS,
    Mode,
    Pair,
    Percent,
    Rules,
    Seconds,
    Size,
    Ticks,
    area_told,
    bin_rows,
    marks,
    unsided,
)
from orderflow.tools.quality import quality
from orderflow.tools.spec import Ask, Instant, VenueId, tool
from orderflow.tools.volume_profile import KINDS, totals

if TYPE_CHECKING:
    from orderflow.charts.candles import Candles
    from orderflow.charts.canvas import Canvas

SESSIONS = {
    "session": "", "since": "UTC", "until": "UTC", "status": "", "high": "quote", "low": "quote", "volume": "base",
    "delta": "base", "vwap": "quote", "poc": "quote", "vah": "quote", "val": "quote",
}  # fmt: skip
DRAWN_BINS = 80
LONGEST_WITH_SESSIONS: Nanos = 2 * DAY  # beyond, their names have no room


@tool(
    family=FAMILY,
    title="Volume profile, drawn",
    columns=BINS | SESSIONS,
    example={"symbol": "BTCUSDT", "since": "-1h"},
    limit=100,
    core=False,
    asks_store=True,
    draws=True,
)
def chart_profile(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1d",
    until: Instant = "now",
    bar: str | None = None,
    size: Size = None,
    ticks: Ticks = None,
    by: Amount = "base",
    value_area_pct: Percent = 70.0,
    value_area_rows: Pair = 2,
    mode: Mode = "raw",
    normalize_seconds: Seconds = 3,
    sessions: str = DEFAULT,
    zone: str = "UTC",
) -> Answer:
    """Candles with the window's volume at price: POC, value area, nodes, VWAP with bands, sessions.

    Use it to see where business was done. Rows are bins, highest price first; and a table of sessions.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: added up; the one that traded most when left out
        since: begin, as -1d, ISO 8601 or epoch milliseconds
        until: end
        bar: length, as 1m, 1h; 60 to 150 bars when left out
        size: of a bin in quote units; about 80 bins when left out
        ticks: of a bin, instead of size
        by: what POC and value area go by
        value_area_pct: share of the volume that the value area holds
        value_area_rows: bins weighed at a time
        mode: synthetic spreads the volume of each few seconds evenly over their range
        normalize_seconds: of synthetic
        sessions: definitions, NAME=HH:MM-HH:MM; of windows up to two days
        zone: their IANA time zone
    """
    rules = Rules(by, value_area_pct, value_area_rows, mode, normalize_seconds).checked()
    parts_of_day = parse(sessions, zone)
    asked = traded_in(ask, symbol, venues, since, until)
    frame = framed(ask, asked.symbol, asked.venues, since, until, bar)
    _fitting(frame, rules)
    whole = msgspec.structs.replace(asked, since=frame.since, until=frame.until)
    read = flow(ask, whole, frame.bar.length, rules, size, ticks, most=DRAWN_BINS)
    part = read.between(frame.since, int(frame.start[-1]) + frame.bar.length, frame.bar.length)
    short = frame.until - frame.since <= LONGEST_WITH_SESSIONS
    shown = windows_between(parts_of_day, frame.since, frame.until) if short else []
    hills, area = nodes(part.profile), part.area
    bars = candles(frame, read.prices, read.price_of)
    canvas = _drawn(ask, frame, read, part, bars, hills, shown)
    named = marks(part.profile, area, [(one.bin.number, KINDS[one.kind]) for one in hills])
    price = course(bars, read.units.quote, read.units.tick)
    made = answer(
        ask, read.found, BINS, bin_rows(part.profile, named), stream="trades", asked=frame.venues,
        summary={
            **area_told(area, rules),
            "vwap": {"price": part.vwap.price, "deviation": part.vwap.deviation},
            "price": price,
            "totals": totals(part.profile),
            "bins": {"size": read.bins.width, "by": by, "mode": mode, "bar": frame.bar.name},
            "data_quality": quality(read.found, rules.algorithm),
        },
    )  # fmt: skip
    made.more["sessions"] = Table(columns=list(SESSIONS), rows=_sessions(frame, read, shown, ask.now))
    made.meta.units |= {name: unit for name, unit in SESSIONS.items() if unit}
    made.meta.warnings += unsided(read.found, read.units.base)
    return pictured(ask, made, frame, canvas, "Price and volume profile", _seen(price, read, part, hills))


def _drawn(
    ask: Ask, frame: Frame, read: Flow, part: Part, bars: "Candles", hills: list[Node], shown: list[Window]
) -> "Canvas":
    from orderflow.charts import profile as pictures

    units, area, made = read.units, part.area, part.profile
    base = read.rules.by == "base"
    average = _average(frame, read)
    canvas = pictures.profile(
        about(frame, read.found), bars,
        pictures.Rows(
            made.number, made.buy if base else made.buy_quote, made.sell if base else made.sell_quote
        ),
        read.bins.width, units.base if base else units.quote, units.quote,
        area=None if area is None else pictures.ValueArea(area.poc.bin.centre, area.vah.high, area.val.low),
        nodes=[pictures.Node(one.bin.low, one.bin.high, KINDS[one.kind]) for one in hills],
        vwap=pictures.Vwap(
            np.minimum(frame.start + frame.bar.length, frame.until), average.vwap,
            [average.band(multiple) for multiple in BANDS],
        ),
        sessions=[pictures.Session(one.name, one.since, one.until) for one in shown],
        tick=units.tick, name=f"Volume profile, {frame.bar.name} bars, bins of {read.bins.width:g}", look=look(ask),
    )  # fmt: skip
    if len(read.prices.coverage) > 1:
        canvas.note(f"price of {read.price_of}")
    return canvas


def _fitting(frame: Frame, rules: Rules) -> None:
    if rules.mode == "synthetic" and frame.bar.length % (rules.seconds * SECOND):
        raise InvalidArgument(
            f"bars of {frame.bar.name} are not made of {rules.seconds} s", hint="normalize_seconds=1"
        )


def _average(frame: Frame, read: Flow) -> RunningVwap:
    """Return the VWAP since the window's begin, as it stood at the close of each bar."""
    cells = read.cells.coarser(bars=frame.bar.length // read.length)
    return running_vwap_of_cells(cells._replace(bar=cells.bar - frame.first), len(frame.start))


def _sessions(frame: Frame, read: Flow, shown: list[Window], now: Nanos) -> list[list[Any]]:
    """Return what was traded in each session, as far as it lies in the window, where bars begin with it."""
    found: list[list[Any]] = []
    for one in shown:
        since, until = max(one.since, frame.since), one.until
        if since % frame.bar.length or until % frame.bar.length:
            continue
        part = read.part(since, until, frame.bar.length)
        if part is None or not part.known:
            continue
        area = part.area
        levels = (None, None, None) if area is None else (area.poc.bin.centre, area.vah.high, area.val.low)
        found.append(
            [
                one.name, since // MS, min(until, frame.until) // MS, one.status(now), part.span.high, part.span.low,
                part.span.volume, part.span.delta, part.vwap.price, *levels,
            ]
        )  # fmt: skip
    return found


def _seen(price: str, read: Flow, part: Part, hills: list[Node]) -> str:
    from orderflow.charts.axes import amount

    volume, delta, area = part.span.volume, part.span.delta, part.area
    traded = "an unknown amount" if volume is None else f"{amount(volume)} {read.units.base}"
    leaning = "" if delta is None else f" (delta {amount(delta)})"
    levels = (
        "; no POC is known"
        if area is None
        else f"; POC at {area.poc.bin.centre:.12g}, value area {area.val.low:.12g} to {area.vah.high:.12g} with"
        f" {100 * area.share:.1f} % of it, {sum(one.kind == 'high' for one in hills)} HVN"
    )
    average = "" if part.vwap.price is None else f", VWAP {part.vwap.price:.7g}"
    return f"the price on {read.price_of} went from {price}, {traded}{leaning} was traded{levels}{average}"

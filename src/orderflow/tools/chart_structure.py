"""Market structure, drawn: labelled swings, breaks, and the liquidity that was or was not swept."""

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from msgspec import Meta as Range

from orderflow.flow.structure import EXTERNAL, Rule
from orderflow.market.events import MS
from orderflow.tools.answers import Answer
from orderflow.tools.closed_bars import ClosedBars, closed_bars
from orderflow.tools.drawing import FAMILY, about, candles, course, framed, look, pictured
from orderflow.tools.orderflow import traded
from orderflow.tools.past import answer
from orderflow.tools.quality import quality
from orderflow.tools.spec import Ask, Instant, VenueId, tool
from orderflow.tools.structure import ALGORITHM, STRUCTURE, Seen, seen, structure_rows, structure_summary

if TYPE_CHECKING:
    from orderflow.charts.structure import Break, Level, Swings

_EQUAL = {"EH": "EQH", "EL": "EQL"}  # as charts call them


@tool(
    family=FAMILY,
    title="Market structure, drawn",
    columns=STRUCTURE,
    example={"symbol": "BTCUSDT", "since": "-1h", "external": 5},
    limit=60,
    core=False,
    asks_store=True,
    draws=True,
)
def chart_structure(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1d",
    until: Instant = "now",
    bar: str | None = None,
    internal: Annotated[int, Range(ge=1, le=100)] | None = None,
    external: Annotated[int, Range(ge=1, le=200)] = EXTERNAL,
    scale: Literal["internal", "external"] = "external",
    rule: Rule = "close",
    hold_bars: Annotated[int, Range(ge=0, le=100)] = 3,
    equal_bps: Annotated[float, Range(ge=0, le=1000)] = 0.0,
) -> Answer:
    """Candles with swings (HH, HL, LH, LL), BOS and CHoCH, and liquidity that was or was not swept.

    Use it to see a trend and where it broke; rows are those of orderflow_structure.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: the most traded when left out; of several the most traded gives prices
        since: begin, as -1d, ISO 8601 or epoch milliseconds
        until: end
        bar: length, as 1m, 1h; 60 to 150 bars when left out
        internal: bars beside a small pivot; 3 when left out
        external: bars beside a large pivot
        scale: which pivots are drawn
        rule: a break is a close or a wick beyond
        hold_bars: bars within which a close back inside undoes a break
        equal_bps: swings so near are equal
    """
    from orderflow.charts.structure import structure

    frame = framed(ask, symbol, venues, since, until, bar)
    of = closed_bars(
        ask, symbol, venues, str(frame.since // MS), str(-(-frame.until // MS)), frame.bar.name, 1
    )
    (found,) = seen(of, internal, external, None, scale, rule, hold_bars, equal_bps)
    drawn, units = candles(frame, of.found, of.venue), traded(ask, frame.symbol, of.venue)
    canvas = structure(
        about(frame, of.found), drawn, _swings(found), units.quote, breaks=_breaks(found), levels=_levels(of, found),
        tick=units.tick, name=f"Market structure, {frame.bar.name} bars", look=look(ask),
    )  # fmt: skip
    if len(of.found.venues) > 1:
        canvas.note(f"price of {of.venue}")
    if of.running is not None:
        canvas.note("last bar developing")
    made = answer(
        ask, of.found, STRUCTURE, structure_rows([found]), stream="trades", asked=frame.venues,
        summary={**structure_summary(of, [found]), "data_quality": quality(of.found, ALGORITHM)},
    )  # fmt: skip
    told = _told(of, found, course(drawn, units.quote, units.tick))
    return pictured(ask, made, frame, canvas, "Market structure", told)


def _swings(of: Seen) -> "Swings":
    """Return the swings of the alternation with their labels; the first of a kind has none."""
    from orderflow.charts.structure import Swings

    every = of.structure.alternating
    return Swings(
        np.array([one.time for one in every], dtype=np.int64),
        np.array([one.level for one in every], dtype=np.float64),
        np.array([one.kind == "high" for one in every], dtype=np.bool_),
        [_EQUAL.get(one.label, one.label) if one.label else one.kind[0].upper() for one in every],
    )


def _breaks(of: Seen) -> "list[Break]":
    from orderflow.charts.structure import Break

    failed = {(one.bar, one.direction, one.level) for one in of.structure.breaks if one.kind == "failed"}
    return [
        Break(
            one.swing_time, one.time, one.level,
            f"{one.kind} failed" if (one.bar, one.direction, one.level) in failed else one.kind, one.direction == "up",
        )
        for one in of.structure.breaks
        if one.kind != "failed"
    ]  # fmt: skip


def _levels(of: ClosedBars, found: Seen) -> "list[Level]":
    """Return the level of each swing, as far as the bar that swept it."""
    from orderflow.charts.structure import Level

    return [
        Level(one.time, one.level, one.kind == "high", None if swept is None else swept * MS - of.bar.length)
        for one, swept in zip(found.structure.swings, found.swept, strict=True)
        if not one.minor
    ]


def _told(of: ClosedBars, found: Seen, price: str) -> str:
    """Say what is seen in one sentence, with figures."""
    made = found.structure
    count = {kind: sum(one.kind == kind for one in made.breaks) for kind in ("BOS", "CHoCH", "failed")}
    last = next((one for one in reversed(made.breaks) if one.kind != "failed"), None)
    broke = (
        f", the last of them {last.kind} {last.direction} at {last.level:.12g}" if last is not None else ""
    )
    return (
        f"the price on {of.venue} went from {price}, trend {made.trend or 'unknown'}, {len(made.alternating)} swings,"
        f" {count['BOS']} BOS and {count['CHoCH']} CHoCH of which {count['failed']} failed{broke}"
    )

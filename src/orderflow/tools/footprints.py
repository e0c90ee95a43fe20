"""Footprints: what the tools that tell and draw them share: whole bars, venues together, steps, and marks."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np

from orderflow.flow.absorption import Absorption, absorption
from orderflow.flow.bars import Bars
from orderflow.flow.cells import Cells
from orderflow.flow.delta import together
from orderflow.flow.footprint import Footprint, footprint
from orderflow.flow.imbalance import Imbalances, imbalances
from orderflow.flow.levels import round_step
from orderflow.market.columns import Index, Mask
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import Nanos
from orderflow.store.bar import Bar
from orderflow.store.windows import Window
from orderflow.tools.cutting import Full, full_bars, tape_of
from orderflow.tools.orderflow import bars_of, cells_of, received, traded
from orderflow.tools.past import Past
from orderflow.tools.quality import heard
from orderflow.tools.spec import Ask
from orderflow.tools.times import millis, text

State: TypeAlias = Literal["closed", "developing", "incomplete"]

USUAL_LEVELS = 16  # of a usual bar, where no step is asked for

# ── Bars ──────────────────────────────────────────────────────────────────────────────────────


class Flow(NamedTuple):
    """Bars of one venue, or of several together, with the window that they were found in.

    `state` of each: developing while it goes on, incomplete where a venue was not received in it. Of several
    venues prices are those of `price_of`, and how far delta ran is unknown, unless their trades are one tape.
    """

    bars: Bars
    found: Window
    price_of: str
    state: list[State]
    notes: list[str]

    @property
    def traded(self) -> Mask:
        return self.bars.trades > 0

    def rows(self, chosen: Mask) -> "Flow":
        """Return some of the bars."""
        kept = [one for one, wanted in zip(self.state, chosen.tolist(), strict=True) if wanted]
        return self._replace(bars=self.bars.rows(chosen), state=kept)


def whole_bars(ask: Ask, asked: Past, bar: Bar) -> Past:
    """Return a window made of whole bars; the last one goes as far as now."""
    until = bar.begin(asked.until - 1) + bar.length
    return msgspec.structs.replace(
        asked, since=bar.begin(asked.since), until=max(min(until, ask.now), asked.until)
    )


def last_bars(ask: Ask, asked: Past, bar: Bar, most: int) -> Past:
    """Return the last `most` bars of a window: those up to its last trade, if all of them were empty.

    Raises `NoData` where the whole window is.
    """
    page = _last(asked, bar, most)
    among = (asked.symbol, asked.venues)
    try:
        ask.history.flow_bars(*among, bar.name, page.since, page.until)
    except NoData:
        last = ask.history.window("trades", *among, since=asked.since, until=page.until, limit=1)
        end = bar.begin(int(last["timestamp"][0])) + bar.length
        page = _last(msgspec.structs.replace(asked, until=min(end, asked.until)), bar, most)
    return page


def _last(asked: Past, bar: Bar, most: int) -> Past:
    first = bar.begin(asked.until - 1) - (most - 1) * bar.length
    return msgspec.structs.replace(asked, since=max(asked.since, first))


def flow_of(ask: Ask, asked: Past, bar: Bar) -> Flow:
    """Return the bars of a window, empty ones too; raise `NoData` where nothing was traded."""
    found = ask.history.flow_bars(asked.symbol, asked.venues, bar.name, asked.since, asked.until)
    venues = heard(found)
    parts = [gridded(found, bar, one) for one in venues]
    value = [float(np.nansum(one.quote)) for one in parts]
    largest = parts[int(np.argmax(value))]
    whole, notes = largest, list[str]()
    if len(parts) > 1:
        names = ("open", "high", "low", "close")
        prices = {name: getattr(largest, name) for name in names}
        whole = together(parts).bars._replace(**prices)
        notes.append("of several venues together it is not known how far delta ran within a bar")
    if unsided := float(np.nansum(np.asarray(found["unsided"], dtype=np.float64))):
        notes.append(f"of {unsided:g} base units no side is known: they are in no sum")
    known = received(found, venues, whole.start, bar.length)
    state = _states(whole.end > ask.now, known)
    return Flow(whole, found, venues[int(np.argmax(value))], state, notes)


def gridded(found: Window, bar: Bar, venue: str) -> Bars:
    """Return a venue's bars of a window, one for each length of time: NaN where it was not received."""
    first = (found.since - bar.origin) // bar.length
    last = -(-(found.until - bar.origin) // bar.length)
    start = bar.origin + np.arange(first, last, dtype=np.int64) * bar.length
    covered = received(found, [venue], start, bar.length)
    return bars_of(found, bar, venue).on_grid(bar.length, bar.origin, first, last, covered)


def _states(developing: Mask, known: Mask) -> list[State]:
    return [
        "developing" if on else "closed" if whole else "incomplete"
        for on, whole in zip(developing.tolist(), known.tolist(), strict=True)
    ]


# ── Footprints ────────────────────────────────────────────────────────────────────────────────


class Printed(NamedTuple):
    """A footprint of the bars in which something was traded, and what is marked in it: a row a cell, or a bar."""

    flow: Flow
    footprint: Footprint
    imbalances: Imbalances
    buy_imbalance: Mask
    sell_imbalance: Mask
    absorption: Absorption

    @property
    def step(self) -> float:
        return self.footprint.step


class Printing(NamedTuple):
    """How a footprint is made: the step of its levels (None: a legible one), and what an imbalance is."""

    step: float | None = None
    ratio: float = 3.0
    min_volume: float = 0.0


def printed(ask: Ask, asked: Past, bar: Bar, how: Printing) -> Printed:
    """Return the footprint of a window, in bars of time."""
    flow = flow_of(ask, asked, bar)
    step = how.step or legible_step(ask, asked.symbol, flow, flow.price_of)
    cells = cells_of(ask.history.cells(asked.symbol, asked.venues, bar.name, asked.since, asked.until, step))
    traded_bars = np.isin(flow.bars.bar, cells.bar)
    return _marked(flow.rows(traded_bars), cells, step, how)


def printed_full(ask: Ask, asked: Past, of: Full, how: Printing) -> Printed:
    """Return the footprint of a window, in bars that its trades fill; read one by one, so many at most."""
    if of.kind == "range" and asked.venues is not None and len(asked.venues) > 1:
        raise InvalidArgument(
            "range bars are of one venue: prices of several are levels apart",
            hint=f"venues={asked.venues[0]}",
        )
    found = ask.history.tape(asked.symbol, asked.venues, asked.since, asked.until)
    tape = tape_of(found)
    if not len(tape.time):
        raise NoData("of no trade of the window side and size are known", hint="another venue, or time")
    cut = full_bars(of, tape)
    venues, made = heard(found), cut.bars
    state = _states(cut.open, received(found, venues, made.start, made.end - made.start + 1))
    notes = [f"bars are counted from {text(millis(asked.since))}, where the window begins"]
    if len(venues) > 1:
        notes.append(f"prices are those of one tape of {' and '.join(venues)}")
    if tape.left_out:
        notes.append(f"{tape.left_out} trades of unknown side or size are left out")
    flow = Flow(made, found, ", ".join(venues), state, notes)
    step = how.step or legible_step(ask, asked.symbol, flow, venues[0])
    return _marked(flow, cut.cells(tape, step), step, how)


def legible_step(ask: Ask, symbol: str, flow: Flow, venue: str) -> float:
    """Return a round step, in the ticks of a venue, of which a usual bar has about 16."""
    tick = traded(ask, symbol, venue).tick
    span = float(np.nanmedian(flow.bars.high - flow.bars.low))
    low = float(np.nanmin(flow.bars.low))
    return round_step(low, low + span, tick, USUAL_LEVELS)


def _marked(flow: Flow, cells: Cells, step: float, how: Printing) -> Printed:
    made = footprint(cells, flow.bars, step)
    found = imbalances(cells, how.ratio, how.min_volume)
    bought, sold = (_places(cells, found.of(is_buy)) for is_buy in (True, False))
    return Printed(flow, made, found, bought, sold, absorption(made))


def _places(cells: Cells, found: Imbalances) -> Mask:
    """Return which cells are imbalanced."""
    if not len(cells.bar):
        return np.zeros(0, dtype=np.bool_)
    low, wide = int(cells.level.min()), int(cells.level.max() - cells.level.min()) + 1

    def key(bar: Index, level: Index) -> Index:
        return (bar - cells.bar[0]) * wide + level - low

    return np.isin(key(cells.bar, cells.level), key(found.bar, found.level))


# ── Told ──────────────────────────────────────────────────────────────────────────────────────


def table(columns: Sequence[Any]) -> list[list[Any]]:
    """Return columns as rows of plain values."""
    plain = [column.tolist() if isinstance(column, np.ndarray) else column for column in columns]
    return [list(row) for row in zip(*plain, strict=True)]


def totals(bars: Bars) -> dict[str, Any]:
    """Return what was traded in all of the bars, of what is known."""
    names = ("buy", "sell", "delta", "buy_quote", "sell_quote", "delta_quote")
    found: dict[str, Any] = {name: float(np.nansum(getattr(bars, name))) for name in names}
    return found | {"trades": int(bars.trades.sum()), "bars": len(bars.bar)}


def in_window(since: Nanos, until: Nanos, bar: Bar) -> int:
    """Return how many bars a window of whole ones has."""
    return -(-(until - since) // bar.length)

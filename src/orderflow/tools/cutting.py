"""Cutting: bars of time, and those that are full by what is traded, as a question writes them.

`15m` is a length of time. `range:50` closes a bar when price leaves 50 quote units, `volume:100` when 100 base
units were traded, `delta:50` when takers bought or sold 50 more, `trades:1000` after so many fills: `flow.cuts`.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from orderflow.flow.bars import Bars
from orderflow.flow.bars import bars as bars_of_trades
from orderflow.flow.cells import Cells
from orderflow.flow.cells import cells as cells_of_trades
from orderflow.flow.cuts import Cut, delta_bars, range_bars, tick_bars, volume_bars
from orderflow.flow.levels import levels
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.store.bar import Bar
from orderflow.store.bar import bar as of_time
from orderflow.store.windows import Window

Kind: TypeAlias = Literal["range", "volume", "delta", "trades"]

_WRITTEN = re.compile(rf"({'|'.join(get_args(Kind))}):(\d+(?:\.\d+)?)")


class Full(NamedTuple):
    """Bars that close when they hold so much: quote units of range, base units, or trades."""

    kind: Kind
    threshold: float

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.threshold:g}"


def cutting(written: str) -> Bar | Full:
    """Read which bars are meant; raise `InvalidArgument` with what can be written.

    >>> cutting("15m").name, cutting("range:2.5")
    ('15m', Full(kind='range', threshold=2.5))
    """
    text = written.strip().lower()
    if ":" not in text:
        return of_time(text)
    found = _WRITTEN.fullmatch(text)
    if found is None or not float(found[2]) > 0:
        raise InvalidArgument(
            f"{written[:40]!r} are no bars",
            hint="a time as 5m or 1h, range:50 (quote units), volume:100 or delta:50 (base units), trades:1000",
        )
    kind: Kind = found[1]  # type: ignore[assignment] - one of those in the pattern
    return Full(kind, float(found[2]))


# ── Trades ────────────────────────────────────────────────────────────────────────────────────


class Tape(NamedTuple):
    """Trades in order, of which side and size are known; `left_out` counts the others, `fills` are those of each."""

    time: Index
    price: Column
    size: Column
    is_buy: Mask
    fills: Index
    left_out: int

    @property
    def value(self) -> Column:
        return self.price * self.size


def tape_of(found: Window, venues: Sequence[str] | None = None) -> Tape:
    """Return the trades of a window (`Reader.tape`), those of its venues, or of some of them."""
    size = np.asarray(found["quantity"], dtype=np.float64)
    side = np.asarray(found["side"], dtype=np.int64)
    known = (side != 0) & ~np.isnan(size)
    here = np.ones(len(size), dtype=np.bool_)
    if venues is not None:
        here = np.isin(np.array(found["venue"]), list(venues))
    rows = known & here
    return Tape(
        np.asarray(found["timestamp"], dtype=np.int64)[rows],
        np.asarray(found["price"], dtype=np.float64)[rows],
        size[rows],
        side[rows] > 0,
        np.asarray(found["count"], dtype=np.int64)[rows],
        int((here & ~known).sum()),
    )


class FullBars(NamedTuple):
    """Bars cut out of a tape; `number` is each trade's, `open` whether a bar can hold more."""

    bars: Bars
    number: Index
    open: Mask

    def cells(self, tape: Tape, step: float) -> Cells:
        return cells_of_trades(
            self.number, levels(tape.price, step), tape.size, tape.price, tape.is_buy, tape.fills
        )


def full_bars(of: Full, tape: Tape) -> FullBars:
    """Cut a tape into bars, numbered from 0 at its first trade."""
    cut = _cut(of, tape)
    made = bars_of_trades(cut.bar, tape.time, tape.price, tape.size, tape.is_buy, tape.fills)
    return FullBars(made, cut.bar, made.bar >= cut.carry.bar)


def _cut(of: Full, tape: Tape) -> Cut:
    match of.kind:
        case "range":
            return range_bars(tape.price, of.threshold)
        case "volume":
            return volume_bars(tape.size, of.threshold)
        case "delta":
            return delta_bars(tape.size, tape.is_buy, of.threshold)
        case "trades":
            return tick_bars(tape.fills, max(1, round(of.threshold)))

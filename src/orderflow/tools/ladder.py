"""The ladder: levels of price with where they come from, and whether price has come back to them.

Each period gives its own. A level is known when its period is over; until then it develops, and whether it was
touched is no question. A level of one price is touched by the first bar after that which begins with its period's
end or later and whose range holds it; a POC by the first in which something was traded within its bin.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from orderflow.flow.levels import prices
from orderflow.flow.naked import PastPoc, touched
from orderflow.flow.sessions import Status, Window
from orderflow.flow.value_area import Bin
from orderflow.market.columns import Column, Index
from orderflow.market.events import MS, Nanos
from orderflow.tools.periods import Flow, Part

Kind: TypeAlias = Literal["vwap", "band", "poc", "vah", "val", "high", "low", "naked_poc"]

BANDS = (1.0, 2.0)  # deviations

LEVELS = {
    "name": "", "price": "quote", "kind": "", "period": "", "status": "", "touched": "", "touched_time": "UTC",
    "distance": "quote", "distance_bps": "bps", "source": "", "coverage_pct": "%",
}  # fmt: skip


class Level(NamedTuple):
    """A level of a period that ends, or has ended, at `until`; `bin` is that of a POC."""

    name: str
    price: float
    kind: Kind
    period: str
    status: Status
    until: Nanos
    coverage: float | None
    source: str = "trades"
    bin: Bin | None = None


class Ranges(NamedTuple):
    """Prices in bars, by when they begin, oldest first: what touches a level."""

    time: Index
    low: Column
    high: Column

    def touch(self, level: Level) -> Nanos | None:
        """Return when the bar began that touched a level first after its period."""
        after = int(np.searchsorted(self.time, level.until))
        met = (self.low[after:] <= level.price) & (self.high[after:] >= level.price)
        return int(self.time[after + int(np.argmax(met))]) if met.any() else None


# ── What a period gives ───────────────────────────────────────────────────────────────────────


def of_day(prefix: str, of: Window, part: Part, status: Status) -> Iterator[Level]:
    """Yield the levels of a day: VWAP with its bands, POC and value area, high and low."""
    about: Any = (of.day.isoformat(), status, of.until, part.coverage)
    if part.vwap.price is not None:
        yield Level(f"{prefix}VWAP", part.vwap.price, "vwap", *about)
        for multiple in BANDS:
            low, high = part.vwap.band(multiple) or (0.0, 0.0)
            yield Level(f"{prefix}VWAP+{multiple:g}", high, "band", *about)
            yield Level(f"{prefix}VWAP-{multiple:g}", low, "band", *about)
    if part.area is not None:
        poc = part.area.poc.bin
        yield Level(f"{prefix}POC", poc.centre, "poc", *about, bin=poc)
        yield Level(f"{prefix}VAH", part.area.vah.high, "vah", *about)
        yield Level(f"{prefix}VAL", part.area.val.low, "val", *about)
    yield from of_range(prefix, of, part, status, of.day.isoformat())


def of_range(
    prefix: str, of: Window, part: Part, status: Status, period: str, suffix: str = ""
) -> Iterator[Level]:
    """Yield the high and the low of a period."""
    about: Any = (period, status, of.until, part.coverage)
    if part.span.high is not None and part.span.low is not None:
        yield Level(f"{prefix}H{suffix}", part.span.high, "high", *about)
        yield Level(f"{prefix}L{suffix}", part.span.low, "low", *about)


def naked(read: Flow, days: Sequence[Window]) -> list[Level]:
    """Return the POCs of past days within whose bin nothing has been traded since."""
    found: list[Level] = []
    for day in days:
        part = read.part(day.since, day.until)
        if part is None or part.area is None:
            continue
        poc = part.area.poc.bin
        about: Any = (day.day.isoformat(), "completed", day.until, part.coverage)
        found.append(Level(f"nPOC_{day.day}", poc.centre, "naked_poc", *about, bin=poc))
    return [one for one in found if met(read, one) is None]


def met(read: Flow, poc: Level) -> Nanos | None:
    """Return when the bar began in which something was traded within a POC's bin again."""
    if poc.bin is None:
        return None
    later = read.cells.rows(read.cells.bar * read.length >= poc.until)
    at = prices(later.level, read.bins.step)
    (found,) = touched([PastPoc(poc.bin, poc.until)], later.bar * read.length, at, at, read.length)
    return found.touched


# ── Telling ───────────────────────────────────────────────────────────────────────────────────


def rows(levels: Iterable[Level], read: Flow, ranges: dict[str, Ranges], close: float) -> list[list[Any]]:
    """Return the levels as rows, the nearest to the last price first; `ranges` are by source."""
    found: list[list[Any]] = []
    for one in sorted(levels, key=lambda level: abs(level.price - close)):
        touch = None
        if one.status == "completed":
            touch = met(read, one) if one.bin is not None else ranges[one.source].touch(one)
        away = one.price - close
        found.append(
            [
                one.name, one.price, one.kind, one.period, one.status,
                None if one.status != "completed" else touch is not None, None if touch is None else touch // MS,
                away, round(10_000 * away / close, 2), one.source, one.coverage,
            ]
        )  # fmt: skip
    return found


def flat(levels: Iterable[Level], sessions: Sequence[str]) -> tuple[dict[str, float], list[str]]:
    """Return prices by name, without bands, and the names of sessions whose levels are those of the day before.

    >>> high = Level("AH_y", 9.0, "high", "2026-01-30 A", "completed", 0, 100.0)
    >>> flat([high], ["A"])
    ({'AH_y': 9.0, 'AH': 9.0}, ['AH'])
    """
    found = {one.name: one.price for one in levels if one.kind != "band"}
    back = [
        name
        for session in sessions
        for name in (f"{session}H", f"{session}L")
        if name not in found and f"{name}_y" in found
    ]
    return found | {name: found[f"{name}_y"] for name in back}, back

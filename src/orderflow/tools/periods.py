"""Periods: days and sessions by the clock of a zone, and what was traded in each, from one reading of the store.

Prices in order (open, high, low, close) are those of one venue, on which most was traded; amounts and the
profile are of all venues that were asked. Both are of the same trades.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from orderflow.flow import span as spans
from orderflow.flow.cells import Cells
from orderflow.flow.profile import Profile
from orderflow.flow.sessions import Sessions, Window, day_of, day_window, windows
from orderflow.flow.span import Span
from orderflow.flow.value_area import ValueArea
from orderflow.flow.vwap import Vwap, vwap_of_cells
from orderflow.market.columns import Column, Index
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY as ONE_DAY
from orderflow.market.events import HOUR, MINUTE, SECOND, Nanos
from orderflow.store.answers import Stretch
from orderflow.store.windows import Window as Found
from orderflow.tools.orderflow import Traded, cells_of, traded
from orderflow.tools.past import Past
from orderflow.tools.profiles import Bins, Rules, area, bins, shaped
from orderflow.tools.quality import heard
from orderflow.tools.spec import Ask

DAY = "day"  # as the whole of a day is called among its sessions
FINE_BINS = 200  # of all the periods' range, since each has a part of it
USUAL_BAR: Nanos = 5 * MINUTE  # by which the times of highs and lows are told


# ── Which are asked ───────────────────────────────────────────────────────────────────────────


def dated(ask: Ask, said: str | None, of: Sessions) -> date:
    """Return the day that is meant: today where none is said. Raises `InvalidArgument` for one to come."""
    today = day_of(ask.now, of.zone)
    if said is None or said == "today":
        return today
    try:
        found = date.fromisoformat(said)
    except ValueError as error:
        raise InvalidArgument(f"{said[:40]!r} is no date", hint=f"date={today}, or today") from error
    if found > today:
        raise InvalidArgument(f"{found} has not begun", hint=f"date={today} or before")
    return found


def days_until(last: date, count: int) -> list[date]:
    return [last - timedelta(days=back) for back in reversed(range(count))]


def of_day(day: date, of: Sessions) -> list[Window]:
    """Return the sessions of a day, and after them the day itself."""
    return [*windows(of, day), day_window(day, of.zone)._replace(name=DAY)]


def common(times: Iterable[Nanos], longest: Nanos) -> Nanos:
    """Return the longest bars, up to a length, of which one begins at each of these times.

    >>> common([6 * HOUR, 9 * HOUR + 30 * MINUTE], HOUR) // MINUTE
    30
    """
    return math.gcd(longest, *times)


# ── What was traded ───────────────────────────────────────────────────────────────────────────


class Part(NamedTuple):
    """What was traded in a period, as far as it has gone; `coverage` is its share that was collected, in percent."""

    span: Span
    cells: Cells
    profile: Profile
    area: ValueArea | None
    vwap: Vwap
    coverage: float | None

    @property
    def known(self) -> bool:
        """Whether anything is: where nothing was collected, no trade is no news."""
        return self.span.trades > 0 or self.coverage != 0


class Flow(NamedTuple):
    """What was traded, bar by bar and level by level."""

    found: Found  # cells
    prices: Found
    until: Nanos
    cells: Cells
    length: Nanos  # of the bars of cells
    bars: spans.Bars
    bins: Bins
    rules: Rules
    units: Traded
    price_of: str
    collected: Mapping[str, Sequence[Stretch]]

    def part(self, since: Nanos, until: Nanos, balance: Nanos = HOUR) -> Part | None:
        """Return what was traded in a period that begins and ends with bars; None before it has begun."""
        return None if since >= min(until, self.until) else self.between(since, until, balance)

    def between(self, since: Nanos, until: Nanos, balance: Nanos = HOUR) -> Part:
        """Return what was traded in a period that begins and ends with bars, and has begun."""
        cells = self.cells.between(since // self.length, until // self.length)
        made = shaped(cells, self.bins, self.rules)
        return Part(
            spans.span(self.bars, since, until, balance), cells, made, area(made, self.rules), vwap_of_cells(cells),
            share(self.collected, since, min(until, self.until)),
        )  # fmt: skip

    @property
    def close(self) -> float | None:
        """The last price."""
        known = self.bars.close[~np.isnan(self.bars.close)]
        return float(known[-1]) if len(known) else None


def flow(
    ask: Ask,
    asked: Past,
    length: Nanos,
    rules: Rules,
    size: float | None,
    ticks: int | None,
    cells_since: Nanos | None = None,
    most: int = FINE_BINS,
) -> Flow:
    """Return what was traded on the venues of a window in bars of a length; cells since an earlier time, if told.

    Without a size or ticks there are no more than `most` bins.

    Raises `NoData` with the range that exists, and `InvalidArgument` for bins that are none.
    """
    venues = asked.venues or []
    prices = ask.history.bars(asked.symbol, venues, _written(length), asked.since, asked.until, "trades")
    value: dict[str, float] = {}
    for row in prices.rows():
        value[row["venue"]] = value.get(row["venue"], 0.0) + (row["quote_volume"] or 0.0)
    price_of = max(value, key=lambda one: value[one])
    units = traded(ask, asked.symbol, price_of)
    low, high = (np.asarray(prices[name], dtype=np.float64) for name in ("low", "high"))
    of = bins(float(np.nanmin(low)), float(np.nanmax(high)), units.tick, size, ticks, rules, most)
    cell = rules.seconds * SECOND if rules.mode == "synthetic" else length
    since = asked.since if cells_since is None else cells_since
    found = ask.history.cells(asked.symbol, venues, _written(cell), since, asked.until, of.step)
    cells = cells_of(found)
    collected = ask.history.collected("trades", asked.symbol, heard(found), since, asked.until)
    bars = _bars(prices, price_of, cells, cell, length)
    return Flow(found, prices, asked.until, cells, cell, bars, of, rules, units, price_of, collected)


def share(collected: Mapping[str, Sequence[Stretch]], since: Nanos, until: Nanos) -> float | None:
    """Return how much of a period was collected, in percent: the mean of the venues; None of no time.

    >>> share({"a": [(0, 5), (8, 20)], "b": [(0, 20)]}, 0, 10)
    85.0
    """
    if since >= until or not collected:
        return None
    inside = sum(
        max(min(end, until) - max(begin, since), 0) for every in collected.values() for begin, end in every
    )
    return round(100 * inside / (until - since) / len(collected), 2)


def _written(length: Nanos) -> str:
    return f"{length // ONE_DAY}d" if length % ONE_DAY == 0 else f"{length // SECOND}s"


def _bars(prices: Found, price_of: str, cells: Cells, cell: Nanos, length: Nanos) -> spans.Bars:
    """Return one venue's prices with what was traded on all of them."""
    here = np.array([one == price_of for one in prices["venue"]], dtype=np.bool_)
    own = np.asarray(prices["open_time"], dtype=np.int64)[here] // length
    of_cells = cells.bar * cell // length
    number = np.union1d(own, of_cells)
    at, place = np.searchsorted(number, own), np.searchsorted(number, of_cells)

    def priced(name: str) -> Column:
        column = np.full(len(number), np.nan)
        column[at] = np.asarray(prices[name], dtype=np.float64)[here]
        return column

    def summed(amount: Column | Index) -> Column:
        return np.bincount(place, amount, len(number)).astype(np.float64)

    return spans.Bars(
        number * length, priced("open"), priced("high"), priced("low"), priced("close"),
        summed(cells.buy), summed(cells.sell), summed(cells.buy_quote), summed(cells.sell_quote),
        np.rint(summed(cells.trades)).astype(np.int64), length,
    )  # fmt: skip

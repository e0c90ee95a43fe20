"""Closed bars: what the tools of swings read of the store, and what they tell of it.

Prices are those of one venue: the one named, or, of several or none, that on which most was traded; volumes
and deltas are added up. A bar in which nothing was traded is left out, one of which nothing is known has no
prices, and swings beside it are not told. The bar that is running counts for nothing and is told apart.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from orderflow.flow.swings import Bars
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import MS, Nanos
from orderflow.market.instruments import MARKETS
from orderflow.store.bar import Bar
from orderflow.store.bar import bar as written
from orderflow.store.windows import Window
from orderflow.tools.orderflow import received
from orderflow.tools.past import Past, check_offered, past
from orderflow.tools.quality import heard
from orderflow.tools.spec import Ask
from orderflow.tools.times import instant

MOST_BARS = 2_000


class ClosedBars(NamedTuple):
    """Bars, oldest first, with the base units traded in each and how much more takers bought than sold.

    `found` is the window that they are of, of the venues that are summed; `running` is the bar that has not
    closed. `unknown` bars have no prices, of `incomplete` ones a part was not received.
    """

    asked: Past
    found: Window
    venue: str
    bar: Bar
    bars: Bars
    volume: Column
    delta: Column
    unknown: int
    incomplete: int
    running: dict[str, Any] | None

    @property
    def price(self) -> float:
        """The close of the last bar of which it is known."""
        return float(self.bars.close[~np.isnan(self.bars.close)][-1])

    @property
    def told(self) -> dict[str, Any]:
        """What every answer says of its bars; times are epoch milliseconds."""
        known = np.flatnonzero(~np.isnan(self.bars.close))
        end = int(self.bars.time[known[-1]]) + self.bar.length
        return {
            "price_of": self.venue,
            "price": self.price,
            "closed": end // MS,
            "bar": self.bar.name,
            "made_of": self.found.notes.get("made_of", {}).get(self.venue),
            "bars": len(known),
            "bars_unknown": self.unknown,
            "bars_incomplete": self.incomplete,
            "developing": self.running,
        }

    def at(self, bar: Index) -> list[int | None]:
        """Return when bars closed, in epoch milliseconds; None of what has not happened."""
        closed = (self.bars.closed_at(bar) // MS).tolist()
        return [None if row < 0 else time for row, time in zip(bar.tolist(), closed, strict=True)]


def closed_bars(
    ask: Ask,
    symbol: str,
    venues: Sequence[str] | None,
    since: str | None,
    until: str,
    bar: str,
    lookback: int,
) -> ClosedBars:
    """Read the closed bars of a window; without `since`, the last `lookback` of them.

    Raises `InvalidArgument` for an empty window and for more bars than one answer is made of; `NoData`
    with the range that exists.
    """
    of = written(bar)
    end = min(instant(until, ask.now), ask.now)
    begin = of.begin(end) - lookback * of.length if since is None else instant(since, ask.now)
    asked = past(ask, symbol, venues, str(-(-begin // MS)), until)
    if asked.until - asked.since > (MOST_BARS + 1) * of.length:
        raise InvalidArgument(
            f"{(asked.until - asked.since) // of.length:,} bars of {of.name} are more than {MOST_BARS:,}",
            hint="longer bars, or a shorter window",
        )
    if not any("candles" in MARKETS[one].streams for one in asked.venues or ()):
        check_offered("trades", asked.venues)
    found = ask.history.bars(asked.symbol, asked.venues, of.name, asked.since, asked.until)
    venue = _largest(found)
    if asked.venues is None:
        found = found.among([venue])
    return _read(asked, found, venue, of, end)


def _largest(found: Window) -> str:
    """Return the venue on which most was traded, in quote units."""
    value: dict[str, float] = {}
    for venue, quote in zip(found["venue"], np.asarray(found["quote_volume"], dtype=np.float64), strict=True):
        value[venue] = value.get(venue, 0.0) + float(np.nan_to_num(quote))
    return max(value, key=lambda one: value[one])


def _read(asked: Past, found: Window, venue: str, of: Bar, end: Nanos) -> ClosedBars:
    start = np.arange(found.since, end, of.length, dtype=np.int64)
    high, low, close, whole = (
        _spread(found, venue, name, start) for name in ("high", "low", "close", "closed")
    )
    got = received(found, [venue], start, of.length)
    there = ~np.isnan(close)
    closed: Mask = start + of.length <= end
    kept = closed & (there | ~got)
    if not (kept & there).any():
        raise NoData(
            f"no bar of {of.name} of {found.symbol} on {venue} has closed in this window",
            hint="shorter bars, or a longer window",
        )
    kept[: int(np.argmax(kept & there))] = False  # before it was collected there is nothing to be unknown
    volume, delta = _traded(found, start, of.length)
    running = there & ~closed
    return ClosedBars(
        asked,
        found,
        venue,
        of,
        Bars(start[kept], of.length, high[kept], low[kept], close[kept]),
        volume[kept],
        delta[kept],
        int((kept & ~there).sum()),
        int((kept & there & ~(got & (whole == 1))).sum()),
        _running(found, venue, start, of) if running.any() else None,
    )


def _spread(found: Window, venue: str, name: str, start: Index) -> Column:
    """Return a column of a venue's bars, NaN where there is none."""
    here = np.array([one == venue for one in found["venue"]], dtype=np.bool_)
    spread = np.full(len(start), np.nan)
    place = np.searchsorted(start, np.asarray(found["open_time"], dtype=np.int64)[here])
    inside = place < len(start)
    spread[place[inside]] = np.asarray(found[name], dtype=np.float64)[here][inside]
    return spread


def _traded(found: Window, start: Index, length: Nanos) -> tuple[Column, Column]:
    """Return volume and delta of all venues in base units: unknown where one of them was not received."""
    volume, delta = np.zeros((2, len(start)))
    for venue in heard(found):
        whole, bought = (_spread(found, venue, name, start) for name in ("volume", "taker_buy_volume"))
        quiet = np.isnan(_spread(found, venue, "close", start)) & received(found, [venue], start, length)
        whole[quiet], bought[quiet] = 0.0, 0.0
        volume, delta = volume + whole, delta + 2 * bought - whole
    return volume, delta


def _running(found: Window, venue: str, start: Index, of: Bar) -> dict[str, Any]:
    prices = {
        name: float(_spread(found, venue, name, start)[-1]) for name in ("open", "high", "low", "close")
    }
    return {"since": int(start[-1]) // MS, "until": int(start[-1] + of.length) // MS, **prices}

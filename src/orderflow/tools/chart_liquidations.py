"""Liquidations, drawn: when and where positions were closed by force."""

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from msgspec import Meta as Range

from orderflow.flow.levels import round_step
from orderflow.flow.liquidations import Liquidations
from orderflow.market.columns import Column, Index
from orderflow.market.events import MS
from orderflow.store.windows import Window
from orderflow.tools.answers import Answer, Table
from orderflow.tools.drawing import FAMILY, Frame, about, beside, candles, course, framed, look, pictured
from orderflow.tools.liquidations import lower_bounds
from orderflow.tools.orderflow import traded
from orderflow.tools.past import answer, attempt, check_offered, told
from orderflow.tools.quality import heard
from orderflow.tools.spec import SMALLEST, Ask, Instant, VenueId, tool

if TYPE_CHECKING:
    from orderflow.charts.candles import Candles

_LIQUIDATED = {
    "time": "UTC", "long_value": "quote", "longs": "count", "short_value": "quote", "shorts": "count",
    "largest_value": "quote", "close": "quote",
}  # fmt: skip
_LEVELS = {
    "price_from": "quote", "price_until": "quote", "long_value": "quote", "longs": "count", "short_value": "quote",
    "shorts": "count",
}  # fmt: skip
USUAL_LEVELS = 24
MOST_LEVELS = 10  # that are told in numbers: those at which most was liquidated


@tool(
    family=FAMILY,
    title="Liquidations, drawn",
    columns=_LIQUIDATED | _LEVELS,
    example={"symbol": "BTCUSDT", "since": "-1d"},
    limit=100,
    core=False,
    asks_store=True,
    draws=True,
)
def chart_liquidations(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-1d",
    until: Instant = "now",
    bar: str | None = None,
    size: Annotated[float, Range(ge=SMALLEST)] | None = None,
    min_value: Annotated[float, Range(ge=0)] = 0.0,
) -> Answer:
    """Price with the longs and shorts closed by force, in quote units: bar by bar and level by level.

    Use it for where and when positions broke, venues together. Rows: bars that had some, newest first, and
    the ten hottest levels.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        since: begin, as -1d, ISO 8601 or epoch milliseconds
        until: end
        bar: length, as 1m, 1h; 60 to 150 bars when left out
        size: of a level in quote units; about 24 levels when left out
        min_value: least value of a liquidation, in quote units
    """
    from orderflow.charts.liquidations import liquidations

    frame = framed(ask, symbol, venues, since, until, bar)
    check_offered("liquidations", frame.venues)
    among = (frame.symbol, frame.venues)
    found = ask.history.liquidation_bars(*among, frame.bar.name, frame.since, frame.until, min_value)
    notes = lower_bounds(heard(found))
    by_time = _by_time(frame, found, lower_bound=bool(notes))
    priced, venue = _priced(ask, frame, found)
    bars, units = candles(frame, priced, venue), traded(ask, frame.symbol, venue)
    step = size or _step(bars, found, units.tick)
    levels = ask.history.liquidation_map(*among, frame.since, frame.until, step, min_value=min_value)
    by_price = _sums(
        levels, np.rint(_floats(levels, "price_from") / step).astype(np.int64), lower_bound=bool(notes)
    )
    canvas = liquidations(
        about(frame, found, priced, quiet=True), bars, by_time, frame.bar.length, by_price, step, units.quote, tick=units.tick,
        name=f"Liquidations, {frame.bar.name} bars", look=look(ask),
    )  # fmt: skip
    if priced is None:
        canvas.note("no trades are stored")
    elif len(heard(found)) > 1:
        canvas.note(f"price of {venue}")
    hottest = sorted(told(levels, _LEVELS), key=lambda row: -((row[2] or 0.0) + (row[4] or 0.0)))
    made = answer(
        ask, found, _LIQUIDATED, _liquidated_rows(frame, bars, by_time), stream="liquidations", asked=frame.venues,
        summary={
            **_totals(by_time), "lower_bound": by_time.lower_bound, "price_of": venue,
            "price": course(bars, units.quote, units.tick), "bar": frame.bar.name, "level": step,
        },
    )  # fmt: skip
    made.more["hottest_levels"] = Table(columns=list(_LEVELS), rows=hottest[:MOST_LEVELS])
    made.meta.units |= _LEVELS
    beside(made, "the trades that prices are of", priced)
    made.meta.warnings += [f"{venue}: {note}" for venue, note in notes.items()]
    seen = _liquidated_seen(course(bars, units.quote, units.tick), venue, by_time, hottest[0], units.quote)
    return pictured(ask, made, frame, canvas, "Price and liquidations", seen)


def _floats(found: Window, name: str) -> Column:
    return np.asarray(found[name], dtype=np.float64)


def _by_time(frame: Frame, found: Window, *, lower_bound: bool) -> Liquidations:
    number = np.asarray(found["open_time"], dtype=np.int64) // frame.bar.length
    whole = _sums(found, number, _floats(found, "largest_value"), lower_bound=lower_bound)
    venues = np.array(found["venue"])
    return reduce(Liquidations.plus, (_rows(whole, venues == one) for one in dict.fromkeys(found["venue"])))


def _rows(found: Liquidations, here: Any) -> Liquidations:
    columns: list[Any] = [column[here] for column in found[:-1]]
    return Liquidations(*columns, lower_bound=found.lower_bound)


def _sums(found: Window, number: Index, largest: Column | None = None, *, lower_bound: bool) -> Liquidations:
    """Return what the store has summed, without base units, which it does not tell."""
    none = np.full(len(number), np.nan)
    most = none if largest is None else largest
    longs, shorts = (np.asarray(found[name], dtype=np.int64) for name in ("longs", "shorts"))
    return Liquidations(
        number, longs, shorts, none, none,
        _floats(found, "long_value"), _floats(found, "short_value"),
        # the store tells the largest of both sides together
        np.where(longs > 0, most, np.nan), np.where(longs > 0, np.nan, most), lower_bound=lower_bound,
    )  # fmt: skip


def _priced(ask: Ask, frame: Frame, found: Window) -> tuple[Window | None, str]:
    """Return the bars of the venue on which most was liquidated, or of the next one that has some."""
    value = _floats(found, "long_value") + _floats(found, "short_value")
    sums = {
        venue: float(np.nansum(value[[one == venue for one in found["venue"]]])) for venue in heard(found)
    }
    order = sorted(sums, key=lambda venue: -sums[venue])
    for venue in order:
        bars = attempt(
            lambda venue=venue: ask.history.bars(
                frame.symbol, [venue], frame.bar.name, frame.since, frame.until
            )
        )
        if bars is not None:
            return bars, venue
    return None, order[0]


def _step(bars: "Candles", found: Window, tick: float | None) -> float:
    """Return a round size of which about 24 span the prices."""
    low = float(np.nanmin(np.append(bars.low, _floats(found, "lowest"))))
    high = float(np.nanmax(np.append(bars.high, _floats(found, "highest"))))
    return round_step(low, high, tick, USUAL_LEVELS)


def _liquidated_rows(frame: Frame, bars: "Candles", found: Liquidations) -> list[list[Any]]:
    close = bars.close[found.number - frame.first]
    columns = (
        found.number * frame.bar.length // MS, found.long_quote, found.long_count, found.short_quote,
        found.short_count, found.largest, close,
    )  # fmt: skip
    return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)][::-1]


def _totals(found: Liquidations) -> dict[str, Any]:
    largest = found.largest[~np.isnan(found.largest)]
    return {
        "long_value": float(found.long_quote.sum()),
        "longs": int(found.long_count.sum()),
        "short_value": float(found.short_quote.sum()),
        "shorts": int(found.short_count.sum()),
        "largest_value": float(largest.max()) if len(largest) else None,
    }


def _liquidated_seen(price: str, venue: str, found: Liquidations, hottest: Sequence[Any], quote: str) -> str:
    from orderflow.charts.axes import amount

    total = _totals(found)
    least = "at least " * found.lower_bound
    sides = [
        f"{total[f'{side}s']:,} {side}{'s' * (total[f'{side}s'] != 1)} of {amount(total[f'{side}_value'])} {quote}"
        for side in ("long", "short")
    ]
    return (
        f"{least}{' and '.join(sides)} liquidated, most of it at {hottest[0]:.12g} to {hottest[1]:.12g}, while the"
        f" price on {venue} went from {price}"
    )

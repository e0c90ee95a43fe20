"""CVD, drawn: who drives a price, takers of which venue and market."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from orderflow.market.columns import Column
from orderflow.market.events import MS
from orderflow.market.instruments import MARKETS
from orderflow.store.windows import Window
from orderflow.tools.answers import Answer
from orderflow.tools.drawing import FAMILY, Frame, about, candles, course, framed, look, pictured
from orderflow.tools.orderflow import traded
from orderflow.tools.past import answer, check_offered
from orderflow.tools.quality import heard, unknown
from orderflow.tools.spec import Ask, Instant, VenueId, tool

if TYPE_CHECKING:
    from orderflow.charts.candles import Candles
    from orderflow.charts.cvd import Series

_CVD = {
    "time": "UTC", "close": "quote", "buy": "base", "sell": "base", "delta": "base", "cvd": "base",
    "cvd_spot": "base", "cvd_perpetual": "base",
}  # fmt: skip
_SPOKEN = {"spot": "spot", "futures": "perp", "options": "options"}  # as a line is named


class _Taken(NamedTuple):
    """What takers bought and sold on a venue in each bar: base units, NaN where it was not received."""

    venue: str
    buy: Column
    sell: Column
    quote: float  # traded in all, by which venues are compared

    @property
    def delta(self) -> Column:
        return self.buy - self.sell

    @property
    def cvd(self) -> Column:
        """Delta so far, of what is known; unknown where delta is."""
        return np.where(np.isnan(self.delta), np.nan, np.nancumsum(self.delta))

    @property
    def market(self) -> str:
        return "spot" if MARKETS[self.venue].market == "spot" else "perpetual"

    @property
    def name(self) -> str:
        return f"{MARKETS[self.venue].exchange} {_SPOKEN.get(MARKETS[self.venue].market, '')}"


@tool(
    family=FAMILY,
    title="CVD, drawn",
    columns=_CVD,
    example={"symbol": "BTCUSDT", "since": "-1h"},
    limit=100,
    core=False,
    asks_store=True,
    draws=True,
)
def chart_cvd(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-4h",
    until: Instant = "now",
    bar: str | None = None,
    lines: Literal["venue", "market"] = "venue",
) -> Answer:
    """Price and cumulative delta (taker buys less sells, base units, from 0): venues, spot, perpetual, and sum.

    Use it for who drives a move. Rows are all venues, newest first; unknown in gaps.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        since: begin, as -4h, ISO 8601 or epoch milliseconds
        until: end
        bar: length, as 1m, 1h; 60 to 150 bars when left out
        lines: one a venue (the six largest), or one a market
    """
    from orderflow.charts.cvd import cvd

    frame = framed(ask, symbol, venues, since, until, bar)
    check_offered("trades", frame.venues)
    found = ask.history.flow_bars(frame.symbol, frame.venues, frame.bar.name, frame.since, frame.until)
    every = sorted((_taken(frame, found, one) for one in heard(found)), key=lambda one: -one.quote)
    largest = every[0].venue
    bars, units = candles(frame, found, largest), traded(ask, frame.symbol, largest)
    total = _added([one.cvd for one in every])
    markets = {
        market: _added([one.cvd for one in every if one.market == market])
        for market in sorted({one.market for one in every})
    }
    series = _by_market(markets) if lines == "market" else _by_venue(every)
    canvas = cvd(
        about(frame, found), bars, series, _added([one.delta for one in every]), units.base, units.quote,
        total=total if len(series) > 1 else None, tick=units.tick,
        name=f"CVD, {frame.bar.name} bars", look=look(ask),
    )  # fmt: skip
    if len(every) > 1:
        canvas.note(f"price of {largest}")
    columns = {name: unit for name, unit in _CVD.items() if len(markets) > 1 or not name.startswith("cvd_")}
    made = answer(
        ask, found, columns, _cvd_rows(frame, bars, every, markets, columns), stream="trades", asked=frame.venues,
        summary={
            "price_of": largest,
            "price": course(bars, units.quote, units.tick),
            "cvd": {"sum": _last(total), **{name: _last(one) for name, one in markets.items()}},
            "by_venue": {
                one.venue: {"buy": _sum(one.buy), "sell": _sum(one.sell), "delta": _sum(one.delta)} for one in every
            },
            "bar": frame.bar.name,
        },
    )  # fmt: skip
    if unsided := float(np.nansum(np.asarray(found["unsided"], dtype=np.float64))):
        made.meta.warnings.append(f"of {unsided:g} {units.base} no side is known: they are in no delta")
    seen = _cvd_seen(course(bars, units.quote, units.tick), every, total, markets, units.base)
    return pictured(ask, made, frame, canvas, "Price and CVD", seen)


def _taken(frame: Frame, found: Window, venue: str) -> _Taken:
    """Return a venue's flow: nothing where nothing was traded, unknown where nothing was received."""
    buy, sell = (frame.column(found, side, venue) for side in ("buy", "sell"))
    silent = np.isnan(buy)
    for begin, end in unknown(found, venue):
        silent &= ~((frame.start < end) & (frame.start + frame.bar.length > begin))
    buy[silent], sell[silent] = 0.0, 0.0
    quote = sum(float(np.nansum(frame.column(found, f"{side}_quote", venue))) for side in ("buy", "sell"))
    return _Taken(venue, buy, sell, quote)


def _added(columns: Sequence[Column]) -> Column:
    """Return the sum of columns, unknown where one of them is."""
    return np.sum(columns, axis=0)


def _sum(column: Column) -> float:
    return float(np.nansum(column))


def _last(column: Column) -> float | None:
    known = column[~np.isnan(column)]
    return float(known[-1]) if len(known) else None


def _by_venue(every: Sequence[_Taken]) -> "list[Series]":
    from orderflow.charts.cvd import MOST_LINES, Series

    return [Series(one.name, one.market, one.cvd) for one in every[:MOST_LINES]]


def _by_market(markets: dict[str, Column]) -> "list[Series]":
    from orderflow.charts.cvd import Series

    return [Series(name, name, column) for name, column in markets.items()]


def _cvd_rows(
    frame: Frame,
    bars: "Candles",
    every: Sequence[_Taken],
    markets: dict[str, Column],
    columns: dict[str, str],
) -> list[list[Any]]:
    buy, sell = _added([one.buy for one in every]), _added([one.sell for one in every])
    every_column = {
        "close": bars.close, "buy": buy, "sell": sell, "delta": buy - sell, "cvd": _added([one.cvd for one in every]),
        **{f"cvd_{name}": one for name, one in markets.items()},
    }  # fmt: skip
    shown = [(frame.start // MS).tolist(), *(every_column[name].tolist() for name in list(columns)[1:])]
    return [list(row) for row in zip(*shown, strict=True)][::-1]


def _cvd_seen(
    price: str, every: Sequence[_Taken], total: Column, markets: dict[str, Column], base: str
) -> str:
    from orderflow.charts.axes import amount

    bought, sold = (sum(_sum(one) for one in side) for side in zip(*(one[1:3] for one in every), strict=True))
    last = {name: _last(one) for name, one in {"sum": total, **markets}.items()}
    said = {name: "unknown" if value is None else f"{amount(value)} {base}" for name, value in last.items()}
    parts = [f"{name} {said[name]}" for name in markets]
    apart = f" ({', '.join(parts)})" if len(markets) > 1 else ""
    return (
        f"the price on {every[0].venue} went from {price}, takers bought {amount(bought)} and sold {amount(sold)} {base},"
        f" and CVD ended at {said['sum']}{apart}"
    )

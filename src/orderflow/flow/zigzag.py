"""Zigzag: the highs and lows between which price went by a percentage, each with the bar that confirmed it.

A leg up ends at its highest high once a later bar's low is `percent` below it; a leg down at its lowest low
once a later bar's high is `percent` above. Nothing of it is redrawn: a turn is listed when it is confirmed,
and the end of the leg that is still going is given apart, as `developing`. Of equal extremes the first
counts. The first turn is the extreme from which the first leg of `percent` began.

Within a bar nothing is known of the order of high and low: a bar that goes on with the leg does not end it,
and one that could begin the first leg in both directions does so in that of its close. Bars of NaN are
passed over. Only closed bars.
"""

import math
from typing import Literal, NamedTuple

from orderflow.flow.swings import Bars
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos


class Turn(NamedTuple):
    """An extreme at bar `bar`; `confirmed` is the bar at whose close it was known, None while it may move."""

    kind: Literal["high", "low"]
    bar: int
    time: Nanos
    price: float
    confirmed: int | None
    confirmed_time: Nanos | None


class Zigzag(NamedTuple):
    """The confirmed turns, high and low in turn, and the extreme of the leg since the last of them."""

    turns: tuple[Turn, ...]
    developing: Turn | None


class _Extreme(NamedTuple):
    bar: int
    price: float


def zigzag(bars: Bars, percent: float) -> Zigzag:
    """Return the zigzag of bars that are all closed.

    >>> import numpy as np
    >>> price = np.array([100.0, 104.0, 112.0, 108.0, 99.0, 101.0])
    >>> found = zigzag(Bars(np.arange(6), 1, price, price, price), 5)
    >>> [(one.kind, one.bar, one.price, one.confirmed) for one in found.turns]
    [('low', 0, 100.0, 2), ('high', 2, 112.0, 4)]
    >>> found.developing.kind, found.developing.bar
    ('low', 4)
    """
    if not 0 < percent < 100:
        raise InvalidArgument(f"a leg of {percent} %", hint="more than 0 and less than 100")
    walk = _Walk(bars, 1 + percent / 100, 1 - percent / 100)
    prices = zip(bars.high.tolist(), bars.low.tolist(), bars.close.tolist(), strict=True)
    for bar, (high, low, close) in enumerate(prices):
        if not (math.isnan(high) or math.isnan(low)):
            walk.see(bar, high, low, close)
    return Zigzag(tuple(walk.turns), walk.developing)


class _Walk:
    """The leg that is going, bar by bar."""

    def __init__(self, bars: Bars, up: float, down: float) -> None:
        self._bars, self._up, self._down = bars, up, down
        self._rising: bool | None = None
        self._highest = self._lowest = _Extreme(-1, math.nan)  # of the leg that is going
        self.turns: list[Turn] = []

    def see(self, bar: int, high: float, low: float, close: float) -> None:
        rose, fell = high >= self._lowest.price * self._up, low <= self._highest.price * self._down
        if self._rising is None and rose and fell:
            rose = 2 * close >= high + low
            fell = not rose
        if fell and (self._rising is None or (self._rising and not high > self._highest.price)):
            self.turns.append(self._turn("high", self._highest, bar))
            self._rising, self._lowest = False, _Extreme(bar, low)
        elif rose and (self._rising is None or (not self._rising and not low < self._lowest.price)):
            self.turns.append(self._turn("low", self._lowest, bar))
            self._rising, self._highest = True, _Extreme(bar, high)
        else:
            if not high <= self._highest.price:
                self._highest = _Extreme(bar, high)
            if not low >= self._lowest.price:
                self._lowest = _Extreme(bar, low)

    @property
    def developing(self) -> Turn | None:
        if self._rising is None:
            return None
        return (
            self._turn("high", self._highest, None) if self._rising else self._turn("low", self._lowest, None)
        )

    def _turn(self, kind: Literal["high", "low"], at: _Extreme, confirmed: int | None) -> Turn:
        time = int(self._bars.time[at.bar])
        known = None if confirmed is None else int(self._bars.time[confirmed]) + self._bars.length
        return Turn(kind, at.bar, time, at.price, confirmed, known)

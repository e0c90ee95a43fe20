"""Zigzag: the highs and lows between which price went so far, each with the bar that confirmed it.

How far is a percentage, or a multiple of the ATR known at the close of each bar (none while it is unknown).

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

import numpy as np

from orderflow.flow.atr import PERIOD, RunningAtr
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
    time: Nanos
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
    running = RunningZigzag(percent=percent)
    running.take(bars)
    return running.found


def zigzag_of_atr(bars: Bars, multiple: float, period: int = PERIOD) -> Zigzag:
    """Return the zigzag whose legs are `multiple` average true ranges: that known at the close of each bar."""
    running = RunningZigzag(multiple=multiple, period=period)
    running.take(bars)
    return running.found


class RunningZigzag:
    """The zigzag of the bars taken so far: in however many calls, what one with all of them gives.

    A leg is so many `percent`, or so many times the ATR (`multiple`).
    """

    def __init__(
        self, *, percent: float | None = None, multiple: float | None = None, period: int = PERIOD
    ) -> None:
        if (percent is None) == (multiple is None):
            raise InvalidArgument("a leg is either a percentage or a multiple of the ATR", hint="one of both")
        if percent is not None and not 0 < percent < 100:
            raise InvalidArgument(f"a leg of {percent} %", hint="more than 0 and less than 100")
        if multiple is not None and not (multiple > 0 and math.isfinite(multiple)):
            raise InvalidArgument(f"a leg of {multiple} times the ATR", hint="more than 0")
        self._share, self._multiple = (percent or 0.0) / 100, multiple
        self._atr = RunningAtr(period)
        self._count = 0
        self._until: Nanos | None = None  # when the last bar closed
        self._rising: bool | None = None
        self._highest = self._lowest = _Extreme(-1, 0, math.nan)  # of the leg that is going
        self._turns: list[Turn] = []

    @property
    def found(self) -> Zigzag:
        end = self._highest if self._rising else self._lowest
        kind = "high" if self._rising else "low"
        developing = None if self._rising is None else Turn(kind, end.bar, end.time, end.price, None, None)
        return Zigzag(tuple(self._turns), developing)

    def take(self, bars: Bars) -> list[Turn]:
        """Go on with closed bars that come after all before, numbered on; return the turns then confirmed."""
        if not len(bars.time):
            return []
        if self._until is not None and bars.time[0] < self._until:
            raise InvalidArgument("these bars do not come after those before", hint="each bar once")
        before = len(self._turns)
        leg = (
            np.zeros(len(bars.time))
            if self._multiple is None
            else self._multiple * self._atr.take(bars.high, bars.low, bars.close)
        )
        rows = zip(*(one.tolist() for one in (bars.time, bars.high, bars.low, bars.close, leg)), strict=True)
        for bar, (time, high, low, close, one) in enumerate(rows, self._count):
            if not (math.isnan(high) or math.isnan(low)):
                self._see(_Extreme(bar, time, high), _Extreme(bar, time, low), close, one, time + bars.length)
        self._count += len(bars.time)
        self._until = int(bars.time[-1]) + bars.length
        return self._turns[before:]

    def _see(self, high: _Extreme, low: _Extreme, close: float, leg: float, closed: Nanos) -> None:
        """Judge a bar; `leg` is how far a leg goes beside the percentage, in quote units, NaN if unknown."""
        highest, lowest = self._highest, self._lowest
        rose = high.price >= lowest.price * (1 + self._share) + leg
        fell = low.price <= highest.price * (1 - self._share) - leg
        if self._rising is None and rose and fell:
            rose = 2 * close >= high.price + low.price
            fell = not rose
        if fell and (self._rising is None or (self._rising and not high.price > highest.price)):
            self._turns.append(Turn("high", *highest, high.bar, closed))
            self._rising, self._lowest = False, low
        elif rose and (self._rising is None or (not self._rising and not low.price < lowest.price)):
            self._turns.append(Turn("low", *lowest, high.bar, closed))
            self._rising, self._highest = True, high
        else:
            if not high.price <= highest.price:
                self._highest = high
            if not low.price >= lowest.price:
                self._lowest = low

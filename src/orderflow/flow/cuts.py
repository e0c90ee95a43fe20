"""Cuts: in which bar each trade lies, by time, trades, volume, delta or range.

Bars that are full by what was traded rather than by the clock: López de Prado, "Advances in Financial Machine
Learning" (2018), chapter 2; range bars: Nicolellis (1995). Trades come in the order in which they happened,
and none is ever split.

* A **tick**, **volume** or **delta** bar closes with the trade that makes it full: the one with which its
  trades, its amount, or its bought less its sold amount (either way), reach the threshold. It holds as much
  or more, by the last trade's excess; the next bar begins at nothing. An amount that lacks 10^-9 of the
  threshold has reached it: 0.1 ten times is 1.
* A **range** bar holds trades as long as its high less its low is at most its span; the trade that would
  widen it further opens the next, outside the range of the last one. So it closes when the next one opens. A
  price that jumps leaves no bars in between: there is no bar without a trade.
* A **time** bar is [origin + number × length, origin + (number + 1) × length).

But for those of time, bars are numbered from 0. `Carry` is what the open bar holds: given to the next call, the
trades after it are numbered as if all had come at once. Bars before `carry.bar` are closed.
"""

import math
from typing import NamedTuple

import numpy as np

from orderflow.market.columns import TOLERANCE, Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos


class Carry(NamedTuple):
    """The bar that is open: its number, how much of its measure it holds, and its extremes."""

    bar: int = 0
    held: float = 0.0
    high: float = -math.inf
    low: float = math.inf


START = Carry()


class Cut(NamedTuple):
    bar: Index
    carry: Carry


def time_bars(time: Index, length: Nanos, origin: Nanos = 0) -> Index:
    """Return the number of each time's bar, which depends on nothing before: there is nothing to carry.

    >>> time_bars(np.array([59, 60, 125]), length=60, origin=5).tolist()
    [0, 0, 2]
    """
    if length <= 0:
        raise InvalidArgument(f"{length} ns is no length of a bar", hint="a positive number of nanoseconds")
    return (time - origin) // length


def tick_bars(trades: Index, threshold: int, carry: Carry = START) -> Cut:
    """Cut after so many trades; `trades` is how many each row stands for, and no row is split.

    >>> tick_bars(np.ones(5, dtype=np.int64), 2).bar.tolist()
    [0, 0, 1, 1, 2]
    """
    _checked(trades, threshold, "a count")
    if len(trades) and trades.min() == trades.max() == 1 and threshold >= 1:
        number = int(carry.held) + np.arange(len(trades) + 1)
        return Cut(carry.bar + number[:-1] // threshold, _open(carry.bar, int(number[-1]), threshold))
    return _cut(trades.astype(np.float64), threshold, carry)


def _open(bar: int, held: int, threshold: int) -> Carry:
    return Carry(bar + held // threshold, float(held % threshold))


def volume_bars(amount: Column, threshold: float, carry: Carry = START) -> Cut:
    """Cut when so much was traded: `amount` is base units, or quote units for what are called dollar bars.

    >>> volume_bars(np.array([3.0, 1.0, 4.0, 1.0]), 4.0).bar.tolist()
    [0, 0, 1, 2]
    """
    return _cut(amount, threshold, carry)


def delta_bars(amount: Column, is_buy: Mask, threshold: float, carry: Carry = START) -> Cut:
    """Cut when takers have bought so much more than they sold, or sold so much more than they bought.

    >>> delta_bars(np.array([3.0, 1.0, 2.0, 1.0]), np.array([True, False, True, False]), 4.0).bar.tolist()
    [0, 0, 0, 1]
    """
    return _cut(np.where(is_buy, amount, -amount), threshold, carry)


def range_bars(price: Column, span: float, carry: Carry = START) -> Cut:
    """Cut where the price leaves a range of `span`, from the lowest to the highest price of the bar.

    >>> range_bars(np.array([10.0, 12.0, 11.0, 13.0, 10.0]), 2.0).bar.tolist()
    [0, 0, 0, 1, 2]
    """
    _checked(price, span, "a price")
    starts: list[int] = []
    widest, high, low = span * (1 + TOLERANCE), carry.high, carry.low
    changed = np.flatnonzero(np.concatenate(([True], price[1:] != price[:-1]))[: len(price)])
    for begin in range(0, len(changed), _BLOCK):
        rows = changed[begin : begin + _BLOCK]
        for row, one in zip(rows.tolist(), price[rows].tolist(), strict=True):
            if not low <= one <= high:
                high, low = max(high, one), min(low, one)
                if high - low > widest:
                    starts.append(row)
                    high = low = one
    return Cut(_numbers(len(price), starts, carry.bar), Carry(carry.bar + len(starts), 0.0, high, low))


# ── Bars that are full ────────────────────────────────────────────────────────────────────────

_FULL = 1e-9  # of the threshold: what sums of binary fractions may lack
_BLOCK = 1 << 17  # rows that are numbers of Python's at a time
_GROUP = 16  # rows that are taken at once where no bar can close among them


def _cut(signed: Column, threshold: float, carry: Carry) -> Cut:
    """Cut where the running sum of a bar reaches the threshold, above or below nothing."""
    _checked(signed, threshold, "a size")
    starts: list[int] = []
    full, held = threshold * (1 - _FULL), carry.held
    for begin in range(0, len(signed), _BLOCK):
        part = signed[begin : begin + _BLOCK]
        running = np.cumsum(np.pad(part, (0, -len(part) % _GROUP)).reshape(-1, _GROUP), axis=1)
        groups = zip(
            running.min(axis=1).tolist(), running.max(axis=1).tolist(), running[:, -1].tolist(), strict=True
        )
        for group, (lowest, highest, whole) in enumerate(groups):
            if -full < held + lowest and held + highest < full:
                held += whole
                continue
            at = group * _GROUP
            for row, one in enumerate(part[at : at + _GROUP].tolist(), begin + at + 1):
                held += one
                if not -full < held < full:
                    starts.append(row)
                    held = 0.0
    return Cut(_numbers(len(signed), starts, carry.bar), Carry(carry.bar + len(starts), held))


def _numbers(rows: int, starts: list[int], first: int) -> Index:
    """Return the number of each row's bar; a bar that would start after the last row is not there yet."""
    opened = np.zeros(rows + 1, dtype=np.int64)
    opened[starts] = 1
    return first + np.cumsum(opened[:rows])


def _checked(column: Column | Index, threshold: float, what: str) -> None:
    if not (threshold > 0 and math.isfinite(threshold)):
        raise InvalidArgument(f"{threshold:g} closes no bar", hint="a positive number")
    if np.isnan(column).any():
        raise InvalidArgument(
            f"{what} that is unknown fills no bar", hint="leave such trades out, or cut by time"
        )

"""Taker orders: the fills of one taker put together again, as far as the tape tells.

A venue prints a fill for each resting order, or for each price, that a taker's order met. Fills that follow
one another on one side, each at most `max_gap` after the one before, and at prices that never come back
towards the taker, are taken for one order: a buy eats its way up, a sell down. The tape names no taker, so
two of them in the same instant and direction are one here: the order is an estimate, its fills are not.

An order is known for what it is when nothing can join it any more: `known`, its end and `max_gap`. The last
one may still grow: to go on with more trades, hand over the rows from `rest` on again, before the new ones.
"""

from typing import NamedTuple

import numpy as np

from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos


class TakerOrders(NamedTuple):
    """One row an order, oldest first. `fills` counts prints, `levels` the different prices among them."""

    start: Index
    end: Index
    is_buy: Mask
    base: Column
    quote: Column
    price_from: Column
    price_to: Column
    fills: Index
    levels: Index
    max_gap: Nanos
    rest: int

    @property
    def known(self) -> Index:
        return self.end + self.max_gap + 1

    @property
    def duration(self) -> Index:
        return self.end - self.start

    @property
    def vwap(self) -> Column:
        """The average price; of an order without a size it is unknown."""
        return np.divide(self.quote, self.base, out=np.full(len(self.base), np.nan), where=self.base > 0)

    @property
    def slippage_bp(self) -> Column:
        """What the average price was worse than the first one: the cost of size."""
        return self._worse(self.vwap)

    @property
    def reach_bp(self) -> Column:
        """How far the last price was from the first: what the order moved the tape."""
        return self._worse(self.price_to)

    def _worse(self, price: Column) -> Column:
        side = np.where(self.is_buy, 1.0, -1.0)
        return side * (price / self.price_from - 1) * 1e4

    def only(self, which: Mask) -> "TakerOrders":
        start, end, is_buy, base, quote, price_from, price_to, fills, levels, max_gap, rest = self
        return TakerOrders(
            start[which], end[which], is_buy[which], base[which], quote[which], price_from[which],
            price_to[which], fills[which], levels[which], max_gap, rest,
        )  # fmt: skip


def taker_orders(
    time: Index, price: Column, size: Column, is_buy: Mask, *, max_gap: Nanos = 0
) -> TakerOrders:
    """Put fills together into orders; they come oldest first, as the venue numbered them.

    >>> orders = taker_orders(np.array([5, 5, 5, 9]), np.array([10.0, 11.0, 11.0, 10.0]), np.ones(4),
    ...                       np.array([True, True, True, False]))
    >>> orders.base.tolist(), orders.levels.tolist(), orders.rest
    ([3.0, 1.0], [2, 1], 3)
    """
    if max_gap < 0:
        raise InvalidArgument(f"fills {max_gap} ns apart are in no order", hint="a gap of 0 or more")
    step, moved = np.diff(time), np.diff(price)
    if (step < 0).any():
        raise InvalidArgument("trades out of order", hint="oldest first")
    begins = np.ones(len(time), dtype=np.bool_)
    another = np.ones(len(time), dtype=np.int64)
    if len(time) > 1:
        back = np.where(is_buy[1:], moved < 0, moved > 0)
        begins[1:] = (step > max_gap) | (is_buy[1:] != is_buy[:-1]) | back
        another[1:] = begins[1:] | (moved != 0)
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(time)).astype(np.int64) - 1 if len(first) else first
    return TakerOrders(
        start=time[first],
        end=time[last],
        is_buy=is_buy[first],
        base=_summed(size, first),
        quote=_summed(size * price, first),
        price_from=price[first],
        price_to=price[last],
        fills=last - first + 1,
        levels=_summed(another.astype(np.float64), first).astype(np.int64),
        max_gap=max_gap,
        rest=int(first[-1]) if len(first) else 0,
    )


def _summed(values: Column, first: Index) -> Column:
    return np.add.reduceat(values, first) if len(first) else np.empty(0)

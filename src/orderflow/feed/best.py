"""The best prices of a book's two sides, so that a side need not be sorted each time that they are asked.

`near` holds, lowest first, every price of the side that is at least as good as `bound`. Levels come by the
million and the best prices are asked a few times a second: a change near the touch costs a step of bisection,
one elsewhere a comparison, and the best ten are a slice.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from heapq import nlargest, nsmallest
from math import inf, isnan

from orderflow.market.events import Level

_NEAR = 40  # prices that are kept after a look at the whole side
_MANY = 160  # and after so many, that the market has come to, the farthest are let go


class BestBids:
    """The side on which the highest price is the best."""

    __slots__ = ("bound", "near")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.near: list[float] = []
        self.bound = inf  # nothing is as good: the first look is at the whole side

    def set(self, side: dict[float, float], levels: list[Level]) -> None:
        """Set the levels of the side; those of size 0 go."""
        bound, near = self.bound, self.near
        for price, size in levels:
            if size:
                if price >= bound and price not in side:
                    insort(near, price)
                side[price] = size
            elif side.pop(price, None) is not None and price >= bound:
                del near[bisect_left(near, price)]

    def prices(self, side: dict[float, float], count: int) -> list[float]:
        """Return the best `count` prices, the best first; fewer where the side has fewer."""
        near = self.near
        if len(near) < min(count, len(side)):  # the market has moved away: look at the whole side
            self.near = near = nlargest(_NEAR, _numbers(side))[::-1]
            self.bound = near[0] if near else inf
        elif len(near) > _MANY:
            del near[:-_NEAR]
            self.bound = near[0]
        return near[: -count - 1 : -1]


class BestAsks:
    """The side on which the lowest price is the best."""

    __slots__ = ("bound", "near")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.near: list[float] = []
        self.bound = -inf

    def set(self, side: dict[float, float], levels: list[Level]) -> None:
        """Set the levels of the side; those of size 0 go."""
        bound, near = self.bound, self.near
        for price, size in levels:
            if size:
                if price <= bound and price not in side:
                    insort(near, price)
                side[price] = size
            elif side.pop(price, None) is not None and price <= bound:
                del near[bisect_left(near, price)]

    def prices(self, side: dict[float, float], count: int) -> list[float]:
        """Return the best `count` prices, the best first; fewer where the side has fewer."""
        near = self.near
        if len(near) < min(count, len(side)):
            self.near = near = nsmallest(_NEAR, _numbers(side))
            self.bound = near[-1] if near else -inf
        elif len(near) > _MANY:
            del near[_NEAR:]
            self.bound = near[-1]
        return near[:count]


def _numbers(side: dict[float, float]) -> Iterable[float]:
    """Return the prices of a side without a venue's nonsense: NaN cannot be sorted."""
    return [price for price in side if not isnan(price)] if isnan(sum(side)) else side

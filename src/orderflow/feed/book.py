"""The order book: a state machine over `BookUpdate`s, without clocks, sockets or logs.

A book is out of step until a snapshot joins the diffs, which are kept meanwhile. The rules are the
venues' own and declared in their forms (`BookRule`):

PREVIOUS_ID  (Binance futures) with a snapshot L: diffs with u < L are old; the first to apply has
             U <= L <= u, or follows it directly (pu == L); then each has pu == the last u.
CONTIGUOUS   (Binance spot) with a snapshot L: diffs with u <= L are old; then each has U <= last u + 1.
SNAPSHOTS    each update is the whole book.
"""

from collections import deque
from heapq import nlargest, nsmallest
from math import inf

from orderflow.market.errors import BookGap
from orderflow.market.events import BookTop, BookUpdate, Level, Nanos
from orderflow.market.streams import BOOK_LEVELS
from orderflow.venues.spec import BookRule

KEPT_DIFFS = 20_000  # diffs kept while a book waits for its snapshot; the oldest go first

_NEAR = 40  # prices a side that are kept sorted by a look at the whole side


class OrderBook:
    """One symbol's book to the depth that the venue gives; prices and sizes as float64."""

    def __init__(self, rule: BookRule) -> None:
        self._rule = rule
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.last_id: int | None = None
        self.in_step = False
        self._waiting: deque[BookUpdate] = deque(maxlen=KEPT_DIFFS)
        self.joined = False  # a diff has been applied since the snapshot
        self.caught_up: BookUpdate | None = None  # the last diff that had waited for the snapshot just taken
        self._best_bids = _Best(highest_first=True)
        self._best_asks = _Best(highest_first=False)

    def apply(self, update: BookUpdate) -> bool:
        """Apply an update; tell whether the book changed.

        Raises `BookGap` where the update does not follow; the book is then out of step, and the
        update is the first of those that wait for the next snapshot.
        """
        if update.snapshot:
            return self._restart(update)
        if not self.in_step:
            self._waiting.append(update)
            return False
        try:
            follows = self._follows(update)
        except BookGap:
            self.lose()
            self._waiting.append(update)
            raise
        if follows:
            _set_bids(self.bids, update.bids, self._best_bids)
            _set_asks(self.asks, update.asks, self._best_asks)
            self.last_id = update.last_id
            self.joined = True
        return follows

    def lose(self) -> None:
        """Forget the book: what comes next is not known to follow."""
        self.bids, self.asks = {}, {}
        self.in_step, self.joined, self.last_id = False, False, None
        self._begin()

    @property
    def waiting(self) -> list[BookUpdate]:
        """The diffs that wait for a snapshot, oldest first."""
        return list(self._waiting)

    def resume(
        self, bids: list[Level], asks: list[Level], last_id: int | None, *, joined: bool = True
    ) -> None:
        """Take up a book that was in step after the update `last_id`."""
        self.bids, self.asks, self.last_id = dict(bids), dict(asks), last_id
        self.in_step, self.joined = True, joined
        self._begin()

    def _begin(self) -> None:
        self._waiting.clear()
        self._best_bids.forget()
        self._best_asks.forget()

    def _restart(self, snapshot: BookUpdate) -> bool:
        if self._rule is not BookRule.SNAPSHOTS and self.in_step and _older(snapshot.last_id, self.last_id):
            return False  # the diffs have already passed it
        waiting = [] if self._rule is BookRule.SNAPSHOTS else self.waiting
        self.bids = {price: size for price, size in snapshot.bids if size}
        self.asks = {price: size for price, size in snapshot.asks if size}
        self.last_id, self.in_step, self.joined = snapshot.last_id, True, False
        self.caught_up = None
        self._begin()
        for place, update in enumerate(waiting):
            try:
                if self.apply(update):
                    self.caught_up = update
            except BookGap:
                self._waiting.extend(waiting[place + 1 :])
                raise
        return True

    def _follows(self, update: BookUpdate) -> bool:
        """Tell whether the update is the next one (True) or an old one (False), or raise `BookGap`."""
        last = self.last_id
        if last is None or update.last_id is None or update.first_id is None:
            raise BookGap("an update without ids where diffs are chained by ids")
        if self._rule is BookRule.PREVIOUS_ID:
            if update.prev_id == last:
                return True
            if update.last_id < last:
                return False
            if self.joined:
                if update.last_id == last:
                    return False
                raise BookGap(
                    f"ids {last + 1}..{update.first_id - 1} missing: the diff follows {update.prev_id}"
                )
            if update.first_id <= last:
                return True
        elif self._rule is BookRule.CONTIGUOUS:
            if update.last_id <= last:
                return False
            if update.first_id <= last + 1:
                return True
        else:
            raise BookGap("a diff from a venue that sends whole snapshots")
        raise BookGap(f"ids {last + 1}..{update.first_id - 1} missing")

    def top(self, update: BookUpdate) -> BookTop:
        """Return the best ten levels a side, timed by the update that was applied last."""
        bids, asks = self.bids, self.asks
        levels = (*self._best_bids.levels(bids), *self._best_asks.levels(asks))
        depth = min(len(bids), len(asks))
        return BookTop(
            update.venue, update.symbol, update.ts_event, update.ts_recv, levels, depth, update.last_id
        )


class _Best:
    """The prices near the touch of one side, kept so that the whole side need not be sorted each time.

    `near` holds every price of the side that is at least as good as `bound`, and some that have gone.
    """

    __slots__ = ("_sign", "bound", "near")

    def __init__(self, *, highest_first: bool) -> None:
        self._sign = -1.0 if highest_first else 1.0
        self.near: set[float] = set()
        self.bound = -self._sign * inf  # nothing is as good: the first look is at the whole side

    def levels(self, side: dict[float, float]) -> list[float | None]:
        """Return (price, size) of the best ten, flat, None where the side has fewer."""
        highest_first = self._sign < 0
        found = sorted([price for price in self.near if price in side], reverse=highest_first)
        if len(found) < min(BOOK_LEVELS, len(side)):  # the market has moved away: look at the whole side
            found = nlargest(_NEAR, side) if highest_first else nsmallest(_NEAR, side)
            self.bound = found[-1]
        elif len(found) > _NEAR + BOOK_LEVELS:
            del found[_NEAR:]
            self.bound = found[-1]
        self.near = set(found)
        best = found[:BOOK_LEVELS]
        flat: list[float | None] = [None] * (2 * BOOK_LEVELS)
        flat[0 : 2 * len(best) : 2] = best
        flat[1 : 2 * len(best) : 2] = map(side.__getitem__, best)
        return flat

    def forget(self) -> None:
        self.near.clear()
        self.bound = -self._sign * inf


def top_of(update: BookUpdate) -> BookTop:
    """Return the best ten levels that a snapshot shows by itself."""
    book = OrderBook(BookRule.SNAPSHOTS)
    book.apply(update)
    return book.top(update)


def _set_bids(side: dict[float, float], levels: list[Level], best: _Best) -> None:
    bound, near = best.bound, best.near
    for price, size in levels:
        if size:
            side[price] = size
            if price >= bound:
                near.add(price)
        else:
            side.pop(price, None)


def _set_asks(side: dict[float, float], levels: list[Level], best: _Best) -> None:
    bound, near = best.bound, best.near
    for price, size in levels:
        if size:
            side[price] = size
            if price <= bound:
                near.add(price)
        else:
            side.pop(price, None)


def _older(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and one <= other


def last_change(update: BookUpdate) -> Nanos:
    """The time of an update on the clock by which rows of books are spaced."""
    return update.ts_recv if update.ts_event is None else update.ts_event

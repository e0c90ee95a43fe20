"""The order book: a state machine over `BookUpdate`s, without clocks, sockets or logs.

A book is out of step until a snapshot joins the diffs, which are kept meanwhile. The rules are the
venues' own and declared in their forms (`BookRule`):

PREVIOUS_ID  (Binance futures) with a snapshot L: diffs with u < L are old; the first to apply has
             U <= L <= u, or follows it directly (pu == L); then each has pu == the last u.
CONTIGUOUS   (Binance spot) with a snapshot L: diffs with u <= L are old; then each has U <= last u + 1.
SNAPSHOTS    each update is the whole book.
"""

from collections import deque

from orderflow.market.errors import BookGap
from orderflow.market.events import BookTop, BookUpdate, Level, Nanos
from orderflow.market.streams import BOOK_LEVELS
from orderflow.venues.spec import BookRule

KEPT_DIFFS = 20_000  # diffs kept while a book waits for its snapshot; the oldest go first

_ABSENT: tuple[float | None, float | None] = (None, None)


class OrderBook:
    """One symbol's book to the depth that the venue gives; prices and sizes as float64."""

    def __init__(self, rule: BookRule) -> None:
        self._rule = rule
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.last_id: int | None = None
        self.in_step = False
        self._waiting: deque[BookUpdate] = deque(maxlen=KEPT_DIFFS)
        self._joined = False  # a diff has been applied since the snapshot

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
            _set(self.bids, update.bids)
            _set(self.asks, update.asks)
            self.last_id = update.last_id
            self._joined = True
        return follows

    def lose(self) -> None:
        """Forget the book: what comes next is not known to follow."""
        self.bids, self.asks = {}, {}
        self.in_step, self._joined, self.last_id = False, False, None
        self._waiting.clear()

    def resume(self, bids: list[Level], asks: list[Level], last_id: int | None) -> None:
        """Take up a book that was in step after the update `last_id`."""
        self.bids, self.asks, self.last_id = dict(bids), dict(asks), last_id
        self.in_step = self._joined = True
        self._waiting.clear()

    def _restart(self, snapshot: BookUpdate) -> bool:
        if self._rule is not BookRule.SNAPSHOTS and self.in_step and _older(snapshot.last_id, self.last_id):
            return False  # the diffs have already passed it
        waiting = list(self._waiting)
        self.bids = {price: size for price, size in snapshot.bids if size}
        self.asks = {price: size for price, size in snapshot.asks if size}
        self.last_id, self.in_step, self._joined = snapshot.last_id, True, False
        self._waiting.clear()
        for place, update in enumerate(waiting):
            try:
                self.apply(update)
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
            if self._joined:
                if update.last_id == last:
                    return False
                raise BookGap(f"ids {last + 1}..{update.first_id - 1} missing: the diff follows {update.prev_id}")
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
        levels = [*_best(bids, True), *_best(asks, False)]
        return BookTop(
            update.venue,
            update.symbol,
            update.ts_event,
            update.ts_recv,
            tuple(levels),
            min(len(bids), len(asks)),
            update.last_id,
        )


def top_of(update: BookUpdate) -> BookTop:
    """Return the best ten levels that a snapshot shows by itself."""
    book = OrderBook(BookRule.SNAPSHOTS)
    book.apply(update)
    return book.top(update)


def _set(side: dict[float, float], levels: list[Level]) -> None:
    for price, size in levels:
        if size:
            side[price] = size
        else:
            side.pop(price, None)


def _best(side: dict[float, float], highest_first: bool) -> list[float | None]:
    # Sorting the keys is quick: a book is kept mostly in the order of its snapshot.
    flat: list[float | None] = []
    for price in sorted(side, reverse=highest_first)[:BOOK_LEVELS]:
        flat += (price, side[price])
    flat.extend(_ABSENT * (BOOK_LEVELS - len(flat) // 2))
    return flat


def _older(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and one <= other


def last_change(update: BookUpdate) -> Nanos:
    """The time of an update on the clock by which rows of books are spaced."""
    return update.ts_recv if update.ts_event is None else update.ts_event

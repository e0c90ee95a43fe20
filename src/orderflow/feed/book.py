"""The order book: a state machine over `BookUpdate`s, without clocks, sockets or logs.

A book is out of step until a snapshot joins the diffs, which are kept meanwhile. The rules are the
venues' own and declared in their forms (`BookRule`):

PREVIOUS_ID  (Binance futures) with a snapshot L: diffs with u < L are old; the first to apply has
             U <= L <= u, or follows it directly (pu == L); then each has pu == the last u.
CONTIGUOUS   (Binance spot) with a snapshot L: diffs with u <= L are old; then each has U <= last u + 1.
CHAINED      (OKX, Deribit) each diff has prev_id == the last id and nothing else follows; an id may be
             lower than the one before (the venue began again) or equal to it (a sign of life). With a
             snapshot L that does not replace, diffs with id <= L are old, and the first to apply has
             prev_id <= L < id.
UNNUMBERED   (Coinbase) diffs have no ids: each that arrives is applied.
SNAPSHOTS    each update is the whole book.

A snapshot that `replaces` came in order among the diffs: it is taken whatever the ids say, and the diffs
before it are in it.

A `CheckedBook` also holds what the venue wrote of each level, where its updates carry a checksum of the
best of them: one that does not match is as good as a hole in the ids, and where there are no ids it is
the only sign of one.
"""

from collections import deque
from typing import TypeAlias

from orderflow.feed.best import BestAsks, BestBids
from orderflow.market.errors import BookGap
from orderflow.market.events import BookTop, BookUpdate, Level, LevelText, Nanos
from orderflow.market.streams import BOOK_LEVELS
from orderflow.venues.spec import BookRule, Checksum, Venue

KEPT_DIFFS = 20_000  # diffs kept while a book waits for its snapshot; the oldest go first

Texts: TypeAlias = tuple[list[LevelText], list[LevelText]]

_BY_PREVIOUS_ID = frozenset({BookRule.PREVIOUS_ID, BookRule.CHAINED})


class OrderBook:
    """One symbol's book to the depth that the venue gives; prices and sizes as float64."""

    def __init__(self, rule: BookRule) -> None:
        self._rule = rule
        self._by_previous_id = rule in _BY_PREVIOUS_ID
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.last_id: int | None = None
        self.in_step = False
        self._waiting: deque[BookUpdate] = deque(maxlen=KEPT_DIFFS)
        self.joined = False  # a diff has been applied since the snapshot
        self.caught_up: BookUpdate | None = None  # the last diff that had waited for the snapshot just taken
        self._best_bids = BestBids()
        self._best_asks = BestAsks()

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
        before = update.prev_id
        # Most diffs name the one before; whatever does not is looked at by its rule in full.
        if before is None or before != self.last_id or not self._by_previous_id or update.last_id is None:
            try:
                if not self._follows(update):
                    return False
            except BookGap:
                self.lose()
                self._waiting.append(update)
                raise
        if update.bids:
            self._best_bids.set(self.bids, update.bids)
        if update.asks:
            self._best_asks.set(self.asks, update.asks)
        self.last_id = update.last_id
        self.joined = True
        return True

    def lose(self) -> None:
        """Forget the book: what comes next is not known to follow."""
        self.bids, self.asks = {}, {}
        self.in_step, self.joined, self.last_id = False, False, None
        self._begin()

    @property
    def waiting(self) -> list[BookUpdate]:
        """The diffs that wait for a snapshot, oldest first."""
        return list(self._waiting)

    @property
    def texts(self) -> Texts | None:
        """What the venue wrote of the levels, if it is known: bids and asks in no order."""
        return None

    def resume(
        self,
        bids: list[Level],
        asks: list[Level],
        last_id: int | None,
        *,
        joined: bool = True,
        texts: Texts | None = None,
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
        replaces = snapshot.replaces or self._rule is BookRule.SNAPSHOTS
        if not replaces and self.in_step and _older(snapshot.last_id, self.last_id):
            return False  # the diffs have already passed it
        waiting = [] if replaces else self.waiting
        self.bids = {price: size for price, size in snapshot.bids if size}
        self.asks = {price: size for price, size in snapshot.asks if size}
        # What replaces is itself of the chain: the next diff follows it, and none straddles it.
        self.joined = replaces and self._rule is BookRule.CHAINED
        self.last_id, self.in_step = snapshot.last_id, True
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
        if self._rule is BookRule.UNNUMBERED:
            return True
        last = self.last_id
        if self._rule is BookRule.CHAINED:
            return self._is_next_of_chain(update)
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

    def _is_next_of_chain(self, update: BookUpdate) -> bool:
        last, id = self.last_id, update.last_id
        if update.prev_id == last:
            if last is None and update.checksum is None:
                raise BookGap("an update with neither ids nor a checksum does not show that it follows")
            return True
        if id is not None and id == last:
            return False  # sent twice
        if not self.joined and id is not None and last is not None and update.prev_id is not None:
            # A snapshot taken between two diffs: it has what came before it, and the first one goes on.
            if id <= last:
                return False
            if update.prev_id < last:
                return True
        raise BookGap(f"updates missing after {last}: the diff follows {update.prev_id}")

    def top(self, update: BookUpdate) -> BookTop:
        """Return the best ten levels a side, timed by the update that was applied last."""
        bids, asks = self.bids, self.asks
        best_bids = self._best_bids.prices(bids, BOOK_LEVELS)
        best_asks = self._best_asks.prices(asks, BOOK_LEVELS)
        levels = (*_flat(best_bids, bids), *_flat(best_asks, asks))
        depth = min(len(bids), len(asks))
        return BookTop(
            update.venue, update.symbol, update.ts_event, update.ts_recv, levels, depth, update.last_id
        )


class CheckedBook(OrderBook):
    """A book whose updates vouch for it by a checksum of what the venue wrote of its best levels.

    An update without a checksum ends the checking, until the next snapshot with one.
    """

    def __init__(self, rule: BookRule, checksum: Checksum) -> None:
        super().__init__(rule)
        self._checksum = checksum
        self._texts: tuple[dict[float, LevelText], dict[float, LevelText]] | None = None

    def apply(self, update: BookUpdate) -> bool:
        """Apply an update as any book does; raises `BookGap` also where its checksum does not match."""
        changed = super().apply(update)
        if not changed:
            return False
        if update.snapshot:
            self._texts = None if update.texts is None or not update.replaces else ({}, {})
        if self._texts is None:
            return True
        if update.texts is None or update.checksum is None:
            self._texts = None
            return True
        _set_texts(self._texts[0], update.bids, update.texts[0])
        _set_texts(self._texts[1], update.asks, update.texts[1])
        if self._found() != update.checksum:
            self.lose()
            if not update.snapshot:
                self._waiting.append(update)
            raise BookGap(f"the book does not have the checksum {update.checksum}: an update is missing")
        return True

    def _found(self) -> int:
        """Return the checksum of the book as it is kept here."""
        bids, asks = self._texts or ({}, {})
        count = self._checksum.levels
        return self._checksum.of(
            list(map(bids.__getitem__, self._best_bids.prices(self.bids, count))),
            list(map(asks.__getitem__, self._best_asks.prices(self.asks, count))),
        )

    @property
    def texts(self) -> Texts | None:
        if self._texts is None:
            return None
        bids, asks = self._texts
        return [bids[price] for price in self.bids], [asks[price] for price in self.asks]

    def resume(
        self,
        bids: list[Level],
        asks: list[Level],
        last_id: int | None,
        *,
        joined: bool = True,
        texts: Texts | None = None,
    ) -> None:
        super().resume(bids, asks, last_id, joined=joined)
        if texts is not None:
            of_bids, of_asks = ({float(text[0]): text for text in side} for side in texts)
            self._texts = of_bids, of_asks

    def _begin(self) -> None:
        super()._begin()
        self._texts = None


def book_of(venue: Venue) -> OrderBook:
    """Return an empty book that follows the venue's rules."""
    if venue.checksum is None:
        return OrderBook(venue.book)
    return CheckedBook(venue.book, venue.checksum)


def _flat(best: list[float], side: dict[float, float]) -> list[float | None]:
    """Return (price, size) of the best prices, flat, None where there are fewer than ten."""
    flat: list[float | None] = [None] * (2 * BOOK_LEVELS)
    flat[0 : 2 * len(best) : 2] = best
    flat[1 : 2 * len(best) : 2] = map(side.__getitem__, best)
    return flat


def top_of(update: BookUpdate) -> BookTop:
    """Return the best ten levels that a snapshot shows by itself."""
    book = OrderBook(BookRule.SNAPSHOTS)
    book.apply(update)
    return book.top(update)


def _set_texts(side: dict[float, LevelText], levels: list[Level], texts: list[LevelText]) -> None:
    for (price, size), text in zip(levels, texts, strict=True):
        if size:
            side[price] = text
        else:
            side.pop(price, None)


def _older(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and one <= other


def last_change(update: BookUpdate) -> Nanos:
    """The time of an update on the clock by which rows of books are spaced."""
    return update.ts_recv if update.ts_event is None else update.ts_event

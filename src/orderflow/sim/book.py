"""Book: one venue's resting orders as whole lots per tick, with the update ids that diffs carry."""

from collections.abc import Callable

from orderflow.sim.happenings import BestChanged, BookChanged, Level, Lots, Millis, Ticks

_WALK = 48  # ticks to look at one by one before searching the whole side


class Book:
    """Absolute sizes per level. Every `put` takes one new update id; `cut` hands over the changes.

    `holes` says after which changes the venue's counter skips ids (it is shared with other markets there).
    """

    def __init__(self, first_id: int, holes: Callable[[], bool] | None = None) -> None:
        self.bids: dict[Ticks, Lots] = {}
        self.asks: dict[Ticks, Lots] = {}
        self.best_bid: Ticks = 0
        self.best_ask: Ticks = 0
        self.update_id = first_id
        self._holes = holes
        self._cut_id = first_id
        self._first_id = first_id
        self._changed: tuple[list[Level], list[Level]] = ([], [])
        self._best = (0, 0, 0, 0)

    def put(self, is_bid: bool, tick: Ticks, lots: Lots) -> None:
        """Set a level; 0 lots removes it. The caller keeps the book uncrossed."""
        self.update_id += 2 if self._holes is not None and self._holes() else 1
        if self._first_id == self._cut_id:
            self._first_id = self.update_id
        self._changed[0 if is_bid else 1].append((tick, lots))
        if is_bid:
            self._put_bid(tick, lots)
        else:
            self._put_ask(tick, lots)

    def _put_bid(self, tick: Ticks, lots: Lots) -> None:
        if lots:
            self.bids[tick] = lots
            self.best_bid = max(self.best_bid, tick)
            return
        self.bids.pop(tick, None)
        if tick == self.best_bid:
            near = (one for one in range(tick - 1, tick - _WALK, -1) if one in self.bids)
            self.best_bid = next(near, None) or max(self.bids)

    def _put_ask(self, tick: Ticks, lots: Lots) -> None:
        if lots:
            self.asks[tick] = lots
            self.best_ask = min(self.best_ask or tick, tick)
            return
        self.asks.pop(tick, None)
        if tick == self.best_ask:
            near = (one for one in range(tick + 1, tick + _WALK) if one in self.asks)
            self.best_ask = next(near, None) or min(self.asks)

    def cut(self, ts: Millis) -> tuple[BookChanged, BestChanged | None] | None:
        """What changed since the last cut, and the new best if it is another; None if nothing did."""
        bids, asks = self._changed
        if not bids and not asks:
            return None
        changed = BookChanged(self._cut_id, self._first_id, self.update_id, ts, bids, asks)
        self._changed = ([], [])
        self._cut_id = self._first_id = self.update_id
        best = (self.best_bid, self.bids[self.best_bid], self.best_ask, self.asks[self.best_ask])
        if best == self._best:
            return changed, None
        self._best = best
        return changed, BestChanged(self.update_id, *best, ts)

    def top(self, levels: int) -> tuple[list[Level], list[Level]]:
        """The best levels of either side, best first."""
        bids = sorted(self.bids.items(), reverse=True)[:levels]
        return bids, sorted(self.asks.items())[:levels]

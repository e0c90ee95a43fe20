"""Watching: what the live state shows of one market while it is looked at again and again.

Of trades the live state keeps the last 200 of a venue: each look takes those that were not there before, by the venue's
own ids. Where none of the last look's is left there may have been more between, and the watch says so.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from orderflow.market.errors import UnknownSymbol
from orderflow.market.events import BookTop, Funding, Nanos, OpenInterest, Quote, Trade
from orderflow.store.live import RECENT_TRADES
from orderflow.tools.board import levels
from orderflow.tools.context import Latest

_Id: TypeAlias = tuple[bool, int | str]  # bundles and single fills are numbered apart


class Flow(msgspec.Struct, kw_only=True):
    """What takers did while it was watched: sizes in base units, `value` in quote units."""

    bought: float = 0.0
    sold: float = 0.0
    value: float = 0.0
    trades: int = 0
    largest: float | None = None

    def add(self, trade: Trade) -> None:
        if trade.side == "buy":
            self.bought += trade.size
        else:
            self.sold += trade.size
        self.value += trade.size * trade.price
        self.trades += 1
        self.largest = max(self.largest or 0.0, trade.size)

    def plus(self, other: "Flow") -> "Flow":
        largest = [one for one in (self.largest, other.largest) if one is not None]
        return Flow(
            bought=self.bought + other.bought,
            sold=self.sold + other.sold,
            value=self.value + other.value,
            trades=self.trades + other.trades,
            largest=max(largest, default=None),
        )

    @property
    def told(self) -> dict[str, Any]:
        """The sums by name; of no trades none but their number is known."""
        both = self.bought + self.sold
        if not self.trades or both <= 0:
            return {"trades": self.trades}
        delta = self.bought - self.sold
        return {
            "trades": self.trades, "bought": self.bought, "sold": self.sold, "delta": delta,
            "delta_pct": delta / both * 100, "vwap": self.value / both, "largest": self.largest,
        }  # fmt: skip


class Path(msgspec.Struct, kw_only=True):
    """The course of a price: first, highest, lowest and last."""

    open: float
    high: float
    low: float
    close: float

    @classmethod
    def of(cls, prices: Sequence[float]) -> "Path | None":
        return cls(open=prices[0], high=max(prices), low=min(prices), close=prices[-1]) if prices else None

    @property
    def told(self) -> dict[str, float]:
        change = (self.close / self.open - 1) * 100
        return {
            "open": self.open,
            "high": self.high,
            "low": self.low,
            "close": self.close,
            "change_pct": change,
        }


class Watched(msgspec.Struct, kw_only=True):
    """One venue's market while it was watched; `missed` says that trades may have passed between two looks."""

    flow: Flow = msgspec.field(default_factory=Flow)
    missed: bool = False
    prints: list[float] = []
    mids: list[float] = []
    fundings: list[float] = []
    interests: list[float] = []
    imbalances: list[float] = []
    tape: set[_Id] | None = None  # what the last look saw

    @property
    def path(self) -> Path | None:
        """The course of what was traded; of a market in which nothing was, that of its mid."""
        return Path.of(self.prints or self.mids)


class Watch:
    """Looks at one symbol's live state; `venues` None are all that have any."""

    def __init__(self, latest: Latest, symbol: str, venues: Sequence[str] | None, begun: Nanos) -> None:
        self._latest, self._symbol, self._among, self._begun = latest, symbol, venues, begun
        self.venues: dict[str, Watched] = {}

    def look(self) -> None:
        """Take in what the live state shows now; the first look only says what was there before."""
        for quote in self._of(self._latest.quotes(self._symbol)):
            mid = quote.mid if quote.bid is None or quote.ask is None else (quote.bid + quote.ask) / 2
            if mid is not None:
                self._at(quote.venue).mids.append(mid)
        for top in self._of(self._latest.tops(self._symbol)):
            if (imbalance := _imbalance(top)) is not None:
                self._at(top.venue).imbalances.append(imbalance)
        for funding in self._of(self._latest.fundings(self._symbol)):
            self._at(funding.venue).fundings.append(funding.rate)
        for interest in self._of(self._latest.open_interests(self._symbol)):
            if interest.size is not None:
                self._at(interest.venue).interests.append(interest.size)
        for venue in list(self.venues):
            self._trades(venue)

    def _trades(self, venue: str) -> None:
        watched = self.venues[venue]
        try:
            tape = list(self._latest.recent_trades(self._symbol, venue))
        except UnknownSymbol:
            tape = []
        ids = {_id(one) for one in tape}
        before = watched.tape
        watched.tape = ids
        if before is None:
            before = {_id(one) for one in tape if one.ts_recv < self._begun}
        elif before and len(tape) >= RECENT_TRADES and not before & ids:
            watched.missed = True
        for one in tape:
            if _id(one) not in before:
                watched.flow.add(one)
                watched.prints.append(one.price)

    def _at(self, venue: str) -> Watched:
        return self.venues.setdefault(venue, Watched())

    def _of(self, events: Sequence["Quote | BookTop | Funding | OpenInterest"]) -> Sequence[Any]:
        return [
            one
            for one in events
            if one.symbol == self._symbol and (self._among is None or one.venue in self._among)
        ]


def _id(trade: Trade) -> _Id:
    return trade.merged, trade.id


def _imbalance(top: BookTop) -> float | None:
    bids, asks = (sum(size for _, size in levels(half)) for half in (top.levels[:20], top.levels[20:]))
    return (bids - asks) / (bids + asks) if bids and asks else None

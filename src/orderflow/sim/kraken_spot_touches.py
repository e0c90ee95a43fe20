"""Touches: how the best prices of Kraken's spot market changed, because it can be asked for that."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence

import msgspec

from orderflow.sim.happenings import Happening, Millis, Ticks
from orderflow.sim.market import Market
from orderflow.sim.protocol import Frame, Streams

_KEPT = 200  # changes of a pair's best prices that can be asked for


class Touch(msgspec.Struct, frozen=True, gc=False):
    """The best prices from an instant on."""

    ts: Millis
    bid: Ticks
    ask: Ticks


class Touches(Streams):
    """What the best prices of every coin were, change by change; it sends nothing."""

    def __init__(self, venue: str, markets: Mapping[str, Market]) -> None:
        self._books = {symbol: one.exchanges[venue].book for symbol, one in markets.items()}
        self.kept: dict[str, deque[Touch]] = {symbol: deque(maxlen=_KEPT) for symbol in markets}

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        for symbol, book in self._books.items():
            kept = self.kept[symbol]
            if not kept or (kept[-1].bid, kept[-1].ask) != (book.best_bid, book.best_ask):
                kept.append(Touch(now_ms, book.best_bid, book.best_ask))
        return []

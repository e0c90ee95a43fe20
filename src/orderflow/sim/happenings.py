"""Happenings: what one step of the simulated market says took place, in whole ticks and lots."""

from typing import TypeAlias

import msgspec

Ticks: TypeAlias = int
Lots: TypeAlias = int
Millis: TypeAlias = int
Level: TypeAlias = tuple[Ticks, Lots]  # lots are absolute; 0 removes the level


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One match of a taker with a resting order, or (price and size 0) a row that is no trade."""

    id: int
    price: Ticks
    lots: Lots
    ts: Millis
    taker_sells: bool
    hidden: bool  # against a retail order that the public book never showed


class Aggregate(msgspec.Struct, frozen=True, gc=False):
    """Neighbouring fills at one price by the same taking side."""

    id: int
    price: Ticks
    lots: Lots
    shown_lots: Lots  # without hidden fills
    first: int
    last: int
    ts: Millis
    taker_sells: bool


class BookChanged(msgspec.Struct, frozen=True):
    """Levels set at once. `first` to `last` are their update ids, `previous` the one before."""

    previous: int
    first: int
    last: int
    ts: Millis
    bids: list[Level]
    asks: list[Level]


class BestChanged(msgspec.Struct, frozen=True, gc=False):
    id: int
    bid: Ticks
    bid_lots: Lots
    ask: Ticks
    ask_lots: Lots
    ts: Millis


class Candle(msgspec.Struct, gc=False):
    """One minute of trades. Without trades it is flat at the last close and `first` is -1."""

    open_ms: Millis
    open: Ticks
    high: Ticks
    low: Ticks
    close: Ticks
    lots: Lots = 0
    tick_lots: int = 0  # quote volume: the sum of ticks times lots
    trades: int = 0
    buy_lots: Lots = 0
    buy_tick_lots: int = 0
    first: int = -1
    last: int = -1


class CandleClosed(msgspec.Struct, frozen=True):
    candle: Candle


class Marked(msgspec.Struct, frozen=True, gc=False):
    """Once a second on a perpetual; prices in quote, the funding rate as a fraction per interval."""

    ts: Millis
    mark: float
    mark_average: float
    index: float
    funding: float
    next_funding_ms: Millis


class Liquidated(msgspec.Struct, frozen=True, gc=False):
    """A forced market order and what it met. `limit` is its bankruptcy price."""

    ts: Millis
    sells: bool  # a long is being closed
    limit: Ticks
    lots: Lots
    filled_lots: Lots
    filled_tick_lots: int
    last_lots: Lots


Happening: TypeAlias = Fill | Aggregate | BookChanged | BestChanged | CandleClosed | Marked | Liquidated

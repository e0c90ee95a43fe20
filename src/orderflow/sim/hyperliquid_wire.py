"""What Hyperliquid says of a coin, under its own field names; its listings."""

from collections.abc import Mapping
from typing import Any

import msgspec

from orderflow.sim.book import Book
from orderflow.sim.candles import MINUTE_MS
from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import BestChanged, Candle, Fill, Lots, Millis, Ticks
from orderflow.sim.listings import Listing, Names, Wording
from orderflow.sim.market import Market
from orderflow.sim.perpetual import Perpetual
from orderflow.sim.tape import Print

encode = msgspec.json.Encoder().encode

LEVELS = 20
_SCATTER, _TID_BITS = 0x9E3779B97F4A7C15, 50

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "1", "0.00001", 1, 5, native="BTC"),
        Listing("ETHUSDT", "0.1", "0.0001", 1, 4, native="ETH"),
        Listing("SOLUSDT", "0.01", "0.01", 3, 2, native="SOL"),
        Listing("XRPUSDT", "0.0001", "1", 4, 1, native="XRP"),
        Listing("ARUSDT", "0.0001", "0.01", 4, 2, native="AR"),
        Listing("BRETTUSDT", "0.000001", "1", 6, 1, native="BRETT"),
        Listing("POPCATUSDT", "0.00001", "1", 5, 1, native="POPCAT"),
        Listing("WIFUSDT", "0.00001", "1", 5, 1, native="WIF"),
        Listing("PNUTUSDT", "0.000001", "1", 6, 1, native="PNUT"),
    )
}
NAMES = Names(LISTINGS)


def tid(id: int) -> int:
    """A trade's number scattered over 50 bits, as the venue's are; two trades never have the same."""
    return id * _SCATTER % (1 << _TID_BITS)


def trade(coin: str, words: Wording, one: Fill | Print) -> dict[str, Any]:
    return {
        "coin": coin,
        "side": "A" if one.taker_sells else "B",
        "px": words.price(one.price),
        "sz": words.size(one.lots),
        "time": one.ts,
        "hash": f"0x{one.id * _SCATTER % (1 << 256):064x}",
        "tid": tid(one.id),
        "users": ["0x" + "a1" * 20, "0x" + "b2" * 20],
    }


def _level(words: Wording, tick: Ticks, lots: Lots) -> dict[str, Any]:
    return {"px": words.price(tick), "sz": words.size(lots), "n": 1 + lots % 5}


def touch(words: Wording, best: BestChanged) -> list[dict[str, Any]]:
    return [_level(words, best.bid, best.bid_lots), _level(words, best.ask, best.ask_lots)]


def book(coin: str, words: Wording, said: Book, now_ms: Millis) -> dict[str, Any]:
    sides = [[_level(words, *level) for level in side] for side in said.top(LEVELS)]
    return {"coin": coin, "time": now_ms, "levels": sides}


def candle(coin: str, words: Wording, one: Candle, interval: str, minutes: int) -> dict[str, Any]:
    return {
        "t": one.open_ms,
        "T": one.open_ms + minutes * MINUTE_MS - 1,
        "s": coin,
        "i": interval,
        "o": words.price(one.open),
        "c": words.price(one.close),
        "h": words.price(one.high),
        "l": words.price(one.low),
        "v": words.size(one.lots),
        "n": one.trades,
    }


def context(words: Wording, perpetual: Perpetual) -> dict[str, Any]:
    marked, best = perpetual.marked, perpetual.exchange.book
    digits = len(words.price(1).partition(".")[2])
    return {
        "funding": f"{marked.funding:.10f}",
        "openInterest": words.base(perpetual.open_lots),
        "premium": f"{marked.mark / marked.index - 1:.10f}",
        "oraclePx": f"{marked.index:.{digits}f}",
        "impactPxs": [words.price(best.best_bid), words.price(best.best_ask)],
        **day(words, perpetual.exchange, marked.mark),
    }


def day(words: Wording, exchange: Exchange, mark: float) -> dict[str, Any]:
    """The part of a context that a spot pair has too."""
    whole = exchange.candles.day()
    digits = len(words.price(1).partition(".")[2])
    return {
        "prevDayPx": words.price(whole.open),
        "dayNtlVlm": words.quote(whole.tick_lots),
        "dayBaseVlm": words.base(whole.lots),
        "markPx": f"{mark:.{digits}f}",
        "midPx": f"{exchange.mid:.{digits + 1}f}",
    }


def mids(venue: str, markets: Mapping[str, Market]) -> dict[str, str]:
    exchanges = [one.exchanges[venue] for one in markets.values() if venue in one.exchanges]
    return {one.listing.native: f"{one.mid:.10g}" for one in exchanges}

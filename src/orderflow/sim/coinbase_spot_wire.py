"""What Coinbase puts on the wire, under its own field names, and how it is made of the market."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import Candle, Fill, Lots, Millis, Ticks
from orderflow.sim.listings import Listing, Wording
from orderflow.sim.tape import Print

encode = msgspec.json.Encoder().encode

UNNUMBERED = b'"sequence_num":0'  # replaced by the number of the message on its connection
_NEVER = "1970-01-01T00:00:00Z"


def iso(ms: Millis) -> str:
    """A time as the venue writes it: 2026-09-21T14:13:20.123000Z."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}000Z"


def go_time(ms: Millis) -> str:
    """A time as a heartbeat writes it."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%d %H:%M:%S}.{ms % 1000:03d} +0000 UTC m=+{ms}"


def envelope(channel: str, now_ms: Millis, event: Any) -> bytes:
    return encode(
        {
            "channel": channel,
            "timestamp": f"{iso(now_ms)[:-1]}000Z",
            "sequence_num": 0,
            "events": [event],
        }
    )


class Words:
    """One product's words."""

    def __init__(self, listing: Listing) -> None:
        self.product = listing.native
        wording = Wording(listing)
        self.price, self.size = wording.price, wording.size

    def level(self, ticks: Ticks, lots: Lots) -> tuple[str, str]:
        return self.price(ticks), self.size(lots)

    def change(self, side: str, ticks: Ticks, lots: Lots, ts: Millis | None) -> dict[str, str]:
        return {
            "side": side,
            "event_time": _NEVER if ts is None else iso(ts),
            "price_level": self.price(ticks),
            "new_quantity": self.size(lots),
        }

    def bar(self, one: Candle) -> dict[str, str]:
        return {
            "start": str(one.open_ms // 1000),
            "high": self.price(one.high),
            "low": self.price(one.low),
            "open": self.price(one.open),
            "close": self.price(one.close),
            "volume": self.size(one.lots),
            "product_id": self.product,
        }


def _order(id: int, side: int) -> str:
    return str(UUID(int=id << 8 | side))


def match(words: Words, one: Fill | Print, kind: str) -> dict[str, Any]:
    """A trade as the Exchange tells it: the side is the resting order's."""
    return {
        "type": kind,
        "trade_id": one.id,
        "maker_order_id": _order(one.id, 1),
        "taker_order_id": _order(one.id, 2),
        "side": "buy" if one.taker_sells else "sell",
        "size": words.size(one.lots),
        "price": words.price(one.price),
        "product_id": words.product,
        "sequence": one.id * 10,
        "time": iso(one.ts),
    }


def print_of(words: Words, one: Fill | Print) -> dict[str, str]:
    """A trade as Advanced Trade tells it: the side is the resting order's here too."""
    return {
        "product_id": words.product,
        "trade_id": str(one.id),
        "price": words.price(one.price),
        "size": words.size(one.lots),
        "time": iso(one.ts),
        "side": "BUY" if one.taker_sells else "SELL",
    }


def ticker(words: Words, exchange: Exchange, last: Fill) -> dict[str, Any]:
    """The Exchange's ticker, told at trades; its side is the taker's."""
    whole, book = exchange.candles.day(), exchange.book
    return {
        "type": "ticker",
        "sequence": last.id * 10,
        "product_id": words.product,
        "price": words.price(last.price),
        "open_24h": words.price(whole.open),
        "volume_24h": words.size(whole.lots),
        "low_24h": words.price(whole.low),
        "high_24h": words.price(whole.high),
        "volume_30d": words.size(whole.lots),
        "best_bid": words.price(book.best_bid),
        "best_bid_size": words.size(book.bids[book.best_bid]),
        "best_ask": words.price(book.best_ask),
        "best_ask_size": words.size(book.asks[book.best_ask]),
        "side": "sell" if last.taker_sells else "buy",
        "time": iso(last.ts),
        "trade_id": last.id,
        "last_size": words.size(last.lots),
    }


def day(words: Words, exchange: Exchange) -> dict[str, str]:
    whole, book = exchange.candles.day(), exchange.book
    return {
        "type": "ticker",
        "product_id": words.product,
        "price": words.price(whole.close),
        "volume_24_h": words.size(whole.lots),
        "low_24_h": words.price(whole.low),
        "high_24_h": words.price(whole.high),
        "price_percent_chg_24_h": f"{(whole.close / whole.open - 1) * 100:.8f}",
        "best_bid": words.price(book.best_bid),
        "best_bid_quantity": words.size(book.bids[book.best_bid]),
        "best_ask": words.price(book.best_ask),
        "best_ask_quantity": words.size(book.asks[book.best_ask]),
    }


def heartbeat(words: Words, exchange: Exchange, now_ms: Millis) -> dict[str, Any]:
    last = exchange.fills.last_id
    return {
        "type": "heartbeat",
        "sequence": last * 10,
        "last_trade_id": last,
        "product_id": words.product,
        "time": iso(now_ms),
    }

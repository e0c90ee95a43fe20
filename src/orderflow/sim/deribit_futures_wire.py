"""Deribit futures in words: what its objects say, over sockets and over REST; numbers, never text."""

from collections.abc import Collection, Iterable
from typing import Any, Protocol

from orderflow.sim.book import Book
from orderflow.sim.candles import Candles
from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import BestChanged, Candle, Level, Lots, Marked, Millis, Ticks
from orderflow.sim.listings import Listing, Wording
from orderflow.sim.perpetual import Perpetual


class Traded(Protocol):
    """What a fill and a row of a tape have in common."""

    @property
    def id(self) -> int: ...
    @property
    def price(self) -> Ticks: ...
    @property
    def lots(self) -> Lots: ...
    @property
    def ts(self) -> Millis: ...
    @property
    def taker_sells(self) -> bool: ...


def index_name(native: str) -> str:
    base, _, quote = native.partition("-")[0].partition("_")
    return f"{base}_{quote or 'usd'}".lower()


def perpetual(one: Marked) -> Any:
    return {"timestamp": one.ts, "interest": one.funding, "index_price": round(one.index, 4)}


class Words:
    """One perpetual's words."""

    def __init__(self, listing: Listing, native: str) -> None:
        self.native = native
        self.listing = listing
        self._wording = Wording(listing)
        self._prefix = "" if native.startswith("BTC-") else native.partition("-")[0] + "-"

    def price(self, ticks: Ticks) -> float:
        return float(self._wording.price(ticks))

    def amount(self, lots: Lots) -> float:
        return float(self._wording.size(lots))

    # ── Books ─────────────────────────────────────────────────────────────────────────────────

    def pairs(self, side: Iterable[Level]) -> list[tuple[float, float]]:
        return [(self.price(tick), self.amount(lots)) for tick, lots in side]

    def actions(self, side: Collection[Level], new: str) -> list[tuple[str, float, float]]:
        return [(new if lots else "delete", self.price(tick), self.amount(lots)) for tick, lots in side]

    def top(self, book: Book, depth: int, now_ms: Millis) -> dict[str, Any]:
        bids, asks = book.top(depth)
        return {
            "timestamp": now_ms,
            "instrument_name": self.native,
            "change_id": book.update_id,
            "bids": self.pairs(bids),
            "asks": self.pairs(asks),
        }

    def quote(self, one: BestChanged) -> Any:
        return {
            "timestamp": one.ts,
            "instrument_name": self.native,
            "best_ask_price": self.price(one.ask),
            "best_bid_price": self.price(one.bid),
            "best_ask_amount": self.amount(one.ask_lots),
            "best_bid_amount": self.amount(one.bid_lots),
        }

    # ── Trades and candles ────────────────────────────────────────────────────────────────────

    def trade(self, one: Traded, marked: Marked, *, liquidation: bool = False) -> dict[str, Any]:
        amount = self.amount(one.lots)
        found = {
            "timestamp": one.ts,
            "price": self.price(one.price),
            "amount": amount,
            "direction": "sell" if one.taker_sells else "buy",
            "index_price": round(marked.index, 4),
            "instrument_name": self.native,
            "trade_seq": one.id,
            "mark_price": round(marked.mark, 4),
            "tick_direction": 2 if one.taker_sells else 0,
            "contracts": amount / self.listing.lot_size,
            "trade_id": f"{self._prefix}{one.id}",
        }
        return found | ({"liquidation": "T"} if liquidation else {})

    def candle(self, one: Candle) -> dict[str, Any]:
        volume, cost = self.volumes(one)
        return {
            "tick": one.open_ms,
            "open": self.price(one.open),
            "high": self.price(one.high),
            "low": self.price(one.low),
            "close": self.price(one.close),
            "volume": volume,
            "cost": cost,
        }

    def volumes(self, one: Candle) -> tuple[float, float]:
        """Traded size in base and value in quote; of an inverse contract, the size at the bar's mean price."""
        if not self.listing.inverse:
            return self.amount(one.lots), float(self._wording.quote(one.tick_lots))
        cost = self.amount(one.lots)
        mean = one.tick_lots / one.lots * self.listing.tick_size if one.lots else self.price(one.close)
        return cost / mean, cost

    # ── Tickers ───────────────────────────────────────────────────────────────────────────────

    def index(self, one: Marked) -> Any:
        return {"timestamp": one.ts, "price": round(one.index, 4), "index_name": index_name(self.native)}

    def stats(self, candles: Candles) -> dict[str, Any]:
        day = candles.day()
        volume, cost = self.volumes(day)
        return {
            "high": self.price(day.high),
            "low": self.price(day.low),
            "price_change": round((day.close / day.open - 1) * 100, 4),
            "volume": volume,
            "volume_usd": cost,
            "volume_notional": cost,
        }

    def ticker(self, exchange: Exchange, held: Perpetual, now_ms: Millis) -> dict[str, Any]:
        book, marked = exchange.book, held.marked
        mark, index = round(marked.mark, 4), round(marked.index, 4)
        eight_hours = held.settlements[-1].rate  # what has been paid; the estimate is what is paid now
        return {
            "timestamp": now_ms,
            "state": "open",
            "stats": self.stats(exchange.candles),
            "index_price": index,
            "instrument_name": self.native,
            "last_price": self.price(exchange.candles.running.close),
            "settlement_price": index,
            "min_price": round(mark * 0.985, 4),
            "max_price": round(mark * 1.015, 4),
            "open_interest": self.amount(held.open_lots),
            "mark_price": mark,
            "interest_value": 0.0,
            "best_ask_price": self.price(book.best_ask),
            "best_bid_price": self.price(book.best_bid),
            "estimated_delivery_price": index,
            "best_ask_amount": self.amount(book.asks[book.best_ask]),
            "best_bid_amount": self.amount(book.bids[book.best_bid]),
            "current_funding": round(marked.funding, 8),
            "funding_8h": round(eight_hours, 8),
        }

    def instrument(self, base: str) -> dict[str, Any]:
        inverse = self.listing.inverse
        quote = "USD" if inverse else "USDC"
        return {
            "price_index": index_name(self.native),
            "kind": "future",
            "instrument_name": self.native,
            "instrument_type": "reversed" if inverse else "linear",
            "max_leverage": 50,
            "maker_commission": 0.0,
            "taker_commission": 0.0005,
            "expiration_timestamp": 32_503_708_800_000,
            "creation_timestamp": 1_534_167_754_000,
            "is_active": True,
            "state": "open",
            "tick_size": self.listing.tick_size,
            "contract_size": self.listing.lot_size,
            "min_trade_amount": self.listing.lot_size,
            "settlement_currency": base if inverse else quote,
            "settlement_period": "perpetual",
            "base_currency": base,
            "counter_currency": quote,
            "quote_currency": quote,
            "tick_size_steps": [],
        }

"""Objects that Deribit says over sockets and over REST alike."""

from typing import Any, Literal

import msgspec


class TradeSaid(msgspec.Struct, gc=False):
    instrument_name: str
    trade_id: str
    trade_seq: int
    timestamp: int
    price: float
    amount: float
    direction: Literal["buy", "sell"]
    liquidation: str | None = None
    block_trade_id: int | str | None = None
    block_rfq_id: int | str | None = None
    combo_id: int | str | None = None
    combo_trade_id: int | str | None = None
    legs: list[Any] | None = None


class Greeks(msgspec.Struct, frozen=True, gc=False):
    delta: float | None = None
    gamma: float | None = None
    vega: float | None = None
    theta: float | None = None
    rho: float | None = None


class Stats(msgspec.Struct, frozen=True, gc=False):
    high: float | None = None
    low: float | None = None
    price_change: float | None = None
    volume: float | None = None
    volume_usd: float | None = None


class TickerSaid(msgspec.Struct, gc=False):
    """A ticker of any instrument; `greeks`, the volatilities and `underlying_price` are an option's."""

    instrument_name: str
    timestamp: int
    mark_price: float | None = None
    index_price: float | None = None
    last_price: float | None = None
    open_interest: float | None = None
    best_bid_price: float | None = None
    best_bid_amount: float | None = None
    best_ask_price: float | None = None
    best_ask_amount: float | None = None
    funding_8h: float | None = None
    current_funding: float | None = None
    stats: Stats = Stats()
    greeks: Greeks = Greeks()
    mark_iv: float | None = None
    bid_iv: float | None = None
    ask_iv: float | None = None
    underlying_price: float | None = None


class Error(msgspec.Struct):
    code: int
    message: str
    data: Any = None

    @property
    def said(self) -> str:
        """Its text, with the reason and the parameter where it names them."""
        more = self.data if isinstance(self.data, dict) else {}
        told = (self.message, more.get("reason"), more.get("param"))
        return ", ".join(str(one) for one in told if one)

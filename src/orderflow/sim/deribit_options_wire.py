"""Deribit options in words: an option's ticker and listing, marks of a surface, DVOL."""

from typing import Any

from orderflow.sim.deribit_chain import AMOUNT_STEP, PRICE_TICK, Contract, at_the_money, quoted
from orderflow.sim.happenings import Millis
from orderflow.sim.listings import COINS
from orderflow.sim.market import Market


def index_name(symbol: str) -> str:
    return f"{COINS[symbol].base.lower()}_usd"


def ticker(one: Contract, market: Market, volume: float, now_ms: Millis) -> dict[str, Any]:
    found = quoted(one, market.symbol, market.price, now_ms)
    index, step = round(market.price, 2), AMOUNT_STEP[one.base]
    greeks = found.priced
    return {
        "timestamp": now_ms,
        "state": "open",
        "stats": {
            "high": None,
            "low": None,
            "price_change": None,
            "volume": round(volume, 1),
            "volume_usd": round(volume * found.mark * index, 2),
        },
        "greeks": {
            "delta": round(greeks.delta, 5),
            "gamma": round(greeks.gamma, 5),
            "vega": round(greeks.vega, 5),
            "theta": round(greeks.theta, 5),
            "rho": round(greeks.rho, 5),
        },
        "index_price": index,
        "instrument_name": one.name,
        "last_price": None,
        "settlement_price": round(found.mark, 8),
        "min_price": PRICE_TICK,
        "max_price": round(found.mark + 0.05, 4),
        "open_interest": one.open_interest,
        "mark_price": round(found.mark, 6),
        "interest_rate": 0.0,
        "estimated_delivery_price": index,
        "best_ask_price": found.ask,
        "best_bid_price": found.bid,
        "mark_iv": round(found.mark_iv * 100, 2),
        "bid_iv": round(found.bid_iv * 100, 2),
        "ask_iv": round(found.ask_iv * 100, 2),
        "underlying_price": round(found.forward, 2),
        "underlying_index": one.underlying,
        "best_ask_amount": round(10 * step, 1),
        "best_bid_amount": round(12 * step, 1) if found.bid else 0.0,
    }


def mark(one: Contract, market: Market, now_ms: Millis) -> Any:
    found = quoted(one, market.symbol, market.price, now_ms)
    return {
        "instrument_name": one.name,
        "mark_price": round(found.mark, 6),
        "iv": round(found.mark_iv, 4),
        "timestamp": now_ms,
    }


def volatility(symbol: str, now_ms: Millis) -> Any:
    value = round(at_the_money(symbol, now_ms) * 100, 2)
    return {"timestamp": now_ms, "volatility": value, "index_name": index_name(symbol)}


def instrument(one: Contract, symbol: str) -> dict[str, Any]:
    return {
        "price_index": index_name(symbol),
        "kind": "option",
        "instrument_name": one.name,
        "instrument_type": "reversed",
        "option_type": "call" if one.call else "put",
        "strike": one.strike,
        "maker_commission": 0.0003,
        "taker_commission": 0.0003,
        "expiration_timestamp": one.expiry_ms,
        "creation_timestamp": one.listed_ms,
        "is_active": True,
        "state": "open",
        "tick_size": PRICE_TICK,
        "contract_size": 1.0,
        "min_trade_amount": AMOUNT_STEP[one.base],
        "settlement_currency": one.base,
        "settlement_period": "week",
        "base_currency": one.base,
        "counter_currency": "USD",
        "quote_currency": one.base,
        "tick_size_steps": [],
    }

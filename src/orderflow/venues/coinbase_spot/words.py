"""Coinbase's products, symbols, times and names of channels: what its feeds and its REST have in common."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from math import isfinite

from orderflow.market.events import SECOND, Control, Nanos
from orderflow.venues.spec import Memory, Names

VENUE = "coinbase_spot"

EXCHANGE = "exchange"
ADVANCED = "advanced"

_DOLLARS = ("USDT", "USDC", "USD")
_FIRST = 1_300_000_000 * SECOND  # before Coinbase: the years 1 and 1970 stand where a time is not known
_SCALE = tuple(10 ** (9 - digits) for digits in range(10))  # by the count of digits after the point

# ── Symbols ───────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=4096)
def unified(product: str) -> str:
    """Return the symbol of a product: dollars are told as USDT, other quotes keep the venue's name.

    >>> unified("BTC-USD"), unified("btc-usd"), unified("BTC-EUR"), unified("BTC-USDT"), unified("USDT-USD")
    ('BTCUSDT', 'BTCUSDT', 'BTC-EUR', 'BTC-USDT', 'USDT-USD')
    """
    product = product.upper()
    base, _, quote = product.partition("-")
    return f"{base}USDT" if quote == "USD" and base and base != "USDT" else product


@lru_cache(maxsize=4096)
def native(symbol: str) -> str:
    """Return the product of a symbol; the USDC products are the same books as those in dollars.

    >>> native("BTCUSDT"), native("BTCUSDC"), native("BTC-EUR"), native("WIFUSD")
    ('BTC-USD', 'BTC-USD', 'BTC-EUR', 'WIF-USD')
    """
    symbol = symbol.upper()
    if "-" in symbol:
        return symbol
    for quote in _DOLLARS:
        if symbol.endswith(quote):
            return f"{symbol.removesuffix(quote)}-USD"
    return symbol


# ── Times ─────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=4096)
def _second(text: str) -> Nanos:
    return round(datetime.fromisoformat(f"{text}+00:00").timestamp()) * SECOND


def nanos(text: str) -> Nanos | None:
    """Return a time in nanoseconds, whatever digits of a second it has; None where it says that it has none.

    >>> nanos("2026-08-09T21:05:48.228568804Z")
    1786309548228568804
    >>> nanos("2026-08-09T21:05:48Z"), nanos("0001-01-01T00:00:00.000000Z"), nanos("")
    (1786309548000000000, None, None)
    """
    if not text:
        return None
    second = _second(text[:19])
    if second < _FIRST:
        return None
    digits = text[20:-1]
    return second + int(digits) * _SCALE[len(digits)] if digits else second


def number(text: str) -> float | None:
    """Return a number that may be left empty; None where it is, or is none."""
    if not text:
        return None
    value = float(text)
    return value if isfinite(value) else None


# ── Names of channels ─────────────────────────────────────────────────────────────────────────


def name(route: str, channel: str, product: str = "") -> str:
    return f"{route}/{channel}:{product}" if product else f"{route}/{channel}"


def parts(names: Names) -> tuple[str, str, list[str]]:
    """Return route, channel and products of names that share a channel."""
    route, _, rest = names[0].partition("/")
    products = [product for one in names if (product := one.partition(":")[2])]
    return route, rest.partition(":")[0], products


def acknowledged(
    route: str, present: Iterable[str], ts_event: Nanos | None, ts_recv: Nanos, memory: Memory
) -> Control:
    """Return what an answer with a connection's whole state is about: what is in it, and what has left it."""
    key = f"subscribed:{route}"
    now = sorted(present)
    gone = [one for one in memory.states.get(key, ()) if one not in set(now)]
    memory.states[key] = now
    return Control(VENUE, "", ts_event, ts_recv, "ack", names=(*now, *gone))

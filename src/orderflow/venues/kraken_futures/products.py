"""What Kraken Futures calls its products, under which symbols we keep them, and what a size is worth."""

import re
from functools import lru_cache
from math import nan

from orderflow.venues.spec import Contract, Memory, contract

VENUE = "kraken_futures"

# Multi- or single-collateral (F, I, V), perpetual (P) or fixed (F): PF_XBTUSD, FI_ETHUSD_210924.
_PRODUCT = re.compile(r"(?P<term>[PF])(?P<kind>[FIV])_(?P<base>.+?)(?P<quote>USD|XBT|EUR)(?:_\d{6})?")
_COMMON_NAMES = {"XBT": "BTC"}


def product(name: str) -> str:
    """Return a product's id as the venue writes it today: its lists were in lower case until 2022.

    >>> product("pi_xbtusd"), product("PF_AAPLxUSD")
    ('PI_XBTUSD', 'PF_AAPLxUSD')
    """
    return name.upper() if name.islower() else name


def coin(name: str) -> str:
    """Return a currency under its common name; ids say XBT for bitcoin, lists BTC since 2025."""
    return _COMMON_NAMES.get(name.upper(), name)


def parts(native: str) -> tuple[str, str]:
    """Return base and quote as a product's id has them, empty if it is not formed like one."""
    found = _PRODUCT.fullmatch(native)
    return (coin(found["base"]), coin(found["quote"])) if found else ("", "")


def unified(native: str, base: str, quote: str) -> str:
    """Return the symbol of a product: that of the coin for linear perpetuals in USD, else its own id.

    >>> unified("PF_XBTUSD", "BTC", "USD"), unified("PI_XBTUSD", "BTC", "USD")
    ('BTCUSDT', 'PI_XBTUSD')
    """
    linear = native.startswith("PF_") and base and quote == "USD"
    return f"{base}USDT".upper() if linear else native


@lru_cache(maxsize=4096)
def by_rule(native: str) -> Contract:
    """Return what the id alone tells of a product whose listing was not read.

    Linear sizes are base units, inverse ones contracts of 1 USD.
    """
    found = _PRODUCT.fullmatch(native)
    if found is None:
        return contract(native, nan)
    return contract(unified(native, *parts(native)), 1.0, inverse=found["kind"] == "I")


def known(name: str, memory: Memory) -> Contract:
    """Return the product as it was listed, or as its id tells."""
    return memory.contracts.get(name) or memory.contracts.get(product(name)) or by_rule(product(name))


def native(symbol: str) -> str:
    """Return the product of a symbol where no listing was read.

    >>> native("BTCUSDT"), native("ETHUSDT"), native("PI_XBTUSD")
    ('PF_XBTUSD', 'PF_ETHUSD', 'PI_XBTUSD')
    """
    base = symbol.removesuffix("USDT")
    if base == symbol or not base:
        return symbol
    return f"PF_{'XBT' if base == 'BTC' else base}USD"

"""What Kraken's spot market calls its coins and pairs, and under which symbols we keep them."""

import re
from functools import lru_cache

from orderflow.venues.spec import Memory

VENUE = "kraken_spot"

# Its oldest coins have an X before their names, its oldest currencies a Z; newer ones are called as they are.
_CRYPTO = ("XBT", "ETH", "LTC", "XRP", "XLM", "XMR", "ZEC", "ETC", "REP", "MLN", "XDG")
_FIAT = ("USD", "EUR", "GBP", "CAD", "JPY", "AUD")
_LEGACY = {f"X{one}": one for one in _CRYPTO} | {f"Z{one}": one for one in _FIAT}
_COMMON = {"XBT": "BTC", "XDG": "DOGE"}
_VENUES = {common: own for own, common in _COMMON.items()}
_QUOTES = ("USDT", "USDC", "PYUSD", "RLUSD", "DAI", *_FIAT, "CHF", "XBT", "BTC", "ETH")
# Both of a pair's names are of the old kind, or none is: XXBTZUSD, XTZUSD. One pair is neither.
_OLD = re.compile(f"(?P<base>{'|'.join(_LEGACY)}|USDT)(?P<quote>{'|'.join(_LEGACY)})")
_NEW = re.compile(f"(?P<base>.+?)(?P<quote>{'|'.join(_QUOTES)})")


def coin(name: str) -> str:
    """Return a coin under its common name.

    >>> coin("XXBT"), coin("XDG"), coin("ZUSD"), coin("ZETA")
    ('BTC', 'DOGE', 'USD', 'ZETA')
    """
    short = _LEGACY.get(name, name)
    return _COMMON.get(short, short)


def unified(base: str, quote: str) -> str:
    """Return the symbol of a pair.

    >>> unified("XXBT", "ZUSD"), unified("XBT", "USDT")
    ('BTCUSD', 'BTCUSDT')
    """
    return f"{coin(base)}{coin(quote)}".upper()


@lru_cache(maxsize=4096)
def by_rule(pair: str) -> str:
    """Return the symbol of a pair of which the name alone is known; the name itself if it tells nothing.

    >>> by_rule("XXBTZUSD"), by_rule("XBTUSDT"), by_rule("XETHXXBT"), by_rule("SOLUSD")
    ('BTCUSD', 'BTCUSDT', 'ETHBTC', 'SOLUSD')
    """
    name = pair.upper().replace("/", "")
    found = _OLD.fullmatch(name) or _NEW.fullmatch(name)
    return unified(found["base"], found["quote"]) if found else pair


def symbol_of(pair: str, memory: Memory) -> str:
    """Return the symbol of a pair as it was listed, or as its name tells."""
    known = memory.contracts.get(pair)
    return by_rule(pair) if known is None else known.symbol


def native(symbol: str) -> str:
    """Return the name under which a pair is asked where no listing was read.

    >>> native("BTCUSD"), native("DOGEUSDT"), native("SOLUSDT")
    ('XBTUSD', 'XDGUSDT', 'SOLUSDT')
    """
    base = next((one for one in _VENUES if symbol.startswith(one)), "")
    return f"{_VENUES[base]}{symbol.removeprefix(base)}" if base else symbol

"""What a name of Deribit's tells: the venue of ours, the symbol, what an amount counts, expiry and strike."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from math import nan
from typing import Literal, NamedTuple

from orderflow.market.events import SECOND, Nanos

FUTURES = "deribit_futures"
OPTIONS = "deribit_options"

Kind = Literal["perpetual", "future", "option", "spot", "combo"]

_OPTION = re.compile(r"([A-Z0-9]+(?:_[A-Z0-9]+)?)-(\d{1,2}[A-Z]{3}\d\d)-(\d+(?:d\d+)?)-([CP])")
_DAY = re.compile(r"(\d{1,2})([A-Z]{3})(\d\d)")
_FUTURE = re.compile(r"[A-Z0-9]+(?:_[A-Z0-9]+)?-\d{1,2}[A-Z]{3}\d\d")
_PERPETUAL = "-PERPETUAL"
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_EXPIRY_HOUR = 8  # UTC, for all that expires

# These two trade against a dollar that is no coin: their inverse contracts are the deep ones.
_INVERSE = ("BTC", "ETH")


class Named(NamedTuple):
    """An instrument as its name tells it. An `inverse` one's amounts are USD, all others' base coins."""

    venue: str
    symbol: str
    kind: Kind
    inverse: bool = False
    expiry_ts: Nanos = 0
    strike: float = nan
    right: Literal["call", "put"] = "call"

    def base(self, amount: float, price: float) -> float:
        """Return an amount of the wire in base units.

        >>> named("BTC-PERPETUAL").base(750.0, 50_000.0), named("SOL_USDC-PERPETUAL").base(2.5, 140.0)
        (0.015, 2.5)
        """
        if not self.inverse:
            return amount
        return amount / price if price else nan


@lru_cache(maxsize=1 << 15)
def named(native: str) -> Named:
    """Tell an instrument by its name.

    >>> named("SOL_USDC-PERPETUAL").symbol, named("BTC_USDC-PERPETUAL").symbol, named("BTC-26DEC25").symbol
    ('SOLUSDT', 'BTC_USDC-PERPETUAL', 'BTC-26DEC25')
    >>> named("XRP_USDC-9MAR24-0d62-C").strike
    0.62
    """
    prefix = native.partition("-")[0]
    if found := _OPTION.fullmatch(native):
        day, strike, right = found.groups()[1:]
        return Named(
            OPTIONS,
            prefix_symbol(prefix),
            "option",
            False,
            int(expires(day).timestamp()) * SECOND,
            float(strike.replace("d", ".")),
            "call" if right == "C" else "put",
        )
    if native.endswith(_PERPETUAL):
        return Named(FUTURES, _unified(prefix) or native, "perpetual", "_" not in prefix)
    if _FUTURE.fullmatch(native):
        return Named(FUTURES, native, "future", "_" not in prefix)
    return Named(FUTURES, native, "combo" if "-" in native else "spot")


def expires(day: str) -> datetime:
    """Return when a day of expiry ends its contracts.

    >>> str(expires("5JUN26"))
    '2026-06-05 08:00:00+00:00'
    """
    found = _DAY.fullmatch(day)
    if found is None or found[2] not in _MONTHS:
        raise ValueError(f"no day of expiry: {day!r}")
    return datetime(
        2000 + int(found[3]), _MONTHS.index(found[2]) + 1, int(found[1]), _EXPIRY_HOUR, tzinfo=UTC
    )


def prefix_symbol(prefix: str) -> str:
    """Return the symbol of what an option's name begins with.

    >>> prefix_symbol("BTC"), prefix_symbol("SOL_USDC"), prefix_symbol("BTC_USDC")
    ('BTCUSDT', 'SOLUSDT', 'BTC_USDC')
    """
    return _unified(prefix) or prefix


def _unified(prefix: str) -> str | None:
    """Return the symbol that all venues share, for the deepest contracts of a coin only.

    >>> _unified("ETH"), _unified("XRP_USDC"), _unified("ETH_USDC"), _unified("XRP_USDT")
    ('ETHUSDT', 'XRPUSDT', None, None)
    """
    base, _, quote = prefix.partition("_")
    if (base in _INVERSE and not quote) or (base not in _INVERSE and quote == "USDC"):
        return f"{base}USDT"
    return None


def of_index(name: str) -> str:
    """Return the symbol of what an index prices: that of the perpetual on it.

    >>> of_index("btc_usd"), of_index("sol_usdc"), of_index("btc_usdc")
    ('BTCUSDT', 'SOLUSDT', 'BTC_USDC-PERPETUAL')
    """
    prefix = name.upper().removesuffix("_USD")
    return _unified(prefix) or prefix + _PERPETUAL


def of_currency(currency: str) -> str:
    """Return the symbol of a currency's DVOL and indices.

    >>> of_currency("BTC")
    'BTCUSDT'
    """
    return _unified(currency.upper()) or currency.upper()


def _prefix(symbol: str) -> str:
    base = symbol.removesuffix("USDT")
    return base if base == symbol or base in _INVERSE else f"{base}_USDC"


def perpetual(symbol: str) -> str:
    """Return the name of a unified symbol's perpetual; any other symbol is a name itself.

    >>> perpetual("BTCUSDT"), perpetual("SOLUSDT"), perpetual("BTC_USDC-PERPETUAL")
    ('BTC-PERPETUAL', 'SOL_USDC-PERPETUAL', 'BTC_USDC-PERPETUAL')
    """
    prefix = _prefix(symbol)
    return prefix if prefix == symbol else prefix + _PERPETUAL


def underlying(symbol: str) -> str:
    """Return how the names of a symbol's options begin, for what is asked of all of them at once.

    >>> underlying("BTCUSDT"), underlying("SOLUSDT")
    ('BTC', 'SOL_USDC')
    """
    return _prefix(symbol)


def words(native: str) -> dict[str, str]:
    """Return what templates may say of an instrument.

    >>> words("BTC-25DEC26-76000-C")["index"], words("SOL_USDC-PERPETUAL")["currency"]
    ('btc_usd', 'USDC')
    """
    prefix = native.partition("-")[0]
    base, _, quote = prefix.partition("_")
    return {"symbol": native, "currency": quote or base, "index": f"{base}_{quote or 'usd'}".lower()}

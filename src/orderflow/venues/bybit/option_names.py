"""What a name of Bybit's options tells: the symbol, expiry, strike and kind."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

from orderflow.market.events import SECOND, Nanos

_NAME = re.compile(r"([A-Z0-9]+)-(\d{1,2})([A-Z]{3})(\d\d)-(\d+(?:\.\d+)?)-([CP])(?:-[A-Z]+)?")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
EXPIRY_HOUR = 8  # UTC


class Named(NamedTuple):
    """An option as its name tells it; `day` is the expiry as the venue writes it, `27MAR26`."""

    symbol: str
    day: str
    expiry_ts: Nanos
    strike: float
    kind: Literal["call", "put"]


def symbol_of(coin: str) -> str:
    """Return the symbol that all venues share for what an option is on.

    >>> symbol_of("BTC")
    'BTCUSDT'
    """
    return f"{coin.upper()}USDT"


@lru_cache(maxsize=1 << 14)
def named(native: str) -> Named | None:
    """Tell an option by its name; None where it is none.

    >>> named("XRP-27MAR26-2.5-P-USDT")[3:], named("BTC-3JAN23-16000-C")[:2], named("BTCUSDT")
    ((2.5, 'put'), ('BTCUSDT', '3JAN23'), None)
    """
    found = _NAME.fullmatch(native)
    if found is None or found[3] not in _MONTHS:
        return None
    coin, day, month, year, strike, right = found.groups()
    moment = datetime(2000 + int(year), _MONTHS.index(month) + 1, int(day), EXPIRY_HOUR, tzinfo=UTC)
    expiry_ts = int(moment.timestamp()) * SECOND
    kind: Literal["call", "put"] = "call" if right == "C" else "put"
    return Named(symbol_of(coin), f"{day}{month}{year}", expiry_ts, float(strike), kind)


def day_of(at: Nanos) -> str:
    """Return a day as the names of options write it.

    >>> day_of(1_774_598_400 * SECOND)
    '27MAR26'
    """
    moment = datetime.fromtimestamp(at // SECOND, UTC)
    return f"{moment.day}{_MONTHS[moment.month - 1]}{moment:%y}"


def date_of(at: Nanos) -> str:
    """Return a day as ISO 8601 writes it.

    >>> date_of(1_774_598_400 * SECOND)
    '2026-03-27'
    """
    return f"{datetime.fromtimestamp(at // SECOND, UTC):%Y-%m-%d}"

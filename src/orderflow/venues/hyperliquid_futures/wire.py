"""What Hyperliquid says of perpetuals on its socket as over REST, and what that means."""

from collections.abc import Sequence
from functools import lru_cache

from orderflow.market.events import (
    HOUR,
    BookUpdate,
    Candle,
    Event,
    Funding,
    IndexPrice,
    MarkPrice,
    Nanos,
    OpenInterest,
    Trade,
)
from orderflow.venues import hyperliquid

VENUE = "hyperliquid_futures"
FUNDING_HOURS = 1.0

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class Context(hyperliquid.Day, gc=False):
    """How a coin stands; prices are null where a coin is not traded any more."""

    funding: float | None = None
    openInterest: float | None = None
    oraclePx: float | None = None


# ── What it means ─────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=4096)
def unified(coin: str) -> str:
    """Return the symbol of a coin; what is no perpetual of the main exchange keeps its own name.

    >>> unified("BTC"), unified("kPEPE"), unified("xyz:TSLA"), unified("@162")
    ('BTCUSDT', '1000PEPEUSDT', 'xyz:TSLA', '@162')
    """
    if not coin.isalnum():
        return coin  # a builder's exchange (`dex:COIN`), a spot pair (`PURR/USDC`, `@162`)
    if coin[0] == "k" and coin[1:].isupper():
        return f"1000{coin[1:]}USDT"
    return f"{coin}USDT"


def native(symbol: str) -> str:
    """Return the coin of a symbol, by the rule of `unified`.

    >>> native("BTCUSDT"), native("1000PEPEUSDT"), native("xyz:TSLA")
    ('BTC', 'kPEPE', 'xyz:TSLA')
    """
    if not symbol.endswith("USDT"):
        return symbol
    coin = symbol.removesuffix("USDT")
    return f"k{coin.removeprefix('1000')}" if coin.startswith("1000") else coin


def trade(one: hyperliquid.Print, ts_recv: Nanos) -> Trade:
    return hyperliquid.trade(VENUE, unified(one.coin), one, ts_recv)


def book(said: hyperliquid.Book, ts_recv: Nanos) -> BookUpdate:
    return hyperliquid.book(VENUE, unified(said.coin), said, ts_recv)


def candle(bar: hyperliquid.Bar, ts_recv: Nanos, *, closed: bool) -> Candle:
    return hyperliquid.candle(VENUE, unified(bar.s), bar, ts_recv, closed=closed)


def context(coin: str, said: Context, ts_recv: Nanos) -> Sequence[Event]:
    """Return what a context tells; it carries no time. Funding is paid at every full hour."""
    who = (VENUE, unified(coin), None, ts_recv)
    found: list[Event] = []
    if said.markPx is not None:
        found.append(MarkPrice(*who, said.markPx, said.oraclePx))
    if said.oraclePx is not None:
        found.append(IndexPrice(*who, said.oraclePx))
    if said.funding is not None:
        found.append(Funding(*who, said.funding, interval_hours=FUNDING_HOURS, next_ts=_next_hour(ts_recv)))
    if said.openInterest is not None:
        found.append(OpenInterest(*who, said.openInterest))
    if said.prevDayPx is not None:
        found.append(hyperliquid.day(VENUE, unified(coin), said, ts_recv))
    return found


def _next_hour(ts_recv: Nanos) -> Nanos | None:
    return (ts_recv // HOUR + 1) * HOUR if ts_recv else None

"""What Hyperliquid says in the same words on its socket and over REST, and what that means."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from orderflow.market.events import (
    HOUR,
    MS,
    BookUpdate,
    Candle,
    Event,
    Funding,
    IndexPrice,
    MarkPrice,
    Nanos,
    OpenInterest,
    Ticker,
    Trade,
)

VENUE = "hyperliquid_futures"
FUNDING_HOURS = 1.0

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class Level(msgspec.Struct, gc=False):
    px: float
    sz: float


class Print(msgspec.Struct, gc=False):
    coin: str
    side: Literal["A", "B"]  # the side of the book that the taker came from: A sold, B bought
    px: float
    sz: float
    time: int
    tid: int


class Book(msgspec.Struct, gc=False):
    coin: str
    time: int
    levels: tuple[list[Level], list[Level]]
    fast: bool = False


class Context(msgspec.Struct, gc=False):
    """How a coin stands; prices are null where a coin is not traded any more."""

    funding: float | None = None
    openInterest: float | None = None
    prevDayPx: float | None = None
    dayNtlVlm: float | None = None
    dayBaseVlm: float | None = None
    oraclePx: float | None = None
    markPx: float | None = None


class Bar(msgspec.Struct, gc=False):
    t: int
    T: int
    s: str
    i: str
    o: float
    c: float
    h: float
    l: float  # noqa: E741
    v: float
    n: int


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


def trade(one: Print, ts_recv: Nanos) -> Trade:
    # A tid is a hash of 50 bits, no count: it is kept as text, and with the time it tells trades apart.
    return Trade(
        VENUE, unified(one.coin), one.time * MS, ts_recv, str(one.tid), one.side == "A", one.px, one.sz
    )


def book(said: Book, ts_recv: Nanos) -> BookUpdate:
    bids, asks = ([(one.px, one.sz) for one in side] for side in said.levels)
    return BookUpdate(VENUE, unified(said.coin), said.time * MS, ts_recv, True, bids, asks, replaces=True)


def candle(bar: Bar, ts_recv: Nanos, *, closed: bool) -> Candle:
    """Return a bar; an open one has no time of the venue's, a closed one that of its end."""
    return Candle(
        VENUE,
        unified(bar.s),
        bar.T * MS if closed else None,
        ts_recv,
        interval=bar.i,
        open_ts=bar.t * MS,
        close_ts=bar.T * MS,
        open=bar.o,
        high=bar.h,
        low=bar.l,
        close=bar.c,
        volume=bar.v,
        trade_count=bar.n,
        closed=closed,
    )


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
        found.append(_day(said, who))
    return found


def _next_hour(ts_recv: Nanos) -> Nanos | None:
    return (ts_recv // HOUR + 1) * HOUR if ts_recv else None


def _day(said: Context, who: tuple[str, str, None, Nanos]) -> Ticker:
    """Return the 24 hours; the venue tells no last trade, and reckons the change from the mark price."""
    change = None if said.markPx is None or said.prevDayPx is None else said.markPx - said.prevDayPx
    return Ticker(
        *who,
        None,
        open=said.prevDayPx,
        volume=said.dayBaseVlm,
        quote_volume=said.dayNtlVlm,
        change=change,
        change_pct=None if change is None or not said.prevDayPx else change / said.prevDayPx * 100,
    )

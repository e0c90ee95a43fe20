"""What Hyperliquid says in the same words of perpetuals and of spot, and what that means."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from orderflow.market.events import MS, BookUpdate, Candle, Event, Nanos, Quote, Ticker, Trade
from orderflow.market.facts import LastPrice, VenueStatus
from orderflow.venues.spec import Answer, Memory, Query

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


class Day(msgspec.Struct, gc=False):
    """The part of a coin's context that perpetuals and spot share; null where it is not traded any more."""

    prevDayPx: float | None = None
    dayNtlVlm: float | None = None
    dayBaseVlm: float | None = None
    markPx: float | None = None


class _Status(msgspec.Struct, gc=False):
    time: int | None = None
    specialStatuses: Any = None


BOOK = msgspec.json.Decoder(Book, strict=False)
PRINTS = msgspec.json.Decoder(list[Print], strict=False)
BARS = msgspec.json.Decoder(list[Bar], strict=False)
MIDS = msgspec.json.Decoder(dict[str, float], strict=False)
_STATUS = msgspec.json.Decoder(_Status, strict=False)

# ── What it means ─────────────────────────────────────────────────────────────────────────────

_MOST_DECIMALS = 18


def is_spot(coin: str) -> bool:
    """Tell whether a coin's name is that of a spot pair.

    >>> is_spot("@107"), is_spot("PURR/USDC"), is_spot("BTC")
    (True, True, False)
    """
    return coin.startswith("@") or "/" in coin


def lot(decimals: int) -> float | None:
    """Return the step of a size with so many decimals; None for what no token of a chain has.

    >>> lot(5), lot(40)
    (1e-05, None)
    """
    return float(f"1e-{decimals}") if 0 <= decimals <= _MOST_DECIMALS else None


def trade(venue: str, symbol: str, one: Print, ts_recv: Nanos) -> Trade:
    # A tid is a hash of 50 bits, no count: it is kept as text, and with the time it tells trades apart.
    return Trade(venue, symbol, one.time * MS, ts_recv, str(one.tid), one.side == "A", one.px, one.sz)


def book(venue: str, symbol: str, said: Book, ts_recv: Nanos) -> BookUpdate:
    bids, asks = ([(one.px, one.sz) for one in side] for side in said.levels)
    return BookUpdate(venue, symbol, said.time * MS, ts_recv, True, bids, asks, replaces=True)


def touch(venue: str, symbol: str, said: Book, ts_recv: Nanos) -> Quote:
    """Return the best level of each side of a book."""
    (bid, bids), (ask, asks) = ((side[0].px, side[0].sz) if side else (None, None) for side in said.levels)
    return Quote(venue, symbol, said.time * MS, ts_recv, bid, bids, ask, asks)


def candle(venue: str, symbol: str, bar: Bar, ts_recv: Nanos, *, closed: bool) -> Candle:
    """Return a bar; an open one has no time of the venue's, a closed one that of its end."""
    return Candle(
        venue,
        symbol,
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


def candles(bars: Sequence[Bar], symbol: Callable[[str], str], venue: str, ts_recv: Nanos) -> list[Candle]:
    """Return bars; one is closed once its end is past, or if another follows where no time is known."""
    return [
        candle(
            venue, symbol(bar.s), bar, ts_recv, closed=ts_recv > bar.T * MS if ts_recv else place < len(bars)
        )
        for place, bar in enumerate(bars, 1)
    ]


def day(venue: str, symbol: str, said: Day, ts_recv: Nanos) -> Ticker:
    """Return the 24 hours; the venue tells no last trade, and reckons the change from the mark price."""
    change = None if said.markPx is None or said.prevDayPx is None else said.markPx - said.prevDayPx
    return Ticker(
        venue,
        symbol,
        None,
        ts_recv,
        None,
        open=said.prevDayPx,
        volume=said.dayBaseVlm,
        quote_volume=said.dayNtlVlm,
        change=change,
        change_pct=None if change is None or not said.prevDayPx else change / said.prevDayPx * 100,
    )


def mid(venue: str, symbol: str, price: float, ts_recv: Nanos) -> LastPrice:
    return LastPrice(venue, symbol, None, ts_recv, price, "mid")


def status(venue: str) -> Answer:
    """Return the decoder of the venue's state; that nothing special means online is UNCONFIRMED."""

    def decode(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        said = _STATUS.decode(body)
        special = said.specialStatuses
        words = "" if not special else special if isinstance(special, str) else _text(special)
        at = None if said.time is None else said.time * MS
        return [VenueStatus(venue, "", at, ts_recv, "special" if special else "online", words)]

    return decode


def _text(said: Any) -> str:
    return msgspec.json.encode(said).decode()

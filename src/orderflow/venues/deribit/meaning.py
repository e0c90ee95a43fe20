"""What the objects mean that come over sockets and over REST alike: trades, tickers, books, bars."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import (
    MINUTE,
    MS,
    BookUpdate,
    Candle,
    Event,
    Funding,
    Ignored,
    IndexPrice,
    Level,
    Liquidation,
    MarkPrice,
    Nanos,
    OpenInterest,
    Option,
    Quote,
    Ticker,
    Trade,
)
from orderflow.venues.deribit.names import FUTURES, Named, named
from orderflow.venues.deribit.wire import TickerSaid, TradeSaid
from orderflow.venues.spec import left_out

FUNDING_HOURS = 8.0  # what its rates are said for; funding itself is exchanged every few seconds

NO_SERIES = "a combo has no series of its own"

Side: TypeAlias = Literal["long", "short"]

# ── Trades ────────────────────────────────────────────────────────────────────────────────────


def trades(said: Sequence[TradeSaid], ts_recv: Nanos) -> list[Event]:
    """Return what trades mean, in their order; a liquidation follows the trade that it is part of."""
    events: list[Event] = []
    alike: Counter[tuple[Any, ...]] = Counter()
    for one in said:
        place, ts_event = named(one.instrument_name), one.timestamp * MS
        # Options share one series, in which the numbers of single instruments mean nothing.
        sequence = one.trade_seq if place.venue is FUTURES else None
        size = place.base(one.amount, one.price)
        sold = one.direction == "sell"
        if reason := _off_book(one, place):
            events.append(Ignored(place.venue, place.symbol, ts_event, ts_recv, reason, sequence))
        else:
            events.append(
                Trade(
                    place.venue,
                    place.symbol,
                    ts_event,
                    ts_recv,
                    one.trade_id,
                    sold,
                    one.price,
                    size,
                    sequence=sequence,
                )
            )
        if one.liquidation and place.venue is FUTURES:
            for side in _closed(one.liquidation, sold):
                what = (place.symbol, ts_event, side, one.price, size)
                found = Liquidation(place.venue, place.symbol, ts_event, ts_recv, side, one.price, size)
                events.append(msgspec.structs.replace(found, ordinal=alike[what]) if alike[what] else found)
                alike[what] += 1
    return events


def _off_book(said: TradeSaid, place: Named) -> str:
    """Say why a trade was not made on its instrument's book, if it was not."""
    if said.block_trade_id is not None or said.block_rfq_id is not None:
        return "a block trade, not a trade on the book"
    if place.kind == "combo" or said.legs or said.combo_id is not None or said.combo_trade_id is not None:
        return "a combo, or a leg of one, not a trade on the book"
    return ""


def _closed(liquidation: str, sold: bool) -> list[Side]:
    """Return the positions that were closed: the taker's (T), the maker's (M) or both (MT)."""
    closed: Mapping[str, Side] = {"T": "long" if sold else "short", "M": "short" if sold else "long"}
    return [side for letter, side in closed.items() if letter in liquidation]


# ── Books ─────────────────────────────────────────────────────────────────────────────────────


def book_symbol(place: Named, native: str) -> str:
    """Return the symbol of a book or quote: each option has its own, though all share a chain."""
    return native if place.kind == "option" else place.symbol


def shallow(
    native: str, time: int, change_id: int, bids: list[Level], asks: list[Level], depth: int, ts_recv: Nanos
) -> BookUpdate:
    """Return a snapshot of the best levels, given as pairs."""
    place = named(native)
    own = [(price, place.base(amount, price)) for price, amount in bids]
    other = [(price, place.base(amount, price)) for price, amount in asks]
    symbol = book_symbol(place, native)
    return BookUpdate(place.venue, symbol, time * MS, ts_recv, True, own, other, change_id, depth=depth)


class Best(Protocol):
    """What a quote and a ticker have in common."""

    instrument_name: str
    timestamp: int
    best_bid_price: float | None
    best_bid_amount: float | None
    best_ask_price: float | None
    best_ask_amount: float | None


def quote(said: Best, ts_recv: Nanos) -> Quote:
    """Return the best bid and ask; a side without orders is sent as zeros."""
    place = named(said.instrument_name)
    bid, ask = said.best_bid_price or None, said.best_ask_price or None
    bid_size, ask_size = said.best_bid_amount or None, said.best_ask_amount or None
    if place.inverse:
        bid_size = bid_size / bid if bid and bid_size else None
        ask_size = ask_size / ask if ask and ask_size else None
    symbol = book_symbol(place, said.instrument_name)
    return Quote(place.venue, symbol, said.timestamp * MS, ts_recv, bid, bid_size, ask, ask_size)


# ── Tickers ───────────────────────────────────────────────────────────────────────────────────


def ticker(said: TickerSaid, ts_recv: Nanos) -> Sequence[Event]:
    """Return what a ticker means: an option's row, or all that is told of a future."""
    place = named(said.instrument_name)
    if place.kind == "option":
        return (_option(said, place, ts_recv),)
    if place.kind == "combo":
        return (left_out(FUTURES, place.symbol, ts_recv, NO_SERIES),)
    return _future(said, place, ts_recv)


def _option(said: TickerSaid, place: Named, ts_recv: Nanos) -> Option:
    # Zero says that there is no bid, no ask or no volatility; a greek may well be zero.
    greeks = said.greeks
    return Option(
        place.venue,
        place.symbol,
        said.timestamp * MS,
        ts_recv,
        said.instrument_name,
        place.expiry_ts,
        place.strike,
        place.right,
        said.best_bid_price or None,
        said.best_ask_price or None,
        fraction(said.bid_iv),
        fraction(said.ask_iv),
        said.mark_price,
        fraction(said.mark_iv),
        said.underlying_price,
        said.open_interest,
        said.stats.volume,
        greeks.delta,
        greeks.gamma,
        greeks.vega,
        greeks.theta,
        greeks.rho,
    )


def fraction(percent: float | None) -> float | None:
    """Return a percentage as a fraction, with no more digits than it had.

    >>> fraction(35.6), fraction(0.0)
    (0.356, None)
    """
    return round(percent / 100, 8) if percent else None


def _future(said: TickerSaid, place: Named, ts_recv: Nanos) -> list[Event]:
    symbol, ts_event, mark = place.symbol, said.timestamp * MS, said.mark_price
    events: list[Event] = []
    if mark is not None:
        events.append(MarkPrice(FUTURES, symbol, ts_event, ts_recv, mark, said.index_price))
    if said.index_price is not None:
        events.append(IndexPrice(FUTURES, symbol, ts_event, ts_recv, said.index_price))
    if said.funding_8h is not None:
        events.append(
            Funding(FUTURES, symbol, ts_event, ts_recv, said.funding_8h, said.current_funding, FUNDING_HOURS)
        )
    if said.open_interest is not None:
        size, usd = said.open_interest, None
        if place.inverse:
            usd, size = size, size / mark if mark else None
        events.append(OpenInterest(FUTURES, symbol, ts_event, ts_recv, size, usd))
    stats = said.stats
    events.append(
        Ticker(
            FUTURES,
            symbol,
            ts_event,
            ts_recv,
            last=said.last_price,
            high=stats.high,
            low=stats.low,
            volume=stats.volume,
            quote_volume=stats.volume_usd,
            change_pct=stats.price_change,
        )
    )
    return events


# ── Candles ───────────────────────────────────────────────────────────────────────────────────

_INTERVALS = {
    **{str(minutes): (f"{minutes}m", minutes) for minutes in (1, 3, 5, 10, 15, 30)},
    **{str(minutes): (f"{minutes // 60}h", minutes) for minutes in (60, 120, 180, 360, 720)},
    "1D": ("1d", 1440),
}

RESOLUTIONS = {word: resolution for resolution, (word, _) in _INTERVALS.items()}


def interval(resolution: str) -> tuple[str, Nanos]:
    """Return a resolution as other venues say it, and its length.

    >>> interval("60")[0], interval("1D")[0]
    ('1h', '1d')
    """
    if resolution not in _INTERVALS:
        raise VenueChanged(f"{FUTURES}: no candles of {resolution!r} are known")
    word, minutes = _INTERVALS[resolution]
    return word, minutes * MINUTE


def bar(native: str, resolution: str, row: Sequence[Any], ts_recv: Nanos, *, closed: bool) -> Candle:
    """Return a bar of (start in ms, open, high, low, close, volume, cost).

    A closed bar is timed by its last instant, an open one by nothing of the venue's: its end lies ahead.
    """
    word, length = interval(resolution)
    opened = row[0] * MS
    ends = opened + length - MS
    place = named(native)
    return Candle(
        place.venue,
        book_symbol(place, native),
        ends if closed else None,
        ts_recv,
        word,
        opened,
        ends,
        *row[1:6],
        quote_volume=row[6],
        closed=closed,
    )

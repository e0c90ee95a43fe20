"""What a ticker of Kraken Futures means, over the socket or REST: the touch, prices, funding, interest."""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import (
    Event,
    Funding,
    IndexPrice,
    MarkPrice,
    Nanos,
    OpenInterest,
    Quote,
    Ticker,
)
from orderflow.venues.kraken_futures.products import VENUE
from orderflow.venues.spec import Contract, left_out

# Funding has been hourly since 29 September 2022; what an older rate's interval was is not told.
_HOURLY_SINCE: Nanos = 1_664_409_600 * 1_000_000_000


class Told(msgspec.Struct, gc=False, kw_only=True):
    """The numbers that tickers carry, on whichever way they come."""

    bid: float | None = None
    ask: float | None = None
    bid_size: float | None = None
    ask_size: float | None = None
    last: float | None = None
    mark: float | None = None
    index: float | None = None
    open_interest: float | None = None
    volume: float | None = None
    volume_quote: float | None = None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    change: float | None = None
    vwap: float | None = None


def meaning(
    one: Contract, said: Told, funding: Funding | None, ts_event: Nanos | None, ts_recv: Nanos
) -> Sequence[Event]:
    """Return what a ticker tells; a price of zero is one that there is not.

    A product that does not trade yet says zeros everywhere: then nothing is told.
    """
    symbol, mark, index = one.symbol, said.mark or None, said.index or None
    events: list[Event] = []
    if said.bid or said.ask:
        bid, ask = said.bid or None, said.ask or None
        bid_size, ask_size = _size(one, said.bid_size, bid), _size(one, said.ask_size, ask)
        events.append(Quote(VENUE, symbol, ts_event, ts_recv, bid, bid_size, ask, ask_size))
    if mark is not None:
        events.append(MarkPrice(VENUE, symbol, ts_event, ts_recv, mark, index))
    if index is not None:
        events.append(IndexPrice(VENUE, symbol, ts_event, ts_recv, index))
    if funding is not None:
        events.append(funding)
    if said.open_interest is not None and (said.open_interest or mark is not None):
        events.append(_interest(one, said.open_interest, mark, ts_event, ts_recv))
    if said.last:
        events.append(_day(one, said, ts_event, ts_recv))
    return events or (left_out(VENUE, symbol, ts_recv, "a ticker without numbers: it does not trade yet"),)


def funding(
    symbol: str,
    rate: float | None,
    predicted: float | None,
    next_ts: Nanos | None,
    ts_event: Nanos | None,
    ts_recv: Nanos,
) -> Funding | None:
    """Return a rate, a fraction an hour; None where the venue tells none."""
    if rate is None or not (rate or next_ts):
        return None
    interval = hours(ts_event or ts_recv)
    return Funding(VENUE, symbol, ts_event, ts_recv, rate, predicted, interval, next_ts)


def hours(then: Nanos) -> float | None:
    """Return how many hours passed between fundings at a time; a time of 0 is not known, so now."""
    return 1.0 if not then or then >= _HOURLY_SINCE else None


def _size(one: Contract, size: float | None, price: float | None) -> float | None:
    return one.base(size, price) if size and price else None


def _interest(
    one: Contract, said: float, mark: float | None, ts_event: Nanos | None, ts_recv: Nanos
) -> OpenInterest:
    if not one.inverse:
        return OpenInterest(VENUE, one.symbol, ts_event, ts_recv, one.base(said, 1.0))
    usd = said * one.times / one.over
    size = None if mark is None else one.base(said, mark)
    return OpenInterest(VENUE, one.symbol, ts_event, ts_recv, size, usd, said)


def _day(one: Contract, said: Told, ts_event: Nanos | None, ts_recv: Nanos) -> Ticker:
    # An inverse product's volume is contracts of USD: at which prices they traded is not told.
    volume, value = said.volume, said.volume_quote
    if volume is not None and one.inverse:
        volume, value = None, volume * one.times / one.over
    elif volume is not None:
        volume = one.base(volume, 1.0)
    return Ticker(
        VENUE,
        one.symbol,
        ts_event,
        ts_recv,
        last=said.last,
        open=said.open or None,
        high=said.high or None,
        low=said.low or None,
        volume=volume,
        quote_volume=value,
        change_pct=said.change,
        vwap=said.vwap or None,
    )

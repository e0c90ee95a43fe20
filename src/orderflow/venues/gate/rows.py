"""What the rows mean that Gate writes alike on its sockets and over REST, and what a contract's name tells."""

import re
from collections import Counter
from functools import lru_cache
from math import nan
from typing import Any

from orderflow.market.errors import VenueChanged
from orderflow.market.events import (
    MS,
    SECOND,
    Candle,
    Event,
    Funding,
    IndexPrice,
    Level,
    Liquidation,
    MarkPrice,
    Nanos,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.venues.gate.wire import Bar, Day, Fill, Liquidated, Rung, Stats
from orderflow.venues.spec import Contract, Memory, contract, left_out

_IN_USDT = re.compile(r"([^_]+)_(USDT)(?:_(\d{8}))?")
_JOINED = re.compile(r"([^_]+?)(USDT)(\d{8})?")
_MILLIS_FROM = 1e11  # as seconds this would be the year 5138
_NO_TIME = 1e14  # as milliseconds this would be the same
_PARTS = {"s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND, "w": 604_800 * SECOND}


def at(time: float) -> Nanos:
    """Return a time in nanoseconds, whether it came in milliseconds or in seconds.

    >>> at(1541486601) == at(1541486601000) == 1541486601 * SECOND
    True
    """
    if not 0 <= time < _NO_TIME:
        raise VenueChanged(f"gate: {time} is not a time")
    return round(time) * MS if time >= _MILLIS_FROM else round(time * 1000) * MS


def symbol_of(native: str) -> str:
    """Return the unified symbol of a contract: a name in USDT is joined, others keep theirs.

    >>> symbol_of("BTC_USDT"), symbol_of("BTC_USD1"), symbol_of("BTC_USDT_20261225")
    ('BTCUSDT', 'BTC_USD1', 'BTCUSDT20261225')
    """
    found = _IN_USDT.fullmatch(native)
    return native if found is None else "".join(found.groups(""))


def native_of(symbol: str) -> str:
    """Return Gate's name of a symbol in USDT; others are native names already.

    >>> native_of("BTCUSDT"), native_of("BTCUSDT20261225"), native_of("BTC_USD1")
    ('BTC_USDT', 'BTC_USDT_20261225', 'BTC_USD1')
    """
    found = _JOINED.fullmatch(symbol)
    return symbol if found is None else "_".join(part for part in found.groups() if part)


def kind_of(native: str) -> str:
    """Return what a contract is by its name: one with a date is settled on that day."""
    return "future" if native.rpartition("_")[2].isdecimal() else "perpetual"


@lru_cache(maxsize=4096)
def _unlisted(native: str) -> Contract:
    return contract(symbol_of(native), nan, kind=kind_of(native))


def listed(native: str, memory: Memory) -> Contract:
    """Return what the listing says of a contract; sizes of one that was not read are unknown."""
    return memory.contracts.get(native) or _unlisted(native)


def scaled(levels: list[Level], one: Contract) -> list[Level]:
    """Return levels with sizes in base units; a size of 0 removes a level, whatever a contract holds."""
    if one.inverse:
        return [(price, one.base(size, price) if size else 0.0) for price, size in levels]
    times, over = one.times, one.over
    if times == over:
        return levels
    return [(price, size and size * times / over) for price, size in levels]


def rungs(levels: list[Rung], one: Contract) -> list[Level]:
    return scaled([(level.p, level.s) for level in levels], one)


def known(said: Any) -> Any:
    """Return JSON without what is an empty text: so a number that is not known is written."""
    if isinstance(said, dict):
        return {key: known(value) for key, value in said.items() if value != ""}
    return [known(value) for value in said] if isinstance(said, list) else said


def trade(venue: str, row: Fill, ts_recv: Nanos, memory: Memory) -> Event:
    one = listed(row.contract, memory)
    if row.is_internal:
        return left_out(
            venue, one.symbol, ts_recv, "a takeover of a position, not a trade on the book", row.id
        )
    ts_event = at(row.create_time_ms or row.create_time)
    size = one.base(abs(row.size), row.price)
    return Trade(venue, one.symbol, ts_event, ts_recv, row.id, row.size < 0, row.price, size)


def side(price: float | None, size: float | None, one: Contract) -> tuple[float | None, float | None]:
    """Return price and base size of one side of a quote; an empty side has neither."""
    if not price:
        return None, None
    return price, one.base(size, price) if size else None


def day(venue: str, row: Day, ts_event: Nanos | None, ts_recv: Nanos, memory: Memory) -> list[Event]:
    """Return all that a ticker says; `ts_event` is when it was sent, for rows without a time of their own."""
    one = listed(row.contract, memory)
    symbol, ts_event = one.symbol, at(row.t) if row.t else ts_event
    ticker = Ticker(
        *(venue, symbol, ts_event, ts_recv),
        last=row.last,
        high=row.high_24h,
        low=row.low_24h,
        volume=row.volume_24h_base,
        quote_volume=row.volume_24h_quote,
        change=row.change_price,
        change_pct=row.change_percentage,
    )
    found: list[Event] = [ticker]
    if row.mark_price is not None:
        found.append(MarkPrice(venue, symbol, ts_event, ts_recv, row.mark_price, row.index_price))
    if row.index_price is not None:
        found.append(IndexPrice(venue, symbol, ts_event, ts_recv, row.index_price))
    if row.funding_rate is not None and one.kind != "future":
        hours = row.funding_interval / 3600 if row.funding_interval else None
        next_ts = at(row.funding_next_apply) if row.funding_next_apply else None
        rate = Funding(venue, symbol, ts_event, ts_recv, row.funding_rate, None, hours, next_ts)
        found.append(rate)
    if row.total_size is not None:
        base = one.base(row.total_size, row.mark_price or row.last or 0.0)
        found.append(OpenInterest(venue, symbol, ts_event, ts_recv, base, None, row.total_size))
    if row.highest_bid or row.lowest_ask:
        bid, ask = side(row.highest_bid, row.highest_size, one), side(row.lowest_ask, row.lowest_size, one)
        found.append(Quote(venue, symbol, ts_event, ts_recv, *bid, *ask))
    return found


def open_interest(venue: str, row: Stats, one: Contract, ts_event: Nanos, ts_recv: Nanos) -> Event:
    if row.open_interest is None:
        return left_out(venue, one.symbol, ts_recv, "statistics without open interest")
    # An inverse contract is worth one dollar, and statistics give no price by which to divide.
    base = None if one.inverse else one.base(row.open_interest, 0.0)
    usd, contracts = row.open_interest_usd, row.open_interest
    return OpenInterest(venue, one.symbol, ts_event, ts_recv, base, usd, contracts)


def liquidations(venue: str, rows: list[Liquidated], ts_recv: Nanos, memory: Memory) -> list[Event]:
    """Return forced closes; a size is that of the position, so a positive one was long."""
    seen: Counter[tuple[object, ...]] = Counter()
    found: list[Event] = []
    for row in rows:
        one = listed(row.contract, memory)
        price = row.price if row.fill_price is None else row.fill_price
        if price is None:
            raise VenueChanged(f"{venue}: a liquidation in {row.contract!r} without a price")
        ts_event, size = at(row.time_ms or row.time), one.base(abs(row.size), price)
        same = (row.contract, ts_event, price, row.size)
        partial = None if row.left is None else row.left != 0
        found.append(
            Liquidation(
                *(venue, one.symbol, ts_event, ts_recv),
                "long" if row.size > 0 else "short",
                *(price, size),
                is_partial=partial,
                ordinal=seen[same],
            )
        )
        seen[same] += 1
    return found


def candle(
    venue: str,
    row: Bar,
    interval: str,
    native: str,
    now: Nanos,
    ts_recv: Nanos,
    memory: Memory,
    *,
    sent: bool = True,
) -> Event:
    """Return a bar; `now` is the time at which one that does not say whether it is closed is judged.

    A bar that was `sent` as news has that time; one of a list has its end, or none while it is open.
    """
    if native.startswith(("mark_", "index_")):
        return left_out(venue, "", ts_recv, "no stream for candles of the mark price or the index")
    if row.v is None:
        raise VenueChanged(f"{venue}: a candle of {native!r} without its volume")
    one = listed(native, memory)
    open_ts = row.t * SECOND
    close_ts = open_ts + span(interval) - MS
    closed = close_ts < now if row.w is None else row.w
    return Candle(
        *(venue, one.symbol, now if sent else close_ts if closed else None, ts_recv),
        *(interval, open_ts, close_ts, row.o, row.h, row.l, row.c, one.base(row.v, row.c)),
        quote_volume=row.sum if row.a is None else row.a,
        closed=closed,
    )


@lru_cache(maxsize=64)
def span(interval: str) -> Nanos:
    """Return how long a bar lasts.

    >>> span("5m") // SECOND, span("1d") // SECOND
    (300, 86400)
    """
    count, part = interval[:-1], interval[-1:]
    if part not in _PARTS or not count.isdecimal() or len(count) > 3:
        raise VenueChanged(f"gate: a candle of {interval!r}")
    return int(count) * _PARTS[part]

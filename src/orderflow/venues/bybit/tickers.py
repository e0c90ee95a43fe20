"""Bybit's tickers: one message for mark, index, funding, open interest and the day, on sockets and REST."""

from collections.abc import Set as AbstractSet

import msgspec

from orderflow.market.events import (
    MS,
    Event,
    Funding,
    IndexPrice,
    MarkPrice,
    Nanos,
    OpenInterest,
    Ticker,
)

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class Day(msgspec.Struct, gc=False):
    """What is kept of a ticker: None where a field is not there, "" where a contract has no such thing."""

    symbol: str
    lastPrice: str | None = None
    prevPrice24h: str | None = None
    highPrice24h: str | None = None
    lowPrice24h: str | None = None
    volume24h: str | None = None
    turnover24h: str | None = None
    price24hPcnt: str | None = None
    markPrice: str | None = None
    indexPrice: str | None = None
    fundingRate: str | None = None
    nextFundingTime: str | None = None
    fundingIntervalHour: str | None = None
    openInterest: str | None = None
    openInterestValue: str | None = None
    singleOpenInterest: str | None = None
    singleOpenInterestValue: str | None = None


_FIELDS = Day.__struct_fields__
_OF_DAY = frozenset(_FIELDS[1:8])
_FUNDING = frozenset({"fundingRate", "nextFundingTime", "fundingIntervalHour"})
_ONE_SIDE = {"openInterest": "singleOpenInterest", "openInterestValue": "singleOpenInterestValue"}
_INTEREST = frozenset({*_ONE_SIDE, *_ONE_SIDE.values()})


def said(day: Day) -> dict[str, str]:
    """Return the fields that are there, but for the symbol.

    >>> said(Day("BTCUSDT", lastPrice="65114.30", fundingRate=""))
    {'lastPrice': '65114.30', 'fundingRate': ''}
    """
    values = msgspec.structs.astuple(day)
    if values.count(None) == len(_FIELDS) - 1:  # most frames of a socket tell the best quote alone
        return {}
    found = {name: value for name, value in zip(_FIELDS, values, strict=False) if value is not None}
    del found["symbol"]
    return found


def merged(before: dict[str, str], news: dict[str, str]) -> dict[str, str]:
    """Return the state after news; a one-sided figure goes with the sum that it was told with.

    >>> merged({"openInterest": "10", "singleOpenInterest": "5", "lastPrice": "1"}, {"openInterest": "12"})
    {'openInterest': '12', 'lastPrice': '1'}
    """
    state = before | news
    for both, one in _ONE_SIDE.items():
        if both in news and one not in news:
            state.pop(one, None)
    return state


# ── What it means ─────────────────────────────────────────────────────────────────────────────


def events(
    venue: str,
    symbol: str,
    state: dict[str, str],
    news: AbstractSet[str],
    ts_event: Nanos | None,
    ts_recv: Nanos,
) -> list[Event]:
    """Return what a state means, for those streams of which there is news."""
    found: list[Event] = []
    mark, index = _number(state, "markPrice"), _number(state, "indexPrice")
    if "markPrice" in news and mark is not None:
        found.append(MarkPrice(venue, symbol, ts_event, ts_recv, mark, index))
    if "indexPrice" in news and index is not None:
        found.append(IndexPrice(venue, symbol, ts_event, ts_recv, index))
    if not _FUNDING.isdisjoint(news):
        found += _funding(venue, symbol, state, ts_event, ts_recv)
    if not _INTEREST.isdisjoint(news):
        found += _open_interest(venue, symbol, state, ts_event, ts_recv)
    if not _OF_DAY.isdisjoint(news):
        found.append(_day(venue, symbol, state, ts_event, ts_recv))
    return found


def _number(state: dict[str, str], name: str) -> float | None:
    text = state.get(name)
    return float(text) if text else None


def _funding(
    venue: str, symbol: str, state: dict[str, str], ts_event: Nanos | None, ts_recv: Nanos
) -> list[Event]:
    rate, next_ms = _number(state, "fundingRate"), int(state.get("nextFundingTime") or 0)
    if rate is None or ("nextFundingTime" in state and not next_ms):  # a dated contract pays none
        return []
    hours = _number(state, "fundingIntervalHour")
    next_ts = next_ms * MS if next_ms else None
    return [Funding(venue, symbol, ts_event, ts_recv, rate, interval_hours=hours, next_ts=next_ts)]


def one_side(one: float | None, both: float | None) -> float | None:
    """Return the open interest of one side, as other venues count it.

    `openInterest` is the sum of both. Where its half is told too (since June 2026) that is taken.

    >>> one_side(28202.477, 56404.953), one_side(None, 56404.953), one_side(None, None)
    (28202.477, 28202.4765, None)
    """
    if one is not None:
        return one
    return None if both is None else both / 2


def _open_interest(
    venue: str, symbol: str, state: dict[str, str], ts_event: Nanos | None, ts_recv: Nanos
) -> list[Event]:
    size, usd = (one_side(_number(state, one), _number(state, both)) for both, one in _ONE_SIDE.items())
    if size is None and usd is None:
        return []
    return [OpenInterest(venue, symbol, ts_event, ts_recv, size, usd)]


def _day(venue: str, symbol: str, state: dict[str, str], ts_event: Nanos | None, ts_recv: Nanos) -> Ticker:
    last, before = _number(state, "lastPrice"), _number(state, "prevPrice24h")
    fraction = _number(state, "price24hPcnt")
    return Ticker(
        venue,
        symbol,
        ts_event,
        ts_recv,
        last=last,
        open=before,
        high=_number(state, "highPrice24h"),
        low=_number(state, "lowPrice24h"),
        volume=_number(state, "volume24h"),
        quote_volume=_number(state, "turnover24h"),
        # Differences of decimals: what lies beyond their digits is the floats'.
        change=None if last is None or before is None else round(last - before, 10),
        change_pct=None if fraction is None else round(fraction * 100, 10),
    )

"""What Binance futures answers over REST, and the rows of its archives."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from orderflow.market.events import (
    DAY,
    HOUR,
    MINUTE,
    MS,
    SECOND,
    BookUpdate,
    Event,
    Funding,
    FundingInterval,
    IndexPrice,
    MarkPrice,
    Nanos,
    OpenInterest,
    Quote,
)
from orderflow.venues import binance
from orderflow.venues.binance_futures.socket import VENUE
from orderflow.venues.spec import (
    EVERY_FIVE_MINUTES,
    SETTLED,
    Archive,
    Endpoint,
    History,
    Memory,
    Query,
    leaves_out,
    left_out,
)

# ── What REST answers ─────────────────────────────────────────────────────────────────────────


class _Premium(msgspec.Struct, gc=False):
    symbol: str
    markPrice: float
    lastFundingRate: str
    nextFundingTime: int
    indexPrice: float | None = None
    time: int | None = None


class _OpenInterest(msgspec.Struct, gc=False):
    symbol: str
    openInterest: float
    time: int | None = None


class _OpenInterestThen(msgspec.Struct, gc=False):
    symbol: str
    sumOpenInterest: float
    sumOpenInterestValue: float
    timestamp: int


class _Paid(msgspec.Struct, gc=False):
    symbol: str
    fundingRate: float
    fundingTime: int


class _Interval(msgspec.Struct, gc=False):
    symbol: str
    fundingIntervalHours: float


class _Best(msgspec.Struct, gc=False):
    symbol: str
    bidPrice: float
    bidQty: float
    askPrice: float
    askQty: float
    time: int


_PREMIUM = msgspec.json.Decoder(_Premium | list[_Premium], strict=False)
_OPEN_INTEREST = msgspec.json.Decoder(_OpenInterest, strict=False)
_OPEN_INTEREST_THEN = msgspec.json.Decoder(list[_OpenInterestThen], strict=False)
_PAID = msgspec.json.Decoder(list[_Paid], strict=False)
_INTERVALS = msgspec.json.Decoder(list[_Interval], strict=False)
_BESTS = msgspec.json.Decoder(_Best | list[_Best], strict=False)


def _depth(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = binance.DEPTH.decode(body)
    if "symbol" not in query:
        return (left_out(VENUE, "", ts_recv, "a book whose request is not recorded has no symbol"),)
    ts_event = None if said.T is None else said.T * MS
    symbol = query["symbol"]
    return (BookUpdate(VENUE, symbol, ts_event, ts_recv, True, said.bids, said.asks, said.lastUpdateId),)


def _premium_index(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _PREMIUM.decode(body)
    events: list[Event] = []
    for one in said if isinstance(said, list) else [said]:
        ts_event = None if one.time is None else one.time * MS
        events.append(MarkPrice(VENUE, one.symbol, ts_event, ts_recv, one.markPrice, one.indexPrice or None))
        if one.indexPrice:
            events.append(IndexPrice(VENUE, one.symbol, ts_event, ts_recv, one.indexPrice))
        if one.nextFundingTime and one.lastFundingRate:
            rate, next_ts = float(one.lastFundingRate), one.nextFundingTime * MS
            events.append(Funding(VENUE, one.symbol, ts_event, ts_recv, rate, next_ts=next_ts))
    return events


def _open_interest(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _OPEN_INTEREST.decode(body)
    ts_event = None if said.time is None else said.time * MS
    return (OpenInterest(VENUE, said.symbol, ts_event, ts_recv, said.openInterest),)


def _open_interest_history(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [
        OpenInterest(
            VENUE, one.symbol, one.timestamp * MS, ts_recv, one.sumOpenInterest, one.sumOpenInterestValue
        )
        for one in _OPEN_INTEREST_THEN.decode(body)
    ]


def _funding_history(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [
        Funding(VENUE, one.symbol, (ts := _settled(one.fundingTime)), ts_recv, one.fundingRate, next_ts=ts)
        for one in _PAID.decode(body)
    ]


def _settled(ms: int) -> Nanos:
    """Return when a rate was settled: on the hour, from which REST and archives stray by milliseconds.

    >>> _settled(1_790_006_400_003) == _settled(1_790_006_400_000) == 1_790_006_400_000_000_000
    True
    """
    hour = round(ms * MS / HOUR) * HOUR
    return hour if abs(hour - ms * MS) < SECOND else ms * MS


def _archived_funding(row: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode a row of a fundingRate archive: time, hours, rate."""
    ms, hours, rate = row.decode().strip().split(",")[:3]
    ts = _settled(int(ms))
    return [Funding(VENUE, _symbol(query), ts, ts_recv, float(rate), None, float(hours), ts)]


def _archived_metrics(row: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode a row of a metrics archive: time as text, symbol, open interest, its value, then ratios.

    The time is the file's own: since 2026-06-25 it names the beginning of five minutes, before it the end.
    """
    at, symbol, size, value = row.decode().strip().split(",")[:4]
    ts = round(datetime.fromisoformat(at.strip()).replace(tzinfo=UTC).timestamp()) * SECOND
    return [OpenInterest(VENUE, symbol, ts, ts_recv, _figure(size), _figure(value))]


def _figure(cell: str) -> float | None:
    return float(cell) if cell.strip() else None


def _funding_info(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [
        FundingInterval(VENUE, one.symbol, None, ts_recv, one.fundingIntervalHours)
        for one in _INTERVALS.decode(body)
    ]


def _best(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _BESTS.decode(body)
    return [
        Quote(
            VENUE,
            one.symbol,
            one.time * MS,
            ts_recv,
            one.bidPrice or None,
            one.bidQty or None,
            one.askPrice or None,
            one.askQty or None,
        )
        for one in (said if isinstance(said, list) else [said])
    ]


def _symbol(query: Query) -> str:
    return query.get("symbol", "")


def _server_time(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return binance.server_time(VENUE, body, ts_recv)


ENDPOINTS = (
    Endpoint("ping", "/fapi/v1/ping", leaves_out(VENUE, "a ping says nothing")),
    Endpoint("time", "/fapi/v1/time", _server_time),
    Endpoint(
        "instruments",
        "/fapi/v1/exchangeInfo",
        lambda body, query, ts, memory: binance.instruments(VENUE, body, ts),
        cache_s=3600,
    ),
    Endpoint("depth", "/fapi/v1/depth", _depth, {"limit": "1000"}, ("symbol",), weight=20),
    Endpoint(
        "trades",
        "/fapi/v1/trades",
        lambda body, query, ts, memory: binance.fills(VENUE, body, _symbol(query), ts),
        needs=("symbol",),
        weight=5,
    ),
    Endpoint(
        "agg_trades",
        "/fapi/v1/aggTrades",
        lambda body, query, ts, memory: binance.agg_trades(VENUE, body, _symbol(query), ts),
        {"limit": "1000"},
        ("symbol",),
        weight=20,
    ),
    Endpoint(
        "candles",
        "/fapi/v1/klines",
        lambda body, query, ts, memory: binance.klines(
            VENUE, body, _symbol(query), query.get("interval", ""), ts
        ),
        {"interval": "1m", "limit": "1000"},
        ("symbol",),
        weight=5,
    ),
    Endpoint("premium_index", "/fapi/v1/premiumIndex", _premium_index, weight_of_all=10),
    Endpoint(
        "funding_history",
        "/fapi/v1/fundingRate",
        _funding_history,
        {"limit": "1000"},
        ("symbol",),
        bucket="funding",
    ),
    Endpoint("funding_intervals", "/fapi/v1/fundingInfo", _funding_info, bucket="funding", cache_s=3600),
    Endpoint("open_interest", "/fapi/v1/openInterest", _open_interest, needs=("symbol",)),
    Endpoint(
        "open_interest_history",
        "/futures/data/openInterestHist",
        _open_interest_history,
        {"period": "5m", "limit": "500"},
        ("symbol",),
        bucket="data",
    ),
    Endpoint(
        "ticker",
        "/fapi/v1/ticker/24hr",
        lambda body, query, ts, memory: binance.days(VENUE, body, ts),
        weight_of_all=40,
    ),
    Endpoint("best", "/fapi/v1/ticker/bookTicker", _best, weight=2, weight_of_all=5),
    Endpoint(
        "price_v1",
        "/fapi/v1/ticker/price",
        leaves_out(VENUE, "another version says it too"),
        needs=("symbol",),
    ),
    *(
        Endpoint(path.rsplit("/", 1)[-1], path, leaves_out(VENUE, reason), needs=("symbol",))
        for path, reason in (
            ("/fapi/v1/rpiDepth", "a book with retail orders; the plain book is kept"),
            ("/fapi/v1/historicalTrades", "needs a key"),
            ("/fapi/v1/continuousKlines", "the same bars as klines"),
            ("/fapi/v1/indexPriceKlines", "no stream for candles of the index"),
            ("/fapi/v1/markPriceKlines", "no stream for candles of the mark price"),
            ("/fapi/v1/premiumIndexKlines", "no stream for candles of the premium"),
            ("/fapi/v1/constituents", "no stream for an index's parts"),
            ("/fapi/v1/symbolAdlRisk", "no stream for the risk of deleveraging"),
            ("/fapi/v1/tradingSchedule", "no stream for trading sessions"),
        )
    ),
)

TABLES = (
    Endpoint(
        "aggTrades",
        "aggTrades",
        lambda row, query, ts, memory: binance.archived_agg_trade(VENUE, row, _symbol(query), ts),
    ),
    Endpoint(
        "trades",
        "trades",
        lambda row, query, ts, memory: binance.archived_trade(VENUE, row, _symbol(query), ts),
    ),
    Endpoint(
        "klines",
        "klines",
        lambda row, query, ts, memory: binance.archived_candle(
            VENUE, row, _symbol(query), query.get("interval", ""), ts
        ),
    ),
    Endpoint("fundingRate", "fundingRate", _archived_funding),
    Endpoint("metrics", "metrics", _archived_metrics),
)

# ── What is kept of the past ──────────────────────────────────────────────────────────────────

_ROOT = "data/futures/um"

PAST = (
    binance.past_trades(keeps=48 * HOUR),
    binance.past_candles(),
    History(
        stream="funding_rates",
        endpoint="funding_history",
        start="startTime",
        end="endTime",
        lacks=SETTLED,
    ),
    History(
        stream="open_interest",
        endpoint="open_interest_history",
        start="startTime",
        end="endTime",
        most_rows=500,
        span=500 * 5 * MINUTE,
        keeps=30 * DAY,
        lacks=EVERY_FIVE_MINUTES,
    ),
)
ARCHIVES = (
    *binance.archives(_ROOT),
    Archive(
        stream="funding_rates",
        layout="fundingRate",
        monthly=_ROOT + "/monthly/fundingRate/{symbol}/{symbol}-fundingRate-{date}.zip",
        lacks=SETTLED,
    ),
    Archive(
        stream="open_interest",
        layout="metrics",
        daily=_ROOT + "/daily/metrics/{symbol}/{symbol}-metrics-{date}.zip",
        lacks=EVERY_FIVE_MINUTES,
    ),
)

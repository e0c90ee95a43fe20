"""What Kraken Futures answers over REST: tickers, books, trades, funding, candles; its endpoints stand last."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from orderflow.market.events import (
    MINUTE,
    BookUpdate,
    Event,
    Funding,
    Level,
    Liquidation,
    Nanos,
)
from orderflow.market.facts import LastPrice
from orderflow.venues.kraken_futures import listing, ticker
from orderflow.venues.kraken_futures.analytics import analytics
from orderflow.venues.kraken_futures.candles import candles
from orderflow.venues.kraken_futures.products import VENUE, known
from orderflow.venues.kraken_futures.refusals import unless_refused
from orderflow.venues.kraken_futures.socket import execution
from orderflow.venues.kraken_futures.unified import When, nanos
from orderflow.venues.spec import (
    HOURLY,
    Contract,
    Endpoint,
    History,
    Memory,
    Query,
    leaves_out,
    left_out,
)

# ── What REST answers ─────────────────────────────────────────────────────────────────────────


class _Ticker(msgspec.Struct, gc=False):
    symbol: str
    bid: float | None = None
    ask: float | None = None
    bidSize: float | None = None
    askSize: float | None = None
    last: float | None = None
    lastTime: When | None = None
    markPrice: float | None = None
    indexPrice: float | None = None
    openInterest: float | None = None
    vol24h: float | None = None
    volumeQuote: float | None = None
    open24h: float | None = None
    high24h: float | None = None
    low24h: float | None = None
    change24h: float | None = None
    vwap24h: float | None = None
    fundingRate: float | None = None
    fundingRatePrediction: float | None = None


class _Tickers(msgspec.Struct):
    tickers: list[_Ticker]
    serverTime: When | None = None


class _OneTicker(msgspec.Struct):
    ticker: _Ticker
    serverTime: When | None = None


class _Sides(msgspec.Struct, gc=False):
    bids: list[Level]
    asks: list[Level]


class _Book(msgspec.Struct):
    orderBook: _Sides
    serverTime: When | None = None


class _Fill(msgspec.Struct, gc=False):
    time: When
    price: float
    size: float
    side: Literal["buy", "sell"]
    type: str = "fill"
    uid: str = ""


class _History(msgspec.Struct):
    history: list[_Fill]


class _Rate(msgspec.Struct, gc=False):
    timestamp: When
    relativeFundingRate: float | None = None


class _Rates(msgspec.Struct):
    rates: list[_Rate]


_TICKERS = msgspec.json.Decoder(_Tickers, strict=False)
_ONE_TICKER = msgspec.json.Decoder(_OneTicker, strict=False)
_BOOK = msgspec.json.Decoder(_Book, strict=False)
_HISTORY = msgspec.json.Decoder(_History, strict=False)
_RATES = msgspec.json.Decoder(_Rates, strict=False)


def _when(time: When | None) -> Nanos | None:
    return None if time is None else nanos(time)


# ── Tickers, books, trades ────────────────────────────────────────────────────────────────────


@unless_refused
def _tickers(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _TICKERS.decode(body)
    ts_event = _when(said.serverTime)
    # Rows of indices (in_xbtusd, rr_xbtusd) have no mark price: products carry theirs.
    rows = [one for one in said.tickers if one.markPrice is not None]
    found = [event for one in rows for event in _ticker(one, ts_event, ts_recv, memory)]
    return found or (left_out(VENUE, "", ts_recv, "a list without products"),)


@unless_refused
def _one_ticker(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _ONE_TICKER.decode(body)
    return _ticker(said.ticker, _when(said.serverTime), ts_recv, memory)


def _ticker(said: _Ticker, ts_event: Nanos | None, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    one = known(said.symbol, memory)
    rate = _relative(one, said.fundingRate, said.indexPrice)
    predicted = _relative(one, said.fundingRatePrediction, said.indexPrice)
    funding = ticker.funding(one.symbol, rate, predicted, None, ts_event, ts_recv)
    told = ticker.Told(
        bid=said.bid,
        ask=said.ask,
        bid_size=said.bidSize,
        ask_size=said.askSize,
        last=said.last,
        mark=said.markPrice,
        index=said.indexPrice,
        open_interest=said.openInterest,
        volume=said.vol24h,
        volume_quote=said.volumeQuote,
        open=said.open24h,
        high=said.high24h,
        low=said.low24h,
        change=said.change24h,
        vwap=said.vwap24h,
    )
    found = ticker.meaning(one, told, funding, ts_event, ts_recv)
    if not said.last or said.lastTime is None:
        return found
    return (*found, LastPrice(VENUE, one.symbol, nanos(said.lastTime), ts_recv, said.last))


def _relative(one: Contract, absolute: float | None, index: float | None) -> float | None:
    """Return a rate as a fraction: REST tells it in USD a base unit, or base units a contract of USD."""
    if absolute is None or not index:
        return None
    return absolute * index if one.inverse else absolute / index


@unless_refused
def _orderbook(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _BOOK.decode(body)
    if "symbol" not in query:
        return (left_out(VENUE, "", ts_recv, "a book whose request is not recorded has no symbol"),)
    one = known(query["symbol"], memory)
    bids = [(price, one.base(size, price)) for price, size in said.orderBook.bids if size > 0]
    asks = [(price, one.base(size, price)) for price, size in said.orderBook.asks if size > 0]
    # Without a number no diff can follow it: `depth` keeps it apart from the book that diffs change.
    depth = max(len(bids), len(asks))
    return (BookUpdate(VENUE, one.symbol, _when(said.serverTime), ts_recv, True, bids, asks, depth=depth),)


@unless_refused
def _history(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    rows = _HISTORY.decode(body).history
    if "symbol" not in query:
        return (left_out(VENUE, "", ts_recv, "trades whose request is not recorded have no symbol"),)
    one = known(query["symbol"], memory)
    return [event for row in reversed(rows) for event in _fill(row, one, ts_recv)]


def _fill(row: _Fill, one: Contract, ts_recv: Nanos) -> Sequence[Event]:
    """Return what a row means. Rows of 2019 have no id: nothing tells such a trade from its copy."""
    found = execution(one, nanos(row.time), ts_recv, row.uid, row.side, row.type, row.price, row.size)
    if row.uid:
        return found
    closed = [
        msgspec.structs.replace(event, order_id=None) for event in found if isinstance(event, Liquidation)
    ]
    return (*closed, left_out(VENUE, one.symbol, ts_recv, "a trade without an id"))


# ── Funding ───────────────────────────────────────────────────────────────────────


@unless_refused
def _funding_history(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    symbol = known(query.get("symbol", ""), memory).symbol
    said = [(nanos(row.timestamp), row.relativeFundingRate) for row in _RATES.decode(body).rates]
    # A rate of 0 is one, in a list of those that applied.
    return [
        Funding(VENUE, symbol, then, ts_recv, rate, interval_hours=ticker.hours(then))
        for then, rate in said
        if rate is not None
    ]


# ── Endpoints ─────────────────────────────────────────────────────────────────────────────────

_V3 = "/derivatives/api/v3"
_PAST = "/api/history/v3/market/{symbol}"

ENDPOINTS = (
    Endpoint("instruments", f"{_V3}/instruments", listing.instruments, cache_s=3600, of_symbol={}),
    Endpoint("time", f"{_V3}/instruments/status", listing.states),
    Endpoint(
        "status",
        f"{_V3}/instruments/{{symbol}}/status",
        leaves_out(VENUE, "no stream for the state of a market"),
        needs=("symbol",),
    ),
    Endpoint("tickers", f"{_V3}/tickers", _tickers),
    Endpoint("ticker", f"{_V3}/tickers/{{symbol}}", _one_ticker, needs=("symbol",)),
    Endpoint("depth", f"{_V3}/orderbook", _orderbook, needs=("symbol",)),
    Endpoint("trades", f"{_V3}/history", _history, needs=("symbol",)),
    Endpoint("funding_history", f"{_V3}/historical-funding-rates", _funding_history, needs=("symbol",)),
    Endpoint(
        "funding_history_v4",
        "/derivatives/api/v4/historicalfundingrates",
        _funding_history,
        needs=("symbol",),
    ),
    Endpoint(
        "analytics",
        "/api/charts/v1/analytics/{symbol}/{analytics_type}",
        analytics,
        {"interval": "3600"},
        ("symbol", "analytics_type", "since"),
    ),
    Endpoint(
        "candles",
        "/api/charts/v1/{tick_type}/{symbol}/{resolution}",
        candles,
        {"tick_type": "trade", "resolution": "1m", "count": "10"},
        ("symbol",),
    ),
    Endpoint(
        "executions",
        f"{_PAST}/executions",
        leaves_out(VENUE, "its ids may not be those of the trades; the history of trades is kept"),
        needs=("symbol",),
        bucket="history",
    ),
    Endpoint(
        "mark_history",
        f"{_PAST}/price",
        leaves_out(VENUE, "past mark prices; the ticker tells them as they come"),
        needs=("symbol",),
        bucket="history",
    ),
)

# ── What is kept of the past ──────────────────────────────────────────────────────────────────

_MOST_BARS = 2000

PAST = (
    History(stream="trades", endpoint="trades", end="lastTime", unit="iso", newest_first=True, most_rows=100),
    History(
        stream="candles",
        endpoint="candles",
        start="from",
        end="to",
        unit="s",  # and yet the answer's times are milliseconds
        params={"count": str(_MOST_BARS)},
        most_rows=_MOST_BARS,
        span=(_MOST_BARS - 1) * MINUTE,
        step=MINUTE,
    ),
    History(stream="funding_rates", endpoint="funding_history", lacks=HOURLY),  # all of it in one answer
)

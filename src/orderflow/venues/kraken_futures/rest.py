"""What Kraken Futures answers over REST, and what Kraken's spot market does, which is left out."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from orderflow.market.events import (
    MINUTE,
    MS,
    BookUpdate,
    Candle,
    Control,
    Event,
    Funding,
    Instrument,
    Level,
    Liquidation,
    Nanos,
)
from orderflow.venues.kraken_futures import ticker
from orderflow.venues.kraken_futures.products import VENUE, coin, known, parts, product, unified
from orderflow.venues.kraken_futures.socket import execution
from orderflow.venues.kraken_futures.unified import When, nanos
from orderflow.venues.spec import (
    HOURLY,
    Answer,
    Contract,
    Endpoint,
    History,
    Memory,
    Query,
    leaves_out,
    left_out,
)

# ── What REST answers ─────────────────────────────────────────────────────────────────────────


class _Problem(msgspec.Struct):
    code: str | int = ""
    message: str = ""


class _Complaint(msgspec.Struct):
    """An error, as the derivatives, the charts and the spot API say it; often under status 200."""

    error: str | list[str] = ""
    errors: list[_Problem | str] = []


class _Listed(msgspec.Struct, gc=False):
    symbol: str
    type: str
    tradeable: bool
    tickSize: float | None = None
    contractSize: float | None = None
    contractValueTradePrecision: int | None = None
    base: str = ""
    quote: str = ""
    openingDate: When | None = None
    lastTradingTime: When | None = None
    postOnly: bool = False


class _Listing(msgspec.Struct):
    instruments: list[_Listed]
    serverTime: When | None = None


class _Ticker(msgspec.Struct, gc=False):
    symbol: str
    bid: float | None = None
    ask: float | None = None
    bidSize: float | None = None
    askSize: float | None = None
    last: float | None = None
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


class _Bar(msgspec.Struct, gc=False):
    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class _Bars(msgspec.Struct):
    candles: list[_Bar]


class _Status(msgspec.Struct):
    serverTime: When


_COMPLAINT = msgspec.json.Decoder(_Complaint)
_LISTING = msgspec.json.Decoder(_Listing, strict=False)
_TICKERS = msgspec.json.Decoder(_Tickers, strict=False)
_ONE_TICKER = msgspec.json.Decoder(_OneTicker, strict=False)
_BOOK = msgspec.json.Decoder(_Book, strict=False)
_HISTORY = msgspec.json.Decoder(_History, strict=False)
_RATES = msgspec.json.Decoder(_Rates, strict=False)
_BARS = msgspec.json.Decoder(_Bars, strict=False)
_STATUS = msgspec.json.Decoder(_Status)


def complaint(body: bytes) -> tuple[str, str] | None:
    """Return the code and the text of the error that a body is, if it is one."""
    try:
        said = _COMPLAINT.decode(body)
    except msgspec.MsgspecError:
        return None
    found = [said.error] if isinstance(said.error, str) else said.error
    problems = [_Problem(one) if isinstance(one, str) else one for one in said.errors]
    pairs = [(one, one) for one in found if one] + [(str(one.code), one.message) for one in problems]
    return pairs[0] if pairs else None


def _unless_refused(decode: Answer) -> Answer:
    """Return a decoder that leaves out the errors which the venue sends in place of an answer."""

    def checked(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        try:
            return decode(body, query, ts_recv, memory)
        except msgspec.ValidationError:
            said = complaint(body)
            if said is None:
                raise
            return (left_out(VENUE, query.get("symbol", ""), ts_recv, f"an error answer: {said[0]}"),)

    return checked


def _when(time: When | None) -> Nanos | None:
    return None if time is None else nanos(time)


# ── Listing ───────────────────────────────────────────────────────────────────────────────────

_INVERSE = "futures_inverse"
_INDEX = "spot index"


@_unless_refused
def _instruments(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _LISTING.decode(body)
    ts_event = _when(said.serverTime)
    found = [_instrument(one, ts_event, ts_recv) for one in said.instruments if one.type != _INDEX]
    return found or (left_out(VENUE, "", ts_recv, "a list without products"),)


def _instrument(one: _Listed, ts_event: Nanos | None, ts_recv: Nanos) -> Instrument:
    name = product(one.symbol)
    base, quote = parts(name)
    base, quote = coin(one.base) or base, coin(one.quote) or quote
    inverse = one.type == _INVERSE
    # An inverse product's smallest order is counted in contracts of USD, which is no step in base units.
    digits = None if inverse else one.contractValueTradePrecision
    return Instrument(
        VENUE,
        unified(name, base, quote),
        ts_event,
        ts_recv,
        native=name,
        kind="perpetual" if name.startswith("P") else "future",
        base=base,
        quote=quote,
        status="post only" if one.postOnly else "tradeable" if one.tradeable else "not tradeable",
        trading=one.tradeable,
        contract_size=one.contractSize,
        tick=one.tickSize,
        lot=None if digits is None else float(f"1e{-digits}") * (one.contractSize or 1.0),
        listed_ts=_when(one.openingDate),
        inverse=inverse,
    )


# ── Tickers, books, trades ────────────────────────────────────────────────────────────────────


@_unless_refused
def _tickers(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _TICKERS.decode(body)
    ts_event = _when(said.serverTime)
    # Rows of indices (in_xbtusd, rr_xbtusd) have no mark price: products carry theirs.
    rows = [one for one in said.tickers if one.markPrice is not None]
    found = [event for one in rows for event in _ticker(one, ts_event, ts_recv, memory)]
    return found or (left_out(VENUE, "", ts_recv, "a list without products"),)


@_unless_refused
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
    return ticker.meaning(one, told, funding, ts_event, ts_recv)


def _relative(one: Contract, absolute: float | None, index: float | None) -> float | None:
    """Return a rate as a fraction: REST tells it in USD a base unit, or base units a contract of USD."""
    if absolute is None or not index:
        return None
    return absolute * index if one.inverse else absolute / index


@_unless_refused
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


@_unless_refused
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


# ── Funding and candles ───────────────────────────────────────────────────────────────────────


@_unless_refused
def _funding_history(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    symbol = known(query.get("symbol", ""), memory).symbol
    said = [(nanos(row.timestamp), row.relativeFundingRate) for row in _RATES.decode(body).rates]
    # A rate of 0 is one, in a list of those that applied.
    return [
        Funding(VENUE, symbol, then, ts_recv, rate, interval_hours=ticker.hours(then))
        for then, rate in said
        if rate is not None
    ]


_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "12h": 720, "1d": 1440, "1w": 10080}


@_unless_refused
def _candles(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode bars; a bar is closed once its last instant is past when it was sent.

    Where the time of sending is unknown, the last bar of the list counts as open.
    """
    rows = _BARS.decode(body).candles
    kind, interval = query.get("tick_type", ""), query.get("resolution", "")
    one = known(query.get("symbol", ""), memory)
    if kind != "trade" or interval not in _MINUTES:
        reason = f"no stream for candles of the {kind} price" if kind != "trade" else "an unknown interval"
        return (left_out(VENUE, one.symbol, ts_recv, reason),)
    found: list[Event] = []
    for place, row in enumerate(rows, 1):
        opened = row.time * MS
        ends = opened + _MINUTES[interval] * MINUTE - MS
        closed = ends < ts_recv if ts_recv else place < len(rows)
        found.append(_candle(row, one, interval, ends, closed, ts_recv))
    return found


def _candle(row: _Bar, one: Contract, interval: str, ends: Nanos, closed: bool, ts_recv: Nanos) -> Candle:
    # Contracts of USD are the value that was traded; in base units it is not told.
    worth = row.volume * one.times / one.over
    return Candle(
        VENUE,
        one.symbol,
        ends if closed else None,
        ts_recv,
        interval,
        row.time * MS,
        ends,
        row.open,
        row.high,
        row.low,
        row.close,
        float("nan") if one.inverse else worth,
        quote_volume=worth if one.inverse else None,
        closed=closed,
    )


@_unless_refused
def _server_time(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return (Control(VENUE, "", nanos(_STATUS.decode(body).serverTime), ts_recv, "pong"),)


# ── Endpoints ─────────────────────────────────────────────────────────────────────────────────

_V3 = "/derivatives/api/v3"
_PAST = "/api/history/v3/market/{symbol}"
_SPOT = "another market: Kraken spot"

ENDPOINTS = (
    Endpoint("instruments", f"{_V3}/instruments", _instruments, cache_s=3600),
    Endpoint("time", f"{_V3}/instruments/status", _server_time),
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
        leaves_out(VENUE, "no stream for the venue's own analytics"),
        needs=("symbol", "analytics_type", "since", "interval"),
    ),
    Endpoint(
        "candles",
        "/api/charts/v1/{tick_type}/{symbol}/{resolution}",
        _candles,
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
    *(
        Endpoint(
            f"spot_{path.lower()}",
            f"/0/public/{path}",
            leaves_out(VENUE, _SPOT),
            needs=needs,
            bucket="spot",
            of_symbol={},
            host="spot",
        )
        for path, needs in (
            ("Time", ()),
            ("SystemStatus", ()),
            ("Assets", ()),
            ("AssetPairs", ()),
            ("Ticker", ("pair",)),
            ("Depth", ("pair",)),
            ("Trades", ("pair",)),
            ("OHLC", ("pair",)),
            ("Spread", ("pair",)),
        )
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

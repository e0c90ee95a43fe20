"""What Coinbase answers over REST, on the Exchange's host and on Advanced Trade's."""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import (
    DAY,
    MINUTE,
    SECOND,
    BookUpdate,
    Control,
    Event,
    Level,
    Nanos,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.facts import LastPrice
from orderflow.venues.coinbase_spot import advanced, products
from orderflow.venues.coinbase_spot.words import ADVANCED, VENUE, nanos, number, unified
from orderflow.venues.spec import Endpoint, History, Memory, Query, left_out

_PRODUCT = {"product_id": "{symbol}"}

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Ticker(msgspec.Struct):
    price: float
    bid: str = ""
    ask: str = ""
    volume: str = ""
    time: str = ""


class _Stats(msgspec.Struct):
    last: float
    open: str = ""
    high: str = ""
    low: str = ""
    volume: str = ""


class _Book(msgspec.Struct):
    bids: list[tuple[float, float, int | str]]  # the third is a count of orders, or an order's id
    asks: list[tuple[float, float, int | str]]
    time: str = ""


class _Match(msgspec.Struct):
    trade_id: int
    side: str
    size: float
    price: float
    time: str = ""


class _Time(msgspec.Struct):
    iso: str


class _Level(msgspec.Struct):
    price: float
    size: float


class _PriceBook(msgspec.Struct):
    product_id: str
    bids: list[_Level]
    asks: list[_Level]
    time: str = ""


class _ProductBook(msgspec.Struct):
    pricebook: _PriceBook


class _Prints(msgspec.Struct):
    trades: list[advanced.Print]
    best_bid: str = ""
    best_ask: str = ""


class _Bars(msgspec.Struct):
    candles: list[advanced.Bar]


class _Error(msgspec.Struct):
    id: str = ""
    message: str = ""


class _Complaint(msgspec.Struct):
    message: str = ""
    error: str = ""
    errors: list[_Error] = []


_TICKER = msgspec.json.Decoder(_Ticker, strict=False)
_STATS = msgspec.json.Decoder(_Stats, strict=False)
_BOOK = msgspec.json.Decoder(_Book, strict=False)
_MATCHES = msgspec.json.Decoder(list[_Match], strict=False)
_CANDLES = msgspec.json.Decoder(list[tuple[int, float, float, float, float, float]], strict=False)
_TIME = msgspec.json.Decoder(_Time)
_PRODUCT_BOOK = msgspec.json.Decoder(_ProductBook, strict=False)
_PRINTS = msgspec.json.Decoder(_Prints, strict=False)
_BARS = msgspec.json.Decoder(_Bars, strict=False)
_COMPLAINT = msgspec.json.Decoder(_Complaint)

# ── What it means ─────────────────────────────────────────────────────────────────────────────


def _server_time(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return (Control(VENUE, "", nanos(_TIME.decode(body).iso), ts_recv, "pong"),)


def _symbol(query: Query) -> str:
    return unified(query.get("product_id", ""))


def _ticker(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _TICKER.decode(body)
    symbol, ts = _symbol(query), nanos(said.time)
    return (
        Quote(VENUE, symbol, ts, ts_recv, number(said.bid), None, number(said.ask), None),
        Ticker(VENUE, symbol, ts, ts_recv, last=said.price, volume=number(said.volume)),
        LastPrice(VENUE, symbol, ts, ts_recv, said.price),
    )


def _stats(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Return the 24 hours; the venue leaves their change to the reader."""
    said = _STATS.decode(body)
    opened = number(said.open)
    change = None if opened is None else said.last - opened
    return (
        Ticker(
            VENUE,
            _symbol(query),
            None,
            ts_recv,
            last=said.last,
            open=opened,
            high=number(said.high),
            low=number(said.low),
            volume=number(said.volume),
            change=change,
            change_pct=None if change is None or not opened else change / opened * 100,
        ),
    )


def _snapshot(
    symbol: str, time: str, ts_recv: Nanos, bids: list[Level], asks: list[Level]
) -> Sequence[Event]:
    # The socket's diffs have no number that it could join: `depth` keeps it apart from the book.
    depth = max(len(bids), len(asks))
    return (BookUpdate(VENUE, symbol, nanos(time), ts_recv, True, bids, asks, depth=depth),)


def _book(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    if query.get("level") == "3":
        return (left_out(VENUE, _symbol(query), ts_recv, "single orders: the book by prices is kept"),)
    said = _BOOK.decode(body)
    bids = [(price, size) for price, size, _ in said.bids]
    asks = [(price, size) for price, size, _ in said.asks]
    return _snapshot(_symbol(query), said.time, ts_recv, bids, asks)


def _product_book(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _PRODUCT_BOOK.decode(body).pricebook
    bids = [(one.price, one.size) for one in said.bids]
    asks = [(one.price, one.size) for one in said.asks]
    return _snapshot(unified(said.product_id), said.time, ts_recv, bids, asks)


def _trades(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode a list that has the newest first; `side` is the maker's."""
    symbol = _symbol(query)
    return [
        Trade(
            VENUE,
            symbol,
            nanos(one.time),
            ts_recv,
            one.trade_id,
            one.side == "buy",
            one.price,
            one.size,
        )
        for one in reversed(_MATCHES.decode(body))
    ]


def _prints(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _PRINTS.decode(body)
    bid, ask = number(said.best_bid), number(said.best_ask)
    found = advanced.trades(said.trades, ts_recv)
    if bid is not None or ask is not None:
        found.append(Quote(VENUE, _symbol(query), None, ts_recv, bid, None, ask, None))
    return found


_EXCHANGE_BARS = {60: "1m", 300: "5m", 900: "15m", 3600: "1h", 21_600: "6h", 86_400: "1d"}
_ADVANCED_BARS = {
    "ONE_MINUTE": 60,
    "FIVE_MINUTE": 300,
    "FIFTEEN_MINUTE": 900,
    "THIRTY_MINUTE": 1800,
    "ONE_HOUR": 3600,
    "TWO_HOUR": 7200,
    "FOUR_HOUR": 14_400,
    "SIX_HOUR": 21_600,
    "ONE_DAY": 86_400,
}
_INTERVALS = _EXCHANGE_BARS | {1800: "30m", 7200: "2h", 14_400: "4h"}


def _candles(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode rows of time, low, high, open, close, volume, newest first; minutes without trades are absent."""
    bars = [
        advanced.Bar(start, opened, high, low, close, volume)
        for start, low, high, opened, close, volume in _CANDLES.decode(body)
    ]
    return _told(bars, query, int(query.get("granularity", "60")), ts_recv)


def _bars(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    bars = _BARS.decode(body).candles
    return _told(bars, query, _ADVANCED_BARS.get(query.get("granularity", ""), 0), ts_recv)


def _told(bars: list[advanced.Bar], query: Query, seconds: int, ts_recv: Nanos) -> Sequence[Event]:
    if seconds not in _INTERVALS:
        reason = "candles whose request is not recorded have no interval"
        return [left_out(VENUE, _symbol(query), ts_recv, reason)]
    interval = (_INTERVALS[seconds], seconds * SECOND)
    bars = sorted(bars, key=lambda bar: bar.start)
    found: list[Event] = []
    for place, bar in enumerate(bars, 1):
        over = (bar.start + seconds) * SECOND
        closed = over <= ts_recv if ts_recv else place < len(bars)
        product = query.get("product_id", "")
        ts = over if closed else None  # an open bar has no time of the venue's: its end lies ahead
        found.append(advanced.candle(bar, product, interval, ts, ts_recv, closed=closed))
    return found or [left_out(VENUE, _symbol(query), ts_recv, "an empty list of candles")]


# ── What it refuses ───────────────────────────────────────────────────────────────────────────


def complaint(body: bytes) -> tuple[str, str] | None:
    """Return the error that a body is: `{"message":…}` or `{"errors":[{"id":…,"message":…}]}`."""
    if not body.startswith((b'{"message"', b'{"errors"', b'{"error"')):
        return None
    try:
        said = _COMPLAINT.decode(body)
    except msgspec.MsgspecError:
        return None
    if said.errors:
        return said.errors[0].id, said.errors[0].message
    text = said.message or said.error
    return (text, text) if text else None


# ── Where it is asked ─────────────────────────────────────────────────────────────────────────

_MARKET = "/api/v3/brokerage/market"
_ADVANCED = (
    Endpoint("advanced_time", "/api/v3/brokerage/time", _server_time, bucket=ADVANCED, host=ADVANCED),
    Endpoint(
        "advanced_products", f"{_MARKET}/products", products.listed, cache_s=5, bucket=ADVANCED, host=ADVANCED
    ),
    *(
        Endpoint(name, _MARKET + path, decode, params, needs, 1, ADVANCED, 0, _PRODUCT, ADVANCED)
        for name, path, decode, params, needs in (
            ("advanced_product", "/products/{product_id}", products.one_listed, {}, ("product_id",)),
            ("advanced_depth", "/product_book", _product_book, {}, ("product_id",)),
            (
                "advanced_trades",
                "/products/{product_id}/ticker",
                _prints,
                {"limit": "1000"},
                ("product_id",),
            ),
            (
                "advanced_candles",
                "/products/{product_id}/candles",
                _bars,
                {"granularity": "ONE_MINUTE"},
                ("product_id", "start", "end"),
            ),
        )
    ),
)

# Those of Advanced Trade first: their addresses end in paths that the Exchange has too.
ENDPOINTS = (
    *_ADVANCED,
    Endpoint("time", "/time", _server_time),
    Endpoint("instruments", "/products", products.products, cache_s=3600),
    *(
        Endpoint(name, path, decode, params, ("product_id",), of_symbol=_PRODUCT)
        for name, path, decode, params in (
            ("instrument", "/products/{product_id}", products.one_product, {}),
            ("ticker", "/products/{product_id}/ticker", _ticker, {}),
            ("stats", "/products/{product_id}/stats", _stats, {}),
            ("depth", "/products/{product_id}/book", _book, {"level": "2"}),
            ("trades", "/products/{product_id}/trades", _trades, {"limit": "1000"}),
            ("candles", "/products/{product_id}/candles", _candles, {"granularity": "60"}),
        )
    ),
    Endpoint("currencies", "/currencies", products.currencies, cache_s=3600),
)

# ── What is kept of the past ──────────────────────────────────────────────────────────────────

_BAR = 5 * MINUTE  # the socket has no others

PAST = (
    History(
        stream="trades",
        endpoint="trades",
        id="after",  # which asks for what is older
        newest_first=True,
        keeps=2 * DAY,  # they go back further; but every page from the newest on is read to get there
    ),
    History(
        stream="candles",
        endpoint="candles",
        start="start",
        end="end",
        unit="iso",
        params={"granularity": str(_BAR // SECOND)},
        newest_first=True,
        most_rows=300,
        span=298 * _BAR,  # a stretch of more than 300 bars is refused
        step=_BAR,
    ),
)

"""Binance USDⓈ-M futures, public market data.

Docs    https://developers.binance.com/docs/derivatives/usds-margined-futures
Quirks  Since 2026-04-23 there are two routes, /public and /market: a stream asked on the wrong one is
        acknowledged and stays silent, so each channel names its route and silence is reported.
        Since 2026-06-30 all-market streams carry COIN-M rows too (`st` 2, sizes in contracts): left out.
        `@trade` also sends rows that are no trades (X is NA, INSURANCE_FUND or ADL): left out, but their
        ids count, since ids are consecutive. `@aggTrade` is the default, `@trade` is not documented.
        `@depth5/10/20` frames are snapshots although they call themselves depthUpdate.
        The first diff after a snapshot L may satisfy U <= L <= u or pu == L (see feed.book).
        `r` is the running estimate of the rate to be paid at `T`; its interval stands in fundingInfo,
        which lists only the contracts that do not pay every 8 hours.
        Liquidations are at most one an instant, the largest: a lower bound. `S` is the order's side,
        so SELL closed a long. Price is `ap` (mean fill), size is `z` (filled). `st` was documented
        beside `o` and is seen inside it: both are read.
Times   `T`, the matching engine's, where a frame has it; else `E`, when the frame was made.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import msgspec

from orderflow.market.events import (
    MS,
    BookUpdate,
    Event,
    Funding,
    FundingInterval,
    Ignored,
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
from orderflow.venues import binance
from orderflow.venues.spec import (
    BookRule,
    Bucket,
    Channel,
    Endpoint,
    Hosts,
    Limits,
    Poll,
    Venue,
    leaves_out,
    left_out,
)

VENUE = "binance_futures"

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _BookTicker(msgspec.Struct, tag_field="e", tag="bookTicker", gc=False):
    s: str
    u: int
    b: float
    B: float
    a: float
    A: float
    T: int
    st: int = 1


class _Trade(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    s: str
    t: int
    p: float
    q: float
    T: int
    m: bool
    X: str = "MARKET"
    st: int = 1


class _AggTrade(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    s: str
    p: float
    q: float
    f: int
    l: int  # noqa: E741
    T: int
    m: bool
    a: int | None = None
    st: int = 1


class _Depth(msgspec.Struct, tag_field="e", tag="depthUpdate", gc=False):
    s: str
    U: int
    u: int
    b: list[Level]
    a: list[Level]
    pu: int | None = None
    T: int | None = None
    st: int = 1


class _MarkPrice(msgspec.Struct, tag_field="e", tag="markPriceUpdate", gc=False):
    E: int
    s: str
    p: float
    r: str
    T: int
    i: float | None = None
    st: int = 1


class _Order(msgspec.Struct, gc=False):
    s: str
    S: Literal["BUY", "SELL"]
    ap: float
    z: float
    T: int
    st: int = 1


class _ForceOrder(msgspec.Struct, tag_field="e", tag="forceOrder", gc=False):
    o: _Order
    st: int = 1


class _Ticker(msgspec.Struct, tag_field="e", tag="24hrTicker", gc=False):
    E: int
    s: str
    p: float
    P: float
    w: float
    c: float
    o: float
    h: float
    l: float  # noqa: E741
    v: float
    q: float
    n: int
    st: int = 1


class _Kline(msgspec.Struct, tag_field="e", tag="kline", gc=False):
    E: int
    s: str
    k: binance.Kline
    st: int = 1


_Said: TypeAlias = (
    _BookTicker | _Trade | _AggTrade | _Depth | _MarkPrice | _ForceOrder | _Ticker | _Kline
)


class _Combined(msgspec.Struct, gc=False):
    stream: str
    data: _Said | list[_Said]


class _Head(msgspec.Struct):
    """Just enough of a frame to say why it is left out."""

    e: str = ""
    data: Any = None


_COMBINED = msgspec.json.Decoder(_Combined, strict=False)
_RAW = msgspec.json.Decoder(_Said | list[_Said], strict=False)
_HEAD = msgspec.json.Decoder(_Head)

_NOT_KEPT = {
    "continuous_kline": "the same bars as kline",
    "24hrMiniTicker": "the 24-hour ticker says more",
    "contractInfo": "contracts are read from exchangeInfo",
    "compositeIndex": "no stream for composite indices",
    "assetIndexUpdate": "no stream for asset indices",
    "EquityUpdate": "no stream for trading sessions",
    "CommodityUpdate": "no stream for trading sessions",
    "KR_EquityUpdate": "no stream for trading sessions",
    "HK_EquityUpdate": "no stream for trading sessions",
    "CN_EquityUpdate": "no stream for trading sessions",
    "markPrice_kline": "no stream for candles of the mark price",
    "indexPrice_kline": "no stream for candles of the index",
}

# ── What it means ─────────────────────────────────────────────────────────────────────────────


def decode(payload: bytes, ts_recv: Nanos) -> Sequence[Event]:
    """Decode one WebSocket frame, combined or raw. Raises `VenueChanged` or a msgspec error."""
    try:
        frame = _COMBINED.decode(payload)
    except (msgspec.ValidationError, RecursionError):
        return binance.unless_too_deep(_uncommon, VENUE, payload, ts_recv)
    said = frame.data
    if isinstance(said, list):
        return [event for one in said for event in _meaning(one, frame.stream, ts_recv)]
    return _meaning(said, frame.stream, ts_recv)


def _meaning(said: _Said, stream: str, ts_recv: Nanos) -> Sequence[Event]:
    if said.st != 1:
        return (left_out(VENUE, "", ts_recv, "another market: COIN-M"),)
    match said:
        case _BookTicker():
            # A side without orders is sent as zeros.
            bid, ask = said.b or None, said.a or None
            return (Quote(VENUE, said.s, said.T * MS, ts_recv, bid, said.B or None, ask, said.A or None, said.u),)
        case _Trade():
            if said.X != "MARKET":
                reason = f"not a trade on the book: X is {said.X}"
                return (Ignored(VENUE, said.s, said.T * MS, ts_recv, reason, said.t),)
            return (Trade(VENUE, said.s, said.T * MS, ts_recv, said.t, said.m, said.p, said.q),)
        case _Depth():
            return _book(said, stream, ts_recv)
        case _AggTrade():
            return (_agg_trade(said, ts_recv),)
        case _MarkPrice():
            return _mark_price(said, ts_recv)
        case _Kline():
            return (binance.candle(VENUE, said.s, said.E * MS, ts_recv, said.k),)
        case _Ticker():
            return (_ticker(said, ts_recv),)
        case _ForceOrder():
            return (_liquidation(said.o, ts_recv),)


@lru_cache(maxsize=4096)
def _book_kind(stream: str) -> tuple[str, int | None]:
    """Tell what a book stream carries by its name: diffs, or snapshots of so many levels."""
    kind = stream.partition("@")[2].partition("@")[0]
    if kind == "rpiDepth":
        return "rpi", None
    levels = kind.removeprefix("depth")
    return ("snapshot", int(levels)) if levels.isdigit() else ("diff", None)


def _book(said: _Depth, stream: str, ts_recv: Nanos) -> Sequence[Event]:
    kind, depth = _book_kind(stream)
    if kind == "rpi":
        return (left_out(VENUE, said.s, ts_recv, "a book with retail orders; the plain book is kept"),)
    ts_event = None if said.T is None else said.T * MS
    return (
        BookUpdate(
            VENUE, said.s, ts_event, ts_recv, kind == "snapshot", said.b, said.a, said.u, said.U, said.pu, depth
        ),
    )


def _agg_trade(said: _AggTrade, ts_recv: Nanos) -> Trade:
    # Recordings of 2019 lack the aggregate's id; its last fill's is as unique.
    id = said.l if said.a is None else said.a
    return Trade(VENUE, said.s, said.T * MS, ts_recv, id, said.m, said.p, said.q, said.l - said.f + 1, True)


def _mark_price(said: _MarkPrice, ts_recv: Nanos) -> Sequence[Event]:
    ts_event = said.E * MS
    events: list[Event] = [MarkPrice(VENUE, said.s, ts_event, ts_recv, said.p, said.i)]
    if said.i is not None:
        events.append(IndexPrice(VENUE, said.s, ts_event, ts_recv, said.i))
    if said.T and said.r:  # delivery contracts pay no funding: T is 0
        events.append(Funding(VENUE, said.s, ts_event, ts_recv, float(said.r), next_ts=said.T * MS))
    return events


def _liquidation(order: _Order, ts_recv: Nanos) -> Event:
    if order.st != 1:
        return left_out(VENUE, "", ts_recv, "another market: COIN-M")
    side: Literal["long", "short"] = "long" if order.S == "SELL" else "short"
    return Liquidation(VENUE, order.s, order.T * MS, ts_recv, side, order.ap, order.z)


def _ticker(said: _Ticker, ts_recv: Nanos) -> Ticker:
    return Ticker(
        VENUE,
        said.s,
        said.E * MS,
        ts_recv,
        last=said.c,
        open=said.o,
        high=said.h,
        low=said.l,
        volume=said.v,
        quote_volume=said.q,
        trade_count=said.n,
        change=said.p,
        change_pct=said.P,
        vwap=said.w,
    )


def _uncommon(payload: bytes, ts_recv: Nanos) -> Sequence[Event]:
    """Decode what is not a combined frame of a kept stream: raw frames, the unkept, answers."""
    head = _HEAD.decode(payload) if not payload.lstrip().startswith(b"[") else _Head()
    inner: Any = head.data[0] if isinstance(head.data, list) and head.data else head.data
    kind = inner.get("e", "") if isinstance(inner, dict) else head.e
    if isinstance(kind, str) and kind in _NOT_KEPT:
        return (left_out(VENUE, "", ts_recv, _NOT_KEPT[kind]),)
    if head.data is not None:
        _COMBINED.decode(payload)  # a combined frame that does not fit: raise what is wrong with it
    if head.e or payload.lstrip().startswith(b"["):
        said = _RAW.decode(payload)
        every = said if isinstance(said, list) else [said]
        return [event for one in every for event in _meaning(one, "", ts_recv)]
    return binance.control(VENUE, payload, ts_recv)


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


def _depth(body: bytes, query: Mapping[str, str], ts_recv: Nanos) -> Sequence[Event]:
    said = binance.DEPTH.decode(body)
    if "symbol" not in query:
        return (left_out(VENUE, "", ts_recv, "a book whose request is not recorded has no symbol"),)
    ts_event = None if said.T is None else said.T * MS
    symbol = query["symbol"]
    return (BookUpdate(VENUE, symbol, ts_event, ts_recv, True, said.bids, said.asks, said.lastUpdateId),)


def _premium_index(body: bytes, query: Mapping[str, str], ts_recv: Nanos) -> Sequence[Event]:
    said = _PREMIUM.decode(body)
    events: list[Event] = []
    for one in said if isinstance(said, list) else [said]:
        ts_event = None if one.time is None else one.time * MS
        events.append(MarkPrice(VENUE, one.symbol, ts_event, ts_recv, one.markPrice, one.indexPrice))
        if one.indexPrice is not None:
            events.append(IndexPrice(VENUE, one.symbol, ts_event, ts_recv, one.indexPrice))
        if one.nextFundingTime and one.lastFundingRate:
            rate, next_ts = float(one.lastFundingRate), one.nextFundingTime * MS
            events.append(Funding(VENUE, one.symbol, ts_event, ts_recv, rate, next_ts=next_ts))
    return events


def _open_interest(body: bytes, query: Mapping[str, str], ts_recv: Nanos) -> Sequence[Event]:
    said = _OPEN_INTEREST.decode(body)
    ts_event = None if said.time is None else said.time * MS
    return (OpenInterest(VENUE, said.symbol, ts_event, ts_recv, said.openInterest),)


def _open_interest_history(body: bytes, query: Mapping[str, str], ts_recv: Nanos) -> Sequence[Event]:
    return [
        OpenInterest(VENUE, one.symbol, one.timestamp * MS, ts_recv, one.sumOpenInterest, one.sumOpenInterestValue)
        for one in _OPEN_INTEREST_THEN.decode(body)
    ]


def _funding_history(body: bytes, query: Mapping[str, str], ts_recv: Nanos) -> Sequence[Event]:
    return [
        Funding(VENUE, one.symbol, one.fundingTime * MS, ts_recv, one.fundingRate, next_ts=one.fundingTime * MS)
        for one in _PAID.decode(body)
    ]


def _funding_info(body: bytes, query: Mapping[str, str], ts_recv: Nanos) -> Sequence[Event]:
    return [
        FundingInterval(VENUE, one.symbol, None, ts_recv, one.fundingIntervalHours) for one in _INTERVALS.decode(body)
    ]


def _best(body: bytes, query: Mapping[str, str], ts_recv: Nanos) -> Sequence[Event]:
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


def _symbol(query: Mapping[str, str]) -> str:
    return query.get("symbol", "")


def _server_time(body: bytes, query: Mapping[str, str], ts_recv: Nanos) -> Sequence[Event]:
    return binance.server_time(VENUE, body, ts_recv)


_HISTORY = "futures/data"
_RATIO = "no stream for long/short ratios"

ENDPOINTS = (
    Endpoint("ping", "/fapi/v1/ping", leaves_out(VENUE, "a ping says nothing")),
    Endpoint("time", "/fapi/v1/time", _server_time),
    Endpoint(
        "instruments",
        "/fapi/v1/exchangeInfo",
        lambda body, query, ts: binance.instruments(VENUE, body, ts),
        cache_s=3600,
    ),
    Endpoint("depth", "/fapi/v1/depth", _depth, {"limit": "1000"}, ("symbol",), weight=20),
    Endpoint(
        "trades",
        "/fapi/v1/trades",
        lambda body, query, ts: binance.fills(VENUE, body, _symbol(query), ts),
        needs=("symbol",),
        weight=5,
    ),
    Endpoint(
        "agg_trades",
        "/fapi/v1/aggTrades",
        lambda body, query, ts: binance.agg_trades(VENUE, body, _symbol(query), ts),
        {"limit": "1000"},
        ("symbol",),
        weight=20,
    ),
    Endpoint(
        "candles",
        "/fapi/v1/klines",
        lambda body, query, ts: binance.klines(VENUE, body, _symbol(query), query.get("interval", ""), ts),
        {"interval": "1m", "limit": "1000"},
        ("symbol",),
        weight=5,
    ),
    Endpoint("premium_index", "/fapi/v1/premiumIndex", _premium_index, needs=("symbol",)),
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
        f"/{_HISTORY}/openInterestHist",
        _open_interest_history,
        {"period": "5m", "limit": "500"},
        ("symbol",),
        bucket="data",
    ),
    Endpoint(
        "ticker",
        "/fapi/v1/ticker/24hr",
        lambda body, query, ts: binance.days(VENUE, body, ts),
        needs=("symbol",),
    ),
    Endpoint("best", "/fapi/v1/ticker/bookTicker", _best, needs=("symbol",), weight=2),
    Endpoint(
        "price_v1",
        "/fapi/v1/ticker/price",
        leaves_out(VENUE, "the best quote says more than the last price"),
        needs=("symbol",),
    ),
    *(
        Endpoint(path.rsplit("/", 1)[-1], path, leaves_out(VENUE, reason), needs=("symbol",), bucket=bucket)
        for path, reason, bucket in (
            ("/fapi/v2/ticker/price", "the best quote says more than the last price", "weight"),
            ("/fapi/v1/rpiDepth", "a book with retail orders; the plain book is kept", "weight"),
            ("/fapi/v1/historicalTrades", "needs a key", "weight"),
            ("/fapi/v1/continuousKlines", "the same bars as klines", "weight"),
            ("/fapi/v1/indexPriceKlines", "no stream for candles of the index", "weight"),
            ("/fapi/v1/markPriceKlines", "no stream for candles of the mark price", "weight"),
            ("/fapi/v1/premiumIndexKlines", "no stream for candles of the premium", "weight"),
            ("/fapi/v1/constituents", "no stream for an index's parts", "weight"),
            ("/fapi/v1/indexInfo", "no stream for an index's parts", "weight"),
            ("/fapi/v1/assetIndex", "no stream for asset indices", "weight"),
            ("/fapi/v1/insuranceBalance", "no stream for the insurance fund", "weight"),
            ("/fapi/v1/symbolAdlRisk", "no stream for the risk of deleveraging", "weight"),
            ("/fapi/v1/tradingSchedule", "no stream for trading sessions", "weight"),
            (f"/{_HISTORY}/topLongShortPositionRatio", _RATIO, "data"),
            (f"/{_HISTORY}/topLongShortAccountRatio", _RATIO, "data"),
            (f"/{_HISTORY}/globalLongShortAccountRatio", _RATIO, "data"),
            (f"/{_HISTORY}/takerlongshortRatio", "no stream for taker volume; trades say it", "data"),
            (f"/{_HISTORY}/basis", "no stream for the basis; mark prices say it", "data"),
            (f"/{_HISTORY}/delivery-price", "no stream for delivery prices", "data"),
        )
    ),
)

TABLES = (
    Endpoint(
        "aggTrades",
        "aggTrades",
        lambda row, query, ts: binance.archived_agg_trade(VENUE, row, _symbol(query), ts),
    ),
    Endpoint("trades", "trades", lambda row, query, ts: binance.archived_trade(VENUE, row, _symbol(query), ts)),
)

# ── The venue ─────────────────────────────────────────────────────────────────────────────────

BINANCE_FUTURES = Venue(
    name=VENUE,
    docs="https://developers.binance.com/docs/derivatives/usds-margined-futures",
    hosts=Hosts(
        rest="https://fapi.binance.com",
        ws={
            "public": "wss://fstream.binance.com/public/stream",
            "market": "wss://fstream.binance.com/market/stream",
        },
    ),
    limits=Limits(
        streams_per_connection=1024,
        messages_per_s=5,  # the venue allows 10, pongs included
        names_per_subscribe=200,
        connects_per_minute=20,
        dead_after_s=600,
        life_s=23 * 3600,  # the venue cuts at 24 h
    ),
    book=BookRule.PREVIOUS_ID,
    channels=(
        Channel("quotes", ("prices",), "{lower}@bookTicker", "public", silent_after_s=60),
        Channel("book", ("orderbooks",), "{lower}@depth@100ms", "public", silent_after_s=60),
        Channel("trades", ("trades",), "{lower}@aggTrade", "market", silent_after_s=300),
        Channel("fills", ("trades",), "{lower}@trade", "public", silent_after_s=300, default=False),
        Channel(
            "mark",
            ("mark_prices", "index_prices", "funding_rates"),
            "{lower}@markPrice@1s",
            "market",
            silent_after_s=30,
        ),
        Channel("liquidations", ("liquidations",), "{lower}@forceOrder", "market"),
        Channel("ticker", ("ticker_24h",), "{lower}@ticker", "market", silent_after_s=120),
        Channel("candles", ("candles",), "{lower}@kline_1m", "market", silent_after_s=300),
    ),
    endpoints=ENDPOINTS,
    buckets=(
        Bucket("weight", 2400, 60, "x-mbx-used-weight-1m"),
        Bucket("data", 1000, 300),
        Bucket("funding", 500, 300),
    ),
    decode=decode,
    subscribe=binance.subscribe,
    unsubscribe=binance.unsubscribe,
    native=str.upper,
    taker_fee_bps=5.0,
    snapshot="depth",
    listing="instruments",
    polls=(
        Poll("open_interest", 30, ("open_interest",)),
        Poll("funding_intervals", 3600, ("funding_rates",), per_symbol=False),
    ),
    tables=TABLES,
    funding_hours=8.0,
    consecutive_trades=True,
    foreign={"/dapi/": "COIN-M"},
    notes={"liquidations": "the venue sends at most one liquidation a second and symbol: a lower bound"},
)

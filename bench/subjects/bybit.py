"""Bybit, linear and spot: 200 levels, trades, tickers, candles, as recorded in 2026.

Spot's tickers are left out, for Cryptofeed has no such channel there, and acknowledgements everywhere.
"""

from typing import Any

import msgspec

from bench.subjects import Book, Ccxt, Cryptofeed, Ours, Route, Said, Subject, all_parsed, pairs, parsed

# ── What is told ──────────────────────────────────────────────────────────────────────────────


def reads(message: Any) -> list[Said | Book]:
    topic, data = message["topic"].partition(".")[0], message["data"]
    if topic == "orderbook":
        return [Book(data["s"], pairs(data["b"]), pairs(data["a"]), message["type"] == "snapshot")]
    if topic == "publicTrade":
        return [Said("trades", len(data)), Said("trade messages")]
    if topic == "kline":
        return [Said("candles", len(data)), Said("candle messages")]
    # Cryptofeed tells all that it knows with each ticker, whatever the message says.
    return [Said("marks", "markPrice" in data), *map(Said, TOLD_WITH_EACH_TICKER)]


TOLD_WITH_EACH_TICKER = ("tickers", "fundings", "open interests", "indexes")


ALTERNATIVES = (
    frozenset({"trades", "trade messages"}),
    frozenset({"candles", "candle messages"}),
    frozenset({"marks", *TOLD_WITH_EACH_TICKER}),
)

# ── The bare decode ───────────────────────────────────────────────────────────────────────────


class Level(msgspec.Struct, array_like=True, gc=False):
    price: float
    size: float


class Sides(msgspec.Struct, gc=False):
    s: str
    b: list[Level]
    a: list[Level]
    u: int
    seq: int


class Depth(msgspec.Struct, gc=False):
    type: str
    ts: int
    data: Sides
    cts: int | None = None


class Trade(msgspec.Struct, gc=False):
    T: int
    s: str
    S: str
    v: float
    p: float
    i: str
    seq: int | None = None


class Trades(msgspec.Struct, gc=False):
    data: list[Trade]


class Told(msgspec.Struct, gc=False):
    symbol: str
    bid1Price: float | None = None
    bid1Size: float | None = None
    ask1Price: float | None = None
    ask1Size: float | None = None
    lastPrice: float | None = None
    markPrice: float | None = None
    indexPrice: float | None = None
    openInterest: float | None = None
    openInterestValue: float | None = None
    fundingRate: float | None = None
    nextFundingTime: int | None = None
    volume24h: float | None = None
    turnover24h: float | None = None
    highPrice24h: float | None = None
    lowPrice24h: float | None = None


class Ticker(msgspec.Struct, gc=False):
    type: str
    ts: int
    data: Told


class Candle(msgspec.Struct, gc=False):
    start: int
    end: int
    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    turnover: float
    confirm: bool


class Candles(msgspec.Struct, gc=False):
    topic: str
    data: list[Candle]


BARE = (
    Route(b"orderbook.", Depth, "diffs"),
    Route(b"tickers.", Ticker, "tickers"),
    Route(b"publicTrade.", Trades, "trade messages"),
    Route(b"kline.", Candles, "candle messages"),
)

# ── The rivals ────────────────────────────────────────────────────────────────────────────────

SPOT_CHANNELS = {"trades": "trades", "l2_book": "books", "candles": "candles"}
CHANNELS = SPOT_CHANNELS | {
    "ticker": "tickers",
    "funding": "fundings",
    "open_interest": "open interests",
    "index": "indexes",
}
KINDS = {"trade": "trade messages", "orderbook": "applied", "ticker": "tickers", "ohlcv": "candle messages"}


def _ccxt(category: str) -> Ccxt:
    return Ccxt(
        "bybit",
        f"wss://stream.bybit.com/v5/public/{category}",
        lambda listing, _: {"PreLaunch": {}, "instruments-info": parsed(listing, _)},
        KINDS,
        {"fetchMarkets": {"types": [category]}},
    )


def _is_data(raw: bytes) -> bool:
    return b'"topic"' in raw[:64]


OURS = Ours({"trades": "trades", "candles": "candles", "mark_prices": "marks"})

SUBJECTS = (
    Subject(
        "bybit_futures",
        ("bybit_futures/cryptofeed_20260809_v5_book200_trades_tickers_kline_BTC_DOGE.jsonl.gz",),
        reads,
        BARE,
        OURS,
        Cryptofeed(
            "Bybit",
            CHANNELS,
            all_parsed,
            address="wss://stream.bybit.com/v5/public/linear",
        ),
        _ccxt("linear"),
        ALTERNATIVES,
        listing="bybit_futures/cryptofeed_20260809_v5_instruments_linear.jsonl.gz",
        is_fed=_is_data,
    ),
    Subject(
        "bybit_spot",
        ("bybit_spot/cryptofeed_20260809_v5_book200_trades_tickers_kline_BTC.jsonl",),
        reads,
        BARE,
        OURS,
        Cryptofeed(
            "Bybit",
            SPOT_CHANNELS,
            all_parsed,
            address="wss://stream.bybit.com/v5/public/spot",
            native=lambda native: native.removesuffix("USDT") + "/USDT",
        ),
        _ccxt("spot"),
        ALTERNATIVES,
        listing="bybit_spot/cryptofeed_20260809_v5_instruments_spot.jsonl.gz",
        is_fed=lambda raw: _is_data(raw) and b'"tickers.' not in raw[:64],
        remarks=("Tickers are left out for all: Cryptofeed has no such channel on spot.",),
    ),
)

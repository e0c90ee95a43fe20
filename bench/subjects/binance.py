"""Binance, futures and spot: one symbol at full speed, one with marks, four small ones with candles, and spot.

The recordings have no listing of their own symbols, so the smallest that the rivals can start from is made.
Cryptofeed knows the trade stream only as `aggTrade`, so `trade` messages are renamed to that (same size,
same work) before the clock starts. CCXT Pro gets its messages without the combined stream's wrapper, as
its own subscriptions do.
"""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from bench.subjects import Book, Ccxt, Cryptofeed, Frame, Ours, Route, Said, Subject, pairs

QUOTES = ("USDT", "ETH", "BTC", "EUR")
KINDS = {
    "trade": "trades",
    "aggTrade": "trades",
    "bookTicker": "quotes",
    "markPriceUpdate": "marks",
    "kline": "candles",
}

# ── What is told ──────────────────────────────────────────────────────────────────────────────


def reads(message: Any) -> list[Said | Book]:
    data = message["data"]
    kind = data.get("e", "bookTicker")
    if kind == "depthUpdate":
        return [Book(data["s"], pairs(data["b"]), pairs(data["a"]), last=data["u"])]
    return [Said(KINDS[kind])]


def snapshot(frame: Frame) -> tuple[str, Book] | None:
    if "/depth?" not in frame.url:
        return None
    symbol = parse_qs(urlsplit(frame.url).query)["symbol"][0]
    body = json.loads(frame.raw)
    return symbol, Book(symbol, pairs(body["bids"]), pairs(body["asks"]), True, body["lastUpdateId"])


# ── The bare decode ───────────────────────────────────────────────────────────────────────────


class Level(msgspec.Struct, array_like=True, gc=False):
    price: float
    size: float


class Depth(msgspec.Struct, tag_field="e", tag="depthUpdate", gc=False):
    s: str
    E: int
    U: int
    u: int
    b: list[Level]
    a: list[Level]
    pu: int | None = None


class Trade(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    s: str
    E: int
    T: int
    t: int
    p: float
    q: float
    m: bool
    X: str | None = None


class AggregateTrade(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    s: str
    E: int
    T: int
    a: int
    p: float
    q: float
    f: int
    l: int  # noqa: E741 - the venue's name
    m: bool


class Ticker(msgspec.Struct, tag_field="e", tag="bookTicker", gc=False):
    s: str
    u: int
    b: float
    B: float
    a: float
    A: float
    E: int | None = None


class SpotTicker(msgspec.Struct, gc=False):
    """Spot sends this one without a tag."""

    s: str
    u: int
    b: float
    B: float
    a: float
    A: float


class Mark(msgspec.Struct, tag_field="e", tag="markPriceUpdate", gc=False):
    s: str
    E: int
    p: float
    i: float
    r: float
    T: int


class Candle(msgspec.Struct, gc=False):
    t: int
    T: int
    i: str
    o: float
    h: float
    l: float  # noqa: E741 - the venue's name
    c: float
    v: float
    n: int
    x: bool


class Kline(msgspec.Struct, tag_field="e", tag="kline", gc=False):
    s: str
    E: int
    k: Candle


class Tagged(msgspec.Struct, gc=False):
    data: Depth | Trade | AggregateTrade | Ticker | Mark | Kline


class Untagged(msgspec.Struct, gc=False):
    data: SpotTicker


BY_TYPE: dict[type, str] = {
    Depth: "diffs",
    Trade: "trades",
    AggregateTrade: "trades",
    Ticker: "quotes",
    Mark: "marks",
    Kline: "candles",
}

# ── The rivals ────────────────────────────────────────────────────────────────────────────────


def _row(native: str, futures: bool) -> dict[str, Any]:
    quote = next(one for one in QUOTES if native.endswith(one))
    perpetual = {"contractType": "PERPETUAL", "deliveryDate": 4133404800000, "onboardDate": 1569398400000}
    return {
        "symbol": native,
        "pair": native,
        "status": "TRADING",
        "baseAsset": native.removesuffix(quote),
        "quoteAsset": quote,
        "marginAsset": quote,
        "pricePrecision": 8,
        "quantityPrecision": 8,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "isSpotTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.0001", "maxPrice": "1000000", "tickSize": "0.0001"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        ],
        **(perpetual if futures else {}),
    }


def _listing(futures: bool) -> Any:
    return lambda _, symbols: {"symbols": [_row(one, futures) for one in symbols]}


def _as_aggregate(raw: bytes) -> str:
    if b'"e":"trade"' not in raw:
        return raw.decode()
    message = json.loads(raw)
    data = message["data"]
    number = data.pop("t")
    data.update(e="aggTrade", a=number, f=number, l=number)
    return json.dumps(message, separators=(",", ":"))


def _unwrapped(message: bytes) -> str:
    text = message.decode()
    return text[text.index('"data":') + len('"data":') : -1]


def _seed(exchange: Any, symbol: str, body: Any) -> Any:
    book = exchange.parse_order_book(body, symbol, body.get("T"))
    book["nonce"] = body["lastUpdateId"]
    return book


def _cryptofeed(exchange: str, futures: bool) -> Cryptofeed:
    channels = {"trades": "trades", "ticker": "quotes", "l2_book": "books", "candles": "candles"}
    return Cryptofeed(
        exchange,
        channels | ({"funding": "marks"} if futures else {}),
        _listing(futures),
        amended=_as_aggregate,
    )


def _ccxt(exchange: str, url: str, futures: bool) -> Ccxt:
    path = "fapi/v1/exchangeInfo" if futures else "api/v3/exchangeInfo"
    kinds = {
        "trade": "trades",
        "orderbook": "applied",
        "bidask": "quotes",
        "markPrice": "marks",
        "ohlcv": "candles",
    }
    return Ccxt(
        exchange,
        url,
        lambda listing, symbols: {path: _listing(futures)(listing, symbols)},
        kinds,
        {
            "fetchMarkets": {"types": ["linear" if futures else "spot"]},
            "crossMarginPairsData": [],  # asked of REST otherwise
            "isolatedMarginPairsData": [],
            "fetchMargins": False,
        },
        amended=_unwrapped,
        seed=_seed,
    )


OURS = Ours(
    {"prices": "quotes", "trades": "trades", "mark_prices": "marks", "candles": "candles"},
    ignored={"not a trade": "trades"},  # rows of the trade stream that are no trades on the book
)

SUBJECTS = (
    Subject(
        "binance_futures",
        (
            "binance_futures/hftbacktest_20240808_BTCUSDT.jsonl.gz",
            "binance_futures/hftbacktest_20230404_BTCUSDT_markprice.jsonl.gz",
            "binance_futures/cryptofeed_20210722_depth_aggtrade_bbo_kline.jsonl.gz",
        ),
        reads,
        (Route(b"", Tagged, BY_TYPE),),
        OURS,
        _cryptofeed("BinanceFutures", futures=True),
        _ccxt("binanceusdm", "wss://fstream.binance.com/ws", futures=True),
        snapshot=snapshot,
        is_old=lambda diff, last: diff.last < last,
    ),
    Subject(
        "binance_spot",
        ("binance_spot/hftbacktest_20240808_BTCUSDT.jsonl.gz",),
        reads,
        (Route(b"@bookTicker", Untagged, "quotes"), Route(b"", Tagged, BY_TYPE)),
        OURS,
        _cryptofeed("Binance", futures=False),
        _ccxt("binance", "wss://stream.binance.com:9443/ws", futures=False),
        snapshot=snapshot,
        is_old=lambda diff, last: diff.last <= last,  # spot counts the one that ends at the snapshot as old
    ),
)

"""Kraken Futures: ten inverse contracts, one level a message, as recorded in 2021.

Acknowledgements are left out. Cryptofeed leaves out the backlog of trades that begins a subscription (ten
messages of a hundred trades): it is counted by the trades that follow.
"""

from typing import Any

import msgspec

from bench.subjects import Book, Ccxt, Cryptofeed, Levels, Ours, Route, Said, Subject, parsed

# ── What is told ──────────────────────────────────────────────────────────────────────────────


def reads(message: Any) -> list[Said | Book]:
    feed, product = message["feed"], message["product_id"]
    if feed == "book":
        level = [(float(message["price"]), float(message["qty"]))]
        return [Book(product, *((level, []) if message["side"] == "buy" else ([], level)))]
    if feed == "book_snapshot":
        return [Book(product, _levels(message["bids"]), _levels(message["asks"]), whole=True)]
    if feed == "trade":
        return [Said("trades"), Said("later trades"), Said("trade messages")]
    if feed == "trade_snapshot":
        return [Said("trades", len(message["trades"])), Said("trade messages")]
    return [Said("quotes")]


def _levels(levels: list[Any]) -> Levels:
    return [(float(one["price"]), float(one["qty"])) for one in levels]


# ── The bare decode ───────────────────────────────────────────────────────────────────────────


class Level(msgspec.Struct, gc=False):
    price: float
    qty: float


class Change(msgspec.Struct, gc=False, tag_field="feed", tag="book"):
    product_id: str
    side: str
    seq: int
    price: float
    qty: float
    timestamp: int


class Snapshot(msgspec.Struct, gc=False, tag_field="feed", tag="book_snapshot"):
    product_id: str
    seq: int
    timestamp: int
    bids: list[Level]
    asks: list[Level]


class Trade(msgspec.Struct, gc=False, tag_field="feed", tag="trade"):
    product_id: str
    uid: str
    side: str
    type: str
    seq: int
    time: int
    qty: float
    price: float


class Trades(msgspec.Struct, gc=False, tag_field="feed", tag="trade_snapshot"):
    product_id: str
    trades: list[Trade]


class Ticker(msgspec.Struct, gc=False, tag_field="feed", tag="ticker_lite"):
    product_id: str
    bid: float
    ask: float


BY_TYPE: dict[type, str] = {
    Change: "diffs",
    Snapshot: "diffs",
    Trade: "trade messages",
    Trades: "trade messages",
    Ticker: "quotes",
}

# ── The rivals ────────────────────────────────────────────────────────────────────────────────


def _in_capitals(listing: list[bytes], natives: list[str]) -> Any:
    """As the venue writes products today, and wrote them on its socket in 2021."""
    body = parsed(listing, natives)
    for one in body["instruments"]:
        one["symbol"] = one["symbol"].upper()
    return {"instruments": body}


SUBJECTS = (
    Subject(
        "kraken_futures",
        ("kraken_futures/cryptofeed_20210722_book_trade_tickerlite.jsonl.gz",),
        reads,
        (Route(b"", Change | Snapshot | Trade | Trades | Ticker, BY_TYPE),),
        Ours({"trades": "trades", "prices": "quotes"}),
        Cryptofeed(
            "KrakenFutures",
            {"trades": "later trades", "ticker": "quotes", "l2_book": "books"},
            parsed,
            native=str.lower,
        ),
        Ccxt(
            "krakenfutures",
            "wss://futures.kraken.com/ws/v1",
            _in_capitals,
            {"trade": "trade messages", "orderbook": "applied", "bidask": "quotes"},
        ),
        (frozenset({"trades", "later trades", "trade messages"}),),
        listing="kraken_futures/cryptofeed_20210722_instruments.jsonl",
        is_fed=lambda raw: b'"event"' not in raw[:64],
    ),
)

"""OKX: books, trades and tickers as recorded in 2022, and its fastest books of 2021.

Frames of those years carry a checksum of the book and no ids; today they carry ids, and 0 for a checksum.
Before the clock starts they are written as today's, so that no contestant checks what is no longer sent.
Acknowledgements are left out. The listing of that day holds
swaps alone; rivals get rows for the recording's other products in its form.
"""

import json
from typing import Any

import msgspec

from bench.subjects import Book, Ccxt, Cryptofeed, Frame, Ours, Route, Said, Subject, pairs, parsed

# ── As it is sent today ───────────────────────────────────────────────────────────────────────


def with_ids(frames: list[Frame]) -> list[Frame]:
    """Number the books' frames as today's are, each naming the one before of its product."""
    last: dict[str, int] = {}
    return [_with_ids(frame, number, last) for number, frame in enumerate(frames, start=1)]


def _with_ids(frame: Frame, number: int, last: dict[str, int]) -> Frame:
    if b'"books' not in frame.raw[:64]:
        return frame
    message = json.loads(frame.raw)
    symbol = message["arg"]["instId"]
    (book,) = message["data"]
    book.update(checksum=0, prevSeqId=-1 if message["action"] == "snapshot" else last[symbol], seqId=number)
    last[symbol] = number
    return frame._replace(raw=json.dumps(message, separators=(",", ":")).encode())


# ── What is told ──────────────────────────────────────────────────────────────────────────────


def reads(message: Any) -> list[Said | Book]:
    channel, data = message["arg"]["channel"], message["data"]
    if channel.startswith("books"):
        symbol, whole = message["arg"]["instId"], message["action"] == "snapshot"
        return [Book(symbol, pairs(one["bids"]), pairs(one["asks"]), whole) for one in data]
    return [Said(channel, len(data))]


# ── The bare decode ───────────────────────────────────────────────────────────────────────────


class Level(msgspec.Struct, array_like=True, gc=False):
    price: float
    size: float


class Argument(msgspec.Struct, gc=False):
    channel: str
    instId: str


class Sides(msgspec.Struct, gc=False):
    asks: list[Level]
    bids: list[Level]
    ts: int
    checksum: int
    seqId: int | None = None
    prevSeqId: int | None = None


class Depth(msgspec.Struct, gc=False):
    arg: Argument
    action: str
    data: list[Sides]


class Trade(msgspec.Struct, gc=False):
    instId: str
    tradeId: str
    px: float
    sz: float
    side: str
    ts: int


class Trades(msgspec.Struct, gc=False):
    data: list[Trade]


class Told(msgspec.Struct, gc=False):
    instId: str
    last: float
    askPx: float
    askSz: float
    bidPx: float
    bidSz: float
    open24h: float
    high24h: float
    low24h: float
    volCcy24h: float
    vol24h: float
    ts: int


class Tickers(msgspec.Struct, gc=False):
    data: list[Told]


# ── The rivals ────────────────────────────────────────────────────────────────────────────────


def _kind(native: str) -> str:
    """The venue's type of a product, by the form of its name."""
    last = native.rpartition("-")[2]
    if last == "SWAP":
        return "SWAP"
    return "FUTURES" if last.isdigit() else "SPOT" if native.count("-") == 1 else "OPTION"


def _row(native: str) -> dict[str, Any]:
    base, quote, *rest = native.split("-")
    inverse = quote == "USD"
    return {
        "instType": _kind(native),
        "instId": native,
        "uly": f"{base}-{quote}",
        "baseCcy": base,
        "quoteCcy": quote,
        "settleCcy": base if inverse else quote,
        "ctValCcy": quote if inverse else base,
        "ctType": "inverse" if inverse else "linear",
        "ctVal": "1",
        "ctMult": "1",
        "expTime": "1924992000000" if rest and rest[0] != "SWAP" else "",
        "listTime": "1548133413000",
        "lotSz": "1",
        "minSz": "1",
        "tickSz": "0.1",
        "state": "live",
        "stk": rest[1] if len(rest) == 3 else "",
        "optType": rest[2] if len(rest) == 3 else "",
        "alias": "",
        "category": "1",
        "lever": "75",
    }


def _listing(listing: list[bytes], natives: list[str]) -> list[dict[str, Any]]:
    recorded = {one["instId"]: one for one in parsed(listing, natives)["data"]}
    return [recorded.get(one) or _row(one) for one in natives]


def _by_type(listing: list[bytes], natives: list[str]) -> dict[str, Any]:
    rows = _listing(listing, natives)
    kinds = ("SPOT", "SWAP", "FUTURES", "OPTION")
    return {f"instType={kind}": {"data": [one for one in rows if one["instType"] == kind]} for kind in kinds}


SUBJECTS = (
    Subject(
        "okx_futures",
        (
            "okx_futures/cryptofeed_20220513_v5_books_trades_tickers.jsonl",
            "okx_futures/cryptofeed_20210722_v5_bookstbt_a.jsonl.gz",
        ),
        reads,
        (
            Route(b'"books', Depth, "diffs"),
            Route(b'"trades"', Trades, "trades"),
            Route(b'"tickers"', Tickers, "tickers"),
        ),
        Ours(
            {"trades": "trades", "ticker_24h": "tickers"},
            symbol=lambda native: (
                native.replace("-", "").removesuffix("SWAP") if native.endswith("-USDT-SWAP") else native
            ),
        ),
        Cryptofeed(
            "OKX",
            {"trades": "trades", "ticker": "tickers", "l2_book": "books"},
            lambda listing, natives: [{"data": _listing(listing, natives)}],
        ),
        Ccxt(
            "okx",
            "wss://ws.okx.com:8443/ws/v5/public",
            _by_type,
            {"trades": "trades", "tickers": "tickers", "books": "applied", "books-l2-tbt": "applied"},
            {"defaultUnderlying": ["BTC-USD"]},
            hashes=lambda symbol: [f"books:{symbol}", f"books-l2-tbt:{symbol}"],
        ),
        listing="okx_futures/cryptofeed_20220513_v5_instruments_swap.jsonl",
        is_fed=lambda raw: b'"event"' not in raw[:64],
        amended=with_ids,
        remarks=("Books of 2021 and 2022 are given the ids, and the checksum of 0, that they carry today.",),
    ),
)

"""Gate's USDT futures: five contracts, books by ids with snapshots by REST, best quotes, as recorded in 2023."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from bench.subjects import Book, Ccxt, Cryptofeed, Frame, Levels, Ours, Route, Said, Subject, parsed

# ── What is told ──────────────────────────────────────────────────────────────────────────────


def reads(message: Any) -> list[Said | Book]:
    said = message["result"]
    if message["channel"] == "futures.order_book_update":
        return [Book(said["s"], _levels(said["b"]), _levels(said["a"]), last=said["u"])]
    return [Said("quotes")]


def snapshot(frame: Frame) -> tuple[str, Book] | None:
    if "/order_book?" not in frame.url:
        return None
    symbol = parse_qs(urlsplit(frame.url).query)["contract"][0]
    body = json.loads(frame.raw)
    return symbol, Book(symbol, _levels(body["bids"]), _levels(body["asks"]), True, body["id"])


def _levels(levels: list[Any]) -> Levels:
    return [(float(one["p"]), float(one["s"])) for one in levels]


# ── The bare decode ───────────────────────────────────────────────────────────────────────────


class Level(msgspec.Struct, gc=False):
    p: float
    s: float


class Sides(msgspec.Struct, gc=False):
    t: int
    s: str
    U: int
    u: int
    b: list[Level]
    a: list[Level]


class Depth(msgspec.Struct, gc=False, tag_field="channel", tag="futures.order_book_update"):
    result: Sides


class Best(msgspec.Struct, gc=False):
    t: int
    u: int
    s: str
    b: float
    B: float
    a: float
    A: float


class Ticker(msgspec.Struct, gc=False, tag_field="channel", tag="futures.book_ticker"):
    result: Best


# ── The rivals ────────────────────────────────────────────────────────────────────────────────


def _seed(exchange: Any, symbol: str, body: Any) -> Any:
    book = exchange.parse_order_book(body, symbol, None, "bids", "asks", "p", "s")
    book["nonce"] = body["id"]
    return book


SUBJECTS = (
    Subject(
        "gate_futures",
        ("gate_futures/cryptofeed_20230524_obu_bbo_candles_a.jsonl",),
        reads,
        (Route(b"", Depth | Ticker, {Depth: "diffs", Ticker: "quotes"}),),
        Ours({"prices": "quotes"}, symbol=lambda native: native.replace("_", "")),
        Cryptofeed("GateioFutures", {"ticker": "quotes", "l2_book": "books"}, parsed),
        Ccxt(
            "gate",
            "wss://fx-ws.gateio.ws/v4/ws/usdt",
            lambda listing, _: {"usdt/contracts": parsed(listing, _), "contracts": []},
            {"bidask": "quotes", "orderbook": "applied"},
            {"fetchMarkets": {"types": ["swap"]}},
            hashes=lambda symbol: [f"orderbook:{symbol}"],
            seed=_seed,
        ),
        listing="gate_futures/cryptofeed_20230524_contracts.jsonl",
        is_fed=lambda raw: b'"event":"update"' in raw[:128],
        snapshot=snapshot,
        is_old=lambda diff, last: diff.last <= last,
    ),
)

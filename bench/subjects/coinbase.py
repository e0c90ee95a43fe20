"""Coinbase Advanced Trade: books of two products, trades, as recorded in 2026.

Left out for all: tickers, candles and signs of life, which Cryptofeed does not know, and its own
acknowledgements. The venue says `offer` where Cryptofeed asks for `ask`.
"""

import re
from typing import Any

import msgspec

from bench.subjects import Book, Ccxt, Cryptofeed, Frame, Levels, Ours, Route, Said, Subject, parsed

# ── What is left of it ────────────────────────────────────────────────────────────────────────

_NUMBER = re.compile(rb'"sequence_num":\d+')


def renumbered(frames: list[Frame]) -> list[Frame]:
    """Number the messages without those that are left out: a hole in the numbers is a message missing."""
    return [
        frame._replace(raw=_NUMBER.sub(b'"sequence_num":%d' % number, frame.raw, count=1))
        for number, frame in enumerate(frames)
    ]


# ── What is told ──────────────────────────────────────────────────────────────────────────────


def reads(message: Any) -> list[Said | Book]:
    told: list[Said | Book] = []
    for event in message["events"]:
        if message["channel"] == "l2_data":
            bids, asks = (_levels(event["updates"], side) for side in ("bid", "offer"))
            told.append(Book(event["product_id"], bids, asks, event["type"] == "snapshot"))
        else:
            trades = len(event["trades"])
            later = 0 if event["type"] == "snapshot" else trades
            told += [Said("trades", trades), Said("later trades", later)]
    return told if message["channel"] == "l2_data" else [*told, Said("trade messages")]


def _levels(updates: list[Any], side: str) -> Levels:
    return [(float(one["price_level"]), float(one["new_quantity"])) for one in updates if one["side"] == side]


# ── The bare decode ───────────────────────────────────────────────────────────────────────────


class Level(msgspec.Struct, gc=False):
    side: str
    price_level: float
    new_quantity: float


class Change(msgspec.Struct, gc=False):
    type: str
    product_id: str
    updates: list[Level]


class Depth(msgspec.Struct, gc=False, tag_field="channel", tag="l2_data"):
    timestamp: str
    sequence_num: int
    events: list[Change]


class Trade(msgspec.Struct, gc=False):
    product_id: str
    trade_id: str
    price: float
    size: float
    time: str
    side: str


class Executed(msgspec.Struct, gc=False):
    type: str
    trades: list[Trade]


class Trades(msgspec.Struct, gc=False, tag_field="channel", tag="market_trades"):
    timestamp: str
    sequence_num: int
    events: list[Executed]


# ── The rivals ────────────────────────────────────────────────────────────────────────────────

SUBJECTS = (
    Subject(
        "coinbase_spot",
        ("coinbase_spot/cryptofeed_20260809_advancedtrade_part1.jsonl.gz",),
        reads,
        (Route(b"", Depth | Trades, {Depth: "diffs", Trades: "trade messages"}),),
        Ours({"trades": "trades"}, symbol=lambda native: native.removesuffix("-USD") + "USDT"),
        Cryptofeed(
            "Coinbase",
            {"trades": "later trades", "l2_book": "books"},
            parsed,
            keys=True,
        ),
        Ccxt(
            "coinbase",
            "wss://advanced-trade-ws.coinbase.com",
            lambda listing, _: {"product_type=FUTURE": {}, "market/products": parsed(listing, _)},
            {"market_trades": "trade messages", "level2": "applied"},
            twin="/USDC",
        ),
        (frozenset({"trades", "later trades", "trade messages"}),),
        listing="coinbase_spot/cryptofeed_20260809_advancedtrade_products.jsonl.gz",
        is_fed=lambda raw: b'"l2_data"' in raw[:32] or b'"market_trades"' in raw[:32],
        amended=renumbered,
        remarks=("Tickers, candles and signs of life are left out for all: Cryptofeed does not know them.",),
    ),
)

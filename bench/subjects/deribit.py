"""Deribit: books and tickers of ten options, as recorded in 2021 on its fastest channels.

Cryptofeed counts open interest as a callback of its own, and only where it changes.
"""

from typing import Any

import msgspec

from bench.subjects import Book, Ccxt, Cryptofeed, Levels, Ours, Route, Said, Subject, all_parsed

# ── What is told ──────────────────────────────────────────────────────────────────────────────


def reads(message: Any) -> list[Said | Book]:
    params = message["params"]
    data = params["data"]
    if params["channel"].startswith("ticker."):
        return [Said("tickers")]
    whole = "prev_change_id" not in data
    return [Book(data["instrument_name"], _levels(data["bids"]), _levels(data["asks"]), whole)]


def _levels(levels: list[Any]) -> Levels:
    return [(float(price), 0.0 if action == "delete" else float(size)) for action, price, size in levels]


# ── The bare decode ───────────────────────────────────────────────────────────────────────────


class Level(msgspec.Struct, array_like=True, gc=False):
    action: str
    price: float
    size: float


class Sides(msgspec.Struct, gc=False):
    timestamp: int
    instrument_name: str
    change_id: int
    bids: list[Level]
    asks: list[Level]
    prev_change_id: int | None = None


class DepthParams(msgspec.Struct, gc=False):
    data: Sides


class Depth(msgspec.Struct, gc=False):
    params: DepthParams


class Greeks(msgspec.Struct, gc=False):
    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


class Told(msgspec.Struct, gc=False):
    timestamp: int
    instrument_name: str
    mark_price: float
    index_price: float
    open_interest: float
    best_bid_price: float | None = None
    best_bid_amount: float | None = None
    best_ask_price: float | None = None
    best_ask_amount: float | None = None
    last_price: float | None = None
    mark_iv: float | None = None
    bid_iv: float | None = None
    ask_iv: float | None = None
    underlying_price: float | None = None
    greeks: Greeks | None = None


class TickerParams(msgspec.Struct, gc=False):
    data: Told


class Ticker(msgspec.Struct, gc=False):
    params: TickerParams


# ── The rivals ────────────────────────────────────────────────────────────────────────────────


def _listed(listing: list[bytes], natives: list[str]) -> dict[str, Any]:
    rows = [row for body in all_parsed(listing, natives) for row in body["result"]]
    for one in rows:  # named `counter_currency` today beside the older name
        one.setdefault("counter_currency", one["quote_currency"])
        one.setdefault("settlement_currency", one["base_currency"])
    return {"get_instruments": {"result": rows}}


SUBJECTS = (
    Subject(
        "deribit_futures",
        ("deribit_futures/cryptofeed_20210722_book_ticker_options.jsonl",),
        reads,
        (Route(b'"ticker.', Ticker, "tickers"), Route(b'"book.', Depth, "diffs")),
        Ours({"options": "tickers"}),
        Cryptofeed(
            "Deribit",
            {"ticker": "tickers", "l2_book": "books"},
            all_parsed,
            keys=True,
        ),
        Ccxt(
            "deribit",
            "wss://www.deribit.com/ws/api/v2",
            _listed,
            {"ticker": "tickers", "book": "applied"},
        ),
        listing="deribit_futures/cryptofeed_20210722_instruments.jsonl.gz",
        is_fed=lambda raw: b'"subscription"' in raw[:64],
    ),
)

"""Hyperliquid: whole books of 20 levels and trades, as recorded in 2025. Cryptofeed has no such venue."""

from typing import Any

import msgspec

from bench.subjects import Book, Ccxt, Levels, Ours, Route, Said, Subject, Unable

# ── What is told ──────────────────────────────────────────────────────────────────────────────


def reads(message: Any) -> list[Said | Book]:
    data = message["data"]
    if message["channel"] == "l2Book":
        bids, asks = data["levels"]
        return [Book(data["coin"], _levels(bids), _levels(asks), whole=True)]
    return [Said("trades", len(data)), Said("trade messages")]


def _levels(levels: list[Any]) -> Levels:
    return [(float(one["px"]), float(one["sz"])) for one in levels]


# ── The bare decode ───────────────────────────────────────────────────────────────────────────


class Level(msgspec.Struct, gc=False):
    px: float
    sz: float


class Sides(msgspec.Struct, gc=False):
    coin: str
    time: int
    levels: tuple[list[Level], list[Level]]


class Depth(msgspec.Struct, gc=False, tag_field="channel", tag="l2Book"):
    data: Sides


class Trade(msgspec.Struct, gc=False):
    coin: str
    side: str
    px: float
    sz: float
    time: int
    tid: int


class Trades(msgspec.Struct, gc=False, tag_field="channel", tag="trades"):
    data: list[Trade]


def _kinds() -> dict[type, str]:
    return {Sides: "diffs", list: "trade messages"}


# ── The rivals ────────────────────────────────────────────────────────────────────────────────


def _meta(_: list[bytes], natives: list[str]) -> dict[str, Any]:
    """What `info` answers about these coins, in the fields that are read."""
    universe = [{"name": one, "szDecimals": 5, "maxLeverage": 50} for one in natives]
    told = {"funding": "0.0000125", "openInterest": "1", "markPx": "1", "midPx": "1", "oraclePx": "1"}
    return {"info": [{"universe": universe}, [told for _ in natives]]}


SUBJECTS = (
    Subject(
        "hyperliquid_futures",
        ("hyperliquid_futures/hftbacktest_20250126_l2book_trades_part1.jsonl",),
        reads,
        (Route(b"", Depth | Trades, _kinds()),),
        Ours({"trades": "trades"}, symbol=lambda native: f"{native}USDT"),
        Unable("Cryptofeed has no Hyperliquid"),
        Ccxt(
            "hyperliquid",
            "wss://api.hyperliquid.xyz/ws",
            _meta,
            {"trade": "trade messages", "orderbook": "applied"},
            {"fetchMarkets": {"types": ["swap"]}},
            symbol=lambda exchange, native: f"{native}/USDC:USDC",
        ),
        (frozenset({"trades", "trade messages"}),),
    ),
)

"""Hyperliquid's spot pairs, which are asked over REST alone here; its form stands last.

Pairs are called by numbers and by their tokens: `PURR/USDC` is listed and not traded.
"""

from collections.abc import Mapping
from typing import Any

from orderflow.sim import hyperliquid_wire as wire
from orderflow.sim.hyperliquid_rest import COMMON, endpoints, refusal
from orderflow.sim.listings import COINS, Listing, Place, Wording
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form, Limits, Question, Streams

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "1", "0.00001", 1, 5, native="@142"),
        Listing("ETHUSDT", "0.1", "0.0001", 1, 4, native="@151"),
        Listing("SOLUSDT", "0.01", "0.001", 3, 3, native="@156"),
    )
}
_HELD = {"BTC": "Bitcoin", "ETH": "Ethereum", "SOL": "Solana"}  # by the bridge, as tokens of its own
_QUIET = "PURR/USDC"


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    return None


def streams(venue: str, market: Market) -> Streams:
    return Streams()


def _token(index: int, name: str, decimals: int, full: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "szDecimals": decimals,
        "weiDecimals": 8,
        "index": index,
        "tokenId": f"0x{index:032x}",
        "isCanonical": index < 2,
        "evmContract": None,
        "fullName": full,
        "deployerTradingFeeShare": "0.0",
    }


def _meta(asked: Question) -> dict[str, Any]:
    """All pairs that are listed, simulated or not, and the tokens that they are made of."""
    tokens = [_token(0, "USDC", 8, None), _token(1, "PURR", 0, None)]
    pairs: list[dict[str, Any]] = [{"name": _QUIET, "tokens": [1, 0], "index": 0, "isCanonical": True}]
    for place, (symbol, listing) in enumerate(LISTINGS.items(), 197):
        base = COINS[symbol].base
        decimals = len(listing.lot.partition(".")[2])
        tokens.append(_token(place, f"U{base}", decimals, f"Unit {_HELD[base]}"))
        number = int(listing.native.removeprefix("@"))
        pairs.append({"name": listing.native, "tokens": [place, 0], "index": number, "isCanonical": False})
    return {"universe": pairs, "tokens": tokens}


def _contexts(asked: Question) -> Any:
    quiet = {"prevDayPx": "0.1", "dayNtlVlm": "0.0", "dayBaseVlm": "0.0", "markPx": "0.1", "midPx": None}
    supply = {"circulatingSupply": "0.0", "totalSupply": "0.0"}
    rows: list[dict[str, Any]] = [{**quiet, **supply, "coin": _QUIET}]
    for symbol, listing in LISTINGS.items():
        said = quiet
        if symbol in asked.markets:
            exchange = asked.markets[symbol].exchanges[asked.venue]
            said = wire.day(Wording(listing), exchange, exchange.mid)
        rows.append({**said, **supply, "coin": listing.native})
    return [_meta(asked), rows]


# ── The form ──────────────────────────────────────────────────────────────────────────────────

HYPERLIQUID_SPOT = Form(
    name="hyperliquid_spot",
    place=Place(kind="spot", listings=LISTINGS),
    limits=Limits(weight=1200, patience=1_000_000),
    route_of=route_of,
    streams=streams,
    endpoints=endpoints({**COMMON, "spotMeta": _meta, "spotMetaAndAssetCtxs": _contexts}),
    refusal=refusal,
)

"""What OKX answers about swaps, and no stream carries: ratios, takers, tiers, funds, ends of contracts.

Docs    https://www.okx.com/docs-v5/en/
Times   rows of statistics begin their period; a ratio keeps that time, volumes are told at their end.
        UNCONFIRMED: the documents call the periods bars that open, and say no more.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import MS, SECOND, Event, Nanos
from orderflow.market.facts import (
    Asset,
    LongShort,
    RiskTier,
    TakerVolume,
)
from orderflow.venues.okx import IN_5, IN_10, IN_20, IN_40, facts, number, reads
from orderflow.venues.okx.wire import BookRow
from orderflow.venues.okx_futures.rest import INDEX, INSTRUMENT, books
from orderflow.venues.okx_futures.rows import VENUE, IndexRow, listed
from orderflow.venues.questions import seconds
from orderflow.venues.spec import Answer, Endpoint, Memory, Query

# Our periods in the venue's words; longer ones are cut by its own day unless they end in utc.
PERIODS = {
    "5m": "5m",
    "15m": "15m",
    "30m": "30m",
    "1h": "1H",
    "2h": "2H",
    "4h": "4H",
    "6h": "6Hutc",
    "12h": "12Hutc",
    "1d": "1Dutc",
    "2d": "2Dutc",
    "3d": "3Dutc",
    "5d": "5Dutc",
    "1w": "1Wutc",
    "1M": "1Mutc",
    "3M": "3Mutc",
}
_OURS = {theirs: ours for ours, theirs in PERIODS.items()}


def _length_s(query: Query) -> float | None:
    """Return how long the period of a question is; None for months, or where it is not known."""
    return seconds(_OURS.get(query.get("period", ""), ""))


# ── Ratios and takers ─────────────────────────────────────────────────────────────────────────


class _Ratio(msgspec.Struct, array_like=True, gc=False):
    ts: int
    ratio: float


class _Takers(msgspec.Struct, array_like=True, gc=False):
    ts: int
    sold: float
    bought: float


def _ratios(of: Literal["accounts", "top_accounts", "top_positions"]) -> Answer:
    def meaning(found: list[_Ratio], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        symbol, length_s = listed(query.get("instId", ""), memory).symbol, _length_s(query)
        return [
            LongShort(VENUE, symbol, one.ts * MS, ts_recv, of, one.ratio, period_s=length_s) for one in found
        ]

    return reads(VENUE, _Ratio, meaning)


_UNITS: dict[str, Literal["base", "quote", "contracts"]] = {"0": "base", "1": "contracts", "2": "quote"}


def _takers(found: list[_Takers], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode sums of a period, what was sold first; without a `unit` they count contracts."""
    symbol, length_s = listed(query.get("instId", ""), memory).symbol, _length_s(query)
    unit = _UNITS.get(query.get("unit", "1"))
    if unit is None:
        raise VenueChanged(f"{VENUE}: takers' volume in an unknown unit {query['unit']!r}")
    ahead = 0 if length_s is None else round(length_s * SECOND)
    return [
        TakerVolume(VENUE, symbol, one.ts * MS + ahead, ts_recv, one.bought, one.sold, unit, length_s)
        for one in found
    ]


# ── Tiers ─────────────────────────────────────────────────────────────────────────────────────


class _Tier(msgspec.Struct, gc=False):
    tier: int
    instFamily: str = ""
    minSz: str = ""
    maxSz: str = ""
    imr: str = ""
    mmr: str = ""
    maxLever: str = ""


def _tiers(found: list[_Tier], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode tiers of cross margin; sizes are contracts, told in base units where their size is known."""
    events: list[Event] = []
    for one in sorted(found, key=lambda one: one.tier):
        of = listed(f"{one.instFamily or query.get('instFamily', '')}-SWAP", memory)
        known = not of.inverse and of.times == of.times  # an unknown size is NaN
        least, most = (
            of.base(size, 0.0) if known and size is not None else size
            for size in (number(one.minSz), number(one.maxSz))
        )
        events.append(
            RiskTier(
                *(VENUE, of.symbol, None, ts_recv, one.tier, most, "base" if known else "contracts"),
                initial_margin=number(one.imr),
                maintenance_margin=number(one.mmr),
                max_leverage=number(one.maxLever),
                floor=least,
            )
        )
    return events


# ── Indices ───────────────────────────────────────────────────────────────────────────────────


def _indices(found: list[IndexRow], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [
        Asset(VENUE, "", one.ts * MS, ts_recv, one.instId.replace("-", ""), one.instId, "index")
        for one in found
    ]


# ── Endpoints ─────────────────────────────────────────────────────────────────────────────────

_V5, _STAT = "/api/v5", "/api/v5/rubik/stat"
_NOTHING: dict[str, str] = {}


def _of_listed(native: str, memory: Memory) -> str:
    return listed(native, memory).symbol


def _statistic(name: str, path: str, decode: Answer, more: dict[str, str] | None = None) -> Endpoint:
    every = {"period": "1H", "limit": "100", **(more or {})}
    return Endpoint(name, _STAT + path, decode, every, ("instId",), bucket=IN_5, of_symbol=INSTRUMENT)


def _index_list(name: str, quote: str) -> Endpoint:
    """Return the endpoint of all indices in a quote; with `instId` the same path answers about one."""
    asks = {"quoteCcy": quote}
    return Endpoint(
        *(name, f"{_V5}/market/index-tickers", reads(VENUE, IndexRow, _indices), asks),
        bucket=IN_20,
        of_symbol=_NOTHING,
        when=asks,
    )


RATIOS = (
    _statistic("account_ratio", "/contracts/long-short-account-ratio-contract", _ratios("accounts")),
    _statistic(
        *("top_account_ratio", "/contracts/long-short-account-ratio-contract-top-trader"),
        _ratios("top_accounts"),
    ),
    _statistic(
        *("top_position_ratio", "/contracts/long-short-position-ratio-contract-top-trader"),
        _ratios("top_positions"),
    ),
)
FACTS = (
    *RATIOS,
    _statistic("taker_volume", "/taker-volume-contract", reads(VENUE, _Takers, _takers), {"unit": "0"}),
    _index_list("indices", "USDT"),
    _index_list("dollar_indices", "USD"),
    Endpoint(
        *("full_depth", f"{_V5}/market/books-full", reads(VENUE, BookRow, books), {"sz": "400"}, ("instId",)),
        bucket=IN_10,
        of_symbol=INSTRUMENT,
    ),
    Endpoint(
        *("tiers", f"{_V5}/public/position-tiers", reads(VENUE, _Tier, _tiers)),
        *({"instType": "SWAP", "tdMode": "cross"}, ("instFamily",)),
        bucket=IN_10,
        of_symbol={"instFamily": INDEX["instId"]},
    ),
    Endpoint(
        *("insurance_fund", f"{_V5}/public/insurance-fund", facts.insurance_fund(VENUE)),
        *({"instType": "SWAP"}, ("instFamily",)),
        bucket=IN_10,
        of_symbol=_NOTHING,
    ),
    Endpoint(
        *("deliveries", f"{_V5}/public/delivery-exercise-history", facts.deliveries(VENUE, _of_listed)),
        *({"instType": "FUTURES"}, ("instFamily",)),
        bucket=IN_40,
        of_symbol=_NOTHING,
    ),
    Endpoint(
        *("settlements", f"{_V5}/public/settlement-history", facts.settlements(VENUE, _of_listed)),
        needs=("instFamily",),
        bucket=IN_40,
        of_symbol=_NOTHING,
    ),
)

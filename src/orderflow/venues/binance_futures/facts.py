"""What Binance futures answers when it is asked and no stream carries: ratios, volumes, funds, deliveries.

Docs    https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data
Times   of a ratio and of a basis, the instant that they are of; of what takers traded, one end of the
        period, and which end is UNCONFIRMED: the daily files named the last instant of a period until June
        2026 and name its first since then.
Units   volumes of takers are base units, as the document's example has them; the basis is quote units.
Keys    the ratios of top traders may want a key (UNCONFIRMED): they are left out then, and it is said.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from orderflow.market.events import MS, Event, Nanos
from orderflow.market.facts import Asset, Basis, InsuranceFund, LongShort, Settlement, TakerVolume
from orderflow.venues.binance import asked
from orderflow.venues.binance_futures.socket import VENUE
from orderflow.venues.questions import seconds
from orderflow.venues.spec import Answer, Endpoint, Memory, Query

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Ratio(msgspec.Struct, gc=False):
    symbol: str
    longShortRatio: float
    longAccount: float
    shortAccount: float
    timestamp: int


class _Taken(msgspec.Struct, gc=False):
    buyVol: float
    sellVol: float
    timestamp: int


class _Basis(msgspec.Struct, gc=False):
    pair: str
    contractType: str
    basis: float
    timestamp: int
    basisRate: str = ""
    annualizedBasisRate: str = ""  # "" of a perpetual, which never expires
    futuresPrice: str = ""
    indexPrice: str = ""


class _Held(msgspec.Struct, gc=False):
    asset: str
    marginBalance: float
    updateTime: int | None = None


class _Fund(msgspec.Struct, gc=False):
    symbols: list[str]
    assets: list[_Held]


class _Delivered(msgspec.Struct, gc=False):
    deliveryTime: int
    deliveryPrice: float


class _Named(msgspec.Struct, gc=False):
    symbol: str
    time: int | None = None


_RATIOS = msgspec.json.Decoder(list[_Ratio], strict=False)
_TAKEN = msgspec.json.Decoder(list[_Taken], strict=False)
_BASES = msgspec.json.Decoder(list[_Basis], strict=False)
_FUNDS = msgspec.json.Decoder(_Fund | list[_Fund], strict=False)
_DELIVERED = msgspec.json.Decoder(list[_Delivered], strict=False)
_NAMED = msgspec.json.Decoder(_Named | list[_Named], strict=False)

# ── What it means ─────────────────────────────────────────────────────────────────────────────


def _figure(text: str) -> float | None:
    return float(text) if text else None


def _ratio(of: Literal["accounts", "top_accounts", "top_positions"]) -> Answer:
    def decode(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        period_s = seconds(query.get("period", ""))
        return [
            LongShort(
                *(VENUE, one.symbol, one.timestamp * MS, ts_recv),
                of,
                one.longShortRatio,
                one.longAccount,
                one.shortAccount,
                period_s,
            )
            for one in _RATIOS.decode(body)
        ]

    return decode


def _taken(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    symbol, period_s = query.get("symbol", ""), seconds(query.get("period", ""))
    return [
        TakerVolume(VENUE, symbol, one.timestamp * MS, ts_recv, one.buyVol, one.sellVol, "base", period_s)
        for one in _TAKEN.decode(body)
    ]


def _basis(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [
        Basis(
            *(VENUE, one.pair, one.timestamp * MS, ts_recv),
            one.basis,
            rate=_figure(one.basisRate),
            annual_rate=_figure(one.annualizedBasisRate),
            futures_price=_figure(one.futuresPrice),
            index_price=_figure(one.indexPrice),
            contract=one.contractType.lower(),
            period_s=seconds(query.get("period", "")),
        )
        for one in _BASES.decode(body)
    ]


def _insurance(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _FUNDS.decode(body)
    return [
        InsuranceFund(
            *(VENUE, "", None if held.updateTime is None else held.updateTime * MS, ts_recv),
            held.asset,
            held.marginBalance,
            markets=tuple(fund.symbols),
        )
        for fund in (said if isinstance(said, list) else [said])
        for held in fund.assets
    ]


def _deliveries(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode the delivery prices of a pair; a contract is named after its day, BTCUSDT_230929."""
    pair = query.get("pair", "")
    return [
        Settlement(
            *(VENUE, pair, one.deliveryTime * MS, ts_recv),
            "delivery",
            f"{pair}_{datetime.fromtimestamp(one.deliveryTime / 1000, UTC):%y%m%d}",
            one.deliveryPrice,
        )
        for one in _DELIVERED.decode(body)
    ]


def _indices(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode the names of indices: of composites, as DEFIUSDT, and of single coins, as ADAUSD."""
    said = _NAMED.decode(body)
    return [
        Asset(
            *(VENUE, "", None if one.time is None else one.time * MS, ts_recv),
            one.symbol,
            one.symbol,
            "index",
        )
        for one in (said if isinstance(said, list) else [said])
    ]


# ── Endpoints ─────────────────────────────────────────────────────────────────────────────────

_LATEST = {"period": "1h", "limit": "30"}


def _data(name: str, path: str, decode: Answer) -> Endpoint:
    return Endpoint(name, f"/futures/data/{path}", decode, _LATEST, ("symbol",), bucket="data")


RATIOS = (
    _data("account_ratio", "globalLongShortAccountRatio", _ratio("accounts")),
    _data("top_account_ratio", "topLongShortAccountRatio", _ratio("top_accounts")),
    _data("top_position_ratio", "topLongShortPositionRatio", _ratio("top_positions")),
)
FACTS = (
    *RATIOS,
    _data("taker_volume", "takerlongshortRatio", _taken),
    Endpoint(
        "basis",
        "/futures/data/basis",
        _basis,
        {"contractType": "PERPETUAL", **_LATEST},
        ("pair",),
        bucket="data",
        of_symbol={"pair": "{symbol}"},
    ),
    Endpoint(
        "deliveries",
        "/futures/data/delivery-price",
        _deliveries,
        needs=("pair",),
        bucket="data",
        of_symbol={},
    ),
    Endpoint("price", "/fapi/v2/ticker/price", asked.prices(VENUE), weight_of_all=2),
    Endpoint("insurance", "/fapi/v1/insuranceBalance", _insurance),
    Endpoint("composite_indices", "/fapi/v1/indexInfo", _indices),
    Endpoint("coin_indices", "/fapi/v1/assetIndex", _indices, weight_of_all=10),
)

"""Aliases of what a market looks like now: for all venues together, and the names that meant one venue."""

from typing import Any

from orderflow.tools.aliases import Alias

_COIN = {"symbol": "BTC"}
_ONE = {"symbol": "BTCUSDT"}
_ANY = {"symbol": None}
_USDT = {"settle": ("usdt",)}


def _at(venue: str, tool: str, names: str, parameters: dict[str, Any], **how: Any) -> list[Alias]:
    """Return aliases of a tool asked about one venue; `names` are those of the same question."""
    fixed = {"venues": [venue], **({"history": False} if tool == "market_snapshot" else {})}
    return [Alias(name=name, tool=tool, parameters=parameters, fixed=fixed, **how) for name in names.split()]


_TOGETHER = (
    Alias(name="get_open_interest_data", tool="market_open_interest", parameters=_ANY),
    Alias(
        name="get_open_interest",
        tool="market_open_interest",
        parameters={"symbol": None, "period": "5m", "limit": 100},
        fixed={"venues": ["binance_futures"]},
        span=("period", "limit"),
    ),
    Alias(name="get_funding_rate_data", tool="market_funding", parameters=_ANY),
    Alias(
        name="get_funding_rate",
        tool="market_funding",
        parameters=_ANY,
        fixed={"venues": ["binance_futures"], "settlements": 10},
    ),
    Alias(name="get_liquidation_data", tool="market_liquidations", parameters={"symbol": None, "limit": 20}),
    Alias(
        name="stream_liquidations",
        tool="market_liquidations",
        parameters={"symbol": None, "limit": 100},
        fixed={"venues": ["binance_futures"]},
    ),
)
_OF_ONE_VENUE = (
    # ── Open interest ─────────────────────────────────────────────────────────────────────────
    *_at(
        "binance_futures",
        "market_open_interest",
        "binance_open_interest_tool binance_get_open_interest",
        _ANY,
    ),
    *_at(
        "okx_futures",
        "market_open_interest",
        "okx_open_interest_tool okx_open_interest",
        {"inst_id": None, "inst_type": "SWAP", "uly": None},
        rename={"inst_id": "symbol", "uly": "symbol"},
        contracts=("inst_id", "uly"),
        only={"inst_type": ("SWAP",)},
    ),
    *_at("kraken_futures", "market_open_interest", "kraken_open_interest_tool kraken_open_interest", {}),
    *_at("gate_futures", "market_open_interest", "gateio_open_interest", {"settle": "usdt"}, only=_USDT),
    *_at("hyperliquid_futures", "market_open_interest", "hyperliquid_open_interest", {}),
    *_at(
        "deribit_futures",
        "market_open_interest",
        "deribit_open_interest",
        {"currency": "BTC"},
        rename={"currency": "symbol"},
        contracts=("currency",),
    ),
    # ── Funding ───────────────────────────────────────────────────────────────────────────────
    *_at(
        "okx_futures",
        "market_funding",
        "okx_funding_rate_tool okx_funding_rate",
        {"inst_id": "BTC-USDT-SWAP"},
        rename={"inst_id": "symbol"},
        contracts=("inst_id",),
    ),
    *_at("kraken_futures", "market_funding", "kraken_funding_rates_tool kraken_funding_rates", {}),
    *_at("gate_futures", "market_funding", "gateio_all_funding_rates", {"settle": "usdt"}, only=_USDT),
    *_at("hyperliquid_futures", "market_funding", "hyperliquid_all_funding_rates", {}),
    *_at(
        "deribit_futures",
        "market_funding",
        "deribit_funding_rate deribit_funding_analysis",
        {"currency": "BTC"},
        rename={"currency": "symbol"},
        contracts=("currency",),
    ),
    # ── Liquidations ──────────────────────────────────────────────────────────────────────────
    *_at(
        "binance_futures",
        "market_liquidations",
        "binance_liquidations_tool binance_get_liquidations",
        {"symbol": None, "limit": 100},
    ),
    *_at(
        "gate_futures",
        "market_liquidations",
        "gateio_liquidations",
        {"settle": "usdt", "contract": None, "limit": 100},
        rename={"contract": "symbol"},
        contracts=("contract",),
        only=_USDT,
    ),
    # ── Snapshots ─────────────────────────────────────────────────────────────────────────────
    *_at("binance_futures", "market_snapshot", "binance_snapshot_tool binance_market_snapshot", _ONE),
    *_at("binance_spot", "market_snapshot", "binance_spot_snapshot_tool binance_spot_snapshot", _ONE),
    *_at("bybit_futures", "market_snapshot", "bybit_market_snapshot_tool bybit_market_snapshot", _ONE),
    *_at(
        "okx_futures",
        "market_snapshot",
        "okx_market_snapshot_tool okx_market_snapshot",
        _COIN,
        contracts=("symbol",),
    ),
    *_at(
        "kraken_futures",
        "market_snapshot",
        "kraken_market_snapshot_tool kraken_market_snapshot",
        _COIN,
        contracts=("symbol",),
    ),
    *_at(
        "gate_futures",
        "market_snapshot",
        "gateio_market_snapshot",
        {**_COIN, "settle": "usdt"},
        contracts=("symbol",),
        only=_USDT,
    ),
    *_at(
        "hyperliquid_futures",
        "market_snapshot",
        "hyperliquid_market_snapshot",
        {"coin": "BTC"},
        rename={"coin": "symbol"},
        contracts=("coin",),
    ),
    *_at(
        "deribit_futures",
        "market_snapshot",
        "deribit_market_snapshot",
        {"currency": "BTC"},
        rename={"currency": "symbol"},
        contracts=("currency",),
    ),
)
MARKET_ALIASES: dict[str, Alias] = {one.name: one for one in (*_TOGETHER, *_OF_ONE_VENUE)}

"""What earlier systems called Gate's answers: perpetuals, dated contracts, options."""

import re
from datetime import UTC, datetime
from typing import Any

from orderflow.tools.aliases import Alias
from orderflow.tools.venue_aliases.form import at

_FUTURES, _DELIVERY, _OPTIONS = "gate_futures", "gate_delivery", "gate_options"
_SETTLED = {"settle": "usdt"}
_OF_ONE = {"contract": None, **_SETTLED}
_OF_COIN = {"underlying": None}


def _day(written: str) -> str:
    """Return the day of a number of seconds since 1970, as we write it; anything else as it is.

    >>> _day("1798185600"), _day("2026-12-25")
    ('2026-12-25', '2026-12-25')
    """
    seconds = re.fullmatch("[0-9]{9,11}", written)
    return f"{datetime.fromtimestamp(int(written), UTC):%Y-%m-%d}" if seconds else written


def _all(tool: str, name: str, *, venue: str = _FUTURES, **how: Any) -> list[Alias]:
    """Return an alias about all contracts that are settled in a currency, of which USDT is left."""
    return at(venue, tool, name, {**_SETTLED, **how.pop("parameters", {})}, only={"settle": ("usdt",)}, **how)


def _one(
    tool: str, name: str, more: dict[str, Any], rename: dict[str, str], venue: str = _FUTURES
) -> list[Alias]:
    """Return an alias about one contract, which is written as the venue writes it."""
    how: dict[str, Any] = {"contracts": ("contract",), "only": {"settle": ("usdt",)}}
    return at(venue, tool, name, {**_OF_ONE, **more}, rename={"contract": "symbol", **rename}, **how)


def _coin(tool: str, name: str) -> list[Alias]:
    """Return an alias about the coin of an underlying, which the tools of options take as it is."""
    return at(_OPTIONS, tool, name, _OF_COIN, rename={"underlying": "coin"})


def _symbol(tool: str, name: str) -> list[Alias]:
    return _all(tool, name, parameters={"symbol": "BTC"}, contracts=("symbol",))


ALIASES: tuple[Alias, ...] = (
    # ── Perpetuals ────────────────────────────────────────────────────────────────────────────
    *_all("market_instruments", "gateio_futures_contracts"),
    *_one("market_instruments", "gateio_futures_contract", {}, {}),
    *_one("market_ticker", "gateio_futures_ticker", {}, {}),
    *_all("market_tickers", "gateio_all_futures_tickers"),
    *_all("market_tickers", "gateio_perpetuals"),
    *_one("market_orderbook", "gateio_futures_orderbook", {"limit": 50}, {"limit": "depth"}),
    *_one("market_trades", "gateio_futures_trades", {"limit": 100}, {"limit": "count"}),
    *_one("market_candles", "gateio_futures_klines", {"interval": "1h", "limit": 100}, {"limit": "count"}),
    *_one("market_funding_history", "gateio_funding_rate", {"limit": 100}, {"limit": "count"}),
    *_all("market_funding", "gateio_all_funding_rates"),
    *_one(
        "market_contract_stats",
        "gateio_contract_stats",
        {"interval": "1h", "limit": 24},
        {"interval": "period", "limit": "points"},
    ),
    *_all("market_open_interest", "gateio_open_interest"),
    *_one("market_liquidations", "gateio_liquidations", {"limit": 100}, {}),
    *_all("market_insurance_fund", "gateio_insurance_fund"),
    *_one("market_risk_tiers", "gateio_risk_limit_tiers", {}, {}),
    *_symbol("market_snapshot", "gateio_market_snapshot"),
    *_symbol("market_analysis", "gateio_full_analysis"),
    *_all("market_top_movers", "gateio_top_movers", parameters={"limit": 10}, rename={"limit": "count"}),
    # ── Dated contracts ───────────────────────────────────────────────────────────────────────
    *_all("market_instruments", "gateio_delivery_contracts", venue=_DELIVERY),
    *_one("market_ticker", "gateio_delivery_ticker", {}, {}, venue=_DELIVERY),
    # ── Options ───────────────────────────────────────────────────────────────────────────────
    *at(_OPTIONS, "options_underlyings", "gateio_options_underlyings", {}),
    *_coin("options_expirations", "gateio_options_expirations"),
    *at(
        _OPTIONS,
        "options_chain",
        "gateio_options_contracts",
        {**_OF_COIN, "expiration": None},
        rename={"underlying": "coin", "expiration": "expiry"},
        read={"expiration": _day},
    ),
    *_coin("options_chain", "gateio_options_tickers"),
    *at(
        _OPTIONS,
        "market_index_price",
        "gateio_options_underlying_ticker",
        _OF_COIN,
        rename={"underlying": "symbol"},
        contracts=("underlying",),
    ),
    *at(
        _OPTIONS,
        "options_orderbook",
        "gateio_options_orderbook",
        {"contract": None, "limit": 20},
        rename={"contract": "instrument", "limit": "depth"},
    ),
)

"""Aliases: the names and parameters under which earlier systems asked, told in ours."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from orderflow.market.errors import InvalidArgument


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """A name that answers as another tool.

    `parameters` are the old ones with their defaults (None: optional without one). `rename` says
    which of them has another name now, `gather` which of them make up one list now, `fixed` which
    arguments the old name implied.
    """

    name: str
    tool: str
    parameters: dict[str, Any] = {}
    rename: dict[str, str] = {}
    gather: dict[str, tuple[str, ...]] = {}
    fixed: dict[str, Any] = {}

    def translate(self, given: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
        """Return the arguments in the tool's words; `known` are the parameters that the tool takes."""
        for name in given:
            if name not in self.parameters and name not in known:
                offered = [*self.parameters, *known]
                near = get_close_matches(name, offered, n=3, cutoff=0.5)
                hint = f"nearest: {', '.join(near)}; " if near else ""
                raise InvalidArgument(
                    f"{self.name} has no parameter {name!r}",
                    hint=f"{hint}it takes {', '.join(dict.fromkeys(offered))}",
                )
        said = {**self.parameters, **{name: value for name, value in given.items() if value is not None}}
        found: dict[str, Any] = dict(self.fixed)
        gathered = {old for olds in self.gather.values() for old in olds}
        for name, value in said.items():
            if name not in gathered and value is not None:
                found[self.rename.get(name, name)] = value
        for name, olds in self.gather.items():
            found.setdefault(name, [said[old] for old in olds if said.get(old) is not None])
        return found


ALIASES: dict[str, Alias] = {
    one.name: one
    for one in (
        Alias(
            name="analyze_crypto_arbitrage_tool",
            tool="xv_arbitrage",
            parameters={
                "symbol": "BTCUSDT",
                "min_profit_threshold": 0.05,
                "include_spreads": True,
                "include_opportunities": True,
            },
            rename={"min_profit_threshold": "min_profit_pct"},
        ),
        Alias(name="get_crypto_prices", tool="xv_prices", parameters={"symbol": None}),
        Alias(name="get_crypto_spreads", tool="xv_spreads", parameters={"symbol": "BTCUSDT"}),
        Alias(
            name="get_arbitrage_opportunities",
            tool="xv_arbitrage",
            parameters={"symbol": None, "min_profit": 0.0, "limit": 20},
            rename={"min_profit": "min_profit_pct"},
            fixed={"include_spreads": False},
        ),
        Alias(
            name="compare_exchange_prices",
            tool="xv_prices",
            parameters={"symbol": "BTCUSDT", "exchange1": "binance_futures", "exchange2": "bybit_futures"},
            gather={"venues": ("exchange1", "exchange2")},
        ),
        Alias(name="crypto_scanner_health", tool="system_health"),
        Alias(
            name="get_orderbook_data",
            tool="market_orderbook",
            parameters={"symbol": None, "exchange": None},
            gather={"venues": ("exchange",)},
        ),
    )
}

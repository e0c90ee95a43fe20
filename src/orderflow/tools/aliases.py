"""Aliases: the names and parameters under which earlier systems asked, told in ours."""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from orderflow.market.errors import InvalidArgument
from orderflow.market.events import SECOND
from orderflow.market.instruments import venues_of
from orderflow.store.bar import bar


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """A name that answers as another tool.

    `parameters` are the old ones with their defaults (None: optional without one). `rename` says
    which of them has another name now, `gather` which of them make up one list now (with `unit` written
    behind each), `stands` which arguments the value of an old one stands for (others for none), `fixed`
    which arguments the old name implied. `ago` are those that count minutes (`m`)
    or hours (`h`) back from now. `market` is the parameter that the old `exchange` and `market_type`
    make up now: `venues`, or `venue` where one is meant. `contracts` are written as venues write a coin
    or a contract, `bases` as a pair of which its coin is meant, `periods` as venues write a length (`1H`);
    `read` says what else the value of an old one is in our words, `derive` which arguments follow from several
    old ones together. `only` are those of whose values these are left: others are refused. `span` names a bar's
    length and a number of bars, which tell since when is asked. `ignored` are taken and mean nothing any more.
    `unless` is another alias that is meant instead, and of which old values: those of an option's name, say.
    """

    name: str
    tool: str
    parameters: dict[str, Any] = {}
    rename: dict[str, str] = {}
    gather: dict[str, tuple[str, ...]] = {}
    unit: str = ""
    stands: dict[str, dict[str, dict[str, Any]]] = {}
    fixed: dict[str, Any] = {}
    ago: dict[str, str] = {}
    market: str = ""
    contracts: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()
    only: dict[str, tuple[str, ...]] = {}
    span: tuple[str, str] | None = None
    ignored: tuple[str, ...] = ()
    read: dict[str, Callable[[str], Any]] = {}
    derive: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
    unless: "tuple[Callable[[Mapping[str, Any]], bool], Alias] | None" = None

    def meant(self, given: Mapping[str, Any]) -> "Alias":
        """Return the alias that is meant by these old values: itself, or the other one."""
        if self.unless is None:
            return self
        told, other = self.unless
        return other if told({**self.parameters, **given}) else self

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
        self._refuse(said)
        found: dict[str, Any] = self.fixed | (self.derive(said) if self.derive is not None else {})
        said |= {old: read(str(said[old])) for old, read in self.read.items() if said.get(old) is not None}
        apart = {old for olds in self.gather.values() for old in olds}
        apart |= {*self.ago, *self.only, *self.stands, *self.ignored}
        if self.market:
            apart |= {"exchange", "market_type"}
        for name, value in said.items():
            if name not in apart and value is not None:
                found[self.rename.get(name, name)] = self._meant(name, value)
        found = self._gathered(said) | found
        for old, meanings in self.stands.items():
            for name, value in meanings.get(str(said.get(old)).lower(), {}).items():
                found.setdefault(name, value)
        for old, unit in self.ago.items():
            if said.get(old) is not None:
                found.setdefault("since", f"-{said[old]}{unit}")
        if self.span is not None and (since := _back(*(said.get(name) for name in self.span))):
            found.setdefault("since", since)
        if self.market and self.market not in found:
            meant = venues_of(_text(said.get("exchange")), _text(said.get("market_type")))
            if meant:
                found[self.market] = meant if self.market == "venues" else meant[0]
        return found

    def _meant(self, name: str, value: Any) -> Any:
        """Return a value in our words, where the old name had it in a venue's."""
        if name in self.bases:
            value = str(value).partition("-")[0].upper()
        if name in self.contracts:
            value = symbol_of(str(value))
        return period_of(str(value)) if name in self.periods else value

    def _gathered(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Return the lists that old parameters make up; one of which nothing was said is left out."""
        lists = {
            name: [
                f"{said[old]}{self.unit}" if self.unit else said[old]
                for old in olds
                if said.get(old) is not None
            ]
            for name, olds in self.gather.items()
        }
        return {name: values for name, values in lists.items() if values}

    def _refuse(self, said: Mapping[str, Any]) -> None:
        for name, left in self.only.items():
            if said.get(name) is not None and str(said[name]).upper() not in {one.upper() for one in left}:
                raise InvalidArgument(
                    f"{name}: {str(said[name])[:40]!r} is not collected", hint=f"{name}: {' | '.join(left)}"
                )


def symbol_of(written: str) -> str:
    """Return the unified symbol of a coin, or of a contract as a venue writes it.

    >>> [symbol_of(one) for one in ("btc", "BTC-USDT-SWAP", "BTC_USDT", "BTCUSDT", "BTC-USD-SWAP")]
    ['BTCUSDT', 'BTCUSDT', 'BTCUSDT', 'BTCUSDT', 'BTCUSD']
    >>> symbol_of("kPEPE")  # a thousand of them, as Hyperliquid writes it
    '1000PEPEUSDT'
    """
    if written.startswith("k") and written[1:].isupper():
        written = f"1000{written[1:]}"
    parts = [part for part in re.split(r"[-_/ ]", written.upper()) if part]
    named = "".join(part for part in parts if part not in ("SWAP", "PERPETUAL"))
    return named if len(parts) > 1 or named.endswith("USDT") else f"{named}USDT"


def period_of(written: str) -> str:
    """Return a length of bars as we write it; a month keeps its capital letter.

    >>> [period_of(one) for one in ("1H", "1Dutc", "15m", "1M", "1h")]
    ['1h', '1d', '15m', '1M', '1h']
    """
    said = re.fullmatch(r"(\d+)([smhdwHDWM])(?:utc)?", written)
    return written if said is None else said[1] + (said[2] if said[2] == "M" else said[2].lower())


def _back(length: Any, bars: Any) -> str | None:
    """Return how far back so many bars reach; None where that is no number, which the page refuses."""
    if not str(bars).isdecimal():
        return None
    return f"-{int(bars) * bar(str(length)).length // SECOND}s"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


# The parameters that the tools of the past share with one another.
_MINUTES = {"symbol": "BTCUSDT", "exchange": None, "market_type": "futures", "minutes": 60}
_HOURS = {"symbol": "BTCUSDT", "exchange": None, "hours": 24}
_AGO = {"minutes": "m", "hours": "h", "historical_hours": "h"}
_ONE_VENUE = {"symbol": "BTCUSDT", "exchange": "binance", "market_type": "futures"}


def _past(name: str, tool: str, parameters: dict[str, Any], **how: Any) -> Alias:
    """Return an alias whose window is counted back from now, and whose venue is an exchange and a market."""
    ago = {old: unit for old, unit in _AGO.items() if old in parameters}
    return Alias(name=name, tool=tool, parameters=parameters, ago=ago, **{"market": "venues", **how})


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
        # ── What is stored ────────────────────────────────────────────────────────────────────
        _past("get_historical_price_data", "history_prices", {**_MINUTES, "limit": 500}),
        _past("query_historical_prices", "history_prices", {**_MINUTES, "limit": 500}),
        _past("get_historical_trade_data", "history_trades", {**_MINUTES, "side": None, "limit": 500}),
        _past("get_historical_funding_data", "history_funding", _HOURS, fixed={"rows": "announced"}),
        _past("query_historical_funding", "history_funding", _HOURS, fixed={"rows": "announced"}),
        _past("get_historical_liquidation_data", "history_liquidations", {**_HOURS, "min_value": 10_000.0}),
        _past("get_historical_oi_data", "history_open_interest", _HOURS),
        _past("query_historical_oi", "history_open_interest", _HOURS),
        Alias(name="get_database_statistics", tool="history_stats"),
        _past(
            "query_historical_analytics",
            "history_aggregate",
            {**_ONE_VENUE, "query_type": "price_ohlc", "hours": 24, "aggregation": "1h"},
            rename={"query_type": "kind", "aggregation": "bar"},
        ),
        _past(
            "aggregate_by_timeframe",
            "history_candles",
            {**_ONE_VENUE, "hours": 24, "aggregation": "1h"},
            rename={"aggregation": "bar"},
        ),
        # ── What is stored, beside what is now ────────────────────────────────────────────────
        Alias(
            name="get_full_market_snapshot",
            tool="market_snapshot",
            parameters={"symbol": "BTCUSDT", "include_historical": True, "historical_minutes": 60},
            rename={"include_historical": "history"},
            ago={"historical_minutes": "m"},
        ),
        Alias(
            name="get_market_overview",
            tool="market_snapshot",
            parameters={"symbol": "BTCUSDT"},
            fixed={"history": False},
        ),
        Alias(
            name="get_market_snapshot",
            tool="market_snapshot",
            parameters={"symbol": None},
            fixed={"venues": ["binance_futures"]},
        ),
        Alias(
            name="get_price_with_historical_context",
            tool="history_price_context",
            parameters={**_ONE_VENUE, "historical_minutes": 30},
            gather={"look_backs": ("historical_minutes",)},
            unit="m",
            market="venue",
        ),
        Alias(
            name="detect_price_anomalies",
            tool="history_price_context",
            parameters=_ONE_VENUE,
            fixed={"look_backs": ["5m", "15m", "1h", "4h", "1d"]},
            market="venue",
        ),
        _past(
            "analyze_funding_arbitrage", "xv_funding_arbitrage", {"symbol": "BTCUSDT", "historical_hours": 24}
        ),
        _past("calculate_funding_arbitrage", "xv_funding_arbitrage", _HOURS),
        _past(
            "get_liquidation_heatmap_analysis",
            "history_liquidation_map",
            {"symbol": "BTCUSDT", "hours": 24, "price_buckets": 20},
            rename={"price_buckets": "bins"},
        ),
    )
}

"""What earlier systems called Deribit's answers. They named instruments as the venue does, options among them."""

import re
from collections.abc import Mapping
from math import ceil
from typing import Any

from orderflow.market.errors import InvalidArgument
from orderflow.tools.aliases import Alias
from orderflow.tools.venue_aliases.form import at
from orderflow.venues.deribit.meaning import RESOLUTIONS, interval
from orderflow.venues.deribit.names import named

_FUTURES, _OPTIONS = "deribit_futures", "deribit_options"
_OPTION = re.compile(r"[A-Z0-9]+(?:_[A-Z0-9]+)?-\d{1,2}[A-Z]{3}\d\d-\d+(?:d\d+)?-[CP]", re.IGNORECASE)
_COIN: dict[str, Any] = {"rename": {"currency": "coin"}}
_SYMBOL: dict[str, Any] = {"rename": {"currency": "symbol"}, "contracts": ("currency",)}
_BTC = {"currency": "BTC"}
_BOTH = [_FUTURES, _OPTIONS]
_BOTH_KINDS: dict[str, dict[str, Any]] = {"future": {}, "option": {}}
# By `kind`, whose chain or whose contracts are meant; without one, both venues'.
_BY_KIND = {
    "none": {"venues": _BOTH},
    "future": {"venues": [_FUTURES]},
    "option": {"venues": [_OPTIONS]},
}


# ── Names of instruments ──────────────────────────────────────────────────────────────────────


def symbol(written: str) -> str:
    """Return the symbol of an instrument that is no option; raise `InvalidArgument` for an option.

    >>> [symbol(one) for one in ("BTC-PERPETUAL", "sol_usdc-perpetual", "SOL-PERPETUAL", "btc", "BTC-25DEC26")]
    ['BTCUSDT', 'SOLUSDT', 'SOLUSDT', 'BTCUSDT', 'BTC-25DEC26']
    """
    name = written.strip().upper()
    if _OPTION.fullmatch(name):
        raise InvalidArgument(
            f"{written[:40]}: what is asked is not told of one option",
            hint="options_ticker and options_orderbook take an option's name",
        )
    base, _, kind = name.partition("-")
    if "_" not in base and kind in ("", "PERPETUAL"):
        return f"{base.removesuffix('USDT')}USDT"  # whichever of its perpetuals is the deep one
    return named(name).symbol


def _is_option(said: Mapping[str, Any]) -> bool:
    return bool(_OPTION.fullmatch(str(said.get("instrument_name")).strip()))


def _instead(name: str, tool: str, parameters: dict[str, Any], left: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return how an alias of one instrument answers about a perpetual, and about an option by another tool."""
    option = Alias(
        name=name,
        tool=tool,
        parameters=parameters,
        rename={"instrument_name": "instrument"},
        stands={one: {} for one in left},
        fixed={"venues": [_OPTIONS]},
    )
    return {**_INSTRUMENT, "unless": (_is_option, option)}


_INSTRUMENT: dict[str, Any] = {"rename": {"instrument_name": "symbol"}, "read": {"instrument_name": symbol}}


def _bars(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the length of a bar and how many of them reach so many hours back."""
    resolution, hours = str(said["resolution"]), said["hours"]
    if resolution not in RESOLUTIONS.values() or not str(hours).isdecimal():
        raise InvalidArgument(
            f"resolution {resolution[:20]!r} over {str(hours)[:20]!r} hours",
            hint=f"resolution: {' | '.join(RESOLUTIONS.values())}; hours: a whole number",
        )
    word, length = interval(resolution)
    return {"interval": word, "count": min(1000, max(1, ceil(int(hours) * 3_600 * 10**9 / length)))}


# ── Names of answers ──────────────────────────────────────────────────────────────────────────

_ONE = {"instrument_name": None}
_DEPTH = {"instrument_name": None, "depth": 20}

ALIASES: tuple[Alias, ...] = (
    Alias(
        name="deribit_instruments",
        tool="market_instruments",
        parameters={"currency": "BTC", "kind": None},
        stands={"kind": _BY_KIND},
        **_SYMBOL,
    ),
    *at(_FUTURES, "market_instruments", "deribit_currencies", {}, fixed={"currencies": True}),
    *at(
        _FUTURES,
        "market_ticker",
        "deribit_ticker",
        _ONE,
        **_instead("deribit_ticker", "options_ticker", _ONE),
    ),
    *at(_FUTURES, "market_ticker", "deribit_perpetual_ticker", _BTC, **_SYMBOL),
    *at(
        _FUTURES,
        "market_tickers",
        "deribit_all_perpetual_tickers",
        {},
        fixed={"symbols": ["BTCUSDT", "ETHUSDT", "SOLUSDT"]},
    ),
    *at(_FUTURES, "market_tickers", "deribit_futures_tickers", _BTC, stands={"currency": {}}),
    *at(
        _FUTURES,
        "market_tickers",
        "deribit_book_summary",
        {"currency": "BTC", "kind": None},
        stands={"currency": {}, "kind": _BOTH_KINDS},
        unless=(
            lambda said: str(said.get("kind")).lower() == "option",
            Alias(
                name="deribit_book_summary",
                tool="options_chain",
                parameters={"currency": "BTC", "kind": None},
                stands={"kind": _BOTH_KINDS},
                fixed={"venues": [_OPTIONS], "sort": "volume"},
                **_COIN,
            ),
        ),
    ),
    *at(
        _FUTURES,
        "market_orderbook",
        "deribit_orderbook",
        _DEPTH,
        **_instead("deribit_orderbook", "options_orderbook", _DEPTH),
    ),
    *at(
        _FUTURES,
        "market_trades",
        "deribit_trades",
        {"instrument_name": None, "count": 100},
        **_INSTRUMENT,
    ),
    Alias(
        name="deribit_trades_by_currency",
        tool="market_trades",
        parameters={"currency": "BTC", "kind": None, "count": 100},
        stands={"kind": _BY_KIND},
        **_SYMBOL,
    ),
    *at(
        _FUTURES,
        "market_candles",
        "deribit_klines",
        {"instrument_name": None, "resolution": "60", "hours": 24},
        stands={"resolution": {}, "hours": {}},
        derive=_bars,
        **_INSTRUMENT,
    ),
    *at(_FUTURES, "market_index_price", "deribit_index_price", _BTC, **_SYMBOL),
    *at(_FUTURES, "market_index_price", "deribit_index_names", {}, fixed={"names": True}),
    *at(_FUTURES, "market_open_interest", "deribit_open_interest", _BTC, **_SYMBOL),
    *at(_FUTURES, "market_funding", "deribit_funding_rate deribit_funding_analysis", _BTC, **_SYMBOL),
    *at(
        _FUTURES,
        "market_funding_history",
        "deribit_funding_history",
        {"currency": "BTC", "hours": 24},
        ago={"hours": "h"},
        **_SYMBOL,
    ),
    *at(
        _OPTIONS,
        "market_volatility",
        "deribit_historical_volatility",
        _BTC,
        fixed={"kind": "realised", "since": "-15d"},
        **_COIN,
    ),
    *at(
        _OPTIONS,
        "market_volatility",
        "deribit_dvol",
        {"currency": "BTC", "hours": 24},
        fixed={"kind": "index"},
        ago={"hours": "h"},
        **_COIN,
    ),
    *at(
        _FUTURES,
        "market_settlements",
        "deribit_settlements",
        {"currency": "BTC", "count": 20},
        rename={"currency": "coin"},
    ),
    *at(_FUTURES, "market_snapshot", "deribit_market_snapshot", _BTC, **_SYMBOL),
    *at(_FUTURES, "market_analysis", "deribit_full_analysis", _BTC, **_SYMBOL),
    Alias(name="deribit_exchange_stats", tool="venue_stats", fixed={"venues": _BOTH}),
    # ── Options ───────────────────────────────────────────────────────────────────────────────
    *at(_OPTIONS, "options_summary", "deribit_options_summary", _BTC, **_COIN),
    *at(
        _OPTIONS,
        "options_chain",
        "deribit_options_chain",
        {"currency": "BTC", "expiration": None},
        rename={"currency": "coin", "expiration": "expiry"},
    ),
    *at(
        _OPTIONS,
        "options_ticker",
        "deribit_option_ticker",
        _ONE,
        rename={"instrument_name": "instrument"},
    ),
    *at(
        _OPTIONS,
        "options_chain",
        "deribit_top_options",
        {"currency": "BTC", "limit": 20},
        fixed={"sort": "open_interest"},
        **_COIN,
    ),
)

"""Instruments: venue ids, symbols, and the series that make up the users' 504 names (and the others).

A series is one symbol on one venue in one stream. Its name is `{symbol}_{exchange}_{market}_{stream}`
in lower case. The nine core venues have 56 venue-streams between them; nine symbols make 504 names.
What a venue lists is read from the venue when it starts; this table says only which streams it has.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from orderflow.market.errors import UnknownVenue

SYMBOLS = (
    "BTCUSDT",
    "ETHUSDT",
    "SOLUSDT",
    "XRPUSDT",
    "ARUSDT",
    "BRETTUSDT",
    "POPCATUSDT",
    "WIFUSDT",
    "PNUTUSDT",
)

_FUTURES = (
    "prices",
    "orderbooks",
    "trades",
    "mark_prices",
    "funding_rates",
    "open_interest",
    "liquidations",
    "candles",
)
_SPOT = ("prices", "orderbooks", "trades", "ticker_24h", "candles")


class Market(msgspec.Struct, frozen=True):
    """A venue's market: its id in tools and settings, the parts of its series' names, its streams."""

    venue: str
    exchange: str
    market: str
    core: tuple[str, ...] = ()
    further: tuple[str, ...] = ()

    @property
    def streams(self) -> tuple[str, ...]:
        return self.core + self.further


MARKETS: dict[str, Market] = {
    one.venue: one
    for one in (
        Market(
            "binance_futures", "binance", "futures", _FUTURES, ("ticker_24h", "index_prices", "large_trades")
        ),
        Market("binance_spot", "binance", "spot", _SPOT, ("large_trades",)),
        Market("bybit_futures", "bybit", "futures", _FUTURES, ("ticker_24h", "index_prices", "large_trades")),
        Market("bybit_spot", "bybit", "spot", _SPOT, ("large_trades",)),
        Market(
            "okx_futures",
            "okx",
            "futures",
            (*_FUTURES[:-1], "index_prices"),
            ("candles", "ticker_24h", "large_trades"),
        ),
        Market(
            "kraken_futures",
            "kraken",
            "futures",
            ("prices", "orderbooks", "trades", "open_interest", "candles"),
            ("mark_prices", "funding_rates", "ticker_24h", "liquidations", "index_prices", "large_trades"),
        ),
        Market("gate_futures", "gate", "futures", _FUTURES, ("ticker_24h", "index_prices", "large_trades")),
        Market(
            "hyperliquid_futures",
            "hyperliquid",
            "futures",
            _FUTURES,
            ("ticker_24h", "index_prices", "large_trades"),
        ),
        Market("pyth", "pyth", "oracle", ("prices",)),
        Market(
            "deribit_futures",
            "deribit",
            "futures",
            (),
            (*_FUTURES, "ticker_24h", "index_prices", "large_trades"),
        ),
        Market("deribit_options", "deribit", "options", (), ("options", "trades", "volatility_index")),
        Market("coinbase_spot", "coinbase", "spot", (), (*_SPOT, "large_trades")),
        Market("cme_futures", "cme", "futures", (), ("prices", "open_interest", "ticker_24h", "candles")),
        # Asked, and not collected: they have no streams.
        Market("kraken_spot", "kraken", "spot"),
        Market("hyperliquid_spot", "hyperliquid", "spot"),
        Market("gate_delivery", "gate", "delivery"),
        Market("gate_options", "gate", "options"),
        Market("bybit_options", "bybit", "options"),
        Market("okx_options", "okx", "options"),
    )
}
COLLECTED = tuple(name for name, one in MARKETS.items() if one.streams)

ALIASES = {
    "gateio": "gate_futures",
    "gateio_futures": "gate_futures",
    "hyperliquid": "hyperliquid_futures",
    "binance": "binance_futures",
    "bybit": "bybit_futures",
    "okx": "okx_futures",
    "kraken": "kraken_futures",
    "gate": "gate_futures",
    "deribit": "deribit_futures",
    "coinbase": "coinbase_spot",
    "cme": "cme_futures",
}


def venue_id(name: str) -> str:
    """Return the id of a venue from any name under which users know it.

    >>> venue_id("Gateio"), venue_id("binance_spot")
    ('gate_futures', 'binance_spot')
    """
    wanted = name.strip().lower()
    wanted = ALIASES.get(wanted, wanted)
    if wanted not in MARKETS:
        raise UnknownVenue(f"unknown venue {name!r}", hint=f"venues: {', '.join(MARKETS)}")
    return wanted


def venues_of(exchange: str | None, market: str | None) -> list[str]:
    """Return the venues that are meant by an exchange and a kind of market, as earlier systems name them.

    A venue's own id needs no market; an exchange with one market alone neither. Without an exchange it
    is every venue of that market; without both, none is meant in particular.

    >>> venues_of("binance", "spot"), venues_of("gateio", "futures"), venues_of("pyth", "futures")
    (['binance_spot'], ['gate_futures'], ['pyth'])
    >>> venues_of(None, "spot"), venues_of("okx", None)
    (['binance_spot', 'bybit_spot', 'coinbase_spot'], ['okx_futures'])
    """
    if exchange is None:
        return [name for name in COLLECTED if MARKETS[name].market == market]
    meant = MARKETS[venue_id(exchange)]
    if exchange.strip().lower() in MARKETS or market is None:
        return [meant.venue]
    of_exchange = [MARKETS[name] for name in COLLECTED if MARKETS[name].exchange == meant.exchange]
    found = [one.venue for one in of_exchange if one.market == market]
    if found or len(of_exchange) == 1:
        return found or [meant.venue]
    known = ", ".join(one.market for one in of_exchange)
    raise UnknownVenue(f"{exchange[:40]} has no market {market[:40]!r}", hint=f"its markets: {known}")


class Series(NamedTuple):
    """One symbol on one venue in one stream, under the name that users ask for."""

    symbol: str
    venue: str
    stream: str
    core: bool

    @property
    def name(self) -> str:
        market = MARKETS[self.venue]
        return f"{self.symbol}_{market.exchange}_{market.market}_{self.stream}".lower()


def series(symbols: Sequence[str] = SYMBOLS, markets: Sequence[Market] | None = None) -> Iterator[Series]:
    """Yield every series of the symbols, core streams first within each venue.

    >>> sum(one.core for one in series())
    504
    >>> next(series(["SOLUSDT"])).name
    'solusdt_binance_futures_prices'
    """
    for market in MARKETS.values() if markets is None else markets:
        for symbol in symbols:
            for stream in market.streams:
                yield Series(symbol, market.venue, stream, stream in market.core)

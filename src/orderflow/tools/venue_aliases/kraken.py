"""What earlier systems called Kraken's answers, futures and spot."""

from orderflow.tools.aliases import Alias, symbol_of
from orderflow.tools.venue_aliases.form import at
from orderflow.venues.kraken_futures import products
from orderflow.venues.kraken_spot import words

FUTURES, SPOT = "kraken_futures", "kraken_spot"


def contract_of(written: str) -> str:
    """Return the symbol of a product of the futures, or of a coin.

    >>> [contract_of(one) for one in ("PF_XBTUSD", "pf_ethusd", "BTC", "SOLUSDT")]
    ['BTCUSDT', 'ETHUSDT', 'BTCUSDT', 'SOLUSDT']
    """
    name = written.strip().upper()
    return products.by_rule(name).symbol if all(products.parts(name)) else symbol_of(written)


def pairs_of(written: str) -> list[str]:
    """Return the symbols of pairs with commas between them.

    >>> pairs_of("XBTUSD, eth/usd")
    ['BTCUSD', 'ETHUSD']
    """
    return [words.by_rule(one.strip()) for one in written.split(",") if one.strip()]


_PAIR = {"pair": "XBTUSD"}
_PRODUCT = {"symbol": "PF_XBTUSD"}
_ABOUT_PAIR = {"rename": {"pair": "symbol"}, "read": {"pair": words.by_rule}}
_ABOUT_PRODUCT = {"read": {"symbol": contract_of}}

_OF_SPOT = (
    *at(SPOT, "market_ticker", "kraken_spot_ticker_tool kraken_spot_ticker", _PAIR, **_ABOUT_PAIR),
    *at(
        SPOT,
        "market_tickers",
        "kraken_all_spot_tickers_tool kraken_all_spot_tickers",
        {"pairs": "XBTUSD,ETHUSD,SOLUSD"},
        rename={"pairs": "symbols"},
        read={"pairs": pairs_of},
    ),
    *at(
        SPOT,
        "market_orderbook",
        "kraken_spot_orderbook_tool kraken_spot_orderbook",
        {**_PAIR, "depth": 100},
        **_ABOUT_PAIR,
    ),
    *at(
        SPOT,
        "market_trades",
        "kraken_spot_trades_tool kraken_spot_trades",
        {**_PAIR, "count": 100},
        **_ABOUT_PAIR,
    ),
    *at(
        SPOT,
        "market_candles",
        "kraken_spot_klines_tool kraken_spot_klines",
        {**_PAIR, "interval": "1H"},
        rename={"pair": "symbol"},
        read={"pair": words.by_rule, "interval": str.lower},
    ),
    *at(SPOT, "market_spread_history", "kraken_spread_tool kraken_spread", _PAIR, **_ABOUT_PAIR),
    *at(SPOT, "market_instruments", "kraken_assets_tool kraken_assets", {}, fixed={"currencies": True}),
    *at(
        SPOT,
        "market_instruments",
        "kraken_spot_pairs_tool kraken_spot_pairs",
        {"info": "info"},
        stands={"info": {}},  # which part of a pair's row is meant: all of it is told
    ),
    *at(SPOT, "venue_status", "kraken_system_status_tool kraken_system_status", {}),
)

_OF_FUTURES = (
    *at(
        FUTURES,
        "market_ticker",
        "kraken_futures_ticker_tool kraken_futures_ticker",
        _PRODUCT,
        **_ABOUT_PRODUCT,
    ),
    *at(FUTURES, "market_tickers", "kraken_all_futures_tickers_tool kraken_all_futures_tickers", {}),
    *at(
        FUTURES,
        "market_orderbook",
        "kraken_futures_orderbook_tool kraken_futures_orderbook",
        _PRODUCT,
        **_ABOUT_PRODUCT,
    ),
    *at(
        FUTURES,
        "market_trades",
        "kraken_futures_trades_tool kraken_futures_trades",
        _PRODUCT,
        **_ABOUT_PRODUCT,
    ),
    *at(
        FUTURES,
        "market_candles",
        "kraken_futures_klines_tool kraken_futures_klines",
        {**_PRODUCT, "interval": "1h"},
        read={"symbol": contract_of, "interval": str.lower},
    ),
    *at(FUTURES, "market_instruments", "kraken_futures_instruments_tool kraken_futures_instruments", {}),
    *at(FUTURES, "market_open_interest", "kraken_open_interest_tool kraken_open_interest", {}),
    *at(FUTURES, "market_funding", "kraken_funding_rates_tool kraken_funding_rates", {}),
    *at(
        FUTURES,
        "market_top_movers",
        "kraken_top_movers_tool kraken_top_movers",
        {"limit": 10},
        rename={"limit": "count"},
    ),
    *at(
        FUTURES,
        "market_snapshot",
        "kraken_market_snapshot_tool kraken_market_snapshot",
        {"symbol": "BTC"},
        **_ABOUT_PRODUCT,
    ),
    *at(
        FUTURES,
        "market_analysis",
        "kraken_full_analysis_tool kraken_full_analysis",
        {"symbol": "BTC"},
        fixed={"venues": [FUTURES, SPOT]},
        **_ABOUT_PRODUCT,
    ),
)

ALIASES: tuple[Alias, ...] = (*_OF_SPOT, *_OF_FUTURES)

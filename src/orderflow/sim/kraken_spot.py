"""Kraken's spot market as it answers over REST; it has no sockets here. Its form stands last.

Every coin is a pair in dollars, the larger ones a pair in USDT too: one book under both names, since a USDT is
a dollar here. The venue remembers how its best prices changed, because it can be asked for that.
"""

from collections.abc import Mapping

from orderflow.sim import kraken_spot_rest as rest
from orderflow.sim.kraken_spot_touches import Touches
from orderflow.sim.listings import Listing, Place
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form, Limits, Streams

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.1", "0.00000001", 1, 8, "XXBTZUSD"),
        Listing("ETHUSDT", "0.01", "0.00000001", 2, 8, "XETHZUSD"),
        Listing("SOLUSDT", "0.01", "0.00000001", 2, 8, "SOLUSD"),
        Listing("XRPUSDT", "0.00001", "0.00000001", 5, 8, "XXRPZUSD"),
        Listing("ARUSDT", "0.001", "0.00001", 3, 5, "ARUSD"),
        Listing("BRETTUSDT", "0.00001", "0.00001", 5, 5, "BRETTUSD"),
        Listing("POPCATUSDT", "0.0001", "0.00001", 4, 5, "POPCATUSD"),
        Listing("WIFUSDT", "0.0001", "0.00001", 4, 5, "WIFUSD"),
        Listing("PNUTUSDT", "0.00001", "0.00001", 5, 5, "PNUTUSD"),
    )
}


def _no_route(stream: str, markets: Mapping[str, Market]) -> None:
    return None


def _no_streams(venue: str, market: Market) -> Streams:
    return Streams()


KRAKEN_SPOT = Form(
    name="kraken_spot",
    place=Place(kind="spot", listings=LISTINGS),
    limits=Limits(weight=100, window_s=10),
    route_of=_no_route,
    streams=_no_streams,
    market_wide=Touches,
    endpoints=rest.ENDPOINTS,
    refusal=rest.refusal,
    always=True,
)

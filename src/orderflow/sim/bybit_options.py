"""Bybit's options: asked and not streamed, on the coins that they are listed of; see `bybit_options_rest`.

Prices follow the price that all venues follow. Nobody trades them, so that open interest stands and nothing
is their volume.
"""

from collections.abc import Mapping

from orderflow.sim import bybit, bybit_options_rest
from orderflow.sim.listings import Listing, Place
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form, Streams

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "5", "0.01", 0, 2, native="BTC"),
        Listing("ETHUSDT", "0.1", "0.1", 1, 1, native="ETH"),
        Listing("SOLUSDT", "0.01", "1", 2, 0, native="SOL"),
    )
}


def _route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    return None


def _streams(venue: str, market: Market) -> Streams:
    return Streams()


BYBIT_OPTIONS = Form(
    name="bybit_options",
    place=Place(kind="options", listings=LISTINGS),
    limits=bybit.LIMITS,
    route_of=_route_of,
    streams=_streams,
    endpoints=bybit_options_rest.ENDPOINTS,
    refusal=bybit.refusal,
)

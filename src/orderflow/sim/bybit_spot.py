"""Bybit's spot market as it speaks since 2025, and what it lists; see `bybit` for the words."""

from orderflow.sim import bybit, bybit_rest
from orderflow.sim.bybit_streams import SymbolStreams
from orderflow.sim.listings import Listing, Place
from orderflow.sim.protocol import Form

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.1", "0.000001", 1, 6),
        Listing("ETHUSDT", "0.01", "0.00001", 2, 5),
        Listing("SOLUSDT", "0.01", "0.0001", 2, 4),
        Listing("XRPUSDT", "0.0001", "0.01", 4, 2),
        Listing("ARUSDT", "0.001", "0.01", 3, 2),
        Listing("BRETTUSDT", "0.000001", "1", 6, 0),
        Listing("POPCATUSDT", "0.00001", "0.01", 5, 2),
        Listing("WIFUSDT", "0.0001", "0.01", 4, 2),
        Listing("PNUTUSDT", "0.00001", "0.1", 5, 1),
    )
}

BYBIT_SPOT = Form(
    name="bybit_spot",
    place=Place(kind="spot", listings=LISTINGS),
    limits=bybit.LIMITS,
    routes={"public": "/v5/public/spot"},
    route_of=bybit.router(bybit.SPOT_KINDS),
    control=bybit.controller(spot=True),
    streams=SymbolStreams,
    endpoints=bybit_rest.SPOT,
    refusal=bybit.refusal,
    wrong_shape=bybit.WRONG_SHAPE,
)

"""Bybit's linear perpetuals as they speak since 2025, and where they are listed; see `bybit` for the words."""

from orderflow.sim import bybit, bybit_rest
from orderflow.sim.bybit_streams import SymbolStreams
from orderflow.sim.listings import Listing, Place
from orderflow.sim.protocol import Form

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.10", "0.001", 2, 3),
        Listing("ETHUSDT", "0.01", "0.01", 2, 2),
        Listing("SOLUSDT", "0.010", "0.1", 3, 1),
        Listing("XRPUSDT", "0.0001", "0.1", 4, 1),
        Listing("ARUSDT", "0.0001", "0.1", 4, 1),
        Listing("BRETTUSDT", "0.000001", "10", 6, 0),
        Listing("POPCATUSDT", "0.00001", "1", 5, 0),
        Listing("WIFUSDT", "0.00001", "1", 5, 0),
        Listing("PNUTUSDT", "0.00001", "1", 5, 0),
    )
}

BYBIT_FUTURES = Form(
    name="bybit_futures",
    place=Place(kind="perpetual", listings=LISTINGS, mean_basis=-0.0003),
    limits=bybit.LIMITS,
    routes={"public": "/v5/public/linear"},
    route_of=bybit.router(bybit.LINEAR_KINDS),
    control=bybit.controller(spot=False),
    streams=SymbolStreams,
    endpoints=bybit_rest.LINEAR,
    refusal=bybit.refusal,
    wrong_shape=bybit.WRONG_SHAPE,
)

"""Venues: one form per venue with pure decoders. Bytes in, events out."""

from orderflow.venues.binance_futures import BINANCE_FUTURES
from orderflow.venues.binance_spot import BINANCE_SPOT
from orderflow.venues.spec import Venue

ALL: dict[str, Venue] = {one.name: one for one in (BINANCE_FUTURES, BINANCE_SPOT)}

"""Crowd: whole days of trades as columns, as many as are wanted, for stores that must become large.

The same market as `past`: its coins and its listings, a price that wanders from day to day around the coin's
first one, sizes and sides drawn alike; made for all trades of a day at once, some twenty million a second.
Ids are counted from the first day that is asked for, so that days join without a hole.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from orderflow.sim.listings import COINS, Listing
from orderflow.sim.past import DAY_MS
from orderflow.sim.path import draw_columns

_SECONDS = 86_400
_QUIET = 0.55  # the part of the day's mean at which the quietest hour trades


def day(
    symbol: str, listing: Listing, venue: str, seed: int, number: int, trades: int
) -> Mapping[str, npt.NDArray[np.generic]]:
    """Return a day of trades: `ts_ms` rising, `price` in quote, `size` in base, `taker_sells`.

    `number` counts days from 1970. The same arguments give the same columns.
    """
    coin, rng = COINS[symbol], draw_columns(seed, symbol, venue, "crowd", str(number))
    shared = draw_columns(seed, symbol, "crowd path", str(number))  # the price that all venues follow
    steps = shared.standard_normal(_SECONDS) * coin.yearly_vol / np.sqrt(365.25 * _SECONDS)
    path = coin.price * np.exp(np.cumsum(steps) - np.linspace(0.0, steps.sum(), _SECONDS))
    hours = 1.0 + (1.0 - _QUIET) * np.sin(np.linspace(0.0, 2.0 * np.pi, _SECONDS))
    due = np.cumsum(hours) / hours.sum()
    ts = np.interp(np.sort(rng.random(trades)), due, np.arange(_SECONDS) * 1000.0).astype(np.int64)
    sells = rng.random(trades) < 0.5
    touch = np.where(sells, -0.5, 0.5) * listing.tick_size
    fair = path[ts // 1000] * (1.0 + 0.00002 * rng.standard_normal(trades))
    price = np.round(np.maximum(1, np.round((fair + touch) / listing.tick_size)) * listing.tick_size, 12)
    typical = max(1.0, coin.trade_quote / coin.price / listing.lot_size)
    size = np.round(np.maximum(1, np.floor(typical * rng.exponential(size=trades))) * listing.lot_size, 12)
    return {"ts_ms": number * DAY_MS + ts, "price": price, "size": size, "taker_sells": sells}

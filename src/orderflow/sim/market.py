"""Market: one coin on all simulated venues at once, deterministic from its seed; no clock, no I/O.

The same seed and the same times of the steps give the same happenings, ids included. Each venue draws
from its own stream of random numbers, so that one venue more changes nothing on the others.
"""

from collections.abc import Mapping

from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import Happening, Millis
from orderflow.sim.listings import COINS, Place
from orderflow.sim.path import BURST_EVERY_S, BURST_FADES_S, Draws, Path
from orderflow.sim.perpetual import Perpetual

LONGEST_STEP_S = 1.0
# Bursts make trades more frequent; dividing by this keeps `rate` the average over a long run.
_MEAN_HEAT = 1.0 + 0.5 * 7.0 * BURST_FADES_S / BURST_EVERY_S


class Market:
    """One coin on the venues that list it: `exchanges` and, for perpetuals, `perpetuals`, by venue."""

    def __init__(
        self, symbol: str, places: Mapping[str, Place], *, seed: int, rate: float, now_ms: Millis
    ) -> None:
        coin = COINS[symbol]
        self.symbol = symbol
        self._rate = rate
        self._now_ms = now_ms
        self._path = Path(coin.price, coin.yearly_vol, Draws(seed, symbol))
        self.exchanges: dict[str, Exchange] = {}
        self.perpetuals: dict[str, Perpetual] = {}
        for venue, place in places.items():
            listing = place.listings.get(symbol)
            if listing is None:
                continue
            exchange = Exchange(coin, place, Draws(seed, symbol, venue), now_ms)
            self.exchanges[venue] = exchange
            if place.kind == "perpetual":
                lots = int(coin.open_interest / listing.lot_size)
                draws = Draws(seed, symbol, venue, "perpetual")
                self.perpetuals[venue] = Perpetual(exchange, draws, coin.price, lots, now_ms)

    def step(self, now_ms: Millis) -> dict[str, list[Happening]]:
        """Go on to `now_ms` and return what happened, by venue, in order.

        A clock that stands still or goes back makes no time pass; after a pause one second passes.
        """
        seconds = min(max(0.0, (now_ms - self._now_ms) / 1000.0), LONGEST_STEP_S)
        self._now_ms = now_ms = max(now_ms, self._now_ms)
        if not seconds:
            return {venue: [] for venue in self.exchanges}
        path = self._path
        path.step(seconds)
        trades = self._rate * path.heat / _MEAN_HEAT
        found: dict[str, list[Happening]] = {}
        for venue, exchange in self.exchanges.items():
            out = exchange.step(now_ms, seconds, trades, path.price, path.momentum)
            perpetual = self.perpetuals.get(venue)
            if perpetual is not None:
                perpetual.step(now_ms, seconds, path.price, path.momentum, out)
            found[venue] = out
        return found

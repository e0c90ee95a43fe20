"""Market: one coin on all simulated venues at once, deterministic from its seed; no clock, no I/O.

The same seed and the same times of the steps give the same happenings, ids included. Each venue draws
from its own stream of random numbers, so that one venue more changes nothing on the others.
"""

from collections.abc import Mapping

from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import Candle, Happening, Millis
from orderflow.sim.listings import COINS, TRADING, Place
from orderflow.sim.past import FIVE_MINUTES_MS, OpenInterestThen, Past
from orderflow.sim.path import BURST_EVERY_S, BURST_FADES_S, Draws, Path
from orderflow.sim.perpetual import Perpetual

LONGEST_STEP_S = 1.0
# Bursts make trades more frequent; dividing by this keeps `rate` the average over a long run.
_MEAN_HEAT = 1.0 + 0.5 * 7.0 * BURST_FADES_S / BURST_EVERY_S


class Market:
    """One coin on the venues that list it: `exchanges` and, for perpetuals, `perpetuals`, by venue.

    A venue that only tells prices (an oracle) is in `venues` alone.
    """

    def __init__(
        self, symbol: str, places: Mapping[str, Place], *, seed: int, rate: float, now_ms: Millis
    ) -> None:
        coin = COINS[symbol]
        self.symbol = symbol
        self.seed = seed
        self._rate = rate
        self._now_ms = now_ms
        self._path = Path(coin.price, coin.yearly_vol, Draws(seed, symbol))
        self.exchanges: dict[str, Exchange] = {}
        self.pasts: dict[str, Past] = {}
        self.perpetuals: dict[str, Perpetual] = {}
        self.venues = tuple(venue for venue, place in places.items() if symbol in place.listings)
        for venue in self.venues:
            place = places[venue]
            if place.kind not in TRADING:
                continue
            exchange = Exchange(coin, place, Draws(seed, symbol, venue), now_ms)
            self.exchanges[venue] = exchange
            first_id, first_fill = exchange.aggregates.first_id, exchange.fills.first_id
            self.pasts[venue] = Past(coin, exchange.listing, venue, seed, now_ms, first_id, first_fill)
            if place.kind == "perpetual":
                lots = int(exchange.listing.lots(coin.open_interest, coin.price))
                draws = Draws(seed, symbol, venue, "perpetual")
                self.perpetuals[venue] = Perpetual(
                    exchange, draws, coin.price, lots, now_ms, place.funding_hours
                )

    @property
    def price(self) -> float:
        """The fair price in quote that all venues follow."""
        return self._path.price

    def minutes(self, venue: str, first: Millis, last: Millis) -> list[Candle]:
        """A venue's minutes that begin from one instant to another, both part of it, also before the start."""
        live = self.exchanges[venue].candles.all()
        before = self.pasts[venue].minutes(first, min(last + 1, live[0].open_ms))
        return [*before, *(one for one in live if first <= one.open_ms <= last)]

    def open_interest(self, venue: str, first: Millis, last: Millis, most: int) -> list[OpenInterestThen]:
        """The latest rows of five minutes, at most so many, both instants part of it."""
        first = max(first, last - most * FIVE_MINUTES_MS)
        return self.pasts[venue].open_interest(first, last + 1)[-most:]

    def step(self, now_ms: Millis) -> dict[str, list[Happening]]:
        """Go on to `now_ms` and return what happened, by venue, in order.

        A clock that stands still or goes back makes no time pass; after a pause one second passes.
        """
        seconds = min(max(0.0, (now_ms - self._now_ms) / 1000.0), LONGEST_STEP_S)
        self._now_ms = now_ms = max(now_ms, self._now_ms)
        if not seconds:
            return {venue: [] for venue in self.venues}
        path = self._path
        path.step(seconds)
        trades = self._rate * path.heat / _MEAN_HEAT
        found: dict[str, list[Happening]] = {venue: [] for venue in self.venues}
        for venue, exchange in self.exchanges.items():
            out = exchange.step(now_ms, seconds, trades, path.price, path.momentum)
            perpetual = self.perpetuals.get(venue)
            if perpetual is not None:
                perpetual.step(now_ms, seconds, path.price, path.momentum, out)
            found[venue] = out
        return found

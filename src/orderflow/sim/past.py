"""Past: what one coin traded on one venue before the simulation began, any day of it, from the seed alone.

Three trades a minute, evenly: so ids can be told from times without playing the days before. The ids
end where those of the simulation begin, so that past and present join without a hole.
"""

from functools import lru_cache

import msgspec

from orderflow.sim.happenings import Candle, Lots, Millis, Ticks
from orderflow.sim.listings import Coin, Listing
from orderflow.sim.path import Draws
from orderflow.sim.tape import Print

DAY_MS = 86_400_000
EVERY_MS = 20_000  # one trade in each such stretch
A_DAY = DAY_MS // EVERY_MS
FIVE_MINUTES_MS = 300_000
FUNDING_MS = 8 * 3_600_000


class OpenInterestThen(msgspec.Struct, frozen=True):
    ts: Millis
    lots: Lots
    tick_lots: int  # its value


class Past:
    """One market before `until`: trades, minutes, open interest and funding, the same whenever asked."""

    def __init__(
        self, coin: Coin, listing: Listing, venue: str, seed: int, until: Millis, next_id: int, next_fill: int
    ) -> None:
        self._coin, self._listing, self._venue, self._seed = coin, listing, venue, seed
        self.until = until
        # how many trades were made from 1970 to `until`, so that the last one is just before the first live
        made = self._made(until)
        self._first_id, self._first_fill = next_id - made, next_fill - _fills(made)
        self._days = lru_cache(maxsize=64)(self._day)

    @property
    def next_id(self) -> int:
        """The id of the first trade of the simulation itself."""
        return self._first_id + self._made(self.until)

    def trades(self, first: Millis, last: Millis) -> list[Print]:
        """The trades from one instant to another, the first part of it, the last not."""
        last = min(last, self.until)
        found: list[Print] = []
        for day in range(first // DAY_MS, -(-last // DAY_MS)):
            found += [one for one in self._days(day) if first <= one.ts < last]
        return found

    def from_id(self, id: int, most: int) -> list[Print]:
        """At most so many trades, from an id on."""
        number = max(0, id - self._first_id)
        found: list[Print] = []
        while len(found) < most and number < self._made(self.until):
            day = self._days(number // A_DAY)
            found += [
                one for one in day[number % A_DAY : number % A_DAY + most - len(found)] if one.ts < self.until
            ]
            number += A_DAY - number % A_DAY
        return found

    def minutes(self, first: Millis, last: Millis) -> list[Candle]:
        """The whole minutes that begin from one instant to another, the last not."""
        first = -(-first // 60_000) * 60_000
        last = min(last, self.until - self.until % 60_000)
        found: dict[Millis, Candle] = {}
        for one in self.trades(first, -(-last // 60_000) * 60_000):
            opens = one.ts - one.ts % 60_000
            bar = found.get(opens)
            if bar is None:
                bar = found[opens] = Candle(opens, one.price, one.price, one.price, one.price)
                bar.first = one.first
            bar.high, bar.low = max(bar.high, one.price), min(bar.low, one.price)
            bar.close, bar.last = one.price, one.last
            bar.lots += one.lots
            bar.tick_lots += one.lots * one.price
            bar.trades += one.last - one.first + 1
            if not one.taker_sells:
                bar.buy_lots += one.lots
                bar.buy_tick_lots += one.lots * one.price
        return list(found.values())

    def open_interest(self, first: Millis, last: Millis) -> list[OpenInterestThen]:
        """A row every five minutes, the first instant part of it, the last not."""
        found: list[OpenInterestThen] = []
        for ts in range(-(-first // FIVE_MINUTES_MS) * FIVE_MINUTES_MS, last, FIVE_MINUTES_MS):
            wave = self._draw("open interest", ts // FIVE_MINUTES_MS)
            lots = int(self._coin.open_interest / self._listing.lot_size * (1.0 + 0.01 * wave))
            found.append(OpenInterestThen(ts, lots, lots * self._price_at(ts)))
        return found

    def funding(self, first: Millis, last: Millis) -> list[tuple[Millis, float]]:
        """The settlements from one instant to another, the last not: when, and the rate."""
        return [
            (ts, round(0.0001 + 0.00015 * self._draw("funding", ts // FUNDING_MS), 8))
            for ts in range(-(-first // FUNDING_MS) * FUNDING_MS, last, FUNDING_MS)
        ]

    def _made(self, until: Millis) -> int:
        """How many trades were made before an instant."""
        day = until // DAY_MS
        return day * A_DAY + sum(one < until for one in self._times(day))

    def _times(self, day: int) -> list[Millis]:
        uniform = Draws(self._seed, self._coin.symbol, self._venue, "times", str(day)).uniform
        return [day * DAY_MS + slot * EVERY_MS + int(uniform() * EVERY_MS) for slot in range(A_DAY)]

    def _day(self, day: int) -> list[Print]:
        draws = Draws(self._seed, self._coin.symbol, self._venue, "day", str(day))
        opens, closes = self._price_at(day * DAY_MS), self._price_at((day + 1) * DAY_MS)
        typical = max(1.0, self._coin.trade_quote / self._coin.price / self._listing.lot_size)
        rows: list[Print] = []
        for place, ts in enumerate(self._times(day)):
            number = day * A_DAY + place
            drift = opens + (closes - opens) * place / A_DAY
            price: Ticks = max(1, round(drift * (1.0 + 0.0005 * draws.normal())))
            lots = max(1, int(typical * draws.exponential()))
            first = self._first_fill + _fills(number)
            rows.append(
                Print(
                    id=self._first_id + number,
                    price=price,
                    lots=lots,
                    shown_lots=lots,
                    first=first,
                    last=first + number % 2 * 2,
                    ts=ts,
                    taker_sells=draws.uniform() < 0.5,
                    hidden=False,
                    sent=0,
                )
            )
        return rows

    def _price_at(self, ts: Millis) -> Ticks:
        """The price, which wanders by a few percent from day to day around the coin's first one."""
        day, rest = divmod(ts, DAY_MS)
        here, there = (self._draw("price", one) for one in (day, day + 1))
        wave = here + (there - here) * rest / DAY_MS
        return max(1, round(self._coin.price * (1.0 + 0.02 * wave) / self._listing.tick_size))

    def _draw(self, what: str, place: int) -> float:
        """A number between -1 and 1 that belongs to a place in time."""
        return 2.0 * Draws(self._seed, self._coin.symbol, self._venue, what, str(place)).uniform() - 1.0


def _fills(trades: int) -> int:
    """How many fills so many trades have: one and three by turns."""
    return trades // 2 * 4 + trades % 2

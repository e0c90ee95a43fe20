"""Candles: minutes made of a venue's own fills, and the rolling day that tickers show."""

from collections import deque
from collections.abc import Callable, Iterable

from orderflow.sim.happenings import Candle, Fill, Millis, Ticks

MINUTE_MS = 60_000
_DAY_MINUTES = 1440


class Candles:
    """The running minute and the last day's closed ones."""

    def __init__(self, price: Ticks, now_ms: Millis) -> None:
        self.closed: deque[Candle] = deque(maxlen=_DAY_MINUTES)
        self.running = _flat(now_ms - now_ms % MINUTE_MS, price)
        self.last_fill: Fill | None = None

    def add(self, fill: Fill) -> None:
        candle, price, lots = self.running, fill.price, fill.lots
        if candle.trades == 0:
            candle.open = candle.high = candle.low = price
            candle.first = fill.id
        candle.high = max(candle.high, price)
        candle.low = min(candle.low, price)
        candle.close = price
        candle.last = fill.id
        candle.lots += lots
        candle.tick_lots += price * lots
        candle.trades += 1
        if not fill.taker_sells:
            candle.buy_lots += lots
            candle.buy_tick_lots += price * lots
        self.last_fill = fill

    def roll(self, now_ms: Millis) -> list[Candle]:
        """Close the minutes that are over; one without trades is flat at the last close."""
        done: list[Candle] = []
        while now_ms >= self.running.open_ms + MINUTE_MS:
            done.append(self.running)
            self.closed.append(self.running)
            self.running = _flat(self.running.open_ms + MINUTE_MS, self.running.close)
        return done

    def all(self) -> list[Candle]:
        return [*self.closed, self.running]

    def day(self) -> Candle:
        """The last 24 hours as one candle."""
        return merged(self.all()[-_DAY_MINUTES:])


def merged(candles: Iterable[Candle]) -> Candle:
    """Neighbouring candles as one; flat minutes add nothing but their time."""
    first, *rest = candles
    whole = Candle(*(getattr(first, name) for name in Candle.__struct_fields__))
    for candle in rest:
        if candle.trades == 0:
            continue
        if whole.trades == 0:
            whole.open = whole.high = whole.low = candle.open
            whole.first = candle.first
        whole.high = max(whole.high, candle.high)
        whole.low = min(whole.low, candle.low)
        whole.close = candle.close
        whole.last = candle.last
        whole.lots += candle.lots
        whole.tick_lots += candle.tick_lots
        whole.trades += candle.trades
        whole.buy_lots += candle.buy_lots
        whole.buy_tick_lots += candle.buy_tick_lots
    return whole


def grouped(candles: Iterable[Candle], minutes: int) -> list[Candle]:
    """Candles of `minutes` on the UTC grid, from those of one minute."""
    width = minutes * MINUTE_MS
    return gathered(candles, lambda ms: ms - ms % width)


def gathered(candles: Iterable[Candle], opens: Callable[[Millis], Millis]) -> list[Candle]:
    """Candles that begin where `opens` says of an instant, from those of one minute."""
    groups: dict[Millis, list[Candle]] = {}
    for candle in candles:
        groups.setdefault(opens(candle.open_ms), []).append(candle)
    found: list[Candle] = []
    for open_ms, members in groups.items():
        whole = merged(members)
        whole.open_ms = open_ms
        found.append(whole)
    return found


def _flat(open_ms: Millis, price: Ticks) -> Candle:
    return Candle(open_ms, price, price, price, price)

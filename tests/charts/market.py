"""A made-up market to draw: a seeded walk, its trades, and what is known of them."""

from typing import NamedTuple

import numpy as np

from orderflow.charts.candles import Candles
from orderflow.charts.canvas import About
from orderflow.charts.heatmap import Resting
from orderflow.charts.structure import Break, Level, Swings
from orderflow.flow.cells import Cells, cells
from orderflow.flow.levels import levels
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.events import HOUR, MINUTE, Nanos

T0: Nanos = 1_795_248_000_000_000_000  # 21 November 2026, 08:00 UTC


class Walk(NamedTuple):
    """Trades of a walk, oldest first."""

    time: Index
    price: Column
    size: Column
    is_buy: Mask


def about(since: Nanos = T0, until: Nanos = T0 + HOUR, **more: object) -> About:
    told = About("BTCUSDT", "binance", "perpetual", since, until, "collected", 99.2, simulated=True)
    return told._replace(**more)


def walk(
    since: Nanos, until: Nanos, count: int, price: float, tick: float, seed: int = 7, wild: float = 12.0
) -> Walk:
    """Trades at random times; the price wanders by a few ticks, and takers lean the way that it goes."""
    random = np.random.default_rng(seed)
    time = np.sort(random.integers(since, until, count))
    lean = np.cumsum(random.normal(0, 1, count))
    steps = random.normal(0, wild, count) + 0.04 * wild * np.sin(lean / 40)
    path = np.cumsum(steps)
    is_buy = random.random(count) < 0.5 + 0.22 * np.sin(lean / 40)
    size = np.round(random.lognormal(-3, 1.6, count), 3) + 0.001
    found = np.round((price / tick + np.round(path)) + np.where(is_buy, 1, 0)) * tick
    return Walk(time, np.round(np.maximum(found, tick), 12), size, is_buy)


def candles_of(one: Walk, since: Nanos, until: Nanos, length: Nanos) -> Candles:
    start = np.arange(since // length * length, until, length, dtype=np.int64)
    opened, high, low, close = np.full((4, len(start)), np.nan)
    bar = (one.time - since // length * length) // length
    for number in np.unique(bar).tolist():
        price = one.price[bar == number]
        opened[number], high[number], low[number], close[number] = (
            price[0],
            price.max(),
            price.min(),
            price[-1],
        )
    return Candles(start, opened, high, low, close, length)


def cells_of(one: Walk, candles: Candles, step: float) -> Cells:
    bar = (one.time - candles.start[:1].sum()) // candles.length
    return cells(bar, levels(one.price, step), one.size, one.price, one.is_buy)


def poc_of(found: Cells, bars: int) -> Index:
    poc = np.zeros(bars, dtype=np.int64)
    for bar in np.unique(found.bar).tolist():
        here = found.bar == bar
        poc[bar] = found.level[here][np.argmax(found.volume[here])]
    return poc


def imbalances_of(found: Cells, ratio: float = 3.0, least: float = 0.5) -> tuple[Mask, Mask]:
    """Bought at a level against sold one below it, and sold against bought one above."""
    volume = {
        (bar, level): place
        for place, (bar, level) in enumerate(zip(found.bar.tolist(), found.level.tolist(), strict=True))
    }
    bought, sold = np.zeros((2, len(found.bar)), dtype=np.bool_)
    for (bar, level), place in volume.items():
        below, above = volume.get((bar, level - 1)), volume.get((bar, level + 1))
        bought[place] = below is not None and found.buy[place] > max(least, ratio * found.sell[below])
        sold[place] = above is not None and found.sell[place] > max(least, ratio * found.buy[above])
    return bought, sold


GAPS = ((T0 + 22 * MINUTE, T0 + 25 * MINUTE), (T0 + 41 * MINUTE, T0 + 41 * MINUTE + 20_000_000_000))


def book_of(one: Walk, since: Nanos, until: Nanos, length: Nanos, step: float, seed: int = 3) -> Resting:
    """A made-up book: sizes that grow away from the price, a few walls, nothing known in a stretch of levels."""
    random = np.random.default_rng(seed)
    start = np.arange(since, until, length, dtype=np.int64)
    lowest, highest = levels(
        np.array([one.price.min() - 30 * step, one.price.max() + 30 * step]), step
    ).tolist()
    at = np.maximum(np.searchsorted(one.time, start, side="right") - 1, 0)
    middle = one.price[at] / step - lowest
    level = np.arange(highest - lowest + 1)[:, None]
    away = np.abs(level - middle[None, :])
    size = random.lognormal(0, 0.5, (len(level), 1)) * random.lognormal(0, 0.35, (len(level), len(start)))
    size *= 0.4 + np.minimum(away, 12) / 6
    for wall in random.integers(5, len(level) - 5, 6).tolist():
        begin = int(random.integers(0, max(1, len(start) - 20)))
        size[wall, begin : begin + int(random.integers(20, 200))] += random.uniform(15, 90)
    size[away < 0.6] = 0.0
    size[away > 42] = np.nan
    return Resting(start, length, lowest, size)


def swings_of(candles: Candles, side: int = 5) -> tuple[Swings, list[Break], list[Level]]:
    """Pivots of so many bars a side, in turn; closes beyond them; and what became of their liquidity."""
    at: list[int] = []
    price: list[float] = []
    high: list[bool] = []
    label: list[str] = []
    last = {True: np.nan, False: np.nan}
    for bar in range(side, len(candles.start) - side):
        here = slice(bar - side, bar + side + 1)
        for is_high, column in ((True, candles.high), (False, -candles.low)):
            if (
                np.isnan(column[here]).any()
                or column[bar] < column[here].max()
                or (high and high[-1] == is_high)
            ):
                continue
            value = float(candles.high[bar] if is_high else candles.low[bar])
            word = ("H" if not value <= last[is_high] else "L") + ("H" if is_high else "L")
            last[is_high] = value
            at.append(bar), price.append(value), high.append(is_high), label.append(word)
    breaks: list[Break] = []
    found: list[Level] = []
    for bar, value, is_high in zip(at, price, high, strict=True):
        later = candles.close[bar + side :] > value if is_high else candles.close[bar + side :] < value
        touched = candles.high[bar + side :] > value if is_high else candles.low[bar + side :] < value
        if later.any() and len(breaks) < 12:
            until = bar + side + int(np.argmax(later))
            kind = "CHoCH" if breaks and breaks[-1].up != is_high else "BOS"
            breaks.append(Break(int(candles.start[bar]), int(candles.start[until]), value, kind, is_high))
        swept = int(candles.start[bar + side + int(np.argmax(touched))]) if touched.any() else None
        found.append(Level(int(candles.start[bar]), value, is_high, swept))
    swings = Swings(
        candles.start[np.array(at, dtype=np.int64)], np.array(price), np.array(high, dtype=np.bool_), label
    )
    return swings, breaks, found

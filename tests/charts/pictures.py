"""Every picture of a made-up market, by name: what each of them promises is tested over all."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from orderflow.charts.canvas import About, Canvas, Look
from orderflow.charts.cvd import Series, cvd
from orderflow.charts.footprint import Marks, footprint
from orderflow.charts.heatmap import Circles, Line, Resting, heatmap
from orderflow.charts.liquidations import liquidations
from orderflow.charts.profile import Node, Rows, Session, ValueArea, Vwap, profile
from orderflow.charts.structure import structure
from orderflow.flow.levels import prices
from orderflow.flow.liquidations import by_price, by_time
from orderflow.market.events import MINUTE, Nanos
from tests.charts import market
from tests.charts.market import T0, Walk


class Case(NamedTuple):
    """A market to draw: so many bars, at such a price; `step` ticks are a level."""

    bars: int = 60
    length: Nanos = MINUTE
    price: float = 60_000.0
    tick: float = 0.1
    step: int = 100
    trades: int = 6_000
    seed: int = 7
    gaps: tuple[tuple[Nanos, Nanos], ...] = ()
    simulated: bool = True
    look: Look | None = None
    symbol: str = "BTCUSDT"
    unit: str = "BTC"
    quote: str = "USDT"

    @property
    def until(self) -> Nanos:
        return T0 + self.bars * self.length

    @property
    def about(self) -> About:
        return market.about(
            T0, max(self.until, T0 + MINUTE), gaps=self.gaps, simulated=self.simulated, symbol=self.symbol
        )

    @property
    def level(self) -> float:
        return round(self.tick * self.step, 12)

    @property
    def walk(self) -> Walk:
        if not self.bars:
            none = np.empty(0, dtype=np.int64)
            return Walk(none, np.empty(0), np.empty(0), np.empty(0, dtype=np.bool_))
        whole = market.walk(T0, self.until, self.trades, self.price, self.tick, self.seed)
        known = np.ones(len(whole.time), dtype=np.bool_)
        for begin, until in self.gaps:
            known &= (whole.time < begin) | (whole.time >= until)
        return Walk(*(column[known] for column in whole))


def draw_footprint(case: Case) -> Canvas:
    walk = case.walk
    candles = market.candles_of(walk, T0, case.until, case.length)
    cells = market.cells_of(walk, candles, case.level)
    bought, sold = market.imbalances_of(cells)
    marks = Marks(bought, sold, market.poc_of(cells, len(candles.start)))
    return footprint(
        case.about, candles, cells, case.level, case.unit, case.quote, marks=marks, look=case.look
    )


def draw_profile(case: Case) -> Canvas:
    walk, step = case.walk, case.level
    candles = market.candles_of(walk, T0, case.until, case.length)
    cells = market.cells_of(walk, candles, step).together()
    area, nodes, vwap = None, [], None
    if len(cells.level):
        poc = int(np.argmax(cells.volume))
        order = np.argsort(-cells.volume, kind="stable")
        inside = cells.level[order[np.cumsum(cells.volume[order]) <= 0.7 * cells.volume.sum()]]
        inside = np.append(inside, cells.level[poc])
        low, middle, high = prices(
            np.array([inside.min(), cells.level[poc], inside.max() + 1]), step
        ).tolist()
        area = ValueArea(middle + step / 2, high, low)
        edges = prices(cells.level, step).tolist()
        nodes = [Node(edges[poc], edges[poc] + step, "HVN")]
        nodes += [
            Node(edges[place], edges[place] + step, "LVN") for place in (len(edges) // 5, len(edges) * 4 // 5)
        ]
        vwap = vwap_of(walk, candles.end)
    third = (case.until - T0) // 3
    sessions = [
        Session(name, T0 + place * third, T0 + (place + 1) * third)
        for place, name in enumerate(("Asia", "London", "New York"))
    ]
    return profile(
        case.about, candles, Rows(cells.level, cells.buy, cells.sell), step, case.unit, case.quote, area=area,
        nodes=nodes, vwap=vwap, sessions=sessions, tick=case.tick, look=case.look,
    )  # fmt: skip


def vwap_of(walk: Walk, end: market.Index) -> Vwap:
    base, quote = np.cumsum(walk.size), np.cumsum(walk.size * walk.price)
    vwap = quote / base
    away = np.sqrt(np.cumsum(walk.size * (walk.price - vwap) ** 2) / base)
    at = np.maximum(np.searchsorted(walk.time, end) - 1, 0)
    return Vwap(end, vwap[at], [((vwap - n * away)[at], (vwap + n * away)[at]) for n in (1, 2)])


def draw_heatmap(case: Case) -> Canvas:
    walk, step = case.walk, case.level
    if not len(walk.time):
        empty = Resting(np.empty(0, dtype=np.int64), case.length, 0, np.empty((0, 0)))
        return heatmap(case.about, empty, step, case.unit, case.quote, look=case.look)
    resting = market.book_of(walk, T0, case.until, case.length // 4, step)
    for begin, until in case.gaps:
        resting.size[:, (resting.start < until) & (resting.start + resting.length > begin)] = np.nan
    large = walk.size > np.quantile(walk.size, 0.95)
    trades = Circles(walk.time[large], walk.price[large], walk.size[large], walk.is_buy[large])
    mid = Line(walk.time[::20], walk.price[::20])
    return heatmap(
        case.about,
        resting,
        step,
        case.unit,
        case.quote,
        trades=trades,
        mid=mid,
        tick=case.tick,
        look=case.look,
    )


def draw_cvd(case: Case) -> Canvas:
    walk = case.walk
    candles = market.candles_of(walk, T0, case.until, case.length)
    bars = len(candles.start)
    delta = np.zeros(bars)
    if bars:
        np.add.at(
            delta, (walk.time - candles.start[0]) // case.length, np.where(walk.is_buy, walk.size, -walk.size)
        )
    delta[np.isnan(candles.close)] = np.nan
    random = np.random.default_rng(4)
    names = (
        ("binance perp", "perpetual"),
        ("bybit perp", "perpetual"),
        ("binance spot", "spot"),
        ("coinbase spot", "spot"),
    )
    series = [
        Series(
            name, kind, np.cumsum(random.uniform(0.1, 0.4) * np.nan_to_num(delta) + random.normal(0, 2, bars))
        )
        for name, kind in names
    ]
    total = np.sum([one.value for one in series], axis=0)
    return cvd(
        case.about, candles, series, delta, case.unit, case.quote, total=total, tick=case.tick, look=case.look
    )


def draw_liquidations(case: Case) -> Canvas:
    walk = case.walk
    candles = market.candles_of(walk, T0, case.until, case.length)
    random = np.random.default_rng(9)
    some = np.sort(random.integers(0, max(1, len(walk.time)), min(len(walk.time), 200)))
    size, is_long = random.lognormal(-1, 1.5, len(some)), ~walk.is_buy[some]
    time, price = walk.time[some], walk.price[some]
    return liquidations(
        case.about, candles, by_time(time, price, size, is_long, case.length, lower_bound=True), case.length,
        by_price(price, size, is_long, case.level, lower_bound=True), case.level, case.quote, tick=case.tick,
        look=case.look,
    )  # fmt: skip


def draw_structure(case: Case) -> Canvas:
    candles = market.candles_of(case.walk, T0, case.until, case.length)
    swings, breaks, levels = market.swings_of(candles, 3)
    return structure(
        case.about, candles, swings, case.quote, breaks=breaks, levels=levels, tick=case.tick, look=case.look
    )


EVERY: dict[str, Callable[[Case], Canvas]] = {
    "footprint": draw_footprint,
    "profile": draw_profile,
    "heatmap": draw_heatmap,
    "cvd": draw_cvd,
    "liquidations": draw_liquidations,
    "structure": draw_structure,
}

"""Perpetual: what a perpetual has beside its trades: mark, index, funding, open interest, liquidations."""

import math
from collections import deque

import msgspec

from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import Fill, Happening, Liquidated, Lots, Marked, Millis
from orderflow.sim.path import Draws

_HOUR_MS = 3_600_000
INTEREST = 0.0001  # per eight hours
CAP = 0.02
_PAST_SETTLEMENTS = 30
_KEPT_LIQUIDATIONS = 1000


class Settlement(msgspec.Struct, frozen=True):
    """A funding payment that took place."""

    ts: Millis
    rate: float
    mark: float


class Perpetual:
    """The state around one perpetual's book; `step` follows its exchange's step."""

    def __init__(
        self,
        exchange: Exchange,
        draws: Draws,
        price: float,
        open_lots: Lots,
        now_ms: Millis,
        funding_hours: int = 8,
    ) -> None:
        self.exchange = exchange
        self.liquidated: deque[Liquidated] = deque(maxlen=_KEPT_LIQUIDATIONS)
        self._draws = draws
        self.open_lots = self._start_lots = open_lots
        self._premium = 0.0
        self._second = now_ms // 1000
        self.interval_ms = interval_ms = funding_hours * _HOUR_MS
        self._share = funding_hours / 8  # of an eight-hour rate that one interval pays
        first = now_ms - now_ms % interval_ms + interval_ms
        self.marked = Marked(now_ms, price, price, price, INTEREST * self._share, first)
        self.settlements = [
            Settlement(first - back * interval_ms, (INTEREST + 0.00015 * draws.normal()) * self._share, price)
            for back in range(_PAST_SETTLEMENTS, 0, -1)
        ]

    def step(
        self, now_ms: Millis, seconds: float, index: float, momentum: float, out: list[Happening]
    ) -> None:
        """Liquidate, count open interest over all fills in `out`, and mark once a second."""
        if self._draws.uniform() < self._liquidations_per_second(momentum) * seconds:
            self._liquidate(now_ms, momentum, out)
        for one in out:
            if type(one) is Fill:
                self._position(one)
        if now_ms // 1000 != self._second:
            self._second = now_ms // 1000
            self._mark(now_ms, index)
            out.append(self.marked)

    def _liquidations_per_second(self, momentum: float) -> float:
        """About one a minute in quiet; several a second when the price runs by tens of bps."""
        run_bps = abs(momentum) * 10_000
        return 1 / 60 + max(0.0, run_bps - 15.0) / 20.0

    def _liquidate(self, ts: Millis, momentum: float, out: list[Happening]) -> None:
        sells = momentum < 0
        lots = self.exchange.typical_order(5.0)
        fills = [fill for fill in self.exchange.take(sells, lots, ts, out) if not fill.hidden]
        filled = sum(fill.lots for fill in fills)
        if not filled:
            return
        amount = sum(fill.lots * fill.price for fill in fills)
        edge = amount / filled * (0.996 if sells else 1.004)
        self.liquidated.append(
            Liquidated(
                ts=ts,
                sells=sells,
                limit=math.floor(edge) if sells else math.ceil(edge),
                lots=lots,
                filled_lots=filled,
                filled_tick_lots=amount,
                last_lots=fills[-1].lots,
            )
        )
        out.append(self.liquidated[-1])
        self.open_lots = max(self._start_lots // 2, self.open_lots - filled)

    def _position(self, fill: Fill) -> None:
        """A fill opens, closes or hands over a position; open interest drifts home in the long run."""
        home = 0.45 if self.open_lots < self._start_lots else 0.35
        chance = self._draws.uniform()
        if chance < home:
            self.open_lots += fill.lots
        elif chance < 0.8:
            self.open_lots = max(self._start_lots // 2, self.open_lots - fill.lots)

    def _mark(self, now_ms: Millis, index: float) -> None:
        old = self.marked
        if now_ms >= old.next_funding_ms:
            self.settlements.append(Settlement(old.next_funding_ms, old.funding, old.mark))
            old = msgspec.structs.replace(old, next_funding_ms=old.next_funding_ms + self.interval_ms)
        self._premium += 0.05 * (self.exchange.mid / index - 1.0 - self._premium)
        mark = index * (1.0 + self._premium)
        estimate = self._premium + min(0.0005, max(-0.0005, INTEREST - self._premium))
        self.marked = Marked(
            ts=now_ms,
            mark=mark,
            mark_average=old.mark_average + (mark - old.mark_average) / 30.0,
            index=index,
            funding=min(CAP, max(-CAP, estimate * self._share)),
            next_funding_ms=old.next_funding_ms,
        )

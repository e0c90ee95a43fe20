"""Parts of the order-flow metrics that are read trade by trade: sizes, speed, large orders, sweeps, VPIN.

Trades of several venues are one tape where they are counted; a taker's order is of one venue alone.
"""

from typing import Any

import numpy as np

from orderflow.flow.cuts import time_bars
from orderflow.flow.delta import by_size, cvd
from orderflow.flow.takers import TakerOrders, taker_orders
from orderflow.flow.tape import SWEEP_GAP_MS, large_trades, sweeps, tape_speed
from orderflow.flow.toxicity import BUCKETS, BUCKETS_A_DAY, buckets, standing, vpin
from orderflow.market.errors import NoData
from orderflow.market.events import DAY, MS, SECOND
from orderflow.store.backfills import merged
from orderflow.tools.answers import Row
from orderflow.tools.footprints import table
from orderflow.tools.metric_parts import MOST_ROWS, Make, Part, Question
from orderflow.tools.past import attempt
from orderflow.tools.quality import heard, unknown

QUANTILE = 0.999  # of the taker orders of the hours before, above which one is large
_SIZES = {
    "value_from": "quote", "value_until": "quote", "buy": "base", "sell": "base", "delta": "base", "cvd": "base",
    "trades": "count",
}  # fmt: skip
_SPEEDS = {"time": "UTC", "trades_per_s": "1/s", "quote_per_s": "quote/s", "times_usual": "ratio"}
_ORDERS = {
    "time": "UTC", "venue": "", "side": "", "base": "base", "value": "quote", "price_from": "quote",
    "price_to": "quote", "fills": "count", "levels": "count", "reach_bps": "bps",
}  # fmt: skip


def sizes(of: Question) -> Part:
    """Delta and CVD of small and of large trades, by the value of each row that a venue tells as one trade."""
    tape, bars = of.all_tape, of.flow.bars.rows(of.shown)
    number = time_bars(tape.time, of.bar.length, of.bar.origin)
    found = by_size(bars, number, tape.time, tape.price, tape.size, tape.is_buy, of.edges, tape.fills)
    edges = [None, *found.edges.tolist(), None]
    rows: list[Row] = []
    for place, one in enumerate(found.sizes):
        closes = cvd(one, of.since).close
        buy, sell = float(one.buy.sum()), float(one.sell.sum())
        rows.append(
            [edges[place], edges[place + 1], buy, sell, buy - sell, float(closes[-1]), int(one.trades.sum())]
        )
    return Part({"of": "rows of trades, a venue's own bundles"}, _SIZES, rows[::-1])


def speed(of: Question) -> Part:
    """How fast the tape runs, in windows of ten seconds, beside the median of the quarter of an hour before."""
    tape = of.all_tape
    gaps = merged([one for venue in heard(of.flow.found) for one in unknown(of.flow.found, venue)])
    found = tape_speed(tape.time, tape.value, of.since, of.asked.until, count=tape.fills, gaps=gaps)
    rate, ratio = found.trades_per_s, found.trades_ratio
    known = rate[~np.isnan(rate)]
    if not len(known):
        return Part({"reason": "no window of ten seconds was received whole"})
    busiest = np.argsort(-np.nan_to_num(rate, nan=-1.0), kind="stable")[:MOST_ROWS]
    rows = table((found.start[busiest] // MS, rate[busiest], found.quote_per_s[busiest], ratio[busiest]))
    last, usual = float(known[-1]), found.usual_trades[~np.isnan(found.usual_trades)]
    told: dict[str, Any] = {
        "last_trades_per_s": last, "mean_trades_per_s": float(known.mean()), "most_trades_per_s": float(known.max()),
        "usual_trades_per_s": float(usual[-1]) / (found.window / SECOND) if len(usual) else None,
    }  # fmt: skip
    return Part(told, _SPEEDS, rows)


def large(of: Question) -> Part:
    """The largest taker orders: of at least so much, or above a quantile of those before."""
    every: list[tuple[str, TakerOrders]] = []
    for venue in heard(of.flow.found):
        tape = of.tape(venue)
        orders = taker_orders(tape.time, tape.price, tape.size, tape.is_buy)
        chosen = (
            large_trades(orders, quantile=QUANTILE)
            if of.large is None
            else large_trades(orders, min_quote=of.large)
        )
        every.append((venue, chosen.orders))
    rule = {"quantile": QUANTILE} if of.large is None else {"min_value": of.large}
    return _told(every, rule)


def swept(of: Question) -> Part:
    """Taker orders that took three prices or more within a few milliseconds."""
    every: list[tuple[str, TakerOrders]] = []
    for venue in heard(of.flow.found):
        tape = of.tape(venue)
        least = 0.0 if of.large is None else of.large
        every.append((venue, sweeps(tape.time, tape.price, tape.size, tape.is_buy, min_quote=least)))
    return _told(every, {"max_gap_ms": SWEEP_GAP_MS})


def _told(every: list[tuple[str, TakerOrders]], rule: dict[str, Any]) -> Part:
    """Return counts and values of both sides, and the largest orders."""
    rows: list[Row] = []
    told: dict[str, Any] = dict(rule)
    for name, side in (("bought", True), ("sold", False)):
        told[name] = sum(int((one.is_buy == side).sum()) for _, one in every)
        told[f"{name}_value"] = sum(float(one.quote[one.is_buy == side].sum()) for _, one in every)
    for venue, one in every:
        side = ["buy" if bought else "sell" for bought in one.is_buy.tolist()]
        columns = (
            one.start // MS, [venue] * len(side), side, one.base, one.quote, one.price_from, one.price_to, one.fills,
            one.levels, one.reach_bp + 0.0,
        )  # fmt: skip
        rows += table(columns)
    return Part(told, _ORDERS, sorted(rows, key=lambda row: (-row[4], row[0]))[:MOST_ROWS])


def toxicity(of: Question) -> Part:
    """VPIN of buckets of a fiftieth of the volume of the day before the window, by the takers' sides as told."""
    size = of.bucket or _a_days(of) / BUCKETS_A_DAY
    tape = of.all_tape
    found = buckets(tape.time, tape.size, tape.is_buy.astype(np.float64), size)
    value = vpin(found.imbalance)
    known = value[~np.isnan(value)]
    told: dict[str, Any] = {"bucket": size, "buckets": len(value), "window": BUCKETS}
    if not len(known):
        return Part(
            told | {"vpin": None, "reason": f"{len(value)} buckets are full, and {BUCKETS} are needed"}
        )
    return Part(
        told | {"vpin": float(known[-1]), "standing": float(standing(value)[-1]), "most": float(known.max())}
    )


def _a_days(of: Question) -> float:
    """Return the volume of the day before the window; raise `NoData` where none is stored."""
    asked = of.asked
    before = attempt(lambda: of.ask.history.flow(asked.symbol, asked.venues, of.since - DAY, of.since))
    shares = [] if before is None else [one.percent or 0.0 for one in before.coverage.values()]
    if before is None or min(shares, default=0.0) < _KNOWN_PCT:
        raise NoData(
            "VPIN's bucket is a 50th of the day before the window, which is not stored",
            hint="bucket=100 (base units)",
        )
    return float(sum((row["buy_volume"] or 0.0) + (row["sell_volume"] or 0.0) for row in before.rows()))


_KNOWN_PCT = 80.0  # of the day before, below which its volume would be too low

OF_TRADES: dict[str, Make] = {
    "sizes": sizes, "tape": speed, "large": large, "sweeps": swept, "vpin": toxicity,
}  # fmt: skip

"""Pushing: order flow imbalance, book imbalance and microprice of one venue's book, bar by bar.

What is estimated (the microprice's model, the weights of the levels) is estimated from the time before the
window alone, so that no figure of the window knows what came after it.
"""

from typing import Any, NamedTuple

import numpy as np

from orderflow.flow.books import NO_GAPS, Books, stands_until
from orderflow.flow.microprice import MicropriceModel, microprice_model
from orderflow.flow.pressure import (
    integrated_ofi,
    integration_weights,
    ofi_bars,
    queue_imbalance,
    weighted_mid,
)
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos
from orderflow.store.backfills import merged
from orderflow.store.windows import Window
from orderflow.tools.books import books_of, follows, hold, lost, tick_of
from orderflow.tools.past import Past
from orderflow.tools.spec import Ask

BPS = 1e4


class Pushed(NamedTuple):
    """A venue's figures by bar, those of its last snapshot in `now`, and what is said of the microprice.

    `ofi` (best level) and `ofi_levels` (all) are base units, `ofi_integrated` multiples of a level's usual
    size; imbalances -1 to 1, the means of the time that the bar's snapshots stood in it; `*_bps` how far
    from the mid. `mid` is that of the bar's last snapshot. What is unknown is NaN.
    """

    mid: Column
    ofi: Column
    ofi_levels: Column
    ofi_integrated: Column
    imbalance: Column
    imbalance_levels: Column
    weighted_mid_bps: Column
    microprice_bps: Column
    events: Index
    unknown_events: Index
    now: dict[str, Any]
    said: dict[str, Any]


def pushed(
    ask: Ask, asked: Past, found: Window, venue: str, begin: Nanos, bars: int, length: Nanos, lead: Nanos
) -> Pushed:
    """Return a venue's figures in so many bars from `begin` on; the time before it is the past."""
    book = books_of(found, venue)
    held, gaps = hold(found), _gaps(ask, asked, found, venue, lead)
    following = follows(book, asked.until, held, gaps)
    number = (book.time - begin) // length
    past = book.time < begin
    model, why = _model(_rows(book, past), tick_of(ask, asked.symbol, venue, [book]), following[past])
    sums = ofi_bars(book, number, bars, following)
    weights = _weights(book, number + (-int(number[0]) if len(number) else 0), following, past)
    stood = (
        np.minimum(stands_until(book.time, asked.until, held, gaps), begin + (number + 1) * length)
        - book.time
    )
    weigh = _Weighing(number, stood, bars)
    weighted = (weighted_mid(book) / book.mid - 1) * BPS
    micro = np.full(len(book.time), np.nan) if model is None else (model.price(book) / book.mid - 1) * BPS
    top, every = queue_imbalance(book), _imbalance(book)
    none = np.full(bars, np.nan)
    return Pushed(
        mid=_last_of(book.mid, number, bars),
        ofi=sums.total[:, 0],
        # a level that is absent throughout a bar leaves the sum of all unknown
        ofi_levels=sums.total.sum(axis=1),
        ofi_integrated=none if weights is None else integrated_ofi(sums.scaled, weights),
        imbalance=weigh.mean(top),
        imbalance_levels=weigh.mean(every),
        weighted_mid_bps=weigh.mean(weighted),
        microprice_bps=weigh.mean(micro),
        events=sums.events[:, 0],
        unknown_events=sums.unknown[:, 0],
        now=_now(book, top, every, weighted_mid(book), model),
        said={"microprice": why, "weights": None if weights is None else weights.tolist()},
    )


class _Weighing(NamedTuple):
    """Which bar each snapshot came in, and for how long it stood in that."""

    bar: Index
    stood: Index
    bars: int

    def mean(self, value: Column) -> Column:
        known = ~np.isnan(value) & (self.bar >= 0) & (self.bar < self.bars) & (self.stood > 0)
        bar, weight = self.bar[known], self.stood[known].astype(np.float64)
        total = np.bincount(bar, weights=value[known] * weight, minlength=self.bars)
        time = np.bincount(bar, weights=weight, minlength=self.bars)
        return np.divide(total, time, out=np.full(self.bars, np.nan), where=time > 0)


def _gaps(ask: Ask, asked: Past, found: Window, venue: str, lead: Nanos) -> Index:
    """Return when the book was not received, in the window and in the time before it."""
    before = [
        (one.from_ts, asked.until if one.until_ts is None else one.until_ts)
        for one in ask.history.gaps(asked.symbol, [venue], asked.since - lead, asked.since, "orderbooks")
        if one.filled_ts is None
    ]
    every = merged([*before, *((int(first), int(last)) for first, last in lost(found, venue))])
    return np.array(every, dtype=np.int64) if every else NO_GAPS


def _model(past: Books, tick: float, following: Mask) -> tuple[MicropriceModel | None, str]:
    """Return the microprice's model of the past, or none, and what is to be said of it."""
    if len(past.time) < 2:
        return None, "unknown: no books are stored of the time before the window, which it is estimated from"
    try:
        found = microprice_model(past, tick, follows=following)
    except InvalidArgument as error:
        return None, f"unknown: {error}"
    if not found.settled:
        return None, f"unknown: the {found.steps:,} changes of the book before the window are too few"
    return found, f"estimated from {found.steps:,} changes of the book before the window"


def _weights(book: Books, number: Index, following: Mask, past: Mask) -> Column | None:
    """Return the weights of the levels by the bars of the past, or None where it is too short."""
    if not np.any(past):
        return None
    bars = int(number[past][-1]) + 1
    sums = ofi_bars(book, np.where(past, number, -1), bars, following)
    try:
        return integration_weights(sums.scaled)
    except InvalidArgument:
        return None


def _rows(book: Books, chosen: Mask) -> Books:
    return Books._make(one[chosen] for one in book)


def _imbalance(book: Books) -> Column:
    """Return (bids − asks) / (bids + asks) over all levels; NaN where a side is absent."""
    bid, ask = np.nansum(book.bid_size, axis=1), np.nansum(book.ask_size, axis=1)
    return np.divide(bid - ask, bid + ask, out=np.full(len(bid), np.nan), where=(bid > 0) & (ask > 0))


def _last_of(value: Column, bar: Index, bars: int) -> Column:
    found = np.full(bars, np.nan)
    inside = (bar >= 0) & (bar < bars)
    found[bar[inside]] = value[inside]  # of several the last is left
    return found


def _now(
    book: Books, top: Column, every: Column, weighted: Column, model: MicropriceModel | None
) -> dict[str, Any]:
    last = Books._make(one[-1:] for one in book)
    mid = float(last.mid[0])
    micro = float("nan") if model is None else float(model.price(last)[0])
    return {
        "time": int(last.time[0]), "bid": float(last.bid_price[0, 0]), "ask": float(last.ask_price[0, 0]), "mid": mid,
        "spread_bps": float(last.spread[0]) / mid * BPS, "imbalance": float(top[-1]),
        "imbalance_levels": float(every[-1]), "weighted_mid": float(weighted[-1]), "microprice": micro,
        "microprice_bps": (micro / mid - 1) * BPS,
    }  # fmt: skip

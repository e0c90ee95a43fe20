"""Depth of a window: what rests near the mid at the end of each stretch of it, of one venue or of several together."""

from typing import Any, NamedTuple

import numpy as np

from orderflow.flow.depth import BANDS, Depth, depth
from orderflow.flow.depth_delta import DepthDelta, depth_delta, executed
from orderflow.market.columns import Column
from orderflow.market.events import Nanos
from orderflow.store.windows import Window
from orderflow.tools.books import books_of, hold, lost, taken
from orderflow.tools.past import Past
from orderflow.tools.quality import heard
from orderflow.tools.spec import Ask

MOSTLY = 0.9  # of the windows that are known: so many have a band whole, for it to be the one that is shown
_STEPS = (5, 2, 1)  # times a power of ten: a round band that the known levels cover
_LEAST_BAND = 1e-6  # bps


class Series(NamedTuple):
    """Depth delta of all venues together, with what takers took; sums are unknown where one venue's is."""

    delta: DepthDelta
    before: Depth  # of the window before the first: a row
    bid_executed: Column
    ask_executed: Column


def bps(percent: float) -> float:
    """Return percent as basis points, so that 0.05 and 5 bps are the same band."""
    return round(percent * 100, 9)


def bands_of(asked: Past, found: Window, length: Nanos, percent: float | None) -> tuple[float, ...]:
    """Return the bands in order: the usual ones, the one asked for, or else one that the known levels cover."""
    if percent is not None:
        return tuple(sorted({*BANDS, bps(percent)}))
    reach: list[float] = []
    for venue in heard(found):
        every = depth_delta(books_of(found, venue), asked.since, asked.until, length).depth
        known = np.minimum(every.bid_reach, every.ask_reach)
        known = known[~np.isnan(known)]
        reach += [float(np.quantile(known, 1 - MOSTLY))] if len(known) else []
    least = min(reach, default=0.0)
    if not _LEAST_BAND < least < min(BANDS):
        return BANDS
    power = 10.0 ** np.floor(np.log10(least))
    return (float(f"{next(one * power for one in _STEPS if one * power <= least * (1 + 1e-9)):.6g}"), *BANDS)


def of_venue(
    ask: Ask, asked: Past, found: Window, venue: str, length: Nanos, bands: tuple[float, ...]
) -> Series:
    """Return a venue's depth delta, with what takers took of it where its trades are known."""
    snapshots = books_of(found, venue)
    delta = depth_delta(
        snapshots, asked.since, asked.until, length, bands,
        hold=hold(found, picked=False), gaps=lost(found, venue),
    )  # fmt: skip
    trades = taken(ask, asked.symbol, venue, int(delta.start[0]) - length, asked.until)
    took = executed(delta, trades.prints)
    known = trades.known(delta.before, delta.depth.time + 1)[:, None]
    first = np.searchsorted(snapshots.time, delta.before[:1], side="right") - 1
    before = depth(snapshots.take(first), bands)
    return Series(delta, before, np.where(known, took.bid, np.nan), np.where(known, took.ask, np.nan))


def together(parts: list[Series]) -> Series:
    """Return the sum of venues, each about its own mid; their mid is the mean of theirs."""
    if len(parts) == 1:
        return parts[0]
    delta = parts[0].delta._replace(
        depth=_added([one.delta.depth for one in parts]),
        mid_delta=np.mean([one.delta.mid_delta for one in parts], axis=0),
        **{
            name: np.sum([getattr(one.delta, name) for one in parts], axis=0)
            for name in ("bid_delta", "ask_delta", "bid_orders", "ask_orders")
        },
    )
    bid, ask = (np.sum(one, axis=0) for one in zip(*((one.bid_executed, one.ask_executed) for one in parts), strict=True))  # fmt: skip
    return Series(delta, _added([one.before for one in parts]), bid, ask)


def _added(depths: list[Depth]) -> Depth:
    """Return the depth of venues together: known as far as that of which least is known."""
    how: dict[str, Any] = {
        "time": np.max, "mid": np.mean, "bid": np.sum, "ask": np.sum, "bid_quote": np.sum, "ask_quote": np.sum,
        "bid_reach": np.min, "ask_reach": np.min, "bid_whole": np.all, "ask_whole": np.all,
    }  # fmt: skip
    return depths[0]._replace(
        **{name: join([getattr(one, name) for one in depths], axis=0) for name, join in how.items()}
    )


def widest(delta: DepthDelta) -> int:
    """Return the widest band that is known whole in nearly all windows of which something is known."""
    known = ~np.isnan(delta.depth.mid)
    share = delta.depth.whole[known].mean(axis=0) if np.any(known) else np.zeros(len(delta.depth.bands))
    whole = np.flatnonzero(share >= MOSTLY)
    return int(whole[-1]) if len(whole) else 0

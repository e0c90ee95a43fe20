"""Nothing looks ahead: what any function of flow said by some time is what it says of that time later.

Each promise is a function of a market and a time that keeps of a result what was known by then. It must say
the same of all of the market and of what there was of it at the time. Every module of flow is promised for
here, or has nothing to do with time, and says why.
"""

import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderflow import flow
from orderflow.flow.absorption import absorption
from orderflow.flow.atr import RunningAtr, atr
from orderflow.flow.auction import initial_balance, period_statistics
from orderflow.flow.books import stands_until
from orderflow.flow.crossings import NEVER, first_above
from orderflow.flow.cuts import delta_bars, range_bars, tick_bars, time_bars, volume_bars
from orderflow.flow.delta import against, by_size, cvd, together
from orderflow.flow.depth import depth
from orderflow.flow.depth_delta import depth_delta, executed
from orderflow.flow.divergence import divergences
from orderflow.flow.footprint import Footprint, footprint
from orderflow.flow.heatmap import Heatmap, heatmap
from orderflow.flow.icebergs import icebergs
from orderflow.flow.imbalance import imbalances
from orderflow.flow.liquidations import by_time, cascades
from orderflow.flow.microprice import microprice_model
from orderflow.flow.naked import PastPoc, touched
from orderflow.flow.pressure import ofi, ofi_bars, queue_imbalance, weighted_mid
from orderflow.flow.sessions import sessions, windows_between
from orderflow.flow.span import bars_of_trades, span
from orderflow.flow.structure import RunningStructure, structure
from orderflow.flow.swings import clusters, swings
from orderflow.flow.takers import taker_orders
from orderflow.flow.tape import large_trades, sweeps, tape_speed
from orderflow.flow.toxicity import buckets, bulk_buy_share, standing, vpin
from orderflow.flow.tpo import MarketProfile, market_profile, market_profile_of_ranges
from orderflow.flow.value_area import bin_at
from orderflow.flow.vwap import running_vwap, running_vwap_of_cells, vwap_between
from orderflow.flow.walls import walls
from orderflow.flow.zigzag import RunningZigzag, zigzag, zigzag_of_atr
from orderflow.flow.zones import NEVER as ZONES_NEVER
from orderflow.flow.zones import stacked
from orderflow.market.columns import Mask
from orderflow.market.events import HOUR, SECOND
from tests.flow.fills import STEP
from tests.flow.made_up_market import END, LENGTH, Market, market, markets

Told = Callable[[Market, int], Any]

# Modules of which each result is of all that was handed over, at once: whoever hands over the past gets the past.
WITHOUT_TIME = {
    "filling": "a walk down one book, and a count of settlements to come",
    "leadlag": "correlations of a whole window, told of that window; its grid is tried in test_leadlag",
    "black76": "of one instant, at which options are priced",
    "levels": "a price is at its level at any time",
    "reading": "of one moment, whose figures it is given",
    "options": "of a chain as it was told at one instant",
    "positioning": "the same",
    "profile": "a sum over the cells that are handed over",
    "spreading": "the same, of each bar by itself",
    "value_area": "of one column of amounts",
    "nodes": "of one profile",
    "runs": "how a matrix is sent, value by value",
}


def rows(found: NamedTuple, chosen: Mask | slice) -> list[Any]:
    """Return the rows of all columns of a result."""
    return [column[chosen] for column in found if isinstance(column, np.ndarray)]


def masked(happened: Any, now: int, never: int = NEVER) -> Any:
    """Return when something happened, as far as it had."""
    return np.where((happened == never) | (happened < now), happened, never)


# ── Trades ────────────────────────────────────────────────────────────────────────────────────


def bars_that_closed(of: Market, now: int) -> Any:
    return rows(of.bars, slice(0, now // LENGTH))


def bars_of_each_trade(of: Market, now: int) -> Any:
    time, price, size, is_buy = of.fills
    there = time < now
    every = (
        volume_bars(size, 3.0), tick_bars(np.ones(len(time), dtype=np.int64), 4),
        delta_bars(size, is_buy, 2.0), range_bars(price, 1.0),
    )  # fmt: skip
    return [time_bars(time, 7)[there], *(one.bar[there] for one in every)]


def cells_of_closed_bars(of: Market, now: int) -> Any:
    return of.cells.between(0, now // LENGTH)


def footprints(of: Market) -> Footprint:
    traded = of.bars.rows(of.bars.trades > 0)
    return footprint(of.cells, traded, STEP)


def footprints_of_closed_bars(of: Market, now: int) -> Any:
    found = footprints(of)
    closed = found.bars.bar < now // LENGTH
    return [
        found.cells.between(0, now // LENGTH), rows(found.bars, closed), found.poc[closed], found.poc_volume[closed],
        found.max_delta_price[closed], found.min_delta[closed], found.unfinished_high[closed],
        found.unfinished_low[closed],
    ]  # fmt: skip


def absorption_in_closed_bars(of: Market, now: int) -> Any:
    every = footprints(of)
    return rows(absorption(every, 2, 0.1, 1.1), every.bars.bar < now // LENGTH)


def imbalances_of_closed_bars(of: Market, now: int) -> Any:
    found = imbalances(of.cells, 1.5)
    return rows(found, found.bar < now // LENGTH)


def zones_and_what_became_of_them(of: Market, now: int) -> Any:
    found = stacked(imbalances(of.cells, 1.5, zeros=True), of.bars, STEP, 1).followed(of.bars)
    found = found.rows(found.known <= now)
    bars = [masked(one, now // LENGTH, ZONES_NEVER) for one in (found.left, found.tested, found.broken)]
    return [*found[:9], *bars, masked(found.tested_at, now + 1, ZONES_NEVER), found.status(now)]


def cvd_at_each_close(of: Market, now: int) -> Any:
    closed = slice(0, now // LENGTH)
    time, price, size, is_buy = of.fills
    inside = time < of.closed * LENGTH
    large = by_size(
        of.bars, of.fills.every(LENGTH)[inside], time[inside], price[inside], size[inside], is_buy[inside], [200.0]
    )  # fmt: skip
    beside = against(large.sizes[0], large.sizes[1], 0)
    return [
        rows(cvd(of.bars, [0, 130, 333]), closed), rows(together(large.sizes).bars, closed),
        beside.difference[closed], beside.agree[closed],
    ]  # fmt: skip


def divergences_by_their_known(of: Market, now: int) -> Any:
    found = divergences(of.bars, 1, 1)
    return rows(found, found.known_bar < now // LENGTH)


def vwap_at_each_close(of: Market, now: int) -> Any:
    closed = slice(0, now // LENGTH)
    time, price, size, _ = of.fills
    inside = time < of.closed * LENGTH
    number = of.fills.every(LENGTH)[inside]
    one = running_vwap(number, price[inside], size[inside], of.closed, anchors=[0, 7, 13])
    other = running_vwap_of_cells(of.cells, of.closed, anchors=[0, 7])
    until = now // LENGTH * LENGTH
    return [
        one.vwap[closed], one.deviation[closed], other.vwap[closed], vwap_between(time, price, size, 0, until).price
    ]  # fmt: skip


def profiles_of_periods_that_are_over(of: Market, now: int) -> Any:
    over = now // LENGTH // 2

    def settled(found: MarketProfile) -> Any:
        traded = np.flatnonzero(~np.isnan(found.low[:over]))
        part = found._replace(cells=found.cells.between(0, over))
        return [part.cells, traded, found.low[traded], found.high[traded], part.letters, part.poc()]

    traded = of.bars.rows(of.bars.trades > 0)
    ranges = market_profile_of_ranges(traded.bar // 2, traded.low, traded.high, 1.0)
    return [settled(market_profile(of.cells, STEP, bars=2, rows=2)), settled(ranges)]


def what_an_auction_has_settled(of: Market, now: int) -> Any:
    found = market_profile(of.cells, STEP, bars=2)
    over = now // LENGTH // 2
    balance = initial_balance(found) if over >= 2 else None
    return [
        [one for one in period_statistics(found) if one.number < over],
        None if balance is None else (balance.low, balance.high, [one for one in balance.up if one < over]),
    ]  # fmt: skip


def spans_that_are_over(of: Market, now: int) -> Any:
    return span(bars_of_trades(*of.fills), 0, now, balance=100)


def sessions_that_are_over(of: Market, now: int) -> Any:
    every = windows_between(sessions(), 0, of.end * HOUR)
    return [one for one in every if one.until <= now * HOUR]


def pocs_that_were_touched(of: Market, now: int) -> Any:
    pocs = [PastPoc(bin_at(level, STEP), 100, None, None) for level in range(380, 420, 3)]
    found = touched(pocs, of.fills.time, of.fills.price, of.fills.price)
    return [one.touched if one.known is not None and one.known < now else None for one in found]


def taker_orders_that_cannot_grow(of: Market, now: int) -> Any:
    found = taker_orders(*of.fills, max_gap=2)
    return rows(found, found.known <= now)


def the_speed_of_the_tape(of: Market, now: int) -> Any:
    time, price, size, _ = of.fills
    found = tape_speed(time, price * size, 0, of.end, window=30, baseline=4, least=1)
    return rows(found, found.known <= now)


def large_trades_and_sweeps(of: Market, now: int) -> Any:
    orders = taker_orders(*of.fills, max_gap=1)
    large = large_trades(orders, quantile=0.5, lookback=200, refresh=50, least=3)
    known = large.orders.known <= now
    wide = sweeps(*of.fills, max_gap_ms=2e-6, min_levels=2)
    return [rows(large.orders, known), large.threshold[known], rows(wide, wide.known <= now)]


def icebergs_that_are_known(of: Market, now: int) -> Any:
    found = icebergs(
        *of.fills, of.top, of.end, patience=9, refill_within=20, min_refills=1, min_ratio=1.0
    )  # fmt: skip
    return rows(found, found.known <= now)


def liquidations_and_cascades(of: Market, now: int) -> Any:
    time, price, size, is_long = of.fills
    bars = by_time(time, price, size, is_long, LENGTH)
    found = cascades(
        time * SECOND, price, size, is_long, of.end * SECOND, max_gap_s=4, min_count=2
    )  # fmt: skip
    return [rows(bars, bars.number < now // LENGTH), rows(found, found.known <= now * SECOND)]


def toxicity_of_full_buckets(of: Market, now: int) -> Any:
    time, _, size, is_buy = of.fills
    found = buckets(time, size, is_buy.astype(np.float64), 5.0)
    full = found.end < now
    toxic = vpin(found.imbalance, 4)
    return [found.end[full], found.buy[full], toxic[full], standing(toxic)[full]]


def bulk_classification_of_closed_bars(of: Market, now: int) -> Any:
    return bulk_buy_share(of.bars.close, 3)[: now // LENGTH]


# ── Bars ──────────────────────────────────────────────────────────────────────────────────────


def atr_at_each_close(of: Market, now: int) -> Any:
    high, low, close = of.swing_bars[2:]
    return [one[: now // LENGTH] for one in (atr(high, low, close, 3), RunningAtr(2).take(high, low, close))]


def crossings_that_happened(of: Market, now: int) -> Any:
    start = np.arange(5)
    return masked(first_above(of.bars.close, start, 99.0 + start / 2), now // LENGTH)


def swings_and_what_became_of_them(of: Market, now: int) -> Any:
    found = swings(of.swing_bars, 1, 2, volume=of.bars.volume, delta=of.bars.delta)
    found = found.where(found.known < now // LENGTH)
    bars = [masked(one, now // LENGTH) for one in (found.touched, found.swept, found.broken)]
    return [*found[:4], *bars, found.volume, found.delta]


def equal_highs_and_lows(of: Market, now: int) -> Any:
    bars = of.swing_bars
    found = swings(bars, 1, 1)
    near = 2 * atr(bars.high, bars.low, bars.close, 2)[found.known]
    known = found.known < now // LENGTH
    # of a cluster more swings may come: those so far are what was known, if there were two of them
    every = [(one.is_high, [row for row in one.members if known[row]]) for one in clusters(bars, found, near)]
    return [one for one in every if len(one[1]) > 1]


def structure_by_when_it_was_known(of: Market, now: int) -> Any:
    found, closed = structure(of.swing_bars, 1, 1, hold_bars=2), now // LENGTH
    swung = [one for one in found.swings if one.known < closed]
    return [
        [one if (one.replaced or 0) < closed else one._replace(replaced=None) for one in swung],
        [one for one in found.breaks if one.known < closed],
    ]  # fmt: skip


def breaks_by_when_they_were_known(of: Market, now: int) -> Any:
    running = RunningStructure(1, 2, "wick", 1)
    return [one for one in running.take(of.swing_bars) if one.known < now // LENGTH]


def turns_that_were_confirmed(of: Market, now: int) -> Any:
    bars, running = of.swing_bars, RunningZigzag(multiple=2.0, period=2)
    every = [*zigzag(bars, 0.5).turns, *zigzag_of_atr(bars, 1.0, 3).turns, *running.take(bars)]
    return [one for one in every if one.confirmed is not None and one.confirmed < now // LENGTH]


# ── Books ─────────────────────────────────────────────────────────────────────────────────────

BANDS = (30.0, 80.0)
BINS = (360, 440)
PAST = market(1, 0, 60).books  # of which the model of the microprice was made


def how_long_snapshots_stood(of: Market, now: int) -> Any:
    found = stands_until(of.books.time, of.end, 15, np.array([[100, 140], [300, 310]]))
    return np.minimum(found, now)[of.books.time < now]


def depth_of_each_snapshot(of: Market, now: int) -> Any:
    found = depth(of.books, BANDS)
    return [
        column[of.books.time < now] for column in (found.mid, found.bid, found.ask_quote, found.bid_whole)
    ]


def depth_delta_of_closed_windows(of: Market, now: int) -> Any:
    found = depth_delta(of.books, 0, of.end, LENGTH, BANDS)
    parts = executed(found, of.prints)
    closed = found.start + LENGTH <= now
    return [
        column[closed]
        for column in (found.mid_delta, found.bid_delta, found.ask_orders, parts.bid, parts.ask_placed)
    ]


def heat(of: Market) -> Heatmap:
    return heatmap(of.books, 0, of.end, STEP, 1, LENGTH, "last", hold=2 * LENGTH, bins=BINS)


def heat_of_closed_intervals(of: Market, now: int) -> Any:
    mean = heatmap(of.books, 0, of.end, STEP, 2, LENGTH, bins=(180, 220))
    return [
        [one.bid[one.start + LENGTH <= now], one.ask[one.start + LENGTH <= now]] for one in (heat(of), mean)
    ]


def walls_that_ended(of: Market, now: int) -> Any:
    found = walls(heat(of), 3.0, 1, trades=of.prints, least_bins=2)
    return [one for one in found if one.ended is not None and one.ended <= now]


def microprice_of_each_snapshot(of: Market, now: int) -> Any:
    return microprice_model(PAST, STEP, 4, 4).price(of.books)[of.books.time < now]


def pressure_of_each_snapshot(of: Market, now: int) -> Any:
    there = of.books.time < now
    bars = ofi_bars(of.books, of.books.time // LENGTH, of.closed)
    return [
        queue_imbalance(of.books)[there], weighted_mid(of.books)[there], ofi(of.books)[there],
        bars.total[: now // LENGTH], bars.depth[: now // LENGTH],
    ]  # fmt: skip


# The module that is promised for, and what was known of its results.
PROMISES: tuple[tuple[str, Told], ...] = (
    ("bars", bars_that_closed),
    ("cuts", bars_of_each_trade),
    ("cells", cells_of_closed_bars),
    ("footprint", footprints_of_closed_bars),
    ("absorption", absorption_in_closed_bars),
    ("imbalance", imbalances_of_closed_bars),
    ("zones", zones_and_what_became_of_them),
    ("delta", cvd_at_each_close),
    ("divergence", divergences_by_their_known),
    ("vwap", vwap_at_each_close),
    ("tpo", profiles_of_periods_that_are_over),
    ("auction", what_an_auction_has_settled),
    ("span", spans_that_are_over),
    ("sessions", sessions_that_are_over),
    ("naked", pocs_that_were_touched),
    ("takers", taker_orders_that_cannot_grow),
    ("tape", the_speed_of_the_tape),
    ("tape", large_trades_and_sweeps),
    ("icebergs", icebergs_that_are_known),
    ("liquidations", liquidations_and_cascades),
    ("toxicity", toxicity_of_full_buckets),
    ("toxicity", bulk_classification_of_closed_bars),
    ("atr", atr_at_each_close),
    ("crossings", crossings_that_happened),
    ("swings", swings_and_what_became_of_them),
    ("swings", equal_highs_and_lows),
    ("structure", structure_by_when_it_was_known),
    ("breaks", breaks_by_when_they_were_known),
    ("zigzag", turns_that_were_confirmed),
    ("books", how_long_snapshots_stood),
    ("depth", depth_of_each_snapshot),
    ("depth_delta", depth_delta_of_closed_windows),
    ("heatmap", heat_of_closed_intervals),
    ("walls", walls_that_ended),
    ("microprice", microprice_of_each_snapshot),
    ("pressure", pressure_of_each_snapshot),
)

# ── What is tested ────────────────────────────────────────────────────────────────────────────


def plain(value: Any) -> Any:
    """Return a result so that it can be compared: unknown equals unknown, noise of floats is left out."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return "unknown" if np.isnan(value) else round(value, 9)
    return value


def looks_ahead(told: Told, of: Market, now: int) -> bool:
    return plain(told(of, now)) != plain(told(of.until(now), now))


every_promise = pytest.mark.parametrize(
    "told", [told for _, told in PROMISES], ids=[f"{module}-{told.__name__}" for module, told in PROMISES]
)


@every_promise
@settings(max_examples=60)
@given(of=markets(), now=st.integers(0, END))
def test_what_was_known_is_what_is_said_of_it_later(told: Told, of: Market, now: int) -> None:
    assert plain(told(of, now)) == plain(told(of.until(now), now))


@every_promise
def test_each_promise_says_something(told: Told) -> None:
    every = [str(plain(told(market(seed, 150, 60), 500))) for seed in range(5)]
    assert len(set(every)) > 1 or told is sessions_that_are_over  # the calendar is one for all
    assert any(any(mark.isdigit() for mark in one) for one in every)


def test_every_module_is_promised_for_or_has_no_time() -> None:
    modules = {one.name for one in pkgutil.iter_modules(flow.__path__)}
    promised = {module for module, _ in PROMISES}
    assert promised | set(WITHOUT_TIME) == modules
    assert not promised & set(WITHOUT_TIME)
    assert all(WITHOUT_TIME.values())


# ── Witnesses: this would be noticed ──────────────────────────────────────────────────────────


def a_running_bar(of: Market, now: int) -> Any:
    """The bar that has begun, with what is traded in it later."""
    found = of.fills.bars(of.fills.every(LENGTH))
    return found.close[found.bar <= now // LENGTH]


def a_swing_before_it_is_known(of: Market, now: int) -> Any:
    found = swings(of.swing_bars, 1, 2)
    return found.level[found.bar < now // LENGTH]


def a_centred_mean(of: Market, now: int) -> Any:
    return np.convolve(of.bars.volume, np.ones(3), "same")[: now // LENGTH]


def a_share_of_all(of: Market, now: int) -> Any:
    volume = of.bars.volume
    return (volume / max(volume.sum(), 1.0))[: now // LENGTH]


@pytest.mark.parametrize(
    "told", [a_running_bar, a_swing_before_it_is_known, a_centred_mean, a_share_of_all], ids=lambda one: one.__name__
)  # fmt: skip
def test_who_looks_ahead_is_noticed(told: Told) -> None:
    assert any(looks_ahead(told, market(seed, 150, 60), 407) for seed in range(5))

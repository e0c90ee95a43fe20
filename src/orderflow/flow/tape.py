"""The tape: how fast it runs, which trades on it are large, and which of them swept the book.

Speed is the number of trades, and the quote volume, of windows of equal length, beside the median of those
windows that came before: 3 means three times as busy as usual. A window in a gap of the recording is unknown
and counts to no median. Only closed windows are told, and each is compared with earlier ones alone.

A large trade is a taker's order (see `takers`), not a fill: at least `min_quote`, or more than a quantile of
the orders of the time before. Equal orders exceed no quantile, so a market of equal lots has no large trade.

A sweep is one taker's order that took several prices at once: it wanted size now, whatever it cost. What
venues' intermarket sweeps tell of information: Chakravarty, Jain, Upson and Wood, "Clean Sweep: Informed
Trading through Intermarket Sweep Orders", Journal of Financial and Quantitative Analysis 47 (2012).
"""

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from orderflow.flow.takers import TakerOrders, taker_orders
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY, HOUR, MS, SECOND, Nanos

# ── Speed ─────────────────────────────────────────────────────────────────────────────────────

WINDOW: Nanos = 10 * SECOND
BASELINE = 90  # windows: a quarter of an hour of the default's
LEAST = 30  # of them known, before there is a usual speed


class TapeSpeed(NamedTuple):
    """One row a window. `usual_trades` and `usual_quote` are the medians of the windows before it."""

    start: Index
    trades: Column
    quote: Column
    usual_trades: Column
    usual_quote: Column
    window: Nanos

    @property
    def known(self) -> Index:
        return self.start + self.window

    @property
    def trades_per_s(self) -> Column:
        return self.trades / (self.window / SECOND)

    @property
    def quote_per_s(self) -> Column:
        return self.quote / (self.window / SECOND)

    @property
    def trades_ratio(self) -> Column:
        return _over(self.trades, self.usual_trades)

    @property
    def quote_ratio(self) -> Column:
        return _over(self.quote, self.usual_quote)


def tape_speed(
    time: Index,
    quote: Column,
    since: Nanos,
    until: Nanos,
    *,
    window: Nanos = WINDOW,
    baseline: int = BASELINE,
    least: int = LEAST,
    count: Index | None = None,
    gaps: Sequence[tuple[Nanos, Nanos]] = (),
    before: TapeSpeed | None = None,
) -> TapeSpeed:
    """Return the windows that lie wholly in [since, until); they begin at multiples of their length.

    `quote` is the quote amount of each row, `count` how many trades a row stands for. `before` are the
    windows up to `since`, as returned earlier: with them the medians are those of one long tape.

    >>> found = tape_speed(np.array([1, 2, 11, 21, 22, 23, 24]), np.ones(7), 0, 30, window=10, baseline=2, least=2)
    >>> found.trades.tolist(), found.trades_ratio.tolist()
    ([2.0, 1.0, 4.0], [nan, nan, 2.6666666666666665])
    """
    if window < 1 or not 1 <= least <= baseline:
        raise InvalidArgument(
            f"windows of {window} ns, {least} of {baseline} known",
            hint="1 <= least <= baseline, a window above 0",
        )
    first, last = -(-since // window), until // window
    if before is not None and len(before.start) and _goes_on(before, window) != first:
        raise InvalidArgument(
            "the windows before do not end where these begin", hint="the same window, no hole"
        )
    length = max(0, last - first)
    number = time // window - first
    inside = (number >= 0) & (number < length)
    weight = None if count is None else count[inside].astype(np.float64)
    trades = np.bincount(number[inside], weights=weight, minlength=length).astype(np.float64)
    amount = np.bincount(number[inside], weights=quote[inside], minlength=length).astype(np.float64)
    for gap_from, gap_until in gaps:
        lost = slice(max(0, gap_from // window - first), max(0, -(-gap_until // window) - first))
        trades[lost] = amount[lost] = np.nan
    trades_before, quote_before = (
        (np.empty(0), np.empty(0)) if before is None else (before.trades, before.quote)
    )
    return TapeSpeed(
        start=(first + np.arange(length, dtype=np.int64)) * window,
        trades=trades,
        quote=amount,
        usual_trades=_trailing_median(trades, trades_before, baseline, least),
        usual_quote=_trailing_median(amount, quote_before, baseline, least),
        window=window,
    )


def _goes_on(before: TapeSpeed, window: Nanos) -> int | None:
    return int(before.start[-1]) // window + 1 if before.window == window else None


def _trailing_median(values: Column, before: Column, baseline: int, least: int) -> Column:
    """Return the median of the known ones among the `baseline` values before each."""
    every = np.concatenate([before[-baseline:], values])
    skipped = len(every) - len(values)
    found = np.full(len(values), np.nan)
    ordered: list[float] = []
    for place, value in enumerate(every.tolist()):
        if place >= skipped and len(ordered) >= least:
            middle = len(ordered) // 2
            found[place - skipped] = (ordered[middle] + ordered[-middle - 1]) / 2
        if not math.isnan(value):
            insort(ordered, value)
        if place >= baseline and not math.isnan(gone := float(every[place - baseline])):
            del ordered[bisect_left(ordered, gone)]
    return found


def _over(value: Column, usual: Column) -> Column:
    return np.divide(value, usual, out=np.full(len(value), np.nan), where=usual > 0)


# ── Large trades ──────────────────────────────────────────────────────────────────────────────

LARGE_LEAST = 1_000  # orders, below which a quantile of 0.999 says nothing


class LargeTrades(NamedTuple):
    """The large ones of a tape's orders, and what each had to reach or exceed."""

    orders: TakerOrders
    threshold: Column


def large_trades(
    orders: TakerOrders,
    *,
    min_quote: float | None = None,
    quantile: float | None = None,
    lookback: Nanos = DAY,
    refresh: Nanos = HOUR,
    least: int = LARGE_LEAST,
) -> LargeTrades:
    """Return the orders of at least `min_quote`, or above a quantile of those of the `lookback` before.

    The quantile is taken anew at each multiple of `refresh`, from orders that were known by then; before
    there were `least` of them nothing is called large.
    """
    if min_quote is not None and quantile is None:
        large = orders.quote >= min_quote
        return LargeTrades(orders.only(large), np.full(int(large.sum()), min_quote))
    if quantile is None or min_quote is not None:
        raise InvalidArgument(
            "large is either a sum or a quantile", hint="min_quote=100_000, or quantile=0.999"
        )
    if not 0 < quantile < 1 or refresh < 1 or lookback < 1:
        raise InvalidArgument(
            f"no trailing quantile {quantile:g}", hint="between 0 and 1, over a time above 0"
        )
    threshold = _trailing_quantile(orders, quantile, lookback, refresh, least)
    large = orders.quote > threshold
    return LargeTrades(orders.only(large), threshold[large])


def _trailing_quantile(
    orders: TakerOrders, quantile: float, lookback: Nanos, refresh: Nanos, least: int
) -> Column:
    found = np.full(len(orders.start), np.nan)
    known, number = orders.known, orders.start // refresh
    for one in np.unique(number).tolist():
        begin, end = np.searchsorted(known, (one * refresh - lookback, one * refresh), side="right").tolist()
        if end - begin >= least:
            here = slice(*np.searchsorted(number, (one, one + 1)).tolist())
            found[here] = np.nanquantile(orders.quote[begin:end], quantile)
    return found


# ── Sweeps ────────────────────────────────────────────────────────────────────────────────────

SWEEP_GAP_MS = 5.0  # venues stamp the fills of one match alike, or a few milliseconds apart
SWEEP_LEVELS = 3


def sweeps(
    time: Index,
    price: Column,
    size: Column,
    is_buy: Mask,
    *,
    max_gap_ms: float = SWEEP_GAP_MS,
    min_levels: int = SWEEP_LEVELS,
    min_quote: float = 0.0,
) -> TakerOrders:
    """Return the orders that took at least `min_levels` prices and `min_quote`, their fills a few ms apart.

    >>> found = sweeps(np.array([0, 1, 2, 9]) * MS, np.array([100.0, 101.0, 102.0, 100.0]), np.ones(4),
    ...                np.array([True, True, True, False]))
    >>> found.price_to.tolist(), found.levels.tolist(), found.slippage_bp.round(6).tolist()
    ([102.0], [3], [100.0])
    """
    if min_levels < 1:
        raise InvalidArgument(f"a sweep takes no {min_levels} levels", hint="2 or more")
    orders = taker_orders(time, price, size, is_buy, max_gap=round(max_gap_ms * MS))
    return orders.only((orders.levels >= min_levels) & (orders.quote >= min_quote))

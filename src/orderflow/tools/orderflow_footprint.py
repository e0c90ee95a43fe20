"""The footprint: what takers sold and bought at each price of each bar, or the sums of each bar."""

from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta as Range

from orderflow.flow.levels import prices
from orderflow.market.columns import Mask
from orderflow.market.events import MS
from orderflow.store.bar import Bar
from orderflow.tools.answers import DEFAULT_TOKENS, Answer, Row
from orderflow.tools.cutting import Full, cutting
from orderflow.tools.footprints import (
    Flow,
    Printed,
    Printing,
    flow_of,
    in_window,
    last_bars,
    printed,
    printed_full,
    table,
    totals,
    whole_bars,
)
from orderflow.tools.orderflow import FAMILY, traded_in
from orderflow.tools.pages import Cursor
from orderflow.tools.past import Past, answer
from orderflow.tools.quality import quality
from orderflow.tools.rekt import Rekt, rekt
from orderflow.tools.spec import SMALLEST, Ask, Instant, VenueId, tool

_BARS = {
    "time": "UTC", "state": "", "open": "quote", "high": "quote", "low": "quote", "close": "quote", "volume": "base",
    "delta": "base", "delta_high": "base", "delta_low": "base", "poc": "quote", "max_delta": "quote",
    "min_delta": "quote", "flags": "", "left_out": "count", "levels": "base",
}  # fmt: skip
_LEVELS = {
    "time": "UTC", "price": "quote", "sell": "base", "buy": "base", "delta": "base", "trades": "count",
    "imbalance": "", "marks": "",
}  # fmt: skip
_STATISTICS = {
    "time": "UTC", "state": "", "open": "quote", "high": "quote", "low": "quote", "close": "quote", "trades": "count",
    "buy": "base", "sell": "base", "delta": "base", "delta_high": "base", "delta_low": "base", "buy_quote": "quote",
    "sell_quote": "quote", "delta_quote": "quote", "delta_high_quote": "quote", "delta_low_quote": "quote",
    "rekt_long": "quote", "rekt_short": "quote",
}  # fmt: skip
_ALGORITHM = "footprint 1"
_LEGEND = (
    "price:sold x bought, highest first, 4 digits; B, S: buy, sell imbalance; compress=false has all digits"
)


@tool(
    family=FAMILY,
    title="Footprint",
    columns=_BARS | _LEVELS | _STATISTICS,
    example={"symbol": "BTCUSDT", "since": "-1h", "bar": "15m"},
    core=False,
    asks_store=True,
)
def orderflow_footprint(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-4h",
    until: Instant = "now",
    bar: str = "15m",
    view: Literal["levels", "statistics"] = "levels",
    size: Annotated[float, Range(ge=SMALLEST)] | None = None,
    top: Annotated[int, Range(ge=1, le=200)] = 20,
    price_from: float | None = None,
    price_until: float | None = None,
    compress: bool = True,
    ratio: Annotated[float, Range(gt=0)] = 3.0,
    min_volume: Annotated[float, Range(ge=0)] = 0.0,
    bars: Annotated[int, Range(ge=1, le=200)] = 48,
) -> Answer:
    """Sold x bought at each price of each bar, newest first: delta and its extremes, POC, imbalances, absorption, \
unfinished auctions.

    Use it for who traded where; view=statistics for sums a bar, with liquidations.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: added up; the one with most traded when left out
        since: begin, as -4h, ISO 8601 or epoch milliseconds
        until: end
        bar: as 1m, 1h, or range:50 (quote), volume:100, delta:50 (base), trades:1000
        view: levels of each bar, or its sums
        size: of a level in quote units; about 16 a bar when left out
        top: levels of a bar, those with most volume
        price_from: lowest level shown
        price_until: level below which all shown are
        compress: one row a bar; false has one a level
        ratio: of an imbalance, bought at a level to sold one below
        min_volume: of an imbalance, base units
        bars: of one page
    """
    asked = traded_in(ask, symbol, venues, since, until)
    cut, how = cutting(bar), Printing(size, ratio, min_volume)
    if isinstance(cut, Full):
        made = printed_full(ask, asked, cut, how)
        shown = _sums(ask, asked, made.flow, None) if view == "statistics" else None
        return shown or _levels(ask, asked, made, cut, _Shown(top, price_from, price_until, compress))
    whole = whole_bars(ask, asked, cut)
    page = last_bars(ask, whole, cut, bars)
    if view == "statistics":
        found = _sums(ask, page, flow_of(ask, page, cut), cut)
        step = size
    else:
        made = printed(ask, page, cut, how)
        found = _levels(ask, page, made, cut, _Shown(top, price_from, price_until, compress))
        step = made.step
    found.summary["window"] = {
        "since": whole.since // MS, "until": whole.until // MS, "bars": in_window(whole.since, whole.until, cut),
    }  # fmt: skip
    if page.since > whole.since:
        more = {
            "symbol": asked.symbol, "venues": asked.venues, "since": str(whole.since // MS),
            "until": str(page.since // MS), "bar": bar, "view": view, "size": step, "top": top,
            "price_from": price_from, "price_until": price_until, "compress": compress, "ratio": ratio,
            "min_volume": min_volume, "bars": bars,
        }  # fmt: skip
        found.meta.next = Cursor(tool=ask.tool, arguments=more, offset=0).write()
    return found


# ── Sums of each bar ──────────────────────────────────────────────────────────────────────────


def _sums(ask: Ask, asked: Past, flow: Flow, bar: Bar | None) -> Answer:
    of = flow.bars
    lost = (
        Rekt.unknown(len(of.bar), "they are told of bars of time")
        if bar is None
        else rekt(ask, asked, flow.found, bar.name, of.start, bar.length)
    )
    columns = (
        of.start // MS, flow.state, of.open, of.high, of.low, of.close, of.trades, of.buy, of.sell, of.delta,
        of.delta_high, of.delta_low, of.buy_quote, of.sell_quote, of.delta_quote, of.delta_high_quote,
        of.delta_low_quote, lost.long, lost.short,
    )  # fmt: skip
    made = answer(
        ask, flow.found, _STATISTICS, table(columns)[::-1], stream="trades", asked=asked.venues,
        summary={"totals": totals(of), "price_of": flow.price_of, "data_quality": quality(flow.found, _ALGORITHM)},
    )  # fmt: skip
    made.meta.warnings += [*flow.notes, *lost.notes]
    return made


# ── Levels of each bar ────────────────────────────────────────────────────────────────────────


class _Shown(msgspec.Struct, frozen=True):
    """Which levels are shown of a footprint, and whether a bar is one row."""

    top: int
    price_from: float | None
    price_until: float | None
    compress: bool

    def cells(self, made: Printed, most: int) -> Mask:
        """Return which cells are shown: of each bar those with most volume, within the prices."""
        of = made.footprint
        volume, price = of.cells.volume, of.price
        bar = np.repeat(np.arange(len(of.levels)), of.levels)
        inside = np.ones(len(price), dtype=np.bool_)
        if self.price_from is not None:
            inside &= price >= self.price_from
        if self.price_until is not None:
            inside &= price < self.price_until
        is_poc = price == of.poc[bar]
        order = np.lexsort((of.cells.level, -volume, ~is_poc, ~inside, bar))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order)) - np.repeat(of.first[:-1], of.levels)
        return inside & (rank < min(self.top, most))


def _levels(ask: Ask, asked: Past, made: Printed, cut: Bar | Full, shown: _Shown) -> Answer:
    # a bar's row is not cut: with a small budget it has fewer levels, at some 5 tokens each
    room = max(1, (int(ask.common.get("max_tokens") or DEFAULT_TOKENS) - _OTHERS) // 6)
    kept = shown.cells(made, room if shown.compress else len(made.footprint.price))
    flow, of = made.flow, made.footprint
    columns = _BARS if shown.compress else _LEVELS
    rows = _by_bar(made, kept) if shown.compress else _by_level(made, kept)
    left_out = int((~kept).sum())
    found = answer(
        ask, flow.found, columns, rows, stream="trades", asked=asked.venues,
        summary={
            "bar": cut.name, "size": made.step, "price_of": flow.price_of, "totals": totals(of.bars),
            "levels_left_out": left_out, **({"levels": _LEGEND} if shown.compress else {}),
            "data_quality": quality(flow.found, _ALGORITHM),
        },
    )  # fmt: skip
    found.meta.warnings += flow.notes
    return found


_OTHERS = 700  # tokens of an answer beside the levels of a bar


def _by_bar(made: Printed, kept: Mask) -> list[Row]:
    of, bars = made.footprint, made.flow.bars
    texts: list[str] = []
    price, sell, buy = (column.tolist() for column in (of.price, of.cells.sell, of.cells.buy))
    marks = [
        "B" * bought + "S" * sold
        for bought, sold in zip(made.buy_imbalance.tolist(), made.sell_imbalance.tolist(), strict=True)
    ]
    for begin, end in zip(of.first[:-1].tolist(), of.first[1:].tolist(), strict=True):
        here = (begin + np.flatnonzero(kept[begin:end])[::-1]).tolist()
        texts.append(" ".join(f"{price[at]:.12g}:{sell[at]:.4g}x{buy[at]:.4g}{marks[at]}" for at in here))
    bar = np.repeat(np.arange(len(of.levels)), of.levels)
    left_out = np.bincount(bar, weights=~kept, minlength=len(of.levels)).astype(np.int64)
    columns = (
        bars.start // MS, made.flow.state, bars.open, bars.high, bars.low, bars.close, bars.volume, bars.delta,
        bars.delta_high, bars.delta_low, of.poc, of.max_delta_price, of.min_delta_price, _flags(made), left_out, texts,
    )  # fmt: skip
    return table(columns)[::-1]


def _flags(made: Printed) -> list[str]:
    of, absorbed = made.footprint, made.absorption
    named = {
        "unfinished_high": of.unfinished_high, "unfinished_low": of.unfinished_low,
        "absorbed_high": absorbed.high, "absorbed_low": absorbed.low,
    }  # fmt: skip
    return [
        " ".join(name for name, on in zip(named, row, strict=True) if on)
        for row in zip(*(mask.tolist() for mask in named.values()), strict=True)
    ]


def _by_level(made: Printed, kept: Mask) -> list[Row]:
    of, cells = made.footprint, made.footprint.cells
    bar = np.repeat(np.arange(len(of.levels)), of.levels)
    top, bottom = np.zeros(len(bar), dtype=np.bool_), np.zeros(len(bar), dtype=np.bool_)
    top[of.first[1:] - 1], bottom[of.first[:-1]] = True, True
    named = {
        "poc": of.price == of.poc[bar], "max_delta": of.price == of.max_delta_price[bar],
        "min_delta": of.price == of.min_delta_price[bar], "unfinished_high": top & of.unfinished_high[bar],
        "unfinished_low": bottom & of.unfinished_low[bar], "absorbed_high": top & made.absorption.high[bar],
        "absorbed_low": bottom & made.absorption.low[bar],
    }  # fmt: skip
    marks = [
        " ".join(name for name, on in zip(named, row, strict=True) if on)
        for row in zip(*(mask.tolist() for mask in named.values()), strict=True)
    ]
    sides = [
        "both" if both else "buy" if bought else "sell" if sold else None
        for both, bought, sold in zip(
            (made.buy_imbalance & made.sell_imbalance).tolist(), made.buy_imbalance.tolist(),
            made.sell_imbalance.tolist(), strict=True,
        )
    ]  # fmt: skip
    columns = (
        made.flow.bars.start[bar] // MS, prices(cells.level, of.step), cells.sell, cells.buy, cells.delta,
        cells.trades, sides, marks,
    )  # fmt: skip
    rows = table(columns)
    return [rows[at] for at in np.flatnonzero(kept)[::-1].tolist()]

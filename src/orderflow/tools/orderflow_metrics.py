"""Metrics of order flow: delta and CVD of each bar, and whatever else is asked of the same bars."""

from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta as Range
from msgspec.structs import replace

from orderflow.flow.delta import cvd
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import DAY, MS, Nanos
from orderflow.store.bar import Bar
from orderflow.store.bar import bar as of_time
from orderflow.tools.answers import DEFAULT_TOKENS, Answer, tokens
from orderflow.tools.footprints import Printing, flow_of, table, totals, whole_bars
from orderflow.tools.forms import csv_line
from orderflow.tools.metric_parts import OF_BARS, Part, Question, running_vwap
from orderflow.tools.orderflow import FAMILY, traded_in
from orderflow.tools.past import answer
from orderflow.tools.quality import quality
from orderflow.tools.spec import SMALLEST, Ask, Instant, VenueId, tool
from orderflow.tools.tape_parts import OF_TRADES
from orderflow.tools.times import instant

PARTS = OF_BARS | OF_TRADES
MOST_BARS = 5_000
EDGES = (10_000.0, 100_000.0, 1_000_000.0)  # quote units, of small, middling, large and very large trades

_BARS = {
    "time": "UTC", "state": "", "close": "quote", "buy": "base", "sell": "base", "delta": "base", "delta_pct": "%",
    "cvd": "base", "delta_quote": "quote", "cvd_quote": "quote", "vwap": "quote", "vwap_deviation": "quote",
}  # fmt: skip
_WEEK: Nanos = 7 * DAY
_MONDAY: Nanos = 4 * DAY  # 5 January 1970


@tool(
    family=FAMILY,
    title="Order-flow metrics",
    columns=_BARS,
    example={"symbol": "BTCUSDT", "since": "-1h", "bar": "5m"},
    limit=100,
    core=False,
    asks_store=True,
)
def orderflow_metrics(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-4h",
    until: Instant = "now",
    bar: str = "15m",
    parts: list[
        Literal[
            "imbalances",
            "divergences",
            "vwap",
            "venues",
            "kyle",
            "amihud",
            "sizes",
            "tape",
            "large",
            "sweeps",
            "vpin",
        ]
    ]
    | None = None,
    anchor: str = "window",
    size: Annotated[float, Range(ge=SMALLEST)] | None = None,
    ratio: Annotated[float, Range(gt=0)] = 3.0,
    min_volume: Annotated[float, Range(ge=0)] = 0.0,
    stacked: Annotated[int, Range(ge=1)] = 3,
    edges: list[float] | None = None,
    large: Annotated[float, Range(ge=SMALLEST)] | None = None,
    bucket: Annotated[float, Range(ge=SMALLEST)] | None = None,
) -> Answer:
    """Delta and CVD of each bar, base and quote, newest first; by `parts` stacked imbalances and their tests, \
divergences, VWAP, venues, sizes, tape speed, large orders, sweeps, VPIN, Kyle, Amihud.

    Use it for who presses, and whether price follows.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: added up; the one with most traded when left out
        since: begin, as -4h, ISO 8601 or epoch milliseconds
        until: end
        bar: length, as 1m, 1h
        parts: what else; sizes to vpin read trade by trade
        anchor: of CVD and VWAP, window, day, week (UTC) or a time
        size: of a level; about 16 a bar when left out
        ratio: of an imbalance
        min_volume: of an imbalance, base units
        stacked: levels of a zone
        edges: of sizes, quote units
        large: least value of large orders and sweeps
        bucket: of VPIN, base units; a 50th of the day before
    """
    length = of_time(bar)
    asked = whole_bars(ask, traded_in(ask, symbol, venues, since, until), length)
    anchors = _anchors(anchor, asked.since, asked.until, ask.now)
    begun = replace(asked, since=min(asked.since, length.begin(anchors[0])))
    _bounded(begun.since, asked.until, length)
    flow = flow_of(ask, begun, length)
    question = Question(
        ask=ask, asked=begun, since=asked.since, bar=length, flow=flow, anchors=anchors,
        how=Printing(size, ratio, min_volume), stack=stacked, large=large, bucket=bucket, edges=edges or EDGES,
    )  # fmt: skip
    wanted = list(dict.fromkeys(parts or ()))
    columns, rows = _bars(question, with_vwap="vwap" in wanted)
    made = answer(
        ask, flow.found, columns, rows, stream="trades", asked=asked.venues,
        summary={
            "bar": length.name, "price_of": flow.price_of, **_totals(question),
            "data_quality": quality(flow.found, "order flow 1"),
        },
    )  # fmt: skip
    made.meta.warnings += flow.notes
    for name in wanted:
        _add(made, name, PARTS[name](question))
    _fit(made, int(ask.common.get("max_tokens") or DEFAULT_TOKENS))
    return made


# ── Anchors ───────────────────────────────────────────────────────────────────────────────────


def _anchors(said: str, since: Nanos, until: Nanos, now: Nanos) -> list[Nanos]:
    """Return when CVD begins, and begins anew; raise `InvalidArgument` for one that is not before the end."""
    if said == "window":
        return [since]
    if said in ("day", "week"):
        length, origin = (DAY, 0) if said == "day" else (_WEEK, _MONDAY)
        return list(range(since - (since - origin) % length, until, length))
    at = instant(said, now)
    if at >= until:
        raise InvalidArgument(
            "the anchor does not lie before the end", hint="anchor=window, day, week or a time"
        )
    return [at]


def _bounded(since: Nanos, until: Nanos, bar: Bar) -> None:
    if (count := -(-(until - since) // bar.length)) > MOST_BARS:
        raise InvalidArgument(
            f"{count:,} bars of {bar.name} from the anchor to the end are more than {MOST_BARS:,}",
            hint="longer bars, a shorter window, or a later anchor",
        )


# ── Bars ──────────────────────────────────────────────────────────────────────────────────────


def _bars(of: Question, *, with_vwap: bool) -> tuple[dict[str, str], list[list[Any]]]:
    bars, shown = of.flow.bars, of.shown
    # as a line drawn of it: it breaks where delta is unknown, and goes on from where it stood
    base, quote = (
        np.where(np.isnan(bars.delta), np.nan, cvd(bars, of.anchors, unit).close)
        for unit in ("base", "quote")
    )
    columns: list[Any] = [
        bars.start // MS, np.array(of.flow.state, dtype=object), bars.close, bars.buy, bars.sell, bars.delta,
        bars.delta_pct, base, bars.delta_quote, quote,
    ]  # fmt: skip
    names = dict(list(_BARS.items())[: len(columns)])
    if with_vwap:
        found = running_vwap(of)
        columns += [found.vwap, found.deviation]
        names = _BARS
    return names, table([column[shown] for column in columns])[::-1]


def _totals(of: Question) -> dict[str, Any]:
    bars = of.flow.bars.rows(of.shown)
    base, quote = (cvd(of.flow.bars, of.anchors, unit) for unit in ("base", "quote"))
    volume = float(np.nansum(bars.volume))
    found = totals(bars)
    return {
        "totals": {**found, "delta_pct": 100 * found["delta"] / volume if volume else None},
        "positive_bars": int((bars.delta > 0).sum()),
        "negative_bars": int((bars.delta < 0).sum()),
        "cvd": {
            "anchor": of.anchors[-1] // MS, "base": float(base.close[-1]), "quote": float(quote.close[-1]),
            "unknown_bars": int(base.missing[-1]),
        },
    }  # fmt: skip


# ── Parts ─────────────────────────────────────────────────────────────────────────────────────


def _add(made: Answer, name: str, part: Part) -> None:
    made.summary[name] = part.summary
    made.meta.warnings += part.notes
    if part.table is not None and part.table.rows:
        made.more[name] = part.table
        made.meta.units |= {column: unit for column, unit in (part.columns or {}).items() if unit}


def _fit(made: Answer, max_tokens: int) -> None:
    """Cut the longest tables until all of them take no more than a third of the budget."""

    def taken() -> int:
        return sum(
            tokens(csv_line(row, [made.meta.units.get(name, "") for name in one.columns]))
            for one in made.more.values()
            for row in one.rows
        )

    while made.more and taken() > max_tokens // 3:
        longest = max(made.more.values(), key=lambda one: len(one.rows))
        if len(longest.rows) == 1:
            break
        longest.rows.pop()

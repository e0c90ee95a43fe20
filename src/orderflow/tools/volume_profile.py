"""Volume profile: what was traded at each price of a window."""

from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta as Range

from orderflow.flow.cells import Cells
from orderflow.flow.nodes import nodes
from orderflow.flow.profile import Amount, Profile
from orderflow.flow.vwap import vwap_of_cells
from orderflow.store.windows import Window
from orderflow.tools.answers import Answer, Table
from orderflow.tools.orderflow import FAMILY, Traded, cells_of, traded, traded_in
from orderflow.tools.past import Past, answer
from orderflow.tools.profiles import (
    BINS,
    Bins,
    Mode,
    Pair,
    Percent,
    Rules,
    Seconds,
    Size,
    Ticks,
    area,
    area_told,
    bin_rows,
    bins,
    marks,
    pct,
    shaped,
    unsided,
)
from orderflow.tools.quality import quality
from orderflow.tools.spec import Ask, Instant, VenueId, tool

NODES = {"kind": "", "price_from": "quote", "price_until": "quote", "amount": ""}
KINDS: dict[str, Literal["HVN", "LVN"]] = {"high": "HVN", "low": "LVN"}


class Shape(NamedTuple):
    """The profile of a window, and what it was made of."""

    found: Window
    cells: Cells
    bins: Bins
    units: Traded
    profile: Profile


@tool(
    family=FAMILY,
    title="Volume profile",
    columns=BINS,
    example={"symbol": "BTCUSDT", "since": "-1h"},
    limit=100,
    core=False,
    asks_store=True,
)
def orderflow_volume_profile(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant = "-4h",
    until: Instant = "now",
    size: Size = None,
    ticks: Ticks = None,
    by: Amount = "base",
    value_area_pct: Percent = 70.0,
    value_area_rows: Pair = 2,
    mode: Mode = "raw",
    normalize_seconds: Seconds = 3,
    top: Annotated[int, Range(ge=1, le=500)] | None = None,
) -> Answer:
    """Volume by price of a window: POC, value area, high- and low-volume nodes, VWAP, and each bin by taker's side.

    Use it for where business was done and where price passed quickly. Rows are bins, highest price first.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: added up; the one that traded most when left out
        since: begin, as -4h, ISO 8601 or epoch milliseconds
        until: end
        size: of a bin in quote units; about 40 bins when left out
        ticks: of a bin, instead of size
        by: what POC and value area go by
        value_area_pct: share of the volume that the value area holds
        value_area_rows: bins weighed at a time
        mode: synthetic spreads the volume of each few seconds evenly over their range
        normalize_seconds: of synthetic
        top: only so many bins, the largest first
    """
    rules = Rules(by, value_area_pct, value_area_rows, mode, normalize_seconds).checked()
    asked = traded_in(ask, symbol, venues, since, until)
    made = shape(ask, asked, size, ticks, rules)
    found, whole = made.profile, area(made.profile, rules)
    hills = nodes(found)
    named = marks(found, whole, [(one.bin.number, KINDS[one.kind]) for one in hills])
    told = answer(
        ask, made.found, BINS, bin_rows(found, named, top), stream="trades", asked=asked.venues,
        summary={
            **area_told(whole, rules),
            "vwap": vwap_of_cells(made.cells).price,
            "totals": totals(found),
            "bins": {"size": made.bins.width, "count": len(found.trades), "by": by, "mode": mode},
            "developing": asked.until >= ask.now,
            "data_quality": quality(made.found, rules.algorithm),
        },
    )  # fmt: skip
    told.more["nodes"] = Table(
        columns=list(NODES),
        rows=[[KINDS[one.kind], one.bin.low, one.bin.high, one.amount] for one in hills],
    )
    told.meta.units |= {"amount": by}
    told.meta.warnings += unsided(made.found, made.units.base)
    return told


def shape(ask: Ask, asked: Past, size: float | None, ticks: int | None, rules: Rules) -> Shape:
    """Return the profile of a window that names its venues. Raises `NoData`, `InvalidArgument`."""
    venues = asked.venues or []
    flow = list(ask.history.flow(asked.symbol, venues, asked.since, asked.until).rows())
    largest = max(flow, key=lambda row: row["quote_volume"] or 0.0)["venue"]
    units = traded(ask, asked.symbol, largest)
    low, high = min(row["lowest"] for row in flow), max(row["highest"] for row in flow)
    of = bins(low, high, units.tick, size, ticks, rules)
    bar = f"{rules.seconds}s" if rules.mode == "synthetic" else "1d"  # of raw cells only the sum counts
    found = ask.history.cells(asked.symbol, venues, bar, asked.since, asked.until, of.step)
    cells = cells_of(found)
    return Shape(found, cells, of, units, shaped(cells, of, rules))


def totals(of: Profile) -> dict[str, Any]:
    """Return what a profile comes to."""
    volume, delta = float(of.volume.sum()), float(of.delta.sum())
    return {
        "volume": volume,
        "delta": delta,
        "delta_pct": pct(delta, volume),
        "quote_volume": float(of.quote.sum()),
        "delta_quote": float(of.delta_quote.sum()),
        "trades": int(of.trades.sum()),
    }

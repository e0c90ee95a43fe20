"""Parts of the order-flow metrics that are made of bars and cells: each a summary, and a table where there is more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from orderflow.flow.bars import Bars
from orderflow.flow.cells import Cells
from orderflow.flow.delta import against, cvd, together
from orderflow.flow.divergence import divergences
from orderflow.flow.imbalance import imbalances
from orderflow.flow.toxicity import amihud, kyle_lambda
from orderflow.flow.vwap import RunningVwap, running_vwap_of_cells
from orderflow.flow.zones import NEVER, Zones, stacked
from orderflow.market.columns import Index, Mask
from orderflow.market.events import MS, Nanos
from orderflow.market.instruments import MARKETS
from orderflow.store.bar import Bar
from orderflow.tools.answers import Row, Table
from orderflow.tools.cutting import Tape, tape_of
from orderflow.tools.footprints import Flow, Printing, gridded, legible_step, table
from orderflow.tools.orderflow import cells_of
from orderflow.tools.past import Past
from orderflow.tools.quality import heard
from orderflow.tools.spec import Ask

MOST_ROWS = 10  # of a part's table
MILLION = 1e6

_ZONES = {
    "time": "UTC", "known": "UTC", "side": "", "low": "quote", "high": "quote", "volume": "base", "ratio": "ratio",
    "status": "", "tested_at": "UTC", "broken_at": "UTC",
}  # fmt: skip
_DIVERGENCES = {
    "known": "UTC", "kind": "", "first": "UTC", "second": "UTC", "first_price": "quote", "second_price": "quote",
    "cvd_change": "base",
}  # fmt: skip
_VENUES = {
    "of": "", "buy": "base", "sell": "base", "delta": "base", "delta_pct": "%", "cvd": "base", "share_pct": "%",
}  # fmt: skip


class Part(NamedTuple):
    """What one part tells: figures, and a table with its columns' units."""

    summary: dict[str, Any]
    columns: dict[str, str] | None = None
    rows: Sequence[Row] = ()
    notes: Sequence[str] = ()

    @property
    def table(self) -> Table | None:
        return None if self.columns is None else Table(columns=list(self.columns), rows=list(self.rows))


@dataclass(frozen=True, kw_only=True)
class Question:
    """What all parts are of: a window of whole bars, from the anchor on, of which those from `since` are told."""

    ask: Ask
    asked: Past
    since: Nanos
    bar: Bar
    flow: Flow
    anchors: list[Nanos]
    how: Printing
    stack: int
    large: float | None
    bucket: float | None
    edges: Sequence[float]

    @property
    def shown(self) -> Mask:
        """Which bars are told: those of the window, and not those between the anchor and it."""
        return self.flow.bars.start >= self.since

    @property
    def closed(self) -> Mask:
        return self.shown & (np.array(self.flow.state) != "developing")

    @cached_property
    def step(self) -> float:
        traded = self.flow.rows(self.flow.traded)
        return self.how.step or legible_step(self.ask, self.asked.symbol, traded, self.flow.price_of)

    @cached_property
    def cells(self) -> Cells:
        asked = self.asked
        return cells_of(
            self.ask.history.cells(
                asked.symbol, asked.venues, self.bar.name, asked.since, asked.until, self.step
            )
        )

    def tape(self, venue: str) -> Tape:
        return tape_of(self._trades, [venue])

    @cached_property
    def all_tape(self) -> Tape:
        return tape_of(self._trades)

    @cached_property
    def _trades(self) -> Any:
        asked = self.asked
        return self.ask.history.tape(asked.symbol, asked.venues, self.since, asked.until)


# ── Imbalances and their zones ────────────────────────────────────────────────────────────────


def imbalance_zones(of: Question) -> Part:
    """Diagonal imbalances of all bars, and the zones that stacks of them make, with what became of these."""
    bars = of.flow.bars.rows(of.closed & of.flow.traded)
    cells = of.cells.rows(np.isin(of.cells.bar, bars.bar))
    found = imbalances(cells, of.how.ratio, of.how.min_volume)
    zones = stacked(found, bars, of.step, of.stack).followed(bars)
    status = zones.status()
    sides = {True: "buy", False: "sell"}
    count = {f"{name}_levels": int((found.is_buy == side).sum()) for side, name in sides.items()} | {
        f"{name}_zones": int((zones.is_buy == side).sum()) for side, name in sides.items()
    }
    told = {
        "size": of.step, "ratio": of.how.ratio, "min_volume": of.how.min_volume, "stacked": of.stack, **count,
        **{name: status.count(name) for name in ("untested", "tested", "broken")},
    }  # fmt: skip
    return Part(told, _ZONES, _zone_rows(zones, bars, status)[::-1][:MOST_ROWS])


def _zone_rows(zones: Zones, bars: Bars, status: Sequence[str]) -> list[Row]:
    start = bars.start[np.searchsorted(bars.bar, zones.bar)] // MS
    side = ["buy" if one else "sell" for one in zones.is_buy.tolist()]
    return table(
        (
            start, zones.known // MS, side, zones.low, zones.high, zones.volume, zones.ratio, list(status),
            _when(zones.tested_at), _when(zones.broken_at),
        )
    )  # fmt: skip


def _when(time: Index) -> list[int | None]:
    return [None if one == NEVER else one // MS for one in time.tolist()]


# ── Divergences, VWAP, venues ─────────────────────────────────────────────────────────────────


def price_divergences(of: Question) -> Part:
    """Swings of price and CVD that disagree; known at the close of the last bar that confirms the second."""
    bars = of.flow.bars.rows(of.closed)
    found = divergences(bars)
    kind = [
        f"{'hidden ' * hidden}{'bullish' if bullish else 'bearish'}"
        for bullish, hidden in zip(found.bullish.tolist(), found.hidden.tolist(), strict=True)
    ]
    start = bars.start // MS
    first, second = (start[np.searchsorted(bars.bar, one)] for one in (found.first, found.second))
    columns = (
        found.known // MS,
        kind,
        first,
        second,
        found.first_price,
        found.second_price,
        found.cvd_change,
    )
    counts = {name: kind.count(name) for name in dict.fromkeys(kind)}
    return Part({"count": len(kind), **counts}, _DIVERGENCES, table(columns)[::-1][:MOST_ROWS])


def running_vwap(of: Question) -> RunningVwap:
    """Return the VWAP at the close of each bar, from the anchors on; exact, its deviation by levels."""
    bars, cells = of.flow.bars, of.cells
    rows = np.searchsorted(bars.start, np.array(of.anchors))
    numbered = cells._replace(bar=cells.bar - bars.bar[0])
    found = running_vwap_of_cells(numbered, len(bars.bar), anchors=rows.tolist())
    begun = np.arange(len(bars.bar)) >= rows[0]
    return found._replace(
        vwap=np.where(begun, found.vwap, np.nan), deviation=np.where(begun, found.deviation, np.nan)
    )


def vwap_now(of: Question) -> Part:
    """VWAP since the last anchor, its deviation, and how far the last price is from it."""
    found = running_vwap(of)
    known = np.flatnonzero(~np.isnan(found.vwap))
    if not len(known):
        return Part({"reason": "nothing was traded since the anchor"})
    price, deviation = float(found.vwap[known[-1]]), float(found.deviation[known[-1]])
    close = of.flow.bars.close
    last = float(close[np.flatnonzero(~np.isnan(close))[-1]])
    bands = {
        f"{side}_{width}": price + sign * width * deviation
        for width in (1, 2)
        for side, sign in (("upper", 1), ("lower", -1))
    }
    return Part({"price": price, "deviation": deviation, **bands, "last_price_bps": (last / price - 1) * 1e4})


def by_venue(of: Question) -> Part:
    """Delta and CVD of each venue, and of spot against perpetuals where there are both."""
    venues = heard(of.flow.found)
    parts = {one: gridded(of.flow.found, of.bar, one) for one in venues}
    markets: dict[str, list[Bars]] = {}
    for one, bars in parts.items():
        markets.setdefault("spot" if MARKETS[one].market == "spot" else "perpetual", []).append(bars)
    sums = {name: together(several).bars for name, several in markets.items()}
    whole = sum(float(np.nansum(one.quote[of.shown])) for one in parts.values())
    rows = [
        _venue_row(of, name, bars, whole) for name, bars in (parts | (sums if len(sums) > 1 else {})).items()
    ]
    told: dict[str, Any] = {"venues": len(parts)}
    if len(sums) > 1:
        found = against(sums["spot"], sums["perpetual"], of.anchors)
        agree = found.agree[of.shown]
        told |= {
            "spot_less_perpetual": _last(found.difference),
            "agreeing_bars_pct": 100 * float(agree.mean()),
        }
    return Part(told, _VENUES, rows)


def _venue_row(of: Question, name: str, bars: Bars, whole: float) -> Row:
    shown = bars.rows(of.shown)
    buy, sell, quote = (float(np.nansum(one)) for one in (shown.buy, shown.sell, shown.quote))
    volume = buy + sell
    return [
        name, buy, sell, buy - sell, 100 * (buy - sell) / volume if volume else None,
        _last(cvd(bars, of.anchors).close), 100 * quote / whole if whole else None,
    ]  # fmt: skip


def _last(column: Any) -> float | None:
    known = column[~np.isnan(column)]
    return float(known[-1]) if len(known) else None


# ── What it costs to trade ────────────────────────────────────────────────────────────────────


def kyle(of: Question) -> Part:
    """Kyle's lambda of closed bars: basis points per million quote units bought more than sold."""
    bars = of.flow.bars.rows(of.closed)
    found = kyle_lambda(np.diff(np.log(bars.close)) * 1e4, bars.delta_quote[1:])
    scaled = {"slope": found.slope, "stderr": found.stderr}
    return Part(
        {
            **{f"{name}_bps_per_million": None if one is None else one * MILLION for name, one in scaled.items()},
            "t": found.t, "r2": found.r2, "bars": found.n, **({"reason": found.reason} if found.reason else {}),
        }
    )  # fmt: skip


def illiquidity(of: Question) -> Part:
    """Amihud's ratio of closed bars: the mean of |return| over quote volume, times a million."""
    bars = of.flow.bars.rows(of.closed)
    found = amihud(bars.close, bars.quote)
    return Part(
        {"ratio": found.ratio, "bars": found.n, **({} if found.n else {"reason": "no two bars that follow"})}
    )


Make = Callable[[Question], Part]
OF_BARS: dict[str, Make] = {
    "imbalances": imbalance_zones, "divergences": price_divergences, "vwap": vwap_now, "venues": by_venue,
    "kyle": kyle, "amihud": illiquidity,
}  # fmt: skip

"""The last while of a snapshot: range, volatility, flow and liquidations of what is stored of it, a row a venue."""

from collections.abc import Mapping
from typing import Any

from orderflow.tools.answers import Answer, Row, Table, Window
from orderflow.tools.past import Past, attempt, by_venue, overall
from orderflow.tools.prices import units
from orderflow.tools.spec import Ask
from orderflow.tools.times import millis

_WHILE = {
    "venue": "", "lowest": "quote", "highest": "quote", "change_pct": "%", "volatility_annual_pct": "% a year",
    "trades": "count", "volume": "base", "buy_volume": "base", "sell_volume": "base", "delta": "base",
    "vwap": "quote", "long_liquidated": "quote", "short_liquidated": "quote", "coverage_pct": "%",
}  # fmt: skip


def add_last_while(ask: Ask, asked: Past, found: Answer) -> None:
    """Add what is stored of the last while: a row a venue, of what could be asked."""
    part = (asked.symbol, asked.venues, asked.since, asked.until)
    history = ask.history
    flow, moves = attempt(lambda: history.flow(*part)), attempt(lambda: history.volatility(*part))
    ranges = attempt(lambda: history.percentiles(*part, (50.0,)))
    forced = attempt(lambda: history.liquidation_bars(part[0], part[1], None, part[2], part[3]))
    traded = by_venue(flow, "trades", "volume", "buy_volume", "sell_volume", "delta", "vwap")
    ends = by_venue(flow, "first", "last")
    moved = by_venue(moves, "annual_pct")
    ranged = by_venue(ranges, "lowest", "highest")
    closed = by_venue(forced, "long_value", "short_value")
    told = next((one for one in (ranges, flow, moves, forced) if one is not None), None)
    coverage = told.coverage if told is not None else {}
    venues = sorted({*traded, *moved, *ranged, *closed})
    if not venues:
        found.meta.warnings.append("nothing is stored of the last while")
        return
    rows: list[Row] = []
    for venue in venues:
        one = {"venue": venue, **ranged.get(venue, {}), **traded.get(venue, {})}
        if end := ends.get(venue):
            one["change_pct"] = (end["last"] / end["first"] - 1) * 100
        one["volatility_annual_pct"] = moved.get(venue, {}).get("annual_pct")
        if forced_there := closed.get(venue):
            one |= {
                "long_liquidated": forced_there["long_value"],
                "short_liquidated": forced_there["short_value"],
            }
        one["coverage_pct"] = coverage[venue].percent if venue in coverage else None
        rows.append([one.get(name) for name in _WHILE])
    found.more["last_while"] = Table(columns=list(_WHILE), rows=rows)
    found.meta.units |= units(_WHILE)
    found.meta.window = Window(since=millis(asked.since), until=millis(asked.until))
    found.meta.coverage_pct, found.meta.coverage_reason = overall(coverage)
    found.summary["last_while"] = _state(traded, closed)


def _state(
    traded: Mapping[str, Mapping[str, Any]], closed: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Say who was the aggressor and who was squeezed, where both sides are known."""
    return {
        "takers": _side(traded, "buy_volume", "sell_volume", ("bought more", "sold more")),
        "liquidated": _side(closed, "long_value", "short_value", ("more longs", "more shorts")),
    }


def _side(rows: Mapping[str, Mapping[str, Any]], one: str, other: str, said: tuple[str, str]) -> str | None:
    sums = [[row[name] for row in rows.values()] for name in (one, other)]
    if not rows or any(value is None for each in sums for value in each):
        return None
    first, second = sum(sums[0]), sum(sums[1])
    return "neither" if first == second else said[0] if first > second else said[1]

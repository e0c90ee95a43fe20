"""Market structure: swings with their labels, breaks, changes of character, trend and zigzag, of closed bars."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from msgspec import Meta as Range

from orderflow.flow.atr import PERIOD
from orderflow.flow.structure import EXTERNAL, INTERNAL, Break, Rule, Structure, StructureSwing, structure
from orderflow.flow.swings import reached
from orderflow.flow.zigzag import Turn, Zigzag, zigzag, zigzag_of_atr
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import MS
from orderflow.tools.answers import Answer, Row, Table
from orderflow.tools.closed_bars import MOST_BARS, ClosedBars, closed_bars
from orderflow.tools.orderflow import FAMILY
from orderflow.tools.past import answer
from orderflow.tools.quality import quality
from orderflow.tools.spec import Ask, Instant, VenueId, tool

STRUCTURE = {
    "known": "UTC", "scale": "", "event": "", "direction": "", "time": "UTC", "level": "quote", "label": "",
    "origin": "UTC", "swept": "UTC", "status": "",
}  # fmt: skip
_TURNS = {"confirmed": "UTC", "kind": "", "time": "UTC", "price": "quote", "leg_pct": "%"}
MOST_TURNS = 12  # that are told beside the structure: the last ones
ALGORITHM = "structure 1"

Scale = Literal["internal", "external"]
Scales = Literal["both", "internal", "external"]


class Seen(NamedTuple):
    """A structure of one size of pivots, and when the level of each of its swings was swept, None so far."""

    scale: Scale
    left: int
    right: int
    structure: Structure
    swept: list[int | None]  # epoch milliseconds, in the order of the swings


@tool(
    family=FAMILY,
    title="Market structure",
    columns=STRUCTURE | _TURNS,
    example={"symbol": "BTCUSDT", "bar": "1m", "lookback": 60, "external": 5},
    limit=80,
    core=False,
    asks_store=True,
)
def orderflow_structure(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    since: Instant | None = None,
    until: Instant = "now",
    bar: str = "15m",
    lookback: Annotated[int, Range(ge=5, le=MOST_BARS)] = 400,
    internal: Annotated[int, Range(ge=1, le=100)] | None = None,
    external: Annotated[int, Range(ge=1, le=200)] = EXTERNAL,
    right: Annotated[int, Range(ge=1, le=200)] | None = None,
    scale: Scales = "both",
    rule: Rule = "close",
    hold_bars: Annotated[int, Range(ge=0, le=100)] = 3,
    equal_bps: Annotated[float, Range(ge=0, le=1000)] = 0.0,
    zigzag_pct: Annotated[float, Range(gt=0, lt=100)] | None = None,
    zigzag_atr: Annotated[float, Range(gt=0, le=100)] | None = None,
) -> Answer:
    """Swings (HH, HL, LH, LL), breaks (BOS, CHoCH, failed), trend and zigzag of closed bars, newest first.

    Use it for where structure broke and when that was known. Nothing is redrawn.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: the most traded when left out; of several the most traded gives prices
        since: begin; `lookback` bars before the end when left out
        until: end
        bar: length, as 15m
        lookback: bars, where since is left out
        internal: bars beside a small pivot; 3 when left out
        external: bars beside a large pivot
        right: bars after a large pivot, where not as many
        scale: which pivots
        rule: a break is a close or a wick beyond
        hold_bars: bars within which a close back inside undoes a break
        equal_bps: swings so near are equal (EH, EL)
        zigzag_pct: least leg of a zigzag, %
        zigzag_atr: or in ATRs of 14 bars
    """
    of = closed_bars(ask, symbol, venues, since, until, bar, lookback)
    every = seen(of, internal, external, right, scale, rule, hold_bars, equal_bps)
    turned = _zigzag(of, zigzag_pct, zigzag_atr)
    made = answer(
        ask, of.found, STRUCTURE, structure_rows(every), stream="trades", asked=of.asked.venues,
        summary={
            **structure_summary(of, every),
            **({} if turned is None else {"zigzag": _developing(turned)}),
            "data_quality": quality(of.found, ALGORITHM),
        },
    )  # fmt: skip
    if turned is not None:
        made.more["zigzag"] = Table(columns=list(_TURNS), rows=_turns(turned)[:MOST_TURNS])
        made.meta.units |= {name: unit for name, unit in _TURNS.items() if unit}
    return made


def seen(
    of: ClosedBars,
    internal: int | None,
    external: int,
    right: int | None,
    scale: Scales,
    rule: Rule,
    hold_bars: int,
    equal_bps: float,
) -> list[Seen]:
    """Return the structures of the sizes that are asked, the internal one first."""
    small = min(INTERNAL, external - 1) if internal is None else internal
    if small >= external:
        raise InvalidArgument(
            f"internal pivots of {small} bars, external ones of {external}", hint="fewer for the internal"
        )
    sizes: list[tuple[Scale, int, int]] = [
        ("internal", small, small),
        ("external", external, right or external),
    ]
    found: list[Seen] = []
    for name, before, after in sizes:
        if scale in ("both", name) and before:
            one = structure(of.bars, before, after, rule, hold_bars, equal_bps)
            found.append(Seen(name, before, after, one, _swept(of, one.swings)))
    return found


def _swept(of: ClosedBars, swings: Sequence[StructureSwing]) -> list[int | None]:
    level = np.array([one.level for one in swings], dtype=np.float64)
    is_high = np.array([one.kind == "high" for one in swings], dtype=np.bool_)
    start = np.array([one.bar + 1 for one in swings], dtype=np.int64)
    return of.at(reached(of.bars, level, is_high, start)[1])


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────


def structure_rows(every: Sequence[Seen]) -> list[Row]:
    """Return swings and breaks by when they were known, the last first."""
    rows = [row for one in every for row in (*_swings(one), *_breaks(one))]
    return sorted(rows, key=lambda row: row[0], reverse=True)


def _swings(of: Seen) -> list[Row]:
    return [
        [
            one.known_time // MS, of.scale, one.kind, None, one.time // MS, one.level, one.label, None, swept,
            "minor" if one.minor else "replaced" if one.replaced is not None else None,
        ]
        for one, swept in zip(of.structure.swings, of.swept, strict=True)
    ]  # fmt: skip


def _breaks(of: Seen) -> list[Row]:
    failed = {(one.bar, one.direction, one.level) for one in of.structure.breaks if one.kind == "failed"}
    return [
        [
            one.known_time // MS, of.scale, one.kind, one.direction, one.time // MS, one.level, None,
            one.swing_time // MS, None,
            "undone" if one.kind != "failed" and (one.bar, one.direction, one.level) in failed else None,
        ]
        for one in of.structure.breaks
    ]  # fmt: skip


def structure_summary(of: ClosedBars, every: Sequence[Seen]) -> dict[str, Any]:
    """Return what stands at the close of the last bar, of each size of pivots."""
    return {**of.told, **{one.scale: _standing(of, one) for one in every}}


def _standing(of: ClosedBars, seen: Seen) -> dict[str, Any]:
    found = seen.structure
    swept = dict(zip(found.swings, seen.swept, strict=True))
    last = {one.kind: one for one in found.alternating}
    broken = {one.kind: one for one in found.breaks}
    return {
        "left": seen.left,
        "right": seen.right,
        "trend": found.trend,
        "direction": found.direction,
        **{
            f"last_{kind}": None if kind not in last else _swing(last[kind], swept[last[kind]], of.price)
            for kind in ("high", "low")
        },
        **{
            f"last_{kind.lower()}": None if kind not in broken else _break(broken[kind])
            for kind in ("BOS", "CHoCH", "failed")
        },
    }


def _swing(one: StructureSwing, swept: int | None, price: float) -> dict[str, Any]:
    return {
        "time": one.time // MS,
        "level": one.level,
        "label": one.label,
        "known": one.known_time // MS,
        "swept": swept,
        "distance_bps": round((one.level / price - 1) * 1e4, 2),
    }


def _break(one: Break) -> dict[str, Any]:
    return {
        "direction": one.direction,
        "level": one.level,
        "time": one.time // MS,
        "known": one.known_time // MS,
    }


# ── Zigzag ────────────────────────────────────────────────────────────────────────────────────


def _zigzag(of: ClosedBars, percent: float | None, multiple: float | None) -> Zigzag | None:
    if percent is not None and multiple is not None:
        raise InvalidArgument(
            "the legs of a zigzag are a percentage or a multiple of the ATR",
            hint="zigzag_pct, or zigzag_atr",
        )
    if multiple is not None:
        return zigzag_of_atr(of.bars, multiple, PERIOD)
    return None if percent is None else zigzag(of.bars, percent)


def _turns(found: Zigzag) -> list[Row]:
    """Return the confirmed turns, the last first, each with how far the leg went that ended there."""
    before: list[Turn | None] = [None, *found.turns]
    return [
        [
            None if one.confirmed_time is None else one.confirmed_time // MS, one.kind, one.time // MS, one.price,
            None if last is None else (one.price / last.price - 1) * 100,
        ]
        for last, one in zip(before, found.turns, strict=False)
    ][::-1]  # fmt: skip


def _developing(found: Zigzag) -> dict[str, Any]:
    end = found.developing
    return {
        "turns": len(found.turns),
        "developing": None if end is None else {"kind": end.kind, "time": end.time // MS, "price": end.price},
    }

"""How far Hyperliquid lets a position go: its tables of margins, and the one that each perpetual is on."""

import msgspec

from orderflow.market.events import Nanos
from orderflow.market.facts import RiskTier
from orderflow.venues.hyperliquid_futures.wire import VENUE, unified


class Tier(msgspec.Struct, gc=False):
    lowerBound: float
    maxLeverage: float


class Table(msgspec.Struct, gc=False):
    marginTiers: list[Tier]


class Perpetual(msgspec.Struct, gc=False):
    name: str
    szDecimals: int
    isDelisted: bool | None = None
    maxLeverage: float | None = None
    marginTableId: int | None = None


class Universe(msgspec.Struct, gc=False):
    universe: list[Perpetual]
    marginTables: list[tuple[int, Table]] = []


def tiers(said: Universe, ts_recv: Nanos) -> list[RiskTier]:
    """Return the tiers of each perpetual that is not delisted; where no table is listed, there is one.

    Bounds are of a position's value in USD. The maintenance margin is half of the initial margin at the
    tier's leverage.
    """
    tables = dict(said.marginTables)
    found: list[RiskTier] = []
    for one in said.universe:
        flat = [] if one.maxLeverage is None else [Tier(0.0, one.maxLeverage)]
        table = None if one.marginTableId is None else tables.get(one.marginTableId)
        steps = [step for step in (flat if table is None else table.marginTiers) if step.maxLeverage > 0]
        limits = [*(step.lowerBound for step in steps[1:]), None]
        found += [
            RiskTier(
                *(VENUE, unified(one.name), None, ts_recv, place, limit, "quote"),
                initial_margin=1 / step.maxLeverage,
                maintenance_margin=0.5 / step.maxLeverage,
                max_leverage=step.maxLeverage,
                floor=step.lowerBound,
            )
            for place, (step, limit) in enumerate(zip(steps, limits, strict=False), 1)
            if not one.isDelisted
        ]
    return found

"""Liquidations that venues tell when they are asked, as those that do not collect them here."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from orderflow.market.events import MS, Liquidation, Nanos
from orderflow.tools.answers import Row
from orderflow.tools.instead import Instead, ask_instead
from orderflow.tools.spec import Ask

MOST_TOLD = 1000  # asked for; a venue may tell fewer, and reach back less far than was asked


class Told(NamedTuple):
    """Who was asked, and the forced orders of each venue in the window."""

    asked: Instead
    orders: Mapping[str, Sequence[Liquidation]]

    @property
    def sums(self) -> dict[str, dict[str, Any]]:
        """Counts and values of both sides by venue, as the store's are."""
        return {venue: _sums(orders) for venue, orders in self.orders.items()}

    def rows(self, side: str | None) -> list[Row]:
        return [
            [one.symbol, _at(one), venue, one.side, one.price, one.size, one.price * one.size, "rest"]
            for venue, orders in self.orders.items()
            for one in orders
            if side in (None, one.side)
        ]

    def venues(self, columns: Sequence[str], bounds: Collection[str]) -> list[Row]:
        """Return a row of sums a venue."""
        rows: list[Row] = []
        for venue, orders in self.orders.items():
            known = {"venue": venue, **_sums(orders), "last": max(_at(one) for one in orders)}
            known |= {"lower_bound": venue in bounds, "source": "rest"}
            rows.append([known[name] for name in columns])
        return rows


def forced_there(
    ask: Ask, symbol: str | None, venues: Sequence[str] | None, window: tuple[Nanos, Nanos], min_value: float
) -> Told:
    """Ask venues, None being all that answer, for the forced orders of a window that are worth at least so much."""
    since, until = window
    found = ask_instead(
        ask, "liquidations", venues, symbol, (Liquidation,), rows=MOST_TOLD, since=since, until=until
    )
    orders = {
        heard.venue: [
            one
            for one in heard.of(Liquidation)
            if since <= (one.ts_event or one.ts_recv) <= until and one.price * one.size >= min_value
        ]
        for heard in found.heard
    }
    none = {venue: "told none in this window" for venue, kept in orders.items() if not kept}
    heard = [one for one in found.heard if one.venue not in none]
    return Told(
        Instead(heard, found.missing | none, found.error), {one.venue: orders[one.venue] for one in heard}
    )


def _sums(orders: Sequence[Liquidation]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for side in ("long", "short"):
        values = [one.price * one.size for one in orders if one.side == side]
        found |= {f"{side}s": len(values), f"{side}_value": float(sum(values))}
    return {**found, "largest_value": max((one.price * one.size for one in orders), default=None)}


def _at(one: Liquidation) -> int:
    return (one.ts_event or one.ts_recv) // MS

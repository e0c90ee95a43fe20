"""Carry: what each venue's longs pay, now and as paid, from the live state while it is fresh, else the store."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from orderflow.market.events import MS, Funding
from orderflow.store.payments import HOURS_A_YEAR
from orderflow.tools.newest import FRESH, Said, newest, said
from orderflow.tools.past import Past
from orderflow.tools.spec import Ask
from orderflow.tools.times import millis


class Carry(msgspec.Struct, kw_only=True):
    """What a venue's longs pay: the rate announced for the next settlement, and what was paid.

    Rates are fractions of the position's value, for `interval_hours`; `predicted` is of the interval after
    the next settlement, where the venue tells it. `said` is who told the rate, and how long ago.
    """

    symbol: str
    venue: str
    rate: float | None = None
    predicted: float | None = None
    interval_hours: float | None = None
    next_settlement: int | None = None
    said: Said | None = None
    paid: dict[str, Any] = {}

    @property
    def age_ms(self) -> float | None:
        return None if self.said is None else self.said.age_ms

    @property
    def annual_pct(self) -> float | None:
        return annual_pct(self.rate, self.interval_hours)

    @property
    def paid_pct(self) -> float | None:
        paid = self.paid.get("cumulative_rate")
        return None if paid is None else paid * 100

    @property
    def paid_annual_pct(self) -> float | None:
        return self.paid.get("mean_annualized_pct")


def annual_pct(rate: float | None, interval_hours: float | None) -> float | None:
    """Return a rate over 8,760 hours in percent, not compounded; None where its interval is not known.

    >>> annual_pct(0.0001, 8.0), annual_pct(0.0001, None)
    (10.95, None)
    """
    if rate is None or not interval_hours:
        return None
    return rate * HOURS_A_YEAR / interval_hours * 100


def carries_of(ask: Ask, asked: Past, stored: Sequence[dict[str, Any]]) -> list[Carry]:
    """Join what was paid with the newest rate, live or stored, that is not old; the dearest for longs first.

    `stored` are the rows of `Reader.funding_comparison`. Raises `NoData` where nothing is known.
    """
    found = {row["venue"]: _from_store(ask, asked.symbol, row) for row in stored}
    known = asked.symbol in ask.latest.symbols()
    told = ask.latest.fundings(asked.symbol) if known else ()
    for event in newest(ask, told, asked.symbol, FRESH).values():
        if asked.venues is None or event.venue in asked.venues:
            tell(ask, found.setdefault(event.venue, Carry(symbol=event.symbol, venue=event.venue)), event)
    if not found:
        # says what there is
        ask.history.funding_comparison(asked.symbol, asked.venues, asked.since, asked.until)
    return dearest_first(found.values())


def tell(ask: Ask, one: Carry, event: Funding, by: Said | None = None) -> None:
    """Let an announcement say what is paid next; `by` is who told it, where the live state did not."""
    one.rate, one.predicted, one.said = event.rate, event.predicted, by or said(ask, event)
    one.interval_hours = event.interval_hours or one.interval_hours
    # a venue that tells none now has none: the store's would be that of its grid
    one.next_settlement = None if event.next_ts is None else millis(event.next_ts)


def dearest_first(found: Iterable[Carry]) -> list[Carry]:
    return sorted(found, key=lambda one: (one.symbol, one.annual_pct is None, -(one.annual_pct or 0)))


def said_of(found: Iterable[Carry]) -> list[Said]:
    """Return who told the rates that are known."""
    return [one.said for one in found if one.said is not None]


def _from_store(ask: Ask, symbol: str, row: dict[str, Any]) -> Carry:
    one = Carry(symbol=symbol, venue=row["venue"], interval_hours=row["interval_hours"], paid=row)
    if ask.now - row["told_at"] <= FRESH:
        one.rate, one.predicted = row["next_rate"], row["predicted_rate"]
        one.said = Said(one.venue, (ask.now - row["told_at"]) / MS, "stored")
        one.next_settlement = None if row["next_settles_at"] is None else millis(row["next_settles_at"])
    return one

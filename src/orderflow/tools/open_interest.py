"""Open interest: what a venue tells to be open, and the series of a window with what changed in it.

Contracts, base units and USD are told apart, each as the venue tells it and null where it does not. The value at
the mark is ours: base units at the venue's own mark price, in quote units.
"""

from typing import Any

import msgspec

from orderflow.market.events import Nanos, OpenInterest
from orderflow.tools.answers import Answer
from orderflow.tools.newest import Said, said
from orderflow.tools.past import MOST_READ, Past, answer, cut_short, newest_first
from orderflow.tools.spec import Ask

INTERESTS = {
    "time": "UTC", "venue": "", "open_interest": "base", "contracts": "contracts", "open_interest_usd": "USD",
    "oi_change": "base",
}  # fmt: skip


class Open(msgspec.Struct, kw_only=True):
    """What is open in a symbol on a venue: base units, contracts and USD, None where the venue tells none.

    `mark` is the price in quote units at which it is valued; `before` and `compared_with` are the base units a
    period ago, and when those were told.
    """

    symbol: str
    said: Said
    size: float | None
    contracts: float | None
    usd: float | None
    mark: float | None = None
    before: float | None = None
    compared_with: Nanos | None = None

    @property
    def venue(self) -> str:
        return self.said.venue

    @property
    def change(self) -> float | None:
        return None if self.size is None or self.before is None else self.size - self.before

    def at_mark(self, size: float | None) -> float | None:
        return None if size is None or self.mark is None else size * self.mark


def opened(ask: Ask, event: OpenInterest, mark: float | None, by: Said | None = None) -> Open:
    """Return what an event tells to be open; `by` is who told it, where the live state did not."""
    return Open(
        symbol=event.symbol, said=by or said(ask, event), size=event.size, contracts=event.contracts, usd=event.usd,
        mark=mark,
    )  # fmt: skip


def open_interest_series(ask: Ask, asked: Past, every: str | None) -> Answer:
    """Return what is stored of a window, newest first, the last row of each bar, and what changed in it."""
    found = ask.history.window(
        "open_interest", asked.symbol, asked.venues, since=asked.since, until=asked.until, limit=MOST_READ,
        every=every,
    )  # fmt: skip
    ends: dict[str, dict[str, Any]] = {}
    for row in found.rows():
        one = ends.setdefault(row["venue"], {"first": row["open_interest"]})
        one["last"] = row["open_interest"]
    for one in ends.values():
        first, last = one["first"], one["last"]
        one["change"] = None if first is None or last is None else last - first
        one["change_pct"] = percent_change(first, last)
    made = answer(
        ask, found, INTERESTS, newest_first(found, INTERESTS), stream="open_interest", asked=asked.venues,
        summary={"change": ends},
    )  # fmt: skip
    return cut_short(made, found, "every=5m thins them out; the change is that of the rows read")


def percent_change(before: float | None, now: float | None) -> float | None:
    return None if now is None or not before else (now / before - 1) * 100

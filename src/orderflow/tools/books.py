"""Books: what the tools of the order book share: whose book is meant, the store's rows as `flow` takes them, and what takers took of it.

A stored snapshot stands until the next one, since a book is stored when it changes; but not for longer than
`hold` tells, and not into a gap. Only the best levels are stored: what lies beyond them is unknown.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
import numpy as np

from orderflow.flow.books import Books, Prints, books, stands_until
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.events import MINUTE, MS, Nanos
from orderflow.market.streams import BOOK_LEVELS
from orderflow.store.answers import Stretch
from orderflow.store.windows import Window
from orderflow.tools.orderflow import most_traded, traded
from orderflow.tools.past import Past, attempt, check_offered, past
from orderflow.tools.quality import unknown
from orderflow.tools.spec import Ask

HOLD = MINUTE  # a liquid book changes several times a second: one silent for longer may be lost
MOST_PRINTS = 1_000_000  # trades that one answer reads to tell what was executed from what was cancelled
_DIGITS = 9  # decimals of a price that count where the tick is not listed
_RECEIVED_PCT = 99.9  # of a window without a trade, from which on silence is taken for quiet

WHY_SHORT = f"the best {BOOK_LEVELS} levels a side are stored: beyond them nothing is known"


def booked_in(ask: Ask, symbol: str, venues: Sequence[str] | None, since: str, until: str) -> Past:
    """Read whose books of which window are asked: without venues, of the one on which most was traded."""
    asked = past(ask, symbol, venues, since, until)
    check_offered("orderbooks", asked.venues)
    if asked.venues is not None:
        return asked
    known = ask.history.coverage_by_stream(["orderbooks"], asked.symbol, None, asked.since, asked.until)
    having = [venue for venue, one in known["orderbooks"].items() if one.first is not None]
    narrowed = msgspec.structs.replace(asked, venues=having or None)
    if len(having) < 2:
        return narrowed
    found = attempt(lambda: ask.history.flow(asked.symbol, having, asked.since, asked.until))
    venue = having[0] if found is None else most_traded(ask, narrowed)
    return msgspec.structs.replace(asked, venues=[venue])


def books_of(found: Window, venue: str) -> Books:
    """Return a venue's snapshots of a window (`Reader.ladders`)."""
    here = np.array([one == venue for one in found["venue"]], dtype=np.bool_)
    levels = sum(name.startswith("bid_") and name.endswith("_price") for name in found.found.column_names)

    def side(name: str, what: str) -> Column:
        ranks = range(1, levels + 1)
        return np.stack([_floats(found[f"{name}_{rank}_{what}"])[here] for rank in ranks], axis=1)

    time = np.asarray(found["timestamp"], dtype=np.int64)[here]
    return books(
        time, side("bid", "price"), side("bid", "qty"), side("ask", "price"), side("ask", "qty")
    )  # fmt: skip


def lost(found: Window, venue: str) -> Index:
    """Return when a venue's book was not received, as rows of [from, until)."""
    return np.array(unknown(found, venue), dtype=np.int64).reshape(-1, 2)


def hold(found: Window, *, picked: bool = True) -> Nanos:
    """Return for how long a snapshot stands: longer where those after it are not there, thinned or not `picked`."""
    apart = max((found.notes["every_ms"] or 0) if picked else 0, found.notes["thinned_ms"] or 0)
    return max(HOLD, 2 * round(apart * MS))


def follows(found: Books, until: Nanos, held: Nanos, gaps: Index) -> Mask:
    """Say of each snapshot whether the one before stood until it came; of the first it is not known."""
    if not len(found.time):
        return np.zeros(0, dtype=np.bool_)
    stands = stands_until(found.time, until, held, gaps)
    return np.append(False, stands[:-1] >= found.time[1:])


def thinned(found: Window) -> list[str]:
    """Say where the store itself has left fewer snapshots than there were."""
    apart = found.notes["thinned_ms"]
    return [f"books of old days are thinned to one in {apart:g} ms"] if apart else []


def sampled(found: Window) -> list[str]:
    """Say where fewer snapshots were read than there are."""
    every, stored = found.notes["every_ms"], sum(found.notes["stored"].values())
    if not every or len(found) == stored:
        return []
    return [f"{len(found):,} of {stored:,} snapshots are read: the last in each {every:g} ms"]


def tick_of(ask: Ask, symbol: str, venue: str, found: Sequence[Books]) -> float:
    """Return the tick that a venue lists, or else the coarsest step on which all prices of its books lie."""
    listed = traded(ask, symbol, venue).tick
    if listed:
        return listed
    scale = 10**_DIGITS
    every = np.concatenate([side.ravel() for one in found for side in (one.bid_price, one.ask_price)])
    whole = np.unique(np.rint(every[~np.isnan(every)] * scale).astype(np.int64))
    return float(np.gcd.reduce(whole)) / scale if len(whole) else 1.0 / scale


# ── What takers took ──────────────────────────────────────────────────────────────────────────


class Taken(NamedTuple):
    """The trades of a venue, oldest first, and when they are not known: none of it is told of such a time."""

    prints: Prints
    unheard: list[Stretch]

    def known(self, begin: Index, end: Index) -> Mask:
        """Say of stretches whether all that was traded in them is known."""
        whole = np.ones(len(begin), dtype=np.bool_)
        for first, last in self.unheard:
            whole &= ~((begin < last) & (end > first))
        return whole


def taken(ask: Ask, symbol: str, venue: str, since: Nanos, until: Nanos) -> Taken:
    """Return the trades of a venue in a window; of more than a million the last, the others being unknown.

    A trade of which the venue does not say who took it is left out.
    """
    found = attempt(
        lambda: ask.history.window(
            "trades", symbol, [venue], since=since, until=until, limit=MOST_PRINTS
        )
    )  # fmt: skip
    if found is None:
        known = ask.history.coverage_by_stream(["trades"], symbol, [venue], since, until)["trades"][venue]
        quiet = known.percent is not None and known.percent >= _RECEIVED_PCT
        return Taken(_prints({}), [] if quiet else [(since, until)])
    narrow = replace(found, found=found.found.select(list(_OF_TRADES)))
    prints = _prints({name: narrow[name] for name in _OF_TRADES})
    earlier = [(since, int(prints.time[0]))] if found.truncated and len(prints.time) else []
    return Taken(prints, [*earlier, *unknown(found, venue)])


_OF_TRADES = ("timestamp", "price", "quantity", "is_buyer_maker")


def _prints(columns: dict[str, Any]) -> Prints:
    time, price, size, sold = (columns.get(name, ()) for name in _OF_TRADES)
    side = np.array([one is not None for one in sold], dtype=np.bool_)
    bought = np.array([one is False for one in sold], dtype=np.bool_)
    return Prints(
        np.asarray(time, dtype=np.int64)[side], _floats(price)[side], _floats(size)[side], bought[side]
    )


def _floats(values: Any) -> Column:
    return np.asarray(values, dtype=np.float64)

"""Rekt: longs and shorts closed by force, bar by bar, beside what was traded; unknown where nobody listened."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from orderflow import venues as forms
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.events import Nanos
from orderflow.market.instruments import MARKETS
from orderflow.store.answers import Coverage, Stretch
from orderflow.store.backfills import less
from orderflow.store.windows import Window
from orderflow.tools.past import Past, attempt
from orderflow.tools.quality import unknown
from orderflow.tools.spec import Ask

STREAM = "liquidations"


class Rekt(NamedTuple):
    """Values in quote units, a row a bar; NaN where a venue that sends liquidations was not received."""

    long: Column
    short: Column
    notes: list[str]

    @classmethod
    def unknown(cls, bars: int, why: str) -> "Rekt":
        none = np.full(bars, np.nan)
        return cls(none, none, [f"liquidations are unknown: {why}"])


def rekt(ask: Ask, asked: Past, traded: Window, name: str, start: Index, length: Nanos) -> Rekt:
    """Return what was liquidated in bars of one length, on the venues of what was `traded` in the same window."""
    venues = list(traded.coverage)
    having = [one for one in venues if STREAM in MARKETS[one].streams and STREAM not in _cannot(one)]
    if not having:
        return Rekt.unknown(len(start), f"{', '.join(venues)} has no public feed of them")
    among = (asked.symbol, having)
    covered = ask.history.coverage_by_stream([STREAM], *among, asked.since, asked.until)[STREAM]
    known = np.ones(len(start), dtype=np.bool_)
    for one in having:
        known &= _received(covered[one], _never(traded, one), start, length)
    if not known.any():
        return Rekt.unknown(len(start), "none of the window was collected")
    found = attempt(lambda: ask.history.liquidation_bars(*among, name, asked.since, asked.until))
    long, short = (np.where(known, 0.0, np.nan) for _ in range(2))
    if found is not None:
        place = (np.asarray(found["open_time"], dtype=np.int64) - start[0]) // length
        for side, column in (("long", long), ("short", short)):
            np.add.at(column, place, np.nan_to_num(np.asarray(found[f"{side}_value"], dtype=np.float64)))
    notes = [f"{one}: {said}" for one in having if "lower bound" in (said := _said(one))]
    if without := [one for one in venues if one not in having]:
        notes.append(f"liquidations are those of {', '.join(having)}: {', '.join(without)} publishes none")
    return Rekt(long, short, notes)


def _received(covered: Coverage, never: Sequence[Stretch], start: Index, length: Nanos) -> Mask:
    if covered.percent is None:
        return np.zeros(len(start), dtype=np.bool_)
    known = np.ones(len(start), dtype=np.bool_)
    last = int(start[-1]) + length
    for begin, until in (*never, *((one.from_ts, one.until_ts or last) for one in covered.gaps)):
        known &= ~((start < until) & (start + length > begin))
    return known


def _never(traded: Window, venue: str) -> list[Stretch]:
    """Return the ends of a window in which a venue was not collected: liquidations are too rare to tell."""
    gaps = unknown(traded, venue, quiet=True)
    return [part for one in unknown(traded, venue) for part in less(one, gaps)]


def _cannot(venue: str) -> set[str]:
    return set(forms.ALL[venue].cannot) if venue in forms.ALL else set()


def _said(venue: str) -> str:
    return forms.ALL[venue].notes.get(STREAM, "") if venue in forms.ALL else ""

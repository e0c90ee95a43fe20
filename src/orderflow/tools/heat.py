"""Heat: the order book of a window as a matrix of time and price, of one venue or of several together, and its walls."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from orderflow.flow.books import Books
from orderflow.flow.heatmap import Heatmap, How, heatmap
from orderflow.flow.levels import levels, round_step
from orderflow.flow.walls import TIMES, Wall, walls
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import SECOND, Nanos
from orderflow.store.windows import Window
from orderflow.tools.books import HOLD, books_of, hold, lost, taken, tick_of
from orderflow.tools.past import Past
from orderflow.tools.quality import heard
from orderflow.tools.spec import Ask

PER_INTERVAL = 20  # snapshots that are read of one interval at most: its mean is of so many
MOST_SNAPSHOTS = 20_000
MOST_INTERVALS = 1_000
_BINS_WITHIN_REACH = 5  # of a side
_NEARLY = 1e-6  # of a tick


class Heat(NamedTuple):
    """A window's heat maps by venue, with the same intervals and bins, and their sums by (interval, bin).

    The maps are of whole bins: they are what walls are found in. The sums `bid` and `ask` have the bins at
    the ends of the known book, too, as lower bounds: `bid_whole` and `ask_whole` tell them apart. A sum is of
    the venues whose book is known there; `partly` is the share of the cells in which that is not all of
    them. `now` is the book as it stood at the end of the window.
    """

    found: Window
    books: dict[str, Books]
    maps: dict[str, Heatmap]
    tick: float
    size: float
    bid: Column
    ask: Column
    bid_whole: Mask
    ask_whole: Mask
    partly: float
    now: "Now"

    @property
    def any(self) -> Heatmap:
        """One of the maps: for what they have in common."""
        return next(iter(self.maps.values()))

    @property
    def low(self) -> Column:
        """The lower edge of each bin, in quote units."""
        return self.any.low

    @property
    def mid(self) -> float | None:
        """The mean of the venues' last mids."""
        ends = [float(one.mid[-1]) for one in self.books.values() if len(one.time)]
        known = [one for one in ends if not np.isnan(one)]
        return sum(known) / len(known) if known else None


class Now(NamedTuple):
    """The book by bin, and where it is known to the edges of the bin."""

    bid: Column
    ask: Column
    bid_whole: Mask
    ask_whole: Mask


def heat(
    ask: Ask, asked: Past, interval: Nanos, size: float | None, most_bins: int, *, fine: bool = False
) -> Heat:
    """Return the heat maps of a window, with bins of a size, or else of a usual one that makes so many of them.

    Of `fine` bins several are known whole on each side, however many the range of prices then has.
    """
    intervals = -(-asked.until // interval) - asked.since // interval
    if intervals > MOST_INTERVALS:
        raise InvalidArgument(
            f"{intervals:,} intervals are more than {MOST_INTERVALS:,}",
            hint="a longer bar, or a shorter window",
        )
    found = ask.history.ladders(
        asked.symbol, asked.venues, asked.since, asked.until, lead=HOLD,
        most=min(MOST_SNAPSHOTS, max(2, PER_INTERVAL * intervals)),
    )  # fmt: skip
    every = {venue: books_of(found, venue) for venue in heard(found)}
    tick = min(tick_of(ask, asked.symbol, venue, [one]) for venue, one in every.items())
    low = min(float(np.nanmin(np.append(one.bid_price, one.ask_price))) for one in every.values())
    high = max(float(np.nanmax(np.append(one.bid_price, one.ask_price))) for one in every.values())
    usual = round_step(low, high, tick, most_bins)
    tick, ticks = _steps(tick, size or (min(usual, _within_reach(every, tick)) if fine else usual))
    ends: list[int] = (levels(np.array([low, high]), tick) // ticks).tolist()

    def mapped(since: Nanos, how: How, *, partly: bool) -> dict[str, Heatmap]:
        return {
            venue: heatmap(
                one, since, asked.until, tick, ticks, interval, how,
                hold=hold(found), gaps=lost(found, venue), bins=(ends[0], ends[1] + 1), partly=partly,
            )
            for venue, one in every.items()
        }  # fmt: skip

    whole, some = (mapped(asked.since, "mean", partly=one) for one in (False, True))
    last = (asked.until - 1) // interval * interval
    whole_now, some_now = (mapped(last, "last", partly=one) for one in (False, True))
    return Heat(
        found, every, whole, tick, round(tick * ticks, 12), *_sums(some), *_whole(whole),
        _partly([one.bid + one.ask for one in some.values()]),
        Now(*(one[-1] for one in _sums(some_now)), *(one[-1] for one in _whole(whole_now))),
    )  # fmt: skip


def _sums(maps: dict[str, Heatmap]) -> tuple[Column, Column]:
    return _known_sum([one.bid for one in maps.values()]), _known_sum([one.ask for one in maps.values()])


def _whole(maps: dict[str, Heatmap]) -> tuple[Mask, Mask]:
    bid: Mask = np.all([~np.isnan(one.bid) for one in maps.values()], axis=0)
    ask: Mask = np.all([~np.isnan(one.ask) for one in maps.values()], axis=0)
    return bid, ask


def _within_reach(every: dict[str, Books], tick: float) -> float:
    """Return the largest round step of which several fit between the mid and where a side ends."""
    reach = np.concatenate(
        [np.minimum(one.mid - one.bid_end, one.ask_end - one.mid) for one in every.values()]
    )
    reach = reach[~np.isnan(reach)]
    ticks = float(np.median(reach)) / _BINS_WITHIN_REACH / tick if len(reach) else 1.0
    if ticks < 1:
        return tick
    power = 10.0 ** np.floor(np.log10(ticks))
    return float(f"{next(one * power for one in (5, 2, 1) if one * power <= ticks * (1 + 1e-9)) * tick:.12g}")


def _steps(tick: float, size: float) -> tuple[float, int]:
    """Return the tick and how many of them make a bin; raise `InvalidArgument` for a bin of no whole number."""
    ticks = round(size / tick)
    if ticks >= 1 and abs(size / tick - ticks) <= _NEARLY * ticks:
        return tick, ticks
    if size < tick and abs(tick / size - round(tick / size)) <= _NEARLY * tick / size:
        return size, 1  # a tick that is reckoned from prices may be coarser than the venue's
    near = max(1, ticks) * tick
    raise InvalidArgument(f"bins of {size:g} are no whole ticks of {tick:g}", hint=f"size={near:.12g}")


def _known_sum(parts: Sequence[Column]) -> Column:
    every = np.stack(list(parts))
    known = ~np.isnan(every)
    return np.where(known.any(axis=0), np.where(known, every, 0.0).sum(axis=0), np.nan)


def _partly(parts: Sequence[Column]) -> float:
    known = ~np.isnan(np.stack(list(parts)))
    some, every = np.count_nonzero(known.any(axis=0)), np.count_nonzero(known.all(axis=0))
    return 1 - every / some if some else 0.0


# ── Walls ─────────────────────────────────────────────────────────────────────────────────────


class VenueWall(NamedTuple):
    """A wall in the book of a venue."""

    venue: str
    wall: Wall

    @property
    def lifetime_s(self) -> float:
        return (self.wall.last_seen - self.wall.first_seen) / SECOND


def walls_of(ask: Ask, asked: Past, found: Heat, times: float = TIMES) -> list[VenueWall]:
    """Return the walls of each venue's book, the largest multiples first.

    How one ended is not told of a time whose trades were not received.
    """
    listed: list[VenueWall] = []
    for venue, one in found.maps.items():
        trades = taken(ask, asked.symbol, venue, int(one.start[0]), asked.until)
        for wall in walls(one, times, trades=trades.prints):
            begin = np.array([wall.last_seen - one.interval], dtype=np.int64)
            end: Index = np.array([wall.ended or wall.last_seen], dtype=np.int64)
            if wall.fate in ("filled", "pulled") and not bool(np.all(trades.known(begin, end))):
                wall = wall._replace(fate="gone", traded=None)
            listed.append(VenueWall(venue, wall))
    return sorted(listed, key=lambda one: (-one.wall.times, one.wall.first_seen))


def fates(every: Sequence[VenueWall]) -> dict[str, Any]:
    """Return how many walls went in each way, and how long half of those lived, in seconds."""
    counted = Counter(one.wall.fate for one in every)
    return {
        fate: {
            "walls": count,
            "median_lifetime_s": float(np.median([one.lifetime_s for one in every if one.wall.fate == fate])),
        }
        for fate, count in counted.most_common()
    }

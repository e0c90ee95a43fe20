"""Market structure: swings in alternation, and the closes beyond them: BOS, CHoCH and breaks that failed.

Swings are pivots (see `swings`), in alternation: of two highs without a low between them the higher one
counts. The first is then `replaced` by the second, from the bar at which that one is known; a lower one that
follows is `minor`. What is listed is never taken back: the structure as it was known at some bar consists of
what was `known` by then and not yet replaced. Of a bar that is high and low at once, the kind that is due
comes first; the low, where none is.

label  HH LH EH  a high above, below, equal to the high before it in the alternation; HL LL EL of lows
BOS    break of structure: a bar beyond the last swing in the direction of the last break, or the first break
CHoCH  change of character: a bar beyond the last swing against the direction of the last break
failed a bar within `hold_bars` of a break (or that of the break itself) closed back inside of its level

"Beyond" is the close, or the wick (`rule`). A level is broken once; the next is the next swing. A break that
failed is undone: its level stands again until a newer swing is known, and the direction is as before. Of a
bar that goes beyond both sides by its wicks, the side nearer to its close is the later one.

Terms as traders use them (after Dow; in this form in LuxAlgo's Smart Money Concepts, 2022). Only closed bars.
"""

from typing import Literal, NamedTuple

from orderflow.flow.breaks import Break, Closed, Direction, Rule, StructureSwing, Walk
from orderflow.flow.swings import Bars, pivots
from orderflow.market.errors import InvalidArgument

INTERNAL, EXTERNAL = 3, 10  # bars to either side; LuxAlgo's are 5 and 50
HOLD_BARS = 3

__all__ = [
    "Break",
    "Direction",
    "Rule",
    "RunningStructure",
    "Structure",
    "StructureSwing",
    "structure",
    "structures",
]


class Structure(NamedTuple):
    """Swings by bar and breaks by when they were known; `direction` is that of the last break that stands."""

    swings: tuple[StructureSwing, ...]
    breaks: tuple[Break, ...]
    direction: Direction | None

    @property
    def alternating(self) -> tuple[StructureSwing, ...]:
        return tuple(one for one in self.swings if not one.minor and one.replaced is None)

    @property
    def trend(self) -> Literal["up", "down", "range"] | None:
        """Up where the last high and low are higher, down where they are lower, else a range; None of too few."""
        labels = {one.kind: one.label for one in self.alternating}
        last = labels.get("high"), labels.get("low")
        if None in last:
            return None
        return "up" if last == ("HH", "HL") else "down" if last == ("LH", "LL") else "range"


class Structures(NamedTuple):
    """The same bars seen with small and with large pivots."""

    internal: Structure
    external: Structure


def structures(
    bars: Bars,
    internal: int = INTERNAL,
    external: int = EXTERNAL,
    rule: Rule = "close",
    hold_bars: int = HOLD_BARS,
) -> Structures:
    """Return the internal and the external structure, of pivots with so many bars to either side."""
    if internal >= external:
        raise InvalidArgument(
            f"internal pivots of {internal} bars, external ones of {external}", hint="fewer for the internal"
        )
    return Structures(
        structure(bars, internal, internal, rule, hold_bars),
        structure(bars, external, external, rule, hold_bars),
    )


def structure(
    bars: Bars,
    left: int = EXTERNAL,
    right: int = EXTERNAL,
    rule: Rule = "close",
    hold_bars: int = HOLD_BARS,
    tolerance_bps: float = 0.0,
) -> Structure:
    """Return the structure of bars that are all closed; `tolerance_bps` is how near equal swings are."""
    running = RunningStructure(left, right, rule, hold_bars, tolerance_bps)
    running.take(bars)
    return running.found


class RunningStructure:
    """The structure of the bars taken so far: in however many calls, what one with all of them gives.

    >>> import numpy as np
    >>> price = np.array([10.0, 14.0, 12.0, 16.0])
    >>> bars = Bars(np.arange(4), 1, price, price, price)
    >>> running = RunningStructure(1, 1)
    >>> running.take(bars.closed_by(3))
    []
    >>> [(one.kind, one.level) for one in running.take(bars.rows(slice(3, None)))]
    [('BOS', 14.0)]
    """

    def __init__(
        self,
        left: int = EXTERNAL,
        right: int = EXTERNAL,
        rule: Rule = "close",
        hold_bars: int = HOLD_BARS,
        tolerance_bps: float = 0.0,
    ) -> None:
        if hold_bars < 0 or tolerance_bps < 0:
            raise InvalidArgument(
                f"a hold of {hold_bars} bars, a tolerance of {tolerance_bps} bps", hint="0 or more of both"
            )
        self._left, self._right = left, right
        self._walk = Walk(rule, hold_bars, tolerance_bps / 1e4)
        self._last: Bars | None = None  # bars that pivots may yet be among, or beside
        self._count = 0

    @property
    def found(self) -> Structure:
        return Structure(tuple(self._walk.swings), tuple(self._walk.breaks), self._walk.direction)

    def take(self, bars: Bars) -> list[Break]:
        """Go on with closed bars that come after all before, numbered on; return the breaks then known."""
        before = len(self._walk.breaks)
        around = bars if self._last is None else self._last.plus(bars)
        old = len(around.time) - len(bars.time)
        first = self._count - old
        highs, lows = (
            set(pivots(one, self._left, self._right).tolist()) for one in (around.high, -around.low)
        )
        every = _closed(around, first)
        for row in range(old, len(every)):
            self._walk.see(every[row])
            turn = row - self._right
            if turn in highs or turn in lows:
                self._walk.know(every[turn], every[row], high=turn in highs, low=turn in lows)
        self._count += len(bars.time)
        self._last = around.rows(slice(max(0, len(every) - self._left - self._right), None))
        return self._walk.breaks[before:]


def _closed(bars: Bars, first: int) -> list[Closed]:
    columns = (bars.time, bars.time + bars.length, bars.high, bars.low, bars.close)
    prices = zip(*(column.tolist() for column in columns), strict=True)
    return [Closed(number, *one) for number, one in enumerate(prices, first)]

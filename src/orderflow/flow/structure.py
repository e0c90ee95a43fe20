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

from orderflow.flow.swings import Bars, pivots
from orderflow.market.errors import InvalidArgument
from orderflow.market.events import Nanos

INTERNAL, EXTERNAL = 3, 10  # bars to either side; LuxAlgo's are 5 and 50
HOLD_BARS = 3

Kind = Literal["high", "low"]
Label = Literal["HH", "LH", "EH", "HL", "LL", "EL"]
Direction = Literal["up", "down"]
Rule = Literal["close", "wick"]


class StructureSwing(NamedTuple):
    """A swing: bars by number, `known_time` the close of bar `known`. The first of a kind has no label."""

    kind: Kind
    bar: int
    time: Nanos
    level: float
    label: Label | None
    known: int
    known_time: Nanos
    minor: bool = False
    replaced: int | None = None  # the bar at whose close a more extreme one was known


class Break(NamedTuple):
    """A bar beyond a swing's level; `known` is the bar at whose close it was: its own, or where it failed.

    A failed break is listed as a second event, of the same bar and level.
    """

    kind: Literal["BOS", "CHoCH", "failed"]
    direction: Direction
    bar: int
    time: Nanos
    level: float
    swing: int  # the bar of the swing
    swing_time: Nanos
    known: int
    known_time: Nanos


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
    if hold_bars < 0 or tolerance_bps < 0:
        raise InvalidArgument(
            f"a hold of {hold_bars} bars, a tolerance of {tolerance_bps} bps", hint="0 or more of both"
        )
    walk = _Walk(bars, rule, hold_bars, tolerance_bps / 1e4)
    highs, lows = (set(pivots(one, left, right).tolist()) for one in (bars.high, -bars.low))
    for bar in range(len(bars.time)):
        walk.see(bar)
        walk.know(bar - right, bar, high=bar - right in highs, low=bar - right in lows)
    return Structure(tuple(walk.swings), tuple(walk.breaks), walk.direction)


class _Side:
    """The last swing of a kind, and whether a bar may still break it."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self.sign = 1.0 if kind == "high" else -1.0  # of a price, so that beyond is above
        self.swing: StructureSwing | None = None
        self.place = -1  # of the swing in the list
        self.before: float | None = None  # the level of the one before it in the alternation
        self.whole = False


class _Held(NamedTuple):
    """A break that may yet fail."""

    side: _Side
    event: Break
    before: Direction | None  # the direction that was


class _Walk:
    """What is known at the close of each bar, bar by bar."""

    def __init__(self, bars: Bars, rule: Rule, hold_bars: int, tolerance: float) -> None:
        self._start: list[int] = bars.time.tolist()
        self._length = bars.length
        self._high: list[float] = bars.high.tolist()
        self._low: list[float] = bars.low.tolist()
        self._close: list[float] = bars.close.tolist()
        self._rule: Rule = rule
        self._hold_bars = hold_bars
        self._tolerance = tolerance
        self._sides = {"high": _Side("high"), "low": _Side("low")}
        self._last: Kind | None = None  # the kind of the last swing in the alternation
        self._held: list[_Held] = []
        self.direction: Direction | None = None
        self.swings: list[StructureSwing] = []
        self.breaks: list[Break] = []

    def see(self, bar: int) -> None:
        """Judge a bar against the swings that were known before its close."""
        self._fail(bar)
        rose = 2 * self._close[bar] >= self._high[bar] + self._low[bar]
        for kind in ("low", "high") if rose else ("high", "low"):
            self._break(bar, self._sides[kind])
        if self._rule == "wick":
            self._fail(bar)
        self._held = [one for one in self._held if bar - one.event.bar < self._hold_bars]

    def know(self, bar: int, known: int, *, high: bool, low: bool) -> None:
        """Take up the swings of a bar, now that they are known."""
        for kind in ("high", "low") if self._last == "low" else ("low", "high"):
            if high if kind == "high" else low:
                self._swing(bar, known, self._sides[kind])

    def _break(self, bar: int, side: _Side) -> None:
        swing = side.swing
        wick = self._high[bar] if side.kind == "high" else self._low[bar]
        reach = self._close[bar] if self._rule == "close" else wick
        if swing is None or not side.whole or not side.sign * reach > side.sign * swing.level:
            return
        direction: Direction = "up" if side.kind == "high" else "down"
        event = Break(
            kind="BOS" if self.direction in (None, direction) else "CHoCH",
            direction=direction,
            bar=bar,
            time=self._start[bar],
            level=swing.level,
            swing=swing.bar,
            swing_time=swing.time,
            known=bar,
            known_time=self._start[bar] + self._length,
        )
        self.breaks.append(event)
        self._held.append(_Held(side, event, self.direction))
        self.direction, side.whole = direction, False

    def _fail(self, bar: int) -> None:
        """Undo the breaks whose level this bar has closed back inside of, the last one first."""
        for place in reversed(range(len(self._held))):
            side, event, direction = self._held[place]
            if not side.sign * self._close[bar] <= side.sign * event.level:
                continue
            known_time = self._start[bar] + self._length
            self.breaks.append(event._replace(kind="failed", known=bar, known_time=known_time))
            if side.swing is not None and side.swing.bar == event.swing:
                side.whole = True
            del self._held[place]
            if place < len(self._held):  # one that came after it stands
                self._held[place] = self._held[place]._replace(before=direction)
            else:
                self.direction = direction

    def _swing(self, bar: int, known: int, side: _Side) -> None:
        level = self._high[bar] if side.kind == "high" else self._low[bar]
        same = side.swing if self._last == side.kind else None  # no swing of the other kind came between
        minor = same is not None and not side.sign * level > side.sign * same.level
        if same is None and side.swing is not None:
            side.before = side.swing.level
        label = None if minor else self._label(side.kind, level, side.before)
        known_time = self._start[known] + self._length
        found = StructureSwing(side.kind, bar, self._start[bar], level, label, known, known_time, minor)
        self.swings.append(found)
        if minor:
            return
        if same is not None:
            self.swings[side.place] = self.swings[side.place]._replace(replaced=known)
        side.swing, side.place, side.whole = found, len(self.swings) - 1, True
        self._last = side.kind

    def _label(self, kind: Kind, level: float, before: float | None) -> Label | None:
        if before is None:
            return None
        if abs(level - before) <= self._tolerance * before:
            return "EH" if kind == "high" else "EL"
        if kind == "high":
            return "HH" if level > before else "LH"
        return "HL" if level > before else "LL"

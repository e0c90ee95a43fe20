"""Breaks: the walk over closed bars behind `structure`, which says what each swing and each break is.

The alternation of swings, their labels, and the closes beyond them, bar by bar: what is known at the close of
each. The terms are told in `structure`.
"""

from typing import Literal, NamedTuple

from orderflow.market.events import Nanos

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


class Closed(NamedTuple):
    """A closed bar by its number: when it began and closed, and its prices, NaN where they are unknown."""

    number: int
    begin: Nanos
    end: Nanos
    high: float
    low: float
    close: float


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


class Walk:
    """What is known at the close of each bar: `see` it first, then say which swings it made `known`."""

    def __init__(self, rule: Rule, hold_bars: int, tolerance: float) -> None:
        self._rule: Rule = rule
        self._hold_bars = hold_bars
        self._tolerance = tolerance
        self._sides = {"high": _Side("high"), "low": _Side("low")}
        self._last: Kind | None = None  # the kind of the last swing in the alternation
        self._held: list[_Held] = []
        self.direction: Direction | None = None
        self.swings: list[StructureSwing] = []
        self.breaks: list[Break] = []

    def see(self, bar: Closed) -> None:
        """Judge a bar against the swings that were known before its close."""
        self._fail(bar)
        rose = 2 * bar.close >= bar.high + bar.low
        for kind in ("low", "high") if rose else ("high", "low"):
            self._break(bar, self._sides[kind])
        if self._rule == "wick":
            self._fail(bar)
        self._held = [one for one in self._held if bar.number - one.event.bar < self._hold_bars]

    def know(self, bar: Closed, known: Closed, *, high: bool, low: bool) -> None:
        """Take up the swings of a bar, now that they are known: at the close of another."""
        for kind in ("high", "low") if self._last == "low" else ("low", "high"):
            if high if kind == "high" else low:
                self._swing(bar, known, self._sides[kind])

    def _break(self, bar: Closed, side: _Side) -> None:
        swing = side.swing
        wick = bar.high if side.kind == "high" else bar.low
        reach = bar.close if self._rule == "close" else wick
        if swing is None or not side.whole or not side.sign * reach > side.sign * swing.level:
            return
        direction: Direction = "up" if side.kind == "high" else "down"
        event = Break(
            kind="BOS" if self.direction in (None, direction) else "CHoCH",
            direction=direction,
            bar=bar.number,
            time=bar.begin,
            level=swing.level,
            swing=swing.bar,
            swing_time=swing.time,
            known=bar.number,
            known_time=bar.end,
        )
        self.breaks.append(event)
        self._held.append(_Held(side, event, self.direction))
        self.direction, side.whole = direction, False

    def _fail(self, bar: Closed) -> None:
        """Undo the breaks whose level this bar has closed back inside of, the last one first."""
        for place in reversed(range(len(self._held))):
            side, event, direction = self._held[place]
            if not side.sign * bar.close <= side.sign * event.level:
                continue
            self.breaks.append(event._replace(kind="failed", known=bar.number, known_time=bar.end))
            if side.swing is not None and side.swing.bar == event.swing:
                side.whole = True
            del self._held[place]
            if place < len(self._held):  # one that came after it stands
                self._held[place] = self._held[place]._replace(before=direction)
            else:
                self.direction = direction

    def _swing(self, bar: Closed, known: Closed, side: _Side) -> None:
        level = bar.high if side.kind == "high" else bar.low
        same = side.swing if self._last == side.kind else None  # no swing of the other kind came between
        minor = same is not None and not side.sign * level > side.sign * same.level
        if same is None and side.swing is not None:
            side.before = side.swing.level
        label = None if minor else self._label(side.kind, level, side.before)
        found = StructureSwing(side.kind, bar.number, bar.begin, level, label, known.number, known.end, minor)
        self.swings.append(found)
        if minor:
            return
        if same is not None:
            self.swings[side.place] = self.swings[side.place]._replace(replaced=known.number)
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

"""Quality: how much of a window is known, minute by minute: the block that every order-flow answer carries.

A minute is complete where all the venues asked were received throughout, missing where one of them was not
received at all, and partial in between. One without a trade is complete if it was received: silence is no gap.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from orderflow.market.events import MINUTE, MS, Nanos
from orderflow.store.answers import Coverage, Stretch
from orderflow.store.backfills import merged
from orderflow.store.windows import Window
from orderflow.tools.past import overall

Grade: TypeAlias = Literal["complete", "good", "partial", "poor", "unknown"]

# Least coverage of a grade, in percent; under the last it is poor. 80 % is where earlier systems held back
# their numbers: ours are told, with their grade.
GRADES: tuple[tuple[float, Grade], ...] = ((99.9, "complete"), (95.0, "good"), (80.0, "partial"))
MOST_RANGES = 10  # of what is missing, in one block; the longest are told


class Minutes(NamedTuple):
    """How many minutes a window reaches into, and what is known of them."""

    expected: int
    partial: int
    missing: int

    @property
    def complete(self) -> int:
        return self.expected - self.partial - self.missing


def quality(found: Window, algorithm: str, venues: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the block: coverage, grade, minutes, and what is missing; of some of a window's venues, or all.

    `algorithm` names the rules by which the numbers were made, with their version: `value area 1`. Times are
    epoch milliseconds.
    """
    among = list(venues) if venues is not None else heard(found)
    coverage = {one: found.coverage[one] for one in among}
    missing = merged([stretch for one in among for stretch in unknown(found, one)])
    whole = minutes(found.since, found.until, missing)
    share = overall(coverage)[0]
    longest = sorted(sorted(missing, key=lambda one: one[0] - one[1])[:MOST_RANGES])
    rows = [one for one in coverage.values() if one.first is not None and one.last is not None]
    return {
        "grade": grade(share),
        "coverage_pct": share,
        "minutes": {
            "expected": whole.expected,
            "complete": whole.complete,
            "partial": whole.partial,
            "missing": whole.missing,
        },
        "missing_ranges": [{"since": begin // MS, "until": end // MS} for begin, end in longest],
        "missing_ranges_left_out": len(missing) - len(longest),
        "first": min((one.first // MS for one in rows if one.first is not None), default=None),
        "last": max((one.last // MS for one in rows if one.last is not None), default=None),
        "source": found.kind,
        "algorithm": algorithm,
    }


def grade(share: float | None) -> Grade:
    """Grade a coverage in percent.

    >>> grade(100.0), grade(96.0), grade(80.0), grade(12.0), grade(None)
    ('complete', 'good', 'partial', 'poor', 'unknown')
    """
    if share is None:
        return "unknown"
    known: list[Grade] = [name for least, name in GRADES if share >= least]
    return known[0] if known else "poor"


def minutes(since: Nanos, until: Nanos, missing: Sequence[Stretch]) -> Minutes:
    """Count the minutes of [since, until), and those that stretches in order and apart leave unknown.

    >>> minutes(0, 10 * MINUTE, [(MINUTE // 2, 3 * MINUTE), (9 * MINUTE, 10 * MINUTE)])
    Minutes(expected=10, partial=1, missing=3)
    """
    first, last = since // MINUTE, -(-until // MINUTE)
    touched: set[int] = set()
    whole: set[int] = set()
    for begin, end in missing:
        touched.update(range(begin // MINUTE, -(-end // MINUTE)))
        # what of a minute lies outside of the window is nobody's loss
        begins = first if begin <= since else -(-begin // MINUTE)
        ends = last if end >= until else end // MINUTE
        whole.update(range(begins, ends))
    return Minutes(last - first, len(touched - whole), len(whole))


def heard(found: Window) -> list[str]:
    """Return the venues that have rows in a window."""
    return [venue for venue, one in found.coverage.items() if one.first is not None]


def unknown(found: Window, venue: str, *, quiet: bool = False) -> list[Stretch]:
    """Return when a venue was not received: its gaps, and the ends of the window that nobody collected.

    Those are told by their silence, which says nothing where rows are rare: a `quiet` window has its gaps alone.
    """
    one = found.coverage[venue]
    if one.percent is None:
        return [(found.since, found.until)]
    gaps = [(gap.from_ts, found.until if gap.until_ts is None else gap.until_ts) for gap in one.gaps]
    inside = merged([(max(begin, found.since), min(end, found.until)) for begin, end in gaps])
    return (
        inside if quiet else merged([*inside, *_ends(found, one, sum(end - begin for begin, end in inside))])
    )


def _ends(found: Window, one: Coverage, lost: Nanos) -> Iterator[Stretch]:
    """Yield so much of the silent ends of a window as its coverage lacks, the longer end first."""
    missing = round((found.until - found.since) * (1 - (one.percent or 0.0) / 100)) - lost
    if one.first is None or one.last is None:
        return
    head, tail = min(one.first - found.since, missing), min(found.until - one.last, missing)
    if head >= tail:
        tail = min(tail, missing - head)
    else:
        head = min(head, missing - tail)
    yield from (
        (begin, end)
        for begin, end in ((found.since, found.since + head), (found.until - tail, found.until))
        if end - begin >= MS
    )

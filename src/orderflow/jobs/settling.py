"""Settling: which gaps a backfill has closed, and which stretches it was asked for and could not bring."""

from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from orderflow.market.events import Nanos
from orderflow.store import backfills
from orderflow.store.backfills import Hole, Ledger, Piece, Span, less
from orderflow.store.runs import Run
from orderflow.store.tables import Connection
from orderflow.venues.spec import Venue

Missing = tuple[Nanos, Nanos, str]


class Report(msgspec.Struct):
    """What was brought in, what was not and why; `written` rows were not there before."""

    pieces: list[Piece] = []
    filled: list[Hole] = []
    left: list[Hole] = []
    written: int = 0
    open: int = 0  # gaps that last: they can be filled once something has come again
    unfillable: dict[str, str] = {}  # "venue stream" → why

    @property
    def failed(self) -> list[Piece]:
        return [one for one in self.pieces if one.state != "done"]


class Settling:
    """Judges gaps by what the ledger and the tables hold; nothing here asks a venue."""

    def __init__(
        self,
        connection: Connection,
        ledger: Ledger,
        venues: dict[str, Venue],
        report: Report,
        run_of: Callable[[Piece], Run],
    ) -> None:
        self._connection, self._ledger, self._venues = connection, ledger, venues
        self._report, self._run_of = report, run_of

    def settle(
        self,
        chosen: Collection[tuple[str, str]],
        streams: Collection[str] | None,
        since: Nanos | None,
        now: Nanos,
    ) -> None:
        """Mark the gaps that are filled, as far as they are; forget the pieces that others have overtaken."""
        pieces = self._ledger.pieces()
        for hole in backfills.holes(self._connection, since):
            if hole.series[:2] not in chosen or (streams is not None and hole.stream not in streams):
                continue
            mine = [one for one in pieces if one.series == hole.series]
            span = (hole.from_ts, hole.until_ts)
            if hole.removed and not any(one.state == "done" and _meet(one.span, span) for one in mine):
                continue
            left = self._left(hole, mine)
            backfills.divide(self._connection, hole, left, now)
            (self._report.left if left else self._report.filled).append(hole)
        lasting = backfills.lasting(self._connection)
        self._report.open = sum(
            series[:2] in chosen and (streams is None or series[2] in streams) for series in lasting
        )
        done: dict[tuple[str, str, str], list[Span]] = {}
        for one in pieces:
            if one.state == "done":
                done.setdefault(one.series, []).append(one.span)
        for one in pieces:
            if one.state != "done" and not less(one.span, done.get(one.series, ())):
                self._ledger.drop(one)

    def note_missing(self) -> None:
        """Make gaps of what was asked for and did not come, where none says so already."""
        known: dict[tuple[str, str, str], list[Span]] = {}
        for one in backfills.holes(self._connection):
            known.setdefault(one.series, []).append((one.from_ts, one.until_ts))
        for piece in self._report.pieces:
            besides = known.setdefault(piece.series, [])
            if piece.state == "done":
                missing = self._skipped(piece.series, piece.span, besides)
            else:
                missing = [(*part, piece.said) for part in less(piece.span, besides)]
            for first, last, why in missing:
                reason = f"not collected{backfills.NOT_FILLED}{why}"
                hole = Hole(*piece.series, first, last, reason, self._run_of(piece).id)
                backfills.note_hole(self._connection, hole)
                self._report.left.append(hole)
                besides.append((first, last))

    def _left(self, hole: Hole, mine: Sequence[Piece]) -> list[Missing]:
        """Return what of a gap is still missing, each stretch with why."""
        span = (hole.from_ts, hole.until_ts)
        filled = [one.span for one in mine if one.state == "done" and one.fills]
        left = [(*part, self._why(hole, part, mine)) for part in less(span, filled)]
        if [one[:2] for one in left] != [span]:
            left += self._skipped(hole.series, span, [one[:2] for one in left])
        return sorted(left)

    def _skipped(self, series: tuple[str, str, str], span: Span, besides: Sequence[Span]) -> list[Missing]:
        """Return where ids show that a source left trades out.

        Ids that lie about a stretch that is known to be missing are those of that stretch.
        """
        name, symbol, stream = series
        venue = self._venues[name]
        if stream != "trades" or not (venue.consecutive_trades and venue.trade_ids_count):
            return []
        found = backfills.missing_trades(self._connection, name, symbol, *span)
        return [
            (max(first, span[0]), min(last, span[1]), f"{which} in what {name} keeps")
            for first, last, which in found
            if not any(_meet((first, last), one) for one in besides)
        ]

    def _why(self, hole: Hole, part: Span, mine: Iterable[Piece]) -> str:
        if why := self._report.unfillable.get(f"{hole.venue} {hole.stream}"):
            return why
        told = (*self._report.pieces, *mine)
        over = [one for one in told if one.series == hole.series and one.said and _meet(one.span, part)]
        return over[0].said if over else ""


def _meet(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]

"""Windows: the rows that a question has found, with what is known of them; and those of any stream."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from orderflow.market.errors import InvalidArgument, NoData
from orderflow.market.events import US, Nanos
from orderflow.market.streams import STREAMS
from orderflow.store import columnar, frames
from orderflow.store.answers import Coverage, GapRow, Table, Values, at
from orderflow.store.bar import Bar
from orderflow.store.coverage import coverages, gaps
from orderflow.store.identifiers import identifier
from orderflow.store.session import Session, venue_ids
from orderflow.store.tables import columns

if TYPE_CHECKING:
    import pandas
    import polars


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Window:
    """Rows, oldest first, and what is known of them.

    `units` are the columns' (none: a text or a count), `coverage` says for each venue what share of
    [since, until) was collected, `kind` is live, simulated, replay or backfill. `truncated`: there are
    more rows than the limit, and these are the last ones. `notes` say how the rows were made, where
    there is a choice.
    """

    what: str
    symbol: str
    since: Nanos
    until: Nanos
    found: pa.Table
    units: dict[str, str]
    coverage: dict[str, Coverage]
    kind: str | None
    truncated: bool = False
    notes: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def venues(self) -> list[str]:
        """The venues that were asked; those without rows are among them."""
        return list(self.coverage)

    @property
    def simulated(self) -> bool:
        return self.kind == "simulated"

    @property
    def gaps(self) -> list[GapRow]:
        """What was not received in this window and has not been filled since, oldest first."""
        every = [gap for one in self.coverage.values() for gap in one.gaps]
        return sorted(every, key=lambda gap: (gap.from_ts, gap.venue))

    def among(self, venues: Sequence[str]) -> "Window":
        """Return the same question as if it had been asked of some of these venues."""
        kept = [one in venues for one in self.found.column("venue").to_pylist()]
        told = {venue: one for venue, one in self.coverage.items() if venue in venues}
        return replace(self, found=self.found.filter(pa.array(kept, pa.bool_())), coverage=told)

    def arrow(self) -> pa.Table:
        """Return the rows as Arrow, times in UTC, without a copy."""
        return frames.in_utc(self.found)

    def polars(self) -> "polars.DataFrame":
        """Return the rows as polars' frame; raise `ExtraMissing` where polars is not installed."""
        return frames.as_polars(self.arrow())

    def pandas(self) -> "pandas.DataFrame":
        """Return the rows as pandas' frame; raise `ExtraMissing` where pandas is not installed."""
        return frames.as_pandas(self.arrow())

    @cached_property
    def table(self) -> Table:
        """The rows as numpy columns and lists, times in nanoseconds."""
        return Table(columnar.columns(self.found), self.truncated)

    def __getitem__(self, column: str) -> Values:
        return self.table[column]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as plain values, times in nanoseconds UTC; unknown is None."""
        return self.table.rows()

    def __len__(self) -> int:
        return self.found.num_rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as plain values, times as datetimes in UTC."""
        for batch in self.arrow().to_batches(max_chunksize=10_000):
            yield from batch.to_pylist()

    def __repr__(self) -> str:
        told = "; ".join(f"{venue} {covered(one)}" for venue, one in self.coverage.items())
        more = ", the last of more" if self.truncated else ""
        return (
            f"<{self.kind or 'no'} data: {len(self):,} {self.what} of {self.symbol}{more},"
            f" {at(self.since)} to {at(self.until)}; covered: {told or 'unknown'}; {len(self.gaps)} gaps>"
        )


def covered(one: Coverage) -> str:
    """Say how much of a window was collected: `99.5 %`, or `unknown`."""
    return "unknown" if one.percent is None else f"{one.percent:.4g} %"


def window(
    session: Session,
    stream: str,
    symbol: str,
    venues: str | Sequence[str] | None = None,
    *,
    since: Nanos | None = None,
    until: Nanos | None = None,
    limit: int | None = None,
    interval: str | None = None,
    every: Bar | None = None,
    conditions: Sequence[tuple[str, Any]] = (),
) -> Window:
    """Return a stream's rows of a symbol, oldest first; the last ones where there are more than `limit`.

    `interval` picks among candles; `every` leaves of each bar its last row, a venue. `conditions` are
    further ones, each with its value. Raises `NoData` with the range that exists.
    """
    session.source(stream)
    if interval is not None and stream != "candles":
        raise InvalidArgument(f"{stream} have no interval", hint="only candles do")
    symbol = session.symbol(symbol)
    asked = [*([("interval = ?", interval)] if interval is not None else []), *conditions]
    found, truncated = select(session, stream, symbol, venues, since, until, limit, every, asked)
    if not found.num_rows:
        raise nothing(session, stream, symbol, venues, since, until, asked)
    units = {one.name: one.unit for one in columns(STREAMS[stream]) if one.unit}
    return described(
        session, found, stream, stream, symbol, venues, since, until, units=units, truncated=truncated
    )


def select(
    session: Session,
    stream: str,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos | None,
    until: Nanos | None,
    limit: int | None = None,
    every: Bar | None = None,
    conditions: Sequence[tuple[str, Any]] = (),
) -> tuple[pa.Table, bool]:
    """Return a window's rows, oldest first, and whether there are more of them than the limit."""
    where, bound = session.where(symbol, venues, since, until)
    where = " AND ".join([where, *(sql for sql, _ in conditions)])
    last = "" if every is None else _last_of(every, stream)
    # one row more than asked tells that there are more; the last ones are found first, then turned
    cut = "" if limit is None else f"LIMIT {int(limit) + 1}"
    order = "ASC" if limit is None else "DESC"
    names = ", ".join(identifier(one.name) for one in columns(STREAMS[stream]))
    found = session.arrow(
        f"SELECT {names} FROM {session.source(stream, symbol, venues, since)} {where} {last}"
        f" ORDER BY timestamp {order}, venue {order}, id {order} {cut}",
        [*bound, *(value for _, value in conditions)],
    )
    if limit is None:
        return found, False
    turned = found.take(pa.array(range(min(limit, found.num_rows) - 1, -1, -1), pa.int64()))
    return turned, found.num_rows > limit


_TOLD_APART = {"candles": ", interval", "options": ", instrument"}  # series within a venue's symbol


def _last_of(bar: Bar, stream: str) -> str:
    """Return the SQL that leaves, of each series, the last row in each bar."""
    series = f"venue{_TOLD_APART.get(stream, '')}, {bar.of('timestamp')}"
    return f"QUALIFY row_number() OVER (PARTITION BY {series} ORDER BY timestamp DESC, id DESC) = 1"


def together(windows: Sequence[Window]) -> Window:
    """Return windows of one stream, of several symbols, as one; its coverage of a venue is the mean of theirs."""
    if len(windows) == 1:
        return windows[0]
    rows = pa.concat_tables([one.found for one in windows]).sort_by("timestamp")
    coverage: dict[str, Coverage] = {}
    for venue in dict.fromkeys(name for one in windows for name in one.coverage):
        coverage[venue] = _mean([one.coverage[venue] for one in windows if venue in one.coverage])
    cut = any(one.truncated for one in windows)
    return replace(windows[0], symbol="", found=rows, coverage=coverage, truncated=cut)


def _mean(parts: Sequence[Coverage]) -> Coverage:
    known = [one.percent for one in parts if one.percent is not None]
    return Coverage(
        percent=sum(known) / len(parts) if known else None,
        gaps=[gap for one in parts for gap in one.gaps],
        first=min((one.first for one in parts if one.first is not None), default=None),
        last=max((one.last for one in parts if one.last is not None), default=None),
        reason=next((one.reason for one in parts if one.reason), ""),
    )


def described(
    session: Session,
    found: pa.Table,
    what: str,
    stream: str,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos | None,
    until: Nanos | None,
    *,
    time: str = "timestamp",
    units: dict[str, str],
    truncated: bool = False,
    notes: dict[str, Any] | None = None,
) -> Window:
    """Return what was found with the coverage of the stream that it was made of.

    A window without an end reaches from the first to the last row found, by the column `time`.
    """
    if since is None or until is None:
        first, last = (int(found.column(time)[place].value) * US for place in (0, -1))
        since = first if since is None else since
        until = last + US if until is None else until
    asked = venue_ids(venues) or present(session, found, stream, symbol, since, until)
    return Window(
        what=what,
        symbol=symbol,
        since=since,
        until=until,
        found=found,
        units=units,
        coverage=coverages(session, [stream], symbol, asked, since, until)[stream],
        kind=session.kind,
        truncated=truncated,
        notes=notes or {},
    )


def present(
    session: Session, found: pa.Table, stream: str, symbol: str, since: Nanos, until: Nanos
) -> list[str]:
    """Return the venues that rows were found of, and those that a gap in the window is known of."""
    heard = found.column("venue").unique().to_pylist() if "venue" in found.column_names else []
    silent = [one.venue for one in gaps(session, symbol, None, since, until, stream)]
    return sorted({*heard, *silent})


def nothing(
    session: Session,
    stream: str,
    symbol: str,
    venues: str | Sequence[str] | None,
    since: Nanos | None,
    until: Nanos | None,
    conditions: Sequence[tuple[str, Any]] = (),
) -> NoData:
    """Return the error that says that a window is empty, and which rows there are."""
    where, bound = session.where(symbol, venues)
    extra = " AND ".join([where, *(sql for sql, _ in conditions)])
    ((first, last),) = session.rows(
        "SELECT epoch_us(min(timestamp)) * 1000, epoch_us(max(timestamp)) * 1000"
        f" FROM {session.source(stream, symbol, venues)} {extra}",
        [*bound, *(value for _, value in conditions)],
    )
    where_from = f" on {', '.join(venue_ids(venues))}" if venues else ""
    asked = f" from {'the beginning' if since is None else at(since)} to {'the end' if until is None else at(until)}"
    hint = "none at all are stored" if first is None else f"stored are rows from {at(first)} to {at(last)}"
    picked = ", ".join(sql.replace("?", str(value)) for sql, value in conditions)
    what = f"{stream} ({picked})" if picked else stream
    return NoData(f"no {what} of {session.symbol(symbol)}{where_from}{asked}", hint=hint)

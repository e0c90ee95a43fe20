"""Answers: the types in which the store replies, and how names and windows are told to a user."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from orderflow.market.errors import UnknownSymbol
from orderflow.market.events import SECOND, Nanos

Numbers: TypeAlias = NDArray[np.float64]
Times: TypeAlias = NDArray[np.int64]  # nanoseconds UTC
Flags: TypeAlias = NDArray[np.bool_]
Stretch: TypeAlias = tuple[Nanos, Nanos]
Values: TypeAlias = NDArray[Any] | list[Any]


class Trades(NamedTuple):
    """Trades, oldest first: times in ns UTC, price in quote, size in base; `is_buy` is the taker's side."""

    venue: list[str]
    ts_event: Times
    ts_recv: Times
    id: list[str]
    price: Numbers
    size: Numbers
    is_buy: Flags
    truncated: bool = False  # the window holds more: these are its last ones

    def __len__(self) -> int:  # rows, not fields
        return len(self.price)


class Table(msgspec.Struct, frozen=True):
    """A window of a stream, oldest row first, under the names of TABLES.

    DOUBLE columns are float64 with NaN for unknown; times int64 ns UTC and integers int64, or lists with
    None where one is unknown; text and booleans are lists with None. `truncated`: the window holds more
    rows than the limit, and these are its last ones.
    """

    columns: dict[str, Values]
    truncated: bool = False

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, column: str) -> Values:
        return self.columns[column]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as dictionaries of plain Python values; NaN becomes None."""
        plain = {name: _plain(values) for name, values in self.columns.items()}
        for row in zip(*plain.values(), strict=True):
            yield dict(zip(plain, row, strict=True))


class SeriesRows(msgspec.Struct, frozen=True):
    """A series that has rows: how many, and the times of the first and last, in ns UTC."""

    name: str
    venue: str
    symbol: str
    stream: str
    rows: int
    first: Nanos
    last: Nanos


class GapRow(msgspec.Struct, frozen=True):
    """A stretch that was not received; `until_ts` is None while it lasts, `filled_ts` None unless filled."""

    venue: str
    symbol: str
    stream: str
    from_ts: Nanos
    until_ts: Nanos | None
    reason: str
    filled_ts: Nanos | None
    run: int


class Listing(msgspec.Struct, frozen=True):
    """What a venue listed under a symbol when it was read at `read_ts`."""

    venue: str
    symbol: str
    native: str
    kind: str
    base: str
    quote: str
    status: str
    trading: bool
    contract_size: float | None
    tick: float | None
    lot: float | None
    min_notional: float | None
    listed_ts: Nanos | None
    read_ts: Nanos | None


class Coverage(msgspec.Struct, frozen=True):
    """How much of a window was collected: inside a run that heard this market, outside its gaps.

    `percent` is None where nothing was collected in it, and `reason` says so. `first` and `last` are the
    times of the series' rows inside the window.
    """

    percent: float | None
    gaps: list[GapRow]
    first: Nanos | None
    last: Nanos | None
    reason: str = ""


def covered(
    since: Nanos,
    until: Nanos,
    collected: Sequence[tuple[Nanos, Nanos]],
    missing: Sequence[tuple[Nanos, Nanos]],
) -> Nanos:
    """Return how much of [since, until) lies in the stretches collected and in none that is missing.

    >>> covered(0, 100, [(0, 40), (30, 60)], [(10, 20), (15, 25), (90, 99)])
    45
    """
    edges: list[tuple[Nanos, int, int]] = []
    for first, last in collected:
        edges += [(first, 1, 0), (last, -1, 0)]
    for first, last in missing:
        edges += [(first, 0, 1), (last, 0, -1)]
    edges += [(until, 0, 0)]
    total, at, inside, absent = 0, since, 0, 0
    for when, enters, lacks in sorted(edges):
        here = min(max(when, since), until)
        if inside and not absent:
            total += here - at
        at, inside, absent = here, inside + enters, absent + lacks
    return total


def resolve(symbol: str, known: Sequence[str]) -> str:
    """Return the known symbol that is meant, whatever its case, or raise `UnknownSymbol` with the nearest.

    >>> resolve("btcusdt", ["BTCUSDT", "ETHUSDT"])
    'BTCUSDT'
    """
    folded = {one.casefold(): one for one in known}
    if symbol in known:
        return symbol
    if (found := folded.get(symbol.strip().casefold())) is not None:
        return found
    near = [folded[one] for one in get_close_matches(symbol.casefold(), folded, n=3, cutoff=0.5)]
    shown = ", ".join(near or known[:9]) or "none yet"
    raise UnknownSymbol(
        f"unknown symbol {symbol[:40]!r}", hint=f"{'did you mean' if near else 'symbols here'}: {shown}"
    )


def at(time: Nanos) -> str:
    """Write an instant for a reader.

    >>> at(1_700_000_000_000_000_000)
    '2023-11-14T22:13:20Z'
    """
    return datetime.fromtimestamp(time / SECOND, UTC).isoformat(timespec="auto").replace("+00:00", "Z")


def _plain(values: Values) -> list[Any]:
    if isinstance(values, list):
        return values
    if values.dtype.kind == "f":
        return [None if math.isnan(value) else value for value in values.tolist()]
    return values.tolist()

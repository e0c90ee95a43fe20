"""Versions: which of a venue's newest bars were written last, so that their next version finds them.

A bar that lasts is told many times a minute. To look it up in the table each time is a join, of which DuckDB
remembers the blocks long after it; what this process wrote itself it need not ask.
"""

from typing import NamedTuple

from orderflow.market.events import Nanos

MOST_BARS = 2  # of a series and an interval: the one that lasts, and the one before, which may close late


class Bar(NamedTuple):
    venue: str
    symbol: str
    interval: str | None
    open_time: Nanos


class Version(NamedTuple):
    """A row of a bar: its id, whether it is closed, and when the venue told it, in microseconds."""

    id: int
    closed: bool
    told_us: int


class Versions:
    """The newest bars of each series and interval, as they are in the table once a flush is committed."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str | None], dict[Nanos, Version]] = {}
        self._staged: dict[Bar, Version] = {}

    def of(self, bar: Bar) -> Version | None:
        """Return what was written of a bar, in this flush or before; None where it is not remembered."""
        if (staged := self._staged.get(bar)) is not None:
            return staged
        return self._known.get(bar[:3], {}).get(bar.open_time)

    def stage(self, bar: Bar, version: Version) -> None:
        self._staged[bar] = version

    def commit(self) -> None:
        for bar, version in self._staged.items():
            kept = self._known.setdefault(bar[:3], {})
            kept[bar.open_time] = version
            if len(kept) > MOST_BARS:
                del kept[min(kept)]
        self._staged.clear()

    def rollback(self) -> None:
        self._staged.clear()

    def forget(self) -> None:
        """Forget all, where it is not known what the table holds."""
        self._known.clear()
        self._staged.clear()

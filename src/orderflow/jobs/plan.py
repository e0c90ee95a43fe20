"""The plan of a collector: what to collect, where it goes and how much of it may wait; and how its flushes went."""

import socket
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orderflow.feed.backlog import MEMORY_BYTES
from orderflow.feed.sync import BOOK_INTERVAL_MS
from orderflow.jobs.tidy import Keeping
from orderflow.market.instruments import SYMBOLS
from orderflow.publish import Publishing
from orderflow.store.desk import Following
from orderflow.store.lake import Lake
from orderflow.store.messages import OUTBOX
from orderflow.store.runs import Kind
from orderflow.venues.spec import Hosts, Venue

if TYPE_CHECKING:
    from orderflow.store.shares import Lease  # psycopg is there where shares are
else:
    Lease = Any

STOP_WITHIN_S = 60.0  # what is not worked off by then stays in the journal, for the next start


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to collect, and where it goes. `hosts` replaces the addresses of venues (the simulator's).

    `forms` are further venues that may be started while it runs, `asked` those that tools may ask.
    """

    db: Path
    venues: dict[str, Venue]
    symbols: tuple[str, ...] = SYMBOLS
    streams: tuple[str, ...] | None = None
    kind: Kind = "live"
    hosts: dict[str, Hosts] = {}
    flush_interval_s: float = 1.0
    book_interval_ms: int = BOOK_INTERVAL_MS
    keep_journal: bool = False
    memory_limit: str = "256MB"
    large_trade_usd: dict[str, float] | None = None
    quack_port: int | None = None
    keys: dict[str, str] = {}  # by the name of the setting: PYTH_API_KEY
    forms: dict[str, Venue] = {}
    asked: dict[str, Venue] = {}
    backlog_memory: int = MEMORY_BYTES  # of frames that wait to be looked at; the rest is read back
    backlog_disk: int = 8 * 1024 * 1024 * 1024  # in the journal and not yet looked at: then sockets wait
    most_rows: int = 400_000  # that wait for a flush: at some 400 bytes each, 160 MB
    memory_warning: int | None = None  # bytes of the whole process from which health complains
    clock_bound_ms: float = 1000.0  # a venue's clock further from ours: health complains
    stop_within_s: float = STOP_WITHIN_S
    backfill_hours: float | None = None  # how old a gap may be that is filled; None fills none
    publish: Publishing | None = None
    lake: Lake | None = None  # then `db` only names what stays on this machine: journal, outbox, downloads
    lease: Lease | None = None  # the share of the lake that this process holds
    postgres: Following | None = None
    keeping: Keeping = Keeping()

    @property
    def known(self) -> dict[str, Venue]:
        """The venues that are collected, and those that could be."""
        return {**self.forms, **self.venues}

    @property
    def journal(self) -> Path:
        return Path(f"{self.db}.journal")

    @property
    def outbox(self) -> Path:
        return Path(f"{self.db}.outbox")

    @property
    def box(self) -> str:
        """The name of the outbox in the database: in a lake there are several."""
        return OUTBOX if self.lake is None else f"{OUTBOX} {socket.gethostname()}:{self.outbox.absolute()}"


class Flushes(msgspec.Struct):
    """How the flushes went: rows by table in all, the last ones' seconds, and the rate of rows."""

    rows: Counter[str] = msgspec.field(default_factory=Counter)
    seconds: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=600))
    rates: deque[tuple[float, int]] = msgspec.field(default_factory=lambda: deque(maxlen=60))
    since: float | None = None  # when the one began that is under way, by the monotonic clock
    trouble: str = ""  # why the last one failed, or the journal took nothing; "" where all is well

    def note(self, rows: dict[str, int], seconds: float) -> None:
        self.rows.update(rows)
        self.seconds.append(seconds)
        self.rates.append((time.monotonic(), sum(rows.values())))

    @property
    def rows_per_s(self) -> float | None:
        """Rows a second over the last minute of flushes; None before there are two."""
        if len(self.rates) < 2:
            return None
        span = self.rates[-1][0] - self.rates[0][0]
        return sum(rows for _, rows in list(self.rates)[1:]) / span if span else None


def lag_p99_ms(lags: Sequence[float]) -> float | None:
    """Return the 99th percentile of the event loop's lag, or None before it was measured."""
    if not lags:
        return None
    ranked = sorted(lags)
    return ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))]

"""Cryptofeed's message handler with its own storing callbacks: each update becomes the record that it stores.

Its backends turn every update into a dictionary of floats before they queue it for a database; of books
the changes of each diff, and the whole book every thousandth time, as they do unless told otherwise.
The updates are counted, the records dropped: no database takes part.
"""

from collections import Counter, defaultdict
from typing import Any

from cryptofeed.backends.backend import BackendBookCallback, BackendCallback

from bench.recordings import Recording
from bench.rival_cryptofeed import Heard, fed
from bench.scenarios import Run


class Records(BackendCallback):
    """Trades, tickers, funding, candles. A record is made, and dropped where a database would take it."""

    numeric_type = float
    none_to = None

    def __init__(self, seen: Counter[str], kind: str) -> None:
        self.seen = seen
        self.kind = kind

    async def __call__(self, update: Any, received: float) -> None:
        self.seen[self.kind] += 1
        await super().__call__(update, received)

    async def write(self, record: dict[str, Any]) -> None:
        """Drop the record."""


class Books(BackendBookCallback):
    """The changes of each diff, and now and then the whole book."""

    numeric_type = float
    none_to = None
    snapshots_only = False
    snapshot_interval = 1000

    def __init__(self, seen: Counter[str], kind: str) -> None:
        self.seen = seen
        self.kind = kind
        self.snapshot_count: defaultdict[str, int] = defaultdict(int)

    async def __call__(self, update: Any, received: float) -> None:
        self.seen[self.kind] += 1
        await super().__call__(update, received)

    async def write(self, record: dict[str, Any]) -> None:
        """Drop the record."""


def prepare(recording: Recording) -> Run:
    return fed(recording, _recording)


def _recording(seen: Counter[str], kind: str) -> Heard:
    return Books(seen, kind) if kind == "books" else Records(seen, kind)

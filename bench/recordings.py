"""Recordings: the frames that every scenario is fed, and what has to come out of them.

What has to come out is worked out here in the plainest way, from the venue's rules alone, so that no
contestant is measured on work that it did not do.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

import msgspec

CAPTURES = Path(__file__).parents[2] / "shared" / "captures"

# One symbol at full speed, one with marks, four small ones with candles, and spot.
CHOSEN = (
    "binance_futures/hftbacktest_20240808_BTCUSDT.jsonl.gz",
    "binance_futures/hftbacktest_20230404_BTCUSDT_markprice.jsonl.gz",
    "binance_futures/cryptofeed_20210722_depth_aggtrade_bbo_kline.jsonl.gz",
    "binance_spot/hftbacktest_20240808_BTCUSDT.jsonl.gz",
)

Best: TypeAlias = dict[str, tuple[float, float]]  # native symbol → best bid, best ask

KINDS = {
    "depthUpdate": "diffs",
    "trade": "trades",
    "aggTrade": "trades",
    "bookTicker": "quotes",
    "markPriceUpdate": "marks",
    "kline": "candles",
}


class Frame(msgspec.Struct, frozen=True):
    """One message as it came: `kind` is ws or http, `ts_recv` nanoseconds UTC."""

    venue: str
    ts_recv: int
    kind: Literal["ws", "http"]
    url: str
    raw: bytes


class Recording(msgspec.Struct, frozen=True):
    """A venue's frames in order of receipt."""

    name: str
    venue: str
    frames: list[Frame]

    @property
    def messages(self) -> list[bytes]:
        """The WebSocket messages alone."""
        return [frame.raw for frame in self.frames if frame.kind == "ws"]

    @property
    def snapshots(self) -> dict[str, bytes]:
        """Native symbol → the first REST body of its book."""
        found: dict[str, bytes] = {}
        for frame in self.frames:
            if frame.kind == "http" and "/depth?" in frame.url:
                found.setdefault(parse_qs(urlsplit(frame.url).query)["symbol"][0], frame.raw)
        return found


class Expected(msgspec.Struct, frozen=True):
    """`counts`: messages by kind, and `applied`: diffs that change a book. `best`: where the books end."""

    counts: dict[str, int]
    best: Best


def load(path: Path, limit: int | None = None) -> Recording:
    """Read a `.jsonl` or `.jsonl.gz` capture; of its messages the first `limit`."""
    frames = list(_frames(path, limit))
    name = path.name.removesuffix(".gz").removesuffix(".jsonl")
    return Recording(name=name, venue=path.parent.name, frames=frames)


def _frames(path: Path, limit: int | None) -> Iterator[Frame]:
    left = limit if limit is not None else -1
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            row = msgspec.json.decode(line)
            if row["dir"] != "in" or not row["raw"] or row.get("event"):
                continue
            if row["kind"] == "ws":
                if left == 0:
                    return
                left -= 1
            yield Frame(
                row["venue"], int((row["t"] or 0) * 1e9), row["kind"], row["url"], row["raw"].encode()
            )


def expected(recording: Recording) -> Expected:
    """Count the messages and follow the books as the venue's documents say, one level at a time."""
    counts: Counter[str] = Counter()
    books: dict[str, _PlainBook] = {
        symbol: _PlainBook(json.loads(body), recording.venue == "binance_futures")
        for symbol, body in recording.snapshots.items()
    }
    for message in recording.messages:
        data = json.loads(message)["data"]
        counts[KINDS[data.get("e", "bookTicker")]] += 1
        if data.get("e") == "depthUpdate" and data["s"] in books:
            counts["applied"] += books[data["s"]].apply(data)
    return Expected(dict(counts), {symbol: book.best for symbol, book in books.items()})


class _PlainBook:
    def __init__(self, snapshot: dict[str, Any], futures: bool) -> None:
        self.bids = {float(price): float(size) for price, size in snapshot["bids"]}
        self.asks = {float(price): float(size) for price, size in snapshot["asks"]}
        self.last: int = snapshot["lastUpdateId"]
        self.futures = futures

    def apply(self, diff: dict[str, Any]) -> bool:
        # Futures count `u` below the snapshot's id as old, spot also the one that equals it.
        if diff["u"] < self.last or (not self.futures and diff["u"] == self.last):
            return False
        self.last = diff["u"]
        for side, levels in ((self.bids, diff["b"]), (self.asks, diff["a"])):
            for price, size in levels:
                if float(size):
                    side[float(price)] = float(size)
                else:
                    side.pop(float(price), None)
        return True

    @property
    def best(self) -> tuple[float, float]:
        return max(self.bids), min(self.asks)

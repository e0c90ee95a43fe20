"""A soak: every simulated venue at once, faults all the time, the collector killed; then all of it is checked.

`python -m tests.system.soak --minutes 30` from the repository's root; the report is JSON. What was received
is what the kept journal holds, decoded anew and apart from the pipeline; what was sent is the simulator's
ledger. See `judged` for what is asked of the two.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from orderflow import venues
from orderflow.feed import segment
from orderflow.feed.frames import NOTE, Frame
from orderflow.market.errors import VenueChanged
from orderflow.market.events import BookUpdate, Candle, Event, Instrument
from orderflow.market.instruments import COLLECTED
from orderflow.market.streams import KEPT, STREAMS, Stream
from orderflow.venues.spec import Memory, answer
from tests.system.product import Collector, Product, Simulator, http_json, read

EVERY_VENUE = ",".join(COLLECTED)
FAULT_EVERY_S = 3.0
SETTLE_S = 8.0  # without faults at the end: sockets come back, books are right again
SAMPLE_S = 5.0
# A gap's edge and a trade's time are told by two clocks of one machine; frames wait in sockets between.
EDGE_MS = 1500


class Faulty:
    """Tells the simulator to do something wrong every few seconds, and remembers what."""

    def __init__(self, simulator: Simulator, seed: int) -> None:
        self._simulator, self._chance = simulator, random.Random(seed)
        self.told: list[tuple[int, dict[str, Any]]] = []  # (ms, fault)
        self._venues = sorted(simulator.said["hosts"])

    def one(self) -> None:
        chance = self._chance
        venue = chance.choice(self._venues)
        kind = chance.choice(
            ["disconnect", "drop", "repeat", "delay", "nonsense", "answer", "silence", "refuse", "shutdown"]
        )
        more: dict[str, Any] = {}
        match kind:
            case "drop" | "repeat":
                more = {"stream": "*", "count": chance.randint(1, 3)}
            case "nonsense":
                words = chance.choice(["not_json", "wrong_shape", "truncated"])
                more = {"stream": "*", "words": words, "count": 1}
            case "delay":
                more = {"stream": "*", "delay_ms": chance.randint(100, 800), "seconds": 2}
            case "answer":
                more = {"status": chance.choice([429, 500, 503]), "count": 2, "retry_after": 2}
            case "silence":
                more = {"stream": "*", "seconds": chance.randint(2, 6)}
            case "refuse":
                more = {"seconds": chance.randint(2, 6)}
                self._tell("disconnect", venue, {})
            case _:
                pass
        self._tell(kind, venue, more)

    def _tell(self, kind: str, venue: str, more: dict[str, Any]) -> None:
        said = self._simulator.fault(kind, venue, **more)
        if "error" in said:  # a venue that announces no shutdown
            said = self._simulator.fault("disconnect", venue)
        self.told.append((time.time_ns() // 1_000_000, said))

    def lost_at(self, venue: str) -> list[tuple[int, int]]:
        """Return when frames of a venue were lost on the way, without a trace that every protocol shows."""
        return [
            (ms - EDGE_MS, ms + 1000 * int(fault.get("seconds") or 10) + EDGE_MS)
            for ms, fault in self.told
            if fault["venue"] == venue and fault["kind"] in ("drop", "nonsense", "silence")
        ]


class Watch(threading.Thread):
    """Samples memory and CPU of the collector that runs now."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.pid: int | None = None
        self.memory_mb: list[list[float]] = [[]]
        self.cpu_s = 0.0
        self._before = 0.0
        self._over = threading.Event()

    def begin(self, pid: int) -> None:
        self.end()
        self.pid, self._before = pid, 0.0

    def end(self) -> None:
        self._sample()
        self.cpu_s += self._before
        self._before = 0.0
        if self.pid is not None:
            self.memory_mb.append([])
        self.pid = None

    def run(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self._sample()

    def stop(self) -> None:
        self._over.set()

    def _sample(self) -> None:
        if self.pid is None:
            return
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
            fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return
        self._before = (int(fields[11]) + int(fields[12])) / 100
        for line in status.splitlines():
            if line.startswith("VmRSS:"):
                self.memory_mb[-1].append(int(line.split()[1]) / 1024)


def soak(folder: Path, *, minutes: float, rate: float, kills: int, seed: int, symbols: str) -> dict[str, Any]:
    """Run it, and return the report; AssertionError says what was not as promised."""
    product = Product(folder)
    watch = Watch()
    watch.start()
    try:
        simulator = product.simulator(symbols, rate, seed, EVERY_VENUE)
        faulty = Faulty(simulator, seed)
        collector = _start(product, simulator, watch, symbols)
        # The kills come in the first third, so that the last life is long enough to tell if memory is flat.
        lives = [minutes / 3 / kills] * kills + [minutes * 2 / 3] if kills else [minutes]
        for life, lasts in enumerate(lives):
            if life:
                watch.end()
                collector.running.kill()
                collector = _start(product, simulator, watch, symbols)
            until = time.monotonic() + lasts * 60
            while time.monotonic() < until:
                faulty.one()
                time.sleep(FAULT_EVERY_S)
        time.sleep(SETTLE_S)
        health = collector.health()
        watch.end()
        assert collector.running.stop() == 0, collector.running.stderr[-2000:]
        about = http_json(f"{simulator.url}/sim")
        found = judged(folder / "market.duckdb", simulator, faulty)
        return {
            "minutes": minutes,
            "venues": len(COLLECTED),
            "symbols": len(symbols.split(",")),
            "rate_per_series": rate,
            "frames_sent": about["frames_sent"],
            "frames_sent_per_s": round(about["frames_sent"] / (minutes * 60), 1),
            "faults": dict(Counter(fault["kind"] for _, fault in faulty.told)),
            "kills": kills,
            "health_at_the_end": {name: one["status"] for name, one in health["venues"].items()},
            **found,
            "memory_mb_each_minute": [_each_minute(one) for one in watch.memory_mb if one],
            "cpu_s": round(watch.cpu_s, 1),
            "cpu_ms_per_thousand_events": round(watch.cpu_s * 1e6 / max(1, found["received_events"]), 2),
            "checker_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
    finally:
        watch.stop()
        product.close()


def _each_minute(samples: list[float]) -> list[int]:
    """Return the median of each minute of a life; it is flat where the later ones do not rise."""
    a_minute = round(60 / SAMPLE_S)
    return [round(median(samples[at : at + a_minute])) for at in range(0, len(samples), a_minute)]


def _start(product: Product, simulator: Simulator, watch: Watch, symbols: str) -> Collector:
    collector = product.collector(
        simulator,
        "--keep-journal",
        symbols=symbols,
        venues=EVERY_VENUE,
        FLUSH_INTERVAL="1",
        PYTH_API_KEY="simulated",
    )
    watch.begin(collector.running.process.pid)
    return collector


# ── Judging ───────────────────────────────────────────────────────────────────────────────────


def judged(db: Path, simulator: Simulator, faulty: Faulty) -> dict[str, Any]:
    """Check what was promised.

    Each event in the journal is in its table once, and no other row is there (books apart, which are
    made of many frames: of theirs no row is there twice). Each trade that was sent, or made while
    nobody listened, is stored or lies in a gap; where a venue does not number its trades, a frame that
    the simulator was told to lose leaves no trace, and is left out of account.
    """
    received, frames, events = _received(db)
    rows = 0
    for (venue, symbol, stream), keys in sorted(received.items()):
        stored, distinct = _stored(db, venue, symbol, STREAMS[stream])
        where = f"{venue} {symbol} {stream}"
        assert stored == distinct, f"{where}: {stored - distinct} rows are there twice"
        assert stored == len(keys), f"{where}: {len(keys)} were received, {stored} are stored"
        rows += stored
    books = read(
        db,
        "SELECT count(*), count(DISTINCT (venue, symbol, timestamp, sequence)) FROM orderbooks"
        " WHERE sequence IS NOT NULL",
    )
    assert books[0][0] == books[0][1], f"order books: {books}"
    trades = _trades(db, simulator, faulty)
    outages = read(
        db,
        'SELECT count(*), count(*) FILTER ("until" IS NULL), count(*) FILTER ("until" < "from") FROM gaps',
    )[0]
    assert outages[2] == 0, "a gap ends before it begins"
    return {
        "received_frames": frames,
        "received_events": events,
        "stored_rows": rows,
        "order_book_rows": books[0][0],
        "streams_compared": len(received),
        "gaps": outages[0],
        "gaps_open": outages[1],
        **trades,
    }


def _received(db: Path) -> tuple[dict[tuple[str, str, str], set[Any]], int, int]:
    """Decode the kept journal and return what makes each event's row, by venue, symbol and stream."""
    found: dict[tuple[str, str, str], set[Any]] = defaultdict(set)
    keys = {kind: _key_of(stream) for kind, stream in KEPT.items()}
    frames = events = 0
    for event in _decoded(db):
        if event is None:
            frames += 1
            continue
        kind = type(event)
        if kind in keys and kind is not BookUpdate:
            events += 1
            found[event.venue, event.symbol, KEPT[kind].name].add(keys[kind](event))
        elif kind is BookUpdate:
            events += 1
    return found, frames, events


def _decoded(db: Path) -> Iterator[Event | None]:
    """Yield None for each frame of the journal, and then its events."""
    memories: dict[str, Memory] = defaultdict(Memory)
    wanted: frozenset[str] = frozenset()
    for path in sorted(Path(f"{db}.journal").glob("*.journal*")):
        if not path.name.endswith((".journal", ".journal.zst")):
            continue
        reading = segment.read(path)
        for batch in reading:
            wanted = frozenset(reading.about["symbols"])
            for frame in batch:
                if frame.kind == "book" and frame.url == "memory":
                    memories[frame.venue] = msgspec.msgpack.decode(frame.payload, type=Memory)
                if frame.kind in ("book", "note"):
                    continue
                yield None
                for event in _events(frame, memories[frame.venue]):
                    if isinstance(event, Instrument):
                        memories[frame.venue].learn(event)
                    elif event.symbol in wanted:
                        yield event


def _events(frame: Frame, memory: Memory) -> Iterable[Event]:
    venue = venues.ALL[frame.venue]
    try:
        if frame.kind == "ws":
            return venue.decode(frame.payload, frame.ts_recv, memory)
        return answer(venue, frame.url, frame.payload, frame.ts_recv, memory)
    except (msgspec.MsgspecError, ValueError, VenueChanged):
        return ()


def _key_of(stream: Stream) -> Callable[[Any], Any]:
    """Return what makes an event's row, as the writer has it: `key`, or `otherwise` where that is null."""
    fields = {column.name: column.field for column in stream.columns}

    def value(event: Any, name: str) -> Any:
        if name == "timestamp":
            return (event.ts_recv if event.ts_event is None else event.ts_event) // 1000
        said = getattr(event, fields[name])
        return str(said) if name == "trade_id" else said

    def key(event: Any) -> Any:
        names = stream.key
        if stream.otherwise and value(event, names[0]) is None:
            names = stream.otherwise
        if isinstance(event, Candle):
            return event.interval, event.open_ts
        return tuple(value(event, name) for name in names)

    return key


def _stored(db: Path, venue: str, symbol: str, stream: Stream) -> tuple[int, int]:
    """Return the rows of a series, and how many of them differ in what makes a row."""
    first = stream.key[0]
    key = ", ".join(stream.key)
    other = ", ".join(stream.otherwise) or key
    sql = (
        f"SELECT count(*), count(DISTINCT ({key})) FILTER ({first} IS NOT NULL)"
        f" + count(DISTINCT ({other})) FILTER ({first} IS NULL)"
        f" FROM {stream.name} WHERE venue = '{venue}' AND symbol = '{symbol}'"
    )
    return read(db, sql)[0]  # type: ignore[return-value]


def _trades(db: Path, simulator: Simulator, faulty: Faulty) -> dict[str, int]:
    """Compare the ledger's trades with the stored ones, by time, price and size; return what was counted."""
    counted = Counter[str]()
    for venue, symbol, stream in _tapes(simulator):
        stored = Counter(
            (ms, round(price, 10), round(size, 10))
            for ms, price, size in read(
                db,
                "SELECT epoch_ms(timestamp), price, quantity FROM trades"
                f" WHERE venue = '{venue}' AND symbol = '{symbol}'",
            )
        )
        if not stored:
            continue
        first, last = min(stored)[0], max(stored)[0]
        known = read(
            db,
            'SELECT epoch_ms("from"), epoch_ms("until"), reason FROM gaps'
            f" WHERE stream = 'trades' AND venue = '{venue}' AND symbol = '{symbol}'",
        )
        excused = [] if venues.ALL[venue].consecutive_trades else faulty.lost_at(venue)
        for row in simulator.rows(venue, symbol, stream):
            key = (row["time"], round(float(row["price"]), 10), round(float(row["base"]), 10))
            if not first <= row["time"] <= last or not float(row["base"]):
                continue
            if stored[key]:
                stored[key] -= 1
                counted["trades_stored"] += 1
            elif row["time"] in (
                first,
                last,
            ):  # a list of recent trades, or the stop, may cut a moment in two
                counted["trades_at_an_edge"] += 1
            elif any(
                since - 1 <= row["time"] and (end is None or row["time"] <= end + 1)
                for since, end, _ in known
            ):
                counted["trades_missing_in_gaps"] += 1
            elif any(since <= row["time"] <= end for since, end in excused):
                counted["trades_lost_where_no_number_tells"] += 1
            else:
                raise AssertionError(f"{venue} {symbol}: {row} is missing, and no gap says so: {known[:5]}")
        never = +stored
        assert not never, f"{venue} {symbol}: trades that were never made: {list(never.items())[:3]}"
    return dict(counted)


def _tapes(simulator: Simulator) -> Iterator[tuple[str, str, str]]:
    """Yield venue, symbol and the tape of it that was sent."""
    sent: dict[tuple[str, str], tuple[int, str]] = {}
    for one in http_json(f"{simulator.url}/sim/ledger"):
        key = (one["venue"], one["symbol"])
        sent[key] = max(sent.get(key, (0, "")), (one["sent"], one["stream"]))
    for (venue, symbol), (count, stream) in sorted(sent.items()):
        if count:
            yield venue, symbol, stream


def notes(db: Path) -> Iterator[Any]:
    """Yield the feed's own notes in the kept journal, for looking at what happened."""
    for path in sorted(Path(f"{db}.journal").glob("*.journal*")):
        for batch in segment.read(path):
            for frame in batch:
                if frame.kind == "note":
                    yield frame.venue, frame.ts_recv, NOTE.decode(frame.payload)


def main() -> None:
    said = argparse.ArgumentParser(prog="python -m tests.system.soak", description=__doc__)
    said.add_argument("--minutes", type=float, default=30)
    said.add_argument("--rate", type=float, default=5, help="trades a second, symbol and venue")
    said.add_argument("--kills", type=int, default=3)
    said.add_argument("--seed", type=int, default=20261121)
    said.add_argument(
        "--symbols", default="BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT,ARUSDT,BRETTUSDT,POPCATUSDT,WIFUSDT,PNUTUSDT"
    )
    said.add_argument("--folder", type=Path, default=None, help="kept; a temporary one by default")
    chosen = said.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        report = soak(
            folder,
            minutes=chosen.minutes,
            rate=chosen.rate,
            kills=chosen.kills,
            seed=chosen.seed,
            symbols=chosen.symbols,
        )
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()

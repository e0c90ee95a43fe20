"""What is killed in the middle loses nothing that was promised, and holds nothing twice: again and again.

python -m tests.system.kills --kills 30        (from the repository, `src` on the path; prints JSON)

For each kind of work a process does it on a copy of a small database and says when it begins and ends a
piece; it is killed (SIGKILL) at a moment within. Then the database is opened as a collector opens it, and
compared with what had been promised: for a flush, what it had said; for the others, what was there.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from orderflow.jobs import tidy
from orderflow.market.events import HOUR, SECOND, Nanos, Quote, Trade
from orderflow.market.streams import STREAMS
from orderflow.store import checking, opening, retention, runs, sweeping, tables
from orderflow.store.reader import Reader
from orderflow.store.writer import Writer
from tests.store import schema_one

KINDS = ("flush", "checkpoint", "compaction", "retention", "migration")
ROOT = Path(__file__).parents[2]
T0: Nanos = 1_763_683_200 * SECOND  # 2025-11-21T00:00:00Z, as in schema_one
ROWS = 100_000  # of trades: 14 hours, which lie on three series-days and more once they are stretched
DAYS = 24 * HOUR
NOW = T0 + 12 * DAYS
BATCH = 500
PATIENCE_S = 60.0


# ── What is killed ────────────────────────────────────────────────────────────────────────────


def kept(rows: int) -> tidy.Keeping:
    """Of nine days the last five; of quotes, which are a tenth, three fifths of each of the four series."""
    told = {"trades": "8d", "candles": "9d", "prices": f"{rows * 3 // 200} rows"}
    return tidy.Keeping(retention=retention.rules(told))


def work(kind: str, db: Path, rows: int) -> None:
    """Do one kind of work on a database, saying where it is: `B` before a piece, `E` and its number after it."""
    connection = opening.open_for_writing(db) if kind != "migration" else None
    match kind:
        case "flush" | "checkpoint":
            _flush_for_good(connection, kind)
        case "compaction":
            _said(lambda: tidy.tidy(connection, tidy.Keeping(), now=NOW))
        case "retention":
            _said(lambda: tidy.tidy(connection, kept(rows), now=NOW))
        case "migration":
            _said(lambda: opening.open_for_writing(db))
    time.sleep(PATIENCE_S)  # it is killed


def _said(piece: Callable[[], object], number: int = 0) -> None:
    _say("B")
    piece()
    _say(f"E{number}")


def _say(word: str) -> None:
    os.write(1, f"{word}\n".encode())


def _flush_for_good(connection: Any, kind: str) -> None:
    writer = Writer(connection, runs.begin(connection, "live", "killed", started=NOW))
    for number in range(100_000):
        _put(writer, number)
        if kind == "flush":
            _said(writer.flush, number)
        else:
            writer.flush()
            _say(f"E{number}")
            if number % 4 == 3:
                _said(lambda: tables.checkpoint(connection), number)


def _put(writer: Writer, number: int) -> None:
    """Events of one batch: trades on two venues, some of them large, and a quote with each."""
    for place in range(BATCH):
        id = number * BATCH + place + 1
        instant = NOW + id * 1000
        venue = ("binance_spot", "binance_futures")[place % 2]
        size = 5000.0 if place % 100 == 0 else 0.5
        writer.adders(venue)[Trade](
            Trade(venue, "ETHUSDT", instant, instant, id=id, price=100.0, size=size, is_buyer_maker=False)
        )
        writer.adders(venue)[Quote](
            Quote(venue, "ETHUSDT", instant, instant, bid=99.0, ask=101.0, bid_size=1.0, ask_size=1.0, sequence=10**9 + id)
        )  # fmt: skip


# ── What is left ──────────────────────────────────────────────────────────────────────────────


class Bench:
    """The databases that are killed, and what each of them must hold afterwards."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder, self.rows = folder, rows
        self.old, self.base = folder / "old.duckdb", folder / "base.duckdb"
        _old(self.old, rows)
        self._base()
        self.whole = _sums(self.base)
        self.kept = self._expected(kept(self.rows))
        self.chance = random.Random(20261121)
        self.lasts: dict[str, float] = {}

    def _base(self) -> None:
        """Rows of nine days, the first four archived, the others hot, and some of these in the log alone."""
        self._copy(self.old, self.base)
        connection = opening.open_for_writing(self.base)
        tables.create(connection, schema_one.SYMBOLS)
        for stream in ("trades", "prices", "candles"):
            connection.execute(
                f"UPDATE {stream}_hot SET timestamp = TIMESTAMP '2025-11-21'"
                f" + to_microseconds(((epoch_us(timestamp) - {T0 // 1000}) * 15.0 * {100_000 / self.rows})::BIGINT)"
            )
        tidy.tidy(connection, tidy.Keeping(), now=T0 + 4 * DAYS + 7 * HOUR)
        connection.close()

    def _expected(self, keeping: tidy.Keeping) -> dict[str, str]:
        path = self.folder / "expected.duckdb"
        self._copy(self.base, path)
        connection = opening.open_for_writing(path)
        done = tidy.tidy(connection, keeping, now=NOW)
        assert done.removed_rows > self.rows // 10 and not done.problem, done
        connection.close()
        return _sums(path)

    def _copy(self, source: Path, target: Path) -> None:
        for end in ("", ".wal", ".archive"):
            one, other = Path(f"{source}{end}"), Path(f"{target}{end}")
            shutil.rmtree(other, ignore_errors=True) if other.is_dir() else other.unlink(missing_ok=True)
            if one.is_dir():
                shutil.copytree(one, other)
            elif one.exists():
                shutil.copyfile(one, other)

    def kill(self, kind: str) -> dict[str, Any]:
        """Kill the work once, check what it left, and return what was seen."""
        if kind not in self.lasts:
            self.lasts[kind] = self._run(kind, None)[2]
        within, promised, lasted = self._run(kind, self.chance.uniform(0, self.lasts[kind]))
        connection = opening.open_for_writing(self._db(kind))
        try:
            counted = self._after[kind](connection, promised)
            faults = [one.said for one in checking.check(connection, thorough=True) if one.wrong]
            assert not faults, faults
        finally:
            connection.close()
        return {"within": within, "at": lasted / self.lasts[kind], "rows": counted}

    @property
    def _after(self) -> dict[str, Callable[[Any, int], int]]:
        """What is asked of the database after each kind of work; a count of what it was asked of."""
        return {
            "flush": self._after_flush,
            "checkpoint": self._after_flush,
            "compaction": self._after_compaction,
            "retention": self._after_retention,
            "migration": self._after_migration,
        }

    def _db(self, kind: str) -> Path:
        return self.folder / f"{kind}.duckdb"

    def _run(self, kind: str, after_s: float | None) -> tuple[bool, int, float]:
        """Run the work and kill it so long after a piece began, or once that has ended.

        Returns whether it died within a piece, the last piece that had ended, and how long the last lasted.
        """
        self._copy(self.old if kind == "migration" else self.base, self._db(kind))
        command = [sys.executable, "-m", "tests.system.kills", "--work", kind, "--db", str(self._db(kind))]
        running = subprocess.Popen(
            [*command, "--rows", str(self.rows)], stdout=subprocess.PIPE, env=_environment(), cwd=ROOT
        )
        assert running.stdout is not None
        words: list[str] = []

        def hear() -> str:
            word = running.stdout.readline().decode().strip()  # type: ignore[union-attr]
            assert word, f"it ended by itself: {running.wait()}"
            words.append(word)
            return word

        try:
            pieces = self.chance.choice((1, 2, 3)) if kind in ("flush", "checkpoint") else 1
            while words.count("B") < pieces:
                hear()
            began = time.monotonic()
            if after_s is None:
                while not hear().startswith("E"):
                    pass
            else:
                time.sleep(after_s)
        finally:
            running.kill()
            lasted = time.monotonic() - began
            words += running.stdout.read().decode().split()
            running.wait()
            running.stdout.close()
        promised = max((int(word[1:]) for word in words if word[0] == "E"), default=-1)
        return words[-1] == "B", promised, lasted

    # ── By kind ───────────────────────────────────────────────────────────────────────────────

    def _after_flush(self, connection: Any, promised: int) -> int:
        """Every batch that was told as flushed is there, none in part, none twice."""
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM trades WHERE run = 2), (SELECT count(DISTINCT trade_id) FROM trades WHERE run = 2),"
            " (SELECT count(*) FROM prices WHERE run = 2), (SELECT count(*) FROM large_trades WHERE run = 2),"
            " (SELECT coalesce(max(trade_id::BIGINT), 0) FROM trades WHERE run = 2)"
        ).fetchone()
        batches, rest = divmod(counts[0], BATCH)
        assert counts == (batches * BATCH, batches * BATCH, batches * BATCH, batches * 5, batches * BATCH), (
            counts
        )
        assert not rest and promised + 1 <= batches <= promised + 2, (promised, counts)
        connection.execute("DELETE FROM trades_hot WHERE run = 2; DELETE FROM prices_hot WHERE run = 2")
        connection.execute("DELETE FROM large_trades_hot; DELETE FROM runs WHERE id = 2")
        assert _told(connection) == self.whole
        return counts[0]

    def _after_compaction(self, connection: Any, _: int) -> int:
        assert _told(connection) == self.whole
        _swept(connection)
        done = tidy.tidy(connection, tidy.Keeping(), now=NOW)
        assert not done.problem, done.problem
        assert _told(connection) == self.whole
        left = connection.execute(
            "SELECT (SELECT count(*) FROM trades_hot), (SELECT count(*) FROM candles_hot WHERE closed)"
        ).fetchone()
        assert left == (0, 0)
        return Reader(connection).counts()["trades"]

    def _after_retention(self, connection: Any, _: int) -> int:
        for stream in ("trades", "prices", "candles"):  # nothing is there that was not, and nothing twice
            ((rows, different),) = connection.execute(
                f"SELECT count(*), count(DISTINCT (venue, symbol, id)) FROM {stream}"
            ).fetchall()
            assert rows == different
        self._superset(connection)
        _swept(connection)
        done = tidy.tidy(connection, kept(self.rows), now=NOW)
        assert not done.problem, done.problem
        assert _told(connection) == self.kept
        return Reader(connection).counts()["trades"]

    def _superset(self, connection: Any) -> None:
        """What should stay is there, and whatever else is there was there before."""
        for name, path in (("expected", self.folder / "expected.duckdb"), ("base", self.base)):
            connection.execute(f"ATTACH '{path}' AS {name} (READ_ONLY)")
        for stream in ("trades", "prices", "candles"):
            row = "venue::VARCHAR, symbol::VARCHAR, id, timestamp"
            for less, more in ((f"expected.{stream}", stream), (stream, f"base.{stream}")):
                (missing,) = connection.execute(
                    f"SELECT count(*) FROM (SELECT {row} FROM {less} EXCEPT SELECT {row} FROM {more})"
                ).fetchone()
                assert not missing, f"{missing} rows of {less} are not in {more}"
        connection.execute("DETACH expected; DETACH base")

    def _after_migration(self, connection: Any, _: int) -> int:
        assert tables.schema(connection) == tables.SCHEMA
        found = _told(connection)
        if not hasattr(self, "_migrated"):
            path = self.folder / "migrated.duckdb"
            self._copy(self.old, path)
            opening.open_for_writing(path).close()
            self._migrated = _sums(path)
        assert found == self._migrated
        return Reader(connection).counts()["trades"]


def _old(path: Path, rows: int) -> None:
    """Make a database of schema 1 whose last rows are in its log alone, as a process leaves it that dies."""
    schema_one.database(path, rows)
    code = (
        "import duckdb, os, sys; from tests.store import schema_one\n"
        'c = duckdb.connect(sys.argv[1]); c.execute("INSERT INTO trades BY NAME SELECT * REPLACE'
        " (id + 10000000 AS id, 'x' || trade_id AS trade_id) FROM trades LIMIT 2000\"); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], env=_environment(), cwd=ROOT)
    assert Path(f"{path}.wal").stat().st_size > 10_000


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


def _told(connection: Any) -> dict[str, str]:
    found = Reader(connection).checksums()
    return {name: found[name] for name in (*STREAMS, "gaps")}


def _sums(path: Path) -> dict[str, str]:
    connection = duckdb.connect(str(path))
    try:
        return _told(connection)
    finally:
        connection.close()


def _swept(connection: Any) -> None:
    """No file is left that nothing names, once the grace is over."""
    later = time.time_ns() + 2 * sweeping.GRACE
    sweeping.sweep(connection, now=later)
    assert sweeping.orphans(connection, later) == []


def killed(kinds: tuple[str, ...], kills: int, rows: int = ROWS) -> dict[str, dict[str, Any]]:
    """Kill each kind of work so many times within it; return how often, where in it, and the last rows."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="kills.") as folder:
        bench = Bench(Path(folder), rows)
        for kind in kinds:
            began = time.monotonic()
            seen: list[dict[str, Any]] = []
            while sum(one["within"] for one in seen) < kills and len(seen) < 3 * kills:
                seen.append(bench.kill(kind))
            within = [one for one in seen if one["within"]]
            found[kind] = {
                "kills": len(within),
                "besides": len(seen) - len(within),  # it had ended already: that must hold, too
                "piece_s": round(bench.lasts[kind], 3),
                "at": sorted(round(one["at"], 2) for one in within),
                "rows": seen[-1]["rows"],
                "seconds": round(time.monotonic() - began, 1),
            }
            print(kind, found[kind], file=sys.stderr)
    return found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=30)
    asked.add_argument("--rows", type=int, default=ROWS)
    asked.add_argument("--only", choices=KINDS)
    asked.add_argument("--work", choices=KINDS)
    asked.add_argument("--db", type=Path)
    told = asked.parse_args()
    if told.work:
        work(told.work, told.db, told.rows)
    else:
        print(json.dumps(killed((told.only,) if told.only else KINDS, told.kills, told.rows), indent=1))


if __name__ == "__main__":
    main()
